//! One loaded version of a plugin, and one run of it, on a fresh instance or on one that was kept.
//!
//! Invariant: an instance is kept only after a run that gave a report, within all its limits and with no handle left open.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sickbay_core::{EndCause, Evidence, Finding, Label, Metric, MetricKind, Quota, Report, Status, Timestamp};
use tokio::time::error::Elapsed;
use wasmtime::component::InstancePre;
use wasmtime::{Engine, Store, UpdateDeadline, WasmBacktrace};

use crate::bindings::exports::sickbay::plugin::check;
use crate::bindings::sickbay::plugin::types;
use crate::cpu::{CpuMeter, Metered};
use crate::exports::{CheckRun, Exports};
use crate::lane::Lane;
use crate::transcript::Tape;
use crate::{Descriptor, HeadStart, Lend, Limits, LoadError, Producer, RunContext, answer, describe};

/// Bytes that a guest may hand to the host in one call.
const HOSTCALL_BYTES_MAX: usize = 4 << 20;
const HANDLES_MAX: usize = 1_000;
/// What of a trap's message and of a panic's text is kept.
const TRAP_BYTES_MAX: usize = 1 << 10;
/// Frames of a crashed guest that are told, and what is kept of one.
const FRAMES_MAX: usize = 30;
const FRAME_BYTES_MAX: usize = 512;
/// `describe` runs once, with no capability.
const DESCRIBE_TIME_MAX: Duration = Duration::from_secs(10);
const DESCRIBE_LIMITS: Limits =
    Limits { cpu_ms: 3_000, memory_bytes: 256 << 20, host_calls: 0, bytes_in: 0, bytes_out: 0, rows: 0, log_bytes: 16 << 10 };

/// One loaded version. Runs that began on it finish on it, whatever replaces it.
pub struct Plugin<L: Lend> {
    pub name: Arc<str>,
    /// SHA-256 of the file in hex: the identity of the version.
    pub sha256: String,
    pub size_bytes: u64,
    pub descriptor: Descriptor,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub producers: Vec<Producer>,
    pub head_start: HeadStart,
    /// It imports WASI's own files.
    pub(crate) uses_files: bool,
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<RunContext<L>>,
    pub(crate) exported: Exports,
    /// Where runs that compute for long wait for each other.
    pub(crate) lane: Lane,
}

/// What a check is asked.
#[derive(Clone, Debug)]
pub struct CheckRequest<'a> {
    /// Its name in the configuration, without the target.
    pub check: &'a str,
    pub target: Option<&'a str>,
    pub kind: &'a str,
    /// JSON text.
    pub config: &'a str,
    pub scheduled_at: Timestamp,
    pub attempt: u32,
    pub labels: &'a [Label],
    /// The last run that gave a report, without its details.
    pub previous: Option<(Timestamp, &'a Report)>,
}

/// What a run used, measured by the sandbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunUsage {
    pub cpu_us: u64,
    pub memory_bytes: u64,
    pub wall_us: u64,
    /// Metrics that were not finite.
    pub metrics_dropped: u32,
    pub output_bytes_dropped: u64,
}

/// An instance between two runs: the guest's own memory, and nothing else of the runs before.
///
/// It belongs to one check and one version. Dropped, it is gone.
pub struct WarmInstance<L: Lend> {
    store: Store<RunContext<L>>,
    guest: CheckRun,
    runs: u32,
}

impl<L: Lend> WarmInstance<L> {
    /// How many runs it has done.
    pub fn runs(&self) -> u32 {
        self.runs
    }
}

/// How a run ended.
pub struct RunOutcome<L> {
    pub finding: Finding,
    pub usage: RunUsage,
    /// What the guest wrote to stdout and stderr, at most `log_bytes`.
    pub output: String,
    /// Where the guest was when it crashed, innermost first: functions by their names, where its file has them.
    pub backtrace: Vec<String>,
    /// What was lent comes back, with what it saw.
    pub lent: L,
    /// What was lent with it.
    pub tape: Option<Box<Tape>>,
}

/// How a call of a guest ended, whatever it answered.
pub(crate) struct Settled<T> {
    pub(crate) ended: Result<T, EndCause>,
    pub(crate) usage: RunUsage,
    pub(crate) output: String,
    pub(crate) backtrace: Vec<String>,
}

impl<L: Lend> Plugin<L> {
    /// One run: fresh instance, `check.run`, at most `timeout` on the wall clock.
    ///
    /// Every way that a guest can end is a [`Finding`]; nothing it does is an error of the host.
    pub async fn check(&self, request: &CheckRequest<'_>, lent: L, limits: &Limits, timeout: Duration) -> RunOutcome<L> {
        self.check_warm(None, request, lent, limits, timeout).await.0
    }

    /// The same on `kept`, which this version gave back after a run of the same check, or on a fresh instance where there is none. The
    /// instance comes back where another run may have it: after a report, within all limits, with no handle open.
    pub async fn check_warm(
        &self,
        kept: Option<WarmInstance<L>>,
        request: &CheckRequest<'_>,
        lent: L,
        limits: &Limits,
        timeout: Duration,
    ) -> (RunOutcome<L>, Option<WarmInstance<L>>) {
        self.check_asked(kept, &asked(request, timeout), lent, limits, timeout).await
    }

    /// The same with the contract's own request.
    pub(crate) async fn check_asked(
        &self,
        kept: Option<WarmInstance<L>>,
        asked: &check::Request,
        lent: L,
        limits: &Limits,
        timeout: Duration,
    ) -> (RunOutcome<L>, Option<WarmInstance<L>>) {
        let began = Instant::now();
        let (mut store, cpu, guest, runs) = match kept {
            Some(WarmInstance { mut store, guest, runs }) => {
                store.data_mut().begin_again(lent, limits);
                let cpu = bound(&mut store, limits);
                (store, cpu, Some(guest), runs)
            }
            None => {
                let (store, cpu) = fresh_store(&self.engine, lent, limits);
                (store, cpu, None, 0)
            }
        };
        store.data_mut().tape_request(asked, guest.is_some());
        let call = async {
            self.show_folders(&mut store).await;
            let guest = match guest {
                Some(guest) => guest,
                None => {
                    let instance = self.pre.instantiate_async(&mut store).await?;
                    self.exported.check(&mut store, &instance)?
                }
            };
            let answer = guest.call(&mut store, asked).await?;
            Ok::<_, wasmtime::Error>((guest, answer))
        };
        let ended = bounded(call, &cpu, &self.lane, timeout).await;
        let Settled { ended, mut usage, output, backtrace } = settle(&store, &cpu, limits, timeout, began, ended);
        let (finding, guest) = match ended {
            Err(cause) => (Finding::Ended(cause), None),
            Ok((_, Err(failure))) => (Finding::Failure(answer::failure(failure, store.data().lent().denied_aside())), None),
            Ok((guest, Ok(report))) => match answer::report(report) {
                Ok(accepted) => {
                    usage.metrics_dropped = accepted.metrics_dropped;
                    match answer::finding(accepted.report, store.data().lent().denied_aside()) {
                        report @ Finding::Report(_) => (report, Some(guest)),
                        other => (other, None),
                    }
                }
                Err(message) => (Finding::Ended(EndCause::InvalidReport { message }), None),
            },
        };
        let guest = guest.filter(|_| !store.data().holds_handles());
        let tape = store.data_mut().take_tape();
        let outcome = RunOutcome { finding, usage, output, backtrace, lent: store.data_mut().take_lent(), tape };
        let kept = guest.map(|guest| {
            store.data_mut().rest();
            WarmInstance { store, guest, runs: runs.saturating_add(1) }
        });
        (outcome, kept)
    }

    /// Guests that use WASI's own files see those that are granted.
    pub(crate) async fn show_folders(&self, store: &mut Store<RunContext<L>>) {
        if self.uses_files {
            store.data_mut().enter_folders().await;
        }
    }

    /// Asks the plugin what it is, with nothing lent.
    pub(crate) async fn describe(
        engine: &Engine,
        pre: &InstancePre<RunContext<L>>,
        exported: &Exports,
        nothing: L,
    ) -> Result<Descriptor, LoadError> {
        let (mut store, cpu) = fresh_store(engine, nothing, &DESCRIBE_LIMITS);
        let call = async {
            let instance = pre.instantiate_async(&mut store).await?;
            exported.plugin(&mut store, &instance)?.call_describe(&mut store).await
        };
        let ended = bounded(call, &cpu, &Lane::alone(), DESCRIBE_TIME_MAX).await;
        let (output, _) = store.data().take_output();
        let failed = |message: String| {
            LoadError::new(format!("its `describe` {message}")).hint("`describe` must return at once and needs no capability")
        };
        match (exceeded(&store, &cpu, &DESCRIBE_LIMITS), ended) {
            (Some((quota, limit)), _) => Err(failed(format!("used more than {} = {limit}", quota.as_str()))),
            (None, Err(_)) => Err(failed(format!("did not return in {} s", DESCRIBE_TIME_MAX.as_secs()))),
            (None, Ok(Err(error))) => Err(failed(format!("crashed: {}", trap_message(&error, last_words(&output, &store))))),
            (None, Ok(Ok(said))) => describe::descriptor(said),
        }
    }
}

pub(crate) fn fresh_store<L: Lend>(engine: &Engine, lent: L, limits: &Limits) -> (Store<RunContext<L>>, Arc<CpuMeter>) {
    let mut store = Store::new(engine, RunContext::new(lent, limits));
    store.limiter(|context| &mut context.memory);
    let cpu = bound(&mut store, limits);
    (store, cpu)
}

/// The one place where a run's bounds are set, for each run anew; those of memory and of what is lent are in its context.
fn bound<L: Lend>(store: &mut Store<RunContext<L>>, limits: &Limits) -> Arc<CpuMeter> {
    let cpu = CpuMeter::new(limits.cpu_ms);
    store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
    store.set_max_component_handles(HANDLES_MAX);
    let meter = Arc::clone(&cpu);
    store.epoch_deadline_callback(move |_| Ok(if meter.tick() { others_first() } else { UpdateDeadline::Interrupt }));
    store.set_epoch_deadline(1);
    cpu
}

/// The guest goes on after all that is ready on its thread, timers and sockets included; the engine's own yield would put it before them.
fn others_first() -> UpdateDeadline {
    UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
}

/// The call under its wall-clock deadline, its computing charged to `cpu` and done by turns of `lane`. A call that is ended is dropped
/// here, with its fiber.
pub(crate) async fn bounded<T>(call: impl Future<Output = T>, cpu: &CpuMeter, lane: &Lane, time_max: Duration) -> Result<T, Elapsed> {
    let call = std::pin::pin!(call);
    tokio::time::timeout(time_max, Metered::new(call, cpu, lane)).await
}

/// What a call that ended comes to: the first limit that was passed decides, then the deadline, then how the guest ended.
pub(crate) fn settle<L: Lend, T>(
    store: &Store<RunContext<L>>,
    cpu: &CpuMeter,
    limits: &Limits,
    timeout: Duration,
    began: Instant,
    ended: Result<wasmtime::Result<T>, Elapsed>,
) -> Settled<T> {
    let (output, output_bytes_dropped) = store.data().take_output();
    let usage = RunUsage {
        cpu_us: cpu.spent_us(),
        memory_bytes: store.data().memory.bytes(),
        wall_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        metrics_dropped: 0,
        output_bytes_dropped,
    };
    let backtrace = match &ended {
        Ok(Err(error)) => backtrace(error),
        Ok(Ok(_)) | Err(_) => Vec::new(),
    };
    let ended = match (exceeded(store, cpu, limits), ended) {
        (Some((quota, limit)), _) => Err(EndCause::Quota { quota, limit }),
        (None, Err(_)) => Err(EndCause::Deadline { timeout_ms: millis(timeout) }),
        (None, Ok(Err(error))) => Err(end_cause(&error, last_words(&output, store))),
        (None, Ok(Ok(answer))) => Ok(answer),
    };
    Settled { ended, usage, output, backtrace }
}

/// The engine's own words, a line for each frame and each place in a source.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let text = backtrace.to_string();
    // The first line says that it is a backtrace, a last one how to have more of it.
    let frames = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("note: "));
    frames.take(FRAMES_MAX).map(|line| answer::one_line(line, FRAME_BYTES_MAX)).collect()
}

fn exceeded<L: Lend>(store: &Store<RunContext<L>>, cpu: &CpuMeter, limits: &Limits) -> Option<(Quota, u64)> {
    if cpu.exceeded() {
        return Some((Quota::CpuMs, limits.of(Quota::CpuMs)));
    }
    if store.data().memory.exceeded {
        return Some((Quota::MemoryBytes, limits.of(Quota::MemoryBytes)));
    }
    store.data().exceeded()
}

fn asked(request: &CheckRequest<'_>, timeout: Duration) -> check::Request {
    check::Request {
        check: request.check.to_owned(),
        kind: request.kind.to_owned(),
        config: request.config.to_owned(),
        scheduled_at: request.scheduled_at.0,
        timeout_ms: millis(timeout),
        attempt: request.attempt,
        target: request.target.map(str::to_owned),
        labels: request.labels.iter().map(contract_label).collect(),
        previous: request.previous.map(|(at, report)| check::Earlier { scheduled_at: at.0, report: contract_report(report) }),
        extras: Vec::new(),
    }
}

pub(crate) fn contract_label(label: &Label) -> types::Label {
    types::Label { name: label.name.clone(), value: label.value.clone() }
}

fn contract_report(previous: &Report) -> types::Report {
    types::Report {
        status: contract_status(previous.status),
        summary: previous.summary.clone(),
        failure: previous.failure.clone(),
        metrics: previous.metrics.iter().map(contract_metric).collect(),
        evidence: previous.evidence.iter().map(contract_evidence).collect(),
        details: None,
        extras: previous.extras.iter().map(contract_label).collect(),
    }
}

pub(crate) fn contract_status(status: Status) -> types::Status {
    match status {
        Status::Unknown => types::Status::Unknown,
        Status::Ok => types::Status::Ok,
        Status::Warning => types::Status::Warning,
        Status::Critical => types::Status::Critical,
    }
}

pub(crate) fn contract_evidence(evidence: &Evidence) -> types::Evidence {
    types::Evidence {
        metric: evidence.metric.clone(),
        actual: evidence.actual.clone(),
        expected: evidence.expected.clone(),
        unit: evidence.unit.clone(),
    }
}

fn contract_metric(metric: &Metric) -> types::Metric {
    types::Metric {
        name: metric.name.clone(),
        value: metric.value,
        kind: match metric.kind {
            MetricKind::Gauge => types::MetricKind::Gauge,
            MetricKind::Counter => types::MetricKind::Counter,
        },
        unit: metric.unit.clone(),
        labels: metric.labels.iter().map(contract_label).collect(),
    }
}

/// What the guest said last: on stderr, else in its log.
fn last_words<'run, L: Lend>(output: &'run str, store: &'run Store<RunContext<L>>) -> &'run str {
    if output.trim().is_empty() { store.data().lent().last_error_line() } else { output }
}

fn end_cause(error: &wasmtime::Error, output: &str) -> EndCause {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return EndCause::Overloaded { waited_ms: 0 };
    }
    let cause = error.root_cause().to_string();
    // The engine's type for it is private: its words are all that tells. The end-to-end test of hostile guests fails when they change.
    if cause.contains("fuel allocated for hostcalls") {
        let message =
            format!("it handed more than {HOSTCALL_BYTES_MAX} bytes to the host at once; hint: report fewer metrics and shorter texts");
        return EndCause::InvalidReport { message };
    }
    EndCause::Trap { message: trap_message(error, output) }
}

/// Why it trapped, in one line: the cause, where the guest was, and the last line that it wrote (a panic's text).
fn trap_message(error: &wasmtime::Error, output: &str) -> String {
    let cause = error.root_cause().to_string();
    let last_words = output.lines().rev().find(|line| !line.trim().is_empty() && !line.starts_with("note: "));
    let panic = output
        .lines()
        .position(|line| line.contains("panicked at"))
        .map(|index| output.lines().skip(index).take(2).collect::<Vec<_>>().join(" "));
    let message = match panic.as_deref().or(last_words) {
        Some(words) => format!("{} ({cause})", words.trim()),
        None => cause,
    };
    answer::one_line(&message, TRAP_BYTES_MAX)
}

pub(crate) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
