//! The host's one sandbox: engine, linker, artifacts; the way from bytes to a plugin.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::cache::{Artifact, ArtifactCache, sha256};
use crate::compile::Compiler;
use crate::exports::Exports;
use crate::lane::{self, Lane};
use crate::loader::{Surface, WASI_FILES, link_error, refuse_oversized, refuse_unfit};
use crate::producers::{self, Producer};
use crate::{Lend, LoadError, Plugin, RunContext, describe, engine, linker};

/// Where the sandbox keeps its things.
#[derive(Clone, Debug)]
pub struct SandboxSettings {
    /// Compiled artifacts; made with mode 0700.
    pub artifacts: PathBuf,
    /// The program that is started with `compile-worker`: the host's own binary.
    pub worker: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the engine does not start: {0}")]
    Engine(String),
    #[error("{0}")]
    Artifacts(String),
}

/// One for each process.
pub struct Sandbox<L: Lend> {
    engine: Engine,
    linker: Linker<RunContext<L>>,
    artifacts: ArtifactCache,
    /// Turns of the runs that compute for long, of all plugins together.
    turns: Arc<Semaphore>,
}

impl<L: Lend> Sandbox<L> {
    pub fn new(settings: &SandboxSettings) -> Result<Sandbox<L>, SandboxError> {
        let engine = engine::start().map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let linker = linker::linker(&engine).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let compiler = Compiler::new(settings.worker.clone());
        let artifacts = ArtifactCache::open(&settings.artifacts, &engine, compiler).map_err(SandboxError::Artifacts)?;
        Ok(Sandbox { engine, linker, artifacts, turns: lane::host_turns() })
    }

    /// The stages from the bytes of a file to a plugin, whatever it does: refuse what cannot be one, compile, link, describe.
    ///
    /// `nothing` is what is lent to `describe`: it must deny everything.
    pub async fn load(&self, name: &str, bytes: Vec<u8>, nothing: L) -> Result<Plugin<L>, LoadError> {
        refuse_unfit(&bytes)?;
        let file = File { name, sha256: sha256(&bytes), size_bytes: bytes.len() as u64, producers: producers::producers(&bytes) };
        let artifact = self.artifacts.artifact(&file.sha256, bytes).await?;
        self.plugin_of(file, artifact, nothing).await
    }

    /// The same of a file that is not there any more, by its SHA-256; None where its artifact is not kept either.
    pub async fn load_kept(&self, name: &str, sha256: &str, nothing: L) -> Result<Option<Plugin<L>>, LoadError> {
        let is_digest = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let artifact = if is_digest { self.artifacts.kept(sha256).await? } else { None };
        match artifact {
            Some(artifact) => {
                let file = File { name, sha256: sha256.to_owned(), size_bytes: 0, producers: Vec::new() };
                self.plugin_of(file, artifact, nothing).await.map(Some)
            }
            None => Ok(None),
        }
    }

    async fn plugin_of(&self, file: File<'_>, artifact: Artifact, nothing: L) -> Result<Plugin<L>, LoadError> {
        let component = self.open(artifact.path).await?;
        let surface = Surface::of(&component, &self.engine);
        surface.refuse_foreign()?;
        refuse_oversized(&component)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| link_error(&error))?;
        let exported = Exports::of(&pre, &surface).map_err(|error| link_error(&error))?;
        let descriptor = Plugin::describe(&self.engine, &pre, &exported, nothing).await?;
        describe::refuse_idle(&descriptor, |sort| surface.exports_interface(sort.as_str()))?;
        Ok(Plugin {
            name: Arc::from(file.name),
            sha256: file.sha256,
            size_bytes: file.size_bytes,
            descriptor,
            head_start: artifact.head_start,
            uses_files: surface.imports.iter().any(|import| import.starts_with(WASI_FILES)),
            imports: surface.imports,
            exports: surface.exports,
            producers: file.producers,
            engine: self.engine.clone(),
            pre,
            exported,
            lane: Lane::new(Arc::clone(&self.turns)),
        })
    }

    async fn open(&self, artifact: PathBuf) -> Result<Component, LoadError> {
        let engine = self.engine.clone();
        let opened = tokio::task::spawn_blocking(move || {
            // SAFETY: the artifact was made by our own worker for this engine and lies in a folder that only this user can write to;
            // its digest was checked just now.
            unsafe { Component::deserialize_file(&engine, &artifact) }
        });
        match opened.await {
            Ok(Ok(component)) => Ok(component),
            Ok(Err(error)) => Err(LoadError::new(format!("its artifact cannot be loaded: {error:#}"))),
            Err(error) => Err(LoadError::new(format!("the loader was lost: {error}"))),
        }
    }
}

/// What is known of a plugin's file.
struct File<'name> {
    name: &'name str,
    sha256: String,
    /// 0 where the file is not there any more.
    size_bytes: u64,
    producers: Vec<Producer>,
}

/// The SHA-256 of a file's bytes in hex, as [`Plugin::sha256`] has it.
pub fn digest(bytes: &[u8]) -> String {
    sha256(bytes)
}
