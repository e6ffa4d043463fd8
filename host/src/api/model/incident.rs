//! Incidents as the API shows them, with the line of events and why who is told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sickbay_core::alerting::{
    Alerting, EventKind, Explanation, Incident, IncidentEvent, LabelSet, Mute, NextStep, RouteTaken, Rung, Source, Standing, ToldTo,
};
use sickbay_core::{Label, reason};
use utoipa::ToSchema;

use super::{EvidenceItem, StatusWord};
use crate::alerting::resolution_name;
use crate::clock::rfc3339;

/// One firing episode of one alert.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentItem {
    pub id: String,
    /// `firing`, `acknowledged` (a person has taken it) or `resolved`.
    pub phase: String,
    /// `P0` to `P3`, of the label `severity`.
    pub severity: String,
    /// What was last confirmed.
    pub status: StatusWord,
    /// Null where it was posted.
    pub check: Option<String>,
    pub target: Option<String>,
    pub summary: String,
    pub reason: String,
    pub reason_detail: String,
    pub failure: Option<String>,
    pub evidence: Vec<EvidenceItem>,
    /// What routes, silences and inhibition match; of a check, as they are written now.
    pub labels: BTreeMap<String, String>,
    /// Of the labels, as Prometheus computes it.
    pub fingerprint: String,
    /// Of whoever posted it.
    pub annotations: BTreeMap<String, String>,
    pub generator_url: Option<String>,
    pub started_at: String,
    pub ended_at: Option<String>,
    /// `Recovered`, `CheckRemoved`, `Ended` or `TimedOut`.
    pub resolution: Option<String>,
    pub ack: Option<AckItem>,
    /// Why nobody is told that it fires, by any route, also where each of its routes is mute at this time.
    pub mute: Option<MuteItem>,
    /// The check that is down and makes its check unreachable.
    pub unreachable_by: Option<String>,
    /// How many checks were unreachable because of its check when that was confirmed.
    #[serde(default)]
    pub dependents: usize,
    /// A sink knows of it, or may.
    pub was_told: bool,
}

impl IncidentItem {
    /// What to tell a person; see [`reason::told`].
    pub fn told(&self) -> String {
        reason::told(&self.summary, &self.reason, &self.reason_detail)
    }
}

impl From<&Incident> for IncidentItem {
    fn from(incident: &Incident) -> IncidentItem {
        let findings = &incident.findings;
        let generator_url = match &incident.source {
            Source::Check { .. } => None,
            Source::Posted { generator_url, .. } => generator_url.as_deref().map(str::to_owned),
        };
        IncidentItem {
            id: incident.id.to_string(),
            phase: incident.phase.as_str().to_owned(),
            severity: incident.severity.as_str().to_owned(),
            status: findings.status.into(),
            check: incident.check().map(ToString::to_string),
            target: incident.target.as_deref().map(str::to_owned),
            summary: findings.summary.clone(),
            reason: findings.reason.clone(),
            reason_detail: findings.reason_detail.clone(),
            failure: findings.failure.clone(),
            evidence: findings.evidence.iter().map(EvidenceItem::from).collect(),
            labels: labels(&incident.labels),
            fingerprint: incident.fingerprint.to_string(),
            annotations: incident.annotations.iter().map(|Label { name, value }| (name.clone(), value.clone())).collect(),
            generator_url,
            started_at: rfc3339(incident.started_at),
            ended_at: incident.ended_at.map(rfc3339),
            resolution: incident.resolution.map(|resolution| resolution_name(resolution).to_owned()),
            ack: incident.ack.as_ref().map(|ack| AckItem {
                by: ack.by.clone(),
                at: rfc3339(ack.at),
                until: ack.until.map(rfc3339),
                note: ack.note.clone(),
            }),
            mute: incident.muted_by().map(MuteItem::from),
            unreachable_by: incident.cause.as_deref().map(str::to_owned),
            dependents: findings.dependents,
            was_told: incident.was_told,
        }
    }
}

/// A person has taken it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AckItem {
    pub by: String,
    pub at: String,
    /// Null: until it is resolved.
    pub until: Option<String>,
    pub note: Option<String>,
}

/// Why nobody is told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MuteItem {
    /// `SilencedBy`, `InMaintenance`, `Unreachable`, `InhibitedBy`, `MutedTime` or `OutsideActiveTime`.
    pub name: String,
    /// As a sentence.
    pub detail: String,
    pub until: Option<String>,
}

impl From<&Mute> for MuteItem {
    fn from(mute: &Mute) -> MuteItem {
        MuteItem { name: mute.name().to_owned(), detail: mute.to_string(), until: mute.until().map(rfc3339) }
    }
}

/// An incident with all that happened to it, and what will.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentDetail {
    #[serde(flatten)]
    pub incident: IncidentItem,
    /// The newest lines of it, the oldest of these first.
    pub timeline: Vec<TimelineItem>,
    /// Why who is told, and what happens next; where it is long over, who was told, by its timeline.
    pub explanation: Option<ExplanationItem>,
}

/// One line of an incident's timeline.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TimelineItem {
    /// Counted from 1.
    pub number: u32,
    pub at: String,
    /// The name of what happened, a closed list: `Opened`, `Acknowledged`, `Notified`, ...
    pub name: String,
    /// As a sentence.
    pub text: String,
}

impl From<&IncidentEvent> for TimelineItem {
    fn from(event: &IncidentEvent) -> TimelineItem {
        let mut text = event.kind.to_string();
        if let EventKind::Acknowledged { until, note, .. } = &event.kind {
            text.extend(until.iter().flat_map(|until| [" until ".to_owned(), rfc3339(*until)]));
            text.extend(note.iter().flat_map(|note| [": ", note.as_str()]));
        }
        TimelineItem { number: event.number, at: rfc3339(event.at), name: event_name(&event.kind).to_owned(), text }
    }
}

fn event_name(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Opened { .. } => "Opened",
        EventKind::StatusChanged { .. } => "StatusChanged",
        EventKind::FlappingBegan => "FlappingBegan",
        EventKind::FlappingEnded => "FlappingEnded",
        EventKind::Acknowledged { .. } => "Acknowledged",
        EventKind::AckExpired => "AckExpired",
        EventKind::NoteAdded { .. } => "NoteAdded",
        EventKind::Muted { .. } => "Muted",
        EventKind::Unmuted => "Unmuted",
        EventKind::Escalated { .. } => "Escalated",
        EventKind::NobodyIsTold { .. } => "NobodyIsTold",
        EventKind::Notified { .. } => "Notified",
        EventKind::DeliveryFailed { .. } => "DeliveryFailed",
        EventKind::DeliveryRefused { .. } => "DeliveryRefused",
        EventKind::DeliveryExpired { .. } => "DeliveryExpired",
        EventKind::Resent { .. } => "Resent",
        EventKind::Relabelled => "Relabelled",
        EventKind::SinkRemoved { .. } => "SinkRemoved",
        EventKind::ResolvedBeforeSent => "ResolvedBeforeSent",
        EventKind::Resolved { .. } => "Resolved",
    }
}

/// The decision trace of an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplanationItem {
    /// The routes that take it.
    pub routes: Vec<RouteItem>,
    /// Why nobody is told, by any route.
    pub mute: Option<MuteItem>,
    /// Who knows of it, or may.
    pub told: Vec<ToldItem>,
    /// What happens next where nothing else does, the earliest first.
    pub next: Vec<NextItem>,
    /// What else there is to say, as sentences: that nobody is told, and why; that nothing follows.
    #[serde(default)]
    pub says: Vec<String>,
}

impl From<&Explanation> for ExplanationItem {
    fn from(explanation: &Explanation) -> ExplanationItem {
        ExplanationItem {
            routes: explanation.routes.iter().map(RouteItem::from).collect(),
            mute: explanation.mute.as_ref().map(MuteItem::from),
            told: explanation.told.iter().map(ToldItem::from).collect(),
            next: explanation.next.iter().map(NextItem::from).collect(),
            says: explanation.routes.iter().filter_map(nobody_is_told).collect(),
        }
    }
}

fn nobody_is_told(taken: &RouteTaken) -> Option<String> {
    let has_nobody = taken.sinks.is_empty() && taken.escalate.is_empty();
    has_nobody.then(|| format!("nobody is told by the route {}: it has no sinks", taken.route))
}

impl ExplanationItem {
    /// Of an incident about which nobody is owed a word any more; the oldest line first.
    pub fn of_settled(timeline: &[IncidentEvent]) -> ExplanationItem {
        let mut told: BTreeMap<&str, ToldItem> = BTreeMap::new();
        let mut says = Vec::new();
        for event in timeline {
            match &event.kind {
                EventKind::Notified { sink, phase } => {
                    let item = told.entry(sink).or_insert_with(|| ToldItem::untold(sink));
                    (item.phase, item.standing) = (phase.as_str().to_owned(), "Knows".to_owned());
                    item.last_told_at = Some(rfc3339(event.at));
                }
                EventKind::DeliveryRefused { sink, .. } | EventKind::DeliveryExpired { sink } => {
                    told.entry(sink).or_insert_with(|| ToldItem::untold(sink));
                    says.push(event.kind.to_string());
                }
                EventKind::NobodyIsTold { .. } | EventKind::SinkRemoved { .. } | EventKind::ResolvedBeforeSent => {
                    says.push(event.kind.to_string());
                }
                _ => {}
            }
        }
        if told.values().all(|item| item.last_told_at.is_none()) {
            says.push("nobody was told".to_owned());
        }
        says.push("nothing follows: it is over, and nobody is owed a word about it".to_owned());
        ExplanationItem { routes: Vec::new(), mute: None, told: told.into_values().collect(), next: Vec::new(), says }
    }
}

/// What a check has to do with alerts now.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CheckAlertsItem {
    /// Those that are open: of its failure, and of nobody being able to judge it.
    pub incidents: Vec<ExplainedItem>,
    /// Of a failure, where no incident is open: who would be told. Null where one is.
    pub explanation: Option<ExplanationItem>,
}

/// An incident, why who is told of it, and what happens next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExplainedItem {
    #[serde(flatten)]
    pub incident: IncidentItem,
    pub explanation: ExplanationItem,
}

impl CheckAlertsItem {
    /// `labels` are those of the alert that a failure of the check would be.
    pub fn of(check: &str, labels: &LabelSet, alerting: &Alerting) -> CheckAlertsItem {
        let is_its = |incident: &&Incident| incident.is_open() && incident.check().is_some_and(|known| **known == *check);
        let explained = |incident: &Incident| {
            let explanation = alerting.explain(incident.id)?;
            Some(ExplainedItem { incident: incident.into(), explanation: (&explanation).into() })
        };
        let incidents: Vec<ExplainedItem> = alerting.incidents().filter(is_its).filter_map(explained).collect();
        let explanation = incidents.is_empty().then(|| ExplanationItem::from(&alerting.explain_labels(labels)));
        CheckAlertsItem { incidents, explanation }
    }
}

/// A route that takes an alert.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RouteItem {
    pub route: String,
    /// Its own; none for the root.
    pub matchers: Vec<String>,
    pub group: String,
    pub sinks: Vec<String>,
    pub escalate: Vec<RungItem>,
    pub rungs_climbed: u32,
    pub group_wait_seconds: f64,
    pub group_interval_seconds: f64,
    pub repeat_interval_seconds: f64,
    /// Why nobody is told by this route now.
    pub mute: Option<MuteItem>,
}

impl From<&RouteTaken> for RouteItem {
    fn from(taken: &RouteTaken) -> RouteItem {
        RouteItem {
            route: taken.route.to_string(),
            matchers: taken.matchers.clone(),
            group: taken.group.to_string(),
            sinks: taken.sinks.iter().map(ToString::to_string).collect(),
            escalate: taken.escalate.iter().map(RungItem::from).collect(),
            rungs_climbed: taken.rungs_climbed,
            group_wait_seconds: taken.timing.group_wait.as_secs_f64(),
            group_interval_seconds: taken.timing.group_interval.as_secs_f64(),
            repeat_interval_seconds: taken.timing.repeat_interval.as_secs_f64(),
            mute: taken.mute.as_ref().map(MuteItem::from),
        }
    }
}

/// One rung of an escalation ladder.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RungItem {
    pub after_seconds: f64,
    pub sinks: Vec<String>,
}

impl From<&Rung> for RungItem {
    fn from(rung: &Rung) -> RungItem {
        let Rung { after, sinks } = rung;
        RungItem { after_seconds: after.as_secs_f64(), sinks: sinks.iter().map(ToString::to_string).collect() }
    }
}

/// What a sink knows of an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ToldItem {
    pub sink: String,
    /// Empty where the incident is long over.
    pub group: String,
    /// What it was last told.
    pub phase: String,
    /// `Knows`, `MayKnow` (it is not known how an attempt ended) or `Declined` (it refused, or was not reached in time).
    pub standing: String,
    pub last_told_at: Option<String>,
    /// What is on its way to it for this group.
    pub delivery: Option<String>,
}

impl ToldItem {
    /// One that was to be told.
    fn untold(sink: &str) -> ToldItem {
        let (phase, standing) = ("firing".to_owned(), "Declined".to_owned());
        ToldItem { sink: sink.to_owned(), group: String::new(), phase, standing, last_told_at: None, delivery: None }
    }
}

impl From<&ToldTo> for ToldItem {
    fn from(told: &ToldTo) -> ToldItem {
        let standing = match told.standing {
            Standing::Knows => "Knows",
            Standing::MayKnow => "MayKnow",
            Standing::Declined => "Declined",
        };
        ToldItem {
            sink: told.sink.to_string(),
            group: told.group.to_string(),
            phase: told.phase.as_str().to_owned(),
            standing: standing.to_owned(),
            last_told_at: told.last_told_at.map(rfc3339),
            delivery: told.delivery.map(|delivery| delivery.to_string()),
        }
    }
}

/// What happens next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NextItem {
    pub at: String,
    pub what: String,
}

impl From<&NextStep> for NextItem {
    fn from(step: &NextStep) -> NextItem {
        NextItem { at: rfc3339(step.at), what: step.what.clone() }
    }
}

fn labels(labels: &LabelSet) -> BTreeMap<String, String> {
    labels.iter().map(|Label { name, value }| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use sickbay_core::Timestamp;
    use sickbay_core::alerting::{Fact, PostedAlert};

    use super::*;

    #[test]
    fn a_line_of_the_timeline_has_the_name_that_is_stored_and_tells_what_a_person_wrote() {
        let mut alerting = Alerting::new(Default::default(), 1, Timestamp(1_000));
        let posted = PostedAlert {
            labels: LabelSet::new([("alertname", "Disk")]).expect("a label"),
            annotations: Default::default(),
            starts_at: None,
            ends_at: None,
            generator_url: None,
        };
        let opened = alerting.apply(Fact::Posted { alerts: vec![posted] }, Timestamp(1_000));
        let incident = opened.incidents[0].id;
        let acknowledge =
            Fact::Acknowledge { incident, by: "anna".to_owned(), until: Some(Timestamp(61_000)), note: Some("on it".to_owned()) };
        let changes = alerting.apply(acknowledge, Timestamp(2_000));
        let events: Vec<&IncidentEvent> = opened.events.iter().chain(&changes.events).collect();
        for event in &events {
            let stored = serde_json::to_value(&event.kind).expect("an event is JSON");
            assert_eq!(stored["name"], TimelineItem::from(*event).name);
        }
        let line = TimelineItem::from(*events.last().expect("the last line"));
        assert_eq!(line.text, "acknowledged by anna until 1970-01-01T00:01:01.000Z: on it");
        let item = IncidentItem::from(&changes.incidents[0]);
        assert_eq!((item.phase.as_str(), item.ack.map(|ack| ack.by)), ("acknowledged", Some("anna".to_owned())));
        assert_eq!((item.labels["alertname"].as_str(), item.check, item.resolution), ("Disk", None, None));
    }
}
