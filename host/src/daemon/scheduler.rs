//! When which check runs: a heap of due times, one task that sleeps until the next.
//!
//! There is one scheduler for each thread that runs checks ([`Shard`]). Each has its own checks, by a hash of the name, and a run stays
//! on the thread that began it: its timers and sockets are there too, and nothing wakes another thread.
//!
//! A check with `retry_every` is looked at whenever either of its cadences has a time, and runs where that time is one of the cadence that its
//! state has by then. So a run that makes the state soft (or hard again) need not tell the scheduler, and neither cadence drifts.
//!
//! Invariant: a due time comes from the schedules alone; a late or skipped run never moves the ones after it.
//! Invariant: at most one run of a check is under way; a check that is due again meanwhile is skipped and counted, never queued.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sickbay_core::schedule::{Schedule, fnv1a_64};
use sickbay_core::{StateKind, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::run::Runner;
use crate::clock;
use crate::live::{Live, LiveCheck, RunOutcome};

/// A check that has not run for its whole interval (a new one, or after a long stop) runs within this time, whatever its interval. One with
/// `cron` runs when its expression says, and not before.
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

type Due = BinaryHeap<Reverse<Look>>;

/// When a check is looked at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Look {
    at: Timestamp,
    /// Of the check.
    index: usize,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A time of its cadence, or of one of its two.
    Cadence,
    /// It has not run for long: it does, whatever its cadence.
    FirstRun,
}

/// What was planned for a check before the table was replaced.
struct Planned {
    at: Timestamp,
    why: Why,
    schedule: Schedule,
    retry: Option<Schedule>,
}

/// What a check's due times are, as its state is now.
struct Cadence<'a> {
    normal: &'a Schedule,
    /// In place of the normal one while the state is soft.
    retry: Option<&'a Schedule>,
    state: StateKind,
}

impl Cadence<'_> {
    fn of(check: &LiveCheck) -> Cadence<'_> {
        let retry = check.spec.retry.as_ref();
        // Most checks have one cadence, and nobody's lock is taken for them.
        let state = if retry.is_some() { check.with(|observed| observed.state.kind) } else { StateKind::Hard };
        Cadence { normal: &check.schedule, retry, state }
    }

    fn in_force(&self) -> &Schedule {
        match (self.state, self.retry) {
            (StateKind::Soft, Some(retry)) => retry,
            (StateKind::Soft, None) | (StateKind::Hard, _) => self.normal,
        }
    }

    /// The next time of either cadence: the state may change before it comes.
    fn next_look(&self, now: Timestamp) -> Timestamp {
        let normal = self.normal.next_after(now);
        self.retry.map_or(normal, |retry| normal.min(retry.next_after(now)))
    }
}

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
            let next = due.peek().map_or(SLEEP_MAX, |Reverse(look)| look.at.since(now).clamp(TICK, SLEEP_MAX));
            tokio::select! {
                () = stop.cancelled() => return,
                _ = self.changed.changed() => {
                    let planned = due.iter().map(|Reverse(look)| planned(&checks[look.index], *look)).collect();
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
        while let Some(Reverse(look)) = due.peek().copied() {
            let check = &checks[look.index];
            let cadence = Cadence::of(check);
            let plan = plan(&cadence, look, now);
            match plan {
                Plan::Wait => return,
                Plan::Replan => {
                    tracing::warn!("the clock was set back: all checks are planned anew");
                    *due = first_due(checks, now, &HashMap::new());
                    return;
                }
                Plan::Pass | Plan::Run { .. } => {}
            }
            due.pop();
            due.push(Reverse(Look { at: cadence.next_look(now), index: look.index, why: Why::Cadence }));
            if let Plan::Run { at, missed } = plan {
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
        // In a box: a task is moved several times before it stays, and a run is some kilobytes.
        self.runs.spawn(Box::pin(async move {
            runner.run_scheduled(&check, scheduled_at).await;
            drop(running);
        }));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Wait,
    /// The time is of the cadence that is not in force.
    Pass,
    /// Due at `at`; `missed` due times after it have passed as well and are not made up for.
    Run {
        at: Timestamp,
        missed: u64,
    },
    /// The clock was set back by more than is between two due times: plan anew.
    Replan,
}

fn plan(cadence: &Cadence<'_>, look: Look, now: Timestamp) -> Plan {
    if look.at > now {
        // By this clock the check would be due before; the slack keeps a small step back from running anything twice.
        let set_back = look.at.since(now) > FIRST_RUN_WITHIN && cadence.next_look(now.plus(FIRST_RUN_WITHIN)) < look.at;
        return if set_back { Plan::Replan } else { Plan::Wait };
    }
    let schedule = cadence.in_force();
    let at = match look.why {
        Why::FirstRun => look.at,
        Why::Cadence => schedule.next_after(look.at.minus(Duration::from_millis(1))),
    };
    if at > now { Plan::Pass } else { Plan::Run { at, missed: schedule.due_between(at, now) } }
}

fn planned(check: &LiveCheck, look: Look) -> (String, Planned) {
    let planned = Planned { at: look.at, why: look.why, schedule: check.schedule.clone(), retry: check.spec.retry.clone() };
    (check.spec.name.clone(), planned)
}

/// The next due time of each check; one that keeps its cadences keeps the time that was planned for it.
fn first_due(checks: &[Arc<LiveCheck>], now: Timestamp, planned: &HashMap<String, Planned>) -> Due {
    checks
        .iter()
        .enumerate()
        .map(|(index, check)| {
            let (at, why) = match planned.get(&check.spec.name) {
                Some(planned) if planned.schedule == check.schedule && planned.retry == check.spec.retry => (planned.at, planned.why),
                _ => {
                    let last = check.with(|observed| observed.last.as_ref().map(|last| last.scheduled_at));
                    first_time(&check.spec.name, &Cadence::of(check), last, now)
                }
            };
            Reverse(Look { at, index, why })
        })
        .collect()
}

fn first_time(name: &str, cadence: &Cadence<'_>, last: Option<Timestamp>, now: Timestamp) -> (Timestamp, Why) {
    let at = cadence.next_look(now);
    let overdue = cadence.normal.interval().is_some_and(|interval| last.is_none_or(|last| now.since(last) >= interval));
    if overdue && cadence.normal.next_after(now).since(now) > FIRST_RUN_WITHIN {
        return (Schedule::every(name, FIRST_RUN_WITHIN).next_after(now), Why::FirstRun);
    }
    (at, Why::Cadence)
}

#[cfg(test)]
mod tests {
    use sickbay_capabilities::{ServiceSettings, Services};
    use sickbay_core::{Cron, Zone};

    use super::*;
    use crate::api::testing::{Host, two_checks};

    const EVERY: Duration = Duration::from_secs(10);

    fn scheduler(host: &Host, shard: Shard) -> Scheduler {
        let (live, runs) = (Arc::clone(&host.live), TaskTracker::new());
        let services = Services::new(&ServiceSettings::default()).unwrap();
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
        let planned: Vec<Timestamp> = due.iter().map(|Reverse(look)| look.at).collect();
        assert_eq!(planned.len(), 2);
        assert!(planned.iter().all(|at| *at > now && at.since(now) <= EVERY), "{planned:?}");
        assert!(scheduler.runs.is_empty(), "nothing runs before it is due by the new time");

        scheduler.dispatch(&checks, &mut due, now.plus(EVERY));
        assert_eq!(scheduler.runs.len(), 2);
    }

    fn hard(normal: &Schedule) -> Cadence<'_> {
        Cadence { normal, retry: None, state: StateKind::Hard }
    }

    fn look(at: Timestamp) -> Look {
        Look { at, index: 0, why: Why::Cadence }
    }

    /// When a check with these cadences is due between two times, looked at as the scheduler does.
    fn due_times(cadence: &Cadence<'_>, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let looks = std::iter::successors(Some(cadence.next_look(from)), |at| Some(cadence.next_look(*at)));
        let plans = looks.take_while(|at| *at <= to).map(|at| plan(cadence, look(at), at));
        plans.filter_map(|plan| if let Plan::Run { at, .. } = plan { Some(at) } else { None }).collect()
    }

    #[test]
    fn due_times_that_passed_unused_are_counted_and_not_made_up_for() {
        let schedule = Schedule::every("a", EVERY);
        let at = schedule.next_after(Timestamp(1_000_000));
        let plan = |now: Timestamp| plan(&hard(&schedule), look(at), now);
        assert_eq!(plan(at), Plan::Run { at, missed: 0 });
        assert_eq!(plan(at.plus(Duration::from_secs(9))), Plan::Run { at, missed: 0 });
        assert_eq!(plan(at.plus(Duration::from_secs(35))), Plan::Run { at, missed: 3 });
        assert_eq!(plan(at.minus(Duration::from_millis(1))), Plan::Wait);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stop_a_check() {
        let schedule = Schedule::every("a", EVERY);
        let at = schedule.next_after(Timestamp(1_000_000_000));
        assert_eq!(plan(&hard(&schedule), look(at), Timestamp(1_000)), Plan::Replan);
    }

    fn nightly() -> Schedule {
        Schedule::Cron(Arc::new(Cron::parse("0 2 * * *", Zone::UTC).unwrap()))
    }

    #[test]
    fn nights_that_a_cron_expression_missed_are_counted_and_not_made_up_for() {
        const DAY: Duration = Duration::from_secs(86_400);
        let schedule = nightly();
        let at = schedule.next_after(Timestamp(1_700_000_000_000));
        let late = at.plus(DAY * 3).plus(Duration::from_secs(60));
        assert_eq!(plan(&hard(&schedule), look(at), late), Plan::Run { at, missed: 3 });
        assert_eq!(schedule.next_after(late), at.plus(DAY * 4));
    }

    #[test]
    fn a_small_step_of_the_clock_does_not_run_a_night_twice_and_a_large_one_plans_anew() {
        let schedule = nightly();
        let ran = schedule.next_after(Timestamp(1_700_000_000_000));
        let next = schedule.next_after(ran);
        assert_eq!(plan(&hard(&schedule), look(next), ran.minus(Duration::from_secs(1))), Plan::Wait);
        assert_eq!(plan(&hard(&schedule), look(next), ran.minus(Duration::from_secs(3600))), Plan::Replan);
    }

    #[test]
    fn a_cron_expression_is_not_hurried_where_the_check_never_ran() {
        let schedule = nightly();
        let now = Timestamp(1_700_000_000_123);
        assert_eq!(first_time("backup", &hard(&schedule), None, now), (schedule.next_after(now), Why::Cadence));
    }

    #[test]
    fn a_soft_check_is_due_at_its_retry_times_and_a_hard_one_at_its_normal_times() {
        let (normal, retry) = (Schedule::every("a", Duration::from_secs(60)), Schedule::every("a", Duration::from_secs(5)));
        let from = Timestamp(1_700_000_000_000);
        let to = from.plus(Duration::from_secs(600));
        let of = |state| due_times(&Cadence { normal: &normal, retry: Some(&retry), state }, from, to);
        let alone = |schedule: &Schedule| due_times(&hard(schedule), from, to);
        assert_eq!((of(StateKind::Hard), of(StateKind::Soft)), (alone(&normal), alone(&retry)));
        assert_eq!((of(StateKind::Hard).len(), of(StateKind::Soft).len()), (10, 120));
    }

    #[test]
    fn a_host_that_slept_over_a_normal_time_runs_it_whatever_it_was_looked_at_for() {
        let (normal, retry) = (Schedule::every("a", Duration::from_secs(60)), Schedule::every("a", Duration::from_secs(5)));
        let cadence = Cadence { normal: &normal, retry: Some(&retry), state: StateKind::Hard };
        let due = normal.next_after(Timestamp(1_700_000_000_000));
        let looked_at = look(due.minus(Duration::from_secs(5)));
        assert_eq!(plan(&cadence, looked_at, due.minus(Duration::from_secs(1))), Plan::Pass);
        assert_eq!(plan(&cadence, looked_at, due.plus(Duration::from_secs(61))), Plan::Run { at: due, missed: 1 });
    }

    #[test]
    fn a_check_that_never_ran_does_not_wait_for_a_long_interval() {
        let schedule = Schedule::every("backup", Duration::from_secs(3600));
        let now = Timestamp(1_700_000_000_123);
        let (at, why) = first_time("backup", &hard(&schedule), None, now);
        assert!(at.since(now) <= FIRST_RUN_WITHIN);
        assert_eq!(plan(&hard(&schedule), Look { at, index: 0, why }, at), Plan::Run { at, missed: 0 });
        let recent = now.minus(Duration::from_secs(60));
        assert_eq!(first_time("backup", &hard(&schedule), Some(recent), now), (schedule.next_after(now), Why::Cadence));
    }
}
