//! The contract as Rust types, generated from `wit/`.
//!
//! A plugin normally needs none of this: [`Check`](crate::Check) and [`plugin!`](crate::plugin!) cover it. It is public
//! for the rare plugin that implements the exported interfaces itself.

wit_bindgen::generate!({
    path: "../../wit",
    world: "check-plugin",
    pub_export_macro: true,
    export_macro_name: "export_check_plugin",
    default_bindings_module: "sickbay_sdk::bindings",
    additional_derives: [PartialEq],
});
