//! What Sickbay remembers: results, states, the small values that plugins keep, and documents: incidents, silences, deliveries.
//!
//! [`Store`] is what the host sees; [`open`] finds the implementation by the URL of the configuration (SQLite or PostgreSQL), and
//! [`copy()`] moves from one to another. Results reach a store through [`ResultQueue`] alone: one ordered queue with one writer, so the
//! order of the sequence numbers is the order in which results were judged. Readers ask the store directly.
//!
//! Invariant: no other crate knows SQL.
//! Invariant: at most one result per (check, scheduled time); a second one is ignored.
//! Invariant: a sequence number is given once, also after pruning and restarts.
//! Invariant: nothing here judges. A record is written as it came.
//! Invariant: one process at a time has a database open.

mod address;
mod body;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod copy;
mod document;
mod error;
mod look;
mod postgres;
mod queue;
mod record;
mod sqlite;
mod store;

use std::{path::Path, sync::Arc};

use address::Address;

pub use copy::{CopyProgress, copy, is_empty};
pub use document::{Announced, Change, Document, Kind, Page};
pub use error::{Cause, StoreError, causes};
pub use look::Look;
pub use queue::{Alongside, BATCH_LEN_MAX, QUEUE_LEN_MAX, QueueError, Receipt, ResultQueue};
pub use record::{Committed, ResultRecord, Trigger};
pub use store::{BoxFuture, PluginStates, Pruned, READ_ROWS_MAX, Retention, Store};

/// No number of a result is higher: readers of JSON hold it exactly. A thousand results a second come to it in 285,000 years.
pub const SEQ_MAX: u64 = (1 << 53) - 1;

/// Opens the store that `url` of the configuration names, makes it where it does not exist, and brings its tables up to date.
///
/// - `sqlite:FILE`: a file, relative to `base`, which no other process may have open;
/// - `sqlite::memory:`: nothing is kept after the store is dropped;
/// - `postgres://USER:PASSWORD@HOST:PORT/DATABASE`: the schema `sickbay` of a database, to which no other Sickbay may write. What the URL
///   leaves out comes from where every client of PostgreSQL looks: `PGHOST`, `PGPASSWORD` and their like, and the password file.
///
/// Errors say what is wrong with the URL, the file or its folder, the server or its database, and never repeat the URL: it may hold a
/// password.
pub async fn open(url: &str, base: &Path) -> Result<Arc<dyn Store>, StoreError> {
    match address::parse(url, base)? {
        Address::Memory => Ok(Arc::new(sqlite::open_memory().await?)),
        Address::File(path) => countable(sqlite::open_file(&path, sqlite::BUSY_TIMEOUT).await?, path.display().to_string()).await,
        Address::Server(server) => {
            let label = server.label().to_owned();
            countable(postgres::open(*server).await?, label).await
        }
    }
}

/// Where numbers are higher than any that Sickbay gave, somebody else changed the database, and there may be no number left.
async fn countable(store: impl Store, database: String) -> Result<Arc<dyn Store>, StoreError> {
    let (_, highest) = store.bounds().await?;
    if highest <= SEQ_MAX {
        return Ok(Arc::new(store));
    }
    store.close().await;
    let reason = format!("its results have numbers up to {highest}, and Sickbay gives none above {SEQ_MAX}");
    Err(StoreError::Unusable { database, reason, hint: "restore a backup, or name another database" })
}

/// As [`open`], a store that is there already: a file that is missing is not made.
pub async fn open_existing(url: &str, base: &Path) -> Result<Arc<dyn Store>, StoreError> {
    if let Address::File(path) = address::parse(url, base)?
        && !path.exists()
    {
        let database = path.display().to_string();
        return Err(StoreError::Unusable { database, reason: "there is no such file".to_owned(), hint: "name one that Sickbay made" });
    }
    open(url, base).await
}

/// What the store is like that a URL names; nothing is made or changed, and it may be in use.
pub async fn look(url: &str, base: &Path) -> Result<Look, StoreError> {
    match address::parse(url, base)? {
        Address::Memory => Ok(sqlite::look_at_memory()),
        Address::File(path) => sqlite::look(&path).await,
        Address::Server(server) => postgres::look(&server).await,
    }
}

/// Whether a URL names a store; nothing is opened.
pub fn validate(url: &str) -> Result<(), StoreError> {
    address::parse(url, Path::new("/")).map(drop)
}
