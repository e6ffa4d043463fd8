//! Recorded runs: one file for each in a folder, and the thread that writes them.
//!
//! How: a run that is kept hands its bytes over and goes on; one thread, begun with the first of them, writes each file by rename and removes
//! what is too much. `sickbay replay` reads the same folder. A run's id tells when it was due and of which check it was, so that the names of
//! the files are all that has to be looked at.
//!
//! Limits: [`RUNS_OF_A_CHECK_MAX`] of a check, and `bytes_max` of all together: the oldest go. [`WAITING_MAX`] wait to be written; one more is
//! left out, with a warning.
//!
//! Invariant: no run waits for the disk.
//! Invariant: a file whose name is no run's id is neither counted nor removed. Folder and files are for this user alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sickbay_core::Timestamp;
use sickbay_runtime::digest;
use sickbay_runtime::transcript::Transcript;
use tokio::sync::oneshot;

use crate::clock;
use crate::config::TranscriptSettings;

/// The newest that stay of each check.
pub const RUNS_OF_A_CHECK_MAX: usize = 10;
const WAITING_MAX: usize = 16;
/// Files of a folder that are looked at.
const FILES_MAX: usize = 200_000;
/// What of a check's name is in the id of its runs.
const SLUG_CHARACTERS_MAX: usize = 80;
/// `20260102T030405.123Z`
const TIME_CHARACTERS: usize = 20;
const DIGITS: usize = 8;
const EXTENSION: &str = "json";

/// `20260102T030405.123Z-api-1f3a9c2e`: when it was due, the name of the check as far as a file's name can have it, and the beginning of its
/// SHA-256.
pub fn run_id(check: &str, scheduled_at: Timestamp) -> String {
    let time: String = clock::rfc3339(scheduled_at).chars().filter(|character| !matches!(character, '-' | ':')).collect();
    format!("{time}-{}", check_part(check))
}

/// How the ids of a check's runs end, the time left away.
fn check_part(check: &str) -> String {
    let fits = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '.' | '_' | '-');
    let slug: String = check.chars().take(SLUG_CHARACTERS_MAX).map(|character| if fits(character) { character } else { '_' }).collect();
    format!("{slug}-{}", &digest(check.as_bytes())[..DIGITS])
}

/// The part of an id that its check has in common; None where `text` is no id.
fn check_part_of(text: &str) -> Option<&str> {
    let (time, part) = (text.get(..TIME_CHARACTERS)?, text.get(TIME_CHARACTERS..)?.strip_prefix('-')?);
    let is_time = time.bytes().enumerate().all(|(index, byte)| match index {
        8 => byte == b'T',
        15 => byte == b'.',
        19 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let (_, digits) = part.rsplit_once('-')?;
    let is_digest = digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_time && is_digest && !part.contains('/')).then_some(part)
}

/// Whether `text` may be the id of a run.
pub fn is_run_id(text: &str) -> bool {
    check_part_of(text).is_some()
}

/// Whether the run with this id was one of `check`.
pub fn is_of(run: &str, check: &str) -> bool {
    check_part_of(run).is_some_and(|part| part == check_part(check))
}

/// Where the transcript of a run is.
pub fn path_of(folder: &Path, run: &str) -> PathBuf {
    folder.join(format!("{run}.{EXTENSION}"))
}

/// The ids of the runs that are kept in a folder, each with the bytes of its file, the oldest first. None in a folder that is not there.
pub fn kept_in(folder: &Path) -> io::Result<BTreeMap<String, u64>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let mut kept = BTreeMap::new();
    for entry in entries.take(FILES_MAX) {
        let entry = entry?;
        let path = entry.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if path.extension().is_some_and(|extension| extension == EXTENSION) && is_run_id(stem) {
            // It may just have been removed.
            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
            kept.insert(stem.to_owned(), bytes);
        }
    }
    Ok(kept)
}

/// Takes the transcripts of a process.
pub struct Transcripts {
    settings: TranscriptSettings,
    writer: Mutex<Writer>,
}

enum Writer {
    /// Nothing was recorded yet.
    Idle,
    Runs {
        queue: SyncSender<Waiting>,
        /// Told when the thread has ended.
        ended: oneshot::Receiver<()>,
    },
    Closed,
}

/// A transcript that waits to be written.
struct Waiting {
    run: String,
    bytes: Vec<u8>,
}

impl Transcripts {
    pub fn new(settings: TranscriptSettings) -> Transcripts {
        Transcripts { settings, writer: Mutex::new(Writer::Idle) }
    }

    /// Hands a transcript to the thread that writes.
    pub fn keep(&self, transcript: &Transcript) {
        let waiting = Waiting { run: transcript.run.clone(), bytes: transcript.to_bytes() };
        let mut writer = self.writer();
        if matches!(*writer, Writer::Idle) {
            match begin(self.settings.clone()) {
                Ok(begun) => *writer = begun,
                Err(error) => {
                    tracing::warn!("no run can be recorded: a thread cannot be started: {error}");
                    return;
                }
            }
        }
        if let Writer::Runs { queue, .. } = &*writer
            && let Err(error) = queue.try_send(waiting)
        {
            tracing::warn!(run = transcript.run, "the run was not recorded: too many wait to be written: {error}");
        }
    }

    /// No more are taken; the future ends when all are written.
    pub fn close(&self) -> impl Future<Output = ()> + Send + use<> {
        let writer = std::mem::replace(&mut *self.writer(), Writer::Closed);
        async move {
            if let Writer::Runs { queue, ended } = writer {
                drop(queue);
                // An error is an end too.
                let _ = ended.await;
            }
        }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begin(settings: TranscriptSettings) -> io::Result<Writer> {
    let (queue, waiting) = sync_channel(WAITING_MAX);
    let (tell_end, ended) = oneshot::channel();
    std::thread::Builder::new().name("transcripts".to_owned()).spawn(move || {
        write_all(&settings, &waiting);
        // Nobody may be waiting.
        let _ = tell_end.send(());
    })?;
    Ok(Writer::Runs { queue, ended })
}

fn write_all(settings: &TranscriptSettings, waiting: &Receiver<Waiting>) {
    let folder = settings.dir.as_path();
    let mut shelf = Shelf::default();
    match kept_in(folder) {
        Ok(kept) => shelf = Shelf::of(kept),
        Err(error) => tracing::warn!("the folder of transcripts {} cannot be read: {error}", folder.display()),
    }
    for Waiting { run, bytes } in waiting {
        match write(folder, &run, &bytes) {
            Ok(()) => tracing::debug!(run, "the run was recorded"),
            Err(error) => {
                tracing::warn!(run, "the run was not recorded in {}: {error}; hint: `dir` under `[transcripts]`", folder.display());
                continue;
            }
        }
        for gone in shelf.put(&run, u64::try_from(bytes.len()).unwrap_or(u64::MAX), settings.bytes_max) {
            // Somebody else may have removed it.
            let _ = fs::remove_file(path_of(folder, &gone));
        }
    }
}

fn write(folder: &Path, run: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let part = folder.join(format!(".{run}.part"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    let written = file.write_all(bytes).and_then(|()| fs::rename(&part, path_of(folder, run)));
    if written.is_err() {
        // What is left of it would be in the way of nothing.
        let _ = fs::remove_file(&part);
    }
    written
}

/// What is kept, by name: which go is decided without the disk.
#[derive(Default)]
struct Shelf {
    sizes: BTreeMap<String, u64>,
    bytes: u64,
    of_check: HashMap<String, BTreeSet<String>>,
}

impl Shelf {
    fn of(kept: BTreeMap<String, u64>) -> Shelf {
        let mut shelf = Shelf::default();
        for (run, size) in kept {
            shelf.note(&run, size);
        }
        shelf
    }

    fn note(&mut self, run: &str, size: u64) {
        self.forget(run);
        self.bytes = self.bytes.saturating_add(size);
        self.sizes.insert(run.to_owned(), size);
        if let Some(part) = check_part_of(run) {
            self.of_check.entry(part.to_owned()).or_default().insert(run.to_owned());
        }
    }

    fn forget(&mut self, run: &str) {
        let Some(size) = self.sizes.remove(run) else { return };
        self.bytes = self.bytes.saturating_sub(size);
        let Some(part) = check_part_of(run) else { return };
        if let Some(runs) = self.of_check.get_mut(part) {
            runs.remove(run);
            if runs.is_empty() {
                self.of_check.remove(part);
            }
        }
    }

    /// One more; gives those that have to go for it, the oldest first. The new one stays.
    fn put(&mut self, run: &str, size: u64, bytes_max: u64) -> Vec<String> {
        self.note(run, size);
        let part = check_part_of(run).unwrap_or_default();
        let of_check = self.of_check.get(part).map(BTreeSet::len).unwrap_or_default();
        let surplus = of_check.saturating_sub(RUNS_OF_A_CHECK_MAX);
        let mut gone: Vec<String> = self.of_check.get(part).into_iter().flatten().take(surplus).cloned().collect();
        gone.retain(|old| old != run);
        for old in &gone {
            self.forget(old);
        }
        while self.bytes > bytes_max
            && let Some(oldest) = self.sizes.keys().find(|old| *old != run).cloned()
        {
            self.forget(&oldest);
            gone.push(oldest);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp(1_767_323_045_000 + seconds * 1000)
    }

    #[test]
    fn an_id_tells_when_and_of_which_check_and_is_the_name_of_a_file() {
        let run = run_id("api", at(0));
        assert!(run.starts_with("20260102T030405.000Z-api-") && run.len() == TIME_CHARACTERS + "-api-".len() + DIGITS, "{run}");
        assert!(is_run_id(&run) && is_of(&run, "api") && !is_of(&run, "ap"));
        let (one, other) = (run_id("http@https://a/ü", at(0)), run_id("http@https://b/ü", at(0)));
        assert!(is_run_id(&one) && !one.contains('/') && one.starts_with("20260102T030405.000Z-http_https___a__-"), "{one}");
        assert_ne!(one, other);
        assert!(is_run_id(&run_id(&"x".repeat(500), at(0))) && run_id(&"x".repeat(500), at(0)).len() < 200);
        assert!(run_id("api", at(1)) > run && run_id("a", at(1)) > run_id("z", at(0)), "in the order of time");
        for text in [
            "",
            "api",
            "20260102T030405.000Z",
            "20260102T030405.000Z-",
            "20260102T030405.000Z-api-xyz",
            "../20260102T030405.000Z-a-00000000",
        ] {
            assert!(!is_run_id(text), "{text}");
        }
    }

    #[test]
    fn of_each_check_the_newest_stay() {
        let mut shelf = Shelf::default();
        let runs: Vec<String> = (0..12).map(|second| run_id("api", at(second))).collect();
        assert!(shelf.put(&run_id("other", at(0)), 1, 1000).is_empty());
        let gone: Vec<String> = runs.iter().flat_map(|run| shelf.put(run, 1, 1000)).collect();
        assert_eq!(gone, runs[..2]);
        assert_eq!((shelf.sizes.len(), shelf.bytes), (RUNS_OF_A_CHECK_MAX + 1, 11));
        // The clock was set back.
        let old = run_id("api", Timestamp(0));
        assert!(shelf.put(&old, 1, 1000).is_empty() && shelf.sizes.contains_key(&old), "what was asked for stays until the next");
    }

    #[test]
    fn the_oldest_go_when_all_together_are_too_much_and_the_new_one_stays() {
        let mut shelf = Shelf::default();
        let runs: Vec<String> = (0..4).map(|second| run_id(&format!("check-{second}"), at(second))).collect();
        for run in &runs[..3] {
            assert!(shelf.put(run, 10, 30).is_empty());
        }
        assert_eq!(shelf.put(&runs[3], 25, 30), runs[..3]);
        assert_eq!(shelf.put(&run_id("huge", at(9)), 500, 30), [runs[3].clone()]);
        assert_eq!((shelf.sizes.len(), shelf.bytes, shelf.of_check.len()), (1, 500, 1));
    }

    #[tokio::test]
    async fn transcripts_are_written_for_this_user_alone_and_foreign_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("runs/of");
        let settings = TranscriptSettings { dir: dir.clone(), bytes_max: 1 << 20 };
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("notes.json"), "mine").unwrap();
        let transcripts = Transcripts::new(settings);
        let runs: Vec<String> = (0..RUNS_OF_A_CHECK_MAX as u64 + 3).map(|second| run_id("api", at(second))).collect();
        for run in &runs {
            // Fewer than may wait: none is left out.
            transcripts.keep(&Transcript { run: run.clone(), plugin: "http".to_owned(), ..Transcript::default() });
        }
        transcripts.close().await;
        transcripts.keep(&Transcript { run: run_id("late", at(0)), ..Transcript::default() });
        let kept: Vec<String> = kept_in(&dir).unwrap().into_keys().collect();
        assert_eq!(kept, runs[3..]);
        let file = path_of(&dir, &runs[5]);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let read = serde_json::from_slice(&fs::read(&file).unwrap()).map(Transcript::from_value).unwrap().unwrap();
        assert_eq!((read.run.as_str(), read.plugin.as_str()), (runs[5].as_str(), "http"));
        assert_eq!(fs::read_to_string(dir.join("notes.json")).unwrap(), "mine");
        assert_eq!(kept_in(&folder.path().join("absent")).unwrap(), BTreeMap::new());
    }
}
