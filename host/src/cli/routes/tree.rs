//! The tree of routes as a list, parents before their children, and what an alert meets at each.

use std::sync::Arc;

use sickbay_core::alerting::{AlertingConfig, GroupBy, Incident, Matcher, RouteConfig, Rung, SinkName, Subject, Timing};

/// One route with what it has from those above it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node<'a> {
    pub(super) position: Position,
    pub(super) written: &'a RouteConfig,
    pub(super) sinks: Vec<SinkName>,
    pub(super) group_by: GroupBy,
    pub(super) timing: Timing,
    pub(super) escalate: Vec<Rung>,
    /// What becomes of the alert here; none where no alert is tried.
    pub(super) visit: Option<Visit<'a>>,
}

/// Where a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Root,
    /// With so many routes above it.
    Child {
        depth: usize,
    },
    /// Of checks that cannot judge.
    Unknown,
}

/// What becomes of an alert at a route.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Visit<'a> {
    Takes,
    /// A route below takes it.
    Passes,
    MatchesNot(&'a Matcher),
    /// It does not come here: a route before this one took it, or one above does not match.
    NotAsked,
}

/// All routes: the root, those below it, and that of checks that cannot judge; with what becomes of `incident` there.
pub(super) fn nodes<'a>(config: &'a AlertingConfig, incident: Option<&Incident>) -> Vec<Node<'a>> {
    let mut walk = Walk { is_tried: incident.is_some(), nodes: Vec::new() };
    let alert = |is_unknown| incident.filter(|incident| incident.is_unknown() == is_unknown).map(Incident::subject);
    walk.visit(&config.route, Position::Root, None, alert(false));
    let root = walk.nodes.first().cloned();
    walk.visit(&config.unknown, Position::Unknown, root.as_ref(), alert(true));
    walk.nodes
}

struct Walk<'a> {
    is_tried: bool,
    nodes: Vec<Node<'a>>,
}

impl<'a> Walk<'a> {
    /// Adds a route and those below it. `alert` is there where it comes here; whether one of them takes it.
    fn visit(&mut self, written: &'a RouteConfig, position: Position, parent: Option<&Node<'a>>, alert: Option<Subject<'_>>) -> bool {
        let node = node(written, position, parent);
        let index = self.nodes.len();
        self.nodes.push(node.clone());
        let wanted = alert.and_then(|alert| written.matchers.iter().find(|matcher| !matcher.matches(&alert)));
        let depth = if let Position::Child { depth } = position { depth + 1 } else { 1 };
        let mut onward = alert.filter(|_| wanted.is_none());
        let (matches, mut is_below) = (onward.is_some(), false);
        for child in &written.routes {
            let takes = self.visit(child, Position::Child { depth }, Some(&node), onward);
            is_below |= takes;
            if takes && !child.continues {
                onward = None;
            }
        }
        let visit = match (alert, wanted) {
            (None, _) => Visit::NotAsked,
            (Some(_), Some(wanted)) => Visit::MatchesNot(wanted),
            (Some(_), None) if is_below => Visit::Passes,
            (Some(_), None) => Visit::Takes,
        };
        if self.is_tried
            && let Some(node) = self.nodes.get_mut(index)
        {
            node.visit = Some(visit);
        }
        matches
    }
}

/// What a route leaves out is its parent's, except matchers and times.
fn node<'a>(written: &'a RouteConfig, position: Position, parent: Option<&Node<'a>>) -> Node<'a> {
    let timing = parent.map(|parent| parent.timing).unwrap_or_default();
    Node {
        position,
        written,
        sinks: written.sinks.clone().or_else(|| parent.map(|parent| parent.sinks.clone())).unwrap_or_default(),
        group_by: written.group_by.clone().or_else(|| parent.map(|parent| parent.group_by.clone())).unwrap_or_else(no_labels),
        timing: Timing {
            group_wait: written.group_wait.unwrap_or(timing.group_wait),
            group_interval: written.group_interval.unwrap_or(timing.group_interval),
            repeat_interval: written.repeat_interval.unwrap_or(timing.repeat_interval),
        },
        escalate: written.escalate.clone().or_else(|| parent.map(|parent| parent.escalate.clone())).unwrap_or_default(),
        visit: None,
    }
}

fn no_labels() -> GroupBy {
    GroupBy::Labels(Vec::new())
}

impl Node<'_> {
    /// How a person finds it in the file: its header, or its matchers.
    pub(super) fn name(&self) -> String {
        match self.position {
            Position::Root => "[route]".to_owned(),
            Position::Unknown => "[route.unknown]".to_owned(),
            Position::Child { .. } if self.written.matchers.is_empty() => "every alert".to_owned(),
            Position::Child { .. } => listed(&self.written.matchers),
        }
    }

    pub(super) fn depth(&self) -> usize {
        match self.position {
            Position::Root | Position::Unknown => 0,
            Position::Child { depth } => depth,
        }
    }
}

/// `a="b", c=~"d"`
pub(super) fn listed(matchers: &[Matcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `oncall, slack`
pub(super) fn names(names: &[Arc<str>]) -> String {
    names.join(", ")
}
