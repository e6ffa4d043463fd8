//! The families that have a series or more per check, written from the live state.
//!
//! Invariant: one series is written once. Check names are unique; within a check, what a plugin reports is capped at
//! [`SERIES_PER_CHECK_MAX`] and compared, and a series with a label name that is not valid, reserved or repeated is left out whole:
//! leaving out only the label could make two series one.

use std::sync::Arc;

use sickbay_core::{CheckState, Label, Metric, Status};

use super::exposition::{Exposition, MetricType, is_label_name};
use crate::live::{Live, Observed, RunOutcome};

/// Series of `sickbay_check_metric` that one check can have; those behind are left out.
pub const SERIES_PER_CHECK_MAX: usize = 64;

/// One check as it was when the scrape began.
pub struct CheckObserved {
    name: Arc<str>,
    observed: Observed,
}

impl CheckObserved {
    fn metrics(&self) -> &[Metric] {
        self.observed.last.as_ref().map_or(&[][..], |last| &last.metrics[..])
    }
}

/// All checks by name. Copied first, so that the families of one scrape agree with each other and no lock is held while writing.
pub fn snapshot(live: &Live) -> Vec<CheckObserved> {
    let table = live.checks();
    table.by_name.values().map(|check| CheckObserved { name: Arc::clone(&check.name), observed: check.observed() }).collect()
}

/// About as many bytes as [`write`] will write, so that the buffer grows at most once.
pub fn text_bytes(checks: &[CheckObserved]) -> usize {
    const PER_CHECK_BYTES: usize = 1344;
    const PER_SERIES_BYTES: usize = 128;
    checks.len() * PER_CHECK_BYTES + checks.iter().map(|check| check.metrics().len()).sum::<usize>() * PER_SERIES_BYTES
}

/// Writes the per-check families, one pass each.
pub fn write(out: &mut Exposition, checks: &[CheckObserved]) {
    status(out, checks);
    hard_status(out, checks);
    flapping(out, checks);
    runs(out, checks);
    last_duration(out, checks);
    last_success(out, checks);
    reported(out, checks);
}

fn status(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_status";
    out.family(NAME, MetricType::Gauge, "1 for the status of the last result, 0 for the others: unknown, ok, warning, critical.");
    one_of_all(out, checks, NAME, |state| state.status);
}

fn hard_status(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_hard_status";
    out.family(NAME, MetricType::Gauge, "1 for the confirmed status, 0 for the others: unknown, ok, warning, critical.");
    one_of_all(out, checks, NAME, |state| state.hard_status);
}

fn flapping(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_flapping";
    out.family(NAME, MetricType::Gauge, "1 while the results of a check go to and fro between ok and failing.");
    for check in checks {
        out.series(NAME).label("check", &check.name).integer(u64::from(check.observed.state.flapping.is_flapping()));
    }
}

fn one_of_all(out: &mut Exposition, checks: &[CheckObserved], name: &str, holding: fn(&CheckState) -> Status) {
    for check in checks {
        let holding = holding(&check.observed.state);
        for status in Status::ALL {
            out.series(name).label("check", &check.name).label("status", status.as_str()).integer(u64::from(status == holding));
        }
    }
}

fn runs(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_runs_total";
    out.family(NAME, MetricType::Counter, "Runs of a check, by outcome: ok, warning, critical, unknown, skipped.");
    for check in checks {
        for (outcome, count) in RunOutcome::ALL.iter().zip(check.observed.runs) {
            out.series(NAME).label("check", &check.name).label("outcome", outcome.as_str()).integer(count);
        }
    }
}

fn last_duration(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_last_duration_seconds";
    out.family(NAME, MetricType::Gauge, "Wall time of the last run of a check.");
    for check in checks {
        if let Some(last) = &check.observed.last {
            out.series(NAME).label("check", &check.name).microseconds_as_seconds(last.duration_us);
        }
    }
}

fn last_success(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_last_success_timestamp_seconds";
    out.family(NAME, MetricType::Gauge, "When the last run of a check that was ok began, in seconds since 1970-01-01T00:00:00Z.");
    for check in checks {
        if let Some(at) = check.observed.state.last_success_at {
            out.series(NAME).label("check", &check.name).timestamp_as_seconds(at);
        }
    }
}

fn reported(out: &mut Exposition, checks: &[CheckObserved]) {
    const NAME: &str = "sickbay_check_metric";
    out.family(NAME, MetricType::Gauge, "What the plugin measured in the last run of a check that gave a report.");
    for check in checks {
        for metric in distinct(check.metrics()) {
            let mut series = out.series(NAME).label("check", &check.name).label("metric", &metric.name);
            for label in &metric.labels {
                series = series.label(&label.name, &label.value);
            }
            series.number(metric.value);
        }
    }
}

/// How many metrics of a report are behind those that can be exported.
pub fn beyond(metrics: &[Metric]) -> u64 {
    metrics.len().saturating_sub(SERIES_PER_CHECK_MAX) as u64
}

/// What of a report can be exported, in its order.
fn distinct(metrics: &[Metric]) -> Vec<&Metric> {
    let mut kept: Vec<&Metric> = Vec::with_capacity(metrics.len().min(SERIES_PER_CHECK_MAX));
    for metric in metrics {
        if kept.len() == SERIES_PER_CHECK_MAX {
            break;
        }
        let exportable = !metric.name.is_empty() && metric.value.is_finite() && labels_are_valid(&metric.labels);
        if exportable && !kept.iter().any(|earlier| same_series(earlier, metric)) {
            kept.push(metric);
        }
    }
    kept
}

/// Labels come sorted by name, so a repeated name stands next to itself.
fn labels_are_valid(labels: &[Label]) -> bool {
    labels.iter().all(|label| is_label_name(&label.name) && !is_reserved(&label.name))
        && labels.is_sorted_by(|earlier, later| earlier.name < later.name)
}

/// Ours, or with a meaning of their own in the format.
fn is_reserved(name: &str) -> bool {
    matches!(name, "check" | "metric" | "le" | "quantile") || name.starts_with("__")
}

/// To Prometheus a label with an empty value is no label.
fn same_series(left: &Metric, right: &Metric) -> bool {
    fn set(metric: &Metric) -> impl Iterator<Item = &Label> {
        metric.labels.iter().filter(|label| !label.value.is_empty())
    }
    left.name == right.name && set(left).eq(set(right))
}

#[cfg(test)]
mod tests {
    use sickbay_core::{MetricKind, Timestamp};
    use sickbay_store::ResultRecord;

    use super::*;
    use crate::api::testing::record;

    fn metric(name: &str, labels: &[(&str, &str)], value: f64) -> Metric {
        Metric {
            name: name.to_owned(),
            value,
            kind: MetricKind::Gauge,
            unit: String::new(),
            labels: labels.iter().map(|(name, value)| Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect(),
        }
    }

    fn exported(metrics: &[Metric]) -> Vec<f64> {
        distinct(metrics).iter().map(|metric| metric.value).collect()
    }

    fn observed_check(name: &str, metrics: Vec<Metric>) -> CheckObserved {
        let observed = Observed {
            state: CheckState {
                status: Status::Warning,
                hard_status: Status::Ok,
                last_success_at: Some(Timestamp(1_234)),
                ..CheckState::default()
            },
            last: Some(Arc::new(ResultRecord { metrics: metrics.into(), ..record(name, 2) })),
            reported: None,
            runs: [3, 1, 0, 0, 2],
            ..Observed::default()
        };
        CheckObserved { name: name.into(), observed }
    }

    fn text(checks: &[CheckObserved]) -> String {
        let mut out = Exposition::default();
        write(&mut out, checks);
        out.into_text()
    }

    #[test]
    fn a_check_is_written_as_promised() {
        let hostile = "a\"} 1\nsickbay_check_status{check=\"forged\\";
        let checks = [observed_check("api", vec![metric("latency_seconds", &[("path", hostile)], 0.25)])];
        let samples: Vec<String> = text(&checks).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        assert_eq!(
            samples,
            [
                r#"sickbay_check_status{check="api",status="unknown"} 0"#,
                r#"sickbay_check_status{check="api",status="ok"} 0"#,
                r#"sickbay_check_status{check="api",status="warning"} 1"#,
                r#"sickbay_check_status{check="api",status="critical"} 0"#,
                r#"sickbay_check_hard_status{check="api",status="unknown"} 0"#,
                r#"sickbay_check_hard_status{check="api",status="ok"} 1"#,
                r#"sickbay_check_hard_status{check="api",status="warning"} 0"#,
                r#"sickbay_check_hard_status{check="api",status="critical"} 0"#,
                r#"sickbay_check_flapping{check="api"} 0"#,
                r#"sickbay_check_runs_total{check="api",outcome="ok"} 3"#,
                r#"sickbay_check_runs_total{check="api",outcome="warning"} 1"#,
                r#"sickbay_check_runs_total{check="api",outcome="critical"} 0"#,
                r#"sickbay_check_runs_total{check="api",outcome="unknown"} 0"#,
                r#"sickbay_check_runs_total{check="api",outcome="skipped"} 2"#,
                r#"sickbay_check_last_duration_seconds{check="api"} 0.001500"#,
                r#"sickbay_check_last_success_timestamp_seconds{check="api"} 1.234"#,
                r#"sickbay_check_metric{check="api",metric="latency_seconds",path="a\"} 1\nsickbay_check_status{check=\"forged\\"} 0.25"#,
            ]
        );
    }

    #[test]
    fn help_and_type_stand_once_per_family() {
        let checks = [observed_check("a", Vec::new()), observed_check("b", Vec::new())];
        let text = text(&checks);
        let mut types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        assert_eq!(types.len(), 7);
        types.dedup();
        assert_eq!(types.len(), 7);
        assert_eq!(text.lines().filter(|line| line.starts_with("# HELP")).count(), 7);
    }

    #[test]
    fn a_check_without_a_run_has_no_duration_and_no_success() {
        let mut check = observed_check("a", Vec::new());
        check.observed = Observed::default();
        let text = text(&[check]);
        assert!(text.contains("sickbay_check_status{check=\"a\",status=\"unknown\"} 1\n"));
        assert!(text.contains("sickbay_check_hard_status{check=\"a\",status=\"unknown\"} 1\n"));
        assert!(!text.contains("sickbay_check_last_duration_seconds{"));
        assert!(!text.contains("sickbay_check_last_success_timestamp_seconds{"));
    }

    #[test]
    fn a_series_is_written_once() {
        let metrics = [
            metric("a", &[], 1.0),
            metric("a", &[], 2.0),
            metric("a", &[("b", "")], 3.0),
            metric("a", &[("b", "c")], 4.0),
            metric("b", &[], 5.0),
        ];
        assert_eq!(exported(&metrics), [1.0, 4.0, 5.0]);
    }

    #[test]
    fn a_series_with_a_reserved_or_broken_label_is_left_out_whole() {
        let mut metrics = vec![metric("fine", &[("mount", "/")], 1.0)];
        for name in ["check", "metric", "le", "quantile", "__name__", "a-b", "", "9", "é"] {
            metrics.push(metric("refused", &[(name, "x")], 2.0));
        }
        metrics.push(metric("repeated", &[("a", "1"), ("a", "2")], 3.0));
        metrics.push(metric("unsorted", &[("b", "1"), ("a", "2")], 4.0));
        metrics.push(metric("endless", &[], f64::INFINITY));
        assert_eq!(exported(&metrics), [1.0]);
    }

    #[test]
    fn a_check_has_at_most_64_series() {
        let metrics: Vec<Metric> = (0..200).map(|index| metric(&format!("m{index}"), &[], f64::from(index))).collect();
        assert_eq!(exported(&metrics).len(), SERIES_PER_CHECK_MAX);
        assert_eq!((beyond(&metrics), beyond(&metrics[..SERIES_PER_CHECK_MAX])), (200 - SERIES_PER_CHECK_MAX as u64, 0));
    }
}
