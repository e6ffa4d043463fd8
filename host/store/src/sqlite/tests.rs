use std::{
    collections::HashSet,
    path::PathBuf,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use tempfile::TempDir;

use super::*;
use crate::{
    Cause,
    conformance::{self, record, shared},
};

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn error_of(path: &Path) -> StoreError {
    match open_file(path, BUSY_TIMEOUT).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn new_file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sickbay.db");
    (folder, path)
}

#[tokio::test]
async fn a_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |case: &str| crate::open(&format!("sqlite:{case}.db"), folder.path()).await.unwrap();
    conformance::suite(&open).await;
    conformance::durable_suite(&open).await;
}

#[tokio::test]
async fn a_database_in_memory_conforms() {
    conformance::suite(async |_: &str| crate::open("sqlite::memory:", Path::new("/")).await.unwrap()).await;
}

#[tokio::test]
async fn two_databases_in_memory_have_nothing_in_common() {
    let (one, other) = (open_memory().await.unwrap(), open_memory().await.unwrap());
    one.write(&shared(vec![record("api", 1)])).await.unwrap();
    assert_eq!(other.bounds().await.unwrap(), (None, 0));
}

#[tokio::test]
async fn a_commit_is_on_the_disk_when_it_returns() {
    let (_folder, path) = new_file();
    let store = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    let mut writer = store.writer().await.unwrap();
    let row = sqlx::query("PRAGMA journal_mode").fetch_one(writer.idle().await).await.unwrap();
    assert_eq!(row.try_get::<String, _>(0).unwrap(), "wal");
    let row = sqlx::query("PRAGMA synchronous").fetch_one(writer.idle().await).await.unwrap();
    assert_eq!(row.try_get::<i64, _>(0).unwrap(), 2, "2 is FULL");
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (_folder, path) = new_file();
    let store = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    let error = store.rows("trying", sqlx::query("DELETE FROM checks")).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Failed { cause: Cause::NotWritable, .. }), "{error:?}");
}

#[tokio::test]
async fn no_read_goes_through_all_results() {
    let store = open_memory().await.unwrap();
    for query in [read::LAST, read::RESULTS, read::EVENTS] {
        let explain: &'static str = Box::leak(format!("EXPLAIN QUERY PLAN {query}").into_boxed_str());
        let rows = store.rows("explaining", sqlx::query(explain)).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("detail").unwrap()).collect();
        assert!(plan.iter().any(|step| step.starts_with("SEARCH results")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN results") || step.starts_with("SCAN found")), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_look_tells_how_the_tables_stand_and_makes_nothing() {
    let (folder, path) = new_file();
    let url = format!("sqlite:{}", path.display());
    let look = async || crate::look(&url, Path::new("/")).await;
    let files = || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<HashSet<_>>();
    let absent = look().await.unwrap();
    assert_eq!((absent.version, absent.file), (None, Some(path.clone())));
    assert!(files().is_empty());

    let store = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    store.write(&shared(vec![record("api", 1)])).await.unwrap();
    let used = look().await.unwrap();
    assert_eq!(used.version, Some(used.known), "it may be in use");
    store.close().await;
    let before = files();
    assert_eq!(look().await.unwrap().version, Some(used.known));
    assert_eq!(files(), before);
    let database = std::fs::read(&path).unwrap();
    look().await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), database);

    let foreign = folder.path().join("other.db");
    raw_sql("CREATE TABLE theirs (id INTEGER)").execute(&mut raw(&foreign).await).await.unwrap();
    let error = crate::look(&format!("sqlite:{}", foreign.display()), Path::new("/")).await.unwrap_err();
    assert!(error.to_string().contains("of another program"), "{error}");
}

#[tokio::test]
async fn a_gap_in_the_numbers_costs_a_read_nothing_however_wide() {
    let store = open_memory().await.unwrap();
    let committed = |check: &str, seq: u64| Committed { seq, record: Arc::new(record(check, seq)) };
    let far = i64::MAX as u64;
    store.restore(&[committed("old", 1), committed("new", far)]).await.unwrap();
    let reads = async {
        let seqs = |read: Vec<Committed>| read.iter().map(|committed| committed.seq).collect::<Vec<u64>>();
        assert_eq!(seqs(store.last().await.unwrap()), [1, far]);
        assert_eq!(seqs(store.results("old", None, 10).await.unwrap()), [1]);
        assert_eq!(seqs(store.results("new", Some(far), 10).await.unwrap()), Vec::<u64>::new());
        assert_eq!(seqs(store.events(1, 10).await.unwrap()), [far]);
        assert_eq!(store.bounds().await.unwrap(), (Some(1), far));
        store.prune(&Retention::default(), Timestamp(0)).await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), reads).await.expect("it ends");
}

#[tokio::test]
async fn a_database_with_numbers_that_sickbay_never_gives_is_refused_with_the_number() {
    let (_folder, path) = new_file();
    let url = format!("sqlite:{}", path.display());
    crate::open(&url, Path::new("/")).await.unwrap().close().await;
    let mut admin = raw(&path).await;
    let names = "INSERT INTO checks VALUES (1, 'api'); INSERT INTO plugins VALUES (1, 'http', '1');";
    raw_sql(names).execute(&mut admin).await.unwrap();
    let insert = "INSERT INTO results VALUES (9223372036854775807, 1, 1, 1, 1, 0, '{}'); DELETE FROM sqlite_sequence";
    raw_sql(insert).execute(&mut admin).await.unwrap();
    drop(admin);
    let error = crate::open(&url, Path::new("/")).await.err().expect("it is refused").to_string();
    assert!(error.contains("numbers up to 9223372036854775807") && error.contains("hint: "), "{error}");
    // It was let go of.
    let again = crate::open_existing(&url, Path::new("/")).await.err().expect("it is refused").to_string();
    assert_eq!(again, error);
}

#[tokio::test]
async fn a_batch_that_could_not_be_written_leaves_nothing_and_can_be_written_again() {
    let (_folder, path) = new_file();
    let store = open_file(&path, Duration::from_millis(1)).await.unwrap();
    let mut blocker = raw(&path).await;
    raw_sql("BEGIN IMMEDIATE").execute(&mut blocker).await.unwrap();
    let error = store.write(&shared(vec![record("api", 1)])).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { cause: Cause::Locked, .. }), "{error:?}");
    assert!(error.to_string().contains("hint: "), "{error}");

    raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    assert_eq!(store.bounds().await.unwrap(), (None, 0));
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
}

#[tokio::test]
async fn a_full_disk_is_named_and_what_was_written_before_stays() {
    let store = open_memory().await.unwrap();
    store.write(&shared(vec![record("api", 1)])).await.unwrap();
    let pages = async |sql: &'static str| {
        let mut writer = store.writer().await.unwrap();
        raw_sql(sql).execute(writer.idle().await).await.unwrap();
    };
    pages("PRAGMA max_page_count = 1").await;
    let large = |at| ResultRecord { details: Some("x".repeat(1 << 20)), ..record("new", at) };
    let error = store.write(&shared(vec![record("api", 2), large(1)])).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { cause: Cause::DiskFull, .. }), "{error:?}");
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 1));

    pages("PRAGMA max_page_count = 1000000").await;
    let written = store.write(&shared(vec![record("api", 2), large(1)])).await.unwrap();
    assert_eq!(written, [Some(2), Some(3)]);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_leaves_no_transaction() {
    let (_folder, path) = new_file();
    let store = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    {
        let records = shared(vec![record("api", 1)]);
        let mut write = pin!(store.write(&records));
        assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let written = store.write(&shared(vec![record("api", 1), record("api", 2)])).await.unwrap();
    // Whether the first one came to its commit is nobody's to know.
    assert!(matches!(written[..], [Some(1) | None, Some(2)]), "{written:?}");
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 2));
}

#[tokio::test]
async fn numbers_that_do_not_fit_block_nothing() {
    let store = open_memory().await.unwrap();
    let written = store.write(&shared(vec![record("api", u64::MAX), record("api", u64::MAX - 1)])).await.unwrap();
    assert_eq!(written, [Some(1), None]);
    assert_eq!(store.last().await.unwrap()[0].record.started_at, Timestamp(u64::MAX));
}

#[tokio::test]
async fn a_second_sickbay_on_a_database_is_refused_until_the_first_has_closed_it() {
    let (folder, path) = new_file();
    let first = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        let error = error_of(path).await;
        assert!(matches!(error, StoreError::InUse { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("another Sickbay uses") && message.contains("hint: "), "{message}");
    }
    assert_eq!(first.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);

    first.close().await;
    let second = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    assert_eq!(second.bounds().await.unwrap(), (Some(1), 1));
}

#[tokio::test]
async fn a_store_that_was_dropped_without_closing_holds_no_database() {
    let (_folder, path) = new_file();
    drop(open_file(&path, BUSY_TIMEOUT).await.unwrap());
    assert!(open_file(&path, BUSY_TIMEOUT).await.is_ok());
}

#[tokio::test]
async fn nothing_is_written_to_a_database_whose_file_went_away() {
    let (folder, path) = new_file();
    let store = open_file(&path, BUSY_TIMEOUT).await.unwrap();
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
    let aside = folder.path().join("aside.db");
    std::fs::rename(&path, &aside).unwrap();
    until_ping(&store, |pinged| matches!(pinged, Err(StoreError::Replaced { .. }))).await;
    for error in [store.ping().await.unwrap_err(), store.write(&shared(vec![record("api", 2)])).await.unwrap_err()] {
        assert!(matches!(error, StoreError::Replaced { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(&path.display().to_string()) && message.contains("restart Sickbay"), "{message}");
    }

    std::fs::rename(&aside, &path).unwrap();
    until_ping(&store, |pinged| pinged.is_ok()).await;
    assert_eq!(store.write(&shared(vec![record("api", 2)])).await.unwrap(), [Some(2)]);
}

async fn until_ping(store: &SqliteStore, wanted: impl Fn(&Result<(), StoreError>) -> bool) {
    let wait = async {
        while !wanted(&store.ping().await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it is seen");
}

#[tokio::test]
async fn a_database_of_another_program_is_not_touched() {
    let (_folder, path) = new_file();
    let mut connection = raw(&path).await;
    raw_sql("CREATE TABLE dashboard (id INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();

    let message = error_of(&path).await.to_string();
    assert!(message.contains("another program") && message.contains("hint: "), "{message}");
    let mut connection = raw(&path).await;
    let rows = sqlx::query("SELECT name FROM sqlite_schema").fetch_all(&mut connection).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn a_database_of_a_newer_sickbay_is_refused() {
    let (_folder, path) = new_file();
    open_file(&path, BUSY_TIMEOUT).await.unwrap().close().await;
    let mut connection = raw(&path).await;
    raw_sql("INSERT INTO _sqlx_migrations VALUES (9999, 'from the future', '2030-01-01', TRUE, x'00', 0)")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::Connection::close(connection).await.unwrap();

    let error = error_of(&path).await;
    assert!(matches!(error, StoreError::Newer { found: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("newer Sickbay"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_stays_as_it_is() {
    let (_folder, path) = new_file();
    let text = "this is no database\n".repeat(500);
    std::fs::write(&path, &text).unwrap();
    let error = error_of(&path).await;
    assert!(matches!(error, StoreError::Failed { cause: Cause::NotADatabase, .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_database_is_named_as_such() {
    let (_folder, path) = new_file();
    open_file(&path, BUSY_TIMEOUT).await.unwrap().close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let error = error_of(&path).await;
    assert!(matches!(error, StoreError::Failed { cause: Cause::Damaged, .. }), "{error:?}");
}

#[tokio::test]
async fn a_place_where_no_file_can_be_says_why() {
    let (folder, path) = new_file();
    let message = error_of(folder.path()).await.to_string();
    assert!(message.contains("is a folder"), "{message}");

    let message = error_of(&folder.path().join("missing/sickbay.db")).await.to_string();
    assert!(message.contains("there is no folder") && message.contains("mkdir"), "{message}");

    std::fs::write(&path, "").unwrap();
    let message = error_of(&path.join("sickbay.db")).await.to_string();
    assert!(message.contains("there is no folder"), "{message}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_cannot_be_written_says_so() {
    // Not even root makes a file there.
    let error = error_of(Path::new("/proc/sickbay.db")).await;
    assert!(matches!(error, StoreError::Failed { cause: Cause::CannotOpen, .. }), "{error:?}");
    assert!(error.to_string().contains("must be able to write"), "{error}");
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let (_folder, path) = new_file();
    std::fs::write(&path, "").unwrap();
    let store: Arc<dyn Store> = Arc::new(open_file(&path, BUSY_TIMEOUT).await.unwrap());
    assert_eq!(store.write(&shared(vec![record("api", 1)])).await.unwrap(), [Some(1)]);
}
