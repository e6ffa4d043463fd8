//! Silences: what people mute for a time, by matchers.
//!
//! Limits: [`SILENCES_MAX`] that are not over, [`SILENCE_TEXT_BYTES_MAX`], [`SILENCE_AHEAD_MAX`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::SilenceId;
use super::matcher::{MATCHERS_MAX, Matcher, Subject, all_match};
use crate::Timestamp;

/// That are not over.
pub const SILENCES_MAX: usize = 10_000;
/// Of who made it, and of the comment.
pub const SILENCE_TEXT_BYTES_MAX: usize = 1024;

/// From now to its end: one that ends later is forgotten, and mutes what nobody thinks of any more.
pub const SILENCE_AHEAD_MAX: Duration = Duration::from_secs(5 * 366 * 86_400);

/// What somebody asks for. With the id of a silence that is not over it takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilenceDraft {
    pub id: Option<SilenceId>,
    pub matchers: Vec<Matcher>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub created_by: String,
    pub comment: String,
}

impl SilenceDraft {
    /// Why it cannot be taken.
    pub fn problem(&self, now: Timestamp) -> Option<String> {
        if self.matchers.len() > MATCHERS_MAX {
            return Some(format!("a silence has at most {MATCHERS_MAX} matchers"));
        }
        if self.matchers.iter().all(|matcher| matcher.accepts("")) {
            return Some("a silence needs a matcher that does not match the empty value, or it would mute everything".to_owned());
        }
        if self.ends_at <= self.starts_at {
            return Some("a silence ends after it begins".to_owned());
        }
        if self.ends_at <= now {
            return Some("a silence ends in the future".to_owned());
        }
        if self.ends_at > now.plus(SILENCE_AHEAD_MAX) {
            return Some(
                "a silence ends within 5 years; for what nobody is ever to be told of, write a route with `sinks = []`".to_owned(),
            );
        }
        if self.created_by.len() > SILENCE_TEXT_BYTES_MAX || self.comment.len() > SILENCE_TEXT_BYTES_MAX {
            return Some(format!("a text of a silence has at most {SILENCE_TEXT_BYTES_MAX} bytes"));
        }
        None
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: SilenceId,
    pub matchers: Vec<Matcher>,
    pub starts_at: Timestamp,
    /// It does not belong to it.
    pub ends_at: Timestamp,
    pub created_by: String,
    pub comment: String,
    pub updated_at: Timestamp,
    /// It has ended, and what it muted was looked at again.
    pub is_over: bool,
}

impl Silence {
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.starts_at <= now && now < self.ends_at
    }

    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        all_match(&self.matchers, subject)
    }

    /// When it next begins or ends.
    pub(super) fn next_change_after(&self, now: Timestamp) -> Timestamp {
        if now < self.starts_at { self.starts_at } else { self.ends_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(matchers: &[&str]) -> SilenceDraft {
        SilenceDraft {
            id: None,
            matchers: matchers.iter().map(|text| Matcher::parse(text).expect("a matcher")).collect(),
            starts_at: Timestamp(1000),
            ends_at: Timestamp(2000),
            created_by: "anna".into(),
            comment: String::new(),
        }
    }

    #[test]
    fn a_silence_names_what_it_mutes_and_ends_in_the_future() {
        let problem = |draft: SilenceDraft| draft.problem(Timestamp(1500)).unwrap_or_default();
        assert_eq!(problem(draft(&["a=1", "b=\"\""])), "");
        assert!(problem(draft(&[])).contains("mute everything"));
        assert!(problem(draft(&["a=~\".*\"", "b=\"\""])).contains("mute everything"));
        assert!(problem(SilenceDraft { ends_at: Timestamp(1000), ..draft(&["a=1"]) }).contains("after it begins"));
        assert!(problem(SilenceDraft { ends_at: Timestamp(1500), ..draft(&["a=1"]) }).contains("in the future"));
        let latest = Timestamp(1500).plus(SILENCE_AHEAD_MAX);
        assert_eq!(problem(SilenceDraft { ends_at: latest, ..draft(&["a=1"]) }), "");
        assert!(problem(SilenceDraft { ends_at: Timestamp(latest.0 + 1), ..draft(&["a=1"]) }).contains("within 5 years"));
        assert!(problem(SilenceDraft { comment: "x".repeat(1025), ..draft(&["a=1"]) }).contains("1024 bytes"));
        assert!(problem(draft(&["a=1"; MATCHERS_MAX + 1])).contains("at most 64"));
    }
}
