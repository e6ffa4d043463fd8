//! `sickbay probe --sink NAME`: a test notification to one sink, delivered as the daemon would.
//!
//! It fires; with `--resolve` it is resolved then, with the reference that the receiver gave. Nothing is stored, and nothing is tried again.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use sickbay_capabilities::Services;
use sickbay_core::{Label, Status, Timestamp};
use sickbay_runtime::Sort;
use sickbay_runtime::notification::{Alert, Notification, Phase};

use super::{ProbeArgs, measured, no_plugin, no_such, open, shown, tell};
use crate::alerting::{Attempt, Outcome, SinkRunner};
use crate::cli::serve::{load, mistakes};
use crate::clock;
use crate::config::{Config, Sink, verdict};
use crate::daemon::folder::slot;
use crate::daemon::sandbox;
use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::plugins::Registry;

/// The receiver does not have it, or nobody knows; 3 is for what could not be tried at all.
const EXIT_NOT_DELIVERED: u8 = 2;
/// What a denial's line begins with.
const GRANTED: [&str; 7] = ["http", "net", "files", "postgres", "redis", "secrets", "system"];
const CHECK: &str = "sickbay-test";
const ALERTNAME: &str = "SickbayTest";
const SEVERITY: &str = "P3";

pub(super) async fn run(args: &ProbeArgs, name: &str) -> anyhow::Result<ExitCode> {
    let config = load(&args.config)?;
    tell(&config.warnings);
    let sink = config.sinks.iter().find(|sink| sink.name == name).ok_or_else(|| no_sink(&config, &args.config, name))?;
    let services = Services::new(&config.services)?;
    let runner = runner(&config, sink, &services).await?;
    let began = clock::now();
    let mut reference = None;
    let phases: &[Phase] = if args.resolve { &[Phase::Firing, Phase::Resolved] } else { &[Phase::Firing] };
    for phase in phases {
        let attempt = runner.deliver(sink, &services, &notification(name, *phase, began, reference)).await;
        println!("{}", line(name, *phase, &outcome(&attempt)));
        if args.debug {
            eprint!("{}", debug(sink, &attempt));
        }
        let (Outcome::Delivered { reference: given } | Outcome::DeliveredNamed { reference: given }) = attempt.outcome else {
            return Ok(ExitCode::from(EXIT_NOT_DELIVERED));
        };
        reference = given;
    }
    Ok(ExitCode::SUCCESS)
}

/// With the plugin of `sink` and no other, which the sink fits.
async fn runner(config: &Config, sink: &Sink, services: &Arc<Services>) -> anyhow::Result<SinkRunner> {
    let used = sink.plugin_use();
    let file = config.plugins.dir.join(format!("{}.wasm", sink.plugin));
    if !file.exists() {
        return Err(no_plugin(config, &used).into());
    }
    let loaded = open(&sandbox(config)?, services, &file).await?;
    tell(&verdict(loaded.judge(&[used])).map_err(|errors| mistakes(&errors))?);
    let plugins = Arc::new(Registry::default());
    slot(&plugins, config, &sink.plugin).swap(loaded);
    Ok(SinkRunner::new(plugins, Metrics::new()))
}

fn no_sink(config: &Config, path: &Path, name: &str) -> Failure {
    let names: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
    no_such(Sort::Sink, &names, path, name)
}

/// A test that began at `began`; both phases are of one incident.
fn notification(sink: &str, phase: Phase, began: Timestamp, reference: Option<String>) -> Notification {
    let is_over = phase == Phase::Resolved;
    let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
    let summary =
        if is_over { format!("the test of the sink {sink} is over") } else { format!("a test of the sink {sink}: nothing is wrong") };
    let alert = Alert {
        incident_id: format!("test-{}", began.0),
        check: CHECK.to_owned(),
        target: None,
        phase,
        status: if is_over { Status::Ok } else { Status::Critical },
        failure: None,
        severity: SEVERITY.to_owned(),
        summary,
        reason: "Test".to_owned(),
        labels: vec![label("alertname", ALERTNAME), label("check", CHECK), label("severity", SEVERITY), label("sink", sink)],
        started_at: began,
        ended_at: is_over.then(clock::now),
        evidence: Vec::new(),
        url: None,
        extras: Vec::new(),
    };
    Notification {
        idempotency_key: format!("test-{}-{}", began.0, phase.as_str()),
        group: format!("{{}}:{{alertname=\"{ALERTNAME}\"}}"),
        phase,
        severity: SEVERITY.to_owned(),
        alerts: vec![alert],
        more: 0,
        reference,
        attempt: 1,
        extras: vec![label("group.alertname", ALERTNAME)],
    }
}

/// What the plugin was denied before it sent anything was no attempt: the grant is to be mended, and nothing comes of waiting.
fn outcome(attempt: &Attempt) -> Outcome {
    let sent_nothing = !attempt.calls.denials.is_empty() && attempt.calls.bytes_out == 0;
    match &attempt.outcome {
        Outcome::Retryable { error, .. } if sent_nothing => Outcome::NotAttempted { error: with_place(error) },
        outcome => outcome.clone(),
    }
}

/// Where the line of a denial belongs.
fn with_place(error: &str) -> String {
    let line =
        error.split_once("; hint: ").filter(|(_, hint)| GRANTED.iter().any(|capability| hint.starts_with(&format!("{capability} = "))));
    match line {
        Some((said, line)) => format!("{said}; hint: add `{line}` to the `grants` of the sink"),
        None => error.to_owned(),
    }
}

/// `DELIVERED - oncall took it: firing, as OPS-7`
fn line(sink: &str, phase: Phase, outcome: &Outcome) -> String {
    let phase = phase.as_str();
    let told = match outcome {
        Outcome::Delivered { reference: Some(reference) } | Outcome::DeliveredNamed { reference: Some(reference) } => {
            format!("DELIVERED - {sink} took it: {phase}, as {reference}")
        }
        Outcome::Delivered { reference: None } | Outcome::DeliveredNamed { reference: None } => {
            format!("DELIVERED - {sink} took it: {phase}")
        }
        Outcome::Retryable { error, after } => {
            let when = after.map_or_else(|| "later".to_owned(), |after| format!("after {}", humantime::format_duration(after)));
            format!("RETRYABLE - {sink} could not take it: {phase}; Sickbay would try again {when}: {error}")
        }
        Outcome::Refused { error } => format!("REFUSED - {sink} refused it: {phase}; it would not be tried again: {error}"),
        Outcome::NotAttempted { error } => format!("NOT ATTEMPTED - nothing was sent to {sink}: {phase}: {error}"),
        Outcome::Lost { error } => format!("LOST - nobody knows whether {sink} took it: {phase}; Sickbay would try again later: {error}"),
    };
    shown(&told)
}

fn debug(sink: &Sink, attempt: &Attempt) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("plugin", &format!("{} ({})", sink.plugin, attempt.plugin_version.as_deref().unwrap_or("was not asked")));
    for (capability, reason) in &attempt.calls.denials {
        line("denied", &format!("{} ({})", capability.as_str(), reason.as_str()));
    }
    for (name, value) in measured(&attempt.usage, &attempt.calls) {
        line(name, &value);
    }
    for output in attempt.output.lines() {
        line("output", &shown(output));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sickbay_capabilities::Usage;
    use sickbay_capabilities::denial::{Capability, DenialReason};
    use sickbay_runtime::RunUsage;

    use super::*;

    #[test]
    fn an_outcome_is_one_line_that_begins_with_what_it_is() {
        let told = |outcome: Outcome| line("oncall", Phase::Firing, &outcome);
        let error = || "HTTP 503\u{1b}[2J".to_owned();
        assert_eq!(told(Outcome::Delivered { reference: Some("OPS-7".to_owned()) }), "DELIVERED - oncall took it: firing, as OPS-7");
        assert_eq!(told(Outcome::Delivered { reference: None }), "DELIVERED - oncall took it: firing");
        let again = told(Outcome::Retryable { error: error(), after: Some(Duration::from_millis(7_500)) });
        assert!(again.starts_with("RETRYABLE - ") && again.contains("try again after 7s 500ms: HTTP 503\\u{1b}[2J"), "{again}");
        assert!(told(Outcome::Retryable { error: error(), after: None }).contains("try again later"));
        assert!(told(Outcome::Refused { error: error() }).starts_with("REFUSED - "));
        assert!(told(Outcome::NotAttempted { error: error() }).starts_with("NOT ATTEMPTED - nothing was sent to oncall: firing: "));
        assert!(told(Outcome::Lost { error: error() }).starts_with("LOST - nobody knows "));
    }

    #[test]
    fn what_was_denied_was_not_attempted_and_is_told_with_the_line_to_add() {
        let error = "POST https://hooks.example/ is not granted; hint: http = [\"POST https://hooks.example/\"]";
        let attempt = |denials: Vec<(Capability, DenialReason)>, bytes_out: u64| Attempt {
            outcome: Outcome::Retryable { error: error.to_owned(), after: None },
            plugin_version: None,
            usage: RunUsage::default(),
            calls: Usage { denials, host_calls: 1, bytes_out, ..Usage::default() },
            output: String::new(),
        };
        let denied = || vec![(Capability::Http, DenialReason::NotGranted)];
        let told = line("oncall", Phase::Firing, &outcome(&attempt(denied(), 0)));
        assert!(
            told.starts_with("NOT ATTEMPTED - nothing was sent to oncall: firing: POST https://hooks.example/ is not granted"),
            "{told}"
        );
        assert!(told.ends_with("; hint: add `http = [\"POST https://hooks.example/\"]` to the `grants` of the sink"), "{told}");
        for sent in [attempt(denied(), 10), attempt(Vec::new(), 0)] {
            assert!(matches!(outcome(&sent), Outcome::Retryable { .. }), "something may have left");
        }
    }

    #[test]
    fn both_phases_are_of_one_incident_with_keys_of_their_own() {
        let told = |phase: Phase| notification("oncall", phase, Timestamp(1_000), Some("OPS-7".to_owned()));
        let (firing, resolved) = (told(Phase::Firing), told(Phase::Resolved));
        assert_eq!(firing.alerts[0].incident_id, resolved.alerts[0].incident_id);
        assert_ne!(firing.idempotency_key, resolved.idempotency_key);
        assert_eq!((firing.alerts[0].ended_at, firing.alerts[0].status), (None, Status::Critical));
        assert!(resolved.alerts[0].ended_at.is_some() && resolved.alerts[0].status == Status::Ok);
        assert_eq!((resolved.phase, resolved.reference.as_deref()), (Phase::Resolved, Some("OPS-7")));
    }
}
