//! Checks of files below a granted directory: whether they are fresh, what a log says, whether a directory can be used.

mod directory;
mod freshness;
mod glob;
mod log_errors;

use directory::Directory;
use freshness::Freshness;
use log_errors::LogErrors;

sickbay_sdk::plugin! {
    name: "files",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Files: fresh backups, errors in logs, usable directories",
    checks: [Freshness, LogErrors, Directory],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_well_described::<Freshness>();
        assert_well_described::<LogErrors>();
        assert_well_described::<Directory>();
    }
}
