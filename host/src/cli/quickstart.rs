//! `sickbay quickstart`: from a checkout to checks that run, in one command.
//!
//! How it works: the address is free? -> build `http` and `system` where they are not newer than their sources -> write the
//! configuration when there is none -> serve. Everything is kept in one folder, so a second start needs no network and no build.
//!
//! Invariant: a configuration that a person edited is never overwritten.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::failure::Failure;
use crate::toolchain::{self, BuildOptions, Expected, Manifest, Permission, Plan, ToolOutput};

/// What quickstart builds and configures.
const PLUGINS: [&str; 2] = ["http", "system"];
const CONFIGURATION: &str = include_str!("../../../examples/quickstart/sickbay.toml");
/// What the address is written as in [`CONFIGURATION`].
const ADDRESS: &str = "127.0.0.1:9470";

#[derive(Args)]
pub struct QuickstartArgs {
    /// Where the configuration, the plugins and the results are kept.
    #[arg(long, value_name = "DIR", default_value = "sickbay-quickstart")]
    dir: PathBuf,
    /// Address to serve on; a loopback address, which needs no token [default: 127.0.0.1:9470]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub fn run(args: QuickstartArgs) -> anyhow::Result<ExitCode> {
    let file = args.dir.join("sickbay.toml");
    let written = read_if_there(&file)?;
    let choice = choose(written.as_deref(), args.listen, &file)?;
    require_free(choice.listen)?;
    let plugin_directory = args.dir.join("plugins");
    std::fs::create_dir_all(&plugin_directory).with_context(|| format!("cannot make the folder {}", plugin_directory.display()))?;
    provide_plugins(&plugin_directory)?;
    if let Some(text) = choice.write {
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        eprintln!("wrote {}", file.display());
    } else {
        eprintln!("using {} as it is", file.display());
    }
    let directory = args.dir.clone();
    let program = program();
    super::serve::run_until_stopped(file, Box::new(move |address| eprintln!("{}", welcome(address, &directory, &program))))
}

fn read_if_there(file: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Where to serve, and what to write first.
#[derive(Debug, PartialEq, Eq)]
struct Choice {
    listen: SocketAddr,
    write: Option<String>,
}

/// Decides from the configuration that is there, if any, and the address asked for, if any.
fn choose(written: Option<&str>, asked: Option<SocketAddr>, file: &Path) -> anyhow::Result<Choice> {
    if let Some(listen) = asked {
        refuse_unusable(listen)?;
    }
    let Some(written) = written else {
        let listen = asked.unwrap_or(default_address());
        return Ok(Choice { listen, write: Some(configuration(listen)) });
    };
    // A file that cannot be read here is shown with its mistakes by `serve`.
    let Some(listen) = listen_of(written) else {
        return Ok(Choice { listen: asked.unwrap_or(default_address()), write: None });
    };
    match asked {
        Some(asked) if asked != listen && written == configuration(listen) => {
            Ok(Choice { listen: asked, write: Some(configuration(asked)) })
        }
        Some(asked) if asked != listen => {
            Err(Failure::usage(format!("{} says listen = \"{listen}\", the command line {asked}, and the file was edited", file.display()))
                .with_hint("change `listen` and the checks' addresses in the file, or start afresh with --dir")
                .into())
        }
        _ => Ok(Choice { listen, write: None }),
    }
}

fn default_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9470))
}

fn refuse_unusable(listen: SocketAddr) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() {
        return Err(Failure::usage(format!(
            "quickstart serves on a loopback address, not on {listen}: other machines would reach it without a token"
        ))
        .with_hint(format!("sickbay quickstart --listen 127.0.0.1:{}", listen.port()))
        .into());
    }
    if listen.port() == 0 {
        return Err(Failure::usage("quickstart needs a port of its own: its checks ask it there")
            .with_hint("sickbay quickstart --listen 127.0.0.1:9471")
            .into());
    }
    Ok(())
}

fn listen_of(configuration: &str) -> Option<SocketAddr> {
    let table: toml::Table = configuration.parse().ok()?;
    match table.get("server").and_then(|server| server.get("listen")) {
        Some(listen) => listen.as_str()?.parse().ok(),
        None => Some(default_address()),
    }
}

/// The commented configuration for this address.
fn configuration(listen: SocketAddr) -> String {
    CONFIGURATION.replace(ADDRESS, &listen.to_string())
}

/// Asked before anything is built: an answer after a minute of building would come late.
fn require_free(listen: SocketAddr) -> anyhow::Result<()> {
    let Err(error) = TcpListener::bind(listen) else { return Ok(()) };
    let mut other = listen;
    other.set_port(listen.port().checked_add(1).unwrap_or(9471));
    let failure = Failure::new(format!("cannot listen on {listen}")).with_hint(format!("sickbay quickstart --listen {other}"));
    Err(anyhow::Error::from(error).context(failure))
}

/// Sees to it that every plugin's component is in `directory`, built only where its sources are newer.
fn provide_plugins(directory: &Path) -> anyhow::Result<()> {
    let all_there = PLUGINS.iter().all(|name| component(directory, name).is_file());
    let Some(sources) = plugin_sources() else {
        if all_there {
            return Ok(());
        }
        return Err(Failure::new("the sources of the first plugins are not here")
            .with_hint(format!("run this in a checkout of Sickbay, or copy http.wasm and system.wasm into {}", directory.display()))
            .into());
    };
    let manifests: Vec<Manifest> =
        PLUGINS.iter().map(|name| Manifest { path: sources.join(name).join("Cargo.toml"), expected: Expected::Plugin }).collect();
    // Asking cargo what there is works with every compiler; building may need a remedy first.
    let mut workspaces = match toolchain::load_workspaces(&Plan::InstalledTarget, &manifests) {
        Ok(workspaces) => workspaces,
        Err(error) if all_there => {
            eprintln!("using the plugins that are there: {error:#}");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for workspace in &mut workspaces {
        let whole = workspace.clone();
        workspace.guests.retain(|guest| !toolchain::is_up_to_date(&whole, guest, &component(directory, &guest.name)));
    }
    workspaces.retain(|workspace| !workspace.guests.is_empty());
    if workspaces.is_empty() {
        eprintln!("plugins are up to date: {}", PLUGINS.join(", "));
        return Ok(());
    }
    let plans = toolchain::ensure_for(Permission::SystemPackages, &workspaces)?;
    for (workspace, plan) in workspaces.iter().zip(&plans) {
        toolchain::build(plan, workspace, BuildOptions { out: directory, output: ToolOutput::OnFailure })?;
    }
    Ok(())
}

fn component(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.wasm"))
}

/// The checkout that this program was built from, else the one in which it is run.
fn plugin_sources() -> Option<PathBuf> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf);
    let candidates = built_from.into_iter().chain(std::env::current_dir().ok());
    let holds_all = |folder: &PathBuf| PLUGINS.iter().all(|name| folder.join(name).join("Cargo.toml").is_file());
    candidates.map(|root| root.join("plugins")).find(holds_all)?.canonicalize().ok()
}

/// How this program is called from here: `sickbay` where the path finds it, else its file, short where it is below this folder.
fn program() -> String {
    let name = "sickbay".to_owned();
    let Ok(file) = std::env::current_exe() else { return name };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(&name).canonicalize().is_ok_and(|found| found == file)) {
        return name;
    }
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(&file).display().to_string()
}

/// What a newcomer may want to do next.
fn welcome(address: SocketAddr, directory: &Path, program: &str) -> String {
    let elsewhere = if address == default_address() { String::new() } else { format!(" --url http://{address}") };
    let directory = directory.display();
    format!(
        "
Sickbay is running on http://{address}

  {program} status{elsewhere}
  curl http://{address}/metrics
  curl http://{address}/api/v1/checks

Copy a .wasm into {directory}/plugins, or edit {directory}/sickbay.toml: both take effect at once.
Press Ctrl-C to stop."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "sickbay-quickstart/sickbay.toml";

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn decide(written: Option<&str>, asked: Option<&str>) -> anyhow::Result<Choice> {
        choose(written, asked.map(address), Path::new(FILE))
    }

    #[test]
    fn the_first_start_writes_a_configuration_for_its_address() {
        let choice = decide(None, Some("127.0.0.1:9500")).expect("a choice");
        let text = choice.write.expect("written");
        assert_eq!(listen_of(&text), Some(address("127.0.0.1:9500")));
        assert!(!text.contains(ADDRESS), "the checks follow the address");
    }

    #[test]
    fn the_written_configuration_names_the_plugins_that_are_built() {
        let table: toml::Table = configuration(default_address()).parse().expect("TOML");
        let checks = table["check"].as_array().expect("checks");
        for check in checks {
            assert!(PLUGINS.contains(&check["plugin"].as_str().expect("a name")));
            assert!(check.get("grants").is_some());
        }
    }

    #[test]
    fn an_edited_configuration_is_used_and_not_overwritten() {
        let edited = configuration(default_address()) + "# mine\n";
        assert_eq!(decide(Some(&edited), None).expect("used"), Choice { listen: default_address(), write: None });
        let error = decide(Some(&edited), Some("127.0.0.1:9500")).expect_err("the file says otherwise");
        assert!(error.to_string().contains(FILE));
    }

    #[test]
    fn an_unedited_configuration_follows_the_command_line() {
        let choice = decide(Some(&configuration(default_address())), Some("127.0.0.1:9500")).expect("a choice");
        assert_eq!(choice.listen, address("127.0.0.1:9500"));
        assert!(choice.write.is_some());
    }

    #[test]
    fn an_address_that_others_reach_is_refused() {
        let error = decide(None, Some("0.0.0.0:9470")).expect_err("no token is set");
        assert!(error.to_string().contains("loopback"));
    }

    #[test]
    fn a_taken_port_is_told_with_another_to_try() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let taken = listener.local_addr().expect("its address");
        let error = require_free(taken).expect_err("taken");
        let hint = error.downcast_ref::<Failure>().and_then(Failure::hint).unwrap_or_default();
        assert!(hint.starts_with("sickbay quickstart --listen 127.0.0.1:"), "{hint}");
    }

    #[test]
    fn the_welcome_names_the_address_only_where_the_client_needs_it() {
        assert!(welcome(default_address(), Path::new("q"), "sickbay").contains("  sickbay status\n"));
        assert!(welcome(address("127.0.0.1:9500"), Path::new("q"), "sickbay").contains("  sickbay status --url http://127.0.0.1:9500\n"));
    }
}
