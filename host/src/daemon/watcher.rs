//! Tells the folder and the reloader that files changed. It may wake them for nothing and may miss a change: both look for themselves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{CHECKS_FOLDER, Config};

/// How long until a watch that failed (a folder that is not there, too many watches) is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Watches until `stop`.
pub(super) async fn watch(config: Arc<Config>, folder: Arc<Notify>, configuration: Arc<Notify>, stop: CancellationToken) {
    let plugins = std::fs::canonicalize(&config.plugins.dir).unwrap_or_else(|_| config.plugins.dir.clone());
    let moved = Arc::new(Notify::new());
    let mut said = false;
    loop {
        let watcher = watcher(&config.dir, &plugins, Arc::clone(&folder), Arc::clone(&configuration), Arc::clone(&moved));
        match &watcher {
            Ok(_) => tokio::select! {
                () = stop.cancelled() => return,
                // `checks.d` came or went: watch what is there now.
                () = moved.notified() => continue,
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

fn watcher(
    dir: &Path,
    plugins: &Path,
    folder: Arc<Notify>,
    configuration: Arc<Notify>,
    moved: Arc<Notify>,
) -> notify::Result<notify::RecommendedWatcher> {
    let in_folder = plugins.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        if matches!(event.kind, notify::EventKind::Access(notify::event::AccessKind::Open(_) | notify::event::AccessKind::Read)) {
            return;
        }
        if event.paths.iter().any(|path| path.starts_with(&in_folder)) {
            folder.notify_one();
        } else if event.paths.iter().any(|path| path.extension().is_some_and(|end| end == "toml")) {
            configuration.notify_one();
        } else if event.paths.iter().any(|path| path.ends_with(CHECKS_FOLDER)) {
            configuration.notify_one();
            moved.notify_one();
        }
    })?;
    watcher.watch(plugins, RecursiveMode::NonRecursive)?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    let checks = dir.join(CHECKS_FOLDER);
    if checks.is_dir() {
        watcher.watch(&checks, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}
