//! Alertmanager's webhook message, version 4, and what Sickbay adds to it under `sickbay`.
//!
//! An alert that a person has taken is still `firing` there; `sickbay.transition` tells the difference. The fingerprint is over the labels
//! as they came, which are those that routing matched.

use sickbay_sdk::prelude::*;
use sickbay_sdk::sinks::{common, fingerprint, rfc3339};
use sickbay_sdk::{Alert, Notification};

/// Of all alerts: the contract takes 1 MiB, and the rest of the message needs room too. Those beyond are counted.
const ALERTS_BYTES_MAX: usize = 900 << 10;
/// What Go writes for no time.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub(crate) fn of(receiver: &str, external_url: &str, notification: &Notification) -> Value {
    let alerts = fitting(notification);
    let left_out = notification.alerts.len() - alerts.len() + notification.more();
    json!({
        "version": "4",
        "groupKey": notification.group,
        "truncatedAlerts": left_out,
        "status": status(notification.phase),
        "receiver": receiver,
        "groupLabels": notification.group_labels(),
        "commonLabels": notification.common_labels(),
        "commonAnnotations": common(notification.alerts.iter().map(Alert::annotations)),
        "externalURL": external_url,
        "alerts": alerts,
        "sickbay": origin(notification),
    })
}

/// The first alerts, as many as there is room for.
fn fitting(notification: &Notification) -> Vec<Value> {
    let mut bytes_left = ALERTS_BYTES_MAX;
    let mut alerts = Vec::with_capacity(notification.alerts.len());
    for alert in notification.alerts.iter().map(of_alert) {
        let Some(left) = bytes_left.checked_sub(alert.to_string().len()) else { break };
        bytes_left = left;
        alerts.push(alert);
    }
    alerts
}

fn of_alert(alert: &Alert) -> Value {
    json!({
        "status": status(alert.phase),
        "labels": alert.labels_by_name(),
        "annotations": alert.annotations(),
        "startsAt": rfc3339(alert.started_at),
        "endsAt": alert.ended_at.map_or_else(|| NEVER.to_owned(), rfc3339),
        "generatorURL": alert.link().unwrap_or_default(),
        "fingerprint": fingerprint(&alert.labels),
        "sickbay": transition(alert),
    })
}

fn origin(notification: &Notification) -> Value {
    let mut origin = match notification.alerts.as_slice() {
        [alert] => transition(alert),
        _ => json!({}),
    };
    origin["idempotency_key"] = notification.idempotency_key.as_str().into();
    origin
}

fn transition(alert: &Alert) -> Value {
    json!({ "incident_id": alert.incident_id, "reason": alert.reason, "transition": alert.phase.word() })
}

/// Alertmanager knows two.
fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolved => "resolved",
        Phase::Firing | Phase::Acknowledged | Phase::Other => "firing",
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Label;
    use sickbay_sdk::testing::{alert, notification};

    use super::*;

    fn labelled(zone: &str) -> Alert {
        Alert { labels: vec![Label::new("alertname", "test"), Label::new("zone", zone)], ..alert() }
    }

    #[test]
    fn one_alert_is_told_as_alertmanager_tells_it() {
        let alert = Alert { url: Some("https://sickbay.example/1".to_owned()), ..alert() };
        let told = Notification { extras: vec![Label::new("group.alertname", "test")], ..notification(vec![alert]) };
        let origin = json!({ "incident_id": "01INCIDENT", "reason": "Reported", "transition": "firing" });
        let annotations = json!({ "summary": "the service does not answer", "reason": "Reported" });
        assert_eq!(
            of("oncall", "https://sickbay.example", &told),
            json!({
                "version": "4",
                "groupKey": "test",
                "truncatedAlerts": 0,
                "status": "firing",
                "receiver": "oncall",
                "groupLabels": { "alertname": "test" },
                "commonLabels": { "alertname": "test" },
                "commonAnnotations": annotations,
                "externalURL": "https://sickbay.example",
                "alerts": [{
                    "status": "firing",
                    "labels": { "alertname": "test" },
                    "annotations": annotations,
                    "startsAt": "2026-01-01T00:00:00.000Z",
                    "endsAt": NEVER,
                    "generatorURL": "https://sickbay.example/1",
                    "fingerprint": "1f56cb8f931d1bd4",
                    "sickbay": origin,
                }],
                "sickbay": { "idempotency_key": "test-key", "incident_id": "01INCIDENT", "reason": "Reported", "transition": "firing" },
            })
        );
    }

    #[test]
    fn of_several_alerts_only_what_they_share_is_common() {
        let resolved = Alert { phase: Phase::Resolved, ended_at: Some(1_767_225_661_000), reason: "Passed".to_owned(), ..labelled("b") };
        let message = of("oncall", "", &notification(vec![labelled("a"), resolved]));
        assert_eq!((&message["status"], &message["commonLabels"]), (&json!("firing"), &json!({ "alertname": "test" })));
        assert_eq!(message["commonAnnotations"], json!({ "summary": "the service does not answer" }));
        assert_eq!(
            (&message["alerts"][1]["status"], &message["alerts"][1]["endsAt"]),
            (&json!("resolved"), &json!("2026-01-01T00:01:01.000Z"))
        );
        assert_eq!(message["sickbay"], json!({ "idempotency_key": "test-key" }));
        assert_ne!(message["alerts"][0]["fingerprint"], message["alerts"][1]["fingerprint"]);
    }

    #[test]
    fn an_alert_that_a_person_took_still_fires() {
        let message = of("oncall", "", &notification(vec![Alert { phase: Phase::Acknowledged, ..alert() }]));
        assert_eq!((&message["status"], &message["alerts"][0]["status"]), (&json!("firing"), &json!("firing")));
        assert_eq!(message["sickbay"]["transition"], "acknowledged");
    }

    #[test]
    fn alerts_without_room_are_counted() {
        let long = Alert { summary: "x".repeat(500 << 10), ..alert() };
        let told = Notification { extras: vec![Label::new("more", "7")], ..notification(vec![alert(), long.clone(), long, alert()]) };
        let message = of("oncall", "", &told);
        assert_eq!((message["alerts"].as_array().map(Vec::len), &message["truncatedAlerts"]), (Some(2), &json!(9)));
        assert!(message.to_string().len() < 1 << 20);
    }
}
