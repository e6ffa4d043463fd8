//! Connections: how many, how long, and what becomes of one that breaks.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::ServiceSettings;

fn connections(server: &Postgres, application: &str) -> usize {
    server.sql(&format!("select count(*) from pg_stat_activity where application_name = '{application}'")).parse().expect("a number")
}

fn until_count(application: &str) -> String {
    format!("select count(*) from pg_stat_activity where application_name = '{application}'")
}

/// The services of one host, for several runs.
fn services(setup: &Setup) -> Arc<Services> {
    Arc::clone(&setup.lent().services)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_has_no_more_connections_than_it_may() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "crowd");
    setup.settings.connections_max = 2;
    let services = services(&setup);
    assert_eq!(connections(server, "crowd"), 0, "nobody asked anything yet");
    let runs: Vec<_> = (0..6)
        .map(|number| {
            let mut lent = setup.lent_to(&format!("check-{number}"), &services);
            tokio::spawn(async move { row(&mut lent, "select pg_sleep(0.1)").await })
        })
        .collect();
    let mut most = 0;
    for run in runs {
        most = most.max(connections(server, "crowd"));
        run.await.expect("the run ends");
    }
    assert!(most <= 2 && connections(server, "crowd") <= 2, "{most} connections");
}

#[tokio::test]
async fn who_waits_in_vain_for_a_connection_is_told_that_it_was_ours() {
    let mut setup = Setup::reading();
    named(&mut setup, "queue");
    let services = services(&setup);
    let mut first = setup.lent_by(&services);
    let busy = tokio::spawn(async move { row(&mut first, "select pg_sleep(3)").await });
    until(Postgres::shared(), "select count(*) from pg_stat_activity where application_name = 'queue' and state = 'active'", "1").await;
    let mut second = setup.lent_by(&services);
    let outcome = ask(&mut second, Query { timeout_ms: Some(100), ..query("select 1") }).await;
    assert!(matches!(&outcome, Err(PostgresError::Quota(message)) if message.contains("connections_max")), "{outcome:?}");
    busy.await.expect("the first run ends");
    assert_eq!(row(&mut second, "select 1").await, "int 1");
}

#[tokio::test]
async fn who_got_a_connection_when_its_time_was_nearly_over_is_told_that_it_was_ours() {
    let mut setup = Setup::reading();
    named(&mut setup, "queue_late");
    let services = services(&setup);
    let mut first = setup.lent_by(&services);
    let busy = tokio::spawn(async move { row(&mut first, "select pg_sleep(3)").await });
    let active = "select count(*) from pg_stat_activity where application_name = 'queue_late' and state = 'active'";
    until(Postgres::shared(), active, "1").await;
    let mut second = setup.lent_by(&services);
    let outcome = ask(&mut second, Query { timeout_ms: Some(6_000), ..query("select pg_sleep(3600)") }).await;
    let Err(PostgresError::Quota(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("of 6000 ms went by") && message.contains("(`connections_max`)") && message.contains("`main`"), "{message}");
    busy.await.expect("the first run ends");
    // Where nobody was in the way, it is the server that is late.
    let outcome = ask(&mut second, Query { timeout_ms: Some(300), ..query("select pg_sleep(3600)") }).await;
    assert!(matches!(outcome, Err(PostgresError::Timeout(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_check_with_many_targets_leaves_a_connection_to_others() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "fanned");
    setup.settings.connections_max = 3;
    let services = services(&setup);
    let targets: Vec<_> = (0..16)
        .map(|target| {
            let mut lent = setup.lent_to(&format!("tables@{target}"), &services);
            tokio::spawn(async move { ask(&mut lent, query("select pg_sleep(3600)")).await.map(|set| set.rows.len()) })
        })
        .collect();
    let active = "select count(*) from pg_stat_activity where application_name = 'fanned' and state = 'active'";
    until(server, active, "2").await;
    assert_eq!(row(&mut setup.lent_to("size", &services), "select 1").await, "int 1");
    assert_eq!(server.sql(active), "2", "one connection is never theirs");
    targets.iter().for_each(tokio::task::JoinHandle::abort);
    until(server, active, "0").await;
}

#[tokio::test]
async fn a_connection_that_nobody_needs_is_closed() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "idle");
    let sources = Sources::keeping_for("main", setup.settings.clone(), Duration::from_millis(300));
    let mut lent = setup.lent_from(sources);
    for _ in 0..2 {
        assert_eq!(row(&mut lent, "select 1").await, "int 1");
        until(server, &until_count("idle"), "0").await;
    }
}

#[tokio::test]
async fn a_server_that_was_restarted_is_not_taken_for_one_that_is_down() {
    let server = Postgres::start();
    let mut setup = Setup::of(&server.url());
    setup.settings.connections_max = 3;
    let services = services(&setup);
    let runs: Vec<_> = (0..3)
        .map(|number| {
            let mut lent = setup.lent_to(&format!("check-{number}"), &services);
            tokio::spawn(async move { row(&mut lent, "select pg_sleep(0.3)").await })
        })
        .collect();
    for run in runs {
        run.await.expect("the run ends");
    }
    server.restart();
    let mut lent = setup.lent_by(&services);
    assert_eq!(row(&mut lent, "select 1").await, "int 1", "all three connections were dead");

    setup.settings.access = Access::ReadWrite;
    setup.grant = setup.grant.with_access("read-write").expect("a grant");
    let mut lent = setup.lent();
    ask(&mut lent, query("create table once (a int)")).await.expect("created");
    server.restart();
    assert_eq!(ask(&mut lent, query("insert into once values (1)")).await.expect("inserted").affected, 1);
    assert_eq!(server.sql("select count(*) from once"), "1");

    server.stop();
    assert!(matches!(ask(&mut lent, query("select 1")).await, Err(PostgresError::Connect(_))), "now it is down");
}

#[tokio::test]
async fn a_connection_that_the_server_ended_while_nobody_looked_is_replaced() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "ended");
    let mut lent = setup.lent();
    let before = row(&mut lent, "select pg_backend_pid()").await;
    server.sql("select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'ended'");
    assert_ne!(row(&mut lent, "select pg_backend_pid()").await, before);
    // One that ends under a statement is told.
    let outcome = ask(&mut lent, query("select pg_terminate_backend(pg_backend_pid()), pg_sleep(20)")).await;
    assert!(matches!(&outcome, Err(PostgresError::Server(error)) if error.sqlstate == "57P01"), "{outcome:?}");
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
}

#[tokio::test]
async fn sources_that_did_not_change_keep_their_connections() {
    let setup = Setup::reading();
    let pid = "select pg_backend_pid()";
    let settings = |connections_max| {
        let settings = PostgresSettings { connections_max, ..setup.settings.clone() };
        BTreeMap::from([("main".to_owned(), settings)])
    };
    let before = Sources::new(&settings(1)).expect("sources");
    let first = row(&mut setup.lent_from(before.clone()), pid).await;
    let same = before.renewed(&settings(1)).expect("sources");
    assert_eq!(row(&mut setup.lent_from(same), pid).await, first);
    let changed = before.renewed(&settings(2)).expect("sources");
    assert_ne!(row(&mut setup.lent_from(changed), pid).await, first);
    let gone = before.renewed(&BTreeMap::new()).expect("sources");
    let outcome = ask(&mut setup.lent_from(gone), query("select 1")).await;
    assert!(matches!(&outcome, Err(PostgresError::Denied(denial)) if denial.reason.contains("not configured")), "{outcome:?}");
}

#[tokio::test]
async fn connections_of_a_source_that_was_replaced_are_closed() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "replaced");
    let settings = |connections_max| {
        let settings = PostgresSettings { connections_max, ..setup.settings.clone() };
        ServiceSettings { postgres: BTreeMap::from([("main".to_owned(), settings)]), ..ServiceSettings::default() }
    };
    let services = Services::new(&settings(1)).expect("services");
    let mut lent = setup.lent_by(&services);
    let pid = row(&mut lent, "select pg_backend_pid()").await;
    services.retire(&services.renewed(&settings(1)).expect("services"));
    assert_eq!(row(&mut lent, "select pg_backend_pid()").await, pid, "nothing was replaced");

    services.retire(&services.renewed(&settings(2)).expect("services"));
    until(server, &until_count("replaced"), "0").await;
    // A run that began before goes on, and leaves nothing behind.
    assert_eq!(row(&mut lent, "select 1").await, "int 1");
    until(server, &until_count("replaced"), "0").await;
}

#[test]
fn a_source_is_made_anew_where_its_certificates_are_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let renew = || {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["db.internal".to_owned()]).expect("a name");
        std::fs::write(&file, params.self_signed(&key).expect("a certificate").pem()).expect("written");
    };
    renew();
    let url = format!("postgres://u@db.internal/d?sslmode=verify-full&sslrootcert={}", file.display());
    let settings = BTreeMap::from([("main".to_owned(), Setup::of(&url).settings)]);
    let first = Sources::new(&settings).expect("sources");
    let same = |one: &Sources, other: &Sources| match (one.get("main"), other.get("main")) {
        (Some(one), Some(other)) => Arc::ptr_eq(&one, &other),
        _ => panic!("it is there"),
    };
    let second = first.renewed(&settings).expect("sources");
    assert!(same(&first, &second));
    renew();
    assert!(!same(&second, &second.renewed(&settings).expect("sources")));
    std::fs::remove_file(&file).expect("removed");
    assert!(second.renewed(&settings).is_err(), "what cannot be read replaces nothing");
}

#[tokio::test]
async fn a_run_that_is_over_leaves_nothing_running_on_the_server() {
    let server = Postgres::shared();
    let mut setup = Setup::reading();
    named(&mut setup, "abandoned");
    let mut lent = setup.lent();
    let call = ask(&mut lent, query("select pg_sleep(3600)"));
    let active = "select count(*) from pg_stat_activity where application_name = 'abandoned' and state = 'active'";
    tokio::select! {
        outcome = call => panic!("it ended: {:?}", outcome.err()),
        () = until(server, active, "1") => {}
    }
    // The call is dropped with its guest; the server looks for us every second.
    until(server, &until_count("abandoned"), "0").await;
}

#[test]
fn connections_go_along_to_the_thread_that_needs_them() {
    let setup = Setup::reading();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (first, second) = (runtime(), runtime());
    let services = first.block_on(async { services(&setup) });
    let pid = "select pg_backend_pid()";
    let on = |runtime: &tokio::runtime::Runtime| runtime.block_on(async { row(&mut setup.lent_by(&services), pid).await });
    let before = on(&first);
    assert_eq!(on(&second), before);
    assert_eq!(on(&first), before);
    drop(second);
    assert_eq!(on(&first), before);
}
