//! What a compiler made becomes a component, under the name of its plugin, in the folder where it is wanted.
//!
//! Invariant: a component appears under its name whole or not at all; what was there before stays until then.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{Language, embedded};
use crate::failure::Failure;

/// A larger component would be refused by the host.
pub const COMPONENT_BYTES_MAX: u64 = sickbay_runtime::WASM_BYTES_MAX;

/// `\0asm`, then version 13 and layer 1: a component.
const COMPONENT_HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00];
/// Version 1 and layer 0: a core module.
const MODULE_HEADER: [u8; 8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/// What the sections are called in which generated bindings say what a module is to become.
const COMPONENT_TYPE_SECTION: &[u8] = b"component-type";
/// Read by everyone: the host may run as another user than the one who builds.
const COMPONENT_MODE: u32 = 0o644;

/// A component where it was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub name: String,
    pub path: PathBuf,
    pub size_bytes: u64,
}

/// Makes a component of the file `made`, and puts it into `out` as `NAME.wasm`. The folder is made when absent.
///
/// # Errors
/// When it can be no component, is too large, or cannot be written.
pub(super) fn publish(name: &str, language: Language, made: &Path, out: &Path) -> anyhow::Result<Built> {
    let made = fs::read(made).with_context(|| format!("cannot read {}", made.display()))?;
    let component = component_of(name, language, made)?;
    let size_bytes = component.len() as u64;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let path = out.join(format!("{name}.wasm"));
    let writing = || format!("cannot write {}", path.display());
    // Hidden and without `.wasm`: a host that watches the folder sees only the finished file.
    let mut file = tempfile::Builder::new().prefix(".sickbay-build-").suffix(".part").tempfile_in(out).with_context(writing)?;
    file.write_all(&component).with_context(writing)?;
    file.as_file().set_permissions(Permissions::from_mode(COMPONENT_MODE)).with_context(writing)?;
    file.persist(&path).with_context(writing)?;
    Ok(Built { name: name.to_owned(), path, size_bytes })
}

/// What a compiler made, as a component that the host would take. A linker that knows nothing of components leaves a core module.
fn component_of(name: &str, language: Language, made: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let refused = |reason: String| Failure::new(format!("{name}: {reason}"));
    let component = if !made.starts_with(&MODULE_HEADER) {
        made
    } else if carries_component_type(&made) {
        sickbay_runtime::worker::component(&made).map_err(refused)?
    } else if matches!(language, Language::Go | Language::C) {
        let typed = sickbay_runtime::with_component_type(&made, &embedded::contract()).map_err(refused)?;
        sickbay_runtime::worker::component(&typed).map_err(refused)?
    } else {
        made
    };
    check_component(name, language, &component)?;
    Ok(component)
}

fn carries_component_type(module: &[u8]) -> bool {
    module.windows(COMPONENT_TYPE_SECTION.len()).any(|name| name == COMPONENT_TYPE_SECTION)
}

fn check_component(name: &str, language: Language, component: &[u8]) -> anyhow::Result<()> {
    if !component.starts_with(&COMPONENT_HEADER) {
        let hint = match language {
            Language::Rust => "a plugin's library is a `cdylib` that implements a world of wit/; see sdk/rust/README.md",
            _ => "see the README of the language's SDK",
        };
        return Err(Failure::new(format!("{name}: what was made is no WebAssembly component")).with_hint(hint).into());
    }
    let size_bytes = component.len() as u64;
    if size_bytes > COMPONENT_BYTES_MAX {
        let hint = match language {
            Language::Rust => "build with `opt-level = \"s\"`, `lto = true`, `strip = \"debuginfo\"` in `[profile.guest]`",
            _ => "leave out packages that it does not need",
        };
        let message = format!("{name}: the component has {size_bytes} bytes, the host takes at most {COMPONENT_BYTES_MAX}");
        return Err(Failure::new(message).with_hint(hint).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(folder: &Path, contents: &[u8]) -> PathBuf {
        let artifact = folder.join("artifact");
        fs::write(&artifact, contents).expect("file");
        artifact
    }

    #[test]
    fn a_component_is_published_readable_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let out = folder.path().join("deep/plugins");
        let built = publish("http", Language::Rust, &artifact(folder.path(), &COMPONENT_HEADER), &out).expect("published");
        assert_eq!(built.path, out.join("http.wasm"));
        assert_eq!(fs::metadata(&built.path).expect("there").permissions().mode() & 0o777, COMPONENT_MODE);
        assert_eq!(out.read_dir().expect("folder").count(), 1);
    }

    #[test]
    fn a_core_module_that_says_wrongly_what_it_is_to_become_is_refused_by_name() {
        // A custom section of that name, with one byte that begins no component type.
        let module = [MODULE_HEADER.as_slice(), &[0x00, 0x10, 0x0e], COMPONENT_TYPE_SECTION, &[0xff]].concat();
        let error = component_of("http", Language::Rust, module).expect_err("its type cannot be read");
        assert!(error.to_string().starts_with("http: ") && error.to_string().contains("component-type"), "{error}");
    }

    #[test]
    fn a_core_module_does_not_replace_the_component_before_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let artifact = artifact(folder.path(), &MODULE_HEADER);
        fs::write(folder.path().join("http.wasm"), "good").expect("file");
        for (language, told) in [(Language::Rust, "no WebAssembly component"), (Language::Go, "it exports no function of sickbay:plugin@")]
        {
            let error = publish("http", language, &artifact, folder.path()).expect_err("no component");
            assert!(error.to_string().contains(told), "{error}");
        }
        assert_eq!(fs::read(folder.path().join("http.wasm")).expect("there"), b"good");
    }

    #[test]
    fn a_component_beyond_the_hosts_limit_is_refused_with_both_numbers() {
        let mut component = COMPONENT_HEADER.to_vec();
        component.resize(COMPONENT_BYTES_MAX as usize + 1, 0);
        let error = check_component("http", Language::Rust, &component).expect_err("too large");
        assert!(error.to_string().contains("33554433 bytes"), "{error}");
    }
}
