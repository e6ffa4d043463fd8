//! Where the results of a check come from: a plugin that is run, somebody who tells them (`push`), or other checks (`composite`).

use std::time::Duration;

use super::Origin;
use super::diagnostic::Problem;
use super::place::Span;
use super::settings::Scope;
use super::text::{CheckText, Placed};
use super::values::{self, DurationBounds};

const WITHIN: DurationBounds =
    DurationBounds { least: Duration::from_secs(1), least_text: "1s", most: Duration::from_secs(400 * 86_400), most_text: "400d" };

/// What a composite may have of a run.
const CADENCE: [&str; 4] = ["every", "cron", "timezone", "retry_every"];

pub(super) fn origin(written: &CheckText, scope: &mut Scope<'_>) -> Origin {
    if written.composite.is_some() {
        let beside = written.push.as_ref().map(|push| ("push", push.span()));
        for (key, span) in beside.into_iter().chain(of_a_run(written).filter(|(key, _)| !CADENCE.contains(key))) {
            let problem = Problem::new(format!("`{key}` stands beside `composite`")).reason("a composite is judged from other checks");
            scope.note(span, problem.hint("remove one of the two"));
        }
        if let Some(targets) = &written.targets {
            let problem = Problem::new("`targets` stands beside `composite`").reason("it would be the same check for each of them");
            scope.note(targets.span(), problem.hint("remove one of the two"));
        }
        return Origin::Composite;
    }
    let Some(push) = &written.push else { return Origin::Plugin };
    for (key, span) in of_a_run(written) {
        let problem = Problem::new(format!("`{key}` stands beside `push`")).reason("a push check is not run: somebody tells its result");
        scope.note(span, problem.hint("remove one of the two"));
    }
    let within = scope.read(Some(&push.value().within), WITHIN.most, |text| values::duration("within", text, &WITHIN));
    Origin::Push { within }
}

/// What is written that only a run has use for.
fn of_a_run(written: &CheckText) -> impl Iterator<Item = (&'static str, Span)> {
    let keys = [
        ("plugin", written.plugin.as_ref().map(Placed::span)),
        ("kind", written.kind.as_ref().map(Placed::span)),
        ("every", written.every.as_ref().map(Placed::span)),
        ("cron", written.cron.as_ref().map(Placed::span)),
        ("timezone", written.timezone.as_ref().map(Placed::span)),
        ("retry_every", written.retry_every.as_ref().map(Placed::span)),
        ("timeout", written.timeout.as_ref().map(Placed::span)),
        ("config", written.config.as_ref().map(Placed::span)),
        ("isolation", written.isolation.as_ref().map(Placed::span)),
        ("record", written.record.as_ref().map(Placed::span)),
    ];
    keys.into_iter().filter_map(|(key, span)| Some((key, span?)))
}
