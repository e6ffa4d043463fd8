//! One recorded run.
//!
//! A record is made once, when a run has been judged, and from then on shared and never changed: by what readers see of the check, the
//! queue, the store and the event streams. Its number comes with the commit and stands beside it ([`Committed`]).

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use sickbay_core::{CheckState, Decision, Evidence, Metric, Reason, Status, Timestamp, Transition};

/// What started a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    #[default]
    Schedule,
    /// Somebody asked for it now.
    Manual,
    /// Somebody told the result.
    Push,
    /// What is confirmed of a member of a composite changed.
    Member,
}

impl Trigger {
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Manual => "manual",
            Trigger::Push => "push",
            Trigger::Member => "member",
        }
    }
}

/// The result of one run, what was decided on it, and the state of its check afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRecord {
    pub check: Arc<str>,
    /// With the check's name the identity of the result.
    pub scheduled_at: Timestamp,
    pub started_at: Timestamp,
    pub duration_us: u64,
    pub trigger: Trigger,
    pub plugin: Arc<str>,
    /// Empty where no version ran.
    pub plugin_version: Arc<str>,
    pub status: Status,
    pub summary: String,
    pub reason: Reason,
    pub decision: Decision,
    pub failure: Option<String>,
    pub evidence: Vec<Evidence>,
    /// Finite values only.
    pub metrics: Arc<[Metric]>,
    /// A JSON object as text.
    pub details: Option<String>,
    /// After this result: the newest record of a check is its state after a restart.
    ///
    /// Invariant: where the result is ok, the last success is `started_at`.
    pub state: CheckState,
    /// Where the confirmed status changed with this result.
    pub transition: Option<Transition>,
    /// All the small values that the plugin keeps for this check, when this run changed them. Written with the result;
    /// read through [`crate::Store::plugin_states`], so a record that was read has none.
    pub plugin_state: Option<Arc<BTreeMap<String, Vec<u8>>>>,
}

impl ResultRecord {
    /// Whether a report of the plugin is behind it.
    pub fn is_by_report(&self) -> bool {
        matches!(self.reason, Reason::Passed | Reason::Reported { .. } | Reason::ConditionFailed { .. } | Reason::ConditionError { .. })
    }
}

/// A record that is in the store: just written, or read again. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// Place in the one sequence of the whole host, from 1 and rising.
    pub seq: u64,
    pub record: Arc<ResultRecord>,
}
