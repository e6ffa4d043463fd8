//! The contract's `files` on a run.

use sickbay_runtime::HostResult;

use super::client::{self, Info, READ_BYTES_MAX};
use super::policy::{Access, GuestPath, Place, authorise, leads_out, of_processes};
use super::walk::Trouble;
use crate::abandoned::Abandoned;
use crate::contract::files::{FileError, FileInfo, Host, Space};
use crate::denial::Capability;
use crate::lent::Lent;

impl Host for Lent {
    async fn read_info(&mut self, path: String) -> HostResult<Result<FileInfo, FileError>> {
        let info = self.on_files(&path, Access::Read, |place, _| client::read_info(place)).await;
        Ok(info.and_then(|info| self.received(info.bytes()).map(|()| info.into())))
    }

    async fn read_directory(&mut self, path: String, after: Option<String>) -> HostResult<Result<Vec<FileInfo>, FileError>> {
        let work = move |place: &Place, abandoned: &Abandoned| client::read_directory(place, after.as_deref(), abandoned);
        let infos = self.on_files(&path, Access::Read, work).await;
        Ok(infos.and_then(|infos| {
            self.received(infos.iter().map(Info::bytes).sum())?;
            Ok(infos.into_iter().map(FileInfo::from).collect())
        }))
    }

    async fn read_bytes(&mut self, path: String, offset: u64, bytes_max: u32) -> HostResult<Result<Vec<u8>, FileError>> {
        let secrets = self.secrets.clone();
        let work = move |place: &Place, abandoned: &Abandoned| {
            if bytes_max > READ_BYTES_MAX {
                return Err(Trouble::Invalid(format!("`bytes-max` is {bytes_max}, at most {READ_BYTES_MAX} are read")));
            }
            client::read_bytes(place, offset, bytes_max, &secrets, abandoned)
        };
        let bytes = self.on_files(&path, Access::Read, work).await;
        Ok(bytes.and_then(|bytes| self.received(u64::try_from(bytes.len()).unwrap_or(u64::MAX)).map(|()| bytes)))
    }

    async fn read_space(&mut self, path: String) -> HostResult<Result<Space, FileError>> {
        let space = self.on_files(&path, Access::Read, |place, _| client::read_space(place)).await;
        Ok(space.map(Space::from))
    }

    async fn create_directory(&mut self, path: String) -> HostResult<Result<(), FileError>> {
        Ok(self.on_files(&path, Access::Change, |place, _| client::create_directory(place)).await)
    }

    async fn remove(&mut self, path: String) -> HostResult<Result<(), FileError>> {
        Ok(self.on_files(&path, Access::Change, |place, _| client::remove(place)).await)
    }

    async fn set_mode(&mut self, path: String, mode: u32) -> HostResult<Result<(), FileError>> {
        Ok(self.on_files(&path, Access::Change, move |place, _| client::set_mode(place, mode)).await)
    }
}

impl Lent {
    /// Counts and authorises one call, and does it where it may block.
    async fn on_files<T, W>(&mut self, path: &str, access: Access, work: W) -> Result<T, FileError>
    where
        T: Send + 'static,
        W: FnOnce(&Place, &Abandoned) -> Result<T, Trouble> + Send + 'static,
    {
        self.meter.call(Capability::Files).map_err(|exceeded| FileError::Quota(exceeded.to_string()))?;
        let path = GuestPath::parse(path).map_err(FileError::Invalid)?;
        let place = match authorise(&self.grants.files, path, access) {
            Ok(place) => place,
            Err(denial) => return Err(FileError::Denied(self.deny(denial))),
        };
        let asked = place.clone();
        let done = self.services.files.run(&self.scope.plugin, self.scope.deadline, move |abandoned| work(&asked, abandoned)).await;
        done.map_err(|trouble| match trouble {
            Trouble::LeadsOut => FileError::Denied(self.deny(leads_out(&place))),
            Trouble::OfProcesses => FileError::Denied(self.deny(of_processes(&place))),
            Trouble::Invalid(message) => FileError::Invalid(message),
            Trouble::Quota(message) => FileError::Quota(message),
            Trouble::NotFound(message) => FileError::NotFound(message),
            Trouble::Refused(message) => FileError::Refused(message),
            Trouble::Other(message) => FileError::Other(message),
        })
    }

    fn received(&mut self, bytes: u64) -> Result<(), FileError> {
        self.meter.received(bytes).map_err(|exceeded| FileError::Quota(exceeded.to_string()))
    }
}

impl From<Info> for FileInfo {
    fn from(info: Info) -> FileInfo {
        FileInfo {
            name: info.name,
            kind: info.kind.to_owned(),
            size_bytes: info.size_bytes,
            modified_at: info.modified_ms,
            mode: info.mode,
            writable: info.writable,
            identity: info.identity,
        }
    }
}

impl From<client::Space> for Space {
    fn from(space: client::Space) -> Space {
        Space {
            total_bytes: space.total_bytes,
            available_bytes: space.available_bytes,
            inodes_total: space.inodes_total,
            inodes_free: space.inodes_free,
        }
    }
}
