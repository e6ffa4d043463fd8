//! The spellings in which a secret may come back, and how they are found.
//!
//! Those of its own letters: as it is, and with its quotation marks doubled as SQL and CSV have them. And those in letters that hold nothing
//! to escape: base64 and hexadecimal. Base64 writes three bytes as four letters, so the same bytes look different at each of three places.
//! Of each, the letters that stand for nothing but the secret are looked for; the letter before and the one after, which hold some of its
//! bits, go with them.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use zeroize::Zeroizing;

use super::view::Reading;

/// Where a text was cut, the beginning of a spelling is taken for one from here on: less is found in too many texts.
pub(super) const CUT_BYTES_MIN: usize = 4;
/// Shorter ones would be found in texts that have nothing to do with the secret.
const SPELLING_BYTES_MIN: usize = 4;

pub(super) struct Spelling {
    text: Zeroizing<Vec<u8>>,
    /// For each beginning of `text`, by its last byte: how long the longest shorter one is that it ends with (Knuth, Morris, Pratt).
    fallback: Box<[usize]>,
    edges: Edges,
    alphabet: Alphabet,
}

/// Whether the letters beside hold some bits of the secret too.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Edges {
    before: bool,
    after: bool,
}

const SHARP: Edges = Edges { before: false, after: false };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// The secret's: any byte.
    Own,
    /// Of base64 or hexadecimal: letters that no escape has.
    Coded,
}

/// Each once.
pub(super) fn all(bytes: &[u8]) -> Box<[Spelling]> {
    let mut spellings = Vec::new();
    add(&mut spellings, bytes, SHARP, Alphabet::Own);
    for quote in [b'\'', b'"'] {
        // As large as it may get: one that grew would leave a secret behind.
        let mut doubled = Zeroizing::new(Vec::<u8>::with_capacity(2 * bytes.len()));
        doubled.extend(bytes.iter().flat_map(|byte| std::iter::repeat_n(*byte, if *byte == quote { 2 } else { 1 })));
        add(&mut spellings, &doubled, SHARP, Alphabet::Own);
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for ahead in 0..3 {
            add_base64(&mut spellings, bytes, engine, ahead);
        }
    }
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        let mut hex = Zeroizing::new(Vec::<u8>::with_capacity(2 * bytes.len()));
        hex.extend(bytes.iter().flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 0xf)]]));
        add(&mut spellings, &hex, SHARP, Alphabet::Coded);
    }
    spellings.into()
}

/// With `ahead` bytes of something else before it in its group of three.
fn add_base64(spellings: &mut Vec<Spelling>, bytes: &[u8], engine: &GeneralPurpose, ahead: usize) {
    let mut group = Zeroizing::new(Vec::<u8>::with_capacity(ahead + bytes.len()));
    group.resize(ahead, 0);
    group.extend_from_slice(bytes);
    let bits = 8 * group.len();
    let text = Zeroizing::new(engine.encode(group.as_slice()).into_bytes());
    // A letter holds six bits: the first ones, up to the one that the bytes ahead end in, are not the secret's alone.
    let core = (8 * ahead).div_ceil(6)..bits / 6;
    let edges = Edges { before: ahead > 0, after: !bits.is_multiple_of(6) };
    add(spellings, text.get(core).unwrap_or_default(), edges, Alphabet::Coded);
}

fn add(spellings: &mut Vec<Spelling>, text: &[u8], edges: Edges, alphabet: Alphabet) {
    let is_it = |known: &Spelling| known.text.as_slice() == text && known.edges == edges && known.alphabet == alphabet;
    if text.len() >= SPELLING_BYTES_MIN && !spellings.iter().any(is_it) {
        spellings.push(Spelling { fallback: fallback(text), text: Zeroizing::new(text.to_vec()), edges, alphabet });
    }
}

fn fallback(text: &[u8]) -> Box<[usize]> {
    let mut fallback = vec![0; text.len()];
    let mut length = 0;
    for at in 1..text.len() {
        while length > 0 && text[at] != text[length] {
            length = fallback[length - 1];
        }
        if text[at] == text[length] {
            length += 1;
        }
        fallback[at] = length;
    }
    fallback.into()
}

impl Spelling {
    pub(super) fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    /// Tells `found` every place in what is held of `reading` that was not told before, in order, overlapping ones too; where the text was
    /// cut, also the beginning of one at its end.
    pub(super) fn find(&self, reading: &Reading<'_>, mut found: impl FnMut(Range<usize>)) {
        let (text, known, whole) = (reading.bytes(), reading.known(), self.text.len());
        // Whatever ends in what was seen was told.
        let from = (reading.seen() + 1).saturating_sub(whole).min(text.len());
        let first = match memmem::find(&text[from..], &self.text) {
            Some(offset) => from + offset,
            None if reading.is_cut() => text.len().saturating_sub(whole - 1),
            None => return,
        };
        let mut length = 0;
        for (at, byte) in text.iter().enumerate().skip(first) {
            while length > 0 && (length == whole || self.text[length] != *byte) {
                length = self.fallback[length - 1];
            }
            if self.text[length] == *byte {
                length += 1;
            }
            if length == whole && at < known {
                found(at + 1 - whole..at + 1);
            }
        }
        if reading.is_cut() && (CUT_BYTES_MIN..whole).contains(&length) {
            found(text.len() - length..text.len());
        }
    }

    /// The place in the text of what was found at `range`, with the letters beside that share its bits.
    pub(super) fn place(&self, range: Range<usize>, reading: &Reading<'_>) -> Range<usize> {
        let Range { mut start, mut end } = range;
        let text = reading.bytes();
        // Behind a line break stands another word as likely as more of the same.
        if self.edges.before && start > 0 && is_base64(text[start - 1]) && reading.adjoins(start) {
            start -= 1;
        }
        if self.edges.after && text.get(end).copied().is_some_and(is_base64) && reading.adjoins(end) {
            end += 1;
        }
        reading.place(start..end)
    }

    /// How many bytes of the beginning of one stand at the end of `text`, fewer than all.
    pub(super) fn begun(&self, text: &[u8]) -> usize {
        let mut length = 0;
        for byte in &text[text.len().saturating_sub(self.text.len() - 1)..] {
            while length > 0 && self.text[length] != *byte {
                length = self.fallback[length - 1];
            }
            if self.text[length] == *byte {
                length += 1;
            }
        }
        length
    }
}

/// Of either of its alphabets.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::view::{self, End};

    /// Beginning and end of each.
    fn found(secret: &[u8], text: &[u8], end: End) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        for mut reading in view::all(text, end, false) {
            reading.advance(usize::MAX, 0);
            for spelling in all(secret).iter().filter(|spelling| reading.is_for(spelling.alphabet())) {
                spelling.find(&reading, |range| {
                    let place = spelling.place(range, &reading);
                    places.push((place.start, place.end));
                });
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    #[test]
    fn a_spelling_is_found_wherever_it_stands() {
        assert_eq!(found(b"abcd", b"abcd", End::Whole), [(0, 4)]);
        assert_eq!(found(b"abcd", b"xabcdabcdx", End::Whole), [(1, 5), (5, 9)]);
        assert_eq!(found(b"abab", b"ababab", End::Whole), [(0, 4), (2, 6)], "overlapping ones too");
        assert_eq!(found(b"aaab", b"aaaaaab", End::Whole), [(3, 7)]);
        assert!(found(b"abcd", b"abc", End::Whole).is_empty() && found(b"abcd", b"", End::Cut).is_empty());
    }

    #[test]
    fn the_beginning_of_one_counts_only_where_the_text_was_cut() {
        for (text, end, places) in [
            ("x secre", End::Cut, vec![(2, 7)]),
            ("x secre", End::Whole, vec![]),
            ("x sec", End::Cut, vec![]),
            ("secre x", End::Cut, vec![]),
            ("secretsecr", End::Cut, vec![(0, 6), (6, 10)]),
            ("ecret", End::Cut, vec![]),
        ] {
            assert_eq!(found(b"secret", text.as_bytes(), end), places, "{text} {end:?}");
        }
    }

    #[test]
    fn the_beginning_of_one_at_the_end_of_a_text_is_measured() {
        let spellings = all(b"secret");
        let plain = spellings.first().expect("the secret as it is");
        for (text, length) in [("", 0), ("x", 0), ("x s", 1), ("secre", 5), ("secret", 0), ("secretsecr", 4), ("ses", 1), ("x secre x", 0)]
        {
            assert_eq!(plain.begun(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn base64_is_found_at_every_place_with_the_letters_that_share_its_bits() {
        let secret = b"correct horse\xff\xfe";
        for ahead in 0..6 {
            for behind in 0..6 {
                let whole: Vec<u8> = [&vec![b'u'; ahead][..], secret, &vec![b'v'; behind]].concat();
                for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                    let text = engine.encode(&whole);
                    let places = found(secret, text.as_bytes(), End::Whole);
                    let widest = places.iter().max_by_key(|(start, end)| end - start).unwrap_or_else(|| panic!("{text}"));
                    // Every letter that holds one of its bits, and no other.
                    let (first_bit, end_bit) = (8 * ahead, 8 * (ahead + secret.len()));
                    assert_eq!(*widest, (first_bit / 6, end_bit.div_ceil(6)), "{ahead} {behind} {text}");
                }
            }
        }
    }

    #[test]
    fn hexadecimal_is_found_in_both_cases() {
        assert_eq!(found(b"\x01\xab\xcd\xef", b"x01abcdefx", End::Whole), [(1, 9)]);
        assert_eq!(found(b"\x01\xab\xcd\xef", b"x01ABCDEFx", End::Whole), [(1, 9)]);
    }

    #[test]
    fn a_letter_that_shares_bits_is_not_sought_behind_a_line_break() {
        let secret = b"correct horse";
        let text = STANDARD_NO_PAD.encode([&b"u"[..], secret, b"v"].concat());
        let whole = found(secret, text.as_bytes(), End::Whole);
        assert_eq!(whole, [(1, 19)]);
        for (at, place) in [(10, (1, 21)), (2, (4, 21)), (18, (1, 18))] {
            let broken = [&text[..at], "\r\n", &text[at..]].concat();
            assert_eq!(found(secret, broken.as_bytes(), End::Whole), [place], "{broken:?}");
        }
    }

    #[test]
    fn quotation_marks_are_found_doubled() {
        assert_eq!(found(b"it's \"so\"", br#"'it''s "so"' "it's ""so""""#, End::Whole), [(1, 11), (14, 25)]);
    }
}
