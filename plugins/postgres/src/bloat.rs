//! `bloat`: how much of the large tables holds nothing that anybody needs.
//!
//! Two measures, of which the larger counts:
//! - dead rows, which updates and deletes left behind, as the server counts them;
//! - an estimate: the pages that the rows would fill against the pages that the table has, both as of the last vacuum or analyze. What a
//!   row takes is reckoned from the mean widths in `pg_stats` and the layout of a page in PostgreSQL's documentation ("Database Page
//!   Layout").
//!
//! Limits: an estimate is no measurement. What aligning columns costs is reckoned high, so that it rather tells too little. `pg_stats`
//! shows only what the role of the source may read: of other tables only dead rows count. Indexes and TOAST tables are not looked at.

use sickbay_sdk::limit::{Limit, binary_size, counted, percent, ratio};
use sickbay_sdk::postgres::Row;
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, ask};

const TABLES_TOLD_MAX: usize = 10;

/// The layout of a page and of a row in it.
const PAGE_HEAD_BYTES: f64 = 24.0;
const ROW_POINTER_BYTES: f64 = 4.0;
const ROW_HEAD_BYTES: f64 = 23.0;
const ALIGNMENT_BYTES: f64 = 8.0;

/// The 200 largest tables. In front of a column of fixed width stands what aligning it takes behind the column before it; one that
/// varies ends anywhere.
const STATEMENT: &str = "\
    WITH candidate AS ( \
        SELECT class.oid, space.nspname, class.relname, class.relpages, class.reltuples, class.reloptions \
        FROM pg_class AS class JOIN pg_namespace AS space ON space.oid = class.relnamespace \
        WHERE class.relkind IN ('r', 'm') AND class.relpersistence <> 't' \
          AND space.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
          AND class.relpages::float8 * current_setting('block_size')::float8 >= $1 \
        ORDER BY class.relpages DESC LIMIT 200) \
    SELECT candidate.nspname AS schema_name, candidate.relname AS table_name, \
           candidate.relpages::float8 AS pages, candidate.reltuples::float8 AS rows, \
           pg_stat_get_live_tuples(candidate.oid)::float8 AS live_rows, pg_stat_get_dead_tuples(candidate.oid)::float8 AS dead_rows, \
           current_setting('block_size')::float8 AS page_bytes, \
           (SELECT max(option_value::float8) FROM pg_options_to_table(candidate.reloptions) \
            WHERE option_name = 'fillfactor') AS fillfactor, \
           width.columns, width.known_columns, width.data_bytes, width.has_nulls \
    FROM candidate CROSS JOIN LATERAL ( \
        SELECT count(*) AS columns, count(stats.attname) AS known_columns, \
               sum((1 - stats.null_frac) * (stats.avg_width + CASE \
                   WHEN part.attlen < 0 OR part.before IS NULL THEN 0 \
                   WHEN part.before < 0 THEN (part.alignment - 1) / 2.0 \
                   WHEN part.before % part.alignment = 0 THEN 0 \
                   ELSE part.alignment - part.before % part.alignment END))::float8 AS data_bytes, \
               coalesce(bool_or(stats.null_frac > 0), false) AS has_nulls \
        FROM (SELECT attname, attlen, lag(attlen) OVER (ORDER BY attnum) AS before, \
                     CASE attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END AS alignment \
              FROM pg_attribute WHERE attrelid = candidate.oid AND attnum > 0 AND NOT attisdropped) AS part \
        LEFT JOIN pg_stats AS stats ON stats.schemaname = candidate.nspname AND stats.tablename = candidate.relname \
             AND stats.attname = part.attname AND NOT stats.inherited) AS width";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when a larger part of a table is bloat (0 to 1).
    #[serde(default = "default_warning_ratio")]
    #[schemars(range(min = 0, max = 1))]
    warning_ratio: f64,
    /// Critical when a larger part of a table is bloat (0 to 1). Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    critical_ratio: Option<f64>,
    /// Smaller tables are not looked at.
    #[serde(default = "default_table_bytes_min")]
    #[schemars(range(min = 0))]
    table_bytes_min: f64,
}

fn default_warning_ratio() -> f64 {
    0.2
}

/// 10 MiB.
fn default_table_bytes_min() -> f64 {
    10_485_760.0
}

pub(crate) struct Bloat;

/// One table: what it takes, and how much of that is bloat.
struct Table {
    name: String,
    bytes: f64,
    dead_rows: f64,
    dead_ratio: f64,
    /// None where the widths of its columns are not known.
    estimated_ratio: Option<f64>,
}

impl Check for Bloat {
    const NAME: &'static str = "bloat";
    const SUMMARY: &'static str = "How much of the large tables is dead rows and room that nobody fills";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads statistics of tables", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("tables", "", "tables of table_bytes_min or more, at most 200"),
            MetricInfo::gauge("tables_bloated", "", "those above warning_ratio"),
            MetricInfo::gauge("worst_bloat_ratio", "ratio", "of the table with the highest; 0 without tables"),
            MetricInfo::gauge("bloat_bytes", "bytes", "bloat of all of them together"),
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
            "bloat",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let rows = ask(&config.source, STATEMENT, &[config.table_bytes_min.into()])?;
        let mut tables = rows.iter().map(|row| Table::read(&row)).collect::<Result<Vec<Table>, Error>>()?;
        tables.sort_by(|left, right| right.bloat_ratio().total_cmp(&left.bloat_ratio()));
        Ok(judge(config, &tables))
    }
}

/// `tables`: the worst first.
fn judge(config: &Config, tables: &[Table]) -> Report {
    let bloated = tables.iter().filter(|table| table.bloat_ratio() > config.warning_ratio).count();
    let worst_ratio = tables.first().map_or(0.0, Table::bloat_ratio);
    let report = Report::ok("")
        .metric("tables", tables.len() as f64, "")
        .metric("tables_bloated", bloated as f64, "")
        .metric("worst_bloat_ratio", worst_ratio, "ratio")
        .metric("bloat_bytes", tables.iter().map(Table::bloat_bytes).fold(0.0, |sum, bytes| sum + bytes), "bytes");
    let mut report = report.details(&json!({ "tables": tables.iter().take(TABLES_TOLD_MAX).map(Table::told).collect::<Vec<_>>() }));
    let Some(worst) = tables.first() else {
        report.summary = format!("no table has {}", binary_size(config.table_bytes_min));
        return report;
    };
    report.summary = format!("{}, {} of {} is bloat", counted(tables.len() as f64, "large table"), percent(worst_ratio), worst.name);
    let (warning, critical) = (Some(config.warning_ratio), config.critical_ratio);
    let limit = Limit { metric: "worst_bloat_ratio", unit: "ratio", failure: "bloat", warning, critical };
    limit.at_most(report, worst_ratio, || {
        let others = match bloated {
            0 | 1 => String::new(),
            2 => ", and 1 more table is bloated".to_owned(),
            bloated => format!(", and {} more tables are bloated", bloated - 1),
        };
        format!("{} of {} is bloat ({}){others}", percent(worst_ratio), worst.name, binary_size(worst.bloat_bytes()))
    })
}

impl Table {
    fn read(row: &Row<'_>) -> Result<Table, Error> {
        let (pages, page_bytes) = (row.number("pages")?, row.number("page_bytes")?);
        let (live_rows, dead_rows) = (row.number("live_rows")?, row.number("dead_rows")?);
        let rows = row.number("rows")?;
        let room = (page_bytes - PAGE_HEAD_BYTES) * row.optional_number("fillfactor")?.unwrap_or(100.0) / 100.0;
        let needed = match row_bytes(row)? {
            // Never analyzed.
            _ if rows < 0.0 => None,
            _ if rows == 0.0 => Some(0.0),
            bytes => bytes.map(|bytes| (rows / (room / bytes).floor().max(1.0)).ceil()),
        };
        Ok(Table {
            name: format!("{}.{}", row.text("schema_name")?, row.text("table_name")?),
            bytes: pages * page_bytes,
            dead_rows,
            dead_ratio: ratio(dead_rows, live_rows + dead_rows),
            estimated_ratio: needed.map(|needed| ratio(pages - needed, pages).max(0.0)),
        })
    }

    fn bloat_ratio(&self) -> f64 {
        self.estimated_ratio.unwrap_or(0.0).max(self.dead_ratio)
    }

    fn bloat_bytes(&self) -> f64 {
        self.bytes * self.bloat_ratio()
    }

    fn told(&self) -> Value {
        json!({
            "table": self.name, "bytes": self.bytes, "bloat_ratio": self.bloat_ratio(), "bloat_bytes": self.bloat_bytes().round(),
            "dead_rows": self.dead_rows, "dead_ratio": self.dead_ratio, "estimated_ratio": self.estimated_ratio,
        })
    }
}

/// What a row takes in its page. None where the width of a column is not known.
fn row_bytes(row: &Row<'_>) -> Result<Option<f64>, Error> {
    let columns = row.number("columns")?;
    let Some(data) = row.optional_number("data_bytes")?.filter(|_| row.number("known_columns") == Ok(columns)) else { return Ok(None) };
    let nulls = if row.boolean("has_nulls")? { (columns / 8.0).ceil() } else { 0.0 };
    Ok(Some(aligned(ROW_HEAD_BYTES + nulls) + aligned(data) + ROW_POINTER_BYTES))
}

fn aligned(bytes: f64) -> f64 {
    (bytes / ALIGNMENT_BYTES).ceil() * ALIGNMENT_BYTES
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::postgres::Value as Cell;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    const COLUMNS: [&str; 12] = [
        "schema_name",
        "table_name",
        "pages",
        "rows",
        "live_rows",
        "dead_rows",
        "page_bytes",
        "fillfactor",
        "columns",
        "known_columns",
        "data_bytes",
        "has_nulls",
    ];

    /// A table of 100,000 rows of 24 + 40 + 4 bytes: 120 in a page, so it needs 834 pages.
    fn table(name: &str, pages: f64, dead_rows: f64) -> Vec<Cell> {
        vec![
            "public".into(),
            name.into(),
            pages.into(),
            100_000.0.into(),
            100_000.into(),
            dead_rows.into(),
            8_192.0.into(),
            Cell::Null,
            5.into(),
            5.into(),
            36.0.into(),
            false.into(),
        ]
    }

    fn with(mut table: Vec<Cell>, column: &str, value: Cell) -> Vec<Cell> {
        let index = COLUMNS.iter().position(|known| *known == column).expect("a column");
        table[index] = value;
        table
    }

    fn run(tables: Vec<Vec<Cell>>) -> Report {
        let mut host = FakeHost::default().postgres(Ok(rows(&COLUMNS, tables)));
        let report = host.run::<Bloat>(json!({ "source": "main", "critical_ratio": 0.5 })).expect("a report");
        assert_eq!(host.queries[0].params, [Cell::Float(10_485_760.0)]);
        assert_as_described::<Bloat>(&report);
        report
    }

    fn worst(tables: Vec<Vec<Cell>>) -> f64 {
        run(tables).metrics.iter().find(|metric| metric.name == "worst_bloat_ratio").expect("the metric").value
    }

    #[test]
    fn pages_that_the_rows_do_not_fill_are_bloat() {
        let status = |pages| run(vec![table("orders", pages, 0.0)]).status;
        assert_eq!([status(834.0), status(1_000.0)], [Status::Ok, Status::Ok]);
        assert_eq!([status(1_100.0), status(1_700.0), status(834.0)], [Status::Warning, Status::Critical, Status::Ok]);
        assert_eq!(worst(vec![table("orders", 1_668.0, 0.0)]), 0.5);
        assert_eq!(worst(vec![table("orders", 500.0, 0.0)]), 0.0);
    }

    #[test]
    fn dead_rows_count_where_the_widths_are_not_known() {
        let unread = |dead| with(with(table("orders", 5_000.0, dead), "known_columns", 4.into()), "data_bytes", 30.0.into());
        assert_eq!(run(vec![unread(1_000.0)]).status, Status::Ok);
        let report = run(vec![unread(60_000.0)]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("bloat")));
        assert_eq!(report.summary, "38 % of public.orders is bloat (14.6 MiB)");
        assert_eq!(worst(vec![with(table("orders", 5_000.0, 0.0), "rows", (-1.0).into())]), 0.0);
    }

    #[test]
    fn a_table_without_rows_is_nothing_but_bloat() {
        let empty = with(with(table("orders", 5_000.0, 0.0), "rows", 0.0.into()), "data_bytes", Cell::Null);
        assert_eq!(worst(vec![empty]), 1.0);
    }

    #[test]
    fn room_that_is_left_by_intent_and_the_marks_of_nulls_are_no_bloat() {
        // 60 rows in a page.
        assert_eq!(worst(vec![with(table("orders", 1_667.0, 0.0), "fillfactor", 50.0.into())]), 0.0);
        // 32 + 40 + 4 bytes: 107 rows in a page.
        let wide = with(with(table("orders", 935.0, 0.0), "columns", 9.into()), "known_columns", 9.into());
        assert_eq!(worst(vec![with(wide, "has_nulls", true.into())]), 0.0);
    }

    #[test]
    fn the_worst_table_speaks_and_the_others_are_counted() {
        let report = run(vec![table("large", 1_200.0, 0.0), table("worse", 1_500.0, 0.0), table("well", 834.0, 0.0)]);
        assert_eq!(report.summary, "44 % of public.worse is bloat (5.2 MiB), and 1 more table is bloated");
        let details: Value = serde_json::from_str(report.details.as_deref().expect("details")).expect("JSON");
        assert_eq!(details["tables"].as_array().map(Vec::len), Some(3));
        assert_eq!(details["tables"][0]["table"], "public.worse");
    }

    #[test]
    fn without_large_tables_all_is_well() {
        assert_eq!(run(Vec::new()).summary, "no table has 10.0 MiB");
    }
}
