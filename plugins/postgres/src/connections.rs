//! `connections`: connected clients against what the server and the application's pool may have; who works, waits, or idles in a
//! transaction.
//!
//! What may be used is `max_connections` less what is reserved. A session waits when it stands behind another one's lock; clients that wait
//! for a connection are the business of whoever keeps the pool (the kind `pgbouncer`). The session of this check counts as connected, not
//! as active. One statement, one pass over `pg_stat_activity`.

use sickbay_sdk::limit::{Limit, counted, percent, ratio};
use sickbay_sdk::postgres::Row;
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, ask, rights_hint};

const COUNTS: &str = "SELECT quote_ident(current_user) AS role, count(*) AS connected, \
    count(*) FILTER (WHERE a.state = 'active' AND a.pid <> pg_backend_pid()) AS active, \
    count(*) FILTER (WHERE a.wait_event_type = 'Lock') AS waiting, \
    count(*) FILTER (WHERE a.state IN ('idle in transaction', 'idle in transaction (aborted)')) AS idle_in_transaction, \
    count(*) FILTER (WHERE a.backend_type IS NULL) AS hidden, \
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
    - coalesce(current_setting('reserved_connections', true)::int, 0) AS maximum";
const POOLED: &str = ", count(*) FILTER (WHERE ($1::text IS NULL OR a.application_name = $1::text) \
    AND ($2::text IS NULL OR a.usename = $2::text) AND ($3::text IS NULL OR a.datname = $3::text)) AS pooled";
/// A session whose type is hidden is a client's, as far as can be told: it is connected to a database.
const SESSIONS: &str =
    " FROM pg_stat_activity a WHERE a.backend_type = 'client backend' OR (a.backend_type IS NULL AND a.datid IS NOT NULL)";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a larger part of the connections is used (0 to 1), of the server's or of the pool's.
    #[serde(default = "default_warning_ratio")]
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of the connections is used (0 to 1), of the server's or of the pool's.
    #[serde(default = "default_critical_ratio")]
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: f64,
    /// Connections that the application's pools may have together. Absent: the pool is not judged.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pool_max: Option<f64>,
    /// Of the pool are the connections with this application_name. Absent: any.
    #[serde(default)]
    application_name: Option<String>,
    /// Of the pool are the connections of this user. Absent: any.
    #[serde(default)]
    user: Option<String>,
    /// Of the pool are the connections to this database. Absent: any.
    #[serde(default)]
    database: Option<String>,
    /// Warning when more sessions wait for a lock. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    waiting_warning: Option<f64>,
    /// Critical when more sessions wait for a lock.
    #[serde(default = "default_waiting_critical")]
    #[schemars(range(min = 0))]
    waiting_critical: f64,
    /// Warning when more sessions are active.
    #[serde(default = "default_active_warning")]
    #[schemars(range(min = 0))]
    active_warning: f64,
    /// Warning when more sessions idle in a transaction. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    idle_in_transaction_warning: Option<f64>,
}

fn default_warning_ratio() -> f64 {
    0.8
}

fn default_critical_ratio() -> f64 {
    0.95
}

fn default_waiting_critical() -> f64 {
    5.0
}

fn default_active_warning() -> f64 {
    80.0
}

pub(crate) struct Connections;

impl Check for Connections {
    const NAME: &'static str = "connections";
    const SUMMARY: &'static str = "Connections against max_connections and the application's pool; active and waiting sessions";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_stat_activity", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("connected", "", "clients that are connected"),
            MetricInfo::gauge("maximum", "", "max_connections less what is reserved"),
            MetricInfo::gauge("used_ratio", "ratio", "part of maximum that is connected; superusers may bring it above 1"),
            MetricInfo::gauge("active", "", "sessions that run a statement"),
            MetricInfo::gauge("waiting", "", "sessions that wait for a lock"),
            MetricInfo::gauge("idle_in_transaction", "", "sessions that idle in a transaction"),
            MetricInfo::gauge("pool_connected", "", "connections of the application's pool; only with pool_max"),
            MetricInfo::gauge("pool_used_ratio", "ratio", "part of pool_max that is connected; only with pool_max"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &[
            "connection",
            "authentication",
            "timeout",
            "unavailable",
            "memory",
            "disk",
            "too-many-connections",
            "capacity",
            "file-system",
            "lock",
            "content",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let filters = [&config.application_name, &config.user, &config.database];
        let rows = match config.pool_max {
            Some(_) => ask(&config.source, &[COUNTS, POOLED, SESSIONS].concat(), &filters.map(parameter))?,
            None if filters.iter().any(|filter| filter.is_some()) => {
                return Err(Error::configuration(
                    "application_name, user and database say whose connections are the pool's; hint: add pool_max",
                ));
            }
            None => ask(&config.source, &[COUNTS, SESSIONS].concat(), &[])?,
        };
        judge(config, rows.only()?)
    }
}

fn parameter(filter: &Option<String>) -> postgres::Value {
    filter.as_deref().map_or(postgres::Value::Null, postgres::Value::from)
}

fn judge(config: &Config, row: Row<'_>) -> Result<Report, Error> {
    let (connected, maximum) = (row.number("connected")?, row.number("maximum")?);
    let (active, waiting, idle) = (row.number("active")?, row.number("waiting")?, row.number("idle_in_transaction")?);
    let used = ratio(connected, maximum);
    let summary = format!("{connected} of {maximum} connections, {active} active, {waiting} waiting");
    let hidden = row.number("hidden")?;
    let report = if hidden > 0.0 {
        Report::unknown(format!("what {hidden} of {connected} sessions do is hidden; {}", rights_hint(&row)))
    } else {
        Report::ok(summary)
    };
    let report = report
        .metric("connected", connected, "")
        .metric("maximum", maximum, "")
        .metric("used_ratio", used, "ratio")
        .metric("active", active, "")
        .metric("waiting", waiting, "")
        .metric("idle_in_transaction", idle, "");
    let limit = Limit {
        metric: "used_ratio",
        unit: "ratio",
        failure: "too-many-connections",
        warning: Some(config.warning_ratio),
        critical: Some(config.critical_ratio),
    };
    let report = limit.at_most(report, used, || format!("{connected} of {maximum} connections are used, {}", percent(used)));
    let report = judge_pool(config, row, limit, report)?;
    let (warning, critical) = (config.waiting_warning, Some(config.waiting_critical));
    let limit = Limit { metric: "waiting", unit: "", failure: "lock", warning, critical };
    let report = limit.at_most(report, waiting, || {
        format!("{} {} for a lock", counted(waiting, "session"), if waiting == 1.0 { "waits" } else { "wait" })
    });
    let limit = Limit { metric: "active", unit: "", failure: "capacity", warning: Some(config.active_warning), critical: None };
    let report = limit.at_most(report, active, || format!("{} active", counted(active, "session")));
    let (warning, critical) = (config.idle_in_transaction_warning, None);
    let limit = Limit { metric: "idle_in_transaction", unit: "", failure: "capacity", warning, critical };
    Ok(limit
        .at_most(report, idle, || format!("{} {} in a transaction", counted(idle, "session"), if idle == 1.0 { "idles" } else { "idle" })))
}

fn judge_pool(config: &Config, row: Row<'_>, server: Limit, report: Report) -> Result<Report, Error> {
    let Some(pool_max) = config.pool_max else { return Ok(report) };
    let pooled = row.number("pooled")?;
    let used = ratio(pooled, pool_max);
    let report = report.metric("pool_connected", pooled, "").metric("pool_used_ratio", used, "ratio");
    let limit = Limit { metric: "pool_used_ratio", ..server };
    Ok(limit.at_most(report, used, || format!("{pooled} of {pool_max} connections of the pool are used, {}", percent(used))))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, refused, row};

    use super::*;

    const BUSY: [(&str, i64); 7] =
        [("connected", 10), ("active", 3), ("waiting", 0), ("idle_in_transaction", 1), ("hidden", 0), ("maximum", 97), ("pooled", 8)];

    fn run(host: &mut FakeHost, changed: &[(&str, i64)], extra: Value) -> Report {
        let value = |name: &str| changed.iter().chain(&BUSY).find(|(other, _)| *other == name).map_or(0, |(_, value)| *value);
        host.rows.push_back(Ok(row(&BUSY.map(|(name, _)| (name, postgres::Value::Int(value(name)))))));
        let mut config = json!({ "source": "main" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let report = host.run::<Connections>(config).expect("a report");
        assert_as_described::<Connections>(&report);
        report
    }

    #[test]
    fn connections_are_judged_against_what_the_server_may_have_and_recover() {
        let mut host = FakeHost::default();
        let mut status = |connected| run(&mut host, &[("connected", connected)], json!({})).status;
        assert_eq!([status(10), status(80), status(97), status(10)], [Status::Ok, Status::Warning, Status::Critical, Status::Ok]);
        let report = run(&mut host, &[("connected", 97)], json!({}));
        assert_eq!((report.failure.as_deref(), report.evidence[0].actual.as_str()), (Some("too-many-connections"), "1"));
    }

    #[test]
    fn waiting_and_active_sessions_are_counted_against_their_limits() {
        let run = |changed: &[(&str, i64)], extra| run(&mut FakeHost::default(), changed, extra);
        assert_eq!(run(&[("waiting", 5)], json!({})).status, Status::Ok);
        assert_eq!(run(&[("waiting", 6)], json!({})).failure.as_deref(), Some("lock"));
        assert_eq!(run(&[("waiting", 1)], json!({ "waiting_warning": 0 })).status, Status::Warning);
        assert_eq!(run(&[("active", 81)], json!({})).status, Status::Warning);
        assert_eq!(run(&[("idle_in_transaction", 2)], json!({ "idle_in_transaction_warning": 1 })).status, Status::Warning);
    }

    #[test]
    fn the_pool_is_judged_by_its_own_size() {
        let mut host = FakeHost::default();
        let report = run(&mut host, &[("pooled", 10)], json!({ "pool_max": 10, "user": "app" }));
        assert_eq!((report.status, report.summary.as_str()), (Status::Critical, "10 of 10 connections of the pool are used, 100 %"));
        assert_eq!(host.queries[0].params, [postgres::Value::Null, "app".into(), postgres::Value::Null]);
        assert_eq!(run(&mut host, &[("pooled", 7)], json!({ "pool_max": 10 })).status, Status::Ok);
        let failure = host.run::<Connections>(json!({ "source": "main", "user": "app" })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
    }

    #[test]
    fn sessions_that_are_hidden_leave_only_what_is_bad_anyway() {
        let report = run(&mut FakeHost::default(), &[("hidden", 9)], json!({}));
        assert_eq!(report.status, Status::Unknown);
        assert!(report.summary.contains("GRANT pg_monitor"), "{}", report.summary);
        assert_eq!(run(&mut FakeHost::default(), &[("hidden", 9), ("connected", 97)], json!({})).status, Status::Critical);
    }

    #[test]
    fn a_server_that_refuses_is_critical_for_what_it_says() {
        for (sqlstate, failure) in [("53300", "too-many-connections"), ("57P03", "unavailable")] {
            let mut host = FakeHost::default().postgres(Err(refused(sqlstate, "no")));
            let report = host.run::<Connections>(json!({ "source": "main" })).expect("a report");
            assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some(failure)));
        }
    }
}
