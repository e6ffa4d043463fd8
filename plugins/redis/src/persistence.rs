//! `persistence`: whether what is written reaches the disk: the last RDB save, the append-only file, rewrites that hang. And whether a
//! server that started has read it back.
//!
//! The age of the last save is judged only while changes wait to be saved. A server with an append-only file may do without RDB, so
//! there the age is judged only where the configuration says how.

use sickbay_sdk::limit::{Limit, counted, span};
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::Info;

use crate::INFO_GRANT;

const AGE_WARNING_SECONDS: f64 = 7_200.0;
const AGE_CRITICAL_SECONDS: f64 = 86_400.0;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when changes wait and the last save is older. 7200 where absent, without an append-only file.
    #[serde(default)]
    #[schemars(range(min = 0))]
    save_age_warning_seconds: Option<f64>,
    /// Critical when changes wait and the last save is older. 86400 where absent, without an append-only file.
    #[serde(default)]
    #[schemars(range(min = 0))]
    save_age_critical_seconds: Option<f64>,
    /// Warning when a save or a rewrite runs longer.
    #[serde(default = "default_rewrite_warning_seconds")]
    #[schemars(range(min = 0))]
    rewrite_warning_seconds: f64,
    /// Critical without an append-only file.
    #[serde(default)]
    require_aof: bool,
}

fn default_rewrite_warning_seconds() -> f64 {
    600.0
}

pub(crate) struct Persistence;

impl Check for Persistence {
    const NAME: &'static str = "persistence";
    const SUMMARY: &'static str = "The last RDB save, the append-only file, rewrites that hang";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("redis", "reads INFO", INFO_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("save_age_seconds", "seconds", "since the last RDB save that succeeded"),
            MetricInfo::gauge("unsaved_changes", "", "changes since the last RDB save"),
            MetricInfo::gauge("aof_enabled", "", "1 with an append-only file"),
            MetricInfo::gauge("rewrite_seconds", "seconds", "for how long a save or a rewrite has been running; 0 where none is"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "persistence", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let info = redis::source(&request.config.source).info(&["persistence"])?;
        judge(&request.config, &info, clock::now_ms())
    }
}

fn judge(config: &Config, info: &Info, now_ms: u64) -> Result<Report, Error> {
    let age = (now_ms as f64 / 1000.0 - info.expect_number("rdb_last_save_time")?).max(0.0);
    let changes = info.number("rdb_changes_since_last_save").unwrap_or(0.0);
    let has_aof = info.number("aof_enabled") == Some(1.0);
    let rewrite = rewrite_seconds(info);
    let report = Report::ok(format!("saved {} ago, {} since", span(age), counted(changes, "change")))
        .metric("save_age_seconds", age, "seconds")
        .metric("unsaved_changes", changes, "")
        .metric("aof_enabled", f64::from(u8::from(has_aof)), "")
        .metric("rewrite_seconds", rewrite, "seconds");
    let report = judge_loading(report, info);
    let report = judge_status(report, info, "rdb_last_bgsave_status", "the last RDB save failed");
    let report = if has_aof {
        let report = judge_status(report, info, "aof_last_write_status", "the append-only file cannot be written");
        judge_status(report, info, "aof_last_bgrewrite_status", "the last rewrite of the append-only file failed")
    } else if config.require_aof {
        report.evidence("aof_enabled", 0, 1, "").critical("persistence", "there is no append-only file")
    } else {
        report
    };
    let limit = age_limit(config, has_aof, changes);
    let report = limit.at_most(report, age, || format!("{} not saved, the last save was {} ago", counted(changes, "change"), span(age)));
    let warning = Some(config.rewrite_warning_seconds);
    let limit = Limit { metric: "rewrite_seconds", unit: "seconds", failure: "persistence", warning, critical: None };
    Ok(limit.at_most(report, rewrite, || format!("a save or rewrite has been running for {}", span(rewrite))))
}

fn age_limit(config: &Config, has_aof: bool, changes: f64) -> Limit {
    let limit = |written: Option<f64>, default: f64| match written {
        _ if changes <= 0.0 => None,
        Some(written) => Some(written),
        None if has_aof => None,
        None => Some(default),
    };
    Limit {
        metric: "save_age_seconds",
        unit: "seconds",
        failure: "persistence",
        warning: limit(config.save_age_warning_seconds, AGE_WARNING_SECONDS),
        critical: limit(config.save_age_critical_seconds, AGE_CRITICAL_SECONDS),
    }
}

/// -1 tells that none runs.
fn rewrite_seconds(info: &Info) -> f64 {
    let running = ["rdb_current_bgsave_time_sec", "aof_current_rewrite_time_sec"].map(|field| info.number(field).unwrap_or(0.0));
    running[0].max(running[1]).max(0.0)
}

/// A server answers `INFO` before it has its data, and little else.
fn judge_loading(report: Report, info: &Info) -> Report {
    if info.number("loading") != Some(1.0) {
        return report;
    }
    let part = info.text("loading_loaded_perc").unwrap_or("?");
    report
        .evidence("", format!("loading: {part} %"), "all data is there", "")
        .critical("unavailable", format!("the server still loads its data: {part} %"))
}

fn judge_status(report: Report, info: &Info, field: &str, summary: &str) -> Report {
    match info.text(field) {
        Some(status) if status != "ok" => report.evidence("", format!("{field}: {status}"), "ok", "").critical("persistence", summary),
        _ => report,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, bulk};

    use super::*;

    fn run(config: Value, info: &str) -> Report {
        let mut host = FakeHost { now_ms: 100_000_000, ..FakeHost::default() }.redis(Ok(bulk(info)));
        let report = host.run::<Persistence>(config).expect("a report");
        assert_as_described::<Persistence>(&report);
        report
    }

    #[test]
    fn an_old_save_is_judged_only_while_changes_wait() {
        let status = |info: &str| run(json!({ "source": "cache" }), info).status;
        assert_eq!(status("rdb_last_save_time:99000\r\nrdb_changes_since_last_save:5\r\n"), Status::Ok);
        assert_eq!(status("rdb_last_save_time:90000\r\nrdb_changes_since_last_save:5\r\n"), Status::Warning);
        assert_eq!(status("rdb_last_save_time:1000\r\nrdb_changes_since_last_save:5\r\n"), Status::Critical);
        assert_eq!(status("rdb_last_save_time:1000\r\nrdb_changes_since_last_save:0\r\n"), Status::Ok);
        assert_eq!(status("rdb_last_save_time:1000\r\nrdb_changes_since_last_save:5\r\naof_enabled:1\r\n"), Status::Ok);
    }

    #[test]
    fn a_save_that_failed_and_a_rewrite_that_hangs_are_told() {
        let failed = run(json!({ "source": "cache" }), "rdb_last_save_time:100000\r\nrdb_last_bgsave_status:err\r\n");
        assert_eq!((failed.status, failed.summary.as_str()), (Status::Critical, "the last RDB save failed"));
        let info = "rdb_last_save_time:100000\r\nrdb_current_bgsave_time_sec:-1\r\naof_current_rewrite_time_sec:700\r\n";
        assert_eq!(run(json!({ "source": "cache" }), info).status, Status::Warning);
    }

    #[test]
    fn a_server_that_still_loads_its_data_is_told() {
        let info = "loading:1\r\nloading_loaded_perc:42.00\r\nrdb_last_save_time:100000\r\n";
        let report = run(json!({ "source": "cache" }), info);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("unavailable")));
        assert_eq!(report.summary, "the server still loads its data: 42.00 %");
        assert_eq!(run(json!({ "source": "cache" }), "loading:0\r\nrdb_last_save_time:100000\r\n").status, Status::Ok);
    }

    #[test]
    fn an_append_only_file_can_be_asked_for() {
        let config = json!({ "source": "cache", "require_aof": true });
        assert_eq!(run(config.clone(), "rdb_last_save_time:100000\r\naof_enabled:0\r\n").status, Status::Critical);
        assert_eq!(run(config, "rdb_last_save_time:100000\r\naof_enabled:1\r\n").status, Status::Ok);
    }
}
