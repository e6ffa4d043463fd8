//! UNIX sockets by their paths: find one with its links resolved, let it be judged, connect to exactly the one that was found.
//!
//! Where the system can do it (Linux), a found socket is held open: who swaps a link or a folder afterwards changes nothing.
//!
//! Limits: [`SEARCHES_MAX`] paths at once are looked for. A file system that hangs holds up only those who ask for sockets, and at most as
//! many threads.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use crate::dial::{Phase, UNEXPECTED};
use crate::failure::Failure;

/// What fits into a socket's address. A grant may be longer, since it is a pattern.
pub(super) const PATH_BYTES_MAX: usize = 107;

const SEARCHES_MAX: usize = 16;
static SEARCHES: Semaphore = Semaphore::const_new(SEARCHES_MAX);

/// What is wrong with a path, and where. It has one spelling: absolute, without `.`, `..`, `//` and a slash at its end.
pub(super) fn flaw(path: &str) -> Option<(usize, &'static str)> {
    let Some(below) = path.strip_prefix('/') else { return Some((0, "is not absolute")) };
    let mut at = 1;
    for name in below.split('/') {
        match name {
            "" => return Some((at, "has a slash too many")),
            "." | ".." => return Some((at, "has a `.` or `..` in it")),
            _ => at += name.len() + 1,
        }
    }
    // A grant cannot have them, nor the line that a denial prints.
    let unfit = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, '"' | '\\');
    path.find(unfit).map(|at| (at, "has a blank, a quote, a backslash or a control character in it"))
}

/// What a path leads to.
#[derive(Debug)]
pub(super) struct Found {
    /// Without links. None where it is no text.
    pub(super) real: Option<String>,
    /// Where it is connected to.
    address: PathBuf,
    /// While it is open, `address` leads to nothing else.
    _held: Option<OwnedFd>,
}

/// Nothing is connected to yet. That all searches are taken is not the socket's fault: `phase` says so while one is waited for.
pub(super) async fn find(path: &str, phase: &mut Phase) -> Result<Found, Failure> {
    let unexpected = || Failure::Host(UNEXPECTED.to_owned());
    *phase = Phase::Own;
    let place = SEARCHES.acquire().await.map_err(|_| unexpected())?;
    *phase = Phase::Connect;
    let owned = path.to_owned();
    let search = tokio::task::spawn_blocking(move || {
        let _place = place;
        resolve(&owned)
    });
    search.await.map_err(|_| unexpected())?.map_err(|error| unconnected(path, &error))
}

#[cfg(target_os = "linux")]
fn resolve(path: &str) -> io::Result<Found> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{Mode, OFlags, open};

    let held = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let address = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    let real = std::fs::read_link(&address)?.into_os_string().into_string().ok();
    Ok(Found { real, address, _held: Some(held) })
}

#[cfg(not(target_os = "linux"))]
fn resolve(path: &str) -> io::Result<Found> {
    let address = std::fs::canonicalize(path)?;
    Ok(Found { real: address.to_str().map(str::to_owned), address, _held: None })
}

impl Found {
    /// Messages name `path`, as the guest does.
    pub(super) async fn connect(self, path: &str) -> Result<UnixStream, Failure> {
        UnixStream::connect(&self.address).await.map_err(|error| unconnected(path, &error))
    }
}

fn unconnected(path: &str, error: &io::Error) -> Failure {
    match error.kind() {
        // Also where the path is no socket.
        io::ErrorKind::ConnectionRefused => Failure::Refused(format!("`{path}` refused the connection")),
        io::ErrorKind::NotFound => Failure::Connect(format!("there is no `{path}`")),
        io::ErrorKind::WouldBlock => Failure::Connect(format!("no connection to `{path}`: its queue is full")),
        kind => Failure::Connect(format!("no connection to `{path}`: {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for path in ["/s", "/run/service.sock", "/run/..x/...", "/run/*/ab", "/run/é"] {
            assert_eq!(flaw(path), None, "{path}");
        }
        for (path, at) in [
            ("", 0),
            ("run/s", 0),
            ("/", 1),
            ("//s", 1),
            ("/run/", 5),
            ("/run//s", 5),
            ("/./s", 1),
            ("/run/..", 5),
            ("/a\"", 2),
            ("/a b", 2),
            ("/a\n", 2),
        ] {
            assert_eq!(flaw(path).map(|(at, _)| at), Some(at), "{path:?}");
        }
    }
}
