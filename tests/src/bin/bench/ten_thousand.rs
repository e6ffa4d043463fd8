//! 10,000 checks every 10 s: how late runs begin, whether any is skipped, how much memory it takes. Sickbay and the bench run on the
//! processors of [`Pinned`].

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::daemon::{Daemon, checks};
use crate::figure::Figure;
use crate::processors::Pinned;
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 3] = ["ten_thousand_lateness_p99", "ten_thousand_skipped", "ten_thousand_resident"];

/// Of the checks in this measure and of those that run beside the swaps.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
const LATENESS_SECONDS_MAX: f64 = 0.1;
const RESIDENT_MEGABYTES_MAX: f64 = 300.0;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

pub(crate) fn check_count(settings: &Settings) -> usize {
    settings.either(10_000, 1_000)
}

/// Every check has run and what the start left behind is written.
pub(crate) async fn warm_up(settings: &Settings) {
    tokio::time::sleep(settings.seconds(15, 5)).await;
}

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let count = check_count(settings);
    let window = settings.seconds(60, 5);
    let pinned = Pinned::start()?;
    let daemon = Daemon::start(settings, &[("noop", settings.guest("noop")?)], &checks(count, "noop", "10s", "")).await?;
    warm_up(settings).await;
    let before = daemon.scrape().await?;
    let (began, mut resident_bytes) = (Instant::now(), daemon.resident_bytes()?);
    while began.elapsed() < window {
        tokio::time::sleep(SAMPLE_INTERVAL).await;
        resident_bytes = resident_bytes.max(daemon.resident_bytes()?);
    }
    let after = daemon.scrape().await?;
    let elapsed = began.elapsed();

    let runs = after.runs().since(before.runs());
    ensure!(runs.not_ok == 0, "{} runs were not ok\n{}", runs.not_ok, daemon.log());
    let due = count as f64 * elapsed.as_secs_f64() / EVERY.as_secs_f64();
    // Phases are spread by a hash: a window of part of the interval has a little more or less than its share.
    ensure!(runs.ok as f64 + runs.skipped as f64 > 0.9 * due, "{} runs, about {due:.0} were due\n{}", runs.ok, daemon.log());
    let lateness = after.lateness().since(&before.lateness()).quantile(0.99).context("no run counted as late or in time")?;
    let conditions = format!("{count} checks every {} s, {} runs in {} s, {pinned}", EVERY.as_secs(), runs.ok, window.as_secs());
    Ok(vec![
        Figure::new("ten_thousand_lateness_p99", lateness, "s").at_most(LATENESS_SECONDS_MAX).with(conditions.clone()),
        Figure::new("ten_thousand_skipped", runs.skipped as f64, "runs").at_most(0.0).with(conditions.clone()),
        Figure::new("ten_thousand_resident", resident_bytes as f64 / 1e6, "MB").at_most(RESIDENT_MEGABYTES_MAX).with(conditions),
    ])
}
