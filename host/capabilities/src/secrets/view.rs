//! A text as whoever reads it decodes it, with the way back: of each decoded byte, where its spelling stands in the text.
//!
//! A text is read window by window. Of what went before a window as much is held as a spelling may need that began there, so that what is
//! found does not depend on how large the windows are.
//!
//! Limits: what is held is 17 bytes for each of a window and of what is kept before it.

use std::ops::Range;

use memchr::memchr;

use super::escape::{Decoding, Escape};
use super::spelling::Alphabet;

/// Whether a text is all that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    /// It went on.
    Cut,
}

/// One reading of a text, as far as it was read.
pub(super) struct Reading<'text> {
    text: &'text [u8],
    end: End,
    decoding: Decoding,
    /// Whether a byte may begin something else than itself.
    is_mark: [bool; 256],
    /// How far the text was read.
    at: usize,
    /// Of a text that stands for itself, what is held begins here; of any other it is `bytes`.
    from: usize,
    bytes: Vec<u8>,
    /// Where the spelling of each of `bytes` stands.
    spans: Vec<Span>,
    /// So much of what is held was looked through.
    seen: usize,
    /// The text ended within an escape, which is left out.
    ends_in_escape: bool,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

/// The text itself and every decoding that makes another text of it. `spaces`: is what is looked for likely to have any?
pub(super) fn all(text: &[u8], end: End, spaces: bool) -> impl Iterator<Item = Reading<'_>> {
    let has = |mark: u8| memchr(mark, text).is_some();
    let (percent, backslash, ampersand) = (has(b'%'), has(b'\\'), has(b'&'));
    let is_escaped = percent || backslash || ampersand;
    let wanted = [
        (Decoding::AsItIs, true),
        (Decoding::Percent, percent),
        (Decoding::Form, spaces && has(b'+')),
        (Decoding::Json, backslash),
        (Decoding::Entities, ampersand),
        (Decoding::Nested, is_escaped),
        (Decoding::Folded, is_escaped || has(b'\n') || has(b'\r')),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(move |(decoding, _)| Reading::new(text, end, decoding))
}

impl<'text> Reading<'text> {
    fn new(text: &'text [u8], end: End, decoding: Decoding) -> Reading<'text> {
        let mut is_mark = [false; 256];
        for mark in decoding.marks() {
            is_mark[usize::from(*mark)] = true;
        }
        let (bytes, spans) = (Vec::new(), Vec::new());
        Reading { text, end, decoding, is_mark, at: 0, from: 0, bytes, spans, seen: 0, ends_in_escape: false }
    }

    /// Whether spellings in this alphabet are looked for here.
    pub(super) fn is_for(&self, alphabet: Alphabet) -> bool {
        match self.decoding {
            Decoding::AsItIs => true,
            Decoding::Folded => alphabet == Alphabet::Coded,
            _ => alphabet == Alphabet::Own,
        }
    }

    /// Reads on by so many bytes of the text; of what is held now the last `kept` stay. False where all of it was read before.
    pub(super) fn advance(&mut self, window: usize, kept: usize) -> bool {
        if self.is_over() {
            return false;
        }
        let gone = self.bytes().len().saturating_sub(kept);
        self.seen = self.seen.saturating_sub(gone);
        let upto = self.at.saturating_add(window.max(1)).min(self.text.len());
        if self.decoding == Decoding::AsItIs {
            self.from += gone;
            self.at = upto;
        } else {
            self.bytes.drain(..gone);
            self.spans.drain(..gone);
            self.decode(upto);
        }
        true
    }

    /// An escape that begins before `upto` is read to its end.
    fn decode(&mut self, upto: usize) {
        while self.at < upto {
            let rest = &self.text[self.at..upto];
            let plain = rest.iter().position(|byte| self.is_mark[usize::from(*byte)]).unwrap_or(rest.len());
            self.bytes.extend_from_slice(&rest[..plain]);
            self.spans.extend((self.at..self.at + plain).map(|start| Span { start, end: start + 1 }));
            self.at += plain;
            if self.at < upto {
                self.read_mark();
            }
        }
    }

    fn read_mark(&mut self) {
        match self.decoding.read(&self.text[self.at..]) {
            // What it would have become is not known, and it is no end of what stands before it.
            Escape::Incomplete if self.end == End::Cut => {
                self.ends_in_escape = true;
                self.at = self.text.len();
            }
            Escape::None | Escape::Incomplete => self.push(&[self.text[self.at]], 1),
            Escape::Means { bytes, count, length } => self.push(&bytes[..count], length),
        }
    }

    fn push(&mut self, meant: &[u8], length: usize) {
        let span = Span { start: self.at, end: self.at + length };
        self.bytes.extend_from_slice(meant);
        self.spans.resize(self.bytes.len(), span);
        self.at = span.end;
    }

    /// What is held.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.decoding == Decoding::AsItIs { &self.text[self.from..self.at] } else { &self.bytes }
    }

    /// What ends within so many of the bytes was found before.
    pub(super) fn seen(&self) -> usize {
        self.seen
    }

    /// What ends within so many of the bytes can be told: while the text goes on, it is not known what comes behind the last one.
    pub(super) fn known(&self) -> usize {
        if self.is_over() { self.bytes().len() } else { self.bytes().len().saturating_sub(1) }
    }

    /// All that is known was looked through.
    pub(super) fn see(&mut self) {
        self.seen = self.known();
    }

    fn is_over(&self) -> bool {
        self.at == self.text.len()
    }

    /// What is held ends where the text was cut.
    pub(super) fn is_cut(&self) -> bool {
        self.is_over() && self.end == End::Cut
    }

    /// Whether nothing stands in the text between the byte at `at`, which is not the first one, and the one before it.
    pub(super) fn adjoins(&self, at: usize) -> bool {
        self.decoding == Decoding::AsItIs || self.spans[at - 1].end == self.spans[at].start
    }

    /// The place in the text of what stands at `range`, which is not empty. At the end of a cut text the escape that was cut belongs to it.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        if self.decoding == Decoding::AsItIs {
            return self.from + range.start..self.from + range.end;
        }
        let is_last = range.end == self.bytes.len() && self.is_over();
        let end = if is_last && self.ends_in_escape { self.text.len() } else { self.spans[range.end - 1].end };
        self.spans[range.start].start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its bytes and their places, read in windows of so many bytes.
    fn read(text: &[u8], end: End, decoding: Decoding, window: usize) -> (Vec<u8>, Vec<(usize, usize)>) {
        let mut reading = Reading::new(text, end, decoding);
        while reading.advance(window, usize::MAX) {}
        let places = (0..reading.bytes().len()).map(|at| reading.place(at..at + 1)).map(|place| (place.start, place.end));
        (reading.bytes().to_vec(), places.collect())
    }

    fn decoded(text: &str, end: End, decoding: Decoding) -> String {
        String::from_utf8_lossy(&read(text.as_bytes(), end, decoding, usize::MAX).0).into_owned()
    }

    #[test]
    fn a_text_is_read_only_in_the_ways_that_make_another_text_of_it() {
        use Decoding::{AsItIs, Entities, Folded, Form, Json, Nested, Percent};
        for (text, spaces, expected) in [
            ("plain text", true, vec![AsItIs]),
            ("", true, vec![AsItIs]),
            ("two\nlines", true, vec![AsItIs, Folded]),
            ("a%41", true, vec![AsItIs, Percent, Nested, Folded]),
            ("a\\n", true, vec![AsItIs, Json, Nested, Folded]),
            ("a&b", true, vec![AsItIs, Entities, Nested, Folded]),
            ("a+b", true, vec![AsItIs, Form]),
            ("a+b", false, vec![AsItIs]),
        ] {
            let decodings: Vec<Decoding> = all(text.as_bytes(), End::Whole, spaces).map(|reading| reading.decoding).collect();
            assert_eq!(decodings, expected, "{text}");
        }
    }

    #[test]
    fn an_escape_that_was_cut_is_left_out() {
        for (decoding, text, expected) in [
            (Decoding::Percent, "ab%", "ab"),
            (Decoding::Percent, "ab%2", "ab"),
            (Decoding::Percent, "ab%z", "ab%z"),
            (Decoding::Json, r"ab\", "ab"),
            (Decoding::Json, r"ab\u", "ab"),
            (Decoding::Json, r"ab\u00e", "ab"),
            (Decoding::Json, r"ab\x4", "ab"),
            (Decoding::Json, r"ab\ud83d", "ab"),
            (Decoding::Json, r"ab\ud83d\u", "ab"),
            (Decoding::Json, r"ab\ud83d\ude0", "ab"),
            (Decoding::Entities, "ab&", "ab"),
            (Decoding::Entities, "ab&#x4", "ab"),
            (Decoding::Entities, "ab&abcdefghijk", "ab&abcdefghijk"),
            (Decoding::Nested, r"ab\\", "ab"),
            (Decoding::Nested, r"ab\\u00", "ab"),
            (Decoding::Nested, "ab%25", "ab"),
            (Decoding::Nested, "ab&amp;#6", "ab"),
        ] {
            assert_eq!(decoded(text, End::Cut, decoding), expected, "{decoding:?} {text}");
        }
        for text in ["ab%2", r"ab\u00e", "ab&#x4"] {
            assert_eq!(decoded(text, End::Whole, Decoding::Nested), text);
        }
    }

    #[test]
    fn the_way_back_covers_whole_spellings() {
        for (decoding, text, places) in [
            (Decoding::Percent, "x%41%42y", vec![(0, 1), (1, 4), (4, 7), (7, 8)]),
            // Half a letter is the whole escape.
            (Decoding::Json, "x\\u00e9y", vec![(0, 1), (1, 7), (1, 7), (7, 8)]),
            (Decoding::Nested, "x\\\\u0041%2541y", vec![(0, 1), (1, 8), (8, 13), (13, 14)]),
            (Decoding::Folded, "x\r\ny", vec![(0, 1), (3, 4)]),
        ] {
            assert_eq!(read(text.as_bytes(), End::Whole, decoding, usize::MAX).1, places, "{text}");
        }
        let mut cut = Reading::new(b"ab%4", End::Cut, Decoding::Percent);
        cut.advance(usize::MAX, 0);
        assert_eq!((cut.place(0..2), cut.place(0..1)), (0..4, 0..1), "what was cut goes along");
    }

    #[test]
    fn a_text_is_read_the_same_in_windows_of_every_size() {
        let text = b"a%2541\\\\u0042\r\n&amp;#67;\\ud83d\\ude00\\\\\\\\\\%&#x4";
        for decoding in [Decoding::AsItIs, Decoding::Percent, Decoding::Json, Decoding::Entities, Decoding::Nested, Decoding::Folded] {
            for end in [End::Whole, End::Cut] {
                let whole = read(text, end, decoding, usize::MAX);
                for window in 1..=text.len() {
                    assert_eq!(read(text, end, decoding, window), whole, "{decoding:?} {end:?} by {window}");
                }
            }
        }
    }

    #[test]
    fn of_what_was_read_only_so_much_is_held_as_is_kept() {
        let text = [b'x'; 100];
        for decoding in [Decoding::AsItIs, Decoding::Percent] {
            let mut reading = Reading::new(&text, End::Whole, decoding);
            while reading.advance(10, 3) {
                assert!(reading.bytes().len() <= 13, "{decoding:?}");
                reading.see();
            }
            assert_eq!((reading.bytes().len(), reading.place(12..13)), (13, 99..100), "{decoding:?}");
        }
    }
}
