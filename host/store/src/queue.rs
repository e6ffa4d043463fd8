//! The one ordered queue in front of the store.
//!
//! Who is who: many runs [`ResultQueue::push`]; one writer task takes what has come and writes it, in order, in batches.
//!
//! A plain result waits in the queue until the flush interval is over or a batch is full, and wakes nobody. A transition wakes the
//! writer at once: everything before it is written, and it commits together with that. What has come meanwhile goes along, so
//! a thousand transitions at once are a few commits, not a thousand. A result whose number somebody waits for
//! ([`ResultQueue::push_urgent`]) goes the same way, and is answered after its commit.
//!
//! What is decided on results ([`Alongside`]), and what others decide ([`ResultQueue::decide`]), is asked for in the order of the queue and
//! committed with the results before it: one writer, one order, for results and documents. What is due anyhow comes ahead of it
//! ([`Alongside::ahead`]), in as many commits as it needs.
//!
//! A write that fails is tried again, with growing pauses, until it succeeds: the order stays, the queue fills, and `push` waits.
//! After [`ResultQueue::shutdown`] was called the attempts are counted.
//!
//! Invariant: what [`Alongside::written`] is told is on the disk already.
//! Invariant: nothing is lost on an orderly shutdown; on a kill, at most the plain results of one flush interval.

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{
        Notify,
        mpsc::{self, error::TryRecvError},
        oneshot, watch,
    },
    task::JoinHandle,
};

use crate::{Change, Committed, ResultRecord, Store, StoreError, error::chain};

/// Results that wait in the queue; `push` waits while it is full.
pub const QUEUE_LEN_MAX: usize = 8192;
/// Results in one transaction.
pub const BATCH_LEN_MAX: usize = 512;
/// Changes of documents after which a transaction takes no more.
const CHANGES_LEN_MAX: usize = 4_096;
/// The pause after the first failed attempt; each next one is twice as long.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// Attempts to write one batch once the host shuts down.
const SHUTDOWN_ATTEMPTS_MAX: u32 = 4;

/// Who goes with the results: asked for what changes with each of them, told what is on the disk.
pub trait Alongside: Send + Sync + 'static {
    /// What is committed together with `record`. Called once for each, in their order, before it is written; must not block.
    fn changes(&self, _record: &ResultRecord) -> Vec<Change> {
        Vec::new()
    }

    /// What is committed ahead of whatever is asked for next: called before that, and again until it gives nothing, so that much comes in
    /// rounds, each of which may be a commit of its own. Must not block.
    fn ahead(&self) -> Vec<Change> {
        Vec::new()
    }

    /// After each commit, with what it has written, in order, without the duplicates that the store ignored, and the highest number of a
    /// document that was announced. Called between two writes; must not block.
    fn written(&self, committed: &[Committed], announced: Option<u64>);
}

impl<F: Fn(&[Committed]) + Send + Sync + 'static> Alongside for F {
    fn written(&self, committed: &[Committed], _announced: Option<u64>) {
        self(committed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The store did not take them; the log has the reason.
    #[error("{count} results could not be stored before the end")]
    Lost { count: usize },
    /// The writer has ended.
    #[error("the queue of results has been shut down")]
    Stopped,
    /// The store ignored it.
    #[error("the check has a result for this time already")]
    Duplicate,
}

/// The way to the store; cheap to clone. The last clone that is dropped ends the writer, after it has written what is there.
#[derive(Clone)]
pub struct ResultQueue {
    sender: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

/// Comes with the commit of a result.
#[derive(Debug)]
#[must_use = "it is only there to be waited for"]
pub struct Receipt(oneshot::Receiver<Result<Committed, QueueError>>);

impl Receipt {
    /// The result with its number. While the store fails it waits: set a limit around it.
    pub async fn committed(self) -> Result<Committed, QueueError> {
        self.0.await.unwrap_or(Err(QueueError::Stopped))
    }
}

enum Message {
    /// With who waits for its commit, if anybody does.
    Result(Arc<ResultRecord>, Option<Waiting>),
    /// What somebody decides when its turn has come.
    Decide(Decide, Answer),
    Flush(Answer),
    /// The last one: what was pushed before it is written, nothing comes after it.
    Stop(Answer),
}

type Decide = Box<dyn FnOnce() -> Vec<Change> + Send>;
type Answer = oneshot::Sender<Result<(), QueueError>>;
type Waiting = oneshot::Sender<Result<Committed, QueueError>>;

struct Shared {
    /// Wakes the writer before its interval is over.
    wake: Notify,
    /// Why the last write failed; from the first one that did to the next one that succeeds.
    trouble: Mutex<Option<&'static str>>,
    /// In the queue or with the writer, not yet on the disk.
    pending: AtomicUsize,
    lost: AtomicUsize,
    /// Set once: from now on attempts are counted.
    stopping: watch::Sender<bool>,
}

impl Shared {
    /// Notes how the last write ended; gives how the one before it did.
    fn now(&self, trouble: Option<&'static str>) -> Option<&'static str> {
        mem::replace(&mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner), trouble)
    }
}

impl ResultQueue {
    /// Starts the writer; `on_written` is told as [`Alongside::written`] is, where a commit has written results.
    pub fn start(
        store: Arc<dyn Store>,
        flush_interval: Duration,
        on_written: impl Fn(&[Committed]) + Send + Sync + 'static,
    ) -> (ResultQueue, JoinHandle<()>) {
        let listener = move |committed: &[Committed]| {
            if !committed.is_empty() {
                on_written(committed);
            }
        };
        ResultQueue::start_alongside(store, flush_interval, listener)
    }

    /// Starts the writer; `alongside` goes with it.
    pub fn start_alongside(store: Arc<dyn Store>, flush_interval: Duration, alongside: impl Alongside) -> (ResultQueue, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(QUEUE_LEN_MAX);
        let shared = Arc::new(Shared {
            wake: Notify::new(),
            trouble: Mutex::default(),
            pending: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            stopping: watch::Sender::new(false),
        });
        let writer = Writer {
            store,
            flush_interval,
            alongside: Box::new(alongside),
            stopping: shared.stopping.subscribe(),
            shared: Arc::clone(&shared),
            receiver,
            next: None,
            batch: Vec::with_capacity(BATCH_LEN_MAX),
            changes: Vec::new(),
            waiting: Vec::new(),
            answers: Vec::new(),
        };
        let handle = tokio::spawn(writer.run());
        (ResultQueue { sender, shared }, handle)
    }

    /// Queues one result; waits while the queue is full. After a shutdown the result is dropped, and the log says so.
    pub async fn push(&self, record: Arc<ResultRecord>) {
        self.enqueue(record, None).await;
    }

    /// Queues one result as [`ResultQueue::push`] does, and has it written at once with everything before it.
    pub async fn push_urgent(&self, record: Arc<ResultRecord>) -> Receipt {
        let (waiting, receipt) = oneshot::channel();
        self.enqueue(record, Some(waiting)).await;
        Receipt(receipt)
    }

    /// Has `decide` called when its turn has come, and what it gives committed. Returns when that is on the disk: while the store fails it
    /// waits, and a limit around it takes nothing back.
    ///
    /// # Errors
    /// After a shutdown, where `decide` was not called, and where its changes could not be stored before the end.
    pub async fn decide(&self, decide: impl FnOnce() -> Vec<Change> + Send + 'static) -> Result<(), QueueError> {
        let decide: Decide = Box::new(decide);
        self.ask(|answer| Message::Decide(decide, answer)).await
    }

    async fn enqueue(&self, record: Arc<ResultRecord>, waiting: Option<Waiting>) {
        let urgent = waiting.is_some() || record.transition.is_some();
        let Ok(permit) = self.sender.reserve().await else {
            tracing::error!(check = &*record.check, "a result came after the queue was shut down and is not stored");
            return;
        };
        // Counted before it can be written.
        self.shared.pending.fetch_add(1, Ordering::Relaxed);
        permit.send(Message::Result(record, waiting));
        if urgent || self.queued() >= BATCH_LEN_MAX {
            self.shared.wake.notify_one();
        }
    }

    /// Returns when everything that was pushed before is on the disk. While the store fails it waits: set a limit around it.
    pub async fn flush(&self) -> Result<(), QueueError> {
        self.ask(Message::Flush).await
    }

    /// Writes what is there and ends the writer. Call it when nobody pushes any more. Where the store keeps failing it gives up
    /// after a few attempts and says how many results are lost. A second call answers as the first did.
    pub async fn shutdown(&self) -> Result<(), QueueError> {
        self.shared.stopping.send_replace(true);
        match self.ask(Message::Stop).await {
            Err(QueueError::Stopped) => match self.shared.lost.load(Ordering::Acquire) {
                0 => Ok(()),
                count => Err(QueueError::Lost { count }),
            },
            outcome => outcome,
        }
    }

    /// Why the last write failed, where it did, as [`StoreError::brief`] says it.
    pub fn trouble(&self) -> Option<&'static str> {
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the last write succeeded.
    pub fn healthy(&self) -> bool {
        self.trouble().is_none()
    }

    /// Results in the queue, or with the writer, that are not yet on the disk.
    pub fn pending(&self) -> usize {
        self.shared.pending.load(Ordering::Relaxed)
    }

    async fn ask(&self, message: impl FnOnce(Answer) -> Message) -> Result<(), QueueError> {
        let (answer, outcome) = oneshot::channel();
        self.sender.send(message(answer)).await.map_err(|_| QueueError::Stopped)?;
        self.shared.wake.notify_one();
        outcome.await.unwrap_or(Err(QueueError::Stopped))
    }

    fn queued(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

impl fmt::Debug for ResultQueue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResultQueue").field("healthy", &self.healthy()).field("pending", &self.pending()).finish()
    }
}

struct Writer {
    store: Arc<dyn Store>,
    flush_interval: Duration,
    alongside: Box<dyn Alongside>,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
    receiver: mpsc::Receiver<Message>,
    /// Taken from the queue; what comes ahead of it filled the batch.
    next: Option<Message>,
    /// Taken from the queue, not yet on the disk; at most [`BATCH_LEN_MAX`].
    batch: Vec<Arc<ResultRecord>>,
    /// What is committed with the batch.
    changes: Vec<Change>,
    /// Who waits for one result of the batch, with its place there.
    waiting: Vec<(usize, Waiting)>,
    /// Who waits for the batch.
    answers: Vec<Answer>,
}

/// How taking from the queue ended.
enum Taken {
    BatchFull,
    QueueEmpty,
    /// Empty, and nothing will come.
    QueueClosed,
}

impl Writer {
    async fn run(mut self) {
        loop {
            tokio::select! {
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep(self.flush_interval) => {}
            }
            loop {
                let taken = self.take();
                if !self.commit().await {
                    return self.give_up();
                }
                for answer in self.answers.drain(..) {
                    // Who asked may have stopped waiting.
                    let _ = answer.send(Ok(()));
                }
                match taken {
                    Taken::BatchFull => {}
                    Taken::QueueEmpty => break,
                    Taken::QueueClosed => return,
                }
            }
        }
    }

    fn take(&mut self) -> Taken {
        while self.batch.len() < BATCH_LEN_MAX && self.changes.len() < CHANGES_LEN_MAX {
            // Before what comes ahead of it is asked for: that knows all that was known when this was sent.
            let message = self.next.take().map_or_else(|| self.receiver.try_recv(), Ok);
            if self.go_ahead() {
                self.next = message.ok();
                return Taken::BatchFull;
            }
            match message {
                Ok(Message::Result(record, waiting)) => {
                    self.changes.extend(self.alongside.changes(&record));
                    self.waiting.extend(waiting.map(|waiting| (self.batch.len(), waiting)));
                    self.batch.push(record);
                }
                Ok(Message::Decide(decide, answer)) => {
                    self.changes.extend(decide());
                    self.answers.push(answer);
                }
                Ok(Message::Flush(answer)) => self.answers.push(answer),
                Ok(Message::Stop(answer)) => {
                    self.answers.push(answer);
                    self.receiver.close();
                }
                Err(TryRecvError::Empty) => return Taken::QueueEmpty,
                Err(TryRecvError::Disconnected) => return Taken::QueueClosed,
            }
        }
        Taken::BatchFull
    }

    /// Takes what comes ahead of the next message, as far as the batch has room; gives whether there may be more.
    fn go_ahead(&mut self) -> bool {
        while self.changes.len() < CHANGES_LEN_MAX {
            let changes = self.alongside.ahead();
            if changes.is_empty() {
                return false;
            }
            self.changes.extend(changes);
        }
        true
    }

    /// Tries until the batch is written. False: the host shuts down, and the attempts are used up.
    async fn commit(&mut self) -> bool {
        if self.batch.is_empty() && self.changes.is_empty() {
            return true;
        }
        let mut attempts_left = SHUTDOWN_ATTEMPTS_MAX;
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let outcome = self.store.commit(&self.batch, &self.changes).await;
            match outcome {
                Ok(seqs) => {
                    self.succeeded(&seqs);
                    return true;
                }
                Err(error) => self.failed(&error),
            }
            let stopping = *self.stopping.borrow_and_update();
            if stopping {
                attempts_left -= 1;
                if attempts_left == 0 {
                    return false;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(RETRY_PAUSE_MAX),
                Ok(()) = self.stopping.changed() => pause = RETRY_PAUSE_MIN,
            }
        }
    }

    /// `seqs` are the numbers of the batch, and behind them those of documents.
    fn succeeded(&mut self, seqs: &[Option<u64>]) {
        self.shared.pending.fetch_sub(self.batch.len(), Ordering::Relaxed);
        if self.shared.now(None).is_some() {
            tracing::info!(pending = self.shared.pending.load(Ordering::Relaxed), "results are stored again");
        }
        let committed = |(record, seq): (&Arc<ResultRecord>, &Option<u64>)| seq.map(|seq| Committed { seq, record: Arc::clone(record) });
        let written: Vec<Committed> = self.batch.iter().zip(seqs).filter_map(committed).collect();
        let announced = seqs.iter().skip(self.batch.len()).flatten().max().copied();
        self.alongside.written(&written, announced);
        for (place, waiting) in self.waiting.drain(..) {
            let outcome = self.batch.get(place).zip(seqs.get(place)).and_then(committed).ok_or(QueueError::Duplicate);
            // Who asked may have stopped waiting.
            let _ = waiting.send(outcome);
        }
        self.batch.clear();
        self.changes.clear();
    }

    /// Says so once: the next line is that results are stored again, or lost.
    fn failed(&mut self, error: &StoreError) {
        if self.shared.now(Some(error.brief())).is_none() {
            tracing::error!(
                error = chain(error),
                pending = self.shared.pending.load(Ordering::Relaxed),
                "results cannot be stored; they are kept and tried again, and checks wait when {QUEUE_LEN_MAX} of them have come"
            );
        } else {
            tracing::debug!(error = chain(error), "results still cannot be stored");
        }
    }

    fn give_up(mut self) {
        // Before the queue closes: a shutdown that finds it closed reads how many are lost.
        let count = self.shared.pending.load(Ordering::Relaxed);
        self.shared.lost.store(count, Ordering::Release);
        tracing::error!(count, "results are lost: the store did not take them before the end");
        self.receiver.close();
        let mut dropped = self.batch.len();
        let mut waiting: Vec<Waiting> = self.waiting.into_iter().map(|(_, waiting)| waiting).collect();
        let mut next = self.next.take();
        while let Some(message) = next.take().or_else(|| self.receiver.try_recv().ok()) {
            match message {
                Message::Result(_, urgent) => {
                    dropped += 1;
                    waiting.extend(urgent);
                }
                Message::Decide(_, answer) | Message::Flush(answer) | Message::Stop(answer) => self.answers.push(answer),
            }
        }
        self.shared.pending.fetch_sub(dropped, Ordering::Relaxed);
        for waiting in waiting {
            let _ = waiting.send(Err(QueueError::Lost { count }));
        }
        for answer in self.answers {
            let _ = answer.send(Err(QueueError::Lost { count }));
        }
    }
}

#[cfg(test)]
mod tests;
