//! When a check runs: `every`, or `cron` with its `timezone`; how often while it is soft, `retry_every`; how long a run may take, `timeout`.
//! Expressions and zones of maintenance are read here too.

use std::sync::Arc;
use std::time::Duration;

use sickbay_core::{Cron, Schedule, Zone, push};

use super::diagnostic::{Problem, shown};
use super::settings::Scope;
use super::suggest;
use super::text::{CheckText, DurationText, Placed};
use super::values::{self, DurationBounds};

const EVERY: DurationBounds =
    DurationBounds { least: Duration::from_millis(100), least_text: "100ms", most: Duration::from_secs(86_400), most_text: "24h" };
pub(super) const TIMEOUT: DurationBounds =
    DurationBounds { least: Duration::from_millis(10), least_text: "10ms", most: Duration::from_secs(600), most_text: "10m" };
/// Where a composite says nothing; every other check that is run has a cadence.
const EVERY_DEFAULT: Duration = Duration::from_secs(30);
/// A timeout that is not written is as long as the cadence, within these; with `cron` it is the longer one.
const TIMEOUT_DEFAULT_LEAST: Duration = Duration::from_secs(1);
const TIMEOUT_DEFAULT_MOST: Duration = Duration::from_secs(10);

/// What a `[[check]]` says of its times; all its targets share it.
pub(super) struct Times {
    cadence: Cadence,
    retry_every: Option<Duration>,
    pub timeout: Duration,
}

enum Cadence {
    Every(Duration),
    Cron(Arc<Cron>),
}

impl Times {
    /// Of the check with this name: the phase comes from it.
    pub(super) fn schedule(&self, name: &str) -> Schedule {
        match &self.cadence {
            Cadence::Every(every) => Schedule::every(name, *every),
            Cadence::Cron(cron) => Schedule::Cron(Arc::clone(cron)),
        }
    }

    pub(super) fn retry(&self, name: &str) -> Option<Schedule> {
        self.retry_every.map(|retry_every| Schedule::every(name, retry_every))
    }
}

/// Of a push check: when it is looked at.
pub(super) fn looks(within: Duration) -> Times {
    Times { cadence: Cadence::Every(push::look_every(within)), retry_every: None, timeout: TIMEOUT_DEFAULT_MOST }
}

pub(super) fn times(written: &CheckText, scope: &mut Scope<'_>) -> Times {
    let cadence = cadence(written, scope);
    let every = match &cadence {
        // What stands in for a broken expression is measured against nothing.
        Cadence::Every(every) if written.cron.is_none() => Some(*every),
        Cadence::Every(_) | Cadence::Cron(_) => None,
    };
    let retry_every = written.retry_every.as_ref().map(|text| retry_every(text, every, scope));
    let default = every.unwrap_or(TIMEOUT_DEFAULT_MOST).clamp(TIMEOUT_DEFAULT_LEAST, TIMEOUT_DEFAULT_MOST);
    let timeout = scope.read(written.timeout.as_ref(), default, |text| values::duration("timeout", text, &TIMEOUT));
    if let (Some(text), Some(every)) = (&written.timeout, every)
        && timeout > every
    {
        let reason = "a run that is due while the one before still goes on is skipped";
        scope.note(
            text.span(),
            Problem::warning("`timeout` is longer than `every`").reason(reason).hint("write a shorter `timeout` or a longer `every`"),
        );
    }
    Times { cadence, retry_every, timeout }
}

/// `shape.rs` has seen to it that one of both is written, but for a composite.
fn cadence(written: &CheckText, scope: &mut Scope<'_>) -> Cadence {
    let zone = scope.read(written.timezone.as_ref(), Zone::UTC, |name| zone(name));
    match (&written.every, &written.cron) {
        (Some(_), Some(cron)) => {
            let problem = Problem::new("`cron` stands beside `every`").reason("a check has one cadence");
            scope.note(cron.span(), problem.hint("remove one of the two"));
        }
        (Some(_), None) => {
            if let Some(zone) = &written.timezone {
                let problem = Problem::new("`timezone` stands without `cron`").reason("an interval is the same in every time zone");
                scope.note(zone.span(), problem.hint("remove it, or write `cron` in place of `every`"));
            }
        }
        (None, _) => {}
    }
    match &written.cron {
        Some(text) => cron(text, zone, scope).map_or(Cadence::Every(TIMEOUT_DEFAULT_MOST), Cadence::Cron),
        None => Cadence::Every(scope.read(written.every.as_ref(), EVERY_DEFAULT, every)),
    }
}

fn every(text: &DurationText) -> Result<Duration, Problem> {
    values::duration("every", text, &EVERY).map_err(|problem| {
        let is_seldom = humantime::parse_duration(&text.0).is_ok_and(|every| every > EVERY.most);
        let hint = format!("write at most \"{}\"; what runs less often has a `cron` in its place: cron = \"0 2 * * SUN\"", EVERY.most_text);
        if is_seldom { problem.hint(hint) } else { problem }
    })
}

/// The expression; none where it cannot be used (which is noted).
pub(super) fn cron(text: &Placed<String>, zone: Zone, scope: &mut Scope<'_>) -> Option<Arc<Cron>> {
    match Cron::parse(text.value(), zone) {
        Ok(cron) => Some(Arc::new(cron)),
        Err(error) => {
            let span = scope.source.inside_text(text.span(), text.value(), error.offset);
            let problem = Problem::new("`cron` cannot be used").reason(shown_reason(&error.reason));
            let hint = "write minute, hour, day of the month, month and day of the week, for example \"0 2 * * *\" for every night at two";
            scope.note(span, problem.hint(hint));
            None
        }
    }
}

/// The reason quotes what was written.
pub(super) fn shown_reason(reason: &str) -> String {
    reason.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

fn retry_every(text: &Placed<DurationText>, every: Option<Duration>, scope: &mut Scope<'_>) -> Duration {
    let retry_every = scope.read(Some(text), EVERY.least, |text| values::duration("retry_every", text, &EVERY));
    if every.is_some_and(|every| retry_every > every) {
        let problem = Problem::new("`retry_every` is longer than `every`").reason("it is how often a check runs while its state is soft");
        scope.note(text.span(), problem.hint("write a shorter one, or remove it"));
    }
    retry_every
}

pub(super) fn zone(name: &str) -> Result<Zone, Problem> {
    Zone::named(name).ok_or_else(|| {
        let problem = Problem::new(format!("`timezone` is no time zone: \"{}\"", shown(name)));
        let problem = problem.reason("it is not in the IANA time zone database");
        match zone_like(name) {
            Some(meant) => problem.hint(format!("did you mean \"{meant}\"?")),
            None => problem.hint("write a name such as \"Europe/Berlin\" or \"UTC\""),
        }
    })
}

/// The zone that was meant: people write the city alone, forget capitals and slip.
fn zone_like(name: &str) -> Option<&'static str> {
    let written = name.trim().replace(' ', "_").to_lowercase();
    let lower: Vec<String> = Zone::names().map(str::to_lowercase).collect();
    let same = lower.iter().position(|zone| *zone == written);
    let city = || lower.iter().position(|zone| zone.rsplit('/').next() == Some(written.as_str()));
    let slip = || {
        let known: Vec<&str> = lower.iter().map(String::as_str).collect();
        let meant = suggest::nearest(&written, &known)?;
        lower.iter().position(|zone| zone == meant)
    };
    Zone::names().nth(same.or_else(city).or_else(slip)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_a_longer_cadence_than_a_day_is_told_of_cron() {
        let hint = |text: &str| every(&DurationText(text.to_owned())).err().and_then(|problem| problem.hint).unwrap_or_default();
        assert!(hint("7d").starts_with("write at most \"24h\"; ") && hint("7d").contains("cron = \"0 2 * * SUN\""), "{}", hint("7d"));
        for other in ["10ms", "often"] {
            assert!(!hint(other).is_empty() && !hint(other).contains("cron"), "{}", hint(other));
        }
    }

    #[test]
    fn the_zone_that_was_meant_is_found() {
        assert_eq!(zone_like("europe/berlin"), Some("Europe/Berlin"));
        assert_eq!(zone_like("Berlin"), Some("Europe/Berlin"));
        assert_eq!(zone_like("Europe/Berln"), Some("Europe/Berlin"));
        assert_eq!(zone_like("America/New York"), Some("America/New_York"));
        assert_eq!(zone_like("the moon, far side"), None);
    }
}
