//! Files below the folders that a check was granted, by guest path.
//!
//! Grants: a folder of the host, the path that guests know it by, and whether they may change it (see [`Grant`]). `policy.rs` finds the
//! grant of a path, `walk.rs` goes from its folder to the file, `client.rs` reads and changes it off the scheduler's threads.
//!
//! How: the kernel resolves each path below its folder (`openat2`), so that `..`, links, renames in between and the links of `/proc`
//! end at the folder, never outside. What is found is looked at before it is opened: only regular files and directories ever are, never a
//! FIFO, a device or a socket. Nothing on a `proc` is, wherever it is mounted: the environment of Sickbay itself stands there, with the URLs
//! of its sources. (`sysfs` is: it shows devices, and no process.) In what is read, secrets that the check's `config` names are stars.
//!
//! Limits: 1 MiB for each read, 1000 names for each listing of a directory with at most [`client::ENTRIES_MAX`] entries; what is read and
//! listed counts as `bytes_in`. Absolute links are refused, also those that point into the folder. Names that are not UTF-8 are shown with
//! U+FFFD in place of what is wrong and cannot be asked for. Needs Linux 5.6 and `/proc`.
//!
//! Guests that use WASI's own files get the same folders ([`folders`]).

mod client;
pub(crate) mod folders;
mod grant;
mod host;
mod policy;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use client::Reader;
pub use grant::{Grant, Part};
pub use policy::foretell;
