//! Values of the contract as JSON: names with `_`, bytes as text where they are text, and what is absent left out.
//!
//! Limits: what is told is paid for while it is told; a value that is too large is not made first.

use std::cell::Cell;
use std::fmt;

use serde::ser::{self, Impossible, Serialize, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};
use serde_json::{Map, Number, Value};

/// Text as it may be kept; None where nothing in it is to be hidden.
pub(crate) type Mask<'run> = &'run dyn Fn(&[u8]) -> Option<Vec<u8>>;

/// Why a value was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untold {
    TooLarge,
    /// It has a type that the contract does not have.
    Other(String),
}

impl fmt::Display for Untold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untold::TooLarge => formatter.write_str("it is too large"),
            Untold::Other(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Untold {}

impl ser::Error for Untold {
    fn custom<T: fmt::Display>(message: T) -> Untold {
        Untold::Other(message.to_string())
    }
}

/// Takes what it costs from `left`.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T, left: &mut usize, mask: Mask<'_>) -> Result<Value, Untold> {
    let budget = Cell::new(*left);
    let told = value.serialize(Teller { left: &budget, mask });
    *left = budget.get();
    told.map(Told::json)
}

/// What a value became; a byte is not known as part of a text before its list ends.
enum Told {
    Byte(u8),
    Json(Value),
}

impl Told {
    fn json(self) -> Value {
        match self {
            Told::Byte(byte) => byte.into(),
            Told::Json(value) => value,
        }
    }
}

#[derive(Clone, Copy)]
struct Teller<'run> {
    left: &'run Cell<usize>,
    mask: Mask<'run>,
}

impl Teller<'_> {
    fn pay(self, bytes: usize) -> Result<(), Untold> {
        let left = self.left.get().checked_sub(bytes).ok_or(Untold::TooLarge)?;
        self.left.set(left);
        Ok(())
    }

    fn number(self, number: impl Into<Number>) -> Result<Told, Untold> {
        const NUMBER_BYTES: usize = 8;
        self.pay(NUMBER_BYTES)?;
        Ok(Told::Json(Value::Number(number.into())))
    }

    fn bytes(self, bytes: &[u8]) -> Result<Told, Untold> {
        // To mask it takes as long as it is long.
        if bytes.len() > self.left.get() {
            return Err(Untold::TooLarge);
        }
        let masked = (self.mask)(bytes);
        let bytes = masked.as_deref().unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => self.plain(text),
            Err(_) => {
                self.pay(2 * bytes.len() + "{\"hex\":\"\"}".len())?;
                Ok(Told::Json(Value::Object(Map::from_iter([("hex".to_owned(), Value::String(hex(bytes)))]))))
            }
        }
    }

    /// A text that holds nothing to hide.
    fn plain(self, text: &str) -> Result<Told, Untold> {
        self.pay(text.len() + "\"\"".len())?;
        Ok(Told::Json(Value::String(text.to_owned())))
    }

    fn alien(what: &str) -> Untold {
        Untold::Other(format!("the contract has no {what}"))
    }
}

impl<'run> Serializer for Teller<'run> {
    type Ok = Told;
    type Error = Untold;
    type SerializeSeq = Items<'run>;
    type SerializeTuple = Items<'run>;
    type SerializeTupleStruct = Impossible<Told, Untold>;
    type SerializeTupleVariant = Impossible<Told, Untold>;
    type SerializeMap = Impossible<Told, Untold>;
    type SerializeStruct = Fields<'run>;
    type SerializeStructVariant = Impossible<Told, Untold>;

    fn serialize_bool(self, value: bool) -> Result<Told, Untold> {
        self.pay("false".len())?;
        Ok(Told::Json(Value::Bool(value)))
    }

    fn serialize_i8(self, value: i8) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_i16(self, value: i16) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_i32(self, value: i32) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_i64(self, value: i64) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_u8(self, value: u8) -> Result<Told, Untold> {
        self.pay(1)?;
        Ok(Told::Byte(value))
    }

    fn serialize_u16(self, value: u16) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_u32(self, value: u32) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_u64(self, value: u64) -> Result<Told, Untold> {
        self.number(value)
    }

    fn serialize_f32(self, value: f32) -> Result<Told, Untold> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<Told, Untold> {
        match Number::from_f64(value) {
            Some(number) => self.number(number),
            // `NaN`, `inf`, `-inf`: JSON has no numbers for them.
            None => self.plain(&value.to_string()),
        }
    }

    fn serialize_char(self, value: char) -> Result<Told, Untold> {
        self.plain(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Told, Untold> {
        self.bytes(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Told, Untold> {
        self.bytes(value)
    }

    fn serialize_none(self) -> Result<Told, Untold> {
        Ok(Told::Json(Value::Null))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Told, Untold> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Told, Untold> {
        Ok(Told::Json(Value::Null))
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Told, Untold> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Result<Told, Untold> {
        self.plain(&snake(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<Told, Untold> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Told, Untold> {
        let arm = arm(name, variant);
        self.pay(arm.len() + "{\"\":}".len())?;
        let payload = value.serialize(self)?.json();
        Ok(Told::Json(Value::Object(Map::from_iter([(arm, payload)]))))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items<'run>, Untold> {
        self.pay("[]".len())?;
        Ok(Items { teller: self, bytes: Vec::new(), items: Vec::new() })
    }

    fn serialize_tuple(self, len: usize) -> Result<Items<'run>, Untold> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Impossible<Told, Untold>, Untold> {
        Err(Teller::alien("tuple structs"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Impossible<Told, Untold>, Untold> {
        Err(Teller::alien("variants of several values"))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Impossible<Told, Untold>, Untold> {
        Err(Teller::alien("maps"))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Fields<'run>, Untold> {
        self.pay("{}".len())?;
        Ok(Fields { teller: self, fields: Map::new() })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Impossible<Told, Untold>, Untold> {
        Err(Teller::alien("variants with fields"))
    }
}

/// A list, which is one of bytes where its entries are.
struct Items<'run> {
    teller: Teller<'run>,
    bytes: Vec<u8>,
    items: Vec<Value>,
}

impl Items<'_> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
        match value.serialize(self.teller)? {
            Told::Byte(byte) => self.bytes.push(byte),
            Told::Json(value) => self.items.push(value),
        }
        Ok(())
    }

    fn whole(self) -> Result<Told, Untold> {
        if self.bytes.is_empty() { Ok(Told::Json(Value::Array(self.items))) } else { self.teller.bytes(&self.bytes) }
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = Told;
    type Error = Untold;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
        self.push(value)
    }

    fn end(self) -> Result<Told, Untold> {
        self.whole()
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = Told;
    type Error = Untold;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
        // The entries of a tuple are of different types: a byte among them is a number.
        let told = value.serialize(self.teller)?;
        self.items.push(told.json());
        Ok(())
    }

    fn end(self) -> Result<Told, Untold> {
        Ok(Told::Json(Value::Array(self.items)))
    }
}

struct Fields<'run> {
    teller: Teller<'run>,
    fields: Map<String, Value>,
}

impl SerializeStruct for Fields<'_> {
    type Ok = Told;
    type Error = Untold;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Untold> {
        let told = value.serialize(self.teller)?.json();
        if !told.is_null() {
            self.teller.pay(key.len() + "\"\":,".len())?;
            self.fields.insert(key.to_owned(), told);
        }
        Ok(())
    }

    fn end(self) -> Result<Told, Untold> {
        Ok(Told::Json(Value::Object(self.fields)))
    }
}

/// `ok` and `error` of a result; else the variant's name.
pub(super) fn arm(name: &str, variant: &str) -> String {
    match (name, variant) {
        ("Result", "Err") => "error".to_owned(),
        _ => snake(variant),
    }
}

/// `too_many_connections` of `TooManyConnections`.
fn snake(variant: &str) -> String {
    let mut text = String::with_capacity(variant.len() + 4);
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// None where `text` is not hexadecimal.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bindings::sickbay::plugin::{http, postgres, redis, types};

    fn told<T: Serialize>(value: &T) -> Value {
        to_json(value, &mut 10_000, &|_| None).expect("it is small")
    }

    #[test]
    fn values_of_the_contract_are_told_in_its_words() {
        let request =
            http::Request { method: "GET".to_owned(), url: "http://a/".to_owned(), headers: Vec::new(), body: Some(b"hi".to_vec()) };
        assert_eq!(told(&request), json!({ "method": "GET", "url": "http://a/", "headers": [], "body": "hi" }));
        assert_eq!(told(&http::Request { body: None, ..request }), json!({ "method": "GET", "url": "http://a/", "headers": [] }));
        assert_eq!(told(&types::Status::Critical), json!("critical"));
        let refused: Result<u32, postgres::PostgresError> = Err(postgres::PostgresError::TooManyConnections("full".to_owned()));
        assert_eq!(told(&refused), json!({ "error": { "too_many_connections": "full" } }));
        let nothing: Result<(), String> = Ok(());
        assert_eq!(told(&nothing), json!({ "ok": null }));
        assert_eq!(
            told(&vec![redis::Node::ArrayOf(2), redis::Node::Bulk(vec![0xff, 0]), redis::Node::Float(f64::INFINITY), redis::Node::Nil]),
            json!([{ "array_of": 2 }, { "bulk": { "hex": "ff00" } }, { "float": "inf" }, "nil"])
        );
        assert_eq!(told(&(&vec![b"LLEN".to_vec()], &Some(7_u8), &None::<u32>)), json!([["LLEN"], 7, null]));
    }

    #[test]
    fn what_is_hidden_is_hidden_in_texts_and_in_bytes() {
        let mask = |bytes: &[u8]| (bytes == b"secret").then(|| b"{{secret:a}}".to_vec());
        let hidden = to_json(&(&"secret", &b"secret".to_vec(), &"open"), &mut 1000, &mask);
        assert_eq!(hidden, Ok(json!(["{{secret:a}}", "{{secret:a}}", "open"])));
    }

    #[test]
    fn a_value_is_given_up_where_it_is_too_large() {
        let mut left = 100;
        assert!(to_json(&"x".repeat(50), &mut left, &|_| None).is_ok());
        assert_eq!(left, 48);
        assert_eq!(to_json(&vec![7_u8; 60], &mut left, &|_| None), Err(Untold::TooLarge));
        assert_eq!(to_json(&vec![0.5; 1_000_000], &mut left, &|_| None), Err(Untold::TooLarge));
        let unmasked = |_: &[u8]| -> Option<Vec<u8>> { panic!("a text that is too large is looked through") };
        assert_eq!(to_json(&"x".repeat(100), &mut left, &unmasked), Err(Untold::TooLarge));
    }

    #[test]
    fn hexadecimal_is_read_as_it_was_written() {
        assert_eq!(unhex(&hex(&[0, 0x7f, 0xff])), Some(vec![0, 0x7f, 0xff]));
        assert_eq!((unhex("0"), unhex("zz"), unhex("")), (None, None, Some(Vec::new())));
    }
}
