//! What Sickbay counts of itself and exports at `/metrics`, in the Prometheus text format.
//!
//! Who is who: [`Metrics`] holds the counters and histograms that the daemon feeds; [`checks`] writes the families that have one
//! series or more per check straight from the live state, [`slos`] those of objectives, [`alerts`] those about alerts; [`process`] reads what the kernel knows of this
//! process; [`exposition`] is the writer that all of them use.
//!
//! How: what is per check is not counted twice. A counter per check here would double the memory of 10,000 checks and could disagree
//! with the API, so those families are written from [`Live`] in one pass each.
//!
//! Limits: labels are names of checks, plugins, kinds and objectives, and words of closed lists. Never a URL, an error text or anything that a
//! guest invents without a cap ([`checks::SERIES_PER_CHECK_MAX`]).
//!
//! Invariant: this module and its children are the only place where the name of a metric is written.

pub mod alerts;
pub mod checks;
pub mod exposition;
pub mod process;
pub mod slos;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};
use sickbay_capabilities::{Capability, DenialReason};
use sickbay_core::Quota;

use self::exposition::{Exposition, MetricType};
use crate::clock;
use crate::live::Live;

/// The media type of what [`Metrics::render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// From a no-op in a warm sandbox to the longest timeout that makes sense for a check.
const DURATION_BUCKETS_SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Fine around the promise (100 ms at the 99th percentile), coarse where the host is in trouble anyway.
const LATENESS_BUCKETS_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// How an attempt to load a plugin ended: label `outcome` of `sickbay_plugin_loads_total`. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadOutcome {
    /// A new version serves from now on.
    Loaded,
    /// The content is what serves already.
    Unchanged,
    /// It waits until what it asks for is granted; the version before it serves on.
    Quarantined,
    /// Refused; the version before it, where there is one, serves on.
    Rejected,
    /// The file is gone.
    Removed,
}

impl LoadOutcome {
    pub const ALL: [LoadOutcome; 5] =
        [LoadOutcome::Loaded, LoadOutcome::Unchanged, LoadOutcome::Quarantined, LoadOutcome::Rejected, LoadOutcome::Removed];

    pub fn as_str(self) -> &'static str {
        match self {
            LoadOutcome::Loaded => "loaded",
            LoadOutcome::Unchanged => "unchanged",
            LoadOutcome::Quarantined => "quarantined",
            LoadOutcome::Rejected => "rejected",
            LoadOutcome::Removed => "removed",
        }
    }
}

/// Why a run ended without a usable answer of the guest: label `reason` of `sickbay_plugin_traps_total`. A closed list.
/// Exhausted quotas have a family of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrapReason {
    /// The guest stopped itself or broke a rule of the sandbox.
    Trap,
    /// The run's deadline passed inside the guest.
    Deadline,
    /// The report broke a bound of the contract.
    InvalidReport,
}

impl TrapReason {
    pub const ALL: [TrapReason; 3] = [TrapReason::Trap, TrapReason::Deadline, TrapReason::InvalidReport];

    pub fn as_str(self) -> &'static str {
        match self {
            TrapReason::Trap => "trap",
            TrapReason::Deadline => "deadline",
            TrapReason::InvalidReport => "invalid_report",
        }
    }
}

/// Why a request was not let in: label `reason` of `sickbay_api_denied_total`. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedReason {
    /// It is for another host, comes from a foreign page, or says so in a way that cannot be read.
    Foreign,
    /// It has no token.
    Missing,
    /// Its token is nobody's.
    Unknown,
    /// So is this one, and too many before it from the same address were.
    TooMany,
    /// Its token does not allow it.
    Role,
}

impl DeniedReason {
    pub const ALL: [DeniedReason; 5] =
        [DeniedReason::Foreign, DeniedReason::Missing, DeniedReason::Unknown, DeniedReason::TooMany, DeniedReason::Role];

    pub fn as_str(self) -> &'static str {
        match self {
            DeniedReason::Foreign => "foreign",
            DeniedReason::Missing => "missing",
            DeniedReason::Unknown => "unknown",
            DeniedReason::TooMany => "too_many",
            DeniedReason::Role => "role",
        }
    }
}

/// The counters of the process; cheap to clone, all clones are one.
#[derive(Clone)]
pub struct Metrics {
    families: Arc<Families>,
}

struct Families {
    registry: Registry,
    check_duration: HistogramVec,
    lateness: Histogram,
    plugin_loads: IntCounterVec,
    plugin_traps: IntCounterVec,
    quota_exceeded: IntCounterVec,
    egress_denied: IntCounterVec,
    api_denied: IntCounterVec,
    reload_successful: IntGauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Counters at zero; the configuration counts as read, for nothing starts without one.
    pub fn new() -> Metrics {
        let registry = Registry::new();
        let families = Families {
            check_duration: histograms(
                &registry,
                "sickbay_check_duration_seconds",
                "Wall time of runs of checks, from the instance to the validated answer.",
                &["plugin", "kind"],
                &DURATION_BUCKETS_SECONDS,
            ),
            lateness: histogram(
                &registry,
                "sickbay_schedule_lateness_seconds",
                "Time from when a run was due to when it began.",
                &LATENESS_BUCKETS_SECONDS,
            ),
            plugin_loads: counters(
                &registry,
                "sickbay_plugin_loads_total",
                "Attempts to load a plugin, by outcome: loaded, unchanged, quarantined, rejected, removed.",
                &["plugin", "outcome"],
            ),
            plugin_traps: counters(
                &registry,
                "sickbay_plugin_traps_total",
                "Runs without a usable answer of the guest, by reason: trap, deadline, invalid_report.",
                &["plugin", "reason"],
            ),
            quota_exceeded: counters(
                &registry,
                "sickbay_quota_exceeded_total",
                "Bounds of a run that were reached, by quota: cpu_ms, memory_bytes, host_calls, bytes_in, bytes_out, rows, log_bytes.",
                &["plugin", "quota"],
            ),
            egress_denied: counters(
                &registry,
                "sickbay_egress_denied_total",
                "Uses of a capability that were denied, by capability and reason.",
                &["plugin", "capability", "reason"],
            ),
            api_denied: counters(
                &registry,
                "sickbay_api_denied_total",
                "Requests that were not let in, by reason: foreign, missing, unknown, too_many, role.",
                &["reason"],
            ),
            reload_successful: gauge(
                &registry,
                "sickbay_config_last_reload_successful",
                "1 when the last attempt to read the configuration succeeded, else 0.",
            ),
            registry,
        };
        families.reload_successful.set(1);
        // From the beginning, so that the first one is a rise.
        for reason in DeniedReason::ALL {
            families.api_denied.with_label_values(&[reason.as_str()]);
        }
        Metrics { families: Arc::new(families) }
    }

    pub fn run_finished(&self, plugin: &str, kind: &str, duration: Duration) {
        self.families.check_duration.with_label_values(&[plugin, kind]).observe(duration.as_secs_f64());
    }

    /// How late a scheduled run began.
    pub fn lateness(&self, lateness: Duration) {
        self.families.lateness.observe(lateness.as_secs_f64());
    }

    pub fn plugin_load(&self, plugin: &str, outcome: LoadOutcome) {
        self.families.plugin_loads.with_label_values(&[plugin, outcome.as_str()]).inc();
    }

    pub fn plugin_trap(&self, plugin: &str, reason: TrapReason) {
        self.families.plugin_traps.with_label_values(&[plugin, reason.as_str()]).inc();
    }

    pub fn quota_exceeded(&self, plugin: &str, quota: Quota) {
        self.families.quota_exceeded.with_label_values(&[plugin, quota.as_str()]).inc();
    }

    pub fn egress_denied(&self, plugin: &str, capability: Capability, reason: DenialReason) {
        self.families.egress_denied.with_label_values(&[plugin, capability.as_str(), reason.as_str()]).inc();
    }

    pub fn api_denied(&self, reason: DeniedReason) {
        self.families.api_denied.with_label_values(&[reason.as_str()]).inc();
    }

    /// How the last attempt to read the configuration ended.
    pub fn config_reload(&self, succeeded: bool) {
        self.families.reload_successful.set(i64::from(succeeded));
    }

    /// Drops every series of a plugin that is neither in the folder nor in the configuration any more.
    pub fn forget_plugin(&self, plugin: &str) {
        forget(&self.families.check_duration, plugin);
        forget(&self.families.plugin_loads, plugin);
        forget(&self.families.plugin_traps, plugin);
        forget(&self.families.quota_exceeded, plugin);
        forget(&self.families.egress_denied, plugin);
    }

    /// Everything in the text format. With 10,000 checks it takes tens of milliseconds of CPU: call it off the async threads.
    pub fn render(&self, live: &Live) -> String {
        let observed = checks::snapshot(live);
        let mut out = Exposition::with_capacity(checks::text_bytes(&observed) + 16 * 1024);
        build_info(&mut out);
        daemon(&mut out, live);
        plugins(&mut out, live);
        process::write(&mut out, live.started_at);
        alerts::write(&mut out, live, clock::now());
        checks::write(&mut out, &observed);
        slos::write(&mut out, live);
        let mut text = out.into_text();
        // Fails only for a family without a name or without series, and the registry gathers none of these.
        if let Err(error) = TextEncoder::new().encode_utf8(&self.families.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics of the process could not be written");
        }
        text
    }
}

fn build_info(out: &mut Exposition) {
    const NAME: &str = "sickbay_build_info";
    out.family(NAME, MetricType::Gauge, "Always 1; the versions are in the labels.");
    out.series(NAME)
        .label("version", env!("CARGO_PKG_VERSION"))
        .label("rust", option_env!("SICKBAY_RUSTC_VERSION").unwrap_or_default())
        .label("wasmtime", sickbay_runtime::ENGINE.strip_prefix("wasmtime ").unwrap_or(sickbay_runtime::ENGINE))
        .integer(1);
}

fn daemon(out: &mut Exposition, live: &Live) {
    const IN_FLIGHT: &str = "sickbay_runs_in_flight";
    out.family(IN_FLIGHT, MetricType::Gauge, "Runs that hold a permit: they compute, or wait for what they asked.");
    let in_flight = live.runner.load_full().map_or(0, |runner| runner.runs_in_flight());
    out.series(IN_FLIGHT).integer(in_flight as u64);
    const WARM: &str = "sickbay_warm_instances";
    out.family(WARM, MetricType::Gauge, "Instances that are kept for the next run of their check.");
    out.series(WARM).integer(live.warm.len() as u64);
    const PENDING: &str = "sickbay_store_pending_results";
    out.family(PENDING, MetricType::Gauge, "Results in the queue to the store that are not committed yet.");
    out.series(PENDING).integer(live.queue.pending() as u64);
    const COMMITTED: &str = "sickbay_store_last_sequence_number";
    out.family(COMMITTED, MetricType::Gauge, "The highest number that was committed, of a result or of what happened to an incident.");
    out.series(COMMITTED).integer(live.events.last_seq.load(Ordering::Relaxed));
}

fn plugins(out: &mut Exposition, live: &Live) {
    const QUARANTINED: &str = "sickbay_plugin_quarantined";
    let slots = live.plugins.all();
    if slots.is_empty() {
        return;
    }
    out.family(QUARANTINED, MetricType::Gauge, "1 while a newer version waits until what it asks for is granted, else 0.");
    for slot in slots {
        out.series(QUARANTINED).label("plugin", &slot.name).integer(slot.quarantined().is_some().into());
    }
}

/// Removes every series whose label `plugin` has this value.
fn forget<T: MetricVecBuilder>(family: &MetricVec<T>, plugin: &str) {
    for collected in family.collect() {
        for metric in collected.get_metric() {
            let labels: HashMap<&str, &str> = metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
            if labels.get("plugin") == Some(&plugin) {
                // An error says that the series is gone already, which is what is wanted.
                let _ = family.remove(&labels);
            }
        }
    }
}

/// Names, labels and buckets are constants of this file, so a refusal is a mistake in it that every test run meets.
const CONSTANT: &str = "name, labels and buckets of a metric are valid constants";

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let family = IntCounterVec::new(Opts::new(name, help), labels).expect(CONSTANT);
    registry.register(Box::new(family.clone())).expect(CONSTANT);
    family
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let family = IntGauge::new(name, help).expect(CONSTANT);
    registry.register(Box::new(family.clone())).expect(CONSTANT);
    family
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let family = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())).expect(CONSTANT);
    registry.register(Box::new(family.clone())).expect(CONSTANT);
    family
}

fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    let family = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels).expect(CONSTANT);
    registry.register(Box::new(family.clone())).expect(CONSTANT);
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: &Metrics) -> String {
        TextEncoder::new().encode_to_string(&metrics.families.registry.gather()).unwrap()
    }

    #[test]
    fn a_forgotten_plugin_leaves_no_series_and_takes_no_other_with_it() {
        let metrics = Metrics::new();
        for plugin in ["http", "system"] {
            metrics.plugin_load(plugin, LoadOutcome::Loaded);
            metrics.plugin_trap(plugin, TrapReason::Deadline);
            metrics.quota_exceeded(plugin, Quota::CpuMs);
            metrics.run_finished(plugin, "kind", Duration::from_millis(3));
        }
        metrics.forget_plugin("http");
        let text = text(&metrics);
        assert!(!text.contains("plugin=\"http\""), "{text}");
        for family in ["plugin_loads_total", "plugin_traps_total", "quota_exceeded_total", "check_duration_seconds_count"] {
            let line = text.lines().find(|line| line.starts_with(&format!("sickbay_{family}{{")) && line.contains("system"));
            assert!(line.is_some_and(|line| line.ends_with(" 1")), "{family}: {text}");
        }
    }

    #[test]
    fn a_failed_reload_shows_as_zero() {
        let metrics = Metrics::new();
        assert!(text(&metrics).contains("sickbay_config_last_reload_successful 1\n"));
        metrics.config_reload(false);
        assert!(text(&metrics).contains("sickbay_config_last_reload_successful 0\n"));
    }

    #[test]
    fn buckets_rise() {
        assert!(DURATION_BUCKETS_SECONDS.is_sorted_by(|a, b| a < b));
        assert!(LATENESS_BUCKETS_SECONDS.is_sorted_by(|a, b| a < b));
    }
}
