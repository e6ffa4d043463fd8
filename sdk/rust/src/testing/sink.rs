//! Sinks on the scripted host.

use serde_json::Value;

use super::recovery::BEGAN_AT_MS;
use super::{FakeHost, TIMEOUT_MS};
use crate::bindings::exports::sickbay::plugin::sink as wire;
use crate::{Alert, DeliveryError, Label, Notification, Phase, Receipt, Sink, Status};

impl FakeHost {
    /// Has a sink tell something.
    pub fn deliver<S: Sink>(&mut self, config: Value, notification: Notification) -> Result<Receipt, DeliveryError> {
        let request = wire_request(S::NAME, &config, notification);
        self.serve(|| crate::sink::deliver::<S>(request))
    }
}

pub(crate) fn wire_request(kind: &str, config: &Value, notification: Notification) -> wire::Request {
    wire::Request {
        sink: "test".to_owned(),
        kind: kind.to_owned(),
        config: config.to_string(),
        timeout_ms: TIMEOUT_MS,
        notification,
        extras: Vec::new(),
    }
}

/// A firing alert of a check `test`.
pub fn alert() -> Alert {
    Alert {
        incident_id: "01INCIDENT".to_owned(),
        check: "test".to_owned(),
        target: None,
        phase: Phase::Firing,
        status: Status::Critical,
        failure: Some("connection".to_owned()),
        severity: "P3".to_owned(),
        summary: "the service does not answer".to_owned(),
        reason: "Reported".to_owned(),
        labels: vec![Label::new("alertname", "test")],
        started_at: BEGAN_AT_MS,
        ended_at: None,
        evidence: Vec::new(),
        url: None,
        extras: Vec::new(),
    }
}

/// The same with this label `severity`, and what the host makes of it.
pub fn severe(word: &str) -> Alert {
    let mut alert = alert();
    alert.labels.push(Label::new("severity", word));
    alert.severity = if ["P0", "P1", "P2"].contains(&word) { word.to_owned() } else { "P3".to_owned() };
    alert
}

/// A notification of these alerts, for the group `test` and with the key `test-key`: firing while any of them is.
pub fn notification(alerts: Vec<Alert>) -> Notification {
    let is_firing = alerts.iter().any(|alert| alert.phase == Phase::Firing);
    let first = alerts.first().map_or(Phase::Firing, |alert| alert.phase);
    Notification {
        idempotency_key: "test-key".to_owned(),
        group: "test".to_owned(),
        phase: if is_firing { Phase::Firing } else { first },
        severity: "P3".to_owned(),
        alerts,
        reference: None,
        attempt: 1,
        extras: Vec::new(),
    }
}
