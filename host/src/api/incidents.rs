//! `/api/v1/incidents`: what fires and what did, with the timeline and why who is told; a person takes one, or writes something down.
//!
//! Open incidents are answered from memory, others from the store.
//!
//! Limits: [`TIMELINE_MAX`] lines of a timeline.

use std::cmp::Reverse;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use serde::Deserialize;
use sickbay_core::alerting::{Changes, EventKind, Fact, Incident, IncidentEvent, IncidentId, Matcher, Phase, Severity};
use sickbay_store::{Document, Kind, Page as StorePage};
use utoipa::ToSchema;

use super::Api;
use super::checks::limit;
use super::documents::{self, Cursor, Wanted};
use super::model::{ExplanationItem, IncidentDetail, IncidentItem, Page, TimelineItem};
use super::parameters::{Named, Parameters, invalid};
use super::problem::{Problem, ProblemKind, quoted};
use super::tokens::Admitted;
use super::told;
use crate::alerting::rows;
use crate::clock;
use crate::live::Live;
use crate::masks::Masks;

const TIMELINE_MAX: u32 = 1_000;
const MATCHERS_MAX: usize = 8;
/// An incident may settle between a look at it and the note.
const NOTE_LOOKS_MAX: usize = 2;

const ACK_HINT: &str = "send nothing, or for example {\"by\": \"anna\", \"note\": \"on it\", \"for\": \"2h\"}";
const NOTE_HINT: &str = "send for example {\"by\": \"anna\", \"text\": \"the disk was full\"}";

/// Which incidents are asked for; all conditions hold together.
struct Filter {
    state: Asked,
    check: Option<String>,
    severity: Option<Severity>,
    matchers: Vec<Matcher>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Open,
    Resolved,
    All,
}

impl Filter {
    fn read(parameters: &Parameters) -> Result<Filter, Problem> {
        let state = match parameters.text("state")? {
            None | Some("open") => Asked::Open,
            Some("resolved") => Asked::Resolved,
            Some("all") => Asked::All,
            Some(other) => return Err(invalid(format!("`state` is {}", quoted(other))).hint("known are open, resolved, all")),
        };
        let matchers = parameters.all("matcher").map(matcher).collect::<Result<Vec<Matcher>, Problem>>()?;
        if matchers.len() > MATCHERS_MAX {
            return Err(invalid(format!("there are more than {MATCHERS_MAX} matchers")));
        }
        Ok(Filter {
            state,
            check: parameters.text("check")?.map(str::to_owned),
            severity: parameters.text("severity")?.map(severity).transpose()?,
            matchers,
        })
    }

    fn wants(&self, incident: &Incident) -> bool {
        let is_asked = match self.state {
            Asked::Open => incident.is_open(),
            Asked::Resolved => !incident.is_open(),
            Asked::All => true,
        };
        is_asked
            && self.check.as_ref().is_none_or(|check| incident.check().is_some_and(|known| **known == **check))
            && self.severity.is_none_or(|severity| severity == incident.severity)
            && self.matchers.iter().all(|matcher| matcher.matches(&incident.subject()))
    }
}

fn severity(text: &str) -> Result<Severity, Problem> {
    let all = [Severity::P0, Severity::P1, Severity::P2, Severity::P3];
    let found = all.into_iter().find(|severity| severity.as_str() == text);
    found.ok_or_else(|| invalid(format!("`severity` is {}", quoted(text))).hint("known are P0, P1, P2, P3"))
}

fn matcher(text: &str) -> Result<Matcher, Problem> {
    Matcher::parse(text).map_err(|error| {
        invalid(format!("`matcher` is {}: {error}", quoted(text)))
            .hint("write a label, one of = != =~ !~ and a value, such as service=\"api\"")
    })
}

/// Incidents: those that are open, by id, or those of the store, by when they ended or began; the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/incidents",
    tag = "alerts",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
        ("state" = Option<String>, Query, description = "open, resolved or all; open by default"),
        ("check" = Option<String>, Query, description = "Only those of one check"),
        ("severity" = Option<String>, Query, description = "P0, P1, P2 or P3"),
        ("matcher" = Option<Vec<String>>, Query, description = "In Alertmanager's grammar; may be repeated"),
    ),
    responses(
        (status = 200, description = "A part of the list; it may be shorter than asked for and have a `next`", body = Page<IncidentItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_incidents(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<IncidentItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor", "state", "check", "severity", "matcher"])?;
    let limit = limit(&parameters)?;
    let filter = Filter::read(&parameters)?;
    let cursor = parameters.text("cursor")?;
    if filter.state == Asked::Open {
        let behind = cursor.map(|text| text.parse::<IncidentId>().map_err(|_| foreign_cursor())).transpose()?;
        return Ok(Json(open(&api.live, &filter, behind, limit)));
    }
    let behind = cursor.map(Cursor::read).transpose()?;
    let wanted = Wanted { kind: Kind::Incident, parent: filter.check.as_deref(), behind, since: None, limit };
    let item =
        |document: &Document| rows::parse::<Incident>(document).filter(|incident| filter.wants(incident)).as_ref().map(IncidentItem::from);
    Ok(Json(documents::part(&*api.live.store, wanted, item).await?))
}

fn foreign_cursor() -> Problem {
    invalid("`cursor` is none of ours").hint("pass `next` as it came")
}

fn open(live: &Live, filter: &Filter, behind: Option<IncidentId>, limit: usize) -> Page<IncidentItem> {
    live.alerts.read(|alerting| {
        let is_behind = |incident: &&Incident| behind.is_none_or(|behind| incident.id < behind);
        let mut open: Vec<&Incident> = alerting.incidents().filter(|incident| filter.wants(incident)).filter(is_behind).collect();
        open.sort_unstable_by_key(|incident| Reverse(incident.id));
        let has_more = open.len() > limit;
        open.truncate(limit);
        let next = open.last().filter(|_| has_more).map(|last| last.id.to_string());
        Page { items: open.into_iter().map(IncidentItem::from).collect(), next }
    })
}

/// One incident with its timeline, and why who is told.
#[utoipa::path(
    get,
    path = "/api/v1/incidents/{id}",
    tag = "alerts",
    params(("id" = String, Path, description = "The incident's id")),
    responses(
        (status = 200, description = "The incident", body = IncidentDetail),
        (status = 404, description = "No incident has this id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_incident(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
) -> Result<Json<IncidentDetail>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let id: IncidentId = name.parse().map_err(|_| unknown(&name))?;
    let known = api.live.alerts.read(|alerting| {
        let explanation = alerting.explain(id).as_ref().map(ExplanationItem::from);
        alerting.incident(id).map(|incident| (IncidentItem::from(incident), explanation))
    });
    let (incident, explanation) = match known {
        Some(known) => known,
        None => (stored(&api.live, id).await?.as_ref().map(IncidentItem::from).ok_or_else(|| unknown(&name))?, None),
    };
    let parent = id.to_string();
    let lines = StorePage { kind: Kind::Event, parent: Some(&parent), before: None, limit: TIMELINE_MAX };
    let lines = api.live.store.documents(lines).await.map_err(Problem::store)?;
    let events: Vec<IncidentEvent> = lines.iter().rev().filter_map(rows::parse).collect();
    let timeline = events.iter().map(TimelineItem::from).collect();
    let explanation = explanation.or_else(|| Some(ExplanationItem::of_settled(&events)));
    Ok(Json(IncidentDetail { incident, timeline, explanation }))
}

/// One that nobody is owed a word about any more.
async fn stored(live: &Live, id: IncidentId) -> Result<Option<Incident>, Problem> {
    let document = live.store.document(Kind::Incident, &id.to_string()).await.map_err(Problem::store)?;
    Ok(document.as_ref().and_then(rows::parse))
}

fn unknown(name: &str) -> Problem {
    Problem::new(ProblemKind::IncidentUnknown, format!("no incident has the id {}", quoted(name)))
        .hint("they are at /api/v1/incidents?state=all; retention removes those that are over")
}

fn is_over(id: IncidentId) -> Problem {
    Problem::new(ProblemKind::IncidentResolved, format!("the incident {id} is resolved")).hint("nobody has to take it any more")
}

/// A person takes an incident; every part may be left out.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledgement {
    /// Who; where a token is asked for, it says who.
    by: Option<String>,
    /// At most 1024 bytes.
    note: Option<String>,
    /// RFC 3339. Without it, and without `for`: until the incident is resolved.
    until: Option<String>,
    /// From now on: `30m`, `2h`.
    #[serde(rename = "for")]
    lasts: Option<String>,
}

/// Takes an incident: nobody is escalated to and reminded while it is taken.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{id}/ack",
    tag = "alerts",
    params(("id" = String, Path, description = "The incident's id")),
    request_body(content = Acknowledgement, content_type = "application/json", description = "May be empty"),
    responses(
        (status = 200, description = "The incident", body = IncidentItem),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No incident has this id", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The incident is over", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
    admitted: Option<Extension<Admitted>>,
    body: Bytes,
) -> Result<Json<IncidentItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let masks = Masks::of(&api.live).await;
    let asked: Acknowledgement = told::read(&body, ACK_HINT, &masks)?;
    let now = clock::now();
    let by = told::who(admitted.as_ref(), asked.by, &masks)?;
    let note = told::note("note", asked.note, &masks)?;
    let until = told::end("until", asked.until.as_deref(), asked.lasts.as_deref(), now).map_err(|problem| told::masked(problem, &masks))?;
    if until.is_some_and(|until| until <= now) {
        return Err(told::invalid("`until` is over already").hint("write a time in the future, or a time span as `for`"));
    }
    let id = known(&api.live, &name).await?;
    let changes = tell(&api.live, Fact::Acknowledge { incident: id, by, until, note }).await?;
    let taken = changes.incidents.iter().find(|incident| incident.id == id && incident.phase == Phase::Acknowledged);
    taken.map(|incident| Json(IncidentItem::from(incident))).ok_or_else(|| is_over(id))
}

/// What somebody writes down about an incident.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// Who; where a token is asked for, it says who.
    by: Option<String>,
    /// At most 1024 bytes.
    text: String,
}

/// Adds a line to the timeline of an incident, also of one that is over, as long as it is stored.
#[utoipa::path(
    post,
    path = "/api/v1/incidents/{id}/note",
    tag = "alerts",
    params(("id" = String, Path, description = "The incident's id")),
    request_body(content = Note, content_type = "application/json"),
    responses(
        (status = 200, description = "The incident", body = IncidentItem),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No incident has this id", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It could not be stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn add_note(
    State(api): State<Api>,
    Named(name): Named,
    RawQuery(query): RawQuery,
    admitted: Option<Extension<Admitted>>,
    body: Bytes,
) -> Result<Json<IncidentItem>, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let masks = Masks::of(&api.live).await;
    let asked: Note = told::read(&body, NOTE_HINT, &masks)?;
    let by = told::who(admitted.as_ref(), asked.by, &masks)?;
    let text = told::note("text", Some(asked.text), &masks)?.ok_or_else(|| told::invalid("`text` is empty").hint(NOTE_HINT))?;
    let id: IncidentId = name.parse().map_err(|_| unknown(&name))?;
    let _alone = api.live.alerts.alone_with_settled().await;
    for _ in 0..NOTE_LOOKS_MAX {
        let settled = settled(&api.live, &name, id).await?;
        let fact = Fact::Note { incident: id, by: by.clone(), text: text.clone(), settled };
        let changes = tell(&api.live, fact).await?;
        let is_noted = changes.events.iter().any(|event| event.incident == id && matches!(event.kind, EventKind::NoteAdded { .. }));
        if let Some(incident) = changes.incidents.iter().rfind(|incident| incident.id == id && is_noted) {
            return Ok(Json(IncidentItem::from(incident)));
        }
    }
    Err(unknown(&name))
}

/// An incident that the machine does not know any more, as it is stored; none of one that it knows.
async fn settled(live: &Live, name: &str, id: IncidentId) -> Result<Option<Box<Incident>>, Problem> {
    if live.alerts.read(|alerting| alerting.incident(id).is_some()) {
        return Ok(None);
    }
    let mut found = stored(live, id).await?;
    if found.as_ref().is_some_and(|incident| !incident.is_settled) {
        // Its last row is on its way to the store, and there when whatever comes after it is.
        tell(live, Fact::Tick).await?;
        found = stored(live, id).await?;
    }
    found.map(|incident| Some(Box::new(incident))).ok_or_else(|| unknown(name))
}

async fn tell(live: &Live, fact: Fact) -> Result<Changes, Problem> {
    live.alerts.tell(fact).await.map_err(told::not_stored)
}

/// The id of an incident that can still change.
async fn known(live: &Live, name: &str) -> Result<IncidentId, Problem> {
    let id: IncidentId = name.parse().map_err(|_| unknown(name))?;
    if live.alerts.read(|alerting| alerting.incident(id).is_some()) {
        return Ok(id);
    }
    Err(if stored(live, id).await?.is_some() { is_over(id) } else { unknown(name) })
}

#[cfg(test)]
mod tests;
