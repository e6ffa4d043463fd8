//! Checks of the machine that Sickbay runs on.
//!
//! One file per kind, all of the same shape: configuration with defaults that mean something, one reading of the host,
//! a pure judgement. Every kind but `processes` works with the configuration `{}`. A limit is passed by what is *above* it,
//! so a ratio limit of 1 never is.

mod cpu;
mod disk;
mod io;
mod load;
mod memory;
mod open_files;
mod processes;
mod selection;

use cpu::Cpu;
use disk::Disk;
use io::Io;
use load::Load;
use memory::Memory;
use open_files::OpenFiles;
use processes::Processes;

sickbay_sdk::plugin! {
    name: "system",
    version: env!("CARGO_PKG_VERSION"),
    summary: "The machine that Sickbay runs on: processor, memory, disks, load, processes, open files",
    checks: [Cpu, Memory, Disk, Load, Io, Processes, OpenFiles],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_well_described::<Cpu>();
        assert_well_described::<Memory>();
        assert_well_described::<Disk>();
        assert_well_described::<Load>();
        assert_well_described::<Io>();
        assert_well_described::<Processes>();
        assert_well_described::<OpenFiles>();
    }
}
