//! Sickbay as users run it, with a configuration, a plugin folder, a store and an artifact cache of its own.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::client;
use crate::process::Running;
use crate::scrape::Scrape;
use crate::settings::Settings;

/// Until the first scan of the folder is done; a first compilation is part of it.
const START_TIME_MAX: Duration = Duration::from_secs(120);
/// What of the log is shown when it does not start.
const LOG_LINES_SHOWN: usize = 10;

/// Killed when dropped; its folder is removed after it.
pub(crate) struct Daemon {
    process: Running,
    pub(crate) address: SocketAddr,
    folder: TempDir,
}

impl Daemon {
    /// Starts with `plugins` (name and component) and the text of `checks`; returns when it is ready.
    pub(crate) async fn start(settings: &Settings, plugins: &[(&str, Vec<u8>)], checks: &str) -> anyhow::Result<Daemon> {
        let folder = tempfile::Builder::new().prefix("sickbay-bench-").tempdir().context("cannot make a temporary folder")?;
        let address = free_address()?;
        fs::create_dir(folder.path().join("plugins"))?;
        for (name, component) in plugins {
            fs::write(folder.path().join(format!("plugins/{name}.wasm")), component)?;
        }
        let configuration = folder.path().join("sickbay.toml");
        fs::write(&configuration, configured(address, checks))?;
        let log = File::create(folder.path().join("sickbay.log"))?;
        let process = Running::start(
            Command::new(&settings.program)
                .args(["serve", "--config"])
                .arg(&configuration)
                .env("SICKBAY_CACHE_DIR", folder.path().join("cache"))
                .env("SICKBAY_LOG", "warn")
                .env_remove("SICKBAY_WORKER")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log),
        )?;
        let mut daemon = Daemon { process, address, folder };
        if let Err(error) = daemon.ready().await {
            bail!("sickbay does not start: {error:#}\n{}", daemon.log());
        }
        Ok(daemon)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !matches!(client::get(self.address, "/readyz").await, Ok((200, _))) {
            self.process.still_runs()?;
            ensure!(began.elapsed() < START_TIME_MAX, "it is not ready after {} s", START_TIME_MAX.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The last lines of its log.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("sickbay.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// The folder of the configuration; `plugins` is in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn scrape(&self) -> anyhow::Result<Scrape> {
        let body = client::get_ok(self.address, "/metrics").await?;
        Ok(Scrape::new(String::from_utf8(body.to_vec()).context("/metrics is not UTF-8")?))
    }

    /// Scrapes until `enough` says so, at most for `time_max`.
    pub(crate) async fn scrape_until(&self, time_max: Duration, enough: impl Fn(&Scrape) -> bool) -> anyhow::Result<Scrape> {
        let began = Instant::now();
        loop {
            let scrape = self.scrape().await?;
            if enough(&scrape) {
                return Ok(scrape);
            }
            ensure!(began.elapsed() < time_max, "not all checks had run after {} s\n{}", time_max.as_secs(), self.log());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.process.cpu()
    }

    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        self.process.resident_bytes()
    }
}

/// `count` checks of `plugin` that run every `every`; `rest` is what else each of them says.
pub(crate) fn checks(count: usize, plugin: &str, every: &str, rest: &str) -> String {
    (0..count).map(|number| check(number, plugin, every, rest)).collect()
}

/// One of them.
pub(crate) fn check(number: usize, plugin: &str, every: &str, rest: &str) -> String {
    format!("[[check]]\nname = \"{}\"\nplugin = \"{plugin}\"\nevery = \"{every}\"\n{rest}\n", check_name(plugin, number))
}

pub(crate) fn check_name(plugin: &str, number: usize) -> String {
    format!("{plugin}-{number:05}")
}

fn configured(address: SocketAddr, checks: &str) -> String {
    format!("[server]\nlisten = \"{address}\"\n\n[store]\nurl = \"sqlite:sickbay.db\"\n\n[plugins]\ndir = \"plugins\"\n\n{checks}")
}

/// An address that nobody listens at now.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}
