//! The circuit breaker of a sink: one that failed several times in a row is left alone for a while, then tried with one delivery.
//!
//! How: after [`FAILURES_MAX`] failures in a row nothing is attempted until `held_until`; each further failure doubles the time, from
//! [`HOLD_FIRST`] to [`HOLD_MAX`]. An attempt that is made then holds back the others until it has ended. A sink that asks for time is held as
//! long, whatever has failed. Both are forgotten when the sink may have been mended: it is written otherwise, or its plugin is another one.
//!
//! A sink that is no longer configured and is owed an end is kept, and not attempted, until it comes back or the end is given up.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::SinkName;
use crate::Timestamp;

pub const FAILURES_MAX: u32 = 5;
pub const HOLD_FIRST: Duration = Duration::from_secs(30);
pub const HOLD_MAX: Duration = Duration::from_secs(5 * 60);

/// What is stored of a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRow {
    pub sink: SinkName,
    /// In a row.
    pub failures: u32,
    /// Nothing is attempted before: it failed too often, or one attempt is made to see whether it is there again.
    pub held_until: Timestamp,
    /// Nothing is attempted before: it asked for that.
    pub asked_until: Timestamp,
    /// As it was written when it last failed.
    #[serde(default)]
    pub revision: u64,
    /// Since when it is no longer configured; it is owed an end.
    #[serde(default)]
    pub removed_at: Option<Timestamp>,
}

/// Why nothing is attempted at a sink, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub until: Timestamp,
    pub reason: HoldReason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    Asked,
    Failing {
        /// In a row.
        failures: u32,
    },
    /// What it is owed is given up then.
    Removed,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldReason::Asked => formatter.write_str("it asked for time"),
            HoldReason::Failing { failures } => write!(formatter, "it failed {failures} times in a row"),
            HoldReason::Removed => formatter.write_str("it is no longer configured"),
        }
    }
}

impl SinkRow {
    pub(super) fn new(sink: SinkName) -> SinkRow {
        SinkRow { sink, failures: 0, held_until: Timestamp(0), asked_until: Timestamp(0), revision: 0, removed_at: None }
    }

    /// Whether it failed so often that only one attempt is made at a time.
    pub fn is_broken(&self) -> bool {
        self.failures >= FAILURES_MAX
    }

    /// From when on something may be attempted.
    pub fn free_at(&self) -> Timestamp {
        self.held_until.max(self.asked_until)
    }

    /// Whether a failure or a wish of the sink is remembered.
    pub(super) fn is_held(&self) -> bool {
        self.failures > 0 || self.free_at() > Timestamp(0)
    }

    /// Why it is left alone at `now`, where it is configured.
    pub(super) fn hold(&self, now: Timestamp) -> Option<Hold> {
        let until = self.free_at();
        if until <= now {
            return None;
        }
        let is_asked = self.asked_until >= self.held_until;
        let reason = if is_asked { HoldReason::Asked } else { HoldReason::Failing { failures: self.failures } };
        Some(Hold { until, reason })
    }

    /// It may be well now.
    pub(super) fn mended(&mut self, revision: u64) {
        self.failures = 0;
        self.held_until = Timestamp(0);
        self.asked_until = Timestamp(0);
        self.revision = revision;
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
        self.held_until = Timestamp(0);
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.is_broken() {
            let doublings = self.failures.saturating_sub(FAILURES_MAX).min(20);
            self.held_until = now.plus(HOLD_FIRST.saturating_mul(1 << doublings).min(HOLD_MAX));
        }
    }

    /// One attempt is made; until it has ended the others wait.
    pub(super) fn probe(&mut self, lease_until: Timestamp) {
        self.held_until = lease_until;
    }

    /// The sink wants to be left alone until then.
    pub(super) fn ask(&mut self, until: Timestamp) {
        self.asked_until = self.asked_until.max(until);
        self.held_until = Timestamp(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_is_left_alone_for_longer_each_time_it_fails() {
        let mut row = SinkRow::new("oncall".into());
        for _ in 1..FAILURES_MAX {
            row.failed(Timestamp(1000));
        }
        assert_eq!((row.is_broken(), row.held_until), (false, Timestamp(0)));
        let holds: Vec<u64> = (0..5)
            .map(|_| {
                row.failed(Timestamp(1000));
                row.held_until.since(Timestamp(1000)).as_secs()
            })
            .collect();
        assert_eq!(holds, [30, 60, 120, 240, 300]);
        row.succeeded();
        assert_eq!((row.failures, row.held_until), (0, Timestamp(0)));
    }

    #[test]
    fn a_hold_says_until_when_and_why_and_goes_when_the_sink_is_mended() {
        let mut row = SinkRow::new("oncall".into());
        assert_eq!((row.hold(Timestamp(1000)), row.is_held()), (None, false));
        row.ask(Timestamp(5000));
        assert_eq!(row.hold(Timestamp(1000)), Some(Hold { until: Timestamp(5000), reason: HoldReason::Asked }));
        assert_eq!(row.hold(Timestamp(5000)), None);
        for _ in 0..FAILURES_MAX {
            row.failed(Timestamp(1000));
        }
        let hold = row.hold(Timestamp(1000)).expect("it is broken");
        assert_eq!((hold.until, hold.reason.to_string().as_str()), (Timestamp(31_000), "it failed 5 times in a row"));
        row.mended(7);
        assert_eq!((row.hold(Timestamp(1000)), row.is_held(), row.revision), (None, false, 7));
    }

    #[test]
    fn a_row_of_before_is_read() {
        let row: SinkRow = serde_json::from_str(r#"{"sink":"oncall","failures":2,"held_until":0,"asked_until":9}"#).expect("a row");
        assert_eq!((row.failures, row.revision, row.removed_at), (2, 0, None));
    }

    #[test]
    fn a_success_does_not_shorten_what_the_sink_asked_for() {
        let mut row = SinkRow::new("oncall".into());
        row.ask(Timestamp(5000));
        row.succeeded();
        row.ask(Timestamp(4000));
        assert_eq!(row.free_at(), Timestamp(5000));
        row.probe(Timestamp(6000));
        assert_eq!(row.free_at(), Timestamp(6000));
    }
}
