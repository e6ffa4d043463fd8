//! The daemon: what is started, in which order, and how it ends.
//!
//! Start: configuration -> store, and what it has of alerts -> listener and API -> sandbox -> first scan of the folder -> the checks against
//! their plugins -> scheduler, folder, reloader, alerts, retention. An error before the scheduler ends the process with nothing run. Where
//! asked, `import` comes before the store is opened.
//! End (SIGTERM, Ctrl-C): the scheduler stops, runs and deliveries under way finish within [`DRAIN_MAX`], what objectives count is written, the
//! queue is flushed, recorded runs are written, the store is closed.
//!
//! Invariant: every task of the daemon is started here; what runs checks ends by one token, the API by a second one after the last result
//! is written.

mod awaited;
mod composite;
mod conclude;
pub mod folder;
pub(crate) mod guest;
pub mod import;
mod push;
pub mod reload;
mod run;
mod scheduler;
mod slo;
mod watcher;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use sickbay_capabilities::Services;
use sickbay_runtime::SandboxSettings;
use sickbay_store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use run::{RUNS_MAX, RunNowError, Runner, host_calls_end};

use crate::alerting::tick;
use crate::alerting::workers::Workers;
use crate::config::{Config, ConfigErrors};
use crate::live::{Events, Live};
use crate::plugins::{Registry, Sandbox};
use crate::slo::SloTable;
use crate::{alerting, api, clock, logging};

/// Plain results are durable this long after they were made, at the latest.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Runs under way at the end have this long to finish.
const DRAIN_MAX: Duration = Duration::from_secs(10);
const RETENTION_INTERVAL: Duration = Duration::from_secs(60);

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Config(ConfigErrors),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// A daemon that runs.
pub struct Daemon {
    pub live: Arc<Live>,
    pub address: SocketAddr,
    stop: CancellationToken,
    api_stop: CancellationToken,
    tasks: TaskTracker,
    runs: TaskTracker,
    /// Ends when the last counts of objectives are written, after it was told to.
    counts_kept: JoinHandle<()>,
    counts_stop: CancellationToken,
}

impl Daemon {
    /// Starts everything; returns when the first scan is done and the scheduler runs.
    pub async fn start(config: Config) -> Result<Daemon, StartError> {
        let config = Arc::new(config);
        logging::mask_by(&config.services.shapes);
        // From the beginning: SIGHUP would end a process that does not listen to it.
        let hangup = signal(SignalKind::hangup()).map_err(anyhow::Error::from)?;
        let (stop, api_stop) = (CancellationToken::new(), CancellationToken::new());
        let (tasks, runs) = (TaskTracker::new(), TaskTracker::new());
        let store = open_store(&config).await?;
        let live = live(Arc::clone(&config), store, &tasks).await?;
        let address = listen(&live, &tasks, &api_stop).await?;
        let services = services(&config).await?;
        let sandbox = Arc::new(sandbox(&config)?);

        let folder_woken = Arc::new(Notify::new());
        let scanner = Arc::new(folder::Folder::new(Arc::clone(&live), sandbox, Arc::clone(&services), Arc::clone(&folder_woken)));
        make_plugin_folder(&config.plugins.dir)?;
        scanner.first_scan().await;
        for warning in reload::against_plugins(&config, &live.plugins).map_err(StartError::Config)? {
            warning.log();
        }
        let memories = reload::remembered(&*live.store).await.map_err(anyhow::Error::from)?;
        live.replace_checks(reload::table(&config, &live.plugins, &memories));
        let slos = SloTable::read(&config, &SloTable::default(), &*live.store).await.map_err(anyhow::Error::from)?;
        live.slos.store(Arc::new(slos));

        let runner = Arc::new(Runner::new(Arc::clone(&live), services, runs.clone()));
        live.runner.store(Some(Arc::clone(&runner)));
        let workers = Workers::new(Arc::clone(&live), Arc::clone(&runner), runs.clone());
        let config_woken = Arc::new(Notify::new());
        let changed = watch::Sender::new(());
        start_schedulers(&live, &runner, &runs, &changed, &stop).map_err(anyhow::Error::from)?;
        let watched = changed.subscribe();
        let reloader = reload::Reloader { live: Arc::clone(&live), woken: Arc::clone(&config_woken), changed, hangup };
        tasks.spawn(Arc::clone(&scanner).run(stop.clone()));
        tasks.spawn(reloader.run(stop.clone()));
        tasks.spawn(tick::run(live.alerts.clone(), stop.clone()));
        tasks.spawn(workers.run(stop.clone()));
        tasks.spawn(retention(Arc::clone(&live), stop.clone()));
        tasks.spawn(watcher::watch(Arc::clone(&live), folder_woken, config_woken, watched, stop.clone()));
        let counts_stop = CancellationToken::new();
        let counts_kept = tasks.spawn(slo::keep(Arc::clone(&live), counts_stop.clone()));
        live.scanned.store(true, Ordering::Release);
        Ok(Daemon { live, address, stop, api_stop, tasks, runs, counts_kept, counts_stop })
    }

    /// Stops in order; nothing that was recorded is lost.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.runs.close();
        if tokio::time::timeout(DRAIN_MAX, self.runs.wait()).await.is_err() {
            tracing::warn!("{} runs and deliveries did not end within {} s and are given up", self.runs.len(), DRAIN_MAX.as_secs());
        }
        self.live.runner.store(None);
        self.counts_stop.cancel();
        if tokio::time::timeout(DRAIN_MAX, self.counts_kept).await.is_err() {
            tracing::warn!("the counts of objectives were not written within {} s", DRAIN_MAX.as_secs());
        }
        self.live.queue.shutdown().await.context("the last results could not be written")?;
        if tokio::time::timeout(DRAIN_MAX, self.live.transcripts.close()).await.is_err() {
            tracing::warn!("the last recorded runs were not written within {} s", DRAIN_MAX.as_secs());
        }
        self.api_stop.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(DRAIN_MAX, self.tasks.wait()).await;
        self.live.store.close().await;
        Ok(())
    }
}

/// One thread for each processor, each with a scheduler and the runs that it begins.
fn start_schedulers(
    live: &Arc<Live>,
    runner: &Arc<Runner>,
    runs: &TaskTracker,
    changed: &watch::Sender<()>,
    stop: &CancellationToken,
) -> std::io::Result<()> {
    let of = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    for index in 0..of {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shard = scheduler::Shard { index, of };
        let scheduler = scheduler::Scheduler::new(Arc::clone(live), Arc::clone(runner), runs.clone(), changed.subscribe(), shard);
        let (runs, stop) = (runs.clone(), stop.clone());
        std::thread::Builder::new().name(format!("runs-{index}")).spawn(move || {
            runtime.block_on(async {
                scheduler.run(stop).await;
                // The runs live on this thread: it ends when they have, or are given up.
                let _ = tokio::time::timeout(DRAIN_MAX, runs.wait()).await;
            });
        })?;
    }
    Ok(())
}

/// SIGTERM or Ctrl-C.
pub async fn stop_signal() -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    sickbay_store::open(&config.store.url, &config.dir).await.context("the store cannot be opened")
}

async fn live(config: Arc<Config>, store: Arc<dyn Store>, tasks: &TaskTracker) -> anyhow::Result<Arc<Live>> {
    let (_, last_seq) = store.bounds().await?;
    let events = Events::new(last_seq);
    let started = alerting::start(&store, &config, FLUSH_INTERVAL, events.clone()).await;
    let (alerts, queue, writer) = started.context("what is stored of alerts cannot be taken up")?;
    tasks.spawn(async move {
        if let Err(error) = writer.await {
            tracing::error!("the writer of results was lost: {error}");
        }
    });
    Ok(Arc::new(Live::new(store, queue, alerts, events, Arc::new(Registry::default()), config, clock::now())))
}

async fn listen(live: &Arc<Live>, tasks: &TaskTracker, stop: &CancellationToken) -> anyhow::Result<SocketAddr> {
    let wanted = live.config.load().server.listen;
    let listener = TcpListener::bind(wanted).await.with_context(|| {
        format!("cannot listen on {wanted}; hint: another sickbay may be running there; set `listen` under `[server]` to a free port")
    })?;
    let address = listener.local_addr()?;
    let router = api::router(Arc::clone(live), address);
    let (stop, live) = (stop.clone(), Arc::clone(live));
    // Asked for each connection: a renewed certificate is the next one's.
    let transport: api::server::Transport = Arc::new(move || live.config.load().tls.as_ref().map(|tls| Arc::clone(&tls.0)));
    tasks.spawn(async move { api::serve(listener, router, transport, stop.cancelled_owned()).await });
    Ok(address)
}

/// Certificates and keys are read, which may wait for a disk.
async fn services(config: &Arc<Config>) -> anyhow::Result<Arc<Services>> {
    let config = Arc::clone(config);
    Ok(tokio::task::spawn_blocking(move || Services::new(&config.services)).await??)
}

/// The sandbox of this process, with its artifacts where the environment says or in the user's cache.
pub fn sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    let worker = match std::env::var_os("SICKBAY_WORKER") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe().context("the path of this program is not known")?,
    };
    Ok(Sandbox::new(&SandboxSettings { artifacts: artifacts(&config.dir), worker })?)
}

/// `SICKBAY_CACHE_DIR`, else the user's cache folder, else beside the configuration.
pub fn artifacts(dir: &Path) -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    std::env::var_os("SICKBAY_CACHE_DIR")
        .filter(|path| !path.is_empty())
        .map(|path| std::path::absolute(&path).unwrap_or_else(|_| PathBuf::from(path)))
        .or_else(|| absolute("XDG_CACHE_HOME").map(|cache| cache.join("sickbay/artifacts")))
        .or_else(|| absolute("HOME").map(|home| home.join(".cache/sickbay/artifacts")))
        .unwrap_or_else(|| dir.join(".sickbay-cache"))
}

fn make_plugin_folder(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the plugin folder {}; hint: set `dir` under `[plugins]`", dir.display()))
}

/// Removes results that are older than they are kept.
async fn retention(live: Arc<Live>, stop: CancellationToken) {
    loop {
        let kept = live.config.load().retention;
        match live.store.prune(&kept, clock::now()).await {
            Ok(pruned) => tracing::debug!(?pruned, "retention"),
            Err(error) => tracing::error!("old results could not be removed: {error}"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETENTION_INTERVAL) => {}
        }
    }
}
