//! Whether a matcher can hold for the alert of any check, so that a slip in it is seen before an alert goes astray.
//!
//! Limits: of a label with more than [`VALUES_MAX`] values nothing is said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sickbay_core::Status;
use sickbay_core::alerting::{Matcher, Operation, Severity, UNKNOWN_ALERTNAME};

use super::Check;
use super::diagnostic::{Problem, listed, shown};
use super::suggest;

const VALUES_MAX: usize = 10_000;
/// Of the values that a message lists.
const VALUES_SHOWN_MAX: usize = 10;
/// Labels that Sickbay gives to alerts itself.
const OWN: [&str; 8] = ["alertname", "check", "kind", "owner", "plugin", "severity", "status", "target"];

/// The labels that the alerts of checks have.
pub(super) struct Alerts<'a> {
    checks: &'a [Arc<Check>],
    /// By the name of a label; none where nothing is said about it.
    values: BTreeMap<String, Option<BTreeSet<&'a str>>>,
}

impl<'a> Alerts<'a> {
    pub(super) fn of(checks: &'a [Arc<Check>]) -> Alerts<'a> {
        Alerts { checks, values: BTreeMap::new() }
    }

    /// A warning where no check's alert has a label that matches. Alerts that somebody posts may have any.
    pub(super) fn unmatched(&mut self, matcher: &Matcher) -> Option<Problem> {
        let checks = self.checks;
        if checks.is_empty() {
            return None;
        }
        let values = self.values.entry(matcher.name().to_owned()).or_insert_with(|| values(matcher.name(), checks)).as_ref()?;
        if values.iter().any(|value| matcher.accepts(value)) {
            return None;
        }
        let label = shown(matcher.name());
        let there: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).collect();
        let problem = Problem::warning(format!("no check has labels that match {}", shown(&matcher.to_string())));
        if there.is_empty() {
            let problem = problem.reason(format!("no check has the label `{label}`"));
            return Some(problem.hint(hint(suggest::nearest(matcher.name(), &label_names(checks)))));
        }
        let problem = if there.len() > VALUES_SHOWN_MAX {
            problem.reason(format!("`{label}` has {} other values", there.len()))
        } else {
            problem.reason(format!("the values of `{label}` are {}", listed(there.iter().copied())))
        };
        let meant = if matcher.operation() == Operation::Equal { suggest::nearest(matcher.value(), &there) } else { None };
        Some(problem.hint(hint(meant)))
    }
}

fn hint(meant: Option<&str>) -> String {
    match meant {
        Some(meant) => format!("did you mean `{}`?", shown(meant)),
        None => "leave it where such alerts are posted to the API".to_owned(),
    }
}

/// What the alerts of `checks` have as the value of a label, the empty one where some lack it; none where that is not known here.
fn values<'a>(name: &str, checks: &'a [Arc<Check>]) -> Option<BTreeSet<&'a str>> {
    let mut values = BTreeSet::new();
    match name {
        "owner" => return None,
        "status" => return Some([Status::Warning, Status::Critical, Status::Unknown].into_iter().map(Status::as_str).collect()),
        "alertname" => {
            values.insert(UNKNOWN_ALERTNAME);
        }
        _ => {}
    }
    for check in checks {
        let label = || check.labels.get(name).map(String::as_str);
        values.insert(match name {
            "alertname" | "check" => check.name.as_str(),
            "plugin" => check.plugin.as_str(),
            // Where it is not written the plugin knows it.
            "kind" => check.kind.as_deref()?,
            "severity" => label().unwrap_or(Severity::default().as_str()),
            _ => label().unwrap_or_default(),
        });
        if values.len() > VALUES_MAX {
            return None;
        }
    }
    Some(values)
}

fn label_names(checks: &[Arc<Check>]) -> Vec<&str> {
    let written: BTreeSet<&str> = checks.iter().flat_map(|check| check.labels.keys().map(String::as_str)).collect();
    OWN.into_iter().chain(written).collect()
}
