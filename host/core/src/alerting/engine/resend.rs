//! A person has a delivery sent again that has ended: the sink took it, refused it, or it was given up.
//!
//! How: the ledger is made as it was before the delivery had ended, so that what it told is owed again; then a notification is made as always,
//! with a key of its own. So it tells how things stand now: a begin of what is over by now is not sent, and nothing that is muted.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::super::config::{SinkName, Timing};
use super::super::delivery::{ALERTS_MAX, Cause, Cover, Delivery, DeliveryState};
use super::super::group::{Conversation, Group, GroupKey, GroupRow};
use super::super::id::IncidentId;
use super::super::incident::{EventKind, Incident, NOTE_BYTES_MAX, Phase};
use super::super::ledger::{Reminder, Standing, Told};
use super::routing::row_of;
use super::{Alerting, Case};
use crate::text::one_line;

impl Alerting {
    pub(super) fn resend(&mut self, ended: &Delivery, settled: Vec<Incident>, by: &str) {
        if let Err(refusal) = self.resent(ended, settled, by) {
            self.changes.refusals.push(refusal);
        }
    }

    fn resent(&mut self, ended: &Delivery, settled: Vec<Incident>, by: &str) -> Result<(), String> {
        let (key, sink) = (&ended.group, &ended.sink);
        match ended.state {
            DeliveryState::Delivered { .. } | DeliveryState::Refused { .. } | DeliveryState::Expired { .. } => {}
            DeliveryState::Abandoned { reason, .. } => return Err(format!("the delivery {} was never sent: {reason}", ended.id)),
            DeliveryState::Pending { .. } | DeliveryState::Attempting { .. } => {
                return Err(format!("the delivery {} is under way", ended.id));
            }
        }
        if self.sinks.get(sink).is_none_or(|state| state.row.removed_at.is_some()) {
            return Err(format!("the sink `{sink}` is not configured"));
        }
        if let Some(id) = self.groups.get(key).and_then(|group| group.conversations.get(sink)).and_then(|told| told.delivery) {
            return Err(format!("the delivery {id} about the same group is on its way to `{sink}`"));
        }
        self.open_conversation(ended);
        let reminder = self.conversation_mut(key, sink).map_or(Reminder::Never, |conversation| conversation.entry.reminder);
        for cover in &ended.covers {
            if cover.phase == Phase::Resolved {
                self.owe_end_again(cover, &settled, key, sink);
            } else {
                self.owe_begin_again(cover.incident, key, sink);
            }
        }
        let told: BTreeSet<IncidentId> = ended.covers.iter().map(|cover| cover.incident).collect();
        let content = self.content(key, sink).filter(|content| content.covers.iter().any(|cover| told.contains(&cover.incident)));
        let Some(content) = content else {
            self.set_reminder(reminder, key, sink);
            self.tidy(key);
            return Err("nothing of it is left to tell: it is over, taken, muted, or told elsewhere".to_owned());
        };
        let again: Vec<IncidentId> = content.covers.iter().map(|cover| cover.incident).filter(|id| told.contains(id)).collect();
        self.make(key, sink, content);
        let made = self.conversation_mut(key, sink).and_then(|conversation| conversation.delivery);
        if let Some(delivery) = made.and_then(|id| self.deliveries.get_mut(&id)) {
            delivery.cause = Cause::Resent { of: ended.id };
        }
        let by = one_line(by, NOTE_BYTES_MAX);
        for id in again.into_iter().take(ALERTS_MAX) {
            self.event(id, EventKind::Resent { sink: sink.clone(), by: by.clone() });
        }
        Ok(())
    }

    /// The group and what is said about it to the sink, where they are gone.
    fn open_conversation(&mut self, ended: &Delivery) {
        let (key, sink) = (&ended.group, &ended.sink);
        if !self.groups.contains_key(key) {
            let index = self.routes.find(&ended.route);
            let labels = ended.group_labels.clone();
            let row = match index.and_then(|index| self.routes.get(index)) {
                Some(route) => row_of(route, key, labels),
                None => {
                    let (route, timing) = (Arc::clone(&ended.route), Timing::default());
                    GroupRow { key: key.clone(), route, labels, timing, sinks: Vec::new(), changed_at: None, flushed_at: None }
                }
            };
            self.groups.insert(key.clone(), Group::new(row, index));
            self.touched.groups.insert(key.clone());
        }
        if let Some(group) = self.groups.get_mut(key) {
            group.conversations.entry(sink.clone()).or_insert_with(|| Conversation::new(key, sink));
            self.touched.ledger.insert((key.clone(), sink.clone()));
        }
    }

    /// The end of an incident is owed once more, also where nobody else is owed a word about it.
    fn owe_end_again(&mut self, cover: &Cover, settled: &[Incident], key: &GroupKey, sink: &SinkName) {
        let id = cover.incident;
        let case = match self.cases.entry(id) {
            Entry::Occupied(case) => case.into_mut(),
            Entry::Vacant(place) => {
                let Some(incident) = settled.iter().find(|incident| incident.id == id && !incident.is_open()) else { return };
                let incident = Incident { is_settled: false, ..incident.clone() };
                place.insert(Case { incident, told: Default::default(), silences: Default::default() })
            }
        };
        if case.incident.is_open() || case.told.contains_key(sink) {
            return;
        }
        case.told.insert(sink.clone(), key.clone());
        self.touched.incidents.insert(id);
        let told = Told { phase: Phase::Firing, standing: Standing::MayKnow, is_named: cover.is_named, is_left: false };
        if let Some(conversation) = self.conversation_mut(key, sink) {
            conversation.entry.told.insert(id, told);
        }
    }

    /// A begin that the sink declined is new again; of one that it may know it is reminded.
    fn owe_begin_again(&mut self, id: IncidentId, key: &GroupKey, sink: &SinkName) {
        let is_open = self.cases.get(&id).is_some_and(|case| case.incident.is_open());
        let told = self.conversation_mut(key, sink).and_then(|conversation| conversation.entry.told.get(&id).copied());
        match told {
            Some(told) if is_open && told.standing == Standing::Declined => self.forget(id, key, sink),
            Some(_) if is_open => self.set_reminder(Reminder::Overdue, key, sink),
            Some(_) | None => {}
        }
    }

    fn set_reminder(&mut self, reminder: Reminder, key: &GroupKey, sink: &SinkName) {
        if let Some(conversation) = self.conversation_mut(key, sink) {
            conversation.entry.reminder = reminder;
            self.touched.ledger.insert((key.clone(), sink.clone()));
            self.plan_reminder(key, sink);
        }
    }
}
