//! One check that reads its configuration and reports a metric, written in each language twice: as a plugin on the SDK, and as a program that
//! is started for each run. Both are in `tests/languages`.
//!
//! How: rounds of fresh runs, of runs on a kept instance and of processes take turns, language after language, each timed on the wall clock.
//! A plugin goes through the whole runtime layer (`whole.rs`). A process is started and waited for, with its output thrown away. What a
//! machine has no component or no compiler of is left out, with why.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use sickbay_capabilities::Lent;
use sickbay_runtime::{HeadStart, Sandbox, SandboxSettings, WarmInstance};

use crate::figure::Figure;
use crate::fresh::microseconds;
use crate::process::{minor_faults, program};
use crate::settings::Settings;
use crate::spread::median;
use crate::whole::{Asked, Whole};

pub(crate) const NAMES: [&str; 20] = [
    "guest_c_fresh_p50",
    "guest_c_warm_p50",
    "guest_c_beside",
    "guest_c_ratio",
    "guest_rust_fresh_p50",
    "guest_rust_warm_p50",
    "guest_rust_beside",
    "guest_rust_ratio",
    "guest_go_fresh_p50",
    "guest_go_warm_p50",
    "guest_go_beside",
    "guest_go_ratio",
    "guest_javascript_fresh_p50",
    "guest_javascript_warm_p50",
    "guest_javascript_beside",
    "guest_javascript_ratio",
    "guest_python_fresh_p50",
    "guest_python_warm_p50",
    "guest_python_beside",
    "guest_python_ratio",
];

const CONFIG: &str = r#"{"waiting": 7, "limit": 10}"#;

#[derive(Clone, Copy)]
struct Language {
    name: &'static str,
    /// Its component, without `.wasm`.
    guest: &'static str,
    fresh_us_max: f64,
    warm_us_max: f64,
    /// In a round, of each sort.
    runs: usize,
    processes: usize,
}

const LANGUAGES: [Language; 5] = [
    Language { name: "c", guest: "bench-c", fresh_us_max: 10.0, warm_us_max: 1.0, runs: 200, processes: 5 },
    Language { name: "rust", guest: "bench-rust", fresh_us_max: 20.0, warm_us_max: 2.0, runs: 200, processes: 5 },
    Language { name: "go", guest: "bench-go", fresh_us_max: 300.0, warm_us_max: 6.0, runs: 50, processes: 5 },
    Language { name: "javascript", guest: "bench-javascript", fresh_us_max: 400.0, warm_us_max: 70.0, runs: 20, processes: 1 },
    Language { name: "python", guest: "bench-python", fresh_us_max: 850.0, warm_us_max: 25.0, runs: 20, processes: 1 },
];

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
    let sandbox_settings = SandboxSettings { artifacts: folder.path().join("cache"), worker: settings.program.clone() };
    let sandbox = Sandbox::<Lent>::new(&sandbox_settings).context("the sandbox does not start")?;
    let mut sides = Vec::new();
    for language in LANGUAGES {
        let plugin = Guest::load(settings, &sandbox, language).await.map_err(told);
        let process = native(language.name, folder.path()).map(Process::new).map_err(told);
        sides.push(Sides { language, plugin, process });
    }
    // The first rounds fill pools and caches.
    for round in 0..settings.either(40, 4) + 2 {
        for sides in &mut sides {
            sides.turn().await;
            if round == 1 {
                sides.forget_times();
            }
        }
    }
    Ok(sides.iter().flat_map(Sides::figures).collect())
}

fn told(error: anyhow::Error) -> String {
    format!("{error:#}")
}

/// Both sides of one language; why, where there is none.
struct Sides {
    language: Language,
    plugin: Result<Guest, String>,
    process: Result<Process, String>,
}

impl Sides {
    async fn turn(&mut self) {
        if let Ok(plugin) = &mut self.plugin
            && let Err(error) = plugin.turn(self.language.runs).await
        {
            self.plugin = Err(told(error));
        }
        if let Ok(process) = &mut self.process
            && let Err(error) = process.turn(self.language.processes)
        {
            self.process = Err(told(error));
        }
    }

    fn forget_times(&mut self) {
        if let Ok(plugin) = &mut self.plugin {
            (plugin.fresh_us, plugin.faults) = (Vec::new(), 0);
            if let Ok(warm) = &mut plugin.warm {
                warm.times_us = Vec::new();
            }
        }
        if let Ok(process) = &mut self.process {
            process.times_us = Vec::new();
        }
    }

    fn figures(&self) -> [Figure; 4] {
        let [fresh_name, warm_name, beside_name, ratio_name] = self.names();
        let beside = self.process.as_ref().map(|process| median(&process.times_us));
        let fresh = self.plugin.as_ref().map(|plugin| median(&plugin.fresh_us));
        let warm = self.plugin.as_ref().and_then(|plugin| plugin.warm.as_ref()).map(|warm| median(&warm.times_us));
        let made = |name, value: Result<f64, &String>, unit| match value {
            Ok(value) => Figure::new(name, value, unit),
            Err(why) => Figure::missing(name, unit, why.clone()),
        };
        let with_beside = |figure: Figure| match beside {
            Ok(beside) => figure.beside(beside_name, beside, "us"),
            Err(_) => figure,
        };
        let mut fresh_figure = with_beside(made(fresh_name, fresh, "us")).at_most(self.language.fresh_us_max);
        if let Ok(plugin) = &self.plugin {
            fresh_figure = fresh_figure.with(plugin.conditions());
        }
        [
            fresh_figure,
            with_beside(made(warm_name, warm, "us")).at_most(self.language.warm_us_max),
            made(beside_name, beside, "us").with("wall clock, from starting a process to its end"),
            made(ratio_name, fresh.and_then(|fresh| beside.map(|beside| fresh / beside)), "ratio"),
        ]
    }

    /// In the order of [`NAMES`].
    fn names(&self) -> [&'static str; 4] {
        let begin = format!("guest_{}_", self.language.name);
        let at = NAMES.iter().position(|name| name.starts_with(&begin)).unwrap_or_default();
        [NAMES[at], NAMES[at + 1], NAMES[at + 2], NAMES[at + 3]]
    }
}

/// The plugin's side.
struct Guest {
    whole: Whole,
    fresh_us: Vec<f64>,
    /// Pages that the fresh runs touched first.
    faults: u64,
    warm: Result<Warm, String>,
}

#[derive(Default)]
struct Warm {
    kept: Option<WarmInstance<Lent>>,
    times_us: Vec<f64>,
}

impl Guest {
    async fn load(settings: &Settings, sandbox: &Sandbox<Lent>, language: Language) -> anyhow::Result<Guest> {
        let component = settings.guest(language.guest).context("./tests/bench builds it where the tools of the language are")?;
        let asked = Asked { check: language.guest, kind: "backlog", config: CONFIG };
        let whole = Whole::load(sandbox, component, asked).await?;
        Ok(Guest { whole, fresh_us: Vec::new(), faults: 0, warm: Ok(Warm::default()) })
    }

    async fn turn(&mut self, runs: usize) -> anyhow::Result<()> {
        let faults = minor_faults()?;
        for _ in 0..runs {
            let began = Instant::now();
            self.whole.run().await?;
            self.fresh_us.push(microseconds(began));
        }
        self.faults += minor_faults()? - faults;
        for _ in 0..runs {
            let Ok(warm) = &mut self.warm else { break };
            let (kept, began) = (warm.kept.take(), Instant::now());
            match self.whole.run_warm(kept).await {
                Ok(kept) => {
                    warm.times_us.push(microseconds(began));
                    warm.kept = kept;
                }
                Err(error) => self.warm = Err(told(error)),
            }
        }
        Ok(())
    }

    fn conditions(&self) -> String {
        let plugin = self.whole.plugin();
        let start = match &plugin.head_start {
            HeadStart::None => String::new(),
            HeadStart::Given => ", behind a start that was done once".to_owned(),
            HeadStart::Refused(why) => format!(", with a start in each instance because {why}"),
        };
        format!(
            "wall clock, {} runs of a component of {} KiB, {:.0} page faults a run{start}",
            self.fresh_us.len(),
            plugin.size_bytes.div_ceil(1024),
            self.faults as f64 / self.fresh_us.len() as f64,
        )
    }
}

/// The other side.
struct Process {
    command: Command,
    times_us: Vec<f64>,
}

impl Process {
    fn new(mut command: Command) -> Process {
        command.arg(CONFIG).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Process { command, times_us: Vec::new() }
    }

    fn turn(&mut self, processes: usize) -> anyhow::Result<()> {
        for _ in 0..processes {
            let began = Instant::now();
            let status = self.command.status().with_context(|| format!("cannot start {}", self.command.get_program().display()))?;
            ensure!(status.success(), "{} ended with {status}", self.command.get_program().display());
            self.times_us.push(microseconds(began));
        }
        Ok(())
    }
}

/// The program of a language, compiled into `folder` where it has to be.
fn native(language: &str, folder: &Path) -> anyhow::Result<Command> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("languages").join(language);
    let made = folder.join(format!("native-{language}"));
    match language {
        "c" => {
            let mut compiler = Command::new(tool("cc")?);
            finish(compiler.args(["-O2", "-o"]).arg(&made).arg(sources.join("native/check.c")))?;
            Ok(Command::new(made))
        }
        "go" => {
            let mut compiler = Command::new(tool("go")?);
            finish(compiler.args(["build", "-o"]).arg(&made).arg("./native").current_dir(&sources).env("GOPROXY", "off"))?;
            Ok(Command::new(made))
        }
        "rust" => {
            let example = std::env::current_exe()?.with_file_name("examples").join("bench-native");
            ensure!(example.is_file(), "{} is not built; hint: cargo build --release --workspace --all-targets", example.display());
            Ok(Command::new(example))
        }
        "javascript" => {
            let mut command = Command::new(tool("node")?);
            command.arg(sources.join("native/check.js"));
            Ok(command)
        }
        "python" => {
            let mut command = Command::new(interpreter()?);
            command.arg(sources.join("native/check.py"));
            Ok(command)
        }
        other => bail!("there is no program in {other}"),
    }
}

fn tool(name: &str) -> anyhow::Result<PathBuf> {
    program(&[name]).with_context(|| format!("no `{name}` on the path"))
}

/// The interpreter itself: what is called `python3` may be a script that looks for it.
fn interpreter() -> anyhow::Result<PathBuf> {
    let asked =
        Command::new(tool("python3")?).args(["-c", "import sys; print(sys.executable)"]).output().context("cannot start python3")?;
    let path = PathBuf::from(String::from_utf8_lossy(&asked.stdout).trim());
    ensure!(fs::exists(&path).unwrap_or(false), "python3 does not tell where it is");
    Ok(path)
}

fn finish(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} ended with {}: {}", command.get_program().display(), output.status, said.trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_a_language_are_its_own() {
        for language in LANGUAGES {
            let sides = Sides { language, plugin: Err(String::new()), process: Err(String::new()) };
            let ends = ["fresh_p50", "warm_p50", "beside", "ratio"];
            assert_eq!(sides.names().map(str::to_owned), ends.map(|end| format!("guest_{}_{end}", language.name)));
        }
    }

    #[test]
    fn a_side_that_is_missing_leaves_the_other() {
        let process = Process { command: Command::new("x"), times_us: vec![500.0] };
        let sides = Sides { language: LANGUAGES[0], plugin: Err("not built".to_owned()), process: Ok(process) };
        let [fresh, _, beside, ratio] = sides.figures().map(|figure| figure.to_string());
        assert!(fresh.contains(r#""value":null"#) && fresh.contains("not built"), "{fresh}");
        assert!(beside.contains(r#""value":500"#), "{beside}");
        assert!(ratio.contains(r#""value":null"#), "{ratio}");
    }
}
