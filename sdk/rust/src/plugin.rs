//! The macro that turns checks, recoveries and sinks into a component.

/// Exports a plugin: its name, version, summary, and the checks, recoveries and sinks that it offers.
///
/// Call it once, at the top of the crate. The version is the plugin's own, normally `env!("CARGO_PKG_VERSION")`; `homepage` and `licence`
/// (an SPDX expression) may be left out. Of `checks`, `recoveries` and `sinks` there is at least one, and the component exports what is
/// there: with `checks` alone it is one of the world `check-plugin`, with all of them one of `full-plugin`.
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
/// struct Diary;
///
/// impl Sink for Diary {
///     const NAME: &'static str = "diary";
///     const SUMMARY: &'static str = "Writes it down";
///     type Config = Config;
///
///     fn example() -> Value {
///         json!({})
///     }
///
///     fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
///         log::info(&request.notification.group, &[]);
///         Ok(Receipt::default())
///     }
/// }
///
/// sickbay_sdk::plugin! {
///     name: "always",
///     version: "1.0.0",
///     summary: "An example",
///     licence: "Apache-2.0",
///     checks: [Always],
///     sinks: [Diary],
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! plugin {
    (
        name: $name:expr,
        version: $version:expr,
        summary: $summary:expr
        $(, homepage: $homepage:expr)?
        $(, licence: $licence:expr)?
        $(, checks: [$($check:ty),+ $(,)?])?
        $(, recoveries: [$($recovery:ty),+ $(,)?])?
        $(, sinks: [$($sink:ty),+ $(,)?])?
        $(,)?
    ) => {
        #[doc(hidden)]
        #[allow(unreachable_pub)]
        pub struct SickbayPlugin;

        impl $crate::private::PluginGuest for SickbayPlugin {
            fn describe() -> $crate::Descriptor {
                $crate::private::tell_panics();
                let mut descriptor = $crate::private::descriptor($name, $version, $summary);
                $(descriptor.homepage = ::std::option::Option::Some(::std::string::String::from($homepage));)?
                $(descriptor.licence = ::std::option::Option::Some(::std::string::String::from($licence));)?
                $($(descriptor.checks.push($crate::private::check_kind::<$check>());)+)?
                $($(descriptor.recoveries.push($crate::private::recovery_kind::<$recovery>());)+)?
                $($(descriptor.sinks.push($crate::private::sink_kind::<$sink>());)+)?
                descriptor
            }
        }

        #[cfg(target_family = "wasm")]
        $crate::bindings::plugin_part::export_plugin_part!(SickbayPlugin with_types_in $crate::bindings::plugin_part);

        $(
            impl $crate::private::CheckGuest for SickbayPlugin {
                fn run(request: $crate::private::CheckWireRequest) -> ::std::result::Result<$crate::Report, $crate::Failure> {
                    $crate::private::tell_panics();
                    match request.kind.as_str() {
                        $(<$check as $crate::Check>::NAME => $crate::private::run::<$check>(request),)+
                        kind => ::std::result::Result::Err($crate::private::unknown_kind("check", kind).into()),
                    }
                }
            }

            #[cfg(target_family = "wasm")]
            $crate::bindings::check_part::export_check_part!(SickbayPlugin with_types_in $crate::bindings::check_part);
        )?

        $(
            impl $crate::private::RecoveryGuest for SickbayPlugin {
                fn plan(
                    request: $crate::private::RecoveryWireRequest,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Action>, $crate::Failure> {
                    $crate::private::tell_panics();
                    match request.kind.as_str() {
                        $(<$recovery as $crate::Recovery>::NAME => $crate::private::plan::<$recovery>(request),)+
                        kind => ::std::result::Result::Err($crate::private::unknown_kind("recovery", kind).into()),
                    }
                }

                fn act(
                    request: $crate::private::RecoveryWireRequest,
                    action: $crate::Action,
                ) -> ::std::result::Result<$crate::Progress, $crate::Failure> {
                    $crate::private::tell_panics();
                    match request.kind.as_str() {
                        $(<$recovery as $crate::Recovery>::NAME => $crate::private::act::<$recovery>(request, action),)+
                        kind => ::std::result::Result::Err($crate::private::unknown_kind("recovery", kind).into()),
                    }
                }

                fn follow(
                    request: $crate::private::RecoveryWireRequest,
                    action: $crate::Action,
                    token: ::std::string::String,
                ) -> ::std::result::Result<$crate::Progress, $crate::Failure> {
                    $crate::private::tell_panics();
                    match request.kind.as_str() {
                        $(<$recovery as $crate::Recovery>::NAME => $crate::private::follow::<$recovery>(request, action, token),)+
                        kind => ::std::result::Result::Err($crate::private::unknown_kind("recovery", kind).into()),
                    }
                }
            }

            #[cfg(target_family = "wasm")]
            $crate::bindings::recovery_part::export_recovery_part!(SickbayPlugin with_types_in $crate::bindings::recovery_part);
        )?

        $(
            impl $crate::private::SinkGuest for SickbayPlugin {
                fn deliver(request: $crate::private::SinkWireRequest) -> ::std::result::Result<$crate::Receipt, $crate::DeliveryError> {
                    $crate::private::tell_panics();
                    match request.kind.as_str() {
                        $(<$sink as $crate::Sink>::NAME => $crate::private::deliver::<$sink>(request),)+
                        kind => ::std::result::Result::Err($crate::private::unknown_kind("sink", kind).into()),
                    }
                }
            }

            #[cfg(target_family = "wasm")]
            $crate::bindings::sink_part::export_sink_part!(SickbayPlugin with_types_in $crate::bindings::sink_part);
        )?
    };
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::private::{CheckGuest, PluginGuest, RecoveryGuest, SinkGuest};
    use crate::testing::{incident, notification};

    #[derive(Deserialize, JsonSchema)]
    struct Config {}

    /// One thing that is checked, healed and told of.
    struct Service;

    impl Check for Service {
        const NAME: &'static str = "up";
        const SUMMARY: &'static str = "Is it there?";
        type Config = Config;

        fn example() -> Value {
            json!({})
        }

        fn run(request: &Request<Config>) -> Result<Report, Error> {
            Ok(Report::ok(&request.kind))
        }
    }

    impl Recovery for Service {
        const NAME: &'static str = "restart";
        const SUMMARY: &'static str = "Restarts it";
        type Config = Config;

        fn example() -> Value {
            json!({})
        }

        fn failures() -> &'static [&'static str] {
            &["refused"]
        }

        fn plan(request: &RecoveryRequest<Config>) -> Result<Vec<Action>, Error> {
            Ok(vec![Action::new(&request.kind, "Restart it", "it")])
        }

        fn act(_request: &RecoveryRequest<Config>, action: &Action) -> Result<Progress, Error> {
            Ok(Running::new(&Value::Null, &action.id).into())
        }

        fn follow(_request: &RecoveryRequest<Config>, action: &Action, _token: &Value) -> Result<Progress, Error> {
            Ok(Outcome::done(&action.id).into())
        }
    }

    impl Sink for Service {
        const NAME: &'static str = "tell";
        const SUMMARY: &'static str = "Tells it";
        type Config = Config;

        fn example() -> Value {
            json!({})
        }

        fn deliver(request: &SinkRequest<Config>) -> Result<Receipt, DeliveryError> {
            Ok(Receipt::new(&request.kind))
        }
    }

    crate::plugin! {
        name: "service",
        version: "1.2.3",
        summary: "One service",
        homepage: "https://example.com/",
        licence: "Apache-2.0",
        checks: [Service],
        recoveries: [Service],
        sinks: [Service],
    }

    fn asked(kind: &str) -> crate::private::RecoveryWireRequest {
        crate::testing::recovery::wire_request(kind, &json!({}), incident(), "")
    }

    #[test]
    fn what_a_plugin_offers_is_described_by_its_sort() {
        let descriptor = SickbayPlugin::describe();
        assert_eq!((descriptor.name.as_str(), descriptor.version.as_str()), ("service", "1.2.3"));
        assert_eq!((descriptor.homepage.as_deref(), descriptor.licence.as_deref()), (Some("https://example.com/"), Some("Apache-2.0")));
        let names = [&descriptor.checks, &descriptor.recoveries, &descriptor.sinks].map(|kinds| kinds[0].name.as_str());
        assert_eq!(names, ["up", "restart", "tell"]);
        assert_eq!(descriptor.recoveries[0].failures, ["refused"]);
    }

    #[test]
    fn a_call_reaches_the_kind_that_it_names() {
        let action = || Action::new("a", "b", "c");
        assert_eq!(SickbayPlugin::run(crate::testing::wire_request("up", &json!({}))), Ok(Report::ok("up")));
        assert_eq!(SickbayPlugin::plan(asked("restart")).map(|plan| plan.len()), Ok(1));
        assert!(matches!(SickbayPlugin::act(asked("restart"), action()), Ok(Progress::Running(_))));
        let ended = SickbayPlugin::follow(asked("restart"), action(), "null".to_owned());
        assert_eq!(ended, Ok(Progress::Done(Outcome::done("a"))));
        let told = crate::testing::sink::wire_request("tell", &json!({}), notification(Vec::new()));
        assert_eq!(SickbayPlugin::deliver(told), Ok(Receipt::new("tell")));
    }

    #[test]
    fn a_kind_that_is_not_offered_is_named() {
        let failure = SickbayPlugin::plan(asked("up")).expect_err("a check is no recovery");
        assert_eq!((failure.kind.as_str(), failure.message.as_str()), ("internal", "this plugin has no kind of recovery named up"));
        let told = crate::testing::sink::wire_request("up", &json!({}), notification(Vec::new()));
        assert_eq!(SickbayPlugin::deliver(told), Err(DeliveryError::retryable("this plugin has no kind of sink named up")));
    }
}
