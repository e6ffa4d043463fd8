//! A simulated hour for each seed: checks fail, flap, vanish and come back; sinks fail, fall silent, refuse, ask for time, lose their plugin,
//! are mended, removed and come back; people silence, acknowledge, write notes and send again what failed; labels change; others post alerts,
//! in some hours very many at once; the clock jumps; the configuration changes; answers are lost and come in another order; and at any moment
//! the process dies and goes on from what it had stored. Then the sinks recover; in half of the hours nothing else happens for a while; then
//! everything recovers, and time goes on until nothing is left to do.
//!
//! What must hold is in `judge`, with `pace` (when) and `truth` (what is so); `scene` is the world. A seed that fails is run again with its
//! log, which is printed; the same seed does the same again.
//!
//! - `SICKBAY_SIMULATION_SEEDS=N`: so many seeds. By default 10,000, without optimisation 500.
//! - `SICKBAY_SIMULATION_SEED=N`: this one alone.

mod commit;
mod judge;
mod pace;
mod scene;
mod seen;
mod truth;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use commit::{Commit, Moment};
use judge::Judge;
use scene::{CHECKS, Check, SINKS};

use super::memory::Memory;
use super::*;
use crate::{Status, Timestamp};

const SEEDS: u64 = if cfg!(debug_assertions) { 500 } else { 10_000 };
/// Monday, 6 July 2026, 12:00 UTC.
const START: Timestamp = Timestamp(1_783_339_200_000);
const SECOND_MS: u64 = 1000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// From one thing that happens to the next, at most.
const PAUSE_MS_MAX: u64 = 40 * SECOND_MS;
/// For so long nothing happens but what is due.
const CALM_MS: u64 = 45 * MINUTE_MS;
/// Until nothing may be left to do after everything recovered.
const DRAIN_MS_MAX: u64 = 2 * HOUR_MS;
/// Steps without time going on.
const STEPS_AT_ONCE_MAX: u32 = 1000;

/// A broken promise.
type Broken = String;

/// What a sink does with what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Up,
    Down,
    /// Anything can happen.
    Flaky,
    AsksForTime,
    /// Its plugin is being swapped.
    Missing,
}

/// What a worker will tell of an attempt.
struct Report {
    ready_ms: u64,
    delivery: DeliveryId,
    attempt: u32,
    outcome: Outcome,
}

struct Simulation {
    random: fastrand::Rng,
    alerting: Alerting,
    memory: Memory,
    configs: Vec<Arc<AlertingConfig>>,
    /// Which of them it has.
    setting: usize,
    elapsed_ms: u64,
    /// Since time went on.
    steps_at_once: u32,
    /// By how much the clock is ahead of or behind the time that has passed.
    clock_ms: i64,
    /// It was set, and the machine was not told the time since.
    is_clock_new: bool,
    checks: Vec<Check>,
    modes: [Mode; SINKS.len()],
    reports: Vec<Report>,
    judge: Judge,
    has_faults: bool,
    /// How often it died.
    deaths: u32,
    /// Rows go through JSON at each restart.
    through_json: bool,
    /// Very many alerts are posted at once.
    has_storms: bool,
    log: Option<Vec<String>>,
}

impl Simulation {
    fn new(seed: u64, configs: &[Arc<AlertingConfig>], log: Option<Vec<String>>) -> Simulation {
        Simulation {
            random: fastrand::Rng::with_seed(seed),
            alerting: Alerting::new(Arc::clone(&configs[0]), seed, START),
            memory: Memory::default(),
            configs: configs.to_vec(),
            setting: 0,
            elapsed_ms: 0,
            steps_at_once: 0,
            clock_ms: 0,
            is_clock_new: false,
            checks: scene::checks(),
            modes: [Mode::Up; SINKS.len()],
            reports: Vec::new(),
            judge: Judge::default(),
            has_faults: true,
            deaths: 0,
            through_json: seed.is_multiple_of(10),
            has_storms: seed % 25 == 3,
            log,
        }
    }

    fn clock(&self) -> Timestamp {
        Timestamp((START.0 + self.elapsed_ms).saturating_add_signed(self.clock_ms))
    }

    fn moment(&self) -> Moment<'_> {
        Moment { alerting: &self.alerting, setting: self.setting, elapsed_ms: self.elapsed_ms }
    }

    fn says(&mut self, line: impl FnOnce() -> String) {
        let second = self.elapsed_ms / SECOND_MS;
        if let Some(log) = &mut self.log {
            log.push(format!("{second:>5} s  {}", line()));
        }
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.has_faults && self.random.u32(0..count) == 0
    }

    fn run(&mut self) -> Result<(), Broken> {
        let mut next_event_ms = 0;
        while self.elapsed_ms < HOUR_MS {
            let next_ms = self.next_ms().map_or(next_event_ms, |next_ms| next_ms.min(next_event_ms));
            self.go_to(next_ms)?;
            if self.elapsed_ms >= next_event_ms {
                self.happens()?;
                next_event_ms = self.elapsed_ms + self.random.u64(1..=PAUSE_MS_MAX);
            }
            self.step()?;
        }
        self.sinks_recover();
        if self.random.bool() {
            self.calm()?;
        }
        self.drain()
    }

    /// Time goes on, or does not where something is due now.
    fn go_to(&mut self, next_ms: u64) -> Result<(), Broken> {
        self.steps_at_once = if next_ms > self.elapsed_ms { 0 } else { self.steps_at_once + 1 };
        self.elapsed_ms = self.elapsed_ms.max(next_ms);
        let goes_on = self.steps_at_once < STEPS_AT_ONCE_MAX;
        judge::ensure(goes_on, || "something is due and is not done".to_owned())
    }

    fn sinks_recover(&mut self) {
        self.has_faults = false;
        self.says(|| "the sinks recover".to_owned());
        self.modes = [Mode::Up; SINKS.len()];
        self.reports.iter_mut().for_each(|report| report.ready_ms = 0);
        self.judge.sinks_recovered();
    }

    /// Nothing happens but what is due, for so long that everybody has to know how things stand.
    fn calm(&mut self) -> Result<(), Broken> {
        let end_ms = self.elapsed_ms + CALM_MS;
        while self.elapsed_ms < end_ms {
            self.step()?;
            self.go_to(self.next_ms().map_or(end_ms, |next_ms| next_ms.min(end_ms)))?;
        }
        self.step()?;
        self.judge.when_calm(self.moment())
    }

    /// Everything recovers; then time goes on until nothing is left to do.
    fn drain(&mut self) -> Result<(), Broken> {
        self.says(|| "everything recovers".to_owned());
        self.checks.iter_mut().for_each(Check::recover);
        let now = self.clock();
        self.apply(Fact::Posted { alerts: scene::all_posted(Some(now)) })?;
        let end_ms = self.elapsed_ms + DRAIN_MS_MAX;
        while self.elapsed_ms < end_ms {
            self.step()?;
            if self.alerting.incidents().next().is_none() && self.alerting.deliveries().next().is_none() && self.reports.is_empty() {
                return self.judge.at_the_end(&self.memory);
            }
            self.go_to(self.next_ms().ok_or("nothing is due any more and something is left to do")?)?;
        }
        let left: Vec<String> = self.alerting.deliveries().map(|delivery| format!("{:?}", delivery.state)).collect();
        Err(format!("it does not come to an end: {} incidents, {left:?}", self.alerting.incidents().count()))
    }

    /// When something is due, or a worker has something to tell.
    fn next_ms(&self) -> Option<u64> {
        [self.next_due_ms(), self.next_report_ms()].into_iter().flatten().min()
    }

    fn next_due_ms(&self) -> Option<u64> {
        let due = self.alerting.next_due()?;
        let elapsed = i128::from(due.0) - i128::from(START.0) - i128::from(self.clock_ms);
        Some(u64::try_from(elapsed).unwrap_or(0))
    }

    fn next_report_ms(&self) -> Option<u64> {
        self.reports.iter().map(|report| report.ready_ms).min()
    }

    /// What the host does at a moment: results of checks, answers of workers, the time, deliveries that are due.
    fn step(&mut self) -> Result<(), Broken> {
        self.run_checks()?;
        while let Some(index) = self.reports.iter().position(|report| report.ready_ms <= self.elapsed_ms) {
            let Report { delivery, attempt, outcome, .. } = self.reports.swap_remove(index);
            self.apply(Fact::DeliveryEnded { delivery, attempt, outcome })?;
        }
        self.apply(Fact::Tick)?;
        // One tick does so many things at most.
        while self.alerting.next_tick().is_some_and(|at| at <= self.alerting.now()) {
            self.apply(Fact::Tick)?;
        }
        let moment = Moment { alerting: &self.alerting, setting: self.setting, elapsed_ms: self.elapsed_ms };
        self.judge.at_rest(moment)?;
        let mut due: Vec<DeliveryId> = self.alerting.due_deliveries(self.clock()).collect();
        self.random.shuffle(&mut due);
        for id in due {
            self.attempt(id)?;
        }
        Ok(())
    }

    /// Tells the machine a fact and stores what it answers; none where the process died before that.
    fn apply(&mut self, fact: Fact) -> Result<Option<Changes>, Broken> {
        if self.log.is_some() && !matches!(fact, Fact::Tick) {
            let told = format!("{fact:?}");
            self.says(|| told);
        }
        let told = fact.clone();
        let changes = self.alerting.apply(fact, self.clock());
        if self.one_in(400) {
            self.says(|| "dies before it is stored".to_owned());
            if self.is_clock_new {
                self.judge.clock_is_unsure();
            }
            self.restart(Died::BeforeCommit)?;
            return Ok(None);
        }
        self.is_clock_new = false;
        self.commit(&changes, Some(&told), self.alerting.now())?;
        if self.one_in(800) {
            self.says(|| "dies after it was stored".to_owned());
            self.restart(Died::AfterCommit)?;
        }
        Ok(Some(changes))
    }

    fn commit(&mut self, changes: &Changes, fact: Option<&Fact>, now: Timestamp) -> Result<(), Broken> {
        self.judge.before_commit(&Commit { changes, fact, memory: &self.memory, now, setting: self.setting })?;
        self.memory.commit(changes);
        Ok(())
    }

    fn restart(&mut self, died: Died) -> Result<(), Broken> {
        let mut rows = self.memory.rows();
        if self.through_json {
            let json = serde_json::to_string(&rows).map_err(|error| error.to_string())?;
            rows = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        }
        let now = match died {
            Died::BeforeCommit => self.clock(),
            Died::AfterCommit => self.alerting.now(),
        };
        let config = Arc::clone(&self.configs[self.setting]);
        let (restored, changes) = Alerting::restore(rows, config, self.random.u64(..), now);
        if died == Died::AfterCommit {
            if !changes.is_empty() {
                return Err(format!("a restart changes something: {changes:#?}"));
            }
            if let Some(difference) = restored.difference(&self.alerting) {
                return Err(format!("a restart is not as before: {difference}"));
            }
        }
        self.commit(&changes, None, now)?;
        self.alerting = restored;
        // The workers died too.
        self.reports.clear();
        self.deaths += 1;
        Ok(())
    }

    /// Results that were not stored are made again, so what was stored decides what there is to tell.
    fn run_checks(&mut self) -> Result<(), Broken> {
        for index in 0..self.checks.len() {
            while let Some((fact, stored)) = self.checks.get(index).and_then(Check::next_fact) {
                if self.apply(fact)?.is_some()
                    && let Some(check) = self.checks.get_mut(index)
                {
                    check.stored = stored;
                }
            }
        }
        Ok(())
    }

    fn attempt(&mut self, id: DeliveryId) -> Result<(), Broken> {
        let deaths = self.deaths;
        let changes = self.apply(Fact::Attempting { delivery: id })?.filter(|_| self.deaths == deaths);
        let Some(delivery) = changes.as_ref().and_then(|changes| changes.attempt(id)) else { return Ok(()) };
        self.judge.attempts(delivery, self.moment())?;
        if self.one_in(60) {
            self.says(|| "dies before it calls the sink".to_owned());
            return self.restart(Died::AfterCommit);
        }
        let index = SINKS.iter().position(|sink| **sink == *delivery.sink).ok_or("a sink that nobody knows")?;
        let mode = self.modes[index];
        let (is_taken, outcome) = self.answer(mode);
        self.says(|| format!("{} is told {:?} {:?}: taken {is_taken}, {outcome:?}", delivery.sink, delivery.cause, delivery.covers));
        if is_taken {
            self.judge.taken(delivery, &self.memory, self.elapsed_ms)?;
        }
        if self.one_in(60) {
            self.says(|| "dies before the answer is stored".to_owned());
            return self.restart(Died::AfterCommit);
        }
        let Some(outcome) = outcome else { return Ok(()) };
        // Beyond the lease too, and so in another order.
        let delay_ms = match self.random.u32(0..10) {
            _ if !self.has_faults => 0,
            0 => self.random.u64(0..90 * SECOND_MS),
            1..=3 => self.random.u64(0..10 * SECOND_MS),
            _ => 0,
        };
        self.reports.push(Report { ready_ms: self.elapsed_ms + delay_ms, delivery: id, attempt: delivery.attempts, outcome });
        Ok(())
    }

    /// Whether the sink takes it, and what the worker hears, if anything.
    fn answer(&mut self, mode: Mode) -> (bool, Option<Outcome>) {
        let retryable = |after: Option<Duration>| Some(Outcome::Retryable { error: "503".to_owned(), after });
        match mode {
            Mode::Up => (true, Some(Outcome::Delivered { reference: None })),
            Mode::Down => (false, retryable(None)),
            Mode::AsksForTime => (false, retryable(Some(Duration::from_secs(self.random.u64(5..300))))),
            Mode::Missing => (false, Some(Outcome::NotAttempted { error: "no plugin".to_owned() })),
            Mode::Flaky => match self.random.u32(0..8) {
                0 => (true, None),
                1 => (true, Some(Outcome::Lost { error: "trap".to_owned() })),
                2 => (true, retryable(None)),
                3 => (false, Some(Outcome::Refused { error: "no such channel".to_owned() })),
                4 => (false, retryable(None)),
                5 => (false, None),
                _ => (true, Some(Outcome::Delivered { reference: Some("thread".to_owned()) })),
            },
        }
    }

    /// Something happens in the world.
    fn happens(&mut self) -> Result<(), Broken> {
        match self.random.u32(0..106) {
            0..=42 => {
                let index = self.random.usize(0..CHECKS.len());
                let status =
                    [Status::Ok, Status::Critical, Status::Ok, Status::Critical, Status::Warning, Status::Unknown][self.random.usize(0..6)];
                self.checks[index].status = status;
            }
            43..=44 => {
                let incidents: Vec<IncidentId> = self.alerting.incidents().map(|incident| incident.id).collect();
                if let Some(incident) = self.random.choice(incidents) {
                    self.apply(Fact::Note { incident, by: "bo".to_owned(), text: "a disk is full".to_owned(), settled: None })?;
                }
            }
            45..=49 => {
                let check = self.random.usize(0..CHECKS.len());
                self.checks[check].is_flapping ^= true;
            }
            50..=53 => {
                let check = self.random.usize(1..CHECKS.len());
                self.checks[check].is_cut_off ^= true;
            }
            54..=57 => {
                let check = self.random.usize(0..CHECKS.len());
                self.checks[check].is_configured ^= true;
            }
            58..=70 => {
                let sink = self.random.usize(0..SINKS.len());
                self.modes[sink] = [Mode::Up, Mode::Up, Mode::Down, Mode::Flaky, Mode::AsksForTime, Mode::Missing][self.random.usize(0..6)];
                let mode = self.modes[sink];
                self.says(|| format!("{} is {mode:?}", SINKS[sink]));
            }
            71..=76 => {
                let fact = self.silence();
                self.apply(fact)?;
            }
            77..=78 => {
                let silences: Vec<SilenceId> = self.alerting.silences().map(|silence| silence.id).collect();
                if let Some(silence) = self.random.choice(silences) {
                    self.apply(Fact::SilenceExpired { silence })?;
                }
            }
            79..=84 => {
                let open: Vec<IncidentId> = self.alerting.incidents().filter(|incident| incident.is_open()).map(|open| open.id).collect();
                if let Some(incident) = self.random.choice(open) {
                    let until = self.random.bool().then(|| Duration::from_secs(self.random.u64(1..1200)));
                    let until = until.map(|wait| self.clock().plus(wait));
                    self.apply(Fact::Acknowledge { incident, by: "anna".to_owned(), until, note: None })?;
                }
            }
            85..=90 => {
                let ends_at = self.random.bool().then(|| Duration::from_secs(self.random.u64(0..1200)));
                let ends_at = ends_at.map(|wait| self.clock().plus(wait));
                let is_storm = self.has_storms && self.random.u32(0..4) == 0;
                let alerts = if is_storm { scene::storm(ends_at) } else { vec![scene::posted(self.random.usize(0..2), ends_at)] };
                self.apply(Fact::Posted { alerts })?;
            }
            91..=94 => {
                self.setting = self.random.usize(0..self.configs.len());
                let config = Arc::clone(&self.configs[self.setting]);
                self.apply(Fact::Configured { config })?;
            }
            95..=97 => self.jump(),
            100..=101 => {
                if let Some(fact) = self.resend() {
                    self.apply(fact)?;
                }
            }
            102..=103 => {
                let (check, labels) = (self.random.usize(0..CHECKS.len()), self.random.usize(0..scene::LABELS.len()));
                let fact = self.checks[check].relabel(scene::LABELS[labels]);
                self.apply(fact)?;
            }
            104..=105 => {
                let sink = SINKS[self.random.usize(0..SINKS.len())].into();
                self.apply(Fact::SinkMended { sink })?;
            }
            _ => self.restart(Died::AfterCommit)?,
        }
        Ok(())
    }

    /// Somebody has something sent again that failed, or seldom that was taken, as the store has it.
    fn resend(&mut self) -> Option<Fact> {
        let is_taken_wanted = self.random.u32(0..4) == 0;
        let is_wanted = |delivery: &&Delivery| match delivery.state {
            DeliveryState::Refused { .. } | DeliveryState::Expired { .. } => !is_taken_wanted,
            DeliveryState::Delivered { .. } => is_taken_wanted,
            DeliveryState::Pending { .. } | DeliveryState::Attempting { .. } | DeliveryState::Abandoned { .. } => false,
        };
        let wanted: Vec<DeliveryId> = self.memory.deliveries.values().filter(is_wanted).map(|delivery| delivery.id).collect();
        let id = self.random.choice(wanted)?;
        let delivery = self.memory.deliveries.get(&id)?.clone();
        let covered = delivery.covers.iter().filter_map(|cover| self.memory.incidents.get(&cover.incident));
        let settled = covered.filter(|incident| incident.is_settled).cloned().collect();
        Some(Fact::Resend { delivery: Box::new(delivery), settled, by: "anna".to_owned() })
    }

    fn silence(&mut self) -> Fact {
        let matcher = scene::MATCHERS[self.random.usize(0..scene::MATCHERS.len())];
        let starts_at = self.clock().plus(Duration::from_secs(self.random.u64(0..60)));
        let ends_at = starts_at.plus(Duration::from_secs(self.random.u64(1..900)));
        let existing = self.alerting.silences().next().map(|silence| silence.id).filter(|_| self.random.bool());
        let matchers = vec![Matcher::parse(matcher).expect("a matcher")];
        let (created_by, comment) = ("anna".to_owned(), String::new());
        Fact::SilencePut { draft: SilenceDraft { id: existing, matchers, starts_at, ends_at, created_by, comment } }
    }

    /// The clock is set forward or back: mostly a little, seldom beyond the time after which everything is given up.
    fn jump(&mut self) {
        let length = match self.random.u32(0..40) {
            0 => 26 * HOUR_MS,
            1..=10 => self.random.u64(0..40 * MINUTE_MS),
            _ => self.random.u64(0..5 * SECOND_MS),
        };
        let jump = i64::try_from(length).unwrap_or_default();
        let jump = if self.random.bool() { jump } else { -jump };
        let before = self.clock();
        self.clock_ms += jump;
        self.is_clock_new = true;
        self.judge.clock_was_set(before, self.clock());
        self.says(|| format!("the clock jumps by {jump} ms"));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Died {
    BeforeCommit,
    AfterCommit,
}

fn simulate(seed: u64, configs: &[Arc<AlertingConfig>], log: Option<Vec<String>>) -> (Result<(), Broken>, Vec<String>) {
    let mut simulation = Simulation::new(seed, configs, log);
    let result = catch_unwind(AssertUnwindSafe(|| simulation.run())).unwrap_or_else(|_| Err("it panicked; see above".to_owned()));
    (result, simulation.log.unwrap_or_default())
}

/// Runs the seed; where a promise is broken, once more with a log.
fn assert_seed(seed: u64, configs: &[Arc<AlertingConfig>]) {
    let (Err(broken), _) = simulate(seed, configs, None) else { return };
    let (again, log) = simulate(seed, configs, Some(Vec::new()));
    let is_same = again.as_ref().err() == Some(&broken);
    let log = log.join("\n");
    panic!("{log}\n\nseed {seed} (the same again: {is_same}): {broken}\nhint: SICKBAY_SIMULATION_SEED={seed} runs it alone");
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, not a number")))
}

#[test]
fn whoever_was_told_of_a_begin_is_told_of_the_end_once_whatever_happens() {
    let configs = scene::configs();
    if let Some(seed) = number("SICKBAY_SIMULATION_SEED") {
        assert_seed(seed, &configs);
        return;
    }
    let seeds = number("SICKBAY_SIMULATION_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(1, |workers| workers.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    assert_seed(seed, &configs);
                }
            });
        }
    });
}

const SEEN_SEEDS: u64 = 100;

#[test]
fn whatever_can_happen_happens_in_a_hundred_hours() {
    let configs = scene::configs();
    let mut missing: BTreeSet<&str> = seen::EVERYTHING.into();
    for seed in 0..SEEN_SEEDS {
        let mut simulation = Simulation::new(seed, &configs, None);
        simulation.judge.takes_notes();
        assert_eq!(simulation.run(), Ok(()), "seed {seed}");
        missing.retain(|name| !simulation.judge.has_seen(name));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_seed_does_the_same_again() {
    let configs = scene::configs();
    let (first, log) = simulate(7, &configs, Some(Vec::new()));
    let (second, again) = simulate(7, &configs, Some(Vec::new()));
    assert_eq!(first, second);
    assert!(!log.is_empty() && log == again);
    assert_ne!(log, simulate(8, &configs, Some(Vec::new())).1);
}
