//! The kind `json` on an answer of nginx that goes bad and comes back; and how `http` and `websocket` take it when nginx does.

use std::io::Write;

use crate::support_http::certificates::{Authority, Pem, leaf};
use crate::support_http::nginx::Nginx;
use crate::support_http::raw;
use crate::support_http::rows::metric;
use rcgen::date_time_ymd;
use serde_json::Value;
use sickbay_tests::{OK, Sickbay, Turn, Verdict, on_demand};

/// With a grant of exactly `url`; `config` follows it in its table.
fn check(name: &str, plugin: &str, kind: &str, url: &str, config: &str) -> String {
    let grant = url.replacen("ws", "http", 1);
    on_demand(name, plugin, kind, &format!("config = {{ url = \"{url}\", {config} }}\ngrants = {{ http = [\"GET {grant}\"] }}"))
}

#[tokio::test]
async fn each_place_of_an_answer_is_judged_by_what_stands_there_now() {
    const HEALTH: &str = r#"{"status":"green","queue":{"length":12},"jobs":[{"state":"done"},{"state":"done"}],"version":"7.1"}"#;
    let mut nginx = Nginx::start(&[("health", HEALTH.as_bytes())], 1, |ports| {
        format!("server {{ listen 127.0.0.1:{}; location = /health {{ root .; default_type application/json; }} }}\n", ports[0])
    });
    let values = [
        "{ pointer = \"/status\", metric = \"cluster\", map = { green = 0, yellow = 1, red = 2 }, warning_above = 0, critical_above = 1 }",
        "{ pointer = \"/queue/length\", critical_above = 100, warning_below = 1 }",
        "{ pointer = \"/jobs\", metric = \"failed_jobs\", count = { pointer = \"/state\", equals = \"failed\" }, critical_above = 0 }",
        "{ pointer = \"/version\", equals = \"7.1\" }",
        "{ pointer = \"/error\", equals = \"none\", optional = true }",
    ];
    let config = format!("values = [{}]", values.join(", "));
    let sickbay = Sickbay::started(&check("health", "json", "json", &nginx.url("/health"), &config), &["json"]).await;
    let run = sickbay.comes_to("health", OK).await;
    for (name, value) in [("value_cluster", 0.0), ("value_queue_length", 12.0), ("value_failed_jobs", 0.0), ("status", 200.0)] {
        assert_eq!(metric(&run, name), Some(value), "{run}");
    }

    let critical = Verdict::critical;
    let rounds = [
        ("\"green\"", "\"yellow\"", Verdict::warning("capacity", &["/status is \"yellow\", expected at most 0"])),
        ("\"green\"", "\"red\"", critical("capacity", &["/status is \"red\", expected at most 1"])),
        ("\"green\"", "\"purple\"", critical("content", &["/status is \"purple\", expected a number, or a word of the map"])),
        ("12", "1000", critical("capacity", &["/queue/length is 1000, expected at most 100"])),
        ("12", "0", Verdict::warning("capacity", &["/queue/length is 0, expected at least 1"])),
        ("\"length\"", "\"depth\"", critical("content", &["the answer has nothing at /queue/length"])),
        ("\"done\"", "\"failed\"", critical("capacity", &["/jobs is 2 elements, expected at most 0"])),
        ("7.1", "7.0", critical("content", &["/version is \"7.0\", expected \"7.1\""])),
        ("{\"status\"", "{\"error\":\"disk\",\"status\"", critical("content", &["/error is \"disk\", expected \"none\""])),
        ("{\"status\"", "<html>", critical("content", &["the body is not JSON"])),
    ];
    for (well, ill, broken) in rounds {
        let turn = |turn: Turn| nginx.write("health", if turn == Turn::Break { HEALTH.replace(well, ill) } else { HEALTH.to_owned() });
        sickbay.breaks_and_mends("health", broken, turn).await;
    }

    let is_gone = |turn: Turn| if turn == Turn::Break { nginx.remove("health") } else { nginx.write("health", HEALTH) };
    sickbay.breaks_and_mends("health", critical("content", &["HTTP 404, expected 2xx"]), is_gone).await;
    let mut paused = None;
    let hangs = |turn| match turn {
        Turn::Break => paused = Some(nginx.pause()),
        Turn::Mend => drop(paused.take()),
    };
    sickbay.breaks_and_mends("health", critical("timeout", &["no answer from 127.0.0.1:", " ms (first byte)"]), hangs).await;
    let goes = |turn: Turn| if turn == Turn::Break { nginx.stop() } else { nginx.start_again() };
    sickbay.breaks_and_mends("health", critical("refused", &["127.0.0.1:", " refused the connection"]), goes).await;
}

#[tokio::test]
async fn http_and_websocket_are_well_again_when_the_certificate_and_the_server_behind_are() {
    const BOTH: [&str; 2] = ["page", "socket"];
    // Key and answer of RFC 6455, section 1.3: the plugin asks with this key.
    let socket = raw::listen(|stream| {
        raw::read_head(stream)?;
        let answer = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(answer.as_bytes())?;
        raw::until_closed(stream)
    });
    let upgrade = "proxy_http_version 1.1; proxy_set_header upgrade $http_upgrade; proxy_set_header connection upgrade;";
    let mut behind = Nginx::start(&[], 1, |ports| {
        let page = "location = /page { return 200 \"all is well\\n\"; }";
        format!("server {{ listen 127.0.0.1:{}; {page} location = /socket {{ proxy_pass http://{socket}; {upgrade} }} }}\n", ports[0])
    });
    let authority = Authority::new("the authority");
    let until = |year| {
        let mut params = leaf("localhost");
        params.not_after = date_time_ymd(year, 1, 1);
        authority.sign(&params)
    };
    let (good, soon, over) = (authority.sign(&leaf("localhost")), until(2120), until(2001));
    let mut before = Nginx::start(&[("leaf.pem", good.certificate.as_bytes()), ("leaf.key", good.key.as_bytes())], 1, |ports| {
        let tls = "ssl_certificate leaf.pem; ssl_certificate_key leaf.key;";
        let pass = format!("location / {{ proxy_pass {}; {upgrade} }}", behind.url(""));
        format!("server {{ listen 127.0.0.1:{} ssl; {tls} {pass} }}\n", ports[0])
    });
    // In days: 2120 is sooner, 4096 is not.
    let config = "certificate_critical_days = 60000, certificate_warning_days = 70000";
    let port = before.ports[0];
    let checks = [
        "[egress]\nca_file = \"ca.pem\"\n\n".to_owned(),
        check("page", "http", "http", &format!("https://localhost:{port}/page"), config),
        check("socket", "http", "websocket", &format!("wss://localhost:{port}/socket"), config),
    ];
    let mut sickbay = Sickbay::prepared(&checks.concat(), &["http"]);
    sickbay.write("ca.pem", authority.pem());
    sickbay.start().await;
    sickbay.all_come_to(&BOTH, OK).await;

    let mut present = |pem: &Pem| {
        before.write("leaf.pem", &pem.certificate);
        before.write("leaf.key", &pem.key);
        before.start_again();
    };
    let is_soon = Verdict::critical("certificate", &["the certificate expires in"]);
    for (pem, broken) in [(&soon, is_soon), (&over, Verdict::critical("tls", &["certificate expired", "days ago"]))] {
        present(pem);
        sickbay.all_come_to(&BOTH, broken).await;
        present(&good);
        sickbay.all_come_to(&BOTH, OK).await;
    }

    behind.stop();
    sickbay.comes_to("page", Verdict::critical("content", &["HTTP 502, expected 2xx, 3xx"])).await;
    sickbay.comes_to("socket", Verdict::critical("protocol", &["HTTP 502 instead of an upgrade"])).await;
    behind.start_again();
    sickbay.all_come_to(&BOTH, OK).await;

    let result: Value = sickbay.run_now("socket").await;
    assert_eq!(metric(&result, "status"), Some(101.0), "{result}");
}
