//! `slow-queries`: mean time of the statements of a database since the last run, and how many slow ones there were, from
//! `pg_stat_statements`.
//!
//! The extension has sums, no single calls. So a call counts as slow where the calls of its statement since the last run took `slow_ms` or
//! more on average. The hundred statements that were ever that slow and took the most time in all are followed, then others by their time.
//! One that comes among them later counts from the next run on, for it is not known when it ran. The first run only notes the counters;
//! statistics that were reset, or of which the server has thrown some away, begin anew. A run less than half a second after another leaves
//! what happened to the next one.

use std::collections::BTreeMap;

use serde::Serialize;
use sickbay_sdk::limit::{Limit, ratio};
use sickbay_sdk::postgres::{PostgresError, Row, Rows};
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

use crate::{READ_GRANT, ask, explained, rights_hint, statement};

const STATE_KEY: &str = "slow-queries";
/// Their counters fit into `state`.
const STATEMENTS_MAX: usize = 100;
const TOP_MAX: usize = 10;
/// The extension's first version with the columns that are read: that of PostgreSQL 13.
const VERSION_MIN: (u32, u32) = (1, 8);
/// From here on the extension tells when it was reset.
const VERSION_WITH_RESET: (u32, u32) = (1, 9);
/// `55000`: the library of the extension is not loaded.
const NOT_LOADED: &str = "55000";

const EXTENSION: &str = "SELECT e.extversion AS version, quote_ident(n.nspname) AS schema \
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when the calls since the last run took longer on average.
    #[serde(default = "default_mean_warning_ms")]
    #[schemars(range(min = 0))]
    mean_warning_ms: f64,
    /// Critical when the calls since the last run took longer on average. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    mean_critical_ms: Option<f64>,
    /// A statement whose calls since the last run took at least this long on average is slow.
    #[serde(default = "default_slow_ms")]
    #[schemars(range(min = 1))]
    slow_ms: f64,
    /// Warning when there were more calls of slow statements per minute.
    #[serde(default = "default_per_minute_warning")]
    #[schemars(range(min = 0))]
    per_minute_warning: f64,
    /// Critical when there were more calls of slow statements per minute. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    per_minute_critical: Option<f64>,
}

fn default_mean_warning_ms() -> f64 {
    1_000.0
}

fn default_slow_ms() -> f64 {
    1_000.0
}

fn default_per_minute_warning() -> f64 {
    10.0
}

pub(crate) struct SlowQueries;

/// Calls, and the milliseconds that they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Spent(f64, f64);

/// What the server had counted at one time.
#[derive(Serialize, Deserialize)]
struct Counters {
    all: Spent,
    /// The followed ones, by the server's number for them.
    statements: BTreeMap<i64, Spent>,
    /// No other was there.
    is_whole: bool,
}

/// What happened to one statement since the last run.
struct Recent<'rows> {
    text: &'rows str,
    spent: Spent,
}

impl Spent {
    /// None where counting began anew in between.
    fn since(self, earlier: Spent) -> Option<Spent> {
        let (calls, ms) = (self.0 - earlier.0, self.1 - earlier.1);
        // The server adds up in any order, so that a sum may differ in its last digits.
        (calls >= 0.0 && ms > -1.0).then_some(Spent(calls, ms.max(0.0)))
    }

    fn mean_ms(self) -> f64 {
        ratio(self.1, self.0)
    }
}

impl Check for SlowQueries {
    const NAME: &'static str = "slow-queries";
    const SUMMARY: &'static str = "Mean time of statements and how many were slow since the last run";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_stat_statements", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("calls", "", "calls of statements since the last run; from the second run on"),
            MetricInfo::gauge("mean_seconds", "seconds", "what they took on average; absent without any"),
            MetricInfo::gauge("slow_per_minute", "", "calls of slow statements since the last run, per minute; from the second run on"),
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
            "latency",
            "content",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let extension = ask(&config.source, EXTENSION, &[])?;
        let Some(extension) = extension.first() else {
            return Err(Error::configuration(
                "the database has no extension pg_stat_statements; hint: CREATE EXTENSION pg_stat_statements, with \
                 shared_preload_libraries = 'pg_stat_statements' in postgresql.conf",
            ));
        };
        let sql = statements(extension)?;
        let rows = postgres::source(&config.source).query(&sql, &[config.slow_ms.into()]).map_err(not_loaded)?;
        let of = format!("{} {}", config.source, rows.first().map_or(Ok(""), |row| row.text("reset"))?);
        let now = counters(&rows)?;
        let now_ms = clock::now_ms();
        let earlier = trend::earlier::<Counters>(STATE_KEY, &of);
        if earlier.as_ref().is_some_and(|earlier| earlier.is_too_young(now_ms)) {
            return Ok(Report::ok("too little time has passed to judge"));
        }
        let seconds = earlier.as_ref().and_then(|earlier| earlier.seconds_until(now_ms));
        let spent = earlier.as_ref().and_then(|earlier| now.all.since(earlier.noted.all));
        let (Some(earlier), Some(seconds), Some(spent)) = (earlier, seconds, spent) else {
            trend::keep(STATE_KEY, &of, now_ms, now)?;
            return Ok(Report::ok("statements are counted from now on"));
        };
        let recent = recent(&rows, &earlier.noted)?;
        trend::keep(STATE_KEY, &of, now_ms, now)?;
        Ok(judge(config, spent, &recent, seconds))
    }
}

/// What to ask of the extension, as it is there.
fn statements(extension: Row<'_>) -> Result<String, Error> {
    let (version, schema) = (extension.text("version")?, extension.text("schema")?);
    let version = version.split_once('.').and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)));
    let Some(version) = version.filter(|version| *version >= VERSION_MIN) else {
        return Err(Error::configuration(
            "the extension pg_stat_statements is older than 1.8; hint: ALTER EXTENSION pg_stat_statements UPDATE",
        ));
    };
    let reset = if version >= VERSION_WITH_RESET {
        format!("coalesce((SELECT extract(epoch FROM i.stats_reset)::text FROM {schema}.pg_stat_statements_info i), '')")
    } else {
        "''".to_owned()
    };
    Ok(format!(
        "SELECT s.queryid AS id, sum(s.calls) AS calls, sum(s.total_exec_time) AS ms, left(min(s.query), 1000) AS query, \
         sum(sum(s.calls)) OVER () AS all_calls, sum(sum(s.total_exec_time)) OVER () AS all_ms, {reset} AS reset, \
         quote_ident(current_user) AS role \
         FROM {schema}.pg_stat_statements s \
         WHERE s.dbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()) \
         GROUP BY s.queryid ORDER BY s.queryid IS NULL DESC, max(s.max_exec_time) >= $1 DESC, sum(s.total_exec_time) DESC \
         LIMIT {STATEMENTS_MAX}"
    ))
}

fn not_loaded(error: PostgresError) -> Error {
    let is_not_loaded = error.sqlstate() == Some(NOT_LOADED);
    match explained(error) {
        Error::Plugin { message, .. } if is_not_loaded => Error::configuration(format!(
            "{message}; hint: shared_preload_libraries = 'pg_stat_statements' in postgresql.conf, and a restart of the server"
        )),
        error => error,
    }
}

fn counters(rows: &Rows) -> Result<Counters, Error> {
    let all = match rows.first() {
        Some(row) => Spent(row.number("all_calls")?, row.number("all_ms")?),
        None => Spent::default(),
    };
    let mut statements = BTreeMap::new();
    for row in rows.iter().take(STATEMENTS_MAX) {
        let Some(id) = row.value("id")?.int() else {
            return Err(Error::configuration(format!("the statements of other roles are hidden; {}", rights_hint(&row))));
        };
        statements.insert(id, spent(row)?);
    }
    Ok(Counters { all, statements, is_whole: rows.len() < STATEMENTS_MAX })
}

/// Whole milliseconds are enough, and shorter to keep.
fn spent(row: Row<'_>) -> Result<Spent, Error> {
    Ok(Spent(row.number("calls")?, row.number("ms")?.round()))
}

/// The followed statements that ran since the last run, those that took the most time first.
fn recent<'rows>(rows: &'rows Rows, earlier: &Counters) -> Result<Vec<Recent<'rows>>, Error> {
    let mut recent = Vec::new();
    for row in rows.iter().take(STATEMENTS_MAX) {
        let now = spent(row)?;
        let spent = match earlier.statements.get(&row.int("id")?) {
            // What counts less than before was thrown away and is there again.
            Some(earlier) => now.since(*earlier).unwrap_or(now),
            None if earlier.is_whole => now,
            None => continue,
        };
        if spent.0 > 0.0 {
            recent.push(Recent { text: row.text("query")?, spent });
        }
    }
    recent.sort_by(|left, right| right.spent.1.total_cmp(&left.spent.1));
    Ok(recent)
}

fn judge(config: &Config, all: Spent, recent: &[Recent<'_>], seconds: f64) -> Report {
    let slow = recent.iter().filter(|one| one.spent.mean_ms() >= config.slow_ms);
    let slow_calls = slow.fold(0.0, |sum, one| sum + one.spent.0);
    let per_minute = slow_calls * 60.0 / seconds;
    let Spent(calls, _) = all;
    let mean_ms = all.mean_ms();
    let top: Vec<Value> = recent.iter().take(TOP_MAX).map(told).collect();
    let took = format!("{calls} calls took {mean_ms:.1} ms on average");
    let summary = if calls > 0.0 { format!("{took}, {per_minute:.1} slow ones per minute") } else { "no statement ran".to_owned() };
    let mut report =
        Report::ok(summary).metric("calls", calls, "").metric("slow_per_minute", per_minute, "").details(&json!({ "statements": top }));
    let (warning, critical) = (Some(config.per_minute_warning), config.per_minute_critical);
    let slow = Limit { metric: "slow_per_minute", unit: "", failure: "latency", warning, critical };
    let (warning, critical) = (Some(config.mean_warning_ms / 1000.0), config.mean_critical_ms.map(|ms| ms / 1000.0));
    let mean = Limit { metric: "mean_seconds", unit: "seconds", failure: "latency", warning, critical };
    if calls > 0.0 {
        report = mean.at_most(report.metric("mean_seconds", mean_ms / 1000.0, "seconds"), mean_ms / 1000.0, || took);
    }
    slow.at_most(report, per_minute, || format!("{per_minute:.1} calls per minute of statements that take {} ms or more", config.slow_ms))
}

fn told(recent: &Recent<'_>) -> Value {
    let Spent(calls, ms) = recent.spent;
    json!({
        "query": statement::without_values(recent.text),
        "calls": calls,
        "seconds": ms / 1000.0,
        "mean_seconds": recent.spent.mean_ms() / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Failure;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, refused, row, rows};

    use super::*;

    const COLUMNS: [&str; 7] = ["id", "calls", "ms", "query", "all_calls", "all_ms", "reset"];
    const MINUTE_MS: u64 = 60_000;

    /// The next run is a minute later.
    fn answer(host: &mut FakeHost, statements: &[(i64, i64, f64)], reset: &str) -> Result<Report, Failure> {
        let all_calls: i64 = statements.iter().map(|(_, calls, _)| calls).sum();
        let all_ms: f64 = statements.iter().map(|(_, _, ms)| ms).sum();
        let values = |(id, calls, ms): &(i64, i64, f64)| -> Vec<postgres::Value> {
            let query = format!("SELECT {id} FROM t{id}");
            vec![(*id).into(), (*calls).into(), (*ms).into(), query.into(), all_calls.into(), all_ms.into(), reset.into()]
        };
        host.rows.push_back(Ok(row(&[("version", "1.10".into()), ("schema", "public".into())])));
        host.rows.push_back(Ok(rows(&COLUMNS, statements.iter().map(values).collect())));
        host.now_ms += MINUTE_MS;
        host.run::<SlowQueries>(json!({ "source": "main", "mean_critical_ms": 5000 }))
    }

    fn run(host: &mut FakeHost, statements: &[(i64, i64, f64)]) -> Report {
        let report = answer(host, statements, "1").expect("a report");
        assert_as_described::<SlowQueries>(&report);
        report
    }

    #[test]
    fn only_what_ran_since_the_last_run_is_judged() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, &[(1, 100, 900_000.0)]).summary, "statements are counted from now on");
        assert_eq!(run(&mut host, &[(1, 200, 900_100.0)]).status, Status::Ok);
        let report = run(&mut host, &[(1, 202, 904_100.0)]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("latency")));
        assert_eq!(report.summary, "2 calls took 2000.0 ms on average");
        assert_eq!(run(&mut host, &[(1, 203, 914_100.0)]).status, Status::Critical);
        assert_eq!(run(&mut host, &[(1, 303, 914_200.0)]).status, Status::Ok);
        assert_eq!(run(&mut host, &[(1, 303, 914_200.0)]).summary, "no statement ran");
    }

    #[test]
    fn slow_statements_are_counted_by_the_minute_among_many_fast_ones() {
        let mut host = FakeHost::default();
        run(&mut host, &[(1, 0, 0.0), (2, 10, 90_000.0)]);
        assert_eq!(run(&mut host, &[(1, 10_000, 10_000.0), (2, 20, 105_000.0)]).status, Status::Ok);
        let report = run(&mut host, &[(1, 20_000, 20_000.0), (2, 31, 127_000.0)]);
        assert_eq!(report.summary, "11.0 calls per minute of statements that take 1000 ms or more");
        assert_eq!(report.metrics.iter().find(|metric| metric.name == "slow_per_minute").map(|metric| metric.value), Some(11.0));
        let details: Value = serde_json::from_str(&report.details.expect("details")).expect("JSON");
        assert_eq!(details["statements"][0]["query"], "SELECT ? FROM t2");
    }

    #[test]
    fn a_statement_that_is_new_counts_whole_and_a_reset_begins_anew() {
        let mut host = FakeHost::default();
        run(&mut host, &[(1, 10_000, 10.0)]);
        assert_eq!(run(&mut host, &[(1, 20_000, 20.0), (2, 11, 22_000.0)]).status, Status::Warning);
        assert_eq!(run(&mut host, &[(2, 1, 9_000.0)]).summary, "statements are counted from now on");
        let report = answer(&mut host, &[(2, 100, 99_000.0)], "2").expect("a report");
        assert_eq!(report.summary, "statements are counted from now on");
    }

    #[test]
    fn a_run_too_soon_leaves_what_happened_to_the_next_one() {
        let mut host = FakeHost::default();
        run(&mut host, &[(1, 100, 100.0)]);
        host.now_ms -= MINUTE_MS - 100;
        assert_eq!(run(&mut host, &[(1, 101, 2_100.0)]).summary, "too little time has passed to judge");
        assert_eq!(run(&mut host, &[(1, 101, 2_100.0)]).status, Status::Warning);
    }

    #[test]
    fn a_missing_extension_and_missing_rights_say_what_to_do() {
        let config = json!({ "source": "main" });
        let told = |mut host: FakeHost| {
            let failure = host.run::<SlowQueries>(config.clone()).expect_err("a failure");
            assert_eq!(failure.kind, "configuration");
            failure.message
        };
        let extension = |version: &str| Ok(row(&[("version", version.into()), ("schema", "public".into())]));
        assert!(told(FakeHost::default().postgres(Ok(rows(&["version", "schema"], Vec::new())))).contains("CREATE EXTENSION"));
        assert!(told(FakeHost::default().postgres(extension("1.7"))).contains("ALTER EXTENSION"));
        let error = refused("55000", "pg_stat_statements must be loaded");
        assert!(told(FakeHost::default().postgres(extension("1.8")).postgres(Err(error))).contains("shared_preload_libraries = "));
        let hidden = row(&[
            ("id", postgres::Value::Null),
            ("calls", 1.into()),
            ("ms", 1.0.into()),
            ("query", "<insufficient privilege>".into()),
            ("all_calls", 1.into()),
            ("all_ms", 1.0.into()),
            ("reset", "".into()),
            ("role", "mon".into()),
        ]);
        assert!(told(FakeHost::default().postgres(extension("1.11")).postgres(Ok(hidden))).contains("GRANT pg_monitor TO mon"));
    }
}
