//! From a finding to a record: judge, advance the state, and let readers see it.
//!
//! What looks like a secret is masked first (`core/src/masking.rs`), in a pushed report too: nothing behind this place sees it.
//!
//! Invariant: what readers see of a check, what its objectives count, its record and what its transition changed for other checks come about in
//! this order.

use std::sync::{Arc, PoisonError};

use sickbay_core::masking::mask_finding;
use sickbay_core::{CheckState, Finding, FlapChange, Judged, Judgement, Past, Reason, Status, Transition, judge, lateness};
use sickbay_store::{ResultRecord, Trigger};

use super::run::{Ended, Runner, Sandboxed, Times};
use crate::config::Record;
use crate::live::{LiveCheck, RunOutcome};

/// How a check stood before a result.
pub(super) struct Before {
    pub(super) state: CheckState,
    /// None before the first since the start.
    last: Option<Arc<ResultRecord>>,
}

impl Runner {
    /// The state of a check, and its last result since the start. Nobody else advances it meanwhile: at most one run of a check is under way.
    pub(super) fn before(check: &LiveCheck) -> Before {
        check.with(|observed| {
            let has_run = observed.runs[..RunOutcome::Skipped as usize].iter().any(|runs| *runs > 0);
            Before { state: observed.state.clone(), last: observed.last.clone().filter(|_| has_run) }
        })
    }

    /// Judge, advance the state, make the record, and let readers see it.
    pub(super) fn conclude(&self, check: &LiveCheck, ended: Ended, times: Times, trigger: Trigger) -> Arc<ResultRecord> {
        let before = Runner::before(check);
        let Ended { finding, run, late } = ended;
        // Here everything passes that is told of a result: conditions, record, readers and store see the same.
        let finding = mask_finding(&**self.services().shapes(), finding);
        let mut reports = check.past.as_ref().map(|past| past.lock().unwrap_or_else(PoisonError::into_inner));
        if let (Some(reports), Finding::Report(report)) = (&mut reports, &finding) {
            judge::note(&mut reports.windows, report, &check.spec.rules, &before.state.holding, times.started_at);
        }
        let windows = reports.as_ref().map(|reports| &reports.windows);
        let past = Past { holding: &before.state.holding, windows, now: times.started_at };
        let mut judged = judge(finding, &check.spec.rules, past);
        if let Some(late) = late
            && lateness::is_by_condition(&judged.judgement)
        {
            judged = lateness::excused_judgement(judged, self.late(late), &check.spec.rules, past);
            if let (Some(reports), None) = (&mut reports, &judged.report) {
                reports.windows.take_back(times.started_at);
            }
        }
        drop(reports);
        self.settle(check, before, judged, run, times, trigger)
    }

    /// From a judgement on.
    pub(super) fn settle(
        &self,
        check: &LiveCheck,
        before: Before,
        judged: Judged,
        run: Sandboxed,
        times: Times,
        trigger: Trigger,
    ) -> Arc<ResultRecord> {
        let Before { state: before, last } = before;
        let Judged { judgement, mut report, holding } = judged;
        let (state, decision, transition) = before.advance(check.spec.policy, &judgement, times.started_at);
        let state = CheckState { holding, ..state };
        log_judgement(check, &judgement, transition.as_ref(), last.as_deref());
        log_flapping(check, before.flapping.change_to(&state.flapping));
        if let Some(mut transcript) = run.transcript
            && is_recorded(check.spec.record, judgement.status)
        {
            transcript.judged = format!("{}, {}", judgement.status, judgement.reason.name());
            self.live.transcripts.keep(&transcript);
        }
        if let Some(plugin_state) = &run.plugin_state {
            check.memory.plugin_state.store(Arc::clone(plugin_state));
        }
        let record = Arc::new(ResultRecord {
            check: Arc::clone(&check.name),
            scheduled_at: times.scheduled_at,
            started_at: times.started_at,
            duration_us: u64::try_from(times.took.as_micros()).unwrap_or(u64::MAX),
            trigger,
            plugin: Arc::clone(&check.plugin),
            plugin_version: run.plugin_version,
            status: judgement.status,
            summary: judgement.summary,
            reason: judgement.reason,
            decision,
            failure: judgement.failure,
            evidence: judgement.evidence,
            metrics: report.as_ref().map(|report| Arc::clone(&report.metrics)).unwrap_or_default(),
            details: report.as_mut().and_then(|report| report.details.take()),
            state,
            transition,
            plugin_state: run.plugin_state,
        });
        check.with(|observed| observed.note(Arc::clone(&record), report));
        self.live.slos.load().note(&record);
        if let Some(transition) = &record.transition {
            self.live.confirmed(&check.name, transition.to);
            self.wake_composites(&check.name);
        }
        record
    }
}

fn log_flapping(check: &LiveCheck, change: Option<FlapChange>) {
    let name = check.spec.name.as_str();
    match change {
        Some(FlapChange::Began { status }) => tracing::warn!(check = name, %status, "the check flaps: its results go to and fro"),
        Some(FlapChange::Ended) => tracing::info!(check = name, "the check flaps no more"),
        None => {}
    }
}

/// What an operator should hear of: another confirmed status, and why nobody can judge, from the first run on.
fn log_judgement(check: &LiveCheck, judgement: &Judgement, transition: Option<&Transition>, last: Option<&ResultRecord>) {
    let (name, reason) = (check.spec.name.as_str(), judgement.reason.name());
    match transition {
        Some(Transition { from, to: Status::Ok, .. }) => {
            tracing::info!(check = name, %from, to = %Status::Ok, reason, "{}", judgement.told());
        }
        Some(Transition { from, to, .. }) => tracing::warn!(check = name, %from, %to, reason, "{}", judgement.told()),
        None if is_newly_unknown(judgement, last) => {
            tracing::warn!(check = name, status = %Status::Unknown, reason, "{}", judgement.told());
        }
        None => {}
    }
}

/// The first result since the start that nobody could judge, and each for another reason than the one before; `last` is none at the first.
fn is_newly_unknown(judgement: &Judgement, last: Option<&ResultRecord>) -> bool {
    let is_unknown = judgement.status == Status::Unknown;
    is_unknown && last.is_none_or(|last| last.status == Status::Unknown && !is_same(&last.reason, &judgement.reason))
}

/// Whether two reasons tell the same but for what was counted or measured.
fn is_same(before: &Reason, now: &Reason) -> bool {
    let told = |reason: &Reason| reason.to_string().replace(|character: char| character.is_ascii_digit(), "");
    before.name() == now.name() && told(before) == told(now)
}

fn is_recorded(record: Record, status: Status) -> bool {
    match record {
        Record::Off => false,
        Record::OnFailure => status != Status::Ok,
        Record::Always => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sickbay_capabilities::{ServiceSettings, Services};
    use sickbay_core::{Metric, MetricKind, Report, Timestamp};
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::api::testing::{Host, check, two_checks};

    #[tokio::test]
    async fn what_nobody_can_judge_is_told_at_first_and_for_another_reason() {
        let host = Host::start(&two_checks()).await;
        let services = Services::new(&ServiceSettings::default()).unwrap();
        let runner = Arc::new(Runner::new(Arc::clone(&host.live), services, TaskTracker::new()));
        let (record, _) = runner.run_now("api").await.unwrap();
        let judged =
            |status: Status, reason: Reason| Judgement { status, summary: String::new(), reason, failure: None, evidence: Vec::new() };
        let failed = |message: &str| Reason::PluginFailure { kind: "denied".to_owned(), message: message.to_owned() };
        let after = |before: Reason, now: Reason| {
            let last = ResultRecord { status: Status::Unknown, reason: before, ..(*record).clone() };
            is_newly_unknown(&judged(Status::Unknown, now), Some(&last))
        };
        assert!(is_newly_unknown(&judged(Status::Unknown, failed("a")), None));
        assert!(!is_newly_unknown(&judged(Status::Critical, Reason::Passed), None));
        assert!(!after(failed("no answer in 12 ms"), failed("no answer in 7 ms")));
        assert!(after(failed("`a` is not granted"), failed("`b` is not granted")));
        assert!(after(record.reason.clone(), failed("`b` is not granted")));
        let well = ResultRecord { status: Status::Ok, reason: Reason::Passed, ..(*record).clone() };
        assert!(!is_newly_unknown(&judged(Status::Unknown, failed("a")), Some(&well)), "it is told when it is confirmed");
    }

    #[tokio::test]
    async fn what_a_condition_says_of_a_run_is_unknown_where_the_host_was_late_with_it() {
        let conditions = "critical = [\"max('latency_seconds', '1h') > 0.2\", \"report.metrics.latency_seconds > 0.2\"]\n";
        let host = Host::start(&format!("{}{conditions}", check("db"))).await;
        let services = Services::new(&ServiceSettings::default()).unwrap();
        let runner = Runner::new(Arc::clone(&host.live), services, TaskTracker::new());
        let db = host.live.checks().get("db").cloned().unwrap();
        let concluded = |second: u64, value: f64, late: Duration| {
            let latency =
                Metric { name: "latency_seconds".into(), value, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() };
            let finding = Finding::Report(Report { status: Status::Ok, metrics: [latency].into(), ..Report::default() });
            let at = Timestamp(second * 1_000);
            let ended = Ended { finding, run: Sandboxed::default(), late: Some(late) };
            runner.conclude(&db, ended, Times { scheduled_at: at, started_at: at, took: Duration::ZERO }, Trigger::Schedule)
        };
        let late = concluded(1, 2.5, Duration::from_secs(5));
        assert_eq!((late.status, &late.reason), (Status::Unknown, &Reason::HostLate { lateness_ms: 5_000 }));
        // It counts in no window: the three after it are all that is known.
        let after: Vec<Status> = (2..5).map(|second| concluded(second, 0.1, Duration::ZERO).status).collect();
        assert_eq!(after, [Status::Ok; 3]);
        assert_eq!(concluded(5, 2.5, Duration::ZERO).status, Status::Critical);
    }

    #[test]
    fn on_failure_is_whatever_is_not_ok() {
        let recorded = |record| Status::ALL.map(|status| is_recorded(record, status));
        assert_eq!(Status::ALL[1], Status::Ok);
        assert_eq!(recorded(Record::OnFailure), [true, false, true, true]);
        assert_eq!((recorded(Record::Off), recorded(Record::Always)), ([false; 4], [true; 4]));
    }
}
