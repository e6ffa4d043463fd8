//! What looks like a secret, though no configuration names it: whoever says it, in whatever place, log, answers, page, metrics and store have
//! `[masked]`.

use serde_json::{Value, json};
use sickbay_tests::ask::{asking, everything_told};
use sickbay_tests::{Sickbay, program, until};

const MASKED: &str = "[masked]";
const MASKING: &str = "[masking]\npatterns = [\"EMP-[0-9]{6}\"]\n";
/// Its place in [`planted`].
const GITHUB: usize = 6;

/// What a plugin finds, and what of it nobody may see. Tokens are put together here: no file of this project holds one whole.
fn planted() -> Vec<(String, String)> {
    let part = |text: &str, secret: &str| (text.to_owned(), secret.to_owned());
    let token = |prefix: &str, length: usize| {
        let drawn: String = prefix.chars().chain("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7".chars().cycle().take(length)).collect();
        (format!("denied for {drawn}, try again"), drawn)
    };
    let web_token = ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJtb25pdG9yIn0", "c2lnbmVkLWJ5LW5vYm9keQ"].join(".");
    vec![
        part("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n", "MIIEvQIBADANBg"),
        part("sent Authorization: Basic bW9uaXRvcjpodW50ZXIx", "bW9uaXRvcjpodW50ZXIx"),
        part("cannot reach amqp://monitor:hunter-two@mq:5672/", "hunter-two"),
        part("GET /x?page=1&token=hunter-three failed", "hunter-three"),
        part("{\"user\":\"monitor\",\"password\":\"hunter-four\"}", "hunter-four"),
        part(&format!("key AKIA{}", "IOSFODNN7MONITOR"), "IOSFODNN7MONITOR"),
        token("ghp_", 36),
        token("glpat-", 20),
        token("xoxb-", 40),
        token("sk_live_", 24),
        token("AIza", 35),
        token("whsec_", 32),
        token("npm_", 36),
        (format!("cookie {web_token}; path=/"), web_token),
        part("employee EMP-123456 signed in", "EMP-123456"),
    ]
}

fn name(index: usize) -> String {
    format!("read-{index}")
}

/// Checks that find it in files, one each, and one that is told.
fn checks(planted: &[(String, String)]) -> String {
    let grants = "files = [{ host = \"kept\", guest = \"/kept\" }]";
    let read = |index: usize| asking(&name(index), grants, &[json!({ "read": { "path": format!("/kept/{index}") } })]);
    let pushed = "[[check]]\nname = \"pushed\"\npush = { within = \"25h\" }\n\n".to_owned();
    (0..planted.len()).map(read).fold(pushed, |checks, check| checks + &check)
}

async fn finding(planted: &[(String, String)]) -> Sickbay {
    let mut sickbay = Sickbay::prepared(&format!("{MASKING}\n{}", checks(planted)), &["ask"]);
    std::fs::create_dir(sickbay.path("kept")).expect("a folder");
    for (index, (text, _)) in planted.iter().enumerate() {
        sickbay.write(&format!("kept/{index}"), text);
    }
    sickbay.log_by("debug");
    sickbay.start().await;
    sickbay
}

fn assert_hidden(told: &str, planted: &[(String, String)]) {
    assert!(told.contains(MASKED), "nothing is masked in {told}");
    for (text, secret) in planted {
        assert!(!told.contains(secret.as_str()), "{secret} of `{text}` is told");
    }
}

#[tokio::test]
async fn what_looks_like_a_secret_is_masked_wherever_it_is_told() {
    let planted = planted();
    let sickbay = finding(&planted).await;
    for (index, (text, secret)) in planted.iter().enumerate() {
        let result = sickbay.run_now(&name(index)).await;
        for told in [&result["summary"], &result["details"]["outcomes"][0]] {
            let is_masked = told.as_str().is_some_and(|told| told.starts_with("ok: ") && told.contains(MASKED) && !told.contains(secret));
            assert!(is_masked, "{text}: {result}");
        }
    }
    assert!(sickbay.log().contains("plugin: ok: denied for [masked], try again"), "{}", sickbay.log());
    let probed = program::run(sickbay.folder(), &["probe", &name(GITHUB), "--debug"]).await;
    assert_eq!(probed.out, "OK - ok: denied for [masked], try again\n", "{probed:?}");
    assert_hidden(&probed.err, &planted);
    pushed(&sickbay, &planted[GITHUB].1).await;
    written(&sickbay, &planted[GITHUB].1).await;
    let told = everything_told(&sickbay).await;
    assert_hidden(&told, &planted);
    assert!(!told.contains("hunter-five") && !told.contains("hunter-six"), "what was pushed is told");
    assert!(!told.contains("hunter-seven"), "what people wrote is told");
}

/// What people write: comments of silences, notes of incidents, and who they say they are; and what is refused.
async fn written(sickbay: &Sickbay, token: &str) {
    let text = format!("see {token}");
    let by = "password=hunter-seven";
    let silence = json!({ "matchers": ["service=\"none\""], "for": "2h", "comment": text, "by": by, "allow_unmatched": true });
    let made = sickbay.client().post_body("/api/v1/silences", &silence.to_string()).await;
    assert_eq!((made.status, &made.json()["comment"]), (201, &json!("see [masked]")), "{}", made.text());
    let silence = json!({
        "matchers": [{ "name": "service", "value": "none", "isRegex": false }],
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": made.json()["ends_at"],
        "createdBy": by,
        "comment": text,
    });
    let made = sickbay.client().post_body("/api/v2/silences", &silence.to_string()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let alert = json!([{ "labels": { "alertname": "Disk" } }]).to_string();
    assert_eq!(sickbay.client().post_body("/api/v2/alerts", &alert).await.status, 200);
    let id = sickbay.get("/api/v1/incidents").await.json()["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    for (verb, body) in [("note", json!({ "text": text, "by": by })), ("ack", json!({ "note": text, "by": by }))] {
        let taken = sickbay.client().post_body(&format!("/api/v1/incidents/{id}/{verb}"), &body.to_string()).await;
        assert_eq!(taken.status, 200, "{verb}: {}", taken.text());
        let refused = sickbay.client().post_body(&format!("/api/v1/incidents/{id}/{verb}"), &json!(text).to_string()).await;
        assert!(refused.status == 400 && !refused.text().contains(token), "{verb}: {}", refused.text());
    }
}

/// A report that is pushed, as a name and as a value too; and one that is refused, with what was wrong in it.
async fn pushed(sickbay: &Sickbay, token: &str) {
    let labels = json!({ "password": "hunter-five and more", "note": "token=hunter-six", "host": "a" });
    let report = json!({ "summary": format!("no {token}"), "metrics": { token: 1.0, "files": 2.0 }, "labels": labels });
    let taken = sickbay.client().post_body("/api/v1/push/pushed", &report.to_string()).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    let taken = taken.json();
    let kept = json!({ "password": MASKED, "note": "token=[masked]", "host": "a" });
    assert_eq!((&taken["summary"], &taken["details"]["labels"]), (&json!("no [masked]"), &kept), "{taken}");
    let metrics = sickbay.metrics().await;
    let names: Vec<&str> =
        metrics.series("sickbay_check_metric", &[("check", "pushed")]).map(|sample| sample.labels["metric"].as_str()).collect();
    assert_eq!(names, ["files"]);
    let refused = sickbay.client().post_body("/api/v1/push/pushed", &json!({ "metrics": { "a": token } }).to_string()).await;
    assert_eq!(refused.status, 400);
    let told = refused.text();
    assert!(told.contains(MASKED) && !told.contains(token), "{told}");
}

#[tokio::test]
async fn what_is_masked_follows_the_configuration() {
    let planted = planted();
    let sickbay = finding(&planted).await;
    let summary = async |index: usize| match &sickbay.run_now(&name(index)).await["summary"] {
        Value::String(summary) => summary.clone(),
        other => panic!("{other} is no summary"),
    };
    assert_eq!(summary(GITHUB).await, "ok: denied for [masked], try again");
    sickbay.configure(&format!("{MASKING}well_known = false\n\n{}", checks(&planted)));
    let shown = format!("ok: {}", planted[GITHUB].0);
    until("the well-known ones are shown", async || summary(GITHUB).await == shown).await;
    assert_eq!(summary(planted.len() - 1).await, "ok: employee [masked] signed in");
}
