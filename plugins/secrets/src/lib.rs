//! Checks of what expires in silence: secrets that nobody changes, and certificates in files.

mod age;
mod certificate;

use age::Age;
use certificate::Certificate;

sickbay_sdk::plugin! {
    name: "secrets",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Old secrets, and certificates in files that expire",
    checks: [Age, Certificate],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kinds_are_described_as_the_host_asks() {
        assert_well_described::<Age>();
        assert_well_described::<Certificate>();
    }
}
