//! Capabilities of the contract that this version does not lend.
//!
//! They are answered all the same: guests in Python and JavaScript import every interface of their world, and must load.
//!
//! Invariant: no call here has an effect; each is counted as a call and as a denial.

use sickbay_runtime::HostResult;

use crate::contract::files::{FileError, FileInfo, Space};
use crate::contract::{files, types};
use crate::denial::{Capability, Denial, DenialReason};
use crate::lent::Lent;
use crate::meter::Exceeded;

impl Lent {
    /// The denial of a call to a capability that is not lent, unless the run has no calls left.
    fn not_lent(&mut self, capability: Capability) -> Result<types::Denial, Exceeded> {
        self.meter.call()?;
        let name = capability.as_str();
        Ok(self.deny(Denial {
            capability,
            reason: DenialReason::Unsupported,
            message: format!("this version of Sickbay does not lend `{name}` yet"),
            hint: format!(
                "no grant opens `{name}` in this version; use a plugin that needs only `http`, `net`, `postgres`, `redis`, `secrets` and `system`"
            ),
        }))
    }
}

/// The answer in the interface's own error type: `denied` or `quota`.
macro_rules! refuse {
    ($lent:expr, $capability:ident, $error:ident) => {
        Ok(Err(match $lent.not_lent(Capability::$capability) {
            Ok(denial) => $error::Denied(denial),
            Err(exceeded) => $error::Quota(exceeded.to_string()),
        }))
    };
}

impl files::Host for Lent {
    async fn read_info(&mut self, _path: String) -> HostResult<Result<FileInfo, FileError>> {
        refuse!(self, Files, FileError)
    }

    async fn read_directory(&mut self, _path: String, _after: Option<String>) -> HostResult<Result<Vec<FileInfo>, FileError>> {
        refuse!(self, Files, FileError)
    }

    async fn read_bytes(&mut self, _path: String, _offset: u64, _bytes_max: u32) -> HostResult<Result<Vec<u8>, FileError>> {
        refuse!(self, Files, FileError)
    }

    async fn read_space(&mut self, _path: String) -> HostResult<Result<Space, FileError>> {
        refuse!(self, Files, FileError)
    }

    async fn create_directory(&mut self, _path: String) -> HostResult<Result<(), FileError>> {
        refuse!(self, Files, FileError)
    }

    async fn remove(&mut self, _path: String) -> HostResult<Result<(), FileError>> {
        refuse!(self, Files, FileError)
    }

    async fn set_mode(&mut self, _path: String, _mode: u32) -> HostResult<Result<(), FileError>> {
        refuse!(self, Files, FileError)
    }
}
