//! `load`: processes that run or want to, per core.

use sickbay_sdk::limit::{Limit, ratio};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Warning when the load over five minutes, per core, is higher.
    #[schemars(range(min = 0))]
    warning_per_core: f64,
    /// Critical when the load over five minutes, per core, is higher.
    #[schemars(range(min = 0))]
    critical_per_core: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { warning_per_core: 2.0, critical_per_core: 4.0 }
    }
}

pub(crate) struct Load;

impl Check for Load {
    const NAME: &'static str = "load";
    const SUMMARY: &'static str = "Load averages, judged per core";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "reads load averages and counts cores", "system = [\"load\", \"cpu\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("load_one", "", "load average over 1 minute"),
            MetricInfo::gauge("load_five", "", "load average over 5 minutes"),
            MetricInfo::gauge("load_fifteen", "", "load average over 15 minutes"),
            MetricInfo::gauge("load_five_per_core", "", "load average over 5 minutes, per core"),
            MetricInfo::gauge("cores", "", "processors"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["capacity"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let load = system::load()?;
        let cores = system::cpu()?.cores;
        Ok(judge(&request.config, &load, cores.into()))
    }
}

fn judge(config: &Config, load: &system::Load, cores: f64) -> Report {
    let per_core = ratio(load.five, cores);
    let limit = Limit {
        metric: "load_five_per_core",
        unit: "",
        failure: "capacity",
        warning: Some(config.warning_per_core),
        critical: Some(config.critical_per_core),
    };
    let report = Report::ok(format!("load {:.2} {:.2} {:.2} on {cores} cores", load.one, load.five, load.fifteen))
        .metric("load_one", load.one, "")
        .metric("load_five", load.five, "")
        .metric("load_fifteen", load.fifteen, "")
        .metric("load_five_per_core", per_core, "")
        .metric("cores", cores, "");
    limit.at_most(report, per_core, || format!("load {per_core:.2} per core over five minutes"))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    #[test]
    fn the_load_is_judged_per_core() {
        for (five, status) in [(4.0, Status::Ok), (9.0, Status::Warning), (17.0, Status::Critical)] {
            let mut host = FakeHost::default();
            host.machine.load = Ok(system::Load { one: 1.0, five, fifteen: 1.0 });
            host.machine.cpu = Ok(system::Cpu { busy_ratio: 0.1, iowait_ratio: 0.0, cores: 4, window_ms: 5_000 });
            let report = host.run::<Load>(json!({})).expect("a report");
            assert_as_described::<Load>(&report);
            assert_eq!(report.status, status, "load {five}");
        }
    }
}
