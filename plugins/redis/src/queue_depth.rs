//! `queue-depth`: how long a queue is and how fast it grows, whatever type of key holds it.

use sickbay_sdk::limit::Limit;
use sickbay_sdk::prelude::*;
use sickbay_sdk::trend;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// The key: a list, a sorted set, a stream, a set or a hash. One that is not there is an empty queue.
    #[schemars(length(min = 1))]
    key: String,
    /// Warning when more wait.
    #[serde(default = "default_warning_depth")]
    #[schemars(range(min = 0))]
    warning_depth: f64,
    /// Critical when more wait.
    #[serde(default = "default_critical_depth")]
    #[schemars(range(min = 0))]
    critical_depth: f64,
    /// Warning when the queue grows by more per second since the last run. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    growth_warning_per_second: Option<f64>,
    /// Critical when the queue grows by more per second since the last run. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    growth_critical_per_second: Option<f64>,
}

fn default_warning_depth() -> f64 {
    1_000.0
}

fn default_critical_depth() -> f64 {
    10_000.0
}

pub(crate) struct QueueDepth;

impl Check for QueueDepth {
    const NAME: &'static str = "queue-depth";
    const SUMMARY: &'static str = "How long a queue is and how fast it grows";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache", "key": "celery" })
    }

    fn needs() -> Vec<Need> {
        let grant = "redis = [{ source = \"{source}\", commands = [\"TYPE\", \"LLEN\", \"ZCARD\", \"XLEN\", \"SCARD\", \"HLEN\"], keys = [\"{key}\"] }]";
        vec![Need::new("redis", "reads the key's type and length", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("depth", "", "what waits in the queue"),
            MetricInfo::gauge(
                "growth_per_second",
                "",
                "by which it grew since the last run, negative when it shrank; from the second run on",
            ),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "capacity", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let depth = depth(config)?;
        let of = format!("{} {}", config.source, config.key);
        let growth = trend::per_second("depth", &of, depth, clock::now_ms())?;
        Ok(judge(config, depth, growth))
    }
}

fn depth(config: &Config) -> Result<f64, Error> {
    let source = redis::source(&config.source);
    let answer = source.run(["TYPE", config.key.as_str()])?;
    let command = match answer.text().as_deref() {
        Some("none") => return Ok(0.0),
        Some("list") => "LLEN",
        Some("zset") => "ZCARD",
        Some("stream") => "XLEN",
        Some("set") => "SCARD",
        Some("hash") => "HLEN",
        other => return Err(Error::configuration(format!("{} is a {}, which is no queue", config.key, other.unwrap_or("thing unknown")))),
    };
    let length = source.run([command, config.key.as_str()])?;
    length.number().ok_or_else(|| Error::service("content", format!("{command} answered no number")))
}

fn judge(config: &Config, depth: f64, growth: Option<f64>) -> Report {
    let (warning, critical) = (Some(config.warning_depth), Some(config.critical_depth));
    let limit = Limit { metric: "depth", unit: "", failure: "capacity", warning, critical };
    let report = Report::ok(format!("{depth} wait in {}", config.key)).metric("depth", depth, "");
    let report = limit.at_most(report, depth, || format!("{depth} wait in {}", config.key));
    let Some(growth) = growth else { return report };
    let (warning, critical) = (config.growth_warning_per_second, config.growth_critical_per_second);
    let limit = Limit { metric: "growth_per_second", unit: "", failure: "capacity", warning, critical };
    limit.at_most(report.metric("growth_per_second", growth, ""), growth, || format!("{} grows by {growth:.1} per second", config.key))
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::redis::Node;
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn run(host: &mut FakeHost, of: &str, depth: i64) -> Report {
        host.replies.extend([Ok(vec![Node::Simple(of.into())]), Ok(vec![Node::Int(depth)])]);
        let config = json!({ "source": "cache", "key": "celery", "growth_warning_per_second": 1 });
        let report = host.run::<QueueDepth>(config).expect("a report");
        assert_as_described::<QueueDepth>(&report);
        report
    }

    #[test]
    fn the_length_is_asked_for_as_the_type_has_it() {
        for (of, command) in [("list", "LLEN celery"), ("zset", "ZCARD celery"), ("stream", "XLEN celery"), ("set", "SCARD celery")] {
            let mut host = FakeHost::default();
            assert_eq!(run(&mut host, of, 3).summary, "3 wait in celery");
            assert_eq!(host.commands, ["TYPE celery", command]);
        }
    }

    #[test]
    fn a_long_queue_and_one_that_grows_are_told() {
        let mut host = FakeHost { now_ms: 1_000, ..FakeHost::default() };
        assert_eq!(run(&mut host, "list", 100).status, Status::Ok);
        host.now_ms = 11_000;
        assert_eq!(run(&mut host, "list", 200).summary, "celery grows by 10.0 per second");
        assert_eq!(run(&mut FakeHost::default(), "list", 20_000).status, Status::Critical);
    }

    #[test]
    fn a_key_that_is_not_there_is_empty_and_a_string_no_queue() {
        let config = json!({ "source": "cache", "key": "celery" });
        let mut host = FakeHost::default().redis(Ok(vec![Node::Simple("none".into())])).redis(Ok(vec![Node::Simple("string".into())]));
        assert_eq!(host.run::<QueueDepth>(config.clone()).map(|report| report.status), Ok(Status::Ok));
        assert_eq!(host.run::<QueueDepth>(config).expect_err("a failure").kind, "configuration");
    }
}
