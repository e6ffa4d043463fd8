//! Building the plugins in Rust of a workspace, for a target, in one call of cargo.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use serde::Deserialize;

use super::invocation::build_arguments;
use super::publish::publish;
use super::{Built, Invocation, Language, Plan, Step, Workspace, last_output};
use crate::failure::Failure;

/// How to build.
#[derive(Clone, Copy, Debug)]
pub struct BuildOptions<'a> {
    /// Where `NAME.wasm` goes; made when absent.
    pub out: &'a Path,
    pub output: ToolOutput,
}

/// When what a compiler says itself is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolOutput {
    OnFailure,
    /// As it comes.
    Shown,
}

/// Builds every plugin of `workspace` and publishes each by rename.
///
/// # Errors
/// When cargo fails (its output is in the message), or what it made can be no component or is too large. What was there before stays.
pub fn build(plan: &Plan, workspace: &Workspace, options: BuildOptions<'_>) -> anyhow::Result<Vec<Built>> {
    let names: Vec<&str> = workspace.guests.iter().map(|guest| guest.name.as_str()).collect();
    let own_target_directory = workspace.target_directory.join("guests");
    let step = Step::begin(&format!("building {}{}", names.join(", "), first_build_note(plan, workspace, &own_target_directory)));
    let messages = run_cargo(plan, workspace, options.output, &own_target_directory)?;
    let artifacts = component_artifacts(&messages);
    let mut built = Vec::new();
    for guest in &workspace.guests {
        let artifact = artifacts
            .get(&guest.manifest)
            .ok_or_else(|| Failure::new(format!("cargo built {} but named no .wasm file for it", guest.manifest.display())))?;
        built.push(publish(&guest.name, Language::Rust, artifact, options.out)?);
    }
    let sizes: Vec<String> = built.iter().map(|built| format!("{} ({} KiB)", built.name, built.size_bytes.div_ceil(1024))).collect();
    step.done(&format!("built {}", sizes.join(", ")));
    Ok(built)
}

/// The first build takes long, and a person should know that it is meant to.
fn first_build_note(plan: &Plan, workspace: &Workspace, own_target_directory: &Path) -> &'static str {
    let target_directory = match plan {
        Plan::InstalledTarget => &workspace.target_directory,
        Plan::SecondCompiler { .. } => own_target_directory,
    };
    let built_before = target_directory.join(workspace.target.triple()).join(workspace.profile).exists();
    if built_before { "" } else { " (the first build takes about a minute)" }
}

fn run_cargo(plan: &Plan, workspace: &Workspace, output: ToolOutput, own_target_directory: &Path) -> anyhow::Result<Vec<u8>> {
    let package_ids: Vec<&str> = workspace.guests.iter().map(|guest| guest.package_id.as_str()).collect();
    let arguments = build_arguments(plan, workspace.target, workspace.profile, &package_ids, own_target_directory);
    let cargo = Invocation::cargo_here(plan).arguments(arguments);
    let mut command = cargo.command(&workspace.root);
    command.stdout(Stdio::piped());
    command.stderr(if output == ToolOutput::Shown { Stdio::inherit() } else { Stdio::piped() });
    let finished = command.output().with_context(|| format!("cannot run {}", cargo.program.display()))?;
    if finished.status.success() {
        return Ok(finished.stdout);
    }
    let names: Vec<&str> = workspace.guests.iter().map(|guest| guest.name.as_str()).collect();
    let message = format!("cargo could not build {}\n{}", names.join(", "), last_output(&finished.stderr));
    Err(Failure::new(message.trim_end())
        .with_hint("sickbay doctor tells whether the compiler is ready; sickbay build -v shows all of cargo's output")
        .into())
}

/// A line of `--message-format json`. Other reasons than `compiler-artifact` lack these fields.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The `.wasm` file of each manifest in cargo's messages.
fn component_artifacts(messages: &[u8]) -> HashMap<PathBuf, PathBuf> {
    let mut artifacts = HashMap::new();
    for line in messages.split(|byte| *byte == b'\n') {
        // Build scripts may print lines of their own.
        let Ok(message) = serde_json::from_slice::<Message>(line) else { continue };
        if message.reason != "compiler-artifact" {
            continue;
        }
        if let Some(component) = message.filenames.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "wasm")) {
            artifacts.insert(message.manifest_path, component);
        }
    }
    artifacts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_of_each_crate_is_found_among_cargos_messages() {
        let messages = br#"{"reason":"compiler-artifact","manifest_path":"/w/sdk/Cargo.toml","filenames":["/t/libsdk.rlib"]}
warning: a line of a build script
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","manifest_path":"/w/http/Cargo.toml","filenames":["/t/libhttp.rlib","/t/http.wasm"]}
{"reason":"build-finished","success":true}
"#;
        let artifacts = component_artifacts(messages);
        assert_eq!(artifacts.len(), 1);
        assert_eq!(artifacts[Path::new("/w/http/Cargo.toml")], PathBuf::from("/t/http.wasm"));
    }
}
