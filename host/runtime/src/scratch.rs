//! Where a compilation keeps its files until its artifact is renamed into place: a folder of its own inside the artifact folder.
//!
//! A host that is killed leaves such folders. Each is locked while its host lives, and the system takes the lock away with the process, so
//! the next start knows what nobody uses any more. Making and sweeping happen under a lock of the artifact folder: no host that shares it
//! sees a folder of another before that is locked. A file system without locks is never swept.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "compile-";

/// Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    /// Held for its lock.
    _lock: File,
}

impl Scratch {
    pub(crate) fn new(artifacts: &Path) -> io::Result<Scratch> {
        let shared = File::open(artifacts)?;
        let _ = shared.lock();
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(artifacts)?;
        let lock = File::open(folder.path())?;
        let _ = lock.lock();
        Ok(Scratch { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what hosts that were killed have left. What cannot be removed now stays until the next start.
pub(crate) fn sweep(artifacts: &Path) {
    let Ok(shared) = File::open(artifacts) else { return };
    if shared.lock().is_err() {
        return;
    }
    let Ok(entries) = fs::read_dir(artifacts) else { return };
    for entry in entries.flatten() {
        let is_scratch = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_scratch && is_folder && is_unused(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn is_unused(folder: &Path) -> bool {
    File::open(folder).is_ok_and(|folder| folder.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_host_left_is_swept_and_what_one_uses_is_not() {
        let artifacts = tempfile::tempdir().unwrap();
        let left = artifacts.path().join("compile-left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("input.wasm"), "x").unwrap();
        fs::write(artifacts.path().join("compile-no-folder"), "x").unwrap();
        fs::create_dir(artifacts.path().join("another")).unwrap();
        let used = Scratch::new(artifacts.path()).unwrap();
        sweep(artifacts.path());
        assert!(!left.exists());
        assert!(used.path().is_dir());
        assert!(artifacts.path().join("compile-no-folder").exists() && artifacts.path().join("another").exists());
    }

    #[test]
    fn a_compilation_that_is_over_leaves_nothing() {
        let artifacts = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(artifacts.path()).unwrap();
        fs::write(scratch.path().join("input.wasm"), "x").unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(artifacts.path()).unwrap().count(), 0);
    }
}
