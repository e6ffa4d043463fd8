use serde_json::{Value, json};
use sickbay_core::alerting::{LabelSet, PostedAlert};
use sickbay_core::{Label, Timestamp};

use super::*;
use crate::api::testing::{Host, get, post, request, with_token};

/// An alert that somebody posts; over where `ends_at` says so.
fn posted(name: &str, severity: &str, ends_at: Option<Timestamp>) -> Fact {
    let alert = PostedAlert {
        labels: LabelSet::new([("alertname", name), ("severity", severity), ("service", "shop")]).unwrap(),
        annotations: [Label { name: "summary".to_owned(), value: format!("{name} <is> down") }].into(),
        starts_at: None,
        ends_at,
        generator_url: None,
    };
    Fact::Posted { alerts: vec![alert] }
}

async fn opened(host: &Host, name: &str, severity: &str) -> String {
    let changes = host.live.alerts.tell(posted(name, severity, None)).await.unwrap();
    changes.incidents[0].id.to_string()
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn open_incidents_are_listed_newest_first_in_parts_and_by_what_is_asked() {
    let host = Host::start("").await;
    let mut opened_ids = Vec::new();
    for (name, severity) in [("a", "P1"), ("b", "P2"), ("c", "P1")] {
        opened_ids.push(opened(&host, name, severity).await);
    }
    let page = host.ask(get("/api/v1/incidents")).await.json();
    let mut sorted = opened_ids.clone();
    sorted.sort();
    sorted.reverse();
    assert_eq!((ids(&page), &page["next"]), (sorted, &Value::Null));
    let first = host.ask(get("/api/v1/incidents?limit=2")).await.json();
    let rest = host.ask(get(&format!("/api/v1/incidents?limit=2&cursor={}", first["next"].as_str().unwrap()))).await.json();
    assert_eq!((ids(&first).len(), ids(&rest).len(), &rest["next"]), (2, 1, &Value::Null));
    for (query, count) in [
        ("severity=P1", 2),
        ("matcher=alertname%3Db", 1),
        ("matcher=alertname%3D~%22a%7Cb%22&severity=P1", 1),
        ("check=api", 0),
        ("state=resolved", 0),
        ("state=all", 3),
        ("state=all&matcher=service!%3Dshop", 0),
    ] {
        assert_eq!(ids(&host.ask(get(&format!("/api/v1/incidents?{query}"))).await.json()).len(), count, "{query}");
    }
    for query in ["state=closed", "severity=1", "matcher=%3Dx", "matcher=a%3D~%22(%22", "cursor=x", "state=all&cursor=x"] {
        let answer = host.ask(get(&format!("/api/v1/incidents?{query}"))).await;
        assert_eq!((answer.status, answer.json()["hint"].is_string()), (400, true), "{query}");
    }
}

#[tokio::test]
async fn an_incident_that_is_over_is_read_from_the_store_with_its_timeline() {
    let host = Host::start("").await;
    let id = opened(&host, "disk", "P2").await;
    let open = host.ask(get(&format!("/api/v1/incidents/{id}"))).await.json();
    assert_eq!((&open["phase"], &open["severity"], &open["summary"]), (&json!("firing"), &json!("P2"), &json!("disk <is> down")));
    assert_eq!(open["explanation"]["routes"][0]["route"], "{}");
    assert_eq!(open["annotations"], json!({ "summary": "disk <is> down" }));

    host.live.alerts.tell(posted("disk", "P2", Some(Timestamp(1)))).await.unwrap();
    let over = host.ask(get(&format!("/api/v1/incidents/{id}"))).await.json();
    assert_eq!((&over["phase"], &over["resolution"]), (&json!("resolved"), &json!("Ended")));
    let says = &over["explanation"]["says"];
    assert_eq!(says[0], "nobody is told: the route {} has no sinks", "{over}");
    assert!(says.as_array().unwrap().iter().any(|line| line.as_str().unwrap().starts_with("nothing follows")), "{over}");
    let names: Vec<&str> = over["timeline"].as_array().unwrap().iter().map(|line| line["name"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"Opened"), Some(&"Resolved")), "{names:?}");
    assert_eq!(ids(&host.ask(get("/api/v1/incidents?state=resolved")).await.json()), std::slice::from_ref(&id));
    assert!(ids(&host.ask(get("/api/v1/incidents")).await.json()).is_empty());
    let late = host.ask(post(&format!("/api/v1/incidents/{id}/ack"), "")).await;
    assert_eq!((late.status, late.json()["type"].clone()), (409, json!("urn:sickbay:problem:incident-resolved")));

    for text in ["it was the disk", "a larger one is ordered"] {
        let body = json!({ "by": "anna", "text": text }).to_string();
        assert_eq!(host.ask(post(&format!("/api/v1/incidents/{id}/note"), &body)).await.status, 200);
    }
    let noted = host.ask(get(&format!("/api/v1/incidents/{id}"))).await.json();
    let texts: Vec<&str> = noted["timeline"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(texts.ends_with(&["anna: it was the disk", "anna: a larger one is ordered"]), "{texts:?}");
    assert_eq!(noted["phase"], "resolved");
}

#[tokio::test]
async fn a_person_takes_an_incident_and_writes_down_what_was_found() {
    let host = Host::start("").await;
    let id = opened(&host, "disk", "P2").await;
    let taken = host.ask(post(&format!("/api/v1/incidents/{id}/ack"), r#"{"by": "anna", "note": "on it", "for": "2h"}"#)).await.json();
    assert_eq!((&taken["phase"], &taken["ack"]["by"], &taken["ack"]["note"]), (&json!("acknowledged"), &json!("anna"), &json!("on it")));
    assert!(taken["ack"]["until"].is_string());
    let noted = host.ask(post(&format!("/api/v1/incidents/{id}/note"), r#"{"by": "ben", "text": "logs were full"}"#)).await;
    assert_eq!(noted.status, 200);
    let detail = host.ask(get(&format!("/api/v1/incidents/{id}"))).await.json();
    let texts: Vec<&str> = detail["timeline"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(texts.contains(&"ben: logs were full"), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("acknowledged by anna until ") && text.ends_with(": on it")), "{texts:?}");

    for (path, body) in [
        ("ack", r#"{"until": "2001-01-01T00:00:00Z"}"#),
        ("ack", r#"{"for": "2h", "until": "2099-01-01T00:00:00Z"}"#),
        ("ack", r#"{"who": "anna"}"#),
        ("ack", "anna"),
        ("note", ""),
        ("note", r#"{"text": " "}"#),
    ] {
        let answer = host.ask(post(&format!("/api/v1/incidents/{id}/{path}"), body)).await;
        assert_eq!((answer.status, answer.json()["type"].clone()), (400, json!("urn:sickbay:problem:body-invalid")), "{path} {body}");
    }
    for name in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "nothing"] {
        assert_eq!(host.ask(get(&format!("/api/v1/incidents/{name}"))).await.status, 404, "{name}");
        assert_eq!(host.ask(post(&format!("/api/v1/incidents/{name}/ack"), "")).await.status, 404, "{name}");
    }
}

#[tokio::test]
async fn a_viewer_takes_nothing() {
    let host = Host::start_beyond("").await;
    assert_eq!(host.ask(with_token(request("POST", "/api/v1/incidents/x/ack"))).await.status, 403);
    assert_eq!(host.ask(with_token(get("/api/v1/incidents"))).await.status, 200);
}
