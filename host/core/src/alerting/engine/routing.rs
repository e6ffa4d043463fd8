//! Which groups an incident is in, when a group is told, and how a ladder is climbed.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::agenda::Due;
use super::super::config::SinkName;
use super::super::group::{Conversation, Group, GroupKey, GroupRow};
use super::super::id::IncidentId;
use super::super::incident::{EventKind, Incident, Membership, Phase};
use super::super::labels::LabelSet;
use super::super::ledger::Reminder;
use super::super::route::Route;
use super::Alerting;
use crate::Timestamp;

impl Alerting {
    /// Puts an open incident into the groups of the routes that take it, and out of the others. Who was told in a group hears the end there.
    pub(super) fn route(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id) else { return };
        let wanted = self.groups_of(&case.incident);
        let left: Vec<GroupKey> = case.incident.memberships.iter().map(|membership| membership.group.clone()).collect();
        // Said once: when it opens, or when the routes that told somebody do not take it any more.
        let is_news = case.incident.events_len <= 1 || !left.is_empty();
        let nobody = if wanted.is_empty() && is_news { self.first_route_of(&case.incident) } else { None };
        for key in left.into_iter().filter(|key| !wanted.iter().any(|(wanted, _)| wanted == key)) {
            self.leave(id, &key);
        }
        for (key, route) in wanted {
            self.join(id, key, route);
        }
        if let Some(route) = nobody {
            self.event(id, EventKind::NobodyIsTold { route });
        }
    }

    fn first_route_of(&self, incident: &Incident) -> Option<Arc<str>> {
        let index = self.routes.of_incident(incident).into_iter().next()?;
        self.routes.get(index).map(|route| Arc::clone(&route.id))
    }

    /// The groups that an incident belongs in, each with its route. A route that tells nobody has none.
    fn groups_of(&self, incident: &Incident) -> Vec<(GroupKey, usize)> {
        let mut groups: Vec<(GroupKey, usize)> = Vec::new();
        for index in self.routes.of_incident(incident) {
            let Some(route) = self.routes.get(index) else { continue };
            if route.sinks.is_empty() && route.escalate.is_empty() {
                continue;
            }
            let key = GroupKey::new(&route.id, &route.group_labels(&incident.labels));
            groups.push((key, index));
        }
        groups
    }

    fn join(&mut self, id: IncidentId, key: GroupKey, index: usize) {
        let (Some(route), Some(case)) = (self.routes.get(index), self.cases.get_mut(&id)) else { return };
        if case.incident.memberships.iter().any(|membership| membership.group == key) {
            return;
        }
        let labels = &case.incident.labels;
        let group = self.groups.entry(key.clone()).or_insert_with(|| {
            self.touched.groups.insert(key.clone());
            Group::new(row_of(route, &key, route.group_labels(labels)), Some(index))
        });
        group.members.insert(id);
        case.incident.memberships.push(Membership { group: key.clone(), ladder_from: None, rungs: 0, mute: None });
        self.touched.incidents.insert(id);
        self.touch(&key);
    }

    fn leave(&mut self, id: IncidentId, key: &GroupKey) {
        if let Some(case) = self.cases.get_mut(&id) {
            case.incident.memberships.retain(|membership| membership.group != *key);
            self.touched.incidents.insert(id);
        }
        if let Some(group) = self.groups.get_mut(key) {
            group.members.remove(&id);
        }
        self.agenda.set(Due::Rung(id, key.clone()), None);
        self.tidy(key);
    }

    /// Something in the group changed that may have to be told.
    pub(super) fn touch(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get_mut(key) else { return };
        if group.row.changed_at.is_none() {
            group.row.changed_at = Some(self.now);
            self.touched.groups.insert(key.clone());
            self.plan_flush(key);
        }
    }

    /// Touches the groups that an incident is in, or in which somebody heard of it.
    pub(super) fn touch_all(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id) else { return };
        let memberships = case.incident.memberships.iter().map(|membership| &membership.group);
        let keys: BTreeSet<GroupKey> = memberships.chain(case.told.values()).cloned().collect();
        for key in keys {
            self.touch(&key);
        }
    }

    pub(super) fn plan_flush(&mut self, key: &GroupKey) {
        let at = self.groups.get(key).and_then(|group| group.row.flush_at());
        self.agenda.set(Due::Flush(key.clone()), at);
    }

    /// Tells what changed in a group to everybody whom it concerns.
    pub(super) fn flush(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get_mut(key) else { return };
        group.row.changed_at = None;
        self.touched.groups.insert(key.clone());
        self.begin_ladders(key);
        let mut has_told = false;
        for sink in self.hearers(key) {
            has_told |= self.evaluate(key, &sink);
        }
        if has_told && let Some(group) = self.groups.get_mut(key) {
            group.row.flushed_at = Some(self.now);
        }
        self.tidy(key);
    }

    /// The ladder of an incident is counted from when it was first to be told.
    fn begin_ladders(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get(key) else { return };
        if self.route_of(group).is_none_or(|route| route.escalate.is_empty()) {
            return;
        }
        for id in group.members.clone() {
            let Some(case) = self.cases.get_mut(&id) else { continue };
            let is_mute = case.incident.mute.is_some();
            let Some(membership) = case.incident.memberships.iter_mut().find(|membership| membership.group == *key) else { continue };
            if membership.ladder_from.is_none() && membership.mute.is_none() && !is_mute {
                membership.ladder_from = Some(self.now);
                self.touched.incidents.insert(id);
                self.plan_rung(id, key);
            }
        }
    }

    /// The sinks that may have to be told something about a group.
    fn hearers(&self, key: &GroupKey) -> BTreeSet<SinkName> {
        let Some(group) = self.groups.get(key) else { return BTreeSet::new() };
        let of_route = self.route_of(group).map(Route::all_sinks).unwrap_or_default();
        of_route.into_iter().chain(group.conversations.keys().cloned()).collect()
    }

    /// Plans the next rung of an incident in each of its groups.
    pub(super) fn plan_ladders(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id) else { return };
        let keys: Vec<GroupKey> = case.incident.memberships.iter().map(|membership| membership.group.clone()).collect();
        for key in keys {
            self.plan_rung(id, &key);
        }
    }

    fn plan_rung(&mut self, id: IncidentId, key: &GroupKey) {
        let at = self.rung_at(id, key);
        self.agenda.set(Due::Rung(id, key.clone()), at);
    }

    /// When the next rung is climbed; never while a person has taken the incident or it is mute.
    pub(super) fn rung_at(&self, id: IncidentId, key: &GroupKey) -> Option<Timestamp> {
        let incident = &self.cases.get(&id)?.incident;
        let membership = incident.memberships.iter().find(|membership| membership.group == *key)?;
        if incident.phase != Phase::Firing || incident.mute.is_some() || membership.mute.is_some() {
            return None;
        }
        let rung = self.route_of(self.groups.get(key)?)?.rung(membership.rungs)?;
        Some(membership.ladder_from?.plus(rung.after))
    }

    pub(super) fn climb(&mut self, id: IncidentId, key: &GroupKey) {
        if self.rung_at(id, key).is_none_or(|at| at > self.now) {
            return;
        }
        let Some(case) = self.cases.get_mut(&id) else { return };
        let Some(membership) = case.incident.memberships.iter_mut().find(|membership| membership.group == *key) else { return };
        let climbed = membership.rungs;
        membership.rungs = climbed + 1;
        let rung = self.groups.get(key).and_then(|group| self.route_of(group)).and_then(|route| route.rung(climbed));
        let sinks = rung.map(|rung| rung.sinks.clone()).unwrap_or_default();
        self.event(id, EventKind::Escalated { rung: climbed + 1, sinks: sinks.clone() });
        self.plan_rung(id, key);
        for sink in sinks {
            self.evaluate(key, &sink);
        }
    }

    pub(super) fn plan_reminder(&mut self, key: &GroupKey, sink: &SinkName) {
        let reminder = self.groups.get(key).and_then(|group| group.conversations.get(sink)).map(|conversation| conversation.entry.reminder);
        let at = match reminder {
            Some(Reminder::At(at)) => Some(at),
            Some(Reminder::Never | Reminder::Overdue) | None => None,
        };
        self.agenda.set(Due::Reminder(key.clone(), sink.clone()), at);
    }

    /// Tells again what was told. Where there is nothing to remind of now, that is made up for when there is.
    pub(super) fn remind(&mut self, key: &GroupKey, sink: &SinkName) {
        let Some(conversation) = self.conversation_mut(key, sink) else { return };
        conversation.entry.reminder = Reminder::Overdue;
        self.touched.ledger.insert((key.clone(), sink.clone()));
        self.evaluate(key, sink);
    }

    pub(super) fn route_of(&self, group: &Group) -> Option<&Route> {
        self.routes.get(group.route?)
    }

    pub(super) fn conversation_mut(&mut self, key: &GroupKey, sink: &SinkName) -> Option<&mut Conversation> {
        self.groups.get_mut(key)?.conversations.get_mut(sink)
    }

    /// Removes conversations in which nothing is left to say, and the group when it has nothing left.
    pub(super) fn tidy(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get_mut(key) else { return };
        let over: Vec<SinkName> =
            group.conversations.iter().filter(|(_, conversation)| conversation.is_over()).map(|(sink, _)| sink.clone()).collect();
        for sink in &over {
            group.conversations.remove(sink);
        }
        let is_over = group.is_over();
        for sink in over {
            self.agenda.set(Due::Reminder(key.clone(), sink.clone()), None);
            self.touched.ledger.insert((key.clone(), sink));
        }
        if is_over {
            self.groups.remove(key);
            self.agenda.set(Due::Flush(key.clone()), None);
            self.touched.groups.insert(key.clone());
        }
    }
}

pub(super) fn row_of(route: &Route, key: &GroupKey, labels: LabelSet) -> GroupRow {
    GroupRow {
        key: key.clone(),
        route: Arc::clone(&route.id),
        labels,
        timing: route.timing,
        sinks: route.all_sinks(),
        changed_at: None,
        flushed_at: None,
    }
}
