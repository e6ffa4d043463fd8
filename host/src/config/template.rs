//! Templates in the `config` of a sink, judged before anything is to be told.
//!
//! A plugin marks a text of its schema as one with `"format": "minijinja"`. What such a template may name is what the SDK gives it: the names
//! of `sdk/rust/src/sinks/sample.json`, which a test of the SDK holds against a real notification.
//!
//! How: it is compiled, the names that it uses are looked up, and it is rendered about an alert that fires and about some that are over. What
//! fails whatever is told (syntax, a filter that does not exist) is an error; a name that no notification has, and what fails for a sample
//! alone, is a warning. What stands in a branch that no sample comes to is not rendered.
//!
//! Limits: [`STEPS_MAX`] and [`OUTPUT_BYTES_MAX`] of one rendering, [`NAMES_TOLD_MAX`] of one template.

use std::collections::BTreeSet;
use std::io;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, Template};
use serde_json::Value;

use super::diagnostic::{Problem, listed, shown};
use super::suggest;

const FORMAT: &str = "minijinja";
const SAMPLES: &str = include_str!("../../../sdk/rust/src/sinks/sample.json");

const STEPS_MAX: u64 = 100_000;
const OUTPUT_BYTES_MAX: usize = 1 << 20;
const NAMES_TOLD_MAX: usize = 5;

/// What a person may call as they like.
const FREE_MAPS: [&str; 3] = ["labels", "group_labels", "annotations"];

/// A key of `config` whose template is wrong, and what to say of it.
pub(super) fn problems(config: &Value, schema: &Value) -> Vec<(String, Problem)> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let is_template = |part: &Value| part.get("format").and_then(Value::as_str) == Some(FORMAT);
    let written = properties.iter().filter(|(_, part)| is_template(part));
    let written = written.filter_map(|(key, _)| Some((key.as_str(), config.get(key)?.as_str()?)));
    written.flat_map(|(key, template)| judged(key, template).into_iter().map(|problem| (key.to_owned(), problem))).collect()
}

fn judged(key: &str, written: &str) -> Vec<Problem> {
    let environment = environment();
    let template = match environment.template_from_named_str(key, written) {
        Ok(template) => template,
        Err(error) => return vec![failed(key, &error)],
    };
    let samples: Vec<Value> = serde_json::from_str(SAMPLES).unwrap_or_default();
    if let Some(error) = samples.iter().find_map(|sample| render(&template, sample).err()) {
        return vec![failed(key, &error)];
    }
    samples.first().map_or_else(Vec::new, |sample| unknown_names(key, written, &template, &environment, sample))
}

/// As the SDK makes it; where blanks go makes no mistake.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.unwrap_or_default());
    environment.set_fuel(Some(STEPS_MAX));
    environment
}

fn render(template: &Template<'_, '_>, sample: &Value) -> Result<(), Error> {
    let context = minijinja::Value::from(Serde(sample.clone()));
    template.render_captured_to(context, Room { bytes_left: OUTPUT_BYTES_MAX }).map(drop)
}

/// Takes what is rendered, and keeps nothing of it.
struct Room {
    bytes_left: usize,
}

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.bytes_left.checked_sub(bytes.len()) {
            Some(left) => {
                self.bytes_left = left;
                Ok(bytes.len())
            }
            None => Err(io::Error::other("it makes too long a text")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failed(key: &str, error: &Error) -> Problem {
    let always = matches!(
        error.kind(),
        ErrorKind::SyntaxError
            | ErrorKind::BadEscape
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::UnknownMethod
            | ErrorKind::MissingArgument
            | ErrorKind::TooManyArguments
    );
    let said = match error.detail() {
        Some(detail) => format!("{}: {}", error.kind(), shown(detail)),
        None => error.kind().to_string(),
    };
    let line = error.line().map_or_else(String::new, |line| format!(" in its line {line}"));
    let key = shown(key);
    let problem = if always {
        Problem::new(format!("the template `config.{key}` cannot be used: {said}{line}"))
    } else {
        Problem::warning(format!("the template `config.{key}` fails for some alerts: {said}{line}"))
            .reason("a sink whose template fails tells nothing until it is mended")
    };
    problem.hint(format!("mend it, or leave `{key}` out; a template is Jinja, such as \"{{{{ alert.name }}}}: {{{{ alert.summary }}}}\""))
}

/// Warnings: they stay empty, and the rest is told.
fn unknown_names(key: &str, written: &str, template: &Template<'_, '_>, environment: &Environment<'_>, sample: &Value) -> Vec<Problem> {
    let names: BTreeSet<String> = template.undeclared_variables(true).into_iter().collect();
    let is_global = |name: &str| environment.globals().any(|(global, _)| global == name);
    // One that is set inside a branch is not seen to be set.
    let is_set = |name: &str| written.contains(&format!("set {name}"));
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
    let named = names.iter().filter(|name| !is_global(&first(name.as_str())) && !is_set(&first(name.as_str())));
    named.filter_map(|name| unknown_name(key, name, sample)).take(NAMES_TOLD_MAX).collect()
}

fn unknown_name(key: &str, name: &str, sample: &Value) -> Option<Problem> {
    let (mut known, mut before) = (sample, String::new());
    for part in name.split('.') {
        // A list or a text has no names of its own.
        let members = known.as_object()?;
        let Some(member) = members.get(part) else {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            let problem = Problem::warning(format!("the template `config.{}` names `{}`, which no alert has", shown(key), shown(name)));
            let problem = problem.reason("it stays empty");
            return Some(match suggest::nearest(part, &names) {
                Some(meant) => problem.hint(format!("did you mean `{before}{meant}`?")),
                None => problem.hint(format!("there are {}", listed(names))),
            });
        };
        if FREE_MAPS.contains(&part) {
            return None;
        }
        known = member;
        before.push_str(part);
        before.push('.');
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Severity;

    fn schema() -> Value {
        let template = json!({ "type": "string", "format": "minijinja" });
        json!({ "properties": { "title": template, "url": { "type": "string" } } })
    }

    /// The problems of one template: whether it is an error, and all its words.
    fn told(template: &str) -> Vec<(bool, String)> {
        let found = problems(&json!({ "title": template, "url": "{{ nothing | of this }}" }), &schema());
        let line = |(key, problem): (String, Problem)| {
            assert_eq!(key, "title");
            let more: Vec<String> = [problem.reason, problem.hint].into_iter().flatten().collect();
            (problem.severity == Severity::Error, format!("{}; {}", problem.message, more.join("; ")))
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn what_can_never_be_rendered_is_an_error_with_the_words_of_the_template() {
        for (template, words) in [
            ("{{ alert.name", "syntax error"),
            ("a\n{% for alert in alerts %}", "syntax error"),
            ("{{ alert.name | shout }}", "unknown filter: filter shout is unknown"),
            ("{% if alert.name is loud %}x{% endif %}", "unknown test"),
            ("{{ page() }}", "unknown function"),
            ("{% for alert in alerts if alert.ended_at %}{{ alert.duration | shout }}{% endfor %}", "unknown filter"),
            ("{% include 'x' %}", "syntax error"),
        ] {
            let found = told(template);
            assert_eq!(found.len(), 1, "{template}: {found:?}");
            let (is_error, text) = &found[0];
            assert!(*is_error && text.starts_with("the template `config.title` cannot be used: "), "{template}: {text}");
            assert!(text.contains(words) && text.contains("mend it, or leave `title` out"), "{template}: {text}");
        }
        assert!(told("a\n{{ alert.name | shout }}")[0].1.contains("in its line 2"));
    }

    #[test]
    fn a_name_that_no_alert_has_is_a_warning_with_what_was_meant() {
        let found = told("{{ alert.sumary }}");
        assert_eq!(
            found,
            [(
                false,
                "the template `config.title` names `alert.sumary`, which no alert has; it stays empty; did you mean `alert.summary`?"
                    .to_owned()
            )]
        );
        let found = told("{{ anything_else }}");
        assert!(!found[0].0 && found[0].1.contains("there are `alert`"), "{found:?}");
    }

    #[test]
    fn what_is_right_is_told_nothing() {
        for template in [
            "",
            "{{ level | upper }} {{ alert.name }}{% if alert.labels.region %} in {{ alert.labels.region }}{% endif %}",
            "{% for one in alerts %}{{ one.name }}{% if not loop.last %}, {% endif %}{% endfor %}{% if more %} and {{ more }}{% endif %}",
            "{% set who = labels.team or 'nobody' %}{{ who }} {{ group_labels.service }} {{ alert.annotations.runbook }}",
            "{% if more %}{% set tail = more %}{% endif %}{{ tail }}",
            "{% for number in range(3) %}{{ number }}{% endfor %}",
            "{% for found in alert.evidence %}{{ found.actual }}{% endfor %} {{ alerts[0].summary }} {{ counts.firing }}",
        ] {
            let found = told(template);
            assert!(found.is_empty(), "{template}: {found:?}");
        }
    }

    #[test]
    fn what_never_ends_or_is_too_long_is_ended() {
        for template in
            ["{% for a in range(9999) %}{% for b in range(9999) %}{% set c = b %}{% endfor %}{% endfor %}", "{{ 'x' * 2000000 }}"]
        {
            let found = told(template);
            assert!(found.len() == 1 && !found[0].0 && found[0].1.contains("fails for some alerts"), "{template}: {found:?}");
        }
    }

    #[test]
    fn only_a_text_that_the_plugin_marks_is_a_template() {
        assert!(problems(&json!({ "url": "{{ x |" }), &schema()).is_empty());
        assert!(problems(&json!({ "title": 7 }), &schema()).is_empty());
        assert!(problems(&json!({ "title": "{{ x |" }), &json!(true)).is_empty());
    }
}
