//! Reading and changing what is in a granted folder, off the scheduler's threads and never waited for past the run's deadline.
//!
//! Invariant: a file system that hangs holds up only the plugin that asked for it, and at most [`PLACES_MAX`] threads of it; work that
//! nobody waits for any more ends at its next step.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Statx};
use rustix::io::Errno;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::policy::Place;
use super::walk::{Folder, Trouble, kind_of, kind_word, look, open_directory, open_file, own_path, split, trouble};
use crate::abandoned::{Abandoned, Waiting};
use crate::places::is_starved;
use crate::secrets::Placeholders;

/// Threads that one plugin may hold at once.
pub(super) const PLACES_MAX: usize = 4;
pub(super) const READ_BYTES_MAX: u32 = 1 << 20;
const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Names of one listing.
pub(super) const NAMES_MAX: usize = 1000;
/// Entries that are looked through for one listing.
pub(super) const ENTRIES_MAX: usize = 1_000_000;
/// What a listed name costs besides its own bytes.
const INFO_BYTES: u64 = 64;
const PERMISSION_BITS: u32 = 0o777;

/// The threads of all plugins.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// By plugin: as many as there are names in the configuration.
    places: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
}

fn still_wanted(abandoned: &Abandoned) -> Result<(), Trouble> {
    if abandoned.is_so() { Err(Trouble::Other("nobody waits for it any more".to_owned())) } else { Ok(()) }
}

impl Reader {
    pub(super) fn places_of(&self, plugin: &Arc<str>) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let of_plugin = places.entry(Arc::clone(plugin)).or_insert_with(|| Arc::new(Semaphore::new(PLACES_MAX)));
        Arc::clone(of_plugin)
    }

    /// The place is given back when the work is done, not when nobody waits for it any more. Who waited for one until too little time was
    /// left is told so, and not that the files are slow.
    pub(super) async fn run<T, W>(&self, plugin: &Arc<str>, deadline: Instant, work: W) -> Result<T, Trouble>
    where
        T: Send + 'static,
        W: FnOnce(&Abandoned) -> Result<T, Trouble> + Send + 'static,
    {
        let began = Instant::now();
        let whole = deadline.saturating_duration_since(began);
        let (place, waited) = match self.places_of(plugin).try_acquire_owned() {
            Ok(place) => (place, Duration::ZERO),
            Err(_) => match timeout_at(deadline, self.places_of(plugin).acquire_owned()).await {
                Ok(Ok(place)) => (place, began.elapsed()),
                Ok(Err(_)) => return Err(Trouble::Quota("the host is shutting down".to_owned())),
                Err(_) => return Err(crowded(plugin, whole, whole)),
            },
        };
        let (_waiting, abandoned) = Waiting::new();
        let working = tokio::task::spawn_blocking(move || {
            let _place = place;
            still_wanted(&abandoned)?;
            work(&abandoned)
        });
        match timeout_at(deadline, working).await {
            Ok(done) => done.unwrap_or_else(|_| Err(Trouble::Invalid("Sickbay's own reading ended unexpectedly".to_owned()))),
            Err(_) if is_starved(waited, whole) => Err(crowded(plugin, waited, whole)),
            Err(_) => Err(Trouble::Other("the files took longer than the run may (does a file system hang?)".to_owned())),
        }
    }
}

fn crowded(plugin: &str, waited: Duration, whole: Duration) -> Trouble {
    let (waited, whole) = (waited.as_millis(), whole.as_millis());
    Trouble::Quota(format!(
        "{waited} of {whole} ms went by while the call waited for one of the {PLACES_MAX} threads that read files for the plugin \
         `{plugin}`; hint: does a file system hang that another check reads? Checks in a second plugin have threads of their own"
    ))
}

/// One name and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) size_bytes: u64,
    pub(super) modified_ms: u64,
    pub(super) mode: u32,
    pub(super) writable: bool,
    pub(super) identity: String,
}

impl Info {
    /// What it counts as.
    pub(super) fn bytes(&self) -> u64 {
        INFO_BYTES + u64::try_from(self.name.len()).unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Space {
    pub(super) total_bytes: f64,
    pub(super) available_bytes: f64,
    pub(super) inodes_total: f64,
    pub(super) inodes_free: f64,
}

pub(super) fn read_info(place: &Place) -> Result<Info, Trouble> {
    let reached = Folder::find(place)?.reach(place, OFlags::NOFOLLOW)?;
    info_of(place.path.name().to_owned(), &reached).map_err(|errno| trouble(place, errno))
}

fn info_of(name: String, reached: &OwnedFd) -> Result<Info, Errno> {
    let seen = look(reached)?;
    let kind = kind_of(&seen);
    // A link has no permissions of its own, and what it leads to is not asked.
    let writable = kind != FileType::Symlink && rustix::fs::access(own_path(reached), rustix::fs::Access::WRITE_OK).is_ok();
    Ok(Info {
        name,
        kind: kind_word(kind),
        size_bytes: seen.stx_size,
        modified_ms: milliseconds(seen.stx_mtime.tv_sec, seen.stx_mtime.tv_nsec),
        mode: u32::from(seen.stx_mode) & 0o7777,
        writable,
        identity: identity(&seen),
    })
}

fn milliseconds(seconds: i64, nanoseconds: u32) -> u64 {
    let whole = u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
    whole.saturating_add(u64::from(nanoseconds / 1_000_000))
}

/// With the time of birth, where there is one: a number is given again as soon as its file is gone.
fn identity(seen: &Statx) -> String {
    let Statx { stx_dev_major: major, stx_dev_minor: minor, stx_ino: number, stx_btime: birth, .. } = seen;
    format!("{major:x}.{minor:x}.{number:x}.{:x}.{:x}", birth.tv_sec, birth.tv_nsec)
}

/// The first names after `after`, in the order of their bytes.
pub(super) fn read_directory(place: &Place, after: Option<&str>, abandoned: &Abandoned) -> Result<Vec<Info>, Trouble> {
    let reached = Folder::find(place)?.reach(place, OFlags::empty())?;
    let directory = open_directory(place, &reached)?;
    let names = first_names(place, &directory, after, abandoned)?;
    let mut found = Vec::with_capacity(names.len());
    for (shown, name) in names {
        still_wanted(abandoned)?;
        let info = rustix::fs::openat(&reached, &*name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .and_then(|entry| info_of(shown, &entry));
        match info {
            Ok(info) => found.push(info),
            // It went away since it was listed.
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(trouble(place, errno)),
        }
    }
    Ok(found)
}

/// By the name that is shown; never more than are wanted are held.
fn first_names(
    place: &Place,
    directory: &OwnedFd,
    after: Option<&str>,
    abandoned: &Abandoned,
) -> Result<BTreeMap<String, std::ffi::CString>, Trouble> {
    let mut names = BTreeMap::new();
    let entries = Dir::read_from(directory).map_err(|errno| trouble(place, errno))?;
    for (index, entry) in entries.enumerate() {
        if index >= ENTRIES_MAX {
            return Err(Trouble::Invalid(format!("`{}` has more than {ENTRIES_MAX} entries", place.path)));
        }
        still_wanted(abandoned)?;
        let entry = entry.map_err(|errno| trouble(place, errno))?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if matches!(&*shown, "." | "..") || after.is_some_and(|after| *shown <= *after) {
            continue;
        }
        names.insert(shown.into_owned(), name.to_owned());
        if names.len() > NAMES_MAX {
            names.pop_last();
        }
    }
    Ok(names)
}

/// With stars in place of the secrets of the run: as many bytes as they have, so that the offsets of what follows stay right.
pub(super) fn read_bytes(
    place: &Place,
    offset: u64,
    bytes_max: u32,
    secrets: &Placeholders,
    abandoned: &Abandoned,
) -> Result<Vec<u8>, Trouble> {
    let reached = Folder::find(place)?.reach(place, OFlags::empty())?;
    let file = open_file(place, &reached)?;
    let wanted = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let Some(reach) = secrets.reach() else { return read_at(place, &file, offset, wanted, abandoned) };
    // One that is only partly in what was asked for is known by what stands round it.
    let before = usize::try_from(offset).unwrap_or(usize::MAX).min(reach);
    let from = offset.saturating_sub(u64::try_from(before).unwrap_or(u64::MAX));
    let text = read_at(place, &file, from, before.saturating_add(wanted).saturating_add(reach), abandoned)?;
    Ok(secrets.star_out(text, before..before.saturating_add(wanted)))
}

/// As far as the file goes.
fn read_at(place: &Place, file: &File, offset: u64, wanted: usize, abandoned: &Abandoned) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let mut at = offset;
    // No file reaches beyond, and the system would call it an error.
    while bytes.len() < wanted && i64::try_from(at).is_ok() {
        still_wanted(abandoned)?;
        let filled = bytes.len();
        bytes.resize(wanted.min(filled + CHUNK_BYTES_MAX), 0);
        let read = match file.read_at(&mut bytes[filled..], at) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                bytes.truncate(filled);
                continue;
            }
            Err(error) => return Err(Trouble::Other(format!("`{}` cannot be read: {}", place.path, error.kind()))),
        };
        bytes.truncate(filled + read);
        if read == 0 {
            break;
        }
        at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(bytes)
}

pub(super) fn read_space(place: &Place) -> Result<Space, Trouble> {
    let reached = Folder::find(place)?.reach(place, OFlags::empty())?;
    let space = rustix::fs::fstatvfs(&reached).map_err(|errno| trouble(place, errno))?;
    let block = space.f_frsize as f64;
    Ok(Space {
        total_bytes: space.f_blocks as f64 * block,
        available_bytes: space.f_bavail as f64 * block,
        inodes_total: space.f_files as f64,
        inodes_free: space.f_ffree as f64,
    })
}

pub(super) fn create_directory(place: &Place) -> Result<(), Trouble> {
    let folder = Folder::find(place)?;
    let (parent, name) = folder.reach_parent(place)?;
    rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)).map_err(|errno| trouble(place, errno))
}

pub(super) fn remove(place: &Place) -> Result<(), Trouble> {
    let folder = Folder::find(place)?;
    let (parent, name) = folder.reach_parent(place)?;
    let removed = match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR),
        removed => removed,
    };
    removed.map_err(|errno| trouble(place, errno))
}

/// Of a file or a directory; nothing else has permissions that a guest should change.
pub(super) fn set_mode(place: &Place, mode: u32) -> Result<(), Trouble> {
    if mode & !PERMISSION_BITS != 0 {
        return Err(Trouble::Invalid(format!("0o{mode:o} is more than permission bits (0o777)")));
    }
    let (_, name) = split(place)?;
    let reached = Folder::find(place)?.reach(place, OFlags::empty())?;
    let kind = kind_of(&look(&reached).map_err(|errno| trouble(place, errno))?);
    if !matches!(kind, FileType::RegularFile | FileType::Directory) {
        return Err(Trouble::Invalid(format!("`{name}` is a {}; only files and directories get permissions", kind_word(kind))));
    }
    rustix::fs::chmod(own_path(&reached), Mode::from_raw_mode(mode)).map_err(|errno| trouble(place, errno))
}
