//! From the bytes of a file to a plugin that runs, or the reason why not and what to do.

use std::fmt;

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Engine, Precompiled};

use crate::engine::MEMORY_BYTES_MAX;
use crate::{CONTRACT, Sort};

/// Largest `.wasm` that is looked at.
pub const WASM_BYTES_MAX: u64 = 32 << 20;

/// The import of a guest that may look for granted folders.
pub(crate) const WASI_FILES: &str = "wasi:filesystem/preopens";

/// Why a file is no plugin. The message says what was found, the hint how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct LoadError {
    pub message: String,
    pub hint: Option<String>,
}

impl LoadError {
    pub fn new(message: impl Into<String>) -> LoadError {
        LoadError { message: message.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> LoadError {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "; hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// What can be said of the bytes before anything is compiled.
pub(crate) fn refuse_unfit(bytes: &[u8]) -> Result<(), LoadError> {
    let native =
        || LoadError::new("this is native code, not WebAssembly").hint("copy the .wasm, never a .cwasm: the host compiles for itself");
    if bytes.len() as u64 > WASM_BYTES_MAX {
        return Err(too_large(bytes.len() as u64));
    }
    if bytes.is_empty() {
        return Err(LoadError::new("the file is empty").hint("copy it again"));
    }
    match Engine::detect_precompiled(bytes) {
        Some(Precompiled::Component | Precompiled::Module) => return Err(native()),
        None if bytes.starts_with(b"\x7fELF") => return Err(native()),
        None => {}
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(
            LoadError::new("this is not WebAssembly: it does not begin with `\\0asm`").hint("build the plugin with `sickbay build`")
        );
    }
    Ok(())
}

pub(crate) fn too_large(bytes: u64) -> LoadError {
    LoadError::new(format!("the file has {bytes} bytes, at most {WASM_BYTES_MAX} are loaded"))
        .hint("build in release mode, strip it, and leave unused libraries out")
}

/// The names of what a component imports and exports.
pub(crate) struct Surface {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
}

impl Surface {
    pub(crate) fn of(component: &Component, engine: &Engine) -> Surface {
        let kind = component.component_type();
        Surface {
            imports: kind.imports(engine).map(|(name, _)| name.to_owned()).collect(),
            exports: kind
                .exports(engine)
                .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_) | ComponentItem::ComponentFunc(_)))
                .map(|(name, _)| name.to_owned())
                .collect(),
        }
    }

    /// Names the export or the version that is missing, before the linker speaks of types.
    pub(crate) fn refuse_foreign(&self) -> Result<(), LoadError> {
        const WORLD: &str = "build it for a world of `sickbay:plugin` such as `check-plugin`, with an SDK or with wit-bindgen";
        const REBUILD: &str = "build it against the WIT files of this version of Sickbay";
        if !self.exports_interface("plugin") {
            return Err(LoadError::new("it does not export `sickbay:plugin/plugin`").hint(WORLD));
        }
        if !Sort::ALL.into_iter().any(|sort| self.exports_interface(sort.as_str())) {
            let message = "it exports none of `sickbay:plugin/check`, `sickbay:plugin/recovery` and `sickbay:plugin/sink`";
            return Err(LoadError::new(message).hint(WORLD));
        }
        let offered = CONTRACT.split_once('@').map_or("", |(_, version)| version);
        let foreign = |names: &[String]| names.iter().find(|name| is_contract(name) && !compatible(name, offered)).cloned();
        if let Some(name) = foreign(&self.exports) {
            return Err(LoadError::new(format!("it exports `{name}`, and this host runs {CONTRACT}")).hint(REBUILD));
        }
        match foreign(&self.imports) {
            Some(name) => Err(LoadError::new(format!("it imports `{name}`, and this host offers {CONTRACT}")).hint(REBUILD)),
            None => Ok(()),
        }
    }

    /// Whether it exports this interface of the contract, in whatever version.
    pub(crate) fn exports_interface(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| name.strip_prefix("sickbay:plugin/").is_some_and(|rest| rest.split('@').next() == Some(interface)))
    }
}

fn is_contract(name: &str) -> bool {
    name.starts_with("sickbay:plugin/")
}

/// 0.x versions match within one minor.
fn compatible(name: &str, offered: &str) -> bool {
    let minor = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    name.rsplit_once('@').is_some_and(|(_, version)| minor(version) == minor(offered))
}

/// The component must fit into one place of the pool.
pub(crate) fn refuse_oversized(component: &Component) -> Result<(), LoadError> {
    let Some(resources) = component.resources_required() else {
        return Err(LoadError::new("it instantiates modules that it imports").hint("compose it into one component that is whole by itself"));
    };
    if resources.max_initial_memory_size.is_some_and(|bytes| bytes > MEMORY_BYTES_MAX) {
        return Err(LoadError::new(format!("it begins with more than {MEMORY_BYTES_MAX} bytes of memory")).hint("lower its initial memory"));
    }
    Ok(())
}

/// The linker's words with the fix.
pub(crate) fn link_error(error: &wasmtime::Error) -> LoadError {
    let text = crate::answer::one_line(&format!("{error:#}"), 1024);
    let hint = if text.contains("sickbay:plugin") {
        "build it against the WIT files of this version of Sickbay"
    } else {
        "a plugin may import `sickbay:plugin` and WASI 0.2; remove the other import or compose the component with what it needs"
    };
    LoadError::new(format!("an import cannot be satisfied: {text}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(exports: &[&str], imports: &[&str]) -> Result<(), String> {
        let named = |names: &[&str]| names.iter().map(|name| format!("sickbay:plugin/{name}")).collect();
        Surface { imports: named(imports), exports: named(exports) }.refuse_foreign().map_err(|error| error.message)
    }

    #[test]
    fn a_plugin_may_check_heal_or_tell_and_must_do_one_of_them() {
        for interface in ["check@0.1.0", "recovery@0.1.0", "sink@0.1.7"] {
            assert_eq!(surface(&["plugin@0.1.0", interface], &["http@0.1.0"]), Ok(()), "{interface}");
        }
        let told = surface(&["plugin@0.1.0"], &[]).expect_err("it does nothing");
        assert!(told.starts_with("it exports none of `sickbay:plugin/check`, "), "{told}");
        assert_eq!(surface(&["sink@0.1.0"], &[]), Err("it does not export `sickbay:plugin/plugin`".to_owned()));
    }

    #[test]
    fn what_was_made_for_another_contract_is_told_by_its_name() {
        let told = surface(&["plugin@0.1.0", "check@0.1.0", "sink@0.2.0"], &[]).expect_err("another version");
        assert!(told.starts_with("it exports `sickbay:plugin/sink@0.2.0`, "), "{told}");
        let told = surface(&["plugin@0.1.0", "sink@0.1.0"], &["http@1.1.0"]).expect_err("another version");
        assert!(told.starts_with("it imports `sickbay:plugin/http@1.1.0`, "), "{told}");
    }
}
