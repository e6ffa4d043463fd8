//! What the operator expects of an answer: its status, and what its JSON says.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::Value;

/// One status (`200`) or a class of them (`"2xx"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statuses {
    Exactly(u16),
    /// The first digit.
    Class(u8),
}

impl Statuses {
    fn contain(self, status: u16) -> bool {
        match self {
            Statuses::Exactly(exactly) => status == exactly,
            Statuses::Class(class) => status / 100 == u16::from(class),
        }
    }

    fn from_number(number: u64) -> Option<Statuses> {
        let number = u16::try_from(number).ok()?;
        (100..=599).contains(&number).then_some(Statuses::Exactly(number))
    }

    fn from_text(text: &str) -> Option<Statuses> {
        match text.as_bytes() {
            [class @ b'1'..=b'5', b'x', b'x'] => Some(Statuses::Class(class - b'0')),
            _ => Statuses::from_number(text.parse().ok()?),
        }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statuses::Exactly(exactly) => write!(formatter, "{exactly}"),
            Statuses::Class(class) => write!(formatter, "{class}xx"),
        }
    }
}

/// The statuses that are well: a number, a class, or a list of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusSet(Vec<Statuses>);

impl StatusSet {
    /// 200 to 399.
    pub(crate) fn any_success() -> StatusSet {
        StatusSet(vec![Statuses::Class(2), Statuses::Class(3)])
    }

    pub(crate) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|statuses| statuses.contain(status))
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, statuses) in self.0.iter().enumerate() {
            if position > 0 {
                formatter.write_str(", ")?;
            }
            fmt::Display::fmt(statuses, formatter)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Statuses, D::Error> {
        let StatusSet(mut statuses) = deserializer.deserialize_any(StatusVisitor { list: false })?;
        statuses.pop().ok_or_else(|| D::Error::custom("no status"))
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<StatusSet, D::Error> {
        deserializer.deserialize_any(StatusVisitor { list: true })
    }
}

/// Reads one of the forms; a list only on the outside.
struct StatusVisitor {
    list: bool,
}

impl<'de> Visitor<'de> for StatusVisitor {
    type Value = StatusSet;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a status from 100 to 599 or a class such as \"2xx\"")?;
        if self.list {
            formatter.write_str(", or a list of them")?;
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<StatusSet, E> {
        match Statuses::from_number(number) {
            Some(statuses) => Ok(StatusSet(vec![statuses])),
            None => Err(E::invalid_value(serde::de::Unexpected::Unsigned(number), &self)),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<StatusSet, E> {
        match Statuses::from_text(text) {
            Some(statuses) => Ok(StatusSet(vec![statuses])),
            None => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<StatusSet, A::Error> {
        if !self.list {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        let mut statuses = Vec::new();
        while let Some(next) = sequence.next_element::<Statuses>()? {
            statuses.push(next);
        }
        if statuses.is_empty() { Err(A::Error::invalid_length(0, &self)) } else { Ok(StatusSet(statuses)) }
    }
}

impl JsonSchema for StatusSet {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "StatusSet".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let number = serde_json::json!({ "type": "integer", "minimum": 100, "maximum": 599 });
        let text = serde_json::json!({ "type": "string", "pattern": "^[1-5]([0-9][0-9]|xx)$" });
        json_schema!({
            "anyOf": [
                number,
                text,
                { "type": "array", "minItems": 1, "items": { "anyOf": [number, text] } },
            ]
        })
    }
}

/// One place in a JSON body and what it must hold. With a pointer alone the place must exist.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JsonExpectation {
    /// JSON Pointer (RFC 6901): `/queue/length`.
    #[schemars(regex(pattern = "^(/.*)?$"), example = "/queue/length")]
    pub(crate) pointer: String,
    /// The value must be equal; numbers are compared as numbers.
    pub(crate) equals: Option<Value>,
    /// The value must be a number, this or more.
    pub(crate) at_least: Option<f64>,
    /// The value must be a number, this or less.
    pub(crate) at_most: Option<f64>,
}

/// What was found where the body has no such place. A text of the body stands in quotes.
pub(crate) const NOTHING: &str = "nothing";

/// What was found, and what should have been.
#[derive(Debug, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) actual: String,
    pub(crate) expected: String,
}

impl JsonExpectation {
    pub(crate) fn judge(&self, body: &Value) -> Result<(), Mismatch> {
        let Some(value) = body.pointer(&self.pointer) else {
            return Err(Mismatch { actual: NOTHING.into(), expected: self.describe() });
        };
        let as_it_should = self.equals.as_ref().is_none_or(|equals| same(value, equals))
            && self.at_least.is_none_or(|least| value.as_f64().is_some_and(|number| number >= least))
            && self.at_most.is_none_or(|most| value.as_f64().is_some_and(|number| number <= most));
        if as_it_should { Ok(()) } else { Err(Mismatch { actual: value.to_string(), expected: self.describe() }) }
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        if let Some(equals) = &self.equals {
            parts.push(equals.to_string());
        }
        if let Some(least) = self.at_least {
            parts.push(format!("at least {least}"));
        }
        if let Some(most) = self.at_most {
            parts.push(format!("at most {most}"));
        }
        if parts.is_empty() { "any value".into() } else { parts.join(" and ") }
    }
}

/// `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(json: Value) -> Result<StatusSet, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn a_status_a_class_and_a_list_of_both_are_understood() {
        assert!(set(json!(204)).expect("a number").contains(204));
        assert!(set(json!("404")).expect("a number as text").contains(404));
        let both = set(json!(["2xx", 404])).expect("a list");
        assert!(both.contains(200) && both.contains(299) && both.contains(404));
        assert!(!both.contains(300) && !both.contains(405));
        assert_eq!(both.to_string(), "2xx, 404");
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for wrong in [json!(99), json!(600), json!("6xx"), json!("2x"), json!([]), json!([[200]]), json!(-1), json!(true)] {
            assert!(set(wrong.clone()).is_err(), "{wrong} was taken");
        }
    }

    fn expectation(json: Value) -> JsonExpectation {
        serde_json::from_value(json).expect("an expectation")
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let body = json!({ "count": 1.0 });
        assert_eq!(expectation(json!({ "pointer": "/count", "equals": 1 })).judge(&body), Ok(()));
        assert_eq!(expectation(json!({ "pointer": "/count", "at_least": 1, "at_most": 1 })).judge(&body), Ok(()));
    }

    #[test]
    fn a_mismatch_tells_both_sides() {
        let mismatch = expectation(json!({ "pointer": "/queue", "at_most": 10 })).judge(&json!({ "queue": 12 }));
        assert_eq!(mismatch, Err(Mismatch { actual: "12".into(), expected: "at most 10".into() }));
    }

    #[test]
    fn text_is_no_number() {
        assert!(expectation(json!({ "pointer": "/n", "at_least": 0 })).judge(&json!({ "n": "1" })).is_err());
    }

    #[test]
    fn a_pointer_alone_asks_for_existence() {
        let exists = expectation(json!({ "pointer": "/a/0" }));
        assert_eq!(exists.judge(&json!({ "a": [null] })), Ok(()));
        assert!(exists.judge(&json!({ "a": [] })).is_err());
    }
}
