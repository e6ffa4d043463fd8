//! A machine made of rows; one with another configuration; one whose clock was set back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::agenda::{Agenda, Due};
use super::super::breaker::{HOLD_MAX, SinkRow};
use super::super::changes::{Changes, Rows};
use super::super::config::{AlertingConfig, SinkConfig, SinkName, Timing};
use super::super::delivery::{DeliveryState, LEASE_MARGIN, RETRY_AFTER_MAX};
use super::super::group::{Conversation, Group, GroupKey, GroupRow};
use super::super::id::{Chance, IncidentId};
use super::super::incident::{Incident, Source};
use super::super::inhibit::Inhibitions;
use super::super::labels::LabelSet;
use super::super::ledger::{LedgerEntry, Reminder};
use super::super::maintenance::{Calendar, Windows};
use super::super::route::RouteTree;
use super::{Alerting, CLOCK_STEP_MAX, Case, Sink, Touched};
use crate::Timestamp;

impl Alerting {
    /// The machine that wrote these rows, or one that goes on from there with another configuration. What that changed is to be stored.
    pub fn restore(rows: Rows, config: Arc<AlertingConfig>, seed: u64, now: Timestamp) -> (Alerting, Changes) {
        let latest = rows.latest();
        let was_set_back = latest > now.plus(CLOCK_STEP_MAX);
        let mut alerting = Alerting::empty(Arc::clone(&config), seed, now);
        alerting.load(rows);
        if was_set_back {
            alerting.clamp(latest);
        }
        alerting.adopt(config);
        alerting.plan_everything();
        alerting.pass_time(usize::MAX);
        let changes = alerting.written();
        (alerting, changes)
    }

    /// All that it would be made of.
    pub fn rows(&self) -> Rows {
        let conversations = self.groups.values().flat_map(|group| group.conversations.values());
        Rows {
            incidents: self.cases.values().map(|case| case.incident.clone()).collect(),
            groups: self.groups.values().map(|group| group.row.clone()).collect(),
            ledger: conversations.map(|conversation| conversation.entry.clone()).collect(),
            deliveries: self.deliveries.values().cloned().collect(),
            silences: self.silences.values().cloned().collect(),
            checks: self.checks.values().cloned().collect(),
            sinks: self.sinks.values().map(|sink| sink.row.clone()).filter(|row| *row != SinkRow::new(row.sink.clone())).collect(),
        }
    }

    fn empty(config: Arc<AlertingConfig>, seed: u64, now: Timestamp) -> Alerting {
        Alerting {
            routes: RouteTree::new(&config),
            config,
            now,
            chance: Chance::seeded(seed),
            cases: BTreeMap::new(),
            of_check: BTreeMap::new(),
            posted: BTreeMap::new(),
            posted_bytes: 0,
            checks: BTreeMap::new(),
            silences: BTreeMap::new(),
            inhibitions: Inhibitions::default(),
            calendar: Calendar::default(),
            windows: Windows::default(),
            groups: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            sinks: BTreeMap::new(),
            agenda: Agenda::new(),
            attempts: Agenda::new(),
            changes: Changes::default(),
            touched: Touched::default(),
        }
    }

    fn load(&mut self, rows: Rows) {
        self.silences = rows.silences.into_iter().filter(|silence| !silence.is_over).map(|silence| (silence.id, silence)).collect();
        self.checks = rows.checks.into_iter().map(|row| (Arc::clone(&row.check), row)).collect();
        self.groups = rows.groups.into_iter().map(|row| (row.key.clone(), Group::new(row, None))).collect();
        for row in rows.sinks {
            let name = row.sink.clone();
            self.sink_of(&name).row = row;
        }
        for incident in rows.incidents {
            self.load_incident(incident);
        }
        for entry in rows.ledger {
            self.load_entry(entry);
        }
        for delivery in rows.deliveries.into_iter().filter(|delivery| !delivery.is_finished()) {
            let conversation = self.conversation_of(&delivery.group, &delivery.sink);
            conversation.delivery = Some(delivery.id);
            self.sink_of(&delivery.sink).deliveries.insert(delivery.id);
            self.deliveries.insert(delivery.id, delivery);
        }
    }

    fn load_incident(&mut self, incident: Incident) {
        let id = incident.id;
        if incident.is_open() {
            match &incident.source {
                Source::Check { check, kind } => self.of_check.insert((Arc::clone(check), *kind), id),
                Source::Posted { .. } => {
                    self.posted_bytes += incident.posted_bytes();
                    self.posted.insert(incident.fingerprint, id)
                }
            };
            for membership in &incident.memberships {
                if let Some(group) = self.groups.get_mut(&membership.group) {
                    group.members.insert(id);
                }
            }
        }
        let is_open = incident.is_open();
        self.cases.insert(id, Case { incident, told: BTreeMap::new(), silences: BTreeSet::new() });
        if is_open {
            self.match_silences(id);
        }
    }

    fn load_entry(&mut self, entry: LedgerEntry) {
        for id in entry.told.keys() {
            if let Some(case) = self.cases.get_mut(id) {
                case.told.insert(entry.sink.clone(), entry.group.clone());
            }
        }
        self.sink_of(&entry.sink);
        let (group, sink) = (entry.group.clone(), entry.sink.clone());
        self.conversation_of(&group, &sink).entry = entry;
    }

    /// Rows are written together, so the group is there; where it is not, an end that is owed is told all the same.
    fn conversation_of(&mut self, key: &GroupKey, sink: &SinkName) -> &mut Conversation {
        let group = self.groups.entry(key.clone()).or_insert_with(|| {
            let (route, labels, timing) = (Arc::from(""), LabelSet::default(), Timing::default());
            Group::new(GroupRow { key: key.clone(), route, labels, timing, sinks: Vec::new(), changed_at: None, flushed_at: None }, None)
        });
        group.conversations.entry(sink.clone()).or_insert_with(|| Conversation::new(key, sink))
    }

    pub(super) fn sink_of(&mut self, name: &SinkName) -> &mut Sink {
        self.sinks.entry(name.clone()).or_insert_with(|| Sink {
            config: SinkConfig::named(name.clone()),
            row: SinkRow::new(name.clone()),
            deliveries: BTreeSet::new(),
        })
    }

    /// Goes on with another configuration, or looks at everything again with the one that it has.
    pub(super) fn adopt(&mut self, config: Arc<AlertingConfig>) {
        self.routes = RouteTree::new(&config);
        self.calendar = Calendar::new(&config.intervals, self.now);
        self.windows = Windows::new(&config.maintenance, self.now);
        self.inhibitions = Inhibitions::new(&config.inhibit);
        self.agenda.retain(|due| !matches!(due, Due::Interval(_) | Due::Maintenance(_)));
        self.config = config;
        self.adopt_sinks();
        self.adopt_groups();
        let open = self.open_ids();
        for id in &open {
            if let Some(case) = self.cases.get(id) {
                self.inhibitions.put(*id, &case.incident.subject());
            }
        }
        for id in &open {
            self.route(*id);
        }
        for id in open {
            self.refresh_mute(id);
            self.plan_ladders(id);
        }
        self.plan_calendar();
    }

    /// Finds the routes of the groups in the new tree. A group whose sinks are others than before is looked at.
    fn adopt_groups(&mut self) {
        let mut changed = Vec::new();
        for (key, group) in &mut self.groups {
            group.route = self.routes.find(&group.row.route);
            let Some(route) = group.route.and_then(|index| self.routes.get(index)) else { continue };
            let sinks = route.all_sinks();
            if group.row.sinks != sinks {
                group.row.sinks = sinks;
                changed.push(key.clone());
                self.touched.groups.insert(key.clone());
            }
            if group.row.timing != route.timing {
                group.row.timing = route.timing;
                self.touched.groups.insert(key.clone());
            }
        }
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in keys {
            self.plan_flush(&key);
        }
        for key in changed {
            self.touch(&key);
        }
    }

    /// Enters everything into the agenda.
    fn plan_everything(&mut self) {
        let silences: Vec<_> = self.silences.keys().copied().collect();
        for id in silences {
            self.plan_silence(id);
        }
        self.plan_calendar();
        for id in self.open_ids() {
            self.plan_incident(id);
        }
        let conversations: Vec<(GroupKey, SinkName)> =
            self.groups.iter().flat_map(|(key, group)| group.conversations.keys().map(move |sink| (key.clone(), sink.clone()))).collect();
        for (key, sink) in conversations {
            self.plan_reminder(&key, &sink);
        }
        let groups: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in groups {
            self.plan_flush(&key);
        }
        let deliveries: Vec<_> = self.deliveries.keys().copied().collect();
        for id in deliveries {
            self.plan_delivery(id);
        }
    }

    fn plan_incident(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id) else { return };
        let ack_until = case.incident.ack.as_ref().and_then(|ack| ack.until);
        let ends_at = match case.incident.source {
            Source::Posted { ends_at, .. } => Some(ends_at),
            Source::Check { .. } => None,
        };
        self.agenda.set(Due::AckExpires(id), ack_until);
        self.agenda.set(Due::PostedEnds(id), ends_at);
        self.plan_ladders(id);
    }

    pub(super) fn clock_was_set_back(&mut self, before: Timestamp) {
        self.clamp(before);
        self.adopt(Arc::clone(&self.config));
        self.plan_everything();
    }

    /// Nothing that was done lies in the future, and nothing that waits does so for longer than it may. What people wrote as a time stays.
    /// `before` is the time that it was.
    fn clamp(&mut self, before: Timestamp) {
        let now = self.now;
        let earlier = |at: &mut Option<Timestamp>| *at = at.map(|at| at.min(now));
        for (id, case) in &mut self.cases {
            if let Source::Posted { ends_at, has_own_end: false, .. } = &mut case.incident.source {
                *ends_at = (*ends_at).min(now.plus(self.config.resolve_timeout));
            }
            for membership in &mut case.incident.memberships {
                earlier(&mut membership.ladder_from);
            }
            self.touched.incidents.insert(*id);
        }
        for (key, group) in &mut self.groups {
            earlier(&mut group.row.changed_at);
            earlier(&mut group.row.flushed_at);
            self.touched.groups.insert(key.clone());
            let repeat_at = now.plus(group.row.timing.repeat_interval);
            for (sink, conversation) in &mut group.conversations {
                earlier(&mut conversation.entry.last_told_at);
                if let Reminder::At(at) = &mut conversation.entry.reminder {
                    *at = (*at).min(repeat_at);
                }
                self.touched.ledger.insert((key.clone(), sink.clone()));
            }
        }
        for (name, sink) in &mut self.sinks {
            sink.row.held_until = sink.row.held_until.min(now.plus(HOLD_MAX));
            // It may be an hour, longer than others wait to be given up: only what was left of it.
            let left = sink.row.asked_until.since(before).min(RETRY_AFTER_MAX);
            sink.row.asked_until = sink.row.asked_until.min(now.plus(left));
            earlier(&mut sink.row.removed_at);
            self.touched.sinks.insert(name.clone());
        }
        for (id, delivery) in &mut self.deliveries {
            let lease = self.sinks.get(&delivery.sink).map_or(LEASE_MARGIN, |sink| sink.config.lease());
            let backoff = delivery.backoff();
            delivery.created_at = delivery.created_at.min(now);
            delivery.give_up_at = delivery.give_up_at.min(now.plus(self.config.give_up_after));
            match &mut delivery.state {
                // What the sink asked for stands in its own row.
                DeliveryState::Pending { next_attempt_at } => *next_attempt_at = (*next_attempt_at).min(now.plus(backoff)),
                DeliveryState::Attempting { lease_until } => *lease_until = (*lease_until).min(now.plus(lease)),
                DeliveryState::Delivered { .. }
                | DeliveryState::Refused { .. }
                | DeliveryState::Expired { .. }
                | DeliveryState::Abandoned { .. } => {}
            }
            self.touched.deliveries.insert(*id);
        }
    }
}

#[cfg(test)]
impl Alerting {
    pub(in crate::alerting) fn now(&self) -> Timestamp {
        self.now
    }

    /// What of its state is not as in `other`, but for ids to come and what is not yet written.
    pub(in crate::alerting) fn difference(&self, other: &Alerting) -> Option<String> {
        macro_rules! compare {
            ($($field:ident),*) => {
                $(if self.$field != other.$field {
                    return Some(format!("{}: {:#?}\nis not\n{:#?}", stringify!($field), self.$field, other.$field));
                })*
            };
        }
        compare!(
            routes,
            now,
            cases,
            of_check,
            posted,
            posted_bytes,
            checks,
            silences,
            inhibitions,
            calendar,
            windows,
            groups,
            deliveries,
            sinks,
            agenda,
            attempts
        );
        None
    }
}
