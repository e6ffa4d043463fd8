//! `/api/v1/audit`: who changed what by the API, and how it ended: one record of every request that changes something, also of those that were
//! refused or denied. What is pushed and posted is data: it has records of its own.
//!
//! [`record`] stands round every route. What it cannot see, those inside tell it by the [`Trace`] among the extensions of the request: `guard`
//! whose it is, `layers` what was sent; and an answer by [`Made`] what it made.
//!
//! A record is written through the queue of results. The answer waits for that, but not for long: [`RECORDED_WITHIN`]. A caller that goes away
//! before the answer leaves a record without a status.
//!
//! Limits: [`WAITING_MAX`] records wait to be written, and further ones stand in the log alone; of denied requests
//! [`DENIED_PER_HOUR_MAX`] are recorded, [`DENIED_OF_ADDRESS_PER_HOUR_MAX`] of one address (of IPv6 its /64), and the next record says how
//! many were left out; texts [`NAME_CHARACTERS_MAX`] and [`DETAIL_CHARACTERS_MAX`].
//!
//! Invariant: a record is written once and never changed; retention removes it by its age, as all that is over.
//! Invariant: a route that changes something is recorded without being named here; the table only gives it a name.
//! Invariant: texts of a record are masked.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Serialize};
use sickbay_core::Timestamp;
use sickbay_store::{Change, Document, Kind};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Api;
use super::attempts::network;
use super::checks::limit;
use super::documents::{self, Cursor, Wanted};
use super::model::{AuditItem, AuditResult, Page};
use super::parameters::{Parameters, invalid};
use super::problem::{Problem, quoted};
use super::server::Peer;
use crate::alerting::rows;
use crate::clock;
use crate::live::Live;
use crate::masks::Masks;

/// Some milliseconds, while the store is well.
const RECORDED_WITHIN: Duration = Duration::from_secs(1);
/// Each is a few KiB.
const WAITING_MAX: usize = 256;
const DENIED_PER_HOUR_MAX: NonZeroU32 = NonZeroU32::new(600).unwrap();
const DENIED_OF_ADDRESS_PER_HOUR_MAX: NonZeroU32 = NonZeroU32::new(60).unwrap();
/// While more of them are denied, none of a further one is recorded.
const ADDRESSES_MAX: usize = 10_000;
/// Of an actor and of a target.
const NAME_CHARACTERS_MAX: usize = 256;
const DETAIL_CHARACTERS_MAX: usize = 1_000;

/// What changes something, and what it is called.
const ACTIONS: [(&str, &str, &str); 10] = [
    ("POST", "/api/v1/checks/{name}/run", "run"),
    ("POST", "/api/v1/incidents/{id}/ack", "acknowledge"),
    ("POST", "/api/v1/incidents/{id}/note", "note"),
    ("POST", "/api/v1/silences", "add_silence"),
    ("DELETE", "/api/v1/silences/{id}", "expire_silence"),
    ("POST", "/api/v1/deliveries/{id}/resend", "resend"),
    ("POST", "/api/v1/maintenance", "add_maintenance"),
    ("DELETE", "/api/v1/maintenance/{id}", "remove_maintenance"),
    ("POST", "/api/v2/silences", "add_silence"),
    ("DELETE", "/api/v2/silence/{id}", "expire_silence"),
];
/// What none of them is.
const OTHER: &str = "other";
/// Results and alerts that are brought.
const DATA: [&str; 2] = ["/api/v1/push/{name}", "/api/v2/alerts"];

/// Who asks and says nothing of himself, over a connection without an address.
const SOMEBODY: &str = "somebody";

/// Pure: what a request for a path does, if it changes something.
fn action_of(method: &Method, path: &str) -> Option<&'static str> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || DATA.contains(&path) {
        return None;
    }
    let known = ACTIONS.iter().find(|(verb, place, _)| *verb == method.as_str() && *place == path);
    Some(known.map_or(OTHER, |(_, _, action)| *action))
}

/// Among the extensions of a request that changes something; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Trace(Arc<Mutex<Known>>);

#[derive(Clone, Debug, Default)]
struct Known {
    /// Whose token it has.
    holder: Option<Arc<str>>,
    /// Its body.
    sent: Bytes,
    is_denied: bool,
}

impl Trace {
    /// It was let in by a token.
    pub(super) fn admitted(&self, holder: &Arc<str>) {
        self.with(|known| known.holder = Some(Arc::clone(holder)));
    }

    /// It was not let in, also where it has somebody's token.
    pub(super) fn denied(&self, holder: Option<Arc<str>>) {
        self.with(|known| (known.holder, known.is_denied) = (holder, true));
    }

    pub(super) fn sent(&self, body: &Bytes) {
        self.with(|known| known.sent = body.clone());
    }

    fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Among the extensions of an answer: the id of what was made, where the path names nothing.
#[derive(Clone, Debug)]
pub(crate) struct Made(pub(crate) String);

/// Writes records; cheap to clone.
#[derive(Clone)]
pub(super) struct Audit {
    live: Arc<Live>,
    waiting: Arc<Semaphore>,
    denials: Arc<Denials>,
    ids: Arc<Ids>,
}

impl Audit {
    pub(super) fn new(live: Arc<Live>) -> Audit {
        let ids = Ids { process: RandomState::new().hash_one(clock::now()), made: AtomicU64::new(0) };
        Audit { live, waiting: Arc::new(Semaphore::new(WAITING_MAX)), denials: Arc::default(), ids: Arc::new(ids) }
    }
}

/// No two records have the same id; those of one process sort by it.
struct Ids {
    process: u64,
    made: AtomicU64,
}

impl Ids {
    fn next(&self) -> String {
        format!("{:016x}{:016x}", self.process, self.made.fetch_add(1, Ordering::Relaxed))
    }
}

/// How many denied requests are recorded: whoever may do nothing can make many of them.
struct Denials {
    all: DefaultDirectRateLimiter,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    left_out: AtomicU64,
}

impl Default for Denials {
    fn default() -> Denials {
        Denials {
            all: RateLimiter::direct(Quota::per_hour(DENIED_PER_HOUR_MAX)),
            addresses: RateLimiter::keyed(Quota::per_hour(DENIED_OF_ADDRESS_PER_HOUR_MAX)),
            left_out: AtomicU64::new(0),
        }
    }
}

impl Denials {
    /// How many were left out before this one; none where this one is left out too.
    fn admit(&self, source: IpAddr) -> Option<u64> {
        if self.addresses.len() >= ADDRESSES_MAX {
            self.addresses.retain_recent();
        }
        let is_one_more_allowed =
            self.addresses.len() < ADDRESSES_MAX && self.addresses.check_key(&network(source)).is_ok() && self.all.check().is_ok();
        if is_one_more_allowed {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// A record as it is stored; its time is the document's, and its actor the document's parent too.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    actor: String,
    source: Option<IpAddr>,
    action: String,
    target: String,
    result: AuditResult,
    status: Option<u16>,
    duration_ms: u64,
    detail: String,
}

impl Entry {
    fn masked(mut self, masks: &Masks) -> Entry {
        self.actor = short(masks.text(self.actor), NAME_CHARACTERS_MAX);
        self.target = short(masks.text(self.target), NAME_CHARACTERS_MAX);
        self.detail = short(masks.text(self.detail), DETAIL_CHARACTERS_MAX);
        self
    }

    fn document(&self, id: String, at: Timestamp) -> Document {
        // Texts and numbers always serialise.
        let body = serde_json::to_string(self).unwrap_or_default();
        Document { kind: Kind::Audit, id, parent: self.actor.clone(), at, open: false, body }
    }

    fn item(self, document: &Document) -> AuditItem {
        let Entry { actor, source, action, target, result, status, duration_ms, detail } = self;
        let (id, at, source) = (document.id.clone(), clock::rfc3339(document.at), source.map(|source| source.to_string()));
        AuditItem { id, at, actor, source, action, target, result, status, duration_ms, detail }
    }
}

/// The beginning of a text, without control characters: no store takes a NUL.
fn short(text: String, characters_max: usize) -> String {
    let is_cut = text.chars().nth(characters_max).is_some();
    let kept = text.chars().take(characters_max).map(|character| if character.is_control() { ' ' } else { character });
    kept.chain(is_cut.then_some('…')).collect()
}

/// The middleware.
pub(super) async fn record(State(audit): State<Audit>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let Some(action) = path.and_then(|path| action_of(request.method(), path.as_str())) else { return next.run(request).await };
    let trace = Trace::default();
    request.extensions_mut().insert(trace.clone());
    let source = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let (mut parts, body) = request.into_parts();
    let target = target_of(&mut parts).await;
    let (at, begun) = (clock::now(), Instant::now());
    let mut pending = Pending { audit, trace, at, begun, action, target, source, is_over: false };
    let response = next.run(Request::from_parts(parts, body)).await;
    if let Some(written) = pending.end(Some(&response)) {
        // It is written later, or the log has it.
        let _ = tokio::time::timeout(RECORDED_WITHIN, written).await;
    }
    response
}

/// What the path names.
async fn target_of(parts: &mut Parts) -> String {
    match RawPathParams::from_request_parts(parts, &()).await {
        Ok(names) => names.iter().map(|(_, name)| name).collect::<Vec<&str>>().join(" "),
        Err(_) => parts.uri.path().to_owned(),
    }
}

/// A request without its answer.
struct Pending {
    audit: Audit,
    trace: Trace,
    at: Timestamp,
    begun: Instant,
    action: &'static str,
    target: String,
    source: Option<IpAddr>,
    is_over: bool,
}

impl Pending {
    /// Writes the record. None where there is none to wait for.
    fn end(&mut self, response: Option<&Response>) -> Option<JoinHandle<()>> {
        self.is_over = true;
        let status = response.map(Response::status);
        // There is nothing at this path that could be done so.
        if status == Some(StatusCode::METHOD_NOT_ALLOWED) {
            return None;
        }
        let known = self.trace.with(|known| known.clone());
        let mut left_out = 0;
        if known.is_denied {
            left_out = self.audit.denials.admit(self.source.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))?;
        }
        let extensions = response.map(Response::extensions);
        let problem = extensions.and_then(|extensions| extensions.get::<Problem>()).map(|problem| problem.detail.clone());
        let made = extensions.and_then(|extensions| extensions.get::<Made>()).map(|made| made.0.clone());
        let mut detail = problem.unwrap_or_else(|| String::from_utf8_lossy(&known.sent).into_owned());
        if left_out > 0 {
            detail = format!("{detail}; before it {left_out} more that were denied are not recorded");
        }
        let entry = Entry {
            actor: actor(&known, self.source),
            source: self.source,
            action: self.action.to_owned(),
            target: made.unwrap_or_else(|| std::mem::take(&mut self.target)),
            result: result(status, known.is_denied),
            status: status.map(|status| status.as_u16()),
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            detail,
        };
        self.write(entry)
    }

    fn write(&self, entry: Entry) -> Option<JoinHandle<()>> {
        // None where the process ends.
        let runtime = Handle::try_current().ok()?;
        let Ok(place) = Arc::clone(&self.audit.waiting).try_acquire_owned() else {
            let (action, status) = (entry.action, entry.status);
            tracing::error!(action, status, "what somebody did by the API is not recorded: too many records wait for the store");
            return None;
        };
        let (live, id, at) = (Arc::clone(&self.audit.live), self.audit.ids.next(), self.at);
        Some(runtime.spawn(async move {
            let entry = entry.masked(&Masks::of(&live).await);
            let document = entry.document(id, at);
            if let Err(error) = live.queue.decide(move || vec![Change::Put(document)]).await {
                let Entry { actor, action, target, status, .. } = entry;
                tracing::error!(%error, actor, action, target, status, "what somebody did by the API is not recorded");
            }
            drop(place);
        }))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.end(None));
        }
    }
}

fn result(status: Option<StatusCode>, is_denied: bool) -> AuditResult {
    match status {
        None => AuditResult::Unknown,
        Some(_) if is_denied => AuditResult::Denied,
        Some(status) if status.is_server_error() => AuditResult::Failed,
        Some(status) if status.is_client_error() => AuditResult::Refused,
        Some(_) => AuditResult::Done,
    }
}

/// Who says in a body who he is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    by: Option<String>,
    #[serde(rename = "createdBy")]
    created_by: Option<String>,
}

/// The holder of the token; where none is needed, who somebody says to be, or where he asks from.
fn actor(known: &Known, source: Option<IpAddr>) -> String {
    if let Some(holder) = &known.holder {
        return holder.to_string();
    }
    let said: Said = serde_json::from_slice(&known.sent).unwrap_or_default();
    let by = said.by.or(said.created_by).filter(|by| !by.trim().is_empty());
    by.or_else(|| source.map(|source| source.to_string())).unwrap_or_else(|| SOMEBODY.to_owned())
}

/// Who changed what by the API: the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    tag = "audit",
    params(
        ("limit" = Option<u64>, Query, description = "How many at most, 1 to 1000; 100 by default"),
        ("cursor" = Option<String>, Query, description = "`next` of the part before"),
        ("actor" = Option<String>, Query, description = "Only what one did"),
        ("action" = Option<String>, Query, description = "run, acknowledge, note, add_silence, expire_silence, add_maintenance, remove_maintenance, resend or other"),
        ("target" = Option<String>, Query, description = "Only what was done to one: the name of a check, the id of an incident, a silence, a delivery"),
        ("since" = Option<String>, Query, description = "RFC 3339; nothing from before"),
    ),
    responses(
        (status = 200, description = "A part of the list; it may be shorter than asked for and have a `next`", body = Page<AuditItem>),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store did not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_audit(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<Page<AuditItem>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor", "actor", "action", "target", "since"])?;
    let (action, target) = (parameters.text("action")?.map(known_action).transpose()?, parameters.text("target")?);
    let wanted = Wanted {
        kind: Kind::Audit,
        parent: parameters.text("actor")?,
        behind: parameters.text("cursor")?.map(Cursor::read).transpose()?,
        since: parameters.text("since")?.map(moment).transpose()?,
        limit: limit(&parameters)?,
    };
    let item = |document: &Document| {
        let entry = rows::parse::<Entry>(document)?;
        let is_asked = action.is_none_or(|action| entry.action == action) && target.is_none_or(|target| entry.target == target);
        is_asked.then(|| entry.item(document))
    };
    Ok(Json(documents::part(&*api.live.store, wanted, item).await?))
}

fn known_action(text: &str) -> Result<&'static str, Problem> {
    let mut known: Vec<&'static str> = ACTIONS.iter().map(|(_, _, action)| *action).chain([OTHER]).collect();
    known.sort_unstable();
    known.dedup();
    let found = known.iter().copied().find(|action| *action == text);
    found.ok_or_else(|| invalid(format!("`action` is {}", quoted(text))).hint(format!("known are {}", known.join(", "))))
}

fn moment(text: &str) -> Result<Timestamp, Problem> {
    Timestamp::from_rfc3339(text)
        .ok_or_else(|| invalid(format!("`since` is {}", quoted(text))).hint("write a time such as 2026-01-31T18:00:00Z"))
}

#[cfg(test)]
mod tests;
