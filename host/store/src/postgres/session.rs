//! The one session that writes: connected, claimed, looked at, its tables up to date.
//!
//! Whoever uses it takes it out of the writer and gives it back with no transaction open. One that is not given back, since it failed
//! or since nobody waited for it any more, is gone, and its connection with it.

use std::time::Duration;

use sqlx::{Connection, PgConnection, postgres::PgRow, raw_sql};

use super::{
    PgQuery,
    claim::{self, Claim, SessionId},
    failure::within,
    names::Names,
    schema,
    server::{Role, Server},
};
use crate::{ResultRecord, StoreError};

/// Claiming waits for a lock, twice at most.
const CLAIM_MAX: Duration = Duration::from_secs(15);
/// A session that does not answer within this is given up.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Longer than the server lets a statement take.
const STEP_MAX: Duration = Duration::from_secs(20);

pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) id: SessionId,
    /// As committed; taken out for the time of a transaction, so what fails on the way leaves none.
    names: Option<Names>,
}

impl Session {
    /// `lost` is the session that this process had before: the server may not know yet that it is gone.
    pub(super) async fn open(server: &Server, lost: Option<SessionId>) -> Result<Session, StoreError> {
        const OPERATION: &str = "opening";
        let mut connection = server.connect(Role::Writer).await.map_err(server.failed(OPERATION))?;
        // Before anything is looked at: what is seen then does not change any more.
        let id = match within(CLAIM_MAX, claim::claim(&mut connection, lost)).await.map_err(server.failed(OPERATION))? {
            Claim::Mine(id) => id,
            Claim::Theirs(holder) => return Err(StoreError::Claimed { database: server.label().to_owned(), holder }),
        };
        let found = schema::look(&mut connection).await.map_err(server.failed(OPERATION))?;
        found.refuse(server.label())?;
        schema::prepare(&mut connection, server, &found).await?;
        Ok(Session { connection, id, names: None })
    }

    /// Whether there is somebody at the other end.
    pub(super) async fn answers(&mut self) -> bool {
        within(ANSWER_MAX, self.connection.ping()).await.is_ok()
    }

    /// Begins a transaction, and gives the numbers of all names in `records`, new ones included.
    pub(super) async fn begin(&mut self, records: &[&ResultRecord]) -> Result<Names, sqlx::Error> {
        raw_sql("BEGIN").execute(&mut self.connection).await?;
        let mut names = match self.names.take() {
            Some(names) => names,
            None => Names::load(&mut self.connection).await?,
        };
        names.learn(&mut self.connection, records).await?;
        Ok(names)
    }

    /// Commits; `names` are those of the transaction.
    pub(super) async fn commit(&mut self, names: Names) -> Result<(), sqlx::Error> {
        raw_sql("COMMIT").execute(&mut self.connection).await?;
        self.names = Some(names);
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.names = None;
        within(ANSWER_MAX, raw_sql("ROLLBACK").execute(&mut self.connection)).await.map(drop)
    }

    /// One statement, which is a transaction of its own.
    pub(super) async fn step(&mut self, query: PgQuery) -> Result<PgRow, sqlx::Error> {
        within(STEP_MAX, query.fetch_one(&mut self.connection)).await
    }

    /// Lets go of the claim before it answers, so that the next one who opens the database finds it free.
    pub(super) async fn close(self) {
        if let Err(error) = within(ANSWER_MAX, end(self.connection)).await {
            tracing::debug!(%error, "the session did not close cleanly");
        }
    }
}

async fn end(mut connection: PgConnection) -> Result<(), sqlx::Error> {
    claim::release(&mut connection).await?;
    connection.close().await
}
