//! `memory`: how much memory is left.

use sickbay_sdk::limit::{Limit, binary_size, percent, ratio};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Warning when a larger part of the memory is used (0 to 1). What the system can take back counts as free.
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of the memory is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
    /// Warning when a larger part of the swap space is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    swap_warning_ratio: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { warning_ratio: 0.9, critical_ratio: 0.95, swap_warning_ratio: 0.8 }
    }
}

pub(crate) struct Memory;

impl Check for Memory {
    const NAME: &'static str = "memory";
    const SUMMARY: &'static str = "How much memory and swap space is left";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "reads memory", "system = [\"memory\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("used_ratio", "ratio", "part of the memory that cannot be had"),
            MetricInfo::gauge("available_bytes", "bytes", "memory that can be had without swapping"),
            MetricInfo::gauge("total_bytes", "bytes", "memory in all"),
            MetricInfo::gauge("swap_used_ratio", "ratio", "part of the swap space that is used; 0 without any"),
            MetricInfo::gauge("swap_used_bytes", "bytes", "swap space that is used"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["memory"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        Ok(judge(&request.config, &system::memory()?))
    }
}

fn judge(config: &Config, memory: &system::Memory) -> Report {
    let used_ratio = ratio(memory.total_bytes - memory.available_bytes, memory.total_bytes);
    let swap_used_ratio = ratio(memory.swap_used_bytes, memory.swap_total_bytes);
    let used = Limit {
        metric: "used_ratio",
        unit: "ratio",
        failure: "memory",
        warning: Some(config.warning_ratio),
        critical: Some(config.critical_ratio),
    };
    let swap =
        Limit { metric: "swap_used_ratio", unit: "ratio", failure: "memory", warning: Some(config.swap_warning_ratio), critical: None };
    let summary = format!("{} used, {} available", percent(used_ratio), binary_size(memory.available_bytes));
    let report = Report::ok(summary)
        .metric("used_ratio", used_ratio, "ratio")
        .metric("available_bytes", memory.available_bytes, "bytes")
        .metric("total_bytes", memory.total_bytes, "bytes")
        .metric("swap_used_ratio", swap_used_ratio, "ratio")
        .metric("swap_used_bytes", memory.swap_used_bytes, "bytes");
    let report = used
        .at_most(report, used_ratio, || format!("memory {} used, {} available", percent(used_ratio), binary_size(memory.available_bytes)));
    swap.at_most(report, swap_used_ratio, || format!("swap space {} used", percent(swap_used_ratio)))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    const GIB: f64 = 1_073_741_824.0;

    fn run(available_bytes: f64, swap_used_bytes: f64) -> Report {
        let mut host = FakeHost::default();
        host.machine.memory = Ok(system::Memory { total_bytes: 16.0 * GIB, available_bytes, swap_total_bytes: GIB, swap_used_bytes });
        let report = host.run::<Memory>(json!({})).expect("a report");
        assert_as_described::<Memory>(&report);
        report
    }

    #[test]
    fn the_defaults_judge_memory_and_swap() {
        let report = run(8.0 * GIB, 0.0);
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "50 % used, 8.0 GiB available"));
        assert_eq!(run(GIB, 0.0).status, Status::Warning);
        assert_eq!(run(GIB / 2.0, 0.0).status, Status::Critical);
        assert_eq!(run(8.0 * GIB, 0.9 * GIB).status, Status::Warning);
    }

    #[test]
    fn a_machine_without_swap_uses_none_of_it() {
        let memory = system::Memory { total_bytes: GIB, available_bytes: GIB, swap_total_bytes: 0.0, swap_used_bytes: 0.0 };
        assert_eq!(judge(&Config::default(), &memory).status, Status::Ok);
    }
}
