//! A table of checks and how each must come out.

use std::thread;

use serde_json::{Value, json};

use super::{Check, Place, Served, TIMEOUT_SECONDS};

/// How a check must come out.
pub(crate) struct Row {
    pub(crate) check: Check,
    status: &'static str,
    failure: Option<&'static str>,
    /// The name of the reason.
    reason: &'static str,
    /// What the summary, the reason and the evidence must tell.
    tells: Vec<String>,
    /// Of a denial: the label in its metric.
    denial: Option<&'static str>,
}

pub(crate) fn row(check: Check, status: &'static str, failure: Option<&'static str>, reason: &'static str, tells: &[&str]) -> Row {
    Row { check, status, failure, reason, tells: tells.iter().map(|part| (*part).to_owned()).collect(), denial: None }
}

pub(crate) fn ok(check: Check) -> Row {
    row(check, "ok", None, "Passed", &[])
}

/// The service did it.
pub(crate) fn critical(check: Check, failure: &'static str, tells: &[&str]) -> Row {
    row(check, "critical", Some(failure), "Reported", tells)
}

/// Nobody granted it; `denial` is how the metric counts it.
pub(crate) fn denied(check: Check, denial: &'static str, tells: &[&str]) -> Row {
    Row { denial: Some(denial), ..row(check, "unknown", None, "PluginFailure", tells) }
}

impl Row {
    fn complaint(&self, result: &Value) -> Option<String> {
        let told = told(result);
        let seconds = result["duration_seconds"].as_f64().unwrap_or(f64::MAX);
        let as_it_should = result["status"] == self.status
            && result["failure"] == json!(self.failure)
            && result["reason"] == self.reason
            && self.tells.iter().all(|part| told.contains(part.as_str()))
            && seconds <= TIMEOUT_SECONDS;
        if as_it_should {
            return None;
        }
        let Row { check, status, failure, reason, tells, .. } = self;
        Some(format!("{}: wanted {status}, {failure:?}, {reason}, {tells:?} within {TIMEOUT_SECONDS} s, got {result}", check.name))
    }
}

/// All the text that a person reads of a result.
fn told(result: &Value) -> String {
    let mut texts: Vec<&str> = ["summary", "reason_detail"].iter().filter_map(|key| result[*key].as_str()).collect();
    for evidence in result["evidence"].as_array().into_iter().flatten() {
        texts.extend(["metric", "actual", "expected"].iter().filter_map(|key| evidence[*key].as_str()));
    }
    texts.join("\n")
}

pub(crate) fn metric(result: &Value, name: &str) -> Option<f64> {
    result["metrics"].as_array()?.iter().find(|metric| metric["name"] == name)?["value"].as_f64()
}

/// A daemon with the checks of all rows.
pub(crate) fn serve(tables: &str, rows: &[Row]) -> (Place, Served) {
    let place = Place::new(&["http"]);
    let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
    place.configure(tables, &checks);
    let served = Served::start(&place);
    (place, served)
}

/// Runs all rows at once and complains about each that came out otherwise.
pub(crate) fn judge(served: &Served, rows: &[Row]) -> Vec<Value> {
    let results: Vec<Value> = thread::scope(|scope| {
        let runs: Vec<_> = rows.iter().map(|row| scope.spawn(move || served.run_now(&row.check.name))).collect();
        runs.into_iter().map(|run| run.join().expect("a result")).collect()
    });
    let complaints: Vec<String> = rows.iter().zip(&results).filter_map(|(row, result)| row.complaint(result)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    results
}

/// Every denial is counted under its reason. A check may have run once more by its schedule.
pub(crate) fn assert_counted(served: &Served, rows: &[Row]) {
    assert_counted_of("http", served, rows);
}

/// As [`assert_counted`], for another plugin.
pub(crate) fn assert_counted_of(plugin: &str, served: &Served, rows: &[Row]) {
    for reason in ["not_granted", "private_address", "forbidden_address", "redirect"] {
        let wanted = rows.iter().filter(|row| row.denial == Some(reason)).count();
        let labels = [("plugin", plugin), ("capability", "http"), ("reason", reason)];
        let counted = served.series("sickbay_egress_denied_total", &labels);
        assert!(counted >= wanted as f64, "{reason}: counted {counted}, wanted at least {wanted}");
        assert!(wanted > 0 || counted == 0.0, "{reason}: counted {counted}, wanted none");
    }
}
