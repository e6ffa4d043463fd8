//! The machine that Sickbay runs on, as far as `grants = { system = [...] }` allows.
//!
//! Amounts are floats because they become metrics; they are exact to 8 PiB.

pub use crate::bindings::sickbay::plugin::system::{Cpu, Disk, DiskIo, Listener, Load, Memory, OpenFiles, Process, SystemError};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::system as machine;
#[cfg(not(target_family = "wasm"))]
use crate::testing::machine;

/// Processor time, as the host sampled it. Grant: `cpu`.
pub fn cpu() -> Result<Cpu, SystemError> {
    machine::read_cpu()
}

/// Memory and swap. Grant: `memory`.
pub fn memory() -> Result<Memory, SystemError> {
    machine::read_memory()
}

/// Load averages over 1, 5 and 15 minutes. Grant: `load`.
pub fn load() -> Result<Load, SystemError> {
    machine::read_load()
}

/// Mounted file systems. Grant: `disk`.
pub fn disks() -> Result<Vec<Disk>, SystemError> {
    machine::read_disks()
}

/// Disk traffic, counted since boot. Grant: `io`.
pub fn disk_io() -> Result<Vec<DiskIo>, SystemError> {
    machine::read_disk_io()
}

/// Processes with exactly this name, at most 1000. Grant: `processes:NAME`.
pub fn processes(name: &str) -> Result<Vec<Process>, SystemError> {
    machine::read_processes(name)
}

/// Sockets that listen. Grant: `listeners`.
pub fn listeners() -> Result<Vec<Listener>, SystemError> {
    machine::read_listeners()
}

/// Open files of the whole machine. Grant: `files`.
pub fn open_files() -> Result<OpenFiles, SystemError> {
    machine::read_open_files()
}
