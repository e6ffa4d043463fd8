//! The template compiles, passes its own tests, holds the name that `sickbay new` replaces, and the versions that the SDK is tested with.

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

#[test]
fn its_crates_have_the_versions_that_the_sdk_is_tested_with() {
    let whole = include_str!("../../../Cargo.lock");
    let packages = include_str!("../template/Cargo.lock").split("\n[[package]]\n").skip(1);
    // Those of a registry have a checksum.
    let pinned: Vec<&str> = packages.filter(|package| package.contains("checksum = ")).collect();
    assert!(pinned.len() > 20, "{pinned:?}");
    for package in pinned {
        let version = package.split("dependencies = ").next().unwrap_or(package).trim();
        assert!(
            whole.contains(version),
            "{version}\nis not what the workspace has; hint: copy its Cargo.lock over the template's, and let cargo prune it"
        );
    }
}
