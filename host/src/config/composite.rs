//! `composite`: which checks it is made of. Names may have `*` in them, for any characters; the composite itself is never among them.
//!
//! Limits: [`PATTERNS_MAX`] names as they are written, [`MEMBERS_MAX`] checks.

use std::sync::Arc;

use sickbay_core::composite::MEMBERS_MAX;

use super::diagnostic::{Findings, Problem, shown};
use super::place::Span;
use super::settings::Scope;
use super::text::{CheckText, Placed};
use super::{Check, Composite, suggest, values};

const PATTERNS_MAX: usize = 64;

/// As it is written: the names may be patterns yet.
pub(super) fn composite(written: &CheckText, scope: &mut Scope<'_>) -> Option<Composite> {
    let composite = written.composite.as_ref()?.value();
    let names = composite.checks.value();
    if names.is_empty() || names.len() > PATTERNS_MAX {
        let problem = Problem::new("`checks` names no members").reason(format!("it has 1 to {PATTERNS_MAX} names, here {}", names.len()));
        scope.note(composite.checks.span(), problem.hint("write names of checks, for example checks = [\"db-1\", \"web-*\"]"));
    }
    // Far below four billions.
    let most = MEMBERS_MAX as u32;
    let healthy_min =
        composite.healthy_min.as_ref().map(|number| scope.read(Some(number), 1, |number| values::number("healthy_min", *number, 1, most)));
    Some(Composite {
        members: names.iter().take(PATTERNS_MAX).map(|name| name.value().clone()).collect(),
        healthy_min: healthy_min.map(|number| number as usize),
    })
}

/// Where the names stand.
pub(super) fn spans(written: &CheckText) -> Box<[Span]> {
    let names = written.composite.iter().flat_map(|composite| composite.value().checks.value());
    names.take(PATTERNS_MAX).map(Placed::span).collect()
}

/// Puts the names of checks in the place of patterns, once all checks are known.
pub(super) fn resolve(checks: &mut [Arc<Check>], findings: &mut Findings) {
    if checks.iter().all(|check| check.composite.is_none()) {
        return;
    }
    let names: Vec<String> = checks.iter().map(|check| check.name.clone()).collect();
    for check in checks {
        // Nobody else has them yet.
        let Some(check) = Arc::get_mut(check) else { continue };
        let Some(composite) = &mut check.composite else { continue };
        let mut members: Vec<String> = Vec::new();
        for (pattern, span) in composite.members.iter().zip(&check.place.members) {
            let before = members.len();
            let found = names.iter().filter(|name| **name != check.name && matches(pattern, name));
            members.extend(found.cloned());
            if members.len() == before {
                findings.add(&check.place.source, *span, unmatched(pattern, &check.name, &names));
            }
        }
        members.sort();
        members.dedup();
        if let (true, Some(span)) = (members.len() > MEMBERS_MAX, check.place.members.first()) {
            let problem = Problem::new("too many members").reason(format!("a composite has at most {MEMBERS_MAX}"));
            findings.add(&check.place.source, *span, problem.hint("make composites of composites"));
        }
        if let (Some(wanted), Some(span)) = (composite.healthy_min, check.place.members.first())
            && wanted > members.len()
            && !members.is_empty()
        {
            let problem = Problem::new("`healthy_min` is more than there are members").reason(format!("there are {}", members.len()));
            findings.add(&check.place.source, *span, problem.hint("write a smaller one"));
        }
        composite.members = members;
    }
}

fn unmatched(pattern: &str, own: &str, names: &[String]) -> Problem {
    let problem = Problem::new(format!("`composite` names `{}`, which is no other check", shown(pattern)))
        .reason("it is judged from the checks that are there, and never from itself");
    let others: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != own).collect();
    match suggest::nearest(pattern, &others) {
        Some(meant) => problem.hint(format!("did you mean `{}`?", shown(meant))),
        None => problem.hint("name checks of the configuration; `*` stands for any characters"),
    }
}

/// Whether `name` is `pattern` with any characters for each `*`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name) in
            [("db", "db"), ("db-*", "db-1"), ("*", "x"), ("*-db-*", "a-db-1"), ("a*c*e", "abcde"), ("a*", "a"), ("a*a", "aa")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("db", "db-1"), ("db-*", "dc-1"), ("a*c*e", "abde"), ("a*a", "a"), ("*b", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
