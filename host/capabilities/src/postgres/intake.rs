//! How much may come in one call, and who pays for it.

use bytes::Bytes;
use sickbay_core::Quota;

use super::wire::{Broken, Parts};
use crate::purse::Payer;

/// Of what the host asks for itself.
const OWN_BYTES_MAX: u64 = 1 << 20;
/// Values of one call: an empty one costs four bytes on the wire and many times that in memory.
const VALUES_MAX: usize = 256 << 10;

#[derive(Debug)]
pub(super) struct Intake {
    payer: Payer,
    rows_left: u32,
    values_left: usize,
    pub(super) rows: u32,
}

impl Intake {
    pub(super) fn new(rows_max: u32, payer: Payer) -> Intake {
        Intake { payer, rows_left: rows_max, values_left: VALUES_MAX, rows: 0 }
    }

    /// For what the host asks for itself.
    pub(super) fn own() -> Intake {
        Intake::new(u32::MAX, Payer::Host(OWN_BYTES_MAX))
    }

    /// Rows of the next statement.
    pub(super) fn rows_of(&self, rows_max: u32) -> u32 {
        self.rows_left.min(rows_max)
    }

    pub(super) fn bytes_left(&self) -> u64 {
        self.payer.bytes_left()
    }

    /// Whether the row fits; then it is counted and paid for.
    pub(super) fn take(&mut self, row: &Bytes) -> bool {
        let values = Parts(row).u16().map_or(0, usize::from).max(1);
        let Some(values_left) = self.values_left.checked_sub(values) else { return false };
        if !self.payer.take(length(row)) {
            return false;
        }
        self.values_left = values_left;
        self.rows_left = self.rows_left.saturating_sub(1);
        self.rows += 1;
        true
    }

    /// A message beside the rows, of which a function can raise any number. What cannot be paid for ends the call.
    pub(super) fn take_aside(&mut self, tag: u8, body: &Bytes) -> Result<(), Broken> {
        if self.payer.take(length(body)) {
            return Ok(());
        }
        Err(match &self.payer {
            Payer::Run(purse) => Broken::Exceeded(purse.exceed(Quota::BytesIn)),
            Payer::Host(_) => Broken::TooLarge(tag),
        })
    }
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sickbay_runtime::Limits;

    use super::super::wire::tag;
    use super::*;
    use crate::purse::Purse;

    #[test]
    fn rows_are_taken_as_long_as_they_fit() {
        let row = |length: usize| Bytes::from([&[0_u8, 1][..], &vec![b'x'; length]].concat());
        let mut intake = Intake::new(3, Payer::Host(20));
        assert!(intake.take(&row(8)) && !intake.take(&row(9)) && intake.take(&row(8)));
        assert_eq!((intake.rows, intake.bytes_left(), intake.rows_of(5)), (2, 0, 1));
        let mut wide = Intake::new(u32::MAX, Payer::Host(u64::MAX));
        wide.values_left = 1;
        assert!(wide.take(&row(0)) && !wide.take(&row(0)), "an empty row costs too");
    }

    #[test]
    fn what_comes_beside_the_rows_is_paid_for_too() {
        let purse = Arc::new(Purse::new(Limits { bytes_in: 10, ..Limits::default() }));
        let mut intake = Intake::new(3, Payer::Run(Arc::clone(&purse)));
        let notice = Bytes::from_static(b"a notice");
        assert!(intake.take_aside(tag::NOTICE, &notice).is_ok());
        assert!(matches!(intake.take_aside(tag::NOTICE, &notice), Err(Broken::Exceeded(exceeded)) if exceeded.limit == 10));
        assert_eq!(purse.exceeded().map(|exceeded| exceeded.quota), Some(Quota::BytesIn));
        let mut own = Intake::new(3, Payer::Host(10));
        assert!(own.take_aside(tag::NOTICE, &notice).is_ok());
        assert!(matches!(own.take_aside(tag::NOTICE, &notice), Err(Broken::TooLarge(tag::NOTICE))));
    }
}
