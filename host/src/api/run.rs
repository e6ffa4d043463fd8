//! `POST /api/v1/checks/{name}/run`: runs a check out of turn and answers with what was recorded.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use sickbay_core::Status;
use sickbay_store::{Committed, QueueError, Receipt};

use super::Api;
use super::checks::unknown;
use super::layers::ANSWER_TIME_MAX;
use super::model::ResultItem;
use super::parameters::{Named, Parameters};
use super::problem::{Problem, ProblemKind, quoted};
use crate::daemon::RunNowError;

/// Beside the run itself: the run before it may have to end first and a permit has to come free, each at most the check's timeout.
const WAITS: u32 = 3;
/// For judging and for what nobody thought of.
const MARGIN: Duration = Duration::from_secs(10);

/// Runs a check now.
///
/// Waits for the run that is going on, if there is one. The cadence of the check does not change.
#[utoipa::path(
    post,
    path = "/api/v1/checks/{name}/run",
    tag = "checks",
    params(("name" = String, Path, description = "The check's name, percent-encoded")),
    responses(
        (status = 200, description = "The recorded result, whatever its status", body = ResultItem),
        (status = 404, description = "No check has this name", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run before it has not ended, or it is a push check", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not ready, or the result could not be recorded", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn run_check(State(api): State<Api>, Named(name): Named, RawQuery(query): RawQuery) -> Result<Json<ResultItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let Some(runner) = api.live.runner.load_full() else { return Err(not_ready()) };
    let timeout = api.live.checks().get(&name).ok_or_else(|| unknown(&name, &api.live.checks()))?.spec.timeout;
    let (record, receipt) = match tokio::time::timeout(timeout * WAITS + MARGIN, runner.run_now(&name)).await {
        Ok(Ok(ran)) => ran,
        Ok(Err(RunNowError::UnknownCheck)) => return Err(unknown(&name, &api.live.checks())),
        Ok(Err(RunNowError::NotReady)) => return Err(not_ready()),
        Ok(Err(RunNowError::OtherKind)) => {
            return Err(Problem::new(ProblemKind::CheckOtherKind, format!("{} is not run: somebody tells its result", quoted(&name)))
                .hint(format!("POST to /api/v1/push/{name}")));
        }
        Ok(Err(RunNowError::Busy)) | Err(_) => {
            return Err(Problem::new(ProblemKind::CheckBusy, format!("the run of {} before this one has not ended", quoted(&name)))
                .hint("try again later; raise `timeout` of the check if its runs are meant to take that long"));
        }
    };
    let committed = recorded(record.status, receipt).await?;
    Ok(Json(ResultItem::from(&committed)))
}

/// The result with the number that the store gave it.
pub(super) async fn recorded(status: Status, receipt: Receipt) -> Result<Committed, Problem> {
    let why = match tokio::time::timeout(ANSWER_TIME_MAX, receipt.committed()).await {
        Ok(Ok(committed)) => return Ok(committed),
        Ok(Err(QueueError::Duplicate)) => "the store has another result for this time",
        Ok(Err(QueueError::Lost { .. } | QueueError::Stopped)) => "its result could not be stored before the end",
        Err(_) => "its result is not stored yet",
    };
    Err(Problem::new(ProblemKind::StoreFailed, format!("the check ran and is {status}, but {why}")).hint("see the log of `sickbay serve`"))
}

pub(super) fn not_ready() -> Problem {
    Problem::new(ProblemKind::NotReady, "checks cannot run yet, or not any more").hint("/readyz says when Sickbay is ready")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::testing::{Host, record, request, two_checks};

    #[tokio::test]
    async fn nothing_runs_before_sickbay_is_ready() {
        let host = Host::start(&two_checks()).await;
        let answer = host.ask(request("POST", "/api/v1/checks/api/run")).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["type"], "urn:sickbay:problem:not-ready");
    }

    #[tokio::test]
    async fn the_answer_has_the_number_that_the_store_gave() {
        let host = Host::start(&two_checks()).await;
        host.commit(vec![record("disk", 1)]).await;
        let receipt = host.live.queue.push_urgent(Arc::new(record("api", 2))).await;
        let committed = recorded(Status::Ok, receipt).await.unwrap();
        assert_eq!((committed.seq, &*committed.record.check), (2, "api"));
    }

    #[tokio::test]
    async fn a_result_that_was_not_stored_is_not_answered_as_recorded() {
        let host = Host::start(&two_checks()).await;
        host.commit(vec![record("api", 2)]).await;
        let receipt = host.live.queue.push_urgent(Arc::new(record("api", 2))).await;
        let problem = recorded(Status::Critical, receipt).await.unwrap_err();
        assert_eq!(
            (problem.status, problem.detail.as_str()),
            (503, "the check ran and is critical, but the store has another result for this time")
        );

        host.live.queue.shutdown().await.unwrap();
        let receipt = host.live.queue.push_urgent(Arc::new(record("api", 3))).await;
        let problem = recorded(Status::Ok, receipt).await.unwrap_err();
        assert_eq!(
            (problem.status, problem.detail.as_str()),
            (503, "the check ran and is ok, but its result could not be stored before the end")
        );
    }
}
