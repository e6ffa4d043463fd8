//! What is in the files of a source, certificates and keys, to see whether it is still the same.
//!
//! Limits: a file that has more than [`PEM_BYTES_MAX`] is as one that cannot be read.
//!
//! Invariant: nothing of a file is kept but a digest.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::pem::PEM_BYTES_MAX;
use crate::small_file;

/// All of a source's files at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Material([u8; 32]);

impl Material {
    /// A file that cannot be read differs from an empty one.
    pub(crate) fn of<'source>(files: impl IntoIterator<Item = &'source Path>) -> Material {
        let mut digest = Sha256::new();
        for file in files {
            let content = small_file::read(file, PEM_BYTES_MAX);
            digest.update([u8::from(content.is_ok())]);
            digest.update(Sha256::digest(content.unwrap_or_default()));
        }
        Material(digest.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_written_anew_is_told_from_what_is_touched() {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert, key) = (folder.path().join("cert"), folder.path().join("key"));
        let now = || Material::of([cert.as_path(), key.as_path()]);
        let absent = now();
        fs::write(&cert, "").expect("written");
        fs::write(&key, "one").expect("written");
        let first = now();
        assert_ne!(absent, first);
        fs::write(&key, "one").expect("written");
        assert_eq!(now(), first);
        fs::write(&key, "two").expect("written");
        assert_ne!(now(), first);
        fs::rename(&key, &cert).expect("renamed");
        fs::write(&key, "").expect("written");
        assert_ne!(now(), Material::of([key.as_path(), cert.as_path()]));
    }

    #[test]
    fn a_pipe_or_an_endless_file_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pipe, absent) = (folder.path().join("pipe"), folder.path().join("absent"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("a pipe");
        let unreadable = Material::of([absent.as_path()]);
        assert_eq!(Material::of([pipe.as_path()]), unreadable);
        assert_eq!(Material::of([Path::new("/dev/zero")]), unreadable);
    }
}
