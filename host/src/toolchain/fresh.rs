//! Whether a built component is newer than everything it was built from.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Guest, Workspace};

/// Files looked at; a plugin with more sources is simply built again.
const FILES_MAX: usize = 20_000;

/// True when `component` exists and no source of `guest` is newer: its crate, the crates beside it that it depends on, the workspace's
/// manifest and lock file, and the contract in `wit/`. Anything that cannot be read counts as newer.
pub fn is_up_to_date(workspace: &Workspace, guest: &Guest, component: &Path) -> bool {
    let Some(built_at) = modified_at(component) else { return false };
    let mut waiting: Vec<PathBuf> = guest.source_directories.clone();
    waiting.extend(["Cargo.toml", "Cargo.lock", "wit"].map(|name| workspace.root.join(name)).into_iter().filter(|path| path.exists()));
    let mut looked_at = 0;
    while let Some(path) = waiting.pop() {
        looked_at += 1;
        if looked_at > FILES_MAX {
            return false;
        }
        if path.is_dir() {
            let Some(entries) = children(&path) else { return false };
            waiting.extend(entries);
        } else if modified_at(&path).is_none_or(|changed_at| changed_at >= built_at) {
            return false;
        }
    }
    true
}

/// What is in a folder, without what was built there or is hidden.
fn children(directory: &Path) -> Option<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in directory.read_dir().ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        if name != "target" && !name.to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    Some(paths)
}

fn modified_at(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::toolchain::Target;

    /// A plugin of one file, and its component `component_age` older or newer by whole seconds.
    fn built(folder: &Path, seconds_after_source: u64) -> (Workspace, Guest, PathBuf) {
        let source = folder.join("plugin/src/lib.rs");
        let component = folder.join("plugin.wasm");
        std::fs::create_dir_all(folder.join("plugin/src")).expect("folder");
        let written_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (path, at) in [(&source, written_at), (&component, written_at + Duration::from_secs(seconds_after_source))] {
            std::fs::write(path, "").expect("file");
            std::fs::File::options().write(true).open(path).and_then(|file| file.set_modified(at)).expect("time");
        }
        let guest = Guest {
            name: "plugin".to_owned(),
            package_id: "plugin".to_owned(),
            manifest: folder.join("plugin/Cargo.toml"),
            source_directories: vec![folder.join("plugin")],
        };
        let workspace = Workspace {
            root: folder.to_path_buf(),
            target_directory: folder.join("target"),
            target: Target::Wasi,
            profile: "guest",
            guests: vec![guest.clone()],
        };
        (workspace, guest, component)
    }

    #[test]
    fn a_component_newer_than_its_sources_is_not_built_again() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (workspace, guest, component) = built(folder.path(), 5);
        assert!(is_up_to_date(&workspace, &guest, &component));
    }

    #[test]
    fn a_source_as_new_as_the_component_asks_for_a_build() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (workspace, guest, component) = built(folder.path(), 0);
        assert!(!is_up_to_date(&workspace, &guest, &component));
    }

    #[test]
    fn a_changed_contract_asks_for_a_build() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (workspace, guest, component) = built(folder.path(), 5);
        std::fs::create_dir(folder.path().join("wit")).expect("folder");
        std::fs::write(folder.path().join("wit/world.wit"), "").expect("file");
        assert!(!is_up_to_date(&workspace, &guest, &component));
    }

    #[test]
    fn a_component_that_is_not_there_has_to_be_built() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (workspace, guest, _) = built(folder.path(), 5);
        assert!(!is_up_to_date(&workspace, &guest, &folder.path().join("other.wasm")));
    }
}
