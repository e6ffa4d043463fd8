//! The HTTP side of the daemon: what dashboards, scripts and browsers ask.
//!
//! Who is who: [`router`] puts every path together; `model` are the shapes of the JSON; `problem` are the errors; [`server`] takes the
//! connections, `places` says which are closed where there are too many, `tls` makes their sessions. `health`, `checks`, `run`, `plugins`, `slos`,
//! `config`, `events`, `incidents`, `silences`, `maintenance`, `deliveries`, `audit` and `scrape` answer, one module per family of paths; `documents` makes
//! parts of lists of what is kept beside results, `told` reads what people say of alerts; `guard` and `layers` stand round all of them, and
//! `audit` writes down who changed what; beyond loopback `guard` asks `tokens` whose a request is, and `attempts` counts the wrong ones.
//! `v2` is the API of Alertmanager.
//!
//! How a request goes: `connection (server) -> security headers -> record of it (audit) -> net under panics -> who asks (guard) -> whole body
//! -> its turn (places) -> time limit -> handler -> Live or the store`.
//!
//! Limits: bodies `layers::REQUEST_BODY_BYTES_MAX`, time `layers::ANSWER_TIME_MAX` (a run takes its check's own time, an event stream has
//! none), lists `checks::ITEMS_MAX`, event streams `events::STREAMS_MAX`, scrapes [`SCRAPES_MAX`] at a time.
//! Posted alerts and what is read of them have limits of their own (`v2`).
//!
//! Invariant: handlers read [`Live`] and the store, and change nothing but by [`crate::daemon::Runner`] and [`crate::alerting::Alerts::tell`];
//! each such request is recorded (`audit`).
//! Invariant: a check's `config` is in no answer.

mod attempts;
mod audit;
mod checks;
pub mod config;
mod deliveries;
mod documents;
mod events;
mod guard;
mod health;
mod incidents;
mod layers;
mod maintenance;
pub mod model;
pub(crate) mod parameters;
mod places;
mod plugins;
pub mod problem;
mod push;
mod run;
mod scrape;
pub mod server;
mod silences;
mod slos;
mod stall;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;
mod tokens;
mod told;
mod v2;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery};
use axum::http::{Method, Uri, header};
use axum::routing::get;
use axum::{Router, middleware};
use tokio::sync::Semaphore;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::parameters::Parameters;
use self::problem::{Problem, ProblemKind, quoted};
use crate::live::Live;
use crate::page;

pub use self::server::serve;

/// `/metrics` of many checks costs CPU and memory: others wait, within their time limit.
const SCRAPES_MAX: usize = 2;

/// What handlers share; cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub live: Arc<Live>,
    streams: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
}

impl Api {
    fn new(live: Arc<Live>) -> Api {
        Api { live, streams: Arc::new(Semaphore::new(events::STREAMS_MAX)), scrapes: Arc::new(Semaphore::new(SCRAPES_MAX)) }
    }
}

#[derive(OpenApi)]
#[openapi(
    modifiers(&Tokens),
    info(title = "Sickbay", description = "Check, treat, tell: what the checks of one Sickbay say."),
    components(schemas(events::Gap, model::IncidentEventItem, model::DeliveryEventItem)),
    tags(
        (name = "health", description = "Is Sickbay alive, is it ready, are the checks well?"),
        (name = "checks", description = "State, history and runs of checks."),
        (name = "plugins", description = "What the plugins are and how they stand."),
        (name = "slos", description = "What is promised of checks, and what is left of the error budgets."),
        (name = "alerts", description = "Incidents, silences and who is told."),
        (name = "audit", description = "Who changed what."),
        (name = "events", description = "Results, incidents and deliveries as they come."),
        (name = "config", description = "Which configuration is in force."),
    )
)]
struct Document;

/// How a token is sent, and that a loopback listener asks for none.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [("token", HttpAuthScheme::Bearer), ("password", HttpAuthScheme::Basic)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
        let none: [String; 0] = [];
        document.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new("token", none.clone()),
            SecurityRequirement::new("password", none),
        ]);
    }
}

/// Every path of the daemon. `local_addr` is where it listens: it decides who is let in.
pub fn router(live: Arc<Live>, local_addr: SocketAddr) -> Router {
    let quick: OpenApiRouter<Api> = OpenApiRouter::new()
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::healthz))
        .routes(routes!(scrape::metrics))
        .routes(routes!(checks::list_checks))
        .routes(routes!(checks::get_check))
        .routes(routes!(checks::check_results))
        .routes(routes!(plugins::list_plugins))
        .routes(routes!(plugins::get_plugin))
        .routes(routes!(slos::list_slos))
        .routes(routes!(slos::get_slo))
        .routes(routes!(config::get_config))
        .routes(routes!(incidents::list_incidents))
        .routes(routes!(incidents::get_incident))
        .routes(routes!(incidents::acknowledge))
        .routes(routes!(incidents::add_note))
        .routes(routes!(silences::list_silences, silences::add_silence))
        .routes(routes!(silences::get_silence, silences::expire_silence))
        .routes(routes!(maintenance::list_maintenance, maintenance::add_maintenance))
        .routes(routes!(maintenance::get_maintenance, maintenance::remove_maintenance))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::resend_delivery))
        .routes(routes!(audit::list_audit))
        .layer(middleware::from_fn(layers::bounded_time));
    let unhurried: OpenApiRouter<Api> =
        OpenApiRouter::new().routes(routes!(run::run_check)).routes(routes!(push::push)).routes(routes!(events::events));
    let (router, document) = OpenApiRouter::with_openapi(Document::openapi()).merge(quick).merge(unhurried).split_for_parts();
    let document = Bytes::from(document.to_json().expect("the document is made of constants"));
    let long_bodies = Arc::new(Semaphore::new(v2::ALERTS_BODIES_MAX));

    router
        .merge(v2::router())
        .route("/api/openapi.json", get(move |query: RawQuery| openapi(query, document)))
        .route("/", get(page::page))
        .route(page::STYLE_PATH, get(page::style))
        .fallback(path_unknown)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(layers::bounded_requests))
        // Bodies are bounded below, by their path.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(long_bodies, layers::bounded_body))
        .layer(middleware::from_fn_with_state(guard::Gate::new(local_addr, Arc::clone(&live)), guard::admit))
        .layer(middleware::from_fn(layers::catch_panic))
        .layer(middleware::from_fn_with_state(audit::Audit::new(Arc::clone(&live)), audit::record))
        .layer(middleware::from_fn(v2::plain_problems))
        .layer(middleware::from_fn(layers::security_headers))
        .with_state(Api::new(live))
}

async fn openapi(RawQuery(query): RawQuery, document: Bytes) -> Result<([(header::HeaderName, &'static str); 1], Bytes), Problem> {
    Parameters::read(query.as_deref(), &[])?;
    Ok(([(header::CONTENT_TYPE, "application/json")], document))
}

async fn path_unknown(uri: Uri) -> Problem {
    Problem::new(ProblemKind::PathUnknown, format!("nothing is at {}", quoted(uri.path())))
        .hint("the paths are listed at /api/openapi.json")
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(ProblemKind::MethodNotAllowed, format!("{} is not for {}", quoted(method.as_str()), quoted(uri.path())))
        .hint("the header `Allow` names the methods")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::places::{Busy, Places, REQUESTS_MAX};
    use super::testing::{Host, TOKEN, get, request, with_token};

    #[tokio::test]
    async fn every_error_is_a_problem() {
        let host = Host::start("").await;
        for (method, path, status, name) in [
            ("GET", "/nothing", 404, "path-unknown"),
            ("GET", "/api/v1/checks/", 404, "path-unknown"),
            ("GET", "/api/v1/checks/absent", 404, "check-unknown"),
            ("GET", "/api/v1/checks/absent/results", 404, "check-unknown"),
            ("GET", "/api/v1/checks/%ff", 404, "path-unknown"),
            ("GET", "/api/v1/plugins/absent", 404, "plugin-unknown"),
            ("GET", "/api/v1/slos/absent", 404, "slo-unknown"),
            ("DELETE", "/api/v1/checks", 405, "method-not-allowed"),
            ("GET", "/api/v1/checks/absent/run", 405, "method-not-allowed"),
            ("POST", "/livez", 405, "method-not-allowed"),
            ("GET", "/api/v1/checks?limit=0", 400, "parameter-invalid"),
            ("GET", "/api/v1/events?after=x", 400, "parameter-invalid"),
            ("GET", "/api/openapi.json?x=1", 400, "parameter-invalid"),
            ("GET", "/api/v1/config?x=1", 400, "parameter-invalid"),
            ("POST", "/api/v1/config", 405, "method-not-allowed"),
            ("POST", "/api/v1/checks/absent/run", 503, "not-ready"),
            ("GET", "/api/v1/push/absent", 405, "method-not-allowed"),
            ("GET", "/api/v1/incidents/absent", 404, "incident-unknown"),
            ("POST", "/api/v1/incidents/absent/ack", 404, "incident-unknown"),
            ("DELETE", "/api/v1/silences/absent", 404, "silence-unknown"),
            ("POST", "/api/v1/silences", 400, "body-invalid"),
            ("GET", "/api/v1/deliveries?state=x", 400, "parameter-invalid"),
            ("POST", "/api/v1/deliveries/absent/resend", 404, "delivery-unknown"),
            ("POST", "/api/v1/push/absent", 503, "not-ready"),
        ] {
            let answer = host.ask(request(method, path)).await;
            assert_eq!(answer.status, status, "{method} {path}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
            let problem = answer.json();
            assert_eq!(problem["type"], format!("urn:sickbay:problem:{name}"), "{method} {path}");
            assert_eq!(problem["status"], status, "{method} {path}");
            assert!(problem["title"].is_string() && problem["detail"].is_string() && problem["hint"].is_string(), "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_method_that_is_not_allowed_is_told_which_are() {
        let host = Host::start("").await;
        let answer = host.ask(request("DELETE", "/api/v1/checks")).await;
        assert!(answer.header("allow").is_some_and(|methods| methods.contains("GET")), "{:?}", answer.header("allow"));
    }

    #[tokio::test]
    async fn no_path_is_exempt_from_the_loopback_rules() {
        let host = Host::start("").await;
        for path in ["/", "/livez", "/readyz", "/healthz", "/metrics", "/api/v1/checks", "/api/v1/events", "/api/openapi.json", "/nothing"]
        {
            let mut foreign_host = request("GET", path);
            foreign_host.headers_mut().insert("host", "evil.example".parse().unwrap());
            assert_eq!(host.ask(foreign_host).await.status, 421, "{path}");
            let mut foreign_origin = request("GET", path);
            foreign_origin.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
            assert_eq!(host.ask(foreign_origin).await.status, 403, "{path}");
        }
    }

    #[tokio::test]
    async fn beyond_loopback_no_path_but_two_is_answered_without_a_token() {
        let host = Host::start_beyond("").await;
        for path in
            ["/", "/healthz", "/metrics", "/api/v1/checks", "/api/v1/events", "/api/openapi.json", "/assets/sickbay.css", "/nothing"]
        {
            let answer = host.ask(get(path)).await;
            assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/problem+json")), "{path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"sickbay\""), "{path}");
            assert_eq!(host.ask(get(&format!("{path}?token={TOKEN}"))).await.status, 401, "{path}");
            let mut foreign_origin = with_token(get(path));
            foreign_origin.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
            assert_eq!(host.ask(foreign_origin).await.status, 403, "{path}");
        }
        assert_eq!(host.ask(get("/livez")).await.status, 200);
        assert_eq!(host.ask(get("/readyz")).await.status, 503);
        assert_eq!(host.ask(with_token(get("/api/v1/checks"))).await.status, 200);
        assert_eq!(host.ask(with_token(request("POST", "/api/v1/checks/absent/run"))).await.status, 403);
    }

    #[tokio::test]
    async fn what_was_not_let_in_is_counted_by_its_reason() {
        let host = Host::start_beyond("").await;
        host.ask(get("/metrics")).await;
        let mut wrong = get("/metrics");
        wrong.headers_mut().insert("authorization", "Bearer wrong".parse().unwrap());
        host.ask(wrong).await;
        host.ask(with_token(request("POST", "/metrics"))).await;
        let text = String::from_utf8(host.ask(with_token(get("/metrics"))).await.body).unwrap();
        for reason in ["missing", "unknown", "role"] {
            assert!(text.contains(&format!("sickbay_api_denied_total{{reason=\"{reason}\"}} 1\n")), "{reason}: {text}");
        }
        assert!(text.contains("sickbay_api_denied_total{reason=\"too_many\"} 0\n"), "{text}");
    }

    #[tokio::test]
    async fn a_refused_request_learns_where_to_ask() {
        let host = Host::start("").await;
        let mut foreign = request("GET", "/");
        foreign.headers_mut().insert("host", "evil.example".parse().unwrap());
        let problem = host.ask(foreign).await.json();
        assert!(problem["hint"].as_str().unwrap().contains("http://127.0.0.1:9470"), "{problem}");
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_refused_on_every_path() {
        let host = Host::start("").await;
        for (method, path) in [("POST", "/api/v1/checks/absent/run"), ("GET", "/api/v1/checks"), ("PUT", "/nothing")] {
            let mut large = request(method, path);
            *large.body_mut() = vec![b'x'; super::layers::REQUEST_BODY_BYTES_MAX + 1].into();
            let answer = host.ask(large).await;
            assert_eq!(answer.status, 413, "{path}");
            assert_eq!(answer.json()["type"], "urn:sickbay:problem:body-too-large");
        }
    }

    #[tokio::test]
    async fn while_as_many_requests_are_answered_as_may_be_only_supervisors_are_answered_too() {
        let host = Host::start("").await;
        let places = Places::default();
        let place = || places.enter("127.0.0.1:4711".parse().unwrap()).unwrap();
        let from = |path: &str| {
            let mut request = get(path);
            request.extensions_mut().insert(place());
            request
        };
        let busy: Vec<Busy> = (0..REQUESTS_MAX).map(|_| place().begin().unwrap()).collect();
        let refused = host.ask(from("/metrics")).await;
        assert_eq!((refused.status, refused.json()["type"].as_str()), (503, Some("urn:sickbay:problem:requests-exhausted")));
        assert_eq!(host.ask(from("/livez")).await.status, 200);
        drop(busy);
        assert_eq!(host.ask(from("/metrics")).await.status, 200);
    }

    #[tokio::test]
    async fn every_answer_has_the_headers_that_keep_browsers_careful() {
        let host = Host::start("").await;
        for path in ["/", "/livez", "/api/v1/checks", "/nothing"] {
            let answer = host.ask(get(path)).await;
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
            assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none';"), "{path}");
        }
    }

    #[tokio::test]
    async fn the_document_lists_every_path_once_with_problems_for_its_errors() {
        let host = Host::start("").await;
        let document = host.ask(get("/api/openapi.json")).await.json();
        let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        for path in [
            "/livez",
            "/readyz",
            "/healthz",
            "/metrics",
            "/api/v1/checks",
            "/api/v1/checks/{name}",
            "/api/v1/checks/{name}/results",
            "/api/v1/checks/{name}/run",
            "/api/v1/push/{name}",
            "/api/v1/plugins",
            "/api/v1/plugins/{name}",
            "/api/v1/slos",
            "/api/v1/slos/{name}",
            "/api/v1/config",
            "/api/v1/events",
            "/api/v1/incidents",
            "/api/v1/incidents/{id}",
            "/api/v1/incidents/{id}/ack",
            "/api/v1/incidents/{id}/note",
            "/api/v1/silences",
            "/api/v1/silences/{id}",
            "/api/v1/deliveries",
            "/api/v1/deliveries/{id}/resend",
            "/api/v1/audit",
            "/api/v1/maintenance",
            "/api/v1/maintenance/{id}",
        ] {
            assert!(paths.iter().any(|known| *known == path), "{path} is not in {paths:?}");
        }
        assert_eq!(paths.len(), 26);
        let refused = &document["paths"]["/api/v1/checks"]["get"]["responses"]["400"]["content"];
        assert!(refused["application/problem+json"].is_object(), "{refused}");
        let names: Vec<&Value> = document["paths"]["/api/v1/checks"]["get"]["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| &parameter["name"])
            .collect();
        assert_eq!(names, ["limit", "cursor", "status", "plugin", "label"]);
        assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
        assert_eq!(document["security"][1]["token"], serde_json::json!([]));
    }

    #[tokio::test]
    async fn head_is_answered_where_get_is() {
        let host = Host::start("").await;
        let answer = host.ask(request("HEAD", "/api/v1/checks")).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
}
