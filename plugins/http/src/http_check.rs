//! `http`: one request, judged by status, content, certificate and latency, in this order.

use std::collections::BTreeMap;

use sickbay_sdk::expiry::Expiry;
use sickbay_sdk::http::{Call, Response};
use sickbay_sdk::prelude::*;

use crate::expectation::{JsonExpectation, NOTHING, StatusSet};
use crate::{CALL_FAILURES, certificate, latency};

/// Enough for an answer that is judged by its content; otherwise the host's default does.
const CONTENT_BYTES_MAX: u32 = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Absolute URL, http:// or https://.
    #[schemars(length(min = 1, max = 8192))]
    url: String,
    /// HTTP method.
    #[serde(default = "default_method")]
    #[schemars(length(min = 1, max = 16))]
    method: String,
    /// Request headers by name.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Request body.
    #[serde(default)]
    body: Option<String>,
    /// Statuses that are well: a number, a class such as "2xx", or a list of both. 200 to 399 where absent.
    #[serde(default)]
    expect_status: Option<StatusSet>,
    /// Text that the body must contain.
    #[serde(default)]
    body_contains: Option<String>,
    /// What the body, as JSON, must hold.
    #[serde(default)]
    json: Vec<JsonExpectation>,
    /// Redirects to follow; 0 judges the redirect itself.
    #[serde(default = "default_redirects_max")]
    #[schemars(range(min = 0, max = 10))]
    redirects_max: u8,
    /// Warning when the certificate expires within this many days.
    #[serde(default = "default_certificate_warning_days")]
    certificate_warning_days: u32,
    /// Critical when the certificate expires within this many days.
    #[serde(default = "default_certificate_critical_days")]
    certificate_critical_days: u32,
    /// Warning when the whole exchange takes longer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_warning_seconds: Option<f64>,
    /// Critical when the whole exchange takes longer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_critical_seconds: Option<f64>,
    /// Bound of the whole exchange; the check's own timeout bounds it too.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout_ms: Option<u32>,
    /// How much of the body is read. 64 KiB where absent, 1 MiB with body_contains or json.
    #[serde(default)]
    #[schemars(range(max = 1048576))]
    body_bytes_max: Option<u32>,
    /// Go on with a certificate that is not trusted.
    #[serde(default)]
    accept_untrusted: bool,
}

fn default_method() -> String {
    "GET".to_owned()
}

fn default_redirects_max() -> u8 {
    http::REDIRECTS_MAX_DEFAULT
}

pub(crate) fn default_certificate_warning_days() -> u32 {
    21
}

pub(crate) fn default_certificate_critical_days() -> u32 {
    7
}

impl Config {
    fn call(&self) -> Call {
        let mut call = http::call(&self.method, &self.url).redirects_max(self.redirects_max);
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        if let Some(body) = &self.body {
            call = call.body(body.as_bytes());
        }
        if self.accept_untrusted {
            call = call.accept_untrusted();
        }
        call.options.timeout_ms = self.timeout_ms;
        call.options.body_bytes_max = self.body_bytes_max.or(self.judges_content().then_some(CONTENT_BYTES_MAX));
        call
    }

    fn judges_content(&self) -> bool {
        self.body_contains.is_some() || !self.json.is_empty()
    }
}

pub(crate) struct Http;

impl Check for Http {
    const NAME: &'static str = "http";
    const SUMMARY: &'static str = "Sends one HTTP request and judges status, content, certificate and latency";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://example.com/" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("http", "sends the request", "http = [\"{method} {url}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        let mut metrics = vec![
            MetricInfo::gauge("status", "", "the status of the last answer"),
            MetricInfo::gauge("body_bytes", "bytes", "what was read of the body"),
            MetricInfo::gauge("redirects", "", "redirects that were followed"),
        ];
        metrics.extend(latency::described());
        metrics
    }

    fn failures() -> &'static [&'static str] {
        const FAILURES: [&str; 10] = {
            let [dns, connection, refused, tls, timeout, protocol] = CALL_FAILURES;
            [dns, connection, refused, tls, timeout, protocol, "content", "certificate", "expired", "latency"]
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
    let report = measured(response);
    let report = judge_status(config, report, response);
    let report = judge_text(config, report, response);
    let report = judge_json(config, report, response);
    let report = certificate::judge(expiry, report, response, now_ms);
    latency.judge(report, response)
}

fn measured(response: &Response) -> Report {
    let summary = format!("HTTP {} in {}", response.status, latency::milliseconds(response));
    let report = Report::ok(summary)
        .metric("status", response.status.into(), "")
        .metric("body_bytes", response.body.len() as f64, "bytes")
        .metric("redirects", response.redirects.len() as f64, "");
    latency::measured(report, response)
}

fn judge_status(config: &Config, report: Report, response: &Response) -> Report {
    if let Some(expected) = &config.expect_status {
        return if expected.contains(response.status) { report } else { wrong_status(report, response, expected) };
    }
    let expected = StatusSet::any_success();
    if !expected.contains(response.status) {
        return wrong_status(report, response, &expected);
    }
    let followed = response.redirects.len();
    let still_redirected = (300..=399).contains(&response.status) && response.header("location").is_some();
    if still_redirected && followed > 0 && followed >= usize::from(config.redirects_max) {
        return report
            .evidence("redirects", format!("more than {followed}"), format!("at most {followed}"), "")
            .critical("content", format!("still redirected after {followed} redirects"));
    }
    report
}

fn wrong_status(report: Report, response: &Response, expected: &StatusSet) -> Report {
    report.evidence("status", response.status, expected, "").critical("content", format!("HTTP {}, expected {expected}", response.status))
}

fn judge_text(config: &Config, report: Report, response: &Response) -> Report {
    let Some(text) = &config.body_contains else { return report };
    if contains(&response.body, text.as_bytes()) {
        return report;
    }
    let actual = format!("not in {} bytes{}", response.body.len(), first_part(response));
    report
        .evidence("", actual, format!("the body contains {text:?}"), "")
        .critical("content", "the body does not contain the expected text")
}

fn judge_json(config: &Config, mut report: Report, response: &Response) -> Report {
    if config.json.is_empty() {
        return report;
    }
    let body: Value = match serde_json::from_slice(&response.body) {
        Ok(body) => body,
        Err(error) => {
            return report.evidence("", format!("{error}{}", first_part(response)), "JSON", "").critical("content", "the body is not JSON");
        }
    };
    for expectation in &config.json {
        if let Err(mismatch) = expectation.judge(&body) {
            let pointer = &expectation.pointer;
            let summary = if mismatch.actual == NOTHING {
                format!("the body has nothing at {pointer}, expected {}", mismatch.expected)
            } else {
                format!("{pointer} is {}, expected {}", mismatch.actual, mismatch.expected)
            };
            report = report.evidence("", format!("{pointer}: {}", mismatch.actual), mismatch.expected, "").critical("content", summary);
        }
    }
    report
}

/// A body that was cut may hold behind the cut what is missed.
fn first_part(response: &Response) -> &'static str {
    if response.truncated { ", the first part of a longer body (body_bytes_max)" } else { "" }
}

/// The body is bytes of any encoding; so is the comparison.
fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::http::{Header, HttpError, Redirect};
    use sickbay_sdk::testing::{FakeHost, assert_as_described, response};

    use super::*;
    use crate::certificate::tests::tls_until;

    const URL: &str = "https://api.internal/health";

    fn run(extra: Value, answer: Response) -> Report {
        let mut config = json!({ "url": URL });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let report = FakeHost::default().http(Ok(answer)).run::<Http>(config).expect("a report");
        assert_as_described::<Http>(&report);
        report
    }

    fn metric(report: &Report, name: &str) -> Option<f64> {
        report.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn a_good_answer_is_ok_and_measured() {
        let report = run(json!({}), response(200, "hello"));
        assert_eq!(report.status, Status::Ok);
        assert_eq!(report.summary, "HTTP 200 in 1.0 ms");
        assert_eq!(metric(&report, "status"), Some(200.0));
        assert_eq!(metric(&report, "body_bytes"), Some(5.0));
        assert_eq!(metric(&report, "latency_seconds"), Some(0.001));
    }

    #[test]
    fn the_request_carries_what_was_configured() {
        let mut host = FakeHost::default().http(Ok(response(201, "")));
        let config = json!({
            "url": URL, "method": "POST", "headers": { "x-probe": "1" }, "body": "ping", "redirects_max": 0,
            "timeout_ms": 250, "accept_untrusted": true,
        });
        host.run::<Http>(config).expect("a report");
        let sent = &host.sent[0];
        assert_eq!((sent.request.method.as_str(), sent.request.url.as_str()), ("POST", URL));
        assert_eq!(sent.request.headers, [Header { name: "x-probe".into(), value: "1".into() }]);
        assert_eq!(sent.request.body.as_deref(), Some(b"ping".as_slice()));
        assert_eq!((sent.options.redirects_max, sent.options.timeout_ms), (0, Some(250)));
        assert!(sent.options.accept_untrusted && !sent.options.reuse);
        assert_eq!(sent.options.body_bytes_max, None);
    }

    #[test]
    fn a_check_of_the_content_reads_more_of_it() {
        let mut host = FakeHost::default().http(Ok(response(200, "ok")));
        host.run::<Http>(json!({ "url": URL, "body_contains": "ok" })).expect("a report");
        assert_eq!(host.sent[0].options.body_bytes_max, Some(CONTENT_BYTES_MAX));
    }

    #[test]
    fn a_status_of_failure_is_critical_with_both_sides_as_evidence() {
        let report = run(json!({}), response(503, ""));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("content")));
        assert_eq!((report.evidence[0].actual.as_str(), report.evidence[0].expected.as_str()), ("503", "2xx, 3xx"));
    }

    #[test]
    fn an_expected_status_of_failure_is_ok() {
        assert_eq!(run(json!({ "expect_status": [401, "2xx"] }), response(401, "")).status, Status::Ok);
    }

    #[test]
    fn a_chain_of_redirects_without_an_end_is_critical() {
        let mut answer = response(302, "");
        answer.headers.push(Header { name: "location".into(), value: URL.into() });
        answer.redirects = vec![Redirect { status: 302, url: URL.into(), headers: Vec::new() }; 5];
        assert_eq!(run(json!({}), answer.clone()).status, Status::Critical);
        answer.redirects.clear();
        assert_eq!(run(json!({ "redirects_max": 0 }), answer).status, Status::Ok);
    }

    #[test]
    fn a_body_without_the_text_is_critical() {
        assert_eq!(run(json!({ "body_contains": "ready" }), response(200, "is ready now")).status, Status::Ok);
        let report = run(json!({ "body_contains": "ready" }), response(200, "starting"));
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("content")));
    }

    #[test]
    fn a_truncated_body_is_named_where_the_text_is_missed() {
        let mut answer = response(200, "starting");
        answer.truncated = true;
        let report = run(json!({ "body_contains": "ready" }), answer);
        assert!(report.evidence[0].actual.contains("body_bytes_max"), "{:?}", report.evidence);
    }

    #[test]
    fn json_is_judged_by_pointer() {
        let config = json!({ "json": [{ "pointer": "/queue/length", "at_most": 10 }] });
        assert_eq!(run(config.clone(), response(200, r#"{"queue":{"length":3}}"#)).status, Status::Ok);
        let report = run(config.clone(), response(200, r#"{"queue":{"length":30}}"#));
        assert_eq!(report.summary, "/queue/length is 30, expected at most 10");
        assert_eq!(run(config, response(200, "<html>")).summary, "the body is not JSON");
    }

    #[test]
    fn the_status_speaks_before_the_latency() {
        let report = run(json!({ "latency_critical_seconds": 0.0001 }), response(500, ""));
        assert_eq!(report.failure.as_deref(), Some("content"));
        assert_eq!(report.evidence.len(), 2);
    }

    #[test]
    fn an_expired_certificate_is_critical() {
        let mut answer = response(200, "");
        answer.tls = Some(tls_until(1_000));
        let mut host = FakeHost { now_ms: 2_000, ..FakeHost::default() }.http(Ok(answer));
        let report = host.run::<Http>(json!({ "url": URL })).expect("a report");
        assert_eq!(report.failure.as_deref(), Some("expired"));
    }

    #[test]
    fn a_service_that_times_out_is_critical() {
        let mut host = FakeHost::default().http(Err(HttpError::Timeout("connect timed out after 2000 ms".into())));
        let report = host.run::<Http>(json!({ "url": URL })).expect("a report");
        assert_as_described::<Http>(&report);
        assert_eq!((report.status, report.failure.as_deref()), (Status::Critical, Some("timeout")));
    }

    #[test]
    fn a_typing_mistake_in_the_configuration_is_a_failure() {
        let failure = FakeHost::default().run::<Http>(json!({ "url": URL, "metod": "GET" })).expect_err("a failure");
        assert_eq!(failure.kind, "configuration");
    }
}
