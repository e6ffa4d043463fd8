//! The contract in other languages: a check in Python and one in JavaScript do what one in Rust does.
//!
//! Both are the examples, so what is said here of one holds for the other: every test runs for both.

use std::sync::Once;

use crate::support_http::nginx::Nginx;
use crate::support_http::rows::metric;
use crate::support_http::{Check, Ended, Place, Served, guest, program, raw};
use serde_json::{Value, json};

const LANGUAGES: [&str; 2] = ["hello-py", "hello-js"];

/// A folder with both plugins. They are compiled once: several tests at a time would otherwise do the same work, which takes long.
fn place() -> Place {
    static COMPILED: Once = Once::new();
    COMPILED.call_once(|| {
        for language in LANGUAGES {
            let mut command = program();
            command.args(["probe", "--plugin"]).arg(guest(language));
            Ended::of(command);
        }
    });
    Place::new(&LANGUAGES)
}

fn nginx() -> Nginx {
    let pages = "location = /ok { return 200 \"all is well\\n\"; } location = /missing { return 404 \"nothing here\\n\"; }";
    Nginx::start(&[], 1, |ports| format!("server {{ listen 127.0.0.1:{}; {pages} }}\n", ports[0]))
}

/// A check of `url`, named as the plugin and `what`.
fn check(language: &'static str, what: &str, url: &str) -> Check {
    Check::new(&format!("{language}-{what}"), language, "hello", &format!("url = \"{url}\"")).grant(&format!("GET {url}"))
}

fn text<'value>(result: &'value Value, key: &str) -> &'value str {
    result[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {result}"))
}

#[test]
fn a_check_in_another_language_describes_itself() {
    let place = place();
    place.configure("", &[]);
    let served = Served::start(&place);
    for language in LANGUAGES {
        let plugin = served.json(&format!("/api/v1/plugins/{language}"));
        assert_eq!((text(&plugin, "state"), text(&plugin, "version")), ("loaded", "0.1.0"), "{plugin}");
        assert_eq!(plugin["kinds"], json!(["hello"]));
        let kind = &plugin["checks"][0];
        assert_eq!(kind["config_schema"]["required"], json!(["url"]));
        assert_eq!(kind["example"], json!({ "url": "https://example.com/" }));
        assert_eq!(kind["needs"][0]["capability"], "http");
        let metrics: Vec<(&str, &str)> =
            kind["metrics"].as_array().expect("a list").iter().map(|metric| (text(metric, "name"), text(metric, "kind"))).collect();
        assert_eq!(metrics, [("status", "gauge"), ("latency_seconds", "gauge"), ("runs", "counter")]);
        let failures = kind["failures"].as_array().expect("a list");
        assert!(["content", "refused", "timeout"].iter().all(|failure| failures.contains(&json!(failure))), "{failures:?}");
        assert!(plugin["exports"].to_string().contains("sickbay:plugin/check"), "{plugin}");
    }
}

#[test]
fn it_sends_requests_reports_metrics_and_logs() {
    let (place, nginx) = (place(), nginx());
    let hanging = format!("http://{}/", raw::hanging());
    let refusing = format!("http://{}/", raw::closed());
    let checks: Vec<Check> = LANGUAGES
        .into_iter()
        .flat_map(|language| {
            [
                check(language, "good", &nginx.url("/ok")),
                check(language, "missing", &nginx.url("/missing")),
                check(language, "refused", &refusing),
                check(language, "hanging", &hanging),
                check(language, "worse", &nginx.url("/ok")).line("critical = [\"report.metrics.status < 300.0\"]"),
            ]
        })
        .collect();
    place.configure("", &checks);
    let served = Served::start(&place);
    for language in LANGUAGES {
        let run = |what: &str| served.run_now(&format!("{language}-{what}"));

        let good = run("good");
        assert_eq!((text(&good, "status"), text(&good, "reason")), ("ok", "Passed"), "{good}");
        assert!(text(&good, "summary").starts_with("HTTP 200 in "), "{good}");
        assert_eq!(metric(&good, "status"), Some(200.0));
        assert!(metric(&good, "latency_seconds").is_some_and(|seconds| seconds > 0.0), "{good}");
        let name = format!("{language}-good");
        let exported = |metric: &str| served.series("sickbay_check_metric", &[("check", name.as_str()), ("metric", metric)]);
        assert_eq!(exported("status"), 200.0);
        assert!(exported("runs") >= 1.0);
        let log = served.log();
        let line = log.lines().find(|line| line.contains("fetched") && line.contains(&format!("check=\"{name}\"")));
        assert!(line.is_some_and(|line| line.contains("status=200")), "{log}");

        let missing = run("missing");
        assert_eq!((text(&missing, "status"), text(&missing, "failure")), ("critical", "content"), "{missing}");
        assert_eq!(missing["evidence"][0], json!({ "metric": "status", "actual": "404", "expected": "200 to 399", "unit": "" }));

        let refused = run("refused");
        assert_eq!((text(&refused, "status"), text(&refused, "failure")), ("critical", "refused"), "{refused}");
        let hanging = run("hanging");
        assert_eq!((text(&hanging, "status"), text(&hanging, "failure")), ("critical", "timeout"), "{hanging}");

        let worse = run("worse");
        assert_eq!((text(&worse, "status"), text(&worse, "reason")), ("critical", "ConditionFailed"), "{worse}");
        assert!(text(&worse, "reason_detail").contains("is 200, expected >= 300"), "{worse}");
    }
}

#[test]
fn what_it_keeps_in_state_outlives_the_process() {
    let (place, nginx) = (place(), nginx());
    let checks = LANGUAGES.map(|language| check(language, "counted", &nginx.url("/ok")));
    place.configure("", &checks);
    for runs_of_before in [0, 2] {
        let served = Served::start(&place);
        for check in &checks {
            served.run_now(&check.name);
            served.run_now(&check.name);
            // One may have been by the schedule.
            let counts: Vec<Option<f64>> = served.results(&check.name).iter().map(|result| metric(result, "runs")).collect();
            let wanted: Vec<Option<f64>> = (1..=counts.len()).map(|number| Some(number as f64)).collect();
            assert_eq!(counts, wanted, "{}", check.name);
            assert!(counts.len() >= runs_of_before + 2, "{counts:?}");
        }
        served.stop();
    }
}

#[test]
fn its_configuration_is_validated_before_anything_runs() {
    let place = place();
    for language in LANGUAGES {
        let wrong = Check::new("wrong", language, "hello", "url = 5, frob = 1").line("warning = [\"report.metrics.rnus > 1.0\"]");
        place.configure("", &[wrong]);
        let ended = place.validate();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        for part in [
            "`config.url` must be a text, not a whole number",
            "unknown key `frob`",
            "no metric `rnus`",
            "did you mean `runs`?",
            "sickbay.toml:",
        ] {
            assert!(ended.stderr.contains(part), "{part} is not in {}", ended.stderr);
        }
        place.configure("", &[Check::new("right", language, "hello", "url = \"https://example.com/\"")]);
        assert_eq!(place.validate().code, Some(0));
    }
}

#[test]
fn what_the_service_did_not_do_is_unknown() {
    let (place, nginx) = (place(), nginx());
    let url = nginx.url("/ok");
    // What is not as it should be, the name of the reason, and what it tells.
    let cases = [
        (
            "denied",
            "",
            "PluginFailure",
            format!("(denied): `GET` to 127.0.0.1:{} is not granted; hint: http = [\"GET {url}\"]", nginx.ports[0]),
        ),
        ("misconfigured", "", "PluginFailure", "(configuration): the URL cannot be read".to_owned()),
        ("memory", "limits = { memory_bytes = \"4MiB\" }", "QuotaExceeded", "`memory_bytes` = 4194304; hint: raise `limits".to_owned()),
        ("calls", "limits = { host_calls = 1 }", "QuotaExceeded", "`host_calls` = 1; hint: raise `limits".to_owned()),
        ("sending", "limits = { bytes_out = 10 }", "QuotaExceeded", "`bytes_out` = 10; hint: raise `limits".to_owned()),
    ];
    let mut checks = Vec::new();
    for language in LANGUAGES {
        for (what, line, ..) in &cases {
            let check = match *what {
                "denied" => check(language, what, &url).without_grants(),
                "misconfigured" => check(language, what, "no-url").without_grants(),
                what => check(language, what, &url),
            };
            checks.push(check.line(line));
        }
        checks.push(check(language, "beside", &url));
    }
    place.configure("", &checks);
    let served = Served::start(&place);
    for language in LANGUAGES {
        for (what, _, reason, tells) in &cases {
            let result = served.run_now(&format!("{language}-{what}"));
            assert_eq!((text(&result, "status"), text(&result, "reason")), ("unknown", *reason), "{result}");
            assert!(text(&result, "reason_detail").contains(tells.as_str()), "{tells} is not in {result}");
            assert_eq!(result["failure"], Value::Null, "nothing that a recovery would be matched by: {result}");
        }
        let denials = [("plugin", language), ("capability", "http"), ("reason", "not_granted")];
        assert!(served.series("sickbay_egress_denied_total", &denials) >= 1.0);
        assert!(served.series("sickbay_quota_exceeded_total", &[("plugin", language), ("quota", "memory_bytes")]) >= 1.0);
        assert!(served.series("sickbay_quota_exceeded_total", &[("plugin", language), ("quota", "host_calls")]) >= 1.0);
        assert!(served.series("sickbay_quota_exceeded_total", &[("plugin", language), ("quota", "bytes_out")]) >= 1.0);
        assert_eq!(text(&served.run_now(&format!("{language}-beside")), "status"), "ok", "the next instance is a fresh one");
    }
    assert_eq!(served.get("/healthz").status, 200, "unknown is not down");
}
