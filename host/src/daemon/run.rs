//! One run of a check, from its due time to its record. The data path on one screen:
//!
//! ```text
//! due -> permit -> plugin version -> lend -> run (wasm) -> judge -> advance -> record -> observe -> queue (store)
//! ```
//!
//! What comes behind the run, from the judgement to the record, is in `conclude`; a check that nobody runs comes there by `push`.
//!
//! Where the check says so the run is recorded (`src/transcripts.rs`): its calls are kept on a tape, and become a file once it is judged.
//!
//! The record is made once. What readers see of the check, the queue, the store and the event streams share it; the report that the next
//! run is shown shares its metrics.
//!
//! Invariant: a run is recorded whatever happens in the sandbox; only a run that never began because the one before it was still going
//! on is counted as skipped and leaves no record.
//! Invariant: the permit is held while the instance lives, never while the queue is full.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use sickbay_capabilities::secrets::OpenError;
use sickbay_capabilities::{Lent, RunScope, Services, Usage};
use sickbay_core::lateness::{self, Lateness};
use sickbay_core::window::SAMPLES_MAX;
use sickbay_core::{CheckState, EndCause, Failure, Finding, Report, Schedule, StateKind, Status, Timestamp};
use sickbay_runtime::transcript::{Facts, Tape, Transcript};
use sickbay_runtime::{CheckRequest, RunOutcome as Ran, RunUsage};
use sickbay_store::{Receipt, ResultRecord, Trigger};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::guest;
use crate::clock;
use crate::config::{Isolation, Origin, Record};
use crate::live::{Live, LiveCheck};
use crate::metrics::checks::beyond;
use crate::metrics::plugins::DropReason;
use crate::plugins::{Loaded, PluginSlot};
use crate::transcripts::run_id;
use crate::warm::Purpose;

/// Runs at once in the whole host; with the instances that are kept, below those that the sandbox has room for.
pub const RUNS_MAX: usize = 512;
/// The end of a run that is kept from host calls, so that a guest can still report what a slow service did.
const REPORTING_TIME_MIN: Duration = Duration::from_millis(100);

/// Why a check cannot be run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunNowError {
    UnknownCheck,
    /// It is a push check and shall be run, or it is none and shall be told of.
    OtherKind,
    /// The run before it had not ended within the check's timeout.
    Busy,
    /// The first scan of the plugin folder has not finished, or the host is stopping.
    NotReady,
}

/// Runs checks; the scheduler and `POST /api/v1/checks/{name}/run` share it.
pub struct Runner {
    pub(super) live: Arc<Live>,
    services: ArcSwap<Services>,
    permits: Arc<Semaphore>,
    run_ids: AtomicU64,
    /// Runs under way: the end of the daemon waits for them.
    runs: TaskTracker,
    /// Of the last runs, of all checks.
    lateness: Mutex<Lateness>,
}

/// What a run has when it begins.
struct Turn {
    slot: Arc<PluginSlot>,
    loaded: Arc<Loaded>,
    kind: Arc<String>,
    permits: guest::Permits,
}

/// What leads to a result beside the schedule.
pub(super) enum OutOfTurn {
    Run,
    Pushed { report: Report, took: Duration },
}

/// What a run left behind, before it is judged.
pub(super) struct Ended {
    pub(super) finding: Finding,
    pub(super) run: Sandboxed,
    /// How late the host was with it; none where nothing was measured by this host.
    pub(super) late: Option<Duration>,
}

/// What it left beside its finding; nothing where no guest was asked.
#[derive(Default)]
pub(super) struct Sandboxed {
    pub(super) plugin_version: Arc<str>,
    pub(super) plugin_state: Option<Arc<BTreeMap<String, Vec<u8>>>>,
    /// Where the check's runs are recorded.
    pub(super) transcript: Option<Box<Transcript>>,
}

impl Ended {
    /// A secret that `config` names cannot be had: the guest is not asked.
    fn without_secret(error: &OpenError, turn: &Turn) -> Ended {
        let failure = Failure { kind: "configuration".to_owned(), message: error.to_string() };
        let run = Sandboxed { plugin_version: Arc::clone(&turn.loaded.version), ..Sandboxed::default() };
        Ended { finding: Finding::Failure(failure), run, late: None }
    }

    /// No guest was asked.
    pub(super) fn unbegun(finding: Finding) -> Ended {
        Ended { finding, run: Sandboxed::default(), late: None }
    }
}

impl Runner {
    pub fn new(live: Arc<Live>, services: Arc<Services>, runs: TaskTracker) -> Runner {
        let permits = Arc::new(Semaphore::new(RUNS_MAX));
        Runner { live, services: ArcSwap::from(services), permits, run_ids: AtomicU64::new(1), runs, lateness: Mutex::default() }
    }

    pub fn services(&self) -> Arc<Services> {
        self.services.load_full()
    }

    /// Runs under way go on with what they began with; connections that are not shared are closed behind them.
    pub fn replace_services(&self, services: Arc<Services>) {
        let before = self.services.swap(Arc::clone(&services));
        before.retire(&services);
    }

    pub fn runs_in_flight(&self) -> usize {
        RUNS_MAX - self.permits.available_permits()
    }

    /// A run out of turn; waits for the one that is going on. It is recorded also when nobody waits for the answer any more; the receipt
    /// says when, and with which number.
    pub async fn run_now(self: &Arc<Runner>, name: &str) -> Result<(Arc<ResultRecord>, Receipt), RunNowError> {
        let check = self.check(name)?;
        if matches!(check.spec.origin, Origin::Push { .. }) {
            return Err(RunNowError::OtherKind);
        }
        self.out_of_turn(check, OutOfTurn::Run).await
    }

    /// No more results come about.
    pub(super) fn is_ending(&self) -> bool {
        self.runs.is_closed()
    }

    /// A task that the end of the daemon waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runs.spawn(task);
    }

    pub(super) fn check(&self, name: &str) -> Result<Arc<LiveCheck>, RunNowError> {
        self.live.checks().get(name).cloned().ok_or(RunNowError::UnknownCheck)
    }

    /// Makes a record in a task of its own, and puts it into the queue.
    pub(super) async fn out_of_turn(
        self: &Arc<Runner>,
        check: Arc<LiveCheck>,
        what: OutOfTurn,
    ) -> Result<(Arc<ResultRecord>, Receipt), RunNowError> {
        let running = tokio::time::timeout(check.spec.timeout, Arc::clone(&check.memory.running).lock_owned()).await;
        let running = running.map_err(|_| RunNowError::Busy)?;
        if self.runs.is_closed() {
            return Err(RunNowError::NotReady);
        }
        let runner = Arc::clone(self);
        let run = self.runs.spawn(async move {
            let record = match (what, check.spec.origin) {
                (OutOfTurn::Run, Origin::Composite) => runner.composed(&check, clock::now(), Trigger::Manual).await,
                (OutOfTurn::Run, Origin::Slo) => runner.weighed(&check, clock::now(), Trigger::Manual),
                (OutOfTurn::Run, Origin::Plugin | Origin::Push { .. }) => runner.run(&check, clock::now(), Trigger::Manual).await,
                (OutOfTurn::Pushed { report, took }, _) => runner.take_pushed(&check, report, took).await,
            };
            let receipt = runner.live.queue.push_urgent(Arc::clone(&record)).await;
            drop(running);
            (record, receipt)
        });
        run.await.map_err(|_| RunNowError::NotReady)
    }

    /// A run that is due. The caller holds the check's `running` lock.
    pub async fn run_scheduled(&self, check: &LiveCheck, scheduled_at: Timestamp) {
        let record = match check.spec.origin {
            Origin::Plugin => Some(self.run(check, scheduled_at, Trigger::Schedule).await),
            Origin::Push { within } => self.listened(check, scheduled_at, within),
            Origin::Composite => self.composed_in_turn(check, scheduled_at, Trigger::Schedule).await,
            Origin::Slo => self.weighed_in_turn(check, scheduled_at, Trigger::Schedule),
        };
        if let Some(record) = record {
            self.live.queue.push(record).await;
        }
    }

    /// The data path up to the queue, into which the caller puts the record before it lets go of the check's `running` lock: the results
    /// of a check are stored in the order in which they were judged.
    async fn run(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> Arc<ResultRecord> {
        let scheduled_at = Runner::time_of_its_own(check, scheduled_at, trigger);
        // Without the wait for permits: a service that hangs may hold all of its plugin's, and is to blame for it.
        let (waited_from, late) = (Instant::now(), clock::now().since(scheduled_at));
        let turn = self.turn(check).await;
        let (began, started_at) = (Instant::now(), clock::now());
        if trigger == Trigger::Schedule {
            self.live.metrics.lateness(started_at.since(scheduled_at));
            self.lateness.lock().unwrap_or_else(PoisonError::into_inner).note(started_at, late);
        }
        let ended = match turn {
            Ok(turn) => self.sandboxed(check, turn, scheduled_at).await,
            Err(cause) => Ended::unbegun(Finding::Ended(waited(cause, waited_from))),
        };
        let took = began.elapsed();
        let late = late.max(lateness::slept(started_at, clock::now(), took));
        let ended = Ended { finding: self.excused(ended.finding, late), run: ended.run, late: Some(late) };
        self.recall(check).await;
        self.conclude(check, ended, Times { scheduled_at, started_at, took }, trigger)
    }

    /// A timeout is no judgement of the service where the host itself was late.
    fn excused(&self, finding: Finding, late: Duration) -> Finding {
        if lateness::is_timeout(&finding) { lateness::excused(finding, self.late(late)) } else { finding }
    }

    /// How late the host is, where it was so late with one run.
    pub(super) fn late(&self, with_it: Duration) -> Duration {
        with_it.max(self.lateness.lock().unwrap_or_else(PoisonError::into_inner).p99(clock::now()))
    }

    /// There is one result for each time. A time of the schedule stays what it is: whatever else leads to a result keeps off the
    /// schedule's times. Only after the clock was set back it comes behind the last one too.
    pub(super) fn time_of_its_own(check: &LiveCheck, at: Timestamp, trigger: Trigger) -> Timestamp {
        let newest = check.with(|observed| observed.last.as_ref().map(|last| (last.scheduled_at, last.trigger)));
        let schedules = [Some(&check.schedule), check.spec.retry.as_ref()];
        time_of_its_own(schedules, newest, at, trigger, clock::now())
    }

    /// Before the first run on a table: the stored results, where a condition asks for the past.
    pub(super) async fn recall(&self, check: &LiveCheck) {
        let Some(past) = &check.past else { return };
        if past.lock().unwrap_or_else(PoisonError::into_inner).is_filled {
            return;
        }
        // As many as are kept, so it fits.
        let stored = self.live.store.results(&check.name, None, SAMPLES_MAX as u32).await;
        let mut past = past.lock().unwrap_or_else(PoisonError::into_inner);
        past.is_filled = true;
        match stored {
            Ok(newest_first) => past.fill(&newest_first),
            Err(error) => {
                tracing::warn!(check = check.spec.name, "conditions over the past begin without the stored results: {error}");
            }
        }
    }

    /// Waits for permits, at most as long as the result would still be of use, and takes the version that serves now.
    async fn turn(&self, check: &LiveCheck) -> Result<Turn, EndCause> {
        let spec = &check.spec;
        let slot = guest::slot(&self.live.plugins, &spec.plugin)?;
        let wait_max = spec.schedule.interval().map_or(spec.timeout, |every| every.min(spec.timeout));
        let permits = guest::permits(&slot, &self.permits, wait_max).await.ok_or(EndCause::Overloaded { waited_ms: 0 })?;
        let loaded = guest::serving(&slot)?;
        let resolved = loaded.kind_of(&spec.plugin_use()).map_err(|message| EndCause::PluginMissing { message })?;
        let mut kind = check.kind.load_full();
        if *kind != resolved {
            kind = Arc::new(resolved.to_owned());
            check.kind.store(Arc::clone(&kind));
        }
        Ok(Turn { slot, loaded, kind, permits })
    }

    async fn sandboxed(&self, check: &LiveCheck, turn: Turn, scheduled_at: Timestamp) -> Ended {
        let spec = &check.spec;
        let plugin = &turn.loaded.plugin;
        let scope = RunScope {
            check: Arc::clone(&check.name),
            plugin: Arc::clone(&plugin.name),
            run_id: self.run_ids.fetch_add(1, Ordering::Relaxed),
            deadline: Instant::now() + host_calls_end(spec.timeout),
            state: check.memory.plugin_state.load_full(),
        };
        let services = self.services.load_full();
        let opened = guest::open_config(&services, &spec.config_text, spec.secrets.as_ref(), scope.deadline).await;
        let (config, placeholders) = match opened {
            Ok(opened) => opened,
            Err(error) => return Ended::without_secret(&error, &turn),
        };
        let tape = (spec.record != Record::Off).then(Tape::recording);
        let lent = Lent::new(&services, &spec.grants, &check.limits, scope).with_secrets(placeholders).with_tape(tape);
        let (reported, attempt) = check.with(|observed| (observed.reported.clone(), attempt(&observed.state)));
        let request = CheckRequest {
            check: spec.written_name(),
            target: spec.target.as_deref(),
            kind: &turn.kind,
            config: &config,
            scheduled_at,
            attempt,
            labels: &check.labels,
            previous: reported.as_ref().map(|(at, report)| (*at, &**report)),
        };
        let ran = match spec.isolation {
            Isolation::Fresh => plugin.check(&request, lent, &check.limits, spec.timeout).await,
            Isolation::Warm { runs_max } => self.on_kept(check, &turn, &request, lent, runs_max).await,
        };
        let Ran { finding, usage, output, backtrace, lent, tape } = ran;
        let secrets = lent.secrets().clone();
        let calls = lent.finish();
        let finding = secrets.mask_finding(finding);
        let output = services.mask_output(&secrets, output).await;
        self.count(check, &turn, &finding, &usage, &calls);
        guest::log_output(&spec.name, &spec.plugin, services.shapes(), &output, usage.output_bytes_dropped);
        drop(turn.permits);
        let transcript = tape.and_then(|tape| {
            let run = run_id(&check.name, scheduled_at);
            let (plugin, sha256, limits) = (&*plugin.name, plugin.sha256.as_str(), check.limits);
            tape.finish(Facts { run, plugin, sha256, limits, finding: &finding, output: &output, backtrace })
        });
        let plugin_state = kept(&finding, calls).map(Arc::new);
        let plugin_version = Arc::clone(&turn.loaded.version);
        Ended { finding, run: Sandboxed { plugin_version, plugin_state, transcript: transcript.map(Box::new) }, late: None }
    }

    /// A run on the instance that the check's run before left, where there is one; it stays for the next where it may.
    async fn on_kept(&self, check: &LiveCheck, turn: &Turn, request: &CheckRequest<'_>, lent: Lent, runs_max: u32) -> Ran<Lent> {
        let (warm, loaded) = (&self.live.warm, &turn.loaded);
        let purpose = Purpose::of(check, loaded, &turn.kind);
        let kept = warm.take(&check.name, &purpose).filter(|instance| instance.runs() < runs_max);
        let (ran, kept) = loaded.plugin.check_warm(kept, request, lent, &check.limits, check.spec.timeout).await;
        // What was swapped or configured anew meanwhile is not worth a place.
        let is_wanted = turn.slot.current().is_some_and(|current| Arc::ptr_eq(&current, loaded))
            && self.live.checks().get(&check.name).is_some_and(|now| purpose.suits(now));
        if let Some(instance) = kept.filter(|instance| is_wanted && instance.runs() < runs_max) {
            warm.put(&check.name, purpose, instance);
        }
        ran
    }

    fn count(&self, check: &LiveCheck, turn: &Turn, finding: &Finding, usage: &RunUsage, calls: &Usage) {
        self.live.metrics.run_finished(&check.spec.plugin, &turn.kind, Duration::from_micros(usage.wall_us));
        let ended = match finding {
            Finding::Ended(cause) => Some(cause),
            Finding::Report(_) | Finding::Failure(_) => None,
        };
        if let Finding::Report(report) = finding {
            turn.slot.counts.metrics_dropped(DropReason::TooMany, beyond(&report.metrics));
        }
        guest::count(&turn.slot, ended, usage, calls);
    }
}

pub(super) struct Times {
    pub(super) scheduled_at: Timestamp,
    pub(super) started_at: Timestamp,
    pub(super) took: Duration,
}

/// Small values are kept only by a run that gave a report: a run that fails writes nothing.
fn kept(finding: &Finding, calls: Usage) -> Option<BTreeMap<String, Vec<u8>>> {
    match finding {
        Finding::Report(_) => calls.state,
        Finding::Failure(_) | Finding::Ended(_) => None,
    }
}

/// 1 for the first try at a state, 2 for the next.
fn attempt(state: &CheckState) -> u32 {
    match state.kind {
        StateKind::Hard => 1,
        StateKind::Soft => match state.status {
            Status::Ok => state.successes + 1,
            Status::Unknown => state.unknowns + 1,
            Status::Warning | Status::Critical => state.failures + 1,
        },
    }
}

/// When host calls of a run end, counted from its beginning: before the run does, so that a hung service is never taken for a hung plugin.
pub fn host_calls_end(timeout: Duration) -> Duration {
    timeout.saturating_sub(REPORTING_TIME_MIN.max(timeout / 10)).max(timeout / 2)
}

/// See [`Runner::time_of_its_own`].
fn time_of_its_own(
    schedules: [Option<&Schedule>; 2],
    newest: Option<(Timestamp, Trigger)>,
    at: Timestamp,
    trigger: Trigger,
    now: Timestamp,
) -> Timestamp {
    const STEP: Duration = Duration::from_millis(1);
    let behind = |newest: Timestamp| at.max(newest.plus(STEP));
    match (newest, trigger) {
        (None, Trigger::Schedule) => at,
        // Somebody's run came between the due time and this one.
        (Some((newest, Trigger::Manual | Trigger::Push | Trigger::Member)), Trigger::Schedule) if newest <= now && newest != at => at,
        (Some((newest, _)), Trigger::Schedule) => behind(newest),
        (newest, Trigger::Manual | Trigger::Push | Trigger::Member) => {
            let mut at = newest.map_or(at, |(newest, _)| behind(newest));
            // Once for each: between two times of one of them are many steps.
            for _ in schedules {
                if schedules.iter().flatten().any(|schedule| schedule.next_after(at.minus(STEP)) == at) {
                    at = at.plus(STEP);
                }
            }
            at
        }
    }
}

fn waited(cause: EndCause, from: Instant) -> EndCause {
    match cause {
        EndCause::Overloaded { .. } => EndCause::Overloaded { waited_ms: u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX) },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_capabilities::ServiceSettings;
    use sickbay_core::Reason;

    use super::*;
    use crate::api::testing::{Host, two_checks};

    async fn times_of_results(host: &Host, check: &str) -> Vec<u64> {
        host.live.queue.flush().await.unwrap();
        let results = host.live.store.results(check, None, 100).await.unwrap();
        results.iter().rev().map(|result| result.record.scheduled_at.0).collect()
    }

    fn runner(host: &Host) -> Arc<Runner> {
        let services = Services::new(&ServiceSettings::default()).unwrap();
        Arc::new(Runner::new(Arc::clone(&host.live), services, TaskTracker::new()))
    }

    #[tokio::test]
    async fn after_the_clock_was_set_back_every_run_is_recorded_later_than_the_one_before() {
        let host = Host::start(&two_checks()).await;
        let (runner, checks) = (runner(&host), host.live.checks());
        let check = checks.get("api").unwrap();
        // The hour before comes again.
        for minute in [120, 60, 60, 61, 120, 121] {
            runner.run_scheduled(check, Timestamp(minute * 60_000)).await;
        }
        let last: u64 = 120 * 60_000;
        assert_eq!(times_of_results(&host, "api").await, [last, last + 1, last + 2, last + 3, last + 4, 121 * 60_000]);
    }

    #[tokio::test]
    async fn readers_the_store_and_who_asked_share_one_record() {
        let host = Host::start(&two_checks()).await;
        let runner = runner(&host);
        let (record, receipt) = runner.run_now("api").await.unwrap();
        let committed = receipt.committed().await.unwrap();
        assert_eq!(committed.seq, 1);
        assert!(Arc::ptr_eq(&committed.record, &record));
        let observed = host.live.checks().get("api").unwrap().observed();
        assert!(observed.last.is_some_and(|last| Arc::ptr_eq(&last, &record)));
        assert!(matches!(record.reason, Reason::PluginMissing { .. }), "{:?}", record.reason);
        assert_eq!((&record.state, &*record.plugin, record.trigger), (&observed.state, "http", Trigger::Manual));
    }

    #[test]
    fn a_time_of_the_schedule_stays_what_it_is_whoever_runs_the_check_in_between() {
        let schedule = Schedule::every("api", Duration::from_secs(10));
        let due = schedule.next_after(Timestamp(1_000_000));
        let (after, ms) = (|milliseconds: u64| due.plus(Duration::from_millis(milliseconds)), Duration::from_millis(1));
        let time = |newest: Option<(Timestamp, Trigger)>, at: Timestamp, trigger: Trigger, now: Timestamp| {
            time_of_its_own([Some(&schedule), None], newest, at, trigger, now)
        };
        // Asked for 3 ms after it was due, over before it was dispatched.
        assert_eq!(time(Some((after(3), Trigger::Manual)), due, Trigger::Schedule, after(15)), due);
        // Asked for at the very millisecond.
        assert_eq!(time(None, due, Trigger::Manual, due), after(1));
        assert_eq!(time(Some((after(1), Trigger::Manual)), due, Trigger::Manual, due), after(2));
        assert_eq!(time(Some((due.minus(ms), Trigger::Schedule)), due.minus(ms), Trigger::Manual, due), after(1));
        // The hour before comes again.
        let before = due.minus(Duration::from_secs(3_600));
        for newest in [Trigger::Schedule, Trigger::Manual] {
            assert_eq!(time(Some((due, newest)), before, Trigger::Schedule, before), after(1), "{newest:?}");
        }
    }

    const MADE_OF_DB: &str = "[[check]]\nname = \"shop\"\ncomposite = { checks = [\"db\"] }\nevery = \"10s\"\n\
                              [[slo]]\nname = \"shop\"\nchecks = [\"db\"]\nobjective = 0.99\n";

    #[tokio::test]
    async fn a_composite_and_an_objective_wait_for_members_that_never_ran() {
        let host = Host::start(&format!("{}{MADE_OF_DB}", crate::api::testing::check("db"))).await;
        let (runner, checks) = (runner(&host), host.live.checks());
        for name in ["shop", "slo.shop"] {
            let look = checks.get(name).unwrap();
            runner.run_scheduled(look, clock::now()).await;
            assert_eq!(times_of_results(&host, name).await.len(), 0, "{name} waits");
            let (record, _) = runner.run_now(name).await.unwrap();
            assert_eq!(record.status, Status::Unknown, "who asks is answered");
        }
        // Nobody can judge the member: that is confirmed, so it is what they say.
        for second in 1..=3 {
            runner.run_scheduled(checks.get("db").unwrap(), Timestamp(clock::now().0 + second * 1_000)).await;
        }
        for name in ["shop", "slo.shop"] {
            let before = times_of_results(&host, name).await.len();
            runner.run_scheduled(checks.get(name).unwrap(), Timestamp(clock::now().0 + 60_000)).await;
            assert_eq!(times_of_results(&host, name).await.len(), before + 1, "{name}");
        }
    }

    #[tokio::test]
    async fn a_member_that_is_overdue_is_waited_for_no_longer() {
        let host = Host::start(&format!("{}{MADE_OF_DB}", crate::api::testing::check("db"))).await;
        let (runner, checks) = (runner(&host), host.live.checks());
        let shop = checks.get("shop").unwrap();
        assert!(runner.awaits_members(shop), "the process began just now");
        assert!(!runner.awaits_members_at(shop, Timestamp(1_000), clock::now()));
    }

    #[test]
    fn host_calls_end_before_the_run_does() {
        let ms = Duration::from_millis;
        assert_eq!(host_calls_end(ms(10_000)), ms(9_000));
        assert_eq!(host_calls_end(ms(500)), ms(400));
        assert_eq!(host_calls_end(ms(100)), ms(50));
    }
}
