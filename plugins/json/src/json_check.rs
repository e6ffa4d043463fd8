//! `json`: one request; each place in the answer that the configuration names becomes a metric and is judged.

use std::collections::BTreeMap;

use sickbay_sdk::http::Response;
use sickbay_sdk::prelude::*;

use crate::value::Place;

const BODY_BYTES_MAX: u32 = 1 << 20;
/// They stay below the host's 64 series for one check.
const PLACES_MAX: usize = 48;

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
    /// Places in the answer.
    #[schemars(length(min = 1, max = 48))]
    values: Vec<Place>,
    /// Bound of the whole exchange; the check's own timeout bounds it too.
    #[serde(default)]
    #[schemars(range(min = 1))]
    timeout_ms: Option<u32>,
    /// Go on with a certificate that is not trusted.
    #[serde(default)]
    accept_untrusted: bool,
}

fn default_method() -> String {
    "GET".to_owned()
}

pub(crate) struct Json;

impl Check for Json {
    const NAME: &'static str = "json";
    const SUMMARY: &'static str = "Turns places of a JSON answer into metrics and judges them";
    type Config = Config;

    fn example() -> Value {
        json!({
            "url": "https://search.example.com/_cluster/health",
            "values": [{
                "pointer": "/status", "metric": "cluster_status", "map": { "green": 0, "yellow": 1, "red": 2 },
                "warning_above": 0, "critical_above": 1,
            }],
        })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("http", "sends the request", "http = [\"{method} {url}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("status", "", "the HTTP status of the answer"),
            MetricInfo::gauge("latency_seconds", "seconds", "the whole exchange, redirects included"),
            MetricInfo::gauge("value_*", "", "a place in the answer, as the configuration names it"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["dns", "connection", "refused", "tls", "timeout", "protocol", "content", "capacity"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        if config.values.len() > PLACES_MAX {
            return Err(Error::configuration(format!("at most {PLACES_MAX} values")));
        }
        let mut call = http::call(&config.method, &config.url).body_bytes_max(BODY_BYTES_MAX);
        for (name, value) in &config.headers {
            call = call.header(name, value);
        }
        if let Some(body) = &config.body {
            call = call.body(body.as_bytes());
        }
        call.options.timeout_ms = config.timeout_ms;
        call.options.accept_untrusted = config.accept_untrusted;
        judge(config, &call.send()?)
    }
}

fn judge(config: &Config, response: &Response) -> Result<Report, Error> {
    let report =
        Report::ok("").metric("status", response.status.into(), "").metric("latency_seconds", response.latency_seconds(), "seconds");
    if !(200..=299).contains(&response.status) {
        return Ok(report
            .evidence("status", response.status, "2xx", "")
            .critical("content", format!("HTTP {}, expected 2xx", response.status)));
    }
    let body: Value = match serde_json::from_slice(&response.body) {
        Ok(body) => body,
        Err(error) => return Ok(report.evidence("", error, "JSON", "").critical("content", "the body is not JSON")),
    };
    let mut report = report;
    let mut told = Vec::new();
    for place in &config.values {
        let name = place.metric_name()?;
        if report.metrics.iter().any(|metric| metric.name == name) {
            return Err(Error::configuration(format!("two values have the metric {name:?}; name one with `metric`")));
        }
        let value = place.find(&body);
        told.push(format!("{} {}", place.pointer, value.shown));
        report = place.judge(report, &name, &value);
    }
    if report.status == Status::Ok {
        report.summary = told.join(", ");
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described, response};

    use super::*;

    fn run(values: Value, answer: Response) -> Report {
        let config = json!({ "url": "http://localhost/", "values": values });
        let report = FakeHost::default().http(Ok(answer)).run::<Json>(config).expect("a report");
        assert_as_described::<Json>(&report);
        report
    }

    fn metric(report: &Report, name: &str) -> Option<f64> {
        report.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }

    #[test]
    fn a_word_is_mapped_and_judged() {
        let config = Json::example()["values"].clone();
        let status = |word: &str| run(config.clone(), response(200, &format!("{{\"status\":\"{word}\"}}"))).status;
        assert_eq!([status("green"), status("yellow"), status("red")], [Status::Ok, Status::Warning, Status::Critical]);
        assert_eq!(status("purple"), Status::Critical);
    }

    #[test]
    fn numbers_and_truths_become_metrics() {
        let report = run(json!([{ "pointer": "/a/0" }, { "pointer": "/up" }]), response(200, r#"{"a":[1.5],"up":true}"#));
        assert_eq!((metric(&report, "value_a_0"), metric(&report, "value_up")), (Some(1.5), Some(1.0)));
        assert_eq!(report.summary, "/a/0 1.5, /up true");
    }

    #[test]
    fn elements_that_match_are_counted() {
        let body = r#"{"jobs":[{"state":"failed"},{"state":"done"},{"state":"failed"}]}"#;
        let values = json!([{ "pointer": "/jobs", "count": { "pointer": "/state", "equals": "failed" }, "critical_above": 1 }]);
        let report = run(values, response(200, body));
        assert_eq!((report.status, metric(&report, "value_jobs")), (Status::Critical, Some(2.0)));
    }

    #[test]
    fn a_place_must_be_there_and_equal_unless_it_is_optional() {
        let status = |value: Value| run(json!([value]), response(200, r#"{"state":"open"}"#)).status;
        assert_eq!(status(json!({ "pointer": "/state", "equals": "closed" })), Status::Critical);
        assert_eq!(status(json!({ "pointer": "/state", "equals": "open" })), Status::Ok);
        assert_eq!(status(json!({ "pointer": "/none" })), Status::Critical);
        assert_eq!(status(json!({ "pointer": "/none", "optional": true })), Status::Ok);
    }

    #[test]
    fn an_answer_that_is_no_success_or_no_json_is_critical() {
        assert_eq!(run(json!([{ "pointer": "" }]), response(503, "{}")).summary, "HTTP 503, expected 2xx");
        assert_eq!(run(json!([{ "pointer": "" }]), response(200, "<html>")).summary, "the body is not JSON");
    }
}
