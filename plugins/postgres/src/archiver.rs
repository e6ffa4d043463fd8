//! `archiver`: whether WAL reaches the archive, and how much of the past would be lost with the server.
//!
//! The age of the last archived segment counts only while newer WAL waits: an idle server archives nothing. What waits is what was written
//! behind the end of the last archived segment, which its name tells.
//!
//! Limits: less than 1 KiB counts as nothing, for an idle server writes that much of itself; so a lone small transaction may wait unseen.

use sickbay_sdk::limit::{Limit, binary_size, span};
use sickbay_sdk::postgres::Row;
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, ask};

/// A checkpoint's own records and the head of a segment.
const IDLE_WAL_BYTES: f64 = 1024.0;
/// Timeline, then the high and the low part of the segment's number: 8 hexadecimal digits each.
const SEGMENT_NAME_DIGITS: usize = 24;
/// The low part of a segment's number counts segments within this many bytes.
const LOG_BYTES: f64 = 4_294_967_296.0;

const STATEMENT: &str = "\
    SELECT pg_is_in_recovery() AS is_standby, \
           current_setting('archive_mode') AS archive_mode, \
           pg_size_bytes(current_setting('wal_segment_size'))::float8 AS segment_bytes, \
           pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, '0/0')::float8 \
               AS written_bytes, \
           archived_count, failed_count, last_archived_wal, last_failed_wal, \
           extract(epoch FROM now() - coalesce(last_archived_time, pg_postmaster_start_time()))::float8 AS age_seconds, \
           coalesce(last_failed_time > last_archived_time, last_failed_time IS NOT NULL) AS is_failing \
    FROM pg_stat_archiver";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when WAL waits and the last segment was archived longer ago.
    #[serde(default = "default_warning_seconds")]
    #[schemars(range(min = 0))]
    warning_seconds: f64,
    /// Critical when WAL waits and the last segment was archived longer ago.
    #[serde(default = "default_critical_seconds")]
    #[schemars(range(min = 0))]
    critical_seconds: f64,
    /// It is well when the server archives nothing (archive_mode = off).
    #[serde(default)]
    expect_off: bool,
}

fn default_warning_seconds() -> f64 {
    600.0
}

/// A recovery point of 15 minutes.
fn default_critical_seconds() -> f64 {
    900.0
}

pub(crate) struct Archiver;

impl Check for Archiver {
    const NAME: &'static str = "archiver";
    const SUMMARY: &'static str = "Whether WAL reaches the archive, and how old the last of it is";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads the state of the archiver", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("archiving", "", "1 while the server archives, 0 where that is off"),
            MetricInfo::counter("archived_segments", "", "segments archived since the statistics were reset"),
            MetricInfo::counter("failed_attempts", "", "attempts that failed since the statistics were reset"),
            MetricInfo::gauge("failing", "", "1 when the last attempt failed"),
            MetricInfo::gauge("archived_age_seconds", "seconds", "since a segment was archived; since the start of the server without any"),
            MetricInfo::gauge("waiting_bytes", "bytes", "WAL that is not archived; absent where the last file was no segment"),
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
            "archive",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let rows = ask(&request.config.source, STATEMENT, &[])?;
        judge(&request.config, &rows.only()?)
    }
}

fn judge(config: &Config, row: &Row<'_>) -> Result<Report, Error> {
    let mode = row.text("archive_mode")?;
    if mode == "off" {
        return if config.expect_off {
            Ok(Report::ok("the server archives nothing").metric("archiving", 0.0, ""))
        } else {
            Err(Error::configuration("the server archives nothing (archive_mode is off); hint: expect_off = true where that is meant"))
        };
    }
    if row.boolean("is_standby")? && mode != "always" {
        return Ok(Report::unknown(format!("the server is a standby, which archives nothing while archive_mode is {mode}")));
    }
    let age = row.number("age_seconds")?.max(0.0);
    let is_failing = row.boolean("is_failing")?;
    let waiting = waiting_bytes(row)?;
    let mut report = Report::ok(format!("a segment was archived {} ago", span(age)))
        .metric("archiving", 1.0, "")
        .counter("archived_segments", row.number("archived_count")?, "")
        .counter("failed_attempts", row.number("failed_count")?, "")
        .metric("failing", f64::from(u8::from(is_failing)), "")
        .metric("archived_age_seconds", age, "seconds");
    if let Some(waiting) = waiting {
        report = report.metric("waiting_bytes", waiting, "bytes");
    }
    if is_failing {
        let file = row.optional_text("last_failed_wal")?.unwrap_or("a file");
        report = report.evidence("failing", 1, 0, "").critical("archive", format!("archiving {file} failed"));
    }
    if waiting.is_some_and(|waiting| waiting < IDLE_WAL_BYTES) {
        return Ok(report);
    }
    let (warning, critical) = (Some(config.warning_seconds), Some(config.critical_seconds));
    let limit = Limit { metric: "archived_age_seconds", unit: "seconds", failure: "archive", warning, critical };
    Ok(limit.at_most(report, age, || {
        let waiting = waiting.map_or_else(|| "WAL".to_owned(), |waiting| format!("{} of WAL", binary_size(waiting)));
        format!("nothing was archived for {}, and {waiting} waits", span(age))
    }))
}

/// What was written behind the last archived segment. None where no position is known.
fn waiting_bytes(row: &Row<'_>) -> Result<Option<f64>, Error> {
    let segment_bytes = row.number("segment_bytes")?;
    let written = row.optional_number("written_bytes")?;
    let archived = row.optional_text("last_archived_wal")?.and_then(|name| end_of_segment(name, segment_bytes));
    Ok(written.zip(archived).map(|(written, archived)| (written - archived).max(0.0)))
}

/// Where the segment of that name ends, in bytes from the beginning of all WAL. What ends with `.backup` or `.partial` is of the segment
/// with whose name it begins; a history of timelines is of none.
fn end_of_segment(name: &str, segment_bytes: f64) -> Option<f64> {
    let digits = name.get(..SEGMENT_NAME_DIGITS)?;
    let number = |part: &str| u32::from_str_radix(part, 16).ok().map(f64::from);
    let (high, low) = (number(digits.get(8..16)?)?, number(digits.get(16..24)?)?);
    Some(high * LOG_BYTES + (low + 1.0) * segment_bytes)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::postgres::{Rows, Value as Cell};
    use sickbay_sdk::testing::{FakeHost, assert_as_described, row};

    use super::*;

    const SEGMENT: f64 = 16_777_216.0;
    const THIRD: &str = "000000010000000000000003";

    /// A primary on which the third segment was archived.
    fn server(age_seconds: f64, waiting_bytes: f64) -> Vec<(&'static str, Cell)> {
        vec![
            ("is_standby", false.into()),
            ("archive_mode", "on".into()),
            ("segment_bytes", SEGMENT.into()),
            ("written_bytes", (4.0 * SEGMENT + waiting_bytes).into()),
            ("archived_count", 3.into()),
            ("failed_count", 0.into()),
            ("last_archived_wal", THIRD.into()),
            ("last_failed_wal", Cell::Null),
            ("age_seconds", age_seconds.into()),
            ("is_failing", false.into()),
        ]
    }

    fn with(mut server: Vec<(&'static str, Cell)>, changes: &[(&'static str, Cell)]) -> Rows {
        for (name, value) in &mut server {
            if let Some((_, changed)) = changes.iter().find(|(changed, _)| changed == name) {
                *value = changed.clone();
            }
        }
        row(&server)
    }

    fn run(answer: Rows) -> Report {
        let report = FakeHost::default().postgres(Ok(answer)).run::<Archiver>(json!({ "source": "main" })).expect("a report");
        assert_as_described::<Archiver>(&report);
        report
    }

    #[test]
    fn the_age_is_judged_while_wal_waits() {
        let status = |age| run(with(server(age, 1e6), &[])).status;
        assert_eq!([status(500.0), status(700.0), status(1_000.0)], [Status::Ok, Status::Warning, Status::Critical]);
        let late = run(with(server(1_000.0, 1e6), &[]));
        assert_eq!(late.summary, "nothing was archived for 16 min 40 s, and 976.6 KiB of WAL waits");
        assert_eq!(late.failure.as_deref(), Some("archive"));
    }

    #[test]
    fn an_idle_server_is_well_however_long_ago_it_archived() {
        let report = run(with(server(100_000.0, 40.0), &[]));
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "a segment was archived 1 d 3 h ago"));
        assert_eq!(run(with(server(100_000.0, -SEGMENT), &[])).status, Status::Ok);
    }

    #[test]
    fn where_the_last_file_was_no_segment_the_age_decides() {
        let status = |age, name: Cell| run(with(server(age, 0.0), &[("last_archived_wal", name)])).status;
        assert_eq!(status(1_000.0, "00000002.history".into()), Status::Critical);
        assert_eq!(status(1_000.0, Cell::Null), Status::Critical);
        assert_eq!(status(10.0, Cell::Null), Status::Ok);
        let backup = format!("{THIRD}.00000028.backup");
        assert_eq!(status(1_000.0, backup.into()), Status::Ok);
    }

    #[test]
    fn an_attempt_that_failed_is_critical_until_one_succeeds() {
        let failing: [(&str, Cell); 3] =
            [("is_failing", true.into()), ("last_failed_wal", "000000010000000000000004".into()), ("failed_count", 7.into())];
        let report = run(with(server(10.0, 1e6), &failing));
        assert_eq!((report.status, report.summary.as_str()), (Status::Critical, "archiving 000000010000000000000004 failed"));
        assert_eq!(run(with(server(10.0, 1e6), &failing[1..])).status, Status::Ok);
    }

    #[test]
    fn archiving_that_is_off_is_a_wrong_configuration_unless_it_is_meant() {
        let off = || Ok(with(server(10.0, 1e6), &[("archive_mode", "off".into())]));
        let failure = FakeHost::default().postgres(off()).run::<Archiver>(json!({ "source": "main" })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
        let config = json!({ "source": "main", "expect_off": true });
        assert_eq!(FakeHost::default().postgres(off()).run::<Archiver>(config).map(|report| report.status), Ok(Status::Ok));
    }

    #[test]
    fn a_standby_is_judged_only_where_it_archives() {
        let standby = |mode: &str| run(with(server(1_000.0, 1e6), &[("is_standby", true.into()), ("archive_mode", mode.into())])).status;
        assert_eq!([standby("on"), standby("always")], [Status::Unknown, Status::Critical]);
    }

    #[test]
    fn the_end_of_a_segment_is_in_its_name() {
        assert_eq!(end_of_segment(THIRD, SEGMENT), Some(4.0 * SEGMENT));
        assert_eq!(end_of_segment("0000000100000002000000FF", SEGMENT), Some(3.0 * LOG_BYTES));
        assert_eq!(end_of_segment("00000002.history", SEGMENT), None);
        assert_eq!(end_of_segment("00000001日本日本日本日本日本日", SEGMENT), None);
    }
}
