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
        self.recall(check).await;
        let times = Times { scheduled_at: Runner::not_before_the_last(check, started_at), started_at, took };
        self.conclude(check, Ended::unbegun(Finding::Report(report)), times, Trigger::Push)
    }

    /// A look at a push check that is due: its silence, where that is too long. The caller holds the check's `running` lock.
    pub(super) fn listened(&self, check: &LiveCheck, scheduled_at: Timestamp, within: Duration) -> Option<Arc<ResultRecord>> {
        let started_at = clock::now();
        let last = check.with(|observed| observed.last.clone());
        let heard_at = push::heard_at(last.as_ref().map(|last| (last.started_at, &last.reason)), self.live.started_at);
        let judgement = push::silence(heard_at, within, started_at)?;
        let before = Runner::before(check);
        let judged = Judged { judgement, report: None, holding: before.state.holding.clone() };
        let times = Times { scheduled_at: Runner::not_before_the_last(check, scheduled_at), started_at, took: Duration::ZERO };
        Some(self.settle(check, before, judged, Sandboxed::default(), times, Trigger::Schedule))
    }
}
