//! A store in memory for tests: it takes all of a change or nothing of it, as the real one does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Changes, CheckRow, Delivery, DeliveryId, GroupKey, GroupRow, Incident, IncidentEvent, IncidentId, LedgerEntry, Rows, Silence,
    SilenceId, SinkName, SinkRow,
};

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// With the history.
    pub(super) incidents: BTreeMap<IncidentId, Incident>,
    pub(super) events: Vec<IncidentEvent>,
    pub(super) groups: BTreeMap<GroupKey, GroupRow>,
    pub(super) ledger: BTreeMap<(GroupKey, SinkName), LedgerEntry>,
    /// With the history.
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    silences: BTreeMap<SilenceId, Silence>,
    checks: BTreeMap<Arc<str>, CheckRow>,
    sinks: BTreeMap<SinkName, SinkRow>,
}

impl Memory {
    pub(super) fn commit(&mut self, changes: &Changes) {
        let removed = &changes.removed;
        removed.groups.iter().for_each(|key| drop(self.groups.remove(key)));
        removed.ledger.iter().for_each(|key| drop(self.ledger.remove(key)));
        removed.checks.iter().for_each(|check| drop(self.checks.remove(check)));
        removed.sinks.iter().for_each(|sink| drop(self.sinks.remove(sink)));
        self.incidents.extend(changes.incidents.iter().map(|incident| (incident.id, incident.clone())));
        self.events.extend(changes.events.iter().cloned());
        self.groups.extend(changes.groups.iter().map(|group| (group.key.clone(), group.clone())));
        self.ledger.extend(changes.ledger.iter().map(|entry| ((entry.group.clone(), entry.sink.clone()), entry.clone())));
        self.deliveries.extend(changes.deliveries.iter().map(|delivery| (delivery.id, delivery.clone())));
        self.silences.extend(changes.silences.iter().map(|silence| (silence.id, silence.clone())));
        self.checks.extend(changes.checks.iter().map(|row| (row.check.clone(), row.clone())));
        self.sinks.extend(changes.sinks.iter().map(|row| (row.sink.clone(), row.clone())));
    }

    /// What is read at a start.
    pub(super) fn rows(&self) -> Rows {
        Rows {
            incidents: self.incidents.values().filter(|incident| !incident.is_settled).cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            ledger: self.ledger.values().cloned().collect(),
            deliveries: self.deliveries.values().filter(|delivery| !delivery.is_finished()).cloned().collect(),
            silences: self.silences.values().filter(|silence| !silence.is_over).cloned().collect(),
            checks: self.checks.values().cloned().collect(),
            sinks: self.sinks.values().cloned().collect(),
        }
    }
}
