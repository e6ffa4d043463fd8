//! Texts with a bound.

/// `text` cut to at most `bytes_max` bytes, at a boundary between characters.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    text
}

/// `text` on one line (control characters become spaces), cut to at most `bytes_max` bytes.
pub(crate) fn one_line(text: &str, bytes_max: usize) -> String {
    let text = text.trim();
    // Most lines need no change.
    let line = if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text.to_owned() };
    cut(line, bytes_max)
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
    }
}
