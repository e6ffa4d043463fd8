//! What the end-to-end tests share: the program as users run it, and a client that reads what it says.
//!
//! Who is who: [`Sickbay`] is one daemon in a folder of its own; [`Client`] asks its API, [`EventStream`] follows its events and
//! [`Samples`] are its metrics; [`program`] runs the other verbs; [`services`] are servers that a check can look at, [`redis`],
//! [`postgres`], [`mail`] and [`dns`] real ones, [`process`] holds them up; [`receiver`] keeps the [`notifications`] that come to it; a [`Verdict`] is what a run must
//! come to, and [`postgres_checks`] rounds of statements for it; [`ask`] has a check make the calls of a table; [`until`] and [`found`] wait.
//!
//! Invariant: a test waits for a condition, with a bound, and never for a time to pass.
//! Invariant: a daemon does not outlive its test, and a test that fails shows the daemon's log.
//! Invariant: where the program or a guest is missing a test fails; it is never skipped.

pub mod ask;
pub mod client;
pub mod daemon;
pub mod dns;
pub mod events;
pub mod mail;
pub mod notifications;
pub mod postgres;
pub mod postgres_checks;
pub mod process;
pub mod program;
pub mod receiver;
pub mod redis;
pub mod samples;
pub mod server;
pub mod services;
pub mod time;
pub mod verdict;
pub mod wait;

pub use client::{Answer, Client};
pub use daemon::{Sickbay, check, on_demand};
pub use events::{Event, EventStream};
pub use samples::Samples;
pub use time::milliseconds;
pub use verdict::{OK, Turn, Verdict};
pub use wait::{found, until};
