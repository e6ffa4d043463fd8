//! What a guest returned, made safe to keep: bounds checked, text for people made one line, everything for machines refused where it breaks
//! the contract.
//!
//! Text that only people read (summaries, evidence) is cut with a mark: a critical result must not be lost for a long error message.
//! What machines read (metric names, labels, kinds, JSON) is refused whole: a wrong name would be a wrong series.

use std::collections::HashSet;

use sickbay_core::{Evidence, Failure, Finding, Label, Metric, MetricKind, Report, Status};

use crate::bindings::exports::sickbay::plugin::check;
use crate::bindings::sickbay::plugin::types;

pub(crate) const SUMMARY_BYTES_MAX: usize = 512;
const FAILURE_BYTES_MAX: usize = 1 << 10;
const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 1 << 10;
const METRICS_MAX: usize = 256;
const EVIDENCE_MAX: usize = 8;
const LABELS_MAX: usize = 32;
pub(crate) const DETAILS_BYTES_MAX: usize = 64 << 10;

/// The report with what had to be left out.
pub(crate) struct Accepted {
    pub(crate) report: Report,
    pub(crate) metrics_dropped: u32,
}

pub(crate) fn report(report: check::Report) -> Result<Accepted, String> {
    bound("metrics", report.metrics.len(), METRICS_MAX)?;
    bound("evidence", report.evidence.len(), EVIDENCE_MAX)?;
    if let Some(failure) = &report.failure {
        word("failure", failure)?;
    }
    if let Some(details) = &report.details {
        json_object("details", details, DETAILS_BYTES_MAX)?;
    }
    let (metrics, metrics_dropped) = metrics(report.metrics)?;
    Ok(Accepted {
        report: Report {
            status: status(report.status),
            summary: one_line(&report.summary, SUMMARY_BYTES_MAX),
            failure: report.failure,
            metrics: metrics.into(),
            evidence: report.evidence.into_iter().map(evidence).collect(),
            details: report.details,
            extras: labels("extras", report.extras)?,
        },
        metrics_dropped,
    })
}

/// With what the guest was denied and not told, which it cannot tell itself.
pub(crate) fn failure(failure: check::Failure, denied: Option<String>) -> Failure {
    let kind = if word("kind", &failure.kind).is_ok() { failure.kind } else { "internal".to_owned() };
    let message = match denied {
        None => failure.message,
        Some(denied) => format!("{}; {denied}", one_line(&failure.message, FAILURE_BYTES_MAX / 2)),
    };
    Failure { kind, message: one_line(&message, FAILURE_BYTES_MAX) }
}

/// What a report is worth after the guest was denied something and not told so: to it a request just failed, which it may well take for the
/// service's doing. A missing grant says nothing about the service, so unless all is well in spite of it nobody could judge.
pub(crate) fn finding(report: Report, denied: Option<String>) -> Finding {
    match denied {
        Some(denied) if report.status != Status::Ok => {
            let said = format!("reported as {}: {}", report.status.as_str(), report.summary);
            let message = format!("{}; {denied}", one_line(&said, FAILURE_BYTES_MAX / 2));
            Finding::Failure(Failure { kind: "denied".to_owned(), message: one_line(&message, FAILURE_BYTES_MAX) })
        }
        _ => Finding::Report(report),
    }
}

fn status(status: types::Status) -> Status {
    match status {
        types::Status::Unknown => Status::Unknown,
        types::Status::Ok => Status::Ok,
        types::Status::Warning => Status::Warning,
        types::Status::Critical => Status::Critical,
    }
}

pub(crate) fn metric_kind(kind: types::MetricKind) -> MetricKind {
    match kind {
        types::MetricKind::Gauge => MetricKind::Gauge,
        types::MetricKind::Counter => MetricKind::Counter,
    }
}

fn evidence(evidence: types::Evidence) -> Evidence {
    Evidence {
        metric: one_line(&evidence.metric, NAME_BYTES_MAX),
        actual: one_line(&evidence.actual, VALUE_BYTES_MAX),
        expected: one_line(&evidence.expected, VALUE_BYTES_MAX),
        unit: one_line(&evidence.unit, NAME_BYTES_MAX),
    }
}

fn metrics(reported: Vec<types::Metric>) -> Result<(Vec<Metric>, u32), String> {
    let mut dropped = 0;
    let mut metrics: Vec<Metric> = Vec::with_capacity(reported.len());
    for metric in reported {
        if !metric.value.is_finite() {
            dropped += 1;
            continue;
        }
        metric_name("metric", &metric.name)?;
        unit(&metric.unit)?;
        let mut labels = labels("metric labels", metric.labels)?;
        labels.sort_unstable();
        for label in &labels {
            label_name(&label.name)?;
        }
        if labels.windows(2).any(|pair| pair[0].name == pair[1].name) {
            return Err(format!("the metric `{}` has a label twice", metric.name));
        }
        metrics.push(Metric { name: metric.name, value: metric.value, kind: metric_kind(metric.kind), unit: metric.unit, labels });
    }
    once_each(&metrics)?;
    Ok((metrics, dropped))
}

fn once_each(metrics: &[Metric]) -> Result<(), String> {
    // Few metrics are compared pair by pair: cheaper than a set, and most reports have few.
    let twice = if metrics.len() <= 16 {
        metrics
            .iter()
            .enumerate()
            .find(|(index, metric)| metrics[..*index].iter().any(|other| other.name == metric.name && other.labels == metric.labels))
            .map(|(_, metric)| metric)
    } else {
        let mut seen = HashSet::with_capacity(metrics.len());
        metrics.iter().find(|metric| !seen.insert((&metric.name, &metric.labels)))
    };
    match twice {
        Some(metric) => Err(format!("the metric `{}` is there twice with the same labels", metric.name)),
        None => Ok(()),
    }
}

/// `[a-z_][a-z0-9_]*`
pub(crate) fn metric_name(what: &str, name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let fits = name.len() <= NAME_BYTES_MAX
        && bytes.next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if fits {
        Ok(())
    } else {
        Err(format!("the {what} name `{}` is not [a-z_][a-z0-9_]* of at most {NAME_BYTES_MAX} bytes", one_line(name, 80)))
    }
}

fn label_name(name: &str) -> Result<(), String> {
    if matches!(name, "check" | "metric" | "le" | "quantile") || name.starts_with("__") {
        return Err(format!("the label name `{name}` is reserved"));
    }
    let mut bytes = name.bytes();
    let fits = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fits { Ok(()) } else { Err(format!("the label name `{}` is not [a-zA-Z_][a-zA-Z0-9_]*", one_line(name, 80))) }
}

fn unit(unit: &str) -> Result<(), String> {
    if unit.len() <= NAME_BYTES_MAX && unit.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'%')) {
        return Ok(());
    }
    Err(format!("the unit `{}` is not a word of at most {NAME_BYTES_MAX} bytes", one_line(unit, 80)))
}

/// Lower case with `-` between words, as failure kinds and kinds of checks are.
pub(crate) fn word(what: &str, text: &str) -> Result<(), String> {
    let fits = (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits { Ok(()) } else { Err(format!("the {what} `{}` is not [a-z0-9-]+ of at most {NAME_BYTES_MAX} bytes", one_line(text, 80))) }
}

fn labels(what: &str, labels: Vec<types::Label>) -> Result<Vec<Label>, String> {
    bound(what, labels.len(), LABELS_MAX)?;
    labels
        .into_iter()
        .map(|label| {
            if label.name.is_empty() || label.name.len() > NAME_BYTES_MAX {
                return Err(format!("a name in {what} has {} bytes, 1 to {NAME_BYTES_MAX} are allowed", label.name.len()));
            }
            if label.value.len() > VALUE_BYTES_MAX {
                return Err(format!(
                    "`{}` in {what} has {} bytes, at most {VALUE_BYTES_MAX} are allowed",
                    one_line(&label.name, 64),
                    label.value.len()
                ));
            }
            Ok(Label { name: one_line(&label.name, NAME_BYTES_MAX), value: one_line(&label.value, VALUE_BYTES_MAX) })
        })
        .collect()
}

pub(crate) fn bound(what: &str, len: usize, max: usize) -> Result<(), String> {
    if len > max { Err(format!("{what} has {len} entries, at most {max} are allowed")) } else { Ok(()) }
}

pub(crate) fn json_object(what: &str, text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("{what} has {} bytes, at most {bytes_max} are allowed", text.len()));
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{what} is not a JSON object: {error}")),
    }
}

/// `text` as one line of at most `bytes_max` bytes: control and direction-changing characters become spaces, a cut ends with `…`.
pub(crate) fn one_line(text: &str, bytes_max: usize) -> String {
    const MARK: char = '…';
    let unsafe_character = |character: char| {
        character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.len() <= bytes_max && !text.chars().any(unsafe_character) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len().min(bytes_max));
    for character in text.chars() {
        let character = if unsafe_character(character) { ' ' } else { character };
        if line.len() + character.len_utf8() > bytes_max {
            while line.len() + MARK.len_utf8() > bytes_max && line.pop().is_some() {}
            line.push(MARK);
            break;
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str, value: f64, labels: &[(&str, &str)]) -> types::Metric {
        types::Metric {
            name: name.to_owned(),
            value,
            kind: types::MetricKind::Gauge,
            unit: String::new(),
            labels: labels.iter().map(|(name, value)| types::Label { name: (*name).to_owned(), value: (*value).to_owned() }).collect(),
        }
    }

    #[test]
    fn a_metric_that_is_not_finite_is_dropped_and_counted() {
        let (kept, dropped) = metrics(vec![metric("a", f64::NAN, &[]), metric("b", f64::INFINITY, &[]), metric("c", 1.0, &[])]).unwrap();
        assert_eq!((kept.len(), dropped), (1, 2));
    }

    #[test]
    fn names_that_would_be_wrong_series_are_refused() {
        for (name, labels) in [
            ("Upper", &[][..]),
            ("", &[]),
            ("a b", &[]),
            ("a\"b", &[]),
            ("a\nb", &[]),
            ("0a", &[]),
            ("a", &[("check", "x")]),
            ("a", &[("le", "x")]),
            ("a", &[("__name__", "x")]),
            ("a", &[("a-b", "x")]),
            ("a", &[("b", "x"), ("b", "y")]),
        ] {
            assert!(metrics(vec![metric(name, 1.0, labels)]).is_err(), "{name} {labels:?}");
        }
        assert!(metrics(vec![metric("a", 1.0, &[("b", "x")]), metric("a", 2.0, &[("b", "x")])]).is_err());
        assert!(metrics(vec![metric("a", 1.0, &[("b", "x")]), metric("a", 2.0, &[("b", "y")])]).is_ok());
        let many: Vec<_> = (0..40).map(|_| metric("a", 1.0, &[])).collect();
        assert!(metrics(many).is_err());
    }

    #[test]
    fn text_for_people_becomes_one_bounded_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m\0\u{202e}c", 512), "a b [31m  c");
        let cut = one_line(&"ü".repeat(1000), 512);
        assert!(cut.len() <= 512 && cut.ends_with('…'), "{}", cut.len());
        assert_eq!(one_line("short", 512), "short");
    }

    #[test]
    fn a_failure_tells_what_was_denied_behind_however_long_a_message() {
        let failed = |message: &str, denied: Option<&str>| {
            let said = check::Failure { kind: "denied".to_owned(), message: message.to_owned(), extras: Vec::new() };
            failure(said, denied.map(str::to_owned)).message
        };
        assert_eq!(failed("no answer", None), "no answer");
        assert_eq!(failed("no answer", Some("hint: this line")), "no answer; hint: this line");
        let long = failed(&"x".repeat(5000), Some("hint: this line"));
        assert!(long.len() <= FAILURE_BYTES_MAX && long.ends_with("x…; hint: this line"), "{long}");
    }

    #[test]
    fn behind_a_denial_that_a_guest_was_not_told_of_only_a_good_report_stands() {
        let reported = |status: Status, denied: Option<&str>| {
            let report = Report { status, summary: "fetch failed".to_owned(), ..Report::default() };
            finding(report, denied.map(str::to_owned))
        };
        for status in [Status::Unknown, Status::Ok, Status::Warning, Status::Critical] {
            assert!(matches!(reported(status, None), Finding::Report(report) if report.status == status));
        }
        assert!(matches!(reported(Status::Ok, Some("hint: this line")), Finding::Report(_)));
        for status in [Status::Unknown, Status::Warning, Status::Critical] {
            let Finding::Failure(failure) = reported(status, Some("hint: this line")) else { panic!("{status:?} stands") };
            assert_eq!(failure.kind, "denied");
            assert_eq!(failure.message, format!("reported as {}: fetch failed; hint: this line", status.as_str()));
        }
    }

    #[test]
    fn details_must_be_one_json_object_within_its_bound() {
        assert!(json_object("details", "{\"a\":1}", 100).is_ok());
        for text in ["[1]", "{", "", "null", "{}x"] {
            assert!(json_object("details", text, 100).is_err(), "{text}");
        }
        assert!(json_object("details", &format!("{{\"a\":\"{}\"}}", "x".repeat(100)), 100).is_err());
        assert!(json_object("details", &"[".repeat(90), 100).is_err());
    }
}
