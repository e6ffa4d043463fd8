//! What cargo says about folders with plugin crates: which are plugins, their names, their targets, their workspace.
//!
//! A crate is a plugin when its library is a `cdylib`. Its name is the crate's without `sickbay-plugin-`, and it is compiled for
//! `wasm32-wasip2`, or what its manifest says:
//!
//! ```toml
//! [package.metadata.sickbay]
//! name = "orders"
//! target = "wasm32-unknown-unknown"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::{Expected, Invocation, Language, Manifest, Plan, Remedy, Target, last_output};
use crate::failure::Failure;

const NAME_PREFIX: &str = "sickbay-plugin-";
/// As everywhere: `[a-z0-9][a-z0-9._-]{0,62}`.
const NAME_BYTES_MAX: usize = 63;

/// The plugins of one cargo workspace that were asked for and are compiled for one target: what one call of cargo builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub root: PathBuf,
    /// Each target has a folder of its own in it.
    pub target_directory: PathBuf,
    pub target: Target,
    /// `guest` where the workspace defines it, else `release`.
    pub profile: &'static str,
    /// Sorted by name.
    pub guests: Vec<Guest>,
}

/// One plugin crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The plugin's name: its file is `NAME.wasm`.
    pub name: String,
    pub package_id: String,
    pub manifest: PathBuf,
    /// Its own folder and those of the crates beside it that it depends on.
    pub source_directories: Vec<PathBuf>,
}

/// Asks cargo about these manifests, once per workspace; what is no plugin and was not expected to be one is left out. A workspace with
/// plugins for several targets is there once for each.
///
/// # Errors
/// When there is no cargo or it cannot read a manifest, a plugin's name cannot be a file's or its target is none, or two plugins have
/// one name.
pub fn load_workspaces(plan: &Plan, manifests: &[Manifest]) -> anyhow::Result<Vec<Workspace>> {
    let mut described: Vec<Metadata> = Vec::new();
    for manifest in manifests {
        if !described.iter().any(|metadata| metadata.package(&manifest.path).is_some()) {
            described.push(ask_cargo(plan, &manifest.path)?);
        }
    }
    let mut workspaces = Vec::new();
    for metadata in &described {
        let profile = if defines_guest_profile(&metadata.workspace_root)? { "guest" } else { "release" };
        for target in Target::ALL {
            let workspace = metadata.workspace(manifests, profile, target)?;
            if !workspace.guests.is_empty() {
                workspaces.push(workspace);
            }
        }
    }
    refuse_one_name_twice(&workspaces)?;
    Ok(workspaces)
}

fn ask_cargo(plan: &Plan, manifest: &Path) -> anyhow::Result<Metadata> {
    let cargo =
        Invocation::cargo_here(plan).arguments(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"]).arguments([manifest]);
    let directory = manifest.parent().unwrap_or(Path::new("/"));
    let output = cargo.command(directory).output().map_err(|error| {
        let failure = Failure::new(format!("cannot run {}", cargo.program.display()));
        anyhow::Error::from(error).context(failure.with_hint(Remedy::Install(Language::Rust).command_line(false)))
    })?;
    if !output.status.success() {
        let message = format!("cargo cannot read {}\n{}", manifest.display(), last_output(&output.stderr));
        return Err(Failure::usage(message).into());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("cannot read what cargo says about {}", manifest.display()))
}

fn defines_guest_profile(workspace_root: &Path) -> anyhow::Result<bool> {
    let manifest = workspace_root.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("cannot read {}", manifest.display()))?;
    Ok(table.get("profile").and_then(|profiles| profiles.get("guest")).is_some())
}

fn refuse_one_name_twice(workspaces: &[Workspace]) -> anyhow::Result<()> {
    let mut seen: BTreeMap<&str, &Path> = BTreeMap::new();
    for guest in workspaces.iter().flat_map(|workspace| &workspace.guests) {
        if let Some(first) = seen.insert(&guest.name, &guest.manifest) {
            let message = format!("two plugins are named {:?}: {} and {}", guest.name, first.display(), guest.manifest.display());
            return Err(Failure::usage(message).with_hint("give one of them `[package.metadata.sickbay] name = \"...\"`").into());
        }
    }
    Ok(())
}

/// The part of `cargo metadata --no-deps` that is needed. Cargo adds fields as it grows, so unknown ones are fine.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    id: String,
    manifest_path: PathBuf,
    targets: Vec<CargoTarget>,
    dependencies: Vec<Dependency>,
    metadata: Option<serde_json::Value>,
}

/// What cargo calls a target: a library or a program of the package.
#[derive(Debug, Deserialize)]
struct CargoTarget {
    crate_types: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    /// Only of a dependency by path.
    path: Option<PathBuf>,
}

impl Metadata {
    fn package(&self, manifest: &Path) -> Option<&Package> {
        self.packages.iter().find(|package| package.manifest_path == manifest)
    }

    fn workspace(&self, manifests: &[Manifest], profile: &'static str, target: Target) -> anyhow::Result<Workspace> {
        let mut guests = Vec::new();
        for package in &self.packages {
            let mut asked_for =
                manifests.iter().filter(|manifest| manifest.path == package.manifest_path).map(|manifest| manifest.expected).peekable();
            if asked_for.peek().is_none() {
                continue;
            }
            if package.is_plugin() {
                if package.target()? != target {
                    continue;
                }
                guests.push(Guest {
                    name: package.plugin_name()?,
                    package_id: package.id.clone(),
                    manifest: package.manifest_path.clone(),
                    source_directories: self.source_directories(package),
                });
            } else if asked_for.any(|expected| expected == Expected::Plugin) {
                let message = format!("{} is no plugin: its library is no `cdylib`", package.manifest_path.display());
                return Err(Failure::usage(message).with_hint("add to its manifest: [lib] crate-type = [\"cdylib\", \"rlib\"]").into());
            }
        }
        guests.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Workspace { root: self.workspace_root.clone(), target_directory: self.target_directory.clone(), target, profile, guests })
    }

    /// The folders of a package and of every package it reaches by path.
    fn source_directories(&self, package: &Package) -> Vec<PathBuf> {
        let mut reached = BTreeSet::new();
        let mut waiting: Vec<PathBuf> = package.manifest_path.parent().map(Path::to_path_buf).into_iter().collect();
        while let Some(directory) = waiting.pop() {
            if let Some(found) = self.package(&directory.join("Cargo.toml")) {
                waiting.extend(
                    found.dependencies.iter().filter_map(|dependency| dependency.path.clone()).filter(|path| !reached.contains(path)),
                );
            }
            reached.insert(directory);
        }
        reached.into_iter().collect()
    }
}

impl Package {
    fn is_plugin(&self) -> bool {
        self.targets.iter().any(|target| target.crate_types.iter().any(|crate_type| crate_type == "cdylib"))
    }

    /// What the manifest says under `[package.metadata.sickbay]`.
    fn chosen(&self, key: &str) -> Option<&serde_json::Value> {
        self.metadata.as_ref()?.get("sickbay")?.get(key)
    }

    fn target(&self) -> anyhow::Result<Target> {
        let Some(chosen) = self.chosen("target") else { return Ok(Target::default()) };
        if let Some(target) = chosen.as_str().and_then(Target::of_triple) {
            return Ok(target);
        }
        let message = format!("{}: no plugin can be built for the target {chosen}", self.manifest_path.display());
        let triples = Target::ALL.map(|target| format!("{:?}", target.triple())).join(" or ");
        Err(Failure::usage(message).with_hint(format!("`[package.metadata.sickbay] target` is {triples}; without it, the first")).into())
    }

    fn plugin_name(&self) -> anyhow::Result<String> {
        let name = match self.chosen("name") {
            Some(name) => name.as_str().unwrap_or_default(),
            None => self.name.strip_prefix(NAME_PREFIX).unwrap_or(&self.name),
        };
        if is_plugin_name(name) {
            return Ok(name.to_owned());
        }
        let message = format!("{}: {name:?} cannot be a plugin's name", self.manifest_path.display());
        Err(Failure::usage(message)
            .with_hint("`[package.metadata.sickbay] name` takes lower case letters, digits, `.`, `_` and `-`, at most 63")
            .into())
    }
}

/// Whether a plugin can be called so.
pub(super) fn is_plugin_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let first = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= NAME_BYTES_MAX && name.as_bytes().first().is_some_and(first) && name.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "packages": [
            {"name": "sickbay-plugin-http", "id": "path+file:///w/plugins/http#sickbay-plugin-http@0.1.0", "manifest_path": "/w/plugins/http/Cargo.toml",
             "targets": [{"crate_types": ["cdylib", "rlib"], "name": "sickbay_plugin_http"}],
             "dependencies": [{"name": "sickbay-sdk", "path": "/w/sdk/rust"}, {"name": "serde"}], "metadata": null},
            {"name": "orders-check", "id": "orders", "manifest_path": "/w/plugins/orders/Cargo.toml",
             "targets": [{"crate_types": ["cdylib"]}], "dependencies": [], "metadata": {"sickbay": {"name": "orders"}}},
            {"name": "sickbay-plugin-bare", "id": "bare", "manifest_path": "/w/plugins/bare/Cargo.toml",
             "targets": [{"crate_types": ["cdylib"]}], "dependencies": [], "metadata": {"sickbay": {"target": "wasm32-unknown-unknown"}}},
            {"name": "sickbay-plugin-native", "id": "native", "manifest_path": "/w/plugins/native/Cargo.toml",
             "targets": [{"crate_types": ["cdylib"]}], "dependencies": [], "metadata": {"sickbay": {"target": "x86_64-unknown-linux-gnu"}}},
            {"name": "tool", "id": "tool", "manifest_path": "/w/plugins/tool/Cargo.toml",
             "targets": [{"crate_types": ["bin"]}], "dependencies": [], "metadata": null},
            {"name": "sickbay-sdk", "id": "sdk", "manifest_path": "/w/sdk/rust/Cargo.toml",
             "targets": [{"crate_types": ["lib"]}], "dependencies": [{"path": "/w/plugins/http"}], "metadata": null}
        ],
        "workspace_root": "/w", "target_directory": "/w/target", "version": 1
    }"#;

    fn metadata() -> Metadata {
        serde_json::from_str(METADATA).expect("cargo's own form")
    }

    fn manifests(expected: Expected, names: &[&str]) -> Vec<Manifest> {
        names.iter().map(|name| Manifest { path: PathBuf::from(format!("/w/plugins/{name}/Cargo.toml")), expected }).collect()
    }

    /// Those of the plugins that are compiled for `target`.
    fn workspace(target: Target, expected: Expected, names: &[&str]) -> anyhow::Result<Workspace> {
        metadata().workspace(&manifests(expected, names), "guest", target)
    }

    fn names(workspace: &Workspace) -> Vec<&str> {
        workspace.guests.iter().map(|guest| guest.name.as_str()).collect()
    }

    #[test]
    fn a_plugin_is_named_by_its_crate_without_the_prefix_or_by_its_metadata() {
        let workspace = workspace(Target::Wasi, Expected::Plugin, &["http", "orders"]).expect("both are plugins");
        assert_eq!(names(&workspace), ["http", "orders"]);
    }

    #[test]
    fn plugins_are_parted_by_the_target_that_their_manifest_chooses() {
        let asked_for = ["http", "bare", "orders"];
        let wasi = workspace(Target::Wasi, Expected::AnyCrate, &asked_for).expect("plugins");
        let bare = workspace(Target::Bare, Expected::AnyCrate, &asked_for).expect("plugins");
        assert_eq!((names(&wasi), names(&bare)), (vec!["http", "orders"], vec!["bare"]));
        assert_eq!((wasi.target, bare.target), (Target::Wasi, Target::Bare));
    }

    #[test]
    fn a_target_that_is_none_of_ours_is_refused_with_the_file_and_those_that_are() {
        let error = workspace(Target::Wasi, Expected::AnyCrate, &["native"]).expect_err("no host runs it");
        assert!(error.to_string().contains("/w/plugins/native/Cargo.toml: no plugin can be built for the target \"x86_64-"), "{error}");
        let hint = error.downcast_ref::<Failure>().and_then(Failure::hint).unwrap_or_default();
        assert!(hint.contains("\"wasm32-wasip2\" or \"wasm32-unknown-unknown\""), "{hint}");
    }

    #[test]
    fn a_crate_that_is_no_plugin_is_left_out_of_a_folder_and_refused_by_its_own_name() {
        let in_folder = workspace(Target::Wasi, Expected::AnyCrate, &["http", "tool"]).expect("the tool is skipped");
        assert_eq!(in_folder.guests.len(), 1);
        let error = workspace(Target::Wasi, Expected::Plugin, &["tool"]).expect_err("a tool is no plugin");
        assert!(error.to_string().contains("/w/plugins/tool/Cargo.toml is no plugin"));
    }

    #[test]
    fn sources_are_followed_through_path_dependencies_even_in_a_circle() {
        let workspace = workspace(Target::Wasi, Expected::Plugin, &["http"]).expect("a plugin");
        assert_eq!(workspace.guests[0].source_directories, [PathBuf::from("/w/plugins/http"), PathBuf::from("/w/sdk/rust")]);
    }

    #[test]
    fn a_name_that_would_leave_the_folder_is_refused() {
        for name in ["../evil", "", "-x", "A", "a/b", ".hidden"] {
            assert!(!is_plugin_name(name), "{name:?}");
        }
        assert!(!is_plugin_name(&"a".repeat(64)));
        assert!(is_plugin_name("a.b_c-9"));
    }

    #[test]
    fn two_plugins_with_one_name_are_refused() {
        let one = workspace(Target::Wasi, Expected::Plugin, &["http"]).expect("a plugin");
        let error = refuse_one_name_twice(&[one.clone(), one]).expect_err("one file cannot be both");
        assert!(error.to_string().contains("two plugins are named \"http\""));
    }
}
