//! Keys that hold a short form or a table: a condition, a parent, the thresholds of flapping.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::{DurationText, Placed};

/// A condition that counts at once, or one that has to hold for a while.
#[derive(Debug)]
pub(in crate::config) enum ConditionText {
    AtOnce(String),
    Lasting(LastingText),
}

/// `{ when = "...", for = "5m" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct LastingText {
    pub when: Placed<String>,
    #[serde(rename = "for")]
    pub duration: Placed<DurationText>,
}

/// One parent, or so many of a group.
#[derive(Debug)]
pub(in crate::config) enum ParentText {
    One(String),
    Group(GroupText),
}

/// `{ any = ["a", "b", "c"], min = 2 }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct GroupText {
    pub any: Placed<Vec<Placed<String>>>,
    pub min: Option<Placed<i64>>,
}

/// Whether flapping is looked for, or from when on.
#[derive(Debug)]
pub(in crate::config) enum FlappingText {
    Wanted(bool),
    Thresholds(ThresholdsText),
}

/// `{ start = 0.5, stop = 0.25 }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct ThresholdsText {
    pub start: Option<Placed<f64>>,
    pub stop: Option<Placed<f64>>,
}

impl From<String> for ConditionText {
    fn from(when: String) -> ConditionText {
        ConditionText::AtOnce(when)
    }
}

impl From<LastingText> for ConditionText {
    fn from(lasting: LastingText) -> ConditionText {
        ConditionText::Lasting(lasting)
    }
}

impl From<String> for ParentText {
    fn from(parent: String) -> ParentText {
        ParentText::One(parent)
    }
}

impl From<GroupText> for ParentText {
    fn from(group: GroupText) -> ParentText {
        ParentText::Group(group)
    }
}

impl<'de> Deserialize<'de> for ConditionText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ConditionText, D::Error> {
        deserializer.deserialize_any(TextOrTable::<ConditionText, LastingText>(PhantomData))
    }
}

impl<'de> Deserialize<'de> for ParentText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ParentText, D::Error> {
        deserializer.deserialize_any(TextOrTable::<ParentText, GroupText>(PhantomData))
    }
}

impl<'de> Deserialize<'de> for FlappingText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FlappingText, D::Error> {
        deserializer.deserialize_any(FlappingVisitor)
    }
}

struct TextOrTable<Value, Table>(PhantomData<(Value, Table)>);

impl<'de, Value, Table> Visitor<'de> for TextOrTable<Value, Table>
where
    Value: From<String> + From<Table>,
    Table: Deserialize<'de>,
{
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or a table")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(entries)).map(Value::from)
    }
}

struct FlappingVisitor;

impl<'de> Visitor<'de> for FlappingVisitor {
    type Value = FlappingText;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("true, false or a table")
    }

    fn visit_bool<E: de::Error>(self, wanted: bool) -> Result<FlappingText, E> {
        Ok(FlappingText::Wanted(wanted))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<FlappingText, A::Error> {
        ThresholdsText::deserialize(MapAccessDeserializer::new(entries)).map(FlappingText::Thresholds)
    }
}

impl JsonSchema for ConditionText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Condition")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "properties": {
                "when": { "type": "string", "description": "The condition.", "examples": ["report.metrics.latency_seconds > 0.2"] },
                "for": { "type": "string", "description": "How long it has to hold before it counts: 1s to 24h.", "examples": ["5m"] }
            },
            "required": ["when", "for"],
            "additionalProperties": false
        })
    }
}

impl JsonSchema for ParentText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Parent")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "object"],
            "properties": {
                "any": { "type": "array", "items": { "type": "string" }, "description": "The checks of the group.", "examples": [["db-1", "db-2"]] },
                "min": { "type": "integer", "minimum": 1, "description": "How many of them must not be hard critical. Default: 1.", "examples": [1] }
            },
            "required": ["any"],
            "additionalProperties": false
        })
    }
}

impl JsonSchema for FlappingText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Flapping")
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["boolean", "object"],
            "properties": {
                "start": { "type": "number", "description": "From this share on it flaps: 0.05 to 1. Default: 0.5.", "examples": [0.5] },
                "stop": { "type": "number", "description": "Below this share it flaps no more; less than `start`. Default: half of it.", "examples": [0.25] }
            },
            "additionalProperties": false
        })
    }
}
