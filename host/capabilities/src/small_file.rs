//! Files that the configuration names, read whole: never waited for, and no more of one than fits.
//!
//! A path may lead to a pipe that nobody writes to, or to a device without an end. What is read is a regular file.
//!
//! Limits: the caller's, a number of bytes.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("there is no such file")]
    Missing,
    #[error("it may not be read")]
    Forbidden,
    #[error("it is a folder")]
    Folder,
    #[error("it is a pipe, a socket or a device")]
    NoFile,
    #[error("it has more than {bytes_max} bytes")]
    TooLarge { bytes_max: u64 },
    #[error("{error}")]
    Failed { error: io::Error },
}

/// All of a file that has at most `bytes_max` bytes.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Unreadable> {
    // Opening a pipe that nobody writes to would wait for ever, and a terminal would become this process's own.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if found.is_dir() {
        return Err(Unreadable::Folder);
    }
    if !found.is_file() {
        return Err(Unreadable::NoFile);
    }
    let mut content = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > bytes_max { Err(Unreadable::TooLarge { bytes_max }) } else { Ok(content) }
}

fn unreadable(error: io::Error) -> Unreadable {
    match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        io::ErrorKind::PermissionDenied => Unreadable::Forbidden,
        // What opening a socket answers.
        _ if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Unreadable::NoFile,
        _ => Unreadable::Failed { error },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_beyond() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        fs::write(&file, "four").expect("written");
        assert_eq!(read(&file, 4).expect("it fits"), b"four");
        assert!(matches!(read(&file, 3), Err(Unreadable::TooLarge { bytes_max: 3 })));
        fs::write(&file, "").expect("written");
        assert_eq!(read(&file, 0).expect("it fits"), b"");
    }

    #[test]
    fn what_is_no_file_is_refused_and_never_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).expect("a pipe");
        let _listener = UnixListener::bind(path("socket")).expect("a socket");
        symlink(path("pipe"), path("link")).expect("a link");
        symlink(path("circle"), path("circle")).expect("a link");
        for no_file in [path("pipe"), path("socket"), path("link"), "/dev/zero".into(), "/dev/null".into()] {
            let outcome = read(&no_file, 1 << 20);
            assert!(matches!(outcome, Err(Unreadable::NoFile)), "{}: {outcome:?}", no_file.display());
        }
        assert!(matches!(read(folder.path(), 1), Err(Unreadable::Folder)));
        assert!(matches!(read(&path("none"), 1), Err(Unreadable::Missing)));
        assert!(matches!(read(&path("circle"), 1), Err(Unreadable::Failed { .. })));
    }
}
