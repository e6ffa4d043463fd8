//! The API over real sockets: who may ask, how it refuses, lists, runs on request, and what garbage does to it.

use std::collections::BTreeSet;
use std::net::TcpListener;

use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::Value;
use sickbay_tests::{Answer, Client, EventStream, Sickbay, check, found, milliseconds, until, wait};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

/// More than one part of any list.
const MANY: usize = 1_200;

fn checks(count: usize) -> String {
    (0..count).map(|number| check(&format!("check-{number:04}"), "noop", "24h", "")).collect()
}

/// A request with one more or another header.
async fn status_with(client: Client, method: &str, path: &str, name: &'static str, value: &str) -> u16 {
    let mut request = client.request(method, path);
    request.headers_mut().insert(name, value.parse().expect("a header"));
    client.send(request).await.status
}

fn assert_is_problem(answer: &Answer, status: u16, name: &str) {
    assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"), "{}", answer.text());
    let problem = answer.json();
    assert_eq!((&problem["type"], &problem["status"]), (&format!("urn:sickbay:problem:{name}").into(), &status.into()));
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
}

#[tokio::test]
async fn only_programs_and_pages_of_this_machine_are_answered() {
    let sickbay = Sickbay::started(&checks(1), &["noop"]).await;
    let client = sickbay.client();
    let own = sickbay.url();
    for path in ["/", "/livez", "/readyz", "/healthz", "/metrics", "/api/v1/checks", "/api/v1/plugins", "/api/openapi.json", "/nothing"] {
        assert_eq!(status_with(client, "GET", path, "host", "evil.example").await, 421, "{path}");
        assert_eq!(status_with(client, "GET", path, "origin", "http://evil.example").await, 403, "{path}");
        assert_eq!(status_with(client, "GET", path, "origin", "null").await, 403, "{path}");
        assert_eq!(status_with(client, "GET", path, "sec-fetch-site", "cross-site").await, 403, "{path}");
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]"] {
        assert_eq!(status_with(client, "GET", "/livez", "host", host).await, 200, "{host}");
    }
    assert_eq!(status_with(client, "GET", "/livez", "origin", &own).await, 200);
    let run = "/api/v1/checks/check-0000/run";
    assert_eq!(status_with(client, "POST", run, "origin", "http://evil.example").await, 403);
    assert_eq!(status_with(client, "POST", run, "origin", &own).await, 200);
    let foreign = sickbay.client().raw(b"GET /livez HTTP/1.0\r\n\r\n").await;
    assert!(foreign.starts_with("HTTP/1.0 400") || foreign.starts_with("HTTP/1.1 400"), "a request without a host: {foreign}");
}

#[tokio::test]
async fn what_is_refused_says_why_in_the_standard_form() {
    let sickbay = Sickbay::started(&checks(1), &["noop"]).await;
    let client = sickbay.client();
    for (method, path, status, name) in [
        ("GET", "/nothing", 404, "path-unknown"),
        ("GET", "/api/v1/checks/absent", 404, "check-unknown"),
        ("GET", "/api/v1/checks/absent/results", 404, "check-unknown"),
        ("POST", "/api/v1/checks/absent/run", 404, "check-unknown"),
        ("GET", "/api/v1/plugins/absent", 404, "plugin-unknown"),
        ("GET", "/api/v1/checks/check-0000/run", 405, "method-not-allowed"),
        ("DELETE", "/api/v1/checks", 405, "method-not-allowed"),
        ("GET", "/api/v1/checks?limit=0", 400, "parameter-invalid"),
        ("GET", "/api/v1/checks?limit=1001", 400, "parameter-invalid"),
        ("GET", "/api/v1/checks?colour=red", 400, "parameter-invalid"),
        ("GET", "/api/v1/checks?status=down", 400, "parameter-invalid"),
        ("GET", "/api/v1/checks/check-0000/results?before=-1", 400, "parameter-invalid"),
        ("POST", "/api/v1/checks/check-0000/run?x=1", 400, "parameter-invalid"),
        ("GET", "/api/v1/checks/%ff", 404, "path-unknown"),
    ] {
        let answer = client.send(client.request(method, path)).await;
        assert_is_problem(&answer, status, name);
        assert!(answer.json()["hint"].is_string(), "{method} {path}: {}", answer.text());
    }
}

#[tokio::test]
async fn every_check_is_listed_once_whatever_the_size_of_the_parts() {
    let sickbay = Sickbay::started(&(checks(MANY) + &check("labelled", "noop", "24h", "labels = { service = \"api\" }")), &["noop"]).await;
    let expected: Vec<String> = (0..MANY).map(|number| format!("check-{number:04}")).chain(["labelled".to_owned()]).collect();
    for limit in [1000, 100, 7] {
        let items = sickbay.client().list("/api/v1/checks", "cursor", limit).await;
        let names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
        assert_eq!(names, expected, "in parts of {limit}");
    }
    let page = sickbay.json("/api/v1/checks").await;
    assert_eq!((page["items"].as_array().map(Vec::len), page["next"].as_str()), (Some(100), Some("check-0099")));
    let labelled = sickbay.json("/api/v1/checks?label=service=api").await;
    assert_eq!((labelled["items"].as_array().map(Vec::len), &labelled["next"]), (Some(1), &Value::Null));
    let others = sickbay.json("/api/v1/checks?plugin=other").await;
    assert_eq!(others["items"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn the_history_is_listed_once_while_it_grows() {
    let sickbay = Sickbay::started(&check("busy", "noop", "100ms", ""), &["noop"]).await;
    until("there is some history", async || sickbay.results("busy").await.len() > 30).await;
    let results = sickbay.client().list("/api/v1/checks/busy/results", "before", 5).await;
    let numbers: Vec<u64> = results.iter().filter_map(|result| result["seq"].as_u64()).collect();
    assert!(numbers.len() > 30 && numbers.windows(2).all(|pair| pair[0] == pair[1] + 1), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&1));
}

#[tokio::test]
async fn a_check_can_be_run_now_by_many_at_once_and_each_run_is_recorded() {
    const AT_ONCE: usize = 20;
    let sickbay = Sickbay::started(&checks(2), &["noop"]).await;
    let client = sickbay.client();
    let mut runs = JoinSet::new();
    for _ in 0..AT_ONCE {
        runs.spawn(async move { client.post("/api/v1/checks/check-0000/run").await });
    }
    let answers = runs.join_all().await;
    let history = sickbay.results("check-0000").await;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let result = answer.json();
        assert_eq!((&result["trigger"], &result["status"]), (&"manual".into(), &"ok".into()));
        assert!(history.contains(&result), "{result} is not in the history");
    }
    for field in ["seq", "scheduled_at"] {
        let values: BTreeSet<String> = answers.iter().map(|answer| answer.json()[field].to_string()).collect();
        assert_eq!(values.len(), AT_ONCE, "{field}");
    }
    assert!(sickbay.results("check-0001").await.iter().all(|result| result["trigger"] == "schedule"));
}

#[tokio::test]
async fn a_run_on_request_does_not_move_the_cadence() {
    let sickbay = Sickbay::started(&check("steady", "noop", "500ms", ""), &["noop"]).await;
    let scheduled = async || -> Vec<Value> {
        let results = sickbay.results("steady").await;
        results.into_iter().filter(|result| result["trigger"] == "schedule").collect()
    };
    // Right after a run by itself: two runs for one time are told apart by their times.
    for wanted in 1..=3 {
        until("it ran by itself", async || scheduled().await.len() >= wanted).await;
        sickbay.run_now("steady").await;
    }
    until("it ran by itself after the last one, too", async || scheduled().await.len() > 3).await;
    let scheduled = scheduled().await;
    let phase = |result: &Value| milliseconds(result["scheduled_at"].as_str().expect("a time")) % 500;
    let phases: BTreeSet<i64> = scheduled.iter().map(phase).collect();
    assert_eq!(phases.len(), 1, "{phases:?}");
}

#[tokio::test]
async fn healthz_is_503_exactly_while_a_check_is_hard_critical() {
    let down = check("down", "hostile", "500ms", "kind = \"hostile-text\"\nfailures = 4");
    let sickbay = Sickbay::started(&(checks(3) + &down), &["noop", "hostile"]).await;
    let mut seen = BTreeSet::new();
    until("it is soft critical first, then hard", async || {
        let answer = sickbay.get("/healthz").await;
        let health = answer.json();
        let checks = health["checks"].as_array().expect("a list");
        assert_eq!(checks.len(), 4);
        let is_hard = checks.iter().any(|check| check["hard_status"] == "critical");
        assert_eq!((answer.status == 503, &health["healthy"]), (is_hard, &Value::Bool(!is_hard)), "{health}");
        if checks.iter().any(|check| check["status"] == "critical") {
            seen.insert(is_hard);
        }
        is_hard
    })
    .await;
    assert_eq!(seen, BTreeSet::from([false, true]));
    // That nobody can judge is no reason.
    sickbay.configure(&(checks(3) + &check("lost", "absent", "200ms", "failures = 1")));
    until("nothing is critical any more", async || sickbay.get("/healthz").await.status == 200).await;
    until("one is unknown", async || sickbay.check("lost").await["reason"] == "PluginMissing").await;
    assert_eq!(sickbay.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn ready_means_that_checks_are_known_and_run() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let mut sickbay = Sickbay::prepared("", &["noop", "hostile"]);
    sickbay.write("sickbay.toml", format!("[server]\nlisten = \"{address}\"\n{}", checks(5_000)));
    sickbay.spawn();
    let client = Client { address };
    until("it answers", async || client.try_get("/livez").await.is_some()).await;
    // Without a pause between two questions: the first answer that says ready is the one to be held to.
    let asked = async {
        while client.get("/readyz").await.status != 200 {}
        (client.get("/api/v1/checks/check-0000").await.status, client.post("/api/v1/checks/check-0000/run").await.status)
    };
    let statuses = tokio::time::timeout(wait::PATIENCE, asked).await.expect("it becomes ready");
    assert_eq!(statuses, (200, 200));
}

#[tokio::test]
async fn the_document_names_every_path_and_every_path_answers() {
    let pushed = "[[check]]\nname = \"pushed\"\npush = { within = \"1h\" }\n\n\
                  [[slo]]\nname = \"promised\"\nchecks = [\"check-0000\"]\nobjective = 0.99\n";
    let sickbay = Sickbay::started(&format!("{}\n{pushed}", checks(1)), &["noop"]).await;
    let document = sickbay.json("/api/openapi.json").await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{}", document["openapi"]);
    let paths = document["paths"].as_object().expect("paths");
    for path in [
        "/livez",
        "/readyz",
        "/healthz",
        "/metrics",
        "/api/v1/checks",
        "/api/v1/checks/{name}",
        "/api/v1/checks/{name}/results",
        "/api/v1/checks/{name}/run",
        "/api/v1/push/{name}",
        "/api/v1/plugins",
        "/api/v1/plugins/{name}",
        "/api/v1/config",
        "/api/v1/events",
    ] {
        assert!(paths.contains_key(path), "{path} is not in the document");
    }
    for (path, methods) in paths {
        // An event stream does not end; what is asked and told of one incident, silence or window has tests of its own.
        if path == "/api/v1/events" || path.contains("{id}") || ["/api/v1/silences", "/api/v1/maintenance"].contains(&path.as_str()) {
            continue;
        }
        let name = match path {
            path if path.contains("plugins") => "noop",
            path if path.contains("push") => "pushed",
            path if path.contains("slos") => "promised",
            _ => "check-0000",
        };
        for method in methods.as_object().expect("methods").keys() {
            let request = sickbay.client().request(&method.to_uppercase(), &path.replace("{name}", name));
            assert_eq!(sickbay.client().send(request).await.status, 200, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_lists_every_check() {
    let sickbay = Sickbay::started(&checks(30), &["noop"]).await;
    let page = sickbay.get("/").await;
    assert!(page.status == 200 && page.header("content-type").starts_with("text/html"), "{}", page.header("content-type"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{}", page.header("content-security-policy"));
    let html = page.text();
    for number in 0..30 {
        assert!(html.contains(&format!("check-{number:04}")), "check-{number:04} is not on the page");
    }
}

#[tokio::test]
async fn garbage_on_the_socket_is_refused_and_harms_nobody() {
    let sickbay = Sickbay::started(&checks(1), &["noop"]).await;
    let client = sickbay.client();
    let host = format!("host: {}\r\n", sickbay.address());
    let head = |line: &str, more: &str| format!("{line} HTTP/1.1\r\n{host}{more}\r\n");
    let run = "POST /api/v1/checks/check-0000/run";
    let mut body_beyond = head(run, "connection: close\r\ncontent-length: 71680\r\n").into_bytes();
    body_beyond.resize(body_beyond.len() + 71_680, b'x');
    let requests: [(&str, Vec<u8>, &str); 9] = [
        ("a TLS greeting", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(20), "400"),
        ("zeros", vec![0; 4096], "400"),
        ("text", b"hello, is anybody there?\r\n\r\n".to_vec(), "400"),
        ("a flood of headers", head("GET /livez", &"x: y\r\n".repeat(5000)).into_bytes(), "431"),
        ("one header of 100 KB", head("GET /livez", &format!("x: {}\r\n", "y".repeat(100_000))).into_bytes(), "431"),
        ("a path of 70 KB", head(&format!("GET /{}", "a".repeat(70_000)), "").into_bytes(), "4"),
        ("a body of 70 KiB", body_beyond, "413"),
        ("two lengths", (head(run, "content-length: 1\r\ncontent-length: 2\r\n") + "xx").into_bytes(), "400"),
        ("a head that breaks off", b"GET /livez HT".to_vec(), ""),
    ];
    let mut asked = JoinSet::new();
    for (what, bytes, status) in requests {
        asked.spawn(async move {
            let answer = client.raw(&bytes).await;
            // Either refused with a status, or cut off.
            let is_refused = answer.is_empty() || answer.strip_prefix("HTTP/1.1 ").is_some_and(|rest| rest.starts_with(status));
            assert!(is_refused, "{what}: {answer:.200}");
        });
    }
    // Others are served while the slow one is still there.
    assert_eq!(sickbay.run_now("check-0000").await["status"], "ok");
    while let Some(ended) = asked.join_next().await {
        ended.expect("it is refused");
    }
    assert_eq!((sickbay.get("/readyz").await.status, sickbay.get("/healthz").await.status), (200, 200));
    assert!(!sickbay.log().contains("panicked"), "something panicked");
}

#[tokio::test]
async fn connections_that_ask_nothing_shut_nobody_out() {
    // More than may wait, and more than there may be at all.
    const DAWDLING: usize = 1_100;
    let sickbay = Sickbay::started(&checks(1), &["noop"]).await;
    let half_a_head = "GET /livez HTTP/1.1\r\nhost: ".to_owned();
    let run = "POST /api/v1/checks/check-0000/run";
    let no_body = format!("{run} HTTP/1.1\r\nhost: {}\r\ncontent-length: 10\r\n\r\n", sickbay.address());
    for said in [String::new(), half_a_head, no_body] {
        let mut dawdling = sickbay.client().dawdle(DAWDLING, said.as_bytes()).await;
        for path in ["/livez", "/readyz", "/metrics", "/api/v1/checks"] {
            assert_eq!(sickbay.get(path).await.status, 200, "{path} beside {said:?}");
        }
        assert_eq!(sickbay.run_now("check-0000").await["status"], "ok", "beside {said:?}");
        let mut byte = [0];
        let ended = tokio::time::timeout(wait::PATIENCE, dawdling[0].read(&mut byte)).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "the oldest is closed without an answer to {said:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_needed_is_taken_up_to_its_bound() {
    let sickbay = Sickbay::started(&checks(1), &["noop"]).await;
    let client = sickbay.client();
    for (bytes, status) in [(64 << 10, 200), ((64 << 10) + 1, 413)] {
        let (mut parts, _) = client.request("POST", "/api/v1/checks/check-0000/run").into_parts();
        parts.headers.insert("content-type", "application/json".parse().expect("a header"));
        let request = hyper::Request::from_parts(parts, Full::new(Bytes::from(vec![b' '; bytes])));
        assert_eq!(client.send(request).await.status, status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn no_more_streams_are_opened_than_there_may_be() {
    const STREAMS_MAX: usize = 64;
    let sickbay = Sickbay::started(&checks(1), &["noop"]).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        streams.push(EventStream::open(sickbay.client(), None).await);
    }
    assert_is_problem(&sickbay.get("/api/v1/events").await, 503, "streams-exhausted");
    let result = sickbay.run_now("check-0000").await;
    for stream in &mut streams {
        // Its first run by itself may have come before.
        let told = found("every stream tells of it", async || stream.next().await.filter(|event| event.data["seq"] == result["seq"])).await;
        assert_eq!(told.data, result);
    }
    streams.pop();
    until("a place is free again", async || {
        let request = sickbay.client().request("HEAD", "/api/v1/events");
        sickbay.client().send(request).await.status == 200
    })
    .await;
}
