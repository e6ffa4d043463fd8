//! A check as the API shows it.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sickbay_core::window::SAMPLES_MIN;
use sickbay_core::{Reason, Requirement, Schedule, StateKind, reason};
use utoipa::ToSchema;

use super::{CheckAlertsItem, EvidenceItem, MetricItem, StateWord, StatusWord, decision, seconds, time_unless_never};
use crate::clock::{self, rfc3339};
use crate::config::{Origin, counted};
use crate::live::{LiveCheck, Observed, RunOutcome};
use crate::reporter::reason_detail;

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
    /// Its results go to and fro between ok and failing.
    #[serde(default)]
    pub flapping: bool,
    /// The check that is down and without which this one cannot be judged fairly: the top-most of its failing parents.
    #[serde(default)]
    pub unreachable_by: Option<String>,
    /// How many checks are unreachable because of this one.
    #[serde(default)]
    pub dependents: usize,
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
            reason_detail: last.map_or_else(|| reason.to_string(), |last| reason_detail(last)),
            decision: last.map(|last| decision(&last.decision)),
            last_run_at: last.map(|last| rfc3339(last.started_at)),
            labels: check.spec.labels.clone(),
            flapping: state.flapping.is_flapping(),
            unreachable_by: observed.unreachable_by.as_ref().map(ToString::to_string),
            dependents: observed.dependents,
        }
    }

    /// What stands beside the state: `flapping`, `unreachable: db is down`, `31 dependents`.
    pub fn marks(&self) -> Vec<String> {
        let mut marks = Vec::new();
        if self.flapping {
            marks.push("flapping".to_owned());
        }
        if let Some(cause) = &self.unreachable_by {
            marks.push(format!("unreachable: {cause} is down"));
        }
        if self.dependents > 0 {
            marks.push(counted(self.dependents, "dependent"));
        }
        marks
    }
}

/// A condition that holds, and has to for longer before it counts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct HoldingItem {
    pub condition: String,
    pub held_seconds: f64,
    pub for_seconds: f64,
}

fn holding(check: &LiveCheck, observed: &Observed) -> Vec<HoldingItem> {
    let lasting = check.spec.rules.iter().filter_map(|rule| Some((rule, rule.lasting?)));
    let held = lasting.filter_map(|(rule, lasting)| {
        let held = lasting.held(&observed.state.holding)?;
        let condition = rule.condition.source().to_owned();
        Some(HoldingItem { condition, held_seconds: held.as_secs_f64(), for_seconds: lasting.duration.as_secs_f64() })
    });
    held.collect()
}

fn waiting(check: &LiveCheck) -> Vec<String> {
    let Some(past) = &check.past else { return Vec::new() };
    let (past, now) = (past.lock().unwrap_or_else(PoisonError::into_inner), clock::now());
    let calls = check.spec.rules.iter().flat_map(|rule| rule.condition.windows());
    let counted = calls.map(|call| (call, past.windows.len_of(call, now))).filter(|(_, samples)| *samples < SAMPLES_MIN);
    counted.map(|(call, samples)| format!("{call} has {samples} of {SAMPLES_MIN} samples")).collect()
}

/// What a check that has no incident lacks for one that is told.
fn until_it_is_told(check: &LiveCheck, observed: &Observed) -> Vec<String> {
    let (state, needed) = (&observed.state, check.spec.policy.failures);
    let mut says = vec![match state.kind {
        StateKind::Soft if state.failures > 0 => {
            format!("no incident is open: failure {} of {needed} in a row that open one", state.failures)
        }
        _ => format!("no incident is open: one opens when its failure is confirmed, at {needed} in a row"),
    }];
    says.extend(
        observed.unreachable_by.as_ref().map(|cause| format!("a failure would not be told: `{cause}` is down, on which it depends")),
    );
    says
}

/// `orders-db`, `2 of a, b, c`
fn parent(requirement: &Requirement) -> String {
    match requirement {
        Requirement::One(parent) => parent.clone(),
        Requirement::Any { of, min } => format!("{min} of {}", of.join(", ")),
    }
}

/// A check with everything that is known of it now. Its `config` is not shown: it may hold a secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckDetail {
    #[serde(flatten)]
    pub check: CheckItem,
    /// Null where `cron` says when, and for a push check.
    pub every_seconds: Option<f64>,
    /// How long a push check may be silent; null for a check that is run.
    #[serde(default)]
    pub push_within_seconds: Option<f64>,
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
    /// Since when it flaps.
    #[serde(default)]
    pub flapping_since: Option<String>,
    /// Each a check, or `2 of a, b, c`.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Of a composite: the checks that it is made of.
    #[serde(default)]
    pub members: Vec<String>,
    /// Of a composite with a quorum: how many of them have to be ok or warning.
    #[serde(default)]
    pub healthy_min: Option<usize>,
    /// Conditions with a duration that hold now.
    #[serde(default)]
    pub holding: Vec<HoldingItem>,
    /// What conditions ask of the past and cannot have yet, each with its samples: `p95('a', '10m') has 2 of 3 samples`.
    #[serde(default)]
    pub waiting: Vec<String>,
    /// Since the start of the process, by outcome: `ok`, `warning`, `critical`, `unknown`, and `skipped` for those that were due and did not run.
    #[serde(default)]
    pub runs: BTreeMap<String, u64>,
    /// What is told of it to whom, and what happens next.
    #[serde(default)]
    pub alerts: CheckAlertsItem,
}

impl CheckDetail {
    pub fn of(check: &LiveCheck, observed: &Observed, mut alerts: CheckAlertsItem) -> CheckDetail {
        if let Some(explanation) = &mut alerts.explanation {
            explanation.says.extend(until_it_is_told(check, observed));
        }
        let state = &observed.state;
        let last = observed.last.as_ref();
        let in_force = match (&check.spec.retry, state.kind) {
            (Some(retry), StateKind::Soft) => retry,
            _ => &check.schedule,
        };
        let within = match check.spec.origin {
            Origin::Push { within } => Some(within),
            Origin::Plugin | Origin::Composite | Origin::Slo => None,
        };
        CheckDetail {
            check: CheckItem::of(check, observed),
            every_seconds: check.schedule.interval().filter(|_| within.is_none()).map(|every| every.as_secs_f64()),
            push_within_seconds: within.map(|within| within.as_secs_f64()),
            cron: check.schedule.cron().map(|cron| cron.expression().to_owned()),
            timezone: check.schedule.cron().map(|cron| cron.zone().name().to_owned()),
            retry_every_seconds: check.spec.retry.as_ref().and_then(Schedule::interval).map(|retry| retry.as_secs_f64()),
            timeout_seconds: check.spec.timeout.as_secs_f64(),
            last_duration_seconds: last.map(|last| seconds(last.duration_us)),
            last_success_at: state.last_success_at.map(rfc3339),
            next_run_at: within.is_none().then(|| rfc3339(in_force.next_after(clock::now()))),
            failures: state.failures,
            failures_needed: check.spec.policy.failures,
            successes: state.successes,
            successes_needed: check.spec.policy.successes,
            unknowns: state.unknowns,
            failure: last.and_then(|last| last.failure.clone()),
            evidence: last.map(|last| last.evidence.iter().map(EvidenceItem::from).collect()).unwrap_or_default(),
            metrics: last.map(|last| last.metrics.iter().map(MetricItem::from).collect()).unwrap_or_default(),
            flapping_since: state.flapping.began.map(|began| rfc3339(began.at)),
            depends_on: check.spec.depends_on.iter().map(parent).collect(),
            members: check.spec.composite.as_ref().map(|composite| composite.members.clone()).unwrap_or_default(),
            healthy_min: check.spec.composite.as_ref().and_then(|composite| composite.healthy_min),
            holding: holding(check, observed),
            waiting: waiting(check),
            runs: RunOutcome::ALL.iter().zip(observed.runs).map(|(outcome, runs)| (outcome.as_str().to_owned(), runs)).collect(),
            alerts,
        }
    }
}
