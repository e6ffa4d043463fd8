//! What exchanges cost and met that end while the run's [`crate::Lent`] is not at hand: kept here until it counts them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::denial::Denial;
use crate::meter::Exceeded;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: Mutex<Entries>,
}

/// As many denials as there were host calls, at most.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) bytes_out: u64,
    pub(crate) bytes_in: u64,
    pub(crate) denials: Vec<Denial>,
    /// The first limit that was passed.
    pub(crate) exceeded: Option<Exceeded>,
}

impl Ledger {
    pub(crate) fn note_bytes(&self, bytes_out: u64, bytes_in: u64) {
        let mut entries = self.entries();
        entries.bytes_out = entries.bytes_out.saturating_add(bytes_out);
        entries.bytes_in = entries.bytes_in.saturating_add(bytes_in);
    }

    pub(crate) fn note_denial(&self, denial: Denial) {
        self.entries().denials.push(denial);
    }

    pub(crate) fn note_exceeded(&self, exceeded: Exceeded) {
        self.entries().exceeded.get_or_insert(exceeded);
    }

    pub(crate) fn exceeded(&self) -> Option<Exceeded> {
        self.entries().exceeded
    }

    pub(crate) fn take(&self) -> Entries {
        std::mem::take(&mut *self.entries())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
