//! Every way in which a guest can hurt a host, beside checks that must not notice.

use serde_json::Value;
use sickbay_tests::{Samples, Sickbay, check, program, services, until};

const NEIGHBOURS: usize = 20;
const RUNS: u64 = 4;

/// Kind of the guest, status, reason, and what the reason tells.
const WAYS: [(&str, &str, &str, &str); 18] = [
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
    ("bad-metrics", "unknown", "InvalidReport", "metric name"),
    ("hostile-text", "critical", "Reported", "content"),
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
    let metrics = Samples::parse(&text);
    for quota in ["cpu_ms", "memory_bytes", "host_calls", "log_bytes"] {
        let exceeded = metrics.sum("sickbay_quota_exceeded_total", &[("plugin", "hostile"), ("quota", quota)]);
        assert!(exceeded >= RUNS as f64, "{quota}: {exceeded}");
    }
    for reason in ["trap", "deadline", "invalid_report"] {
        let traps = metrics.sum("sickbay_plugin_traps_total", &[("plugin", "hostile"), ("reason", reason)]);
        assert!(traps >= RUNS as f64, "{reason}: {traps}");
    }
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
    assert_eq!(metrics.series("sickbay_check_metric", &[("check", "way-bad-metrics")]).count(), 0);
}

async fn answers_hold_no_markup_and_no_control_characters(sickbay: &Sickbay) {
    let page = sickbay.get("/").await;
    assert_eq!(page.status, 200);
    let html = page.text();
    assert!(html.contains("onerror=alert(1)"), "the hostile text is not on the page");
    for markup in ["<img", "<script", "</script", "check=\"forged\""] {
        assert!(!html.contains(markup), "{markup} is on the page");
    }
    for path in [
        "/api/v1/checks?limit=1000",
        "/api/v1/checks/way-hostile-text",
        "/api/v1/checks/way-hostile-text/results",
        "/healthz",
        "/api/v1/plugins",
    ] {
        let answer = sickbay.get(path).await;
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_texts_are_lines(&answer.json(), path);
    }
}

/// No text for people breaks a line, moves a cursor or turns its direction; `details` are the guest's own data.
fn assert_texts_are_lines(value: &Value, path: &str) {
    match value {
        Value::String(text) => {
            let misleads =
                |character: char| character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            assert!(!text.contains(misleads), "{path}: {text:?}");
        }
        Value::Array(items) => items.iter().for_each(|item| assert_texts_are_lines(item, path)),
        Value::Object(fields) => {
            fields.iter().filter(|(name, _)| *name != "details").for_each(|(_, field)| assert_texts_are_lines(field, path))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Each line begins with the time of the log itself and is bounded.
fn log_lines_cannot_be_forged(log: &str) {
    const LOG_LINE_BYTES_MAX: usize = 80 << 10;
    for line in log.lines() {
        assert!(line.starts_with("20") && line.get(10..11) == Some("T"), "a line of another author: {line:.200}");
        assert!(!line.contains('\u{1b}') && line.len() <= LOG_LINE_BYTES_MAX, "{line:.200}");
    }
}
