//! One call: a connection, the conversation over it, and the answers as the contract has them.
//!
//! Invariant: every wait has a deadline, and a call that is dropped leaves nothing behind but a closed connection, and what `ending.rs`
//! does with it.
//! Invariant: who waited for a connection of ours until too little time was left is told so, and not that the server is late.
//! Invariant: neither a row nor the server's words are given out in which a secret of the run stands.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::conversation::{self, Answer, Bounds, Said, Trouble};
use super::ending::Hold;
use super::failure::Failure;
use super::intake::Intake;
use super::request::Asked;
use super::session::{After, Excess, Session};
use super::settings::{Access, Manner};
use super::source::{Origin, Place, Source, Wanted, Who};
use super::types::{self, Described, Oid, Scalar, Shape, Type};
use super::value;
use super::wire::{Broken, Parts};
use crate::contract::postgres::{Column, RowSet, Value};
use crate::dial::UNEXPECTED;
use crate::places;
use crate::purse::{Payer, Purse};
use crate::secrets::{Part, Placeholders, own_threads};
use crate::services::Services;

/// Types that are asked for at once; a statement with more of them than that has them by number.
const TYPES_ASKED_MAX: usize = 256;

/// In which of the contract's ways it was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Run,
    RunMany,
    RunSimple,
}

/// A call that was authorised.
pub(super) struct Call {
    pub(super) services: Arc<Services>,
    pub(super) plugin: Arc<str>,
    pub(super) check: Arc<str>,
    pub(super) source: Arc<Source>,
    pub(super) way: Way,
    pub(super) access: Access,
    pub(super) asked: Vec<Asked>,
    /// Of each statement.
    pub(super) rows_max: u32,
    /// That the run may still get.
    pub(super) rows_left: u32,
    pub(super) purse: Arc<Purse>,
    pub(super) run_deadline: Instant,
    pub(super) secrets: Placeholders,
}

/// With the number of rows that it gave to the guest.
pub(super) async fn answer(call: Call) -> Result<(Vec<RowSet>, u32), Failure> {
    let bounds = Bounds {
        began: Instant::now(),
        statement_timeout: call.source.settings.statement_timeout,
        run_deadline: call.run_deadline,
        rows_max: call.rows_max,
    };
    let answered = converse(&call, &bounds).await;
    let (sets, rows) = answered.map_err(|failure| failure.masked(&call.secrets))?;
    Ok((masked(&call, sets).await?, rows))
}

/// With placeholders for the secrets of the run.
async fn masked(call: &Call, mut sets: Vec<RowSet>) -> Result<Vec<RowSet>, Failure> {
    if call.secrets.is_empty() {
        return Ok(sets);
    }
    let bytes = sets.iter_mut().flat_map(texts_of).map(|part| part.bytes().len()).sum();
    let masking = call.services.masking.run(&call.secrets, bytes, move |secrets| {
        let grown = secrets.mask_parts(sets.iter_mut().flat_map(texts_of));
        (sets, grown)
    });
    let masked = timeout_at(call.run_deadline, masking).await;
    let masked = masked.map_err(|_| Failure::Quota(own_threads("the rows")))?;
    let (sets, grown) = masked.ok_or_else(|| Failure::Invalid(UNEXPECTED.to_owned()))?;
    if grown > 0 {
        call.purse.receive(grown)?;
    }
    Ok(sets)
}

/// Where a secret may stand: a number is none, nor is a time.
fn texts_of(set: &mut RowSet) -> impl Iterator<Item = Part<'_>> {
    let RowSet { columns, rows, .. } = set;
    let names = columns.iter_mut().map(|column| Part::Text(&mut column.name));
    names.chain(rows.iter_mut().flatten().filter_map(text_of))
}

fn text_of(value: &mut Value) -> Option<Part<'_>> {
    match value {
        Value::Text(text) | Value::Json(text) | Value::Uuid(text) | Value::ListJson(text) => Some(Part::Text(text)),
        Value::Other(other) => Some(Part::Text(&mut other.text)),
        Value::Bytes(bytes) => Some(Part::Bytes(bytes)),
        Value::Null
        | Value::Boolean(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Numeric(_)
        | Value::TimestampUs(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::IntervalUs(_) => None,
    }
}

async fn converse(call: &Call, bounds: &Bounds) -> Result<(Vec<RowSet>, u32), Failure> {
    if call.asked.is_empty() {
        return Ok((Vec::new(), 0));
    }
    let deadline = bounds.deadline(call.asked.first(), bounds.began);
    let place = Place::take(&call.source, &call.check, deadline).await?;
    let (waited, whole) = (place.waited, deadline.saturating_duration_since(bounds.began));
    let answered = converse_at(place, call, bounds, deadline).await;
    answered.map_err(|failure| match failure {
        // Being late is the server's fault only where it had nearly all of the time.
        Failure::Timeout(_) if places::is_starved(waited, whole) => call.source.crowded(waited, whole),
        other => other,
    })
}

async fn converse_at(place: Arc<Place>, call: &Call, bounds: &Bounds, deadline: Instant) -> Result<(Vec<RowSet>, u32), Failure> {
    let Call { services, plugin, check, source, .. } = call;
    let who = Who { check, plugin, resolver: &services.resolver };
    let mut wanted = wanted_at_first(call);
    loop {
        let (mut session, origin) = place.connect(wanted, who, bounds.began, deadline).await?;
        session.hold(Hold {
            place: Arc::clone(&place),
            services: Arc::clone(services),
            plugin: Arc::clone(plugin),
            check: Arc::clone(check),
        });
        let mut intake = Intake::new(call.rows_left, Payer::Run(Arc::clone(&call.purse)));
        let trouble = match say(&mut session, call, bounds, &mut intake).await {
            Ok(said) => return told(call, place, session, said, bounds).await.map(|sets| (sets, intake.rows)),
            Err(trouble) => trouble,
        };
        match trouble {
            // Others that were kept are no better.
            Trouble::Stale(_) if origin == Origin::Kept => source.close_kept(),
            Trouble::Outdated | Trouble::Unclean if origin == Origin::Kept => {}
            Trouble::Server(error) => {
                if wanted_at_first(call) == Wanted::Any {
                    place.give_back(session);
                }
                return Err(error.into_failure(&source.name, &source.settings.endpoint));
            }
            Trouble::Ended(_) | Trouble::Misfit => {
                if wanted_at_first(call) == Wanted::Any {
                    place.give_back(session);
                }
                return Err(failure_of(trouble, source));
            }
            trouble => return Err(failure_of(trouble, source)),
        }
        // What it was told is known to end by itself.
        session.let_go();
        wanted = Wanted::Dialled;
    }
}

/// What may change PgBouncer itself is said over a connection that has just been made and is not kept: nothing can be asked before it, and
/// nothing is forgotten after it.
fn wanted_at_first(call: &Call) -> Wanted {
    match (call.source.manner(), call.access) {
        (Manner::Console, Access::ReadWrite) => Wanted::Dialled,
        _ => Wanted::Any,
    }
}

async fn say(session: &mut Session, call: &Call, bounds: &Bounds, intake: &mut Intake) -> Result<Said, Trouble> {
    let manner = call.source.manner();
    let Some(first) = call.asked.first() else { return Ok(Said { answers: Vec::new(), after: After::Kept }) };
    match (call.way, call.access) {
        (Way::Run | Way::RunMany, Access::ReadOnly) => conversation::read(session, manner, &call.asked, bounds, intake).await,
        (Way::Run, Access::ReadWrite) => conversation::write(session, manner, first, bounds, intake).await,
        (Way::RunMany, Access::ReadWrite) => conversation::write_many(session, &call.asked, bounds, intake).await,
        (Way::RunSimple, Access::ReadOnly) => conversation::show(session, first, bounds, intake).await,
        (Way::RunSimple, Access::ReadWrite) => conversation::write_simple(session, manner, first, bounds, intake).await,
    }
}

/// Gives the connection back, after the server was asked for types that only it knows.
async fn told(call: &Call, place: Arc<Place>, mut session: Session, said: Said, bounds: &Bounds) -> Result<Vec<RowSet>, Failure> {
    let source = &call.source;
    let unknown = unknown_types(source, &said.answers);
    let mut after = said.after;
    if !unknown.is_empty() && after == After::Kept && source.manner() != Manner::Console {
        let asking = ask_types(&mut session, source, &unknown);
        if !matches!(timeout_at(bounds.run_deadline, asking).await, Ok(Ok(()))) {
            after = After::Lost;
        }
    }
    if after == After::Kept && wanted_at_first(call) == Wanted::Any {
        place.give_back(session);
    }
    let names = |oid: Oid| types::builtin(oid).or_else(|| source.known_type(oid)).unwrap_or_else(|| types::nameless(oid));
    said.answers.into_iter().map(|answer| row_set(answer, call.way, names)).collect()
}

fn unknown_types(source: &Source, answers: &[Answer]) -> Vec<Oid> {
    let oids = answers.iter().flat_map(|answer| &answer.columns).map(|column| column.type_oid);
    let mut unknown: Vec<Oid> = oids.filter(|oid| types::builtin(*oid).is_none() && source.known_type(*oid).is_none()).collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown.truncate(TYPES_ASKED_MAX);
    unknown
}

async fn ask_types(session: &mut Session, source: &Source, unknown: &[Oid]) -> Result<(), Broken> {
    // The statements of this call are answered; what cleans up after them is not.
    session.settle().await?;
    session.put().query(&types::question(unknown));
    session.send().await?;
    let stage = session.stage(Excess::Left, u32::MAX, &mut Intake::own()).await?;
    source.learn_types(stage.rows.iter().filter_map(described));
    if stage.error.is_some() || stage.after() == After::Lost { Err(Broken::Malformed) } else { Ok(()) }
}

/// A row of [`types::question`].
fn described(row: &Bytes) -> Option<(Oid, Type)> {
    let mut parts = Parts(row);
    parts.u16()?;
    let mut text = || parts.value()?.map(std::str::from_utf8)?.ok();
    let (oid, name, kind) = (text()?.parse().ok()?, text()?, text()?);
    let element = text().and_then(|oid| Some((oid.parse().ok()?, text()?)));
    Some((oid, Described { name, kind, element }.into_type()))
}

fn row_set(answer: Answer, way: Way, named: impl Fn(Oid) -> Type) -> Result<RowSet, Failure> {
    let types: Vec<Type> = answer.columns.iter().map(|column| named(column.type_oid)).collect();
    let named_columns = answer.columns.into_iter().zip(&types);
    let columns = named_columns.map(|(column, of)| Column { name: column.name, type_name: of.name.to_string() }).collect();
    // The simple protocol's values are texts, whatever they stand for.
    let types = match way {
        Way::Run | Way::RunMany => types,
        Way::RunSimple => types.into_iter().map(|of| Type { shape: Shape::One(Scalar::Text), ..of }).collect(),
    };
    let rows: Option<Vec<Vec<Value>>> = answer.rows.iter().map(|row| values(row, &types)).collect();
    let rows = rows.ok_or_else(malformed)?;
    Ok(RowSet { columns, rows, truncated: answer.truncated, affected: answer.affected, elapsed_us: answer.elapsed_us })
}

fn values(row: &[u8], types: &[Type]) -> Option<Vec<Value>> {
    let mut parts = Parts(row);
    if usize::from(parts.u16()?) != types.len() {
        return None;
    }
    let value = |of: &Type| {
        Some(match parts.value()? {
            Some(bytes) => value::of_type(of, &String::from_utf8_lossy(bytes)),
            None => Value::Null,
        })
    };
    types.iter().map(value).collect()
}

fn malformed() -> Failure {
    Failure::Other("what the server sent is not PostgreSQL's protocol".to_owned())
}

pub(super) fn failure_of(trouble: Trouble, source: &Source) -> Failure {
    let name = &source.name;
    match trouble {
        Trouble::Timeout(time) | Trouble::Ended(time) => {
            Failure::Timeout(format!("the statement on source `{name}` did not end within {} ms", time.as_millis()))
        }
        Trouble::Misfit => Failure::Invalid("the statement has more or fewer parameters than it was given".to_owned()),
        Trouble::Server(error) | Trouble::Broken(Broken::Refused(error)) | Trouble::Stale(Broken::Refused(error)) => {
            error.into_failure(name, &source.settings.endpoint)
        }
        Trouble::Broken(Broken::Gone) | Trouble::Stale(Broken::Gone) => {
            Failure::Connect(format!("the connection to the server of source `{name}` broke"))
        }
        Trouble::Broken(Broken::TooLarge(_)) | Trouble::Stale(Broken::TooLarge(_)) => {
            Failure::Other("the server sent a message that is longer than may be read".to_owned())
        }
        Trouble::Broken(Broken::Copies) | Trouble::Stale(Broken::Copies) => {
            Failure::Invalid("the statement moves data beside its answer, which is not lent".to_owned())
        }
        Trouble::Broken(Broken::Exceeded(exceeded)) | Trouble::Stale(Broken::Exceeded(exceeded)) => exceeded.into(),
        Trouble::Broken(Broken::Malformed) | Trouble::Stale(Broken::Malformed) | Trouble::Outdated | Trouble::Unclean => malformed(),
    }
}
