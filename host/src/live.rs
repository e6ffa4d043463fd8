//! What the daemon knows right now, for those who read it: the API, the page, `/metrics`.
//!
//! Who is who: a [`LiveCheck`] is one configured check; its [`CheckMemory`] is what has been observed of it and outlives a change of the
//! configuration; the [`CheckTable`] is all checks and is replaced whole; [`Live`] holds the table beside plugins, store and counters.
//!
//! How a check stands towards its parents is worked out here too: at each transition, and for all when the table is replaced.
//!
//! Invariant: readers never wait for a run. Every lock here is held for a copy, never across an await.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use sickbay_core::alerting::AlertingConfig;
use sickbay_core::window::was_critical;
use sickbay_core::{CheckState, Dependencies, Label, Reach, Report, Schedule, Status, Timestamp, Windows};
use sickbay_runtime::Limits;
use sickbay_store::{Committed, ResultQueue, ResultRecord, Store};
use tokio::sync::broadcast;

use crate::alerting::Alerts;
use crate::config::{Check, Config};
use crate::daemon::Runner;
use crate::metrics::Metrics;
use crate::plugins::{PluginSlot, Registry};
use crate::slo::SloTable;
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
    /// The check that is down and makes this one unreachable.
    pub unreachable_by: Option<Arc<str>>,
    /// How many checks are unreachable because of this one.
    pub dependents: usize,
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

/// The last reports of a check, as far as its conditions ask them.
pub struct PastReports {
    pub windows: Windows,
    /// Whether the stored ones are among them.
    pub is_filled: bool,
}

impl PastReports {
    /// Takes what the store has of the check, newest first. Runs that gave no report are none.
    pub fn fill(&mut self, newest_first: &[Committed]) {
        for Committed { record, .. } in newest_first.iter().rev() {
            if record.is_by_report() {
                self.windows.note(record.started_at, &record.metrics);
                self.windows.note_failure(record.started_at, was_critical(record.status, &record.reason));
            }
        }
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
    /// None where no condition asks the past. Each table begins with what the store has.
    pub past: Option<Mutex<PastReports>>,
    /// Of a composite: a look at its members waits for its turn.
    pub is_woken: AtomicBool,
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
            past: Windows::of(&spec.rules).map(|windows| Mutex::new(PastReports { windows, is_filled: false })),
            is_woken: AtomicBool::new(false),
            spec,
        }
    }

    pub fn observed(&self) -> Observed {
        self.with(|observed| observed.clone())
    }

    fn stand(&self, reach: Option<Reach>) {
        let (unreachable_by, dependents) = reach.map_or((None, 0), |reach| (reach.cause, reach.dependents));
        self.with(|observed| (observed.unreachable_by, observed.dependents) = (unreachable_by, dependents));
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
    pub alerts: Alerts,
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
    /// The objectives, which count the results of checks.
    pub slos: ArcSwap<SloTable>,
    /// Of the checks in the table. Locked before what has been observed of a check, never behind it.
    dependencies: Mutex<Dependencies>,
    /// The composites of the table, by the names of their members.
    composites: ArcSwap<BTreeMap<String, Vec<Arc<LiveCheck>>>>,
    /// Set when the first scan of the plugin folder has finished and checks run.
    pub scanned: AtomicBool,
    pub events: Events,
    /// Runs checks; there from the end of the first scan on.
    pub runner: ArcSwapOption<Runner>,
}

/// What a reader of events is told after a commit.
#[derive(Clone)]
pub enum Told {
    Result(Committed),
    /// The store has everything up to this number, which is a document's: incidents change in bursts and are large, so they are read there.
    Stored(u64),
}

impl Told {
    pub fn seq(&self) -> u64 {
        match self {
            Told::Result(committed) => committed.seq,
            Told::Stored(seq) => *seq,
        }
    }
}

/// What was committed, in the order of its numbers.
#[derive(Clone)]
pub struct Events {
    pub sender: broadcast::Sender<Told>,
    /// The last number that was committed.
    pub last_seq: Arc<AtomicU64>,
}

impl Events {
    pub fn new(last_seq: u64) -> Events {
        Events { sender: broadcast::channel(EVENTS_BUFFERED_MAX).0, last_seq: Arc::new(AtomicU64::new(last_seq)) }
    }

    /// `announced` is the highest number of a document of that commit; those of results are lower.
    pub fn publish(&self, written: &[Committed], announced: Option<u64>) {
        if let Some(last) = announced.or_else(|| written.last().map(|last| last.seq)) {
            self.last_seq.store(last, Ordering::Release);
        }
        if self.sender.receiver_count() == 0 {
            return;
        }
        for committed in written {
            // Fails only when the last reader has just left.
            let _ = self.sender.send(Told::Result(committed.clone()));
        }
        if let Some(seq) = announced {
            let _ = self.sender.send(Told::Stored(seq));
        }
    }
}

impl Live {
    pub fn new(
        store: Arc<dyn Store>,
        queue: ResultQueue,
        alerts: Alerts,
        events: Events,
        plugins: Arc<Registry>,
        config: Arc<Config>,
        now: Timestamp,
    ) -> Live {
        Live {
            store,
            queue,
            alerts,
            metrics: Metrics::new(),
            plugins,
            warm: WarmInstances::default(),
            transcripts: Transcripts::new(config.transcripts.clone()),
            started_at: now,
            config: ArcSwap::from(config),
            reload: ArcSwap::from_pointee(ReloadStatus { at: now, loaded_at: now, error: None }),
            checks: ArcSwap::default(),
            slos: ArcSwap::default(),
            dependencies: Mutex::default(),
            composites: ArcSwap::default(),
            scanned: AtomicBool::new(false),
            events,
            runner: ArcSwapOption::empty(),
        }
    }

    pub fn checks(&self) -> Arc<CheckTable> {
        self.checks.load_full()
    }

    /// Who is told of alerts, with what the plugins that serve say of their kinds of sinks, and the maintenance made by the API.
    pub fn alerting_of(&self, config: &Config) -> Arc<AlertingConfig> {
        let written = config.alerting_with(|sink| {
            let loaded = self.plugins.get(&sink.plugin).and_then(|slot| slot.current());
            loaded.is_some_and(|loaded| loaded.tells_acknowledgements(&sink.plugin_use()))
        });
        self.alerts.with_windows(written)
    }

    /// Instances that were kept for a check as it was configured before are dropped.
    pub fn replace_checks(&self, table: CheckTable) {
        let checks = Arc::new(table);
        // Before anybody can run one of them.
        let config = self.config.load_full();
        let alerting = self.alerting_of(&config);
        self.alerts.adopt(config, alerting, Arc::clone(&checks));
        // A plugin may have come while that was decided.
        self.alerts.adopt_kinds(|config| self.alerting_of(config));
        let mut dependencies = self.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        self.checks.store(Arc::clone(&checks));
        *dependencies = dependencies_of(&checks);
        for check in checks.by_name.values() {
            check.stand(dependencies.reach_of(&check.name));
        }
        drop(dependencies);
        self.composites.store(Arc::new(composites_of(&checks)));
        self.warm.keep_only(|name, purpose| checks.get(name).is_some_and(|check| purpose.suits(check)));
    }

    /// Takes a transition of a check, which readers see already: it may reach its children.
    pub fn confirmed(&self, check: &str, hard_status: Status) {
        let mut dependencies = self.dependencies.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = dependencies.confirmed(check, hard_status);
        if changed.is_empty() {
            return;
        }
        let checks = self.checks();
        for reach in changed {
            if let Some(check) = checks.get(&reach.check) {
                check.stand(Some(reach));
            }
        }
    }

    /// The composites that a check is part of.
    pub fn composites_of(&self, member: &str) -> Vec<Arc<LiveCheck>> {
        self.composites.load().get(member).cloned().unwrap_or_default()
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

fn composites_of(checks: &CheckTable) -> BTreeMap<String, Vec<Arc<LiveCheck>>> {
    let mut composites: BTreeMap<String, Vec<Arc<LiveCheck>>> = BTreeMap::new();
    for check in checks.by_name.values() {
        for member in check.spec.composite.iter().flat_map(|composite| &composite.members) {
            composites.entry(member.clone()).or_default().push(Arc::clone(check));
        }
    }
    composites
}

/// The graph of the table, with what is confirmed of each check.
pub(crate) fn dependencies_of(checks: &CheckTable) -> Dependencies {
    let specs = checks.by_name.values().map(|check| (&*check.spec.name, check.spec.depends_on.as_slice()));
    let mut dependencies = Dependencies::new(specs).unwrap_or_else(|error| {
        // The configuration was refused where this could happen.
        tracing::error!("no dependencies are known: {error}");
        Dependencies::default()
    });
    let names: Vec<Arc<str>> = dependencies.names().cloned().collect();
    for check in names.iter().filter_map(|name| checks.get(name)) {
        dependencies.confirmed(&check.name, check.with(|observed| observed.state.hard_status));
    }
    dependencies
}

#[cfg(test)]
mod tests {
    use sickbay_core::Status;

    use crate::api::testing::{Host, check};

    #[tokio::test]
    async fn a_transition_reaches_the_children_and_a_new_table_begins_with_what_is_confirmed() {
        let checks = format!("{}{}depends_on = [\"db\"]\n", check("db"), check("api"));
        let host = Host::start(&checks).await;
        let blocked = || host.live.checks().get("api").and_then(|check| check.observed().unreachable_by).map(|cause| cause.to_string());
        let dependents = || host.live.checks().get("db").map(|check| check.observed().dependents);
        assert_eq!((blocked(), dependents()), (None, Some(0)));
        host.observe("db", |observed| observed.state.hard_status = Status::Critical);
        host.live.confirmed("db", Status::Critical);
        assert_eq!((blocked().as_deref(), dependents()), (Some("db"), Some(1)));

        let table = host.live.checks();
        host.live.replace_checks(crate::live::CheckTable { by_name: table.by_name.clone() });
        assert_eq!((blocked().as_deref(), dependents()), (Some("db"), Some(1)));
        host.live.confirmed("db", Status::Ok);
        assert_eq!((blocked(), dependents()), (None, Some(0)));
    }
}
