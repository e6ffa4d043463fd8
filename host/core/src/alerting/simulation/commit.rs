//! What the rules look at: one answer of the machine, and the machine between two facts.

use super::super::memory::Memory;
use super::super::*;
use crate::Timestamp;

/// What the machine answered to a fact; it is about to be stored.
pub(super) struct Commit<'a> {
    pub(super) changes: &'a Changes,
    /// None at a start.
    pub(super) fact: Option<&'a Fact>,
    /// What was stored before.
    pub(super) memory: &'a Memory,
    /// The time of the machine.
    pub(super) now: Timestamp,
    /// Which configuration it has.
    pub(super) setting: usize,
}

/// The machine between two facts.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) alerting: &'a Alerting,
    pub(super) setting: usize,
    pub(super) elapsed_ms: u64,
}

impl<'a> Commit<'a> {
    pub(super) fn before(&self, id: DeliveryId) -> Option<&'a Delivery> {
        self.memory.deliveries.get(&id)
    }

    /// The incident as it is stored from now on.
    pub(super) fn incident(&self, id: IncidentId) -> Option<&'a Incident> {
        self.changes.incidents.iter().find(|incident| incident.id == id).or_else(|| self.memory.incidents.get(&id))
    }

    /// How the attempt under way ended, where the machine was told of that before it had taken it for lost.
    pub(super) fn outcome_of(&self, id: DeliveryId) -> Option<&'a Outcome> {
        let Some(Fact::DeliveryEnded { delivery, attempt, outcome }) = self.fact else { return None };
        let before = self.before(id)?;
        let is_under_way = matches!(before.state, DeliveryState::Attempting { lease_until } if lease_until > self.now);
        (*delivery == id && *attempt == before.attempts && is_under_way).then_some(outcome)
    }

    /// Whether its sink has it, whichever attempt that was.
    pub(super) fn is_said_to_be_delivered(&self, id: DeliveryId) -> bool {
        let is_all = matches!(self.fact, Some(Fact::DeliveryEnded { delivery, outcome: Outcome::Delivered { .. }, .. }) if *delivery == id);
        is_all || self.is_heard_by_name(id)
    }

    /// Whether its sink heard only of what is named.
    pub(super) fn is_heard_by_name(&self, id: DeliveryId) -> bool {
        matches!(self.fact, Some(Fact::DeliveryEnded { delivery, outcome: Outcome::DeliveredNamed { .. }, .. }) if *delivery == id)
    }

    /// Whether an attempt is begun.
    pub(super) fn begins(&self, delivery: &Delivery) -> bool {
        let attempts = self.before(delivery.id).map_or(0, |before| before.attempts);
        matches!(delivery.state, DeliveryState::Attempting { .. }) && delivery.attempts > attempts
    }

    /// Whether an attempt has failed and another is to follow.
    pub(super) fn fails(&self, delivery: &Delivery) -> bool {
        let was_under_way = self.before(delivery.id).is_some_and(|before| matches!(before.state, DeliveryState::Attempting { .. }));
        was_under_way && matches!(delivery.state, DeliveryState::Pending { .. })
    }

    /// Whether the notification before it, for the same group and sink, has just ended.
    pub(super) fn follows(&self, delivery: &Delivery) -> bool {
        let is_before = |other: &Delivery| other.id != delivery.id && other.group == delivery.group && other.sink == delivery.sink;
        self.changes.deliveries.iter().any(|other| is_before(other) && other.is_finished())
    }

    pub(super) fn is_reconfigured(&self) -> bool {
        matches!(self.fact, Some(Fact::Configured { .. }))
    }

    pub(super) fn events_of(&self, id: IncidentId) -> impl Iterator<Item = &'a EventKind> {
        self.changes.events.iter().filter(move |event| event.incident == id).map(|event| &event.kind)
    }
}
