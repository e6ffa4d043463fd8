//! Sources and grants that say `read-write`.

use super::*;

#[tokio::test]
async fn a_statement_that_writes_runs_outside_a_transaction_and_counts_what_it_changed() {
    let server = Postgres::shared();
    server.sql("drop table if exists written; create table written (a int primary key, b text); alter table written owner to monitor");
    let mut lent = Setup::writing().lent();
    for (sql, affected, rows) in [
        ("insert into written select n, 'x' from generate_series(1, 5) n", 5, 0),
        ("update written set b = 'y' where a > 3", 2, 0),
        ("insert into written values (6, null) returning a, b", 1, 1),
        ("delete from written where a = 6", 1, 0),
        ("select count(*) from written", 0, 1),
        ("vacuum written", 0, 0),
        ("show work_mem", 0, 1),
        ("explain select 1", 0, 1),
        ("with gone as (delete from written where a = 1 returning a) select a from gone", 0, 1),
    ] {
        let set = ask(&mut lent, query(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!((set.affected, set.rows.len()), (affected, rows), "{sql}");
    }
    assert_eq!(server.sql("select a, b from written order by a"), "2|x\n3|x\n4|y\n5|y");
    let error = ask(&mut lent, query("insert into written values (2, null)")).await;
    let Err(PostgresError::Server(error)) = error else { panic!("{error:?}") };
    assert_eq!((error.sqlstate.as_str(), error.severity.as_str()), ("23505", "ERROR"));
    assert!(error.message.contains("written_pkey") && error.detail.is_some_and(|detail| detail.contains("(a)=(2)")));
}

#[tokio::test]
async fn values_that_a_statement_returns_are_told_as_those_of_a_query() {
    let mut lent = Setup::writing().lent();
    let asked = Query {
        params: vec![Value::Text("10.0.0.1".to_owned()), Value::Numeric("1.50".to_owned())],
        ..query("values ($1::inet, $2, 'x'::text, array[1, null], '1 mon'::interval)")
    };
    let set = ask(&mut lent, asked).await.expect("a row");
    assert_eq!(shown_rows(&set), ["other inet 10.0.0.1 | numeric 1.50 | text x | list [1,null] | interval 2592000000000"]);
}

#[tokio::test]
async fn several_statements_that_write_are_all_done_or_none() {
    let server = Postgres::shared();
    server.sql(
        "drop table if exists together; create table together (a int, unique (a) deferrable initially deferred); \
         grant all on together to monitor",
    );
    let mut lent = Setup::writing().lent();
    let sets =
        ask_many(&mut lent, &["insert into together values (1)", "insert into together values (2) returning a"]).await.expect("answers");
    assert_eq!(sets.iter().map(|set| (set.affected, set.rows.len())).collect::<Vec<_>>(), [(1, 0), (1, 1)]);
    for (second, state) in [("select 1/0", "22012"), ("insert into together values (3)", "23505"), ("vacuum together", "25001")] {
        let outcome = ask_many(&mut lent, &["insert into together values (3)", second]).await;
        assert!(matches!(&outcome, Err(PostgresError::Server(error)) if error.sqlstate == state), "{second}: {outcome:?}");
        assert_eq!(server.sql("select string_agg(a::text, ',' order by a) from together"), "1,2", "{second}");
    }
}

#[tokio::test]
async fn what_changes_the_session_is_refused_here_too() {
    let mut lent = Setup::writing().lent();
    for sql in
        ["begin", "set role postgres", "copy together from stdin", "discard all", "select 1; select 2", "execute x", "fetch 1 from c"]
    {
        let message = invalid(ask(&mut lent, query(sql)).await);
        assert!(!message.is_empty(), "{sql}");
    }
}

#[tokio::test]
async fn a_change_whose_answer_is_too_long_is_made_all_the_same() {
    let server = Postgres::shared();
    server.sql("drop table if exists long_answer; create table long_answer (a text); grant all on long_answer to monitor");
    let setup = Setup { limits: Limits { bytes_in: 1000, ..Limits::default() }, ..Setup::writing() };
    let mut lent = setup.lent();
    let session = row(&mut lent, "select pg_backend_pid()").await;
    let sql = "insert into long_answer select repeat('x', 400) from generate_series(1, 100) returning a";
    let set = ask(&mut lent, query(sql)).await.expect("an answer");
    assert!(set.truncated && set.rows.len() == 2 && set.affected == 100, "{} rows, {}", set.rows.len(), set.affected);
    assert_eq!(server.sql("select count(*) from long_answer"), "100");
    assert_eq!(row(&mut lent, "select pg_backend_pid()").await, session);
    let cut =
        ask(&mut Setup::writing().rows_max(3).lent(), query("insert into long_answer values ('a'), ('b'), ('c'), ('d') returning a")).await;
    assert!(cut.is_ok_and(|set| set.truncated && set.rows.len() == 3 && set.affected == 4));
    assert_eq!(server.sql("select count(*) from long_answer"), "104");
}

#[tokio::test]
async fn both_the_source_and_the_grant_must_allow_writing() {
    let mut by_grant = Setup::writing();
    by_grant.settings.access = Access::ReadOnly;
    let mut by_source = Setup::writing();
    by_source.grant = Grant::new("main");
    for (setup, hint) in [(by_grant, "sources.postgres.\"main\".access"), (by_source, "postgres = [{ source = \"main\", access")] {
        let outcome = ask(&mut setup.lent(), query("vacuum")).await;
        assert!(matches!(&outcome, Err(PostgresError::Denied(denial)) if denial.hint.starts_with(hint)), "{outcome:?}");
    }
}

#[tokio::test]
async fn the_simple_protocol_of_a_server_is_for_those_who_may_write() {
    let mut lent = Setup::writing().lent();
    let set = ask_simple(&mut lent, "select 1 as a, null, 'x'::text, array[1]").await.expect("a row");
    assert_eq!(shown_rows(&set), ["text 1 | null | text x | text {1}"]);
    assert_eq!(set.columns.iter().map(|column| column.type_name.as_str()).collect::<Vec<_>>(), ["int4", "text", "text", "_int4"]);
    assert!(invalid(ask_simple(&mut lent, "select 1; select 2").await).contains("more than one"));
    let mut reading = Setup::reading().lent();
    assert!(invalid(ask_simple(&mut reading, "show work_mem").await).contains("hint: what is no console is asked with `run`"));
}

#[tokio::test]
async fn a_statement_that_writes_ends_in_time() {
    let mut lent = Setup::writing().lent();
    outlives(&mut lent, "do $$ begin perform pg_sleep(60); end $$").await;
}
