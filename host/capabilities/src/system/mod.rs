//! The machine that Sickbay runs on: CPU, memory, load, disks, processes, sockets, open files.
//!
//! Grants: the words of [`Grant`]. `policy.rs` decides, `client.rs` reads from `/proc` off the scheduler's threads, `parse.rs` understands
//! what stands there, `cpu.rs` samples the CPU so that every reader gets the same answer.
//!
//! Limits: lists are cut at the constants of `parse.rs`. Where there is no `/proc`, everything answers `unsupported`. The process that
//! holds a listening socket is not looked up.

mod client;
mod cpu;
mod grant;
mod host;
mod parse;
mod policy;

pub(crate) use client::Machine;
pub use grant::Grant;
pub(crate) use parse::unescape;
pub use policy::foretell;
