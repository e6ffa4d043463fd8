//! Compiled artifacts by content: compiled once for each `.wasm` and engine, found again after a restart.
//!
//! An artifact is native code that the host maps and runs, so its folder must be the host's alone: it is made with mode 0700, and one that
//! others own or may write to is refused. Each artifact has a digest beside it, so that a damaged one is compiled again instead of run;
//! behind the digest stands what came of its head start.
//! A file that was refused after long work is remembered in its artifact's place ([`crate::refusal`]).
//!
//! Invariant: artifacts come into the folder by rename only; a `.cwasm` from the plugin folder never gets here.

use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::compile::{CompileError, Compiler};
use crate::head_start::{self, HeadStart};
use crate::scratch::{self, Scratch};
use crate::segments;
use crate::{LoadError, refusal};

/// The oldest artifacts beyond it are removed.
const ARTIFACTS_BYTES_MAX: u64 = 2 << 30;

/// A component as native code.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) path: PathBuf,
    pub(crate) head_start: HeadStart,
}

pub(crate) struct ArtifactCache {
    dir: PathBuf,
    engine: String,
    compiler: Compiler,
    /// A refusal that took less is not remembered.
    refusal_took_min: Duration,
}

impl ArtifactCache {
    pub(crate) fn open(dir: &Path, engine: &Engine, compiler: Compiler) -> Result<ArtifactCache, String> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| format!("cannot make the artifact folder {}: {error}", dir.display()))?;
        let metadata = fs::metadata(dir).map_err(|error| format!("cannot read the artifact folder {}: {error}", dir.display()))?;
        if metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(format!(
                "the artifact folder {} belongs to another user or others may write to it; hint: chmod 700 it, or name another with SICKBAY_CACHE_DIR",
                dir.display()
            ));
        }
        scratch::sweep(dir);
        Ok(ArtifactCache { dir: dir.to_owned(), engine: engine_key(engine), compiler, refusal_took_min: refusal::TOOK_MIN })
    }

    /// The artifact of `bytes`, compiled now where there is none.
    pub(crate) async fn artifact(&self, digest: &str, bytes: Vec<u8>) -> Result<Artifact, LoadError> {
        let artifact = self.path(digest);
        let looked_for = artifact.clone();
        if let Some(known) = blocking(move || known(looked_for)).await? {
            return known;
        }
        let dir = self.dir.clone();
        let scratch = blocking(move || Scratch::new(&dir)).await?.map_err(|error| self.unwritable(&error))?;
        let (input, output) = (scratch.path().join("input.wasm"), scratch.path().join("output.cwasm"));
        let written = input.clone();
        blocking(move || fs::write(written, bytes)).await?.map_err(|error| self.unwritable(&error))?;
        let head_start = match self.compiler.compile(&input, &output).await {
            Ok(head_start) => head_start,
            Err(error) => return Err(self.refused(error, &artifact, &scratch).await),
        };
        let (target, dir, said) = (artifact.clone(), self.dir.clone(), head_start.line());
        blocking(move || keep(&output, &target, &dir, &said)).await?.map_err(|error| self.unwritable(&error))?;
        Ok(Artifact { path: artifact, head_start })
    }

    /// The artifact of a file that is not there any more; None where it was never compiled here, or is damaged.
    pub(crate) async fn kept(&self, digest: &str) -> Result<Option<Artifact>, LoadError> {
        let artifact = self.path(digest);
        blocking(move || intact(artifact).ok()).await
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.dir.join(format!("{digest}-{}.cwasm", self.engine))
    }

    /// Remembers what the file is to blame for and took long to find out.
    async fn refused(&self, error: CompileError, artifact: &Path, scratch: &Scratch) -> LoadError {
        match error {
            CompileError::Failed(error) => error,
            CompileError::Refused { error, took } if took < self.refusal_took_min => error,
            CompileError::Refused { error, .. } => {
                let (told, file, written_in) = (error.clone(), refusal_path(artifact), scratch.path().to_owned());
                // A refusal that cannot be kept is found out again at the next start.
                match blocking(move || refusal::keep(&told, &file, &written_in)).await {
                    Ok(Ok(())) => refusal::with_way_back(error, &refusal_path(artifact)),
                    Ok(Err(_)) | Err(_) => error,
                }
            }
        }
    }

    fn unwritable(&self, error: &std::io::Error) -> LoadError {
        LoadError::new(format!("cannot write to the artifact folder {}: {error}", self.dir.display()))
            .hint("free some room, or name another folder with SICKBAY_CACHE_DIR")
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LoadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LoadError::new(format!("the loader was lost: {error}")))
}

fn digest_path(artifact: &Path) -> PathBuf {
    artifact.with_extension("sha256")
}

fn refusal_path(artifact: &Path) -> PathBuf {
    artifact.with_extension(refusal::EXTENSION)
}

/// What is known already: the artifact, or that there will be none.
fn known(artifact: PathBuf) -> Option<Result<Artifact, LoadError>> {
    match intact(artifact) {
        Ok(artifact) => Some(Ok(artifact)),
        Err(path) => {
            let file = refusal_path(&path);
            refusal::kept(&file).map(|error| Err(refusal::with_way_back(error, &file)))
        }
    }
}

/// The artifact at `path`, or the path where there is none that is whole.
#[expect(clippy::disallowed_methods, reason = "a file's time is the system's, nothing is decided by it")]
fn intact(path: PathBuf) -> Result<Artifact, PathBuf> {
    let (Ok(beside), Ok(bytes)) = (fs::read_to_string(digest_path(&path)), fs::read(&path)) else { return Err(path) };
    let mut lines = beside.lines();
    if lines.next().map(str::trim) != Some(sha256(&bytes).as_str()) {
        return Err(path);
    }
    if let Ok(file) = fs::File::open(&path) {
        // Its age is the time since its last use: the oldest are removed first.
        let _ = file.set_modified(SystemTime::now());
    }
    Ok(Artifact { path, head_start: HeadStart::of_line(lines.next().unwrap_or_default()) })
}

/// `said` is what came of its head start, in one line.
fn keep(output: &Path, artifact: &Path, dir: &Path, said: &str) -> std::io::Result<()> {
    let digest = sha256(&fs::read(output)?);
    let beside = output.with_extension("sha256");
    fs::write(&beside, format!("{digest}\n{said}"))?;
    fs::rename(output, artifact)?;
    fs::rename(beside, digest_path(artifact))?;
    prune(dir);
    Ok(())
}

/// Removes the artifacts unused for longest until the folder is within its bound.
fn prune(dir: &Path) {
    let artifacts = oldest_first(dir, "cwasm");
    let mut bytes: u64 = artifacts.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, size, path) in artifacts {
        if bytes <= ARTIFACTS_BYTES_MAX {
            return;
        }
        let _ = fs::remove_file(digest_path(&path));
        let _ = fs::remove_file(&path);
        bytes -= size;
    }
}

/// The files with this extension: time, size and path, the oldest first.
pub(crate) fn oldest_first(dir: &Path, extension: &str) -> Vec<(SystemTime, u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|found| found == extension))
        .filter_map(|entry| entry.metadata().ok().and_then(|metadata| Some((metadata.modified().ok()?, metadata.len(), entry.path()))))
        .collect();
    files.sort();
    files
}

/// The SHA-256 of `bytes` in hex: the identity of a plugin's version.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn engine_key(engine: &Engine) -> String {
    struct Collect(Sha256);
    impl Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut collect = Collect(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut collect);
    collect.0.update(head_start::VERSION);
    collect.0.update(segments::VERSION);
    collect.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Stands for the worker: notes that it was started and ends by the signal that its input names.
    const WORKER: &str = "#!/bin/sh\nulimit -c 0\necho started >>\"${0%/*}/starts\"\nread -r signal <\"$2\"\nkill -s \"$signal\" $$\n";

    fn opened(folder: &Path) -> ArtifactCache {
        let engine = Engine::new(&crate::engine::config()).unwrap();
        let cache = ArtifactCache::open(&folder.join("cache"), &engine, Compiler::new(folder.join("worker"))).unwrap();
        ArtifactCache { refusal_took_min: Duration::ZERO, ..cache }
    }

    async fn refusal_of(cache: &ArtifactCache, bytes: &[u8]) -> LoadError {
        cache.artifact(&sha256(bytes), bytes.to_vec()).await.unwrap_err()
    }

    /// One test for all: while one writes the program, no other may start a process that holds it open.
    #[tokio::test]
    async fn a_file_that_reached_a_limit_is_refused_at_once_until_its_refusal_is_removed_and_a_killed_worker_blames_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let worker = folder.path().join("worker");
        fs::write(&worker, WORKER).unwrap();
        fs::set_permissions(&worker, fs::Permissions::from_mode(0o700)).unwrap();
        let starts = || fs::read_to_string(folder.path().join("starts")).unwrap().lines().count();
        let refusals = || oldest_first(&folder.path().join("cache"), refusal::EXTENSION);

        let first = refusal_of(&opened(folder.path()), b"ABRT\n").await;
        let after_a_restart = refusal_of(&opened(folder.path()), b"ABRT\n").await;
        assert_eq!((&after_a_restart, starts()), (&first, 1));
        let (_, _, file) = refusals().pop().unwrap();
        assert!(first.hint.as_deref().unwrap().contains(file.to_str().unwrap()), "{first}");

        fs::remove_file(file).unwrap();
        refusal_of(&opened(folder.path()), b"ABRT\n").await;
        assert_eq!((starts(), refusals().len()), (2, 1));

        for start in 3..5 {
            refusal_of(&opened(folder.path()), b"KILL\n").await;
            assert_eq!((starts(), refusals().len()), (start, 1));
        }
    }

    #[test]
    fn what_came_of_a_head_start_is_told_with_the_artifact_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (output, artifact) = (folder.path().join("output.cwasm"), folder.path().join("a.cwasm"));
        for head_start in [HeadStart::None, HeadStart::Given, HeadStart::Refused("it prints".to_owned())] {
            fs::write(&output, "code").unwrap();
            keep(&output, &artifact, folder.path(), &head_start.line()).unwrap();
            assert_eq!(intact(artifact.clone()).unwrap().head_start, head_start);
        }
        fs::write(&artifact, "other code").unwrap();
        assert_eq!(intact(artifact.clone()).unwrap_err(), artifact);
    }

    #[tokio::test]
    async fn what_is_found_out_quickly_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ArtifactCache { refusal_took_min: Duration::MAX, ..opened(folder.path()) };
        let scratch = Scratch::new(&cache.dir).unwrap();
        let refused = CompileError::Refused { error: LoadError::new("not a component"), took: Duration::from_secs(60) };
        let error = cache.refused(refused, &cache.dir.join("a.cwasm"), &scratch).await;
        assert_eq!(error, LoadError::new("not a component"));
        assert!(oldest_first(&cache.dir, refusal::EXTENSION).is_empty());
    }
}
