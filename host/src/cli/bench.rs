//! `sickbay bench FILE`: what one run of a plugin costs, on a fresh instance and on a warm one.
//!
//! Runs take the way of the daemon's, one after the other on one thread: what is lent, limits, deadline, instance, validated answer. The
//! kind's own example is run without grants, or a check of a configuration with its own.
//!
//! Limits: [`RUNS_MAX`] runs on each sort of instance, and [`SERIES_TIME_MAX`]; the first [`WARM_UP_RUNS`] do not count.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use clap::Args;
use serde_json::{Value, json};
use sickbay_core::{Judged, Past, Status, judge};

use super::client::OutputFormat;
use super::probe::{self, Probe};
use super::table::{Last, Layout, table};
use crate::escape::escaped;
use crate::failure::Failure;

const RUNS_MAX: u32 = 100_000;
/// The first runs find caches cold.
const WARM_UP_RUNS: u32 = 5;
const WARM_UP_TIME_MAX: Duration = Duration::from_secs(2);
/// A series that takes longer ends with the runs that it has.
const SERIES_TIME_MAX: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct BenchArgs {
    /// The .wasm file of a plugin
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Run the plugin as this check of the configuration: with its `config`, grants and limits
    #[arg(long, value_name = "NAME", conflicts_with = "kind")]
    check: Option<String>,
    /// The configuration that has the check
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// The kind to run with its own example and no grants, where the plugin has several
    #[arg(long)]
    kind: Option<String>,
    /// How many runs there are on each sort of instance
    #[arg(long, default_value_t = 200, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(RUNS_MAX)))]
    runs: u32,
    /// Text for people, or JSON
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
    /// The same as `-o json`
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

pub fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    // As the daemon has it: a run stays on one thread.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(async {
        let probe = match &args.check {
            Some(name) => probe::of_configuration(&args.config, name, Some(&args.file)).await?,
            None => probe::of_file(&args.file, args.kind.as_deref()).await?,
        };
        let fresh = series(&probe, Instance::Fresh, args.runs).await?;
        let warm = series(&probe, Instance::Warm, args.runs).await?;
        let bench = Bench { check: args.check.as_deref(), probe: &probe, fresh, warm };
        let is_json = args.json || args.output == OutputFormat::Json;
        anyhow::Ok(if is_json { format!("{:#}\n", bench.json()) } else { bench.text(Layout::for_stdout(Last::Cut)) })
    })?;
    super::print_data(told.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What a run begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instance {
    Fresh,
    /// The one that the run before left.
    Warm,
}

/// What the runs on one sort of instance took and used.
#[derive(Debug, Default)]
struct Series {
    wall_us: Vec<f64>,
    cpu_us: Vec<f64>,
    /// The most of one run, as the numbers below.
    memory_bytes: u64,
    host_calls: u32,
    bytes_out: u64,
    bytes_in: u64,
    statuses: BTreeMap<&'static str, u32>,
    /// Why the last run that was not ok was not.
    told: Option<String>,
}

/// No runs are counted where no instance can be kept.
async fn series(probe: &Probe, instance: Instance, runs: u32) -> anyhow::Result<Series> {
    let mut series = Series::default();
    let mut kept = None;
    let began = Instant::now();
    for number in 0..WARM_UP_RUNS.saturating_add(runs) {
        if began.elapsed() > SERIES_TIME_MAX && !series.wall_us.is_empty() {
            break;
        }
        let is_warm_up = number == 0 || (number < WARM_UP_RUNS && began.elapsed() < WARM_UP_TIME_MAX);
        if instance == Instance::Warm && kept.is_none() && !is_warm_up {
            // What was not kept until now is not kept.
            break;
        }
        let run_began = Instant::now();
        let (outcome, left) = probe.run_on(kept).await.map_err(|error| Failure::new(error.to_string()))?;
        let wall = run_began.elapsed();
        kept = left.filter(|_| instance == Instance::Warm);
        if !is_warm_up {
            let secrets = outcome.lent.secrets().clone();
            let Judged { judgement, .. } = judge(secrets.mask_finding(outcome.finding), &probe.rules, Past::default());
            let usage = outcome.usage;
            let calls = outcome.lent.finish();
            series.wall_us.push(wall.as_secs_f64() * 1e6);
            series.cpu_us.push(usage.cpu_us as f64);
            series.memory_bytes = series.memory_bytes.max(usage.memory_bytes);
            series.host_calls = series.host_calls.max(calls.host_calls);
            series.bytes_out = series.bytes_out.max(calls.bytes_out);
            series.bytes_in = series.bytes_in.max(calls.bytes_in);
            *series.statuses.entry(judgement.status.as_str()).or_default() += 1;
            if judgement.status != Status::Ok {
                series.told = Some(judgement.told());
            }
        }
    }
    series.wall_us.sort_by(f64::total_cmp);
    series.cpu_us.sort_by(f64::total_cmp);
    Ok(series)
}

/// Of values that are sorted, the one that `percent` of them do not pass. None where there is no value.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

struct Bench<'a> {
    /// The check that was run; else the example.
    check: Option<&'a str>,
    probe: &'a Probe,
    fresh: Series,
    warm: Series,
}

impl Bench<'_> {
    fn json(&self) -> Value {
        let plugin = &self.probe.plugin;
        json!({
            "plugin": &*plugin.name,
            "version": plugin.descriptor.version,
            "sha256": plugin.sha256,
            "size_bytes": plugin.size_bytes,
            "kind": self.probe.kind,
            "check": self.check,
            "fresh": self.fresh.json(),
            "warm": if self.warm.wall_us.is_empty() { Value::Null } else { self.warm.json() },
        })
    }

    fn text(&self, layout: Layout) -> String {
        let plugin = &self.probe.plugin;
        let what = match self.check {
            Some(check) => format!("the check `{check}`"),
            None => "the kind's example, without grants".to_owned(),
        };
        let title = format!("{} {} ({}), kind {}: {what}", plugin.name, plugin.descriptor.version, &plugin.sha256[..12], self.probe.kind);
        let mut rows = vec![["INSTANCE", "RUNS", "P50", "P99", "CPU P50", "CPU P99", "MEMORY"].map(str::to_owned)];
        rows.extend([self.fresh.row("fresh"), self.warm.row("warm")]);
        let mut text = format!("{}\n\n{}\n", escaped(&title), table(&rows, layout, |_, _| None));
        let fresh = &self.fresh;
        text.push_str(&format!(
            "a run makes at most {} host calls, sends {} and receives {}\n",
            fresh.host_calls,
            ByteSize(fresh.bytes_out),
            ByteSize(fresh.bytes_in)
        ));
        text.push_str(&format!("the fresh runs were {}\n", fresh.statuses_text()));
        if let Some(told) = &fresh.told {
            text.push_str(&format!("  {}\n", escaped(told)));
            if self.check.is_none() {
                text.push_str("  hint: --check NAME --config FILE runs a check of a configuration, with its grants\n");
            }
        }
        if self.warm.wall_us.is_empty() {
            text.push_str("no instance could be kept: the run fails, or ends with a handle open\n");
        }
        text
    }
}

impl Series {
    fn json(&self) -> Value {
        let of = |sorted: &[f64], percent| percentile(sorted, percent).map(|value| value / 1000.0);
        json!({
            "runs": self.wall_us.len(),
            "p50_ms": of(&self.wall_us, 50),
            "p99_ms": of(&self.wall_us, 99),
            "cpu_p50_ms": of(&self.cpu_us, 50),
            "cpu_p99_ms": of(&self.cpu_us, 99),
            "memory_bytes": self.memory_bytes,
            "host_calls": self.host_calls,
            "bytes_out": self.bytes_out,
            "bytes_in": self.bytes_in,
            "statuses": self.statuses,
            "told": self.told,
        })
    }

    fn row(&self, name: &str) -> [String; 7] {
        let time = |sorted: &[f64], percent| percentile(sorted, percent).map_or_else(|| "-".to_owned(), milliseconds);
        let memory = if self.wall_us.is_empty() { "-".to_owned() } else { ByteSize(self.memory_bytes).to_string() };
        [
            name.to_owned(),
            self.wall_us.len().to_string(),
            time(&self.wall_us, 50),
            time(&self.wall_us, 99),
            time(&self.cpu_us, 50),
            time(&self.cpu_us, 99),
            memory,
        ]
    }

    fn statuses_text(&self) -> String {
        let counts: Vec<String> = self.statuses.iter().map(|(status, count)| format!("{status} ({count})")).collect();
        counts.join(", ")
    }
}

/// Of microseconds.
fn milliseconds(us: f64) -> String {
    format!("{:.3} ms", us / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (Some(100.0), Some(198.0)));
        assert_eq!((percentile(&[7.0], 50), percentile(&[7.0], 99)), (Some(7.0), Some(7.0)));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_series_is_told_in_milliseconds_and_one_without_runs_in_dashes() {
        let series = Series { wall_us: vec![30.0, 40.0], cpu_us: vec![20.0, 25.0], memory_bytes: 1 << 20, ..Series::default() };
        assert_eq!(series.row("fresh"), ["fresh", "2", "0.030 ms", "0.040 ms", "0.020 ms", "0.025 ms", "1.0 MiB"].map(str::to_owned));
        assert_eq!(Series::default().row("warm"), ["warm", "0", "-", "-", "-", "-", "-"].map(str::to_owned));
        assert_eq!((&series.json()["p50_ms"], &series.json()["runs"]), (&json!(0.03), &json!(2)));
    }

    #[test]
    fn what_the_runs_came_to_is_told() {
        let series = Series { statuses: BTreeMap::from([("ok", 3), ("unknown", 1)]), ..Series::default() };
        assert_eq!(series.statuses_text(), "ok (3), unknown (1)");
    }
}
