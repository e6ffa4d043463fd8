//! How large a JSON Schema is once its references are followed: a plugin wrote it, and a schema of a few kilobytes in which each definition
//! names the one before it twice takes for ever to walk.

use std::collections::HashMap;

use serde_json::Value;

/// Nodes that a schema may come to, each reference counted as what it leads to.
const NODES_MAX: u64 = 50_000;

/// Whether `schema` can be walked in reasonable time; the reason where it cannot.
pub(super) fn refuse_heavy(schema: &Value) -> Result<(), String> {
    let nodes = Weigher { root: schema, known: HashMap::new() }.weigh(schema)?;
    if nodes > NODES_MAX { Err(format!("with its references followed it has more than {NODES_MAX} nodes")) } else { Ok(()) }
}

struct Weigher<'a> {
    root: &'a Value,
    /// What each reference comes to; none while it is being followed.
    known: HashMap<&'a str, Option<u64>>,
}

impl<'a> Weigher<'a> {
    fn weigh(&mut self, node: &'a Value) -> Result<u64, String> {
        let mut nodes: u64 = 1;
        match node {
            Value::Object(members) => {
                for (name, member) in members {
                    nodes = nodes.saturating_add(match (name.as_str(), member) {
                        ("$ref", Value::String(target)) => self.follow(target)?,
                        ("$dynamicRef" | "$recursiveRef", Value::String(_)) => return Err(format!("it uses `{name}`; `$ref` is enough")),
                        // Definitions count where they are referred to.
                        ("$defs" | "definitions", _) => 0,
                        (_, member) => self.weigh(member)?,
                    });
                }
            }
            Value::Array(items) => {
                for item in items {
                    nodes = nodes.saturating_add(self.weigh(item)?);
                }
            }
            _ => {}
        }
        Ok(nodes)
    }

    fn follow(&mut self, target: &'a str) -> Result<u64, String> {
        match self.known.get(target) {
            Some(Some(nodes)) => return Ok(*nodes),
            // A circle goes on only as deep as the configuration does.
            Some(None) => return Ok(1),
            None => {}
        }
        let pointer = target.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let Some(node) = pointer.and_then(|pointer| self.root.pointer(pointer)) else {
            return Err(format!("its reference `{}` leads nowhere; write `#/$defs/NAME`", super::diagnostic::shown(target)));
        };
        self.known.insert(target, None);
        let nodes = self.weigh(node)?;
        self.known.insert(target, Some(nodes));
        Ok(nodes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_whose_definitions_double_is_refused_at_once() {
        let mut definitions = serde_json::Map::new();
        definitions.insert("a0".to_owned(), json!({ "type": "object" }));
        for level in 1..=40 {
            let below = json!({ "$ref": format!("#/$defs/a{}", level - 1) });
            definitions.insert(format!("a{level}"), json!({ "allOf": [below, below] }));
        }
        let schema = json!({ "$ref": "#/$defs/a40", "$defs": definitions });
        assert!(refuse_heavy(&schema).unwrap_err().contains("nodes"));
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_walked_once() {
        let tree = json!({ "type": "object", "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" } } });
        assert_eq!(refuse_heavy(&tree), Ok(()));
        let named = json!({ "$ref": "#/$defs/node", "$defs": { "node": { "properties": { "next": { "$ref": "#/$defs/node" } } } } });
        assert_eq!(refuse_heavy(&named), Ok(()));
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_refused() {
        assert!(refuse_heavy(&json!({ "$ref": "#/$defs/none" })).is_err());
        assert!(refuse_heavy(&json!({ "$ref": "other.json" })).is_err());
        assert!(refuse_heavy(&json!({ "$dynamicRef": "#x" })).is_err());
    }
}
