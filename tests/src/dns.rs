//! A DNS server: dnsmasq, which knows what lies below `test` and asks nobody else.
//!
//! A daemon asks it where it has the server's `/etc/resolv.conf` for its own: `Sickbay::with_mounts(&server.mounts())`.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::server::Server;

const PACKAGE: &str = "dnsmasq-base";

/// One DNS server. What it is as a process is its [`Server`].
#[derive(Debug)]
pub struct DnsServer {
    /// First, so that it ends before its folder does.
    pub server: Server,
    folder: TempDir,
}

impl DnsServer {
    /// `records` are lines of its configuration: `host-record=web.test,10.0.0.1`.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start(records: &str) -> DnsServer {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(PACKAGE, |port| command(&folder, port, records));
        // One that is silent is given up after a second.
        let settings = format!("nameserver [127.0.0.1]:{}\noptions timeout:1 attempts:1\n", server.port());
        fs::write(folder.path().join("resolv.conf"), settings).expect("a file of the DNS server");
        DnsServer { server, folder }
    }

    /// Starts it anew where it was, with other records.
    pub fn restart(&mut self, records: &str) {
        let command = command(&self.folder, self.server.port(), records);
        self.server.restart(command);
    }

    /// The line of shell after which a program asks this server and no other.
    pub fn mounts(&self) -> String {
        format!("mount --bind '{}' /etc/resolv.conf", self.folder.path().join("resolv.conf").display())
    }
}

fn command(folder: &TempDir, port: u16, records: &str) -> Command {
    let file = folder.path().join("dnsmasq.conf");
    let text = format!("port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal=/test/\n{records}\n");
    fs::write(&file, text).expect("a file of the DNS server");
    let mut command = Command::new("dnsmasq");
    // One process, in the foreground, of the user who starts it.
    command.arg("--no-daemon").arg("--pid-file=").arg(format!("--conf-file={}", file.display()));
    command
}
