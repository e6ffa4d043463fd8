//! Checks of what a JSON endpoint says: numbers become metrics, words are mapped to numbers, and each is judged.

mod json_check;
mod value;

use json_check::Json;

sickbay_sdk::plugin! {
    name: "json",
    version: env!("CARGO_PKG_VERSION"),
    summary: "JSON endpoints: places in the answer as metrics, with thresholds",
    checks: [Json],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn the_kind_is_described_as_the_host_asks() {
        assert_well_described::<Json>();
    }
}
