//! Connections of a source, each for one call at a time.
//!
//! A connection is not shared: a large or slow reply would hold up every other check, and a call that is cut off could not take its
//! reply back. One that was cut off is closed; one that came through is kept for the next call, on the thread that made it where it can be.
//!
//! Who is next where all are in use says `crate::places`.
//!
//! Invariant: a source has at most `connections_max` connections, in use and kept together.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::redis::cmd;
use tokio::runtime::{self, Handle};
use tokio::time::Instant;

use super::client::{Phase, Progress};
use super::connection::{Connection, Intake, error_of};
use super::dial::Names;
use super::failure::{self, Failure};
use super::policy::Effect;
use super::settings::{Address, CONNECTIONS_MOST};
use super::source::{Learnt, Source};
use super::table::CommandTable;
use crate::contract::redis::Reply;
use crate::places::{Place, Places};
use crate::source::lock;

/// A connection that nobody used for so long is closed at the next call.
const KEPT_MAX: Duration = Duration::from_secs(5 * 60);
/// A connection that was made so much later than the table was learnt may lead to another version of the server.
const TABLE_SLACK: Duration = Duration::from_secs(10);

/// Where a connection leads.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// To the server of the source's URL, or to the master that the sentinels name.
    Home,
    /// To a node that a cluster named.
    Node(Address),
}

struct Pooled {
    connection: Connection,
    target: Target,
    /// That drives its socket.
    runtime: runtime::Id,
    made_at: Instant,
    kept_at: Instant,
}

pub(super) struct Pool {
    connections_max: usize,
    /// One for each connection that may be in use.
    pub(super) places: Arc<Places>,
    /// The one that was used last stands last. None once nothing is kept any more.
    kept: Mutex<Option<Vec<Pooled>>>,
}

impl Pool {
    pub(super) fn new(connections_max: u32) -> Pool {
        let connections_max = usize::try_from(connections_max.clamp(1, CONNECTIONS_MOST)).unwrap_or(1);
        Pool { connections_max, places: Arc::new(Places::new(connections_max)), kept: Mutex::new(Some(Vec::new())) }
    }

    /// Closes what is kept; what is in use is closed when it comes back.
    pub(super) fn retire(&self) {
        *lock(&self.kept) = None;
    }

    /// A kept connection to `target`. None when a new one is to be made; then there is room for it. The caller holds a place.
    fn take(&self, target: &Target) -> Option<Pooled> {
        let here = Handle::current().id();
        let (in_use, now) = (self.places.in_use(), Instant::now());
        let mut kept = lock(&self.kept);
        let kept = kept.as_mut()?;
        kept.retain(|pooled| now.saturating_duration_since(pooled.kept_at) < KEPT_MAX);
        let is_full = in_use + kept.len() > self.connections_max;
        let near = kept.iter().rposition(|pooled| pooled.target == *target && pooled.runtime == here);
        // Another thread's works as well, only slower.
        let found = if near.is_none() && is_full { kept.iter().rposition(|pooled| pooled.target == *target) } else { near };
        match found {
            Some(at) => Some(kept.remove(at)),
            None => {
                if is_full && !kept.is_empty() {
                    kept.remove(0);
                }
                None
            }
        }
    }

    fn keep(&self, mut pooled: Pooled) {
        pooled.kept_at = Instant::now();
        let mut kept = lock(&self.kept);
        let Some(kept) = kept.as_mut() else { return };
        if kept.len() >= self.connections_max {
            kept.remove(0);
        }
        kept.push(pooled);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Kept,
    Dialled,
}

/// A connection for one call. Given back when dropped, if nothing is owed on it.
pub(super) struct Lease {
    source: Arc<Source>,
    pooled: Option<Pooled>,
    origin: Origin,
    names: Names,
    deadline: Instant,
    /// Free again after the connection is back: fields are dropped after `drop`.
    _place: Place,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.put_back();
    }
}

impl Lease {
    /// Waits for a free place; the caller bounds the waiting.
    pub(super) async fn take(source: &Arc<Source>, names: Names, deadline: Instant, progress: &mut Progress) -> Result<Lease, Failure> {
        progress.phase = Phase::Waiting;
        let began = Instant::now();
        let place = source.pool.places.take(&names.check).await;
        let place = place.ok_or_else(|| Failure::Quota("the host is shutting down".to_owned()))?;
        progress.waited = began.elapsed();
        let mut lease = Lease { source: Arc::clone(source), pooled: None, origin: Origin::Dialled, names, deadline, _place: place };
        lease.connect(Target::Home, &mut progress.phase).await?;
        Ok(lease)
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// From here on `target` is spoken to.
    pub(super) async fn switch(&mut self, target: Target, phase: &mut Phase) -> Result<(), Failure> {
        if self.pooled.as_ref().is_some_and(|pooled| pooled.target == target) {
            return Ok(());
        }
        self.put_back();
        self.connect(target, phase).await
    }

    async fn connect(&mut self, target: Target, phase: &mut Phase) -> Result<(), Failure> {
        while let Some(mut pooled) = self.source.pool.take(&target) {
            // The server may have closed it meanwhile.
            if pooled.connection.is_quiet().await {
                self.pooled = Some(pooled);
                self.origin = Origin::Kept;
                return Ok(());
            }
        }
        self.dial(target, phase).await
    }

    async fn dial(&mut self, target: Target, phase: &mut Phase) -> Result<(), Failure> {
        *phase = Phase::Connecting;
        let connection = self.source.open(&target, &self.names, self.deadline).await?;
        let now = Instant::now();
        self.pooled = Some(Pooled { connection, target, runtime: Handle::current().id(), made_at: now, kept_at: now });
        self.origin = Origin::Dialled;
        Ok(())
    }

    fn put_back(&mut self) {
        if let Some(pooled) = self.pooled.take()
            && pooled.connection.is_clean()
        {
            self.source.pool.keep(pooled);
        }
    }

    /// `count` commands of the guest in one round trip.
    pub(super) async fn exchange(
        &mut self,
        packed: &[u8],
        count: usize,
        effect: Effect,
        progress: &mut Progress,
    ) -> Result<Vec<Reply>, Failure> {
        self.pipeline(packed, count, effect, &mut progress.phase, &mut progress.intake).await
    }

    /// `count` commands of the host's own, which change nothing.
    pub(super) async fn ask(&mut self, packed: &[u8], count: usize, phase: &mut Phase) -> Result<Vec<Reply>, Failure> {
        self.pipeline(packed, count, Effect::Reads, phase, &mut Intake::own()).await
    }

    /// A kept connection that turns out to be closed is made anew once, if asking twice does no harm.
    async fn pipeline(
        &mut self,
        packed: &[u8],
        count: usize,
        effect: Effect,
        phase: &mut Phase,
        intake: &mut Intake,
    ) -> Result<Vec<Reply>, Failure> {
        loop {
            *phase = Phase::Replying;
            let Some(pooled) = &mut self.pooled else {
                return Err(Failure::Connect("the connection broke before the reply was whole".to_owned()));
            };
            let broken = match pooled.connection.exchange(packed, count, intake).await {
                Ok(replies) => return Ok(replies),
                Err(broken) => broken,
            };
            let target = pooled.target.clone();
            self.pooled = None;
            if self.origin == Origin::Dialled || effect == Effect::Changes || !broken.is_unanswered() {
                return Err(broken.into());
            }
            self.dial(target, phase).await?;
        }
    }

    /// The server's table of commands, at most `age_max` old.
    pub(super) async fn table(&mut self, age_max: Duration, phase: &mut Phase) -> Result<Arc<Learnt>, Failure> {
        if let Some(learnt) = self.source.learnt()
            && learnt.at.elapsed() < age_max
            && !self.is_made_after(learnt.at)
        {
            return Ok(learnt);
        }
        let replies = self.ask(&cmd("COMMAND").get_packed_command(), 1, phase).await?;
        let reply = replies.first().map(Vec::as_slice).unwrap_or_default();
        if let Some(text) = error_of(reply) {
            return Err(untold(text));
        }
        let table =
            CommandTable::read(reply).ok_or_else(|| Failure::Other("the server's answer to `COMMAND` has an unknown form".to_owned()))?;
        Ok(self.source.learn(table))
    }

    fn is_made_after(&self, learnt_at: Instant) -> bool {
        self.pooled.as_ref().is_some_and(|pooled| pooled.made_at.saturating_duration_since(learnt_at) > TABLE_SLACK)
    }
}

/// Why there is no table.
pub(super) fn untold(text: &str) -> Failure {
    if let Some(failure) = failure::refusal(text) {
        return failure;
    }
    let code = failure::code(text);
    if code == "NOPERM" || text.contains("unknown command") {
        let message = "the source's user may not call `COMMAND`, which tells what each command does; hint: `ACL SETUSER` with `+command`";
        return Failure::Invalid(message.to_owned());
    }
    Failure::Other(format!("the server answered {code} to `COMMAND`"))
}
