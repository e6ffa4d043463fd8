//! What a finding means: the worst of the plugin's own judgement and the conditions of the configuration.
//!
//! A condition with a duration ([`Lasting`]) counts when it has held for so long. The time is that between results at which it held: a result
//! at which it was not asked (nobody could judge, or the report was critical by itself) neither adds to it nor ends it.
//!
//! Invariant: a finding that is no report is `unknown`, never a failure of the target.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schedule::fnv1a_64;
use crate::text::{cut, one_line};
use crate::window::Windows;
use crate::{Condition, Evidence, Explanation, Failure, Finding, Reason, Report, ReportView, Status, Timestamp, reason};

/// The contract's bound of a summary.
const SUMMARY_BYTES_MAX: usize = 512;

/// The contract's bound of a list of evidence.
const EVIDENCE_LEN_MAX: usize = 8;

/// The longest text of the host's own evidence.
const EVIDENCE_BYTES_MAX: usize = 256;

/// One condition and the status that it gives when it holds (`warning` or `critical`).
#[derive(Clone, Debug)]
pub struct Rule {
    pub status: Status,
    pub condition: Condition,
    /// None: it counts as soon as it holds.
    pub lasting: Option<Lasting>,
}

/// How long a condition has to hold before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lasting {
    pub duration: Duration,
    /// The same for the same condition in every version and after every restart.
    id: u64,
}

impl Lasting {
    pub fn new(status: Status, condition: &Condition, duration: Duration) -> Lasting {
        let identity = format!("{status} {} {}", duration.as_millis(), condition.source());
        Lasting { duration, id: fnv1a_64(identity.as_bytes()) }
    }

    /// For how long the condition has held.
    pub fn held(&self, holding: &[Holding]) -> Option<Duration> {
        holding.iter().find(|holding| holding.rule == self.id).map(|holding| Duration::from_millis(holding.held_ms))
    }
}

/// A condition with a duration that held when it was last asked; part of a check's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Which one; see [`Lasting::new`].
    pub rule: u64,
    pub held_ms: u64,
    /// When it last held; none where it was not asked since.
    pub at: Option<Timestamp>,
}

/// What is known of a check before a finding, and when that came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past<'a> {
    pub holding: &'a [Holding],
    /// The last reports, the judged one among them; none where no condition asks them.
    pub windows: Option<&'a Windows>,
    pub now: Timestamp,
}

/// A judgement, and what it was made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    pub judgement: Judgement,
    /// Where there is one.
    pub report: Option<Report>,
    /// For the state of the check.
    pub holding: Vec<Holding>,
}

/// What a run means for its check.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub status: Status,
    /// One line for a person, at most 512 bytes, never empty.
    pub summary: String,
    pub reason: Reason,
    /// The failure kind that recoveries are matched by.
    pub failure: Option<String>,
    /// The report's, then the host's own for conditions that held; at most 8.
    pub evidence: Vec<Evidence>,
}

impl Judgement {
    /// What to tell a person; see [`reason::told`].
    pub fn told(&self) -> String {
        reason::told(&self.summary, self.reason.name(), &self.reason)
    }
}

/// What `finding` means under `rules`.
///
/// - A failure of the plugin and a run that the host ended are `unknown`.
/// - A report that is already `unknown` or `critical` stands; conditions can make another one only worse.
/// - A condition that cannot be evaluated makes it `unknown`, unless another one makes it `critical`.
///
/// The reason names what decided: the report where no condition made it worse, else the first condition that made it as bad as it is.
pub fn judge(finding: Finding, rules: &[Rule], past: Past<'_>) -> Judged {
    let unasked = || rules.iter().filter_map(|rule| unasked(rule, past)).collect();
    match finding {
        Finding::Report(report) => {
            let (judgement, holding) = judge_report(&report, rules, past);
            Judged { judgement, report: Some(report), holding: holding.unwrap_or_else(unasked) }
        }
        Finding::Failure(Failure { kind, message }) => {
            Judged { judgement: unjudged(Reason::PluginFailure { kind, message }), report: None, holding: unasked() }
        }
        Finding::Ended(cause) => Judged { judgement: unjudged(Reason::from(cause)), report: None, holding: unasked() },
    }
}

/// Takes a report, the newest, into what conditions know of the past, with whether it is critical: by itself, or by a condition that does not ask
/// how many were. It is among those that its own conditions ask.
pub fn note(windows: &mut Windows, report: &Report, rules: &[Rule], holding: &[Holding], now: Timestamp) {
    windows.note(now, &report.metrics);
    if windows.asks_failures() {
        let past = Past { holding, windows: Some(&*windows), now };
        let was_critical = report.status == Status::Critical || is_made_critical(report, rules, past);
        windows.note_failure(now, was_critical);
    }
}

/// Whether a condition makes it critical, beside those that ask how many were.
fn is_made_critical(report: &Report, rules: &[Rule], past: Past<'_>) -> bool {
    if report.status == Status::Unknown {
        return false;
    }
    let view = ReportView::new(report, rules.iter().map(|rule| &rule.condition)).with_past(past.windows, past.now);
    let mut asked = rules.iter().filter(|rule| rule.status == Status::Critical && !rule.condition.asks_failures());
    asked.any(|rule| {
        let held = rule.lasting.map(|lasting| held(lasting, past));
        rule.condition.evaluate(&view) == Ok(true) && lasts(rule, held)
    })
}

/// Nobody could judge. It carries no failure kind: a recovery of the target would treat the wrong patient.
fn unjudged(reason: Reason) -> Judgement {
    let summary = one_line(&reason.to_string(), SUMMARY_BYTES_MAX);
    Judgement { status: Status::Unknown, summary, reason, failure: None, evidence: Vec::new() }
}

/// The judgement, and which conditions with a duration hold; none where they were not asked.
fn judge_report(report: &Report, rules: &[Rule], past: Past<'_>) -> (Judgement, Option<Vec<Holding>>) {
    let mut judgement = Judgement {
        status: report.status,
        summary: String::new(),
        reason: own_reason(report),
        failure: report.failure.clone(),
        evidence: report.evidence.iter().take(EVIDENCE_LEN_MAX).cloned().collect(),
    };
    let is_asked = matches!(report.status, Status::Ok | Status::Warning);
    let holding = is_asked.then(|| if rules.is_empty() { Vec::new() } else { apply_rules(&mut judgement, report, rules, past) });
    judgement.summary = one_line(&report.summary, SUMMARY_BYTES_MAX);
    if judgement.summary.is_empty() {
        judgement.summary = one_line(&judgement.reason.to_string(), SUMMARY_BYTES_MAX);
    }
    (judgement, holding)
}

fn own_reason(report: &Report) -> Reason {
    match report.status {
        Status::Ok => Reason::Passed,
        status => Reason::Reported { status, failure: report.failure.clone() },
    }
}

fn apply_rules(judgement: &mut Judgement, report: &Report, rules: &[Rule], past: Past<'_>) -> Vec<Holding> {
    let view = ReportView::new(report, rules.iter().map(|rule| &rule.condition)).with_past(past.windows, past.now);
    let mut holding = Vec::new();
    for rule in rules {
        match rule.condition.evaluate(&view) {
            Ok(false) => {}
            Ok(true) => {
                let held = rule.lasting.map(|lasting| held(lasting, past));
                holding.extend(held);
                if !lasts(rule, held) {
                    continue;
                }
                let explanation = rule.condition.explain(&view);
                if judgement.evidence.len() < EVIDENCE_LEN_MAX {
                    judgement.evidence.push(evidence_of(&rule.condition, &explanation, report));
                }
                let Explanation { actual, expected, .. } = explanation;
                let condition = rule.condition.source().to_owned();
                worsen(judgement, rule.status, Reason::ConditionFailed { status: rule.status, condition, actual, expected });
            }
            Err(error) => {
                holding.extend(unasked(rule, past));
                let condition = rule.condition.source().to_owned();
                worsen(judgement, Status::Unknown, Reason::ConditionError { condition, error });
            }
        }
    }
    holding
}

/// A condition that holds now.
fn held(lasting: Lasting, past: Past<'_>) -> Holding {
    let before = past.holding.iter().find(|holding| holding.rule == lasting.id);
    let held_ms = before.map_or(0, |before| {
        let since_ms = before.at.map_or(0, |at| past.now.0.saturating_sub(at.0));
        before.held_ms.saturating_add(since_ms)
    });
    Holding { rule: lasting.id, held_ms, at: Some(past.now) }
}

/// Whether a condition that holds has done so for long enough.
fn lasts(rule: &Rule, held: Option<Holding>) -> bool {
    match (rule.lasting, held) {
        (Some(lasting), Some(held)) => u128::from(held.held_ms) >= lasting.duration.as_millis(),
        (None, _) | (_, None) => true,
    }
}

/// A condition that held before and that nobody asked now.
fn unasked(rule: &Rule, past: Past<'_>) -> Option<Holding> {
    let lasting = rule.lasting?;
    let before = past.holding.iter().find(|holding| holding.rule == lasting.id)?;
    Some(Holding { at: None, ..*before })
}

/// Takes `status` and its reason where they are worse than what is known so far.
fn worsen(judgement: &mut Judgement, status: Status, reason: Reason) {
    if judgement.status.worse(status) != judgement.status {
        judgement.status = status;
        judgement.reason = reason;
    }
}

fn evidence_of(condition: &Condition, explanation: &Explanation, report: &Report) -> Evidence {
    if explanation.is_empty() {
        let holds = cut(format!("holds: {}", condition.source()), EVIDENCE_BYTES_MAX);
        return Evidence { actual: holds, expected: "that it does not hold".to_owned(), ..Evidence::default() };
    }
    let unit = report.metrics.iter().find(|metric| metric.name == explanation.metric && metric.labels.is_empty());
    Evidence {
        metric: explanation.metric.clone(),
        actual: explanation.actual.clone(),
        expected: explanation.expected.clone(),
        unit: unit.map(|metric| metric.unit.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EndCause, Metric};

    fn rule(status: Status, condition: &str) -> Rule {
        Rule { status, condition: Condition::parse(condition).expect("a valid condition"), lasting: None }
    }

    fn report(status: Status) -> Report {
        let latency = Metric { name: "latency_seconds".into(), value: 0.31, unit: "seconds".into(), ..metric_without_labels() };
        Report { status, summary: "200 in 310 ms".into(), metrics: [latency].into(), ..Report::default() }
    }

    fn metric_without_labels() -> Metric {
        Metric { name: String::new(), value: 0.0, kind: Default::default(), unit: String::new(), labels: Vec::new() }
    }

    fn judged(report: Report, rules: &[Rule]) -> Judgement {
        let judged = judge(Finding::Report(report.clone()), rules, Past::default());
        assert_eq!(judged.report, Some(report), "a report is judged and not changed");
        judged.judgement
    }

    const SLOW: &str = "report.metrics.latency_seconds > 0.2";
    const VERY_SLOW: &str = "report.metrics.latency_seconds > 0.3";
    const NEVER: &str = "report.metrics.latency_seconds > 9.0";
    const MISSING: &str = "report.metrics.missing > 1.0";

    #[test]
    fn an_ok_report_without_conditions_passes_with_its_own_summary() {
        let judgement = judged(report(Status::Ok), &[]);
        assert_eq!((judgement.status, judgement.reason), (Status::Ok, Reason::Passed));
        assert_eq!(judgement.summary, "200 in 310 ms");
        assert!(judgement.evidence.is_empty());
    }

    #[test]
    fn a_condition_that_does_not_hold_changes_nothing() {
        let judgement = judged(report(Status::Ok), &[rule(Status::Critical, NEVER)]);
        assert_eq!(judgement, judged(report(Status::Ok), &[]));
    }

    #[test]
    fn a_condition_that_holds_shows_actual_against_expected() {
        let judgement = judged(report(Status::Ok), &[rule(Status::Warning, SLOW)]);
        assert_eq!(judgement.status, Status::Warning);
        assert_eq!(
            judgement.reason,
            Reason::ConditionFailed { status: Status::Warning, condition: SLOW.into(), actual: "0.31".into(), expected: "<= 0.2".into() }
        );
        let evidence =
            Evidence { metric: "latency_seconds".into(), actual: "0.31".into(), expected: "<= 0.2".into(), unit: "seconds".into() };
        assert_eq!(judgement.evidence, [evidence]);
        assert_eq!((judgement.summary.as_str(), judgement.failure), ("200 in 310 ms", None));
    }

    #[test]
    fn the_worst_condition_decides_and_each_that_holds_is_evidence() {
        let rules = [rule(Status::Warning, SLOW), rule(Status::Critical, VERY_SLOW)];
        let judgement = judged(report(Status::Ok), &rules);
        assert_eq!(judgement.status, Status::Critical);
        assert!(matches!(&judgement.reason, Reason::ConditionFailed { condition, .. } if condition == VERY_SLOW));
        assert_eq!(judgement.evidence.len(), 2);
    }

    #[test]
    fn the_report_keeps_the_reason_where_conditions_do_not_make_it_worse() {
        let warning = Report { failure: Some("latency".into()), ..report(Status::Warning) };
        let judgement = judged(warning, &[rule(Status::Warning, SLOW)]);
        assert_eq!(judgement.reason, Reason::Reported { status: Status::Warning, failure: Some("latency".into()) });
        assert_eq!(judgement.failure.as_deref(), Some("latency"));
        assert_eq!(judgement.evidence.len(), 1);
    }

    #[test]
    fn a_critical_or_unknown_report_skips_conditions() {
        for status in [Status::Critical, Status::Unknown] {
            let judgement = judged(report(status), &[rule(Status::Critical, SLOW), rule(Status::Critical, MISSING)]);
            assert_eq!((judgement.status, judgement.reason), (status, Reason::Reported { status, failure: None }));
            assert!(judgement.evidence.is_empty());
        }
    }

    #[test]
    fn a_condition_that_cannot_be_evaluated_makes_it_unknown() {
        for status in [Status::Ok, Status::Warning] {
            let judgement = judged(report(status), &[rule(Status::Warning, MISSING), rule(Status::Warning, SLOW)]);
            assert_eq!(judgement.status, Status::Unknown);
            assert!(matches!(&judgement.reason, Reason::ConditionError { condition, .. } if condition == MISSING));
        }
    }

    #[test]
    fn a_critical_condition_outweighs_one_that_cannot_be_evaluated() {
        for rules in
            [[rule(Status::Warning, MISSING), rule(Status::Critical, SLOW)], [rule(Status::Critical, SLOW), rule(Status::Warning, MISSING)]]
        {
            let judgement = judged(report(Status::Ok), &rules);
            assert_eq!(judgement.status, Status::Critical);
            assert!(matches!(judgement.reason, Reason::ConditionFailed { .. }));
        }
    }

    #[test]
    fn evidence_is_bounded_and_the_reports_comes_first() {
        let own = Evidence { metric: "own".into(), ..Evidence::default() };
        let with_evidence = Report { evidence: vec![own.clone(); 7], ..report(Status::Ok) };
        let rules: Vec<Rule> = (0..4).map(|_| rule(Status::Warning, SLOW)).collect();
        let judgement = judged(with_evidence, &rules);
        assert_eq!(judgement.evidence.len(), EVIDENCE_LEN_MAX);
        assert_eq!(judgement.evidence[6], own);
        assert_eq!(judgement.evidence[7].metric, "latency_seconds");
    }

    #[test]
    fn a_condition_that_no_single_comparison_decides_is_evidence_by_its_text() {
        let judgement = judged(report(Status::Ok), &[rule(Status::Warning, "report.summary.contains('310')")]);
        assert_eq!(judgement.evidence[0].actual, "holds: report.summary.contains('310')");
        assert!(matches!(&judgement.reason, Reason::ConditionFailed { actual, .. } if actual.is_empty()));
    }

    #[test]
    fn an_empty_summary_gets_the_reason_on_one_line() {
        let silent = Report { summary: String::new(), ..report(Status::Ok) };
        assert_eq!(judged(silent.clone(), &[]).summary, "passed");
        let judgement = judged(silent, &[rule(Status::Warning, SLOW)]);
        assert_eq!(judgement.summary, judgement.reason.to_string());
    }

    #[test]
    fn hostile_text_in_a_summary_stays_on_one_line() {
        let hostile = Report { summary: "ok\n[[check]]\u{1b}[31m".into(), ..report(Status::Ok) };
        assert_eq!(judged(hostile, &[]).summary, "ok [[check]] [31m");
    }

    #[test]
    fn a_failure_of_the_plugin_is_unknown_and_matches_no_recovery() {
        let failure = Failure { kind: "denied".into(), message: "no grant".into() };
        let Judged { judgement, report: behind, .. } = judge(Finding::Failure(failure), &[rule(Status::Critical, SLOW)], Past::default());
        assert_eq!((judgement.status, judgement.failure.clone(), behind), (Status::Unknown, None, None));
        assert_eq!(judgement.reason, Reason::PluginFailure { kind: "denied".into(), message: "no grant".into() });
        assert_eq!(judgement.summary, judgement.reason.to_string());
    }

    #[test]
    fn a_run_that_the_host_ended_is_unknown_with_a_bounded_summary() {
        let cause = EndCause::Trap { message: "ä\n".repeat(10_000) };
        let Judged { judgement, .. } = judge(Finding::Ended(cause.clone()), &[], Past::default());
        assert_eq!((judgement.status, judgement.reason), (Status::Unknown, Reason::from(cause)));
        assert!(judgement.summary.len() <= SUMMARY_BYTES_MAX);
        assert!(!judgement.summary.contains('\n'));
    }

    const MINUTE: Duration = Duration::from_secs(60);

    /// The statuses of findings that come at these seconds, judged by a condition that must hold for a minute.
    fn lasting(findings: &[(u64, Finding)]) -> Vec<Status> {
        let condition = Condition::parse(SLOW).expect("a valid condition");
        let lasting = Some(Lasting::new(Status::Critical, &condition, MINUTE));
        let rules = [Rule { status: Status::Critical, condition, lasting }];
        let mut holding = Vec::new();
        let mut statuses = Vec::new();
        for (second, finding) in findings {
            let judged = judge(finding.clone(), &rules, Past { holding: &holding, windows: None, now: Timestamp(second * 1000) });
            // As if it had been stored and read again.
            let stored = serde_json::to_string(&judged.holding).expect("it is JSON");
            holding = serde_json::from_str(&stored).expect("it is read again");
            statuses.push(judged.judgement.status);
        }
        statuses
    }

    fn slow() -> Finding {
        Finding::Report(report(Status::Ok))
    }

    fn fast() -> Finding {
        let latency = Metric { name: "latency_seconds".into(), value: 0.1, ..metric_without_labels() };
        Finding::Report(Report { metrics: [latency].into(), ..report(Status::Ok) })
    }

    fn nothing() -> Finding {
        Finding::Ended(EndCause::Overloaded { waited_ms: 1 })
    }

    #[test]
    fn a_condition_with_a_duration_counts_when_it_has_held_for_so_long() {
        use Status::{Critical, Ok};
        let held = lasting(&[(0, slow()), (30, slow()), (59, slow()), (60, slow()), (90, slow()), (91, fast()), (92, slow())]);
        assert_eq!(held, [Ok, Ok, Ok, Critical, Critical, Ok, Ok]);
        let interrupted = lasting(&[(0, slow()), (30, fast()), (60, slow()), (90, slow()), (120, slow())]);
        assert_eq!(interrupted, [Ok, Ok, Ok, Ok, Critical]);
    }

    #[test]
    fn an_unknown_in_between_neither_adds_to_the_time_nor_begins_it_anew() {
        use Status::{Critical, Ok, Unknown};
        // 40 s before the gap, 20 s behind it.
        let held = lasting(&[(0, slow()), (40, slow()), (50, nothing()), (500, slow()), (510, slow()), (520, slow())]);
        assert_eq!(held, [Ok, Ok, Unknown, Ok, Ok, Critical]);
    }

    #[test]
    fn a_critical_report_does_not_ask_a_condition_with_a_duration() {
        use Status::{Critical, Ok};
        let down = || Finding::Report(report(Critical));
        let held = lasting(&[(0, slow()), (59, slow()), (60, down()), (300, slow()), (301, slow())]);
        assert_eq!(held, [Ok, Ok, Critical, Ok, Critical]);
    }

    /// The share of failures after four reports of a status, under a critical condition and one on the share itself, which always holds.
    fn ratio(condition: &str, status: Status) -> Option<f64> {
        let rules = [rule(Status::Critical, condition), rule(Status::Critical, "failure_ratio('15m') >= 0.0")];
        let mut windows = Windows::of(&rules).expect("it asks the past");
        for second in 1..=4 {
            note(&mut windows, &report(status), &rules, &[], Timestamp(second * 1_000));
        }
        windows.value(&rules[1].condition.windows()[0], Timestamp(4_000))
    }

    #[test]
    fn what_other_conditions_made_critical_has_failed_and_what_the_ratio_itself_made_has_not() {
        assert_eq!(ratio(SLOW, Status::Ok), Some(1.0));
        assert_eq!(ratio(NEVER, Status::Ok), Some(0.0));
        assert_eq!(ratio(NEVER, Status::Critical), Some(1.0));
        assert_eq!(ratio(SLOW, Status::Unknown), Some(0.0));
    }

    #[test]
    fn another_duration_is_another_condition() {
        let condition = Condition::parse(SLOW).expect("a valid condition");
        let (one, other) = (Lasting::new(Status::Critical, &condition, MINUTE), Lasting::new(Status::Critical, &condition, MINUTE * 2));
        let held = held(one, Past { now: Timestamp(1), ..Past::default() });
        assert_eq!((one.held(&[held]), other.held(&[held])), (Some(Duration::ZERO), None));
    }
}
