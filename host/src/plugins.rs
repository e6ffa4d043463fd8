//! The plugins that the host knows, by name: the version that serves, why the last one offered does not, and the one that waits until what
//! it asks for is granted.
//!
//! Invariant: a slot's version is replaced by one that was loaded whole, never by a failure. Runs hold their own `Arc` of the version that
//! they began with.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;
use sickbay_capabilities::{Lent, Usage};
use sickbay_core::Timestamp;
use sickbay_runtime::{Kind, RunUsage, Sort};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::config::{Diagnostic, KindInfo, PluginJudge, PluginUse};
use crate::metrics::plugins::PluginCounts;
use crate::quarantine::Beyond;

pub type Plugin = sickbay_runtime::Plugin<Lent>;
pub type Sandbox = sickbay_runtime::Sandbox<Lent>;

/// A version that serves.
pub struct Loaded {
    pub plugin: Plugin,
    /// How results name it: the first digits of the file's SHA-256.
    pub version: Arc<str>,
    pub at: Timestamp,
    /// Names of the metrics of each kind of check, as conditions are validated against them.
    metric_names: Vec<Vec<String>>,
}

impl Loaded {
    pub fn new(plugin: Plugin, at: Timestamp) -> Loaded {
        let names = |kind: &Kind| kind.metrics.iter().map(|metric| metric.name.clone()).collect();
        Loaded { version: plugin.sha256[..12].into(), metric_names: plugin.descriptor.checks.iter().map(names).collect(), plugin, at }
    }

    /// The kinds of a sort as the configuration is judged against them.
    pub fn kinds(&self, sort: Sort) -> Vec<KindInfo<'_>> {
        let kinds = self.plugin.descriptor.kinds(sort).iter().enumerate();
        let info = kinds.map(|(index, kind)| KindInfo {
            name: &kind.name,
            config_schema: &kind.config_schema,
            // Checks alone report metrics.
            metrics: self.metric_names.get(index).filter(|_| sort == Sort::Check).map(Vec::as_slice).unwrap_or_default(),
            needs: &kind.needs,
        });
        info.collect()
    }

    /// Whether the kind that a sink means has a use for acknowledgements alone.
    pub fn tells_acknowledgements(&self, used: &PluginUse<'_>) -> bool {
        let kinds = self.plugin.descriptor.kinds(Sort::Sink);
        self.kind_of(used).is_ok_and(|name| kinds.iter().any(|kind| kind.name == name && kind.tells_acknowledgements))
    }

    /// What is wrong with these uses of it.
    pub fn judge(&self, uses: &[PluginUse<'_>]) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for sort in Sort::ALL {
            let uses: Vec<&PluginUse<'_>> = uses.iter().filter(|used| used.sort == sort).collect();
            if !uses.is_empty() {
                let kinds = self.kinds(sort);
                let judge = PluginJudge::new(&self.plugin.name, &kinds);
                found.extend(uses.into_iter().flat_map(|used| judge.judge(used)));
            }
        }
        found
    }

    /// The kind that a use means: the one it names, or the only one of its sort.
    pub fn kind_of(&self, used: &PluginUse<'_>) -> Result<&str, String> {
        let (kinds, plugin, sort) = (self.plugin.descriptor.kinds(used.sort), used.plugin, used.sort.as_str());
        let known = || kinds.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>().join(", ");
        match (used.kind, kinds) {
            (_, []) => Err(format!("the plugin `{plugin}` has no kind of {sort}; hint: name a plugin that has one")),
            (Some(name), _) => kinds
                .iter()
                .find(|kind| kind.name == name)
                .map(|kind| kind.name.as_str())
                .ok_or_else(|| format!("the plugin `{plugin}` has no kind `{name}`; hint: it has {}", known())),
            (None, [only]) => Ok(&only.name),
            (None, _) => Err(format!("the plugin `{plugin}` has several kinds; hint: name one with `kind`: {}", known())),
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

/// A version that asks for more than is granted: it waits, and the one before it goes on serving.
pub struct Quarantined {
    pub loaded: Arc<Loaded>,
    pub since: Timestamp,
    pub beyond: Beyond,
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
    quarantined: ArcSwapOption<Quarantined>,
    /// Held while the version that serves or the one that waits is changed: the folder and the configuration both do.
    changing: Mutex<()>,
    /// Runs at once.
    permits: Permits,
    peak: Mutex<PeakUsage>,
    /// What its runs came to.
    pub counts: PluginCounts,
    versions_loaded: AtomicU64,
}

/// How many runs of a plugin go on at once; the number follows the configuration, and runs under way count against the new one too.
///
/// Invariant: free and held permits, less the debt, are the concurrency; no run begins while there is a debt.
pub struct Permits {
    semaphore: Arc<Semaphore>,
    concurrency: Mutex<u32>,
    /// Permits that were held when the number was lowered: who is given one pays with it.
    debt: AtomicUsize,
}

impl Permits {
    fn new(concurrency: u32) -> Permits {
        Permits {
            semaphore: Arc::new(Semaphore::new(concurrency as usize)),
            concurrency: Mutex::new(concurrency),
            debt: AtomicUsize::new(0),
        }
    }

    pub async fn acquire_owned(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        loop {
            let permit = Arc::clone(&self.semaphore).acquire_owned().await?;
            if self.paid(1) == 0 {
                return Ok(permit);
            }
            permit.forget();
        }
    }

    fn resize(&self, concurrency: u32) {
        let mut before = self.concurrency.lock().unwrap_or_else(PoisonError::into_inner);
        let (less, more) = (before.saturating_sub(concurrency) as usize, concurrency.saturating_sub(*before) as usize);
        *before = concurrency;
        let held = less - self.semaphore.forget_permits(less);
        self.debt.fetch_add(held, Ordering::AcqRel);
        self.semaphore.add_permits(more - self.paid(more));
    }

    /// Pays at most `permits` of the debt; gives how many.
    fn paid(&self, permits: usize) -> usize {
        let before = self.debt.fetch_update(Ordering::AcqRel, Ordering::Acquire, |debt| (debt > 0).then(|| debt.saturating_sub(permits)));
        before.map_or(0, |debt| debt.min(permits))
    }
}

impl PluginSlot {
    fn new(name: &str, concurrency: u32) -> PluginSlot {
        PluginSlot {
            name: name.to_owned(),
            current: ArcSwapOption::empty(),
            last_error: ArcSwapOption::empty(),
            quarantined: ArcSwapOption::empty(),
            changing: Mutex::default(),
            permits: Permits::new(concurrency),
            peak: Mutex::default(),
            counts: PluginCounts::default(),
            versions_loaded: AtomicU64::new(0),
        }
    }

    pub fn current(&self) -> Option<Arc<Loaded>> {
        self.current.load_full()
    }

    pub fn last_error(&self) -> Option<Arc<LoadFailure>> {
        self.last_error.load_full()
    }

    pub fn quarantined(&self) -> Option<Arc<Quarantined>> {
        self.quarantined.load_full()
    }

    pub fn permits(&self) -> &Permits {
        &self.permits
    }

    pub fn peak(&self) -> PeakUsage {
        *self.peak.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn versions_loaded(&self) -> u64 {
        self.versions_loaded.load(Ordering::Relaxed)
    }

    /// From now on runs begin on this version.
    pub fn swap(&self, loaded: impl Into<Arc<Loaded>>) {
        let _changing = self.changing();
        self.serve(loaded.into());
    }

    fn serve(&self, loaded: Arc<Loaded>) {
        self.versions_loaded.fetch_add(1, Ordering::Relaxed);
        self.last_error.store(None);
        self.quarantined.store(None);
        self.current.store(Some(loaded));
    }

    /// The file is not what serves, nor what waits.
    pub fn refuse(&self, failure: LoadFailure) {
        let _changing = self.changing();
        self.quarantined.store(None);
        self.last_error.store(Some(Arc::new(failure)));
    }

    /// Whether the file is what serves already; then nothing else is offered any more.
    pub fn has_again(&self, sha256: &str) -> bool {
        let _changing = self.changing();
        let is_same = self.current().is_some_and(|loaded| loaded.plugin.sha256 == sha256);
        if is_same {
            self.last_error.store(None);
            self.quarantined.store(None);
        }
        is_same
    }

    /// A newer version takes the place of one that waits.
    pub fn quarantine(&self, quarantined: Quarantined) {
        let _changing = self.changing();
        self.last_error.store(None);
        self.quarantined.store(Some(Arc::new(quarantined)));
    }

    /// Judges the version that waits anew, against the one that serves. Where `judge` finds nothing beyond what is granted it serves from
    /// now on, and is given.
    pub fn reconsider(&self, judge: impl FnOnce(&Loaded, &Loaded) -> Option<Beyond>) -> Option<Arc<Loaded>> {
        let _changing = self.changing();
        let (current, waiting) = (self.current()?, self.quarantined()?);
        let loaded = Arc::clone(&waiting.loaded);
        match judge(&current, &loaded) {
            Some(beyond) => {
                self.quarantined.store(Some(Arc::new(Quarantined { loaded, since: waiting.since, beyond })));
                None
            }
            None => {
                self.serve(Arc::clone(&loaded));
                Some(loaded)
            }
        }
    }

    /// The file is gone: checks of this plugin cannot run.
    pub fn unload(&self) {
        let _changing = self.changing();
        self.current.store(None);
        self.last_error.store(None);
        self.quarantined.store(None);
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn used(&self, run: &RunUsage, calls: &Usage) {
        let mut peak = self.peak.lock().unwrap_or_else(PoisonError::into_inner);
        peak.cpu_ms = peak.cpu_ms.max(run.cpu_us.div_ceil(1000));
        peak.memory_bytes = peak.memory_bytes.max(run.memory_bytes);
        peak.host_calls = peak.host_calls.max(calls.host_calls.into());
        peak.bytes_in = peak.bytes_in.max(calls.bytes_in);
        peak.bytes_out = peak.bytes_out.max(calls.bytes_out);
        peak.rows = peak.rows.max(calls.rows.into());
        peak.log_bytes = peak.log_bytes.max(calls.log_bytes);
    }
}

/// All slots: of plugins in the folder and of plugins that a check or a sink names.
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
            slot.permits.resize(concurrency);
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    /// A permit, if one is to be had now.
    fn taken(permits: &Permits) -> Option<OwnedSemaphorePermit> {
        match pin!(permits.acquire_owned()).poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(permit) => permit.ok(),
            std::task::Poll::Pending => None,
        }
    }

    fn all(permits: &Permits) -> Vec<OwnedSemaphorePermit> {
        std::iter::from_fn(|| taken(permits)).collect()
    }

    #[test]
    fn runs_under_way_count_against_a_lowered_concurrency() {
        let permits = Permits::new(5);
        let mut runs = all(&permits);
        assert_eq!(runs.len(), 5);
        permits.resize(2);
        for left in (2..5).rev() {
            runs.pop();
            assert_eq!(runs.len(), left);
            assert!(taken(&permits).is_none(), "{left} runs go on and 2 may");
        }
        runs.pop();
        assert!(taken(&permits).is_some());
        runs.clear();
        assert_eq!(all(&permits).len(), 2);
    }

    #[test]
    fn who_waits_when_the_concurrency_is_lowered_waits_for_the_new_one() {
        let permits = Permits::new(2);
        let mut runs = all(&permits);
        let mut waits = pin!(permits.acquire_owned());
        let mut context = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        permits.resize(1);
        runs.pop();
        assert!(waits.as_mut().poll(&mut context).is_pending(), "one run goes on and one may");
        runs.pop();
        assert!(waits.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn a_raised_concurrency_forgives_what_a_lowered_one_asked_for() {
        let permits = Permits::new(4);
        let runs = all(&permits);
        permits.resize(1);
        permits.resize(3);
        assert!(taken(&permits).is_none());
        permits.resize(6);
        let more = all(&permits);
        assert_eq!(more.len(), 2);
        drop((runs, more));
        assert_eq!(all(&permits).len(), 6);
    }

    #[test]
    fn a_slot_keeps_its_runs_when_its_concurrency_changes() {
        let registry = Registry::default();
        let slot = registry.slot("http", 2);
        let runs = all(slot.permits());
        let again = registry.slot("http", 3);
        assert_eq!(all(again.permits()).len(), 1);
        drop(runs);
        assert_eq!(all(slot.permits()).len(), 3);
    }
}
