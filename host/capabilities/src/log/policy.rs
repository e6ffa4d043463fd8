//! How much of a log line is written, and in what spelling.

use std::fmt::{self, Write as _};

use sickbay_core::Shapes;
use sickbay_core::masking::{Bond, MASKED};

use crate::contract::types::Label;

/// A message is cut here.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Fields beyond are left out.
pub const FIELDS_MAX: usize = 32;
pub const FIELD_NAME_BYTES_MAX: usize = 64;
pub const FIELD_VALUE_BYTES_MAX: usize = 1 << 10;

/// What a line counts against the run's log bytes: all that the guest gave, also what is cut.
pub(super) fn cost(message: &str, fields: &[Label]) -> u64 {
    let fields: usize = fields.iter().map(|field| field.name.len() + field.value.len()).sum();
    u64::try_from(message.len() + fields).unwrap_or(u64::MAX)
}

/// Text up to `bytes_max`, with what a terminal or a reader could take for something else escaped.
pub(super) struct Escaped<'text> {
    pub(super) text: &'text str,
    pub(super) bytes_max: usize,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in self.text.char_indices() {
            if at + letter.len_utf8() > self.bytes_max {
                return formatter.write_str("...");
            }
            if misleads(letter) {
                write!(formatter, "{}", letter.escape_unicode())?;
            } else {
                formatter.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// Control characters, line and paragraph separators, and those that turn the direction of text.
fn misleads(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Fields as `name=value name=value`. A value whose name says that it is secret is left out here, where its end is known; the log itself masks
/// what else looks like one.
pub(super) struct Fields<'fields> {
    pub(super) labels: &'fields [Label],
    pub(super) shapes: &'fields Shapes,
}

impl fmt::Display for Fields<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, field) in self.labels.iter().take(FIELDS_MAX).enumerate() {
            if index > 0 {
                formatter.write_char(' ')?;
            }
            let name = Escaped { text: &field.name, bytes_max: FIELD_NAME_BYTES_MAX };
            let is_secret = self.shapes.is_secret(&field.name, &field.value, Bond::Assigned);
            let value = Escaped { text: if is_secret { MASKED } else { &field.value }, bytes_max: FIELD_VALUE_BYTES_MAX };
            write!(formatter, "{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        Escaped { text, bytes_max: MESSAGE_BYTES_MAX }.to_string()
    }

    fn label(name: &str, value: &str) -> Label {
        Label { name: name.into(), value: value.into() }
    }

    fn told(labels: &[Label]) -> String {
        Fields { labels, shapes: &Shapes::default() }.to_string()
    }

    #[test]
    fn a_log_line_cannot_forge_another() {
        for (text, expected) in [
            ("plain é 日", "plain é 日"),
            ("a\nINFO forged", r"a\u{a}INFO forged"),
            ("a\r\tb", r"a\u{d}\u{9}b"),
            ("\u{1b}[2Jgone", r"\u{1b}[2Jgone"),
            ("a\u{202e}b\u{2028}c\u{2066}d", r"a\u{202e}b\u{2028}c\u{2066}d"),
            ("\u{9b}31m", r"\u{9b}31m"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        assert_eq!(escaped(&"a".repeat(MESSAGE_BYTES_MAX)).len(), MESSAGE_BYTES_MAX);
        assert_eq!(escaped(&"日".repeat(MESSAGE_BYTES_MAX)), format!("{}...", "日".repeat(MESSAGE_BYTES_MAX / 3)));
    }

    #[test]
    fn fields_are_bounded_in_number_and_length() {
        assert_eq!(told(&[label("a", "1"), label("b\n", "2")]), r"a=1 b\u{a}=2");
        let many: Vec<Label> = (0..FIELDS_MAX + 8).map(|index| label("n", &index.to_string())).collect();
        assert_eq!(told(&many).split(' ').count(), FIELDS_MAX);
        let long = [label(&"n".repeat(1000), &"v".repeat(10_000))];
        assert!(told(&long).len() <= FIELD_NAME_BYTES_MAX + FIELD_VALUE_BYTES_MAX + "...=...".len());
    }

    #[test]
    fn a_field_whose_name_says_that_it_is_secret_is_masked_to_its_end() {
        let labels = [label("dbPassword", "correct horse battery"), label("token", "ok"), label("api_key", "k-1"), label("host", "a b")];
        assert_eq!(told(&labels), "dbPassword=[masked] token=ok api_key=[masked] host=a b");
    }

    #[test]
    fn a_line_costs_all_that_was_given() {
        assert_eq!(cost("abc", &[label("de", "f")]), 6);
        assert_eq!(cost(&"a".repeat(100_000), &[]), 100_000);
    }
}
