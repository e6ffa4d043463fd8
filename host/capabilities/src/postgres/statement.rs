//! What kind of statement a text is, and that it is one. Pure.
//!
//! This is what a guest is told about, in words that help; it is no boundary. The server is: it parses a read-only statement as the
//! query of a cursor, in a read-only transaction, and refuses several statements in one.
//!
//! Limits: where the server has `standard_conforming_strings` off, a backslash before a quote can make one statement look like two.

/// What the first word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `SELECT`, `VALUES`, `TABLE`, `WITH`
    Reads,
    /// Changes data or what the server has of it.
    Writes,
    /// `SHOW`, `EXPLAIN`: tells something, and is not a query.
    Tells,
    /// Changes the session or the transaction, or another protocol follows: never run.
    Session,
    /// No word that is known: the server will say.
    Other,
}

/// A single statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) kind: Kind,
    /// The first word in capitals; empty where there is none.
    pub(super) word: String,
    /// Something stands behind a semicolon: the body of a routine, or another statement.
    pub(super) has_more: bool,
}

/// Why a text is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Empty,
    Several,
    /// U+0000, which ends a text in the protocol.
    Zero,
}

impl Unfit {
    pub(super) fn message(self) -> &'static str {
        match self {
            Unfit::Empty => "the statement is empty",
            Unfit::Several => "more than one statement in one text; hint: `run-many` takes several",
            Unfit::Zero => "the statement holds the character U+0000",
        }
    }
}

const READS: [&str; 4] = ["SELECT", "TABLE", "VALUES", "WITH"];
const TELLS: [&str; 2] = ["EXPLAIN", "SHOW"];
const WRITES: [&str; 25] = [
    "ALTER",
    "ANALYSE",
    "ANALYZE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "COMMENT",
    "CREATE",
    "DELETE",
    "DO",
    "DROP",
    "GRANT",
    "IMPORT",
    "INSERT",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "REVOKE",
    "SECURITY",
    "TRUNCATE",
    "UPDATE",
    "VACUUM",
];
const SESSION: [&str; 22] = [
    "ABORT",
    "BEGIN",
    "CLOSE",
    "COMMIT",
    "COPY",
    "DEALLOCATE",
    "DECLARE",
    "DISCARD",
    "END",
    "EXECUTE",
    "FETCH",
    "LISTEN",
    "LOAD",
    "MOVE",
    "PREPARE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "START",
    "UNLISTEN",
];
/// A longer word is no keyword.
const WORD_BYTES_MAX: usize = 32;

impl Statement {
    pub(super) fn read(sql: &str) -> Result<Statement, Unfit> {
        if sql.contains('\0') {
            return Err(Unfit::Zero);
        }
        let mut scanner = Scanner { bytes: sql.as_bytes(), at: 0 };
        let mut first: Option<String> = None;
        let (mut ended, mut has_more) = (false, false);
        while let Some(token) = scanner.token() {
            if first.is_none() {
                first = match token {
                    Token::Word(word) => Some(capitals(word)),
                    Token::Other => Some(String::new()),
                    Token::Semicolon | Token::Open => None,
                };
                continue;
            }
            match token {
                Token::Semicolon => ended = true,
                // What a routine does stands between semicolons in `BEGIN ATOMIC ... END`: the server counts.
                _ if ended && first.as_deref() != Some("CREATE") => return Err(Unfit::Several),
                _ => has_more |= ended,
            }
        }
        let word = first.ok_or(Unfit::Empty)?;
        Ok(Statement { kind: kind(&word), word, has_more })
    }

    /// `SHOW` and one word, as PgBouncer's console and every server know it.
    pub(super) fn is_plain_show(sql: &str) -> bool {
        let sql = sql.trim_end_matches(|letter: char| letter.is_ascii_whitespace() || letter == ';');
        let mut words = sql.split_ascii_whitespace();
        let (Some(show), Some(word), None) = (words.next(), words.next(), words.next()) else { return false };
        show.eq_ignore_ascii_case("show") && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
    }
}

fn kind(word: &str) -> Kind {
    let is_in = |words: &[&str]| words.binary_search(&word).is_ok();
    match () {
        () if is_in(&READS) => Kind::Reads,
        () if is_in(&WRITES) => Kind::Writes,
        () if is_in(&TELLS) => Kind::Tells,
        () if is_in(&SESSION) => Kind::Session,
        () => Kind::Other,
    }
}

fn capitals(word: &[u8]) -> String {
    let word = word.get(..WORD_BYTES_MAX).unwrap_or(word);
    word.iter().map(|byte| if byte.is_ascii() { char::from(byte.to_ascii_uppercase()) } else { '?' }).collect()
}

enum Token<'sql> {
    Word(&'sql [u8]),
    Semicolon,
    Open,
    Other,
}

/// Goes over text as the server's lexer does: what stands in quotes or comments is not looked into.
struct Scanner<'sql> {
    bytes: &'sql [u8],
    at: usize,
}

impl<'sql> Scanner<'sql> {
    fn token(&mut self) -> Option<Token<'sql>> {
        self.skip_blanks();
        let first = self.peek(0)?;
        Some(match first {
            b';' => self.step(Token::Semicolon),
            b'(' => self.step(Token::Open),
            b'\'' | b'"' => self.quoted(first, false),
            b'$' => self.dollars(),
            _ if is_word_start(first) => self.word(),
            _ => self.step(Token::Other),
        })
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn step(&mut self, token: Token<'sql>) -> Token<'sql> {
        self.at += 1;
        token
    }

    fn skip_blanks(&mut self) {
        while let Some(first) = self.peek(0) {
            match (first, self.peek(1)) {
                (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => self.at += 1,
                (b'-', Some(b'-')) => self.skip_line(),
                (b'/', Some(b'*')) => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Comments nest.
    fn skip_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(first) = self.peek(0) {
            match (first, self.peek(1)) {
                (b'/', Some(b'*')) => (depth, self.at) = (depth + 1, self.at + 2),
                (b'*', Some(b'/')) => (depth, self.at) = (depth - 1, self.at + 2),
                _ => self.at += 1,
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn word(&mut self) -> Token<'sql> {
        let start = self.at;
        while self.peek(0).is_some_and(|byte| is_word_start(byte) || byte.is_ascii_digit() || byte == b'$') {
            self.at += 1;
        }
        let word = self.bytes.get(start..self.at).unwrap_or_default();
        match (word, self.peek(0)) {
            (b"e" | b"E", Some(b'\'')) => self.quoted(b'\'', true),
            _ => Token::Word(word),
        }
    }

    fn quoted(&mut self, quote: u8, escapes: bool) -> Token<'sql> {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\\' if escapes => self.at += 2,
                _ if byte != quote => self.at += 1,
                // Twice stands for itself.
                _ if self.peek(1) == Some(quote) => self.at += 2,
                _ => {
                    self.at += 1;
                    match self.continuation() {
                        Some(inside) if escapes => self.at = inside,
                        _ => break,
                    }
                }
            }
        }
        Token::Other
    }

    /// A string goes on, with its escapes, in the next quote behind a line break: where that one's inside begins.
    fn continuation(&self) -> Option<usize> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let mut behind = Scanner { bytes: rest, at: 0 };
        let mut breaks = false;
        while let Some(first) = behind.peek(0) {
            match (first, behind.peek(1)) {
                (b' ' | b'\t' | 0x0b | 0x0c, _) => behind.at += 1,
                (b'\n' | b'\r', _) => (breaks, behind.at) = (true, behind.at + 1),
                (b'-', Some(b'-')) => behind.skip_line(),
                (b'\'', _) if breaks => return Some(self.at + behind.at + 1),
                _ => return None,
            }
        }
        None
    }

    /// `$tag$ ... $tag$`, or the number of a parameter.
    fn dollars(&mut self) -> Token<'sql> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let tag = rest.iter().skip(1).position(|byte| *byte == b'$').map(|length| &rest[1..=length]);
        let Some(tag) = tag.filter(|tag| is_tag(tag)) else { return self.step(Token::Other) };
        let delimiter = &rest[..tag.len() + 2];
        let body = &rest[delimiter.len()..];
        let end = body.windows(delimiter.len()).position(|window| window == delimiter);
        self.at = end.map_or(self.bytes.len(), |end| self.at + 2 * delimiter.len() + end);
        Token::Other
    }
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_tag(tag: &[u8]) -> bool {
    tag.first().is_none_or(|first| is_word_start(*first)) && tag.iter().all(|byte| is_word_start(*byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Result<(Kind, String), Unfit> {
        Statement::read(sql).map(|statement| (statement.kind, statement.word))
    }

    #[test]
    fn the_lists_of_words_are_sorted() {
        for list in [&READS[..], &TELLS, &WRITES, &SESSION] {
            assert!(list.is_sorted(), "{list:?}");
        }
    }

    #[test]
    fn the_first_word_says_what_a_statement_is() {
        for (sql, kind, word) in [
            ("select 1", Kind::Reads, "SELECT"),
            (" \n-- a comment; with more\n/* and /* one */ inside */ (( Select 1)) ; ;", Kind::Reads, "SELECT"),
            ("WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x", Kind::Reads, "WITH"),
            ("vacuum t", Kind::Writes, "VACUUM"),
            ("explain analyze insert into t values (1)", Kind::Tells, "EXPLAIN"),
            ("COMMIT", Kind::Session, "COMMIT"),
            (";begin", Kind::Session, "BEGIN"),
            ("/**/set/**/role x", Kind::Session, "SET"),
            ("selec 1", Kind::Other, "SELEC"),
            ("'select'", Kind::Other, ""),
            ("$1", Kind::Other, ""),
            ("\u{feff}select 1", Kind::Other, "???SELECT"),
        ] {
            assert_eq!(read(sql), Ok((kind, word.to_owned())), "{sql}");
        }
    }

    #[test]
    fn a_semicolon_in_quotes_or_comments_ends_nothing() {
        for sql in [
            "select ';', \"a;b\", 'it''s; x', E'\\';', e'\\\\', $$;$$, $t$ ; $$ ; $t$, $1 -- ; x",
            "select 1 /* ; */ ; -- nothing",
            "select U&'\\0041;', x'1;', a$b$ from t",
            "create function f() returns int begin atomic select 1; select 2; end",
            "do $body$ begin perform 1; perform 2; end $body$",
            "select 'never ended; x",
        ] {
            assert!(read(sql).is_ok(), "{sql}: {:?}", read(sql));
        }
        for sql in ["select E'a'\n'b\\' , '; x; --'", "select e'' -- y\n '\\', '; x --'", "select 'a'\n'b\\'; x --'"] {
            assert_eq!(read(sql), Err(Unfit::Several), "{sql}");
        }
        assert!(read("select E'a'\n'b\\'; x'").is_ok() && read("select E'a' '\\'; x").is_err());
        for sql in ["select 1; select 2", "select 1;;x", "select ''; commit", "select $$a$$; $$b$$", "select E'\\\\'; x", "select 1;/**/("]
        {
            assert_eq!(read(sql), Err(Unfit::Several), "{sql}");
        }
    }

    #[test]
    fn what_holds_no_statement_is_told() {
        for sql in ["", " ; ;", "-- x", "/* x"] {
            assert_eq!(read(sql), Err(Unfit::Empty), "{sql}");
        }
        assert_eq!(read("select '\0'"), Err(Unfit::Zero));
    }

    #[test]
    fn a_plain_show_is_two_words() {
        for sql in ["SHOW POOLS", "show stats_totals;", "  Show pg_stat.x ; "] {
            assert!(Statement::is_plain_show(sql), "{sql}");
        }
        for sql in ["SHOW", "SHOW POOLS; RELOAD", "SHOW a b", "RELOAD", "SHOW 'x'", "SHOW/**/POOLS", "SHOW POOLS--", ""] {
            assert!(!Statement::is_plain_show(sql), "{sql}");
        }
    }
}
