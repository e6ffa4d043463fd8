//! One check: its values, bounds and defaults, its conditions and grants compiled.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use sickbay_core::alerting::Severity;
use sickbay_core::masking::Bond;
use sickbay_core::window::SAMPLES_MAX;
use sickbay_core::{Condition, ConditionError, Lasting, Policy, Requirement, Rule, Shapes, Status};
use sickbay_runtime::{Limits, Sort};

use super::cadence::{self, Times, times};
use super::composite;
use super::dependencies;
use super::diagnostic::{Findings, Problem, shown};
use super::free::{self, ConfigPlaces};
use super::grants::{Named, grants, template};
use super::origin;
use super::place::{Source, Span};
use super::policy::policy;
use super::settings::{Scope, check_isolation, check_record, lowered_limits};
use super::targets;
use super::text::{CheckText, ConditionText, Free, Placed};
use super::values::{self, DurationBounds};
use super::{Check, Composite, Isolation, Origin, Place, PluginSettings, Record};

const CHECKS_MAX: usize = 100_000;
const CONFIG_BYTES_MAX: usize = 64 << 10;
const CONDITIONS_MAX: usize = 32;
/// How long a condition may have to hold.
const LASTING: DurationBounds =
    DurationBounds { least: Duration::from_secs(1), least_text: "1s", most: Duration::from_secs(86_400), most_text: "24h" };
const LABELS_MAX: usize = 32;
const LABEL_VALUE_BYTES_MAX: usize = 1 << 10;
/// Of one check: the first are mended first.
const OPEN_SECRETS_TOLD_MAX: usize = 4;
/// Labels that Sickbay itself may give to what it tells of a check.
const LABELS_RESERVED: [&str; 4] = ["alertname", "check", "kind", "plugin"];

/// Reads the checks of all files, in their order.
pub(super) struct CheckReader<'a> {
    plugin: &'a BTreeMap<String, PluginSettings>,
    names: Named,
    /// Relative paths resolve against it.
    dir: &'a Path,
    /// What looks like a secret.
    shapes: &'a Shapes,
    /// Names that are taken, and where.
    taken: HashMap<String, (Arc<Source>, Span)>,
    /// Many checks share a condition; compiling one is dear.
    compiled: HashMap<String, Result<Condition, ConditionError>>,
    checks: Vec<Arc<Check>>,
}

impl<'a> CheckReader<'a> {
    pub(super) fn new(plugin: &'a BTreeMap<String, PluginSettings>, names: Named, dir: &'a Path, shapes: &'a Shapes) -> CheckReader<'a> {
        CheckReader { plugin, names, dir, shapes, taken: HashMap::new(), compiled: HashMap::new(), checks: Vec::new() }
    }

    pub(super) fn into_checks(self) -> Vec<Arc<Check>> {
        self.checks
    }

    /// Judges the checks of one file. One with a mistake is kept with its defaults: its mistake stops the whole configuration.
    pub(super) fn read_file(&mut self, checks: Vec<Placed<CheckText>>, source: &Arc<Source>, findings: &mut Findings) {
        for written in checks {
            let mut scope = Scope { source, dir: self.dir, findings: &mut *findings };
            let checks = self.read(&written, source, &mut scope);
            if self.checks.len() + checks.len() > CHECKS_MAX {
                let reason = format!("there are more than {CHECKS_MAX}");
                return findings.add(source, written.span(), Problem::new("too many checks").reason(reason).hint("run a second host"));
            }
            self.checks.extend(checks.into_iter().map(Arc::new));
        }
    }

    /// The checks of one `[[check]]`: one, or one for each target.
    fn read(&mut self, written: &Placed<CheckText>, source: &Arc<Source>, scope: &mut Scope<'_>) -> Vec<Check> {
        let header = written.span();
        let written = written.value();
        self.read_name(&written.name, source, scope);
        let origin = origin::origin(written, scope);
        scope.read(written.plugin.as_ref(), (), |text| values::plugin_name("plugin", text));
        scope.read(written.kind.as_ref(), (), |text| values::name("kind", text));
        let plugin = written.plugin.as_ref().map_or("", |plugin| plugin.value().as_str());
        let (rules, rule_spans) = self.rules(written, scope);
        let given = self.plugin.get(plugin).cloned().unwrap_or_default();
        let (config, config_places) =
            written.config.as_ref().map_or_else(|| (Value::Object(Map::new()), ConfigPlaces::default()), free::to_json);
        let shared = Shared {
            origin,
            times: match origin {
                Origin::Plugin | Origin::Composite | Origin::Slo => times(written, scope),
                Origin::Push { within } => cadence::looks(within),
            },
            config,
            rules,
            policy: policy(written, scope),
            parents: dependencies::read(written, scope),
            composite: composite::composite(written, scope),
            labels: labels(written, scope),
            limits: written.limits.as_ref().map(|limits| lowered_limits(limits, Sort::Check, plugin, given.limits, scope)),
            isolation: scope.read(written.isolation.as_ref(), given.isolation, |text| check_isolation(text, plugin, given.isolation)),
            record: scope.read(written.record.as_ref(), Record::Off, |text| check_record(text)),
            place: Place {
                source: Arc::clone(source),
                header,
                plugin: written.plugin.as_ref().map_or(header, Placed::span),
                kind: written.kind.as_ref().map(Placed::span),
                rules: rule_spans.into_boxed_slice(),
                parents: dependencies::spans(written),
                members: composite::spans(written),
                config: config_places,
            },
        };
        judge_windows(&shared, scope);
        open_secrets(written, header, self.shapes, scope);
        targets::judge_unfilled(written, &shared.config, scope);
        targets::targets(written, scope).into_iter().map(|target| check_of(written, &shared, target, &self.names, scope)).collect()
    }

    fn read_name(&mut self, name: &Placed<String>, source: &Arc<Source>, scope: &mut Scope<'_>) {
        if let Err(problem) = values::name("name", name.value()) {
            return scope.note(name.span(), problem);
        }
        match self.taken.get(name.value()) {
            Some((first, span)) => {
                let place = format!("{}:{}:{}", first.path().display(), first.position(*span).line, first.position(*span).column);
                let problem = Problem::new(format!("there are two checks `{}`", name.value()));
                scope.note(name.span(), problem.reason(format!("the first is at {place}")).hint("give each check a name of its own"));
            }
            None => {
                self.taken.insert(name.value().clone(), (Arc::clone(source), name.span()));
            }
        }
    }

    fn rules(&mut self, written: &CheckText, scope: &mut Scope<'_>) -> (Vec<Rule>, Vec<Span>) {
        let mut rules = Vec::new();
        let mut spans = Vec::new();
        let critical = written.critical.iter().map(|text| (Status::Critical, text));
        let warning = written.warning.iter().map(|text| (Status::Warning, text));
        for (status, written) in critical.chain(warning) {
            let (text, span, lasting) = match written.value() {
                ConditionText::AtOnce(when) => (when, written.span(), None),
                ConditionText::Lasting(lasting) => (lasting.when.value(), lasting.when.span(), Some(&lasting.duration)),
            };
            if rules.len() >= CONDITIONS_MAX {
                let reason = format!("a check has at most {CONDITIONS_MAX}");
                scope.note(span, Problem::new("too many conditions").reason(reason).hint("join conditions with `||`"));
                break;
            }
            let lasting = lasting.map(|written| scope.read(Some(written), LASTING.least, |text| values::duration("for", text, &LASTING)));
            match self.condition(text) {
                Ok(condition) => {
                    let lasting = lasting.map(|duration| Lasting::new(status, &condition, duration));
                    rules.push(Rule { status, condition, lasting });
                    spans.push(span);
                }
                Err(error) => {
                    let span = condition_place(scope.source, span, text, &error);
                    scope.note(span, condition_problem(&error));
                }
            }
        }
        (rules, spans)
    }

    fn condition(&mut self, text: &str) -> Result<Condition, ConditionError> {
        if let Some(known) = self.compiled.get(text) {
            return known.clone();
        }
        let compiled = Condition::parse(text);
        self.compiled.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

/// What the checks of all targets have in common.
struct Shared {
    origin: Origin,
    times: Times,
    /// Before `{{target}}` is filled in.
    config: Value,
    rules: Vec<Rule>,
    policy: Policy,
    /// Before `{{target}}` is filled in.
    parents: Vec<Requirement>,
    composite: Option<Composite>,
    labels: BTreeMap<String, String>,
    limits: Option<Limits>,
    isolation: Isolation,
    record: Record,
    place: Place,
}

fn check_of(written: &CheckText, shared: &Shared, target: Option<&str>, names: &Named, scope: &mut Scope<'_>) -> Check {
    let name = targets::name(written.name.value(), target);
    let mut config = shared.config.clone();
    targets::fill(&mut config, target);
    let config_text = config.to_string();
    judge_size(written.config.as_ref(), &config_text, scope);
    let mut labels = shared.labels.clone();
    if let Some(target) = target {
        labels.insert(targets::LABEL.to_owned(), target.to_owned());
    }
    let grants = grants(&written.grants, target, names, scope);
    Check {
        secrets: template(written.config.as_ref(), &config_text, &grants, names, scope),
        origin: shared.origin,
        plugin: written
            .plugin
            .as_ref()
            .filter(|_| shared.origin == Origin::Plugin)
            .map_or_else(String::new, |plugin| plugin.value().clone()),
        kind: match shared.origin {
            Origin::Plugin => written.kind.as_ref().map(|kind| kind.value().clone()),
            Origin::Push { .. } => Some("push".to_owned()),
            Origin::Composite => Some("composite".to_owned()),
            Origin::Slo => Some("slo".to_owned()),
        },
        target: target.map(str::to_owned),
        schedule: shared.times.schedule(&name),
        retry: shared.times.retry(&name),
        timeout: shared.times.timeout,
        config_text: Arc::from(config_text),
        config,
        rules: shared.rules.clone(),
        policy: shared.policy,
        depends_on: dependencies::filled(&shared.parents, target),
        composite: shared.composite.clone(),
        labels,
        grants: Arc::new(grants),
        limits: shared.limits,
        isolation: shared.isolation,
        record: shared.record,
        place: shared.place.clone(),
        name,
    }
}

/// A window in which more results come than are kept is shorter than it says.
fn judge_windows(shared: &Shared, scope: &mut Scope<'_>) {
    let Some(every) = shared.times.schedule("").interval() else { return };
    for (rule, span) in shared.rules.iter().zip(&shared.place.rules) {
        let Some(call) = rule.condition.windows().iter().find(|call| call.window > every * SAMPLES_MAX as u32) else { continue };
        let reason = format!("of a metric the last {SAMPLES_MAX} results are kept, and with this cadence they are less old");
        let problem = Problem::warning(format!("the window of `{}` is never full", shown(&call.to_string())));
        scope.note(*span, problem.reason(reason).hint("write a shorter window, or let the check run less often"));
    }
}

pub(super) fn judge_size(table: Option<&Placed<Free>>, config: &str, scope: &mut Scope<'_>) {
    if let Some(table) = table
        && config.len() > CONFIG_BYTES_MAX
    {
        let reason = format!("it has {} bytes as JSON, the limit is {CONFIG_BYTES_MAX}", config.len());
        scope.note(
            table.span(),
            Problem::new("`config` is too large").reason(reason).hint("give the plugin less, or a place to read it from"),
        );
    }
}

fn labels(written: &CheckText, scope: &mut Scope<'_>) -> BTreeMap<String, String> {
    if let Some(name) = written.labels.keys().find(|name| written.targets.is_some() && name.value() == targets::LABEL) {
        let problem = Problem::new("the label `target` stands beside `targets`").reason("it says which of the targets a check has");
        scope.note(name.span(), problem.hint("give it another name, or remove it"));
    }
    judge_severity(&written.labels, scope);
    labels_of(&written.labels, scope)
}

/// Another word counts as the least severe, which nobody who wrote it means.
fn judge_severity(labels: &BTreeMap<Placed<String>, Placed<String>>, scope: &mut Scope<'_>) {
    let Some((_, value)) = labels.iter().find(|(name, _)| name.value() == "severity") else { return };
    if Severity::named(value.value()).is_some() {
        return;
    }
    let hint = match Severity::named(&value.value().to_uppercase()) {
        Some(meant) => format!("did you mean `{}`?", meant.as_str()),
        None => "write P0, P1, P2 or P3; what other systems call it has a place in another label".to_owned(),
    };
    let problem = Problem::warning(format!("the severity `{}` is none", shown(value.value())));
    scope.note(value.span(), problem.reason("severities are P0 to P3, and anything else counts as P3").hint(hint));
}

/// Targets become names, and labels go to everybody: no credential may stand in them. Told at the header, since the line of the place would
/// show it.
fn open_secrets(written: &CheckText, header: Span, shapes: &Shapes, scope: &mut Scope<'_>) {
    let hint = "leave it out: a credential stands in `config` as \"{{secret:NAME}}\", or in a source; where it is none, see `[masking]`";
    let looks_like_one = |text: &str| matches!(shapes.mask(text), Cow::Owned(_));
    let targets = written.targets.iter().flat_map(Placed::value);
    for (number, _) in (1..).zip(targets).filter(|(_, target)| looks_like_one(target.value())).take(OPEN_SECRETS_TOLD_MAX) {
        let problem = Problem::new(format!("target {number} of the check holds what looks like a secret"));
        scope.note(header, problem.reason("a target is part of the check's name and of its labels, which everybody is told").hint(hint));
    }
    let is_open = |name: &str, value: &str| looks_like_one(value) || shapes.is_secret(name, value, Bond::Assigned);
    let labels = written.labels.iter().filter(|(name, value)| is_open(name.value(), value.value()));
    for (name, _) in labels.take(OPEN_SECRETS_TOLD_MAX) {
        let problem = Problem::new(format!("the label `{}` holds what looks like a secret", shown(name.value())));
        scope.note(header, problem.reason("labels go into answers, alerts and metrics").hint(hint));
    }
}

/// The operator's labels of one check.
pub(super) fn labels_of(written: &BTreeMap<Placed<String>, Placed<String>>, scope: &mut Scope<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value) in written {
        if labels.len() >= LABELS_MAX {
            scope
                .note(name.span(), Problem::new("too many labels").reason(format!("a check has at most {LABELS_MAX}")).hint("remove some"));
            break;
        }
        if let Err(problem) = label_name(name.value()) {
            scope.note(name.span(), problem);
        }
        if value.value().len() > LABEL_VALUE_BYTES_MAX {
            let reason = format!("it has {} bytes, the limit is {LABEL_VALUE_BYTES_MAX}", value.value().len());
            scope.note(
                value.span(),
                Problem::new(format!("the label `{}` is too long", shown(name.value()))).reason(reason).hint("shorten it"),
            );
        }
        labels.insert(name.value().clone(), value.value().clone());
    }
    labels
}

fn label_name(name: &str) -> Result<(), Problem> {
    if LABELS_RESERVED.contains(&name) {
        return Err(Problem::new(format!("the label `{name}` is Sickbay's own"))
            .reason("it is kept for what Sickbay itself tells of a check")
            .hint("give it another name, or remove it"));
    }
    if name.starts_with("__") {
        return Err(Problem::new(format!("the label `{}` begins with `__`", shown(name)))
            .reason("Prometheus and Alertmanager keep such names for themselves")
            .hint("remove the underscores"));
    }
    values::label_name(name)
}

/// The message of a condition carries its hint behind this.
const HINT_MARK: &str = "; hint: ";

fn condition_problem(error: &ConditionError) -> Problem {
    let problem = Problem::new("the condition cannot be used");
    match error.message.split_once(HINT_MARK) {
        Some((reason, hint)) => problem.reason(reason).hint(hint),
        None => problem
            .reason(error.message.as_str())
            .hint("conditions are CEL over the report, for example: report.metrics.latency_seconds > 0.2"),
    }
}

fn condition_place(source: &Source, span: Span, text: &str, error: &ConditionError) -> Span {
    match error.place {
        Some((1, column)) => {
            let offset = text.char_indices().nth(column.saturating_sub(1)).map_or(0, |(offset, _)| offset);
            source.inside_text(span, text, offset)
        }
        _ => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_labels_are_those_of_prometheus_without_the_reserved_ones() {
        assert_eq!(label_name("service"), Ok(()));
        assert_eq!(label_name("_x9"), Ok(()));
        for bad in ["", "9lives", "with-dash", "alertname", "check", "plugin", "kind", "__meta"] {
            assert!(label_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_hint_of_a_condition_stands_on_its_own_line() {
        let problem = condition_problem(&ConditionError { message: "it is empty; hint: write a comparison".to_owned(), place: None });
        assert_eq!((problem.reason.as_deref(), problem.hint.as_deref()), (Some("it is empty"), Some("write a comparison")));
    }
}
