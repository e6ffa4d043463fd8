//! Host names for one program: it runs in a mount namespace of its own, in which `/etc/hosts` is the test's and nobody else is asked.
//!
//! The machine's own files are not touched. Needs root, or a kernel that lets everyone have a namespace.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::with_clean_environment;

const BIND_AND_RUN: &str = "set -e; mount --bind \"$1\" /etc/hosts; \
    if [ -e /etc/nsswitch.conf ]; then mount --bind \"$2\" /etc/nsswitch.conf; fi; shift 2; exec \"$@\"";

pub(crate) struct Resolver {
    folder: TempDir,
}

impl Resolver {
    /// `names` are pairs of address and name; a name may have several.
    pub(crate) fn new(names: &[(&str, &str)]) -> Resolver {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("nsswitch.conf"), "hosts: files\n").expect("a file");
        let resolver = Resolver { folder };
        resolver.set(names);
        let tried = resolver.wrap("true").output().expect("unshare; hint: apt-get install util-linux");
        let told = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(tried.status.success(), "no mount namespace: {told}; hint: run as root, or allow unprivileged user namespaces");
        resolver
    }

    /// From the next lookup on. Written in place: what is bound is the file, not its name.
    pub(crate) fn set(&self, names: &[(&str, &str)]) {
        let lines: String = names.iter().map(|(address, name)| format!("{address} {name}\n")).collect();
        fs::write(self.folder.path().join("hosts"), lines).expect("the names");
    }

    /// The program, which knows these names and no other.
    pub(crate) fn program(&self) -> Command {
        with_clean_environment(self.wrap(super::from_environment("SICKBAY_BIN")))
    }

    fn wrap(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", BIND_AND_RUN, "sh"]).arg(self.folder.path().join("hosts")).arg(self.folder.path().join("nsswitch.conf"));
        command.arg(program);
        command
    }
}
