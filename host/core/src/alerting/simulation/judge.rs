//! What must hold, whatever happens.
//!
//! 1. Nothing is told before it is stored: who is told of an incident is told of one in the store, and of its end only after that.
//! 2. A sink that may have been told of a begin is told of the end by exactly one notification, also where the answer was lost; unless it
//!    refused that, it was given up, or the sink was removed and did not come back in time. A person may have it told again.
//! 3. After the end nothing more is told of an incident; who was not told of the begin is not told of the end.
//! 4. The same idempotency key says the same.
//! 5. News of a group keep their distances, and reminders theirs; a sink that asked for time gets it, unless it may have been mended.
//! 6. For each group and sink at most one notification is on its way.
//! 7. Every notification ends, and so does everything else; a timeline has one begin, one end and no gap.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::memory::Memory;
use super::super::*;
use super::Broken;
use crate::Timestamp;

/// How a sink says that it cannot take something now.
pub(super) const BUSY: &str = "503";

/// What one sink heard of one incident.
#[derive(Default)]
struct Hearing {
    heard_begin: bool,
    heard_end: Option<DeliveryId>,
}

#[derive(Default)]
pub(super) struct Judge {
    hearings: BTreeMap<(SinkName, IncidentId), Hearing>,
    /// What was attempted to be told firing, whatever came of it.
    attempted: BTreeSet<(SinkName, IncidentId)>,
    /// What each key said first.
    contents: BTreeMap<DeliveryId, Delivery>,
    /// When a sink was last told something in a group, for as long as the clock goes straight.
    last_ended: BTreeMap<(GroupKey, SinkName), Timestamp>,
    /// Until when a sink wants to be left alone.
    asked_until: BTreeMap<SinkName, Timestamp>,
}

fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken()) }
}

impl Judge {
    pub(super) fn clock_jumped(&mut self) {
        self.last_ended.clear();
        self.asked_until.clear();
    }

    pub(super) fn leave_alone(&mut self, sink: SinkName, until: Timestamp) {
        self.asked_until.insert(sink, until);
    }

    pub(super) fn before_commit(&mut self, changes: &Changes, memory: &Memory, now: Timestamp) -> Result<(), Broken> {
        for sink in &changes.removed.sinks {
            self.asked_until.remove(sink);
        }
        for row in changes.sinks.iter().filter(|row| row.asked_until == Timestamp(0)) {
            self.asked_until.remove(&row.sink);
        }
        for group in &changes.groups {
            let Some(before) = memory.groups.get(&group.key) else { continue };
            let (Some(changed_at), None) = (before.changed_at, group.changed_at) else { continue };
            let wait = changed_at.plus(group.timing.group_wait);
            let distance = before.flushed_at.map_or(Timestamp(0), |at| at.plus(group.timing.group_interval));
            let earliest = wait.max(distance);
            ensure(now.plus(CLOCK_STEP_MAX) >= earliest, || format!("{} was told at {now:?}, before {earliest:?}", group.key))?;
        }
        for delivery in &changes.deliveries {
            let conversation = (delivery.group.clone(), delivery.sink.clone());
            let is_new = !memory.deliveries.contains_key(&delivery.id);
            if is_new && delivery.cause == Cause::Reminder && !delivery.is_finished() {
                let repeat = memory.groups.get(&delivery.group).map(|group| group.timing.repeat_interval).unwrap_or_default();
                let early = self.last_ended.get(&conversation).is_some_and(|at| now.plus(CLOCK_STEP_MAX) < at.plus(repeat));
                ensure(!early, || format!("{} is reminded too early: {}", delivery.sink, delivery.group))?;
            }
            if is_new && !delivery.is_finished() {
                let mut others = memory.deliveries.values().filter(|other| other.group == delivery.group && other.sink == delivery.sink);
                let has_ended = |id| changes.deliveries.iter().any(|changed| changed.id == id && changed.is_finished());
                let is_alone = others.all(|other| other.is_finished() || has_ended(other.id));
                ensure(is_alone, || format!("two notifications for {} on their way to {}", delivery.group, delivery.sink))?;
            }
            match delivery.state {
                DeliveryState::Delivered { .. } | DeliveryState::Refused { .. } | DeliveryState::Expired { .. } => {
                    self.last_ended.insert(conversation, now);
                }
                DeliveryState::Attempting { .. } => {
                    let firing = delivery.covers.iter().filter(|cover| cover.phase != Phase::Resolved);
                    self.attempted.extend(firing.map(|cover| (delivery.sink.clone(), cover.incident)));
                }
                DeliveryState::Pending { .. } | DeliveryState::Abandoned { .. } => {}
            }
        }
        Ok(())
    }

    /// A sink is about to be called; that is stored.
    pub(super) fn attempts(&self, delivery: &Delivery, now: Timestamp) -> Result<(), Broken> {
        let asked_until = self.asked_until.get(&delivery.sink).copied().unwrap_or_default();
        ensure(now.plus(CLOCK_STEP_MAX) >= asked_until, || format!("{} is called before {asked_until:?}", delivery.sink))
    }

    /// A sink takes what it is told, whether or not anybody hears of that.
    pub(super) fn taken(&mut self, delivery: &Delivery, memory: &Memory) -> Result<(), Broken> {
        let stored = memory.deliveries.get(&delivery.id);
        ensure(stored == Some(delivery), || format!("{} is told what is not stored", delivery.sink))?;
        let first = self.contents.entry(delivery.id).or_insert_with(|| delivery.clone());
        let says_the_same = first.covers == delivery.covers && first.alerts == delivery.alerts && first.phase == delivery.phase;
        ensure(says_the_same, || format!("the key {} says something else than before", delivery.id))?;
        for cover in &delivery.covers {
            let incident = memory.incidents.get(&cover.incident);
            let who = (delivery.sink.clone(), cover.incident);
            let was_attempted = self.attempted.contains(&who);
            let hearing = self.hearings.entry(who).or_default();
            if cover.phase == Phase::Resolved {
                let is_over = incident.is_some_and(|incident| !incident.is_open());
                ensure(is_over, || format!("{} is told an end that is not stored: {}", delivery.sink, cover.incident))?;
                ensure(was_attempted, || format!("{} is told the end of what it was never told: {}", delivery.sink, cover.incident))?;
                let is_again = matches!(delivery.cause, Cause::Resent { .. });
                let is_first = is_again || hearing.heard_end.is_none_or(|heard| heard == delivery.id);
                ensure(is_first, || format!("{} is told a second end of {}", delivery.sink, cover.incident))?;
                hearing.heard_end = Some(delivery.id);
            } else {
                ensure(incident.is_some(), || format!("{} is told a begin that is not stored: {}", delivery.sink, cover.incident))?;
                ensure(hearing.heard_end.is_none(), || format!("{} hears of {} after its end", delivery.sink, cover.incident))?;
                hearing.heard_begin = true;
            }
        }
        Ok(())
    }

    pub(super) fn at_the_end(&self, memory: &Memory) -> Result<(), Broken> {
        let unfinished = memory.deliveries.values().find(|delivery| !delivery.is_finished());
        ensure(unfinished.is_none(), || format!("never ended: {unfinished:#?}"))?;
        let unsettled = memory.incidents.values().find(|incident| !incident.is_settled);
        ensure(unsettled.is_none(), || format!("never settled: {unsettled:#?}"))?;
        let is_tidy = memory.ledger.is_empty() && memory.groups.is_empty();
        ensure(is_tidy, || format!("left over: {:#?} {:#?}", memory.groups, memory.ledger))?;
        for ((sink, incident), hearing) in &self.hearings {
            let is_whole = !hearing.heard_begin || hearing.heard_end.is_some() || is_excused(memory, sink, *incident);
            ensure(is_whole, || format!("{sink} was never told the end of {incident}"))?;
        }
        are_whole(&memory.events)
    }
}

/// The answer was stored, and did not come after the lease had run out or the process had died.
pub(super) fn was_heard(delivery: Option<&Delivery>) -> bool {
    delivery
        .is_some_and(|delivery| delivery.last_error.as_deref() == Some(BUSY) && !matches!(delivery.state, DeliveryState::Attempting { .. }))
}

/// Who asks by an answer to be left alone, and for how long.
pub(super) fn asked(delivery: Option<&Delivery>, attempt: u32, outcome: &Outcome) -> Option<(SinkName, Duration)> {
    let delivery = delivery.filter(|delivery| delivery.attempts == attempt)?;
    match (&delivery.state, outcome) {
        (DeliveryState::Attempting { .. }, Outcome::Retryable { after: Some(after), .. }) => Some((delivery.sink.clone(), *after)),
        _ => None,
    }
}

/// Whether a sink need not hear the end: it was removed, it refused the end, or the end was given up.
fn is_excused(memory: &Memory, sink: &SinkName, incident: IncidentId) -> bool {
    let was_removed = memory
        .events
        .iter()
        .any(|event| event.incident == incident && matches!(&event.kind, EventKind::SinkRemoved { sink: removed } if removed == sink));
    let was_in_vain = memory.deliveries.values().any(|delivery| {
        let has_failed = matches!(delivery.state, DeliveryState::Refused { .. } | DeliveryState::Expired { .. });
        let covers_end = |cover: &Cover| cover.incident == incident && cover.phase == Phase::Resolved;
        has_failed && delivery.sink == *sink && delivery.covers.iter().any(covers_end)
    });
    was_removed || was_in_vain
}

/// Each timeline begins with the begin, has one end and no gap.
fn are_whole(events: &[IncidentEvent]) -> Result<(), Broken> {
    let mut lengths: BTreeMap<IncidentId, u32> = BTreeMap::new();
    let mut ends: BTreeMap<IncidentId, u32> = BTreeMap::new();
    for event in events {
        let length = lengths.entry(event.incident).or_default();
        *length += 1;
        ensure(event.number == *length, || format!("the timeline of {} has a gap at {}", event.incident, event.number))?;
        let is_begin = matches!(event.kind, EventKind::Opened { .. });
        ensure(is_begin == (event.number == 1), || format!("the timeline of {} does not begin with the begin", event.incident))?;
        if matches!(event.kind, EventKind::Resolved { .. }) {
            *ends.entry(event.incident).or_default() += 1;
        }
    }
    let is_whole = lengths.keys().all(|incident| ends.get(incident) == Some(&1));
    ensure(is_whole, || "an incident has no end, or two".to_owned())
}
