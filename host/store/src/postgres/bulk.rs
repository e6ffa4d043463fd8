//! Many rows with one statement: a column is an array, so one text, prepared once, takes any number of rows.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

/// A statement takes rows until their bodies are this long together: with 64 KiB of details in each, a batch is a few statements.
const STATEMENT_BYTES_MAX: usize = 16 << 20;
/// What a row takes beside its body: its other columns, its header, and its place in five indexes.
const ROW_BYTES: usize = 200;

pub(super) struct ResultRow {
    pub(super) seq: i64,
    pub(super) scheduled_at: i64,
    pub(super) check_id: i32,
    pub(super) plugin_id: i32,
    pub(super) status: i16,
    pub(super) transition: bool,
    pub(super) body: String,
}

impl ResultRow {
    /// What it counts for `bytes_max`.
    pub(super) fn bytes(&self) -> i32 {
        i32::try_from(ROW_BYTES + self.body.len()).unwrap_or(i32::MAX)
    }
}

/// How many of `rows` are new now: one whose check and scheduled time are there already is left out.
pub(super) async fn insert_results(connection: &mut PgConnection, rows: &[ResultRow]) -> Result<u64, sqlx::Error> {
    let mut inserted = 0;
    let mut rest = rows;
    while !rest.is_empty() {
        let (rows, later) = rest.split_at(fitting(rest));
        rest = later;
        let insert = sqlx::query(
            "INSERT INTO results (seq, scheduled_at, check_id, plugin_id, bytes, status, transition, body) \
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::integer[], $6::smallint[], $7::boolean[], $8::text[]) \
             ON CONFLICT (scheduled_at, check_id) DO NOTHING",
        )
        .bind(column(rows, |row| row.seq))
        .bind(column(rows, |row| row.scheduled_at))
        .bind(column(rows, |row| row.check_id))
        .bind(column(rows, |row| row.plugin_id))
        .bind(column(rows, ResultRow::bytes))
        .bind(column(rows, |row| row.status))
        .bind(column(rows, |row| row.transition))
        .bind(column(rows, |row| row.body.as_str()));
        inserted += insert.execute(&mut *connection).await?.rows_affected();
    }
    Ok(inserted)
}

/// How many rows the next statement takes: at least one.
fn fitting(rows: &[ResultRow]) -> usize {
    let mut bytes = 0;
    let fits = |row: &&ResultRow| {
        bytes += row.body.len();
        bytes <= STATEMENT_BYTES_MAX
    };
    rows.iter().take_while(fits).count().max(1)
}

fn column<'a, T>(rows: &'a [ResultRow], value: impl Fn(&'a ResultRow) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// All that a plugin keeps for each of these checks is replaced.
pub(super) async fn replace_plugin_states(
    connection: &mut PgConnection,
    states: &HashMap<i32, &BTreeMap<String, Vec<u8>>>,
) -> Result<(), sqlx::Error> {
    if states.is_empty() {
        return Ok(());
    }
    let replaced: Vec<i32> = states.keys().copied().collect();
    sqlx::query("DELETE FROM plugin_states WHERE check_id = ANY($1::integer[])").bind(replaced).execute(&mut *connection).await?;
    let (mut check_ids, mut keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (check_id, state) in states {
        for (key, value) in *state {
            check_ids.push(*check_id);
            keys.push(key.as_bytes());
            values.push(value.as_slice());
        }
    }
    if check_ids.is_empty() {
        return Ok(());
    }
    sqlx::query("INSERT INTO plugin_states (check_id, key, value) SELECT * FROM unnest($1::integer[], $2::bytea[], $3::bytea[])")
        .bind(check_ids)
        .bind(keys)
        .bind(values)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(body_bytes: usize) -> ResultRow {
        let body = "x".repeat(body_bytes);
        ResultRow { seq: 1, scheduled_at: 1, check_id: 1, plugin_id: 1, status: 1, transition: false, body }
    }

    #[test]
    fn a_statement_takes_many_small_rows_and_few_large_ones() {
        assert_eq!(fitting(&[row(100), row(100), row(100)]), 3);
        assert_eq!(fitting(&[row(STATEMENT_BYTES_MAX / 2), row(STATEMENT_BYTES_MAX / 2), row(1)]), 2);
        assert_eq!(fitting(&[row(STATEMENT_BYTES_MAX + 1), row(1)]), 1);
    }
}
