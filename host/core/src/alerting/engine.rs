//! The machine of alerts: it is told facts and answers with rows to write.
//!
//! Who is who: a *case* is an incident and who heard of it; a *group* has open incidents as members and one conversation with each sink; a
//! conversation has one entry in the ledger and at most one delivery on its way; the *agenda* says what time brings about.
//!
//! How a fact goes through: first everything that was due by now is done (`pass_time`), then the fact changes the state, then what became due
//! at once is done. Each place that changes a row notes its key; at the end the rows are copied out.
//!
//! - `incidents`: open, update, resolve, settle; what people and posters say.
//! - `muting`: silences, maintenance, inhibition, times; who is no longer muted.
//! - `routing`: which groups an incident is in, when a group is flushed, ladders.
//! - `content`: what a sink is to be told about a group, if anything.
//! - `deliveries`: a notification from its making to its end, and what that means for the ledger.
//! - `resend`: what a person wants sent again. `sinks`: those that go, come back or may be mended.
//! - `restore`: from rows, to another configuration, after the clock was set back. `explain`: why, and what happens next.
//!
//! Limits: [`POSTED_MAX`] posted incidents that are open, `posted_bytes_max` of the configuration for what they hold; [`DUE_PER_TICK_MAX`] things that are due in one tick; a clock that goes
//! back by less than [`CLOCK_STEP_MAX`] stands still.
//!
//! Invariant: no I/O, no clock, no global; the same facts give the same rows, and a machine made of the rows goes on as the one before.
//! Invariant: a resolve is owed to a sink exactly for what stands in its ledger, and the ledger is written before the sink is called.
//! Invariant: muting, routes and configuration decide what is told firing, never what is told resolved.

mod content;
mod deliveries;
mod explain;
mod incidents;
mod muting;
mod resend;
mod restore;
mod routing;
mod sinks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use explain::{Explanation, NextStep, RouteTaken, ToldTo};

use super::agenda::{Agenda, Due};
use super::breaker::{Hold, HoldReason, SinkRow};
use super::changes::{Changes, CheckRow, Rows};
use super::config::{AlertingConfig, SinkConfig, SinkName};
use super::delivery::Delivery;
use super::fact::Fact;
use super::group::{Group, GroupKey, GroupRow};
use super::id::{Chance, DeliveryId, IncidentId, SilenceId};
use super::incident::{AlertKind, EventKind, Incident, IncidentEvent};
use super::inhibit::Inhibitions;
use super::labels::Fingerprint;
use super::maintenance::{Calendar, Windows};
use super::route::RouteTree;
use super::silence::Silence;
use crate::Timestamp;

/// Posted incidents that are open. Those of checks are bounded by the checks.
pub const POSTED_MAX: usize = 50_000;
/// Things that time brings about which one tick does.
pub const DUE_PER_TICK_MAX: usize = 500;
/// A clock that goes back by more was set back; by less, results came in another order.
pub const CLOCK_STEP_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Alerting {
    config: Arc<AlertingConfig>,
    routes: RouteTree,
    now: Timestamp,
    chance: Chance,
    cases: BTreeMap<IncidentId, Case>,
    /// Open incidents of checks.
    of_check: BTreeMap<(Arc<str>, AlertKind), IncidentId>,
    /// Open incidents that were posted.
    posted: BTreeMap<Fingerprint, IncidentId>,
    /// What these take together.
    posted_bytes: usize,
    checks: BTreeMap<Arc<str>, CheckRow>,
    silences: BTreeMap<SilenceId, Silence>,
    inhibitions: Inhibitions,
    calendar: Calendar,
    windows: Windows,
    groups: BTreeMap<GroupKey, Group>,
    deliveries: BTreeMap<DeliveryId, Delivery>,
    sinks: BTreeMap<SinkName, Sink>,
    agenda: Agenda<Due>,
    /// When each pending delivery may be attempted.
    attempts: Agenda<DeliveryId>,
    changes: Changes,
    touched: Touched,
}

/// An incident, and who heard of it.
#[derive(Debug, PartialEq)]
struct Case {
    incident: Incident,
    /// The group in which each sink was first told.
    told: BTreeMap<SinkName, GroupKey>,
    /// Silences that match, in force or to come; of open incidents.
    silences: BTreeSet<SilenceId>,
}

#[derive(Debug, PartialEq)]
struct Sink {
    config: SinkConfig,
    row: SinkRow,
    /// Its deliveries that are not finished.
    deliveries: BTreeSet<DeliveryId>,
}

/// Keys of rows that changed.
#[derive(Debug, Default)]
struct Touched {
    incidents: BTreeSet<IncidentId>,
    groups: BTreeSet<GroupKey>,
    ledger: BTreeSet<(GroupKey, SinkName)>,
    deliveries: BTreeSet<DeliveryId>,
    silences: BTreeSet<SilenceId>,
    checks: BTreeSet<Arc<str>>,
    sinks: BTreeSet<SinkName>,
}

impl Alerting {
    /// A machine that knows of nothing yet.
    pub fn new(config: Arc<AlertingConfig>, seed: u64, now: Timestamp) -> Alerting {
        Alerting::restore(Rows::default(), config, seed, now).0
    }

    /// Takes a fact; what it answers is to be stored before anything acts on it.
    ///
    /// A tick does at most [`DUE_PER_TICK_MAX`] things: where more is due `next_tick` says so, and another tick goes on.
    pub fn apply(&mut self, fact: Fact, now: Timestamp) -> Changes {
        self.move_to(now);
        if matches!(fact, Fact::Tick) {
            self.pass_time(DUE_PER_TICK_MAX);
            return self.written();
        }
        self.pass_time(usize::MAX);
        self.take(fact);
        self.pass_time(usize::MAX);
        self.written()
    }

    /// When to tell it the time, whatever happens until then, or ask it for `due_deliveries`.
    pub fn next_due(&self) -> Option<Timestamp> {
        let times = [self.next_tick(), self.attempts.first()];
        times.into_iter().flatten().min()
    }

    /// The same without deliveries: for when all workers are busy.
    pub fn next_tick(&self) -> Option<Timestamp> {
        self.agenda.first()
    }

    /// Deliveries that may be attempted now, the longest due first.
    pub fn due_deliveries(&self, now: Timestamp) -> impl Iterator<Item = DeliveryId> {
        self.attempts.due(now).copied()
    }

    pub fn config(&self) -> &Arc<AlertingConfig> {
        &self.config
    }

    /// Incidents that are open, or whose end somebody has yet to be told.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.cases.values().map(|case| &case.incident)
    }

    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.cases.get(&id).map(|case| &case.incident)
    }

    /// Silences that are not over.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    /// One that is not over.
    pub fn silence(&self, id: SilenceId) -> Option<&Silence> {
        self.silences.get(&id)
    }

    /// Why nothing is attempted at a sink now, and until when.
    pub fn hold_of(&self, sink: &str) -> Option<Hold> {
        let row = &self.sinks.get(sink)?.row;
        match row.removed_at {
            Some(removed_at) => Some(Hold { until: removed_at.plus(self.config.give_up_after), reason: HoldReason::Removed }),
            None => row.hold(self.now),
        }
    }

    /// Groups that have members, or of which somebody is owed a word.
    pub fn groups(&self) -> impl Iterator<Item = &GroupRow> {
        self.groups.values().map(|group| &group.row)
    }

    /// Deliveries that are not finished.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    pub fn delivery(&self, id: DeliveryId) -> Option<&Delivery> {
        self.deliveries.get(&id)
    }

    /// Checks that it remembers something of; at the start the host tells which of them are no longer configured.
    pub fn checks(&self) -> BTreeSet<Arc<str>> {
        self.of_check.keys().map(|(check, _)| check).chain(self.checks.keys()).cloned().collect()
    }

    /// Time never goes back a little, and a lot only as a whole.
    fn move_to(&mut self, now: Timestamp) {
        if now >= self.now {
            self.now = now;
        } else if self.now.since(now) > CLOCK_STEP_MAX {
            let before = std::mem::replace(&mut self.now, now);
            self.clock_was_set_back(before);
        }
    }

    fn take(&mut self, fact: Fact) {
        match fact {
            Fact::Tick => {}
            Fact::Transition { check, findings } => self.transition(&check, findings),
            Fact::Flapping { check, change } => self.flapping(&check, change),
            Fact::Reachability { check, cause } => self.reachability(check, cause),
            Fact::CheckRemoved { check } => self.check_removed(&check),
            Fact::Posted { alerts } => alerts.into_iter().for_each(|alert| self.post(alert)),
            Fact::SilencePut { draft } => self.put_silence(draft),
            Fact::SilenceExpired { silence } => self.expire_silence(silence),
            Fact::Acknowledge { incident, by, until, note } => self.acknowledge(incident, by, until, note),
            Fact::Note { incident, by, text, settled } => self.note(incident, by, &text, settled),
            Fact::Attempting { delivery } => self.attempt(delivery),
            Fact::DeliveryEnded { delivery, attempt, outcome } => self.attempt_ended(delivery, attempt, outcome),
            Fact::Resend { delivery, settled, by } => self.resend(&delivery, settled, &by),
            Fact::Relabelled { check } => self.relabelled(&check),
            Fact::SinkMended { sink } => self.mended(&sink),
            Fact::Configured { config } => self.adopt(config),
        }
    }

    /// Does what is due, at most so many things. Whatever is done here is due later or never again, so this ends.
    fn pass_time(&mut self, most: usize) {
        let mut left = most;
        while left > 0
            && let Some(due) = self.agenda.pop_due(self.now)
        {
            left -= 1;
            match due {
                Due::Silence(id) => self.silence_changed(id),
                Due::Interval(name) => self.interval_changed(&name),
                Due::Maintenance(index) => self.maintenance_changed(index),
                Due::AckExpires(id) => self.ack_expired(id),
                Due::PostedEnds(id) => self.posted_ended(id),
                Due::Lease(id) => self.lease_ran_out(id),
                Due::GiveUp(id) => self.give_up(id),
                Due::SinkGone(sink) => self.drop_sink(&sink),
                Due::Flush(key) => self.flush(&key),
                Due::Rung(id, key) => self.climb(id, &key),
                Due::Reminder(key, sink) => self.remind(&key, &sink),
            }
        }
    }

    /// A line in the timeline of an incident.
    fn event(&mut self, id: IncidentId, kind: EventKind) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        case.incident.events_len = case.incident.events_len.saturating_add(1);
        self.changes.events.push(IncidentEvent { incident: id, number: case.incident.events_len, at: self.now, kind });
        self.touched.incidents.insert(id);
    }

    /// The rows that changed; what is gone was noted when it went.
    fn written(&mut self) -> Changes {
        let mut changes = std::mem::take(&mut self.changes);
        let touched = std::mem::take(&mut self.touched);
        changes.incidents.extend(touched.incidents.iter().filter_map(|id| self.cases.get(id)).map(|case| case.incident.clone()));
        changes.deliveries.extend(touched.deliveries.iter().filter_map(|id| self.deliveries.get(id)).cloned());
        changes.silences.extend(touched.silences.iter().filter_map(|id| self.silences.get(id)).cloned());
        for key in touched.groups {
            match self.groups.get(&key) {
                Some(group) => changes.groups.push(group.row.clone()),
                None => changes.removed.groups.push(key),
            }
        }
        for (key, sink) in touched.ledger {
            match self.groups.get(&key).and_then(|group| group.conversations.get(&sink)) {
                Some(conversation) => changes.ledger.push(conversation.entry.clone()),
                None => changes.removed.ledger.push((key, sink)),
            }
        }
        for check in touched.checks {
            match self.checks.get(&check) {
                Some(row) => changes.checks.push(row.clone()),
                None => changes.removed.checks.push(check),
            }
        }
        for sink in touched.sinks {
            match self.sinks.get(&sink) {
                Some(state) => changes.sinks.push(state.row.clone()),
                None => changes.removed.sinks.push(sink),
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::{LabelSet, PostedAlert};

    #[test]
    fn a_tick_does_so_much_and_the_next_one_goes_on() {
        const ALERTS: usize = 2 * DUE_PER_TICK_MAX + 10;
        let mut alerting = Alerting::new(Arc::default(), 1, Timestamp(1_000));
        let alerts = (0..ALERTS).map(|number| {
            let name = number.to_string();
            let labels = LabelSet::new([("alertname", name.as_str())]).expect("a label");
            let ends_at = Some(Timestamp(5_000));
            PostedAlert { labels, annotations: Arc::default(), starts_at: None, ends_at, generator_url: None }
        });
        let alerts = alerts.collect();
        alerting.apply(Fact::Posted { alerts }, Timestamp(1_000));
        let now = Timestamp(6_000);
        let mut resolved = Vec::new();
        while alerting.next_tick().is_some_and(|at| at <= now) {
            let changes = alerting.apply(Fact::Tick, now);
            resolved.push(changes.events.iter().filter(|event| matches!(event.kind, EventKind::Resolved { .. })).count());
        }
        assert!(resolved.len() >= 3 && resolved.iter().all(|count| *count <= DUE_PER_TICK_MAX), "{resolved:?}");
        assert_eq!(resolved.iter().sum::<usize>(), ALERTS);
        assert!(!alerting.incidents().any(Incident::is_open));
    }
}
