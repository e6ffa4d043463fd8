//! Where a guest's stdout and stderr go: a bounded text that is kept with the run, the rest is counted and dropped.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

#[derive(Debug, Default)]
struct Written {
    text: Vec<u8>,
    bytes_dropped: u64,
}

/// Cheap to clone; all clones write to the same text.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    written: Arc<Mutex<Written>>,
    bytes_max: usize,
}

impl Output {
    pub(crate) fn new(bytes_max: u32) -> Output {
        Output { written: Arc::default(), bytes_max: bytes_max as usize }
    }

    /// What was written, and how many bytes more were dropped.
    pub(crate) fn take(&self) -> (String, u64) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::mem::take(&mut written.text);
        (String::from_utf8_lossy(&text).into_owned(), written.bytes_dropped)
    }

    fn write(&self, bytes: &[u8]) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.bytes_max.saturating_sub(written.text.len()).min(bytes.len());
        written.text.extend_from_slice(&bytes[..room]);
        written.bytes_dropped += (bytes.len() - room) as u64;
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
