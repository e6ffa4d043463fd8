//! What is said over a session in one call, in the order in which it is said.
//!
//! Round trips on a session that is kept, with `|` where the answer is waited for:
//! ```text
//! run, reads      BEGIN READ ONLY + timeout, statement, clean-up |
//! run, writes     timeout | statement, clean-up |
//! run-many        BEGIN + timeout, statement | timeout, statement | ... | (COMMIT, when writing) clean-up |
//! run-simple      statement |                       (on a server: timeout | statement, clean-up |)
//! ```
//! Where another check had the session before, `DISCARD ALL` goes in front, without a round trip of its own. One more where a type has to
//! be asked for, once in the life of a source. One for a session that is new, and those of the login.
//!
//! The guest's text always goes alone in a `Parse` of its own or, in `run-simple`, alone in its query. Nobody waits for the answers to the
//! clean-up.
//!
//! A statement ends at the least of its own `timeout-ms`, the source's `statement_timeout` and the run's deadline. The server is told a
//! little less, so that it is the server that ends it and the session lives on.
//!
//! Invariant: text of a guest never stands in a message beside other statements.
//! Invariant: what changes something is sent once, over a session that has just answered.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::failure::ServerError;
use super::intake::Intake;
use super::request::Asked;
use super::session::{After, Column, Excess, Session, Stage};
use super::settings::Manner;
use super::wire::Broken;
use crate::dial::microseconds_since;

/// How much earlier than we the server gives up: a tenth of the time, at most this.
const SERVER_MARGIN_MAX: Duration = Duration::from_millis(50);

/// What a pooler's server session may have otherwise, for one transaction.
const POOLED_STYLE: [&str; 3] = ["SET LOCAL IntervalStyle = postgres", "SET LOCAL bytea_output = hex", "SET LOCAL extra_float_digits = 3"];

/// The bounds of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) began: Instant,
    pub(super) statement_timeout: Duration,
    pub(super) run_deadline: Instant,
    /// Of each statement.
    pub(super) rows_max: u32,
}

impl Bounds {
    /// When a statement that begins at `from` ends.
    pub(super) fn deadline(&self, asked: Option<&Asked>, from: Instant) -> Instant {
        let own = asked.and_then(|asked| asked.timeout);
        let time = own.map_or(self.statement_timeout, |own| own.min(self.statement_timeout));
        from.checked_add(time).map_or(self.run_deadline, |deadline| deadline.min(self.run_deadline))
    }
}

/// What one statement answered, as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Bytes>,
    pub(super) truncated: bool,
    pub(super) affected: u64,
    pub(super) elapsed_us: u32,
}

/// What came of a call.
pub(super) struct Said {
    pub(super) answers: Vec<Answer>,
    pub(super) after: After,
}

/// Why a call came to nothing. After anything but [`Trouble::Server`], [`Trouble::Misfit`] and [`Trouble::Ended`] the session is lost.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The session was dead before it was told anything that matters: the call can be made over another one.
    Stale(Broken),
    /// The server's plan of a statement that only reads is of no use any more: as [`Trouble::Stale`].
    Outdated,
    /// The server did not forget what another check left: as [`Trouble::Stale`]. Nothing was run after it.
    Unclean,
    Broken(Broken),
    Server(ServerError),
    /// The statement has more or fewer parameters than it was given.
    Misfit,
    /// The server ended the statement after this long, because it was told to.
    Ended(Duration),
    /// The statement took this long, and the server did not end it.
    Timeout(Duration),
}

/// One statement's time.
struct Turn {
    began: Instant,
    deadline: Instant,
    server_ms: u128,
}

impl Turn {
    /// The first turn began with the call.
    fn new(bounds: &Bounds, asked: &Asked, began: Instant) -> Turn {
        let deadline = bounds.deadline(Some(asked), began);
        let left = deadline.saturating_duration_since(Instant::now());
        let server = left.saturating_sub((left / 10).min(SERVER_MARGIN_MAX));
        // 0 would be no limit at all.
        Turn { began, deadline, server_ms: server.as_millis().clamp(1, i32::MAX.unsigned_abs().into()) }
    }

    async fn within<T>(&self, what: impl Future<Output = Result<T, Broken>>) -> Result<T, Trouble> {
        match timeout_at(self.deadline, what).await {
            Ok(outcome) => outcome.map_err(Trouble::Broken),
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> Trouble {
        Trouble::Timeout(self.time())
    }

    fn time(&self) -> Duration {
        self.deadline.saturating_duration_since(self.began)
    }

    /// An error of the server, unless it is our own limit.
    fn refused(&self, error: ServerError, sent: Instant) -> Trouble {
        if error.is_fatal() {
            return Trouble::Broken(Broken::Refused(error));
        }
        if error.is_cancelled() && sent.elapsed().as_millis() >= self.server_ms {
            return Trouble::Ended(self.time());
        }
        Trouble::Server(error)
    }
}

/// Statements that only read, in one transaction that is rolled back.
pub(super) async fn read(
    session: &mut Session,
    manner: Manner,
    asked: &[Asked],
    bounds: &Bounds,
    intake: &mut Intake,
) -> Result<Said, Trouble> {
    let mut answers = Vec::with_capacity(asked.len());
    let mut after = After::Kept;
    let mut began = bounds.began;
    for (index, one) in asked.iter().enumerate() {
        let (is_first, is_last) = (index == 0, index + 1 == asked.len());
        let turn = Turn::new(bounds, one, began);
        let sent = Instant::now();
        let rows_max = intake.rows_of(bounds.rows_max);
        let put = session.put_reading(&before_reading(is_first.then_some(manner), &turn), one, rows_max);
        if is_last {
            session.put_clean_up_after_reading();
        }
        turn.within(session.send()).await?;
        let excess = if is_last { Excess::Left } else { Excess::Skipped };
        let stage = turn.within(session.stage(excess, rows_max, intake)).await;
        let stage = stage.map_err(|trouble| if is_first { stale(trouble, session) } else { trouble })?;
        if put.is_unclean(&stage) {
            return Err(Trouble::Unclean);
        }
        if put.is_outdated(&stage) {
            return Err(Trouble::Outdated);
        }
        let is_misfit = stage.is_misfit_behind(put.own);
        session.note_planned(put, &stage);
        if let Some(error) = stage.error {
            if !is_last {
                session.put_clean_up_after_reading();
                turn.within(session.send()).await?;
            }
            return Err(blamed(turn.refused(error, sent), is_misfit));
        }
        if !is_last {
            within_transaction(&stage)?;
        }
        after = stage.after();
        answers.push(answer(stage, sent));
        began = Instant::now();
    }
    Ok(Said { answers, after })
}

/// What the host says before a statement that only reads; `begins` where the transaction does.
fn before_reading(begins: Option<Manner>, turn: &Turn) -> Vec<String> {
    let mut own = Vec::new();
    if let Some(manner) = begins {
        own.push("BEGIN READ ONLY".to_owned());
        if manner == Manner::Pooled {
            own.extend(POOLED_STYLE.map(str::to_owned));
        }
    }
    own.push(format!("SET LOCAL statement_timeout = {}", turn.server_ms));
    own
}

/// One statement outside a transaction, with leave to change things.
pub(super) async fn write(
    session: &mut Session,
    manner: Manner,
    asked: &Asked,
    bounds: &Bounds,
    intake: &mut Intake,
) -> Result<Said, Trouble> {
    let turn = Turn::new(bounds, asked, bounds.began);
    ready_to_write(session, manner, &turn).await?;
    let sent = Instant::now();
    let rows_max = intake.rows_of(bounds.rows_max);
    session.put_statement(asked, rows_max);
    session.put_clean_up_after_writing();
    turn.within(session.send()).await?;
    let stage = turn.within(session.stage(Excess::Skipped, rows_max, intake)).await?;
    told(stage, &turn, sent)
}

/// Statements in one transaction, with leave to change things: all or none.
pub(super) async fn write_many(session: &mut Session, asked: &[Asked], bounds: &Bounds, intake: &mut Intake) -> Result<Said, Trouble> {
    let mut answers = Vec::with_capacity(asked.len());
    let mut began = bounds.began;
    let mut last_turn = None;
    for (index, one) in asked.iter().enumerate() {
        let turn = Turn::new(bounds, one, began);
        let begin = if index == 0 { "BEGIN; " } else { "" };
        session.put_opening(&format!("{begin}SET LOCAL statement_timeout = {}", turn.server_ms));
        let begun = opening_stage(session, &turn).await;
        let begun = begun.map_err(|trouble| if index == 0 { stale(trouble, session) } else { trouble })?;
        let sent = Instant::now();
        if let Some(error) = begun.error {
            return Err(given_up(session, &turn, error, sent).await);
        }
        within_transaction(&begun)?;
        let rows_max = intake.rows_of(bounds.rows_max);
        session.put_statement(one, rows_max);
        turn.within(session.send()).await?;
        let stage = turn.within(session.stage(Excess::Skipped, rows_max, intake)).await?;
        let is_misfit = stage.is_misfit_behind(0);
        if let Some(error) = stage.error {
            return Err(blamed(given_up(session, &turn, error, sent).await, is_misfit));
        }
        answers.push(answer(stage, sent));
        began = Instant::now();
        last_turn = Some(turn);
    }
    if let Some(turn) = last_turn {
        let sent = Instant::now();
        session.put().query("COMMIT");
        session.put_clean_up_after_writing();
        let committed = turn.within(first_stage(session)).await?;
        if let Some(error) = committed.error {
            return Err(turn.refused(error, sent));
        }
    }
    Ok(Said { answers, after: After::Kept })
}

/// One statement by the simple protocol that only tells something: it can be asked again.
pub(super) async fn show(session: &mut Session, asked: &Asked, bounds: &Bounds, intake: &mut Intake) -> Result<Said, Trouble> {
    let turn = Turn::new(bounds, asked, bounds.began);
    let sent = Instant::now();
    session.put().query(&asked.sql);
    turn.within(session.send()).await?;
    let rows_max = intake.rows_of(bounds.rows_max);
    let stage = turn.within(session.stage(Excess::Left, rows_max, intake)).await.map_err(|trouble| stale(trouble, session))?;
    told(stage, &turn, sent)
}

/// One statement by the simple protocol, with leave to change things.
pub(super) async fn write_simple(
    session: &mut Session,
    manner: Manner,
    asked: &Asked,
    bounds: &Bounds,
    intake: &mut Intake,
) -> Result<Said, Trouble> {
    let turn = Turn::new(bounds, asked, bounds.began);
    ready_to_write(session, manner, &turn).await?;
    let sent = Instant::now();
    session.put_simple(asked);
    session.put_clean_up_after_writing();
    turn.within(session.send()).await?;
    let rows_max = intake.rows_of(bounds.rows_max);
    let stage = turn.within(session.stage(Excess::Skipped, rows_max, intake)).await?;
    told(stage, &turn, sent)
}

/// That the server answers is known before it is told to change anything. Behind a pooler nothing can be set outside a transaction, and
/// PgBouncer's console sets nothing.
async fn ready_to_write(session: &mut Session, manner: Manner, turn: &Turn) -> Result<(), Trouble> {
    match manner {
        Manner::Direct => session.put_opening(&format!("SET statement_timeout = {}", turn.server_ms)),
        Manner::Pooled => session.put().sync(),
        // A new connection, which has answered.
        Manner::Console => return Ok(()),
    }
    let sent = Instant::now();
    let stage = opening_stage(session, turn).await.map_err(|trouble| stale(trouble, session))?;
    stage.error.map_or(Ok(()), |error| Err(turn.refused(error, sent)))
}

/// Sends what was put and reads the answer to the host's statement, behind those to what another check's leftovers were forgotten with.
async fn opening_stage(session: &mut Session, turn: &Turn) -> Result<Stage, Trouble> {
    let settled = async {
        session.send().await?;
        session.settle().await
    };
    match turn.within(settled).await {
        Err(Trouble::Broken(Broken::Malformed)) => return Err(Trouble::Unclean),
        settled => settled?,
    }
    turn.within(session.stage(Excess::Left, 0, &mut Intake::own())).await
}

/// Sends what was put and reads the answer to the first of it.
async fn first_stage(session: &mut Session) -> Result<Stage, Broken> {
    session.send().await?;
    session.stage(Excess::Left, 0, &mut Intake::own()).await
}

/// Takes back what a transaction did.
async fn given_up(session: &mut Session, turn: &Turn, error: ServerError, sent: Instant) -> Trouble {
    session.put_clean_up_after_writing();
    match turn.within(session.send()).await {
        Ok(()) => turn.refused(error, sent),
        Err(trouble) => trouble,
    }
}

fn told(stage: Stage, turn: &Turn, sent: Instant) -> Result<Said, Trouble> {
    let is_misfit = stage.is_misfit_behind(0);
    if let Some(error) = stage.error {
        return Err(blamed(turn.refused(error, sent), is_misfit));
    }
    let after = stage.after();
    Ok(Said { answers: vec![answer(stage, sent)], after })
}

/// The server's error, or the guest's where the parameters do not fit.
fn blamed(trouble: Trouble, is_misfit: bool) -> Trouble {
    match trouble {
        Trouble::Server(_) if is_misfit => Trouble::Misfit,
        other => other,
    }
}

fn answer(stage: Stage, sent: Instant) -> Answer {
    let Stage { columns, rows, truncated, affected, .. } = stage;
    Answer { columns, rows, truncated, affected, elapsed_us: microseconds_since(sent) }
}

/// A transaction ends only where the host ends it.
fn within_transaction(stage: &Stage) -> Result<(), Trouble> {
    if stage.is_in_transaction() { Ok(()) } else { Err(Trouble::Broken(Broken::Malformed)) }
}

fn stale(trouble: Trouble, session: &Session) -> Trouble {
    match trouble {
        Trouble::Broken(broken @ (Broken::Gone | Broken::Refused(_))) if !session.has_begun() => Trouble::Stale(broken),
        other => other,
    }
}
