//! What the counts of an objective say at a time: availability, what is left of the error budget, burn rates, and what its check reports.

use super::{Book, BurnWindow, Counts, Objective, PAIRS, Pair};
use crate::{Evidence, Label, Metric, MetricKind, Report, Status, Timestamp};

/// The detail of a report by which the most urgent pair that fires says its severity.
pub const SEVERITY_DETAIL: &str = "severity";
/// A pair fires only where so many results of its long window are bad: one alone is no burning budget.
const BAD_MIN: u64 = 2;

/// One objective at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Over the window.
    pub counts: Counts,
    /// When the first hour of the window in which something was counted began.
    pub since: Option<Timestamp>,
    /// What is left of the error budget of what was counted: 1 is all of it, less than 0 is overspent.
    pub budget_remaining: f64,
    /// In the order of [`BurnWindow::ALL`].
    pub burns: [Burn; 7],
    /// The most urgent first.
    pub firing: Vec<&'static Pair>,
}

/// How fast the budget burns over one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    pub window: BurnWindow,
    pub counts: Counts,
    /// At 1 the budget lasts just for the window of the objective. None where nothing was counted.
    pub rate: Option<f64>,
}

impl Account {
    pub fn of(objective: &Objective, book: &Book, now: Timestamp) -> Account {
        let allowed = objective.allowed();
        let (counts, since) = book.whole(objective.window, now);
        let burns = BurnWindow::ALL.map(|window| {
            let counts = book.recent(window, now);
            Burn { window, counts, rate: counts.bad_share().map(|bad| bad / allowed) }
        });
        Account {
            counts,
            since,
            budget_remaining: 1.0 - counts.bad_share().unwrap_or_default() / allowed,
            firing: PAIRS.iter().filter(|pair| fires(pair, &burns)).collect(),
            burns,
        }
    }

    pub fn burn(&self, window: BurnWindow) -> &Burn {
        &self.burns[window as usize]
    }

    /// That of the most urgent pair that fires. Unknown where nothing was counted in the longest of their windows.
    pub fn status(&self) -> Status {
        if self.burn(BurnWindow::LONGEST).counts.covered() == 0 {
            return Status::Unknown;
        }
        self.firing.first().map_or(Status::Ok, |pair| pair.status)
    }

    /// What the check of the objective reports.
    pub fn report(&self, objective: &Objective) -> Report {
        let evidence = self.firing.iter().map(|pair| self.evidence(pair)).collect();
        Report {
            status: self.status(),
            summary: self.summary(objective),
            metrics: self.metrics().into(),
            evidence,
            details: self.firing.first().map(|pair| format!("{{\"{SEVERITY_DETAIL}\":\"{}\"}}", pair.severity)),
            ..Report::default()
        }
    }

    fn summary(&self, objective: &Objective) -> String {
        if self.status() == Status::Unknown {
            return format!("no result of the last {} could be judged", BurnWindow::LONGEST.as_str());
        }
        let left = match self.budget_remaining {
            left if left > 0.0 => format!("{} of the error budget is left", share_text(left)),
            _ => "nothing of the error budget is left".to_owned(),
        };
        let good = self.counts.good_share().map_or_else(String::new, |good| {
            format!("{} good, {} wanted over {}; ", share_text(good), share_text(objective.target), days_text(objective))
        });
        let burning = self.firing.first().map_or_else(String::new, |pair| {
            let (rate, long) = (times_text(self.rate(pair.long)), pair.long.as_str());
            format!("{}: the error budget burns {rate} times as fast as it lasts, over {long}; ", pair.severity)
        });
        format!("{burning}{good}{left}")
    }

    fn evidence(&self, pair: &Pair) -> Evidence {
        let (long, short) = (pair.long, pair.short);
        let (of_long, of_short) = (times_text(self.rate(long)), times_text(self.rate(short)));
        Evidence {
            metric: "burn_rate".to_owned(),
            actual: format!("{of_long} over {}, {of_short} over {}", long.as_str(), short.as_str()),
            expected: format!("at most {} over one of them ({})", times_text(pair.factor), pair.severity),
            unit: String::new(),
        }
    }

    fn metrics(&self) -> Vec<Metric> {
        let gauge = |name: &str, value: f64, labels: Vec<Label>| Metric {
            name: name.to_owned(),
            value,
            kind: MetricKind::Gauge,
            unit: String::new(),
            labels,
        };
        let mut metrics = vec![gauge("error_budget_remaining_ratio", self.budget_remaining, Vec::new())];
        metrics.extend(self.counts.good_share().map(|good| gauge("availability_ratio", good, Vec::new())));
        metrics.extend(self.burns.iter().filter_map(|burn| {
            let window = Label { name: "window".to_owned(), value: burn.window.as_str().to_owned() };
            Some(gauge("burn_rate", burn.rate?, vec![window]))
        }));
        metrics
    }

    fn rate(&self, window: BurnWindow) -> f64 {
        self.burn(window).rate.unwrap_or_default()
    }
}

fn fires(pair: &Pair, burns: &[Burn; 7]) -> bool {
    let of = |window: BurnWindow| &burns[window as usize];
    let is_above = |window: BurnWindow| of(window).rate.is_some_and(|rate| rate > pair.factor);
    is_above(pair.long) && is_above(pair.short) && of(pair.long).counts.bad >= BAD_MIN
}

/// A share as a person reads it: `99.95 %`. Cut and not rounded, so that only all is told as `100 %`.
pub fn share_text(share: f64) -> String {
    /// What is lost to binary fractions: `0.29 * 100_000.0` is less than 29,000.
    const LOST: f64 = 1e-6;
    format!("{} %", (share * 100_000.0 + LOST).floor() / 1_000.0)
}

fn times_text(times: f64) -> String {
    format!("{}", (times * 10.0).round() / 10.0)
}

fn days_text(objective: &Objective) -> String {
    const HOUR_SECONDS: u64 = 3_600;
    let hours = objective.window.as_secs() / HOUR_SECONDS;
    if hours.is_multiple_of(24) { format!("{}d", hours / 24) } else { format!("{hours}h") }
}
