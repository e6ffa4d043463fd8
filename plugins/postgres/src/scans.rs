//! `scans`: sequential scans of large tables since the last run, and large indexes that nobody ever used.
//!
//! A scan counts where the scans of its table since the last run read `rows_per_scan_min` rows or more on average: one that `LIMIT` ends
//! early costs little. Sizes are those that the server noted when it last vacuumed or analysed, so that no table is touched; the hundred
//! largest tables are looked at. An index that keeps values unique is used even where nobody reads it, and on a replica others are used
//! than on its primary: unused ones are judged only where a limit is set.

use std::collections::BTreeMap;

use serde::Serialize;
use sickbay_sdk::limit::{Limit, binary_size, counted, ratio};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

use crate::{READ_GRANT, explained};

const STATE_KEY: &str = "scans";
/// Their counters fit into `state`.
const TABLES_MAX: usize = 100;
/// Of tables and of indexes, in the details.
const TOLD_MAX: usize = 10;

const TABLES: &str = "SELECT s.relid AS id, s.schemaname || '.' || s.relname AS name, s.seq_scan AS scans, s.seq_tup_read AS rows, \
    c.relpages::float8 * current_setting('block_size')::float8 AS bytes \
    FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid \
    WHERE c.relpages::float8 * current_setting('block_size')::float8 >= $1 ORDER BY bytes DESC LIMIT 100";
const INDEXES: &str = "SELECT u.*, count(*) OVER () AS unused, sum(u.bytes) OVER () AS unused_bytes FROM ( \
    SELECT s.schemaname || '.' || s.indexrelname AS name, s.relname AS of_table, \
    c.relpages::float8 * current_setting('block_size')::float8 AS bytes \
    FROM pg_stat_user_indexes s JOIN pg_class c ON c.oid = s.indexrelid JOIN pg_index i ON i.indexrelid = s.indexrelid \
    WHERE s.idx_scan = 0 AND i.indisvalid AND NOT (i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisreplident)) u \
    WHERE u.bytes >= $1 ORDER BY u.bytes DESC LIMIT 10";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// A table of this size is large.
    #[serde(default = "default_table_bytes_min")]
    #[schemars(range(min = 0))]
    table_bytes_min: f64,
    /// A scan that reads fewer rows of a large table does not count.
    #[serde(default = "default_rows_per_scan_min")]
    #[schemars(range(min = 0))]
    rows_per_scan_min: f64,
    /// Warning when large tables were scanned more often since the last run.
    #[serde(default = "default_scans_warning")]
    #[schemars(range(min = 0))]
    scans_warning: f64,
    /// Critical when large tables were scanned more often since the last run. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    scans_critical: Option<f64>,
    /// An index of this size that was never used counts as unused.
    #[serde(default = "default_index_bytes_min")]
    #[schemars(range(min = 0))]
    index_bytes_min: f64,
    /// Warning when more indexes are unused. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    unused_indexes_warning: Option<f64>,
}

fn default_table_bytes_min() -> f64 {
    f64::from(100_u32 << 20)
}

fn default_rows_per_scan_min() -> f64 {
    10_000.0
}

fn default_scans_warning() -> f64 {
    10.0
}

fn default_index_bytes_min() -> f64 {
    f64::from(10_u32 << 20)
}

pub(crate) struct Scans;

/// Scans, and the rows that they read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Counters(f64, f64);

/// A large table that was scanned since the last run.
struct Scanned<'rows> {
    name: &'rows str,
    bytes: f64,
    scans: f64,
    rows_per_scan: f64,
}

impl Check for Scans {
    const NAME: &'static str = "scans";
    const SUMMARY: &'static str = "Sequential scans of large tables since the last run, and large indexes that nobody uses";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_stat_user_tables and pg_stat_user_indexes", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("large_tables", "", "tables of at least table_bytes_min, at most 100"),
            MetricInfo::gauge("sequential_scans", "", "scans of them since the last run that count; from the second run on"),
            MetricInfo::gauge("scanned_tables", "", "tables that were scanned so; from the second run on"),
            MetricInfo::gauge("unused_indexes", "", "indexes of at least index_bytes_min that were never used"),
            MetricInfo::gauge("unused_index_bytes", "bytes", "what they take"),
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
        let large: [postgres::Value; 2] = [config.table_bytes_min.into(), config.index_bytes_min.into()];
        let asked = [(TABLES, &large[..1]), (INDEXES, &large[1..])];
        let answers = postgres::source(&config.source).query_many(&asked).map_err(explained)?;
        let [tables, indexes] = answers.as_slice() else { return Err(Error::internal("two statements have two answers")) };
        let now = tables.iter().take(TABLES_MAX).map(counters).collect::<Result<BTreeMap<i64, Counters>, Error>>()?;
        let earlier = trend::earlier::<BTreeMap<i64, Counters>>(STATE_KEY, &config.source).map(|mark| mark.noted);
        let scanned = earlier.map(|earlier| scanned(config, tables, &earlier)).transpose()?;
        trend::keep(STATE_KEY, &config.source, clock::now_ms(), now)?;
        judge(config, tables.len(), scanned.as_deref(), indexes)
    }
}

fn counters(table: Row<'_>) -> Result<(i64, Counters), Error> {
    Ok((table.int("id")?, Counters(table.number("scans")?, table.number("rows")?)))
}

/// The tables whose scans count, most rows first.
fn scanned<'rows>(config: &Config, tables: &'rows Rows, earlier: &BTreeMap<i64, Counters>) -> Result<Vec<Scanned<'rows>>, Error> {
    let mut scanned = Vec::new();
    for table in tables.iter().take(TABLES_MAX) {
        let (id, Counters(scans, rows)) = counters(table)?;
        // What was not seen before has become large since: when it was scanned is not known.
        let Some(Counters(scans_before, rows_before)) = earlier.get(&id) else { continue };
        let was_reset = scans < *scans_before || rows < *rows_before;
        let (scans, rows) = if was_reset { (scans, rows) } else { (scans - scans_before, rows - rows_before) };
        let rows_per_scan = ratio(rows, scans);
        if scans > 0.0 && rows_per_scan >= config.rows_per_scan_min {
            scanned.push(Scanned { name: table.text("name")?, bytes: table.number("bytes")?, scans, rows_per_scan });
        }
    }
    let rows_of = |table: &Scanned<'_>| table.scans * table.rows_per_scan;
    scanned.sort_by(|left, right| rows_of(right).total_cmp(&rows_of(left)));
    Ok(scanned)
}

fn judge(config: &Config, large_tables: usize, scanned: Option<&[Scanned<'_>]>, indexes: &Rows) -> Result<Report, Error> {
    let (unused, unused_bytes) = match indexes.first() {
        Some(row) => (row.number("unused")?, row.number("unused_bytes")?),
        None => (0.0, 0.0),
    };
    let told: Vec<Value> = scanned.unwrap_or_default().iter().take(TOLD_MAX).map(table).collect();
    let unused_told = indexes.iter().take(TOLD_MAX).map(index).collect::<Result<Vec<Value>, Error>>()?;
    let report = Report::ok("scans are counted from now on")
        .metric("large_tables", large_tables as f64, "")
        .metric("unused_indexes", unused, "")
        .metric("unused_index_bytes", unused_bytes, "bytes")
        .details(&json!({ "scanned_tables": told, "unused_indexes": unused_told }));
    let report = match scanned {
        Some(scanned) => judge_scans(config, report, scanned),
        None => report,
    };
    let limit = Limit { metric: "unused_indexes", unit: "", failure: "capacity", warning: config.unused_indexes_warning, critical: None };
    Ok(limit.at_most(report, unused, || {
        let (indexes, are) = if unused == 1.0 { ("index", "is") } else { ("indexes", "are") };
        format!("{unused} {indexes} with {} {are} unused", binary_size(unused_bytes))
    }))
}

fn judge_scans(config: &Config, mut report: Report, scanned: &[Scanned<'_>]) -> Report {
    let scans = scanned.iter().fold(0.0, |sum, table| sum + table.scans);
    report.summary = match scanned.first() {
        Some(first) => format!("{} of large tables, most rows of {}", counted(scans, "sequential scan"), first.name),
        None => "no large table was scanned".to_owned(),
    };
    let told = report.summary.clone();
    let limit = Limit {
        metric: "sequential_scans",
        unit: "",
        failure: "capacity",
        warning: Some(config.scans_warning),
        critical: config.scans_critical,
    };
    let report = report.metric("sequential_scans", scans, "").metric("scanned_tables", scanned.len() as f64, "");
    limit.at_most(report, scans, || told)
}

fn table(scanned: &Scanned<'_>) -> Value {
    let Scanned { name, bytes, scans, rows_per_scan } = scanned;
    json!({ "table": name, "bytes": bytes, "scans": scans, "rows_per_scan": rows_per_scan.round() })
}

fn index(row: Row<'_>) -> Result<Value, Error> {
    Ok(json!({ "index": row.text("name")?, "table": row.text("of_table")?, "bytes": row.number("bytes")? }))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    /// Number, scans, rows.
    type Table = (i64, i64, i64);

    fn run(host: &mut FakeHost, tables: &[Table], unused: &[&str]) -> Report {
        let table = |(id, scans, read): &Table| -> Vec<postgres::Value> {
            vec![(*id).into(), format!("public.t{id}").into(), (*scans).into(), (*read).into(), 2e9.into()]
        };
        let index = |name: &&str| -> Vec<postgres::Value> {
            let all = unused.len() as i64;
            vec![(*name).into(), "t1".into(), 2e7.into(), all.into(), (2e7 * all as f64).into()]
        };
        let tables = rows(&["id", "name", "scans", "rows", "bytes"], tables.iter().map(table).collect());
        let indexes = rows(&["name", "of_table", "bytes", "unused", "unused_bytes"], unused.iter().map(index).collect());
        host.rows.extend([Ok(tables), Ok(indexes)]);
        let report = host.run::<Scans>(json!({ "source": "main", "unused_indexes_warning": 1 })).expect("a report");
        assert_as_described::<Scans>(&report);
        report
    }

    #[test]
    fn scans_since_the_last_run_that_read_much_are_told_until_they_stop() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, &[(1, 1_000, 9_000_000_000)], &[]).summary, "scans are counted from now on");
        assert_eq!(run(&mut host, &[(1, 1_010, 9_010_000_000)], &[]).status, Status::Ok);
        let report = run(&mut host, &[(1, 1_021, 9_021_000_000)], &[]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("capacity")));
        assert_eq!(report.summary, "11 sequential scans of large tables, most rows of public.t1");
        assert_eq!(run(&mut host, &[(1, 1_021, 9_021_000_000)], &[]).summary, "no large table was scanned");
    }

    #[test]
    fn scans_that_end_early_and_tables_that_were_not_seen_before_do_not_count() {
        let mut host = FakeHost::default();
        run(&mut host, &[(1, 0, 0)], &[]);
        let report = run(&mut host, &[(1, 500, 500_000), (2, 500, 9_000_000_000)], &[]);
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "no large table was scanned"));
        let report = run(&mut host, &[(1, 500, 500_000), (2, 3, 9_000_000)], &[]);
        assert_eq!(report.summary, "3 sequential scans of large tables, most rows of public.t2");
    }

    #[test]
    fn unused_indexes_are_judged_where_a_limit_is_set() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, &[], &["public.a"]).status, Status::Ok);
        let report = run(&mut host, &[], &["public.a", "public.b"]);
        assert_eq!((report.status, report.summary.as_str()), (Status::Warning, "2 indexes with 38.1 MiB are unused"));
        assert_eq!(host.queries.iter().map(|query| query.params.len()).collect::<Vec<_>>(), [1; 4]);
    }
}
