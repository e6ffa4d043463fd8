//! What the last results of a check measured, as far as its conditions ask: `p95('latency_seconds', '10m') > 0.5`.
//!
//! | function | gives |
//! |---|---|
//! | `p50`, `p90`, `p95`, `p99` `(metric, window)` | the value that so many percent of the samples do not exceed (nearest rank) |
//! | `avg`, `max`, `min` `(metric, window)` | of the samples |
//! | `rate(metric, window)` | increase a second of a counter; one that falls began anew at zero |
//! | `count(metric, window)` | how many samples there are |
//! | `failure_ratio(window)` | the share of reports that were critical, by themselves or by a condition that does not ask `failure_ratio` itself: so no condition keeps itself true |
//!
//! A sample is the metric without labels in one report; the report that is judged is among them. With fewer than [`SAMPLES_MIN`] samples a
//! function has no value, and the condition does not hold (see `condition/evaluation.rs`).
//!
//! Limits: [`WINDOW_MAX`], [`SAMPLES_MAX`] of a metric, and only metrics that a condition names in such a function.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::{Metric, Reason, Rule, Status, Timestamp};

/// The longest window.
pub const WINDOW_MAX: Duration = Duration::from_secs(3600);
const WINDOW_MIN: Duration = Duration::from_secs(1);
/// Samples that are kept of one metric, the newest.
pub const SAMPLES_MAX: usize = 360;
/// With fewer samples a function has no value.
pub const SAMPLES_MIN: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Percentile(u32),
    Average,
    Largest,
    Smallest,
    Rate,
    Count,
    FailureRatio,
}

const FUNCTIONS: [(&str, Function); 10] = [
    ("p50", Function::Percentile(50)),
    ("p90", Function::Percentile(90)),
    ("p95", Function::Percentile(95)),
    ("p99", Function::Percentile(99)),
    ("avg", Function::Average),
    ("max", Function::Largest),
    ("min", Function::Smallest),
    ("rate", Function::Rate),
    ("count", Function::Count),
    ("failure_ratio", Function::FailureRatio),
];

impl Function {
    pub(crate) fn named(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }
}

/// One call in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowCall {
    pub(crate) function: Function,
    /// Empty for `failure_ratio`.
    pub(crate) metric: String,
    /// As it is written.
    pub(crate) written: String,
    pub window: Duration,
}

impl fmt::Display for WindowCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.function.name();
        match self.function {
            Function::FailureRatio => write!(formatter, "{name}('{}')", self.written),
            _ => write!(formatter, "{name}('{}', '{}')", self.metric, self.written),
        }
    }
}

/// `90s`, `10m`, `1h`, within [`WINDOW_MAX`]; else why not, and what to write.
pub(crate) fn window(text: &str) -> Result<Duration, String> {
    const HINT: &str = "write a number and a unit, for example '90s', '10m' or '1h'";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(format!("this is no window; hint: {HINT}")),
    };
    let window = number.parse::<u32>().ok().and_then(|number| Duration::from_secs(seconds).checked_mul(number));
    match window {
        None => Err(format!("this is no window; hint: {HINT}")),
        Some(window) if window < WINDOW_MIN => Err("the window is shorter than 1s; hint: write at least '1s'".to_owned()),
        Some(window) if window > WINDOW_MAX => Err("the window is longer than 1h; hint: write at most '1h'".to_owned()),
        Some(window) => Ok(window),
    }
}

/// The samples of one check.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    series: Vec<Series>,
    /// Whether a report was critical, also by a condition that does not ask this; none where no condition asks.
    failures: Option<VecDeque<Sample>>,
}

#[derive(Clone, Debug)]
struct Series {
    metric: String,
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    value: f64,
}

impl Windows {
    /// Empty ones for what the rules ask; none where they ask nothing.
    pub fn of(rules: &[Rule]) -> Option<Windows> {
        let mut windows = Windows::default();
        for call in rules.iter().flat_map(|rule| rule.condition.windows()) {
            if call.function == Function::FailureRatio {
                windows.failures.get_or_insert_default();
            } else if windows.samples(&call.metric).is_none() {
                windows.series.push(Series { metric: call.metric.clone(), samples: VecDeque::new() });
            }
        }
        (windows.failures.is_some() || !windows.series.is_empty()).then_some(windows)
    }

    /// Takes the metrics of one report, the newest so far.
    pub fn note(&mut self, at: Timestamp, metrics: &[Metric]) {
        for series in &mut self.series {
            let reported = metrics.iter().find(|metric| metric.name == series.metric && metric.labels.is_empty());
            if let Some(metric) = reported {
                keep(&mut series.samples, Sample { at, value: metric.value });
            }
        }
    }

    /// Whether a condition asks how many reports failed.
    pub(crate) fn asks_failures(&self) -> bool {
        self.failures.is_some()
    }

    /// Takes whether the newest report was critical; see [`was_critical`] for one of the past.
    pub fn note_failure(&mut self, at: Timestamp, was_critical: bool) {
        if let Some(failures) = &mut self.failures {
            keep(failures, Sample { at, value: f64::from(u8::from(was_critical)) });
        }
    }

    /// Lets go of what the newest report brought: it counts no more.
    pub fn take_back(&mut self, at: Timestamp) {
        let all = self.series.iter_mut().map(|series| &mut series.samples).chain(&mut self.failures);
        for samples in all {
            if samples.back().is_some_and(|newest| newest.at == at) {
                samples.pop_back();
            }
        }
    }

    /// How many samples a call has.
    pub fn len_of(&self, call: &WindowCall, now: Timestamp) -> usize {
        self.within(call, now).count()
    }

    /// What a call gives; none where there are too few samples.
    pub(crate) fn value(&self, call: &WindowCall, now: Timestamp) -> Option<f64> {
        let samples: Vec<Sample> = self.within(call, now).collect();
        if samples.len() < SAMPLES_MIN {
            return None;
        }
        let values = || samples.iter().map(|sample| sample.value);
        let number = samples.len() as f64;
        Some(match call.function {
            Function::Percentile(percent) => percentile(values().collect(), percent),
            Function::Average | Function::FailureRatio => values().sum::<f64>() / number,
            Function::Largest => values().fold(f64::NEG_INFINITY, f64::max),
            Function::Smallest => values().fold(f64::INFINITY, f64::min),
            Function::Rate => rate(&samples)?,
            Function::Count => number,
        })
    }

    fn within(&self, call: &WindowCall, now: Timestamp) -> impl Iterator<Item = Sample> {
        let samples = match call.function {
            Function::FailureRatio => self.failures.as_ref(),
            _ => self.samples(&call.metric),
        };
        let window = call.window;
        samples.into_iter().flatten().copied().filter(move |sample| now.since(sample.at) <= window)
    }

    fn samples(&self, metric: &str) -> Option<&VecDeque<Sample>> {
        self.series.iter().find(|series| series.metric == metric).map(|series| &series.samples)
    }
}

/// Whether a result of the past counts as failed. Of one that was made critical by a condition that asks `failure_ratio` nobody knows what the
/// others said; it does not.
pub fn was_critical(status: Status, reason: &Reason) -> bool {
    let is_by_ratio = match reason {
        Reason::ConditionFailed { condition, .. } => condition.contains(Function::FailureRatio.name()),
        _ => false,
    };
    status == Status::Critical && !is_by_ratio
}

fn keep(samples: &mut VecDeque<Sample>, sample: Sample) {
    samples.push_back(sample);
    while samples.len() > SAMPLES_MAX || samples.front().is_some_and(|first| sample.at.since(first.at) > WINDOW_MAX) {
        samples.pop_front();
    }
}

/// Nearest rank: the least value that at least so many percent of all do not exceed. There is at least one.
fn percentile(mut values: Vec<f64>, percent: u32) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent as usize).div_ceil(100).max(1);
    values.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// None where no time lies between the first and the last.
fn rate(samples: &[Sample]) -> Option<f64> {
    let (first, last) = (samples.first()?, samples.last()?);
    let seconds = last.at.since(first.at).as_secs_f64();
    let increase: f64 = samples
        .windows(2)
        .map(|pair| match pair {
            [before, after] if after.value >= before.value => after.value - before.value,
            [_, after] => after.value,
            _ => 0.0,
        })
        .sum();
    (seconds > 0.0).then(|| increase / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Condition, MetricKind};

    fn rules(condition: &str) -> Vec<Rule> {
        let condition = Condition::parse(condition).unwrap_or_else(|error| panic!("`{condition}`: {error}"));
        vec![Rule { status: Status::Warning, condition, lasting: None }]
    }

    fn metric(value: f64) -> [Metric; 1] {
        [Metric { name: "a".into(), value, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() }]
    }

    /// What the first call of `condition` gives after these values, ten seconds apart.
    fn value(condition: &str, values: &[f64]) -> Option<f64> {
        let rules = rules(condition);
        let mut windows = Windows::of(&rules).expect("it asks the past");
        let mut now = Timestamp(0);
        for value in values {
            now = now.plus(Duration::from_secs(10));
            windows.note(now, &metric(*value));
            windows.note_failure(now, *value > 100.0);
        }
        windows.value(&rules[0].condition.windows()[0], now)
    }

    #[test]
    fn the_functions_give_what_they_are_called() {
        let values = [4.0, 1.0, 3.0, 2.0];
        for (call, wanted) in [
            ("p50('a', '10m')", 2.0),
            ("p95('a', '10m')", 4.0),
            ("avg('a', '10m')", 2.5),
            ("max('a', '10m')", 4.0),
            ("min('a', '10m')", 1.0),
            ("count('a', '10m')", 4.0),
        ] {
            assert_eq!(value(&format!("{call} > 0.0"), &values), Some(wanted), "{call}");
        }
        assert_eq!(value("rate('a', '10m') > 0.0", &[0.0, 10.0, 5.0, 10.0]), Some(20.0 / 30.0), "it began anew once");
        assert_eq!(value("failure_ratio('10m') > 0.0", &[1.0, 101.0, 1.0, 101.0]), Some(0.5));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (percent, wanted) in [(50, 50.0), (95, 95.0), (99, 99.0)] {
            assert_eq!(percentile(hundred.clone(), percent), wanted);
        }
    }

    #[test]
    fn with_fewer_than_three_samples_nothing_is_said() {
        assert_eq!(value("max('a', '10m') > 0.0", &[1.0, 2.0]), None);
        assert_eq!(value("max('a', '20s') > 0.0", &[9.0, 1.0, 2.0, 3.0]), Some(3.0), "the window is as long as it says");
        assert_eq!(value("max('a', '10s') > 0.0", &[9.0, 1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn samples_are_bounded_in_number_and_age() {
        let many = vec![1.0; 1000];
        assert_eq!(value("count('a', '1h') > 0.0", &many), Some(360.0));
        let rules = rules("count('a', '1h') > 0.0");
        let mut windows = Windows::of(&rules).expect("it asks the past");
        windows.note(Timestamp(0), &metric(1.0));
        windows.note(Timestamp(3_600_001), &metric(1.0));
        assert_eq!(windows.len_of(&rules[0].condition.windows()[0], Timestamp(3_600_001)), 1);
    }

    #[test]
    fn what_is_taken_back_counts_no_more() {
        let rules = rules("count('a', '1h') > 0.0 && failure_ratio('1h') > 0.0");
        let mut windows = Windows::of(&rules).expect("it asks the past");
        for at in [Timestamp(1_000), Timestamp(2_000)] {
            windows.note(at, &metric(1.0));
            windows.note_failure(at, true);
        }
        windows.take_back(Timestamp(2_000));
        windows.take_back(Timestamp(2_000));
        let calls = rules[0].condition.windows();
        let lens: Vec<usize> = calls.iter().map(|call| windows.len_of(call, Timestamp(2_000))).collect();
        assert_eq!(lens, [1, 1]);
    }

    #[test]
    fn what_a_condition_on_the_ratio_made_critical_feeds_it_not() {
        let by = |condition: &str| Reason::ConditionFailed {
            status: Status::Critical,
            condition: condition.to_owned(),
            actual: String::new(),
            expected: String::new(),
        };
        assert!(was_critical(Status::Critical, &by("report.metrics.status != 200.0")));
        assert!(was_critical(Status::Critical, &Reason::Reported { status: Status::Critical, failure: None }));
        assert!(!was_critical(Status::Critical, &by("failure_ratio('5m') > 0.5")));
        assert!(!was_critical(Status::Warning, &by("report.metrics.status != 200.0")));
    }

    #[test]
    fn who_asks_nothing_of_the_past_has_none() {
        assert!(Windows::of(&rules("report.metrics.a > 1.0")).is_none());
    }

    #[test]
    fn windows_are_written_with_a_unit() {
        assert_eq!(window("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(window("1h"), Ok(WINDOW_MAX));
        for wrong in ["", "10", "m", "10 m", "10d", "-1m", "61m", "2h", "0s", "99999999999s"] {
            assert!(window(wrong).is_err(), "{wrong}");
        }
    }
}
