//! What the compile worker refused after long work, kept beside the artifacts: the same bytes are refused at once for a day, also after
//! a restart.
//!
//! A refusal lies where the artifact would: by content and engine, renamed into place. Its first line is the message, the second the hint.
//!
//! Invariant: only what the file itself is to blame for is kept, never a trouble of the host.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::LoadError;
use crate::cache::oldest_first;

pub(crate) const EXTENSION: &str = "refused";
/// What is found out sooner is found out again.
pub(crate) const TOOK_MIN: Duration = Duration::from_secs(1);
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The oldest beyond it are removed.
const REFUSALS_LEN_MAX: usize = 1_000;
const REFUSAL_BYTES_MAX: u64 = 16 << 10;

/// The refusal in `file`, where there is one that still counts.
#[expect(clippy::disallowed_methods, reason = "a file's age is told by the clock that dates files")]
pub(crate) fn kept(file: &Path) -> Option<LoadError> {
    let opened = File::open(file).ok()?;
    if !still_counts(opened.metadata().ok()?.modified().ok()?, SystemTime::now()) {
        return None;
    }
    let mut text = String::new();
    opened.take(REFUSAL_BYTES_MAX).read_to_string(&mut text).ok()?;
    let (message, hint) = text.split_once('\n').filter(|(message, _)| !message.is_empty())?;
    let error = LoadError::new(message);
    Some(if hint.is_empty() { error } else { error.hint(hint) })
}

/// Keeps `error` as `file`; it is written in the folder `scratch` first.
pub(crate) fn keep(error: &LoadError, file: &Path, scratch: &Path) -> io::Result<()> {
    let written = scratch.join(EXTENSION);
    fs::write(&written, format!("{}\n{}", error.message, error.hint.as_deref().unwrap_or_default()))?;
    fs::rename(written, file)?;
    if let Some(folder) = file.parent() {
        prune(folder, REFUSALS_LEN_MAX);
    }
    Ok(())
}

/// `error` with the way to try again before its time.
pub(crate) fn with_way_back(error: LoadError, file: &Path) -> LoadError {
    let way = format!("refused for {} h without compiling again, unless {} is removed", AGE_MAX.as_secs() / 3600, file.display());
    match error.hint.clone() {
        Some(hint) => error.hint(format!("{hint}; {way}")),
        None => error.hint(way),
    }
}

/// One from the future is of a clock that was set back: nobody knows its age.
fn still_counts(written: SystemTime, now: SystemTime) -> bool {
    now.duration_since(written).is_ok_and(|age| age < AGE_MAX)
}

fn prune(folder: &Path, len_max: usize) {
    let refusals = oldest_first(folder, EXTENSION);
    for (_, _, file) in &refusals[..refusals.len().saturating_sub(len_max)] {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_as_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("digest-engine.refused");
        let error = LoadError::new("compiling took too long").hint("make it smaller");
        assert_eq!(kept(&file), None);
        keep(&error, &file, folder.path()).unwrap();
        assert_eq!(kept(&file), Some(error));
        keep(&LoadError::new("no hint"), &file, folder.path()).unwrap();
        assert_eq!(kept(&file), Some(LoadError::new("no hint")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_way_back_names_the_file_to_remove() {
        let error = with_way_back(LoadError::new("too large").hint("make it smaller"), Path::new("/cache/a.refused"));
        let hint = error.hint.unwrap();
        assert!(hint.starts_with("make it smaller; ") && hint.contains("/cache/a.refused"), "{hint}");
    }

    #[test]
    fn a_refusal_counts_for_a_day_and_not_under_a_clock_that_was_set_back() {
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(still_counts(written, written));
        assert!(still_counts(written, written + AGE_MAX - Duration::from_secs(1)));
        assert!(!still_counts(written, written + AGE_MAX));
        assert!(!still_counts(written, written - Duration::from_secs(1)));
    }

    #[test]
    fn a_refusal_that_was_damaged_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.refused");
        for damaged in [&b""[..], b"one line", b"\nhint", b"\xff\xfe\n"] {
            fs::write(&file, damaged).unwrap();
            assert_eq!(kept(&file), None, "{damaged:?}");
        }
    }

    #[test]
    fn the_oldest_refusals_make_room() {
        let folder = tempfile::tempdir().unwrap();
        for age in 0..4 {
            let file = File::create(folder.path().join(format!("{age}.refused"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age)).unwrap();
        }
        fs::write(folder.path().join("a.cwasm"), "x").unwrap();
        prune(folder.path(), 2);
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["0.refused", "1.refused", "a.cwasm"]);
    }
}
