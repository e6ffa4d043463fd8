//! `cpu`: how busy the processors are.

use sickbay_sdk::limit::{Limit, percent};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Warning when a larger part of the processor time is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of the processor time is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
    /// Warning when the processors wait for disks for a larger part of the time (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    iowait_warning_ratio: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { warning_ratio: 0.9, critical_ratio: 0.98, iowait_warning_ratio: 0.3 }
    }
}

pub(crate) struct Cpu;

impl Check for Cpu {
    const NAME: &'static str = "cpu";
    const SUMMARY: &'static str = "How busy the processors are";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "reads processor time", "system = [\"cpu\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("busy_ratio", "ratio", "part of the processor time that was used"),
            MetricInfo::gauge("iowait_ratio", "ratio", "part of the time spent waiting for disks"),
            MetricInfo::gauge("cores", "", "processors"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["capacity"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        Ok(judge(&request.config, &system::cpu()?))
    }
}

fn judge(config: &Config, cpu: &system::Cpu) -> Report {
    let busy = Limit {
        metric: "busy_ratio",
        unit: "ratio",
        failure: "capacity",
        warning: Some(config.warning_ratio),
        critical: Some(config.critical_ratio),
    };
    let iowait =
        Limit { metric: "iowait_ratio", unit: "ratio", failure: "capacity", warning: Some(config.iowait_warning_ratio), critical: None };
    let report = Report::ok(format!("{} busy on {} cores", percent(cpu.busy_ratio), cpu.cores))
        .metric("busy_ratio", cpu.busy_ratio, "ratio")
        .metric("iowait_ratio", cpu.iowait_ratio, "ratio")
        .metric("cores", cpu.cores.into(), "");
    let report = busy
        .at_most(report, cpu.busy_ratio, || format!("processors {} busy over {} s", percent(cpu.busy_ratio), cpu.window_ms.div_ceil(1000)));
    iowait.at_most(report, cpu.iowait_ratio, || format!("{} of the time spent waiting for disks", percent(cpu.iowait_ratio)))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn run(busy_ratio: f64, iowait_ratio: f64) -> Report {
        let mut host = FakeHost::default();
        host.machine.cpu = Ok(system::Cpu { busy_ratio, iowait_ratio, cores: 4, window_ms: 5_000 });
        let report = host.run::<Cpu>(json!({})).expect("a report");
        assert_as_described::<Cpu>(&report);
        report
    }

    #[test]
    fn the_defaults_judge_busy_and_waiting() {
        assert_eq!(run(0.5, 0.0).status, Status::Ok);
        assert_eq!(run(0.5, 0.4).status, Status::Warning);
        assert_eq!(run(0.95, 0.0).status, Status::Warning);
        let report = run(0.99, 0.4);
        assert_eq!(report.status, Status::Critical);
        assert_eq!(report.summary, "processors 99 % busy over 5 s");
    }

    #[test]
    fn without_a_grant_nothing_is_judged() {
        let failure = FakeHost::default().run::<Cpu>(json!({})).expect_err("a failure");
        assert_eq!(failure.kind, "denied");
        assert!(failure.message.contains("system = [\"cpu\"]"));
    }
}
