//! A check that does nothing but report five metrics: what a scrape of many series costs.

use sickbay_sdk::bindings::exports::sickbay::plugin::check::{Guest as CheckGuest, Request};
use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest as PluginGuest;
use sickbay_sdk::{Descriptor, Failure, Kind, MetricInfo, Report};

pub struct FiveMetrics;

impl PluginGuest for FiveMetrics {
    fn describe() -> Descriptor {
        Descriptor {
            name: "five-metrics".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Reports five metrics".to_owned(),
            checks: vec![Kind {
                name: "five-metrics".to_owned(),
                summary: "Reports five metrics".to_owned(),
                config_schema: "{}".to_owned(),
                example: "{}".to_owned(),
                needs: Vec::new(),
                metrics: vec![
                    MetricInfo::gauge("latency_seconds", "seconds", "as long as an answer may take"),
                    MetricInfo::gauge("body_bytes", "bytes", "as long as an answer may be"),
                    MetricInfo::gauge("used_ratio", "ratio", "as full as a disk may be"),
                    MetricInfo::gauge("queue_length", "", "as long as a queue may be"),
                    MetricInfo::counter("requests_total", "", "as many requests as there may be"),
                ],
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

impl CheckGuest for FiveMetrics {
    /// The values differ from run to run and have as many digits as measured ones.
    fn run(request: Request) -> Result<Report, Failure> {
        let part = (request.scheduled_at % 1_000_003) as f64 / 1_000_003.0;
        let report = Report::ok("five metrics")
            .metric("latency_seconds", 0.001 + part / 7.0, "seconds")
            .metric("body_bytes", (part * 65_536.0).floor(), "bytes")
            .metric("used_ratio", part, "ratio")
            .metric("queue_length", (part * 5_000.0).floor(), "")
            .counter("requests_total", (request.scheduled_at / 1000) as f64, "");
        Ok(report)
    }
}

#[cfg(target_family = "wasm")]
sickbay_sdk::bindings::export_check_plugin!(FiveMetrics with_types_in sickbay_sdk::bindings);
