//! How incidents begin, change and end: what checks, posters and people say.

use std::sync::Arc;

use super::super::agenda::Due;
use super::super::changes::CheckRow;
use super::super::config::SinkName;
use super::super::fact::{CheckIdentity, Flap, PostedAlert};
use super::super::group::GroupKey;
use super::super::id::IncidentId;
use super::super::incident::{
    Ack, AlertKind, EventKind, Findings, Incident, IncidentEvent, Membership, NOTE_BYTES_MAX, Phase, Resolution, Severity, Source,
};
use super::super::labels::LabelSet;
use super::super::ledger::Standing;
use super::{Alerting, Case, POSTED_MAX};
use crate::text::one_line;
use crate::{Label, Status, Timestamp};

/// What is known of an incident when it begins.
struct Opening {
    labels: LabelSet,
    annotations: Arc<[Label]>,
    source: Source,
    target: Option<Arc<str>>,
    findings: Arc<Findings>,
    started_at: Timestamp,
}

impl Alerting {
    pub(super) fn transition(&mut self, check: &CheckIdentity, findings: Arc<Findings>) {
        let status = findings.status;
        let mut is_held = false;
        if let Some(row) = self.checks.get_mut(&check.name)
            && row.held.is_some()
        {
            row.held = Some(status);
            is_held = true;
            self.touched.checks.insert(Arc::clone(&check.name));
        }
        match status {
            // A failure that was confirmed is not hidden by it, so only the other kind of incident opens.
            Status::Unknown => self.found(check, AlertKind::Unknown, findings),
            Status::Ok => {
                self.recovered(&check.name, AlertKind::Unknown);
                if !is_held {
                    self.recovered(&check.name, AlertKind::Failure);
                }
            }
            Status::Warning | Status::Critical => {
                self.recovered(&check.name, AlertKind::Unknown);
                self.found(check, AlertKind::Failure, findings);
            }
        }
    }

    pub(super) fn flapping(&mut self, check: &CheckIdentity, change: Flap) {
        match change {
            Flap::Began { findings, confirmed } => {
                self.check_row(&check.name).held = Some(confirmed);
                self.touched.checks.insert(Arc::clone(&check.name));
                self.found(check, AlertKind::Failure, findings);
                if let Some(id) = self.open_of(&check.name, AlertKind::Failure) {
                    self.event(id, EventKind::FlappingBegan);
                }
            }
            Flap::Ended => {
                let Some(confirmed) = self.checks.get_mut(&check.name).and_then(|row| row.held.take()) else { return };
                self.tidy_check(&check.name);
                if let Some(id) = self.open_of(&check.name, AlertKind::Failure) {
                    self.event(id, EventKind::FlappingEnded);
                    // Of one that nobody can judge it is not known whether it is well: the next confirmed status tells.
                    if confirmed == Status::Ok {
                        self.resolve(id, Resolution::Recovered, self.now);
                    }
                }
            }
        }
    }

    pub(super) fn reachability(&mut self, check: Arc<str>, cause: Option<Arc<str>>) {
        if self.checks.get(&check).and_then(|row| row.cause.clone()) == cause {
            return;
        }
        self.check_row(&check).cause.clone_from(&cause);
        self.tidy_check(&check);
        // Only a failure follows from another check being down; that nobody can judge is the plugin's own.
        let Some(id) = self.open_of(&check, AlertKind::Failure) else { return };
        if let Some(case) = self.cases.get_mut(&id) {
            case.incident.cause = cause;
            self.touched.incidents.insert(id);
        }
        self.refresh_mute(id);
    }

    pub(super) fn check_removed(&mut self, check: &Arc<str>) {
        for kind in [AlertKind::Failure, AlertKind::Unknown] {
            if let Some(id) = self.open_of(check, kind) {
                self.resolve(id, Resolution::CheckRemoved, self.now);
            }
        }
        if self.checks.remove(check).is_some() {
            self.touched.checks.insert(Arc::clone(check));
        }
    }

    pub(super) fn post(&mut self, alert: PostedAlert) {
        let fingerprint = alert.labels.fingerprint();
        let id = self.posted.get(&fingerprint).copied();
        let ends_at = alert.ends_at.unwrap_or_else(|| self.now.plus(self.config.resolve_timeout));
        if ends_at <= self.now {
            if let Some(id) = id {
                self.resolve(id, Resolution::Ended, ends_at);
            }
            return;
        }
        let before = id.and_then(|id| self.cases.get(&id)).map_or(0, |case| case.incident.posted_bytes());
        let together = self.posted_bytes.saturating_sub(before).saturating_add(alert.bytes());
        if together > self.config.posted_bytes_max && alert.bytes() > before {
            let told = format!("the posted alerts hold {} bytes, the most they may: {}", self.config.posted_bytes_max, alert.labels);
            self.changes.refusals.push(told);
            // One that is open goes on as it was.
            if let Some(id) = id {
                self.posted_again(id, ends_at, alert.ends_at.is_some());
            }
            return;
        }
        let findings = Findings::posted(alert.summary());
        let source = Source::Posted { ends_at, has_own_end: alert.ends_at.is_some(), generator_url: alert.generator_url };
        let started_at = alert.starts_at.map_or(self.now, |starts_at| starts_at.min(self.now));
        let Some(id) = id else {
            if self.posted.len() >= POSTED_MAX {
                self.changes.refusals.push(format!("there are {POSTED_MAX} posted alerts already: {}", alert.labels));
                return;
            }
            let (labels, annotations) = (alert.labels, alert.annotations);
            self.posted_bytes = together;
            self.open(Opening { labels, annotations, source, target: None, findings: Arc::new(findings), started_at });
            return;
        };
        self.posted_bytes = together;
        if let Some(case) = self.cases.get_mut(&id) {
            let incident = &mut case.incident;
            incident.source = source;
            incident.annotations = alert.annotations;
            incident.started_at = incident.started_at.min(started_at);
            if *incident.findings != findings {
                incident.findings = Arc::new(findings);
            }
            self.touched.incidents.insert(id);
        }
        self.agenda.set(Due::PostedEnds(id), Some(ends_at));
    }

    /// Moves the end, and nothing else.
    fn posted_again(&mut self, id: IncidentId, until: Timestamp, is_own_end: bool) {
        if let Some(case) = self.cases.get_mut(&id)
            && let Source::Posted { ends_at, has_own_end, .. } = &mut case.incident.source
        {
            (*ends_at, *has_own_end) = (until, is_own_end);
            self.touched.incidents.insert(id);
        }
        self.agenda.set(Due::PostedEnds(id), Some(until));
    }

    /// What goes by labels goes by the new ones from now on; the incidents stay the same, and so does what sinks know them by.
    pub(super) fn relabelled(&mut self, check: &CheckIdentity) {
        for kind in [AlertKind::Failure, AlertKind::Unknown] {
            let Some(id) = self.open_of(&check.name, kind) else { continue };
            let labels = check.alert_labels(kind);
            let Some(case) = self.cases.get_mut(&id).filter(|case| case.incident.labels != labels) else { continue };
            let incident = &mut case.incident;
            let before = std::mem::replace(&mut incident.labels, labels);
            for sink in case.told.keys() {
                incident.told_as.entry(sink.clone()).or_insert_with(|| before.clone());
            }
            incident.fingerprint = incident.labels.fingerprint();
            incident.severity = Severity::of(&incident.labels);
            incident.target.clone_from(&check.target);
            self.event(id, EventKind::Relabelled);
            let concerned = self.inhibitions.remove(id, &before);
            self.place(id);
            for other in concerned {
                self.refresh_mute(other);
            }
        }
    }

    pub(super) fn posted_ended(&mut self, id: IncidentId) {
        let Some(Source::Posted { has_own_end, .. }) = self.cases.get(&id).map(|case| &case.incident.source) else { return };
        let reason = if *has_own_end { Resolution::Ended } else { Resolution::TimedOut };
        self.resolve(id, reason, self.now);
    }

    pub(super) fn acknowledge(&mut self, id: IncidentId, by: String, until: Option<Timestamp>, note: Option<String>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        if !case.incident.is_open() || until.is_some_and(|until| until <= self.now) {
            return;
        }
        let (by, note) = (one_line(&by, NOTE_BYTES_MAX), note.map(|note| one_line(&note, NOTE_BYTES_MAX)));
        case.incident.phase = Phase::Acknowledged;
        case.incident.ack = Some(Ack { by: by.clone(), at: self.now, until, note: note.clone() });
        self.event(id, EventKind::Acknowledged { by, until, note });
        self.agenda.set(Due::AckExpires(id), until);
        self.plan_ladders(id);
        self.touch_all(id);
        self.tell_acknowledgement(id);
    }

    /// Sinks that tell acknowledgements wait for no other news of the group.
    fn tell_acknowledgement(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id) else { return };
        let tells = |sink: &SinkName| self.sinks.get(sink).is_some_and(|state| state.config.tells_acknowledgements);
        let concerned: Vec<(SinkName, GroupKey)> =
            case.told.iter().filter(|(sink, _)| tells(sink)).map(|(sink, key)| (sink.clone(), key.clone())).collect();
        for (sink, key) in concerned {
            self.evaluate(&key, &sink);
        }
    }

    pub(super) fn ack_expired(&mut self, id: IncidentId) {
        let now = self.now;
        let Some(case) = self.cases.get_mut(&id) else { return };
        if case.incident.phase != Phase::Acknowledged {
            return;
        }
        case.incident.phase = Phase::Firing;
        case.incident.ack = None;
        // Whoever took it has not mended it: what is left of the ladder begins anew.
        for membership in &mut case.incident.memberships {
            membership.ladder_from = membership.ladder_from.map(|_| now);
        }
        self.event(id, EventKind::AckExpired);
        self.plan_ladders(id);
        self.touch_all(id);
    }

    /// A note is written down also when an incident is long over.
    pub(super) fn note(&mut self, id: IncidentId, by: String, text: &str, settled: Option<Box<Incident>>) {
        let (by, text) = (one_line(&by, NOTE_BYTES_MAX), one_line(text, NOTE_BYTES_MAX));
        let kind = EventKind::NoteAdded { by, text };
        if self.cases.contains_key(&id) {
            self.event(id, kind);
        } else if let Some(mut incident) = settled.filter(|incident| incident.id == id && incident.is_settled) {
            incident.events_len = incident.events_len.saturating_add(1);
            self.changes.events.push(IncidentEvent { incident: id, number: incident.events_len, at: self.now, kind });
            self.changes.incidents.push(*incident);
        }
    }

    pub(super) fn open_of(&self, check: &Arc<str>, kind: AlertKind) -> Option<IncidentId> {
        self.of_check.get(&(Arc::clone(check), kind)).copied()
    }

    /// The check is bad: its incident opens, or hears of it.
    fn found(&mut self, check: &CheckIdentity, kind: AlertKind, findings: Arc<Findings>) {
        if let Some(id) = self.open_of(&check.name, kind) {
            self.update(id, findings);
            return;
        }
        self.open(Opening {
            labels: check.alert_labels(kind),
            annotations: Arc::default(),
            source: Source::Check { check: Arc::clone(&check.name), kind },
            target: check.target.clone(),
            findings,
            started_at: self.now,
        });
    }

    fn recovered(&mut self, check: &Arc<str>, kind: AlertKind) {
        if let Some(id) = self.open_of(check, kind) {
            self.resolve(id, Resolution::Recovered, self.now);
        }
    }

    fn check_row(&mut self, check: &Arc<str>) -> &mut CheckRow {
        self.checks.entry(Arc::clone(check)).or_insert_with(|| CheckRow { check: Arc::clone(check), held: None, cause: None })
    }

    /// A row of a check that has nothing unusual any more goes.
    fn tidy_check(&mut self, check: &Arc<str>) {
        if self.checks.get(check).is_some_and(|row| row.held.is_none() && row.cause.is_none()) {
            self.checks.remove(check);
        }
        self.touched.checks.insert(Arc::clone(check));
    }

    fn open(&mut self, opening: Opening) {
        let id = IncidentId::next(&mut self.chance, self.now);
        let fingerprint = opening.labels.fingerprint();
        let mut cause = None;
        match &opening.source {
            Source::Check { check, kind } => {
                self.of_check.insert((Arc::clone(check), *kind), id);
                if *kind == AlertKind::Failure {
                    cause = self.checks.get(check).and_then(|row| row.cause.clone());
                }
            }
            Source::Posted { ends_at, .. } => {
                self.posted.insert(fingerprint, id);
                self.agenda.set(Due::PostedEnds(id), Some(*ends_at));
            }
        }
        let status = opening.findings.status;
        let incident = Incident {
            id,
            fingerprint,
            severity: Severity::of(&opening.labels),
            labels: opening.labels,
            annotations: opening.annotations,
            source: opening.source,
            target: opening.target,
            phase: Phase::Firing,
            findings: opening.findings,
            started_at: opening.started_at,
            ended_at: None,
            resolution: None,
            ack: None,
            cause,
            mute: None,
            memberships: Vec::new(),
            told_as: Default::default(),
            was_told: false,
            events_len: 0,
            is_settled: false,
        };
        self.cases.insert(id, Case { incident, told: Default::default(), silences: Default::default() });
        self.event(id, EventKind::Opened { status });
        self.place(id);
    }

    fn update(&mut self, id: IncidentId, findings: Arc<Findings>) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        if case.incident.findings == findings {
            return;
        }
        let (from, to) = (case.incident.findings.status, findings.status);
        case.incident.findings = findings;
        self.touched.incidents.insert(id);
        if from != to {
            self.event(id, EventKind::StatusChanged { from, to });
            self.place(id);
        }
    }

    /// What a check found since, while its incident is open in that status: lists, and the next that is told, say the newest. It is nothing
    /// that happens, so no row is written for it; after a restart the next result says it again.
    pub fn found_since(&mut self, check: &Arc<str>, findings: &Arc<Findings>) {
        for kind in [AlertKind::Failure, AlertKind::Unknown] {
            let id = self.of_check.get(&(Arc::clone(check), kind));
            if let Some(case) = id.and_then(|id| self.cases.get_mut(id))
                && case.incident.findings.status == findings.status
            {
                case.incident.findings = Arc::clone(findings);
            }
        }
    }

    /// Holds what an open incident is against everything that goes by its labels and status.
    fn place(&mut self, id: IncidentId) {
        self.match_silences(id);
        let Some(case) = self.cases.get(&id) else { return };
        let concerned = self.inhibitions.put(id, &case.incident.subject());
        self.route(id);
        self.refresh_mute(id);
        for other in concerned {
            self.refresh_mute(other);
        }
    }

    pub(super) fn resolve(&mut self, id: IncidentId, reason: Resolution, ended_at: Timestamp) {
        let Some(case) = self.cases.get_mut(&id) else { return };
        if !case.incident.is_open() {
            return;
        }
        let incident = &mut case.incident;
        incident.phase = Phase::Resolved;
        incident.resolution = Some(reason);
        incident.ended_at = Some(ended_at);
        incident.mute = None;
        let memberships = std::mem::take(&mut incident.memberships);
        let (labels, was_told) = (incident.labels.clone(), incident.was_told);
        match &incident.source {
            Source::Check { check, kind } => self.of_check.remove(&(Arc::clone(check), *kind)),
            Source::Posted { .. } => {
                self.posted_bytes = self.posted_bytes.saturating_sub(incident.posted_bytes());
                self.posted.remove(&incident.fingerprint)
            }
        };
        case.silences.clear();
        self.event(id, EventKind::Resolved { reason });
        if !memberships.is_empty() && !was_told {
            self.event(id, EventKind::ResolvedBeforeSent);
        }
        self.agenda.set(Due::AckExpires(id), None);
        self.agenda.set(Due::PostedEnds(id), None);
        let keys: Vec<GroupKey> = memberships.iter().map(|membership| membership.group.clone()).collect();
        self.leave_all(id, memberships);
        self.owe_end(id);
        for other in self.inhibitions.remove(id, &labels) {
            self.refresh_mute(other);
        }
        for key in &keys {
            self.withdraw_what_is_over(key);
        }
        self.settle(id);
    }

    fn leave_all(&mut self, id: IncidentId, memberships: Vec<Membership>) {
        for membership in memberships {
            if let Some(group) = self.groups.get_mut(&membership.group) {
                group.members.remove(&id);
            }
            self.agenda.set(Due::Rung(id, membership.group.clone()), None);
            self.tidy(&membership.group);
        }
    }

    /// Who heard of an incident is to hear its end; who declined it is not.
    fn owe_end(&mut self, id: IncidentId) {
        let Some(case) = self.cases.get(&id) else { return };
        for (sink, key) in case.told.clone() {
            let told = self.conversation_mut(&key, &sink).and_then(|conversation| conversation.entry.told.get(&id).copied());
            if told.is_some_and(|told| told.standing == Standing::Declined) {
                self.forget(id, &key, &sink);
                self.tidy(&key);
            } else {
                self.touch(&key);
            }
        }
    }

    /// Lets go of an incident that is resolved when nobody is owed a word about it any more.
    pub(super) fn settle(&mut self, id: IncidentId) {
        if !self.cases.get(&id).is_some_and(|case| !case.incident.is_open() && case.told.is_empty()) {
            return;
        }
        if let Some(mut case) = self.cases.remove(&id) {
            case.incident.is_settled = true;
            self.changes.incidents.push(case.incident);
        }
    }
}
