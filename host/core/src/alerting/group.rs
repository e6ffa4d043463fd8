//! Groups: alerts of one route that are told together, and what is being said about them to each sink.
//!
//! A change in a group (an incident opens, is resolved, is no longer muted) is told `group_wait` after it, and not before `group_interval`
//! after the last time that something was told. A group is there while it has members, or while a sink is owed a word about former ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::config::{SinkName, Timing};
use super::id::{DeliveryId, IncidentId};
use super::labels::LabelSet;
use super::ledger::LedgerEntry;
use crate::Timestamp;

/// The id of the route and the labels of the group, like Alertmanager's: `{}/{severity="P1"}:{service="api"}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupKey(Arc<str>);

impl GroupKey {
    pub(super) fn new(route: &str, labels: &LabelSet) -> GroupKey {
        GroupKey(Arc::from(format!("{route}:{labels}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What is stored of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRow {
    pub key: GroupKey,
    pub route: Arc<str>,
    pub labels: LabelSet,
    /// Those of the route when it was last there.
    pub timing: Timing,
    /// Every sink of the route and its ladder, when it was last there.
    pub sinks: Vec<SinkName>,
    /// The first change that was not told yet.
    pub changed_at: Option<Timestamp>,
    /// When something was last told.
    pub flushed_at: Option<Timestamp>,
}

impl GroupRow {
    /// When what changed is told.
    pub fn flush_at(&self) -> Option<Timestamp> {
        let waited = self.changed_at?.plus(self.timing.group_wait);
        let spaced = self.flushed_at.map(|flushed_at| flushed_at.plus(self.timing.group_interval));
        Some(spaced.map_or(waited, |spaced| waited.max(spaced)))
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Group {
    pub(super) row: GroupRow,
    /// Where its route is in the tree; none where the route is gone.
    pub(super) route: Option<usize>,
    /// Open incidents.
    pub(super) members: BTreeSet<IncidentId>,
    pub(super) conversations: BTreeMap<SinkName, Conversation>,
}

/// What is said about a group to one sink.
#[derive(Debug, PartialEq)]
pub(super) struct Conversation {
    pub(super) entry: LedgerEntry,
    /// The one notification that is on its way.
    pub(super) delivery: Option<DeliveryId>,
}

impl Conversation {
    pub(super) fn new(group: &GroupKey, sink: &SinkName) -> Conversation {
        Conversation { entry: LedgerEntry::new(group.clone(), sink.clone()), delivery: None }
    }

    pub(super) fn is_over(&self) -> bool {
        self.entry.told.is_empty() && self.delivery.is_none()
    }
}

impl Group {
    pub(super) fn new(row: GroupRow, route: Option<usize>) -> Group {
        Group { row, route, members: BTreeSet::new(), conversations: BTreeMap::new() }
    }

    pub(super) fn is_over(&self) -> bool {
        self.members.is_empty() && self.conversations.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_change_waits_for_others_and_for_the_interval() {
        let timing = Timing { group_wait: Duration::from_secs(30), group_interval: Duration::from_secs(300), ..Timing::default() };
        let labels = LabelSet::new([("service", "api")]).expect("a label");
        let mut row = GroupRow {
            key: GroupKey::new("{}", &labels),
            route: "{}".into(),
            labels,
            timing,
            sinks: Vec::new(),
            changed_at: None,
            flushed_at: None,
        };
        assert_eq!(row.key.as_str(), "{}:{service=\"api\"}");
        assert_eq!(row.flush_at(), None);
        row.changed_at = Some(Timestamp(1_000));
        assert_eq!(row.flush_at(), Some(Timestamp(31_000)));
        row.flushed_at = Some(Timestamp(500));
        assert_eq!(row.flush_at(), Some(Timestamp(300_500)));
        row.changed_at = Some(Timestamp(900_000));
        assert_eq!(row.flush_at(), Some(Timestamp(930_000)));
    }
}
