//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Far more than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `look` finds something.
///
/// # Panics
/// After [`PATIENCE`], with `what` was waited for.
pub async fn found<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "after {} s it is still not so: {what}", PATIENCE.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until `holds` says so.
///
/// # Panics
/// After [`PATIENCE`], with `what` was waited for.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    found(what, async || holds().await.then_some(())).await;
}
