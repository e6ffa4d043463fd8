//! A listener that other machines reach: who is let in, over HTTP and over TLS. `0.0.0.0` is asked through 127.0.0.1, which changes
//! nothing: where the listener is bound decides.

#[allow(dead_code, reason = "this program signs, and makes nothing that is self-signed")]
use std::time::Duration;

use crate::support_http::certificates::{Authority, leaf};
use sickbay_tests::{Answer, Sickbay, check, found, program, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const VIEWER: &str = "5f0c7e21-the-token-of-the-viewer";
const OPERATOR: &str = "91d3a4b8-the-token-of-the-operator";
const RENEWED: &str = "c44e8f70-the-next-token-of-the-viewer";
const TRIES: usize = 10_000;

async fn hash(token: &str) -> String {
    let made = program::pipe("sha256sum", &[], token).await;
    made.out.split_whitespace().next().expect("a hash").to_owned() + "\n"
}

/// Ready to start; `tls` is a line of `[server]`.
async fn prepared(tls: &str) -> Sickbay {
    let sickbay = Sickbay::prepared("", &["noop"]);
    let mut configuration = format!("[server]\nlisten = \"0.0.0.0:0\"\n{tls}\n");
    for (name, token) in [("viewer", VIEWER), ("operator", OPERATOR)] {
        sickbay.write(&format!("{name}.token"), hash(token).await);
        sickbay.write(&format!("{name}.secret"), format!("{token}\n"));
        configuration += &format!("\n[[token]]\nname = \"{name}\"\nrole = \"{name}\"\nhash_file = \"{name}.token\"\n");
    }
    sickbay.write("sickbay.toml", configuration + &check("api", "noop", "24h", ""));
    sickbay
}

async fn ask(sickbay: &Sickbay, method: &str, path: &str, token: &str) -> Answer {
    let mut request = sickbay.client().request(method, path);
    if !token.is_empty() {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    }
    sickbay.client().send(request).await
}

fn assert_no_token_is_told(text: &str) {
    for token in [VIEWER, OPERATOR, RENEWED] {
        assert!(!text.contains(token), "{text}");
    }
}

#[tokio::test]
async fn a_listener_for_other_machines_without_a_token_does_not_start() {
    let sickbay = Sickbay::prepared("", &[]);
    sickbay.write("sickbay.toml", "[server]\nlisten = \"0.0.0.0:0\"\n");
    let ran = program::run(sickbay.folder(), &["serve"]).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("needs a token") && ran.err.contains("[[token]]"), "{}", ran.err);
}

#[tokio::test]
async fn each_role_does_what_it_may_and_nobody_else_does_anything() {
    let mut sickbay = prepared("").await;
    sickbay.start().await;
    for (method, path, nobody, viewer, operator) in [
        ("GET", "/livez", 200, 200, 200),
        ("GET", "/readyz", 200, 200, 200),
        ("GET", "/", 401, 200, 200),
        ("GET", "/healthz", 401, 200, 200),
        ("GET", "/metrics", 401, 200, 200),
        ("GET", "/api/v1/checks", 401, 200, 200),
        ("GET", "/api/openapi.json", 401, 200, 200),
        ("GET", "/nothing", 401, 404, 404),
        ("POST", "/api/v1/checks/api/run", 401, 403, 200),
    ] {
        for (token, wanted) in [("", nobody), ("wrong", nobody), (VIEWER, viewer), (OPERATOR, operator)] {
            let answer = ask(&sickbay, method, path, token).await;
            assert_eq!(answer.status, wanted, "{method} {path}: {}", answer.text());
            if wanted == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
                assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            }
            assert_no_token_is_told(&answer.text());
        }
        if nobody == 401 {
            let answer = ask(&sickbay, method, &format!("{path}?token={OPERATOR}&access_token={OPERATOR}"), "").await;
            assert_eq!(answer.status, 401, "{method} {path} with the token in the address");
            assert_no_token_is_told(&answer.text());
        }
    }
    assert_no_token_is_told(&sickbay.log());
}

#[tokio::test]
async fn what_a_holder_did_and_what_somebody_may_not_is_written_down() {
    let mut sickbay = prepared("").await;
    sickbay.start().await;
    for (token, wanted) in [("", 401), (VIEWER, 403), (OPERATOR, 200)] {
        assert_eq!(ask(&sickbay, "POST", "/api/v1/checks/api/run", token).await.status, wanted);
    }
    let listed = found("three records", async || {
        let listed = ask(&sickbay, "GET", "/api/v1/audit?action=run&target=api", VIEWER).await.json();
        Some(listed).filter(|listed| listed["items"].as_array().is_some_and(|items| items.len() == 3))
    });
    let listed = listed.await;
    let told = |index: usize| {
        let item = &listed["items"][index];
        (item["actor"].as_str(), item["result"].as_str(), item["status"].as_u64(), item["source"].as_str())
    };
    let here = Some("127.0.0.1");
    assert_eq!(told(0), (Some("operator"), Some("done"), Some(200), here));
    assert_eq!(told(1), (Some("viewer"), Some("denied"), Some(403), here));
    assert_eq!(told(2), (here, Some("denied"), Some(401), here));
    assert_eq!(ask(&sickbay, "GET", "/api/v1/audit", "").await.status, 401);
    assert_no_token_is_told(&listed.to_string());
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_also_what_it_began() {
    let mut sickbay = prepared("").await;
    sickbay.start().await;
    let mut stream = TcpStream::connect(sickbay.address()).await.expect("it listens");
    let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: sickbay\r\nauthorization: Bearer {VIEWER}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("it answers");
    assert_eq!(&first, b"HTTP/1.1 200");

    sickbay.write("viewer.token", hash(RENEWED).await);
    sickbay.hang_up();
    until("the next token is known", async || ask(&sickbay, "GET", "/api/v1/checks", RENEWED).await.status == 200).await;
    // The tries of the wait before count too.
    assert!(matches!(ask(&sickbay, "GET", "/api/v1/checks", VIEWER).await.status, 401 | 429));
    // The connection itself stays for a next request, so the end of the answer is its last chunk.
    let mut answer = Vec::new();
    let ended = async {
        while !answer.ends_with(b"\r\n0\r\n\r\n") {
            let mut part = [0; 1024];
            let count = stream.read(&mut part).await.expect("it can be read");
            if count == 0 {
                return;
            }
            answer.extend_from_slice(&part[..count]);
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("the stream ends");

    // What is no hash changes nothing, and is told.
    sickbay.write("viewer.token", "hunter2\n");
    sickbay.hang_up();
    until("it is told", async || sickbay.log().contains("`hash_file` holds no hash")).await;
    assert_eq!(ask(&sickbay, "GET", "/api/v1/checks", RENEWED).await.status, 200);
    assert_no_token_is_told(&sickbay.log());
    assert!(!sickbay.log().contains("hunter2"));
}

#[tokio::test]
async fn ten_thousand_wrong_tokens_are_refused_counted_and_not_logged_each() {
    let mut sickbay = prepared("").await;
    sickbay.start().await;
    let mut too_many = 0_u32;
    for number in 0..TRIES {
        match ask(&sickbay, "GET", "/api/v1/checks", &format!("guess-{number}")).await.status {
            401 => {}
            429 => too_many += 1,
            status => panic!("guess {number}: {status}"),
        }
    }
    assert!(too_many > 0, "an address may try for ever");
    let answer = ask(&sickbay, "GET", "/metrics", VIEWER).await;
    assert_eq!(answer.status, 200, "a right token is let in whatever came before");
    let samples = sickbay_tests::Samples::parse(&answer.text());
    let counted = |reason: &str| samples.sum("sickbay_api_denied_total", &[("reason", reason)]);
    assert_eq!(counted("too_many"), f64::from(too_many));
    assert_eq!(counted("unknown") + counted("too_many"), TRIES as f64);
    let log = sickbay.log();
    assert!(log.lines().count() < TRIES / 10, "{} lines", log.lines().count());
    assert!(!log.contains("guess-"), "a token is in the log");
}

const TLS: &str = "tls = { cert_file = \"server.pem\", key_file = \"server.key\" }";

fn renew(sickbay: &Sickbay, authority: &Authority) {
    let pem = authority.sign(&leaf("localhost"));
    sickbay.write("server.key", pem.key);
    sickbay.write("server.pem", pem.certificate);
}

async fn status(sickbay: &Sickbay, more: &[&str]) -> program::Ran {
    let url = format!("https://localhost:{}", sickbay.address().port());
    let arguments: Vec<&str> = ["status", "--url", &url].into_iter().chain(more.iter().copied()).collect();
    program::run(sickbay.folder(), &arguments).await
}

#[tokio::test]
async fn over_tls_the_verbs_ask_with_a_token_and_trust_whom_they_are_told_to() {
    let mut sickbay = prepared(TLS).await;
    let authority = Authority::new("the first root");
    renew(&sickbay, &authority);
    sickbay.write("ca.pem", authority.pem());
    sickbay.start_listening().await;
    let trusted = ["--ca-file", "ca.pem", "--token-file", "viewer.secret"];
    until("the verb is answered", async || status(&sickbay, &trusted).await.out.contains("api")).await;

    let ran = status(&sickbay, &trusted[..2]).await;
    assert!(ran.code != 0 && ran.err.contains("needs a token") && ran.err.contains("--token-file"), "{}", ran.err);
    let ran = status(&sickbay, &trusted[2..]).await;
    assert!(ran.code != 0 && ran.err.contains("--ca-file"), "{}", ran.err);
    // A hash is no token.
    let ran = status(&sickbay, &["--ca-file", "ca.pem", "--token-file", "viewer.token"]).await;
    assert!(ran.code != 0 && ran.err.contains("needs a token"), "{}", ran.err);

    let plain = sickbay.get("/livez").await;
    assert_eq!((plain.status, plain.json()["type"].as_str()), (400, Some("urn:sickbay:problem:tls-required")));
    assert_no_token_is_told(&sickbay.log());
}

#[tokio::test]
async fn over_tls_connections_that_never_greet_shut_nobody_out() {
    const DAWDLING: usize = 1_100;
    let mut sickbay = prepared(TLS).await;
    let authority = Authority::new("the first root");
    renew(&sickbay, &authority);
    sickbay.write("ca.pem", authority.pem());
    sickbay.start_listening().await;
    let trusted = ["--ca-file", "ca.pem", "--token-file", "viewer.secret"];
    until("the verb is answered", async || status(&sickbay, &trusted).await.out.contains("api")).await;
    let half_a_greeting: &[u8] = b"\x16\x03\x01";
    for said in [&b""[..], half_a_greeting] {
        let _dawdling = sickbay.client().dawdle(DAWDLING, said).await;
        let ran = status(&sickbay, &trusted).await;
        assert!(ran.out.contains("api"), "beside {said:?}: {ran:?}");
        let plain = sickbay.get("/livez").await;
        assert_eq!((plain.status, plain.json()["type"].as_str()), (400, Some("urn:sickbay:problem:tls-required")), "beside {said:?}");
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_without_a_restart_and_a_wrong_one_is_not() {
    let mut sickbay = prepared(TLS).await;
    let (first, second) = (Authority::new("the first root"), Authority::new("the second root"));
    renew(&sickbay, &first);
    sickbay.write("first.pem", first.pem());
    sickbay.write("second.pem", second.pem());
    sickbay.start_listening().await;
    let trusting = |ca: &'static str| ["--ca-file", ca, "--token-file", "viewer.secret"];
    until("the first is served", async || status(&sickbay, &trusting("first.pem")).await.out.contains("api")).await;

    // Nobody tells it: it looks.
    renew(&sickbay, &second);
    until("the second is served", async || status(&sickbay, &trusting("second.pem")).await.out.contains("api")).await;
    assert!(status(&sickbay, &trusting("first.pem")).await.err.contains("--ca-file"));

    sickbay.write("server.pem", "no certificate");
    sickbay.hang_up();
    until("it is told", async || sickbay.log().contains("`cert_file` holds no certificate")).await;
    assert!(status(&sickbay, &trusting("second.pem")).await.out.contains("api"));
}
