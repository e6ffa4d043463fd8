//! What one scheduled run costs from its due time to its record: checks that do nothing, in the real daemon, less what the same daemon
//! uses when nothing is due.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::daemon::{Daemon, checks};
use crate::figure::Figure;
use crate::scrape::{Runs, Scrape};
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 1] = ["scheduled_noop_cpu"];

const CPU_US_MAX: f64 = 60.0;

/// What a daemon used while it was watched.
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    pub(crate) elapsed: Duration,
    pub(crate) runs: Runs,
}

impl Used {
    /// Microseconds of processor time for each run.
    pub(crate) fn cpu_us_per_run(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.runs.ok.max(1) as f64
    }
}

/// Watches a daemon for `window`. Each end is a scrape and then the clock, so runs and time are of equally long windows, and one of the
/// two scrapes counts as work of the runs.
pub(crate) async fn watch(daemon: &Daemon, window: Duration) -> anyhow::Result<Used> {
    let before = daemon.scrape().await?.runs();
    let (cpu_before, began) = (daemon.cpu()?, Instant::now());
    tokio::time::sleep(window).await;
    let runs = daemon.scrape().await?.runs().since(before);
    let used = Used { cpu: daemon.cpu()?.saturating_sub(cpu_before), elapsed: began.elapsed(), runs };
    ensure!(runs.not_ok == 0, "{} runs were not ok\n{}", runs.not_ok, daemon.log());
    Ok(used)
}

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let count = settings.either(2000, 500);
    let window = settings.seconds(30, 5);
    // With so long an interval every check runs once, soon after the start, and then hardly one.
    let idle = watched(settings, count, "24h", window).await?;
    let busy = watched(settings, count, "1s", window).await?;
    ensure!(busy.runs.ok > 0, "no check ran");
    ensure!(busy.runs.skipped == 0, "{} runs were skipped", busy.runs.skipped);
    let idle_us = idle.cpu.as_secs_f64() * 1e6 * busy.elapsed.as_secs_f64() / idle.elapsed.as_secs_f64();
    let value = busy.cpu_us_per_run() - idle_us / busy.runs.ok as f64;
    let conditions = format!("{} runs of {count} checks every 1 s in {} s, judged and stored", busy.runs.ok, window.as_secs());
    Ok(vec![
        Figure::new("scheduled_noop_cpu", value, "us")
            .at_most(CPU_US_MAX)
            .beside("idle_cpu", idle_us / busy.runs.ok as f64, "us")
            .with(conditions),
    ])
}

async fn watched(settings: &Settings, count: usize, every: &str, window: Duration) -> anyhow::Result<Used> {
    let daemon = Daemon::start(settings, &[("noop", settings.guest("noop")?)], &checks(count, "noop", every, "")).await?;
    let all_ran = |scrape: &Scrape| scrape.runs().ok >= count as u64;
    daemon.scrape_until(Duration::from_secs(30), all_ran).await?;
    // What the start left behind is written and given back meanwhile.
    tokio::time::sleep(settings.seconds(3, 1)).await;
    watch(&daemon, window).await
}
