//! `slowlog`: commands that the server logged as slow since the last run.
//!
//! What is slow the server decides (`slowlog-log-slower-than`). Of a command only its name is told: arguments may hold anything.
//! The first run only notes where the log is.

use sickbay_sdk::limit::Limit;
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::Answer;
use sickbay_sdk::trend;

const STATE_KEY: &str = "slowlog";
/// The server keeps 128 unless told otherwise.
const ENTRIES_MAX: &str = "128";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// Warning when more slow commands were logged since the last run.
    #[serde(default = "default_warning_count")]
    #[schemars(range(min = 0))]
    warning_count: f64,
    /// Critical when more slow commands were logged since the last run. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    critical_count: Option<f64>,
    /// Warning when one of them took longer.
    #[serde(default = "default_warning_seconds")]
    #[schemars(range(min = 0))]
    warning_seconds: f64,
    /// Critical when one of them took longer. Absent: never.
    #[serde(default)]
    #[schemars(range(min = 0))]
    critical_seconds: Option<f64>,
}

fn default_warning_count() -> f64 {
    10.0
}

fn default_warning_seconds() -> f64 {
    1.0
}

pub(crate) struct Slowlog;

struct Entry {
    id: f64,
    seconds: f64,
    command: String,
}

impl Check for Slowlog {
    const NAME: &'static str = "slowlog";
    const SUMMARY: &'static str = "Commands that the server logged as slow since the last run";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache" })
    }

    fn needs() -> Vec<Need> {
        let grant = "redis = [{ source = \"{source}\", commands = [\"SLOWLOG GET\"] }]";
        vec![Need::new("redis", "reads SLOWLOG", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("slow_commands", "", "logged since the last run, at most 128"),
            MetricInfo::gauge("slowest_seconds", "seconds", "the slowest of them; 0 without any"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "latency", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        let answer = redis::source(&config.source).run(["SLOWLOG", "GET", ENTRIES_MAX])?;
        let entries: Vec<Entry> = answer.items().iter().filter_map(entry).collect();
        let newest = entries.iter().map(|entry| entry.id).reduce(f64::max);
        // The number of the newest entry that was seen.
        let seen = trend::earlier::<f64>(STATE_KEY, &config.source).map(|mark| mark.noted);
        // -1 stands before the first entry; so does whatever a server counted before it restarted.
        let id = newest.or(seen).unwrap_or(-1.0);
        trend::keep(STATE_KEY, &config.source, clock::now_ms(), id)?;
        let Some(seen) = seen else { return Ok(Report::ok("slow commands are counted from now on")) };
        let after = if newest.is_some_and(|newest| newest < seen) { -1.0 } else { seen };
        let fresh: Vec<Entry> = entries.into_iter().filter(|entry| entry.id > after).collect();
        Ok(judge(config, &fresh))
    }
}

/// id, time, microseconds, arguments, and what else a server tells.
fn entry(answer: &Answer) -> Option<Entry> {
    let [id, _time, microseconds, arguments, ..] = answer.items() else { return None };
    let command = arguments.items().first().and_then(Answer::text).unwrap_or_default().to_ascii_uppercase();
    Some(Entry { id: id.number()?, seconds: microseconds.number()? / 1e6, command })
}

fn judge(config: &Config, fresh: &[Entry]) -> Report {
    let count = fresh.len() as f64;
    let slowest = fresh.iter().max_by(|left, right| left.seconds.total_cmp(&right.seconds));
    let seconds = slowest.map_or(0.0, |entry| entry.seconds);
    let summary = match slowest {
        Some(entry) => format!("{count} slow commands, {} took {seconds} s", entry.command),
        None => "no slow command".to_owned(),
    };
    let report = Report::ok(summary.clone()).metric("slow_commands", count, "").metric("slowest_seconds", seconds, "seconds");
    let (warning, critical) = (Some(config.warning_seconds), config.critical_seconds);
    let limit = Limit { metric: "slowest_seconds", unit: "seconds", failure: "latency", warning, critical };
    let report = limit.at_most(report, seconds, || summary.clone());
    let (warning, critical) = (Some(config.warning_count), config.critical_count);
    let limit = Limit { metric: "slow_commands", unit: "", failure: "latency", warning, critical };
    limit.at_most(report, count, || summary.clone())
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::redis::Node;
    use sickbay_sdk::testing::{FakeHost, assert_as_described};

    use super::*;

    fn log(entries: &[(i64, i64)]) -> Vec<Node> {
        let mut nodes = vec![Node::ArrayOf(entries.len() as u32)];
        for (id, microseconds) in entries {
            let arguments = [Node::ArrayOf(2), Node::Bulk(b"keys".to_vec()), Node::Bulk(b"*".to_vec())];
            nodes.extend([Node::ArrayOf(4), Node::Int(*id), Node::Int(0), Node::Int(*microseconds)]);
            nodes.extend(arguments);
        }
        nodes
    }

    fn run(host: &mut FakeHost, entries: &[(i64, i64)]) -> Report {
        host.replies.push_back(Ok(log(entries)));
        let report = host.run::<Slowlog>(json!({ "source": "cache" })).expect("a report");
        assert_as_described::<Slowlog>(&report);
        report
    }

    #[test]
    fn only_what_came_since_the_last_run_is_judged() {
        let mut host = FakeHost::default();
        assert_eq!(run(&mut host, &[(7, 9_000_000)]).status, Status::Ok);
        assert_eq!(run(&mut host, &[(7, 9_000_000)]).summary, "no slow command");
        let report = run(&mut host, &[(8, 2_000_000), (7, 9_000_000)]);
        assert_eq!((report.status, report.summary.as_str()), (Status::Warning, "1 slow commands, KEYS took 2 s"));
    }

    #[test]
    fn a_server_that_restarted_counts_anew_and_an_empty_log_forgets_nothing() {
        let mut host = FakeHost::default();
        run(&mut host, &[(7, 10)]);
        run(&mut host, &[]);
        assert_eq!(run(&mut host, &[(7, 9_000_000)]).status, Status::Ok);
        assert_eq!(run(&mut host, &[(0, 3_000_000)]).status, Status::Warning);
    }

    #[test]
    fn many_slow_commands_are_a_warning() {
        let mut host = FakeHost::default();
        run(&mut host, &[]);
        let entries: Vec<(i64, i64)> = (0..11).map(|id| (id, 20_000)).collect();
        assert_eq!(run(&mut host, &entries).status, Status::Warning);
    }
}
