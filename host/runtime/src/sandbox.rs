//! The host's one sandbox: engine, linker, artifacts; the way from bytes to a plugin.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};

use crate::bindings::CheckPluginPre;
use crate::cache::{ArtifactCache, sha256};
use crate::compile::Compiler;
use crate::lane::{self, Lane};
use crate::loader::{Surface, link_error, refuse_oversized, refuse_unfit};
use crate::{Lend, LoadError, Plugin, RunContext, engine, linker, producers};

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

    /// The stages from the bytes of a file to a plugin: refuse what cannot be one, compile, link, describe.
    ///
    /// `nothing` is what is lent to `describe`: it must deny everything.
    pub async fn load(&self, name: &str, bytes: Vec<u8>, nothing: L) -> Result<Plugin<L>, LoadError> {
        refuse_unfit(&bytes)?;
        let size_bytes = bytes.len() as u64;
        let digest = sha256(&bytes);
        let producers = producers::producers(&bytes);
        let artifact = self.artifacts.artifact(&digest, bytes).await?;
        let component = self.open(artifact).await?;
        let surface = Surface::of(&component, &self.engine);
        surface.refuse_foreign()?;
        refuse_oversized(&component)?;
        let pre = self.linker.instantiate_pre(&component).map_err(|error| link_error(&error))?;
        let pre = CheckPluginPre::new(pre).map_err(|error| link_error(&error))?;
        let descriptor = Plugin::describe(&self.engine, &pre, nothing).await?;
        Ok(Plugin {
            name: Arc::from(name),
            sha256: digest,
            size_bytes,
            descriptor,
            imports: surface.imports,
            exports: surface.exports,
            producers,
            engine: self.engine.clone(),
            pre,
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

/// The SHA-256 of a file's bytes in hex, as [`Plugin::sha256`] has it.
pub fn digest(bytes: &[u8]) -> String {
    sha256(bytes)
}
