//! What people tell by a body of JSON: who they are, what they write, until when.
//!
//! Names and texts go no further with what is masked in them, and so do errors that quote them (`src/masks.rs`). Matchers stay as they are:
//! with something else in them they would mean other alerts.
//!
//! Limits: [`BY_BYTES_MAX`], [`NOTE_BYTES_MAX`]; a time span of at most [`LASTS_MAX`].

use std::time::Duration;

use axum::Extension;
use serde::de::DeserializeOwned;
use sickbay_core::Timestamp;
use sickbay_core::alerting::NOTE_BYTES_MAX;
use sickbay_store::QueueError;

use super::problem::{Problem, ProblemKind, quoted};
use super::tokens::Admitted;
use crate::masks::Masks;

const BY_BYTES_MAX: usize = 256;
const LASTS_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Who asks on a loopback address and does not say who he is.
const SOMEBODY: &str = "somebody on this machine";

/// The body as what it is to be; an empty one leaves everything out. `hint` shows one.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], hint: &str, masks: &Masks) -> Result<T, Problem> {
    let body: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| masked(invalid(format!("the body is not what is asked for: {error}")), masks).hint(hint))
}

/// An error that may quote what was sent.
pub(super) fn masked(problem: Problem, masks: &Masks) -> Problem {
    Problem { detail: masks.text(problem.detail), ..problem }
}

/// Who says it: whose token it is, where there is one, whatever is written.
pub(super) fn who(admitted: Option<&Extension<Admitted>>, by: Option<String>, masks: &Masks) -> Result<String, Problem> {
    let by = match admitted {
        Some(Extension(admitted)) => admitted.name.to_string(),
        None => by.filter(|by| !by.trim().is_empty()).map_or_else(|| SOMEBODY.to_owned(), |by| masks.text(by)),
    };
    if by.len() > BY_BYTES_MAX {
        return Err(invalid(format!("`by` has more than {BY_BYTES_MAX} bytes")));
    }
    Ok(by)
}

/// A text that somebody writes for others.
pub(super) fn note(key: &str, text: Option<String>, masks: &Masks) -> Result<Option<String>, Problem> {
    match text.map(|text| masks.text(text)) {
        Some(text) if text.len() > NOTE_BYTES_MAX => Err(invalid(format!("`{key}` has more than {NOTE_BYTES_MAX} bytes"))),
        text => Ok(text.filter(|text| !text.trim().is_empty())),
    }
}

/// When something begins.
pub(super) fn moment(key: &str, text: &str) -> Result<Timestamp, Problem> {
    Timestamp::from_rfc3339(text).ok_or_else(|| {
        invalid(format!("`{key}` is {}", quoted(text))).hint("write a time such as 2026-01-31T18:00:00Z, or 2026-01-31T18:00:00+01:00")
    })
}

/// When something that begins at `from` ends: at a time (`key`), or after a while (`for`). None where neither is said.
pub(super) fn end(key: &str, at: Option<&str>, lasts: Option<&str>, from: Timestamp) -> Result<Option<Timestamp>, Problem> {
    match (at, lasts) {
        (None, None) => Ok(None),
        (Some(at), None) => moment(key, at).map(Some),
        (None, Some(lasts)) => match humantime::parse_duration(lasts) {
            Ok(span) if !span.is_zero() && span <= LASTS_MAX => Ok(Some(from.plus(span))),
            Ok(_) | Err(_) => {
                Err(invalid(format!("`for` is {}", quoted(lasts))).hint("write a time span such as 30m, 2h or 7d, up to 366d"))
            }
        },
        (Some(_), Some(_)) => Err(invalid(format!("both `{key}` and `for` are given")).hint("leave one of them out")),
    }
}

pub(super) fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::BodyInvalid, detail)
}

/// What was told may be lost.
pub(super) fn not_stored(error: QueueError) -> Problem {
    tracing::error!(%error, "what somebody told about alerts was not stored");
    Problem::new(ProblemKind::StoreFailed, "it could not be stored before the end").hint("see the log of `sickbay serve`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_while_and_not_both() {
        let from = Timestamp(1_000);
        let end = |at: Option<&str>, lasts: Option<&str>| end("until", at, lasts, from).map_err(|problem| problem.detail);
        assert_eq!(end(None, None), Ok(None));
        assert_eq!(end(None, Some("2h")), Ok(Some(Timestamp(1_000 + 7_200_000))));
        assert_eq!(end(Some("1970-01-01T00:01:00Z"), None), Ok(Some(Timestamp(60_000))));
        for wrong in ["", "2", "0s", "-1h", "1000d", "soon"] {
            assert!(end(None, Some(wrong)).is_err_and(|told| told.starts_with("`for` is ")), "{wrong}");
        }
        assert!(end(Some("tomorrow"), None).is_err_and(|told| told.starts_with("`until` is `tomorrow`")));
        assert_eq!(end(Some("1970-01-01T00:01:00Z"), Some("1h")), Err("both `until` and `for` are given".to_owned()));
    }

    #[test]
    fn who_says_it_is_said_and_bounded() {
        let masks = Masks::default();
        assert_eq!(who(None, Some("anna".to_owned()), &masks), Ok("anna".to_owned()));
        assert_eq!(who(None, Some(" ".to_owned()), &masks), Ok(SOMEBODY.to_owned()));
        assert!(who(None, Some("x ".repeat(BY_BYTES_MAX)), &masks).is_err());
        assert_eq!(note("note", Some(String::new()), &masks), Ok(None));
        assert!(note("note", Some("x ".repeat(NOTE_BYTES_MAX)), &masks).is_err());
    }

    #[test]
    fn what_looks_like_a_secret_is_masked_in_names_texts_and_errors() {
        let (masks, told) = (Masks::default(), || Some("password=hunter22hunter".to_owned()));
        assert_eq!(who(None, told(), &masks), Ok("password=[masked]".to_owned()));
        assert_eq!(note("note", told(), &masks), Ok(Some("password=[masked]".to_owned())));
        let refused = read::<u8>(br#""password=hunter22hunter""#, "write a number", &masks).expect_err("it is no number");
        assert!(refused.detail.contains("[masked]") && !refused.detail.contains("hunter22"), "{refused:?}");
    }
}
