//! PostgreSQL by the name of a source: the operator says where it is and with which credentials, a check names it.
//!
//! Grants: `{ source, rows_max, access }` (see [`Grant`]). `policy.rs` decides; what a statement is, as far as words tell, says
//! `statement.rs`. A statement that only reads is held by the server itself, as is told in `session.rs`.
//!
//! How: `host.rs` takes the guest's statements, `request.rs` holds them against the contract's bounds, `client.rs` goes through one call,
//! `source.rs` gives it a connection for itself (`dial.rs`, `login.rs`), `conversation.rs` says what is to be said and in how many round
//! trips, `session.rs`, `outgoing.rs` and `wire.rs` speak the protocol. `value.rs` with `types.rs`, `calendar.rs` and `array.rs` turns
//! values into text and back. `standing.rs` tells what a source's role may do. A call runs in one task of its own, which ends with the run;
//! `ending.rs` ends what it leaves at the server.
//!
//! The messages and the login are `postgres-protocol`'s; the connection is our own. sqlx's takes a message of any length whole into memory,
//! asks for values in binary form, which has no text for types that are not known, cannot ask for the first rows of a statement that it
//! keeps prepared, and waits for every answer before it says the next thing.
//!
//! Limits: one answer has at most 262,144 values, and what a run may still receive. Where that cuts a row off, the connection is closed in
//! its middle (when writing, the rest is read and thrown away). What a function does outside the transaction is a matter of the
//! role: what extensions keep in a session (`dblink`, PL/Perl) stays until the connection is closed, and so does, behind a pooler, what a
//! statement that writes leaves in the pooler's session. The statements of other checks on the same source can be seen in
//! `pg_stat_activity`. GSSAPI, SCRAM with channel binding and several hosts in one URL are not there.
//!
//! Invariant: no credential, host, user or database of a source is in a message, a log line or `Debug`.

mod array;
mod calendar;
mod client;
mod conversation;
mod dial;
mod ending;
mod failure;
mod grant;
mod host;
mod intake;
mod login;
mod outgoing;
mod policy;
mod request;
mod session;
mod settings;
mod source;
mod standing;
mod statement;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod wire;

pub use grant::{Grant, ROWS_DEFAULT, ROWS_MOST};
pub use policy::foretell;
pub use settings::{Access, CONNECTIONS_DEFAULT, CONNECTIONS_MOST, Dialect, Endpoint, PostgresSettings, STATEMENT_TIMEOUT_DEFAULT};
pub(crate) use source::Sources;
pub use standing::Power;

pub use crate::source::UrlError;
