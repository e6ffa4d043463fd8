//! Push checks: a report that somebody sends, and the silence of those from whom none comes.
//!
//! A pushed report takes the way of every other one from `conclude` on: conditions, state, record, queue. The scheduler looks at a push check now
//! and then; where it has been silent for too long, that is a result, and where not the look leaves none.

use std::sync::Arc;
use std::time::Duration;

use sickbay_core::{Finding, Judged, Report, Timestamp, push};
use sickbay_store::{Receipt, ResultRecord, Trigger};

use super::run::{Ended, OutOfTurn, RunNowError, Runner, Sandboxed, Times};
use crate::clock;
use crate::config::Origin;
use crate::live::LiveCheck;
use crate::masks::Masks;

impl Runner {
    /// Takes a report of a push check that took so long to come about; recorded also when nobody waits for the answer any more.
    pub async fn pushed(
        self: &Arc<Runner>,
        name: &str,
        report: Report,
        took: Duration,
    ) -> Result<(Arc<ResultRecord>, Receipt), RunNowError> {
        let check = self.check(name)?;
        if !matches!(check.spec.origin, Origin::Push { .. }) {
            return Err(RunNowError::OtherKind);
        }
        self.out_of_turn(check, OutOfTurn::Pushed { report, took }).await
    }

    /// The caller holds the check's `running` lock.
    pub(super) async fn take_pushed(&self, check: &LiveCheck, report: Report, took: Duration) -> Arc<ResultRecord> {
        let started_at = clock::now();
        // As of a run's report: what is a secret of the configuration goes no further.
        let finding = Masks::of(&self.live).await.finding(Finding::Report(report));
        self.recall(check).await;
        let times = Times { scheduled_at: Runner::time_of_its_own(check, started_at, Trigger::Push), started_at, took };
        self.conclude(check, Ended::unbegun(finding), times, Trigger::Push)
    }

    /// A look at a push check that is due: its silence, where that is too long. The caller holds the check's `running` lock.
    pub(super) fn listened(&self, check: &LiveCheck, scheduled_at: Timestamp, within: Duration) -> Option<Arc<ResultRecord>> {
        let started_at = clock::now();
        let last = check.with(|observed| observed.last.clone());
        let heard_at = push::heard_at(last.as_ref().map(|last| (last.started_at, &last.reason)), within, self.live.started_at);
        let judgement = push::silence(heard_at, within, started_at)?;
        let before = Runner::before(check);
        let judged = Judged { judgement, report: None, holding: before.state.holding.clone() };
        let times =
            Times { scheduled_at: Runner::time_of_its_own(check, scheduled_at, Trigger::Schedule), started_at, took: Duration::ZERO };
        Some(self.settle(check, before, judged, Sandboxed::default(), times, Trigger::Schedule))
    }
}

#[cfg(test)]
mod tests {
    use sickbay_capabilities::{ServiceSettings, Services};
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::api::testing::Host;

    #[tokio::test]
    async fn what_was_pushed_is_told_without_the_secrets_of_the_configuration() {
        let host = Host::start("[secrets.hook]\nfile = \"hook\"\n[[check]]\nname = \"job\"\npush = { within = \"25h\" }\n").await;
        std::fs::write(host.folder.path().join("hook"), "swordfish").expect("the folder is writable");
        let services = Services::new(&ServiceSettings::default()).expect("services");
        let runner = Arc::new(Runner::new(Arc::clone(&host.live), services, TaskTracker::new()));
        let report = Report {
            summary: "logged in with swordfish".to_owned(),
            details: Some(r#"{"labels":{"key":"swordfish"}}"#.to_owned()),
            ..Report::default()
        };
        let (record, _) = runner.pushed("job", report, Duration::ZERO).await.expect("it is a push check");
        assert_eq!(record.summary, "logged in with {{secret:hook}}");
        assert!(record.details.as_deref().is_some_and(|details| !details.contains("swordfish")), "{:?}", record.details);
    }
}
