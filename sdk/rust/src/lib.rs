//! Write Sickbay plugins in Rust.
//!
//! A plugin is a WebAssembly component that describes the kinds of check it offers and runs them. With this crate a
//! check is one `struct` for its configuration and one `impl` of [`Check`]; [`plugin!`] makes a component of it.
//!
//! Who is who:
//! - [`Check`]: one kind of check. [`Request`] is what one run is asked, [`Report`] what it found.
//! - [`Error`]: what `?` makes of a failed call. What the *service* did becomes a critical report, what the *plugin or its
//!   configuration* did becomes a failure, which the host records as `unknown`.
//! - [`http`], [`postgres`], [`redis`], [`net`], [`files`], [`secrets`], [`system`], [`state`], [`log`], [`clock`]: what a run may use, as far as the
//!   operator granted it.
//! - [`limit`], [`expiry`], [`trend`]: judging a number and a certificate; what changed since an earlier run.
//! - `testing` (native only): a scripted host, so that `cargo test` runs a check without WebAssembly.
//!
//! A plugin imports only what it calls: one that never sends a request has no `http` import.
//!
//! A plugin is compiled for `wasm32-wasip2` or for `wasm32-unknown-unknown`; the interface is the same on both.
//!
//! Invariant: the path of a run does not touch the JSON Schema generator; only `describe` does.

#[allow(unreachable_pub, clippy::all, reason = "generated code")]
pub mod bindings;

mod check;
mod describe;
mod error;
mod panic;
mod plugin;
mod report;

pub mod clock;
pub mod expiry;
pub mod files;
pub mod http;
pub mod limit;
pub mod log;
pub mod net;
pub mod postgres;
pub mod redis;
pub mod secrets;
pub mod state;
pub mod system;
pub mod trend;

#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::exports::sickbay::plugin::check::Earlier;
pub use bindings::exports::sickbay::plugin::plugin::{Descriptor, Kind, MetricInfo, Need};
pub use bindings::sickbay::plugin::types::{
    Certificate, Denial, Evidence, Failure, Label, Metric, MetricKind, Report, Status, Timings, TlsSession,
};
pub use check::{Check, Request};
pub use error::Error;

pub use schemars;
pub use serde;
pub use serde_json;

/// What almost every plugin names.
pub mod prelude {
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
    pub use serde_json::{Value, json};

    pub use crate::{
        Check, Error, MetricInfo, Need, Report, Request, Status, clock, files, http, log, net, postgres, redis, secrets, state, system,
    };
}

/// What the code behind [`plugin!`] calls; no part of the interface.
#[doc(hidden)]
pub mod private {
    pub use crate::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request as WireRequest};
    pub use crate::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
    pub use crate::check::{run, unknown_kind};
    pub use crate::describe::{descriptor, kind};
    pub use crate::panic::tell_panics;
}

/// The heap. The allocator that the standard library has for `wasm32-unknown-unknown` does not use the memory that a guest begins with:
/// it would grow the memory in every run.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
