//! Which checks cannot be judged fairly because something that they stand on is down.
//!
//! Who is who: a [`Requirement`] is one entry of `depends_on`: a parent that must be there, or so many of a group. A check is *down* while its
//! confirmed status is critical. It is *unreachable* while one of its requirements is not met: a parent counts as lost while it is down or
//! itself unreachable. Its *cause* is the top-most failing parent: the first of the lost ones that is not itself unreachable, or the cause of
//! that one. A check still runs and is recorded while it is unreachable; only what is told of it depends on this.
//!
//! How: the checks are in topological order. A change goes from a check to its children in that order and ends where nothing changes, so each
//! check is looked at once, and a change costs what it reaches and not what there is.
//!
//! Limits: [`REQUIREMENTS_MAX`] of a check, [`GROUP_MAX`] parents of a group.
//!
//! Invariant: the graph has no cycle; [`Dependencies::new`] refuses one with its path.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::Status;

/// Entries of one `depends_on`.
pub const REQUIREMENTS_MAX: usize = 64;
/// Parents of one group.
pub const GROUP_MAX: usize = 64;

/// One entry of `depends_on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// This parent.
    One(String),
    /// At least `min` of these.
    Any { of: Vec<String>, min: usize },
}

impl Requirement {
    /// The parents that it names.
    pub fn parents(&self) -> &[String] {
        match self {
            Requirement::One(parent) => std::slice::from_ref(parent),
            Requirement::Any { of, .. } => of,
        }
    }

    fn lost_max(&self) -> usize {
        match self {
            Requirement::One(_) => 0,
            Requirement::Any { of, min } => of.len().saturating_sub(*min),
        }
    }
}

/// Why there is no graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependencyError {
    #[error("`{check}` depends on `{parent}`, which is no check")]
    Unknown { check: String, parent: String },
    /// From a check to itself.
    #[error("the dependencies run in a circle: {}", .path.join(" -> "))]
    Cycle { path: Vec<String> },
}

/// Of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    pub check: Arc<str>,
    /// The check that makes it unreachable.
    pub cause: Option<Arc<str>>,
    /// How many checks are unreachable because of it.
    pub dependents: usize,
}

/// The graph of the checks that have parents or children, and how they stand.
#[derive(Debug, Default)]
pub struct Dependencies {
    /// In topological order: parents stand before their children.
    nodes: Vec<Node>,
    by_name: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Node {
    name: Arc<str>,
    requirements: Vec<Met>,
    /// Each once.
    children: Vec<usize>,
    is_down: bool,
    cause: Option<usize>,
    dependents: usize,
}

#[derive(Debug)]
struct Met {
    parents: Vec<usize>,
    /// So many of them may be lost.
    lost_max: usize,
}

impl Dependencies {
    /// The graph of `checks`: each with its requirements. Nothing is down yet.
    pub fn new<'a>(checks: impl IntoIterator<Item = (&'a str, &'a [Requirement])>) -> Result<Dependencies, DependencyError> {
        let requirements: BTreeMap<&str, &[Requirement]> = checks.into_iter().collect();
        let order = ordered(&requirements)?;
        let index: BTreeMap<&str, usize> = order.iter().enumerate().map(|(index, name)| (*name, index)).collect();
        let mut nodes: Vec<Node> = order.iter().map(|name| Node::new(name)).collect();
        for (child, name) in order.iter().enumerate() {
            let requirements = requirements.get(name).copied().unwrap_or_default();
            let mut parents_of_child = BTreeSet::new();
            let mut met = Vec::with_capacity(requirements.len());
            for requirement in requirements {
                let parents: Vec<usize> = requirement.parents().iter().filter_map(|parent| index.get(parent.as_str()).copied()).collect();
                parents_of_child.extend(parents.iter().copied());
                met.push(Met { parents, lost_max: requirement.lost_max() });
            }
            nodes[child].requirements = met;
            for parent in parents_of_child {
                nodes[parent].children.push(child);
            }
        }
        let by_name = nodes.iter().enumerate().map(|(index, node)| (Arc::clone(&node.name), index)).collect();
        Ok(Dependencies { nodes, by_name })
    }

    /// The names in the graph: checks with parents or children.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.nodes.iter().map(|node| &node.name)
    }

    /// Takes the confirmed status of a check; gives what that changed, parents first. A check without parents and children changes nothing.
    pub fn confirmed(&mut self, check: &str, hard_status: Status) -> Vec<Reach> {
        let Some(index) = self.by_name.get(check).copied() else { return Vec::new() };
        let is_down = hard_status == Status::Critical;
        if self.nodes[index].is_down == is_down {
            return Vec::new();
        }
        self.nodes[index].is_down = is_down;
        let mut changed = BTreeSet::from([index]);
        // Children stand behind their parents, so the least is never made stale by one that is still to come.
        let mut waiting: BTreeSet<usize> = self.nodes[index].children.iter().copied().collect();
        while let Some(child) = waiting.pop_first() {
            let (before, after) = (self.nodes[child].cause, self.cause_of(child));
            if before == after {
                continue;
            }
            self.nodes[child].cause = after;
            if let Some(before) = before {
                self.nodes[before].dependents -= 1;
                changed.insert(before);
            }
            if let Some(after) = after {
                self.nodes[after].dependents += 1;
                changed.insert(after);
            }
            changed.insert(child);
            waiting.extend(self.nodes[child].children.iter().copied());
        }
        changed.into_iter().map(|index| self.reach(index)).collect()
    }

    /// How a check stands; none for one without parents and children.
    pub fn reach_of(&self, check: &str) -> Option<Reach> {
        self.by_name.get(check).map(|index| self.reach(*index))
    }

    fn reach(&self, index: usize) -> Reach {
        let node = &self.nodes[index];
        let cause = node.cause.map(|cause| Arc::clone(&self.nodes[cause].name));
        Reach { check: Arc::clone(&node.name), cause, dependents: node.dependents }
    }

    /// The cause of the first requirement that is not met.
    fn cause_of(&self, index: usize) -> Option<usize> {
        self.nodes[index].requirements.iter().find_map(|requirement| {
            let mut causes = requirement.parents.iter().filter_map(|parent| self.lost_to(*parent));
            let first = causes.next()?;
            (causes.count() + 1 > requirement.lost_max).then_some(first)
        })
    }

    /// To what a parent is lost: to what makes it unreachable, else to itself where it is down.
    fn lost_to(&self, parent: usize) -> Option<usize> {
        let node = &self.nodes[parent];
        node.cause.or_else(|| node.is_down.then_some(parent))
    }
}

impl Node {
    fn new(name: &str) -> Node {
        Node { name: Arc::from(name), requirements: Vec::new(), children: Vec::new(), is_down: false, cause: None, dependents: 0 }
    }
}

/// What is left to do on the way through the graph.
enum Step<'a> {
    Enter(&'a str),
    Leave(&'a str),
}

/// The checks that have parents or children, parents first. Without recursion: a chain may be as long as there are checks.
fn ordered<'a>(requirements: &BTreeMap<&'a str, &'a [Requirement]>) -> Result<Vec<&'a str>, DependencyError> {
    let mut order = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (root, _) in requirements.iter().filter(|(_, requirements)| !requirements.is_empty()) {
        // The way from the root to where we are.
        let mut path: Vec<&str> = Vec::new();
        let mut on_path: BTreeSet<&str> = BTreeSet::new();
        let mut steps = vec![Step::Enter(root)];
        while let Some(step) = steps.pop() {
            let check = match step {
                Step::Leave(check) => {
                    path.pop();
                    on_path.remove(check);
                    done.insert(check);
                    order.push(check);
                    continue;
                }
                Step::Enter(check) if done.contains(check) => continue,
                Step::Enter(check) => check,
            };
            if on_path.contains(check) {
                let begin = path.iter().position(|on_path| *on_path == check).unwrap_or(0);
                let path = path.iter().skip(begin).chain([&check]).map(|check| (*check).to_owned()).collect();
                return Err(DependencyError::Cycle { path });
            }
            path.push(check);
            on_path.insert(check);
            steps.push(Step::Leave(check));
            let parents = requirements.get(check).copied().unwrap_or_default().iter().flat_map(Requirement::parents);
            for parent in parents {
                let Some((parent, _)) = requirements.get_key_value(parent.as_str()) else {
                    return Err(DependencyError::Unknown { check: check.to_owned(), parent: parent.clone() });
                };
                steps.push(Step::Enter(parent));
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(parent: &str) -> Requirement {
        Requirement::One(parent.to_owned())
    }

    fn group(min: usize, of: &[&str]) -> Requirement {
        Requirement::Any { of: of.iter().map(|parent| (*parent).to_owned()).collect(), min }
    }

    fn graph(checks: &[(&str, Vec<Requirement>)]) -> Result<Dependencies, DependencyError> {
        Dependencies::new(checks.iter().map(|(name, requirements)| (*name, requirements.as_slice())))
    }

    fn cause(graph: &Dependencies, check: &str) -> Option<String> {
        graph.reach_of(check).and_then(|reach| reach.cause).map(|cause| cause.to_string())
    }

    /// router <- db <- api <- web
    fn chain() -> Dependencies {
        graph(&[("router", vec![]), ("db", vec![one("router")]), ("api", vec![one("db")]), ("web", vec![one("api")]), ("alone", vec![])])
            .expect("a graph")
    }

    #[test]
    fn what_stands_on_a_check_that_is_down_is_unreachable_because_of_it() {
        let mut graph = chain();
        let changed: Vec<String> = graph.confirmed("db", Status::Critical).iter().map(|reach| reach.check.to_string()).collect();
        assert_eq!(changed, ["db", "api", "web"]);
        assert_eq!((cause(&graph, "api").as_deref(), cause(&graph, "web").as_deref()), (Some("db"), Some("db")));
        assert_eq!((cause(&graph, "db"), cause(&graph, "router")), (None, None));
        assert_eq!(graph.reach_of("db").map(|reach| reach.dependents), Some(2));
        assert_eq!(graph.reach_of("alone"), None);
    }

    #[test]
    fn the_top_most_failing_parent_is_the_cause_whatever_fails_below_it() {
        let mut graph = chain();
        graph.confirmed("api", Status::Critical);
        assert_eq!(cause(&graph, "web").as_deref(), Some("api"));
        graph.confirmed("router", Status::Critical);
        for check in ["db", "api", "web"] {
            assert_eq!(cause(&graph, check).as_deref(), Some("router"), "{check}");
        }
        assert_eq!(graph.reach_of("api").map(|reach| reach.dependents), Some(0));
        graph.confirmed("router", Status::Ok);
        assert_eq!((cause(&graph, "api"), cause(&graph, "web").as_deref()), (None, Some("api")));
    }

    #[test]
    fn only_critical_is_down() {
        let mut graph = chain();
        for status in [Status::Unknown, Status::Warning, Status::Ok] {
            assert!(graph.confirmed("router", status).is_empty(), "{status}");
        }
    }

    #[test]
    fn of_a_group_so_many_may_be_lost() {
        let mut graph = graph(&[("a", vec![]), ("b", vec![]), ("c", vec![]), ("api", vec![group(2, &["a", "b", "c"])])]).expect("a graph");
        assert!(graph.confirmed("b", Status::Critical).iter().all(|reach| reach.cause.is_none()));
        graph.confirmed("a", Status::Critical);
        assert_eq!(cause(&graph, "api").as_deref(), Some("a"), "the first that is lost, as they are written");
        graph.confirmed("a", Status::Ok);
        assert_eq!(cause(&graph, "api"), None);
    }

    #[test]
    fn a_parent_that_is_named_twice_counts_its_children_once() {
        let mut graph = graph(&[("a", vec![]), ("b", vec![one("a"), group(1, &["a"])])]).expect("a graph");
        graph.confirmed("a", Status::Critical);
        assert_eq!(graph.reach_of("a").map(|reach| reach.dependents), Some(1));
    }

    #[test]
    fn a_circle_is_refused_with_its_path_and_so_is_an_unknown_name() {
        let circle = graph(&[("x", vec![one("a")]), ("a", vec![one("b")]), ("b", vec![one("c")]), ("c", vec![group(1, &["a"])])]);
        let Err(error @ DependencyError::Cycle { .. }) = circle else { panic!("{circle:?}") };
        assert_eq!(error.to_string(), "the dependencies run in a circle: a -> b -> c -> a");
        let own = graph(&[("a", vec![one("a")])]);
        assert_eq!(own.err().map(|error| error.to_string()).as_deref(), Some("the dependencies run in a circle: a -> a"));
        let unknown = graph(&[("a", vec![one("z")])]);
        assert_eq!(unknown.err(), Some(DependencyError::Unknown { check: "a".into(), parent: "z".into() }));
    }

    #[test]
    fn a_diamond_is_no_circle() {
        let mut graph =
            graph(&[("top", vec![]), ("left", vec![one("top")]), ("right", vec![one("top")]), ("end", vec![one("left"), one("right")])])
                .expect("a graph");
        let changed = graph.confirmed("top", Status::Critical);
        assert_eq!(changed.len(), 4, "each once: {changed:?}");
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let names: Vec<String> = (0..50_000).map(|number| format!("check-{number:05}")).collect();
        let mut parents: Vec<Vec<Requirement>> = vec![Vec::new()];
        parents.extend(names.iter().take(names.len() - 1).map(|parent| vec![one(parent)]));
        let checks = names.iter().zip(&parents).map(|(name, parents)| (name.as_str(), parents.as_slice()));
        let mut graph = Dependencies::new(checks).expect("a graph");
        assert_eq!(graph.confirmed(&names[0], Status::Critical).len(), names.len());
        // The last one has no children: nothing but itself is looked at.
        assert_eq!(graph.confirmed(&names[names.len() - 1], Status::Critical).len(), 1);
    }

    proptest! {
        /// The result does not depend on the way: step by step it is what a graph made anew says.
        #[test]
        fn a_change_leads_to_what_a_new_graph_would_say(
            edges in prop::collection::vec((0_usize..12, 0_usize..12, 0_usize..3), 0..40),
            changes in prop::collection::vec((0_usize..12, prop::bool::ANY), 1..60),
        ) {
            let names: Vec<String> = (0..12).map(|number| format!("c{number:02}")).collect();
            let mut requirements: Vec<Vec<Requirement>> = vec![Vec::new(); 12];
            for (one_end, other_end, grouped) in edges {
                // From the larger to the smaller number: no circle.
                let (parent, child) = (one_end.min(other_end), one_end.max(other_end));
                if parent == child {
                    continue;
                }
                requirements[child].push(match grouped {
                    0 => one(&names[parent]),
                    min => group(min, &[&names[parent], &names[0]]),
                });
            }
            let new = || {
                let checks = names.iter().zip(&requirements).map(|(name, parents)| (name.as_str(), parents.as_slice()));
                Dependencies::new(checks).expect("a graph")
            };
            let mut graph = new();
            let mut down = [false; 12];
            let status = |is_down: bool| if is_down { Status::Critical } else { Status::Ok };
            for (check, is_down) in changes {
                down[check] = is_down;
                graph.confirmed(&names[check], status(is_down));
                let mut anew = new();
                for (name, is_down) in names.iter().zip(down) {
                    anew.confirmed(name, status(is_down));
                }
                for name in &names {
                    prop_assert_eq!(graph.reach_of(name), anew.reach_of(name));
                }
            }
        }
    }
}
