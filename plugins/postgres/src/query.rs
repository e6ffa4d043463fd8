//! `query`: any statement that reads; the value that it answers becomes a metric and is judged.
//!
//! Without `label_columns` the first row counts. With them every row does: it has a series of its own, told apart by these columns, and of
//! rows that are equally bad the first one speaks. A truth is 1 or 0, an interval its seconds, a time its seconds since 1970.

use std::collections::BTreeSet;

use serde::Serialize;
use sickbay_sdk::limit::counted;
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::{READ_GRANT, hinted};

/// They stay, with the number of rows, below the host's 64 series for one check. All rows are judged.
const SERIES_MAX: usize = 60;
const PARAMETERS_MAX: usize = 256;
const LABEL_COLUMNS_MAX: usize = 8;
/// What the host takes, and names that it keeps for itself.
const NAME_BYTES_MAX: usize = 64;
const LABELS_RESERVED: [&str; 4] = ["check", "metric", "le", "quantile"];
/// What is shown of a value, also in a label.
const SHOWN_CHARS_MAX: usize = 100;
const US_PER_SECOND: f64 = 1_000_000.0;
const SELECT_HINT: &str = "hint: GRANT SELECT ON what the statement reads TO the role of the source";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// One statement that reads: SELECT, VALUES, TABLE or WITH.
    #[schemars(length(min = 1, max = 65536))]
    sql: String,
    /// What stands for $1, $2, ... in it: texts, numbers and truths.
    #[serde(default)]
    #[schemars(length(max = 256))]
    params: Vec<Value>,
    /// Column that holds the value. Absent: the first one.
    #[serde(default)]
    value_column: Option<String>,
    /// Columns that tell the rows apart.
    #[serde(default)]
    #[schemars(length(max = 8))]
    label_columns: Vec<String>,
    /// Name of the metric, after "value_". Absent: the metric is "value".
    #[serde(default)]
    metric: Option<String>,
    /// Base unit of the value. Absent: it has none.
    #[serde(default)]
    unit: Option<Unit>,
    /// What the value is called in the summary. Absent: as its column.
    #[serde(default)]
    summary: Option<String>,
    /// Critical unless the value is this text.
    #[serde(default)]
    expect: Option<String>,
    /// Warning when the value is larger.
    #[serde(default)]
    warning_above: Option<f64>,
    /// Critical when the value is larger.
    #[serde(default)]
    critical_above: Option<f64>,
    /// Warning when the value is smaller.
    #[serde(default)]
    warning_below: Option<f64>,
    /// Critical when the value is smaller.
    #[serde(default)]
    critical_below: Option<f64>,
    /// What it means when no row comes.
    #[serde(default)]
    no_rows: NoRows,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Unit {
    Seconds,
    Bytes,
    Ratio,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum NoRows {
    Ok,
    Warning,
    #[default]
    Critical,
    Unknown,
}

pub(crate) struct Query;

/// Why a value is not well.
struct Finding {
    status: Status,
    failure: &'static str,
    summary: String,
    actual: String,
    expected: String,
}

impl Check for Query {
    const NAME: &'static str = "query";
    const SUMMARY: &'static str = "Runs one statement that reads and judges its answer";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main", "sql": "SELECT count(*) AS sessions FROM pg_stat_activity", "warning_above": 1000 })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "runs the statement, which only reads", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("value", "", "the value, where it is a number, in the unit that the configuration names"),
            MetricInfo::gauge("value_*", "", "the same under the name that the configuration gives it"),
            MetricInfo::gauge("rows", "", "rows that came"),
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
        let metric = config.metric_name()?;
        config.check_labels()?;
        if config.params.len() > PARAMETERS_MAX {
            return Err(Error::configuration(format!("at most {PARAMETERS_MAX} params")));
        }
        let params = config.params.iter().map(parameter).collect::<Result<Vec<postgres::Value>, Error>>()?;
        let rows = postgres::source(&config.source).query(&config.sql, &params).map_err(|error| hinted(error, SELECT_HINT))?;
        judge(config, &metric, &rows)
    }
}

impl Config {
    fn metric_name(&self) -> Result<String, Error> {
        let Some(metric) = &self.metric else { return Ok("value".to_owned()) };
        let name = format!("value_{metric}");
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if !metric.is_empty() && name.len() <= NAME_BYTES_MAX && metric.bytes().all(is_letter) {
            Ok(name)
        } else {
            Err(Error::configuration(format!("{metric:?} is no name for a metric: a-z, 0-9 and _, at most 58")))
        }
    }

    fn check_labels(&self) -> Result<(), Error> {
        if self.label_columns.len() > LABEL_COLUMNS_MAX {
            return Err(Error::configuration(format!("at most {LABEL_COLUMNS_MAX} label_columns")));
        }
        for (index, name) in self.label_columns.iter().enumerate() {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            let is_name = (1..=NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(is_letter)
                && !name.starts_with(|first: char| first.is_ascii_digit());
            let is_free =
                !LABELS_RESERVED.contains(&name.as_str()) && !name.starts_with("__") && !self.label_columns[..index].contains(name);
            if !is_name || !is_free {
                return Err(Error::configuration(format!(
                    "{name:?} cannot be a label: reserved, there twice, or not of a-z, 0-9 and _; hint: rename the column with AS"
                )));
            }
        }
        Ok(())
    }

    /// What the value is called, and in which row it stands.
    fn subject(&self, column: &str, labels: &[String]) -> String {
        let name = self.summary.as_deref().unwrap_or(column);
        if labels.is_empty() { name.to_owned() } else { format!("{name} of {}", labels.join(", ")) }
    }

    fn has_limit(&self) -> bool {
        [self.warning_above, self.critical_above, self.warning_below, self.critical_below].iter().any(Option::is_some)
    }
}

fn parameter(value: &Value) -> Result<postgres::Value, Error> {
    Ok(match value {
        Value::Null => postgres::Value::Null,
        Value::Bool(is_so) => postgres::Value::Boolean(*is_so),
        Value::String(text) => postgres::Value::Text(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => postgres::Value::Int(whole),
            (None, Some(float)) if number.is_f64() => postgres::Value::Float(float),
            _ => postgres::Value::Numeric(number.to_string()),
        },
        Value::Array(_) | Value::Object(_) => return Err(Error::configuration("a parameter is a text, a number or a truth")),
    })
}

fn judge(config: &Config, metric: &str, rows: &Rows) -> Result<Report, Error> {
    let column = value_column(config, rows)?;
    let mut report = Report::ok("").metric("rows", rows.len() as f64, "");
    let Some(first) = rows.first() else { return Ok(without_rows(config, report)) };
    let is_labelled = !config.label_columns.is_empty();
    if is_labelled && rows.truncated {
        return Err(Error::quota("more rows came than are let in; hint: a LIMIT in the statement, or a larger rows_max in the grant"));
    }
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for (index, row) in rows.iter().take(if is_labelled { rows.len() } else { 1 }).enumerate() {
        let value = row.value(column)?;
        let labels = labels(config, &row)?;
        findings.extend(findings_in(config, &config.subject(column, &labels), value));
        if let Some(number) = number(value)
            && index < SERIES_MAX
        {
            let pairs: Vec<(&str, &str)> = config.label_columns.iter().map(String::as_str).zip(labels.iter().map(String::as_str)).collect();
            report = report.labelled(metric, number, unit(config), &pairs);
            if !told.insert(labels) {
                return Err(Error::configuration("two rows have the same labels; hint: GROUP BY the label_columns, or name more of them"));
            }
        }
    }
    report.summary = if is_labelled {
        format!("{}: {}", config.subject(column, &[]), counted(rows.len() as f64, "row"))
    } else {
        format!("{}: {}", config.subject(column, &[]), shown(first.value(column)?))
    };
    Ok(with_findings(config, metric, report, findings))
}

fn value_column<'rows>(config: &'rows Config, rows: &'rows Rows) -> Result<&'rows str, Error> {
    let known = |name: &str| rows.columns.iter().any(|column| column.name == name);
    if let Some(missing) = config.value_column.iter().chain(&config.label_columns).find(|name| !known(name.as_str())) {
        return Err(Error::configuration(format!("the statement answers no column {missing}")));
    }
    let first = rows.columns.first().map(|column| column.name.as_str());
    config.value_column.as_deref().or(first).ok_or_else(|| Error::configuration("the statement answers no column"))
}

fn without_rows(config: &Config, report: Report) -> Report {
    let summary = format!("no row came for {}", config.summary.as_deref().unwrap_or("the statement"));
    let wrong = |report: Report| report.evidence("rows", 0, "at least 1", "");
    match config.no_rows {
        NoRows::Ok => Report { summary, ..report },
        NoRows::Warning => wrong(report).warning("content", summary),
        NoRows::Critical => wrong(report).critical("content", summary),
        NoRows::Unknown => Report { status: Status::Unknown, summary, ..report },
    }
}

fn findings_in(config: &Config, subject: &str, value: &postgres::Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |status, failure, expected: String| {
        let actual = shown(value);
        let summary = format!("{subject} is {actual}, expected {expected}");
        findings.push(Finding { status, failure, summary, actual, expected });
    };
    if let Some(expect) = &config.expect
        && text(value) != *expect
    {
        find(Status::Critical, "content", expect.clone());
    }
    let Some(number) = number(value) else {
        if config.has_limit() {
            find(Status::Critical, "content", "a number".to_owned());
        }
        return findings;
    };
    let above = |limit: Option<f64>| limit.filter(|limit| number > *limit).map(|limit| format!("at most {limit}"));
    let below = |limit: Option<f64>| limit.filter(|limit| number < *limit).map(|limit| format!("at least {limit}"));
    if let Some(expected) = above(config.critical_above).or_else(|| below(config.critical_below)) {
        find(Status::Critical, "capacity", expected);
    } else if let Some(expected) = above(config.warning_above).or_else(|| below(config.warning_below)) {
        find(Status::Warning, "capacity", expected);
    }
    findings
}

/// Critical ones first: only the first few have room in a report.
fn with_findings(config: &Config, metric: &str, mut report: Report, mut findings: Vec<Finding>) -> Report {
    findings.sort_by_key(|finding| finding.status != Status::Critical);
    for Finding { status, failure, summary, actual, expected } in findings {
        report = report.evidence(metric, actual, expected, unit(config));
        report = if status == Status::Critical { report.critical(failure, summary) } else { report.warning(failure, summary) };
    }
    report
}

fn labels(config: &Config, row: &Row<'_>) -> Result<Vec<String>, Error> {
    config.label_columns.iter().map(|column| row.value(column).map(shown)).collect()
}

fn unit(config: &Config) -> &'static str {
    match config.unit {
        None => "",
        Some(Unit::Seconds) => "seconds",
        Some(Unit::Bytes) => "bytes",
        Some(Unit::Ratio) => "ratio",
    }
}

fn number(value: &postgres::Value) -> Option<f64> {
    match value {
        postgres::Value::Boolean(is_so) => Some(f64::from(u8::from(*is_so))),
        postgres::Value::IntervalUs(us) | postgres::Value::TimestampUs(us) => Some(*us as f64 / US_PER_SECOND),
        value => value.number(),
    }
}

fn text(value: &postgres::Value) -> String {
    match value {
        postgres::Value::Null => "NULL".to_owned(),
        postgres::Value::Boolean(is_so) => is_so.to_string(),
        postgres::Value::Int(whole) => whole.to_string(),
        postgres::Value::Float(float) => float.to_string(),
        postgres::Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        value => value.text().map_or_else(|| number(value).unwrap_or_default().to_string(), str::to_owned),
    }
}

/// On one line.
fn shown(value: &postgres::Value) -> String {
    text(value).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Failure;
    use sickbay_sdk::postgres::Value as Cell;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, refused, row, rows};

    use super::*;

    fn answer(host: &mut FakeHost, extra: Value) -> Result<Report, Failure> {
        let mut config = json!({ "source": "main", "sql": "SELECT n FROM t" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        host.run::<Query>(config)
    }

    fn run(extra: Value, rows: Rows) -> Report {
        let report = answer(&mut FakeHost::default().postgres(Ok(rows)), extra).expect("a report");
        assert_as_described::<Query>(&report);
        report
    }

    fn failure(extra: Value, rows: Rows) -> String {
        answer(&mut FakeHost::default().postgres(Ok(rows)), extra).expect_err("a failure").kind
    }

    fn one(value: Cell) -> Rows {
        row(&[("n", value)])
    }

    fn values(report: &Report) -> Vec<f64> {
        report.metrics.iter().filter(|metric| metric.name.starts_with("value")).map(|metric| metric.value).collect()
    }

    /// Queue, state, length.
    fn queues(told: &[(&str, &str, i64)]) -> Rows {
        let row = |(queue, state, length): &(&str, &str, i64)| vec![(*queue).into(), (*state).into(), (*length).into()];
        rows(&["queue", "state", "length"], told.iter().map(row).collect())
    }

    #[test]
    fn a_number_is_judged_from_both_sides_and_recovers() {
        let limits = || json!({ "warning_above": 5, "critical_above": 9, "warning_below": 2, "critical_below": 1 });
        let status = |number: i64| run(limits(), one(number.into())).status;
        assert_eq!([status(5), status(6), status(10), status(5)], [Status::Ok, Status::Warning, Status::Critical, Status::Ok]);
        assert_eq!([status(2), status(1), status(0), status(2)], [Status::Ok, Status::Warning, Status::Critical, Status::Ok]);
        let report = run(json!({ "critical_above": 9, "summary": "stuck orders" }), one(10.into()));
        assert_eq!((report.failure.as_deref(), report.summary.as_str()), (Some("capacity"), "stuck orders is 10, expected at most 9"));
        assert_eq!(run(json!({ "summary": "stuck orders" }), one(10.into())).summary, "stuck orders: 10");
    }

    #[test]
    fn a_table_that_the_role_may_not_read_tells_the_right_to_grant() {
        let mut host = FakeHost::default().postgres(Err(refused("42501", "permission denied for table t")));
        let failure = answer(&mut host, json!({})).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
        assert!(failure.message.starts_with("permission denied for table t; hint: GRANT SELECT ON "), "{}", failure.message);
    }

    #[test]
    fn what_stands_for_a_number_is_one() {
        let value = |cell| values(&run(json!({}), one(cell)));
        assert_eq!(value(Cell::Numeric("1.5".into())), [1.5]);
        assert_eq!(value(true.into()), [1.0]);
        assert_eq!(value(Cell::IntervalUs(2_500_000)), [2.5]);
        assert_eq!(value(Cell::TimestampUs(7_000_000)), [7.0]);
        assert_eq!(value("7".into()), [7.0]);
        assert_eq!(value(Cell::Null), [0.0; 0]);
    }

    #[test]
    fn where_a_number_is_asked_for_nothing_else_will_do() {
        let report = run(json!({ "critical_above": 9 }), one(Cell::Null));
        assert_eq!((report.failure.as_deref(), report.summary.as_str()), (Some("content"), "n is NULL, expected a number"));
        assert_eq!(run(json!({ "critical_above": 9 }), one("many".into())).status, Status::Critical);
        assert_eq!(run(json!({}), one("many".into())).status, Status::Ok);
    }

    #[test]
    fn a_text_is_compared_whole() {
        let status = |value: Cell| run(json!({ "expect": "on" }), one(value)).status;
        assert_eq!([status("on".into()), status("off".into()), status(Cell::Null)], [Status::Ok, Status::Critical, Status::Critical]);
        assert_eq!(run(json!({ "expect": "true" }), one(true.into())).status, Status::Ok);
        assert_eq!(run(json!({ "expect": "3" }), one(3.into())).status, Status::Ok);
    }

    #[test]
    fn no_rows_mean_what_the_configuration_says() {
        let status = |no_rows: &str| run(json!({ "no_rows": no_rows }), rows(&["n"], Vec::new())).status;
        assert_eq!([status("ok"), status("warning")], [Status::Ok, Status::Warning]);
        assert_eq!([status("critical"), status("unknown")], [Status::Critical, Status::Unknown]);
        let report = run(json!({}), rows(&["n"], Vec::new()));
        assert_eq!((report.failure.as_deref(), report.summary.as_str()), (Some("content"), "no row came for the statement"));
    }

    #[test]
    fn each_row_has_a_series_and_the_worst_one_speaks() {
        let config = || json!({ "value_column": "length", "label_columns": ["queue"], "warning_above": 5, "critical_above": 50 });
        let report = run(config(), queues(&[("mail", "open", 6), ("print", "open", 60), ("scan", "open", 1)]));
        assert_eq!((report.status, report.summary.as_str()), (Status::Critical, "length of print is 60, expected at most 50"));
        assert_eq!((values(&report), report.evidence.len()), (vec![6.0, 60.0, 1.0], 2));
        assert_eq!(report.evidence[0].actual, "60");
        let report = run(config(), queues(&[("mail", "open", 1), ("print", "open", 2)]));
        assert_eq!((report.status, report.summary.as_str()), (Status::Ok, "length: 2 rows"));
    }

    #[test]
    fn without_labels_only_the_first_row_counts() {
        let report = run(json!({ "value_column": "length", "warning_above": 5 }), queues(&[("mail", "open", 1), ("print", "open", 60)]));
        assert_eq!((report.status, values(&report)), (Status::Ok, vec![1.0]));
    }

    #[test]
    fn series_are_bounded_and_all_rows_are_judged() {
        let many: Vec<Vec<Cell>> = (0..80).map(|number| vec![Cell::Int(number), format!("queue {number}").into()]).collect();
        let report = run(json!({ "label_columns": ["queue"], "critical_above": 78 }), rows(&["n", "queue"], many));
        assert_eq!((report.status, report.metrics.len()), (Status::Critical, SERIES_MAX + 1));
        assert_eq!(report.summary, "n of queue 79 is 79, expected at most 78");
    }

    #[test]
    fn rows_that_cannot_be_told_apart_or_do_not_all_come_are_a_failure() {
        let labelled = || json!({ "value_column": "length", "label_columns": ["queue"] });
        let twice = [("mail", "open", 1), ("mail", "closed", 2)];
        assert_eq!(failure(labelled(), queues(&twice)), "configuration");
        let both = json!({ "value_column": "length", "label_columns": ["queue", "state"] });
        assert_eq!(run(both, queues(&twice)).status, Status::Ok);
        let cut = Rows { truncated: true, ..queues(&[("mail", "open", 1)]) };
        assert_eq!(failure(labelled(), cut), "quota");
    }

    #[test]
    fn names_that_the_host_or_the_statement_does_not_know_are_refused() {
        for extra in [
            json!({ "label_columns": ["metric"] }),
            json!({ "label_columns": ["__x"] }),
            json!({ "label_columns": ["a b"] }),
            json!({ "label_columns": ["1a"] }),
            json!({ "label_columns": ["n", "n"] }),
            json!({ "label_columns": ["absent"] }),
            json!({ "value_column": "absent" }),
            json!({ "metric": "Orders" }),
            json!({ "metric": "" }),
            json!({ "params": [[1]] }),
        ] {
            assert_eq!(failure(extra.clone(), one(1.into())), "configuration", "{extra}");
        }
    }

    #[test]
    fn parameters_go_beside_the_statement_with_their_types() {
        let mut host = FakeHost::default().postgres(Ok(one(1.into())));
        answer(&mut host, json!({ "params": ["a'b", 7, 1.5, true, null, u64::MAX] })).expect("a report");
        let [query] = host.queries.as_slice() else { panic!("{} statements", host.queries.len()) };
        assert_eq!(query.sql, "SELECT n FROM t");
        let large = Cell::Numeric("18446744073709551615".into());
        assert_eq!(query.params, ["a'b".into(), Cell::Int(7), 1.5.into(), true.into(), Cell::Null, large]);
    }

    #[test]
    fn the_metric_has_the_name_and_unit_of_the_configuration() {
        let extra = json!({ "metric": "backlog", "unit": "seconds" });
        let report = answer(&mut FakeHost::default().postgres(Ok(one(3.into()))), extra).expect("a report");
        let metric = report.metrics.last().expect("a metric");
        assert_eq!((metric.name.as_str(), metric.unit.as_str()), ("value_backlog", "seconds"));
        assert_eq!(run(json!({ "metric": "backlog" }), one(3.into())).status, Status::Ok);
    }
}
