//! The conformance plugin in Rust. `tests/conformance/README.md` says what each kind does and how it tells what it saw.

mod asked;
mod databases;
mod machine;
mod network;
mod own;
mod told;

use asked::Asked;
use databases::{Postgres, Redis};
use machine::{Files, Secrets, System};
use network::{Dns, Http, Net};
use own::{End, Log, Reports, State};

sickbay_sdk::plugin! {
    name: "conformance-rust",
    version: "0.1.0",
    summary: "What every language must do alike",
    licence: "Apache-2.0",
    checks: [Asked, Reports, End, State, Log, Http, Postgres, Redis, Net, Dns, Files, Secrets, System],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::assert_well_described;

    use super::*;

    #[test]
    fn every_kind_is_described_as_the_host_asks() {
        assert_well_described::<Asked>();
        assert_well_described::<Reports>();
        assert_well_described::<End>();
        assert_well_described::<State>();
        assert_well_described::<Log>();
        assert_well_described::<Http>();
        assert_well_described::<Postgres>();
        assert_well_described::<Redis>();
        assert_well_described::<Net>();
        assert_well_described::<Dns>();
        assert_well_described::<Files>();
        assert_well_described::<Secrets>();
        assert_well_described::<System>();
    }
}
