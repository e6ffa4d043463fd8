//! `/api/v1/silences`: what people mute for a time, by matchers.
//!
//! Silences that are not over are answered from memory, others from the store.
//!
//! A silence whose matchers hold for no check and for no open incident is refused, for it is mostly a slip; `allow_unmatched` says that it is
//! meant, as for alerts that others post.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use sickbay_core::Status;
use sickbay_core::alerting::{AlertKind, Fact, Matcher, Severity, Silence, SilenceDraft, SilenceId, Subject};
use sickbay_store::{Document, Kind};
use utoipa::ToSchema;

use super::Api;
use super::audit::Made;
use super::checks::limit;
use super::documents::{self, Cursor, Wanted};
use super::model::{Page, SilenceItem};
use super::parameters::{Named, Parameters, invalid};
use super::problem::{Problem, ProblemKind, quoted};
use super::tokens::Admitted;
use super::told;
use crate::alerting::facts::identity;
use crate::alerting::rows;
use crate::clock;
use crate::live::Live;
use crate::masks::Masks;

const LIST: &str = "/api/v1/silences?state=all";
const HINT: &str = "send for example {\"matchers\": [\"service=\\\"api\\\"\"], \"for\": \"2h\", \"comment\": \"moving\"}";

/// Silences: those that are not over, or those of the store; the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/silences",
    tag = "alerts",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
        ("state" = Option<String>, Query, description = "current (active or to come), expired or all; current by default"),
    ),
    responses(
        (status = 200, description = "A part of the list; it may be shorter than asked for and have a `next`", body = Page<SilenceItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_silences(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<SilenceItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor", "state"])?;
    let (limit, now) = (limit(&parameters)?, clock::now());
    let cursor = parameters.text("cursor")?;
    let wants_current = match parameters.text("state")? {
        None | Some("current") => {
            let foreign = |_| invalid("`cursor` is none of ours").hint("pass `next` as it came");
            let behind = cursor.map(|text| text.parse::<SilenceId>().map_err(foreign)).transpose()?;
            return Ok(Json(current(&api.live, behind, limit)));
        }
        Some("expired") => false,
        Some("all") => true,
        Some(other) => return Err(invalid(format!("`state` is {}", quoted(other))).hint("known are current, expired, all")),
    };
    let behind = cursor.map(Cursor::read).transpose()?;
    let wanted = Wanted { kind: Kind::Silence, parent: None, behind, since: None, limit };
    let item = |document: &Document| {
        let silence = rows::parse::<Silence>(document)?;
        (wants_current || silence.is_over || silence.ends_at <= now).then(|| SilenceItem::of(&silence, now))
    };
    Ok(Json(documents::part(&*api.live.store, wanted, item).await?))
}

fn current(live: &Live, behind: Option<SilenceId>, limit: usize) -> Page<SilenceItem> {
    let now = clock::now();
    live.alerts.read(|alerting| {
        let is_behind = |silence: &&Silence| behind.is_none_or(|behind| silence.id < behind);
        let mut current: Vec<&Silence> = alerting.silences().filter(is_behind).collect();
        current.sort_unstable_by_key(|silence| Reverse(silence.id));
        let has_more = current.len() > limit;
        current.truncate(limit);
        let next = current.last().filter(|_| has_more).map(|last| last.id.to_string());
        Page { items: current.into_iter().map(|silence| SilenceItem::of(silence, now)).collect(), next }
    })
}

/// One silence.
#[utoipa::path(
    get,
    path = "/api/v1/silences/{id}",
    tag = "alerts",
    params(("id" = String, Path, description = "The silence's id")),
    responses(
        (status = 200, description = "The silence", body = SilenceItem),
        (status = 404, description = "No silence has this id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_silence(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<SilenceItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let silence = find(&api.live, &name, LIST).await?;
    Ok(Json(SilenceItem::of(&silence, clock::now())))
}

/// One by its id, also one that is over; `list` is where they are listed.
pub(super) async fn find(live: &Live, name: &str, list: &str) -> Result<Silence, Problem> {
    let unknown = || {
        Problem::new(ProblemKind::SilenceUnknown, format!("no silence has the id {}", quoted(name)))
            .hint(format!("they are listed at {list}; retention removes those that are over"))
    };
    let id: SilenceId = name.parse().map_err(|_| unknown())?;
    if let Some(silence) = current_one(live, id) {
        return Ok(silence);
    }
    let document = live.store.document(Kind::Silence, &id.to_string()).await.map_err(Problem::store)?;
    document.as_ref().and_then(rows::parse).ok_or_else(unknown)
}

/// One that is not over.
fn current_one(live: &Live, id: SilenceId) -> Option<Silence> {
    live.alerts.read(|alerting| alerting.silence(id).cloned())
}

/// What somebody wants to mute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSilence {
    /// All of them have to hold, in Alertmanager's grammar: `service="api"`, `severity=~"P0|P1"`. At most 64.
    matchers: Vec<String>,
    /// RFC 3339. Default: now.
    starts_at: Option<String>,
    /// RFC 3339; this or `for`.
    ends_at: Option<String>,
    /// From the begin on: `30m`, `2h`, `7d`.
    #[serde(rename = "for")]
    lasts: Option<String>,
    /// Why; at most 1024 bytes.
    comment: Option<String>,
    /// Who; where a token is asked for, it says who.
    by: Option<String>,
    /// It is taken also where it would mute nothing that is known.
    #[serde(default)]
    allow_unmatched: bool,
}

impl NewSilence {
    fn draft(&self, admitted: Option<&Extension<Admitted>>, masks: &Masks) -> Result<SilenceDraft, Problem> {
        let now = clock::now();
        if self.matchers.is_empty() {
            return Err(told::invalid("there are no matchers: it would mute everything").hint(HINT));
        }
        let matchers: Vec<Matcher> = self.matchers.iter().map(|text| matcher(text)).collect::<Result<_, _>>()?;
        let starts_at = self.starts_at.as_deref().map(|text| told::moment("starts_at", text)).transpose()?.unwrap_or(now);
        let ends_at = told::end("ends_at", self.ends_at.as_deref(), self.lasts.as_deref(), starts_at.max(now))?;
        let ends_at = ends_at.ok_or_else(|| told::invalid("neither `ends_at` nor `for` is given").hint(HINT))?;
        let draft = SilenceDraft {
            id: None,
            matchers,
            starts_at,
            ends_at,
            created_by: told::who(admitted, self.by.clone(), masks)?,
            comment: told::note("comment", self.comment.clone(), masks)?.unwrap_or_default(),
        };
        match draft.problem(now) {
            Some(problem) => Err(told::invalid(problem).hint(HINT)),
            None => Ok(draft),
        }
    }
}

fn matcher(text: &str) -> Result<Matcher, Problem> {
    Matcher::parse(text).map_err(|error| {
        told::invalid(format!("{} is no matcher: {error}", quoted(text)))
            .hint("write a label, one of = != =~ !~ and a value in quotes, such as service=\"api\"")
    })
}

/// Mutes what matches: nobody is told that it fires; who was told is told the end.
#[utoipa::path(
    post,
    path = "/api/v1/silences",
    tag = "alerts",
    request_body(content = NewSilence, content_type = "application/json"),
    responses(
        (status = 201, description = "The silence", body = SilenceItem),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It would mute nothing that is known", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn add_silence(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    admitted: Option<Extension<Admitted>>,
    body: Bytes,
) -> Result<(StatusCode, Extension<Made>, Json<SilenceItem>), Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let masks = Masks::of(&api.live).await;
    let asked: NewSilence = told::read(&body, HINT, &masks)?;
    let draft = asked.draft(admitted.as_ref(), &masks).map_err(|problem| told::masked(problem, &masks))?;
    if !asked.allow_unmatched && !is_known(&api.live, &draft.matchers).await {
        let detail = format!("no check and no open incident matches {}", quoted(&asked.matchers.join(", ")));
        return Err(Problem::new(ProblemKind::SilenceUnmatched, masks.text(detail)).hint(
            "`sickbay status -o json` has the labels of checks; where it is meant, send \"allow_unmatched\": true (`--allow-unmatched`)",
        ));
    }
    let changes = api.live.alerts.tell(Fact::SilencePut { draft }).await.map_err(told::not_stored)?;
    if let Some(refusal) = changes.refusals.first() {
        return Err(told::masked(told::invalid(refusal.as_str()), &masks).hint(HINT));
    }
    let made = changes.silences.iter().find(|silence| !silence.is_over);
    let made =
        made.ok_or_else(|| Problem::new(ProblemKind::Internal, "the silence was not made").hint("see the log of `sickbay serve`"))?;
    Ok((StatusCode::CREATED, Extension(Made(made.id.to_string())), Json(SilenceItem::of(made, clock::now()))))
}

/// With many checks that takes a while: not on the threads that answer. Where it cannot be told, it is taken.
async fn is_known(live: &Arc<Live>, matchers: &[Matcher]) -> bool {
    let (live, matchers) = (Arc::clone(live), matchers.to_vec());
    tokio::task::spawn_blocking(move || matches_something(&live, &matchers)).await.unwrap_or(true)
}

/// Whether the matchers hold for an open incident, or for what a check could come to.
fn matches_something(live: &Live, matchers: &[Matcher]) -> bool {
    let all_match = |subject: &Subject<'_>| matchers.iter().all(|matcher| matcher.matches(subject));
    if live.alerts.read(|alerting| alerting.incidents().any(|incident| incident.is_open() && all_match(&incident.subject()))) {
        return true;
    }
    let config = live.config.load_full();
    live.checks().by_name.values().any(|check| {
        let identity = identity(check, &config);
        let could_be =
            [(AlertKind::Failure, Status::Critical), (AlertKind::Failure, Status::Warning), (AlertKind::Unknown, Status::Unknown)];
        could_be.into_iter().any(|(kind, status)| {
            let labels = identity.alert_labels(kind);
            all_match(&Subject { labels: &labels, status, severity: Severity::of(&labels) })
        })
    })
}

/// Ends a silence now.
#[utoipa::path(
    delete,
    path = "/api/v1/silences/{id}",
    tag = "alerts",
    params(("id" = String, Path, description = "The silence's id")),
    responses(
        (status = 200, description = "The silence, which is over", body = SilenceItem),
        (status = 404, description = "No silence has this id", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was over already", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn expire_silence(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<SilenceItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let silence = find(&api.live, &name, LIST).await?;
    let over = || {
        let detail = format!("the silence {} ended at {}", silence.id, clock::rfc3339(silence.ends_at));
        Problem::new(ProblemKind::SilenceOver, detail).hint("nothing is muted by it any more")
    };
    if current_one(&api.live, silence.id).is_none() {
        return Err(over());
    }
    let changes = api.live.alerts.tell(Fact::SilenceExpired { silence: silence.id }).await.map_err(told::not_stored)?;
    let ended = changes.silences.iter().find(|ended| ended.id == silence.id).ok_or_else(over)?;
    Ok(Json(SilenceItem::of(ended, clock::now())))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::testing::{Host, get, post, request, two_checks};

    #[tokio::test]
    async fn what_looks_like_a_secret_is_masked_in_what_people_write_and_a_matcher_stays_as_it_is() {
        let host = Host::start(&two_checks()).await;
        let body = r#"{"matchers": ["note=\"password=hunter22hunter\""], "for": "2h", "comment": "password=hunter22hunter", "by": "token=hunter22hunter",
            "allow_unmatched": true}"#;
        let silence = host.ask(post("/api/v1/silences", body)).await.json();
        assert_eq!((&silence["comment"], &silence["created_by"]), (&json!("password=[masked]"), &json!("token=[masked]")), "{silence}");
        assert_eq!(silence["matchers"], json!(["note=\"password=hunter22hunter\""]));
        let refused = host.ask(post("/api/v1/silences", r#"{"matchers": ["password=hunter22hunter ,"], "for": "2h"}"#)).await;
        let told = refused.json();
        assert!(refused.status >= 400 && !told["detail"].to_string().contains("hunter22"), "{told}");
    }

    const GOOD: &str = r#"{"matchers": ["service=\"api\""], "for": "2h", "comment": "moving", "by": "anna"}"#;

    #[tokio::test]
    async fn a_silence_is_made_listed_and_ended() {
        let host = Host::start(&two_checks()).await;
        let made = host.ask(post("/api/v1/silences", GOOD)).await;
        assert_eq!(made.status, 201, "{}", made.json());
        let silence = made.json();
        assert_eq!((&silence["state"], &silence["created_by"], &silence["comment"]), (&json!("active"), &json!("anna"), &json!("moving")));
        assert_eq!(silence["matchers"], json!(["service=\"api\""]));
        let path = format!("/api/v1/silences/{}", silence["id"].as_str().unwrap());
        assert_eq!(host.ask(get(&path)).await.json(), silence);
        assert_eq!(host.ask(get("/api/v1/silences")).await.json(), json!({ "items": [silence], "next": null }));

        let ended = host.ask(request("DELETE", &path)).await.json();
        assert_eq!(ended["state"], "expired");
        assert_eq!(host.ask(get("/api/v1/silences")).await.json()["items"], json!([]));
        for state in ["expired", "all"] {
            let page = host.ask(get(&format!("/api/v1/silences?state={state}"))).await.json();
            assert_eq!(page["items"][0]["id"], silence["id"], "{state}");
        }
        let again = host.ask(request("DELETE", &path)).await;
        assert_eq!((again.status, again.json()["type"].clone()), (409, json!("urn:sickbay:problem:silence-over")));
        assert_eq!(host.ask(request("DELETE", "/api/v1/silences/nothing")).await.status, 404);
    }

    #[tokio::test]
    async fn what_would_mute_everything_or_nothing_is_refused_with_what_to_do() {
        let host = Host::start(&two_checks()).await;
        for (body, status, told) in [
            (r#"{"matchers": [], "for": "2h"}"#, 400, "mute everything"),
            (r#"{"matchers": ["service=~\".*\""], "for": "2h"}"#, 400, "mute everything"),
            (r#"{"matchers": ["service"], "for": "2h"}"#, 400, "`service` is no matcher"),
            (r#"{"matchers": ["service=\"api\""]}"#, 400, "neither `ends_at` nor `for`"),
            (r#"{"matchers": ["service=\"api\""], "ends_at": "2001-01-01T00:00:00Z"}"#, 400, "a silence ends"),
            (
                r#"{"matchers": ["service=\"api\""], "starts_at": "2099-01-01T00:00:00Z", "ends_at": "2098-01-01T00:00:00Z"}"#,
                400,
                "after it begins",
            ),
            (r#"{"matchers": ["service=\"api\""], "ends_at": "9999-12-31T23:59:59Z"}"#, 400, "within 5 years"),
            (r#"{"matchers": ["service=\"apy\""], "for": "2h"}"#, 409, "no check and no open incident matches"),
            ("", 400, "matchers"),
        ] {
            let answer = host.ask(post("/api/v1/silences", body)).await;
            let problem = answer.json();
            assert_eq!(answer.status, status, "{body}: {problem}");
            assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(told)), "{body}: {problem}");
            assert!(problem["hint"].is_string(), "{problem}");
        }
        let meant = GOOD.replace("api", "apy").replace("\"by\"", "\"allow_unmatched\": true, \"by\"");
        assert_eq!(host.ask(post("/api/v1/silences", &meant)).await.status, 201);
        let of_kind = r#"{"matchers": ["alertname=\"SickbayCheckUnknown\"", "plugin=\"http\""], "for": "1h"}"#;
        assert_eq!(host.ask(post("/api/v1/silences", of_kind)).await.status, 201);
    }

    #[tokio::test]
    async fn silences_come_in_parts() {
        let host = Host::start(&two_checks()).await;
        for _ in 0..3 {
            host.ask(post("/api/v1/silences", GOOD)).await;
        }
        let first = host.ask(get("/api/v1/silences?limit=2")).await.json();
        let rest = host.ask(get(&format!("/api/v1/silences?limit=2&cursor={}", first["next"].as_str().unwrap()))).await.json();
        assert_eq!((first["items"].as_array().map(Vec::len), rest["items"].as_array().map(Vec::len)), (Some(2), Some(1)));
        assert_eq!(rest["next"], Value::Null);
        assert_eq!(host.ask(get("/api/v1/silences?state=open")).await.status, 400);
    }
}
