//! What a run found, in the words of the contract (`wit/types.wit`).
//!
//! The runtime validates a guest's answer against the bounds of the contract before it becomes one of these types,
//! so nothing here is larger than the contract allows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Status;

/// One named text.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    #[default]
    Gauge,
    Counter,
}

/// One number, always finite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    pub name: String,
    pub value: f64,
    #[serde(default)]
    pub kind: MetricKind,
    /// `seconds`, `bytes`, `ratio`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Sorted by name; a name with its labels occurs once in a report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
}

/// What was measured against what was allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Empty where no metric is behind it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metric: String,
    pub actual: String,
    pub expected: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// What one run found about its target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub status: Status,
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Shared with the record of the run.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub metrics: Arc<[Metric]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// A JSON object as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<Label>,
}

/// The plugin could not judge, and says so: a denial, a wrong configuration, a defect of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `denied`, `quota`, `configuration`, `internal`.
    pub kind: String,
    pub message: String,
}

/// A bound of one run. The words are the closed list of the metric label `quota`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    CpuMs,
    MemoryBytes,
    HostCalls,
    BytesIn,
    BytesOut,
    Rows,
    LogBytes,
}

impl Quota {
    pub const ALL: [Quota; 7] =
        [Quota::CpuMs, Quota::MemoryBytes, Quota::HostCalls, Quota::BytesIn, Quota::BytesOut, Quota::Rows, Quota::LogBytes];

    /// The key in `limits` of the configuration, and the value of the metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Quota::CpuMs => "cpu_ms",
            Quota::MemoryBytes => "memory_bytes",
            Quota::HostCalls => "host_calls",
            Quota::BytesIn => "bytes_in",
            Quota::BytesOut => "bytes_out",
            Quota::Rows => "rows",
            Quota::LogBytes => "log_bytes",
        }
    }
}

/// Why the host ended a run, or never began it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    /// The guest stopped itself or broke a rule of the sandbox.
    Trap { message: String },
    /// The run's own deadline passed.
    Deadline { timeout_ms: u32 },
    /// A bound of the run was reached.
    Quota { quota: Quota, limit: u64 },
    /// The answer broke a bound of the contract.
    InvalidReport { message: String },
    /// No version of the plugin is loaded, or it has no such kind.
    PluginMissing { message: String },
    /// No permit came free in time.
    Overloaded { waited_ms: u64 },
    /// The service did not answer in time, and the host was itself so late.
    HostLate { lateness_ms: u64 },
}

/// All that one run can come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    Report(Report),
    Failure(Failure),
    Ended(EndCause),
}
