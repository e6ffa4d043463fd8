//! The work of a call in a task of its own: a guest's call is polled on the guest's small stack and charged to its processor time, and what
//! a peer makes the host do is neither's.
//!
//! Invariant: the work ends with whoever waits for it.

use tokio::task::JoinHandle;

/// Dropping it ends the task, and with it what the task works with.
pub(crate) struct OwnTask<T>(JoinHandle<T>);

impl<T> Drop for OwnTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Send + 'static> OwnTask<T> {
    pub(crate) fn spawn(work: impl Future<Output = T> + Send + 'static) -> OwnTask<T> {
        // In a box: a task is moved several times before it stays, and the work is some kilobytes.
        OwnTask(tokio::spawn(Box::pin(work)))
    }

    /// None where it panicked.
    pub(crate) async fn ended(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}
