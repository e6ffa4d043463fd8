//! `isolation = "warm"`: a check keeps its instance from run to run, and nobody else ever sees it.

use serde_json::Value;
use sickbay_tests::{Sickbay, check, program, until};

const WARM: &str = "[plugin.counter]\nisolation = \"warm\"\n";
/// At most so many instances are kept.
const WARM_MAX: usize = 64;

/// A check that runs once a day and else when it is asked.
fn counter(name: &str, more: &str) -> String {
    check(name, "counter", "24h", more)
}

async fn warm_instances(sickbay: &Sickbay) -> f64 {
    sickbay.metrics().await.sum("sickbay_warm_instances", &[])
}

/// Its run of today happens by itself within seconds, and would count between those that a test asks for.
async fn ran_by_itself(sickbay: &Sickbay, names: &[&str]) {
    until("every check ran by itself", async || {
        let metrics = sickbay.metrics().await;
        names.iter().all(|name| metrics.runs_recorded(Some(name)) >= 1)
    })
    .await;
}

async fn started(plugin: &str, checks: &[(&str, &str)]) -> Sickbay {
    let text: String = checks.iter().map(|(name, more)| counter(name, more)).collect();
    let sickbay = Sickbay::started(&format!("{plugin}{text}"), &["counter"]).await;
    let names: Vec<&str> = checks.iter().map(|(name, _)| *name).collect();
    ran_by_itself(&sickbay, &names).await;
    sickbay
}

fn count(result: &Value) -> u32 {
    let summary = result["summary"].as_str().unwrap_or_default();
    summary.strip_prefix("run ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("not a count: {result}"))
}

async fn counts(sickbay: &Sickbay, name: &str, runs: usize) -> Vec<u32> {
    let mut counts = Vec::new();
    for _ in 0..runs {
        counts.push(count(&sickbay.run_now(name).await));
    }
    counts
}

#[tokio::test]
async fn a_fresh_instance_counts_one_and_a_warm_one_goes_on_counting() {
    let fresh = started("", &[("a", "")]).await;
    assert_eq!(counts(&fresh, "a", 3).await, [1, 1, 1]);
    assert_eq!(warm_instances(&fresh).await, 0.0);
    assert_eq!(fresh.plugin("counter").await["isolation"], "fresh");

    let warm = started(WARM, &[("a", ""), ("own", "isolation = \"fresh\"")]).await;
    assert_eq!(counts(&warm, "a", 3).await, [2, 3, 4]);
    assert_eq!(counts(&warm, "own", 2).await, [1, 1]);
    assert_eq!(warm_instances(&warm).await, 1.0);
    assert_eq!(warm.plugin("counter").await["isolation"], "warm");
}

#[tokio::test]
async fn a_probe_runs_a_warm_check_as_for_the_first_time_and_tells_what_would_become_of_its_instance() {
    let checks = [counter("a", ""), counter("prints", "config = { prints = true }"), counter("own", "isolation = \"fresh\"")];
    let sickbay = Sickbay::prepared(&format!("{WARM}{}", checks.concat()), &["counter"]);
    for (name, told) in [("a", Some("it would be kept")), ("prints", Some("it would be dropped")), ("own", None)] {
        let ran = program::run(sickbay.folder(), &["probe", name, "--debug"]).await;
        assert!(ran.code == 0 && ran.out.starts_with("OK - run 1"), "{ran:?}");
        match told {
            Some(told) => assert!(ran.err.contains("instance     fresh; ") && ran.err.contains(told), "{}", ran.err),
            None => assert!(!ran.err.contains("instance "), "{}", ran.err),
        }
    }
}

#[tokio::test]
async fn two_checks_never_see_each_others_instance() {
    let sickbay = started(WARM, &[("a", ""), ("b", "")]).await;
    assert_eq!(counts(&sickbay, "a", 2).await, [2, 3]);
    assert_eq!(counts(&sickbay, "b", 1).await, [2]);
    assert_eq!(counts(&sickbay, "a", 1).await, [4]);
    assert_eq!(counts(&sickbay, "b", 1).await, [3]);
}

#[tokio::test]
async fn an_instance_is_dropped_after_a_run_that_did_not_end_well() {
    let sickbay = started(WARM, &[("traps", "config = { trap_at = 3 }"), ("fails", "config = { fail_at = 3 }")]).await;
    for (name, reason) in [("traps", "PluginTrapped"), ("fails", "PluginFailure")] {
        assert_eq!(counts(&sickbay, name, 1).await, [2], "{name}");
        assert_eq!(sickbay.run_now(name).await["reason"], reason);
        assert_eq!(counts(&sickbay, name, 2).await, [1, 2], "{name}");
    }
}

#[tokio::test]
async fn an_instance_is_replaced_after_runs_max() {
    let sickbay = started("[plugin.counter]\nisolation = \"warm\"\nruns_max = 3\n", &[("a", "")]).await;
    assert_eq!(counts(&sickbay, "a", 6).await, [2, 3, 1, 2, 3, 1]);
}

#[tokio::test]
async fn a_guest_that_keeps_growing_ends_in_its_quota_and_begins_anew() {
    let sickbay = started(WARM, &[("grows", "config = { grow_mebibytes = 20 }")]).await;
    let mut seen = Vec::new();
    while seen.len() < 8 {
        let result = sickbay.run_now("grows").await;
        match result["reason"].as_str() {
            Some("QuotaExceeded") => seen.push(0),
            _ => seen.push(count(&result)),
        }
    }
    let quota = seen.iter().position(|run| *run == 0).expect("64 MiB are reached");
    assert!(quota >= 1, "what runs took is kept: {seen:?}");
    assert_eq!(seen[quota + 1], 1, "{seen:?}");
    assert!(sickbay.metrics().await.sum("sickbay_quota_exceeded_total", &[("quota", "memory_bytes")]) >= 1.0);
}

#[tokio::test]
async fn a_guest_that_keeps_a_handle_is_well_and_is_not_kept() {
    let sickbay = started(WARM, &[("prints", "config = { prints = true }")]).await;
    for _ in 0..3 {
        let result = sickbay.run_now("prints").await;
        assert_eq!(result["status"], "ok", "{result}");
        assert_eq!(count(&result), 1);
    }
    assert_eq!(warm_instances(&sickbay).await, 0.0);
}

#[tokio::test]
async fn an_instance_does_not_outlive_its_version_or_its_configuration() {
    let sickbay = started(WARM, &[("a", ""), ("b", "")]).await;
    assert_eq!(counts(&sickbay, "a", 1).await, [2]);
    // Another check's change leaves it alone, its own does not.
    sickbay.configure(&format!("{WARM}{}{}", counter("a", ""), counter("b", "config = { other = 1 }")));
    until("the instance of b is dropped", async || warm_instances(&sickbay).await == 1.0).await;
    assert_eq!(counts(&sickbay, "a", 1).await, [3]);
    assert_eq!(counts(&sickbay, "b", 2).await, [1, 2]);
    sickbay.configure(&format!("{WARM}{}{}", counter("a", "limits = { cpu_ms = 100 }"), counter("b", "config = { other = 1 }")));
    until("the instance of a is dropped", async || warm_instances(&sickbay).await == 1.0).await;
    assert_eq!(counts(&sickbay, "a", 1).await, [1]);
    // The same code with one more custom section is another version.
    let mut changed = program::guest_bytes("counter");
    changed.extend_from_slice(b"\0\x05\x04more");
    sickbay.install_bytes("counter", &changed);
    until("both instances are dropped", async || warm_instances(&sickbay).await == 0.0).await;
    assert_eq!(counts(&sickbay, "a", 2).await, [1, 2]);
    assert_eq!(counts(&sickbay, "b", 1).await, [1]);
}

#[tokio::test]
async fn the_instance_that_was_unused_for_longest_makes_room() {
    let names: Vec<String> = (0..=WARM_MAX).map(|number| format!("c-{number:02}")).collect();
    let checks: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let sickbay = started(WARM, &checks).await;
    // Whatever the order of their first runs: from here on it is the order of the names.
    for name in &names {
        sickbay.run_now(name).await;
    }
    assert_eq!(warm_instances(&sickbay).await, WARM_MAX as f64);
    assert!(counts(&sickbay, &names[WARM_MAX], 1).await[0] > 1, "the last one is kept");
    assert_eq!(counts(&sickbay, &names[0], 1).await, [1], "the first one had to go");
}
