//! How long a scrape takes with many checks and series, from the request to the last byte, while the checks go on running.

use std::time::{Duration, Instant};

use crate::daemon::{Daemon, checks};
use crate::figure::Figure;
use crate::scrape::Scrape;
use crate::settings::Settings;
use crate::spread::{median, most};
use crate::ten_thousand;

pub(crate) const NAMES: [&str; 1] = ["metrics_render"];

const RENDER_MS_MAX: f64 = 150.0;
const SERIES_PER_CHECK: usize = 5;
const SCRAPES: usize = 10;
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let count = ten_thousand::check_count(settings);
    let plugin = ("five-metrics", settings.guest("five-metrics")?);
    let daemon = Daemon::start(settings, &[plugin], &checks(count, "five-metrics", "10s", "")).await?;
    let all_report = |scrape: &Scrape| scrape.reported_series() == count * SERIES_PER_CHECK;
    let full = daemon.scrape_until(Duration::from_secs(60), all_report).await?;
    let mut milliseconds = Vec::new();
    for _ in 0..SCRAPES {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        daemon.scrape().await?;
        milliseconds.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let longest = most(&milliseconds);
    let conditions = format!(
        "median of {SCRAPES} scrapes of {} bytes, the longest {longest:.0} ms: {count} checks with {SERIES_PER_CHECK} series each",
        full.bytes()
    );
    Ok(vec![Figure::new("metrics_render", median(&milliseconds), "ms").at_most(RENDER_MS_MAX).with(conditions)])
}
