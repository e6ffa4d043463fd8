//! A writer of the Prometheus text format, version 0.0.4.
//!
//! It appends to one buffer and makes no string per line, since `/metrics` of 10,000 checks has some 200,000 lines.
//!
//! Invariant: a label value can hold any text and stays one value; a sample is always finite.

use std::fmt::Write as _;

use sickbay_core::Timestamp;

/// The types that this writer is used for; histograms come from the `prometheus` crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    Counter,
    Gauge,
}

/// The text so far.
#[derive(Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    pub fn with_capacity(bytes: usize) -> Exposition {
        Exposition { text: String::with_capacity(bytes) }
    }

    pub fn into_text(self) -> String {
        self.text
    }

    /// Begins a family; once per name, before its series. `help` is one line without a backslash.
    pub fn family(&mut self, name: &str, metric_type: MetricType, help: &str) {
        debug_assert!(!help.contains(['\n', '\\']));
        let metric_type = match metric_type {
            MetricType::Counter => "counter",
            MetricType::Gauge => "gauge",
        };
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", metric_type, "\n"] {
            self.text.push_str(part);
        }
    }

    /// Begins a line; one of the methods that write a value ends it.
    pub fn series(&mut self, name: &str) -> Series<'_> {
        self.text.push_str(name);
        Series { text: &mut self.text, labelled: false }
    }
}

/// A line whose value is not written yet.
#[must_use = "a series without a value is half a line"]
pub struct Series<'a> {
    text: &'a mut String,
    labelled: bool,
}

impl<'a> Series<'a> {
    /// Adds a label. `name` is known to be valid ([`is_label_name`]) and new in this series. An empty value is left out,
    /// as that is what it means to Prometheus.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        if value.is_empty() {
            return self;
        }
        self.text.push(if self.labelled { ',' } else { '{' });
        self.labelled = true;
        self.text.push_str(name);
        self.text.push_str("=\"");
        escape(self.text, value);
        self.text.push('"');
        self
    }

    pub fn integer(self, value: u64) {
        let text = self.close();
        match value {
            // Most are one of these, and formatting costs more than all the rest of a line.
            0 => text.push_str("0\n"),
            1 => text.push_str("1\n"),
            _ => {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{value}");
            }
        }
    }

    /// A finite number. Callers leave out what is not finite; should one slip through, the line stays valid.
    pub fn number(self, value: f64) {
        /// Integers up to here are exact in both types.
        const EXACT_MAX: f64 = 1e15;
        let value = if value.is_finite() { value } else { 0.0 };
        let text = self.close();
        let _ = if value.fract() == 0.0 && value.abs() < EXACT_MAX {
            writeln!(text, "{}", value as i64)
        } else {
            // `Debug` turns to an exponent for what is very large or very small; `Display` writes 300 digits.
            writeln!(text, "{value:?}")
        };
    }

    pub fn microseconds_as_seconds(self, value: u64) {
        let text = self.close();
        let _ = writeln!(text, "{}.{:06}", value / 1_000_000, value % 1_000_000);
    }

    pub fn timestamp_as_seconds(self, value: Timestamp) {
        let text = self.close();
        let _ = writeln!(text, "{}.{:03}", value.0 / 1000, value.0 % 1000);
    }

    /// Ends the labels.
    fn close(self) -> &'a mut String {
        if self.labelled {
            self.text.push('}');
        }
        self.text.push(' ');
        self.text
    }
}

/// Backslash, quote and line feed are the only characters that the format escapes in a label value.
fn escape(text: &mut String, value: &str) {
    let mut rest = value;
    // Byte by byte: none of the three is ever a part of another character.
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`
pub fn is_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(write: impl FnOnce(Series<'_>)) -> String {
        let mut out = Exposition::default();
        write(out.series("m"));
        out.into_text()
    }

    #[test]
    fn a_hostile_label_value_stays_one_value() {
        let value = "a\"} 1\nforged{x=\"y\\";
        assert_eq!(line(|series| series.label("l", value).integer(1)), "m{l=\"a\\\"} 1\\nforged{x=\\\"y\\\\\"} 1\n");
    }

    #[test]
    fn text_beyond_ascii_and_control_characters_pass_through() {
        assert_eq!(line(|series| series.label("l", "\u{202e}é\r\t🦀").integer(1)), "m{l=\"\u{202e}é\r\t🦀\"} 1\n");
    }

    #[test]
    fn an_empty_value_is_no_label() {
        assert_eq!(line(|series| series.label("a", "").integer(1)), "m 1\n");
        assert_eq!(line(|series| series.label("a", "").label("b", "c").integer(1)), "m{b=\"c\"} 1\n");
    }

    #[test]
    fn numbers_are_short_and_read_back_exactly() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (200.0, "200"),
            (-3.0, "-3"),
            (0.25, "0.25"),
            (1e300, "1e300"),
            (1e-9, "1e-9"),
            (f64::MAX, "1.7976931348623157e308"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(line(|series| series.number(value)), format!("m {text}\n"));
            assert_eq!(text.parse::<f64>().unwrap(), value);
        }
    }

    #[test]
    fn what_is_not_finite_never_reaches_the_text() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(line(|series| series.number(value)), "m 0\n");
        }
    }

    #[test]
    fn fractions_of_a_second_keep_their_zeros() {
        assert_eq!(line(|series| series.microseconds_as_seconds(1_000_042)), "m 1.000042\n");
        assert_eq!(line(|series| series.timestamp_as_seconds(Timestamp(1_700_000_000_007))), "m 1700000000.007\n");
    }

    #[test]
    fn label_names_follow_the_format() {
        for name in ["a", "_", "A9_", "status_code"] {
            assert!(is_label_name(name), "{name}");
        }
        for name in ["", "9a", "a-b", "a b", "é", "a\n", "a\"", "a.b", "a:b"] {
            assert!(!is_label_name(name), "{name:?}");
        }
    }
}
