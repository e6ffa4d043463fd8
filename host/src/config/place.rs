//! Where something stands: a file that was read, and a stretch of it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::veil::{Veil, veils};

/// A file of the configuration with its text, kept so that a check can be judged (and pointed at) long after it was read.
pub(super) struct Source {
    /// As it is shown to a person.
    path: PathBuf,
    text: String,
    /// Byte offset of the first character of every line.
    line_starts: Vec<usize>,
    /// Found when something is wrong.
    veils: OnceLock<Vec<Veil>>,
}

/// A stretch of a [`Source`] in bytes. Files are far below 4 GiB, and there is one of these for every key of every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// A [`Span`] in the words of a person.
pub(super) struct Position<'a> {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The whole line, without its end.
    pub line_text: &'a str,
    /// Where it begins in the file, in bytes.
    pub line_start: usize,
    /// How many characters of the line the span covers; at least 1.
    pub width: usize,
}

/// The mark that some editors put before the first character.
const BYTE_ORDER_MARK: char = '\u{feff}';

impl Source {
    pub(super) fn new(path: PathBuf, text: String) -> Source {
        let first = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
        let mut line_starts = vec![first];
        line_starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
        Source { path, text, line_starts, veils: OnceLock::new() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What of it no excerpt shows.
    pub(super) fn veils(&self) -> &[Veil] {
        self.veils.get_or_init(|| veils(&self.text))
    }

    /// Nothing but white space, as a file is for a moment while it is saved in place.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty()
    }

    /// The text of a span; empty where the span is none of this file.
    pub(super) fn slice(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    /// The place at `offset` bytes into `value`, the text that a string at `span` gives; the whole span where the two do not run
    /// side by side (escapes, three quotes).
    pub(super) fn inside_text(&self, span: Span, value: &str, offset: usize) -> Span {
        let written = self.slice(span);
        let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or("");
        if offset > 0 && inner == value { span.part(1 + offset, 1) } else { span }
    }

    pub(super) fn position(&self, span: Span) -> Position<'_> {
        let first = self.line_starts.first().copied().unwrap_or(0);
        let start = self.text.floor_char_boundary((span.start as usize).clamp(first, self.text.len().max(first)));
        let end = self.text.floor_char_boundary((span.end as usize).max(start));
        let line = self.line_starts.partition_point(|line_start| *line_start <= start).max(1);
        let line_start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let line_text = self.text.get(line_start..).unwrap_or("").lines().next().unwrap_or("");
        let before = self.text.get(line_start..start).unwrap_or("").chars().count();
        let covered = self.text.get(start..end).unwrap_or("").lines().next().unwrap_or("").chars().count();
        Position { line, column: before + 1, line_text, line_start, width: covered.max(1) }
    }
}

/// The path alone: the text may hold what does not belong in a log.
impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Source").field(&self.path).finish()
    }
}

impl Span {
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    /// `length` bytes at `offset` bytes into the span.
    pub(super) fn part(self, offset: usize, length: usize) -> Span {
        let start = self.start.saturating_add(narrow(offset)).min(self.end);
        Span { start, end: start.saturating_add(narrow(length)) }
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Span {
        Span { start: narrow(range.start), end: narrow(range.end) }
    }
}

fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new(PathBuf::from("sickbay.toml"), text.to_owned())
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let source = source("a = 1\n\"ü\" = nine\n");
        let at = source.text().find("nine").map(|start| Span::from(start..start + 4)).map(|span| {
            let position = source.position(span);
            (position.line, position.column, position.width, position.line_text.to_owned())
        });
        assert_eq!(at, Some((2, 7, 4, "\"ü\" = nine".to_owned())));
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let source = source("\u{feff}name = 1");
        let position = source.position(Span::from(3..7));
        assert_eq!((position.line, position.column, position.line_text), (1, 1, "name = 1"));
    }

    #[test]
    fn a_span_over_several_lines_is_shown_by_its_first() {
        let source = source("a = [\n  1,\n]\n");
        let position = source.position(Span::from(4..12));
        assert_eq!((position.line, position.column, position.width), (1, 5, 1));
    }

    #[test]
    fn a_span_behind_the_end_is_the_end() {
        let source = source("a =");
        let position = source.position(Span::from(90..99));
        assert_eq!((position.line, position.column, position.width), (1, 4, 1));
    }

    #[test]
    fn a_place_inside_a_text_is_found_unless_the_text_is_escaped() {
        let source = source("a = \"GET x\"\nb = \"G\\tx\"\n");
        assert_eq!(source.inside_text(Span::from(4..11), "GET x", 4), Span::from(9..10));
        assert_eq!(source.inside_text(Span::from(16..22), "G\tx", 2), Span::from(16..22));
    }

    #[test]
    fn an_empty_file_has_one_line() {
        let source = source("");
        let position = source.position(Span::from(0..0));
        assert_eq!((position.line, position.column, position.line_text), (1, 1, ""));
    }
}
