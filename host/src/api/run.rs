//! `POST /api/v1/checks/{name}/run`: runs a check out of turn and answers with what was recorded.

use std::time::Duration;

use axum::Json;
use axum::extract::{RawQuery, State};
use sickbay_store::{QueueError, ResultRecord};

use super::Api;
use super::checks::unknown;
use super::layers::ANSWER_TIME_MAX;
use super::model::ResultItem;
use super::parameters::{Named, Parameters};
use super::problem::{Problem, ProblemKind, quoted};
use crate::daemon::RunNowError;
use crate::live::Live;

/// Beside the run itself: the run before it may have to end first and a permit has to come free, each at most the check's timeout.
const WAITS: u32 = 3;
/// For judging and for what nobody thought of.
const MARGIN: Duration = Duration::from_secs(10);
/// The newest results that are searched for the one of this run: more runs than these, asked for at once, may have ended after it.
const RECENT: u32 = 256;
/// How often and how many times the store is looked at while the daemon ends and the queue writes its last results.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 40;

/// Runs a check now.
///
/// Waits for the run that is going on, if there is one. The cadence of the check does not change.
#[utoipa::path(
    post,
    path = "/api/v1/checks/{name}/run",
    tag = "checks",
    params(("name" = String, Path, description = "The check's name")),
    responses(
        (status = 200, description = "The recorded result, whatever its status", body = ResultItem),
        (status = 404, description = "No check has this name", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The run before it has not ended", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Not ready, or the result could not be recorded", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn run_check(State(api): State<Api>, Named(name): Named, RawQuery(query): RawQuery) -> Result<Json<ResultItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let Some(runner) = api.live.runner.load_full() else { return Err(not_ready()) };
    let timeout = api.live.checks().get(&name).ok_or_else(|| unknown(&name))?.spec.timeout;
    let ran = match tokio::time::timeout(timeout * WAITS + MARGIN, runner.run_now(&name)).await {
        Ok(Ok(record)) => record,
        Ok(Err(RunNowError::UnknownCheck)) => return Err(unknown(&name)),
        Ok(Err(RunNowError::NotReady)) => return Err(not_ready()),
        Ok(Err(RunNowError::Busy)) | Err(_) => {
            return Err(Problem::new(ProblemKind::CheckBusy, format!("the run of {} before this one has not ended", quoted(&name)))
                .hint("try again later; raise `timeout` of the check if its runs are meant to take that long"));
        }
    };
    let record = recorded(&api.live, ran).await?;
    Ok(Json(ResultItem::from(&record)))
}

/// The result as the store has it, with its number.
async fn recorded(live: &Live, ran: ResultRecord) -> Result<ResultRecord, Problem> {
    let not_recorded = |why: &str| {
        Problem::new(ProblemKind::StoreFailed, format!("the check ran and is {}, but {why}", ran.status))
            .hint("see the log of `sickbay serve`")
    };
    let flushed = tokio::time::timeout(ANSWER_TIME_MAX, live.queue.flush()).await;
    let looks = match flushed {
        Ok(Ok(())) => 1,
        // The daemon ends: the queue is asked for nothing any more, and writes what it has.
        Ok(Err(QueueError::Stopped)) => LOOKS_MAX,
        Ok(Err(QueueError::Lost { .. })) | Err(_) => return Err(not_recorded("its result is not stored yet")),
    };
    for _ in 0..looks {
        let recent = live.store.results(&ran.check, None, RECENT).await.map_err(Problem::store)?;
        if let Some(record) = recent.into_iter().find(|record| record.scheduled_at == ran.scheduled_at) {
            return Ok(record);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(not_recorded("its result is not in the store"))
}

fn not_ready() -> Problem {
    Problem::new(ProblemKind::NotReady, "checks cannot run yet, or not any more").hint("/readyz says when Sickbay is ready")
}

#[cfg(test)]
mod tests {
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
        let ran = record("api", 2);
        assert_eq!(ran.seq, 0);
        host.live.queue.push(ran.clone()).await;
        assert_eq!(recorded(&host.live, ran).await.unwrap().seq, 2);
    }

    #[tokio::test]
    async fn a_result_that_is_not_in_the_store_is_not_answered_as_recorded() {
        let host = Host::start(&two_checks()).await;
        let problem = recorded(&host.live, record("api", 2)).await.unwrap_err();
        assert_eq!(problem.status, 503);
    }
}
