//! What alerts there are at one moment, as Alertmanager would tell it.
//!
//! An alert is an incident that is open, acknowledged or not. Its receivers are the sinks of its routes, also those that are told later.
//! What Alertmanager calls inhibited is here also what cannot be reached because of another check; maintenance mutes as a time interval
//! does.
//!
//! Invariant: all of it is copied at once, and nothing is written while the machine is locked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sickbay_core::Timestamp;
use sickbay_core::alerting::{
    AlertKind, Alerting, AlertingConfig, Fingerprint, GroupKey, GroupRow, Incident, IncidentId, LabelSet, Membership, Mute, Silence,
    SilenceId, Source,
};
use sickbay_core::reason::told;

use super::filter::AlertFilter;
use super::model::{AlertGroup, AlertState, AlertStatus, GettableAlert, Receiver};
use crate::clock::rfc3339;

/// What `mutedBy` says of a route that is not active; a time interval has a name of its own.
const OUTSIDE_ACTIVE_TIME: &str = "outside active time";
/// The receiver of what nobody is told of: a group has to have one.
const NOBODY: &str = "";

pub(super) struct Moment {
    now: Timestamp,
    config: Arc<AlertingConfig>,
    /// Open ones.
    incidents: Vec<Incident>,
    silences: Vec<Silence>,
    groups: BTreeMap<GroupKey, GroupRow>,
    /// Of the incidents, for those that they inhibit.
    fingerprints: HashMap<IncidentId, Fingerprint>,
    /// Of the failures of checks, for those that cannot be reached because of them.
    of_check: HashMap<Arc<str>, Fingerprint>,
    nothing: LabelSet,
}

/// What a group of Alertmanager's is here: a group of a route, as one of its sinks is told it.
struct Telling<'a> {
    labels: &'a LabelSet,
    receiver: &'a str,
    group: Option<&'a GroupKey>,
    incidents: Vec<&'a Incident>,
}

impl Moment {
    pub(super) fn of(machine: &Alerting, now: Timestamp) -> Moment {
        let incidents: Vec<Incident> = machine.incidents().filter(|incident| incident.is_open()).cloned().collect();
        let silences = machine.silences().cloned().collect();
        let groups = machine.groups().map(|group| (group.key.clone(), group.clone())).collect();
        Moment {
            now,
            config: Arc::clone(machine.config()),
            fingerprints: incidents.iter().map(|incident| (incident.id, incident.fingerprint)).collect(),
            of_check: incidents.iter().filter_map(failure_of).collect(),
            incidents,
            silences,
            groups,
            nothing: LabelSet::default(),
        }
    }

    /// Alerts that are asked for, by fingerprint.
    pub(super) fn alerts(&self, filter: &AlertFilter) -> impl Iterator<Item = GettableAlert<'_>> {
        let mut wanted: Vec<&Incident> = self.incidents.iter().filter(|incident| self.is_wanted(incident, filter)).collect();
        wanted.sort_by_key(|incident| (incident.fingerprint, incident.id));
        wanted.into_iter().filter_map(move |incident| {
            let status = self.status(incident, None);
            filter.wants_status(&status).then(|| self.alert(incident, status))
        })
    }

    /// The same alerts, once for each receiver, together with those that it is told with them.
    pub(super) fn groups(&self, filter: &AlertFilter) -> impl Iterator<Item = AlertGroup<'_>> {
        self.tellings(filter).into_iter().filter_map(move |telling| {
            let wanted = telling.incidents.into_iter().filter_map(|incident| {
                let status = self.status(incident, telling.group);
                filter.wants_status(&status).then(|| self.alert(incident, status))
            });
            let alerts: Vec<GettableAlert<'_>> = wanted.collect();
            let receiver = Receiver { name: telling.receiver };
            (!alerts.is_empty()).then_some(AlertGroup { labels: telling.labels, receiver, alerts })
        })
    }

    fn is_wanted(&self, incident: &Incident, filter: &AlertFilter) -> bool {
        if !filter.wants(incident) {
            return false;
        }
        let receivers = self.receivers(incident);
        let nobody = receivers.is_empty().then_some(NOBODY);
        filter.wants_one_of(receivers.iter().map(|receiver| receiver.name).chain(nobody))
    }

    /// By labels and receiver. What nobody is told of stands together.
    fn tellings(&self, filter: &AlertFilter) -> Vec<Telling<'_>> {
        let mut by_group: BTreeMap<Option<&GroupKey>, Vec<&Incident>> = BTreeMap::new();
        for incident in self.incidents.iter().filter(|incident| filter.wants(incident)) {
            let groups: Vec<&GroupKey> = self.groups_of(incident).map(|group| &group.key).collect();
            if groups.is_empty() {
                by_group.entry(None).or_default().push(incident);
            }
            for group in groups {
                by_group.entry(Some(group)).or_default().push(incident);
            }
        }
        let mut tellings = Vec::new();
        for (group, mut incidents) in by_group {
            incidents.sort_by_key(|incident| (incident.fingerprint, incident.id));
            let row = group.and_then(|key| self.groups.get(key));
            let labels = row.map_or(&self.nothing, |row| &row.labels);
            let mut sinks: Vec<&str> = row.into_iter().flat_map(|row| &row.sinks).map(|sink| &**sink).collect();
            if sinks.is_empty() {
                sinks.push(NOBODY);
            }
            for receiver in sinks.into_iter().filter(|sink| filter.wants_one_of(std::iter::once(*sink))) {
                tellings.push(Telling { labels, receiver, group, incidents: incidents.clone() });
            }
        }
        tellings.sort_by_key(|telling| (telling.labels, telling.receiver));
        tellings
    }

    fn groups_of<'a>(&'a self, incident: &'a Incident) -> impl Iterator<Item = &'a GroupRow> {
        incident.memberships.iter().filter_map(|membership| self.groups.get(&membership.group))
    }

    /// The sinks of all its routes and of their ladders.
    fn receivers<'a>(&'a self, incident: &'a Incident) -> BTreeSet<Receiver<'a>> {
        self.groups_of(incident).flat_map(|group| &group.sinks).map(|sink| Receiver { name: sink }).collect()
    }

    fn alert<'a>(&'a self, incident: &'a Incident, status: AlertStatus) -> GettableAlert<'a> {
        let (ends_at, updated_at, generator_url) = match &incident.source {
            // Nobody has to say again that a check fails.
            Source::Check { .. } => (self.now.plus(self.config.resolve_timeout), incident.started_at, None),
            Source::Posted { ends_at, has_own_end, generator_url } => {
                let posted_at = if *has_own_end { incident.started_at } else { ends_at.minus(self.config.resolve_timeout) };
                (*ends_at, posted_at.max(incident.started_at), generator_url.as_deref())
            }
        };
        GettableAlert {
            labels: &incident.labels,
            annotations: annotations(incident),
            starts_at: rfc3339(incident.started_at),
            ends_at: rfc3339(ends_at),
            updated_at: rfc3339(updated_at),
            generator_url,
            fingerprint: incident.fingerprint,
            receivers: self.receivers(incident).into_iter().collect(),
            status,
        }
    }

    /// How an alert stands; in `group`, or in general: then a route's times count only where all of its routes are mute.
    fn status(&self, incident: &Incident, group: Option<&GroupKey>) -> AlertStatus {
        let is_asked_for = |membership: &&Membership| group.is_none_or(|group| membership.group == *group);
        let of_routes: Option<Vec<&Mute>> =
            incident.memberships.iter().filter(is_asked_for).map(|membership| membership.mute.as_ref()).collect();
        let mut status = AlertStatus { state: AlertState::Active, silenced_by: Vec::new(), inhibited_by: Vec::new(), muted_by: Vec::new() };
        for mute in incident.mute.iter().chain(of_routes.into_iter().flatten()) {
            status.state = AlertState::Suppressed;
            self.note(mute, incident, &mut status);
        }
        status
    }

    fn note(&self, mute: &Mute, incident: &Incident, status: &mut AlertStatus) {
        match mute {
            Mute::SilencedBy { silence, .. } => status.silenced_by = self.silences_of(incident, *silence),
            Mute::InhibitedBy { incident } => {
                let inhibitor = self.fingerprints.get(incident);
                status.inhibited_by.push(inhibitor.map_or_else(|| incident.to_string(), Fingerprint::to_string));
            }
            Mute::Unreachable { parent } => {
                let down = self.of_check.get(parent);
                status.inhibited_by.push(down.map_or_else(|| parent.to_string(), Fingerprint::to_string));
            }
            Mute::InMaintenance { window, .. } => muted_by(status, window),
            Mute::MutedTime { interval } => muted_by(status, interval),
            Mute::OutsideActiveTime => muted_by(status, OUTSIDE_ACTIVE_TIME),
        }
    }

    /// All that silence it. `known` is the one that the machine named.
    fn silences_of(&self, incident: &Incident, known: SilenceId) -> Vec<String> {
        let subject = incident.subject();
        let active = self.silences.iter().filter(|silence| silence.is_active(self.now) && silence.matches(&subject));
        let ids: BTreeSet<SilenceId> = active.map(|silence| silence.id).chain([known]).collect();
        ids.into_iter().map(|id| id.to_string()).collect()
    }
}

fn muted_by(status: &mut AlertStatus, name: &str) {
    if !status.muted_by.iter().any(|known| known == name) {
        status.muted_by.push(name.to_owned());
    }
}

fn failure_of(incident: &Incident) -> Option<(Arc<str>, Fingerprint)> {
    match &incident.source {
        Source::Check { check, kind: AlertKind::Failure } => Some((Arc::clone(check), incident.fingerprint)),
        Source::Check { kind: AlertKind::Unknown, .. } | Source::Posted { .. } => None,
    }
}

/// What a poster said, or what was found, in the words that sinks are told.
fn annotations(incident: &Incident) -> BTreeMap<&str, Cow<'_, str>> {
    match &incident.source {
        Source::Posted { .. } => {
            incident.annotations.iter().map(|annotation| (annotation.name.as_str(), Cow::from(&annotation.value))).collect()
        }
        Source::Check { .. } => {
            let findings = &incident.findings;
            let summary = told(&findings.summary, &findings.reason, &findings.reason_detail);
            BTreeMap::from([("summary", Cow::from(summary)), ("reason", Cow::from(&findings.reason))])
        }
    }
}

#[cfg(test)]
mod tests;
