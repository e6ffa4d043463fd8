//! Texts fitted into the bounds of receivers.

use crate::report::cut;

/// At most so many characters; where some are missing the last one is `…`.
pub fn cut_characters(text: &str, characters_max: usize) -> String {
    if text.chars().nth(characters_max).is_none() {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters_max.saturating_sub(1)).collect();
    kept + "…"
}

/// At most so many bytes, cut at a character; where some are missing it ends with `…`. The bound is at least 3.
pub fn cut_bytes(mut text: String, bytes_max: usize) -> String {
    cut(&mut text, bytes_max);
    text
}

/// Line breaks and other control characters as single spaces, none at the ends: a title, a subject, a line of a log.
pub fn one_line(text: &str) -> String {
    let words = text.split(|character: char| character.is_control() || character == ' ').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_a_character_and_shows_it() {
        assert_eq!((cut_characters("äöü", 3), cut_characters("äöüß", 3)), ("äöü".to_owned(), "äö…".to_owned()));
        assert_eq!((cut_bytes("äöü".to_owned(), 6), cut_bytes("äöüß".to_owned(), 6)), ("äöü".to_owned(), "ä…".to_owned()));
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line(" a\r\nb\t\t c\u{7f}\n"), "a b c");
        assert_eq!(one_line("\n"), "");
    }
}
