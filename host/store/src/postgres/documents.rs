//! Documents: written with results, read by kind.

use sickbay_core::Timestamp;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::{PgQuery, PostgresStore};
use crate::{
    Announced, Document, Kind, Page, READ_ROWS_MAX, StoreError,
    body::{signed, unsigned},
    document::{Net, Row as DocumentRow, statements},
};

/// Documents in one statement.
const STATEMENT_LEN_MAX: usize = 1_024;
/// Some tens of milliseconds of the server's time.
const ROWS_PER_CHUNK_MAX: i64 = 2_000;
const OPERATION: &str = "reading what is kept beside results";

/// Each of these also keeps the sum of bytes in the counter. `before` sees the rows as they were.
const PUT: &str = "WITH given AS (SELECT * FROM \
       unnest($1::smallint[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[], $7::bigint[]) \
       AS given(kind, id, parent, at, open, body, seq)), \
     before AS (SELECT coalesce(sum(documents.bytes), 0)::bigint AS bytes FROM documents \
       WHERE (documents.kind, documents.id) IN (SELECT given.kind, given.id FROM given)), \
     put AS (INSERT INTO documents (kind, id, parent, at, open, body, seq) SELECT kind, id, parent, at, open, body, seq FROM given \
       ON CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, at = excluded.at, open = excluded.open, body = excluded.body, \
       seq = coalesce(excluded.seq, documents.seq) RETURNING documents.bytes) \
     UPDATE counter SET bytes = \
       greatest(counter.bytes + (SELECT coalesce(sum(put.bytes), 0)::bigint FROM put) - (SELECT before.bytes FROM before), 0)";
const REMOVE: &str = "WITH removed AS (DELETE FROM documents \
       WHERE (kind, id) IN (SELECT * FROM unnest($1::smallint[], $2::text[])) RETURNING documents.bytes) \
     UPDATE counter SET bytes = greatest(counter.bytes - (SELECT coalesce(sum(removed.bytes), 0)::bigint FROM removed), 0)";

macro_rules! select {
    ($tail:expr) => {
        concat!("SELECT kind, id, parent, at, open, body FROM documents WHERE ", $tail)
    };
}

const OPEN: &str = select!("kind = $1 AND open AND id > $2 ORDER BY id LIMIT $3");
const ANNOUNCED: &str = "SELECT kind, id, parent, at, open, body, seq FROM documents WHERE seq > $1 ORDER BY seq LIMIT $2";
const ONE: &str = select!("kind = $1 AND id = $2");
const LIST: &str = select!("kind = $1 AND (at, id) < ($3, $4) ORDER BY at DESC, id DESC LIMIT $2");
const LIST_OF_PARENT: &str = select!("kind = $1 AND (at, id) < ($3, $4) AND parent = $5 ORDER BY at DESC, id DESC LIMIT $2");
const FIRST: &str = select!("kind = $1 ORDER BY at DESC, id DESC LIMIT $2");
const FIRST_OF_PARENT: &str = select!("kind = $1 AND parent = $3 ORDER BY at DESC, id DESC LIMIT $2");
const OLD: &str = "WITH removed AS (DELETE FROM documents WHERE (kind, id) IN (SELECT kind, id FROM documents \
     WHERE NOT open AND at < $1 ORDER BY at LIMIT $2) RETURNING documents.bytes), \
     removed_in_all AS (SELECT count(*) AS len, coalesce(sum(removed.bytes), 0)::bigint AS bytes FROM removed) \
     UPDATE counter SET bytes = greatest(counter.bytes - removed_in_all.bytes, 0) FROM removed_in_all RETURNING removed_in_all.len";

/// Within a transaction; `first` is the number of the first document that is announced.
pub(super) async fn change(connection: &mut PgConnection, net: &Net<'_>, first: i64) -> Result<(), sqlx::Error> {
    put(connection, &net.rows(first)).await?;
    for keys in net.removed.chunks(STATEMENT_LEN_MAX) {
        let (kinds, ids): (Vec<i16>, Vec<&str>) = keys.iter().map(|(kind, id)| (kind.number(), *id)).unzip();
        sqlx::query(REMOVE).bind(kinds).bind(ids).execute(&mut *connection).await?;
    }
    Ok(())
}

pub(super) async fn put(connection: &mut PgConnection, rows: &[DocumentRow<'_>]) -> Result<(), sqlx::Error> {
    for rows in statements(rows, STATEMENT_LEN_MAX) {
        let seqs: Vec<Option<i64>> = rows.iter().map(|(seq, _)| *seq).collect();
        let put = sqlx::query(PUT)
            .bind(column(rows, |document| document.kind.number()))
            .bind(column(rows, |document| document.id.as_str()))
            .bind(column(rows, |document| document.parent.as_str()))
            .bind(column(rows, |document| signed(document.at.0)))
            .bind(column(rows, |document| document.open))
            .bind(column(rows, |document| document.body.as_str()))
            .bind(seqs);
        put.execute(&mut *connection).await?;
    }
    Ok(())
}

fn column<'a, T>(rows: &[DocumentRow<'a>], value: impl Fn(&'a Document) -> T) -> Vec<T> {
    rows.iter().map(|(_, document)| value(document)).collect()
}

impl PostgresStore {
    async fn documents_of(&self, query: PgQuery) -> Result<Vec<Document>, StoreError> {
        let rows = self.rows(OPERATION, query).await?;
        rows.iter().map(document_of).collect::<Result<_, _>>().map_err(self.server.failed(OPERATION))
    }

    pub(super) async fn read_open(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Document>, StoreError> {
        self.documents_of(sqlx::query(OPEN).bind(kind.number()).bind(after.to_owned()).bind(rows_max(limit))).await
    }

    pub(super) async fn read_announced(&self, after: u64, limit: u32) -> Result<Vec<Announced>, StoreError> {
        const OPERATION: &str = "reading what was announced";
        let rows = self.rows(OPERATION, sqlx::query(ANNOUNCED).bind(signed(after)).bind(rows_max(limit))).await?;
        let announced = |row: &PgRow| -> Result<Announced, sqlx::Error> {
            Ok(Announced { seq: unsigned(row.try_get(6)?), document: document_of(row)? })
        };
        rows.iter().map(announced).collect::<Result<_, _>>().map_err(self.server.failed(OPERATION))
    }

    pub(super) async fn read_document(&self, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        if id.contains('\0') {
            // No text in the database has one, and the server would not even take the question.
            return Ok(None);
        }
        Ok(self.documents_of(sqlx::query(ONE).bind(kind.number()).bind(id.to_owned())).await?.pop())
    }

    pub(super) async fn read_documents(&self, page: &Page<'_>) -> Result<Vec<Document>, StoreError> {
        let texts = [page.parent.unwrap_or_default(), page.before.map(|(_, id)| id).unwrap_or_default()];
        if texts.iter().any(|text| text.contains('\0')) {
            return Ok(Vec::new());
        }
        let statement = match (page.before, page.parent) {
            (Some(_), None) => LIST,
            (Some(_), Some(_)) => LIST_OF_PARENT,
            (None, None) => FIRST,
            (None, Some(_)) => FIRST_OF_PARENT,
        };
        let mut query = sqlx::query(statement).bind(page.kind.number()).bind(rows_max(page.limit));
        if let Some((at, id)) = page.before {
            query = query.bind(signed(at.0)).bind(id.to_owned());
        }
        if let Some(parent) = page.parent {
            query = query.bind(parent.to_owned());
        }
        self.documents_of(query).await
    }

    /// One step: how many closed ones older than `cutoff` went, and whether there may be more.
    pub(super) async fn remove_old_documents(&self, cutoff: Timestamp) -> Result<(u64, bool), StoreError> {
        let rule = sqlx::query(OLD).bind(signed(cutoff.0)).bind(ROWS_PER_CHUNK_MAX);
        let row = self.writer().await?.step("pruning", rule).await?;
        let removed: i64 = row.try_get(0).map_err(self.server.failed("pruning"))?;
        Ok((unsigned(removed), removed >= ROWS_PER_CHUNK_MAX))
    }
}

fn rows_max(limit: u32) -> i64 {
    i64::from(limit.min(READ_ROWS_MAX))
}

fn document_of(row: &PgRow) -> Result<Document, sqlx::Error> {
    Ok(Document {
        kind: Kind::of(row.try_get(0)?).ok_or_else(|| sqlx::Error::Protocol("a document of no known kind".to_owned()))?,
        id: row.try_get(1)?,
        parent: row.try_get(2)?,
        at: Timestamp(unsigned(row.try_get(3)?)),
        open: row.try_get(4)?,
        body: row.try_get(5)?,
    })
}
