//! Memory of the program with as many checks as a configuration may have, after each has run once.

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::client;
use crate::daemon::{Daemon, check_name, checks};
use crate::figure::Figure;
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 1] = ["resident_100000_checks"];

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let count = settings.either(100_000, 10_000);
    let plugin = ("noop", settings.guest("noop")?);
    // With so long an interval every check runs once, within 10 s after the start.
    let daemon = Daemon::start(settings, &[plugin], &checks(count, "noop", "24h", "")).await?;
    tokio::time::sleep(settings.seconds(60, 20)).await;
    let resident_bytes = daemon.resident_bytes()?;
    // A scrape of so many checks would be large itself.
    for number in [0, count / 2, count - 1] {
        let path = format!("/api/v1/checks/{}", check_name("noop", number));
        let check: Value = serde_json::from_slice(&client::get_ok(daemon.address, &path).await?).context("a check is not JSON")?;
        ensure!(check["last_run_at"].is_string(), "{path} has not run\n{}", daemon.log());
    }
    let conditions =
        format!("{count} checks of noop that ran once, without conditions; {:.0} bytes each", resident_bytes as f64 / count as f64);
    Ok(vec![Figure::new("resident_100000_checks", resident_bytes as f64 / 1e6, "MB").with(conditions)])
}
