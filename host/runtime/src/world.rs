//! The component type of a core module that does not carry one: the compilers of Go and C know nothing of components.
//!
//! How it works: such a module exports the functions of the contract under their own names (`sickbay:plugin/check@0.1.0#run`). They say which
//! interfaces it implements, and a world with just these is written for it. What it imports needs no word: a component asks for what its
//! module uses, and for nothing else of its world, which has all of the contract and WASI's clock.

use std::collections::BTreeSet;

use wasmparser::{Parser, Payload};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

use crate::CONTRACT;

const WORLD: &str = "built";
/// The one interface of WASI that an SDK asks for where no library of the language's own does: no interface of the contract tells the time.
const CLOCK: &str = "
package wasi:clocks@0.2.0 {
    interface wall-clock {
        record datetime {
            seconds: u64,
            nanoseconds: u32,
        }

        now: func() -> datetime;
        resolution: func() -> datetime;
    }
}
";

/// `module` with its component type, fit for [`component`](crate::worker::component). `contract` are the WIT files, each with its name.
///
/// # Errors
/// In words, when it exports nothing of the contract, or of another version.
pub fn with_component_type(module: &[u8], contract: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let interfaces = exported_interfaces(module)?;
    let mut files = SourceMap::default();
    for (name, text) in contract {
        files.push_str(name, *text);
    }
    files.push_str("built.wit", world(&interfaces));
    let unread = |error: &dyn std::fmt::Display| format!("the contract cannot be read: {error}");
    let mut resolve = Resolve::default();
    let group = files.parse().map_err(|(_, error)| unread(&error))?;
    let package = resolve.push_group(group).map_err(|error| unread(&error))?;
    let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| unread(&format!("{error:#}")))?;
    let mut typed = module.to_vec();
    embed_component_metadata(&mut typed, &resolve, world, StringEncoding::UTF8).map_err(|error| format!("{error:#}"))?;
    Ok(typed)
}

/// The names of the contract's interfaces of which it exports a function.
fn exported_interfaces(module: &[u8]) -> Result<BTreeSet<String>, String> {
    let (package, version) = CONTRACT.split_once('@').unwrap_or((CONTRACT, ""));
    let mut interfaces = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::ExportSection(exports) = payload.map_err(|error| format!("this is no core module: {error}"))? else { continue };
        for export in exports.into_iter().flatten() {
            let Some((interface, of)) = function_of(export.name, package) else { continue };
            if of != version {
                return Err(format!("it was made for {package}@{of}, and this Sickbay has {CONTRACT}"));
            }
            interfaces.insert(interface.to_owned());
        }
    }
    if interfaces.is_empty() {
        return Err(format!("it exports no function of {CONTRACT}"));
    }
    Ok(interfaces)
}

/// The interface and the version in `sickbay:plugin/check@0.1.0#run`.
fn function_of<'name>(name: &'name str, package: &str) -> Option<(&'name str, &'name str)> {
    let (interface, _function) = name.strip_prefix(package)?.strip_prefix('/')?.split_once('#')?;
    let (interface, version) = interface.split_once('@')?;
    // It becomes a word of WIT.
    let is_word = interface.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_word.then_some((interface, version))
}

fn world(interfaces: &BTreeSet<String>) -> String {
    let exports: String = interfaces.iter().map(|interface| format!("    export {interface};\n")).collect();
    let imports = "    include imports;\n    import wasi:clocks/wall-clock@0.2.0;\n";
    format!("package {CONTRACT};\n{CLOCK}\nworld {WORLD} {{\n{imports}{exports}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &str); 4] = [
        ("capabilities.wit", include_str!("../../../wit/capabilities.wit")),
        ("exports.wit", include_str!("../../../wit/exports.wit")),
        ("types.wit", include_str!("../../../wit/types.wit")),
        ("world.wit", include_str!("../../../wit/world.wit")),
    ];

    /// A module that exports functions of these names, and has no more than the list of them.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut section = vec![u8::try_from(names.len()).expect("few")];
        for name in names {
            section.push(u8::try_from(name.len()).expect("short"));
            section.extend(name.as_bytes());
            section.extend([0, 0]);
        }
        let len = section.len();
        // Two bytes hold the length, as LEB128.
        let len = [(len & 0x7f) as u8 | 0x80, (len >> 7) as u8];
        [b"\0asm\x01\0\0\0".as_slice(), &[7], len.as_slice(), section.as_slice()].concat()
    }

    #[test]
    fn the_world_has_what_the_module_exports() {
        let names = ["_initialize", "sickbay:plugin/plugin@0.1.0#describe", "sickbay:plugin/check@0.1.0#run", "cabi_realloc"];
        let typed = with_component_type(&module(&names), &FILES).expect("it exports a check");
        let (_, bindgen) = wit_component::metadata::decode(&typed).expect("it carries its type");
        let world = &bindgen.resolve.worlds[bindgen.world];
        let name = |key| bindgen.resolve.name_world_key(key);
        let exports: BTreeSet<String> = world.exports.keys().map(name).collect();
        assert_eq!(exports, ["sickbay:plugin/check@0.1.0", "sickbay:plugin/plugin@0.1.0"].map(str::to_owned).into());
        let imports: BTreeSet<String> = world.imports.keys().map(name).collect();
        assert!(["sickbay:plugin/http@0.1.0", "wasi:clocks/wall-clock@0.2.0"].iter().all(|name| imports.contains(*name)), "{imports:?}");
    }

    #[test]
    fn a_module_of_another_version_or_of_something_else_is_told() {
        let told = |names: &[&str]| with_component_type(&module(names), &FILES).expect_err("no plugin of ours");
        assert_eq!(told(&["main"]), "it exports no function of sickbay:plugin@0.1.0");
        assert_eq!(
            told(&["sickbay:plugin/check@0.2.0#run"]),
            "it was made for sickbay:plugin@0.2.0, and this Sickbay has sickbay:plugin@0.1.0"
        );
        assert_eq!(told(&["sickbay:plugin/a; export b@0.1.0#run"]), "it exports no function of sickbay:plugin@0.1.0");
        assert!(with_component_type(b"no module", &FILES).expect_err("no module").starts_with("this is no core module: "));
    }
}
