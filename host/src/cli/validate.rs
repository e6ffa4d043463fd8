//! `sickbay validate`: everything that `serve` would refuse, found without starting anything.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use sickbay_capabilities::Services;

use super::loading::Loading;
use super::serve::{load, mistakes, runtime};
use crate::clock;
use crate::config::{Config, Diagnostic, Severity, counted};
use crate::daemon::folder::{PLUGINS_MAX, name_of, nothing, read_bounded, slot};
use crate::daemon::{reload, sandbox};
use crate::plugins::{LoadFailure, Loaded, Registry};

#[derive(Args)]
pub struct ValidateArgs {
    /// The configuration
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
}

pub fn run(args: ValidateArgs) -> anyhow::Result<ExitCode> {
    let config = load(&args.config)?;
    let (registry, refused) = runtime()?.block_on(load_plugins(&config))?;
    // A file that somebody waits for is told there.
    let unused = refused.iter().filter(|(name, ..)| config.plugin_uses().all(|used| used.plugin != name)).map(needless);
    let warnings = match reload::against_plugins(&config, &registry) {
        Ok(warnings) => warnings.into_iter().chain(unused).collect::<Vec<_>>(),
        Err(mut errors) => {
            errors.warnings.extend(unused);
            return Err(mistakes(&errors));
        }
    };
    for warning in &warnings {
        eprintln!("{warning}\n");
    }
    let plugins = registry.all().iter().filter(|slot| slot.current().is_some()).count();
    let sinks = if config.sinks.is_empty() { String::new() } else { format!("{}, ", counted(config.sinks.len(), "sink")) };
    println!(
        "{}: ok ({}, {sinks}{}, {})",
        args.config.display(),
        counted(config.checks.len(), "check"),
        counted(plugins, "plugin"),
        counted(warnings.len(), "warning")
    );
    Ok(ExitCode::SUCCESS)
}

/// Plugins whose files were refused, by name.
type Refused = Vec<(String, PathBuf, sickbay_runtime::LoadError)>;

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
async fn load_plugins(config: &Config) -> anyhow::Result<(Registry, Refused)> {
    let registry = Registry::default();
    let mut refused = Refused::new();
    let Ok(entries) = std::fs::read_dir(&config.plugins.dir) else { return Ok((registry, refused)) };
    let sandbox = sandbox(config)?;
    let services = Services::new(&config.services)?;
    let mut files: Vec<(String, PathBuf)> =
        entries.flatten().filter_map(|entry| Some((name_of(&entry.path())?, entry.path()))).take(PLUGINS_MAX).collect();
    files.sort();
    let mut loading = Loading::begin(files.len());
    for (name, file) in files {
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
    Ok((registry, refused))
}
