//! A plugin that misbehaves: one kind for each way to hurt a host. It speaks the bare contract, because the SDK would
//! fit its reports into the bounds.
//!
//! Every loop that could outlive a broken host has an end, so that a test which should have been stopped fails instead of hanging;
//! only `spin` has none.

mod exhaust;
mod lie;

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, MetricInfo, Report};

type Run = fn(&Request) -> Result<Report, Failure>;

const KINDS: [(&str, &str, Run); 22] = [
    ("spin", "computes for ever", exhaust::spin),
    ("trap", "panics", exhaust::trap),
    ("recurse", "overflows the stack", exhaust::recurse),
    ("memory", "takes memory until it is refused, then claims success", exhaust::memory),
    ("flood-log", "logs 10 MiB", exhaust::flood_log),
    ("flood-stdout", "prints 64 MiB", exhaust::flood_stdout),
    ("calls", "calls the host ten million times", exhaust::calls),
    ("state-flood", "puts 10,000 values into the state", exhaust::state_flood),
    ("sleep", "sleeps for 60 seconds", exhaust::sleep),
    ("slow-http", "requests the configured url and waits", exhaust::slow_http),
    ("big-report", "reports 100,000 metrics and a summary of 10 MiB", lie::big_report),
    ("long-text", "reports texts of 5 MB", lie::long_text),
    ("megabyte", "reports a summary of 1 MiB", lie::megabyte),
    ("many-metrics", "reports 100 metrics, and one that is no number", lie::many_metrics),
    ("bad-metrics", "reports metrics with wrong names and values", lie::bad_metrics),
    ("bad-labels", "reports a label with a wrong name", lie::bad_labels),
    // Reports hostile text wherever text is free, and is described by it.
    ("hostile-text", lie::HOSTILE, lie::hostile_text),
    ("hostile-log", "logs and prints hostile text", lie::hostile_log),
    ("hostile-names", "reports hostile text as every name", lie::hostile_names),
    ("hostile-failure", "fails with hostile text", lie::hostile_failure),
    ("lie", "reports details that are not JSON", lie::details),
    ("ok", "is well, to show that the plugin can be", lie::ok),
];

pub struct Hostile;

impl PluginGuest for Hostile {
    fn describe() -> Descriptor {
        let kind = |(name, summary, _): (&str, &str, Run)| Kind {
            name: name.to_owned(),
            summary: summary.to_owned(),
            config_schema: "{}".to_owned(),
            example: if summary == lie::HOSTILE { lie::example() } else { "{}".to_owned() },
            needs: Vec::new(),
            metrics: vec![MetricInfo::gauge("value*", "", "whatever it reports")],
            failures: Vec::new(),
            extras: Vec::new(),
        };
        Descriptor {
            name: "hostile".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Misbehaves in every way".to_owned(),
            checks: KINDS.into_iter().map(kind).collect(),
            recoveries: Vec::new(),
            sinks: Vec::new(),
            homepage: Some(lie::HOSTILE.to_owned()),
            licence: Some(lie::HOSTILE.to_owned()),
            extras: Vec::new(),
        }
    }
}

impl CheckGuest for Hostile {
    fn run(request: Request) -> Result<Report, Failure> {
        match KINDS.into_iter().find(|(name, _, _)| *name == request.kind) {
            Some((_, _, run)) => run(&request),
            None => Err(failure(format!("no kind {}", request.kind))),
        }
    }
}

fn failure(message: String) -> Failure {
    Failure { kind: "internal".to_owned(), message, extras: Vec::new() }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(Hostile with_types_in sickbay_sdk::bindings);
