//! A check or a sink against its plugin: the kind, the plugin's JSON Schema of `config`, the templates in it, the metrics that conditions
//! name, and what the kind needs.
//!
//! The schema and every name come from the guest. So: the schema is bounded and cannot reach outside itself, patterns run on an
//! engine without backtracking, and what messages quote is cut and stripped of control characters.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use sickbay_runtime::Need;

use super::diagnostic::{Diagnostic, Problem, listed, shown};
use super::free::escaped;
use super::violation::{Spot, problems};
use super::weight::refuse_heavy;
use super::{PluginUse, limit_order, needs, suggest, template};

const SCHEMA_BYTES_MAX: usize = 256 << 10;
/// Of one `config`; a wrong one seldom has more to say.
const CONFIG_ERRORS_MAX: usize = 10;

/// What a plugin says of one kind.
#[derive(Clone, Copy, Debug)]
pub struct KindInfo<'a> {
    pub name: &'a str,
    /// JSON Schema as text.
    pub config_schema: &'a str,
    /// Names of the metrics that it reports. One that ends with `*` stands for all that begin so.
    pub metrics: &'a [String],
    /// What it asks to be granted.
    pub needs: &'a [Need],
}

/// Judges the uses of one plugin by checks, or by sinks; its schemas are compiled once.
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

impl<'a> PluginJudge<'a> {
    /// `kinds` are those for checks, or those for sinks.
    pub fn new(plugin: &'a str, kinds: &[KindInfo<'a>]) -> PluginJudge<'a> {
        let kinds = kinds.iter().map(|info| JudgedKind { info: *info, schema: compile(info.config_schema) }).collect();
        PluginJudge { plugin, kinds }
    }

    /// What is wrong with `used`; empty where nothing is.
    pub fn judge(&self, used: &PluginUse<'_>) -> Vec<Diagnostic> {
        match self.find(used) {
            Err(diagnostic) => vec![*diagnostic],
            Ok(kind) => {
                let mut found = judge_config(used, kind);
                found.extend(self.judge_metrics(used, &kind.info));
                let advice = self.judge_needs(used, kind, &found);
                found.extend(advice);
                found
            }
        }
    }

    fn find(&self, used: &PluginUse<'_>) -> Result<&JudgedKind<'a>, Box<Diagnostic>> {
        let plugin = shown(self.plugin);
        let names: Vec<&str> = self.kinds.iter().map(|kind| kind.info.name).collect();
        let (place, sort) = (used.place, used.sort.as_str());
        match (used.kind, self.kinds.as_slice()) {
            (_, []) => {
                let problem = Problem::new(format!("plugin `{plugin}` has no kinds of {sort}"));
                let problem = problem.hint(format!("name a plugin with a kind of {sort}; `sickbay inspect` tells what one has"));
                Err(Box::new(place.diagnostic(place.plugin, problem)))
            }
            (None, [only]) => Ok(only),
            (None, _) => {
                let problem = Problem::new(format!("missing key `kind` in `[[{sort}]]`"))
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

    fn judge_metrics(&self, used: &PluginUse<'_>, kind: &KindInfo<'_>) -> Vec<Diagnostic> {
        let known: Vec<&str> = kind.metrics.iter().map(String::as_str).collect();
        let place = used.place;
        let mut found = Vec::new();
        for (rule, span) in used.rules.iter().zip(place.rules.iter()) {
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

    /// Warnings alone: every call is authorised regardless. A value that is among the `mistakes` already needs no advice.
    fn judge_needs(&self, used: &PluginUse<'_>, kind: &JudgedKind<'_>, mistakes: &[Diagnostic]) -> Vec<Diagnostic> {
        let place = used.place;
        let schema = kind.schema.as_ref().ok().map(|schema| &schema.value);
        let mut found = Vec::new();
        for need in kind.info.needs {
            let problem = needs::not_granted(used, self.plugin, &kind.info, need, schema);
            found.extend(problem.map(|problem| place.diagnostic(place.header, problem)));
            for problem in needs::denied(used, need, schema) {
                let diagnostic = place.diagnostic(place.header, problem);
                // Two needs may ask for the same.
                if !found.contains(&diagnostic) {
                    found.push(diagnostic);
                }
            }
            for (key, problem) in needs::unsendable(need, used.config) {
                let span = place.config.value(&format!("/{}", escaped(key))).unwrap_or(place.header);
                let diagnostic = place.diagnostic(span, problem);
                let is_told = mistakes.iter().any(|known| (known.line, known.column) == (diagnostic.line, diagnostic.column));
                // Two needs may name one key.
                if !is_told && !found.contains(&diagnostic) {
                    found.push(diagnostic);
                }
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

fn judge_config(used: &PluginUse<'_>, kind: &JudgedKind<'_>) -> Vec<Diagnostic> {
    let place = used.place;
    let schema = match &kind.schema {
        Ok(schema) => schema,
        Err(reason) => {
            let problem = Problem::warning("`config` cannot be judged: the plugin's own schema is broken");
            return vec![place.diagnostic(place.plugin, problem.reason(reason.as_str()).hint("ask who made the plugin"))];
        }
    };
    let mut found = Vec::new();
    // Braces are no URL: the schema sees something in place of a secret.
    let sample = used.secrets.and_then(|template| serde_json::from_str(&template.sample()).ok());
    let config = sample.as_ref().unwrap_or(used.config);
    for error in schema.validator.iter_errors(config).take(CONFIG_ERRORS_MAX) {
        for (spot, problem) in problems(&error, &schema.value) {
            let span = match &spot {
                Spot::Key(pointer) => place.config.key(pointer),
                Spot::Value(pointer) => place.config.value(pointer),
            };
            found.push(place.diagnostic(span.unwrap_or(place.header), problem));
        }
    }
    for (key, problem) in limit_order::problems(used.config, &schema.value).into_iter().chain(template::problems(config, &schema.value)) {
        let span = place.config.value(&format!("/{}", escaped(&key)));
        found.push(place.diagnostic(span.unwrap_or(place.header), problem));
    }
    found
}
