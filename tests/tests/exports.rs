//! What a component exports and imports is what its plugin offers and calls: the examples for Rust, one of each sort.

use std::collections::BTreeSet;

use sickbay_tests::program;
use wit_component::DecodedWasm;

/// The interfaces of the contract that a guest exports, and those that it imports, by their names in it.
fn interfaces(guest: &str) -> [BTreeSet<String>; 2] {
    let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(&program::guest_bytes(guest)) else {
        panic!("{guest} is no component")
    };
    let world = &resolve.worlds[world];
    [&world.exports, &world.imports].map(|items| {
        let names = items.keys().map(|key| resolve.name_world_key(key));
        names.filter_map(|name| Some(name.strip_prefix("sickbay:plugin/")?.strip_suffix("@0.1.0")?.to_owned())).collect()
    })
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_plugin_exports_the_interfaces_of_what_it_offers_and_no_other() {
    for (guest, interface) in [("heads-up", "check"), ("scale-out", "recovery"), ("ticket", "sink")] {
        let [exports, imports] = interfaces(guest);
        assert_eq!(exports, names(["plugin", interface]), "{guest}");
        assert!(imports.is_subset(&names(["types", "http"])) && imports.contains("http"), "{guest} imports {imports:?}");
    }
}
