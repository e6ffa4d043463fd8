//! Composite checks: judged on their schedule, and as soon as the confirmed status of a member changes.
//!
//! While it could only say `unknown` because members have not run yet, it waits for them (`awaited.rs`).
//!
//! Invariant: however many members change at once, at most one look at a composite waits for its turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sickbay_core::{Finding, Report, Status, Timestamp, composite};
use sickbay_store::{ResultRecord, Trigger};

use super::run::{Ended, Runner, Times};
use crate::clock;
use crate::config::Composite;
use crate::live::LiveCheck;

impl Runner {
    /// A look that is due, or that a member asked for; none while members are waited for. The caller holds the check's `running` lock.
    pub(super) async fn composed_in_turn(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> Option<Arc<ResultRecord>> {
        if self.composite_report(check).status == Status::Unknown && self.awaits_members(check) {
            return None;
        }
        Some(self.composed(check, scheduled_at, trigger).await)
    }

    /// The caller holds the check's `running` lock.
    pub(super) async fn composed(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> Arc<ResultRecord> {
        let started_at = clock::now();
        self.recall(check).await;
        let report = self.composite_report(check);
        let times = Times { scheduled_at: Runner::not_before_the_last(check, scheduled_at), started_at, took: Duration::ZERO };
        self.conclude(check, Ended::unbegun(Finding::Report(report)), times, trigger)
    }

    /// What the members say together, now.
    fn composite_report(&self, check: &LiveCheck) -> Report {
        let table = self.live.checks();
        let none = Composite::default();
        let composite = check.spec.composite.as_ref().unwrap_or(&none);
        let status = |name: &str| table.get(name).map_or(Status::Unknown, |member| member.with(|observed| observed.state.hard_status));
        let members: Vec<(&str, Status)> = composite.members.iter().map(|name| (name.as_str(), status(name))).collect();
        composite::report(&members, composite.healthy_min)
    }

    /// A member changed: the composites that it is part of look at it soon.
    pub(super) fn wake_composites(&self, member: &str) {
        let Some(runner) = self.live.runner.load_full() else { return };
        for check in self.live.composites_of(member) {
            if runner.is_ending() || check.is_woken.swap(true, Ordering::AcqRel) {
                continue;
            }
            let look = Arc::clone(&runner);
            runner.spawn(async move {
                let running = Arc::clone(&check.memory.running).lock_owned().await;
                // From here on a change is one to come back for.
                check.is_woken.store(false, Ordering::Release);
                if let Some(record) = look.composed_in_turn(&check, clock::now(), Trigger::Member).await {
                    look.live.queue.push(record).await;
                }
                drop(running);
            });
        }
    }
}
