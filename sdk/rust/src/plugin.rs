//! The macro that turns checks into a component.

/// Exports a plugin: its name, version, summary, and the checks that it offers.
///
/// Call it once, at the top of the crate. The version is the plugin's own, normally `env!("CARGO_PKG_VERSION")`.
/// It defines `SickbayPlugin`; outside of WebAssembly nothing is exported, so the crate also builds and tests natively.
///
/// ```
/// use sickbay_sdk::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Config {}
///
/// struct Always;
///
/// impl Check for Always {
///     const NAME: &'static str = "always";
///     const SUMMARY: &'static str = "Is always ok";
///     type Config = Config;
///
///     fn example() -> Value {
///         json!({})
///     }
///
///     fn run(_request: &Request<Config>) -> Result<Report, Error> {
///         Ok(Report::ok("as always"))
///     }
/// }
///
/// sickbay_sdk::plugin! { name: "always", version: "1.0.0", summary: "An example", checks: [Always] }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    (
        name: $name:expr,
        version: $version:expr,
        summary: $summary:expr,
        checks: [$($check:ty),+ $(,)?] $(,)?
    ) => {
        #[doc(hidden)]
        #[allow(unreachable_pub)]
        pub struct SickbayPlugin;

        impl $crate::private::PluginGuest for SickbayPlugin {
            fn describe() -> $crate::Descriptor {
                $crate::private::tell_panics();
                $crate::private::descriptor(
                    $name,
                    $version,
                    $summary,
                    ::std::vec![$($crate::private::kind::<$check>()),+],
                )
            }
        }

        impl $crate::private::CheckGuest for SickbayPlugin {
            fn run(
                request: $crate::private::WireRequest,
            ) -> ::std::result::Result<$crate::Report, $crate::Failure> {
                $crate::private::tell_panics();
                match request.kind.as_str() {
                    $(<$check as $crate::Check>::NAME => $crate::private::run::<$check>(request),)+
                    _ => ::std::result::Result::Err($crate::private::unknown_kind(&request.kind)),
                }
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::bindings::export_check_plugin!(SickbayPlugin with_types_in $crate::bindings);
    };
}
