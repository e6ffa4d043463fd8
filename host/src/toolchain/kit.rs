//! What makes components of plugins in other languages than Rust: whether it is here, and how to get it.
//!
//! It goes into a folder of Sickbay's own ([`tools_folder`]), and Go and Node.js too where a machine has none: nothing is added to a system
//! or to a project. There it is looked for first, then on the path.

use std::path::{Path, PathBuf};

use super::{Language, Missing, c, go, javascript, python};

/// How plugins in one language are built on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kit {
    pub language: Language,
    /// What is called first.
    pub program: PathBuf,
    /// Folders with more programs, searched before the path.
    pub search: Vec<PathBuf>,
    /// Where the compiler has to be told which.
    pub linker: Option<PathBuf>,
    /// For people: `componentize-py 0.25.1`.
    pub told: String,
}

impl Kit {
    /// One program, wherever it is found.
    pub(super) fn of(language: Language, program: impl Into<PathBuf>, told: impl Into<String>) -> Kit {
        Kit { language, program: program.into(), search: Vec::new(), linker: None, told: told.into() }
    }
}

/// What this machine has for `language`; `project` is a folder that may bring tools of its own.
///
/// # Errors
/// What is missing, and how to get it.
pub fn kit(language: Language, project: Option<&Path>) -> Result<Kit, Missing> {
    let tools = tools_folder();
    match language {
        Language::Python => python::plan(&python::Facts::probe(&tools), &tools),
        Language::JavaScript => javascript::plan(&javascript::Facts::probe(&tools, project), &tools),
        Language::Go => go::plan(&go::Facts::probe(&tools), &tools),
        Language::C => c::plan(&c::Facts::probe()),
        // Cargo is asked instead, once for all plugins of a workspace.
        Language::Rust => Ok(Kit::of(language, "cargo", "cargo")),
    }
}

/// `SICKBAY_TOOLS_DIR`, else in the user's cache folder, else in this one. Absolute.
pub fn tools_folder() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| !path.as_os_str().is_empty());
    let folder = of("SICKBAY_TOOLS_DIR")
        .or_else(|| of("XDG_CACHE_HOME").filter(|cache| cache.is_absolute()).map(|cache| cache.join("sickbay/tools")))
        .or_else(|| of("HOME").filter(|home| home.is_absolute()).map(|home| home.join(".cache/sickbay/tools")))
        .unwrap_or_else(|| PathBuf::from(".sickbay-tools"));
    std::path::absolute(&folder).unwrap_or(folder)
}

/// Debian's packages of a language.
pub(super) fn packages(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust | Language::Go => &[],
        Language::Python => &python::PACKAGES,
        Language::JavaScript => &javascript::PACKAGES,
        Language::C => &c::PACKAGES,
    }
}

/// The commands that put what makes components of a language into a folder.
pub(super) fn tools(language: Language, into: &Path) -> Vec<Vec<String>> {
    match language {
        Language::Python => python::tools(into),
        Language::JavaScript => javascript::tools(into),
        Language::Rust | Language::Go | Language::C => Vec::new(),
    }
}

/// The commands that put a language itself into a folder, where it comes as a package of PyPI.
pub(super) fn compiler(language: Language, into: &Path) -> Vec<Vec<String>> {
    match language {
        Language::JavaScript => javascript::node(into),
        Language::Go => go::compiler(into),
        Language::Rust | Language::Python | Language::C => Vec::new(),
    }
}

pub(super) fn where_to_get(language: Language) -> &'static str {
    match language {
        Language::Rust => "install Rust 1.95 or newer from https://rustup.rs",
        Language::Python => "install Python 3.11 or newer from https://www.python.org/downloads",
        Language::JavaScript => "install Node.js 20 or newer from https://nodejs.org",
        Language::Go => "install Go 1.24 or newer from https://go.dev/dl",
        Language::C => "install clang and lld 14 or newer from https://releases.llvm.org",
    }
}

/// The first two numbers in `v20.20.2`, `Python 3.11.7` or `go version go1.26.8 linux/amd64`.
pub(super) fn version(text: &str) -> Option<(u32, u32)> {
    let begin = text.find(|character: char| character.is_ascii_digit())?;
    let mut numbers = text[begin..].split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_out_of_what_each_tool_says() {
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert_eq!(version("Python 3.11.7"), Some((3, 11)));
        assert_eq!(version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(version("Debian clang version 19.1.7 (3)"), Some((19, 1)));
        assert_eq!((version("3"), version("none")), (Some((3, 0)), None));
    }

    #[test]
    fn the_folder_of_tools_is_absolute() {
        assert!(tools_folder().is_absolute());
    }
}
