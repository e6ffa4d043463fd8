//! The plugin folder: what is in it becomes what serves.
//!
//! A reconciler: each scan compares every `NAME.wasm` with what was looked at last and loads what is new, however it was woken (by the
//! watcher, or every few seconds where nobody tells). A file counts when two looks [`DEBOUNCE`] apart found the same size, time and inode,
//! so a copy that is still under way is left alone.
//!
//! A version that asks for more than the one that serves and than those who use it grant waits in quarantine: it is judged again when the
//! configuration changes ([`reconsider`]), and replaced by the next file.
//!
//! Invariant: any failure keeps the version that serves; a file that failed is not tried again until it changes.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::OFlags;
use sickbay_capabilities::{Grants, Lent, RunScope, Services};
use sickbay_runtime::{Limits, LoadError, Sort, WASM_BYTES_MAX};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::{Config, Diagnostic, PluginJudge, Severity, verdict};
use crate::live::Live;
use crate::metrics::LoadOutcome;
use crate::plugins::{LoadFailure, Loaded, PluginSlot, Quarantined, Registry, Sandbox};
use crate::quarantine::{Beyond, beyond};

/// How long a file must have been the same before it is loaded.
pub const DEBOUNCE: Duration = Duration::from_millis(50);
/// A scan happens at least this often, also where the system does not tell of changes.
const RESCAN: Duration = Duration::from_secs(5);
/// A file that is gone may be on its way to be replaced.
const REMOVAL_GRACE: Duration = Duration::from_secs(2);
/// Files looked at in the folder.
pub const PLUGINS_MAX: usize = 1000;

/// Files that are read, compiled or described at once.
pub const LOADS_MAX: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    bytes: u64,
    modified: (i64, i64),
    inode: u64,
}

#[derive(Debug)]
enum Seen {
    /// Changed; loaded when it is still the same [`DEBOUNCE`] later.
    Settling { look: Look, since: Instant },
    /// Loaded or refused as it is.
    Done(Look),
}

/// The folder and what is known of its files.
pub struct Folder {
    live: Arc<Live>,
    sandbox: Arc<Sandbox>,
    services: Arc<Services>,
    woken: Arc<Notify>,
    /// Files in memory at once are bounded by it.
    loads: Semaphore,
    seen: Mutex<HashMap<String, Seen>>,
    gone: Mutex<HashMap<String, Instant>>,
}

impl Folder {
    pub fn new(live: Arc<Live>, sandbox: Arc<Sandbox>, services: Arc<Services>, woken: Arc<Notify>) -> Folder {
        Folder { live, sandbox, services, woken, loads: Semaphore::new(LOADS_MAX), seen: Mutex::default(), gone: Mutex::default() }
    }

    /// Loads everything that is there, before anything runs.
    pub async fn first_scan(self: &Arc<Folder>) {
        let files = list(&self.live.config.load().plugins.dir);
        let mut loads = JoinSet::new();
        for (name, path, look) in files {
            self.seen().insert(name.clone(), Seen::Done(look));
            let folder = Arc::clone(self);
            loads.spawn(async move { folder.load(&name, &path).await });
        }
        while loads.join_next().await.is_some() {}
    }

    /// Scans when woken and every few seconds until `stop`.
    pub async fn run(self: Arc<Folder>, stop: CancellationToken) {
        let mut loads: JoinSet<String> = JoinSet::new();
        let mut loading: HashSet<String> = HashSet::new();
        let mut next = RESCAN;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.woken.notified() => {}
                Some(done) = loads.join_next() => { if let Ok(name) = done { loading.remove(&name); } }
                () = tokio::time::sleep(next) => {}
            }
            let (settled, wait) = self.scan(&loading);
            next = wait;
            for (name, path) in settled {
                loading.insert(name.clone());
                let folder = Arc::clone(&self);
                loads.spawn(async move {
                    folder.load(&name, &path).await;
                    name
                });
            }
        }
    }

    /// What has settled and is to be loaded, and how long until the next look.
    fn scan(&self, loading: &HashSet<String>) -> (Vec<(String, PathBuf)>, Duration) {
        let files = list(&self.live.config.load().plugins.dir);
        let now = Instant::now();
        let (mut settled, mut next) = (Vec::new(), RESCAN);
        let mut seen = self.seen();
        for (name, path, look) in &files {
            if loading.contains(name) {
                next = next.min(DEBOUNCE);
                continue;
            }
            match seen.get(name) {
                Some(Seen::Done(known)) if known == look => {}
                Some(Seen::Settling { look: known, since }) if known == look => {
                    if now.duration_since(*since) >= DEBOUNCE {
                        seen.insert(name.clone(), Seen::Done(look.clone()));
                        settled.push((name.clone(), path.clone()));
                    } else {
                        next = next.min(DEBOUNCE - now.duration_since(*since));
                    }
                }
                _ => {
                    seen.insert(name.clone(), Seen::Settling { look: look.clone(), since: now });
                    next = next.min(DEBOUNCE);
                }
            }
        }
        let present: HashSet<&str> = files.iter().map(|(name, ..)| name.as_str()).collect();
        if self.forget_removed(&present, &mut seen, now) {
            next = next.min(REMOVAL_GRACE / 2);
        }
        (settled, next)
    }

    /// Unloads what has been gone for the grace time; true while something waits for that.
    fn forget_removed(&self, present: &HashSet<&str>, seen: &mut HashMap<String, Seen>, now: Instant) -> bool {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.retain(|name, _| !present.contains(name.as_str()));
        for name in seen.keys().filter(|name| !present.contains(name.as_str())) {
            gone.entry(name.clone()).or_insert(now);
        }
        // A file that still stands was only beyond the number that is looked at.
        let dir = self.live.config.load().plugins.dir.clone();
        gone.retain(|name, _| !dir.join(format!("{name}.wasm")).exists());
        let over: Vec<String> =
            gone.iter().filter(|(_, since)| now.duration_since(**since) >= REMOVAL_GRACE).map(|(name, _)| name.clone()).collect();
        for name in over {
            gone.remove(&name);
            seen.remove(&name);
            self.unload(&name);
        }
        !gone.is_empty()
    }

    fn unload(&self, name: &str) {
        let Some(slot) = self.live.plugin(name) else { return };
        slot.unload();
        self.live.warm.keep_only(|_, purpose| *purpose.plugin != *name);
        self.live.metrics.plugin_load(name, LoadOutcome::Removed);
        tracing::warn!(plugin = name, "the plugin's file is gone: it is unloaded");
        let used = self.live.config.load().plugin_uses().any(|used| used.plugin == name);
        if !used {
            self.live.plugins.remove(name);
            self.live.metrics.forget_plugin(name);
        }
    }

    async fn load(&self, name: &str, path: &Path) {
        let Ok(_permit) = self.loads.acquire().await else { return };
        let began = Instant::now();
        let slot = slot(&self.live.plugins, &self.live.config.load(), name);
        match self.offer(&slot, path).await {
            Ok(Offered::Swapped(loaded)) => {
                swapped(&self.live, &loaded);
                tracing::info!(plugin = name, plugin_version = &*loaded.version, took_ms = began.elapsed().as_millis() as u64, "loaded");
            }
            Ok(Offered::Waits) => {
                self.live.metrics.plugin_load(name, LoadOutcome::Quarantined);
                tell_waiting(&slot);
                // A configuration that came meanwhile has not seen it.
                reconsider(&self.live, &slot);
            }
            Ok(Offered::Same) => {
                self.live.metrics.plugin_load(name, LoadOutcome::Unchanged);
            }
            Err((error, sha256)) => {
                self.live.metrics.plugin_load(name, LoadOutcome::Rejected);
                let kept = if slot.current().is_some() { "; the version before it goes on serving" } else { "" };
                // What it quotes of the file may have line ends.
                let message = error.message.replace(char::is_control, " ");
                let (file, hint) = (path.to_string_lossy(), error.hint.as_deref());
                tracing::error!(plugin = name, file = &*file, hint, "refused: {message}{kept}");
                let shapes = Arc::clone(&self.live.config.load().services.shapes);
                let (message, hint) = (shapes.masked(error.message), error.hint.map(|hint| shapes.masked(hint)));
                slot.refuse(LoadFailure { at: clock::now(), message, hint, sha256 });
            }
        }
    }

    async fn offer(&self, slot: &PluginSlot, path: &Path) -> Result<Offered, (LoadError, Option<String>)> {
        let bytes = read(path).await.map_err(|error| (error, None))?;
        let sha256 = sickbay_runtime::digest(&bytes);
        if slot.has_again(&sha256) {
            return Ok(Offered::Same);
        }
        let nothing = nothing(&self.services, &slot.name);
        let plugin = self.sandbox.load(&slot.name, bytes, nothing).await.map_err(|error| (error, Some(sha256.clone())))?;
        let loaded = Arc::new(Loaded::new(plugin, clock::now()));
        let (current, config) = (slot.current(), self.live.config.load_full());
        if let Some(current) = &current {
            refuse_unfit(current, &loaded, &config).map_err(|error| (error, Some(sha256)))?;
            if let Some(beyond) = beyond(current, &loaded, &config) {
                slot.quarantine(Quarantined { loaded, since: clock::now(), beyond });
                return Ok(Offered::Waits);
            }
        }
        let first = current.is_none();
        slot.swap(Arc::clone(&loaded));
        if first && self.live.scanned.load(Ordering::Acquire) {
            tell_misfits(slot, &self.live.config.load());
        }
        Ok(Offered::Swapped(loaded))
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Offered {
    Swapped(Arc<Loaded>),
    /// In quarantine.
    Waits,
    Same,
}

/// Lets the version that waits in quarantine serve, where the configuration in force grants what it asks for.
pub fn reconsider(live: &Live, slot: &PluginSlot) {
    let config = live.config.load_full();
    let judge = |current: &Loaded, waiting: &Loaded| {
        let misfit = refuse_unfit(current, waiting, &config).err().map(Beyond::misfit);
        beyond(current, waiting, &config).or(misfit)
    };
    if let Some(loaded) = slot.reconsider(judge) {
        swapped(live, &loaded);
        tracing::info!(plugin = slot.name, plugin_version = &*loaded.version, "loaded out of quarantine: what it asks for is granted now");
    }
}

/// From now on runs begin on `loaded`: no instance of another version is kept.
fn swapped(live: &Live, loaded: &Loaded) {
    let name = &loaded.plugin.name;
    // At the start they all come, which mends nothing.
    if live.scanned.load(Ordering::Acquire) {
        live.alerts.plugin_serves(name);
    }
    live.metrics.plugin_load(name, LoadOutcome::Loaded);
    live.warm.keep_only(|_, purpose| purpose.plugin != *name || purpose.is_of(loaded));
}

fn tell_waiting(slot: &PluginSlot) {
    let Some(waiting) = slot.quarantined() else { return };
    let (hint, told) = (&*waiting.beyond.hint, waiting.beyond.diff.join("; "));
    let plugin_version = &*waiting.loaded.version;
    tracing::warn!(
        plugin = slot.name,
        plugin_version,
        hint,
        "quarantined: it asks for more than is granted; the version before it goes on serving: {told}"
    );
}

/// The slot of a plugin, with the concurrency of the configuration.
pub fn slot(registry: &Registry, config: &Config, name: &str) -> Arc<PluginSlot> {
    registry.slot(name, config.settings_of(name).concurrency)
}

/// What is lent to `describe`: nothing.
pub fn nothing(services: &Arc<Services>, plugin: &str) -> Lent {
    let limits = Limits { host_calls: 0, bytes_in: 0, bytes_out: 0, rows: 0, ..Limits::default() };
    let scope = RunScope { check: Arc::from(""), plugin: Arc::from(plugin), run_id: 0, deadline: Instant::now(), state: Arc::default() };
    Lent::new(services, &Arc::new(Grants::default()), &limits, scope)
}

/// A version that serves is not replaced by one that its checks and sinks do not fit.
fn refuse_unfit(current: &Loaded, offered: &Loaded, config: &Config) -> Result<(), LoadError> {
    let name = &*offered.plugin.name;
    let uses = config.uses_of(name);
    for sort in Sort::ALL {
        let (before, after) = (current.kinds(sort), offered.kinds(sort));
        let (before, after) = (PluginJudge::new(name, &before), PluginJudge::new(name, &after));
        for used in uses.iter().filter(|used| used.sort == sort) {
            if let (None, Some(error)) = (error(before.judge(used)), error(after.judge(used))) {
                return Err(LoadError::new(format!("the {} does not fit this version: {}", used.told(), error.message))
                    .hint(format!("change the {}'s configuration first, or keep the plugin's schema compatible", sort.as_str())));
            }
        }
    }
    Ok(())
}

/// A plugin that came after the start may find checks and sinks that were waiting for it and do not fit.
fn tell_misfits(slot: &PluginSlot, config: &Config) {
    let Some(loaded) = slot.current() else { return };
    match verdict(loaded.judge(&config.uses_of(&slot.name))) {
        Ok(warnings) => warnings.iter().for_each(Diagnostic::log),
        Err(errors) => errors.log(),
    }
}

fn error(diagnostics: Vec<Diagnostic>) -> Option<Diagnostic> {
    diagnostics.into_iter().find(|diagnostic| diagnostic.severity == Severity::Error)
}

async fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_bounded(&path)).await;
    read.map_err(|error| LoadError::new(format!("the loader was lost: {error}")))?
}

/// The file's bytes, at most one more than are allowed.
pub fn read_bounded(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |error: std::io::Error| {
        let message = format!("cannot read {}: {error}", path.display());
        LoadError::new(message).hint("see whether the file is there, and whether the user that Sickbay runs as may read it")
    };
    // Opening a pipe that nobody writes to would wait for ever.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(LoadError::new(format!("{} is not a file", path.display())).hint("name a .wasm file"));
    }
    if metadata.len() > WASM_BYTES_MAX {
        return Err(LoadError::new(format!("the file has {} bytes, at most {WASM_BYTES_MAX} are loaded", metadata.len()))
            .hint("build in release mode, strip it, and leave unused libraries out"));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(WASM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// Every `NAME.wasm` whose name can be a plugin's.
fn list(dir: &Path) -> Vec<(String, PathBuf, Look)> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let name = name_of(&path)?;
            let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
            let look = Look { bytes: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()), inode: metadata.ino() };
            Some((name, path, look))
        })
        .take(PLUGINS_MAX)
        .collect()
}

/// The plugin's name: the file's without `.wasm`. Hidden files and names that a configuration could not write are none.
pub fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".wasm")?;
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = |byte: u8| first(byte) || matches!(byte, b'.' | b'_' | b'-');
    let fits = name.len() <= 63 && name.bytes().next().is_some_and(first) && name.bytes().all(rest);
    fits.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_named_after_its_file() {
        assert_eq!(name_of(Path::new("/p/http.wasm")).as_deref(), Some("http"));
        assert_eq!(name_of(Path::new("/p/my-check_2.wasm")).as_deref(), Some("my-check_2"));
        for other in ["/p/.http.wasm", "/p/http.cwasm", "/p/Http.wasm", "/p/.wasm", "/p/a b.wasm", "/p/http.wasm.tmp"] {
            assert_eq!(name_of(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe.wasm");
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe.as_path(), rustix::fs::Mode::RUSR).unwrap();
        for path in [pipe.as_path(), dir.path()] {
            assert!(read_bounded(path).unwrap_err().message.ends_with("is not a file"), "{}", path.display());
        }
        assert!(read_bounded(&dir.path().join("absent.wasm")).unwrap_err().hint.is_some());
    }

    #[test]
    fn a_file_larger_than_the_bound_is_refused_before_it_is_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(WASM_BYTES_MAX + 1).unwrap();
        assert!(read_bounded(file.path()).unwrap_err().message.contains("at most"));
    }
}
