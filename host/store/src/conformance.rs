//! What every store must do, written against [`Store`] alone.
//!
//! [`suite`] is for any store; [`durable_suite`] for those that outlive their process. Each case has a database of its own:
//! `open` is called with the name of the case, and called again with the same name it opens the same database again.

mod documents;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use sickbay_core::{
    CheckState, Decision, Evidence, FlapBegin, Flapping, Holding, Label, Metric, MetricKind, Reason, StateKind, Status, Timestamp,
    Transition,
};

use crate::{Change, Committed, Document, Kind, Page, ResultRecord, Retention, Store, Trigger};
use documents::document;
pub use documents::{
    a_copy_of_documents_alone_has_all_of_them, announced_documents_are_numbered_with_results, closed_documents_go_by_age,
    documents_are_paged_newest_first, documents_change_with_results, documents_count_for_the_bytes_that_are_kept,
};

const HOUR_MS: u64 = 3_600_000;
/// 2026-11-20.
const NOW: Timestamp = Timestamp(1_795_132_800_000);
const NOTHING: [Committed; 0] = [];

/// What any store must do.
pub async fn suite(open: impl AsyncFn(&str) -> Arc<dyn Store>) {
    an_empty_store_has_nothing(&*open("empty").await).await;
    results_are_numbered_in_the_order_they_are_written(&*open("order").await).await;
    a_record_comes_back_as_it_was_written(&*open("round-trip").await).await;
    a_second_result_for_a_scheduled_time_is_ignored(&*open("duplicates").await).await;
    the_last_record_of_each_check_is_its_state(&*open("last").await).await;
    the_last_success_is_known_after_failures(&*open("last-success").await).await;
    history_is_paged_newest_first(&*open("history").await).await;
    a_long_history_is_paged_without_a_gap(&*open("long-history").await).await;
    events_follow_a_sequence_number(&*open("events").await).await;
    documents_change_with_results(&*open("documents").await).await;
    documents_are_paged_newest_first(&*open("document-pages").await).await;
    closed_documents_go_by_age(&*open("document-age").await).await;
    announced_documents_are_numbered_with_results(&*open("announced").await).await;
    documents_count_for_the_bytes_that_are_kept(&*open("document-bytes").await).await;
    what_a_plugin_keeps_is_written_with_its_result(&*open("plugin-state").await).await;
    pruning_removes_by_age_and_keeps_the_newest_of_each_check(&*open("prune-age").await).await;
    pruning_removes_the_oldest_until_the_bytes_fit(&*open("prune-bytes").await).await;
    readers_see_whole_batches_while_a_writer_writes(&*open("readers").await).await;
    a_closed_store_says_so(&*open("closed").await).await;
}

/// What a store must do that outlives its process.
pub async fn durable_suite(open: impl AsyncFn(&str) -> Arc<dyn Store>) {
    reopening_gives_everything_back(&open).await;
    a_number_is_not_given_twice_after_pruning_and_reopening(&open).await;
}

/// A plain result that is ok.
pub fn record(check: &str, scheduled_at: u64) -> ResultRecord {
    ResultRecord {
        check: check.into(),
        scheduled_at: Timestamp(scheduled_at),
        started_at: Timestamp(scheduled_at),
        duration_us: 1_500,
        trigger: Trigger::Schedule,
        plugin: "http".into(),
        plugin_version: "1.0.0".into(),
        status: Status::Ok,
        summary: "200 in 12 ms".to_owned(),
        reason: Reason::Passed,
        decision: Decision::Unchanged,
        failure: None,
        evidence: Vec::new(),
        metrics: [metric("status", 200.0)].into(),
        details: None,
        state: CheckState {
            status: Status::Ok,
            hard_status: Status::Ok,
            kind: StateKind::Hard,
            since: Timestamp(1_000),
            failures: 0,
            successes: 3,
            unknowns: 0,
            last_success_at: Some(Timestamp(scheduled_at)),
            flapping: Flapping::default(),
            holding: Vec::new(),
        },
        transition: None,
        plugin_state: None,
    }
}

/// A result with a status other than ok.
pub fn failing(check: &str, scheduled_at: u64, status: Status) -> ResultRecord {
    let mut failing = record(check, scheduled_at);
    failing.status = status;
    failing.reason = Reason::Reported { status, failure: Some("refused".to_owned()) };
    failing.decision = Decision::SoftFailure { count: 1, of: 3 };
    failing.failure = Some("refused".to_owned());
    failing.state.status = status;
    failing.state.kind = StateKind::Soft;
    failing.state.last_success_at = None;
    failing
}

fn metric(name: &str, value: f64) -> Metric {
    Metric { name: name.to_owned(), value, kind: MetricKind::Gauge, unit: String::new(), labels: Vec::new() }
}

/// Everything that a record can hold, with text that would break a careless store.
fn hostile(check: &str, scheduled_at: u64) -> ResultRecord {
    const TEXT: &str = "NUL \0, bell \u{7}, \u{202e}turned round\u{202c}, ' \" \\ -- ; DROP TABLE results, 漢字, 🩺, \r\n, \u{feff}";
    let mut hostile = failing(check, scheduled_at, Status::Critical);
    hostile.started_at = Timestamp(scheduled_at + 7);
    hostile.duration_us = u64::from(u32::MAX) + 1;
    hostile.trigger = Trigger::Manual;
    hostile.plugin = "größe '\"; --".into();
    hostile.plugin_version = "0.0.0-漢字".into();
    hostile.summary = TEXT.to_owned();
    hostile.reason = Reason::ConditionFailed {
        status: Status::Critical,
        condition: TEXT.to_owned(),
        actual: String::new(),
        expected: "\u{1b}[31m".to_owned(),
    };
    hostile.decision = Decision::Hardened { from: Status::Unknown, to: Status::Critical };
    hostile.failure = Some(TEXT.to_owned());
    hostile.evidence = vec![
        Evidence { metric: TEXT.to_owned(), actual: "1".to_owned(), expected: TEXT.to_owned(), unit: "seconds".to_owned() },
        Evidence::default(),
    ];
    hostile.metrics = [
        Metric {
            name: "used".to_owned(),
            value: -0.25,
            kind: MetricKind::Counter,
            unit: "ratio".to_owned(),
            labels: vec![Label { name: "mount".to_owned(), value: TEXT.to_owned() }],
        },
        metric("large", 9_007_199_254_740_992.0),
    ]
    .into();
    hostile.details = Some(format!("{{\"text\":\"{}\"}}", "x\u{1}é".repeat(16 * 1024)));
    hostile.state = CheckState {
        status: Status::Critical,
        hard_status: Status::Warning,
        kind: StateKind::Soft,
        since: Timestamp(scheduled_at + 9),
        failures: u32::MAX,
        successes: 1,
        unknowns: 2,
        last_success_at: Some(Timestamp(3)),
        flapping: Flapping { changes: 0xf_ffff, began: Some(FlapBegin { at: Timestamp(scheduled_at + 9), status: Status::Warning }) },
        holding: vec![Holding { rule: u64::MAX, held_ms: 1, at: Some(Timestamp(scheduled_at)) }, Holding { rule: 0, held_ms: 0, at: None }],
    };
    hostile.transition = Some(Transition { from: Status::Warning, to: Status::Critical, at: Timestamp(scheduled_at + 9) });
    hostile
}

async fn write(store: &dyn Store, records: Vec<ResultRecord>) -> Vec<Option<u64>> {
    store.write(&shared(records)).await.expect("the store writes")
}

/// As a queue hands them over.
pub fn shared(records: Vec<ResultRecord>) -> Vec<Arc<ResultRecord>> {
    records.into_iter().map(Arc::new).collect()
}

/// The records as they are read when these numbers were given to them: what a plugin keeps is read by a way of its own.
fn as_read(seqs: impl IntoIterator<Item = u64>, records: &[ResultRecord]) -> Vec<Committed> {
    let read =
        |(seq, record): (u64, &ResultRecord)| Committed { seq, record: Arc::new(ResultRecord { plugin_state: None, ..record.clone() }) };
    seqs.into_iter().zip(records).map(read).collect()
}

fn seqs(committed: &[Committed]) -> Vec<u64> {
    committed.iter().map(|committed| committed.seq).collect()
}

fn numbered(seqs: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
    seqs.into_iter().map(Some).collect()
}

async fn all(store: &dyn Store) -> Vec<Committed> {
    let mut all: Vec<Committed> = Vec::new();
    loop {
        let after = all.last().map_or(0, |committed| committed.seq);
        let page = store.events(after, 500).await.expect("events can be read");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub async fn an_empty_store_has_nothing(store: &dyn Store) {
    store.ping().await.expect("it answers");
    assert_eq!(store.bounds().await.unwrap(), (None, 0));
    assert_eq!(store.last().await.unwrap(), NOTHING);
    assert_eq!(store.results("api", None, 10).await.unwrap(), NOTHING);
    assert_eq!(store.events(0, 10).await.unwrap(), NOTHING);
    assert_eq!(store.plugin_states().await.unwrap(), HashMap::new());
    assert!(store.write(&[]).await.unwrap().is_empty());
    assert_eq!(store.prune(&Retention::default(), NOW).await.unwrap(), crate::Pruned::default());
}

pub async fn results_are_numbered_in_the_order_they_are_written(store: &dyn Store) {
    // 700 is more than one statement takes, and no power of two.
    let records: Vec<ResultRecord> = (0..700).map(|number| record(&format!("check-{}", number % 9), number)).collect();
    assert_eq!(write(store, records.clone()).await, numbered(1..=700));
    assert_eq!(write(store, vec![record("api", 1)]).await, [Some(701)]);

    let read = all(store).await;
    assert_eq!(seqs(&read), (1..=701).collect::<Vec<u64>>());
    for (Committed { record: read, .. }, record) in read.iter().zip(&records) {
        assert_eq!((&read.check, read.scheduled_at), (&record.check, record.scheduled_at));
    }
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 701));
}

pub async fn a_record_comes_back_as_it_was_written(store: &dyn Store) {
    let mut records =
        vec![record("usual", 1), hostile("hostile", 2), failing("down", 3, Status::Warning), failing("lost", 4, Status::Unknown)];
    records[3].reason = Reason::QuotaExceeded { quota: sickbay_core::Quota::CpuMs, limit: u64::MAX };
    records[3].decision = Decision::FailureKept;
    assert_eq!(write(store, records.clone()).await, numbered(1..=4));
    let wanted = as_read(1.., &records);
    assert_eq!(all(store).await, wanted);
    assert_eq!(store.results("hostile", None, 1).await.unwrap(), wanted[1..2]);
    assert_eq!(store.results("hostile' OR 1=1 --", None, 1).await.unwrap(), NOTHING);
}

pub async fn a_second_result_for_a_scheduled_time_is_ignored(store: &dyn Store) {
    let kept = |value: u8| Some(Arc::new(BTreeMap::from([("k".to_owned(), vec![value])])));
    let first = ResultRecord { plugin_state: kept(1), ..record("api", 10) };
    write(store, vec![first]).await;

    let second = ResultRecord { summary: "second".to_owned(), plugin_state: kept(2), ..record("api", 10) };
    let other = record("api", 11);
    let other_again = ResultRecord { summary: "again".to_owned(), ..record("api", 11) };
    let same_time = record("new", 10);
    assert_eq!(write(store, vec![second.clone(), other, other_again, same_time]).await, [None, Some(2), None, Some(3)]);
    assert_eq!(write(store, vec![second]).await, [None]);
    let read = all(store).await;
    let identities: Vec<(&str, Timestamp)> = read.iter().map(|read| (&*read.record.check, read.record.scheduled_at)).collect();
    assert_eq!(identities, [("api", Timestamp(10)), ("api", Timestamp(11)), ("new", Timestamp(10))]);
    assert!(read.iter().all(|read| read.record.summary == "200 in 12 ms"), "{read:?}");
    assert_eq!(store.plugin_states().await.unwrap()["api"]["k"], [1]);
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 3));
    assert_eq!(write(store, vec![record("api", 12)]).await, [Some(4)]);
}

pub async fn the_last_record_of_each_check_is_its_state(store: &dyn Store) {
    // The newest is the one written last, also where it was scheduled earlier.
    let down = failing("db", 50, Status::Critical);
    write(store, vec![record("api", 10), record("db", 60), record("api", 20)]).await;
    write(store, vec![down.clone(), record("api", 30)]).await;
    assert_eq!(store.last().await.unwrap(), as_read(4.., &[down, record("api", 30)]));
}

pub async fn the_last_success_is_known_after_failures(store: &dyn Store) {
    let mut down = failing("api", 20, Status::Critical);
    down.state.last_success_at = record("api", 10).state.last_success_at;
    write(store, vec![record("api", 10), failing("new", 10, Status::Unknown), down]).await;
    let known: Vec<(String, Option<Timestamp>)> =
        store.last().await.unwrap().iter().map(|last| (last.record.check.to_string(), last.record.state.last_success_at)).collect();
    assert_eq!(known, [("new".to_owned(), None), ("api".to_owned(), Some(Timestamp(10)))]);
    // Also when retention has taken the success itself.
    store.prune(&Retention { ok: Duration::ZERO, other: Duration::ZERO, bytes_max: 0 }, NOW).await.unwrap();
    assert_eq!(seqs(&all(store).await), [2, 3]);
    assert_eq!(store.last().await.unwrap()[1].record.state.last_success_at, Some(Timestamp(10)));
}

pub async fn history_is_paged_newest_first(store: &dyn Store) {
    let records = (0..20).map(|number| record(if number % 2 == 0 { "even" } else { "odd" }, number));
    write(store, records.collect()).await;
    let even = async |before, limit| seqs(&store.results("even", before, limit).await.unwrap());
    assert_eq!(even(None, 4).await, [19, 17, 15, 13]);
    assert_eq!(even(Some(13), 4).await, [11, 9, 7, 5]);
    assert_eq!(even(Some(5), 4).await, [3, 1]);
    assert!(even(Some(1), 4).await.is_empty());
    // A cursor need not be a number of this check, nor one that was given.
    assert_eq!(even(Some(12), 2).await, [11, 9]);
    assert_eq!(even(Some(u64::MAX), 2).await, [19, 17]);
    assert!(even(Some(0), 2).await.is_empty());
    assert!(even(None, 0).await.is_empty());
    assert_eq!(store.results("absent", None, 10).await.unwrap(), NOTHING);
}

/// Long enough to pass whatever blocks a store keeps its index in.
pub async fn a_long_history_is_paged_without_a_gap(store: &dyn Store) {
    const LEN: u64 = 40_000;
    let mut wanted = Vec::new();
    for start in (0..LEN).step_by(4_000) {
        let records = (start..start + 4_000).map(|number| record(if number % 1_000 == 1 { "rare" } else { "usual" }, number));
        let records: Vec<ResultRecord> = records.collect();
        let rare: Vec<bool> = records.iter().map(|record| &*record.check == "rare").collect();
        let written = write(store, records).await;
        wanted.extend(written.into_iter().zip(rare).filter_map(|(seq, rare)| seq.filter(|_| rare)));
    }
    write(store, vec![record("once", 0)]).await;
    wanted.reverse();

    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = seqs(&store.results("rare", before, 7).await.unwrap());
        let Some(lowest) = page.last() else { break };
        before = Some(*lowest);
        found.extend(page);
    }
    assert_eq!(found, wanted);
    assert_eq!(seqs(&store.last().await.unwrap()), [wanted[0], LEN, LEN + 1]);
}

pub async fn events_follow_a_sequence_number(store: &dyn Store) {
    write(store, (0..10).map(|number| record(&format!("check-{number}"), 1)).collect()).await;
    let events = async |after, limit| seqs(&store.events(after, limit).await.unwrap());
    assert_eq!(events(0, 3).await, [1, 2, 3]);
    assert_eq!(events(3, 3).await, [4, 5, 6]);
    assert_eq!(events(8, 100).await, [9, 10]);
    assert!(events(10, 100).await.is_empty());
    assert!(events(u64::MAX, 100).await.is_empty());
}

pub async fn what_a_plugin_keeps_is_written_with_its_result(store: &dyn Store) {
    let state = |pairs: &[(&str, &[u8])]| -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect()
    };
    let keeping =
        |check: &str, at, kept: BTreeMap<String, Vec<u8>>| ResultRecord { plugin_state: Some(Arc::new(kept)), ..record(check, at) };

    let first = state(&[("count", b"1"), ("empty", b""), ("bytes \u{202e}", &[0, 255, 0])]);
    write(store, vec![keeping("api", 1, first.clone()), record("db", 1)]).await;
    assert_eq!(store.plugin_states().await.unwrap(), HashMap::from([("api".to_owned(), first.clone())]));

    // A run that changed nothing leaves it; the last of one batch counts; the whole map is replaced.
    let second = state(&[("count", b"3")]);
    write(store, vec![record("api", 2), keeping("db", 2, first.clone())]).await;
    write(store, vec![keeping("api", 3, state(&[("count", b"2"), ("gone", b"x")])), keeping("api", 4, second.clone()), record("api", 5)])
        .await;
    let wanted = HashMap::from([("api".to_owned(), second), ("db".to_owned(), first)]);
    assert_eq!(store.plugin_states().await.unwrap(), wanted);

    write(store, vec![keeping("db", 6, BTreeMap::new())]).await;
    assert!(!store.plugin_states().await.unwrap().contains_key("db"));
}

pub async fn pruning_removes_by_age_and_keeps_the_newest_of_each_check(store: &dyn Store) {
    let before = |hours: u64| NOW.0 - hours * HOUR_MS;
    let written = write(
        store,
        vec![
            record("api", before(900)),                    // 1 too old
            failing("api", before(800), Status::Critical), // 2 too old
            failing("api", before(100), Status::Critical), // 3 kept: not ok, and young enough
            failing("api", before(99), Status::Unknown),   // 4 kept
            record("api", before(98)),                     // 5 too old for ok
            record("api", before(23)),                     // 6 kept
            record("api", before(1)),                      // 7 kept
            record("gone", before(1_000)),                 // 8 too old, and not the newest of its check
            failing("gone", before(999), Status::Warning), // 9 kept: the newest of its check
        ],
    )
    .await;
    assert_eq!(written, numbered(1..=9));
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let retention = Retention { ok: hours(24), other: hours(720), bytes_max: u64::MAX };
    let pruned = store.prune(&retention, NOW).await.unwrap();
    assert_eq!((pruned.by_age, pruned.by_bytes), (4, 0));
    assert_eq!(seqs(&all(store).await), [3, 4, 6, 7, 9]);
    assert_eq!(seqs(&store.results("api", None, 10).await.unwrap()), [7, 6, 4, 3]);
    assert_eq!(store.bounds().await.unwrap(), (Some(3), 9));
    assert_eq!(store.prune(&retention, NOW).await.unwrap(), crate::Pruned::default());

    // Nothing at all is wanted any more: each check still has its newest.
    store.prune(&Retention { ok: Duration::ZERO, other: Duration::ZERO, bytes_max: 0 }, NOW.plus(hours(1))).await.unwrap();
    assert_eq!(seqs(&store.last().await.unwrap()), [7, 9]);
    assert_eq!(seqs(&all(store).await), [7, 9]);

    // What was pruned may be written again with a new number: only what is kept can be compared with.
    assert_eq!(write(store, vec![record("api", before(23))]).await, [Some(10)]);
}

pub async fn pruning_removes_the_oldest_until_the_bytes_fit(store: &dyn Store) {
    let large = |number: u64| ResultRecord { details: Some("x".repeat(8 * 1024)), ..record("api", NOW.0 + number) };
    write(store, vec![record("first", NOW.0)]).await;
    for start in [0, 1_500] {
        write(store, (start..start + 1_500).map(large).collect()).await;
    }
    let before = store.bytes().await.unwrap();
    assert!(before > 3_000 * 8 * 1024, "{before}");

    let retention = Retention { bytes_max: before / 2, ..Retention::default() };
    let pruned = store.prune(&retention, NOW).await.unwrap();
    assert_eq!(pruned.by_age, 0);
    assert!(pruned.by_bytes > 0 && pruned.by_bytes < 3_000, "{pruned:?}");
    assert!(store.bytes().await.unwrap() <= retention.bytes_max);
    // The newest of `first` stays although it is the oldest of all; of `api` the newest stay, without a gap.
    let mut wanted = vec![1];
    wanted.extend(pruned.by_bytes + 2..=3_001);
    assert_eq!(seqs(&all(store).await), wanted);

    // A bound that cannot be met ends with the newest of each check.
    store.prune(&Retention { bytes_max: 0, ..Retention::default() }, NOW).await.unwrap();
    assert_eq!(seqs(&all(store).await), [1, 3_001]);
}

/// Two stores, of one kind or of two; the second has never had a result.
pub async fn a_copy_has_the_same_results_numbers_and_values(from: &dyn Store, to: &dyn Store) {
    // More than one page, with gaps where retention took something.
    let begin = NOW.0 - 48 * HOUR_MS;
    for start in (0..3_000).step_by(1_000) {
        let records = (start..start + 1_000).map(|number| match number % 2 {
            0 => record("api", begin + number),
            _ => failing("db", begin + number, Status::Critical),
        });
        write(from, records.collect()).await;
    }
    let kept = BTreeMap::from([("key".to_owned(), vec![0, 1, 2])]);
    write(from, vec![ResultRecord { plugin_state: Some(Arc::new(kept)), ..hostile("hostile", NOW.0) }]).await;
    from.prune(&Retention::default(), NOW).await.unwrap();
    let silences: Vec<Document> = (0..1_200).rev().map(|number| document(Kind::Silence, &format!("{number:04}"), number)).collect();
    let changes: Vec<Change> = silences.iter().cloned().map(Change::Put).collect();
    from.commit(&[], &changes).await.unwrap();

    let copied = crate::copy(from, to, &mut |_| {}).await.expect("it is copied");
    let wanted = all(from).await;
    assert_eq!(copied, wanted.len() as u64);
    assert_eq!(all(to).await, wanted);
    assert_eq!(to.last().await.unwrap(), from.last().await.unwrap());
    assert_eq!(to.plugin_states().await.unwrap(), from.plugin_states().await.unwrap());
    assert_eq!(to.bounds().await.unwrap(), (Some(2), 3_001));
    assert_eq!(to.documents(Page { kind: Kind::Silence, parent: None, before: None, limit: 2_000 }).await.unwrap(), silences);
    // It goes on where the other ended.
    let next = vec![hostile("hostile", NOW.0), record("api", NOW.0), record("new", NOW.0)];
    assert_eq!(write(to, next).await, [None, Some(3_002), Some(3_003)]);
}

pub async fn readers_see_whole_batches_while_a_writer_writes(store: &dyn Store) {
    const BATCH_LEN: u64 = 50;
    const BATCHES: u64 = 40;
    const READ_LEN: u32 = 5_000;
    let writer = async {
        for batch in 0..BATCHES {
            let records = (0..BATCH_LEN).map(|number| record(&format!("check-{number}"), batch));
            write(store, records.collect()).await;
        }
    };
    let reader = async || {
        let mut highest = 0;
        while highest < BATCHES * BATCH_LEN {
            let found = store.events(highest, READ_LEN).await.unwrap();
            assert_eq!(found.len() as u64 % BATCH_LEN, 0, "half a batch was seen");
            highest += found.len() as u64;
            assert_eq!(found.last().map_or(highest, |committed| committed.seq), highest);
        }
    };
    tokio::join!(writer, reader(), reader(), reader(), reader(), reader());
}

pub async fn a_closed_store_says_so(store: &dyn Store) {
    store.close().await;
    store.close().await;
    assert!(matches!(store.write(&shared(vec![record("api", 1)])).await, Err(crate::StoreError::Closed)));
    assert!(matches!(store.events(0, 1).await, Err(crate::StoreError::Closed)));
    assert!(matches!(store.ping().await, Err(crate::StoreError::Closed)));
}

pub async fn reopening_gives_everything_back(open: &impl AsyncFn(&str) -> Arc<dyn Store>) {
    let kept = BTreeMap::from([("key".to_owned(), vec![0, 1, 2])]);
    let keeping = ResultRecord { plugin_state: Some(Arc::new(kept.clone())), ..hostile("hostile", 2) };
    let records = vec![record("usual", 1), keeping, record("usual", 3)];
    let store = open("reopen").await;
    assert_eq!(write(&*store, records.clone()).await, numbered(1..=3));
    let last = store.last().await.unwrap();
    store.close().await;
    drop(store);

    let store = open("reopen").await;
    assert_eq!(all(&*store).await, as_read(1.., &records));
    assert_eq!(store.last().await.unwrap(), last);
    assert_eq!(seqs(&last), [2, 3]);
    assert_eq!(store.plugin_states().await.unwrap(), HashMap::from([("hostile".to_owned(), kept)]));
    assert_eq!(store.bounds().await.unwrap(), (Some(1), 3));
    // Names are known again, and a duplicate is still one.
    assert_eq!(write(&*store, vec![record("usual", 3), record("usual", 4), record("new", 4)]).await, [None, Some(4), Some(5)]);
    store.close().await;
}

pub async fn a_number_is_not_given_twice_after_pruning_and_reopening(open: &impl AsyncFn(&str) -> Arc<dyn Store>) {
    let store = open("numbers").await;
    write(&*store, (0..10).map(|number| record("api", number)).collect()).await;
    store.prune(&Retention { ok: Duration::ZERO, other: Duration::ZERO, bytes_max: 0 }, NOW).await.unwrap();
    store.close().await;
    drop(store);

    let store = open("numbers").await;
    assert_eq!(store.bounds().await.unwrap(), (Some(10), 10));
    assert_eq!(write(&*store, vec![record("api", 20)]).await, [Some(11)]);
    store.close().await;
}
