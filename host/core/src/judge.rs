//! What a finding means: the worst of the plugin's own judgement and the conditions of the configuration.
//!
//! Invariant: a finding that is no report is `unknown`, never a failure of the target.

use crate::text::{cut, one_line};
use crate::{Condition, Evidence, Explanation, Failure, Finding, Reason, Report, ReportView, Status, reason};

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

/// What `finding` means under `rules`, and the report behind it where there is one.
///
/// - A failure of the plugin and a run that the host ended are `unknown`.
/// - A report that is already `unknown` or `critical` stands; conditions can make another one only worse.
/// - A condition that cannot be evaluated makes it `unknown`, unless another one makes it `critical`.
///
/// The reason names what decided: the report where no condition made it worse, else the first condition that made it as bad as it is.
pub fn judge(finding: Finding, rules: &[Rule]) -> (Judgement, Option<Report>) {
    match finding {
        Finding::Report(report) => (judge_report(&report, rules), Some(report)),
        Finding::Failure(Failure { kind, message }) => (unjudged(Reason::PluginFailure { kind, message }), None),
        Finding::Ended(cause) => (unjudged(Reason::from(cause)), None),
    }
}

/// Nobody could judge. It carries no failure kind: a recovery of the target would treat the wrong patient.
fn unjudged(reason: Reason) -> Judgement {
    let summary = one_line(&reason.to_string(), SUMMARY_BYTES_MAX);
    Judgement { status: Status::Unknown, summary, reason, failure: None, evidence: Vec::new() }
}

fn judge_report(report: &Report, rules: &[Rule]) -> Judgement {
    let mut judgement = Judgement {
        status: report.status,
        summary: String::new(),
        reason: own_reason(report),
        failure: report.failure.clone(),
        evidence: report.evidence.iter().take(EVIDENCE_LEN_MAX).cloned().collect(),
    };
    if matches!(report.status, Status::Ok | Status::Warning) && !rules.is_empty() {
        apply_rules(&mut judgement, report, rules);
    }
    judgement.summary = one_line(&report.summary, SUMMARY_BYTES_MAX);
    if judgement.summary.is_empty() {
        judgement.summary = one_line(&judgement.reason.to_string(), SUMMARY_BYTES_MAX);
    }
    judgement
}

fn own_reason(report: &Report) -> Reason {
    match report.status {
        Status::Ok => Reason::Passed,
        status => Reason::Reported { status, failure: report.failure.clone() },
    }
}

fn apply_rules(judgement: &mut Judgement, report: &Report, rules: &[Rule]) {
    let view = ReportView::new(report, rules.iter().map(|rule| &rule.condition));
    for rule in rules {
        match rule.condition.evaluate(&view) {
            Ok(false) => {}
            Ok(true) => {
                let explanation = rule.condition.explain(&view);
                if judgement.evidence.len() < EVIDENCE_LEN_MAX {
                    judgement.evidence.push(evidence_of(&rule.condition, &explanation, report));
                }
                let Explanation { actual, expected, .. } = explanation;
                let condition = rule.condition.source().to_owned();
                worsen(judgement, rule.status, Reason::ConditionFailed { status: rule.status, condition, actual, expected });
            }
            Err(error) => {
                let condition = rule.condition.source().to_owned();
                worsen(judgement, Status::Unknown, Reason::ConditionError { condition, error });
            }
        }
    }
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
        Rule { status, condition: Condition::parse(condition).expect("a valid condition") }
    }

    fn report(status: Status) -> Report {
        let latency = Metric { name: "latency_seconds".into(), value: 0.31, unit: "seconds".into(), ..metric_without_labels() };
        Report { status, summary: "200 in 310 ms".into(), metrics: [latency].into(), ..Report::default() }
    }

    fn metric_without_labels() -> Metric {
        Metric { name: String::new(), value: 0.0, kind: Default::default(), unit: String::new(), labels: Vec::new() }
    }

    fn judged(report: Report, rules: &[Rule]) -> Judgement {
        let (judgement, behind) = judge(Finding::Report(report.clone()), rules);
        assert_eq!(behind, Some(report), "a report is judged and not changed");
        judgement
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
        let (judgement, behind) = judge(Finding::Failure(failure), &[rule(Status::Critical, SLOW)]);
        assert_eq!((judgement.status, judgement.failure.clone(), behind), (Status::Unknown, None, None));
        assert_eq!(judgement.reason, Reason::PluginFailure { kind: "denied".into(), message: "no grant".into() });
        assert_eq!(judgement.summary, judgement.reason.to_string());
    }

    #[test]
    fn a_run_that_the_host_ended_is_unknown_with_a_bounded_summary() {
        let cause = EndCause::Trap { message: "ä\n".repeat(10_000) };
        let (judgement, _) = judge(Finding::Ended(cause.clone()), &[]);
        assert_eq!((judgement.status, judgement.reason), (Status::Unknown, Reason::from(cause)));
        assert!(judgement.summary.len() <= SUMMARY_BYTES_MAX);
        assert!(!judgement.summary.contains('\n'));
    }
}
