use std::{path::Path, sync::Mutex};

use sickbay_core::{Status, Timestamp, Transition};
use sqlx::{ConnectOptions, SqliteConnection, raw_sql, sqlite::SqliteConnectOptions};

use super::*;
use crate::{
    Document, Kind,
    conformance::{self, failing},
    sqlite,
};

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3_600);

/// What `on_written` was told: one list of (check, seq) for each commit.
#[derive(Clone, Default)]
struct Commits(Arc<Mutex<Vec<Vec<(String, u64)>>>>);

impl Commits {
    fn listener(&self) -> impl Fn(&[Committed]) + Send + Sync + 'static {
        let commits = Arc::clone(&self.0);
        move |written| commits.lock().unwrap().push(written.iter().map(|new| (new.record.check.to_string(), new.seq)).collect())
    }

    fn lens(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(Vec::len).collect()
    }

    fn seqs(&self) -> Vec<u64> {
        self.0.lock().unwrap().iter().flatten().map(|(_, seq)| *seq).collect()
    }

    fn checks(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().flatten().map(|(check, _)| check.clone()).collect()
    }
}

async fn in_memory() -> Arc<dyn Store> {
    Arc::new(sqlite::open_memory().await.unwrap())
}

/// A store on a file and, with the lock held, somebody else who keeps it from writing.
async fn locked(path: &Path) -> (Arc<dyn Store>, SqliteConnection) {
    let store: Arc<dyn Store> = Arc::new(sqlite::open_file(path, Duration::from_millis(1)).await.unwrap());
    let mut blocker = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    raw_sql("BEGIN IMMEDIATE").execute(&mut blocker).await.unwrap();
    (store, blocker)
}

async fn unlock(blocker: &mut SqliteConnection) {
    raw_sql("ROLLBACK").execute(blocker).await.unwrap();
}

fn record(check: &str, at: u64) -> Arc<ResultRecord> {
    Arc::new(conformance::record(check, at))
}

fn transition(check: &str, at: u64) -> Arc<ResultRecord> {
    let mut record = failing(check, at, Status::Critical);
    record.transition = Some(Transition { from: Status::Ok, to: Status::Critical, at: Timestamp(at) });
    Arc::new(record)
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it happens");
}

#[tokio::test]
async fn what_was_pushed_before_a_flush_is_on_the_disk_in_order() {
    let store = in_memory().await;
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(Arc::clone(&store), NEVER, commits.listener());
    for number in 0..1_300 {
        queue.push(record("api", number)).await;
    }
    queue.flush().await.unwrap();
    assert_eq!(queue.pending(), 0);
    assert!(queue.healthy());
    assert_eq!(commits.seqs(), (1..=1_300).collect::<Vec<u64>>());
    assert!(commits.lens().iter().all(|len| *len <= BATCH_LEN_MAX));
    let times: Vec<u64> = store.events(0, 2_000).await.unwrap().iter().map(|read| read.record.scheduled_at.0).collect();
    assert_eq!(times, (0..1_300).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_flush_of_an_empty_queue_returns() {
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, |_| {});
    queue.flush().await.unwrap();
}

#[tokio::test]
async fn a_transition_commits_at_once_together_with_everything_before_it() {
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, commits.listener());
    for number in 0..3 {
        queue.push(record("before", number)).await;
    }
    queue.push(transition("down", 1)).await;
    until(|| queue.pending() == 0).await;
    until(|| !commits.lens().is_empty()).await;
    assert_eq!(commits.lens(), [4]);
    assert_eq!(commits.checks(), ["before", "before", "before", "down"]);
}

#[tokio::test]
async fn a_thousand_transitions_are_a_few_commits() {
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, commits.listener());
    let pushes = async {
        for number in 0..1_000 {
            queue.push(transition(&format!("check-{number}"), 1)).await;
        }
    };
    // In one go, as on a worker thread of its own.
    tokio::task::unconstrained(pushes).await;
    queue.flush().await.unwrap();
    assert_eq!(commits.seqs(), (1..=1_000).collect::<Vec<u64>>());
    assert!(commits.lens().len() <= 3, "{:?}", commits.lens());
}

#[tokio::test]
async fn plain_results_wait_for_the_flush_interval() {
    let interval = Duration::from_millis(50);
    let commits = Commits::default();
    let start = tokio::time::Instant::now();
    let (queue, _handle) = ResultQueue::start(in_memory().await, interval, commits.listener());
    queue.push(record("api", 1)).await;
    queue.push(record("api", 2)).await;
    until(|| queue.pending() == 0).await;
    assert!(start.elapsed() >= interval);
    until(|| !commits.lens().is_empty()).await;
    assert_eq!(commits.lens(), [2]);
}

#[tokio::test]
async fn a_duplicate_is_not_told_again() {
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, commits.listener());
    queue.push(record("api", 1)).await;
    queue.push(record("api", 1)).await;
    queue.flush().await.unwrap();
    queue.push(record("api", 1)).await;
    queue.flush().await.unwrap();
    assert_eq!(commits.lens(), [1]);
    assert_eq!(queue.pending(), 0);
}

#[tokio::test]
async fn an_urgent_result_commits_at_once_with_what_was_before_it_and_is_answered_with_its_number() {
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, commits.listener());
    queue.push(record("before", 1)).await;
    queue.push(record("before", 2)).await;
    let urgent = record("api", 1);
    let committed = queue.push_urgent(Arc::clone(&urgent)).await.committed().await.unwrap();
    assert_eq!(committed.seq, 3);
    assert!(Arc::ptr_eq(&committed.record, &urgent));
    // It was told before it was answered.
    assert_eq!(commits.lens(), [3]);
}

#[tokio::test]
async fn each_who_waits_gets_the_number_of_his_own_result() {
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, |_| {});
    let mut receipts = Vec::new();
    for number in 0..10 {
        queue.push(record("plain", number)).await;
        receipts.push(queue.push_urgent(record("api", number)).await);
    }
    for (number, receipt) in (0..10).zip(receipts) {
        let committed = receipt.committed().await.unwrap();
        assert_eq!((committed.seq, committed.record.scheduled_at), (2 * number + 2, Timestamp(number)));
    }
}

#[tokio::test]
async fn who_waits_for_a_duplicate_is_told_that_it_is_one() {
    let (queue, _handle) = ResultQueue::start(in_memory().await, NEVER, |_| {});
    assert_eq!(queue.push_urgent(record("api", 1)).await.committed().await.unwrap().seq, 1);
    let again = queue.push_urgent(record("api", 1)).await;
    let next = queue.push_urgent(record("api", 2)).await;
    assert_eq!(again.committed().await, Err(QueueError::Duplicate));
    assert_eq!(next.committed().await.unwrap().seq, 2);
    assert!(queue.healthy());
}

#[tokio::test]
async fn who_waits_is_answered_also_while_the_host_ends() {
    let (queue, handle) = ResultQueue::start(in_memory().await, NEVER, |_| {});
    let receipt = queue.push_urgent(record("api", 1)).await;
    queue.shutdown().await.unwrap();
    handle.await.unwrap();
    assert_eq!(receipt.committed().await.unwrap().seq, 1);
    assert_eq!(queue.push_urgent(record("api", 2)).await.committed().await, Err(QueueError::Stopped));
}

#[tokio::test]
async fn who_waits_for_what_is_lost_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _blocker) = locked(&folder.path().join("sickbay.db")).await;
    let (queue, _handle) = ResultQueue::start(store, NEVER, |_| {});
    let with_the_writer = queue.push_urgent(record("api", 1)).await;
    until(|| !queue.healthy()).await;
    assert!(queue.trouble().is_some_and(|told| told.starts_with("another process holds the database locked")));
    let queued = queue.push_urgent(record("api", 2)).await;
    assert_eq!(queue.shutdown().await, Err(QueueError::Lost { count: 2 }));
    for receipt in [with_the_writer, queued] {
        assert_eq!(receipt.committed().await, Err(QueueError::Lost { count: 2 }));
    }
}

#[tokio::test]
async fn a_store_that_fails_loses_nothing_and_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut blocker) = locked(&folder.path().join("sickbay.db")).await;
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(store, NEVER, commits.listener());
    queue.push(record("first", 1)).await;
    queue.push(transition("second", 1)).await;
    until(|| !queue.healthy()).await;
    queue.push(record("third", 1)).await;
    assert_eq!(queue.pending(), 3);
    assert!(commits.lens().is_empty());

    unlock(&mut blocker).await;
    queue.flush().await.unwrap();
    assert!(queue.healthy());
    assert_eq!(queue.pending(), 0);
    assert_eq!(commits.checks(), ["first", "second", "third"]);
    assert_eq!(commits.seqs(), [1, 2, 3]);
}

#[tokio::test]
async fn a_full_queue_makes_a_push_wait() {
    const FULL: usize = QUEUE_LEN_MAX + BATCH_LEN_MAX;
    let folder = tempfile::tempdir().unwrap();
    let (store, mut blocker) = locked(&folder.path().join("sickbay.db")).await;
    let commits = Commits::default();
    let (queue, _handle) = ResultQueue::start(store, NEVER, commits.listener());
    let pusher = tokio::spawn({
        let queue = queue.clone();
        async move {
            for number in 0..FULL as u64 + 100 {
                queue.push(record("api", number)).await;
            }
        }
    });
    until(|| queue.pending() == FULL && queue.sender.capacity() == 0).await;
    assert!(!pusher.is_finished());

    unlock(&mut blocker).await;
    pusher.await.unwrap();
    queue.flush().await.unwrap();
    assert_eq!(commits.seqs(), (1..=FULL as u64 + 100).collect::<Vec<u64>>());
}

#[tokio::test]
async fn an_orderly_shutdown_loses_nothing() {
    let store = in_memory().await;
    let (queue, handle) = ResultQueue::start(Arc::clone(&store), NEVER, |_| {});
    for number in 0..1_000 {
        queue.push(record("api", number)).await;
    }
    queue.shutdown().await.unwrap();
    handle.await.unwrap();
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 1_000));

    queue.shutdown().await.unwrap();
    assert_eq!(queue.flush().await, Err(QueueError::Stopped));
    queue.push(record("late", 1)).await;
    assert_eq!(queue.pending(), 0);
}

#[tokio::test]
async fn a_shutdown_ends_although_the_store_fails_and_says_what_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _blocker) = locked(&folder.path().join("sickbay.db")).await;
    let commits = Commits::default();
    let (queue, handle) = ResultQueue::start(store, NEVER, commits.listener());
    for number in 0..600 {
        queue.push(record("api", number)).await;
    }
    until(|| !queue.healthy()).await;
    assert_eq!(queue.shutdown().await, Err(QueueError::Lost { count: 600 }));
    handle.await.unwrap();
    assert_eq!(queue.shutdown().await, Err(QueueError::Lost { count: 600 }));
    assert_eq!(queue.pending(), 0);
    assert!(commits.lens().is_empty());
}

#[tokio::test]
async fn the_writer_ends_with_the_last_who_could_push() {
    let store = in_memory().await;
    let (queue, handle) = ResultQueue::start(Arc::clone(&store), Duration::from_millis(1), |_| {});
    queue.push(record("api", 1)).await;
    drop(queue);
    handle.await.unwrap();
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 1));
}

/// Opens an incident with each transition, and remembers which documents were on the disk when it was told of a commit.
struct Incidents {
    taken: Arc<Mutex<Vec<String>>>,
    told: Arc<AtomicUsize>,
}

fn incident(id: &str) -> Document {
    let (kind, parent, at) = (Kind::Incident, String::new(), Timestamp(1));
    Document { kind, id: id.to_owned(), parent, at, open: true, body: "{}".to_owned() }
}

impl Alongside for Incidents {
    fn changes(&self, record: &ResultRecord) -> Vec<Change> {
        self.taken.lock().unwrap().push(record.check.to_string());
        record.transition.iter().map(|_| Change::Put(incident(&record.check))).collect()
    }

    fn written(&self, _committed: &[Committed], _announced: Option<u64>) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }
}

async fn incidents(store: &Arc<dyn Store>) -> Vec<String> {
    store.open_documents(Kind::Incident, "", 100).await.unwrap().into_iter().map(|document| document.id).collect()
}

#[tokio::test]
async fn what_is_decided_on_results_is_committed_with_them_and_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sickbay.db");
    let (store, mut blocker) = locked(&path).await;
    let (taken, told) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let alongside = Incidents { taken: Arc::clone(&taken), told: Arc::clone(&told) };
    let (queue, _handle) = ResultQueue::start_alongside(Arc::clone(&store), NEVER, alongside);
    queue.push(record("quiet", 1)).await;
    queue.push(transition("down", 1)).await;
    let decided = {
        let (queue, taken) = (queue.clone(), Arc::clone(&taken));
        tokio::spawn(async move {
            queue
                .decide(move || {
                    taken.lock().unwrap().push("decided".to_owned());
                    vec![Change::Put(incident("decided")), Change::Remove(Kind::Incident, "down".to_owned())]
                })
                .await
        })
    };
    until(|| !queue.healthy()).await;
    assert_eq!((incidents(&store).await.len(), told.load(Ordering::Relaxed)), (0, 0));
    unlock(&mut blocker).await;
    decided.await.unwrap().unwrap();
    assert_eq!(incidents(&store).await, ["decided"]);
    // Each was asked once, however often the write was tried.
    assert_eq!(*taken.lock().unwrap(), ["quiet", "down", "decided"]);
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 2));
    assert!(told.load(Ordering::Relaxed) > 0);
}

/// Gives rounds of documents before anything else, and counts commits.
struct Rounds {
    left: Mutex<usize>,
    announced: Arc<Mutex<Vec<u64>>>,
}

impl Alongside for Rounds {
    fn ahead(&self) -> Vec<Change> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            return Vec::new();
        }
        *left -= 1;
        let round = *left;
        (0..1_000).map(|number| Change::Announce(incident(&format!("{round}-{number}")))).collect()
    }

    fn written(&self, _committed: &[Committed], announced: Option<u64>) {
        self.announced.lock().unwrap().extend(announced);
    }
}

#[tokio::test]
async fn what_comes_ahead_is_committed_in_parts_before_the_next_message() {
    let store = in_memory().await;
    let announced = Arc::new(Mutex::new(Vec::new()));
    let alongside = Rounds { left: Mutex::new(25), announced: Arc::clone(&announced) };
    let (queue, _handle) = ResultQueue::start_alongside(Arc::clone(&store), NEVER, alongside);
    let committed = queue.push_urgent(record("api", 1)).await.committed().await.unwrap();
    assert_eq!(*announced.lock().unwrap(), [5_000, 10_000, 15_000, 20_000, 25_000]);
    assert_eq!((committed.seq, queue.pending()), (25_001, 0));
    assert_eq!(store.bounds().await.unwrap(), (Some(25_001), 25_001));
}

#[tokio::test]
async fn a_decision_alone_is_committed_and_after_the_end_none_is_taken() {
    let store = in_memory().await;
    let (queue, handle) = ResultQueue::start(Arc::clone(&store), NEVER, |_| {});
    queue.decide(|| vec![Change::Put(incident("alone"))]).await.unwrap();
    assert_eq!(incidents(&store).await, ["alone"]);
    queue.shutdown().await.unwrap();
    handle.await.unwrap();
    let after = queue.decide(|| panic!("nobody calls it")).await;
    assert_eq!(after, Err(QueueError::Stopped));
}
