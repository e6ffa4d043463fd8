//! From one store to another: `serve --import-from` takes results, numbers, states and small values along.

use std::collections::BTreeMap;

use serde_json::Value;
use sickbay_tests::postgres::Postgres;
use sickbay_tests::{Sickbay, check, program, until};
use sqlx::Connection;

const NAMES: [&str; 3] = ["disks", "down", "fine"];
/// What the first run of `disks` says, before there is a small value to compare with.
const NO_RATES: &str = "no rates yet; they come with the next run";

fn checks() -> String {
    check("disks", "system", "24h", "kind = \"io\"\ngrants = { system = [\"io\"] }")
        + &check("down", "hostile", "24h", "kind = \"hostile-text\"\nfailures = 2")
        + &check("fine", "noop", "24h", "")
}

/// Every check as it is now, and every stored result by its number.
async fn remembered(sickbay: &Sickbay) -> (Vec<Value>, BTreeMap<u64, Value>) {
    let mut history = BTreeMap::new();
    for name in NAMES {
        for result in sickbay.results(name).await {
            history.insert(result["seq"].as_u64().expect("a number"), result);
        }
    }
    (sickbay.checks().await, history)
}

#[tokio::test]
async fn a_move_to_postgresql_keeps_results_numbers_states_and_small_values() {
    let mut sickbay = Sickbay::started(&checks(), &["noop", "hostile", "system"]).await;
    // The first run of a check that never ran comes within 10 s: with it behind us, nothing runs unless it is asked for.
    until("all ran by themselves", async || {
        let history = remembered(&sickbay).await.1;
        NAMES.iter().all(|name| history.values().any(|result| result["check"] == *name && result["trigger"] == "schedule"))
    })
    .await;
    sickbay.run_now("disks").await;
    sickbay.run_now("down").await;
    assert_eq!(sickbay.run_now("down").await["hard_status"], "critical");
    let before = remembered(&sickbay).await;
    assert_eq!(sickbay.stop().await, 0);

    let server = Postgres::start();
    sickbay.write("store.url", server.url());
    sickbay.configure(&("[store]\nurl_file = \"store.url\"\n\n".to_owned() + &checks()));
    sickbay.write("old.url", "sqlite:sickbay.db\n");
    sickbay.start_with(&["--import-from-file", "old.url"]).await;
    assert_eq!(remembered(&sickbay).await, before);
    assert_eq!(sickbay.get("/healthz").await.status, 503, "a confirmed failure goes on");
    let last = *before.1.keys().last().expect("there are results");
    let next = sickbay.run_now("disks").await;
    // Between them is what the incident of `down` was given.
    assert!(next["seq"].as_u64().is_some_and(|seq| seq > last), "numbers go on: {next}");
    assert_ne!(next["summary"], NO_RATES, "what the plugin kept is there");
    assert!(sickbay.log().contains(&format!("all results were imported results={}", before.1.len())));
    assert_eq!(sickbay.stop().await, 0);

    // Once is enough: the second time is refused, and without it the store is used as it is.
    let again = program::run(sickbay.folder(), &["serve", "--config", "sickbay.toml", "--import-from", "sqlite:sickbay.db"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    for part in ["the store that `[store]` names has results or incidents already", "hint: leave `--import-from` out"] {
        assert!(again.err.contains(part), "`{part}` is not in {}", again.err);
    }
    sickbay.start().await;
    assert_eq!(remembered(&sickbay).await.1.len(), before.1.len() + 1);
    for text in [sickbay.log(), again.err, sickbay.get("/api/v1/config").await.text()] {
        assert!(!text.contains(sickbay_tests::postgres::PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn an_import_from_a_store_that_cannot_be_had_starts_nothing() {
    let sickbay = Sickbay::prepared(&check("fine", "noop", "24h", ""), &["noop"]);
    for (url, code, told) in [
        ("sqlite:absent.db", 1, "there is no such file"),
        ("sqlite:sickbay.db", 2, "`--import-from` names the store that `[store]` names"),
        ("postgres://me:hunter2@db/x?y=z", 2, "`--import-from` has a parameter that is not known"),
    ] {
        let ran = program::run(sickbay.folder(), &["serve", "--config", "sickbay.toml", "--import-from", url]).await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
        assert!(ran.err.contains(told) && ran.err.contains("hint: ") && !ran.err.contains("hunter2"), "{ran:?}");
    }
    sickbay.write("absent.url", "sqlite:absent.db\n");
    for (option, value, code, told) in [
        ("--import-from-file", "absent.url", 1, "there is no such file"),
        ("--import-from-file", "none.url", 2, "`--import-from-file` is no file that can be read: there is no \"none.url\""),
        ("--import-from", "postgres://me:${SICKBAY_NO_SUCH_VARIABLE}@db/x", 2, "`SICKBAY_NO_SUCH_VARIABLE` is not set"),
    ] {
        let ran = program::run(sickbay.folder(), &["serve", "--config", "sickbay.toml", option, value]).await;
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{ran:?}");
        assert!(ran.err.contains(told) && ran.err.contains("hint: "), "{ran:?}");
    }
    assert!(!sickbay.path("absent.db").exists() && !sickbay.path("sickbay.db").exists());
}

#[tokio::test]
async fn a_store_with_numbers_up_to_the_highest_ends_with_the_cause_and_not_in_a_loop() {
    let mut sickbay = Sickbay::started(&check("fine", "noop", "24h", ""), &["noop"]).await;
    sickbay.run_now("fine").await;
    assert_eq!(sickbay.stop().await, 0);
    let url = format!("sqlite:{}", sickbay.path("sickbay.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.expect("the database can be opened");
    let far = "INSERT INTO results SELECT 9223372036854775807, check_id, plugin_id, scheduled_at + 1, status, 0, body FROM results LIMIT 1";
    sqlx::query(far).execute(&mut database).await.expect("a row can be inserted");
    database.close().await.expect("the database can be closed");
    for store in ["sqlite:new.db", "sqlite:sickbay.db"] {
        sickbay.configure(&format!("[store]\nurl = \"{store}\"\n\n{}", check("fine", "noop", "24h", "")));
        let import: &[&str] = if store == "sqlite:new.db" { &["--import-from", "sqlite:sickbay.db"] } else { &[] };
        let ran = program::run(sickbay.folder(), &[&["serve", "--config", "sickbay.toml"][..], import].concat()).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        for part in ["its results have numbers up to 9223372036854775807", "hint: restore a backup"] {
            assert!(ran.err.contains(part), "`{part}` is not in {}", ran.err);
        }
    }
}
