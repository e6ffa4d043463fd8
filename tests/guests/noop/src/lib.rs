//! A check that does nothing, through the bare contract: what a run costs before any plugin has done anything.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, Report};

pub struct Noop;

impl PluginGuest for Noop {
    fn describe() -> Descriptor {
        Descriptor {
            name: "noop".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Does nothing".to_owned(),
            checks: vec![Kind {
                name: "noop".to_owned(),
                summary: "Is always ok".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: Vec::new(),
                failures: Vec::new(),
                extras: Vec::new(),
            }],
            recoveries: Vec::new(),
            sinks: Vec::new(),
            homepage: None,
            licence: None,
            extras: Vec::new(),
        }
    }
}

impl CheckGuest for Noop {
    fn run(_request: Request) -> Result<Report, Failure> {
        Ok(Report::ok("ok"))
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Noop with_types_in sickbay_sdk::bindings);
