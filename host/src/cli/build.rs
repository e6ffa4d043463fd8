//! `sickbay build [DIR...] [--out DIR]`: plugins, from sources to components.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::failure::Failure;
use crate::toolchain::{self, BuildOptions, Kit, Permission, Plan, Project, Sources, ToolOutput, Workspace};

// A paragraph is one line: it is wrapped where the terminal ends.
pub const AFTER_HELP: &str = "\
A plugin NAME becomes NAME.wasm. The file appears by rename, so --out may be the folder of a running Sickbay.

Rust: the crate's name without `sickbay-plugin-`, or what its Cargo.toml says under `[package.metadata.sickbay] name = \"...\"`. All plugins of \
one workspace are built in one call of cargo, with its profile `guest` where it defines one, else `release`. The compiler target that a \
plugin asks for (wasm32-wasip2, or `target` beside `name`) is added to your toolchain when it is absent.

Python: `[tool.sickbay]` in pyproject.toml with `name`, and `module`, `world`, `python-path` where they differ from `app`, `check-plugin` and \
none. JavaScript and TypeScript: a package.json with `main` that depends on @sickbay/sdk, or has a table `sickbay`. Go: a go.mod that \
requires the SDK. C: a plugin.toml with `name` and `sources`. The SDK and the contract are in this program: such a build downloads nothing. What is missing \
is told with the command that gets it; `sickbay doctor --fix LANG` runs it.

Examples:
  sickbay build                      the plugin, or the folder of plugins, in which you are
  sickbay build plugins              every plugin in ./plugins, into target/plugins
  sickbay build my-check --out /srv/sickbay/plugins

Exit codes: 0 built, 1 a compiler failed or something is missing, 2 there is nothing to build.";

#[derive(Args)]
pub struct BuildArgs {
    /// A plugin's folder, or a folder of plugins.
    #[arg(value_name = "DIR", default_value = ".")]
    directories: Vec<PathBuf>,
    /// Where the components go [default: target/plugins of each plugin, in Rust of its workspace]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Show what the compilers say as it comes.
    #[arg(short, long)]
    verbose: bool,
}

pub fn run(args: BuildArgs) -> anyhow::Result<ExitCode> {
    let sources = collect(&args.directories)?;
    // Asking cargo what there is works with every compiler, and tells what has to be ready for building it.
    let workspaces = toolchain::load_workspaces(&Plan::InstalledTarget, &sources.manifests)?;
    if workspaces.is_empty() && sources.projects.is_empty() {
        return Err(nothing_to_build(&args.directories).into());
    }
    refuse_one_name_twice(&workspaces, &sources.projects)?;
    // All that is missing is told before anything is built.
    let kits = kits(&sources.projects)?;
    let plans = toolchain::ensure_for(Permission::OwnToolchain, &workspaces)?;
    let output = if args.verbose { ToolOutput::Shown } else { ToolOutput::OnFailure };
    let mut paths = String::new();
    for (workspace, plan) in workspaces.iter().zip(&plans) {
        let out = args.out.clone().unwrap_or_else(|| workspace.target_directory.join("plugins"));
        for built in toolchain::build(plan, workspace, BuildOptions { out: &out, output })? {
            paths.push_str(&format!("{}\n", built.path.display()));
        }
    }
    for (project, kit) in sources.projects.iter().zip(&kits) {
        let out = args.out.clone().unwrap_or_else(|| project.directory.join("target/plugins"));
        let built = toolchain::build_project(kit, project, BuildOptions { out: &out, output })?;
        paths.push_str(&format!("{}\n", built.path.display()));
    }
    super::print_data(paths.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn collect(directories: &[PathBuf]) -> anyhow::Result<Sources> {
    let mut all = Sources::default();
    for directory in directories {
        let sources = toolchain::find_sources(directory)?;
        for (path, language) in &sources.unnamed {
            let hint = toolchain::how_to_say_it(*language);
            eprintln!("skipped {}: it looks like {language}, and says nothing of Sickbay\n  hint: {hint}", path.display());
        }
        all.manifests.extend(sources.manifests);
        all.projects.extend(sources.projects);
    }
    Ok(all)
}

/// What builds each project.
fn kits(projects: &[Project]) -> anyhow::Result<Vec<Kit>> {
    let root = rustix::process::geteuid().is_root();
    let kit = |project: &Project| {
        let language = project.language();
        let missing = |missing| anyhow::Error::from(toolchain::cannot_build(language, &missing, root, &[]));
        toolchain::kit(language, Some(&project.directory)).map_err(missing)
    };
    projects.iter().map(kit).collect()
}

/// Two crates are told apart where they are loaded.
fn refuse_one_name_twice(workspaces: &[Workspace], projects: &[Project]) -> anyhow::Result<()> {
    let crates = workspaces.iter().flat_map(|workspace| &workspace.guests).map(|guest| (guest.name.as_str(), guest.manifest.as_path()));
    let mut seen: BTreeMap<&str, &Path> = crates.collect();
    for project in projects {
        if let Some(first) = seen.insert(&project.name, &project.directory) {
            let message = format!("two plugins are named {:?}: {} and {}", project.name, first.display(), project.directory.display());
            return Err(Failure::usage(message).with_hint("give one of them another name").into());
        }
    }
    Ok(())
}

pub(super) fn nothing_to_build(directories: &[PathBuf]) -> Failure {
    let named: Vec<String> = directories.iter().map(|directory| absolute(directory)).collect();
    Failure::usage(format!("no plugin in {}", named.join(", "))).with_hint(
        "name a plugin's folder, or a folder of plugins; `sickbay new LANG DIR` makes one, `sickbay build --help` tells what a plugin is",
    )
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(folder: &Path, name: &str) -> PathBuf {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).expect("folder");
        std::fs::write(folder.join("pyproject.toml"), "[tool.sickbay]\nname = \"feed\"\n").expect("file");
        std::fs::write(folder.join("app.py"), "").expect("file");
        folder
    }

    #[test]
    fn plugins_of_several_folders_are_collected_and_one_name_is_refused_twice() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (one, two) = (python(folder.path(), "one"), python(folder.path(), "two"));
        let sources = collect(&[one.clone(), two]).expect("readable");
        assert_eq!(sources.projects.len(), 2);
        let error = refuse_one_name_twice(&[], &sources.projects).expect_err("one file cannot be both");
        assert!(error.to_string().starts_with("two plugins are named \"feed\": "), "{error}");
        assert!(refuse_one_name_twice(&[], &collect(&[one]).expect("readable").projects).is_ok());
    }

    #[test]
    fn an_empty_folder_is_told_by_its_full_path() {
        let failure = nothing_to_build(&[PathBuf::from("/srv/empty")]);
        assert_eq!(failure.to_string(), "no plugin in /srv/empty");
    }
}
