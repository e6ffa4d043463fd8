//! The template compiles, passes its own tests, and holds the name that `sickbay new` replaces.

use sickbay_sdk::bindings::exports::sickbay::plugin::plugin::Guest;

#[path = "../template/src/lib.rs"]
mod template;

#[test]
fn it_is_named_by_the_placeholder() {
    let descriptor = template::SickbayPlugin::describe();
    assert_eq!((descriptor.name.as_str(), descriptor.checks[0].name.as_str()), ("plugin-name", "plugin-name"));
    for file in [include_str!("../template/Cargo.toml"), include_str!("../template/README.md")] {
        assert!(file.contains("plugin-name"));
    }
}
