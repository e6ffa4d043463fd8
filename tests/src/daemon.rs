//! One `sickbay serve` in a folder of its own: `sickbay.toml`, `plugins/`, the database, the cache and the log.
//!
//! It listens on a port that the system chooses, so two tests never want the same; after a restart it may be another one.

use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::program;
use crate::wait::{found, until};
use crate::{Answer, Client, Samples};

/// What of the log a failed test shows.
const LOG_LINES_SHOWN: usize = 100;
const LOG_LINE_CHARACTERS_SHOWN: usize = 400;

/// One `[[check]]`; `more` are further lines of its table.
pub fn check(name: &str, plugin: &str, every: &str, more: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\nplugin = \"{plugin}\"\nevery = \"{every}\"\n{more}\n\n")
}

/// One `[[check]]` that runs only when it is asked to; `more` are further lines of its table.
pub fn on_demand(name: &str, plugin: &str, kind: &str, more: &str) -> String {
    // 29 February: not within a test.
    let cadence = "cron = \"0 0 29 2 *\"\ntimeout = \"2s\"";
    format!("[[check]]\nname = \"{name}\"\nplugin = \"{plugin}\"\nkind = \"{kind}\"\n{cadence}\n{more}\n\n")
}

/// One daemon; killed when it is dropped.
#[derive(Debug)]
pub struct Sickbay {
    folder: TempDir,
    /// Where it runs in a mount namespace of its own.
    mounts: Option<String>,
    child: Option<Child>,
    address: Option<SocketAddr>,
    /// Where in the log this start begins.
    log_begin: usize,
    /// `SICKBAY_LOG`, where it is set.
    log_filter: Option<&'static str>,
}

impl Sickbay {
    /// A folder with a configuration and plugins, where nothing runs yet. A plugin is the name of a guest, or `NAME=GUEST`.
    pub fn prepared(checks: &str, plugins: &[&str]) -> Sickbay {
        let folder = tempfile::Builder::new().prefix("sickbay-test-").tempdir().expect("a temporary folder");
        let sickbay = Sickbay { folder, mounts: None, child: None, address: None, log_begin: 0, log_filter: None };
        fs::create_dir(sickbay.path("plugins")).expect("a plugin folder");
        for plugin in plugins {
            let (name, guest) = plugin.split_once('=').unwrap_or((plugin, plugin));
            sickbay.install(name, guest);
        }
        sickbay.configure(checks);
        sickbay
    }

    /// One that is prepared, runs and is ready.
    pub async fn started(checks: &str, plugins: &[&str]) -> Sickbay {
        let mut sickbay = Sickbay::prepared(checks, plugins);
        sickbay.start().await;
        sickbay
    }

    /// It will see other mounts than the test: those that `lines` of shell make in its folder.
    pub fn with_mounts(mut self, lines: &str) -> Sickbay {
        self.mounts = Some(lines.to_owned());
        self
    }

    /// The way to a path in its folder as it sees it, with its own mounts. It runs.
    pub fn seen_path(&self, name: &str) -> PathBuf {
        let child = self.child.as_ref().expect("it runs");
        let path = self.path(name);
        Path::new("/proc").join(child.id().to_string()).join("root").join(path.strip_prefix("/").expect("an absolute path"))
    }

    /// Runs a line of shell in its folder, among the mounts that it sees. It runs.
    ///
    /// # Panics
    /// When the line fails.
    pub fn change_mounts(&self, line: &str) {
        let child = self.child.as_ref().expect("it runs");
        let output = program::among_mounts_of(child.id(), line).output().expect("`nsenter` runs");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// From the next start on it logs by this filter: `debug`.
    pub fn log_by(&mut self, filter: &'static str) {
        self.log_filter = Some(filter);
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file in its folder in one step.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let file = self.path(name);
        let part = file.with_extension("part");
        fs::write(&part, contents).expect("a file can be written");
        fs::rename(part, file).expect("a file can be renamed");
    }

    /// Replaces the configuration; `checks` comes behind the address.
    pub fn configure(&self, checks: &str) {
        self.write("sickbay.toml", format!("[server]\nlisten = \"127.0.0.1:0\"\n\n{checks}"));
    }

    /// Puts a guest into the plugin folder, in one step.
    pub fn install(&self, name: &str, guest: &str) {
        self.install_bytes(name, &program::guest_bytes(guest));
    }

    pub fn install_bytes(&self, name: &str, bytes: &[u8]) {
        self.write(&format!("plugins/{name}.wasm"), bytes);
    }

    pub fn uninstall(&self, name: &str) {
        fs::remove_file(self.path(&format!("plugins/{name}.wasm"))).expect("the plugin's file can be removed");
    }

    /// Starts it and does not wait.
    pub fn spawn(&mut self) {
        self.spawn_with(&[]);
    }

    /// The same, with `more` on its command line.
    pub fn spawn_with(&mut self, more: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        self.log_begin = self.log().len();
        self.address = None;
        let log = OpenOptions::new().create(true).append(true).open(self.path("log")).expect("a log");
        let errors = log.try_clone().expect("a second handle of the log");
        let mut command = program::command(self.folder(), &[&["serve", "--config", "sickbay.toml"][..], more].concat());
        command.envs(self.log_filter.map(|filter| ("SICKBAY_LOG", filter)));
        if let Some(mounts) = &self.mounts {
            command = program::with_mounts(&command, mounts);
        }
        self.child = Some(command.stdout(log).stderr(errors).spawn().expect("SICKBAY_BIN can be started"));
    }

    /// Starts it and waits until it says where it listens.
    pub async fn start_listening(&mut self) {
        self.spawn();
        self.listen().await;
    }

    async fn listen(&mut self) {
        self.address = Some(found("sickbay listens", async || self.listening()).await);
    }

    /// Starts it and waits until its checks run.
    pub async fn start(&mut self) {
        self.start_with(&[]).await;
    }

    /// The same, with `more` on its command line.
    pub async fn start_with(&mut self, more: &[&str]) {
        self.spawn_with(more);
        self.listen().await;
        until("sickbay is ready", async || self.get("/readyz").await.status == 200).await;
    }

    fn listening(&mut self) -> Option<SocketAddr> {
        if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("a child can be asked")) {
            panic!("sickbay ended with {status}");
        }
        let log = self.log_since_start();
        let (_, rest) = log.split_once("listening on http")?;
        let (address, _) = rest.split_once('\n')?;
        let address = address.trim().trim_start_matches('s').trim_start_matches("://");
        let mut address: SocketAddr = address.parse().unwrap_or_else(|error| panic!("`{address}` is not an address: {error}"));
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Some(address)
    }

    fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("it runs")
    }

    /// Asks it to stop, with SIGTERM, and waits; gives its exit code.
    pub async fn stop(&mut self) -> i32 {
        self.signal(Signal::TERM);
        self.ended().await.code().unwrap_or(-1)
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let status = found("sickbay has ended", async || self.child().try_wait().expect("a child can be asked")).await;
        self.child = None;
        status
    }

    /// Kills it at once, with SIGKILL.
    pub fn kill(&mut self) {
        let child = self.child();
        child.kill().expect("a child can be killed");
        child.wait().expect("a child can be waited for");
        self.child = None;
    }

    /// SIGHUP: read the configuration again.
    pub fn hang_up(&mut self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&mut self) {
        self.signal(Signal::TERM);
    }

    fn signal(&mut self, signal: Signal) {
        let pid = Pid::from_child(self.child());
        kill_process(pid, signal).expect("a child can be sent a signal");
    }

    /// All that it has logged, over all starts.
    pub fn log(&self) -> String {
        fs::read(self.path("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What it has logged since its last start.
    pub fn log_since_start(&self) -> String {
        self.log().get(self.log_begin..).unwrap_or_default().to_owned()
    }

    pub fn address(&self) -> SocketAddr {
        self.address.expect("it was started")
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn client(&self) -> Client {
        Client { address: self.address() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.client().get(path).await
    }

    pub async fn json(&self, path: &str) -> Value {
        self.client().json(path).await
    }

    /// `/api/v1/checks/NAME`
    pub async fn check(&self, name: &str) -> Value {
        self.json(&format!("/api/v1/checks/{name}")).await
    }

    /// All checks.
    pub async fn checks(&self) -> Vec<Value> {
        self.client().list("/api/v1/checks", "cursor", 1000).await
    }

    /// The names of all checks.
    pub async fn check_names(&self) -> Vec<String> {
        self.checks().await.iter().map(|check| check["name"].as_str().expect("a check has a name").to_owned()).collect()
    }

    /// `/api/v1/plugins/NAME`
    pub async fn plugin(&self, name: &str) -> Value {
        self.json(&format!("/api/v1/plugins/{name}")).await
    }

    /// The whole stored history of a check, newest first.
    pub async fn results(&self, check: &str) -> Vec<Value> {
        self.client().list(&format!("/api/v1/checks/{check}/results"), "before", 1000).await
    }

    /// Runs a check now; gives what was recorded.
    pub async fn run_now(&self, check: &str) -> Value {
        self.client().run_now(check).await
    }

    pub async fn metrics(&self) -> Samples {
        let answer = self.get("/metrics").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Samples::parse(&answer.text())
    }

    /// How often the outcome of a load of this plugin was counted.
    pub async fn plugin_loads(&self, plugin: &str, outcome: &str) -> f64 {
        self.metrics().await.sum("sickbay_plugin_loads_total", &[("plugin", plugin), ("outcome", outcome)])
    }
}

impl Drop for Sickbay {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the log of sickbay:");
            for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
                eprintln!("  {}", line.chars().take(LOG_LINE_CHARACTERS_SHOWN).collect::<String>());
            }
        }
    }
}
