//! The machine as the store's rows say, before anything else happens.
//!
//! One process at a time has a store open, so what stands there as attempted was lost with the process before: nobody is told how those
//! attempts ended, and they are made again with the same keys.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use sickbay_core::alerting::{Alerting, DeliveryId, DeliveryState, Fact, Outcome};
use sickbay_store::{ResultQueue, Store, StoreError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::facts::Watched;
use super::tally::Notifications;
use super::{Alerts, InOrder, Machine, Shared, TOLD_AT_ONCE_MAX, maintenance, rows};
use crate::clock;
use crate::config::Config;
use crate::live::Events;

/// Makes the machine, stores what that changed, and starts the queue in whose order it is told everything.
///
/// # Errors
/// Where the store cannot be read or written.
pub async fn start(
    store: &Arc<dyn Store>,
    config: &Config,
    flush_interval: Duration,
    events: Events,
) -> Result<(Alerts, ResultQueue, JoinHandle<()>), StoreError> {
    let rows = rows::read(&**store).await?;
    let windows = maintenance::read(&**store).await?;
    let now = clock::now();
    let flapping: HashSet<Arc<str>> = rows.checks.iter().filter(|row| row.held.is_some()).map(|row| Arc::clone(&row.check)).collect();
    // Ids and jitter: no two processes have the same.
    let seed = RandomState::new().hash_one(now);
    let (alerting, changes) = Alerting::restore(rows, maintenance::merged(Arc::clone(&config.alerting), &windows), seed, now);
    let mut written = rows::of(&changes);
    let mut machine =
        Machine { alerting, watched: Watched::of(flapping), notifications: Notifications::default(), backlog: VecDeque::new() };
    machine.notifications.know(config.sinks.iter().map(|sink| sink.name.as_str()));
    for (delivery, attempt) in lost(&machine.alerting) {
        let outcome = Outcome::Lost { error: "Sickbay ended before it was known how the attempt did".to_owned() };
        machine.apply(Fact::DeliveryEnded { delivery, attempt, outcome }, now, &mut written);
    }
    let numbers = store.commit(&[], &written).await?;
    events.publish(&[], numbers.into_iter().flatten().max());
    let shared = Arc::new(Shared {
        machine: Mutex::new(machine),
        wanted: ArcSwapOption::empty(),
        windows: ArcSwap::from_pointee(windows),
        mended: Mutex::default(),
        changed: watch::Sender::new(()),
        turns: Arc::new(Semaphore::new(TOLD_AT_ONCE_MAX)),
        settled: tokio::sync::Mutex::default(),
    });
    let in_order = InOrder { shared: Arc::clone(&shared), events };
    let (queue, writer) = ResultQueue::start_alongside(Arc::clone(store), flush_interval, in_order);
    Ok((Alerts { shared, queue: queue.clone() }, queue, writer))
}

/// Attempts of the process before.
fn lost(alerting: &Alerting) -> Vec<(DeliveryId, u32)> {
    let attempted = alerting.deliveries().filter(|delivery| matches!(delivery.state, DeliveryState::Attempting { .. }));
    attempted.map(|delivery| (delivery.id, delivery.attempts)).collect()
}
