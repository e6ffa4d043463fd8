//! The tree of routes: which of them take an alert, and what each of them says.
//!
//! The first child that matches takes an alert, unless it says `continue`: then the next siblings are asked too. An alert that no child takes
//! stays with the parent; the root takes every alert. An incident of a check that nobody can judge goes to the route `unknown` alone.
//!
//! A route is known by its matchers and those above it, so that its groups outlive changes elsewhere in the configuration.
//!
//! Invariant: the ids of two routes differ; the same tree gives the same ids.

use std::sync::Arc;

use super::config::{AlertingConfig, GroupBy, RouteConfig, Rung, SinkName, Timing};
use super::incident::Incident;
use super::labels::LabelSet;
use super::matcher::{Matcher, Subject, all_match};

/// One route with everything that it has from its parents.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The matchers on the way to it, like Alertmanager's key of a route: `{}/{severity=~"P0|P1"}`.
    pub id: Arc<str>,
    pub matchers: Vec<Matcher>,
    pub continues: bool,
    pub sinks: Vec<SinkName>,
    pub group_by: GroupBy,
    pub timing: Timing,
    pub escalate: Vec<Rung>,
    pub mute_times: Vec<Arc<str>>,
    pub active_times: Vec<Arc<str>>,
    children: Vec<usize>,
}

impl Route {
    /// The labels by which the route puts an alert into a group.
    pub fn group_labels(&self, labels: &LabelSet) -> LabelSet {
        match &self.group_by {
            GroupBy::Labels(names) => labels.only(names),
            GroupBy::All => labels.clone(),
        }
    }

    /// Whether `sink` is told after `rungs` of the ladder were climbed.
    pub fn tells(&self, sink: &str, rungs: u32) -> bool {
        let climbed = usize::try_from(rungs).unwrap_or(usize::MAX);
        let has = |sinks: &[SinkName]| sinks.iter().any(|name| **name == *sink);
        has(&self.sinks) || self.escalate.iter().take(climbed).any(|rung| has(&rung.sinks))
    }

    /// Every sink that is ever told, each once.
    pub fn all_sinks(&self) -> Vec<SinkName> {
        let mut sinks: Vec<SinkName> = self.sinks.iter().chain(self.escalate.iter().flat_map(|rung| &rung.sinks)).cloned().collect();
        sinks.sort();
        sinks.dedup();
        sinks
    }

    /// The rung that follows `rungs` climbed ones.
    pub(super) fn rung(&self, rungs: u32) -> Option<&Rung> {
        self.escalate.get(usize::try_from(rungs).ok()?)
    }
}

#[derive(Debug, PartialEq)]
pub struct RouteTree {
    /// The root first, parents before their children, `unknown` last.
    routes: Vec<Route>,
    unknown: usize,
}

impl RouteTree {
    pub fn new(config: &AlertingConfig) -> RouteTree {
        let mut tree = RouteTree { routes: Vec::new(), unknown: 0 };
        let nothing = Route {
            id: Arc::from(""),
            matchers: Vec::new(),
            continues: false,
            sinks: Vec::new(),
            group_by: GroupBy::Labels(Vec::new()),
            timing: Timing::default(),
            escalate: Vec::new(),
            mute_times: Vec::new(),
            active_times: Vec::new(),
            children: Vec::new(),
        };
        tree.add(&config.route, &nothing, Arc::from("{}"));
        if let Some(root) = tree.routes.first().cloned() {
            tree.unknown = tree.add(&config.unknown, &root, Arc::from("{}/unknown"));
        }
        tree
    }

    fn add(&mut self, written: &RouteConfig, parent: &Route, id: Arc<str>) -> usize {
        let route = Route {
            id,
            matchers: written.matchers.clone(),
            continues: written.continues,
            sinks: written.sinks.clone().unwrap_or_else(|| parent.sinks.clone()),
            group_by: written.group_by.clone().unwrap_or_else(|| parent.group_by.clone()),
            timing: Timing {
                group_wait: written.group_wait.unwrap_or(parent.timing.group_wait),
                group_interval: written.group_interval.unwrap_or(parent.timing.group_interval),
                repeat_interval: written.repeat_interval.unwrap_or(parent.timing.repeat_interval),
            },
            escalate: written.escalate.clone().unwrap_or_else(|| parent.escalate.clone()),
            mute_times: written.mute_times.clone(),
            active_times: written.active_times.clone(),
            children: Vec::new(),
        };
        let index = self.routes.len();
        self.routes.push(route.clone());
        let mut ids: Vec<Arc<str>> = Vec::new();
        for child in &written.routes {
            let id = child_id(&route.id, child, &ids);
            ids.push(Arc::clone(&id));
            let child = self.add(child, &route, id);
            if let Some(route) = self.routes.get_mut(index) {
                route.children.push(child);
            }
        }
        index
    }

    pub(super) fn get(&self, index: usize) -> Option<&Route> {
        self.routes.get(index)
    }

    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.routes.iter().position(|route| *route.id == *id)
    }

    /// The routes that take `incident`; at least one.
    pub(super) fn of_incident(&self, incident: &Incident) -> Vec<usize> {
        if incident.is_unknown() { vec![self.unknown] } else { self.of_subject(&incident.subject()) }
    }

    pub(super) fn of_subject(&self, subject: &Subject<'_>) -> Vec<usize> {
        let mut taken = Vec::new();
        self.take(0, subject, &mut taken);
        taken
    }

    /// Whether the route at `index`, or one below it, takes the subject; those that do are added to `taken`.
    fn take(&self, index: usize, subject: &Subject<'_>, taken: &mut Vec<usize>) -> bool {
        let Some(route) = self.routes.get(index) else { return false };
        if !all_match(&route.matchers, subject) {
            return false;
        }
        let taken_before = taken.len();
        for child in &route.children {
            let is_taken = self.take(*child, subject, taken);
            if is_taken && self.routes.get(*child).is_some_and(|child| !child.continues) {
                break;
            }
        }
        if taken.len() == taken_before {
            taken.push(index);
        }
        true
    }
}

/// Siblings that are written alike are counted.
fn child_id(parent: &str, child: &RouteConfig, siblings: &[Arc<str>]) -> Arc<str> {
    let matchers: Vec<String> = child.matchers.iter().map(ToString::to_string).collect();
    let plain = format!("{parent}/{{{}}}", matchers.join(","));
    let is_new = |id: &str| siblings.iter().all(|sibling| **sibling != *id);
    if is_new(&plain) {
        return Arc::from(plain);
    }
    let counted = (2..).map(|number: u32| format!("{plain}#{number}")).find(|id| is_new(id));
    Arc::from(counted.unwrap_or(plain))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Status;
    use crate::alerting::Severity;

    fn route(matcher: &str, sinks: &[&str]) -> RouteConfig {
        RouteConfig {
            matchers: vec![Matcher::parse(matcher).expect("a matcher")],
            sinks: Some(sinks.iter().map(|name| SinkName::from(*name)).collect()),
            ..RouteConfig::default()
        }
    }

    fn tree(routes: Vec<RouteConfig>) -> RouteTree {
        let root = RouteConfig {
            sinks: Some(vec!["root".into()]),
            group_by: Some(GroupBy::Labels(vec!["service".into()])),
            group_wait: Some(Duration::from_secs(7)),
            routes,
            ..RouteConfig::default()
        };
        RouteTree::new(&AlertingConfig { route: root, ..AlertingConfig::default() })
    }

    /// The ids of the routes that take an alert with these labels.
    fn taken(tree: &RouteTree, labels: &[(&str, &str)]) -> Vec<String> {
        let labels = LabelSet::new(labels.iter().copied()).expect("valid labels");
        let subject = Subject { labels: &labels, status: Status::Critical, severity: Severity::of(&labels) };
        tree.of_subject(&subject).into_iter().filter_map(|index| tree.get(index)).map(|route| route.id.to_string()).collect()
    }

    #[test]
    fn the_first_child_that_matches_takes_it_and_the_root_the_rest() {
        let tree = tree(vec![route("a=1", &["one"]), route("a=~\"1|2\"", &["two"])]);
        assert_eq!(taken(&tree, &[("a", "1")]), ["{}/{a=\"1\"}"]);
        assert_eq!(taken(&tree, &[("a", "2")]), ["{}/{a=~\"1|2\"}"]);
        assert_eq!(taken(&tree, &[("a", "3")]), ["{}"]);
    }

    #[test]
    fn continue_asks_the_siblings_too() {
        let first = RouteConfig { continues: true, ..route("a=1", &["one"]) };
        let tree = tree(vec![first, route("a=~\"1|2\"", &["two"]), route("a=1", &["three"])]);
        assert_eq!(taken(&tree, &[("a", "1")]), ["{}/{a=\"1\"}", "{}/{a=~\"1|2\"}"]);
    }

    #[test]
    fn the_deepest_match_takes_it_with_what_it_has_from_above() {
        let parent = RouteConfig { routes: vec![RouteConfig { sinks: None, ..route("b=1", &[]) }], ..route("a=1", &["one"]) };
        let tree = tree(vec![parent]);
        assert_eq!(taken(&tree, &[("a", "1"), ("b", "1")]), ["{}/{a=\"1\"}/{b=\"1\"}"]);
        assert_eq!(taken(&tree, &[("a", "1"), ("b", "2")]), ["{}/{a=\"1\"}"]);
        let deepest = tree.find("{}/{a=\"1\"}/{b=\"1\"}").and_then(|index| tree.get(index)).expect("the child");
        assert_eq!(deepest.sinks, [SinkName::from("one")]);
        assert_eq!(deepest.timing.group_wait, Duration::from_secs(7));
        assert_eq!(deepest.timing.repeat_interval, Timing::default().repeat_interval);
        assert_eq!(deepest.group_by, GroupBy::Labels(vec!["service".into()]));
    }

    #[test]
    fn siblings_that_are_written_alike_have_ids_of_their_own() {
        let first = RouteConfig { continues: true, ..route("a=1", &["one"]) };
        let tree = tree(vec![first, route("a=1", &["two"])]);
        assert_eq!(taken(&tree, &[("a", "1")]), ["{}/{a=\"1\"}", "{}/{a=\"1\"}#2"]);
    }

    #[test]
    fn a_ladder_tells_more_sinks_with_each_rung() {
        let mut written = route("a=1", &["one"]);
        written.escalate = Some(vec![Rung { after: Duration::from_secs(60), sinks: vec!["lead".into(), "one".into()] }]);
        let tree = tree(vec![written]);
        let route = tree.get(1).expect("the child");
        assert!(route.tells("one", 0) && !route.tells("lead", 0) && route.tells("lead", 1));
        assert_eq!(route.all_sinks(), [SinkName::from("lead"), SinkName::from("one")]);
        assert!(route.rung(0).is_some() && route.rung(1).is_none());
    }

    #[test]
    fn the_route_unknown_has_the_roots_sinks_by_default() {
        let tree = tree(Vec::new());
        let unknown = tree.get(tree.unknown).expect("the route");
        assert_eq!((&*unknown.id, unknown.sinks.as_slice()), ("{}/unknown", [SinkName::from("root")].as_slice()));
    }
}
