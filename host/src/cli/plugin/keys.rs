//! The keys of a kind's `config`, read out of its JSON Schema.
//!
//! The schema is a guest's. Limits: [`KEYS_MAX`] keys, [`DEPTH_MAX`] tables inside each other, [`REFERENCES_MAX`] references in a row. What
//! is not understood is told as `any`; `-o json` has the whole schema.

use serde_json::{Map, Value};

use super::inline::{inline, key};

const KEYS_MAX: usize = 64;
const DEPTH_MAX: usize = 4;
const REFERENCES_MAX: usize = 8;
/// Types or values that are told of one key.
const CHOICES_MAX: usize = 6;

/// One key, not yet fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// `json[].pointer` is the key `pointer` in each table of the list `json`.
    pub name: String,
    pub type_words: String,
    /// As TOML; none where there is none.
    pub default: Option<String>,
    pub required: bool,
    pub meaning: String,
}

/// The keys, those that are required first, and whether there are more of them.
pub(super) fn keys(schema: &Value) -> (Vec<Key>, bool) {
    let mut reader = Reader { root: schema, keys: Vec::new(), left_out: false };
    reader.read_table(schema, "", 0);
    (reader.keys, reader.left_out)
}

struct Reader<'a> {
    root: &'a Value,
    keys: Vec<Key>,
    left_out: bool,
}

impl<'a> Reader<'a> {
    fn read_table(&mut self, schema: &'a Value, prefix: &str, depth: usize) {
        let Some(properties) = properties(schema) else { return };
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let is_required = |name: &str| required.contains(&name);
        let (first, rest): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| is_required(name));
        for (name, property) in first.into_iter().chain(rest) {
            if self.keys.len() == KEYS_MAX {
                self.left_out = true;
                return;
            }
            let meant = self.meant(property);
            let name_here = format!("{prefix}{}", key(name));
            self.keys.push(Key {
                name: name_here.clone(),
                type_words: self.type_words(meant, 0),
                default: property.get("default").or_else(|| meant.get("default")).and_then(inline),
                required: is_required(name),
                meaning: description(property).or_else(|| description(meant)).unwrap_or_default().to_owned(),
            });
            if depth + 1 < DEPTH_MAX {
                self.read_inside(meant, &name_here, depth + 1);
            }
        }
    }

    /// What stands in a table, or in each table of a list.
    fn read_inside(&mut self, schema: &'a Value, name: &str, depth: usize) {
        if properties(schema).is_some() {
            self.read_table(schema, &format!("{name}."), depth);
        } else if let Some(items) = schema.get("items") {
            self.read_table(self.meant(items), &format!("{name}[]."), depth);
        }
    }

    /// The schema behind references, and behind "this or nothing".
    fn meant(&self, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        for _ in 0..REFERENCES_MAX {
            let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| self.root.pointer(target.strip_prefix('#')?));
            schema = match (target, choices(schema)) {
                (Some(target), _) => target,
                (None, Some(choices)) => match choices.iter().filter(|choice| !is_nothing(choice)).collect::<Vec<_>>().as_slice() {
                    &[only] => only,
                    _ => break,
                },
                (None, None) => break,
            };
        }
        schema
    }

    fn type_words(&self, schema: &'a Value, depth: usize) -> String {
        if depth == DEPTH_MAX {
            return "any".to_owned();
        }
        if let Some(value) = schema.get("const").and_then(inline) {
            return value;
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return either(values.iter().filter_map(inline));
        }
        if let Some(choices) = choices(schema) {
            let meant = choices.iter().filter(|choice| !is_nothing(choice)).map(|choice| self.type_words(self.meant(choice), depth + 1));
            return either(meant);
        }
        let words = |name: &str| self.words_of(name, schema, depth);
        match schema.get("type") {
            Some(Value::String(name)) => words(name),
            Some(Value::Array(names)) => either(names.iter().filter_map(Value::as_str).filter(|name| *name != "null").map(words)),
            _ => (if properties(schema).is_some() { "table" } else { "any" }).to_owned(),
        }
    }

    fn words_of(&self, name: &str, schema: &'a Value, depth: usize) -> String {
        let each = |key: &str| {
            let inner = schema.get(key).filter(|inner| inner.is_object())?;
            Some(self.type_words(self.meant(inner), depth + 1)).filter(|words| words != "any")
        };
        match name {
            "string" => "text".to_owned(),
            "integer" => format!("whole number{}", range(schema)),
            "number" => format!("number{}", range(schema)),
            "boolean" => "true or false".to_owned(),
            "array" => each("items").map_or_else(|| "list".to_owned(), |words| format!("list of {words}")),
            "object" => each("additionalProperties").map_or_else(|| "table".to_owned(), |words| format!("table of {words}")),
            _ => "any".to_owned(),
        }
    }
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object).filter(|properties| !properties.is_empty())
}

fn description(schema: &Value) -> Option<&str> {
    schema.get("description").and_then(Value::as_str)
}

fn choices(schema: &Value) -> Option<&Vec<Value>> {
    ["anyOf", "oneOf"].iter().find_map(|key| schema.get(*key)).and_then(Value::as_array)
}

fn is_nothing(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

/// `a or b`, each once. No more of them are looked at than are told.
fn either(words: impl Iterator<Item = String>) -> String {
    let mut told: Vec<String> = Vec::new();
    for (index, words) in words.enumerate() {
        if index == CHOICES_MAX {
            told.push("...".to_owned());
            break;
        }
        if !told.contains(&words) {
            told.push(words);
        }
    }
    if told.is_empty() { "any".to_owned() } else { told.join(" or ") }
}

fn range(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: &Value) -> Vec<String> {
        let told = |key: Key| {
            let needed = if key.required { "!" } else { "" };
            format!("{}{needed}: {} = {}", key.name, key.type_words, key.default.unwrap_or_default())
        };
        keys(schema).0.into_iter().map(told).collect()
    }

    #[test]
    fn keys_are_told_with_type_default_and_whether_they_are_required() {
        let schema = json!({
            "properties": {
                "accept": { "type": "boolean", "default": false },
                "body": { "type": ["string", "null"], "default": null },
                "headers": { "type": "object", "additionalProperties": { "type": "string" }, "default": {} },
                "method": { "enum": ["GET", "HEAD"], "default": "GET" },
                "redirects": { "type": "integer", "minimum": 0, "maximum": 10, "default": 5 },
                "status": { "anyOf": [{ "type": "integer" }, { "type": "string" }, { "type": "array", "items": { "type": "string" } }] },
                "url": { "type": "string", "description": "Where to look." },
                "within": { "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "null" }] },
            },
            "required": ["url"],
        });
        assert_eq!(
            told(&schema),
            [
                "url!: text = ",
                "accept: true or false = false",
                "body: text = ",
                "headers: table of text = {}",
                "method: \"GET\" or \"HEAD\" = \"GET\"",
                "redirects: whole number, 0 to 10 = 5",
                "status: whole number or text or list of text = ",
                "within: number, at least 0 = ",
            ]
        );
        assert_eq!(keys(&schema).0[0].meaning, "Where to look.");
    }

    #[test]
    fn keys_inside_tables_and_lists_are_told_by_their_path() {
        let schema = json!({
            "properties": {
                "list": { "type": "array", "items": { "$ref": "#/$defs/item" } },
                "table": { "type": "object", "properties": { "odd key": { "type": "integer" } } },
            },
            "$defs": { "item": { "type": "object", "properties": { "pointer": { "type": "string" } }, "required": ["pointer"] } },
        });
        assert_eq!(
            told(&schema),
            ["list: list of table = ", "list[].pointer!: text = ", "table: table = ", "table.\"odd key\": whole number = "]
        );
    }

    #[test]
    fn a_hostile_schema_ends() {
        let itself = json!({ "$ref": "#" });
        let node = json!({ "properties": { "a": itself, "b": itself, "c": itself, "d": { "anyOf": [itself, itself] } } });
        let (found, more) = keys(&node);
        assert_eq!((found.len(), more), (KEYS_MAX, true));
        assert_eq!(found[0].type_words, "table");
        let choices: Vec<Value> = (0..100).map(|_| json!({ "$ref": "#/$defs/x" })).collect();
        let choosy = json!({ "properties": { "a": { "$ref": "#/$defs/x" } }, "$defs": { "x": { "anyOf": choices } } });
        assert!(told(&choosy)[0].starts_with("a: any or ..."), "{:?}", told(&choosy));
        let circle = json!({ "properties": { "a": { "$ref": "#/$defs/x" } }, "$defs": { "x": { "$ref": "#/$defs/x" } } });
        assert_eq!(told(&circle), ["a: any = "]);
        let wide: Map<String, Value> = (0..1000).map(|number| (format!("k{number:04}"), json!({}))).collect();
        let (found, more) = keys(&json!({ "properties": wide }));
        assert_eq!((found.len(), more), (KEYS_MAX, true));
        for schema in [json!(null), json!([]), json!(true), json!({ "properties": [] }), json!({ "properties": { "a": true } })] {
            assert!(keys(&schema).0.len() <= 1, "{schema}");
        }
    }
}
