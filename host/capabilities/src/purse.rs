//! What a run may still send and receive: drawn on by all that it does at once, also in tasks of their own, while it goes on.
//!
//! Invariant: nothing goes out that is not left; after the first byte too many nothing more is read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sickbay_core::Quota;
use sickbay_runtime::Limits;

use crate::meter::Exceeded;

#[derive(Debug)]
pub(crate) struct Purse {
    limits: Limits,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    bytes_out: u64,
    bytes_in: u64,
    /// The first limit of the run that was passed, whichever it was.
    exceeded: Option<Exceeded>,
}

impl Purse {
    pub(crate) fn new(limits: Limits) -> Purse {
        Purse { limits, spent: Mutex::default() }
    }

    /// Asked before they go out: all of them or none.
    pub(crate) fn send(&self, bytes: u64) -> Result<(), Exceeded> {
        {
            let mut spent = self.spent();
            let total = spent.bytes_out.saturating_add(bytes);
            if total <= self.limits.bytes_out {
                spent.bytes_out = total;
                return Ok(());
            }
        }
        Err(self.exceed(Quota::BytesOut))
    }

    /// They have come in. After an error the guest does not get them, and nothing more is to be read.
    pub(crate) fn receive(&self, bytes: u64) -> Result<(), Exceeded> {
        let total = {
            let mut spent = self.spent();
            spent.bytes_in = spent.bytes_in.saturating_add(bytes);
            spent.bytes_in
        };
        if total > self.limits.bytes_in { Err(self.exceed(Quota::BytesIn)) } else { Ok(()) }
    }

    /// As [`Purse::receive`], of what can be left out: all of them or none, and none is no error.
    fn take(&self, bytes: u64) -> bool {
        let mut spent = self.spent();
        let total = spent.bytes_in.saturating_add(bytes);
        let fits = total <= self.limits.bytes_in;
        if fits {
            spent.bytes_in = total;
        }
        fits
    }

    /// Remembers that a limit was passed.
    pub(crate) fn exceed(&self, quota: Quota) -> Exceeded {
        let exceeded = Exceeded { quota, limit: self.limits.of(quota) };
        self.spent().exceeded.get_or_insert(exceeded);
        exceeded
    }

    pub(crate) fn exceeded(&self) -> Option<Exceeded> {
        self.spent().exceeded
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.spent().bytes_out
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.spent().bytes_in
    }

    pub(crate) fn bytes_in_left(&self) -> u64 {
        self.limits.bytes_in.saturating_sub(self.bytes_in())
    }

    fn spent(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who pays for what a server of the operator's sends.
#[derive(Debug)]
pub(crate) enum Payer {
    Run(Arc<Purse>),
    /// What the host asks for itself: so many bytes may still come.
    Host(u64),
}

impl Payer {
    /// All of them or none.
    pub(crate) fn take(&mut self, bytes: u64) -> bool {
        match self {
            Payer::Run(purse) => purse.take(bytes),
            Payer::Host(left) => left.checked_sub(bytes).inspect(|rest| *left = *rest).is_some(),
        }
    }

    pub(crate) fn bytes_left(&self) -> u64 {
        match self {
            Payer::Run(purse) => purse.bytes_in_left(),
            Payer::Host(left) => *left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_out_that_is_not_left() {
        let purse = Purse::new(Limits { bytes_out: 10, ..Limits::default() });
        assert_eq!(purse.send(11), Err(Exceeded { quota: Quota::BytesOut, limit: 10 }));
        assert_eq!(purse.send(10), Ok(()), "what was refused was not taken");
        assert!(purse.send(1).is_err());
        assert_eq!(purse.bytes_out(), 10);
    }

    #[test]
    fn what_came_in_beyond_the_limit_leaves_nothing_and_the_first_limit_counts() {
        let purse = Purse::new(Limits { bytes_in: 10, bytes_out: 0, ..Limits::default() });
        assert_eq!(purse.receive(9), Ok(()));
        let exceeded = Exceeded { quota: Quota::BytesIn, limit: 10 };
        assert_eq!(purse.receive(2), Err(exceeded));
        assert!(purse.receive(1).is_err() && purse.send(1).is_err());
        assert_eq!((purse.exceeded(), purse.bytes_in_left()), (Some(exceeded), 0));
    }

    #[test]
    fn what_may_be_left_out_is_taken_whole_or_not_at_all() {
        let purse = Arc::new(Purse::new(Limits { bytes_in: 10, ..Limits::default() }));
        for mut payer in [Payer::Run(Arc::clone(&purse)), Payer::Host(10)] {
            assert!(payer.take(6) && !payer.take(5) && payer.take(4) && !payer.take(1));
            assert_eq!(payer.bytes_left(), 0);
        }
        assert_eq!((purse.exceeded(), purse.bytes_in()), (None, 10));
    }
}
