//! Nothing of one call is found by the next one on the same connection.

use super::*;

const TRACES: &str = "select current_setting('application_name') = 'traces', current_user = session_user, current_setting('work_mem'), \
     current_setting('search_path'), current_setting('statement_timeout') <> '1min', \
     (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), \
     (select count(*) from pg_listening_channels()), (select count(*) from pg_cursors where name not in ('')), \
     (select count(*) from pg_class where relpersistence = 't' and pg_table_is_visible(oid)), \
     coalesce(current_setting('sickbay.mark', true), '')";

#[tokio::test]
async fn what_a_query_left_in_its_session_is_gone() {
    let server = Postgres::shared();
    server.sql(
        "do $$ begin create role deputy; exception when duplicate_object then null; end $$; grant deputy to monitor; \
         create or replace function leave(what text) returns int language plpgsql as $$ begin execute what; return 1; end $$",
    );
    let mut lent = Setup::reading().lent();
    let session = row(&mut lent, "select pg_backend_pid()").await;
    let clean = row(&mut lent, TRACES).await;
    for sql in [
        "select set_config('application_name', 'traces', false)",
        "select set_config('role', 'deputy', false)",
        "select set_config('work_mem', '1MB', false)",
        "select set_config('search_path', 'nowhere', false)",
        "select set_config('sickbay.mark', 'was here', false)",
        "select pg_advisory_lock(1, 2)",
        "select pg_advisory_lock_shared(n) from generate_series(1, 50) n",
        "select leave('listen traces')",
        "select leave('declare held cursor with hold for select 1')",
        "select leave('set statement_timeout = 60000')",
        "select set_config('work_mem', '1MB', false), pg_advisory_lock(3), 1/0",
        "select pg_advisory_lock(5), set_config('role', 'deputy', false) from generate_series(1, 5000)",
    ] {
        let _ = ask(&mut lent, query(sql)).await;
        assert_eq!(row(&mut lent, TRACES).await, clean, "{sql}");
    }
    assert_eq!(row(&mut lent, "select pg_backend_pid()").await, session, "it was the same session all the time");
}

#[tokio::test]
async fn what_a_statement_that_writes_left_in_its_session_is_gone() {
    Postgres::shared()
        .sql("do $$ begin create role deputy_writer; exception when duplicate_object then null; end $$; grant deputy_writer to monitor");
    let mut lent = Setup::writing().lent();
    let session = row(&mut lent, "select pg_backend_pid()").await;
    let clean = row(&mut lent, TRACES).await;
    for sql in [
        "create temp table left_over (a int)",
        "select set_config('application_name', 'traces', false)",
        "select set_config('role', 'deputy_writer', false)",
        "do $$ begin execute 'set work_mem = ''1MB'''; perform pg_advisory_lock(9); execute 'listen traces'; end $$",
        "do $$ begin execute 'prepare planted as select 1'; end $$",
        "do $$ begin execute 'deallocate all'; end $$",
        "do $$ begin execute 'set sickbay.mark = ''was here'''; end $$",
        "select 1/0",
    ] {
        let _ = ask(&mut lent, query(sql)).await;
        assert_eq!(row(&mut lent, TRACES).await, clean, "{sql}");
        let planted = "select count(*) from pg_prepared_statements where name = 'planted'";
        assert_eq!(row(&mut lent, planted).await, "int 0", "{sql}");
    }
    assert_eq!(row(&mut lent, "select pg_backend_pid()").await, session, "it was the same session all the time");
}

#[tokio::test]
async fn another_check_finds_nothing_of_what_the_one_before_it_left() {
    Postgres::shared().sql(
        "do $$ begin create role deputy_other; exception when duplicate_object then null; end $$; grant deputy_other to monitor; \
         create or replace function leave_over(what text) returns int language plpgsql as $$ begin execute what; return 1; end $$",
    );
    let left = "select (select count(*) from pg_prepared_statements where name = 'planted'), \
                (select count(*) from pg_prepared_statements where statement like 'select leave_over%')";
    let reads = [
        "select set_config('work_mem', '1MB', false), set_config('role', 'deputy_other', false)",
        "select leave_over('prepare planted as select 1')",
        "select leave_over('listen traces'), pg_advisory_lock(11)",
        "select leave_over('prepare planted as select 1'), 1/0",
    ];
    let writes = [
        "create temp table left_over (a int)",
        "do $$ begin execute 'prepare planted as select 1'; execute 'listen traces'; perform pg_advisory_lock(12); end $$",
        "do $$ begin execute 'set work_mem = ''1MB'''; execute 'set sickbay.mark = ''was here'''; end $$",
    ];
    for (setup, statements) in [(Setup::reading(), &reads[..]), (Setup::writing(), &writes[..])] {
        let services = Arc::clone(&setup.lent().services);
        let (mut one, mut other) = (setup.lent_to("one", &services), setup.lent_to("other", &services));
        let session = row(&mut other, "select pg_backend_pid()").await;
        let clean = row(&mut other, TRACES).await;
        for sql in statements {
            let _ = ask(&mut one, query(sql)).await;
            assert_eq!(row(&mut other, TRACES).await, clean, "{sql}");
            let _ = ask(&mut one, query(sql)).await;
            assert_eq!(row(&mut other, left).await, "int 0 | int 0", "{sql}");
        }
        assert_eq!(row(&mut other, "select pg_backend_pid()").await, session, "it was the same session all the time");
    }
}

#[tokio::test]
async fn a_session_that_was_passed_on_is_watched_as_before() {
    let setup = Setup::reading();
    let services = Arc::clone(&setup.lent().services);
    let watched = "select current_setting('client_connection_check_interval')";
    let (mut one, mut other) = (setup.lent_to("one", &services), setup.lent_to("other", &services));
    let before = row(&mut one, watched).await;
    for _ in 0..2 {
        assert_eq!(row(&mut other, watched).await, before, "in the call that it was passed to");
        assert_eq!(row(&mut other, watched).await, before, "and in the next one");
        assert_eq!(row(&mut one, watched).await, before);
    }
}

#[tokio::test]
async fn no_transaction_and_no_lock_is_left_when_a_call_is_over() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "left_open");
    let mut lent = setup.lent();
    server.sql("create or replace function replant(what text) returns int language plpgsql as $$ begin execute what; return 1; end $$");
    // What is prepared can be taken away, and planted anew, by whoever runs text in a function: the clean-up must not rest on it.
    let replanted = "select pg_advisory_lock(77), replant('deallocate all; prepare sickbay_unlock as select 1')";
    for sql in ["select pg_advisory_lock(77)", "select pg_advisory_lock(77), 1/0", replanted, "select 1"] {
        let _ = ask(&mut lent, query(sql)).await;
        // Nothing else is asked: what cleans up went out with the statement.
        until(server, "select state from pg_stat_activity where application_name = 'left_open'", "idle").await;
        until(server, "select count(*) from pg_locks where locktype = 'advisory' and objid = 77", "0").await;
    }
    let _ = ask_many(&mut lent, &["select pg_advisory_lock(77)", "select 1/0", "select 1"]).await;
    until(server, "select state from pg_stat_activity where application_name = 'left_open'", "idle").await;
    until(server, "select count(*) from pg_locks where locktype = 'advisory' and objid = 77", "0").await;
}

#[tokio::test]
async fn another_check_finds_no_statement_of_the_one_before_it() {
    Postgres::shared()
        .sql("create or replace function do_as_told(what text) returns int language plpgsql as $$ begin execute what; return 1; end $$");
    let setup = Setup::reading();
    let services = Arc::clone(&setup.lent().services);
    let (mut victim, mut attacker) = (setup.lent_to("victim", &services), setup.lent_to("attacker", &services));
    for _ in 0..3 {
        assert_eq!(row(&mut victim, "select 42 as answer").await, "int 42");
        let session = row(&mut victim, "select pg_backend_pid()").await;
        assert_eq!(row(&mut attacker, "select pg_backend_pid()").await, session, "they share it");
        let seen = "select count(*) from pg_prepared_statements where statement like 'select 42%'";
        assert_eq!(row(&mut attacker, seen).await, "int 0");
        // What the source lets it do, this one does: it replaces what anybody may have prepared.
        let _ = ask(&mut attacker, query("select do_as_told('deallocate all')")).await;
        for number in 1..9 {
            let planted = format!("select do_as_told('prepare sickbay_{number} as select 666')");
            let _ = ask(&mut attacker, query(&planted)).await;
        }
    }
    assert_eq!(row(&mut victim, "select 42 as answer").await, "int 42");
}
