//! Documents: written with results, read by kind.

use sickbay_core::Timestamp;
use sqlx::{AssertSqlSafe, Row, SqliteConnection, sqlite::SqliteRow};

use super::{SqliteStore, bulk::SqliteQuery, signed, unsigned};
use crate::{
    Announced, Document, Kind, Page, READ_ROWS_MAX, StoreError,
    document::{Net, Row as DocumentRow, statements},
};

/// Documents in one statement.
const STATEMENT_LEN_MAX: usize = 256;
/// About as long as a step of removing results.
const ROWS_PER_CHUNK_MAX: i64 = 2_000;

/// One text takes any number of rows: they come as one JSON array.
const PUT: &str = "INSERT INTO documents (kind, id, parent, at, open, body, seq) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(?1) WHERE true \
     ON CONFLICT (kind, id) DO UPDATE SET parent = excluded.parent, at = excluded.at, open = excluded.open, body = excluded.body, \
     seq = coalesce(excluded.seq, seq)";
const REMOVE: &str = "DELETE FROM documents WHERE (kind, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))";

macro_rules! select {
    ($tail:expr) => {
        concat!("SELECT kind, id, parent, at, open, body FROM documents WHERE ", $tail)
    };
}

const OPEN: &str = select!("kind = ?1 AND open = 1 AND id > ?2 ORDER BY id LIMIT ?3");
const ANNOUNCED: &str = "SELECT kind, id, parent, at, open, body, seq FROM documents WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const ONE: &str = select!("kind = ?1 AND id = ?2");
const LIST: &str = select!("kind = ?1 AND (at, id) < (?2, ?3) ORDER BY at DESC, id DESC LIMIT ?4");
const LIST_OF_PARENT: &str = select!("kind = ?1 AND (at, id) < (?2, ?3) AND parent = ?5 ORDER BY at DESC, id DESC LIMIT ?4");
const FIRST: &str = select!("kind = ?1 AND at <= ?2 AND ?3 = '' ORDER BY at DESC, id DESC LIMIT ?4");
const FIRST_OF_PARENT: &str = select!("kind = ?1 AND at <= ?2 AND ?3 = '' AND parent = ?5 ORDER BY at DESC, id DESC LIMIT ?4");
const OLD: &str =
    "DELETE FROM documents WHERE (kind, id) IN (SELECT kind, id FROM documents WHERE open = 0 AND at < ?1 ORDER BY at LIMIT ?2)";

/// Within a transaction; `first` is the number of the first document that is announced.
pub(super) async fn change(connection: &mut SqliteConnection, net: &Net<'_>, first: i64) -> Result<(), sqlx::Error> {
    put(connection, &net.rows(first)).await?;
    for keys in net.removed.chunks(STATEMENT_LEN_MAX) {
        let row = |(kind, id): &(Kind, &str)| serde_json::json!([kind.number(), id]);
        execute(connection, REMOVE, keys.iter().map(row).collect()).await?;
    }
    Ok(())
}

pub(super) async fn put(connection: &mut SqliteConnection, rows: &[DocumentRow<'_>]) -> Result<(), sqlx::Error> {
    for rows in statements(rows, STATEMENT_LEN_MAX) {
        let row = |(seq, document): &DocumentRow<'_>| {
            let Document { kind, id, parent, at, open, body } = *document;
            serde_json::json!([kind.number(), id, parent, signed(at.0), i64::from(*open), body, seq])
        };
        execute(connection, PUT, rows.iter().map(row).collect()).await?;
    }
    Ok(())
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str, rows: Vec<serde_json::Value>) -> Result<(), sqlx::Error> {
    let rows = serde_json::Value::Array(rows).to_string();
    sqlx::query(AssertSqlSafe(statement)).bind(rows).execute(connection).await.map(drop)
}

impl SqliteStore {
    async fn documents_of(&self, query: SqliteQuery) -> Result<Vec<Document>, StoreError> {
        const OPERATION: &str = "reading what is kept beside results";
        let rows = self.rows(OPERATION, query).await?;
        rows.iter().map(document_of).collect::<Result<_, _>>().map_err(self.failed(OPERATION))
    }

    pub(super) async fn read_open(&self, kind: Kind, after: &str, limit: u32) -> Result<Vec<Document>, StoreError> {
        self.documents_of(sqlx::query(OPEN).bind(kind.number()).bind(after.to_owned()).bind(limit.min(READ_ROWS_MAX))).await
    }

    pub(super) async fn read_announced(&self, after: u64, limit: u32) -> Result<Vec<Announced>, StoreError> {
        const OPERATION: &str = "reading what was announced";
        let rows = self.rows(OPERATION, sqlx::query(ANNOUNCED).bind(signed(after)).bind(limit.min(READ_ROWS_MAX))).await?;
        let announced = |row: &SqliteRow| -> Result<Announced, sqlx::Error> {
            Ok(Announced { seq: unsigned(row.try_get(6)?), document: document_of(row)? })
        };
        rows.iter().map(announced).collect::<Result<_, _>>().map_err(self.failed(OPERATION))
    }

    pub(super) async fn read_document(&self, kind: Kind, id: &str) -> Result<Option<Document>, StoreError> {
        Ok(self.documents_of(sqlx::query(ONE).bind(kind.number()).bind(id.to_owned())).await?.pop())
    }

    pub(super) async fn read_documents(&self, page: &Page<'_>) -> Result<Vec<Document>, StoreError> {
        let (at, id) = page.before.unwrap_or((Timestamp(u64::MAX), ""));
        let statement = match (page.before, page.parent) {
            (Some(_), None) => LIST,
            (Some(_), Some(_)) => LIST_OF_PARENT,
            (None, None) => FIRST,
            (None, Some(_)) => FIRST_OF_PARENT,
        };
        let query = sqlx::query(statement).bind(page.kind.number()).bind(signed(at.0)).bind(id.to_owned());
        let query = query.bind(page.limit.min(READ_ROWS_MAX));
        self.documents_of(match page.parent {
            Some(parent) => query.bind(parent.to_owned()),
            None => query,
        })
        .await
    }

    /// One step: how many closed ones older than `cutoff` went, and whether there may be more.
    pub(super) async fn remove_old_documents(&self, cutoff: Timestamp) -> Result<(u64, bool), StoreError> {
        let mut writer = self.writer().await?;
        let rule = sqlx::query(OLD).bind(signed(cutoff.0)).bind(ROWS_PER_CHUNK_MAX);
        let removed = rule.execute(writer.idle().await).await.map_err(self.failed("pruning"))?.rows_affected();
        Ok((removed, signed(removed) >= ROWS_PER_CHUNK_MAX))
    }
}

fn document_of(row: &SqliteRow) -> Result<Document, sqlx::Error> {
    Ok(Document {
        kind: Kind::of(row.try_get(0)?).ok_or_else(|| sqlx::Error::Protocol("a document of no known kind".to_owned()))?,
        id: row.try_get(1)?,
        parent: row.try_get(2)?,
        at: Timestamp(unsigned(row.try_get(3)?)),
        open: row.try_get::<i64, _>(4)? != 0,
        body: row.try_get(5)?,
    })
}
