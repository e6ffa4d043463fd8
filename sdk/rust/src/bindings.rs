//! The contract as Rust types, generated from `wit/`.
//!
//! A plugin normally needs none of this: the traits of this crate and [`plugin!`](crate::plugin!) cover it. It is public
//! for the rare plugin that implements the exported interfaces itself.
//!
//! Each interface that a plugin may export is generated from a world of its own. A component has the union of the worlds whose `export_...!`
//! it calls, so it exports what it implements and nothing else. The types are those of [`sickbay`] in all of them.

/// What every plugin exports, and all that one may import.
pub mod plugin_part {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package sickbay:sdk;

            world plugin-part {
                include sickbay:plugin/imports@0.1.0;
                export sickbay:plugin/plugin@0.1.0;
            }
        ",
        world: "plugin-part",
        generate_all,
        // Types that only the other parts use.
        generate_unused_types: true,
        pub_export_macro: true,
        export_macro_name: "export_plugin_part",
        default_bindings_module: "sickbay_sdk::bindings::plugin_part",
        additional_derives: [PartialEq],
    });
}

/// The interface of a plugin that checks.
pub mod check_part {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package sickbay:sdk;

            world check-part {
                export sickbay:plugin/check@0.1.0;
            }
        ",
        world: "check-part",
        with: { "sickbay:plugin/types@0.1.0": crate::bindings::plugin_part::sickbay::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_check_part",
        default_bindings_module: "sickbay_sdk::bindings::check_part",
        additional_derives: [PartialEq],
    });
}

/// The interface of a plugin that heals.
pub mod recovery_part {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package sickbay:sdk;

            world recovery-part {
                export sickbay:plugin/recovery@0.1.0;
            }
        ",
        world: "recovery-part",
        with: { "sickbay:plugin/types@0.1.0": crate::bindings::plugin_part::sickbay::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_recovery_part",
        default_bindings_module: "sickbay_sdk::bindings::recovery_part",
        additional_derives: [PartialEq],
    });
}

/// The interface of a plugin that tells.
pub mod sink_part {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package sickbay:sdk;

            world sink-part {
                export sickbay:plugin/sink@0.1.0;
            }
        ",
        world: "sink-part",
        with: { "sickbay:plugin/types@0.1.0": crate::bindings::plugin_part::sickbay::plugin::types },
        pub_export_macro: true,
        export_macro_name: "export_sink_part",
        default_bindings_module: "sickbay_sdk::bindings::sink_part",
        additional_derives: [PartialEq],
    });
}

pub use plugin_part::sickbay;

/// All interfaces that a plugin may export, under their names in the contract.
pub mod exports {
    pub mod sickbay {
        pub mod plugin {
            pub use crate::bindings::check_part::exports::sickbay::plugin::check;
            pub use crate::bindings::plugin_part::exports::sickbay::plugin::plugin;
            pub use crate::bindings::recovery_part::exports::sickbay::plugin::recovery;
            pub use crate::bindings::sink_part::exports::sickbay::plugin::sink;
        }
    }
}

/// Exports a type that implements the interfaces `plugin` and `check`: the world `check-plugin`.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_check_plugin {
    ($plugin:ident with_types_in $($bindings:tt)*) => {
        $($bindings)*::plugin_part::export_plugin_part!($plugin with_types_in $($bindings)*::plugin_part);
        $($bindings)*::check_part::export_check_part!($plugin with_types_in $($bindings)*::check_part);
    };
}

#[doc(inline)]
pub use __export_check_plugin as export_check_plugin;
