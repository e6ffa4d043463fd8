//! `open-files`: how near the machine is to its limit of open files.

use sickbay_sdk::limit::{Limit, percent, ratio};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Warning when a larger part of the limit is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of the limit is used (0 to 1).
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { warning_ratio: 0.8, critical_ratio: 0.95 }
    }
}

pub(crate) struct OpenFiles;

impl Check for OpenFiles {
    const NAME: &'static str = "open-files";
    const SUMMARY: &'static str = "Open files of the whole machine against its limit";
    type Config = Config;

    fn example() -> Value {
        json!({})
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("system", "counts open files", "system = [\"files\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("used_ratio", "ratio", "part of the limit that is used"),
            MetricInfo::gauge("open_files", "", "files that are open"),
            MetricInfo::gauge("open_files_maximum", "", "files that may be open at once"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["capacity"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        Ok(judge(&request.config, &system::open_files()?))
    }
}

fn judge(config: &Config, files: &system::OpenFiles) -> Report {
    let used_ratio = ratio(files.open, files.maximum);
    let limit = Limit {
        metric: "used_ratio",
        unit: "ratio",
        failure: "capacity",
        warning: Some(config.warning_ratio),
        critical: Some(config.critical_ratio),
    };
    let report = Report::ok(format!("{} files open", files.open))
        .metric("used_ratio", used_ratio, "ratio")
        .metric("open_files", files.open, "")
        .metric("open_files_maximum", files.maximum, "");
    limit.at_most(report, used_ratio, || format!("{} of the open files are used", percent(used_ratio)))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    #[test]
    fn open_files_are_judged_against_the_limit_of_the_machine() {
        for (open, status) in [(100.0, Status::Ok), (900.0, Status::Warning), (960.0, Status::Critical)] {
            let mut host = FakeHost::default();
            host.machine.open_files = Ok(system::OpenFiles { open, maximum: 1000.0 });
            let report = host.run::<OpenFiles>(json!({})).expect("a report");
            assert_as_described::<OpenFiles>(&report);
            assert_eq!(report.status, status, "{open} open");
        }
    }
}
