//! `[[slo]]`: which checks an objective is about, what is wanted of them, and the check that tells of it.
//!
//! Limits: [`SLOS_MAX`] objectives, of [`SLO_CHECKS_MAX`] checks each and [`SLO_MEMBERS_MAX`] together; [`PATTERNS_MAX`] names or matchers of one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sickbay_capabilities::Grants;
use sickbay_core::alerting::Matcher;
use sickbay_core::slo::{ALLOWED_MIN, BadFrom, Indicator, Objective, WINDOW_MAX, WINDOW_MIN};
use sickbay_core::{Policy, Schedule};

use super::check::labels_of;
use super::composite::matches;
use super::diagnostic::{Problem, shown};
use super::place::{Source, Span};
use super::settings::Scope;
use super::text::{LatencyText, Placed, SloText};
use super::values::{self, DurationBounds};
use super::{Check, Isolation, Origin, Place, Record, suggest};

pub const SLOS_MAX: usize = 1_000;
/// Of one objective.
pub const SLO_CHECKS_MAX: usize = 1_000;
/// Of all objectives together; a check counts for each of them.
pub const SLO_MEMBERS_MAX: usize = 10_000;
/// In front of an objective's name it is the name of its check.
pub const SLO_CHECK_PREFIX: &str = "slo.";
/// How often the check of an objective is judged.
const EVERY: Duration = Duration::from_secs(30);
const PATTERNS_MAX: usize = 64;
/// What the name of a check has room for.
const NAME_CHARACTERS_MAX: usize = 59;
const METRIC_BYTES_MAX: usize = 64;
const WINDOW: DurationBounds = DurationBounds { least: WINDOW_MIN, least_text: "1d", most: WINDOW_MAX, most_text: "90d" };
const WINDOW_DEFAULT: Duration = Duration::from_secs(30 * 86_400);
/// By this label the report of an objective is told for each service.
const SERVICE: &str = "service";
const OWN_LABEL: &str = "slo";

const MATCHER_HINT: &str = "write a label, one of `=`, `!=`, `=~` and `!~`, and a value in quotes, for example 'service=\"api\"'";

/// One `[[slo]]`.
#[derive(Debug)]
pub struct Slo {
    pub name: String,
    pub objective: Objective,
    /// By the name of the check; at least one.
    pub members: Vec<SloMember>,
}

/// A check of an objective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloMember {
    pub check: Arc<str>,
    /// Its label `service`.
    pub service: Option<Arc<str>>,
}

impl Slo {
    /// The name of the check that tells of it.
    pub fn check(&self) -> String {
        format!("{SLO_CHECK_PREFIX}{}", self.name)
    }
}

/// The objectives, and a check for each of them. `checks` are all others.
pub(super) fn read(
    written: &[Placed<SloText>],
    checks: &[Arc<Check>],
    source: &Arc<Source>,
    scope: &mut Scope<'_>,
) -> (Vec<Arc<Slo>>, Vec<Arc<Check>>) {
    let mut reader = Reader { checks, source, taken: HashMap::new(), members_len: 0, scope };
    let (mut slos, mut of_slos) = (Vec::new(), Vec::new());
    for slo in written {
        if slos.len() >= SLOS_MAX {
            let problem = Problem::new("too many objectives").reason(format!("there are more than {SLOS_MAX}"));
            reader.scope.note(slo.span(), problem.hint("join some, or run a second host"));
            break;
        }
        let (slo, check) = reader.slo(slo);
        slos.push(Arc::new(slo));
        of_slos.push(Arc::new(check));
    }
    (slos, of_slos)
}

struct Reader<'a, 's> {
    checks: &'a [Arc<Check>],
    source: &'a Arc<Source>,
    /// Where names stand that are taken.
    taken: HashMap<String, Span>,
    members_len: usize,
    scope: &'a mut Scope<'s>,
}

impl Reader<'_, '_> {
    fn slo(&mut self, placed: &Placed<SloText>) -> (Slo, Check) {
        let written = placed.value();
        self.name(&written.name);
        let window = self.scope.read(written.window.as_ref(), WINDOW_DEFAULT, |text| values::duration("window", text, &WINDOW));
        let objective = Objective {
            // One that is wrong stops the whole configuration.
            target: self.scope.read(Some(&written.objective), 0.5, |share| target(*share)),
            window,
            indicator: self.indicator(written),
        };
        let slo = Slo { name: written.name.value().clone(), objective, members: self.members(written, placed.span()) };
        let mut labels = labels_of(&written.labels, self.scope);
        labels.insert(OWN_LABEL.to_owned(), slo.name.clone());
        let check = check_of(&slo, labels, Place::of_header(self.source, placed.span()));
        (slo, check)
    }

    fn name(&mut self, name: &Placed<String>) {
        let text = name.value();
        if let Err(problem) = values::name("name", text) {
            return self.scope.note(name.span(), problem);
        }
        if text.len() > NAME_CHARACTERS_MAX {
            let reason = format!("its check is named `{SLO_CHECK_PREFIX}NAME`, so it has at most {NAME_CHARACTERS_MAX} characters");
            return self.scope.note(name.span(), Problem::new("the name of the objective is too long").reason(reason).hint("shorten it"));
        }
        if let Some(first) = self.taken.get(text).copied() {
            let at = self.scope.source.position(first);
            let place = format!("{}:{}:{}", self.scope.source.path().display(), at.line, at.column);
            let problem = Problem::new(format!("there are two objectives `{text}`")).reason(format!("the first is at {place}"));
            return self.scope.note(name.span(), problem.hint("give each objective a name of its own"));
        }
        self.taken.insert(text.clone(), name.span());
        let own = format!("{SLO_CHECK_PREFIX}{text}");
        if self.checks.iter().any(|check| check.name == own) {
            let problem = Problem::new(format!("there is a check `{own}` already")).reason("this is the name of the objective's own check");
            self.scope.note(name.span(), problem.hint("give one of the two another name"));
        }
    }

    fn indicator(&mut self, written: &SloText) -> Indicator {
        let bad = self.scope.read(written.bad.as_ref(), BadFrom::default(), |text| bad_from(text));
        let Some(latency) = &written.latency else { return Indicator::Status(bad) };
        if let Some(bad) = &written.bad {
            let problem = Problem::new("`bad` stands beside `latency`").reason("a result is judged by its status or by what it measured");
            self.scope.note(bad.span(), problem.hint("remove one of the two, or write two objectives"));
        }
        let LatencyText { metric, below } = latency.value();
        let metric = self.scope.read(Some(metric), String::new(), |text| metric_name(text));
        Indicator::Latency { metric, below: self.scope.read(Some(below), 1.0, |limit| limit_of(*limit)) }
    }

    /// The checks that it is about, by name.
    fn members(&mut self, written: &SloText, header: Span) -> Vec<SloMember> {
        let (key, span, found) = match (&written.checks, &written.matchers) {
            (Some(names), None) => ("checks", names.span(), self.named(names)),
            (None, Some(matchers)) => ("match", matchers.span(), self.matched(matchers)),
            (Some(_), Some(matchers)) => {
                let problem = Problem::new("`match` stands beside `checks`").reason("either names say which checks are meant, or labels");
                self.scope.note(matchers.span(), problem.hint("remove one of the two"));
                return Vec::new();
            }
            (None, None) => {
                let problem = Problem::new("the objective has neither `checks` nor `match`").reason("it is about no check");
                self.scope.note(header, problem.hint("add a line such as: checks = [\"api\", \"db-*\"]"));
                return Vec::new();
            }
        };
        self.members_len += found.len();
        let excess = match (found.len() > SLO_CHECKS_MAX, self.members_len > SLO_MEMBERS_MAX) {
            (true, _) => Some(format!("an objective has at most {SLO_CHECKS_MAX}, here {}", found.len())),
            (false, true) => Some(format!("all objectives together have at most {SLO_MEMBERS_MAX}")),
            (false, false) => None,
        };
        if let Some(reason) = excess {
            let problem = Problem::new(format!("`{key}` names too many checks")).reason(reason);
            self.scope.note(span, problem.hint("name a composite check that stands for several of them"));
        }
        found
    }

    fn named(&mut self, names: &Placed<Vec<Placed<String>>>) -> Vec<SloMember> {
        if self.is_empty_or_long("checks", names, "checks = [\"api\", \"db-*\"]") {
            return Vec::new();
        }
        let checks = self.checks;
        let mut members = BTreeMap::new();
        for name in names.value() {
            let mut found = checks.iter().filter(|check| matches(name.value(), &check.name)).peekable();
            if found.peek().is_none() {
                self.scope.note(name.span(), no_check(name.value(), checks));
            }
            members.extend(found.map(|check| (check.name.as_str(), member(check))));
        }
        members.into_values().collect()
    }

    fn matched(&mut self, matchers: &Placed<Vec<Placed<String>>>) -> Vec<SloMember> {
        if self.is_empty_or_long("match", matchers, "match = ['service=\"api\"']") {
            return Vec::new();
        }
        let mut read = Vec::new();
        for text in matchers.value() {
            match Matcher::parse(text.value()) {
                Ok(matcher) => read.push(matcher),
                Err(error) => {
                    let span = self.scope.source.inside_text(text.span(), text.value(), error.offset);
                    self.scope.note(span, Problem::new("the matcher cannot be used").reason(error.reason).hint(MATCHER_HINT));
                    return Vec::new();
                }
            }
        }
        let is_meant = |check: &Check| {
            let value = |label: &str| check.labels.get(label).map_or("", String::as_str);
            read.iter().all(|matcher| matcher.accepts(value(matcher.name())))
        };
        let checks = self.checks;
        let mut meant: Vec<&Arc<Check>> = checks.iter().filter(|check| is_meant(check)).collect();
        meant.sort_by(|one, other| one.name.cmp(&other.name));
        if meant.is_empty() {
            let problem = Problem::new("no check has labels that match").reason("the objective would be about nothing");
            self.scope.note(matchers.span(), problem.hint("compare with `labels` of the checks that are meant"));
        }
        meant.into_iter().map(|check| member(check)).collect()
    }

    fn is_empty_or_long(&mut self, key: &str, list: &Placed<Vec<Placed<String>>>, example: &str) -> bool {
        let len = list.value().len();
        let is_wrong = len == 0 || len > PATTERNS_MAX;
        if is_wrong {
            let problem =
                Problem::new(format!("`{key}` names no checks")).reason(format!("it has 1 to {PATTERNS_MAX} entries, here {len}"));
            self.scope.note(list.span(), problem.hint(format!("write for example: {example}")));
        }
        is_wrong
    }
}

fn member(check: &Check) -> SloMember {
    SloMember { check: check.name.as_str().into(), service: check.labels.get(SERVICE).map(|service| service.as_str().into()) }
}

fn no_check(pattern: &str, checks: &[Arc<Check>]) -> Problem {
    let problem = Problem::new(format!("the objective names `{}`, which is no check", shown(pattern)));
    if checks.iter().any(|check| check.target.is_some() && check.written_name() == pattern) {
        let problem = problem.reason("it has a check for each of its targets");
        return problem.hint(format!("write \"{}@*\" for all of them", shown(pattern)));
    }
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    let problem = problem.reason("an objective is a promise of checks that are there");
    match suggest::nearest(pattern, &names) {
        Some(meant) => problem.hint(format!("did you mean `{}`?", shown(meant))),
        None => problem.hint("name checks of the configuration; `*` stands for any characters"),
    }
}

/// The check that tells of an objective: nobody runs it, and what it says is confirmed at once.
fn check_of(slo: &Slo, labels: BTreeMap<String, String>, place: Place) -> Check {
    let config = Value::Object(Map::new());
    let name = slo.check();
    Check {
        origin: Origin::Slo,
        plugin: String::new(),
        kind: Some("slo".to_owned()),
        target: None,
        schedule: Schedule::every(&name, EVERY),
        retry: None,
        timeout: EVERY,
        config_text: config.to_string().into(),
        config,
        secrets: None,
        rules: Vec::new(),
        policy: Policy { failures: 1, successes: 1, flapping: None },
        depends_on: Vec::new(),
        composite: None,
        labels,
        grants: Arc::new(Grants::default()),
        limits: None,
        isolation: Isolation::Fresh,
        record: Record::Off,
        place,
        name,
    }
}

fn target(share: f64) -> Result<f64, Problem> {
    if share > 0.0 && 1.0 - share >= ALLOWED_MIN {
        return Ok(share);
    }
    let problem = Problem::new("`objective` is not a share between 0 and 1").reason(format!("{share} is written"));
    if (1.0..100.0).contains(&share) && share != 1.0 {
        /// Of a share that is told: as many as a person writes.
        const PARTS: f64 = 1e9;
        return Err(problem.hint(format!("write {} for {share} %", (share / 100.0 * PARTS).round() / PARTS)));
    }
    Err(problem.hint("write for example 0.999 for 99.9 %"))
}

fn bad_from(text: &str) -> Result<BadFrom, Problem> {
    BadFrom::ALL.into_iter().find(|bad| bad.as_str() == text).ok_or_else(|| {
        let problem = Problem::new(format!("`bad` is none of its words: \"{}\"", shown(text)));
        let problem = problem.reason("each result is good or bad, so it has to be clear from which status on");
        problem.hint("write \"critical\", or \"warning\" where a warning is bad too; what is unknown never counts")
    })
}

fn metric_name(text: &str) -> Result<String, Problem> {
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_name = begins && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if is_name && text.len() <= METRIC_BYTES_MAX {
        return Ok(text.to_owned());
    }
    let reason = format!("a name has letters, digits and `_`, begins with no digit, and has at most {METRIC_BYTES_MAX} bytes");
    let problem = Problem::new(format!("`metric` is not the name of a metric: \"{}\"", shown(text))).reason(reason);
    Err(problem.hint("write one of those that `sickbay inspect PLUGIN` lists, for example \"latency_seconds\""))
}

fn limit_of(limit: f64) -> Result<f64, Problem> {
    if limit > 0.0 {
        return Ok(limit);
    }
    let problem = Problem::new("`below` is not above 0").reason("nothing would be good");
    Err(problem.hint("write the limit in the unit of the metric, for example 0.2"))
}

#[cfg(test)]
mod tests;
