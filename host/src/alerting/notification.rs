//! What a sink is told, out of a delivery.
//!
//! Extras: `group.NAME` for each label by which the group was made, `external_url` where the configuration has it, `annotation.NAME` for what
//! a poster annotated. The labels of an alert are exactly those of its fingerprint.

use sickbay_core::alerting::{self, Delivery, IncidentId, LabelSet, Resolution};
use sickbay_core::{Label, Status, reason};
use sickbay_runtime::notification::{Alert, Notification, Phase};

/// `resolution` tells why an incident is over; `external_url` is where people find the page of this Sickbay.
pub(super) fn notification(
    delivery: &Delivery,
    resolution: impl Fn(IncidentId) -> Option<Resolution>,
    external_url: Option<&str>,
) -> Notification {
    // What was said as firing stays so when it is said again, also where it is over by now.
    let resolution = |told: &alerting::Alert| if told.phase == alerting::Phase::Resolved { resolution(told.incident) } else { None };
    let alerts = delivery.alerts.iter().map(|told| alert(told, resolution(told), external_url));
    let mut extras = extras("group.", delivery.group_labels.iter());
    extras.extend(external_url.map(|page| Label { name: "external_url".to_owned(), value: page.to_owned() }));
    Notification {
        idempotency_key: delivery.id.to_string(),
        group: delivery.group.to_string(),
        phase: phase(delivery.phase),
        severity: delivery.severity.as_str().to_owned(),
        alerts: alerts.collect(),
        more: delivery.more as usize,
        reference: delivery.reference.as_deref().map(str::to_owned),
        attempt: delivery.attempts,
        extras,
    }
}

fn alert(told: &alerting::Alert, resolution: Option<Resolution>, external_url: Option<&str>) -> Alert {
    let findings = &told.findings;
    let summary = reason::told(&findings.summary, &findings.reason, &findings.reason_detail);
    // A poster's own page says more than ours.
    let url = told.generator_url.as_deref().filter(|url| !url.is_empty()).map(str::to_owned);
    Alert {
        incident_id: told.incident.to_string(),
        check: check_name(told),
        target: told.target.as_deref().map(str::to_owned),
        phase: phase(told.phase),
        status: status(findings.status, resolution),
        failure: findings.failure.clone(),
        severity: told.severity.as_str().to_owned(),
        summary,
        reason: resolution.map_or_else(|| findings.reason.clone(), |resolution| resolution_name(resolution).to_owned()),
        labels: labels(&told.labels),
        started_at: told.started_at,
        ended_at: told.ended_at,
        evidence: findings.evidence.clone(),
        url: url.or_else(|| external_url.map(|page| page_of(page, told.incident))),
        extras: extras("annotation.", told.annotations.iter()),
    }
}

/// An alert that ended well is no longer what it was; of one that went with its check, or fell silent, nothing better is known.
fn status(last: Status, resolution: Option<Resolution>) -> Status {
    match resolution {
        Some(Resolution::Recovered | Resolution::Ended) => Status::Ok,
        Some(Resolution::CheckRemoved | Resolution::TimedOut) | None => last,
    }
}

/// As it is written: the target stands beside it.
fn check_name(told: &alerting::Alert) -> String {
    let name = told.check.as_deref().unwrap_or_default();
    let written = told.target.as_ref().and_then(|target| name.strip_suffix(&**target)?.strip_suffix('@'));
    written.unwrap_or(name).to_owned()
}

/// Where the page shows an incident.
fn page_of(external_url: &str, incident: IncidentId) -> String {
    format!("{}/#{incident}", external_url.trim_end_matches('/'))
}

/// The reason of a resolve, a closed list.
pub(crate) fn resolution_name(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Recovered => "Recovered",
        Resolution::CheckRemoved => "CheckRemoved",
        Resolution::Ended => "Ended",
        Resolution::TimedOut => "TimedOut",
    }
}

fn phase(phase: alerting::Phase) -> Phase {
    match phase {
        alerting::Phase::Firing => Phase::Firing,
        alerting::Phase::Acknowledged => Phase::Acknowledged,
        alerting::Phase::Resolved => Phase::Resolved,
    }
}

fn labels(labels: &LabelSet) -> Vec<Label> {
    labels.iter().cloned().collect()
}

fn extras<'a>(before: &str, labels: impl Iterator<Item = &'a Label>) -> Vec<Label> {
    labels.map(|Label { name, value }| Label { name: format!("{before}{name}"), value: value.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sickbay_core::Timestamp;
    use sickbay_core::alerting::{Alerting, AlertingConfig, CheckIdentity, Fact, Findings, GroupBy, PostedAlert, RouteConfig, SinkConfig};

    use super::*;

    fn machine() -> Alerting {
        let route = RouteConfig {
            sinks: Some(vec!["oncall".into()]),
            group_by: Some(GroupBy::Labels(vec!["service".to_owned()])),
            group_wait: Some(Duration::ZERO),
            group_interval: Some(Duration::from_secs(1)),
            ..RouteConfig::default()
        };
        let config = AlertingConfig { sinks: vec![SinkConfig::named("oncall")], route, ..AlertingConfig::default() };
        Alerting::new(Arc::new(config), 1, Timestamp(1_000))
    }

    fn label(name: &str, value: &str) -> Label {
        Label { name: name.to_owned(), value: value.to_owned() }
    }

    /// What the sink is told at `second`.
    fn told(alerting: &mut Alerting, second: u64, external_url: Option<&str>) -> Notification {
        let now = Timestamp(second * 1_000);
        alerting.apply(Fact::Tick, now);
        let due = alerting.due_deliveries(now).next().expect("something is to be told");
        let changes = alerting.apply(Fact::Attempting { delivery: due }, now);
        let delivery = changes.attempt(due).expect("it is attempted");
        let told = notification(delivery, |id| alerting.incident(id)?.resolution, external_url);
        let outcome = alerting::Outcome::Delivered { reference: Some("OPS-7".to_owned()) };
        alerting.apply(Fact::DeliveryEnded { delivery: due, attempt: told.attempt, outcome }, now);
        told
    }

    #[test]
    fn a_check_is_told_by_the_name_that_is_written_with_its_labels_alone() {
        let mut alerting = machine();
        let check = CheckIdentity {
            name: "backup@a.example".into(),
            plugin: "http".into(),
            kind: "http".into(),
            target: Some("a.example".into()),
            owner: None,
            labels: LabelSet::new([("service", "shop"), ("severity", "P1")]).expect("labels"),
        };
        let findings = Findings { status: Status::Warning, failure: Some("timeout".to_owned()), ..Findings::posted("slow") };
        alerting.apply(Fact::Transition { check: Arc::new(check), findings: Arc::new(findings) }, Timestamp(2_000));
        let firing = told(&mut alerting, 2, Some("https://sickbay.example/"));
        assert_eq!((firing.phase, firing.severity.as_str(), firing.attempt), (Phase::Firing, "P1", 1));
        assert_eq!(firing.extras, [label("group.service", "shop"), label("external_url", "https://sickbay.example/")]);
        let [alert] = firing.alerts.as_slice() else { panic!("one alert: {firing:?}") };
        assert_eq!((alert.check.as_str(), alert.target.as_deref(), alert.status), ("backup", Some("a.example"), Status::Warning));
        assert_eq!(alert.url, Some(format!("https://sickbay.example/#{}", alert.incident_id)));
        let names: Vec<&str> = alert.labels.iter().map(|label| label.name.as_str()).collect();
        assert_eq!(names, ["alertname", "check", "kind", "plugin", "service", "severity", "target"]);

        alerting.apply(Fact::CheckRemoved { check: "backup@a.example".into() }, Timestamp(5_000));
        let resolved = told(&mut alerting, 6, None);
        let [end] = resolved.alerts.as_slice() else { panic!("one alert: {resolved:?}") };
        assert_eq!((end.phase, end.reason.as_str(), end.ended_at), (Phase::Resolved, "CheckRemoved", Some(Timestamp(5_000))));
        assert_eq!((&end.incident_id, resolved.reference.as_deref(), end.url.as_deref()), (&alert.incident_id, Some("OPS-7"), None));
    }

    #[test]
    fn what_may_have_arrived_is_said_again_as_it_was_said_though_it_is_over_by_now() {
        let mut alerting = machine();
        let posted = |ends_at: Option<Timestamp>| PostedAlert {
            labels: LabelSet::new([("alertname", "Disk")]).expect("a label"),
            annotations: [].into(),
            starts_at: None,
            ends_at,
            generator_url: None,
        };
        alerting.apply(Fact::Posted { alerts: vec![posted(None)] }, Timestamp(2_000));
        let due = alerting.due_deliveries(Timestamp(2_000)).next().expect("it is to be told");
        let attempt = |alerting: &mut Alerting, second: u64| {
            let changes = alerting.apply(Fact::Attempting { delivery: due }, Timestamp(second * 1_000));
            let delivery = changes.attempt(due).expect("it is attempted");
            Notification { attempt: 0, ..notification(delivery, |id| alerting.incident(id)?.resolution, None) }
        };
        let first = attempt(&mut alerting, 2);
        let outcome = alerting::Outcome::Lost { error: "a trap".to_owned() };
        alerting.apply(Fact::DeliveryEnded { delivery: due, attempt: 1, outcome }, Timestamp(3_000));
        alerting.apply(Fact::Posted { alerts: vec![posted(Some(Timestamp(4_000)))] }, Timestamp(4_000));
        let second = attempt(&mut alerting, 10);
        assert_eq!((first.alerts[0].phase, first.alerts[0].status), (Phase::Firing, Status::Critical));
        assert_eq!(second, first);
    }

    #[test]
    fn what_was_posted_brings_its_annotations_and_its_own_page() {
        let mut alerting = machine();
        let posted = PostedAlert {
            labels: LabelSet::new([("alertname", "Disk"), ("severity", "critical")]).expect("labels"),
            annotations: [label("runbook", "https://wiki.example/disk")].into(),
            starts_at: None,
            ends_at: None,
            generator_url: Some("https://prometheus.example/graph".into()),
        };
        alerting.apply(Fact::Posted { alerts: vec![posted] }, Timestamp(2_000));
        let firing = told(&mut alerting, 2, Some("https://sickbay.example"));
        let alert = &firing.alerts[0];
        assert_eq!((alert.check.as_str(), alert.summary.as_str()), ("", "Disk"));
        assert_eq!(alert.extras, [label("annotation.runbook", "https://wiki.example/disk")]);
        assert_eq!(alert.url.as_deref(), Some("https://prometheus.example/graph"));
        // Sinks go by the label, which the host reads as P3.
        assert_eq!((alert.severity.as_str(), alert.labels.last()), ("P3", Some(&label("severity", "critical"))));
        assert_eq!(firing.extras, [label("external_url", "https://sickbay.example")], "the group has no such label");
        assert_eq!([Some(Resolution::Ended), None].map(|resolution| status(Status::Critical, resolution)), [Status::Ok, Status::Critical]);
    }
}
