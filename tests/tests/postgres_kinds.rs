//! The kinds of the plugin `postgres` that look at one server: it goes bad, and comes back. As a role with `pg_monitor`, and one without.

use serde_json::Value;
use sickbay_tests::postgres::{PASSWORD, Postgres, USER};
use sickbay_tests::postgres_checks::{Round, check, go_through, source};
use sickbay_tests::{OK, Sickbay, Turn, Verdict, until};
use sqlx::{Connection, SqliteConnection};

const KINDS: [&str; 14] = [
    "connections",
    "settings",
    "slow-queries",
    "long-running",
    "locks",
    "cache-hit",
    "scans",
    "size",
    "replication",
    "archiver",
    "bloat",
    "vacuum",
    "migrations",
    "query",
];
const LOADED: &str = "-c shared_preload_libraries=pg_stat_statements";
const RELOAD: &str = "SELECT pg_reload_conf()";
/// Tables that somebody has for himself.
const LOCKED: &str = "SELECT count(*) FROM pg_locks \
    WHERE granted AND mode = 'AccessExclusiveLock' AND relation IN ('jobs'::regclass, 'small'::regclass)";

/// No vacuum comes but those of the test. A page of `big` holds few rows, so that it is larger than what a scan keeps in the cache.
const TABLES: &str = "CREATE EXTENSION pg_stat_statements; \
    CREATE TABLE big WITH (fillfactor = 10, autovacuum_enabled = off) \
    AS SELECT g AS a, repeat('x', 20) AS b FROM generate_series(1, 30000) g; \
    CREATE TABLE small WITH (autovacuum_enabled = off) AS SELECT 1 AS a; \
    CREATE TABLE bloated WITH (autovacuum_enabled = off) AS SELECT g AS a, repeat('x', 100) AS b FROM generate_series(1, 20000) g; \
    CREATE TABLE waiting (a int) WITH (autovacuum_enabled = off); \
    CREATE TABLE jobs (queue text, n int); INSERT INTO jobs VALUES ('mail', 1), ('print', 2); \
    GRANT SELECT ON big, bloated, jobs TO monitor; ANALYZE";

/// One with `pg_stat_statements`.
fn server() -> Postgres {
    let server = Postgres::start();
    server.restart_with(LOADED);
    server
}

#[tokio::test]
async fn every_kind_is_critical_while_its_server_is_gone_or_hangs_or_is_full_or_refuses_the_password() {
    let server = server();
    server.sql(TABLES);
    let config = |kind: &str| match kind {
        "cache-hit" => ", warning_ratio = 0",
        "archiver" => ", expect_off = true",
        "migrations" => ", table = \"jobs\", version_column = \"n\"",
        "query" => ", sql = \"SELECT 1\"",
        _ => "",
    };
    let checks = KINDS.map(|kind| check(kind, kind, config(kind))).concat();
    let sickbay = Sickbay::started(&(source("main", &server.url()) + &checks), &["postgres"]).await;
    sickbay.all_come_to(&KINDS, OK).await;

    server.stop();
    sickbay.all_come_to(&KINDS, Verdict::critical("connection", &["the server refused the connection"])).await;
    server.restart();
    sickbay.all_come_to(&KINDS, OK).await;

    server.disconnect();
    let paused = server.pause(&server.postmaster());
    sickbay.all_come_to(&KINDS, Verdict::critical("timeout", &["no connection to the server of source `main` within ", " ms"])).await;
    drop(paused);
    sickbay.all_come_to(&KINDS, OK).await;

    server.sql("ALTER ROLE monitor PASSWORD 'another'");
    server.disconnect();
    sickbay.all_come_to(&KINDS, Verdict::critical("authentication", &["the server refused the user or password of source `main`"])).await;
    server.sql(&format!("ALTER ROLE monitor PASSWORD '{PASSWORD}'"));
    sickbay.all_come_to(&KINDS, OK).await;

    // One place but for superusers, and one of them has it.
    server.restart_with(&format!("{LOADED} -c max_connections=4 -c superuser_reserved_connections=3"));
    let held = server.hold("postgres", "SELECT 1");
    sickbay.all_come_to(&KINDS, Verdict::critical("too-many-connections", &["has no connection left"])).await;
    drop(held);
    server.restart_with(LOADED);
    sickbay.all_come_to(&KINDS, OK).await;
    for text in [sickbay.log(), sickbay.get("/api/v1/checks/locks/results").await.text()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[tokio::test]
async fn a_role_that_may_not_see_the_others_is_told_what_to_grant() {
    const BLIND: [&str; 5] = ["connections", "settings", "slow-queries", "long-running", "locks"];
    let server = server();
    server.sql(TABLES);
    server.sql(&format!("REVOKE pg_monitor FROM {USER}"));
    let other = server.hold("postgres", "SELECT 1");
    let config = |kind: &str| if kind == "settings" { ", expect = { shared_preload_libraries = \"pg_stat_statements\" }" } else { "" };
    let checks = BLIND.map(|kind| check(kind, kind, config(kind))).concat();
    let sickbay = Sickbay::started(&(source("main", &server.url()) + &checks), &["postgres"]).await;
    sickbay.all_come_to(&BLIND, Verdict::unknown(&["hint: GRANT pg_monitor TO monitor"])).await;
    server.sql(&format!("GRANT pg_monitor TO {USER}"));
    sickbay.all_come_to(&BLIND, OK).await;
    drop(other);
}

#[tokio::test]
async fn sessions_that_are_too_many_or_too_old_or_wait_are_told() {
    let server = server();
    server.sql(TABLES);
    let checks = [
        source("main", &server.url()),
        check("connections", "connections", ""),
        check("pool", "connections", ", pool_max = 4, user = \"postgres\""),
        check("statement", "long-running", ", query_critical_seconds = 0.2"),
        check("transaction", "long-running", ", transaction_critical_seconds = 0.2"),
        check("idle", "long-running", ", idle_in_transaction_critical_seconds = 0.2"),
        check("locks", "locks", ", critical_seconds = 0.1"),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;
    let rounds = [
        ("pool", 4, "SELECT 1", Verdict::critical("too-many-connections", &["of 4 connections of the pool are used"])),
        ("statement", 1, "SELECT pg_sleep(600)", Verdict::critical("latency", &["a statement runs for", "(pid "])),
        ("transaction", 1, "BEGIN; SELECT 1", Verdict::critical("transaction", &["a transaction is open for", "(pid "])),
        ("idle", 1, "BEGIN; SELECT 1", Verdict::critical("transaction", &["a session idles in a transaction for", "(pid "])),
    ];
    for (name, sessions, sql, broken) in rounds {
        let mut held = Vec::new();
        let turn = |turn| match turn {
            Turn::Break => held.extend((0..sessions).map(|_| server.hold("postgres", sql))),
            Turn::Mend => held.clear(),
        };
        sickbay.breaks_and_mends(name, broken, turn).await;
    }

    sickbay.comes_to("locks", OK).await;
    let mut one = server.hold("postgres", "BEGIN; LOCK TABLE jobs");
    until("it has its table", async || server.sql(LOCKED) == "1").await;
    let waiting = server.hold("postgres", "SELECT n FROM jobs WHERE queue = 'secret'");
    let broken = Verdict::critical("lock", &["1 session waits for a lock for ", "behind pid "]);
    let told = sickbay.comes_to("locks", broken).await["details"].to_string();
    assert!(told.contains("LOCK TABLE jobs") && told.contains("queue = ?") && !told.contains("secret"), "{told}");
    drop(waiting);
    sickbay.comes_to("locks", OK).await;

    // Each has what the other one wants.
    let mut other = server.hold("postgres", "BEGIN; LOCK TABLE small");
    until("each has its table", async || server.sql(LOCKED) == "2").await;
    one.say("LOCK TABLE small; ROLLBACK");
    other.say("LOCK TABLE jobs; ROLLBACK");
    until("the server has ended it", async || server.sql(LOCKED) == "0").await;
    // What a session has counted is known when it ends.
    drop((one, other));
    sickbay.comes_to("locks", Verdict::warning("deadlock", &["1 deadlock since the last run"])).await;
    sickbay.comes_to("locks", OK).await;

    server.restart_with(&format!("{LOADED} -c max_connections=6 -c superuser_reserved_connections=3"));
    let mut held = Vec::new();
    let turn = |turn| match turn {
        Turn::Break => held.extend((0..2).map(|_| server.hold("postgres", "SELECT 1"))),
        Turn::Mend => held.clear(),
    };
    let broken = Verdict::critical("too-many-connections", &["3 of 3 connections are used, 100 %"]);
    sickbay.breaks_and_mends("connections", broken, turn).await;
}

#[tokio::test]
async fn what_was_done_since_the_last_run_is_judged() {
    let server = server();
    server.sql(TABLES);
    let checks = [
        source("main", &server.url()),
        check("slow-queries", "slow-queries", ", slow_ms = 100, per_minute_critical = 0"),
        check("cache-hit", "cache-hit", ", databases = [\"orders\"], reads_min = 1000, critical_ratio = 0.8"),
        check("scans", "scans", ", table_bytes_min = 1000000, scans_warning = 0"),
        check("many-scans", "scans", ", table_bytes_min = 1000000, scans_critical = 0"),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;

    sickbay.comes_to("slow-queries", Verdict::ok(&["0.0 slow ones per minute"])).await;
    server.sql("SELECT pg_sleep(0.2)");
    let broken = Verdict::critical("latency", &["calls per minute of statements that take 100 ms or more"]);
    let told = sickbay.comes_to("slow-queries", broken).await["details"].to_string();
    assert!(told.contains("pg_sleep"), "{told}");
    sickbay.comes_to("slow-queries", Verdict::ok(&["0.0 slow ones per minute"])).await;
    let missing = Verdict::unknown(&["hint: CREATE EXTENSION pg_stat_statements"]);
    let rounds: [Round<'_>; 1] =
        [("slow-queries", &["DROP EXTENSION pg_stat_statements"], missing, &["CREATE EXTENSION pg_stat_statements"])];
    go_through(&sickbay, &server, &rounds).await;
    let not_loaded = Verdict::unknown(&["hint: shared_preload_libraries = 'pg_stat_statements'"]);
    let turn = |turn: Turn| server.restart_with(if turn == Turn::Break { "" } else { LOADED });
    sickbay.breaks_and_mends("slow-queries", not_loaded, turn).await;

    sickbay.comes_to("cache-hit", OK).await;
    server.sql("SELECT count(*) FROM big; SELECT count(*) FROM big; SELECT count(*) FROM big");
    sickbay.comes_to("cache-hit", Verdict::critical("capacity", &["only ", "reads in orders were found in the cache"])).await;
    server.sql("DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM a FROM small; END LOOP; END $$");
    sickbay.comes_to("cache-hit", Verdict::ok(&["reads in orders were found in the cache"])).await;

    let scanned = &[" of large tables, most rows of public.big"];
    for (name, broken) in [("scans", Verdict::warning("capacity", scanned)), ("many-scans", Verdict::critical("capacity", scanned))] {
        sickbay.comes_to(name, Verdict::ok(&["no large table was scanned"])).await;
        server.sql("SELECT count(*) FROM big");
        sickbay.comes_to(name, broken).await;
        sickbay.comes_to(name, Verdict::ok(&["no large table was scanned"])).await;
    }
}

/// As if the check `name` had read the size so much earlier. Nothing runs.
async fn age_readings(sickbay: &Sickbay, name: &str, by_ms: u64) {
    const READ: &str = "SELECT value FROM plugin_states WHERE key = 'size' AND check_id = (SELECT check_id FROM checks WHERE name = $1)";
    const KEEP: &str =
        "UPDATE plugin_states SET value = $1 WHERE key = 'size' AND check_id = (SELECT check_id FROM checks WHERE name = $2)";
    let url = format!("sqlite:{}", sickbay.path("sickbay.db").display());
    let mut database = SqliteConnection::connect(&url).await.expect("the database can be opened");
    let kept = sqlx::query_scalar::<_, Vec<u8>>(READ).bind(name).fetch_one(&mut database).await.expect("readings");
    let mut kept: Value = serde_json::from_slice(&kept).expect("JSON");
    for reading in kept["noted"].as_array_mut().expect("a list") {
        reading["at_ms"] = (reading["at_ms"].as_u64().expect("a time") - by_ms).into();
    }
    sqlx::query(KEEP).bind(kept.to_string().into_bytes()).bind(name).execute(&mut database).await.expect("they can be kept");
    database.close().await.expect("the database can be closed");
}

#[tokio::test]
async fn a_database_that_grows_too_fast_is_told_until_it_shrinks() {
    const GROW: &str = "CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 10000)";
    const HOUR_MS: u64 = 3_600_000;
    let server = Postgres::start();
    // What the server does by itself changes the size by less.
    let checks = [
        source("main", &server.url()),
        check("size", "size", ""),
        check("grows", "size", ", growth_warning_bytes_per_day = 5000000"),
        check("grows-fast", "size", ", growth_critical_bytes_per_day = 5000000"),
    ];
    let mut sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;
    for (name, hours) in [("size", 24), ("grows", 23), ("grows-fast", 23)] {
        sickbay.comes_to(name, OK).await;
        assert_eq!(sickbay.stop().await, 0);
        age_readings(&sickbay, name, hours * HOUR_MS).await;
        sickbay.start().await;
    }
    let grows = &["orders grows by ", "MiB a day"];
    let rounds: [Round<'_>; 2] = [
        ("grows", &[GROW], Verdict::warning("capacity", grows), &["DROP TABLE filler"]),
        ("grows-fast", &[GROW], Verdict::critical("capacity", grows), &["DROP TABLE filler"]),
    ];
    go_through(&sickbay, &server, &rounds).await;

    // Without limits a database this small may leap: how it grows is told all the same.
    server.sql(GROW);
    sickbay.comes_to("size", OK).await;
    let growth = [("check", "size"), ("metric", "growth_ratio_per_day")];
    until("its growth is told", async || sickbay.metrics().await.sum("sickbay_check_metric", &growth) > 0.5).await;
}

#[tokio::test]
async fn what_the_server_keeps_is_judged_as_it_is_now() {
    let server = server();
    server.sql(TABLES);
    let size: u64 = server.sql("SELECT pg_database_size('orders') + 2000000").parse().expect("a size");
    let query = ", sql = \"SELECT n, queue FROM jobs\", label_columns = [\"queue\"], critical_above = 10";
    let checks = [
        source("main", &server.url()),
        check("settings", "settings", ", expect = { work_mem = \"4096kB\", full_page_writes = true }"),
        check("size", "size", &format!(", database_critical_bytes = {size}")),
        check("indexes", "scans", ", index_bytes_min = 8192, unused_indexes_warning = 0"),
        check("bloat", "bloat", ", table_bytes_min = 1000000, warning_ratio = 0.3, critical_ratio = 0.5"),
        check("vacuum", "vacuum", ", critical_seconds = 0"),
        check("ids", "vacuum", ", xid_critical = 10000"),
        check("query", "query", query),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;
    let bloated = Verdict::critical("bloat", &["of public.bloated is bloat"]);
    let rounds: [Round<'_>; 9] = [
        (
            "settings",
            &["ALTER SYSTEM SET work_mem = '8MB'", RELOAD],
            Verdict::warning("configuration", &["work_mem is 8MB, expected 4096kB"]),
            &["ALTER SYSTEM RESET work_mem", RELOAD],
        ),
        (
            "settings",
            &["ALTER SYSTEM SET max_wal_senders = 12", RELOAD],
            Verdict::warning("configuration", &["waiting for a restart: max_wal_senders"]),
            // The server forgets that it waits only where it reads the value that it runs with: 10 from the beginning.
            &["ALTER SYSTEM SET max_wal_senders = 10", RELOAD],
        ),
        (
            "size",
            &["CREATE TABLE filler AS SELECT repeat('x', 100) FROM generate_series(1, 40000)"],
            Verdict::critical("capacity", &["orders takes "]),
            &["DROP TABLE filler"],
        ),
        (
            "indexes",
            &["CREATE INDEX big_a ON big (a)"],
            Verdict::warning("capacity", &["1 index with ", " is unused"]),
            &["DROP INDEX big_a"],
        ),
        ("bloat", &["DELETE FROM bloated WHERE a % 10 <> 0"], bloated, &["VACUUM (FULL, ANALYZE) bloated"]),
        (
            "vacuum",
            &["INSERT INTO waiting SELECT generate_series(1, 1000)"],
            Verdict::critical("vacuum", &["public.waiting waits for analyze"]),
            &["VACUUM ANALYZE"],
        ),
        (
            "vacuum",
            &["DELETE FROM waiting"],
            Verdict::critical("vacuum", &["public.waiting waits for vacuum"]),
            &["VACUUM ANALYZE waiting"],
        ),
        (
            "query",
            &["UPDATE jobs SET n = 11 WHERE queue = 'mail'"],
            Verdict::critical("capacity", &["n of mail is 11, expected at most 10"]),
            &["UPDATE jobs SET n = 1"],
        ),
        (
            "query",
            &["DELETE FROM jobs"],
            Verdict::critical("content", &["no row came for the statement"]),
            &["INSERT INTO jobs VALUES ('mail', 1)"],
        ),
    ];
    // What was counted when the tables were made is of no round.
    server.sql("VACUUM ANALYZE");
    go_through(&sickbay, &server, &rounds).await;

    // Without dead rows, the room that they had is seen by the size of what is left.
    server.sql("INSERT INTO bloated SELECT g, repeat('x', 100) FROM generate_series(1, 18000) g");
    server.sql("VACUUM ANALYZE bloated");
    sickbay.comes_to("bloat", OK).await;
    server.sql("DELETE FROM bloated WHERE a % 10 <> 0");
    let dead = "SELECT n_dead_tup > 10000 FROM pg_stat_user_tables WHERE relname = 'bloated'";
    until("the rows are counted as dead", async || server.sql(dead) == "t").await;
    server.sql("VACUUM ANALYZE bloated");
    let run = sickbay.comes_to("bloat", bloated).await;
    assert_eq!(run["details"]["tables"][0]["dead_rows"], 0.0, "{run}");
    server.sql("VACUUM (FULL, ANALYZE) bloated");
    sickbay.comes_to("bloat", OK).await;

    server.sql("ALTER DATABASE template0 ALLOW_CONNECTIONS true");
    let turn = |turn| match turn {
        Turn::Break => _ = server.sql("DO $$ BEGIN FOR i IN 1..11000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$"),
        Turn::Mend => {
            for database in ["template0", "template1", "postgres", "orders"] {
                server.sql_of(database, "VACUUM FREEZE");
            }
        }
    };
    sickbay.breaks_and_mends("ids", Verdict::critical("wraparound", &["transaction ids of "]), turn).await;
}
