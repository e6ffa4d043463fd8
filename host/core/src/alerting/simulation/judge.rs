//! What must hold, whatever happens.
//!
//! 1. Nothing is told before it is stored: who is told of an incident is told of one in the store, and of its end only after that.
//! 2. A sink that may have been told of a begin is told of the end by exactly one notification, also where the answer was lost; unless it
//!    refused that, it was given up, or the sink was removed and did not come back in time. A person may have it told again.
//! 3. After the end nothing more is told of an incident; who was not told of the begin, or declined it, is not told of the end. What a sink
//!    hears of an incident has the labels that it heard first.
//! 4. The same idempotency key says the same, and ends as the sink said, or when its time is up.
//! 5. News of a group keep their distances, and all that is in `pace`.
//! 6. For each group and sink at most one notification is on its way, and a sink hears of an incident in one group only.
//! 7. Every notification ends, and so does everything else; a timeline has one begin, one end and no gap.
//! 8. A notification has news in it. What is told for the first time is so, is to be told to this sink, and is not mute (`truth`).
//! 9. Who is to be told of an incident, and was not, has something under way. When sinks are there and nothing else happens, whoever is to be
//!    told is told, and reminded.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::memory::Memory;
use super::super::*;
use super::commit::{Commit, Moment};
use super::pace::Pace;
use super::seen::names;
use super::truth::Truth;
use super::{Broken, MINUTE_MS, SECOND_MS, scene};
use crate::Timestamp;

/// Who could be told for so long, while all sinks were there, knows.
const TOLD_WITHIN_MS: u64 = 25 * MINUTE_MS;
/// Beyond the time after which sinks are reminded.
const REMINDER_LATE_MS_MAX: u64 = 120 * SECOND_MS;

/// What one sink heard of one incident.
#[derive(Default)]
struct Hearing {
    knowledge: Knowledge,
    /// It said that it took the begin.
    knows: bool,
    heard_begin: bool,
    heard_end: Option<DeliveryId>,
    /// A person had its end sent again; one that was under way before may arrive after it.
    is_owed_again: bool,
    heard_at_ms: u64,
    /// The labels that it heard first.
    heard_as: Option<Fingerprint>,
}

/// What a sink may know of an incident, by what was attempted and what came of that.
#[derive(Clone, Default)]
struct Knowledge {
    /// Where it was told, or declined.
    group: Option<GroupKey>,
    /// It is to be told the end.
    may_know: bool,
    /// It need not be told the end: it was removed, refused it, or it was given up.
    is_excused: bool,
}

impl Knowledge {
    /// Where it hears of it, if it heard of it at all.
    fn place(&self) -> Option<&GroupKey> {
        self.group.as_ref().filter(|_| !self.is_excused)
    }
}

/// The attempts at one delivery.
#[derive(Default)]
struct Attempts {
    /// Those of which the machine heard that nothing was sent.
    not_sent: u32,
    /// What the sink might know before the last one of what that told firing.
    before: Vec<(IncidentId, Knowledge)>,
}

#[derive(Default)]
pub(super) struct Judge {
    truth: Truth,
    pace: Pace,
    hearings: BTreeMap<IncidentId, BTreeMap<SinkName, Hearing>>,
    attempts: BTreeMap<DeliveryId, Attempts>,
    /// What each key said first.
    contents: BTreeMap<DeliveryId, Delivery>,
    /// Made since all sinks are there for good.
    made_in_peace: BTreeSet<DeliveryId>,
    is_peace: bool,
    /// What happened at all, where somebody wants to know.
    seen: Option<BTreeSet<String>>,
}

pub(super) fn ensure(holds: bool, broken: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(broken()) }
}

impl Judge {
    pub(super) fn clock_was_set(&mut self, before: Timestamp, now: Timestamp) {
        self.pace.clock_was_set(before, now);
    }

    /// It was set back, and the process died before it saw that.
    pub(super) fn clock_is_unsure(&mut self) {
        self.pace.clock_is_unsure();
        self.truth.clock_is_unsure();
    }

    /// From now on all sinks take what they are told.
    pub(super) fn sinks_recovered(&mut self) {
        self.is_peace = true;
    }

    pub(super) fn takes_notes(&mut self) {
        self.seen = Some(BTreeSet::new());
    }

    pub(super) fn has_seen(&self, name: &str) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.contains(name))
    }

    pub(super) fn before_commit(&mut self, commit: &Commit<'_>) -> Result<(), Broken> {
        if let Some(seen) = &mut self.seen {
            seen.extend(names(commit.changes));
        }
        self.truth.learn(commit)?;
        self.pace.before_commit(commit)?;
        lives_are_lived_once(commit)?;
        for event in &commit.changes.events {
            if let EventKind::SinkRemoved { sink } = &event.kind {
                ensure(self.pace.is_gone(sink), || format!("{sink} is said to be removed, and may come back"))?;
                let hearing = self.hearing(sink, event.incident);
                hearing.knowledge.is_excused = true;
                hearing.knows = false;
                hearing.heard_as = None;
            }
        }
        self.owed_again(commit);
        for delivery in &commit.changes.deliveries {
            self.one_at_a_time(commit, delivery)?;
            if commit.begins(delivery) {
                self.begins(commit, delivery)?;
            }
            if matches!(commit.outcome_of(delivery.id), Some(Outcome::NotAttempted { .. })) {
                self.not_sent(delivery);
            }
            self.stands_as_it_may(commit, delivery)?;
        }
        word_is_taken(commit)
    }

    /// A person has something sent again that was taken, refused or given up: its ends are owed once more.
    fn owed_again(&mut self, commit: &Commit<'_>) {
        let Some(Fact::Resend { delivery: ended, .. }) = commit.fact else { return };
        if !commit.changes.refusals.is_empty() {
            return;
        }
        for cover in ended.covers.iter().filter(|cover| cover.phase == Phase::Resolved) {
            let hearing = self.hearing(&ended.sink, cover.incident);
            hearing.knowledge = Knowledge { group: Some(ended.group.clone()), may_know: true, is_excused: false };
            hearing.heard_end = None;
            hearing.is_owed_again = true;
        }
    }

    fn hearing(&mut self, sink: &SinkName, incident: IncidentId) -> &mut Hearing {
        self.hearings.entry(incident).or_default().entry(sink.clone()).or_default()
    }

    fn heard(&self, sink: &str, incident: IncidentId) -> Option<&Hearing> {
        self.hearings.get(&incident)?.get(sink)
    }

    fn one_at_a_time(&mut self, commit: &Commit<'_>, delivery: &Delivery) -> Result<(), Broken> {
        if commit.before(delivery.id).is_some() {
            return Ok(());
        }
        if self.is_peace {
            self.made_in_peace.insert(delivery.id);
        }
        if delivery.is_finished() {
            return Ok(());
        }
        let is_other = |other: &&Delivery| other.id != delivery.id && other.group == delivery.group && other.sink == delivery.sink;
        let mut others = commit.memory.deliveries.values().filter(is_other);
        let has_ended = |id| commit.changes.deliveries.iter().any(|changed| changed.id == id && changed.is_finished());
        let is_alone = others.all(|other| other.is_finished() || has_ended(other.id));
        ensure(is_alone, || format!("two notifications for {} on their way to {}", delivery.group, delivery.sink))
    }

    /// Whether an attempt before the one under way may have arrived.
    fn has_arrived_before(&self, delivery: &Delivery) -> bool {
        let begun = match delivery.state {
            DeliveryState::Attempting { .. } => delivery.attempts.saturating_sub(1),
            _ => delivery.attempts,
        };
        begun > self.attempts.get(&delivery.id).map_or(0, |attempts| attempts.not_sent)
    }

    /// An attempt is begun: whoever is told firing may know from now on.
    fn begins(&mut self, commit: &Commit<'_>, delivery: &Delivery) -> Result<(), Broken> {
        let sink = &delivery.sink;
        if self.has_arrived_before(delivery) {
            let is_the_same = commit.before(delivery.id).is_some_and(|before| says_the_same(before, delivery));
            return ensure(is_the_same, || format!("the key {} is to say something else than before", delivery.id));
        }
        self.has_news(delivery)?;
        let mut before = Vec::new();
        for cover in &delivery.covers {
            let knowledge = &mut self.hearing(sink, cover.incident).knowledge;
            let is_here = knowledge.group.as_ref() == Some(&delivery.group) || knowledge.is_excused;
            if cover.phase == Phase::Resolved {
                ensure(knowledge.may_know, || format!("{sink} is told the end of what it was never told: {}", cover.incident))?;
                ensure(is_here, || format!("{sink} is told the end of {} in another group than the begin", cover.incident))?;
                continue;
            }
            ensure(is_here || !knowledge.may_know, || format!("{sink} hears of {} in two groups", cover.incident))?;
            let known = Knowledge { group: Some(delivery.group.clone()), may_know: true, is_excused: false };
            before.push((cover.incident, std::mem::replace(knowledge, known)));
        }
        self.attempts.entry(delivery.id).or_default().before = before;
        Ok(())
    }

    /// What is told for the first time has a reason, and its summary is that of its parts.
    fn has_news(&self, delivery: &Delivery) -> Result<(), Broken> {
        let firing = || delivery.covers.iter().filter(|cover| cover.phase != Phase::Resolved);
        let has = |phase: Phase| delivery.covers.iter().any(|cover| cover.phase == phase);
        let knows = |id: IncidentId| self.heard(&delivery.sink, id).is_some_and(|hearing| hearing.knows);
        let is_news = if delivery.cause == Cause::Opened {
            firing().any(|cover| !knows(cover.incident))
        } else if delivery.cause == Cause::Resolved {
            has(Phase::Resolved)
        } else if delivery.cause == Cause::Acknowledged {
            scene::tells_acknowledgements(&delivery.sink) && firing().next().is_some()
        } else {
            delivery.cause != Cause::Reminder || has(Phase::Firing)
        };
        ensure(is_news, || format!("{} is told {:?} without a reason: {:?}", delivery.sink, delivery.cause, delivery.covers))?;
        let is_over = delivery.covers.iter().all(|cover| cover.phase == Phase::Resolved);
        let is_summed_up = (delivery.phase == Phase::Resolved) == is_over && (delivery.phase == Phase::Firing || !has(Phase::Firing));
        let named = delivery.covers.iter().filter(|cover| cover.is_named).count();
        let counted = usize::try_from(delivery.more).unwrap_or(usize::MAX);
        let is_counted = named == delivery.alerts.len() && named.saturating_add(counted) == delivery.covers.len();
        ensure(is_summed_up && is_counted, || format!("{:?} and {counted} more do not sum up {:?}", delivery.phase, delivery.covers))
    }

    /// The attempt was none, so the sink knows what it knew before, unless another one may have arrived.
    fn not_sent(&mut self, delivery: &Delivery) {
        let attempts = self.attempts.entry(delivery.id).or_default();
        attempts.not_sent += 1;
        if attempts.not_sent < delivery.attempts {
            return;
        }
        for (incident, knowledge) in std::mem::take(&mut attempts.before) {
            self.hearing(&delivery.sink, incident).knowledge = knowledge;
        }
    }

    /// A delivery is where what was heard of it allows it to be.
    fn stands_as_it_may(&mut self, commit: &Commit<'_>, delivery: &Delivery) -> Result<(), Broken> {
        let is_configured = scene::is_configured(commit.setting, &delivery.sink);
        let heard = commit.outcome_of(delivery.id);
        let is_lost = |before: &Delivery| matches!(before.state, DeliveryState::Attempting { lease_until } if lease_until <= commit.now);
        let stands = match delivery.state {
            DeliveryState::Pending { .. } | DeliveryState::Attempting { .. } => {
                let has_reason = !commit.fails(delivery) || heard.is_some() || commit.before(delivery.id).is_some_and(is_lost);
                has_reason && delivery.may_have_arrived == self.has_arrived_before(delivery)
            }
            DeliveryState::Delivered { .. } => {
                self.note_taken(commit, delivery);
                commit.is_said_to_be_delivered(delivery.id) && has_line_for_each(commit, delivery)
            }
            DeliveryState::Refused { .. } => {
                self.note_refused(delivery);
                matches!(heard, Some(Outcome::Refused { .. }))
            }
            DeliveryState::Expired { .. } => {
                self.note_given_up(delivery);
                let is_forever = self.made_in_peace.contains(&delivery.id);
                self.pace.is_gone(&delivery.sink) || (commit.now >= delivery.give_up_at && !(is_forever && is_configured))
            }
            DeliveryState::Abandoned { reason: Abandoned::SinkRemoved, .. } => !is_configured && !self.has_arrived_before(delivery),
            DeliveryState::Abandoned { .. } => !self.has_arrived_before(delivery),
        };
        ensure(stands, || format!("it should not be so, where {heard:?} was heard: {delivery:#?}"))
    }

    /// What was only counted, and not heard, is as before.
    fn note_taken(&mut self, commit: &Commit<'_>, delivery: &Delivery) {
        let is_by_name = commit.is_heard_by_name(delivery.id);
        for cover in delivery.covers.iter().filter(|cover| cover.phase != Phase::Resolved) {
            let hearing = self.hearing(&delivery.sink, cover.incident);
            if cover.is_named || !is_by_name {
                hearing.knows = true;
            } else if !hearing.knows {
                hearing.knowledge = Knowledge::default();
            }
        }
    }

    /// Who refuses a begin does not know of it, unless it knew before or an earlier attempt may have arrived.
    fn note_refused(&mut self, delivery: &Delivery) {
        self.excuse(delivery);
        let attempts = self.attempts.entry(delivery.id).or_default();
        if delivery.attempts.saturating_sub(1) > attempts.not_sent {
            return;
        }
        for (incident, before) in std::mem::take(&mut attempts.before) {
            let declined = Knowledge { group: Some(delivery.group.clone()), may_know: false, is_excused: false };
            // What it knew in a life that is excused counts no more.
            let knowledge = if before.may_know && !before.is_excused { before } else { declined };
            self.hearing(&delivery.sink, incident).knowledge = knowledge;
        }
    }

    fn note_given_up(&mut self, delivery: &Delivery) {
        self.excuse(delivery);
        if self.has_arrived_before(delivery) {
            return;
        }
        for cover in delivery.covers.iter().filter(|cover| cover.phase != Phase::Resolved) {
            let knowledge = &mut self.hearing(&delivery.sink, cover.incident).knowledge;
            knowledge.group.get_or_insert_with(|| delivery.group.clone());
        }
    }

    fn excuse(&mut self, delivery: &Delivery) {
        for cover in delivery.covers.iter().filter(|cover| cover.phase == Phase::Resolved) {
            self.hearing(&delivery.sink, cover.incident).knowledge.is_excused = true;
        }
    }

    /// Nothing that was due is left, and everything is as it has to be by what the machine was told.
    pub(super) fn at_rest(&mut self, moment: Moment<'_>) -> Result<(), Broken> {
        self.pace.at_rest(moment)?;
        self.truth.at_rest(moment)?;
        self.nobody_is_forgotten(moment)
    }

    /// Who is to be told of an incident at once, and was not, is told with the next flush of a group of it or by what is on its way.
    fn nobody_is_forgotten(&self, moment: Moment<'_>) -> Result<(), Broken> {
        let flushed_soon = OnceCell::new();
        let on_their_way = OnceCell::new();
        for incident in self.truth.tellable_for(moment, 0) {
            for sink in scene::audience(moment.setting, incident).at_once {
                if self.heard(sink, incident.id).and_then(|hearing| hearing.knowledge.place()).is_some() {
                    continue;
                }
                let flushed_soon: &BTreeSet<&GroupKey> = flushed_soon.get_or_init(|| {
                    let changed = moment.alerting.groups().filter(|group| group.changed_at.is_some());
                    changed.map(|group| &group.key).collect()
                });
                let on_their_way: &BTreeSet<(&GroupKey, &str)> =
                    on_their_way.get_or_init(|| moment.alerting.deliveries().map(|delivery| (&delivery.group, &*delivery.sink)).collect());
                let mut groups = incident.memberships.iter().map(|membership| &membership.group);
                let is_about_to_hear = groups.any(|group| flushed_soon.contains(group) || on_their_way.contains(&(group, *sink)));
                ensure(is_about_to_hear, || format!("{sink} is not told of {incident:#?}"))?;
            }
        }
        Ok(())
    }

    /// A sink is about to be called; that is stored.
    pub(super) fn attempts(&self, delivery: &Delivery, moment: Moment<'_>) -> Result<(), Broken> {
        let sink = &delivery.sink;
        ensure(scene::is_configured(moment.setting, sink), || format!("{sink} is called and is not configured"))?;
        if self.has_arrived_before(delivery) {
            return Ok(());
        }
        for cover in &delivery.covers {
            let incident = moment.alerting.incident(cover.incident);
            let is_true = incident.is_some_and(|incident| incident.phase == cover.phase);
            ensure(is_true, || format!("{sink} is told what is not so: {cover:?}"))?;
            let Some(incident) = incident.filter(|incident| incident.is_open()) else { continue };
            let mute = self.truth.mute_of(incident, moment);
            ensure(mute.is_none(), || format!("{sink} is told of {}, which is mute: {mute:?}", cover.incident))?;
            let audience = scene::audience(moment.setting, incident);
            let is_meant = audience.at_once.contains(&&**sink);
            let is_escalated = audience.by_ladder.contains(&&**sink) && self.pace.has_climbed(cover.incident);
            ensure(is_meant || is_escalated, || format!("{sink} is not to be told of {incident:#?}"))?;
        }
        Ok(())
    }

    /// A sink takes what it is told, whether or not anybody hears of that.
    pub(super) fn taken(&mut self, delivery: &Delivery, memory: &Memory, elapsed_ms: u64) -> Result<(), Broken> {
        let stored = memory.deliveries.get(&delivery.id);
        ensure(stored == Some(delivery), || format!("{} is told what is not stored", delivery.sink))?;
        let first = self.contents.entry(delivery.id).or_insert_with(|| delivery.clone());
        ensure(says_the_same(first, delivery), || format!("the key {} says something else than before", delivery.id))?;
        for cover in &delivery.covers {
            let incident = memory.incidents.get(&cover.incident);
            let hearing = self.hearing(&delivery.sink, cover.incident);
            hearing.heard_at_ms = elapsed_ms;
            if cover.phase == Phase::Resolved {
                let is_over = incident.is_some_and(|incident| !incident.is_open());
                ensure(is_over, || format!("{} is told an end that is not stored: {}", delivery.sink, cover.incident))?;
                let is_first = hearing.is_owed_again || hearing.heard_end.is_none_or(|heard| heard == delivery.id);
                ensure(is_first, || format!("{} is told a second end of {}", delivery.sink, cover.incident))?;
                hearing.heard_end = Some(delivery.id);
            } else {
                ensure(incident.is_some(), || format!("{} is told a begin that is not stored: {}", delivery.sink, cover.incident))?;
                ensure(hearing.heard_end.is_none(), || format!("{} hears of {} after its end", delivery.sink, cover.incident))?;
                hearing.heard_begin = true;
            }
        }
        self.known_by_its_labels(delivery)
    }

    /// What begins with some labels goes on and ends with them. An end that is told again is told with those of the end.
    fn known_by_its_labels(&mut self, delivery: &Delivery) -> Result<(), Broken> {
        for alert in &delivery.alerts {
            let heard_as = *self.hearing(&delivery.sink, alert.incident).heard_as.get_or_insert(alert.fingerprint);
            let is_end_again = matches!(delivery.cause, Cause::Resent { .. }) && alert.phase == Phase::Resolved;
            let is_the_same = heard_as == alert.fingerprint && alert.labels.fingerprint() == alert.fingerprint;
            ensure(is_the_same || is_end_again, || format!("{} knows it with other labels: {alert:#?}", delivery.sink))?;
        }
        Ok(())
    }

    /// All sinks are there, and for a while nothing else has happened: whoever is to be told knows.
    pub(super) fn when_calm(&self, moment: Moment<'_>) -> Result<(), Broken> {
        let reminded_ms = u64::try_from(scene::REPEAT.as_millis()).unwrap_or(u64::MAX) + REMINDER_LATE_MS_MAX;
        let nothing = Hearing::default();
        for incident in self.truth.tellable_for(moment, TOLD_WITHIN_MS) {
            let audience = scene::audience(moment.setting, incident);
            for sink in audience.at_once.iter().chain(audience.by_ladder) {
                let hearing = self.heard(sink, incident.id).unwrap_or(&nothing);
                let place = hearing.knowledge.place();
                // Who was told by a route that does not take the incident any more is reminded there only if something happens.
                if place.is_some_and(|group| incident.memberships.iter().all(|membership| membership.group != *group)) {
                    continue;
                }
                let is_told = hearing.heard_begin && hearing.heard_at_ms + reminded_ms >= moment.elapsed_ms;
                ensure(is_told, || format!("{sink} was not told of this, or not reminded: {incident:#?}"))?;
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
        let unsent = |event: &&IncidentEvent| event.kind == EventKind::ResolvedBeforeSent;
        let unsent: BTreeSet<IncidentId> = memory.events.iter().filter(unsent).map(|event| event.incident).collect();
        for (incident, hearings) in &self.hearings {
            for (sink, hearing) in hearings {
                let is_owed = hearing.knowledge.may_know && !hearing.knowledge.is_excused;
                ensure(!is_owed || hearing.heard_end.is_some(), || format!("{sink} was never told the end of {incident}"))?;
                let is_unsent = unsent.contains(incident);
                ensure(!is_unsent || !hearing.heard_begin, || {
                    format!("{sink} was told of {incident}, whose timeline says that nobody was")
                })?;
            }
        }
        are_whole(memory)
    }
}

fn says_the_same(one: &Delivery, other: &Delivery) -> bool {
    one.covers == other.covers && one.alerts == other.alerts && one.phase == other.phase
}

/// An incident begins once, ends once and does not come back; its timeline says so when it is so.
fn lives_are_lived_once(commit: &Commit<'_>) -> Result<(), Broken> {
    for incident in &commit.changes.incidents {
        let before = commit.memory.incidents.get(&incident.id);
        let was_open = before.is_none_or(Incident::is_open);
        ensure(was_open || !incident.is_open(), || format!("it comes back: {incident:#?}"))?;
        let begins = commit.events_of(incident.id).any(|kind| matches!(kind, EventKind::Opened { .. }));
        ensure(begins == before.is_none(), || format!("its timeline does not tell its begin: {incident:#?}"))?;
        let ends = commit.events_of(incident.id).any(|kind| matches!(kind, EventKind::Resolved { .. }));
        ensure(ends == (was_open && !incident.is_open()), || format!("its timeline does not tell its end: {incident:#?}"))?;
    }
    Ok(())
}

/// That a sink has a notification is true whenever it is heard, also of an attempt that was taken for lost.
fn word_is_taken(commit: &Commit<'_>) -> Result<(), Broken> {
    let Some(Fact::DeliveryEnded { delivery: id, .. }) = commit.fact else { return Ok(()) };
    if !commit.is_said_to_be_delivered(*id) {
        return Ok(());
    }
    let was_under_way = commit.before(*id).is_some_and(|before| !before.is_finished());
    let has_ended = commit.changes.deliveries.iter().any(|changed| changed.id == *id && changed.is_finished());
    ensure(!was_under_way || has_ended, || format!("the sink has it, and {id} goes on"))
}

/// That a sink took a notification stands in the timeline of each incident that it heard of.
fn has_line_for_each(commit: &Commit<'_>, delivery: &Delivery) -> bool {
    let is_by_name = commit.is_heard_by_name(delivery.id);
    delivery.covers.iter().filter(|cover| cover.is_named || !is_by_name).all(|cover| {
        let is_line =
            |kind: &EventKind| matches!(kind, EventKind::Notified { sink, phase } if *sink == delivery.sink && *phase == cover.phase);
        commit.events_of(cover.incident).any(is_line)
    })
}

/// Each timeline begins with the begin, has one end and no gap; each incident has one.
fn are_whole(memory: &Memory) -> Result<(), Broken> {
    let mut lengths: BTreeMap<IncidentId, u32> = BTreeMap::new();
    let mut ends: BTreeMap<IncidentId, u32> = BTreeMap::new();
    for event in &memory.events {
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
    ensure(is_whole, || "an incident has no end, or two".to_owned())?;
    let lacks_one = memory.incidents.values().find(|incident| lengths.get(&incident.id) != Some(&incident.events_len));
    ensure(lacks_one.is_none(), || format!("its timeline has another length: {lacks_one:#?}"))
}
