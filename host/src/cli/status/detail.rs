//! One check: how it stands and why, what it measured, and its last results.

use std::fmt::Write as _;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sickbay_core::{Decision, reason};

use super::{CHECKS, CONFIG, Look, NONE, ago, for_how_long, notices, state};
use crate::api::config::ConfigItem;
use crate::api::model::{CheckAlertsItem, CheckDetail, EvidenceItem, ExplainedItem, HoldingItem, MetricItem, Page, ResultItem};
use crate::api::problem::Problem;
use crate::cli::client::{Client, path_segment};
use crate::cli::incident::explained;
use crate::cli::table::table;
use crate::config::counted;
use crate::escape::escaped;
use crate::page::age;

/// The newest ones.
const RESULTS_SHOWN_MAX: usize = 10;
/// A report has at most 256; `-o json` shows all.
const METRICS_SHOWN_MAX: usize = 64;
/// A longer text of a result is told once.
const REPEATED_BYTES_MAX: usize = 60;

pub(super) fn json_of(client: &Client, name: &str) -> anyhow::Result<String> {
    let Told { unready, config, check, results } = Client::block_on(ask::<Value, Value, Value>(client, name))?;
    Ok(format!("{:#}\n", json!({ "unready": unready, "config": config, "check": check, "results": results.ok() })))
}

pub(super) fn text_of(client: &Client, name: &str, look: Look) -> anyhow::Result<String> {
    let Told { unready, config, check, results } = Client::block_on(ask::<ConfigItem, CheckDetail, ResultItem>(client, name))?;
    let mut text = notices(unready.as_ref(), &config, look) + &text(&check, results.as_deref().unwrap_or_default(), look);
    if let Err(error) = &results {
        let _ = writeln!(text, "\nLAST RESULTS  cannot be read now: {error:#}");
    }
    Ok(text)
}

/// What Sickbay said.
struct Told<Config, Check, Item> {
    unready: Option<Problem>,
    config: Config,
    check: Check,
    /// They are in the store, which may be away while the rest is known.
    results: anyhow::Result<Vec<Item>>,
}

async fn ask<Config, Check, Item>(client: &Client, name: &str) -> anyhow::Result<Told<Config, Check, Item>>
where
    Config: DeserializeOwned,
    Check: DeserializeOwned,
    Item: DeserializeOwned,
{
    let path = format!("{CHECKS}/{}", path_segment(name));
    let check = client.get(&path).await?;
    let results = client.get(&format!("{path}/results?limit={RESULTS_SHOWN_MAX}")).await.map(|page: Page<Item>| page.items);
    Ok(Told { config: client.get(CONFIG).await?, check, results, unready: client.unready().await? })
}

fn text(detail: &CheckDetail, results: &[ResultItem], look: Look) -> String {
    let mut text = head(detail, look) + "\n" + &facts(detail, look.now);
    alerts(&mut text, &detail.alerts);
    evidence(&mut text, &detail.evidence, look);
    metrics(&mut text, &detail.metrics, look);
    last_results(&mut text, results, &detail.check.told(), look);
    text
}

/// `web: critical (soft 1/3, hard: ok)`
fn head(detail: &CheckDetail, look: Look) -> String {
    let check = &detail.check;
    let (begin, end) = look.painted(check.status).map_or(("", ""), |begin| (begin, "\u{1b}[0m"));
    let state = match check.last_run_at {
        Some(_) => state(check.state, check.hard_status, check.decision.as_ref()),
        None => "has not run yet".to_owned(),
    };
    format!("{}: {begin}{}{end} ({state})\n", escaped(&check.name), check.status.as_str())
}

fn facts(detail: &CheckDetail, now: Duration) -> String {
    let check = &detail.check;
    let moment = |at: &String| format!("{} ({at})", ago(Some(at), now));
    let took = detail.last_duration_seconds.map_or_else(String::new, |seconds| format!(", took {}", took(seconds)));
    let labels: Vec<String> = check.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let is_pushed = detail.push_within_seconds.is_some();
    let kind = if check.kind.is_empty() { String::new() } else { format!(", kind {}", check.kind) };
    let facts = [
        // What nobody could judge has its reason for a summary.
        ("summary", Some(check.summary.clone()).filter(|summary| !check.reason_detail.contains(summary.trim_end_matches('…')))),
        ("reason", Some(format!("{}: {}", check.reason, check.reason_detail))),
        ("decision", check.decision.as_ref().map(decision)),
        ("failure", detail.failure.clone()),
        ("flapping", detail.flapping_since.as_ref().map(|at| format!("for {} ({at})", for_how_long(Some(at), now)))),
        ("blocked by", check.unreachable_by.as_ref().map(|cause| format!("{cause}, which is down"))),
        (
            "dependents",
            Some(check.dependents).filter(|count| *count > 0).map(|count| format!("{} unreachable because of it", counted(count, "check"))),
        ),
        ("depends on", Some(detail.depends_on.join(", ")).filter(|parents| !parents.is_empty())),
        ("made of", Some(detail.members.join(", ")).filter(|members| !members.is_empty())),
        ("healthy", detail.healthy_min.map(|wanted| format!("at least {wanted} of them wanted"))),
        ("holding", Some(holding(&detail.holding)).filter(|holding| !holding.is_empty())),
        ("waiting", Some(detail.waiting.join(", ")).filter(|waiting| !waiting.is_empty())),
        ("confirmed", check.since.as_ref().map(|at| confirmed(check.hard_status.as_str(), at, now))),
        ("last run", check.last_run_at.as_ref().map(|at| moment(at) + &took)),
        ("next run", detail.next_run_at.as_ref().map(|at| format!("in {} ({at})", until(at, now)))),
        ("last ok", detail.last_success_at.as_ref().map(moment)),
        ("runs", Some(format!("{}, each at most {}", cadence(detail), span(detail.timeout_seconds))).filter(|_| !is_pushed)),
        ("pushed", detail.push_within_seconds.map(|within| format!("silent for at most {}", span(within)))),
        ("plugin", Some(format!("{}{kind}", check.plugin)).filter(|_| !check.plugin.is_empty())),
        ("labels", Some(labels.join(", ")).filter(|labels| !labels.is_empty())),
    ];
    let mut text = String::new();
    for (name, value) in facts {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<11}{}", escaped(&value));
        }
    }
    text
}

/// `report.metrics.a > 1.0` for 2m of 5m
fn holding(holding: &[HoldingItem]) -> String {
    let told =
        holding.iter().map(|item| format!("`{}` for {} of {}", item.condition, span(item.held_seconds.floor()), span(item.for_seconds)));
    told.collect::<Vec<_>>().join(", ")
}

/// `every 1m`, `at 0 2 * * * (Europe/Berlin), every 5m while soft`
fn cadence(detail: &CheckDetail) -> String {
    let normal = match (&detail.cron, detail.every_seconds) {
        (Some(cron), _) => format!("at {cron} ({})", detail.timezone.as_deref().unwrap_or("UTC")),
        (None, Some(every)) => format!("every {}", span(every)),
        (None, None) => NONE.to_owned(),
    };
    let retry = detail.retry_every_seconds.map_or_else(String::new, |retry| format!(", every {} while soft", span(retry)));
    normal + &retry
}

/// The time from now on until `at`.
fn until(at: &str, now: Duration) -> String {
    let at_1970 = humantime::parse_rfc3339(at).ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    at_1970.map_or_else(|| at.to_owned(), |at| age(at.saturating_sub(now)))
}

fn confirmed(status: &str, since: &str, now: Duration) -> String {
    format!("{status} for {} ({since})", for_how_long(Some(since), now))
}

/// What the state machine did with the last result.
fn decision(decision: &Value) -> String {
    let name = decision.get("name").and_then(Value::as_str).unwrap_or_default();
    let meaning = match serde_json::from_value::<Decision>(decision.clone()) {
        Ok(Decision::Unchanged) => "the result is what was confirmed already".to_owned(),
        Ok(Decision::SoftFailure { count, of }) => format!("failure {count}; {of} in a row are confirmed"),
        Ok(Decision::SoftSuccess { count, of }) => format!("success {count}; {of} in a row are confirmed"),
        Ok(Decision::SoftUnknown { count, of }) => format!("unknown {count}; {of} in a row are confirmed"),
        Ok(Decision::FailureKept) => "an unknown does not hide a confirmed failure".to_owned(),
        Ok(Decision::Hardened { from, to }) => format!("the confirmed status changed from {from} to {to}"),
        // Of another version of Sickbay.
        Err(_) => return name.to_owned(),
    };
    format!("{name}: {meaning}")
}

/// What is open, why who is told of it and what happens next; or who would be told.
fn alerts(text: &mut String, alerts: &CheckAlertsItem) {
    for ExplainedItem { incident, explanation } in &alerts.incidents {
        let line = format!("INCIDENT {}: {} {}", incident.id, incident.severity, incident.phase);
        let mute = incident.mute.as_ref().map_or_else(String::new, |mute| format!(", not told: {}", mute.detail));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{}", escaped(&(line + &mute)));
        explained(text, explanation);
    }
    if let Some(explanation) = &alerts.explanation {
        text.push_str("\nALERTS\n  what would become of a failure\n");
        if let Some(mute) = &explanation.mute {
            let _ = writeln!(text, "  not told now: {}", escaped(&mute.detail));
        }
        explained(text, explanation);
    }
}

fn evidence(text: &mut String, evidence: &[EvidenceItem], look: Look) {
    if evidence.is_empty() {
        return;
    }
    let mut rows = vec![["EVIDENCE", "ACTUAL", "EXPECTED", "UNIT"].map(str::to_owned)];
    rows.extend(evidence.iter().map(|item| [&item.metric, &item.actual, &item.expected, &item.unit].map(|cell| shown(cell))));
    let _ = write!(text, "\n{}", table(&rows, look.layout, |_, _| None));
}

fn metrics(text: &mut String, metrics: &[MetricItem], look: Look) {
    if metrics.is_empty() {
        return;
    }
    let mut rows = vec![["METRIC", "VALUE", "UNIT", "LABELS"].map(str::to_owned)];
    rows.extend(metrics.iter().take(METRICS_SHOWN_MAX).map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        [&metric.name, &metric.value.to_string(), &metric.unit, &labels.join(", ")].map(|cell| shown(cell))
    }));
    let _ = write!(text, "\n{}", table(&rows, look.layout, |_, _| None));
    if metrics.len() > METRICS_SHOWN_MAX {
        let _ = writeln!(text, "and {} more; `-o json` shows all", metrics.len() - METRICS_SHOWN_MAX);
    }
}

/// A long text that stands above already, first of all `told`, is not repeated.
fn last_results(text: &mut String, results: &[ResultItem], told: &str, look: Look) {
    if results.is_empty() {
        return;
    }
    let mut rows = vec![["LAST RESULTS", "STATUS", "STATE", "TOOK", "SUMMARY"].map(str::to_owned)];
    let mut above = told.to_owned();
    rows.extend(results.iter().map(|result| {
        let told = reason::told(&result.summary, &result.reason, &result.reason_detail);
        let is_repeated = told == above && told.len() > REPEATED_BYTES_MAX;
        let summary = if is_repeated { "as above".to_owned() } else { told.clone() };
        above = told;
        let cells = [
            ago(Some(&result.started_at), look.now),
            result.status.as_str().to_owned(),
            state(result.state, result.hard_status, Some(&result.decision)),
            took(result.duration_seconds),
            summary,
        ];
        cells.map(|cell| shown(&cell))
    }));
    let painted = |row: usize, column: usize| {
        let result = row.checked_sub(1).and_then(|index| results.get(index)).filter(|_| column == 1)?;
        look.painted(result.status)
    };
    let _ = write!(text, "\n{}", table(&rows, look.layout, painted));
}

fn shown(cell: &str) -> String {
    if cell.is_empty() { NONE.to_owned() } else { escaped(cell).to_string() }
}

/// `10s`, `1m 30s`
fn span(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) => humantime::format_duration(span).to_string(),
        Err(_) => format!("{seconds} s"),
    }
}

/// `12.3 ms`, `1.50 s`
fn took(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::api::model::{StateWord, StatusWord};
    use crate::cli::status::tests::{item, look, soft};

    fn detail() -> CheckDetail {
        let mut check = soft("web", StatusWord::Critical, StatusWord::Ok, json!({ "name": "SoftFailure", "count": 1, "of": 3 }));
        (check.reason, check.reason_detail) = ("Reported".to_owned(), "the plugin reported critical (refused)".to_owned());
        check.summary = "nobody \u{1b}[2J answers".to_owned();
        check.labels = BTreeMap::from([("service".to_owned(), "api".to_owned())]);
        CheckDetail {
            check,
            every_seconds: Some(90.0),
            push_within_seconds: None,
            cron: None,
            timezone: None,
            retry_every_seconds: None,
            timeout_seconds: 5.0,
            last_duration_seconds: Some(0.0123),
            last_success_at: Some("2023-11-14T22:08:20.000Z".to_owned()),
            next_run_at: Some("2023-11-14T22:18:20.000Z".to_owned()),
            failures: 1,
            failures_needed: 3,
            successes: 0,
            successes_needed: 2,
            unknowns: 0,
            failure: Some("refused".to_owned()),
            evidence: vec![EvidenceItem {
                metric: String::new(),
                actual: "none".to_owned(),
                expected: "an answer".to_owned(),
                unit: String::new(),
            }],
            metrics: vec![MetricItem {
                name: "latency_seconds".to_owned(),
                value: 0.25,
                kind: "gauge".to_owned(),
                unit: "seconds".to_owned(),
                labels: BTreeMap::from([("phase".to_owned(), "total".to_owned())]),
            }],
            flapping_since: None,
            depends_on: Vec::new(),
            members: Vec::new(),
            healthy_min: None,
            holding: Vec::new(),
            waiting: Vec::new(),
            runs: BTreeMap::new(),
            alerts: CheckAlertsItem::default(),
        }
    }

    #[test]
    fn who_would_be_told_of_a_failure_is_told() {
        let explanation = json!({
            "routes": [{
                "route": "{}", "matchers": [], "group": "{}:{}", "sinks": [], "escalate": [], "rungs_climbed": 0,
                "group_wait_seconds": 30.0, "group_interval_seconds": 300.0, "repeat_interval_seconds": 14400.0, "mute": null,
            }],
            "mute": null, "told": [], "next": [], "says": ["nobody is told by the route {}: it has no sinks"],
        });
        let mut detail = detail();
        detail.alerts.explanation = serde_json::from_value(explanation).expect("an explanation");
        let told = text(&detail, &[], look());
        for line in ["  nobody is told by the route {}: it has no sinks\n", "  {}:{} to nobody\n"] {
            assert!(told.contains(line), "{line} is missing in:\n{told}");
        }
    }

    #[test]
    fn what_a_check_stands_on_and_how_it_flaps_is_told() {
        let mut detail = detail();
        detail.flapping_since = Some("2023-11-14T22:08:20.000Z".to_owned());
        detail.depends_on = vec!["db".to_owned(), "2 of a, b, c".to_owned()];
        detail.holding = vec![HoldingItem { condition: "a > 1.0".to_owned(), held_seconds: 120.5, for_seconds: 300.0 }];
        (detail.check.unreachable_by, detail.check.dependents) = (Some("db".to_owned()), 1);
        let told = text(&detail, &[], look());
        for line in [
            "flapping   for 5m (2023-11-14T22:08:20.000Z)\n",
            "blocked by db, which is down\n",
            "dependents 1 check unreachable because of it\n",
            "depends on db, 2 of a, b, c\n",
            "holding    `a > 1.0` for 2m of 5m\n",
        ] {
            assert!(told.contains(line), "{line} is missing in:\n{told}");
        }
    }

    fn result() -> ResultItem {
        ResultItem {
            seq: 7,
            check: "web".to_owned(),
            status: StatusWord::Ok,
            hard_status: StatusWord::Ok,
            state: StateWord::Hard,
            summary: "HTTP 200".to_owned(),
            reason: "Passed".to_owned(),
            reason_detail: "passed".to_owned(),
            decision: json!({ "name": "Unchanged" }),
            failure: None,
            transition: None,
            trigger: "schedule".to_owned(),
            scheduled_at: "2023-11-14T22:08:20.000Z".to_owned(),
            started_at: "2023-11-14T22:08:20.000Z".to_owned(),
            duration_seconds: 1.5,
            plugin: "http".to_owned(),
            plugin_version: "0123456789ab".to_owned(),
            evidence: Vec::new(),
            metrics: Vec::new(),
            details: None,
        }
    }

    #[test]
    fn one_check_is_told_with_all_that_decided() {
        assert_eq!(
            text(&detail(), &[result()], look()),
            "\
web: critical (soft 1/3, hard: ok)

summary    nobody \\u{1b}[2J answers
reason     Reported: the plugin reported critical (refused)
decision   SoftFailure: failure 1; 3 in a row are confirmed
failure    refused
confirmed  ok for 2h 0m (2023-11-14T20:13:20.000Z)
last run   2s ago (2023-11-14T22:13:17.500Z), took 12.3 ms
next run   in 5m (2023-11-14T22:18:20.000Z)
last ok    5m ago (2023-11-14T22:08:20.000Z)
runs       every 1m 30s, each at most 5s
plugin     system, kind disk
labels     service=api

EVIDENCE  ACTUAL  EXPECTED   UNIT
-         none    an answer  -

METRIC           VALUE  UNIT     LABELS
latency_seconds  0.25   seconds  phase=total

LAST RESULTS  STATUS  STATE  TOOK    SUMMARY
5m ago        ok      hard   1.50 s  HTTP 200
"
        );
    }

    #[test]
    fn a_long_text_is_told_once() {
        let why = "the plugin could not judge (denied): the path `/etc/passwd` is not granted, and neither is another";
        let mut unknown = detail();
        unknown.check = item("web", StatusWord::Unknown, why);
        (unknown.check.reason, unknown.check.reason_detail) = ("PluginFailure".to_owned(), why.to_owned());
        let same = || ResultItem { summary: why.to_owned(), reason: "PluginFailure".to_owned(), reason_detail: why.to_owned(), ..result() };
        let text = text(&unknown, &[same(), result(), same()], look());
        assert_eq!(text.matches(why).count(), 2, "{text}");
        assert!(text.contains("reason     PluginFailure: the plugin") && text.contains("as above\n"), "{text}");
    }

    #[test]
    fn a_cadence_is_told_as_it_is_written() {
        let (cron, zone) = (Some("0 2 * * *".to_owned()), Some("Europe/Berlin".to_owned()));
        let nightly = CheckDetail { every_seconds: None, cron, timezone: zone, retry_every_seconds: Some(300.0), ..detail() };
        assert_eq!(cadence(&nightly), "at 0 2 * * * (Europe/Berlin), every 5m while soft");
        assert_eq!(cadence(&detail()), "every 1m 30s");
    }

    #[test]
    fn a_check_that_has_not_run_has_neither_times_nor_results() {
        let mut new = detail();
        new.check = item("new", StatusWord::Unknown, "");
        (new.check.last_run_at, new.check.since, new.check.decision) = (None, None, None);
        (new.last_success_at, new.last_duration_seconds, new.failure) = (None, None, None);
        new.next_run_at = None;
        (new.evidence, new.metrics) = (Vec::new(), Vec::new());
        let text = text(&new, &[], look());
        assert!(text.starts_with("new: unknown (has not run yet)\n\nreason     Passed: passed\nruns "), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
    }

    #[test]
    fn a_decision_of_another_version_is_told_by_its_name() {
        assert_eq!(decision(&json!({ "name": "Deferred", "until": 7 })), "Deferred");
        let hardened = decision(&json!({ "name": "Hardened", "from": "ok", "to": "critical" }));
        assert_eq!(hardened, "Hardened: the confirmed status changed from ok to critical");
    }
}
