//! `vacuum`: tables that wait for a vacuum or an analyze, and the age of transaction ids.
//!
//! A table waits when it has twice the dead or changed rows at which the server's own settings, or the table's, ask for it: from there on
//! autovacuum is late. Then the time since the last one is judged. A table that has never had one counts from the reset of the statistics.
//!
//! Transaction ids: from `autovacuum_freeze_max_age` on the server vacuums by itself to make them young again, so an age somewhat above it
//! is ordinary, and one half above it by default a warning: that vacuum does not get done. Somewhat above two thousand million the server
//! refuses to write. Multixact ids, of rows that several transactions lock, are judged in the same way.

use sickbay_sdk::limit::{Limit, counted, percent, ratio, span};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, explained};

const TABLES_TOLD_MAX: usize = 10;
const MILLION: f64 = 1_000_000.0;

/// Only those that wait: with more than `$1` times the rows at which the settings ask for it.
const TABLES: &str = "\
    WITH settings AS ( \
        SELECT current_setting('autovacuum_vacuum_threshold')::float8 AS vacuum_threshold, \
               current_setting('autovacuum_vacuum_scale_factor')::float8 AS vacuum_scale, \
               current_setting('autovacuum_analyze_threshold')::float8 AS analyze_threshold, \
               current_setting('autovacuum_analyze_scale_factor')::float8 AS analyze_scale, \
               coalesce((SELECT max(stats_reset) FROM pg_stat_database WHERE datname = current_database()), \
                        pg_postmaster_start_time()) AS counted_since), \
    judged AS ( \
        SELECT stat.schemaname AS schema_name, stat.relname AS table_name, \
               stat.n_dead_tup::float8 AS dead_rows, stat.n_mod_since_analyze::float8 AS changed_rows, \
               stat.n_dead_tup > $1 * (coalesce(own.vacuum_threshold, settings.vacuum_threshold) \
                   + coalesce(own.vacuum_scale, settings.vacuum_scale) * greatest(class.reltuples, 0)) AS waits_for_vacuum, \
               stat.n_mod_since_analyze > $1 * (coalesce(own.analyze_threshold, settings.analyze_threshold) \
                   + coalesce(own.analyze_scale, settings.analyze_scale) * greatest(class.reltuples, 0)) AS waits_for_analyze, \
               extract(epoch FROM now() - coalesce(greatest(stat.last_vacuum, stat.last_autovacuum), settings.counted_since))::float8 \
                   AS vacuum_age_seconds, \
               extract(epoch FROM now() - coalesce(greatest(stat.last_analyze, stat.last_autoanalyze), settings.counted_since))::float8 \
                   AS analyze_age_seconds \
        FROM pg_stat_user_tables AS stat JOIN pg_class AS class ON class.oid = stat.relid CROSS JOIN settings CROSS JOIN LATERAL ( \
            SELECT max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_threshold') AS vacuum_threshold, \
                   max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_vacuum_scale_factor') AS vacuum_scale, \
                   max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_analyze_threshold') AS analyze_threshold, \
                   max(option_value::float8) FILTER (WHERE option_name = 'autovacuum_analyze_scale_factor') AS analyze_scale \
            FROM pg_options_to_table(class.reloptions)) AS own \
        WHERE class.relkind IN ('r', 'm')) \
    SELECT * FROM judged WHERE waits_for_vacuum OR waits_for_analyze \
    ORDER BY greatest(vacuum_age_seconds, analyze_age_seconds) DESC LIMIT 200";
/// From so many times as many rows on autovacuum is late.
const LATE_FACTOR: f64 = 2.0;

const DATABASES: &str = "\
    SELECT datname AS name, age(datfrozenxid)::float8 AS xid_age, mxid_age(datminmxid)::float8 AS multixact_age, \
           current_setting('autovacuum_freeze_max_age')::float8 AS xid_age_max, \
           current_setting('autovacuum_multixact_freeze_max_age')::float8 AS multixact_age_max \
    FROM pg_database ORDER BY greatest(age(datfrozenxid), mxid_age(datminmxid)) DESC LIMIT 200";

const RUNNING: &str = "\
    SELECT count(*) AS running, max(extract(epoch FROM now() - activity.xact_start))::float8 AS longest_seconds \
    FROM pg_stat_progress_vacuum AS progress LEFT JOIN pg_stat_activity AS activity ON activity.pid = progress.pid";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a table waits and its last vacuum or analyze was longer ago.
    #[serde(default = "default_warning_seconds")]
    #[schemars(range(min = 0))]
    warning_seconds: f64,
    /// Critical when a table waits and its last vacuum or analyze was longer ago. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    critical_seconds: Option<f64>,
    /// Warning when transaction ids are more than this many times as old as autovacuum_freeze_max_age lets them get.
    #[serde(default = "default_xid_warning_ratio")]
    #[schemars(range(min = 0))]
    xid_warning_ratio: f64,
    /// Critical when transaction ids are older. Somewhat above 2,000,000,000 the server refuses to write.
    #[serde(default = "default_xid_critical")]
    #[schemars(range(min = 0))]
    xid_critical: f64,
}

/// 7 days.
fn default_warning_seconds() -> f64 {
    604_800.0
}

fn default_xid_warning_ratio() -> f64 {
    1.5
}

fn default_xid_critical() -> f64 {
    1_500_000_000.0
}

pub(crate) struct Vacuum;

/// A table that waits.
struct Table {
    name: String,
    dead_rows: f64,
    changed_rows: f64,
    /// Since the last vacuum, where it waits for one.
    vacuum_age: Option<f64>,
    /// Since the last analyze, where it waits for one.
    analyze_age: Option<f64>,
}

/// The ids of one kind in one database.
struct Ids {
    database: String,
    age: f64,
    ratio: f64,
}

impl Check for Vacuum {
    const NAME: &'static str = "vacuum";
    const SUMMARY: &'static str = "Tables that wait for vacuum or analyze, and the age of transaction ids";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads statistics of tables and databases", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("tables_waiting", "", "tables that wait for a vacuum or an analyze, at most 200"),
            MetricInfo::gauge(
                "vacuum_age_seconds",
                "seconds",
                "the longest since the last vacuum of those that wait for one; 0 without any",
            ),
            MetricInfo::gauge(
                "analyze_age_seconds",
                "seconds",
                "the longest since the last analyze of those that wait for one; 0 without any",
            ),
            MetricInfo::gauge("xid_age", "", "transactions since the oldest id that is not frozen"),
            MetricInfo::gauge("xid_ratio", "ratio", "of that age to autovacuum_freeze_max_age; may be above 1"),
            MetricInfo::gauge("multixact_age", "", "multixacts since the oldest id that is not frozen"),
            MetricInfo::gauge("multixact_ratio", "ratio", "of that age to autovacuum_multixact_freeze_max_age; may be above 1"),
            MetricInfo::gauge("running_vacuums", "", "vacuums that run, of all databases"),
            MetricInfo::gauge(
                "longest_vacuum_seconds",
                "seconds",
                "for how long the longest has been running; absent where it is not shown",
            ),
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
            "vacuum",
            "wraparound",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let factor: [postgres::Value; 1] = [LATE_FACTOR.into()];
        let answers = postgres::source(&config.source).query_many(&[(TABLES, &factor), (DATABASES, &[]), (RUNNING, &[])]);
        let answers = answers.map_err(explained)?;
        let [tables, databases, running] = answers.as_slice() else {
            return Err(Error::internal("three statements have not three answers"));
        };
        let tables = tables.iter().map(|row| Table::read(&row)).collect::<Result<Vec<Table>, Error>>()?;
        let report = Report::ok(if tables.is_empty() {
            "no table waits for vacuum or analyze".to_owned()
        } else {
            let wait = if tables.len() == 1 { "waits" } else { "wait" };
            format!("{} {wait} for vacuum or analyze, none for long", counted(tables.len() as f64, "table"))
        });
        let report = judge_ids(config, report, databases)?;
        let report = judge_tables(config, report, &tables);
        with_running(report, &running.only()?)
    }
}

fn judge_ids(config: &Config, mut report: Report, databases: &Rows) -> Result<Report, Error> {
    let xids = Ids::oldest(databases, "xid_age", "xid_age_max")?;
    let multixacts = Ids::oldest(databases, "multixact_age", "multixact_age_max")?;
    let kinds = [("transaction ids", xids, "xid_age", "xid_ratio"), ("multixact ids", multixacts, "multixact_age", "multixact_ratio")];
    for (what, ids, age_metric, ratio_metric) in kinds {
        let Some(Ids { database, age, ratio }) = ids else { continue };
        report = report.metric(age_metric, age, "").metric(ratio_metric, ratio, "ratio");
        let limit = Limit { metric: age_metric, unit: "", failure: "wraparound", warning: None, critical: Some(config.xid_critical) };
        report = limit.at_most(report, age, || {
            format!("{what} of {database} are {} million old; above 2,000 million writing ends", (age / MILLION).round())
        });
        let warning = Some(config.xid_warning_ratio);
        let limit = Limit { metric: ratio_metric, unit: "ratio", failure: "wraparound", warning, critical: None };
        report =
            limit.at_most(report, ratio, || format!("{what} of {database} have {} of the age that vacuum should hold", percent(ratio)));
    }
    Ok(report)
}

fn judge_tables(config: &Config, report: Report, tables: &[Table]) -> Report {
    let mut report = report.metric("tables_waiting", tables.len() as f64, "").details(&json!({
        "tables_waiting": tables.iter().take(TABLES_TOLD_MAX).map(Table::told).collect::<Vec<_>>(),
    }));
    let (warning, critical) = (Some(config.warning_seconds), config.critical_seconds);
    let kinds: [(&str, &'static str, fn(&Table) -> Option<f64>); 2] =
        [("vacuum", "vacuum_age_seconds", |table| table.vacuum_age), ("analyze", "analyze_age_seconds", |table| table.analyze_age)];
    for (what, metric, age_of) in kinds {
        let ages = tables.iter().filter_map(|table| Some((table, age_of(table)?)));
        let longest = ages.max_by(|left, right| left.1.total_cmp(&right.1));
        report = report.metric(metric, longest.map_or(0.0, |(_, age)| age), "seconds");
        if let Some((table, age)) = longest {
            let limit = Limit { metric, unit: "seconds", failure: "vacuum", warning, critical };
            report = limit.at_most(report, age, || format!("{} waits for {what}; the last one was {} ago", table.name, span(age)));
        }
    }
    report
}

fn with_running(report: Report, row: &Row<'_>) -> Result<Report, Error> {
    let report = report.metric("running_vacuums", row.number("running")?, "");
    Ok(match row.optional_number("longest_seconds")? {
        Some(longest) => report.metric("longest_vacuum_seconds", longest.max(0.0), "seconds"),
        None => report,
    })
}

impl Table {
    fn read(row: &Row<'_>) -> Result<Table, Error> {
        let (vacuum_age, analyze_age) = (row.number("vacuum_age_seconds")?, row.number("analyze_age_seconds")?);
        Ok(Table {
            name: format!("{}.{}", row.text("schema_name")?, row.text("table_name")?),
            dead_rows: row.number("dead_rows")?,
            changed_rows: row.number("changed_rows")?,
            vacuum_age: row.boolean("waits_for_vacuum")?.then_some(vacuum_age),
            analyze_age: row.boolean("waits_for_analyze")?.then_some(analyze_age),
        })
    }

    fn told(&self) -> Value {
        json!({
            "table": self.name, "dead_rows": self.dead_rows, "changed_rows": self.changed_rows,
            "vacuum_age_seconds": self.vacuum_age, "analyze_age_seconds": self.analyze_age,
        })
    }
}

impl Ids {
    /// Of the database in which they are oldest.
    fn oldest(databases: &Rows, age: &str, age_max: &str) -> Result<Option<Ids>, Error> {
        let read = |row: Row<'_>| -> Result<Ids, Error> {
            let (database, age, age_max) = (row.text("name")?.to_owned(), row.number(age)?, row.number(age_max)?);
            Ok(Ids { database, age, ratio: ratio(age, age_max) })
        };
        let ids = databases.iter().map(read).collect::<Result<Vec<Ids>, Error>>()?;
        Ok(ids.into_iter().max_by(|left, right| left.age.total_cmp(&right.age)))
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::postgres::Value as Cell;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, row, rows};

    use super::*;

    const DAY: f64 = 86_400.0;

    /// Name, whether it waits for vacuum and analyze, days since the last of each.
    fn tables(waiting: &[(&str, [bool; 2], [f64; 2])]) -> Rows {
        let columns = [
            "schema_name",
            "table_name",
            "dead_rows",
            "changed_rows",
            "waits_for_vacuum",
            "waits_for_analyze",
            "vacuum_age_seconds",
            "analyze_age_seconds",
        ];
        let row = |(name, waits, days): &(&str, [bool; 2], [f64; 2])| {
            vec![
                "public".into(),
                (*name).into(),
                900.0.into(),
                800.0.into(),
                waits[0].into(),
                waits[1].into(),
                (days[0] * DAY).into(),
                (days[1] * DAY).into(),
            ]
        };
        rows(&columns, waiting.iter().map(row).collect())
    }

    /// Name, ages of transaction ids and multixact ids.
    fn databases(ages: &[(&str, f64, f64)]) -> Rows {
        let columns = ["name", "xid_age", "multixact_age", "xid_age_max", "multixact_age_max"];
        let row =
            |(name, xid, multixact): &(&str, f64, f64)| vec![(*name).into(), (*xid).into(), (*multixact).into(), 2e8.into(), 4e8.into()];
        rows(&columns, ages.iter().map(row).collect())
    }

    fn run(tables: Rows, databases: Rows) -> Report {
        let running = row(&[("running", 1.into()), ("longest_seconds", Cell::Null)]);
        let mut host = FakeHost::default().postgres(Ok(tables)).postgres(Ok(databases)).postgres(Ok(running));
        let report = host.run::<Vacuum>(json!({ "source": "main", "critical_seconds": 30.0 * DAY })).expect("a report");
        assert_as_described::<Vacuum>(&report);
        report
    }

    fn young() -> Rows {
        databases(&[("app", 1e8, 1e6), ("template0", 1.9e8, 1e6)])
    }

    #[test]
    fn a_table_that_waits_is_judged_by_the_time_since_the_last_one() {
        let status = |days| run(tables(&[("orders", [true, false], [days, 90.0])]), young()).status;
        assert_eq!([status(6.0), status(8.0), status(31.0), status(6.0)], [Status::Ok, Status::Warning, Status::Critical, Status::Ok]);
        let report = run(tables(&[("a", [true, true], [1.0, 8.0]), ("b", [true, true], [2.0, 9.0])]), young());
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("vacuum")));
        assert_eq!(report.summary, "public.b waits for analyze; the last one was 9 d ago");
    }

    #[test]
    fn what_does_not_wait_is_well() {
        let report = run(tables(&[]), young());
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "no table waits for vacuum or analyze"));
    }

    #[test]
    fn ids_that_get_old_are_told_with_their_database() {
        let status = |age| run(tables(&[]), databases(&[("app", age, 0.0), ("other", 5.0, 0.0)])).status;
        assert_eq!([status(2.9e8), status(3.1e8), status(1.6e9)], [Status::Ok, Status::Warning, Status::Critical]);
        let report = run(tables(&[]), databases(&[("app", 1e8, 7e8), ("other", 5.0, 0.0)]));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("wraparound")));
        assert_eq!(report.summary, "multixact ids of app have 175 % of the age that vacuum should hold");
        let report = run(tables(&[]), databases(&[("app", 1.6e9, 0.0)]));
        assert_eq!(report.summary, "transaction ids of app are 1600 million old; above 2,000 million writing ends");
    }

    #[test]
    fn what_runs_is_counted_and_its_time_told_where_it_is_shown() {
        let report = run(tables(&[]), young());
        assert!(report.metrics.iter().any(|metric| metric.name == "running_vacuums" && metric.value == 1.0));
        assert!(report.metrics.iter().all(|metric| metric.name != "longest_vacuum_seconds"));
        let running = row(&[("running", 1.into()), ("longest_seconds", 60.0.into())]);
        let report = with_running(Report::ok(""), &running.only().expect("a row")).expect("a report");
        assert_eq!(report.metrics.last().map(|metric| metric.value), Some(60.0));
    }
}
