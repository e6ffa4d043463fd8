//! Values whose name says that they are secret: `password=...`, `"token": "..."`, `?api_key=...`, in plain text, query strings, JSON and JSON
//! within a text.
//!
//! How sure it is depends on how the text says it. `name=value` and the entry of a JSON object assign a value ([`Bond::Assigned`]): that is
//! hidden, unless it is a word such as `ok` or `missing`, or a small number. Behind a colon in a sentence (`invalid token: line 3`), and in a label
//! that names what it is about ([`Bond::Loose`]), only what looks drawn is; but of a password whatever is no such word, for people choose
//! passwords.

use std::ops::Range;

use super::MASKED;
use super::well_known::{Found, is_blank, run};

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Password,
    /// A password, or a folder.
    Pwd,
    Credential,
    /// A scheme and what it takes.
    Authorization,
    /// Of PagerDuty, or of a message broker.
    RoutingKey,
}

/// How a name and a value belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// The value is that of the name.
    Assigned,
    /// It may be about it.
    Loose,
}

/// Of a value, so much is judged.
const JUDGED_BYTES_MAX: usize = 64;
/// In which that stands, whatever is round it.
const NEAR_BYTES: usize = 128;
/// What looks drawn has at least so many characters behind a colon: `orders-db-2` is the name of a secret.
const DRAWN_BYTES_MIN: usize = 12;
const ROUTING_KEY_BYTES: usize = 32;
/// Blanks round a separator, backslashes before a quote.
const FILL_BYTES_MAX: usize = 8;

/// What stands in the place of a value, or says something of it.
const WORDS: &str = "a absent an and bad cannot changed could denied disabled empty enabled expired failed false for hidden incorrect \
    invalid is mismatch missing must nil no none not null off ok on optional present redacted rejected required \
    revoked set string the true undefined unknown unset valid was wrong yes";
/// With what is put in at another place, or was taken out.
const STAND_INS: [&str; 7] = ["{{", "${", "$(", "%(", "[redacted", "(redacted", "<redacted"];
const SCHEMES: [&str; 5] = ["basic", "bearer", "token", "apikey", "negotiate"];

/// What is hidden of the value behind a name that ends at `mark`.
pub(super) fn value(text: &str, mark: Range<usize>, name: Name) -> Found {
    // Where Sickbay names a secret of the configuration: `{{secret:NAME}}`.
    if text[..mark.start].ends_with("{{") {
        return Err(mark.end);
    }
    let Some((begin, bond)) = assigned(text, mark.end) else { return Err(mark.end) };
    if name == Name::Authorization
        && let Some(credentials) = behind_scheme(text, Quote::at(text.as_bytes(), begin).map_or(begin, |quote| quote.end))
    {
        return if stays(&text[credentials.clone()]) { Err(mark.end) } else { Ok(credentials) };
    }
    // Its beginning decides: a long value is followed to its end only where it is hidden.
    let near = value_at(&text[..text.floor_char_boundary(begin + NEAR_BYTES)], begin);
    if is_secret(name, &text[near], bond) { Ok(value_at(text, begin)) } else { Err(mark.end) }
}

/// Whether a value is to be hidden as a whole.
pub(super) fn is_secret(name: Name, value: &str, bond: Bond) -> bool {
    match (name, bond) {
        (Name::RoutingKey, _) => value.len() == ROUTING_KEY_BYTES && value.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        (Name::Password, _) => !stays(value),
        (Name::Pwd, _) => !stays(value) && !value.starts_with(['/', '~']),
        (Name::Credential | Name::Authorization, Bond::Assigned) => !stays(value) && !is_count(value),
        (Name::Credential | Name::Authorization, Bond::Loose) => {
            let head = head(value);
            let has = |of: fn(char) -> bool| head.contains(of);
            head.len() >= DRAWN_BYTES_MIN && has(|letter| letter.is_ascii_digit()) && has(char::is_alphabetic) && !has(char::is_whitespace)
        }
    }
}

/// Whether a value is none: nothing but punctuation, a word that tells of it, or what stands in its place.
pub(super) fn stays(value: &str) -> bool {
    let head = head(value);
    !head.contains(char::is_alphanumeric)
        || head.starts_with(MASKED.trim_end_matches(']'))
        || STAND_INS.iter().any(|stand_in| head.get(..stand_in.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(stand_in)))
        || WORDS.split(' ').any(|word| head.eq_ignore_ascii_case(word))
}

/// A digit, or a capital letter that begins no word: what people write in a sentence has neither.
pub(super) fn looks_drawn(text: &str) -> bool {
    text.contains(|letter: char| letter.is_ascii_digit()) || text.bytes().skip(1).any(|byte| byte.is_ascii_uppercase())
}

fn is_count(value: &str) -> bool {
    value.len() < 6 && value.parse::<f64>().is_ok()
}

fn head(value: &str) -> &str {
    &value[..value.floor_char_boundary(JUDGED_BYTES_MAX.min(value.len()))]
}

/// Where the value of a name that ends at `name_end` begins, and how the two belong together. None where it is no name of a value.
fn assigned(text: &str, name_end: usize) -> Option<(usize, Bond)> {
    let bytes = text.as_bytes();
    let quote = Quote::at(bytes, name_end);
    let behind_name = match &quote {
        Some(quote) => quote.end,
        // `user[password]=`
        None if bytes.get(name_end) == Some(&b']') => name_end + 1,
        None => name_end,
    };
    let at = behind_blanks(bytes, behind_name);
    let (separator, bond) = match bytes.get(at..)? {
        [b'=', b'=', ..] | [b':', b':', ..] => return None,
        [b'=', b'>', ..] | [b':', b'=', ..] => (2, Bond::Assigned),
        [b'=', ..] => (1, Bond::Assigned),
        [b':', ..] if quote.is_some() => (1, Bond::Assigned),
        [b':', ..] => (1, Bond::Loose),
        [b'%', b'3', b'D' | b'd', ..] => (3, Bond::Assigned),
        _ => return None,
    };
    let mut begin = behind_blanks(bytes, at + separator);
    // The first of a list.
    if quote.is_some() && bytes.get(begin) == Some(&b'[') && !text[begin..].starts_with(MASKED) {
        begin = behind_blanks(bytes, begin + 1);
    }
    Some((begin, bond))
}

/// In quotes, also those of `Some("...")`, or up to where no value goes on.
fn value_at(text: &str, begin: usize) -> Range<usize> {
    let bytes = text.as_bytes();
    if let Some(quote) = Quote::at(bytes, begin) {
        return quote.end..quote.closed(bytes);
    }
    let end = run(text, begin, is_value);
    if bytes[begin..end].ends_with(b"(")
        && let Some(quote) = Quote::at(bytes, end)
    {
        return quote.end..quote.closed(bytes);
    }
    begin..begin + text[begin..end].trim_end_matches([')', ']', '}', '.', ':']).len()
}

/// What follows one of the schemes of HTTP.
fn behind_scheme(text: &str, begin: usize) -> Option<Range<usize>> {
    let end = run(text, begin, |byte| byte.is_ascii_alphanumeric());
    let credentials = run(text, end, is_blank);
    let is_scheme = credentials > end && SCHEMES.iter().any(|scheme| text[begin..end].eq_ignore_ascii_case(scheme));
    is_scheme.then(|| credentials..run(text, credentials, is_value))
}

/// What opens a text of JSON, or of JSON within a text, with its backslashes.
struct Quote {
    mark: u8,
    is_escaped: bool,
    /// Behind it.
    end: usize,
}

impl Quote {
    fn at(bytes: &[u8], at: usize) -> Option<Quote> {
        let backslashes = bytes.get(at..)?.iter().take(FILL_BYTES_MAX).take_while(|byte| **byte == b'\\').count();
        let mark = *bytes.get(at + backslashes)?;
        matches!(mark, b'"' | b'\'').then_some(Quote { mark, is_escaped: backslashes > 0, end: at + backslashes + 1 })
    }

    /// Where what it opens ends: before its like, or with the text.
    fn closed(&self, bytes: &[u8]) -> usize {
        let mut at = self.end;
        while let Some(byte) = bytes.get(at) {
            match *byte {
                byte if byte == self.mark => {
                    let backslashes = bytes[self.end..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                    return if self.is_escaped { at - backslashes } else { at };
                }
                b'\\' if !self.is_escaped => at += 2,
                _ => at += 1,
            }
        }
        bytes.len()
    }
}

fn behind_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes.iter().skip(at).take(FILL_BYTES_MAX).take_while(|byte| is_blank(**byte)).count()
}

/// What a value without quotes is made of.
fn is_value(byte: u8) -> bool {
    byte > b' ' && !matches!(byte, b'"' | b'\'' | b'`' | b'&' | b',' | b';' | b'<' | b'>' | b'|' | b'\\' | 0x7f)
}
