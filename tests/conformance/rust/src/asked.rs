//! The kind `request`: what a run is asked, told again.

use sickbay_sdk::prelude::*;
use sickbay_sdk::{Earlier, Label, MetricKind};

use crate::told::{Lines, float, optional, text};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

pub(crate) struct Asked;

impl Check for Asked {
    const NAME: &'static str = "request";
    const SUMMARY: &'static str = "Tells what it was asked";
    type Config = Nothing;

    fn example() -> Value {
        json!({})
    }

    fn run(request: &Request<Nothing>) -> Result<Report, Error> {
        let mut lines = Lines::default();
        lines.push(format!("check {}", text(&request.check)));
        lines.push(format!("kind {}", text(&request.kind)));
        lines.push(format!("target {}", optional(request.target.as_deref())));
        lines.push(format!("attempt {}", request.attempt));
        lines.push(format!("timeout-ms {}", request.timeout_ms));
        lines.push(format!("scheduled-at ms:{}", request.scheduled_at_ms));
        labels(&mut lines, "label", &request.labels);
        labels(&mut lines, "extra", &request.extras);
        earlier(&mut lines, request.previous.as_ref());
        Ok(lines.report())
    }
}

fn labels(lines: &mut Lines, word: &str, labels: &[Label]) {
    let mut labels: Vec<&Label> = labels.iter().collect();
    labels.sort_by(|one, other| one.name.cmp(&other.name));
    for label in labels {
        lines.push(format!("{word} {} {}", text(&label.name), text(&label.value)));
    }
}

fn earlier(lines: &mut Lines, earlier: Option<&Earlier>) {
    let Some(Earlier { scheduled_at, report }) = earlier else { return lines.push("previous null") };
    let (status, failure) = (status(report.status), optional(report.failure.as_deref()));
    lines.push(format!("previous ms:{scheduled_at} {status} {} {failure}", text(&report.summary)));
    for metric in &report.metrics {
        let kind = match metric.kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
        };
        lines.push(format!("metric {} {} {kind} {}", text(&metric.name), float(metric.value), text(&metric.unit)));
        labels(lines, "metric-label", &metric.labels);
    }
    for evidence in &report.evidence {
        let [metric, actual, expected, unit] =
            [&evidence.metric, &evidence.actual, &evidence.expected, &evidence.unit].map(|part| text(part));
        lines.push(format!("evidence {metric} {actual} {expected} {unit}"));
    }
    labels(lines, "previous-extra", &report.extras);
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Unknown => "unknown",
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Critical => "critical",
    }
}
