//! Puts what authors of plugins need into the program: the SDKs with their templates, and the contract.
//!
//! It writes `embedded.rs`: a list of `(path, bytes)`, the path as it is in this repository, sorted.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is embedded, with all that is below it. One that is not there is left out, and looked for again at each build.
const FOLDERS: [&str; 6] = ["sdk/c", "sdk/go", "sdk/js", "sdk/python", "sdk/rust", "wit"];
/// What the SDK for Rust inherits.
const WORKSPACE: &str = "Cargo.toml";
/// What stands right below an SDK for those who work on it.
const ONLY_FOR_ITS_AUTHORS: [&str; 3] = ["scripts", "test", "tests"];
/// What tools leave behind, wherever it stands.
const LEFT_BEHIND: [&str; 7] = ["__pycache__", ".mypy_cache", ".ruff_cache", ".venv", "node_modules", "package-lock.json", "target"];

fn main() -> io::Result<()> {
    let host = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let top = host.parent().expect("it stands in a repository").to_path_buf();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", top.join(WORKSPACE).display());
    let mut files = vec![top.join(WORKSPACE)];
    for folder in FOLDERS {
        let path = top.join(folder);
        if !path.is_dir() {
            println!("cargo:rerun-if-changed={}", top.join("sdk").display());
            continue;
        }
        for entry in entries(&path)? {
            if ONLY_FOR_ITS_AUTHORS.iter().any(|name| entry.ends_with(name)) {
                continue;
            }
            // Not the folder itself: what tools put beside these is no change.
            println!("cargo:rerun-if-changed={}", entry.display());
            collect(&entry, &mut files)?;
        }
    }
    files.sort();
    let output = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("embedded.rs");
    fs::write(output, list(&top, &files))
}

/// Without what tools leave behind, and without links: they lead out.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let is_left_behind = LEFT_BEHIND.iter().any(|name| path.ends_with(name)) || is_made_of_c(&path);
        if !is_left_behind && !entry.file_type()?.is_symlink() {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// The folder `build` holds what is made of C, and in the SDK for JavaScript sources.
fn is_made_of_c(path: &Path) -> bool {
    path.ends_with("build") && path.ancestors().any(|folder| folder.ends_with("sdk/c"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in entries(path)? {
        collect(&entry, files)?;
    }
    Ok(())
}

fn list(top: &Path, files: &[PathBuf]) -> String {
    let mut text = String::from("[\n");
    for file in files {
        let path = file.strip_prefix(top).expect("it stands in the repository").to_str().expect("a name of ours");
        let absolute = file.to_str().expect("a path that the compiler can read");
        writeln!(text, "    ({path:?}, include_bytes!({absolute:?}) as &[u8]),").expect("a text takes what is written");
    }
    text.push(']');
    text
}
