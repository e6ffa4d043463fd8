//! The kinds of the plugin `postgres` that look at what hangs on a server: a standby, an archive, a PgBouncer before it.

use sickbay_tests::postgres::{DATABASE, PgBouncer, Postgres, USER};
use sickbay_tests::postgres_checks::{Round, check, check_of, go_through, source};
use sickbay_tests::{OK, Sickbay, Turn, Verdict};

const RELOAD: &str = "SELECT pg_reload_conf()";
/// More than a mebibyte of WAL.
const WRITE: &str = "CREATE TABLE written AS SELECT repeat('x', 100) FROM generate_series(1, 10000)";
const DROP: &str = "DROP TABLE written";

#[tokio::test]
async fn a_primary_and_its_standby_each_tell_when_the_other_is_missing_or_behind() {
    let primary = Postgres::start();
    let standby = primary.standby();
    // It tries again at once.
    let soon = "-c wal_retrieve_retry_interval=100ms";
    standby.restart_with(soon);
    let checks = [
        source("main", &primary.url()),
        source("copy", &standby.url()),
        check("primary", "replication", ", role = \"primary\", lag_critical_bytes = 100000"),
        check("slots", "replication", ", slot_warning_bytes = 100000"),
        check_of("copy", "standby", "replication", ", role = \"standby\""),
        check_of("copy", "promoted", "replication", ", role = \"primary\", standbys_min = 0"),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;
    sickbay.all_come_to(&["primary", "slots", "standby"], OK).await;

    let goes = |turn: Turn| if turn == Turn::Break { standby.stop() } else { standby.restart() };
    sickbay.breaks_and_mends("primary", Verdict::critical("replication", &["no standby streams"]), goes).await;

    let cut_off = Verdict::critical("replication", &["no WAL streams in from the primary: the receiver is absent"]);
    let goes = |turn: Turn| if turn == Turn::Break { primary.stop() } else { primary.restart() };
    sickbay.breaks_and_mends("standby", cut_off, goes).await;

    let behind = Verdict::critical("replication", &["walreceiver is ", "MiB behind"]);
    let pauses = |turn: Turn| {
        let (there, here) = if turn == Turn::Break { ("pg_wal_replay_pause", WRITE) } else { ("pg_wal_replay_resume", DROP) };
        standby.sql(&format!("SELECT {there}()"));
        primary.sql(here);
    };
    sickbay.breaks_and_mends("primary", behind, pauses).await;

    let rounds: [Round<'_>; 1] = [(
        "slots",
        &["SELECT pg_create_physical_replication_slot('left_over', true)", WRITE],
        Verdict::warning("replication", &["nobody uses the slot left_over, which holds ", "MiB of WAL"]),
        &["SELECT pg_drop_replication_slot('left_over')", DROP],
    )];
    go_through(&sickbay, &primary, &rounds).await;

    let both = ["primary", "standby"];
    primary.sql(&format!("REVOKE pg_monitor FROM {USER}"));
    sickbay.all_come_to(&both, Verdict::unknown(&["is not shown; hint: GRANT pg_monitor TO monitor"])).await;
    primary.sql(&format!("GRANT pg_monitor TO {USER}"));
    sickbay.all_come_to(&both, OK).await;

    sickbay.comes_to("promoted", Verdict::critical("role", &["the server is a standby"])).await;
    standby.sql("SELECT pg_promote()");
    sickbay.comes_to("promoted", OK).await;
    sickbay.comes_to("standby", Verdict::critical("role", &["the server is a primary"])).await;
}

#[tokio::test]
async fn an_archive_that_takes_nothing_is_told_until_it_does() {
    // A vacuum would write more, which then waits.
    const ON: &str = "-c archive_mode=on -c autovacuum=off";
    const SWITCH: &str = "SELECT pg_switch_wal()";
    const WELL: &str = "ALTER SYSTEM SET archive_command = 'true'";
    let server = Postgres::start();
    server.restart_with(ON);
    let config = ", critical_seconds = 1";
    let sickbay = Sickbay::started(&(source("main", &server.url()) + &check("archiver", "archiver", config)), &["postgres"]).await;
    for sql in [WELL, RELOAD, SWITCH] {
        server.sql(sql);
    }
    let rounds: [Round<'_>; 2] = [
        (
            "archiver",
            &["ALTER SYSTEM SET archive_command = 'false'", RELOAD, WRITE, SWITCH],
            Verdict::critical("archive", &["archiving 0000", " failed"]),
            &[WELL, RELOAD, DROP, SWITCH],
        ),
        (
            "archiver",
            &["ALTER SYSTEM SET archive_command = ''", RELOAD, WRITE],
            Verdict::critical("archive", &["nothing was archived for ", "MiB of WAL waits"]),
            &[WELL, RELOAD, DROP, SWITCH],
        ),
    ];
    go_through(&sickbay, &server, &rounds).await;
    let turn = |turn: Turn| {
        server.restart_with(if turn == Turn::Break { "" } else { ON });
        server.sql(SWITCH);
    };
    sickbay.breaks_and_mends("archiver", Verdict::unknown(&["archive_mode is off", "hint: expect_off = true"]), turn).await;
}

#[tokio::test]
async fn a_pool_that_is_paused_disabled_exhausted_or_gone_is_told() {
    let server = Postgres::start();
    let mut pooler = PgBouncer::start(&server);
    let pool = format!(", databases = [\"{DATABASE}\"], stats = true, waiting_warning = 0");
    let checks = [
        format!("[sources.postgres.main]\nurl = \"{}\"\ndialect = \"pgbouncer\"\n\n", pooler.url_of("pgbouncer")),
        check("pool", "pgbouncer", &pool),
        check("missing", "pgbouncer", ", databases = [\"nowhere\"]"),
        check("many", "pgbouncer", ", waiting_critical = 0"),
        check("long", "pgbouncer", ", maxwait_warning_seconds = 0.2, maxwait_critical_seconds = 600"),
        check("too-long", "pgbouncer", ", maxwait_critical_seconds = 0.2"),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["postgres"]).await;
    let rounds = [
        ("PAUSE", "RESUME", Verdict::critical("paused", &["the database orders is paused"])),
        ("DISABLE", "ENABLE", Verdict::critical("disabled", &["the database orders is disabled"])),
    ];
    for (breaks, mends, broken) in rounds {
        let turn = |turn: Turn| pooler.say(&format!("{} {DATABASE}", if turn == Turn::Break { breaks } else { mends }));
        sickbay.breaks_and_mends("pool", broken, turn).await;
    }

    let waits = &["1 client waits, one of orders for"];
    let rounds = [
        ("pool", Verdict::warning("capacity", waits)),
        ("many", Verdict::critical("capacity", waits)),
        ("long", Verdict::warning("capacity", waits)),
        ("too-long", Verdict::critical("capacity", waits)),
    ];
    let mut clients = Vec::new();
    for (name, broken) in rounds {
        let turn = |turn| match turn {
            // It has two connections to lend.
            Turn::Break => clients.extend((0..3).map(|_| pooler.client("BEGIN; SELECT 1"))),
            Turn::Mend => {
                for mut client in clients.drain(..) {
                    client.kill().expect("it is killed");
                    client.wait().expect("it ends");
                }
            }
        };
        sickbay.breaks_and_mends(name, broken, turn).await;
    }

    let paused = pooler.pause();
    sickbay.comes_to("pool", Verdict::critical("timeout", &["did not end within ", " ms"])).await;
    drop(paused);
    let turn = |turn: Turn| if turn == Turn::Break { pooler.stop() } else { pooler.restart() };
    sickbay.breaks_and_mends("pool", Verdict::critical("connection", &["the server refused the connection"]), turn).await;
    sickbay.comes_to("missing", Verdict::critical("missing", &["PgBouncer has no database nowhere"])).await;
}
