//! The text of a statement for a person, without the values in it: they may be anything, and a record is read by many.
//!
//! What stands between quotes or is a number becomes `?`, comments are left out. Names stay. Where it cannot be told how a text in quotes
//! ends (a backslash before its quote), nothing of the rest is shown.

/// What is shown of a statement.
pub(crate) const CHARS_MAX: usize = 200;

/// At most [`CHARS_MAX`] characters on one line.
pub(crate) fn without_values(sql: &str) -> String {
    let mut scanner = Scanner { rest: sql, told: String::new() };
    while scanner.step() {}
    scanner.told.trim_end().chars().take(CHARS_MAX).collect()
}

struct Scanner<'sql> {
    rest: &'sql str,
    told: String,
}

impl<'sql> Scanner<'sql> {
    /// One token; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        match first {
            _ if self.rest.starts_with("--") => _ = self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
            _ if self.rest.starts_with("/*") => _ = self.skip(comment_length(self.rest)),
            '\'' => self.hide(text_length(self.rest, false)),
            '$' => self.dollars(),
            '"' => self.show(self.rest[1..].find('"').map_or(self.rest.len(), |end| end + 2)),
            _ if first.is_ascii_digit() => self.hide(length_while(self.rest, |letter| is_of_word(letter) || letter == '.')),
            _ if is_of_word(first) => self.word(),
            _ if first.is_whitespace() || first.is_control() => self.blank(first.len_utf8()),
            _ => self.show(first.len_utf8()),
        }
        true
    }

    fn skip(&mut self, length: usize) -> &'sql str {
        let (piece, rest) = self.rest.split_at(length);
        self.rest = rest;
        piece
    }

    fn show(&mut self, length: usize) {
        let piece = self.skip(length);
        self.told.extend(piece.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
    }

    fn hide(&mut self, length: usize) {
        self.skip(length);
        self.told.push('?');
    }

    fn blank(&mut self, length: usize) {
        self.skip(length);
        if !self.told.is_empty() && !self.told.ends_with(' ') {
            self.told.push(' ');
        }
    }

    fn word(&mut self) {
        let (word, behind) = self.rest.split_at(length_while(self.rest, |letter| is_of_word(letter) || letter == '$'));
        let is_escaped_text = matches!(word, "e" | "E") && behind.starts_with('\'');
        if is_escaped_text { self.hide(word.len() + text_length(behind, true)) } else { self.show(word.len()) }
    }

    /// `$1` names a parameter, `$tag$ ... $tag$` is a text.
    fn dollars(&mut self) {
        let rest = self.rest;
        let tag = rest[1..].find('$').map(|end| &rest[..end + 2]).filter(|tag| is_delimiter(tag));
        match tag {
            Some(tag) => self.hide(rest[tag.len()..].find(tag).map_or(rest.len(), |end| end + 2 * tag.len())),
            None => self.show(1 + length_while(&rest[1..], |letter| letter.is_ascii_digit())),
        }
    }
}

/// Of a text that begins with a quote, with both quotes.
fn text_length(text: &str, has_escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'\\', Some(_)) if has_escapes => at += 2,
            (b'\\', Some(b'\'')) => return text.len(),
            // Twice stands for itself.
            (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Comments nest.
fn comment_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn length_while(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|letter| !is_in(letter)).unwrap_or(text.len())
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || !letter.is_ascii()
}

/// `$$` or `$tag$`.
fn is_delimiter(text: &str) -> bool {
    let tag = text.trim_matches('$');
    tag.chars().all(is_of_word) && !tag.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_comments_are_left_out_and_names_stay() {
        for (sql, told) in [
            ("SELECT * FROM t1 WHERE id = 42 AND name = 'it''s' -- x\n AND a=$1", "SELECT * FROM t1 WHERE id = ? AND name = ? AND a=$1"),
            ("/* a /* b */ c */ UPDATE \"Kunden 7\" SET n = 1.5e10, m=-3", "UPDATE \"Kunden 7\" SET n = ?, m=-?"),
            ("ALTER ROLE x PASSWORD 'secret", "ALTER ROLE x PASSWORD ?"),
            ("SELECT E'a\\'secret', e'\\\\', 'C:\\dir', x'ff'", "SELECT ?, ?, ?, x?"),
            ("SELECT 'C:\\' AND b = 'secret'", "SELECT ?"),
            ("DO $$secret$$; SELECT $t$secret $$ $t$, $2, a$b", "DO ?; SELECT ?, $2, a$b"),
            ("SELECT\t1,\n\n  größe", "SELECT ?, größe"),
            ("SELECT $open$secret", "SELECT ?"),
            ("<insufficient privilege>", "<insufficient privilege>"),
            ("", ""),
        ] {
            assert_eq!(without_values(sql), told, "{sql}");
        }
    }

    #[test]
    fn a_long_statement_is_cut() {
        assert_eq!(without_values(&"日".repeat(1_000)).chars().count(), CHARS_MAX);
    }
}
