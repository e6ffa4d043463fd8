//! Patterns in grants: text in which `*` stands for any text, also none, also with `/` in it.

/// At most this many `*` in one pattern.
pub(crate) const STARS_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    /// The text between the stars: one piece is a pattern without any.
    pieces: Box<[Box<str>]>,
}

impl Glob {
    /// None where the pattern has more than [`STARS_MAX`] stars.
    pub(crate) fn new(pattern: &str) -> Option<Glob> {
        let pieces: Box<[Box<str>]> = pattern.split('*').map(Box::from).collect();
        (pieces.len() <= STARS_MAX + 1).then_some(Glob { pieces })
    }

    /// Whether all that `other` matches is matched: as text, for a star of `other` is matched by nothing but a star.
    pub(crate) fn covers(&self, other: &Glob) -> bool {
        self.matches(&other.pieces.join("*"))
    }

    /// Looks for the pieces from left to right: the leftmost place of each leaves the most room for the rest, so nothing is tried twice.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = &*self.pieces else {
            return self.pieces.first().is_some_and(|only| **only == *text);
        };
        let Some(mut rest) = text.strip_prefix(&**first) else { return false };
        for piece in between {
            let Some(at) = rest.find(&**piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(&**last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).expect("few stars").matches(text)
    }

    #[test]
    fn a_star_stands_for_any_text_and_crosses_slashes() {
        for (pattern, text, expected) in [
            ("/health", "/health", true),
            ("/health", "/health/", false),
            ("/health", "/health?x=1", false),
            ("/health*", "/health", true),
            ("/health*", "/healthz", true),
            ("/health*", "/health/a/b?x=1", true),
            ("/*", "/", true),
            ("/*", "/a/b", true),
            ("/api/*/status", "/api/v1/x/status", true),
            ("/api/*/status", "/api//status", true),
            ("/api/*/status", "/api/status", false),
            ("/a*b*c", "/abbc", true),
            ("/a*b*c", "/acb", false),
            ("/a*a", "/a", false),
            ("/a*a", "/aa", true),
            ("/*/*", "/a", false),
            ("*", "", true),
            ("", "", true),
            ("", "/", false),
            ("/é*", "/é/ü", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_is_refused() {
        assert!(Glob::new(&"*".repeat(STARS_MAX)).is_some());
        assert!(Glob::new(&"*".repeat(STARS_MAX + 1)).is_none());
    }
}
