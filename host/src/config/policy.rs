//! When a change of a check is confirmed, and when the check flaps: `failures`, `successes`, `flapping`.

use sickbay_core::{FlapThresholds, Policy};

use super::diagnostic::Problem;
use super::settings::Scope;
use super::text::{CheckText, FlappingText, Placed};
use super::{FAILURES_DEFAULT, SUCCESSES_DEFAULT, values};

const CONSECUTIVE_MAX: u32 = 100;

pub(super) fn policy(written: &CheckText, scope: &mut Scope<'_>) -> Policy {
    // What somebody tells is meant, and what is confirmed need not be confirmed again.
    let (failures, successes) =
        if written.push.is_some() || written.composite.is_some() { (1, 1) } else { (FAILURES_DEFAULT, SUCCESSES_DEFAULT) };
    Policy {
        failures: scope.read(written.failures.as_ref(), failures, |number| values::number("failures", *number, 1, CONSECUTIVE_MAX)),
        successes: scope.read(written.successes.as_ref(), successes, |number| values::number("successes", *number, 1, CONSECUTIVE_MAX)),
        flapping: flapping(written, scope),
    }
}

fn flapping(written: &CheckText, scope: &mut Scope<'_>) -> Option<FlapThresholds> {
    let default = FlapThresholds::default();
    let text = match written.flapping.as_ref().map(Placed::value) {
        // Its results come when somebody tells them: twenty of a nightly job are three weeks, in which it may long be well.
        None if written.push.is_some() => return None,
        None | Some(FlappingText::Wanted(true)) => return Some(default),
        Some(FlappingText::Wanted(false)) => return None,
        Some(FlappingText::Thresholds(text)) => text,
    };
    let start_permille = scope.read(text.start.as_ref(), default.start_permille, |share| values::permille("start", *share));
    let stop_permille = scope.read(text.stop.as_ref(), start_permille / 2, |share| values::permille("stop", *share));
    if let Some(stop) = &text.stop
        && stop_permille >= start_permille
    {
        let problem = Problem::new("`stop` is not below `start`").reason("a check at the edge would flap in and out of flapping");
        scope.note(stop.span(), problem.hint("write a smaller one, or leave it out: it is half of `start`"));
    }
    Some(FlapThresholds { start_permille, stop_permille })
}
