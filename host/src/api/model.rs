//! What the API says: the shapes of its JSON, made from the live state and from records of the store.
//!
//! They are types of their own so that what users see does not change when a type inside does, and so that nothing gets out that was
//! not put here: a check's `config`, which may hold what looks like a secret, has no field.
//!
//! Invariant: times are RFC 3339 in UTC with milliseconds, or null.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sickbay_core::{Decision, Evidence, Label, Metric, MetricKind, Reason, Schedule, StateKind, Status, Timestamp, reason};
use sickbay_runtime::Kind;
use sickbay_store::Committed;
use utoipa::ToSchema;

use crate::clock::rfc3339;
use crate::config::Isolation;
use crate::live::{LiveCheck, Observed};
use crate::plugins::{LoadFailure, PeakUsage, PluginSlot, Quarantined};

/// One part of a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// What to pass to get the part behind this one; null at the end.
    pub next: Option<String>,
}

/// What a result says; `unknown` is not "down": nobody could judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusWord {
    Unknown,
    Ok,
    Warning,
    Critical,
}

impl StatusWord {
    /// Worst first, in the order of `Status::worse`.
    pub const WORST_FIRST: [StatusWord; 4] = [StatusWord::Critical, StatusWord::Unknown, StatusWord::Warning, StatusWord::Ok];

    pub fn as_str(self) -> &'static str {
        match self {
            StatusWord::Unknown => "unknown",
            StatusWord::Ok => "ok",
            StatusWord::Warning => "warning",
            StatusWord::Critical => "critical",
        }
    }

    /// The place in [`StatusWord::WORST_FIRST`]: sorts the worst to the front.
    pub fn rank(self) -> usize {
        StatusWord::WORST_FIRST.iter().position(|word| *word == self).unwrap_or(StatusWord::WORST_FIRST.len())
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> StatusWord {
        match status {
            Status::Unknown => StatusWord::Unknown,
            Status::Ok => StatusWord::Ok,
            Status::Warning => StatusWord::Warning,
            Status::Critical => StatusWord::Critical,
        }
    }
}

/// `soft` while `status` is not the confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    Soft,
    Hard,
}

impl From<StateKind> for StateWord {
    fn from(kind: StateKind) -> StateWord {
        match kind {
            StateKind::Soft => StateWord::Soft,
            StateKind::Hard => StateWord::Hard,
        }
    }
}

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
        CheckDetail {
            check: CheckItem::of(check, observed),
            every_seconds: check.schedule.interval().map(|every| every.as_secs_f64()),
            cron: check.schedule.cron().map(|cron| cron.expression().to_owned()),
            timezone: check.schedule.cron().map(|cron| cron.zone().name().to_owned()),
            retry_every_seconds: check.spec.retry.as_ref().and_then(Schedule::interval).map(|retry| retry.as_secs_f64()),
            timeout_seconds: check.spec.timeout.as_secs_f64(),
            last_duration_seconds: last.map(|last| seconds(last.duration_us)),
            last_success_at: state.last_success_at.map(rfc3339),
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

fn metric_kind(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Gauge => "gauge",
        MetricKind::Counter => "counter",
    }
}

/// One recorded run; also the `data` of an event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResultItem {
    /// The place in the one sequence of all results; the `id` of its event.
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
            reason_detail: record.reason.to_string(),
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

/// How a plugin stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginState {
    /// A version serves, and it is the one in the folder.
    Loaded,
    /// A version serves; a newer one waits until what it asks for is granted (`quarantine`).
    Quarantined,
    /// A version serves; a newer file was refused (`last_error`).
    Stale,
    /// No version serves: the file was refused (`last_error`).
    Rejected,
    /// No version serves and there is no file.
    Absent,
}

impl PluginState {
    pub fn as_str(self) -> &'static str {
        match self {
            PluginState::Loaded => "loaded",
            PluginState::Quarantined => "quarantined",
            PluginState::Stale => "stale",
            PluginState::Rejected => "rejected",
            PluginState::Absent => "absent",
        }
    }
}

/// A plugin, as lists show it. What is null is not known while no version serves.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginItem {
    pub name: String,
    pub state: PluginState,
    pub version: Option<String>,
    pub summary: Option<String>,
    /// Names of the kinds of checks.
    pub kinds: Vec<String>,
    pub sha256: Option<String>,
    pub size_bytes: Option<u64>,
    pub loaded_at: Option<String>,
    /// Versions that served since the start of the process.
    pub versions_loaded: u64,
    /// Why the last file was refused; null when it was not.
    pub last_error: Option<LoadFailureItem>,
    /// The newer version that waits; null when none does.
    pub quarantine: Option<QuarantineItem>,
}

impl PluginItem {
    pub fn of(slot: &PluginSlot) -> PluginItem {
        let loaded = slot.current();
        let failure = slot.last_error();
        let quarantined = slot.quarantined();
        let plugin = loaded.as_ref().map(|loaded| &loaded.plugin);
        PluginItem {
            name: slot.name.clone(),
            state: match (&loaded, &failure) {
                (Some(_), None) if quarantined.is_some() => PluginState::Quarantined,
                (Some(_), None) => PluginState::Loaded,
                (Some(_), Some(_)) => PluginState::Stale,
                (None, Some(_)) => PluginState::Rejected,
                (None, None) => PluginState::Absent,
            },
            version: plugin.map(|plugin| plugin.descriptor.version.clone()),
            summary: plugin.map(|plugin| plugin.descriptor.summary.clone()),
            kinds: plugin.map(|plugin| plugin.descriptor.checks.iter().map(|kind| kind.name.clone()).collect()).unwrap_or_default(),
            sha256: plugin.map(|plugin| plugin.sha256.clone()),
            size_bytes: plugin.map(|plugin| plugin.size_bytes),
            loaded_at: loaded.as_ref().map(|loaded| rfc3339(loaded.at)),
            versions_loaded: slot.versions_loaded(),
            last_error: failure.as_deref().map(LoadFailureItem::from),
            quarantine: quarantined.as_deref().map(QuarantineItem::from),
        }
    }
}

/// A plugin with everything that it says of itself and what it used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PluginDetail {
    #[serde(flatten)]
    pub plugin: PluginItem,
    pub homepage: Option<String>,
    pub licence: Option<String>,
    /// What the component asks of its host.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub checks: Vec<KindItem>,
    /// What a run begins on: `fresh` or `warm`.
    pub isolation: String,
    /// How many configured checks use it.
    pub checks_configured: u64,
    /// The most that one run used, of each quota, since the start of the process.
    pub peak_usage: PeakUsageItem,
}

impl PluginDetail {
    pub fn of(slot: &PluginSlot, isolation: Isolation, checks_configured: u64) -> PluginDetail {
        let loaded = slot.current();
        let plugin = loaded.as_ref().map(|loaded| &loaded.plugin);
        let descriptor = plugin.map(|plugin| &plugin.descriptor);
        PluginDetail {
            plugin: PluginItem::of(slot),
            homepage: descriptor.and_then(|descriptor| descriptor.homepage.clone()),
            licence: descriptor.and_then(|descriptor| descriptor.licence.clone()),
            imports: plugin.map(|plugin| plugin.imports.clone()).unwrap_or_default(),
            exports: plugin.map(|plugin| plugin.exports.clone()).unwrap_or_default(),
            checks: descriptor.map(|descriptor| descriptor.checks.iter().map(KindItem::from).collect()).unwrap_or_default(),
            isolation: isolation.as_str().to_owned(),
            checks_configured,
            peak_usage: PeakUsageItem::from(&slot.peak()),
        }
    }
}

/// One kind of check that a plugin has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KindItem {
    pub name: String,
    pub summary: String,
    /// JSON Schema of `config`.
    #[schema(value_type = Object)]
    pub config_schema: Value,
    /// A `config` that works.
    #[schema(value_type = Object)]
    pub example: Value,
    pub needs: Vec<NeedItem>,
    pub metrics: Vec<MetricInfoItem>,
    /// The failure kinds that its reports name.
    pub failures: Vec<String>,
}

impl From<&Kind> for KindItem {
    fn from(kind: &Kind) -> KindItem {
        KindItem {
            name: kind.name.clone(),
            summary: kind.summary.clone(),
            config_schema: json(&kind.config_schema),
            example: json(&kind.example),
            needs: kind
                .needs
                .iter()
                .map(|need| NeedItem { capability: need.capability.clone(), reason: need.reason.clone(), grant: need.grant.clone() })
                .collect(),
            metrics: kind
                .metrics
                .iter()
                .map(|metric| MetricInfoItem {
                    name: metric.name.clone(),
                    kind: metric_kind(metric.kind).to_owned(),
                    unit: metric.unit.clone(),
                    summary: metric.summary.clone(),
                })
                .collect(),
            failures: kind.failures.clone(),
        }
    }
}

/// A grant that a kind needs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NeedItem {
    pub capability: String,
    pub reason: String,
    /// A line for the check's `grants`.
    pub grant: String,
}

/// A metric that a kind reports.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MetricInfoItem {
    pub name: String,
    pub kind: String,
    pub unit: String,
    pub summary: String,
}

/// Why a file was refused.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoadFailureItem {
    pub at: String,
    pub message: String,
    pub hint: Option<String>,
    /// Of the refused file.
    pub sha256: Option<String>,
}

impl From<&LoadFailure> for LoadFailureItem {
    fn from(failure: &LoadFailure) -> LoadFailureItem {
        LoadFailureItem {
            at: rfc3339(failure.at),
            message: failure.message.clone(),
            hint: failure.hint.clone(),
            sha256: failure.sha256.clone(),
        }
    }
}

/// A version that is whole and asks for more than the one that serves, and than its checks grant.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuarantineItem {
    pub since: String,
    /// What it calls itself.
    pub version: String,
    pub sha256: String,
    /// A line for each need that came (`+`) or went (`-`).
    pub diff: Vec<String>,
    /// What to grant, so that it serves; the file stays as it is.
    pub hint: String,
}

impl From<&Quarantined> for QuarantineItem {
    fn from(quarantined: &Quarantined) -> QuarantineItem {
        let plugin = &quarantined.loaded.plugin;
        QuarantineItem {
            since: rfc3339(quarantined.since),
            version: plugin.descriptor.version.clone(),
            sha256: plugin.sha256.clone(),
            diff: quarantined.beyond.diff.clone(),
            hint: quarantined.beyond.hint.clone(),
        }
    }
}

/// The most that one run used.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PeakUsageItem {
    pub cpu_ms: u64,
    pub memory_bytes: u64,
    pub host_calls: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub rows: u64,
    pub log_bytes: u64,
}

impl From<&PeakUsage> for PeakUsageItem {
    fn from(peak: &PeakUsage) -> PeakUsageItem {
        PeakUsageItem {
            cpu_ms: peak.cpu_ms,
            memory_bytes: peak.memory_bytes,
            host_calls: peak.host_calls,
            bytes_in: peak.bytes_in,
            bytes_out: peak.bytes_out,
            rows: peak.rows,
            log_bytes: peak.log_bytes,
        }
    }
}

fn time_unless_never(at: Timestamp) -> Option<String> {
    (at != Timestamp::default()).then(|| rfc3339(at))
}

/// Numbers and words only, so it always serialises.
fn decision(decision: &Decision) -> Value {
    serde_json::to_value(decision).unwrap_or_default()
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// JSON that was text inside; what is none after all stays text.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_never_began_has_no_time() {
        assert_eq!(time_unless_never(Timestamp(0)), None);
        assert_eq!(time_unless_never(Timestamp(1_700_000_000_007)).as_deref(), Some("2023-11-14T22:13:20.007Z"));
    }

    #[test]
    fn the_worst_status_sorts_first_as_the_core_ranks_it() {
        for (worse, better) in StatusWord::WORST_FIRST.iter().zip(&StatusWord::WORST_FIRST[1..]) {
            assert!(worse.rank() < better.rank());
        }
        for left in Status::ALL {
            for right in Status::ALL {
                let worse = StatusWord::from(left.worse(right));
                assert_eq!(worse.rank(), StatusWord::from(left).rank().min(StatusWord::from(right).rank()));
            }
        }
    }

    #[test]
    fn words_are_those_of_the_core() {
        for status in Status::ALL {
            assert_eq!(StatusWord::from(status).as_str(), status.as_str());
            assert_eq!(serde_json::to_value(StatusWord::from(status)).unwrap(), status.as_str());
        }
    }

    #[test]
    fn details_that_are_no_json_stay_text() {
        assert_eq!(json("{\"a\":1}"), serde_json::json!({ "a": 1 }));
        assert_eq!(json("{\"a\":"), Value::String("{\"a\":".to_owned()));
    }
}
