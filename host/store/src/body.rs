//! What a row of any store holds: numbers for its columns, and the part of a record that no query looks at as one small JSON object, in
//! which what is as usual is left out.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};
use sickbay_core::{CheckState, Decision, Evidence, Flapping, Holding, Metric, Reason, StateKind, Status, Timestamp, Transition};

use crate::{ResultRecord, Trigger};

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    started_at: Timestamp,
    duration_us: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    trigger: Trigger,
    #[serde(default, skip_serializing_if = "is_empty_text")]
    summary: Cow<'a, str>,
    /// None: passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, Reason>>,
    /// None: unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decision: Option<Cow<'a, Decision>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_empty_list")]
    evidence: Cow<'a, [Evidence]>,
    #[serde(default, skip_serializing_if = "is_empty_list")]
    metrics: Cow<'a, [Metric]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_default")]
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transition: Option<Cow<'a, Transition>>,
}

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// None: the result's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// None: the result's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hard_status: Option<Status>,
    /// None: the result itself where it is ok, else never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_success_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    kind: StateKind,
    #[serde(default, skip_serializing_if = "is_default")]
    since: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    failures: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    successes: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    unknowns: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    flapping: Flapping,
    #[serde(default, skip_serializing_if = "is_empty_list")]
    holding: Vec<Holding>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn is_empty_text(text: &str) -> bool {
    text.is_empty()
}

fn is_empty_list<T>(list: &[T]) -> bool {
    list.is_empty()
}

/// The JSON has every control character escaped, so the text in the database never has a NUL.
pub(crate) fn encode(record: &ResultRecord) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body {
        started_at: record.started_at,
        duration_us: record.duration_us,
        trigger: record.trigger,
        summary: Cow::Borrowed(&record.summary),
        reason: (record.reason != Reason::Passed).then_some(Cow::Borrowed(&record.reason)),
        decision: (record.decision != Decision::Unchanged).then_some(Cow::Borrowed(&record.decision)),
        failure: record.failure.as_deref().map(Cow::Borrowed),
        evidence: Cow::Borrowed(&record.evidence),
        metrics: Cow::Borrowed(&record.metrics),
        details: record.details.as_deref().map(Cow::Borrowed),
        state: State::of(record),
        transition: record.transition.as_ref().map(Cow::Borrowed),
    })
}

/// What the columns of a row hold.
pub(crate) struct Columns {
    pub(crate) check: Arc<str>,
    pub(crate) scheduled_at: Timestamp,
    pub(crate) plugin: Arc<str>,
    pub(crate) plugin_version: Arc<str>,
    pub(crate) status: Status,
}

pub(crate) fn decode(columns: Columns, body: &str) -> Result<ResultRecord, serde_json::Error> {
    let Columns { check, scheduled_at, plugin, plugin_version, status } = columns;
    let body: Body<'_> = serde_json::from_str(body)?;
    Ok(ResultRecord {
        check,
        scheduled_at,
        started_at: body.started_at,
        duration_us: body.duration_us,
        trigger: body.trigger,
        plugin,
        plugin_version,
        status,
        summary: body.summary.into_owned(),
        reason: body.reason.map_or(Reason::Passed, Cow::into_owned),
        decision: body.decision.map_or(Decision::Unchanged, Cow::into_owned),
        failure: body.failure.map(Cow::into_owned),
        evidence: body.evidence.into_owned(),
        metrics: body.metrics.into_owned().into(),
        details: body.details.map(Cow::into_owned),
        state: body.state.with(status, body.started_at),
        transition: body.transition.map(Cow::into_owned),
        plugin_state: None,
    })
}

impl State {
    fn of(record: &ResultRecord) -> State {
        // Named one by one, so that a new field cannot be forgotten here.
        let CheckState { status, hard_status, kind, since, failures, successes, unknowns, last_success_at, flapping, ref holding } =
            record.state;
        State {
            status: (status != record.status).then_some(status),
            hard_status: (hard_status != record.status).then_some(hard_status),
            last_success_at: last_success_at.filter(|at| own_success(record.status, record.started_at) != Some(*at)),
            kind,
            since,
            failures,
            successes,
            unknowns,
            flapping,
            holding: holding.clone(),
        }
    }

    fn with(self, result: Status, started_at: Timestamp) -> CheckState {
        CheckState {
            status: self.status.unwrap_or(result),
            hard_status: self.hard_status.unwrap_or(result),
            kind: self.kind,
            since: self.since,
            failures: self.failures,
            successes: self.successes,
            unknowns: self.unknowns,
            last_success_at: self.last_success_at.or(own_success(result, started_at)),
            flapping: self.flapping,
            holding: self.holding,
        }
    }
}

/// A result that is ok is the last success itself.
fn own_success(result: Status, started_at: Timestamp) -> Option<Timestamp> {
    (result == Status::Ok).then_some(started_at)
}

/// The integers of databases are signed: what does not fit becomes the largest that does, so no record can ever block the queue.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// As the column `status` holds it.
pub(crate) fn status_number(status: Status) -> i64 {
    match status {
        Status::Unknown => 0,
        Status::Ok => 1,
        Status::Warning => 2,
        Status::Critical => 3,
    }
}

pub(crate) fn status_of(number: i64) -> Status {
    match number {
        1 => Status::Ok,
        2 => Status::Warning,
        3 => Status::Critical,
        _ => Status::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::record;

    #[test]
    fn what_is_as_usual_takes_no_room() {
        let mut usual = record("api", 1_000);
        usual.metrics = Arc::default();
        usual.summary.clear();
        usual.state =
            CheckState { status: Status::Ok, hard_status: Status::Ok, last_success_at: Some(usual.started_at), ..CheckState::default() };
        assert_eq!(encode(&usual).unwrap(), r#"{"started_at":1000,"duration_us":1500}"#);
    }

    #[test]
    fn a_result_of_before_the_last_success_was_kept_is_a_success_where_it_is_ok() {
        let columns = |status| Columns {
            check: "api".into(),
            scheduled_at: Timestamp(900),
            plugin: "http".into(),
            plugin_version: "1".into(),
            status,
        };
        let last_success_at = |status| decode(columns(status), r#"{"started_at":1000,"duration_us":1}"#).unwrap().state.last_success_at;
        assert_eq!(last_success_at(Status::Ok), Some(Timestamp(1000)));
        assert_eq!(last_success_at(Status::Critical), None);
    }

    #[test]
    fn every_status_comes_back_from_its_number() {
        for status in Status::ALL {
            assert_eq!(status_of(status_number(status)), status);
        }
    }
}
