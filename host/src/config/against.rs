//! A check against its plugin: the kind, the plugin's JSON Schema of `config`, and the metrics that conditions name.
//!
//! The schema and every name come from the guest. So: the schema is bounded and cannot reach outside itself, patterns run on an
//! engine without backtracking, and what messages quote is cut and stripped of control characters.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

use super::diagnostic::{Diagnostic, Problem, listed, shown};
use super::free::escaped;
use super::shape::{known_keys, type_words};
use super::weight::refuse_heavy;
use super::{Check, suggest};

const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// Of one check; a wrong `config` seldom has more to say.
const CONFIG_ERRORS_MAX: usize = 10;

/// What a plugin says of one kind of check.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo<'a> {
    pub name: &'a str,
    /// JSON Schema as text.
    pub config_schema: &'a str,
    /// Names of the metrics that it reports. One that ends with `*` stands for all that begin so.
    pub metrics: &'a [String],
}

/// Judges the checks of one plugin; its schemas are compiled once.
pub struct PluginJudge<'a> {
    plugin: &'a str,
    kinds: Vec<JudgedKind<'a>>,
}

struct JudgedKind<'a> {
    info: KindInfo<'a>,
    /// Or why it cannot be used.
    schema: Result<CompiledSchema, String>,
}

struct CompiledSchema {
    value: Value,
    validator: Validator,
}

/// One check against one plugin; for many checks of a plugin keep a [`PluginJudge`].
pub fn check_against(check: &Check, plugin: &str, kinds: &[KindInfo<'_>]) -> Vec<Diagnostic> {
    PluginJudge::new(plugin, kinds).judge(check)
}

impl<'a> PluginJudge<'a> {
    pub fn new(plugin: &'a str, kinds: &[KindInfo<'a>]) -> PluginJudge<'a> {
        let kinds = kinds.iter().map(|info| JudgedKind { info: *info, schema: compile(info.config_schema) }).collect();
        PluginJudge { plugin, kinds }
    }

    /// The kind that a check means, where it means one.
    pub fn kind_of(&self, check: &Check) -> Option<&'a str> {
        self.find(check).ok().map(|kind| kind.info.name)
    }

    /// What is wrong with `check`; empty where nothing is.
    pub fn judge(&self, check: &Check) -> Vec<Diagnostic> {
        match self.find(check) {
            Err(diagnostic) => vec![*diagnostic],
            Ok(kind) => {
                let mut found = judge_config(check, kind);
                found.extend(self.judge_metrics(check, &kind.info));
                found
            }
        }
    }

    fn find(&self, check: &Check) -> Result<&JudgedKind<'a>, Box<Diagnostic>> {
        let plugin = shown(self.plugin);
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.info.name).collect();
        let place = &check.place;
        match (&check.kind, self.kinds.as_slice()) {
            (_, []) => {
                let problem = Problem::new(format!("plugin `{plugin}` has no kinds of check")).hint("name a plugin that checks");
                Err(Box::new(place.diagnostic(place.plugin, problem)))
            }
            (None, [only]) => Ok(only),
            (None, _) => {
                let problem = Problem::new("missing key `kind` in `[[check]]`")
                    .reason(format!("plugin `{plugin}` has more than one: {}", listed(names.iter().copied())))
                    .hint(format!("add a line such as: kind = \"{}\"", names.first().map_or_else(String::new, |name| shown(name))));
                Err(Box::new(place.diagnostic(place.header, problem)))
            }
            (Some(written), kinds) => kinds.iter().find(|kind| kind.info.name == written).ok_or_else(|| {
                let problem = Problem::new(format!("plugin `{plugin}` has no kind `{}`", shown(written)));
                let known = format!("its kinds are {}", listed(names.iter().copied()));
                let problem = match suggest::nearest(written, &names) {
                    Some(meant) => problem.reason(known).hint(format!("did you mean `{}`?", shown(meant))),
                    None => problem.hint(known),
                };
                Box::new(place.diagnostic(place.kind.unwrap_or(place.header), problem))
            }),
        }
    }

    fn judge_metrics(&self, check: &Check, kind: &KindInfo<'_>) -> Vec<Diagnostic> {
        let known: Vec<&str> = kind.metrics.iter().map(String::as_str).collect();
        let place = &check.place;
        let mut found = Vec::new();
        for (rule, span) in check.rules.iter().zip(place.rules.iter()) {
            for name in rule.condition.metric_names() {
                if is_reported(&name, &known) {
                    continue;
                }
                let offset = place.source.slice(*span).find(&name);
                let span = offset.map_or(*span, |offset| span.part(offset, name.len()));
                let problem = Problem::new(format!(
                    "kind `{}` of plugin `{}` reports no metric `{}`",
                    shown(kind.name),
                    shown(self.plugin),
                    shown(&name)
                ));
                let problem = if known.is_empty() {
                    problem.reason("it reports none")
                } else {
                    problem.reason(format!("it reports {}", listed(known.iter().copied())))
                };
                found.push(place.diagnostic(
                    span,
                    match suggest::nearest(&name, &known) {
                        Some(meant) => problem.hint(format!("did you mean `{}`?", shown(meant))),
                        None => problem.hint("name one of its metrics"),
                    },
                ));
            }
        }
        found
    }
}

fn is_reported(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.strip_suffix('*').map_or(*known == name, |start| name.starts_with(start)))
}

fn compile(schema: &str) -> Result<CompiledSchema, String> {
    if schema.len() > SCHEMA_BYTES_MAX {
        return Err(format!("it has {} bytes, the limit is {SCHEMA_BYTES_MAX}", schema.len()));
    }
    let value: Value = serde_json::from_str(schema).map_err(|error| shown(&error.to_string()))?;
    refuse_heavy(&value)?;
    let options = jsonschema::options().offline().with_pattern_options(PatternOptions::regex());
    let validator = options.build(&value).map_err(|error| shown(&error.to_string()))?;
    Ok(CompiledSchema { value, validator })
}

fn judge_config(check: &Check, kind: &JudgedKind<'_>) -> Vec<Diagnostic> {
    let place = &check.place;
    let schema = match &kind.schema {
        Ok(schema) => schema,
        Err(reason) => {
            let problem = Problem::warning("`config` cannot be judged: the plugin's own schema is broken");
            return vec![place.diagnostic(place.plugin, problem.reason(reason.as_str()).hint("ask who made the plugin"))];
        }
    };
    let mut found = Vec::new();
    for error in schema.validator.iter_errors(&check.config).take(CONFIG_ERRORS_MAX) {
        for (spot, problem) in problems(&error, &schema.value) {
            let span = match &spot {
                Spot::Key(pointer) => place.config.key(pointer),
                Spot::Value(pointer) => place.config.value(pointer),
            };
            found.push(place.diagnostic(span.unwrap_or(place.header), problem));
        }
    }
    found
}

/// Where in `config`, as a JSON pointer.
enum Spot {
    Key(String),
    Value(String),
}

/// A violation in the words of the other messages of the configuration.
fn problems(error: &ValidationError<'_>, schema: &Value) -> Vec<(Spot, Problem)> {
    let pointer = error.instance_path().as_str();
    let here = || Spot::Value(pointer.to_owned());
    let name = dotted(pointer);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = schema_at(error, schema).map(known_keys).unwrap_or_default();
            let spot = |key: &String| Spot::Key(format!("{pointer}/{}", escaped(key)));
            unexpected.iter().map(|key| (spot(key), unknown_key(key, &name, &known))).collect()
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let described = schema_at(error, schema)
                .and_then(|schema| schema.pointer(&format!("/properties/{}/description", escaped(key))))
                .and_then(Value::as_str);
            let problem = Problem::new(format!("missing key `{}` in `{name}`", shown(key)));
            let problem = problem.hint(format!("add `{}` to `{name}`", shown(key)));
            vec![(
                here(),
                match described {
                    Some(text) => problem.reason(shown(text)),
                    None => problem,
                },
            )]
        }
        ValidationErrorKind::Type { kind } => {
            let wanted: Vec<&str> = match kind {
                TypeKind::Single(wanted) => vec![type_words(wanted.as_str())],
                TypeKind::Multiple(wanted) => wanted.iter().map(|wanted| type_words(wanted.as_str())).collect(),
            };
            let message = format!("`{name}` must be {}, not {}", wanted.join(" or "), value_words(error.instance()));
            vec![(here(), Problem::new(message))]
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> =
                options.as_array().into_iter().flatten().map(|option| option.to_string().trim_matches('"').to_owned()).collect();
            let problem = Problem::new(format!("`{name}` has a value that the plugin does not know"));
            vec![(here(), problem.hint(format!("write one of {}", listed(options.iter().map(String::as_str)))))]
        }
        _ => {
            let reason = shown(&error.masked_with("it").to_string());
            vec![(here(), Problem::new(format!("`{name}` does not fit the plugin's schema")).reason(reason))]
        }
    }
}

fn unknown_key(key: &str, table: &str, known: &[&str]) -> Problem {
    let problem = Problem::new(format!("unknown key `{}` in `{table}`", shown(key)));
    let problem = if known.is_empty() { problem } else { problem.reason(format!("the keys here are {}", listed(known.iter().copied()))) };
    match suggest::nearest(key, known) {
        Some(meant) => problem.hint(format!("did you mean `{}`?", shown(meant))),
        None => problem.hint("remove it"),
    }
}

/// The part of the schema whose keyword was violated.
fn schema_at<'s>(error: &ValidationError<'_>, schema: &'s Value) -> Option<&'s Value> {
    let (parent, _) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(parent)
}

/// `config.headers.0.name`
fn dotted(pointer: &str) -> String {
    let path = pointer.replace('/', ".").replace("~1", "/").replace("~0", "~");
    format!("config{}", shown(&path))
}

fn value_words(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
