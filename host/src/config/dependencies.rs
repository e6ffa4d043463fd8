//! `depends_on`: the parents of a check, and whether all of them together make a graph.
//!
//! `{{target}}` in the name of a parent stands for the check's own target.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sickbay_core::dependency::{GROUP_MAX, REQUIREMENTS_MAX};
use sickbay_core::{Dependencies, DependencyError, Requirement};

use super::Check;
use super::diagnostic::{Findings, Problem, shown};
use super::place::Span;
use super::settings::Scope;
use super::suggest;
use super::targets;
use super::text::{CheckText, ParentText, Placed};
use super::values;

/// Names of a circle that a message tells.
const CIRCLE_SHOWN_MAX: usize = 16;

/// What a check says of its parents, before its target is filled in.
pub(super) fn read(written: &CheckText, scope: &mut Scope<'_>) -> Vec<Requirement> {
    if let Some(excess) = written.depends_on.get(REQUIREMENTS_MAX) {
        let reason = format!("`depends_on` has at most {REQUIREMENTS_MAX} entries");
        scope.note(excess.span(), Problem::new("too many parents").reason(reason).hint("name a check that stands for several of them"));
    }
    written.depends_on.iter().take(REQUIREMENTS_MAX).map(|parent| requirement(parent, scope)).collect()
}

fn requirement(written: &Placed<ParentText>, scope: &mut Scope<'_>) -> Requirement {
    let group = match written.value() {
        ParentText::One(parent) => return Requirement::One(parent.clone()),
        ParentText::Group(group) => group,
    };
    let names = group.any.value();
    if names.is_empty() || names.len() > GROUP_MAX {
        let problem = Problem::new("`any` names no group").reason(format!("a group has 1 to {GROUP_MAX} checks, this one {}", names.len()));
        scope.note(group.any.span(), problem.hint("write the names of checks, for example any = [\"db-1\", \"db-2\"]"));
    }
    let of: Vec<String> = names.iter().take(GROUP_MAX).map(|name| name.value().clone()).collect();
    // At most `GROUP_MAX`, so it fits.
    let most = of.len().max(1) as u32;
    let min = scope.read(group.min.as_ref(), 1, |number| values::number("min", *number, 1, most));
    Requirement::Any { of, min: min as usize }
}

/// Where the names stand, in the order in which [`Requirement::parents`] gives them.
pub(super) fn spans(written: &CheckText) -> Box<[Span]> {
    let of_one = |parent: &Placed<ParentText>| match parent.value() {
        ParentText::One(_) => vec![parent.span()],
        ParentText::Group(group) => group.any.value().iter().take(GROUP_MAX).map(Placed::span).collect(),
    };
    written.depends_on.iter().take(REQUIREMENTS_MAX).flat_map(of_one).collect()
}

/// The parents of the check of one target.
pub(super) fn filled(parents: &[Requirement], target: Option<&str>) -> Vec<Requirement> {
    let name = |parent: &String| targets::filled(parent, target).into_owned();
    let filled = parents.iter().map(|requirement| match requirement {
        Requirement::One(parent) => Requirement::One(name(parent)),
        Requirement::Any { of, min } => Requirement::Any { of: of.iter().map(name).collect(), min: *min },
    });
    filled.collect()
}

/// Notes names that no check has, and a circle.
pub(super) fn judge(checks: &[Arc<Check>], findings: &mut Findings) {
    let by_name: HashMap<&str, &Check> = checks.iter().map(|check| (check.name.as_str(), &**check)).collect();
    let mut is_known = true;
    // The targets of a check share the places of its parents.
    let mut told = HashSet::new();
    for check in checks {
        for (parent, span) in parents(check) {
            if by_name.contains_key(parent) {
                continue;
            }
            is_known = false;
            if told.insert((check.written_name(), span.start())) {
                findings.add(&check.place.source, span, unknown(parent, checks));
            }
        }
    }
    if !is_known {
        return;
    }
    // A composite waits for its members as a check does for its parents.
    let all: Vec<Vec<Requirement>> = checks.iter().map(|check| with_members(check)).collect();
    let graph = Dependencies::new(checks.iter().zip(&all).map(|(check, all)| (check.name.as_str(), all.as_slice())));
    if let Err(DependencyError::Cycle { path }) = &graph
        && let [first, second, ..] = path.as_slice()
        && let Some(check) = by_name.get(first.as_str())
    {
        let span = parents(check).find(|(parent, _)| parent == second).map(|(_, span)| span);
        let span = span.or(check.place.members.first().copied()).unwrap_or(check.place.header);
        let problem = Problem::new(circle(path)).reason("each of them would wait for the others");
        findings.add(&check.place.source, span, problem.hint("remove one of these dependencies"));
    }
}

fn with_members(check: &Check) -> Vec<Requirement> {
    let members = check.composite.iter().flat_map(|composite| &composite.members).cloned().map(Requirement::One);
    check.depends_on.iter().cloned().chain(members).collect()
}

/// `the dependencies run in a circle: a -> b -> a`
fn circle(path: &[String]) -> String {
    let names: Vec<String> = path.iter().take(CIRCLE_SHOWN_MAX).map(|name| shown(name)).collect();
    let more = if path.len() > CIRCLE_SHOWN_MAX { " -> ..." } else { "" };
    format!("the dependencies run in a circle: {}{more}", names.join(" -> "))
}

/// The names of a check's parents, each with its place.
fn parents(check: &Check) -> impl Iterator<Item = (&str, Span)> {
    let names = check.depends_on.iter().flat_map(Requirement::parents).map(String::as_str);
    names.zip(check.place.parents.iter().copied())
}

fn unknown(parent: &str, checks: &[Arc<Check>]) -> Problem {
    let problem = Problem::new(format!("`depends_on` names `{}`, which is no check", shown(parent)));
    let mut targets = checks.iter().filter(|check| check.target.is_some() && check.written_name() == parent);
    if let Some(one) = targets.next() {
        let problem = problem.reason("it has a check for each of its targets");
        return problem
            .hint(format!("name one of them, for example \"{}\", or a group of them: {{ any = [...], min = 1 }}", shown(&one.name)));
    }
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    let problem = problem.reason("what is not there is never critical, so nothing would depend on it");
    match suggest::nearest(parent, &names) {
        Some(meant) => problem.hint(format!("did you mean `{}`?", shown(meant))),
        None => problem.hint("name a check of the configuration"),
    }
}
