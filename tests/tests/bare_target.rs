//! Guests for `wasm32-unknown-unknown`: what the standard library cannot do there the SDK does, and WASI is not imported for it.

use sickbay_tests::{Sickbay, check, milliseconds, until};

/// The one interface of WASI that the SDK asks for, where a plugin asks what time it is.
const CLOCK: &str = "wasi:clocks/wall-clock@";
/// Between when a run was due and when its guest looked at the clock.
const APART_MS_MAX: i64 = 60_000;

async fn started() -> Sickbay {
    let checks = ["clock", "panic", "heap"].map(|kind| check(kind, "bare", "24h", &format!("kind = \"{kind}\""))).concat();
    Sickbay::started(&checks, &["bare"]).await
}

#[tokio::test]
async fn a_guest_without_wasi_knows_the_time_and_has_a_heap_that_grows() {
    let sickbay = started().await;
    let result = sickbay.run_now("clock").await;
    let told: i64 = result["summary"].as_str().and_then(|summary| summary.parse().ok()).unwrap_or_default();
    let due = milliseconds(result["scheduled_at"].as_str().unwrap_or_default());
    assert!((told - due).abs() <= APART_MS_MAX, "{result}");
    let result = sickbay.run_now("heap").await;
    assert_eq!((&result["status"], &result["summary"]), (&"ok".into(), &"as it should be".into()), "{result}");
}

#[tokio::test]
async fn why_a_guest_without_standard_error_panicked_is_in_the_reason_and_in_the_log() {
    let sickbay = started().await;
    let result = sickbay.run_now("panic").await;
    assert_eq!(result["reason"], "PluginTrapped", "{result}");
    assert!(result["reason_detail"].as_str().is_some_and(|detail| detail.contains("the bare guest gives up")), "{result}");
    until("the log tells why", async || sickbay.log().contains("the bare guest gives up")).await;
}

#[tokio::test]
async fn a_guest_without_wasi_imports_the_contract_and_at_most_a_clock() {
    const GUESTS: [&str; 3] = ["bare", "http", "system"];
    let sickbay = Sickbay::started("", &GUESTS).await;
    for guest in GUESTS {
        let plugin = sickbay.plugin(guest).await;
        let imports = plugin["imports"].as_array().expect("a list");
        let foreign =
            imports.iter().filter_map(|name| name.as_str()).find(|name| !name.starts_with("sickbay:plugin/") && !name.starts_with(CLOCK));
        assert!(plugin["state"] == "loaded" && !imports.is_empty() && foreign.is_none(), "{plugin}");
    }
}
