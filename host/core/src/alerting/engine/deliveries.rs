//! A notification from its making to its end, and what that means for the ledger.
//!
//! `evaluate` makes one where there is something to tell; `attempt` fixes its content and writes the ledger; an outcome, a lease that ran out or
//! the end of its time ends the attempt or the delivery; `after_end` tells what had to wait.

use std::sync::Arc;
use std::time::Duration;

use super::super::agenda::Due;
use super::super::config::SinkName;
use super::super::delivery::{Abandoned, BACKOFF_FIRST, Cause, Cover, Delivery, DeliveryState, Outcome, RETRY_AFTER_MAX};
use super::super::group::{Conversation, GroupKey};
use super::super::id::{DeliveryId, IncidentId};
use super::super::incident::{EventKind, NOTE_BYTES_MAX, Phase};
use super::super::ledger::{Reminder, Standing, Told};
use super::Alerting;
use super::content::Content;
use crate::Timestamp;
use crate::text::one_line;

/// What a sink that took a notification heard of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    All,
    /// Only what is named.
    Named,
}

impl Alerting {
    /// Sees to it that a sink is told what is news in a group; whether that is something which is not on its way already.
    pub(super) fn evaluate(&mut self, key: &GroupKey, sink: &SinkName) -> bool {
        let Some(content) = self.content(key, sink) else { return false };
        let conversation = self.groups.get(key).and_then(|group| group.conversations.get(sink));
        let Some(id) = conversation.and_then(|conversation| conversation.delivery) else {
            self.make(key, sink, content);
            return true;
        };
        // One that may have arrived is finished first; another one takes the truth of the moment at which it is attempted.
        let is_fixed = self.deliveries.get(&id).is_some_and(Delivery::may_be_known);
        if is_fixed {
            self.wait(key, sink);
        }
        is_fixed
    }

    fn wait(&mut self, key: &GroupKey, sink: &SinkName) {
        if let Some(conversation) = self.conversation_mut(key, sink)
            && !conversation.entry.is_waiting
        {
            conversation.entry.is_waiting = true;
            self.touched.ledger.insert((key.clone(), sink.clone()));
        }
    }

    pub(super) fn make(&mut self, key: &GroupKey, sink: &SinkName, content: Content) {
        let (Some(group), Some(state)) = (self.groups.get_mut(key), self.sinks.get_mut(sink)) else { return };
        let id = DeliveryId::next(&mut self.chance, self.now);
        let conversation = group.conversations.entry(sink.clone()).or_insert_with(|| Conversation::new(key, sink));
        conversation.delivery = Some(id);
        let mut delivery = Delivery {
            id,
            sink: sink.clone(),
            group: key.clone(),
            route: Arc::clone(&group.row.route),
            group_labels: group.row.labels.clone(),
            cause: content.cause,
            phase: content.phase,
            severity: content.severity,
            alerts: Vec::new(),
            more: 0,
            covers: Vec::new(),
            reference: conversation.entry.reference.clone(),
            created_at: self.now,
            give_up_at: self.now.plus(self.config.give_up_after),
            attempts: 0,
            may_have_arrived: false,
            last_error: None,
            state: DeliveryState::Pending { next_attempt_at: self.now },
        };
        fill(&mut delivery, content);
        state.deliveries.insert(id);
        self.deliveries.insert(id, delivery);
        self.touched.deliveries.insert(id);
        self.touched.ledger.insert((key.clone(), sink.clone()));
        self.plan_delivery(id);
    }

    /// Enters an unfinished delivery's times into the agenda.
    pub(super) fn plan_delivery(&mut self, id: DeliveryId) {
        let Some(delivery) = self.deliveries.get(&id) else { return };
        // None while the sink is not configured.
        let free_at = match self.sinks.get(&delivery.sink) {
            Some(sink) => sink.row.removed_at.is_none().then(|| sink.row.free_at()),
            None => Some(Timestamp(0)),
        };
        let (attempt_at, lease_until) = match delivery.state {
            DeliveryState::Pending { next_attempt_at } => (free_at.map(|free_at| next_attempt_at.max(free_at)), None),
            DeliveryState::Attempting { lease_until } => (None, Some(lease_until)),
            DeliveryState::Delivered { .. }
            | DeliveryState::Refused { .. }
            | DeliveryState::Expired { .. }
            | DeliveryState::Abandoned { .. } => return,
        };
        self.agenda.set(Due::GiveUp(id), Some(delivery.give_up_at));
        self.agenda.set(Due::Lease(id), lease_until);
        self.attempts.set(id, attempt_at);
    }

    /// Plans all deliveries of a sink anew: it is held for another time than before.
    pub(super) fn plan_sink(&mut self, sink: &SinkName) {
        let ids = self.sinks.get(sink).map(|state| state.deliveries.clone()).unwrap_or_default();
        for id in ids {
            self.plan_delivery(id);
        }
    }

    /// A worker is about to call the sink.
    pub(super) fn attempt(&mut self, id: DeliveryId) {
        if self.attempts.time_of(&id).is_none_or(|at| at > self.now) {
            return;
        }
        let Some(delivery) = self.deliveries.get(&id) else { return };
        let (key, sink) = (delivery.group.clone(), delivery.sink.clone());
        if !delivery.may_have_arrived {
            let Some(content) = self.content(&key, &sink) else {
                self.withdraw(id);
                return;
            };
            if content.has_rest {
                self.wait(&key, &sink);
            }
            self.fix(id, content);
        }
        let Some(state) = self.sinks.get_mut(&sink) else { return };
        let lease_until = self.now.plus(state.config.lease());
        let is_probe = state.row.is_broken();
        if is_probe {
            state.row.probe(lease_until);
            self.touched.sinks.insert(sink.clone());
        }
        if let Some(delivery) = self.deliveries.get_mut(&id) {
            delivery.attempts = delivery.attempts.saturating_add(1);
            delivery.state = DeliveryState::Attempting { lease_until };
        }
        self.touched.deliveries.insert(id);
        self.plan_delivery(id);
        if is_probe {
            self.plan_sink(&sink);
        }
    }

    /// Gives a delivery the content with which it is attempted, and writes into the ledger what the sink may know from now on.
    fn fix(&mut self, id: DeliveryId, content: Content) {
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        fill(delivery, content);
        let (key, sink) = (&delivery.group, &delivery.sink);
        let Some(conversation) = self.groups.get_mut(key).and_then(|group| group.conversations.get_mut(sink)) else { return };
        delivery.reference.clone_from(&conversation.entry.reference);
        for cover in delivery.covers.iter().filter(|cover| cover.phase != Phase::Resolved) {
            let fresh = Told { phase: cover.phase, standing: Standing::MayKnow, is_named: false, is_left: false };
            let told = conversation.entry.told.entry(cover.incident).or_insert(fresh);
            told.is_named |= cover.is_named;
            if told.standing == Standing::Declined {
                told.standing = Standing::MayKnow;
            }
            let Some(case) = self.cases.get_mut(&cover.incident) else { continue };
            case.told.insert(sink.clone(), key.clone());
            if !case.incident.was_told {
                case.incident.was_told = true;
                self.touched.incidents.insert(cover.incident);
            }
        }
        self.touched.ledger.insert((key.clone(), sink.clone()));
    }

    pub(super) fn attempt_ended(&mut self, id: DeliveryId, attempt: u32, outcome: Outcome) {
        let Some(delivery) = self.deliveries.get(&id) else { return };
        // That the sink has it is true whenever it is heard, also of an attempt that was taken for lost.
        let was_made = (1..=delivery.attempts).contains(&attempt) && delivery.may_be_known();
        let is_under_way = delivery.attempts == attempt && matches!(delivery.state, DeliveryState::Attempting { .. });
        match outcome {
            Outcome::Delivered { reference } if was_made => self.delivered(id, reference, Heard::All),
            Outcome::DeliveredNamed { reference } if was_made => self.delivered(id, reference, Heard::Named),
            Outcome::Retryable { error, after } if is_under_way => self.failed(id, &error, after),
            Outcome::Lost { error } if is_under_way => self.failed(id, &error, None),
            Outcome::Refused { error } if is_under_way => self.refused(id, &error),
            Outcome::NotAttempted { error } if is_under_way => self.not_attempted(id, &error),
            Outcome::Delivered { .. }
            | Outcome::DeliveredNamed { .. }
            | Outcome::Retryable { .. }
            | Outcome::Lost { .. }
            | Outcome::Refused { .. }
            | Outcome::NotAttempted { .. } => {}
        }
    }

    pub(super) fn lease_ran_out(&mut self, id: DeliveryId) {
        self.failed(id, "nothing was heard of the attempt", None);
    }

    /// The time is up. An attempt under way is waited for.
    pub(super) fn give_up(&mut self, id: DeliveryId) {
        if self.deliveries.get(&id).is_some_and(|delivery| matches!(delivery.state, DeliveryState::Pending { .. })) {
            self.expire(id);
        }
    }

    fn delivered(&mut self, id: DeliveryId, reference: Option<String>, heard: Heard) {
        let now = self.now;
        let Some(delivery) = self.finish(id, DeliveryState::Delivered { at: now }) else { return };
        let (key, sink) = (&delivery.group, &delivery.sink);
        self.sink_answered(sink);
        if let Some(conversation) = self.conversation_mut(key, sink) {
            conversation.entry.last_told_at = Some(now);
            if let Some(reference) = reference {
                conversation.entry.reference = Some(Arc::from(one_line(&reference, NOTE_BYTES_MAX)));
            }
        }
        let mut has_unheard = false;
        for cover in &delivery.covers {
            if heard == Heard::Named && !cover.is_named {
                self.was_counted(cover, &delivery);
                has_unheard |= cover.phase != Phase::Resolved;
                continue;
            }
            if cover.phase == Phase::Resolved {
                self.forget(cover.incident, key, sink);
            } else if let Some(told) = self.told_mut(cover.incident, key, sink) {
                told.phase = cover.phase;
                told.standing = Standing::Knows;
                told.is_left = false;
            }
            self.event(cover.incident, EventKind::Notified { sink: sink.clone(), phase: cover.phase });
        }
        if has_unheard {
            // What is new among them follows at once; what is known waits for the reminder, which names all.
            self.wait(key, sink);
        }
        let is_reminded_later = has_unheard && delivery.cause != Cause::Reminder && self.has_reminder(key, sink);
        if !is_reminded_later {
            self.schedule_reminder(key, sink);
        }
        self.after_end(&delivery);
    }

    /// The sink took a notification and did not hear of an incident that is only counted in it.
    fn was_counted(&mut self, cover: &Cover, delivery: &Delivery) {
        let (key, sink) = (&delivery.group, &delivery.sink);
        if cover.phase != Phase::Resolved
            && let Some(told) = self.told_mut(cover.incident, key, sink)
            && told.is_named
        {
            told.is_left |= delivery.cause == Cause::Reminder;
            return;
        }
        self.forget(cover.incident, key, sink);
        if let Some(case) = self.cases.get_mut(&cover.incident) {
            case.incident.was_told = !case.told.is_empty();
            self.touched.incidents.insert(cover.incident);
        }
    }

    fn has_reminder(&self, key: &GroupKey, sink: &SinkName) -> bool {
        let conversation = self.groups.get(key).and_then(|group| group.conversations.get(sink));
        conversation.is_some_and(|conversation| conversation.entry.reminder != Reminder::Never)
    }

    /// The sink could not take it, or nobody knows; it is tried again.
    fn failed(&mut self, id: DeliveryId, error: &str, after: Option<Duration>) {
        let now = self.now;
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        let error = one_line(error, NOTE_BYTES_MAX);
        let after = after.map(|after| after.clamp(BACKOFF_FIRST, RETRY_AFTER_MAX));
        // Who asks for a second each time for a day is asked less and less often all the same.
        let wait = after.map_or_else(|| self.chance.jittered(delivery.backoff()), |after| after.max(delivery.backoff()));
        let next_attempt_at = now.plus(wait);
        delivery.may_have_arrived = true;
        delivery.last_error = Some(error.clone());
        delivery.state = DeliveryState::Pending { next_attempt_at };
        let (sink, give_up_at) = (delivery.sink.clone(), delivery.give_up_at);
        let told = if delivery.attempts == 1 { delivery.covers.clone() } else { Vec::new() };
        self.touched.deliveries.insert(id);
        for cover in told {
            self.event(cover.incident, EventKind::DeliveryFailed { sink: sink.clone(), error: error.clone() });
        }
        if let Some(state) = self.sinks.get_mut(&sink) {
            state.row.revision = state.config.revision;
            match after {
                Some(after) => state.row.ask(now.plus(after)),
                None => state.row.failed(now),
            }
            self.touched.sinks.insert(sink.clone());
        }
        self.plan_after_failure(id, &sink);
        if now >= give_up_at {
            self.expire(id);
        }
    }

    /// A failure may hold the sink for longer, or let others go on after a probe.
    fn plan_after_failure(&mut self, id: DeliveryId, sink: &SinkName) {
        self.plan_delivery(id);
        if self.sinks.get(sink).is_some_and(|state| state.row.is_broken() || state.row.free_at() > self.now) {
            self.plan_sink(sink);
        }
    }

    fn refused(&mut self, id: DeliveryId, error: &str) {
        let error = one_line(error, NOTE_BYTES_MAX);
        if let Some(delivery) = self.deliveries.get_mut(&id) {
            delivery.last_error = Some(error.clone());
        }
        let Some(delivery) = self.finish(id, DeliveryState::Refused { at: self.now }) else { return };
        self.sink_answered(&delivery.sink);
        let kind = EventKind::DeliveryRefused { sink: delivery.sink.clone(), error };
        self.told_nothing(&delivery, &kind);
    }

    fn expire(&mut self, id: DeliveryId) {
        let Some(delivery) = self.finish(id, DeliveryState::Expired { at: self.now }) else { return };
        // What came up while it was never attempted is to be told all the same.
        if !delivery.may_have_arrived {
            self.wait(&delivery.group, &delivery.sink);
        }
        let kind = EventKind::DeliveryExpired { sink: delivery.sink.clone() };
        self.told_nothing(&delivery, &kind);
    }

    /// A delivery ended and the sink does not have it, unless an attempt arrived all the same.
    fn told_nothing(&mut self, delivery: &Delivery, kind: &EventKind) {
        let (key, sink) = (&delivery.group, &delivery.sink);
        for cover in &delivery.covers {
            if cover.phase == Phase::Resolved {
                self.forget(cover.incident, key, sink);
            } else if !delivery.may_have_arrived {
                self.decline(*cover, key, sink);
            }
            self.event(cover.incident, kind.clone());
        }
        self.schedule_reminder(key, sink);
        self.after_end(delivery);
    }

    /// The sink knows no more of an incident than before, and is not told that it is new until the next reminder.
    fn decline(&mut self, cover: Cover, key: &GroupKey, sink: &SinkName) {
        let Some(case) = self.cases.get_mut(&cover.incident) else { return };
        let before = cover.before.unwrap_or(Standing::Declined);
        if before == Standing::Declined && !case.incident.is_open() {
            self.forget(cover.incident, key, sink);
            return;
        }
        if *case.told.entry(sink.clone()).or_insert_with(|| key.clone()) != *key {
            return;
        }
        if let Some(conversation) = self.conversation_mut(key, sink) {
            let fresh = Told { phase: cover.phase, standing: before, is_named: cover.is_named, is_left: false };
            let told = conversation.entry.told.entry(cover.incident).or_insert(fresh);
            told.standing = before;
            told.is_left = false;
            self.touched.ledger.insert((key.clone(), sink.clone()));
        }
    }

    /// Nothing was sent, for certain: the ledger is as it was before the attempt.
    fn not_attempted(&mut self, id: DeliveryId, error: &str) {
        let now = self.now;
        let Some(delivery) = self.deliveries.get_mut(&id) else { return };
        let next_attempt_at = now.plus(self.chance.jittered(delivery.backoff()));
        delivery.last_error = Some(one_line(error, NOTE_BYTES_MAX));
        delivery.state = DeliveryState::Pending { next_attempt_at };
        let (key, sink, is_over) = (delivery.group.clone(), delivery.sink.clone(), now >= delivery.give_up_at);
        let covers = if delivery.may_have_arrived { Vec::new() } else { delivery.covers.clone() };
        self.touched.deliveries.insert(id);
        self.touched.ledger.insert((key.clone(), sink.clone()));
        for cover in covers.iter().filter(|cover| cover.phase != Phase::Resolved) {
            self.take_back(cover, &key, &sink);
        }
        if let Some(state) = self.sinks.get_mut(&sink) {
            state.row.revision = state.config.revision;
            state.row.failed(now);
            self.touched.sinks.insert(sink.clone());
        }
        self.plan_after_failure(id, &sink);
        if is_over {
            self.expire(id);
        }
    }

    /// What an attempt that was none wrote into the ledger.
    fn take_back(&mut self, cover: &Cover, key: &GroupKey, sink: &SinkName) {
        let Some(case) = self.cases.get(&cover.incident) else { return };
        let is_kept = |before: &Standing| case.incident.is_open() || *before != Standing::Declined;
        if let Some(before) = cover.before.filter(is_kept) {
            if let Some(told) = self.told_mut(cover.incident, key, sink) {
                told.standing = before;
            }
            return;
        }
        self.forget(cover.incident, key, sink);
        if let Some(case) = self.cases.get_mut(&cover.incident) {
            case.incident.was_told = !case.told.is_empty();
            self.touched.incidents.insert(cover.incident);
        }
        // Another group may be the one to tell it now.
        self.touch_all(cover.incident);
        self.settle(cover.incident);
    }

    /// Ends what was not attempted yet and has nothing left to tell: somebody of the group was resolved.
    pub(super) fn withdraw_what_is_over(&mut self, key: &GroupKey) {
        let Some(group) = self.groups.get(key) else { return };
        let is_unattempted = |id: &DeliveryId| self.deliveries.get(id).is_some_and(|delivery| !delivery.may_be_known());
        let waiting = group.conversations.iter().filter_map(|(sink, conversation)| Some((conversation.delivery?, sink.clone())));
        let unattempted: Vec<(DeliveryId, SinkName)> = waiting.filter(|(id, _)| is_unattempted(id)).collect();
        // The content of a large group is not looked at with each of its ends.
        if unattempted.is_empty() || group.members.iter().any(|id| self.is_heard(*id, key)) {
            return;
        }
        for (id, sink) in unattempted {
            if self.content(key, &sink).is_none() {
                self.withdraw(id);
            }
        }
    }

    /// Whether an incident is mute neither in a group nor everywhere.
    fn is_heard(&self, id: IncidentId, key: &GroupKey) -> bool {
        let Some(incident) = self.cases.get(&id).map(|case| &case.incident) else { return false };
        incident.mute.is_none() && incident.memberships.iter().any(|membership| membership.group == *key && membership.mute.is_none())
    }

    /// By its first attempt there is nothing to tell any more.
    fn withdraw(&mut self, id: DeliveryId) {
        let Some(delivery) = self.deliveries.get(&id) else { return };
        let is_open = |id: &IncidentId| self.cases.get(id).is_some_and(|case| case.incident.is_open());
        let is_any_open = delivery.covers.iter().any(|cover| is_open(&cover.incident));
        let reason = if is_any_open { Abandoned::Outdated } else { Abandoned::ResolvedBeforeSent };
        if let Some(delivery) = self.finish(id, DeliveryState::Abandoned { at: self.now, reason }) {
            self.after_end(&delivery);
        }
    }

    /// Takes a delivery out and writes down its end.
    pub(super) fn finish(&mut self, id: DeliveryId, state: DeliveryState) -> Option<Delivery> {
        let mut delivery = self.deliveries.remove(&id)?;
        delivery.state = state;
        self.agenda.set(Due::GiveUp(id), None);
        self.agenda.set(Due::Lease(id), None);
        self.attempts.set(id, None);
        if let Some(sink) = self.sinks.get_mut(&delivery.sink) {
            sink.deliveries.remove(&id);
        }
        if let Some(conversation) = self.conversation_mut(&delivery.group, &delivery.sink) {
            conversation.delivery = None;
            self.touched.ledger.insert((delivery.group.clone(), delivery.sink.clone()));
        }
        // What a person wanted told again is no reminder that was missed.
        if matches!((&delivery.state, delivery.cause), (DeliveryState::Abandoned { .. }, Cause::Resent { .. })) {
            self.schedule_reminder(&delivery.group, &delivery.sink);
        }
        self.changes.deliveries.push(delivery.clone());
        Some(delivery)
    }

    /// Tells what had to wait for the delivery, and lets go of what nobody is owed.
    fn after_end(&mut self, delivery: &Delivery) {
        let (key, sink) = (&delivery.group, &delivery.sink);
        let now = self.now;
        let conversation = self.conversation_mut(key, sink);
        if conversation.is_some_and(|conversation| std::mem::take(&mut conversation.entry.is_waiting)) && self.evaluate(key, sink) {
            if let Some(group) = self.groups.get_mut(key) {
                group.row.flushed_at = Some(now);
                self.touched.groups.insert(key.clone());
            }
            self.plan_flush(key);
        }
        self.tidy(key);
        for cover in &delivery.covers {
            self.settle(cover.incident);
        }
    }

    fn schedule_reminder(&mut self, key: &GroupKey, sink: &SinkName) {
        let now = self.now;
        let Some(group) = self.groups.get_mut(key) else { return };
        let at = now.plus(group.row.timing.repeat_interval);
        if let Some(conversation) = group.conversations.get_mut(sink) {
            conversation.entry.reminder = Reminder::At(at);
        }
        self.plan_reminder(key, sink);
    }

    /// The receiver answered, so it is there.
    fn sink_answered(&mut self, sink: &SinkName) {
        let Some(state) = self.sinks.get_mut(sink) else { return };
        if state.row.failures > 0 || state.row.held_until > Timestamp(0) {
            state.row.succeeded();
            self.touched.sinks.insert(sink.clone());
            self.plan_sink(sink);
        }
    }

    fn told_mut(&mut self, id: IncidentId, key: &GroupKey, sink: &SinkName) -> Option<&mut Told> {
        self.conversation_mut(key, sink)?.entry.told.get_mut(&id)
    }

    /// Strikes an incident out of the ledger of a sink.
    pub(super) fn forget(&mut self, id: IncidentId, key: &GroupKey, sink: &SinkName) {
        if let Some(conversation) = self.conversation_mut(key, sink) {
            conversation.entry.told.remove(&id);
            self.touched.ledger.insert((key.clone(), sink.clone()));
        }
        if let Some(case) = self.cases.get_mut(&id)
            && case.told.get(sink) == Some(key)
        {
            case.told.remove(sink);
            if case.incident.told_as.remove(sink).is_some() {
                self.touched.incidents.insert(id);
            }
        }
    }
}

fn fill(delivery: &mut Delivery, content: Content) {
    // What a person wants is the reason, whatever is told with it.
    if !matches!(delivery.cause, Cause::Resent { .. }) {
        delivery.cause = content.cause;
    }
    delivery.phase = content.phase;
    delivery.severity = content.severity;
    delivery.alerts = content.alerts;
    delivery.more = content.more;
    delivery.covers = content.covers;
}
