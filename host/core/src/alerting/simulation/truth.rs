//! What is so, by what the machine was told and by what `scene` says of the configuration: which checks fail, which posted alerts have not
//! ended, who has taken what, what is mute. The machine has to be of the same mind whenever it is at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use super::commit::{Commit, Moment};
use super::judge::ensure;
use super::{Broken, scene};
use crate::{Status, Timestamp};

/// A clock that goes back a little may not be seen to at a restart. By so much an end may differ.
const END_TOLERANCE: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Truth {
    checks: BTreeMap<Arc<str>, CheckTruth>,
    posted: BTreeMap<Fingerprint, PostedTruth>,
    /// Who is taken, and until when.
    acks: BTreeMap<IncidentId, Option<Timestamp>>,
    /// Those that are not over.
    silences: BTreeMap<SilenceId, Silence>,
    /// Since when nothing has kept an incident from being told, in time that has passed.
    tellable_since_ms: BTreeMap<IncidentId, u64>,
    /// A clock that was set back while nobody looked may make something last for longer.
    is_clock_unsure: bool,
}

struct CheckTruth {
    status: Status,
    is_flapping: bool,
    is_cut_off: bool,
    is_failing: bool,
}

struct PostedTruth {
    ends_at: Timestamp,
    has_own_end: bool,
}

impl Default for CheckTruth {
    fn default() -> CheckTruth {
        CheckTruth { status: Status::Ok, is_flapping: false, is_cut_off: false, is_failing: false }
    }
}

impl CheckTruth {
    fn becomes(&mut self, status: Status) {
        self.status = status;
        match status {
            Status::Ok if self.is_flapping => {}
            Status::Ok => self.is_failing = false,
            Status::Warning | Status::Critical => self.is_failing = true,
            // It hides no failure.
            Status::Unknown => {}
        }
    }

    fn flaps(&mut self, change: &Flap) {
        match change {
            Flap::Began { .. } => (self.is_flapping, self.is_failing) = (true, true),
            Flap::Ended => {
                self.is_flapping = false;
                // Where nobody can judge it, it goes on failing until somebody can.
                self.is_failing &= self.status != Status::Ok;
            }
        }
    }
}

impl Truth {
    pub(super) fn clock_is_unsure(&mut self) {
        self.is_clock_unsure = true;
    }

    pub(super) fn learn(&mut self, commit: &Commit<'_>) -> Result<(), Broken> {
        match commit.fact {
            Some(Fact::Transition { check, findings }) => self.check(&check.name).becomes(findings.status),
            Some(Fact::Flapping { check, change }) => self.check(&check.name).flaps(change),
            Some(Fact::Reachability { check, cause }) => self.check(check).is_cut_off = cause.is_some(),
            Some(Fact::CheckRemoved { check }) => {
                self.checks.remove(check);
            }
            Some(Fact::Posted { alerts }) => alerts.iter().for_each(|alert| self.post(alert, commit.now)),
            Some(Fact::Acknowledge { incident, until, .. }) => self.acknowledge(*incident, *until, commit),
            _ => {}
        }
        let is_later = |at: Timestamp| at > commit.now;
        self.acks.retain(|_, until| until.is_none_or(is_later));
        for posted in self.posted.values_mut().filter(|posted| !posted.has_own_end) {
            posted.ends_at = posted.ends_at.min(commit.now.plus(RESOLVE_TIMEOUT));
        }
        self.silences.extend(commit.changes.silences.iter().map(|silence| (silence.id, silence.clone())));
        self.silences.retain(|_, silence| is_later(silence.ends_at));
        self.silences_are_as_wanted(commit)
    }

    fn check(&mut self, name: &Arc<str>) -> &mut CheckTruth {
        self.checks.entry(Arc::clone(name)).or_default()
    }

    fn post(&mut self, alert: &PostedAlert, now: Timestamp) {
        let ends_at = alert.ends_at.unwrap_or_else(|| now.plus(RESOLVE_TIMEOUT));
        let fingerprint = alert.labels.fingerprint();
        if ends_at <= now {
            self.posted.remove(&fingerprint);
        } else {
            self.posted.insert(fingerprint, PostedTruth { ends_at, has_own_end: alert.ends_at.is_some() });
        }
    }

    fn acknowledge(&mut self, incident: IncidentId, until: Option<Timestamp>, commit: &Commit<'_>) {
        let is_over = until.is_some_and(|until| until <= commit.now);
        if !is_over && commit.incident(incident).is_some_and(Incident::is_open) {
            self.acks.insert(incident, until);
        }
    }

    fn silences_are_as_wanted(&self, commit: &Commit<'_>) -> Result<(), Broken> {
        let is_as_wanted = match commit.fact {
            Some(Fact::SilencePut { draft }) if commit.changes.refusals.is_empty() => {
                let is_it = |silence: &Silence| {
                    (&silence.matchers, silence.starts_at, silence.ends_at) == (&draft.matchers, draft.starts_at, draft.ends_at)
                };
                commit.changes.silences.iter().any(is_it)
            }
            Some(Fact::SilenceExpired { silence }) => !self.silences.contains_key(silence),
            _ => true,
        };
        ensure(is_as_wanted, || format!("that came to nothing: {:?}", commit.fact))
    }

    /// What keeps everybody from being told of an open incident, by the name that the machine has for it.
    pub(super) fn mute_of(&self, incident: &Incident, moment: Moment<'_>) -> Option<&'static str> {
        let inhibits = |other: &Incident| other.is_open() && scene::inhibits(moment.setting, other);
        self.mute_everywhere(incident, moment, || moment.alerting.incidents().any(inhibits))
            .or_else(|| scene::is_mute_by_time(moment.setting, incident, moment.alerting.now()).then_some("its time"))
    }

    fn mute_everywhere(&self, incident: &Incident, moment: Moment<'_>, is_any_inhibiting: impl Fn() -> bool) -> Option<&'static str> {
        let now = moment.alerting.now();
        let subject = incident.subject();
        let silences = |silence: &Silence| silence.starts_at <= now && now < silence.ends_at && silence.matches(&subject);
        if self.silences.values().any(silences) {
            return Some("SilencedBy");
        }
        if scene::is_in_maintenance(moment.setting, incident, now) {
            return Some("InMaintenance");
        }
        if let Source::Check { check, kind: AlertKind::Failure } = &incident.source
            && self.checks.get(check).is_some_and(|check| check.is_cut_off)
        {
            return Some("Unreachable");
        }
        (scene::is_inhibitable(moment.setting, incident) && is_any_inhibiting()).then_some("InhibitedBy")
    }

    pub(super) fn at_rest(&mut self, moment: Moment<'_>) -> Result<(), Broken> {
        self.checks_have_their_incidents(moment)?;
        self.posted_have_their_incidents(moment)?;
        let now = moment.alerting.now();
        let open = || moment.alerting.incidents().filter(|incident| incident.is_open());
        let is_any_inhibiting = open().any(|incident| scene::inhibits(moment.setting, incident));
        for incident in open() {
            let mute = self.mute_everywhere(incident, moment, || is_any_inhibiting);
            let is_so = incident.mute.as_ref().map(Mute::name) == mute;
            ensure(is_so, || format!("at {now:?} it should be mute by {mute:?}: {incident:#?}"))?;
            let is_mute_by_time = scene::is_mute_by_time(moment.setting, incident, now);
            let is_so = incident.memberships.iter().all(|membership| membership.mute.is_some() == is_mute_by_time);
            ensure(is_so, || format!("at {now:?} its routes are mute is {is_mute_by_time}: {incident:#?}"))?;
            let is_taken = self.acks.contains_key(&incident.id);
            let is_so = (incident.phase == Phase::Acknowledged) == is_taken;
            ensure(is_so, || format!("at {now:?} that somebody has taken it is {is_taken}: {incident:#?}"))?;
            if mute.is_some() || is_mute_by_time || is_taken {
                self.tellable_since_ms.remove(&incident.id);
            } else {
                self.tellable_since_ms.entry(incident.id).or_insert(moment.elapsed_ms);
            }
        }
        let is_open = |id: IncidentId| moment.alerting.incident(id).is_some_and(Incident::is_open);
        self.acks.retain(|id, _| is_open(*id));
        self.tellable_since_ms.retain(|id, _| is_open(*id));
        Ok(())
    }

    /// Open incidents that could be told for so long.
    pub(super) fn tellable_for<'a>(&self, moment: Moment<'a>, length_ms: u64) -> Vec<&'a Incident> {
        let long_enough = self.tellable_since_ms.iter().filter(|(_, since_ms)| **since_ms + length_ms <= moment.elapsed_ms);
        long_enough.filter_map(|(id, _)| moment.alerting.incident(*id)).collect()
    }

    /// A check that fails has one incident of that, one that nobody can judge another, and no other check has any.
    fn checks_have_their_incidents(&self, moment: Moment<'_>) -> Result<(), Broken> {
        let mut open: BTreeSet<(&str, AlertKind)> = BTreeSet::new();
        for incident in moment.alerting.incidents().filter(|incident| incident.is_open()) {
            if let Source::Check { check, kind } = &incident.source {
                ensure(open.insert((&**check, *kind)), || format!("it is open twice: {incident:#?}"))?;
            }
        }
        let fine = CheckTruth::default();
        for name in scene::CHECKS {
            let check = self.checks.get(name).unwrap_or(&fine);
            let is_failing = open.contains(&(name, AlertKind::Failure));
            ensure(is_failing == check.is_failing, || format!("that an incident of {name} is open is {is_failing}"))?;
            let is_unknown = open.contains(&(name, AlertKind::Unknown));
            let is_right = is_unknown == (check.status == Status::Unknown);
            ensure(is_right, || format!("that it is an incident that nobody can judge {name} is {is_unknown}"))?;
        }
        Ok(())
    }

    /// A posted alert has an incident until its end, or until nobody posts it any more.
    fn posted_have_their_incidents(&mut self, moment: Moment<'_>) -> Result<(), Broken> {
        let now = moment.alerting.now();
        let posted = moment.alerting.incidents().filter(|incident| incident.is_open() && incident.check().is_none());
        let open: BTreeSet<Fingerprint> = posted.map(|incident| incident.fingerprint).collect();
        for (fingerprint, posted) in &self.posted {
            let is_open = open.contains(fingerprint);
            let (is_early, is_late) = (now.plus(END_TOLERANCE) < posted.ends_at, now >= posted.ends_at.plus(END_TOLERANCE));
            let is_right = if is_open { !is_late || self.is_clock_unsure } else { !is_early };
            ensure(is_right, || format!("{fingerprint:?} was posted until {:?}; that it is open at {now:?} is {is_open}", posted.ends_at))?;
        }
        let stranger = open.iter().find(|fingerprint| !self.posted.contains_key(fingerprint));
        ensure(stranger.is_none(), || format!("nobody posted {stranger:?}"))?;
        self.posted.retain(|fingerprint, _| open.contains(fingerprint));
        Ok(())
    }
}
