//! Who changed what by the API, as it is written down.

use serde_json::{Value, json};
use sickbay_tests::{Sickbay, check, found};

/// The newest first; waits until there are so many.
async fn recorded(sickbay: &Sickbay, path: &str, count: usize) -> Vec<Value> {
    let what = format!("{count} records at {path}");
    found(&what, async || Some(sickbay.client().list(path, "cursor", 2).await).filter(|items| items.len() == count)).await
}

#[tokio::test]
async fn who_did_what_is_known_and_stays_so_after_a_restart() {
    let mut sickbay = Sickbay::started(&check("api", "noop", "24h", ""), &["noop"]).await;
    let client = sickbay.client();
    sickbay.run_now("api").await;
    let body = r#"{"matchers": ["check=\"api\""], "for": "2h", "comment": "password=hunter22hunter", "by": "anna"}"#;
    let made = client.post_body("/api/v1/silences", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].clone();
    let path = format!("/api/v2/silence/{}", id.as_str().expect("an id"));
    assert_eq!(client.delete(&path).await.status, 200);
    assert_eq!(client.post("/api/v1/checks/absent/run").await.status, 404);

    let items = recorded(&sickbay, "/api/v1/audit", 4).await;
    let brief: Vec<Value> = items.iter().map(|item| json!([item["actor"], item["action"], item["target"], item["result"]])).collect();
    let expected = [
        json!(["127.0.0.1", "run", "absent", "refused"]),
        json!(["127.0.0.1", "expire_silence", id, "done"]),
        json!(["anna", "add_silence", id, "done"]),
        json!(["127.0.0.1", "run", "api", "done"]),
    ];
    assert_eq!(brief, expected);
    let detail = items[2]["detail"].as_str().expect("a text");
    assert!(detail.contains("check=") && !detail.contains("hunter22"), "{detail}");

    assert_eq!(sickbay.stop().await, 0);
    sickbay.start().await;
    assert_eq!(recorded(&sickbay, "/api/v1/audit", 4).await, items);
    let since = items[1]["at"].as_str().expect("a time");
    for (query, count) in [
        ("actor=anna".to_owned(), 1),
        ("action=run".to_owned(), 2),
        ("target=api".to_owned(), 1),
        ("action=resend".to_owned(), 0),
        ("since=2099-01-01T00:00:00Z".to_owned(), 0),
    ] {
        assert_eq!(recorded(&sickbay, &format!("/api/v1/audit?{query}"), count).await.len(), count, "{query}");
    }
    let newer = sickbay.client().list(&format!("/api/v1/audit?since={since}"), "cursor", 100).await;
    assert!((2..=4).contains(&newer.len()) && newer[0] == items[0], "{newer:?}");
    for query in ["action=dance", "since=yesterday", "who=anna", "cursor=x"] {
        assert_eq!(sickbay.get(&format!("/api/v1/audit?{query}")).await.status, 400, "{query}");
    }
}
