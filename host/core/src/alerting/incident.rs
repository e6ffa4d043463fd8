//! An incident: one firing episode of one alert, from its begin to its resolve, and everything that happened to it.
//!
//! Who is who: an *alert* is a label set that is bad; an [`Incident`] is one time that it was so. A [`Membership`] is its place in a group of
//! a route. An [`IncidentEvent`] is a line of its timeline; [`EventKind`] is the closed list.
//!
//! Limits: [`NOTE_BYTES_MAX`]; summaries and evidence have the bounds of a judgement.
//! Invariant: a sink that was told of an incident hears of it with the labels that it was told first, also where those of its check changed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::SinkName;
use super::fact::posted_bytes;
use super::group::GroupKey;
use super::id::{IncidentId, SilenceId};
use super::labels::{Fingerprint, LabelSet};
use super::matcher::Subject;
use crate::text::one_line;
use crate::{Evidence, Judgement, Label, Status, Timestamp};

/// Of a note, an acknowledgement's note, or an error that stands in a timeline.
pub const NOTE_BYTES_MAX: usize = 1024;

const SUMMARY_BYTES_MAX: usize = 512;

/// How bad an incident is, from the label `severity`. P0 is the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    P0,
    P1,
    P2,
    #[default]
    P3,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::P0 => "P0",
            Severity::P1 => "P1",
            Severity::P2 => "P2",
            Severity::P3 => "P3",
        }
    }

    /// What the label says; P3 where it says nothing or something else.
    pub fn of(labels: &LabelSet) -> Severity {
        labels.get("severity").and_then(Severity::named).unwrap_or_default()
    }

    pub fn named(name: &str) -> Option<Severity> {
        [Severity::P0, Severity::P1, Severity::P2, Severity::P3].into_iter().find(|severity| severity.as_str() == name)
    }
}

/// Where an incident is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// Which of its two alerts a check has: the target is bad, or nobody can judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertKind {
    Failure,
    Unknown,
}

/// Where an incident comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Source {
    Check {
        check: Arc<str>,
        kind: AlertKind,
    },
    /// Somebody posted it, and has to go on doing so.
    Posted {
        ends_at: Timestamp,
        /// Whether `ends_at` is the poster's word or the timeout.
        has_own_end: bool,
        generator_url: Option<Arc<str>>,
    },
}

/// What was found; shared by an incident and the notifications that tell it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    pub status: Status,
    /// One line for a person.
    pub summary: String,
    /// The name of the reason, and the reason as a sentence.
    pub reason: String,
    pub reason_detail: String,
    pub failure: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// How many checks were unreachable because of it when it was confirmed.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub dependents: usize,
}

// As serde wants it.
fn is_none_of_them(count: &usize) -> bool {
    *count == 0
}

impl Findings {
    pub fn of(judgement: &Judgement) -> Findings {
        Findings {
            status: judgement.status,
            summary: judgement.summary.clone(),
            reason: judgement.reason.name().to_owned(),
            reason_detail: one_line(&judgement.reason.to_string(), NOTE_BYTES_MAX),
            failure: judgement.failure.clone(),
            evidence: judgement.evidence.clone(),
            dependents: 0,
        }
    }

    /// Of an alert that somebody posted.
    pub fn posted(summary: &str) -> Findings {
        Findings {
            status: Status::Critical,
            summary: one_line(summary, SUMMARY_BYTES_MAX),
            reason: "Posted".to_owned(),
            reason_detail: "posted to the API".to_owned(),
            failure: None,
            evidence: Vec::new(),
            dependents: 0,
        }
    }

    /// With what stands on it: `it does not answer (31 dependents)`. Of nothing nothing is said.
    #[must_use]
    pub fn with_dependents(mut self, dependents: usize) -> Findings {
        self.dependents = dependents;
        if dependents > 0 {
            // Where there is no summary, the reason is told.
            let told = if self.summary.is_empty() { &mut self.reason_detail } else { &mut self.summary };
            let plural = if dependents == 1 { "" } else { "s" };
            *told = format!("{told} ({dependents} dependent{plural})");
        }
        self
    }
}

/// A person has taken it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub by: String,
    pub at: Timestamp,
    /// None: until it is resolved.
    pub until: Option<Timestamp>,
    pub note: Option<String>,
}

/// Why nobody is told that an incident fires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Mute {
    SilencedBy {
        silence: SilenceId,
        until: Timestamp,
    },
    InMaintenance {
        window: Arc<str>,
        /// Of one that comes only once.
        until: Option<Timestamp>,
    },
    Unreachable {
        parent: Arc<str>,
    },
    InhibitedBy {
        incident: IncidentId,
    },
    MutedTime {
        interval: Arc<str>,
    },
    OutsideActiveTime,
}

impl Mute {
    /// The name that the API, the page and the timeline share.
    pub fn name(&self) -> &'static str {
        match self {
            Mute::SilencedBy { .. } => "SilencedBy",
            Mute::InMaintenance { .. } => "InMaintenance",
            Mute::Unreachable { .. } => "Unreachable",
            Mute::InhibitedBy { .. } => "InhibitedBy",
            Mute::MutedTime { .. } => "MutedTime",
            Mute::OutsideActiveTime => "OutsideActiveTime",
        }
    }

    /// When it ends, where that is known.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Mute::SilencedBy { until, .. } => Some(*until),
            Mute::InMaintenance { until, .. } => *until,
            Mute::Unreachable { .. } | Mute::InhibitedBy { .. } | Mute::MutedTime { .. } | Mute::OutsideActiveTime => None,
        }
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mute::SilencedBy { silence, .. } => write!(formatter, "silence {silence}"),
            Mute::InMaintenance { window, .. } => write!(formatter, "maintenance `{window}`"),
            Mute::Unreachable { parent } => write!(formatter, "`{parent}` is down, on which it depends"),
            Mute::InhibitedBy { incident } => write!(formatter, "incident {incident} inhibits it"),
            Mute::MutedTime { interval } => write!(formatter, "the route is mute during `{interval}`"),
            Mute::OutsideActiveTime => formatter.write_str("the route is not active at this time"),
        }
    }
}

/// The place of an incident in a group of one of its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub group: GroupKey,
    /// From when the ladder of the route is counted; none until the incident was first to be told.
    pub ladder_from: Option<Timestamp>,
    /// Rungs that were climbed.
    pub rungs: u32,
    /// Times of the route at which it is mute.
    pub mute: Option<Mute>,
}

/// Why an incident is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resolution {
    Recovered,
    CheckRemoved,
    /// The poster said so.
    Ended,
    /// The poster fell silent.
    TimedOut,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub fingerprint: Fingerprint,
    pub labels: LabelSet,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub annotations: Arc<[Label]>,
    pub source: Source,
    pub target: Option<Arc<str>>,
    pub severity: Severity,
    pub phase: Phase,
    pub findings: Arc<Findings>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub resolution: Option<Resolution>,
    pub ack: Option<Ack>,
    /// The check that makes its check unreachable.
    pub cause: Option<Arc<str>>,
    pub mute: Option<Mute>,
    pub memberships: Vec<Membership>,
    /// The labels with which sinks know it that were told before its labels changed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told_as: BTreeMap<SinkName, LabelSet>,
    /// A sink knows of it, or may.
    pub was_told: bool,
    /// Lines of its timeline so far.
    pub events_len: u32,
    /// It is resolved, and nobody is owed a word about it any more.
    pub is_settled: bool,
}

impl Incident {
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Resolved
    }

    /// What it takes to keep what somebody posted, about.
    pub(super) fn posted_bytes(&self) -> usize {
        match &self.source {
            Source::Posted { generator_url, .. } => posted_bytes(&self.labels, &self.annotations, generator_url.as_deref()),
            Source::Check { .. } => 0,
        }
    }

    /// Why nobody is told that it fires; of several routes that are mute at this time, the first says why.
    pub fn muted_by(&self) -> Option<&Mute> {
        let by_routes = || {
            let are_all = self.memberships.iter().all(|membership| membership.mute.is_some());
            self.memberships.first().filter(|_| are_all)?.mute.as_ref()
        };
        self.mute.as_ref().or_else(by_routes)
    }

    pub fn subject(&self) -> Subject<'_> {
        Subject { labels: &self.labels, status: self.findings.status, severity: self.severity }
    }

    /// The check that it is of.
    pub fn check(&self) -> Option<&Arc<str>> {
        match &self.source {
            Source::Check { check, .. } => Some(check),
            Source::Posted { .. } => None,
        }
    }

    /// Whether it is of a check that nobody can judge.
    pub fn is_unknown(&self) -> bool {
        matches!(self.source, Source::Check { kind: AlertKind::Unknown, .. })
    }
}

/// One line of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentEvent {
    pub incident: IncidentId,
    /// Counted from 1 without a gap.
    pub number: u32,
    pub at: Timestamp,
    pub kind: EventKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum EventKind {
    Opened {
        status: Status,
    },
    StatusChanged {
        from: Status,
        to: Status,
    },
    FlappingBegan,
    FlappingEnded,
    Acknowledged {
        by: String,
        until: Option<Timestamp>,
        note: Option<String>,
    },
    AckExpired,
    NoteAdded {
        by: String,
        text: String,
    },
    Muted {
        by: Mute,
    },
    Unmuted,
    Escalated {
        rung: u32,
        sinks: Vec<SinkName>,
    },
    /// Every route that takes it has no sinks; the first of them.
    NobodyIsTold {
        route: Arc<str>,
    },
    Notified {
        sink: SinkName,
        phase: Phase,
    },
    DeliveryFailed {
        sink: SinkName,
        error: String,
    },
    DeliveryRefused {
        sink: SinkName,
        error: String,
    },
    DeliveryExpired {
        sink: SinkName,
    },
    Resent {
        sink: SinkName,
        by: String,
    },
    Relabelled,
    SinkRemoved {
        sink: SinkName,
    },
    ResolvedBeforeSent,
    Resolved {
        reason: Resolution,
    },
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKind::Opened { status } => write!(formatter, "opened: {status}"),
            EventKind::StatusChanged { from, to } => write!(formatter, "from {from} to {to}"),
            EventKind::FlappingBegan => formatter.write_str("flapping: it stays open until its check is calm"),
            EventKind::FlappingEnded => formatter.write_str("no longer flapping"),
            EventKind::Acknowledged { by, .. } => write!(formatter, "acknowledged by {by}"),
            EventKind::AckExpired => formatter.write_str("the acknowledgement has run out"),
            EventKind::NoteAdded { by, text } => write!(formatter, "{by}: {text}"),
            EventKind::Muted { by } => write!(formatter, "muted: {by}"),
            EventKind::Unmuted => formatter.write_str("no longer muted"),
            EventKind::Escalated { rung, sinks } => write!(formatter, "escalated, step {rung}: {}", sinks.join(", ")),
            EventKind::NobodyIsTold { route } => write!(formatter, "nobody is told: the route {route} has no sinks"),
            EventKind::Notified { sink, phase } => write!(formatter, "`{sink}` took it: {}", phase.as_str()),
            EventKind::DeliveryFailed { sink, error } => write!(formatter, "`{sink}` could not take it, it is tried again: {error}"),
            EventKind::DeliveryRefused { sink, error } => write!(formatter, "`{sink}` refused it: {error}"),
            EventKind::DeliveryExpired { sink } => write!(formatter, "given up: `{sink}` did not take it in time"),
            EventKind::Resent { sink, by } => write!(formatter, "{by} had it sent to `{sink}` again"),
            EventKind::Relabelled => formatter.write_str("the labels of its check changed"),
            EventKind::SinkRemoved { sink } => write!(formatter, "`{sink}` is no longer configured and hears no end of it"),
            EventKind::ResolvedBeforeSent => formatter.write_str("resolved before anybody was told"),
            EventKind::Resolved { reason } => formatter.write_str(match reason {
                Resolution::Recovered => "resolved: the check recovered",
                Resolution::CheckRemoved => "resolved: the check is no longer configured",
                Resolution::Ended => "resolved: its poster said so",
                Resolution::TimedOut => "resolved: its poster fell silent",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_severity_is_the_labels_and_p3_otherwise() {
        let severity = |value: &str| Severity::of(&LabelSet::new([("severity", value)]).expect("a label"));
        assert_eq!(
            (severity("P0"), severity("P2"), severity("page"), severity("")),
            (Severity::P0, Severity::P2, Severity::P3, Severity::P3)
        );
        assert!(Severity::P0 < Severity::P3);
    }

    #[test]
    fn what_stands_on_a_check_is_told_with_what_was_found() {
        let down = Findings::posted("db-primary down").with_dependents(31);
        assert_eq!((down.summary.as_str(), down.dependents), ("db-primary down (31 dependents)", 31));
        assert_eq!(Findings::posted("").with_dependents(1).reason_detail, "posted to the API (1 dependent)");
        assert_eq!(Findings::posted("alone").with_dependents(0), Findings::posted("alone"));
        assert!(!serde_json::to_string(&Findings::posted("alone")).expect("findings are JSON").contains("dependents"));
    }

    #[test]
    fn an_event_is_stored_by_its_name_and_told_as_a_sentence() {
        let kind = EventKind::Muted { by: Mute::MutedTime { interval: "night".into() } };
        let json = serde_json::to_string(&kind).expect("an event is JSON");
        assert_eq!(json, r#"{"name":"Muted","by":{"name":"MutedTime","interval":"night"}}"#);
        assert_eq!(serde_json::from_str::<EventKind>(&json).expect("the same event"), kind);
        assert_eq!(kind.to_string(), "muted: the route is mute during `night`");
    }
}
