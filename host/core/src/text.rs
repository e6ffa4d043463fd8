//! Texts with a bound.

/// `text` cut to at most `bytes_max` bytes, at a boundary between characters.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    text
}

/// `text` on one line (what would move a cursor or turn the direction of writing becomes a space), cut to at most `bytes_max` bytes.
pub(crate) fn one_line(text: &str, bytes_max: usize) -> String {
    let text = text.trim();
    // Most lines need no change.
    let line = if text.contains(misleads) { text.replace(misleads, " ") } else { text.to_owned() };
    cut(line, bytes_max)
}

/// Control characters, separators of lines and paragraphs, and those that turn the direction of text.
fn misleads(character: char) -> bool {
    character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aäb".into(), 4), "aäb");
        assert_eq!(cut("aäb".into(), 3), "aä");
        assert_eq!(cut("aäb".into(), 2), "a");
        assert_eq!(cut("aäb".into(), 0), "");
    }

    #[test]
    fn one_line_holds_no_control_characters() {
        assert_eq!(one_line("a\nb\u{1b}[0m\n", 512), "a b [0m");
        assert_eq!(one_line("a\u{202e}b\u{2028}c\u{2066}", 512), "a b c ");
    }
}
