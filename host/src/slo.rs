//! Objectives while the host runs: each with its book of counts, which results feed, and the documents in which the books are kept.
//!
//! Who is who: a [`LiveSlo`] is one configured objective; the [`SloTable`] is all of them and is replaced whole. A book outlives a change of
//! the configuration.
//!
//! How a book is kept: a document for each day and objective, written again when something of it changed. It is written closed, with the
//! time from which on nothing needs it: retention removes it behind that, also where the objective is no longer configured. One that
//! comes back finds its counts there.
//!
//! Invariant: every lock here is held to count, to sum or to copy, never across an await.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sickbay_core::slo::{Account, Book, BurnWindow, DAYS_MAX, Objective, StoredDay, Tally, begin_of};
use sickbay_core::{Report, Timestamp};
use sickbay_store::{Change, Document, Kind, Page, ResultRecord, Store, StoreError};

use crate::config::{Config, SLO_CHECK_PREFIX, Slo};

/// Days of one objective in one read: with many checks a day is some hundred kilobytes.
const PAGE_LEN: u32 = 16;
const DAY: Duration = Duration::from_secs(86_400);

/// One configured objective.
pub struct LiveSlo {
    pub spec: Arc<Slo>,
    book: Arc<Mutex<Book>>,
}

impl LiveSlo {
    pub fn account(&self, now: Timestamp) -> Account {
        self.with(|book| Account::of(&self.spec.objective, book, now))
    }

    /// What is known of one of its checks, over its window in whole days.
    pub fn tally(&self, check: &str, now: Timestamp) -> Tally {
        self.with(|book| book.tally(check, self.spec.objective.window, now))
    }

    /// What its check says now.
    pub fn report(&self, now: Timestamp) -> Report {
        self.account(now).report(&self.spec.objective)
    }

    fn note(&self, record: &ResultRecord) {
        let indicator = &self.spec.objective.indicator;
        let outcome = indicator.outcome(record.status, &record.metrics);
        let measured = indicator.measured(&record.metrics);
        self.with(|book| book.note(record.started_at, &record.check, outcome, measured));
    }

    /// What changed since this was last asked, as it is to be written.
    fn changes(&self, now: Timestamp) -> Vec<Change> {
        let changed = self.with(|book| {
            book.forget(self.spec.objective.window, now);
            book.take_changed()
        });
        let change = |(day, stored): (u64, StoredDay)| Change::Put(document(&self.spec.name, &self.spec.objective, day, &stored));
        changed.into_iter().map(change).collect()
    }

    /// Its book, for an objective that takes its place. Behind which time a day is needed no more may be another one.
    fn book_for(&self, objective: &Objective) -> Arc<Mutex<Book>> {
        if self.spec.objective.window != objective.window {
            self.with(Book::touch);
        }
        Arc::clone(&self.book)
    }

    fn with<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        change(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All configured objectives.
#[derive(Default)]
pub struct SloTable {
    pub by_name: BTreeMap<String, Arc<LiveSlo>>,
    by_check: HashMap<Arc<str>, Vec<Arc<LiveSlo>>>,
}

impl SloTable {
    /// The objectives of `config`, with the books of those that go on, and those of others as the store has them.
    pub async fn read(config: &Config, before: &SloTable, store: &dyn Store) -> Result<SloTable, StoreError> {
        let mut table = SloTable::default();
        for spec in &config.slos {
            let book = match before.by_name.get(&spec.name) {
                Some(slo) => slo.book_for(&spec.objective),
                None => Arc::new(Mutex::new(book(&spec.name, &spec.objective, store).await?)),
            };
            table.add(Arc::new(LiveSlo { spec: Arc::clone(spec), book }));
        }
        Ok(table)
    }

    fn add(&mut self, slo: Arc<LiveSlo>) {
        for member in &slo.spec.members {
            self.by_check.entry(Arc::clone(&member.check)).or_default().push(Arc::clone(&slo));
        }
        self.by_name.insert(slo.spec.name.clone(), slo);
    }

    /// The objective of which this check tells.
    pub fn of_check(&self, check: &str) -> Option<&Arc<LiveSlo>> {
        self.by_name.get(check.strip_prefix(SLO_CHECK_PREFIX)?)
    }

    /// Counts a result in all objectives of its check.
    pub fn note(&self, record: &ResultRecord) {
        for slo in self.by_check.get(&*record.check).into_iter().flatten() {
            slo.note(record);
        }
    }

    /// What changed of all since this was last asked.
    pub fn changes(&self, now: Timestamp) -> Vec<Change> {
        self.by_name.values().flat_map(|slo| slo.changes(now)).collect()
    }
}

fn document(name: &str, objective: &Objective, day: u64, stored: &StoredDay) -> Document {
    // Numbers and names only, so it always serialises.
    let body = serde_json::to_string(stored).unwrap_or_default();
    let (id, parent, at) = (format!("{name}/{day}"), name.to_owned(), needed_until(objective, day));
    Document { kind: Kind::Slo, id, parent, at, open: false, body }
}

fn needed_until(objective: &Objective, day: u64) -> Timestamp {
    begin_of(day).plus(DAY + objective.window.max(BurnWindow::LONGEST.duration()))
}

/// The counts of an objective as they are stored, the newest days first.
async fn book(name: &str, objective: &Objective, store: &dyn Store) -> Result<Book, StoreError> {
    let mut book = Book::default();
    let mut before: Option<(Timestamp, String)> = None;
    let mut days_left = DAYS_MAX;
    while days_left > 0 {
        let behind = before.as_ref().map(|(at, id)| (*at, id.as_str()));
        let page = store.documents(Page { kind: Kind::Slo, parent: Some(name), before: behind, limit: PAGE_LEN }).await?;
        let Some(last) = page.last() else { break };
        before = Some((last.at, last.id.clone()));
        for document in page.iter().take(days_left) {
            restore(&mut book, objective, document);
        }
        days_left = days_left.saturating_sub(page.len());
    }
    Ok(book)
}

fn restore(book: &mut Book, objective: &Objective, document: &Document) {
    let day = document.id.rsplit_once('/').and_then(|(_, day)| day.parse::<u64>().ok());
    match (day, serde_json::from_str(&document.body)) {
        (Some(day), Ok(stored)) => {
            book.restore(day, stored);
            // It was written for another window.
            if document.at != needed_until(objective, day) {
                book.touch();
            }
        }
        (_, read) => {
            let error = read.err().map(|error| error.to_string());
            tracing::error!(document = document.id, error, "the counts of a day of an objective cannot be read and are left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::slo::{BadFrom, Counts, Indicator};
    use sickbay_core::{Reason, Status};

    use super::*;
    use crate::api::testing::{Host, record, two_checks};

    const SLO: &str = "[[slo]]\nname = \"all\"\nchecks = [\"*\"]\nobjective = 0.99\n";
    /// 2025-11-20T00:26:40Z, in seconds.
    const BEGIN: u64 = 1_763_598_400;

    fn failed(check: &str, number: u64) -> ResultRecord {
        ResultRecord {
            status: Status::Critical,
            reason: Reason::Reported { status: Status::Critical, failure: None },
            ..record(check, number)
        }
    }

    async fn table(host: &Host) -> SloTable {
        SloTable::read(&host.live.config.load(), &SloTable::default(), &*host.live.store).await.expect("the store answers")
    }

    fn counts(table: &SloTable, now: Timestamp) -> Counts {
        table.by_name["all"].account(now).counts
    }

    async fn write(host: &Host, changes: Vec<Change>) {
        host.live.queue.decide(move || changes).await.expect("the store takes them");
    }

    #[tokio::test]
    async fn what_was_written_is_counted_again_after_a_restart_and_pruning_leaves_it() {
        let host = Host::start(&(two_checks() + SLO)).await;
        let before = table(&host).await;
        let day_seconds = 86_400;
        for day in 0..20 {
            before.note(&record("api", BEGIN + day * day_seconds));
            before.note(&failed("disk", BEGIN + day * day_seconds + 60));
            before.note(&failed("another", BEGIN + day * day_seconds + 60));
        }
        let now = Timestamp((BEGIN + 20 * day_seconds) * 1000);
        let wanted = Counts { good: 20, bad: 20, uncovered: 0 };
        assert_eq!(counts(&before, now), wanted, "a check that is none of it does not count");
        let changes = before.changes(now);
        assert_eq!(changes.len(), 20, "a document for each day");
        write(&host, changes).await;
        assert!(before.changes(now).is_empty());

        let retention = sickbay_store::Retention { ok: Duration::ZERO, other: Duration::ZERO, bytes_max: 0 };
        host.live.store.prune(&retention, now).await.expect("the store answers");
        let after = table(&host).await;
        assert_eq!(counts(&after, now), wanted);
        let api = after.by_name["all"].tally("api", now);
        assert_eq!((api.counts.good, api.latencies.len()), (20, 0), "its latency has labels");

        // When nothing needs them any more they go, whatever is configured.
        let later = now.plus(Duration::from_secs(31 * day_seconds));
        host.live.store.prune(&retention, later).await.expect("the store answers");
        assert_eq!(counts(&table(&host).await, now), Counts::default());
    }

    #[tokio::test]
    async fn a_book_goes_on_when_the_configuration_is_replaced() {
        let host = Host::start(&(two_checks() + SLO)).await;
        let before = table(&host).await;
        before.note(&record("api", BEGIN));
        let config = host.live.config.load();
        let after = SloTable::read(&config, &before, &*host.live.store).await.expect("the store answers");
        before.note(&failed("api", BEGIN + 1));
        let now = Timestamp(BEGIN * 1000 + 5_000);
        assert_eq!(counts(&after, now), Counts { good: 1, bad: 1, uncovered: 0 }, "a run that began before is counted too");
        assert!(after.of_check("slo.all").is_some());
        assert!(after.of_check("all").is_none() && after.of_check("slo.other").is_none());
        assert_eq!(config.slos[0].objective.indicator, Indicator::Status(BadFrom::Critical));
    }

    #[tokio::test]
    async fn a_document_that_cannot_be_read_is_left_out() {
        let host = Host::start(&(two_checks() + SLO)).await;
        let before = table(&host).await;
        before.note(&record("api", BEGIN));
        let now = Timestamp(BEGIN * 1000 + 5_000);
        let mut changes = before.changes(now);
        for (id, body) in [("all/x", "{}"), ("all/1", "[]"), ("all/2", "{\"hours\":[[0,1]]}")] {
            let (kind, parent, at) = (Kind::Slo, "all".to_owned(), Timestamp(now.0 * 2));
            changes.push(Change::Put(Document { kind, id: id.to_owned(), parent, at, open: false, body: body.to_owned() }));
        }
        write(&host, changes).await;
        assert_eq!(counts(&table(&host).await, now), Counts { good: 1, bad: 0, uncovered: 0 });
    }

    #[tokio::test]
    async fn a_longer_window_keeps_the_days_for_longer_whenever_it_comes() {
        let host = Host::start(&(two_checks() + SLO)).await;
        let before = table(&host).await;
        before.note(&record("api", BEGIN));
        let now = Timestamp(BEGIN * 1000 + 5_000);
        write(&host, before.changes(now)).await;
        let longer = |text: &str| {
            std::fs::write(host.folder.path().join("sickbay.toml"), two_checks() + SLO + text).expect("the folder is writable");
            crate::config::load(&host.folder.path().join("sickbay.toml")).expect("it is right")
        };
        let config = longer("window = \"90d\"\n");
        let reloaded = SloTable::read(&config, &before, &*host.live.store).await.expect("the store answers");
        let restarted = SloTable::read(&config, &SloTable::default(), &*host.live.store).await.expect("the store answers");
        for table in [reloaded, restarted] {
            let changes = table.changes(now);
            let [Change::Put(document)] = changes.as_slice() else { panic!("one day is written: {changes:?}") };
            assert_eq!(document.at, begin_of(now.0 / 86_400_000).plus(DAY * 91));
        }
    }
}
