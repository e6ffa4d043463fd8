//! What can go wrong with a store, said so that a person can mend it.
//!
//! Invariant: no message holds a URL or a credential; the database is named by its path.

use std::{fmt, io::ErrorKind};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL of the configuration names no store.
    #[error("`url` of `[store]` {reason}; hint: {hint}")]
    Address { reason: &'static str, hint: &'static str },

    /// The database is there, or could be, but is not one to work with.
    #[error("{database} cannot be used: {reason}; hint: {hint}")]
    Unusable { database: String, reason: String, hint: &'static str },

    /// A newer Sickbay has changed the tables.
    #[error(
        "{database} was written by a newer Sickbay (migration {found}; this one knows up to {known}); \
         hint: run that Sickbay, or name another database in `[store] url`"
    )]
    Newer { database: String, found: i64, known: i64 },

    /// Two would give the same numbers, and each would miss what the other decided.
    #[error("another Sickbay uses `{database}`; hint: stop it (`fuser {database}` names it), or name another file in `[store] url`")]
    InUse { database: String },

    /// As [`StoreError::InUse`], of a database on a server.
    #[error("another Sickbay uses {database} ({holder}); hint: stop it, or name another database in `[store] url`")]
    Claimed { database: String, holder: String },

    /// A copy keeps the numbers, so there must be none yet.
    #[error("the store to copy to has results or incidents already; hint: copy to a database that Sickbay never used")]
    NotEmpty,

    /// The path no longer names the file that is open: what is written there is gone when the process ends.
    #[error("the database file `{database}` was removed or replaced while Sickbay runs; hint: restart Sickbay")]
    Replaced { database: String },

    /// The database answered with an error.
    #[error("{operation} failed in {database}: {cause}")]
    Failed { operation: &'static str, database: String, cause: Cause, source: sqlx::Error },

    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn failed(operation: &'static str, database: &str, source: sqlx::Error) -> StoreError {
        match source {
            sqlx::Error::PoolClosed => StoreError::Closed,
            source => StoreError::Failed { operation, database: database.to_owned(), cause: Cause::of(&source), source },
        }
    }

    /// What is wrong and what to do, for those who must not learn which database it is.
    pub fn brief(&self) -> &'static str {
        match self {
            StoreError::Replaced { .. } => "the database file was removed or replaced while Sickbay runs; hint: restart Sickbay",
            StoreError::InUse { .. } | StoreError::Claimed { .. } => "another Sickbay uses the database; hint: stop it",
            StoreError::Failed { cause, .. } => cause.as_str(),
            StoreError::Address { .. }
            | StoreError::Unusable { .. }
            | StoreError::Newer { .. }
            | StoreError::NotEmpty
            | StoreError::Closed => "the store cannot be used",
        }
    }
}

/// Why a database could not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    DiskFull,
    /// Another process kept it locked for longer than the host waits.
    Locked,
    NotWritable,
    /// It can be neither opened nor made.
    CannotOpen,
    Damaged,
    NotADatabase,
    InputOutput,
    /// A server that does not answer at its address.
    Unreachable,
    ConnectionLost,
    /// A server that does not answer in time.
    Silent,
    Tls,
    LoginRefused,
    NoSuchDatabase,
    /// The role lacks a right.
    Forbidden,
    ReadOnly,
    NoConnectionLeft,
    TablesMissing,
    /// Anything else; the source says what.
    Other,
}

impl Cause {
    fn of(error: &sqlx::Error) -> Cause {
        if let sqlx::Error::Io(error) = error {
            return Cause::of_system(error.kind());
        }
        let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
        // The low byte of SQLite's extended result code is the kind of the error.
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Cause::Locked,
            Some(8) => Cause::NotWritable,
            Some(10) => Cause::InputOutput,
            Some(11) => Cause::Damaged,
            Some(13) => Cause::DiskFull,
            Some(14) => Cause::CannotOpen,
            Some(26) => Cause::NotADatabase,
            _ => Cause::Other,
        }
    }

    fn of_system(kind: ErrorKind) -> Cause {
        match kind {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Cause::DiskFull,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Cause::NotWritable,
            ErrorKind::NotFound => Cause::CannotOpen,
            _ => Cause::InputOutput,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Cause::DiskFull => "the disk is full; hint: free space there, or lower `bytes_max` of `[retention]`",
            Cause::Locked => "another process holds the database locked; hint: stop it (`fuser FILE` names it)",
            Cause::NotWritable => "the database cannot be written; hint: let the user that Sickbay runs as write the file and its folder",
            Cause::CannotOpen => {
                "the database can be neither opened nor made; hint: the folder must exist and the user that Sickbay runs as must be able to write it"
            }
            Cause::Damaged => "the database is damaged; hint: move the file away and start again, or restore a backup",
            Cause::NotADatabase => "the file is not a SQLite database; hint: name another file in `[store] url`",
            Cause::InputOutput => "the disk answered with an error; hint: look into the system's log",
            Cause::Unreachable => {
                "the server does not answer at that address; hint: `[store] url` must name its host and port, it must run, and no firewall \
                 may stand between"
            }
            Cause::ConnectionLost => {
                "the connection to the server was lost; hint: it is made anew by itself; where that lasts, look into the server's log"
            }
            Cause::Silent => {
                "the server did not answer in time; hint: `SELECT * FROM pg_stat_activity` shows what it does and what it waits for"
            }
            Cause::Tls => {
                "no encrypted connection came about; hint: `sslmode` and `sslrootcert` behind the `?` of `[store] url` say what is asked of \
                 the server"
            }
            Cause::LoginRefused => {
                "the server does not let this user in; hint: check user and password (`[store] url`, PGPASSWORD or the password file), and \
                 the server's pg_hba.conf"
            }
            Cause::NoSuchDatabase => {
                "there is no such database; hint: let an administrator run `CREATE DATABASE name OWNER role ENCODING 'UTF8' TEMPLATE template0`"
            }
            Cause::Forbidden => {
                "the role may not do that; hint: let an administrator run `CREATE SCHEMA sickbay AUTHORIZATION role` in that database"
            }
            Cause::ReadOnly => {
                "the server takes no writes; hint: name the primary in `[store] url`, or let the role write (`default_transaction_read_only`)"
            }
            Cause::NoConnectionLeft => {
                "the server has no connection left; hint: Sickbay takes up to 5: raise `max_connections` of the server, or the role's limit"
            }
            Cause::TablesMissing => {
                "tables of Sickbay are missing; hint: restore a backup, or restart Sickbay, which makes the tables anew"
            }
            Cause::Other => "the database answered with an error",
        }
    }
}

/// An error and everything that it came from, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    causes(error).join(": ")
}

/// What an error says, and what each of its causes adds to the one before it.
pub fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut told = vec![without_line(&error.to_string()).to_owned()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        let text = without_line(&text);
        if !told.last().is_some_and(|before| before.contains(text)) {
            told.push(text.to_owned());
        }
        source = cause.source();
    }
    told
}

/// Of a statement that nobody but Sickbay wrote, a line tells nothing.
fn without_line(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((before, line)) if !line.is_empty() && line.bytes().all(|digit| digit.is_ascii_digit()) => before,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn a_cause_that_repeats_the_one_before_it_is_told_once() {
        let told = |text, source| Told { text, source };
        let inner = told("no such table at line 12", None);
        let outer = told("the database answered: no such table at line 12", Some(Box::new(inner)));
        let whole = told("reading failed", Some(Box::new(outer)));
        assert_eq!(chain(&whole), "reading failed: the database answered: no such table");
    }
}
