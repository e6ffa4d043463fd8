//! `sickbay replay`: a recorded run again, with nothing behind it but its transcript.
//!
//! How: the version of the plugin that ran is looked for by its SHA-256, in the plugin folder and in the cache of compiled plugins. It is
//! given the recorded request, clocks, random numbers and answers; each call that it makes is told, and what it came to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use sickbay_runtime::transcript::Transcript;
use sickbay_runtime::{Replayed, digest};

use super::serve::{load, runtime};
use super::stage::{self, Stage};
use super::table::{Last, Layout, table};
use crate::config::{self, Config};
use crate::daemon::folder::{name_of, read_bounded};
use crate::escape::escaped;
use crate::failure::Failure;
use crate::plugins::Plugin;
use crate::transcripts::{is_of, is_run_id, kept_in, path_of};

/// Runs that are listed.
const LISTED_MAX: usize = 50;
/// What of a digest is shown.
const DIGEST_CHARACTERS: usize = 12;

// A paragraph is one line: it is wrapped where the terminal ends.
pub const AFTER_HELP: &str = "\
A check with `record = \"on-failure\"` (or \"always\") keeps the newest ten of its runs as transcripts, in the folder `transcripts` beside \
the configuration. Replaying one needs neither network nor databases nor secrets: every answer, the clocks and the random numbers are those \
of the run, on the same version of the plugin. Each call is shown, where the plugin crashed, and whether the run came to the same.

Examples:
  sickbay replay                    what is recorded
  sickbay replay api                the newest run of the check `api`
  sickbay replay 20260102T030405.123Z-api-1f3a9c2e
  sickbay replay run.json --plugin target/plugins/http.wasm   on another version

Exit codes: 0 the same as recorded, 1 not the same, or the version is not there, 2 there is no such run.";

#[derive(Args)]
pub struct ReplayArgs {
    /// The id of a recorded run, a file with a transcript, or a check for the newest of its runs; without it recorded runs are listed
    #[arg(value_name = "RUN_ID|FILE|CHECK")]
    run: Option<String>,
    /// The configuration: it says where transcripts and plugins are
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// Another version of the plugin, to see what it makes of the run
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,
}

pub fn run(args: ReplayArgs) -> anyhow::Result<ExitCode> {
    match &args.run {
        None => list(&load(&args.config)?),
        Some(named) => runtime()?.block_on(replay(&args, named)),
    }
}

async fn replay(args: &ReplayArgs, named: &str) -> anyhow::Result<ExitCode> {
    let (config, file) = found(&args.config, named)?;
    let transcript = Arc::new(stage::read(&file)?);
    if !transcript.is_recorded() {
        return Err(Failure::usage(format!("{} is no recorded run: it has no `outcome`", file.display()))
            .with_hint("a fixture is run with `sickbay test FILE`")
            .into());
    }
    let stage = Stage::new(config.as_ref())?;
    let plugin = match &args.plugin {
        Some(file) => stage.load(file).await?,
        None => recorded_version(&stage, config.as_ref(), &transcript).await?,
    };
    let replayed = stage.run(&plugin, &transcript).await?;
    super::print_data(told(&transcript, &plugin, &replayed).as_bytes())?;
    Ok(if replayed.is_as_written() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The transcript's file, and the configuration where there is one.
fn found(path: &Path, named: &str) -> anyhow::Result<(Option<Config>, PathBuf)> {
    let file = Path::new(named);
    if file.is_file() {
        // A file is replayed whatever is wrong with a configuration.
        return Ok((config::load(path).ok(), file.to_path_buf()));
    }
    if named.contains('/') {
        return Err(Failure::usage(format!("there is no file {named}")).with_hint("`sickbay replay` lists recorded runs").into());
    }
    let config = load(path)?;
    let folder = &config.transcripts.dir;
    let kept = read_folder(folder)?;
    let run = kept.iter().find(|run| if is_run_id(named) { run.as_str() == named } else { is_of(run, named) });
    let file = run.map(|run| path_of(folder, run)).ok_or_else(|| {
        Failure::usage(format!("no run `{named}` is recorded in {}", folder.display()))
            .with_hint("`sickbay replay` lists those that are; a check's runs are recorded where it says `record = \"on-failure\"`")
    })?;
    Ok((Some(config), file))
}

/// The ids of a folder, the newest first.
fn read_folder(folder: &Path) -> anyhow::Result<Vec<String>> {
    let kept = kept_in(folder).map_err(|error| {
        anyhow::Error::from(error).context(Failure::new(format!("the folder of transcripts {} cannot be read", folder.display())))
    })?;
    Ok(kept.into_keys().rev().collect())
}

fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let folder = &config.transcripts.dir;
    let kept = read_folder(folder)?;
    if kept.is_empty() {
        eprintln!("no run is recorded in {}; a check's runs are where it says `record = \"on-failure\"`", folder.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["RUN", "CHECK", "JUDGED"].map(str::to_owned)];
    for run in kept.iter().take(LISTED_MAX) {
        let (check, judged) = match stage::read(&path_of(folder, run)) {
            Ok(transcript) => (subject(&transcript), transcript.judged),
            Err(error) => ("?".to_owned(), error.to_string()),
        };
        rows.push([run.clone(), check, judged].map(|text| escaped(&text).to_string()));
    }
    super::print_data(table(&rows, Layout::for_stdout(Last::Cut), |_, _| None).as_bytes())?;
    if kept.len() > LISTED_MAX {
        eprintln!("{} more are older", kept.len() - LISTED_MAX);
    }
    Ok(ExitCode::SUCCESS)
}

/// The check with its target.
fn subject(transcript: &Transcript) -> String {
    match transcript.request.get("target").and_then(serde_json::Value::as_str) {
        Some(target) => format!("{}@{target}", transcript.subject()),
        None => transcript.subject().to_owned(),
    }
}

/// The version that ran, from the plugin folder or from what was compiled before.
async fn recorded_version(stage: &Stage, config: Option<&Config>, transcript: &Transcript) -> anyhow::Result<Plugin> {
    let file = format!("{}.wasm", transcript.plugin);
    if name_of(Path::new(&file)).is_none() || transcript.plugin.contains('/') {
        return Err(Failure::usage("the transcript names no plugin").with_hint("name its file with --plugin").into());
    }
    let mut folders: Vec<PathBuf> = config.map(|config| config.plugins.dir.clone()).into_iter().collect();
    folders.extend(["plugins", "target/plugins"].map(PathBuf::from));
    for folder in &folders {
        let path = folder.join(&file);
        if path.is_file() && read_bounded(&path).is_ok_and(|bytes| digest(&bytes) == transcript.sha256) {
            return stage.load(&path).await;
        }
    }
    if let Some(plugin) = stage.load_kept(&transcript.plugin, &transcript.sha256).await {
        return Ok(plugin);
    }
    let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let version = short(&transcript.sha256);
    Err(Failure::new(format!("the version {version} of plugin `{}` that ran is not there", transcript.plugin))
        .with_hint(format!(
            "it was looked for in {} and among what was compiled before; copy that {file} back, or name another version with --plugin FILE",
            looked.join(", ")
        ))
        .into())
}

fn told(transcript: &Transcript, plugin: &Plugin, replayed: &Replayed) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{name:<9} {}", escaped(value));
    };
    line("run", &transcript.run);
    let kind = transcript.request.get("kind").and_then(serde_json::Value::as_str).unwrap_or_default();
    line("check", &format!("{}, kind {kind} of plugin {} {}", subject(transcript), transcript.plugin, short(&transcript.sha256)));
    if plugin.sha256 != transcript.sha256 {
        line("version", &format!("another one: {}", short(&plugin.sha256)));
    }
    for beyond in &transcript.beyond {
        line("note", &format!("the run used {}, which a transcript does not hold", beyond.told()));
    }
    if let Some(why) = &transcript.cut {
        line("note", &format!("the transcript was cut short: {why}"));
    }
    text.push('\n');
    text.push_str(&stage::calls(&replayed.calls));
    text.push('\n');
    text.push_str(&format!("recorded  {}, {}\n", stage::result(&transcript.outcome), escaped(&transcript.judged)));
    text.push_str(&format!("replayed  {}\n", stage::result(&replayed.outcome)));
    text.push_str(&stage::traces(replayed));
    text.push_str(&verdict(transcript, replayed));
    text
}

fn verdict(transcript: &Transcript, replayed: &Replayed) -> String {
    if replayed.is_beyond_cut {
        let why = transcript.cut.as_deref().unwrap_or_default();
        return format!("the transcript was cut short here ({why}): what came behind it is not known\n");
    }
    if replayed.differences.is_empty() {
        return "the same as recorded\n".to_owned();
    }
    format!("not the same as recorded:\n{}", stage::differences(replayed))
}

fn short(sha256: &str) -> &str {
    sha256.get(..DIGEST_CHARACTERS).unwrap_or(sha256)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sickbay_core::Timestamp;
    use sickbay_runtime::transcript::Difference;

    use super::*;
    use crate::transcripts::run_id;

    fn replayed(differences: Vec<Difference>, is_beyond_cut: bool) -> Replayed {
        Replayed {
            outcome: json!({ "status": "ok", "summary": "well" }),
            calls: Vec::new(),
            differences,
            is_beyond_cut,
            backtrace: Vec::new(),
            output: String::new(),
            usage: sickbay_runtime::RunUsage::default(),
        }
    }

    #[test]
    fn a_run_is_named_by_its_id_its_file_or_its_check() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (config, folder) = (dir.path().join("sickbay.toml"), dir.path().join("transcripts"));
        std::fs::write(&config, "").expect("the folder is writable");
        std::fs::create_dir(&folder).expect("the folder is writable");
        let runs = [0, 60_000].map(|at| run_id("api", Timestamp(at)));
        for run in &runs {
            std::fs::write(path_of(&folder, run), "{}").expect("the folder is writable");
        }
        let file = |named: &str| found(&config, named).map(|(_, file)| file).map_err(|error| error.to_string());
        assert_eq!(file(&runs[0]), Ok(path_of(&folder, &runs[0])));
        assert_eq!(file("api"), Ok(path_of(&folder, &runs[1])), "the newest");
        let path = path_of(&folder, &runs[0]).display().to_string();
        assert_eq!(file(&path), Ok(PathBuf::from(&path)));
        assert_eq!(file("other"), Err(format!("no run `other` is recorded in {}", folder.display())));
        assert_eq!(file("absent/x.json"), Err("there is no file absent/x.json".to_owned()));
    }

    #[test]
    fn the_last_word_says_whether_it_is_the_same() {
        let transcript = Transcript { cut: Some("too many calls".to_owned()), ..Transcript::default() };
        assert_eq!(verdict(&transcript, &replayed(Vec::new(), false)), "the same as recorded\n");
        let difference = Difference::new("call 1, http.send: asked.request.url", "\"a\"", "\"b\"");
        assert_eq!(
            verdict(&transcript, &replayed(vec![difference], false)),
            "not the same as recorded:\n  call 1, http.send: asked.request.url\n    expected  \"a\"\n    got       \"b\"\n"
        );
        assert!(verdict(&transcript, &replayed(Vec::new(), true)).contains("cut short here (too many calls)"));
    }
}
