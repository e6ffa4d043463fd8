//! The schema `sickbay`: whether it may be touched, and its tables brought up to date.
//!
//! Invariant: nothing is changed in a schema of another program or of a newer Sickbay.
//! Invariant: where the tables are up to date no right to make any is asked for.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, PgConnection, Row,
    migrate::{MigrateError, Migrator},
    raw_sql,
};

use super::{
    failure::within,
    server::{SCHEMA, Server},
};
use crate::{StoreError, look::Tables};

/// What is asked of the server, as it numbers its versions.
const SERVER_VERSION_MIN: u32 = 130_000;
/// Of everything but migrations.
pub(super) const STEP_MAX: Duration = Duration::from_secs(20);
/// A migration may build an index over everything that is kept.
const MIGRATION_MAX: Duration = Duration::from_secs(600);

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// Both tables are there: the schema is ours. Neither, nor anything else: it was made for us, or the first start did not get far.
const LOOK: &str = "SELECT current_setting('server_encoding'), current_setting('transaction_read_only') = 'on', \
     wanted.oid IS NOT NULL, \
     EXISTS (SELECT FROM pg_class WHERE relnamespace = wanted.oid AND relname = '_sqlx_migrations' AND relkind = 'r'), \
     EXISTS (SELECT FROM pg_class WHERE relnamespace = wanted.oid AND relname = 'counter' AND relkind = 'r'), \
     EXISTS (SELECT FROM pg_class WHERE relnamespace = wanted.oid AND relname <> '_sqlx_migrations' AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) \
     FROM (SELECT (SELECT oid FROM pg_namespace WHERE nspname = $1) AS oid) AS wanted";

/// What was found of the database.
pub(super) struct Found {
    version: Option<u32>,
    encoding: String,
    read_only: bool,
    pub(super) schema: bool,
    pub(super) migrations: bool,
    counter: bool,
    /// Anything but the table of migrations.
    anything: bool,
}

pub(super) async fn look(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    let row = within(STEP_MAX, sqlx::query(LOOK).bind(SCHEMA).fetch_one(&mut *connection)).await?;
    Ok(Found {
        version: connection.server_version_num(),
        encoding: row.try_get(0)?,
        read_only: row.try_get(1)?,
        schema: row.try_get(2)?,
        migrations: row.try_get(3)?,
        counter: row.try_get(4)?,
        anything: row.try_get(5)?,
    })
}

impl Found {
    /// The reason to leave the database alone, if there is one.
    pub(super) fn refuse(&self, database: &str) -> Result<(), StoreError> {
        let unusable = |reason: String, hint| Err(StoreError::Unusable { database: database.to_owned(), reason, hint });
        if let Some(version) = self.version.filter(|version| *version < SERVER_VERSION_MIN) {
            let reason = format!("the server is PostgreSQL {}", version / 10_000);
            return unusable(reason, "Sickbay needs 13 or newer");
        }
        if self.encoding != "UTF8" {
            let reason = format!("its encoding is {}, which cannot hold every text", self.encoding);
            return unusable(reason, "make another one: CREATE DATABASE sickbay ENCODING 'UTF8' TEMPLATE template0");
        }
        if self.read_only {
            let reason = "it takes no writes: the server is a standby, or `default_transaction_read_only` is on".to_owned();
            return unusable(reason, "name the primary in `[store] url`, or let the role write again");
        }
        if self.anything && !(self.counter && self.migrations) {
            let reason = format!("its schema `{SCHEMA}` is of another program");
            return unusable(reason, "name another database in `[store] url`; Sickbay makes the schema there");
        }
        Ok(())
    }
}

/// Brings the schema into the form that this program works with. The caller has claimed it, and may touch it.
pub(super) async fn prepare(connection: &mut PgConnection, server: &Server, found: &Found) -> Result<(), StoreError> {
    const OPERATION: &str = "bringing the tables up to date";
    if !found.schema {
        let make = raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {SCHEMA}"))).execute(&mut *connection);
        within(STEP_MAX, make).await.map_err(server.failed("making the schema"))?;
    }
    let applied = if found.migrations { applied(connection).await.map_err(server.failed(OPERATION))? } else { Vec::new() };
    let tables = Tables::of(&applied, &MIGRATIONS);
    tables.refuse(server.label(), &MIGRATIONS)?;
    if tables != Tables::Behind {
        return Ok(());
    }
    match within(MIGRATION_MAX, migrate(connection)).await {
        Ok(()) => Ok(()),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => Err(server.failed(OPERATION)(error)),
        Err(error) => Err(server.failed(OPERATION)(sqlx::Error::Migrate(Box::new(error)))),
    }
}

/// The version and checksum of every migration that was applied.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let query = sqlx::query("SELECT version, checksum FROM _sqlx_migrations ORDER BY version");
    let rows = within(STEP_MAX, query.fetch_all(&mut *connection)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let longer = format!("SET statement_timeout = {}", MIGRATION_MAX.as_millis());
    let usual: String = sqlx::query_scalar("SELECT current_setting('statement_timeout')").fetch_one(&mut *connection).await?;
    raw_sql(AssertSqlSafe(longer)).execute(&mut *connection).await?;
    // `run` asks for more of its connection than a future that is `Send` can promise; this is what it calls.
    MIGRATIONS.run_direct(None, &mut *connection, false).await?;
    sqlx::query("SELECT set_config('statement_timeout', $1, false)").bind(usual).execute(&mut *connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_says_why_and_what_to_do() {
        let usable = || Found {
            version: Some(150_004),
            encoding: "UTF8".to_owned(),
            read_only: false,
            schema: true,
            migrations: true,
            counter: true,
            anything: true,
        };
        assert!(usable().refuse("the database").is_ok());
        assert!(Found { counter: false, migrations: false, anything: false, ..usable() }.refuse("the database").is_ok());
        // The first start ended between its first two steps.
        assert!(Found { counter: false, anything: false, ..usable() }.refuse("the database").is_ok());
        for (found, why) in [
            (Found { version: Some(120_017), ..usable() }, "PostgreSQL 12"),
            (Found { encoding: "LATIN1".to_owned(), ..usable() }, "LATIN1"),
            (Found { read_only: true, ..usable() }, "takes no writes"),
            (Found { counter: false, ..usable() }, "another program"),
            (Found { migrations: false, ..usable() }, "another program"),
        ] {
            let message = found.refuse("the database").unwrap_err().to_string();
            assert!(message.contains(why) && message.contains("hint: "), "{message}");
        }
    }
}
