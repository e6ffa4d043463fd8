//! What a grant of `files` looks like, and what is wrong with one.
//!
//! ```text
//! { host = "/var/backups", guest = "/backups", mode = "ro" }
//! ```
//! - `host` is a folder of this machine, not of `/proc`. It need not be there yet: a call then says so.
//! - `guest` is an absolute path, by which guests know it.
//! - `mode` is `ro` or `rw`.

use std::path::{Path, PathBuf};

use super::policy::GuestPath;
use crate::grants::GrantError;

const HOST_BYTES_MAX: usize = 4096;

/// One folder of `grants.files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) host: PathBuf,
    pub(super) guest: GuestPath,
    pub(super) mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    ReadOnly,
    ReadWrite,
}

/// What of a grant an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Host,
    Guest,
    Mode,
}

impl Grant {
    /// `host` is absolute already.
    pub fn new(host: &Path, guest: &str, mode: &str) -> Result<Grant, (Part, GrantError)> {
        let bytes = host.as_os_str().as_encoded_bytes();
        if !host.is_absolute() || bytes.len() > HOST_BYTES_MAX || bytes.contains(&0) {
            let why = "exactly one folder is lent, with all that is below it";
            let hint = "write the folder's path, for example: host = \"/var/backups\"";
            return Err((Part::Host, error("it is no path of a folder", why, hint)));
        }
        if host.starts_with("/proc") {
            let why = "the credentials of Sickbay itself stand there";
            return Err((Part::Host, error("nothing of `/proc` is lent", why, "the machine is granted by topic: system = [\"load\"]")));
        }
        let guest = GuestPath::parse(guest).map_err(|flaw| {
            let why = "a plugin knows a folder by one absolute path, and paths are compared as they are written";
            (Part::Guest, error(&flaw, why, "for example: guest = \"/backups\""))
        })?;
        let mode = match mode {
            "ro" => Mode::ReadOnly,
            "rw" => Mode::ReadWrite,
            other => {
                let message = format!("`{}` is no mode", other.escape_debug());
                let why = "to read is not to change, and a word that is guessed at could allow too much";
                return Err((Part::Mode, error(&message, why, "write \"ro\" (read) or \"rw\" (read and change)")));
            }
        };
        Ok(Grant { host: host.to_path_buf(), guest, mode })
    }

    /// Guests that use WASI's own files are not shown it: `/proc` is below it.
    pub fn is_whole_machine(&self) -> bool {
        self.host.parent().is_none()
    }

    /// Whether guests would know both by one path.
    pub fn is_known_as(&self, other: &Grant) -> bool {
        self.guest == other.guest
    }
}

fn error(message: &str, reason: &'static str, hint: &str) -> GrantError {
    GrantError { message: message.to_owned(), reason, hint: hint.to_owned(), offset: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(host: &str, guest: &str, mode: &str) -> Result<Grant, (Part, GrantError)> {
        Grant::new(Path::new(host), guest, mode)
    }

    #[test]
    fn the_whole_machine_and_what_is_named_like_proc_are_granted() {
        let is_whole = |host: &str| grant(host, "/data", "ro").expect("a grant").is_whole_machine();
        assert_eq!([is_whole("/"), is_whole("//"), is_whole("/procession"), is_whole("/srv/proc")], [true, true, false, false]);
    }

    #[test]
    fn two_spellings_of_a_guest_path_are_one() {
        let plain = grant("/var/backups", "/backups", "ro").expect("a grant");
        let other = grant("/srv", "//backups/./", "rw").expect("a grant");
        assert!(plain.is_known_as(&other));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_part() {
        for (host, guest, mode, part) in [
            ("backups", "/backups", "ro", Part::Host),
            ("", "/backups", "ro", Part::Host),
            ("/var/\0", "/backups", "ro", Part::Host),
            ("/proc", "/backups", "ro", Part::Host),
            ("//proc/./self/", "/backups", "ro", Part::Host),
            ("/var/backups", "backups", "ro", Part::Guest),
            ("/var/backups", "", "ro", Part::Guest),
            ("/var/backups", "/a/../b", "ro", Part::Guest),
            ("/var/backups", "/a\nb", "ro", Part::Guest),
            ("/var/backups", "/backups", "", Part::Mode),
            ("/var/backups", "/backups", "RO", Part::Mode),
            ("/var/backups", "/backups", "wo", Part::Mode),
        ] {
            let (found, error) = grant(host, guest, mode).expect_err("wrong");
            assert_eq!(found, part, "{error}");
        }
    }
}
