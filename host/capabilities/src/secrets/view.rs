//! A text as whoever reads it decodes it, with the way back: of each decoded byte, where its spelling stands in the text.

use std::borrow::Cow;
use std::ops::Range;

/// Whether a text is all that there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    /// It went on.
    Cut,
}

pub(super) struct View<'text> {
    bytes: Cow<'text, [u8]>,
    /// Where the spelling of each byte begins; empty where text and view are the same.
    starts: Vec<usize>,
    text_len: usize,
}

/// What begins at the front of a text.
enum Escape {
    /// A byte that stands for itself.
    None,
    /// Perhaps an escape; the text ends before it does.
    Incomplete,
    Means {
        bytes: [u8; 4],
        count: usize,
        /// Bytes of the text that it takes.
        length: usize,
    },
}

type Reader = fn(&[u8]) -> Escape;

/// The text itself and every decoding that makes another text of it. `spaces`: is what is looked for likely to have any?
pub(super) fn all(text: &[u8], end: End, spaces: bool) -> impl Iterator<Item = View<'_>> {
    let readers: [(bool, Reader); 3] = [
        (text.contains(&b'%'), percent as Reader),
        (spaces && text.contains(&b'+'), form as Reader),
        (text.contains(&b'\\'), json as Reader),
    ];
    let plain = View { bytes: Cow::Borrowed(text), starts: Vec::new(), text_len: text.len() };
    let decoded = readers.into_iter().filter(|(wanted, _)| *wanted).map(move |(_, reader)| View::decoded(text, end, reader));
    std::iter::once(plain).chain(decoded)
}

impl<'text> View<'text> {
    fn decoded(text: &'text [u8], end: End, reader: Reader) -> View<'text> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut starts = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            match reader(&text[at..]) {
                // What it would have become is not known, and it is no end of what stands before it.
                Escape::Incomplete if end == End::Cut => break,
                Escape::None | Escape::Incomplete => {
                    bytes.push(text[at]);
                    starts.push(at);
                    at += 1;
                }
                Escape::Means { bytes: meant, count, length } => {
                    bytes.extend_from_slice(&meant[..count]);
                    starts.resize(bytes.len(), at);
                    at += length;
                }
            }
        }
        View { bytes: Cow::Owned(bytes), starts, text_len: text.len() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The place in the text of what stands at `range`, which is not empty. At the end of a cut text the escape that was cut belongs to it.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        if self.starts.is_empty() {
            return range;
        }
        let last = self.starts[range.end - 1];
        let next = self.starts[range.end..].iter().find(|start| **start != last);
        self.starts[range.start]..next.copied().unwrap_or(self.text_len)
    }
}

fn one(byte: u8, length: usize) -> Escape {
    Escape::Means { bytes: [byte, 0, 0, 0], count: 1, length }
}

/// `%41`
fn percent(text: &[u8]) -> Escape {
    match text {
        [b'%', high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => one(high << 4 | low, 3),
            _ => Escape::None,
        },
        [b'%'] => Escape::Incomplete,
        [b'%', high] if hex(*high).is_some() => Escape::Incomplete,
        _ => Escape::None,
    }
}

/// As in forms: `+` is a blank.
fn form(text: &[u8]) -> Escape {
    if text.first() == Some(&b'+') { one(b' ', 1) } else { percent(text) }
}

/// The escapes of a string in JSON.
fn json(text: &[u8]) -> Escape {
    match text {
        [b'\\'] => Escape::Incomplete,
        [b'\\', b'u', ..] => letter(text),
        [b'\\', name, ..] => match name {
            b'"' | b'\\' | b'/' => one(*name, 2),
            b'b' => one(0x08, 2),
            b'f' => one(0x0c, 2),
            b'n' => one(b'\n', 2),
            b'r' => one(b'\r', 2),
            b't' => one(b'\t', 2),
            _ => Escape::None,
        },
        _ => Escape::None,
    }
}

/// `\u00e9`, or two of them for a letter beyond 16 bits.
fn letter(text: &[u8]) -> Escape {
    let first = match unit(text) {
        Ok(first) => first,
        Err(escape) => return escape,
    };
    let (letter, length) = match first {
        0xd800..=0xdbff => {
            let rest = &text[6..];
            if rest.len() < 2 && b"\\u".starts_with(rest) {
                return Escape::Incomplete;
            }
            if !rest.starts_with(b"\\u") {
                return Escape::None;
            }
            let second = match unit(rest) {
                Ok(second) => second,
                Err(escape) => return escape,
            };
            (char::decode_utf16([first, second]).next().and_then(Result::ok), 12)
        }
        unit => (char::from_u32(u32::from(unit)), 6),
    };
    let Some(letter) = letter else { return Escape::None };
    let mut bytes = [0; 4];
    let count = letter.encode_utf8(&mut bytes).len();
    Escape::Means { bytes, count, length }
}

/// The four digits behind `\u`.
fn unit(text: &[u8]) -> Result<u16, Escape> {
    let digits = text.get(2..text.len().min(6)).unwrap_or_default();
    let value = digits.iter().try_fold(0_u16, |value, digit| Some(value << 4 | u16::from(hex(*digit)?)));
    match value {
        None => Err(Escape::None),
        Some(_) if digits.len() < 4 => Err(Escape::Incomplete),
        Some(value) => Ok(value),
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8], end: End) -> Vec<Vec<u8>> {
        all(text, end, true).skip(1).map(|view| view.bytes().to_vec()).collect()
    }

    #[test]
    fn a_text_without_escapes_is_read_once() {
        assert_eq!(all(b"plain text", End::Cut, true).count(), 1);
        assert_eq!(all(b"a+b", End::Whole, false).count(), 1);
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (text, views) in [
            ("a%2Fb%2fc%zz%", vec!["a/b/c%zz%"]),
            ("a+%2Bb", vec!["a++b", "a +b"]),
            (r#"\"\\\/\b\f\n\r\t\x"#, vec!["\"\\/\u{8}\u{c}\n\r\t\\x"]),
            (r"\u0041\u00e9\u65e5", vec!["A\u{e9}\u{65e5}"]),
            (r"\ud83d\ude00!", vec!["\u{1f600}!"]),
            (r"\ud83dx\ude00\u00g0", vec![r"\ud83dx\ude00\u00g0"]),
        ] {
            let views: Vec<&[u8]> = views.into_iter().map(str::as_bytes).collect();
            assert_eq!(decoded(text.as_bytes(), End::Whole), views, "{text}");
        }
    }

    #[test]
    fn an_escape_that_was_cut_is_left_out() {
        for (text, view) in [
            ("ab%", "ab"),
            ("ab%2", "ab"),
            ("ab%z", "ab%z"),
            (r"ab\", "ab"),
            (r"ab\u", "ab"),
            (r"ab\u00e", "ab"),
            (r"ab\ud83d", "ab"),
            (r"ab\ud83d\u", "ab"),
            (r"ab\ud83d\ude0", "ab"),
        ] {
            assert_eq!(decoded(text.as_bytes(), End::Cut), [view.as_bytes()], "{text}");
            assert_eq!(decoded(text.as_bytes(), End::Whole), [text.as_bytes()], "{text}");
        }
    }

    #[test]
    fn the_way_back_covers_whole_spellings() {
        let text = b"x%41%42y";
        let view = all(text, End::Whole, false).nth(1).expect("a decoding");
        assert_eq!(view.bytes(), b"xABy");
        assert_eq!((view.place(1..3), view.place(0..2), view.place(3..4)), (1..7, 0..4, 7..8));

        let text = b"x\\u00e9y";
        let view = all(text, End::Whole, false).nth(1).expect("a decoding");
        assert_eq!((view.place(1..2), view.place(2..3), view.place(2..4)), (1..7, 1..7, 1..8), "half a letter is the whole escape");

        let view = all(b"ab%4", End::Cut, false).nth(1).expect("a decoding");
        assert_eq!(view.place(0..2), 0..4, "what was cut goes along");
    }
}
