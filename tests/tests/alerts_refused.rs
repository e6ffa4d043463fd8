//! What cannot be right about alerts: told before it starts, or with the request, and nothing is lost by it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sickbay_tests::notifications::{at_once, pushed, told, webhook};
use sickbay_tests::program::{self, Ran};
use sickbay_tests::receiver::{Received, Receiver};
use sickbay_tests::{Sickbay, check, found, on_demand, until};

use crate::alerts::{brief, has_told, push};

const ROUTE: &str = "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n\n[route]\nsinks = [\"oncall\"]\n\n";

async fn ran(sickbay: &Sickbay, arguments: &[&str]) -> Ran {
    program::run(sickbay.folder(), arguments).await
}

/// Configurations that no alert could go by, and what is said of each.
fn mistakes() -> [(String, [&'static str; 2]); 9] {
    let noop = |more: &str| ROUTE.to_owned() + &check("api", "noop", "24h", more);
    let both = |one: &str, other: &str| ROUTE.to_owned() + &check("one", "noop", "24h", one) + &check("two", "noop", "24h", other);
    [
        (noop("").replace("sinks = [\"oncall\"]", "sinks = [\"oncal\"]"), ["there is no sink `oncal`", "did you mean `oncall`?"]),
        (
            noop("").replace("sinks = [\"oncall\"]", "sinks = [\"oncall\"]\nescalate = [{ after = \"5m\", sinks = [\"lead\"] }]"),
            ["there is no sink `lead`", "hint: "],
        ),
        (
            both("depends_on = [\"two\"]", "depends_on = [\"one\"]"),
            ["the dependencies run in a circle: one -> two -> one", "remove one of these dependencies"],
        ),
        (noop("depends_on = [\"absent\"]"), ["`depends_on` names `absent`, which is no check", "hint: "]),
        (
            noop("critical = [\"report.metrics.latency_seconds > '5'\"]"),
            ["the condition cannot be used", "`>` does not compare a number with a text"],
        ),
        (noop("critical = [\"report.metrics.files\"]"), ["the condition cannot be used", "not true or false"]),
        (
            noop("") + "[[time_interval]]\nname = \"night\"\nweekdays = [\"monday\"]\ntimezone = \"Europe/Berln\"\n",
            ["`timezone` is no time zone: \"Europe/Berln\"", "did you mean \"Europe/Berlin\"?"],
        ),
        (
            noop("")
                + "[[maintenance]]\nname = \"m\"\nmatch = ['check=\"api\"']\ncron = \"0 2 * * *\"\nduration = \"1h\"\ntimezone = \"Nowhere/Else\"\n",
            ["`timezone` is no time zone: \"Nowhere/Else\"", "IANA"],
        ),
        (
            noop("") + "[[inhibit]]\nsource = ['service']\ntarget = ['check=\"api\"']\n",
            ["the matcher cannot be used", "`=~` and `!~` is missing"],
        ),
    ]
}

#[tokio::test]
async fn a_mistake_is_told_before_it_starts_and_changes_nothing_where_it_runs() {
    let receiver = Receiver::start([]).await;
    let good = webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &pushed("api", "");
    let sickbay = Sickbay::started(&good, &["webhook", "noop"]).await;
    push(&sickbay, "api", "critical").await;
    has_told(&receiver, 1).await;
    let elsewhere = Sickbay::prepared("", &["noop"]);
    for (mistake, parts) in mistakes() {
        elsewhere.configure(&mistake);
        for arguments in [&["validate"][..], &["serve", "--config", "sickbay.toml"]] {
            let refused = ran(&elsewhere, arguments).await;
            assert!(refused.code > 0 && refused.err.contains("--> sickbay.toml:"), "{arguments:?} of {mistake}: {refused:?}");
            for part in parts {
                assert!(refused.err.contains(part), "`{part}` is not in what {arguments:?} said of {mistake}: {}", refused.err);
            }
        }
        sickbay.configure(&mistake);
        until("it is refused", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == false).await;
        let config = sickbay.json("/api/v1/config").await;
        assert!(config["error"].as_str().is_some_and(|error| error.contains(parts[0])), "`{}` is not in {config}", parts[0]);
        sickbay.configure(&good);
        until("it is mended", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == true).await;
    }
    assert!(!elsewhere.path("sickbay.db").exists(), "nothing was started");
    push(&sickbay, "api", "ok").await;
    assert_eq!(brief(&has_told(&receiver, 2).await), [("api", "firing"), ("api", "resolved")]);
}

#[tokio::test]
async fn what_is_only_odd_is_a_warning() {
    let odd = "[[route.routes]]\nmatch = ['service=\"shpo\"']\n\n[[maintenance]]\nname = \"over\"\nmatch = ['service=\"shop\"']\n\
               start = 2020-01-01T00:00:00Z\nend = 2020-01-02T00:00:00Z\n\n[[time_interval]]\nname = \"gap\"\n\
               times = [{ start = \"02:15\", end = \"02:45\" }]\ntimezone = \"Europe/Berlin\"\n\n";
    let api = check("api", "noop", "24h", "kind = \"noop\"\nlabels = { service = \"shop\" }");
    let sickbay = Sickbay::prepared(&(ROUTE.to_owned() + odd + &api), &["noop"]);
    let told = ran(&sickbay, &["validate"]).await;
    assert_eq!(told.code, 0, "{told:?}");
    for part in [
        "warning: no check has labels that match service=\"shpo\"",
        "did you mean `shop`?",
        "warning: once a year the clock leaves these times out",
        "warning: the maintenance is over",
    ] {
        assert!(told.err.contains(part), "`{part}` is not in {}", told.err);
    }
}

#[tokio::test]
async fn a_silence_in_the_past_is_refused_and_none_is_made() {
    let sickbay = Sickbay::started(&pushed("api", ""), &[]).await;
    let past = r#"{"matchers": ["check=\"api\""], "starts_at": "2001-01-01T00:00:00Z", "ends_at": "2001-01-02T00:00:00Z"}"#;
    let refused = sickbay.client().post_body("/api/v1/silences", past).await;
    let problem = refused.json();
    assert_eq!(refused.status, 400, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("a silence ends")) && problem["hint"].is_string(), "{problem}");
    assert_eq!(sickbay.json("/api/v1/silences?state=all").await["items"], json!([]));
}

/// A sink whose title is made by this template.
fn phone(receiver: &Receiver, title: &str) -> String {
    let url = receiver.url("/");
    format!(
        "[[sink]]\nname = \"phone\"\nplugin = \"ntfy\"\ntimeout = \"2s\"\n\
         config = {{ url = \"{url}\", topic = \"sickbay\", title = \"{title}\" }}\ngrants = {{ http = [\"POST {url}\"] }}\n\n"
    )
}

#[tokio::test]
async fn a_template_that_cannot_be_read_is_refused_before_anything_is_told() {
    let receiver = Receiver::start([]).await;
    let rest = at_once(&["phone"], "") + &pushed("api", "");
    let (good, bad) = (phone(&receiver, "{{ alert.name }} is bad") + &rest, phone(&receiver, "{{ alert.name") + &rest);
    let parts = ["the template `config.title` cannot be used", "it fails for every alert", "mend it, or leave `title` out"];
    let elsewhere = Sickbay::prepared(&bad, &["ntfy"]);
    for arguments in [&["validate"][..], &["serve", "--config", "sickbay.toml"]] {
        let refused = ran(&elsewhere, arguments).await;
        assert!(refused.code > 0 && refused.err.contains("--> sickbay.toml:"), "{arguments:?}: {refused:?}");
        for part in parts {
            assert!(refused.err.contains(part), "`{part}` is not in what {arguments:?} said: {}", refused.err);
        }
    }
    let sickbay = Sickbay::started(&good, &["ntfy"]).await;
    sickbay.configure(&bad);
    until("it is refused", async || sickbay.json("/api/v1/config").await["last_reload_successful"] == false).await;
    let config = sickbay.json("/api/v1/config").await;
    assert!(config["error"].as_str().is_some_and(|error| error.contains(parts[0])), "{config}");
    push(&sickbay, "api", "critical").await;
    assert_eq!(receiver.has(1).await[0].json()["title"], "api is bad", "it goes on as it was configured before");
}

#[tokio::test]
async fn a_template_that_fails_for_an_alert_is_a_warning_and_what_waited_for_it_arrives_once_it_is_mended() {
    let (mobile, desk) = (Receiver::start([]).await, Receiver::start([]).await);
    let rest = webhook("desk", &desk, "") + &at_once(&["phone", "desk"], "") + &pushed("api", "");
    let failing = phone(&mobile, "{{ alert.name / 2 }}") + &rest;
    let warned = ran(&Sickbay::prepared(&failing, &["ntfy", "webhook"]), &["validate"]).await;
    let is_warned = warned.err.contains("the template `config.title` fails for some alerts");
    assert!(warned.code == 0 && is_warned, "{warned:?}");
    let sickbay = Sickbay::started(&failing, &["ntfy", "webhook"]).await;
    push(&sickbay, "api", "critical").await;
    has_told(&desk, 1).await;
    let delivery = found("it is told why", async || {
        let delivery = sickbay.json("/api/v1/deliveries?sink=phone").await["items"][0].clone();
        delivery["last_error"].is_string().then_some(delivery)
    })
    .await;
    let error = delivery["last_error"].to_string();
    assert!(error.contains("the template `title` of the sink's `config`") && error.contains("hint: mend it"), "{error}");
    assert!(mobile.received().is_empty());
    sickbay.configure(&(phone(&mobile, "{{ alert.name }} is bad") + &rest));
    assert_eq!(mobile.has(1).await[0].json()["title"], "api is bad");
}

/// A sink whose plugin does so when it has posted.
fn odd(receiver: &Receiver, then: &str) -> String {
    let url = receiver.url("/odd");
    let config = format!("config = {{ url = \"{url}\", then = \"{then}\" }}\ngrants = {{ http = [\"POST {url}\"] }}");
    format!("[[sink]]\nname = \"odd\"\nplugin = \"tell\"\ntimeout = \"2s\"\n{config}\n\n")
}

fn keys_of(received: &[Received]) -> BTreeSet<String> {
    received.iter().map(|received| received.header("idempotency-key").to_owned()).collect()
}

async fn delivery_to_odd(sickbay: &Sickbay) -> Value {
    sickbay.json("/api/v1/deliveries?sink=odd").await["items"][0].clone()
}

#[tokio::test]
async fn a_sink_that_traps_is_asked_again_with_its_key_and_the_others_are_told_meanwhile() {
    let (receiver, desk) = (Receiver::start([]).await, Receiver::start([]).await);
    let rest = webhook("desk", &desk, "") + &at_once(&["odd", "desk"], "") + &pushed("api", "");
    let sickbay = Sickbay::started(&(odd(&receiver, "trap") + &rest), &["tell", "webhook"]).await;
    push(&sickbay, "api", "critical").await;
    has_told(&desk, 1).await;
    receiver.has(2).await;
    let error = delivery_to_odd(&sickbay).await["last_error"].to_string();
    assert!(error.contains("the plugin crashed"), "{error}");
    sickbay.configure(&(odd(&receiver, "end") + &rest));
    until("it is told in the end", async || delivery_to_odd(&sickbay).await["state"] == "delivered").await;
    assert_eq!(keys_of(&receiver.received()).len(), 1);
    push(&sickbay, "api", "ok").await;
    until("its end is told too", async || keys_of(&receiver.received()).len() == 2).await;
    assert_eq!(brief(&has_told(&desk, 2).await), [("api", "firing"), ("api", "resolved")]);
}

#[tokio::test]
async fn garbage_of_a_sink_misleads_nobody_and_is_bounded() {
    let is_plain = |text: &str| !text.contains(['\u{1b}', '\u{202e}', '\u{2028}', '\n']) && text.len() <= 2 << 10;
    for (then, state) in [("garbage", "delivered"), ("lie", "refused")] {
        let (receiver, desk) = (Receiver::start([]).await, Receiver::start([]).await);
        let config = odd(&receiver, then) + &webhook("desk", &desk, "") + &at_once(&["odd", "desk"], "") + &pushed("api", "");
        let sickbay = Sickbay::started(&config, &["tell", "webhook"]).await;
        push(&sickbay, "api", "critical").await;
        until("it has ended", async || delivery_to_odd(&sickbay).await["state"] == state).await;
        let delivery = delivery_to_odd(&sickbay).await;
        assert!(delivery["last_error"].as_str().is_none_or(is_plain), "{then}: {delivery}");
        let incident = has_told(&desk, 1).await[0].incident.clone();
        let timeline = sickbay.json(&format!("/api/v1/incidents/{incident}")).await["timeline"].clone();
        for line in timeline.as_array().expect("a timeline") {
            assert!(line.as_object().expect("a line").values().filter_map(Value::as_str).all(is_plain), "{then}: {line}");
        }
        assert!(sickbay.log().lines().all(|line| !line.contains(['\u{1b}', '\u{202e}'])), "{then}");
        assert_eq!(receiver.received().len(), 1, "{then}");
    }
}

#[tokio::test]
async fn a_condition_that_fails_is_told_as_a_check_that_nobody_can_judge() {
    let receiver = Receiver::start([]).await;
    let divided = "critical = [\"int(report.metrics.files) / int(report.metrics.folders) > 1\"]";
    let compared = "critical = [\"dyn(report.metrics.files) > '5'\"]";
    let checks = pushed("divided", divided) + &pushed("compared", compared);
    let sickbay = Sickbay::started(&(webhook("oncall", &receiver, "") + &at_once(&["oncall"], "") + &checks), &["webhook"]).await;
    let push_files = async |name: &str, folders: u32| {
        let body = json!({ "metrics": { "files": 12, "folders": folders } }).to_string();
        let answer = sickbay.client().post_body(&format!("/api/v1/push/{name}"), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    for (name, said) in [("divided", "zero"), ("compared", "string")] {
        let result = push_files(name, 0).await;
        assert_eq!((&result["status"], &result["reason"]), (&json!("unknown"), &json!("ConditionError")), "{result}");
        assert!(result.to_string().to_lowercase().contains(said), "`{said}` is not in {result}");
        assert_eq!(sickbay.results(name).await.len(), 1, "it is stored all the same");
    }
    let all = has_told(&receiver, 2).await;
    assert!(all.iter().all(|told| told.alertname == "SickbayCheckUnknown" && told.status == "firing"), "{all:?}");
    assert_eq!(push_files("divided", 12).await["status"], "ok");
    until("the end of one is told", async || told(&receiver.received()).iter().filter(|told| told.status == "resolved").count() == 1).await;
}

#[tokio::test]
async fn a_push_that_cannot_be_taken_is_refused_and_the_next_one_is_taken() {
    const MEBIBYTE: usize = 1 << 20;
    let sickbay = Sickbay::started(&(pushed("backup", "") + &on_demand("run", "noop", "noop", "")), &["noop"]).await;
    let client = sickbay.client();
    let unknown = client.post_body("/api/v1/push/bakcup", "").await;
    let problem = unknown.json();
    assert_eq!((unknown.status, problem["hint"].is_string()), (404, true), "{problem}");
    assert!(problem.to_string().contains("bakcup"), "{problem}");
    assert_eq!(client.post_body("/api/v1/push/run", "").await.status, 409, "it is no push check");

    // What is too long is read to its end, so that it is heard why it was refused.
    let long = format!("{{\"summary\": \"{}\"}}", "x".repeat(64 << 10));
    assert_eq!(client.post_body("/api/v1/push/backup", &long).await.status, 413);
    let address = sickbay.address();
    for name in ["backup", "bakcup"] {
        let head =
            format!("POST /api/v1/push/{name} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {MEBIBYTE}\r\n\r\n");
        let mut request = head.into_bytes();
        request.resize(request.len() + MEBIBYTE, b' ');
        let answer = client.raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{name}: {answer}");
    }
    assert_eq!(sickbay.results("backup").await, Vec::<Value>::new(), "nothing of it was taken");
    push(&sickbay, "backup", "critical").await;
    assert_eq!(sickbay.check("backup").await["hard_status"], "critical");
    assert_eq!(sickbay.results("backup").await.len(), 1);
}
