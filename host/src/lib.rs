//! Sickbay as a library: the daemon, its configuration, its API and its command line. See `host/ARCHITECTURE.md`.

pub mod alerting;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod escape;
pub mod failure;
pub mod live;
pub mod logging;
pub mod masks;
pub mod metrics;
pub mod page;
pub mod plugins;
pub mod quarantine;
pub mod reporter;
pub mod slo;
pub mod toolchain;
pub mod transcripts;
pub mod warm;
