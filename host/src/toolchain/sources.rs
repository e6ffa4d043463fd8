//! Which folders hold plugins that `build` can build, in whatever language: the folder itself, or its immediate subfolders.

use std::path::{Path, PathBuf};

use super::{Language, Project};
use crate::failure::Failure;

/// Subfolders looked at in one folder.
const FOLDERS_MAX: usize = 1000;

/// A crate's manifest, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub path: PathBuf,
    pub expected: Expected,
}

/// What a person meant by naming the folder; whether a crate is a plugin only cargo can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The crate's own folder was named: it has to be a plugin.
    Plugin,
    /// It stands in a folder that was named, perhaps among plugins.
    AnyCrate,
}

/// What a folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Of crates; sorted by path.
    pub manifests: Vec<Manifest>,
    /// Plugins in other languages; sorted by path.
    pub projects: Vec<Project>,
    /// Subfolders that look like a plugin in a language, and whose manifest says nothing of Sickbay.
    pub unnamed: Vec<(PathBuf, Language)>,
}

impl Sources {
    pub fn is_empty(&self) -> bool {
        self.manifests.is_empty() && self.projects.is_empty()
    }
}

/// Looks at `directory` and its immediate subfolders.
///
/// # Errors
/// When the folder cannot be read, holds more than a thousand subfolders, looks itself like a plugin and says nothing of Sickbay, or a
/// manifest says what cannot be.
pub fn find(directory: &Path) -> anyhow::Result<Sources> {
    let directory = directory.canonicalize().map_err(|error| {
        let failure = Failure::usage(format!("cannot read the folder {}", directory.display()));
        anyhow::Error::from(error).context(failure.with_hint("name a plugin's folder, or a folder of plugins"))
    })?;
    let own = directory.join("Cargo.toml");
    // A workspace's root has a manifest too; its plugins are below it.
    if own.is_file() && has_package(&own)? {
        return Ok(Sources { manifests: vec![Manifest { path: own, expected: Expected::Plugin }], ..Sources::default() });
    }
    if let Some(project) = Project::read(&directory)? {
        return Ok(Sources { projects: vec![project], ..Sources::default() });
    }
    let mut sources = Sources::default();
    for folder in subfolders(&directory)? {
        let path = folder.join("Cargo.toml");
        if path.is_file() {
            sources.manifests.push(Manifest { path, expected: Expected::AnyCrate });
        } else if let Some(project) = Project::read(&folder)? {
            sources.projects.push(project);
        } else if let Some(language) = looks_like(&folder) {
            sources.unnamed.push((folder, language));
        }
    }
    if sources.is_empty()
        && let Some(language) = looks_like(&directory)
    {
        let message = format!("{} looks like {language}, and says nothing of Sickbay", directory.display());
        return Err(Failure::usage(message).with_hint(how_to_say_it(language)).into());
    }
    Ok(sources)
}

/// What makes a plugin of a folder in this language.
pub fn how_to_say_it(language: Language) -> &'static str {
    match language {
        Language::Rust => "add to Cargo.toml: [lib] crate-type = [\"cdylib\", \"rlib\"]",
        Language::Python => "add to pyproject.toml: [tool.sickbay] name = \"my-check\"",
        Language::JavaScript => "add to package.json: \"sickbay\": { \"name\": \"my-check\" }",
        Language::Go => "go.mod must require the SDK: `sickbay new go DIR` shows how",
        Language::C => "add plugin.toml: name = \"my-check\" and sources = [\"my-check.c\"]",
    }
}

fn subfolders(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in directory.read_dir()? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !path.is_dir() || hidden {
            continue;
        }
        if folders.len() == FOLDERS_MAX {
            return Err(Failure::usage(format!("{} holds more than {FOLDERS_MAX} folders", directory.display()))
                .with_hint("name the plugins' folders one by one")
                .into());
        }
        folders.push(path);
    }
    folders.sort();
    Ok(folders)
}

fn has_package(manifest: &Path) -> anyhow::Result<bool> {
    let text = std::fs::read_to_string(manifest)?;
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| anyhow::Error::from(error).context(format!("cannot read {}", manifest.display())))?;
    Ok(table.contains_key("package"))
}

/// By the file that a project in this language cannot do without.
fn looks_like(directory: &Path) -> Option<Language> {
    const SIGNS: [(&str, Language); 5] = [
        ("go.mod", Language::Go),
        ("package.json", Language::JavaScript),
        ("app.js", Language::JavaScript),
        ("pyproject.toml", Language::Python),
        ("app.py", Language::Python),
    ];
    SIGNS.iter().find(|(file, _)| directory.join(file).is_file()).map(|(_, language)| *language)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("folder");
        std::fs::write(path, text).expect("file");
    }

    #[test]
    fn a_folder_of_plugins_gives_their_manifests_in_order() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let root = folder.path().canonicalize().expect("path");
        write(root.join("system/Cargo.toml"), "[package]\nname = \"system\"");
        write(root.join("http/Cargo.toml"), "[package]\nname = \"http\"");
        write(root.join("greeter/app.py"), "");
        write(root.join("notes/readme.md"), "");
        write(root.join(".hidden/Cargo.toml"), "");
        let sources = find(&root).expect("readable");
        let expected = ["http", "system"].map(|name| Manifest { path: root.join(name).join("Cargo.toml"), expected: Expected::AnyCrate });
        assert_eq!(sources.manifests, expected);
        assert_eq!(sources.unnamed, [(root.join("greeter"), Language::Python)]);
    }

    #[test]
    fn plugins_in_other_languages_are_found_beside_crates() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write(folder.path().join("http/Cargo.toml"), "[package]\nname = \"http\"");
        write(folder.path().join("feed/pyproject.toml"), "[tool.sickbay]\nname = \"feed\"");
        write(folder.path().join("feed/app.py"), "");
        let sources = find(folder.path()).expect("readable");
        assert_eq!((sources.manifests.len(), sources.projects[0].name.as_str()), (1, "feed"));
        let alone = find(&folder.path().join("feed")).expect("readable");
        assert_eq!(alone.projects, sources.projects);
    }

    #[test]
    fn a_folder_that_says_nothing_of_sickbay_is_an_error_with_what_to_add() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write(folder.path().join("app.py"), "");
        let error = find(folder.path()).expect_err("no plugin");
        assert!(error.to_string().ends_with("looks like Python, and says nothing of Sickbay"), "{error}");
        let hint = error.downcast_ref::<Failure>().and_then(Failure::hint).unwrap_or_default();
        assert!(hint.contains("[tool.sickbay]"), "{hint}");
    }

    #[test]
    fn a_plugins_own_folder_is_one_plugin() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write(folder.path().join("Cargo.toml"), "[package]\nname = \"alone\"");
        write(folder.path().join("src/Cargo.toml"), "[package]\nname = \"not-me\"");
        let sources = find(folder.path()).expect("readable");
        assert_eq!(sources.manifests.len(), 1);
        assert_eq!(sources.manifests[0].expected, Expected::Plugin);
    }

    #[test]
    fn a_workspace_root_is_looked_into() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write(folder.path().join("Cargo.toml"), "[workspace]\nmembers = [\"one\"]");
        write(folder.path().join("one/Cargo.toml"), "[package]\nname = \"one\"");
        let sources = find(folder.path()).expect("readable");
        assert_eq!(sources.manifests[0].expected, Expected::AnyCrate);
        assert!(sources.manifests[0].path.ends_with("one/Cargo.toml"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_with_its_name() {
        let error = find(Path::new("no/such/folder")).expect_err("nothing there");
        assert!(error.to_string().contains("no/such/folder"));
    }
}
