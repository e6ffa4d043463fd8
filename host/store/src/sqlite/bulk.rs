//! Many rows with few statements.
//!
//! Every statement is a trip to the connection's thread and a run of its own, so a batch is written as statements of 2^n rows:
//! ten texts in all, which stay prepared, and at most nine trips for any batch below 512.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};

/// 2^9 = 512 rows; with eight columns an eighth of what SQLite allows in parameters.
const POWER_MAX: u32 = 9;

pub(super) type SqliteQuery = Query<'static, Sqlite, SqliteArguments>;

pub(super) struct BulkInsert {
    /// The one at `n` inserts 2^n rows.
    statements: Vec<Arc<str>>,
}

impl BulkInsert {
    /// `into` is `table (column, ...)`, text of this program.
    pub(super) fn new(into: &'static str, columns: usize) -> BulkInsert {
        // Without numbers: SQLite looks a numbered parameter up in a list, one by one.
        let row = format!("({})", vec!["?"; columns].join(","));
        let statement = |power: u32| format!("INSERT INTO {into} VALUES {}", vec![row.as_str(); 1usize << power].join(","));
        BulkInsert { statements: (0..=POWER_MAX).map(|power| statement(power).into()).collect() }
    }

    /// `bind` binds the columns of one row, in order.
    pub(super) async fn execute<T>(
        &self,
        connection: &mut SqliteConnection,
        rows: Vec<T>,
        bind: fn(SqliteQuery, T) -> SqliteQuery,
    ) -> Result<(), sqlx::Error> {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let power = rows.len().ilog2().min(POWER_MAX);
            let mut query: SqliteQuery = sqlx::query(AssertSqlSafe(Arc::clone(&self.statements[power as usize])));
            for row in rows.by_ref().take(1usize << power) {
                query = bind(query, row);
            }
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}
