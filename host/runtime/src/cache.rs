//! Compiled artifacts by content: compiled once for each `.wasm` and engine, found again after a restart.
//!
//! An artifact is native code that the host maps and runs, so its folder must be the host's alone: it is made with mode 0700, and one that
//! others own or may write to is refused. Each artifact has a digest beside it, so that a damaged one is compiled again instead of run.
//!
//! Invariant: artifacts come into the folder by rename only; a `.cwasm` from the plugin folder never gets here.

use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::LoadError;
use crate::compile::Compiler;

/// The oldest artifacts beyond it are removed.
const ARTIFACTS_BYTES_MAX: u64 = 2 << 30;

pub(crate) struct ArtifactCache {
    dir: PathBuf,
    engine: String,
    compiler: Compiler,
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
        Ok(ArtifactCache { dir: dir.to_owned(), engine: engine_key(engine), compiler })
    }

    /// The artifact of `bytes`, compiled now where there is none.
    pub(crate) async fn artifact(&self, digest: &str, bytes: Vec<u8>) -> Result<PathBuf, LoadError> {
        let artifact = self.dir.join(format!("{digest}-{}.cwasm", self.engine));
        let known = artifact.clone();
        if blocking(move || intact(&known)).await? {
            return Ok(artifact);
        }
        let work = tempfile::Builder::new().prefix("compile-").tempdir_in(&self.dir).map_err(|error| self.unwritable(&error))?;
        let (input, output) = (work.path().join("input.wasm"), work.path().join("output.cwasm"));
        let written = input.clone();
        blocking(move || fs::write(written, bytes)).await?.map_err(|error| self.unwritable(&error))?;
        self.compiler.compile(&input, &output).await?;
        let (target, dir) = (artifact.clone(), self.dir.clone());
        blocking(move || keep(&output, &target, &dir)).await?.map_err(|error| self.unwritable(&error))?;
        Ok(artifact)
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

#[expect(clippy::disallowed_methods, reason = "a file's time is the system's, nothing is decided by it")]
fn intact(artifact: &Path) -> bool {
    let (Ok(expected), Ok(bytes)) = (fs::read_to_string(digest_path(artifact)), fs::read(artifact)) else { return false };
    let whole = expected.trim() == sha256(&bytes);
    if whole && let Ok(file) = fs::File::open(artifact) {
        // Its age is the time since its last use: the oldest are removed first.
        let _ = file.set_modified(SystemTime::now());
    }
    whole
}

fn keep(output: &Path, artifact: &Path, dir: &Path) -> std::io::Result<()> {
    let digest = sha256(&fs::read(output)?);
    let beside = output.with_extension("sha256");
    fs::write(&beside, digest)?;
    fs::rename(output, artifact)?;
    fs::rename(beside, digest_path(artifact))?;
    prune(dir);
    Ok(())
}

/// Removes the artifacts unused for longest until the folder is within its bound.
fn prune(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut artifacts: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "cwasm"))
        .filter_map(|entry| entry.metadata().ok().and_then(|metadata| Some((metadata.modified().ok()?, metadata.len(), entry.path()))))
        .collect();
    artifacts.sort();
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
    collect.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
