//! The families of objectives, written from the live state.
//!
//! Limits: two names and one closed list of windows; there are at most 1,000 objectives.

use super::exposition::{Exposition, MetricType};
use crate::clock;
use crate::live::Live;

/// Where nothing was counted there is no series: no rate is not a rate of 0.
pub fn write(out: &mut Exposition, live: &Live) {
    const REMAINING: &str = "sickbay_slo_error_budget_remaining_ratio";
    const BURN_RATE: &str = "sickbay_slo_burn_rate";
    let (table, now) = (live.slos.load_full(), clock::now());
    if table.by_name.is_empty() {
        return;
    }
    let accounts: Vec<_> = table.by_name.iter().map(|(name, slo)| (name, slo.account(now))).collect();
    out.family(REMAINING, MetricType::Gauge, "What is left of the error budget of an objective: 1 is all of it, less than 0 is overspent.");
    for (name, account) in &accounts {
        out.series(REMAINING).label("slo", name).number(account.budget_remaining);
    }
    out.family(
        BURN_RATE,
        MetricType::Gauge,
        "How many times as fast as it lasts the error budget burns, over 5m, 30m, 1h, 2h, 6h, 1d, 3d.",
    );
    for (name, account) in &accounts {
        for burn in &account.burns {
            if let Some(rate) = burn.rate {
                out.series(BURN_RATE).label("slo", name).label("window", burn.window.as_str()).number(rate);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::{Reason, Status};
    use sickbay_store::ResultRecord;

    use super::*;
    use crate::api::testing::{Host, check, record};

    #[tokio::test]
    async fn a_budget_and_its_rates_are_written_where_something_was_counted() {
        let slos =
            "[[slo]]\nname = \"a\"\nchecks = [\"api\"]\nobjective = 0.9\n[[slo]]\nname = \"b\"\nchecks = [\"db\"]\nobjective = 0.9\n";
        let host = Host::start(&(check("api") + &check("db") + slos)).await;
        let table = host.live.slos.load_full();
        for status in [Status::Ok, Status::Ok, Status::Ok, Status::Critical] {
            let reason = Reason::Reported { status, failure: None };
            table.note(&ResultRecord { status, reason, started_at: clock::now(), ..record("api", 1) });
        }
        let mut out = Exposition::default();
        write(&mut out, &host.live);
        let text = out.into_text();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), 2 + 7, "{text}");
        assert_eq!(samples[0], "sickbay_slo_error_budget_remaining_ratio{slo=\"a\"} -1.5");
        assert_eq!(samples[1], "sickbay_slo_error_budget_remaining_ratio{slo=\"b\"} 1");
        assert_eq!(samples[2], "sickbay_slo_burn_rate{slo=\"a\",window=\"5m\"} 2.5");
        assert_eq!(samples[8], "sickbay_slo_burn_rate{slo=\"a\",window=\"3d\"} 2.5");
    }

    #[tokio::test]
    async fn without_objectives_there_are_no_families() {
        let host = Host::start(&check("api")).await;
        let mut out = Exposition::default();
        write(&mut out, &host.live);
        assert_eq!(out.into_text(), "");
    }
}
