//! The file of a database: one Sickbay at a time has it, and it is looked at whether it is still there.
//!
//! The claim is a lock on an empty file beside the database, `FILE.lock`, which stays. The system lets go of the lock when the process
//! ends, however it ends. A file that was removed or replaced would go on taking writes, and all of them would be gone with the process:
//! device and inode tell whether the path still names the file that is open.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::StoreError;

/// How long a look at the path counts.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct DatabaseFile {
    path: PathBuf,
    identity: Identity,
    look: Mutex<Look>,
    /// None once released.
    lock: Mutex<Option<File>>,
}

/// Device and inode.
type Identity = (u64, u64);

struct Look {
    at: Instant,
    there: bool,
}

impl DatabaseFile {
    /// Claims a database that was opened just now; the error says where another process has it.
    pub(super) fn claim(path: &Path, database: &str) -> Result<DatabaseFile, StoreError> {
        let failed = |error: io::Error| StoreError::failed("opening", database, sqlx::Error::Io(error));
        // By its own name: a link to it must find the same lock.
        let path = fs::canonicalize(path).map_err(failed)?;
        let mut beside = path.clone().into_os_string();
        beside.push(".lock");
        let lock = File::options().write(true).create(true).truncate(false).open(beside).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse { database: database.to_owned() },
            TryLockError::Error(error) => failed(error),
        })?;
        let identity = identity(&path).map_err(failed)?;
        let look = Look { at: Instant::now(), there: true };
        Ok(DatabaseFile { path, identity, look: Mutex::new(look), lock: Mutex::new(Some(lock)) })
    }

    /// Whether the path still names the file that is open, as far as the last look tells; looks anew where that is too long ago.
    pub(super) fn is_there(&self, now: Instant) -> bool {
        let mut look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(look.at) >= LOOK_INTERVAL {
            *look = Look { at: now, there: self.found() };
        }
        look.there
    }

    /// The same, looked at now.
    pub(super) fn is_there_now(&self, now: Instant) -> bool {
        let there = self.found();
        *self.look.lock().unwrap_or_else(PoisonError::into_inner) = Look { at: now, there };
        there
    }

    fn found(&self) -> bool {
        match identity(&self.path) {
            Ok(identity) => identity == self.identity,
            // Whether a file that cannot be looked at can be written, the database itself will say.
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }

    /// Another process may have it now.
    pub(super) fn release(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Not by closing alone: a child process that is being started this moment has it open too.
        if let Some(Err(error)) = lock.map(|lock| lock.unlock()) {
            tracing::debug!(%error, "the lock of the database was not given back");
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_goes_away_and_comes_back_is_seen_by_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("sickbay.db"), folder.path().join("aside.db"));
        fs::write(&path, "first").unwrap();
        let file = DatabaseFile::claim(&path, "the database").unwrap();
        let mut now = Instant::now();
        let mut next_look = || {
            now += LOOK_INTERVAL;
            file.is_there(now)
        };
        assert!(next_look());

        fs::rename(&path, &aside).unwrap();
        assert!(!next_look(), "it was removed");
        fs::write(&path, "second").unwrap();
        assert!(!next_look(), "it was replaced");
        fs::rename(&aside, &path).unwrap();
        assert!(next_look(), "it is back");
    }

    #[test]
    fn a_look_counts_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sickbay.db");
        fs::write(&path, "").unwrap();
        let file = DatabaseFile::claim(&path, "the database").unwrap();
        let now = Instant::now() + LOOK_INTERVAL;
        assert!(file.is_there(now));
        fs::remove_file(&path).unwrap();
        assert!(file.is_there(now + LOOK_INTERVAL / 2));
        assert!(!file.is_there(now + LOOK_INTERVAL));
    }
}
