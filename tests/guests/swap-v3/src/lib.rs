//! Version 3 of a plugin that reports its version: it asks for more than those before.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, MetricInfo, Need, Report};

pub struct Swap;

impl PluginGuest for Swap {
    fn describe() -> Descriptor {
        Descriptor {
            name: "swap".to_owned(),
            version: "3.0.0".to_owned(),
            summary: "Reports its version".to_owned(),
            checks: vec![Kind {
                name: "swap".to_owned(),
                summary: "Reports its version".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: vec![Need::new("http", "asks who serves", "http = [\"GET {url}\"]"), Need::new("log", "", "")],
                metrics: vec![MetricInfo::gauge("version_number", "", "the major version that served the run")],
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

impl CheckGuest for Swap {
    fn run(_request: Request) -> Result<Report, Failure> {
        Ok(Report::ok("version 3").metric("version_number", 3.0, ""))
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Swap with_types_in sickbay_sdk::bindings);
