//! The JSON of Alertmanager's API, as its clients write and read it.
//!
//! What is read takes members that it does not know and leaves them out, as Alertmanager does: its clients are of many versions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sickbay_core::alerting::{Fingerprint, LabelSet, Matcher, Operation, Silence, SilenceId};

use super::posted::ALERTS_MAX;
use crate::clock::rfc3339;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GettableAlert<'a> {
    pub(super) labels: &'a LabelSet,
    pub(super) annotations: BTreeMap<&'a str, Cow<'a, str>>,
    pub(super) starts_at: String,
    pub(super) ends_at: String,
    pub(super) updated_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub(super) generator_url: Option<&'a str>,
    pub(super) fingerprint: Fingerprint,
    pub(super) receivers: Vec<Receiver<'a>>,
    pub(super) status: AlertStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Receiver<'a> {
    pub(super) name: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertStatus {
    pub(super) state: AlertState,
    /// Ids of silences.
    pub(super) silenced_by: Vec<String>,
    /// Fingerprints of alerts.
    pub(super) inhibited_by: Vec<String>,
    /// Names of time intervals and maintenance windows.
    pub(super) muted_by: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AlertState {
    Active,
    Suppressed,
}

#[derive(Debug, Serialize)]
pub(super) struct AlertGroup<'a> {
    pub(super) labels: &'a LabelSet,
    pub(super) receiver: Receiver<'a>,
    pub(super) alerts: Vec<GettableAlert<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GettableSilence<'a> {
    id: SilenceId,
    status: SilenceStatus,
    starts_at: String,
    ends_at: String,
    updated_at: String,
    created_by: &'a str,
    comment: &'a str,
    matchers: Vec<SilenceMatcher<'a>>,
}

#[derive(Debug, Serialize)]
struct SilenceStatus {
    state: SilenceState,
}

/// In the order of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SilenceState {
    Active,
    Pending,
    Expired,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SilenceMatcher<'a> {
    name: &'a str,
    value: &'a str,
    is_regex: bool,
    is_equal: bool,
}

impl<'a> GettableSilence<'a> {
    pub(super) fn of(silence: &'a Silence, state: SilenceState) -> GettableSilence<'a> {
        GettableSilence {
            id: silence.id,
            status: SilenceStatus { state },
            starts_at: rfc3339(silence.starts_at),
            ends_at: rfc3339(silence.ends_at),
            updated_at: rfc3339(silence.updated_at),
            created_by: &silence.created_by,
            comment: &silence.comment,
            matchers: silence.matchers.iter().map(SilenceMatcher::of).collect(),
        }
    }
}

impl<'a> SilenceMatcher<'a> {
    fn of(matcher: &'a Matcher) -> SilenceMatcher<'a> {
        let operation = matcher.operation();
        SilenceMatcher {
            name: matcher.name(),
            value: matcher.value(),
            is_regex: matches!(operation, Operation::Matches | Operation::MatchesNot),
            is_equal: matches!(operation, Operation::Equal | Operation::Matches),
        }
    }
}

/// A silence as somebody asks for it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostableSilence {
    /// Of the silence whose place it takes.
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) matchers: Vec<PostableMatcher>,
    pub(super) starts_at: String,
    pub(super) ends_at: String,
    pub(super) created_by: String,
    pub(super) comment: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostableMatcher {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) is_regex: bool,
    /// Clients of old versions do not know it.
    #[serde(default)]
    pub(super) is_equal: Option<bool>,
}

/// An alert as somebody posts it. Everything may be left out or null; what must be there is said in better words than serde's.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PostableAlert {
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
    pub(super) starts_at: Option<String>,
    pub(super) ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    pub(super) generator_url: Option<String>,
}

/// Each to be read as a [`PostableAlert`]. At most [`ALERTS_MAX`]; reading ends at the first one beyond, so that a short text does not become a long list.
#[derive(Debug)]
pub(super) struct PostableAlerts(pub(super) Vec<Value>);

impl<'de> Deserialize<'de> for PostableAlerts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PostableAlerts, D::Error> {
        deserializer.deserialize_seq(PostableAlertsVisitor)
    }
}

struct PostableAlertsVisitor;

impl<'de> Visitor<'de> for PostableAlertsVisitor {
    type Value = PostableAlerts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of alerts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut written: A) -> Result<PostableAlerts, A::Error> {
        let mut alerts = Vec::new();
        while let Some(alert) = written.next_element()? {
            if alerts.len() == ALERTS_MAX {
                return Err(A::Error::custom(format!("there are more than {ALERTS_MAX} alerts")));
            }
            alerts.push(alert);
        }
        Ok(PostableAlerts(alerts))
    }
}
