//! `/api/v2`: the API of Alertmanager, for what speaks to one. Prometheus posts its alerts; `amtool`, Grafana and karma read and silence.
//!
//! Who is who: `moment` is what alerts there are, as Alertmanager would tell it; `alerts` lists and takes them, `silences` and `status` do
//! the rest; `filter` reads what is asked for, `posted` what is brought; `model` are the shapes.
//!
//! What is different from Alertmanager: ids of silences are ULIDs; a silence that is put again keeps its id, whatever changed; parameters
//! that are not known are refused; a silence ends within 5 years; nothing is unprocessed; `receiver` names sinks, of which an alert may have
//! several by one route.
//!
//! Limits: bodies of alerts [`ALERTS_BODY_BYTES_MAX`], of which [`ALERTS_BODIES_MAX`] at a time, and `posted::ALERTS_MAX`; answers
//! [`ANSWER_BYTES_MAX`]; lists of alerts share the places of scrapes.
//!
//! Invariant: an error is the same as anywhere else, but its body is a JSON string: clients show nothing else.

mod alerts;
mod filter;
mod model;
mod moment;
mod posted;
mod silences;
mod status;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use sickbay_core::alerting::{Changes, Fact};

use super::parameters::invalid;
use super::problem::{Problem, ProblemKind};
use super::told::not_stored;
use super::{Api, layers};

const PREFIX: &str = "/api/v2/";
const ALERTS: &str = "/api/v2/alerts";

/// A few thousand alerts.
pub(super) const ALERTS_BODY_BYTES_MAX: usize = 4 << 20;
/// Those that are longer than a body may be elsewhere; others wait.
pub(super) const ALERTS_BODIES_MAX: usize = 16;
const ANSWER_BYTES_MAX: usize = 64 << 20;

const JSON: &str = "application/json";

pub(super) fn router() -> Router<Api> {
    Router::new()
        .route("/api/v2/status", get(status::status))
        .route("/api/v2/receivers", get(status::receivers))
        .route(ALERTS, get(alerts::list).post(alerts::post))
        .route("/api/v2/alerts/groups", get(alerts::groups))
        .route("/api/v2/silences", get(silences::list).post(silences::post))
        .route("/api/v2/silence/{id}", get(silences::get).delete(silences::delete))
        .layer(middleware::from_fn(layers::bounded_time))
}

/// The longest body of a request for `path`.
pub(super) fn body_bytes_max(path: &str) -> usize {
    if path == ALERTS { ALERTS_BODY_BYTES_MAX } else { layers::REQUEST_BODY_BYTES_MAX }
}

/// The middleware that tells problems in the way of Alertmanager.
pub(super) async fn plain_problems(request: Request, next: Next) -> Response {
    let is_ours = request.uri().path().starts_with(PREFIX);
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>().filter(|_| is_ours);
    let Some(Problem { detail, hint, .. }) = problem else { return response };
    let told = hint.map_or_else(|| detail.clone(), |hint| format!("{detail}; hint: {hint}"));
    // A text always serialises.
    *response.body_mut() = Body::from(serde_json::to_vec(&told).unwrap_or_default());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}

/// Tells the machine a fact; returns when what follows from it is on the disk.
async fn tell(api: &Api, fact: Fact) -> Result<Changes, Problem> {
    api.live.alerts.tell(fact).await.map_err(not_stored)
}

/// A list as JSON, item by item.
fn written<Item: Serialize>(items: impl Iterator<Item = Item>) -> Result<Vec<u8>, Problem> {
    let mut bytes = b"[".to_vec();
    for (index, item) in items.enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        serde_json::to_writer(&mut bytes, &item).map_err(|error| {
            tracing::error!(%error, "an item of a list cannot be written");
            Problem::new(ProblemKind::Internal, "the list could not be written").hint("see the log of `sickbay serve`")
        })?;
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(invalid(format!("the list is longer than {ANSWER_BYTES_MAX} bytes"))
                .hint("ask for a part of it with `filter` or `receiver`"));
        }
    }
    bytes.push(b']');
    Ok(bytes)
}

fn json(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, JSON)], bytes).into_response()
}
