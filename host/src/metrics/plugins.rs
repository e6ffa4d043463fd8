//! The families about plugins that runs feed: counted in the plugin's slot, written from there.
//!
//! Invariant: every series of a slot is there from its first scrape on, so that its first event is a rise. They go with the slot, and a run
//! that ends after it brings none of them back.
//! Invariant: counting takes no lock and makes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sickbay_capabilities::{Calls, Capability, DenialReason};
use sickbay_core::Quota;

use super::exposition::{Exposition, MetricType};
use crate::live::Live;
use crate::plugins::PluginSlot;

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

/// Why a metric of a report is not exported: label `reason` of `sickbay_metrics_dropped_total`. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Its value is no number; conditions do not see it either.
    NotFinite,
    /// It is behind those that one check can have at `/metrics`.
    TooMany,
}

impl DropReason {
    pub const ALL: [DropReason; 2] = [DropReason::NotFinite, DropReason::TooMany];

    pub fn as_str(self) -> &'static str {
        match self {
            DropReason::NotFinite => "not_finite",
            DropReason::TooMany => "too_many",
        }
    }
}

/// What runs of one plugin came to since its slot was made. Each array is in the order of its list.
#[derive(Debug, Default)]
pub struct PluginCounts {
    traps: [AtomicU64; TrapReason::ALL.len()],
    quotas: [AtomicU64; Quota::ALL.len()],
    denials: [[AtomicU64; DenialReason::ALL.len()]; Capability::ALL.len()],
    calls: [AtomicU64; Capability::ALL.len()],
    metrics_dropped: [AtomicU64; DropReason::ALL.len()],
    overloaded: AtomicU64,
}

fn add(count: &AtomicU64, more: u64) {
    if more > 0 {
        count.fetch_add(more, Ordering::Relaxed);
    }
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

impl PluginCounts {
    pub fn trap(&self, reason: TrapReason) {
        add(&self.traps[reason as usize], 1);
    }

    pub fn quota_exceeded(&self, quota: Quota) {
        add(&self.quotas[quota as usize], 1);
    }

    pub fn egress_denied(&self, capability: Capability, reason: DenialReason) {
        add(&self.denials[capability as usize][reason as usize], 1);
    }

    /// Those of one run, once it is over.
    pub fn called(&self, calls: &Calls) {
        for (count, more) in self.calls.iter().zip(calls) {
            add(count, (*more).into());
        }
    }

    pub fn metrics_dropped(&self, reason: DropReason, metrics: u64) {
        add(&self.metrics_dropped[reason as usize], metrics);
    }

    /// A run that never began: no permit or no instance came free in time.
    pub fn overloaded(&self) {
        add(&self.overloaded, 1);
    }

    /// Calls of the host by capability.
    pub fn calls(&self) -> impl Iterator<Item = (Capability, u64)> {
        Capability::ALL.into_iter().zip(self.calls.iter().map(read))
    }
}

/// About as many bytes as [`write`] will write.
pub fn text_bytes(live: &Live) -> usize {
    const PER_PLUGIN_BYTES: usize = 6 << 10;
    live.plugins.all().len() * PER_PLUGIN_BYTES
}

/// Writes the families, one pass each.
pub fn write(out: &mut Exposition, live: &Live) {
    let slots = live.plugins.all();
    if slots.is_empty() {
        return;
    }
    quarantined(out, &slots);
    traps(out, &slots);
    quotas(out, &slots);
    denials(out, &slots);
    calls(out, &slots);
    metrics_dropped(out, &slots);
    overloaded(out, &slots);
}

fn quarantined(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_plugin_quarantined";
    out.family(NAME, MetricType::Gauge, "1 while a newer version waits until what it asks for is granted, else 0.");
    for slot in slots {
        out.series(NAME).label("plugin", &slot.name).integer(slot.quarantined().is_some().into());
    }
}

fn traps(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_plugin_traps_total";
    out.family(NAME, MetricType::Counter, "Runs without a usable answer of the guest, by reason: trap, deadline, invalid_report.");
    for slot in slots {
        for (reason, count) in TrapReason::ALL.iter().zip(&slot.counts.traps) {
            out.series(NAME).label("plugin", &slot.name).label("reason", reason.as_str()).integer(read(count));
        }
    }
}

fn quotas(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_quota_exceeded_total";
    const HELP: &str =
        "Bounds of a run that were reached, by quota: cpu_ms, memory_bytes, host_calls, bytes_in, bytes_out, rows, log_bytes.";
    out.family(NAME, MetricType::Counter, HELP);
    for slot in slots {
        for (quota, count) in Quota::ALL.iter().zip(&slot.counts.quotas) {
            out.series(NAME).label("plugin", &slot.name).label("quota", quota.as_str()).integer(read(count));
        }
    }
}

fn denials(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_egress_denied_total";
    out.family(NAME, MetricType::Counter, "Uses of a capability that were denied, by capability and reason.");
    for slot in slots {
        // What every run has is denied to none.
        let denied = Capability::ALL.iter().zip(&slot.counts.denials).filter(|(capability, _)| **capability != Capability::State);
        for (capability, reasons) in denied {
            for (reason, count) in DenialReason::ALL.iter().zip(reasons) {
                let series = out.series(NAME).label("plugin", &slot.name).label("capability", capability.as_str());
                series.label("reason", reason.as_str()).integer(read(count));
            }
        }
    }
}

fn calls(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_capability_calls_total";
    const HELP: &str = "Calls of the host by runs that are over, by capability: http, postgres, redis, net, secrets, files, system, state.";
    out.family(NAME, MetricType::Counter, HELP);
    for slot in slots {
        for (capability, count) in slot.counts.calls() {
            out.series(NAME).label("plugin", &slot.name).label("capability", capability.as_str()).integer(count);
        }
    }
}

fn metrics_dropped(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_metrics_dropped_total";
    out.family(NAME, MetricType::Counter, "Metrics of reports that were not exported, by reason: not_finite, too_many.");
    for slot in slots {
        for (reason, count) in DropReason::ALL.iter().zip(&slot.counts.metrics_dropped) {
            out.series(NAME).label("plugin", &slot.name).label("reason", reason.as_str()).integer(read(count));
        }
    }
}

fn overloaded(out: &mut Exposition, slots: &[Arc<PluginSlot>]) {
    const NAME: &str = "sickbay_overloaded_total";
    out.family(NAME, MetricType::Counter, "Runs that never began, since no permit or instance came free in time.");
    for slot in slots {
        out.series(NAME).label("plugin", &slot.name).integer(read(&slot.counts.overloaded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{Host, get};

    async fn scrape(host: &Host) -> String {
        String::from_utf8(host.ask(get("/metrics")).await.body).unwrap()
    }

    #[test]
    fn the_closed_lists_are_in_the_order_by_which_counts_are_kept() {
        assert!(TrapReason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
        assert!(DropReason::ALL.iter().enumerate().all(|(index, reason)| *reason as usize == index));
        assert!(Quota::ALL.iter().enumerate().all(|(index, quota)| *quota as usize == index));
    }

    #[tokio::test]
    async fn every_series_of_a_plugin_is_there_before_its_first_event_and_goes_with_it() {
        let host = Host::start("").await;
        for plugin in ["http", "system"] {
            host.live.plugins.slot(plugin, 1);
        }
        let text = scrape(&host).await;
        for series in [
            "sickbay_plugin_quarantined{plugin=\"http\"}",
            "sickbay_plugin_traps_total{plugin=\"http\",reason=\"invalid_report\"}",
            "sickbay_quota_exceeded_total{plugin=\"http\",quota=\"rows\"}",
            "sickbay_egress_denied_total{plugin=\"http\",capability=\"system\",reason=\"not_granted\"}",
            "sickbay_capability_calls_total{plugin=\"http\",capability=\"state\"}",
            "sickbay_metrics_dropped_total{plugin=\"http\",reason=\"too_many\"}",
            "sickbay_overloaded_total{plugin=\"http\"}",
        ] {
            assert!(text.contains(&format!("\n{series} 0\n")), "{series}: {text}");
        }
        let slot = host.live.plugins.get("http").unwrap();
        host.live.plugins.remove("http");
        // A run that ends only now.
        slot.counts.overloaded();
        let text = scrape(&host).await;
        assert!(!text.contains("plugin=\"http\"") && text.contains("sickbay_overloaded_total{plugin=\"system\"} 0\n"), "{text}");
    }

    #[tokio::test]
    async fn what_is_counted_is_in_its_own_series_and_in_no_other() {
        let host = Host::start("").await;
        let slot = host.live.plugins.slot("http", 1);
        slot.counts.trap(TrapReason::Deadline);
        slot.counts.quota_exceeded(Quota::BytesOut);
        slot.counts.egress_denied(Capability::Net, DenialReason::Redirect);
        slot.counts.called(&[3, 0, 0, 0, 0, 0, 0, 2]);
        slot.counts.called(&[1, 0, 0, 0, 0, 0, 0, 0]);
        slot.counts.metrics_dropped(DropReason::TooMany, 7);
        slot.counts.overloaded();
        let text = scrape(&host).await;
        let counted: Vec<&str> = text.lines().filter(|line| line.contains("plugin=\"http\"") && !line.ends_with(" 0")).collect();
        assert_eq!(
            counted,
            [
                r#"sickbay_plugin_traps_total{plugin="http",reason="deadline"} 1"#,
                r#"sickbay_quota_exceeded_total{plugin="http",quota="bytes_out"} 1"#,
                r#"sickbay_egress_denied_total{plugin="http",capability="net",reason="redirect"} 1"#,
                r#"sickbay_capability_calls_total{plugin="http",capability="http"} 4"#,
                r#"sickbay_capability_calls_total{plugin="http",capability="state"} 2"#,
                r#"sickbay_metrics_dropped_total{plugin="http",reason="too_many"} 7"#,
                r#"sickbay_overloaded_total{plugin="http"} 1"#,
            ]
        );
        let detail = host.ask(get("/api/v1/plugins/http")).await.json();
        assert_eq!((&detail["capability_calls"]["http"], &detail["capability_calls"]["redis"]), (&4.into(), &0.into()), "{detail}");
    }
}
