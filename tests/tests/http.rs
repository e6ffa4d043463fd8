//! HTTP checks against real servers: what the service did is critical with a failure kind, and whatever a server does, the run ends in time.
//! What was not granted is in `http_grants.rs`.
//!
//! Each test serves its rows as checks of one daemon and runs them all at once.

use std::io::Write;
use std::net::SocketAddr;
use std::slice;

use crate::support_http::certificates::{Authority, Pem, leaf, self_signed};
use crate::support_http::nginx::Nginx;
use crate::support_http::pages::{PAGES, bomb, pages};
use crate::support_http::rows::{assert_counted, critical, denied, judge, metric, ok, row, serve};
use crate::support_http::{Check, Place, Served, eventually, program, raw};
use rcgen::date_time_ymd;
use serde_json::{Value, json};

#[test]
fn what_a_server_answers_is_judged_by_status_content_and_latency() {
    let nginx = pages();
    let check = |name: &str, path: &str| Check::http(name, &nginx.url(path));
    let length = |limit: &str| format!("json = [{{ pointer = \"/queue/length\", {limit} }}]");
    let rows = [
        ok(check("good", "/ok")),
        critical(check("missing", "/missing"), "content", &["HTTP 404, expected 2xx, 3xx", "status"]),
        critical(check("broken", "/broken"), "content", &["HTTP 500"]),
        ok(check("expected", "/missing").config("expect_status = [404, \"2xx\"]")),
        critical(check("unexpected", "/ok").config("expect_status = 204"), "content", &["HTTP 200, expected 204"]),
        ok(check("text", "/ok").config("body_contains = \"well\"")),
        critical(
            check("no-text", "/ok").config("body_contains = \"ready\""),
            "content",
            &["not in 12 bytes", "the body contains \"ready\""],
        ),
        ok(check("json", "/json").config(&length("at_most = 3"))),
        critical(check("json-value", "/json").config(&length("at_most = 2")), "content", &["/queue/length is 3, expected at most 2"]),
        critical(check("json-missing", "/json").config("json = [{ pointer = \"/none\" }]"), "content", &["the body has nothing at /none"]),
        critical(check("no-json", "/ok").config(&length("at_most = 3")), "content", &["the body is not JSON"]),
        row(
            check("slow", "/ok").config("latency_warning_seconds = 0.000001"),
            "warning",
            Some("latency"),
            "Reported",
            &["at most 0.000001"],
        ),
        critical(check("too-slow", "/ok").config("latency_critical_seconds = 0.000001"), "latency", &["slow: ", "at most 0.000001"]),
        critical(check("never-done", "/big"), "timeout", &["body", " ms", "127.0.0.1"]),
        critical(check("own-timeout", "/big").config("timeout_ms = 200"), "timeout", &["body", " ms"]),
    ];
    let (_place, served) = serve("", &rows);
    judge(&served, &rows);
    assert_eq!(served.series("sickbay_check_metric", &[("check", "good"), ("metric", "status")]), 200.0);
    assert_eq!(
        served.series("sickbay_check_metric", &[("check", "missing"), ("metric", "status")]),
        404.0,
        "measured whatever the verdict"
    );
    assert_eq!(served.series("sickbay_check_status", &[("check", "never-done"), ("status", "critical")]), 1.0);
}

#[test]
fn a_certificate_is_judged_before_the_answer() {
    let (trusted, unknown) = (Authority::new("the authority"), Authority::new("another authority"));
    let mut expired = leaf("localhost");
    expired.not_after = date_time_ymd(2001, 1, 1);
    let mut early = leaf("localhost");
    early.not_before = date_time_ymd(4000, 1, 1);
    let mut distant = leaf("localhost");
    distant.not_after = date_time_ymd(2120, 1, 1);
    let certificates = [
        trusted.sign(&leaf("localhost")),
        trusted.sign(&expired),
        trusted.sign(&early),
        trusted.sign(&leaf("other.example")),
        unknown.sign(&leaf("localhost")),
        self_signed(&leaf("localhost")),
        trusted.sign(&distant),
    ];
    let nginx = with_tls(&certificates);
    let url = |index: usize| format!("https://localhost:{}/ok", nginx.ports[index]);
    let check = |name: &str, index: usize| Check::http(name, &url(index));
    let anyway = |name: &str, index: usize| check(name, index).config("accept_untrusted = true");
    let plain = format!("http://127.0.0.1:{}/ok", nginx.ports[certificates.len()]);
    let rows = [
        ok(check("good", 0)),
        critical(check("expired", 1), "tls", &["certificate expired", "days ago"]),
        critical(check("early", 2), "tls", &["certificate not valid yet"]),
        critical(check("wrong-name", 3), "tls", &["the certificate is for other.example, not for localhost"]),
        critical(check("unknown", 4), "tls", &["unknown issuer", "hint: trust its CA with `[egress] ca_file`"]),
        critical(check("self-signed", 5), "tls", &["self-signed", "hint: trust its CA with `[egress] ca_file`"]),
        critical(check("ends-soon", 6).config("certificate_critical_days = 60000"), "certificate", &["the certificate expires in"]),
        row(check("ends", 6).config("certificate_warning_days = 60000"), "warning", Some("certificate"), "Reported", &["expires in"]),
        ok(anyway("unknown-anyway", 4)),
        ok(anyway("self-signed-anyway", 5)),
        critical(anyway("expired-anyway", 1), "expired", &["the certificate expired"]),
        critical(Check::http("no-tls", &plain.replace("http:", "https:")), "tls", &["does not speak TLS"]),
        critical(Check::http("tls-there", &url(0).replace("https:", "http:")), "content", &["HTTP 400"]),
        ok(Check::http("to-plain", &url(0).replace("/ok", "/plain")).grant(&format!("GET {plain}"))),
    ];
    let place = Place::new(&["http"]);
    place.write("ca.pem", &trusted.pem());
    let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
    place.configure("[egress]\nca_file = \"ca.pem\"\n", &checks);
    let served = Served::start(&place);
    let results = judge(&served, &rows);
    assert!(metric(&results[0], "certificate_expires_seconds").is_some_and(|seconds| seconds > 1e9), "{}", results[0]);
    assert!(metric(&results[0], "tls_seconds").is_some_and(|seconds| seconds > 0.0), "{}", results[0]);

    // Without the file nobody knows the authority, except from the system's own list.
    place.configure("", slice::from_ref(&rows[0].check));
    let ended = place.probe("good");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stdout.contains("unknown issuer"), "{ended:?}");
    let mut program = program();
    program.env("SSL_CERT_FILE", place.path("ca.pem"));
    let ended = place.probe_by(program, "good");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// One server for each certificate and a plain one behind them.
fn with_tls(certificates: &[Pem]) -> Nginx {
    let names: Vec<(String, String)> = (0..certificates.len()).map(|index| (format!("{index}.pem"), format!("{index}.key"))).collect();
    let mut files: Vec<(&str, &[u8])> = Vec::new();
    for ((certificate, key), pem) in names.iter().zip(certificates) {
        files.push((certificate.as_str(), pem.certificate.as_bytes()));
        files.push((key.as_str(), pem.key.as_bytes()));
    }
    Nginx::start(&files, certificates.len() + 1, |ports| {
        let plain = ports[certificates.len()];
        let mut servers = format!("server {{ listen 127.0.0.1:{plain}; {PAGES} }}\n");
        for ((certificate, key), port) in names.iter().zip(ports) {
            servers.push_str(&format!(
                "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key};\n\
                 location = /plain {{ return 302 http://127.0.0.1:{plain}/ok; }} {PAGES} }}\n"
            ));
        }
        servers
    })
}

#[test]
fn what_a_hostile_server_does_is_critical_and_disturbs_no_other_check() {
    let nginx = pages();
    let head = "HTTP/1.1 200 OK\r\n";
    let check = |name: &str, address: SocketAddr| Check::http(name, &format!("http://{address}/"));
    let answer = |name: &str, answer: &str| check(name, raw::answering(answer));
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let rows = [
        critical(check("refuses", raw::closed()), "refused", &["127.0.0.1:1 refused the connection"]),
        critical(check("hangs", raw::hanging()), "timeout", &["first byte", " ms", "127.0.0.1:"]),
        critical(check("hangs-short", raw::hanging()).every("24h", "2s"), "timeout", &["first byte", " ms"]),
        critical(check("hangs-own", raw::hanging()).config("timeout_ms = 200"), "timeout", &["first byte", " ms"]),
        critical(check("drips-body", raw::dripping("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")), "timeout", &["body", " ms"]),
        critical(check("drips-head", raw::dripping("HTTP/1.1 200 OK\r\nx: ")), "timeout", &["first byte", " ms"]),
        critical(check("many-headers", raw::answering_endlessly(head, "x-more: of it\r\n")), "protocol", &["65536 bytes or 100 lines"]),
        critical(check("long-header", raw::answering_endlessly("HTTP/1.1 200 OK\r\nx: ", "x".repeat(4096))), "protocol", &["65536 bytes"]),
        critical(check("informs", raw::answering_endlessly("", early)), "protocol", &["informational answers and no answer"]),
        critical(answer("closes", ""), "protocol", &["closed before the answer was whole"]),
        critical(answer("cuts-head", "HTTP/1.1 200 OK\r\ncontent-le"), "protocol", &["closed before the answer was whole"]),
        critical(
            answer("cuts-body", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
            "protocol",
            &["closed before the answer was whole"],
        ),
        critical(answer("cuts-chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nshort"), "protocol", &["closed before"]),
        critical(answer("no-chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), "protocol", &[]),
        critical(answer("ssh", "SSH-2.0-OpenSSH_9.6\r\n"), "protocol", &["not HTTP/1.1"]),
        critical(answer("http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "protocol", &["not HTTP/1.1"]),
        critical(check("http2-frames", raw::answering(*b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80")), "protocol", &["not HTTP/1.1"]),
        critical(answer("http2-status", "HTTP/2 200 OK\r\n\r\n"), "protocol", &["not HTTP/1.1"]),
        critical(answer("bad-header", "HTTP/1.1 200 OK\r\nbad header\r\n\r\n"), "protocol", &["not HTTP/1.1"]),
        critical(
            answer("two-lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
            "protocol",
            &["content-length"],
        ),
        critical(
            answer("upgrades", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
            "content",
            &["HTTP 101"],
        ),
    ];
    let mut checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
    checks.push(Check::http("steady", &nginx.url("/ok")).every("1s", "1s"));
    let place = Place::new(&["http"]);
    place.configure("", &checks);
    let served = Served::start(&place);
    judge(&served, &rows);

    let runs = |outcome: &str| served.series("sickbay_check_runs_total", &[("check", "steady"), ("outcome", outcome)]);
    eventually("three runs of the check beside them", || (runs("ok") >= 3.0).then_some(()));
    for outcome in ["warning", "critical", "unknown", "skipped"] {
        assert_eq!(runs(outcome), 0.0, "{outcome}\n{}", served.log());
    }
}

#[test]
fn a_body_is_read_up_to_its_bound_and_never_unpacked() {
    let nginx = pages();
    let bomb_bytes = bomb().len() as f64;
    let block = "x".repeat(1 << 16);
    let endless = raw::answering_endlessly("HTTP/1.1 200 OK\r\n\r\n", block.clone());
    let announced = raw::answering_endlessly("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", block.clone());
    let chunked = raw::answering_endlessly("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", format!("10000\r\n{block}\r\n"));
    let check = |name: &str, address: SocketAddr| Check::http(name, &format!("http://{address}/"));
    let missed = ["not in 1048576 bytes", "body_bytes_max"];
    let limited = check("limited", endless).config("body_bytes_max = 1048576").line("limits = { bytes_in = \"100KiB\" }");
    let rows = [
        ok(check("endless", endless)),
        ok(check("announced", announced)),
        ok(check("chunked", chunked)),
        ok(check("less", endless).config("body_bytes_max = 10")),
        ok(Check::http("bomb", &nginx.url("/bomb"))),
        critical(check("endless-text", endless).config("body_contains = \"ready\""), "content", &missed),
        critical(check("announced-text", announced).config("body_contains = \"ready\""), "content", &missed),
        critical(check("chunked-text", chunked).config("body_contains = \"ready\""), "content", &missed),
        row(limited, "unknown", None, "QuotaExceeded", &["`bytes_in` = 102400", "hint: raise `limits = { bytes_in = ... }`"]),
    ];
    let (_place, served) = serve("", &rows);
    let results = judge(&served, &rows);
    for (name, wanted) in [("endless", 65_536.0), ("announced", 65_536.0), ("chunked", 65_536.0), ("less", 10.0), ("bomb", bomb_bytes)] {
        let index = rows.iter().position(|row| row.check.name == name).expect("a row");
        assert_eq!(metric(&results[index], "body_bytes"), Some(wanted), "{}", results[index]);
    }
    assert!(served.series("sickbay_quota_exceeded_total", &[("plugin", "http"), ("quota", "bytes_in")]) >= 1.0);
}

#[test]
fn conditions_make_it_worse_and_show_both_sides() {
    let nginx = pages();
    let check = |name: &str| Check::http(name, &nginx.url("/ok"));
    let is_200 = "warning = [\"report.metrics.status == 200.0\"]";
    let is_big = "critical = [\"report.metrics.body_bytes > 3.0\"]";
    let no_tls = "[\"report.metrics.tls_seconds > 3.0\"]";
    let guarded = "critical = [\"has(report.metrics.tls_seconds) && report.metrics.tls_seconds > 3.0\"]";
    let failed = "ConditionFailed";
    let rows = [
        ok(check("well").line("critical = [\"report.metrics.status != 200.0\"]")),
        row(check("warning").line(is_200), "warning", None, failed, &["report.metrics.status == 200.0", "is 200, expected != 200"]),
        row(check("critical").line(is_big), "critical", None, failed, &["is 12, expected <= 3", "body_bytes"]),
        row(check("both").line(is_200).line(is_big), "critical", None, failed, &["body_bytes", "is 12, expected <= 3", "!= 200"]),
        row(
            check("error").line(&format!("critical = {no_tls}")),
            "unknown",
            None,
            "ConditionError",
            &["no `tls_seconds`", "hint: guard with `has("],
        ),
        row(
            check("error-outweighed").line(is_big).line(&format!("warning = {no_tls}")),
            "critical",
            None,
            failed,
            &["is 12, expected <= 3"],
        ),
        ok(check("guarded").line(guarded)),
        critical(Check::http("skipped", &nginx.url("/missing")).line(is_200), "content", &["HTTP 404"]),
    ];
    let (_place, served) = serve("", &rows);
    let results = judge(&served, &rows);
    assert_eq!(results[1]["evidence"][0], json!({ "metric": "status", "actual": "200", "expected": "!= 200", "unit": "" }));
    assert_eq!(results[2]["evidence"][0], json!({ "metric": "body_bytes", "actual": "12", "expected": "<= 3", "unit": "bytes" }));
}

#[test]
fn a_websocket_is_asked_to_upgrade() {
    // Key and answer of RFC 6455, section 1.3.
    let socket = raw::listen(|stream| {
        let head = raw::read_head(stream)?.to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket\r\n") && head.contains("sec-websocket-version: 13\r\n"), "{head}");
        let knows = head.contains("sec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n");
        let accept = if knows { "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" } else { "unknown" };
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes())?;
        raw::until_closed(stream)
    });
    let authority = Authority::new("the authority");
    let pem = authority.sign(&leaf("localhost"));
    let nginx = Nginx::start(&[("0.pem", pem.certificate.as_bytes()), ("0.key", pem.key.as_bytes())], 2, |ports| {
        let pass = format!(
            "location = /socket {{ proxy_pass http://{socket}; proxy_http_version 1.1; proxy_set_header upgrade $http_upgrade; \
             proxy_set_header connection upgrade; }} {PAGES}"
        );
        let tls = "ssl_certificate 0.pem; ssl_certificate_key 0.key;";
        format!("server {{ listen 127.0.0.1:{}; {pass} }}\nserver {{ listen 127.0.0.1:{} ssl; {tls} {pass} }}\n", ports[0], ports[1])
    });
    let check = |name: &str, url: &str| Check::new(name, "http", "websocket", &format!("url = \"{url}\"")).grant(&format!("GET {url}"));
    let wrong = |accept: &str| {
        raw::answering(format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: {accept}\r\nconnection: Upgrade\r\nsec-websocket-accept: x\r\n\r\n"
        ))
    };
    let rows = [
        ok(check("plain", &format!("ws://{socket}/"))),
        ok(check("proxied", &nginx.url("/socket").replace("http:", "ws:"))),
        ok(check("tls", &format!("wss://localhost:{}/socket", nginx.ports[1]))),
        critical(check("no-socket", &nginx.url("/ok").replace("http:", "ws:")), "protocol", &["HTTP 200 instead of an upgrade"]),
        critical(check("missing", &nginx.url("/missing").replace("http:", "ws:")), "protocol", &["HTTP 404 instead of an upgrade"]),
        critical(check("wrong-hash", &format!("ws://{}/", wrong("websocket"))), "protocol", &["did not answer the key"]),
        critical(check("wrong-protocol", &format!("ws://{}/", wrong("h2c"))), "protocol", &["not WebSocket"]),
        critical(check("hangs", &format!("ws://{}/", raw::hanging())), "timeout", &["first byte"]),
        denied(
            check("denied", &format!("ws://{socket}/")).without_grants(),
            "not_granted",
            &["is not granted", "hint: http = [\"GET http://"],
        ),
    ];
    let place = Place::new(&["http"]);
    place.write("ca.pem", &authority.pem());
    let checks: Vec<Check> = rows.iter().map(|row| row.check.clone()).collect();
    place.configure("[egress]\nca_file = \"ca.pem\"\n", &checks);
    let served = Served::start(&place);
    judge(&served, &rows);
    assert_counted(&served, &rows);
}

/// What the state machine did with each result that changed something: name, count, status, confirmed status.
fn decisions(served: &Served, check: &str) -> Vec<String> {
    let results = served.results(check);
    let changing = results.iter().filter(|result| result["decision"]["name"] != "Unchanged");
    let words = changing.map(|result| {
        let decision = &result["decision"];
        let count = decision["count"].as_u64().map(|count| format!(" {count} of {}", decision["of"])).unwrap_or_default();
        let word = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        format!("{}{count}: {}, {} {}", decision["name"].as_str().unwrap_or_default(), word("status"), word("state"), word("hard_status"))
    });
    words.collect()
}

/// Runs the check until its confirmed status is `wanted`; `/healthz` must answer 503 exactly while that is critical.
fn run_until_hard(served: &Served, check: &str, wanted: &str) {
    eventually(wanted, || {
        let result = served.run_now(check);
        let healthy = served.get("/healthz").status == 200;
        assert_eq!(healthy, result["hard_status"] != "critical", "{result}");
        (result["hard_status"] == wanted).then_some(())
    });
}

#[test]
fn a_server_that_goes_and_comes_back_is_critical_when_it_is_confirmed_and_so_is_its_return() {
    let mut nginx = pages();
    let check = Check::http("api", &nginx.url("/ok")).line("failures = 3\nsuccesses = 2");
    let place = Place::new(&["http"]);
    place.configure("", slice::from_ref(&check));
    let served = Served::start(&place);
    run_until_hard(&served, "api", "ok");
    nginx.stop();
    run_until_hard(&served, "api", "critical");
    assert_eq!(served.json("/api/v1/checks/api")["failure"], "refused");
    let health: Value = serde_json::from_str(&served.get("/healthz").body).expect("JSON");
    assert_eq!(health["healthy"], false);
    nginx.start_again();
    run_until_hard(&served, "api", "ok");
    assert_eq!(
        decisions(&served, "api"),
        [
            "Hardened: ok, hard ok",
            "SoftFailure 1 of 3: critical, soft ok",
            "SoftFailure 2 of 3: critical, soft ok",
            "Hardened: critical, hard critical",
            "SoftSuccess 1 of 2: ok, soft critical",
            "Hardened: ok, hard ok",
        ]
    );

    // What is confirmed, and how far the next confirmation has come, outlives the process.
    nginx.stop();
    served.run_now("api");
    let before = served.json("/api/v1/checks/api");
    served.stop();
    let served = Served::start(&place);
    let after = served.json("/api/v1/checks/api");
    for key in ["status", "hard_status", "state", "since"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    run_until_hard(&served, "api", "critical");
    let after_restart = decisions(&served, "api").split_off(6);
    assert_eq!(
        after_restart,
        ["SoftFailure 1 of 3: critical, soft ok", "SoftFailure 2 of 3: critical, soft ok", "Hardened: critical, hard critical"]
    );
}
