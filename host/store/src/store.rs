//! What the host asks of a store.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use sickbay_core::Timestamp;

use crate::{Announced, Change, Committed, Document, Kind, Page, ResultRecord, StoreError};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// No read gives more rows than this, whatever its `limit` says ([`Store::last`] gives one row for each check).
pub const READ_ROWS_MAX: u32 = 10_000;

/// The small values of every check's plugin, by check and key.
pub type PluginStates = HashMap<String, BTreeMap<String, Vec<u8>>>;

/// Where results are kept. Every implementation passes the same conformance suite.
pub trait Store: Send + Sync + 'static {
    /// Writes records as [`Store::commit`] does, and nothing else.
    fn write<'a>(&'a self, records: &'a [Arc<ResultRecord>]) -> BoxFuture<'a, Result<Vec<Option<u64>>, StoreError>> {
        self.commit(records, &[])
    }

    /// Writes records in their order, in one transaction: all or none. Answers for each of them, in the same order, with its number,
    /// which continues from the highest ever given. One whose (check, scheduled time) is there already is ignored and gets none.
    /// What changes of documents goes along in the same transaction. The numbers of those that are announced follow in the answer, behind
    /// those of the records, and are higher.
    fn commit<'a>(&'a self, records: &'a [Arc<ResultRecord>], changes: &'a [Change])
    -> BoxFuture<'a, Result<Vec<Option<u64>>, StoreError>>;

    /// Writes records of another store with the numbers that they have there, in one transaction: all or none. Each number is higher
    /// than any that was given here; a record that is there already is an error.
    fn restore<'a>(&'a self, committed: &'a [Committed]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Writes documents of another store with the numbers that they have there, and goes on numbering above `highest`, which is the highest
    /// that was given there: in one transaction.
    fn restore_announced<'a>(&'a self, announced: &'a [Announced], highest: u64) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The newest record of every check that ever had one, by `seq`.
    fn last(&self) -> BoxFuture<'_, Result<Vec<Committed>, StoreError>>;

    /// What plugins keep, by check; a check whose plugin keeps nothing is not in it.
    fn plugin_states(&self) -> BoxFuture<'_, Result<PluginStates, StoreError>>;

    /// The history of one check, newest first: at most `limit` records whose `seq` is less than `before`.
    fn results<'a>(&'a self, check: &'a str, before: Option<u64>, limit: u32) -> BoxFuture<'a, Result<Vec<Committed>, StoreError>>;

    /// The history of all checks, oldest first: at most `limit` records whose `seq` is greater than `after`.
    fn events(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Committed>, StoreError>>;

    /// Documents that were announced, in the order of their numbers: at most `limit` whose `seq` is greater than `after`.
    fn announced(&self, after: u64, limit: u32) -> BoxFuture<'_, Result<Vec<Announced>, StoreError>>;

    /// The documents of a kind that are open, by id: at most `limit` of those whose id is greater than `after`.
    fn open_documents<'a>(&'a self, kind: Kind, after: &'a str, limit: u32) -> BoxFuture<'a, Result<Vec<Document>, StoreError>>;

    fn document<'a>(&'a self, kind: Kind, id: &'a str) -> BoxFuture<'a, Result<Option<Document>, StoreError>>;

    /// One page of a list of documents, newest first.
    fn documents<'a>(&'a self, page: Page<'a>) -> BoxFuture<'a, Result<Vec<Document>, StoreError>>;

    /// The lowest `seq` of a result that is kept, and the highest that was ever given, to a result or a document (0: none). There may be gaps
    /// between them.
    fn bounds(&self) -> BoxFuture<'_, Result<(Option<u64>, u64), StoreError>>;

    /// Removes what `retention` no longer wants, in small steps, so that a write never waits for long.
    fn prune<'a>(&'a self, retention: &'a Retention, now: Timestamp) -> BoxFuture<'a, Result<Pruned, StoreError>>;

    /// Whether the store answers at all, and from the database that it opened.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Bytes in use: what [`Retention::bytes_max`] bounds. A file is measured; in PostgreSQL, whose files do not become smaller by
    /// removing, results and documents are counted.
    fn bytes(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Lets go of the database. Everything afterwards is [`StoreError::Closed`]; closing again does nothing.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// How long results are kept. The newest record of every check is always kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Results that are ok, counted from their scheduled time.
    pub ok: Duration,
    /// All others, and closed documents.
    pub other: Duration,
    /// Above this the oldest results go, whatever their age, and where none can go any more the oldest closed documents.
    pub bytes_max: u64,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { ok: Duration::from_secs(24 * 3600), other: Duration::from_secs(30 * 24 * 3600), bytes_max: 2_000_000_000 }
    }
}

/// How many results and documents one pruning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub by_age: u64,
    pub by_bytes: u64,
}
