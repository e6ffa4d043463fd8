//! How many results a second go through `core` on one processor: the conditions of each are judged, the state of its check advances, and a
//! transition is told to the machine of alerts, whose notifications are taken and end.
//!
//! How: 10,000 checks every 10 s, of which each has conditions of its own, one on the report and one on a window, and an hour of samples.
//! In 200 results of a check 10 in a row fail, so that one result in a hundred is a transition. Counted is the processor time of the one
//! thread; reports are made outside of it. Every other round the reports are also looked through for secrets, as the host does before it
//! judges: that is what stands beside.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use sickbay_core::alerting::{Alerting, CheckIdentity, DeliveryId, Fact, Findings, Outcome};
use sickbay_core::masking::mask_finding;
use sickbay_core::window::SAMPLES_MAX;
use sickbay_core::{CheckState, Finding, Judged, Past, Rule, Shapes, Timestamp, Windows, judge};

use crate::core_checks::{LATENCY_SECONDS_MAX, POLICY, START, alerting_config, by_service, identity, report, rules};
use crate::figure::Figure;
use crate::process::thread_cpu;
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 1] = ["core_results_per_second"];

const RESULTS_PER_SECOND_MIN: f64 = 100_000.0;
const CHECKS: usize = 10_000;
const EVERY_MS: u64 = 10_000;
/// Results of a check, of which the first so many fail.
const CYCLE: usize = 200;
const FAILING: usize = 10;
/// After them every check stands as its results say.
const ROUNDS_BEFORE: usize = 15;

/// What the rounds of one sort came to.
#[derive(Default)]
struct Tally {
    results: u64,
    transitions: u64,
    deliveries: u64,
    cpu: Duration,
}

impl Tally {
    fn per_second(&self) -> f64 {
        self.results as f64 / self.cpu.as_secs_f64()
    }
}

struct Check {
    identity: Arc<CheckIdentity>,
    rules: Vec<Rule>,
    windows: Windows,
    state: CheckState,
}

/// What a host has of `core`.
struct Host {
    checks: Vec<Check>,
    alerting: Alerting,
}

pub(crate) fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let rounds = settings.either(30, 4);
    let shapes = Shapes::default();
    let mut host = Host::new()?;
    let (mut plain, mut masked) = (Tally::default(), Tally::default());
    for round in 0..ROUNDS_BEFORE {
        host.round(round, None, &mut Tally::default());
    }
    for round in (ROUNDS_BEFORE..).step_by(2).take(rounds) {
        host.round(round, None, &mut plain);
        host.round(round + 1, Some(&shapes), &mut masked);
    }
    let (results, transitions) = (plain.results, plain.transitions);
    ensure!(transitions * 100 == results, "{transitions} of {results} results were transitions, not one in a hundred");
    let conditions = format!(
        "{results} results of {CHECKS} checks, {transitions} transitions, {} notifications; processor time of one thread",
        plain.deliveries
    );
    Ok(vec![
        Figure::new("core_results_per_second", plain.per_second(), "results/s")
            .at_least(RESULTS_PER_SECOND_MIN)
            .beside("with_masking", masked.per_second(), "results/s")
            .with(conditions),
    ])
}

impl Host {
    fn new() -> anyhow::Result<Host> {
        let checks = (0..CHECKS).map(Check::new).collect::<anyhow::Result<Vec<Check>>>()?;
        Ok(Host { checks, alerting: Alerting::new(alerting_config(by_service()), 1, START) })
    }

    /// One result of every check.
    fn round(&mut self, round: usize, masking: Option<&Shapes>, tally: &mut Tally) {
        let findings: Vec<Finding> = (0..CHECKS).map(|number| Finding::Report(report(latency_seconds(number, round)))).collect();
        let began = Timestamp(START.0 + EVERY_MS * round as u64);
        let before = thread_cpu();
        for (number, finding) in findings.into_iter().enumerate() {
            // Due times are spread over the interval.
            let now = Timestamp(began.0 + EVERY_MS * number as u64 / CHECKS as u64);
            let finding = match masking {
                Some(shapes) => mask_finding(shapes, finding),
                None => finding,
            };
            tally.transitions += self.take(number, finding, now);
        }
        tally.deliveries += self.deliver(Timestamp(began.0 + EVERY_MS - 1));
        tally.cpu += thread_cpu().saturating_sub(before);
        tally.results += CHECKS as u64;
    }

    /// What a host does with a finding, without records and readers. Gives the number of transitions: one or none.
    fn take(&mut self, number: usize, finding: Finding, now: Timestamp) -> u64 {
        let check = &mut self.checks[number];
        if let Finding::Report(report) = &finding {
            judge::note(&mut check.windows, report, &check.rules, &check.state.holding, now);
        }
        let past = Past { holding: &check.state.holding, windows: Some(&check.windows), now };
        let Judged { judgement, report, holding } = judge(finding, &check.rules, past);
        let (state, _, transition) = check.state.advance(POLICY, &judgement, now);
        check.state = CheckState { holding, ..state };
        if transition.is_some() {
            let findings = Arc::new(Findings::of(&judgement));
            self.alerting.apply(Fact::Transition { check: Arc::clone(&check.identity), findings }, now);
        }
        black_box((judgement, report));
        u64::from(transition.is_some())
    }

    /// What is due by now; every sink takes what it is told. Gives the number of notifications.
    fn deliver(&mut self, now: Timestamp) -> u64 {
        while self.alerting.next_tick().is_some_and(|at| at <= now) {
            self.alerting.apply(Fact::Tick, now);
        }
        let due: Vec<DeliveryId> = self.alerting.due_deliveries(now).collect();
        let mut told = 0;
        for delivery in due {
            let changes = self.alerting.apply(Fact::Attempting { delivery }, now);
            // There may be nothing to tell any more.
            let Some(attempt) = changes.attempt(delivery).map(|delivery| delivery.attempts) else { continue };
            let outcome = Outcome::Delivered { reference: None };
            self.alerting.apply(Fact::DeliveryEnded { delivery, attempt, outcome }, now);
            told += 1;
        }
        told
    }
}

impl Check {
    /// With as many samples as a window keeps.
    fn new(number: usize) -> anyhow::Result<Check> {
        let rules = rules()?;
        let mut windows = Windows::of(&rules).unwrap_or_default();
        let metrics = report(latency_when_well(number)).metrics;
        for age in (1..=SAMPLES_MAX as u64).rev() {
            windows.note(Timestamp(START.0 - age * EVERY_MS), &metrics);
        }
        Ok(Check { identity: identity(number)?, rules, windows, state: CheckState::not_yet_run() })
    }
}

/// Checks fail one after the other, so that every round has as many transitions.
fn latency_seconds(number: usize, round: usize) -> f64 {
    if (number + round) % CYCLE < FAILING { 2.0 * LATENCY_SECONDS_MAX } else { latency_when_well(number) }
}

fn latency_when_well(number: usize) -> f64 {
    0.05 + 0.01 * (number % 10) as f64
}
