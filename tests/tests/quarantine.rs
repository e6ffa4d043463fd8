//! A version that asks for more than is granted waits, and the one before it goes on serving.

use serde_json::Value;
use sickbay_tests::{Sickbay, check, found, program, until};

const GRANTS: &str = "grants = { http = [\"GET https://a.example/\"] }";

/// The check `swap`; version 3 of its plugin asks for `http`, versions 1 and 2 for nothing.
fn swap(more: &str) -> String {
    check("swap", "swap", "200ms", &format!("kind = \"swap\"\nconfig = {{ url = \"https://a.example/\" }}\n{more}"))
}

async fn until_it_says(sickbay: &Sickbay, summary: &str) {
    until(&format!("the check says {summary}"), async || sickbay.check("swap").await["summary"] == summary).await;
}

async fn quarantined(sickbay: &Sickbay) -> f64 {
    sickbay.metrics().await.sum("sickbay_plugin_quarantined", &[("plugin", "swap")])
}

/// Version 1 serves and version 3 waits.
async fn waiting() -> (Sickbay, Value) {
    let sickbay = Sickbay::started(&swap(""), &["swap=swap-v1"]).await;
    until_it_says(&sickbay, "version 1").await;
    assert_eq!(quarantined(&sickbay).await, 0.0);
    sickbay.install("swap", "swap-v3");
    let plugin = found("version 3 waits", async || {
        let plugin = sickbay.plugin("swap").await;
        (plugin["state"] == "quarantined").then_some(plugin)
    })
    .await;
    (sickbay, plugin)
}

#[tokio::test]
async fn a_version_that_asks_for_more_waits_and_is_told_everywhere() {
    let (sickbay, plugin) = waiting().await;
    let waits = &plugin["quarantine"];
    assert_eq!((&plugin["version"], &plugin["last_error"], &waits["version"]), (&"1.0.0".into(), &Value::Null, &"3.0.0".into()));
    assert_eq!(waits["diff"], serde_json::json!(["+ swap: http = [\"GET {url}\"]  # asks who serves"]));
    let line = "add `grants = { http = [\"GET https://a.example/\"] }`";
    assert!(waits["hint"].as_str().is_some_and(|hint| hint.contains("check `swap`") && hint.contains(line)), "{waits}");
    let result = sickbay.run_now("swap").await;
    assert_eq!((&result["status"], &result["summary"]), (&"ok".into(), &"version 1".into()));
    assert_eq!(sickbay.get("/readyz").await.status, 200);
    until("it is counted", async || sickbay.plugin_loads("swap", "quarantined").await == 1.0).await;
    assert_eq!(quarantined(&sickbay).await, 1.0);
    until("it is in the log", async || sickbay.log().lines().any(|log| log.contains("quarantined: ") && log.contains("GET {url}"))).await;
    let page = sickbay.get("/").await.text();
    assert!(page.contains("A new version of plugin <strong>swap</strong> asks for more"), "{page}");
    let url = sickbay.url();
    for verb in ["list", "inspect"] {
        let mut arguments = vec!["plugin", verb, "--url", url.as_str()];
        if verb == "inspect" {
            arguments.insert(2, "swap");
        }
        let told = program::run(sickbay.folder(), &arguments).await;
        assert_eq!(told.code, 0, "{told:?}");
        for part in ["quarantined", "version 3.0.0 came", "+ swap: http = [\"GET {url}\"]", line] {
            assert!(told.out.contains(part), "{part} is not in {told:?}");
        }
    }
}

#[tokio::test]
async fn a_grant_lets_it_serve_without_a_touch_of_the_file() {
    let (sickbay, _) = waiting().await;
    // A grant that does not cover it changes nothing.
    sickbay.configure(&(swap("grants = { http = [\"GET https://b.example/\"] }") + &check("other", "swap", "24h", "kind = \"swap\"")));
    until("it was read", async || sickbay.check_names().await == ["other", "swap"]).await;
    assert_eq!(quarantined(&sickbay).await, 1.0);
    sickbay.configure(&swap(GRANTS));
    until_it_says(&sickbay, "version 3").await;
    let plugin = sickbay.plugin("swap").await;
    assert_eq!((&plugin["state"], &plugin["version"], &plugin["quarantine"]), (&"loaded".into(), &"3.0.0".into(), &Value::Null));
    assert_eq!((quarantined(&sickbay).await, sickbay.plugin_loads("swap", "loaded").await), (0.0, 2.0));
}

#[tokio::test]
async fn a_version_whose_needs_are_granted_already_does_not_wait() {
    let sickbay = Sickbay::started(&swap(GRANTS), &["swap=swap-v1"]).await;
    until_it_says(&sickbay, "version 1").await;
    sickbay.install("swap", "swap-v3");
    until_it_says(&sickbay, "version 3").await;
    assert_eq!(sickbay.plugin_loads("swap", "quarantined").await, 0.0);
}

#[tokio::test]
async fn a_newer_file_takes_the_place_of_one_that_waits() {
    let (sickbay, _) = waiting().await;
    sickbay.install("swap", "swap-v2");
    until_it_says(&sickbay, "version 2").await;
    assert_eq!((&sickbay.plugin("swap").await["state"], quarantined(&sickbay).await), (&"loaded".into(), 0.0));
    // What waited is gone: the grant brings nothing back.
    sickbay.configure(&(swap(GRANTS) + &check("other", "swap", "24h", "kind = \"swap\"")));
    until("it was read", async || sickbay.check_names().await == ["other", "swap"]).await;
    assert_eq!(sickbay.run_now("swap").await["summary"], "version 2");
}

#[tokio::test]
async fn the_file_of_before_ends_a_quarantine_and_so_does_a_broken_one() {
    let (sickbay, _) = waiting().await;
    sickbay.install("swap", "swap-v1");
    until("nothing waits", async || sickbay.plugin("swap").await["state"] == "loaded").await;
    sickbay.install("swap", "swap-v3");
    until("version 3 waits again", async || quarantined(&sickbay).await == 1.0).await;
    sickbay.install_bytes("swap", b"this is not a plugin at all");
    until("the broken one is refused", async || sickbay.plugin("swap").await["state"] == "stale").await;
    assert_eq!((quarantined(&sickbay).await, sickbay.run_now("swap").await["summary"].clone()), (0.0, "version 1".into()));
}

#[tokio::test]
async fn a_first_version_serves_whatever_it_asks_for() {
    let sickbay = Sickbay::started(&swap(""), &["swap=swap-v3"]).await;
    until_it_says(&sickbay, "version 3").await;
    assert_eq!(sickbay.plugin("swap").await["state"], "loaded");
}
