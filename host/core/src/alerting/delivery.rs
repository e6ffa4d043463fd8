//! A delivery: one notification on its way to one sink, from its making to its end.
//!
//! Each attempt is recorded before it is made and ends with an [`Outcome`]; where that is lost (a crash, a trap) the lease runs out and the
//! attempt may have arrived. Until an attempt may have arrived the content follows the truth; from then on it stays as it was said, with the
//! same idempotency key, until the sink has it, refuses it, or the time is up. One that was sent and has ended can be sent again by a person:
//! that is another delivery with its own key.
//!
//! Limits: [`ALERTS_MAX`] alerts are named, the rest is counted; waits between attempts grow from [`BACKOFF_FIRST`] to [`BACKOFF_MAX`]; a sink may
//! ask for up to [`RETRY_AFTER_MAX`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::SinkName;
use super::group::GroupKey;
use super::id::{DeliveryId, IncidentId};
use super::incident::{Findings, Incident, Phase, Severity, Source};
use super::labels::{Fingerprint, LabelSet};
use super::ledger::Standing;
use crate::{Label, Timestamp};

pub const ALERTS_MAX: usize = 100;
pub const BACKOFF_FIRST: Duration = Duration::from_secs(1);
pub const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// An attempt that has told nothing for so long beyond the longest that it may take is taken for lost.
pub const LEASE_MARGIN: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The idempotency key too.
    pub id: DeliveryId,
    pub sink: SinkName,
    pub group: GroupKey,
    pub route: Arc<str>,
    pub group_labels: LabelSet,
    pub cause: Cause,
    /// Firing while any alert of the group is, named or not.
    pub phase: Phase,
    /// The worst of its alerts.
    pub severity: Severity,
    /// What is told, as it was when it was first attempted.
    pub alerts: Vec<Alert>,
    /// How many more there are.
    pub more: u32,
    /// Every incident that it is about, named or counted.
    pub covers: Vec<Cover>,
    /// Of the receipt before it for this group.
    pub reference: Option<Arc<str>>,
    pub created_at: Timestamp,
    pub give_up_at: Timestamp,
    /// Attempts that were begun; the number of the one under way.
    pub attempts: u32,
    /// An attempt may have reached the sink, so nothing of it is changed any more.
    pub may_have_arrived: bool,
    pub last_error: Option<String>,
    pub state: DeliveryState,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum DeliveryState {
    Pending { next_attempt_at: Timestamp },
    Attempting { lease_until: Timestamp },
    Delivered { at: Timestamp },
    Refused { at: Timestamp },
    Expired { at: Timestamp },
    Abandoned { at: Timestamp, reason: Abandoned },
}

/// Why a delivery ended without being attempted to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Abandoned {
    /// Everything in it was resolved before the first attempt.
    ResolvedBeforeSent,
    /// By the first attempt there was nothing to tell any more: muted, or told in another group.
    Outdated,
    /// Before its first attempt.
    SinkRemoved,
}

impl fmt::Display for Abandoned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Abandoned::ResolvedBeforeSent => "everything in it was resolved before the first attempt",
            Abandoned::Outdated => "by the first attempt it was muted, or told in another group",
            Abandoned::SinkRemoved => "its sink was removed before the first attempt",
        })
    }
}

/// Why a notification is made; the most important of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    Opened,
    Resolved,
    Acknowledged,
    Reminder,
    /// A person wants it sent again.
    Resent {
        of: DeliveryId,
    },
}

/// One incident that a delivery is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    pub incident: IncidentId,
    pub phase: Phase,
    pub is_named: bool,
    /// What the sink knew of it before.
    pub before: Option<Standing>,
}

/// One alert as it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub incident: IncidentId,
    pub fingerprint: Fingerprint,
    pub change: Change,
    pub phase: Phase,
    pub severity: Severity,
    pub check: Option<Arc<str>>,
    pub target: Option<Arc<str>>,
    pub labels: LabelSet,
    pub annotations: Arc<[Label]>,
    pub findings: Arc<Findings>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub generator_url: Option<Arc<str>>,
}

/// What is new about an alert for the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Opened,
    Unchanged,
    Acknowledged,
    Resolved,
}

impl Alert {
    pub(super) fn of(incident: &Incident, change: Change) -> Alert {
        let generator_url = match &incident.source {
            Source::Check { .. } => None,
            Source::Posted { generator_url, .. } => generator_url.clone(),
        };
        Alert {
            incident: incident.id,
            fingerprint: incident.fingerprint,
            change,
            phase: incident.phase,
            severity: incident.severity,
            check: incident.check().cloned(),
            target: incident.target.clone(),
            labels: incident.labels.clone(),
            annotations: incident.annotations.clone(),
            findings: incident.findings.clone(),
            started_at: incident.started_at,
            ended_at: incident.ended_at,
            generator_url,
        }
    }
}

impl Delivery {
    pub fn is_finished(&self) -> bool {
        !matches!(self.state, DeliveryState::Pending { .. } | DeliveryState::Attempting { .. })
    }

    /// Whether the sink may have it by now, or is about to.
    pub fn may_be_known(&self) -> bool {
        self.may_have_arrived || matches!(self.state, DeliveryState::Attempting { .. })
    }

    /// How long to wait after a failed attempt: twice as long after each.
    pub(super) fn backoff(&self) -> Duration {
        let doublings = self.attempts.saturating_sub(1).min(20);
        BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered { reference: Option<String> },
    /// The receiver has the alerts that are named, and was not told of those that are only counted.
    DeliveredNamed { reference: Option<String> },
    /// The receiver could not take it now. It may have it all the same: an answer can be lost.
    Retryable { error: String, after: Option<Duration> },
    /// Trying again cannot help, and the receiver does not have it.
    Refused { error: String },
    /// Nothing was sent, for certain: the sink's plugin is not loaded.
    NotAttempted { error: String },
    /// Nobody knows: a crash, a trap, a deadline.
    Lost { error: String },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::Chance;

    fn delivery() -> Delivery {
        Delivery {
            id: DeliveryId::next(&mut Chance::seeded(1), Timestamp(1)),
            sink: "oncall".into(),
            group: GroupKey::new("{}", &LabelSet::default()),
            route: "{}".into(),
            group_labels: LabelSet::default(),
            cause: Cause::Opened,
            phase: Phase::Firing,
            severity: Severity::P1,
            alerts: Vec::new(),
            more: 0,
            covers: Vec::new(),
            reference: None,
            created_at: Timestamp(1),
            give_up_at: Timestamp(2),
            attempts: 0,
            may_have_arrived: false,
            last_error: None,
            state: DeliveryState::Pending { next_attempt_at: Timestamp(1) },
        }
    }

    #[test]
    fn waits_between_attempts_double_up_to_a_bound() {
        let waits: Vec<u64> = (1..=11).map(|attempts| Delivery { attempts, ..delivery() }.backoff().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(Delivery { attempts: u32::MAX, ..delivery() }.backoff(), BACKOFF_MAX);
    }

    #[test]
    fn a_cause_survives_its_row() {
        let id = delivery().id;
        for cause in [Cause::Opened, Cause::Reminder, Cause::Resent { of: id }] {
            let json = serde_json::to_string(&cause).expect("a cause is JSON");
            assert_eq!(serde_json::from_str::<Cause>(&json).expect("the same cause"), cause, "{json}");
        }
    }

    #[test]
    fn a_delivery_survives_its_row() {
        let delivery = Delivery { state: DeliveryState::Abandoned { at: Timestamp(3), reason: Abandoned::SinkRemoved }, ..delivery() };
        let json = serde_json::to_string(&delivery).expect("a delivery is JSON");
        assert!(json.contains(r#""state":{"name":"Abandoned","at":3,"reason":"SinkRemoved"}"#), "{json}");
        assert_eq!(serde_json::from_str::<Delivery>(&json).expect("the same delivery"), delivery);
        assert!(delivery.is_finished() && !delivery.may_be_known());
    }
}
