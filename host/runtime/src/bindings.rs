//! The contract as Rust types and traits, generated from `wit/`. A plugin exports only some of the interfaces of this world: `exports.rs`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "full-plugin",
    imports: { default: async | trappable },
    exports: { default: async },
    additional_derives: [serde::Serialize, serde::Deserialize],
});
