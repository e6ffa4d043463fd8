//! What every measure is told: how long, with which program, with which guests.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

pub(crate) struct Settings {
    pub(crate) quick: bool,
    /// The `sickbay` binary.
    pub(crate) program: PathBuf,
    guests: PathBuf,
}

impl Settings {
    pub(crate) fn from_environment(quick: bool) -> anyhow::Result<Settings> {
        Ok(Settings { quick, program: path("SICKBAY_BIN")?, guests: path("SICKBAY_TEST_GUESTS")? })
    }

    /// `full`, or `quick` in a smoke test.
    pub(crate) fn either<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    pub(crate) fn seconds(&self, full: u64, quick: u64) -> Duration {
        Duration::from_secs(self.either(full, quick))
    }

    /// The component of the guest `name`.
    pub(crate) fn guest(&self, name: &str) -> anyhow::Result<Vec<u8>> {
        let file = self.guests.join(format!("{name}.wasm"));
        std::fs::read(&file).with_context(|| format!("cannot read the guest {}; hint: ./tests/run guests builds it", file.display()))
    }
}

fn path(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable).with_context(|| format!("{variable} is not set; hint: start the bench with ./tests/bench"))?;
    // Programs are started in folders of their own.
    std::path::absolute(&path).with_context(|| format!("{variable} is not a path"))
}
