//! The four states of a check and how they compare.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one result says. `unknown` is not "down": nobody could judge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    #[default]
    Unknown,
    Ok,
    Warning,
    Critical,
}

impl Status {
    pub const ALL: [Status; 4] = [Status::Unknown, Status::Ok, Status::Warning, Status::Critical];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Unknown => "unknown",
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Critical => "critical",
        }
    }

    /// A failure of the target; `unknown` is none.
    pub fn is_failure(self) -> bool {
        matches!(self, Status::Warning | Status::Critical)
    }

    /// The worse of two judgements of one target: critical, then unknown, then warning, then ok.
    pub fn worse(self, other: Status) -> Status {
        let rank = |status: Status| match status {
            Status::Ok => 0,
            Status::Warning => 1,
            Status::Unknown => 2,
            Status::Critical => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Whether the last result has been confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// The last status is not (yet) the confirmed one.
    Soft,
    #[default]
    Hard,
}

impl StateKind {
    pub fn as_str(self) -> &'static str {
        match self {
            StateKind::Soft => "soft",
            StateKind::Hard => "hard",
        }
    }
}
