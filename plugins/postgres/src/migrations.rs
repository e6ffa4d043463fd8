//! `migrations`: whether the schema is the one that the application expects, by the table in which a migration tool keeps what it applied.
//!
//! `tool` knows the tables of some tools; a key that is written goes before what it knows. The version that is `expected` must be among
//! those that were applied. Where the table holds one row only, which most tools overwrite, a later number does too.
//!
//! Names of tables and columns go between quotes: they are what the server has, with their capitals. Values go as parameters.
//!
//! Limits: what is pending is not known, for the files are not at hand; `expected` tells it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use sickbay_sdk::limit::counted;
use sickbay_sdk::postgres::{PostgresError, Row};
use sickbay_sdk::prelude::*;

use crate::{INSUFFICIENT_PRIVILEGE, READ_GRANT};

/// The server's own limit of a name.
const NAME_BYTES_MAX: usize = 63;
const ONLY_MAX: usize = 8;
const UNDEFINED_TABLE: &str = "42P01";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Tool {
    Sqlx,
    GolangMigrate,
    Flyway,
    Django,
    Alembic,
    Rails,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// The tool that keeps the table. Without it, `table` and `version_column` are needed.
    #[serde(default)]
    tool: Option<Tool>,
    /// The table, with its schema where that is not searched: "schema_migrations", "app.versions".
    #[serde(default)]
    table: Option<String>,
    /// Column that names a migration.
    #[serde(default)]
    version_column: Option<String>,
    /// Boolean column: true where a migration did not end.
    #[serde(default)]
    dirty_column: Option<String>,
    /// Boolean column: false where a migration failed.
    #[serde(default)]
    success_column: Option<String>,
    /// Column whose highest value is the latest migration. Absent: version_column.
    #[serde(default)]
    order_column: Option<String>,
    /// Looks only at rows with these texts in these columns: { app = "orders" }.
    #[serde(default)]
    only: BTreeMap<String, String>,
    /// Critical unless this version was applied.
    #[serde(default)]
    expected: Option<Version>,
}

/// A text, or a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version(String);

pub(crate) struct Migrations;

/// Names as they are written in a statement, or as a tool has them.
#[derive(Default)]
struct Names<'a> {
    table: Option<&'a str>,
    version: Option<&'a str>,
    dirty: Option<&'a str>,
    success: Option<&'a str>,
    order: Option<&'a str>,
}

impl Check for Migrations {
    const NAME: &'static str = "migrations";
    const SUMMARY: &'static str = "Whether the expected migration is applied, and none is dirty";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main", "tool": "sqlx" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads the table of migrations", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("applied", "", "migrations that are applied"),
            MetricInfo::gauge("dirty", "", "migrations that failed or did not end"),
            MetricInfo::gauge("version", "", "the latest version, where it is a number"),
            MetricInfo::gauge("expected_applied", "", "1 when the expected version is applied; only where one is expected"),
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
            "migration",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let names = Names::of(config);
        let (Some(table), Some(version)) = (names.table, names.version) else {
            return Err(Error::configuration("no table is named; hint: tool = \"sqlx\", or table and version_column"));
        };
        let statement = statement(config, &names, table, version)?;
        let expected = config.expected.as_ref().map_or(postgres::Value::Null, |expected| expected.0.as_str().into());
        let mut params = vec![expected];
        params.extend(config.only.values().map(|text| postgres::Value::from(text.as_str())));
        match postgres::source(&config.source).query(&statement, &params) {
            Ok(rows) => judge(config, &rows.only()?),
            Err(error) => refused(table, error),
        }
    }
}

fn statement(config: &Config, names: &Names<'_>, table: &str, version: &str) -> Result<String, Error> {
    if config.only.len() > ONLY_MAX {
        return Err(Error::configuration(format!("`only` has at most {ONLY_MAX} columns")));
    }
    let parts = table.splitn(2, '.').map(|part| quoted("table", part)).collect::<Result<Vec<String>, Error>>()?;
    let (table, version) = (parts.join("."), quoted("version_column", version)?);
    let order = names.order.map_or(Ok(version.clone()), |order| quoted("order_column", order))?;
    let mut signs = Vec::new();
    if let Some(dirty) = names.dirty {
        signs.push(format!("coalesce({}, false)", quoted("dirty_column", dirty)?));
    }
    if let Some(success) = names.success {
        signs.push(format!("NOT coalesce({}, false)", quoted("success_column", success)?));
    }
    let is_dirty = if signs.is_empty() { "false".to_owned() } else { signs.join(" OR ") };
    let mut only = vec!["true".to_owned()];
    for (index, column) in config.only.keys().enumerate() {
        only.push(format!("{}::text = ${}", quoted("only", column)?, index + 2));
    }
    let only = only.join(" AND ");
    Ok(format!(
        "WITH migration AS ( \
             SELECT {version}::text AS version, {is_dirty} AS is_dirty, \
                    row_number() OVER (ORDER BY {version} IS NULL, {order} DESC) AS place \
             FROM {table} WHERE {only}) \
         SELECT count(*) FILTER (WHERE NOT is_dirty) AS applied, count(*) FILTER (WHERE is_dirty) AS dirty, \
                max(version) FILTER (WHERE place = 1) AS latest, max(version) FILTER (WHERE is_dirty) AS dirty_version, \
                coalesce(bool_or(version = $1 AND NOT is_dirty), false) AS is_expected \
         FROM migration"
    ))
}

/// Between quotes, where nothing but a name can stand.
fn quoted(key: &str, name: &str) -> Result<String, Error> {
    let is_letter = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$' | '-');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(is_letter) {
        Ok(format!("\"{name}\""))
    } else {
        Err(Error::configuration(format!("`{key}`: {name:?} is no name of letters, digits, `_`, `$` and `-`, at most {NAME_BYTES_MAX}")))
    }
}

fn refused(table: &str, error: PostgresError) -> Result<Report, Error> {
    match error.sqlstate() {
        Some(UNDEFINED_TABLE) => Ok(Report::ok("").evidence("", "no such table", table, "").critical(
            "migration",
            format!("there is no table {table}: nothing was ever migrated, or it is in another database or schema"),
        )),
        Some(INSUFFICIENT_PRIVILEGE) => {
            Err(Error::configuration(format!("the role may not read {table}; hint: GRANT SELECT ON {table} TO the role of the source")))
        }
        _ => Err(error.into()),
    }
}

fn judge(config: &Config, row: &Row<'_>) -> Result<Report, Error> {
    let (applied, dirty) = (row.number("applied")?, row.number("dirty")?);
    let latest = row.optional_text("latest")?;
    let shown = latest.unwrap_or("none");
    let mut report = Report::ok(format!("the latest of {} is {shown}", counted(applied, "migration")))
        .metric("applied", applied, "")
        .metric("dirty", dirty, "");
    if let Some(version) = latest.and_then(number) {
        report = report.metric("version", version as f64, "");
    }
    if dirty > 0.0 {
        let version = row.optional_text("dirty_version")?.unwrap_or("without a version");
        report = report.evidence("dirty", dirty, 0, "").critical("migration", format!("the migration {version} failed or did not end"));
    }
    if applied == 0.0 {
        report = report.evidence("applied", 0, "at least 1", "").critical("migration", "no migration is applied");
    }
    let Some(Version(expected)) = &config.expected else { return Ok(report) };
    let is_later = || applied == 1.0 && latest.and_then(number).zip(number(expected)).is_some_and(|(latest, expected)| latest > expected);
    let is_applied = row.boolean("is_expected")? || (dirty == 0.0 && is_later());
    report = report.metric("expected_applied", f64::from(u8::from(is_applied)), "");
    if !is_applied {
        let summary = format!("the migration {expected} is not applied; the latest is {shown}");
        report = report.evidence("expected_applied", shown, expected, "").critical("migration", summary);
    }
    Ok(report)
}

fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

impl Tool {
    fn names(self) -> Names<'static> {
        let names = |table, version| Names { table: Some(table), version: Some(version), ..Names::default() };
        match self {
            Tool::Sqlx => Names { success: Some("success"), ..names("_sqlx_migrations", "version") },
            Tool::GolangMigrate => Names { dirty: Some("dirty"), ..names("schema_migrations", "version") },
            Tool::Flyway => Names { success: Some("success"), order: Some("installed_rank"), ..names("flyway_schema_history", "version") },
            Tool::Django => Names { order: Some("id"), ..names("django_migrations", "name") },
            Tool::Alembic => names("alembic_version", "version_num"),
            Tool::Rails => names("schema_migrations", "version"),
        }
    }
}

impl<'a> Names<'a> {
    /// What is written, else what the tool has.
    fn of(config: &'a Config) -> Names<'a> {
        let tool = config.tool.map(Tool::names).unwrap_or_default();
        Names {
            table: config.table.as_deref().or(tool.table),
            version: config.version_column.as_deref().or(tool.version),
            dirty: config.dirty_column.as_deref().or(tool.dirty),
            success: config.success_column.as_deref().or(tool.success),
            order: config.order_column.as_deref().or(tool.order),
        }
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        deserializer.deserialize_any(VersionVisitor)
    }
}

struct VersionVisitor;

impl Visitor<'_> for VersionVisitor {
    type Value = Version;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a version as text or as a whole number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Version, E> {
        Ok(Version(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Version, E> {
        Ok(Version(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Version, E> {
        Ok(Version(number.to_string()))
    }
}

impl JsonSchema for Version {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Version".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "minLength": 1 })
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Failure;
    use sickbay_sdk::postgres::{Rows, Value as Cell};
    use sickbay_sdk::testing::{self, FakeHost, assert_as_described, row};

    use super::*;

    fn told(applied: i64, dirty: i64, latest: Option<&str>, is_expected: bool) -> Rows {
        row(&[
            ("applied", applied.into()),
            ("dirty", dirty.into()),
            ("latest", latest.map_or(Cell::Null, Cell::from)),
            ("dirty_version", latest.filter(|_| dirty > 0).map_or(Cell::Null, Cell::from)),
            ("is_expected", is_expected.into()),
        ])
    }

    fn answer(host: &mut FakeHost, extra: Value) -> Result<Report, Failure> {
        let mut config = json!({ "source": "main" });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        host.run::<Migrations>(config)
    }

    fn run(extra: Value, rows: Rows) -> Report {
        let report = answer(&mut FakeHost::default().postgres(Ok(rows)), extra).expect("a report");
        assert_as_described::<Migrations>(&report);
        report
    }

    fn statement_of(extra: Value) -> String {
        let mut host = FakeHost::default().postgres(Ok(told(1, 0, Some("1"), true)));
        answer(&mut host, extra).expect("a report");
        host.queries[0].sql.clone()
    }

    #[test]
    fn the_expected_version_must_be_applied() {
        let config = || json!({ "tool": "sqlx", "expected": 20240102 });
        let well = run(config(), told(2, 0, Some("20240102"), true));
        assert_eq!((well.status, well.summary.as_str()), (Status::Ok, "the latest of 2 migrations is 20240102"));
        let behind = run(config(), told(1, 0, Some("20240101"), false));
        assert_eq!((behind.status, behind.failure.as_deref()), (Status::Critical, Some("migration")));
        assert_eq!(behind.summary, "the migration 20240102 is not applied; the latest is 20240101");
        assert_eq!(run(config(), told(3, 0, Some("20240103"), true)).status, Status::Ok);
    }

    #[test]
    fn a_later_number_will_do_only_where_the_table_holds_one_row() {
        let config = || json!({ "tool": "golang-migrate", "expected": "7" });
        assert_eq!(run(config(), told(1, 0, Some("8"), false)).status, Status::Ok);
        assert_eq!(run(config(), told(1, 0, Some("6"), false)).status, Status::Critical);
        assert_eq!(run(config(), told(5, 0, Some("8"), false)).status, Status::Critical);
        let alembic = json!({ "tool": "alembic", "expected": "ae1027a6acf" });
        assert_eq!(run(alembic, told(1, 0, Some("1975ea83b712"), false)).status, Status::Critical);
    }

    #[test]
    fn none_applied_and_a_dirty_one_are_critical_until_they_are_mended() {
        let config = || json!({ "tool": "golang-migrate" });
        assert_eq!(run(config(), told(0, 0, None, false)).summary, "no migration is applied");
        let dirty = run(config(), told(0, 1, Some("7"), false));
        assert_eq!((dirty.status, dirty.summary.as_str()), (Status::Critical, "the migration 7 failed or did not end"));
        assert_eq!(run(json!({ "tool": "golang-migrate", "expected": 6 }), told(0, 1, Some("7"), false)).status, Status::Critical);
        assert_eq!(run(config(), told(1, 0, Some("7"), false)).status, Status::Ok);
    }

    #[test]
    fn a_table_that_is_not_there_says_so() {
        let mut host = FakeHost::default().postgres(Err(testing::refused("42P01", "relation does not exist")));
        let report = answer(&mut host, json!({ "tool": "rails" })).expect("a report");
        assert_as_described::<Migrations>(&report);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("migration")));
        assert!(report.summary.starts_with("there is no table schema_migrations"), "{}", report.summary);
    }

    #[test]
    fn a_table_that_may_not_be_read_is_a_failure_with_the_right_to_grant() {
        let mut host = FakeHost::default().postgres(Err(testing::refused("42501", "permission denied")));
        let failure = answer(&mut host, json!({ "tool": "rails" })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
        assert!(failure.message.contains("GRANT SELECT ON schema_migrations"), "{}", failure.message);
    }

    #[test]
    fn a_tool_fills_in_what_is_not_written() {
        let sqlx = statement_of(json!({ "tool": "sqlx" }));
        assert!(sqlx.contains("\"version\"::text AS version, NOT coalesce(\"success\", false) AS is_dirty"), "{sqlx}");
        assert!(sqlx.contains("FROM \"_sqlx_migrations\" WHERE true"), "{sqlx}");
        let flyway = statement_of(json!({ "tool": "flyway", "table": "history.flyway" }));
        assert!(flyway.contains("\"installed_rank\" DESC") && flyway.contains("FROM \"history\".\"flyway\""), "{flyway}");
        let own = statement_of(json!({ "table": "t", "version_column": "Nr", "dirty_column": "bad", "success_column": "good" }));
        assert!(own.contains("coalesce(\"bad\", false) OR NOT coalesce(\"good\", false) AS is_dirty"), "{own}");
    }

    #[test]
    fn rows_of_others_are_left_out_by_parameters() {
        let mut host = FakeHost::default().postgres(Ok(told(1, 0, Some("0001_initial"), true)));
        let config = json!({ "tool": "django", "only": { "app": "o'rders" }, "expected": "0001_initial" });
        assert_eq!(answer(&mut host, config).map(|report| report.status), Ok(Status::Ok));
        assert!(host.queries[0].sql.contains("WHERE true AND \"app\"::text = $2"), "{}", host.queries[0].sql);
        assert_eq!(host.queries[0].params, [Cell::from("0001_initial"), Cell::from("o'rders")]);
    }

    #[test]
    fn what_is_no_name_is_refused_before_anything_is_asked() {
        for table in ["", "a b", "t\"; DROP TABLE x; --", "a.b.c", ".t", &"x".repeat(64)] {
            let failure = answer(&mut FakeHost::default(), json!({ "table": table, "version_column": "v" })).expect_err(table);
            assert_eq!(failure.kind, "configuration", "{table}");
        }
        let failure = answer(&mut FakeHost::default(), json!({ "table": "t" })).expect_err("no column");
        assert!(failure.message.contains("version_column"), "{}", failure.message);
        let only = json!({ "tool": "rails", "only": { "a\"b": "x" } });
        assert_eq!(answer(&mut FakeHost::default(), only).expect_err("no name").kind, "configuration");
    }
}
