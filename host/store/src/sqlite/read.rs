//! Every read. A reader sees the last commit and never waits for the writer.

use std::sync::Arc;

use sickbay_core::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{
    SqliteStore,
    body::{self, Columns},
    bulk::SqliteQuery,
    signed, unsigned,
};
use crate::{Committed, PluginStates, READ_ROWS_MAX, StoreError};

/// The columns that [`committed_of`] reads. CROSS JOIN: results lead, names are looked up.
macro_rules! select_records {
    ($($tail:expr),+) => {
        concat!(
            "SELECT results.seq, checks.name, results.scheduled_at, plugins.name, plugins.version, results.status, results.body \
             FROM results CROSS JOIN checks USING (check_id) CROSS JOIN plugins USING (plugin_id) WHERE ",
            $($tail),+
        )
    };
}

pub(super) const LAST: &str = select_records!("results.seq IN (", newest_seqs!(), ") ORDER BY results.seq");

/// The numbers come from the index alone, block after block; only what is wanted is read.
pub(super) const RESULTS: &str = select_records!(
    "results.seq IN ( \
       WITH RECURSIVE block(number) AS ( \
         SELECT min(?2 - 1, (SELECT max(seq) FROM results)) >> 14 \
         UNION ALL SELECT (SELECT seq FROM results WHERE seq < number << 14 ORDER BY seq DESC LIMIT 1) >> 14 \
         FROM block WHERE number IS NOT NULL) \
       SELECT found.seq FROM block CROSS JOIN results AS found ON found.seq >> 14 = block.number \
       WHERE found.check_id = (SELECT check_id FROM checks WHERE name = ?1) AND found.seq < ?2 \
       ORDER BY found.seq DESC LIMIT ?3) \
     ORDER BY results.seq DESC"
);

pub(super) const EVENTS: &str = select_records!("results.seq > ?1 ORDER BY results.seq LIMIT ?2");

/// A database that others changed may have a number above the one that was given last.
const BOUNDS: &str = "SELECT (SELECT min(seq) FROM results), \
     max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'results'), 0), coalesce((SELECT max(seq) FROM results), 0))";

/// Without the pages that are free to be used again.
pub(super) const BYTES: &str =
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";

impl SqliteStore {
    pub(super) async fn rows(&self, operation: &'static str, query: SqliteQuery) -> Result<Vec<SqliteRow>, StoreError> {
        let rows = match &self.readers {
            Some(readers) => query.fetch_all(readers).await,
            None => {
                let mut writer = self.writer().await?;
                query.fetch_all(writer.idle().await).await
            }
        };
        rows.map_err(self.failed(operation))
    }

    async fn records(&self, query: SqliteQuery) -> Result<Vec<Committed>, StoreError> {
        let rows = self.rows("reading results", query).await?;
        rows.iter().map(committed_of).collect::<Result<Vec<_>, _>>().map_err(self.failed("reading results"))
    }

    pub(super) async fn read_last(&self) -> Result<Vec<Committed>, StoreError> {
        self.records(sqlx::query(LAST)).await
    }

    pub(super) async fn read_results(&self, check: &str, before: Option<u64>, limit: u32) -> Result<Vec<Committed>, StoreError> {
        let before = signed(before.unwrap_or(u64::MAX));
        self.records(sqlx::query(RESULTS).bind(check).bind(before).bind(limit.min(READ_ROWS_MAX))).await
    }

    pub(super) async fn read_events(&self, after: u64, limit: u32) -> Result<Vec<Committed>, StoreError> {
        self.records(sqlx::query(EVENTS).bind(signed(after)).bind(limit.min(READ_ROWS_MAX))).await
    }

    pub(super) async fn read_plugin_states(&self) -> Result<PluginStates, StoreError> {
        const OPERATION: &str = "reading what plugins keep";
        let query = sqlx::query("SELECT checks.name, key, value FROM plugin_states CROSS JOIN checks USING (check_id)");
        let mut states = PluginStates::new();
        for row in self.rows(OPERATION, query).await? {
            let (check, key, value) = plugin_value_of(&row).map_err(self.failed(OPERATION))?;
            states.entry(check).or_default().insert(key, value);
        }
        Ok(states)
    }

    pub(super) async fn read_bounds(&self) -> Result<(Option<u64>, u64), StoreError> {
        const OPERATION: &str = "reading the bounds of the sequence";
        let rows = self.rows(OPERATION, sqlx::query(BOUNDS)).await?;
        let Some(row) = rows.first() else { return Ok((None, 0)) };
        let lowest: Option<i64> = row.try_get(0).map_err(self.failed(OPERATION))?;
        let highest: Option<i64> = row.try_get(1).map_err(self.failed(OPERATION))?;
        Ok((lowest.map(unsigned), highest.map_or(0, unsigned)))
    }

    pub(super) async fn read_anything(&self) -> Result<(), StoreError> {
        self.rows("reading", sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1")).await.map(drop)
    }

    pub(super) async fn read_bytes(&self) -> Result<u64, StoreError> {
        const OPERATION: &str = "reading the size";
        let rows = self.rows(OPERATION, sqlx::query(BYTES)).await?;
        let Some(row) = rows.first() else { return Ok(0) };
        row.try_get(0).map(unsigned).map_err(self.failed(OPERATION))
    }
}

fn committed_of(row: &SqliteRow) -> Result<Committed, sqlx::Error> {
    let columns = Columns {
        check: text_of(row, 1)?,
        scheduled_at: Timestamp(unsigned(row.try_get(2)?)),
        plugin: text_of(row, 3)?,
        plugin_version: text_of(row, 4)?,
        status: body::status_of(row.try_get(5)?),
    };
    let record = body::decode(columns, row.try_get(6)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Committed { seq: unsigned(row.try_get(0)?), record: Arc::new(record) })
}

fn text_of(row: &SqliteRow, column: usize) -> Result<Arc<str>, sqlx::Error> {
    row.try_get::<&str, _>(column).map(Arc::from)
}

fn plugin_value_of(row: &SqliteRow) -> Result<(String, String, Vec<u8>), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
}
