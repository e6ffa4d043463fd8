//! Statements that the server does not end when it is told to.

use super::*;

const STUBBORN: &str = "create or replace function stubborn() returns int language plpgsql as $$ begin loop \
     begin perform pg_sleep(3600); exception when query_canceled then null; end; end loop; end $$";

#[tokio::test]
async fn a_statement_that_takes_no_notice_is_ended_before_anybody_has_its_place() {
    let server = Postgres::shared();
    server.sql(STUBBORN);
    let unwatched = "set_config('client_connection_check_interval', '0', false)";
    let mut writing = Setup::writing();
    let mut reading = Setup::reading();
    for (setup, application, sql) in [
        (&mut reading, "stubborn_reader", format!("select {unwatched}, stubborn()")),
        (&mut writing, "stubborn_writer", format!("do $$ begin perform {unwatched}; perform stubborn(); end $$")),
    ] {
        named(setup, application);
        let mut lent = setup.lent();
        let outcome = ask(&mut lent, Query { timeout_ms: Some(300), ..query(&sql) }).await;
        assert!(matches!(&outcome, Err(PostgresError::Timeout(_))), "{sql}: {outcome:?}");
        // The source has one connection, and by the time it is had again nothing runs.
        let running = "select count(*) from pg_stat_activity where query like '%stubborn()%' and pid <> pg_backend_pid() \
                       and application_name = current_setting('application_name')";
        assert_eq!(row(&mut lent, running).await, "int 0", "{sql}");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_in_a_statement_that_takes_no_notice_leaves_nothing_running() {
    let server = Postgres::shared();
    server.sql(STUBBORN);
    let mut setup = Setup::reading();
    named(&mut setup, "stubborn_orphan");
    let mut lent = setup.lent();
    let call = ask(&mut lent, query("select set_config('client_connection_check_interval', '0', false), stubborn()"));
    let active = "select count(*) from pg_stat_activity where application_name = 'stubborn_orphan' and state = 'active'";
    tokio::select! {
        outcome = call => panic!("it ended: {:?}", outcome.err()),
        () = until(server, active, "1") => {}
    }
    until(server, "select count(*) from pg_stat_activity where application_name = 'stubborn_orphan'", "0").await;
}
