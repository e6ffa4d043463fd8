//! A core module that carries its component type is a plugin too: what compilers give that know nothing of components.

use sickbay_tests::{Sickbay, check, program, until};
use wasmparser::{Parser, Payload};
use wit_component::{DecodedWasm, StringEncoding};

/// The main module of a guest, with the guest's world as its component type: the guest as it was before it became a component.
fn as_core_module(component: &[u8]) -> Vec<u8> {
    let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(component) else { panic!("a guest is a component") };
    let main = Parser::new(0).parse_all(component).find_map(|payload| match payload.expect("a guest can be parsed") {
        Payload::ModuleSection { unchecked_range, .. } => Some(component[unchecked_range].to_vec()),
        _ => None,
    });
    let mut module = main.expect("a guest has a module");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("its type can be embedded");
    module
}

#[tokio::test]
async fn a_core_module_with_a_component_type_is_a_plugin() {
    let component = program::guest_bytes("swap-v2");
    let sickbay = Sickbay::started(&check("swap", "swap", "200ms", ""), &["swap=swap-v1"]).await;
    until("version 1 serves", async || sickbay.check("swap").await["summary"] == "version 1").await;
    sickbay.install_bytes("swap", &as_core_module(&component));
    until("the core module serves", async || sickbay.check("swap").await["summary"] == "version 2").await;
    assert_eq!(sickbay.plugin("swap").await["state"], "loaded");
}
