//! Removing old results, a small step at a time.
//!
//! One pruning notes the newest result of every check, then removes by age, then by bytes: results, and where none of
//! them can go any more, closed documents. Between two steps the writer's lock
//! is free, and it goes to whoever has waited longest.
//!
//! Invariant: a result that is written while a pruning runs is not touched by it, so the newest record of a check always stays.

use sickbay_core::Timestamp;
use sqlx::{Row, SqliteConnection, raw_sql};

use super::{SqliteStore, bulk::SqliteQuery, read::BYTES, signed, unsigned};
use crate::{Pruned, Retention, StoreError};

/// About 15 ms of the writer's time.
const ROWS_PER_CHUNK_MAX: u64 = 2_000;

const NOTE_NEWEST: &str = concat!(
    "CREATE TEMP TABLE IF NOT EXISTS newest (seq INTEGER PRIMARY KEY); \
     DELETE FROM temp.newest; \
     INSERT INTO temp.newest SELECT seq FROM (",
    newest_seqs!(),
    ") WHERE seq IS NOT NULL"
);

/// Rules of age: ?1 the oldest scheduled time to keep, ?2 the highest `seq` to touch, ?3 how many.
const OLD_OK: &str = "DELETE FROM results WHERE seq IN (SELECT seq FROM results WHERE status = 1 AND scheduled_at < ?1 \
     AND seq <= ?2 AND seq NOT IN (SELECT seq FROM temp.newest) ORDER BY scheduled_at LIMIT ?3)";
const OLD_OTHER: &str = "DELETE FROM results WHERE seq IN (SELECT seq FROM results WHERE status <> 1 AND scheduled_at < ?1 \
     AND seq <= ?2 AND seq NOT IN (SELECT seq FROM temp.newest) ORDER BY scheduled_at LIMIT ?3)";
/// Rule of bytes: ?1 the highest `seq` to touch, ?2 how many.
const OLDEST: &str = "DELETE FROM results WHERE seq IN (SELECT seq FROM results WHERE seq <= ?1 \
     AND seq NOT IN (SELECT seq FROM temp.newest) ORDER BY seq LIMIT ?2)";

impl SqliteStore {
    pub(super) async fn prune_results(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        let horizon = {
            let mut writer = self.writer().await?;
            note_newest(writer.idle().await).await.map_err(self.failed("pruning"))?
        };
        let mut pruned = Pruned::default();
        for (rule, age) in [(OLD_OK, retention.ok), (OLD_OTHER, retention.other)] {
            let cutoff = signed(now.minus(age).0);
            loop {
                let removed = self.remove(sqlx::query(rule).bind(cutoff).bind(horizon)).await?;
                pruned.by_age += removed;
                if removed < ROWS_PER_CHUNK_MAX {
                    break;
                }
            }
        }
        let cutoff = now.minus(retention.other);
        loop {
            let (removed, is_more) = self.remove_old_documents(cutoff).await?;
            pruned.by_age += removed;
            if !is_more {
                break;
            }
        }
        while self.bytes_in_use().await? > retention.bytes_max {
            let mut removed = self.remove(sqlx::query(OLDEST).bind(horizon)).await?;
            if removed == 0 {
                (removed, _) = self.remove_old_documents(Timestamp(u64::MAX)).await?;
            }
            pruned.by_bytes += removed;
            if removed == 0 {
                break;
            }
        }
        Ok(pruned)
    }

    /// One step. The last parameter of every rule is the number of rows.
    async fn remove(&self, rule: SqliteQuery) -> Result<u64, StoreError> {
        let rule = rule.bind(signed(ROWS_PER_CHUNK_MAX));
        let mut writer = self.writer().await?;
        let done = rule.execute(writer.idle().await).await.map_err(self.failed("pruning"))?;
        Ok(done.rows_affected())
    }

    /// As the writer sees it: a reader may not see the last step yet.
    async fn bytes_in_use(&self) -> Result<u64, StoreError> {
        let mut writer = self.writer().await?;
        let row = sqlx::query(BYTES).fetch_one(writer.idle().await).await.map_err(self.failed("pruning"))?;
        row.try_get(0).map(unsigned).map_err(self.failed("pruning"))
    }
}

/// Notes what must stay; gives the highest `seq` there is.
async fn note_newest(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    raw_sql(NOTE_NEWEST).execute(&mut *connection).await?;
    let row = sqlx::query("SELECT coalesce(max(seq), 0) FROM results").fetch_one(&mut *connection).await?;
    row.try_get(0)
}
