//! `dns`: what a name resolves to, and how fast. Only DNS servers are asked: what stands in `/etc/hosts` is not looked at.

use sickbay_sdk::http::seconds;
use sickbay_sdk::limit::{Limit, counted};
use sickbay_sdk::net::{DnsAnswer, NetError};
use sickbay_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The name to look up.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// Kind of record.
    #[serde(default = "default_record")]
    #[schemars(extend("enum" = [
        "A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SVCB", "TLSA", "TXT"
    ]))]
    record: String,
    /// Answers that must be among the records: "10.0.0.7", "10 mail.example.com". Case and a dot at the end do not matter.
    #[serde(default)]
    #[schemars(length(max = 64))]
    expect: Vec<String>,
    /// Critical with fewer records.
    #[serde(default = "default_records_min")]
    records_min: u32,
    /// Warning when the lookup takes longer.
    #[serde(default = "default_latency_warning_seconds")]
    #[schemars(range(min = 0))]
    latency_warning_seconds: f64,
    /// Critical when the lookup takes longer. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    latency_critical_seconds: Option<f64>,
}

fn default_record() -> String {
    "A".to_owned()
}

fn default_records_min() -> u32 {
    1
}

fn default_latency_warning_seconds() -> f64 {
    1.0
}

pub(crate) struct Dns;

impl Check for Dns {
    const NAME: &'static str = "dns";
    const SUMMARY: &'static str = "Looks a name up and judges the records and how long it takes";
    type Config = Config;

    fn example() -> Value {
        json!({ "name": "example.com" })
    }

    fn needs() -> Vec<Need> {
        vec![Need::new("net", "looks the name up", "net = [\"dns://{name}\"]")]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("records", "", "records that the name has"),
            MetricInfo::gauge("lookup_seconds", "seconds", "how long the lookup took"),
            MetricInfo::gauge("ttl_seconds", "seconds", "the lowest time to live, where it is known"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["dns", "refused", "connection", "tls", "timeout", "protocol", "content", "latency"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let answer = net::dns(&config.name, &config.record).map_err(|error| asked_of_servers(config, error))?;
        Ok(judge(config, &answer))
    }
}

/// A name that only this machine's own table knows is none of DNS, though programs reach it.
fn asked_of_servers(config: &Config, error: NetError) -> Error {
    match error {
        NetError::Dns(message) if matches!(config.record.as_str(), "A" | "AAAA") => {
            Error::service("dns", format!("{message}; only DNS servers are asked, not /etc/hosts"))
        }
        error => error.into(),
    }
}

fn judge(config: &Config, answer: &DnsAnswer) -> Report {
    let count = answer.records.len();
    let elapsed = seconds(answer.elapsed_us);
    let kind = &config.record;
    let mut report = Report::ok(counted(count as f64, &format!("{kind} record"))).metric("records", count as f64, "").metric(
        "lookup_seconds",
        elapsed,
        "seconds",
    );
    if let Some(ttl_seconds) = answer.ttl_seconds {
        report = report.metric("ttl_seconds", ttl_seconds.into(), "seconds");
    }
    if (count as u64) < u64::from(config.records_min) {
        report = report
            .evidence("records", count, format!("at least {}", config.records_min), "")
            .critical("dns", format!("{} has {}", config.name, counted(count as f64, &format!("{kind} record"))));
    }
    for expected in &config.expect {
        if !answer.records.iter().any(|record| same(record, expected)) {
            report = report
                .evidence("", answer.records.join(", "), format!("{expected} among them"), "")
                .critical("content", format!("{} has no record {expected}", config.name));
        }
    }
    let (warning, critical) = (Some(config.latency_warning_seconds), config.latency_critical_seconds);
    let limit = Limit { metric: "lookup_seconds", unit: "seconds", failure: "latency", warning, critical };
    limit.at_most(report, elapsed, || format!("the lookup took {elapsed} s"))
}

fn same(left: &str, right: &str) -> bool {
    left.trim_end_matches('.').eq_ignore_ascii_case(right.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn run(config: Value, answer: Result<DnsAnswer, NetError>) -> Report {
        let report = FakeHost::default().dns(answer).run::<Dns>(config).expect("a report");
        assert_as_described::<Dns>(&report);
        report
    }

    fn records(records: &[&str], elapsed_us: u32) -> Result<DnsAnswer, NetError> {
        Ok(DnsAnswer { records: records.iter().map(|record| (*record).to_owned()).collect(), ttl_seconds: Some(60), elapsed_us })
    }

    #[test]
    fn an_expected_answer_must_be_among_the_records() {
        let config = json!({ "name": "example.com", "record": "MX", "expect": ["10 Mail.example.com"] });
        assert_eq!(run(config.clone(), records(&["10 mail.example.com.", "20 b."], 10)).status, Status::Ok);
        assert_eq!(run(config, records(&["20 b."], 10)).failure.as_deref(), Some("content"));
    }

    #[test]
    fn a_name_without_records_or_without_existence_is_critical() {
        let config = json!({ "name": "example.com" });
        assert_eq!(run(config.clone(), records(&[], 10)).status, Status::Critical);
        assert_eq!(run(config.clone(), records(&["10.0.0.7"], 10)).summary, "1 A record");
        let report = run(config, Err(NetError::Dns("no such name".into())));
        assert_eq!(report.failure.as_deref(), Some("dns"));
        assert_eq!(report.summary, "no such name; only DNS servers are asked, not /etc/hosts");
        let report = run(json!({ "name": "example.com", "record": "MX" }), Err(NetError::Dns("no such name".into())));
        assert_eq!(report.summary, "no such name");
    }

    #[test]
    fn a_slow_lookup_is_a_warning() {
        assert_eq!(run(json!({ "name": "a" }), records(&["1.2.3.4"], 1_500_000)).status, Status::Warning);
    }
}
