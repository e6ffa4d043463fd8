//! What a grant of `postgres` looks like.
//!
//! ```text
//! { source = "main", rows_max = 1000, access = "read-only" }
//! ```
//! - `source` is the name of a `[sources.postgres.NAME]`.
//! - `rows_max` is how many rows one statement may answer; the rest is not read.
//! - `access` is `read-only` where it is left out. `read-write` counts only where the source has it too.

use super::settings::Access;
use crate::grants::GrantError;

/// Rows of one statement, where nothing is written.
pub const ROWS_DEFAULT: u32 = 1000;
pub const ROWS_MOST: u32 = 1_000_000;

/// One entry of `grants.postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    source: Box<str>,
    pub(super) rows_max: u32,
    pub(super) access: Access,
}

impl Grant {
    /// Reads from the source, [`ROWS_DEFAULT`] rows a statement.
    pub fn new(source: &str) -> Grant {
        Grant { source: source.into(), rows_max: ROWS_DEFAULT, access: Access::ReadOnly }
    }

    pub fn with_rows_max(self, rows_max: i64) -> Result<Grant, GrantError> {
        match u32::try_from(rows_max) {
            Ok(rows_max @ 1..=ROWS_MOST) => Ok(Grant { rows_max, ..self }),
            _ => Err(GrantError {
                message: format!("`rows_max` = {rows_max} is out of bounds"),
                reason: "the rows of an answer are held in memory, and without one there is nothing to judge",
                hint: format!("write 1 to {ROWS_MOST}"),
                offset: 0,
            }),
        }
    }

    pub fn with_access(self, word: &str) -> Result<Grant, GrantError> {
        match Access::from_word(word) {
            Some(access) => Ok(Grant { access, ..self }),
            None => Err(GrantError {
                message: format!("`{}` is no access", word.escape_debug().take(32).collect::<String>()),
                reason: "a grant lets a check read, or also write, and a word that is guessed at could allow too much",
                hint: format!("write \"{}\" or \"{}\"", Access::WORDS[0], Access::WORDS[1]),
                offset: 0,
            }),
        }
    }

    /// For the configuration: does the source exist?
    pub fn source(&self) -> &str {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_reads_a_thousand_rows_unless_it_says_otherwise() {
        let grant = Grant::new("main");
        assert_eq!((grant.source(), grant.rows_max, grant.access), ("main", 1000, Access::ReadOnly));
        let wider = grant.with_rows_max(5).and_then(|grant| grant.with_access("read-write")).expect("a grant");
        assert_eq!((wider.rows_max, wider.access), (5, Access::ReadWrite));
    }

    #[test]
    fn what_is_no_grant_says_what_to_write() {
        for rows_max in [0, -1, i64::MAX] {
            let error = Grant::new("main").with_rows_max(rows_max).expect_err("out of bounds");
            assert!(error.to_string().ends_with("hint: write 1 to 1000000"), "{error}");
        }
        let error = Grant::new("main").with_access("write\n").expect_err("no word");
        assert_eq!(error.to_string(), "`write\\n` is no access; hint: write \"read-only\" or \"read-write\"");
    }
}
