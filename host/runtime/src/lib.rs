//! The sandbox: everything that names wasmtime.
//!
//! Who is who: a [`Sandbox`] owns the engine, the linker and the artifact cache. [`Sandbox::load`] turns the bytes of a file into a
//! [`Plugin`]: refuse native code, compile in a process of its own ([`worker`], where what asks for a [`HeadStart`] gets it), link,
//! `describe`. [`Plugin::check`] is one run: a fresh store and instance under [`Limits`], ended by its deadline, its answer validated
//! against the contract's bounds; [`Plugin::deliver`] is one delivery of a [`notification`] by a sink, in the same way.
//! [`Plugin::check_warm`] is the same on an instance that a run before left behind ([`WarmInstance`]).
//! What a guest may do is not decided here: a run is given one [`Lend`], and every call of the guest goes to it, past a tape where there
//! is one ([`transcript`]): it keeps the calls of a run, and answers those of [`Plugin::replay`].
//!
//! Invariant: nothing of a run outlives it but, in an instance that is kept, the guest's own memory; what a guest returned is bounded before anyone else sees it.
//! Invariant: no other crate names wasmtime; those that answer a guest's calls use [`bindings`], [`HostResult`] and [`trap`].

mod answer;
pub mod bindings;
mod cache;
mod compile;
mod context;
mod cpu;
mod deliver;
mod describe;
pub mod descriptor;
mod engine;
mod exports;
mod head_start;
mod lane;
pub mod limits;
mod linker;
mod loader;
mod memory;
pub mod notification;
pub mod outgoing;
mod output;
mod plugin;
mod producers;
mod refusal;
mod replay;
mod sandbox;
mod scratch;
mod segments;
mod taped;
pub mod transcript;
mod wasi_http;
pub mod worker;
mod world;

pub use context::RunContext;
pub use deliver::{DeliveryOutcome, SinkFinding};
pub use descriptor::{Descriptor, Kind, MetricInfo, Need, Sort};
pub use engine::INSTANCES_MAX;
pub use head_start::HeadStart;
pub use limits::Limits;
pub use loader::{LoadError, WASM_BYTES_MAX};
pub use notification::SinkRequest;
pub use plugin::{CheckRequest, Plugin, RunOutcome, RunUsage, WarmInstance};
pub use producers::Producer;
pub use replay::{ReplayError, Replayed};
pub use sandbox::{Sandbox, SandboxError, SandboxSettings, digest};
pub use world::with_component_type;

use bindings::sickbay::plugin as contract;
use transcript::Tape;

/// The version of the contract that this host offers.
pub const CONTRACT: &str = "sickbay:plugin@0.1.0";
/// The engine's version, for `sickbay_build_info`.
pub const ENGINE: &str = "wasmtime 48";

/// What an answer to a guest's call returns; an error ends the run as a trap.
pub type HostResult<T> = wasmtime::Result<T>;

/// Resources that guests hold handles of.
pub mod resource {
    pub use wasmtime::component::Resource;
}

/// An error that ends the guest's run.
pub fn trap(message: impl std::fmt::Display) -> wasmtime::Error {
    wasmtime::Error::msg(message.to_string())
}

/// The engine as the sandbox configures it, for the bench: what it is measured against differs in nothing but our own layer.
pub mod bare {
    pub fn engine() -> wasmtime::Result<wasmtime::Engine> {
        crate::engine::start()
    }
}

/// What is lent to one run: answers to every call of the contract, each authorised where it is answered.
pub trait Lend:
    contract::types::Host
    + contract::http::Host
    + contract::postgres::Host
    + contract::redis::Host
    + contract::net::Host
    + contract::net::HostConnection
    + contract::secrets::Host
    + contract::files::Host
    + contract::system::Host
    + contract::state::Host
    + contract::log::Host
    + Send
    + 'static
{
    /// The first quota that the guest ran into through calls of the host, with its limit.
    fn exceeded(&self) -> Option<(sickbay_core::Quota, u64)>;

    /// The last line that the guest logged as an error: a panic's text, where the guest has no stderr. Empty where there is none.
    fn last_error_line(&self) -> &str {
        ""
    }

    /// The first denial that the guest was not told in words, with the line that would allow it: `wasi:http` has none for it. It makes a
    /// failure of a report that is not ok.
    fn denied_aside(&self) -> Option<String> {
        None
    }

    /// What a guest that uses WASI's own files is shown. Asked once, before such a run begins.
    fn folders(&mut self) -> impl Future<Output = Vec<Folder>> + Send;

    /// Sends a request that came over `wasi:http`, as `sickbay:plugin/http` would.
    fn send_over_wasi(&mut self, request: outgoing::Request) -> outgoing::Exchange;

    /// Whether the guest holds a handle that was given to it in this run, such as a connection: its instance is not kept then.
    fn holds_handles(&self) -> bool;

    /// The tape of the run, where it has one. Asked once, before the run begins; it comes back with the outcome.
    fn tape(&mut self) -> Option<Box<Tape>> {
        None
    }

    /// `text` as it may be kept on a tape, with nothing of a secret in it; None where that is what it is.
    fn masked(&self, _text: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Whether a guest must not set this header over `wasi:http`.
    fn forbids_header(name: &http::HeaderName) -> bool;
}

/// A folder of the host, entered already.
#[derive(Debug)]
pub struct Folder {
    /// Of a directory; it needs no rights of its own.
    pub directory: std::os::fd::OwnedFd,
    /// As the guest knows it.
    pub guest: String,
    pub writable: bool,
}
