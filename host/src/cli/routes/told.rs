//! What `routes` shows: for people in aligned lines, for programs as JSON with durations in seconds.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use sickbay_core::Timestamp;
use sickbay_core::alerting::{AlertingConfig, Explanation, GroupBy, Incident, InhibitRule, Mute, RouteTaken, Rung, Timing};

use super::tree::{Node, Visit, listed, names};
use crate::cli::table::{Layout, table};
use crate::clock::rfc3339;
use crate::escape::escaped;

/// Where there is nothing.
const NONE: &str = "-";

/// An alert, and what becomes of it.
pub(super) struct Tried<'a> {
    pub(super) at: Timestamp,
    pub(super) config: &'a AlertingConfig,
    pub(super) incident: &'a Incident,
    pub(super) explanation: &'a Explanation,
    pub(super) nodes: &'a [Node<'a>],
    pub(super) note: Option<&'static str>,
}

impl Tried<'_> {
    /// Rules by which another alert would keep this one from being told.
    fn inhibitors(&self) -> impl Iterator<Item = &InhibitRule> {
        let subject = self.incident.subject();
        self.config.inhibit.iter().filter(move |rule| rule.target.iter().all(|matcher| matcher.matches(&subject)))
    }
}

pub(super) fn tree_text(nodes: &[Node<'_>], layout: Layout) -> String {
    let mut rows = vec![["ROUTE", "SINKS", "GROUP BY", "WAIT", "INTERVAL", "REPEAT", "MORE"].map(str::to_owned)];
    rows.extend(nodes.iter().map(|node| {
        let Timing { group_wait, group_interval, repeat_interval } = node.timing;
        let [wait, interval, repeat] = [group_wait, group_interval, repeat_interval].map(span);
        [indented(node), or_none(names(&node.sinks)), group_words(&node.group_by), wait, interval, repeat, more(node)].map(fit)
    }));
    table(&rows, layout, |_, _| None)
}

pub(super) fn tree_json(nodes: &[Node<'_>]) -> Value {
    json!({ "routes": nodes.iter().map(node_json).collect::<Vec<_>>() })
}

pub(super) fn tried_text(tried: &Tried<'_>, layout: Layout) -> String {
    let incident = tried.incident;
    let mut text = String::new();
    line(&mut text, "", "alert", &incident.labels.to_string());
    line(&mut text, "", "status", &format!("{}, severity {}", incident.findings.status, incident.severity.as_str()));
    line(&mut text, "", "at", &rfc3339(tried.at));
    if let Some(mute) = &tried.explanation.mute {
        line(&mut text, "", "mute", &mute_words(mute));
    }
    for rule in tried.inhibitors() {
        line(&mut text, "", "inhibited", &inhibitor_words(rule));
    }
    if let Some(note) = tried.note {
        line(&mut text, "", "note", note);
    }
    let mut rows = vec![["ROUTE", "SINKS", "ALERT"].map(str::to_owned)];
    rows.extend(tried.nodes.iter().map(|node| [indented(node), or_none(names(&node.sinks)), visit_words(node, incident)].map(fit)));
    let _ = write!(text, "\n{}", table(&rows, layout, |_, _| None));
    for route in &tried.explanation.routes {
        let _ = writeln!(text, "\n{}", escaped(&format!("taken by {}", route.route)));
        taken(&mut text, route);
    }
    text
}

pub(super) fn tried_json(tried: &Tried<'_>) -> Value {
    let incident = tried.incident;
    json!({
        "at": rfc3339(tried.at),
        "alert": { "labels": incident.labels, "status": incident.findings.status.as_str(), "severity": incident.severity.as_str() },
        "mute": tried.explanation.mute.as_ref().map(mute_json),
        "inhibited_while": tried.inhibitors().map(inhibitor_json).collect::<Vec<_>>(),
        "tree": tried.nodes.iter().map(node_json).collect::<Vec<_>>(),
        "routes": tried.explanation.routes.iter().map(taken_json).collect::<Vec<_>>(),
        "note": tried.note,
    })
}

/// How a route that takes the alert tells it.
fn taken(text: &mut String, route: &RouteTaken) {
    let Timing { group_wait, group_interval, repeat_interval } = route.timing;
    let sinks = match (route.sinks.is_empty(), route.escalate.is_empty()) {
        (true, true) => "none: nobody is told".to_owned(),
        (true, false) => "none at first".to_owned(),
        (false, _) => names(&route.sinks),
    };
    line(text, "  ", "sinks", &sinks);
    line(text, "  ", "group", route.group.as_str());
    line(text, "  ", "told", &format!("{} after it begins, what changes every {} at most", span(group_wait), span(group_interval)));
    line(text, "  ", "again", &format!("every {} while it lasts", span(repeat_interval)));
    for rung in &route.escalate {
        let words = format!("after {} also {}, unless it is acknowledged", span(rung.after), names(&rung.sinks));
        line(text, "  ", "escalates", &words);
    }
    if let Some(mute) = &route.mute {
        line(text, "  ", "mute", &mute_words(mute));
    }
}

fn line(text: &mut String, indent: &str, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{indent}{name:<11}{}", escaped(value));
}

fn fit(cell: String) -> String {
    escaped(&cell).to_string()
}

fn indented(node: &Node<'_>) -> String {
    format!("{}{}", "  ".repeat(node.depth()), node.name())
}

fn or_none(text: String) -> String {
    if text.is_empty() { NONE.to_owned() } else { text }
}

fn span(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

fn group_words(group_by: &GroupBy) -> String {
    match group_by {
        GroupBy::All => "each alone".to_owned(),
        GroupBy::Labels(labels) => or_none(labels.join(", ")),
    }
}

/// What few routes say.
fn more(node: &Node<'_>) -> String {
    let rung = |rung: &Rung| format!("after {} also {}", span(rung.after), names(&rung.sinks));
    let mut parts: Vec<String> = node.escalate.iter().map(rung).collect();
    if node.written.continues {
        parts.push("continue".to_owned());
    }
    if !node.written.mute_times.is_empty() {
        parts.push(format!("mute in {}", names(&node.written.mute_times)));
    }
    if !node.written.active_times.is_empty() {
        parts.push(format!("active in {}", names(&node.written.active_times)));
    }
    parts.join("; ")
}

fn visit_words(node: &Node<'_>, incident: &Incident) -> String {
    match &node.visit {
        Some(Visit::Takes) => "takes it".to_owned(),
        Some(Visit::Passes) => "matches, and one below takes it".to_owned(),
        Some(Visit::MatchesNot(matcher)) => format!("no: {matcher}, {}", actual(matcher.name(), incident)),
        Some(Visit::NotAsked) => "not asked".to_owned(),
        None => String::new(),
    }
}

/// What the alert has in place of what a matcher wants.
fn actual(name: &str, incident: &Incident) -> String {
    let status = incident.findings.status.as_str();
    match (incident.labels.get(name), name) {
        (Some(value), _) => format!("and `{name}` is \"{value}\""),
        (None, "status") => format!("and `status` is \"{status}\""),
        (None, "severity") => format!("and `severity` is \"{}\"", incident.severity.as_str()),
        (None, _) => format!("and it has no `{name}`"),
    }
}

fn mute_words(mute: &Mute) -> String {
    match mute {
        Mute::InMaintenance { until: Some(until), .. } => format!("{mute}, until {}", rfc3339(*until)),
        mute => mute.to_string(),
    }
}

fn inhibitor_words(rule: &InhibitRule) -> String {
    let equal = if rule.equal.is_empty() { String::new() } else { format!(" and has the same {}", rule.equal.join(", ")) };
    format!("while another alert matches {}{equal}", listed(&rule.source))
}

fn node_json(node: &Node<'_>) -> Value {
    let visit = match &node.visit {
        None => Value::Null,
        Some(Visit::Takes) => json!({ "name": "takes" }),
        Some(Visit::Passes) => json!({ "name": "passes" }),
        Some(Visit::MatchesNot(matcher)) => json!({ "name": "matches-not", "matcher": matcher.to_string() }),
        Some(Visit::NotAsked) => json!({ "name": "not-asked" }),
    };
    let group_by = match &node.group_by {
        GroupBy::All => vec!["...".to_owned()],
        GroupBy::Labels(labels) => labels.clone(),
    };
    json!({
        "route": node.name(),
        "depth": node.depth(),
        "match": node.written.matchers,
        "continue": node.written.continues,
        "sinks": node.sinks,
        "group_by": group_by,
        "timing": timing_json(&node.timing),
        "escalate": escalate_json(&node.escalate),
        "mute_times": node.written.mute_times,
        "active_times": node.written.active_times,
        "visit": visit,
    })
}

fn taken_json(route: &RouteTaken) -> Value {
    json!({
        "route": route.route,
        "match": route.matchers,
        "group_key": route.group.as_str(),
        "sinks": route.sinks,
        "timing": timing_json(&route.timing),
        "escalate": escalate_json(&route.escalate),
        "mute": route.mute.as_ref().map(mute_json),
    })
}

fn timing_json(timing: &Timing) -> Value {
    json!({
        "group_wait_seconds": timing.group_wait.as_secs_f64(),
        "group_interval_seconds": timing.group_interval.as_secs_f64(),
        "repeat_interval_seconds": timing.repeat_interval.as_secs_f64(),
    })
}

fn escalate_json(rungs: &[Rung]) -> Vec<Value> {
    rungs.iter().map(|rung| json!({ "after_seconds": rung.after.as_secs_f64(), "sinks": rung.sinks })).collect()
}

fn mute_json(mute: &Mute) -> Value {
    json!({ "name": mute.name(), "detail": mute_words(mute) })
}

fn inhibitor_json(rule: &InhibitRule) -> Value {
    json!({ "source": rule.source, "equal": rule.equal })
}
