//! PostgreSQL by the name of a source, as far as `grants = { postgres = [...] }` allows: a statement, several in one transaction, or one
//! by the simple protocol.
//!
//! The host connects, authenticates and keeps the credentials. Without `access = "read-write"` a statement is a single `SELECT`, `VALUES`,
//! `TABLE` or `WITH` (`SHOW` is no query: `current_setting('...')` tells a setting), and at most `rows_max` rows come.
//!
//! A value is read by the name of its column. One that is absent, or not what was asked for, is an error `content` that names the column.
//!
//! ```
//! # use sickbay_sdk::prelude::*;
//! # fn run() -> Result<Report, Error> {
//! let rows = postgres::source("main").query("SELECT count(*) AS orders FROM orders WHERE state = $1", &["open".into()])?;
//! let orders = rows.only()?.number("orders")?;
//! # Ok(Report::ok("").metric("orders", orders, ""))
//! # }
//! ```

use serde::de::DeserializeOwned;

pub use crate::bindings::sickbay::plugin::postgres::{Column, OtherValue, PostgresError, Query, RowSet as Rows, ServerError, Value};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::postgres as wire;
#[cfg(not(target_family = "wasm"))]
use crate::testing::postgres as wire;

use crate::Error;

/// The failure kinds that a call may end with, by the mapping of errors.
pub const CALL_FAILURES: [&str; 9] =
    ["connection", "authentication", "timeout", "unavailable", "memory", "disk", "too-many-connections", "capacity", "file-system"];

/// SQLSTATEs, or the classes that they begin with, that tell of the server's state, and their failure kinds; the first that fits counts. The
/// SDKs for all languages have this table.
const STATE_FAILURES: [(&str, &str); 9] = [
    ("53100", "disk"),
    ("53200", "memory"),
    ("53300", "too-many-connections"),
    ("57014", "timeout"),
    ("08", "connection"),
    ("28", "authentication"),
    ("53", "capacity"),
    ("57", "unavailable"),
    ("58", "file-system"),
];

const US_PER_SECOND: f64 = 1_000_000.0;

/// A source of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    name: String,
    timeout_ms: Option<u32>,
}

/// The source that the configuration calls so.
pub fn source(name: impl Into<String>) -> Source {
    Source { name: name.into(), timeout_ms: None }
}

impl Source {
    /// Bounds each statement; the source's `statement_timeout` and the run's deadline bound it too.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Source {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// One statement with its parameters (`$1`, `$2`, ...).
    pub fn query(&self, sql: &str, params: &[Value]) -> Result<Rows, PostgresError> {
        wire::run(&self.name, &self.statement(sql, params))
    }

    /// At most 32 statements in one transaction, answers in order: all or none.
    pub fn query_many(&self, statements: &[(&str, &[Value])]) -> Result<Vec<Rows>, PostgresError> {
        let queries: Vec<Query> = statements.iter().map(|(sql, params)| self.statement(sql, params)).collect();
        wire::run_many(&self.name, &queries)
    }

    /// One statement by the simple protocol, every value as text: `SHOW POOLS` of PgBouncer's console.
    pub fn simple(&self, sql: &str) -> Result<Rows, PostgresError> {
        wire::run_simple(&self.name, sql, self.timeout_ms)
    }

    fn statement(&self, sql: &str, params: &[Value]) -> Query {
        Query { sql: sql.to_owned(), params: params.to_vec(), timeout_ms: self.timeout_ms }
    }
}

impl Rows {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|values| Row { columns: &self.columns, values })
    }

    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// The row, where there is exactly one.
    pub fn only(&self) -> Result<Row<'_>, Error> {
        match self.first() {
            Some(row) if self.len() == 1 => Ok(row),
            _ => Err(Error::service("content", format!("the statement answered {} rows, expected one", self.len()))),
        }
    }
}

/// One row: its values by the names of their columns. Of columns with the same name the first one counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'rows> {
    columns: &'rows [Column],
    values: &'rows [Value],
}

impl<'rows> Row<'rows> {
    pub fn value(&self, column: &str) -> Result<&'rows Value, Error> {
        let position = self.columns.iter().position(|one| one.name == column);
        position
            .and_then(|position| self.values.get(position))
            .ok_or_else(|| Error::service("content", format!("the answer has no column {column}")))
    }

    /// A number, also one that came as text.
    pub fn number(&self, column: &str) -> Result<f64, Error> {
        self.read(column, "a number", Value::number)
    }

    /// A number, or none for `NULL`.
    pub fn optional_number(&self, column: &str) -> Result<Option<f64>, Error> {
        self.read_optional(column, "a number", Value::number)
    }

    /// A whole number, also one that came as text.
    pub fn int(&self, column: &str) -> Result<i64, Error> {
        self.read(column, "a whole number", Value::int)
    }

    /// What came as text: also `uuid`, `date`, `time`, `numeric`, JSON, and every type without an arm of its own.
    pub fn text(&self, column: &str) -> Result<&'rows str, Error> {
        self.read(column, "a text", Value::text)
    }

    /// A text, or none for `NULL`.
    pub fn optional_text(&self, column: &str) -> Result<Option<&'rows str>, Error> {
        self.read_optional(column, "a text", Value::text)
    }

    pub fn boolean(&self, column: &str) -> Result<bool, Error> {
        self.read(column, "a boolean", Value::boolean)
    }

    /// A `bytea`.
    pub fn bytes(&self, column: &str) -> Result<&'rows [u8], Error> {
        self.read(column, "a bytea", |value| if let Value::Bytes(bytes) = value { Some(bytes.as_slice()) } else { None })
    }

    /// What a `json`, a `jsonb` or an array says.
    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        self.read(column, "JSON of the expected shape", |value| serde_json::from_str(value.text()?).ok())
    }

    /// An `interval`.
    pub fn seconds(&self, column: &str) -> Result<f64, Error> {
        self.read(column, "an interval", Value::seconds)
    }

    /// An `interval`, or none for `NULL`.
    pub fn optional_seconds(&self, column: &str) -> Result<Option<f64>, Error> {
        self.read_optional(column, "an interval", Value::seconds)
    }

    /// A `timestamp` or `timestamptz`, in microseconds since 1970.
    pub fn timestamp_us(&self, column: &str) -> Result<i64, Error> {
        self.read(column, "a timestamp", |value| if let Value::TimestampUs(us) = value { Some(*us) } else { None })
    }

    fn read<T>(&self, column: &str, what: &str, read: impl FnOnce(&'rows Value) -> Option<T>) -> Result<T, Error> {
        let value = self.value(column)?;
        let is_null = matches!(value, Value::Null);
        read(value).ok_or_else(|| {
            let found = if is_null { "NULL, expected " } else { "not " };
            Error::service("content", format!("the column {column} is {found}{what}"))
        })
    }

    fn read_optional<T>(&self, column: &str, what: &str, read: impl FnOnce(&'rows Value) -> Option<T>) -> Result<Option<T>, Error> {
        match self.value(column)? {
            Value::Null => Ok(None),
            _ => self.read(column, what, read).map(Some),
        }
    }
}

impl Value {
    /// A number, also one that came as text; none of what is not finite.
    pub fn number(&self) -> Option<f64> {
        let number = match self {
            Value::Int(number) => *number as f64,
            Value::Float(number) => *number,
            Value::Numeric(text) | Value::Text(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        Some(number).filter(|number| number.is_finite())
    }

    /// A whole number, also one that came as text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Numeric(text) | Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// What came as text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Numeric(text)
            | Value::Text(text)
            | Value::Json(text)
            | Value::Uuid(text)
            | Value::Date(text)
            | Value::Time(text)
            | Value::ListJson(text) => Some(text),
            Value::Other(other) => Some(&other.text),
            Value::Null | Value::Boolean(_) | Value::Int(_) | Value::Float(_) | Value::Bytes(_) => None,
            Value::TimestampUs(_) | Value::IntervalUs(_) => None,
        }
    }

    /// A boolean, also one that came as text.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Value::Boolean(is_so) => Some(*is_so),
            Value::Text(text) => match text.as_str() {
                "t" | "true" | "on" => Some(true),
                "f" | "false" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The seconds of an interval.
    pub fn seconds(&self) -> Option<f64> {
        if let Value::IntervalUs(us) = self { Some(*us as f64 / US_PER_SECOND) } else { None }
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Value {
        Value::Boolean(is_so)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Int(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl PostgresError {
    /// The server's code for what it refused: `42P01` where a table is not there.
    pub fn sqlstate(&self) -> Option<&str> {
        if let PostgresError::Server(error) = self { Some(&error.sqlstate) } else { None }
    }
}

/// What the server refused: its state is the service's, everything else the statement's and so the configuration's.
pub(crate) fn refusal(error: ServerError) -> Error {
    let ServerError { sqlstate, message, .. } = error;
    let failure = STATE_FAILURES.iter().find(|(start, _)| sqlstate.starts_with(start)).map(|(_, failure)| *failure);
    let message = format!("{message} ({sqlstate})");
    match failure {
        Some(failure) => Error::service(failure, message),
        None => Error::configuration(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, refused, row, rows};

    fn content(message: &str) -> Error {
        Error::service("content", message)
    }

    #[test]
    fn every_arm_is_read_by_the_name_of_its_column() {
        let other = OtherValue { type_name: "inet".to_owned(), text: "10.0.0.1".to_owned() };
        let rows = row(&[
            ("boolean", true.into()),
            ("int", Value::Int(7)),
            ("float", 0.5.into()),
            ("numeric", Value::Numeric("12.50".to_owned())),
            ("text", "a".into()),
            ("bytes", Value::Bytes(vec![1])),
            ("json", Value::Json("{\"a\":1}".to_owned())),
            ("uuid", Value::Uuid("x-1".to_owned())),
            ("timestamp", Value::TimestampUs(5)),
            ("date", Value::Date("2026-01-31".to_owned())),
            ("time", Value::Time("12:00:00.000000".to_owned())),
            ("interval", Value::IntervalUs(1_500_000)),
            ("list", Value::ListJson("[1,2]".to_owned())),
            ("other", Value::Other(other)),
        ]);
        let row = rows.only().expect("one row");
        assert_eq!((row.boolean("boolean"), row.int("int"), row.number("int")), (Ok(true), Ok(7), Ok(7.0)));
        assert_eq!((row.number("float"), row.number("numeric"), row.text("numeric")), (Ok(0.5), Ok(12.5), Ok("12.50")));
        assert_eq!((row.text("text"), row.bytes("bytes"), row.text("uuid")), (Ok("a"), Ok(&[1][..]), Ok("x-1")));
        assert_eq!((row.timestamp_us("timestamp"), row.text("date"), row.text("time")), (Ok(5), Ok("2026-01-31"), Ok("12:00:00.000000")));
        assert_eq!((row.seconds("interval"), row.text("other")), (Ok(1.5), Ok("10.0.0.1")));
        assert_eq!(
            (row.json::<Vec<i64>>("list"), row.json::<serde_json::Value>("json")),
            (Ok(vec![1, 2]), Ok(serde_json::json!({ "a": 1 })))
        );
    }

    #[test]
    fn what_is_not_as_expected_is_told_with_its_column() {
        let rows = row(&[("name", "x".into()), ("gone", Value::Null), ("odd", f64::NAN.into())]);
        let row = rows.only().expect("one row");
        assert_eq!(row.number("name"), Err(content("the column name is not a number")));
        assert_eq!(row.number("odd"), Err(content("the column odd is not a number")));
        assert_eq!(row.text("gone"), Err(content("the column gone is NULL, expected a text")));
        assert_eq!(row.text("other"), Err(content("the answer has no column other")));
        assert_eq!((row.optional_number("gone"), row.optional_text("name")), (Ok(None), Ok(Some("x"))));
        assert_eq!(row.optional_number("name"), Err(content("the column name is not a number")));
    }

    #[test]
    fn one_row_is_one_row() {
        let two = rows(&["n"], vec![vec![Value::Int(1)], vec![Value::Int(2)]]);
        assert_eq!(two.only().err(), Some(content("the statement answered 2 rows, expected one")));
        assert_eq!(two.iter().map(|row| row.int("n")).collect::<Result<Vec<_>, _>>(), Ok(vec![1, 2]));
        assert!(rows(&["n"], Vec::new()).only().is_err());
    }

    #[test]
    fn values_of_the_simple_protocol_are_read_from_their_text() {
        let rows = row(&[("cl_waiting", "3".into()), ("paused", "t".into())]);
        let mut host = FakeHost::default().postgres(Ok(rows));
        let answer = host.serve(|| source("pool").simple("SHOW POOLS")).expect("an answer");
        let row = answer.only().expect("one row");
        assert_eq!((row.int("cl_waiting"), row.number("cl_waiting"), row.boolean("paused")), (Ok(3), Ok(3.0), Ok(true)));
        assert_eq!(host.queries[0].sql, "SHOW POOLS");
    }

    #[test]
    fn several_statements_are_answered_in_order_or_not_at_all() {
        let one = || row(&[("n", Value::Int(1))]);
        let many = |host: &mut FakeHost| host.serve(|| source("main").query_many(&[("SELECT 1", &[]), ("SELECT $1", &[2.into()])]));
        let mut host = FakeHost::default().postgres(Ok(one())).postgres(Ok(one()));
        assert_eq!(many(&mut host).map(|answers| answers.len()), Ok(2));
        assert_eq!(host.queries[1].params, [Value::Int(2)]);
        let mut host = FakeHost::default().postgres(Ok(one())).postgres(Err(refused("42601", "syntax error")));
        assert_eq!(many(&mut host).err().as_ref().and_then(PostgresError::sqlstate), Some("42601"));
    }

    #[test]
    fn the_servers_state_is_the_services_and_a_wrong_statement_the_configurations() {
        for (sqlstate, failure) in [
            ("08006", "connection"),
            ("28000", "authentication"),
            ("53000", "capacity"),
            ("53100", "disk"),
            ("53200", "memory"),
            ("53300", "too-many-connections"),
            ("53400", "capacity"),
            ("57014", "timeout"),
            ("57P03", "unavailable"),
            ("58030", "file-system"),
        ] {
            let error = Error::from(refused(sqlstate, "no"));
            assert_eq!(error, Error::service(failure, format!("no ({sqlstate})")));
            assert!(CALL_FAILURES.contains(&failure), "{failure}");
        }
        for sqlstate in ["42P01", "42501", "25006", "55000", ""] {
            assert!(matches!(Error::from(refused(sqlstate, "no")), Error::Plugin { kind: "configuration", .. }), "{sqlstate}");
        }
    }
}
