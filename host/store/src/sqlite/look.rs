//! A file as it is: opened without a right to write, and where no log stands beside it without any lock.

use std::{fs, path::Path};

use sqlx::{Connection, Row, SqliteConnection};

use super::{BUSY_TIMEOUT, MIGRATIONS, connect, options, refuse_impossible};
use crate::{
    Look, StoreError,
    look::{Tables, known},
};

pub(crate) async fn look(path: &Path) -> Result<Look, StoreError> {
    let database = path.display().to_string();
    refuse_impossible(path, &database)?;
    let applied = if path.exists() { applied_in(path, &database).await? } else { Vec::new() };
    Tables::of(&applied, &MIGRATIONS).refuse(&database, &MIGRATIONS)?;
    Ok(Look { file: Some(path.to_path_buf()), version: applied.last().map(|(version, _)| *version), ..nothing(database) })
}

/// A database in memory, which is made anew by each start.
pub(crate) fn look_at_memory() -> Look {
    nothing("the database in memory".to_owned())
}

fn nothing(database: String) -> Look {
    Look { database, file: None, version: None, known: known(&MIGRATIONS), too_much: Vec::new(), too_little: Vec::new() }
}

async fn applied_in(path: &Path, database: &str) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    // A reader of a file in use needs the files beside it, and would make them where they are not.
    let mut log = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()).into_os_string();
    log.push("-wal");
    let is_used = Path::new(&log).exists();
    let mut connection = connect(&options(BUSY_TIMEOUT).filename(path).read_only(true).immutable(!is_used), database).await?;
    let applied = applied(&mut connection).await.map_err(|error| StoreError::failed("reading", database, error));
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "the database did not close cleanly");
    }
    applied
}

/// The version and checksum of every migration that was applied.
async fn applied(connection: &mut SqliteConnection) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    let table = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations'").fetch_optional(&mut *connection).await?;
    if table.is_none() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query("SELECT version, checksum FROM _sqlx_migrations ORDER BY version").fetch_all(&mut *connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
