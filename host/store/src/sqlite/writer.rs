//! The one connection that writes.
//!
//! One batch: begin, give numbers, insert with few statements, replace what plugins keep, change documents, commit. A duplicate is rare, so
//! nobody looks for one beforehand: the unique index says so, and the batch is done again without what is there already.
//!
//! Invariant: nothing is remembered of a transaction that did not commit.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use sqlx::{Connection, Row, SqliteConnection, raw_sql};

use super::{
    body,
    bulk::{BulkInsert, SqliteQuery},
    documents,
    names::Names,
    signed, unsigned,
};
use crate::{
    Announced, Change, Committed, ResultRecord,
    document::{Row as DocumentRow, net},
};

pub(super) struct Writer {
    connection: SqliteConnection,
    /// A transaction was begun and neither committed nor rolled back: an error, or a caller that stopped waiting.
    unfinished: bool,
    /// As committed; taken out for the time of a transaction, so what fails on the way leaves none.
    names: Option<Names>,
    results: BulkInsert,
    plugin_states: BulkInsert,
}

struct ResultRow {
    seq: i64,
    check_id: i64,
    plugin_id: i64,
    scheduled_at: i64,
    status: i64,
    transition: i64,
    body: String,
}

struct PluginStateRow<'a> {
    check_id: i64,
    key: &'a str,
    value: &'a [u8],
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection) -> Writer {
        Writer {
            connection,
            unfinished: false,
            names: None,
            results: BulkInsert::new("results (seq, check_id, plugin_id, scheduled_at, status, transition, body)", 7),
            plugin_states: BulkInsert::new("plugin_states (check_id, key, value)", 3),
        }
    }

    /// The number of each record; None: it is there already. Those of announced documents follow.
    pub(super) async fn write(&mut self, records: &[Arc<ResultRecord>], changes: &[Change]) -> Result<Vec<Option<u64>>, sqlx::Error> {
        if records.is_empty() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<Option<&ResultRecord>> = records.iter().map(|record| Some(&**record)).collect();
        let outcome = self.transact(records, changes).await;
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    /// Writes records with the numbers that they have.
    pub(super) async fn restore(&mut self, committed: &[Committed]) -> Result<(), sqlx::Error> {
        let outcome = self.transact_given(committed).await;
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    /// As [`Writer::restore`], of documents. No number up to `highest` is given any more.
    pub(super) async fn restore_announced(&mut self, announced: &[Announced], highest: u64) -> Result<(), sqlx::Error> {
        let outcome = self.transact_announced(announced, highest).await;
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    async fn transact_announced(&mut self, announced: &[Announced], highest: u64) -> Result<(), sqlx::Error> {
        let rows: Vec<DocumentRow<'_>> = announced.iter().map(|announced| (Some(signed(announced.seq)), &announced.document)).collect();
        self.begin().await?;
        documents::put(&mut self.connection, &rows).await?;
        self.number_above(signed(highest)).await?;
        self.commit().await
    }

    async fn transact_given(&mut self, committed: &[Committed]) -> Result<(), sqlx::Error> {
        let records: Vec<Option<&ResultRecord>> = committed.iter().map(|committed| Some(&*committed.record)).collect();
        let given: Vec<i64> = committed.iter().map(|committed| signed(committed.seq)).collect();
        self.begin().await?;
        let mut names = match self.names.take() {
            Some(names) => names,
            None => Names::load(&mut self.connection).await?,
        };
        self.insert(&mut names, &records, Some(&given)).await?;
        self.commit().await?;
        self.names = Some(names);
        Ok(())
    }

    /// What is None is not written.
    async fn transact(&mut self, mut records: Vec<Option<&ResultRecord>>, changes: &[Change]) -> Result<Vec<Option<u64>>, sqlx::Error> {
        self.begin().await?;
        let mut names = match self.names.take() {
            Some(names) => names,
            None => Names::load(&mut self.connection).await?,
        };
        let mut seqs = match self.insert(&mut names, &records, None).await {
            Err(error) if is_duplicate(&error) => {
                self.begin().await?;
                names = Names::load(&mut self.connection).await?;
                self.leave_out_duplicates(&mut names, &mut records).await?;
                self.insert(&mut names, &records, None).await?
            }
            outcome => outcome?,
        };
        let net = net(changes);
        let before = self.highest_seq().await?;
        documents::change(&mut self.connection, &net, before.saturating_add(1)).await?;
        if !net.announced.is_empty() {
            let last = before.saturating_add(signed(net.announced.len() as u64));
            self.number_above(last).await?;
            seqs.extend((before.saturating_add(1)..=last).map(|seq| Some(unsigned(seq))));
        }
        self.commit().await?;
        self.names = Some(names);
        Ok(seqs)
    }

    /// The connection, outside any transaction.
    pub(super) async fn idle(&mut self) -> &mut SqliteConnection {
        if self.unfinished {
            self.roll_back().await;
        }
        &mut self.connection
    }

    pub(super) async fn close(mut self) {
        self.idle().await;
        // Closing has nothing left to write: every commit is on the disk already.
        if let Err(error) = self.connection.close().await {
            tracing::debug!(%error, "the database did not close cleanly");
        }
    }

    /// Begins afresh: whatever was begun before is rolled back. The write lock is taken at once, so that no later statement
    /// can find the database changed under it.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.idle().await;
        self.unfinished = true;
        raw_sql("BEGIN IMMEDIATE").execute(&mut self.connection).await?;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        raw_sql("COMMIT").execute(&mut self.connection).await?;
        self.unfinished = false;
        Ok(())
    }

    /// An error means that there is nothing to roll back: a full disk, for one, makes SQLite do it by itself.
    async fn roll_back(&mut self) {
        self.names = None;
        if let Err(error) = raw_sql("ROLLBACK").execute(&mut self.connection).await {
            tracing::debug!(%error, "nothing to roll back");
        }
        self.unfinished = false;
    }

    /// Where no numbers are given the next ones are taken.
    async fn insert(
        &mut self,
        names: &mut Names,
        records: &[Option<&ResultRecord>],
        given: Option<&[i64]>,
    ) -> Result<Vec<Option<u64>>, sqlx::Error> {
        let mut seq = self.highest_seq().await?;
        let mut seqs = Vec::with_capacity(records.len());
        let mut rows = Vec::with_capacity(records.len());
        // The last of a batch counts.
        let mut plugin_states = HashMap::new();
        for (place, record) in records.iter().enumerate() {
            let Some(record) = *record else {
                seqs.push(None);
                continue;
            };
            seq = given.and_then(|given| given.get(place).copied()).unwrap_or(seq.saturating_add(1));
            seqs.push(Some(unsigned(seq)));
            let row = ResultRow {
                seq,
                check_id: names.check_id(&mut self.connection, &record.check).await?,
                plugin_id: names.plugin_id(&mut self.connection, &record.plugin, &record.plugin_version).await?,
                scheduled_at: signed(record.scheduled_at.0),
                status: body::status_number(record.status),
                transition: i64::from(record.transition.is_some()),
                body: body::encode(record).map_err(|error| sqlx::Error::Encode(Box::new(error)))?,
            };
            if let Some(plugin_state) = &record.plugin_state {
                plugin_states.insert(row.check_id, &**plugin_state);
            }
            rows.push(row);
        }
        self.results.execute(&mut self.connection, rows, bind_result).await?;
        self.replace_plugin_states(plugin_states).await?;
        Ok(seqs)
    }

    async fn highest_seq(&mut self) -> Result<i64, sqlx::Error> {
        let row = sqlx::query("SELECT seq FROM sqlite_sequence WHERE name = 'results'").fetch_optional(&mut self.connection).await?;
        row.map_or(Ok(0), |row| row.try_get(0))
    }

    /// A database that never had a result has no row for them.
    async fn number_above(&mut self, seq: i64) -> Result<(), sqlx::Error> {
        let update = sqlx::query("UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'results'").bind(seq);
        if update.execute(&mut self.connection).await?.rows_affected() > 0 {
            return Ok(());
        }
        let insert = sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES ('results', ?1)").bind(seq);
        insert.execute(&mut self.connection).await.map(drop)
    }

    async fn replace_plugin_states(&mut self, states: HashMap<i64, &BTreeMap<String, Vec<u8>>>) -> Result<(), sqlx::Error> {
        if states.is_empty() {
            return Ok(());
        }
        let check_ids: Vec<i64> = states.keys().copied().collect();
        let check_ids = serde_json::to_string(&check_ids).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        sqlx::query("DELETE FROM plugin_states WHERE check_id IN (SELECT value FROM json_each(?1))")
            .bind(check_ids)
            .execute(&mut self.connection)
            .await?;
        let mut rows = Vec::new();
        for (check_id, state) in states {
            rows.extend(state.iter().map(|(key, value)| PluginStateRow { check_id, key, value }));
        }
        self.plugin_states.execute(&mut self.connection, rows, bind_plugin_state).await
    }

    /// Leaves out the records whose (check, scheduled time) is in the database or earlier among them.
    async fn leave_out_duplicates(&mut self, names: &mut Names, records: &mut [Option<&ResultRecord>]) -> Result<(), sqlx::Error> {
        let mut seen = HashSet::new();
        for place in records {
            let Some(record) = *place else { continue };
            let check_id = names.check_id(&mut self.connection, &record.check).await?;
            let scheduled_at = signed(record.scheduled_at.0);
            let found = sqlx::query("SELECT 1 FROM results WHERE scheduled_at = ?1 AND check_id = ?2")
                .bind(scheduled_at)
                .bind(check_id)
                .fetch_optional(&mut self.connection)
                .await?;
            if found.is_some() || !seen.insert((check_id, scheduled_at)) {
                *place = None;
            }
        }
        Ok(())
    }
}

fn bind_result(query: SqliteQuery, row: ResultRow) -> SqliteQuery {
    query.bind(row.seq).bind(row.check_id).bind(row.plugin_id).bind(row.scheduled_at).bind(row.status).bind(row.transition).bind(row.body)
}

fn bind_plugin_state(query: SqliteQuery, row: PluginStateRow<'_>) -> SqliteQuery {
    query.bind(row.check_id).bind(row.key).bind(row.value)
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}
