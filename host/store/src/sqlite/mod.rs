//! The store in one SQLite file.
//!
//! `Writer` owns the only connection that writes; whoever writes or prunes takes its lock. Readers have a small pool of
//! connections that cannot write, and see the last commit while a write goes on (WAL). A database in memory has one connection
//! for everything.
//!
//! Invariant: a commit is on the disk when it returns (`synchronous=FULL`).
//! Invariant: a database of another program, of a newer Sickbay, or in use by another one, is not changed.
//! Invariant: no result is written to a file that the path no longer names, once that was seen.

/// The newest `seq` of every check, one column `seq`, null for a check without results: looks into block after block, newest
/// first, and stops at the first that has one. Blocks without a result are passed over, so that a gap costs nothing, however wide.
macro_rules! newest_seqs {
    () => {
        "WITH RECURSIVE block(number) AS ( \
           SELECT (SELECT max(seq) FROM results) >> 14 \
           UNION ALL SELECT (SELECT seq FROM results WHERE seq < number << 14 ORDER BY seq DESC LIMIT 1) >> 14 \
           FROM block WHERE number IS NOT NULL) \
         SELECT ( \
           SELECT (SELECT max(found.seq) FROM results AS found WHERE found.seq >> 14 = block.number AND found.check_id = checks.check_id) AS newest \
           FROM block WHERE newest IS NOT NULL LIMIT 1) AS seq \
         FROM checks"
    };
}

mod bulk;
mod documents;
mod file;
mod look;
mod names;
mod prune;
mod read;
mod writer;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use sickbay_core::Timestamp;
use sqlx::{
    ConnectOptions, Row, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    raw_sql,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{
    Announced, BoxFuture, Change, Committed, Document, Kind, Page, PluginStates, Pruned, ResultRecord, Retention, Store, StoreError,
    body::{self, signed, unsigned},
};
use file::DatabaseFile;
pub(crate) use look::{look, look_at_memory};
use writer::Writer;

/// How long a statement waits for another process to let go of the file.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS_MAX: u32 = 4;
/// How long a read waits for one of the readers.
const READER_WAIT_MAX: Duration = Duration::from_secs(10);
/// Page cache of the writer: the ends of all indexes stay in it.
const WRITER_CACHE_KIB: u32 = 8 * 1024;
/// The write-ahead log is cut to this after a burst.
const LOG_FILE_BYTES_MAX: u32 = 64 * 1024 * 1024;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
/// What the first migration writes into the file's header.
const APPLICATION_ID: i64 = 1_397_310_283;

pub(crate) struct SqliteStore {
    /// For messages.
    database: String,
    /// None once closed.
    writer: Mutex<Option<Writer>>,
    /// None in memory, where the writer's connection is the only one.
    readers: Option<SqlitePool>,
    /// None in memory. The last to go: what is above still has the file open.
    file: Option<DatabaseFile>,
}

pub(crate) async fn open_file(path: &Path, busy_timeout: Duration) -> Result<SqliteStore, StoreError> {
    let database = path.display().to_string();
    refuse_impossible(path, &database)?;
    let options = options(busy_timeout)
        .filename(path)
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", LOG_FILE_BYTES_MAX.to_string())
        .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"));
    let mut connection = connect(&options, &database).await?;
    let file = DatabaseFile::claim(path, &database)?;
    prepare(&mut connection, &database).await?;

    let reader = self::options(busy_timeout).filename(path).read_only(true).pragma("query_only", "ON");
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .acquire_timeout(READER_WAIT_MAX)
        .test_before_acquire(false)
        .connect_lazy_with(reader);
    let writer = Mutex::new(Some(Writer::new(connection)));
    let store = SqliteStore { database, writer, readers: Some(readers), file: Some(file) };
    store.ping().await?;
    Ok(store)
}

pub(crate) async fn open_memory() -> Result<SqliteStore, StoreError> {
    let database = "the database in memory".to_owned();
    let mut connection = connect(&options(BUSY_TIMEOUT).filename(":memory:").in_memory(true), &database).await?;
    prepare(&mut connection, &database).await?;
    Ok(SqliteStore { database, writer: Mutex::new(Some(Writer::new(connection))), readers: None, file: None })
}

fn options(busy_timeout: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new().busy_timeout(busy_timeout).foreign_keys(true).pragma("temp_store", "MEMORY").disable_statement_logging()
}

/// What SQLite itself would only call "unable to open database file".
fn refuse_impossible(path: &Path, database: &str) -> Result<(), StoreError> {
    let unusable = |reason: String, hint| Err(StoreError::Unusable { database: database.to_owned(), reason, hint });
    if path.is_dir() {
        return unusable("it is a folder".to_owned(), "name a file in `[store] url`");
    }
    match path.parent() {
        Some(parent) if !parent.is_dir() => {
            unusable(format!("there is no folder {}", parent.display()), "make the folder first, with `mkdir -p`")
        }
        _ => Ok(()),
    }
}

/// Opens the database and changes nothing in it.
async fn connect(options: &SqliteConnectOptions, database: &str) -> Result<SqliteConnection, StoreError> {
    let mut connection = options.connect().await.map_err(|error| StoreError::failed("opening", database, error))?;
    refuse_foreign(&mut connection, database).await?;
    Ok(connection)
}

/// Brings the database into the form that this program works with.
async fn prepare(connection: &mut SqliteConnection, database: &str) -> Result<(), StoreError> {
    // In memory it does nothing.
    let wal = raw_sql("PRAGMA journal_mode = WAL").execute(&mut *connection).await;
    wal.map_err(|error| StoreError::failed("opening", database, error))?;
    migrate(connection, database).await
}

async fn refuse_foreign(connection: &mut SqliteConnection, database: &str) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| StoreError::failed("opening", database, error);
    let row = sqlx::query(
        "SELECT (SELECT application_id FROM pragma_application_id), \
         (SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let application_id: i64 = row.try_get(0).map_err(failed)?;
    let objects: i64 = row.try_get(1).map_err(failed)?;
    if application_id == APPLICATION_ID || (application_id == 0 && objects == 0) {
        return Ok(());
    }
    Err(StoreError::Unusable {
        database: database.to_owned(),
        reason: "it is a database of another program".to_owned(),
        hint: "name another file in `[store] url`; Sickbay makes it",
    })
}

async fn migrate(connection: &mut SqliteConnection, database: &str) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    // `run` asks for more of its connection than a future that is `Send` can promise; this is what it calls.
    match MIGRATIONS.run_direct(None, connection, false).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) => Err(StoreError::Newer { database: database.to_owned(), found, known }),
        Err(MigrateError::VersionMismatch(version)) => Err(StoreError::Unusable {
            database: database.to_owned(),
            reason: format!("another build of Sickbay made its tables (migration {version} differs)"),
            hint: "run that build, or name another file in `[store] url`",
        }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(StoreError::failed("bringing the tables up to date", database, error))
        }
        Err(error) => Err(StoreError::failed("bringing the tables up to date", database, sqlx::Error::Migrate(Box::new(error)))),
    }
}

impl SqliteStore {
    async fn writer(&self) -> Result<MappedMutexGuard<'_, Writer>, StoreError> {
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut).map_err(|_| StoreError::Closed)
    }

    /// Where it is gone, no result is taken any more: the queue keeps what comes, and says so.
    fn still_there(&self) -> Result<(), StoreError> {
        match &self.file {
            Some(file) if !file.is_there(Instant::now()) => Err(StoreError::Replaced { database: self.database.clone() }),
            _ => Ok(()),
        }
    }

    fn failed(&self, operation: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Send + Sync + '_ {
        move |error| StoreError::failed(operation, &self.database, error)
    }
}

impl Store for SqliteStore {
    fn commit<'a>(
        &'a self,
        records: &'a [Arc<ResultRecord>],
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, StoreError>> {
        Box::pin(async move {
            self.still_there()?;
            let mut writer = self.writer().await?;
            writer.write(records, changes).await.map_err(self.failed("writing results"))
        })
    }

    fn open_documents<'a>(&'a self, kind: Kind, after: &'a str, limit: u32) -> BoxFuture<'a, Result<Vec<Document>, StoreError>> {
        Box::pin(self.read_open(kind, after, limit))
    }

    fn document<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Option<Document>, StoreError>> {
        Box::pin(self.read_document(kind, id))
    }

    fn documents<'a>(&'a self, page: Page<'a>) -> BoxFuture<'a, Result<Vec<Document>, StoreError>> {
        Box::pin(async move { self.read_documents(&page).await })
    }

    fn restore<'a>(&'a self, committed: &'a [Committed]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.still_there()?;
            let mut writer = self.writer().await?;
            writer.restore(committed).await.map_err(self.failed("writing copied results"))
        })
    }

    fn restore_announced<'a>(&'a self, announced: &'a [Announced], highest: u64) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.still_there()?;
            let mut writer = self.writer().await?;
            writer.restore_announced(announced, highest).await.map_err(self.failed("writing copied documents"))
        })
    }

    fn announced(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Announced>, StoreError>> {
        Box::pin(self.read_announced(after, limit))
    }

    fn last(&self) -> BoxFuture<'_, Result<Vec<Committed>, StoreError>> {
        Box::pin(self.read_last())
    }

    fn plugin_states(&self) -> BoxFuture<'_, Result<PluginStates, StoreError>> {
        Box::pin(self.read_plugin_states())
    }

    fn results<'a>(&'a self, check: &'a str, before: Option<u64>, limit: u32) -> BoxFuture<'a, Result<Vec<Committed>, StoreError>> {
        Box::pin(self.read_results(check, before, limit))
    }

    fn events(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Committed>, StoreError>> {
        Box::pin(self.read_events(after, limit))
    }

    fn bounds(&self) -> BoxFuture<'_, Result<(Option<u64>, u64), StoreError>> {
        Box::pin(self.read_bounds())
    }

    fn prune<'a>(&'a self, retention: &'a Retention, now: Timestamp) -> BoxFuture<'a, Result<Pruned, StoreError>> {
        Box::pin(self.prune_results(retention, now))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.still_there()?;
            let answered = self.read_anything().await;
            // A reader that opens the file finds out before the next look is due.
            match (&answered, &self.file) {
                (Err(_), Some(file)) if !file.is_there_now(Instant::now()) => Err(StoreError::Replaced { database: self.database.clone() }),
                _ => answered,
            }
        })
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.read_bytes())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Readers first: the last connection to go folds the write-ahead log into the file, and a reader cannot.
            if let Some(readers) = &self.readers {
                readers.close().await;
            }
            let writer = self.writer.lock().await.take();
            if let Some(writer) = writer {
                writer.close().await;
            }
            if let Some(file) = &self.file {
                file.release();
            }
        })
    }
}

#[cfg(test)]
mod tests;
