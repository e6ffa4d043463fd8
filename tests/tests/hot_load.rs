//! The plugin folder while Sickbay runs: what is whole takes over, what is broken disturbs nothing, what is removed is missed.

use std::fs::File;
use std::io::Write;

use serde_json::Value;
use sickbay_tests::{Sickbay, check, found, milliseconds, program, until};

const CHECKS: usize = 10;

fn swap_checks() -> String {
    (0..CHECKS).map(|number| check(&format!("swap-{number}"), "swap", "500ms", "kind = \"swap\"")).collect()
}

async fn until_all_say(sickbay: &Sickbay, summary: &str) {
    until(&format!("every check says {summary}"), async || {
        let checks = sickbay.checks().await;
        checks.len() == CHECKS && checks.iter().all(|check| check["summary"] == summary)
    })
    .await;
}

/// Scheduled times that follow each other at the cadence, whatever happened meanwhile.
fn assert_contiguous(results: &[Value], every_ms: i64) {
    let times: Vec<i64> = results.iter().map(|result| milliseconds(result["scheduled_at"].as_str().expect("a time"))).collect();
    for pair in times.windows(2) {
        assert_eq!(pair[0] - pair[1], every_ms, "a run is missing: {times:?}");
    }
}

fn version_of(result: &Value) -> f64 {
    result["metrics"][0]["value"].as_f64().unwrap_or_else(|| panic!("a run without its version: {result}"))
}

#[tokio::test]
async fn a_new_version_serves_the_next_run_and_no_run_is_lost() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    sickbay.install("swap", "swap-v2");
    until_all_say(&sickbay, "version 2").await;
    for number in 0..CHECKS {
        let name = format!("swap-{number}");
        let results = found("the new version's results are stored", async || {
            let results = sickbay.results(&name).await;
            (version_of(&results[0]) == 2.0).then_some(results)
        })
        .await;
        assert_contiguous(&results, 500);
        let versions: Vec<f64> = results.iter().rev().map(version_of).collect();
        assert!(versions[0] == 1.0 && versions.is_sorted(), "{versions:?}");
    }
    assert_eq!(sickbay.metrics().await.sum("sickbay_check_runs_total", &[("outcome", "skipped")]), 0.0);
    assert_eq!(sickbay.plugin_loads("swap", "loaded").await, 2.0);
    let plugin = sickbay.plugin("swap").await;
    assert_eq!((&plugin["version"], &plugin["versions_loaded"]), (&"2.0.0".into(), &2.into()));
}

#[tokio::test]
async fn the_same_content_again_changes_nothing() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    let loaded_at = sickbay.plugin("swap").await["loaded_at"].clone();
    sickbay.install("swap", "swap-v1");
    until("it was looked at", async || sickbay.plugin_loads("swap", "unchanged").await == 1.0).await;
    let plugin = sickbay.plugin("swap").await;
    assert_eq!((&plugin["loaded_at"], &plugin["versions_loaded"]), (&loaded_at, &1.into()));
}

/// Offers `bytes` as the plugin `swap` and looks at how they are refused.
async fn assert_refused(sickbay: &Sickbay, what: &str, bytes: &[u8], message_part: &str) {
    let before = sickbay.plugin("swap").await["last_error"]["at"].clone();
    let counted = sickbay.plugin_loads("swap", "rejected").await;
    sickbay.install_bytes("swap", bytes);
    let plugin = found(&format!("{what} is refused"), async || {
        let plugin = sickbay.plugin("swap").await;
        let is_new = !plugin["last_error"].is_null() && plugin["last_error"]["at"] != before;
        is_new.then_some(plugin)
    })
    .await;
    let error = &plugin["last_error"];
    assert!(error["message"].as_str().is_some_and(|message| message.contains(message_part)), "{what}: {error}");
    assert!(error["hint"].is_string(), "{what} is refused without a hint: {error}");
    assert_eq!((&plugin["state"], &plugin["version"]), (&"stale".into(), &"1.0.0".into()), "{what}");
    assert_eq!(sickbay.plugin_loads("swap", "rejected").await, counted + 1.0, "{what}");
    assert_eq!(sickbay.get("/readyz").await.status, 200, "{what}");
    let result = sickbay.run_now("swap-0").await;
    assert_eq!((&result["status"], &result["summary"]), (&"ok".into(), &"version 1".into()), "{what}");
}

/// A good file heals what the refused ones said.
async fn assert_heals(sickbay: &Sickbay) {
    sickbay.install("swap", "swap-v2");
    until_all_say(sickbay, "version 2").await;
    let plugin = sickbay.plugin("swap").await;
    assert_eq!((&plugin["state"], &plugin["last_error"]), (&"loaded".into(), &Value::Null));
    assert_eq!(sickbay.metrics().await.sum("sickbay_check_runs_total", &[("outcome", "unknown")]), 0.0, "a check was disturbed");
}

#[tokio::test]
async fn a_file_that_is_no_plugin_leaves_the_last_good_version_serving() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    let good = program::guest_bytes("swap-v2");
    let half = &good[..good.len() / 2];
    let mut large = good.clone();
    large.resize(33 << 20, 0);
    assert_refused(&sickbay, "garbage", b"this is not a plugin at all", "not WebAssembly").await;
    assert_refused(&sickbay, "an empty file", b"", "empty").await;
    assert_refused(&sickbay, "a header cut off", b"\0asm", "").await;
    assert_refused(&sickbay, "half a component", half, "not a valid component").await;
    assert_refused(&sickbay, "a program", b"\x7fELF\x02\x01\x01\0and so on", "native code").await;
    assert_refused(&sickbay, "what is larger than 32 MiB", &large, "at most 33554432").await;
    assert_refused(&sickbay, "a component without exports", b"\0asm\x0d\0\x01\0", "does not export `sickbay:plugin/plugin`").await;
    assert_refused(&sickbay, "a core module without a type", b"\0asm\x01\0\0\0", "").await;
    // A type of a function that is `async`, and nothing else.
    let asynchronous = b"\0asm\x0d\0\x01\0\x07\x05\x01\x43\0\x01\0";
    assert_refused(&sickbay, "what is asynchronous", asynchronous, "it exports or imports an `async func`").await;
    let newer = of_a_newer_world("swap-v2");
    assert_refused(&sickbay, "a newer world", &newer, "@0.2.0`, and this host runs sickbay:plugin@0.1.0").await;
    assert_heals(&sickbay).await;
}

/// The bytes of a guest, as if it had been built against the contract's next version.
fn of_a_newer_world(guest: &str) -> Vec<u8> {
    const NOW: &[u8] = b"@0.1.0";
    const THEN: &[u8] = b"@0.2.0";
    let mut bytes = program::guest_bytes(guest);
    let mut replaced = 0;
    for at in 0..bytes.len().saturating_sub(NOW.len()) {
        if bytes[at..].starts_with(NOW) {
            bytes[at..at + NOW.len()].copy_from_slice(THEN);
            replaced += 1;
        }
    }
    assert!(replaced > 0, "{guest} names no version of the contract");
    bytes
}

#[tokio::test]
async fn what_this_host_cannot_run_is_told_with_the_fix_where_it_is_tried_alone() {
    let folder = tempfile::TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("newer.wasm"), of_a_newer_world("noop")).expect("writable");
    let newer = program::run(folder.path(), &["probe", "--plugin", "newer.wasm"]).await;
    for part in ["newer.wasm cannot be loaded", "sickbay:plugin/", "@0.2.0`, and this host runs sickbay:plugin@0.1.0"] {
        assert!(newer.out.contains(part), "`{part}` is not in {newer:?}");
    }
    assert!(newer.code == 3 && newer.err.contains("hint: build it against the WIT files of this version of Sickbay"), "{newer:?}");

    std::fs::write(folder.path().join("async.wasm"), b"\0asm\x0d\0\x01\0\x07\x05\x01\x43\0\x01\0").expect("writable");
    let asynchronous = program::run(folder.path(), &["inspect", "async.wasm"]).await;
    assert!(asynchronous.code == 1 && asynchronous.err.contains("hint: make it a plain `func`"), "{asynchronous:?}");
}

#[tokio::test]
async fn compiled_code_in_the_folder_is_refused_also_where_it_is_our_own() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    let (input, output) = (program::guest("swap-v2"), sickbay.path("own.cwasm"));
    let arguments = ["compile-worker", input.to_str().expect("a path in UTF-8"), output.to_str().expect("a path in UTF-8")];
    let compiled = program::run(sickbay.folder(), &arguments).await;
    assert_eq!(compiled.code, 0, "{compiled:?}");
    let native = std::fs::read(&output).expect("the worker wrote it");
    assert_refused(&sickbay, "our own artifact", &native, "native code").await;
    // Under its own name it is not even read.
    sickbay.write("plugins/own.cwasm", &native);
    assert_heals(&sickbay).await;
    until("it is shown", async || sickbay.get("/api/v1/plugins/own").await.status == 200).await;
    let own = found("it is refused", async || {
        let own = sickbay.plugin("own").await;
        (own["state"] == "rejected").then_some(own)
    })
    .await;
    assert!(own["last_error"]["hint"].as_str().is_some_and(|hint| hint.contains("never a .cwasm")), "{own}");
    assert_eq!(sickbay.plugin_loads("own", "rejected").await, 1.0);
    std::fs::remove_file(sickbay.path("plugins/own.cwasm")).expect("it can be removed");
    until("it is forgotten", async || sickbay.get("/api/v1/plugins/own").await.status == 404).await;
}

#[tokio::test]
async fn a_file_whose_name_is_no_plugins_is_told_once_with_what_to_do() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    for file in ["Http.wasm", "my check.wasm"] {
        sickbay.write(&format!("plugins/{file}"), "not read");
    }
    let told = |file: &str| sickbay.log().matches(&format!("`{file}` is not looked at")).count();
    until("both are told", async || ["Http.wasm", "my check.wasm"].iter().all(|file| told(file) > 0)).await;
    // Scanned again, for something else came.
    sickbay.install("stranger", "lie-names");
    until("the folder was scanned again", async || sickbay.get("/api/v1/plugins/stranger").await.status == 200).await;
    assert_eq!((told("Http.wasm"), told("my check.wasm")), (1, 1));
    assert!(sickbay.log().contains("rename it, for example to `my-check.wasm`"), "{}", sickbay.log());
    let plugins = sickbay.get("/api/v1/plugins").await.text();
    assert!(!plugins.contains("Http") && !plugins.contains("my check"), "{plugins}");
    let validated = program::run(sickbay.folder(), &["validate", "-o", "json"]).await;
    let answer: Value = serde_json::from_str(&validated.out).unwrap_or_else(|error| panic!("{error}: {validated:?}"));
    let told: Vec<&Value> = answer["problems"].as_array().expect("a list").iter().collect();
    let hint =
        |file: &str| told.iter().find(|told| told["file"].as_str().is_some_and(|path| path.ends_with(file))).map(|told| &told["hint"]);
    assert_eq!(hint("Http.wasm"), Some(&"rename it, for example to `http.wasm`".into()), "{answer}");
    assert_eq!((&answer["valid"], validated.code), (&true.into(), 0), "{answer}");
}

#[tokio::test]
async fn a_plugin_that_lies_traps_or_spins_while_it_describes_itself_is_refused() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    for (guest, message_part) in [
        ("lie-kinds", "at most 64"),
        ("lie-names", "the name"),
        ("lie-schema", "not a JSON object"),
        ("trap-describe", "describe gives up"),
        ("spin-describe", "cpu_ms"),
    ] {
        assert_refused(&sickbay, guest, &program::guest_bytes(guest), message_part).await;
    }
    assert_heals(&sickbay).await;
}

#[tokio::test]
async fn a_version_that_its_checks_do_not_fit_is_refused() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    assert_refused(&sickbay, "another plugin's file", &program::guest_bytes("noop"), "does not fit this version").await;
    assert_heals(&sickbay).await;
}

#[tokio::test]
async fn a_refused_file_that_no_check_names_is_shown_and_disturbs_nobody() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    sickbay.install("stranger", "lie-names");
    until("the stranger is refused", async || sickbay.get("/api/v1/plugins/stranger").await.status == 200).await;
    let stranger = found("its error is shown", async || {
        let stranger = sickbay.plugin("stranger").await;
        (stranger["state"] == "rejected").then_some(stranger)
    })
    .await;
    assert!(stranger["last_error"]["hint"].is_string(), "{stranger}");
    assert_eq!(sickbay.get("/readyz").await.status, 200);
    sickbay.uninstall("stranger");
    until("the stranger is forgotten", async || sickbay.get("/api/v1/plugins/stranger").await.status == 404).await;
    assert_eq!(sickbay.plugin_loads("stranger", "rejected").await, 0.0);
}

#[tokio::test]
async fn a_file_that_is_copied_slowly_is_loaded_when_it_is_whole() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    let good = program::guest_bytes("swap-v2");
    let (half, rest) = good.split_at(good.len() / 2);
    // A copy in place that stops half-way for long enough to be looked at, and then goes on in small pieces.
    let mut copy = File::create(sickbay.path("plugins/swap.wasm")).expect("the plugin's file");
    copy.write_all(half).expect("half of it");
    until("the half is refused", async || sickbay.plugin("swap").await["state"] == "stale").await;
    for piece in rest.chunks(8 << 10) {
        assert_eq!(sickbay.run_now("swap-0").await["summary"], "version 1");
        copy.write_all(piece).expect("a piece more");
    }
    until_all_say(&sickbay, "version 2").await;
    let plugin = sickbay.plugin("swap").await;
    assert_eq!((&plugin["state"], &plugin["last_error"]), (&"loaded".into(), &Value::Null));
}

#[tokio::test]
async fn checks_of_a_removed_plugin_are_unknown_until_its_file_is_back() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    sickbay.uninstall("swap");
    let missing = found("the checks miss their plugin", async || {
        let checks = sickbay.checks().await;
        checks.iter().all(|check| check["status"] == "unknown" && check["reason"] == "PluginMissing").then_some(checks)
    })
    .await;
    assert!(missing[0]["reason_detail"].as_str().is_some_and(|detail| detail.contains("hint: copy swap.wasm")), "{}", missing[0]);
    let plugin = sickbay.plugin("swap").await;
    assert_eq!((&plugin["state"], &plugin["checks_configured"]), (&"absent".into(), &CHECKS.into()));
    assert_eq!(sickbay.plugin_loads("swap", "removed").await, 1.0);
    sickbay.install("swap", "swap-v2");
    until_all_say(&sickbay, "version 2").await;
    until("they are well again", async || sickbay.checks().await.iter().all(|check| check["hard_status"] == "ok")).await;
}

#[tokio::test]
async fn a_file_that_is_removed_and_copied_anew_is_never_missed() {
    let sickbay = Sickbay::started(&swap_checks(), &["swap=swap-v1"]).await;
    until_all_say(&sickbay, "version 1").await;
    sickbay.uninstall("swap");
    sickbay.install("swap", "swap-v2");
    until_all_say(&sickbay, "version 2").await;
    assert_eq!(sickbay.metrics().await.sum("sickbay_check_runs_total", &[("outcome", "unknown")]), 0.0);
    assert_eq!(sickbay.plugin_loads("swap", "removed").await, 0.0);
}

#[tokio::test]
async fn a_check_waits_for_a_plugin_that_comes_later() {
    let sickbay = Sickbay::started(&swap_checks(), &[]).await;
    until("the checks miss their plugin", async || sickbay.checks().await.iter().all(|check| check["reason"] == "PluginMissing")).await;
    assert_eq!(sickbay.get("/readyz").await.status, 200);
    sickbay.install("swap", "swap-v1");
    until_all_say(&sickbay, "version 1").await;
    assert_eq!(sickbay.check("swap-0").await["kind"], "swap");
}

#[tokio::test]
async fn runs_under_way_end_on_the_version_that_they_began_with() {
    let sickbay = Sickbay::started(&check("sleeper", "guest", "3s", "kind = \"sleep\"\ntimeout = \"2s\""), &["guest=hostile"]).await;
    let old = sickbay.plugin("guest").await["sha256"].clone();
    until("it runs", async || sickbay.metrics().await.sum("sickbay_runs_in_flight", &[]) == 1.0).await;
    // The same code with one more custom section is another version.
    let mut changed = program::guest_bytes("hostile");
    changed.extend_from_slice(b"\0\x05\x04more");
    sickbay.install_bytes("guest", &changed);
    let new = found("the new version serves", async || {
        let serving = sickbay.plugin("guest").await["sha256"].clone();
        (serving != old).then_some(serving)
    })
    .await;
    let results = found("both versions ran", async || {
        let results = sickbay.results("sleeper").await;
        results.first().is_some_and(|newest| is_version(newest, &new)).then_some(results)
    })
    .await;
    let oldest = &results[results.len() - 1];
    assert!(is_version(oldest, &old), "{oldest}");
    assert!(results.iter().all(|result| result["reason"] == "RunDeadline"), "{results:?}");
}

fn is_version(result: &Value, sha256: &Value) -> bool {
    let version = result["plugin_version"].as_str().unwrap_or_default();
    !version.is_empty() && sha256.as_str().is_some_and(|sha256| sha256.starts_with(version))
}
