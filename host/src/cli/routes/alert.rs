//! The alert that the command line means: that of a check, or one that somebody would post.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sickbay_core::Status;
use sickbay_core::alerting::{CheckIdentity, Fact, Findings, LabelSet, PostedAlert};
use sickbay_core::slo::PAIRS;

use crate::cli::probe::no_check;
use crate::config::{Check, Config, Origin};
use crate::escape::escaped;
use crate::failure::Failure;

/// Of the alert of a check: what Sickbay says itself, whatever the labels of the check are.
const OWN: [&str; 6] = ["alertname", "check", "kind", "owner", "plugin", "target"];
/// Not a label of a check, but how it is.
const STATUS: &str = "status";

/// What the machine is told.
pub(super) struct Alert {
    pub(super) fact: Fact,
    /// What is not known here.
    pub(super) note: Option<&'static str>,
}

/// `words` are labels, or the name of a check of `config` and labels.
pub(super) fn of(words: &[String], config: &Config, path: &Path) -> Result<Alert, Failure> {
    let check = |word: &String| config.checks.iter().find(|check| check.name == *word);
    match words.split_first() {
        // The target of a check may have any character in its name.
        Some((first, rest)) if check(first).is_some() || !first.contains('=') => {
            let check = check(first).ok_or_else(|| no_check(config, path, first))?;
            of_check(check, &labels(rest)?, config)
        }
        _ => posted(labels(words)?),
    }
}

fn labels(words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut labels = BTreeMap::new();
    for word in words {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            let failure = Failure::usage(format!("\"{}\" is no label", escaped(word)));
            return Err(failure.with_hint("write NAME=VALUE, for example severity=P1; the name of a check comes first"));
        };
        // People quote as matchers do, and the shell leaves the inner quotes.
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if labels.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::usage(format!("the label `{}` stands twice", escaped(name))).with_hint("remove one of the two"));
        }
    }
    Ok(labels)
}

fn of_check(check: &Check, changed: &BTreeMap<String, String>, config: &Config) -> Result<Alert, Failure> {
    let mut labels = check.labels.clone();
    if matches!(check.origin, Origin::Slo) {
        // As long as no pair of windows says another one.
        labels.entry("severity".to_owned()).or_insert_with(|| PAIRS[0].severity.to_owned());
    }
    let mut status = Status::Critical;
    for (name, value) in changed {
        if name == STATUS {
            status = status_of(value)?;
        } else if OWN.contains(&name.as_str()) {
            let failure = Failure::usage(format!("the label `{name}` of a check's alert is Sickbay's own"));
            return Err(failure.with_hint("leave out the name of the check, to try labels of your own"));
        } else {
            labels.insert(name.clone(), value.clone());
        }
    }
    let identity = CheckIdentity {
        name: Arc::from(check.name.as_str()),
        plugin: Arc::from(check.plugin.as_str()),
        kind: Arc::from(check.kind.as_deref().unwrap_or_default()),
        target: check.target.as_deref().map(Arc::from),
        owner: config.settings_of(&check.plugin).owner.map(Arc::from),
        labels: label_set(labels)?,
    };
    let findings = Findings {
        status,
        summary: "tried by `sickbay routes test`".to_owned(),
        reason: "Tried".to_owned(),
        reason_detail: String::new(),
        failure: None,
        evidence: Vec::new(),
        dependents: 0,
    };
    let note = check.kind.is_none().then_some("the label `kind` is left out: the configuration does not say it, the plugin does");
    Ok(Alert { fact: Fact::Transition { check: Arc::new(identity), findings: Arc::new(findings) }, note })
}

fn status_of(text: &str) -> Result<Status, Failure> {
    let known = [Status::Warning, Status::Critical, Status::Unknown].into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| {
        let failure = Failure::usage(format!("a check with the status \"{}\" has no alert", escaped(text)));
        failure.with_hint("write status=warning, status=critical or status=unknown")
    })
}

fn posted(labels: BTreeMap<String, String>) -> Result<Alert, Failure> {
    let labels = label_set(labels)?;
    let alert = PostedAlert { labels, annotations: Arc::default(), starts_at: None, ends_at: None, generator_url: None };
    Ok(Alert { fact: Fact::Posted { alerts: vec![alert] }, note: None })
}

fn label_set(labels: BTreeMap<String, String>) -> Result<LabelSet, Failure> {
    LabelSet::new(labels).map_err(|error| Failure::usage(error.to_string()).with_hint("write fewer or shorter labels"))
}
