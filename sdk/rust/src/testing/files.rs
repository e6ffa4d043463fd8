//! Files of the scripted host: a flat map of paths, in which directories are what the paths have in common.

use super::{HOST, expect_whole_lending};
use crate::files::{FileError, FileInfo, Space};

/// One file.
#[derive(Clone, Debug, PartialEq)]
pub struct FakeFile {
    pub info: FileInfo,
    pub bytes: Vec<u8>,
}

impl FakeFile {
    pub(crate) fn new(path: &str, bytes: &[u8], modified_at: u64) -> FakeFile {
        let (_, name) = path.rsplit_once('/').unwrap_or(("", path));
        let info = FileInfo {
            name: name.to_owned(),
            kind: "file".to_owned(),
            size_bytes: bytes.len() as u64,
            modified_at,
            mode: 0o644,
            writable: false,
            identity: path.to_owned(),
        };
        FakeFile { info, bytes: bytes.to_vec() }
    }
}

fn find<T>(path: &str, pick: impl FnOnce(&FakeFile) -> T) -> Result<T, FileError> {
    HOST.with(|host| host.borrow().files.get(path).map(pick)).ok_or_else(|| FileError::NotFound(format!("{path}: no such file")))
}

pub(crate) fn read_info(path: &str) -> Result<FileInfo, FileError> {
    find(path, |file| file.info.clone())
}

pub(crate) fn read_directory(path: &str, after: Option<&str>) -> Result<Vec<FileInfo>, FileError> {
    let start = format!("{}/", path.trim_end_matches('/'));
    let is_entry = |other: &str| other.strip_prefix(&start).is_some_and(|name| !name.is_empty() && !name.contains('/'));
    HOST.with(|host| {
        let host = host.borrow();
        let entries: Vec<FileInfo> = host.files.iter().filter(|(other, _)| is_entry(other)).map(|(_, file)| file.info.clone()).collect();
        if entries.is_empty() && !host.files.contains_key(path) {
            return Err(FileError::NotFound(format!("{path}: no such directory")));
        }
        Ok(entries.into_iter().filter(|entry| after.is_none_or(|after| entry.name.as_str() > after)).collect())
    })
}

pub(crate) fn read_bytes(path: &str, offset: u64, bytes_max: u32) -> Result<Vec<u8>, FileError> {
    find(path, |file| {
        let rest = usize::try_from(offset).ok().and_then(|offset| file.bytes.get(offset..)).unwrap_or_default();
        rest[..rest.len().min(bytes_max as usize)].to_vec()
    })
}

pub(crate) fn read_space(path: &str) -> Result<Space, FileError> {
    let space = HOST.with(|host| host.borrow().space.as_ref().cloned());
    space.ok_or_else(|| FileError::NotFound(format!("{path}: the test scripted no space")))
}

pub(crate) fn create_directory(path: &str) -> Result<(), FileError> {
    expect_whole_lending(path).map_err(FileError::Denied)?;
    HOST.with(|host| {
        let mut directory = FakeFile::new(path, b"", 0);
        directory.info.kind = "directory".to_owned();
        host.borrow_mut().files.insert(path.to_owned(), directory);
    });
    Ok(())
}

pub(crate) fn remove(path: &str) -> Result<(), FileError> {
    expect_whole_lending(path).map_err(FileError::Denied)?;
    let removed = HOST.with(|host| host.borrow_mut().files.remove(path));
    removed.map(drop).ok_or_else(|| FileError::NotFound(format!("{path}: no such file")))
}

pub(crate) fn set_mode(path: &str, mode: u32) -> Result<(), FileError> {
    expect_whole_lending(path).map_err(FileError::Denied)?;
    HOST.with(|host| match host.borrow_mut().files.get_mut(path) {
        Some(file) => {
            file.info.mode = mode;
            Ok(())
        }
        None => Err(FileError::NotFound(format!("{path}: no such file"))),
    })
}
