//! Where long answers are masked: a peer decides how much there is to look through, and no other check waits for that.
//!
//! Limits: up to [`AT_ONCE_BYTES_MAX`] are masked where they came; [`THREADS_MAX`] threads mask what is longer, and the rest waits its turn.
//!
//! Invariant: work that nobody waits for any more ends within one window of a text.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::placeholder::Placeholders;
use crate::abandoned::Waiting;

const AT_ONCE_BYTES_MAX: usize = 64 << 10;
/// Of the whole host. Their work is short, and whoever waits for them has a deadline.
const THREADS_MAX: usize = 2;

/// For a call whose `answer` came in time, and waited for a thread until the run had no time left.
pub(crate) fn own_threads(answer: &str) -> String {
    format!(
        "{answer} came, and waited too long for one of the {THREADS_MAX} threads that look long answers through for secrets; \
         hint: ask for less, or have fewer checks read long answers at the same time"
    )
}

/// Clones share the threads.
#[derive(Clone)]
pub(crate) struct MaskThreads {
    places: Arc<Semaphore>,
}

impl Default for MaskThreads {
    fn default() -> MaskThreads {
        MaskThreads { places: Arc::new(Semaphore::new(THREADS_MAX)) }
    }
}

impl MaskThreads {
    /// Until it is dropped nothing long is masked.
    #[cfg(test)]
    pub(crate) async fn all_taken(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = u32::try_from(THREADS_MAX).expect("few");
        Arc::clone(&self.places).acquire_many_owned(all).await.expect("the host does not end")
    }

    /// What comes of `work`, which masks so many bytes by the placeholders that it is given. None where it panicked, or where the host
    /// ends.
    pub(crate) async fn run<T, W>(&self, placeholders: &Placeholders, bytes: usize, work: W) -> Option<T>
    where
        T: Send + 'static,
        W: FnOnce(&Placeholders) -> T + Send + 'static,
    {
        if placeholders.is_empty() || bytes <= AT_ONCE_BYTES_MAX {
            return Some(work(placeholders));
        }
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let (_waiting, abandoned) = Waiting::new();
        let placeholders = placeholders.until(abandoned);
        let working = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&placeholders)
        });
        working.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::thread::{self, ThreadId};
    use std::time::Duration;

    use super::*;
    use crate::secrets::End;
    use crate::secrets::tests::drawn;

    const PATIENCE: Duration = Duration::from_secs(30);

    async fn thread_for(placeholders: &Placeholders, bytes: usize) -> ThreadId {
        MaskThreads::default().run(placeholders, bytes, |_| thread::current().id()).await.expect("it does not panic")
    }

    #[tokio::test]
    async fn only_a_long_answer_leaves_its_thread_and_only_where_there_are_secrets() {
        let (some, none) = (drawn(&[("a", b"swordfish")]), Placeholders::default());
        let own = thread::current().id();
        assert_eq!(thread_for(&some, AT_ONCE_BYTES_MAX).await, own);
        assert_ne!(thread_for(&some, AT_ONCE_BYTES_MAX + 1).await, own);
        assert_eq!(thread_for(&none, usize::MAX).await, own);
    }

    #[tokio::test]
    async fn a_panic_is_no_answer() {
        let placeholders = drawn(&[("a", b"swordfish")]);
        let ended: Option<()> = MaskThreads::default().run(&placeholders, usize::MAX, |_| panic!("as it is meant to")).await;
        assert_eq!(ended, None);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends_and_hides_everything() {
        let (threads, placeholders) = (Arc::new(MaskThreads::default()), drawn(&[("a", b"swordfish")]));
        let (began, has_begun) = sync_channel(1);
        let (tell, told) = sync_channel(1);
        let (go_on, gone_on) = sync_channel::<()>(1);
        let work = move |placeholders: &Placeholders| {
            began.send(()).expect("the test waits");
            gone_on.recv_timeout(PATIENCE).expect("the test lets it go on");
            tell.send(placeholders.mask_bytes(b"nothing secret", End::Whole)).expect("the test waits");
        };
        let waiting = {
            let threads = Arc::clone(&threads);
            tokio::spawn(async move { threads.run(&placeholders, usize::MAX, work).await })
        };
        tokio::task::spawn_blocking(move || has_begun.recv_timeout(PATIENCE).expect("it begins")).await.expect("no panic");
        waiting.abort();
        assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
        go_on.send(()).expect("it waits");
        let hidden = told.recv_timeout(PATIENCE).expect("it ends").expect("all of it is hidden");
        assert!(hidden.starts_with(b"sbsecret-") && !hidden.ends_with(b"secret"), "{hidden:?}");
        let places = tokio::time::timeout(PATIENCE, threads.places.acquire_many(2)).await;
        assert!(places.is_ok(), "the place is given back");
    }
}
