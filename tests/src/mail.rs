//! A mail server: aiosmtpd, which takes mail and keeps it in a folder, with or without STARTTLS. It asks nobody to log in, or takes nothing
//! without STARTTLS and a login. What it took is read by the mail parser of Python, which is nobody's here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::program;
use crate::server::Server;

const PACKAGE: &str = "python3-aiosmtpd";
/// A Maildir.
const MAILS: &str = "mails";
/// Of the system, where Debian puts aiosmtpd.
const PYTHON: &str = "/usr/bin/python3";
/// Prints the parts of a mail, and what is wrong with it.
const READ: &str = r#"
import email, email.policy, json, sys
mail = email.message_from_string(sys.stdin.read(), policy=email.policy.default)
part = lambda kind: mail.get_body((kind,)).get_content() if mail.get_body((kind,)) else None
print(json.dumps({
    "headers": {name.lower(): str(value) for name, value in mail.items()},
    "type": mail.get_content_type(),
    "plain": part("plain"),
    "html": part("html"),
    "defects": [repr(defect) for part in mail.walk() for defect in part.defects],
}))
"#;

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

    /// One that takes mail only after STARTTLS, from `user` with this password.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start_with_login(certificate: Pair<'_>, user: &str, password: &str) -> MailServer {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(PACKAGE, |port| {
            let [certificate, key] = files(&folder, certificate);
            let mut command = Command::new(PYTHON);
            command.args(["-c", include_str!("mail_login.py")]).arg(port.to_string()).arg(folder.path().join(MAILS));
            command.arg(certificate).arg(key).args([user, password]);
            command
        });
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

    /// The parts of a mail: `headers` by their small names, `type`, `plain` and `html`, and `defects`.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn read(mail: &str) -> Value {
        let read = program::pipe(PYTHON, &["-c", READ], mail).await;
        serde_json::from_str(&read.out).unwrap_or_else(|error| panic!("{error}: {}", read.err))
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
    if let Some(certificate) = certificate {
        let [certificate, key] = files(folder, certificate);
        command.arg("--tlscert").arg(certificate).arg("--tlskey").arg(key);
    }
    command.arg(folder.path().join(MAILS));
    command
}

/// The certificate and its key.
fn files(folder: &TempDir, (certificate, key): Pair<'_>) -> [PathBuf; 2] {
    [("certificate.pem", certificate), ("key.pem", key)].map(|(name, pem)| {
        let file = folder.path().join(name);
        fs::write(&file, pem).expect("a file of the mail server");
        file
    })
}
