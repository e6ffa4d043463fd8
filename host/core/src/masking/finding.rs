//! All that a run came to, masked text by text.
//!
//! Text for people is masked where it stands. A name is for machines: what holds a secret is left out, and series that became the same are one.
//! JSON stays JSON; where that cannot be, all of it is left out.
//!
//! Invariant: what was within the contract's bounds still is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Bond, MASKED};
use crate::{EndCause, Failure, Finding, Label, Metric, Report};

/// A text that got longer is cut here, or at the length that it had; no text of a report has a lower bound.
const TEXT_BYTES_MIN: usize = 512;
/// Details that got longer are left out.
const DETAILS_BYTES_MAX: usize = 64 << 10;

/// What knows secrets when it sees them.
pub trait Mask {
    /// `text` with something else in their place; borrowed where there are none.
    fn mask<'text>(&self, text: &'text str) -> Cow<'text, str>;

    /// Whether a name says that the value beside it is one.
    fn is_secret(&self, _name: &str, _value: &str, _bond: Bond) -> bool {
        false
    }
}

/// What a run came to, fit to be told.
pub fn mask_finding(mask: &impl Mask, finding: Finding) -> Finding {
    let masking = Masking(mask);
    match finding {
        Finding::Report(report) => Finding::Report(masking.report(report)),
        Finding::Failure(Failure { kind, message }) => Finding::Failure(Failure {
            kind: if masking.is_clean(&kind) { kind } else { "internal".to_owned() },
            message: masking.text(message),
        }),
        Finding::Ended(cause) => Finding::Ended(match cause {
            EndCause::Trap { message } => EndCause::Trap { message: masking.text(message) },
            EndCause::InvalidReport { message } => EndCause::InvalidReport { message: masking.text(message) },
            EndCause::PluginMissing { message } => EndCause::PluginMissing { message: masking.text(message) },
            EndCause::Deadline { .. } | EndCause::Quota { .. } | EndCause::Overloaded { .. } | EndCause::HostLate { .. } => cause,
        }),
    }
}

struct Masking<'mask, M>(&'mask M);

impl<M: Mask> Masking<'_, M> {
    fn is_clean(&self, text: &str) -> bool {
        matches!(self.0.mask(text), Cow::Borrowed(_))
    }

    fn text(&self, text: String) -> String {
        let Cow::Owned(mut masked) = self.0.mask(&text) else { return text };
        masked.truncate(masked.floor_char_boundary(text.len().max(TEXT_BYTES_MIN)));
        masked
    }

    fn report(&self, mut report: Report) -> Report {
        report.summary = self.text(report.summary);
        report.failure = report.failure.filter(|kind| self.is_clean(kind));
        for evidence in &mut report.evidence {
            for text in [&mut evidence.actual, &mut evidence.expected] {
                *text = self.text(std::mem::take(text));
            }
            for name in [&mut evidence.metric, &mut evidence.unit] {
                if !self.is_clean(name) {
                    name.clear();
                }
            }
        }
        report.details = report.details.and_then(|details| self.details(details));
        report.extras = self.labels(report.extras);
        if !report.metrics.iter().all(|metric| self.is_clean_metric(metric)) {
            report.metrics = self.metrics(&report.metrics).into();
        }
        report
    }

    fn labels(&self, labels: Vec<Label>) -> Vec<Label> {
        let named = labels.into_iter().filter(|label| self.is_clean(&label.name));
        named
            .map(|Label { name, value }| {
                let value = if self.0.is_secret(&name, &value, Bond::Loose) { MASKED.to_owned() } else { self.text(value) };
                Label { name, value }
            })
            .collect()
    }

    fn is_clean_metric(&self, metric: &Metric) -> bool {
        let is_clean =
            |Label { name, value }: &Label| self.is_clean(name) && self.is_clean(value) && !self.0.is_secret(name, value, Bond::Loose);
        metric.labels.iter().all(is_clean) && self.is_clean(&metric.name) && self.is_clean(&metric.unit)
    }

    /// Series that are one and the same now are one: the first.
    fn metrics(&self, metrics: &[Metric]) -> Vec<Metric> {
        let named = metrics.iter().filter(|metric| self.is_clean(&metric.name) && self.is_clean(&metric.unit));
        let masked = named.map(|metric| Metric { labels: self.labels(metric.labels.clone()), ..metric.clone() });
        let mut seen = BTreeSet::new();
        masked.filter(|metric| seen.insert((metric.name.clone(), metric.labels.clone()))).collect()
    }

    /// Every text and key of the JSON. Where it holds a secret that is no text, or got too long, all of it is left out.
    fn details(&self, details: String) -> Option<String> {
        let is_clean = self.is_clean(&details);
        // Behind an escape something else may stand.
        if is_clean && !details.contains('\\') {
            return Some(details);
        }
        let json: Json = serde_json::from_str(&details).ok()?;
        let masked = self.json("", json.clone());
        if is_clean && masked == json {
            return Some(details);
        }
        let masked = masked.to_string();
        (masked.len() <= DETAILS_BYTES_MAX && self.is_clean(&masked)).then_some(masked)
    }

    /// The value of an entry `name`, or of a list that is one. As deep as the parser lets JSON be.
    fn json(&self, name: &str, json: Json) -> Json {
        match json {
            Json::String(text) if self.0.is_secret(name, &text, Bond::Assigned) => Json::from(MASKED),
            Json::String(text) => Json::String(self.0.mask(&text).into_owned()),
            Json::Number(number) if self.0.is_secret(name, &number.to_string(), Bond::Assigned) => Json::from(MASKED),
            Json::Array(items) => Json::Array(items.into_iter().map(|item| self.json(name, item)).collect()),
            Json::Object(entries) => {
                Json::Object(entries.into_iter().map(|(key, value)| (self.0.mask(&key).into_owned(), self.json(&key, value))).collect())
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => json,
        }
    }
}
