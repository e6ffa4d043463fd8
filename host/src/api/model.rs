//! What the API says: the shapes of its JSON, made from the live state and from records of the store.
//!
//! They are types of their own so that what users see does not change when a type inside does, and so that nothing gets out that was
//! not put here: a check's `config`, which may hold what looks like a secret, has no field.
//!
//! Invariant: times are RFC 3339 in UTC with milliseconds, or null.

mod audit;
mod check;
mod delivery;
mod event;
mod incident;
mod maintenance;
mod plugin;
mod result;
mod silence;
mod slo;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sickbay_core::{Decision, MetricKind, StateKind, Status, Timestamp};
use utoipa::ToSchema;

use crate::clock::rfc3339;

pub use audit::{AuditItem, AuditResult};
pub use check::{CheckDetail, CheckItem, HoldingItem};
pub use delivery::DeliveryItem;
pub(crate) use delivery::{STATE_NAMES, state_name};
pub use event::{DeliveryEventItem, IncidentEventItem};
pub use incident::{
    AckItem, CheckAlertsItem, ExplainedItem, ExplanationItem, IncidentDetail, IncidentItem, MuteItem, NextItem, RouteItem, RungItem,
    TimelineItem, ToldItem,
};
pub use maintenance::MaintenanceItem;
pub use plugin::{
    KindItem, LoadFailureItem, MetricInfoItem, NeedItem, PeakUsageItem, PluginDetail, PluginItem, PluginState, ProducerItem,
    QuarantineItem, Uses, VersionItem, VersionState,
};
pub use result::{EvidenceItem, MetricItem, ResultItem, TransitionItem};
pub use silence::SilenceItem;
pub use slo::{BudgetItem, BurnRateItem, FiringItem, LatencyItem, PercentilesItem, SloDetail, SloItem, SloRow};

/// One part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What to pass to get the part behind this one; null at the end.
    pub next: Option<String>,
}

/// What a result says; `unknown` is not "down": nobody could judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusWord {
    Unknown,
    Ok,
    Warning,
    Critical,
}

impl StatusWord {
    /// Worst first, in the order of `Status::worse`.
    pub const WORST_FIRST: [StatusWord; 4] = [StatusWord::Critical, StatusWord::Unknown, StatusWord::Warning, StatusWord::Ok];

    pub fn as_str(self) -> &'static str {
        match self {
            StatusWord::Unknown => "unknown",
            StatusWord::Ok => "ok",
            StatusWord::Warning => "warning",
            StatusWord::Critical => "critical",
        }
    }

    /// The place in [`StatusWord::WORST_FIRST`]: sorts the worst to the front.
    pub fn rank(self) -> usize {
        StatusWord::WORST_FIRST.iter().position(|word| *word == self).unwrap_or(StatusWord::WORST_FIRST.len())
    }
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Status {
        match word {
            StatusWord::Unknown => Status::Unknown,
            StatusWord::Ok => Status::Ok,
            StatusWord::Warning => Status::Warning,
            StatusWord::Critical => Status::Critical,
        }
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> StatusWord {
        match status {
            Status::Unknown => StatusWord::Unknown,
            Status::Ok => StatusWord::Ok,
            Status::Warning => StatusWord::Warning,
            Status::Critical => StatusWord::Critical,
        }
    }
}

/// `soft` while `status` is not the confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    Soft,
    Hard,
}

impl From<StateKind> for StateWord {
    fn from(kind: StateKind) -> StateWord {
        match kind {
            StateKind::Soft => StateWord::Soft,
            StateKind::Hard => StateWord::Hard,
        }
    }
}

fn metric_kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Gauge => "gauge",
        MetricKind::Counter => "counter",
    }
}

fn time_unless_never(at: Timestamp) -> Option<String> {
    (at != Timestamp::default()).then(|| rfc3339(at))
}

/// Numbers and words only, so it always serialises.
fn decision(decision: &Decision) -> Value {
    serde_json::to_value(decision).unwrap_or_default()
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// JSON that was text inside; what is none after all stays text.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_never_began_has_no_time() {
        assert_eq!(time_unless_never(Timestamp(0)), None);
        assert_eq!(time_unless_never(Timestamp(1_700_000_000_007)).as_deref(), Some("2023-11-14T22:13:20.007Z"));
    }

    #[test]
    fn the_worst_status_sorts_first_as_the_core_ranks_it() {
        for (worse, better) in StatusWord::WORST_FIRST.iter().zip(&StatusWord::WORST_FIRST[1..]) {
            assert!(worse.rank() < better.rank());
        }
        for left in Status::ALL {
            for right in Status::ALL {
                let worse = StatusWord::from(left.worse(right));
                assert_eq!(worse.rank(), StatusWord::from(left).rank().min(StatusWord::from(right).rank()));
            }
        }
    }

    #[test]
    fn words_are_those_of_the_core() {
        for status in Status::ALL {
            assert_eq!(StatusWord::from(status).as_str(), status.as_str());
            assert_eq!(serde_json::to_value(StatusWord::from(status)).unwrap(), status.as_str());
        }
    }

    #[test]
    fn details_that_are_no_json_stay_text() {
        assert_eq!(json("{\"a\":1}"), serde_json::json!({ "a": 1 }));
        assert_eq!(json("{\"a\":"), Value::String("{\"a\":".to_owned()));
    }
}
