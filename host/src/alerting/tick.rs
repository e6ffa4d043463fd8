//! Tells the machine of alerts the time when something is due by it, and that there is another configuration.
//!
//! It looks now and then even where nothing is due: the clock may be set, and the machine hears of it when it is told a fact.

use std::time::Duration;

use sickbay_core::alerting::{CLOCK_STEP_MAX, Fact};
use tokio_util::sync::CancellationToken;

use super::Alerts;
use crate::clock;

/// Things that are due at about the same time are done together.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The wall clock may be set while we sleep.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Until `stop`, or until the queue has ended.
pub(crate) async fn run(alerts: Alerts, stop: CancellationToken) {
    let mut changed = alerts.changes();
    let mut before = clock::now();
    loop {
        let now = clock::now();
        let was_set_back = before.since(now) > CLOCK_STEP_MAX;
        before = now;
        if (was_set_back || alerts.is_due(now)) && alerts.tell(Fact::Tick).await.is_err() {
            return;
        }
        let next = alerts.read(|alerting| alerting.next_tick());
        let pause = next.map_or(PAUSE_MAX, |at| at.since(clock::now()).clamp(PAUSE_MIN, PAUSE_MAX));
        tokio::select! {
            () = stop.cancelled() => return,
            // The sender lives as long as `alerts`.
            _ = changed.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
