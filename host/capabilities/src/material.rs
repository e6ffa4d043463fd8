//! What is in the files of a source, certificates and keys, to see whether it is still the same.
//!
//! Limits: of each file the first [`FILE_BYTES_MAX`] count.
//!
//! Invariant: nothing of a file is kept but a digest.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

const FILE_BYTES_MAX: u64 = 1 << 20;

/// All of a source's files at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Material([u8; 32]);

impl Material {
    /// A file that cannot be read differs from an empty one.
    pub(crate) fn of<'source>(files: impl IntoIterator<Item = &'source Path>) -> Material {
        let mut digest = Sha256::new();
        for file in files {
            let content = of_one(file);
            digest.update([u8::from(content.is_ok())]);
            digest.update(content.unwrap_or_default());
        }
        Material(digest.finalize().into())
    }
}

fn of_one(file: &Path) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    io::copy(&mut File::open(file)?.take(FILE_BYTES_MAX), &mut digest)?;
    Ok(digest.finalize().into())
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
}
