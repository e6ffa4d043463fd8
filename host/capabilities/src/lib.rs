//! What Sickbay lends to plugins.
//!
//! Who is who: [`Services`] are the host's own means (TLS roots, egress policy, names, CPU sampler), made once. [`Grants`] are what the
//! operator's configuration allows one check. A [`Lent`] is both for one run: it answers every call of the guest, and [`Usage`] is
//! what is left of it when the run is over.
//!
//! How: one folder per capability, all of the same inner shape. `grant.rs` is the grammar, `policy.rs` decides (request x grant ->
//! allowed, or denied with the line that would allow it), `client.rs` does it, `host.rs` translates the contract's types.
//! Two things stand below all of them: the [`meter`] counts every call against the run's limits, and [`egress`] judges every address
//! before it is dialled.
//!
//! Invariant: nothing is lent that a grant does not name; each capability asks its policy in exactly one place.
//! Invariant: no address is dialled that `egress` has not judged in the same call; sources are the operator's own and exempt.
//! Invariant: no host call outlasts the deadline in its [`RunScope`], and nothing of it goes on after the guest is gone, but for the seconds
//! in which what it left running at a PostgreSQL server is ended.

mod abandoned;
pub mod denial;
mod dial;
mod dns;
pub mod egress;
mod failure;
pub mod files;
mod glob;
pub mod grants;
pub mod http;
pub mod lent;
pub mod log;
mod material;
pub mod meter;
pub mod net;
mod own_task;
pub mod pem;
mod places;
pub mod postgres;
#[cfg(test)]
#[path = "../../../tests/src/process.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the end-to-end tests, which use all of it")]
mod process;
mod purse;
pub mod redis;
pub mod secrets;
pub mod services;
pub mod small_file;
mod source;
pub mod state;
pub mod system;
mod tls;

pub use denial::{Capability, DenialReason};
pub use egress::EgressSettings;
pub use grants::{GrantError, Grants};
pub use lent::{Lent, RunScope, Usage};
pub use meter::Calls;
pub use services::{ServiceSettings, Services, ServicesError, Unentered};
pub use source::{FlawedFile, TlsFile};

/// The contract's types and the traits that answer its calls.
use sickbay_runtime::bindings::sickbay::plugin as contract;
