//! The one who writes.
//!
//! One batch: begin, take numbers from the counter, insert with few statements, replace what plugins keep, change documents, commit. The counter's row
//! stays locked until the commit, so numbers rise in the order of the commits and no reader ever sees one before those below it. A
//! duplicate is rare, so nobody looks for one beforehand: fewer rows come in than were sent, and the batch is done again without what is
//! there already.
//!
//! A commit whose answer does not come may have happened. Its numbers are kept, and the next batch looks first: what it finds under
//! the number that was meant for it is no duplicate, but this very record. The claim (`claim`) sees to it that by then
//! nothing of the lost session is still under way. Documents are written again, and those that are announced get new numbers.
//!
//! Several hosts on one database would take their turns at the counter's row: it serialises their commits, not their runs.
//!
//! Invariant: nothing is remembered of a transaction that did not commit, but the numbers of one that may have.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{
    PgQuery,
    bulk::{ResultRow, insert_results, replace_plugin_states},
    claim::SessionId,
    documents,
    failure::within,
    names::Names,
    server::Server,
    session::Session,
};
use crate::{
    Announced, Change, Committed, ResultRecord, StoreError,
    body::{self, signed, unsigned},
    document::{Row as DocumentRow, net},
};

/// One batch, begin to commit.
const WRITE_MAX: Duration = Duration::from_secs(20);
/// Longer by this for each document: one decision may change as many as there are incidents, and a batch that never ends in time would
/// hold up the queue for good.
const WRITE_PER_DOCUMENT_MAX: Duration = Duration::from_millis(2);
/// A batch is tried again without its duplicates; more than once only where somebody else writes beside this one.
const ATTEMPTS_MAX: u32 = 3;

/// $1 is at least the highest number that this process ever committed: a server that came back without its last commits gives none
/// of them again.
const TAKE_NUMBERS: &str =
    "UPDATE counter SET last_seq = greatest(last_seq, $1::bigint) + $2::bigint, bytes = bytes + $3::bigint RETURNING last_seq";

pub(super) struct Writer {
    server: Server,
    /// None while it is in use, and where it was lost.
    session: Option<Session>,
    /// The session that was taken out and not given back.
    lost: Option<SessionId>,
    numbers: Numbers,
}

/// What is known of numbers beyond a session.
#[derive(Default)]
struct Numbers {
    /// The highest that was committed.
    highest: i64,
    /// Those whose commit was asked for and not answered, by check and scheduled time.
    in_doubt: HashMap<(Arc<str>, i64), i64>,
}

/// Check and scheduled time, and the number that is in the database.
type Present = HashMap<(i32, i64), i64>;

/// What is to be inserted of some records, and the answer for each of them.
struct Batch<'a> {
    seqs: Vec<Option<i64>>,
    rows: Vec<ResultRow>,
    /// For each row, which of the records it is.
    places: Vec<usize>,
    /// The last of a batch counts.
    plugin_states: HashMap<i32, &'a BTreeMap<String, Vec<u8>>>,
}

impl Writer {
    /// Opens the session that writes; the error says why there is none.
    pub(super) async fn open(server: Server) -> Result<Writer, StoreError> {
        let mut writer = Writer { server, session: None, lost: None, numbers: Numbers::default() };
        let session = writer.session().await?;
        writer.give_back(session);
        Ok(writer)
    }

    /// The number of each record; None: it is there already. Those of announced documents follow.
    pub(super) async fn write(&mut self, records: &[Arc<ResultRecord>], changes: &[Change]) -> Result<Vec<Option<u64>>, StoreError> {
        if records.is_empty() && changes.is_empty() {
            return Ok(Vec::new());
        }
        let records: Vec<&ResultRecord> = records.iter().map(|record| &**record).collect();
        let mut session = self.session().await?;
        let outcome = within(limit_of(changes.len()), self.numbers.write(&mut session, &records, changes)).await;
        let seqs = self.finish(session, outcome, "writing results").await?;
        Ok(seqs.into_iter().map(|seq| seq.map(unsigned)).collect())
    }

    /// Writes records with the numbers that they have: each higher than any in the database.
    pub(super) async fn restore(&mut self, committed: &[Committed]) -> Result<(), StoreError> {
        if committed.is_empty() {
            return Ok(());
        }
        let mut session = self.session().await?;
        let outcome = within(WRITE_MAX, self.numbers.restore(&mut session, committed)).await;
        self.finish(session, outcome, "writing copied results").await
    }

    /// As [`Writer::restore`], of documents. No number up to `highest` is given any more.
    pub(super) async fn restore_announced(&mut self, announced: &[Announced], highest: u64) -> Result<(), StoreError> {
        let mut session = self.session().await?;
        let outcome = within(limit_of(announced.len()), self.numbers.restore_announced(&mut session, announced, highest)).await;
        self.finish(session, outcome, "writing copied documents").await
    }

    /// One statement that is a transaction of its own.
    pub(super) async fn step(&mut self, operation: &'static str, query: PgQuery) -> Result<PgRow, StoreError> {
        let mut session = self.session().await?;
        let outcome = session.step(query).await;
        self.finish(session, outcome, operation).await
    }

    pub(super) async fn close(self) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    /// Takes the session out, or opens one anew where it was lost.
    async fn session(&mut self) -> Result<Session, StoreError> {
        if let Some(mut session) = self.session.take() {
            self.lost = Some(session.id);
            if session.answers().await {
                return Ok(session);
            }
        }
        let session = Session::open(&self.server, self.lost).await?;
        self.lost = Some(session.id);
        Ok(session)
    }

    fn give_back(&mut self, session: Session) {
        self.lost = None;
        self.session = Some(session);
    }

    /// A session that failed is given back when it can at least roll back.
    async fn finish<T>(&mut self, mut session: Session, outcome: Result<T, sqlx::Error>, operation: &'static str) -> Result<T, StoreError> {
        if outcome.is_ok() || session.roll_back().await.is_ok() {
            self.give_back(session);
        }
        outcome.map_err(self.server.failed(operation))
    }
}

impl Numbers {
    async fn write(
        &mut self,
        session: &mut Session,
        records: &[&ResultRecord],
        changes: &[Change],
    ) -> Result<Vec<Option<i64>>, sqlx::Error> {
        let mut look = !self.in_doubt.is_empty();
        let net = net(changes);
        let announced = net.announced.len();
        for _ in 0..ATTEMPTS_MAX {
            let names = session.begin(records).await?;
            let present = if look { present(&mut session.connection, &names, records).await? } else { Present::new() };
            let mut batch = self.batch(records, &names, &present)?;
            let last = take_numbers(&mut session.connection, self.highest, batch.rows.len() + announced, &batch.rows).await?;
            let last_result = last - announced as i64;
            batch.number(last_result);
            if insert_results(&mut session.connection, &batch.rows).await? == batch.rows.len() as u64 {
                replace_plugin_states(&mut session.connection, &batch.plugin_states).await?;
                documents::change(&mut session.connection, &net, last_result + 1).await?;
                self.commit(session, names, records, &batch.seqs, last).await?;
                let mut seqs = batch.seqs;
                seqs.extend((last_result + 1..=last).map(Some));
                return Ok(seqs);
            }
            session.roll_back().await?;
            look = true;
        }
        Err(sqlx::Error::Protocol("somebody else writes results and does not take numbers from the counter".to_owned()))
    }

    async fn restore(&mut self, session: &mut Session, committed: &[Committed]) -> Result<(), sqlx::Error> {
        let records: Vec<&ResultRecord> = committed.iter().map(|committed| &*committed.record).collect();
        let names = session.begin(&records).await?;
        let mut batch = self.batch(&records, &names, &Present::new())?;
        if batch.rows.len() < committed.len() {
            return Err(sqlx::Error::Protocol("a check has two results for one time".to_owned()));
        }
        for (row, committed) in batch.rows.iter_mut().zip(committed) {
            row.seq = signed(committed.seq);
        }
        // None is taken: the counter only follows.
        let highest = batch.rows.iter().map(|row| row.seq).max().unwrap_or(0);
        take_numbers(&mut session.connection, highest, 0, &batch.rows).await?;
        if insert_results(&mut session.connection, &batch.rows).await? < committed.len() as u64 {
            return Err(sqlx::Error::Protocol("a result is there already".to_owned()));
        }
        replace_plugin_states(&mut session.connection, &batch.plugin_states).await?;
        session.commit(names).await?;
        self.highest = self.highest.max(highest);
        Ok(())
    }

    async fn restore_announced(&mut self, session: &mut Session, announced: &[Announced], highest: u64) -> Result<(), sqlx::Error> {
        let rows: Vec<DocumentRow<'_>> = announced.iter().map(|announced| (Some(signed(announced.seq)), &announced.document)).collect();
        let names = session.begin(&[]).await?;
        take_numbers(&mut session.connection, signed(highest), 0, &[]).await?;
        documents::put(&mut session.connection, &rows).await?;
        session.commit(names).await?;
        self.highest = self.highest.max(signed(highest));
        Ok(())
    }

    /// From before the commit until it is answered its numbers are in doubt.
    async fn commit(
        &mut self,
        session: &mut Session,
        names: Names,
        records: &[&ResultRecord],
        seqs: &[Option<i64>],
        last: i64,
    ) -> Result<(), sqlx::Error> {
        let given = records.iter().zip(seqs).filter_map(|(record, seq)| Some((identity(record), (*seq)?)));
        self.in_doubt = given.collect();
        session.commit(names).await?;
        self.in_doubt.clear();
        self.highest = last;
        Ok(())
    }

    /// What of `records` is new. What is there already has no number, except where it is the one that was meant for it.
    fn batch<'a>(&self, records: &[&'a ResultRecord], names: &Names, present: &Present) -> Result<Batch<'a>, sqlx::Error> {
        let mut batch = Batch { seqs: vec![None; records.len()], rows: Vec::new(), places: Vec::new(), plugin_states: HashMap::new() };
        let mut seen = HashSet::new();
        for (place, record) in records.iter().enumerate() {
            let (check_id, plugin_id) = ids(names, record)?;
            let scheduled_at = signed(record.scheduled_at.0);
            if !seen.insert((check_id, scheduled_at)) {
                continue;
            }
            if let Some(seq) = present.get(&(check_id, scheduled_at)) {
                batch.seqs[place] = self.in_doubt.get(&identity(record)).copied().filter(|given| given == seq);
                continue;
            }
            batch.places.push(place);
            batch.rows.push(ResultRow {
                seq: 0,
                scheduled_at,
                check_id,
                plugin_id,
                status: status_number(record),
                transition: record.transition.is_some(),
                body: body::encode(record).map_err(|error| sqlx::Error::Encode(Box::new(error)))?,
            });
            if let Some(plugin_state) = &record.plugin_state {
                batch.plugin_states.insert(check_id, &**plugin_state);
            }
        }
        Ok(batch)
    }
}

impl Batch<'_> {
    /// Gives the rows the numbers up to `last`, in order.
    fn number(&mut self, last: i64) {
        let mut seq = last - self.rows.len() as i64;
        for (row, place) in self.rows.iter_mut().zip(&self.places) {
            seq += 1;
            row.seq = seq;
            self.seqs[*place] = Some(seq);
        }
    }
}

fn limit_of(documents: usize) -> Duration {
    WRITE_MAX + WRITE_PER_DOCUMENT_MAX * u32::try_from(documents).unwrap_or(u32::MAX)
}

fn identity(record: &ResultRecord) -> (Arc<str>, i64) {
    (Arc::clone(&record.check), signed(record.scheduled_at.0))
}

fn ids(names: &Names, record: &ResultRecord) -> Result<(i32, i32), sqlx::Error> {
    names
        .check(&record.check)
        .zip(names.plugin(&record.plugin, &record.plugin_version))
        .ok_or_else(|| sqlx::Error::Protocol("a name that was just written is not there".to_owned()))
}

fn status_number(record: &ResultRecord) -> i16 {
    i16::try_from(body::status_number(record.status)).unwrap_or(0)
}

/// Takes `count` numbers above `highest` and above all that were given, and gives the last of them. From here to the commit nobody
/// else is given any.
async fn take_numbers(connection: &mut PgConnection, highest: i64, count: usize, rows: &[ResultRow]) -> Result<i64, sqlx::Error> {
    let bytes: i64 = rows.iter().map(|row| i64::from(row.bytes())).sum();
    let row = sqlx::query(TAKE_NUMBERS).bind(highest).bind(count as i64).bind(bytes).fetch_one(&mut *connection).await?;
    row.try_get(0)
}

/// Which of the records are in the database.
async fn present(connection: &mut PgConnection, names: &Names, records: &[&ResultRecord]) -> Result<Present, sqlx::Error> {
    let (mut check_ids, mut times) = (Vec::new(), Vec::new());
    for record in records {
        check_ids.push(ids(names, record)?.0);
        times.push(signed(record.scheduled_at.0));
    }
    let found = sqlx::query(
        "SELECT results.check_id, results.scheduled_at, results.seq \
         FROM unnest($1::integer[], $2::bigint[]) AS wanted(check_id, scheduled_at) JOIN results USING (scheduled_at, check_id)",
    )
    .bind(check_ids)
    .bind(times);
    let mut present = Present::new();
    for row in found.fetch_all(&mut *connection).await? {
        present.insert((row.try_get(0)?, row.try_get(1)?), row.try_get(2)?);
    }
    Ok(present)
}
