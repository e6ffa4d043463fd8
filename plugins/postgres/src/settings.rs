//! `settings`: whether settings are what they should be, and which wait for a restart.
//!
//! A setting is compared by its value, whatever unit it is written in. What counts is what a new session of the source's role gets: what
//! the host sets for its own sessions (time limits) is left out.

use std::collections::BTreeMap;

use sickbay_sdk::limit::Limit;
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::setting_value::Setting;
use crate::{READ_GRANT, RIGHTS_HINT, ask};

const EXPECTED_MAX: usize = 64;

/// What stands on the server's command line goes before its file, also after a restart; yet the server marks it where the file differs.
const SETTINGS: &str = "SELECT lower(s.name) AS name, coalesce(s.setting, '') AS setting, coalesce(s.reset_val, '') AS reset_value, \
    coalesce(s.unit, '') AS unit, s.vartype AS type, s.pending_restart AND s.source <> 'command line' AS pending_restart \
    FROM pg_settings s WHERE lower(s.name) = ANY ($1::text[]) OR s.pending_restart ORDER BY 1";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Values by name, as in postgresql.conf: { shared_buffers = "256MB", fsync = true }. At most 64.
    #[serde(default)]
    expect: BTreeMap<String, Value>,
}

pub(crate) struct Settings;

/// A setting with another value than expected.
struct Drift<'config> {
    name: &'config str,
    actual: String,
    expected: String,
}

impl Check for Settings {
    const NAME: &'static str = "settings";
    const SUMMARY: &'static str = "Settings that are not what they should be, and those that wait for a restart";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "main", "expect": { "shared_buffers": "256MB", "work_mem": "4MB" } })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("postgres", "reads pg_settings", READ_GRANT)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("compared", "", "settings that were compared"),
            MetricInfo::gauge("drifted", "", "those of them that are not as expected"),
            MetricInfo::gauge("pending_restart", "", "settings that were changed and wait for a restart"),
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
            "configuration",
            "content",
        ]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        if config.expect.len() > EXPECTED_MAX {
            return Err(Error::configuration(format!("at most {EXPECTED_MAX} settings are compared")));
        }
        let names: Vec<String> = config.expect.keys().map(|name| name.to_ascii_lowercase()).collect();
        let rows = ask(&config.source, SETTINGS, &[postgres::Value::ListJson(json!(names).to_string())])?;
        let drifts = drifts(&config.expect, &rows)?;
        Ok(judge(config.expect.len(), &drifts, &pending_restart(&rows)?))
    }
}

fn drifts<'config>(expect: &'config BTreeMap<String, Value>, rows: &Rows) -> Result<Vec<Drift<'config>>, Error> {
    let mut drifts = Vec::new();
    for (name, expected) in expect {
        let lower = name.to_ascii_lowercase();
        let Some(row) = rows.iter().find(|row| row.text("name") == Ok(lower.as_str())) else {
            return Err(Error::configuration(format!(
                "the server shows no setting {name}: no such name, or no right to see it; {RIGHTS_HINT}"
            )));
        };
        let expected = written(name, expected)?;
        let setting = setting(row)?;
        let is_so = setting.is(&expected).ok_or_else(|| Error::configuration(format!("{name} cannot be {expected:?}")))?;
        // Some are shown otherwise than they are kept: 0600 for 384.
        if !is_so && row.text("setting")? != expected {
            drifts.push(Drift { name, actual: setting.shown(), expected });
        }
    }
    Ok(drifts)
}

fn setting(row: Row<'_>) -> Result<Setting, Error> {
    let (value, unit, of) = (row.text("reset_value")?, row.text("unit")?, row.text("type")?);
    Ok(Setting { value: value.to_owned(), unit: unit.to_owned(), of: of.to_owned() })
}

fn written(name: &str, expected: &Value) -> Result<String, Error> {
    match expected {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(expected.to_string()),
        _ => Err(Error::configuration(format!("expect.{name} is neither a text nor a number nor a boolean"))),
    }
}

fn pending_restart(rows: &Rows) -> Result<Vec<&str>, Error> {
    let mut names = Vec::new();
    for row in rows.iter() {
        if row.boolean("pending_restart")? {
            names.push(row.text("name")?);
        }
    }
    Ok(names)
}

fn judge(compared: usize, drifts: &[Drift<'_>], pending: &[&str]) -> Report {
    let details: Vec<Value> =
        drifts.iter().map(|drift| json!({ "name": drift.name, "actual": drift.actual, "expected": drift.expected })).collect();
    let mut report = Report::ok(format!("{compared} settings are as expected"))
        .metric("compared", compared as f64, "")
        .metric("drifted", drifts.len() as f64, "")
        .metric("pending_restart", pending.len() as f64, "")
        .details(&json!({ "drift": details, "pending_restart": pending }));
    for drift in drifts {
        report = report.evidence("", format!("{} = {}", drift.name, drift.actual), &drift.expected, "");
    }
    if !drifts.is_empty() {
        let told: Vec<String> =
            drifts.iter().map(|drift| format!("{} is {}, expected {}", drift.name, drift.actual, drift.expected)).collect();
        report = report.warning("configuration", told.join("; "));
    }
    let limit = Limit { metric: "pending_restart", unit: "", failure: "configuration", warning: Some(0.0), critical: None };
    limit.at_most(report, pending.len() as f64, || format!("waiting for a restart: {}", pending.join(", ")))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::Failure;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, rows};

    use super::*;

    const COLUMNS: [&str; 6] = ["name", "setting", "reset_value", "unit", "type", "pending_restart"];

    fn row(name: &str, value: &str, unit: &str, of: &str, is_pending: bool) -> Vec<postgres::Value> {
        vec![name.into(), value.into(), value.into(), unit.into(), of.into(), is_pending.into()]
    }

    fn buffers(blocks: &str, is_pending: bool) -> Vec<postgres::Value> {
        row("shared_buffers", blocks, "8kB", "integer", is_pending)
    }

    fn answer(host: &mut FakeHost, expect: Value, settings: Vec<Vec<postgres::Value>>) -> Result<Report, Failure> {
        host.rows.push_back(Ok(rows(&COLUMNS, settings)));
        host.run::<Settings>(json!({ "source": "main", "expect": expect }))
    }

    fn run(host: &mut FakeHost, expect: Value, settings: Vec<Vec<postgres::Value>>) -> Report {
        let report = answer(host, expect, settings).expect("a report");
        assert_as_described::<Settings>(&report);
        report
    }

    #[test]
    fn a_setting_that_drifts_is_told_and_is_well_again_when_it_is_back() {
        let mut host = FakeHost::default();
        let expect = || json!({ "shared_buffers": "256MB" });
        assert_eq!(run(&mut host, expect(), vec![buffers("32768", false)]).status, Status::Ok);
        let report = run(&mut host, expect(), vec![buffers("16384", false)]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("configuration")));
        assert_eq!(report.summary, "shared_buffers is 128MB, expected 256MB");
        let details: Value = serde_json::from_str(&report.details.expect("details")).expect("JSON");
        assert_eq!(details["drift"], json!([{ "name": "shared_buffers", "actual": "128MB", "expected": "256MB" }]));
        assert_eq!(run(&mut host, expect(), vec![buffers("32768", false)]).status, Status::Ok);
        assert_eq!(host.queries[0].params, [postgres::Value::ListJson("[\"shared_buffers\"]".to_owned())]);
    }

    #[test]
    fn what_waits_for_a_restart_is_a_warning() {
        let report = run(&mut FakeHost::default(), json!({}), vec![buffers("16384", true)]);
        assert_eq!((report.status, report.summary.as_str()), (Status::Warning, "waiting for a restart: shared_buffers"));
    }

    #[test]
    fn numbers_and_booleans_may_be_written_as_such_and_names_in_any_case() {
        let settings = vec![row("fsync", "on", "", "bool", false), row("timezone", "UTC", "", "string", false)];
        let report = run(&mut FakeHost::default(), json!({ "fsync": true, "TimeZone": "UTC" }), settings);
        assert_eq!((report.status, report.metrics[0].value), (Status::Ok, 2.0));
    }

    #[test]
    fn what_is_no_setting_or_no_value_of_it_is_a_mistake_of_the_configuration() {
        for expect in [json!({ "shard_buffers": "1MB" }), json!({ "shared_buffers": "much" }), json!({ "shared_buffers": ["1MB"] })] {
            let failure = answer(&mut FakeHost::default(), expect, vec![buffers("32768", false)]).expect_err("a failure");
            assert_eq!(failure.kind, "configuration");
        }
    }
}
