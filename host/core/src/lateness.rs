//! How late the host itself is, and what that makes of a service that did not answer in time.
//!
//! A host that is starved of processors, or that was suspended, sees every service time out. So a timeout is `unknown` while the host is late, by
//! more than [`HOST_LATE_MIN`]: this run was begun so long after it was due (waiting for permits does not count), or the clock went on by so much while nothing ran, or of the runs of
//! the last [`RECENT`] one in a hundred began so late. Other failures stand: who refuses a connection has been reached.
//!
//! Limits: the last [`RUNS_MAX`] runs.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{EndCause, Finding, Report, Status, Timestamp};

/// From here on the host is late.
pub const HOST_LATE_MIN: Duration = Duration::from_secs(2);
/// What other runs say counts for so long.
const RECENT: Duration = Duration::from_secs(30);
/// Fewer runs say nothing of the host.
const RUNS_MIN: usize = 20;
const RUNS_MAX: usize = 512;
/// The failure kind that a slow host brings about.
const TIMEOUT: &str = "timeout";

/// How late the last runs of the whole host were begun.
#[derive(Clone, Debug, Default)]
pub struct Lateness {
    runs: VecDeque<(Timestamp, Duration)>,
}

impl Lateness {
    /// A run that began at `now`, so long after it was due.
    pub fn note(&mut self, now: Timestamp, late: Duration) {
        self.runs.push_back((now, late));
        if self.runs.len() > RUNS_MAX {
            self.runs.pop_front();
        }
    }

    /// What one run in a hundred exceeded of late; nothing where there were too few.
    pub fn p99(&self, now: Timestamp) -> Duration {
        let mut recent: Vec<Duration> = self.runs.iter().filter(|(at, _)| now.since(*at) <= RECENT).map(|(_, late)| *late).collect();
        if recent.len() < RUNS_MIN {
            return Duration::ZERO;
        }
        recent.sort_unstable();
        let rank = (recent.len() * 99).div_ceil(100);
        recent.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// How much more time the clock says to have passed than the process has seen: it slept meanwhile, or the clock was set.
pub fn slept(began: Timestamp, ended: Timestamp, seen: Duration) -> Duration {
    ended.since(began).saturating_sub(seen)
}

/// Whether a finding is one that a late host may have brought about itself.
pub fn is_timeout(finding: &Finding) -> bool {
    matches!(finding, Finding::Report(Report { status: Status::Warning | Status::Critical, failure: Some(failure), .. }) if failure == TIMEOUT)
}

/// What a timeout means where the host was so late; every other finding stands.
pub fn excused(finding: Finding, late: Duration) -> Finding {
    if late < HOST_LATE_MIN || !is_timeout(&finding) {
        return finding;
    }
    Finding::Ended(EndCause::HostLate { lateness_ms: u64::try_from(late.as_millis()).unwrap_or(u64::MAX) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Past, Reason, judge};

    fn down(failure: &str) -> Finding {
        Finding::Report(Report { status: Status::Critical, failure: Some(failure.into()), ..Report::default() })
    }

    #[test]
    fn a_timeout_on_a_late_host_is_unknown_and_says_how_late() {
        let late = Duration::from_millis(2_500);
        let judgement = judge(excused(down("timeout"), late), &[], Past::default()).judgement;
        assert_eq!((judgement.status, judgement.reason), (Status::Unknown, Reason::HostLate { lateness_ms: 2_500 }));
        assert_eq!(excused(down("refused"), late), down("refused"));
        assert_eq!(excused(down("timeout"), Duration::from_millis(1_999)), down("timeout"));
        let well = Finding::Report(Report { status: Status::Ok, ..Report::default() });
        assert_eq!(excused(well.clone(), late), well);
    }

    #[test]
    fn one_late_run_in_a_hundred_says_nothing_and_more_do() {
        let mut lateness = Lateness::default();
        let now = Timestamp(1_000_000);
        for _ in 0..100 {
            lateness.note(now, Duration::ZERO);
        }
        lateness.note(now, Duration::from_secs(9));
        assert_eq!(lateness.p99(now), Duration::ZERO);
        lateness.note(now, Duration::from_secs(9));
        assert_eq!(lateness.p99(now), Duration::from_secs(9));
        assert_eq!(lateness.p99(now.plus(Duration::from_secs(31))), Duration::ZERO, "it is long ago");
    }

    #[test]
    fn few_runs_say_nothing_and_many_are_bounded() {
        let mut lateness = Lateness::default();
        for _ in 0..19 {
            lateness.note(Timestamp(1), Duration::from_secs(9));
        }
        assert_eq!(lateness.p99(Timestamp(1)), Duration::ZERO);
        for _ in 0..10_000 {
            lateness.note(Timestamp(1), Duration::from_secs(9));
        }
        assert_eq!((lateness.runs.len(), lateness.p99(Timestamp(1))), (RUNS_MAX, Duration::from_secs(9)));
    }

    #[test]
    fn a_suspended_process_sees_less_time_than_the_clock() {
        let (began, second) = (Timestamp(10_000), Duration::from_secs(1));
        assert_eq!(slept(began, began.plus(second * 61), second), second * 60);
        assert_eq!(slept(began, began.minus(second), second), Duration::ZERO, "the clock was set back");
    }
}
