//! What mutes an incident, and what happens when that begins or ends.
//!
//! `mute_of` is the one place that decides: a silence, a maintenance window, a check that is unreachable, an incident that inhibits it, in this
//! order; then, for each of its routes, the times of the route. It is asked when an incident opens or changes and when something that mutes does,
//! never for every fact.

use std::sync::Arc;

use super::super::agenda::Due;
use super::super::group::GroupKey;
use super::super::id::{IncidentId, SilenceId};
use super::super::incident::{EventKind, Mute};
use super::super::silence::{SILENCES_MAX, Silence, SilenceDraft};
use super::{Alerting, Case};

impl Alerting {
    /// Why nobody is told that an incident fires, by any route.
    fn mute_of(&self, case: &Case) -> Option<Mute> {
        let incident = &case.incident;
        let silences = case.silences.iter().filter_map(|id| self.silences.get(id)).filter(|silence| silence.is_active(self.now));
        // The one that ends last.
        let silence = silences.max_by_key(|silence| (silence.ends_at, silence.id));
        let silenced = silence.map(|silence| Mute::SilencedBy { silence: silence.id, until: silence.ends_at });
        silenced
            .or_else(|| self.windows.mute_of(&incident.subject()))
            .or_else(|| incident.cause.clone().map(|parent| Mute::Unreachable { parent }))
            .or_else(|| self.inhibitions.inhibitor_of(incident.id, &incident.labels).map(|incident| Mute::InhibitedBy { incident }))
    }

    /// Why nobody is told in a group that its incidents fire.
    fn mute_of_group(&self, key: &GroupKey) -> Option<Mute> {
        let route = self.groups.get(key).and_then(|group| self.route_of(group))?;
        self.calendar.mute_of(route)
    }

    /// Finds out anew whether an incident is muted. What is no longer so is told.
    pub(super) fn refresh_mute(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id).filter(|case| case.incident.is_open()) else { return };
        let mute = self.mute_of(case);
        let of_groups: Vec<Option<Mute>> =
            case.incident.memberships.iter().map(|membership| self.mute_of_group(&membership.group)).collect();
        let now = self.now;
        let Some(case) = self.cases.get_mut(&id) else { return };
        let mut events = Vec::new();
        let mut is_heard_again = false;
        let was_mute = case.incident.mute.is_some();
        if case.incident.mute != mute {
            events.push(mute.clone());
        }
        for (membership, of_group) in case.incident.memberships.iter_mut().zip(of_groups) {
            let was_mute_there = was_mute || membership.mute.is_some();
            let is_mute_there = mute.is_some() || of_group.is_some();
            if was_mute_there && !is_mute_there {
                is_heard_again = true;
                // A ladder that was stopped begins anew, or it would be climbed to its top at once.
                membership.ladder_from = membership.ladder_from.map(|_| now);
            }
            if membership.mute != of_group {
                membership.mute.clone_from(&of_group);
                events.push(of_group);
            }
        }
        if events.is_empty() {
            return;
        }
        case.incident.mute = mute;
        for by in events {
            self.event(id, by.map_or(EventKind::Unmuted, |by| EventKind::Muted { by }));
        }
        if is_heard_again {
            self.touch_all(id);
        }
        self.plan_ladders(id);
    }

    fn refresh_mutes(&mut self, ids: Vec<IncidentId>) {
        for id in ids {
            self.refresh_mute(id);
        }
    }

    /// Remembers which silences match an incident.
    pub(super) fn match_silences(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        let subject = case.incident.subject();
        case.silences = self.silences.values().filter(|silence| silence.matches(&subject)).map(|silence| silence.id).collect();
    }

    pub(super) fn put_silence(&mut self, draft: SilenceDraft) {
        let id = draft.id.filter(|id| self.silences.contains_key(id));
        if let Some(problem) = draft.problem(self.now) {
            self.changes.refusals.push(problem);
            return;
        }
        if id.is_none() && self.silences.len() >= SILENCES_MAX {
            self.changes.refusals.push(format!("there are {SILENCES_MAX} silences already"));
            return;
        }
        let id = id.unwrap_or_else(|| SilenceId::next(&mut self.chance, self.now));
        let silence = Silence {
            id,
            matchers: draft.matchers,
            starts_at: draft.starts_at,
            ends_at: draft.ends_at,
            created_by: draft.created_by,
            comment: draft.comment,
            updated_at: self.now,
            is_over: false,
        };
        let mut concerned = Vec::new();
        for (incident, case) in self.cases.iter_mut().filter(|(_, case)| case.incident.is_open()) {
            let has_matched = case.silences.remove(&id);
            let is_match = silence.matches(&case.incident.subject());
            if is_match {
                case.silences.insert(id);
            }
            if has_matched || is_match {
                concerned.push(*incident);
            }
        }
        self.silences.insert(id, silence);
        self.touched.silences.insert(id);
        self.plan_silence(id);
        self.refresh_mutes(concerned);
    }

    pub(super) fn expire_silence(&mut self, id: SilenceId) {
        let now = self.now;
        if let Some(silence) = self.silences.get_mut(&id) {
            silence.ends_at = now;
            silence.starts_at = silence.starts_at.min(now);
            silence.updated_at = now;
            self.end_silence(id);
        }
    }

    pub(super) fn plan_silence(&mut self, id: SilenceId) {
        let at = self.silences.get(&id).map(|silence| silence.next_change_after(self.now));
        self.agenda.set(Due::Silence(id), at);
    }

    /// A silence began or ended.
    pub(super) fn silence_changed(&mut self, id: SilenceId) {
        let Some(silence) = self.silences.get(&id) else { return };
        if silence.ends_at <= self.now {
            self.end_silence(id);
            return;
        }
        self.plan_silence(id);
        let concerned = self.cases.iter().filter(|(_, case)| case.silences.contains(&id)).map(|(id, _)| *id).collect();
        self.refresh_mutes(concerned);
    }

    fn end_silence(&mut self, id: SilenceId) {
        self.agenda.set(Due::Silence(id), None);
        if let Some(mut silence) = self.silences.remove(&id) {
            silence.is_over = true;
            self.changes.silences.push(silence);
        }
        let mut concerned = Vec::new();
        for (incident, case) in &mut self.cases {
            if case.silences.remove(&id) {
                concerned.push(*incident);
            }
        }
        self.refresh_mutes(concerned);
    }

    pub(super) fn plan_calendar(&mut self) {
        for name in self.calendar.names() {
            let at = self.calendar.next_change_after(&name, self.now);
            self.agenda.set(Due::Interval(name), at);
        }
        for index in 0..self.windows.len() {
            let at = self.windows.next_change_after(index, self.now);
            self.agenda.set(Due::Maintenance(index), at);
        }
    }

    pub(super) fn interval_changed(&mut self, name: &Arc<str>) {
        let at = self.calendar.next_change_after(name, self.now);
        self.agenda.set(Due::Interval(Arc::clone(name)), at);
        if !self.calendar.look(name, self.now) {
            return;
        }
        let mut concerned: Vec<IncidentId> = Vec::new();
        for group in self.groups.values() {
            let Some(route) = self.route_of(group) else { continue };
            if route.mute_times.contains(name) || route.active_times.contains(name) {
                concerned.extend(&group.members);
            }
        }
        self.refresh_mutes(concerned);
    }

    pub(super) fn maintenance_changed(&mut self, index: usize) {
        let at = self.windows.next_change_after(index, self.now);
        self.agenda.set(Due::Maintenance(index), at);
        if self.windows.look(index, self.now) {
            self.refresh_mutes(self.open_ids());
        }
    }

    pub(super) fn open_ids(&self) -> Vec<IncidentId> {
        self.cases.iter().filter(|(_, case)| case.incident.is_open()).map(|(id, _)| *id).collect()
    }
}
