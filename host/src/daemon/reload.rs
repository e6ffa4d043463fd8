//! The configuration while the host runs: read again when its files change or on SIGHUP, taken whole or not at all.
//!
//! Invariant: a configuration with an error changes nothing; the one before it stays in force; the log says why, the page and
//! `sickbay_config_last_reload_successful` that it is so.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use sickbay_capabilities::Services;
use sickbay_core::{Reason, Report};
use sickbay_store::{ResultRecord, Store};
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::folder::slot;
use crate::clock;
use crate::config::{self, Check, Config, ConfigErrors, Diagnostic, PluginJudge, Severity, Stamp};
use crate::live::{CheckMemory, CheckTable, LastRun, Live, LiveCheck, Observed, ReloadStatus};
use crate::plugins::Registry;

/// Editors write a file in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);
const RESCAN: Duration = Duration::from_secs(10);

/// Reads the configuration again when told to.
pub struct Reloader {
    pub live: Arc<Live>,
    /// Woken by the watcher.
    pub woken: Arc<Notify>,
    /// Told when the table of checks was replaced.
    pub changed: watch::Sender<()>,
    pub hangup: Signal,
}

impl Reloader {
    pub async fn run(mut self, stop: CancellationToken) {
        let path = self.live.config.load().path.clone();
        let mut known = self.live.config.load().stamp.clone();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = self.hangup.recv() => true,
                () = self.woken.notified() => { tokio::time::sleep(DEBOUNCE).await; false }
                () = tokio::time::sleep(RESCAN) => false,
            };
            let now = Stamp::of(&path);
            if asked || now != known {
                // Before the files are read: a change meanwhile is one to come back for.
                known = now;
                self.reload().await;
                self.woken.notify_one();
            }
        }
    }

    async fn reload(&self) {
        let before = self.live.config.load_full();
        let path = before.path.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load(&path)).await;
        let outcome = match loaded {
            Ok(Ok(config)) => match against_plugins(&config, &self.live.plugins) {
                Ok(warnings) => {
                    for warning in config.warnings.iter().chain(&warnings) {
                        tracing::warn!("{warning}");
                    }
                    self.apply(&before, config).await
                }
                Err(errors) => Err(errors.to_string()),
            },
            Ok(Err(errors)) => Err(errors.to_string()),
            Err(error) => Err(format!("reading it was lost: {error}")),
        };
        self.live.metrics.config_reload(outcome.is_ok());
        if let Err(error) = &outcome {
            tracing::error!("the configuration was not taken, the one before stays in force\n{error}");
        }
        self.live.reload.store(Arc::new(ReloadStatus { at: clock::now(), error: outcome.err() }));
    }

    async fn apply(&self, before: &Config, config: Config) -> Result<(), String> {
        let services =
            if before.egress == config.egress { None } else { Some(Services::new(&config.egress).map_err(|error| error.to_string())?) };
        for (key, changed) in [
            ("server.listen", before.server.listen != config.server.listen),
            ("store.url", before.store.url != config.store.url),
            ("plugins.dir", before.plugins.dir != config.plugins.dir),
        ] {
            if changed {
                tracing::warn!("`{key}` was changed: that takes effect when sickbay is restarted");
            }
        }
        let config = Arc::new(Config { plugins: before.plugins.clone(), ..config });
        let memories = memories(&self.live, &config).await?;
        let table = table(&config, &self.live.plugins, &memories);
        let checks = table.by_name.len();
        if let (Some(runner), Some(services)) = (self.live.runner.load_full(), services) {
            runner.replace_services(services);
        }
        self.live.config.store(config);
        self.live.replace_checks(table);
        self.changed.send_replace(());
        tracing::info!(checks, "the configuration was read again");
        Ok(())
    }
}

/// Judges every check against the version of its plugin that serves. A plugin that is not there is a warning: it may come later.
pub fn against_plugins(config: &Config, registry: &Registry) -> Result<Vec<Diagnostic>, ConfigErrors> {
    let mut by_plugin: BTreeMap<&str, Vec<&Check>> = BTreeMap::new();
    for check in &config.checks {
        by_plugin.entry(&check.plugin).or_default().push(check);
    }
    let mut found = Vec::new();
    for (plugin, checks) in by_plugin {
        let slot = registry.get(plugin);
        match slot.as_ref().and_then(|slot| slot.current()) {
            Some(loaded) => {
                let kinds = loaded.kinds();
                let judge = PluginJudge::new(plugin, &kinds);
                found.extend(checks.iter().flat_map(|check| judge.judge(check)));
            }
            None => {
                let why = slot.and_then(|slot| slot.last_error()).map(|error| error.message.clone());
                found.extend(checks.iter().map(|check| missing(check, config, why.as_deref())));
            }
        }
    }
    found.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
    let (errors, warnings): (Vec<_>, Vec<_>) = found.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
    if errors.is_empty() { Ok(warnings) } else { Err(ConfigErrors(errors)) }
}

fn missing(check: &Check, config: &Config, why: Option<&str>) -> Diagnostic {
    let dir = config.plugins.dir.display();
    let hint = format!("copy {}.wasm into {dir}; until then the check is unknown", check.plugin);
    let diagnostic = check.place.at_plugin(format!("the plugin `{}` is not loaded", check.plugin), hint);
    let reason = why.map_or_else(|| format!("there is no {dir}/{}.wasm", check.plugin), str::to_owned);
    Diagnostic { severity: Severity::Warning, reason: Some(reason), ..diagnostic }
}

/// The table of the configuration's checks, each with its memory.
pub fn table(config: &Arc<Config>, registry: &Registry, memories: &HashMap<String, Arc<CheckMemory>>) -> CheckTable {
    let by_name: BTreeMap<_, _> = config
        .checks
        .iter()
        .map(|spec| {
            let memory = memories.get(&spec.name).cloned().unwrap_or_default();
            let check = LiveCheck::new(Arc::clone(spec), config.limits_of(spec), memory);
            if let Some(kind) =
                slot(registry, config, &spec.plugin).current().and_then(|loaded| loaded.kind_of(spec).ok().map(str::to_owned))
            {
                check.kind.store(Arc::new(kind));
            }
            (spec.name.clone(), Arc::new(check))
        })
        .collect();
    CheckTable { by_name }
}

/// The memories of checks that go on, and those of new ones as the store has them.
async fn memories(live: &Live, config: &Config) -> Result<HashMap<String, Arc<CheckMemory>>, String> {
    let table = live.checks();
    let mut memories: HashMap<_, _> = table.by_name.iter().map(|(name, check)| (name.clone(), Arc::clone(&check.memory))).collect();
    if config.checks.iter().any(|check| !memories.contains_key(&check.name)) {
        live.queue.flush().await.map_err(|error| error.to_string())?;
        for (name, memory) in remembered(&*live.store).await.map_err(|error| error.to_string())? {
            memories.entry(name).or_insert(memory);
        }
    }
    Ok(memories)
}

/// What the store remembers of every check that ever ran.
pub async fn remembered(store: &dyn Store) -> Result<HashMap<String, Arc<CheckMemory>>, sickbay_store::StoreError> {
    let mut states = store.plugin_states().await?;
    let last = store.last().await?;
    Ok(last
        .into_iter()
        .map(|record| {
            let state = states.remove(&record.check).unwrap_or_default();
            (record.check.clone(), Arc::new(CheckMemory::new(observed(&record), state)))
        })
        .collect())
}

fn observed(record: &ResultRecord) -> Observed {
    Observed {
        state: record.state.clone(),
        last_success_at: (record.status == sickbay_core::Status::Ok).then_some(record.started_at),
        last: Some(LastRun::of(record)),
        reported: reported(record),
        runs: [0; 5],
    }
}

/// The report behind a record, where there was one, as far as it is kept.
fn reported(record: &ResultRecord) -> Option<(sickbay_core::Timestamp, Arc<Report>)> {
    let by_report =
        matches!(record.reason, Reason::Passed | Reason::Reported { .. } | Reason::ConditionFailed { .. } | Reason::ConditionError { .. });
    by_report.then(|| {
        let report = Report {
            status: record.status,
            summary: record.summary.clone(),
            failure: record.failure.clone(),
            metrics: record.metrics.clone(),
            evidence: record.evidence.clone(),
            details: None,
            extras: Vec::new(),
        };
        (record.scheduled_at, Arc::new(report))
    })
}
