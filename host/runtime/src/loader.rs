//! From the bytes of a file to a plugin that runs, or the reason why not and what to do.

use std::fmt;

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Engine, Precompiled};

use crate::CONTRACT;
use crate::engine::MEMORY_BYTES_MAX;

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

/// What a plugin must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// One that checks: what the daemon runs.
    Check,
    /// Also one that only heals or tells: what fixtures try.
    AnyPlugin,
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
    pub(crate) fn refuse_foreign(&self, wanted: Wanted) -> Result<(), LoadError> {
        self.refuse_without("plugin")?;
        let is_any = wanted == Wanted::AnyPlugin && ["recovery", "sink"].into_iter().any(|interface| self.exports_interface(interface));
        if !is_any || self.exports_interface("check") {
            self.refuse_without("check")?;
        }
        let offered = CONTRACT.split_once('@').map_or("", |(_, version)| version);
        let foreign = self.imports.iter().find(|name| is_contract(name) && !compatible(name, offered));
        match foreign {
            Some(name) => Err(LoadError::new(format!("it imports `{name}`, and this host offers {CONTRACT}"))
                .hint("build it against the WIT files of this version of Sickbay")),
            None => Ok(()),
        }
    }

    /// Whether it exports this interface of the contract, in whatever version.
    pub(crate) fn exports_interface(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| name.strip_prefix("sickbay:plugin/").is_some_and(|rest| rest.split('@').next() == Some(interface)))
    }

    fn refuse_without(&self, interface: &str) -> Result<(), LoadError> {
        let prefix = format!("sickbay:plugin/{interface}@");
        match self.exports.iter().find(|name| name.starts_with(&prefix)) {
            Some(name) if compatible(name, "0.1.0") => Ok(()),
            Some(name) => Err(LoadError::new(format!("it exports `{name}`, and this host runs {CONTRACT}"))
                .hint("build it against the WIT files of this version of Sickbay")),
            None if interface == "check" && self.exports.iter().any(|name| name.starts_with("sickbay:plugin/")) => {
                Err(LoadError::new("it exports no `sickbay:plugin/check`")
                    .hint("this version of Sickbay runs checks; recoveries and sinks come later"))
            }
            None => Err(LoadError::new(format!("it does not export `sickbay:plugin/{interface}`"))
                .hint("build it for the world `sickbay:plugin/check-plugin`, with an SDK or with wit-bindgen")),
        }
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
