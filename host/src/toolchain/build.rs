//! Building the plugins of a workspace for a target in one call of cargo, and putting the components where they are wanted.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::Context;
use serde::Deserialize;

use super::invocation::build_arguments;
use super::{Guest, Invocation, Plan, Step, Workspace, last_output};
use crate::failure::Failure;

/// A larger component would be refused by the host.
pub const COMPONENT_BYTES_MAX: u64 = sickbay_runtime::WASM_BYTES_MAX;

/// `\0asm`, then version 13 and layer 1: a component.
const COMPONENT_HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
/// Version 1 and layer 0: a core module.
const MODULE_HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/// What the sections are called in which generated bindings say what a module is to become.
const COMPONENT_TYPE_SECTION: &[u8] = b"component-type";

/// Read by everyone: the host may run as another user than the one who builds.
const COMPONENT_MODE: u32 = 0o644;

/// How to build.
#[derive(Clone, Copy, Debug)]
pub struct BuildOptions<'a> {
    /// Where `NAME.wasm` goes; made when absent.
    pub out: &'a Path,
    /// Cargo's own output is shown as it comes, not only on failure.
    pub output: CargoOutput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CargoOutput {
    OnFailure,
    Shown,
}

/// A component where it was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub name: String,
    pub path: PathBuf,
    pub size_bytes: u64,
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
    fs::create_dir_all(options.out).with_context(|| format!("cannot make the folder {}", options.out.display()))?;
    let mut built = Vec::new();
    for guest in &workspace.guests {
        let artifact = artifacts
            .get(&guest.manifest)
            .ok_or_else(|| Failure::new(format!("cargo built {} but named no .wasm file for it", guest.manifest.display())))?;
        built.push(publish(guest, artifact, options.out)?);
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

fn run_cargo(plan: &Plan, workspace: &Workspace, output: CargoOutput, own_target_directory: &Path) -> anyhow::Result<Vec<u8>> {
    let package_ids: Vec<&str> = workspace.guests.iter().map(|guest| guest.package_id.as_str()).collect();
    let arguments = build_arguments(plan, workspace.target, workspace.profile, &package_ids, own_target_directory);
    let cargo = Invocation::cargo_here(plan).arguments(arguments);
    let mut command = cargo.command(&workspace.root);
    command.stdout(Stdio::piped());
    command.stderr(if output == CargoOutput::Shown { Stdio::inherit() } else { Stdio::piped() });
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

fn publish(guest: &Guest, artifact: &Path, out: &Path) -> anyhow::Result<Built> {
    let made = fs::read(artifact).with_context(|| format!("cannot read {}", artifact.display()))?;
    let component = component_of(&guest.name, made)?;
    let size_bytes = component.len() as u64;
    let path = out.join(format!("{}.wasm", guest.name));
    let writing = || format!("cannot write {}", path.display());
    // Hidden and without `.wasm`: a host that watches the folder sees only the finished file.
    let mut file = tempfile::Builder::new().prefix(".sickbay-build-").suffix(".part").tempfile_in(out).with_context(writing)?;
    file.write_all(&component).with_context(writing)?;
    file.as_file().set_permissions(Permissions::from_mode(COMPONENT_MODE)).with_context(writing)?;
    file.persist(&path).with_context(writing)?;
    Ok(Built { name: guest.name.clone(), path, size_bytes })
}

/// What cargo made, as a component that the host would take. The linker of a target without WASI leaves a core module.
fn component_of(name: &str, made: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let component = if made.starts_with(&MODULE_HEADER) && carries_component_type(&made) {
        sickbay_runtime::worker::component(&made).map_err(|reason| Failure::new(format!("{name}: {reason}")))?
    } else {
        made
    };
    check_component(name, &component)?;
    Ok(component)
}

fn carries_component_type(module: &[u8]) -> bool {
    module.windows(COMPONENT_TYPE_SECTION.len()).any(|name| name == COMPONENT_TYPE_SECTION)
}

fn check_component(name: &str, component: &[u8]) -> anyhow::Result<()> {
    if !component.starts_with(&COMPONENT_HEADER) {
        return Err(Failure::new(format!("{name}: cargo made a file that is no WebAssembly component"))
            .with_hint("a plugin's library is a `cdylib` that implements a world of wit/; see sdk/rust/README.md")
            .into());
    }
    let size_bytes = component.len() as u64;
    if size_bytes > COMPONENT_BYTES_MAX {
        return Err(Failure::new(format!("{name}: the component has {size_bytes} bytes, the host takes at most {COMPONENT_BYTES_MAX}"))
            .with_hint("build with `opt-level = \"s\"`, `lto = true`, `strip = true` in `[profile.guest]`")
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Guest {
        Guest {
            name: "http".to_owned(),
            package_id: "http".to_owned(),
            manifest: PathBuf::from("/w/http/Cargo.toml"),
            source_directories: Vec::new(),
        }
    }

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

    #[test]
    fn a_component_is_published_readable_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let artifact = folder.path().join("artifact");
        fs::write(&artifact, COMPONENT_HEADER).expect("file");
        let out = folder.path().join("plugins");
        fs::create_dir(&out).expect("folder");
        let built = publish(&guest(), &artifact, &out).expect("published");
        assert_eq!(built.path, out.join("http.wasm"));
        assert_eq!(fs::metadata(&built.path).expect("there").permissions().mode() & 0o777, COMPONENT_MODE);
        assert_eq!(out.read_dir().expect("folder").count(), 1);
    }

    #[test]
    fn a_core_module_that_says_wrongly_what_it_is_to_become_is_refused_by_name() {
        // A custom section of that name, with one byte that begins no component type.
        let module = [MODULE_HEADER.as_slice(), &[0x00, 0x10, 0x0e], COMPONENT_TYPE_SECTION, &[0xff]].concat();
        let error = component_of("http", module).expect_err("its type cannot be read");
        assert!(error.to_string().starts_with("http: ") && error.to_string().contains("component-type"), "{error}");
    }

    #[test]
    fn a_core_module_does_not_replace_the_component_before_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let artifact = folder.path().join("artifact");
        fs::write(&artifact, MODULE_HEADER).expect("file");
        fs::write(folder.path().join("http.wasm"), "good").expect("file");
        let error = publish(&guest(), &artifact, folder.path()).expect_err("no component");
        assert!(error.to_string().contains("no WebAssembly component"));
        assert_eq!(fs::read(folder.path().join("http.wasm")).expect("there"), b"good");
    }

    #[test]
    fn a_component_beyond_the_hosts_limit_is_refused_with_both_numbers() {
        let mut component = COMPONENT_HEADER.to_vec();
        component.resize(COMPONENT_BYTES_MAX as usize + 1, 0);
        let error = check_component("http", &component).expect_err("too large");
        assert!(error.to_string().contains("33554433 bytes"), "{error}");
    }
}
