//! One delivery by a sink: permits, the version of its plugin that serves, grants and secrets, the run, and what it means.
//!
//! Limits: [`DELIVERIES_MAX`] at once in the host, apart from the runs of checks: those that hang keep nobody from being told. A delivery
//! waits for permits as long as it may take (`timeout`); texts have the bounds of `sickbay_runtime::notification`.
//!
//! Invariant: each delivery has a fresh instance, and of what it keeps in `state` nothing stays.
//! Invariant: `NotAttempted` is said only where nothing can have left this machine.
//! Invariant: no secret is in an outcome, nor in what is logged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sickbay_capabilities::secrets::Placeholders;
use sickbay_capabilities::{Lent, RunScope, Services, Usage};
use sickbay_core::{EndCause, Reason, Shapes};
use sickbay_runtime::notification::{MESSAGE_BYTES_MAX, Notification, REFERENCE_BYTES_MAX};
use sickbay_runtime::{DeliveryOutcome, RunUsage, SinkFinding, SinkRequest};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Outcome;
use crate::config::Sink;
use crate::daemon::{guest, host_calls_end};
use crate::metrics::Metrics;
use crate::plugins::{Loaded, PluginSlot, Registry};

/// Deliveries at once in the whole host; with the runs of checks, below what the sandbox has room for.
pub const DELIVERIES_MAX: usize = 64;

/// Has plugins deliver; one for each process.
pub struct SinkRunner {
    plugins: Arc<Registry>,
    metrics: Metrics,
    permits: Arc<Semaphore>,
    run_ids: AtomicU64,
}

/// What one attempt came to, and what it took.
#[derive(Debug)]
pub struct Attempt {
    pub outcome: Outcome,
    /// The version that was asked; none where no guest was.
    pub plugin_version: Option<Arc<str>>,
    pub usage: RunUsage,
    pub calls: Usage,
    /// What the guest printed.
    pub output: String,
}

/// What a delivery has when it begins.
struct Turn {
    slot: Arc<PluginSlot>,
    loaded: Arc<Loaded>,
    kind: String,
    permits: guest::Permits,
}

impl Attempt {
    /// No guest was asked.
    fn not_made(error: String) -> Attempt {
        Attempt {
            outcome: Outcome::NotAttempted { error: fitted(error) },
            plugin_version: None,
            usage: RunUsage::default(),
            calls: Usage::default(),
            output: String::new(),
        }
    }
}

impl SinkRunner {
    pub fn new(plugins: Arc<Registry>, metrics: Metrics) -> SinkRunner {
        SinkRunner { plugins, metrics, permits: Arc::new(Semaphore::new(DELIVERIES_MAX)), run_ids: AtomicU64::new(1) }
    }

    /// One attempt, on the version of the sink's plugin that serves now.
    pub async fn deliver(&self, sink: &Sink, services: &Arc<Services>, notification: &Notification) -> Attempt {
        match self.turn(sink).await {
            Ok(turn) => self.sandboxed(sink, turn, services, notification).await,
            Err(cause) => Attempt::not_made(told(cause)),
        }
    }

    pub fn deliveries_in_flight(&self) -> usize {
        DELIVERIES_MAX - self.permits.available_permits()
    }

    async fn turn(&self, sink: &Sink) -> Result<Turn, EndCause> {
        let began = Instant::now();
        let slot = guest::slot(&self.plugins, &sink.plugin)?;
        let overloaded = || EndCause::Overloaded { waited_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX) };
        let permits = guest::permits(&slot, &self.permits, sink.timeout).await.ok_or_else(overloaded)?;
        let loaded = guest::serving(&slot)?;
        let kind = loaded.kind_of(&sink.plugin_use()).map_err(|message| EndCause::PluginMissing { message })?.to_owned();
        Ok(Turn { slot, loaded, kind, permits })
    }

    async fn sandboxed(&self, sink: &Sink, turn: Turn, services: &Arc<Services>, notification: &Notification) -> Attempt {
        let plugin = &turn.loaded.plugin;
        // No check has a blank in its name.
        let who: Arc<str> = format!("sink {}", sink.name).into();
        let scope = RunScope {
            check: Arc::clone(&who),
            plugin: Arc::clone(&plugin.name),
            run_id: self.run_ids.fetch_add(1, Ordering::Relaxed),
            deadline: Instant::now() + host_calls_end(sink.timeout),
            state: Arc::default(),
        };
        let opened = guest::open_config(services, &sink.config_text, sink.secrets.as_ref(), scope.deadline).await;
        let (config, placeholders) = match opened {
            Ok(opened) => opened,
            Err(error) => return Attempt::not_made(error.to_string()),
        };
        let lent = Lent::new(services, &sink.grants, &sink.limits, scope).with_secrets(placeholders);
        let request = SinkRequest { sink: &sink.name, kind: &turn.kind, config: &config, notification };
        let DeliveryOutcome { finding, usage, output, lent, .. } = plugin.deliver(&request, lent, &sink.limits, sink.timeout).await;
        let secrets = lent.secrets().clone();
        let calls = lent.finish();
        let ended = match &finding {
            SinkFinding::Ended(cause) => Some(cause),
            SinkFinding::Delivered { .. }
            | SinkFinding::DeliveredNamed { .. }
            | SinkFinding::Retry { .. }
            | SinkFinding::Refused { .. } => None,
        };
        guest::count(&self.metrics, &turn.slot, ended, &usage, &calls);
        let output = services.mask_output(&secrets, output).await;
        guest::log_output(&who, &sink.plugin, services.shapes(), &output, usage.output_bytes_dropped);
        drop(turn.permits);
        // What a guest writes into folders through WASI is no call that is counted.
        let may_have_told = calls.host_calls > 0 || !sink.grants.files.is_empty();
        let outcome = masked(meaning(finding, may_have_told), &secrets, services.shapes());
        Attempt { outcome, plugin_version: Some(Arc::clone(&turn.loaded.version)), usage, calls, output }
    }
}

/// A run that the host ended may have told somebody where it had called out.
fn meaning(finding: SinkFinding, may_have_told: bool) -> Outcome {
    match finding {
        SinkFinding::Delivered { reference } => Outcome::Delivered { reference },
        SinkFinding::DeliveredNamed { reference } => Outcome::DeliveredNamed { reference },
        SinkFinding::Retry { message, after_ms } => {
            Outcome::Retryable { error: message, after: after_ms.map(|after_ms| Duration::from_millis(after_ms.into())) }
        }
        SinkFinding::Refused { message } => Outcome::Refused { error: message },
        // There was no room for an instance.
        SinkFinding::Ended(cause @ EndCause::Overloaded { .. }) => Outcome::NotAttempted { error: told(cause) },
        SinkFinding::Ended(cause) if may_have_told => Outcome::Lost { error: told(cause) },
        SinkFinding::Ended(cause) => Outcome::NotAttempted { error: told(cause) },
    }
}

fn told(cause: EndCause) -> String {
    match cause {
        EndCause::Deadline { timeout_ms } => {
            format!("the plugin was still running after {timeout_ms} ms; hint: raise `timeout` of the sink")
        }
        EndCause::Overloaded { waited_ms } => {
            format!("no permit came free in {waited_ms} ms; hint: raise `concurrency` of the plugin")
        }
        other => Reason::from(other).to_string(),
    }
}

/// Fit to be kept: with names in the place of secrets, and without what looks like one. A reference has to stay what the receiver gave.
fn masked(outcome: Outcome, secrets: &Placeholders, shapes: &Shapes) -> Outcome {
    let masked = |text: String| fitted(shapes.masked(secrets.mask_text(&text).into_owned()));
    let kept = |reference: Option<String>| {
        let reference = reference.map(|reference| secrets.mask_text(&reference).into_owned());
        reference.filter(|reference| reference.len() <= REFERENCE_BYTES_MAX)
    };
    match outcome {
        Outcome::Delivered { reference } => Outcome::Delivered { reference: kept(reference) },
        Outcome::DeliveredNamed { reference } => Outcome::DeliveredNamed { reference: kept(reference) },
        Outcome::Retryable { error, after } => Outcome::Retryable { error: masked(error), after },
        Outcome::Refused { error } => Outcome::Refused { error: masked(error) },
        Outcome::NotAttempted { error } => Outcome::NotAttempted { error: masked(error) },
        Outcome::Lost { error } => Outcome::Lost { error: masked(error) },
    }
}

fn fitted(mut error: String) -> String {
    error.truncate(error.floor_char_boundary(MESSAGE_BYTES_MAX));
    error
}

#[cfg(test)]
mod tests {
    use sickbay_capabilities::ServiceSettings;
    use sickbay_core::Quota;
    use sickbay_runtime::notification::Phase;

    use super::*;
    use crate::clock;
    use crate::plugins::LoadFailure;

    fn trap() -> SinkFinding {
        SinkFinding::Ended(EndCause::Trap { message: "unreachable".to_owned() })
    }

    #[test]
    fn a_run_that_was_ended_is_lost_unless_nothing_can_have_left() {
        assert_eq!(meaning(trap(), true), Outcome::Lost { error: "the plugin crashed: unreachable".to_owned() });
        assert_eq!(meaning(trap(), false), Outcome::NotAttempted { error: "the plugin crashed: unreachable".to_owned() });
        let late = SinkFinding::Ended(EndCause::Deadline { timeout_ms: 500 });
        let Outcome::Lost { error } = meaning(late, true) else { panic!("nobody knows") };
        assert!(error.contains("500 ms") && error.ends_with("`timeout` of the sink"), "{error}");
        let spent = SinkFinding::Ended(EndCause::Quota { quota: Quota::CpuMs, limit: 200 });
        assert!(matches!(meaning(spent, true), Outcome::Lost { error } if error.contains("`cpu_ms` = 200")));
        let unbegun = SinkFinding::Ended(EndCause::Overloaded { waited_ms: 0 });
        assert!(matches!(meaning(unbegun, true), Outcome::NotAttempted { .. }));
    }

    #[test]
    fn what_looks_like_a_secret_is_in_no_error() {
        let error = "POST https://sickbay:hunter2@chat.example/hook: HTTP 500".to_owned();
        let shapes = Shapes::default();
        let kept = masked(Outcome::Lost { error }, &Placeholders::default(), &shapes);
        let Outcome::Lost { error } = kept else { panic!("nobody knows") };
        assert!(!error.contains("hunter2") && error.ends_with("HTTP 500"), "{error}");
        let reference = || Some("https://a:b@chat.example/42".to_owned());
        let kept = masked(Outcome::Delivered { reference: reference() }, &Placeholders::default(), &shapes);
        assert_eq!(kept, Outcome::Delivered { reference: reference() });
    }

    #[test]
    fn what_a_sink_said_stands_whatever_it_called() {
        for may_have_told in [false, true] {
            let busy = SinkFinding::Retry { message: "HTTP 429".to_owned(), after_ms: Some(7_000) };
            let again = Outcome::Retryable { error: "HTTP 429".to_owned(), after: Some(Duration::from_secs(7)) };
            assert_eq!(meaning(busy, may_have_told), again);
            let refused = SinkFinding::Refused { message: "HTTP 422".to_owned() };
            assert_eq!(meaning(refused, may_have_told), Outcome::Refused { error: "HTTP 422".to_owned() });
        }
    }

    #[tokio::test]
    async fn a_sink_whose_plugin_does_not_serve_was_not_attempted_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sickbay.toml");
        std::fs::write(&path, "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n").unwrap();
        let config = crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let registry = Arc::new(Registry::default());
        let runner = SinkRunner::new(Arc::clone(&registry), Metrics::new());
        let services = Services::new(&ServiceSettings::default()).unwrap();
        let notification = Notification {
            idempotency_key: "key".to_owned(),
            group: "{}".to_owned(),
            phase: Phase::Firing,
            severity: "P3".to_owned(),
            alerts: Vec::new(),
            more: 0,
            reference: None,
            attempt: 1,
            extras: Vec::new(),
        };
        let error = async || match runner.deliver(&config.sinks[0], &services, &notification).await.outcome {
            Outcome::NotAttempted { error } => error,
            other => panic!("{other:?}"),
        };
        assert!(error().await.contains("copy webhook.wasm into the plugin folder"));
        let refused = LoadFailure { at: clock::now(), message: "it is empty".to_owned(), hint: None, sha256: None };
        registry.slot("webhook", 1).refuse(refused);
        assert!(error().await.ends_with("could not be loaded: it is empty"));
        assert_eq!(runner.deliveries_in_flight(), 0);
    }
}
