//! The connections that read: a few, made when they are needed, dropped when they fail.
//!
//! A reader sees the last commit and never waits for the one who writes. It cannot write itself.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection, PgConnection, postgres::PgRow};
use tokio::sync::Semaphore;

use super::{
    PgQuery,
    failure::within,
    server::{Role, Server},
};

/// At once; who comes later waits.
const READERS_MAX: usize = 4;
const CLOSE_MAX: Duration = Duration::from_secs(5);

pub(super) struct Readers {
    server: Server,
    permits: Semaphore,
    /// At most as many as there are permits.
    idle: Mutex<Vec<PgConnection>>,
}

impl Readers {
    pub(super) fn new(server: Server) -> Readers {
        Readers { server, permits: Semaphore::new(READERS_MAX), idle: Mutex::new(Vec::new()) }
    }

    /// All rows of `query`, or an error when they have not come within `limit`: waiting for a connection included.
    pub(super) async fn rows(&self, limit: Duration, query: PgQuery) -> Result<Vec<PgRow>, sqlx::Error> {
        within(limit, self.fetch(query)).await
    }

    async fn fetch(&self, query: PgQuery) -> Result<Vec<PgRow>, sqlx::Error> {
        let _permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut connection = self.connection().await?;
        // What fails, or is not waited for any more, goes with its connection.
        let rows = query.fetch_all(&mut connection).await?;
        self.keep(connection);
        Ok(rows)
    }

    /// One that answers: those that do not, since the server was started anew, are dropped.
    async fn connection(&self) -> Result<PgConnection, sqlx::Error> {
        while let Some(mut connection) = self.take() {
            if connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        self.server.connect(Role::Reader).await
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        while let Some(connection) = self.take() {
            if let Err(error) = within(CLOSE_MAX, connection.close()).await {
                tracing::debug!(%error, "a connection did not close cleanly");
            }
        }
    }

    fn take(&self) -> Option<PgConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: PgConnection) {
        if !self.permits.is_closed() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
