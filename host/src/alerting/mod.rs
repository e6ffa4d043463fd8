//! Alerts in the daemon: what the machine of `sickbay_core::alerting` is told, where its rows go, and who acts on them.
//!
//! Who is who: [`Alerts`] is the way to the machine; `facts` makes facts of results and of the configuration; `rows` turns what the machine
//! answers into documents and back; `maintenance` keeps the windows that people make by the API; `start`
//! makes it of the store's rows; `tick` tells it the time; `workers` attempt what is due, each
//! by a [`SinkRunner`], which has the plugin of a sink tell a `notification`.
//!
//! How: the machine is told facts in the order of the queue of results alone. A result whose check changes and the rows that follow from it
//! are one transaction ([`Alongside::changes`]); everything else ([`Alerts::tell`]) is a decision of its own in the same order. What the
//! machine is to know of the configuration is laid ready ([`Alerts::adopt`]) and taken up before the next fact, whichever it is.
//!
//! What is due, and what follows for other checks or from another configuration, comes in rounds of about [`ROWS_AHEAD_MAX`] rows before the
//! next fact, each a commit of its own where there are many ([`Alongside::ahead`]).
//!
//! Limits: [`TOLD_AT_ONCE_MAX`] facts wait for their turn; whoever tells another waits before that, and is not kept where he gives up.
//!
//! Invariant: a sink is called only after the attempt, what is told in it and the ledger are on the disk.
//! Invariant: what one fact, or one thing that was due, changes is one commit, with the result that it follows from.
//! Invariant: the machine is locked for a decision or a look, never across an await.
//! Invariant: readers may see what is not on the disk yet, as they do with results; nobody acts on it.

pub(crate) mod facts;
pub(crate) mod maintenance;
mod notification;
pub(crate) mod rows;
mod sink;
mod start;
mod tally;
pub(crate) mod tick;
pub(crate) mod workers;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use sickbay_core::Timestamp;
pub use sickbay_core::alerting::Outcome;
use sickbay_core::alerting::{Alerting, AlertingConfig, Changes, Fact};
use sickbay_store::{Alongside, Change, Committed, QueueError, ResultQueue, ResultRecord};
use tokio::sync::{Semaphore, oneshot, watch};

pub(crate) use self::notification::resolution_name;
pub use self::sink::{Attempt, DELIVERIES_MAX, SinkRunner};
pub use self::start::start;
pub use self::tally::{NotificationOutcome, Tally};

use self::facts::{Wanted, Watched};
use self::maintenance::MadeWindow;
use self::tally::Notifications;
use crate::clock;
use crate::config::Config;
use crate::live::{CheckTable, Events};

/// Of up to 500 posted alerts each, which stay in the queue while the store fails, also where nobody waits for the answer any more.
const TOLD_AT_ONCE_MAX: usize = 256;

/// Rows after which what comes ahead of a fact goes on in another round.
const ROWS_AHEAD_MAX: usize = 1_000;

/// And facts.
const STEPS_AHEAD_MAX: usize = 10_000;

/// The way to the machine; cheap to clone.
#[derive(Clone)]
pub struct Alerts {
    shared: Arc<Shared>,
    queue: ResultQueue,
}

struct Shared {
    machine: Mutex<Machine>,
    /// What it is to know of the configuration; taken up before the next fact.
    wanted: ArcSwapOption<Wanted>,
    /// Maintenance that people made by the API.
    windows: ArcSwap<Vec<MadeWindow>>,
    /// Plugins that came back or are others than before; taken up with it. As many as there are plugins.
    mended: Mutex<BTreeSet<String>>,
    /// Told after each commit, and when something else is to be looked at.
    changed: watch::Sender<()>,
    /// Of facts that wait for their turn; never closed.
    turns: Arc<Semaphore>,
    /// Held by whoever reads an incident that the machine does not know any more, and has it changed.
    settled: tokio::sync::Mutex<()>,
}

/// The machine, and what it was told of the checks.
struct Machine {
    alerting: Alerting,
    watched: Watched,
    notifications: Notifications,
    /// Facts that follow from what is on the disk, and are told before any other.
    backlog: VecDeque<Fact>,
}

impl Alerts {
    /// Tells the machine a fact when its turn has come. Returns when what it answered is on the disk: while the store fails it waits, and a
    /// limit around it takes nothing back.
    ///
    /// # Errors
    /// After a shutdown, where the machine was not told, and where its rows could not be stored before the end.
    pub async fn tell(&self, fact: Fact) -> Result<Changes, QueueError> {
        let shared = Arc::clone(&self.shared);
        let turn = Arc::clone(&shared.turns).acquire_owned().await.map_err(|_| QueueError::Stopped)?;
        let (sender, answer) = oneshot::channel();
        let decide = move || {
            let mut rows = Vec::new();
            let changes = shared.machine().apply(fact, clock::now(), &mut rows);
            // Whoever asked may have stopped waiting.
            let _ = sender.send(changes);
            drop(turn);
            rows
        };
        self.queue.decide(decide).await?;
        answer.await.map_err(|_| QueueError::Stopped)
    }

    /// What is read of the store and told to the machine as it was read is told by one at a time.
    pub(crate) async fn alone_with_settled(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.settled.lock().await
    }

    /// A look at the machine; `look` must not block.
    pub fn read<T>(&self, look: impl FnOnce(&Alerting) -> T) -> T {
        look(&self.shared.machine().alerting)
    }

    /// What the metrics tell of it.
    pub fn tally(&self, now: Timestamp) -> Tally {
        let machine = self.shared.machine();
        Tally::of(&machine.alerting, &machine.notifications, now)
    }

    /// Lays ready the configuration and the checks that the machine is to know from its next fact on.
    pub(crate) fn adopt(&self, config: Arc<Config>, alerting: Arc<AlertingConfig>, checks: Arc<CheckTable>) {
        self.shared.wanted.store(Some(Arc::new(Wanted { config, alerting, checks })));
        self.wake();
    }

    /// What sinks are told is decided anew, where another version of a plugin says something else of it.
    pub(crate) fn adopt_kinds(&self, decide: impl Fn(&Config) -> Arc<AlertingConfig>) {
        // Another configuration may be laid ready meanwhile.
        self.shared.wanted.rcu(|wanted| {
            let wanted = wanted.as_ref()?;
            let alerting = decide(&wanted.config);
            if alerting == wanted.alerting {
                return Some(Arc::clone(wanted));
            }
            Some(Arc::new(Wanted { config: Arc::clone(&wanted.config), alerting, checks: Arc::clone(&wanted.checks) }))
        });
        self.wake();
    }

    /// A plugin serves that did not, or in another version: what held its sinks may be over.
    pub(crate) fn plugin_serves(&self, plugin: &str) {
        self.shared.mended().insert(plugin.to_owned());
        self.wake();
    }

    /// Whether the machine has something to do without a fact: time has come, or another configuration.
    fn is_due(&self, now: Timestamp) -> bool {
        let machine = self.shared.machine();
        let is_behind = self.shared.wanted.load().as_ref().is_some_and(|wanted| !machine.watched.is_of(wanted));
        is_behind
            || !machine.backlog.is_empty()
            || !self.shared.mended().is_empty()
            || machine.alerting.next_tick().is_some_and(|at| at <= now)
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.shared.changed.subscribe()
    }

    fn wake(&self) {
        self.shared.changed.send_replace(());
    }
}

impl Shared {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mended(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.mended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    /// Does one thing that comes before the next fact, if there is one: what is due, then what is left to be told, then what follows from
    /// another configuration and other plugins. Each may be committed by itself: after a crash the rest is due, or follows, again.
    fn step(&mut self, shared: &Shared, now: Timestamp, rows: &mut Vec<Change>) -> bool {
        if self.alerting.next_tick().is_some_and(|at| at <= now) {
            self.apply(Fact::Tick, now, rows);
            return true;
        }
        if let Some(fact) = self.backlog.pop_front() {
            self.apply(fact, now, rows);
            return true;
        }
        let Some(wanted) = shared.wanted.load_full() else { return false };
        if !self.watched.is_of(&wanted) {
            self.notifications.know(wanted.config.sinks.iter().map(|sink| sink.name.as_str()));
            self.backlog.extend(self.watched.adopt(wanted, &self.alerting));
            return true;
        }
        let mended = std::mem::take(&mut *shared.mended());
        let sinks = wanted.config.sinks.iter().filter(|sink| mended.contains(&sink.plugin));
        self.backlog.extend(sinks.map(|sink| Fact::SinkMended { sink: sink.name.as_str().into() }));
        !mended.is_empty()
    }

    fn apply(&mut self, fact: Fact, now: Timestamp, rows: &mut Vec<Change>) -> Changes {
        self.notifications.note_attempt(&fact, &self.alerting);
        let changes = self.alerting.apply(fact, now);
        self.notifications.note_ends(&changes);
        rows.extend(rows::of(&changes));
        changes
    }
}

/// Goes with the results through their queue.
struct InOrder {
    shared: Arc<Shared>,
    events: Events,
}

impl Alongside for InOrder {
    fn ahead(&self) -> Vec<Change> {
        let now = clock::now();
        let mut machine = self.shared.machine();
        let mut rows = Vec::new();
        for _ in 0..STEPS_AHEAD_MAX {
            if rows.len() >= ROWS_AHEAD_MAX || !machine.step(&self.shared, now, &mut rows) {
                break;
            }
        }
        rows
    }

    fn changes(&self, record: &ResultRecord) -> Vec<Change> {
        let now = clock::now();
        let mut machine = self.shared.machine();
        let mut rows = Vec::new();
        for fact in machine.watched.facts_of(record) {
            match fact {
                // Of as many checks as depend on this one. It follows from what is confirmed, so it need not be in the same commit.
                Fact::Reachability { .. } => machine.backlog.push_back(fact),
                fact => drop(machine.apply(fact, now, &mut rows)),
            }
        }
        if let Some(findings) = machine.watched.found_again(record) {
            machine.alerting.found_since(&record.check, &findings);
        }
        rows
    }

    fn written(&self, committed: &[Committed], announced: Option<u64>) {
        self.events.publish(committed, announced);
        self.shared.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests;
