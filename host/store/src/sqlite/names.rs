//! Names of checks and plugins as the small numbers that stand for them in every row.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

/// What is in the tables `checks` and `plugins`, as the transaction sees them that it was loaded or added to in. It holds what
/// the configuration of this host ever named, so it is as bounded as that.
pub(super) struct Names {
    checks: HashMap<String, i64>,
    /// By name, then by version.
    plugins: HashMap<String, HashMap<String, i64>>,
}

impl Names {
    pub(super) async fn load(connection: &mut SqliteConnection) -> Result<Names, sqlx::Error> {
        let mut names = Names { checks: HashMap::new(), plugins: HashMap::new() };
        for row in sqlx::query("SELECT check_id, name FROM checks").fetch_all(&mut *connection).await? {
            names.checks.insert(row.try_get(1)?, row.try_get(0)?);
        }
        for row in sqlx::query("SELECT plugin_id, name, version FROM plugins").fetch_all(&mut *connection).await? {
            names.plugins.entry(row.try_get(1)?).or_default().insert(row.try_get(2)?, row.try_get(0)?);
        }
        Ok(names)
    }

    /// The number of a check, which is given to it now if it has none.
    pub(super) async fn check_id(&mut self, connection: &mut SqliteConnection, name: &str) -> Result<i64, sqlx::Error> {
        if let Some(check_id) = self.checks.get(name) {
            return Ok(*check_id);
        }
        let done = sqlx::query("INSERT INTO checks (name) VALUES (?1)").bind(name).execute(&mut *connection).await?;
        self.checks.insert(name.to_owned(), done.last_insert_rowid());
        Ok(done.last_insert_rowid())
    }

    pub(super) async fn plugin_id(&mut self, connection: &mut SqliteConnection, name: &str, version: &str) -> Result<i64, sqlx::Error> {
        if let Some(plugin_id) = self.plugins.get(name).and_then(|versions| versions.get(version)) {
            return Ok(*plugin_id);
        }
        let insert = sqlx::query("INSERT INTO plugins (name, version) VALUES (?1, ?2)").bind(name).bind(version);
        let done = insert.execute(&mut *connection).await?;
        self.plugins.entry(name.to_owned()).or_default().insert(version.to_owned(), done.last_insert_rowid());
        Ok(done.last_insert_rowid())
    }
}
