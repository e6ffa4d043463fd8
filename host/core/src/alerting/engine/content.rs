//! What a sink is to be told about a group, if anything.
//!
//! - Ends: of every incident that stands in the ledger and is resolved, whatever is muted.
//! - Firing: members that the sink does not know of, and those that it knows of; without what is muted, and without what the sink was told in
//!   another group.
//! - Nothing, unless one of them is news: a new one, an end, an acknowledgement (where the sink wants it), or it is time to remind.
//! - Where a reminder only counted some and the sink hears only what is named: these, and not again those that were named.

use super::super::config::SinkName;
use super::super::delivery::{ALERTS_MAX, Alert, Cause, Change, Cover};
use super::super::group::GroupKey;
use super::super::incident::{Membership, Phase, Severity};
use super::super::ledger::{Standing, Told};
use super::{Alerting, Case};

pub(super) struct Content {
    pub(super) cause: Cause,
    pub(super) phase: Phase,
    pub(super) severity: Severity,
    pub(super) alerts: Vec<Alert>,
    pub(super) more: u32,
    pub(super) covers: Vec<Cover>,
    /// There are more ends than one notification names; another follows.
    pub(super) has_rest: bool,
}

/// An incident that a notification is about, and what the sink knows of it.
type Part<'a> = (&'a Case, Option<Told>);

/// The incidents that a notification is about.
#[derive(Default)]
struct Parts<'a> {
    /// Resolved, and known by name.
    ended: Vec<Part<'a>>,
    /// Resolved, and known as one of many.
    ended_counted: Vec<Part<'a>>,
    new: Vec<Part<'a>>,
    /// Counted by a reminder that the sink hears the names of.
    left: Vec<Part<'a>>,
    known: Vec<Part<'a>>,
    has_acknowledgement: bool,
}

impl Alerting {
    pub(super) fn content(&self, key: &GroupKey, sink: &SinkName) -> Option<Content> {
        let mut parts = self.parts(key, sink)?;
        let cause = self.cause(&parts, key, sink)?;
        let has_rest = parts.ended.len() > ALERTS_MAX;
        parts.ended.truncate(ALERTS_MAX);
        let firing = || parts.new.iter().chain(&parts.left).chain(&parts.known).map(|(case, _)| case.incident.phase);
        let phase = if firing().any(|phase| phase == Phase::Firing) {
            Phase::Firing
        } else if firing().next().is_some() {
            Phase::Acknowledged
        } else {
            Phase::Resolved
        };
        if !parts.left.is_empty() {
            parts.known.clear();
        }
        for parts in [&mut parts.new, &mut parts.left, &mut parts.known] {
            parts.sort_by_key(|(case, _)| (case.incident.severity, case.incident.started_at, case.incident.id));
        }
        let mut content =
            Content { cause, phase, severity: Severity::default(), alerts: Vec::new(), more: 0, covers: Vec::new(), has_rest };
        for (case, told) in parts.ended.into_iter().chain(parts.new).chain(parts.left).chain(parts.known).chain(parts.ended_counted) {
            content.add(case, told, sink);
        }
        Some(content)
    }

    fn parts(&self, key: &GroupKey, sink: &SinkName) -> Option<Parts<'_>> {
        let group = self.groups.get(key)?;
        let tells_acknowledgements = self.sinks.get(sink)?.config.tells_acknowledgements;
        let entry = group.conversations.get(sink).map(|conversation| &conversation.entry);
        let mut parts = Parts::default();
        for (id, told) in entry.into_iter().flat_map(|entry| &entry.told) {
            let Some(case) = self.cases.get(id) else { continue };
            let part = (case, Some(*told));
            if case.incident.is_open() {
                if self.may_hear(case, sink, |_| true) {
                    parts.has_acknowledgement |= tells_acknowledgements && told.phase != case.incident.phase;
                    let known = if told.is_left { &mut parts.left } else { &mut parts.known };
                    known.push(part);
                }
            } else if !told.is_owed() {
                continue;
            } else if told.is_named {
                parts.ended.push(part);
            } else {
                parts.ended_counted.push(part);
            }
        }
        for id in &group.members {
            let Some(case) = self.cases.get(id) else { continue };
            // Who was told, here or in another group, is not told again that it is new.
            if !case.told.contains_key(sink) && self.may_hear(case, sink, |membership| membership.group == *key) {
                parts.new.push((case, None));
            }
        }
        Some(parts)
    }

    /// Whether an incident is to be told firing to a sink: by one of those memberships that are asked for, and not mute.
    pub(super) fn may_hear(&self, case: &Case, sink: &SinkName, is_asked: impl Fn(&Membership) -> bool) -> bool {
        let tells = |membership: &Membership| {
            let route = self.groups.get(&membership.group).and_then(|group| self.route_of(group));
            route.is_some_and(|route| route.tells(sink, membership.rungs))
        };
        let incident = &case.incident;
        incident.mute.is_none()
            && incident.memberships.iter().any(|membership| membership.mute.is_none() && is_asked(membership) && tells(membership))
    }

    /// What makes it news; none where nothing is.
    fn cause(&self, parts: &Parts<'_>, key: &GroupKey, sink: &SinkName) -> Option<Cause> {
        if !parts.new.is_empty() {
            return Some(Cause::Opened);
        }
        if !parts.ended.is_empty() || !parts.ended_counted.is_empty() {
            return Some(Cause::Resolved);
        }
        if !parts.left.is_empty() {
            return Some(Cause::Reminder);
        }
        if parts.has_acknowledgement {
            return Some(Cause::Acknowledged);
        }
        let entry = &self.groups.get(key)?.conversations.get(sink)?.entry;
        let is_untaken = parts.known.iter().any(|(case, _)| case.incident.phase == Phase::Firing);
        (is_untaken && entry.reminder.is_due(self.now)).then_some(Cause::Reminder)
    }
}

impl Content {
    fn add(&mut self, case: &Case, told: Option<Told>, sink: &SinkName) {
        let incident = &case.incident;
        let is_named = self.alerts.len() < ALERTS_MAX;
        if is_named {
            let mut alert = Alert::of(incident, change_of(incident.phase, told));
            // Receivers know an alert by its labels: what begins with some ends with them.
            if let Some(labels) = incident.told_as.get(sink) {
                alert.fingerprint = labels.fingerprint();
                alert.labels = labels.clone();
            }
            self.alerts.push(alert);
        } else {
            self.more = self.more.saturating_add(1);
        }
        self.severity = self.severity.min(incident.severity);
        let before = told.map(|told| told.standing);
        self.covers.push(Cover { incident: incident.id, phase: incident.phase, is_named, before });
    }
}

fn change_of(phase: Phase, told: Option<Told>) -> Change {
    match (phase, told) {
        (Phase::Resolved, _) => Change::Resolved,
        (_, None | Some(Told { standing: Standing::Declined, .. })) => Change::Opened,
        (Phase::Acknowledged, Some(told)) if told.phase != Phase::Acknowledged => Change::Acknowledged,
        (Phase::Acknowledged | Phase::Firing, Some(_)) => Change::Unchanged,
    }
}
