//! `bench-rust`: reads its configuration and reports one metric.

use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// How many wait.
    waiting: f64,
    /// How many may wait.
    limit: f64,
}

pub struct Backlog;

impl Check for Backlog {
    const NAME: &'static str = "backlog";
    const SUMMARY: &'static str = "How many jobs wait";
    type Config = Config;

    fn example() -> Value {
        json!({ "waiting": 7, "limit": 10 })
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::gauge("waiting", "", "jobs that wait")]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let Config { waiting, limit } = request.config;
        Ok(Report::ok(format!("{waiting} of at most {limit} jobs wait")).metric("waiting", waiting, ""))
    }
}

sickbay_sdk::plugin! {
    name: "bench-rust",
    version: env!("CARGO_PKG_VERSION"),
    summary: "What a run costs of a plugin in Rust",
    checks: [Backlog],
}
