//! `cache-hit`: how many blocks the server found in its own cache, for each database since its last judgement.
//!
//! The first judgement is of everything since the server's statistics were reset. Too few reads say nothing: the window of that database
//! then grows over the next runs until it holds enough of them. What the operating system had in its cache counts as read from disk.

use std::collections::BTreeMap;

use serde::Serialize;
use sickbay_sdk::limit::{Limit, percent, ratio};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

use crate::{READ_GRANT, ask};

const STATE_KEY: &str = "cache-hit";
/// The busiest databases that are looked at; their counters fit into `state`.
const DATABASES_MAX: usize = 64;
/// Two series each stay below the host's 64 for one check.
const DATABASES_WITH_METRICS_MAX: usize = 20;

const COUNTERS: &str = "SELECT d.datname AS database, d.blks_hit AS hits, d.blks_read AS misses, \
    coalesce(extract(epoch FROM d.stats_reset)::text, '') AS reset \
    FROM pg_stat_database d JOIN pg_database p ON p.oid = d.datid \
    WHERE NOT p.datistemplate AND (cardinality($1::text[]) = 0 OR d.datname = ANY ($1::text[])) \
    ORDER BY d.blks_hit + d.blks_read DESC LIMIT 64";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Databases to look at. Empty: all of the server.
    #[serde(default)]
    #[schemars(length(max = 64))]
    databases: Vec<String>,
    /// Warning when a smaller part of the reads is found in the cache (0 to 1).
    #[serde(default = "default_warning_ratio")]
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a smaller part of the reads is found in the cache (0 to 1). Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: Option<f64>,
    /// Reads of a database, in blocks, that a judgement needs.
    #[serde(default = "default_reads_min")]
    #[schemars(range(min = 1))]
    reads_min: u32,
}

fn default_warning_ratio() -> f64 {
    0.9
}

fn default_reads_min() -> u32 {
    10_000
}

pub(crate) struct CacheHit;

/// The counters of one database where its window began.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Counters {
    /// When the server began to count.
    reset: String,
    hits: f64,
    misses: f64,
}

/// One database since its window began.
struct Window {
    database: String,
    reads: f64,
    hit_ratio: f64,
}

impl Check for CacheHit {
    const NAME: &'static str = "cache-hit";
    const SUMMARY: &'static str = "Part of the blocks that the server found in its cache, by database";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_stat_database", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("worst_hit_ratio", "ratio", "the lowest hit_ratio; absent while all databases read too little"),
            MetricInfo::gauge("hit_ratio", "ratio", "part of the reads found in the cache, by database; the twenty lowest"),
            MetricInfo::gauge("reads", "", "blocks that were read in the window that was judged, by database"),
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
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let names = postgres::Value::ListJson(json!(config.databases).to_string());
        let now = counters(&ask(&config.source, COUNTERS, &[names])?)?;
        if let Some(missing) = config.databases.iter().find(|name| !now.contains_key(*name)) {
            return Err(Error::configuration(format!("the server has no database {missing}")));
        }
        let of = config.source.as_str();
        let mut marks: BTreeMap<String, Counters> = trend::earlier(STATE_KEY, of).map(|mark| mark.noted).unwrap_or_default();
        let mut kept = BTreeMap::new();
        let mut windows = Vec::new();
        for (database, now) in now {
            let is_before = |mark: &Counters| mark.reset == now.reset && mark.hits <= now.hits && mark.misses <= now.misses;
            let since = marks.remove(&database).filter(is_before).unwrap_or_default();
            let hits = now.hits - since.hits;
            let reads = hits + now.misses - since.misses;
            let is_judged = reads >= f64::from(config.reads_min);
            if is_judged {
                windows.push(Window { database: database.clone(), reads, hit_ratio: ratio(hits, reads) });
            }
            kept.insert(database, if is_judged { now } else { Counters { reset: now.reset, ..since } });
        }
        trend::keep(STATE_KEY, of, clock::now_ms(), kept)?;
        windows.sort_by(|left, right| left.hit_ratio.total_cmp(&right.hit_ratio));
        Ok(judge(config, &windows))
    }
}

fn counters(rows: &Rows) -> Result<BTreeMap<String, Counters>, Error> {
    let one = |row: Row<'_>| -> Result<(String, Counters), Error> {
        let counters = Counters { reset: row.text("reset")?.to_owned(), hits: row.number("hits")?, misses: row.number("misses")? };
        Ok((row.text("database")?.to_owned(), counters))
    };
    rows.iter().take(DATABASES_MAX).map(one).collect()
}

/// The windows come with the lowest ratio first.
fn judge(config: &Config, windows: &[Window]) -> Report {
    let Some(worst) = windows.first() else { return Report::ok("too few reads to judge") };
    let told = format!("{} of {} reads in {} were found in the cache", percent(worst.hit_ratio), worst.reads, worst.database);
    let mut report = Report::ok(told.clone()).metric("worst_hit_ratio", worst.hit_ratio, "ratio");
    for Window { database, reads, hit_ratio } in windows.iter().take(DATABASES_WITH_METRICS_MAX) {
        let labels = [("database", database.as_str())];
        report = report.labelled("hit_ratio", *hit_ratio, "ratio", &labels).labelled("reads", *reads, "", &labels);
    }
    let (warning, critical) = (Some(config.warning_ratio), config.critical_ratio);
    let limit = Limit { metric: "worst_hit_ratio", unit: "ratio", failure: "capacity", warning, critical };
    limit.at_least(report, worst.hit_ratio, || format!("only {told}"))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    const COLUMNS: [&str; 4] = ["database", "hits", "misses", "reset"];

    fn run(host: &mut FakeHost, databases: &[(&str, i64, i64, &str)]) -> Report {
        let values = |(name, hits, misses, reset): &(&str, i64, i64, &str)| -> Vec<postgres::Value> {
            vec![(*name).into(), postgres::Value::Int(*hits), postgres::Value::Int(*misses), (*reset).into()]
        };
        host.rows.push_back(Ok(rows(&COLUMNS, databases.iter().map(values).collect())));
        let report = host.run::<CacheHit>(json!({ "source": "main", "critical_ratio": 0.5, "reads_min": 100 })).expect("a report");
        assert_as_described::<CacheHit>(&report);
        report
    }

    #[test]
    fn after_the_first_run_only_what_was_read_since_is_judged() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, &[("app", 1_000, 1_000, "1")]).status, Status::Warning);
        assert_eq!(run(&mut host, &[("app", 1_990, 1_010, "1")]).status, Status::Ok);
        let report = run(&mut host, &[("app", 2_000, 1_200, "1")]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("capacity")));
        assert_eq!(report.summary, "only 5 % of 200 reads in app were found in the cache");
        assert_eq!(run(&mut host, &[("app", 3_000, 1_200, "1")]).status, Status::Ok);
    }

    #[test]
    fn a_window_with_too_few_reads_grows() {
        let mut host = FakeHost::default();
        run(&mut host, &[("app", 1_000, 0, "1")]);
        assert_eq!(run(&mut host, &[("app", 1_000, 60, "1")]).summary, "too few reads to judge");
        assert_eq!(run(&mut host, &[("app", 1_000, 120, "1")]).status, Status::Critical);
    }

    #[test]
    fn statistics_that_were_reset_and_new_databases_count_from_nothing() {
        let mut host = FakeHost::default();
        run(&mut host, &[("app", 1_000, 0, "1")]);
        assert_eq!(run(&mut host, &[("app", 2_000, 0, "2"), ("new", 0, 200, "")]).status, Status::Critical);
        assert_eq!(run(&mut host, &[("app", 500, 0, "2")]).metrics[1].labels[0].value, "app");
    }

    #[test]
    fn the_worst_database_speaks_and_each_has_its_series() {
        let report = run(&mut FakeHost::default(), &[("app", 990, 10, ""), ("reports", 600, 400, "")]);
        assert_eq!(report.summary, "only 60 % of 1000 reads in reports were found in the cache");
        assert_eq!(report.metrics.len(), 5);
    }

    #[test]
    fn a_database_that_is_not_there_is_a_mistake_of_the_configuration() {
        let mut host = FakeHost::default().postgres(Ok(rows(&COLUMNS, Vec::new())));
        let failure = host.run::<CacheHit>(json!({ "source": "main", "databases": ["gone"] })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
        assert_eq!(host.queries[0].params, [postgres::Value::ListJson("[\"gone\"]".to_owned())]);
    }
}
