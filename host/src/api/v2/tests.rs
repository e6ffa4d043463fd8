//! The paths as clients ask them, on a real machine and a store in memory.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ALERTS_BODY_BYTES_MAX, posted};
use crate::api::layers::REQUEST_BODY_BYTES_MAX;
use crate::api::testing::{Answer, Host, get, request, with_token};
use crate::clock::{now, rfc3339};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

fn with_body(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(method, path);
    *request.body_mut() = body.into();
    request
}

async fn post(host: &Host, path: &str, body: &Value) -> Answer {
    host.ask(with_body("POST", path, body.to_string())).await
}

async fn listed(host: &Host, path: &str) -> Vec<Value> {
    let answer = host.ask(get(path)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}: {}", answer.json());
    answer.json().as_array().unwrap_or_else(|| panic!("{path} is no list")).clone()
}

fn silence(id: &str) -> Value {
    json!({
        "id": id,
        "matchers": [{ "name": "alertname", "value": "Disk", "isRegex": false, "isEqual": true }],
        "startsAt": rfc3339(now()),
        "endsAt": rfc3339(now().plus(HOUR)),
        "createdBy": "anna",
        "comment": "known",
    })
}

#[tokio::test]
async fn a_posted_alert_is_listed_until_its_end_is_posted() {
    let host = Host::start("").await;
    let alert = json!({ "labels": { "alertname": "Disk" }, "annotations": { "summary": "it is full" } });
    let answer = post(&host, "/api/v2/alerts", &json!([alert])).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let told = listed(&host, "/api/v2/alerts").await;
    assert_eq!((told.len(), &told[0]["annotations"]["summary"]), (1, &json!("it is full")));
    assert_eq!(listed(&host, "/api/v2/alerts/groups").await[0]["alerts"], Value::from(told));

    let mut ended = alert;
    ended["endsAt"] = json!(rfc3339(now()));
    ended["startsAt"] = json!(rfc3339(now().minus(HOUR)));
    assert_eq!(post(&host, "/api/v2/alerts", &json!([ended])).await.status, 200);
    assert!(listed(&host, "/api/v2/alerts").await.is_empty());
}

#[tokio::test]
async fn more_alerts_than_are_taken_at_once_are_all_taken() {
    let host = Host::start("").await;
    let alerts: Vec<Value> = (0..1201).map(|number| json!({ "labels": { "alertname": "Disk", "host": number.to_string() } })).collect();
    assert_eq!(post(&host, "/api/v2/alerts", &Value::from(alerts)).await.status, 200);
    assert_eq!(listed(&host, "/api/v2/alerts").await.len(), 1201);
    assert_eq!(listed(&host, "/api/v2/alerts?filter=host%3D~%22120.%22").await.len(), 1);
}

#[tokio::test]
async fn of_a_post_with_a_bad_alert_the_others_are_taken() {
    let host = Host::start("").await;
    let answer = post(&host, "/api/v2/alerts", &json!([{ "labels": {} }, { "labels": { "alertname": "Disk" } }])).await;
    assert_eq!((answer.status, answer.json()), (400, json!("alert 1: it has no labels; hint: the other alerts were taken")));
    assert_eq!(listed(&host, "/api/v2/alerts").await.len(), 1);
}

#[tokio::test]
async fn a_silence_is_put_changed_and_ended_under_one_id() {
    let host = Host::start("").await;
    post(&host, "/api/v2/alerts", &json!([{ "labels": { "alertname": "Disk" } }])).await;
    let put = post(&host, "/api/v2/silences", &silence("")).await;
    assert_eq!(put.status, 200, "{}", put.json());
    let id = put.json()["silenceID"].as_str().unwrap().to_owned();
    let path = format!("/api/v2/silence/{id}");
    assert_eq!(listed(&host, "/api/v2/alerts").await[0]["status"]["silencedBy"], json!([id]));
    assert!(listed(&host, "/api/v2/alerts?silenced=false").await.is_empty());

    let mut changed = silence(&id);
    changed["comment"] = json!("still known");
    assert_eq!(post(&host, "/api/v2/silences", &changed).await.json(), json!({ "silenceID": id }));
    let told = host.ask(get(&path)).await.json();
    assert_eq!((&told["comment"], &told["status"]["state"]), (&json!("still known"), &json!("active")));

    assert_eq!(host.ask(request("DELETE", &path)).await.status, 200);
    assert_eq!(host.ask(request("DELETE", &path)).await.status, 200, "it stays ended");
    assert_eq!(host.ask(get(&path)).await.json()["status"]["state"], "expired");
    assert_eq!(listed(&host, "/api/v2/alerts").await[0]["status"]["state"], "active");
    assert_eq!(listed(&host, "/api/v2/silences").await.len(), 1);
    assert!(listed(&host, "/api/v2/silences?expired=false").await.is_empty());

    let again = post(&host, "/api/v2/silences", &silence(&id)).await.json()["silenceID"].as_str().unwrap().to_owned();
    assert_ne!(again, id, "what is over is not changed any more");
    let states: Vec<Value> = listed(&host, "/api/v2/silences").await.iter().map(|silence| silence["status"]["state"].clone()).collect();
    assert_eq!(states, ["active", "expired"]);
}

#[tokio::test]
async fn silences_are_found_by_their_matchers() {
    let host = Host::start("").await;
    post(&host, "/api/v2/silences", &silence("")).await;
    assert_eq!(listed(&host, "/api/v2/silences?filter=alertname%3D%22Disk%22").await.len(), 1);
    assert!(listed(&host, "/api/v2/silences?filter=alertname%3D~%22Disk%22").await.is_empty());
    assert!(listed(&host, "/api/v2/silences?active=false").await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_silence_is_told() {
    let host = Host::start("").await;
    let mut everything = silence("");
    everything["matchers"] = json!([{ "name": "alertname", "value": ".*", "isRegex": true }]);
    let mut over = silence("");
    over["startsAt"] = json!("2001-01-01T00:00:00Z");
    over["endsAt"] = json!("2001-01-02T00:00:00Z");
    for (body, status, told) in [
        (everything, 400, "mute everything"),
        (over, 400, "in the future"),
        (json!({}), 400, "this is no silence: missing field `matchers`"),
        (silence("2f7f4cb1-6d0c-4ee1-8d55-5a2e9b7d9a0c"), 404, "no silence has the id"),
        (silence("01ARZ3NDEKTSV4RRFFQ69G5FAV"), 404, "no silence has the id"),
    ] {
        let answer = post(&host, "/api/v2/silences", &body).await;
        assert_eq!(answer.status, status, "{}", answer.json());
        assert!(answer.json().as_str().is_some_and(|text| text.contains(told)), "{}", answer.json());
    }
}

#[tokio::test]
async fn an_error_is_a_json_string_with_the_status_of_the_problem() {
    let host = Host::start("").await;
    for (method, path, status) in [
        ("GET", "/api/v2/nothing", 404),
        ("GET", "/api/v2/silence/none", 404),
        ("DELETE", "/api/v2/silence/01ARZ3NDEKTSV4RRFFQ69G5FAV", 404),
        ("PUT", "/api/v2/alerts", 405),
        ("POST", "/api/v2/alerts", 400),
        ("GET", "/api/v2/alerts?active=maybe", 400),
        ("GET", "/api/v2/silences?filter=x", 400),
        ("GET", "/api/v2/receivers?x=1", 400),
    ] {
        let answer = host.ask(request(method, path)).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/json")), "{method} {path}");
        assert!(answer.json().is_string(), "{method} {path}: {}", answer.json());
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        assert!(length.is_none_or(|length: usize| length == answer.body.len()), "{method} {path}");
    }
    let mut foreign = get("/api/v2/alerts");
    foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
    let answer = host.ask(foreign).await;
    assert_eq!((answer.status, answer.json().is_string()), (421, true));
    assert_eq!(host.ask(get("/api/v2")).await.header("content-type"), Some("application/problem+json"), "it is none of Alertmanager's");
}

#[tokio::test]
async fn beyond_loopback_a_viewer_reads_and_posts_nothing() {
    let host = Host::start_beyond("").await;
    let answer = host.ask(get("/api/v2/alerts")).await;
    assert_eq!((answer.status, answer.json().is_string()), (401, true));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"sickbay\""));
    assert_eq!(host.ask(with_token(get("/api/v2/alerts"))).await.status, 200);
    for (method, path) in [("POST", "/api/v2/alerts"), ("POST", "/api/v2/silences"), ("DELETE", "/api/v2/silence/x")] {
        let answer = host.ask(with_token(request(method, path))).await;
        assert_eq!((answer.status, answer.json().is_string()), (403, true), "{method} {path}");
    }
}

#[tokio::test]
async fn whose_token_it_is_made_the_silence_whatever_is_written() {
    let hash: String = Sha256::digest("an-operator").iter().map(|byte| format!("{byte:02x}")).collect();
    let host = Host::start_beyond(&format!("[[token]]\nname = \"ops\"\nrole = \"operator\"\nhash = \"{hash}\"\n")).await;
    let mut put = with_body("POST", "/api/v2/silences", silence("").to_string());
    put.headers_mut().insert("authorization", "Bearer an-operator".parse().unwrap());
    let answer = host.ask(put).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let told = host.ask(with_token(get("/api/v2/silences"))).await.json();
    assert_eq!(told[0]["createdBy"], json!("ops"));
}

#[tokio::test]
async fn posted_alerts_may_be_longer_than_other_bodies_and_have_a_bound_of_their_own() {
    let host = Host::start("").await;
    let padded = |bytes: usize| format!("{}{}", " ".repeat(bytes - 2), "[]");
    for (path, bytes, status) in [
        ("/api/v2/alerts", ALERTS_BODY_BYTES_MAX, 200),
        ("/api/v2/alerts", ALERTS_BODY_BYTES_MAX + 1, 413),
        ("/api/v2/silences", REQUEST_BODY_BYTES_MAX, 400),
        ("/api/v2/silences", REQUEST_BODY_BYTES_MAX + 1, 413),
        ("/api/v2/alerts/groups", REQUEST_BODY_BYTES_MAX + 1, 413),
    ] {
        assert_eq!(host.ask(with_body("POST", path, padded(bytes))).await.status, status, "{path} {bytes}");
    }
    let many = format!("[{}]", vec!["{}"; posted::ALERTS_MAX + 1].join(","));
    assert_eq!(host.ask(with_body("POST", "/api/v2/alerts", many)).await.status, 400);
}

#[tokio::test]
async fn the_status_is_one_that_clients_can_read() {
    let host = Host::start("").await;
    let status = host.ask(get("/api/v2/status")).await.json();
    assert_eq!(status["cluster"], json!({ "name": "", "status": "disabled", "peers": [] }));
    assert!(status["versionInfo"]["version"].as_str().is_some_and(|version| version.starts_with("0.")), "{status}");
    assert_eq!(status["uptime"], rfc3339(host.live.started_at));
    let routes: Value = serde_json::from_str(status["config"]["original"].as_str().unwrap()).unwrap();
    assert_eq!(routes["route"]["receiver"], "nobody");
    assert!(listed(&host, "/api/v2/receivers").await.is_empty());
}

#[tokio::test]
async fn a_silence_without_a_sensible_end_is_refused_in_words_that_clients_show() {
    let host = Host::start("").await;
    let mut endless = silence("");
    endless["endsAt"] = json!("9999-12-31T23:59:59Z");
    let answer = post(&host, "/api/v2/silences", &endless).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json().as_str().is_some_and(|told| told.contains("a silence ends within 5 years")), "{}", answer.json());
    assert!(listed(&host, "/api/v2/silences").await.is_empty());
}

#[tokio::test]
async fn what_looks_like_a_secret_in_an_annotation_goes_no_further() {
    let host = Host::start("").await;
    let body = json!([{ "labels": { "alertname": "Slow" }, "annotations": { "summary": "slow, password=hunter22hunter" } }]);
    assert_eq!(host.ask(with_body("POST", "/api/v2/alerts", body.to_string())).await.status, 200);
    let told = host.ask(get("/api/v2/alerts")).await.json().to_string();
    assert!(told.contains("[masked]") && !told.contains("hunter22hunter"), "{told}");
}

#[tokio::test]
async fn a_secret_of_the_configuration_is_masked_in_labels_annotations_and_links() {
    let host = Host::start("[secrets.hook]\nfile = \"hook\"\n").await;
    std::fs::write(host.folder.path().join("hook"), "swordfish").unwrap();
    let body = json!([
        {
            "labels": { "alertname": "Slow", "query": "key=swordfish&a=1" },
            "annotations": { "summary": "with sword\\u0066ish or swordfish" },
            "generatorURL": "http://prometheus/graph?g0.expr=swordfish",
        },
        { "labels": { "alertname": "Bad" }, "startsAt": "swordfish" },
    ]);
    let answer = host.ask(with_body("POST", "/api/v2/alerts", body.to_string())).await;
    assert!(answer.status == 400 && !answer.json().to_string().contains("swordfish"), "{}", answer.json());
    let told = host.ask(get("/api/v2/alerts")).await.json().to_string();
    assert!(told.contains("{{secret:hook}}") && !told.contains("swordfish"), "{told}");
    let incidents = host.ask(get("/api/v1/incidents")).await.json().to_string();
    assert!(incidents.contains("{{secret:hook}}") && !incidents.contains("swordfish"), "{incidents}");
}
