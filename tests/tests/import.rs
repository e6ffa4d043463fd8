//! From one store to another: `serve --import-from` takes results, numbers, states and small values along.

use std::collections::BTreeMap;

use serde_json::Value;
use sickbay_tests::postgres::Postgres;
use sickbay_tests::{Sickbay, check, program, until};

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
    sickbay.start_with(&["--import-from", "sqlite:sickbay.db"]).await;
    assert_eq!(remembered(&sickbay).await, before);
    assert_eq!(sickbay.get("/healthz").await.status, 503, "a confirmed failure goes on");
    let last = *before.1.keys().last().expect("there are results");
    let next = sickbay.run_now("disks").await;
    assert_eq!(next["seq"].as_u64(), Some(last + 1), "numbers go on");
    assert_ne!(next["summary"], NO_RATES, "what the plugin kept is there");
    assert!(sickbay.log().contains(&format!("all results were imported results={}", before.1.len())));
    assert_eq!(sickbay.stop().await, 0);

    // Once is enough: the second time is refused, and without it the store is used as it is.
    let again = program::run(sickbay.folder(), &["serve", "--config", "sickbay.toml", "--import-from", "sqlite:sickbay.db"]).await;
    assert_eq!(again.code, 1, "{again:?}");
    for part in ["the store that `[store]` names has results already", "hint: leave `--import-from` out"] {
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
    assert!(!sickbay.path("absent.db").exists() && !sickbay.path("sickbay.db").exists());
}
