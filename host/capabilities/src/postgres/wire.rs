//! Bytes of the protocol: a socket with or without TLS, and the messages that come over it.
//!
//! Invariant: a message is read only when its announced length is within what the caller allows; memory is made as bytes come.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::{self, Handle};
use tokio_rustls::client::TlsStream;

use super::failure::ServerError;
use crate::meter::Exceeded;

/// Room that a read finds at least, and makes at most.
const READ_BYTES_LEAST: usize = 8 << 10;
const READ_BYTES_MOST: usize = 256 << 10;
/// A buffer that grew beyond is given back.
const BUFFER_BYTES_KEPT: usize = 64 << 10;
/// Of a message that is no row: the description of the widest row has less.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// The tag of a message and its length.
const HEAD_BYTES: usize = 5;

/// The tags of messages that a server sends.
pub(super) mod tag {
    pub(in super::super) const AUTHENTICATION: u8 = b'R';
    pub(in super::super) const BIND_COMPLETE: u8 = b'2';
    pub(in super::super) const CLOSE_COMPLETE: u8 = b'3';
    pub(in super::super) const COMMAND_COMPLETE: u8 = b'C';
    pub(in super::super) const COPY_BOTH: u8 = b'W';
    pub(in super::super) const COPY_IN: u8 = b'G';
    pub(in super::super) const COPY_OUT: u8 = b'H';
    pub(in super::super) const DATA_ROW: u8 = b'D';
    pub(in super::super) const EMPTY_QUERY: u8 = b'I';
    pub(in super::super) const ERROR: u8 = b'E';
    pub(in super::super) const KEY_DATA: u8 = b'K';
    pub(in super::super) const NEGOTIATE: u8 = b'v';
    pub(in super::super) const NO_DATA: u8 = b'n';
    pub(in super::super) const NOTICE: u8 = b'N';
    pub(in super::super) const NOTIFICATION: u8 = b'A';
    pub(in super::super) const PARAMETER_STATUS: u8 = b'S';
    pub(in super::super) const PARSE_COMPLETE: u8 = b'1';
    pub(in super::super) const READY: u8 = b'Z';
    pub(in super::super) const ROW_DESCRIPTION: u8 = b'T';
    pub(in super::super) const SUSPENDED: u8 = b's';
}

/// One message of the server.
pub(super) struct Message {
    pub(super) tag: u8,
    pub(super) body: Bytes,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(super) enum Broken {
    /// It ended.
    Gone,
    /// It ended with these words.
    Refused(ServerError),
    /// A message with this tag is longer than may be read.
    TooLarge(u8),
    /// What came is not the protocol.
    Malformed,
    /// The statement turned out to move data beside the protocol.
    Copies,
    /// The run may not receive as much.
    Exceeded(Exceeded),
}

pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// It moved and could not arrive.
    Lost,
}

impl Socket {
    /// The same socket, driven by the runtime that calls.
    fn registered_here(self) -> io::Result<Socket> {
        match self {
            Socket::Tcp(stream) => TcpStream::from_std(stream.into_std()?).map(Socket::Tcp),
            Socket::Unix(stream) => UnixStream::from_std(stream.into_std()?).map(Socket::Unix),
            Socket::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Socket::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Socket::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(context),
            Socket::Lost => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Socket::Lost => Poll::Ready(Ok(())),
        }
    }
}

pub(super) enum Stream {
    Plain(Socket),
    Encrypted(Box<TlsStream<Socket>>),
}

/// A connection as far as messages go.
pub(super) struct Wire {
    stream: Stream,
    /// What came and is not taken yet.
    incoming: BytesMut,
    /// That drives the socket.
    runtime: runtime::Id,
    /// The other side closed.
    is_gone: bool,
}

impl Wire {
    pub(super) fn new(stream: Stream) -> Wire {
        Wire { stream, incoming: BytesMut::new(), runtime: Handle::current().id(), is_gone: false }
    }

    /// What is left leads nowhere.
    pub(super) fn take(&mut self) -> Wire {
        let nowhere = Wire { stream: Stream::Plain(Socket::Lost), incoming: BytesMut::new(), runtime: self.runtime, is_gone: true };
        std::mem::replace(self, nowhere)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub(super) fn is_driven_by(&self, runtime: runtime::Id) -> bool {
        self.runtime == runtime
    }

    /// Runs stay on their threads, each with a runtime of its own: a socket that stays with another thread waits for that one's work.
    pub(super) fn move_here(&mut self) -> io::Result<()> {
        let here = Handle::current().id();
        if self.runtime != here {
            let socket = match &mut self.stream {
                Stream::Plain(socket) => socket,
                Stream::Encrypted(stream) => stream.get_mut().0,
            };
            *socket = std::mem::replace(socket, Socket::Lost).registered_here()?;
            self.runtime = here;
        }
        Ok(())
    }

    /// Nothing came that nobody asked for, and it was not closed, as far as is known here.
    pub(super) async fn is_quiet(&mut self) -> bool {
        let mut byte = [0_u8; 1];
        let stream = &mut self.stream;
        let is_pending = poll_fn(|context| {
            let mut room = ReadBuf::new(&mut byte);
            let polled = match stream {
                Stream::Plain(socket) => Pin::new(socket).poll_read(context, &mut room),
                Stream::Encrypted(stream) => Pin::new(&mut **stream).poll_read(context, &mut room),
            };
            Poll::Ready(polled.is_pending())
        });
        self.incoming.is_empty() && is_pending.await
    }

    /// Where it fails, what the server said before it closed is still to be read: the next message tells.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        let _ = match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes).await,
            Stream::Encrypted(stream) => match stream.write_all(bytes).await {
                Ok(()) => stream.flush().await,
                failed => failed,
            },
        };
    }

    /// The next message; a row of at most `row_bytes_max`.
    pub(super) async fn message(&mut self, row_bytes_max: usize) -> Result<Message, Broken> {
        let (tag, length) = loop {
            if let Some(&[tag, a, b, c, d]) = self.incoming.first_chunk::<HEAD_BYTES>() {
                break (tag, u32::from_be_bytes([a, b, c, d]));
            }
            self.read(HEAD_BYTES).await?;
        };
        // The length counts itself.
        let body = usize::try_from(length).ok().and_then(|length| length.checked_sub(4)).ok_or(Broken::Malformed)?;
        let most = if tag == tag::DATA_ROW { row_bytes_max } else { MESSAGE_BYTES_MAX };
        if body > most {
            return Err(Broken::TooLarge(tag));
        }
        let whole = HEAD_BYTES + body;
        while self.incoming.len() < whole {
            self.read(whole - self.incoming.len()).await?;
        }
        let mut message = self.incoming.split_to(whole);
        message.advance(HEAD_BYTES);
        Ok(Message { tag, body: message.freeze() })
    }

    /// Throws the next message away as it comes, however long it is.
    pub(super) async fn skip(&mut self) -> Result<(), Broken> {
        let Some(&[_, a, b, c, d]) = self.incoming.first_chunk::<HEAD_BYTES>() else { return Err(Broken::Malformed) };
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).map_err(|_| Broken::Malformed)?;
        let mut left = length.saturating_add(1);
        loop {
            let here = left.min(self.incoming.len());
            self.incoming.advance(here);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            self.read(left).await?;
        }
    }

    /// Nothing more will be sent.
    pub(super) async fn hang_up(&mut self) {
        // Where it fails, the other side is gone: reading tells.
        let _ = match &mut self.stream {
            Stream::Plain(socket) => socket.shutdown().await,
            Stream::Encrypted(stream) => stream.shutdown().await,
        };
    }

    /// Throws away what comes, until the other side closes or more than `bytes_max` came.
    pub(super) async fn drain(&mut self, bytes_max: usize) {
        let mut drained = 0_usize;
        while drained <= bytes_max {
            self.incoming.clear();
            if self.read(READ_BYTES_MOST).await.is_err() {
                return;
            }
            drained = drained.saturating_add(self.incoming.len());
        }
    }

    /// Between two calls.
    pub(super) fn give_back_memory(&mut self) {
        if self.incoming.is_empty() && self.incoming.capacity() > BUFFER_BYTES_KEPT {
            self.incoming = BytesMut::new();
        }
    }

    async fn read(&mut self, needed: usize) -> Result<(), Broken> {
        self.incoming.reserve(needed.clamp(READ_BYTES_LEAST, READ_BYTES_MOST));
        let came = match &mut self.stream {
            Stream::Plain(socket) => socket.read_buf(&mut self.incoming).await,
            Stream::Encrypted(stream) => stream.read_buf(&mut self.incoming).await,
        };
        match came {
            Ok(0) | Err(_) => {
                self.is_gone = true;
                Err(Broken::Gone)
            }
            Ok(_) => Ok(()),
        }
    }
}

/// Takes parts off the front of a message.
pub(super) struct Parts<'body>(pub(super) &'body [u8]);

impl<'body> Parts<'body> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'body [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Up to the next zero.
    pub(super) fn text(&mut self) -> Option<&'body [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Some(text)
    }

    /// A value of a row, with its length before it; `NULL` is the inner none.
    pub(super) fn value(&mut self) -> Option<Option<&'body [u8]>> {
        let length = self.u32()?;
        if length == u32::MAX {
            return Some(None);
        }
        self.bytes(usize::try_from(length).ok()?).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn wires(bytes: &[u8]) -> (Wire, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        theirs.write_all(bytes).await.expect("room in the socket");
        (Wire::new(Stream::Plain(Socket::Unix(ours))), theirs)
    }

    #[tokio::test]
    async fn messages_are_taken_one_by_one_as_they_come() {
        let (mut wire, mut theirs) = wires(b"D\0\0\0\x06abZ\0\0\0\x05").await;
        let row = wire.message(2).await.expect("a row");
        assert_eq!((row.tag, &row.body[..]), (tag::DATA_ROW, &b"ab"[..]));
        theirs.write_all(b"I").await.expect("room in the socket");
        let ready = wire.message(0).await.expect("a message");
        assert_eq!((ready.tag, &ready.body[..]), (tag::READY, &b"I"[..]));
        assert!(wire.is_quiet().await);
        drop(theirs);
        assert!(matches!(wire.message(0).await, Err(Broken::Gone)));
    }

    #[tokio::test]
    async fn a_message_that_is_announced_too_long_is_not_waited_for() {
        let (mut wire, _theirs) = wires(b"D\x40\0\0\0").await;
        assert!(matches!(wire.message(1 << 20).await, Err(Broken::TooLarge(tag::DATA_ROW))));
        assert!(wire.incoming.capacity() <= 2 * READ_BYTES_LEAST);
        let (mut wire, _theirs) = wires(b"E\x40\0\0\0").await;
        assert!(matches!(wire.message(usize::MAX).await, Err(Broken::TooLarge(tag::ERROR))));
        let (mut wire, _theirs) = wires(b"Z\0\0\0\x03").await;
        assert!(matches!(wire.message(0).await, Err(Broken::Malformed)));
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_can_be_thrown_away_as_it_comes() {
        let (mut wire, mut theirs) = wires(b"D\0\x10\0\0abc").await;
        assert!(matches!(wire.message(10).await, Err(Broken::TooLarge(tag::DATA_ROW))));
        let rest = async {
            // The length counts itself, and three bytes were there.
            theirs.write_all(&vec![b'x'; (1 << 20) - 4 - 3]).await.expect("it is read");
            theirs.write_all(b"Z\0\0\0\x05I").await.expect("it is read");
        };
        let (skipped, ()) = tokio::join!(wire.skip(), rest);
        skipped.expect("thrown away");
        assert!(wire.incoming.capacity() <= 2 * READ_BYTES_MOST);
        assert_eq!(wire.message(0).await.expect("a message").tag, tag::READY);
    }

    #[test]
    fn a_socket_is_taken_along_to_another_runtime() {
        let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (first, second) = (runtime(), runtime());
        let (mut wire, mut theirs) = first.block_on(wires(b""));
        second.block_on(async {
            wire.move_here().expect("it moves");
            assert!(wire.is_driven_by(second.handle().id()) && !wire.is_driven_by(first.handle().id()));
        });
        first.block_on(theirs.write_all(b"Z\0\0\0\x05I")).expect("room in the socket");
        let message = second.block_on(wire.message(0)).expect("a message");
        assert_eq!(message.tag, tag::READY);
    }

    #[tokio::test]
    async fn what_nobody_wants_is_thrown_away_until_the_other_side_closes_or_goes_on_for_too_long() {
        let (mut wire, theirs) = wires(b"D\0\0\0\x06abZ").await;
        assert!(!wire.is_gone());
        wire.hang_up().await;
        drop(theirs);
        wire.drain(1 << 20).await;
        assert!(wire.is_gone());
        let (mut wire, _theirs) = wires(&[0; 1000]).await;
        wire.drain(999).await;
        assert!(!wire.is_gone(), "it was not waited for");
        let mut taken = wire.take();
        assert!(wire.is_gone() && matches!(wire.message(0).await, Err(Broken::Gone)));
        taken.send(b"x").await;
        assert!(!taken.is_gone());
    }

    #[test]
    fn parts_end_where_the_message_ends() {
        let mut parts = Parts(b"\0\x01ab\0\0\0\0\x01x\xff\xff\xff\xff\0\0\0\x05x");
        assert_eq!((parts.u16(), parts.text()), (Some(1), Some(&b"ab"[..])));
        assert_eq!((parts.value(), parts.value(), parts.value()), (Some(Some(&b"x"[..])), Some(None), None));
        assert_eq!(Parts(b"ab").text(), None);
        assert_eq!(Parts(b"\0").u16(), None);
    }
}
