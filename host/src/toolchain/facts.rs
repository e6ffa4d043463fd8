//! What this machine has for building guests.
//!
//! Every fact is a cheap question: a version, a path that exists. Nothing is changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Target;

/// Where Debian puts the second compiler.
pub(super) const SECOND_RUSTC: &str = "/usr/bin/rustc";
pub(super) const SECOND_CARGO: &str = "/usr/bin/cargo";
/// The WASI C library that the standard library links.
pub(super) const WASI_LIBC_DIR: &str = "/usr/lib/wasm32-wasi";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The compiler on the path, when cargo is there too.
    pub compiler: Option<Compiler>,
    pub rustup: bool,
    pub second_compiler: SecondCompiler,
    /// A Debian family system.
    pub apt: bool,
    pub root: bool,
}

/// The compiler on the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    /// As in `1.95.0`.
    pub version: String,
    /// Those whose standard library is there.
    pub targets_installed: Vec<Target>,
    /// The folder of the targets' linkers, where all are there.
    pub linkers: Option<PathBuf>,
}

/// The parts of Debian's second compiler that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondCompiler {
    pub rustc: bool,
    pub cargo: bool,
    pub library_source: bool,
    pub wasi_libc: bool,
}

impl SecondCompiler {
    pub fn complete(self) -> bool {
        self.rustc && self.cargo && self.library_source && self.wasi_libc
    }
}

impl Facts {
    /// Asks this machine; takes a few tens of milliseconds.
    pub fn probe() -> Facts {
        let cargo = answer("cargo", &["--version"]).is_some();
        Facts {
            compiler: Compiler::probe().filter(|_| cargo),
            rustup: answer("rustup", &["--version"]).is_some(),
            second_compiler: SecondCompiler::probe(),
            apt: has_apt(),
            root: rustix::process::geteuid().is_root(),
        }
    }
}

impl Compiler {
    fn probe() -> Option<Compiler> {
        let about = answer("rustc", &["--version", "--verbose"])?;
        let version = field(&about, "release: ")?.to_owned();
        let host = field(&about, "host: ")?;
        let sysroot = PathBuf::from(answer("rustc", &["--print", "sysroot"])?);
        let installed = |target: &Target| {
            let library = answer("rustc", &["--print", "target-libdir", "--target", target.triple()]);
            library.is_some_and(|path| Path::new(&path).is_dir())
        };
        let linkers = sysroot.join("lib/rustlib").join(host).join("bin");
        let linkers_there = Target::ALL.iter().all(|target| linkers.join(target.linker()).exists());
        Some(Compiler {
            version,
            targets_installed: Target::ALL.into_iter().filter(installed).collect(),
            linkers: linkers_there.then_some(linkers),
        })
    }
}

impl SecondCompiler {
    fn probe() -> SecondCompiler {
        // Older compilers of the same name do not know both targets.
        let knows_targets = answer(SECOND_RUSTC, &["--print", "target-list"])
            .is_some_and(|names| Target::ALL.iter().all(|target| names.lines().any(|name| name == target.triple())));
        let sysroot = answer(SECOND_RUSTC, &["--print", "sysroot"]);
        let library_source =
            sysroot.as_ref().is_some_and(|sysroot| Path::new(sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").exists());
        SecondCompiler {
            rustc: knows_targets,
            cargo: answer(SECOND_CARGO, &["--version"]).is_some(),
            library_source,
            wasi_libc: Path::new(WASI_LIBC_DIR).join("libc.a").exists(),
        }
    }
}

/// A Debian family system.
pub(super) fn has_apt() -> bool {
    Path::new("/etc/debian_version").exists() && Path::new("/usr/bin/apt-get").exists()
}

/// The trimmed output of a program that ended well.
pub(super) fn answer(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if program.is_absolute() {
        // The libraries of another toolchain, left by `cargo run`, are not for this program.
        command.env_remove("LD_LIBRARY_PATH");
    }
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_that_builds_this_test_is_found() {
        let facts = Facts::probe();
        let compiler = facts.compiler.expect("tests are run by cargo");
        assert!(compiler.version.split('.').count() >= 3, "{}", compiler.version);
    }

    #[test]
    fn a_field_of_the_verbose_version_is_found_by_its_name() {
        let about = "rustc 1.95.0\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0";
        assert_eq!(field(about, "host: "), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(field(about, "LLVM version: "), None);
    }

    #[test]
    fn a_program_that_fails_or_is_absent_gives_no_answer() {
        assert_eq!(answer("false", &[]), None);
        assert_eq!(answer("sickbay-no-such-program", &[]), None);
    }
}
