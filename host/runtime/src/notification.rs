//! What a sink is to tell, in plain values, and its way into the contract's own.
//!
//! Limits: [`ALERTS_MAX`] alerts are told, the rest is counted in the extra `more`; a summary is one line of 512 bytes.

use std::time::Duration;

use sickbay_core::{Evidence, Label, Status, Timestamp};

use crate::answer::{SUMMARY_BYTES_MAX, one_line};
use crate::bindings::exports::sickbay::plugin::sink;
use crate::bindings::sickbay::plugin::types;
use crate::plugin::{contract_evidence, contract_label, contract_status, millis};

/// Alerts of one notification.
pub const ALERTS_MAX: usize = 100;
/// Of what a sink says where it could not tell, as the contract has it.
pub const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Of what a receiver calls what it was told.
pub const REFERENCE_BYTES_MAX: usize = 4 << 10;
/// The extra that counts the alerts for which there was no room.
const MORE: &str = "more";

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Firing,
    /// A person has taken it.
    Acknowledged,
    Resolved,
}

impl Phase {
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Firing => "firing",
            Phase::Acknowledged => "acknowledged",
            Phase::Resolved => "resolved",
        }
    }
}

/// What a sink is to tell, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The same key means the same notification.
    pub idempotency_key: String,
    /// The key of the group.
    pub group: String,
    /// Firing while any of the alerts is.
    pub phase: Phase,
    /// The worst of the alerts.
    pub severity: String,
    /// Of a longer list the first [`ALERTS_MAX`] are told.
    pub alerts: Vec<Alert>,
    /// Alerts of the group that are not in the list.
    pub more: usize,
    /// From the receipt of this sink's last delivery for the group.
    pub reference: Option<String>,
    /// 1 for the first try at this delivery.
    pub attempt: u32,
    pub extras: Vec<Label>,
}

/// One alert of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Stable for one firing episode.
    pub incident_id: String,
    /// Its name in the configuration; empty where no check made it.
    pub check: String,
    pub target: Option<String>,
    pub phase: Phase,
    pub status: Status,
    /// The failure kind of the last report that had one.
    pub failure: Option<String>,
    pub severity: String,
    pub summary: String,
    /// The named reason of the transition.
    pub reason: String,
    /// What routing matched.
    pub labels: Vec<Label>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Worst first.
    pub evidence: Vec<Evidence>,
    /// Where to read more.
    pub url: Option<String>,
    pub extras: Vec<Label>,
}

/// What a sink is asked.
#[derive(Clone, Copy, Debug)]
pub struct SinkRequest<'a> {
    /// Its name in the configuration.
    pub sink: &'a str,
    pub kind: &'a str,
    /// JSON text.
    pub config: &'a str,
    pub notification: &'a Notification,
}

pub(crate) fn asked(request: &SinkRequest<'_>, timeout: Duration) -> sink::Request {
    sink::Request {
        sink: request.sink.to_owned(),
        kind: request.kind.to_owned(),
        config: request.config.to_owned(),
        timeout_ms: millis(timeout),
        notification: contract_notification(request.notification),
        extras: Vec::new(),
    }
}

fn contract_notification(notification: &Notification) -> sink::Notification {
    let more = notification.more.saturating_add(notification.alerts.len().saturating_sub(ALERTS_MAX));
    let mut extras: Vec<types::Label> = notification.extras.iter().map(contract_label).collect();
    if more > 0 {
        extras.push(types::Label { name: MORE.to_owned(), value: more.to_string() });
    }
    sink::Notification {
        idempotency_key: notification.idempotency_key.clone(),
        group: notification.group.clone(),
        phase: contract_phase(notification.phase),
        severity: notification.severity.clone(),
        alerts: notification.alerts.iter().take(ALERTS_MAX).map(contract_alert).collect(),
        reference: notification.reference.clone(),
        attempt: notification.attempt.max(1),
        extras,
    }
}

fn contract_alert(alert: &Alert) -> sink::Alert {
    sink::Alert {
        incident_id: alert.incident_id.clone(),
        check: alert.check.clone(),
        target: alert.target.clone(),
        phase: contract_phase(alert.phase),
        status: contract_status(alert.status),
        failure: alert.failure.clone(),
        severity: alert.severity.clone(),
        summary: one_line(&alert.summary, SUMMARY_BYTES_MAX),
        reason: alert.reason.clone(),
        labels: alert.labels.iter().map(contract_label).collect(),
        started_at: alert.started_at.0,
        ended_at: alert.ended_at.map(|at| at.0),
        evidence: alert.evidence.iter().map(contract_evidence).collect(),
        url: alert.url.clone(),
        extras: alert.extras.iter().map(contract_label).collect(),
    }
}

fn contract_phase(phase: Phase) -> sink::Phase {
    match phase {
        Phase::Firing => sink::Phase::Firing,
        Phase::Acknowledged => sink::Phase::Acknowledged,
        Phase::Resolved => sink::Phase::Resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(number: usize) -> Alert {
        Alert {
            incident_id: format!("incident-{number}"),
            check: "api".to_owned(),
            target: None,
            phase: Phase::Firing,
            status: Status::Critical,
            failure: Some("refused".to_owned()),
            severity: "P1".to_owned(),
            summary: "two\nlines".to_owned(),
            reason: "Reported".to_owned(),
            labels: vec![Label { name: "service".to_owned(), value: "shop".to_owned() }],
            started_at: Timestamp(1_000),
            ended_at: None,
            evidence: Vec::new(),
            url: None,
            extras: Vec::new(),
        }
    }

    fn told(alerts: usize, more: usize) -> sink::Notification {
        let notification = Notification {
            idempotency_key: "key".to_owned(),
            group: "{}".to_owned(),
            phase: Phase::Firing,
            severity: "P1".to_owned(),
            alerts: (0..alerts).map(alert).collect(),
            more,
            reference: Some("OPS-7".to_owned()),
            attempt: 0,
            extras: vec![Label { name: "group.service".to_owned(), value: "shop".to_owned() }],
        };
        let request = SinkRequest { sink: "oncall", kind: "post", config: "{}", notification: &notification };
        let asked = asked(&request, Duration::from_secs(10));
        assert_eq!((asked.sink.as_str(), asked.kind.as_str(), asked.config.as_str(), asked.timeout_ms), ("oncall", "post", "{}", 10_000));
        asked.notification
    }

    fn more(notification: &sink::Notification) -> Option<&str> {
        notification.extras.iter().find(|extra| extra.name == MORE).map(|extra| extra.value.as_str())
    }

    #[test]
    fn alerts_without_room_are_counted_and_others_are_not() {
        let few = told(2, 0);
        assert_eq!((few.alerts.len(), more(&few), few.extras.len()), (2, None, 1));
        let many = told(ALERTS_MAX + 3, 4);
        assert_eq!((many.alerts.len(), more(&many)), (ALERTS_MAX, Some("7")));
        assert_eq!(many.alerts[0].incident_id, "incident-0", "the first are told");
    }

    #[test]
    fn an_alert_is_told_as_it_is_with_its_summary_on_one_line() {
        let told = told(1, 0);
        let alert = &told.alerts[0];
        assert_eq!((alert.summary.as_str(), alert.started_at, alert.ended_at), ("two lines", 1_000, None));
        assert!(matches!((alert.phase, alert.status), (sink::Phase::Firing, types::Status::Critical)));
        assert_eq!((told.attempt, told.reference.as_deref()), (1, Some("OPS-7")), "tries are counted from 1");
    }
}
