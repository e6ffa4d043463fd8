//! What is wrong with a configuration of alerts that no single value shows: names that are not there, routes that are never reached,
//! rules that mute each other, times that never are.
//!
//! A problem names the value by its path (`route.routes[1].sinks[0]`); the host finds the place in the file.
//!
//! Limits: [`ROUTES_MAX`], [`ROUTE_DEPTH_MAX`], [`SINKS_MAX`], [`RUNGS_MAX`], [`RULES_MAX`].

use std::collections::BTreeSet;
use std::time::Duration;

use super::config::{AlertingConfig, MaintenanceTime, RouteConfig, SinkName};
use super::interval::TimeInterval;
use super::matcher::{Matcher, Operation};

pub const ROUTES_MAX: usize = 1000;
pub const ROUTE_DEPTH_MAX: usize = 16;
pub const SINKS_MAX: usize = 1000;
/// Of one ladder.
pub const RUNGS_MAX: usize = 16;
/// Of inhibit rules, of intervals and of maintenance windows.
pub const RULES_MAX: usize = 1000;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ConfigProblem {
    pub path: String,
    pub reason: String,
    pub hint: String,
}

impl AlertingConfig {
    /// Every mistake, in the order of the configuration; none where it can be used.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut judge = Judge { config: self, problems: Vec::new(), routes_len: 0 };
        judge.sinks();
        judge.root();
        judge.inhibition();
        judge.times();
        judge.problems
    }
}

struct Judge<'a> {
    config: &'a AlertingConfig,
    problems: Vec<ConfigProblem>,
    routes_len: usize,
}

impl Judge<'_> {
    fn problem(&mut self, path: impl Into<String>, reason: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(ConfigProblem { path: path.into(), reason: reason.into(), hint: hint.into() });
    }

    fn at_most(&mut self, path: &str, len: usize, len_max: usize) {
        if len > len_max {
            self.problem(path, format!("it has {len} entries, the limit is {len_max}"), "merge some of them");
        }
    }

    fn sinks(&mut self) {
        self.at_most("sink", self.config.sinks.len(), SINKS_MAX);
        let mut names = BTreeSet::new();
        for (index, sink) in self.config.sinks.iter().enumerate() {
            if !names.insert(&sink.name) {
                self.problem(format!("sink[{index}].name"), format!("the sink `{}` stands twice", sink.name), "give it another name");
            }
        }
    }

    fn root(&mut self) {
        let config = self.config;
        for (path, route) in [("route", &config.route), ("route.unknown", &config.unknown)] {
            if !route.matchers.is_empty() || route.continues {
                self.problem(path, "it takes every alert, so it has no matchers and no `continue`", "write a child route");
            }
        }
        if !config.route.mute_times.is_empty() || !config.route.active_times.is_empty() {
            self.problem("route", "the root cannot be mute, what no other route takes would be lost", "write the times at a child route");
        }
        if !config.unknown.routes.is_empty() {
            self.problem("route.unknown.routes", "it has no child routes", "write more sinks there");
        }
        self.route("route", &config.route, 0, &mut Vec::new());
        self.route("route.unknown", &config.unknown, 0, &mut Vec::new());
        if self.routes_len > ROUTES_MAX {
            self.problem("route", format!("it has {} routes, the limit is {ROUTES_MAX}", self.routes_len), "merge some of them");
        }
    }

    /// `above` are the matchers of the routes that lead here.
    fn route(&mut self, path: &str, route: &RouteConfig, depth: usize, above: &mut Vec<Matcher>) {
        self.routes_len += 1;
        if depth > ROUTE_DEPTH_MAX {
            self.problem(path, format!("it lies deeper than {ROUTE_DEPTH_MAX} routes"), "write it further up");
            return;
        }
        self.known_sinks(&format!("{path}.sinks"), route.sinks.as_deref().unwrap_or_default());
        self.ladder(path, route);
        self.route_times(path, route);
        let above_len = above.len();
        above.extend(route.matchers.iter().cloned());
        if let Some((one, other)) = contradiction(above) {
            self.problem(path, format!("no alert reaches it: `{one}` and `{other}` exclude each other"), "remove one of them");
        }
        for (index, child) in route.routes.iter().enumerate() {
            let earlier =
                route.routes.iter().take(index).position(|earlier| !earlier.continues && implies(&child.matchers, &earlier.matchers));
            let child_path = format!("{path}.routes[{index}]");
            if let Some(earlier) = earlier {
                let reason = format!("no alert reaches it: `{path}.routes[{earlier}]` takes all that it matches");
                self.problem(&child_path, reason, "write it further up, or `continue = true` there");
            }
            self.route(&child_path, child, depth + 1, above);
        }
        above.truncate(above_len);
    }

    fn known_sinks(&mut self, path: &str, sinks: &[SinkName]) {
        for (index, name) in sinks.iter().enumerate() {
            if !self.config.sinks.iter().any(|sink| sink.name == *name) {
                let hint = match self.config.sinks.len() {
                    0 => "write a [[sink]] with this name".to_owned(),
                    _ => {
                        let names: Vec<&str> = self.config.sinks.iter().map(|sink| &*sink.name).collect();
                        format!("there are: {}", names.join(", "))
                    }
                };
                self.problem(format!("{path}[{index}]"), format!("there is no sink `{name}`"), hint);
            }
        }
    }

    fn ladder(&mut self, path: &str, route: &RouteConfig) {
        let rungs = route.escalate.as_deref().unwrap_or_default();
        self.at_most(&format!("{path}.escalate"), rungs.len(), RUNGS_MAX);
        let mut before = None;
        for (index, rung) in rungs.iter().enumerate() {
            let rung_path = format!("{path}.escalate[{index}]");
            if rung.sinks.is_empty() {
                self.problem(format!("{rung_path}.sinks"), "nobody is told", "name a sink");
            }
            self.known_sinks(&format!("{rung_path}.sinks"), &rung.sinks);
            if before.is_some_and(|before| rung.after <= before) {
                self.problem(format!("{rung_path}.after"), "it is not later than the step before it", "order the steps by time");
            }
            before = Some(rung.after);
        }
    }

    fn route_times(&mut self, path: &str, route: &RouteConfig) {
        for (key, duration) in [("group_interval", route.group_interval), ("repeat_interval", route.repeat_interval)] {
            if duration.is_some_and(|duration| duration < Duration::from_millis(1)) {
                self.problem(format!("{path}.{key}"), "it is zero", "for example: \"5m\"");
            }
        }
        for (key, names) in [("mute_times", &route.mute_times), ("active_times", &route.active_times)] {
            for (index, name) in names.iter().enumerate() {
                if !self.config.intervals.iter().any(|interval| interval.name == *name) {
                    let hint = "write an [[interval]] with this name";
                    self.problem(format!("{path}.{key}[{index}]"), format!("there is no interval `{name}`"), hint);
                }
            }
        }
    }

    fn inhibition(&mut self) {
        let rules = &self.config.inhibit;
        self.at_most("inhibit", rules.len(), RULES_MAX);
        for (index, rule) in rules.iter().enumerate() {
            for (key, matchers) in [("source", &rule.source), ("target", &rule.target)] {
                if matchers.is_empty() {
                    self.problem(format!("inhibit[{index}].{key}"), "it matches every alert", "name at least one label");
                }
            }
        }
        if rules.len() > RULES_MAX {
            return;
        }
        // What a rule mutes is for certain a source of the next one.
        let leads_to = |from: usize, to: usize| implies(&rules[from].target, &rules[to].source);
        if let Some(circle) = circle(rules.len(), leads_to) {
            let path: Vec<String> = circle.iter().map(|index| format!("inhibit[{index}]")).collect();
            let (first, rest) = (path.first().cloned().unwrap_or_default(), path.join(" -> "));
            self.problem(first, format!("the rules mute each other in a circle, so nobody would be told: {rest}"), "remove one of them");
        }
    }

    fn times(&mut self) {
        self.at_most("interval", self.config.intervals.len(), RULES_MAX);
        self.at_most("maintenance", self.config.maintenance.len(), RULES_MAX);
        let mut names = BTreeSet::new();
        for (index, interval) in self.config.intervals.iter().enumerate() {
            let path = format!("interval[{index}]");
            if !names.insert(&interval.name) {
                self.problem(format!("{path}.name"), format!("the interval `{}` stands twice", interval.name), "give it another name");
            }
            self.are_some_time(&path, &interval.intervals);
        }
        for (index, window) in self.config.maintenance.iter().enumerate() {
            let path = format!("maintenance[{index}]");
            match &window.when {
                MaintenanceTime::Once { starts_at, ends_at } if ends_at <= starts_at => {
                    self.problem(path, "it ends before it begins", "swap the two times");
                }
                MaintenanceTime::Once { .. } | MaintenanceTime::Cron { .. } => {}
                MaintenanceTime::Recurring(intervals) => self.are_some_time(&path, intervals),
            }
        }
    }

    fn are_some_time(&mut self, path: &str, intervals: &[TimeInterval]) {
        if intervals.is_empty() {
            self.problem(path, "it has no times", "for example: weekdays = [\"monday:friday\"]");
        }
        if let Some(index) = intervals.iter().position(|interval| !interval.ever_is()) {
            let entry = if intervals.len() == 1 { path.to_owned() } else { format!("{path}[{index}]") };
            self.problem(entry, "it never is: no year has such a day", "mend `days_of_month`, `months` or `years`");
        }
    }
}

/// Whether whatever matches all of `narrow` for certain matches all of `wide`: each of these is among those, or follows from an equality.
fn implies(narrow: &[Matcher], wide: &[Matcher]) -> bool {
    wide.iter().all(|wide| {
        narrow.iter().any(|narrow| {
            narrow == wide || (narrow.operation() == Operation::Equal && narrow.name() == wide.name() && wide.accepts(narrow.value()))
        })
    })
}

/// Two of `matchers` that no alert can satisfy both. An equality with the empty value is left out: `status` and `severity` have none.
fn contradiction(matchers: &[Matcher]) -> Option<(&Matcher, &Matcher)> {
    let equalities = || matchers.iter().filter(|matcher| matcher.operation() == Operation::Equal && !matcher.value().is_empty());
    equalities().find_map(|one| {
        let other = matchers.iter().find(|other| other.name() == one.name() && !other.accepts(one.value()))?;
        Some((one, other))
    })
}

/// A way along `leads_to` from a node back to itself over at least one other.
fn circle(len: usize, leads_to: impl Fn(usize, usize) -> bool) -> Option<Vec<usize>> {
    let mut done = vec![false; len];
    for start in 0..len {
        // The way that is walked, and which node is to be tried next at each of its places.
        let mut way = vec![(start, 0)];
        while let Some((node, next)) = way.last_mut() {
            let (node, candidate) = (*node, *next);
            *next += 1;
            if candidate >= len {
                if let Some(index) = done.get_mut(node) {
                    *index = true;
                }
                way.pop();
                continue;
            }
            if candidate == node || done.get(candidate).copied().unwrap_or(true) || !leads_to(node, candidate) {
                continue;
            }
            if let Some(begin) = way.iter().position(|(on_way, _)| *on_way == candidate) {
                let mut circle: Vec<usize> = way.iter().skip(begin).map(|(node, _)| *node).collect();
                circle.push(candidate);
                return Some(circle);
            }
            way.push((candidate, 0));
        }
    }
    None
}

#[cfg(test)]
mod tests;
