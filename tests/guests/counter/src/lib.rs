//! A plugin that counts its runs in its own memory: tells a fresh instance from one that was kept.
//!
//! `config`: `trap_at = N` traps in that run; `fail_at = N` fails in it; `grow_mebibytes = N` takes as much more in each run and keeps it;
//! `prints = true` holds a handle of its output.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, MetricInfo, Report};

/// Runs that this instance has begun.
static RUNS: AtomicU32 = AtomicU32::new(0);
/// What earlier runs took.
static HELD: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

pub struct Counter;

impl PluginGuest for Counter {
    fn describe() -> Descriptor {
        Descriptor {
            name: "counter".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Counts its runs in its own memory".to_owned(),
            checks: vec![Kind {
                name: "counter".to_owned(),
                summary: "Counts its runs in its own memory".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: vec![MetricInfo::counter("runs", "", "runs of this instance")],
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

impl CheckGuest for Counter {
    fn run(request: Request) -> Result<Report, Failure> {
        let run = RUNS.fetch_add(1, Ordering::Relaxed) + 1;
        let config: serde_json::Value = serde_json::from_str(&request.config).map_err(|error| failure(error.to_string()))?;
        let number = |key: &str| config[key].as_u64();
        assert!(number("trap_at") != Some(run.into()), "the guest gives up");
        if number("fail_at") == Some(run.into()) {
            return Err(failure("cannot judge".to_owned()));
        }
        if let (Some(mebibytes), Ok(mut held)) = (number("grow_mebibytes"), HELD.lock()) {
            held.push(vec![1; (mebibytes as usize) << 20]);
        }
        if config["prints"] == true {
            println!("run {run}");
        }
        Ok(Report::ok(format!("run {run}")).metric("runs", run.into(), ""))
    }
}

fn failure(message: String) -> Failure {
    Failure { kind: "internal".to_owned(), message, extras: Vec::new() }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Counter with_types_in sickbay_sdk::bindings);
