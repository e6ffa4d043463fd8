//! Whose mistake a failed call was.
//!
//! "Unknown is not down": a service that refuses, hangs or answers wrongly is critical; a missing grant, a spent quota or a
//! wrong configuration says nothing about the service and is a failure, which the host records as `unknown`.

use std::fmt;

use crate::bindings::sickbay::plugin::files::FileError;
use crate::bindings::sickbay::plugin::http::HttpError;
use crate::bindings::sickbay::plugin::net::NetError;
use crate::bindings::sickbay::plugin::postgres::PostgresError;
use crate::bindings::sickbay::plugin::redis::RedisError;
use crate::bindings::sickbay::plugin::secrets::SecretError;
use crate::bindings::sickbay::plugin::system::SystemError;
use crate::http::StatusError;
use crate::report::{FAILURE_MESSAGE_BYTES_MAX, cut};
use crate::{Denial, Failure, Report};

/// Why a run ended without an answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The service did it: a check becomes a critical report, a step of a recovery was not done.
    Service {
        /// The failure kind: `dns`, `connection`, `refused`, `tls`, `timeout`, `protocol`, `content`, ...
        failure: &'static str,
        message: String,
    },
    /// The plugin or its configuration did it: the run becomes a failure.
    Plugin {
        /// `denied`, `quota`, `configuration` or `internal`.
        kind: &'static str,
        message: String,
    },
}

impl Error {
    /// What the service did, with a failure kind of the plugin's choice.
    pub fn service(failure: &'static str, message: impl Into<String>) -> Error {
        Error::Service { failure, message: message.into() }
    }

    /// The configuration cannot be worked with.
    pub fn configuration(message: impl Into<String>) -> Error {
        Error::Plugin { kind: "configuration", message: message.into() }
    }

    /// A bound was reached.
    pub fn quota(message: impl Into<String>) -> Error {
        Error::Plugin { kind: "quota", message: message.into() }
    }

    /// A defect of the plugin, or an answer of the host that nothing can be judged by.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::Plugin { kind: "internal", message: message.into() }
    }

    fn denied(denial: Denial) -> Error {
        let mut message = denial.reason;
        if !denial.hint.is_empty() {
            message.push_str("; hint: ");
            message.push_str(&denial.hint);
        }
        Error::Plugin { kind: "denied", message }
    }

    pub(crate) fn into_answer(self) -> Result<Report, Failure> {
        match self {
            Error::Service { failure, message } => Ok(Report::ok("").critical(failure, message).fit()),
            plugin @ Error::Plugin { .. } => Err(plugin.into()),
        }
    }
}

/// The host asks only for kinds that `describe` named, so this is a mistake of one of the two.
pub fn unknown_kind(sort: &str, kind: &str) -> Error {
    let mut message = String::from("this plugin has no kind of ");
    message.push_str(sort);
    message.push_str(" named ");
    message.push_str(kind);
    Error::internal(message)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let (kind, mut message) = match error {
            Error::Service { failure, message } => (failure, message),
            Error::Plugin { kind, message } => (kind, message),
        };
        cut(&mut message, FAILURE_MESSAGE_BYTES_MAX);
        Failure { kind: kind.to_owned(), message, extras: Vec::new() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, message) = match self {
            Error::Service { failure, message } => (failure, message),
            Error::Plugin { kind, message } => (kind, message),
        };
        formatter.write_str(kind)?;
        formatter.write_str(": ")?;
        formatter.write_str(message)
    }
}

impl std::error::Error for Error {}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Error {
        match error {
            HttpError::Denied(denial) => Error::denied(denial),
            HttpError::Invalid(message) => Error::configuration(message),
            HttpError::Quota(message) => Error::quota(message),
            HttpError::Dns(message) => Error::service("dns", message),
            HttpError::Refused(message) => Error::service("refused", message),
            HttpError::Connect(message) | HttpError::Other(message) => Error::service("connection", message),
            HttpError::Tls(message) => Error::service("tls", message),
            HttpError::Timeout(message) => Error::service("timeout", message),
            HttpError::Protocol(message) => Error::service("protocol", message),
        }
    }
}

impl From<StatusError> for Error {
    fn from(error: StatusError) -> Error {
        Error::service("content", error.to_string())
    }
}

impl From<PostgresError> for Error {
    fn from(error: PostgresError) -> Error {
        match error {
            PostgresError::Denied(denial) => Error::denied(denial),
            PostgresError::Invalid(message) => Error::configuration(message),
            PostgresError::Quota(message) => Error::quota(message),
            PostgresError::Connect(message) | PostgresError::Other(message) => Error::service("connection", message),
            PostgresError::Authentication(message) => Error::service("authentication", message),
            PostgresError::TooManyConnections(message) => Error::service("too-many-connections", message),
            PostgresError::Timeout(message) => Error::service("timeout", message),
            PostgresError::Server(error) => crate::postgres::refusal(error),
        }
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Error {
        match error {
            RedisError::Denied(denial) => Error::denied(denial),
            RedisError::Invalid(message) => Error::configuration(message),
            RedisError::Quota(message) => Error::quota(message),
            // The contract has no arm for it; the host's message names the setting that refused.
            RedisError::Connect(message) if message.contains("`maxclients`") => Error::service("too-many-connections", message),
            RedisError::Connect(message) | RedisError::Other(message) => Error::service("connection", message),
            RedisError::Authentication(message) => Error::service("authentication", message),
            RedisError::Timeout(message) => Error::service("timeout", message),
        }
    }
}

impl From<NetError> for Error {
    fn from(error: NetError) -> Error {
        match error {
            NetError::Denied(denial) => Error::denied(denial),
            NetError::Invalid(message) => Error::configuration(message),
            NetError::Quota(message) => Error::quota(message),
            NetError::Dns(message) => Error::service("dns", message),
            NetError::Refused(message) => Error::service("refused", message),
            NetError::Connect(message) | NetError::Other(message) => Error::service("connection", message),
            NetError::Tls(message) => Error::service("tls", message),
            NetError::Timeout(message) => Error::service("timeout", message),
            NetError::Closed(message) => Error::service("protocol", message),
        }
    }
}

/// A file is what a check is about: one that is not there, or that the system does not give, is the target's state.
impl From<FileError> for Error {
    fn from(error: FileError) -> Error {
        match error {
            FileError::Denied(denial) => Error::denied(denial),
            FileError::Invalid(message) => Error::configuration(message),
            FileError::Quota(message) => Error::quota(message),
            FileError::NotFound(message) => Error::service("missing", message),
            FileError::Refused(message) | FileError::Other(message) => Error::service("file-system", message),
        }
    }
}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Error {
        match error {
            SecretError::Denied(denial) => Error::denied(denial),
            SecretError::Invalid(message) => Error::configuration(message),
            SecretError::Quota(message) => Error::quota(message),
            SecretError::Other(message) => Error::service("secret", message),
        }
    }
}

/// The machine is no service that could refuse: what cannot be read cannot be judged.
impl From<SystemError> for Error {
    fn from(error: SystemError) -> Error {
        match error {
            SystemError::Denied(denial) => Error::denied(denial),
            SystemError::Unsupported(message) => Error::configuration(message),
            SystemError::Other(message) => Error::internal(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_did_is_critical_with_the_failure_kind() {
        let cases = [
            (HttpError::Dns("x".into()), "dns"),
            (HttpError::Refused("x".into()), "refused"),
            (HttpError::Connect("x".into()), "connection"),
            (HttpError::Tls("x".into()), "tls"),
            (HttpError::Timeout("x".into()), "timeout"),
            (HttpError::Protocol("x".into()), "protocol"),
            (HttpError::Other("x".into()), "connection"),
        ];
        for (error, failure) in cases {
            let report = Error::from(error).into_answer().expect("a report");
            assert_eq!(report.status, crate::Status::Critical);
            assert_eq!(report.failure.as_deref(), Some(failure));
            assert_eq!(report.summary, "x");
        }
    }

    #[test]
    fn the_other_capabilities_tell_the_same_kinds() {
        let cases = [
            (Error::from(PostgresError::TooManyConnections("x".into())), "too-many-connections"),
            (Error::from(PostgresError::Timeout("x".into())), "timeout"),
            (Error::from(RedisError::Authentication("x".into())), "authentication"),
            (Error::from(RedisError::Connect("x".into())), "connection"),
            (Error::from(RedisError::Connect("the server has no connection left (`maxclients`)".into())), "too-many-connections"),
            (Error::from(NetError::Refused("x".into())), "refused"),
            (Error::from(NetError::Closed("x".into())), "protocol"),
            (Error::from(FileError::NotFound("x".into())), "missing"),
            (Error::from(FileError::Refused("x".into())), "file-system"),
            (Error::from(SecretError::Other("x".into())), "secret"),
            (Error::from(StatusError { status: 503, retry_after_ms: None }), "content"),
        ];
        for (error, failure) in cases {
            assert_eq!(error.into_answer().expect("a report").failure.as_deref(), Some(failure));
        }
    }

    #[test]
    fn what_the_plugin_or_its_configuration_did_is_a_failure() {
        let denial = Denial { reason: "no grant".into(), hint: String::new() };
        let cases = [
            (Error::from(HttpError::Denied(denial.clone())), "denied"),
            (Error::from(HttpError::Invalid("x".into())), "configuration"),
            (Error::from(HttpError::Quota("x".into())), "quota"),
            (Error::from(SystemError::Denied(denial)), "denied"),
            (Error::from(SystemError::Unsupported("x".into())), "configuration"),
            (Error::from(SystemError::Other("x".into())), "internal"),
            (Error::from(PostgresError::Quota("x".into())), "quota"),
            (Error::from(RedisError::Invalid("x".into())), "configuration"),
            (Error::from(NetError::Quota("x".into())), "quota"),
            (Error::from(FileError::Invalid("x".into())), "configuration"),
            (Error::from(FileError::Quota("x".into())), "quota"),
            (Error::from(SecretError::Quota("x".into())), "quota"),
        ];
        for (error, kind) in cases {
            assert_eq!(error.into_answer().expect_err("a failure").kind, kind);
        }
    }

    #[test]
    fn a_long_failure_message_is_cut_to_the_bound() {
        let failure = Failure::from(Error::internal("é".repeat(2000)));
        assert!(failure.message.len() <= FAILURE_MESSAGE_BYTES_MAX);
        assert!(failure.message.ends_with('…'));
    }
}
