//! What one call may still send and receive: drawn on at once by all that it does, in tasks of their own, where the meter is not at hand.

use std::sync::{Mutex, MutexGuard, PoisonError};

use sickbay_core::Quota;
use sickbay_runtime::Limits;

use crate::meter::Exceeded;

#[derive(Debug)]
pub(crate) struct Purse {
    limits: Limits,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    bytes_out: u64,
    bytes_in: u64,
}

impl Purse {
    pub(crate) fn new(limits: Limits, bytes_out: u64, bytes_in: u64) -> Purse {
        Purse { limits, left: Mutex::new(Left { bytes_out, bytes_in }) }
    }

    /// Asked before they go out: all of them or none.
    pub(crate) fn send(&self, bytes: u64) -> Result<(), Exceeded> {
        let mut left = self.left();
        left.bytes_out = left.bytes_out.checked_sub(bytes).ok_or_else(|| self.exceeded(Quota::BytesOut))?;
        Ok(())
    }

    /// They have come in. After an error nothing more is to be read.
    pub(crate) fn receive(&self, bytes: u64) -> Result<(), Exceeded> {
        let mut left = self.left();
        let rest = left.bytes_in.checked_sub(bytes);
        left.bytes_in = rest.unwrap_or(0);
        rest.map(|_| ()).ok_or_else(|| self.exceeded(Quota::BytesIn))
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exceeded(&self, quota: Quota) -> Exceeded {
        Exceeded { quota, limit: self.limits.of(quota) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_out_that_is_not_left() {
        let limits = Limits { bytes_out: 100, ..Limits::default() };
        let purse = Purse::new(limits, 10, 0);
        assert_eq!(purse.send(11), Err(Exceeded { quota: Quota::BytesOut, limit: 100 }));
        assert_eq!(purse.send(10), Ok(()), "what was refused was not taken");
        assert!(purse.send(1).is_err());
    }

    #[test]
    fn what_came_in_beyond_the_limit_leaves_nothing() {
        let limits = Limits { bytes_in: 100, ..Limits::default() };
        let purse = Purse::new(limits, 0, 10);
        assert_eq!(purse.receive(9), Ok(()));
        assert_eq!(purse.receive(2), Err(Exceeded { quota: Quota::BytesIn, limit: 100 }));
        assert!(purse.receive(1).is_err());
    }
}
