//! From a granted folder to what a path names in it, and what the kernel says when it does not get there.
//!
//! Invariant: every path of a guest is resolved by [`Folder::reach`], whose kernel call does not leave the folder; names are used only
//! relative to what it reached.
//! Invariant: what is reached is not opened (`O_PATH`): that has no effect on a device and waits for no FIFO. [`open_file`] and
//! [`open_directory`] open it after it was looked at, the very same one.
//! Invariant: nothing on a `proc` is reached, wherever one is mounted: the environment of this process stands there, with the URLs of its
//! sources.

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Access, AtFlags, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use super::policy::Place;
use crate::system::unescape;

/// The kernel gives up on a path when something else is renamed or mounted at the same time.
const TRIES_MAX: u32 = 8;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The way leads out of the granted folder.
    LeadsOut,
    /// It is on a `proc`.
    OfProcesses,
    /// Also a folder that is granted and cannot be entered, and what is wrong with the host itself: none of it is the files' fault.
    Invalid(String),
    /// A thread of Sickbay's own was waited for too long.
    Quota(String),
    NotFound(String),
    Refused(String),
    Other(String),
}

/// A granted folder, found by its path on the host.
pub(super) struct Folder {
    fd: OwnedFd,
}

impl Folder {
    pub(super) fn find(place: &Place) -> Result<Folder, Trouble> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(place.folder.as_path(), flags, Mode::empty()) {
            Ok(fd) => Ok(Folder { fd }),
            Err(errno) => Err(unentered(place, errno)),
        }
    }

    /// What stands at the place. A link at its end is followed unless `flags` has `NOFOLLOW`.
    pub(super) fn reach(&self, place: &Place, flags: OFlags) -> Result<OwnedFd, Trouble> {
        self.resolve(place, &place.below, flags)
    }

    /// The directory that a place's name stands in, and the name.
    pub(super) fn reach_parent<'p>(&self, place: &'p Place) -> Result<(OwnedFd, &'p str), Trouble> {
        let (parent, name) = split(place)?;
        Ok((self.resolve(place, parent, OFlags::DIRECTORY)?, name))
    }

    pub(super) fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Whether it is on a `proc`, or one is mounted below: who has the folder itself gets there too. What cannot be told counts as so.
    pub(super) fn shows_processes(&self) -> bool {
        match (is_of_processes(&self.fd), fs::read_link(own_path(&self.fd)), fs::read("/proc/self/mounts")) {
            (Ok(false), Ok(path), Ok(mounts)) => has_processes(&path, &String::from_utf8_lossy(&mounts)),
            _ => true,
        }
    }

    /// Finding it needs no permission of its own.
    fn may_be_entered(&self) -> bool {
        rustix::fs::access(own_path(&self.fd), Access::EXEC_OK).is_ok()
    }

    fn resolve(&self, place: &Place, below: &str, flags: OFlags) -> Result<OwnedFd, Trouble> {
        let below = if below.is_empty() { "." } else { below };
        let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let mut tries = 0;
        let reached = loop {
            match rustix::fs::openat2(&self.fd, below, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if tries < TRIES_MAX => tries += 1,
                Err(errno @ (Errno::ACCESS | Errno::PERM)) if !self.may_be_entered() => return Err(unentered(place, errno)),
                reached => break reached.map_err(|errno| trouble(place, errno))?,
            }
        };
        match is_of_processes(&reached) {
            Ok(false) => Ok(reached),
            Ok(true) => Err(Trouble::OfProcesses),
            Err(errno) => Err(trouble(place, errno)),
        }
    }
}

/// The granted folder is the configuration's: where it cannot be had, nothing is known of what should be in it. Only where the system fails
/// there is it told as the files' state.
fn unentered(place: &Place, errno: Errno) -> Trouble {
    let told = |why: &str| {
        let folder = &place.known_as;
        format!("on the host, what is granted as `{folder}` {why}; hint: mend `host` in this grant of `files`, or the folder")
    };
    match errno {
        Errno::NOENT => Trouble::Invalid(told("is not there")),
        Errno::NOTDIR => Trouble::Invalid(told("is no folder")),
        Errno::ACCESS | Errno::PERM => Trouble::Invalid(told("may not be entered by the user that Sickbay runs as")),
        _ => Trouble::Other(told("cannot be entered")),
    }
}

fn is_of_processes(reached: &OwnedFd) -> Result<bool, Errno> {
    Ok(rustix::fs::fstatfs(reached)?.f_type == PROC_SUPER_MAGIC)
}

/// Whether a `proc` is mounted at `folder` or below it, by the text of `/proc/self/mounts`.
fn has_processes(folder: &Path, mounts: &str) -> bool {
    mounts.lines().any(|line| {
        let mut fields = line.split(' ').skip(1);
        let (point, kind) = (fields.next().unwrap_or_default(), fields.next());
        kind == Some("proc") && Path::new(&unescape(point)).starts_with(folder)
    })
}

/// The directory of a place and its name there, both below the folder.
pub(super) fn split(place: &Place) -> Result<(&str, &str), Trouble> {
    let (parent, name) = place.below.rsplit_once('/').unwrap_or(("", place.below.as_str()));
    if name.is_empty() {
        return Err(Trouble::Invalid(format!("`{}` is the granted folder itself; hint: name what is in it", place.path)));
    }
    Ok((parent, name))
}

/// What is behind a descriptor that was reached.
pub(super) fn look(reached: &OwnedFd) -> Result<Statx, Errno> {
    rustix::fs::statx(reached, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS | StatxFlags::BTIME)
}

pub(super) fn kind_of(seen: &Statx) -> FileType {
    FileType::from_raw_mode(seen.stx_mode.into())
}

/// The words of the contract.
pub(super) fn kind_word(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "directory",
        FileType::Symlink => "link",
        FileType::Fifo => "fifo",
        FileType::Socket => "socket",
        FileType::CharacterDevice => "character-device",
        FileType::BlockDevice => "block-device",
        FileType::Unknown => "unknown",
    }
}

/// A regular file that was reached, for reading.
pub(super) fn open_file(place: &Place, reached: &OwnedFd) -> Result<File, Trouble> {
    let kind = kind_of(&look(reached).map_err(|errno| trouble(place, errno))?);
    if kind != FileType::RegularFile {
        return Err(Trouble::Invalid(format!("`{}` is a {}; only files are read", place.path, kind_word(kind))));
    }
    reopen(reached, OFlags::NONBLOCK | OFlags::NOCTTY).map(File::from).map_err(|errno| trouble(place, errno))
}

/// A directory that was reached, for reading its names.
pub(super) fn open_directory(place: &Place, reached: &OwnedFd) -> Result<OwnedFd, Trouble> {
    let kind = kind_of(&look(reached).map_err(|errno| trouble(place, errno))?);
    if kind != FileType::Directory {
        return Err(Trouble::Invalid(format!("`{}` is a {}; only directories are listed", place.path, kind_word(kind))));
    }
    reopen(reached, OFlags::DIRECTORY).map_err(|errno| trouble(place, errno))
}

fn reopen(reached: &OwnedFd, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(own_path(reached), flags | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// The name that this process has for what was reached, whatever became of the path to it.
pub(super) fn own_path(reached: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", reached.as_fd().as_raw_fd())
}

/// What the system said, in the contract's arms.
pub(super) fn trouble(place: &Place, errno: Errno) -> Trouble {
    let path = &place.path;
    match errno {
        Errno::XDEV => Trouble::LeadsOut,
        Errno::NOENT => Trouble::NotFound(format!("there is no `{path}`")),
        Errno::NOTDIR => Trouble::NotFound(format!("there is no `{path}`: a part of it is no directory")),
        // The granted folder itself.
        Errno::ACCESS | Errno::PERM if place.below.is_empty() => unentered(place, errno),
        Errno::ACCESS | Errno::PERM => {
            Trouble::Refused(format!("`{path}` is closed to the user that Sickbay runs as; hint: see its permissions and those above it"))
        }
        Errno::ROFS => Trouble::Refused(format!("the file system of `{path}` is mounted read-only")),
        Errno::BUSY => Trouble::Refused(format!("`{path}` is in use, for example as a mount")),
        Errno::LOOP => Trouble::Refused(format!("`{path}` has links that lead in a circle, or one of those of `/proc`")),
        Errno::NAMETOOLONG => Trouble::Invalid(format!("a name in `{path}` is too long for its file system")),
        Errno::EXIST => Trouble::Other(format!("`{path}` is there already")),
        Errno::NOTEMPTY => Trouble::Other(format!("the directory `{path}` is not empty")),
        Errno::NOSYS => Trouble::Other("the host's kernel cannot keep paths inside a folder; hint: Linux 5.6 or newer".to_owned()),
        Errno::AGAIN => Trouble::Other(format!("the way to `{path}` changed all the time")),
        other => Trouble::Other(format!("`{path}` cannot be used: {}", std::io::Error::from(other).kind())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_of_proc_counts_at_a_folder_and_below_it() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\nproc /proc proc rw 0 0\nsys /sys sysfs rw 0 0\nnone /srv/a\\040b/proc proc ro 0 0\n";
        for (folder, has) in [
            ("/", true),
            ("/proc", true),
            ("/srv", true),
            ("/srv/a b", true),
            ("/srv/a", false),
            ("/sys", false),
            ("/pro", false),
            ("/proc/self", false),
        ] {
            assert_eq!(has_processes(Path::new(folder), mounts), has, "{folder}");
        }
    }
}
