//! Where secrets come from: the environment or a file, read when a run needs them and kept while they do not change.
//!
//! A file is looked at when a run opens its secret, at most once a second, and read again when it is another one (by its device, number,
//! size and times). What a `config` names stays the same until the run ends. Where a file is gone, cannot be read, or holds no secret,
//! the run does not begin: the value that it had is not used any more, for it may have been taken away with intent.
//!
//! While a secret is being rotated, `previous` names what it was, and `sign` gives a signature by each. It need not be there.
//!
//! Limits: a change that leaves all times and the size as they are is seen a second later or not at all; a file that is written in place
//! may be read half written, so rename a new one over it. The environment is read once.
//!
//! Invariant: no error shows a part of a secret; a file system that hangs takes at most [`READS_MAX`] threads.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::placeholder::{DrawError, Placeholders};
use super::template::Template;
use super::value::{VALUE_BYTES_MAX, VALUE_BYTES_MIN, Value};
use crate::services::Services;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Files read at once.
const READS_MAX: usize = 4;
const READ_TIME_MAX: Duration = Duration::from_secs(5);

/// One `[secrets.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretSettings {
    pub current: Origin,
    /// While it is being rotated.
    pub previous: Option<Origin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The name of a variable.
    Env(String),
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Env(variable) => write!(formatter, "the environment variable `{variable}`"),
            Origin::File(path) => write!(formatter, "the file `{}`", path.display()),
        }
    }
}

/// A secret that cannot be used now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    pub name: String,
    pub origin: Origin,
    flaw: Flaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    Missing,
    NotAFile,
    Refused(io::ErrorKind),
    Empty,
    TooShort,
    TooLong,
    TooSlow,
}

impl fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unusable { name, origin, flaw } = self;
        write!(formatter, "the secret `{name}` cannot be used: {origin} ")?;
        match (flaw, origin) {
            (Flaw::Missing, Origin::Env(_)) => formatter.write_str("is not set; hint: set it where Sickbay is started, and start it again"),
            (Flaw::Missing, Origin::File(_)) => write!(formatter, "is not there; hint: put it there, or mend `file` in `[secrets.{name}]`"),
            (Flaw::NotAFile, _) => formatter.write_str("is no regular file; hint: name a file that holds nothing but the secret"),
            (Flaw::Refused(kind), _) => write!(formatter, "cannot be read ({kind}); hint: let Sickbay's user read it"),
            (Flaw::Empty, _) => formatter.write_str("is empty; hint: write the secret into it"),
            (Flaw::TooShort, _) => {
                write!(formatter, "has less than {VALUE_BYTES_MIN} bytes, which cannot be masked in answers; hint: use a longer secret")
            }
            (Flaw::TooLong, _) => write!(formatter, "has more than {VALUE_BYTES_MAX} bytes; hint: a secret is a password, token or key"),
            (Flaw::TooSlow, _) => formatter.write_str("was not read in time; hint: does its file system hang?"),
        }
    }
}

impl std::error::Error for Unusable {}

/// A secret as it was at one time.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) value: Arc<Value>,
    /// Milliseconds since 1970, of a file.
    pub(super) changed_at_ms: Option<u64>,
}

/// All versions of a secret that are in use.
pub(super) struct Versions {
    pub(super) newest: Version,
    pub(super) previous: Option<Version>,
}

impl Versions {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Version> {
        std::iter::once(&self.newest).chain(&self.previous)
    }
}

/// All secrets of the configuration, by name. To make one reads nothing.
pub struct Vault {
    secrets: BTreeMap<String, Secret>,
    reads: Arc<Semaphore>,
}

struct Secret {
    current: Slot,
    previous: Option<Slot>,
}

struct Slot {
    origin: Origin,
    seen: Mutex<Option<Seen>>,
}

/// What was found when someone looked last.
#[derive(Clone)]
struct Seen {
    at: Instant,
    file: Option<Stamp>,
    /// The same file was found by two looks: a change after the first one within the clock's grain is not missed.
    is_settled: bool,
    outcome: Result<Version, Flaw>,
}

/// Tells one content of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    number: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Stamp {
        Stamp {
            device: file.dev(),
            number: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }

    fn modified_ms(&self) -> u64 {
        let (seconds, nanoseconds) = self.modified;
        u64::try_from(seconds.saturating_mul(1000).saturating_add(nanoseconds / 1_000_000)).unwrap_or(0)
    }
}

/// No secrets.
impl Default for Vault {
    fn default() -> Vault {
        Vault::new(&BTreeMap::new())
    }
}

impl Vault {
    pub fn new(settings: &BTreeMap<String, SecretSettings>) -> Vault {
        let slot = |origin: &Origin| Slot { origin: origin.clone(), seen: Mutex::default() };
        let secret =
            |settings: &SecretSettings| Secret { current: slot(&settings.current), previous: settings.previous.as_ref().map(slot) };
        let secrets = settings.iter().map(|(name, settings)| (name.clone(), secret(settings))).collect();
        Vault { secrets, reads: Arc::new(Semaphore::new(READS_MAX)) }
    }

    /// None for a secret that does not exist.
    pub(super) async fn open(&self, name: &str, now: Instant, deadline: Instant) -> Result<Option<Versions>, Unusable> {
        let Some(secret) = self.secrets.get(name) else { return Ok(None) };
        let unusable = |slot: &Slot, flaw| Unusable { name: name.to_owned(), origin: slot.origin.clone(), flaw };
        let newest = self.read(&secret.current, now, deadline).await.map_err(|flaw| unusable(&secret.current, flaw))?;
        let previous = match &secret.previous {
            None => None,
            Some(slot) => match self.read(slot, now, deadline).await {
                Ok(version) => Some(version),
                Err(Flaw::Missing) => None,
                Err(flaw) => return Err(unusable(slot, flaw)),
            },
        };
        Ok(Some(Versions { newest, previous }))
    }

    /// The values of all secrets that can be had by `deadline`, all versions of them: for what comes from outside a run. Each stands for its
    /// name.
    pub async fn known(&self, deadline: Instant) -> Placeholders {
        let mut known = Placeholders::default();
        for (name, secret) in &self.secrets {
            for slot in std::iter::once(&secret.current).chain(&secret.previous) {
                // Whoever uses one that cannot be read is told so.
                let Ok(version) = self.read(slot, Instant::now(), deadline).await else { continue };
                if known.hold(version.value, name).is_err() {
                    return known;
                }
            }
        }
        known
    }

    async fn read(&self, slot: &Slot, now: Instant, deadline: Instant) -> Result<Version, Flaw> {
        let known = slot.seen().clone();
        let (path, known) = match (&slot.origin, known) {
            (_, Some(known)) if now.saturating_duration_since(known.at) < LOOK_EVERY => return known.outcome,
            (Origin::Env(_), Some(known)) => return known.outcome,
            (Origin::Env(variable), None) => {
                let outcome = read_variable(variable);
                *slot.seen() = Some(Seen { at: now, file: None, is_settled: true, outcome: outcome.clone() });
                return outcome;
            }
            (Origin::File(path), known) => (path.clone(), known),
        };
        let seen = self.look(path, known, now, deadline).await?;
        let outcome = seen.outcome.clone();
        *slot.seen() = Some(seen);
        outcome
    }

    /// The place is given back when the file is read, not when nobody waits for it any more.
    async fn look(&self, path: PathBuf, known: Option<Seen>, now: Instant, deadline: Instant) -> Result<Seen, Flaw> {
        let reading = async {
            let place = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| Flaw::TooSlow)?;
            let work = tokio::task::spawn_blocking(move || {
                let _place = place;
                look(&path, known, now)
            });
            work.await.map_err(|_| Flaw::TooSlow)
        };
        let deadline = Instant::now().checked_add(READ_TIME_MAX).map_or(deadline, |own| own.min(deadline));
        timeout_at(deadline, reading).await.unwrap_or(Err(Flaw::TooSlow))
    }
}

impl Slot {
    fn seen(&self) -> MutexGuard<'_, Option<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that cannot be used at this moment, each read once: for whoever checks a configuration. Blocks while it reads.
pub fn unusable(settings: &BTreeMap<String, SecretSettings>) -> Vec<Unusable> {
    let read = |origin: &Origin| match origin {
        Origin::Env(variable) => read_variable(variable),
        Origin::File(path) => regular(path).and_then(|_| read_file(path)).map(|(_, version)| version),
    };
    let mut unusable = Vec::new();
    for (name, settings) in settings {
        let current = read(&settings.current).err().map(|flaw| (&settings.current, flaw));
        let previous = settings.previous.as_ref().and_then(|origin| read(origin).err().map(|flaw| (origin, flaw)));
        let previous = previous.filter(|(_, flaw)| *flaw != Flaw::Missing);
        let told = |(origin, flaw): (&Origin, Flaw)| Unusable { name: name.clone(), origin: origin.clone(), flaw };
        unusable.extend(current.into_iter().chain(previous).map(told));
    }
    unusable
}

fn read_variable(variable: &str) -> Result<Version, Flaw> {
    let bytes = env::var_os(variable).map(OsString::into_vec).ok_or(Flaw::Missing)?;
    Ok(Version { value: to_value(Zeroizing::new(bytes))?, changed_at_ms: None })
}

/// What is there now; what is known already where the file is still the same.
fn look(path: &Path, known: Option<Seen>, now: Instant) -> Seen {
    let failed = |flaw| Seen { at: now, file: None, is_settled: false, outcome: Err(flaw) };
    let stamp = match regular(path) {
        Ok(stamp) => stamp,
        Err(flaw) => return failed(flaw),
    };
    let known = known.filter(|known| known.file == Some(stamp));
    if let Some(known) = known.as_ref().filter(|known| known.is_settled) {
        return Seen { at: now, ..known.clone() };
    }
    match read_file(path) {
        Ok((read, version)) => {
            let known = known.filter(|known| known.file == Some(read));
            // What its spellings are is not worked out again for the same bytes.
            let same =
                known.as_ref().and_then(|known| known.outcome.as_ref().ok()).filter(|known| known.value.bytes() == version.value.bytes());
            let version = same.cloned().unwrap_or(version);
            Seen { at: now, file: Some(read), is_settled: known.is_some(), outcome: Ok(version) }
        }
        Err(flaw) => failed(flaw),
    }
}

/// Before it is opened: to open a pipe waits for whoever writes into it.
fn regular(path: &Path) -> Result<Stamp, Flaw> {
    let file = fs::metadata(path).map_err(|error| flaw(&error))?;
    if file.is_file() { Ok(Stamp::of(&file)) } else { Err(Flaw::NotAFile) }
}

fn read_file(path: &Path) -> Result<(Stamp, Version), Flaw> {
    /// A line break at the end, and one byte more than fits.
    const SPARE_BYTES: usize = 3;
    let file = File::open(path).map_err(|error| flaw(&error))?;
    let stamp = Stamp::of(&file.metadata().map_err(|error| flaw(&error))?);
    let bytes_max = VALUE_BYTES_MAX + SPARE_BYTES;
    // Larger than what is read: it never grows, and leaves no copy of a secret behind.
    let mut bytes = Zeroizing::new(Vec::<u8>::with_capacity(2 * bytes_max));
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| flaw(&error))?;
    let trimmed = bytes.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line)).unwrap_or(&bytes);
    let value = to_value(Zeroizing::new(trimmed.to_vec()))?;
    Ok((stamp, Version { value, changed_at_ms: Some(stamp.modified_ms()) }))
}

fn flaw(error: &io::Error) -> Flaw {
    match error.kind() {
        io::ErrorKind::NotFound => Flaw::Missing,
        kind => Flaw::Refused(kind),
    }
}

fn to_value(bytes: Zeroizing<Vec<u8>>) -> Result<Arc<Value>, Flaw> {
    match bytes.len() {
        0 => Err(Flaw::Empty),
        1..VALUE_BYTES_MIN => Err(Flaw::TooShort),
        VALUE_BYTES_MIN..=VALUE_BYTES_MAX => Ok(Arc::new(Value::new(bytes))),
        _ => Err(Flaw::TooLong),
    }
}

/// The secrets of one run, opened for it.
#[derive(Debug)]
pub struct Opened {
    /// The `config`, with a placeholder for each secret.
    pub config_text: String,
    pub placeholders: Placeholders,
}

/// Why a run that needs secrets cannot begin. All of it is the operator's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Unusable(Unusable),
    #[error("there is no secret `{name}`; hint: add `[secrets.{name}]` with `env` or `file`")]
    Unknown { name: String },
    #[error(transparent)]
    Draw(DrawError),
}

impl Services {
    /// The values of all configured secrets, as [`Vault::known`] has them.
    pub async fn known_secrets(&self, deadline: Instant) -> Placeholders {
        self.secrets.known(deadline).await
    }

    /// Opens what a `config` names and draws a placeholder for each. Waits for files, at most until `deadline`.
    pub async fn open_secrets(&self, template: &Template, deadline: Instant) -> Result<Opened, OpenError> {
        let mut placeholders = Placeholders::default();
        let mut drawn: BTreeMap<&str, String> = BTreeMap::new();
        for name in template.names() {
            let versions = self.secrets.open(name, Instant::now(), deadline).await.map_err(OpenError::Unusable)?;
            let versions = versions.ok_or_else(|| OpenError::Unknown { name: name.to_owned() })?;
            let placeholder = placeholders.draw(versions.newest.value, Box::new([Arc::<str>::from(name)])).map_err(OpenError::Draw)?;
            drawn.insert(name, placeholder.to_owned());
        }
        // Every name that it asks for was just drawn.
        let config_text = template.render(|name| drawn.get(name).map_or("", String::as_str));
        Ok(Opened { config_text, placeholders })
    }
}
