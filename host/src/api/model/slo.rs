//! An objective as the API shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sickbay_core::Timestamp;
use sickbay_core::slo::{Account, Burn, Counts, Indicator, Latencies, Objective, Pair, Tally};
use utoipa::ToSchema;

use super::StatusWord;
use crate::clock::rfc3339;
use crate::config::SloMember;
use crate::slo::LiveSlo;

/// An objective, as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SloItem {
    pub name: String,
    /// The check that tells of it.
    pub check: String,
    /// Critical while the error budget burns too fast to wait, warning while it does so slowly, unknown while no result could be judged.
    pub status: StatusWord,
    /// The share of results that has to be good.
    pub objective: f64,
    pub window_seconds: f64,
    /// From which status on a result is bad; null where a latency is wanted.
    pub bad_from: Option<String>,
    /// What has to be less than a limit; null where the status counts.
    pub latency: Option<LatencyItem>,
    /// How many checks it is about.
    pub checks_count: usize,
    /// When the first hour of the window in which something was counted began.
    pub counted_since: Option<String>,
    /// Results of the window.
    pub good: u64,
    pub bad: u64,
    pub uncovered: u64,
    /// The share of results that nobody could judge; they are neither good nor bad.
    pub uncovered_ratio: f64,
    /// The share of good results among those that could be judged.
    pub availability: Option<f64>,
    pub budget: BudgetItem,
    /// Over each of the closed list of times, the shortest first.
    pub burn_rates: Vec<BurnRateItem>,
    /// Pairs of times over which the budget burns too fast, the most urgent first.
    pub firing: Vec<FiringItem>,
}

/// What has to be less than a limit.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LatencyItem {
    pub metric: String,
    pub below: f64,
}

/// What may be bad, and what is left of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BudgetItem {
    /// What the objective leaves of its window: 43.2 of 99.9 % over 30 days.
    pub minutes: f64,
    pub remaining_minutes: f64,
    /// 1 is all of it, 0 nothing, and less is overspent. Of what was counted so far, also where that is less than the window.
    pub remaining_ratio: f64,
}

/// How many times as fast as it lasts the budget burns.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BurnRateItem {
    /// `5m`, `30m`, `1h`, `2h`, `6h`, `1d`, `3d`
    pub window: String,
    /// Null where no result could be judged.
    pub rate: Option<f64>,
    /// The results behind it.
    pub good: u64,
    pub bad: u64,
}

/// Two times over which the budget burns faster than the factor.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FiringItem {
    pub severity: String,
    pub factor: f64,
    pub long: String,
    pub short: String,
}

/// An objective with what is known of its checks and services.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SloDetail {
    #[serde(flatten)]
    pub slo: SloItem,
    /// Of the metric of the latency, or of `latency_seconds`.
    pub percentiles: Option<PercentilesItem>,
    /// By the label `service` of its checks, counted in whole days (UTC).
    pub services: Vec<SloRow>,
    /// By name, counted in whole days (UTC).
    pub checks: Vec<SloRow>,
}

/// What one check or service did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SloRow {
    pub name: String,
    pub good: u64,
    pub bad: u64,
    pub uncovered: u64,
    pub availability: Option<f64>,
    pub percentiles: Option<PercentilesItem>,
}

/// To within 4.5 %, where what a check measured in a day lies within a factor of 256.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct PercentilesItem {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
}

impl SloItem {
    pub fn of(slo: &LiveSlo, account: &Account) -> SloItem {
        let spec = &slo.spec;
        let Account { counts, since, budget_remaining, burns, firing } = account;
        let (bad_from, latency) = match &spec.objective.indicator {
            Indicator::Status(bad) => (Some(bad.as_str().to_owned()), None),
            Indicator::Latency { metric, below } => (None, Some(LatencyItem { metric: metric.clone(), below: *below })),
        };
        SloItem {
            name: spec.name.clone(),
            check: spec.check(),
            status: account.status().into(),
            objective: spec.objective.target,
            window_seconds: spec.objective.window.as_secs_f64(),
            bad_from,
            latency,
            checks_count: spec.members.len(),
            counted_since: since.map(rfc3339),
            good: counts.good,
            bad: counts.bad,
            uncovered: counts.uncovered,
            uncovered_ratio: rounded(counts.uncovered_share()),
            availability: counts.good_share().map(rounded),
            budget: BudgetItem::of(&spec.objective, *budget_remaining),
            burn_rates: burns.iter().map(BurnRateItem::of).collect(),
            firing: firing.iter().map(|pair| FiringItem::of(pair)).collect(),
        }
    }
}

impl BudgetItem {
    fn of(objective: &Objective, remaining: f64) -> BudgetItem {
        let minutes = objective.budget().as_secs_f64() / 60.0;
        BudgetItem { minutes: rounded(minutes), remaining_minutes: rounded(minutes * remaining), remaining_ratio: rounded(remaining) }
    }
}

impl BurnRateItem {
    fn of(burn: &Burn) -> BurnRateItem {
        let (window, rate) = (burn.window.as_str().to_owned(), burn.rate.map(rounded));
        BurnRateItem { window, rate, good: burn.counts.good, bad: burn.counts.bad }
    }
}

impl FiringItem {
    fn of(pair: &Pair) -> FiringItem {
        let (long, short) = (pair.long.as_str().to_owned(), pair.short.as_str().to_owned());
        FiringItem { severity: pair.severity.to_owned(), factor: pair.factor, long, short }
    }
}

impl SloDetail {
    pub fn of(slo: &LiveSlo, now: Timestamp) -> SloDetail {
        let account = slo.account(now);
        let (mut whole, mut services) = (Tally::default(), BTreeMap::<&str, Tally>::new());
        let mut checks = Vec::with_capacity(slo.spec.members.len());
        for SloMember { check, service } in &slo.spec.members {
            let tally = slo.tally(check, now);
            whole.include(&tally);
            if let Some(service) = service {
                services.entry(service).or_default().include(&tally);
            }
            checks.push(SloRow::of(check, &tally));
        }
        SloDetail {
            slo: SloItem::of(slo, &account),
            percentiles: PercentilesItem::of(&whole.latencies),
            services: services.iter().map(|(service, tally)| SloRow::of(service, tally)).collect(),
            checks,
        }
    }
}

impl SloRow {
    fn of(name: &str, tally: &Tally) -> SloRow {
        let Counts { good, bad, uncovered } = tally.counts;
        SloRow {
            name: name.to_owned(),
            good,
            bad,
            uncovered,
            availability: tally.counts.good_share().map(rounded),
            percentiles: PercentilesItem::of(&tally.latencies),
        }
    }
}

impl PercentilesItem {
    fn of(latencies: &Latencies) -> Option<PercentilesItem> {
        let of = |share: f64| latencies.percentile(share).map(rounded);
        Some(PercentilesItem { p50: of(0.5)?, p95: of(0.95)?, p99: of(0.99)? })
    }
}

/// Without what binary fractions add: 43.2 and not 43.199999999999996.
fn rounded(number: f64) -> f64 {
    const PARTS: f64 = 1e9;
    (number * PARTS).round() / PARTS
}
