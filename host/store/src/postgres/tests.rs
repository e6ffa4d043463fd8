use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};

use sickbay_core::{Status, Timestamp, Transition};
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::{
    session::Session,
    testing::{PASSWORD, SHARED, Stop, TestServer, execute},
    *,
};
use crate::{
    Cause, ResultQueue,
    conformance::{self, failing, record, shared},
};

async fn opened(database: &str) -> PostgresStore {
    open(SHARED.database(database).await).await.unwrap()
}

async fn error_of(server: Server) -> StoreError {
    match open(server).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

fn cause_of(error: &StoreError) -> Cause {
    match error {
        StoreError::Failed { cause, .. } => *cause,
        error => panic!("{error:?}"),
    }
}

async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.unwrap();
    row.try_get(0).unwrap()
}

/// The server ends every session that a store has there.
async fn end_sessions(admin: &mut PgConnection) {
    let sessions = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(number(admin, sessions).await > 0);
}

fn seqs(committed: &[Committed]) -> Vec<u64> {
    committed.iter().map(|committed| committed.seq).collect()
}

#[tokio::test]
async fn a_database_conforms() {
    let open = async |case: &str| -> Arc<dyn Store> {
        let url = SHARED.url(case).await;
        let store: Arc<dyn Store> = Arc::new(open(Server::parse(&url).unwrap()).await.unwrap());
        store
    };
    conformance::suite(&open).await;
    conformance::durable_suite(&open).await;
}

#[tokio::test]
async fn everything_is_in_one_schema_whatever_the_role_has_set() {
    let mut admin = SHARED.session("postgres").await;
    SHARED.url("one-schema").await;
    let set = "ALTER DATABASE \"one-schema\" SET search_path = public; \
               ALTER DATABASE \"one-schema\" SET default_transaction_isolation = serializable";
    execute(&mut admin, set).await;
    let store = opened("one-schema").await;
    store.write(&shared(vec![record("api", 1)])).await.unwrap();
    let mut admin = SHARED.session("one-schema").await;
    let elsewhere = "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                     WHERE nspname NOT IN ('sickbay', 'information_schema') AND nspname NOT LIKE 'pg_%'";
    assert_eq!(number(&mut admin, elsewhere).await, 0);
    assert_eq!(number(&mut admin, "SELECT count(*) FROM sickbay.results").await, 1);
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let store = opened("reader").await;
    let error = store.rows("trying", sqlx::query("DELETE FROM checks")).await.map(|_| ()).unwrap_err();
    assert_eq!(cause_of(&error), Cause::ReadOnly, "{error:?}");
}

#[tokio::test]
async fn no_read_goes_through_all_results() {
    let store = opened("plans").await;
    for start in (0..20_000).step_by(4_000) {
        let records = (start..start + 4_000).map(|number| record(&format!("check-{}", number % 50), number));
        store.write(&shared(records.collect())).await.unwrap();
    }
    execute(&mut SHARED.session("plans").await, "ANALYZE sickbay.results; ANALYZE sickbay.checks").await;
    let explain = |query: &str| -> PgQuery { sqlx::query(AssertSqlSafe(format!("EXPLAIN {query}"))) };
    for query in [
        explain(read::LAST),
        explain(read::RESULTS).bind("check-7").bind(i64::MAX).bind(100_i64),
        explain(read::EVENTS).bind(19_000_i64).bind(100_i64),
    ] {
        let rows = store.rows("explaining", query).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
        assert!(plan.iter().any(|step| step.contains("Index")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on results")), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_batch_that_could_not_be_written_leaves_nothing_and_can_be_written_again() {
    let store = opened("blocked").await;
    let mut blocker = SHARED.session("blocked").await;
    execute(&mut blocker, "BEGIN; SELECT last_seq FROM sickbay.counter FOR UPDATE").await;
    let error = store.write(&shared(vec![record("api", 1)])).await.unwrap_err();
    assert_eq!(cause_of(&error), Cause::Silent, "{error:?}");
    assert!(error.to_string().contains("hint: "), "{error}");

    execute(&mut blocker, "ROLLBACK").await;
    assert_eq!(store.bounds().await.unwrap(), (None, 0));
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_leaves_no_transaction() {
    let store = opened("not-awaited").await;
    {
        let records = shared(vec![record("api", 1)]);
        let mut write = pin!(store.write(&records));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let written = store.write(&shared(vec![record("api", 1), record("api", 2)])).await.unwrap();
    assert_eq!(written, [Some(1), Some(2)]);
}

#[tokio::test]
async fn numbers_that_do_not_fit_block_nothing() {
    let store = opened("unfit").await;
    let written = store.write(&shared(vec![record("api", u64::MAX), record("api", u64::MAX - 1)])).await.unwrap();
    assert_eq!(written, [Some(1), None]);
    assert_eq!(store.last().await.unwrap()[0].record.started_at, Timestamp(u64::MAX));
}

#[tokio::test]
async fn a_text_with_a_nul_blocks_nothing() {
    let store = opened("nul").await;
    let kept = BTreeMap::from([("a\0b".to_owned(), vec![0])]);
    let keeping = ResultRecord { plugin_state: Some(Arc::new(kept.clone())), summary: "a\0b".to_owned(), ..record("api", 1) };
    store.write(&shared(vec![keeping])).await.unwrap();
    assert_eq!(store.plugin_states().await.unwrap()["api"], kept);
    assert_eq!(store.last().await.unwrap()[0].record.summary, "a\0b");
    assert!(store.results("api\0", None, 1).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_counted_is_what_is_there() {
    let store = opened("counted").await;
    let sum =
        "SELECT ((SELECT coalesce(sum(bytes), 0) FROM sickbay.results) + (SELECT coalesce(sum(bytes), 0) FROM sickbay.documents))::bigint";
    let mut admin = SHARED.session("counted").await;
    store.write(&shared((0..3_000).map(|number| record("api", number)).collect())).await.unwrap();
    store.write(&shared(vec![record("api", 1), record("api", 5_000)])).await.unwrap();
    let silence = |id: u64, len: usize| {
        let (kind, id, parent, at) = (crate::Kind::Silence, id.to_string(), "größe".to_owned(), Timestamp(1));
        crate::Change::Put(crate::Document { kind, id, parent, at, open: false, body: "é".repeat(len) })
    };
    let silences: Vec<crate::Change> = (0..1_500).map(|id| silence(id, 30)).collect();
    store.commit(&[], &silences).await.unwrap();
    store.commit(&[], &[silence(1, 3_000), silence(2, 0), crate::Change::Remove(crate::Kind::Silence, "3".to_owned())]).await.unwrap();
    assert_eq!(store.bytes().await.unwrap(), unsigned_of(&mut admin, sum).await);

    let none = Retention { ok: Duration::ZERO, other: Duration::ZERO, bytes_max: 0 };
    store.prune(&none, Timestamp(2_000)).await.unwrap();
    assert_eq!(store.bounds().await.unwrap(), (Some(3_001), 3_001));
    assert_eq!(store.bytes().await.unwrap(), unsigned_of(&mut admin, sum).await);
}

async fn unsigned_of(connection: &mut PgConnection, sql: &str) -> u64 {
    u64::try_from(number(connection, sql).await).unwrap()
}

#[tokio::test]
async fn a_second_sickbay_on_a_database_is_refused_until_the_first_has_closed_it() {
    let first = opened("second").await;
    let error = error_of(SHARED.database("second").await).await;
    assert!(matches!(error, StoreError::Claimed { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("another Sickbay uses") && message.contains("its session is process"), "{message}");
    assert!(message.contains("hint: ") && !message.contains(PASSWORD), "{message}");
    assert_eq!(first.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);

    first.close().await;
    let second = opened("second").await;
    assert_eq!(second.bounds().await.unwrap(), (Some(1), 1));
}

#[tokio::test]
async fn a_store_that_was_dropped_without_closing_holds_no_database() {
    drop(opened("dropped").await);
    assert!(open(SHARED.database("dropped").await).await.is_ok());
}

#[tokio::test]
async fn who_took_the_database_meanwhile_keeps_it() {
    let first = opened("taken").await;
    let mut admin = SHARED.session("taken").await;
    end_sessions(&mut admin).await;
    let second = opened("taken").await;
    let error = first.write(&shared(vec![record("api", 1)])).await.unwrap_err();
    assert!(matches!(error, StoreError::Claimed { .. }), "{error:?}");
    assert_eq!(second.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);

    second.close().await;
    assert_eq!(first.write(&shared(vec![record("api", 2)])).await.unwrap(), [Some(2)]);
}

#[tokio::test]
async fn a_session_that_lives_on_in_the_server_is_ended_by_the_process_that_lost_it() {
    let server = SHARED.database("lost-session").await;
    let mut lost = Session::open(&server, None).await.unwrap();
    let mut session = Session::open(&server, Some(lost.id)).await.unwrap();
    assert!(!lost.answers().await);
    assert!(session.answers().await);
}

#[tokio::test]
async fn a_connection_that_was_ended_is_made_anew() {
    let store = opened("ended").await;
    let mut admin = SHARED.session("ended").await;
    for at in 1..=3 {
        assert_eq!(store.write(&shared(vec![record("api", at)])).await.unwrap(), [Some(at)]);
        end_sessions(&mut admin).await;
        assert_eq!(seqs(&store.events(0, 10).await.unwrap()), (1..=at).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_answered_with_its_numbers() {
    let (server, between) = SHARED.behind("lost-answer").await;
    let store = open(server).await.unwrap();
    store.write(&shared(vec![record("api", 1)])).await.unwrap();
    let kept = |value: u8| Some(Arc::new(BTreeMap::from([("k".to_owned(), vec![value])])));
    let keeping = ResultRecord { plugin_state: kept(1), ..record("api", 2) };
    let batch = shared(vec![record("api", 1), keeping, record("new", 2), record("new", 2)]);

    between.lose_the_next_answer_to_a_commit();
    let error = store.write(&batch).await.unwrap_err();
    assert!(matches!(cause_of(&error), Cause::ConnectionLost), "{error:?}");
    // A duplicate is still one; of the others each has the number that it was given.
    assert_eq!(store.write(&batch).await.unwrap(), [None, Some(2), Some(3), None]);
    assert_eq!(seqs(&store.events(0, 10).await.unwrap()), [1, 2, 3]);
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 3));
    assert_eq!(store.plugin_states().await.unwrap()["api"]["k"], [1]);
    // Now it is known, and would be a duplicate.
    assert_eq!(store.write(&batch).await.unwrap(), [None; 4]);
}

#[tokio::test]
async fn an_answer_that_is_lost_twice_changes_nothing() {
    let (server, between) = SHARED.behind("lost-twice").await;
    let store = open(server).await.unwrap();
    let batch = shared(vec![record("api", 1), record("db", 1)]);
    for _ in 0..2 {
        between.lose_the_next_answer_to_a_commit();
        store.write(&batch).await.unwrap_err();
    }
    assert_eq!(store.write(&batch).await.unwrap(), [Some(1), Some(2)]);
    assert_eq!(store.write(&shared(vec![record("api", 2)])).await.unwrap(), [Some(3)]);
}

#[tokio::test]
async fn a_commit_that_never_reached_the_server_is_done_again_with_the_same_numbers() {
    let (server, between) = SHARED.behind("lost-question").await;
    let store = open(server).await.unwrap();
    let batch = shared(vec![record("api", 1), record("db", 1)]);
    between.lose_the_next_commit();
    store.write(&batch).await.unwrap_err();
    assert_eq!(store.bounds().await.unwrap(), (None, 0));
    assert_eq!(store.write(&batch).await.unwrap(), [Some(1), Some(2)]);
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 2));
}

#[tokio::test]
async fn a_server_that_comes_back_without_its_last_commits_gives_none_of_their_numbers_again() {
    let store = opened("failover").await;
    store.write(&shared((0..10).map(|number| record("api", number)).collect())).await.unwrap();
    let mut admin = SHARED.session("failover").await;
    execute(&mut admin, "UPDATE sickbay.counter SET last_seq = 7; DELETE FROM sickbay.results WHERE seq > 7").await;
    end_sessions(&mut admin).await;
    assert_eq!(store.write(&shared(vec![record("api", 20)])).await.unwrap(), [Some(11)]);
    assert_eq!(seqs(&store.events(5, 10).await.unwrap()), [6, 7, 11]);
}

#[tokio::test]
async fn a_server_that_crashed_has_everything_that_was_committed() {
    let server = TestServer::start();
    let store = open(server.database("crash").await).await.unwrap();
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
    server.stop(Stop::AsACrash);
    for error in [store.write(&shared(vec![record("api", 2)])).await.unwrap_err(), store.ping().await.unwrap_err()] {
        assert_eq!(cause_of(&error), Cause::Unreachable, "{error:?}");
        assert!(error.to_string().contains("hint: "), "{error}");
    }
    server.start_again();
    store.ping().await.unwrap();
    assert_eq!(store.write(&shared(vec![record("api", 2)])).await.unwrap(), [Some(2)]);
    assert_eq!(seqs(&store.events(0, 10).await.unwrap()), [1, 2]);
}

/// What the queue is told is in the database, in the order in which it was pushed, once, without a gap.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_a_server_is_stopped_in_the_middle_of_writes() {
    const STOPS: u64 = 4;
    const BETWEEN_STOPS: u64 = 150;
    let server = TestServer::start();
    let store: Arc<dyn Store> = Arc::new(open(server.database("storm").await).await.unwrap());
    let told: Arc<Mutex<Vec<u64>>> = Arc::default();
    let listener = {
        let told = Arc::clone(&told);
        move |written: &[Committed]| told.lock().unwrap().extend(seqs(written))
    };
    let (queue, _handle) = ResultQueue::start(Arc::clone(&store), Duration::from_millis(1), listener);
    for stop in 0..STOPS {
        let begin = stop * BETWEEN_STOPS;
        for number in begin..begin + BETWEEN_STOPS {
            // Each is a commit of its own, or nearly.
            queue.push(Arc::new(transition("api", number))).await;
            tokio::task::yield_now().await;
        }
        // Whatever of them is under way.
        server.stop(if stop % 2 == 0 { Stop::AsACrash } else { Stop::InOrder });
        server.start_again();
    }
    tokio::time::timeout(Duration::from_secs(120), queue.flush()).await.expect("it is written in the end").unwrap();

    let all = STOPS * BETWEEN_STOPS;
    let read = store.events(0, 10_000).await.unwrap();
    assert_eq!(seqs(&read), (1..=all).collect::<Vec<u64>>());
    let times: Vec<u64> = read.iter().map(|read| read.record.scheduled_at.0).collect();
    assert_eq!(times, (0..all).collect::<Vec<u64>>());
    assert_eq!(*told.lock().unwrap(), (1..=all).collect::<Vec<u64>>());
}

fn transition(check: &str, at: u64) -> ResultRecord {
    let transition = Transition { from: Status::Ok, to: Status::Critical, at: Timestamp(at) };
    ResultRecord { transition: Some(transition), ..failing(check, at, Status::Critical) }
}

#[tokio::test]
async fn a_schema_of_another_program_is_not_touched() {
    let server = SHARED.database("foreign").await;
    let mut admin = SHARED.session("foreign").await;
    execute(&mut admin, "CREATE SCHEMA sickbay; CREATE TABLE sickbay.dashboard (id integer)").await;
    let message = error_of(server).await.to_string();
    assert!(message.contains("another program") && message.contains("hint: "), "{message}");
    let relations = "SELECT count(*) FROM pg_class WHERE relnamespace = 'sickbay'::regnamespace";
    assert_eq!(number(&mut admin, relations).await, 1);
}

#[tokio::test]
async fn a_schema_of_a_newer_sickbay_is_refused() {
    opened("newer").await.close().await;
    let mut admin = SHARED.session("newer").await;
    execute(&mut admin, "INSERT INTO sickbay._sqlx_migrations VALUES (9999, 'from the future', now(), true, '\\x00', 0)").await;
    let error = error_of(SHARED.database("newer").await).await;
    assert!(matches!(error, StoreError::Newer { found: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("newer Sickbay"), "{error}");
}

#[tokio::test]
async fn a_database_with_another_encoding_is_refused() {
    let mut admin = SHARED.session("postgres").await;
    execute(&mut admin, "CREATE DATABASE \"latin\" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0").await;
    let message = error_of(SHARED.database("latin").await).await.to_string();
    assert!(message.contains("LATIN1") && message.contains("ENCODING 'UTF8'"), "{message}");
}

#[tokio::test]
async fn a_wrong_password_is_named_and_not_shown() {
    SHARED.url("password").await;
    let error = error_of(Server::parse(&SHARED.url_as("postgres", "hunter2", "password")).unwrap()).await;
    assert_eq!(cause_of(&error), Cause::LoginRefused, "{error:?}");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("hint: ") && !shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_database_that_is_not_there_says_how_to_make_it() {
    let error = error_of(Server::parse(&SHARED.url_as("postgres", PASSWORD, "absent")).unwrap()).await;
    assert_eq!(cause_of(&error), Cause::NoSuchDatabase, "{error:?}");
    assert!(error.to_string().contains("CREATE DATABASE"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let error = error_of(Server::parse("postgres://me:secret@127.0.0.1:1/checks").unwrap()).await;
    assert_eq!(cause_of(&error), Cause::Unreachable, "{error:?}");
    let message = error.to_string();
    assert!(message.contains("`checks` on 127.0.0.1:1") && !message.contains("secret"), "{message}");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_named_and_used_again_once_it_does() {
    let store = opened("read-only").await;
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
    let mut admin = SHARED.session("read-only").await;
    let mut elsewhere = SHARED.session("postgres").await;
    execute(&mut elsewhere, "ALTER DATABASE \"read-only\" SET default_transaction_read_only = on").await;
    end_sessions(&mut admin).await;
    let error = store.write(&shared(vec![record("api", 2)])).await.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(message.contains("takes no writes") && message.contains("hint: "), "{message}");
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 1));

    execute(&mut elsewhere, "ALTER DATABASE \"read-only\" RESET default_transaction_read_only").await;
    assert_eq!(store.write(&shared(vec![record("api", 2)])).await.unwrap(), [Some(2)]);
}

#[tokio::test]
async fn a_role_without_rights_is_told_which_and_needs_no_more_than_its_schema() {
    let mut admin = SHARED.session("postgres").await;
    execute(&mut admin, "CREATE ROLE narrow LOGIN PASSWORD 'narrow'; CREATE ROLE narrower LOGIN PASSWORD 'narrower'").await;
    SHARED.url("rights").await;
    let as_role = |role: &str| Server::parse(&SHARED.url_as(role, role, "rights")).unwrap();
    let error = error_of(as_role("narrow")).await;
    assert_eq!(cause_of(&error), Cause::Forbidden, "{error:?}");
    assert!(error.to_string().contains("CREATE SCHEMA sickbay AUTHORIZATION"), "{error}");

    let mut admin = SHARED.session("rights").await;
    execute(&mut admin, "CREATE SCHEMA sickbay AUTHORIZATION narrow").await;
    let store = open(as_role("narrow")).await.unwrap();
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
    store.close().await;

    // Where the tables are up to date, using them is enough.
    execute(
        &mut admin,
        "GRANT USAGE ON SCHEMA sickbay TO narrower; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sickbay TO narrower",
    )
    .await;
    let store = open(as_role("narrower")).await.unwrap();
    assert_eq!(store.write(&shared(vec![record("new", 2)])).await.unwrap(), [Some(2)]);
}

#[tokio::test]
async fn a_look_tells_what_a_role_may_too_little_and_too_much_and_makes_nothing() {
    let mut admin = SHARED.session("postgres").await;
    execute(&mut admin, "CREATE ROLE looker LOGIN PASSWORD 'looker'").await;
    SHARED.url("looked-at").await;
    let mut admin = SHARED.session("looked-at").await;
    let looked = async |role: &str, password: &str| {
        let server = Server::parse(&SHARED.url_as(role, password, "looked-at")).unwrap();
        look(&server).await.unwrap()
    };
    let first = looked("looker", "looker").await;
    assert_eq!(first.too_little, ["CREATE SCHEMA sickbay AUTHORIZATION looker"]);
    assert_eq!((first.version, first.too_much.len()), (None, 0));
    let boss = looked("postgres", PASSWORD).await;
    assert_eq!((boss.version, boss.too_much, boss.too_little), (None, vec!["superuser"], Vec::new()));
    assert_eq!(number(&mut admin, "SELECT count(*) FROM pg_namespace WHERE nspname = 'sickbay'").await, 0);

    // One that runs is no matter.
    let store = opened("looked-at").await;
    let mut lacks = looked("looker", "looker").await.too_little;
    lacks.sort();
    assert_eq!(
        lacks,
        ["GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sickbay TO looker", "GRANT USAGE ON SCHEMA sickbay TO looker"]
    );
    for statement in lacks {
        execute(&mut admin, statement).await;
    }
    let enough = looked("looker", "looker").await;
    assert_eq!((enough.version, enough.too_little), (Some(enough.known), Vec::new()));
    store.close().await;
}

#[tokio::test]
async fn a_start_that_ended_between_its_first_steps_is_done_again() {
    let server = SHARED.database("half-made").await;
    let store = open(server.clone()).await.unwrap();
    store.close().await;
    let mut admin = SHARED.session("half-made").await;
    execute(
        &mut admin,
        "DROP TABLE sickbay.counter, sickbay.checks, sickbay.plugins, sickbay.results, sickbay.plugin_states, sickbay.documents",
    )
    .await;
    execute(&mut admin, "DELETE FROM sickbay._sqlx_migrations").await;
    assert!(open(server).await.is_ok());
}

#[tokio::test]
async fn a_copy_from_a_file_has_the_same_results_numbers_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let from = crate::open("sqlite:from.db", folder.path()).await.unwrap();
    let to = opened("copy").await;
    conformance::a_copy_has_the_same_results_numbers_and_values(&*from, &to).await;
    // And back again.
    let back = crate::open("sqlite:back.db", folder.path()).await.unwrap();
    crate::copy(&to, &*back, &mut |_| {}).await.unwrap();
    // What is large is not printed.
    assert!(back.events(0, 10_000).await.unwrap() == to.events(0, 10_000).await.unwrap());
    assert_eq!(back.plugin_states().await.unwrap(), to.plugin_states().await.unwrap());
}

#[tokio::test]
async fn documents_alone_go_from_a_file_to_a_server_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let from = crate::open("sqlite:from.db", folder.path()).await.unwrap();
    let to = opened("copy-documents").await;
    conformance::a_copy_of_documents_alone_has_all_of_them(&*from, &to).await;
    let (begin, end) = (opened("copy-documents-back").await, crate::open("sqlite:back.db", folder.path()).await.unwrap());
    conformance::a_copy_of_documents_alone_has_all_of_them(&begin, &*end).await;
}
