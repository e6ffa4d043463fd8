//! What time it is. Tests set it.

/// Milliseconds since 1970-01-01T00:00:00Z, by the host's clock.
#[cfg(all(target_family = "wasm", not(target_os = "unknown")))]
#[expect(clippy::disallowed_methods, reason = "in a guest this is the host's clock")]
pub fn now_ms() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};

    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(elapsed) => elapsed.as_millis() as u64,
        Err(_) => 0,
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, by the host's clock.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub fn now_ms() -> u64 {
    let now = imported::wasi::clocks::wall_clock::now();
    now.seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds / 1_000_000))
}

/// Milliseconds since 1970-01-01T00:00:00Z, as the test's host says.
#[cfg(not(target_family = "wasm"))]
pub fn now_ms() -> u64 {
    crate::testing::now_ms()
}

/// WASI's clock, which every host of the contract offers. The standard library of `wasm32-unknown-unknown` does not know it: its own clock
/// panics. A plugin that never asks what time it is does not import it.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[allow(dead_code, unreachable_pub, clippy::all, reason = "generated code")]
mod imported {
    wit_bindgen::generate!({
        inline: "
            package wasi:clocks@0.2.0;

            interface wall-clock {
                record datetime {
                    seconds: u64,
                    nanoseconds: u32,
                }

                now: func() -> datetime;
                resolution: func() -> datetime;
            }

            world guest {
                import wall-clock;
            }
        ",
        world: "guest",
    });
}
