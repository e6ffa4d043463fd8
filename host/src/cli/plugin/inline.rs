//! JSON as TOML on one line, fit to be pasted and for a terminal.
//!
//! Invariant: a text of a guest stays one text: what could end it, or act on a terminal, is written as TOML's escapes.

use std::fmt::Write as _;

use serde_json::Value;

use crate::escape::is_unfit;

/// None for `null`, which TOML does not have; in tables and lists it is left out.
pub(super) fn inline(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().filter_map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let pairs: Vec<String> =
                members.iter().filter_map(|(name, value)| Some(format!("{} = {}", key(name), inline(value)?))).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
    })
}

/// A key, bare where TOML takes it so.
pub(super) fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_bare { name.to_owned() } else { quoted(name) }
}

pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            _ if is_unfit(character) => {
                // Writing to a string cannot fail, and none of these needs more than four digits.
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_back_out_of_its_toml() {
        let value = json!({
            "text": "a \"b\" \\ \n\t\u{7f}\u{202e}\u{1b} é 🦀", "number": 1.5, "whole": -3, "yes": true, "list": [1, "x", {}],
            "odd key": { "inner": [] }, "": "nameless",
        });
        let line = format!("value = {}", inline(&value).expect("it is not null"));
        assert!(!line.contains(is_unfit), "{line}");
        let table: toml::Table = line.parse().unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_value(&table["value"]).expect("JSON"), value);
    }

    #[test]
    fn what_toml_does_not_have_is_left_out() {
        assert_eq!(inline(&json!(null)), None);
        assert_eq!(inline(&json!({ "a": null, "b": [null, 1] })).as_deref(), Some("{ b = [1] }"));
        assert_eq!(inline(&json!({})).as_deref(), Some("{}"));
    }
}
