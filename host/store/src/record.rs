//! One recorded run.

use std::collections::BTreeMap;

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
}

impl Trigger {
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Schedule => "schedule",
            Trigger::Manual => "manual",
        }
    }
}

/// The result of one run, what was decided on it, and the state of its check afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRecord {
    /// Place in the one sequence of the whole host, from 1 and rising; given by the store, 0 before.
    pub seq: u64,
    pub check: String,
    /// With the check's name the identity of the result.
    pub scheduled_at: Timestamp,
    pub started_at: Timestamp,
    pub duration_us: u64,
    pub trigger: Trigger,
    pub plugin: String,
    pub plugin_version: String,
    pub status: Status,
    pub summary: String,
    pub reason: Reason,
    pub decision: Decision,
    pub failure: Option<String>,
    pub evidence: Vec<Evidence>,
    /// Finite values only.
    pub metrics: Vec<Metric>,
    /// A JSON object as text.
    pub details: Option<String>,
    /// After this result: the newest record of a check is its state after a restart.
    pub state: CheckState,
    /// Where the confirmed status changed with this result.
    pub transition: Option<Transition>,
    /// All the small values that the plugin keeps for this check, when this run changed them. Written with the result;
    /// read through [`crate::Store::plugin_states`], so a record that was read has none.
    pub plugin_state: Option<BTreeMap<String, Vec<u8>>>,
}
