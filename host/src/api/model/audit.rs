//! Records of what people and programs did by the API, as it shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How something ended that somebody wanted to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditResult {
    Done,
    /// It could not be done so: `status` is 4xx.
    Refused,
    /// The caller may not: no token, a wrong one, one with another role, or a foreign page.
    Denied,
    /// `status` is 5xx.
    Failed,
    /// The caller went away before the answer; it may have been done.
    Unknown,
}

/// What somebody did, or tried to do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditItem {
    pub id: String,
    /// When the request came.
    pub at: String,
    /// Whose token it was; on a loopback address who the body says, else `source`.
    pub actor: String,
    /// The address that the request came from.
    pub source: Option<String>,
    /// `run`, `acknowledge`, `note`, `add_silence`, `expire_silence`, `add_maintenance`, `remove_maintenance`, `resend`, `other`.
    pub action: String,
    /// The name or the id of what it was done to; empty where it is not known.
    pub target: String,
    pub result: AuditResult,
    /// Of the answer.
    pub status: Option<u16>,
    pub duration_ms: u64,
    /// What was sent, or why it was not done; masked, at most 1,000 characters and a mark.
    pub detail: String,
}
