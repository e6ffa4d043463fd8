//! Removing old results, a small step at a time.
//!
//! One pruning removes by age, then by bytes: results, and where none of them can go any more, closed documents. Each step is one statement, which also takes what it removed off the counter. Between two
//! steps the writer is free, and goes to whoever has waited longest.
//!
//! The bytes are counted, not measured: the room of removed rows is used again once autovacuum has been there, but the files of the
//! server do not become smaller by removing. So `bytes_max` bounds what is kept: bodies before compression, with an allowance for what
//! else a row needs. The server's files are about that large, and up to a tenth larger while there is room to be cleaned up.
//!
//! Invariant: of every check the newest record stays, also where it was written while a pruning runs.

use sickbay_core::Timestamp;
use sqlx::Row;

use super::{PgQuery, PostgresStore, read::BYTES};
use crate::{
    Pruned, Retention, StoreError,
    body::{signed, unsigned},
};

/// Some tens of milliseconds of the server's time.
const ROWS_PER_CHUNK_MAX: i64 = 2_000;
const OPERATION: &str = "pruning";

/// One step. What is older than another record of its check may go. An array, so that rows are always found by their number.
macro_rules! remove {
    ($which:expr) => {
        concat!(
            "WITH removed AS (DELETE FROM results WHERE seq = ANY (ARRAY(SELECT old.seq FROM results AS old WHERE ",
            "old.seq < (SELECT max(newer.seq) FROM results AS newer WHERE newer.check_id = old.check_id) AND ",
            $which,
            ")) RETURNING bytes), \
             removed_in_all AS (SELECT count(*) AS len, coalesce(sum(bytes), 0)::bigint AS bytes FROM removed) \
             UPDATE counter SET bytes = greatest(counter.bytes - removed_in_all.bytes, 0) FROM removed_in_all \
             RETURNING removed_in_all.len"
        )
    };
}

/// Rules of age: $1 how many, $2 the highest number to touch, $3 the oldest scheduled time to keep.
const OLD_OK: &str = remove!("old.status = 1 AND old.seq <= $2 AND old.scheduled_at < $3 ORDER BY old.scheduled_at LIMIT $1");
const OLD_OTHER: &str = remove!("old.status <> 1 AND old.seq <= $2 AND old.scheduled_at < $3 ORDER BY old.scheduled_at LIMIT $1");
/// Rule of bytes: $1 how many, $2 the highest number to touch.
const OLDEST: &str = remove!("old.seq <= $2 ORDER BY old.seq LIMIT $1");

impl PostgresStore {
    pub(super) async fn prune_results(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, StoreError> {
        // What is written from here on is not touched, so the pruning ends.
        let (_, horizon) = self.read_bounds().await?;
        let horizon = signed(horizon);
        let mut pruned = Pruned::default();
        for (rule, age) in [(OLD_OK, retention.ok), (OLD_OTHER, retention.other)] {
            let cutoff = signed(now.minus(age).0);
            loop {
                let removed = self.remove(sqlx::query(rule).bind(ROWS_PER_CHUNK_MAX).bind(horizon).bind(cutoff)).await?;
                pruned.by_age += removed;
                if signed(removed) < ROWS_PER_CHUNK_MAX {
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
            let mut removed = self.remove(sqlx::query(OLDEST).bind(ROWS_PER_CHUNK_MAX).bind(horizon)).await?;
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

    async fn remove(&self, rule: PgQuery) -> Result<u64, StoreError> {
        let row = self.writer().await?.step(OPERATION, rule).await?;
        row.try_get(0).map(unsigned).map_err(self.server.failed(OPERATION))
    }

    /// As the writer sees it, after all that it removed.
    async fn bytes_in_use(&self) -> Result<u64, StoreError> {
        let row = self.writer().await?.step(OPERATION, sqlx::query(BYTES)).await?;
        row.try_get(0).map(unsigned).map_err(self.server.failed(OPERATION))
    }
}
