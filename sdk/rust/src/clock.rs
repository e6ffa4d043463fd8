//! What time it is. Tests set it.

/// Milliseconds since 1970-01-01T00:00:00Z, by the host's clock.
#[cfg(target_family = "wasm")]
#[expect(clippy::disallowed_methods, reason = "in a guest this is the host's clock")]
pub fn now_ms() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};

    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(elapsed) => elapsed.as_millis() as u64,
        Err(_) => 0,
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as the test's host says.
#[cfg(not(target_family = "wasm"))]
pub fn now_ms() -> u64 {
    crate::testing::now_ms()
}
