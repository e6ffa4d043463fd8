//! Text of a guest, a server or a stranger, made fit for a terminal and for one line of a log.
//!
//! Invariant: what is written holds no control character, no line break and nothing that turns the direction of writing, so no text can
//! move the cursor, hide another or forge a line.

use std::fmt::{self, Write};

/// Shows what is unfit as its code point: `\u{1b}`.
pub fn escaped(text: &str) -> Escaped<'_> {
    Escaped(text)
}

pub struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_unfit(character) {
                write!(formatter, "{}", character.escape_unicode())?;
            } else {
                formatter.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Control characters, what has no width, and what ends a line or turns its direction. All of them are below U+10000.
pub fn is_unfit(character: char) -> bool {
    character.is_control() || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_reach_the_terminal() {
        assert_eq!(escaped("a\u{1b}[31mb\r\nc\u{7f}\u{9b}2J").to_string(), "a\\u{1b}[31mb\\u{d}\\u{a}c\\u{7f}\\u{9b}2J");
        assert_eq!(escaped("\u{202e}txt\u{2066}").to_string(), "\\u{202e}txt\\u{2066}");
        assert_eq!(escaped("grün 漢字 🦀").to_string(), "grün 漢字 🦀");
    }
}
