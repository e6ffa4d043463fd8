//! Values of the contract out of JSON, as [`super::to_json`] writes it.
//!
//! What is left out is what the type has when nobody says more: an empty text or list, 0, false, nothing, the first variant, `ok` of a result.
//! So an answer of a fixture says what its test is about. What is written and not known is an error with its place.
//!
//! How: where the contract has a text, a table or a list is its JSON text (`config`); where it has bytes, a text is its bytes, and
//! `{ hex = "00ff" }` any others.

use std::fmt;

use serde::de::value::SeqDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use super::to_json::{arm, unhex};

/// A text with what the guest is given in the place of what stands there; None where it stays as it is.
pub(crate) type Fill<'run> = &'run dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// Where JSON is no value of the contract, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Innermost first.
    path: Vec<String>,
    message: String,
}

impl Misfit {
    fn new(message: impl Into<String>) -> Misfit {
        Misfit { path: Vec::new(), message: message.into() }
    }

    fn within(mut self, part: impl Into<String>) -> Misfit {
        self.path.push(part.into());
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            let path = self.path.iter().rev().map(String::as_str).collect::<Vec<_>>().join(".");
            write!(formatter, "`{}`: ", path.replace(".[", "["))?;
        }
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Misfit {
        Misfit::new(message.to_string())
    }
}

pub(crate) fn from_json<T: DeserializeOwned>(value: Option<&Value>, fill: Fill<'_>) -> Result<T, Misfit> {
    T::deserialize(Hearer::of(value, fill))
}

#[derive(Clone, Copy)]
struct Hearer<'run> {
    /// None where nothing is written.
    value: Option<&'run Value>,
    fill: Fill<'run>,
}

impl<'run> Hearer<'run> {
    fn of(value: Option<&'run Value>, fill: Fill<'run>) -> Hearer<'run> {
        Hearer { value: value.filter(|value| !value.is_null()), fill }
    }

    fn unfit(self, wanted: &str) -> Misfit {
        let found = match self.value {
            None | Some(Value::Null) => "nothing",
            Some(Value::Bool(_)) => "true or false",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "a text",
            Some(Value::Array(_)) => "a list",
            Some(Value::Object(_)) => "a table",
        };
        Misfit::new(format!("{wanted} is expected, and {found} is written"))
    }

    fn filled(self, text: &[u8]) -> Vec<u8> {
        (self.fill)(text).unwrap_or_else(|| text.to_vec())
    }

    fn text(self) -> Result<String, Misfit> {
        let bytes = match self.value {
            None => Vec::new(),
            Some(Value::String(text)) => self.filled(text.as_bytes()),
            Some(json @ (Value::Object(_) | Value::Array(_))) => self.filled(json.to_string().as_bytes()),
            Some(_) => return Err(self.unfit("a text")),
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn unsigned<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None => visitor.visit_u64(0),
            Some(value) => visitor.visit_u64(value.as_u64().ok_or_else(|| self.unfit("a whole number, 0 or more,"))?),
        }
    }

    fn signed<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None => visitor.visit_i64(0),
            Some(value) => visitor.visit_i64(value.as_i64().ok_or_else(|| self.unfit("a whole number"))?),
        }
    }
}

impl<'de> Deserializer<'de> for Hearer<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Misfit> {
        Err(Misfit::new("the contract has no such type"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None => visitor.visit_bool(false),
            Some(value) => visitor.visit_bool(value.as_bool().ok_or_else(|| self.unfit("true or false"))?),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.unsigned(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.unsigned(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.unsigned(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.unsigned(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.signed(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let number = match self.value {
            None => Some(0.0),
            Some(Value::String(word)) => word.parse().ok(),
            Some(value) => value.as_f64(),
        };
        visitor.visit_f64(number.ok_or_else(|| self.unfit("a number"))?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_string(self.text()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            None => visitor.visit_none(),
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let bytes = |bytes: Vec<u8>| SeqDeserializer::<_, Misfit>::new(bytes.into_iter());
        match self.value {
            None => visitor.visit_seq(Items { items: std::slice::Iter::default(), index: 0, fill: self.fill }),
            Some(Value::Array(items)) => visitor.visit_seq(Items { items: items.iter(), index: 0, fill: self.fill }),
            Some(Value::String(text)) => visitor.visit_seq(bytes(self.filled(text.as_bytes()))),
            Some(Value::Object(table)) if table.len() == 1 => {
                let digits = table.get("hex").and_then(Value::as_str).and_then(unhex);
                visitor.visit_seq(bytes(self.filled(&digits.ok_or_else(|| self.unfit("a list, a text or `hex` digits"))?)))
            }
            Some(_) => Err(self.unfit("a list or a text")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let table = match self.value {
            None => None,
            Some(Value::Object(table)) => Some(table),
            Some(_) => return Err(self.unfit("a table")),
        };
        if let Some(unknown) = table.and_then(|table| table.keys().find(|key| !fields.contains(&key.as_str()))) {
            return Err(Misfit::new(format!("there is no `{unknown}`; there are: {}", fields.join(", "))));
        }
        visitor.visit_map(Fields { fields: fields.iter(), table, field: "", fill: self.fill })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let words = || variants.iter().map(|variant| arm(name, variant)).collect::<Vec<_>>().join(", ");
        let (word, payload) = match self.value {
            None => (None, None),
            Some(Value::String(word)) => (Some(word.as_str()), None),
            Some(Value::Object(table)) => match table.iter().next() {
                Some((word, payload)) if table.len() == 1 => (Some(word.as_str()), Some(payload)),
                _ => return Err(Misfit::new(format!("a table with one of these is expected: {}", words()))),
            },
            Some(_) => return Err(self.unfit("a word or a table")),
        };
        let variant = match word {
            None => variants.first(),
            Some(word) => variants.iter().find(|variant| arm(name, variant) == word),
        };
        match (variant, word) {
            (Some(&variant), _) => visitor.visit_enum(Arm { name, variant, payload, fill: self.fill }),
            (None, word) => Err(Misfit::new(format!("there is no `{}`; there are: {}", word.unwrap_or_default(), words()))),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 f32 char bytes byte_buf unit_struct tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'run> {
    items: std::slice::Iter<'run, Value>,
    index: usize,
    fill: Fill<'run>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        seed.deserialize(Hearer::of(Some(item), self.fill)).map(Some).map_err(|misfit| misfit.within(format!("[{index}]")))
    }
}

struct Fields<'run> {
    fields: std::slice::Iter<'static, &'static str>,
    table: Option<&'run Map<String, Value>>,
    /// Whose value comes next.
    field: &'static str,
    fill: Fill<'run>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some(&field) = self.fields.next() else { return Ok(None) };
        self.field = field;
        seed.deserialize(self.field.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let value = self.table.and_then(|table| table.get(self.field));
        seed.deserialize(Hearer::of(value, self.fill)).map_err(|misfit| misfit.within(self.field))
    }
}

struct Arm<'run> {
    name: &'static str,
    variant: &'static str,
    payload: Option<&'run Value>,
    fill: Fill<'run>,
}

impl<'de> EnumAccess<'de> for Arm<'_> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        Ok((seed.deserialize(self.variant.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Arm<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let within = arm(self.name, self.variant);
        seed.deserialize(Hearer::of(self.payload, self.fill)).map_err(|misfit| misfit.within(within))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Misfit> {
        Err(Misfit::new("the contract has no such type"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], _visitor: V) -> Result<V::Value, Misfit> {
        Err(Misfit::new("the contract has no such type"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::to_json::to_json;
    use super::*;
    use crate::bindings::exports::sickbay::plugin::check;
    use crate::bindings::sickbay::plugin::{http, postgres, redis, types};

    fn heard<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
        from_json(Some(value), &|_| None).map_err(|misfit| misfit.to_string())
    }

    #[test]
    fn what_is_left_out_is_what_nobody_said() {
        let answer: Result<http::Response, http::HttpError> =
            heard(&json!({ "ok": { "status": 200, "body": "hello" } })).expect("an answer");
        let response = answer.expect("ok");
        assert_eq!((response.status, response.body.as_slice(), response.version.as_str()), (200, &b"hello"[..], ""));
        assert!(response.peer.is_none() && response.headers.is_empty() && response.timings.total_us == 0 && !response.truncated);
        assert!(matches!(heard::<Result<(), String>>(&Value::Null), Ok(Ok(()))));
        let refused: Result<http::Response, http::HttpError> = heard(&json!({ "error": "timeout" })).expect("an answer");
        assert!(matches!(refused, Err(http::HttpError::Timeout(message)) if message.is_empty()));
        assert!(matches!(heard(&Value::Null), Ok(types::Status::Unknown)));
    }

    #[test]
    fn a_text_of_json_may_be_written_as_what_it_says() {
        for config in [json!({ "url": "http://a/" }), json!("{\"url\":\"http://a/\"}")] {
            let request: check::Request = heard(&json!({ "kind": "http", "config": config })).expect("a request");
            assert_eq!((request.kind.as_str(), request.config.as_str()), ("http", "{\"url\":\"http://a/\"}"));
        }
    }

    #[test]
    fn what_was_told_is_heard_as_it_was() {
        let nodes = vec![redis::Node::ArrayOf(1), redis::Node::Bulk(vec![0xff]), redis::Node::Bulk(Vec::new()), redis::Node::Nil];
        let told = to_json(&nodes, &mut 1000, &|_| None).expect("small");
        assert_eq!(format!("{:?}", heard::<Vec<redis::Node>>(&told).expect("nodes")), format!("{nodes:?}"));
        let error: Result<u8, _> = Err(postgres::PostgresError::Server(postgres::ServerError {
            sqlstate: "42P01".to_owned(),
            severity: "ERROR".to_owned(),
            message: "no table".to_owned(),
            detail: None,
        }));
        let told = to_json(&error, &mut 1000, &|_| None).expect("small");
        let heard: Result<u8, postgres::PostgresError> = heard(&told).expect("an answer");
        assert_eq!(format!("{heard:?}"), format!("{error:?}"));
    }

    #[test]
    fn what_is_not_known_is_told_with_its_place() {
        let misfit = |value: Value| heard::<Result<http::Response, http::HttpError>>(&value).err().unwrap_or_default();
        assert!(misfit(json!({ "ok": { "stauts": 200 } })).starts_with("`ok`: there is no `stauts`; there are: status, version, "));
        assert_eq!(
            misfit(json!({ "ok": { "status": "x" } })),
            "`ok.status`: a whole number, 0 or more, is expected, and a text is written"
        );
        assert_eq!(
            misfit(json!({ "ok": { "headers": [{}, { "value": 5 }] } })),
            "`ok.headers[1].value`: a text is expected, and a number is written"
        );
        assert!(misfit(json!({ "error": { "tmeout": "" } })).starts_with("`error`: there is no `tmeout`; there are: denied, "));
        assert!(misfit(json!({ "yes": 1 })).starts_with("there is no `yes`; there are: ok, error"));
        assert!(misfit(json!({ "ok": { "body": { "hex": "xx" } } })).contains("`hex` digits is expected"));
        assert!(misfit(json!({ "ok": { "status": 70_000 } })).starts_with("`ok.status`: invalid value"));
    }

    #[test]
    fn texts_and_bytes_are_filled_in() {
        let fill = |bytes: &[u8]| (bytes == b"{{secret:a}}").then(|| b"stand-in".to_vec());
        let header: http::Header = from_json(Some(&json!({ "name": "x", "value": "{{secret:a}}" })), &fill).expect("a header");
        let body: Vec<u8> = from_json(Some(&json!("{{secret:a}}")), &fill).expect("bytes");
        assert_eq!((header.value.as_str(), body.as_slice()), ("stand-in", &b"stand-in"[..]));
    }
}
