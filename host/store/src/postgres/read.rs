//! Every read.

use std::{sync::Arc, time::Duration};

use sickbay_core::Timestamp;
use sqlx::{Row, postgres::PgRow};

use super::{PgQuery, PostgresStore};
use crate::{
    Committed, PluginStates, READ_ROWS_MAX, StoreError,
    body::{self, Columns, signed, unsigned},
};

/// A read, waiting for a connection included.
const READ_MAX: Duration = Duration::from_secs(20);
/// Whether the server answers, likewise.
const PING_MAX: Duration = Duration::from_secs(3);

/// The columns that [`committed_of`] reads: results are chosen first, names are looked up for those alone.
macro_rules! select_records {
    ($chosen:expr, $order:expr) => {
        concat!(
            "SELECT chosen.seq, checks.name, chosen.scheduled_at, plugins.name, plugins.version, chosen.status, chosen.body FROM (",
            $chosen,
            ") AS chosen JOIN checks USING (check_id) JOIN plugins USING (plugin_id) ORDER BY chosen.seq ",
            $order
        )
    };
}

pub(super) const LAST: &str = select_records!(
    "SELECT newest.* FROM checks CROSS JOIN LATERAL \
     (SELECT * FROM results WHERE results.check_id = checks.check_id ORDER BY seq DESC LIMIT 1) AS newest",
    "ASC"
);

pub(super) const RESULTS: &str = select_records!(
    "SELECT * FROM results WHERE check_id = (SELECT check_id FROM checks WHERE name = $1) AND seq < $2 ORDER BY seq DESC LIMIT $3",
    "DESC"
);

pub(super) const EVENTS: &str = select_records!("SELECT * FROM results WHERE seq > $1 ORDER BY seq LIMIT $2", "ASC");

const PLUGIN_STATES: &str = "SELECT checks.name, plugin_states.key, plugin_states.value FROM plugin_states JOIN checks USING (check_id)";

const BOUNDS: &str = "SELECT (SELECT min(seq) FROM results), (SELECT last_seq FROM counter)";

pub(super) const BYTES: &str = "SELECT bytes FROM counter";

impl PostgresStore {
    pub(super) async fn rows(&self, operation: &'static str, query: PgQuery) -> Result<Vec<PgRow>, StoreError> {
        self.readers.rows(READ_MAX, query).await.map_err(self.server.failed(operation))
    }

    async fn records(&self, query: PgQuery) -> Result<Vec<Committed>, StoreError> {
        const OPERATION: &str = "reading results";
        let rows = self.rows(OPERATION, query).await?;
        rows.iter().map(committed_of).collect::<Result<Vec<_>, _>>().map_err(self.server.failed(OPERATION))
    }

    pub(super) async fn read_last(&self) -> Result<Vec<Committed>, StoreError> {
        self.records(sqlx::query(LAST)).await
    }

    pub(super) async fn read_results(&self, check: &str, before: Option<u64>, limit: u32) -> Result<Vec<Committed>, StoreError> {
        if check.contains('\0') {
            // No text in the database has one, and the server would not even take the question.
            return Ok(Vec::new());
        }
        let before = signed(before.unwrap_or(u64::MAX));
        self.records(sqlx::query(RESULTS).bind(check).bind(before).bind(rows_max(limit))).await
    }

    pub(super) async fn read_events(&self, after: u64, limit: u32) -> Result<Vec<Committed>, StoreError> {
        self.records(sqlx::query(EVENTS).bind(signed(after)).bind(rows_max(limit))).await
    }

    pub(super) async fn read_plugin_states(&self) -> Result<PluginStates, StoreError> {
        const OPERATION: &str = "reading what plugins keep";
        let mut states = PluginStates::new();
        for row in self.rows(OPERATION, sqlx::query(PLUGIN_STATES)).await? {
            let (check, key, value) = plugin_value_of(&row).map_err(self.server.failed(OPERATION))?;
            states.entry(check).or_default().insert(key, value);
        }
        Ok(states)
    }

    pub(super) async fn read_bounds(&self) -> Result<(Option<u64>, u64), StoreError> {
        const OPERATION: &str = "reading the bounds of the sequence";
        let rows = self.rows(OPERATION, sqlx::query(BOUNDS)).await?;
        let Some(row) = rows.first() else { return Ok((None, 0)) };
        let lowest: Option<i64> = row.try_get(0).map_err(self.server.failed(OPERATION))?;
        let highest: Option<i64> = row.try_get(1).map_err(self.server.failed(OPERATION))?;
        Ok((lowest.map(unsigned), highest.map_or(0, unsigned)))
    }

    /// From one of our tables: a server that lost them is not well.
    pub(super) async fn read_anything(&self) -> Result<(), StoreError> {
        self.readers.rows(PING_MAX, sqlx::query(BYTES)).await.map(drop).map_err(self.server.failed("reading"))
    }

    pub(super) async fn read_bytes(&self) -> Result<u64, StoreError> {
        const OPERATION: &str = "reading the size";
        let rows = self.rows(OPERATION, sqlx::query(BYTES)).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        row.try_get(0).map(unsigned).map_err(self.server.failed(OPERATION))
    }
}

fn rows_max(limit: u32) -> i64 {
    i64::from(limit.min(READ_ROWS_MAX))
}

fn committed_of(row: &PgRow) -> Result<Committed, sqlx::Error> {
    let columns = Columns {
        check: text_of(row, 1)?,
        scheduled_at: Timestamp(unsigned(row.try_get(2)?)),
        plugin: text_of(row, 3)?,
        plugin_version: text_of(row, 4)?,
        status: body::status_of(i64::from(row.try_get::<i16, _>(5)?)),
    };
    let record = body::decode(columns, row.try_get(6)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Committed { seq: unsigned(row.try_get(0)?), record: Arc::new(record) })
}

fn text_of(row: &PgRow, column: usize) -> Result<Arc<str>, sqlx::Error> {
    row.try_get::<&str, _>(column).map(Arc::from)
}

fn plugin_value_of(row: &PgRow) -> Result<(String, String, Vec<u8>), sqlx::Error> {
    let key = String::from_utf8(row.try_get(1)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok((row.try_get(0)?, key, row.try_get(2)?))
}
