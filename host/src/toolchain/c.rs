//! Plugins in C: clang makes a core module of the plugin and the SDK, of which a component is made here. There is no C library and no WASI.
//!
//! ```toml
//! name = "orders"                      # in plugin.toml
//! language = "c"
//! sources = ["orders.c"]
//! sdk = "sickbay"                      # the folder of the SDK; where it is not there, the one that this program brings along is used
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use super::compile::Work;
use super::facts::{answer, has_apt};
use super::kit::{Kit, version};
use super::project::{Project, WORLDS, checked_name, manifest_text, wrong};
use super::{Facts as RustFacts, Language, Missing, Remedy, project};

pub(super) const PACKAGES: [&str; 2] = ["clang", "lld"];
const CLANG_MIN: u32 = 14;
/// What the names of `clang` and `wasm-ld` end with, the first choice first.
const SUFFIXES: [&str; 9] = ["", "-21", "-20", "-19", "-18", "-17", "-16", "-15", "-14"];
/// As the SDK's `plugin.mk` has them: the first 64 KiB of memory are the stack, which traps where it overflows.
const FLAGS: [&str; 11] = [
    "--target=wasm32-unknown-unknown",
    "-std=c11",
    "-Os",
    "-ffreestanding",
    "-mbulk-memory",
    "-fvisibility=hidden",
    "-nostdlib",
    "-Wl,--no-entry",
    "-Wl,--stack-first",
    "-Wl,-z,stack-size=65536",
    "-Wl,--strip-debug",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// From the plugin's folder on.
    pub sources: Vec<PathBuf>,
    /// The same.
    pub sdk: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    #[serde(default)]
    language: Option<String>,
    /// For other tools: what a module exports says it too.
    #[serde(default)]
    world: Option<String>,
    sources: Vec<PathBuf>,
    #[serde(default)]
    sdk: Option<PathBuf>,
}

pub(super) fn read(directory: &Path) -> anyhow::Result<Option<Project>> {
    let manifest = directory.join("plugin.toml");
    let Some(text) = manifest_text(&manifest)? else { return Ok(None) };
    let told: Table = toml::from_str(&text).map_err(|error| wrong(&manifest, error))?;
    let name = checked_name(told.name, &manifest.display().to_string())?;
    if let Some(language) = told.language.filter(|language| language != "c") {
        return Err(wrong(&manifest, format!("`language` is {language:?}")).with_hint("it is \"c\" here").into());
    }
    if let Some(world) = told.world.filter(|world| !WORLDS.contains(&world.as_str())) {
        return Err(wrong(&manifest, format!("the contract has no world `{world}`"))
            .with_hint(format!("it has {}", WORLDS.join(", ")))
            .into());
    }
    if let Some(absent) = told.sources.iter().find(|source| !directory.join(source).is_file()) {
        let failure = wrong(&manifest, format!("`sources` names {}, which is not there", absent.display()));
        return Err(failure.with_hint("mend `sources`, or write the file").into());
    }
    let recipe = project::Recipe::C(Recipe { sources: told.sources, sdk: told.sdk });
    Ok(Some(Project { directory: directory.to_path_buf(), name, recipe }))
}

/// What this machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The first one that is new enough.
    pub clang: Option<PathBuf>,
    /// Its linker for WebAssembly, or that of a Rust toolchain.
    pub linker: Option<PathBuf>,
    pub apt: bool,
}

impl Facts {
    pub(super) fn probe() -> Facts {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = |name: String| std::env::split_paths(&path).map(|folder| folder.join(&name)).find(|file| file.is_file());
        let is_new =
            |clang: &Path| answer(clang, &["--version"]).and_then(|text| version(&text)).is_some_and(|(major, _)| major >= CLANG_MIN);
        let of_rust = || RustFacts::probe().compiler?.linkers.map(|linkers| linkers.join("gcc-ld/wasm-ld")).filter(|file| file.is_file());
        let clang = SUFFIXES.iter().find_map(|suffix| Some((*suffix, on_path(format!("clang{suffix}")).filter(|clang| is_new(clang))?)));
        // The linker of the same version first: it has to understand what the compiler wrote.
        let same = clang.iter().map(|(suffix, _)| *suffix);
        let linker = same.chain(SUFFIXES).find_map(|suffix| on_path(format!("wasm-ld{suffix}"))).or_else(of_rust);
        Facts { clang: clang.map(|(_, clang)| clang), linker, apt: has_apt() }
    }
}

pub(super) fn plan(facts: &Facts) -> Result<Kit, Missing> {
    let what = match (&facts.clang, &facts.linker) {
        (Some(clang), Some(linker)) => {
            let kit = Kit::of(Language::C, clang, format!("{} and {}", clang.display(), linker.display()));
            return Ok(Kit { linker: Some(linker.clone()), ..kit });
        }
        (None, _) => format!("no clang {CLANG_MIN} or newer on the path"),
        (_, None) => "no `wasm-ld` on the path".to_owned(),
    };
    let get = if facts.apt { Remedy::Packages(Language::C) } else { Remedy::Install(Language::C) };
    Err(Missing { what, how_to_get: vec![get] })
}

pub(super) fn command(work: &Work<'_>, recipe: &Recipe) -> anyhow::Result<Command> {
    let own = recipe.sdk.as_ref().map(|sdk| work.project.directory.join(sdk)).filter(|sdk| sdk.join("include/sickbay").is_dir());
    let sdk = own.unwrap_or_else(|| work.brought.join("sdk/c"));
    let mut command = Command::new(&work.kit.program);
    command.args(FLAGS).arg("-I").arg(sdk.join("include"));
    if let Some(linker) = &work.kit.linker {
        command.arg(format!("-fuse-ld={}", linker.display()));
    }
    command.args(&recipe.sources).args(sources_of(&sdk)?).arg("-o").arg(work.made());
    command.current_dir(&work.project.directory);
    Ok(command)
}

/// The SDK's own sources, sorted: the order in which they are linked decides nothing, but the same bytes are made each time.
fn sources_of(sdk: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = sdk.join("src");
    let reading = || format!("cannot read {}", folder.display());
    let mut sources = Vec::new();
    for entry in folder.read_dir().with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            sources.push(path);
        }
    }
    sources.sort();
    Ok(sources)
}

pub(super) fn hint(output: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 3] = [
        ("No available targets are compatible", "this clang does not know WebAssembly: sickbay doctor --fix c"),
        ("file not found", "there is no C library in the sandbox: <sickbay/sickbay.h> has texts, memory, formats, files and the rest"),
        (
            "undefined symbol",
            "name every file in `sources` of plugin.toml; there is no C library in the sandbox, the SDK has its own functions",
        ),
    ];
    HINTS.iter().find(|(sign, _)| output.contains(sign)).map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    fn read_text(text: &str) -> anyhow::Result<Option<Project>> {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::write(folder.path().join("plugin.toml"), text).expect("file");
        std::fs::write(folder.path().join("orders.c"), "").expect("file");
        read(folder.path())
    }

    #[test]
    fn a_manifest_says_what_is_built() {
        let text = "name = \"orders\"\nlanguage = \"c\"\nworld = \"sink-plugin\"\nsources = [\"orders.c\"]\nsdk = \"sickbay\"\n";
        let project = read_text(text).expect("readable").expect("a plugin");
        assert_eq!((project.name.as_str(), project.language()), ("orders", Language::C));
        assert_eq!(
            project.recipe,
            project::Recipe::C(Recipe { sources: vec![PathBuf::from("orders.c")], sdk: Some(PathBuf::from("sickbay")) })
        );
    }

    #[test]
    fn what_cannot_be_is_told_with_the_file() {
        for (text, told) in [
            ("name = \"orders\"\nsources = [\"other.c\"]", "`sources` names other.c, which is not there"),
            ("name = \"Orders\"\nsources = []", "\"Orders\" cannot be a plugin's name"),
            ("name = \"orders\"", "missing field `sources`"),
            ("name = \"orders\"\nlanguage = \"cobol\"\nsources = []", "`language` is \"cobol\""),
            ("name = \"orders\"\nworld = \"chek-plugin\"\nsources = []", "no world `chek-plugin`"),
            ("nmae = \"orders\"", "unknown field `nmae`"),
        ] {
            let error = read_text(text).expect_err("it is wrong");
            assert!(error.to_string().contains(told) && error.to_string().contains("plugin.toml: "), "{error}");
            assert!(error.downcast_ref::<Failure>().is_some(), "{error}");
        }
    }

    #[test]
    fn both_the_compiler_and_its_linker_are_needed() {
        let all = Facts { clang: Some("/usr/bin/clang-19".into()), linker: Some("/usr/bin/wasm-ld-19".into()), apt: true };
        assert_eq!(plan(&all).expect("complete").linker, all.linker);
        let missing = |facts: Facts| plan(&facts).expect_err("it is missing");
        assert_eq!(missing(Facts { clang: None, ..all.clone() }).what, "no clang 14 or newer on the path");
        assert_eq!(missing(Facts { linker: None, ..all.clone() }).how_to_get, [Remedy::Packages(Language::C)]);
        assert_eq!(missing(Facts { linker: None, apt: false, ..all }).how_to_get, [Remedy::Install(Language::C)]);
    }
}
