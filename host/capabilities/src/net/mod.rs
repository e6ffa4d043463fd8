//! Below HTTP: dialogues over TCP, TLS and UNIX sockets, and questions to DNS.
//!
//! Grants: `tcp://host:port`, `tls://host:port`, `unix:///path`, `dns://name` (see [`Grant`]). Whatever goes out passes the name layer
//! ([`policy`]) and then what the name stands for: addresses pass [`crate::egress`], a path passes the policy again with its links resolved.
//! What was judged is what is connected to. `start-tls` needs no grant of its own: `tcp://` and `unix://` cover all that goes over their
//! connection, `tls://` lets nothing out in plain.
//!
//! How: `target.rs` holds what a guest asks for against the contract's bounds, `client.rs` connects, `unix.rs` finds sockets by their paths,
//! `wire.rs` is what bytes go over, `dialogue.rs` sends and receives, `dns.rs` asks for records, `connections.rs` keeps what a run has open,
//! `host.rs` answers the guest. The work of each call runs in a task of its own, which ends with the call.
//!
//! Limits: no protocol is offered in a TLS handshake (ALPN). A TLS connection is closed without a farewell (`close_notify`). DNS is asked for
//! the name as it stands, without search domains and `/etc/hosts`; which server is asked is the system's choice, never a guest's.
//!
//! Invariant: a connection belongs to its run; it is closed when the guest drops it, when a call on it is abandoned, and when the run is over.
//! Invariant: of a peer that sends without end, no more is read than one `receive` asks for, or than tells whether that ends within a secret.

mod client;
mod connections;
mod dialogue;
mod dns;
mod grant;
mod host;
mod host_pattern;
mod policy;
mod target;
#[cfg(test)]
mod tests;
mod unix;
mod wire;

use std::time::Duration;

use tokio::time::Instant;

pub(crate) use client::{Caller, dial_place};
pub(crate) use connections::Connections;
pub use grant::Grant;
pub(crate) use grant::Security;
pub(crate) use policy::Asked;
pub use policy::foretell;
pub(crate) use target::Place;

/// A call ends at the lesser of its own time and the run's.
fn deadline(time: Option<Duration>, run_deadline: Instant) -> Instant {
    time.and_then(|time| Instant::now().checked_add(time)).map_or(run_deadline, |own| own.min(run_deadline))
}
