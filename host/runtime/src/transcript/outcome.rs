//! What a check's run came to, as JSON that a fixture can speak of: flat, with metrics by name.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sickbay_core::{EndCause, Finding, Label, Metric, Report};

use crate::Limits;

/// What is known of a run when it is over. Texts are fit to be kept: secrets in them are masked.
#[derive(Clone, Debug)]
pub struct Facts<'run> {
    /// The id of the run.
    pub run: String,
    pub plugin: &'run str,
    /// Of the plugin's file.
    pub sha256: &'run str,
    pub limits: Limits,
    pub finding: &'run Finding,
    pub output: &'run str,
    pub backtrace: Vec<String>,
}

/// A report is `status`, `summary` and what else it has, a failure `failed` and `message`, an end `ended` and why.
pub fn of_finding(finding: &Finding) -> Value {
    match finding {
        Finding::Report(report) => of_report(report),
        Finding::Failure(failure) => json!({ "failed": failure.kind, "message": failure.message }),
        Finding::Ended(cause) => of_end(cause),
    }
}

pub(crate) fn of_end(cause: &EndCause) -> Value {
    match cause {
        EndCause::Trap { message } => json!({ "ended": "trap", "message": message }),
        EndCause::Deadline { timeout_ms } => json!({ "ended": "deadline", "timeout_ms": timeout_ms }),
        EndCause::Quota { quota, limit } => json!({ "ended": "quota", "quota": quota.as_str(), "limit": limit }),
        EndCause::InvalidReport { message } => json!({ "ended": "invalid_report", "message": message }),
        EndCause::PluginMissing { message } => json!({ "ended": "plugin_missing", "message": message }),
        // How long is another matter each time.
        EndCause::Overloaded { .. } => json!({ "ended": "overloaded" }),
        EndCause::HostLate { .. } => json!({ "ended": "host_late" }),
    }
}

fn of_report(report: &Report) -> Value {
    let mut told = Map::new();
    told.insert("status".to_owned(), report.status.as_str().into());
    told.insert("summary".to_owned(), report.summary.as_str().into());
    if let Some(failure) = &report.failure {
        told.insert("failure".to_owned(), failure.as_str().into());
    }
    if !report.metrics.is_empty() {
        let metrics = report.metrics.iter().map(|metric| (series(metric), Value::from(metric.value)));
        told.insert("metrics".to_owned(), Value::Object(metrics.collect()));
    }
    if !report.evidence.is_empty() {
        // Its fields that are empty are left out.
        told.insert("evidence".to_owned(), serde_json::to_value(&report.evidence).unwrap_or_default());
    }
    if let Some(details) = &report.details {
        told.insert("details".to_owned(), serde_json::from_str(details).unwrap_or_else(|_| details.as_str().into()));
    }
    if !report.extras.is_empty() {
        told.insert("extras".to_owned(), named(&report.extras));
    }
    Value::Object(told)
}

fn named(labels: &[Label]) -> Value {
    Value::Object(labels.iter().map(|label| (label.name.clone(), label.value.as_str().into())).collect())
}

/// `name`, or `name{label="value"}` as Prometheus writes it.
fn series(metric: &Metric) -> String {
    let mut text = metric.name.clone();
    for (index, label) in metric.labels.iter().enumerate() {
        let before = if index == 0 { "{" } else { "," };
        // Writing to a text does not fail.
        let _ = write!(text, "{before}{}={:?}", label.name, label.value);
    }
    if !metric.labels.is_empty() {
        text.push('}');
    }
    text
}

#[cfg(test)]
mod tests {
    use sickbay_core::{Evidence, Failure, MetricKind, Quota, Status};

    use super::*;

    #[test]
    fn a_report_is_told_flat_and_without_what_it_does_not_have() {
        let metric = |name: &str, value: f64, labels: &[(&str, &str)]| Metric {
            name: name.to_owned(),
            value,
            kind: MetricKind::Gauge,
            unit: String::new(),
            labels: labels.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect(),
        };
        let report = Report {
            status: Status::Warning,
            summary: "slow".to_owned(),
            failure: Some("latency".to_owned()),
            metrics: [metric("latency_seconds", 0.5, &[]), metric("used", 1.0, &[("device", "a"), ("mount", "/\"")])].into(),
            evidence: vec![Evidence { metric: "latency_seconds".to_owned(), actual: "0.5".to_owned(), ..Evidence::default() }],
            details: Some("{\"a\":[1]}".to_owned()),
            extras: Vec::new(),
        };
        let expected = json!({
            "status": "warning",
            "summary": "slow",
            "failure": "latency",
            "metrics": { "latency_seconds": 0.5, "used{device=\"a\",mount=\"/\\\"\"}": 1.0 },
            "evidence": [{ "metric": "latency_seconds", "actual": "0.5", "expected": "" }],
            "details": { "a": [1] },
        });
        assert_eq!(of_finding(&Finding::Report(report)), expected);
        assert_eq!(of_finding(&Finding::Report(Report::default())), json!({ "status": "unknown", "summary": "" }));
    }

    #[test]
    fn what_is_no_report_says_what_it_is() {
        let failure = Failure { kind: "denied".to_owned(), message: "no grant".to_owned() };
        assert_eq!(of_finding(&Finding::Failure(failure)), json!({ "failed": "denied", "message": "no grant" }));
        let quota = EndCause::Quota { quota: Quota::HostCalls, limit: 100 };
        assert_eq!(of_finding(&Finding::Ended(quota)), json!({ "ended": "quota", "quota": "host_calls", "limit": 100 }));
    }
}
