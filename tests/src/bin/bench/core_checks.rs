//! Checks as `core` knows them, made up for the measures that have nothing but `core`: who a check is, what it reports, what is asked of that,
//! who is told.

use std::sync::Arc;

use sickbay_core::alerting::{AlertingConfig, CheckIdentity, GroupBy, LabelSet, RouteConfig, SinkConfig, SinkName};
use sickbay_core::{Condition, FlapThresholds, Metric, MetricKind, Policy, Report, Rule, Status, Timestamp};

use crate::daemon::check_name;

/// Some day in July 2026.
pub(crate) const START: Timestamp = Timestamp(1_783_339_200_000);
/// Checks are of so many services, in turns.
pub(crate) const SERVICES: usize = 100;
/// As the configuration has it where it says nothing.
pub(crate) const POLICY: Policy =
    Policy { failures: 3, successes: 2, flapping: Some(FlapThresholds { start_permille: 500, stop_permille: 250 }) };
/// Beyond it a check is critical; see [`rules`].
pub(crate) const LATENCY_SECONDS_MAX: f64 = 0.5;

const PLUGIN: &str = "http";
const SINK: &str = "oncall";

pub(crate) fn name(number: usize) -> Arc<str> {
    check_name(PLUGIN, number).into()
}

pub(crate) fn identity(number: usize) -> anyhow::Result<Arc<CheckIdentity>> {
    let service = service(number);
    Ok(Arc::new(CheckIdentity {
        name: name(number),
        plugin: PLUGIN.into(),
        kind: PLUGIN.into(),
        target: None,
        owner: None,
        labels: LabelSet::new([("service", service.as_str()), ("severity", "P2")])?,
    }))
}

pub(crate) fn service(number: usize) -> String {
    format!("service-{:02}", number % SERVICES)
}

/// Well by itself, with three metrics.
pub(crate) fn report(latency_seconds: f64) -> Report {
    let metric = |name: &str, value: f64, unit: &str| Metric {
        name: name.to_owned(),
        value,
        kind: MetricKind::Gauge,
        unit: unit.to_owned(),
        labels: Vec::new(),
    };
    let metrics =
        [metric("latency_seconds", latency_seconds, "seconds"), metric("status_code", 200.0, ""), metric("body_bytes", 5120.0, "bytes")];
    Report { status: Status::Ok, summary: format!("200 in {:.0} ms", latency_seconds * 1e3), metrics: metrics.into(), ..Report::default() }
}

/// A condition on the report, and one on the last ten minutes that never holds.
pub(crate) fn rules() -> anyhow::Result<Vec<Rule>> {
    let report = format!("report.metrics.latency_seconds > {LATENCY_SECONDS_MAX:?}");
    let past = "p95('latency_seconds', '10m') > 5.0";
    Ok(vec![
        Rule { status: Status::Critical, condition: Condition::parse(&report)?, lasting: None },
        Rule { status: Status::Warning, condition: Condition::parse(past)?, lasting: None },
    ])
}

/// One sink that is told of every alert, with the usual waits.
pub(crate) fn alerting_config(group_by: GroupBy) -> Arc<AlertingConfig> {
    let sink = SinkName::from(SINK);
    let route = RouteConfig { sinks: Some(vec![Arc::clone(&sink)]), group_by: Some(group_by), ..RouteConfig::default() };
    Arc::new(AlertingConfig { sinks: vec![SinkConfig::named(sink)], route, ..AlertingConfig::default() })
}

pub(crate) fn by_service() -> GroupBy {
    GroupBy::Labels(vec!["service".to_owned()])
}
