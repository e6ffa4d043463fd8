//! `settings`: whether settings are what they should be, and which wait for a restart.
//!
//! A setting is compared by its value, whatever unit it is written in. What counts is what a new session of the source's role gets: what
//! the host sets for its own sessions (time limits) is left out. What cannot be compared hides no drift of the others: it is told after them,
//! and is a failure where nothing else is wrong.

use std::collections::BTreeMap;

use sickbay_sdk::limit::{Limit, counted};
use sickbay_sdk::postgres::{Row, Rows};
use sickbay_sdk::prelude::*;

use crate::setting_value::Setting;
use crate::{READ_GRANT, ask, rights_hint};

const EXPECTED_MAX: usize = 64;

/// Always a row: who asks stands in each, beside a setting, where one is found. What stands on the server's command line goes before its file,
/// also after a restart; yet the server marks it where the file differs.
const SETTINGS: &str = "SELECT lower(s.name) AS name, coalesce(s.setting, '') AS setting, coalesce(s.reset_val, '') AS reset_value, \
    coalesce(s.unit, '') AS unit, s.vartype AS type, coalesce(s.pending_restart AND s.source <> 'command line', false) AS pending_restart, \
    who.role, who.sees_all \
    FROM (SELECT quote_ident(current_user) AS role, pg_has_role('pg_read_all_settings', 'USAGE') AS sees_all) AS who \
    LEFT JOIN pg_settings s ON lower(s.name) = ANY ($1::text[]) OR s.pending_restart ORDER BY 1";

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

/// What came of the comparison.
#[derive(Default)]
struct Comparison<'config> {
    compared: usize,
    drifts: Vec<Drift<'config>>,
    /// Names and values that the server does not know or does not show.
    mistakes: Vec<String>,
}

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
        let comparison = compared(&config.expect, &rows)?;
        let report = judge(&comparison, &pending_restart(&rows)?);
        with_mistakes(report, &comparison.mistakes)
    }
}

fn compared<'config>(expect: &'config BTreeMap<String, Value>, rows: &Rows) -> Result<Comparison<'config>, Error> {
    let mut comparison = Comparison::default();
    for (name, expected) in expect {
        let expected = written(name, expected)?;
        let lower = name.to_ascii_lowercase();
        let Some(row) = rows.iter().find(|row| row.text("name") == Ok(lower.as_str())) else {
            comparison.mistakes.push(not_shown(name, rows.first()));
            continue;
        };
        let setting = setting(row)?;
        let Some(is_so) = setting.is(&expected) else {
            comparison.mistakes.push(format!("`{name}` cannot be {expected:?}"));
            continue;
        };
        comparison.compared += 1;
        // Some are shown otherwise than they are kept: 0600 for 384.
        if !is_so && row.text("setting")? != expected {
            comparison.drifts.push(Drift { name, actual: setting.shown(), expected });
        }
    }
    Ok(comparison)
}

/// A role that sees all settings only misspells.
fn not_shown(name: &str, who: Option<Row<'_>>) -> String {
    match who {
        Some(who) if who.boolean("sees_all") != Ok(true) => {
            format!("the server shows no setting `{name}`: no such name, or no right to see it; {}", rights_hint(&who))
        }
        _ => format!("the server has no setting `{name}`; hint: is it spelt right?"),
    }
}

/// What is wrong with the server goes before what is wrong with the configuration.
fn with_mistakes(mut report: Report, mistakes: &[String]) -> Result<Report, Error> {
    if mistakes.is_empty() {
        return Ok(report);
    }
    let told = mistakes.join("; ");
    if report.status == Status::Ok {
        return Err(Error::configuration(told));
    }
    report.summary = format!("{}; {told}", report.summary);
    Ok(report)
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

fn judge(comparison: &Comparison<'_>, pending: &[&str]) -> Report {
    let Comparison { compared, drifts, mistakes } = comparison;
    let details: Vec<Value> =
        drifts.iter().map(|drift| json!({ "name": drift.name, "actual": drift.actual, "expected": drift.expected })).collect();
    let told = format!("{} {} as expected", counted(*compared as f64, "setting"), if *compared == 1 { "is" } else { "are" });
    let mut report = Report::ok(told)
        .metric("compared", *compared as f64, "")
        .metric("drifted", drifts.len() as f64, "")
        .metric("pending_restart", pending.len() as f64, "")
        .details(&json!({ "drift": details, "pending_restart": pending, "not_compared": mistakes }));
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

    const COLUMNS: [&str; 8] = ["name", "setting", "reset_value", "unit", "type", "pending_restart", "role", "sees_all"];

    fn row(name: &str, value: &str, unit: &str, of: &str, is_pending: bool) -> Vec<postgres::Value> {
        vec![name.into(), value.into(), value.into(), unit.into(), of.into(), is_pending.into(), "mon".into(), true.into()]
    }

    /// Where no setting is found.
    fn nothing(sees_all: bool) -> Vec<postgres::Value> {
        let null = postgres::Value::Null;
        vec![null.clone(), "".into(), "".into(), "".into(), null, false.into(), "mon".into(), sees_all.into()]
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

    #[test]
    fn an_unknown_name_hides_no_drift_of_the_others() {
        let expect = || json!({ "nosuch": 1, "shared_buffers": "256MB" });
        let report = run(&mut FakeHost::default(), expect(), vec![buffers("16384", false)]);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Warning, Some("configuration")));
        let unknown = "the server has no setting `nosuch`; hint: is it spelt right?";
        assert_eq!(report.summary, format!("shared_buffers is 128MB, expected 256MB; {unknown}"));
        assert_eq!((report.metrics[0].value, report.metrics[1].value), (1.0, 1.0));
        let failure = answer(&mut FakeHost::default(), expect(), vec![buffers("32768", false)]).expect_err("a failure");
        assert_eq!(failure.message, unknown);
    }

    #[test]
    fn a_name_that_is_not_shown_is_unknown_or_hidden_by_what_the_role_may_see() {
        let told = |sees_all| {
            let expect = json!({ "shared_preload_libraries": "x" });
            answer(&mut FakeHost::default(), expect, vec![nothing(sees_all)]).expect_err("a failure").message
        };
        assert_eq!(told(true), "the server has no setting `shared_preload_libraries`; hint: is it spelt right?");
        assert!(told(false).ends_with("or no right to see it; hint: GRANT pg_monitor TO mon"), "{}", told(false));
        assert_eq!(run(&mut FakeHost::default(), json!({}), vec![nothing(false)]).summary, "0 settings are as expected");
    }
}
