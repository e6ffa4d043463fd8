//! Inhibition: while one incident fires, others that follow from it are not told.
//!
//! An open incident inhibits also while it is muted or acknowledged itself: it is still what the others follow from. One that matches both
//! sides of a rule is not inhibited by another that does, as in Alertmanager. Two that would inhibit each other by different rules: the older
//! one is told.
//!
//! How: for each rule the open incidents that match its sides, by the values of the labels in `equal`, so that an incident is compared
//! with nothing but those it concerns.
//!
//! Invariant: only open incidents are in here; no set is empty.

use std::collections::{BTreeMap, BTreeSet};

use super::config::InhibitRule;
use super::id::IncidentId;
use super::labels::LabelSet;
use super::matcher::{Subject, all_match};

#[derive(Debug, Default, PartialEq)]
pub(super) struct Inhibitions {
    rules: Vec<RuleState>,
}

#[derive(Debug, PartialEq)]
struct RuleState {
    rule: InhibitRule,
    sources: BySide,
    targets: BySide,
}

/// The values of the labels in `equal`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(Vec<String>);

#[derive(Debug, Default, PartialEq)]
struct BySide(BTreeMap<Key, BTreeSet<IncidentId>>);

impl BySide {
    fn of(&self, key: &Key) -> impl Iterator<Item = IncidentId> {
        self.0.get(key).into_iter().flatten().copied()
    }

    fn contains(&self, key: &Key, id: IncidentId) -> bool {
        self.0.get(key).is_some_and(|ids| ids.contains(&id))
    }

    fn insert(&mut self, key: &Key, id: IncidentId) {
        self.0.entry(key.clone()).or_default().insert(id);
    }

    fn remove(&mut self, key: &Key, id: IncidentId) {
        if let Some(ids) = self.0.get_mut(key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.0.remove(key);
            }
        }
    }
}

impl RuleState {
    fn key(&self, labels: &LabelSet) -> Key {
        Key(self.rule.equal.iter().map(|name| labels.get(name).unwrap_or_default().to_owned()).collect())
    }

    /// Whether this rule lets `source` inhibit `target`; both have the values of `key`.
    fn lets(&self, key: &Key, source: IncidentId, target: IncidentId) -> bool {
        let has_both_sides = |id| self.sources.contains(key, id) && self.targets.contains(key, id);
        source != target
            && self.sources.contains(key, source)
            && self.targets.contains(key, target)
            && !(has_both_sides(source) && has_both_sides(target))
    }
}

impl Inhibitions {
    pub(super) fn new(rules: &[InhibitRule]) -> Inhibitions {
        let state = |rule: &InhibitRule| RuleState { rule: rule.clone(), sources: BySide::default(), targets: BySide::default() };
        Inhibitions { rules: rules.iter().map(state).collect() }
    }

    /// Takes an open incident in, or takes note of what it matches now. Gives those for which that may make a difference.
    pub(super) fn put(&mut self, id: IncidentId, subject: &Subject<'_>) -> BTreeSet<IncidentId> {
        let mut concerned = BTreeSet::new();
        for state in &mut self.rules {
            let key = state.key(subject.labels);
            let was_source = state.sources.contains(&key, id);
            let is_source = all_match(&state.rule.source, subject);
            if is_source {
                state.sources.insert(&key, id)
            } else {
                state.sources.remove(&key, id)
            }
            if all_match(&state.rule.target, subject) {
                state.targets.insert(&key, id)
            } else {
                state.targets.remove(&key, id)
            }
            if was_source || is_source {
                concerned.extend(state.targets.of(&key));
            }
        }
        concerned.remove(&id);
        concerned
    }

    /// Forgets an incident that is over. Gives those for which that may make a difference.
    pub(super) fn remove(&mut self, id: IncidentId, labels: &LabelSet) -> BTreeSet<IncidentId> {
        let mut concerned = BTreeSet::new();
        for state in &mut self.rules {
            let key = state.key(labels);
            if state.sources.contains(&key, id) {
                concerned.extend(state.targets.of(&key));
            }
            state.sources.remove(&key, id);
            state.targets.remove(&key, id);
        }
        concerned.remove(&id);
        concerned
    }

    /// The oldest incident that inhibits this one.
    pub(super) fn inhibitor_of(&self, id: IncidentId, labels: &LabelSet) -> Option<IncidentId> {
        self.rules.iter().find_map(|state| {
            let key = state.key(labels);
            if !state.targets.contains(&key, id) {
                return None;
            }
            state.sources.of(&key).find(|source| state.lets(&key, *source, id) && !(id < *source && self.inhibits(id, labels, *source)))
        })
    }

    /// Whether `source`, which has these labels, inhibits `target` by any rule. Their labels in `equal` are the same, or it does not.
    fn inhibits(&self, source: IncidentId, labels: &LabelSet, target: IncidentId) -> bool {
        self.rules.iter().any(|state| state.lets(&state.key(labels), source, target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matcher::Matcher;
    use crate::alerting::{Chance, Severity};
    use crate::{Status, Timestamp};

    fn rule(source: &str, target: &str, equal: &[&str]) -> InhibitRule {
        let matchers = |text| vec![Matcher::parse(text).expect("a matcher")];
        InhibitRule { source: matchers(source), target: matchers(target), equal: equal.iter().map(|name| (*name).to_owned()).collect() }
    }

    struct Scene {
        inhibitions: Inhibitions,
        chance: Chance,
        now: u64,
    }

    impl Scene {
        fn new(rules: &[InhibitRule]) -> Scene {
            Scene { inhibitions: Inhibitions::new(rules), chance: Chance::seeded(1), now: 0 }
        }

        fn opens(&mut self, labels: &[(&str, &str)]) -> (IncidentId, LabelSet) {
            self.now += 1;
            let id = IncidentId::next(&mut self.chance, Timestamp(self.now));
            let labels = LabelSet::new(labels.iter().copied()).expect("valid labels");
            self.inhibitions.put(id, &Subject { labels: &labels, status: Status::Critical, severity: Severity::P3 });
            (id, labels)
        }

        fn inhibitor(&self, incident: &(IncidentId, LabelSet)) -> Option<IncidentId> {
            self.inhibitions.inhibitor_of(incident.0, &incident.1)
        }
    }

    #[test]
    fn a_source_inhibits_targets_with_equal_labels_while_it_is_open() {
        let mut scene = Scene::new(&[rule("alertname=db", "alertname=api", &["site"])]);
        let api = scene.opens(&[("alertname", "api"), ("site", "a")]);
        let elsewhere = scene.opens(&[("alertname", "api"), ("site", "b")]);
        assert_eq!(scene.inhibitor(&api), None);
        let db = scene.opens(&[("alertname", "db"), ("site", "a")]);
        assert_eq!((scene.inhibitor(&api), scene.inhibitor(&elsewhere), scene.inhibitor(&db)), (Some(db.0), None, None));
        assert_eq!(scene.inhibitions.remove(db.0, &db.1), BTreeSet::from([api.0]));
        assert_eq!(scene.inhibitor(&api), None);
        scene.inhibitions.remove(api.0, &api.1);
        scene.inhibitions.remove(elsewhere.0, &elsewhere.1);
        assert_eq!(scene.inhibitions, Scene::new(&[rule("alertname=db", "alertname=api", &["site"])]).inhibitions);
    }

    #[test]
    fn a_label_that_both_lack_is_equal() {
        let mut scene = Scene::new(&[rule("alertname=db", "alertname=api", &["site"])]);
        let api = scene.opens(&[("alertname", "api")]);
        let db = scene.opens(&[("alertname", "db")]);
        assert_eq!(scene.inhibitor(&api), Some(db.0));
    }

    #[test]
    fn two_that_match_both_sides_do_not_inhibit_each_other() {
        let mut scene = Scene::new(&[rule("severity=P0", "severity=~\"P.\"", &[])]);
        let one = scene.opens(&[("severity", "P0"), ("n", "1")]);
        let other = scene.opens(&[("severity", "P0"), ("n", "2")]);
        let minor = scene.opens(&[("severity", "P2")]);
        assert_eq!((scene.inhibitor(&one), scene.inhibitor(&other), scene.inhibitor(&minor)), (None, None, Some(one.0)));
    }

    #[test]
    fn of_two_that_would_inhibit_each_other_the_older_is_told() {
        let mut scene = Scene::new(&[rule("alertname=a", "alertname=b", &[]), rule("alertname=b", "alertname=a", &[])]);
        let newer_rule_first = scene.opens(&[("alertname", "b")]);
        let newer = scene.opens(&[("alertname", "a")]);
        assert_eq!((scene.inhibitor(&newer_rule_first), scene.inhibitor(&newer)), (None, Some(newer_rule_first.0)));
    }
}
