//! Redis by the name of a source: the operator says where it is and with which credentials, a check names it.
//!
//! Grants: `{ source, commands, keys }` (see [`Grant`]). Every command passes [`policy`] twice. By its name alone, before anything is
//! dialled: is it one that is never lent, does a grant name it? Then by what the *server* says of it (`COMMAND`: flags, categories, where
//! its keys stand), since only the server knows what it would do with it; where the table does not tell the keys, the server is asked
//! (`COMMAND GETKEYS`), and where it cannot tell them either, the command needs `keys = ["*"]`.
//!
//! How: `host.rs` takes the guest's commands, `request.rs` holds them against the contract's bounds, `client.rs` goes through the steps of
//! one call, `pool.rs` gives it a connection for itself, `connection.rs` speaks RESP over it, `cluster.rs` follows a cluster's redirects.
//! `reply.rs` turns bytes into the contract's flat list as they come. `table.rs` is the server's command table, `commands.rs` what is known
//! of commands by name, `standing.rs` tells as whom a source is entered. A call runs in one task of its own, which ends with the run.
//!
//! The crate `redis` parses URLs and packs commands. Its connections are not used: they take a reply of any size whole into memory and make
//! a tree of it, and a run may only take so many bytes and nodes.
//!
//! Limits: a renamed command cannot be called by its new name (the table knows the old one). A server whose `COMMAND` the source's user may
//! not call is refused. In a cluster, commands of one `run-many` that live on different nodes are asked node after node; the node in the
//! source's URL must be up. What the host asks for itself (greeting, table, keys) is not charged to the run.

mod client;
mod cluster;
mod commands;
mod connection;
mod dial;
mod failure;
mod grant;
mod hint;
mod host;
mod policy;
mod pool;
mod reply;
mod request;
mod settings;
mod source;
mod standing;
mod table;
#[cfg(test)]
mod tests;

pub use grant::Grant;
pub use policy::foretell;
pub use settings::{CONNECTIONS_DEFAULT, CONNECTIONS_MOST, Endpoint, RedisSettings, Topology};
pub(crate) use source::Sources;
pub use standing::Entrant;

pub use crate::source::{ClientCertificate, UrlError};
