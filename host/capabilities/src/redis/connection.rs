//! One connection: how it is entered, and one pipeline after the other over it.
//!
//! Invariant: a connection on which replies are still owed, or on which something came that nobody asked for, is never used again.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use ::redis::cmd;
use bytes::{Buf, BufMut, BytesMut};
use sickbay_core::Quota;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::dial::Wire;
use super::failure::{self, Failure};
use super::reply::{self, Parser, ReplyError, Step};
use super::settings::{Endpoint, Protocol};
use crate::contract::redis::{Node, Reply};
use crate::meter::Exceeded;
use crate::purse::{Payer, Purse};

/// Room that a read finds at least: most replies fit, and take one read.
const READ_BYTES_LEAST: usize = 16 << 10;
/// Room that a read makes at most: a string that is announced gets its memory as it comes.
const READ_BYTES_MOST: usize = 256 << 10;
/// A buffer that grew beyond is given back.
const BUFFER_BYTES_KEPT: usize = 64 << 10;

/// Of what the host asks for itself: the table of commands is the largest.
const OWN_REPLY_BYTES_MAX: u64 = 16 << 20;
const OWN_REPLY_NODES_MAX: usize = 100_000;

/// How much may come.
#[derive(Debug)]
pub(super) struct Intake {
    payer: Payer,
    /// Of all replies together.
    nodes_left: usize,
    /// Of one reply.
    reply_nodes_max: usize,
}

impl Intake {
    /// For the replies of one call of a guest.
    pub(super) fn new(purse: Arc<Purse>) -> Intake {
        Intake { payer: Payer::Run(purse), nodes_left: reply::CALL_NODES_MAX, reply_nodes_max: reply::NODES_MAX }
    }

    /// For what the host asks for itself.
    pub(super) fn own() -> Intake {
        Intake { payer: Payer::Host(OWN_REPLY_BYTES_MAX), nodes_left: OWN_REPLY_NODES_MAX, reply_nodes_max: OWN_REPLY_NODES_MAX }
    }

    fn refuse(&self, error: ReplyError) -> Cut {
        match (&self.payer, error) {
            (Payer::Run(purse), ReplyError::TooLarge) => Cut::Exceeded(purse.exceed(Quota::BytesIn)),
            (_, error) => Cut::Reply(error),
        }
    }
}

/// Why a pipeline did not come to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection ended.
    Gone {
        /// Whole replies that had come before.
        answered: usize,
        /// The error reply before it, which may say why.
        last_words: Option<String>,
    },
    /// It ended before the server ever said anything over it.
    Mute,
    Reply(ReplyError),
    /// The run may not receive as much.
    Exceeded(Exceeded),
}

impl Broken {
    /// Nothing was answered: the server may have closed before it saw anything.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self, Broken::Gone { answered: 0, .. })
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Failure {
        match broken {
            Broken::Gone { last_words, .. } => last_words
                .and_then(|text| failure::refusal(&text))
                .unwrap_or_else(|| Failure::Connect("the connection broke before the reply was whole".to_owned())),
            Broken::Mute => {
                let message = "the server closed a new connection without a word; hint: it may want TLS (`rediss://`), or a certificate \
                               (`cert_file` and `key_file`)";
                Failure::Connect(message.to_owned())
            }
            Broken::Exceeded(exceeded) => exceeded.into(),
            Broken::Reply(ReplyError::TooLarge) => {
                Failure::Invalid("the reply is larger than may be read; hint: ask for less at once".to_owned())
            }
            Broken::Reply(ReplyError::TooManyNodes) => {
                let (one, all) = (reply::NODES_MAX, reply::CALL_NODES_MAX);
                Failure::Invalid(format!("a reply has more than {one} nodes, or all of a call more than {all}; hint: ask for less at once"))
            }
            Broken::Reply(ReplyError::Malformed) => Failure::Other("what the server sent is no reply of Redis".to_owned()),
        }
    }
}

pub(super) struct Connection {
    wire: Box<dyn Wire>,
    /// What came and is not taken yet.
    buffer: BytesMut,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was said yet.
    New,
    /// Nothing is owed.
    Clean,
    /// In a pipeline, or left in one.
    Busy,
}

impl Connection {
    pub(super) fn new(wire: Box<dyn Wire>) -> Connection {
        Connection { wire, buffer: BytesMut::new(), state: State::New }
    }

    pub(super) fn is_clean(&self) -> bool {
        self.state != State::Busy
    }

    /// Nothing came since its last reply and it was not closed, as far as is known here.
    pub(super) async fn is_quiet(&mut self) -> bool {
        let mut byte = [0_u8; 1];
        poll_fn(|context| {
            let mut room = ReadBuf::new(&mut byte);
            Poll::Ready(Pin::new(&mut self.wire).poll_read(context, &mut room).is_pending())
        })
        .await
    }

    /// Sends `packed`, which holds `count` commands, and takes as many replies.
    pub(super) async fn exchange(&mut self, packed: &[u8], count: usize, intake: &mut Intake) -> Result<Vec<Reply>, Broken> {
        let before = std::mem::replace(&mut self.state, State::Busy);
        let mut replies = Vec::with_capacity(count.min(256));
        let outcome = self.converse(packed, count, intake, &mut replies).await;
        match outcome {
            Ok(()) => {}
            Err(Cut::Gone) if before == State::New && replies.is_empty() => return Err(Broken::Mute),
            Err(Cut::Gone) => {
                let last_words = replies.last().and_then(|reply| error_of(reply)).map(str::to_owned);
                return Err(Broken::Gone { answered: replies.len(), last_words });
            }
            Err(Cut::Reply(error)) => return Err(Broken::Reply(error)),
            Err(Cut::Exceeded(exceeded)) => return Err(Broken::Exceeded(exceeded)),
        }
        if self.buffer.is_empty() {
            self.state = State::Clean;
            if self.buffer.capacity() > BUFFER_BYTES_KEPT {
                self.buffer = BytesMut::new();
            }
        }
        Ok(replies)
    }

    /// One command of the host's own.
    pub(super) async fn ask(&mut self, packed: &[u8]) -> Result<Reply, Failure> {
        let mut replies = self.exchange(packed, 1, &mut Intake::own()).await?;
        replies.pop().ok_or_else(|| Failure::Other("the server sent no reply".to_owned()))
    }

    async fn converse(&mut self, packed: &[u8], count: usize, intake: &mut Intake, replies: &mut Vec<Reply>) -> Result<(), Cut> {
        // What the server says before it closes is still to be read.
        let written = self.wire.write_all(packed).await.is_ok() && self.wire.flush().await.is_ok();
        for _ in 0..count {
            let reply = self.reply(intake).await?;
            replies.push(reply);
        }
        if written { Ok(()) } else { Err(Cut::Gone) }
    }

    async fn reply(&mut self, intake: &mut Intake) -> Result<Reply, Cut> {
        let mut parser = Parser::new(intake.reply_nodes_max.min(intake.nodes_left));
        loop {
            // What is in the buffer is paid for.
            let buffered = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
            let parsed = parser.parse(&self.buffer, intake.payer.bytes_left().saturating_add(buffered));
            let (taken, step) = parsed.map_err(|error| intake.refuse(error))?;
            self.buffer.advance(taken);
            let needed = match step {
                Step::Whole => {
                    let reply = parser.into_reply();
                    intake.nodes_left = intake.nodes_left.saturating_sub(reply.len());
                    return Ok(reply);
                }
                Step::Needs(needed) => needed,
            };
            // No more than the first that cannot be paid for.
            let payable = usize::try_from(intake.payer.bytes_left().saturating_add(1)).unwrap_or(usize::MAX);
            let room = needed.clamp(READ_BYTES_LEAST, READ_BYTES_MOST).min(payable);
            self.buffer.reserve(room);
            let came = self.wire.read_buf(&mut (&mut self.buffer).limit(room)).await.map_err(|_| Cut::Gone)?;
            if came == 0 {
                return Err(Cut::Gone);
            }
            if !intake.payer.take(u64::try_from(came).unwrap_or(u64::MAX)) {
                return Err(intake.refuse(ReplyError::TooLarge));
            }
        }
    }

    /// Enters the server as the URL says: nothing is sent where it says nothing.
    pub(super) async fn greet(&mut self, endpoint: &Endpoint) -> Result<(), Failure> {
        let mut packed = Vec::new();
        let mut steps = Vec::new();
        let user = endpoint.username.as_deref();
        match (endpoint.protocol, endpoint.password.as_deref()) {
            (Protocol::Resp3, Some(password)) => {
                let user = user.unwrap_or("default");
                cmd("HELLO").arg("3").arg("AUTH").arg(user).arg(password).write_packed_command(&mut packed);
                steps.push(Greeting::Hello);
            }
            (Protocol::Resp3, None) => {
                cmd("HELLO").arg("3").write_packed_command(&mut packed);
                steps.push(Greeting::Hello);
            }
            (Protocol::Resp2, Some(password)) => {
                // An absent user is no argument at all.
                cmd("AUTH").arg(user).arg(password).write_packed_command(&mut packed);
                steps.push(Greeting::Auth);
            }
            (Protocol::Resp2, None) => {}
        }
        if endpoint.database != 0 {
            cmd("SELECT").arg(endpoint.database).write_packed_command(&mut packed);
            steps.push(Greeting::Select);
        }
        if steps.is_empty() {
            return Ok(());
        }
        let replies = self.exchange(&packed, steps.len(), &mut Intake::own()).await?;
        for (step, reply) in steps.into_iter().zip(&replies) {
            if let Some(text) = error_of(reply) {
                return Err(step.refused(text));
            }
        }
        Ok(())
    }
}

/// The text of a reply that is an error.
pub(super) fn error_of(reply: &[Node]) -> Option<&str> {
    match reply {
        [Node::Failed(text)] => Some(text),
        _ => None,
    }
}

/// As [`Broken`], before it is known how much was answered.
enum Cut {
    Gone,
    Reply(ReplyError),
    Exceeded(Exceeded),
}

/// A step of entering a server.
enum Greeting {
    Hello,
    Auth,
    Select,
}

impl Greeting {
    fn refused(self, text: &str) -> Failure {
        if let Some(failure) = failure::refusal(text) {
            return failure;
        }
        let code = failure::code(text);
        match self {
            Greeting::Hello if code == "NOPROTO" || text.contains("unknown command") => {
                Failure::Invalid("the server does not speak RESP3; hint: leave `protocol` out of the source's `url`".to_owned())
            }
            Greeting::Select => Failure::Invalid(format!("the server refused the database of the source's `url` ({code})")),
            Greeting::Hello | Greeting::Auth if matches!(code, "ERR" | "NOPERM") => {
                Failure::Authentication(failure::WRONG_PASSWORD.to_owned())
            }
            Greeting::Hello | Greeting::Auth => Failure::Other(format!("the server answered {code} to a new connection")),
        }
    }
}
