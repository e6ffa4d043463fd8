//! Escapes: what programs write in the place of bytes, and what it means.
//!
//! Each kind is read on its own, so that a secret is found that holds what looks like another one; and once all of them are read together,
//! one within the other, as JSON within JSON, a URL or HTML has them. Base64 and hexadecimal have nothing in their letters that looks like
//! an escape: for them line breaks go too, as mail and PEM have them.
//!
//! Limits: an escape has at most [`ESCAPE_BYTES_MAX`] bytes; within escapes they are read once more, no deeper.

/// Two `\ud83d`.
const ESCAPE_BYTES_MAX: usize = 12;

/// What is made of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoding {
    /// Nothing: it stands for itself.
    AsItIs,
    /// `%41`
    Percent,
    /// The same, and `+` is a blank: forms.
    Form,
    /// The escapes of strings in JSON, and what other languages have beside them.
    Json,
    /// `&amp;`, `&#65;`: HTML, XML.
    Entities,
    /// All escapes, and those within.
    Nested,
    /// The same without line breaks.
    Folded,
}

/// What begins at the front of a text.
#[derive(Clone, Copy)]
pub(super) enum Escape {
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

impl Decoding {
    /// Whatever does not begin with one of them stands for itself.
    pub(super) fn marks(self) -> &'static [u8] {
        match self {
            Decoding::AsItIs => b"",
            Decoding::Percent => b"%",
            Decoding::Form => b"%+",
            Decoding::Json => b"\\",
            Decoding::Entities => b"&",
            Decoding::Nested => b"%\\&",
            Decoding::Folded => b"%\\&\r\n",
        }
    }

    /// What begins at the front of `text`.
    pub(super) fn read(self, text: &[u8]) -> Escape {
        match self {
            Decoding::AsItIs => Escape::None,
            Decoding::Percent => percent(text),
            Decoding::Form => form(text),
            Decoding::Json => json(text),
            Decoding::Entities => entity(text),
            Decoding::Nested => nested(text),
            Decoding::Folded => folded(text),
        }
    }
}

fn one(byte: u8, length: usize) -> Escape {
    Escape::Means { bytes: [byte, 0, 0, 0], count: 1, length }
}

fn letter(letter: Option<char>, length: usize) -> Escape {
    let Some(letter) = letter else { return Escape::None };
    let mut bytes = [0; 4];
    let count = letter.encode_utf8(&mut bytes).len();
    Escape::Means { bytes, count, length }
}

fn percent(text: &[u8]) -> Escape {
    if text.first() == Some(&b'%') { pair(text, 1) } else { Escape::None }
}

fn form(text: &[u8]) -> Escape {
    if text.first() == Some(&b'+') { one(b' ', 1) } else { percent(text) }
}

/// Two hexadecimal digits behind `ahead` bytes.
fn pair(text: &[u8], ahead: usize) -> Escape {
    match text.get(ahead..).unwrap_or_default() {
        [high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => one(high << 4 | low, ahead + 2),
            _ => Escape::None,
        },
        [high] if hex(*high).is_none() => Escape::None,
        _ => Escape::Incomplete,
    }
}

/// `\'` and `\x41` are not JSON's own.
fn json(text: &[u8]) -> Escape {
    match text {
        [b'\\'] => Escape::Incomplete,
        [b'\\', b'u', ..] => utf16(text),
        [b'\\', b'x', ..] => pair(text, 2),
        [b'\\', name, ..] => match name {
            b'"' | b'\\' | b'/' | b'\'' => one(*name, 2),
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
fn utf16(text: &[u8]) -> Escape {
    let first = match unit(text) {
        Ok(first) => first,
        Err(escape) => return escape,
    };
    if !matches!(first, 0xd800..=0xdbff) {
        return letter(char::from_u32(u32::from(first)), 6);
    }
    let rest = &text[6..];
    if rest.len() < 2 && b"\\u".starts_with(rest) {
        return Escape::Incomplete;
    }
    if !rest.starts_with(b"\\u") {
        return Escape::None;
    }
    match unit(rest) {
        Ok(second) => letter(char::decode_utf16([first, second]).next().and_then(Result::ok), 12),
        Err(escape) => escape,
    }
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

/// By a number, or by the names that every writer of HTML and XML has.
fn entity(text: &[u8]) -> Escape {
    let [b'&', rest @ ..] = text else { return Escape::None };
    let within = &rest[..rest.len().min(ESCAPE_BYTES_MAX - 1)];
    match within.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'#')) {
        Some(length) if within[length] == b';' => letter(named(&within[..length]), length + 2),
        None if within.len() < ESCAPE_BYTES_MAX - 1 => Escape::Incomplete,
        _ => Escape::None,
    }
}

/// What stands between `&` and `;`.
fn named(name: &[u8]) -> Option<char> {
    let number = |digits: &[u8], radix| u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok().and_then(char::from_u32);
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}

/// An escape of any kind.
fn any(text: &[u8]) -> Escape {
    match text.first() {
        Some(b'%') => percent(text),
        Some(b'\\') => json(text),
        Some(b'&') => entity(text),
        _ => Escape::None,
    }
}

/// An escape of any kind; where what it means begins another one, that.
fn nested(text: &[u8]) -> Escape {
    let mut within = [0; ESCAPE_BYTES_MAX];
    let mut ends = [0; ESCAPE_BYTES_MAX];
    let (mut at, mut count_within) = (0, 0);
    while count_within < ESCAPE_BYTES_MAX {
        let Some(first) = text.get(at) else { return Escape::Incomplete };
        let (byte, length) = match any(&text[at..]) {
            Escape::None => (*first, 1),
            Escape::Incomplete => return Escape::Incomplete,
            Escape::Means { bytes, count, length } if count > 1 && at == 0 => return Escape::Means { bytes, count, length },
            // The first byte of a longer letter is in no escape.
            Escape::Means { bytes, length, .. } => (bytes[0], length),
        };
        at += length;
        (within[count_within], ends[count_within]) = (byte, at);
        count_within += 1;
        match any(&within[..count_within]) {
            Escape::None => break,
            // One more may complete it.
            Escape::Incomplete => {}
            Escape::Means { bytes, count, length } => return Escape::Means { bytes, count, length: ends[length - 1] },
        }
    }
    one(within[0], ends[0])
}

/// The same, and a line break means nothing.
fn folded(text: &[u8]) -> Escape {
    match nested(text) {
        Escape::Means { bytes: [b'\r' | b'\n', ..], count: 1, length } => Escape::Means { bytes: [0; 4], count: 0, length },
        escape => escape,
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, decoding: Decoding) -> String {
        let (text, mut at, mut decoded) = (text.as_bytes(), 0, Vec::new());
        while at < text.len() {
            match decoding.read(&text[at..]) {
                Escape::Means { bytes, count, length } => {
                    decoded.extend_from_slice(&bytes[..count]);
                    at += length;
                }
                Escape::None | Escape::Incomplete => {
                    decoded.push(text[at]);
                    at += 1;
                }
            }
        }
        String::from_utf8_lossy(&decoded).into_owned()
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (decoding, text, expected) in [
            (Decoding::Percent, "a%2Fb%2fc%zz%", "a/b/c%zz%"),
            (Decoding::Percent, "a+%2Bb", "a++b"),
            (Decoding::Form, "a+%2Bb", "a +b"),
            (Decoding::Json, r#"\"\\\/\b\f\n\r\t\x"#, "\"\\/\u{8}\u{c}\n\r\t\\x"),
            (Decoding::Json, r"\'\x41\x4a\x4g", r"'AJ\x4g"),
            (Decoding::Json, r"\u0041\u00e9\u65e5", "A\u{e9}\u{65e5}"),
            (Decoding::Json, r"\ud83d\ude00!", "\u{1f600}!"),
            (Decoding::Json, r"\ud83dx\ude00\u00g0", r"\ud83dx\ude00\u00g0"),
            (Decoding::Entities, "&amp;&lt;&gt;&quot;&apos;&#39;&#x27;&#X4A;&#x1F600;", "&<>\"'''J\u{1f600}"),
            (Decoding::Entities, "&amp &unknown; &; &#; &#x; &#xd800; &a&#65;", "&amp &unknown; &; &#; &#x; &#xd800; &aA"),
            (Decoding::Nested, r"%41\u0042&#67;", "ABC"),
            (Decoding::Nested, r#"\\\"\\u0041\\\\x"#, "\"A\\x"),
            (Decoding::Nested, "%2541%26amp%3B&amp;#66;&#37;43", "A&BC"),
            (Decoding::Nested, r"\\u00e9 \\ud83d\\ude00 %5Cu65e5", "\u{e9} \u{1f600} \u{65e5}"),
            (Decoding::Nested, r"100% of C:\dir & more", r"100% of C:\dir & more"),
            (Decoding::Folded, "ab\r\ncd\nef\\r\\ngh%0Aij&#10;kl\\\\nmn", "abcdefghijklmn"),
        ] {
            assert_eq!(decoded(text, decoding), expected, "{decoding:?} {text}");
        }
    }

    #[test]
    fn what_begins_with_no_mark_stands_for_itself() {
        use Decoding::{AsItIs, Entities, Folded, Form, Json, Nested, Percent};
        for decoding in [AsItIs, Percent, Form, Json, Entities, Nested, Folded] {
            for byte in (0..=u8::MAX).filter(|byte| !decoding.marks().contains(byte)) {
                assert!(
                    matches!(decoding.read(&[byte, b'2', b'5', b';']), Escape::None | Escape::Means { length: 1, count: 1, .. }),
                    "{decoding:?} {byte}"
                );
            }
        }
    }
}
