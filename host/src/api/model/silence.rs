//! Silences as the API shows them.

use serde::{Deserialize, Serialize};
use sickbay_core::Timestamp;
use sickbay_core::alerting::Silence;
use utoipa::ToSchema;

use crate::clock::rfc3339;

/// What mutes incidents for a time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SilenceItem {
    pub id: String,
    /// `pending` (it begins later), `active` or `expired`.
    pub state: String,
    /// All of them hold for what it mutes.
    pub matchers: Vec<String>,
    pub starts_at: String,
    pub ends_at: String,
    pub created_by: String,
    pub comment: String,
    pub updated_at: String,
}

impl SilenceItem {
    pub fn of(silence: &Silence, now: Timestamp) -> SilenceItem {
        let state = if silence.is_over || silence.ends_at <= now {
            "expired"
        } else if silence.is_active(now) {
            "active"
        } else {
            "pending"
        };
        SilenceItem {
            id: silence.id.to_string(),
            state: state.to_owned(),
            matchers: silence.matchers.iter().map(ToString::to_string).collect(),
            starts_at: rfc3339(silence.starts_at),
            ends_at: rfc3339(silence.ends_at),
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            updated_at: rfc3339(silence.updated_at),
        }
    }
}
