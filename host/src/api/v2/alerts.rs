//! `/api/v2/alerts` and `/api/v2/alerts/groups`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use sickbay_core::alerting::Fact;

use super::filter::AlertFilter;
use super::moment::Moment;
use super::posted::Posted;
use super::{json, tell, written};
use crate::api::Api;
use crate::api::parameters::Parameters;
use crate::api::problem::{Problem, ProblemKind};
use crate::clock;
use crate::masks::Masks;

/// A long post is taken in parts, so that results of checks come between them.
const ALERTS_AT_ONCE: usize = 500;

pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let filter = AlertFilter::read(query.as_deref())?;
    listed(&api, move |moment| written(moment.alerts(&filter))).await
}

pub(super) async fn groups(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let filter = AlertFilter::read(query.as_deref())?;
    listed(&api, move |moment| written(moment.groups(&filter))).await
}

/// Takes alerts. What cannot be taken is told, and the rest is taken all the same.
pub(super) async fn post(State(api): State<Api>, RawQuery(query): RawQuery, body: Bytes) -> Result<StatusCode, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    // As a report of a check: a secret goes no further. A long post is looked through where it holds nobody up.
    let masks = Masks::of(&api.live).await;
    let read = tokio::task::spawn_blocking(move || Posted::read(&body, &masks.within(&String::from_utf8_lossy(&body))));
    let mut posted = read
        .await
        .map_err(|_| Problem::new(ProblemKind::Internal, "the alerts could not be read").hint("see the log of `sickbay serve`"))??;
    let problem = posted.problem();
    let mut refusals = Vec::new();
    while !posted.alerts.is_empty() {
        let rest = posted.alerts.split_off(posted.alerts.len().min(ALERTS_AT_ONCE));
        let alerts = std::mem::replace(&mut posted.alerts, rest);
        refusals.extend(tell(&api, Fact::Posted { alerts }).await?.refusals);
    }
    if let Some(refusal) = refusals.first() {
        let detail = format!("{} alerts were not taken: {refusal}", refusals.len());
        return Err(Problem::new(ProblemKind::AlertsExhausted, detail).hint("see who posts so many that differ"));
    }
    problem.map_or(Ok(StatusCode::OK), Err)
}

async fn listed(api: &Api, write: impl FnOnce(&Moment) -> Result<Vec<u8>, Problem> + Send + 'static) -> Result<Response, Problem> {
    let internal = || Problem::new(ProblemKind::Internal, "the alerts could not be listed").hint("see the log of `sickbay serve`");
    // With many alerts it costs what a scrape does.
    let Ok(_permit) = api.scrapes.acquire().await else { return Err(internal()) };
    let live = Arc::clone(&api.live);
    let look = move || write(&live.alerts.read(|machine| Moment::of(machine, clock::now())));
    tokio::task::spawn_blocking(look).await.map_err(|_| internal())?.map(json)
}
