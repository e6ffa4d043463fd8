//! `sickbay validate`: everything that `serve` would refuse, found without starting anything.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use sickbay_capabilities::Services;

use super::client::OutputFormat;
use super::loading::Loading;
use super::problem_item::{ProblemItem, items};
use super::serve::{mistakes, runtime};
use super::{EXIT_USAGE, print_data};
use crate::clock;
use crate::config::{self, Config, ConfigErrors, Diagnostic, Severity, counted};
use crate::daemon::folder::{nothing, read_bounded, slot};
use crate::daemon::listing::{Listing, PassedOver, listing};
use crate::daemon::{reload, sandbox};
use crate::plugins::{LoadFailure, Loaded, Registry};

#[derive(Args)]
pub struct ValidateArgs {
    /// The configuration
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// Text for people on standard error, or JSON on standard output: every mistake and warning with its place, reason and hint
    #[arg(short, long, value_enum, default_value_t = OutputFormat::Text, value_name = "FORMAT")]
    output: OutputFormat,
}

pub fn run(args: ValidateArgs) -> anyhow::Result<ExitCode> {
    let judged = judge(&args.config)?;
    match args.output {
        OutputFormat::Text => tell(&args.config, judged),
        OutputFormat::Json => tell_json(&judged),
    }
}

/// A configuration without mistakes.
struct Valid {
    checks: usize,
    sinks: usize,
    plugins: usize,
    warnings: Vec<Diagnostic>,
}

fn judge(path: &Path) -> anyhow::Result<Result<Valid, ConfigErrors>> {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(errors) => return Ok(Err(errors)),
    };
    let Found { registry, refused, passed_over } = runtime()?.block_on(load_plugins(&config))?;
    // A file that somebody waits for is told there.
    let unused = refused.iter().filter(|(name, ..)| config.plugin_uses().all(|used| used.plugin != name)).map(needless);
    let beside = unused.chain(passed_over.iter().map(told));
    Ok(match reload::against_plugins(&config, &registry) {
        Ok(warnings) => Ok(Valid {
            checks: config.checks.len(),
            sinks: config.sinks.len(),
            plugins: registry.all().iter().filter(|slot| slot.current().is_some()).count(),
            warnings: warnings.into_iter().chain(beside).collect(),
        }),
        Err(mut errors) => {
            errors.warnings.extend(beside);
            Err(errors)
        }
    })
}

fn tell(path: &Path, judged: Result<Valid, ConfigErrors>) -> anyhow::Result<ExitCode> {
    let valid = judged.map_err(|errors| mistakes(&errors))?;
    for warning in &valid.warnings {
        eprintln!("{warning}\n");
    }
    let sinks = if valid.sinks == 0 { String::new() } else { format!("{}, ", counted(valid.sinks, "sink")) };
    println!(
        "{}: ok ({}, {sinks}{}, {})",
        path.display(),
        counted(valid.checks, "check"),
        counted(valid.plugins, "plugin"),
        counted(valid.warnings.len(), "warning")
    );
    Ok(ExitCode::SUCCESS)
}

fn tell_json(judged: &Result<Valid, ConfigErrors>) -> anyhow::Result<ExitCode> {
    let (told, exit) = match judged {
        Ok(valid) => {
            let problems: Vec<ProblemItem<'_>> = valid.warnings.iter().map(ProblemItem::from).collect();
            let Valid { checks, sinks, plugins, .. } = valid;
            (json!({ "valid": true, "checks": checks, "sinks": sinks, "plugins": plugins, "problems": problems }), ExitCode::SUCCESS)
        }
        Err(errors) => (json!({ "valid": false, "problems": items(errors) }), ExitCode::from(EXIT_USAGE)),
    };
    print_data(format!("{told:#}\n").as_bytes())?;
    Ok(exit)
}

/// Plugins whose files were refused, by name.
type Refused = Vec<(String, PathBuf, sickbay_runtime::LoadError)>;

/// What is in the plugin folder.
struct Found {
    registry: Registry,
    refused: Refused,
    passed_over: Vec<PassedOver>,
}

/// A warning about a file that is not looked at.
fn told(file: &PassedOver) -> Diagnostic {
    Diagnostic {
        file: file.path.clone(),
        line: 0,
        column: 0,
        message: file.message.clone(),
        reason: Some(file.reason.to_owned()),
        hint: Some(file.hint.clone()),
        severity: Severity::Warning,
        excerpt: None,
    }
}

/// A warning about a refused file that nobody waits for.
fn needless((name, file, error): &(String, PathBuf, sickbay_runtime::LoadError)) -> Diagnostic {
    Diagnostic {
        file: file.clone(),
        line: 0,
        column: 0,
        message: format!("{name}.wasm is refused; no check and no sink names it"),
        reason: Some(error.message.clone()),
        hint: error.hint.clone(),
        severity: Severity::Warning,
        excerpt: None,
    }
}

/// Loads what is in the plugin folder, as the daemon's first scan does.
async fn load_plugins(config: &Config) -> anyhow::Result<Found> {
    let (registry, mut refused) = (Registry::default(), Refused::new());
    let Listing { plugins, passed_over } = listing(&config.plugins.dir);
    if plugins.is_empty() {
        return Ok(Found { registry, refused, passed_over });
    }
    let sandbox = sandbox(config)?;
    let services = Services::new(&config.services)?;
    let mut loading = Loading::begin(plugins.len());
    for (name, file) in plugins {
        let loaded = match read_bounded(&file) {
            Ok(bytes) => loading.next(&name, sandbox.load(&name, bytes, nothing(&services, &name))).await,
            Err(error) => Err(error),
        };
        let slot: Arc<_> = slot(&registry, config, &name);
        match loaded {
            Ok(plugin) => slot.swap(Loaded::new(plugin, clock::now())),
            Err(error) => {
                slot.refuse(LoadFailure { at: clock::now(), message: error.message.clone(), hint: error.hint.clone(), sha256: None });
                refused.push((name, file, error));
            }
        }
    }
    Ok(Found { registry, refused, passed_over })
}
