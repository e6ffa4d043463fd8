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
/// Every check runs within 10 s after the start.
const FIRST_RUNS_TIME_MAX: Duration = Duration::from_secs(30);

/// What a daemon used while it was watched.
pub(crate) struct Used {
    pub(crate) cpu: Duration,
    pub(crate) elapsed: Duration,
    pub(crate) runs: Runs,
}

impl Used {
    /// That checks ran, each time that one was due.
    pub(crate) fn complete(self) -> anyhow::Result<Used> {
        ensure!(self.runs.ok > 0, "no check ran");
        ensure!(self.runs.skipped == 0, "{} runs were skipped", self.runs.skipped);
        Ok(self)
    }

    /// Microseconds of processor time for each run.
    pub(crate) fn cpu_us_per_run(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.runs.ok.max(1) as f64
    }

    /// How many of them `idle` would have used meanwhile, a daemon in which nothing is due.
    pub(crate) fn idle_us_per_run(&self, idle: &Used) -> f64 {
        idle.cpu.as_secs_f64() * 1e6 * self.elapsed.as_secs_f64() / idle.elapsed.as_secs_f64() / self.runs.ok.max(1) as f64
    }

    /// What a run adds to `idle`, in microseconds of processor time.
    pub(crate) fn added_us_per_run(&self, idle: &Used) -> f64 {
        self.cpu_us_per_run() - self.idle_us_per_run(idle)
    }
}

/// What a run costs that does nothing, and what costs a daemon without runs.
pub(crate) struct Noop {
    pub(crate) idle: Used,
    pub(crate) busy: Used,
}

impl Noop {
    pub(crate) fn us_per_run(&self) -> f64 {
        self.busy.added_us_per_run(&self.idle)
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

/// As [`watch`], after each of its `count` checks has run and what the start left behind is written and given back.
pub(crate) async fn watch_settled(settings: &Settings, daemon: &Daemon, count: usize, window: Duration) -> anyhow::Result<Used> {
    let all_ran = |scrape: &Scrape| scrape.runs().ok >= count as u64;
    daemon.scrape_until(FIRST_RUNS_TIME_MAX, all_ran).await?;
    tokio::time::sleep(settings.seconds(3, 1)).await;
    watch(daemon, window).await
}

/// `count` checks that do nothing and run every `every`.
pub(crate) async fn noop(settings: &Settings, count: usize, every: &str, window: Duration) -> anyhow::Result<Noop> {
    // With so long an interval every check runs once, soon after the start, and then hardly one.
    let idle = watched(settings, count, "24h", window).await?;
    let busy = watched(settings, count, every, window).await?.complete()?;
    Ok(Noop { idle, busy })
}

async fn watched(settings: &Settings, count: usize, every: &str, window: Duration) -> anyhow::Result<Used> {
    let daemon = Daemon::start(settings, &[("noop", settings.guest("noop")?)], &checks(count, "noop", every, "")).await?;
    watch_settled(settings, &daemon, count, window).await
}

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let count = settings.either(2000, 500);
    let window = settings.seconds(30, 5);
    let noop = noop(settings, count, "1s", window).await?;
    let conditions = format!("{} runs of {count} checks every 1 s in {} s, judged and stored", noop.busy.runs.ok, window.as_secs());
    Ok(vec![
        Figure::new("scheduled_noop_cpu", noop.us_per_run(), "us")
            .at_most(CPU_US_MAX)
            .beside("idle_cpu", noop.busy.idle_us_per_run(&noop.idle), "us")
            .with(conditions),
    ])
}
