//! `websocket`: asks a server to upgrade to WebSocket and judges the answer. No frame is sent; the host closes the connection.
//!
//! The handshake (RFC 6455, 4.1) proves that the peer speaks WebSocket by a hash over a key of the client's choice. This check
//! always sends one key and knows its hash, so it needs no SHA-1. What is lost is the protection of a real client against an
//! intermediary that replays an old answer, which is no matter here: nothing is sent afterwards.

use std::collections::BTreeMap;

use sickbay_sdk::expiry::Expiry;
use sickbay_sdk::http::{Call, Response};
use sickbay_sdk::prelude::*;

use crate::http_check::{default_certificate_critical_days, default_certificate_warning_days};
use crate::{CALL_FAILURES, certificate, latency};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// base64(SHA-1(KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")), which RFC 6455 works out in section 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const SWITCHING_PROTOCOLS: u16 = 101;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Absolute URL. ws:// stands for http://, wss:// for https://.
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// Further request headers by name, such as Origin or Sec-WebSocket-Protocol.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Warning when the certificate expires within this many days.
    #[serde(default = "default_certificate_warning_days")]
    certificate_warning_days: u32,
    /// Critical when the certificate expires within this many days.
    #[serde(default = "default_certificate_critical_days")]
    certificate_critical_days: u32,
    /// Warning when the upgrade takes longer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_warning_seconds: Option<f64>,
    /// Critical when the upgrade takes longer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_critical_seconds: Option<f64>,
    /// Bound of the whole exchange; the check's own timeout bounds it too.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout_ms: Option<u32>,
    /// Go on with a certificate that is not trusted.
    #[serde(default)]
    accept_untrusted: bool,
}

impl Config {
    fn call(&self) -> Call {
        // The host adds `connection: upgrade`: that header belongs to the connection.
        let mut call = http::get(http_url(&self.url))
            .redirects_max(0)
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY);
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        if self.accept_untrusted {
            call = call.accept_untrusted();
        }
        call.options.timeout_ms = self.timeout_ms;
        call
    }
}

/// The same place by the scheme that requests are sent with.
fn http_url(url: &str) -> String {
    if let Some(rest) = url.strip_prefix("ws://") {
        format!("http://{rest}")
    } else if let Some(rest) = url.strip_prefix("wss://") {
        format!("https://{rest}")
    } else {
        url.to_owned()
    }
}

pub(crate) struct Websocket;

impl Check for Websocket {
    const NAME: &'static str = "websocket";
    const SUMMARY: &'static str = "Asks for a WebSocket upgrade and judges the answer, certificate and latency";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://example.com/socket" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("http", "sends the request for an upgrade", "http = [\"GET {url}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        let mut metrics = vec![MetricInfo::gauge("status", "", "the status of the answer; 101 when it upgrades")];
        metrics.extend(latency::described());
        metrics
    }

    fn failures() -> &'static [&'static str] {
        const FAILURES: [&str; 9] = {
            let [dns, connection, refused, tls, timeout, protocol] = CALL_FAILURES;
            [dns, connection, refused, tls, timeout, protocol, "certificate", "expired", "latency"]
        };
        &FAILURES
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let response = request.config.call().send()?;
        Ok(judge(&request.config, &response, certificate::judged_at_ms(&response)))
    }
}

fn judge(config: &Config, response: &Response, now_ms: u64) -> Report {
    let expiry = Expiry { warning_days: config.certificate_warning_days, critical_days: config.certificate_critical_days };
    let latency = latency::Limits { warning_seconds: config.latency_warning_seconds, critical_seconds: config.latency_critical_seconds };
    let report = Report::ok(format!("upgraded in {}", latency::milliseconds(response))).metric("status", response.status.into(), "");
    let report = latency::measured(report, response);
    let report = judge_upgrade(report, response);
    let report = certificate::judge(expiry, report, response, now_ms);
    latency.judge(report, response)
}

fn judge_upgrade(report: Report, response: &Response) -> Report {
    if response.status != SWITCHING_PROTOCOLS {
        return report
            .evidence("status", response.status, SWITCHING_PROTOCOLS, "")
            .critical("protocol", format!("HTTP {} instead of an upgrade", response.status));
    }
    let upgrade = response.header("upgrade").unwrap_or_default();
    if !upgrade.eq_ignore_ascii_case("websocket") {
        return report
            .evidence("", format!("upgrade: {upgrade}"), "upgrade: websocket", "")
            .critical("protocol", "upgraded to something that is not WebSocket");
    }
    let accept = response.header("sec-websocket-accept").unwrap_or_default();
    if accept != ACCEPT {
        return report
            .evidence("", format!("sec-websocket-accept: {accept}"), format!("sec-websocket-accept: {ACCEPT}"), "")
            .critical("protocol", "the server did not answer the key of the handshake");
    }
    report
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::http::Header;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, response};

    use super::*;

    fn upgraded(upgrade: &str, accept: &str) -> Response {
        let mut response = response(101, "");
        response.headers.push(Header { name: "Upgrade".into(), value: upgrade.into() });
        response.headers.push(Header { name: "Sec-WebSocket-Accept".into(), value: accept.into() });
        response
    }

    fn run(answer: Response) -> Report {
        let mut host = FakeHost::default().http(Ok(answer));
        let report = host.run::<Websocket>(json!({ "url": "ws://localhost/socket" })).expect("a report");
        assert_as_described::<Websocket>(&report);
        report
    }

    #[test]
    fn a_right_upgrade_is_ok() {
        let report = run(upgraded("WebSocket", ACCEPT));
        assert_eq!(report.status, Status::Ok);
        assert_eq!(report.summary, "upgraded in 1.0 ms");
    }

    #[test]
    fn an_answer_without_an_upgrade_is_critical() {
        let report = run(response(200, "hello"));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("protocol")));
    }

    #[test]
    fn an_upgrade_to_something_else_or_with_a_wrong_hash_is_critical() {
        assert_eq!(run(upgraded("h2c", ACCEPT)).status, Status::Critical);
        assert_eq!(run(upgraded("websocket", "wrong")).status, Status::Critical);
    }

    #[test]
    fn the_request_is_a_handshake() {
        let mut host = FakeHost::default().http(Ok(upgraded("websocket", ACCEPT)));
        host.run::<Websocket>(json!({ "url": "wss://localhost/", "headers": { "origin": "https://a" } })).expect("a report");
        let sent: Vec<(&str, &str)> =
            host.sent[0].request.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        let expected = [("upgrade", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-key", KEY), ("origin", "https://a")];
        assert_eq!(sent, expected);
        assert_eq!(host.sent[0].request.url, "https://localhost/");
    }

    #[test]
    fn the_schemes_of_websocket_are_written_as_those_of_http() {
        assert_eq!(http_url("ws://localhost:80/a"), "http://localhost:80/a");
        assert_eq!(http_url("wss://example.com/"), "https://example.com/");
        assert_eq!(http_url("https://example.com/"), "https://example.com/");
    }
}
