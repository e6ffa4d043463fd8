//! One session with a server: what is put into the next message, what came back, and how it is made clean for whoever comes next.
//!
//! A statement that only reads is parsed twice by the server: as the query of a cursor, which is not opened, so that nothing but `SELECT`,
//! `VALUES`, `TABLE` and `WITH` without changes is accepted; and for itself, under a name, so that it is planned once and not at
//! every call. Both stand in one group with the `BEGIN READ ONLY` before them, in which the server skips everything behind an error: where
//! the transaction did not begin, or the text is no query, nothing is run.
//!
//! Clean-up goes out together with the last statement, and its answers are read when the session is next used: nobody waits for them.
//! After reading: `ROLLBACK` takes back whatever a function set (settings, role, `LISTEN`), and what a rollback does not touch, the
//! session's advisory locks, is released: by text, since a function that runs text could replace a prepared statement. After writing,
//! where statements run outside a transaction: `DISCARD ALL` as well. What is left then are plans, and what functions prepared. Where
//! another check has the session next, `DISCARD ALL` ends them too. It goes out with what that check says first: before a statement that
//! only reads as the first of its group, so that the server skips all the rest where it fails; before one that writes along with the
//! host's own, whose answers are waited for.
//!
//! Invariant: a session whose clean-up was not confirmed by the server is never used again, and no answer of it is given out.
//! Invariant: no check runs a statement that was prepared while another one had the session.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::ending::{self, Backend, Hold, Identity};
use super::failure::{Failure, ServerError};
use super::intake::Intake;
use super::outgoing::Outgoing;
use super::request::Asked;
use super::settings::{Endpoint, Manner};
use super::types::Oid;
use super::wire::{Broken, Parts, Stream, Wire, tag};

/// Statements that one session keeps planned, and the longest of them.
const PLANNED_MAX: usize = 16;
const PLANNED_BYTES_MAX: usize = 8 << 10;

const UNLOCK: &str = "SELECT pg_catalog.pg_advisory_unlock_all()";
/// The server looks this often whether anybody still waits for a statement. Known from 14 on, and not on every system.
const WATCH: &str = "SET client_connection_check_interval = 1000";
/// For one transaction.
const WATCH_LOCAL: &str = "SET LOCAL client_connection_check_interval = 1000";
const DISCARD: &str = "DISCARD ALL";
/// What the server says when it did so.
const DISCARDED: &[u8] = b"DISCARD";

/// A column as the server names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_oid: Oid,
}

/// All that came up to one `ReadyForQuery`.
#[derive(Debug, Default)]
pub(super) struct Stage {
    /// The first one.
    pub(super) error: Option<ServerError>,
    /// Statements that were parsed, and that the server went on to run.
    parsed: u32,
    bound: u32,
    /// The first statement of all was [`DISCARD`], and the server did it.
    is_discarded: bool,
    pub(super) columns: Vec<Column>,
    /// As they came: see [`Parts::value`].
    pub(super) rows: Vec<Bytes>,
    pub(super) truncated: bool,
    pub(super) affected: u64,
    /// The rest was not read.
    is_cut: bool,
    /// `I` outside a transaction.
    status: u8,
}

/// What a session is good for after a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Kept,
    /// Part of an answer was not read.
    Lost,
}

/// What becomes of rows that are too large to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// They are read and thrown away: what was changed must come to its end, and so must statements that others follow.
    Skipped,
    /// They are left where they are, and the session with them.
    Left,
}

/// A statement that only reads, as it was put.
pub(super) struct Put {
    /// Statements of the host before it, in the same group.
    pub(super) own: u32,
    /// The first of them is [`DISCARD`].
    discards: bool,
    planning: Planning,
}

/// What guests may have left in a session, beside what its clean-up takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traces {
    None,
    /// Of the check that has it.
    Own,
    /// Of another one: to be discarded before anything else is said.
    Foreign,
}

/// What the server knows of a statement.
enum Planning {
    /// An earlier call had it parsed.
    Known,
    /// To be remembered once it is parsed.
    New(Planned),
    Once,
}

impl Put {
    /// The server did not forget what another check left. Then it ran nothing of what was put.
    pub(super) fn is_unclean(&self, stage: &Stage) -> bool {
        self.discards && !stage.is_discarded
    }

    /// The plan of an earlier call is of no use any more.
    pub(super) fn is_outdated(&self, stage: &Stage) -> bool {
        let was_reached = stage.bound == self.own;
        matches!(self.planning, Planning::Known) && was_reached && stage.error.as_ref().is_some_and(ServerError::is_about_preparing)
    }
}

pub(super) struct Session {
    wire: Wire,
    manner: Manner,
    /// That has it, or had it last.
    check: Arc<str>,
    outgoing: Outgoing,
    /// Answers to the last clean-up that were not read yet.
    owed: u32,
    /// All answers that are still to come, those included.
    awaited: u32,
    traces: Traces,
    /// The server has done something of what was sent last.
    has_begun: bool,
    planned: VecDeque<Planned>,
    names_given: u64,
    /// The server can release advisory locks.
    can_unlock: bool,
    /// The server can watch the connection.
    can_watch: bool,
    /// It was told to forget that.
    is_unwatched: bool,
    backend: Backend,
    /// Of the call that has it.
    hold: Option<Hold>,
}

impl Drop for Session {
    /// What is in the middle of something there is brought to its end, and has its place until then.
    fn drop(&mut self) {
        if let Some(hold) = self.hold.take()
            && self.manner == Manner::Direct
            && self.awaited > 0
            && !self.wire.is_gone()
        {
            ending::begin(hold, self.wire.take(), self.backend);
        }
    }
}

impl Session {
    /// A new session over a stream that was just dialled.
    pub(super) async fn enter(
        stream: Stream,
        source: &str,
        endpoint: &Endpoint,
        manner: Manner,
        check: &Arc<str>,
    ) -> Result<Session, Failure> {
        let mut wire = Wire::new(stream);
        let key = super::login::enter(&mut wire, source, endpoint, manner).await?;
        let mut session = Session {
            wire,
            manner,
            check: Arc::clone(check),
            outgoing: Outgoing::default(),
            owed: 0,
            awaited: 0,
            traces: Traces::None,
            has_begun: false,
            planned: VecDeque::new(),
            names_given: 0,
            can_unlock: false,
            can_watch: false,
            is_unwatched: false,
            backend: Backend { key, identity: None },
            hold: None,
        };
        if manner == Manner::Direct {
            let equipped = session.try_equipment().await;
            equipped.map_err(|_| Failure::Connect("the server closed the connection before it was ready".to_owned()))?;
        }
        Ok(session)
    }

    pub(super) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    pub(super) fn is_driven_by(&self, runtime: tokio::runtime::Id) -> bool {
        self.wire.is_driven_by(runtime)
    }

    pub(super) fn is_of(&self, check: &str) -> bool {
        *self.check == *check
    }

    /// From here on it is a call's.
    pub(super) fn hold(&mut self, hold: Hold) {
        self.hold = Some(hold);
    }

    pub(super) fn let_go(&mut self) {
        self.hold = None;
    }

    /// What another check left is forgotten with what is said next.
    pub(super) async fn pass_to(&mut self, check: &Arc<str>) -> Result<(), Broken> {
        self.settle().await?;
        if self.is_of(check) {
            return Ok(());
        }
        self.check = Arc::clone(check);
        if self.manner == Manner::Direct && self.traces == Traces::Own {
            self.traces = Traces::Foreign;
            self.planned.clear();
        }
        Ok(())
    }

    /// Of what was sent last.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    pub(super) fn put(&mut self) -> &mut Outgoing {
        &mut self.outgoing
    }

    /// A statement that only reads, behind statements of the host; at most one row more than `rows_max` comes.
    pub(super) fn put_reading(&mut self, own: &[String], asked: &Asked, rows_max: u32) -> Put {
        let discards = self.traces == Traces::Foreign;
        self.traces = Traces::Own;
        let watches = discards && self.can_watch;
        self.is_unwatched |= watches;
        let discard = discards.then_some(DISCARD);
        let steps: Vec<&str> = discard.into_iter().chain(own.iter().map(String::as_str)).chain(watches.then_some(WATCH_LOCAL)).collect();
        for sql in &steps {
            self.outgoing.step(sql);
        }
        let types = || asked.parameters.iter().map(|parameter| parameter.type_oid);
        let known = self.planned.iter().position(|planned| planned.sql == asked.sql && planned.types.iter().copied().eq(types()));
        let (name, planning) = match known.and_then(|at| self.planned.remove(at)) {
            Some(planned) => {
                let name = planned.name.clone();
                // The one that was used last stands last.
                self.planned.push_back(planned);
                (name, Planning::Known)
            }
            None => {
                let planned = self.plan(asked);
                let name = planned.as_ref().map(|planned| planned.name.clone()).unwrap_or_default();
                self.outgoing.parse("", &format!("DECLARE sickbay NO SCROLL CURSOR FOR\n{}", asked.sql), types());
                self.outgoing.parse(&name, &asked.sql, types());
                (name, planned.map_or(Planning::Once, Planning::New))
            }
        };
        self.outgoing.run(&name, &asked.parameters, rows_max.saturating_add(1));
        Put { own: u32::try_from(steps.len()).unwrap_or(u32::MAX), discards, planning }
    }

    /// A name for a statement that is worth planning ahead; makes room for it.
    fn plan(&mut self, asked: &Asked) -> Option<Planned> {
        if self.manner != Manner::Direct || asked.sql.len() > PLANNED_BYTES_MAX {
            return None;
        }
        if self.planned.len() >= PLANNED_MAX
            && let Some(oldest) = self.planned.pop_front()
        {
            self.outgoing.close(&oldest.name);
        }
        self.names_given += 1;
        let types = asked.parameters.iter().map(|parameter| parameter.type_oid).collect();
        Some(Planned { sql: asked.sql.clone(), types, name: format!("sickbay_{}", self.names_given) })
    }

    /// Remembers a statement that was put, if the server took it both ways.
    pub(super) fn note_planned(&mut self, put: Put, stage: &Stage) {
        if let Planning::New(planned) = put.planning
            && stage.parsed == put.own + 2
        {
            self.planned.push_back(planned);
        }
    }

    /// Any statement. Of a plain query at most one row more than `rows_max` comes; what may change rows comes to its end, and counts them.
    pub(super) fn put_statement(&mut self, asked: &Asked, rows_max: u32) {
        self.traces = Traces::Own;
        let is_query = matches!(asked.statement.word.as_str(), "SELECT" | "TABLE" | "VALUES");
        self.outgoing.parse("", &asked.sql, asked.parameters.iter().map(|parameter| parameter.type_oid));
        self.outgoing.run("", &asked.parameters, if is_query { rows_max.saturating_add(1) } else { 0 });
    }

    /// Any statement by the simple protocol.
    pub(super) fn put_simple(&mut self, asked: &Asked) {
        self.traces = Traces::Own;
        self.outgoing.query(&asked.sql);
    }

    /// A statement of the host before one that may change anything, behind what another check's traces are discarded with.
    pub(super) fn put_opening(&mut self, sql: &str) {
        if self.traces == Traces::Foreign {
            self.put_discard();
        }
        self.outgoing.query(sql);
    }

    /// Behind the last statement of a call that only read.
    pub(super) fn put_clean_up_after_reading(&mut self) {
        match self.manner {
            Manner::Console => {}
            // Another client may have the server session at the next message: what belongs together goes as one.
            Manner::Pooled => self.put_owed(&format!("ROLLBACK; {UNLOCK}")),
            Manner::Direct => {
                self.put_owed("ROLLBACK");
                if self.can_unlock {
                    self.put_owed(UNLOCK);
                }
                if std::mem::take(&mut self.is_unwatched) {
                    self.put_owed(WATCH);
                }
            }
        }
    }

    /// Behind the last statement of a call that may have changed anything.
    pub(super) fn put_clean_up_after_writing(&mut self) {
        if self.manner != Manner::Direct {
            return self.put_clean_up_after_reading();
        }
        self.put_owed("ROLLBACK");
        self.put_discard();
    }

    fn put_discard(&mut self) {
        self.put_owed(DISCARD);
        self.planned.clear();
        self.traces = Traces::None;
        self.is_unwatched = false;
        if self.can_watch {
            self.put_owed(WATCH);
        }
    }

    fn put_owed(&mut self, sql: &str) {
        self.outgoing.query(sql);
        self.owed += 1;
    }

    /// What a server cannot do is not asked of it again.
    async fn try_equipment(&mut self) -> Result<(), Broken> {
        self.outgoing.query(WATCH);
        self.outgoing.query(UNLOCK);
        self.outgoing.query(ending::QUESTION);
        self.send().await?;
        self.can_watch = self.stage(Excess::Left, 0, &mut Intake::own()).await?.error.is_none();
        self.can_unlock = self.stage(Excess::Left, 0, &mut Intake::own()).await?.error.is_none();
        let told = self.stage(Excess::Left, 1, &mut Intake::own()).await?;
        self.backend.identity = told.rows.first().and_then(|row| Identity::read(row));
        Ok(())
    }

    /// Sends what was put.
    pub(super) async fn send(&mut self) -> Result<(), Broken> {
        let (bytes, awaited) = self.outgoing.take().ok_or(Broken::Malformed)?;
        self.awaited += awaited;
        self.has_begun = false;
        self.wire.send(&bytes).await;
        Ok(())
    }

    /// Reads up to and with the next `ReadyForQuery`; rows beyond `rows_max` are not kept.
    pub(super) async fn stage(&mut self, excess: Excess, rows_max: u32, intake: &mut Intake) -> Result<Stage, Broken> {
        let mut stage = Stage::default();
        let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX);
        loop {
            let row_bytes_max = usize::try_from(intake.bytes_left()).unwrap_or(usize::MAX);
            let message = match self.wire.message(row_bytes_max).await {
                Ok(message) => message,
                Err(Broken::TooLarge(tag::DATA_ROW)) if excess == Excess::Skipped => {
                    self.wire.skip().await?;
                    stage.truncated = true;
                    continue;
                }
                Err(Broken::TooLarge(tag::DATA_ROW)) => return Ok(stage.cut()),
                Err(Broken::Gone) => return Err(stage.error.map_or(Broken::Gone, Broken::Refused)),
                Err(broken) => return Err(broken),
            };
            match message.tag {
                tag::READY => {
                    stage.status = message.body.first().copied().unwrap_or_default();
                    self.awaited = self.awaited.saturating_sub(1);
                    self.has_begun = true;
                    return Ok(stage);
                }
                // None is taken behind one that was not.
                tag::DATA_ROW if stage.truncated || stage.rows.len() >= rows_max => stage.truncated = true,
                tag::DATA_ROW if intake.take(&message.body) => stage.rows.push(message.body),
                tag::DATA_ROW if excess == Excess::Skipped => stage.truncated = true,
                tag::DATA_ROW => return Ok(stage.cut()),
                tag::ERROR => {
                    stage.error.get_or_insert_with(|| ServerError::parse(&message.body));
                }
                tag::PARSE_COMPLETE => stage.parsed += 1,
                // One statement has one description.
                tag::ROW_DESCRIPTION if !stage.columns.is_empty() => return Err(Broken::Malformed),
                tag::ROW_DESCRIPTION => stage.columns = columns(&message.body).ok_or(Broken::Malformed)?,
                tag::COMMAND_COMPLETE => {
                    stage.affected = affected(&message.body);
                    stage.is_discarded |= stage.bound == 1 && message.body.starts_with(DISCARDED);
                    self.has_begun = true;
                }
                tag::COPY_IN | tag::COPY_OUT | tag::COPY_BOTH => return Err(Broken::Copies),
                tag::BIND_COMPLETE => stage.bound += 1,
                tag::NOTICE | tag::NOTIFICATION | tag::PARAMETER_STATUS => intake.take_aside(message.tag, &message.body)?,
                tag::CLOSE_COMPLETE | tag::EMPTY_QUERY | tag::NO_DATA | tag::SUSPENDED => {}
                _ => return Err(Broken::Malformed),
            }
        }
    }

    /// Reads the answers to the last clean-up. Where the session did not become clean, it is an error.
    pub(super) async fn settle(&mut self) -> Result<(), Broken> {
        let mut status = b'I';
        while self.owed > 0 {
            let stage = self.stage(Excess::Left, 0, &mut Intake::own()).await?;
            // Behind a pooler there may be servers without advisory locks; that the transaction ended is told by the status.
            if stage.error.is_some() && self.manner != Manner::Pooled {
                return Err(Broken::Malformed);
            }
            status = stage.status;
            self.owed -= 1;
        }
        self.wire.give_back_memory();
        if status == b'I' { Ok(()) } else { Err(Broken::Malformed) }
    }
}

impl Stage {
    pub(super) fn is_in_transaction(&self) -> bool {
        self.status == b'T'
    }

    /// What stands behind `own` statements of the host has another number of parameters than came with it. A pooler has the same code for
    /// troubles of its own, and ends the session with it.
    pub(super) fn is_misfit_behind(&self, own: u32) -> bool {
        let is_told = |error: &ServerError| error.sqlstate == "08P01" && !error.is_fatal();
        self.parsed > 0 && self.bound == own && self.error.as_ref().is_some_and(is_told)
    }

    pub(super) fn after(&self) -> After {
        if self.is_cut { After::Lost } else { After::Kept }
    }

    /// More was there than may be taken.
    fn cut(self) -> Stage {
        Stage { truncated: true, is_cut: true, ..self }
    }
}

/// A statement that the server knows by name.
struct Planned {
    sql: String,
    types: Vec<Oid>,
    name: String,
}

fn columns(body: &[u8]) -> Option<Vec<Column>> {
    let mut parts = Parts(body);
    let count = parts.u16()?;
    let mut columns = Vec::with_capacity(count.into());
    for _ in 0..count {
        let name = String::from_utf8_lossy(parts.text()?).into_owned();
        // Table, its column, then the type; its size, modifier and format.
        parts.bytes(6)?;
        let type_oid = parts.u32()?;
        parts.bytes(8)?;
        columns.push(Column { name, type_oid });
    }
    Some(columns)
}

/// `INSERT 0 5`, `UPDATE 5`; what reads changed nothing.
fn affected(body: &[u8]) -> u64 {
    let text = body.strip_suffix(b"\0").unwrap_or(body);
    let text = std::str::from_utf8(text).unwrap_or_default();
    match text.split_once(' ') {
        Some(("INSERT" | "UPDATE" | "DELETE" | "MERGE", rest)) => rest.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_rows_counts_them() {
        for (tag, count) in [("INSERT 0 5\0", 5), ("UPDATE 3\0", 3), ("MERGE 2\0", 2), ("SELECT 7\0", 0), ("VACUUM\0", 0), ("", 0)] {
            assert_eq!(affected(tag.as_bytes()), count, "{tag}");
        }
    }
}
