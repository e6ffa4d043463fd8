//! Every way in which a guest can hurt a host, beside checks that must not notice.

use serde_json::Value;
use sickbay_tests::{Samples, Sickbay, check, program, services, until};

const NEIGHBOURS: usize = 20;
const RUNS: u64 = 4;

/// Kind of the guest, status, reason, and what the reason tells.
const WAYS: [(&str, &str, &str, &str); 22] = [
    ("spin", "unknown", "QuotaExceeded", "`cpu_ms` = 200"),
    ("trap", "unknown", "PluginTrapped", "the guest gives up"),
    ("recurse", "unknown", "PluginTrapped", "wasm trap"),
    ("memory", "unknown", "QuotaExceeded", "`memory_bytes` = 67108864"),
    ("flood-log", "unknown", "QuotaExceeded", "`log_bytes` = 65536"),
    ("flood-stdout", "ok", "Passed", ""),
    ("calls", "unknown", "QuotaExceeded", "`host_calls` = 100"),
    ("state-flood", "unknown", "QuotaExceeded", "`host_calls` = 100"),
    ("sleep", "unknown", "RunDeadline", "after 700 ms"),
    // The service does not answer: that is the service's failure, not the plugin's.
    ("slow-http", "critical", "Reported", "timeout"),
    ("big-report", "unknown", "InvalidReport", "bytes to the host at once"),
    ("long-text", "unknown", "InvalidReport", "bytes to the host at once"),
    ("megabyte", "ok", "Passed", ""),
    ("many-metrics", "ok", "Passed", ""),
    ("bad-metrics", "unknown", "InvalidReport", "metric name"),
    ("bad-labels", "unknown", "InvalidReport", "the label name"),
    ("hostile-text", "critical", "Reported", "content"),
    ("hostile-log", "ok", "Passed", ""),
    ("hostile-names", "unknown", "InvalidReport", "is not"),
    ("hostile-failure", "unknown", "PluginFailure", "could not judge"),
    ("lie", "unknown", "InvalidReport", "not a JSON object"),
    ("ok", "ok", "Passed", ""),
];

async fn configuration() -> String {
    let url = services::silent().await;
    let neighbours = (0..NEIGHBOURS).map(|number| check(&format!("neighbour-{number:02}"), "noop", "1s", ""));
    let hostile = WAYS.iter().map(|(kind, ..)| {
        let mut more = format!("kind = \"{kind}\"\ntimeout = \"700ms\"");
        if *kind == "slow-http" {
            more += &format!("\nconfig = {{ url = \"{url}\" }}\ngrants = {{ http = [\"GET {url}*\"] }}");
        }
        check(&format!("way-{kind}"), "hostile", "1s", &more)
    });
    neighbours.chain(hostile).collect()
}

#[tokio::test]
async fn every_way_to_misbehave_ends_with_its_reason_and_disturbs_nobody() {
    let sickbay = Sickbay::started(&configuration().await, &["noop", "hostile"]).await;
    until("everything ran some times", async || {
        let metrics = sickbay.metrics().await;
        sickbay.check_names().await.iter().all(|name| metrics.runs_recorded(Some(name)) >= RUNS)
    })
    .await;
    assert_eq!(sickbay.get("/readyz").await.status, 200);
    reasons_fit(&sickbay).await;
    neighbours_keep_their_cadence(&sickbay).await;
    metrics_are_valid_and_bounded(&sickbay).await;
    answers_hold_no_markup_and_no_control_characters(&sickbay).await;
    verbs_act_on_no_terminal(&sickbay, &["way-hostile-text", "way-hostile-failure", "way-bad-labels"]).await;
    log_lines_cannot_be_forged(&sickbay.log());
}

async fn reasons_fit(sickbay: &Sickbay) {
    for (kind, status, reason, told) in WAYS {
        let name = format!("way-{kind}");
        let check = sickbay.check(&name).await;
        assert_eq!((&check["status"], &check["reason"]), (&status.into(), &reason.into()), "{check}");
        let detail = check["reason_detail"].as_str().unwrap_or_default();
        assert!(detail.contains(told), "{kind}: {detail}");
        if reason == "QuotaExceeded" || reason == "RunDeadline" {
            assert!(detail.contains("hint: raise `"), "{kind}: {detail}");
        }
        for result in sickbay.results(&name).await {
            assert_eq!(result["reason"], reason, "every run of {kind} ends alike: {result}");
            assert!(result["summary"].as_str().is_some_and(|summary| !summary.is_empty() && summary.len() <= 512), "{result}");
        }
    }
    assert_eq!(sickbay.check("way-slow-http").await["failure"], "timeout");
    let long = sickbay.check("way-megabyte").await;
    assert!(long["summary"].as_str().is_some_and(|summary| summary.starts_with("long long") && summary.ends_with('…')), "{long}");
    assert_eq!(sickbay.get("/healthz").await.status, 503, "a critical answer is believed, also of this plugin");
}

async fn neighbours_keep_their_cadence(sickbay: &Sickbay) {
    let metrics = sickbay.metrics().await;
    for number in 0..NEIGHBOURS {
        let name = format!("neighbour-{number:02}");
        let runs = |outcome: &str| metrics.sum("sickbay_check_runs_total", &[("check", name.as_str()), ("outcome", outcome)]);
        assert_eq!((runs("skipped"), runs("unknown"), runs("critical"), runs("warning")), (0.0, 0.0, 0.0, 0.0), "{name}");
    }
    let runs = metrics.sum("sickbay_schedule_lateness_seconds_count", &[]);
    let in_time = metrics.sum("sickbay_schedule_lateness_seconds_bucket", &[("le", "1")]);
    assert!(in_time >= runs * 0.99, "of {runs} runs only {in_time} began within a second");
}

async fn metrics_are_valid_and_bounded(sickbay: &Sickbay) {
    let text = sickbay.get("/metrics").await.text();
    let judged = program::pipe("promtool", &["check", "metrics"], &text).await;
    assert_eq!((judged.code, judged.out.as_str(), judged.err.as_str()), (0, "", ""));
    assert!(!text.contains(|character: char| character != '\n' && misleads(character)), "a label misleads");
    let metrics = Samples::parse(&text);
    for quota in ["cpu_ms", "memory_bytes", "host_calls", "log_bytes"] {
        let exceeded = metrics.sum("sickbay_quota_exceeded_total", &[("plugin", "hostile"), ("quota", quota)]);
        assert!(exceeded >= RUNS as f64, "{quota}: {exceeded}");
    }
    for reason in ["trap", "deadline", "invalid_report"] {
        let traps = metrics.sum("sickbay_plugin_traps_total", &[("plugin", "hostile"), ("reason", reason)]);
        assert!(traps >= RUNS as f64, "{reason}: {traps}");
    }
    for (reason, each) in [("not_finite", 1), ("too_many", 36)] {
        let dropped = metrics.sum("sickbay_metrics_dropped_total", &[("plugin", "hostile"), ("reason", reason)]);
        assert!(dropped >= (RUNS * each) as f64, "{reason}: {dropped}");
    }
    for (capability, each) in [("state", 200), ("http", 1)] {
        let calls = metrics.sum("sickbay_capability_calls_total", &[("plugin", "hostile"), ("capability", capability)]);
        assert!(calls >= (RUNS * each) as f64, "{capability}: {calls}");
    }
    assert_eq!(metrics.sum("sickbay_capability_calls_total", &[("plugin", "noop")]), 0.0);
    // A forged line would be a sample of its own; what a guest invents is in the labels of one family alone.
    let names = sickbay.check_names().await;
    for sample in &metrics.0 {
        let is_reported = sample.name == "sickbay_check_metric";
        if let Some(check) = sample.labels.get("check") {
            assert!(names.contains(check), "{sample:?}");
        }
        for (label, value) in &sample.labels {
            let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte));
            assert!(is_plain || is_reported, "{label} of {sample:?}");
        }
    }
    let reported = metrics.series("sickbay_check_metric", &[("check", "way-hostile-text")]).count();
    assert_eq!(reported, 1);
    assert_eq!(metrics.series("sickbay_check_metric", &[("check", "way-many-metrics")]).count(), 64);
    for refused in ["way-bad-metrics", "way-bad-labels"] {
        assert_eq!(metrics.series("sickbay_check_metric", &[("check", refused)]).count(), 0, "{refused}");
    }
}

async fn answers_hold_no_markup_and_no_control_characters(sickbay: &Sickbay) {
    page_holds_the_text_as_text(sickbay).await;
    for path in [
        "/api/v1/checks?limit=1000",
        "/api/v1/checks/way-hostile-text",
        "/api/v1/checks/way-hostile-text/results",
        "/healthz",
        "/api/v1/plugins",
        "/api/v1/plugins/hostile",
    ] {
        let answer = sickbay.get(path).await;
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_texts_are_lines(&answer.json(), path);
    }
}

async fn page_holds_the_text_as_text(sickbay: &Sickbay) {
    let page = sickbay.get("/").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    assert!(html.contains("onerror=alert(1)"), "the hostile text is not on the page");
    for markup in ["<img", "<script", "</script", "check=\"forged\""] {
        assert!(!html.contains(markup), "{markup} is on the page");
    }
    assert!(!html.contains(|character: char| character != '\n' && misleads(character)), "the page misleads");
}

/// What the verbs that ask a running Sickbay print of these checks, and of the plugin where there is one.
async fn verbs_act_on_no_terminal(sickbay: &Sickbay, checks: &[&str]) {
    let url = sickbay.url();
    let of_checks = checks.iter().map(|check| vec!["status", *check]);
    let of_plugins = [vec!["status"], vec!["plugin", "list"], vec!["plugin", "inspect", "hostile"]];
    for verb in of_plugins.into_iter().chain(of_checks) {
        let arguments = [verb.as_slice(), &["--url", url.as_str()]].concat();
        let ran = program::run(sickbay.folder(), &arguments).await;
        let is_told = ran.code == 0 || (verb.contains(&"inspect") && ran.err.contains("no plugin is named"));
        assert!(is_told, "{ran:?}");
        assert!(!(ran.out + &ran.err).contains(|character: char| character != '\n' && misleads(character)), "{verb:?} misleads");
    }
}

/// Breaks a line, moves a cursor, or turns the direction of writing.
fn misleads(character: char) -> bool {
    character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// No text for people misleads; `details` and an `example` are the guest's own data.
fn assert_texts_are_lines(value: &Value, path: &str) {
    match value {
        Value::String(text) => assert!(!text.contains(misleads), "{path}: {text:?}"),
        Value::Array(items) => items.iter().for_each(|item| assert_texts_are_lines(item, path)),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "details" && *name != "example")
            .for_each(|(_, field)| assert_texts_are_lines(field, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Each line begins with the time of the log itself and is bounded.
fn log_lines_cannot_be_forged(log: &str) {
    const LOG_LINE_BYTES_MAX: usize = 80 << 10;
    for line in log.lines() {
        assert!(line.starts_with("20") && line.get(10..11) == Some("T"), "a line of another author: {line:.200}");
        assert!(!line.contains(misleads) && line.len() <= LOG_LINE_BYTES_MAX, "{line:.200}");
    }
    for said in [" WARN plugin: ", " INFO plugin: "] {
        let arrived = log.lines().any(|line| line.contains(said) && line.contains("onerror=alert(1)"));
        assert!(arrived, "what was logged and printed is not in the log behind `{said}`");
    }
}

#[tokio::test]
async fn what_is_pushed_misleads_nobody() {
    let pushed = r#"{"status": "warning", "summary": "down\u001b[2J\u202ekcab\n</script><img src=x onerror=alert(1)>\u2028", "labels": {"note": "\u001b[2J"}}"#;
    let sickbay = Sickbay::started("[[check]]\nname = \"job\"\npush = { within = \"25h\" }\n", &[]).await;
    let push = async |body: &str| sickbay.client().post_body("/api/v1/push/job", body).await;
    let taken = push(pushed).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_texts_are_lines(&taken.json(), "the push");
    for body in [
        r#"{"labels": {"a b\u001b[2J\u202e": "x"}}"#,
        r#"{"metrics": {"a\n\u2066b": 1}}"#,
        r#"{"\u001b[2J\u202e": 1}"#,
        r#"{"status": "\u001b[2J\u202e"}"#,
    ] {
        let refused = push(body).await;
        assert_eq!(refused.status, 400, "{body}");
        assert_texts_are_lines(&refused.json(), body);
    }
    for path in ["/api/v1/checks/job", "/api/v1/checks/job/results", "/healthz"] {
        assert_texts_are_lines(&sickbay.json(path).await, path);
    }
    page_holds_the_text_as_text(&sickbay).await;
    verbs_act_on_no_terminal(&sickbay, &["job"]).await;
    let misleading = sickbay.log().lines().any(|line| line.contains(misleads));
    assert!(!misleading, "{}", sickbay.log());
}
