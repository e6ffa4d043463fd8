//! `sickbay serve`: the daemon in the foreground.
//!
//! Where the log is JSON, so is all that keeps it from starting: a collector reads one format to the end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::config::{self, Config, ConfigErrors, StoreArgument};
use crate::daemon::{self, Daemon, StartError, import};
use crate::failure::Failure;
use crate::logging::{self, LogFormat};

#[derive(Args)]
pub struct ServeArgs {
    /// The configuration; relative paths in it resolve against its folder
    #[arg(long, default_value = "sickbay.toml", value_name = "FILE")]
    config: PathBuf,
    /// How log lines look, on standard error: text for people, json for collectors
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    log_format: LogFormat,
    /// Copy all results out of the store that `[store]` named before, then serve; the store that it names now must be empty. `${NAME}`
    /// stands for an environment variable: a password in an argument is seen by everybody on the machine
    #[arg(long, value_name = "URL")]
    import_from: Option<String>,
    /// The same, with the URL in a file that holds nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "import_from")]
    import_from_file: Option<PathBuf>,
}

impl ServeArgs {
    fn import(&self) -> Option<StoreArgument<'_>> {
        let url = self.import_from.as_deref().map(|url| StoreArgument::Url { option: "--import-from", url });
        url.or_else(|| self.import_from_file.as_deref().map(|file| StoreArgument::File { option: "--import-from-file", file }))
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    logging::start(args.log_format);
    let on_ready = |scheme: &str, address: SocketAddr| tracing::info!("listening on {scheme}://{address}");
    match (serve(&args.config, args.import(), args.log_format, on_ready), args.log_format) {
        (Err(error), LogFormat::Json) => {
            let hint = error.downcast_ref::<Failure>().and_then(Failure::hint);
            tracing::error!(hint, "{error:#}");
            Ok(ExitCode::from(super::exit_code_of(&error, false)))
        }
        (served, _) => served,
    }
}

/// Serves a configuration and calls `on_ready` once its checks run.
pub fn run_until_stopped(config: PathBuf, on_ready: Box<dyn FnOnce(SocketAddr) + Send>) -> anyhow::Result<ExitCode> {
    logging::start(LogFormat::Text);
    serve(&config, None, LogFormat::Text, |_scheme, address| on_ready(address))
}

fn serve(
    path: &Path,
    import_from: Option<StoreArgument<'_>>,
    format: LogFormat,
    on_ready: impl FnOnce(&str, SocketAddr),
) -> anyhow::Result<ExitCode> {
    let told = |errors: ConfigErrors| match format {
        LogFormat::Text => mistakes(&errors),
        LogFormat::Json => {
            errors.log();
            refusal(&errors).into()
        }
    };
    let config = config::load(path).map_err(told)?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let refused = |error: StartError| match error {
        StartError::Config(errors) => told(errors),
        StartError::Other(error) => error,
    };
    let runtime = runtime()?;
    let served: anyhow::Result<ExitCode> = runtime.block_on(async {
        // Listened to from the beginning: a stop during the first scan is a stop.
        let stop = daemon::stop_signal();
        tokio::pin!(stop);
        if let Some(from) = import_from {
            tokio::select! {
                imported = import::import(&config, from) => imported?,
                _ = &mut stop => return Err(anyhow::Error::from(import::interrupted())),
            }
        }
        let daemon = tokio::select! {
            started = Daemon::start(config) => started.map_err(refused)?,
            _ = &mut stop => return Ok(ExitCode::SUCCESS),
        };
        on_ready(scheme, daemon.address);
        stop.await?;
        tracing::info!("stopping");
        daemon.stop().await?;
        Ok(ExitCode::SUCCESS)
    });
    // A disk that does not answer, and what waits for it, keeps nobody from ending.
    runtime.shutdown_background();
    served
}

/// The configuration. Its warnings are told beside those of the plugins, by who has looked at them.
pub(super) fn load(path: &Path) -> anyhow::Result<Config> {
    config::load(path).map_err(|errors| mistakes(&errors))
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("sickbay").build()
}

/// All that is wrong with a configuration as one failure, printed with its warnings.
pub(super) fn mistakes(errors: &ConfigErrors) -> anyhow::Error {
    eprintln!("{errors}\n");
    refusal(errors).into()
}

fn refusal(errors: &ConfigErrors) -> Failure {
    Failure::usage(format!("the configuration has {}", errors.tally())).with_hint("mend what is shown above, then run `sickbay validate`")
}
