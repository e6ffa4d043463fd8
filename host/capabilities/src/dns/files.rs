//! What `/etc/hosts` and `/etc/resolv.conf` say, read again when they change.
//!
//! Limits: looked at once in [`LOOK_EVERY`] and only when somebody asks; of a file [`FILE_BYTES_MAX`] are read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::hosts::Hosts;
use super::settings::Settings;

const LOOK_EVERY: Duration = Duration::from_secs(1);
const FILE_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Files {
    hosts: PathBuf,
    pub(super) resolv_conf: PathBuf,
    last: Mutex<Option<Look>>,
}

#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) hosts: Arc<Hosts>,
    /// Or why the file cannot be read.
    pub(super) settings: Result<Arc<Settings>, io::ErrorKind>,
}

#[derive(Debug)]
struct Look {
    at: Instant,
    hosts: Option<Stamp>,
    resolv_conf: Option<Stamp>,
    known: Known,
}

/// What changes with a file's content.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Stamp {
    /// None where there is no such file.
    fn of(path: &Path) -> Option<Stamp> {
        let metadata = fs::metadata(path).ok()?;
        Some(Stamp { inode: metadata.ino(), bytes: metadata.len(), modified_s: metadata.mtime(), modified_ns: metadata.mtime_nsec() })
    }
}

impl Files {
    /// Reads nothing yet.
    pub(super) fn new(hosts: PathBuf, resolv_conf: PathBuf) -> Files {
        Files { hosts, resolv_conf, last: Mutex::new(None) }
    }

    pub(super) fn known(&self) -> Known {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let look = match last.take() {
            Some(look) if now.duration_since(look.at) < LOOK_EVERY => look,
            earlier => self.look(earlier, now),
        };
        last.insert(look).known.clone()
    }

    /// The stamps are taken first: what changes while a file is read is seen the next time.
    fn look(&self, earlier: Option<Look>, now: Instant) -> Look {
        let (hosts_stamp, resolv_conf_stamp) = (Stamp::of(&self.hosts), Stamp::of(&self.resolv_conf));
        let hosts = match &earlier {
            Some(look) if look.hosts == hosts_stamp => Arc::clone(&look.known.hosts),
            _ => Arc::new(self.read_hosts()),
        };
        let settings = match &earlier {
            Some(Look { resolv_conf, known: Known { settings: Ok(settings), .. }, .. }) if *resolv_conf == resolv_conf_stamp => {
                Ok(Arc::clone(settings))
            }
            _ => self.read_settings(),
        };
        Look { at: now, hosts: hosts_stamp, resolv_conf: resolv_conf_stamp, known: Known { hosts, settings } }
    }

    /// A machine without the file is none that fails.
    fn read_hosts(&self) -> Hosts {
        match read(&self.hosts) {
            Ok(text) => Hosts::parse(&text),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %self.hosts.display(), %error, "the names in it are not known");
                }
                Hosts::default()
            }
        }
    }

    fn read_settings(&self) -> Result<Arc<Settings>, io::ErrorKind> {
        let text = read(&self.resolv_conf).map_err(|error| error.kind())?;
        let machine = rustix::system::uname();
        Ok(Arc::new(Settings::parse(&text, machine.nodename().to_str().unwrap_or_default())))
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
