//! Why a plugin panicked, for the one who has to mend it.
//!
//! Over WASI the standard library writes it to standard error, which the host reads. `wasm32-unknown-unknown` has no standard error: there
//! it becomes an error in the log, so every plugin for that target imports `log`.

/// Has a panic from now on tell why. Called at the begin of every run, which is the begin of an instance.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub fn tell_panics() {
    use crate::report::{FAILURE_MESSAGE_BYTES_MAX, cut};

    std::panic::set_hook(Box::new(|panic| {
        // `panicked at FILE:LINE:COLUMN:`, a line's end, the text.
        let mut message = panic.to_string().replacen('\n', " ", 1);
        cut(&mut message, FAILURE_MESSAGE_BYTES_MAX);
        crate::log::error(&message, &[]);
    }));
}

/// Nothing to do: the standard library does it.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub fn tell_panics() {}
