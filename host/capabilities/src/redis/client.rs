//! One call from the guest's commands to their replies: names, a connection, the server's table, keys, one round trip.
//!
//! Invariant: nothing of a call is sent before the policy has allowed all of it.
//! Invariant: a call ends at its deadline in whatever phase it is; dropping it closes a connection on which replies are owed.
//! Invariant: no reply is given out in which a secret of the run stands.
//! Invariant: who waited for a connection of ours until too little time was left is told so, and not that the server is late.

use std::sync::Arc;
use std::time::Duration;

use ::redis::cmd;
use tokio::time::{Instant, timeout_at};

use super::cluster;
use super::connection::Intake;
use super::dial::Names;
use super::failure::{self, Failure};
use super::policy::{self, Effect, Verdict};
use super::pool::Lease;
use super::reply;
use super::request::{Asked, Request};
use super::source::{Learnt, Source};
use super::table::{CommandTable, Found};
use crate::contract::redis::{Node, Reply};
use crate::dial::UNEXPECTED;
use crate::grants::Grants;
use crate::places;
use crate::purse::Purse;
use crate::secrets::{Part, Placeholders, own_threads};

/// A table is asked for again when it is older.
const TABLE_AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// A command that is not in a table so old may have been added since.
const TABLE_AGE_UNKNOWN_MAX: Duration = Duration::from_secs(10);

/// What a call needs.
pub(super) struct Call {
    /// None where no source has the name.
    pub(super) source: Option<Arc<Source>>,
    pub(super) names: Names,
    pub(super) grants: Arc<Grants>,
    pub(super) request: Request,
    pub(super) purse: Arc<Purse>,
    pub(super) run_deadline: Instant,
    pub(super) secrets: Placeholders,
}

/// What a call is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A free connection of the source's own.
    Waiting,
    Connecting,
    Replying,
}

/// How far a call has come: kept outside of it, so that it is known when a deadline ends it.
pub(super) struct Progress {
    pub(super) phase: Phase,
    /// For a free connection of the source's own.
    pub(super) waited: Duration,
    pub(super) intake: Intake,
}

/// Runs the whole call.
pub(super) async fn converse(call: Call) -> Result<Vec<Reply>, Failure> {
    let started = Instant::now();
    let own = call.request.timeout.and_then(|timeout| started.checked_add(timeout));
    let deadline = own.map_or(call.run_deadline, |own| own.min(call.run_deadline));
    let mut progress = Progress { phase: Phase::Waiting, waited: Duration::ZERO, intake: Intake::new(Arc::clone(&call.purse)) };
    let outcome = timeout_at(deadline, proceed(&call, deadline, &mut progress)).await;
    let whole = deadline.saturating_duration_since(started);
    let outcome = outcome.unwrap_or_else(|_| Err(timed_out(progress.phase, whole, call.source.as_deref())));
    let replies = outcome.map_err(|failure| blamed(failure, &call, &progress, whole))?;
    masked(&call, replies).await
}

/// With placeholders for the secrets of the run.
async fn masked(call: &Call, mut replies: Vec<Reply>) -> Result<Vec<Reply>, Failure> {
    if call.secrets.is_empty() {
        return Ok(replies);
    }
    let bytes = replies.iter_mut().flatten().filter_map(text_of).map(|part| part.bytes().len()).sum();
    let masking = call.names.services.masking.run(&call.secrets, bytes, move |secrets| {
        let grown = secrets.mask_parts(replies.iter_mut().flatten().filter_map(text_of));
        (replies, grown)
    });
    let masked = timeout_at(call.run_deadline, masking).await;
    let masked = masked.map_err(|_| Failure::Quota(own_threads("the reply")))?;
    let (replies, grown) = masked.ok_or_else(|| Failure::Invalid(UNEXPECTED.to_owned()))?;
    if grown > 0 {
        call.purse.receive(grown)?;
    }
    Ok(replies)
}

/// Where a secret may stand: a number is none.
fn text_of(node: &mut Node) -> Option<Part<'_>> {
    match node {
        Node::Bulk(bytes) => Some(Part::Bytes(bytes)),
        Node::Simple(text) | Node::Failed(text) | Node::Other(text) => Some(Part::Text(text)),
        Node::Nil
        | Node::Int(_)
        | Node::Float(_)
        | Node::Boolean(_)
        | Node::BigNumber(_)
        | Node::ArrayOf(_)
        | Node::MapOf(_)
        | Node::SetOf(_) => None,
    }
}

/// Being late is the server's fault only where it had nearly all of the time.
fn blamed(failure: Failure, call: &Call, progress: &Progress, whole: Duration) -> Failure {
    let still_waits = progress.phase == Phase::Waiting;
    let waited = if still_waits { whole } else { progress.waited };
    match (failure, &call.source) {
        (Failure::Timeout(_), Some(source)) if still_waits || places::is_starved(waited, whole) => {
            Failure::Quota(source.pool.places.crowded("redis", &call.request.source, waited, whole))
        }
        (failure, _) => failure,
    }
}

fn timed_out(phase: Phase, after: Duration, source: Option<&Source>) -> Failure {
    let after = after.as_millis();
    match phase {
        Phase::Waiting => Failure::Timeout(format!("no free connection after {after} ms")),
        Phase::Connecting if source.is_some_and(|source| source.settings.is_encrypted()) => {
            Failure::Timeout(format!("no connection after {after} ms; hint: does the server speak TLS there? `redis://` is without"))
        }
        Phase::Connecting => Failure::Timeout(format!("no connection after {after} ms")),
        Phase::Replying => Failure::Timeout(format!("no reply after {after} ms")),
    }
}

async fn proceed(call: &Call, deadline: Instant, progress: &mut Progress) -> Result<Vec<Reply>, Failure> {
    let Call { request, grants, .. } = call;
    let grants = grants.redis.as_slice();
    for asked in &request.commands {
        policy::judge_name(grants, &request.source, asked)?;
    }
    if request.commands.is_empty() {
        return Ok(Vec::new());
    }
    let source = call.source.as_ref().ok_or_else(|| policy::unknown_source(&request.source))?;
    let mut lease = Lease::take(source, call.names.clone(), deadline, progress).await?;
    let learnt = learn(&mut lease, request, &mut progress.phase).await?;
    let judge = |asked| policy::judge(grants, &request.source, asked, &learnt.table);
    let verdicts = request.commands.iter().map(judge).collect::<Result<Vec<_>, _>>()?;
    ask_keys(&mut lease, call, &verdicts, &learnt.table, &mut progress.phase).await?;
    let mut came = send(&mut lease, request, &verdicts, &learnt.table, progress).await?.into_iter();
    let mut replies = Vec::with_capacity(verdicts.len());
    for (asked, verdict) in request.commands.iter().zip(verdicts) {
        let reply = match verdict {
            Verdict::Unknown(answer) => vec![Node::Failed(answer)],
            Verdict::Send(_) | Verdict::AskKeys(_) => {
                came.next().ok_or_else(|| Failure::Other("the server sent too few replies".to_owned()))?
            }
        };
        replies.push(finish(&request.source, asked, reply)?);
    }
    Ok(replies)
}

/// The table, asked for again where a command is not in an old one.
async fn learn(lease: &mut Lease, request: &Request, phase: &mut Phase) -> Result<Arc<Learnt>, Failure> {
    let learnt = lease.table(TABLE_AGE_MAX, phase).await?;
    let knows_all = !request.commands.iter().any(|asked| matches!(learnt.table.find(asked), Found::Unknown(_)));
    if knows_all { Ok(learnt) } else { lease.table(TABLE_AGE_UNKNOWN_MAX, phase).await }
}

/// Has the server find the keys that its table does not tell, and the policy judge them.
async fn ask_keys(lease: &mut Lease, call: &Call, verdicts: &[Verdict], table: &CommandTable, phase: &mut Phase) -> Result<(), Failure> {
    let hidden = call.request.commands.iter().zip(verdicts).filter(|(_, verdict)| matches!(verdict, Verdict::AskKeys(_)));
    let hidden: Vec<&Asked> = hidden.map(|(asked, _)| asked).collect();
    if hidden.is_empty() {
        return Ok(());
    }
    let mut packed = Vec::new();
    for asked in &hidden {
        let mut question = cmd("COMMAND");
        question.arg("GETKEYS");
        for part in &asked.parts {
            question.arg(part.as_slice());
        }
        question.write_packed_command(&mut packed);
    }
    let replies = lease.ask(&packed, hidden.len(), phase).await?;
    for (asked, reply) in hidden.into_iter().zip(&replies) {
        let keys = keys_of(reply);
        policy::judge_keys(&call.grants.redis, &call.request.source, asked, table, keys.as_deref())?;
    }
    Ok(())
}

/// The keys out of an answer to `COMMAND GETKEYS`; None where it tells none, because of an error for instance.
fn keys_of(reply: &[Node]) -> Option<Vec<Vec<u8>>> {
    let (Node::ArrayOf(_) | Node::SetOf(_), keys) = reply.split_first()? else { return None };
    let key = |node: &Node| match node {
        Node::Bulk(key) => Some(key.clone()),
        _ => None,
    };
    keys.iter().map(key).collect()
}

/// Everything that the server knows, in one round trip (in a cluster, one for each node).
async fn send(
    lease: &mut Lease,
    request: &Request,
    verdicts: &[Verdict],
    table: &CommandTable,
    progress: &mut Progress,
) -> Result<Vec<Reply>, Failure> {
    let mut effect = Effect::Reads;
    let mut batch: Vec<&Asked> = Vec::with_capacity(verdicts.len());
    for (asked, verdict) in request.commands.iter().zip(verdicts) {
        match verdict {
            Verdict::Send(own) | Verdict::AskKeys(own) => {
                batch.push(asked);
                if *own == Effect::Changes {
                    effect = Effect::Changes;
                }
            }
            Verdict::Unknown(_) => {}
        }
    }
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    if lease.source().is_cluster() {
        let keys: Vec<Option<&[u8]>> = batch.iter().map(|asked| first_key(table, asked)).collect();
        return cluster::scatter(lease, &batch, &keys, effect, progress).await;
    }
    match batch.as_slice() {
        [only] => lease.exchange(&only.packed, 1, effect, progress).await,
        several => {
            let mut packed = Vec::with_capacity(several.iter().map(|asked| asked.packed.len()).sum());
            several.iter().for_each(|asked| packed.extend_from_slice(&asked.packed));
            lease.exchange(&packed, several.len(), effect, progress).await
        }
    }
}

/// Where a cluster is to begin; a wrong guess is put right by a redirect.
fn first_key<'c>(table: &CommandTable, asked: &'c Asked) -> Option<&'c [u8]> {
    match table.find(asked) {
        Found::Command { facts, .. } => facts.keys(&asked.parts).first().copied(),
        Found::Unknown(_) => None,
    }
}

/// A reply as the guest gets it, without credentials.
fn finish(source: &str, asked: &Asked, mut reply: Reply) -> Result<Reply, Failure> {
    if let [Node::Failed(text)] = reply.as_mut_slice() {
        if let Some(failure) = failure::refusal(text) {
            return Err(failure);
        }
        if let Some(told) = failure::without_names(source, text) {
            *text = told;
        }
    }
    let second = asked.second.as_deref();
    if matches!((asked.name.as_str(), second), ("CONFIG", Some("GET")) | ("SENTINEL", Some("CONFIG"))) {
        reply::redact_settings(&mut reply);
    }
    Ok(reply)
}
