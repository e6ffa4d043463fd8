//! What is saved in a plugin's folder, by its contents: a tool that only touches a file, or writes the same again, changed nothing.
//!
//! Limits: [`FILES_MAX`] files; one beyond [`CONTENTS_BYTES_MAX`] counts by its size and time.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

const FILES_MAX: usize = 20_000;
const CONTENTS_BYTES_MAX: u64 = 1 << 20;
/// Folders of what was built or fetched.
const NOT_SOURCES: [&str; 4] = ["target", "node_modules", "__pycache__", "dist"];
/// What a build makes, wherever it is asked to put it.
const MADE: [&str; 2] = ["wasm", "part"];
/// What cargo writes at the first build, and whenever a manifest asks for something else, which counts by itself.
const WRITTEN: [&str; 1] = ["Cargo.lock"];

/// The files of a folder as they were at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Paths from the folder on.
    files: BTreeMap<PathBuf, [u8; 32]>,
}

impl Saved {
    /// As they are now; without what is hidden, was built or was fetched. What cannot be read is not there.
    pub fn look(directory: &Path) -> Saved {
        let mut files = BTreeMap::new();
        let mut waiting = vec![directory.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                // Links are not followed: they may lead round in a circle.
                let Ok(metadata) = entry.metadata() else { continue };
                if !may_be_source(&path) {
                    continue;
                }
                if metadata.is_dir() {
                    waiting.push(path);
                } else if files.len() < FILES_MAX
                    && let (Some(digest), Ok(path)) = (digest(&path, &metadata), path.strip_prefix(directory))
                {
                    files.insert(path.to_path_buf(), digest);
                }
            }
        }
        Saved { files }
    }

    /// Files that came, went or have other contents than `before`.
    pub fn changed_since<'a>(&'a self, before: &'a Saved) -> Vec<&'a Path> {
        let other = |(path, digest): (&PathBuf, &[u8; 32])| before.files.get(path) != Some(digest);
        let came = self.files.iter().filter(|file| other(*file)).map(|(path, _)| path.as_path());
        let went = before.files.keys().filter(|path| !self.files.contains_key(*path)).map(PathBuf::as_path);
        came.chain(went).collect()
    }
}

/// Whether a file or folder of this name may be a source.
pub fn may_be_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_made = path.extension().is_some_and(|extension| MADE.iter().any(|made| extension == *made));
    !is_made && !name.starts_with('.') && !NOT_SOURCES.contains(&&*name) && !WRITTEN.contains(&&*name)
}

fn digest(path: &Path, metadata: &Metadata) -> Option<[u8; 32]> {
    if !metadata.is_file() {
        return None;
    }
    if metadata.len() <= CONTENTS_BYTES_MAX {
        return Some(Sha256::digest(fs::read(path).ok()?).into());
    }
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Sha256::digest(format!("{} {}", metadata.len(), modified.as_nanos())).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("folder");
        fs::write(path, text).expect("file");
    }

    #[test]
    fn another_text_is_a_change_and_the_same_one_is_not() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write(folder.path(), "src/lib.rs", "one");
        write(folder.path(), "gone.py", "");
        let before = Saved::look(folder.path());
        write(folder.path(), "src/lib.rs", "one");
        assert_eq!(Saved::look(folder.path()), before);
        write(folder.path(), "src/lib.rs", "two");
        fs::remove_file(folder.path().join("gone.py")).expect("removed");
        write(folder.path(), "new.toml", "");
        let now = Saved::look(folder.path());
        assert_eq!(now.changed_since(&before), ["new.toml", "src/lib.rs", "gone.py"].map(Path::new));
    }

    #[test]
    fn what_a_build_makes_or_fetches_is_no_change() {
        let folder = tempfile::tempdir().expect("temporary folder");
        write(folder.path(), "app.py", "");
        let before = Saved::look(folder.path());
        for name in [
            "Cargo.lock",
            "target/plugins/a.wasm",
            "plugins/a.wasm",
            "__pycache__/app.pyc",
            "node_modules/a/b.js",
            ".git/index",
            "a.wasm.part",
        ] {
            write(folder.path(), name, "made");
        }
        assert_eq!(Saved::look(folder.path()), before);
    }

    #[test]
    fn a_large_file_counts_too() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("data.bin");
        let large = |bytes: u64| fs::File::create(&file).and_then(|file| file.set_len(bytes)).expect("file");
        large(CONTENTS_BYTES_MAX + 1);
        let before = Saved::look(folder.path());
        large(CONTENTS_BYTES_MAX + 2);
        assert_eq!(Saved::look(folder.path()).changed_since(&before), [Path::new("data.bin")]);
    }
}
