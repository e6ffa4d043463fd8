//! What one run uses through calls of the host, against its limits.
//!
//! Every call goes through it before anything is done. What is over a limit is not done: the call answers its interface's `quota` arm, or
//! ends the run where the interface has none. The first limit that was passed is remembered, so that the run's result names it
//! whatever the guest makes of the answer. Bytes are paid out of the run's [`Purse`], also while a call goes on.
//!
//! Log lines are not calls: they are counted by their bytes, dropped beyond the limit, and only a flood of them ends the run.

use std::fmt;
use std::sync::Arc;

use sickbay_core::Quota;
use sickbay_runtime::Limits;

use crate::denial::Capability;
use crate::purse::Purse;

/// A log line costs at least this many bytes: an empty one is written too.
pub const LOG_LINE_BYTES_MIN: u64 = 16;
/// A run that goes on logging after this many dropped lines is ended.
pub const LOG_LINES_DROPPED_MAX: u64 = 10_000;

/// A limit of the run was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    pub quota: Quota,
    pub limit: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.quota.as_str();
        write!(
            formatter,
            "the run reached its limit `{name}` = {limit}; hint: raise `limits = {{ {name} = ... }}` of the plugin",
            limit = self.limit
        )
    }
}

/// What becomes of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogVerdict {
    Write,
    Drop,
    /// The guest does nothing else: end the run.
    Flood(Exceeded),
}

/// How many, of each capability in the order of [`Capability::ALL`].
pub type Calls = [u32; Capability::ALL.len()];

/// The counts of one run.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    purse: Arc<Purse>,
    /// All together.
    host_calls: u32,
    calls: Calls,
    rows: u32,
    log_bytes: u64,
    log_bytes_dropped: u64,
    log_lines_dropped: u64,
}

impl Meter {
    pub fn new(limits: Limits) -> Meter {
        Meter {
            limits,
            purse: Arc::new(Purse::new(limits)),
            host_calls: 0,
            calls: Calls::default(),
            rows: 0,
            log_bytes: 0,
            log_bytes_dropped: 0,
            log_lines_dropped: 0,
        }
    }

    /// One call of the host. The limit is on those of all capabilities together.
    pub fn call(&mut self, capability: Capability) -> Result<(), Exceeded> {
        if self.host_calls >= self.limits.host_calls {
            return Err(self.exceed(Quota::HostCalls));
        }
        self.host_calls += 1;
        self.calls[capability as usize] += 1;
        Ok(())
    }

    /// Bytes about to go to the network.
    pub fn send(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.purse.send(bytes)
    }

    /// For a call that pays while the meter is not at hand.
    pub(crate) fn purse(&self) -> Arc<Purse> {
        Arc::clone(&self.purse)
    }

    /// Bytes that came from the network or from files; beyond the limit the guest does not get them.
    pub fn received(&mut self, bytes: u64) -> Result<(), Exceeded> {
        self.purse.receive(bytes)
    }

    /// One log line of `bytes`.
    pub fn log(&mut self, bytes: u64) -> LogVerdict {
        let total = self.log_bytes.saturating_add(bytes.max(LOG_LINE_BYTES_MIN));
        if total <= u64::from(self.limits.log_bytes) {
            self.log_bytes = total;
            return LogVerdict::Write;
        }
        self.log_bytes_dropped = self.log_bytes_dropped.saturating_add(bytes);
        self.log_lines_dropped += 1;
        if self.log_lines_dropped > LOG_LINES_DROPPED_MAX {
            return LogVerdict::Flood(self.exceed(Quota::LogBytes));
        }
        LogVerdict::Drop
    }

    /// The first limit that was passed.
    pub fn exceeded(&self) -> Option<Exceeded> {
        self.purse.exceeded()
    }

    pub fn host_calls(&self) -> u32 {
        self.host_calls
    }

    pub fn calls(&self) -> Calls {
        self.calls
    }

    pub fn bytes_in(&self) -> u64 {
        self.purse.bytes_in()
    }

    /// Rows that the run may still get.
    pub fn rows_left(&self) -> u32 {
        self.limits.rows.saturating_sub(self.rows)
    }

    /// Rows that the guest got so far.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Rows that the guest got.
    pub fn took_rows(&mut self, rows: u32) {
        self.rows = self.rows.saturating_add(rows);
    }

    pub fn bytes_out(&self) -> u64 {
        self.purse.bytes_out()
    }

    pub fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    pub fn log_bytes_dropped(&self) -> u64 {
        self.log_bytes_dropped
    }

    pub fn log_lines_dropped(&self) -> u64 {
        self.log_lines_dropped
    }

    /// Remembers that a limit was passed.
    pub(crate) fn exceed(&mut self, quota: Quota) -> Exceeded {
        self.purse.exceed(quota)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter() -> Meter {
        Meter::new(Limits { host_calls: 2, bytes_in: 100, bytes_out: 10, log_bytes: 64, ..Limits::default() })
    }

    #[test]
    fn a_call_beyond_the_limit_is_refused_and_remembered() {
        let mut meter = meter();
        assert_eq!((meter.call(Capability::Http), meter.call(Capability::State)), (Ok(()), Ok(())));
        let exceeded = Exceeded { quota: Quota::HostCalls, limit: 2 };
        assert_eq!(meter.call(Capability::Http), Err(exceeded));
        assert_eq!(meter.received(101), Err(Exceeded { quota: Quota::BytesIn, limit: 100 }));
        assert_eq!(meter.exceeded(), Some(exceeded), "the first one counts");
        assert_eq!(meter.host_calls(), 2);
        assert_eq!(meter.calls(), [1, 0, 0, 0, 0, 0, 0, 1], "each of its own capability, and none that was refused");
    }

    #[test]
    fn bytes_that_would_pass_the_limit_are_not_sent() {
        let mut meter = meter();
        assert_eq!(meter.send(10), Ok(()));
        assert!(meter.send(1).is_err());
        assert_eq!(meter.bytes_out(), 10, "what was not sent is not counted");
    }

    #[test]
    fn log_lines_beyond_the_limit_are_dropped_and_end_no_run() {
        let mut meter = meter();
        assert_eq!(meter.log(40), LogVerdict::Write);
        assert_eq!(meter.log(40), LogVerdict::Drop);
        assert_eq!(meter.log(0), LogVerdict::Write, "a shorter one still fits");
        assert_eq!((meter.log_bytes_dropped(), meter.exceeded()), (40, None));
    }

    #[test]
    fn a_flood_of_empty_log_lines_ends_the_run() {
        let mut meter = meter();
        let written = (0..).take_while(|_| meter.log(0) == LogVerdict::Write).count();
        assert_eq!(written, 4);
        for _ in 1..LOG_LINES_DROPPED_MAX {
            assert_eq!(meter.log(0), LogVerdict::Drop);
        }
        assert_eq!(meter.log(0), LogVerdict::Flood(Exceeded { quota: Quota::LogBytes, limit: 64 }));
        assert_eq!(meter.exceeded().map(|exceeded| exceeded.quota), Some(Quota::LogBytes));
    }
}
