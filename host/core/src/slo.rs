//! Objectives: which share of the results of checks has to be good, what is left of the error budget, and how fast it burns.
//!
//! Who is who: an [`Objective`] is what is wanted; a [`Book`] counts results in buckets of time; an [`Account`] is what these counts say at
//! a time; a [`Pair`] of windows says from which burn rate on somebody is told.
//!
//! How: each result is good, bad, or one that nobody could judge ([`Indicator::outcome`]). The error budget is the share of results that may
//! be bad; the burn rate is how many times as fast it is spent as it would last for the window. Its windows, their pairs and factors are
//! those of "The Site Reliability Workbook" (Google, 2018), chapter 5, "multiwindow, multi-burn-rate alerts".
//!
//! Limits: [`WINDOW_MIN`] to [`WINDOW_MAX`]; what a book keeps is bounded in `book` and `latency`.
//! Invariant: a result that nobody could judge is neither good nor bad; it is counted as uncovered.

mod account;
mod book;
mod burn;
mod latency;

use std::time::Duration;

use crate::{Metric, Status};

pub use account::{Account, Burn, SEVERITY_DETAIL, share_text};
pub use book::{Book, Counts, DAYS_MAX, StoredDay, Tally, begin_of};
pub use burn::{BurnWindow, PAIRS, Pair};
pub use latency::Latencies;

const DAY: Duration = Duration::from_secs(86_400);
pub const WINDOW_MIN: Duration = DAY;
pub const WINDOW_MAX: Duration = Duration::from_secs(90 * 86_400);
/// The metric that percentiles are of where an objective names no other.
pub const LATENCY_METRIC: &str = "latency_seconds";
/// No objective leaves a smaller share for what is bad.
pub const ALLOWED_MIN: f64 = 1e-9;

/// What is wanted of the results of some checks.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// The share that has to be good: more than 0, and less than 1 by at least [`ALLOWED_MIN`].
    pub target: f64,
    /// Over which time, up to now.
    pub window: Duration,
    pub indicator: Indicator,
}

/// Which results are bad.
#[derive(Clone, Debug, PartialEq)]
pub enum Indicator {
    /// Those whose status is as bad as this, or worse.
    Status(BadFrom),
    /// Those that measured too much.
    Latency {
        metric: String,
        /// What is less is good.
        below: f64,
    },
}

/// From which status on a result is bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadFrom {
    Warning,
    #[default]
    Critical,
}

/// How one result counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Bad,
    /// Nobody could judge.
    Uncovered,
}

impl Objective {
    /// The share of results that may be bad.
    pub fn allowed(&self) -> f64 {
        /// As a sum of halves `1.0 - 0.999` is not quite a thousandth.
        const PARTS: f64 = 1e12;
        ((1.0 - self.target) * PARTS).round() / PARTS
    }

    /// The same as time: 99.9 % over 30 days leave 43.2 minutes.
    pub fn budget(&self) -> Duration {
        self.window.mul_f64(self.allowed())
    }
}

impl BadFrom {
    pub const ALL: [BadFrom; 2] = [BadFrom::Critical, BadFrom::Warning];

    pub fn as_str(self) -> &'static str {
        match self {
            BadFrom::Warning => "warning",
            BadFrom::Critical => "critical",
        }
    }

    fn outcome(self, status: Status) -> Outcome {
        match (status, self) {
            (Status::Unknown, _) => Outcome::Uncovered,
            (Status::Critical, _) | (Status::Warning, BadFrom::Warning) => Outcome::Bad,
            (Status::Ok, _) | (Status::Warning, BadFrom::Critical) => Outcome::Good,
        }
    }
}

impl Indicator {
    /// How a result with this status and these metrics counts. Where a latency is wanted and none was measured, a critical result is bad: what
    /// does not answer is not fast. Any other leaves it open.
    pub fn outcome(&self, status: Status, metrics: &[Metric]) -> Outcome {
        match (self, status) {
            (_, Status::Unknown) => Outcome::Uncovered,
            (Indicator::Status(bad), _) => bad.outcome(status),
            (Indicator::Latency { below, .. }, _) => match self.measured(metrics) {
                Some(value) if value < *below => Outcome::Good,
                Some(_) => Outcome::Bad,
                None if status == Status::Critical => Outcome::Bad,
                None => Outcome::Uncovered,
            },
        }
    }

    /// The value that percentiles are of, where the result has it: a metric without labels.
    pub fn measured(&self, metrics: &[Metric]) -> Option<f64> {
        let metric = metrics.iter().find(|metric| metric.name == self.metric() && metric.labels.is_empty());
        metric.map(|metric| metric.value)
    }

    /// Its name.
    pub fn metric(&self) -> &str {
        match self {
            Indicator::Status(_) => LATENCY_METRIC,
            Indicator::Latency { metric, .. } => metric,
        }
    }
}

#[cfg(test)]
mod tests;
