//! `sickbay watch DIR`: builds a plugin and runs it, again and again when its sources are saved.
//!
//! How it works: a cycle is `sickbay build DIR` and then `sickbay probe` of what it made, each a process of its own whose output is shown as
//! it comes. What has no check (a sink, a recovery) is run on the folder's fixtures instead (`sickbay test DIR`), or where there are none shown
//! (`sickbay inspect`). The system tells of changes; the folder is looked at every second too. What counts is the contents, so a tool that touches
//! files starts nothing.
//!
//! Invariant: no build outlives it: what a cycle started ends with it.

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use notify::{RecursiveMode, Watcher};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::daemon::stop_signal;
use crate::failure::Failure;
use crate::toolchain::{self, Saved};

/// An editor saves several files, and each in several steps.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// A look happens at least this often, also where the system does not tell of changes.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Changed files that are named.
const NAMES_SHOWN_MAX: usize = 3;

#[derive(Args)]
pub struct WatchArgs {
    /// A plugin's folder, or a folder of plugins
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Where the component goes, as with `build`; the folder of a running Sickbay swaps it in
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The kind to run with its own example, where the plugin has several
    #[arg(long)]
    kind: Option<String>,
    /// Run this check of the configuration instead, with its `config` and grants; the component goes into its plugin folder
    #[arg(long, value_name = "NAME", conflicts_with = "kind")]
    check: Option<String>,
    /// The configuration that has the check
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
}

pub fn run(args: WatchArgs) -> anyhow::Result<ExitCode> {
    let directory = args.directory.canonicalize().map_err(|error| {
        let failure = Failure::usage(format!("cannot read the folder {}", args.directory.display()));
        anyhow::Error::from(error).context(failure.with_hint("name a plugin's folder, or a folder of plugins"))
    })?;
    if toolchain::find_sources(&directory)?.is_empty() {
        return Err(super::build::nothing_to_build(&[directory]).into());
    }
    let out = match (&args.out, &args.check) {
        (Some(out), _) => Some(out.clone()),
        (None, Some(_)) => Some(super::serve::load(&args.config)?.plugins.dir),
        (None, None) => None,
    };
    let cycle = Cycle { program: std::env::current_exe()?, directory, out, args };
    super::serve::runtime()?.block_on(watch(&cycle))
}

async fn watch(cycle: &Cycle) -> anyhow::Result<ExitCode> {
    let stop = stop_signal();
    tokio::pin!(stop);
    let woken = Arc::new(Notify::new());
    let watcher = watcher(&cycle.directory, &woken);
    if let Err(error) = &watcher {
        eprintln!("files are not watched ({error}); changes are found by looking every second");
    }
    let mut saved = Saved::look(&cycle.directory);
    eprintln!("== {}", cycle.directory.display());
    loop {
        tokio::select! {
            ran = cycle.run() => eprintln!("== {}; waiting for a change, Ctrl-C ends", ran?),
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        }
        let now = tokio::select! {
            now = next(&cycle.directory, &saved, &woken) => now,
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        eprintln!("\n== {} changed", names(&now.changed_since(&saved)));
        saved = now;
    }
}

/// Wakes for whatever may be a source; the look decides.
fn watcher(directory: &Path, woken: &Arc<Notify>) -> notify::Result<notify::RecommendedWatcher> {
    let (root, woken) = (directory.to_owned(), Arc::clone(woken));
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let is_source =
            |path: &PathBuf| path.strip_prefix(&root).is_ok_and(|path| path.iter().all(|name| toolchain::may_be_source(Path::new(name))));
        if !matches!(event.kind, notify::EventKind::Access(_)) && event.paths.iter().any(is_source) {
            woken.notify_one();
        }
    })?;
    watcher.watch(directory, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Waits until something else is saved than `saved`, and nothing more comes.
async fn next(directory: &Path, saved: &Saved, woken: &Notify) -> Saved {
    loop {
        tokio::select! {
            () = woken.notified() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        let mut now = Saved::look(directory);
        while now != *saved {
            tokio::time::sleep(DEBOUNCE).await;
            let again = Saved::look(directory);
            if again == now {
                return now;
            }
            now = again;
        }
    }
}

fn names(changed: &[&Path]) -> String {
    let mut names: Vec<String> = changed.iter().take(NAMES_SHOWN_MAX).map(|path| path.display().to_string()).collect();
    if changed.len() > NAMES_SHOWN_MAX {
        names.push(format!("{} more", changed.len() - NAMES_SHOWN_MAX));
    }
    names.join(", ")
}

/// What is done each time.
struct Cycle {
    program: PathBuf,
    directory: PathBuf,
    out: Option<PathBuf>,
    args: WatchArgs,
}

impl Cycle {
    /// Says in one sentence how it went.
    async fn run(&self) -> anyhow::Result<String> {
        let mut build = Command::new(&self.program);
        build.arg("build").arg(&self.directory).stdout(Stdio::piped());
        if let Some(out) = &self.out {
            build.arg("--out").arg(out);
        }
        let built = Group::start(build)?.ended().await?;
        if !built.status.success() {
            return Ok("not built; the component before it stays".to_owned());
        }
        let made = String::from_utf8_lossy(&built.stdout).into_owned();
        let mut results = Vec::new();
        for Trial { command, told } in self.trials(&made).await? {
            let ran = Group::start(command)?.ended().await?;
            results.push(told(ran.status.code()));
        }
        Ok(format!("built and run: {}", results.join(", ")))
    }

    /// What is run of the components that were made: the check that was named, else what each of them has.
    async fn trials(&self, made: &str) -> anyhow::Result<Vec<Trial>> {
        if let Some(check) = &self.args.check {
            let mut command = self.verb("probe");
            command.arg(check).arg("--config").arg(&self.args.config);
            return Ok(vec![Trial { command, told: probed }]);
        }
        let (mut trials, mut without_check) = (Vec::new(), Vec::new());
        for component in made.lines() {
            if !self.has_check(component).await? {
                without_check.push(component);
                continue;
            }
            let mut command = self.verb("probe");
            command.arg("--plugin").arg(component);
            if let Some(kind) = &self.args.kind {
                command.arg("--kind").arg(kind);
            }
            trials.push(Trial { command, told: probed });
        }
        if !super::test::has_fixtures(&self.directory) {
            trials.extend(without_check.into_iter().map(|component| {
                let mut command = self.verb("inspect");
                command.arg(component);
                Trial { command, told: inspected }
            }));
        } else if !without_check.is_empty() {
            let mut command = self.verb("test");
            command.arg(&self.directory);
            // Of several each fixture names its own.
            if let ([only], true) = (without_check.as_slice(), trials.is_empty()) {
                command.arg("--plugin").arg(only);
            }
            trials.push(Trial { command, told: tested });
        }
        Ok(trials)
    }

    /// What cannot be told is left to `probe`, which says why.
    async fn has_check(&self, component: &str) -> anyhow::Result<bool> {
        let mut inspect = self.verb("inspect");
        inspect.arg(component).args(["-o", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let told = Group::start(inspect)?.ended().await?.stdout;
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        Ok(told["checks"].as_array().is_none_or(|checks| !checks.is_empty()))
    }

    fn verb(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb);
        command
    }
}

/// One run of what was made, and what its exit code means.
struct Trial {
    command: Command,
    told: fn(Option<i32>) -> &'static str,
}

/// A verb of this program with all that it starts; killed when it is dropped before it ended.
struct Group {
    child: Option<Child>,
    id: Option<Pid>,
}

impl Group {
    fn start(mut command: Command) -> std::io::Result<Group> {
        // A group of its own: cargo and what cargo starts end with it.
        let child = command.stdin(Stdio::null()).process_group(0).kill_on_drop(true).spawn()?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Group { child: Some(child), id })
    }

    async fn ended(mut self) -> anyhow::Result<std::process::Output> {
        let Some(child) = self.child.take() else { anyhow::bail!("it was waited for already") };
        let output = child.wait_with_output().await?;
        // Nobody is left whom the number means.
        self.id = None;
        Ok(output)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// In the words of `probe`'s exit codes.
fn probed(code: Option<i32>) -> &'static str {
    match code {
        Some(0) => "ok",
        Some(1) => "warning",
        Some(2) => "critical",
        _ => "unknown",
    }
}

/// Of `test`.
fn tested(code: Option<i32>) -> &'static str {
    if code == Some(0) { "its fixtures passed" } else { "not all of its fixtures passed" }
}

/// Of `inspect`.
fn inspected(code: Option<i32>) -> &'static str {
    if code == Some(0) { "it has no check to run, and no fixtures" } else { "it cannot be shown" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_changed_files_are_named_and_the_rest_counted() {
        let paths = ["a.py", "b.py", "c.py", "d.py", "e.py"].map(Path::new);
        assert_eq!(names(&paths[..2]), "a.py, b.py");
        assert_eq!(names(&paths), "a.py, b.py, c.py, 2 more");
    }

    #[tokio::test]
    async fn a_change_is_found_whoever_tells_of_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let before = Saved::look(folder.path());
        let nobody = Notify::new();
        std::fs::write(folder.path().join("app.py"), "1").expect("writable");
        let now = next(folder.path(), &before, &nobody).await;
        assert_eq!(now.changed_since(&before), [Path::new("app.py")]);
    }

    #[tokio::test]
    async fn what_a_cycle_started_ends_with_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut shell = Command::new("sh");
        // Its child holds the pipe open as long as it lives.
        shell.args(["-c", "sleep 600 & echo $! > id; wait"]).current_dir(folder.path());
        let group = Group::start(shell).expect("a shell");
        let read = || std::fs::read_to_string(folder.path().join("id")).ok().and_then(|text| text.trim().parse::<i32>().ok());
        holds(|| read().is_some()).await;
        let stat = format!("/proc/{}/stat", read().expect("it is there"));
        // Whom nobody waits for stays as a zombie.
        let is_alive = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        assert!(is_alive());
        drop(group);
        holds(|| !is_alive()).await;
    }

    async fn holds(condition: impl Fn() -> bool) {
        for _ in 0..1000 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it is still not so");
    }
}
