//! What every language must do alike, on real services: PostgreSQL, Redis, web servers, and the daemon with its deadlines, limits, small values
//! and log.
//!
//! One component is held against it: `tests/conformance/run FILE.wasm` says which, after it has run the fixtures on it. All other end-to-end
//! tests run without these.

mod services;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use sickbay_tests::ask::toml;
use sickbay_tests::{Sickbay, program, until};

const PLUGIN: &str = "conformance";
/// The kinds of the suite in their order, each with the keys that it cannot do without.
const KINDS: [(&str, &[&str]); 13] = [
    ("request", &[]),
    ("report", &["what"]),
    ("end", &["how"]),
    ("state", &[]),
    ("log", &[]),
    ("http", &["urls"]),
    ("postgres", &["source", "sql"]),
    ("redis", &["commands", "source"]),
    ("net", &["addresses"]),
    ("dns", &["names"]),
    ("files", &["paths"]),
    ("secrets", &["secrets"]),
    ("system", &["what"]),
];
const METRICS_MAX: usize = 256;
const EVIDENCE_MAX: usize = 8;

/// A folder with the component, these settings and checks.
fn prepared(text: &str) -> Sickbay {
    let file = std::env::var_os("SICKBAY_TEST_CONFORMANCE").map(PathBuf::from);
    let file = file.expect("SICKBAY_TEST_CONFORMANCE names no component; hint: ./tests/conformance/run FILE.wasm");
    let component = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // Of its own accord no language needs more; here other programs compile and compute beside it.
    let sickbay = Sickbay::prepared(&format!("[plugin.{PLUGIN}]\nlimits = {{ cpu_ms = 60000 }}\n\n{text}"), &[]);
    sickbay.install_bytes(PLUGIN, &component);
    sickbay
}

async fn serving(text: &str) -> Sickbay {
    let mut sickbay = prepared(text);
    sickbay.start().await;
    sickbay
}

/// A check that runs when it is asked to; `more` are further lines of its table.
fn check(name: &str, kind: &str, config: &Value, more: &str) -> String {
    let config = toml(config);
    let cadence = "cron = \"0 0 29 2 *\"\ntimeout = \"10s\"";
    format!("[[check]]\nname = \"{name}\"\nplugin = \"{PLUGIN}\"\nkind = \"{kind}\"\n{cadence}\nconfig = {config}\n{more}\n\n")
}

/// The lines that a run told.
async fn told(sickbay: &Sickbay, check: &str) -> Vec<String> {
    lines(&sickbay.run_now(check).await)
}

fn lines(result: &Value) -> Vec<String> {
    let lines = result["details"]["told"].as_array().unwrap_or_else(|| panic!("nothing was told: {result}"));
    lines.iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
}

fn text<'value>(result: &'value Value, key: &str) -> &'value str {
    result[key].as_str().unwrap_or_default()
}

fn metric(result: &Value, name: &str) -> Option<f64> {
    let metrics = result["metrics"].as_array().into_iter().flatten();
    metrics.into_iter().find(|metric| metric["name"] == name).and_then(|metric| metric["value"].as_f64())
}

#[tokio::test]
async fn it_describes_the_kinds_of_the_suite() {
    let sickbay = serving("").await;
    let plugin = sickbay.plugin(PLUGIN).await;
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(plugin["kinds"], json!(names), "{plugin}");
    for ((name, required), kind) in KINDS.iter().zip(plugin["checks"].as_array().expect("a list")) {
        let schema = &kind["config_schema"];
        let mut keys: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        keys.sort_unstable();
        assert_eq!((keys.as_slice(), &schema["additionalProperties"]), (*required, &json!(false)), "{name}: {schema}");
        assert!(kind["example"].is_object() && !text(kind, "summary").is_empty(), "{kind}");
        let capabilities: Vec<&str> = kind["needs"].as_array().into_iter().flatten().map(|need| text(need, "capability")).collect();
        let wanted = if ["postgres", "redis"].contains(name) { vec![*name] } else { Vec::new() };
        assert_eq!(capabilities, wanted, "{kind}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_before_anything_runs() {
    let sickbay = prepared(&check("wrong", "postgres", &json!({ "source": 5, "sql": [], "frob": 1 }), ""));
    let wrong = program::run(sickbay.folder(), &["validate", "--config", "sickbay.toml"]).await;
    assert_eq!(wrong.code, 2, "{wrong:?}");
    for part in ["`config.source` must be a text, not a whole number", "unknown key `frob`", "sickbay.toml:"] {
        assert!(wrong.err.contains(part), "{part} is not in {}", wrong.err);
    }
    let sickbay = prepared(&check("wrong-word", "report", &json!({ "what": "everything" }), ""));
    let wrong = program::run(sickbay.folder(), &["validate", "--config", "sickbay.toml"]).await;
    assert!(wrong.code == 2 && wrong.err.contains("everything"), "{wrong:?}");
    let sickbay = prepared(&check("right", "report", &json!({ "what": "whole" }), ""));
    let right = program::run(sickbay.folder(), &["validate", "--config", "sickbay.toml"]).await;
    assert_eq!(right.code, 0, "{right:?}");
}

#[tokio::test]
async fn a_run_that_gives_no_report_is_unknown_and_the_next_one_begins_anew() {
    let end = |name: &str, how: &str, more: &str| check(name, "end", &json!({ "how": how }), more);
    let checks = [
        end("trap", "trap", ""),
        end("defect", "defect", ""),
        end("deadline", "loop", "").replace("timeout = \"10s\"", "timeout = \"1s\""),
        end("computing", "loop", "limits = { cpu_ms = 300 }"),
        end("memory", "memory", ""),
        end("service", "service", ""),
        end("configuration", "configuration", ""),
        check("beside", "state", &json!({}), ""),
    ];
    let sickbay = serving(&checks.concat()).await;
    for (name, reasons) in [
        ("trap", &["PluginTrapped"][..]),
        // A language may catch its own mistakes: then it is a failure with their words.
        ("defect", &["PluginTrapped", "PluginFailure"]),
        ("deadline", &["RunDeadline"]),
        ("computing", &["QuotaExceeded"]),
        ("memory", &["QuotaExceeded"]),
        ("configuration", &["PluginFailure"]),
    ] {
        let run = sickbay.run_now(name).await;
        assert_eq!((text(&run, "status"), &run["failure"]), ("unknown", &Value::Null), "{run}");
        assert!(reasons.contains(&text(&run, "reason")), "{run}");
        assert_eq!(text(&sickbay.run_now("beside").await, "status"), "ok", "after {name}");
    }
    let service = sickbay.run_now("service").await;
    assert_eq!((text(&service, "status"), text(&service, "failure")), ("critical", "stale"), "{service}");
    assert_eq!(text(&service, "summary"), "the newest entry is é old");
}

#[tokio::test]
async fn a_crash_is_told_with_the_names_of_functions() {
    let sickbay = serving(&check("trap", "end", &json!({ "how": "trap" }), "record = \"always\"")).await;
    assert_eq!(text(&sickbay.run_now("trap").await, "reason"), "PluginTrapped");
    let is_transcript = |entry: &fs::DirEntry| entry.path().extension().is_some_and(|end| end == "json");
    until("it is recorded", async || {
        fs::read_dir(sickbay.path("transcripts")).is_ok_and(|entries| entries.flatten().any(|entry| is_transcript(&entry)))
    })
    .await;
    let replayed = program::run(sickbay.folder(), &["replay", "trap"]).await;
    assert!(replayed.code == 0 && replayed.out.contains("the same as recorded"), "{replayed:?}");
    let frames: Vec<&str> = replayed.out.lines().filter(|line| line.starts_with("at ")).collect();
    // The engine of JavaScript comes built, without names: there at least the export has one.
    let is_whole = |frame: &&str| !frame.contains("<wasm function");
    let comes_built = sickbay.plugin(PLUGIN).await["producers"].to_string().contains("ComponentizeJS");
    let named = if comes_built { frames.iter().any(is_whole) } else { frames.iter().all(is_whole) };
    assert!(!frames.is_empty() && named, "{}", replayed.out);
}

#[tokio::test]
async fn a_report_keeps_its_metrics_labels_evidence_and_details() {
    let report = |name: &str, what: &str| check(name, "report", &json!({ "what": what }), "");
    let checks =
        [report("whole", "whole"), report("too-much", "too-much"), report("not-finite", "not-finite"), report("judged", "findings")];
    let sickbay = serving(&(checks.concat() + &report("unsure", "unknown"))).await;
    let whole = sickbay.run_now("whole").await;
    assert_eq!((text(&whole, "status"), text(&whole, "failure"), text(&whole, "summary")), ("warning", "capacity", "é ☃ it is too much"));
    let metrics: Vec<(&str, f64, &str, &str)> = whole["metrics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|metric| (text(metric, "name"), metric["value"].as_f64().unwrap_or(f64::NAN), text(metric, "kind"), text(metric, "unit")))
        .collect();
    let wanted = [
        ("latency_seconds", 0.25, "gauge", "seconds"),
        ("used_bytes", 1024.0, "gauge", "bytes"),
        ("hit_ratio", 0.5, "gauge", "ratio"),
        ("jobs", -3.0, "gauge", ""),
        ("served", 7.0, "counter", ""),
        ("queue_jobs", 2.0, "gauge", ""),
        ("queue_jobs", 4.0, "gauge", ""),
    ];
    assert_eq!(metrics, wanted);
    assert_eq!(whole["metrics"][5]["labels"], json!({ "queue": "é\"\\", "state": "waiting" }));
    let evidence = json!({ "metric": "latency_seconds", "actual": "0.25", "expected": "at most 0.1", "unit": "seconds" });
    assert_eq!(whole["evidence"], json!([evidence, { "metric": "", "actual": "é", "expected": "☃", "unit": "" }]));
    assert_eq!(whole["details"], json!({ "nested": { "list": [1, true, "é\n"] } }));
    let exported = sickbay.metrics().await;
    let labels = [("check", "whole"), ("metric", "queue_jobs"), ("queue", "é\"\\"), ("state", "waiting")];
    assert_eq!(exported.sum("sickbay_check_metric", &labels), 2.0);

    let much = sickbay.run_now("too-much").await;
    let len = |key: &str| much[key].as_array().map_or(0, Vec::len);
    assert_eq!((text(&much, "status"), len("metrics"), len("evidence")), ("ok", METRICS_MAX, EVIDENCE_MAX), "{much}");
    assert!(text(&much, "summary").ends_with('…') && much["details"].is_null(), "{much}");
    let finite = sickbay.run_now("not-finite").await;
    assert_eq!((finite["metrics"].as_array().map(Vec::len), metric(&finite, "finite")), (Some(1), Some(1.0)), "{finite}");
    let judged = sickbay.run_now("judged").await;
    assert_eq!((text(&judged, "status"), text(&judged, "failure"), text(&judged, "summary")), ("critical", "content", "wrong"));
    assert_eq!(text(&sickbay.run_now("unsure").await, "status"), "unknown");
}

#[tokio::test]
async fn what_is_kept_is_there_in_the_next_run_and_after_a_restart() {
    let mut sickbay = serving(&(check("counted", "state", &json!({}), "") + &check("other", "state", &json!({}), ""))).await;
    assert_eq!(told(&sickbay, "counted").await, ["runs 1", "before null", "after bytes:00ff"]);
    assert_eq!(told(&sickbay, "counted").await, ["runs 2", "before bytes:00ff", "after bytes:00ff"]);
    assert_eq!(told(&sickbay, "other").await[0], "runs 1", "each check has its own");
    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    assert_eq!(told(&sickbay, "counted").await[0], "runs 3");
}

#[tokio::test]
async fn a_run_is_told_what_it_is_asked_and_what_came_before() {
    let more = "labels = { team = \"é\" }\ntargets = [\"a.example\"]";
    let sickbay = serving(&check("asked", "request", &json!({}), more)).await;
    let first = sickbay.client().run_now("asked%40a.example").await;
    let told_first = lines(&first);
    for line in ["check \"asked\"", "kind \"request\"", "target \"a.example\"", "timeout-ms 10000", "label \"team\" \"é\"", "previous null"]
    {
        assert!(told_first.iter().any(|told| told.starts_with(line)), "{line} is not in {told_first:?}");
    }
    let second = lines(&sickbay.client().run_now("asked%40a.example").await);
    assert!(second.iter().any(|line| line.starts_with("previous ms:") && line.ends_with(" ok \"told\" null")), "{second:?}");
}

#[tokio::test]
async fn lines_of_every_level_reach_the_log_with_their_fields() {
    let mut sickbay = prepared(&check("logged", "log", &json!({}), ""));
    sickbay.log_by("plugin=trace");
    sickbay.start().await;
    assert_eq!(text(&sickbay.run_now("logged").await, "status"), "ok");
    let log = sickbay.log();
    for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] {
        let said = format!("{level} plugin: conformance {}", level.to_lowercase());
        let line = log.lines().find(|line| line.contains(&said)).unwrap_or_else(|| panic!("`{said}` is not in {log}"));
        assert!(line.contains("check=\"logged\"") && line.contains("number=7") && line.contains('é'), "{line}");
    }
}
