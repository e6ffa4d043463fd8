//! Attempts what is due: one task looks for it, and each attempt is a task of its own.
//!
//! How an attempt goes: the machine is told of it, which fixes what is told and writes down who may know of it; when that is on the disk the
//! sink is called; how that ended is told and stored. Where that does not come about (a crash, a kill) the attempt stands in the store as
//! made, its lease runs out, and it is made again with the same key.
//!
//! Limits: [`ATTEMPTS_PER_SINK_MAX`] at one sink at once, one where its last attempt failed: sinks that hang or fail leave the places of the
//! host ([`DELIVERIES_MAX`](super::DELIVERIES_MAX)) to the others.
//!
//! Invariant: two attempts at one delivery are never under way at once, also where the lease of the first has run out.
//! Invariant: nothing is begun after `stop`; the end of the daemon waits for what was.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sickbay_core::Timestamp;
use sickbay_core::alerting::{Delivery, DeliveryId, Fact, Outcome, SinkName};
use sickbay_store::QueueError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::notification::notification;
use super::{Alerts, SinkRunner};
use crate::clock;
use crate::daemon::Runner;
use crate::live::Live;

/// Several groups are told at a time, and none that hangs holds more.
const ATTEMPTS_PER_SINK_MAX: usize = 4;
/// Between two looks: what waits for a free place at its sink is due all the time.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Workers {
    live: Arc<Live>,
    /// Has what connections and secrets need.
    runner: Arc<Runner>,
    sinks: SinkRunner,
    /// The end of the daemon waits for them.
    attempts: TaskTracker,
    busy: Arc<Mutex<Busy>>,
}

/// What is under way, by sink.
#[derive(Debug, Default)]
struct Busy(HashMap<SinkName, Lane>);

#[derive(Debug, Default)]
struct Lane {
    under_way: HashSet<DeliveryId>,
    /// The last attempt that ended did not succeed.
    has_failed: bool,
}

/// The place of an attempt at its sink, until this is dropped.
struct Place {
    busy: Arc<Mutex<Busy>>,
    alerts: Alerts,
    sink: SinkName,
    delivery: DeliveryId,
}

impl Workers {
    pub(crate) fn new(live: Arc<Live>, runner: Arc<Runner>, attempts: TaskTracker) -> Arc<Workers> {
        let sinks = SinkRunner::new(Arc::clone(&live.plugins), live.metrics.clone());
        Arc::new(Workers { live, runner, sinks, attempts, busy: Arc::default() })
    }

    /// Until `stop`.
    pub(crate) async fn run(self: Arc<Workers>, stop: CancellationToken) {
        let alerts = self.live.alerts.clone();
        let mut changed = alerts.changes();
        while !stop.is_cancelled() {
            for place in self.take_due(clock::now()) {
                let workers = Arc::clone(&self);
                self.attempts.spawn(Box::pin(async move { workers.attempt(place).await }));
            }
            let next = alerts.read(|alerting| alerting.next_due());
            let pause = next.map_or(PAUSE_MAX, |at| at.since(clock::now()).clamp(PAUSE_MIN, PAUSE_MAX));
            tokio::select! {
                () = stop.cancelled() => {}
                // The sender lives as long as `alerts`.
                _ = changed.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// What is due and finds a place at its sink.
    fn take_due(&self, now: Timestamp) -> Vec<Place> {
        let taken: Vec<(SinkName, DeliveryId)> = self.live.alerts.read(|alerting| {
            let mut busy = lock(&self.busy);
            let due = alerting.due_deliveries(now).filter_map(|id| Some((Arc::clone(&alerting.delivery(id)?.sink), id)));
            due.filter(|(sink, id)| busy.take(sink, *id)).collect()
        });
        let place = |(sink, delivery)| Place { busy: Arc::clone(&self.busy), alerts: self.live.alerts.clone(), sink, delivery };
        taken.into_iter().map(place).collect()
    }

    async fn attempt(&self, place: Place) {
        if let Err(error) = self.attempted(&place).await {
            let (sink, delivery) = (&*place.sink, place.delivery);
            tracing::warn!(sink, %delivery, "an attempt to tell an alert was not written down, it is made again after the next start: {error}");
        }
    }

    async fn attempted(&self, place: &Place) -> Result<(), QueueError> {
        let (alerts, id) = (&place.alerts, place.delivery);
        let changes = alerts.tell(Fact::Attempting { delivery: id }).await?;
        // There may be nothing to tell any more.
        let Some(delivery) = changes.attempt(id) else { return Ok(()) };
        let outcome = self.outcome(delivery).await;
        let has_failed = failed(&outcome);
        if let Some(error) = has_failed {
            log_failure(delivery, error);
        }
        lock(&self.busy).note(&place.sink, has_failed.is_some());
        let attempt = delivery.attempts;
        alerts.tell(Fact::DeliveryEnded { delivery: id, attempt, outcome }).await.map(drop)
    }

    async fn outcome(&self, delivery: &Delivery) -> Outcome {
        let config = self.live.config.load_full();
        let Some(sink) = config.sinks.iter().find(|sink| sink.name == *delivery.sink) else {
            return Outcome::NotAttempted { error: "the sink is no longer configured".to_owned() };
        };
        let resolution = |id| self.live.alerts.read(|alerting| alerting.incident(id).and_then(|incident| incident.resolution));
        let notification = notification(delivery, resolution, config.server.external_url.as_deref());
        self.sinks.deliver(sink, &self.runner.services(), &notification).await.outcome
    }
}

impl Busy {
    /// Whether there was a place for this delivery; then it is taken.
    fn take(&mut self, sink: &SinkName, delivery: DeliveryId) -> bool {
        let lane = self.0.entry(Arc::clone(sink)).or_default();
        let places = if lane.has_failed { 1 } else { ATTEMPTS_PER_SINK_MAX };
        lane.under_way.len() < places && lane.under_way.insert(delivery)
    }

    fn give_back(&mut self, sink: &SinkName, delivery: DeliveryId) {
        let Some(lane) = self.0.get_mut(sink) else { return };
        lane.under_way.remove(&delivery);
        if lane.under_way.is_empty() && !lane.has_failed {
            self.0.remove(sink);
        }
    }

    fn note(&mut self, sink: &SinkName, has_failed: bool) {
        if let Some(lane) = self.0.get_mut(sink) {
            lane.has_failed = has_failed;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.busy).give_back(&self.sink, self.delivery);
        self.alerts.wake();
    }
}

fn lock(busy: &Mutex<Busy>) -> MutexGuard<'_, Busy> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why an attempt is made again, where it is. A sink that refuses is there.
fn failed(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Delivered { .. } | Outcome::DeliveredNamed { .. } | Outcome::Refused { .. } => None,
        Outcome::Retryable { error, .. } | Outcome::NotAttempted { error } | Outcome::Lost { error } => Some(error),
    }
}

/// The first time loudly: it may be a day until it is given up.
fn log_failure(delivery: &Delivery, error: &str) {
    const MESSAGE: &str = "an alert could not be told, it is tried again";
    let (sink, id, attempt) = (&*delivery.sink, delivery.id, delivery.attempts);
    if attempt == 1 {
        tracing::warn!(sink, delivery = %id, attempt, error, "{MESSAGE}");
    } else {
        tracing::debug!(sink, delivery = %id, attempt, error, "{MESSAGE}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> DeliveryId {
        format!("{number:026}").parse().expect("an id")
    }

    #[test]
    fn a_sink_has_several_places_and_one_while_it_fails() {
        let (oncall, chat): (SinkName, SinkName) = ("oncall".into(), "chat".into());
        let mut busy = Busy::default();
        let taken: Vec<bool> = (0..6).map(|number| busy.take(&oncall, id(number))).collect();
        assert_eq!(taken, [true, true, true, true, false, false]);
        assert!(busy.take(&chat, id(9)), "another sink is not concerned");
        busy.note(&oncall, true);
        busy.give_back(&oncall, id(0));
        assert!(!busy.take(&oncall, id(7)));
        for number in 1..4 {
            busy.give_back(&oncall, id(number));
        }
        assert!(busy.take(&oncall, id(7)) && !busy.take(&oncall, id(8)));
        busy.note(&oncall, false);
        assert!(busy.take(&oncall, id(8)));
    }

    #[test]
    fn a_delivery_that_is_under_way_is_not_begun_again_and_nothing_is_left_behind() {
        let oncall: SinkName = "oncall".into();
        let mut busy = Busy::default();
        assert!(busy.take(&oncall, id(1)) && !busy.take(&oncall, id(1)));
        busy.give_back(&oncall, id(1));
        assert!(busy.0.is_empty());
    }

    #[test]
    fn what_a_sink_said_decides_whether_it_failed() {
        let error = || "HTTP 500".to_owned();
        assert_eq!(failed(&Outcome::Retryable { error: error(), after: None }), Some("HTTP 500"));
        assert_eq!(failed(&Outcome::Lost { error: error() }), Some("HTTP 500"));
        assert_eq!(failed(&Outcome::Refused { error: error() }), None);
        assert_eq!(failed(&Outcome::Delivered { reference: None }), None);
    }
}
