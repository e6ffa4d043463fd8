//! When which check runs: a heap of due times, one task that sleeps until the next.
//!
//! There is one scheduler for each thread that runs checks ([`Shard`]). Each has its own checks, by a hash of the name, and a run stays
//! on the thread that began it: its timers and sockets are there too, and nothing wakes another thread.
//!
//! Invariant: a due time comes from the schedule alone; a late or skipped run never moves the ones after it.
//! Invariant: at most one run of a check is under way; a check that is due again meanwhile is skipped and counted, never queued.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sickbay_core::Timestamp;
use sickbay_core::schedule::{Schedule, fnv1a_64};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::run::Runner;
use crate::clock;
use crate::live::{Live, LiveCheck, RunOutcome};

/// A check that has not run for its whole interval (a new one, or after a long stop) runs within this time, whatever its interval.
const FIRST_RUN_WITHIN: Duration = Duration::from_secs(10);
/// Due times this close together are dispatched together: waking for each would cost more than a run.
const TICK: Duration = Duration::from_millis(20);
/// The wall clock may be set back while we sleep.
const SLEEP_MAX: Duration = Duration::from_secs(1);

pub(super) struct Scheduler {
    live: Arc<Live>,
    runner: Arc<Runner>,
    runs: TaskTracker,
    /// Changes when the table of checks was replaced.
    changed: watch::Receiver<()>,
    shard: Shard,
}

/// Which of all checks are a scheduler's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shard {
    pub(super) index: u64,
    pub(super) of: u64,
}

impl Shard {
    fn has(self, check: &str) -> bool {
        fnv1a_64(check.as_bytes()) % self.of == self.index
    }
}

type Due = BinaryHeap<Reverse<(Timestamp, usize)>>;

impl Scheduler {
    pub(super) fn new(live: Arc<Live>, runner: Arc<Runner>, runs: TaskTracker, changed: watch::Receiver<()>, shard: Shard) -> Scheduler {
        Scheduler { live, runner, runs, changed, shard }
    }

    /// Runs checks when they are due until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut checks = self.checks();
        let mut due = first_due(&checks, clock::now(), &HashMap::new());
        loop {
            let now = clock::now();
            let next = due.peek().map_or(SLEEP_MAX, |Reverse((at, _))| at.since(now).clamp(TICK, SLEEP_MAX));
            tokio::select! {
                () = stop.cancelled() => return,
                _ = self.changed.changed() => {
                    let planned = due.iter().map(|Reverse((at, index))| (checks[*index].spec.name.clone(), (*at, checks[*index].schedule.clone()))).collect();
                    checks = self.checks();
                    due = first_due(&checks, clock::now(), &planned);
                }
                () = tokio::time::sleep(next) => self.dispatch(&checks, &mut due, clock::now()),
            }
        }
    }

    fn checks(&self) -> Vec<Arc<LiveCheck>> {
        self.live.checks().by_name.values().filter(|check| self.shard.has(&check.spec.name)).cloned().collect()
    }

    fn dispatch(&self, checks: &[Arc<LiveCheck>], due: &mut Due, now: Timestamp) {
        while let Some(Reverse((at, index))) = due.peek().copied() {
            let check = &checks[index];
            let plan = plan(&check.schedule, at, now);
            match plan {
                Plan::Wait => return,
                Plan::Replan => {
                    tracing::warn!("the clock was set back: all checks are planned anew");
                    *due = first_due(checks, now, &HashMap::new());
                    return;
                }
                Plan::Run { .. } => {}
            }
            due.pop();
            due.push(Reverse((check.schedule.next_after(now), index)));
            if let Plan::Run { missed } = plan {
                self.begin(check, at, missed);
            }
        }
    }

    fn begin(&self, check: &Arc<LiveCheck>, scheduled_at: Timestamp, missed: u64) {
        let running = Arc::clone(&check.memory.running).try_lock_owned();
        let skipped = missed + u64::from(running.is_err());
        if skipped > 0 {
            check.with(|observed| observed.count(RunOutcome::Skipped, skipped));
        }
        let Ok(running) = running else { return };
        let (runner, check) = (Arc::clone(&self.runner), Arc::clone(check));
        self.runs.spawn(async move {
            runner.run_scheduled(&check, scheduled_at).await;
            drop(running);
        });
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Wait,
    /// Due; `missed` due times after it have passed as well and are not made up for.
    Run {
        missed: u64,
    },
    /// The clock was set back by more than an interval: plan anew.
    Replan,
}

fn plan(schedule: &Schedule, at: Timestamp, now: Timestamp) -> Plan {
    let interval = schedule.interval();
    if at > now {
        return if at.since(now) > interval + FIRST_RUN_WITHIN { Plan::Replan } else { Plan::Wait };
    }
    let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
    let late_ms = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
    Plan::Run { missed: late_ms / interval_ms }
}

/// The next due time of each check; one that keeps its schedule keeps the time that was planned for it.
fn first_due(checks: &[Arc<LiveCheck>], now: Timestamp, planned: &HashMap<String, (Timestamp, Schedule)>) -> Due {
    checks
        .iter()
        .enumerate()
        .map(|(index, check)| {
            let at = match planned.get(&check.spec.name) {
                Some((at, schedule)) if *schedule == check.schedule => *at,
                _ => {
                    let last = check.with(|observed| observed.last.as_ref().map(|last| last.scheduled_at));
                    first_time(&check.spec.name, &check.schedule, last, now)
                }
            };
            Reverse((at, index))
        })
        .collect()
}

fn first_time(name: &str, schedule: &Schedule, last: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let at = schedule.next_after(now);
    let overdue = last.is_none_or(|last| now.since(last) >= schedule.interval());
    if overdue && at.since(now) > FIRST_RUN_WITHIN {
        return Schedule::every(name, FIRST_RUN_WITHIN).next_after(now);
    }
    at
}

#[cfg(test)]
mod tests {
    use sickbay_capabilities::{EgressSettings, Services};

    use super::*;
    use crate::api::testing::{Host, two_checks};

    const EVERY: Duration = Duration::from_secs(10);

    fn scheduler(host: &Host, shard: Shard) -> Scheduler {
        let (live, runs) = (Arc::clone(&host.live), TaskTracker::new());
        let services = Services::new(&EgressSettings::default()).unwrap();
        let runner = Arc::new(Runner::new(Arc::clone(&live), services, runs.clone()));
        Scheduler::new(live, runner, runs, watch::Sender::new(()).subscribe(), shard)
    }

    #[test]
    fn every_check_is_of_one_shard_and_the_shards_are_about_as_large() {
        const CHECKS: usize = 10_000;
        for of in [1, 2, 3, 4, 8, 16] {
            let mut sizes = vec![0; of];
            for number in 0..CHECKS {
                let name = format!("check-{number:05}");
                let shards: Vec<usize> = (0..of).filter(|index| Shard { index: *index as u64, of: of as u64 }.has(&name)).collect();
                assert_eq!(shards.len(), 1, "{name} of {of}");
                sizes[shards[0]] += 1;
            }
            let even = CHECKS / of;
            assert!(sizes.iter().all(|size| (even * 4 / 5..=even * 6 / 5).contains(size)), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn after_the_clock_was_set_back_all_checks_are_planned_by_the_new_time() {
        let host = Host::start(&two_checks()).await;
        let scheduler = scheduler(&host, Shard { index: 0, of: 1 });
        let checks = scheduler.checks();
        let before = Timestamp(1_700_000_000_000);
        let mut due = first_due(&checks, before, &HashMap::new());
        let now = before.minus(Duration::from_secs(3600));
        scheduler.dispatch(&checks, &mut due, now);
        let planned: Vec<Timestamp> = due.iter().map(|Reverse((at, _))| *at).collect();
        assert_eq!(planned.len(), 2);
        assert!(planned.iter().all(|at| *at > now && at.since(now) <= EVERY), "{planned:?}");
        assert!(scheduler.runs.is_empty(), "nothing runs before it is due by the new time");

        scheduler.dispatch(&checks, &mut due, now.plus(EVERY));
        assert_eq!(scheduler.runs.len(), 2);
    }

    #[test]
    fn due_times_that_passed_unused_are_counted_and_not_made_up_for() {
        let schedule = Schedule::every("a", EVERY);
        let at = schedule.next_after(Timestamp(1_000_000));
        assert_eq!(plan(&schedule, at, at), Plan::Run { missed: 0 });
        assert_eq!(plan(&schedule, at, at.plus(Duration::from_secs(9))), Plan::Run { missed: 0 });
        assert_eq!(plan(&schedule, at, at.plus(Duration::from_secs(35))), Plan::Run { missed: 3 });
        assert_eq!(plan(&schedule, at, at.minus(Duration::from_millis(1))), Plan::Wait);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_a_check() {
        let schedule = Schedule::every("a", EVERY);
        let at = schedule.next_after(Timestamp(1_000_000_000));
        assert_eq!(plan(&schedule, at, Timestamp(1_000)), Plan::Replan);
    }

    #[test]
    fn a_check_that_never_ran_does_not_wait_for_a_long_interval() {
        let schedule = Schedule::every("backup", Duration::from_secs(3600));
        let now = Timestamp(1_700_000_000_123);
        assert!(first_time("backup", &schedule, None, now).since(now) <= FIRST_RUN_WITHIN);
        let recent = now.minus(Duration::from_secs(60));
        assert_eq!(first_time("backup", &schedule, Some(recent), now), schedule.next_after(now));
    }
}
