//! One run of a check, from its due time to its record. The data path on one screen:
//!
//! ```text
//! due -> permit -> plugin version -> lend -> run (wasm) -> judge -> advance -> record -> observe -> queue (store)
//! ```
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
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use sickbay_capabilities::secrets::OpenError;
use sickbay_capabilities::{Lent, RunScope, Services, Usage};
use sickbay_core::{CheckState, EndCause, Failure, Finding, Judgement, Reason, StateKind, Status, Timestamp, Transition, judge};
use sickbay_runtime::transcript::{Facts, Tape, Transcript};
use sickbay_runtime::{CheckRequest, RunOutcome as Ran, RunUsage};
use sickbay_store::{Receipt, ResultRecord, Trigger};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::guest;
use crate::clock;
use crate::config::{Isolation, Record};
use crate::live::{Live, LiveCheck, RunOutcome};
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
    /// The run before it had not ended within the check's timeout.
    Busy,
    /// The first scan of the plugin folder has not finished, or the host is stopping.
    NotReady,
}

/// Runs checks; the scheduler and `POST /api/v1/checks/{name}/run` share it.
pub struct Runner {
    live: Arc<Live>,
    services: ArcSwap<Services>,
    permits: Arc<Semaphore>,
    run_ids: AtomicU64,
    /// Runs under way: the end of the daemon waits for them.
    runs: TaskTracker,
}

/// What a run has when it begins.
struct Turn {
    slot: Arc<PluginSlot>,
    loaded: Arc<Loaded>,
    kind: Arc<String>,
    permits: guest::Permits,
}

/// What a run left behind, before it is judged.
struct Ended {
    finding: Finding,
    plugin_version: Arc<str>,
    plugin_state: Option<Arc<BTreeMap<String, Vec<u8>>>>,
    /// Where the check's runs are recorded.
    transcript: Option<Box<Transcript>>,
}

impl Ended {
    /// A secret that `config` names cannot be had: the guest is not asked.
    fn without_secret(error: &OpenError, turn: &Turn) -> Ended {
        let failure = Failure { kind: "configuration".to_owned(), message: error.to_string() };
        Ended { plugin_version: Arc::clone(&turn.loaded.version), ..Ended::unbegun(Finding::Failure(failure)) }
    }

    /// No guest was asked.
    fn unbegun(finding: Finding) -> Ended {
        Ended { finding, plugin_version: Arc::default(), plugin_state: None, transcript: None }
    }
}

impl Runner {
    pub fn new(live: Arc<Live>, services: Arc<Services>, runs: TaskTracker) -> Runner {
        let permits = Arc::new(Semaphore::new(RUNS_MAX));
        Runner { live, services: ArcSwap::from(services), permits, run_ids: AtomicU64::new(1), runs }
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
        let check = self.live.checks().get(name).cloned().ok_or(RunNowError::UnknownCheck)?;
        let running = tokio::time::timeout(check.spec.timeout, Arc::clone(&check.memory.running).lock_owned()).await;
        let running = running.map_err(|_| RunNowError::Busy)?;
        if self.runs.is_closed() {
            return Err(RunNowError::NotReady);
        }
        let runner = Arc::clone(self);
        let run = self.runs.spawn(async move {
            let record = runner.run(&check, clock::now(), Trigger::Manual).await;
            let receipt = runner.live.queue.push_urgent(Arc::clone(&record)).await;
            drop(running);
            (record, receipt)
        });
        run.await.map_err(|_| RunNowError::NotReady)
    }

    /// A run that is due. The caller holds the check's `running` lock.
    pub async fn run_scheduled(&self, check: &LiveCheck, scheduled_at: Timestamp) {
        let record = self.run(check, scheduled_at, Trigger::Schedule).await;
        self.live.queue.push(record).await;
    }

    /// The data path up to the queue, into which the caller puts the record before it lets go of the check's `running` lock: the results
    /// of a check are stored in the order in which they were judged.
    async fn run(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> Arc<ResultRecord> {
        // There is one result for each time, and the clock may have been set back.
        let newest = check.with(|observed| observed.last.as_ref().map(|last| last.scheduled_at));
        let scheduled_at = newest.map_or(scheduled_at, |newest| scheduled_at.max(newest.plus(Duration::from_millis(1))));
        let waited_from = Instant::now();
        let turn = self.turn(check).await;
        let (began, started_at) = (Instant::now(), clock::now());
        if trigger == Trigger::Schedule {
            self.live.metrics.lateness(started_at.since(scheduled_at));
        }
        let ended = match turn {
            Ok(turn) => self.sandboxed(check, turn, scheduled_at).await,
            Err(cause) => Ended::unbegun(Finding::Ended(waited(cause, waited_from))),
        };
        self.conclude(check, ended, Times { scheduled_at, started_at, took: began.elapsed() }, trigger)
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
        let output = secrets.mask_text(&output);
        self.count(check, &turn, &finding, &usage, &calls);
        guest::log_output(&spec.name, &spec.plugin, &output, usage.output_bytes_dropped);
        drop(turn.permits);
        let transcript = tape.and_then(|tape| {
            let run = run_id(&check.name, scheduled_at);
            let (plugin, sha256, limits) = (&*plugin.name, plugin.sha256.as_str(), check.limits);
            tape.finish(Facts { run, plugin, sha256, limits, finding: &finding, output: &output, backtrace })
        });
        let plugin_state = kept(&finding, calls).map(Arc::new);
        Ended { plugin_version: Arc::clone(&turn.loaded.version), plugin_state, transcript: transcript.map(Box::new), finding }
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
        guest::count(&self.live.metrics, &turn.slot, ended, usage, calls);
    }

    /// Judge, advance the state, make the record, and let readers see it.
    fn conclude(&self, check: &LiveCheck, ended: Ended, times: Times, trigger: Trigger) -> Arc<ResultRecord> {
        let (judgement, mut report) = judge(ended.finding, &check.spec.rules);
        // Nobody else advances it meanwhile: at most one run of a check is under way.
        let (before, last) = check.with(|observed| {
            let has_run = observed.runs[..RunOutcome::Skipped as usize].iter().any(|runs| *runs > 0);
            (observed.state.clone(), observed.last.clone().filter(|_| has_run))
        });
        let (state, decision, transition) = before.advance(check.spec.policy, &judgement, times.started_at);
        log_judgement(check, &judgement, transition.as_ref(), last.as_deref());
        if let Some(mut transcript) = ended.transcript
            && is_recorded(check.spec.record, judgement.status)
        {
            transcript.judged = format!("{}, {}", judgement.status, judgement.reason.name());
            self.live.transcripts.keep(&transcript);
        }
        if let Some(plugin_state) = &ended.plugin_state {
            check.memory.plugin_state.store(Arc::clone(plugin_state));
        }
        let record = Arc::new(ResultRecord {
            check: Arc::clone(&check.name),
            scheduled_at: times.scheduled_at,
            started_at: times.started_at,
            duration_us: u64::try_from(times.took.as_micros()).unwrap_or(u64::MAX),
            trigger,
            plugin: Arc::clone(&check.plugin),
            plugin_version: ended.plugin_version,
            status: judgement.status,
            summary: judgement.summary,
            reason: judgement.reason,
            decision,
            failure: judgement.failure,
            evidence: judgement.evidence,
            metrics: report.as_ref().map(|report| Arc::clone(&report.metrics)).unwrap_or_default(),
            details: report.as_mut().and_then(|report| report.details.take()),
            state,
            transition,
            plugin_state: ended.plugin_state,
        });
        check.with(|observed| observed.note(Arc::clone(&record), report));
        record
    }
}

/// What an operator should hear of: another confirmed status, and why nobody can judge, from the first run on.
fn log_judgement(check: &LiveCheck, judgement: &Judgement, transition: Option<&Transition>, last: Option<&ResultRecord>) {
    let (name, reason) = (check.spec.name.as_str(), judgement.reason.name());
    match transition {
        Some(Transition { from, to: Status::Ok, .. }) => {
            tracing::info!(check = name, %from, to = %Status::Ok, reason, "{}", judgement.told());
        }
        Some(Transition { from, to, .. }) => tracing::warn!(check = name, %from, %to, reason, "{}", judgement.told()),
        None if is_newly_unknown(judgement, last) => {
            tracing::warn!(check = name, status = %Status::Unknown, reason, "{}", judgement.told());
        }
        None => {}
    }
}

/// The first result since the start that nobody could judge, and each for another reason than the one before; `last` is none at the first.
fn is_newly_unknown(judgement: &Judgement, last: Option<&ResultRecord>) -> bool {
    let is_unknown = judgement.status == Status::Unknown;
    is_unknown && last.is_none_or(|last| last.status == Status::Unknown && !is_same(&last.reason, &judgement.reason))
}

/// Whether two reasons tell the same but for what was counted or measured.
fn is_same(before: &Reason, now: &Reason) -> bool {
    let told = |reason: &Reason| reason.to_string().replace(|character: char| character.is_ascii_digit(), "");
    before.name() == now.name() && told(before) == told(now)
}

struct Times {
    scheduled_at: Timestamp,
    started_at: Timestamp,
    took: Duration,
}

/// Small values are kept only by a run that gave a report: a run that fails writes nothing.
fn kept(finding: &Finding, calls: Usage) -> Option<BTreeMap<String, Vec<u8>>> {
    match finding {
        Finding::Report(_) => calls.state,
        Finding::Failure(_) | Finding::Ended(_) => None,
    }
}

fn is_recorded(record: Record, status: Status) -> bool {
    match record {
        Record::Off => false,
        Record::OnFailure => status != Status::Ok,
        Record::Always => true,
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

fn waited(cause: EndCause, from: Instant) -> EndCause {
    match cause {
        EndCause::Overloaded { .. } => EndCause::Overloaded { waited_ms: u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX) },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use sickbay_capabilities::ServiceSettings;

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

    #[tokio::test]
    async fn what_nobody_can_judge_is_told_at_first_and_for_another_reason() {
        let host = Host::start(&two_checks()).await;
        let (record, _) = runner(&host).run_now("api").await.unwrap();
        let judged =
            |status: Status, reason: Reason| Judgement { status, summary: String::new(), reason, failure: None, evidence: Vec::new() };
        let failed = |message: &str| Reason::PluginFailure { kind: "denied".to_owned(), message: message.to_owned() };
        let after = |before: Reason, now: Reason| {
            let last = ResultRecord { status: Status::Unknown, reason: before, ..(*record).clone() };
            is_newly_unknown(&judged(Status::Unknown, now), Some(&last))
        };
        assert!(is_newly_unknown(&judged(Status::Unknown, failed("a")), None));
        assert!(!is_newly_unknown(&judged(Status::Critical, Reason::Passed), None));
        assert!(!after(failed("no answer in 12 ms"), failed("no answer in 7 ms")));
        assert!(after(failed("`a` is not granted"), failed("`b` is not granted")));
        assert!(after(record.reason.clone(), failed("`b` is not granted")));
        let well = ResultRecord { status: Status::Ok, reason: Reason::Passed, ..(*record).clone() };
        assert!(!is_newly_unknown(&judged(Status::Unknown, failed("a")), Some(&well)), "it is told when it is confirmed");
    }

    #[test]
    fn on_failure_is_whatever_is_not_ok() {
        let recorded = |record| Status::ALL.map(|status| is_recorded(record, status));
        assert_eq!(Status::ALL[1], Status::Ok);
        assert_eq!(recorded(Record::OnFailure), [true, false, true, true]);
        assert_eq!((recorded(Record::Off), recorded(Record::Always)), ([false; 4], [true; 4]));
    }

    #[test]
    fn host_calls_end_before_the_run_does() {
        let ms = Duration::from_millis;
        assert_eq!(host_calls_end(ms(10_000)), ms(9_000));
        assert_eq!(host_calls_end(ms(500)), ms(400));
        assert_eq!(host_calls_end(ms(100)), ms(50));
    }
}
