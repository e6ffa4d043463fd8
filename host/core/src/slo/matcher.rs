//! Matchers over labels: `service="api"`, with `=`, `!=`, and with `=~` and `!~` for a regular expression over the whole value.
//!
//! The value stands in quotes, in which `\"`, `\\` and `\n` are what they are elsewhere and any other backslash is itself; one without quotes
//! goes on to the end. A label that is not there has the empty value.
//!
//! Limits: [`MATCHER_BYTES_MAX`], [`PATTERN_BYTES_MAX`] of a compiled expression.

use regex::{Regex, RegexBuilder};

use crate::text::one_line;

pub const MATCHER_BYTES_MAX: usize = 4096;
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// What a message tells of an expression.
const SHOWN_BYTES_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
}

impl Operation {
    /// The longer ones first: `=` begins `=~`.
    const ALL: [(&'static str, Operation); 4] =
        [("=~", Operation::Matches), ("!~", Operation::MatchesNot), ("!=", Operation::NotEqual), ("=", Operation::Equal)];
}

/// One comparison of one label.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    operation: Operation,
    value: String,
    /// Of `=~` and `!~`.
    pattern: Option<Regex>,
}

/// Why a text is no matcher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct MatcherError {
    pub reason: String,
    /// Where in the text, in bytes.
    pub offset: usize,
}

impl Matcher {
    pub fn parse(text: &str) -> Result<Matcher, MatcherError> {
        let wrong = |reason: &str, rest: &str| MatcherError { reason: reason.to_owned(), offset: text.len() - rest.len() };
        if text.len() > MATCHER_BYTES_MAX {
            return Err(wrong("it is too long", text));
        }
        let begin = text.trim_start();
        let len = begin.find(|character: char| character != '_' && !character.is_ascii_alphanumeric()).unwrap_or(begin.len());
        let (name, rest) = begin.split_at(len);
        if name.is_empty() {
            return Err(wrong("the name of a label is missing", begin));
        }
        let behind_name = rest.trim_start();
        let known = Operation::ALL.into_iter().find_map(|(sign, operation)| Some((operation, behind_name.strip_prefix(sign)?)));
        let (operation, rest) = known.ok_or_else(|| wrong("one of `=`, `!=`, `=~` and `!~` is missing", behind_name))?;
        let begin = rest.trim();
        // A blank at the end is behind the place.
        let at_value = rest.trim_start();
        let value = match begin.strip_prefix('"') {
            Some(quoted) => unquoted(quoted).map_err(|reason| wrong(reason, at_value))?,
            None if begin.contains('"') => return Err(wrong("a quote in a bare value; write the whole value in quotes", at_value)),
            None => begin.to_owned(),
        };
        let pattern = match operation {
            Operation::Equal | Operation::NotEqual => None,
            Operation::Matches | Operation::MatchesNot => Some(anchored(&value).map_err(|reason| wrong(&reason, at_value))?),
        };
        Ok(Matcher { name: name.to_owned(), operation, value, pattern })
    }

    /// The label's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a label with this value matches.
    pub fn accepts(&self, value: &str) -> bool {
        let is_match = self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.operation {
            Operation::Equal => value == self.value,
            Operation::NotEqual => value != self.value,
            Operation::Matches => is_match,
            Operation::MatchesNot => !is_match,
        }
    }
}

/// What stands behind an opening quote, up to the closing one, with which the text ends.
fn unquoted(text: &str) -> Result<String, &'static str> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' if characters.as_str().is_empty() => return Ok(value),
            '"' => return Err("there is more behind the closing quote"),
            '\\' => match characters.next() {
                Some('n') => value.push('\n'),
                Some(escaped @ ('"' | '\\')) => value.push(escaped),
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err("the closing quote is missing")
}

fn anchored(value: &str) -> Result<Regex, String> {
    let pattern = RegexBuilder::new(&format!("^(?:{value})$")).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build();
    pattern.map_err(|error| {
        let text = error.to_string();
        let reason = text.rsplit("error: ").next().unwrap_or(&text);
        format!("`{}` is no regular expression: {}", one_line(value, SHOWN_BYTES_MAX), one_line(reason, SHOWN_BYTES_MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(text: &str, value: &str) -> bool {
        Matcher::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).accepts(value)
    }

    #[test]
    fn a_matcher_compares_the_whole_value() {
        for (text, value) in [
            ("service=\"api\"", "api"),
            (" service = \"api\" ", "api"),
            ("service=api", "api"),
            ("service!=\"api\"", ""),
            ("service=~\"api|web\"", "web"),
            ("service!~\"api|web\"", "website"),
            ("service=\"\"", ""),
            (r#"service="a \"b\" \\""#, r#"a "b" \"#),
            (r#"service=~"\d+""#, "42"),
        ] {
            assert!(accepts(text, value), "{text} {value}");
        }
        for (text, value) in [("service=\"api\"", "api2"), ("service=~\"api\"", "api2"), ("service!=\"api\"", "api"), ("a!~\"b\"", "b")] {
            assert!(!accepts(text, value), "{text} {value}");
        }
        assert_eq!(Matcher::parse("service=\"api\"").map(|matcher| matcher.name().to_owned()), Ok("service".to_owned()));
    }

    #[test]
    fn what_is_no_matcher_is_told_with_its_place() {
        for (text, reason, offset) in [
            ("", "the name of a label is missing", 0),
            ("=\"api\"", "the name of a label is missing", 0),
            ("service", "one of `=`, `!=`, `=~` and `!~` is missing", 7),
            ("service: \"api\"", "one of `=`, `!=`, `=~` and `!~` is missing", 7),
            ("service=\"api", "the closing quote is missing", 8),
            ("service=\"a\" b", "there is more behind the closing quote", 8),
            ("service=a\"b\"", "a quote in a bare value; write the whole value in quotes", 8),
            ("service=~\"(\"", "`(` is no regular expression: unclosed group", 9),
        ] {
            assert_eq!(Matcher::parse(text).err(), Some(MatcherError { reason: reason.to_owned(), offset }), "{text}");
        }
        assert!(Matcher::parse(&format!("a=\"{}\"", "x".repeat(MATCHER_BYTES_MAX))).is_err());
    }
}
