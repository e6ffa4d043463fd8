//! Who is told of alerts, and when: `[route]`, `[[inhibit]]`, `[[time_interval]]`, `[[maintenance]]`, `[alerting]`, made into one value.
//!
//! How: `routing` reads routes and inhibition, `calendar` times; what no single value shows (`sickbay_core` finds it and names the part by
//! its path, `route.routes[1]`) is told here at the place of that part. `matching` looks for matchers that hold for no check.
//!
//! Without `sinks` in `[route]`, or without `[route]`, the root tells the only sink; where there are several it has to be said which.
//!
//! Limits: those of `sickbay_core::alerting`; what is found beyond them is an error at the list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sickbay_core::Timestamp;
use sickbay_core::alerting::{
    AlertingConfig, ConfigProblem, GIVE_UP_AFTER, Matcher, POSTED_BYTES_MAX, RESOLVE_TIMEOUT, SinkConfig, SinkName,
};

use super::diagnostic::{Problem, listed, shown};
use super::matching::Alerts;
use super::place::Span;
use super::settings::Scope;
use super::suggest;
use super::text::{AlertingText, InhibitText, MaintenanceText, Placed, RouteText, SinkText, TimeIntervalText};
use super::values::{self, DurationBounds};
use super::{Check, Sink};

const RESOLVE: DurationBounds =
    DurationBounds { least: Duration::from_secs(1), least_text: "1s", most: Duration::from_secs(86_400), most_text: "24h" };
const GIVE_UP: DurationBounds =
    DurationBounds { least: Duration::from_secs(1), least_text: "1s", most: Duration::from_secs(30 * 86_400), most_text: "30d" };

/// What is written in the main file.
pub(super) struct Tables<'a> {
    pub sinks: &'a [Placed<SinkText>],
    pub route: Option<&'a Placed<RouteText>>,
    pub inhibit: &'a [Placed<InhibitText>],
    pub time_intervals: &'a [Placed<TimeIntervalText>],
    pub maintenance: &'a [Placed<MaintenanceText>],
    pub alerting: Option<&'a AlertingText>,
}

/// Reads the tables.
pub(super) struct AlertingReader<'a, 's> {
    pub scope: &'a mut Scope<'s>,
    pub now: Timestamp,
    /// What routes may name, also where it has a mistake, which is told at its place.
    pub sinks: Vec<SinkName>,
    pub intervals: Vec<Arc<str>>,
    /// Sinks that some route names.
    pub used: BTreeSet<SinkName>,
    /// Every matcher with its place.
    pub matchers: Vec<(Span, Matcher)>,
    /// Where the parts stand, by the paths that `sickbay_core` calls them.
    spans: BTreeMap<String, Span>,
}

/// Posted alerts may hold one part in so many of what the store may: they stand in it several times, and results come first.
const POSTED_SHARE: u64 = 16;

/// Everything about alerts in the main file. `sinks` and `checks` were read before; `now` decides what is over.
pub(super) fn alerting(
    written: &Tables<'_>,
    sinks: &[Arc<Sink>],
    checks: &[Arc<Check>],
    store_bytes_max: u64,
    now: Timestamp,
    scope: &mut Scope<'_>,
) -> AlertingConfig {
    let sinks: Vec<SinkConfig> = sinks.iter().map(|sink| sink_config(sink)).collect();
    let mut reader = AlertingReader {
        scope,
        now,
        sinks: distinct(&sinks),
        intervals: written.time_intervals.iter().map(|interval| Arc::from(interval.value().name.value().as_str())).collect(),
        used: BTreeSet::new(),
        matchers: Vec::new(),
        spans: BTreeMap::new(),
    };
    reader.place_lists(written);
    let intervals = reader.time_intervals(written.time_intervals);
    let (route, unknown) = reader.routes(written.route, written.sinks);
    let inhibit = reader.inhibitions(written.inhibit);
    let maintenance = reader.maintenance(written.maintenance);
    let (resolve_timeout, give_up_after) = reader.times_of_life(written.alerting);
    let posted_bytes_max = usize::try_from(store_bytes_max / POSTED_SHARE).map_or(POSTED_BYTES_MAX, |bytes| bytes.min(POSTED_BYTES_MAX));
    let config =
        AlertingConfig { sinks, route, unknown, inhibit, intervals, maintenance, resolve_timeout, give_up_after, posted_bytes_max };
    // What was left out because of a mistake would make others.
    if !reader.scope.findings.has_errors() {
        reader.judge(&config);
        reader.note_unused(written.sinks);
    }
    reader.note_unmatched(checks);
    config
}

fn distinct(sinks: &[SinkConfig]) -> Vec<SinkName> {
    let mut names: Vec<SinkName> = Vec::new();
    for sink in sinks {
        if !names.contains(&sink.name) {
            names.push(Arc::clone(&sink.name));
        }
    }
    names
}

fn sink_config(sink: &Sink) -> SinkConfig {
    SinkConfig {
        timeout: sink.timeout,
        // Its kind may say more; see `Config::alerting_with`.
        tells_acknowledgements: sink.acknowledgements.unwrap_or_default(),
        revision: revision(sink),
        ..SinkConfig::named(sink.name.as_str())
    }
}

/// The same for all processes: of everything that is written of the sink but its place.
fn revision(sink: &Sink) -> u64 {
    let Sink { plugin, kind, timeout, config_text, grants, limits, .. } = sink;
    let written = format!("{plugin:?} {kind:?} {timeout:?} {config_text} {grants:?} {limits:?}");
    let digest = Sha256::digest(written.as_bytes());
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

impl AlertingReader<'_, '_> {
    pub(super) fn place(&mut self, path: impl Into<String>, span: Span) {
        self.spans.insert(path.into(), span);
    }

    /// A list as a whole is at its first entry.
    fn place_lists(&mut self, written: &Tables<'_>) {
        let lists = [
            ("sink", written.sinks.first().map(Placed::span)),
            ("inhibit", written.inhibit.first().map(Placed::span)),
            ("interval", written.time_intervals.first().map(Placed::span)),
            ("maintenance", written.maintenance.first().map(Placed::span)),
        ];
        for (path, span) in lists {
            if let Some(span) = span {
                self.place(path, span);
            }
        }
    }

    /// Whether a name is one, and the first of its kind (`noun`).
    pub(super) fn judge_name(&mut self, noun: &str, name: &Placed<String>, taken: &mut BTreeMap<String, Span>) {
        if let Err(problem) = values::name("name", name.value()) {
            return self.scope.note(name.span(), problem);
        }
        if let Some(first) = taken.insert(name.value().clone(), name.span()) {
            let position = self.scope.source.position(first);
            let place = format!("{}:{}:{}", self.scope.source.path().display(), position.line, position.column);
            let problem = Problem::new(format!("there are two {noun}s `{}`", name.value())).reason(format!("the first is at {place}"));
            self.scope.note(name.span(), problem.hint(format!("give each {noun} a name of its own")));
        }
    }

    fn times_of_life(&mut self, written: Option<&AlertingText>) -> (Duration, Duration) {
        let resolve_timeout = written.and_then(|written| written.resolve_timeout.as_ref());
        let give_up_after = written.and_then(|written| written.give_up_after.as_ref());
        (
            self.scope.read(resolve_timeout, RESOLVE_TIMEOUT, |text| values::duration("resolve_timeout", text, &RESOLVE)),
            self.scope.read(give_up_after, GIVE_UP_AFTER, |text| values::duration("give_up_after", text, &GIVE_UP)),
        )
    }

    /// What `sickbay_core` finds, at its place.
    fn judge(&mut self, config: &AlertingConfig) {
        for problem in config.problems() {
            let span = self.span_of(&problem.path);
            let told = self.told(problem);
            self.scope.note(span, told);
        }
    }

    /// The place of a part, or of the nearest thing round it that has one.
    fn span_of(&self, path: &str) -> Span {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return *span;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return Span::from(0..0),
            }
        }
    }

    fn told(&self, problem: ConfigProblem) -> Problem {
        let ConfigProblem { path, reason, hint } = problem;
        let (key, is_entry) = match path.rsplit('.').next().unwrap_or_default() {
            key if key.ends_with(']') => (key.split('[').next().unwrap_or_default(), true),
            key => (key, false),
        };
        let told = match (key, is_entry) {
            // It is never used, and harms nobody.
            ("routes", true) => Problem::warning("the route has no effect"),
            ("inhibit", true) => Problem::warning("inhibition goes in a circle"),
            ("maintenance", true) => Problem::new("the maintenance cannot be used"),
            ("interval", true) => Problem::new("the time interval cannot be used"),
            (key, _) => Problem::new(format!("`{key}` cannot be used")),
        };
        told.reason(self.with_lines(&reason)).hint(hint)
    }

    /// A reason in which parts are named by their lines in place of their paths.
    fn with_lines(&self, reason: &str) -> String {
        let named = |(index, part): (usize, &str)| match self.spans.get(part).filter(|_| index % 2 == 1) {
            Some(span) => format!("the one in line {}", self.scope.source.position(*span).line),
            None if index % 2 == 1 => format!("`{part}`"),
            None => part.to_owned(),
        };
        reason.split('`').enumerate().map(named).collect()
    }

    /// Sinks that are told nothing.
    fn note_unused(&mut self, sinks: &[Placed<SinkText>]) {
        for sink in sinks {
            let name = &sink.value().name;
            if !self.used.contains(name.value().as_str()) {
                let problem = Problem::warning(format!("no route names the sink `{}`", shown(name.value())));
                self.scope.note(name.span(), problem.reason("it is told nothing").hint("name it in the `sinks` of a route, or remove it"));
            }
        }
    }

    fn note_unmatched(&mut self, checks: &[Arc<Check>]) {
        let mut alerts = Alerts::of(checks);
        for (span, matcher) in std::mem::take(&mut self.matchers) {
            if let Some(problem) = alerts.unmatched(&matcher) {
                self.scope.note(span, problem);
            }
        }
    }

    /// Those of `written` that are in `known`, each once; `noun` and `table` are what they are.
    pub(super) fn known_names(&mut self, noun: &str, table: &str, written: &[Placed<String>], known: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = Vec::new();
        for name in written {
            match known.iter().find(|known| ***known == **name.value()) {
                Some(known) if names.contains(known) => {
                    let problem = Problem::new(format!("the {noun} `{}` stands twice", shown(name.value())));
                    let problem = problem.reason("it is told, or counts, once all the same");
                    self.scope.note(name.span(), problem.hint("remove one of the two"));
                }
                Some(known) => names.push(Arc::clone(known)),
                None => {
                    let problem = Problem::new(format!("there is no {noun} `{}`", shown(name.value())));
                    let problem = problem.reason(format!("each {noun} that is named here is a `[[{table}]]` of the main file"));
                    self.scope.note(name.span(), problem.hint(hint_at(name.value(), table, known)));
                }
            }
        }
        names
    }
}

fn hint_at(name: &str, table: &str, known: &[Arc<str>]) -> String {
    let names: Vec<&str> = known.iter().map(|name| &**name).collect();
    match (suggest::nearest(name, &names), names.len()) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, 0) => format!("add a `[[{table}]]` with this name"),
        (None, _) => format!("there are: {}", listed(names)),
    }
}

#[cfg(test)]
mod tests;
