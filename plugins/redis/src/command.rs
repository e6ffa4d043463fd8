//! `command`: any command that the grant allows; its answer as number or text, or fields of an answer like that of `INFO`.

use sickbay_sdk::limit::Limit;
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::{Answer, Info};

/// They stay below the host's 64 series for one check.
const FIELDS_MAX: usize = 32;
const METRIC_NAME_BYTES_MAX: usize = 64;
/// What is shown of an answer.
const SHOWN_CHARS_MAX: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Name of the source.
    #[schemars(length(min = 1))]
    source: String,
    /// The command and its arguments: ["GET", "undo:count"].
    #[schemars(length(min = 1, max = 100))]
    command: Vec<String>,
    /// Critical unless the answer is this text.
    #[serde(default)]
    equals: Option<String>,
    /// Critical unless the answer has this text in it.
    #[serde(default)]
    contains: Option<String>,
    /// Warning when the number is larger.
    #[serde(default)]
    warning_above: Option<f64>,
    /// Critical when the number is larger.
    #[serde(default)]
    critical_above: Option<f64>,
    /// Warning when the number is smaller.
    #[serde(default)]
    warning_below: Option<f64>,
    /// Critical when the number is smaller.
    #[serde(default)]
    critical_below: Option<f64>,
    /// Fields of an answer of lines NAME:NUMBER that become metrics field_NAME.
    #[serde(default)]
    #[schemars(length(max = 32))]
    fields: Vec<String>,
}

pub(crate) struct Command;

impl Check for Command {
    const NAME: &'static str = "command";
    const SUMMARY: &'static str = "Runs one command and judges its answer";
    type Config = Config;

    fn example() -> Value {
        json!({ "source": "cache", "command": ["PING"], "equals": "PONG" })
    }

    fn needs() -> Vec<Need> {
        let grant = "redis = [{ source = \"{source}\", commands = [\"COMMAND\"], keys = [\"KEY\"] }]";
        vec![Need::new("redis", "runs the command", grant)]
    }

    fn metrics() -> Vec<MetricInfo> {
        vec![
            MetricInfo::gauge("value", "", "the answer, where it is a number; of a list how long it is"),
            MetricInfo::gauge("field_*", "", "a field of the answer, as the configuration names it"),
        ]
    }

    fn failures() -> &'static [&'static str] {
        &["connection", "authentication", "timeout", "unavailable", "memory", "too-many-connections", "capacity", "content"]
    }

    fn run(request: &Request<Config>) -> Result<Report, Error> {
        let config = &request.config;
        if config.fields.len() > FIELDS_MAX {
            return Err(Error::configuration(format!("at most {FIELDS_MAX} fields")));
        }
        let answer = redis::source(&config.source).run(&config.command)?;
        judge(config, &answer)
    }
}

fn judge(config: &Config, answer: &Answer) -> Result<Report, Error> {
    let shown = shown(answer);
    let report = judge_text(config, Report::ok(shown.clone()), answer, &shown);
    let report = judge_number(config, report, number(answer), &shown);
    if config.fields.is_empty() { Ok(report) } else { with_fields(config, report, &Info::parse(&answer.text().unwrap_or_default())) }
}

fn number(answer: &Answer) -> Option<f64> {
    match answer {
        Answer::List(items) => Some(items.len() as f64),
        answer => answer.number(),
    }
}

fn shown(answer: &Answer) -> String {
    let whole = match answer {
        Answer::Nil => "no value".to_owned(),
        Answer::List(items) => format!("{} elements", items.len()),
        answer => answer.text().map_or_else(|| answer.number().unwrap_or_default().to_string(), |text| text.into_owned()),
    };
    whole.chars().map(|character| if character.is_control() { ' ' } else { character }).take(SHOWN_CHARS_MAX).collect()
}

fn judge_text(config: &Config, mut report: Report, answer: &Answer, shown: &str) -> Report {
    let text = answer.text().map(|text| text.into_owned()).or_else(|| answer.number().map(|number| number.to_string()));
    if let Some(equals) = &config.equals
        && text.as_ref() != Some(equals)
    {
        report = report.evidence("", shown, equals, "").critical("content", format!("the answer is {shown}, expected {equals}"));
    }
    if let Some(contains) = &config.contains
        && !text.is_some_and(|text| text.contains(contains.as_str()))
    {
        report = report.evidence("", shown, format!("with {contains:?}"), "").critical("content", "the answer lacks the expected text");
    }
    report
}

fn judge_number(config: &Config, report: Report, number: Option<f64>, shown: &str) -> Report {
    let above = Limit { metric: "value", unit: "", failure: "capacity", warning: config.warning_above, critical: config.critical_above };
    let below = Limit { warning: config.warning_below, critical: config.critical_below, ..above };
    let Some(number) = number else {
        let is_asked = [above, below].iter().any(|limit| limit.warning.is_some() || limit.critical.is_some());
        return if is_asked {
            report.evidence("value", shown, "a number", "").critical("content", "the answer is no number")
        } else {
            report
        };
    };
    let report = above.at_most(report.metric("value", number, ""), number, || format!("the answer is {number}"));
    below.at_least(report, number, || format!("the answer is {number}"))
}

fn with_fields(config: &Config, mut report: Report, info: &Info) -> Result<Report, Error> {
    for field in &config.fields {
        let name = format!("field_{field}");
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !is_name || name.len() > METRIC_NAME_BYTES_MAX {
            return Err(Error::configuration(format!("the field {field:?} is no name for a metric")));
        }
        report = match info.number(field) {
            Some(_) if report.metrics.iter().any(|metric| metric.name == name) => report,
            Some(number) => report.metric(name, number, ""),
            None => report.evidence("", format!("no number {field}"), "a number", "").critical("content", format!("no number {field}")),
        };
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::redis::Node;
    use sickbay_sdk::testing::{FakeHost, assert_as_described, bulk};

    use super::*;

    fn run(extra: Value, answer: Vec<Node>) -> Report {
        let mut config = json!({ "source": "cache", "command": ["GET", "undo"] });
        if let (Some(config), Value::Object(extra)) = (config.as_object_mut(), extra) {
            config.extend(extra);
        }
        let report = FakeHost::default().redis(Ok(answer)).run::<Command>(config).expect("a report");
        assert_as_described::<Command>(&report);
        report
    }

    #[test]
    fn a_number_is_judged_from_both_sides_also_one_that_came_as_text() {
        assert_eq!(run(json!({ "warning_above": 5 }), bulk("7")).status, Status::Warning);
        assert_eq!(run(json!({ "critical_below": 5 }), vec![Node::Int(3)]).status, Status::Critical);
        assert_eq!(run(json!({ "critical_below": 5 }), vec![Node::Nil]).failure.as_deref(), Some("content"));
        assert_eq!(run(json!({ "warning_above": 1 }), vec![Node::ArrayOf(2), Node::Nil, Node::Nil]).status, Status::Warning);
    }

    #[test]
    fn a_text_is_compared_whole_or_in_part() {
        assert_eq!(run(json!({ "equals": "PONG" }), bulk("PONG")).status, Status::Ok);
        assert_eq!(run(json!({ "equals": "PONG" }), bulk("PANG")).status, Status::Critical);
        assert_eq!(run(json!({ "contains": "ON" }), bulk("PONG")).status, Status::Ok);
        assert_eq!(run(json!({ "contains": "x" }), bulk("PONG")).status, Status::Critical);
    }

    #[test]
    fn fields_of_the_answer_become_metrics() {
        let report = run(json!({ "fields": ["ops"] }), bulk("# Stats\r\nops:12\r\n"));
        assert_eq!((report.status, report.metrics[0].name.as_str(), report.metrics[0].value), (Status::Ok, "field_ops", 12.0));
        assert_eq!(run(json!({ "fields": ["absent"] }), bulk("ops:12\r\n")).status, Status::Critical);
    }
}
