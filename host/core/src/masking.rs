//! What looks like a secret is not told: keys, tokens and passwords that everybody knows by their shape, and what the operator describes by
//! patterns of his own. `[masked]` stands in their place.
//!
//! Who is who: [`Shapes`] find such stretches of a text (`well_known` those that need no configuration, with `named` for what stands behind a name
//! such as `password`; [`Pattern`] the operator's). [`mask_finding`] puts all that a run came to through any [`Mask`], so that names, bounds
//! and JSON stay what they were.
//!
//! This is a net below the real promise, that no plugin is given a secret: a text that a plugin has from elsewhere, and that nobody named. Whoever
//! encodes or splits a secret gets it through. Where a text was cut (it ends with `…` or `...`), the beginning of a secret counts.
//!
//! Cost: one pass over a text for all well-known shapes together, and one for each pattern; nothing is copied where nothing is found.
//! Limits: a pattern has at most [`PATTERN_BYTES_MAX`] and [`COMPILED_BYTES_MAX`] when compiled, and finds [`MATCHES_MAX`] times in a text: what
//! follows is hidden whole.
//!
//! Invariant: looking through a text takes time in proportion to its length, whatever stands in it.
//! Invariant: what is masked stays as it is when it is masked again.

mod finding;
mod named;
mod well_known;

use std::borrow::Cow;
use std::ops::Range;

use regex::{Regex, RegexBuilder};

pub use finding::{Mask, mask_finding};
pub use named::Bond;

/// What stands in the place of a secret.
pub const MASKED: &str = "[masked]";

/// The longest pattern.
pub const PATTERN_BYTES_MAX: usize = 256;
/// Of a pattern when it is compiled: `\w{10}` has half of it.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Of a pattern in one text.
const MATCHES_MAX: usize = 256;

/// What is masked in all texts of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    well_known: WellKnown,
    patterns: Vec<Pattern>,
}

/// Whether the shapes that everybody knows are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WellKnown {
    #[default]
    Masked,
    Shown,
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes::new(WellKnown::Masked, Vec::new())
    }
}

impl Shapes {
    pub fn new(well_known: WellKnown, patterns: Vec<Pattern>) -> Shapes {
        Shapes { well_known, patterns }
    }

    /// `text` with what looks like a secret masked; borrowed where nothing does.
    pub fn mask<'text>(&self, text: &'text str) -> Cow<'text, str> {
        let mut hidden = Vec::new();
        if self.well_known == WellKnown::Masked {
            well_known::find(text, &mut hidden);
        }
        for pattern in &self.patterns {
            pattern.find(text, &mut hidden);
        }
        if hidden.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, hidden)) }
    }

    /// The same of a text that nobody else needs.
    pub fn masked(&self, text: String) -> String {
        let Cow::Owned(masked) = self.mask(&text) else { return text };
        masked
    }

    /// Whether a name (`password`, `apiKey`) says that the value beside it is secret as a whole.
    pub fn is_secret(&self, name: &str, value: &str, bond: Bond) -> bool {
        self.well_known == WellKnown::Masked && well_known::is_secret(name, value, bond)
    }
}

impl Mask for Shapes {
    fn mask<'text>(&self, text: &'text str) -> Cow<'text, str> {
        Shapes::mask(self, text)
    }

    fn is_secret(&self, name: &str, value: &str, bond: Bond) -> bool {
        Shapes::is_secret(self, name, value, bond)
    }
}

/// A shape that the operator describes, as a regular expression.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("it has more than {} bytes", PATTERN_BYTES_MAX)]
    Long,
    #[error("compiled it has more than {} KiB", COMPILED_BYTES_MAX >> 10)]
    Large,
    #[error("it matches the empty text too, and so everywhere")]
    Empty,
    #[error("{0}")]
    Syntax(String),
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Long);
        }
        let regex = RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build().map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::Large,
            other => PatternError::Syntax(last_line(&other.to_string())),
        })?;
        if regex.is_match("") { Err(PatternError::Empty) } else { Ok(Pattern(regex)) }
    }

    fn find(&self, text: &str, hidden: &mut Vec<Range<usize>>) {
        for (index, found) in self.0.find_iter(text).enumerate() {
            if index == MATCHES_MAX {
                hidden.push(found.start()..text.len());
                return;
            }
            if !found.is_empty() {
                hidden.push(found.range());
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

/// What is wrong, without the drawing of where.
fn last_line(error: &str) -> String {
    let line = error.lines().last().unwrap_or(error).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// `text` with [`MASKED`] in the place of each stretch, and of those that touch within each other.
fn without(text: &str, mut hidden: Vec<Range<usize>>) -> String {
    hidden.sort_unstable_by_key(|range| range.start);
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for range in hidden {
        if range.start >= at {
            shown.push_str(&text[at..range.start]);
            shown.push_str(MASKED);
        }
        at = at.max(range.end);
    }
    shown.push_str(&text[at..]);
    shown
}

#[cfg(test)]
mod tests;
