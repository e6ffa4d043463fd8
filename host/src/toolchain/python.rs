//! Plugins in Python: `componentize-py` puts a module, what it imports and the interpreter into a component.
//!
//! ```toml
//! [tool.sickbay]                       # in pyproject.toml
//! name = "orders"
//! module = "app"                       # when absent, `app`
//! world = "check-plugin"               # when absent, this
//! python-path = ["../shared"]          # more folders with modules
//! ```
//!
//! The SDK comes from the project's folders, else from `PYTHONPATH`, else from this program.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::compile::Work;
use super::facts::answer;
use super::kit::Kit;
use super::pip::{self, PYTHON_MIN, Pip};
use super::project::{Project, WORLDS, checked_name, manifest_text, wrong};
use super::{Language, Missing, Remedy, project, python_world};
use crate::config::nearest;

pub(super) const PACKAGES: [&str; 2] = ["python3", "python3-venv"];
const VERSION: &str = "0.25.1";
const TABLE: &str = "[tool.sickbay]";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    pub module: String,
    pub world: String,
    /// Absolute; the project's own folder comes before them.
    pub python_path: Vec<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    name: String,
    #[serde(default = "default_module")]
    module: String,
    #[serde(default = "default_world")]
    world: String,
    #[serde(default)]
    python_path: Vec<PathBuf>,
}

fn default_module() -> String {
    "app".to_owned()
}

fn default_world() -> String {
    WORLDS[0].to_owned()
}

pub(super) fn read(directory: &Path) -> anyhow::Result<Option<Project>> {
    let manifest = directory.join("pyproject.toml");
    let Some(text) = manifest_text(&manifest)? else { return Ok(None) };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(&manifest, error))?;
    let Some(told) = table.get("tool").and_then(|tool| tool.get("sickbay")) else { return Ok(None) };
    let told: Table =
        told.clone().try_into().map_err(|error: toml::de::Error| wrong(&manifest, format!("{TABLE}: {}", error.message())))?;
    let name = checked_name(told.name, &format!("{}: {TABLE}", manifest.display()))?;
    if !WORLDS.contains(&told.world.as_str()) {
        let failure = wrong(&manifest, format!("{TABLE}: the contract has no world `{}`", told.world));
        let hint = match nearest(&told.world, &WORLDS) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("it has {}", WORLDS.join(", ")),
        };
        return Err(failure.with_hint(hint).into());
    }
    let file = told.module.replace('.', "/");
    if ![format!("{file}.py"), format!("{file}/__init__.py")].iter().any(|file| directory.join(file).is_file()) {
        let failure = wrong(&manifest, format!("{TABLE}: there is no module `{}` in {}", told.module, directory.display()));
        return Err(failure.with_hint(format!("write {file}.py, or name another with `module = \"...\"`")).into());
    }
    let python_path = told.python_path.iter().map(|folder| directory.join(folder)).collect();
    let recipe = Recipe { module: told.module, world: told.world, python_path };
    Ok(Some(Project { directory: directory.to_path_buf(), name, recipe: project::Recipe::Python(recipe) }))
}

/// What this machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// componentize-py of the right version in Sickbay's own folder.
    pub own: bool,
    /// Any version of it on the path.
    pub on_path: bool,
    /// Python that is new enough.
    pub python: bool,
    /// That can make a folder of packages.
    pub venv: bool,
    pub apt: bool,
}

impl Facts {
    pub(super) fn probe(tools: &Path) -> Facts {
        let is_ours = |text: String| text.ends_with(VERSION);
        let own = answer(program(tools), &["--version"]).is_some_and(is_ours);
        if own {
            return Facts { own, ..Facts::default() };
        }
        let Pip { python, venv, apt } = Pip::probe();
        Facts { own, on_path: answer("componentize-py", &["--version"]).is_some(), python, venv, apt }
    }
}

/// Where Sickbay's own is.
fn program(tools: &Path) -> PathBuf {
    tools.join("python/bin/componentize-py")
}

pub(super) fn plan(facts: &Facts, tools: &Path) -> Result<Kit, Missing> {
    if facts.own {
        return Ok(Kit::of(Language::Python, program(tools), format!("componentize-py {VERSION}")));
    }
    if facts.on_path {
        return Ok(Kit::of(Language::Python, "componentize-py", "componentize-py on the path"));
    }
    let get = Remedy::Tools { language: Language::Python, into: tools.join("python"), search: Vec::new() };
    let (what, how_to_get) = match facts {
        Facts { python: true, venv: true, .. } => (format!("componentize-py {VERSION} is not there"), vec![get]),
        Facts { python: true, apt: true, .. } => ("python3 has no `venv`".to_owned(), vec![Remedy::Packages(Language::Python), get]),
        Facts { python: true, .. } => ("python3 has no `venv`".to_owned(), vec![Remedy::Install(Language::Python)]),
        Facts { apt: true, .. } => {
            let least = format!("no Python {}.{} or newer on the path", PYTHON_MIN.0, PYTHON_MIN.1);
            (least, vec![Remedy::Packages(Language::Python), get])
        }
        _ => ("no Python on the path".to_owned(), vec![Remedy::Install(Language::Python)]),
    };
    Err(Missing { what, how_to_get })
}

pub(super) fn tools(into: &Path) -> Vec<Vec<String>> {
    pip::install(&format!("componentize-py=={VERSION}"), into)
}

pub(super) fn command(work: &Work<'_>, recipe: &Recipe) -> anyhow::Result<Command> {
    let (directory, sdk) = (&work.project.directory, work.brought.join("sdk/python"));
    let inherited = std::env::var_os("PYTHONPATH").unwrap_or_default();
    let folders = search_path(directory, &recipe.python_path, std::env::split_paths(&inherited), &sdk);
    let (contract, narrowed) = (work.brought.join("wit"), work.scratch.join("wit"));
    let (wit, world) = if python_world::write(&recipe.world, &folders, &contract, &narrowed)? {
        (narrowed, python_world::NAME)
    } else {
        (contract, recipe.world.as_str())
    };
    let mut command = Command::new(&work.kit.program);
    command.arg("-d").arg(wit).args(["-w", world, "componentize"]);
    for folder in folders {
        command.arg("-p").arg(folder);
    }
    command.arg(&recipe.module).arg("-o").arg(work.made());
    command.current_dir(directory).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Where modules are imported from, in this order; the SDK that this program brings is the last, where no other is.
fn search_path(directory: &Path, named: &[PathBuf], inherited: impl Iterator<Item = PathBuf>, brought: &Path) -> Vec<PathBuf> {
    let mut folders = vec![directory.to_path_buf()];
    folders.extend(named.iter().cloned().chain(inherited.filter(|folder| folder.is_dir())));
    if !folders.iter().any(|folder| folder.join("sickbay/__init__.py").is_file()) {
        folders.push(brought.to_path_buf());
    }
    folders
}

pub(super) fn hint(output: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 3] = [
        ("No module named", "add its folder to `python-path` under [tool.sickbay], or install it where python3 finds it; pure Python only"),
        (
            "has no attribute 'Plugin'",
            "the module must export what an SDK's `check_plugin(...)` gives: `Plugin, Check = check_plugin(...)`",
        ),
        ("has no attribute 'Check'", "the world of [tool.sickbay] and what the module exports differ: `Plugin, Check = check_plugin(...)`"),
    ];
    HINTS.iter().find(|(sign, _)| output.contains(sign)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    const ALL: Facts = Facts { own: false, on_path: false, python: true, venv: true, apt: true };

    fn folder(manifest: &str, files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("pyproject.toml"), manifest).expect("file");
        for file in files {
            std::fs::write(folder.path().join(file), "").expect("file");
        }
        folder
    }

    #[test]
    fn a_manifest_says_what_is_built() {
        let folder =
            folder("[tool.sickbay]\nname = \"orders\"\nmodule = \"main\"\nworld = \"sink-plugin\"\npython-path = [\"lib\"]", &["main.py"]);
        let project = read(folder.path()).expect("readable").expect("a plugin");
        let recipe = Recipe { module: "main".to_owned(), world: "sink-plugin".to_owned(), python_path: vec![folder.path().join("lib")] };
        assert_eq!((project.name.as_str(), project.language()), ("orders", Language::Python));
        assert_eq!(project.recipe, project::Recipe::Python(recipe));
    }

    #[test]
    fn what_cannot_be_is_told_with_the_file_and_the_fix() {
        for (manifest, told, hint) in [
            ("[tool.sickbay]\nname = \"Orders\"", "[tool.sickbay]: \"Orders\" cannot be a plugin's name", "lower case"),
            ("[tool.sickbay]\nname = \"a\"\nworld = \"chek-plugin\"", "no world `chek-plugin`", "did you mean `check-plugin`?"),
            ("[tool.sickbay]\nname = \"a\"\nmodule = \"other\"", "there is no module `other`", "write other.py"),
            ("[tool.sickbay]\nmodule = \"app\"", "[tool.sickbay]: missing field `name`", ""),
            ("[tool.sickbay]\nname = \"a\"\npython_path = []", "unknown field `python_path`", ""),
            ("[tool.sickbay", "pyproject.toml: ", ""),
        ] {
            let folder = folder(manifest, &["app.py"]);
            let error = read(folder.path()).expect_err("it is wrong");
            assert!(error.to_string().contains(told) && error.to_string().contains("pyproject.toml"), "{error}");
            let failure = error.downcast_ref::<Failure>().expect("ours");
            assert!(failure.hint().unwrap_or_default().contains(hint), "{failure:?}");
        }
    }

    #[test]
    fn the_sdk_is_brought_along_only_where_the_project_has_none() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (here, own, brought) = (folder.path().join("plugin"), folder.path().join("own"), folder.path().join("brought"));
        let named = [own.clone()];
        let search = || search_path(&here, &named, std::iter::empty(), &brought);
        assert_eq!(search(), [here.clone(), own.clone(), brought.clone()]);
        std::fs::create_dir_all(own.join("sickbay")).expect("folder");
        std::fs::write(own.join("sickbay/__init__.py"), "").expect("file");
        assert_eq!(search(), [here.clone(), own.clone()]);
    }

    #[test]
    fn sickbays_own_tool_comes_before_the_one_on_the_path() {
        let tools = Path::new("/tools");
        let program = |facts| plan(&facts, tools).expect("there is one").program;
        assert_eq!(program(Facts { own: true, on_path: true, ..ALL }), Path::new("/tools/python/bin/componentize-py"));
        assert_eq!(program(Facts { on_path: true, ..ALL }), Path::new("componentize-py"));
    }

    #[test]
    fn what_is_missing_is_told_with_what_gets_it_first() {
        let missing = |facts| plan(&facts, Path::new("/tools")).expect_err("it is missing");
        let get = Remedy::Tools { language: Language::Python, into: PathBuf::from("/tools/python"), search: Vec::new() };
        assert_eq!(missing(ALL).how_to_get, std::slice::from_ref(&get));
        assert_eq!(missing(ALL).what, "componentize-py 0.25.1 is not there");
        assert_eq!(missing(Facts { venv: false, ..ALL }).how_to_get, [Remedy::Packages(Language::Python), get]);
        assert_eq!(missing(Facts::default()).how_to_get, [Remedy::Install(Language::Python)]);
    }

    #[test]
    fn the_hint_follows_what_the_tool_said() {
        assert!(hint("ModuleNotFoundError: No module named 'yaml'").is_some_and(|hint| hint.contains("python-path")));
        assert_eq!(hint("SyntaxError: invalid syntax"), None);
    }
}
