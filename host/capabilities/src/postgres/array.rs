//! Arrays: the server's text as JSON, and JSON as the server reads it. Pure.
//!
//! Numbers stay numbers, timestamps and intervals are microseconds as in their own arms, JSON is taken as it is, and the rest is text.
//! Where an array begins at another index than 1 that is not told.

use std::iter::Peekable;
use std::str::Chars;

use serde_json::Value as Json;

use super::types::Scalar;
use super::value;
use crate::contract::postgres::Value;

/// Dimensions of an array, as many as the server allows.
const DEPTH_MAX: usize = 6;

/// `{1,NULL,"a b"}` as `[1,null,"a b"]`; none where the text is no such array.
pub(super) fn to_json(text: &str, scalar: Scalar) -> Option<String> {
    // `[2:3]={1,2}` tells where the indices begin.
    let text = if text.starts_with('[') { text.split_once('=')?.1 } else { text };
    let mut reader = Reader { rest: text.chars().peekable(), scalar, json: String::with_capacity(text.len()) };
    reader.list(1)?;
    reader.rest.next().is_none().then_some(reader.json)
}

struct Reader<'text> {
    rest: Peekable<Chars<'text>>,
    scalar: Scalar,
    json: String,
}

impl Reader<'_> {
    fn list(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX || self.rest.next()? != '{' {
            return None;
        }
        self.json.push('[');
        if self.rest.next_if_eq(&'}').is_some() {
            self.json.push(']');
            return Some(());
        }
        loop {
            match *self.rest.peek()? {
                '{' => self.list(depth + 1)?,
                '"' => {
                    let text = self.quoted()?;
                    self.element(&text);
                }
                _ => self.bare()?,
            }
            match self.rest.next()? {
                ',' => self.json.push(','),
                '}' => break,
                _ => return None,
            }
        }
        self.json.push(']');
        Some(())
    }

    fn quoted(&mut self) -> Option<String> {
        self.rest.next();
        let mut text = String::new();
        loop {
            match self.rest.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.rest.next()?),
                letter => text.push(letter),
            }
        }
    }

    fn bare(&mut self) -> Option<()> {
        let mut text = String::new();
        while let Some(letter) = self.rest.next_if(|letter| !matches!(letter, ',' | '}' | '{' | '"')) {
            text.push(letter);
        }
        match text.as_str() {
            "" => return None,
            "NULL" => self.json.push_str("null"),
            text => self.element(text),
        }
        Some(())
    }

    fn element(&mut self, text: &str) {
        match value::of_scalar(self.scalar, text) {
            Some(Value::Boolean(is_so)) => self.json.push_str(if is_so { "true" } else { "false" }),
            Some(Value::Int(_)) => self.json.push_str(text),
            // The server prints finite numbers as JSON does.
            Some(Value::Float(number)) if number.is_finite() => self.json.push_str(text),
            Some(Value::TimestampUs(us) | Value::IntervalUs(us)) => self.json.push_str(&us.to_string()),
            Some(Value::Json(json)) => self.json.push_str(&json),
            Some(Value::Time(time)) => self.json.push_str(&Json::from(time).to_string()),
            _ => self.json.push_str(&Json::from(text).to_string()),
        }
    }
}

/// `[1,null,"a b"]` as `{"1",NULL,"a b"}`; none where the text is no JSON array.
pub(super) fn from_json(text: &str) -> Option<String> {
    let Ok(Json::Array(items)) = serde_json::from_str(text) else { return None };
    let mut literal = String::with_capacity(text.len());
    write_list(&items, &mut literal);
    Some(literal)
}

/// As deep as `serde_json` reads.
fn write_list(items: &[Json], literal: &mut String) {
    literal.push('{');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            literal.push(',');
        }
        match item {
            Json::Null => literal.push_str("NULL"),
            Json::Array(items) => write_list(items, literal),
            Json::String(text) => write_quoted(text, literal),
            Json::Bool(_) | Json::Number(_) | Json::Object(_) => write_quoted(&item.to_string(), literal),
        }
    }
    literal.push('}');
}

fn write_quoted(text: &str, literal: &mut String) {
    literal.push('"');
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            literal.push('\\');
        }
        literal.push(letter);
    }
    literal.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_become_json() {
        for (scalar, text, json) in [
            (Scalar::Int, "{}", "[]"),
            (Scalar::Int, "{1,-2,NULL}", "[1,-2,null]"),
            (Scalar::Int, "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
            (Scalar::Int, "[2:3]={1,2}", "[1,2]"),
            (Scalar::Float, "{1.5,1e+300,NaN,-Infinity}", r#"[1.5,1e+300,"NaN","-Infinity"]"#),
            (Scalar::Numeric, "{1.50,NaN}", r#"["1.50","NaN"]"#),
            (Scalar::Boolean, "{t,f,NULL}", "[true,false,null]"),
            (Scalar::Text, r#"{"NULL",NULL,""," a","{","a\"b\\c",é}"#, r#"["NULL",null,""," a","{","a\"b\\c","é"]"#),
            (Scalar::Json, r#"{"{\"a\": [1, 2]}"}"#, r#"[{"a": [1, 2]}]"#),
            (Scalar::Timestamp, r#"{"1970-01-01 00:00:01+00",infinity}"#, r#"[1000000,"infinity"]"#),
            (Scalar::Interval, r#"{"1 day"}"#, "[86400000000]"),
            (Scalar::Time, "{04:05:06}", r#"["04:05:06.000000"]"#),
            (Scalar::Bytes, r#"{"\\x00ff"}"#, r#"["\\x00ff"]"#),
        ] {
            assert_eq!(to_json(text, scalar).as_deref(), Some(json), "{text}");
            serde_json::from_str::<Json>(json).expect("JSON");
        }
    }

    #[test]
    fn what_is_no_array_is_none() {
        for text in ["", "1", "{", "{1", "{1,}", "{,1}", "{1}}", "{1}x", "{\"a}", "[2:3]", "{{{{{{{1}}}}}}}"] {
            assert_eq!(to_json(text, Scalar::Int), None, "{text}");
        }
    }

    #[test]
    fn json_becomes_an_array() {
        let json = r#"[1, null, true, 1.5, "a \"b\" \\ {,}", "NULL", [], {"a": "b"}]"#;
        let literal = r#"{"1",NULL,"true","1.5","a \"b\" \\ {,}","NULL",{},"{\"a\":\"b\"}"}"#;
        assert_eq!(from_json(json).as_deref(), Some(literal));
        for text in ["", "1", "{}", "[1", "\"[]\""] {
            assert_eq!(from_json(text), None, "{text}");
        }
    }
}
