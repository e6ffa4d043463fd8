//! The plugins that the host knows, by name: the version that serves, and why the last one offered does not.
//!
//! Invariant: a slot's version is replaced by one that was loaded whole, never by a failure. Runs hold their own `Arc` of the version that
//! they began with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;
use sickbay_capabilities::{Lent, Usage};
use sickbay_core::Timestamp;
use sickbay_runtime::{Kind, RunUsage};
use tokio::sync::Semaphore;

use crate::config::{Check, KindInfo};

pub type Plugin = sickbay_runtime::Plugin<Lent>;
pub type Sandbox = sickbay_runtime::Sandbox<Lent>;

/// A version that serves.
pub struct Loaded {
    pub plugin: Plugin,
    pub at: Timestamp,
    /// Names of the metrics of each kind of check, as conditions are validated against them.
    metric_names: Vec<Vec<String>>,
}

impl Loaded {
    pub fn new(plugin: Plugin, at: Timestamp) -> Loaded {
        let names = |kind: &Kind| kind.metrics.iter().map(|metric| metric.name.clone()).collect();
        Loaded { metric_names: plugin.descriptor.checks.iter().map(names).collect(), plugin, at }
    }

    /// The kinds of checks as the configuration is judged against them.
    pub fn kinds(&self) -> Vec<KindInfo<'_>> {
        let kinds = self.plugin.descriptor.checks.iter().zip(&self.metric_names);
        kinds.map(|(kind, metrics)| KindInfo { name: &kind.name, config_schema: &kind.config_schema, metrics }).collect()
    }

    /// The kind that a check means: the one it names, or the only one there is.
    pub fn kind_of(&self, check: &Check) -> Result<&str, String> {
        let kinds = &self.plugin.descriptor.checks;
        let known = || kinds.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>().join(", ");
        match &check.kind {
            Some(name) => kinds
                .iter()
                .find(|kind| &kind.name == name)
                .map(|kind| kind.name.as_str())
                .ok_or_else(|| format!("the plugin `{}` has no kind `{name}`; hint: it has {}", check.plugin, known())),
            None => match kinds.as_slice() {
                [only] => Ok(&only.name),
                _ => Err(format!("the plugin `{}` has several kinds; hint: name one with `kind`: {}", check.plugin, known())),
            },
        }
    }
}

/// Why the last file offered for a slot is not its version.
#[derive(Clone, Debug, Serialize)]
pub struct LoadFailure {
    pub at: Timestamp,
    pub message: String,
    pub hint: Option<String>,
    pub sha256: Option<String>,
}

/// The most that one run of a plugin used, since the start of the process.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct PeakUsage {
    pub cpu_ms: u64,
    pub memory_bytes: u64,
    pub host_calls: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub rows: u64,
    pub log_bytes: u64,
}

/// One plugin by name.
pub struct PluginSlot {
    pub name: String,
    current: ArcSwapOption<Loaded>,
    last_error: ArcSwapOption<LoadFailure>,
    /// Runs at once; replaced when the configuration changes the number.
    permits: ArcSwap<Permits>,
    peak: Mutex<PeakUsage>,
    versions_loaded: AtomicU64,
}

pub struct Permits {
    pub semaphore: Arc<Semaphore>,
    concurrency: u32,
}

impl Permits {
    fn new(concurrency: u32) -> Permits {
        Permits { semaphore: Arc::new(Semaphore::new(concurrency as usize)), concurrency }
    }
}

impl PluginSlot {
    fn new(name: &str, concurrency: u32) -> PluginSlot {
        PluginSlot {
            name: name.to_owned(),
            current: ArcSwapOption::empty(),
            last_error: ArcSwapOption::empty(),
            permits: ArcSwap::from_pointee(Permits::new(concurrency)),
            peak: Mutex::default(),
            versions_loaded: AtomicU64::new(0),
        }
    }

    pub fn current(&self) -> Option<Arc<Loaded>> {
        self.current.load_full()
    }

    pub fn last_error(&self) -> Option<Arc<LoadFailure>> {
        self.last_error.load_full()
    }

    pub fn permits(&self) -> Arc<Semaphore> {
        Arc::clone(&self.permits.load().semaphore)
    }

    pub fn peak(&self) -> PeakUsage {
        *self.peak.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn versions_loaded(&self) -> u64 {
        self.versions_loaded.load(Ordering::Relaxed)
    }

    /// From now on runs begin on this version.
    pub fn swap(&self, loaded: Loaded) {
        self.versions_loaded.fetch_add(1, Ordering::Relaxed);
        self.last_error.store(None);
        self.current.store(Some(Arc::new(loaded)));
    }

    pub fn refuse(&self, failure: LoadFailure) {
        self.last_error.store(Some(Arc::new(failure)));
    }

    pub fn clear_error(&self) {
        self.last_error.store(None);
    }

    /// The file is gone: checks of this plugin cannot run.
    pub fn unload(&self) {
        self.current.store(None);
        self.last_error.store(None);
    }

    pub fn used(&self, run: &RunUsage, calls: &Usage) {
        let mut peak = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        peak.cpu_ms = peak.cpu_ms.max(run.cpu_us.div_ceil(1000));
        peak.memory_bytes = peak.memory_bytes.max(run.memory_bytes);
        peak.host_calls = peak.host_calls.max(calls.host_calls.into());
        peak.bytes_in = peak.bytes_in.max(calls.bytes_in);
        peak.bytes_out = peak.bytes_out.max(calls.bytes_out);
        peak.log_bytes = peak.log_bytes.max(calls.log_bytes);
    }
}

/// All slots: of plugins in the folder and of plugins that a check names.
#[derive(Default)]
pub struct Registry {
    slots: ArcSwap<BTreeMap<String, Arc<PluginSlot>>>,
}

impl Registry {
    pub fn get(&self, name: &str) -> Option<Arc<PluginSlot>> {
        self.slots.load().get(name).cloned()
    }

    /// By name.
    pub fn all(&self) -> Vec<Arc<PluginSlot>> {
        self.slots.load().values().cloned().collect()
    }

    /// The slot of `name`, made where there is none, with room for `concurrency` runs.
    pub fn slot(&self, name: &str, concurrency: u32) -> Arc<PluginSlot> {
        if let Some(slot) = self.get(name) {
            if slot.permits.load().concurrency != concurrency {
                slot.permits.store(Arc::new(Permits::new(concurrency)));
            }
            return slot;
        }
        let slot = Arc::new(PluginSlot::new(name, concurrency));
        self.slots.rcu(|slots| {
            let mut slots = BTreeMap::clone(slots);
            slots.entry(name.to_owned()).or_insert_with(|| Arc::clone(&slot));
            slots
        });
        self.get(name).unwrap_or(slot)
    }

    pub fn remove(&self, name: &str) {
        self.slots.rcu(|slots| {
            let mut slots = BTreeMap::clone(slots);
            slots.remove(name);
            slots
        });
    }
}
