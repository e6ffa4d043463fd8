//! The configuration while the host runs: read again when its files change or on SIGHUP, taken whole or not at all.
//!
//! Invariant: a configuration with an error (or one that is gone, no file, too large) changes nothing; the one before it stays in force;
//! the log says why, a line for each finding, the page and `sickbay_config_last_reload_successful` that it is so.
//! Invariant: a file that was emptied takes no check and no sink away: it may be in the middle of being saved.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sickbay_capabilities::{ServiceSettings, Services};
use sickbay_core::Report;
use sickbay_runtime::Sort;
use sickbay_store::{Committed, ResultRecord, Store};
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::folder::{reconsider, slot};
use crate::clock;
use crate::config::{
    self, Config, ConfigErrors, Diagnostic, Origin, PluginUse, Plugins, Server, Severity, Stamp, StoreSettings, TranscriptSettings,
    counted, nearest, verdict,
};
use crate::live::{CheckMemory, CheckTable, Live, LiveCheck, Observed, ReloadStatus};
use crate::logging;
use crate::plugins::{LoadFailure, Registry};
use crate::slo::SloTable;

/// Editors write a file in several steps: it is read when nothing of it changed for so long.
const UNCHANGED_MIN: Duration = Duration::from_millis(500);
/// Looks at a file that is written to all the time, before it is read as it is.
const LOOKS_MAX: u32 = 10;
const RESCAN: Duration = Duration::from_secs(10);
/// Names of checks in one warning.
const NAMES_SHOWN_MAX: usize = 3;

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
        // Nobody else replaces it, so this is the configuration of the start.
        let started = Started::of(&self.live.config.load());
        let mut known = self.live.config.load().stamp.clone();
        let mut beside = self.live.config.load().beside.clone();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = self.hangup.recv() => true,
                () = self.woken.notified() => false,
                () = tokio::time::sleep(RESCAN) => false,
            };
            let is_changed = Stamp::of(&started.path).beside(&beside) != known;
            if is_changed && !asked {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = unchanged(&started.path, &beside) => {}
                }
            }
            if asked || is_changed {
                // Before the files are read: a change meanwhile is one to come back for.
                beside = named_beside(&started.path).await;
                known = Stamp::of(&started.path).beside(&beside);
                self.reload(&started).await;
                self.woken.notify_one();
            }
        }
    }

    async fn reload(&self, started: &Started) {
        let path = started.path.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load(&path)).await;
        let outcome = match loaded {
            Ok(Ok(config)) => self.take(started, config).await,
            Ok(Err(errors)) => Err(Refusal::Mistakes(errors)),
            Err(error) => Err(Refusal::Other(format!("reading it was lost: {error}"))),
        };
        if let Err(refusal) = &outcome {
            refusal.log();
        }
        self.live.metrics.config_reload(outcome.is_ok());
        let at = clock::now();
        let loaded_at = if outcome.is_ok() { at } else { self.live.reload.load().loaded_at };
        let shapes = Arc::clone(&self.live.config.load().services.shapes);
        let error = outcome.err().map(|refusal| shapes.masked(refusal.told()));
        self.live.reload.store(Arc::new(ReloadStatus { at, loaded_at, error }));
    }

    async fn take(&self, started: &Started, config: Config) -> Result<(), Refusal> {
        let before = self.live.config.load_full();
        if let Some(emptied) = emptied(&before, &config) {
            return Err(Refusal::Other(emptied));
        }
        let waiting = started.differences(&config);
        let removed = removed(&before, &config);
        let config = Config { plugins: started.plugins.clone(), ..config };
        let warnings = against_plugins(&config, &self.live.plugins).map_err(Refusal::Mistakes)?;
        let checks = config.checks.len();
        self.apply(config).await.map_err(Refusal::Other)?;
        warnings.iter().for_each(Diagnostic::log);
        for removed in removed {
            tracing::warn!("{removed}");
        }
        for key in waiting {
            tracing::warn!("`{key}` is not what sickbay was started with: it takes effect when sickbay is restarted");
        }
        tracing::info!(checks, "the configuration was read again");
        Ok(())
    }

    async fn apply(&self, config: Config) -> Result<(), String> {
        let before = self.live.config.load_full();
        let runner = self.live.runner.load_full();
        let services = match &runner {
            // The files may be other ones where all that is written is the same.
            Some(runner) if before.services != config.services || before.beside_stamp != config.beside_stamp => {
                Some(renewed(runner.services(), config.services.clone()).await?)
            }
            _ => None,
        };
        let config = Arc::new(config);
        let memories = memories(&self.live, &config).await?;
        let table = table(&config, &self.live.plugins, &memories);
        let slos = SloTable::read(&config, &self.live.slos.load_full(), &*self.live.store).await.map_err(|error| error.to_string())?;
        if let (Some(runner), Some(services)) = (runner, services) {
            runner.replace_services(services);
        }
        logging::mask_by(&config.services.shapes);
        self.live.config.store(config);
        self.live.slos.store(Arc::new(slos));
        self.live.replace_checks(table);
        for slot in self.live.plugins.all() {
            reconsider(&self.live, &slot);
        }
        self.changed.send_replace(());
        Ok(())
    }
}

/// Services by other settings. Certificates and keys are read, which may wait for a disk.
async fn renewed(services: Arc<Services>, settings: ServiceSettings) -> Result<Arc<Services>, String> {
    let renewing = tokio::task::spawn_blocking(move || services.renewed(&settings).map_err(|error| error.to_string()));
    renewing.await.unwrap_or_else(|error| Err(format!("reading certificates and keys was lost: {error}")))
}

/// The files that the configuration names now, whether or not it is right.
async fn named_beside(path: &Path) -> Vec<PathBuf> {
    let path = path.to_path_buf();
    // A loss would be one of the runtime; the files themselves are still looked at.
    tokio::task::spawn_blocking(move || config::beside(&path)).await.unwrap_or_default()
}

/// Returns when nothing of the files changed for [`UNCHANGED_MIN`], or after [`LOOKS_MAX`] looks.
async fn unchanged(path: &Path, beside: &[PathBuf]) {
    let mut seen = Stamp::of(path).beside(beside);
    for _ in 0..LOOKS_MAX {
        tokio::time::sleep(UNCHANGED_MIN).await;
        let now = Stamp::of(path).beside(beside);
        if now == seen {
            return;
        }
        seen = now;
    }
}

/// Why `now` is not taken: nothing is left in a file in which something stood, while there are checks or sinks that it could take away.
fn emptied(before: &Config, now: &Config) -> Option<String> {
    let is_emptied = |file: &&PathBuf| before.files.contains(file) && !before.blank_files.contains(file);
    let has_some = !before.checks.is_empty() || !before.sinks.is_empty();
    let file = now.blank_files.iter().filter(|_| has_some).find(is_emptied)?;
    let hint = "where that is meant, leave a comment in it, or restart sickbay";
    Some(format!("{}: the file is empty; the configuration before stays in force; hint: {hint}", file.display()))
}

/// The checks and sinks of `before` that are none of `now`.
fn removed(before: &Config, now: &Config) -> Vec<String> {
    let [before, now] = [before, now].map(|config| {
        let checks: Vec<&str> = config.checks.iter().map(|check| check.name.as_str()).collect();
        let sinks: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
        (checks, sinks)
    });
    gone("check", &before.0, &now.0).into_iter().chain(gone("sink", &before.1, &now.1)).collect()
}

fn gone(noun: &str, before: &[&str], now: &[&str]) -> Option<String> {
    let kept: HashSet<&str> = now.iter().copied().collect();
    let gone: Vec<&str> = before.iter().copied().filter(|name| !kept.contains(name)).collect();
    let is = if gone.len() == 1 { "is" } else { "are" };
    (!gone.is_empty()).then(|| format!("{} {is} in the configuration no more: {}", counted(gone.len(), noun), first_names(&gone)))
}

/// The first few, and how many more.
fn first_names(names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_SHOWN_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What the process was started with, and only a restart changes.
struct Started {
    path: PathBuf,
    server: Server,
    store: StoreSettings,
    plugins: Plugins,
    transcripts: TranscriptSettings,
}

impl Started {
    fn of(config: &Config) -> Started {
        Started {
            path: config.path.clone(),
            server: config.server.clone(),
            store: config.store.clone(),
            plugins: config.plugins.clone(),
            transcripts: config.transcripts.clone(),
        }
    }

    /// The keys for which `config` says something else.
    fn differences(&self, config: &Config) -> Vec<&'static str> {
        let keys = [
            ("server.listen", self.server.listen != config.server.listen),
            ("store.url", self.store != config.store),
            ("plugins.dir", self.plugins != config.plugins),
            ("transcripts", self.transcripts != config.transcripts),
        ];
        keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

/// Why a configuration was not taken.
#[derive(Debug)]
enum Refusal {
    Mistakes(ConfigErrors),
    Other(String),
}

impl Refusal {
    fn log(&self) {
        const MESSAGE: &str = "the configuration was not taken, the one before stays in force";
        match self {
            Refusal::Mistakes(errors) => {
                tracing::error!("{MESSAGE}: {}", errors.tally());
                errors.log();
            }
            Refusal::Other(reason) => tracing::error!(reason, "{MESSAGE}"),
        }
    }

    /// For the API: what is to be mended and where, without the lines of the files, which may hold a secret of a check's `config`.
    fn told(&self) -> String {
        match self {
            Refusal::Mistakes(errors) => {
                let without_line = |diagnostic: &Diagnostic| Diagnostic { excerpt: None, ..diagnostic.clone() }.to_string();
                errors.errors.iter().map(without_line).collect::<Vec<_>>().join("\n\n")
            }
            Refusal::Other(reason) => reason.clone(),
        }
    }
}

/// Judges every check and sink against the version of its plugin that serves; gives all warnings, those of the files too. A plugin that is not
/// there is a warning: it may come later.
pub fn against_plugins(config: &Config, registry: &Registry) -> Result<Vec<Diagnostic>, ConfigErrors> {
    let mut by_plugin: BTreeMap<&str, Vec<PluginUse<'_>>> = BTreeMap::new();
    for used in config.plugin_uses() {
        by_plugin.entry(used.plugin).or_default().push(used);
    }
    let mut found = config.warnings.clone();
    for (plugin, uses) in by_plugin {
        let slot = registry.get(plugin);
        match slot.as_ref().and_then(|slot| slot.current()) {
            Some(loaded) => found.extend(loaded.judge(&uses)),
            None => {
                let refused = slot.and_then(|slot| slot.last_error());
                found.extend(waiting(&uses, config, registry, refused.as_deref()));
            }
        }
    }
    verdict(found)
}

/// One warning for all that uses a plugin that does not serve, at the first of them; `refused` is why its file was.
fn waiting(uses: &[PluginUse<'_>], config: &Config, registry: &Registry, refused: Option<&LoadFailure>) -> Option<Diagnostic> {
    let first = uses.first()?;
    let plugin = first.plugin;
    let names: Vec<&str> = uses.iter().map(|used| used.name).collect();
    let wait = if uses.len() == 1 { "waits" } else { "wait" };
    let waiting = format!("{} {wait} for it: {}", counted_uses(uses), first_names(&names));
    let diagnostic = match refused {
        Some(refused) => {
            let hint = refused.hint.clone().unwrap_or_else(|| "replace the file: it is looked at again when it changes".to_owned());
            let diagnostic = first.place.at_plugin(format!("the file of plugin `{plugin}` was refused: {waiting}"), hint);
            Diagnostic { reason: Some(refused.message.clone()), ..diagnostic }
        }
        None => {
            let loaded: Vec<_> = registry.all().into_iter().filter(|slot| slot.current().is_some()).collect();
            let present: Vec<&str> = loaded.iter().map(|slot| slot.name.as_str()).collect();
            let (message, hint) = absent(plugin, &config.plugins.dir, &config.dir, &present);
            first.place.at_plugin(format!("{message}: {waiting}"), hint)
        }
    };
    Some(Diagnostic { severity: Severity::Warning, ..diagnostic })
}

/// `3 checks and 1 sink`
fn counted_uses(uses: &[PluginUse<'_>]) -> String {
    let count = |sort: Sort| uses.iter().filter(|used| used.sort == sort).count();
    let counts = Sort::ALL.map(|sort| (count(sort), sort.as_str()));
    let there = counts.into_iter().filter(|(count, _)| *count > 0);
    there.map(|(count, noun)| counted(count, noun)).collect::<Vec<_>>().join(" and ")
}

/// What to say of a plugin whose file is not in the folder, where `present` are; and what to do.
pub fn absent(plugin: &str, folder: &Path, base: &Path, present: &[&str]) -> (String, String) {
    let folder = folder.strip_prefix(base).unwrap_or(folder).display();
    let hint = match nearest(plugin, present) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("copy {plugin}.wasm into {folder}/; until then its checks are unknown, its sinks silent"),
    };
    (format!("no plugin `{plugin}` in `{folder}/`"), hint)
}

/// The table of the configuration's checks, each with its memory. Every plugin that is used has a slot from here on.
pub fn table(config: &Arc<Config>, registry: &Registry, memories: &HashMap<String, Arc<CheckMemory>>) -> CheckTable {
    for sink in &config.sinks {
        slot(registry, config, &sink.plugin);
    }
    let by_name: BTreeMap<_, _> = config
        .checks
        .iter()
        .map(|spec| {
            let memory = memories.get(&spec.name).cloned().unwrap_or_default();
            let check = LiveCheck::new(Arc::clone(spec), config.limits_of(spec), memory);
            if spec.origin == Origin::Plugin
                && let Some(kind) = slot(registry, config, &spec.plugin)
                    .current()
                    .and_then(|loaded| loaded.kind_of(&spec.plugin_use()).ok().map(str::to_owned))
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
        .map(|Committed { record, .. }| {
            let state = states.remove(&*record.check).unwrap_or_default();
            (record.check.to_string(), Arc::new(CheckMemory::new(observed(record), state)))
        })
        .collect())
}

fn observed(record: Arc<ResultRecord>) -> Observed {
    Observed { state: record.state.clone(), reported: reported(&record), last: Some(record), ..Observed::default() }
}

/// The report behind a record, where there was one, as far as it is kept.
fn reported(record: &ResultRecord) -> Option<(sickbay_core::Timestamp, Arc<Report>)> {
    record.is_by_report().then(|| {
        let report = Report {
            status: record.status,
            summary: record.summary.clone(),
            failure: record.failure.clone(),
            metrics: Arc::clone(&record.metrics),
            evidence: record.evidence.clone(),
            details: None,
            extras: Vec::new(),
        };
        (record.scheduled_at, Arc::new(report))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> (tempfile::TempDir, Config) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("sickbay.toml");
        std::fs::write(&path, text).expect("the folder is writable");
        let config = config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        (dir, config)
    }

    fn check(name: &str, plugin: &str) -> String {
        format!("[[check]]\nname = \"{name}\"\nplugin = \"{plugin}\"\nevery = \"10s\"\n")
    }

    #[test]
    fn what_waits_for_a_restart_is_told_against_the_start_not_against_the_last_reload() {
        let (_dir, mut now) = config("");
        let started = Started::of(&now);
        assert!(started.differences(&now).is_empty());
        now.server.listen.set_port(9471);
        now.store.url = "sqlite:other.db".to_owned();
        assert_eq!(started.differences(&now), ["server.listen", "store.url"]);
        now.server.listen.set_port(9470);
        assert_eq!(started.differences(&now), ["store.url"]);
    }

    #[test]
    fn a_changed_file_with_the_url_of_the_store_waits_for_a_restart() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("the folder is writable");
        let load = || config::load(&dir.path().join("sickbay.toml")).unwrap_or_else(|errors| panic!("{errors}"));
        write("sickbay.toml", "[store]\nurl_file = \"store.url\"\n");
        write("store.url", "sqlite:one.db\n");
        let before = load();
        write("store.url", "sqlite:another.db\n");
        let now = load();
        assert_ne!(before.stamp, now.stamp, "the reloader sees it");
        assert_eq!(Started::of(&before).differences(&now), ["store.url"]);
    }

    #[test]
    fn a_file_that_was_emptied_is_not_taken_and_one_that_always_was_is() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("sickbay.toml");
        let load = |text: &str| {
            std::fs::write(&path, text).expect("the folder is writable");
            config::load(&path).unwrap_or_else(|errors| panic!("{errors}"))
        };
        let (full, blank, comment, server) = (load(&check("a", "http")), load(" \n\t\n"), load("# none\n"), load("[server]\n"));
        let told = emptied(&full, &blank).expect("it is refused");
        assert!(told.contains("sickbay.toml: the file is empty; the configuration before stays in force"), "{told}");
        assert_eq!(emptied(&full, &comment), None);
        assert_eq!(emptied(&server, &blank), None, "it takes no check away");
        std::fs::create_dir(dir.path().join("checks.d")).expect("the folder is writable");
        let beside = dir.path().join("checks.d/a.toml");
        std::fs::write(&beside, check("b", "http")).expect("the folder is writable");
        let (both, beside_alone) = (load(&check("a", "http")), load(""));
        assert!(emptied(&both, &beside_alone).is_some());
        assert_eq!(emptied(&beside_alone, &load("\n")), None, "it was blank before");
        std::fs::write(&beside, "\n").expect("the folder is writable");
        assert!(emptied(&both, &load(&check("a", "http"))).is_some_and(|told| told.contains("checks.d/a.toml: ")));
    }

    #[test]
    fn checks_and_sinks_that_a_reload_takes_away_are_told_by_name() {
        let named = |names: &[&str]| config(&names.iter().map(|name| check(name, "http")).collect::<String>()).1;
        let before = named(&["a", "b", "c", "d", "e"]);
        assert!(removed(&before, &before).is_empty() && removed(&named(&["a"]), &before).is_empty());
        assert_eq!(removed(&before, &named(&["a", "b", "c", "d"])), ["1 check is in the configuration no more: e"]);
        assert_eq!(removed(&before, &named(&[])), ["5 checks are in the configuration no more: a, b, c and 2 more"]);
        let (_dir, telling) = config(&sink("a", "webhook"));
        assert_eq!(removed(&telling, &named(&["a"])), ["1 sink is in the configuration no more: a"]);
    }

    #[test]
    fn the_checks_of_a_missing_plugin_are_one_warning() {
        let names = ["a", "b", "c", "d", "e"];
        let text: String = names.iter().map(|name| check(name, "htpp")).chain([check("other", "gone")]).collect();
        let (_dir, config) = config(&text);
        let warnings = against_plugins(&config, &Registry::default()).expect("a plugin may come later");
        let told: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "no plugin `htpp` in `plugins/`: 5 checks wait for it: a, b, c and 2 more",
                "no plugin `gone` in `plugins/`: 1 check waits for it: other"
            ]
        );
        assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning && warning.column == 10));
        assert_eq!(warnings[0].hint.as_deref(), Some("copy htpp.wasm into plugins/; until then its checks are unknown, its sinks silent"));
    }

    fn sink(name: &str, plugin: &str) -> String {
        format!("[[sink]]\nname = \"{name}\"\nplugin = \"{plugin}\"\n")
    }

    #[test]
    fn checks_and_sinks_of_a_missing_plugin_wait_together_and_it_has_a_slot() {
        let (_dir, config) =
            config(&format!("[route]\nsinks = [\"b\", \"c\"]\n{}{}{}", check("a", "both"), sink("b", "both"), sink("c", "gone")));
        let warnings = against_plugins(&config, &Registry::default()).expect("a plugin may come later");
        let told: Vec<&str> = warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(
            told,
            [
                "no plugin `both` in `plugins/`: 1 check and 1 sink wait for it: a, b",
                "no plugin `gone` in `plugins/`: 1 sink waits for it: c"
            ]
        );
        let registry = Registry::default();
        table(&Arc::new(config), &registry, &HashMap::new());
        assert!(registry.get("both").is_some() && registry.get("gone").is_some());
    }

    #[test]
    fn a_slip_in_the_name_of_a_plugin_is_recognised_among_those_that_are_there() {
        let told = |folder: &str, present: &[&str]| absent("htpp", Path::new(folder), Path::new("/etc/sickbay"), present);
        let (message, hint) = told("/etc/sickbay/plugins", &["http", "system"]);
        assert_eq!((message.as_str(), hint.as_str()), ("no plugin `htpp` in `plugins/`", "did you mean `http`?"));
        let (message, hint) = told("/var/lib/plugins", &["system"]);
        assert_eq!(message, "no plugin `htpp` in `/var/lib/plugins/`");
        assert!(hint.starts_with("copy htpp.wasm into /var/lib/plugins/"), "{hint}");
    }

    #[test]
    fn a_refusal_is_told_with_its_places_and_without_the_lines_of_the_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("sickbay.toml");
        std::fs::write(&path, check("a", "http") + "configg = { greeting = \"hunter2\" }\n").expect("the folder is writable");
        let errors = config::load(&path).expect_err("there is a mistake");
        assert!(errors.to_string().contains("hunter2"), "a terminal shows the line");
        let told = Refusal::Mistakes(errors).told();
        assert!(told.contains("unknown key `configg`") && told.contains("sickbay.toml:5:1"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_plugin_whose_file_was_refused_is_told_with_the_reason() {
        let (_dir, config) = config(&check("api", "http"));
        let registry = Registry::default();
        registry.slot("http", 1).refuse(LoadFailure { at: clock::now(), message: "it is empty".to_owned(), hint: None, sha256: None });
        let warnings = against_plugins(&config, &registry).expect("a plugin may come later");
        let told: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("warning: the file of plugin `http` was refused: 1 check waits for it: api\n"), "{told:?}");
        assert!(told[0].contains("reason: it is empty") && told[0].contains("hint: "), "{told:?}");
    }
}
