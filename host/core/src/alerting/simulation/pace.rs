//! When things may happen, and by when they have to.
//!
//! - News of a group wait for each other and for the interval, reminders for theirs. What has waited for the notification before it, what a
//!   ladder tells, an acknowledgement where the sink tells those, and what comes with a reminder wait for nothing.
//! - An attempt that failed is made again after at least half of its wait. A sink that asked for time gets it; one that failed five times in a
//!   row is left alone, then tried with one delivery; after an answer that is over, and when the sink may have been mended.
//! - A rung is climbed when its time is over since the incident opened, was heard again or was nobody's again; not while it is mute or taken.
//! - What is given up is given up when its time is over, and a sink that is no longer configured when it did not come back in time. Nothing that is due is left, nothing that waits does so for longer than it may, and
//!   nothing that was done lies in the future.
//!
//! How: what was done is noted with the time of the machine. Where the clock is set back it counts from then on, which is all that the machine
//! promises; whatever was noted lies before what the machine goes by.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::*;
use super::commit::{Commit, Moment};
use super::judge::ensure;
use super::{Broken, scene};
use crate::Timestamp;

#[derive(Default)]
pub(super) struct Pace {
    /// When news of a group were last on their way.
    news_at: BTreeMap<GroupKey, Timestamp>,
    /// When a sink was last told something in a group.
    told_at: BTreeMap<(GroupKey, SinkName), Timestamp>,
    /// When an attempt failed, and which.
    failed_at: BTreeMap<DeliveryId, (Timestamp, u32)>,
    sinks: BTreeMap<SinkName, SinkPace>,
    /// Sinks that are not configured.
    away: BTreeMap<SinkName, Absence>,
    /// Those of them that are not waited for any more, by the answer that is looked at.
    gone: BTreeSet<SinkName>,
    /// Of the answer before.
    setting: usize,
    /// Failures in a row, as they are stored.
    stored_failures: BTreeMap<SinkName, u32>,
    ladders: BTreeMap<IncidentId, Ladder>,
    /// Those whose ladder was climbed.
    climbed: BTreeSet<IncidentId>,
    /// A clock that was set back while nobody looked may make something wait for longer.
    is_clock_unsure: bool,
}

#[derive(Default)]
struct SinkPace {
    /// In a row.
    failures: u32,
    held_until: Timestamp,
    asked_until: Timestamp,
    /// The one attempt that is made of a sink that failed too often.
    probe: Option<DeliveryId>,
}

struct Absence {
    since: Timestamp,
    /// For so long it is waited for.
    length: Duration,
}

struct Ladder {
    /// Counted from here, or from later.
    from: Timestamp,
    is_mute: bool,
    is_taken: bool,
}

impl SinkPace {
    fn failed(&mut self, now: Timestamp) {
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            let doublings = (self.failures - FAILURES_MAX).min(20);
            self.held_until = now.plus(HOLD_FIRST.saturating_mul(1 << doublings).min(HOLD_MAX));
        }
    }

    fn answered(&mut self) {
        self.failures = 0;
        self.held_until = Timestamp(0);
        self.probe = None;
    }
}

impl Pace {
    pub(super) fn clock_was_set(&mut self, before: Timestamp, now: Timestamp) {
        // A reminder that was missed is made up for as soon as it can be, whatever the clock shows then.
        let may_be_overdue = |at: &&mut Timestamp| before.plus(CLOCK_STEP_MAX) >= at.plus(scene::REPEAT);
        self.told_at.values_mut().filter(may_be_overdue).for_each(|at| *at = Timestamp(0));
        let groups = self.news_at.values_mut();
        let sinks = self.told_at.values_mut();
        let attempts = self.failed_at.values_mut().map(|(at, _)| at);
        let ladders = self.ladders.values_mut().map(|ladder| &mut ladder.from);
        let absences = self.away.values_mut().map(|absence| &mut absence.since);
        groups.chain(sinks).chain(attempts).chain(ladders).chain(absences).for_each(|at| *at = (*at).min(now));
        for sink in self.sinks.values_mut() {
            sink.held_until = sink.held_until.min(now.plus(HOLD_MAX));
            // What was left of the time that it asked for is left of it still.
            let left = sink.asked_until.since(before).min(RETRY_AFTER_MAX);
            sink.asked_until = sink.asked_until.min(now.plus(left));
        }
    }

    pub(super) fn clock_is_unsure(&mut self) {
        self.is_clock_unsure = true;
    }

    pub(super) fn has_climbed(&self, incident: IncidentId) -> bool {
        self.climbed.contains(&incident)
    }

    /// Whether a sink has not been configured for so long that nobody waits for it.
    pub(super) fn is_gone(&self, sink: &str) -> bool {
        self.gone.contains(sink)
    }

    pub(super) fn before_commit(&mut self, commit: &Commit<'_>) -> Result<(), Broken> {
        self.part(commit);
        self.forget(commit);
        if commit.fact.is_none() {
            // A start looks at the configuration first, then at what was due.
            self.mend(commit);
        }
        self.climbs(commit)?;
        flushes(commit)?;
        self.news(commit)?;
        self.hear(commit);
        self.mend(commit);
        for delivery in &commit.changes.deliveries {
            self.reminds(commit, delivery)?;
            lasts_long_enough(commit, delivery)?;
            if commit.begins(delivery) {
                self.begins(commit, delivery)?;
            }
            if matches!(delivery.state, DeliveryState::Delivered { .. } | DeliveryState::Refused { .. } | DeliveryState::Expired { .. }) {
                self.told_at.insert((delivery.group.clone(), delivery.sink.clone()), commit.now);
            }
        }
        self.breakers_close(commit)
    }

    /// Which sinks are away; by now, those that come back with this answer may have been given up.
    fn part(&mut self, commit: &Commit<'_>) {
        let is_over = |absence: &Absence| commit.now.plus(CLOCK_STEP_MAX) >= absence.since.plus(absence.length);
        self.gone = self.away.iter().filter(|(_, absence)| is_over(absence)).map(|(sink, _)| sink.clone()).collect();
        for sink in scene::SINKS {
            if scene::is_configured(commit.setting, sink) {
                self.away.remove(sink);
            } else {
                let absence = Absence { since: commit.now, length: scene::give_up_after(commit.setting) };
                self.away.entry(sink.into()).or_insert(absence);
            }
        }
    }

    /// Sinks that may be well now, whatever has failed: somebody says so, they are written otherwise, or they are back.
    fn mend(&mut self, commit: &Commit<'_>) {
        let (before, setting) = (self.setting, commit.setting);
        for name in scene::SINKS {
            let is_said = matches!(commit.fact, Some(Fact::SinkMended { sink }) if **sink == *name);
            let is_written_otherwise = scene::revision(before, name) != scene::revision(setting, name);
            let is_back = !scene::is_configured(before, name) && scene::is_configured(setting, name);
            if is_said || is_written_otherwise || is_back {
                self.sinks.remove(name);
                self.failed_at.retain(|id, _| commit.before(*id).is_none_or(|delivery| *delivery.sink != *name));
            }
        }
        self.setting = setting;
    }

    /// What is gone.
    fn forget(&mut self, commit: &Commit<'_>) {
        let removed = &commit.changes.removed;
        for sink in &removed.sinks {
            self.sinks.remove(sink);
            self.stored_failures.remove(sink);
        }
        self.stored_failures.extend(commit.changes.sinks.iter().map(|row| (row.sink.clone(), row.failures)));
        for key in &removed.groups {
            self.news_at.remove(key);
        }
        for group in &commit.changes.groups {
            let before = commit.memory.groups.get(&group.key).and_then(|before| before.flushed_at);
            // It was removed and made anew.
            if before.is_some() && group.flushed_at.is_none() {
                self.news_at.remove(&group.key);
            }
        }
    }

    fn climbs(&mut self, commit: &Commit<'_>) -> Result<(), Broken> {
        for IncidentEvent { incident, at, kind, .. } in &commit.changes.events {
            if matches!(kind, EventKind::Opened { .. }) {
                self.ladders.insert(*incident, Ladder { from: *at, is_mute: false, is_taken: false });
            }
            let Some(ladder) = self.ladders.get_mut(incident) else { continue };
            match kind {
                // That the times of a route are mute says nothing of other routes.
                EventKind::Muted { by: Mute::MutedTime { .. } | Mute::OutsideActiveTime } => {}
                EventKind::Muted { .. } => ladder.is_mute = true,
                EventKind::Unmuted => *ladder = Ladder { from: *at, is_mute: false, ..*ladder },
                EventKind::Acknowledged { .. } => ladder.is_taken = true,
                EventKind::AckExpired => *ladder = Ladder { from: *at, is_taken: false, ..*ladder },
                EventKind::Escalated { rung, .. } => {
                    let after = scene::rung_after(commit.setting, *rung);
                    let is_late_enough = after.is_some_and(|after| at.plus(CLOCK_STEP_MAX) >= ladder.from.plus(after));
                    // What was due before it was configured otherwise goes by what was written before.
                    let is_right = (is_late_enough || commit.is_reconfigured()) && !ladder.is_mute && !ladder.is_taken;
                    let (from, now) = (ladder.from, commit.now);
                    ensure(is_right, || format!("{incident} is escalated at {now:?}, counted from {from:?}"))?;
                    self.climbed.insert(*incident);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// News are told when nobody told them before, by a flush.
    fn news(&mut self, commit: &Commit<'_>) -> Result<(), Broken> {
        let is_new = |delivery: &&Delivery| commit.before(delivery.id).is_none();
        let mut told = BTreeSet::new();
        for delivery in commit.changes.deliveries.iter().filter(is_new) {
            let is_news = [Cause::Opened, Cause::Resolved, Cause::Acknowledged].contains(&delivery.cause);
            let is_at_once = is_of_a_ladder(commit, &delivery.sink) || is_of_an_acknowledgement(commit, delivery);
            if !is_news || is_at_once || self.is_time_to_remind(commit, delivery) {
                continue;
            }
            let earliest = self.news_at.get(&delivery.group).map(|at| at.plus(scene::INTERVAL)).unwrap_or_default();
            // It is no flush, from which the next one would keep its distance.
            if commit.follows(delivery) {
                continue;
            }
            let keeps_distance = commit.now.plus(CLOCK_STEP_MAX) >= earliest;
            ensure(keeps_distance, || format!("news of {} before {earliest:?}: {delivery:#?}", delivery.group))?;
            told.insert(delivery.group.clone());
        }
        // Some of them were removed in the same commit, or made anew.
        let is_gone = |key: &GroupKey| {
            let is_anew = |group: &GroupRow| group.key == *key && group.flushed_at.is_none();
            commit.changes.removed.groups.iter().any(|removed| removed == key) || commit.changes.groups.iter().any(is_anew)
        };
        told.retain(|key| !is_gone(key));
        self.news_at.extend(told.into_iter().map(|group| (group, commit.now)));
        if commit.is_reconfigured() {
            // Groups may have been removed and made anew.
            self.news_at.clear();
        }
        Ok(())
    }

    fn is_time_to_remind(&self, commit: &Commit<'_>, delivery: &Delivery) -> bool {
        let told_at = self.told_at.get(&(delivery.group.clone(), delivery.sink.clone()));
        told_at.is_some_and(|at| commit.now.plus(CLOCK_STEP_MAX) >= at.plus(scene::REPEAT))
    }

    fn reminds(&self, commit: &Commit<'_>, delivery: &Delivery) -> Result<(), Broken> {
        let was_reminder = commit.before(delivery.id).is_some_and(|before| before.cause == Cause::Reminder);
        if delivery.cause != Cause::Reminder || was_reminder {
            return Ok(());
        }
        let is_time = self.is_time_to_remind(commit, delivery) || commit.follows(delivery);
        ensure(is_time, || format!("{} is reminded too early: {}", delivery.sink, delivery.group))
    }

    /// What is heard of attempts, in the order in which the machine learns it: what was taken for lost, a wish of the sink, an answer.
    fn hear(&mut self, commit: &Commit<'_>) {
        for delivery in commit.changes.deliveries.iter().filter(|delivery| commit.fails(delivery)) {
            self.failed_at.insert(delivery.id, (commit.now, delivery.attempts));
            let sink = self.sinks.entry(delivery.sink.clone()).or_default();
            sink.probe = sink.probe.filter(|probe| *probe != delivery.id);
            if !matches!(commit.outcome_of(delivery.id), Some(Outcome::Retryable { after: Some(_), .. })) {
                sink.failed(commit.now);
            }
        }
        if let Some((sink, after)) = asked(commit) {
            let sink = self.sinks.entry(sink.clone()).or_default();
            sink.answered();
            sink.asked_until = sink.asked_until.max(commit.now.plus(after));
        }
        for delivery in commit.changes.deliveries.iter().filter(|delivery| delivery.is_finished()) {
            self.failed_at.remove(&delivery.id);
            let sink = self.sinks.entry(delivery.sink.clone()).or_default();
            sink.probe = sink.probe.filter(|probe| *probe != delivery.id);
            if is_answered(delivery) {
                sink.answered();
            }
        }
    }

    fn begins(&mut self, commit: &Commit<'_>, delivery: &Delivery) -> Result<(), Broken> {
        let (name, now) = (&delivery.sink, commit.now.plus(CLOCK_STEP_MAX));
        if let Some((at, attempts)) = self.failed_at.get(&delivery.id) {
            let earliest = at.plus(backoff(*attempts) / 2);
            ensure(now >= earliest, || format!("it is tried again before {earliest:?}: {delivery:#?}"))?;
        }
        let sink = self.sinks.entry(name.clone()).or_default();
        let (asked_until, held_until) = (sink.asked_until, sink.held_until);
        ensure(now >= asked_until, || format!("{name} asked for time and is called before {asked_until:?}"))?;
        ensure(now >= held_until, || format!("{name} failed too often and is called before {held_until:?}"))?;
        let is_alone = sink.probe.is_none_or(|probe| probe == delivery.id);
        ensure(is_alone, || format!("{name} failed too often and is called twice at once"))?;
        if sink.failures >= FAILURES_MAX {
            sink.probe = Some(delivery.id);
        }
        Ok(())
    }

    /// A sink that answered is there again.
    fn breakers_close(&self, commit: &Commit<'_>) -> Result<(), Broken> {
        for delivery in commit.changes.deliveries.iter().filter(|delivery| is_answered(delivery)) {
            let failures = self.stored_failures.get(&delivery.sink).copied().unwrap_or_default();
            ensure(failures == 0, || format!("{} answered and is said to have failed {failures} times in a row", delivery.sink))?;
        }
        Ok(())
    }

    /// Nothing that was due is left.
    pub(super) fn at_rest(&self, moment: Moment<'_>) -> Result<(), Broken> {
        let now = moment.alerting.now();
        let is_late = |delivery: &&Delivery| match delivery.state {
            DeliveryState::Pending { .. } => delivery.give_up_at <= now,
            DeliveryState::Attempting { lease_until } => lease_until <= now,
            _ => true,
        };
        let late = moment.alerting.deliveries().find(is_late);
        ensure(late.is_none(), || format!("its time was over at {now:?}: {late:#?}"))?;
        let soon = now.plus(CLOCK_STEP_MAX);
        let waits_too_long = |delivery: &&Delivery| match delivery.state {
            DeliveryState::Pending { next_attempt_at } => next_attempt_at > soon.plus(BACKOFF_MAX),
            _ => false,
        };
        let stalled = moment.alerting.deliveries().find(waits_too_long).filter(|_| !self.is_clock_unsure);
        ensure(stalled.is_none(), || format!("it waits for too long at {now:?}: {stalled:#?}"))?;
        let made = moment.alerting.deliveries().map(|delivery| delivery.created_at).max();
        let told = moment.alerting.groups().flat_map(|group| [group.changed_at, group.flushed_at]).flatten().max();
        let memberships = moment.alerting.incidents().flat_map(|incident| &incident.memberships);
        let laddered = memberships.filter_map(|membership| membership.ladder_from).max();
        let is_past = [made, told, laddered].into_iter().flatten().all(|at| at <= soon);
        ensure(is_past, || format!("something was done after {now:?}: {made:?} {told:?} {laddered:?}"))?;
        let is_untold = |group: &&GroupRow| {
            let spaced = group.flushed_at.map_or(Timestamp(0), |at| at.plus(group.timing.group_interval));
            group.changed_at.is_some_and(|at| at.plus(group.timing.group_wait).max(spaced) <= now)
        };
        let untold = moment.alerting.groups().find(is_untold);
        ensure(untold.is_none(), || format!("its news were due at {now:?}: {untold:#?}"))?;
        let over = moment.alerting.silences().find(|silence| silence.ends_at <= now);
        ensure(over.is_none(), || format!("it was over at {now:?}: {over:#?}"))
    }
}

/// A change in a group waits for others, and for the interval.
fn flushes(commit: &Commit<'_>) -> Result<(), Broken> {
    for group in &commit.changes.groups {
        let Some(before) = commit.memory.groups.get(&group.key) else { continue };
        let (Some(changed_at), None) = (before.changed_at, group.changed_at) else { continue };
        let spaced = before.flushed_at.map_or(Timestamp(0), |at| at.plus(scene::INTERVAL));
        let earliest = changed_at.plus(scene::WAIT).max(spaced);
        let now = commit.now;
        ensure(now.plus(CLOCK_STEP_MAX) >= earliest, || format!("{} was told at {now:?}, before {earliest:?}", group.key))?;
    }
    Ok(())
}

/// A delivery has its time, and is not given up before.
fn lasts_long_enough(commit: &Commit<'_>, delivery: &Delivery) -> Result<(), Broken> {
    if commit.before(delivery.id).is_some() || commit.is_reconfigured() {
        return Ok(());
    }
    let give_up_at = commit.now.plus(scene::give_up_after(commit.setting));
    let is_right = delivery.created_at == commit.now && delivery.give_up_at == give_up_at;
    ensure(is_right, || format!("it is made at {:?} to be given up at {give_up_at:?}: {delivery:#?}", commit.now))
}

/// Who asks by an answer to be left alone, and for how long.
fn asked<'a>(commit: &Commit<'a>) -> Option<(&'a SinkName, Duration)> {
    let Some(Fact::DeliveryEnded { delivery, .. }) = commit.fact else { return None };
    let Some(Outcome::Retryable { after: Some(after), .. }) = commit.outcome_of(*delivery) else { return None };
    Some((&commit.before(*delivery)?.sink, *after))
}

/// Whether a ladder was just climbed to this sink.
fn is_of_a_ladder(commit: &Commit<'_>, sink: &SinkName) -> bool {
    let is_rung = |event: &IncidentEvent| matches!(&event.kind, EventKind::Escalated { sinks, .. } if sinks.contains(sink));
    commit.changes.events.iter().any(is_rung)
}

/// Whether somebody just took an incident: a sink that tells that is told at once, with whatever else is news to it.
fn is_of_an_acknowledgement(commit: &Commit<'_>, delivery: &Delivery) -> bool {
    matches!(commit.fact, Some(Fact::Acknowledge { .. })) && scene::tells_acknowledgements(&delivery.sink)
}

fn is_answered(delivery: &Delivery) -> bool {
    matches!(delivery.state, DeliveryState::Delivered { .. } | DeliveryState::Refused { .. })
}

/// Twice as long after each attempt.
fn backoff(attempts: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(BACKOFF_MAX)
}
