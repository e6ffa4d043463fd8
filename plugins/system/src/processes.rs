//! `processes`: whether a program runs, how often, and with how much memory.

use sickbay_sdk::limit::{Limit, binary_size};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Exact name of the processes. Linux keeps the first 15 bytes of it.
    #[schemars(length(min = 1, max = 255))]
    name: String,
    /// Critical when fewer run.
    #[serde(default = "default_count_min")]
    count_min: u32,
    /// Critical when more run.
    #[serde(default)]
    count_max: Option<u32>,
    /// Warning when all of them together hold more memory.
    #[serde(default)]
    #[schemars(range(min = 0))]
    memory_warning_bytes: Option<f64>,
    /// Critical when all of them together hold more memory.
    #[serde(default)]
    #[schemars(range(min = 0))]
    memory_critical_bytes: Option<f64>,
}

fn default_count_min() -> u32 {
    1
}

pub(crate) struct Processes;

impl Check for Processes {
    const NAME: &'static str = "processes";
    const SUMMARY: &'static str = "Whether a program runs, how often, and with how much memory";
    type Config = Config;

    fn example() -> Value {
        json!({ "name": "sickbay" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "lists processes with this name", "system = [\"processes:{name}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("count", "", "processes with this name, at most 1000"),
            MetricInfo::gauge("resident_bytes", "bytes", "memory that all of them hold"),
            MetricInfo::counter("cpu_seconds", "seconds", "processor time that those running have used"),
            MetricInfo::gauge("youngest_age_seconds", "seconds", "since the last of them started; absent without any"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["process", "memory"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let processes = system::processes(&request.config.name)?;
        Ok(judge(&request.config, &processes, clock::now_ms()))
    }
}

fn judge(config: &Config, processes: &[system::Process], now_ms: u64) -> Report {
    let count = processes.len();
    let resident_bytes: f64 = processes.iter().map(|process| process.resident_bytes).sum();
    let cpu_seconds: f64 = processes.iter().map(|process| process.cpu_seconds).sum();
    let mut report = Report::ok(format!("{count} running, {}", binary_size(resident_bytes)))
        .metric("count", count as f64, "")
        .metric("resident_bytes", resident_bytes, "bytes")
        .counter("cpu_seconds", cpu_seconds, "seconds");
    if let Some(started_at) = processes.iter().map(|process| process.started_at).max() {
        let age_ms = now_ms.saturating_sub(started_at);
        report = report.metric("youngest_age_seconds", age_ms as f64 / 1000.0, "seconds");
    }
    judge_memory(config, judge_count(config, report, count), resident_bytes)
}

fn judge_count(config: &Config, report: Report, count: usize) -> Report {
    let name = &config.name;
    if count < config.count_min as usize {
        return report
            .evidence("count", count, format!("at least {}", config.count_min), "")
            .critical("process", format!("{count} processes named {name} run, at least {} should", config.count_min));
    }
    match config.count_max {
        Some(count_max) if count > count_max as usize => report
            .evidence("count", count, format!("at most {count_max}"), "")
            .critical("process", format!("{count} processes named {name} run, at most {count_max} should")),
        _ => report,
    }
}

fn judge_memory(config: &Config, report: Report, resident_bytes: f64) -> Report {
    let limit = Limit {
        metric: "resident_bytes",
        unit: "bytes",
        failure: "memory",
        warning: config.memory_warning_bytes,
        critical: config.memory_critical_bytes,
    };
    limit.at_most(report, resident_bytes, || format!("{} hold {}", config.name, binary_size(resident_bytes)))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn run(config: Value, count: u32) -> Report {
        let process = |pid| system::Process {
            pid,
            name: "worker".into(),
            resident_bytes: 1_048_576.0,
            cpu_seconds: 2.0,
            started_at: 1_000 * u64::from(pid),
        };
        let mut host = FakeHost { now_ms: 60_000, ..FakeHost::default() };
        host.machine.processes = Ok((1..=count).map(process).collect());
        let report = host.run::<Processes>(config).expect("a report");
        assert_as_described::<Processes>(&report);
        report
    }

    #[test]
    fn one_process_is_enough_by_default_and_none_is_critical() {
        assert_eq!(run(json!({ "name": "worker" }), 1).status, Status::Ok);
        let report = run(json!({ "name": "worker" }), 0);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("process")));
    }

    #[test]
    fn too_many_processes_are_critical() {
        let config = json!({ "name": "worker", "count_max": 2 });
        assert_eq!(run(config.clone(), 2).status, Status::Ok);
        assert_eq!(run(config, 3).status, Status::Critical);
    }

    #[test]
    fn memory_is_judged_over_all_of_them() {
        let report = run(json!({ "name": "worker", "memory_warning_bytes": 1_500_000 }), 2);
        assert_eq!((report.status, report.summary.as_str()), (Status::Warning, "worker hold 2.0 MiB"));
    }

    #[test]
    fn the_age_is_that_of_the_youngest() {
        let report = run(json!({ "name": "worker" }), 3);
        let age = report.metrics.iter().find(|metric| metric.name == "youngest_age_seconds").map(|metric| metric.value);
        assert_eq!(age, Some(57.0));
    }
}
