//! The sinks that come with Sickbay, from a check to a receiver that is as strict as the real one: a mail server that wants STARTTLS and a
//! login, a real Alertmanager, and receivers that hold each request against what is documented of theirs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use serde_json::{Value, json};
use sickbay_tests::mail::MailServer;
use sickbay_tests::notifications::{at_once, pushed};
use sickbay_tests::program;
use sickbay_tests::receiver::{Received, Receiver, Reply};
use sickbay_tests::server::Server;
use sickbay_tests::{Client, Sickbay, found, milliseconds, until};

use crate::alerts::{nothing_is_pending, open_incidents, push};
use crate::support_http::certificates::{Authority, leaf};

const TOKEN: &str = "t0ken-of-the-receiver-0123456789";
const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
/// Labels of a check as an operator writes them.
const LABELS: &str = "labels = { service = \"shop\", severity = \"P1\" }";

/// One `[[sink]]` with a secret called `token`, which may go to `to`; `config` is the inside of its table.
fn sink(plugin: &str, kind: &str, config: &str, grants: &str, to: &str) -> String {
    format!(
        "[secrets.token]\nfile = \"token\"\n\n[[sink]]\nname = \"desk\"\nplugin = \"{plugin}\"\nkind = \"{kind}\"\ntimeout = \"5s\"\n\
         config = {{ {config} }}\ngrants = {{ {grants}, secrets = [{{ name = \"token\", to = [{to}] }}] }}\n\n"
    )
}

/// Everything in one group.
fn together() -> String {
    "[route]\nsinks = [\"desk\"]\ngroup_by = []\ngroup_wait = \"0s\"\ngroup_interval = \"1s\"\n\n".to_owned()
}

async fn started(config: &str, plugin: &str) -> Sickbay {
    let mut sickbay = Sickbay::prepared(config, &[plugin]);
    sickbay.write("token", TOKEN);
    sickbay.start().await;
    sickbay
}

fn text<'value>(value: &'value Value, key: &str) -> &'value str {
    value[key].as_str().unwrap_or_else(|| panic!("`{key}` is no text in {value}"))
}

/// An object has all of `needed`, and nothing that is neither there nor in `allowed`.
fn assert_keys(value: &Value, needed: &[&str], allowed: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    for key in needed {
        assert!(object.contains_key(*key), "`{key}` is missing in {value}");
    }
    for key in object.keys() {
        assert!(needed.contains(&key.as_str()) || allowed.contains(&key.as_str()), "nobody knows `{key}` in {value}");
    }
}

fn assert_texts(value: &Value) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    assert!(object.values().all(Value::is_string), "{value}");
}

/// Signatures of a text by each of these keys, as Standard Webhooks has them.
async fn signatures(keys: &[&str], signed: &str) -> String {
    const SIGN: &str = "import base64, hashlib, hmac, sys\n\
                        signed = sys.stdin.buffer.read()\n\
                        bytes_of = lambda key: base64.b64decode(key[6:]) if key.startswith('whsec_') else key.encode()\n\
                        sign = lambda key: base64.b64encode(hmac.new(bytes_of(key), signed, hashlib.sha256).digest()).decode()\n\
                        print(' '.join('v1,' + sign(key) for key in sys.argv[1:]))";
    let arguments: Vec<&str> = ["-c", SIGN].into_iter().chain(keys.iter().copied()).collect();
    let ran = program::pipe("python3", &arguments, signed).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out.trim().to_owned()
}

fn assert_is_alertmanagers_message(message: &Value) {
    const MESSAGE: [&str; 11] = [
        "version",
        "groupKey",
        "truncatedAlerts",
        "status",
        "receiver",
        "groupLabels",
        "commonLabels",
        "commonAnnotations",
        "externalURL",
        "alerts",
        "sickbay",
    ];
    const ALERT: [&str; 8] = ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint", "sickbay"];
    assert_keys(message, &MESSAGE, &[]);
    assert_eq!((text(message, "version"), message["truncatedAlerts"].is_u64()), ("4", true), "{message}");
    assert!(["firing", "resolved"].contains(&text(message, "status")) && !text(message, "groupKey").is_empty(), "{message}");
    for map in ["groupLabels", "commonLabels", "commonAnnotations"] {
        assert_texts(&message[map]);
    }
    for alert in message["alerts"].as_array().expect("alerts") {
        assert_keys(alert, &ALERT, &[]);
        assert_texts(&alert["labels"]);
        assert_texts(&alert["annotations"]);
        let (began, ended) = (milliseconds(text(alert, "startsAt")), text(alert, "endsAt"));
        match text(alert, "status") {
            "firing" => assert_eq!(ended, "0001-01-01T00:00:00Z", "{alert}"),
            "resolved" => assert!(milliseconds(ended) >= began, "{alert}"),
            other => panic!("`{other}` is no status: {alert}"),
        }
        let fingerprint = text(alert, "fingerprint");
        assert!(fingerprint.len() == 16 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()), "{alert}");
        assert_keys(&alert["sickbay"], &["incident_id", "reason", "transition"], &[]);
    }
}

#[tokio::test]
async fn a_webhook_gets_alertmanagers_message_signed_by_each_secret_in_use() {
    const NEW: &str = "new-key-of-the-hook-0123456789";
    const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let receiver = Receiver::start([]).await;
    let url = receiver.url("/hook");
    let sink = format!(
        "[secrets.hook-key]\nfile = \"hook.key\"\nprevious_file = \"hook.old\"\n\n[[sink]]\nname = \"desk\"\nplugin = \"webhook\"\n\
         config = {{ url = \"{url}\", signing_secret = \"hook-key\" }}\n\
         grants = {{ http = [\"POST {url}\"], secrets = [{{ name = \"hook-key\", to = [] }}] }}\n\n"
    );
    let checks = pushed("api", LABELS) + &pushed("db", LABELS);
    // The table `[server]` is open where this begins.
    let server = "external_url = \"https://sickbay.example\"\n\n".to_owned();
    let mut sickbay = Sickbay::prepared(&(server + &sink + &together() + &checks), &["webhook"]);
    sickbay.write("hook.key", NEW);
    sickbay.write("hook.old", OLD);
    sickbay.start().await;
    push(&sickbay, "api", "critical").await;
    receiver.has(1).await;
    push(&sickbay, "db", "warning").await;
    receiver.has(2).await;
    push(&sickbay, "api", "ok").await;
    let received = receiver.has(3).await;
    for request in &received {
        let message = request.json();
        assert_is_alertmanagers_message(&message);
        assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", "application/json"));
        let (key, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
        assert_eq!(message["sickbay"]["idempotency_key"], key);
        let expected = signatures(&[NEW, OLD], &format!("{key}.{timestamp}.{}", request.text())).await;
        assert_eq!(request.header("webhook-signature"), expected);
    }
    let last = received[2].json();
    assert_eq!(last["externalURL"], "https://sickbay.example", "it is that of the server");
    let statuses: BTreeMap<&str, &str> =
        last["alerts"].as_array().expect("alerts").iter().map(|alert| (text(&alert["labels"], "check"), text(alert, "status"))).collect();
    assert_eq!((statuses, text(&last, "status")), (BTreeMap::from([("api", "resolved"), ("db", "firing")]), "firing"));
    assert_eq!((&last["commonLabels"]["service"], &last["commonLabels"]["alertname"]), (&json!("shop"), &Value::Null));
}

/// As Slack documents `chat.postMessage` and attachments.
fn assert_is_a_message_of_slack(message: &Value) {
    // What is longer is cut off there.
    const TEXT_CHARACTERS_MAX: usize = 40_000;
    const FIELDS: [&str; 7] = ["Service", "Metric", "Value", "Threshold", "Severity", "Time", "Until"];
    assert_keys(message, &["channel", "text", "attachments"], &["thread_ts", "reply_broadcast"]);
    assert!(text(message, "text").chars().count() <= TEXT_CHARACTERS_MAX, "{message}");
    let attachments = message["attachments"].as_array().expect("attachments");
    assert!(!attachments.is_empty() && attachments.len() <= 100, "{}", attachments.len());
    for attachment in attachments {
        assert_keys(attachment, &["color", "text"], &["fallback", "title", "title_link", "fields", "footer", "ts"]);
        let colour = text(attachment, "color").strip_prefix('#').expect("a colour in hexadecimal");
        assert!(colour.len() == 6 && colour.bytes().all(|byte| byte.is_ascii_hexdigit()), "{attachment}");
        assert!(text(attachment, "text").chars().count() <= TEXT_CHARACTERS_MAX, "{attachment}");
        assert!(attachment["footer"].as_str().is_none_or(|footer| footer.chars().count() <= 300), "{attachment}");
        assert!(attachment["ts"].is_null() || attachment["ts"].is_u64(), "{attachment}");
        for field in attachment["fields"].as_array().into_iter().flatten() {
            assert_keys(field, &["title", "value", "short"], &[]);
            assert!(field["short"].is_boolean() && field["value"].is_string() && FIELDS.contains(&text(field, "title")), "{field}");
        }
    }
}

fn field<'value>(attachment: &'value Value, title: &str) -> &'value str {
    let fields = attachment["fields"].as_array().expect("fields");
    let found = fields.iter().find(|field| field["title"] == title);
    text(found.unwrap_or_else(|| panic!("no field `{title}` in {attachment}")), "value")
}

#[tokio::test]
async fn slack_gets_attachments_with_what_was_measured_and_the_end_in_the_thread() {
    let posted = || Reply::Json(json!({ "ok": true, "channel": "C024BE91L", "ts": "1503435956.000247" }));
    let receiver = Receiver::start([posted(), posted()]).await;
    let url = receiver.url("/api/chat.postMessage");
    let config = format!("token = \"{{{{secret:token}}}}\", channel = \"#oncall\", api_url = \"{url}\"");
    let sink = sink("slack", "slack", &config, &format!("http = [\"POST {url}\"]"), &format!("\"{url}\""));
    let slow = format!("{LABELS}\ncritical = [\"report.metrics.latency_seconds > 0.2\"]");
    let sickbay = started(&(sink + &together() + &pushed("api", &slow)), "slack").await;
    let measured = async |seconds: f64| {
        let body = json!({ "metrics": { "latency_seconds": seconds } }).to_string();
        assert_eq!(sickbay.client().post_body("/api/v1/push/api", &body).await.status, 200);
    };
    measured(0.35).await;
    receiver.has(1).await;
    measured(0.1).await;
    let received = receiver.has(2).await;
    for request in &received {
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
        assert!(request.header("content-type").starts_with("application/json"));
        assert_is_a_message_of_slack(&request.json());
    }
    let (begin, end) = (received[0].json(), received[1].json());
    let (red, green) = (&begin["attachments"][0], &end["attachments"][0]);
    assert_eq!((field(red, "Service"), field(red, "Metric"), field(red, "Severity")), ("shop", "latency_seconds", "P1"));
    assert!(field(red, "Value").starts_with("0.35") && field(red, "Threshold").contains("0.2"), "{red}");
    milliseconds(field(red, "Time"));
    assert_ne!(red["color"], green["color"]);
    assert_eq!((&begin["thread_ts"], &end["thread_ts"]), (&Value::Null, &json!("1503435956.000247")));
    assert_eq!(end["reply_broadcast"], true);
}

/// Posts alerts as others do, each with a summary that is far too long for anything.
async fn post_alerts(sickbay: &Sickbay, count: usize) {
    let alert = |number: usize| {
        let summary = "<!here> & ".repeat(200);
        json!({ "labels": { "alertname": format!("Disk{number:02}"), "severity": "P0" }, "annotations": { "summary": summary } })
    };
    post(sickbay, (0..count).map(alert).collect()).await;
}

async fn post(sickbay: &Sickbay, alerts: Vec<Value>) {
    let (mut parts, _) = sickbay.client().request("POST", "/api/v2/alerts").into_parts();
    parts.headers.insert("content-type", "application/json".parse().expect("a header"));
    let body = Value::Array(alerts).to_string();
    let answer = sickbay.client().send(hyper::Request::from_parts(parts, body.into())).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn slack_gets_no_more_than_it_shows_and_no_markup_of_others() {
    let receiver = Receiver::start([Reply::Json(json!({ "ok": true, "ts": "1.2" }))]).await;
    let url = receiver.url("/api/chat.postMessage");
    let config = format!("token = \"{{{{secret:token}}}}\", channel = \"#oncall\", api_url = \"{url}\"");
    let sink = sink("slack", "slack", &config, &format!("http = [\"POST {url}\"]"), &format!("\"{url}\""));
    let sickbay = started(&(sink + &together() + &pushed("api", "")), "slack").await;
    post_alerts(&sickbay, 30).await;
    let message = receiver.has(1).await[0].json();
    assert_is_a_message_of_slack(&message);
    let attachments = message["attachments"].as_array().expect("attachments");
    assert_eq!((attachments.len(), &attachments[20]["text"]), (21, &json!("and 10 more")));
    assert!(!message.to_string().contains("<!here>"), "{message}");
}

/// As PagerDuty documents an event of its Events API v2.
fn assert_is_an_event_of_pagerduty(event: &Value) {
    const PAYLOAD: [&str; 8] = ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
    assert_keys(event, &["routing_key", "event_action", "dedup_key"], &["payload", "client", "client_url", "links", "images"]);
    assert_eq!(event["routing_key"], TOKEN);
    assert!((1..=255).contains(&text(event, "dedup_key").len()), "{event}");
    assert!(["trigger", "acknowledge", "resolve"].contains(&text(event, "event_action")), "{event}");
    assert!(event.to_string().len() <= 512 << 10);
    if event["event_action"] == "trigger" {
        let payload = &event["payload"];
        assert_keys(payload, &PAYLOAD[..3], &PAYLOAD[3..]);
        assert!((1..=1_024).contains(&text(payload, "summary").chars().count()) && !text(payload, "source").is_empty(), "{event}");
        assert!(["critical", "error", "warning", "info"].contains(&text(payload, "severity")), "{event}");
        milliseconds(text(payload, "timestamp"));
        assert!(payload["custom_details"].is_object(), "{event}");
    }
}

fn pagerduty(receiver: &Receiver, more: &str) -> String {
    let url = receiver.url("/v2/enqueue");
    let config = format!("routing_key = \"{{{{secret:token}}}}\", url = \"{url}\"{more}");
    sink("pagerduty", "pagerduty", &config, &format!("http = [\"POST {url}\"]"), &format!("\"{url}\""))
}

#[tokio::test]
async fn pagerduty_gets_trigger_acknowledge_and_resolve_under_one_key() {
    let receiver = Receiver::start([]).await;
    let sink = pagerduty(&receiver, "");
    let sickbay = started(&(sink + &together() + &pushed("api", LABELS) + &pushed("db", LABELS)), "pagerduty").await;
    push(&sickbay, "api", "critical").await;
    receiver.has(1).await;
    let incident = open_incidents(&sickbay).await.remove(0);
    let id = text(&incident, "id");
    let taken = sickbay.client().post_body(&format!("/api/v1/incidents/{id}/ack"), r#"{"by": "anna"}"#).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    let actions = |received: &[Received]| -> Vec<String> {
        let events = received.iter().map(Received::json).filter(|event| event["dedup_key"] == id);
        events.map(|event| text(&event, "event_action").to_owned()).collect()
    };
    // Nothing else is new: PagerDuty hears of it by itself, for its kind says that it wants to.
    until("it is acknowledged there", async || actions(&receiver.received()).iter().any(|action| action == "acknowledge")).await;
    push(&sickbay, "db", "critical").await;
    push(&sickbay, "api", "ok").await;
    until("it is resolved there", async || actions(&receiver.received()).iter().any(|action| action == "resolve")).await;
    nothing_is_pending(&sickbay).await;
    let received = receiver.received();
    received.iter().for_each(|request| assert_is_an_event_of_pagerduty(&request.json()));
    let mut of_api = actions(&received);
    of_api.dedup();
    assert_eq!(of_api, ["trigger", "acknowledge", "resolve"]);
    let keys: BTreeSet<String> = received.iter().map(|request| text(&request.json(), "dedup_key").to_owned()).collect();
    assert_eq!(keys.len(), 2, "each incident has its own: {keys:?}");
}

#[tokio::test]
async fn pagerduty_gets_no_more_of_a_text_than_it_takes() {
    let receiver = Receiver::start([]).await;
    let sink = pagerduty(&receiver, "");
    let sickbay = started(&(sink + &together() + &pushed("api", "")), "pagerduty").await;
    post_alerts(&sickbay, 20).await;
    let received = receiver.has(20).await;
    received.iter().for_each(|request| assert_is_an_event_of_pagerduty(&request.json()));
    assert!(received.iter().all(|request| request.json()["payload"]["severity"] == "critical"));
}

/// Posts one alert for each of these labels `severity`, and nothing else that would tell how bad it is.
async fn post_severities(sickbay: &Sickbay, severities: &[&str]) {
    let alert = |word: &&str| json!({ "labels": { "alertname": format!("of-{word}"), "severity": word } });
    post(sickbay, severities.iter().map(alert).collect()).await;
}

#[tokio::test]
async fn pagerduty_goes_by_the_severity_that_was_posted() {
    let receiver = Receiver::start([]).await;
    let sink = pagerduty(&receiver, ", severities = { \"sev-2\" = \"error\" }");
    let sickbay = started(&(sink + &together() + &pushed("api", "")), "pagerduty").await;
    post_severities(&sickbay, &["critical", "warning", "sev-2", "P1"]).await;
    let events: Vec<Value> = receiver.has(4).await.iter().map(Received::json).collect();
    events.iter().for_each(assert_is_an_event_of_pagerduty);
    let payloads = events.iter().map(|event| &event["payload"]);
    let told: BTreeMap<&str, &str> = payloads.map(|payload| (text(payload, "source"), text(payload, "severity"))).collect();
    let expected = [("of-critical", "critical"), ("of-warning", "warning"), ("of-sev-2", "error"), ("of-P1", "error")];
    assert_eq!(told, BTreeMap::from(expected));
}

#[tokio::test]
async fn what_pagerduty_took_beside_an_alert_that_it_refused_is_resolved_there() {
    let receiver = Receiver::start([Reply::Status(400)]).await;
    let sink = pagerduty(&receiver, "");
    let sickbay = started(&(sink + &together() + &pushed("api", "")), "pagerduty").await;
    let disks = |more: Value| {
        let disk = |name: &str| {
            let mut alert = json!({ "labels": { "alertname": name }, "startsAt": "2020-01-01T00:00:00Z" });
            alert.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
            alert
        };
        ["DiskA", "DiskB"].map(disk).to_vec()
    };
    post(&sickbay, disks(json!({}))).await;
    receiver.has(2).await;
    nothing_is_pending(&sickbay).await;
    until("the log tells", async || sickbay.log().contains("the receiver refused one alert of several")).await;
    post(&sickbay, disks(json!({ "endsAt": "2020-01-01T00:01:00Z" }))).await;
    let received = receiver.has(4).await;
    let of = |action: &str| -> BTreeSet<String> {
        let events = received.iter().map(Received::json).filter(|event| event["event_action"] == action);
        events.map(|event| text(&event, "dedup_key").to_owned()).collect()
    };
    assert_eq!((of("trigger").len(), of("resolve")), (2, of("trigger")));
}

#[tokio::test]
async fn ntfy_goes_by_the_severity_that_was_posted() {
    let receiver = Receiver::start([Reply::Json(json!({ "id": "m-1" }))]).await;
    let url = receiver.url("/");
    let config = format!("url = \"{url}\", topic = \"sickbay\", token = \"{{{{secret:token}}}}\"");
    let sink = sink("ntfy", "ntfy", &config, &format!("http = [\"POST {url}\"]"), &format!("\"{url}*\""));
    let sickbay = started(&(sink + &together() + &pushed("api", "")), "ntfy").await;
    post_severities(&sickbay, &["info", "critical"]).await;
    assert_eq!(receiver.has(1).await[0].json()["priority"], 5);
}

/// The fields of a form.
fn form(request: &Received) -> BTreeMap<String, String> {
    assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
    let fields = request.text();
    let pairs = fields.split('&').map(|field| field.split_once('=').expect("a field has a value"));
    pairs.map(|(name, value)| (name.to_owned(), percent_decoded(value))).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().replace('+', " ").into_bytes();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).expect("two digits");
        bytes.push(u8::from_str_radix(digits, 16).expect("digits in hexadecimal"));
        bytes.extend(rest.replace('+', " ").bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// What Twilio documents of both of its resources.
async fn assert_is_a_request_of_twilio(request: &Received, resource: &str, fields: [&str; 3]) -> BTreeMap<String, String> {
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", format!("/2010-04-01/Accounts/{ACCOUNT}/{resource}.json").as_str())
    );
    let login = request.header("authorization").strip_prefix("Basic ").expect("a login");
    assert_eq!(program::pipe("base64", &["-d"], login).await.out, format!("{ACCOUNT}:{TOKEN}"));
    let form = form(request);
    assert_eq!(form.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(fields));
    for number in ["To", "From"] {
        let digits = form[number].strip_prefix('+').expect("a number as E.164 has it");
        assert!((2..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{form:?}");
    }
    form
}

fn twilio(receiver: &Receiver, kind: &str, resource: &str) -> String {
    let api = receiver.url("/2010-04-01");
    let config = format!(
        "account_sid = \"{ACCOUNT}\", auth_token = \"{{{{secret:token}}}}\", from = \"+15550100\", to = \"+15550199\", api_url = \"{api}\""
    );
    let grants = format!("http = [\"POST {api}/Accounts/{ACCOUNT}/{resource}.json\"]");
    sink("twilio", kind, &config, &grants, &format!("\"{api}/Accounts/*\""))
}

#[tokio::test]
async fn twilio_sends_a_text_message_of_a_begin_and_of_an_end() {
    let receiver = Receiver::start([Reply::Json(json!({ "sid": "SM1" })), Reply::Json(json!({ "sid": "SM2" }))]).await;
    let config = twilio(&receiver, "sms", "Messages") + &at_once(&["desk"], "") + &pushed("api", LABELS);
    let sickbay = started(&config, "twilio").await;
    push(&sickbay, "api", "critical").await;
    receiver.has(1).await;
    push(&sickbay, "api", "ok").await;
    for (request, begin) in receiver.has(2).await.iter().zip(["CRITICAL api", "RESOLVED api"]) {
        let form = assert_is_a_request_of_twilio(request, "Messages", ["To", "From", "Body"]).await;
        let body = &form["Body"];
        assert!(body.starts_with(begin) && body.chars().count() <= 1_600, "{body}");
    }
}

#[tokio::test]
async fn twilio_calls_for_a_begin_and_says_nothing_that_is_an_instruction() {
    let receiver = Receiver::start([Reply::Json(json!({ "sid": "CA1" }))]).await;
    let config = twilio(&receiver, "call", "Calls") + &together() + &pushed("api", LABELS);
    let sickbay = started(&config, "twilio").await;
    let body = json!({ "status": "critical", "summary": "</Say><Dial>+1900</Dial> & down" }).to_string();
    assert_eq!(sickbay.client().post_body("/api/v1/push/api", &body).await.status, 200);
    let form = assert_is_a_request_of_twilio(&receiver.has(1).await[0], "Calls", ["To", "From", "Twiml"]).await;
    let twiml = &form["Twiml"];
    assert!(twiml.starts_with("<Response><Say>") && twiml.ends_with("</Say></Response>") && twiml.len() <= 4_000, "{twiml}");
    assert!(!twiml.contains("<Dial>") && twiml.contains("&lt;Dial&gt;"), "{twiml}");
    push(&sickbay, "api", "ok").await;
    until("the sink has taken both", async || {
        let deliveries = sickbay.json("/api/v1/deliveries?sink=desk&state=delivered").await;
        deliveries["items"].as_array().is_some_and(|deliveries| deliveries.len() == 2)
    })
    .await;
    assert_eq!(receiver.received().len(), 1, "nobody is called because all is well");
}

#[tokio::test]
async fn ntfy_gets_a_message_as_its_json_has_it() {
    const KEYS: [&str; 11] =
        ["title", "tags", "priority", "click", "actions", "attach", "markdown", "icon", "filename", "delay", "sequence_id"];
    let published = || Reply::Json(json!({ "id": "xE73Iyuabi", "time": 1_673_542_291, "event": "message", "topic": "sickbay" }));
    let receiver = Receiver::start([published(), published()]).await;
    let url = receiver.url("/");
    let config = format!("url = \"{url}\", topic = \"sickbay\", token = \"{{{{secret:token}}}}\"");
    let sink = sink("ntfy", "ntfy", &config, &format!("http = [\"POST {url}\"]"), &format!("\"{url}*\""));
    let sickbay = started(&(sink + &at_once(&["desk"], "") + &pushed("api", LABELS)), "ntfy").await;
    push(&sickbay, "api", "critical").await;
    receiver.has(1).await;
    push(&sickbay, "api", "ok").await;
    let received = receiver.has(2).await;
    for request in &received {
        assert_eq!((request.path.as_str(), request.header("authorization")), ("/", format!("Bearer {TOKEN}").as_str()));
        let message = request.json();
        assert_keys(&message, &["topic", "message"], &KEYS);
        assert_eq!(message["topic"], "sickbay");
        assert!((1..=4_096).contains(&text(&message, "message").len()), "{message}");
        assert!(message["priority"].as_u64().is_some_and(|priority| (1..=5).contains(&priority)), "{message}");
        assert!(message["tags"].as_array().is_some_and(|tags| tags.iter().all(Value::is_string)), "{message}");
    }
    let (begin, end) = (received[0].json(), received[1].json());
    assert_eq!((&begin["priority"], &begin["tags"][0], &end["tags"][0]), (&json!(4), &json!("rotating_light"), &json!("white_check_mark")));
}

#[tokio::test]
async fn a_real_alertmanager_has_an_alert_while_it_fires() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("alertmanager.yml"), "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n").expect("a file");
    let server = Server::start("prometheus-alertmanager", |port| {
        let mut command = Command::new("prometheus-alertmanager");
        command.current_dir(folder.path()).args(["--config.file=alertmanager.yml", "--storage.path=data", "--cluster.listen-address="]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command
    });
    let url = format!("http://127.0.0.1:{}/api/v2/alerts", server.port());
    let sink = format!(
        "[[sink]]\nname = \"desk\"\nplugin = \"alertmanager\"\nconfig = {{ url = \"{url}\" }}\ngrants = {{ http = [\"POST {url}\"] }}\n\n"
    );
    let sickbay = started(&(sink + &together() + &pushed("api", LABELS) + &pushed("db", LABELS)), "alertmanager").await;
    let client = Client { address: SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())) };
    let names = async || {
        let alerts = client.try_get("/api/v2/alerts").await.filter(|answer| answer.status == 200)?.json();
        let names = alerts.as_array()?.iter().map(|alert| text(&alert["labels"], "alertname").to_owned());
        Some(names.collect::<BTreeSet<String>>())
    };
    until("it is ready", async || names().await.is_some()).await;
    let has = async |wanted: &[&str]| {
        let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        until(&format!("it has {wanted:?}"), async || names().await.as_ref() == Some(&wanted)).await;
    };
    push(&sickbay, "api", "critical").await;
    push(&sickbay, "db", "critical").await;
    has(&["api", "db"]).await;
    let alerts = client.json("/api/v2/alerts").await;
    let api = alerts.as_array().expect("alerts").iter().find(|alert| alert["labels"]["alertname"] == "api").expect("the alert");
    assert_eq!((&api["labels"]["service"], &api["labels"]["severity"]), (&json!("shop"), &json!("P1")));
    assert_eq!((&api["annotations"]["summary"], &api["status"]["state"]), (&json!("api is critical"), &json!("active")));
    push(&sickbay, "api", "ok").await;
    has(&["db"]).await;
    push(&sickbay, "db", "ok").await;
    has(&[]).await;
    let failed = sickbay.metrics().await.sum("sickbay_notifications_total", &[("outcome", "refused")]);
    assert_eq!(failed, 0.0);
}

/// A mail server that wants a login, and a sink that mails to it with `password` in its secret.
async fn mailing(password: &str) -> (MailServer, Sickbay) {
    let authority = Authority::new("the authority");
    let pem = authority.sign(&leaf("localhost"));
    let server = MailServer::start_with_login((pem.certificate.as_str(), pem.key.as_str()), "sickbay", TOKEN);
    let address = server.address();
    let config = format!(
        "address = \"{address}\", user = \"sickbay\", password = \"{{{{secret:token}}}}\", \
         from = \"Sickbay <sickbay@example.com>\", to = [\"oncall@example.com\", \"Zoë <zoe@example.com>\"]"
    );
    let sink = sink("email", "email", &config, &format!("net = [\"tcp://{address}\"]"), &format!("\"tls://{address}\""));
    let config = "[egress]\nca_file = \"ca.pem\"\n\n".to_owned() + &sink + &at_once(&["desk"], "") + &pushed("api", LABELS);
    let mut sickbay = Sickbay::prepared(&config, &["email"]);
    sickbay.write("token", password);
    sickbay.write("ca.pem", authority.pem());
    sickbay.start().await;
    (server, sickbay)
}

/// The only mail whose subject begins so, once it is there.
async fn mail_about(server: &MailServer, begin: &str) -> Value {
    found(&format!("a mail: {begin}"), async || {
        for mail in server.mails() {
            let mail = MailServer::read(&mail).await;
            if mail["headers"]["subject"].as_str().is_some_and(|subject| subject.starts_with(begin)) {
                return Some(mail);
            }
        }
        None
    })
    .await
}

#[tokio::test]
async fn a_mail_is_plain_and_html_and_comes_encrypted_after_a_login_and_its_end_answers_it() {
    let (server, sickbay) = mailing(TOKEN).await;
    push(&sickbay, "api", "critical").await;
    let begin = mail_about(&server, "CRITICAL api").await;
    push(&sickbay, "api", "ok").await;
    let end = mail_about(&server, "RESOLVED api").await;
    for mail in [&begin, &end] {
        assert_eq!((text(mail, "type"), &mail["defects"]), ("multipart/alternative", &json!([])), "{mail}");
        let headers = &mail["headers"];
        assert_eq!((text(headers, "from"), text(headers, "x-mailfrom")), ("Sickbay <sickbay@example.com>", "sickbay@example.com"));
        assert_eq!(text(headers, "to"), "oncall@example.com, Zoë <zoe@example.com>");
        assert_eq!((text(headers, "x-rcptto"), text(headers, "mime-version")), ("oncall@example.com, zoe@example.com", "1.0"));
        assert_eq!(text(headers, "auto-submitted"), "auto-generated");
        assert!(!text(headers, "date").is_empty());
    }
    assert!(text(&begin, "plain").contains("api is critical"), "{begin}");
    let html = text(&begin, "html");
    assert!(html.contains("api is critical") && html.contains("<") && !html.contains("{{"), "{html}");
    let (first, last) = (&begin["headers"], &end["headers"]);
    assert_ne!(first["message-id"], last["message-id"]);
    assert!(text(last, "references").contains(text(first, "message-id")), "{last}");
    nothing_is_pending(&sickbay).await;
    assert_eq!(server.mails().len(), 2);
    assert!(!sickbay.log().contains(TOKEN));
}

#[tokio::test]
async fn a_mail_server_that_takes_no_login_is_told_and_gets_the_mail_once_the_password_is_mended() {
    const WRONG: &str = "another-password-0123456789";
    let (server, sickbay) = mailing(WRONG).await;
    push(&sickbay, "api", "critical").await;
    let delivery = found("an attempt failed", async || {
        let delivery = sickbay.json("/api/v1/deliveries?sink=desk").await["items"][0].clone();
        delivery["last_error"].is_string().then_some(delivery)
    })
    .await;
    assert!(text(&delivery, "last_error").contains("AUTH PLAIN was answered by 535"), "{delivery}");
    assert!(["pending", "attempting"].contains(&text(&delivery, "state")), "{delivery}");
    assert!(server.mails().is_empty());
    sickbay.write("token", TOKEN);
    mail_about(&server, "CRITICAL api").await;
    nothing_is_pending(&sickbay).await;
    for told in [delivery.to_string(), sickbay.log()] {
        assert!(!told.contains(WRONG), "{told}");
    }
}
