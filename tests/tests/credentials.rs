//! Databases whose credentials change while Sickbay runs: the file with the URL is read again, nothing is restarted.

use std::fs;

use sickbay_tests::postgres::{DATABASE, PASSWORD, Postgres, USER};
use sickbay_tests::{Sickbay, check, program, until};

const CHANGED: &str = "changed-secret";

/// A check of the source `main`, whose URL is in a folder of its own.
async fn sickbay_of(server: &Postgres) -> Sickbay {
    let source = "[sources.postgres.main]\nurl_file = \"secrets/main.url\"\n\n";
    let more = "failures = 1\nsuccesses = 1\ngrants = { postgres = [{ source = \"main\" }] }";
    let mut sickbay = Sickbay::prepared(&(source.to_owned() + &check("who", "database", "200ms", more)), &["database"]);
    fs::create_dir(sickbay.path("secrets")).expect("a folder");
    sickbay.write("secrets/main.url", server.url());
    sickbay.start().await;
    until("it is entered", async || sickbay.check("who").await["summary"] == USER).await;
    sickbay
}

fn sessions_of(server: &Postgres, role: &str) -> String {
    server.sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'"))
}

#[tokio::test]
async fn a_changed_password_counts_as_soon_as_its_file_has_it() {
    let server = Postgres::start();
    let mut sickbay = sickbay_of(&server).await;
    server.sql(&format!("ALTER ROLE {USER} PASSWORD '{CHANGED}'"));
    server.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"));
    until("the old one is refused", async || sickbay.check("who").await["hard_status"] == "critical").await;
    let refused = sickbay.check("who").await["summary"].to_string();
    assert!(refused.contains("refused the user or password of source `main`"), "{refused}");

    sickbay.write("secrets/main.url", server.url_of(USER, CHANGED, DATABASE));
    until("the new one is taken", async || sickbay.check("who").await["hard_status"] == "ok").await;
    for text in [sickbay.log(), sickbay.get("/api/v1/config").await.text(), sickbay.get("/metrics").await.text()] {
        assert!(!text.contains(PASSWORD) && !text.contains(CHANGED), "{text}");
    }
    assert_eq!(sickbay.stop().await, 0);
}

#[tokio::test]
async fn connections_by_the_credentials_before_are_closed() {
    let server = Postgres::start();
    let sickbay = sickbay_of(&server).await;
    server.sql(&format!("CREATE ROLE successor LOGIN PASSWORD '{CHANGED}'"));
    assert_ne!(sessions_of(&server, USER), "0");
    sickbay.write("secrets/main.url", server.url_of("successor", CHANGED, DATABASE));
    until("the other role is entered", async || sickbay.check("who").await["summary"] == "successor").await;
    until("the first one has no session", async || sessions_of(&server, USER) == "0").await;
}

#[tokio::test]
async fn a_file_that_holds_no_url_changes_nothing() {
    let server = Postgres::start();
    let sickbay = sickbay_of(&server).await;
    sickbay.write("secrets/main.url", format!("postgres://{USER}:{CHANGED}@/{DATABASE}\n"));
    until("it is refused", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == false).await;
    let error = sickbay.json("/api/v1/config").await["error"].to_string();
    assert!(error.contains("the source's URL cannot be used") && !error.contains(CHANGED), "{error}");
    let before = sickbay.metrics().await.runs_recorded(Some("who"));
    until("it runs on", async || sickbay.metrics().await.runs_recorded(Some("who")) > before + 2).await;
    assert_eq!(sickbay.check("who").await["status"], "ok");
    sickbay.write("secrets/main.url", server.url());
    until("it is mended", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == true).await;
}

#[tokio::test]
async fn a_store_that_lets_nobody_in_is_told_without_its_password() {
    let server = Postgres::start();
    let store = "[store]\nurl_file = \"store.url\"\n\n".to_owned();
    let sickbay = Sickbay::prepared(&(store + &check("fine", "noop", "24h", "")), &["noop"]);
    sickbay.write("store.url", server.url_of(USER, CHANGED, DATABASE));
    let ran = program::run(sickbay.folder(), &["serve", "--config", "sickbay.toml"]).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    for part in ["the store cannot be opened", "the server does not let this user in", "hint: "] {
        assert!(ran.err.contains(part), "`{part}` is not in {}", ran.err);
    }
    assert!(!ran.err.contains(CHANGED), "{ran:?}");
}
