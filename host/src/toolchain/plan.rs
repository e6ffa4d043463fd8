//! How guests in Rust are built for a target on a machine with these facts, or what is missing for it; and, for every language, what to do
//! about what is missing.
//!
//! Invariant: no I/O; the same facts give the same answer.

use std::path::{Path, PathBuf};

use super::{Facts, Language, Target, kit};

/// Debian packages of the second compiler: compiler, cargo, source of the standard library, C library for WASI.
const SECOND_COMPILER_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];

/// A way to build guests for one target that works on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The compiler on the path has the target installed.
    InstalledTarget,
    /// Debian's second compiler builds the standard library from source, with the linkers of the first.
    SecondCompiler {
        /// The folder of the targets' linkers.
        linkers: PathBuf,
    },
}

impl Plan {
    /// One line for people, where this is the plan for `target`.
    pub fn describe(&self, target: Target) -> String {
        let triple = target.triple();
        match self {
            Plan::InstalledTarget => format!("{triple} is installed"),
            Plan::SecondCompiler { .. } => format!("{triple} through Debian's second compiler (rustc-web)"),
        }
    }
}

/// Something that makes guests buildable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Where a person gets a language that Sickbay cannot.
    Install(Language),
    /// A language itself, in a folder of Sickbay's own.
    Compiler {
        language: Language,
        into: PathBuf,
    },
    RustupTarget(Target),
    /// Needs root; builds for every target.
    SecondCompiler,
    /// Debian's packages of a language. Needs root.
    Packages(Language),
    /// What makes components of a language, in a folder of Sickbay's own.
    Tools {
        language: Language,
        into: PathBuf,
        /// Where else than on the path programs are that this calls.
        search: Vec<PathBuf>,
    },
}

impl Remedy {
    /// The programs to run, in order; empty where a person has to act.
    pub fn commands(&self) -> Vec<Vec<String>> {
        match self {
            Remedy::Install(_) => Vec::new(),
            Remedy::RustupTarget(target) => vec![["rustup", "target", "add", target.triple()].map(str::to_owned).to_vec()],
            Remedy::SecondCompiler => apt(&SECOND_COMPILER_PACKAGES),
            Remedy::Packages(language) => apt(kit::packages(*language)),
            Remedy::Compiler { language, into } => kit::compiler(*language, into),
            Remedy::Tools { language, into, .. } => kit::tools(*language, into),
        }
    }

    /// Folders with programs that the commands call, before the path.
    pub fn search(&self) -> &[PathBuf] {
        match self {
            Remedy::Tools { search, .. } => search,
            _ => &[],
        }
    }

    pub fn needs_root(&self) -> bool {
        matches!(self, Remedy::SecondCompiler | Remedy::Packages(_))
    }

    /// What to type to get there by hand.
    pub fn command_line(&self, root: bool) -> String {
        if let Remedy::Install(language) = self {
            return kit::where_to_get(*language).to_owned();
        }
        let folders: String = self.search().iter().map(|folder| shell_path(folder) + ":").collect();
        let prefix = match (folders.as_str(), self.needs_root() && !root) {
            ("", true) => "sudo ".to_owned(),
            ("", false) => String::new(),
            (folders, _) => format!("PATH={folders}\"$PATH\" "),
        };
        let line = |words: &Vec<String>| words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = self.commands().iter().map(|words| format!("{prefix}{}", line(words))).collect();
        lines.join(" && ")
    }
}

fn apt(packages: &[&str]) -> Vec<Vec<String>> {
    let install = ["apt-get", "install", "-y", "--no-install-recommends"];
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    vec![words(&["apt-get", "update"]), words(&[install.as_slice(), packages].concat())]
}

/// As a shell reads it as one word.
pub(super) fn shell_word(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./=@:,+".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// The same for a path.
pub fn shell_path(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// Why guests cannot be built, and what would change that, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub what: String,
    pub how_to_get: Vec<Remedy>,
}

/// Decides how guests are built for `target`.
pub fn plan(facts: &Facts, target: Target) -> Result<Plan, Missing> {
    let Some(compiler) = &facts.compiler else {
        return Err(Missing {
            what: "no Rust compiler: `rustc` and `cargo` are not on the path".to_owned(),
            how_to_get: vec![Remedy::Install(Language::Rust)],
        });
    };
    if compiler.targets_installed.contains(&target) {
        return Ok(Plan::InstalledTarget);
    }
    if let (Some(linkers), true) = (&compiler.linkers, facts.second_compiler.complete()) {
        return Ok(Plan::SecondCompiler { linkers: linkers.clone() });
    }
    let mut how_to_get = Vec::new();
    if facts.rustup {
        how_to_get.push(Remedy::RustupTarget(target));
    }
    // Without the linkers of a rustup toolchain the second compiler would not help.
    if facts.apt && compiler.linkers.is_some() {
        how_to_get.push(Remedy::SecondCompiler);
    }
    if how_to_get.is_empty() {
        how_to_get.push(Remedy::Install(Language::Rust));
    }
    Err(Missing { what: format!("rustc {} has no standard library for {}", compiler.version, target.triple()), how_to_get })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::{Compiler, SecondCompiler};

    fn rustup_toolchain() -> Facts {
        Facts {
            compiler: Some(Compiler {
                version: "1.95.0".to_owned(),
                targets_installed: Vec::new(),
                linkers: Some(PathBuf::from("/toolchain/bin")),
            }),
            rustup: true,
            second_compiler: SecondCompiler::default(),
            apt: false,
            root: false,
        }
    }

    fn complete() -> SecondCompiler {
        SecondCompiler { rustc: true, cargo: true, library_source: true, wasi_libc: true }
    }

    #[test]
    fn an_installed_target_is_used_before_the_second_compiler() {
        let mut facts = rustup_toolchain();
        facts.second_compiler = complete();
        if let Some(compiler) = &mut facts.compiler {
            compiler.targets_installed.push(Target::Wasi);
        }
        assert_eq!(plan(&facts, Target::Wasi), Ok(Plan::InstalledTarget));
    }

    #[test]
    fn a_target_is_missing_where_only_the_other_one_is_installed() {
        let mut facts = rustup_toolchain();
        if let Some(compiler) = &mut facts.compiler {
            compiler.targets_installed.push(Target::Wasi);
        }
        let missing = plan(&facts, Target::Bare).expect_err("it is another target");
        assert_eq!(missing.how_to_get, vec![Remedy::RustupTarget(Target::Bare)]);
        assert_eq!(missing.what, "rustc 1.95.0 has no standard library for wasm32-unknown-unknown");
    }

    #[test]
    fn a_complete_second_compiler_is_used_with_the_linkers_of_the_first() {
        let facts = Facts { second_compiler: complete(), ..rustup_toolchain() };
        for target in Target::ALL {
            assert_eq!(plan(&facts, target), Ok(Plan::SecondCompiler { linkers: PathBuf::from("/toolchain/bin") }));
        }
    }

    #[test]
    fn a_second_compiler_without_the_library_source_is_no_way() {
        let facts = Facts { second_compiler: SecondCompiler { library_source: false, ..complete() }, apt: true, ..rustup_toolchain() };
        let missing = plan(&facts, Target::Wasi).expect_err("the library cannot be built");
        assert_eq!(missing.how_to_get, vec![Remedy::RustupTarget(Target::Wasi), Remedy::SecondCompiler]);
    }

    #[test]
    fn without_linkers_debian_packages_are_not_offered() {
        let facts = Facts {
            compiler: Some(Compiler { version: "1.95.0".to_owned(), targets_installed: Vec::new(), linkers: None }),
            rustup: false,
            apt: true,
            ..rustup_toolchain()
        };
        let missing = plan(&facts, Target::Wasi).expect_err("nothing links");
        assert_eq!(missing.how_to_get, vec![Remedy::Install(Language::Rust)]);
    }

    #[test]
    fn without_a_compiler_the_fix_is_to_install_rust() {
        let facts = Facts { compiler: None, ..rustup_toolchain() };
        let missing = plan(&facts, Target::Wasi).expect_err("there is no compiler");
        assert_eq!(missing.how_to_get, vec![Remedy::Install(Language::Rust)]);
        assert!(missing.what.contains("`rustc`"));
    }

    #[test]
    fn a_user_without_root_is_shown_sudo() {
        assert_eq!(
            Remedy::SecondCompiler.command_line(false),
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src wasi-libc"
        );
        assert_eq!(Remedy::RustupTarget(Target::Wasi).command_line(false), "rustup target add wasm32-wasip2");
    }

    #[test]
    fn a_command_can_be_pasted_whatever_the_folder_is_called() {
        let tools = Remedy::Tools { language: Language::Python, into: PathBuf::from("/home/a b/it's/python"), search: Vec::new() };
        let line = tools.command_line(false);
        assert!(line.starts_with("python3 -m venv --clear '/home/a b/it'\\''s/python' && "), "{line}");
        let with_own_node =
            Remedy::Tools { language: Language::JavaScript, into: PathBuf::from("/t/js"), search: vec![PathBuf::from("/t/node/bin")] };
        let line = with_own_node.command_line(false);
        assert!(line.contains(" && PATH=/t/node/bin:\"$PATH\" npm install --prefix /t/js "), "{line}");
        assert!(!tools.needs_root() && Remedy::Packages(Language::Python).needs_root());
        assert!(Remedy::Packages(Language::Python).command_line(true).starts_with("apt-get update && apt-get install -y "));
    }

    #[test]
    fn every_language_has_a_place_to_get_it() {
        for language in Language::ALL {
            let remedy = Remedy::Install(language);
            assert!(remedy.command_line(false).starts_with("install ") && remedy.commands().is_empty());
        }
    }
}
