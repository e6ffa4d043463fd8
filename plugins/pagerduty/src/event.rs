//! One alert as an event of PagerDuty's Events API v2.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{Texts, cut_characters, one_line, rfc3339};
use sickbay_sdk::{Alert, Notification};

use crate::pagerduty::Config;

/// A longer one is refused.
const SUMMARY_CHARACTERS_MAX: usize = 1_024;

/// None for a word of a later version.
pub(crate) fn of(config: &Config, notification: &Notification, alert: &Alert) -> Result<Option<Value>, DeliveryError> {
    let action = match alert.phase {
        Phase::Firing => "trigger",
        Phase::Acknowledged => "acknowledge",
        Phase::Resolved => "resolve",
        Phase::Other => return Ok(None),
    };
    let mut event = json!({ "routing_key": config.routing_key, "event_action": action, "dedup_key": alert.incident_id });
    // The others need none: they are about what was triggered.
    if alert.phase == Phase::Firing {
        let title = Texts::about(&notification.only(alert)).render("title", &config.title)?;
        event["payload"] = payload(config, notification, alert, &title);
        event["client"] = "Sickbay".into();
        let own = Some(config.client_url.as_str()).filter(|url| !url.is_empty());
        if let Some(url) = own.or(notification.external_url()) {
            event["client_url"] = url.into();
        }
        if let Some(link) = alert.link() {
            event["links"] = json!([{ "href": link, "text": "Sickbay" }]);
        }
    }
    Ok(Some(event))
}

fn payload(config: &Config, notification: &Notification, alert: &Alert, title: &str) -> Value {
    let evidence = alert.evidence.iter().map(|found| {
        let unit = if found.unit.is_empty() { String::new() } else { format!(" {}", found.unit) };
        format!("{} {}{unit}, expected {}", found.metric, found.actual, found.expected)
    });
    json!({
        "summary": cut_characters(&one_line(title), SUMMARY_CHARACTERS_MAX),
        "source": alert.name(),
        "severity": severity(config, alert),
        "timestamp": rfc3339(alert.started_at),
        "component": alert.service(),
        "group": notification.group,
        "class": alert.failure.as_deref().unwrap_or_default(),
        "custom_details": {
            "reason": alert.reason,
            "severity": alert.severity_word(),
            "evidence": evidence.collect::<Vec<_>>(),
            "labels": alert.labels_by_name(),
            "annotations": alert.annotations(),
        },
    })
}

/// PagerDuty knows four words. The label `severity` comes first, then what the host goes by; what is neither in the configuration nor one of
/// the usual words goes by the check's status.
fn severity(config: &Config, alert: &Alert) -> &'static str {
    let known = alert.by_severity(|word| usual(config.severities.get(word).map_or(word, String::as_str)));
    known.unwrap_or(match alert.status {
        Status::Critical => "critical",
        Status::Warning | Status::Unknown | Status::Ok => "warning",
    })
}

fn usual(word: &str) -> Option<&'static str> {
    match word {
        "P0" | "critical" | "page" => Some("critical"),
        "P1" | "error" => Some("error"),
        "P2" | "warning" => Some("warning"),
        "P3" | "info" => Some("info"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{alert, notification, severe};
    use sickbay_sdk::{Evidence, Label};

    use super::*;

    fn config(more: Value) -> Config {
        let mut config = json!({ "routing_key": "R0" });
        config.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        serde_json::from_value(config).expect("a configuration")
    }

    fn event(config: &Config, alert: &Alert) -> Value {
        of(config, &notification(vec![alert.clone()]), alert).expect("a template").expect("an event")
    }

    #[test]
    fn what_fires_triggers_with_all_that_is_known() {
        let evidence = Evidence {
            metric: "latency_seconds".to_owned(),
            actual: "0.35".to_owned(),
            expected: "at most 0.2".to_owned(),
            unit: "seconds".to_owned(),
        };
        let labels = vec![Label::new("alertname", "api"), Label::new("service", "orders")];
        let url = Some("https://sickbay.example/1".to_owned());
        let alert = Alert { check: "api".to_owned(), severity: "P1".to_owned(), labels, evidence: vec![evidence], url, ..alert() };
        let event = event(&config(json!({ "client_url": "https://sickbay.example/" })), &alert);
        assert_eq!(
            (&event["event_action"], &event["dedup_key"], &event["routing_key"]),
            (&json!("trigger"), &json!("01INCIDENT"), &json!("R0"))
        );
        let payload = &event["payload"];
        assert_eq!(payload["summary"], "api: the service does not answer");
        assert_eq!((&payload["source"], &payload["component"], &payload["severity"]), (&json!("api"), &json!("orders"), &json!("error")));
        assert_eq!((&payload["timestamp"], &payload["class"]), (&json!("2026-01-01T00:00:00.000Z"), &json!("connection")));
        assert_eq!(payload["custom_details"]["evidence"], json!(["latency_seconds 0.35 seconds, expected at most 0.2"]));
        assert_eq!(event["links"], json!([{ "href": "https://sickbay.example/1", "text": "Sickbay" }]));
        assert_eq!(event["client_url"], "https://sickbay.example/");
    }

    #[test]
    fn what_is_taken_or_over_is_found_by_its_key() {
        for (phase, action) in [(Phase::Acknowledged, "acknowledge"), (Phase::Resolved, "resolve")] {
            let event = event(&config(json!({})), &Alert { phase, ..alert() });
            assert_eq!(event, json!({ "routing_key": "R0", "event_action": action, "dedup_key": "01INCIDENT" }));
        }
        let later = Alert { phase: Phase::Other, ..alert() };
        assert_eq!(of(&config(json!({})), &notification(vec![later.clone()]), &later), Ok(None));
    }

    #[test]
    fn severities_are_pagerdutys_own_words() {
        let config = config(json!({ "severities": { "sev-2": "error", "P3": "P0" } }));
        let told = |severity_label: &str, status| severity(&config, &Alert { severity: severity_label.to_owned(), status, ..alert() });
        for (label, status, word) in [
            ("P0", Status::Warning, "critical"),
            ("P1", Status::Critical, "error"),
            ("P2", Status::Critical, "warning"),
            ("page", Status::Critical, "critical"),
            ("P3", Status::Critical, "critical"),
            ("sev-2", Status::Critical, "error"),
            ("sev-3", Status::Critical, "critical"),
            ("sev-3", Status::Unknown, "warning"),
        ] {
            assert_eq!(told(label, status), word, "{label} {status:?}");
        }
    }

    #[test]
    fn the_label_of_who_posted_an_alert_comes_before_what_the_host_makes_of_it() {
        let config = config(json!({ "severities": { "sev-2": "error", "P3": "warning" } }));
        for (label, word) in [
            ("critical", "critical"),
            ("page", "critical"),
            ("error", "error"),
            ("sev-2", "error"),
            ("info", "info"),
            ("P1", "error"),
            ("P3", "warning"),
            ("sev-3", "warning"),
        ] {
            let event = event(&config, &severe(label));
            assert_eq!((&event["payload"]["severity"], &event["payload"]["custom_details"]["severity"]), (&json!(word), &json!(label)));
        }
    }

    #[test]
    fn the_page_is_that_of_the_host_where_the_sink_names_none() {
        let told = Notification { extras: vec![Label::new("external_url", "https://sickbay.example")], ..notification(vec![alert()]) };
        for (own, expected) in [("", "https://sickbay.example"), ("https://other.example", "https://other.example")] {
            let event = of(&config(json!({ "client_url": own })), &told, &told.alerts[0]).expect("a template").expect("an event");
            assert_eq!(event["client_url"], expected);
        }
    }

    #[test]
    fn a_long_summary_is_cut() {
        let title = config(json!({ "title": "{{ 'x' * 3000 }}" }));
        let event = event(&title, &alert());
        assert_eq!(event["payload"]["summary"].as_str().map(|summary| summary.chars().count()), Some(SUMMARY_CHARACTERS_MAX));
    }
}
