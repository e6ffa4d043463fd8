//! The compile worker: a process of its own that turns one untrusted `.wasm` into an artifact.
//!
//! Compilation time is outside wasmtime's security policy, so it happens here, under limits that the worker sets for itself before it
//! reads a byte: memory, processor time, no core dump, low priority. It reads `INPUT`, writes `OUTPUT` and says on stdout what went wrong.
//!
//! Invariant: the worker inherits no environment and opens no file but the two that it is given.

use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use wasmtime::Engine;

/// Memory that a compilation may use; an 18 MB guest peaks at about 340 MB.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// Processor time of a compilation; an 18 MB guest takes about 7 s.
const CPU_SECONDS_MAX: u64 = 120;

/// The worker's name on the command line: `sickbay compile-worker INPUT OUTPUT`.
pub const COMMAND: &str = "compile-worker";

/// Runs the worker with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(2).collect();
    let [input, output] = arguments.as_slice() else {
        println!("usage: sickbay {COMMAND} INPUT OUTPUT (called by the host, not by people)");
        return ExitCode::from(2);
    };
    match limit_self().and_then(|()| work(Path::new(input), Path::new(output))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn limit_self() -> Result<(), String> {
    let bound = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Core, bound(0)).map_err(|error| error.to_string())?;
    setrlimit(Resource::Data, bound(MEMORY_BYTES_MAX)).map_err(|error| error.to_string())?;
    setrlimit(Resource::Cpu, bound(CPU_SECONDS_MAX)).map_err(|error| error.to_string())?;
    // A worker at normal priority is slower for others, not wrong.
    let _ = nice(10);
    Ok(())
}

fn work(input: &Path, output: &Path) -> Result<(), String> {
    let bytes = std::fs::read(input).map_err(|error| format!("cannot read the file: {error}"))?;
    let component = component(&bytes)?;
    let engine = Engine::new(&crate::engine::config()).map_err(|error| format!("{error:#}"))?;
    let artifact = engine.precompile_component(&component).map_err(|error| format!("not a valid component: {error:#}"))?;
    std::fs::write(output, artifact).map_err(|error| format!("cannot write the artifact: {error}"))
}

/// The component in `bytes`, made from a core module where it is one that carries its component type.
fn component(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if wasmparser::Parser::is_component(bytes) {
        return Ok(bytes.to_vec());
    }
    let mut encoder = wit_component::ComponentEncoder::default().validate(true).module(bytes).map_err(|error| format!("{error:#}"))?;
    if imports_preview1(bytes) {
        use wasi_preview1_component_adapter_provider::{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER};
        encoder = encoder
            .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
            .map_err(|error| format!("{error:#}"))?;
    }
    encoder.encode().map_err(|error| {
        format!("this core module cannot be made a component: {error:#}; it must carry its component type (build with wit-bindgen)")
    })
}

fn imports_preview1(bytes: &[u8]) -> bool {
    wasmparser::Parser::new(0).parse_all(bytes).any(|payload| match payload {
        Ok(wasmparser::Payload::ImportSection(section)) => {
            section.into_imports().any(|import| import.is_ok_and(|import| import.module == "wasi_snapshot_preview1"))
        }
        _ => false,
    })
}
