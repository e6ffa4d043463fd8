//! One request and its answer over one connection, in HTTP/1.1.
//!
//! The connection is driven in the same task as whoever waits for its answer: no second task, and dropping the future closes the socket.
//!
//! Limits: a header block of [`HEAD_BYTES_MAX`] and 100 lines, the body cut at what the caller asks for, informational answers skipped.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Context;

use ::http::{Request, Response, Version, response::Parts};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::dial::{Phase, Progress, microseconds_since};
use crate::failure::Failure;

/// Bytes of an answer's status line and headers together.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;

/// An answer whose body has not been read yet.
pub(super) struct Begun<S: AsyncRead + AsyncWrite + Unpin> {
    pub(super) head: Parts,
    body: Incoming,
    driven: Driven<S>,
    /// Kept because the connection closes when nobody can send on it any more.
    sender: SendRequest<Full<Bytes>>,
}

/// A body as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// There was more.
    pub(super) truncated: bool,
}

/// Sends `request` and waits for the answer's headers.
pub(super) async fn begin<S>(stream: S, request: Request<Full<Bytes>>, progress: &mut Progress) -> Result<Begun<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let started = Instant::now();
    progress.phase = Phase::FirstByte;
    let (mut sender, connection) = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut driven = Driven { connection: Some(connection) };
    let response = {
        let mut response = pin!(sender.send_request(request));
        poll_fn(|context| {
            driven.turn(context);
            response.as_mut().poll(context)
        })
        .await
        .map_err(broken)?
    };
    progress.timings.first_byte_us = Some(microseconds_since(started));
    let (head, body) = Response::into_parts(response);
    progress.bytes_received += head_bytes(&head);
    Ok(Begun { head, body, driven, sender })
}

/// Reads at most `bytes_max` of the body; what is beyond stays unread.
pub(super) async fn read_body<S>(begun: Begun<S>, bytes_max: usize, progress: &mut Progress) -> Result<(Parts, Content), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Begun { head, mut body, mut driven, sender: _sender } = begun;
    progress.phase = Phase::Body;
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let mut content = Content { bytes: Vec::with_capacity(announced.min(bytes_max)), truncated: false };
    while !body.is_end_stream() {
        let frame = poll_fn(|context| {
            driven.turn(context);
            Pin::new(&mut body).poll_frame(context)
        });
        let Some(frame) = frame.await else { break };
        // Trailers are not data, and nobody asked for them.
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let room = bytes_max - content.bytes.len();
        let taken = &data[..data.len().min(room)];
        content.bytes.extend_from_slice(taken);
        progress.bytes_received += u64::try_from(taken.len()).unwrap_or(u64::MAX);
        if taken.len() < data.len() {
            content.truncated = true;
            break;
        }
    }
    Ok((head, content))
}

/// A connection that makes progress whenever someone waits for something that it carries.
struct Driven<S: AsyncRead + AsyncWrite + Unpin> {
    connection: Option<Connection<TokioIo<S>, Full<Bytes>>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Driven<S> {
    /// An ended connection is dropped at once: only then does whoever waits for an answer learn that none comes.
    fn turn(&mut self, context: &mut Context<'_>) {
        let ended = self.connection.as_mut().is_some_and(|connection| Pin::new(connection).poll(context).is_ready());
        if ended {
            self.connection = None;
        }
    }
}

pub(super) fn version_name(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// What the header block took on the wire, as good as exactly.
fn head_bytes(head: &Parts) -> u64 {
    let lines: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    u64::try_from(lines + "HTTP/1.1 200 OK\r\n\r\n".len()).unwrap_or(u64::MAX)
}

/// The connection stood; so whatever is wrong now is wrong with what came over it.
fn broken(error: hyper::Error) -> Failure {
    use std::error::Error as _;
    if error.is_parse_too_large() {
        return Failure::Protocol(format!("the answer's headers are more than {HEAD_BYTES_MAX} bytes or 100 lines"));
    }
    if error.is_parse() {
        return Failure::Protocol(format!("the answer is not HTTP/1.1: {error}"));
    }
    let reset = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    match reset.map(std::io::Error::kind) {
        Some(kind) if kind != std::io::ErrorKind::UnexpectedEof => {
            Failure::Protocol(format!("the connection broke before the answer was whole: {kind}"))
        }
        _ => Failure::Protocol("the server closed before the answer was whole".to_owned()),
    }
}
