//! What is kept of a run: reports, failures, log lines, calls on a tape. Secrets and placeholders in them become `{{secret:NAME}}` again.
//!
//! A guest is never given a secret in a spelling that is known here, so to find one is the exception. To find a placeholder is not: a
//! plugin may tell the URL of its `config`. Those go too, for they tell nobody anything and would make a new series of every run.
//!
//! Invariant: what was within the contract's bounds still is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value as Json;
use sickbay_core::{EndCause, Failure, Finding, Label, Metric, Report};

use super::mask::{merged, replace};
use super::placeholder::Placeholders;
use super::template::written;
use super::view::End;
use crate::services::Services;

/// A text that got longer is cut here, or at the length that it had; no text of a report has a lower bound.
const TEXT_BYTES_MIN: usize = 512;
/// Details that got longer are left out.
const DETAILS_BYTES_MAX: usize = 64 << 10;
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
        match finding {
            Finding::Report(report) => Finding::Report(self.mask_report(report)),
            Finding::Failure(Failure { kind, message }) => Finding::Failure(Failure {
                kind: if self.is_clean(&kind) { kind } else { "internal".to_owned() },
                message: self.masked(message),
            }),
            Finding::Ended(EndCause::Trap { message }) => Finding::Ended(EndCause::Trap { message: self.masked(message) }),
            Finding::Ended(EndCause::InvalidReport { message }) => {
                Finding::Ended(EndCause::InvalidReport { message: self.masked(message) })
            }
            Finding::Ended(cause) => Finding::Ended(cause),
        }
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

    fn is_clean(&self, text: &str) -> bool {
        matches!(self.mask_text(text), Cow::Borrowed(_))
    }

    fn masked(&self, text: String) -> String {
        let Cow::Owned(mut masked) = self.mask_text(&text) else { return text };
        masked.truncate(masked.floor_char_boundary(text.len().max(TEXT_BYTES_MIN)));
        masked
    }

    fn mask_in_place(&self, text: &mut String) {
        *text = self.masked(std::mem::take(text));
    }

    fn mask_report(&self, mut report: Report) -> Report {
        self.mask_in_place(&mut report.summary);
        report.failure = report.failure.filter(|kind| self.is_clean(kind));
        for evidence in &mut report.evidence {
            self.mask_in_place(&mut evidence.actual);
            self.mask_in_place(&mut evidence.expected);
            for name in [&mut evidence.metric, &mut evidence.unit] {
                if !self.is_clean(name) {
                    name.clear();
                }
            }
        }
        report.details = report.details.and_then(|details| self.mask_details(details));
        report.extras = self.mask_labels(report.extras);
        if !report.metrics.iter().all(|metric| self.is_clean_metric(metric)) {
            report.metrics = self.mask_metrics(&report.metrics).into();
        }
        report
    }

    /// A name is for machines: what is no name any more is left out.
    fn mask_labels(&self, labels: Vec<Label>) -> Vec<Label> {
        let named = labels.into_iter().filter(|label| self.is_clean(&label.name));
        named.map(|label| Label { name: label.name, value: self.masked(label.value) }).collect()
    }

    fn is_clean_metric(&self, metric: &Metric) -> bool {
        let labels = metric.labels.iter().all(|label| self.is_clean(&label.name) && self.is_clean(&label.value));
        labels && self.is_clean(&metric.name) && self.is_clean(&metric.unit)
    }

    /// Series that are one and the same now are one: the first.
    fn mask_metrics(&self, metrics: &[Metric]) -> Vec<Metric> {
        let named = metrics.iter().filter(|metric| self.is_clean(&metric.name) && self.is_clean(&metric.unit));
        let masked = named.map(|metric| Metric { labels: self.mask_labels(metric.labels.clone()), ..metric.clone() });
        let mut seen = BTreeSet::new();
        masked.filter(|metric| seen.insert((metric.name.clone(), metric.labels.clone()))).collect()
    }

    /// Every text and key of the JSON. Where it holds a secret that is no text (a number), or got too long, all of it is left out.
    fn mask_details(&self, details: String) -> Option<String> {
        if self.is_clean(&details) {
            return Some(details);
        }
        let masked = self.mask_json(serde_json::from_str(&details).ok()?).to_string();
        (masked.len() <= DETAILS_BYTES_MAX && self.is_clean(&masked)).then_some(masked)
    }

    /// As deep as the parser lets JSON be.
    fn mask_json(&self, json: Json) -> Json {
        match json {
            Json::String(text) => Json::String(self.mask_text(&text).into_owned()),
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.mask_json(item)).collect()),
            Json::Object(entries) => {
                Json::Object(entries.into_iter().map(|(key, value)| (self.mask_text(&key).into_owned(), self.mask_json(value))).collect())
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => json,
        }
    }
}
