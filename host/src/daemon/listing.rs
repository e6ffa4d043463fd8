//! What lies in a plugin folder: plugins by name, and files that were surely meant as plugins and are none.
//!
//! A file `NAME.wasm` is the plugin NAME. One whose name no configuration could write, and compiled code (`.cwasm`), is passed over, as are
//! plugins beyond the number that is looked at; each is told with what to do about it. Hidden files, and those of other kinds, are nobody's matter.
//!
//! Limits: [`PLUGINS_MAX`] plugins by name, [`PASSED_OVER_MAX`] files that are told, [`ENTRIES_MAX`] entries of the folder.
//!
//! Invariant: no file is opened here.

use std::path::{Path, PathBuf};

use crate::config::name_like;

/// Files of a folder that are looked at as plugins.
pub const PLUGINS_MAX: usize = 1000;
/// Files that are told because they are not.
pub const PASSED_OVER_MAX: usize = 100;
const ENTRIES_MAX: usize = 10_000;
const NAME_CHARACTERS_MAX: usize = 63;

/// What lies there, each by name.
#[derive(Debug, Default)]
pub struct Listing {
    pub plugins: Vec<(String, PathBuf)>,
    pub passed_over: Vec<PassedOver>,
}

/// A file that is not looked at as a plugin, and was surely meant as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    pub path: PathBuf,
    /// The plugin that it would be, where its name can be one.
    pub plugin: Option<String>,
    pub message: String,
    pub reason: &'static str,
    pub hint: String,
}

/// An empty one where the folder cannot be read.
pub fn listing(folder: &Path) -> Listing {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).take(ENTRIES_MAX).collect();
    files.sort();
    let mut listing = Listing::default();
    for path in files {
        let passed_over = match name_of(&path) {
            Some(name) if listing.plugins.len() < PLUGINS_MAX => {
                listing.plugins.push((name, path));
                continue;
            }
            Some(name) => Some(beyond(path, name)),
            None => misnamed(path),
        };
        let told = passed_over.filter(|_| listing.passed_over.len() < PASSED_OVER_MAX);
        listing.passed_over.extend(told.filter(|passed_over| passed_over.path.is_file()));
    }
    listing
}

/// The plugin's name: the file's without `.wasm`. Hidden files and names that a configuration could not write are none.
pub fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".wasm")?;
    is_name(name).then(|| name.to_owned())
}

fn is_name(name: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let rest = |byte: u8| first(byte) || matches!(byte, b'.' | b'_' | b'-');
    name.len() <= NAME_CHARACTERS_MAX && name.bytes().next().is_some_and(first) && name.bytes().all(rest)
}

fn beyond(path: PathBuf, name: String) -> PassedOver {
    PassedOver {
        path,
        message: format!("`{name}.wasm` is not looked at: {PLUGINS_MAX} plugins come before it"),
        reason: "the number of plugins is bounded, and files count in the order of their names",
        hint: "remove plugins that nobody uses, or run a second host".to_owned(),
        plugin: Some(name),
    }
}

/// None where the file is of another kind.
fn misnamed(path: PathBuf) -> Option<PassedOver> {
    let file = path.file_name()?.to_string_lossy().replace(char::is_control, " ");
    let (stem, extension) = file.rsplit_once('.')?;
    if file.starts_with('.') {
        return None;
    }
    let plugin = is_name(stem).then(|| stem.to_owned());
    match extension.to_ascii_lowercase().as_str() {
        "cwasm" => Some(PassedOver {
            message: format!("`{file}` is compiled code, which is never loaded from the folder"),
            reason: "what is compiled elsewhere runs with no check of what it does",
            hint: "copy the .wasm, never a .cwasm: Sickbay compiles it itself, and keeps what it compiled".to_owned(),
            plugin,
            path,
        }),
        "wasm" => {
            let like = name_like(stem);
            let better = if like.is_empty() { "my-check" } else { like.as_str() };
            Some(PassedOver {
                message: format!("`{file}` is not looked at: its name is no plugin's"),
                reason: "a plugin is NAME.wasm, and a name has at most 63 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or a digit",
                hint: format!("rename it, for example to `{better}.wasm`"),
                plugin,
                path,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_named_after_its_file() {
        assert_eq!(name_of(Path::new("/p/http.wasm")).as_deref(), Some("http"));
        assert_eq!(name_of(Path::new("/p/my-check_2.wasm")).as_deref(), Some("my-check_2"));
        for other in ["/p/.http.wasm", "/p/http.cwasm", "/p/Http.wasm", "/p/.wasm", "/p/a b.wasm", "/p/http.wasm.tmp"] {
            assert_eq!(name_of(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_file_that_was_meant_as_a_plugin_is_told_with_what_to_do() {
        let told = |file: &str| misnamed(PathBuf::from("/p").join(file)).map(|passed_over| (passed_over.plugin, passed_over.hint));
        for (file, plugin, hint) in [
            ("x.cwasm", Some("x"), "copy the .wasm, never a .cwasm"),
            ("X y.cwasm", None, "copy the .wasm, never a .cwasm"),
            ("Http.wasm", None, "`http.wasm`"),
            ("my check.wasm", None, "`my-check.wasm`"),
            ("http.WASM", Some("http"), "`http.wasm`"),
            ("-.wasm", None, "`my-check.wasm`"),
        ] {
            let (as_plugin, told) = told(file).unwrap_or_else(|| panic!("{file} is told"));
            assert_eq!(as_plugin.as_deref(), plugin, "{file}");
            assert!(told.contains(hint), "{file}: {told}");
        }
        for other in [".http.wasm", ".x.cwasm", "README.md", "http.wasm.part", "plugins", "http"] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    #[test]
    fn a_folder_is_listed_by_name_and_within_bounds() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |file: String| std::fs::write(folder.path().join(file), "").expect("the folder is writable");
        (0..PLUGINS_MAX + 2).for_each(|number| write(format!("p{number:04}.wasm")));
        write("Http.wasm".to_owned());
        write("notes.txt".to_owned());
        std::fs::create_dir(folder.path().join("Folder.wasm")).expect("a folder");
        let Listing { plugins, passed_over } = listing(folder.path());
        assert_eq!((plugins.len(), plugins.last().map(|(name, _)| name.as_str())), (PLUGINS_MAX, Some("p0999")));
        let told: Vec<Option<&str>> = passed_over.iter().map(|passed_over| passed_over.plugin.as_deref()).collect();
        assert_eq!(told, [None, Some("p1000"), Some("p1001")]);
        (0..2 * PASSED_OVER_MAX).for_each(|number| write(format!("A{number}.wasm")));
        assert_eq!(listing(folder.path()).passed_over.len(), PASSED_OVER_MAX);
        assert!(listing(&folder.path().join("absent")).plugins.is_empty());
    }
}
