//! What a guest is told when there is no answer, and what it is not told.

use super::server::DATABASE;
use super::*;
use crate::contract::postgres::ServerError;
use crate::process::free_port;
use sickbay_core::Quota;
use sickbay_runtime::Lend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn outcome(url: &str) -> PostgresError {
    let mut setup = Setup::of(url);
    setup.settings.statement_timeout = Duration::from_secs(10);
    let error = ask(&mut setup.lent(), query("select 1")).await.expect_err(url);
    let told = format!("{error:?}");
    for secret in ["127.0.0.1", "localhost", "nowhere.invalid", "stranger", "wrong-secret", PASSWORD, USER, DATABASE] {
        assert!(!told.contains(secret), "{told} tells {secret}");
    }
    error
}

#[tokio::test]
async fn a_failure_to_connect_names_the_source_and_nothing_of_its_url() {
    let server = Postgres::shared();
    server.sql(
        "do $$ begin create role limited login password 'monitor-secret' connection limit 0; \
         exception when duplicate_object then null; end $$",
    );
    let refused = outcome(&format!("postgres://stranger:wrong-secret@127.0.0.1:{}/orders", free_port())).await;
    assert!(matches!(&refused, PostgresError::Connect(message) if message.contains("refused")), "{refused:?}");
    let unresolved = outcome("postgres://stranger:wrong-secret@nowhere.invalid/orders").await;
    // Without a name server the host is to blame, or the time is up.
    assert!(matches!(&unresolved, PostgresError::Connect(_) | PostgresError::Invalid(_) | PostgresError::Timeout(_)), "{unresolved:?}");
    let missing = outcome("postgres:///orders?host=/nonexistent&user=stranger").await;
    assert!(matches!(&missing, PostgresError::Connect(message) if message.contains("UNIX socket")), "{missing:?}");
    let wrong = outcome(&server.url_of(USER, "wrong-secret", DATABASE)).await;
    assert!(matches!(&wrong, PostgresError::Authentication(message) if message.contains("`main`")), "{wrong:?}");
    let stranger = outcome(&server.url_of("stranger", "wrong-secret", DATABASE)).await;
    assert!(matches!(&stranger, PostgresError::Authentication(_)), "{stranger:?}");
    let without = outcome(&format!("postgres://{USER}@127.0.0.1:{}/{DATABASE}", server.port)).await;
    assert!(matches!(&without, PostgresError::Authentication(message) if message.contains("has none")), "{without:?}");
    let database = outcome(&server.url_of(USER, PASSWORD, "stranger")).await;
    assert!(matches!(&database, PostgresError::Server(error) if error.sqlstate == "3D000" && error.severity == "FATAL"), "{database:?}");
    let full = outcome(&server.url_of("limited", PASSWORD, DATABASE)).await;
    assert!(matches!(&full, PostgresError::TooManyConnections(_)), "{full:?}");
    let plain = outcome(&format!("{}?sslmode=require", server.url())).await;
    assert!(matches!(&plain, PostgresError::Connect(message) if message.contains("sslmode")), "{plain:?}");
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_the_guests_mistake_and_the_session_lives_on() {
    let mut lent = Setup::writing().lent();
    let session = row(&mut lent, "select pg_backend_pid()").await;
    let two = Query { params: vec![Value::Int(1)], ..query("select $1::int, $2::int") };
    assert!(invalid(ask(&mut lent, two).await).contains("more or fewer parameters"));
    let outcome = ask_many(&mut lent, &["select 1", "select $1::int"]).await;
    assert!(matches!(&outcome, Err(PostgresError::Invalid(message)) if message.contains("parameters")), "{outcome:?}");
    assert_eq!(row(&mut lent, "select pg_backend_pid()").await, session);
    let mut lent = Setup::reading().lent();
    for sql in ["select $1::int", "select $1::int"] {
        assert!(invalid(ask(&mut lent, query(sql)).await).contains("parameters"));
    }
    assert!(ask_many(&mut lent, &["select $1::int", "select 1"]).await.is_err());
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
}

#[tokio::test]
async fn what_answers_something_else_is_no_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 64];
            let _ = stream.read(&mut bytes).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let other = outcome(&format!("postgres://stranger:wrong-secret@127.0.0.1:{port}/orders?sslmode=disable")).await;
    assert!(matches!(&other, PostgresError::Other(message) if message.contains("does not speak")), "{other:?}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_waited_for_no_longer_than_it_may() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let setup = Setup::of(&format!("postgres://stranger:wrong-secret@127.0.0.1:{port}/orders"));
    let asked = Query { timeout_ms: Some(200), ..query("select 1") };
    let outcome = ask(&mut setup.lent(), asked).await;
    assert!(matches!(&outcome, Err(PostgresError::Timeout(message)) if message.contains("no connection")), "{outcome:?}");
    drop(listener);
}

#[tokio::test]
async fn the_servers_own_words_are_cut_and_stand_on_one_line() {
    let server = Postgres::shared();
    server.sql(
        "create or replace function shout() returns int language plpgsql as \
         $$ begin raise exception using message = E'first\\nsecond ' || repeat('é', 2000), detail = repeat('d', 3000), \
         errcode = 'P0042'; end $$",
    );
    let error = ask(&mut Setup::reading().lent(), query("select shout()")).await;
    let Err(PostgresError::Server(ServerError { sqlstate, message, detail, .. })) = error else { panic!("{error:?}") };
    assert_eq!(sqlstate, "P0042");
    assert!(message.starts_with("first second é") && message.len() <= 1024 && message.ends_with('…'), "{message}");
    assert!(detail.is_some_and(|detail| detail.len() == 1024 && detail.ends_with("d…")));
}

#[tokio::test]
async fn notices_and_notifications_are_not_in_the_way() {
    let server = Postgres::shared();
    server.sql(
        "create or replace function chatter() returns int language plpgsql as \
         $$ begin for n in 1..1000 loop raise notice 'and %', repeat('x', 1000); end loop; return 1; end $$",
    );
    let mut lent = Setup::writing().lent();
    assert_eq!(row(&mut lent, "select chatter()").await, "int 1");
    ask(&mut lent, query("do $$ begin execute 'listen noise'; perform pg_notify('noise', 'x'); end $$")).await.expect("done");
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
}

#[tokio::test]
async fn notices_without_end_are_paid_for_like_rows() {
    let server = Postgres::shared();
    server.sql(
        "create or replace function flood() returns int language plpgsql as \
         $$ begin loop raise notice '%', repeat('x', 10000); end loop; end $$",
    );
    for (setup, sql) in [(Setup::reading(), "select flood()"), (Setup::writing(), "do $$ begin perform flood(); end $$")] {
        let mut lent = Setup { limits: Limits { bytes_in: 1 << 20, ..Limits::default() }, ..setup }.lent();
        let outcome = ask(&mut lent, query(sql)).await;
        assert!(matches!(&outcome, Err(PostgresError::Quota(message)) if message.contains("bytes_in")), "{sql}: {outcome:?}");
        assert_eq!(lent.exceeded(), Some((Quota::BytesIn, 1 << 20)));
        let bytes_in = lent.finish().bytes_in;
        assert!(bytes_in <= 1 << 20, "{sql}: {bytes_in}");
        let running = "select count(*) from pg_stat_activity where state = 'active' and query like '%flood()%' and pid <> pg_backend_pid()";
        until(server, running, "0").await;
    }
}
