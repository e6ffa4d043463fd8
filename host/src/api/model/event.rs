//! What the events tell beside results.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeliveryItem, TimelineItem};
use crate::alerting::rows::Line;

/// A line of an incident's timeline: `data` of an event `incident`. `/api/v1/incidents/ID` has the incident itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentEventItem {
    pub seq: u64,
    /// Its id.
    pub incident: String,
    /// The label `alertname` of the incident.
    pub alert: Option<String>,
    /// Null where it was posted.
    pub check: Option<String>,
    /// `P0` to `P3`.
    pub severity: Option<String>,
    #[serde(flatten)]
    pub line: TimelineItem,
}

impl IncidentEventItem {
    pub(crate) fn of(seq: u64, line: Line) -> IncidentEventItem {
        IncidentEventItem {
            seq,
            incident: line.event.incident.to_string(),
            line: TimelineItem::from(&line.event),
            alert: line.alert,
            check: line.check,
            severity: line.severity.map(|severity| severity.as_str().to_owned()),
        }
    }
}

/// A notification that ended: `data` of an event `delivery`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DeliveryEventItem {
    pub seq: u64,
    #[serde(flatten)]
    pub delivery: DeliveryItem,
}
