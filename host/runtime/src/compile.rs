//! The host's side of the compile worker: start it, wait for it with a bound, read its answer.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::LoadError;
use crate::worker;

/// A compilation that takes longer is given up.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(180);
/// What of the worker's answer is kept.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

pub(crate) struct Compiler {
    program: PathBuf,
    /// One compilation at a time: it is the noisy neighbour of every run.
    permits: Semaphore,
}

impl Compiler {
    pub(crate) fn new(program: PathBuf) -> Compiler {
        Compiler { program, permits: Semaphore::new(1) }
    }

    /// Compiles `input` to the artifact `output`.
    pub(crate) async fn compile(&self, input: &Path, output: &Path) -> Result<(), LoadError> {
        let _permit = self.permits.acquire().await.map_err(|_| LoadError::new("the host is stopping"))?;
        let child = Command::new(&self.program)
            .arg(worker::COMMAND)
            .args([input, output])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| LoadError::new(format!("cannot start the compile worker {}: {error}", self.program.display())))?;
        let answer = tokio::time::timeout(COMPILE_TIME_MAX, child.wait_with_output())
            .await
            .map_err(|_| {
                LoadError::new(format!("compiling took longer than {} s", COMPILE_TIME_MAX.as_secs()))
                    .hint("make the plugin smaller: a Rust plugin of 100 KB compiles in 0.1 s")
            })?
            .map_err(|error| LoadError::new(format!("the compile worker was lost: {error}")))?;
        if answer.status.success() {
            return Ok(());
        }
        Err(failure(&answer))
    }
}

fn failure(answer: &std::process::Output) -> LoadError {
    let text = String::from_utf8_lossy(&answer.stdout);
    let message = text.trim();
    if answer.status.code() == Some(1) && !message.is_empty() {
        return LoadError::new(crate::answer::one_line(message, MESSAGE_BYTES_MAX))
            .hint("the file may be cut short or damaged: copy it again, or build it anew with `sickbay build`");
    }
    LoadError::new(format!("the compile worker ended with {}", answer.status))
        .hint("it reached a limit of memory or time: make the plugin smaller")
}
