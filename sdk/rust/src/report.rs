//! Building a report.
//!
//! Findings only ever make a report worse: `.warning(..)` after `.critical(..)` leaves it critical, and among findings of the
//! same weight the first one gives the summary and the failure kind. Write the most telling one first.

use serde_json::Value;

use crate::bindings::sickbay::plugin::types::{Evidence, Label, Metric, MetricKind, Report, Status};

pub(crate) const SUMMARY_BYTES_MAX: usize = 512;
pub(crate) const FAILURE_MESSAGE_BYTES_MAX: usize = 1024;
const METRICS_MAX: usize = 256;
/// Room made with the first metric; most reports have no more.
const METRICS_EXPECTED: usize = 12;
const EVIDENCE_MAX: usize = 8;
const EVIDENCE_TEXT_BYTES_MAX: usize = 1 << 10;
const DETAILS_BYTES_MAX: usize = 64 << 10;

impl Report {
    /// Starts a report: all is well until a finding says otherwise.
    pub fn ok(summary: impl Into<String>) -> Report {
        Report {
            status: Status::Ok,
            summary: summary.into(),
            failure: None,
            metrics: Vec::new(),
            evidence: Vec::new(),
            details: None,
            extras: Vec::new(),
        }
    }

    /// The target answered, and its answer cannot be judged (yet).
    pub fn unknown(summary: impl Into<String>) -> Report {
        Report { status: Status::Unknown, ..Report::ok(summary) }
    }

    /// Makes the report `warning`, unless it is as bad already. `failure` is the word that recoveries are matched by.
    pub fn warning(self, failure: impl Into<String>, summary: impl Into<String>) -> Report {
        self.worsen(Status::Warning, failure, summary)
    }

    /// Makes the report `critical`, unless it is already. `failure` is the word that recoveries are matched by.
    pub fn critical(self, failure: impl Into<String>, summary: impl Into<String>) -> Report {
        self.worsen(Status::Critical, failure, summary)
    }

    fn worsen(mut self, status: Status, failure: impl Into<String>, summary: impl Into<String>) -> Report {
        if weight(status) > weight(self.status) {
            self.status = status;
            self.failure = Some(failure.into());
            self.summary = summary.into();
        }
        self
    }

    /// Adds a gauge. The name is `[a-z_][a-z0-9_]*` with its base unit last (`latency_seconds`); the unit is `seconds`,
    /// `bytes`, `ratio` or empty. The host drops a value that is not finite.
    pub fn metric(self, name: impl Into<String>, value: f64, unit: impl Into<String>) -> Report {
        self.add(name, value, MetricKind::Gauge, unit, Vec::new())
    }

    /// Adds a metric that only grows, except when the thing counted restarts.
    pub fn counter(self, name: impl Into<String>, value: f64, unit: impl Into<String>) -> Report {
        self.add(name, value, MetricKind::Counter, unit, Vec::new())
    }

    /// Adds a gauge with labels. A name with its labels may occur once in a report.
    pub fn labelled(self, name: impl Into<String>, value: f64, unit: impl Into<String>, labels: &[(&str, &str)]) -> Report {
        let labels = labels.iter().map(|(name, value)| Label::new(*name, *value)).collect();
        self.add(name, value, MetricKind::Gauge, unit, labels)
    }

    fn add(mut self, name: impl Into<String>, value: f64, kind: MetricKind, unit: impl Into<String>, labels: Vec<Label>) -> Report {
        if self.metrics.is_empty() {
            self.metrics.reserve_exact(METRICS_EXPECTED);
        }
        self.metrics.push(Metric { name: name.into(), value, kind, unit: unit.into(), labels });
        self
    }

    /// Adds what was measured against what was allowed. `metric` may be empty.
    pub fn evidence(
        mut self,
        metric: impl Into<String>,
        actual: impl ToString,
        expected: impl ToString,
        unit: impl Into<String>,
    ) -> Report {
        self.evidence.push(Evidence {
            metric: metric.into(),
            actual: actual.to_string(),
            expected: expected.to_string(),
            unit: unit.into(),
        });
        self
    }

    /// Sets what else is worth keeping with the result: a JSON object, at most 64 KiB.
    pub fn details(mut self, details: &Value) -> Report {
        self.details = Some(details.to_string());
        self
    }

    /// Adds an extra. Put a dot into the name (`mycompany.region`): names without one belong to the contract.
    pub fn extra(mut self, name: impl Into<String>, value: impl Into<String>) -> Report {
        self.extras.push(Label::new(name, value));
        self
    }

    /// Fits the report into the contract's bounds: the host refuses a report that passes them.
    pub(crate) fn fit(mut self) -> Report {
        cut(&mut self.summary, SUMMARY_BYTES_MAX);
        self.metrics.truncate(METRICS_MAX);
        self.evidence.truncate(EVIDENCE_MAX);
        for evidence in &mut self.evidence {
            cut(&mut evidence.actual, EVIDENCE_TEXT_BYTES_MAX);
            cut(&mut evidence.expected, EVIDENCE_TEXT_BYTES_MAX);
        }
        fit_details(&mut self.details, &mut self.extras);
        self
    }
}

impl Label {
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Label {
        Label { name: name.into(), value: value.into() }
    }
}

/// Leaves out details that are too long; an extra tells that there were some.
pub(crate) fn fit_details(details: &mut Option<String>, extras: &mut Vec<Label>) {
    if let Some(dropped) = details.take_if(|details| details.len() > DETAILS_BYTES_MAX) {
        extras.push(Label::new("sdk.details-dropped-bytes", dropped.len().to_string()));
    }
}

/// The order in which findings win.
fn weight(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Unknown => 1,
        Status::Warning => 2,
        Status::Critical => 3,
    }
}

/// Cuts at a character, and shows that something is missing.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    const ELLIPSIS: char = '…';
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - ELLIPSIS.len_utf8()));
        text.push(ELLIPSIS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_wins_and_the_first_of_its_weight_speaks() {
        let report = Report::ok("fine")
            .warning("latency", "slow")
            .critical("content", "wrong")
            .critical("certificate", "expired")
            .warning("latency", "slower");
        assert_eq!(report.status, Status::Critical);
        assert_eq!(report.summary, "wrong");
        assert_eq!(report.failure.as_deref(), Some("content"));
    }

    #[test]
    fn a_finding_replaces_unknown() {
        let report = Report::unknown("cannot tell").warning("disk", "full");
        assert_eq!(report.status, Status::Warning);
    }

    #[test]
    fn a_long_summary_is_cut_at_a_character() {
        let report = Report::ok("é".repeat(400)).fit();
        assert!(report.summary.len() <= SUMMARY_BYTES_MAX);
        assert!(report.summary.ends_with('…'));
    }

    #[test]
    fn a_text_of_exactly_the_bound_is_not_cut() {
        let report = Report::ok("x".repeat(SUMMARY_BYTES_MAX)).fit();
        assert_eq!(report.summary, "x".repeat(SUMMARY_BYTES_MAX));
    }

    #[test]
    fn too_many_metrics_and_too_long_details_are_left_out() {
        let mut report = Report::ok("").details(&Value::String("x".repeat(DETAILS_BYTES_MAX)));
        for _ in 0..METRICS_MAX + 1 {
            report = report.metric("count", 1.0, "");
        }
        let report = report.fit();
        assert_eq!(report.metrics.len(), METRICS_MAX);
        assert_eq!(report.details, None);
        assert_eq!(report.extras[0].name, "sdk.details-dropped-bytes");
    }
}
