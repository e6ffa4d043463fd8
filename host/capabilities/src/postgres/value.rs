//! Values: a parameter as text for the server, and the server's text as an arm of the contract. Pure.
//!
//! Everything goes as text in both directions, so that a type without an arm is what the server prints of it. A text that does not have
//! the form that its type should have (a session can be told to print times in another style) is told as it came, in `other`.

use super::types::{self, Oid, Scalar, Shape, Type};
use super::{array, calendar};
use crate::contract::postgres::{OtherValue, Value};

/// A parameter, ready for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) type_oid: Oid,
    /// Absent for `NULL`.
    pub(super) text: Option<String>,
}

impl Parameter {
    /// Texts and lists are left to the server to type, as literals are: `'2026-01-31'` can be a date, an enum or a text.
    pub(super) fn new(value: Value) -> Result<Parameter, String> {
        let (type_oid, text) = match value {
            Value::Null => return Ok(Parameter { type_oid: types::UNSPECIFIED, text: None }),
            Value::Boolean(is_so) => (types::BOOL, is_so.to_string()),
            Value::Int(number) if i32::try_from(number).is_ok() => (types::INT4, number.to_string()),
            Value::Int(number) => (types::INT8, number.to_string()),
            Value::Float(number) => (types::FLOAT8, float_text(number)),
            Value::Numeric(text) => (types::NUMERIC, text),
            Value::Text(text) | Value::Json(text) | Value::Other(OtherValue { text, .. }) => (types::UNSPECIFIED, text),
            Value::Bytes(bytes) => (types::BYTEA, hexadecimal(&bytes)),
            Value::Uuid(text) => (types::UUID, text),
            Value::TimestampUs(us) => (types::TIMESTAMPTZ, calendar::timestamp_text(us)),
            Value::Date(text) => (types::DATE, text),
            Value::Time(text) => (types::TIME, text),
            Value::IntervalUs(us) => (types::INTERVAL, calendar::interval_text(us)),
            Value::ListJson(json) => {
                let literal = array::from_json(&json).ok_or("a parameter `list-json` is no JSON array")?;
                (types::UNSPECIFIED, literal)
            }
        };
        Ok(Parameter { type_oid, text: Some(text) })
    }
}

/// What a parameter takes of the bytes that a statement may bring.
pub(super) fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Boolean(_) => 1,
        Value::Int(_) | Value::Float(_) | Value::TimestampUs(_) | Value::IntervalUs(_) => 8,
        Value::Bytes(bytes) => bytes.len(),
        Value::Numeric(text)
        | Value::Text(text)
        | Value::Json(text)
        | Value::Uuid(text)
        | Value::Date(text)
        | Value::Time(text)
        | Value::ListJson(text) => text.len(),
        Value::Other(other) => other.type_name.len().saturating_add(other.text.len()),
    }
}

/// A value of a row as the contract has it.
pub(super) fn of_type(of: &Type, text: &str) -> Value {
    let value = match of.shape {
        Shape::One(scalar) => of_scalar(scalar, text),
        Shape::List(scalar) => array::to_json(text, scalar).map(Value::ListJson),
        Shape::Other => None,
    };
    value.unwrap_or_else(|| Value::Other(OtherValue { type_name: of.name.to_string(), text: text.to_owned() }))
}

/// None for a value that the arm cannot hold: `infinity`, `NaN` of a numeric.
pub(super) fn of_scalar(scalar: Scalar, text: &str) -> Option<Value> {
    Some(match scalar {
        Scalar::Boolean => Value::Boolean(match text {
            "t" => true,
            "f" => false,
            _ => return None,
        }),
        Scalar::Int => Value::Int(text.parse().ok()?),
        Scalar::Float => Value::Float(text.parse().ok()?),
        Scalar::Numeric if text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.')) => Value::Numeric(text.to_owned()),
        Scalar::Numeric => return None,
        Scalar::Text => Value::Text(text.to_owned()),
        Scalar::Bytes => Value::Bytes(bytes_from(text)?),
        Scalar::Json => Value::Json(text.to_owned()),
        Scalar::Uuid => Value::Uuid(text.to_owned()),
        Scalar::Timestamp => Value::TimestampUs(calendar::timestamp_us(text)?),
        Scalar::Date if calendar::is_date(text) => Value::Date(text.to_owned()),
        Scalar::Date => return None,
        Scalar::Time => Value::Time(calendar::time_text(text)?),
        Scalar::Interval => Value::IntervalUs(calendar::interval_us(text)?),
    })
}

fn float_text(number: f64) -> String {
    match number {
        number if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        number => format!("{number:?}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)]));
    "\\x".chars().chain(digits).collect()
}

/// `\x00ff`
fn bytes_from(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some((value(pair[0])? << 4) | value(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(value: Value) -> (Oid, Option<String>) {
        let parameter = Parameter::new(value).expect("a parameter");
        (parameter.type_oid, parameter.text)
    }

    #[test]
    fn parameters_go_as_text() {
        for (value, oid, text) in [
            (Value::Boolean(true), types::BOOL, "true"),
            (Value::Int(-5), types::INT4, "-5"),
            (Value::Int(i64::MAX), types::INT8, "9223372036854775807"),
            (Value::Float(0.1), types::FLOAT8, "0.1"),
            (Value::Float(1e300), types::FLOAT8, "1e300"),
            (Value::Float(f64::NEG_INFINITY), types::FLOAT8, "-Infinity"),
            (Value::Float(f64::NAN), types::FLOAT8, "NaN"),
            (Value::Numeric("1.50".to_owned()), types::NUMERIC, "1.50"),
            (Value::Text("a'b".to_owned()), types::UNSPECIFIED, "a'b"),
            (Value::Bytes(vec![0, 255, 16]), types::BYTEA, "\\x00ff10"),
            (Value::TimestampUs(0), types::TIMESTAMPTZ, "1970-01-01 00:00:00.000000+00"),
            (Value::IntervalUs(-1), types::INTERVAL, "-0:00:00.000001"),
            (Value::ListJson("[1,\"a\"]".to_owned()), types::UNSPECIFIED, "{\"1\",\"a\"}"),
        ] {
            assert_eq!(parameter(value), (oid, Some(text.to_owned())));
        }
        assert_eq!(parameter(Value::Null), (types::UNSPECIFIED, None));
        assert!(Parameter::new(Value::ListJson("{}".to_owned())).is_err());
    }

    #[test]
    fn a_value_that_its_arm_cannot_hold_is_told_as_it_came() {
        for (oid, text) in
            [(1700, "NaN"), (1700, "-Infinity"), (1184, "infinity"), (1082, "0044-03-15 BC"), (17, "\\000"), (869, "10.0.0.1")]
        {
            let of = types::builtin(oid).expect("a type");
            let Value::Other(other) = of_type(&of, text) else { panic!("{text} is another value") };
            assert_eq!((other.type_name, other.text.as_str()), (of.name.to_string(), text));
        }
    }

    #[test]
    fn bytes_come_in_hexadecimal() {
        assert_eq!(bytes_from("\\x00ff10"), Some(vec![0, 255, 16]));
        assert_eq!(bytes_from("\\x"), Some(Vec::new()));
        for text in ["\\x0", "\\xzz", "00", "\\\\x00"] {
            assert_eq!(bytes_from(text), None, "{text}");
        }
    }
}
