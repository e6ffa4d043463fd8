//! What the daemon knows right now, for those who read it: the API, the page, `/metrics`.
//!
//! Who is who: a [`LiveCheck`] is one configured check; its [`CheckMemory`] is what has been observed of it and outlives a change of the
//! configuration; the [`CheckTable`] is all checks and is replaced whole; [`Live`] holds the table beside plugins, store and counters.
//!
//! Invariant: readers never wait for a run. Every lock here is held for a copy, never across an await.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use sickbay_core::{CheckState, Label, Report, Schedule, Status, Timestamp};
use sickbay_runtime::Limits;
use sickbay_store::{Committed, ResultQueue, ResultRecord, Store};
use tokio::sync::broadcast;

use crate::config::{Check, Config};
use crate::daemon::Runner;
use crate::metrics::Metrics;
use crate::plugins::{PluginSlot, Registry};
use crate::transcripts::Transcripts;
use crate::warm::WarmInstances;

/// Events that a slow reader of `/api/v1/events` may lag behind before it is sent to the store for the rest.
pub const EVENTS_BUFFERED_MAX: usize = 4096;

/// How one run counts in `sickbay_check_runs_total`. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    Ok,
    Warning,
    Critical,
    Unknown,
    /// Due, but the run before it was still going on, or the host came too late for it.
    Skipped,
}

impl RunOutcome {
    pub const ALL: [RunOutcome; 5] = [RunOutcome::Ok, RunOutcome::Warning, RunOutcome::Critical, RunOutcome::Unknown, RunOutcome::Skipped];

    pub fn as_str(self) -> &'static str {
        match self {
            RunOutcome::Ok => "ok",
            RunOutcome::Warning => "warning",
            RunOutcome::Critical => "critical",
            RunOutcome::Unknown => "unknown",
            RunOutcome::Skipped => "skipped",
        }
    }
}

impl From<Status> for RunOutcome {
    fn from(status: Status) -> RunOutcome {
        match status {
            Status::Ok => RunOutcome::Ok,
            Status::Warning => RunOutcome::Warning,
            Status::Critical => RunOutcome::Critical,
            Status::Unknown => RunOutcome::Unknown,
        }
    }
}

/// What has been seen of a check; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub state: CheckState,
    pub last: Option<Arc<ResultRecord>>,
    /// The last report, without its details, and when it was due, as the next run is shown it.
    pub reported: Option<(Timestamp, Arc<Report>)>,
    /// Since the start of the process, in the order of [`RunOutcome::ALL`].
    pub runs: [u64; 5],
}

impl Observed {
    /// Notes the record of a run and the report behind it, where there is one.
    pub fn note(&mut self, record: Arc<ResultRecord>, report: Option<Report>) {
        self.state = record.state.clone();
        self.count(RunOutcome::from(record.status), 1);
        if let Some(report) = report {
            self.reported = Some((record.scheduled_at, Arc::new(report)));
        }
        self.last = Some(record);
    }

    pub fn count(&mut self, outcome: RunOutcome, runs: u64) {
        self.runs[outcome as usize] += runs;
    }
}

/// What is remembered of a check while its configuration comes and goes.
#[derive(Default)]
pub struct CheckMemory {
    /// Held for the length of a run: at most one run of a check at a time.
    pub running: Arc<tokio::sync::Mutex<()>>,
    observed: Mutex<Observed>,
    /// Small values that the plugin keeps between runs (`state` capability).
    pub plugin_state: ArcSwap<BTreeMap<String, Vec<u8>>>,
}

impl CheckMemory {
    pub fn new(observed: Observed, plugin_state: BTreeMap<String, Vec<u8>>) -> CheckMemory {
        CheckMemory { running: Arc::default(), observed: Mutex::new(observed), plugin_state: ArcSwap::from_pointee(plugin_state) }
    }
}

/// One configured check.
pub struct LiveCheck {
    pub name: Arc<str>,
    pub plugin: Arc<str>,
    pub spec: Arc<Check>,
    pub schedule: Schedule,
    pub limits: Limits,
    /// Of the configuration, as guests see them.
    pub labels: Vec<Label>,
    /// The kind that the plugin's version resolves `spec.kind` to; what the configuration says until one is loaded.
    pub kind: ArcSwap<String>,
    pub memory: Arc<CheckMemory>,
}

impl LiveCheck {
    pub fn new(spec: Arc<Check>, limits: Limits, memory: Arc<CheckMemory>) -> LiveCheck {
        LiveCheck {
            name: spec.name.as_str().into(),
            plugin: spec.plugin.as_str().into(),
            schedule: spec.schedule.clone(),
            limits,
            labels: spec.labels.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect(),
            kind: ArcSwap::from_pointee(spec.kind.clone().unwrap_or_default()),
            memory,
            spec,
        }
    }

    pub fn observed(&self) -> Observed {
        self.with(|observed| observed.clone())
    }

    /// Reads or changes what has been observed, under its lock; `change` must not block.
    pub fn with<T>(&self, change: impl FnOnce(&mut Observed) -> T) -> T {
        change(&mut self.memory.observed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All configured checks by name.
#[derive(Default)]
pub struct CheckTable {
    pub by_name: BTreeMap<String, Arc<LiveCheck>>,
}

impl CheckTable {
    pub fn get(&self, name: &str) -> Option<&Arc<LiveCheck>> {
        self.by_name.get(name)
    }
}

/// How the last attempt to read the configuration ended.
#[derive(Clone, Debug)]
pub struct ReloadStatus {
    pub at: Timestamp,
    /// When the configuration in force was read.
    pub loaded_at: Timestamp,
    /// Why it failed, without the lines of the files; the configuration before it stays in force.
    pub error: Option<String>,
}

/// Why Sickbay is not ready, and what to do about it. Names no database: whoever asks may have no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unready {
    pub why: &'static str,
    pub hint: &'static str,
}

impl Unready {
    const LOG: &str = "see the log of `sickbay serve`";

    /// Of a text that may bring its hint.
    fn of(told: &'static str) -> Unready {
        let (why, hint) = told.split_once("; hint: ").unwrap_or((told, Unready::LOG));
        Unready { why, hint }
    }
}

/// The read model of the daemon.
pub struct Live {
    pub store: Arc<dyn Store>,
    pub queue: ResultQueue,
    pub metrics: Metrics,
    pub plugins: Arc<Registry>,
    /// Instances between two runs of their checks.
    pub warm: WarmInstances,
    /// Takes the runs that are recorded.
    pub transcripts: Transcripts,
    pub started_at: Timestamp,
    pub config: ArcSwap<Config>,
    pub reload: ArcSwap<ReloadStatus>,
    checks: ArcSwap<CheckTable>,
    /// Set when the first scan of the plugin folder has finished and checks run.
    pub scanned: AtomicBool,
    pub events: Events,
    /// Runs checks; there from the end of the first scan on.
    pub runner: ArcSwapOption<Runner>,
}

/// Results in the order in which they were committed, sent after the commit.
#[derive(Clone)]
pub struct Events {
    pub sender: broadcast::Sender<Committed>,
    /// The number of the last committed result.
    pub last_seq: Arc<AtomicU64>,
}

impl Events {
    pub fn new(last_seq: u64) -> Events {
        Events { sender: broadcast::channel(EVENTS_BUFFERED_MAX).0, last_seq: Arc::new(AtomicU64::new(last_seq)) }
    }

    pub fn publish(&self, written: &[Committed]) {
        if let Some(last) = written.last() {
            self.last_seq.store(last.seq, Ordering::Release);
        }
        if self.sender.receiver_count() == 0 {
            return;
        }
        for committed in written {
            // Fails only when the last reader has just left.
            let _ = self.sender.send(committed.clone());
        }
    }
}

impl Live {
    pub fn new(
        store: Arc<dyn Store>,
        queue: ResultQueue,
        events: Events,
        plugins: Arc<Registry>,
        config: Arc<Config>,
        now: Timestamp,
    ) -> Live {
        Live {
            store,
            queue,
            metrics: Metrics::new(),
            plugins,
            warm: WarmInstances::default(),
            transcripts: Transcripts::new(config.transcripts.clone()),
            started_at: now,
            config: ArcSwap::from(config),
            reload: ArcSwap::from_pointee(ReloadStatus { at: now, loaded_at: now, error: None }),
            checks: ArcSwap::default(),
            scanned: AtomicBool::new(false),
            events,
            runner: ArcSwapOption::empty(),
        }
    }

    pub fn checks(&self) -> Arc<CheckTable> {
        self.checks.load_full()
    }

    /// Instances that were kept for a check as it was configured before are dropped.
    pub fn replace_checks(&self, table: CheckTable) {
        let checks = Arc::new(table);
        self.checks.store(Arc::clone(&checks));
        self.warm.keep_only(|name, purpose| checks.get(name).is_some_and(|check| purpose.suits(check)));
    }

    pub fn plugin(&self, name: &str) -> Option<Arc<PluginSlot>> {
        self.plugins.get(name)
    }

    /// Store up and first scan of the plugin folder finished.
    pub async fn ready(&self) -> Result<(), Unready> {
        if !self.scanned.load(Ordering::Acquire) {
            return Err(Unready::of("the first scan of the plugin folder has not finished"));
        }
        self.store_trouble().await.map_or(Ok(()), Err)
    }

    /// Why the store takes no results, or cannot be read, where it is so.
    pub async fn store_trouble(&self) -> Option<Unready> {
        if let Some(told) = self.queue.trouble() {
            return Some(Unready::of(told));
        }
        self.store.ping().await.err().map(|error| Unready::of(error.brief()))
    }
}
