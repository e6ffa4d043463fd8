//! `size`: how large the source's database is, how fast it grows, and its largest tables.
//!
//! Growth is measured against a reading of a day ago, or the oldest there is, from an hour on. How large a database may be only its owner knows,
//! so that without limits only a leap is told: it grew by half in a whole day of readings, and by [`LEAP_BYTES_MIN`]. Sizes of tables, with their indexes and what
//! is stored beside them, are those that the server noted when it last vacuumed or analysed. Room on the disk is the business of the plugin
//! `system`.

use serde::Serialize;
use sickbay_sdk::limit::{Limit, binary_size, percent, ratio};
use sickbay_sdk::postgres::Row;
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

use crate::{READ_GRANT, explained};

const STATE_KEY: &str = "size";
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// A small database doubles with its first table.
const LEAP_BYTES_MIN: f64 = (1_u32 << 30) as f64;

const DATABASE: &str = "SELECT current_database() AS database, pg_database_size(current_database()) AS bytes";
const TABLES: &str = "SELECT n.nspname || '.' || c.relname AS name, current_setting('block_size')::float8 * (c.relpages::float8 \
    + coalesce(t.relpages, 0) + coalesce((SELECT sum(x.relpages) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
    WHERE i.indrelid = c.oid), 0)::float8) AS bytes \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_class t ON t.oid = c.reltoastrelid \
    WHERE c.relkind IN ('r', 'm') ORDER BY bytes DESC LIMIT 10";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when the database is larger. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    database_warning_bytes: Option<f64>,
    /// Critical when the database is larger. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    database_critical_bytes: Option<f64>,
    /// Warning when the database grows by more in a day. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    growth_warning_bytes_per_day: Option<f64>,
    /// Critical when the database grows by more in a day. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    growth_critical_bytes_per_day: Option<f64>,
    /// Warning when the database grows by a larger part of its size in a day, and by 1 GiB or more. Judged over a whole day.
    #[serde(default = "default_growth_warning_ratio_per_day")]
    #[schemars(range(min = 0))]
    growth_warning_ratio_per_day: f64,
}

fn default_growth_warning_ratio_per_day() -> f64 {
    0.5
}

pub(crate) struct Size;

/// The size at one time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    at_ms: u64,
    bytes: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Growth {
    bytes_per_day: f64,
    /// Once there is a whole day of readings: an hour's import is no day's growth.
    ratio_per_day: Option<f64>,
}

impl Check for Size {
    const NAME: &'static str = "size";
    const SUMMARY: &'static str = "How large the database is, how fast it grows, and its largest tables";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main", "database_warning_bytes": 50_000_000_000_u64 })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads the size of the database and its tables", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("database_bytes", "bytes", "size of the source's database"),
            MetricInfo::gauge("growth_bytes_per_day", "bytes", "by which it grows, negative when it shrinks; after an hour of readings"),
            MetricInfo::gauge("growth_ratio_per_day", "ratio", "by which part of its size it grows; after a day of readings"),
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
        let answers = postgres::source(&config.source).query_many(&[(DATABASE, &[]), (TABLES, &[])]).map_err(explained)?;
        let [database, tables] = answers.as_slice() else { return Err(Error::internal("two statements have two answers")) };
        let database = database.only()?;
        let (name, bytes) = (database.text("database")?, database.number("bytes")?);
        let of = format!("{} {name}", config.source);
        let now = Reading { at_ms: clock::now_ms(), bytes };
        let readings = advanced(trend::earlier(STATE_KEY, &of).map(|mark| mark.noted).unwrap_or_default(), now);
        let growth = readings.first().and_then(|oldest| Growth::between(*oldest, now));
        trend::keep(STATE_KEY, &of, now.at_ms, &readings)?;
        let tables = tables.iter().map(table).collect::<Result<Vec<Value>, Error>>()?;
        Ok(judge(config, name, bytes, growth).details(&json!({ "largest_tables": tables })))
    }
}

/// One reading an hour, and of those that are a day old or more the youngest. What is to come was read before the clock was set back.
fn advanced(mut readings: Vec<Reading>, now: Reading) -> Vec<Reading> {
    readings.retain(|reading| reading.at_ms <= now.at_ms);
    if readings.last().is_none_or(|last| now.at_ms - last.at_ms >= HOUR_MS) {
        readings.push(now);
    }
    let is_old = |reading: &Reading| now.at_ms - reading.at_ms >= DAY_MS;
    let young = readings.iter().position(|reading| !is_old(reading)).unwrap_or(readings.len());
    readings.drain(..young.saturating_sub(1));
    readings
}

impl Growth {
    /// None where it is too short to judge.
    fn between(oldest: Reading, now: Reading) -> Option<Growth> {
        let elapsed_ms = now.at_ms.checked_sub(oldest.at_ms).filter(|elapsed_ms| *elapsed_ms >= HOUR_MS)?;
        let bytes_per_day = (now.bytes - oldest.bytes) * DAY_MS as f64 / elapsed_ms as f64;
        let ratio_per_day = (elapsed_ms >= DAY_MS).then(|| ratio(bytes_per_day, oldest.bytes));
        Some(Growth { bytes_per_day, ratio_per_day })
    }
}

fn table(row: Row<'_>) -> Result<Value, Error> {
    Ok(json!({ "table": row.text("name")?, "bytes": row.number("bytes")? }))
}

fn judge(config: &Config, name: &str, bytes: f64, growth: Option<Growth>) -> Report {
    let told = format!("{name} takes {}", binary_size(bytes));
    let report = Report::ok(told.clone()).metric("database_bytes", bytes, "bytes");
    let (warning, critical) = (config.database_warning_bytes, config.database_critical_bytes);
    let limit = Limit { metric: "database_bytes", unit: "bytes", failure: "capacity", warning, critical };
    let report = limit.at_most(report, bytes, || told);
    let Some(Growth { bytes_per_day, ratio_per_day }) = growth else { return report };
    let (warning, critical) = (config.growth_warning_bytes_per_day, config.growth_critical_bytes_per_day);
    let limit = Limit { metric: "growth_bytes_per_day", unit: "bytes", failure: "capacity", warning, critical };
    let report = limit.at_most(report.metric("growth_bytes_per_day", bytes_per_day, "bytes"), bytes_per_day, || {
        format!("{name} grows by {} a day", binary_size(bytes_per_day))
    });
    let Some(ratio_per_day) = ratio_per_day else { return report };
    let warning = Some(config.growth_warning_ratio_per_day).filter(|_| bytes_per_day >= LEAP_BYTES_MIN);
    let limit = Limit { metric: "growth_ratio_per_day", unit: "ratio", failure: "capacity", warning, critical: None };
    limit.at_most(report.metric("growth_ratio_per_day", ratio_per_day, "ratio"), ratio_per_day, || {
        format!("{name} grew by {} in a day, {}", percent(ratio_per_day), binary_size(bytes_per_day))
    })
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, row, rows};

    use super::*;

    const GIB: i64 = 1 << 30;

    fn run(host: &mut FakeHost, bytes: i64) -> Report {
        host.rows.push_back(Ok(row(&[("database", "app".into()), ("bytes", bytes.into())])));
        host.rows.push_back(Ok(rows(&["name", "bytes"], vec![vec!["public.orders".into(), 1e9.into()]])));
        let config = json!({
            "source": "main",
            "database_warning_bytes": 10 * GIB,
            "database_critical_bytes": 20 * GIB,
            "growth_warning_bytes_per_day": 2 * GIB,
        });
        let report = host.run::<Size>(config).expect("a report");
        assert_as_described::<Size>(&report);
        report
    }

    #[test]
    fn a_database_that_is_too_large_is_told_until_it_shrinks() {
        let mut host = FakeHost::default();
        let mut status = |bytes| run(&mut host, bytes).status;
        assert_eq!(
            [status(10 * GIB), status(11 * GIB), status(21 * GIB), status(GIB)],
            [Status::Ok, Status::Warning, Status::Critical, Status::Ok]
        );
        let report = run(&mut host, 11 * GIB);
        assert_eq!((report.summary.as_str(), report.failure.as_deref()), ("app takes 11.0 GiB", Some("capacity")));
        assert!(report.details.expect("details").contains("public.orders"));
    }

    #[test]
    fn growth_is_measured_over_a_day_and_not_before_an_hour() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, GIB).metrics.len(), 1);
        host.now_ms += HOUR_MS - 1;
        assert_eq!(run(&mut host, 5 * GIB).status, Status::Ok);
        host.now_ms += 1;
        let report = run(&mut host, 2 * GIB);
        assert_eq!((report.status, report.summary.as_str()), (Status::Warning, "app grows by 24.0 GiB a day"));
        for _ in 0..48 {
            host.now_ms += HOUR_MS;
            run(&mut host, 2 * GIB);
        }
        assert_eq!(run(&mut host, 2 * GIB).metrics[1].value, 0.0);
        assert_eq!(run(&mut host, GIB).metrics[1].value, -(GIB as f64));
    }

    #[test]
    fn without_limits_a_leap_in_a_whole_day_is_told() {
        let of = |host: &mut FakeHost, bytes: i64| {
            host.rows.push_back(Ok(row(&[("database", "app".into()), ("bytes", bytes.into())])));
            host.rows.push_back(Ok(rows(&["name", "bytes"], Vec::new())));
            let report = host.run::<Size>(json!({ "source": "main" })).expect("a report");
            assert_as_described::<Size>(&report);
            report
        };
        let after = |hours: u64, before: i64, bytes: i64| {
            let mut host = FakeHost::default();
            assert_eq!(of(&mut host, before).status, Status::Ok);
            host.now_ms += hours * HOUR_MS;
            of(&mut host, bytes)
        };
        assert_eq!(after(23, 4 * GIB, 8 * GIB).status, Status::Ok);
        assert_eq!(after(24, 4 * GIB, 6 * GIB).status, Status::Ok);
        assert_eq!(after(24, GIB / 4, GIB).status, Status::Ok);
        let leap = after(24, 4 * GIB, 7 * GIB);
        assert_eq!((leap.status, leap.summary.as_str()), (Status::Warning, "app grew by 75 % in a day, 3.0 GiB"));
    }

    #[test]
    fn readings_are_one_an_hour_and_reach_back_a_day() {
        let reading = |hours: u64| Reading { at_ms: hours * HOUR_MS, bytes: 0.0 };
        let hours = |readings: &[Reading]| readings.iter().map(|reading| reading.at_ms / HOUR_MS).collect::<Vec<_>>();
        let all = (0..100).fold(Vec::new(), |readings, hour| advanced(readings, reading(hour)));
        assert_eq!(hours(&all), (75..100).collect::<Vec<u64>>());
        assert_eq!(hours(&advanced(all.clone(), reading(99))), (75..100).collect::<Vec<u64>>());
        assert_eq!(hours(&advanced(all.clone(), reading(500))), [99, 500]);
        assert_eq!(hours(&advanced(all, reading(80))), (75..81).collect::<Vec<u64>>());
    }
}
