//! What of a file no excerpt shows: values that may be credentials, by where they stand.
//!
//! The tables that hold none are named ([`OPEN_TABLES`]). Below every other one, a misspelt one too, an excerpt shows keys, numbers, `true`
//! and `false`; a text is `"..."`, and a comment `# ...`.
//!
//! The file is read token by token, not as a tree: one with broken syntax is veiled too. Where it is not clear what is a key, nothing is
//! taken for one.
//!
//! Invariant: below a table that is not open no character of a text or of a comment is outside the veils, whatever form of TOML it has.

use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::{Token, TokenKind};

/// Tables of the file in which no credential stands.
const OPEN_TABLES: [&str; 15] = [
    "alerting",
    "check",
    "egress",
    "inhibit",
    "maintenance",
    "masking",
    "plugin",
    "plugins",
    "retention",
    "route",
    "server",
    "sink",
    "slo",
    "time_interval",
    "transcripts",
];
/// Those in which some stand mostly.
const CLOSED_TABLES: [&str; 4] = ["secrets", "sources", "store", "token"];

const TEXT: &str = "\"...\"";
const COMMENT: &str = "# ...";

/// A stretch of a file that is not shown, in bytes, and what stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Veil {
    pub range: Range<usize>,
    pub shown: &'static str,
}

/// All of a file, in its order; none lies in another.
pub(super) fn veils(text: &str) -> Vec<Veil> {
    let tokens = Source::new(text).lex().collect();
    let mut reader = Reader { text, tokens, at: 0, is_open: false, is_root: true, is_broken: false, veils: Vec::new() };
    reader.read();
    reader.veils
}

/// `line`, which begins at the byte `start` of its file, as an excerpt shows it; and where in that the bytes `marked` of the line are.
pub(super) fn veiled(line: &str, start: usize, marked: Range<usize>, veils: &[Veil]) -> (String, Range<usize>) {
    let first = veils.partition_point(|veil| veil.range.end <= start);
    let of_line = veils[first..].iter().take_while(|veil| veil.range.start < start + line.len());
    let within = |byte: usize| byte.saturating_sub(start).min(line.len());
    let pieces = of_line.map(|veil| (within(veil.range.start)..within(veil.range.end), veil.shown));
    let (mut shown, mut at) = (String::new(), 0);
    let (mut begin, mut end) = (None, None);
    for (piece, veil) in pieces.chain([(line.len()..line.len(), "")]) {
        if (at..piece.start).contains(&marked.start) {
            begin = Some(shown.len() + marked.start - at);
        }
        if at < marked.end && marked.end <= piece.start {
            end = Some(shown.len() + marked.end - at);
        }
        shown.push_str(line.get(at..piece.start).unwrap_or(""));
        if piece.contains(&marked.start) {
            begin = Some(shown.len());
        }
        shown.push_str(veil);
        if piece.start < marked.end && marked.end <= piece.end {
            end = Some(shown.len());
        }
        at = piece.end;
    }
    let begin = begin.unwrap_or(shown.len());
    let end = end.unwrap_or(shown.len()).max(begin);
    (shown, begin..end)
}

struct Reader<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    /// Whether values are shown where we are.
    is_open: bool,
    /// Before the first table: each key names one.
    is_root: bool,
    /// A text of this table was not closed: what follows may be its rest.
    is_broken: bool,
    veils: Vec<Veil>,
}

impl Reader<'_> {
    /// Line by line; a value may have several.
    fn read(&mut self) {
        while let Some(kind) = self.kind() {
            match kind {
                TokenKind::Whitespace | TokenKind::Newline | TokenKind::Eof => self.at += 1,
                TokenKind::Comment => self.value_token(),
                TokenKind::LeftSquareBracket => self.header(),
                _ => self.entry(),
            }
        }
    }

    /// `[table]` or `[[table]]`.
    fn header(&mut self) {
        while matches!(self.kind(), Some(TokenKind::LeftSquareBracket | TokenKind::Whitespace)) {
            self.at += 1;
        }
        self.is_open = self.is_key_of(&OPEN_TABLES);
        (self.is_root, self.is_broken) = (false, false);
        let Some(behind) = self.behind_key(self.at).filter(|behind| self.kind_at(*behind) == Some(TokenKind::RightSquareBracket)) else {
            return self.veil_line();
        };
        self.at = behind;
        while matches!(self.kind(), Some(TokenKind::RightSquareBracket | TokenKind::Whitespace)) {
            self.at += 1;
        }
    }

    /// `key = value`, or what is neither.
    fn entry(&mut self) {
        let behind = self.behind_key(self.at).filter(|behind| self.kind_at(*behind) == Some(TokenKind::Equals));
        if self.is_root {
            self.is_open = behind.is_some() && !self.is_broken && self.is_key_of(&OPEN_TABLES);
        }
        match behind {
            Some(behind) if !self.is_broken || self.is_open => {
                self.at = behind;
                self.value();
            }
            _ => self.veil_line(),
        }
    }

    /// From `=` to the end of the value, where it has one.
    fn value(&mut self) {
        let mut brackets = Vec::new();
        while let Some(kind) = self.kind() {
            match kind {
                TokenKind::Newline if brackets.is_empty() || self.begins_anew(self.at + 1, &brackets) => return,
                TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => brackets.push(kind),
                TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                    brackets.pop();
                }
                _ => {}
            }
            self.value_token();
            let may_be_key = matches!(kind, TokenKind::LeftCurlyBracket | TokenKind::Comma | TokenKind::Newline);
            if may_be_key && brackets.last() == Some(&TokenKind::LeftCurlyBracket) {
                self.inner_key(kind == TokenKind::Newline);
            }
        }
    }

    /// In a table between braces: keys are shown.
    fn inner_key(&mut self, begins_a_line: bool) {
        let Some(behind) = self.behind_key(self.at).filter(|behind| self.kind_at(*behind) == Some(TokenKind::Equals)) else { return };
        // A brace that was never closed shows nothing of the tables behind it. `secrets` alone is a key of `grants`.
        let is_dotted = (self.at..behind).any(|at| self.kind_at(at) == Some(TokenKind::Dot));
        if begins_a_line && self.is_key_of(&CLOSED_TABLES) && (is_dotted || !self.is_key_of(&["secrets"])) {
            self.is_open = false;
        }
        if !self.is_broken || self.is_open {
            self.at = behind;
        }
    }

    /// Whether the line at `at` begins a table or an entry, so that what is open before it was never closed.
    fn begins_anew(&self, at: usize, brackets: &[TokenKind]) -> bool {
        let at = self.behind_whitespace(at);
        match self.kind_at(at) {
            Some(TokenKind::LeftSquareBracket) => {
                let inner =
                    self.behind_whitespace(if self.kind_at(at + 1) == Some(TokenKind::LeftSquareBracket) { at + 2 } else { at + 1 });
                let names_a_table = match self.kind_at(inner) {
                    Some(TokenKind::Atom) => !self.is_plain(inner),
                    // A list in a list looks so too.
                    _ => self.is_key_at(inner, &CLOSED_TABLES),
                };
                let behind = self.behind_key(inner).and_then(|behind| self.kind_at(behind));
                names_a_table && behind == Some(TokenKind::RightSquareBracket)
            }
            // In a table between braces it is one of its keys.
            Some(TokenKind::Atom) if brackets.last() == Some(&TokenKind::LeftSquareBracket) => {
                self.behind_key(at).and_then(|behind| self.kind_at(behind)) == Some(TokenKind::Equals)
            }
            _ => false,
        }
    }

    /// One token where a value stands.
    fn value_token(&mut self) {
        let (at, Some(kind)) = (self.at, self.kind()) else { return };
        self.at += 1;
        match kind {
            TokenKind::BasicString | TokenKind::LiteralString => {
                self.veil(at, TEXT);
                if !self.is_closed(at) {
                    self.is_broken = true;
                }
            }
            TokenKind::MlBasicString | TokenKind::MlLiteralString => {
                if self.holds_tables(at) {
                    (self.is_open, self.is_broken) = (false, true);
                }
                self.veil(at, TEXT);
            }
            TokenKind::Atom if !self.is_plain(at) => self.veil(at, TEXT),
            TokenKind::Comment => self.veil(at, COMMENT),
            _ => {}
        }
    }

    /// All that is left of the line, which is no entry.
    fn veil_line(&mut self) {
        while let Some(kind) = self.kind().filter(|kind| *kind != TokenKind::Newline) {
            let shown = if kind == TokenKind::Comment { COMMENT } else { TEXT };
            if !matches!(kind, TokenKind::Whitespace | TokenKind::Eof) {
                self.veil(self.at, shown);
            }
            self.at += 1;
        }
    }

    /// Veils that touch, or have only blanks between them, become one.
    fn veil(&mut self, at: usize, shown: &'static str) {
        let Some(token) = self.tokens.get(at).filter(|_| !self.is_open) else { return };
        let range = token.span().start()..token.span().end();
        if let Some(last) = self.veils.last_mut().filter(|last| last.shown == shown) {
            let between = self.text.get(last.range.end..range.start);
            if between.is_some_and(|between| between.chars().all(|character| matches!(character, ' ' | '\t' | '.'))) {
                last.range.end = range.end;
                return;
            }
        }
        self.veils.push(Veil { range, shown });
    }

    /// Behind a key, dotted or not, and the blanks after it; none where there is none.
    fn behind_key(&self, at: usize) -> Option<usize> {
        let mut at = at;
        loop {
            at = self.behind_whitespace(at);
            match self.kind_at(at)? {
                TokenKind::Atom if self.slice(at).bytes().all(is_bare) => {}
                TokenKind::BasicString | TokenKind::LiteralString if self.is_closed(at) => {}
                _ => return None,
            }
            at = self.behind_whitespace(at + 1);
            if self.kind_at(at) != Some(TokenKind::Dot) {
                return Some(at);
            }
            at += 1;
        }
    }

    fn behind_whitespace(&self, at: usize) -> usize {
        if self.kind_at(at) == Some(TokenKind::Whitespace) { at + 1 } else { at }
    }

    /// Whether the key where we are, its first part, is one of `names`. One with escapes is none.
    fn is_key_of(&self, names: &[&str]) -> bool {
        self.is_key_at(self.behind_whitespace(self.at), names)
    }

    fn is_key_at(&self, at: usize, names: &[&str]) -> bool {
        names.contains(&self.slice(at).trim_matches(['"', '\'']))
    }

    /// Whether a text of one line ends with the quote that it begins with.
    fn is_closed(&self, at: usize) -> bool {
        let text = self.slice(at);
        let inner = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        let escapes = |inner: &str| inner.bytes().rev().take_while(|byte| *byte == b'\\').count();
        inner('\'').is_some() || inner('"').is_some_and(|inner| escapes(inner).is_multiple_of(2))
    }

    /// Whether a text of several lines seems to be one that was closed far behind where it was meant to be, or never.
    fn holds_tables(&self, at: usize) -> bool {
        self.slice(at).lines().skip(1).any(|line| line.trim_start().starts_with('['))
    }

    /// A number, `true` or `false`.
    fn is_plain(&self, at: usize) -> bool {
        let text = self.slice(at);
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        matches!(text, "true" | "false") || digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    }

    fn slice(&self, at: usize) -> &str {
        let span = self.tokens.get(at).map(Token::span);
        span.and_then(|span| self.text.get(span.start()..span.end())).unwrap_or("")
    }

    fn kind(&self) -> Option<TokenKind> {
        self.kind_at(self.at)
    }

    fn kind_at(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(Token::kind)
    }
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line as an excerpt shows it.
    fn shown(text: &str) -> Vec<String> {
        let veils = veils(text);
        let mut start = 0;
        let show = |line: &str| {
            let (shown, _) = veiled(line, start, 0..0, &veils);
            start += line.len() + 1;
            shown
        };
        text.split('\n').map(show).collect()
    }

    #[test]
    fn below_a_table_with_credentials_keys_and_numbers_are_shown_in_every_form_of_toml() {
        for (text, expected) in [
            ("[secrets.a]\nvalue = \"x\" # y", "value = \"...\" # ..."),
            ("[ 'sources' . \"postgres\".main]\nurl = 'x'", "url = \"...\""),
            ("[[token]]\nname = \"x\"\nrole=\"y\"", "role=\"...\""),
            ("[sources.redis.a]\nconnections_max = 1_000\ncluster = true", "cluster = true"),
            ("[sources.redis.a]\nconnections_max = 1_000", "connections_max = 1_000"),
            ("[sources.redis.a]\nsince = 1979-05-27", "since = \"...\""),
            ("[store]\n\"my url\".x = \"y\"", "\"my url\".x = \"...\""),
            ("store = { url = \"x\", deep = { a = [\"b\", 1] } }", "store = { url = \"...\", deep = { a = [\"...\", 1] } }"),
            ("sources.redis.a.url = \"x\"", "sources.redis.a.url = \"...\""),
            ("secretss.a.value = \"x\"", "secretss.a.value = \"...\""),
            ("\"check\".name = \"x\"", "\"check\".name = \"x\""),
            ("[check]\ngrants = { secrets = [{ name = \"x\" }] } # y", "grants = { secrets = [{ name = \"x\" }] } # y"),
            ("[server]\nlisten = \"x\"", "listen = \"x\""),
        ] {
            assert_eq!(shown(text).last().map(String::as_str), Some(expected), "{text}");
        }
    }

    #[test]
    fn no_line_of_a_credential_is_shown_also_where_the_syntax_is_broken() {
        for text in [
            "[store]\nurl = \"\"\"\nhunter2\n\nhunter2\"\"\"",
            "[store]\nurl = '''\nhunter2 \"hunter2\"\n'''",
            "[store]\nurl = \"\\\"hunter2\"",
            "[store]\nurl = \"hunter2",
            "[store]\nurl = \"\nhunter2\"",
            "[store]\nurl = \"\nhunter2 = 1",
            "[store]\nurl = \"\"\"hunter2\nhunter2",
            "[store]\nurl = hunter2",
            "[store]\nurl = hunter2.hunter2, hunter2",
            "[store]\nurl: \"hunter2\"",
            "[store]\nurl:hunter2",
            "[store]\nurl hunter2",
            "[store]\n= hunter2",
            "[store] url = \"hunter2\"",
            "[store\nurl = \"hunter2\"",
            "[store \"hunter2\"",
            "[store]\nurl = [\"hunter2\",\n 'hunter2',\n# hunter2\n hunter2",
            "[store]\nurl = { a = \"hunter2\",\n b = hunter2 }",
            "[check]\nname = [\"a\"\n[store]\nurl = \"hunter2\"",
            "[check]\nname = [\"a\"\n[[ \"token\" ]]\nhash = \"hunter2\"",
            "[check]\nname = { a = 1\n[secrets.a]\nvalue = \"hunter2\"",
            "[check]\nname = \"\"\"a\n[secrets.a]\nvalue = \"hunter2\"",
            "[check]\nname = \"\"\"a\n[secrets.a]\nvalue = \"\"\"hunter2\"\"\"",
            "check = [1\nsecrets.a.value = \"hunter2\"",
            "check = { a = 1\nstore.url = \"hunter2\"",
            "check.name = \"a\nsecrets.a.value = \"hunter2\"",
            "\u{feff}store.url = \"hunter2\"\r\n",
            "\"hunter2\" hunter2",
        ] {
            let shown = shown(text);
            assert!(!shown.iter().any(|line| line.contains("hunter2")), "{text}\n{shown:#?}");
        }
    }

    #[test]
    fn what_is_marked_is_found_again_beside_and_inside_of_a_veil() {
        let line = "url = [\"abc\", \"d\"] # e";
        let text = format!("[store]\n{line}");
        let start = "[store]\n".len();
        let marked = |stretch: &str| {
            let begin = line.find(stretch).expect("it is in the line");
            let (shown, marked) = veiled(line, start, begin..begin + stretch.len(), &veils(&text));
            assert_eq!(shown, "url = [\"...\", \"...\"] # ...");
            shown[marked].to_owned()
        };
        assert_eq!(marked("url"), "url");
        assert_eq!(marked("\"abc\""), "\"...\"");
        assert_eq!(marked("b"), "\"...\"");
        assert_eq!(marked("\"abc\", \"d\""), "\"...\", \"...\"");
        assert_eq!(marked("] "), "] ");
        assert_eq!(marked("# e"), "# ...");
        assert_eq!(marked("= [\"a"), "= [\"...\"");
    }
}
