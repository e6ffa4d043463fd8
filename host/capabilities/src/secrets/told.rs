//! What is kept of a run: reports, failures, log lines, calls on a tape. Secrets and placeholders in them become `{{secret:NAME}}` again.
//!
//! A guest is never given a secret in a spelling that is known here, so to find one is the exception. To find a placeholder is not: a
//! plugin may tell the URL of its `config`. Those go too, for they tell nobody anything and would make a new series of every run.
//!
//! Invariant: what was within the contract's bounds still is (`core/src/masking/finding.rs`).

use std::borrow::Cow;

use sickbay_core::Finding;
use sickbay_core::masking::{Mask, mask_finding};

use super::mask::{merged, replace};
use super::placeholder::Placeholders;
use super::template::written;
use super::view::End;
use crate::services::Services;

/// How a text ends that was cut before it came here.
const CUT_MARK: char = '…';

impl Services {
    /// What a guest printed, fit to be kept. Nothing of it is, where masking it fails.
    pub async fn mask_output(&self, placeholders: &Placeholders, output: String) -> String {
        let masked = self.masking.run(placeholders, output.len(), move |placeholders| match placeholders.mask_text(&output) {
            Cow::Owned(masked) => masked,
            Cow::Borrowed(_) => output,
        });
        masked.await.unwrap_or_default()
    }
}

impl Placeholders {
    /// All that a run came to, fit to be kept.
    pub fn mask_finding(&self, finding: Finding) -> Finding {
        if self.is_empty() {
            return finding;
        }
        mask_finding(self, finding)
    }

    /// One text: of a log line, of what a guest printed.
    pub fn mask_text<'text>(&self, text: &'text str) -> Cow<'text, str> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let (whole, end) = match text.strip_suffix(CUT_MARK) {
            Some(before) => (before, End::Cut),
            None => (text, End::Whole),
        };
        let hits = [self.hits(whole.as_bytes(), end), self.placeholder_hits(whole.as_bytes())].concat();
        if hits.is_empty() {
            return Cow::Borrowed(text);
        }
        let masked = replace(whole.as_bytes(), &merged(hits), |index| self.written(index));
        let mut masked = String::from_utf8_lossy(&masked).into_owned();
        masked.push_str(&text[whole.len()..]);
        Cow::Owned(masked)
    }

    /// Of a call on a tape, a text or the bytes of a body. None where nothing in it is to be hidden.
    pub(crate) fn mask_kept(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let hits = [self.hits(bytes, End::Whole), self.placeholder_hits(bytes)].concat();
        (!hits.is_empty()).then(|| replace(bytes, &merged(hits), |index| self.written(index)))
    }

    /// By the first of its secrets, where it holds several; plain text that a guest had encoded has none.
    fn written(&self, index: usize) -> String {
        self.entries()[index].names().first().map_or_else(|| "{{encoded}}".to_owned(), |name| written(name))
    }
}

impl Mask for Placeholders {
    fn mask<'text>(&self, text: &'text str) -> Cow<'text, str> {
        self.mask_text(text)
    }
}
