//! `sickbay validate`: everything that `serve` would refuse, found without starting anything.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use sickbay_capabilities::Services;

use super::serve::{load, mistakes, runtime};
use crate::clock;
use crate::config::Config;
use crate::daemon::folder::{name_of, nothing, read_bounded, slot};
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
    for (file, error) in &refused {
        eprintln!("warning: the plugin file {} is refused: {error}\n", file.display());
    }
    let warnings = reload::against_plugins(&config, &registry).map_err(|errors| mistakes(&errors))?;
    for warning in &warnings {
        eprintln!("{warning}\n");
    }
    let plugins = registry.all().iter().filter(|slot| slot.current().is_some()).count();
    println!(
        "{}: ok ({} checks, {plugins} plugins, {} warnings)",
        args.config.display(),
        config.checks.len(),
        config.warnings.len() + warnings.len() + refused.len()
    );
    Ok(ExitCode::SUCCESS)
}

type Refused = Vec<(PathBuf, sickbay_runtime::LoadError)>;

/// Loads what is in the plugin folder, as the daemon's first scan does.
async fn load_plugins(config: &Config) -> anyhow::Result<(Registry, Refused)> {
    let registry = Registry::default();
    let mut refused = Refused::new();
    let Ok(entries) = std::fs::read_dir(&config.plugins.dir) else { return Ok((registry, refused)) };
    let sandbox = sandbox(config)?;
    let services = Services::new(&config.egress)?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let Some(name) = name_of(&file) else { continue };
        let loaded = match read_bounded(&file) {
            Ok(bytes) => sandbox.load(&name, bytes, nothing(&services, &name)).await,
            Err(error) => Err(error),
        };
        let slot: Arc<_> = slot(&registry, config, &name);
        match loaded {
            Ok(plugin) => slot.swap(Loaded::new(plugin, clock::now())),
            Err(error) => {
                slot.refuse(LoadFailure { at: clock::now(), message: error.message.clone(), hint: error.hint.clone(), sha256: None });
                refused.push((file, error));
            }
        }
    }
    Ok((registry, refused))
}
