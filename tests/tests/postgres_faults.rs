//! A PostgreSQL server that is killed, stands still, is full, is stopped, or only follows another one: the service's fault is told as such,
//! and the host goes on. One server goes through all of it, in the order of this file.

use serde_json::{Value, json};
use sickbay_tests::ask::{asking, assert_begins, everything_told, outcomes};
use sickbay_tests::postgres::{PASSWORD, Postgres};
use sickbay_tests::{Sickbay, found, until};

/// Whose statement sleeps.
const SLEEPING: &str = "select pid from pg_stat_activity where wait_event = 'PgSleep'";
const CONNECTED: &str = "select pid from pg_stat_activity where usename = 'monitor'";

fn run(source: &str, sql: &str, timeout_ms: u32) -> Value {
    json!({ "postgres": { "source": source, "sql": sql, "timeout_ms": timeout_ms } })
}

/// Two sources are the same server; each has one connection, which is kept between calls.
fn configuration(server: &Postgres) -> String {
    let source = |name: &str| {
        let url = server.url();
        format!("[sources.postgres.{name}]\nurl = \"{url}\"\naccess = \"read-write\"\nconnections_max = 1\nstatement_timeout = \"60s\"\n\n")
    };
    let grants = "postgres = [{ source = \"one\" }, { source = \"two\" }]";
    let writing = "postgres = [{ source = \"two\", access = \"read-write\" }]";
    [
        source("one"),
        source("two"),
        asking("sleeps", grants, &[run("one", "select pg_sleep(60)", 30_000)]),
        asking("reads", grants, &[run("one", "select 1", 30_000)]),
        asking("reads-soon", grants, &[run("one", "select 1", 500)]),
        asking("reads-two", grants, &[run("two", "select 1", 500)]),
        asking("writes", writing, &[run("two", "create table made (a int)", 30_000)]),
    ]
    .concat()
}

async fn only(sickbay: &Sickbay, check: &str) -> String {
    outcomes(sickbay, check).await.swap_remove(0)
}

async fn assert_only(sickbay: &Sickbay, check: &str, beginning: &str) {
    assert_begins(check, &only(sickbay, check).await, beginning);
}

/// While a statement runs, something happens to the server.
async fn while_asleep(sickbay: &Sickbay, server: &Postgres, happens: impl FnOnce(&str)) -> String {
    let (outcome, ()) = tokio::join!(only(sickbay, "sleeps"), async {
        let pid = found("the statement runs", async || {
            let pid = server.sql(SLEEPING);
            (!pid.is_empty()).then_some(pid)
        })
        .await;
        happens(&pid);
    });
    outcome
}

#[tokio::test]
async fn what_becomes_of_the_server_is_told_as_the_servers_and_the_host_goes_on() {
    let server = Postgres::start();
    let sickbay = Sickbay::started(&configuration(&server), &["ask"]).await;

    // Killed in the middle of a statement: all of its connections break, and it comes again.
    assert_begins("killed", &while_asleep(&sickbay, &server, |pid| server.kill(pid)).await, "connect: ");
    until("the server is back", async || only(&sickbay, "reads").await == "ok 1: 1").await;

    // The process that serves the connection stands still: it is waited for as long as it may, and never used again.
    let paused = server.pause(&server.sql(CONNECTED));
    assert_only(&sickbay, "reads-soon", "timeout: ").await;
    assert_only(&sickbay, "reads", "ok 1: 1").await;
    drop(paused);

    // Nobody takes connections.
    let paused = server.pause(&server.postmaster());
    assert_only(&sickbay, "reads-two", "timeout: no connection").await;
    drop(paused);

    // One place but for superusers, and the source `one` keeps it.
    server.restart_with("-c max_connections=4 -c superuser_reserved_connections=3");
    assert_only(&sickbay, "reads", "ok 1: 1").await;
    assert_only(&sickbay, "reads-two", "too-many-connections: ").await;

    // Stopped in the middle of a statement; then nobody is there.
    assert_begins("stopped", &while_asleep(&sickbay, &server, |_| server.stop()).await, "server 57P01");
    assert_only(&sickbay, "reads", "connect: ").await;

    // A standby that is not to be asked says the same as a server that starts up.
    server.become_standby();
    server.restart_with("-c hot_standby=off");
    assert_only(&sickbay, "reads", "server 57P03").await;
    server.restart_with("");
    assert_only(&sickbay, "reads", "ok 1: 1").await;
    assert_only(&sickbay, "writes", "server 25006").await;
    assert_only(&sickbay, "reads", "ok 1: 1").await;

    assert_eq!(sickbay.get("/readyz").await.status, 200);
    assert!(!everything_told(&sickbay).await.contains(PASSWORD));
}
