//! How long until a plugin that was replaced serves, while 10,000 other checks run, and whether a run is lost for it.
//!
//! How: from the rename into the folder to the first run that began on the new version, as the history has it, less the time in which the
//! folder waits for a file to be complete. Checks of the plugin come due every few milliseconds, so that the next one is not far.
//! "Cached" alternates between two builds that were compiled before; "new" is a build that was never seen.
//!
//! Invariant: no run may be missing: in the history of each check of the plugin the due times follow each other without a gap, and
//! in the whole host nothing is skipped and every run is ok.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use sickbay::clock;
use sickbay::daemon::folder::DEBOUNCE;
use sickbay_core::Timestamp;

use crate::client;
use crate::daemon::{Daemon, check_name, checks};
use crate::figure::Figure;
use crate::settings::Settings;
use crate::spread::{median, most};
use crate::ten_thousand;

pub(crate) const NAMES: [&str; 3] = ["swap_cached", "swap_new", "swap_runs_lost"];

const CACHED_MS_MAX: f64 = 50.0;
const NEW_MS_MAX: f64 = 500.0;
/// Checks of the plugin that is swapped: one is due every 5 ms.
const SWAPPED_CHECKS: usize = 200;
const SWAPPED_EVERY_MS: i64 = 1000;
/// A version that does not serve by then never will.
const SWAP_TIME_MAX: Duration = Duration::from_secs(30);
/// Between swaps: every check of the plugin runs on the version.
const PAUSE: Duration = Duration::from_millis(1200);
/// Results are in the store by then.
const FLUSH_TIME_MAX: Duration = Duration::from_millis(2500);
const DAY_MS: i64 = 86_400_000;

/// One replacement of the file.
struct Swap {
    renamed_at: Timestamp,
    /// As results name it.
    version: String,
}

/// One run of a check of the plugin.
struct Served {
    scheduled_ms: i64,
    started_ms: i64,
    version: String,
}

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let builds = [settings.guest("swap-v1")?, settings.guest("swap-v2")?];
    let count = ten_thousand::check_count(settings);
    let configuration = checks(count, "noop", "10s", "") + &checks(SWAPPED_CHECKS, "swap", "1s", "");
    let daemon = Daemon::start(settings, &[("noop", settings.guest("noop")?), ("swap", builds[0].clone())], &configuration).await?;
    fs::create_dir(offered(&daemon))?;
    // Compiles the second build; from here on both are cached, and the first one serves.
    replace(&daemon, &builds[1]).await?;
    replace(&daemon, &builds[0]).await?;
    ten_thousand::warm_up(settings).await;

    let (before, began_at) = (daemon.scrape().await?.runs(), clock::now());
    let mut cached = Vec::new();
    for number in 0..settings.either(10, 2) {
        cached.push(replace(&daemon, &builds[(number + 1) % 2]).await?);
    }
    let mut new = Vec::new();
    for number in 0..settings.either(6, 2) {
        new.push(replace(&daemon, &never_seen(&builds[number % 2], number)).await?);
    }
    tokio::time::sleep(FLUSH_TIME_MAX).await;
    let runs = daemon.scrape().await?.runs().since(before);
    let histories = histories(&daemon).await?;

    let gaps: usize = histories.iter().map(|history| gaps(history, began_at)).sum();
    let lost = gaps as u64 + runs.skipped + runs.not_ok;
    let cached = times(&cached, &histories)?;
    let new = times(&new, &histories)?;
    let less = format!("less {} ms of debounce, beside {count} checks every 10 s", DEBOUNCE.as_millis());
    let swaps = format!("median of {} swaps, the longest {:.0} ms, {less}", cached.len(), most(&cached));
    let compiled = format!("median of {} builds of {} bytes, the longest {:.0} ms, {less}", new.len(), builds[0].len(), most(&new));
    Ok(vec![
        Figure::new("swap_cached", median(&cached), "ms").at_most(CACHED_MS_MAX).with(swaps),
        Figure::new("swap_new", median(&new), "ms").at_most(NEW_MS_MAX).with(compiled),
        Figure::new("swap_runs_lost", lost as f64, "runs").at_most(0.0).with(format!("{} runs", runs.ok)),
    ])
}

fn offered(daemon: &Daemon) -> PathBuf {
    daemon.folder().join("offered")
}

/// Renames `component` over the plugin's file, waits until it serves, and a while longer.
async fn replace(daemon: &Daemon, component: &[u8]) -> anyhow::Result<Swap> {
    let file = offered(daemon).join("swap.wasm");
    fs::write(&file, component)?;
    let sha256 = sickbay_runtime::digest(component);
    let (began, renamed_at) = (Instant::now(), clock::now());
    fs::rename(&file, daemon.folder().join("plugins/swap.wasm"))?;
    loop {
        let plugin = json(&client::get_ok(daemon.address, "/api/v1/plugins/swap").await?)?;
        if plugin["sha256"] == sha256.as_str() {
            break;
        }
        ensure!(plugin["last_error"].is_null(), "the new version was refused: {}", plugin["last_error"]);
        ensure!(began.elapsed() < SWAP_TIME_MAX, "the new version does not serve after {} s\n{}", SWAP_TIME_MAX.as_secs(), daemon.log());
        // Seldom enough that asking does not slow down what is measured; the history tells the time.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(PAUSE).await;
    Ok(Swap { renamed_at, version: sha256[..12].to_owned() })
}

/// The same plugin as another file: a custom section more, which compiles to the same and has another digest.
fn never_seen(component: &[u8], number: usize) -> Vec<u8> {
    const CUSTOM_SECTION: u8 = 0;
    const NAME: &[u8] = b"build";
    let content = format!("{number:016}");
    let mut bytes = component.to_vec();
    // Section, its length, the length of its name: each below 128, so one byte.
    bytes.extend([CUSTOM_SECTION, (1 + NAME.len() + content.len()) as u8, NAME.len() as u8]);
    bytes.extend(NAME);
    bytes.extend(content.as_bytes());
    bytes
}

/// The runs of each check of the plugin.
async fn histories(daemon: &Daemon) -> anyhow::Result<Vec<Vec<Served>>> {
    let mut histories = Vec::new();
    for number in 0..SWAPPED_CHECKS {
        let path = format!("/api/v1/checks/{}/results?limit=1000", check_name("swap", number));
        let page = json(&client::get_ok(daemon.address, &path).await?)?;
        let items = page["items"].as_array().context("results without `items`")?;
        histories.push(items.iter().map(served).collect::<anyhow::Result<Vec<Served>>>()?);
    }
    Ok(histories)
}

fn served(item: &Value) -> anyhow::Result<Served> {
    let time = |key: &str| item[key].as_str().and_then(millisecond_of_day).with_context(|| format!("a result without `{key}`"));
    let version = item["plugin_version"].as_str().context("a result without `plugin_version`")?;
    Ok(Served { scheduled_ms: time("scheduled_at")?, started_ms: time("started_at")?, version: version.to_owned() })
}

/// Milliseconds of each swap, from the rename to the first run that began on the version, less the debounce.
fn times(swaps: &[Swap], histories: &[Vec<Served>]) -> anyhow::Result<Vec<f64>> {
    swaps
        .iter()
        .map(|swap| {
            let renamed_ms = millisecond_of(swap.renamed_at);
            let after = |run: &Served| Some(later_by(run.started_ms, renamed_ms)).filter(|ms| *ms < DAY_MS / 2);
            let runs = histories.iter().flatten().filter(|run| run.version == swap.version);
            let Some(first) = runs.filter_map(after).min() else { bail!("no run began on version {}", swap.version) };
            Ok((first as f64 - DEBOUNCE.as_millis() as f64).max(0.0))
        })
        .collect()
}

/// Due times after `since` that no run of the check has.
fn gaps(history: &[Served], since: Timestamp) -> usize {
    let since_ms = millisecond_of(since);
    let mut due: Vec<i64> = history.iter().map(|run| later_by(run.scheduled_ms, since_ms)).filter(|ms| *ms < DAY_MS / 2).collect();
    due.sort_unstable();
    due.windows(2).map(|pair| ((pair[1] - pair[0]) / SWAPPED_EVERY_MS - 1).max(0) as usize).sum()
}

/// How much later in the day, across midnight too.
fn later_by(ms: i64, than_ms: i64) -> i64 {
    (ms - than_ms).rem_euclid(DAY_MS)
}

fn millisecond_of(at: Timestamp) -> i64 {
    (at.0 % DAY_MS as u64) as i64
}

/// Of a time in RFC 3339 with milliseconds in UTC.
fn millisecond_of_day(text: &str) -> Option<i64> {
    let (_, time) = text.trim_end_matches('Z').split_once('T')?;
    let (clock, fraction) = time.split_once('.')?;
    let parts: Vec<i64> = clock.split(':').map_while(|part| part.parse().ok()).collect();
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    let fraction: i64 = fraction.parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction)
}

fn json(body: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(body).context("an answer is not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(scheduled_ms: i64, started_ms: i64, version: &str) -> Served {
        Served { scheduled_ms, started_ms, version: version.to_owned() }
    }

    #[test]
    fn a_swap_lasts_until_the_first_run_on_its_version() {
        let swap = Swap { renamed_at: Timestamp(DAY_MS as u64 * 20_000 + 5_000), version: "b".to_owned() };
        let earlier = run(4_000, 4_000, "b");
        let histories = [vec![earlier, run(5_010, 5_011, "a"), run(6_010, 6_010, "b")], vec![run(5_120, 5_123, "b")]];
        assert_eq!(times(&[swap], &histories).unwrap(), [123.0 - DEBOUNCE.as_millis() as f64]);
    }

    #[test]
    fn a_due_time_without_a_run_is_a_gap_also_over_midnight() {
        let since = Timestamp(DAY_MS as u64 * 20_000 - 1_500);
        let history: Vec<Served> = [-3_000, -1_000, 0, 3_000].map(|ms: i64| run(ms.rem_euclid(DAY_MS), 0, "a")).into_iter().collect();
        assert_eq!(gaps(&history, since), 2);
    }

    #[test]
    fn the_time_of_day_is_read_from_a_result() {
        assert_eq!(millisecond_of_day("2026-11-20T22:42:28.976Z"), Some(81_748_976));
        assert_eq!(millisecond_of_day("2026-11-20"), None);
    }

    #[test]
    fn a_build_that_was_never_seen_has_another_digest() {
        let (first, second) = (never_seen(b"component", 1), never_seen(b"component", 2));
        assert_ne!(first, second);
        assert_eq!(first[9..12], [0, 22, 5]);
        assert_eq!(first.len(), 9 + 2 + 22);
    }
}
