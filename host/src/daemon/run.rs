//! One run of a check, from its due time to its record. The data path on one screen:
//!
//! ```text
//! due -> permit -> plugin version -> lend -> run (wasm) -> judge -> advance -> observe -> queue (store)
//! ```
//!
//! Invariant: a run is recorded whatever happens in the sandbox; only a run that never began because the one before it was still going
//! on is counted as skipped and leaves no record.
//! Invariant: the permit is held while the instance lives, never while the queue is full.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use sickbay_capabilities::{Lent, RunScope, Services, Usage};
use sickbay_core::{
    CheckState, Decision, EndCause, Evidence, Finding, Judgement, Metric, Quota, Report, StateKind, Status, Timestamp, Transition, judge,
};
use sickbay_runtime::{CheckRequest, RunOutcome as Ran, RunUsage};
use sickbay_store::{ResultRecord, Trigger};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::live::{LastRun, Live, LiveCheck, Observed, RunOutcome};
use crate::metrics::TrapReason;
use crate::plugins::{Loaded, PluginSlot};

/// Runs at once in the whole host; below the instances that the sandbox has room for.
pub const RUNS_MAX: usize = 512;
/// The end of a run that is kept from host calls, so that a guest can still report what a slow service did.
const REPORTING_TIME_MIN: Duration = Duration::from_millis(100);

const OUTPUT_LINE_BYTES_MAX: usize = 4 << 10;

const _: () = assert!(RUNS_MAX < sickbay_runtime::INSTANCES_MAX as usize);

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
    kind: String,
    permits: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// What a run left behind, before it is judged.
struct Ended {
    finding: Finding,
    plugin_version: String,
    plugin_state: Option<BTreeMap<String, Vec<u8>>>,
}

impl Runner {
    pub fn new(live: Arc<Live>, services: Arc<Services>, runs: TaskTracker) -> Runner {
        let permits = Arc::new(Semaphore::new(RUNS_MAX));
        Runner { live, services: ArcSwap::from(services), permits, run_ids: AtomicU64::new(1), runs }
    }

    pub fn replace_services(&self, services: Arc<Services>) {
        self.services.store(services);
    }

    pub fn runs_in_flight(&self) -> usize {
        RUNS_MAX - self.permits.available_permits()
    }

    /// A run out of turn; waits for the one that is going on. It is recorded also when nobody waits for the answer any more.
    pub async fn run_now(self: &Arc<Runner>, name: &str) -> Result<ResultRecord, RunNowError> {
        let check = self.live.checks().get(name).cloned().ok_or(RunNowError::UnknownCheck)?;
        let running = tokio::time::timeout(check.spec.timeout, Arc::clone(&check.memory.running).lock_owned()).await;
        let running = running.map_err(|_| RunNowError::Busy)?;
        if self.runs.is_closed() {
            return Err(RunNowError::NotReady);
        }
        let runner = Arc::clone(self);
        let run = self.runs.spawn(async move {
            let record = runner.run(&check, clock::now(), Trigger::Manual).await;
            drop(running);
            record
        });
        run.await.map_err(|_| RunNowError::NotReady)
    }

    /// The data path. The caller holds the check's `running` lock.
    pub async fn run(&self, check: &LiveCheck, scheduled_at: Timestamp, trigger: Trigger) -> ResultRecord {
        // There is one result for each time, and the clock may have been set back.
        let newest = check.with(|observed| observed.last.as_ref().map(|last| last.scheduled_at));
        let scheduled_at = newest.map_or(scheduled_at, |newest| scheduled_at.max(Timestamp(newest.0 + 1)));
        let waited_from = Instant::now();
        let turn = self.turn(check).await;
        let (began, started_at) = (Instant::now(), clock::now());
        if trigger == Trigger::Schedule {
            self.live.metrics.lateness(started_at.since(scheduled_at));
        }
        let ended = match turn {
            Ok(turn) => self.sandboxed(check, turn, scheduled_at).await,
            Err(cause) => Ended { finding: Finding::Ended(waited(cause, waited_from)), plugin_version: String::new(), plugin_state: None },
        };
        let record = self.conclude(check, ended, Times { scheduled_at, started_at, took: began.elapsed() }, trigger);
        self.live.queue.push(record.clone()).await;
        record
    }

    /// Waits for permits, at most as long as the result would still be of use, and takes the version that serves now.
    async fn turn(&self, check: &LiveCheck) -> Result<Turn, EndCause> {
        let spec = &check.spec;
        let missing = |message: String| EndCause::PluginMissing { message };
        let slot = self.live.plugin(&spec.plugin).ok_or_else(|| missing(no_plugin(&spec.plugin)))?;
        let wait_max = spec.timeout.min(spec.every);
        let permits = async { (slot.permits().acquire_owned().await, Arc::clone(&self.permits).acquire_owned().await) };
        let permits = match tokio::time::timeout(wait_max, permits).await {
            Ok((Ok(plugin), Ok(host))) => (plugin, host),
            _ => return Err(EndCause::Overloaded { waited_ms: 0 }),
        };
        let loaded = slot.current().ok_or_else(|| missing(no_version(&slot)))?;
        let kind = loaded.kind_of(spec).map_err(missing)?.to_owned();
        if **check.kind.load() != kind {
            check.kind.store(Arc::new(kind.clone()));
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
        let lent = Lent::new(&self.services.load(), &spec.grants, &check.limits, scope);
        let (reported, attempt) = check.with(|observed| (observed.reported.clone(), attempt(&observed.state)));
        let request = CheckRequest {
            check: &spec.name,
            kind: &turn.kind,
            config: &spec.config_text,
            scheduled_at,
            attempt,
            labels: &check.labels,
            previous: reported.as_ref().map(|(at, report)| (*at, &**report)),
        };
        let Ran { finding, usage, output, lent } = plugin.check(&request, lent, &check.limits, spec.timeout).await;
        let calls = lent.finish();
        self.count(check, &turn, &finding, &usage, &calls);
        log_output(check, &output, usage.output_bytes_dropped);
        drop(turn.permits);
        Ended { plugin_version: plugin.sha256[..12].to_owned(), plugin_state: kept(&finding, calls), finding }
    }

    fn count(&self, check: &LiveCheck, turn: &Turn, finding: &Finding, usage: &RunUsage, calls: &Usage) {
        let (metrics, plugin) = (&self.live.metrics, check.spec.plugin.as_str());
        metrics.run_finished(plugin, &turn.kind, Duration::from_micros(usage.wall_us));
        turn.slot.used(usage, calls);
        for (capability, reason) in &calls.denials {
            metrics.egress_denied(plugin, *capability, *reason);
        }
        let ended_by_log = matches!(finding, Finding::Ended(EndCause::Quota { quota: Quota::LogBytes, .. }));
        if calls.log_bytes_dropped + usage.output_bytes_dropped > 0 && !ended_by_log {
            metrics.quota_exceeded(plugin, Quota::LogBytes);
        }
        match finding {
            Finding::Ended(EndCause::Quota { quota, .. }) => metrics.quota_exceeded(plugin, *quota),
            Finding::Ended(EndCause::Trap { .. }) => metrics.plugin_trap(plugin, TrapReason::Trap),
            Finding::Ended(EndCause::Deadline { .. }) => metrics.plugin_trap(plugin, TrapReason::Deadline),
            Finding::Ended(EndCause::InvalidReport { .. }) => metrics.plugin_trap(plugin, TrapReason::InvalidReport),
            Finding::Ended(EndCause::PluginMissing { .. } | EndCause::Overloaded { .. }) | Finding::Report(_) | Finding::Failure(_) => {}
        }
    }

    /// Judge, advance the state, let readers see it, and make the record.
    fn conclude(&self, check: &LiveCheck, ended: Ended, times: Times, trigger: Trigger) -> ResultRecord {
        let judgement = judge(&ended.finding, &check.spec.rules);
        let (metrics, details, reported) = match ended.finding {
            Finding::Report(mut report) => {
                let details = report.details.take();
                (report.metrics.clone(), details, Some(Arc::new(report)))
            }
            Finding::Failure(_) | Finding::Ended(_) => (Vec::new(), None, None),
        };
        if let Some(state) = &ended.plugin_state {
            check.memory.plugin_state.store(Arc::new(state.clone()));
        }
        let duration_us = u64::try_from(times.took.as_micros()).unwrap_or(u64::MAX);
        let last = LastRun {
            scheduled_at: times.scheduled_at,
            started_at: times.started_at,
            duration_us,
            status: judgement.status,
            summary: judgement.summary.as_str().into(),
            failure: judgement.failure.as_deref().map(Arc::from),
            reason: Arc::new(judgement.reason.clone()),
            decision: Arc::new(Decision::Unchanged),
            evidence: Arc::<[Evidence]>::from(judgement.evidence.as_slice()),
            metrics: Arc::<[Metric]>::from(metrics.as_slice()),
        };
        let (state, decision, transition) = check.with(|observed| observe(observed, check, &judgement, last, reported));
        if let Some(transition) = &transition {
            tracing::info!(check = check.spec.name, from = %transition.from, to = %transition.to, reason = judgement.reason.name(), "{}", judgement.told());
        }
        ResultRecord {
            seq: 0,
            check: check.spec.name.clone(),
            scheduled_at: times.scheduled_at,
            started_at: times.started_at,
            duration_us,
            trigger,
            plugin: check.spec.plugin.clone(),
            plugin_version: ended.plugin_version,
            status: judgement.status,
            summary: judgement.summary,
            reason: judgement.reason,
            decision,
            failure: judgement.failure,
            evidence: judgement.evidence,
            metrics,
            details,
            state,
            transition,
            plugin_state: ended.plugin_state,
        }
    }
}

struct Times {
    scheduled_at: Timestamp,
    started_at: Timestamp,
    took: Duration,
}

type Advanced = (CheckState, Decision, Option<Transition>);

fn observe(
    observed: &mut Observed,
    check: &LiveCheck,
    judgement: &Judgement,
    mut last: LastRun,
    reported: Option<Arc<Report>>,
) -> Advanced {
    let (state, decision, transition) = observed.state.advance(check.spec.policy, judgement, last.started_at);
    last.decision = Arc::new(decision.clone());
    if last.status == Status::Ok {
        observed.last_success_at = Some(last.started_at);
    }
    observed.count(RunOutcome::from(last.status), 1);
    if let Some(report) = reported {
        observed.reported = Some((last.scheduled_at, report));
    }
    observed.last = Some(last);
    observed.state = state.clone();
    (state, decision, transition)
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

fn waited(cause: EndCause, from: Instant) -> EndCause {
    match cause {
        EndCause::Overloaded { .. } => EndCause::Overloaded { waited_ms: u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX) },
        other => other,
    }
}

fn no_plugin(name: &str) -> String {
    format!("the plugin `{name}` is not loaded; hint: copy {name}.wasm into the plugin folder")
}

fn no_version(slot: &PluginSlot) -> String {
    match slot.last_error() {
        Some(error) => format!("the plugin `{}` could not be loaded: {}", slot.name, error.message),
        None => no_plugin(&slot.name),
    }
}

/// A line of a guest's output, at most [`OUTPUT_LINE_BYTES_MAX`].
fn cut(line: &str) -> &str {
    let end = line.floor_char_boundary(OUTPUT_LINE_BYTES_MAX.min(line.len()));
    &line[..end]
}

fn log_output(check: &LiveCheck, output: &str, bytes_dropped: u64) {
    for line in output.lines().filter(|line| !line.trim().is_empty()).take(100) {
        tracing::info!(target: "plugin", check = check.spec.name, plugin = check.spec.plugin, "{}", cut(line).escape_debug());
    }
    if bytes_dropped > 0 {
        tracing::warn!(target: "plugin", check = check.spec.name, plugin = check.spec.plugin, bytes_dropped, "more output than log_bytes was dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_calls_end_before_the_run_does() {
        let ms = Duration::from_millis;
        assert_eq!(host_calls_end(ms(10_000)), ms(9_000));
        assert_eq!(host_calls_end(ms(500)), ms(400));
        assert_eq!(host_calls_end(ms(100)), ms(50));
    }
}
