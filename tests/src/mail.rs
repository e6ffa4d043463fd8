//! A mail server: aiosmtpd, which takes mail and keeps it in a folder, with or without STARTTLS. It asks nobody to log in.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::server::Server;

const PACKAGE: &str = "python3-aiosmtpd";
/// A Maildir.
const MAILS: &str = "mails";

/// A certificate and its key, each in PEM.
pub type Pair<'p> = (&'p str, &'p str);

/// One mail server. What it is as a process is its [`Server`].
#[derive(Debug)]
pub struct MailServer {
    /// First, so that it ends before its folder does.
    pub server: Server,
    folder: TempDir,
}

impl MailServer {
    /// STARTTLS is offered where there is a certificate.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start(certificate: Option<Pair<'_>>) -> MailServer {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(PACKAGE, |port| command(&folder, port, certificate));
        MailServer { server, folder }
    }

    /// Starts it anew where it was, with another certificate or none.
    pub fn restart(&mut self, certificate: Option<Pair<'_>>) {
        let command = command(&self.folder, self.server.port(), certificate);
        self.server.restart(command);
    }

    /// All that was taken so far, with the envelope in `X-MailFrom` and `X-RcptTo`.
    ///
    /// # Panics
    /// When the folder cannot be read.
    pub fn mails(&self) -> Vec<String> {
        let taken = self.folder.path().join(MAILS).join("new");
        let Ok(entries) = fs::read_dir(taken) else { return Vec::new() };
        entries.map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("a mail")).collect()
    }

    /// By the name that its certificate should be for.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.server.port())
    }
}

fn command(folder: &TempDir, port: u16, certificate: Option<Pair<'_>>) -> Command {
    let mut command = Command::new("aiosmtpd");
    // For each connection it looks up the name of its machine, which nobody may know.
    command.env("RES_OPTIONS", "timeout:1 attempts:1");
    // It is not to become another user.
    command.args(["--nosetuid", "--class", "aiosmtpd.handlers.Mailbox", "--listen"]).arg(format!("127.0.0.1:{port}"));
    if let Some((certificate, key)) = certificate {
        for (option, name, pem) in [("--tlscert", "certificate.pem", certificate), ("--tlskey", "key.pem", key)] {
            let file = folder.path().join(name);
            fs::write(&file, pem).expect("a file of the mail server");
            command.arg(option).arg(file);
        }
    }
    command.arg(folder.path().join(MAILS));
    command
}
