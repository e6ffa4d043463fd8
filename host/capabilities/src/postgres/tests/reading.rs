//! What a source that is only read runs, and what it does not.

use super::*;

#[tokio::test]
async fn rows_come_with_their_columns_and_columns_come_also_without_rows() {
    let mut lent = Setup::reading().lent();
    let set = ask(&mut lent, query("select n as a, n::text as a from generate_series(1, 2) n")).await.expect("rows");
    assert_eq!(shown_rows(&set), ["int 1 | text 1", "int 2 | text 2"]);
    let none = ask(&mut lent, query("select 1::int8 as one, now() as two, array[1] as three where false")).await.expect("no rows");
    let columns: Vec<_> = none.columns.iter().map(|column| (column.name.as_str(), column.type_name.as_str())).collect();
    assert_eq!(columns, [("one", "int8"), ("two", "timestamptz"), ("three", "_int4")]);
    assert!(none.rows.is_empty() && !none.truncated && none.affected == 0);
    let narrow = ask(&mut lent, query("select from generate_series(1, 3)")).await.expect("rows without columns");
    assert_eq!((narrow.columns.len(), narrow.rows.len()), (0, 3));
}

#[tokio::test]
async fn queries_are_read_however_they_are_written() {
    let server = Postgres::shared();
    server.sql("create table if not exists read_me as select 7 as a; grant select on read_me to monitor");
    let mut lent = Setup::reading().lent();
    for sql in [
        "select a from read_me",
        "select a from read_me;",
        "select a from read_me -- a comment",
        "select a from read_me /* ; */ ; -- commit",
        "(select a from read_me)",
        "with x as (select a from read_me) select a from x",
        "table read_me",
        "values (7)",
        "SELECT\n7 AS a FROM (SELECT ';commit' AS quoted) AS inner_query",
    ] {
        // Twice: parsed at first, planned already afterwards.
        assert_eq!(row(&mut lent, sql).await, "int 7", "{sql}");
        assert_eq!(row(&mut lent, sql).await, "int 7", "{sql}");
    }
}

#[tokio::test]
async fn nothing_but_a_query_is_run_and_nothing_is_changed() {
    let server = Postgres::shared();
    server.sql("create table if not exists keep_me (a int); grant all on keep_me to monitor");
    let mut lent = Setup::reading().lent();
    for sql in [
        "select 1; commit",
        "commit; insert into keep_me values (1)",
        "begin",
        "set transaction read write",
        "copy keep_me to stdout",
        "copy keep_me from stdin",
        "prepare p as select 1",
        "declare c cursor with hold for select 1",
        "listen x",
        "select 1; select 2",
        "show work_mem",
        "explain analyze insert into keep_me values (1)",
        "select '\0'",
        "",
    ] {
        let message = invalid(ask(&mut lent, query(sql)).await);
        assert!(!message.is_empty(), "{sql}");
    }
    for (sql, state) in [
        ("with x as (insert into keep_me values (1) returning a) select a from x", "0A000"),
        ("select a into gone from keep_me", "42601"),
        ("select a from keep_me for update", "25006"),
        ("select set_config('transaction_read_only', 'off', true)", "25001"),
        ("select set_config('transaction_read_only', 'off', false)", "25001"),
        ("select 1 /* never closed", "42601"),
        ("select 1) as x, (select 2", "42601"),
        ("selec 1", "42601"),
        ("execute_immediately('x')", "42601"),
        ("select query_to_xml('insert into keep_me values (1)', true, true, '')", "25006"),
    ] {
        let outcome = ask(&mut lent, query(sql)).await;
        let found = sqlstate(outcome);
        // What a function runs is refused either because it writes or because it may not.
        assert!(found == state || (sql.contains("query_to_xml") && found == "0A000"), "{sql}: {found}");
    }
    for sql in ["insert into keep_me values (1)", "truncate keep_me", "vacuum keep_me", "do $$ begin end $$", "create temp table t (a int)"]
    {
        let outcome = ask(&mut lent, query(sql)).await;
        assert!(matches!(&outcome, Err(PostgresError::Denied(denial)) if denial.hint.contains("read-write")), "{sql}: {outcome:?}");
    }
    assert_eq!(row(&mut lent, "select count(*) from keep_me").await, "int 0");
}

#[tokio::test]
async fn a_function_that_writes_is_refused_by_the_transaction() {
    let server = Postgres::shared();
    server.sql(
        "create table if not exists never (a int); grant all on never to monitor; \
         create or replace function sneak(what text) returns int language plpgsql as $$ begin execute what; return 1; end $$",
    );
    let mut lent = Setup::reading().lent();
    for (sql, state) in [
        ("select sneak('insert into never values (1)')", "25006"),
        ("select sneak('create temp table t (a int)')", "25006"),
        ("select sneak('set transaction read write')", "25001"),
        ("select sneak('commit')", "0A000"),
        ("select sneak('create sequence s')", "25006"),
    ] {
        assert_eq!(sqlstate(ask(&mut lent, query(sql)).await), state, "{sql}");
    }
    assert_eq!(server.sql("select count(*) from never"), "0");
}

#[tokio::test]
async fn several_statements_share_one_transaction_and_stop_at_the_first_error() {
    let mut lent = Setup::reading().lent();
    let sets = ask_many(&mut lent, &["select now()", "select 1 where false", "select now(), pg_sleep(0.01)"]).await.expect("answers");
    let shown: Vec<_> = sets.iter().map(shown_rows).collect();
    assert_eq!((sets.len(), shown[1].len()), (3, 0));
    let (first, last) = (shown[0][0].as_str(), shown[2][0].as_str());
    assert!(last.starts_with(first), "{first} is the time of one transaction, {last} of another");
    let outcome = ask_many(&mut lent, &["select 1", "select 1/0", "select pg_advisory_lock(99)"]).await;
    assert!(matches!(&outcome, Err(PostgresError::Server(error)) if error.sqlstate == "22012"), "{outcome:?}");
    assert_eq!(row(&mut lent, "select count(*) from pg_locks where locktype = 'advisory' and objid = 99").await, "int 0");
    assert!(ask_many(&mut lent, &[]).await.expect("nothing to do").is_empty());
    let many = ["select 1"; 33];
    assert!(matches!(ask_many(&mut lent, &many).await, Err(PostgresError::Invalid(_))));
    assert_eq!(ask_many(&mut lent, &many[..32]).await.expect("32 answers").len(), 32);
}

#[tokio::test]
async fn a_plan_that_a_changed_table_made_useless_is_made_anew() {
    let server = Postgres::shared();
    server.sql("drop table if exists changing; create table changing as select 1 as a; grant select on changing to monitor");
    let mut lent = Setup::reading().lent();
    assert_eq!(row(&mut lent, "select * from changing").await, "int 1");
    server.sql("alter table changing add column b text default 'x'");
    assert_eq!(row(&mut lent, "select * from changing").await, "int 1 | text x");
    server.sql("drop table changing");
    assert_eq!(sqlstate(ask(&mut lent, query("select * from changing")).await), "42P01");
}

#[tokio::test]
async fn more_different_statements_than_a_session_keeps_planned_are_run() {
    let mut lent = Setup { limits: Limits { host_calls: 1000, ..Limits::default() }, ..Setup::reading() }.lent();
    for number in (0..100).chain(0..100) {
        assert_eq!(row(&mut lent, &format!("select {number}")).await, format!("int {number}"));
    }
    let planned = row(&mut lent, "select count(*) from pg_prepared_statements").await;
    assert_eq!(planned, "int 16", "and none of the host");
}

#[tokio::test]
async fn a_source_that_is_not_granted_is_denied_before_anything_is_dialled() {
    let setup = Setup::of("postgres://nobody:nothing@127.0.0.1:1/none");
    let mut lent = Setup { grant: Grant::new("other"), ..setup }.lent();
    let outcome = ask(&mut lent, query("select 1")).await;
    assert!(matches!(&outcome, Err(PostgresError::Denied(denial)) if denial.hint == "postgres = [{ source = \"main\" }]"), "{outcome:?}");
    let usage = lent.finish();
    assert_eq!((usage.denials.len(), usage.host_calls, usage.bytes_out), (1, 1, 0));
}

#[tokio::test]
async fn a_unix_socket_is_entered_without_a_password() {
    let mut lent = Setup::of(&Postgres::shared().socket_url()).lent();
    assert_eq!(row(&mut lent, "select current_user").await, format!("text {USER}"));
}
