//! One call of cargo, with exactly the environment that builds guests.
//!
//! Sickbay itself may run under `cargo run`, which leaves variables of its own build in the environment, and a person may have set
//! flags meant for the machine's processor. Neither may reach a guest.
//!
//! Invariant: no I/O; the environment comes in as names and goes out as what to set and what to remove.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::facts::{SECOND_CARGO, SECOND_RUSTC, WASI_LIBC_DIR};
use super::{Plan, Target};

/// Variables that cargo sets for what it builds and runs, or that hold flags for the machine's own processor.
const LEFT_BY_CARGO: [&str; 13] = [
    "CARGO",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MAKEFLAGS",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTFLAGS",
    "RUST_RECURSION_COUNT",
    "OUT_DIR",
];
/// A guest begins with 128 KiB of stack instead of rustc's 1 MiB: it lies in linear memory, which is cleared for every run, and the default
/// would cost each run some 25 us for memory that no check touches. One that needs more traps; nothing is overwritten, for the stack
/// comes first in memory. It begins with a page of heap too: growing the memory costs two system calls a run.
const MEMORY_FLAGS: &str = "-Clink-arg=-z -Clink-arg=stack-size=131072 -Clink-arg=--initial-heap=65536";
const LEFT_BY_CARGO_PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_BIN_EXE_", "CARGO_FEATURE_"];

/// Variables that choose another compiler or target than the second compiler's. `CARGO_TARGET_DIR` may stay: it says where the folder
/// of its own goes.
const CHOOSES_A_COMPILER: [&str; 7] =
    ["RUSTC", "RUSTDOC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN", "CARGO_BUILD_TARGET", "LD_LIBRARY_PATH"];
const CHOOSES_A_COMPILER_PREFIXES: [&str; 3] = ["CARGO_BUILD_RUST", "CARGO_TARGET_WASM32_", "CARGO_UNSTABLE_"];

/// A program, its arguments and how its environment differs from ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    pub set: Vec<(&'static str, OsString)>,
    pub remove: Vec<String>,
}

impl Invocation {
    /// Cargo under this plan, without arguments yet. `inherited` names the variables of our own environment, `path` is our `PATH`.
    pub fn cargo(plan: &Plan, inherited: impl IntoIterator<Item = String>, path: Option<&OsString>) -> Invocation {
        let second = matches!(plan, Plan::SecondCompiler { .. });
        let inherited: Vec<String> = inherited.into_iter().collect();
        let own_flags = own_flags(&inherited);
        let remove = inherited.into_iter().filter(|name| left_by_cargo(name) || (second && chooses_a_compiler(name))).collect();
        match plan {
            Plan::InstalledTarget => Invocation { program: PathBuf::from("cargo"), arguments: Vec::new(), set: own_flags, remove },
            Plan::SecondCompiler { linkers } => Invocation {
                program: PathBuf::from(SECOND_CARGO),
                arguments: Vec::new(),
                set: second_compiler_environment(linkers, path),
                remove,
            },
        }
    }

    /// The same with the environment of this process.
    pub fn cargo_here(plan: &Plan) -> Invocation {
        // A name that is no Unicode is none of cargo's.
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        Invocation::cargo(plan, inherited, std::env::var_os("PATH").as_ref())
    }

    pub fn arguments<I: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = I>) -> Invocation {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Ready to run in `directory`, without standard input.
    pub fn command(&self, directory: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(directory).stdin(Stdio::null());
        for name in &self.remove {
            command.env_remove(name);
        }
        for (name, value) in &self.set {
            command.env(name, value);
        }
        command
    }
}

/// Flags for the targets that a person has set none for: those that are set are theirs. Cargo reads the ones of the target that it builds.
fn own_flags(inherited: &[String]) -> Vec<(&'static str, OsString)> {
    Target::ALL
        .into_iter()
        .map(Target::flags_variable)
        .filter(|variable| !inherited.iter().any(|name| name == variable))
        .map(|variable| (variable, OsString::from(MEMORY_FLAGS)))
        .collect()
}

/// What makes the second compiler build its standard library for the targets and link it with the first one's linkers.
fn second_compiler_environment(linkers: &Path, path: Option<&OsString>) -> Vec<(&'static str, OsString)> {
    let mut search = OsString::from(linkers);
    search.push(":");
    search.push(linkers.join("gcc-ld"));
    if let Some(path) = path {
        search.push(":");
        search.push(path);
    }
    let mut environment = vec![
        // Building the standard library is an unstable feature; the compiler is a stable one.
        ("RUSTC_BOOTSTRAP", OsString::from("1")),
        ("RUSTC", OsString::from(SECOND_RUSTC)),
        ("PATH", search),
    ];
    for target in Target::ALL {
        environment.push((target.linker_variable(), linkers.join(target.linker()).into_os_string()));
        environment.push((target.flags_variable(), OsString::from(second_compiler_flags(target))));
    }
    environment
}

fn second_compiler_flags(target: Target) -> String {
    match target {
        Target::Wasi => format!("-Clink-self-contained=no -Lnative={WASI_LIBC_DIR} -Ctarget-feature=-crt-static {MEMORY_FLAGS}"),
        Target::Bare => MEMORY_FLAGS.to_owned(),
    }
}

/// Arguments of the one build of a workspace for one target. `own_target_directory` is used by the second compiler only: two compilers in
/// one folder would rebuild each other's work.
pub(super) fn build_arguments(
    plan: &Plan,
    target: Target,
    profile: &str,
    package_ids: &[&str],
    own_target_directory: &Path,
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["build", "--lib", "--target", target.triple(), "--profile", profile, "--message-format", "json-render-diagnostics"]
            .map(OsString::from)
            .into();
    for package_id in package_ids {
        arguments.push("--package".into());
        arguments.push(package_id.into());
    }
    if matches!(plan, Plan::SecondCompiler { .. }) {
        arguments.push("-Zbuild-std=std,panic_abort".into());
        arguments.push("--target-dir".into());
        arguments.push(own_target_directory.into());
    }
    arguments
}

fn left_by_cargo(name: &str) -> bool {
    LEFT_BY_CARGO.contains(&name) || LEFT_BY_CARGO_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn chooses_a_compiler(name: &str) -> bool {
    CHOOSES_A_COMPILER.contains(&name) || CHOOSES_A_COMPILER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn second() -> Plan {
        Plan::SecondCompiler { linkers: PathBuf::from("/toolchain/bin") }
    }

    #[test]
    fn what_an_outer_cargo_run_left_behind_does_not_reach_a_guest() {
        let inherited = names(&["CARGO", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "RUSTFLAGS", "HOME", "CARGO_HOME", "CARGO_HTTP_CAINFO"]);
        let cargo = Invocation::cargo(&Plan::InstalledTarget, inherited, None);
        assert_eq!(cargo.remove, names(&["CARGO", "CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "RUSTFLAGS"]));
    }

    #[test]
    fn a_guest_gets_a_small_stack_unless_a_person_set_flags_of_their_own() {
        let set = |inherited: &[&str]| Invocation::cargo(&Plan::InstalledTarget, names(inherited), None).set;
        let [wasi, bare] = Target::ALL.map(Target::flags_variable);
        assert_eq!(set(&[]), vec![(wasi, OsString::from(MEMORY_FLAGS)), (bare, OsString::from(MEMORY_FLAGS))]);
        assert_eq!(set(&[bare]), vec![(wasi, OsString::from(MEMORY_FLAGS))]);
        assert!(set(&[wasi, bare]).is_empty());
    }

    #[test]
    fn the_chosen_toolchain_holds_for_the_installed_target_and_not_for_the_second_compiler() {
        let inherited = names(&["RUSTUP_TOOLCHAIN", "CARGO_BUILD_RUSTFLAGS", "LD_LIBRARY_PATH", "RUSTC_WRAPPER"]);
        assert!(Invocation::cargo(&Plan::InstalledTarget, inherited.clone(), None).remove.is_empty());
        assert_eq!(Invocation::cargo(&second(), inherited.clone(), None).remove, inherited);
    }

    #[test]
    fn where_targets_go_is_the_persons_choice_under_every_compiler() {
        let inherited = names(&["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_HOME"]);
        assert!(Invocation::cargo(&second(), inherited, None).remove.is_empty());
    }

    #[test]
    fn the_second_compiler_gets_the_documented_environment() {
        let cargo = Invocation::cargo(&second(), Vec::new(), Some(&OsString::from("/usr/bin:/bin")));
        assert_eq!(cargo.program, PathBuf::from("/usr/bin/cargo"));
        let expected: Vec<(&str, OsString)> = vec![
            ("RUSTC_BOOTSTRAP", "1".into()),
            ("RUSTC", "/usr/bin/rustc".into()),
            ("PATH", "/toolchain/bin:/toolchain/bin/gcc-ld:/usr/bin:/bin".into()),
            ("CARGO_TARGET_WASM32_WASIP2_LINKER", "/toolchain/bin/wasm-component-ld".into()),
            (
                "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS",
                "-Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasi -Ctarget-feature=-crt-static \
                 -Clink-arg=-z -Clink-arg=stack-size=131072 -Clink-arg=--initial-heap=65536"
                    .into(),
            ),
            ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "/toolchain/bin/rust-lld".into()),
            (
                "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
                "-Clink-arg=-z -Clink-arg=stack-size=131072 -Clink-arg=--initial-heap=65536".into(),
            ),
        ];
        assert_eq!(cargo.set, expected);
    }

    #[test]
    fn all_packages_of_a_workspace_for_one_target_are_built_in_one_call() {
        let arguments = build_arguments(&Plan::InstalledTarget, Target::Wasi, "guest", &["one", "two"], Path::new("/target/guests"));
        let expected: Vec<OsString> = [
            "build",
            "--lib",
            "--target",
            "wasm32-wasip2",
            "--profile",
            "guest",
            "--message-format",
            "json-render-diagnostics",
            "--package",
            "one",
            "--package",
            "two",
        ]
        .map(OsString::from)
        .into();
        assert_eq!(arguments, expected);
    }

    #[test]
    fn only_the_second_compiler_builds_the_library_in_a_folder_of_its_own() {
        let arguments = build_arguments(&second(), Target::Bare, "release", &["one"], Path::new("/target/guests"));
        let tail: Vec<OsString> = ["-Zbuild-std=std,panic_abort", "--target-dir", "/target/guests"].map(OsString::from).into();
        assert!(arguments.ends_with(&tail));
    }
}
