//! One request and its answer over one connection, in HTTP/1.1.
//!
//! The connection is driven in the same task as whoever waits for its answer: no second task, and dropping the future closes the socket.
//!
//! Limits: a header block of [`HEAD_BYTES_MAX`] and 100 lines, the body cut at what the caller asks for, nothing read that the run may not
//! receive any more. Informational answers are skipped, and all that comes before the answer is at most [`HEADS_BYTES_MAX`].

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use ::http::{Request, Response, Version, response::Parts};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::dial::{Phase, Progress, microseconds_since};
use crate::failure::Failure;
use crate::purse::Purse;

/// Bytes of an answer's status line and headers together.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes up to the answer's headers: with the informational answers before it, and what of its body came along.
const HEADS_BYTES_MAX: usize = 4 * HEAD_BYTES_MAX;

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
pub(super) async fn begin<S>(stream: S, request: Request<Full<Bytes>>, purse: &Purse, progress: &mut Progress) -> Result<Begun<S>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let started = Instant::now();
    progress.phase = Phase::FirstByte;
    let heads_left = Arc::new(AtomicUsize::new(HEADS_BYTES_MAX));
    let stream = TokioIo::new(Bounded { stream, left: Arc::clone(&heads_left) });
    let (mut sender, connection) = Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(stream).await.map_err(broken)?;
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
    // The body has bounds of its own.
    heads_left.store(usize::MAX, Ordering::Relaxed);
    let (head, body) = Response::into_parts(response);
    purse.receive(head_bytes(&head))?;
    Ok(Begun { head, body, driven, sender })
}

/// Reads at most `bytes_max` of the body and no more than the run may receive; what is beyond stays unread.
pub(super) async fn read_body<S>(
    begun: Begun<S>,
    bytes_max: usize,
    purse: &Purse,
    progress: &mut Progress,
) -> Result<(Parts, Content), Failure>
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
        purse.receive(u64::try_from(taken.len()).unwrap_or(u64::MAX))?;
        if taken.len() < data.len() {
            content.truncated = true;
            break;
        }
    }
    Ok((head, content))
}

/// A connection that makes progress whenever someone waits for something that it carries.
struct Driven<S: AsyncRead + AsyncWrite + Unpin> {
    connection: Option<Connection<TokioIo<Bounded<S>>, Full<Bytes>>>,
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

/// A stream that breaks when more is read from it than is left. Nothing else bounds informational answers: each is skipped as it comes.
struct Bounded<S> {
    stream: S,
    left: Arc<AtomicUsize>,
}

/// More than [`HEADS_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("too much before the answer")]
struct HeadsTooLong;

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        let Some(left) = self.left.load(Ordering::Relaxed).checked_sub(read) else {
            return Poll::Ready(Err(io::Error::other(HeadsTooLong)));
        };
        self.left.store(left, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    let reset = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if reset.and_then(|reset| reset.get_ref()).is_some_and(|inner| inner.is::<HeadsTooLong>()) {
        return Failure::Protocol(format!("the server sent {HEADS_BYTES_MAX} bytes of informational answers and no answer"));
    }
    match reset.map(io::Error::kind) {
        Some(kind) if kind != io::ErrorKind::UnexpectedEof => {
            Failure::Protocol(format!("the connection broke before the answer was whole: {kind}"))
        }
        _ => Failure::Protocol("the server closed before the answer was whole".to_owned()),
    }
}
