//! The configuration, its plugin folder, its store, databases and secrets, and whether its address is free or Sickbay's already.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use super::{Finding, Mark, secrets, sources, store};
use crate::config::{Diagnostic, counted};
use crate::daemon::listing::listing;

const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 4096;

pub(super) fn findings(file: &Path) -> Vec<Finding> {
    if !file.exists() {
        let default_address = SocketAddr::from(([127, 0, 0, 1], 9470));
        return vec![
            Finding::new("configuration", Mark::Info, format!("{} is not there", file.display()))
                .with_fix("sickbay quickstart writes one; --config names another"),
            address(default_address, use_of(default_address)),
        ];
    }
    match crate::config::load(file) {
        Err(problems) => {
            let seen = format!("{} is wrong{}", file.display(), problems.errors.first().map(first_mistake).unwrap_or_default());
            vec![Finding::new("configuration", Mark::Wrong, seen).with_fix(format!("sickbay validate --config {}", file.display()))]
        }
        Ok(config) => {
            let listen = config.server.listen;
            let mut findings = vec![
                Finding::new("configuration", Mark::Ok, format!("{}: {}", file.display(), counted(config.checks.len(), "check"))),
                plugin_folder(&config.plugins.dir),
                address(listen, use_of(listen)),
            ];
            findings.extend(passed_over(&config.plugins.dir));
            findings.extend(store::findings(&config));
            findings.extend(sources::findings(&config));
            findings.extend(secrets::findings(&config));
            findings
        }
    }
}

/// `: line 4: unknown key`; what is wrong with a file as a whole has no line.
fn first_mistake(problem: &Diagnostic) -> String {
    match problem.line {
        0 => format!(": {}", problem.message),
        line => format!(": line {line}: {}", problem.message),
    }
}

fn plugin_folder(directory: &Path) -> Finding {
    const SUBJECT: &str = "plugin folder";
    if let Err(error) = directory.read_dir() {
        return Finding::new(SUBJECT, Mark::Warn, format!("{} cannot be read: {error}", directory.display()))
            .with_fix(format!("mkdir -p {}", directory.display()));
    }
    let plugins = listing(directory).plugins.len();
    if plugins == 0 {
        return Finding::new(SUBJECT, Mark::Warn, format!("{} holds no plugin: no NAME.wasm", directory.display()))
            .with_fix(format!("sickbay build plugins --out {}", directory.display()));
    }
    Finding::new(SUBJECT, Mark::Ok, format!("{}: {}", directory.display(), counted(plugins, ".wasm file")))
}

/// Files that were meant as plugins and are none.
fn passed_over(directory: &Path) -> impl Iterator<Item = Finding> {
    let files = listing(directory).passed_over;
    files.into_iter().map(|file| Finding::new("plugin file", Mark::Warn, file.message).with_fix(file.hint))
}

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Free,
    Sickbay,
    Other,
}

fn use_of(listen: SocketAddr) -> Use {
    if TcpListener::bind(listen).is_ok() {
        return Use::Free;
    }
    match ask(listen) {
        Ok(answer) if is_sickbay(&answer) => Use::Sickbay,
        Ok(_) | Err(_) => Use::Other,
    }
}

/// The beginning of what answers `GET /healthz` there.
fn ask(listen: SocketAddr) -> std::io::Result<String> {
    let mut reachable = listen;
    if listen.ip().is_unspecified() {
        reachable.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut stream = TcpStream::connect_timeout(&reachable, ANSWER_WAIT_MAX)?;
    stream.set_read_timeout(Some(ANSWER_WAIT_MAX))?;
    stream.set_write_timeout(Some(ANSWER_WAIT_MAX))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {reachable}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    // A server that keeps the connection open has still shown its beginning.
    let _ = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn is_sickbay(answer: &str) -> bool {
    // One that asks for a token or for TLS answers with a problem of ours.
    answer.starts_with("HTTP/1.1 ") && (answer.contains("\"healthy\"") || answer.contains("urn:sickbay:problem:"))
}

fn address(listen: SocketAddr, used: Use) -> Finding {
    let subject = "address";
    match used {
        Use::Free => Finding::new(subject, Mark::Ok, format!("{listen} is free")),
        Use::Sickbay => Finding::new(subject, Mark::Ok, format!("{listen} is served by Sickbay")),
        Use::Other => Finding::new(subject, Mark::Warn, format!("{listen} is used by another program"))
            .with_fix("give `[server] listen` another port, or `--listen` to quickstart"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unhealthy_sickbay_is_still_sickbay() {
        assert!(is_sickbay("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"healthy\":false,\"checks\":[]}"));
        assert!(is_sickbay("HTTP/1.1 401 Unauthorized\r\n\r\n{\"type\":\"urn:sickbay:problem:token-missing\"}"));
        assert!(!is_sickbay("HTTP/1.1 200 OK\r\n\r\n<html>nginx</html>"));
        assert!(!is_sickbay(""));
    }

    #[test]
    fn a_port_of_another_program_is_told_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listen = listener.local_addr().expect("its address");
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a question");
            let mut question = [0; 1024];
            assert!(stream.read(&mut question).expect("readable") > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").expect("an answer");
        });
        assert_eq!(use_of(listen), Use::Other);
        answering.join().expect("answered");
    }

    #[test]
    fn a_plugin_folder_without_components_tells_how_to_fill_it() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let finding = plugin_folder(folder.path());
        assert_eq!(finding.mark, Mark::Warn);
        std::fs::write(folder.path().join("Http.wasm"), "").expect("file");
        assert_eq!(plugin_folder(folder.path()).mark, Mark::Warn, "it is no plugin");
        std::fs::write(folder.path().join("http.wasm"), "").expect("file");
        let finding = plugin_folder(folder.path());
        assert_eq!((finding.mark, finding.seen.ends_with(": 1 .wasm file")), (Mark::Ok, true), "{finding:?}");
        let told: Vec<Finding> = passed_over(folder.path()).collect();
        assert_eq!((told.len(), told[0].fix.as_deref()), (1, Some("rename it, for example to `http.wasm`")));
        assert_eq!(plugin_folder(&folder.path().join("absent")).mark, Mark::Warn);
    }
}
