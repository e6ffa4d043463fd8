//! Work on another thread that nobody waits for any more. Nothing interrupts it, so it asks before each step.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The work's side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

/// The side of whoever waits: dropping it abandons the work.
pub(crate) struct Waiting(Abandoned);

impl Abandoned {
    pub(crate) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Waiting {
    pub(crate) fn new() -> (Waiting, Abandoned) {
        let abandoned = Abandoned::default();
        (Waiting(abandoned.clone()), abandoned)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
