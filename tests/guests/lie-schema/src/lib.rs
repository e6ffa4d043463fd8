//! A plugin whose description carries a schema that is not JSON.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, Report};

pub struct Lie;

impl PluginGuest for Lie {
    fn describe() -> Descriptor {
        Descriptor {
            name: "lie-schema".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Lies in its description".to_owned(),
            checks: vec![Kind {
                name: "lie".to_owned(),
                summary: "Lies".to_owned(),
                config_schema: "{\"type\": \"object\", ".to_owned(),
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

impl CheckGuest for Lie {
    fn run(_request: Request) -> Result<Report, Failure> {
        Ok(Report::ok("this run should never have been started"))
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Lie with_types_in sickbay_sdk::bindings);
