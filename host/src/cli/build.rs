//! `sickbay build [DIR...] [--out DIR]`: plugins in Rust, from sources to components.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::toolchain::{self, BuildOptions, CargoOutput, Manifest, Permission, Plan};

// A paragraph is one line: it is wrapped where the terminal ends.
pub const AFTER_HELP: &str = "\
A plugin NAME becomes NAME.wasm: the crate's name without `sickbay-plugin-`, or what its Cargo.toml says under \
`[package.metadata.sickbay] name = \"...\"`. The file appears by rename, so --out may be the folder of a running Sickbay.

All plugins of one workspace are built in one call of cargo, with its profile `guest` where it defines one, else `release`. The compiler \
target that a plugin asks for (wasm32-wasip2, or `target` beside `name`) is added to your toolchain when it is absent.

Examples:
  sickbay build                      the plugin, or the folder of plugins, in which you are
  sickbay build plugins              every plugin in ./plugins, into target/plugins
  sickbay build my-check --out /srv/sickbay/plugins

Exit codes: 0 built, 1 cargo failed or something is missing, 2 there is nothing to build.";

#[derive(Args)]
pub struct BuildArgs {
    /// A plugin's folder, or a folder of plugins.
    #[arg(value_name = "DIR", default_value = ".")]
    directories: Vec<PathBuf>,
    /// Where the components go [default: target/plugins of each plugin's workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Show cargo's output as it comes.
    #[arg(short, long)]
    verbose: bool,
}

pub fn run(args: BuildArgs) -> anyhow::Result<ExitCode> {
    let manifests = collect(&args.directories)?;
    // Asking cargo what there is works with every compiler, and tells what has to be ready for building it.
    let workspaces = toolchain::load_workspaces(&Plan::InstalledTarget, &manifests)?;
    if workspaces.is_empty() {
        return Err(nothing_to_build(&args.directories).into());
    }
    let output = if args.verbose { CargoOutput::Shown } else { CargoOutput::OnFailure };
    let plans = toolchain::ensure_for(Permission::OwnToolchain, &workspaces)?;
    let mut paths = String::new();
    for (workspace, plan) in workspaces.iter().zip(&plans) {
        let out = args.out.clone().unwrap_or_else(|| workspace.target_directory.join("plugins"));
        for built in toolchain::build(plan, workspace, BuildOptions { out: &out, output })? {
            paths.push_str(&format!("{}\n", built.path.display()));
        }
    }
    super::print_data(paths.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn collect(directories: &[PathBuf]) -> anyhow::Result<Vec<Manifest>> {
    let mut manifests = Vec::new();
    for directory in directories {
        let sources = toolchain::find_sources(directory)?;
        for (path, language) in &sources.other_languages {
            eprintln!("skipped {}: it is {language}, and `build` knows Rust in this version", path.display());
        }
        manifests.extend(sources.manifests);
    }
    Ok(manifests)
}

fn nothing_to_build(directories: &[PathBuf]) -> Failure {
    let named: Vec<String> = directories.iter().map(|directory| absolute(directory)).collect();
    Failure::usage(format!("no plugin in Rust in {}", named.join(", ")))
        .with_hint("name the folder of a crate whose library is a `cdylib`, or a folder of such crates")
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_plugin_named_by_its_folder_is_an_error_that_says_what_build_knows() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("app.py"), "").expect("file");
        let error = collect(&[folder.path().to_path_buf()]).expect_err("not Rust");
        assert!(error.to_string().ends_with("is Python, and `build` knows Rust in this version"), "{error}");
    }

    #[test]
    fn an_empty_folder_is_told_by_its_full_path() {
        let failure = nothing_to_build(&[PathBuf::from("/srv/empty")]);
        assert_eq!(failure.to_string(), "no plugin in Rust in /srv/empty");
    }
}
