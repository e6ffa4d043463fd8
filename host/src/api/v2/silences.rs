//! `/api/v2/silences` and `/api/v2/silence/{id}`.
//!
//! The machine has the silences that are not over, the store those that are, until retention removes them.
//!
//! Limits: [`EXPIRED_LOOKED_AT_MAX`] in a list; what a silence may be, `sickbay_core` says.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use sickbay_core::Timestamp;
use sickbay_core::alerting::{Fact, MATCHERS_MAX, Matcher, Operation, Silence, SilenceDraft, SilenceId};
use sickbay_store::{Kind, Page};

use super::filter::{flag, matchers};
use super::model::{GettableSilence, PostableMatcher, PostableSilence, SilenceState};
use super::posted::time;
use super::{json, tell, written};
use crate::alerting::rows::parse;
use crate::api::Api;
use crate::api::audit::Made;
use crate::api::parameters::{Named, Parameters};
use crate::api::problem::{Problem, ProblemKind, quoted};
use crate::api::silences::find;
use crate::api::tokens::Admitted;
use crate::clock;
use crate::masks::Masks;

/// The newest in the store, among which those that are over are told.
const EXPIRED_LOOKED_AT_MAX: u32 = 1000;

const LIST: &str = "/api/v2/silences";
const PARAMETERS: [&str; 4] = ["filter", "active", "pending", "expired"];

/// What a client is told of a silence that it put.
#[derive(Debug, Serialize)]
pub(super) struct Put {
    #[serde(rename = "silenceID")]
    silence_id: SilenceId,
}

pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let parameters = Parameters::read(query.as_deref(), &PARAMETERS)?;
    let wanted = matchers(&parameters)?;
    let states = [
        (SilenceState::Active, flag(&parameters, "active")?),
        (SilenceState::Pending, flag(&parameters, "pending")?),
        (SilenceState::Expired, flag(&parameters, "expired")?),
    ];
    let mut silences: BTreeMap<SilenceId, Silence> =
        api.live.alerts.read(|machine| machine.silences().map(|silence| (silence.id, silence.clone())).collect());
    if states.contains(&(SilenceState::Expired, true)) {
        for silence in expired(&api).await? {
            silences.entry(silence.id).or_insert(silence);
        }
    }
    let now = clock::now();
    let mut told: Vec<(SilenceState, &Silence)> = silences
        .values()
        .map(|silence| (state(silence, now), silence))
        .filter(|(state, silence)| states.contains(&(*state, true)) && wanted.iter().all(|matcher| silence.matchers.contains(matcher)))
        .collect();
    told.sort_by_key(|(state, silence)| place(*state, silence));
    written(told.into_iter().map(|(state, silence)| GettableSilence::of(silence, state))).map(json)
}

pub(super) async fn get(State(api): State<Api>, Named(id): Named, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let silence = find(&api.live, &id, LIST).await?;
    Ok(Json(GettableSilence::of(&silence, state(&silence, clock::now()))).into_response())
}

/// Puts a silence, or one in the place of another. One that is over is not changed any more: a new one is made of it.
/// Who made it says the token, where there is one, whatever is written.
pub(super) async fn post(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
    admitted: Option<Extension<Admitted>>,
    body: Bytes,
) -> Result<(Extension<Made>, Json<Put>), Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let masks = Masks::of(&api.live).await;
    let refused = |told: String| invalid(masks.text(told));
    let mut asked: PostableSilence = serde_json::from_slice(&body).map_err(|error| refused(format!("this is no silence: {error}")))?;
    // Not in matchers: with something else in them they would mean other alerts.
    asked.created_by = masks.text(asked.created_by);
    asked.comment = masks.text(asked.comment);
    if let Some(Extension(admitted)) = admitted {
        asked.created_by = admitted.name.to_string();
    }
    let before = match asked.id.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Some(find(&api.live, id, LIST).await?),
        None => None,
    };
    let id = before.filter(|silence| !silence.is_over).map(|silence| silence.id);
    let draft = draft(asked, id, clock::now()).map_err(refused)?;
    let changes = tell(&api, Fact::SilencePut { draft }).await?;
    // No other begins by this fact, but some may have ended by now.
    match changes.silences.iter().find(|silence| !silence.is_over) {
        Some(silence) => Ok((Extension(Made(silence.id.to_string())), Json(Put { silence_id: silence.id }))),
        None => Err(refused(changes.refusals.join("; "))),
    }
}

/// Ends a silence; one that is over stays so.
pub(super) async fn delete(State(api): State<Api>, Named(id): Named, RawQuery(query): RawQuery) -> Result<StatusCode, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let silence = find(&api.live, &id, LIST).await?;
    if !silence.is_over {
        tell(&api, Fact::SilenceExpired { silence: silence.id }).await?;
    }
    Ok(StatusCode::OK)
}

/// Those of the store that are over.
async fn expired(api: &Api) -> Result<Vec<Silence>, Problem> {
    let page = Page { kind: Kind::Silence, parent: None, before: None, limit: EXPIRED_LOOKED_AT_MAX };
    let documents = api.live.store.documents(page).await.map_err(Problem::store)?;
    Ok(documents.iter().filter(|document| !document.open).filter_map(parse).collect())
}

fn state(silence: &Silence, now: Timestamp) -> SilenceState {
    if silence.is_over || silence.ends_at <= now {
        SilenceState::Expired
    } else if now < silence.starts_at {
        SilenceState::Pending
    } else {
        SilenceState::Active
    }
}

/// In a list: what ends next, what begins next, what ended last.
fn place(state: SilenceState, silence: &Silence) -> (SilenceState, u64) {
    let at = match state {
        SilenceState::Active => silence.ends_at.0,
        SilenceState::Pending => silence.starts_at.0,
        SilenceState::Expired => u64::MAX - silence.ends_at.0,
    };
    (state, at)
}

fn draft(asked: PostableSilence, id: Option<SilenceId>, now: Timestamp) -> Result<SilenceDraft, String> {
    if asked.matchers.len() > MATCHERS_MAX {
        return Err(format!("a silence has at most {MATCHERS_MAX} matchers"));
    }
    Ok(SilenceDraft {
        id,
        matchers: asked.matchers.iter().map(matcher).collect::<Result<_, String>>()?,
        starts_at: time("startsAt", Some(asked.starts_at))?.unwrap_or(now),
        ends_at: time("endsAt", Some(asked.ends_at))?.ok_or("`endsAt` is missing")?,
        created_by: asked.created_by,
        comment: asked.comment,
    })
}

fn matcher(asked: &PostableMatcher) -> Result<Matcher, String> {
    let operation = match (asked.is_regex, asked.is_equal.unwrap_or(true)) {
        (false, true) => Operation::Equal,
        (false, false) => Operation::NotEqual,
        (true, true) => Operation::Matches,
        (true, false) => Operation::MatchesNot,
    };
    Matcher::new(&asked.name, operation, &asked.value).map_err(|error| format!("the matcher of {}: {error}", quoted(&asked.name)))
}

fn invalid(detail: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::BodyInvalid, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_783_339_200_000);

    fn asked(body: &serde_json::Value) -> Result<SilenceDraft, String> {
        let asked = serde_json::from_value(body.clone()).map_err(|error| error.to_string())?;
        draft(asked, None, NOW)
    }

    fn silence(id: &str, starts_at: u64, ends_at: u64, is_over: bool) -> Silence {
        Silence {
            id: id.parse().expect("an id"),
            matchers: vec![Matcher::parse("a=~\"x|y\"").expect("a matcher"), Matcher::parse("b!=1").expect("a matcher")],
            starts_at: Timestamp(starts_at),
            ends_at: Timestamp(ends_at),
            created_by: "anna".to_owned(),
            comment: "known".to_owned(),
            updated_at: NOW,
            is_over,
        }
    }

    #[test]
    fn the_matchers_of_every_client_are_understood() {
        let draft = asked(&json!({
            "matchers": [
                { "name": "a", "value": "1", "isRegex": false },
                { "name": "b", "value": "1|2", "isRegex": true, "isEqual": true },
                { "name": "c", "value": "1", "isRegex": false, "isEqual": false },
                { "name": "d", "value": "", "isRegex": true, "isEqual": false },
            ],
            "startsAt": "2026-07-06T12:00:00Z",
            "endsAt": "2026-07-06T15:00:00+02:00",
            "createdBy": "anna",
            "comment": "known",
            "annotations": {},
        }));
        let draft = draft.expect("a silence");
        let texts: Vec<String> = draft.matchers.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["a=\"1\"", "b=~\"1|2\"", "c!=\"1\"", "d!~\"\""]);
        assert_eq!((draft.starts_at, draft.ends_at), (NOW, Timestamp(NOW.0 + 3_600_000)));
        assert_eq!((draft.created_by.as_str(), draft.comment.as_str()), ("anna", "known"));
    }

    #[test]
    fn what_is_no_silence_is_told_in_words() {
        let with = |matchers: serde_json::Value, ends_at: &str| {
            let body = json!({ "matchers": matchers, "startsAt": "", "endsAt": ends_at, "createdBy": "", "comment": "" });
            asked(&body).expect_err("it is none")
        };
        let end = "2026-07-06T15:00:00Z";
        assert!(with(json!([{ "name": "a", "value": "(", "isRegex": true }]), end).starts_with("the matcher of `a`: "));
        assert!(with(json!([{ "name": "", "value": "1", "isRegex": false }]), end).starts_with("the matcher of ``: "));
        assert!(with(json!([{ "name": "a", "value": "1" }]), end).contains("isRegex"));
        assert!(with(json!(vec![json!({ "name": "a", "value": "1", "isRegex": false }); MATCHERS_MAX + 1]), end).contains("at most 64"));
        assert_eq!(with(json!([]), ""), "`endsAt` is missing");
        assert!(with(json!([]), "tomorrow").contains("`endsAt` is `tomorrow`"));
        assert!(asked(&json!({ "matchers": [] })).expect_err("it is none").contains("startsAt"));
    }

    #[test]
    fn a_silence_is_told_with_everything_that_clients_read() {
        let silence = silence("01ARZ3NDEKTSV4RRFFQ69G5FAV", NOW.0, NOW.0 + 60_000, false);
        assert_eq!(
            serde_json::to_value(GettableSilence::of(&silence, state(&silence, NOW))).expect("JSON"),
            json!({
                "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                "status": { "state": "active" },
                "startsAt": "2026-07-06T12:00:00.000Z",
                "endsAt": "2026-07-06T12:01:00.000Z",
                "updatedAt": "2026-07-06T12:00:00.000Z",
                "createdBy": "anna",
                "comment": "known",
                "matchers": [
                    { "name": "a", "value": "x|y", "isRegex": true, "isEqual": true },
                    { "name": "b", "value": "1", "isRegex": false, "isEqual": false },
                ],
            })
        );
    }

    #[test]
    fn active_ones_come_first_and_what_ended_last_before_what_ended_long_ago() {
        let silences = [
            silence("00000000000000000000000001", 1, NOW.0 - 9_000, true),
            silence("00000000000000000000000002", NOW.0 + 9_000, NOW.0 + 99_000, false),
            silence("00000000000000000000000003", 1, NOW.0 + 9_000, false),
            silence("00000000000000000000000004", 1, NOW.0, false),
            silence("00000000000000000000000005", NOW.0, NOW.0 + 5_000, false),
        ];
        let mut places: Vec<(SilenceState, u64, String)> = silences
            .iter()
            .map(|silence| {
                let (state, at) = place(state(silence, NOW), silence);
                (state, at, silence.id.to_string().trim_start_matches('0').to_owned())
            })
            .collect();
        places.sort();
        let order: Vec<(SilenceState, &str)> = places.iter().map(|(state, _, id)| (*state, id.as_str())).collect();
        let (active, pending, expired) = (SilenceState::Active, SilenceState::Pending, SilenceState::Expired);
        assert_eq!(order, [(active, "5"), (active, "3"), (pending, "2"), (expired, "4"), (expired, "1")]);
    }
}
