//! The canonical text of what a plugin saw, and the lines that a run tells.

use std::fmt::Write as _;

use sickbay_sdk::postgres::Value as Sql;
use sickbay_sdk::prelude::*;
use sickbay_sdk::redis::Answer;
use sickbay_sdk::{Timings, TlsSession};

/// The largest whole number that every language has as a float.
const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

/// What a run tells, in `details.told`.
#[derive(Default)]
pub(crate) struct Lines(Vec<String>);

impl Lines {
    pub(crate) fn push(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// Where errors are told, one is a line and the run goes on; otherwise it ends the run.
    pub(crate) fn failed(&mut self, error: Error, tell_errors: bool) -> Result<(), Error> {
        if !tell_errors {
            return Err(error);
        }
        self.push(failure(&error));
        Ok(())
    }

    pub(crate) fn report(self) -> Report {
        Report::ok("told").details(&json!({ "told": self.0 }))
    }
}

pub(crate) fn failure(error: &Error) -> String {
    match error {
        Error::Service { failure, message } => format!("error service {failure} {}", text(message)),
        Error::Plugin { kind, message } => format!("error plugin {kind} {}", text(message)),
    }
}

pub(crate) fn text(value: &str) -> String {
    let mut told = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => told.push_str("\\\""),
            '\\' => told.push_str("\\\\"),
            '\0'..='\u{1f}' => {
                // Writing to a text does not fail.
                let _ = write!(told, "\\u{:04x}", u32::from(character));
            }
            _ => told.push(character),
        }
    }
    told + "\""
}

pub(crate) fn optional(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), text)
}

pub(crate) fn bytes(value: &[u8]) -> String {
    let mut told = String::from("bytes:");
    for byte in value {
        // As above.
        let _ = write!(told, "{byte:02x}");
    }
    told
}

/// Text where the bytes are UTF-8.
pub(crate) fn string(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(value) => text(value),
        Err(_) => bytes(value),
    }
}

pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "float:nan".to_owned();
    }
    let is_minus_zero = value == 0.0 && value.is_sign_negative();
    if value.trunc() == value && value.abs() <= WHOLE_MAX && !is_minus_zero {
        return format!("{value:.0}");
    }
    format!("float:{:016x}", value.to_bits())
}

pub(crate) fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

pub(crate) fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(is_so) => is_so.to_string(),
        Value::Number(number) => number.as_i64().map_or_else(|| float(number.as_f64().unwrap_or(f64::NAN)), |whole| whole.to_string()),
        Value::String(value) => text(value),
        Value::Array(items) => list(items.iter().map(json)),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|one, other| one.0.cmp(other.0));
            let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("{}: {}", text(key), json(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// A value of PostgreSQL. JSON that cannot be read is what the service did.
pub(crate) fn sql(value: &Sql) -> Result<String, Error> {
    Ok(match value {
        Sql::Null => "null".to_owned(),
        Sql::Boolean(is_so) => is_so.to_string(),
        Sql::Int(number) => number.to_string(),
        Sql::Float(number) => float(*number),
        Sql::Bytes(value) => bytes(value),
        Sql::TimestampUs(us) | Sql::IntervalUs(us) => format!("us:{us}"),
        Sql::Json(document) | Sql::ListJson(document) => {
            json(&serde_json::from_str(document).map_err(|error| Error::service("content", error.to_string()))?)
        }
        Sql::Numeric(value) | Sql::Text(value) | Sql::Uuid(value) | Sql::Date(value) | Sql::Time(value) => text(value),
        Sql::Other(other) => format!("other:{} {}", text(&other.type_name), text(&other.text)),
    })
}

/// A reply of Redis. Of a map the keys and values in turn.
pub(crate) fn reply(answer: &Answer) -> String {
    match answer {
        Answer::Nil => "null".to_owned(),
        Answer::Int(number) => number.to_string(),
        Answer::Float(number) => float(*number),
        Answer::Boolean(is_so) => is_so.to_string(),
        Answer::Text(value) => string(value),
        Answer::Failed(message) => format!("failed:{}", text(message)),
        Answer::List(items) => list(items.iter().map(reply)),
    }
}

/// Which of several, without the whole of them: 32 bits of FNV-1a over the lines, each with a line's end.
pub(crate) fn digest<'line>(lines: impl IntoIterator<Item = &'line [u8]>) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    for line in lines {
        for byte in line.iter().chain(b"\n") {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
    format!("fnv1a:{hash:08x}")
}

pub(crate) fn session(lines: &mut Lines, session: Option<&TlsSession>) {
    let Some(session) = session else { return lines.push("tls null") };
    let untrusted = optional(session.untrusted.as_deref());
    lines.push(format!("tls {} {} {untrusted}", text(&session.version), text(&session.cipher)));
    for certificate in &session.chain {
        lines.push(format!(
            "certificate {} {} {} ms:{} ms:{} {}",
            text(&certificate.subject),
            text(&certificate.issuer),
            list(certificate.dns_names.iter().map(|name| text(name))),
            certificate.not_before,
            certificate.not_after,
            text(&certificate.sha256),
        ));
    }
}

/// The phases that happened, as metrics.
pub(crate) fn timings(report: Report, timings: Option<&Timings>) -> Report {
    let Some(told) = timings else { return report };
    let phases = [
        ("dns_seconds", told.dns_us),
        ("connect_seconds", told.connect_us),
        ("tls_seconds", told.tls_us),
        ("first_byte_seconds", told.first_byte_us),
        ("total_seconds", Some(told.total_us)),
    ];
    phases.into_iter().fold(report, |report, (name, us)| match us {
        Some(us) => report.metric(name, http::seconds(us), "seconds"),
        None => report,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_exactly_and_alike_where_a_language_has_one_type_for_them() {
        for (number, told) in [
            (1.0, "1"),
            (-9_007_199_254_740_991.0, "-9007199254740991"),
            (9_007_199_254_740_992.0, "float:4340000000000000"),
            (0.5, "float:3fe0000000000000"),
            (-0.0, "float:8000000000000000"),
            (f64::INFINITY, "float:7ff0000000000000"),
            (f64::NAN, "float:nan"),
        ] {
            assert_eq!(float(number), told);
        }
    }

    #[test]
    fn texts_are_told_as_json_has_them_and_bytes_in_hexadecimal() {
        assert_eq!(text("é\"\\\n\u{7f}☃"), "\"é\\\"\\\\\\u000a\u{7f}☃\"");
        assert_eq!((string(b"ok"), string(&[0xff, 0])), ("\"ok\"".to_owned(), "bytes:ff00".to_owned()));
        assert_eq!(json(&json!({ "b": [1, 0.5, null], "a": "x" })), "{\"a\": \"x\", \"b\": [1, float:3fe0000000000000, null]}");
        assert_eq!(digest([&b"a"[..], b"b"]), "fnv1a:7a256dee");
    }
}
