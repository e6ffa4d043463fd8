//! What breaks a plugin's JSON Schema, in the words of the other messages of the configuration.
//!
//! A value that may have one of several forms (`anyOf`, `oneOf`) is told the forms; one that has a form and a mistake inside it is told
//! the mistake. What the plugin says of a key (`description`, `examples`) is the hint.
//!
//! Limits: 8 forms are named, each in at most 200 characters; forms are followed 4 deep.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value;

use super::diagnostic::{Problem, listed, sentence, shown};
use super::free::escaped;
use super::needs::{with_scheme, without_query};
use super::shape::{known_keys, type_words};
use super::suggest;

/// Forms of one value that a message names.
const FORMS_MAX: usize = 8;
/// Forms inside forms.
const DEPTH_MAX: usize = 4;
/// Of one form that was meant; a wrong value seldom has more to say.
const INNER_ERRORS_MAX: usize = 10;

/// The hint where the plugin says nothing of a key.
const INSPECT: &str = "`sickbay inspect PLUGIN` shows what it takes";

/// Where in `config`, as a JSON pointer.
pub(super) enum Spot {
    Key(String),
    Value(String),
}

/// One violation; it may be several mistakes.
pub(super) fn problems(error: &ValidationError<'_>, schema: &Value) -> Vec<(Spot, Problem)> {
    problems_at(error, schema, 0)
}

fn problems_at(error: &ValidationError<'_>, schema: &Value, depth: usize) -> Vec<(Spot, Problem)> {
    let pointer = error.instance_path().as_str();
    let here = || Spot::Value(pointer.to_owned());
    let name = dotted(pointer);
    let part = schema_at(error, schema);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = part.map(known_keys).unwrap_or_default();
            let spot = |key: &String| Spot::Key(format!("{pointer}/{}", escaped(key)));
            unexpected.iter().map(|key| (spot(key), unknown_key(key, &name, &known))).collect()
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let described =
                part.and_then(|part| part.pointer(&format!("/properties/{}/description", escaped(key)))).and_then(Value::as_str);
            let problem = Problem::new(format!("missing key `{}` in `{name}`", shown(key)));
            let problem = problem.hint(format!("add `{}` to `{name}`", shown(key)));
            vec![(here(), problem.reason(described.map_or_else(|| "the plugin's schema requires it".to_owned(), sentence)))]
        }
        ValidationErrorKind::Type { kind } => {
            let wanted: Vec<&str> = match kind {
                TypeKind::Single(wanted) => vec![type_words(wanted.as_str())],
                // TOML has no null.
                TypeKind::Multiple(wanted) => {
                    let wanted = wanted.iter().filter(|wanted| wanted.as_str() != "null");
                    wanted.map(|wanted| type_words(wanted.as_str())).collect()
                }
            };
            let message = format!("`{name}` must be {}, not {}", wanted.join(" or "), value_words(error.instance()));
            vec![(here(), explained(Problem::new(message).reason("the plugin's schema wants it so"), part))]
        }
        ValidationErrorKind::Enum { options } => vec![(here(), unknown_word(&name, error.instance(), options))],
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => match meant(context, pointer) {
            Some(inner) if depth < DEPTH_MAX => {
                inner.iter().take(INNER_ERRORS_MAX).flat_map(|error| problems_at(error, schema, depth + 1)).collect()
            }
            _ => vec![(here(), explained(no_form(&name, error, part, schema), part))],
        },
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            let problem = Problem::new(format!("`{name}` has more than one of its forms"));
            let forms = forms_of(part, schema);
            vec![(
                here(),
                problem.reason(format!("it must be one of: {}", forms.join(", "))).hint("leave out what belongs to the other form"),
            )]
        }
        ValidationErrorKind::Pattern { pattern } if pattern.contains("://") || pattern.contains("http") => {
            vec![(here(), no_scheme(&name, error.instance()).unwrap_or_else(|| unfit(&name, error, part)))]
        }
        _ => vec![(here(), unfit(&name, error, part))],
    }
}

/// For what has no words of its own.
fn unfit(name: &str, error: &ValidationError<'_>, part: Option<&Value>) -> Problem {
    let reason = shown(&error.masked_with("it").to_string());
    explained(Problem::new(format!("`{name}` does not fit the plugin's schema")).reason(reason), part)
}

/// A text that the schema wants to be a URL.
fn no_scheme(name: &str, value: &Value) -> Option<Problem> {
    let meant = with_scheme(value.as_str()?)?;
    let problem = Problem::new(format!("`{name}` has no scheme")).reason("a URL begins with `http://` or `https://`");
    Some(problem.hint(format!("did you mean \"{}\"?", without_query(&meant))))
}

/// What the plugin says of the key is the hint.
fn explained(problem: Problem, part: Option<&Value>) -> Problem {
    let described = part.and_then(|part| part.get("description")).and_then(Value::as_str).map(sentence);
    let example = part.and_then(example);
    match (described, example) {
        (Some(text), Some(example)) => problem.hint(format!("{}; for example {example}", text.trim_end_matches('.'))),
        (Some(text), None) => problem.hint(text),
        (None, Some(example)) => problem.hint(format!("for example {example}")),
        (None, None) => problem.hint(INSPECT),
    }
}

/// The first example of a schema; numbers, texts and lists of them are written in TOML as in JSON.
fn example(part: &Value) -> Option<String> {
    let example = part.get("examples")?.get(0)?;
    let is_plain = !example.is_null() && !example.is_object();
    is_plain.then(|| shown(&example.to_string()))
}

fn unknown_key(key: &str, table: &str, known: &[&str]) -> Problem {
    let problem = Problem::new(format!("unknown key `{}` in `{table}`", shown(key)));
    let problem = problem.reason(match known {
        [] => "the plugin's schema has no keys here".to_owned(),
        known => format!("the keys here are {}", listed(known.iter().copied())),
    });
    match suggest::nearest(key, known) {
        Some(meant) => problem.hint(format!("did you mean `{}`?", shown(meant))),
        None => problem.hint("remove it"),
    }
}

fn unknown_word(name: &str, written: &Value, options: &Value) -> Problem {
    let options: Vec<String> = options.as_array().into_iter().flatten().filter(|option| !option.is_null()).map(word).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let problem = Problem::new(format!("`{name}` has a value that the plugin does not know"));
    let known = listed(options.iter().copied());
    let nearest = written.as_str().and_then(|written| {
        let same = options.iter().copied().find(|option| option.eq_ignore_ascii_case(written));
        same.or_else(|| suggest::nearest(written, &options))
    });
    match nearest {
        Some(meant) => problem.reason(format!("it knows {known}")).hint(format!("did you mean `{}`?", shown(meant))),
        None => problem.reason("the plugin's schema lists what it takes").hint(format!("write one of {known}")),
    }
}

fn word(option: &Value) -> String {
    option.as_str().map_or_else(|| option.to_string(), str::to_owned)
}

/// The one form that says nothing against the value as a whole: the mistakes are inside it.
fn meant<'a>(context: &'a [Vec<ValidationError<'static>>], pointer: &str) -> Option<&'a Vec<ValidationError<'static>>> {
    let is_inside = |error: &ValidationError<'static>| {
        let of_keys = matches!(
            error.kind(),
            ValidationErrorKind::AdditionalProperties { .. }
                | ValidationErrorKind::UnevaluatedProperties { .. }
                | ValidationErrorKind::Required { .. }
        );
        of_keys || error.instance_path().as_str() != pointer
    };
    let mut fitting = context.iter().filter(|form| !form.is_empty() && form.iter().all(is_inside));
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

fn no_form(name: &str, error: &ValidationError<'_>, part: Option<&Value>, schema: &Value) -> Problem {
    let forms = forms_of(part, schema);
    let Some((last, before)) = forms.split_last() else { return unfit(name, error, None) };
    let forms = if before.is_empty() { last.clone() } else { format!("{}, or {last}", before.join(", ")) };
    let problem = Problem::new(format!("`{name}` must be {forms}"));
    problem.reason(format!("{} is written there, and it is none of these", value_words(error.instance())))
}

/// The forms that a value may have, in words.
fn forms_of(part: Option<&Value>, root: &Value) -> Vec<String> {
    let mut forms = Vec::new();
    if let Some(part) = part {
        add_forms(part, root, 0, &mut forms);
    }
    if forms.len() > FORMS_MAX {
        forms.truncate(FORMS_MAX);
        forms.push("another form of its schema".to_owned());
    }
    forms
}

fn add_forms(part: &Value, root: &Value, depth: usize, forms: &mut Vec<String>) {
    let part = followed(part, root);
    let branches = ["anyOf", "oneOf"].iter().find_map(|keyword| part.get(keyword)).and_then(Value::as_array);
    if let Some(branches) = branches
        && depth < DEPTH_MAX
    {
        for branch in branches {
            add_forms(branch, root, depth + 1, forms);
        }
        return;
    }
    for form in form(part) {
        if forms.len() <= FORMS_MAX && !forms.contains(&form) {
            forms.push(form);
        }
    }
}

/// What a local reference leads to.
fn followed<'s>(part: &'s Value, root: &'s Value) -> &'s Value {
    let target = part.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(part)
}

/// One form, by its title, its words or its types; TOML has no null, so that is none.
fn form(part: &Value) -> Vec<String> {
    if let Some(title) = part.get("title").and_then(Value::as_str) {
        return vec![sentence(title)];
    }
    if let Some(only) = part.get("const") {
        return vec![format!("`{}`", shown(&word(only)))];
    }
    if let Some(options) = part.get("enum").and_then(Value::as_array) {
        let options: Vec<String> = options.iter().filter(|option| !option.is_null()).map(word).collect();
        return vec![sentence(&format!("one of {}", listed(options.iter().map(String::as_str))))];
    }
    let types: Vec<&str> = match part.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    types.into_iter().filter(|name| *name != "null").map(|name| sentence(&typed(name, part))).collect()
}

fn typed(name: &str, part: &Value) -> String {
    let words = type_words(name);
    match name {
        "string" => match (example(part), part.get("pattern").and_then(Value::as_str)) {
            (Some(example), _) => format!("{words} such as {example}"),
            (None, Some(pattern)) => format!("{words} that matches `{}`", shown(pattern)),
            (None, None) => words.to_owned(),
        },
        "integer" | "number" => match (part.get("minimum"), part.get("maximum")) {
            (Some(least), Some(most)) => format!("{words} from {least} to {most}"),
            (Some(least), None) => format!("{words} of at least {least}"),
            (None, Some(most)) => format!("{words} of at most {most}"),
            (None, None) => words.to_owned(),
        },
        "object" => {
            let required: Vec<&str> =
                part.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            if required.is_empty() { words.to_owned() } else { format!("{words} with {}", listed(required)) }
        }
        _ => words.to_owned(),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `place: message; reason; hint` of every mistake of `value`.
    fn told(schema: Value, value: &Value) -> Vec<String> {
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let found = validator.iter_errors(value).flat_map(|error| problems(&error, &schema)).collect::<Vec<_>>();
        let line = |(spot, problem): (Spot, Problem)| {
            let (Spot::Key(place) | Spot::Value(place)) = spot;
            let more: Vec<String> = [problem.reason, problem.hint].into_iter().flatten().collect();
            format!("{place}: {}; {}", problem.message, more.join("; "))
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn nothing_is_no_value_that_a_person_could_write() {
        let schema = json!({ "properties": { "mode": { "enum": ["read", "write", null] }, "name": { "type": ["string", "null"] } } });
        assert_eq!(
            told(schema.clone(), &json!({ "mode": "xyz" })),
            [
                "/mode: `config.mode` has a value that the plugin does not know; the plugin's schema lists what it takes; write one of `read`, `write`"
            ]
        );
        assert_eq!(
            told(schema, &json!({ "name": 7 })),
            [format!("/name: `config.name` must be a text, not a whole number; the plugin's schema wants it so; {INSPECT}")]
        );
    }

    /// As the plugin `http` describes the statuses that it expects.
    fn statuses() -> Value {
        let number = json!({ "type": "integer", "minimum": 100, "maximum": 599 });
        let text = json!({ "type": "string", "pattern": "^[1-5]([0-9][0-9]|xx)$" });
        let list = json!({ "type": "array", "minItems": 1, "items": { "anyOf": [number, text] } });
        json!({ "properties": { "expect": {
            "description": "Statuses that are well: a number, a class such as \"2xx\", or a list of both.",
            "anyOf": [number, text, list]
        } } })
    }

    #[test]
    fn a_value_in_none_of_its_forms_is_told_the_forms() {
        let forms = "a whole number from 100 to 599, a text that matches `^[1-5]([0-9][0-9]|xx)$`, or a list";
        let hint = "Statuses that are well: a number, a class such as \"2xx\", or a list of both.";
        for (value, words) in [(json!("ok"), "a text"), (json!(true), "true or false"), (json!(99), "a whole number")] {
            let expected = format!("/expect: `config.expect` must be {forms}; {words} is written there, and it is none of these; {hint}");
            assert_eq!(told(statuses(), &json!({ "expect": value })), [expected]);
        }
    }

    #[test]
    fn a_mistake_inside_the_form_that_was_meant_is_told_where_it_is() {
        let found = told(statuses(), &json!({ "expect": [200, "ok"] }));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("/expect/1: `config.expect.1` must be a whole number from 100 to 599, or a text"), "{found:?}");
        let either = json!({ "oneOf": [
            { "type": "object", "additionalProperties": false, "required": ["file"], "properties": { "file": {} } },
            { "type": "string" }
        ] });
        let found = told(json!({ "properties": { "from": either } }), &json!({ "from": { "file": 1, "fiel": 2 } }));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("/from/fiel: unknown key `fiel` in `config.from`") && found[0].contains("did you mean `file`"),
            "{found:?}"
        );
    }

    #[test]
    fn an_optional_form_is_no_choice_and_many_forms_are_bounded() {
        let optional = json!({ "properties": { "port": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } } });
        assert_eq!(
            told(optional, &json!({ "port": "x" })),
            [format!("/port: `config.port` must be a whole number; a text is written there, and it is none of these; {INSPECT}")]
        );
        let many: Vec<Value> = (0..50).map(|number| json!({ "const": format!("word-{number}") })).collect();
        let found = told(json!({ "properties": { "word": { "anyOf": many } } }), &json!({ "word": "x" }));
        assert!(found[0].contains("`word-7`, or another form of its schema") && !found[0].contains("word-8"), "{found:?}");
    }

    #[test]
    fn forms_behind_a_reference_and_with_a_title_are_named() {
        let schema = json!({
            "properties": { "to": { "anyOf": [{ "$ref": "#/$defs/host" }, { "title": "a port of this machine", "type": "integer" }] } },
            "$defs": { "host": { "type": "string", "minLength": 3, "examples": ["db.internal"] } }
        });
        assert_eq!(
            told(schema, &json!({ "to": [] })),
            [format!(
                "/to: `config.to` must be a text such as \"db.internal\", or a port of this machine; a list is written there, and it is none \
                 of these; {INSPECT}"
            )]
        );
    }

    #[test]
    fn a_url_without_its_scheme_is_told_the_whole_url() {
        let schema = json!({ "properties": { "url": { "type": "string", "pattern": "^https?://" } } });
        let found = told(schema.clone(), &json!({ "url": "example.com/health" }));
        assert_eq!(
            found,
            ["/url: `config.url` has no scheme; a URL begins with `http://` or `https://`; did you mean \"https://example.com/health\"?"]
        );
        let found = told(schema, &json!({ "url": "ftp://example.com" }));
        assert!(found[0].starts_with("/url: `config.url` does not fit"), "{found:?}");
    }

    #[test]
    fn what_the_plugin_says_of_a_key_is_the_hint() {
        let schema = json!({ "properties": {
            "port": { "type": "integer", "minimum": 1, "description": "Where it listens.", "examples": [5432] },
            "mode": { "enum": ["read", "write"] }
        } });
        assert_eq!(
            told(schema.clone(), &json!({ "port": 0 })),
            ["/port: `config.port` does not fit the plugin's schema; it is less than the minimum of 1; Where it listens; for example 5432"]
        );
        assert_eq!(
            told(schema, &json!({ "mode": "Read" })),
            ["/mode: `config.mode` has a value that the plugin does not know; it knows `read`, `write`; did you mean `read`?"]
        );
    }
}
