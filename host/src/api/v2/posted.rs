//! What `POST /api/v2/alerts` brings: from JSON to alerts that can be taken, and what is wrong with the others.
//!
//! One bad alert does not stop the rest: to miss one is worse than to take one that was not meant. So annotations and links are shortened
//! or left out where they pass a bound; labels, which say what an alert is, are taken whole or not at all.
//!
//! Secrets are masked here, where an alert is made, and in what is said of those that are not taken. A label is not masked for its name alone:
//! `secret="orders-db"` says which one an alert is about, and two alerts that differ must not become one.
//!
//! Limits: [`ALERTS_MAX`] in one post, [`ANNOTATIONS_MAX`] of an alert with [`ANNOTATION_BYTES_MAX`] each, [`URL_BYTES_MAX`]; labels those
//! of `sickbay_core`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use sickbay_core::alerting::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LabelSet, PostedAlert};
use sickbay_core::masking::Mask;
use sickbay_core::{Label, Timestamp};

use super::model::{PostableAlert, PostableAlerts};
use crate::api::problem::{Problem, ProblemKind, quoted};
use crate::masks::Masks;

pub(super) const ALERTS_MAX: usize = 10_000;
const ANNOTATIONS_MAX: usize = 32;
const ANNOTATION_BYTES_MAX: usize = 2048;
const URL_BYTES_MAX: usize = 2048;

/// Of the alerts that were not taken, how many are told.
const PROBLEMS_TOLD_MAX: usize = 10;

/// How Go writes a time that was not set.
const TIME_OF_NOTHING: &str = "0001-01-01T00:00:00";

pub(super) struct Posted {
    pub(super) alerts: Vec<PostedAlert>,
    problems: Vec<String>,
}

impl Posted {
    pub(super) fn read(body: &[u8], masks: &Masks) -> Result<Posted, Problem> {
        let PostableAlerts(written) = serde_json::from_slice(body).map_err(|error| {
            Problem::new(ProblemKind::BodyInvalid, masks.text(format!("these are no alerts: {error}")))
                .hint("send a list, for example [{\"labels\": {\"alertname\": \"DiskFull\"}}]")
        })?;
        let mut posted = Posted { alerts: Vec::with_capacity(written.len()), problems: Vec::new() };
        for (index, alert) in written.into_iter().enumerate() {
            let alert = serde_json::from_value::<PostableAlert>(alert).map_err(|error| error.to_string());
            match alert.and_then(|alert| taken(alert, masks)) {
                Ok(alert) => posted.alerts.push(alert),
                Err(reason) => posted.problems.push(masks.text(format!("alert {}: {reason}", index + 1))),
            }
        }
        Ok(posted)
    }

    /// What was not taken.
    pub(super) fn problem(&self) -> Option<Problem> {
        let told = self.problems.iter().take(PROBLEMS_TOLD_MAX).map(String::as_str).collect::<Vec<&str>>().join("; ");
        let more = self.problems.len().saturating_sub(PROBLEMS_TOLD_MAX);
        let told = if more > 0 { format!("{told}; and {more} more") } else { told };
        (!self.problems.is_empty()).then(|| Problem::new(ProblemKind::BodyInvalid, told).hint("the other alerts were taken"))
    }
}

fn taken(alert: PostableAlert, masks: &Masks) -> Result<PostedAlert, String> {
    let labels = LabelSet::new(alert.labels.unwrap_or_default()).map_err(|error| error.to_string())?;
    if labels.is_empty() {
        return Err("it has no labels".to_owned());
    }
    if let Some(label) = labels.iter().find(|label| !is_name(&label.name)) {
        return Err(format!("{} is no name of a label", quoted(&label.name)));
    }
    let starts_at = time("startsAt", alert.starts_at)?;
    let ends_at = time("endsAt", alert.ends_at)?;
    if starts_at.zip(ends_at).is_some_and(|(starts_at, ends_at)| ends_at < starts_at) {
        return Err("it ends before it begins".to_owned());
    }
    Ok(PostedAlert {
        labels: masked_labels(labels, masks)?,
        annotations: annotations(alert.annotations.unwrap_or_default(), masks),
        starts_at,
        ends_at,
        generator_url: alert.generator_url.map(|url| masks.text(url)).filter(|url| is_link(url)).map(Arc::from),
    })
}

/// The same labels where nothing is to be masked. One whose name holds a secret is left out.
fn masked_labels(labels: LabelSet, masks: &Masks) -> Result<LabelSet, String> {
    let is_clean = |text: &str| matches!(masks.mask(text), Cow::Borrowed(_));
    if labels.iter().all(|label| is_clean(&label.name) && is_clean(&label.value)) {
        return Ok(labels);
    }
    let named = labels.iter().filter(|label| is_clean(&label.name));
    let masked = named.map(|label| {
        let mut value = masks.text(label.value.clone());
        value.truncate(value.floor_char_boundary(LABEL_VALUE_BYTES_MAX));
        (label.name.clone(), value)
    });
    let masked = LabelSet::new(masked).map_err(|error| error.to_string())?;
    if masked.is_empty() { Err("it has no labels that may be told".to_owned()) } else { Ok(masked) }
}

/// Any text, as Alertmanager has it since 0.27, but nothing that moves a terminal's cursor.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

pub(super) fn time(member: &str, text: Option<String>) -> Result<Option<Timestamp>, String> {
    match text.filter(|text| !text.is_empty() && !text.starts_with(TIME_OF_NOTHING)) {
        None => Ok(None),
        Some(text) => match Timestamp::from_rfc3339(&text) {
            Some(at) => Ok(Some(at)),
            None => Err(format!("`{member}` is {}, not a time like 2026-01-31T12:00:00Z", quoted(&text))),
        },
    }
}

fn annotations(written: BTreeMap<String, String>, masks: &Masks) -> Arc<[Label]> {
    let usable = written.into_iter().filter(|(name, value)| is_name(name) && name.len() <= LABEL_NAME_BYTES_MAX && !value.is_empty());
    let usable = usable.filter(|(name, _)| matches!(masks.mask(name), Cow::Borrowed(_)));
    usable
        .take(ANNOTATIONS_MAX)
        .map(|(name, value)| {
            let mut value = masks.value(&name, value);
            value.truncate(value.floor_char_boundary(ANNOTATION_BYTES_MAX));
            Label { name, value }
        })
        .collect()
}

/// It becomes a link of a page: another scheme could do more than lead somewhere.
fn is_link(url: &str) -> bool {
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    is_web && url.len() <= URL_BYTES_MAX && !url.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Posted {
        Posted::read(body.as_bytes(), &Masks::default()).unwrap_or_else(|problem| panic!("{body}: {}", problem.detail))
    }

    fn one(body: &str) -> PostedAlert {
        let mut posted = read(body);
        assert!(posted.problem().is_none(), "{body}: {:?}", posted.problem());
        posted.alerts.pop().expect("an alert")
    }

    #[test]
    fn an_alert_of_prometheus_is_taken_whole() {
        let alert = one(r#"[{
            "annotations": {"summary": "it is full", "description": "since noon"},
            "endsAt": "2026-01-31T12:04:00.5Z",
            "startsAt": "2026-01-31T13:00:00.123456789+01:00",
            "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
            "labels": {"alertname": "DiskFull", "severity": "P1", "empty": ""}
        }]"#);
        assert_eq!(alert.labels, LabelSet::new([("alertname", "DiskFull"), ("severity", "P1")]).expect("labels"));
        assert_eq!(alert.annotations.iter().map(|annotation| annotation.name.as_str()).collect::<Vec<_>>(), ["description", "summary"]);
        assert_eq!(alert.starts_at, Timestamp::from_rfc3339("2026-01-31T12:00:00.123Z"));
        assert_eq!(alert.ends_at, Timestamp::from_rfc3339("2026-01-31T12:04:00.500Z"));
        assert!(alert.starts_at.is_some() && alert.ends_at.is_some());
        assert_eq!(alert.generator_url.as_deref(), Some("http://prometheus:9090/graph?g0.expr=up"));
    }

    #[test]
    fn what_is_left_out_null_or_the_time_of_nothing_is_not_there() {
        for body in [
            r#"[{"labels": {"a": "b"}}]"#,
            r#"[{"labels": {"a": "b"}, "annotations": null, "startsAt": null, "endsAt": "", "generatorURL": null, "new": [1]}]"#,
            r#"[{"labels": {"a": "b"}, "startsAt": "0001-01-01T00:00:00.000Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": ""}]"#,
        ] {
            let alert = one(body);
            assert_eq!((alert.starts_at, alert.ends_at, alert.generator_url), (None, None, None), "{body}");
            assert!(alert.annotations.is_empty(), "{body}");
        }
    }

    #[test]
    fn a_bad_alert_is_told_and_the_others_are_taken() {
        let posted = read(
            r#"[{"labels": {"a": "1"}}, {}, {"labels": {"a": ""}}, {"labels": {"a\nb": "1"}}, {"labels": {"a": "1"}, "startsAt": "now"},
                {"labels": {"a": "1"}, "startsAt": "2026-01-31T12:00:00Z", "endsAt": "2026-01-31T11:00:00Z"}, {"labels": {"a": "2"}}]"#,
        );
        assert_eq!(posted.alerts.len(), 2);
        let problem = posted.problem().expect("a problem");
        assert_eq!(problem.status, 400);
        for told in [
            "alert 2: it has no labels; alert 3: it has no labels; alert 4: `a\\nb` is no name of a label",
            "alert 5: `startsAt` is `now`",
            "alert 6: it ends before it begins",
        ] {
            assert!(problem.detail.contains(told), "{}", problem.detail);
        }
    }

    #[test]
    fn of_many_bad_alerts_the_first_are_told_and_the_rest_is_counted() {
        let posted = read(&format!("[{}]", vec!["{}"; 25].join(",")));
        let detail = posted.problem().expect("a problem").detail;
        assert!(detail.contains("alert 10: ") && !detail.contains("alert 11: ") && detail.ends_with("; and 15 more"), "{detail}");
    }

    #[test]
    fn what_is_no_list_or_too_long_is_refused_as_a_whole() {
        let many = format!("[{}]", vec!["{}"; ALERTS_MAX + 1].join(","));
        for (body, told) in [("", "no alerts"), ("{}", "a list of alerts"), (many.as_str(), "more than 10000 alerts")] {
            let problem = Posted::read(body.as_bytes(), &Masks::default()).err().expect("it is refused");
            assert!(problem.status == 400 && problem.detail.contains(told), "{}", problem.detail);
        }
        assert_eq!(read(&format!("[{}]", vec![r#"{"labels":{"a":"b"}}"#; ALERTS_MAX].join(","))).alerts.len(), ALERTS_MAX);
    }

    #[test]
    fn a_secret_is_masked_wherever_an_alert_tells_it_and_a_name_alone_hides_no_label() {
        let alert = one(r#"[{
            "labels": {"alertname": "Slow", "dsn": "postgres://u:hunter22hunter@db/x", "secret": "orders-db-credentials-2"},
            "annotations": {"summary": "password=hunter22hunter", "token": "abc123def456ghi789"},
            "generatorURL": "http://prometheus/graph?password=hunter22hunter"
        }]"#);
        assert_eq!(alert.labels.get("secret"), Some("orders-db-credentials-2"));
        let told = format!("{alert:?}");
        assert!(told.contains("[masked]") && !told.contains("hunter22hunter") && !told.contains("abc123def456"), "{told}");
        assert!(
            alert.generator_url.is_some_and(|url| url.starts_with("http://prometheus/graph?password=[masked]")),
            "it still leads there"
        );
    }

    #[test]
    fn annotations_and_links_are_bounded_without_losing_the_alert() {
        let long = "ä".repeat(ANNOTATION_BYTES_MAX);
        let many: Vec<String> = (0..ANNOTATIONS_MAX + 5).map(|number| format!(r#""n{number}": "{long}""#)).collect();
        let alert = one(&format!(r#"[{{"labels": {{"a": "b"}}, "annotations": {{{}, "x\u001b": "y"}}}}]"#, many.join(",")));
        assert_eq!(alert.annotations.len(), ANNOTATIONS_MAX);
        assert!(
            alert.annotations.iter().all(|annotation| annotation.value.len() == ANNOTATION_BYTES_MAX && annotation.name.starts_with('n'))
        );
        for url in ["javascript:alert(1)", "//evil.example", &format!("http://x/{}", "x".repeat(URL_BYTES_MAX))] {
            assert_eq!(one(&format!(r#"[{{"labels": {{"a": "b"}}, "generatorURL": "{url}"}}]"#)).generator_url, None, "{url}");
        }
    }

    #[test]
    fn an_alert_with_a_label_that_is_no_text_does_not_stop_the_one_beside_it() {
        let posted = Posted::read(br#"[{"labels": {"a": 1}}, {"labels": {"alertname": "Good"}}, 7]"#, &Masks::default()).expect("a list");
        assert_eq!(posted.alerts.len(), 1);
        let told = posted.problem().expect("two are told").detail;
        assert!(told.contains("alert 1: ") && told.contains("alert 3: "), "{told}");
    }
}
