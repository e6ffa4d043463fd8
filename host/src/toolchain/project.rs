//! A plugin in another language than Rust, as its own manifest describes it.
//!
//! Each language reads its manifest in its own file; a folder whose manifest says nothing of Sickbay holds no plugin.

use std::path::{Path, PathBuf};

use super::workspace::is_plugin_name;
use super::{Language, c, go, javascript, python};
use crate::failure::Failure;

/// The worlds of the contract.
pub(super) const WORLDS: [&str; 5] = ["check-plugin", "recovery-plugin", "sink-plugin", "check-recovery-plugin", "full-plugin"];

/// What one call of a compiler builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Absolute.
    pub directory: PathBuf,
    /// The plugin's name: its file is `NAME.wasm`.
    pub name: String,
    pub recipe: Recipe,
}

/// What the compiler has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    Python(python::Recipe),
    JavaScript(javascript::Recipe),
    Go(go::Recipe),
    C(c::Recipe),
}

impl Project {
    /// The plugin whose own folder `directory` is.
    ///
    /// # Errors
    /// When its manifest cannot be read, or says what cannot be.
    pub fn read(directory: &Path) -> anyhow::Result<Option<Project>> {
        for read in [python::read, javascript::read, go::read, c::read] {
            if let Some(project) = read(directory)? {
                return Ok(Some(project));
            }
        }
        Ok(None)
    }

    pub fn language(&self) -> Language {
        match self.recipe {
            Recipe::Python(_) => Language::Python,
            Recipe::JavaScript(_) => Language::JavaScript,
            Recipe::Go(_) => Language::Go,
            Recipe::C(_) => Language::C,
        }
    }
}

/// The name that `place` gives to a plugin, where a file can be called so.
pub(super) fn checked_name(name: String, place: &str) -> anyhow::Result<String> {
    if is_plugin_name(&name) {
        return Ok(name);
    }
    Err(Failure::usage(format!("{place}: {name:?} cannot be a plugin's name"))
        .with_hint("a name takes lower case letters, digits, `.`, `_` and `-`, at most 63")
        .into())
}

/// The text of a manifest; none where there is no such file.
pub(super) fn manifest_text(manifest: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(manifest) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::from(error).context(Failure::usage(format!("cannot read {}", manifest.display())))),
    }
}

/// What is wrong with a manifest.
pub(super) fn wrong(manifest: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::usage(format!("{}: {why}", manifest.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::embedded;

    #[test]
    fn the_worlds_are_those_of_the_contract() {
        let contract = embedded::contract();
        let (_, text) = contract.iter().find(|(name, _)| *name == "world.wit").expect("it is embedded");
        let worlds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("world ")?.strip_suffix(" {")).collect();
        let plugins: Vec<&str> = worlds.into_iter().filter(|world| *world != "imports").collect();
        assert_eq!(plugins, WORLDS);
    }

    #[test]
    fn a_folder_without_a_word_of_sickbay_holds_no_plugin() {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (file, text) in [
            ("pyproject.toml", "[project]\nname = \"tool\"\n"),
            ("package.json", "{\"name\": \"page\"}"),
            ("go.mod", "module example.com/tool\n\ngo 1.24\n"),
        ] {
            std::fs::write(folder.path().join(file), text).expect("file");
        }
        assert_eq!(Project::read(folder.path()).expect("readable"), None);
    }

    #[test]
    fn a_name_that_would_leave_the_folder_is_refused() {
        let error = checked_name("../evil".to_owned(), "pyproject.toml").expect_err("no name");
        assert_eq!(error.to_string(), "pyproject.toml: \"../evil\" cannot be a plugin's name");
    }
}
