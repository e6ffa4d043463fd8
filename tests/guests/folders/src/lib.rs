//! A check that uses the files below `/data` through the standard library, and tries to get out.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, Report};

pub struct Folders;

impl PluginGuest for Folders {
    fn describe() -> Descriptor {
        Descriptor {
            name: "folders".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Uses files through the standard library".to_owned(),
            checks: vec![Kind {
                name: "folders".to_owned(),
                summary: "Tells what it could read and write".to_owned(),
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

impl CheckGuest for Folders {
    fn run(_request: Request) -> Result<Report, Failure> {
        let inside = std::fs::read_to_string("/data/plain").unwrap_or_else(|error| error.kind().to_string());
        let ways_out = ["/data/../out/secret", "/data/link", "/out/secret", "/etc/hostname"];
        let escaped = ways_out.iter().filter(|path| std::fs::read(path).is_ok()).count();
        let wrote = std::fs::write("/data/new", "x").is_ok();
        Ok(Report::ok(format!("inside: {inside}, escaped: {escaped}, wrote: {wrote}")))
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Folders with_types_in sickbay_sdk::bindings);
