//! From text to expression: the bounds that are checked before the parser sees the text, and the parser itself.
//!
//! The parser of the `cel` crate recurses over brackets, over conditionals and over chains of operators, and may panic on rubbish.
//! So the text is scanned first for how deep it goes, and it is parsed on a thread of its own, whose stack suffices for
//! what the scan lets through and whose panic ends nothing else. Conditions are parsed when a configuration is read, never in a run.

use std::thread;

use cel::IdedExpr;
use cel::common::ast::SourceInfo;
use cel::parser::{ParseErrors, Parser};

use super::{CONDITION_BYTES_MAX, ConditionError};

/// Brackets and conditionals inside each other.
const NESTING_MAX: usize = 64;

/// Operators, selections, calls and indexes that follow each other, over all levels that are open.
/// `&&` and `||` end a chain: the parser balances them.
const CHAIN_MAX: usize = 128;

const PARSER_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Refuses a text that is empty, too long or too deep.
pub(super) fn check_bounds(source: &str) -> Result<(), ConditionError> {
    if source.trim().is_empty() {
        return Err(ConditionError::new("it is empty; hint: write a comparison such as `report.metrics.latency_seconds > 0.2`", None));
    }
    if source.len() > CONDITION_BYTES_MAX {
        let message =
            format!("it is {} bytes long, the limit is {CONDITION_BYTES_MAX}; hint: split it into several conditions", source.len());
        return Err(ConditionError::new(message, None));
    }
    Depth::default().scan(source)
}

/// Parses a text that [`check_bounds`] let through.
pub(super) fn parse(source: &str) -> Result<(IdedExpr, SourceInfo), ConditionError> {
    let parsed = thread::scope(|scope| {
        let builder = thread::Builder::new().name("condition".to_owned()).stack_size(PARSER_STACK_BYTES);
        let parser = move || Parser::default().parse_with_source_info(source).map_err(|errors| error_of(&errors));
        builder.spawn_scoped(scope, parser).map(|handle| handle.join())
    });
    match parsed {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(ConditionError::new("it is not valid CEL: the parser gave up on it", None)),
        Err(error) => Err(ConditionError::new(format!("no thread to parse it on: {error}"), None)),
    }
}

/// The first error that has a place, else the first.
fn error_of(errors: &ParseErrors) -> ConditionError {
    let error = errors.errors.iter().find(|error| error.pos.0 > 0).or(errors.errors.first());
    let Some(error) = error else {
        return ConditionError::new("it is not valid CEL", None);
    };
    let place = match (usize::try_from(error.pos.0), usize::try_from(error.pos.1)) {
        (Ok(line), Ok(column)) if line > 0 && column > 0 => Some((line, column)),
        _ => None,
    };
    // The parser lists every token that it would have taken; nobody reads that.
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    let message = message.split(" expecting ").next().unwrap_or(message);
    match message {
        message if message.starts_with("token recognition error at: '=") => {
            ConditionError::new("`=` is no operator; hint: two values are compared with `==`", place)
        }
        "UNKNOWN" => ConditionError::new("it nests too deep; hint: split it into several conditions", place),
        message => ConditionError::new(format!("it is not valid CEL: {message}"), place),
    }
}

/// Line and column, from 1, of the byte at `offset`.
pub(super) fn place_of(source: &str, offset: usize) -> (usize, usize) {
    let before = source.get(..offset).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What is open between one pair of brackets.
#[derive(Clone, Copy, Default)]
struct Level {
    conditionals: usize,
    operators: usize,
    links: usize,
}

/// How deep the place of a scan is: the outermost level and one for each open bracket.
#[derive(Default)]
struct Depth {
    outer: Vec<Level>,
    level: Level,
}

impl Depth {
    fn scan(mut self, source: &str) -> Result<(), ConditionError> {
        let bytes = source.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let next = match bytes[at] {
                b'"' | b'\'' => end_of_string(bytes, at),
                b'/' if bytes[at..].starts_with(b"//") => end_of_line(bytes, at),
                byte if is_word(byte) => end_of_word(bytes, at),
                _ => at + 1,
            };
            self.take(&bytes[at..next]);
            self.check().map_err(|message| ConditionError::new(message, Some(place_of(source, at))))?;
            at = next;
        }
        Ok(())
    }

    /// Counts one token: a word, a text, a comment or a single byte.
    fn take(&mut self, token: &[u8]) {
        match token {
            b"(" | b"[" | b"{" => {
                // A call or an index is a link of the chain that it follows.
                self.level.links += 1;
                self.outer.push(self.level);
                self.level = Level::default();
            }
            b")" | b"]" | b"}" => self.level = self.outer.pop().unwrap_or_default(),
            b"," => self.level = Level::default(),
            b"&" | b"|" | b":" => self.level = Level { conditionals: self.level.conditionals, ..Level::default() },
            b"?" => self.level = Level { conditionals: self.level.conditionals + 1, ..Level::default() },
            b"." => self.level.links += 1,
            b"+" | b"-" | b"*" | b"/" | b"%" | b"<" | b">" | b"=" | b"in" => {
                self.level.operators += 1;
                self.level.links = 0;
            }
            _ => {}
        }
    }

    fn check(&self) -> Result<(), String> {
        let levels = || self.outer.iter().chain([&self.level]);
        let nesting = self.outer.len() + levels().map(|level| level.conditionals).sum::<usize>();
        if nesting > NESTING_MAX {
            return Err(format!("it nests more than {NESTING_MAX} levels deep; hint: split it into several conditions"));
        }
        let chain: usize = levels().map(|level| level.operators + level.links).sum();
        if chain > CHAIN_MAX {
            return Err(format!("it chains more than {CHAIN_MAX} operators; hint: split it into several conditions"));
        }
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn end_of_word(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| !is_word(*byte)).map_or(bytes.len(), |length| start + length)
}

fn end_of_line(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| start + length)
}

/// Where the text literal ends whose first quote is at `start`: raw ones (`r"..."`) know no escapes, triple quotes may span lines.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let word_start = bytes[..start].iter().rposition(|byte| !is_word(*byte)).map_or(0, |before| before + 1);
    let raw = matches!(&bytes[word_start..start], [b'r' | b'R'] | [b'b' | b'B', b'r' | b'R']);
    let quotes = if bytes[start..].starts_with(&[quote; 3]) { 3 } else { 1 };
    let mut at = start + quotes;
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if bytes[at] == quote && (quotes == 1 || bytes[at..].starts_with(&[quote; 3])) {
            return at + quotes;
        } else if bytes[at] == b'\n' && quotes == 1 {
            return at;
        } else {
            at += 1;
        }
    }
    bytes.len()
}
