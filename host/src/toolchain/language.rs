//! The languages that a plugin can be written in.
//!
//! Invariant: nobody else writes the word of a language, or which folder of `sdk/` is its own.

use std::fmt;

/// One that has an SDK. On the command line it is its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    // Without documentation of their own, so that help shows them on one line.
    Rust,
    Python,
    #[value(name = "js", aliases = ["javascript", "typescript", "ts"])]
    JavaScript,
    Go,
    C,
}

impl Language {
    /// The one with the smallest and fastest plugins first.
    pub const ALL: [Language; 5] = [Language::Rust, Language::Python, Language::JavaScript, Language::Go, Language::C];

    /// As a person types it, and the folder in `sdk/`.
    pub const fn word(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::JavaScript => "js",
            Language::Go => "go",
            Language::C => "c",
        }
    }

    /// Where its template stands among what is embedded.
    pub(super) fn template(self) -> String {
        format!("sdk/{}/template", self.word())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Language::Rust => "Rust",
            Language::Python => "Python",
            Language::JavaScript => "JavaScript",
            Language::Go => "Go",
            Language::C => "C",
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_language_is_typed_by_its_word() {
        for language in Language::ALL {
            assert_eq!(Language::from_str(language.word(), false), Ok(language));
        }
        assert_eq!(Language::from_str("typescript", false), Ok(Language::JavaScript));
        assert!(Language::from_str("cobol", false).is_err());
    }
}
