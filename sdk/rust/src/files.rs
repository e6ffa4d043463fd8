//! Files below the granted directories, by guest path, as far as `grants = { files = [...] }` allows. A link is never followed
//! out of its grant.

pub use crate::bindings::sickbay::plugin::files::{FileError, FileInfo, Space};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::files as wire;
#[cfg(not(target_family = "wasm"))]
use crate::testing::files as wire;

/// What one call of [`read`] answers at most.
pub const READ_BYTES_MAX: u32 = 1 << 20;

/// The failure kinds that a call may end with, by the mapping of errors.
pub const CALL_FAILURES: [&str; 2] = ["missing", "file-system"];

/// Of the name itself, not of what a link points to.
pub fn info(path: &str) -> Result<FileInfo, FileError> {
    wire::read_info(path)
}

/// By name, at most 1000 from the first name after `after`.
pub fn directory(path: &str, after: Option<&str>) -> Result<Vec<FileInfo>, FileError> {
    wire::read_directory(path, after)
}

/// By name, page after page. A directory with more than `entries_max` is refused: half of it would mislead.
pub fn whole_directory(path: &str, entries_max: usize) -> Result<Vec<FileInfo>, FileError> {
    let mut entries = directory(path, None)?;
    let mut page_len = entries.len();
    while page_len > 0 && entries.len() <= entries_max {
        let page = directory(path, entries.last().map(|entry| entry.name.as_str()))?;
        page_len = page.len();
        entries.extend(page);
    }
    if entries.len() > entries_max {
        return Err(FileError::Quota(format!("{path} has more than {entries_max} entries")));
    }
    Ok(entries)
}

/// At most [`READ_BYTES_MAX`]; empty at the end.
pub fn read(path: &str, offset: u64, bytes_max: u32) -> Result<Vec<u8>, FileError> {
    wire::read_bytes(path, offset, bytes_max)
}

/// Room on the file system that holds `path`.
pub fn space(path: &str) -> Result<Space, FileError> {
    wire::read_space(path)
}

/// Needs `mode = "rw"`.
pub fn create_directory(path: &str) -> Result<(), FileError> {
    wire::create_directory(path)
}

/// A file, a link, or an empty directory. Needs `mode = "rw"`.
pub fn remove(path: &str) -> Result<(), FileError> {
    wire::remove(path)
}

/// Permission bits only. Needs `mode = "rw"`.
pub fn set_mode(path: &str, mode: u32) -> Result<(), FileError> {
    wire::set_mode(path, mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn a_directory_is_read_by_name_and_one_that_is_too_long_is_refused() {
        let mut host = FakeHost::default().file("/logs/b", b"two", 0).file("/logs/a", b"one", 0).file("/other", b"", 0);
        let names = |entries: Vec<FileInfo>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(host.serve(|| whole_directory("/logs", 2)).map(names), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert!(matches!(host.serve(|| whole_directory("/logs", 1)), Err(FileError::Quota(_))));
    }

    #[test]
    fn bytes_are_read_from_an_offset_until_the_end() {
        let mut host = FakeHost::default().file("/a", b"hello", 0);
        assert_eq!(host.serve(|| read("/a", 3, 100)), Ok(b"lo".to_vec()));
        assert_eq!(host.serve(|| read("/a", 5, 100)), Ok(Vec::new()));
        assert!(matches!(host.serve(|| read("/b", 0, 1)), Err(FileError::NotFound(_))));
    }
}
