//! Write Sickbay plugins in Rust.
//!
//! A plugin is a WebAssembly component that describes the kinds of check, recovery and sink it offers and runs them. With this crate a
//! check is one `struct` for its configuration and one `impl` of [`Check`]; [`plugin!`] makes a component of it.
//!
//! Who is who:
//! - [`Check`]: one kind of check. [`Request`] is what one run is asked, [`Report`] what it found.
//! - [`Recovery`]: one kind of recovery. [`RecoveryRequest`] is what it is asked, [`Action`] a step that it plans, [`Progress`] how a step
//!   goes: an [`Outcome`], or [`Running`].
//! - [`Sink`]: one kind of sink. [`SinkRequest`] has the [`Notification`] to tell, [`Receipt`] and [`DeliveryError`] are what came of it.
//! - [`Error`]: what `?` makes of a failed call. What the *service* did becomes a critical report, what the *plugin or its
//!   configuration* did becomes a failure, which the host records as `unknown`.
//! - [`http`], [`postgres`], [`redis`], [`net`], [`files`], [`secrets`], [`system`], [`state`], [`log`], [`clock`]: what a run may use, as far as the
//!   operator granted it.
//! - [`sinks`]: what sinks have in common: levels and colours, fingerprints, what an answer means, texts by templates.
//! - [`limit`], [`expiry`], [`trend`]: judging a number and a certificate; what changed since an earlier run.
//! - `testing` (native only): a scripted host, so that `cargo test` runs a plugin without WebAssembly.
//!
//! A plugin imports only what it calls: one that never sends a request has no `http` import. It exports only what it offers.
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
mod recovery;
mod report;
mod sink;

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
pub mod sinks;
pub mod state;
pub mod system;
pub mod trend;

#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use bindings::exports::sickbay::plugin::check::Earlier;
pub use bindings::exports::sickbay::plugin::plugin::{Descriptor, Kind, MetricInfo, Need};
pub use bindings::exports::sickbay::plugin::recovery::{Action, Incident, Outcome, Progress, Running};
pub use bindings::exports::sickbay::plugin::sink::{Alert, DeliveryError, Notification, Phase, Receipt, Retry};
pub use bindings::sickbay::plugin::types::{
    Certificate, Denial, Evidence, Failure, Label, Metric, MetricKind, Report, Status, Timings, TlsSession,
};
pub use check::{Check, Request};
pub use error::Error;
pub use recovery::{Recovery, RecoveryRequest};
pub use sink::{Sink, SinkRequest};

pub use schemars;
pub use serde;
pub use serde_json;

/// What almost every plugin names.
pub mod prelude {
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
    pub use serde_json::{Value, json};

    pub use crate::{
        Action, Check, DeliveryError, Error, MetricInfo, Need, Outcome, Phase, Progress, Receipt, Recovery, RecoveryRequest, Report,
        Request, Running, Sink, SinkRequest, Status, clock, files, http, log, net, postgres, redis, secrets, state, system,
    };
}

/// What the code behind [`plugin!`] calls; no part of the interface.
#[doc(hidden)]
pub mod private {
    pub use crate::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request as CheckWireRequest};
    pub use crate::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
    pub use crate::bindings::exports::sickbay::plugin::recovery::{Guest as RecoveryGuest, Request as RecoveryWireRequest};
    pub use crate::bindings::exports::sickbay::plugin::sink::{Guest as SinkGuest, Request as SinkWireRequest};
    pub use crate::check::run;
    pub use crate::describe::{check_kind, descriptor, recovery_kind, sink_kind};
    pub use crate::error::unknown_kind;
    pub use crate::panic::tell_panics;
    pub use crate::recovery::{act, follow, plan};
    pub use crate::sink::deliver;
}

/// The heap. The allocator that the standard library has for `wasm32-unknown-unknown` does not use the memory that a guest begins with:
/// it would grow the memory in every run.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
