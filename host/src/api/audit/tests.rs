use axum::body::Body;
use axum::http::Request;
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::*;
use crate::api::testing::{Host, get, post, request, two_checks, with_token};

const SILENCE: &str = r#"{"matchers": ["service=\"api\""], "for": "2h", "by": "anna"}"#;
/// A record that is late is looked for so often, each time after a short while.
const LOOKS_MAX: usize = 2_000;

/// The records, the newest first; waits until there are so many.
async fn recorded(host: &Host, asked: impl Fn() -> Request<Body>, count: usize) -> Vec<Value> {
    for _ in 0..LOOKS_MAX {
        let page = host.ask(asked()).await.json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        if items.len() >= count {
            assert_eq!(items.len(), count, "{items:?}");
            return items;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are never {count} records");
}

#[tokio::test]
async fn what_is_done_and_what_is_refused_is_recorded_and_what_is_read_is_not() {
    let host = Host::start(&two_checks()).await;
    let made = host.ask(post("/api/v1/silences", SILENCE)).await.json();
    assert_eq!(host.ask(request("DELETE", "/api/v1/silences/absent")).await.status, 404);
    host.ask(post("/api/v1/push/api", "{}")).await;
    host.ask(post("/api/v2/alerts", "[]")).await;
    host.ask(request("DELETE", "/api/v1/checks")).await;
    let items = recorded(&host, || get("/api/v1/audit"), 2).await;
    let of = |item: &Value| json!([item["actor"], item["action"], item["target"], item["result"], item["status"]]);
    assert_eq!(of(&items[0]), json!([SOMEBODY, "expire_silence", "absent", "refused", 404]));
    assert_eq!(of(&items[1]), json!(["anna", "add_silence", made["id"], "done", 201]));
    assert_eq!((&items[0]["detail"], &items[1]["detail"]), (&json!("no silence has the id `absent`"), &json!(SILENCE)));
}

#[tokio::test]
async fn what_is_denied_is_recorded_with_whose_token_it_was() {
    let host = Host::start_beyond(&two_checks()).await;
    assert_eq!(host.ask(with_token(post("/api/v1/silences", SILENCE))).await.status, 403);
    assert_eq!(host.ask(post("/api/v1/silences", SILENCE)).await.status, 401);
    assert_eq!(host.ask(get("/api/v1/silences")).await.status, 401);
    let items = recorded(&host, || with_token(get("/api/v1/audit")), 2).await;
    let of = |item: &Value| json!([item["actor"], item["result"], item["status"]]);
    // Nobody says who he is before he is let in.
    assert_eq!((of(&items[0]), of(&items[1])), (json!([SOMEBODY, "denied", 401]), json!(["test", "denied", 403])));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_record_all_the_same() {
    let host = Host::start(&two_checks()).await;
    assert!(host.ask(post("/api/v1/silences", SILENCE)).now_or_never().is_none(), "it was answered at once");
    let items = recorded(&host, || get("/api/v1/audit"), 1).await;
    assert_eq!((&items[0]["result"], &items[0]["status"], &items[0]["actor"]), (&json!("unknown"), &Value::Null, &json!("anna")));
}

#[tokio::test]
async fn no_secret_and_no_control_character_is_recorded() {
    let host = Host::start(&two_checks()).await;
    let body = r#"{"matchers": ["service=\"api\""], "for": "2h", "comment": "password=hunter22hunter", "by": "an\u0000na"}"#;
    assert_eq!(host.ask(post("/api/v1/silences", body)).await.status, 201);
    let items = recorded(&host, || get("/api/v1/audit?actor=an%20na"), 1).await;
    let detail = items[0]["detail"].as_str().unwrap();
    assert!(detail.contains("[masked]") && !detail.contains("hunter22"), "{detail}");
}

#[test]
fn every_route_that_changes_something_has_a_name() {
    for (method, path, action) in ACTIONS {
        assert_eq!(action_of(&method.parse().unwrap(), path), Some(action), "{method} {path}");
    }
    assert_eq!(action_of(&Method::PATCH, "/api/v1/silences"), Some(OTHER));
    assert_eq!(action_of(&Method::POST, DATA[0]), None);
    assert_eq!(action_of(&Method::HEAD, "/api/v1/silences"), None);
}

#[tokio::test]
async fn no_route_of_the_document_is_without_a_name() {
    let host = Host::start("").await;
    let document = host.ask(get("/api/openapi.json")).await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            assert_ne!(action_of(&method, path), Some(OTHER), "{method} {path}");
        }
    }
}

#[test]
fn of_many_denied_requests_few_are_recorded_and_the_others_counted() {
    let denials = Denials::default();
    let [first, second]: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap()];
    let recorded = (0..200).filter(|_| denials.admit(first).is_some()).count() as u64;
    assert!((60..=65).contains(&recorded), "{recorded}");
    assert_eq!(denials.admit(second), Some(200 - recorded));
    assert_eq!(denials.admit(second), Some(0));
}

#[test]
fn a_text_is_cut_and_has_no_control_characters() {
    assert_eq!(short("a\0b\nc".to_owned(), 10), "a b c");
    assert_eq!(short("abcdef".to_owned(), 3), "abc…");
    assert_eq!(short("abc".to_owned(), 3), "abc");
}
