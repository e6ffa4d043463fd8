//! `memory`: used against `maxmemory`, fragmentation, evicted keys.
//!
//! Without `maxmemory` there is no ratio to judge. Fragmentation is judged only where enough memory is used: a small server's ratio is
//! always high. Evictions are the daily work of a cache, so they are judged only where a limit is set.

use sickbay_sdk::limit::{Limit, binary_size, percent};
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::Info;
use sickbay_sdk::trend;

use crate::INFO_GRANT;

const FRAGMENTATION_USED_BYTES_MIN: f64 = (256 << 20) as f64;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a larger part of maxmemory is used (0 to 1).
    #[serde(default = "default_warning_ratio")]
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of maxmemory is used (0 to 1).
    #[serde(default = "default_critical_ratio")]
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
    /// Warning when the process holds more than this many times the memory that is used, from 256 MiB on.
    #[serde(default = "default_fragmentation_warning_ratio")]
    #[schemars(range(min = 1))]
    fragmentation_warning_ratio: f64,
    /// Warning when more keys are evicted per second. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    evicted_warning_per_second: Option<f64>,
}

fn default_warning_ratio() -> f64 {
    0.85
}

fn default_critical_ratio() -> f64 {
    0.95
}

fn default_fragmentation_warning_ratio() -> f64 {
    1.5
}

pub(crate) struct Memory;

impl Check for Memory {
    const NAME: &'static str = "memory";
    const SUMMARY: &'static str = "Memory against maxmemory, fragmentation and evicted keys";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("redis", "reads INFO", INFO_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("used_bytes", "bytes", "memory that is used"),
            MetricInfo::gauge("maximum_bytes", "bytes", "maxmemory; 0 without one"),
            MetricInfo::gauge("used_ratio", "ratio", "part of maxmemory that is used; only with one"),
            MetricInfo::gauge("resident_bytes", "bytes", "memory that the process holds"),
            MetricInfo::gauge("fragmentation_ratio", "ratio", "memory held for each byte used; may be above 1"),
            MetricInfo::counter("evicted_keys", "", "keys evicted since the server started"),
            MetricInfo::gauge("evicted_per_second", "", "keys evicted since the last run; from the second run on"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let info = redis::source(&config.source).info(&["memory", "stats"])?;
        let evicted = info.expect_number("evicted_keys")?;
        // A server that restarted counts from 0 again.
        let rate = trend::per_second("evicted", &config.source, evicted, clock::now_ms())?.filter(|rate| *rate >= 0.0);
        judge(config, &info, evicted, rate)
    }
}

fn judge(config: &Config, info: &Info, evicted: f64, rate: Option<f64>) -> Result<Report, Error> {
    let used = info.expect_number("used_memory")?;
    let maximum = info.number("maxmemory").unwrap_or(0.0);
    let policy = info.text("maxmemory_policy").unwrap_or("unknown policy");
    let mut report = Report::ok(format!("{} used", binary_size(used)))
        .metric("used_bytes", used, "bytes")
        .metric("maximum_bytes", maximum, "bytes")
        .counter("evicted_keys", evicted, "");
    if maximum > 0.0 {
        let ratio = used / maximum;
        report.summary = format!("{} of {} used", percent(ratio), binary_size(maximum));
        let limit = Limit {
            metric: "used_ratio",
            unit: "ratio",
            failure: "memory",
            warning: Some(config.warning_ratio),
            critical: Some(config.critical_ratio),
        };
        report = limit.at_most(report.metric("used_ratio", ratio, "ratio"), ratio, || {
            format!("{} of {} used ({policy})", percent(ratio), binary_size(maximum))
        });
    }
    if let Some(resident) = info.number("used_memory_rss") {
        report = report.metric("resident_bytes", resident, "bytes");
    }
    if let Some(fragmentation) = info.number("mem_fragmentation_ratio") {
        report = report.metric("fragmentation_ratio", fragmentation, "ratio");
        let warning = Some(config.fragmentation_warning_ratio).filter(|_| used >= FRAGMENTATION_USED_BYTES_MIN);
        let limit = Limit { metric: "fragmentation_ratio", unit: "ratio", failure: "memory", warning, critical: None };
        report = limit.at_most(report, fragmentation, || format!("memory is fragmented: {fragmentation} times what is used"));
    }
    if let Some(rate) = rate {
        let warning = config.evicted_warning_per_second;
        let limit = Limit { metric: "evicted_per_second", unit: "", failure: "memory", warning, critical: None };
        report = limit.at_most(report.metric("evicted_per_second", rate, ""), rate, || format!("{rate:.1} keys are evicted per second"));
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, bulk};

    use super::*;

    fn run(host: &mut FakeHost, memory: &str, stats: &str) -> Report {
        host.replies.extend([Ok(bulk(memory)), Ok(bulk(stats))]);
        let report = host.run::<Memory>(json!({ "source": "cache", "evicted_warning_per_second": 5 })).expect("a report");
        assert_as_described::<Memory>(&report);
        report
    }

    #[test]
    fn memory_is_judged_against_maxmemory() {
        let status = |used: u32| {
            let memory = format!("used_memory:{used}\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\n");
            run(&mut FakeHost::default(), &memory, "evicted_keys:0\r\n").status
        };
        assert_eq!([status(80), status(90), status(96)], [Status::Ok, Status::Warning, Status::Critical]);
    }

    #[test]
    fn without_maxmemory_nothing_is_full_and_a_small_server_is_not_fragmented() {
        let memory = "used_memory:1000\r\nmaxmemory:0\r\nmem_fragmentation_ratio:9.5\r\n";
        let report = run(&mut FakeHost::default(), memory, "evicted_keys:0\r\n");
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "1000 B used"));
        let large = "used_memory:1000000000\r\nmaxmemory:0\r\nmem_fragmentation_ratio:9.5\r\n";
        assert_eq!(run(&mut FakeHost::default(), large, "evicted_keys:0\r\n").status, Status::Warning);
    }

    #[test]
    fn evictions_are_judged_by_the_second_from_the_second_run_on() {
        let mut host = FakeHost { now_ms: 1_000, ..FakeHost::default() };
        assert_eq!(run(&mut host, "used_memory:1\r\n", "evicted_keys:100\r\n").status, Status::Ok);
        host.now_ms = 11_000;
        assert_eq!(run(&mut host, "used_memory:1\r\n", "evicted_keys:200\r\n").status, Status::Warning);
        host.now_ms = 21_000;
        assert_eq!(run(&mut host, "used_memory:1\r\n", "evicted_keys:0\r\n").status, Status::Ok);
    }

    #[test]
    fn an_answer_without_the_numbers_is_critical() {
        assert_eq!(run(&mut FakeHost::default(), "", "evicted_keys:0\r\n").failure.as_deref(), Some("content"));
    }
}
