//! `plugin-name`: tells how long ago it ran before, and warns when that is too long.
//!
//! A place to begin: it needs no grant. README.md tells how to test, build and run it.

use sickbay_sdk::prelude::*;

/// What the operator writes as `config = { ... }`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Warning when the run before is longer ago.
    #[serde(default = "limit_seconds_default")]
    #[schemars(range(min = 1))]
    limit_seconds: f64,
}

fn limit_seconds_default() -> f64 {
    3600.0
}

struct PluginCheck;

impl Check for PluginCheck {
    const NAME: &'static str = "plugin-name";
    const SUMMARY: &'static str = "Warns when it has not run for too long";
    type Config = Config;

    fn example() -> Value {
        json!({ "limit_seconds": 3600 })
    }

    // For a check that asks a service:
    // fn needs() -> Vec<Need> {
    //     vec![Need::new("http", "asks the service", "http = [\"GET {url}\"]")]
    // }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::gauge("idle_seconds", "seconds", "since the run before")]
    }

    fn failures() -> &'static [&'static str] {
        &["latency"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let limit_seconds = request.config.limit_seconds;
        let now_ms = clock::now_ms();
        let before_ms: u64 = state::get_json("ran_at_ms").unwrap_or(now_ms);
        state::put_json("ran_at_ms", &now_ms)?;
        let idle_seconds = now_ms.saturating_sub(before_ms) as f64 / 1000.0;
        log::debug("compared", &[("idle_seconds", &idle_seconds.to_string())]);

        let summary = format!("the run before was {idle_seconds:.0} s ago");
        let report = Report::ok(&summary).metric("idle_seconds", idle_seconds, "seconds");
        if idle_seconds <= limit_seconds {
            return Ok(report);
        }
        let report = report.evidence("idle_seconds", idle_seconds, format!("at most {limit_seconds}"), "seconds");
        Ok(report.warning("latency", format!("{summary}, more than {limit_seconds:.0} s")))
    }
}

sickbay_sdk::plugin! {
    name: "plugin-name",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Warns when it has not run for too long",
    checks: [PluginCheck],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, assert_well_described};

    use super::*;

    #[test]
    fn the_first_run_has_nothing_to_compare_with() {
        let report = FakeHost::default().run::<PluginCheck>(PluginCheck::example()).expect("a report");
        assert_eq!(report.status, Status::Ok);
    }

    #[test]
    fn a_run_long_after_the_one_before_is_a_warning() {
        let mut host = FakeHost::default();
        let config = json!({ "limit_seconds": 60 });
        host.run::<PluginCheck>(config.clone()).expect("a report");
        host.now_ms += 61_000;
        let report = host.run::<PluginCheck>(config).expect("a report");
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("latency")));
        assert_as_described::<PluginCheck>(&report);
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_well_described::<PluginCheck>();
    }
}
