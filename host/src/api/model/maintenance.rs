//! Maintenance windows as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// While it is on, incidents that match are not told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MaintenanceItem {
    /// The name, where it is of the configuration.
    pub id: String,
    pub name: String,
    /// `configuration` or `api`; only the latter can be removed.
    pub origin: String,
    pub is_active: bool,
    /// When it begins or ends next.
    pub next_change_at: Option<String>,
    /// All of them hold for what it mutes; none means everything.
    pub matchers: Vec<String>,
    /// Of one that comes once.
    pub starts_at: Option<String>,
    pub ends_at: Option<String>,
    /// Of one that comes again and again.
    pub cron: Option<String>,
    pub timezone: Option<String>,
    pub duration_seconds: Option<u64>,
    pub created_by: Option<String>,
    pub created_at: Option<String>,
}
