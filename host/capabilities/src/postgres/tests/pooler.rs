//! Behind PgBouncer, and PgBouncer's own console.

use super::server::{DATABASE, PgBouncer};
use super::*;
use crate::postgres::Dialect;

fn console(pooler: &PgBouncer, access: Access) -> Setup {
    let mut setup = Setup::of(&pooler.url_of("pgbouncer"));
    setup.settings.dialect = Dialect::PgBouncer;
    setup.settings.access = access;
    if access == Access::ReadWrite {
        setup.grant = setup.grant.with_access("read-write").expect("a grant");
    }
    setup
}

#[tokio::test]
async fn the_console_shows_what_it_is_asked_for() {
    let pooler = PgBouncer::start(Postgres::shared());
    let mut lent = console(&pooler, Access::ReadOnly).lent();
    for _ in 0..2 {
        let pools = ask_simple(&mut lent, "SHOW POOLS").await.expect("pools");
        assert!(pools.columns.iter().any(|column| column.name == "cl_waiting"), "{:?}", pools.columns);
        assert!(pools.rows.iter().flatten().all(|value| matches!(value, Value::Text(_) | Value::Null)));
    }
    let version = ask_simple(&mut lent, "show version;").await.expect("a version");
    assert!(shown_rows(&version)[0].contains("PgBouncer"), "{:?}", shown_rows(&version));
    let unknown = ask_simple(&mut lent, "SHOW NONSENSE").await;
    assert!(matches!(&unknown, Err(PostgresError::Server(error)) if error.sqlstate == "08P01"), "{unknown:?}");
    for sql in ["RELOAD", "PAUSE", "SHOW POOLS; RELOAD", "KILL orders"] {
        assert!(!invalid(ask_simple(&mut lent, sql).await).is_empty(), "{sql}");
    }
    assert!(invalid(ask(&mut lent, query("SHOW POOLS")).await).contains("run-simple"));
}

#[tokio::test]
async fn who_may_write_may_command_the_console() {
    let pooler = PgBouncer::start(Postgres::shared());
    let mut lent = console(&pooler, Access::ReadWrite).lent();
    for _ in 0..2 {
        ask_simple(&mut lent, "RELOAD").await.expect("it reloads");
    }
}

#[tokio::test]
async fn a_pooler_hands_out_clean_connections() {
    let server = Postgres::shared();
    let pooler = PgBouncer::start(server);
    let mut setup = Setup::of(&pooler.url_of(DATABASE));
    setup.settings.pooled = true;
    setup.settings.connections_max = 3;
    let mut lent = setup.lent();
    assert_eq!(
        row(&mut lent, "select 0.1::float8, '1 day'::interval, '\\xff'::bytea").await,
        "float 0.1 | interval 86400000000 | bytes [255]"
    );
    for sql in ["select pg_advisory_lock(4242)", "select pg_advisory_lock(4242), 1/0"] {
        let _ = ask(&mut lent, query(sql)).await;
        until(server, "select count(*) from pg_locks where locktype = 'advisory' and objid = 4242", "0").await;
    }
    ask(&mut lent, query("select set_config('work_mem', '1MB', false)")).await.expect("set");
    assert_eq!(row(&mut lent, "select current_setting('work_mem') = '1MB'").await, "boolean false");
    assert_eq!(row(&mut lent, "select count(*) from pg_prepared_statements where name like 'sickbay%'").await, "int 0");
    assert!(invalid(ask(&mut lent, query("select 1; commit")).await).contains("more than one"));
    let slow = Query { timeout_ms: Some(200), ..query("select pg_sleep(60)") };
    assert!(matches!(ask(&mut lent, slow).await, Err(PostgresError::Timeout(_))));
    let sets = ask_many(&mut lent, &["select txid_current_if_assigned()", "select 2"]).await.expect("answers");
    assert_eq!(shown_rows(&sets[1]), ["int 2"]);
}

#[tokio::test]
async fn behind_a_pooler_one_can_write_too() {
    let server = Postgres::shared();
    let pooler = PgBouncer::start(server);
    server.sql("drop table if exists pooled; create table pooled (a int); alter table pooled owner to monitor");
    let mut setup = Setup::of(&pooler.url_of(DATABASE));
    setup.settings.pooled = true;
    setup.settings.access = Access::ReadWrite;
    setup.grant = setup.grant.with_access("read-write").expect("a grant");
    let mut lent = setup.lent();
    assert_eq!(ask(&mut lent, query("insert into pooled values (1), (2)")).await.expect("inserted").affected, 2);
    ask(&mut lent, query("vacuum pooled")).await.expect("vacuumed");
    ask_many(&mut lent, &["insert into pooled values (3)", "delete from pooled where a = 1"]).await.expect("both");
    assert_eq!(server.sql("select string_agg(a::text, ',' order by a) from pooled"), "2,3");
    // That our connection is dead is found out before anything is changed; then nobody answers.
    drop(pooler);
    assert!(matches!(ask(&mut lent, query("select 1")).await, Err(PostgresError::Connect(_))));
}
