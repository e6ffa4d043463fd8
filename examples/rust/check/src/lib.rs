//! `heads-up`: reads one number out of a JSON answer and warns while it is above a limit.

use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where the JSON is.
    url: String,
    /// JSON Pointer (RFC 6901) to the number.
    pointer: String,
    /// Warning above it.
    limit: f64,
}

struct HeadsUp;

impl Check for HeadsUp {
    const NAME: &'static str = "heads-up";
    const SUMMARY: &'static str = "Warns while a number in a JSON answer is above a limit";
    type Config = Config;

    fn example() -> Value {
        json!({ "url": "https://example.com/queue.json", "pointer": "/length", "limit": 100 })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("http", "reads the JSON", "http = [\"GET {url}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![MetricInfo::gauge("number", "", "the number that was found")]
    }

    fn failures() -> &'static [&'static str] {
        &["capacity", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let Config { url, pointer, limit } = &request.config;
        let answer: Value = http::get(url).send()?.json()?;
        let Some(number) = answer.pointer(pointer).and_then(Value::as_f64) else {
            return Err(Error::service("content", format!("no number at {pointer}")));
        };
        let report = Report::ok(format!("{number} at {pointer}")).metric("number", number, "");
        if number <= *limit {
            return Ok(report);
        }
        let report = report.evidence("number", number, format!("at most {limit}"), "");
        Ok(report.warning("capacity", format!("{number} at {pointer} is above {limit}")))
    }
}

sickbay_sdk::plugin! {
    name: "heads-up",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Warns while a number in a JSON answer is above a limit",
    checks: [HeadsUp],
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_well_described, response};

    use super::*;

    fn run(body: &str) -> Report {
        let mut host = FakeHost::default().http(Ok(response(200, body)));
        let config = json!({ "url": "http://localhost/queue", "pointer": "/length", "limit": 10 });
        host.run::<HeadsUp>(config).expect("a report")
    }

    #[test]
    fn a_number_above_the_limit_is_a_warning() {
        assert_eq!(run(r#"{"length": 10}"#).status, Status::Ok);
        assert_eq!(run(r#"{"length": 11}"#).status, Status::Warning);
    }

    #[test]
    fn an_answer_without_the_number_is_critical() {
        assert_eq!(run(r#"{"length": "many"}"#).status, Status::Critical);
    }

    #[test]
    fn it_is_described_as_the_host_asks() {
        assert_well_described::<HeadsUp>();
    }
}
