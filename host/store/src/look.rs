//! What a store is like, found without changing it, for whoever looks over a configuration.
//!
//! Invariant: nothing of a URL is told but the path of a file, or database and host.

use std::path::PathBuf;

use sqlx::migrate::Migrator;

use crate::StoreError;

/// A store that can be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// For messages.
    pub database: String,
    /// Where it is a file, which may not be there yet.
    pub file: Option<PathBuf>,
    /// The last migration of its tables; none where they are not made yet.
    pub version: Option<i64>,
    /// The last migration that this program knows.
    pub known: i64,
    /// What its role may do and Sickbay does not need, as the server calls it, the strongest first.
    pub too_much: Vec<&'static str>,
    /// What its role may not do and Sickbay needs, as statements that allow it.
    pub too_little: Vec<String>,
}

/// How tables stand to what this program knows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    UpToDate,
    Behind,
    Newer(i64),
    /// This migration was another one.
    Different(i64),
}

impl Tables {
    /// `applied` are version and checksum of each migration that a database had.
    pub(crate) fn of(applied: &[(i64, Vec<u8>)], migrations: &Migrator) -> Tables {
        for (version, checksum) in applied {
            match migrations.iter().find(|migration| migration.version == *version) {
                None => return Tables::Newer(*version),
                Some(migration) if *migration.checksum != **checksum => return Tables::Different(*version),
                Some(_) => {}
            }
        }
        if applied.len() < migrations.iter().count() { Tables::Behind } else { Tables::UpToDate }
    }

    /// The reason to leave the database alone, if there is one.
    pub(crate) fn refuse(&self, database: &str, migrations: &Migrator) -> Result<(), StoreError> {
        let database = database.to_owned();
        match self {
            Tables::UpToDate | Tables::Behind => Ok(()),
            Tables::Newer(found) => Err(StoreError::Newer { database, found: *found, known: known(migrations) }),
            Tables::Different(version) => Err(StoreError::Unusable {
                database,
                reason: format!("another build of Sickbay made its tables (migration {version} differs)"),
                hint: "run that build, or name another database in `[store] url`",
            }),
        }
    }
}

pub(crate) fn known(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");

    #[test]
    fn tables_are_told_by_their_migrations() {
        let all = || MIGRATIONS.iter().map(|migration| (migration.version, migration.checksum.to_vec())).collect::<Vec<_>>();
        let judged = |applied: &[(i64, Vec<u8>)]| Tables::of(applied, &MIGRATIONS);
        assert_eq!(judged(&all()), Tables::UpToDate);
        assert_eq!(judged(&[]), Tables::Behind);
        let mut newer = all();
        newer.push((9_999, Vec::new()));
        assert_eq!(judged(&newer), Tables::Newer(9_999));
        let mut different = all();
        different[0].1.push(0);
        assert_eq!(judged(&different), Tables::Different(all()[0].0));
        assert!(judged(&all()).refuse("it", &MIGRATIONS).is_ok() && judged(&[]).refuse("it", &MIGRATIONS).is_ok());
        for refused in [newer, different] {
            let error = judged(&refused).refuse("it", &MIGRATIONS).unwrap_err().to_string();
            assert!(error.starts_with("it ") && error.contains("hint: "), "{error}");
        }
    }
}
