//! The loops of an author: from nothing to a first green run of a plugin in Python, and from an edit to a run of one in Rust.
//!
//! How: the program is called as a person would call it, in an empty folder with an empty cache of artifacts, and timed on the wall clock. The
//! tools of Python are installed already; the plugin in Rust was built once, so that the library that it uses is there.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::figure::Figure;
use crate::settings::Settings;
use crate::spread::median;

pub(crate) const NAMES: [&str; 2] = ["loop_python_seconds", "loop_rust_seconds"];

const PYTHON_SECONDS_MAX: f64 = 60.0;
const RUST_SECONDS_MAX: f64 = 5.0;
const PLUGIN: &str = "queue-age";
/// What is edited in the template.
const EDITED: &str = "since the run before";

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let python = match python(settings).await {
        Ok(seconds) => Figure::new("loop_python_seconds", seconds, "s").with("new, build and probe; the tools are installed"),
        Err(error) => Figure::missing("loop_python_seconds", "s", format!("{error:#}")),
    };
    let rust = match rust(settings).await {
        Ok(seconds) => Figure::new("loop_rust_seconds", seconds, "s").with("build and probe after an edit of one line"),
        Err(error) => Figure::missing("loop_rust_seconds", "s", format!("{error:#}")),
    };
    Ok(vec![python.at_most(PYTHON_SECONDS_MAX), rust.at_most(RUST_SECONDS_MAX)])
}

async fn python(settings: &Settings) -> anyhow::Result<f64> {
    let author = Author::new(settings)?;
    let began = Instant::now();
    author.calls(&["new", "python", PLUGIN]).await?;
    author.built_and_green().await?;
    Ok(began.elapsed().as_secs_f64())
}

/// The median of some edits.
async fn rust(settings: &Settings) -> anyhow::Result<f64> {
    let author = Author::new(settings)?;
    author.calls(&["new", "rust", PLUGIN]).await?;
    author.built_and_green().await?;
    let source = author.file("src/lib.rs");
    let text = fs::read_to_string(&source).context("the template has no src/lib.rs")?;
    ensure!(text.contains(EDITED), "the template does not say `{EDITED}` any more");
    let mut seconds = Vec::new();
    for edit in 0..settings.either(5, 1) {
        fs::write(&source, text.replacen(EDITED, &format!("{EDITED}, edit {edit}"), 1))?;
        let began = Instant::now();
        author.built_and_green().await?;
        seconds.push(began.elapsed().as_secs_f64());
    }
    Ok(median(&seconds))
}

/// A person with an empty folder.
struct Author {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Author {
    fn new(settings: &Settings) -> anyhow::Result<Author> {
        let folder = tempfile::Builder::new().prefix("sickbay-bench-").tempdir()?;
        Ok(Author { program: settings.program.clone(), folder })
    }

    fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(PLUGIN).join(path)
    }

    async fn built_and_green(&self) -> anyhow::Result<()> {
        self.calls(&["build", PLUGIN, "--out", "plugins"]).await?;
        self.calls(&["probe", "--plugin", &format!("plugins/{PLUGIN}.wasm")]).await
    }

    /// Fails where the program does not end with 0.
    async fn calls(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        command.env("SICKBAY_CACHE_DIR", self.folder.path().join("cache")).env("NO_COLOR", "1").env_remove("PYTHONPATH");
        let output = command.output().await.context("the program cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "`sickbay {}` ended with {}: {}", arguments.join(" "), output.status, said.trim());
        Ok(())
    }
}
