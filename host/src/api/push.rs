//! `POST /api/v1/push/{name}`: tells the result of a push check. An empty body says that it is ok.
//!
//! Invariant: what is pushed has the bounds of a plugin's report before it is judged.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use sickbay_core::{Metric, MetricKind, Report};
use utoipa::ToSchema;

use super::Api;
use super::checks::unknown;
use super::model::{ResultItem, StatusWord};
use super::parameters::{Named, Parameters};
use super::problem::{Problem, ProblemKind, quoted};
use super::run::{not_ready, recorded};
use crate::daemon::RunNowError;
use crate::escape::escaped;
use crate::masks::Masks;

/// Those of a plugin's report.
const METRICS_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 64;
const SUMMARY_BYTES_MAX: usize = 512;
const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 1 << 10;
/// What a job may say that it took.
const DURATION_SECONDS_MAX: f64 = 366.0 * 86_400.0;

/// What a push check tells of itself; every part may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pushed {
    /// Default: ok.
    status: Option<StatusWord>,
    /// One line, at most 512 bytes.
    summary: Option<String>,
    /// At most 256, by name.
    #[serde(default)]
    metrics: BTreeMap<String, f64>,
    /// How long what was done took.
    duration_seconds: Option<f64>,
    /// At most 32; kept with the result.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Pushed {
    fn read(body: &[u8]) -> Result<Pushed, Problem> {
        if body.trim_ascii().is_empty() {
            return Ok(Pushed::default());
        }
        let pushed: Pushed = serde_json::from_slice(body)
            // The message quotes keys and values.
            .map_err(|error| invalid(format!("it is not what can be pushed: {}", escaped(&error.to_string()))))?;
        pushed.check()?;
        Ok(pushed)
    }

    fn check(&self) -> Result<(), Problem> {
        if self.metrics.len() > METRICS_MAX || self.labels.len() > LABELS_MAX {
            return Err(invalid(format!("there are at most {METRICS_MAX} metrics and {LABELS_MAX} labels")));
        }
        if let Some(name) = self.metrics.keys().chain(self.labels.keys()).find(|name| !is_name(name)) {
            return Err(invalid(format!("{} is not the name of a metric or a label", quoted(name))));
        }
        if let Some((name, _)) = self.labels.iter().find(|(_, value)| value.len() > LABEL_BYTES_MAX) {
            return Err(invalid(format!("the label {} has more than {LABEL_BYTES_MAX} bytes", quoted(name))));
        }
        if self.summary.as_ref().is_some_and(|summary| summary.len() > SUMMARY_BYTES_MAX) {
            return Err(invalid(format!("`summary` has more than {SUMMARY_BYTES_MAX} bytes")));
        }
        if self.duration_seconds.is_some_and(|seconds| !(0.0..=DURATION_SECONDS_MAX).contains(&seconds)) {
            return Err(invalid("`duration_seconds` is no time that something can take"));
        }
        Ok(())
    }

    fn took(&self) -> Duration {
        Duration::try_from_secs_f64(self.duration_seconds.unwrap_or_default()).unwrap_or_default()
    }

    fn into_report(self) -> Report {
        let metric = |(name, value)| Metric { name, value, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() };
        let details = (!self.labels.is_empty()).then(|| serde_json::json!({ "labels": self.labels }).to_string());
        Report {
            status: self.status.unwrap_or(StatusWord::Ok).into(),
            summary: self.summary.unwrap_or_default(),
            metrics: self.metrics.into_iter().map(metric).collect(),
            details,
            ..Report::default()
        }
    }
}

/// As the contract has it: letters, digits and `_`, and no digit in front.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

fn invalid(detail: impl Into<String>) -> Problem {
    let hint = "send nothing for ok, or for example {\"status\": \"warning\", \"summary\": \"2 files left\", \"metrics\": {\"files\": 2}}";
    Problem::new(ProblemKind::BodyInvalid, detail).hint(hint)
}

/// Tells the result of a push check.
#[utoipa::path(
    post,
    path = "/api/v1/push/{name}",
    tag = "checks",
    params(("name" = String, Path, description = "The check's name, percent-encoded")),
    request_body(content = Pushed, content_type = "application/json", description = "At most 64 KiB; nothing at all says ok"),
    responses(
        (status = 200, description = "The recorded result", body = ResultItem),
        (status = 400, description = "The body is not what can be pushed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No check has this name", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The check has no `push`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not ready, or the result could not be recorded", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn push(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<Json<ResultItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let Some(runner) = api.live.runner.load_full() else { return Err(not_ready()) };
    if api.live.checks().get(&name).is_none() {
        return Err(unknown(&name, &api.live.checks()));
    }
    let pushed = match Pushed::read(&body) {
        Ok(pushed) => pushed,
        Err(problem) => return Err(Problem { detail: Masks::of(&api.live).await.text(problem.detail), ..problem }),
    };
    let took = pushed.took();
    let (record, receipt) = runner.pushed(&name, pushed.into_report(), took).await.map_err(|error| match error {
        RunNowError::UnknownCheck => unknown(&name, &api.live.checks()),
        RunNowError::OtherKind => {
            Problem::new(ProblemKind::CheckOtherKind, format!("{} is run, and nobody tells its result", quoted(&name)))
                .hint("write `push = { within = \"25h\" }` in place of its plugin and its cadence")
        }
        RunNowError::NotReady | RunNowError::Busy => not_ready(),
    })?;
    let committed = recorded(record.status, receipt).await?;
    Ok(Json(ResultItem::from(&committed)))
}

#[cfg(test)]
mod tests {
    use sickbay_core::Status;

    use super::*;

    #[test]
    fn an_empty_body_is_ok_and_every_part_may_be_left_out() {
        for body in ["", " \n", "{}"] {
            let report = Pushed::read(body.as_bytes()).expect("it can be pushed").into_report();
            assert_eq!((report.status, report.summary.as_str(), report.details), (Status::Ok, "", None), "{body:?}");
        }
        let body = r#"{"status": "warning", "summary": "slow", "metrics": {"files": 2}, "duration_seconds": 1.5, "labels": {"host": "a"}}"#;
        let pushed = Pushed::read(body.as_bytes()).expect("it can be pushed");
        assert_eq!(pushed.took(), Duration::from_millis(1500));
        let report = pushed.into_report();
        assert_eq!((report.status, report.metrics[0].value), (Status::Warning, 2.0));
        assert_eq!(report.details.as_deref(), Some(r#"{"labels":{"host":"a"}}"#));
    }

    #[test]
    fn what_no_plugin_may_report_cannot_be_pushed_either() {
        let many = format!("{{\"metrics\": {{{}}}}}", (0..257).map(|number| format!("\"a{number}\": 1")).collect::<Vec<_>>().join(","));
        for body in [
            "no json",
            "[]",
            r#"{"stauts": "ok"}"#,
            r#"{"status": "down"}"#,
            r#"{"metrics": {"a-b": 1}}"#,
            r#"{"metrics": {"a": "1"}}"#,
            r#"{"duration_seconds": -1}"#,
            &format!("{{\"summary\": \"{}\"}}", "x".repeat(513)),
            &many,
        ] {
            let problem = Pushed::read(body.as_bytes()).expect_err(body);
            assert_eq!((problem.status, problem.hint.is_some()), (400, true), "{body}");
        }
    }
}
