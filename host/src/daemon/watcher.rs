//! Tells the folder and the reloader that files changed. It may wake them for nothing and may miss a change: both look for themselves.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::CHECKS_FOLDER;
use crate::live::Live;

/// How long until a watch that failed (a folder that is not there, too many watches) is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// Folders of files that the configuration names.
const FOLDERS_MAX: usize = 64;
/// What Kubernetes replaces in a folder of secrets: the files in it lead through it.
const VOLUME_LINK: &str = "..data";

/// Who is told.
#[derive(Clone)]
struct Told {
    folder: Arc<Notify>,
    configuration: Arc<Notify>,
    /// `checks.d` came or went.
    moved: Arc<Notify>,
}

/// Watches until `stop`; `changed` tells that another configuration may be in force.
pub(super) async fn watch(
    live: Arc<Live>,
    folder: Arc<Notify>,
    configuration: Arc<Notify>,
    mut changed: watch::Receiver<()>,
    stop: CancellationToken,
) {
    let dir = live.config.load().dir.clone();
    let plugins = live.config.load().plugins.dir.clone();
    let plugins = std::fs::canonicalize(&plugins).unwrap_or(plugins);
    let told = Told { folder, configuration, moved: Arc::new(Notify::new()) };
    let mut said = false;
    loop {
        let named = live.config.load().beside.clone();
        let watcher = watcher(&dir, &plugins, &named, &told);
        match &watcher {
            Ok(_) => tokio::select! {
                () = stop.cancelled() => return,
                // Watch what is there now.
                () = told.moved.notified() => continue,
                () = other_files(&live, &named, &mut changed) => continue,
            },
            Err(error) if !said => {
                said = true;
                tracing::warn!("files are not watched ({error}); changes are found by looking every few seconds");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Waits until a configuration is in force that names other files than `named`.
async fn other_files(live: &Live, named: &[PathBuf], changed: &mut watch::Receiver<()>) {
    while changed.changed().await.is_ok() {
        if live.config.load().beside != named {
            return;
        }
    }
    // Nobody reloads any more.
    std::future::pending().await
}

fn watcher(dir: &Path, plugins: &Path, named: &[PathBuf], told: &Told) -> notify::Result<notify::RecommendedWatcher> {
    let (in_folder, told) = (plugins.to_owned(), told.clone());
    let files: HashSet<PathBuf> = named.iter().cloned().collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if matches!(event.kind, notify::EventKind::Access(notify::event::AccessKind::Open(_) | notify::event::AccessKind::Read)) {
            return;
        }
        if event.paths.iter().any(|path| files.contains(path) || path.ends_with(VOLUME_LINK)) {
            told.configuration.notify_one();
        }
        if event.paths.iter().any(|path| path.starts_with(&in_folder)) {
            told.folder.notify_one();
        } else if event.paths.iter().any(|path| path.extension().is_some_and(|end| end == "toml")) {
            told.configuration.notify_one();
        } else if event.paths.iter().any(|path| path.ends_with(CHECKS_FOLDER)) {
            told.configuration.notify_one();
            told.moved.notify_one();
        }
    })?;
    watcher.watch(plugins, RecursiveMode::NonRecursive)?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    let checks = dir.join(CHECKS_FOLDER);
    if checks.is_dir() {
        watcher.watch(&checks, RecursiveMode::NonRecursive)?;
    }
    for folder in folders(named, &[dir, plugins]) {
        // It may not be there yet, and what is in it is looked at every few seconds.
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::debug!(folder = %folder.display(), %error, "a folder with a file of the configuration is not watched");
        }
    }
    Ok(watcher)
}

/// The folders that the named files are in, without those that are watched anyway.
fn folders<'named>(named: &'named [PathBuf], known: &[&Path]) -> Vec<&'named Path> {
    let folders: BTreeSet<&Path> = named.iter().filter_map(|file| file.parent()).filter(|folder| !known.contains(folder)).collect();
    folders.into_iter().take(FOLDERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_named_file_is_watched_once() {
        let named: Vec<PathBuf> =
            ["/etc/s/a.url", "/run/secrets/b.url", "/run/secrets/c.key", "/etc/s/plugins/d"].map(PathBuf::from).to_vec();
        let known = [Path::new("/etc/s"), Path::new("/etc/s/plugins")];
        assert_eq!(folders(&named, &known), [Path::new("/run/secrets")]);
    }
}
