//! How late the host itself is, and what that makes of a service that seems slow or silent.
//!
//! A host that is starved of processors, or that was suspended, sees every service slow and many time out. So these are `unknown` while the host
//! is late by [`HOST_LATE_MIN`]: a timeout, and what a condition of the configuration made worse. It is late where this run was begun so long
//! after it was due (waiting for permits does not count), or the clock went on by so much while nothing ran, or of the runs of the last
//! [`RECENT`] one in a hundred began so late. Failures that lateness cannot make stand: who refuses a connection has been reached.
//!
//! Limits: the last [`RUNS_MAX`] runs.

use std::collections::VecDeque;
use std::time::Duration;

use crate::{EndCause, Finding, Judged, Judgement, Past, Reason, Report, Rule, Status, Timestamp, judge};

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
    Finding::Ended(host_late(late))
}

/// Whether what decided is a condition that a late host may have made true: it is asked of measured values, and the report named no failure of
/// another cause.
pub fn is_by_condition(judgement: &Judgement) -> bool {
    let is_hard = judgement.failure.as_deref().is_some_and(|failure| failure != TIMEOUT);
    matches!(judgement.reason, Reason::ConditionFailed { .. }) && !is_hard
}

/// What a condition made worse where the host was so late: nobody can judge, and what was measured counts no more. Every other judgement stands.
pub fn excused_judgement(judged: Judged, late: Duration, rules: &[Rule], past: Past<'_>) -> Judged {
    if late < HOST_LATE_MIN || !is_by_condition(&judged.judgement) {
        return judged;
    }
    judge(Finding::Ended(host_late(late)), rules, past)
}

fn host_late(late: Duration) -> EndCause {
    EndCause::HostLate { lateness_ms: u64::try_from(late.as_millis()).unwrap_or(u64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Condition, Metric, MetricKind};

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
    fn what_a_condition_made_worse_on_a_late_host_is_unknown() {
        let late = Duration::from_millis(2_500);
        let condition = Condition::parse("report.metrics.latency_seconds > 0.2").expect("a condition");
        let rules = [Rule { status: Status::Critical, condition, lasting: None }];
        let slow = |status: Status, failure: Option<&str>| {
            let latency =
                Metric { name: "latency_seconds".into(), value: 2.5, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() };
            let report = Report { status, failure: failure.map(str::to_owned), metrics: vec![latency].into(), ..Report::default() };
            judge(Finding::Report(report), &rules, Past::default())
        };
        let excused = |judged: Judged, late: Duration| excused_judgement(judged, late, &rules, Past::default());
        for failure in [None, Some("timeout")] {
            let judged = excused(slow(Status::Warning, failure), late);
            assert_eq!((judged.judgement.status, judged.judgement.reason), (Status::Unknown, Reason::HostLate { lateness_ms: 2_500 }));
            assert_eq!((judged.judgement.failure, judged.report), (None, None), "nothing of it counts");
        }
        let in_time = slow(Status::Ok, None);
        assert_eq!(in_time.judgement.status, Status::Critical);
        assert_eq!(excused(in_time.clone(), Duration::from_millis(1_999)), in_time);
    }

    #[test]
    fn a_failure_that_lateness_cannot_make_stands_on_a_late_host() {
        let late = Duration::from_secs(9);
        for failure in ["refused", "dns", "tls", "authentication", "protocol", "53300"] {
            let judged = judge(excused(down(failure), late), &[], Past::default());
            assert_eq!(judged.judgement.status, Status::Critical, "{failure}");
            assert_eq!(excused_judgement(judged.clone(), late, &[], Past::default()), judged, "{failure}");
        }
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
