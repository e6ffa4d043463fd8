//! Objectives: their checks are judged on their schedule, once there is something to count (`awaited.rs`), and what they count is written once
//! in [`WRITE_INTERVAL`], and at the end.
//!
//! Invariant: on a kill at most the counts of one [`WRITE_INTERVAL`] are lost, and of one flush of the queue.

use std::sync::Arc;
use std::time::Duration;

use sickbay_core::{Finding, Report, Status, Timestamp};
use sickbay_store::{Change, ResultRecord, Trigger};
use tokio_util::sync::CancellationToken;

use super::run::{Ended, Runner, Times};
use crate::clock;
use crate::live::{Live, LiveCheck};

/// Counts that changed are written so often.
const WRITE_INTERVAL: Duration = Duration::from_secs(60);
/// Documents in one transaction: what a day counted of many checks is some hundred kilobytes.
const CHANGES_LEN_MAX: usize = 64;

impl Runner {
    /// A look that is due; none while checks of the objective are waited for. The caller holds the check's `running` lock.
    pub(super) fn weighed_in_turn(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> Option<Arc<ResultRecord>> {
        let started_at = clock::now();
        let report = self.objective_report(check, started_at);
        if report.status == Status::Unknown && self.awaits_members(check) {
            return None;
        }
        Some(self.conclude_objective(check, report, scheduled_at, started_at, trigger))
    }

    /// A look at the objective of a check. The caller holds the check's `running` lock.
    pub(super) fn weighed(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> Arc<ResultRecord> {
        let started_at = clock::now();
        self.conclude_objective(check, self.objective_report(check, started_at), scheduled_at, started_at, trigger)
    }

    fn objective_report(&self, check: &LiveCheck, now: Timestamp) -> Report {
        self.live.slos.load().of_check(&check.name).map_or_else(gone, |slo| slo.report(now))
    }

    fn conclude_objective(
        &self,
        check: &LiveCheck,
        report: Report,
        scheduled_at: Timestamp,
        started_at: Timestamp,
        trigger: Trigger,
    ) -> Arc<ResultRecord> {
        let times = Times { scheduled_at: Runner::not_before_the_last(check, scheduled_at), started_at, took: Duration::ZERO };
        self.conclude(check, Ended::unbegun(Finding::Report(report)), times, trigger)
    }
}

/// Between two configurations.
fn gone() -> Report {
    Report { status: Status::Unknown, summary: "the objective is in the configuration no more".to_owned(), ..Report::default() }
}

/// Writes what objectives count, and a last time when `stop` says that no more results come.
pub(super) async fn keep(live: Arc<Live>, stop: CancellationToken) {
    loop {
        let is_last = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(WRITE_INTERVAL) => false,
        };
        write(&live).await;
        if is_last {
            return;
        }
    }
}

/// Writes what changed since the last time. While the store fails it waits, until the queue is shut down.
async fn write(live: &Live) {
    let mut changes = live.slos.load().changes(clock::now());
    while !changes.is_empty() {
        let rest = changes.split_off(changes.len().min(CHANGES_LEN_MAX));
        let part: Vec<Change> = std::mem::replace(&mut changes, rest);
        if let Err(error) = live.queue.decide(move || part).await {
            tracing::error!("the counts of objectives could not be written: {error}");
            return;
        }
    }
}
