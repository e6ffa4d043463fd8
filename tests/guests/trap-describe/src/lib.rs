//! A plugin that traps while it describes itself.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Report};

pub struct Lie;

impl PluginGuest for Lie {
    fn describe() -> Descriptor {
        panic!("describe gives up")
    }
}

impl CheckGuest for Lie {
    fn run(_request: Request) -> Result<Report, Failure> {
        Ok(Report::ok("this run should never have been started"))
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Lie with_types_in sickbay_sdk::bindings);
