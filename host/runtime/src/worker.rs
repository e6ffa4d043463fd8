//! The compile worker: a process of its own that turns one untrusted `.wasm` into an artifact.
//!
//! Compilation time is outside wasmtime's security policy, so it happens here, under limits that the worker sets for itself before it
//! reads a byte: memory, processor time, no core dump, low priority. It reads `INPUT`, writes `OUTPUT` and says on stdout what went wrong;
//! its exit code says who is to blame. It ends with `HOST`, the process that started it. A component that asks for it gets a head start
//! ([`crate::head_start`]): then stdout says so before it begins, and what came of it behind it.
//!
//! Invariant: the worker inherits no environment and opens no file but the two that it is given.

use std::ffi::OsStr;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, Signal, nice, set_parent_process_death_signal, setrlimit};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmtime::Engine;

use crate::head_start::{self, HeadStart};
use crate::segments;

/// Memory that a compilation may use; an 18 MB guest peaks at about 340 MB.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// Processor time of a compilation; an 18 MB guest takes about 7 s.
pub(crate) const CPU_SECONDS_MAX: u64 = 120;
/// Between the signal that tells of the limit and the one that only kills.
const CPU_SECONDS_GRACE: u64 = 5;

/// The worker's name on the command line: `sickbay compile-worker INPUT OUTPUT [HOST [WAY]]`.
pub const COMMAND: &str = "compile-worker";
/// A way: with the head start that a component asks for.
pub(crate) const BEHIND_START: &str = "behind-start";
/// A way: without one.
pub(crate) const AS_IT_CAME: &str = "as-it-came";
/// The first line of an answer where a head start was begun.
pub(crate) const STARTING: &str = "starting";
/// Exit code: the file is no component.
pub(crate) const REFUSED: u8 = 1;
/// Exit code: the worker could not do its work.
pub(crate) const FAILED: u8 = 3;

/// Why there is no artifact, in words.
enum WorkError {
    Refused(String),
    Failed(String),
}

/// Runs the worker with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(2).collect();
    let (input, output, host, way) = match arguments.as_slice() {
        [input, output] => (input, output, None, None),
        [input, output, host] => (input, output, Some(host), None),
        [input, output, host, way] => (input, output, Some(host), Some(way)),
        _ => {
            println!("usage: sickbay {COMMAND} INPUT OUTPUT [HOST [WAY]] (called by the host, not by people)");
            return ExitCode::from(2);
        }
    };
    let bound = host.map_or(Ok(()), |host| end_with(host)).and_then(|()| limit_self()).map_err(WorkError::Failed);
    match bound.and_then(|()| work(Path::new(input), Path::new(output), way.is_some_and(|way| way == AS_IT_CAME))) {
        Ok(head_start) => {
            println!("{}", head_start.line());
            ExitCode::SUCCESS
        }
        Err(WorkError::Refused(message)) => {
            println!("{message}");
            ExitCode::from(REFUSED)
        }
        Err(WorkError::Failed(message)) => {
            println!("{message}");
            ExitCode::from(FAILED)
        }
    }
}

/// The system kills the worker when its host ends, in whatever way.
///
/// The system means the thread that started the worker: it must live as long as the host does, as the threads of its runtime do.
fn end_with(host: &OsStr) -> Result<(), String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| format!("cannot bind itself to its host: {error}"))?;
    // The host may have ended before it was asked for: then another process is the parent by now.
    if host.to_str() == Some(parent_id().to_string().as_str()) { Ok(()) } else { Err("has lost the host that started it".to_owned()) }
}

fn limit_self() -> Result<(), String> {
    let limit = |resource, current, maximum| {
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
            .map_err(|error| format!("cannot limit itself: {error}"))
    };
    limit(Resource::Core, 0, 0)?;
    limit(Resource::Data, MEMORY_BYTES_MAX, MEMORY_BYTES_MAX)?;
    limit(Resource::Cpu, CPU_SECONDS_MAX, CPU_SECONDS_MAX + CPU_SECONDS_GRACE)?;
    // A worker at normal priority is slower for others, not wrong.
    let _ = nice(10);
    Ok(())
}

fn work(input: &Path, output: &Path, as_it_came: bool) -> Result<HeadStart, WorkError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| WorkError::Failed(format!("{what}: {error}"));
    let bytes = std::fs::read(input).map_err(|error| failed("cannot read the file", &error))?;
    let component = component(&bytes).map_err(WorkError::Refused)?;
    let (component, head_start) = if as_it_came {
        (component, HeadStart::Refused("the compile worker has no room for a start of it".to_owned()))
    } else {
        if head_start::asks(&component) {
            // Said before it begins, for the host to know whatever becomes of this process: the line leaves it at its end.
            println!("{STARTING}");
        }
        head_start::given(component, &bytes)
    };
    let engine = Engine::new(&crate::engine::config()).map_err(|error| failed("cannot start the engine", &format!("{error:#}")))?;
    let artifact = engine
        .precompile_component(&segments::merged(component))
        .map_err(|error| WorkError::Refused(format!("not a valid component: {error:#}")))?;
    std::fs::write(output, artifact).map_err(|error| failed("cannot write the artifact", &error))?;
    Ok(head_start)
}

/// The component in `bytes`, made from a core module where it is one that carries its component type.
pub fn component(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if wasmparser::Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    let mut encoder = wit_component::ComponentEncoder::default().validate(true).module(bytes).map_err(|error| format!("{error:#}"))?;
    if let Some(adapter) = preview1_adapter(bytes) {
        encoder = encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter).map_err(|error| format!("{error:#}"))?;
    }
    encoder.encode().map_err(|error| {
        format!("this core module cannot be made a component: {error:#}; it must carry its component type (build with wit-bindgen)")
    })
}

/// What makes WASI 0.2 of WASI preview 1, for a module that imports that. One that opens no file gets the smaller one: it holds no handle
/// from run to run, so that an instance can be kept, and imports neither files nor an environment.
fn preview1_adapter(bytes: &[u8]) -> Option<&'static [u8]> {
    let mut adapter = None;
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let Ok(wasmparser::Payload::ImportSection(section)) = payload else { continue };
        for import in section.into_imports().flatten().filter(|import| import.module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME) {
            if import.name.starts_with("path_") {
                return Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
            }
            adapter = Some(WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER);
        }
    }
    adapter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module that imports functions of these names, and has no more than the list of them.
    fn module(names: &[(&str, &str)]) -> Vec<u8> {
        let mut section = vec![u8::try_from(names.len()).expect("few")];
        for (module, name) in names {
            for text in [module, name] {
                section.push(u8::try_from(text.len()).expect("short"));
                section.extend(text.as_bytes());
            }
            section.extend([0, 0]);
        }
        let len = u8::try_from(section.len()).expect("short");
        assert!(len < 0x80, "one byte holds it");
        [b"\0asm\x01\0\0\0".as_slice(), &[2, len], section.as_slice()].concat()
    }

    #[test]
    fn only_a_module_that_opens_files_gets_the_adapter_with_files() {
        let adapter = |names: &[(&str, &str)]| preview1_adapter(&module(names)).map(<[u8]>::len);
        assert_eq!(adapter(&[("env", "path_open")]), None);
        assert_eq!(adapter(&[("wasi_snapshot_preview1", "fd_write")]), Some(WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER.len()));
        let opens = [("wasi_snapshot_preview1", "fd_write"), ("wasi_snapshot_preview1", "path_open")];
        assert_eq!(adapter(&opens), Some(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER.len()));
    }
}
