//! A result as the API shows it, and what it is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sickbay_core::{Evidence, Label, Metric};
use sickbay_store::Committed;
use utoipa::ToSchema;

use super::{StateWord, StatusWord, decision, json, metric_kind, seconds};
use crate::clock::rfc3339;
use crate::reporter::reason_detail;

/// What was measured against what was allowed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EvidenceItem {
    /// Empty where no metric is behind it.
    pub metric: String,
    pub actual: String,
    pub expected: String,
    pub unit: String,
}

impl From<&Evidence> for EvidenceItem {
    fn from(evidence: &Evidence) -> EvidenceItem {
        EvidenceItem {
            metric: evidence.metric.clone(),
            actual: evidence.actual.clone(),
            expected: evidence.expected.clone(),
            unit: evidence.unit.clone(),
        }
    }
}

/// One number that a plugin measured.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MetricItem {
    pub name: String,
    pub value: f64,
    /// `gauge` or `counter`.
    pub kind: String,
    /// `seconds`, `bytes`, `ratio`, or empty.
    pub unit: String,
    pub labels: BTreeMap<String, String>,
}

impl From<&Metric> for MetricItem {
    fn from(metric: &Metric) -> MetricItem {
        MetricItem {
            name: metric.name.clone(),
            value: metric.value,
            kind: metric_kind(metric.kind).to_owned(),
            unit: metric.unit.clone(),
            labels: metric.labels.iter().map(|Label { name, value }| (name.clone(), value.clone())).collect(),
        }
    }
}

/// One recorded run; also the `data` of an event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResultItem {
    /// The place in the one sequence of results and what happens to incidents; the `id` of its event.
    pub seq: u64,
    pub check: String,
    pub status: StatusWord,
    /// The confirmed status after this result.
    pub hard_status: StatusWord,
    pub state: StateWord,
    pub summary: String,
    pub reason: String,
    pub reason_detail: String,
    /// What the state machine did with the result: `name`, and the counts that decided.
    #[schema(value_type = Object)]
    pub decision: Value,
    /// The failure kind that the plugin named.
    pub failure: Option<String>,
    /// The change of the confirmed status that this result made.
    pub transition: Option<TransitionItem>,
    /// `schedule` or `manual`.
    pub trigger: String,
    pub scheduled_at: String,
    pub started_at: String,
    pub duration_seconds: f64,
    pub plugin: String,
    pub plugin_version: String,
    pub evidence: Vec<EvidenceItem>,
    pub metrics: Vec<MetricItem>,
    /// What the plugin kept with the result.
    pub details: Option<Value>,
}

impl From<&Committed> for ResultItem {
    fn from(Committed { seq, record }: &Committed) -> ResultItem {
        ResultItem {
            seq: *seq,
            check: record.check.to_string(),
            status: record.status.into(),
            hard_status: record.state.hard_status.into(),
            state: record.state.kind.into(),
            summary: record.summary.clone(),
            reason: record.reason.name().to_owned(),
            reason_detail: reason_detail(record),
            decision: decision(&record.decision),
            failure: record.failure.clone(),
            transition: record.transition.as_ref().map(|transition| TransitionItem {
                from: transition.from.into(),
                to: transition.to.into(),
                at: rfc3339(transition.at),
            }),
            trigger: record.trigger.as_str().to_owned(),
            scheduled_at: rfc3339(record.scheduled_at),
            started_at: rfc3339(record.started_at),
            duration_seconds: seconds(record.duration_us),
            plugin: record.plugin.to_string(),
            plugin_version: record.plugin_version.to_string(),
            evidence: record.evidence.iter().map(EvidenceItem::from).collect(),
            metrics: record.metrics.iter().map(MetricItem::from).collect(),
            details: record.details.as_deref().map(json),
        }
    }
}

/// A change of the confirmed status.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TransitionItem {
    pub from: StatusWord,
    pub to: StatusWord,
    pub at: String,
}
