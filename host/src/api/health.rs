//! `/livez`, `/readyz`, `/healthz`: three questions with different askers. A supervisor restarts what is not alive, a load balancer waits
//! for what is not ready, and a person or a parent system wants to know whether what is checked is well.
//!
//! They ignore query parameters, since probes of all kinds add their own.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::model::StatusWord;
use super::problem::{Problem, ProblemKind};
use crate::clock;
use crate::live::Unready;

/// All checks at a glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// False exactly when a check is hard critical.
    healthy: bool,
    /// By name.
    checks: Vec<CheckHealth>,
    timestamp: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CheckHealth {
    name: String,
    /// The last result's.
    status: StatusWord,
    /// The confirmed one, which `healthy` is made of.
    hard_status: StatusWord,
}

/// Is the process alive?
///
/// Depends on nothing else.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, description = "It is", body = String, content_type = "text/plain")))]
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// Is the store up, and has the plugin folder been read?
///
/// A plugin that was refused does not make Sickbay unready.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "It is ready", body = String, content_type = "text/plain"),
        (status = 503, description = "Not yet, or not any more", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    match api.live.ready().await {
        Ok(()) => Ok("ok\n"),
        Err(Unready { why, hint }) => Err(Problem::new(ProblemKind::NotReady, why).hint(hint)),
    }
}

/// Are the checks well?
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "health",
    responses(
        (status = 200, description = "No check is hard critical", body = Health),
        (status = 503, description = "At least one check is hard critical", body = Health),
    )
)]
pub(crate) async fn healthz(State(api): State<Api>) -> (StatusCode, Json<Health>) {
    let table = api.live.checks();
    let checks: Vec<CheckHealth> = table
        .by_name
        .iter()
        .map(|(name, check)| {
            let (status, hard_status) = check.with(|observed| (observed.state.status, observed.state.hard_status));
            CheckHealth { name: name.clone(), status: status.into(), hard_status: hard_status.into() }
        })
        .collect();
    let healthy = checks.iter().all(|check| check.hard_status != StatusWord::Critical);
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Health { healthy, checks, timestamp: clock::rfc3339(clock::now()) }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use sickbay_core::{StateKind, Status};

    use crate::api::testing::{Host, get, two_checks};

    #[tokio::test]
    async fn alive_needs_nothing_and_ready_needs_the_first_scan() {
        let host = Host::start("").await;
        assert_eq!(host.ask(get("/livez?verbose")).await.status, 200);
        let answer = host.ask(get("/readyz")).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["detail"], "the first scan of the plugin folder has not finished");
        host.live.scanned.store(true, Ordering::Release);
        assert_eq!(host.ask(get("/readyz")).await.status, 200);
    }

    #[tokio::test]
    async fn a_database_file_that_went_away_makes_it_unready_and_says_what_to_do() {
        let host = Host::start_on("sqlite:sickbay.db", "").await;
        host.live.scanned.store(true, Ordering::Release);
        assert_eq!(host.ask(get("/readyz")).await.status, 200);
        std::fs::remove_file(host.folder.path().join("sickbay.db")).unwrap();
        let unready = async {
            loop {
                let answer = host.ask(get("/readyz")).await;
                if answer.status == 503 {
                    return answer.json();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let problem = tokio::time::timeout(Duration::from_secs(60), unready).await.expect("it is seen");
        assert_eq!(problem["detail"], "the database file was removed or replaced while Sickbay runs");
        assert_eq!(problem["hint"], "restart Sickbay");
    }

    #[tokio::test]
    async fn only_a_hard_critical_makes_it_unhealthy() {
        let host = Host::start(&two_checks()).await;
        for (status, hard_status, wanted) in [
            (Status::Critical, Status::Ok, 200),
            (Status::Unknown, Status::Unknown, 200),
            (Status::Warning, Status::Warning, 200),
            (Status::Ok, Status::Critical, 503),
            (Status::Critical, Status::Critical, 503),
        ] {
            host.observe("api", |observed| {
                observed.state.status = status;
                observed.state.hard_status = hard_status;
                observed.state.kind = if status == hard_status { StateKind::Hard } else { StateKind::Soft };
            });
            let answer = host.ask(get("/healthz")).await;
            assert_eq!(answer.status, wanted, "{status} {hard_status}");
            let health = answer.json();
            assert_eq!(health["healthy"], wanted == 200);
            assert_eq!(health["checks"][0]["name"], "api");
            assert_eq!(health["checks"][0]["status"], status.as_str());
            assert_eq!(health["checks"][0]["hard_status"], hard_status.as_str());
            assert!(humantime::parse_rfc3339(health["timestamp"].as_str().unwrap()).is_ok());
        }
    }
}
