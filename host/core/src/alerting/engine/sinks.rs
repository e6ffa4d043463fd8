//! Sinks that go, come back, or may be mended.
//!
//! A sink that is no longer configured is told nothing. Where it is owed an end, or may be, it is kept with what is owed until it is configured
//! again, for `give_up_after`; then what is on its way to it is expired and the rest forgotten. What was never attempted is abandoned at once:
//! ends among it are made again by their groups.

use std::sync::Arc;

use super::super::agenda::Due;
use super::super::config::{SinkConfig, SinkName};
use super::super::delivery::{Abandoned, Delivery, DeliveryState};
use super::super::group::GroupKey;
use super::super::id::DeliveryId;
use super::super::incident::EventKind;
use super::Alerting;

impl Alerting {
    pub(super) fn adopt_sinks(&mut self) {
        let config = Arc::clone(&self.config);
        let gone: Vec<SinkName> = self.sinks.keys().filter(|name| !config.sinks.iter().any(|sink| sink.name == **name)).cloned().collect();
        for name in gone {
            self.part_with(&name);
        }
        for sink in &config.sinks {
            let state = self.sink_of(&sink.name);
            state.config = sink.clone();
            let is_back = state.row.removed_at.take().is_some();
            let is_mended = state.row.is_held() && (is_back || state.row.revision != sink.revision);
            if is_back {
                self.touched.sinks.insert(sink.name.clone());
                self.agenda.set(Due::SinkGone(sink.name.clone()), None);
                self.plan_sink(&sink.name);
            }
            if is_mended {
                self.mended(&sink.name);
            }
        }
    }

    /// The sink is no longer configured: it is kept for a while where it is owed something.
    fn part_with(&mut self, name: &SinkName) {
        let Some(state) = self.sinks.get(name) else { return };
        if state.row.removed_at.is_none() {
            let was_attempted = |id: &DeliveryId| self.deliveries.get(id).is_some_and(Delivery::may_be_known);
            let is_owed = state.deliveries.iter().any(was_attempted) || self.owes_an_end(name);
            let unattempted: Vec<DeliveryId> = state.deliveries.iter().copied().filter(|id| !was_attempted(id)).collect();
            self.abandon(unattempted);
            if !is_owed {
                self.drop_sink(name);
                return;
            }
            let now = self.now;
            let state = self.sink_of(name);
            state.config = SinkConfig::named(name.clone());
            state.row.removed_at = Some(now);
            self.touched.sinks.insert(name.clone());
            self.plan_sink(name);
        }
        let removed_at = self.sinks.get(name).and_then(|state| state.row.removed_at);
        self.agenda.set(Due::SinkGone(name.clone()), removed_at.map(|at| at.plus(self.config.give_up_after)));
    }

    fn owes_an_end(&self, sink: &SinkName) -> bool {
        let mut conversations = self.groups.values().filter_map(|group| group.conversations.get(sink));
        conversations.any(|conversation| conversation.entry.told.values().any(|told| told.is_owed()))
    }

    fn abandon(&mut self, unattempted: Vec<DeliveryId>) {
        for id in unattempted {
            let state = DeliveryState::Abandoned { at: self.now, reason: Abandoned::SinkRemoved };
            if let Some(delivery) = self.finish(id, state) {
                self.touch(&delivery.group);
                self.tidy(&delivery.group);
            }
        }
    }

    /// A sink that is not configured and is not waited for any more; whoever reads the timeline is told.
    pub(super) fn drop_sink(&mut self, name: &SinkName) {
        let deliveries = self.sinks.get(name).map(|sink| sink.deliveries.clone()).unwrap_or_default();
        for id in deliveries {
            let Some(delivery) = self.finish(id, DeliveryState::Expired { at: self.now }) else { continue };
            for cover in &delivery.covers {
                self.event(cover.incident, EventKind::DeliveryExpired { sink: name.clone() });
            }
        }
        let keys: Vec<GroupKey> = self.groups.keys().cloned().collect();
        for key in keys {
            let Some(conversation) = self.groups.get_mut(&key).and_then(|group| group.conversations.remove(name)) else { continue };
            self.agenda.set(Due::Reminder(key.clone(), name.clone()), None);
            self.touched.ledger.insert((key.clone(), name.clone()));
            for (id, told) in conversation.entry.told {
                self.forget(id, &key, name);
                if told.is_owed() {
                    self.event(id, EventKind::SinkRemoved { sink: name.clone() });
                }
                self.settle(id);
            }
            self.tidy(&key);
        }
        self.agenda.set(Due::SinkGone(name.clone()), None);
        self.sinks.remove(name);
        self.touched.sinks.insert(name.clone());
    }

    /// What held a sink may be over: it is written otherwise, or its plugin is another one. What waits for it is attempted at once.
    pub(super) fn mended(&mut self, name: &SinkName) {
        let now = self.now;
        let Some(state) = self.sinks.get_mut(name).filter(|state| state.row.is_held()) else { return };
        state.row.mended(state.config.revision);
        self.touched.sinks.insert(name.clone());
        for id in &state.deliveries {
            if let Some(delivery) = self.deliveries.get_mut(id)
                && let DeliveryState::Pending { next_attempt_at } = &mut delivery.state
                && *next_attempt_at > now
            {
                *next_attempt_at = now;
                self.touched.deliveries.insert(*id);
            }
        }
        self.plan_sink(name);
    }
}
