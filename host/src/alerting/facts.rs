//! What the machine of alerts is told of checks: facts out of results, in their order, and out of the configuration.
//!
//! Of a result: its transition; that its check is one that nobody could judge from the beginning, which is no transition; that it flaps, or
//! no longer; and which checks its transition makes unreachable, or reachable again.
//!
//! Of another configuration: the routes; checks that are gone; those whose labels are not those of their open incidents; and for checks that are new in it, or need another number of results, how they
//! stand by what is stored of them, against the incidents that are open. So a check that comes back failing has an incident again, and one that failed before there were
//! alerts gets its first.
//!
//! Invariant: a result of a check that is not configured makes no fact.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use sickbay_core::alerting::{AlertKind, Alerting, AlertingConfig, CheckIdentity, Fact, Findings, Flap, Incident, LabelSet};
use sickbay_core::slo::{PAIRS, SEVERITY_DETAIL};
use sickbay_core::{Dependencies, Judgement, Reach, Status, Timestamp};
use sickbay_store::ResultRecord;

use crate::clock;
use crate::config::{Config, Origin};
use crate::live::{CheckTable, LiveCheck, Observed, dependencies_of};
use crate::reporter::reason_detail;

/// The label of a check that says how severe its failure is.
const SEVERITY: &str = "severity";

/// A configuration and its checks, as the machine is to know them.
pub(super) struct Wanted {
    pub(super) config: Arc<Config>,
    /// That of `config`, with what the plugins of sinks say.
    pub(super) alerting: Arc<AlertingConfig>,
    pub(super) checks: Arc<CheckTable>,
}

/// What the machine was told of the checks.
#[derive(Default)]
pub(super) struct Watched {
    /// None until the first table of the process is there.
    wanted: Option<Arc<Wanted>>,
    /// As confirmed by the results that the machine has heard of.
    dependencies: Dependencies,
    /// Checks that flap.
    flapping: HashSet<Arc<str>>,
    /// Of objectives that failed, as they said last.
    severities: HashMap<Arc<str>, &'static str>,
}

impl Watched {
    /// One that begins where the machine is that was made of the store's rows.
    pub(super) fn of(flapping: HashSet<Arc<str>>) -> Watched {
        Watched { flapping, ..Watched::default() }
    }

    pub(super) fn is_of(&self, wanted: &Arc<Wanted>) -> bool {
        self.wanted.as_ref().is_some_and(|known| Arc::ptr_eq(known, wanted))
    }

    /// Takes the next result.
    pub(super) fn facts_of(&mut self, record: &ResultRecord) -> Vec<Fact> {
        let Some(wanted) = self.wanted.clone() else { return Vec::new() };
        let Some(check) = wanted.checks.get(&record.check) else { return Vec::new() };
        let mut facts = Vec::new();
        // Before the transition, so that what follows from it goes by the new one.
        if let Some(severity) = told_severity(check, record)
            && self.severities.insert(Arc::clone(&record.check), severity) != Some(severity)
        {
            facts.push(Fact::Relabelled { check: identity_with(check, &wanted.config, Some(severity)) });
        }
        let failures_needed = check.spec.policy.failures;
        // First, so that what is told of the check says how much stands on it.
        let transition = record.transition.as_ref();
        let reached = transition.map(|transition| self.dependencies.confirmed(&record.check, transition.to)).unwrap_or_default();
        if record.transition.is_some() || is_first_unjudged(record, failures_needed) {
            let check = identity_with(check, &wanted.config, severity_by(check, Some(record)));
            let findings = self.found(&check.name, findings(record));
            facts.push(Fact::Transition { check, findings });
        }
        self.flapping_facts(check, &wanted.config, Some(record), &mut facts);
        facts.extend(reached.into_iter().map(|Reach { check, cause, .. }| Fact::Reachability { check, cause }));
        facts
    }

    /// What a result says that is no fact: as the result before it, or other words for the same status.
    pub(super) fn found_again(&self, record: &ResultRecord) -> Option<Arc<Findings>> {
        let is_of_an_incident = record.status != Status::Ok && record.transition.is_none();
        is_of_an_incident.then(|| self.found(&record.check, findings(record)))
    }

    /// Goes over to another configuration.
    pub(super) fn adopt(&mut self, wanted: Arc<Wanted>, alerting: &Alerting) -> Vec<Fact> {
        let before = self.wanted.replace(Arc::clone(&wanted));
        let mut facts = Vec::new();
        if **alerting.config() != *wanted.alerting {
            facts.push(Fact::Configured { config: Arc::clone(&wanted.alerting) });
        }
        let remembered = alerting.checks();
        for gone in remembered.iter().filter(|name| wanted.checks.get(name).is_none()) {
            facts.push(Fact::CheckRemoved { check: Arc::clone(gone) });
        }
        facts.extend(relabelled(&wanted, alerting));
        self.flapping.retain(|name| wanted.checks.get(name).is_some());
        self.severities.retain(|name, _| wanted.checks.get(name).is_some());
        self.dependencies = dependencies_of(&wanted.checks);
        let kept = remembered.into_iter().filter(|name| wanted.checks.get(name).is_some());
        self.reachability_facts(kept, &mut facts);
        let open: HashSet<(Arc<str>, AlertKind)> = alerting.incidents().filter_map(open_of).collect();
        // One that needs fewer results than before may have had them already, and none to come says so.
        let was_known = |name: &str, failures: u32| {
            let known = before.as_ref().and_then(|before| before.checks.get(name));
            known.is_some_and(|known| known.spec.policy.failures == failures)
        };
        for check in wanted.checks.by_name.values().filter(|check| !was_known(&check.name, check.spec.policy.failures)) {
            let observed = check.observed();
            if let Some(status) = untold(check, &observed, &open) {
                facts.push(Fact::Transition {
                    check: identity(check, &wanted.config),
                    findings: self.found(&check.name, standing(&observed, status)),
                });
            }
            self.flapping_facts(check, &wanted.config, observed.last.as_deref(), &mut facts);
        }
        facts
    }

    /// What was found of a check, with how many others are unreachable because of it.
    fn found(&self, check: &str, findings: Findings) -> Arc<Findings> {
        let dependents = self.dependencies.reach_of(check).filter(|_| findings.status.is_failure()).map_or(0, |reach| reach.dependents);
        Arc::new(findings.with_dependents(dependents))
    }

    /// Of every check in the graph, and of those that stood in one before; where nothing changed the machine sees that.
    fn reachability_facts(&self, kept: impl Iterator<Item = Arc<str>>, facts: &mut Vec<Fact>) {
        let names: BTreeSet<Arc<str>> = self.dependencies.names().cloned().chain(kept).collect();
        facts.extend(names.into_iter().map(|check| {
            let cause = self.dependencies.reach_of(&check).and_then(|reach| reach.cause);
            Fact::Reachability { check, cause }
        }));
    }

    /// That the check begins or ends to flap, where the machine has not heard of it.
    fn flapping_facts(&mut self, check: &LiveCheck, config: &Config, record: Option<&ResultRecord>, facts: &mut Vec<Fact>) {
        let Some(record) = record else { return };
        match (record.state.flapping.began, self.flapping.contains(&check.name)) {
            (Some(began), false) => {
                self.flapping.insert(Arc::clone(&check.name));
                // It begins with a failure; where that was before, it is told as it stood.
                let findings =
                    if record.status.is_failure() { findings(record) } else { Findings { status: began.status, ..findings(record) } };
                let change = Flap::Began { findings: self.found(&check.name, findings), confirmed: record.state.hard_status };
                facts.push(Fact::Flapping { check: identity(check, config), change });
            }
            (None, true) => {
                self.flapping.remove(&check.name);
                facts.push(Fact::Flapping { check: identity(check, config), change: Flap::Ended });
            }
            (Some(_), true) | (None, false) => {}
        }
    }
}

/// A check that could not be judged from its beginning is confirmed as that without a transition.
fn is_first_unjudged(record: &ResultRecord, failures_needed: u32) -> bool {
    let state = &record.state;
    record.status == Status::Unknown && state.hard_status == Status::Unknown && state.unknowns == failures_needed
}

/// Checks that have other labels than their open incidents.
fn relabelled(wanted: &Wanted, alerting: &Alerting) -> Vec<Fact> {
    let mut facts = Vec::new();
    for incident in alerting.incidents().filter(|incident| incident.is_open()) {
        let Some(check) = incident.check().and_then(|name| wanted.checks.get(name)) else { continue };
        let last = check.with(|observed| observed.last.clone());
        let severity = match last.as_deref().and_then(|last| told_severity(check, last)) {
            Some(severity) => Some(severity),
            // The last result says none, so it stays what it is.
            None if has_severity_of_pair(check) => incident.labels.get(SEVERITY),
            None => None,
        };
        let mut identity = identity_with(check, &wanted.config, severity);
        if check.spec.kind.is_none() {
            // It is known again with the first run.
            let kind = Arc::from(incident.labels.get("kind").unwrap_or_default());
            identity = Arc::new(CheckIdentity { kind, ..(*identity).clone() });
        }
        let kind = if incident.is_unknown() { AlertKind::Unknown } else { AlertKind::Failure };
        if identity.alert_labels(kind) != incident.labels {
            facts.push(Fact::Relabelled { check: identity });
        }
    }
    facts
}

fn open_of(incident: &Incident) -> Option<(Arc<str>, AlertKind)> {
    let kind = if incident.is_unknown() { AlertKind::Unknown } else { AlertKind::Failure };
    incident.is_open().then_some(())?;
    Some((Arc::clone(incident.check()?), kind))
}

/// The confirmed status of a check, where the open incidents do not say so.
fn untold(check: &LiveCheck, observed: &Observed, open: &HashSet<(Arc<str>, AlertKind)>) -> Option<Status> {
    let state = &observed.state;
    observed.last.as_ref()?;
    let is_open = |kind| open.contains(&(Arc::clone(&check.name), kind));
    let (has_failure, has_unknown) = (is_open(AlertKind::Failure), is_open(AlertKind::Unknown));
    let is_untold = match state.hard_status {
        Status::Ok => has_failure || has_unknown,
        Status::Warning | Status::Critical => !has_failure || has_unknown,
        Status::Unknown => {
            let is_confirmed = state.since != Timestamp::default() || state.unknowns >= check.spec.policy.failures;
            is_confirmed && !has_unknown
        }
    };
    is_untold.then_some(state.hard_status)
}

/// What is known of a check that stands so by what is stored of it.
fn standing(observed: &Observed, status: Status) -> Findings {
    if let Some(last) = observed.last.as_ref().filter(|last| last.status == status) {
        return findings(last);
    }
    let since = clock::rfc3339(observed.state.since);
    Findings {
        status,
        summary: format!("{status} since {since}"),
        reason: "Confirmed".to_owned(),
        reason_detail: format!("it was confirmed at {since}, and nothing else since"),
        failure: observed.last.as_ref().and_then(|last| last.failure.clone()),
        evidence: Vec::new(),
        dependents: 0,
    }
}

fn findings(record: &ResultRecord) -> Findings {
    let findings = Findings::of(&Judgement {
        status: record.status,
        summary: record.summary.clone(),
        reason: record.reason.clone(),
        failure: record.failure.clone(),
        evidence: record.evidence.clone(),
    });
    // Short, and no plugin's.
    if record.plugin.is_empty() { Findings { reason_detail: reason_detail(record), ..findings } } else { findings }
}

/// What alerts need to know of a check.
pub(crate) fn identity(check: &LiveCheck, config: &Config) -> Arc<CheckIdentity> {
    let last = if has_severity_of_pair(check) { check.with(|observed| observed.last.clone()) } else { None };
    identity_with(check, config, severity_by(check, last.as_deref()))
}

/// Whether the pair of windows that fires says how severe it is: of the check of an objective, where its labels do not.
fn has_severity_of_pair(check: &LiveCheck) -> bool {
    matches!(check.spec.origin, Origin::Slo) && !check.spec.labels.contains_key(SEVERITY)
}

/// What the most urgent pair that fires said with a result.
fn told_severity(check: &LiveCheck, record: &ResultRecord) -> Option<&'static str> {
    if !has_severity_of_pair(check) {
        return None;
    }
    let details: serde_json::Value = serde_json::from_str(record.details.as_deref()?).ok()?;
    let told = details.get(SEVERITY_DETAIL)?.as_str()?;
    PAIRS.iter().map(|pair| pair.severity).find(|severity| *severity == told)
}

/// That of the pair that fired with a result, the most urgent where none did; none where the labels say it.
fn severity_by(check: &LiveCheck, record: Option<&ResultRecord>) -> Option<&'static str> {
    let told = record.and_then(|record| told_severity(check, record));
    told.or_else(|| has_severity_of_pair(check).then_some(PAIRS[0].severity))
}

/// With a severity beside the labels that are written.
fn identity_with(check: &LiveCheck, config: &Config, severity: Option<&str>) -> Arc<CheckIdentity> {
    let labels = check.spec.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let labels = labels.chain(severity.map(|severity| (SEVERITY, severity)));
    Arc::new(CheckIdentity {
        name: Arc::clone(&check.name),
        plugin: Arc::clone(&check.plugin),
        kind: Arc::from(check.kind.load().as_str()),
        target: check.spec.target.as_deref().map(Arc::from),
        owner: config.settings_of(&check.spec.plugin).owner.as_deref().map(Arc::from),
        // The configuration has tighter bounds.
        labels: LabelSet::new(labels).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use sickbay_core::{FlapBegin, Reason, StateKind, Transition};

    use super::*;
    use crate::api::testing::{Host, check, record};

    fn watched(host: &Host) -> (Watched, Alerting) {
        let mut watched = Watched::default();
        let alerting = Alerting::new(Arc::clone(&host.live.config.load().alerting), 1, Timestamp(1));
        watched.adopt(wanted(host), &alerting);
        (watched, alerting)
    }

    fn wanted(host: &Host) -> Arc<Wanted> {
        wanted_of(host.live.config.load_full(), host.live.checks())
    }

    fn wanted_of(config: Arc<Config>, checks: Arc<CheckTable>) -> Arc<Wanted> {
        Arc::new(Wanted { alerting: Arc::clone(&config.alerting), config, checks })
    }

    fn failed(check: &str, number: u64) -> ResultRecord {
        let mut record = record(check, number);
        (record.status, record.reason) = (Status::Critical, Reason::Reported { status: Status::Critical, failure: Some("refused".into()) });
        (record.state.status, record.state.hard_status, record.state.kind) = (Status::Critical, Status::Critical, StateKind::Hard);
        record.transition = Some(Transition { from: Status::Ok, to: Status::Critical, at: record.started_at });
        record
    }

    /// `Transition db critical`, `Reachability api by db`
    fn told(facts: &[Fact]) -> Vec<String> {
        facts
            .iter()
            .map(|fact| match fact {
                Fact::Transition { check, findings } => format!("Transition {} {}", check.name, findings.status),
                Fact::Flapping { check, change: Flap::Began { findings, confirmed } } => {
                    format!("Flapping {} {} {confirmed}", check.name, findings.status)
                }
                Fact::Flapping { check, change: Flap::Ended } => format!("Calm {}", check.name),
                Fact::Reachability { check, cause: Some(cause) } => format!("Reachability {check} by {cause}"),
                Fact::Reachability { check, cause: None } => format!("Reachability {check}"),
                Fact::CheckRemoved { check } => format!("CheckRemoved {check}"),
                Fact::Relabelled { check } => format!("Relabelled {} {}", check.name, check.labels),
                Fact::Configured { .. } => "Configured".to_owned(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[tokio::test]
    async fn a_transition_is_told_with_what_it_reaches_and_a_plain_result_is_not() {
        let host = Host::start(&format!("{}{}depends_on = [\"db\"]\n", check("db"), check("api"))).await;
        let (mut watched, _) = watched(&host);
        assert!(watched.facts_of(&record("db", 1)).is_empty());
        assert_eq!(told(&watched.facts_of(&failed("db", 2))), ["Transition db critical", "Reachability db", "Reachability api by db"]);
        assert!(watched.facts_of(&failed("gone", 3)).is_empty(), "it is not configured");
    }

    #[tokio::test]
    async fn the_root_cause_is_told_with_its_dependents() {
        let children: String = (0..31).map(|number| format!("{}depends_on = [\"db\"]\n", check(&format!("api-{number}")))).collect();
        let host = Host::start(&format!("{}{children}", check("db"))).await;
        let (mut watched, _) = watched(&host);
        let facts = watched.facts_of(&failed("db", 1));
        let Some(Fact::Transition { findings, .. }) = facts.first() else { panic!("{:?}", told(&facts)) };
        assert_eq!(findings.dependents, 31);
        let told = sickbay_core::reason::told(&findings.summary, &findings.reason, &findings.reason_detail);
        assert!(told.contains(" (31 dependents)"), "{told}");
        let Some(Fact::Transition { findings, .. }) = watched.facts_of(&failed("api-7", 2)).into_iter().next() else { panic!("no fact") };
        assert_eq!(findings.dependents, 0, "nothing stands on it");
    }

    #[tokio::test]
    async fn the_severity_of_an_objective_is_that_of_the_pair_that_fires_also_when_it_changes() {
        let slo = "[[slo]]\nname = \"shop\"\nchecks = [\"db\"]\nobjective = 0.99\n";
        let host = Host::start(&format!("{}{slo}", check("db"))).await;
        let (mut watched, _) = watched(&host);
        let burning = |severity: &str, number: u64| ResultRecord {
            details: Some(format!("{{\"severity\":\"{severity}\"}}")),
            transition: None,
            ..failed("slo.shop", number)
        };
        let first = ResultRecord { transition: failed("slo.shop", 1).transition, ..burning("P3", 1) };
        let facts = watched.facts_of(&first);
        let severity = facts.iter().find_map(|fact| match fact {
            Fact::Transition { check, .. } => check.labels.get("severity"),
            _ => None,
        });
        assert_eq!(severity, Some("P3"));
        assert!(watched.facts_of(&burning("P3", 2)).is_empty());
        let worse = watched.facts_of(&burning("P1", 3));
        assert!(matches!(&worse[..], [Fact::Relabelled { check }] if check.labels.get("severity") == Some("P1")), "{worse:?}");
    }

    #[tokio::test]
    async fn what_nobody_could_judge_from_the_beginning_is_told_once() {
        let host = Host::start(&check("db")).await;
        let (mut watched, _) = watched(&host);
        let unjudged = |unknowns: u32| {
            let mut record = record("db", u64::from(unknowns));
            (record.status, record.state.status, record.state.hard_status) = (Status::Unknown, Status::Unknown, Status::Unknown);
            record.state.unknowns = unknowns;
            record
        };
        let facts: Vec<usize> = (1..=5).map(|unknowns| watched.facts_of(&unjudged(unknowns)).len()).collect();
        assert_eq!(facts, [0, 0, 1, 0, 0]);
    }

    #[tokio::test]
    async fn flapping_is_told_when_it_begins_and_when_it_ends() {
        let host = Host::start(&check("db")).await;
        let (mut watched, _) = watched(&host);
        let mut flapping = record("db", 1);
        flapping.state.flapping.began = Some(FlapBegin { at: Timestamp(900), status: Status::Warning });
        assert_eq!(told(&watched.facts_of(&flapping)), ["Flapping db warning ok"]);
        assert!(watched.facts_of(&flapping).is_empty());
        assert_eq!(told(&watched.facts_of(&record("db", 2))), ["Calm db"]);
    }

    #[tokio::test]
    async fn a_check_that_comes_back_failing_has_an_incident_again() {
        let host = Host::start(&format!("{}{}", check("db"), check("api"))).await;
        let (mut watched, mut alerting) = watched(&host);
        for fact in watched.facts_of(&failed("db", 2)) {
            alerting.apply(fact, Timestamp(2_000));
        }
        host.observe("db", |observed| {
            let record = failed("db", 2);
            observed.state = record.state.clone();
            observed.last = Some(Arc::new(record));
        });
        let all = wanted(&host);
        let mut checks = CheckTable { by_name: all.checks.by_name.clone() };
        checks.by_name.remove("db");
        let without = wanted_of(Arc::clone(&all.config), Arc::new(checks));
        let facts = watched.adopt(without, &alerting);
        assert_eq!(told(&facts), ["CheckRemoved db"]);
        for fact in facts {
            alerting.apply(fact, Timestamp(3_000));
        }
        assert_eq!(alerting.incidents().filter(|incident| incident.is_open()).count(), 0);
        assert_eq!(told(&watched.adopt(all, &alerting)), ["Transition db critical"]);
    }

    #[tokio::test]
    async fn a_check_that_needs_fewer_results_than_it_had_is_told_at_once() {
        let host = Host::start(&check("db")).await;
        let (mut watched, alerting) = watched(&host);
        host.observe("db", |observed| {
            let mut record = record("db", 2);
            (record.status, record.state.status, record.state.hard_status) = (Status::Unknown, Status::Unknown, Status::Unknown);
            (record.state.unknowns, record.state.since) = (2, Timestamp::default());
            observed.note(Arc::new(record), None);
        });
        let path = host.folder.path().join("sickbay.toml");
        std::fs::write(&path, format!("{}failures = 2\n", check("db"))).expect("the folder is writable");
        let config = Arc::new(crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}")));
        let memory = Arc::clone(&host.live.checks().get("db").expect("it is configured").memory);
        let db = LiveCheck::new(Arc::clone(&config.checks[0]), config.limits_of(&config.checks[0]), memory);
        let checks = Arc::new(CheckTable { by_name: [("db".to_owned(), Arc::new(db))].into() });
        let facts = told(&watched.adopt(wanted_of(config, checks), &alerting));
        assert!(facts.contains(&"Transition db unknown".to_owned()), "{facts:?}");
    }

    #[tokio::test]
    async fn a_check_whose_labels_are_not_those_of_its_incident_is_told() {
        let host = Host::start(&check("db")).await;
        let (mut watched, mut alerting) = watched(&host);
        for fact in watched.facts_of(&failed("db", 2)) {
            alerting.apply(fact, Timestamp(2_000));
        }
        assert!(!told(&watched.adopt(wanted(&host), &alerting)).iter().any(|fact| fact.starts_with("Relabelled")));
        let path = host.folder.path().join("sickbay.toml");
        std::fs::write(&path, format!("{}labels = {{ severity = \"P1\" }}\n", check("db"))).expect("the folder is writable");
        let config = Arc::new(crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}")));
        let memory = Arc::clone(&host.live.checks().get("db").expect("it is configured").memory);
        let db = LiveCheck::new(Arc::clone(&config.checks[0]), config.limits_of(&config.checks[0]), memory);
        let checks = Arc::new(CheckTable { by_name: [("db".to_owned(), Arc::new(db))].into() });
        for fact in watched.adopt(wanted_of(config, checks), &alerting) {
            alerting.apply(fact, Timestamp(3_000));
        }
        let severities: Vec<&str> = alerting.incidents().filter_map(|incident| incident.labels.get("severity")).collect();
        assert_eq!(severities, ["P1"]);
    }

    #[tokio::test]
    async fn an_incident_of_a_check_that_is_well_by_its_last_result_ends() {
        let host = Host::start(&check("db")).await;
        let (mut watched, mut alerting) = watched(&host);
        for fact in watched.facts_of(&failed("db", 2)) {
            alerting.apply(fact, Timestamp(2_000));
        }
        host.observe("db", |observed| observed.note(Arc::new(record("db", 3)), None));
        // As after a restart.
        let mut watched = Watched::of(HashSet::new());
        assert!(told(&watched.adopt(wanted(&host), &alerting)).contains(&"Transition db ok".to_owned()));
    }

    #[test]
    fn a_status_whose_result_is_gone_is_told_with_its_time() {
        let observed = Observed { state: failed("db", 1).state, last: Some(Arc::new(record("db", 2))), ..Observed::default() };
        let findings = standing(&observed, Status::Critical);
        assert_eq!((findings.status, findings.summary.as_str()), (Status::Critical, "critical since 1970-01-01T00:00:01.000Z"));
    }
}
