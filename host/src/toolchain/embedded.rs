//! What the program brings along for authors, so that they need neither a checkout nor a network for it: the SDKs with their templates, and
//! the contract.
//!
//! Tools want files: [`unpacked`] puts all of it into a folder below that of the tools, named by what is in it, so that a build has the SDK
//! of the program that builds. [`current`] leads to the folder of the program that unpacked last: that is what a new plugin names.
//!
//! Limits: the folders of [`UNPACKED_MAX`] versions are kept.
//!
//! Invariant: an unpacked folder appears whole or not at all.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use sha2::{Digest, Sha256};

/// Paths as in the repository; the build script makes the list.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The manifest of the workspace, which the SDK for Rust inherits from.
const WORKSPACE: &str = "Cargo.toml";
/// What unpacked folders begin with.
const PREFIX: &str = "sdk-";
const DIGEST_CHARACTERS: usize = 12;
/// Unpacked folders of this and other versions of the program.
const UNPACKED_MAX: usize = 4;

/// The files below a folder of the repository: path from there, and contents.
pub(super) fn below(folder: &str) -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().filter_map(move |(path, contents)| Some((path.strip_prefix(folder)?.strip_prefix('/')?, *contents)))
}

/// The WIT files of the contract, each with its name.
pub(super) fn contract() -> Vec<(&'static str, &'static str)> {
    below("wit").filter_map(|(name, contents)| Some((name, std::str::from_utf8(contents).ok()?))).collect()
}

/// The folder below `tools` that holds `sdk/LANG` and `wit`, written now where it is not there; [`current`] leads to it from now on.
///
/// # Errors
/// When it cannot be written.
pub(super) fn unpacked(tools: &Path) -> anyhow::Result<PathBuf> {
    let name = format!("{PREFIX}{}", digest());
    let folder = tools.join(&name);
    let writing = || format!("cannot write the SDKs into {}", tools.display());
    if !folder.is_dir() {
        fs::create_dir_all(tools).with_context(writing)?;
        unpack(tools, &folder).with_context(writing)?;
        prune(tools, &folder);
    }
    if fs::read_link(current(tools)).ok().as_deref() != Some(Path::new(&name)) {
        point_at(&name, tools).with_context(writing)?;
    }
    Ok(folder)
}

/// Where a plugin finds the SDKs, whichever version of the program unpacked them last.
pub(super) fn current(tools: &Path) -> PathBuf {
    tools.join("current")
}

fn unpack(tools: &Path, folder: &Path) -> anyhow::Result<()> {
    let part = tempfile::Builder::new().prefix(".sdk-").tempdir_in(tools)?;
    for (path, contents) in FILES {
        match *path {
            WORKSPACE => write(&part.path().join(path), workspace(contents)?.as_bytes())?,
            _ => write(&part.path().join(path), contents)?,
        }
    }
    // Where bundlers of JavaScript look for a package of that name.
    let scope = part.path().join("node_modules/@sickbay");
    fs::create_dir_all(&scope)?;
    symlink("../../sdk/js", scope.join("sdk"))?;
    match fs::rename(part.path(), folder) {
        // Another one was faster with the same.
        Err(_) if folder.is_dir() => Ok(()),
        renamed => Ok(renamed?),
    }
}

pub(super) fn write(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, contents)
}

/// The workspace with the SDK for Rust as its one member.
fn workspace(whole: &[u8]) -> anyhow::Result<String> {
    let whole: toml::Table = std::str::from_utf8(whole)?.parse()?;
    let Some(toml::Value::Table(mut workspace)) = whole.get("workspace").cloned() else { anyhow::bail!("the manifest has no workspace") };
    workspace.insert("members".to_owned(), toml::Value::from(vec!["sdk/rust"]));
    workspace.remove("default-members");
    if let Some(toml::Value::Table(dependencies)) = workspace.get_mut("dependencies") {
        dependencies.retain(|_, dependency| dependency.get("path").is_none());
    }
    let mut table = toml::Table::new();
    table.insert("workspace".to_owned(), toml::Value::Table(workspace));
    Ok(toml::to_string(&table)?)
}

/// In one step, so that who reads it meanwhile finds the one or the other.
fn point_at(name: &str, tools: &Path) -> std::io::Result<()> {
    let part = tempfile::Builder::new().prefix(".current-").tempdir_in(tools)?;
    let link = part.path().join("link");
    symlink(name, &link)?;
    fs::rename(link, current(tools))
}

fn digest() -> String {
    let mut all = Sha256::new();
    for (path, contents) in FILES {
        all.update(path);
        all.update(contents.len().to_le_bytes());
        all.update(contents);
    }
    let hex: String = all.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..DIGEST_CHARACTERS].to_owned()
}

/// Removes the oldest folders of other versions. What cannot be removed stays.
fn prune(tools: &Path, kept: &Path) {
    let is_unpacked = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
    let mut others: Vec<(SystemTime, PathBuf)> = fs::read_dir(tools)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_unpacked(path) && path != kept)
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    others.sort();
    let too_many = (others.len() + 1).saturating_sub(UNPACKED_MAX);
    for (_, path) in others.into_iter().take(too_many) {
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_and_an_sdk_are_brought_along_and_what_tools_left_behind_is_not() {
        assert!(contract().iter().any(|(name, text)| *name == "world.wit" && text.contains("world check-plugin")));
        assert!(below("sdk/python").any(|(path, _)| path == "sickbay/__init__.py"));
        assert!(below("sdk/python").all(|(path, _)| !path.starts_with("tests/") && !path.contains("__pycache__")));
    }

    #[test]
    fn it_is_unpacked_once_and_whole() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let tools = folder.path().join("tools");
        let first = unpacked(&tools).expect("writable");
        for (path, contents) in FILES.iter().filter(|(path, _)| *path != WORKSPACE) {
            assert_eq!(fs::read(first.join(path)).expect("written"), *contents, "{path}");
        }
        fs::write(first.join("mark"), "").expect("writable");
        assert_eq!(unpacked(&tools).expect("there"), first);
        assert!(first.join("mark").exists(), "what is there is not written again");
        assert!(current(&tools).join("mark").exists(), "the link leads to it");
        assert_eq!(tools.read_dir().expect("folder").count(), 2, "no part is left");
    }

    #[test]
    fn the_program_that_unpacks_last_is_current() {
        let folder = tempfile::tempdir().expect("temporary folder");
        symlink("sdk-of-before", current(folder.path())).expect("writable");
        let unpacked = unpacked(folder.path()).expect("writable");
        assert_eq!(current(folder.path()).canonicalize().expect("a link"), unpacked.canonicalize().expect("a folder"));
    }

    #[test]
    fn the_sdk_for_rust_finds_what_it_inherits() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let unpacked = unpacked(folder.path()).expect("writable");
        let read = |path: &str| -> toml::Table { fs::read_to_string(unpacked.join(path)).expect("written").parse().expect("TOML") };
        let (workspace, sdk) = (read("Cargo.toml"), read("sdk/rust/Cargo.toml"));
        let inherited = &workspace["workspace"];
        assert_eq!(inherited["members"].as_array().map(Vec::len), Some(1));
        for (name, dependency) in sdk["dependencies"].as_table().expect("a table") {
            assert!(dependency.get("workspace").is_none() || inherited["dependencies"].get(name).is_some(), "{name}");
        }
        assert!(inherited["package"].get("version").is_some() && inherited["dependencies"].get("sickbay").is_none());
    }

    #[test]
    fn folders_of_a_few_versions_are_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for version in 0..6 {
            fs::create_dir(folder.path().join(format!("{PREFIX}{version}"))).expect("writable");
        }
        fs::create_dir(folder.path().join("python")).expect("writable");
        let kept = unpacked(folder.path()).expect("writable");
        assert!(kept.is_dir() && folder.path().join("python").is_dir());
        let unpacked = folder.path().read_dir().expect("folder").flatten();
        assert_eq!(unpacked.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)).count(), UNPACKED_MAX);
    }
}
