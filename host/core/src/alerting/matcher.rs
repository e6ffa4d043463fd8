//! Matchers over labels, in Alertmanager's grammar: `severity=~"P0|P1"`.
//!
//! - `=`, `!=`, `=~` and `!~`; a regular expression must match the whole value.
//! - Names and values may be quoted, with `\"`, `\\` and `\n`; a backslash before anything else is itself, so `"\d+"` is what it looks like.
//! - In the older form the value is bare: `severity=~P0|P1`. Alone it goes on to the end of the text, in a list up to `,` or `}`.
//! - A label that is not there has the empty value. `status` and `severity` can be matched also where no label has that name.
//!
//! Limits: [`MATCHER_BYTES_MAX`], [`MATCHERS_MAX`] of a list, [`PATTERN_BYTES_MAX`] of a compiled expression.
//! Invariant: matching takes time linear in the value, whatever the expression is.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::incident::Severity;
use super::labels::LabelSet;
use crate::Status;
use crate::text::one_line;

pub const MATCHER_BYTES_MAX: usize = 4096;
pub const MATCHERS_MAX: usize = 64;
/// Of a regular expression when it is compiled.
pub const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Of a text that is read: the longest matcher with every character escaped.
const TEXT_BYTES_MAX: usize = 2 * MATCHER_BYTES_MAX + 16;

/// Characters that end a bare name.
const RESERVED: &str = "{}=!~,\"`'\\";

/// What is matched: an alert's labels, and what can be matched beside them.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub labels: &'a LabelSet,
    pub status: Status,
    pub severity: Severity,
}

impl<'a> Subject<'a> {
    fn value(&self, name: &str) -> &'a str {
        match (self.labels.get(name), name) {
            (Some(value), _) => value,
            (None, "status") => self.status.as_str(),
            (None, "severity") => self.severity.as_str(),
            (None, _) => "",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Operation::Equal => "=",
            Operation::NotEqual => "!=",
            Operation::Matches => "=~",
            Operation::MatchesNot => "!~",
        }
    }
}

/// One comparison of one label. Two are equal when they are written alike.
#[derive(Clone)]
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
    pub fn new(name: &str, operation: Operation, value: &str) -> Result<Matcher, MatcherError> {
        let at_begin = |reason: String| MatcherError { reason, offset: 0 };
        if name.is_empty() {
            return Err(at_begin("the name of a label is missing".to_owned()));
        }
        if name.len() + value.len() > MATCHER_BYTES_MAX {
            return Err(at_begin(format!("it is longer than {MATCHER_BYTES_MAX} bytes")));
        }
        let pattern = match operation {
            Operation::Equal | Operation::NotEqual => None,
            Operation::Matches | Operation::MatchesNot => Some(anchored(value).map_err(at_begin)?),
        };
        Ok(Matcher { name: name.to_owned(), operation, value: value.to_owned(), pattern })
    }

    /// Reads one matcher.
    pub fn parse(text: &str) -> Result<Matcher, MatcherError> {
        let mut reader = Reader::new(text)?;
        let matcher = reader.matcher(Place::Alone)?;
        reader.end()?;
        Ok(matcher)
    }

    /// Reads `{a="b", c=~"d"}`, with or without braces.
    pub fn parse_list(text: &str) -> Result<Vec<Matcher>, MatcherError> {
        let mut reader = Reader::new(text)?;
        let has_braces = reader.takes('{');
        let mut matchers = Vec::new();
        while !matches!(reader.ahead(), None | Some('}')) {
            if matchers.len() == MATCHERS_MAX {
                return Err(reader.error(format!("there are more than {MATCHERS_MAX} matchers")));
            }
            matchers.push(reader.matcher(Place::InList)?);
            if !reader.takes(',') {
                break;
            }
        }
        if has_braces && !reader.takes('}') {
            return Err(reader.error("`}` is missing".to_owned()));
        }
        reader.end()?;
        Ok(matchers)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn operation(&self) -> Operation {
        self.operation
    }

    pub fn value(&self) -> &str {
        &self.value
    }

    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.accepts(subject.value(&self.name))
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

/// Whether all of `matchers` match.
pub(super) fn all_match(matchers: &[Matcher], subject: &Subject<'_>) -> bool {
    matchers.iter().all(|matcher| matcher.matches(subject))
}

fn anchored(value: &str) -> Result<Regex, String> {
    RegexBuilder::new(&format!("^(?:{value})$")).size_limit(PATTERN_BYTES_MAX).dfa_size_limit(PATTERN_BYTES_MAX).build().map_err(|error| {
        let text = error.to_string();
        let reason = text.rsplit("error: ").next().unwrap_or(&text);
        format!("`{}` is no regular expression: {}", one_line(value, 128), one_line(reason, 128))
    })
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Matcher) -> bool {
        (&self.name, self.operation, &self.value) == (&other.name, other.operation, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_bare = !self.name.contains(|character: char| character.is_whitespace() || RESERVED.contains(character));
        if is_bare {
            formatter.write_str(&self.name)?;
        } else {
            write_quoted(&self.name, formatter)?;
        }
        formatter.write_str(self.operation.as_str())?;
        write_quoted(&self.value, formatter)
    }
}

fn write_quoted(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    write!(formatter, "\"{escaped}\"")
}

impl fmt::Debug for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Matcher, D::Error> {
        Matcher::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alone,
    InList,
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Result<Reader<'a>, MatcherError> {
        let reader = Reader { text, offset: 0 };
        if text.len() > TEXT_BYTES_MAX {
            return Err(reader.error(format!("it has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len())));
        }
        Ok(reader)
    }

    fn error(&self, reason: String) -> MatcherError {
        MatcherError { reason, offset: self.offset }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    /// The next character that is no blank, which it does not take.
    fn ahead(&mut self) -> Option<char> {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn takes(&mut self, wanted: char) -> bool {
        let is_there = self.ahead() == Some(wanted);
        if is_there {
            self.offset += wanted.len_utf8();
        }
        is_there
    }

    fn end(&mut self) -> Result<(), MatcherError> {
        match self.ahead() {
            None => Ok(()),
            Some(_) => Err(self.error(format!("`{}` is too much", one_line(self.rest(), 64)))),
        }
    }

    fn matcher(&mut self, place: Place) -> Result<Matcher, MatcherError> {
        let name = self.name()?;
        let operation = self.operation()?;
        self.ahead();
        let offset = self.offset;
        let value = self.value(place)?;
        Matcher::new(&name, operation, &value).map_err(|error| MatcherError { offset, ..error })
    }

    fn name(&mut self) -> Result<String, MatcherError> {
        if self.ahead() == Some('"') {
            return self.quoted();
        }
        let rest = self.rest();
        let len = rest.find(|character: char| character.is_whitespace() || RESERVED.contains(character)).unwrap_or(rest.len());
        let name = rest.get(..len).unwrap_or_default();
        if name.is_empty() {
            return Err(self.error("the name of a label is missing".to_owned()));
        }
        self.offset += len;
        Ok(name.to_owned())
    }

    fn operation(&mut self) -> Result<Operation, MatcherError> {
        self.ahead();
        let rest = self.rest();
        // The longer ones first: `=` begins `=~`.
        for operation in [Operation::Matches, Operation::MatchesNot, Operation::NotEqual, Operation::Equal] {
            if rest.starts_with(operation.as_str()) && !rest.starts_with("==") {
                self.offset += operation.as_str().len();
                return Ok(operation);
            }
        }
        Err(self.error("one of `=`, `!=`, `=~` and `!~` is missing".to_owned()))
    }

    fn value(&mut self, place: Place) -> Result<String, MatcherError> {
        if self.ahead() == Some('"') {
            return self.quoted();
        }
        let rest = self.rest();
        let len = match place {
            Place::Alone => rest.len(),
            Place::InList => rest.find([',', '}']).unwrap_or(rest.len()),
        };
        let value = rest.get(..len).unwrap_or_default();
        if let Some(quote) = value.find('"') {
            self.offset += quote;
            return Err(self.error("a quote in a bare value; write the whole value in quotes".to_owned()));
        }
        self.offset += len;
        Ok(value.trim_end().to_owned())
    }

    /// A text in quotes; the reader stands on the first.
    fn quoted(&mut self) -> Result<String, MatcherError> {
        let begin = self.offset;
        let mut text = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((index, character)) = characters.next() {
            match character {
                '"' => {
                    self.offset = begin + index + 1;
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                other => text.push(other),
            }
        }
        Err(self.error("the closing quote is missing".to_owned()))
    }
}

#[cfg(test)]
mod tests;
