//! `replication`: the role of a server, its link to the master or its replicas, and how far they are behind.

use std::collections::BTreeMap;

use sickbay_sdk::limit::{Limit, binary_size, span};
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::Info;

use crate::INFO_GRANT;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Role {
    Master,
    Replica,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Critical when the server has the other role. Absent: any role.
    #[serde(default)]
    role: Option<Role>,
    /// Critical when a master has fewer replicas that are online.
    #[serde(default)]
    replicas_min: u32,
    /// Warning when a replica is further behind.
    #[serde(default = "default_lag_warning_seconds")]
    #[schemars(range(min = 0))]
    lag_warning_seconds: f64,
    /// Critical when a replica is further behind.
    #[serde(default = "default_lag_critical_seconds")]
    #[schemars(range(min = 0))]
    lag_critical_seconds: f64,
    /// Warning when a replica is more bytes behind. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    lag_warning_bytes: Option<f64>,
    /// Critical when a replica is more bytes behind. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    lag_critical_bytes: Option<f64>,
}

fn default_lag_warning_seconds() -> f64 {
    15.0
}

fn default_lag_critical_seconds() -> f64 {
    60.0
}

pub(crate) struct Replication;

impl Check for Replication {
    const NAME: &'static str = "replication";
    const SUMMARY: &'static str = "Role, link, replicas and how far they are behind";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("redis", "reads INFO", INFO_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("is_master", "", "1 for a master, 0 for a replica"),
            MetricInfo::gauge("replicas", "", "replicas that are online; only of a master"),
            MetricInfo::gauge("link_up", "", "1 while the master is reached; only of a replica"),
            MetricInfo::gauge("lag_seconds", "seconds", "since the last word of the master, or of the replica that is furthest behind"),
            MetricInfo::gauge("lag_bytes", "bytes", "what is sent and not taken over, of the replica that is furthest behind"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "replication", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let info = redis::source(&request.config.source).info(&["replication"])?;
        judge(&request.config, &info)
    }
}

fn judge(config: &Config, info: &Info) -> Result<Report, Error> {
    let role = match info.text("role") {
        Some("master") => Role::Master,
        Some("slave" | "replica") => Role::Replica,
        _ => return Err(Error::service("content", "INFO tells no role")),
    };
    let report = Report::ok("").metric("is_master", f64::from(u8::from(role == Role::Master)), "");
    let report = match config.role {
        Some(expected) if expected != role => {
            report.evidence("is_master", word(role), word(expected), "").critical("replication", format!("the server is a {}", word(role)))
        }
        _ => report,
    };
    Ok(match role {
        Role::Master => judge_master(config, report, info),
        Role::Replica => judge_replica(config, report, info),
    })
}

fn word(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Replica => "replica",
    }
}

fn judge_master(config: &Config, report: Report, info: &Info) -> Report {
    let sent = info.number("master_repl_offset").unwrap_or(0.0);
    let connected = info.number("connected_slaves").unwrap_or(0.0) as u32;
    let replicas: Vec<BTreeMap<&str, &str>> =
        (0..connected.min(64)).filter_map(|index| Some(fields(info.text(&format!("slave{index}"))?))).collect();
    let online: Vec<&BTreeMap<&str, &str>> = replicas.iter().filter(|replica| replica.get("state") == Some(&"online")).collect();
    let mut report = told(report, format!("master with {} replicas", online.len())).metric("replicas", online.len() as f64, "");
    if (online.len() as u64) < u64::from(config.replicas_min) {
        report = report
            .evidence("replicas", online.len(), format!("at least {}", config.replicas_min), "")
            .critical("replication", format!("only {} replicas are online", online.len()));
    }
    let number = |replica: &BTreeMap<&str, &str>, name: &str| replica.get(name).and_then(|text| text.parse::<f64>().ok());
    let lag_seconds = online.iter().filter_map(|replica| number(replica, "lag")).reduce(f64::max);
    let lag_bytes = online.iter().filter_map(|replica| Some((sent - number(replica, "offset")?).max(0.0))).reduce(f64::max);
    judge_lag(config, report, lag_seconds, lag_bytes)
}

fn judge_replica(config: &Config, report: Report, info: &Info) -> Report {
    let is_up = info.text("master_link_status") == Some("up");
    let mut report = told(report, "replica, the master is reached".to_owned()).metric("link_up", f64::from(u8::from(is_up)), "");
    if info.number("master_sync_in_progress") == Some(1.0) {
        report = report.critical("replication", "the replica takes over everything from its master");
    }
    if !is_up {
        report = report.evidence("link_up", 0, 1, "").critical("replication", "the replica does not reach its master");
    }
    let lag_seconds = info.number("master_last_io_seconds_ago").filter(|seconds| *seconds >= 0.0);
    let read = info.number("slave_read_repl_offset");
    let lag_bytes = read.zip(info.number("slave_repl_offset")).map(|(read, done)| (read - done).max(0.0));
    judge_lag(config, report, lag_seconds, lag_bytes)
}

/// The summary of a report in which nothing was found yet.
fn told(mut report: Report, summary: String) -> Report {
    if report.status == Status::Ok {
        report.summary = summary;
    }
    report
}

fn judge_lag(config: &Config, mut report: Report, lag_seconds: Option<f64>, lag_bytes: Option<f64>) -> Report {
    if let Some(lag) = lag_seconds {
        let (warning, critical) = (Some(config.lag_warning_seconds), Some(config.lag_critical_seconds));
        let limit = Limit { metric: "lag_seconds", unit: "seconds", failure: "replication", warning, critical };
        report = limit.at_most(report.metric("lag_seconds", lag, "seconds"), lag, || format!("replication is {} behind", span(lag)));
    }
    if let Some(lag) = lag_bytes {
        let (warning, critical) = (config.lag_warning_bytes, config.lag_critical_bytes);
        let limit = Limit { metric: "lag_bytes", unit: "bytes", failure: "replication", warning, critical };
        report = limit.at_most(report.metric("lag_bytes", lag, "bytes"), lag, || format!("replication is {} behind", binary_size(lag)));
    }
    report
}

/// `ip=10.0.0.2,port=6379,state=online,offset=42,lag=0`
fn fields(text: &str) -> BTreeMap<&str, &str> {
    text.split(',').filter_map(|field| field.split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, bulk};

    use super::*;

    const MASTER: &str = "role:master\r\nconnected_slaves:2\r\nmaster_repl_offset:1000\r\n\
        slave0:ip=a,port=1,state=online,offset=900,lag=0\r\nslave1:ip=b,port=1,state=wait_bgsave,offset=0,lag=0\r\n";

    fn run(config: Value, info: &str) -> Report {
        let report = FakeHost::default().redis(Ok(bulk(info))).run::<Replication>(config).expect("a report");
        assert_as_described::<Replication>(&report);
        report
    }

    #[test]
    fn a_master_counts_the_replicas_that_are_online() {
        let report = run(json!({ "source": "cache", "replicas_min": 1 }), MASTER);
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "master with 1 replicas"));
        assert_eq!(run(json!({ "source": "cache", "replicas_min": 2 }), MASTER).status, Status::Critical);
        assert_eq!(run(json!({ "source": "cache", "lag_warning_bytes": 50 }), MASTER).status, Status::Warning);
    }

    #[test]
    fn a_replica_without_its_master_or_far_behind_is_told() {
        let config = json!({ "source": "cache" });
        let up = "role:slave\r\nmaster_link_status:up\r\nmaster_last_io_seconds_ago:";
        assert_eq!(run(config.clone(), &format!("{up}1\r\n")).status, Status::Ok);
        assert_eq!(run(config.clone(), &format!("{up}20\r\n")).status, Status::Warning);
        assert_eq!(run(config, "role:slave\r\nmaster_link_status:down\r\n").failure.as_deref(), Some("replication"));
    }

    #[test]
    fn the_other_role_is_critical() {
        let report = run(json!({ "source": "cache", "role": "replica" }), MASTER);
        assert_eq!((report.status, report.summary.as_str()), (Status::Critical, "the server is a master"));
    }
}
