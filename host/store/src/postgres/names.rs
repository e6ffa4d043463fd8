//! Names of checks and plugins as the small numbers that stand for them in every row.

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, Row};

use crate::ResultRecord;

/// What is in the tables `checks` and `plugins`, as the transaction sees them that it was loaded or added to in. It holds what
/// the configuration of this host ever named, so it is as bounded as that.
pub(super) struct Names {
    checks: HashMap<String, i32>,
    /// By name, then by version.
    plugins: HashMap<String, HashMap<String, i32>>,
}

impl Names {
    pub(super) async fn load(connection: &mut PgConnection) -> Result<Names, sqlx::Error> {
        let mut names = Names { checks: HashMap::new(), plugins: HashMap::new() };
        for row in sqlx::query("SELECT check_id, name FROM checks").fetch_all(&mut *connection).await? {
            names.checks.insert(row.try_get(1)?, row.try_get(0)?);
        }
        for row in sqlx::query("SELECT plugin_id, name, version FROM plugins").fetch_all(&mut *connection).await? {
            names.plugins.entry(row.try_get(1)?).or_default().insert(row.try_get(2)?, row.try_get(0)?);
        }
        Ok(names)
    }

    /// Gives numbers to the names that have none, all of them at once.
    pub(super) async fn learn(&mut self, connection: &mut PgConnection, records: &[&ResultRecord]) -> Result<(), sqlx::Error> {
        let checks: BTreeSet<&str> = records.iter().map(|record| &*record.check).filter(|name| !self.checks.contains_key(*name)).collect();
        if !checks.is_empty() {
            self.learn_checks(connection, checks.into_iter().collect()).await?;
        }
        let plugins: BTreeSet<(&str, &str)> = records
            .iter()
            .map(|record| (&*record.plugin, &*record.plugin_version))
            .filter(|(name, version)| self.plugin(name, version).is_none())
            .collect();
        if !plugins.is_empty() {
            let (names, versions): (Vec<&str>, Vec<&str>) = plugins.into_iter().unzip();
            self.learn_plugins(connection, names, versions).await?;
        }
        Ok(())
    }

    async fn learn_checks(&mut self, connection: &mut PgConnection, names: Vec<&str>) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO checks (name) SELECT * FROM unnest($1::text[]) ON CONFLICT (name) DO NOTHING")
            .bind(&names)
            .execute(&mut *connection)
            .await?;
        let known = sqlx::query("SELECT check_id, name FROM checks WHERE name = ANY($1::text[])").bind(&names);
        for row in known.fetch_all(&mut *connection).await? {
            self.checks.insert(row.try_get(1)?, row.try_get(0)?);
        }
        Ok(())
    }

    async fn learn_plugins(&mut self, connection: &mut PgConnection, names: Vec<&str>, versions: Vec<&str>) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO plugins (name, version) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT (name, version) DO NOTHING",
        )
        .bind(&names)
        .bind(&versions)
        .execute(&mut *connection)
        .await?;
        let known = sqlx::query(
            "SELECT plugins.plugin_id, plugins.name, plugins.version \
             FROM unnest($1::text[], $2::text[]) AS wanted(name, version) JOIN plugins USING (name, version)",
        )
        .bind(&names)
        .bind(&versions);
        for row in known.fetch_all(&mut *connection).await? {
            self.plugins.entry(row.try_get(1)?).or_default().insert(row.try_get(2)?, row.try_get(0)?);
        }
        Ok(())
    }

    pub(super) fn check(&self, name: &str) -> Option<i32> {
        self.checks.get(name).copied()
    }

    pub(super) fn plugin(&self, name: &str, version: &str) -> Option<i32> {
        self.plugins.get(name).and_then(|versions| versions.get(version)).copied()
    }
}
