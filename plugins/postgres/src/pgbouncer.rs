//! `pgbouncer`: clients that wait in PgBouncer's pools, for how long, and databases that are paused or disabled.
//!
//! The source is PgBouncer's console (the database `pgbouncer`) with `dialect = "pgbouncer"`. Its user must be one of `stats_users` or
//! `admin_users`. Pools are told by database, the pools of its users together.

use std::collections::BTreeMap;

use sickbay_sdk::limit::{Limit, counted, span};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::READ_GRANT;

/// Databases with metrics of their own, those with the most clients; all of them are judged. They stay below the host's 64 series for one
/// check.
const DATABASES_TOLD_MAX: usize = 12;
const DATABASES_NAMED_MAX: usize = 100;
/// The console itself.
const CONSOLE: &str = "pgbouncer";
const US_PER_SECOND: f64 = 1_000_000.0;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of a source with dialect = "pgbouncer".
    #[schemars(length(min = 1))]
    source: String,
    /// Looks only at these databases of PgBouncer, and is critical when one is not there. Absent: at all of them.
    #[serde(default)]
    #[schemars(length(max = 100))]
    databases: Vec<String>,
    /// Warning when more clients wait for a connection.
    #[serde(default = "default_waiting_warning")]
    #[schemars(range(min = 0))]
    waiting_warning: f64,
    /// Critical when more clients wait for a connection.
    #[serde(default = "default_waiting_critical")]
    #[schemars(range(min = 0))]
    waiting_critical: f64,
    /// Warning when the first of them has been waiting longer.
    #[serde(default = "default_maxwait_warning_seconds")]
    #[schemars(range(min = 0))]
    maxwait_warning_seconds: f64,
    /// Critical when the first of them has been waiting longer.
    #[serde(default = "default_maxwait_critical_seconds")]
    #[schemars(range(min = 0))]
    maxwait_critical_seconds: f64,
    /// Reads SHOW STATS too, for queries per second and their time.
    #[serde(default)]
    stats: bool,
}

fn default_waiting_warning() -> f64 {
    1.0
}

fn default_waiting_critical() -> f64 {
    5.0
}

fn default_maxwait_warning_seconds() -> f64 {
    1.0
}

fn default_maxwait_critical_seconds() -> f64 {
    5.0
}

pub(crate) struct Pgbouncer;

/// The pools of one database together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pools {
    clients_active: f64,
    clients_waiting: f64,
    servers_active: f64,
    servers_idle: f64,
    maxwait_seconds: f64,
}

impl Check for Pgbouncer {
    const NAME: &'static str = "pgbouncer";
    const SUMMARY: &'static str = "Clients that wait in PgBouncer's pools, databases that are paused or disabled";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "pooler" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads PgBouncer's console; the source has dialect = \"pgbouncer\"", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("clients_waiting", "", "clients that wait for a connection"),
            MetricInfo::gauge("clients_active", "", "clients that have one, or want none"),
            MetricInfo::gauge("servers_active", "", "connections that are lent to a client"),
            MetricInfo::gauge("servers_idle", "", "connections that can be lent at once"),
            MetricInfo::gauge("maxwait_seconds", "seconds", "for how long the first client has been waiting"),
            MetricInfo::gauge("databases_paused", "", "databases that let their clients wait"),
            MetricInfo::gauge("databases_disabled", "", "databases that refuse their clients"),
            MetricInfo::gauge("database_clients_waiting", "", "of each database (database)"),
            MetricInfo::gauge("database_clients_active", "", "of each database (database)"),
            MetricInfo::gauge("database_servers_active", "", "of each database (database)"),
            MetricInfo::gauge("database_maxwait_seconds", "seconds", "of each database (database)"),
            MetricInfo::gauge("queries_per_second", "", "mean over PgBouncer's stats_period; only with stats"),
            MetricInfo::gauge("query_seconds", "seconds", "mean time of a query; only with stats"),
            MetricInfo::gauge("wait_seconds", "seconds", "time that clients waited in a second, of the worst database; only with stats"),
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
            "content",
            "paused",
            "disabled",
            "missing",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        if config.databases.len() > DATABASES_NAMED_MAX {
            return Err(Error::configuration(format!("at most {DATABASES_NAMED_MAX} databases")));
        }
        let console = postgres::source(&config.source);
        let databases = console.simple("SHOW DATABASES")?;
        let pools = console.simple("SHOW POOLS")?;
        let pools = Pools::by_database(config, &pools)?;
        let report = Report::ok("");
        let report = judge_databases(config, report, &databases)?;
        let report = judge_pools(config, report, &pools);
        if config.stats { with_stats(config, report, &console.simple("SHOW STATS")?) } else { Ok(report) }
    }
}

impl Config {
    fn looks_at(&self, database: &str) -> bool {
        if self.databases.is_empty() { database != CONSOLE } else { self.databases.iter().any(|named| named == database) }
    }
}

fn judge_databases(config: &Config, mut report: Report, databases: &Rows) -> Result<Report, Error> {
    let (mut known, mut paused, mut disabled): (Vec<&str>, Vec<&str>, Vec<&str>) = Default::default();
    for row in databases.iter() {
        let name = row.text("name")?;
        known.push(name);
        if config.looks_at(name) {
            paused.extend(is_set(&row, "paused")?.then_some(name));
            disabled.extend(is_set(&row, "disabled")?.then_some(name));
        }
    }
    report = report.metric("databases_paused", paused.len() as f64, "").metric("databases_disabled", disabled.len() as f64, "");
    if let Some(missing) = config.databases.iter().find(|named| !known.contains(&named.as_str())) {
        report = report.evidence("", "not there", missing, "").critical("missing", format!("PgBouncer has no database {missing}"));
    }
    if let Some(first) = paused.first() {
        report = report.evidence("databases_paused", paused.len(), 0, "").critical("paused", format!("the database {first} is paused"));
    }
    if let Some(first) = disabled.first() {
        report =
            report.evidence("databases_disabled", disabled.len(), 0, "").critical("disabled", format!("the database {first} is disabled"));
    }
    Ok(report)
}

/// `0` or `1`; a column that an old PgBouncer does not have is not set.
fn is_set(row: &Row<'_>, column: &str) -> Result<bool, Error> {
    if row.value(column).is_err() { Ok(false) } else { Ok(row.number(column)? != 0.0) }
}

fn judge_pools(config: &Config, mut report: Report, pools: &BTreeMap<&str, Pools>) -> Report {
    let all = pools.values().fold(Pools::default(), |all, pools| all.with(pools));
    let slowest =
        pools.iter().max_by(|left, right| left.1.maxwait_seconds.total_cmp(&right.1.maxwait_seconds)).map_or("", |(name, _)| *name);
    let waiting = all.clients_waiting;
    if report.status == Status::Ok {
        report.summary = format!("{} served, {waiting} waiting", counted(all.clients_active, "client"));
    }
    report = report
        .metric("clients_waiting", waiting, "")
        .metric("clients_active", all.clients_active, "")
        .metric("servers_active", all.servers_active, "")
        .metric("servers_idle", all.servers_idle, "")
        .metric("maxwait_seconds", all.maxwait_seconds, "seconds");
    let wait = if waiting == 1.0 { "waits" } else { "wait" };
    let summary = || format!("{} {wait}, one of {slowest} for {}", counted(waiting, "client"), span(all.maxwait_seconds));
    let (warning, critical) = (Some(config.waiting_warning), Some(config.waiting_critical));
    let limit = Limit { metric: "clients_waiting", unit: "", failure: "capacity", warning, critical };
    report = limit.at_most(report, waiting, summary);
    let (warning, critical) = (Some(config.maxwait_warning_seconds), Some(config.maxwait_critical_seconds));
    let limit = Limit { metric: "maxwait_seconds", unit: "seconds", failure: "capacity", warning, critical };
    report = limit.at_most(report, all.maxwait_seconds, summary);
    with_each(report, pools)
}

fn with_each(mut report: Report, pools: &BTreeMap<&str, Pools>) -> Report {
    let mut busiest: Vec<(&&str, &Pools)> = pools.iter().collect();
    busiest.sort_by(|left, right| right.1.clients().total_cmp(&left.1.clients()));
    for (name, pools) in busiest.into_iter().take(DATABASES_TOLD_MAX) {
        let labels = [("database", *name)];
        report = report
            .labelled("database_clients_waiting", pools.clients_waiting, "", &labels)
            .labelled("database_clients_active", pools.clients_active, "", &labels)
            .labelled("database_servers_active", pools.servers_active, "", &labels)
            .labelled("database_maxwait_seconds", pools.maxwait_seconds, "seconds", &labels);
    }
    report
}

fn with_stats(config: &Config, report: Report, stats: &Rows) -> Result<Report, Error> {
    let (mut queries, mut query_us, mut wait_us) = (0.0, 0.0, 0.0_f64);
    for row in stats.iter() {
        if config.looks_at(row.text("database")?) {
            let per_second = row.number("avg_query_count")?;
            queries += per_second;
            query_us += per_second * row.number("avg_query_time")?;
            wait_us = wait_us.max(row.number("avg_wait_time")?);
        }
    }
    let mean_us = if queries > 0.0 { query_us / queries } else { 0.0 };
    Ok(report.metric("queries_per_second", queries, "").metric("query_seconds", mean_us / US_PER_SECOND, "seconds").metric(
        "wait_seconds",
        wait_us / US_PER_SECOND,
        "seconds",
    ))
}

impl Pools {
    fn by_database<'rows>(config: &Config, rows: &'rows Rows) -> Result<BTreeMap<&'rows str, Pools>, Error> {
        let mut pools: BTreeMap<&str, Pools> = BTreeMap::new();
        for row in rows.iter() {
            let database = row.text("database")?;
            if config.looks_at(database) {
                let of_database = pools.entry(database).or_default();
                *of_database = of_database.with(&Pools::read(&row)?);
            }
        }
        Ok(pools)
    }

    fn read(row: &Row<'_>) -> Result<Pools, Error> {
        Ok(Pools {
            clients_active: row.number("cl_active")?,
            clients_waiting: row.number("cl_waiting")?,
            servers_active: row.number("sv_active")?,
            servers_idle: row.number("sv_idle")?,
            maxwait_seconds: row.number("maxwait")? + row.number("maxwait_us").unwrap_or(0.0) / US_PER_SECOND,
        })
    }

    fn with(&self, other: &Pools) -> Pools {
        Pools {
            clients_active: self.clients_active + other.clients_active,
            clients_waiting: self.clients_waiting + other.clients_waiting,
            servers_active: self.servers_active + other.servers_active,
            servers_idle: self.servers_idle + other.servers_idle,
            maxwait_seconds: self.maxwait_seconds.max(other.maxwait_seconds),
        }
    }

    fn clients(&self) -> f64 {
        self.clients_active + self.clients_waiting
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Failure;
    use sickbay_sdk::postgres::{PostgresError, Value as Cell};
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    /// Name, paused, disabled.
    fn databases(known: &[(&str, &str, &str)]) -> Rows {
        let row = |(name, paused, disabled): &(&str, &str, &str)| vec![(*name).into(), (*paused).into(), (*disabled).into()];
        rows(&["name", "paused", "disabled"], known.iter().map(row).collect())
    }

    fn well() -> Rows {
        databases(&[("orders", "0", "0"), ("users", "0", "0"), ("pgbouncer", "0", "0")])
    }

    /// Database, user, clients that wait, seconds and microseconds of the first.
    fn pools(of: &[(&str, &str, &str, &str, &str)]) -> Rows {
        let columns = ["database", "user", "cl_active", "cl_waiting", "sv_active", "sv_idle", "maxwait", "maxwait_us"];
        let row = |(database, user, waiting, seconds, us): &(&str, &str, &str, &str, &str)| -> Vec<Cell> {
            [database, user, &"3", waiting, &"2", &"1", seconds, us].map(|text| Cell::from(*text)).to_vec()
        };
        rows(&columns, of.iter().map(row).collect())
    }

    fn answer(host: &mut FakeHost, extra: Value) -> Result<Report, Failure> {
        let mut config = json!({ "source": "pooler" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        host.run::<Pgbouncer>(config)
    }

    fn run(databases: Rows, pools: Rows, extra: Value) -> Report {
        let mut host = FakeHost::default().postgres(Ok(databases)).postgres(Ok(pools));
        let report = answer(&mut host, extra).expect("a report");
        assert_as_described::<Pgbouncer>(&report);
        report
    }

    fn metric(report: &Report, name: &str) -> Option<f64> {
        report.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn clients_that_wait_are_judged_by_their_number() {
        let status = |waiting| run(well(), pools(&[("orders", "app", waiting, "0", "0")]), json!({})).status;
        assert_eq!([status("0"), status("1"), status("2"), status("6")], [Status::Ok, Status::Ok, Status::Warning, Status::Critical]);
        assert_eq!(status("0"), Status::Ok);
    }

    #[test]
    fn a_client_that_waits_long_is_told_with_its_database() {
        let report = |seconds, us| run(well(), pools(&[("orders", "app", "1", "0", "0"), ("users", "app", "0", seconds, us)]), json!({}));
        assert_eq!([report("1", "0").status, report("1", "500000").status], [Status::Ok, Status::Warning]);
        let long = report("6", "0");
        assert_eq!((long.status, long.failure.as_deref()), (Status::Critical, Some("capacity")));
        assert_eq!(long.summary, "1 client waits, one of users for 6 s");
    }

    #[test]
    fn the_pools_of_a_database_are_told_together_and_the_console_not_at_all() {
        let of = [("orders", "app", "1", "0", "0"), ("orders", "job", "0", "0", "7"), ("pgbouncer", "pgbouncer", "9", "9", "9")];
        let report = run(well(), pools(&of), json!({}));
        assert_eq!((metric(&report, "clients_active"), metric(&report, "clients_waiting")), (Some(6.0), Some(1.0)));
        assert_eq!(metric(&report, "database_clients_active"), Some(6.0));
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "6 clients served, 1 waiting"));
    }

    #[test]
    fn only_the_databases_that_are_named_are_looked_at() {
        let of = || pools(&[("orders", "app", "0", "0", "0"), ("users", "app", "9", "9", "0")]);
        assert_eq!(run(well(), of(), json!({ "databases": ["orders"] })).status, Status::Ok);
        assert_eq!(run(well(), of(), json!({ "databases": ["users"] })).status, Status::Critical);
        let report = run(well(), of(), json!({ "databases": ["orders", "gone"] }));
        assert_eq!((report.failure.as_deref(), report.summary.as_str()), (Some("missing"), "PgBouncer has no database gone"));
    }

    #[test]
    fn a_database_that_is_paused_or_disabled_is_critical_until_it_is_resumed() {
        let state = |paused, disabled| run(databases(&[("orders", paused, disabled)]), pools(&[]), json!({})).failure;
        assert_eq!([state("1", "0").as_deref(), state("0", "1").as_deref()], [Some("paused"), Some("disabled")]);
        assert_eq!(state("0", "0"), None);
    }

    #[test]
    fn statistics_are_read_where_they_are_asked_for() {
        let columns = ["database", "avg_query_count", "avg_query_time", "avg_wait_time"];
        let row = |texts: [&str; 4]| texts.map(Cell::from).to_vec();
        let stats =
            rows(&columns, vec![row(["orders", "30", "1000", "0"]), row(["users", "10", "5000", "250000"]), row([CONSOLE, "9", "9", "9"])]);
        let mut host = FakeHost::default().postgres(Ok(well())).postgres(Ok(pools(&[]))).postgres(Ok(stats));
        let report = answer(&mut host, json!({ "stats": true })).expect("a report");
        assert_as_described::<Pgbouncer>(&report);
        assert_eq!((metric(&report, "queries_per_second"), metric(&report, "query_seconds")), (Some(40.0), Some(0.002)));
        assert_eq!(metric(&report, "wait_seconds"), Some(0.25));
        let asked: Vec<&str> = host.queries.iter().map(|query| query.sql.as_str()).collect();
        assert_eq!(asked, ["SHOW DATABASES", "SHOW POOLS", "SHOW STATS"]);
    }

    #[test]
    fn a_source_that_is_no_console_is_a_wrong_configuration() {
        let mut host = FakeHost::default().postgres(Err(PostgresError::Invalid("`run-simple` on a server".into())));
        assert_eq!(answer(&mut host, json!({})).expect_err("a failure").kind, "configuration");
    }
}
