//! The host's side of the compile worker: start it, wait for it with a bound, read its answer.
//!
//! A file is refused for what its worker used, never for how long it took: on a busy machine a worker of low priority may wait for most of its
//! time.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::LoadError;
use crate::head_start::HeadStart;
use crate::worker::{self, CPU_SECONDS_MAX};

/// A compilation that takes longer is given up, and tried again: the limit for a file is the worker's processor time.
const COMPILE_TIME_MAX: Duration = Duration::from_secs(600);
/// What of the worker's answer is kept.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// How a Rust program exits that has panicked.
const PANICKED: i32 = 101;

const SMALLER: &str = "make the plugin smaller: a Rust plugin of 100 KB compiles in 0.1 s";

/// Why there is no artifact.
#[derive(Debug)]
pub(crate) enum CompileError {
    /// The file is to blame: the worker refused it or reached a limit of its own, and would again. `took` is how long that took.
    Refused { error: LoadError, took: Duration },
    /// The host is to blame; another try may do better.
    Failed(LoadError),
}

impl CompileError {
    fn failed(message: impl Into<String>) -> CompileError {
        CompileError::Failed(LoadError::new(message))
    }
}

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
    pub(crate) async fn compile(&self, input: &Path, output: &Path) -> Result<HeadStart, CompileError> {
        let _permit = self.permits.acquire().await.map_err(|_| CompileError::failed("the host is stopping"))?;
        let Worked { compiled, began_start } = self.work(input, output, worker::BEHIND_START).await?;
        // A head start is a compilation more: where the worker has no room for it, the component may still be compiled as it came.
        if began_start && matches!(compiled, Err(CompileError::Refused { .. })) {
            return self.work(input, output, worker::AS_IT_CAME).await?.compiled;
        }
        compiled
    }

    async fn work(&self, input: &Path, output: &Path, way: &str) -> Result<Worked, CompileError> {
        let began = Instant::now();
        let child = Command::new(&self.program)
            .arg(worker::COMMAND)
            .args([input, output])
            .arg(std::process::id().to_string())
            .arg(way)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| CompileError::failed(format!("cannot start the compile worker {}: {error}", self.program.display())))?;
        match tokio::time::timeout(COMPILE_TIME_MAX, child.wait_with_output()).await {
            Ok(Ok(answer)) => Ok(judged(&answer, began.elapsed())),
            Ok(Err(error)) => Err(CompileError::failed(format!("the compile worker was lost: {error}"))),
            Err(_) => {
                let error = LoadError::new(format!("compiling did not end in {} s", COMPILE_TIME_MAX.as_secs()));
                Err(CompileError::Failed(error.hint(format!("this machine is too busy; it is tried again. {SMALLER}"))))
            }
        }
    }
}

/// A worker that has ended.
struct Worked {
    compiled: Result<HeadStart, CompileError>,
    /// It began a head start, which may be what it ended for.
    began_start: bool,
}

/// What the worker's end says. Who ended it from outside (the system where memory is short, a person) says nothing of the file.
fn judged(answer: &Output, took: Duration) -> Worked {
    let stdout = String::from_utf8_lossy(&answer.stdout);
    let behind = stdout.strip_prefix(worker::STARTING).and_then(|rest| rest.strip_prefix('\n'));
    let said = crate::answer::one_line(behind.unwrap_or(&stdout).trim(), MESSAGE_BYTES_MAX);
    Worked { compiled: compiled(answer, said, took), began_start: behind.is_some() }
}

fn compiled(answer: &Output, said: String, took: Duration) -> Result<HeadStart, CompileError> {
    const REFUSED: i32 = worker::REFUSED as i32;
    const FAILED: i32 = worker::FAILED as i32;
    const OUT_OF_CPU: i32 = Signal::XCPU.as_raw();
    // An allocation that fails aborts the program, and so does a stack that overflows.
    const ABORTED: i32 = Signal::ABORT.as_raw();
    const CRASHED: i32 = Signal::SEGV.as_raw();
    let ended = || LoadError::new(format!("the compile worker ended with {}", answer.status));
    let refused = |error| Err(CompileError::Refused { error, took });
    match (answer.status.code(), answer.status.signal()) {
        (Some(0), _) => Ok(HeadStart::of_line(&said)),
        (Some(REFUSED), _) if !said.is_empty() => refused(unfit(said)),
        (Some(FAILED), _) if !said.is_empty() => Err(CompileError::Failed(
            LoadError::new(format!("the compile worker {said}")).hint("free some room, or name another folder with SICKBAY_CACHE_DIR"),
        )),
        (Some(PANICKED), _) => refused(ended().hint(SMALLER)),
        (_, Some(OUT_OF_CPU)) => {
            refused(LoadError::new(format!("compiling took more than {CPU_SECONDS_MAX} s of processor time")).hint(SMALLER))
        }
        (_, Some(ABORTED | CRASHED)) => refused(ended().hint(format!("it reached its limit of memory: {SMALLER}"))),
        _ => Err(CompileError::Failed(ended().hint("it was ended from outside, or this machine has too little memory for it"))),
    }
}

/// What the worker refused, with the fix.
fn unfit(said: String) -> LoadError {
    /// The engine's words for whatever needs that part of the component model.
    const ASYNC: &str = "component model async";
    if said.contains(ASYNC) {
        return LoadError::new(format!(
            "it exports or imports an `async func`, a `stream` or a `future`, which this host does not run: {said}"
        ))
        .hint("make it a plain `func` in its WIT, as the contract has it, and build it anew: a call of the host waits by itself");
    }
    LoadError::new(said).hint("the file may be cut short or damaged: copy it again, or build it anew with `sickbay build`")
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    /// A wait status holds the signal in its low bits, else the exit code above them.
    fn answer(status: i32, said: &str) -> Output {
        Output { status: ExitStatus::from_raw(status), stdout: said.as_bytes().to_vec(), stderr: Vec::new() }
    }

    fn is_blamed_on_the_file(answer: &Output) -> bool {
        matches!(judged(answer, Duration::ZERO).compiled, Err(CompileError::Refused { .. }))
    }

    #[test]
    fn the_file_is_to_blame_for_what_the_worker_refuses_and_for_its_limits() {
        assert_eq!(judged(&answer(0, "\n"), Duration::ZERO).compiled.ok(), Some(HeadStart::None));
        assert_eq!(judged(&answer(0, "given\n"), Duration::ZERO).compiled.ok(), Some(HeadStart::Given));
        assert!(is_blamed_on_the_file(&answer(i32::from(worker::REFUSED) << 8, "not a valid component")));
        assert!(is_blamed_on_the_file(&answer(PANICKED << 8, "")));
        for signal in [Signal::XCPU, Signal::ABORT, Signal::SEGV] {
            assert!(is_blamed_on_the_file(&answer(signal.as_raw(), "")), "{signal:?}");
        }
    }

    #[test]
    fn a_worker_that_ends_says_whether_it_had_begun_a_start() {
        let given = judged(&answer(0, "starting\ngiven\n"), Duration::ZERO);
        assert!(given.began_start && given.compiled.ok() == Some(HeadStart::Given));
        // Its end by a signal comes behind the line.
        let out_of_cpu = judged(&answer(Signal::XCPU.as_raw(), "starting\n"), Duration::ZERO);
        assert!(out_of_cpu.began_start && matches!(out_of_cpu.compiled, Err(CompileError::Refused { .. })));
        for said in ["", "\n", "given\n", "starting", "not a valid component: starting\n"] {
            assert!(!judged(&answer(0, said), Duration::ZERO).began_start, "{said:?}");
        }
    }

    #[test]
    fn what_is_asynchronous_is_told_with_the_fix_and_the_rest_may_be_damaged() {
        let hint = |said: &str| {
            let refused = judged(&answer(i32::from(worker::REFUSED) << 8, said), Duration::ZERO).compiled;
            let Err(CompileError::Refused { error, .. }) = refused else { panic!("{said} is not refused") };
            (error.message, error.hint.unwrap_or_default())
        };
        let (message, fix) =
            hint("not a valid component: async component functions require the component model async feature (at offset 0xb)");
        assert!(message.starts_with("it exports or imports an `async func`") && message.ends_with("(at offset 0xb)"), "{message}");
        assert!(fix.starts_with("make it a plain `func`"), "{fix}");
        assert!(hint("not a valid component: unexpected end-of-file").1.starts_with("the file may be cut short"));
    }

    #[test]
    fn the_host_is_to_blame_for_a_full_disk_and_for_a_worker_that_was_killed() {
        let failed = answer(i32::from(worker::FAILED) << 8, "cannot write the artifact: No space left on device");
        let Err(CompileError::Failed(error)) = judged(&failed, Duration::ZERO).compiled else { panic!("{failed:?}") };
        assert!(error.message.contains("No space left"), "{error}");
        // `/bin/false` in the worker's place.
        assert!(!is_blamed_on_the_file(&answer(1 << 8, "")));
        for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP] {
            assert!(!is_blamed_on_the_file(&answer(signal.as_raw(), "")), "{signal:?}");
        }
    }
}
