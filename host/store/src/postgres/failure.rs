//! What a server's error, or its silence, means for the person who has to mend it.

use std::{
    future::Future,
    io::{self, ErrorKind},
    time::Duration,
};

use crate::{Cause, StoreError};

pub(super) fn failed(operation: &'static str, database: &str, source: sqlx::Error) -> StoreError {
    match source {
        sqlx::Error::PoolClosed => StoreError::Closed,
        source => StoreError::Failed { operation, database: database.to_owned(), cause: cause_of(&source), source },
    }
}

/// The outcome of `work`, or the error that it did not come within `limit`: a network that swallows everything ends nothing by itself.
pub(super) async fn within<T, E: From<sqlx::Error>>(limit: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(silent(limit).into()))
}

fn silent(limit: Duration) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs())))
}

/// Whether a statement waited for a lock until its time was over.
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|state| state == "55P03")
}

fn cause_of(error: &sqlx::Error) -> Cause {
    match error {
        sqlx::Error::Io(error) => of_system(error.kind()),
        sqlx::Error::Tls(_) => Cause::Tls,
        error => error.as_database_error().and_then(|error| error.code()).map_or(Cause::Other, |state| of_state(&state)),
    }
}

fn of_system(kind: ErrorKind) -> Cause {
    match kind {
        ErrorKind::TimedOut => Cause::Silent,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof
        | ErrorKind::NotConnected => Cause::ConnectionLost,
        // A name that is not known has no kind of its own.
        _ => Cause::Unreachable,
    }
}

/// `state` is the SQLSTATE: its first two characters are the class.
fn of_state(state: &str) -> Cause {
    match state {
        "53100" => Cause::DiskFull,
        "53300" => Cause::NoConnectionLeft,
        "25006" => Cause::ReadOnly,
        "28000" | "28P01" => Cause::LoginRefused,
        "3D000" => Cause::NoSuchDatabase,
        "42501" => Cause::Forbidden,
        "3F000" | "42P01" | "42703" => Cause::TablesMissing,
        // A statement, or the wait for a lock, took longer than the session allows.
        "57014" | "55P03" => Cause::Silent,
        // The server stops, crashed, starts, or ended an idle session.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Cause::ConnectionLost,
        state if state.starts_with("08") => Cause::ConnectionLost,
        _ => Cause::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_tells_what_to_do() {
        for state in ["53100", "53300", "25006", "28P01", "3D000", "42501", "42P01", "57014", "57P01", "08006"] {
            let message = of_state(state).to_string();
            assert!(message.contains("hint: "), "{state}: {message}");
        }
        for kind in [ErrorKind::TimedOut, ErrorKind::ConnectionReset, ErrorKind::ConnectionRefused] {
            let message = of_system(kind).to_string();
            assert!(message.contains("hint: "), "{kind:?}: {message}");
        }
        assert_eq!(of_state("XX000"), Cause::Other);
    }

    #[tokio::test]
    async fn silence_is_told_as_such() {
        let silence = within(Duration::ZERO, std::future::pending::<Result<(), sqlx::Error>>()).await.unwrap_err();
        assert_eq!(cause_of(&silence), Cause::Silent);
    }
}
