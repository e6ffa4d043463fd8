//! The `sickbay` binary. Everything else is in the library, where tests reach it.

use std::process::ExitCode;

/// A run allocates a few hundred small things: what the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The host starts itself again to compile plugins, under limits of its own: nothing else may be set up before.
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "compile-worker") {
        return sickbay_runtime::worker::main();
    }
    sickbay::cli::run(std::env::args_os())
}
