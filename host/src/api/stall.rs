//! A connection whose peer stops reading does not live for ever.
//!
//! A peer that is alive but reads nothing keeps a connection, the answer it did not take and, for an event stream, one of few places.
//! TCP itself never gives up on such a peer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// A stream that fails when a write has made no progress for `stall_max`.
pub(crate) struct StallGuard<S> {
    stream: S,
    stall_max: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> StallGuard<S> {
    pub(crate) fn new(stream: S, stall_max: Duration) -> StallGuard<S> {
        StallGuard { stream, stall_max, waiting: None }
    }

    pub(crate) fn get_ref(&self) -> &S {
        &self.stream
    }

    fn judge<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.waiting = None;
            return progress;
        }
        let stall_max = self.stall_max;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall_max)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has stopped reading"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let progress = Pin::new(&mut guard.stream).poll_write(context, bytes);
        guard.judge(context, progress)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let guard = self.get_mut();
        let progress = Pin::new(&mut guard.stream).poll_write_vectored(context, slices);
        guard.judge(context, progress)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let progress = Pin::new(&mut guard.stream).poll_flush(context);
        guard.judge(context, progress)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let guard = self.get_mut();
        let progress = Pin::new(&mut guard.stream).poll_shutdown(context);
        guard.judge(context, progress)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_nothing_ends_the_connection() {
        let (near, _far) = tokio::io::duplex(16);
        let mut near = StallGuard::new(near, Duration::from_millis(1));
        let error = near.write_all(&[0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_reads_gets_everything() {
        let (near, mut far) = tokio::io::duplex(16);
        let mut near = StallGuard::new(near, Duration::from_secs(60));
        let write = async {
            near.write_all(&[7; 4096]).await.unwrap();
            near.shutdown().await.unwrap();
        };
        let mut read = Vec::new();
        let (_, taken) = tokio::join!(write, far.read_to_end(&mut read));
        taken.unwrap();
        assert_eq!(read, [7; 4096]);
    }
}
