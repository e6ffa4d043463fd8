//! Whether a kind is described as the host asks, and keeps to what it says of itself.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::describe::{check_kind, recovery_kind, sink_kind};
use crate::{Check, Kind, Recovery, Report, Sink, Status};

/// Asserts what the host asks of a description: names and failure kinds are well formed, the example is a configuration
/// of the check, every metric is named once, and a key that is told as "(0 to 1)" has that range in the schema.
///
/// # Panics
/// With the mistake, where there is one.
pub fn assert_well_described<C: Check>() {
    assert_kind::<C::Config>(&check_kind::<C>());
}

/// The same for a recovery.
///
/// # Panics
/// With the mistake, where there is one.
pub fn assert_recovery_well_described<R: Recovery>() {
    assert_kind::<R::Config>(&recovery_kind::<R>());
}

/// The same for a sink.
///
/// # Panics
/// With the mistake, where there is one.
pub fn assert_sink_well_described<S: Sink>() {
    assert_kind::<S::Config>(&sink_kind::<S>());
}

fn assert_kind<C: DeserializeOwned>(kind: &Kind) {
    assert!(is_word(&kind.name), "the kind's name {:?} is not a word of [a-z0-9-]", kind.name);
    assert!(!kind.summary.is_empty(), "{} has no summary", kind.name);
    let example = serde_json::from_str::<C>(&kind.example);
    assert!(example.is_ok(), "the example of {} is no configuration of it: {:?}", kind.name, example.err());
    let schema = serde_json::from_str::<Value>(&kind.config_schema).unwrap_or_default();
    if let Some(key) = beyond_one(&schema) {
        panic!("{key} is told as (0 to 1) and its range is another; hint: #[schemars(range(min = 0, max = 1))]");
    }
    for (position, metric) in kind.metrics.iter().enumerate() {
        assert!(is_metric_name(&metric.name), "{:?} is no name for a metric", metric.name);
        assert!(["", "seconds", "bytes", "ratio"].contains(&metric.unit.as_str()), "{} has no base unit", metric.name);
        let twice = kind.metrics[..position].iter().any(|other| other.name == metric.name);
        assert!(!twice, "{} is described twice", metric.name);
    }
    for failure in &kind.failures {
        assert!(is_word(failure), "the failure kind {failure:?} is not a word of [a-z0-9-]");
    }
    for need in &kind.needs {
        assert!(need.grant.starts_with(&need.capability), "the grant {:?} is not for {}", need.grant, need.capability);
    }
}

/// Asserts that a report keeps to what the check's description promises: metrics, units and failure kinds.
///
/// # Panics
/// With the first thing that was not described.
pub fn assert_as_described<C: Check>(report: &Report) {
    let kind = check_kind::<C>();
    for metric in &report.metrics {
        let described = kind.metrics.iter().any(|info| {
            let name_fits = match info.name.strip_suffix('*') {
                Some(start) => metric.name.starts_with(start),
                None => metric.name == info.name,
            };
            name_fits && metric.unit == info.unit && metric.kind == info.kind
        });
        assert!(described, "the metric {} ({:?}) is not described", metric.name, metric.unit);
    }
    match &report.failure {
        Some(failure) => assert!(kind.failures.contains(failure), "the failure {failure} is not described"),
        None => assert!(matches!(report.status, Status::Ok | Status::Unknown), "not ok, and no failure kind"),
    }
}

/// A key whose description says that it is a part of a whole, while the schema takes other numbers too: 80 for 0.8.
fn beyond_one(schema: &Value) -> Option<&str> {
    let (name, _) = schema["properties"].as_object()?.iter().find(|(_, key)| {
        let is_part = key["description"].as_str().is_some_and(|text| text.contains("(0 to 1)"));
        is_part && (key["minimum"].as_f64(), key["maximum"].as_f64()) != (Some(0.0), Some(1.0))
    })?;
    Some(name.as_str())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_metric_name(text: &str) -> bool {
    let name = text.strip_suffix('*').unwrap_or(text);
    name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_of_a_whole_has_its_range_in_the_schema() {
        let schema = |key: Value| json!({ "properties": { "source": {}, "warning_ratio": key } });
        let told = "Warning when a larger part is used (0 to 1).";
        let open = schema(json!({ "description": told, "minimum": 0 }));
        assert_eq!(beyond_one(&open), Some("warning_ratio"));
        for key in [json!({ "description": told, "minimum": 0, "maximum": 1 }), json!({ "description": "Any number.", "minimum": 0 })] {
            assert_eq!(beyond_one(&schema(key)), None);
        }
    }
}
