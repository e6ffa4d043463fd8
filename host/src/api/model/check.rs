//! A check as the API shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sickbay_core::{Reason, Schedule, StateKind, reason};
use utoipa::ToSchema;

use super::{EvidenceItem, MetricItem, StateWord, StatusWord, decision, seconds, time_unless_never};
use crate::clock::{self, rfc3339};
use crate::live::{LiveCheck, Observed};

/// A check, as lists show it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckItem {
    pub name: String,
    /// The last result's.
    pub status: StatusWord,
    /// The confirmed one: drives alerts, dependencies and `/healthz`.
    pub hard_status: StatusWord,
    pub state: StateWord,
    /// When `hard_status` became what it is.
    pub since: Option<String>,
    pub plugin: String,
    /// Empty until a version of the plugin is loaded, where the configuration does not name it.
    pub kind: String,
    /// One line from the plugin.
    pub summary: String,
    /// The name of the reason, for example `ConditionFailed`.
    pub reason: String,
    /// The reason as a sentence.
    pub reason_detail: String,
    /// What the state machine did with the last result: `name`, and the counts that decided. Null before the first run.
    pub decision: Option<Value>,
    pub last_run_at: Option<String>,
    pub labels: BTreeMap<String, String>,
}

impl CheckItem {
    /// What to tell a person; see [`reason::told`].
    pub fn told(&self) -> String {
        reason::told(&self.summary, &self.reason, &self.reason_detail)
    }

    pub fn of(check: &LiveCheck, observed: &Observed) -> CheckItem {
        let state = &observed.state;
        let last = observed.last.as_ref();
        let reason = last.map_or(&Reason::NotYetRun, |last| &last.reason);
        CheckItem {
            name: check.spec.name.clone(),
            status: state.status.into(),
            hard_status: state.hard_status.into(),
            state: state.kind.into(),
            since: time_unless_never(state.since),
            plugin: check.spec.plugin.clone(),
            kind: check.kind.load().to_string(),
            summary: last.map(|last| last.summary.clone()).unwrap_or_default(),
            reason: reason.name().to_owned(),
            reason_detail: reason.to_string(),
            decision: last.map(|last| decision(&last.decision)),
            last_run_at: last.map(|last| rfc3339(last.started_at)),
            labels: check.spec.labels.clone(),
        }
    }
}

/// A check with everything that is known of it now. Its `config` is not shown: it may hold a secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckDetail {
    #[serde(flatten)]
    pub check: CheckItem,
    /// Null where `cron` says when.
    pub every_seconds: Option<f64>,
    pub cron: Option<String>,
    /// Of `cron`.
    pub timezone: Option<String>,
    /// The cadence while the state is soft, where it has one of its own.
    pub retry_every_seconds: Option<f64>,
    pub timeout_seconds: f64,
    pub last_duration_seconds: Option<f64>,
    pub last_success_at: Option<String>,
    /// By the cadence in force.
    #[serde(default)]
    pub next_run_at: Option<String>,
    /// Consecutive warnings and criticals, which `failures_needed` make hard.
    pub failures: u32,
    pub failures_needed: u32,
    /// Consecutive results that are ok, which `successes_needed` make hard.
    pub successes: u32,
    pub successes_needed: u32,
    /// Consecutive results that could not judge.
    pub unknowns: u32,
    /// The failure kind that the plugin named.
    pub failure: Option<String>,
    /// What was measured against what was allowed.
    pub evidence: Vec<EvidenceItem>,
    /// Of the last report.
    pub metrics: Vec<MetricItem>,
}

impl CheckDetail {
    pub fn of(check: &LiveCheck, observed: &Observed) -> CheckDetail {
        let state = &observed.state;
        let last = observed.last.as_ref();
        let in_force = match (&check.spec.retry, state.kind) {
            (Some(retry), StateKind::Soft) => retry,
            _ => &check.schedule,
        };
        CheckDetail {
            check: CheckItem::of(check, observed),
            every_seconds: check.schedule.interval().map(|every| every.as_secs_f64()),
            cron: check.schedule.cron().map(|cron| cron.expression().to_owned()),
            timezone: check.schedule.cron().map(|cron| cron.zone().name().to_owned()),
            retry_every_seconds: check.spec.retry.as_ref().and_then(Schedule::interval).map(|retry| retry.as_secs_f64()),
            timeout_seconds: check.spec.timeout.as_secs_f64(),
            last_duration_seconds: last.map(|last| seconds(last.duration_us)),
            last_success_at: state.last_success_at.map(rfc3339),
            next_run_at: Some(rfc3339(in_force.next_after(clock::now()))),
            failures: state.failures,
            failures_needed: check.spec.policy.failures,
            successes: state.successes,
            successes_needed: check.spec.policy.successes,
            unknowns: state.unknowns,
            failure: last.and_then(|last| last.failure.clone()),
            evidence: last.map(|last| last.evidence.iter().map(EvidenceItem::from).collect()).unwrap_or_default(),
            metrics: last.map(|last| last.metrics.iter().map(MetricItem::from).collect()).unwrap_or_default(),
        }
    }
}
