//! Whether a file has the right shape: known keys, right types, nothing missing.
//!
//! serde stops at the first mistake. So the parsed tree is walked along the JSON Schema that is derived from the serde types
//! (`text.rs`), every mistake is noted, and what is wrong is taken out: an unknown key, a value of a wrong type, a table that
//! lacks a required key. What is left deserialises, and the values of all the rest can be judged in the same pass.
//!
//! Tables are named by their path in the schema: `` (the root), `check`, `check.grants`, `plugin.*.limits`, `route.routes.routes`.
//!
//! Invariant: what `fit` returns has the shape of `FileText`.

use std::borrow::Cow;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

use super::diagnostic::{Findings, Problem, listed, sentence, shown};
use super::later;
use super::place::{Source, Span};
use super::suggest;

/// What a file may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileRole {
    /// The file that the command line names.
    Main,
    /// One of `checks.d`: checks and nothing else.
    Checks,
}

/// `root` without its mistakes, which are noted.
pub(super) fn fit<'i>(root: DeTable<'i>, role: FileRole, schema: &Value, source: &Source, findings: &mut Findings) -> Spanned<DeValue<'i>> {
    let mut walk = Walk { role, root: schema, source, findings };
    let fitting = walk.table(root, 0..0, schema, "").unwrap_or_default();
    Spanned::new(0..0, DeValue::Table(fitting))
}

struct Walk<'a> {
    role: FileRole,
    /// The whole schema, in which references are looked up.
    root: &'a Value,
    source: &'a Source,
    findings: &'a mut Findings,
}

type Range = std::ops::Range<usize>;

impl Walk<'_> {
    /// `key` is how the value is called in messages.
    fn value<'i>(&mut self, value: Spanned<DeValue<'i>>, schema: &Value, path: &str, key: &str) -> Option<Spanned<DeValue<'i>>> {
        let span = value.span();
        let schema = referred(self.root, schema);
        if !accepts(schema, value.get_ref()) {
            self.note(&span, wrong_type(schema, value.get_ref(), path, key));
            return None;
        }
        let fitting = match value.into_inner() {
            DeValue::Table(table) => DeValue::Table(self.table(table, span.clone(), schema, path)?),
            DeValue::Array(array) => DeValue::Array(self.array(array, schema, path, key)),
            scalar => self.scalar(scalar, &span, key)?,
        };
        Some(Spanned::new(span, fitting))
    }

    fn table<'i>(&mut self, table: DeTable<'i>, span: Range, schema: &Value, path: &str) -> Option<DeTable<'i>> {
        let mut fitting = DeTable::new();
        let mut written = Vec::new();
        for (key, value) in table {
            written.push(key.get_ref().to_string());
            let Some((inner, inner_path)) = self.schema_of(&key, schema, path) else { continue };
            let called = key.get_ref().to_string();
            if let Some(value) = self.value(value, inner, &inner_path, &called) {
                fitting.insert(key, value);
            }
        }
        self.has_required(&written, &fitting, span, schema, path).then_some(fitting)
    }

    /// The schema of a key and the path of what it holds; a key that is not known is noted.
    fn schema_of<'s>(&mut self, key: &Spanned<DeString<'_>>, schema: &'s Value, path: &str) -> Option<(&'s Value, String)> {
        /// For tables whose keys belong to a plugin.
        static ANYTHING: Value = Value::Bool(true);
        let name: &str = key.get_ref();
        let inner_path = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(inner) = schema.get("properties").and_then(|properties| properties.get(name)) {
            if path.is_empty() && self.role == FileRole::Checks && name != "check" {
                self.note(&key.span(), misplaced(name));
                return None;
            }
            return Some((inner, inner_path(name)));
        }
        match schema.get("additionalProperties") {
            None | Some(Value::Bool(true)) => return Some((&ANYTHING, inner_path("*"))),
            Some(inner @ Value::Object(_)) => return Some((inner, inner_path("*"))),
            Some(_) => {}
        }
        let problem = later::key(path, name).unwrap_or_else(|| unknown_key(name, schema, path, self.role));
        self.note(&key.span(), problem);
        None
    }

    /// Whether nothing is missing. A key that was written but did not fit has been noted already.
    fn has_required(&mut self, written: &[String], fitting: &DeTable<'_>, span: Range, schema: &Value, path: &str) -> bool {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut missing: Vec<&str> = required.filter(|key| fitting.get(*key).is_none()).collect();
        // A push check has neither, and a composite need not.
        if path == "check" && !written.iter().any(|key| key == "push" || key == "composite") {
            if fitting.get("plugin").is_none() {
                missing.push("plugin");
            }
            if fitting.get("every").is_none() && fitting.get("cron").is_none() {
                missing.push("every");
            }
        }
        for key in &missing {
            if !written.iter().any(|written| stands_for(written, key, schema)) {
                self.note(&span, missing_key(key, schema, path));
            }
        }
        missing.is_empty()
    }

    fn array<'i>(&mut self, array: DeArray<'i>, schema: &Value, path: &str, key: &str) -> DeArray<'i> {
        static ANYTHING: Value = Value::Bool(true);
        let items = schema.get("items").unwrap_or(&ANYTHING);
        array.into_iter().filter_map(|item| self.value(item, items, path, key)).collect()
    }

    /// A value that JSON cannot hold is noted; a date becomes text.
    fn scalar<'i>(&mut self, value: DeValue<'i>, span: &Range, key: &str) -> Option<DeValue<'i>> {
        match value {
            DeValue::Integer(integer) if i64::from_str_radix(integer.as_str(), integer.radix()).is_err() => {
                let reason = "a whole number is at most 9223372036854775807";
                let problem = Problem::new(format!("`{}` is too large a number", shown(key))).reason(reason);
                self.note(span, problem.hint("write a smaller number, or a text where the plugin takes one"));
                None
            }
            DeValue::Float(float) if !float.as_str().parse::<f64>().is_ok_and(f64::is_finite) => {
                let problem = Problem::new(format!("`{}` is not a finite number", shown(key)));
                let problem = problem.reason("JSON, in which values are compared and handed on, has neither infinity nor NaN");
                self.note(span, problem.hint("write a number such as 1.5"));
                None
            }
            DeValue::Datetime(datetime) => Some(DeValue::String(Cow::Owned(datetime.to_string()))),
            other => Some(other),
        }
    }

    fn note(&mut self, span: &Range, problem: Problem) {
        self.findings.add(self.source, Span::from(span.clone()), problem);
    }
}

/// What a schema refers to; itself where it refers to nothing.
fn referred<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn accepts(schema: &Value, value: &DeValue<'_>) -> bool {
    let types = type_names(schema);
    types.is_empty() || types.iter().any(|name| has_type(value, name)) || (is_time(schema) && matches!(value, DeValue::Datetime(_)))
}

/// Whether a text is a time, which TOML also has without quotes.
fn is_time(schema: &Value) -> bool {
    schema.get("format").and_then(Value::as_str) == Some("date-time")
}

fn type_names(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn has_type(value: &DeValue<'_>, name: &str) -> bool {
    match value {
        DeValue::String(_) => name == "string",
        DeValue::Integer(_) => name == "integer" || name == "number",
        DeValue::Float(_) => name == "number",
        DeValue::Boolean(_) => name == "boolean",
        DeValue::Array(_) => name == "array",
        DeValue::Table(_) => name == "object",
        DeValue::Datetime(_) => false,
    }
}

/// A type of JSON Schema in the words of the messages.
pub(super) fn type_words(name: &str) -> &'static str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => "nothing",
    }
}

fn value_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn wrong_type(schema: &Value, value: &DeValue<'_>, path: &str, key: &str) -> Problem {
    let wanted: Vec<&str> = type_names(schema).into_iter().map(type_words).collect();
    let problem = Problem::new(format!("`{}` must be {}, not {}", shown(key), wanted.join(" or "), value_words(value)));
    let problem = problem.reason(type_reason(&wanted, value, path));
    if is_headed_list(path) {
        return problem.hint(format!("write the header with two brackets: [[{path}]]"));
    }
    if path == "route" && matches!(value, DeValue::Array(_)) {
        return problem.hint("write the header with one bracket: [route]; the routes below it are [[route.routes]]");
    }
    let single = matches!(value, DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_));
    if let Some(written) = grant_example(path).or_else(|| example_of_tables(path)) {
        return problem.hint(format!("for example: {written}"));
    }
    match (example(schema), wanted.as_slice()) {
        (Some(example), _) => problem.hint(format!("for example: {key} = {example}")),
        (None, wanted) if single && wanted.contains(&"a text") => problem.hint("put it in quotes"),
        (None, ["a table"]) => problem.hint(format!("write a table, for example: {} = {{ name = \"value\" }}", shown(key))),
        (None, _) => problem.hint(format!("write {}", wanted.join(" or "))),
    }
}

/// A grant of a capability whose grants are tables.
fn grant_example(path: &str) -> Option<&'static str> {
    Some(match path.strip_prefix("check.grants.").or_else(|| path.strip_prefix("sink.grants."))? {
        "files" => r#"files = [{ host = "/var/backups", guest = "/backups" }]"#,
        "postgres" => r#"postgres = [{ source = "main" }]"#,
        "redis" => r#"redis = [{ source = "cache", commands = ["LLEN"], keys = ["celery*"] }]"#,
        "secrets" => r#"secrets = [{ name = "api-token", to = ["https://api.example.com/*"] }]"#,
        _ => return None,
    })
}

/// A list of tables that mostly stands on one line.
fn example_of_tables(path: &str) -> Option<&'static str> {
    Some(match path.rsplit_once('.')? {
        (_, "escalate") => r#"escalate = [{ after = "15m", sinks = ["lead"] }]"#,
        ("time_interval", "times") => r#"times = [{ start = "09:00", end = "17:00" }]"#,
        _ => return None,
    })
}

/// Why a value of another kind is not taken.
fn type_reason(wanted: &[&str], value: &DeValue<'_>, path: &str) -> String {
    let is_wanted = |kind: &str| wanted.contains(&kind);
    match value {
        _ if is_headed_list(path) => "there may be several of them, and two brackets begin one more".to_owned(),
        DeValue::Array(_) if path == "route" => "there is one root, and every other route is below it".to_owned(),
        DeValue::Float(_) if is_wanted("a whole number") => "there is no part of one".to_owned(),
        _ if is_wanted("a list") => "there may be several, so brackets stand round it, also where it is one alone".to_owned(),
        DeValue::String(_) if is_wanted("a table") => "it has keys of its own, and a text has none".to_owned(),
        DeValue::String(_) => "what stands in quotes is a text, whatever it looks like".to_owned(),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) if is_wanted("a text") => {
            format!("without quotes it is {}, and nothing is guessed: a number alone has no unit", value_words(value))
        }
        DeValue::Array(_) => "there is one of it".to_owned(),
        _ => "nothing is guessed from a value of another kind".to_owned(),
    }
}

/// Lists of tables that have a header each; routes may be inside each other.
fn is_headed_list(path: &str) -> bool {
    matches!(path, "check" | "sink" | "slo" | "token" | "inhibit" | "time_interval" | "maintenance")
        || path.strip_prefix("route").is_some_and(is_below_routes)
}

/// `.routes`, as often as wanted.
fn is_below_routes(path: &str) -> bool {
    path.strip_prefix(".routes").is_some_and(|rest| rest.is_empty() || is_below_routes(rest))
}

/// The first example of a schema, as TOML.
fn example(schema: &Value) -> Option<String> {
    // Texts, numbers and lists of them are written in TOML as in JSON.
    schema.get("examples").and_then(|examples| examples.get(0)).map(Value::to_string)
}

fn unknown_key(key: &str, schema: &Value, path: &str, role: FileRole) -> Problem {
    let known = if path.is_empty() && role == FileRole::Checks { vec!["check"] } else { known_keys(schema) };
    let problem = Problem::new(format!("unknown key `{}` in {}", shown(key), table_words(path, role)));
    let problem = problem.reason(format!("the keys here are {}", listed(known.iter().copied())));
    match suggest::nearest(key, &known) {
        // What a denial prints is a line of `grants`.
        _ if matches!(path, "check" | "sink") && matches!(key, "http" | "system" | "files" | "net") => {
            problem.hint(format!("write `grants = {{ {key} = [...] }}`"))
        }
        _ if path.is_empty() && key == "listen" => problem.hint("it belongs under `[server]`"),
        _ if path == "route" && matches!(key, "match" | "continue" | "mute_times" | "active_times") => {
            problem.hint("the root takes what no other route does, at all times; write it in a `[[route.routes]]`")
        }
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None if matches!(path, "check" | "sink") => problem.hint("what is for the plugin belongs in `config`; remove the key otherwise"),
        None => problem.hint("remove it"),
    }
}

/// Whether who wrote `written` does not lack `key`: it is the key, a slip for it, or refused in its place.
fn stands_for(written: &str, key: &str, schema: &Value) -> bool {
    let known = known_keys(schema);
    let slip = || !known.contains(&written) && suggest::nearest(written, &known) == Some(key);
    written == key || (key, written) == ("every", "cron") || slip()
}

/// Sorted, so that messages do not depend on how JSON objects are kept.
pub(super) fn known_keys(schema: &Value) -> Vec<&str> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let mut known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    known.sort_unstable();
    known
}

fn missing_key(key: &str, schema: &Value, path: &str) -> Problem {
    let property = schema.get("properties").and_then(|properties| properties.get(key));
    let problem = Problem::new(format!("missing key `{key}` in {}", table_words(path, FileRole::Main)));
    let problem = problem.reason(match property.and_then(purpose) {
        Some(purpose) => format!("it has no default ({purpose})"),
        None => "it has no default".to_owned(),
    });
    match property.and_then(example) {
        Some(example) => problem.hint(format!("add a line such as: {key} = {example}")),
        None => problem.hint("add it"),
    }
}

/// What a key is for: the first sentence of its description.
fn purpose(schema: &Value) -> Option<String> {
    let described = schema.get("description")?.as_str()?;
    let first = described.split(". ").next()?.trim_end_matches('.');
    Some(sentence(first))
}

fn misplaced(key: &str) -> Problem {
    let written = if matches!(key, "sink" | "token") { format!("[[{key}]]") } else { format!("[{key}]") };
    Problem::new(format!("`{written}` does not belong in a file of `checks.d`"))
        .reason("these files hold `[[check]]` and nothing else")
        .hint("move it to the main file")
}

/// How a person calls a table.
fn table_words(path: &str, role: FileRole) -> String {
    match (path, role) {
        ("", FileRole::Main) => "the file".to_owned(),
        ("", FileRole::Checks) => "a file of `checks.d`".to_owned(),
        ("plugin.*" | "sources.postgres.*" | "sources.redis.*" | "secrets.*", _) => format!("`[{}NAME]`", path.trim_end_matches('*')),
        ("route.unknown", _) => "`[route.unknown]`".to_owned(),
        (path, _) if is_headed_list(path) => format!("`[[{path}]]`"),
        (path, _) => match path.rsplit_once('.') {
            Some((_, last)) => format!("`{last}`"),
            None => format!("`[{path}]`"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Diagnostic;
    use crate::config::text::{ChildRouteText, FileText, Placed, schema};
    use serde::Deserialize;
    use std::path::PathBuf;
    use toml::de::ValueDeserializer;

    fn judged(text: &str) -> (FileText, Vec<Diagnostic>) {
        let source = Source::new(PathBuf::from("sickbay.toml"), text.to_owned());
        let mut findings = Findings::default();
        let root = DeTable::parse(source.text()).expect("the text is TOML").into_inner();
        let tree = fit(root, FileRole::Main, schema(), &source, &mut findings);
        let file = FileText::deserialize(ValueDeserializer::from(tree)).expect("what fits deserialises");
        (file, findings.into_result().unwrap_or_else(|errors| errors.errors))
    }

    fn messages(text: &str) -> Vec<String> {
        judged(text).1.into_iter().map(|diagnostic| diagnostic.message).collect()
    }

    const CHECK: &str = "[[check]]\nname = \"a\"\nplugin = \"b\"\nevery = \"1s\"\n";

    #[test]
    fn all_mistakes_are_found_and_the_rest_is_kept() {
        let text = format!(
            "frob = 1\n[server]\nlisten = 9470\n{CHECK}{CHECK}intervall = \"2s\"\ncritical = [1, \"true\"]\n[[check]]\nname = \"c\"\n"
        );
        let (file, found) = judged(&text);
        let messages: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "unknown key `frob` in the file",
                "`listen` must be a text, not a whole number",
                "unknown key `intervall` in `[[check]]`",
                "`critical` must be a text or a table, not a whole number",
                "missing key `plugin` in `[[check]]`",
                "missing key `every` in `[[check]]`",
            ]
        );
        assert_eq!(file.check.len(), 2);
        assert_eq!(file.check.last().map(|check| check.value().critical.len()), Some(1));
    }

    #[test]
    fn a_key_of_a_later_version_is_not_called_unknown() {
        let text = format!("[[recovery]]\nname = \"x\"\n{CHECK}");
        assert_eq!(messages(&text), ["`[[recovery]]` is known, but not yet built in this version"]);
    }

    #[test]
    fn a_short_form_or_a_table_fits_and_the_table_is_judged() {
        let text = format!(
            "{CHECK}warning = [{{ when = \"true\", for = \"5m\" }}, {{ when = \"true\", fro = \"5m\" }}]\nflapping = 1\n\
             depends_on = [\"a\", {{ any = [\"b\", 1], min = 2 }}, {{ min = 1 }}]\n"
        );
        let (file, found) = judged(&text);
        let messages: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "unknown key `fro` in `warning`",
                "`flapping` must be true or false or a table, not a whole number",
                "`any` must be a text, not a whole number",
                "missing key `any` in `depends_on`",
            ]
        );
        let check = file.check.first().map(Placed::value).expect("there is one check");
        assert_eq!((check.warning.len(), check.depends_on.len()), (1, 2));
    }

    #[test]
    fn who_writes_cron_is_not_told_that_every_is_missing() {
        let text = |cron: &str| format!("[[check]]\nname = \"a\"\nplugin = \"b\"\ncron = {cron}\n");
        assert!(messages(&text("\"0 2 * * *\"")).is_empty());
        assert_eq!(messages(&text("2")), ["`cron` must be a text, not a whole number"]);
    }

    #[test]
    fn who_writes_interval_is_told_of_every_once() {
        let text = "[[check]]\nname = \"a\"\nplugin = \"b\"\ninterval = \"10s\"\n";
        assert_eq!(messages(text), ["unknown key `interval` in `[[check]]`"]);
    }

    #[test]
    fn a_plugin_may_have_any_name_as_far_as_the_shape_goes_and_no_unknown_key() {
        assert_eq!(messages("[plugin.\"my own\"]\nownr = \"me\"\n"), ["unknown key `ownr` in `[plugin.NAME]`"]);
    }

    #[test]
    fn the_table_of_the_plugin_holds_what_it_likes_as_long_as_json_can() {
        let text = format!("{CHECK}config = {{ since = 1979-05-27, deep = [{{ x = 1.5 }}], bad = nan, huge = 99999999999999999999 }}\n");
        assert_eq!(messages(&text), ["`bad` is not a finite number", "`huge` is too large a number"]);
    }

    #[test]
    fn routes_inside_each_other_are_judged_like_any_table() {
        let text = format!(
            "[route]\ngroup_wait = 30\n[[route.routes]]\nreciever = \"x\"\n[[route.routes.routes]]\nsinks = \"a\"\n[[route.routes.routes.routes]]\n\
             match = [\"a=1\"]\nescalate = {{}}\n{CHECK}"
        );
        assert_eq!(
            messages(&text),
            [
                "`group_wait` must be a text, not a whole number",
                "unknown key `reciever` in `[[route.routes]]`",
                "`sinks` must be a list, not a text",
                "`escalate` must be a list, not a table",
            ]
        );
        let (file, _) = judged(&text);
        let routes = |route: &ChildRouteText| route.routes.len();
        let deepest = file.route.as_ref().and_then(|root| root.value().routes.first()).and_then(|first| first.value().routes.first());
        assert_eq!(deepest.map(|route| routes(route.value())), Some(1));
    }

    #[test]
    fn a_time_needs_no_quotes_where_a_time_is_meant() {
        let window =
            |start: &str| format!("[[maintenance]]\nname = \"a\"\nmatch = []\nstart = {start}\nend = 2027-01-02T00:00:00Z\n{CHECK}");
        assert!(messages(&window("2027-01-01T00:00:00Z")).is_empty());
        assert_eq!(messages(&window("7")), ["`start` must be a text, not a whole number"]);
        assert_eq!(messages(&format!("{CHECK}kind = 2027-01-01\n")), ["`kind` must be a text, not a date"]);
    }

    #[test]
    fn one_bracket_too_few_is_explained() {
        let (_, found) = judged("[check]\nname = \"a\"\n");
        assert_eq!(found.first().and_then(|diagnostic| diagnostic.hint.as_deref()), Some("write the header with two brackets: [[check]]"));
        let (_, found) = judged("[route.routes]\nsinks = []\n");
        assert_eq!(
            found.first().and_then(|diagnostic| diagnostic.hint.as_deref()),
            Some("write the header with two brackets: [[route.routes]]")
        );
    }
}
