//! The world of one plugin in Python: what it exports, and of the contract's interfaces those that it may use.
//!
//! A component in Python imports every interface of its world, and the wider the world the dearer each instance. So an interface is left out
//! whose name stands nowhere in the plugin's sources, as a word: no code can call it without writing that. A name in a text or behind code keeps
//! it in, which costs time and nothing else; lines that are comments are passed over. The log is always there: the SDK hands every record of `logging` to it.
//!
//! Limits: [`FILES_MAX`] files of [`BYTES_MAX`] bytes together; where there are more, the world has all interfaces.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What such a world is called; no module of a plugin is.
pub(super) const NAME: &str = "sickbay-built";
const FILES_MAX: usize = 2_000;
const BYTES_MAX: u64 = 16 << 20;
/// The folder of the SDK, whose sources name all interfaces.
const SDK: &str = "sickbay";
const WORLDS: &str = "world.wit";
const ALWAYS: [&str; 2] = ["types", "log"];

/// Copies the contract from `contract` into `folder`, which is made, and adds the world of a plugin whose modules are in `sources` and which is
/// for `world`. Answers whether there is one: not where the sources are more than are looked through.
pub(super) fn write(world: &str, sources: &[PathBuf], contract: &Path, folder: &Path) -> anyhow::Result<bool> {
    let Some(words) = words(sources) else { return Ok(false) };
    let writing = || format!("cannot write {}", folder.display());
    fs::create_dir(folder).with_context(writing)?;
    for entry in contract.read_dir().with_context(|| format!("cannot read {}", contract.display()))? {
        let file = entry?.path();
        if let Some(name) = file.file_name() {
            fs::copy(&file, folder.join(name)).with_context(writing)?;
        }
    }
    let worlds = fs::read_to_string(folder.join(WORLDS)).with_context(writing)?;
    fs::write(folder.join(format!("{NAME}.wit")), narrowed(&worlds, world, &words)).with_context(writing)?;
    Ok(true)
}

/// `world` of the contract without the imports that no word names.
fn narrowed(worlds: &str, world: &str, words: &BTreeSet<String>) -> String {
    let package = worlds.lines().find(|line| line.starts_with("package ")).unwrap_or_default();
    let lines = |of: &str, keyword: &str| -> Vec<String> {
        let begin = format!("world {of} {{");
        let block = worlds.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| *line != "}");
        let named = block.filter_map(|line| line.trim().strip_prefix(keyword)?.trim().strip_suffix(';'));
        named.map(str::to_owned).collect()
    };
    let imports = lines("imports", "import ").into_iter().filter(|name| ALWAYS.contains(&name.as_str()) || words.contains(name));
    let imports: String = imports.map(|name| format!("    import {name};\n")).collect();
    let exports: String = lines(world, "export ").iter().map(|name| format!("    export {name};\n")).collect();
    format!("{package}\n\nworld {NAME} {{\n{imports}{exports}}}\n")
}

/// Every word of the sources below `folders`; None where they are too many.
fn words(folders: &[PathBuf]) -> Option<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    let (mut files, mut bytes) = (0, 0);
    let mut open: Vec<PathBuf> = folders.to_vec();
    while let Some(folder) = open.pop() {
        // What cannot be read cannot be imported either.
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                // No link is followed: it may lead back.
                if !entry.file_type().is_ok_and(|kind| kind.is_symlink()) && !is_skipped(&path) {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "py") {
                files += 1;
                bytes += path.metadata().map_or(0, |metadata| metadata.len());
                if files > FILES_MAX || bytes > BYTES_MAX {
                    return None;
                }
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
                let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                words
                    .extend(code.flat_map(|line| line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')).map(str::to_owned));
            }
        }
    }
    Some(words)
}

/// The SDK, and what holds no modules of the plugin.
fn is_skipped(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name == "__pycache__" || (name == SDK && folder.join("_guest").is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::embedded;

    fn text(world: &str, words: &[&str]) -> String {
        let contract = embedded::contract();
        let (_, worlds) = contract.iter().find(|(name, _)| *name == WORLDS).expect("it is embedded");
        narrowed(worlds, world, &words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_world_has_what_is_exported_and_the_interfaces_that_a_word_names() {
        assert_eq!(
            text("check-plugin", &["http", "import", "Queue"]),
            "package sickbay:plugin@0.1.0;\n\nworld sickbay-built {\n    import types;\n    import http;\n    import log;\n    export plugin;\n    export check;\n}\n"
        );
        let full = text("full-plugin", &["http", "postgres", "redis", "net", "secrets", "files", "system", "state"]);
        assert_eq!((full.matches("import ").count(), full.matches("export ").count()), (10, 4), "{full}");
    }

    #[test]
    fn the_words_of_a_plugin_are_those_of_its_sources_and_not_of_the_sdk() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (file, text) in [
            ("app.py", "from sickbay import (\n    Report,\n    redis,\n)\nneeds = 'http = [\"GET\"]'\n"),
            ("lib/more.py", "import sickbay\nsickbay.state.get('postgresql')\n"),
            ("lib/notes.txt", "files"),
            ("sickbay/_guest/host.py", "secrets"),
            (".venv/other.py", "system"),
        ] {
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("folder");
            fs::write(file, text).expect("file");
        }
        let words = words(&[folder.path().to_path_buf(), folder.path().join("absent")]).expect("few");
        for (name, is_there) in
            [("redis", true), ("http", true), ("state", true), ("postgres", false), ("files", false), ("secrets", false), ("system", false)]
        {
            assert_eq!(words.contains(name), is_there, "{name}");
        }
    }

    #[test]
    fn the_contract_is_copied_with_the_world() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (contract, sources, made) = (folder.path().join("wit"), folder.path().join("plugin"), folder.path().join("made"));
        fs::create_dir_all(&contract).expect("folder");
        for (name, text) in embedded::contract() {
            fs::write(contract.join(name), text).expect("file");
        }
        assert!(write("sink-plugin", &[sources], &contract, &made).expect("written"));
        assert!(made.join("types.wit").is_file());
        let world = fs::read_to_string(made.join("sickbay-built.wit")).expect("there");
        assert!(world.contains("export sink;") && !world.contains("import http;"), "{world}");
    }
}
