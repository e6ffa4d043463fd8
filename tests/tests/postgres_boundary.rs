//! What a guest may try on a PostgreSQL source, in the whole program against a real server: what it is told, that nothing is written, and
//! that whoever has the connection next finds nothing of it. A source has one connection here, so that everybody gets what the one before
//! left.

use std::collections::HashSet;

use serde_json::{Value, json};
use sickbay_tests::ask::{asking, assert_begins, everything_told, outcomes};
use sickbay_tests::postgres::{DATABASE, PASSWORD, Postgres, USER};
use sickbay_tests::process::free_port;
use sickbay_tests::{Sickbay, until};

const WRONG_PASSWORD: &str = "wrong-word-0123456789";
const SCHEMA: &str = "create role deputy; grant deputy to monitor; \
    create role limited login password 'monitor-secret' connection limit 0; \
    create table keep_me (a int); grant all on keep_me to monitor; create table own (a int); alter table own owner to monitor; \
    create sequence counter; grant all on sequence counter to monitor; \
    create function do_as_told(what text) returns int language plpgsql as $$ begin execute what; return 1; end $$; \
    create function deep(n int) returns int language plpgsql as $$ begin return deep(n + 1); end $$; \
    create function stubborn() returns int language plpgsql as $$ begin loop begin perform pg_sleep(3600); \
    exception when query_canceled then null; end; end loop; end $$; \
    create procedure commits() language plpgsql as $$ begin commit; end $$";

/// How the session is, as its next user sees it.
const SESSION: &str = "select current_setting('transaction_read_only'), current_user = session_user, current_setting('role'), \
    current_setting('search_path'), current_setting('work_mem'), current_setting('application_name'), current_setting('TimeZone'), \
    current_setting('DateStyle'), current_setting('client_encoding'), current_setting('default_transaction_read_only'), \
    current_setting('statement_timeout') <> '0', coalesce(current_setting('sickbay.mark', true), ''), \
    (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), \
    (select count(*) from pg_listening_channels()), (select count(*) from pg_cursors where name <> ''), \
    (select count(*) from pg_class where relpersistence = 't' and pg_table_is_visible(oid)), \
    (select count(*) from pg_prepared_statements where name not like 'sickbay%'), txid_current_if_assigned() is null";

/// How the server is, as a superuser sees it: locks, open transactions, data and whatever else can be made.
const SERVER: &str = "select (select count(*) from pg_locks where locktype = 'advisory'), \
    (select count(*) from pg_stat_activity where state like 'idle in transaction%'), \
    (select count(*) from pg_stat_activity where wait_event = 'PgSleep'), \
    (select count(*) from pg_locks where mode = 'AccessExclusiveLock' and pid <> pg_backend_pid()), (select count(*) from keep_me), \
    (select last_value::text || is_called::text from counter), \
    (select count(*) from pg_class where relnamespace = 'public'::regnamespace or relpersistence = 't'), \
    (select count(*) from pg_proc where pronamespace = 'public'::regnamespace), (select count(*) from pg_largeobject_metadata), \
    (select count(*) from pg_roles), (select count(*) from pg_db_role_setting), (select count(*) from pg_database), \
    (select count(*) from pg_prepared_xacts)";

/// Refused by its first word where a source is only read.
const CHANGES: [&str; 23] = [
    "insert into keep_me values (1)",
    "update keep_me set a = 2",
    "delete from keep_me",
    "truncate keep_me",
    "merge into keep_me using (values (1)) v (a) on true when not matched then insert values (1)",
    "create table made (a int)",
    "create temp table made (a int)",
    "drop table keep_me",
    "alter table keep_me add b int",
    "alter role monitor superuser",
    "alter system set work_mem = '1MB'",
    "grant all on keep_me to public",
    "vacuum keep_me",
    "analyze keep_me",
    "reindex table keep_me",
    "lock table keep_me",
    "notify nobody",
    "call commits()",
    "do $$ begin commit; end $$",
    "refresh materialized view keep_me",
    "comment on table keep_me is 'x'",
    "(((delete from keep_me",
    "/* select */ delete from keep_me",
];

/// Refused whatever is granted: several statements, none, and what changes the session or the transaction.
const SESSIONS: [&str; 43] = [
    "select 1; drop table keep_me",
    "select 1;; select 2",
    "commit",
    "commit; delete from keep_me",
    "/* x */ commit",
    "(commit",
    "; commit",
    "rollback",
    "rollback; begin read write",
    "end",
    "abort",
    "begin",
    "start transaction read write",
    "release a",
    "set transaction read write",
    "set session characteristics as transaction read write",
    "SET work_mem = '1MB'",
    "set local work_mem = '1MB'",
    "set role deputy",
    "set session authorization deputy",
    "reset all",
    "discard all",
    "copy keep_me to program 'id'",
    "copy keep_me to stdout",
    "copy keep_me from stdin",
    "copy (select 1) to '/tmp/x'",
    "listen x",
    "unlisten *",
    "prepare planted as select 1",
    "prepare transaction 'x'",
    "execute sickbay_1",
    "deallocate all",
    "declare held cursor with hold for select 1",
    "fetch all from sickbay",
    "close all",
    "load 'plpgsql'",
    "",
    " \n\t ",
    ";;",
    "-- nothing",
    "/* nothing",
    "select '\0'",
    "\0",
];

/// What the server itself says to a statement of a source that is only read.
const REFUSED: [(&str, &str); 37] = [
    ("show work_mem", "invalid: "),
    ("explain analyze delete from keep_me", "invalid: "),
    ("selec 1", "server 42601"),
    ("select 'never ended", "server 42601"),
    ("select $$never ended", "server 42601"),
    ("select $tag$never $$ ended", "server 42601"),
    ("select 1 /* never ended", "server 42601"),
    ("\u{feff}commit", "server 42601"),
    ("select 1) as x, (select 2", "server 42601"),
    ("select a into made from keep_me", "server 42601"),
    ("with x as (select 1 as a) insert into keep_me select a from x", "server 42601"),
    ("with x as (insert into keep_me values (1) returning a) select a from x", "server 0A000"),
    ("with x as (update keep_me set a = 2 returning a) select a from x", "server 0A000"),
    ("with x as (delete from keep_me returning a) select a from x", "server 0A000"),
    ("select a from keep_me for update", "server 25006"),
    ("select a from keep_me for share", "server 25006"),
    ("select nextval('counter')", "server 25006"),
    ("select setval('counter', 9)", "server 25006"),
    ("select do_as_told('insert into keep_me values (1)')", "server 25006"),
    ("select do_as_told('create temp table made (a int)')", "server 25006"),
    ("select do_as_told('set transaction read write')", "server 25001"),
    ("select set_config('transaction_read_only', 'off', false)", "server 25001"),
    ("select do_as_told('commit')", "server 0A000"),
    ("select do_as_told('call commits()')", "server 2D000"),
    ("select do_as_told('prepare transaction ''x''')", "server 0A000"),
    ("select do_as_told('copy keep_me to stdout')", "server 0A000"),
    ("select do_as_told('copy keep_me to program ''id''')", "server 42501"),
    ("select query_to_xml('delete from keep_me', true, true, '')", "server "),
    ("select lo_import('/etc/passwd')", "server 42501"),
    ("select lo_export(1, '/tmp/x')", "server 42501"),
    ("select pg_read_file('/etc/passwd')", "server 42501"),
    ("select pg_reload_conf()", "server 42501"),
    ("select set_config('role', 'postgres', false)", "server 42501"),
    ("select deep(1)", "server 54001"),
    ("select repeat('x', 1 << 30)", "server 54000"),
    ("select pg_cancel_backend(pg_backend_pid()), pg_sleep(5)", "server 57014"),
    ("select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)", "server 57P01"),
];

/// What is run and would leave something behind, if it could.
const LEAVES: [(&str, &str); 25] = [
    ("select a from keep_me", "ok 0: "),
    ("table keep_me", "ok 0: "),
    ("values (1), (2)", "ok 2: 1; 2"),
    ("select 1 as a -- ; commit", "ok 1: 1"),
    ("select generate_series(1, 10000000)", "ok 1000 truncated: 1; 2"),
    ("select repeat('x', 64 << 20)", "ok 0 truncated: "),
    ("select set_config('work_mem', '1MB', false)", "ok 1: 1MB"),
    ("select set_config('role', 'deputy', false)", "ok 1: deputy"),
    ("select set_config('search_path', 'nowhere', false)", "ok 1: nowhere"),
    ("select set_config('client_encoding', 'LATIN1', false)", "ok 1: LATIN1"),
    ("select set_config('DateStyle', 'German', false)", "ok 1: German"),
    ("select set_config('default_transaction_read_only', 'off', false)", "ok 1: off"),
    ("select set_config('sickbay.mark', 'was here', false)", "ok 1: was here"),
    ("select set_config('work_mem', '1MB', false), 1 / 0", "server 22012"),
    ("select pg_advisory_lock(1, 2), pg_advisory_lock_shared(3)", "ok 1: "),
    ("select pg_advisory_lock(4), 1 / 0", "server 22012"),
    ("select pg_advisory_lock(n), repeat('x', 64 << 20) from generate_series(5, 9) n", "ok 0 truncated: "),
    ("select do_as_told('set role deputy')", "ok 1: 1"),
    ("select do_as_told('listen x')", "ok 1: 1"),
    ("select do_as_told('notify x')", "ok 1: 1"),
    ("select do_as_told('declare held cursor with hold for select 1')", "ok 1: 1"),
    ("select do_as_told('lock table keep_me in access exclusive mode')", "ok 1: 1"),
    ("select txid_current() > 0, pg_export_snapshot() is not null", "ok 1: true | true"),
    // Before PostgreSQL 16 a large object can be made in a transaction that only reads.
    ("select lo_create(4711)", ""),
    ("select lo_from_bytea(4712, 'x')", ""),
];

/// What stays in a session until another check has it.
const PLANTED: [&str; 2] = [
    "select do_as_told('prepare planted as select 1')",
    "select pg_advisory_lock(99), do_as_told('deallocate all; prepare sickbay_unlock as select 1')",
];

/// What a source with `access = "read-write"` runs.
const WRITES: [(&str, &str); 14] = [
    ("insert into own values (1)", "ok 0 affected 1: "),
    ("insert into own values (2) returning a", "ok 1 affected 1: 2"),
    ("explain analyze delete from own where a = 77", "ok "),
    ("show transaction_read_only", "ok 1: off"),
    ("do $$ begin commit; end $$", "ok 0: "),
    ("call commits()", "ok 0: "),
    ("create temp table left_over (a int)", "ok 0: "),
    ("select set_config('search_path', 'nowhere', false)", "ok 1: nowhere"),
    ("select do_as_told('deallocate all; prepare sickbay_unlock as select 1'), pg_advisory_lock(98)", "ok 1: 1"),
    (
        "do $$ begin execute 'set work_mem = ''1MB'''; execute 'set role deputy'; perform pg_advisory_lock(97); execute 'listen x'; \
         execute 'prepare planted as select 1'; execute 'set sickbay.mark = ''was here'''; end $$",
        "ok 0: ",
    ),
    ("lock table own", "server 25P01"),
    ("alter system set work_mem = '1MB'", "server 42501"),
    ("create database made", "server 42501"),
    ("select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)", "server 57P01"),
];

/// The outcome is the session as it is when nobody did anything with it.
const CLEAN: &str = "the session is clean";
const GRANTS: &str = "postgres = [{ source = \"main\" }]";
const WRITING: &str = "postgres = [{ source = \"writer\", access = \"read-write\" }]";

/// Calls of one check in order, each with how its outcome begins.
type Case = Vec<(Value, &'static str)>;

fn run(source: &str, sql: &str) -> Value {
    json!({ "postgres": { "source": source, "sql": sql } })
}

fn many(source: &str, statements: &[&str]) -> Value {
    let queries: Vec<Value> = statements.iter().map(|sql| json!({ "sql": sql })).collect();
    json!({ "postgres_many": { "source": source, "queries": queries } })
}

fn simple(source: &str, sql: &str) -> Value {
    json!({ "postgres_simple": { "source": source, "sql": sql } })
}

/// Each a check of its own, whose next statement looks at the session.
fn one_by_one(source: &str, rows: &[(&'static str, &'static str)]) -> Vec<Case> {
    rows.iter().map(|(sql, begins)| vec![(run(source, sql), *begins), (run(source, SESSION), CLEAN)]).collect()
}

fn reading() -> Vec<Case> {
    let with = |sql: &str, params: Value| json!({ "postgres": { "source": "main", "sql": sql, "params": params } });
    let long = |sql: Value| json!({ "postgres": { "source": "main", "sql": sql } });
    let within_ms = |sql: &str| json!({ "postgres": { "source": "main", "sql": sql, "timeout_ms": 300 } });
    let repeated = |text: &str, times: u32| json!({ "repeat": text, "times": times });
    let mut cases: Vec<Case> = vec![
        CHANGES.iter().map(|sql| (run("main", sql), "denied: ")).collect(),
        SESSIONS.iter().map(|sql| (run("main", sql), "invalid: ")).collect(),
        vec![
            (with("select $1::int", json!([])), "invalid: "),
            (with("select $1::int, $2::int", json!([1])), "invalid: "),
            (with("select 1", json!(["x"])), "server 42P18"),
            (with("select $1::int", json!(["abc"])), "server 22P02"),
            (with("select $1 + 1", json!([true])), "server 42883"),
            (with("select $1::text", json!(["a\0b"])), "server 22021"),
            (with("select $1::text", json!(["'; commit; --"])), "ok 1: '; commit; --"),
            (with("select 1", json!(vec![1; 257])), "invalid: "),
            (run("main", SESSION), CLEAN),
        ],
        vec![
            (long(json!(["select ", repeated("(", 20_000), "1", repeated(")", 20_000)])), "server 42601"),
            (long(json!(["select 1", repeated("+1", 30_000)])), "server 54001"),
            (long(json!(["select '", repeated("x", 65_536), "'"])), "invalid: "),
            (run("main", SESSION), CLEAN),
        ],
        vec![
            (within_ms("select pg_sleep(60)"), "timeout: "),
            (within_ms("select set_config('statement_timeout', '0', false), pg_advisory_lock(1), pg_sleep(60)"), "timeout: "),
            (within_ms("with recursive r as (select 1 union all select 1 from r) select count(*) from r"), "timeout: "),
            (within_ms("select set_config('client_connection_check_interval', '0', false), stubborn()"), "timeout: "),
            (run("main", SESSION), CLEAN),
        ],
        vec![
            (many("main", &["select 1", "delete from keep_me"]), "denied: "),
            (many("main", &["select 1", "commit", "select 2"]), "invalid: "),
            (many("main", &["select pg_advisory_lock(1)", "select 1 / 0", "select 2"]), "server 22012"),
            (many("main", &["select set_config('role', 'deputy', true)", "select current_user"]), "ok 1: deputy & ok 1: deputy"),
            (many("main", &["select 1"; 33]), "invalid: "),
            (many("main", &[]), ""),
            (simple("main", "select 1"), "invalid: "),
            (simple("main", "show work_mem"), "invalid: "),
            (run("main", SESSION), CLEAN),
        ],
    ];
    cases.extend(one_by_one("main", &REFUSED));
    cases.extend(one_by_one("main", &LEAVES));
    cases.extend(PLANTED.iter().map(|sql| vec![(run("main", sql), "ok 1: ")]));
    cases
}

fn writing() -> Vec<Case> {
    let mut cases: Vec<Case> = vec![
        SESSIONS.iter().map(|sql| (run("writer", sql), "invalid: ")).collect(),
        vec![
            (many("writer", &["insert into own values (7)", "select 1 / 0"]), "server 22012"),
            (many("writer", &["insert into own values (7)", "commit"]), "invalid: "),
            (many("writer", &["insert into own values (7)", "call commits()"]), "server 2D000"),
            (many("writer", &["insert into own values (7)", "select $1::int"]), "invalid: "),
            (many("writer", &["insert into own values (3)", "insert into own values (4)"]), "ok 0 affected 1:  & ok 0 affected 1: "),
            (run("writer", SESSION), CLEAN),
        ],
        vec![
            (simple("writer", "insert into own values (5)"), "ok 0 affected 1: "),
            (simple("writer", "insert into own values (7); delete from own"), "invalid: "),
            (simple("writer", "create table made (a int); drop table own"), "invalid: "),
            (simple("writer", "select E'a'\n'b\\' , '; drop table own; --'"), "invalid: "),
            (simple("writer", "set role deputy"), "invalid: "),
            (run("writer", SESSION), CLEAN),
        ],
    ];
    cases.extend(one_by_one("writer", &WRITES));
    cases
}

fn source(name: &str, url: &str, more: &str) -> String {
    format!("[sources.postgres.{name}]\nurl = \"{url}\"\n{more}\n\n")
}

fn checks(prefix: &str, grants: &str, cases: &[Case]) -> String {
    let calls = |case: &Case| case.iter().map(|(call, _)| call.clone()).collect::<Vec<_>>();
    let check = |(index, case): (usize, &Case)| asking(&format!("{prefix}-{index:03}"), grants, &calls(case));
    cases.iter().enumerate().map(check).collect()
}

/// Runs each case, and after it the witness, another check that has the connection next.
async fn try_all(sickbay: &Sickbay, server: &Postgres, prefix: &str, witness: &str, cases: &[Case]) {
    let clean = outcomes(sickbay, witness).await.swap_remove(0);
    assert_begins(witness, &clean, "ok 1: ");
    let before = server.sql(SERVER);
    let mut sessions = HashSet::new();
    for (index, case) in cases.iter().enumerate() {
        let found = outcomes(sickbay, &format!("{prefix}-{index:03}")).await;
        assert_eq!(found.len(), case.len(), "{case:?}: {found:?}");
        for ((call, begins), outcome) in case.iter().zip(&found) {
            assert_begins(&call.to_string(), outcome, if *begins == CLEAN { &clean } else { begins });
        }
        let mut next = outcomes(sickbay, witness).await;
        assert_eq!(next[0], clean, "after {case:?}");
        sessions.insert(next.swap_remove(1));
        until(&format!("nothing is left of {case:?}"), async || server.sql(SERVER) == before).await;
    }
    assert!(sessions.len() < cases.len() / 2, "most cases had one session: {sessions:?}");
}

#[tokio::test]
async fn whatever_a_guest_says_nothing_is_written_that_was_not_granted_and_the_next_one_finds_nothing_of_it() {
    let server = Postgres::start();
    server.sql(SCHEMA);
    let (mut reading, writing) = (reading(), writing());
    if server.sql("select count(*) from pg_available_extensions where name = 'dblink'") == "1" {
        server.sql("create extension dblink");
        reading.extend(one_by_one("main", &[("select dblink_exec('dbname=orders', 'delete from keep_me')", "server 2F003")]));
    }
    let sources: [(&str, String, &str); 7] = [
        ("main", server.url(), "connections_max = 1"),
        ("writer", server.url(), "connections_max = 1\naccess = \"read-write\""),
        ("other", server.url(), ""),
        ("wrong", server.url_of(USER, WRONG_PASSWORD, DATABASE), ""),
        ("limited", server.url_of("limited", PASSWORD, DATABASE), ""),
        ("nowhere", server.url_of(USER, PASSWORD, "nowhere"), ""),
        ("nobody", format!("postgres://{USER}:{WRONG_PASSWORD}@127.0.0.1:{}/{DATABASE}", free_port()), ""),
    ];
    let mut configuration: String = sources.iter().map(|(name, url, more)| source(name, url, more)).collect();
    for (witness, grants, name) in [("witness", GRANTS, "main"), ("witness-writer", WRITING, "writer")] {
        configuration += &asking(witness, grants, &[run(name, SESSION), run(name, "select pg_backend_pid()")]);
    }
    configuration += &checks("read", GRANTS, &reading);
    configuration += &checks("write", WRITING, &writing);
    let entries = vec![vec![
        (run("other", "select 1"), "denied: "),
        (run("none", "select 1"), "denied: "),
        (run("ma\"in\n", "select 1"), "denied: "),
        (run("writer", "insert into own values (8)"), "denied: "),
        (run("main", "insert into keep_me values (8)"), "denied: "),
        (run("wrong", "select 1"), "authentication: "),
        (run("limited", "select 1"), "too-many-connections: "),
        (run("nowhere", "select 1"), "server 3D000"),
        (run("nobody", "select 1"), "connect: "),
    ]];
    // The source `main` only reads, whatever is granted; on `writer` it is the grant that only reads.
    let granted = "postgres = [{ source = \"main\", access = \"read-write\" }, { source = \"writer\" }, { source = \"wrong\" }, \
        { source = \"limited\" }, { source = \"nowhere\" }, { source = \"nobody\" }]";
    configuration += &checks("entry", granted, &entries);

    let mut sickbay = Sickbay::prepared(&configuration, &["ask"]);
    sickbay.log_by("debug");
    sickbay.start().await;
    try_all(&sickbay, &server, "read", "witness", &reading).await;
    try_all(&sickbay, &server, "write", "witness-writer", &writing).await;
    for ((call, begins), outcome) in entries[0].iter().zip(outcomes(&sickbay, "entry-000").await) {
        assert_begins(&call.to_string(), &outcome, begins);
    }
    assert_eq!(server.sql("select string_agg(a::text, ',' order by a) from own"), "1,2,3,4,5");
    assert_eq!(sickbay.get("/readyz").await.status, 200);

    let told = everything_told(&sickbay).await;
    assert!(told.contains("is not granted") && told.contains("authentication: "), "it was told at all");
    for password in [PASSWORD, WRONG_PASSWORD] {
        assert!(!told.contains(password), "{password} is told");
    }
}

#[tokio::test]
async fn a_run_that_has_had_its_rows_gets_no_more_and_is_counted() {
    const READS: &str = "postgres = [{ source = \"main\" }]";
    let calls = [run("main", "select generate_series(1, 3)"), run("main", "select 1")];
    let checks = [
        source("main", &Postgres::shared().url(), ""),
        asking("few", READS, &calls),
        "limits = { rows = 3 }\n\n".to_owned(),
        asking("enough", READS, &calls),
        "limits = { rows = 4 }\n\n".to_owned(),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["ask"]).await;
    for outcome in outcomes(&sickbay, "enough").await {
        assert_begins("enough", &outcome, "ok ");
    }
    let few = sickbay.run_now("few").await;
    assert_eq!((&few["status"], &few["reason"]), (&"unknown".into(), &"QuotaExceeded".into()), "{few}");
    let detail = few["reason_detail"].as_str().unwrap_or_default();
    assert!(detail.contains("`rows` = 3; hint: raise `limits"), "{few}");
    let counted = sickbay.metrics().await.sum("sickbay_quota_exceeded_total", &[("plugin", "ask"), ("quota", "rows")]);
    assert!((counted - 1.0).abs() < f64::EPSILON, "{counted}");
}
