//! `sickbay test`: plugins on fixtures, which say what the host would answer and what must come of it.
//!
//! How: a fixture is a file in TOML or JSON, or a recorded transcript. A folder means its `fixtures`, those of its immediate subfolders, and,
//! where there is neither, the files in it. Each fixture is a run by itself, with virtual time and nothing of this machine behind it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use sickbay_runtime::transcript::Transcript;

use super::serve::runtime;
use super::stage::{self, Stage};
use crate::escape::escaped;
use crate::failure::Failure;
use crate::plugins::Plugin;

/// The folder of a plugin's fixtures.
const FOLDER: &str = "fixtures";
/// Fixtures, and subfolders of one folder.
const ENTRIES_MAX: usize = 1_000;
/// Files of other programs that stand beside fixtures.
const FOREIGN: [&str; 6] = ["Cargo.toml", "pyproject.toml", "package.json", "package-lock.json", "tsconfig.json", "sickbay.toml"];

// A paragraph is one line: it is wrapped where the terminal ends.
pub const AFTER_HELP: &str = "\
A fixture says which plugin it is for (`plugin = \"NAME\"`, found as target/plugins/NAME.wasm in a folder above, or a path), what is asked \
(`[request]`), what the host answers, call by call (`[[calls]]` with `call`, `asked`, `answer`, `took_us`), and what must come of it \
(`[expect]`). What is left out has a default, and of what is expected only what is written is compared; `{ contains = \"...\" }` is any \
text with that in it. Clocks go on with the calls. Recorded transcripts are fixtures too: there everything must be the same. `export = \
\"plan\"`, `\"act\"`, `\"follow\"` and `\"deliver\"` are for recoveries and sinks.

Examples:
  sickbay test                          ./fixtures, and those of the folders here
  sickbay test plugins/http             every fixture in plugins/http/fixtures
  sickbay test down.toml --plugin target/plugins/my-check.wasm
  sickbay test transcripts/20260102T030405.123Z-api-1f3a9c2e.json

Exit codes: 0 all passed, 1 one failed, 2 there are none, or wrong usage.";

#[derive(Args)]
pub struct TestArgs {
    /// Fixtures, recorded transcripts, or folders of them
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    paths: Vec<PathBuf>,
    /// The plugin that all of them are run on
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
    /// Show the calls of those that pass too
    #[arg(short, long)]
    verbose: bool,
}

pub fn run(args: TestArgs) -> anyhow::Result<ExitCode> {
    let mut fixtures = Vec::new();
    for path in &args.paths {
        fixtures.extend(fixtures_of(path)?);
    }
    if fixtures.is_empty() {
        let named: Vec<String> = args.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::usage(format!("no fixture in {}", named.join(", ")))
            .with_hint(format!("write one as {FOLDER}/NAME.toml; `sickbay test --help` says how"))
            .into());
    }
    runtime()?.block_on(run_all(&args, &fixtures))
}

async fn run_all(args: &TestArgs, fixtures: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut tester = Tester { args, stage: Stage::new(None)?, plugins: BTreeMap::new() };
    let mut failed = 0;
    for fixture in fixtures {
        let text = match tester.run(fixture).await {
            Ok(Verdict { text, passed: true }) => format!("ok      {}\n{text}", fixture.display()),
            Ok(Verdict { text, passed: false }) => {
                failed += 1;
                format!("FAILED  {}\n{text}", fixture.display())
            }
            Err(error) => {
                failed += 1;
                format!("FAILED  {}\n{}", fixture.display(), indented(&super::failure_text(&error)))
            }
        };
        super::print_data(text.as_bytes())?;
    }
    super::print_data(format!("{} passed, {failed} failed\n", fixtures.len() - failed).as_bytes())?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What became of one fixture.
struct Verdict {
    text: String,
    passed: bool,
}

struct Tester<'args> {
    args: &'args TestArgs,
    stage: Stage,
    /// Those that were loaded, by their files.
    plugins: BTreeMap<PathBuf, Plugin>,
}

impl Tester<'_> {
    async fn run(&mut self, fixture: &Path) -> anyhow::Result<Verdict> {
        let transcript = Arc::new(stage::read(fixture)?);
        if !transcript.is_recorded() && transcript.expect.is_null() {
            return Err(Failure::usage("it expects nothing").with_hint("write what must come of the run under `[expect]`").into());
        }
        let file = match &self.args.plugin {
            Some(file) => file.clone(),
            None => plugin_of(fixture, &transcript)?,
        };
        if !self.plugins.contains_key(&file) {
            let plugin = self.stage.load(&file).await?;
            self.plugins.insert(file.clone(), plugin);
        }
        let replayed = self.stage.run(&self.plugins[&file], &transcript).await?;
        let passed = replayed.is_as_written();
        let mut text = String::new();
        if !transcript.name.is_empty() {
            text.push_str(&format!("  {}\n", escaped(&transcript.name)));
        }
        if !passed || self.args.verbose {
            text.push_str(&format!("plugin    {}\n", file.display()));
            text.push_str(&stage::calls(&replayed.calls));
            text.push_str(&format!("result    {}\n", stage::result(&replayed.outcome)));
            text.push_str(&stage::traces(&replayed));
        }
        if replayed.is_beyond_cut {
            text.push_str("  the transcript was cut short, and the run went further than it\n");
        }
        text.push_str(&stage::differences(&replayed));
        Ok(Verdict { text, passed })
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// The fixtures that a path means, in order.
fn fixtures_of(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    if !path.is_dir() {
        return Err(Failure::usage(format!("there is no {}", path.display())).with_hint("name a fixture, or a folder of fixtures").into());
    }
    let own = path.join(FOLDER);
    let mut fixtures = if own.is_dir() { files_in(&own)? } else { Vec::new() };
    for folder in entries(path)?.into_iter().filter(|entry| entry.is_dir() && *entry != own) {
        let below = folder.join(FOLDER);
        if below.is_dir() {
            fixtures.extend(files_in(&below)?);
        }
    }
    if fixtures.is_empty() { files_in(path) } else { Ok(fixtures) }
}

/// Whether a folder means fixtures in folders that are called so.
pub(super) fn has_fixtures(folder: &Path) -> bool {
    let below = || entries(folder).is_ok_and(|entries| entries.iter().any(|entry| entry.join(FOLDER).is_dir()));
    folder.join(FOLDER).is_dir() || below()
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let is_fixture = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.is_file() && matches!(extension, Some("toml" | "json")) && !FOREIGN.contains(&name)
    };
    Ok(entries(folder)?.into_iter().filter(is_fixture).collect())
}

/// What is not hidden in a folder, in order.
fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entries.len() == ENTRIES_MAX {
            return Err(Failure::usage(format!("{} has more than {ENTRIES_MAX} entries", folder.display()))
                .with_hint("name the fixtures, or their folders, one by one")
                .into());
        }
        entries.push(entry.path());
    }
    entries.sort();
    Ok(entries)
}

/// The file of the plugin that a fixture names.
fn plugin_of(fixture: &Path, transcript: &Transcript) -> anyhow::Result<PathBuf> {
    let named = transcript.plugin.as_str();
    if named.is_empty() {
        return Err(Failure::usage("it names no plugin")
            .with_hint("write `plugin = \"NAME\"` at its top, or name a file with --plugin")
            .into());
    }
    let fixture = std::path::absolute(fixture)?;
    if named.contains('/') || named.ends_with(".wasm") {
        return Ok(fixture.parent().unwrap_or(Path::new(".")).join(named));
    }
    let file = format!("{named}.wasm");
    let built = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).into_iter();
    let above = fixture.ancestors().skip(1).map(|folder| folder.join("target"));
    let folders = built.chain(above).map(|target| target.join("plugins")).chain([PathBuf::from("plugins")]);
    // The newest: whichever command built it last.
    let built_at = |path: &PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let found = folders.map(|folder| folder.join(&file)).filter(|path| path.is_file()).max_by_key(built_at);
    Ok(found.ok_or_else(|| {
        Failure::usage(format!("there is no {file} in target/plugins, here or in a folder above, nor in ./plugins"))
            .with_hint("`sickbay build DIR` makes it; or name a file with --plugin")
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf) {
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder is writable");
        std::fs::write(path, "").expect("the folder is writable");
    }

    fn names(root: &Path, found: &[PathBuf]) -> Vec<String> {
        found.iter().map(|path| path.strip_prefix(root).expect("below").display().to_string()).collect()
    }

    #[test]
    fn a_folder_means_its_fixtures_and_those_of_the_plugins_in_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path();
        for file in [
            "http/fixtures/b.toml",
            "http/fixtures/a.json",
            "http/fixtures/.hidden.toml",
            "http/fixtures/notes.md",
            "http/Cargo.toml",
            "net/fixtures/c.toml",
            "net/src/d.toml",
            "loose/e.json",
            "loose/package.json",
        ] {
            write(root.join(file));
        }
        let found = |path: &str| names(root, &fixtures_of(&root.join(path)).expect("readable"));
        assert_eq!(found("http"), ["http/fixtures/a.json", "http/fixtures/b.toml"]);
        assert_eq!(found(""), ["http/fixtures/a.json", "http/fixtures/b.toml", "net/fixtures/c.toml"]);
        assert_eq!(found("loose"), ["loose/e.json"]);
        assert!(has_fixtures(&root.join("http")) && has_fixtures(root));
        assert!(!has_fixtures(&root.join("loose")) && !has_fixtures(&root.join("absent")));
        assert_eq!(found("net/src/d.toml"), ["net/src/d.toml"]);
        assert!(fixtures_of(&root.join("absent")).expect_err("nothing there").to_string().starts_with("there is no "));
    }

    #[test]
    fn a_plugin_is_found_by_its_name_above_the_fixture_or_by_its_path_beside_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path();
        write(root.join("target/plugins/my-check.wasm"));
        let fixture = root.join("plugins/my-check/fixtures/a.toml");
        let of = |plugin: &str| {
            let transcript = Transcript { plugin: plugin.to_owned(), ..Transcript::default() };
            plugin_of(&fixture, &transcript).map_err(|error| error.to_string())
        };
        assert_eq!(of("my-check"), Ok(root.join("target/plugins/my-check.wasm")));
        assert_eq!(of("../x.wasm"), Ok(root.join("plugins/my-check/fixtures/../x.wasm")));
        assert!(of("").is_err_and(|error| error == "it names no plugin"));
        assert!(of("a-plugin-that-nobody-built").is_err_and(|error| error.starts_with("there is no a-plugin-that-nobody-built.wasm")));
    }
}
