//! The contract as Rust types and traits, generated from `wit/`.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "check-plugin",
    imports: { default: async | trappable },
    exports: { default: async },
});
