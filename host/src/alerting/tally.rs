//! What is counted of alerts, for the metrics: how notifications ended, what is on its way, what fires.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sickbay_core::Timestamp;
use sickbay_core::alerting::{Alerting, Changes, Delivery, DeliveryState, Fact, Outcome, Phase, Severity, SinkName};

/// How a notification ended, or an attempt at it: label `outcome` of `sickbay_notifications_total`. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationOutcome {
    /// The sink has it.
    Delivered,
    /// An attempt that did not succeed; it is tried again.
    Failed,
    /// The sink refused it for good.
    Refused,
    /// The sink did not take it in time.
    Expired,
    /// There was nothing to tell any more, or the sink is gone.
    Abandoned,
}

impl NotificationOutcome {
    pub const ALL: [NotificationOutcome; 5] = [
        NotificationOutcome::Delivered,
        NotificationOutcome::Failed,
        NotificationOutcome::Refused,
        NotificationOutcome::Expired,
        NotificationOutcome::Abandoned,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            NotificationOutcome::Delivered => "delivered",
            NotificationOutcome::Failed => "failed",
            NotificationOutcome::Refused => "refused",
            NotificationOutcome::Expired => "expired",
            NotificationOutcome::Abandoned => "abandoned",
        }
    }

    fn of(state: &DeliveryState) -> Option<NotificationOutcome> {
        Some(match state {
            DeliveryState::Pending { .. } | DeliveryState::Attempting { .. } => return None,
            DeliveryState::Delivered { .. } => NotificationOutcome::Delivered,
            DeliveryState::Refused { .. } => NotificationOutcome::Refused,
            DeliveryState::Expired { .. } => NotificationOutcome::Expired,
            DeliveryState::Abandoned { .. } => NotificationOutcome::Abandoned,
        })
    }
}

/// In the order of [`NotificationOutcome::ALL`].
type OutcomeCounts = [u64; NotificationOutcome::ALL.len()];

/// Sinks that are no longer configured and are counted all the same: what they were owed is given up later.
const GONE_SINKS_MAX: usize = 64;

/// Since the start of the process, by sink; those that are configured, from the beginning.
#[derive(Debug, Default)]
pub(super) struct Notifications {
    by_sink: BTreeMap<SinkName, OutcomeCounts>,
    /// Those that are not configured, the first to go first.
    gone: VecDeque<SinkName>,
}

impl Notifications {
    /// The sinks that there are from now on.
    pub(super) fn know<'a>(&mut self, sinks: impl Iterator<Item = &'a str>) {
        let configured: BTreeSet<&str> = sinks.collect();
        self.gone.retain(|sink| !configured.contains(&**sink));
        let left = self.by_sink.keys().filter(|sink| !configured.contains(&***sink) && !self.gone.contains(*sink));
        let left: Vec<SinkName> = left.cloned().collect();
        self.gone.extend(left);
        for sink in configured {
            self.by_sink.entry(Arc::from(sink)).or_default();
        }
        self.forget_the_longest_gone();
    }

    fn forget_the_longest_gone(&mut self) {
        while self.gone.len() > GONE_SINKS_MAX
            && let Some(sink) = self.gone.pop_front()
        {
            self.by_sink.remove(&sink);
        }
    }

    /// An attempt that ended without an end of its delivery; before the machine is told of it.
    pub(super) fn note_attempt(&mut self, fact: &Fact, alerting: &Alerting) {
        let Fact::DeliveryEnded { delivery, outcome, .. } = fact else { return };
        match outcome {
            Outcome::Delivered { .. } | Outcome::DeliveredNamed { .. } | Outcome::Refused { .. } => {}
            Outcome::Retryable { .. } | Outcome::NotAttempted { .. } | Outcome::Lost { .. } => {
                let sink = alerting.delivery(*delivery).map(|delivery| Arc::clone(&delivery.sink));
                self.count(sink.as_deref(), NotificationOutcome::Failed);
            }
        }
    }

    /// Deliveries that ended; one that nobody took in the end is told in the log.
    pub(super) fn note_ends(&mut self, changes: &Changes) {
        for delivery in &changes.deliveries {
            let Some(outcome) = NotificationOutcome::of(&delivery.state) else { continue };
            self.count(Some(&delivery.sink), outcome);
            log_end(delivery, outcome);
        }
    }

    fn count(&mut self, sink: Option<&str>, outcome: NotificationOutcome) {
        let Some(sink) = sink else { return };
        if let Some(counts) = self.by_sink.get_mut(sink) {
            counts[outcome as usize] += 1;
            return;
        }
        // It was removed before this process began, or long ago.
        let mut counts = OutcomeCounts::default();
        counts[outcome as usize] = 1;
        let sink: SinkName = Arc::from(sink);
        self.by_sink.insert(Arc::clone(&sink), counts);
        self.gone.push_back(sink);
        self.forget_the_longest_gone();
    }
}

fn log_end(delivery: &Delivery, outcome: NotificationOutcome) {
    let (sink, id, error) = (&*delivery.sink, delivery.id, delivery.last_error.as_deref());
    match outcome {
        NotificationOutcome::Delivered => {
            tracing::info!(sink, delivery = %id, phase = delivery.phase.as_str(), alerts = delivery.covers.len(), "an alert was told");
        }
        NotificationOutcome::Refused => tracing::error!(sink, delivery = %id, error, "a sink refused an alert: it is not tried again"),
        NotificationOutcome::Expired => tracing::error!(sink, delivery = %id, error, "an alert could not be told in time and is given up"),
        NotificationOutcome::Abandoned => tracing::debug!(sink, delivery = %id, "an alert needs not be told any more"),
        NotificationOutcome::Failed => {}
    }
}

/// How alerts stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// By sink.
    pub notifications: Vec<(SinkName, OutcomeCounts)>,
    /// Notifications that are on their way.
    pub pending: u64,
    /// Of the oldest of them.
    pub oldest_age: Duration,
    /// Open incidents by [`Tally::SEVERITIES`] and [`Tally::PHASES`].
    pub incidents: [[u64; 2]; 4],
}

impl Tally {
    pub const SEVERITIES: [Severity; 4] = [Severity::P0, Severity::P1, Severity::P2, Severity::P3];
    pub const PHASES: [Phase; 2] = [Phase::Firing, Phase::Acknowledged];

    pub(super) fn of(alerting: &Alerting, notifications: &Notifications, now: Timestamp) -> Tally {
        let mut incidents = [[0; 2]; 4];
        for incident in alerting.incidents() {
            let severity = Tally::SEVERITIES.iter().position(|severity| *severity == incident.severity);
            let phase = Tally::PHASES.iter().position(|phase| *phase == incident.phase);
            if let (Some(severity), Some(phase)) = (severity, phase) {
                incidents[severity][phase] += 1;
            }
        }
        let oldest = alerting.deliveries().map(|delivery| delivery.created_at).min();
        Tally {
            notifications: notifications.by_sink.iter().map(|(sink, counts)| (Arc::clone(sink), *counts)).collect(),
            pending: alerting.deliveries().count() as u64,
            oldest_age: oldest.map_or(Duration::ZERO, |at| now.since(at)),
            incidents,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_counts_from_the_beginning_and_after_it_was_removed() {
        let mut notifications = Notifications::default();
        notifications.know(["oncall", "chat"].into_iter());
        notifications.count(Some("oncall"), NotificationOutcome::Delivered);
        notifications.count(Some("gone"), NotificationOutcome::Delivered);
        notifications.count(None, NotificationOutcome::Failed);
        notifications.know(["mail", "oncall"].into_iter());
        notifications.count(Some("chat"), NotificationOutcome::Expired);
        let counts: Vec<(&str, OutcomeCounts)> = notifications.by_sink.iter().map(|(sink, counts)| (&**sink, *counts)).collect();
        assert_eq!(counts, [("chat", [0, 0, 0, 1, 0]), ("gone", [1, 0, 0, 0, 0]), ("mail", [0; 5]), ("oncall", [1, 0, 0, 0, 0])]);
        for number in 0..=GONE_SINKS_MAX {
            notifications.count(Some(&format!("gone-{number}")), NotificationOutcome::Expired);
        }
        notifications.know(["mail", "chat"].into_iter());
        assert!(notifications.by_sink.contains_key("mail") && !notifications.by_sink.contains_key("gone"));
        assert!(notifications.by_sink.len() <= GONE_SINKS_MAX + 2);
    }

    #[test]
    fn only_what_ended_has_an_outcome() {
        let at = Timestamp(1);
        assert_eq!(NotificationOutcome::of(&DeliveryState::Pending { next_attempt_at: at }), None);
        assert_eq!(NotificationOutcome::of(&DeliveryState::Attempting { lease_until: at }), None);
        assert_eq!(NotificationOutcome::of(&DeliveryState::Expired { at }), Some(NotificationOutcome::Expired));
        for (index, outcome) in NotificationOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{}", outcome.as_str());
        }
    }
}
