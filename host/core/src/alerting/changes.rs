//! What the machine answers: rows to write, all in one transaction, before anything acts on them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::breaker::{HOLD_MAX, SinkRow};
use super::config::SinkName;
use super::delivery::{Delivery, DeliveryState, RETRY_AFTER_MAX};
use super::group::{GroupKey, GroupRow};
use super::id::DeliveryId;
use super::incident::{Incident, IncidentEvent};
use super::ledger::LedgerEntry;
use super::silence::Silence;
use crate::{Status, Timestamp};

/// What is stored of a check beside its results, while it is unusual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    pub check: Arc<str>,
    /// While it flaps: its confirmed status.
    pub held: Option<Status>,
    /// While it is unreachable: the check that makes it so.
    pub cause: Option<Arc<str>>,
}

/// Rows in their newest form. What is `removed` is removed before the rows are written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    pub removed: Removed,
    /// Those that are settled are kept for the history and not read at the start.
    pub incidents: Vec<Incident>,
    pub events: Vec<IncidentEvent>,
    pub groups: Vec<GroupRow>,
    pub ledger: Vec<LedgerEntry>,
    /// Those that are finished are kept for the history and not read at the start.
    pub deliveries: Vec<Delivery>,
    /// Those that are over are kept for the history and not read at the start.
    pub silences: Vec<Silence>,
    pub checks: Vec<CheckRow>,
    pub sinks: Vec<SinkRow>,
    /// What was not taken, and why; nothing to store.
    #[serde(skip)]
    pub refusals: Vec<String>,
}

/// Keys of rows that are gone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Removed {
    pub groups: Vec<GroupKey>,
    pub ledger: Vec<(GroupKey, SinkName)>,
    pub checks: Vec<Arc<str>>,
    pub sinks: Vec<SinkName>,
}

impl Removed {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.ledger.is_empty() && self.checks.is_empty() && self.sinks.is_empty()
    }
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty()
            && self.incidents.is_empty()
            && self.events.is_empty()
            && self.groups.is_empty()
            && self.ledger.is_empty()
            && self.deliveries.is_empty()
            && self.silences.is_empty()
            && self.checks.is_empty()
            && self.sinks.is_empty()
    }

    /// The delivery that may now be attempted; after `Fact::Attempting`. None where there is nothing to tell any more.
    pub fn attempt(&self, id: DeliveryId) -> Option<&Delivery> {
        let is_attempted = |delivery: &&Delivery| delivery.id == id && matches!(delivery.state, DeliveryState::Attempting { .. });
        self.deliveries.iter().find(is_attempted)
    }
}

/// What the store has at the start: incidents that are not settled, deliveries that are not finished, silences that are not over, and all
/// rows of the other tables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    pub incidents: Vec<Incident>,
    pub groups: Vec<GroupRow>,
    pub ledger: Vec<LedgerEntry>,
    pub deliveries: Vec<Delivery>,
    pub silences: Vec<Silence>,
    pub checks: Vec<CheckRow>,
    pub sinks: Vec<SinkRow>,
}

impl Rows {
    /// The latest time from which something is counted, or from which what waits may have begun to; where it lies in the future the clock was
    /// set back.
    pub(super) fn latest(&self) -> Timestamp {
        let memberships = self.incidents.iter().flat_map(|incident| &incident.memberships);
        let ladders = memberships.filter_map(|membership| membership.ladder_from);
        let groups = self.groups.iter().flat_map(|group| [group.changed_at, group.flushed_at]).flatten();
        let ledger = self.ledger.iter().filter_map(|entry| entry.last_told_at);
        let deliveries = self.deliveries.iter().map(|delivery| delivery.created_at);
        let waits = self.deliveries.iter().filter_map(|delivery| match delivery.state {
            DeliveryState::Pending { next_attempt_at } => Some(next_attempt_at.minus(RETRY_AFTER_MAX)),
            _ => None,
        });
        let since = |sink: &SinkRow| {
            [sink.held_until.minus(HOLD_MAX), sink.asked_until.minus(RETRY_AFTER_MAX), sink.removed_at.unwrap_or_default()]
        };
        let sinks = self.sinks.iter().flat_map(since);
        ladders.chain(groups).chain(ledger).chain(deliveries).chain(waits).chain(sinks).max().unwrap_or_default()
    }
}
