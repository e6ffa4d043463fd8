//! Why a result has its status: one name, with the values that decided.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EndCause, Quota, Status, Timestamp};

/// Stored with every result and shown by the API as `{"name": "...", ...}` and as one sentence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Reason {
    /// The check has not run since it was configured.
    #[default]
    NotYetRun,
    /// The report and every condition agree: ok.
    Passed,
    /// The plugin's own judgement, with the failure kind that it named.
    Reported {
        status: Status,
        failure: Option<String>,
    },
    /// A condition of the configuration held.
    ConditionFailed {
        status: Status,
        condition: String,
        actual: String,
        expected: String,
    },
    /// A condition could not be evaluated.
    ConditionError {
        condition: String,
        error: String,
    },
    /// The plugin said that it could not judge.
    PluginFailure {
        kind: String,
        message: String,
    },
    PluginTrapped {
        message: String,
    },
    RunDeadline {
        timeout_ms: u32,
    },
    QuotaExceeded {
        quota: Quota,
        limit: u64,
    },
    InvalidReport {
        message: String,
    },
    PluginMissing {
        message: String,
    },
    HostOverloaded {
        waited_ms: u64,
    },
    /// The service seemed slow or did not answer in time, and the host was itself so late.
    HostLate {
        lateness_ms: u64,
    },
    /// Nothing was pushed for longer than allowed.
    NotHeard {
        since: Timestamp,
        within_ms: u64,
    },
}

impl Reason {
    pub fn name(&self) -> &'static str {
        match self {
            Reason::NotYetRun => "NotYetRun",
            Reason::Passed => "Passed",
            Reason::Reported { .. } => "Reported",
            Reason::ConditionFailed { .. } => "ConditionFailed",
            Reason::ConditionError { .. } => "ConditionError",
            Reason::PluginFailure { .. } => "PluginFailure",
            Reason::PluginTrapped { .. } => "PluginTrapped",
            Reason::RunDeadline { .. } => "RunDeadline",
            Reason::QuotaExceeded { .. } => "QuotaExceeded",
            Reason::InvalidReport { .. } => "InvalidReport",
            Reason::PluginMissing { .. } => "PluginMissing",
            Reason::HostOverloaded { .. } => "HostOverloaded",
            Reason::HostLate { .. } => "HostLate",
            Reason::NotHeard { .. } => "NotHeard",
        }
    }
}

/// What to tell a person of a result: the plugin's words, with the reason behind them where a condition decided, since those words do
/// not know of it; the reason alone where the plugin said nothing. `name` and `detail` are the reason's, as the API gives them.
pub fn told(summary: &str, name: &str, detail: &dyn fmt::Display) -> String {
    match (summary, name) {
        ("", _) => detail.to_string(),
        (_, "ConditionFailed" | "ConditionError") => format!("{summary}; {detail}"),
        _ => summary.to_owned(),
    }
}

/// A number with as many digits as a person reads, unless it would look like what was `expected`.
fn rounded(actual: &str, expected: &str) -> String {
    let short = match actual.parse::<f64>() {
        Ok(value) if value.abs() >= 1.0 => format!("{value:.3}"),
        Ok(value) => format!("{value:.2e}"),
        Err(_) => return actual.to_owned(),
    };
    let short = short.parse::<f64>().map_or_else(|_| actual.to_owned(), |short| short.to_string());
    let looks_fine = expected.rsplit(' ').next() == Some(short.as_str());
    if looks_fine || short.len() >= actual.len() { actual.to_owned() } else { short }
}

/// A time span in the largest unit that divides it: `25h`, `90s`.
fn span(span_ms: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match UNITS.iter().find(|(unit_ms, _)| span_ms >= *unit_ms && span_ms.is_multiple_of(*unit_ms)) {
        Some((unit_ms, unit)) => format!("{}{unit}", span_ms / unit_ms),
        None => format!("{span_ms} ms"),
    }
}

impl From<EndCause> for Reason {
    fn from(cause: EndCause) -> Reason {
        match cause {
            EndCause::Trap { message } => Reason::PluginTrapped { message },
            EndCause::Deadline { timeout_ms } => Reason::RunDeadline { timeout_ms },
            EndCause::Quota { quota, limit } => Reason::QuotaExceeded { quota, limit },
            EndCause::InvalidReport { message } => Reason::InvalidReport { message },
            EndCause::PluginMissing { message } => Reason::PluginMissing { message },
            EndCause::Overloaded { waited_ms } => Reason::HostOverloaded { waited_ms },
            EndCause::HostLate { lateness_ms } => Reason::HostLate { lateness_ms },
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NotYetRun => formatter.write_str("has not run yet"),
            Reason::Passed => formatter.write_str("passed"),
            Reason::Reported { status, failure: Some(failure) } => write!(formatter, "the plugin reported {status} ({failure})"),
            Reason::Reported { status, failure: None } => write!(formatter, "the plugin reported {status}"),
            Reason::ConditionFailed { status, condition, actual, expected } => {
                write!(formatter, "{status} because `{condition}`")?;
                if !actual.is_empty() {
                    write!(formatter, ": is {}, expected {expected}", rounded(actual, expected))?;
                }
                Ok(())
            }
            Reason::ConditionError { condition, error } => write!(formatter, "the condition `{condition}` cannot be evaluated: {error}"),
            Reason::PluginFailure { kind, message } => write!(formatter, "the plugin could not judge ({kind}): {message}"),
            Reason::PluginTrapped { message } => write!(formatter, "the plugin crashed: {message}"),
            Reason::RunDeadline { timeout_ms } => {
                write!(formatter, "the plugin was still running after {timeout_ms} ms; hint: raise `timeout` of the check")
            }
            Reason::QuotaExceeded { quota, limit } => write!(
                formatter,
                "the run reached its limit `{name}` = {limit}; hint: raise `limits = {{ {name} = ... }}` of the plugin",
                name = quota.as_str()
            ),
            Reason::InvalidReport { message } => write!(formatter, "the plugin's report is not valid: {message}"),
            Reason::PluginMissing { message } => formatter.write_str(message),
            Reason::HostOverloaded { waited_ms } => {
                write!(formatter, "no permit came free in {waited_ms} ms; hint: raise `concurrency` of the plugin or run fewer checks")
            }
            Reason::HostLate { lateness_ms } => write!(
                formatter,
                "the service seemed too slow, while this host was itself {lateness_ms} ms late; hint: give it more processors, or run fewer checks"
            ),
            Reason::NotHeard { within_ms, .. } => write!(formatter, "nothing was heard within {}", span(*within_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(summary: &str, reason: &Reason) -> String {
        told(summary, reason.name(), reason)
    }

    #[test]
    fn the_condition_that_decided_is_told_behind_the_plugins_words() {
        let failed = Reason::ConditionFailed {
            status: Status::Warning,
            condition: "report.metrics.a > 1.0".into(),
            actual: "2".into(),
            expected: "<= 1".into(),
        };
        assert_eq!(told_of("fast", &failed), "fast; warning because `report.metrics.a > 1.0`: is 2, expected <= 1");
        let error = Reason::ConditionError { condition: "x".into(), error: "no such key".into() };
        assert_eq!(told_of("fast", &error), "fast; the condition `x` cannot be evaluated: no such key");
    }

    #[test]
    fn numbers_are_rounded_unless_the_difference_would_be_gone() {
        assert_eq!(rounded("0.123456789", "<= 0.1"), "0.123");
        assert_eq!(rounded("1234567.891234", "<= 1"), "1234567.891");
        assert_eq!(rounded("0.2000000001", "<= 0.2"), "0.2000000001");
        for same in ["1e20", "1234567", "0.25", "true", "\"0.123456\""] {
            assert_eq!(rounded(same, "<= 1"), same);
        }
    }

    #[test]
    fn the_plugins_own_words_stand_alone_and_silence_becomes_the_reason() {
        let reported = Reason::Reported { status: Status::Critical, failure: Some("refused".into()) };
        assert_eq!(told_of("no answer", &reported), "no answer");
        assert_eq!(told_of("", &reported), "the plugin reported critical (refused)");
        assert_eq!(told_of("", &Reason::NotYetRun), "has not run yet");
    }
}
