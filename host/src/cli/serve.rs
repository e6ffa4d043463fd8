//! `sickbay serve`: the daemon in the foreground.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::config::{self, Config};
use crate::daemon::{self, Daemon, StartError};
use crate::failure::Failure;
use crate::logging::{self, LogFormat};

#[derive(Args)]
pub struct ServeArgs {
    /// The configuration; relative paths in it resolve against its folder
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// How log lines look
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    logging::start(args.log_format);
    serve(&args.config, |address| tracing::info!("listening on http://{address}"))
}

/// Serves a configuration and calls `on_ready` once its checks run.
pub fn run_until_stopped(config: PathBuf, on_ready: Box<dyn FnOnce(SocketAddr) + Send>) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text);
    serve(&config, on_ready)
}

fn serve(path: &Path, on_ready: impl FnOnce(SocketAddr)) -> anyhow::Result<ExitCode> {
    let config = load(path)?;
    runtime()?.block_on(async {
        // Listened to from the beginning: a stop during the first scan is a stop.
        let stop = daemon::stop_signal();
        tokio::pin!(stop);
        let daemon = tokio::select! {
            started = Daemon::start(config) => started.map_err(refused)?,
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        on_ready(daemon.address);
        stop.await?;
        tracing::info!("stopping");
        daemon.stop().await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The configuration, its warnings printed.
pub(super) fn load(path: &Path) -> anyhow::Result<Config> {
    let config = config::load(path).map_err(|errors| mistakes(&errors))?;
    for warning in &config.warnings {
        eprintln!("{warning}\n");
    }
    Ok(config)
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("sickbay").build()
}

fn refused(error: StartError) -> anyhow::Error {
    match error {
        StartError::Config(errors) => mistakes(&errors),
        StartError::Other(error) => error,
    }
}

/// All mistakes of a configuration as one failure.
pub(super) fn mistakes(errors: &config::ConfigErrors) -> anyhow::Error {
    eprintln!("{errors}\n");
    let count = errors.0.len();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    Failure::usage(format!("the configuration has {count} {noun}"))
        .with_hint("mend what is shown above, then run `sickbay validate`")
        .into()
}
