//! A plugin that describes ten thousand kinds.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, Report};

pub struct Lie;

impl PluginGuest for Lie {
    fn describe() -> Descriptor {
        let kind = |number: u32| Kind {
            name: format!("kind-{number}"),
            summary: "Lies".to_owned(),
            config_schema: "{}".to_owned(),
            example: "{}".to_owned(),
            needs: Vec::new(),
            metrics: Vec::new(),
            failures: Vec::new(),
            extras: Vec::new(),
        };
        Descriptor {
            name: "lie-kinds".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Lies in its description".to_owned(),
            checks: (0..10_000).map(kind).collect(),
            recoveries: Vec::new(),
            sinks: Vec::new(),
            homepage: None,
            licence: None,
            extras: Vec::new(),
        }
    }
}

impl CheckGuest for Lie {
    fn run(_request: Request) -> Result<Report, Failure> {
        Ok(Report::ok("this run should never have been started"))
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Lie with_types_in sickbay_sdk::bindings);
