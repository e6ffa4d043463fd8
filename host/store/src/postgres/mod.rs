//! The store in a PostgreSQL database: 13 or newer, in a schema `sickbay` of its own.
//!
//! `Writer` owns the only session that writes; whoever writes or prunes takes its lock. Readers have a few connections that cannot
//! write. A connection that is lost is made anew by the next who needs it; the queue before the store tries a failed write again.
//!
//! What an operator needs: a database with the encoding UTF8, reached directly or through a pooler that gives a session its own
//! connection; five connections; a role that may make the schema (`CREATE` on the database), or a schema that was made for it:
//! `CREATE SCHEMA sickbay AUTHORIZATION role`. Where the tables are up to date the right to use them is enough. A commit is as durable as
//! the server makes it: `synchronous_commit` is not touched.
//!
//! Invariant: one Sickbay at a time writes to a database (`claim`).
//! Invariant: numbers rise by one in the order of the commits; none is given twice, also where the answer to a commit was lost.
//! Invariant: a database of another program or of a newer Sickbay is not changed; nothing outside the schema is touched.
//! Invariant: pruning never takes the newest record of a check.
//! Invariant: every wait for the server has an end.

mod bulk;
mod claim;
mod documents;
mod failure;
mod names;
mod prune;
mod read;
mod readers;
mod schema;
mod server;
mod session;
mod standing;
#[cfg(test)]
mod testing;
mod writer;

use std::sync::Arc;

use sickbay_core::Timestamp;
use sqlx::{Postgres, postgres::PgArguments, query::Query};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::{
    Announced, BoxFuture, Change, Committed, Document, Kind, Page, PluginStates, Pruned, ResultRecord, Retention, Store, StoreError,
};
use readers::Readers;
pub(crate) use server::Server;
pub(crate) use standing::look;
use writer::Writer;

type PgQuery = Query<'static, Postgres, PgArguments>;

pub(crate) struct PostgresStore {
    server: Server,
    /// None once closed.
    writer: Mutex<Option<Writer>>,
    readers: Readers,
}

/// Opens the database, makes the schema where there is none, and brings its tables up to date.
pub(crate) async fn open(server: Server) -> Result<PostgresStore, StoreError> {
    let writer = Mutex::new(Some(Writer::open(server.clone()).await?));
    let store = PostgresStore { readers: Readers::new(server.clone()), writer, server };
    store.ping().await?;
    Ok(store)
}

impl PostgresStore {
    async fn writer(&self) -> Result<MappedMutexGuard<'_, Writer>, StoreError> {
        MutexGuard::try_map(self.writer.lock().await, Option::as_mut).map_err(|_| StoreError::Closed)
    }
}

impl Store for PostgresStore {
    fn commit<'a>(
        &'a self,
        records: &'a [Arc<ResultRecord>],
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<Vec<Option<u64>>, StoreError>> {
        Box::pin(async move { self.writer().await?.write(records, changes).await })
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
        Box::pin(async move { self.writer().await?.restore(committed).await })
    }

    fn restore_announced<'a>(&'a self, announced: &'a [Announced], highest: u64) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.writer().await?.restore_announced(announced, highest).await })
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
        Box::pin(self.read_anything())
    }

    fn bytes(&self) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(self.read_bytes())
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.readers.close().await;
            let writer = self.writer.lock().await.take();
            if let Some(writer) = writer {
                writer.close().await;
            }
        })
    }
}

#[cfg(test)]
mod tests;
