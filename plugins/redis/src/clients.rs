//! `clients`: connected clients against `maxclients`, blocked ones, refused connections.

use sickbay_sdk::limit::{Limit, counted, percent, ratio};
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::Info;
use sickbay_sdk::trend;

use crate::INFO_GRANT;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a larger part of maxclients is connected (0 to 1).
    #[serde(default = "default_warning_ratio")]
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of maxclients is connected (0 to 1).
    #[serde(default = "default_critical_ratio")]
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
    /// Warning when more clients wait in a blocking command. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    blocked_warning: Option<f64>,
}

fn default_warning_ratio() -> f64 {
    0.8
}

fn default_critical_ratio() -> f64 {
    0.95
}

pub(crate) struct Clients;

impl Check for Clients {
    const NAME: &'static str = "clients";
    const SUMMARY: &'static str = "Connected clients against maxclients, blocked ones, refused connections";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("redis", "reads INFO", INFO_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("connected", "", "clients that are connected"),
            MetricInfo::gauge("blocked", "", "clients that wait in a blocking command"),
            MetricInfo::gauge("maximum", "", "maxclients, where the server tells it (Redis 7)"),
            MetricInfo::gauge("used_ratio", "ratio", "part of maxclients that is connected"),
            MetricInfo::counter("rejected_connections", "", "connections refused for maxclients since the server started"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "capacity", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let info = redis::source(&config.source).info(&["clients", "stats"])?;
        let rejected = info.expect_number("rejected_connections")?;
        let rate = trend::per_second("rejected", &config.source, rejected, clock::now_ms())?;
        judge(config, &info, rejected, rate)
    }
}

fn judge(config: &Config, info: &Info, rejected: f64, rate: Option<f64>) -> Result<Report, Error> {
    let connected = info.expect_number("connected_clients")?;
    let blocked = info.number("blocked_clients").unwrap_or(0.0);
    let mut report = Report::ok(counted(connected, "client")).metric("connected", connected, "").metric("blocked", blocked, "").counter(
        "rejected_connections",
        rejected,
        "",
    );
    if rate.is_some_and(|rate| rate > 0.0) {
        report = report.critical("too-many-connections", "connections were refused for maxclients since the last run");
    }
    if let Some(maximum) = info.number("maxclients") {
        let used = ratio(connected, maximum);
        let limit = Limit {
            metric: "used_ratio",
            unit: "ratio",
            failure: "too-many-connections",
            warning: Some(config.warning_ratio),
            critical: Some(config.critical_ratio),
        };
        report = report.metric("maximum", maximum, "").metric("used_ratio", used, "ratio");
        report = limit.at_most(report, used, || format!("{connected} clients, {} of maxclients", percent(used)));
    }
    let limit = Limit { metric: "blocked", unit: "", failure: "capacity", warning: config.blocked_warning, critical: None };
    Ok(limit.at_most(report, blocked, || format!("{} {} blocked", counted(blocked, "client"), if blocked == 1.0 { "is" } else { "are" })))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, bulk};

    use super::*;

    fn run(host: &mut FakeHost, clients: &str, rejected: u32) -> Report {
        host.replies.extend([Ok(bulk(clients)), Ok(bulk(&format!("rejected_connections:{rejected}\r\n")))]);
        let report = host.run::<Clients>(json!({ "source": "cache", "blocked_warning": 2 })).expect("a report");
        assert_as_described::<Clients>(&report);
        report
    }

    #[test]
    fn clients_are_judged_against_maxclients_and_by_how_many_wait() {
        let status = |clients: &str| run(&mut FakeHost::default(), clients, 0).status;
        assert_eq!(status("connected_clients:10\r\nmaxclients:100\r\nblocked_clients:2\r\n"), Status::Ok);
        assert_eq!(status("connected_clients:10\r\nblocked_clients:3\r\n"), Status::Warning);
        assert_eq!(status("connected_clients:99\r\nmaxclients:100\r\n"), Status::Critical);
    }

    #[test]
    fn a_connection_refused_since_the_last_run_is_critical() {
        let mut host = FakeHost { now_ms: 1_000, ..FakeHost::default() };
        assert_eq!(run(&mut host, "connected_clients:10\r\n", 5).status, Status::Ok);
        host.now_ms = 11_000;
        assert_eq!(run(&mut host, "connected_clients:10\r\n", 6).failure.as_deref(), Some("too-many-connections"));
    }
}
