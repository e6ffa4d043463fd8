//! The bounds of one run.

use serde::{Deserialize, Serialize};
use sickbay_core::Quota;

/// What one run may use. Every bound has a key in `limits` of the configuration and a word in the metric label `quota`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Time in which the guest computes; waiting for a host call costs none.
    pub cpu_ms: u32,
    /// Linear memory and tables of all instances of the component together.
    pub memory_bytes: u64,
    pub host_calls: u32,
    /// What the network and the files of the host gave to the guest.
    pub bytes_in: u64,
    /// What the guest sent to the network.
    pub bytes_out: u64,
    pub rows: u32,
    /// Log lines and output beyond it are dropped and counted; only a flood of thousands of log lines ends a run for it.
    pub log_bytes: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            cpu_ms: 200,
            memory_bytes: 64 << 20,
            host_calls: 100,
            bytes_in: 8 << 20,
            bytes_out: 1 << 20,
            rows: 10_000,
            log_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// The lesser of two in every bound: a check may lower what its plugin was given.
    pub fn lesser(self, other: Limits) -> Limits {
        Limits {
            cpu_ms: self.cpu_ms.min(other.cpu_ms),
            memory_bytes: self.memory_bytes.min(other.memory_bytes),
            host_calls: self.host_calls.min(other.host_calls),
            bytes_in: self.bytes_in.min(other.bytes_in),
            bytes_out: self.bytes_out.min(other.bytes_out),
            rows: self.rows.min(other.rows),
            log_bytes: self.log_bytes.min(other.log_bytes),
        }
    }

    pub fn of(&self, quota: Quota) -> u64 {
        match quota {
            Quota::CpuMs => self.cpu_ms.into(),
            Quota::MemoryBytes => self.memory_bytes,
            Quota::HostCalls => self.host_calls.into(),
            Quota::BytesIn => self.bytes_in,
            Quota::BytesOut => self.bytes_out,
            Quota::Rows => self.rows.into(),
            Quota::LogBytes => self.log_bytes.into(),
        }
    }
}
