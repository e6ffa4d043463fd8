//! Why an incident is told to whom, and what happens next; for the API and for trying routes.

use std::sync::Arc;

use serde::Serialize;

use super::super::agenda::Due;
use super::super::breaker::{Hold, HoldReason};
use super::super::config::{Rung, SinkName, Timing};
use super::super::delivery::DeliveryState;
use super::super::group::{Group, GroupKey};
use super::super::id::{DeliveryId, IncidentId};
use super::super::incident::{Incident, Mute, Phase, Severity};
use super::super::labels::LabelSet;
use super::super::ledger::{Reminder, Standing};
use super::super::matcher::Subject;
use super::super::route::Route;
use super::{Alerting, Case};
use crate::{Status, Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub routes: Vec<RouteTaken>,
    /// Why nobody is told, by any route.
    pub mute: Option<Mute>,
    /// Who knows of it, or may.
    pub told: Vec<ToldTo>,
    /// The earliest first.
    pub next: Vec<NextStep>,
}

/// A route that takes the alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteTaken {
    pub route: Arc<str>,
    /// Its own matchers; none for the root.
    pub matchers: Vec<String>,
    pub group: GroupKey,
    pub sinks: Vec<SinkName>,
    pub escalate: Vec<Rung>,
    pub rungs_climbed: u32,
    pub timing: Timing,
    /// Why nobody is told by this route now.
    pub mute: Option<Mute>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldTo {
    pub sink: SinkName,
    pub group: GroupKey,
    pub phase: Phase,
    pub standing: Standing,
    pub last_told_at: Option<Timestamp>,
    /// What is on its way to the sink for this group.
    pub delivery: Option<DeliveryId>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NextStep {
    pub at: Timestamp,
    pub what: String,
}

impl Alerting {
    /// Of an incident that it still knows.
    pub fn explain(&self, id: IncidentId) -> Option<Explanation> {
        let case = self.cases.get(&id)?;
        let incident = &case.incident;
        let taken = |index: usize| self.routes.get(index).map(|route| self.route_taken(route, &incident.labels, Some(incident)));
        let routes = self.routes.of_incident(incident).into_iter().filter_map(taken).collect();
        let told = case.told.iter().filter_map(|(sink, key)| self.told_to(id, key, sink)).collect();
        Some(Explanation { routes, mute: incident.mute.clone(), told, next: self.next_of(incident) })
    }

    /// Of a failing alert with these labels, if there were one.
    pub fn explain_labels(&self, labels: &LabelSet) -> Explanation {
        let subject = Subject { labels, status: Status::Critical, severity: Severity::of(labels) };
        let taken = |index: usize| self.routes.get(index).map(|route| self.route_taken(route, labels, None));
        let routes = self.routes.of_subject(&subject).into_iter().filter_map(taken).collect();
        let silence = self.silences.values().find(|silence| silence.is_active(self.now) && silence.matches(&subject));
        let silenced = silence.map(|silence| Mute::SilencedBy { silence: silence.id, until: silence.ends_at });
        let mute = silenced.or_else(|| self.windows.mute_of(&subject));
        Explanation { routes, mute, told: Vec::new(), next: Vec::new() }
    }

    fn route_taken(&self, route: &Route, labels: &LabelSet, incident: Option<&Incident>) -> RouteTaken {
        let group = GroupKey::new(&route.id, &route.group_labels(labels));
        let memberships = incident.map(|incident| incident.memberships.as_slice()).unwrap_or_default();
        let rungs_climbed = memberships.iter().find(|membership| membership.group == group).map_or(0, |membership| membership.rungs);
        RouteTaken {
            route: Arc::clone(&route.id),
            matchers: route.matchers.iter().map(ToString::to_string).collect(),
            group,
            sinks: route.sinks.clone(),
            escalate: route.escalate.clone(),
            rungs_climbed,
            timing: route.timing,
            mute: self.calendar.mute_of(route),
        }
    }

    fn told_to(&self, id: IncidentId, key: &GroupKey, sink: &SinkName) -> Option<ToldTo> {
        let conversation = self.groups.get(key)?.conversations.get(sink)?;
        let told = conversation.entry.told.get(&id)?;
        Some(ToldTo {
            sink: sink.clone(),
            group: key.clone(),
            phase: told.phase,
            standing: told.standing,
            last_told_at: conversation.entry.last_told_at,
            delivery: conversation.delivery,
        })
    }

    fn next_of(&self, incident: &Incident) -> Vec<NextStep> {
        let Some(case) = self.cases.get(&incident.id) else { return Vec::new() };
        let mut next = Vec::new();
        if incident.is_open() {
            self.next_of_open(incident, &mut next);
        }
        for (sink, key) in &case.told {
            self.next_at(case, sink, key, &mut next);
        }
        next.sort_by_key(|step| step.at);
        next
    }

    fn next_of_open(&self, incident: &Incident, next: &mut Vec<NextStep>) {
        let mut add = |at: Option<Timestamp>, what: String| next.extend(at.map(|at| NextStep { at, what }));
        if let Some(ack) = incident.ack.as_ref().filter(|_| incident.phase == Phase::Acknowledged) {
            add(ack.until, format!("the acknowledgement of {} runs out", ack.by));
        }
        match &incident.mute {
            Some(Mute::SilencedBy { silence, until }) => add(Some(*until), format!("the silence {silence} ends")),
            Some(Mute::InMaintenance { window, until }) => add(*until, format!("the maintenance `{window}` ends")),
            _ => {}
        }
        for membership in &incident.memberships {
            let Some(group) = self.groups.get(&membership.group) else { continue };
            if let Some(by) = &membership.mute {
                add(self.times_of(group), format!("{by}: that may end"));
            } else if incident.mute.is_none() {
                add(group.row.flush_at(), format!("what changed in the group {} is told", membership.group));
            }
            let rung = self.route_of(group).and_then(|route| route.rung(membership.rungs));
            let sinks = rung.map(|rung| rung.sinks.join(", ")).unwrap_or_default();
            add(self.rung_at(incident.id, &membership.group), format!("it is escalated to {sinks}"));
        }
    }

    /// What comes next at a sink that knows of an incident, or may.
    fn next_at(&self, case: &Case, sink: &SinkName, key: &GroupKey, next: &mut Vec<NextStep>) {
        let Some(group) = self.groups.get(key) else { return };
        let Some(conversation) = group.conversations.get(sink) else { return };
        let mut add = |at: Option<Timestamp>, what: String| next.extend(at.map(|at| NextStep { at, what }));
        let is_open = case.incident.is_open();
        if let Reminder::At(at) = conversation.entry.reminder
            && case.incident.phase == Phase::Firing
            && self.may_hear(case, sink, |_| true)
        {
            add(Some(at), format!("`{sink}` is reminded"));
        }
        let hold = self.hold_of(sink);
        if let Some(Hold { until, reason: HoldReason::Removed }) = hold {
            add(Some(until), format!("what `{sink}` is owed is given up: it is no longer configured"));
            return;
        }
        match conversation.delivery.and_then(|id| self.deliveries.get(&id)).map(|delivery| &delivery.state) {
            Some(DeliveryState::Pending { next_attempt_at }) => {
                let until = hold.map_or(*next_attempt_at, |hold| hold.until.max(*next_attempt_at));
                let why = hold.map_or_else(String::new, |hold| format!(", which is left alone until then: {}", hold.reason));
                add(Some(until), format!("the next attempt at `{sink}`{why}"));
            }
            Some(DeliveryState::Attempting { lease_until }) => {
                add(Some(*lease_until), format!("the attempt at `{sink}` is taken for lost, where nothing is heard of it"));
            }
            Some(_) | None if !is_open => add(group.row.flush_at(), format!("`{sink}` is told the end")),
            Some(_) | None => {}
        }
    }

    /// When the times by which a group is mute may change.
    fn times_of(&self, group: &Group) -> Option<Timestamp> {
        let route = self.route_of(group)?;
        let names = route.mute_times.iter().chain(&route.active_times);
        names.filter_map(|name| self.agenda.time_of(&Due::Interval(Arc::clone(name)))).min()
    }
}
