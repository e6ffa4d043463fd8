//! What a check takes of memory while it is well, beside its configuration.
//!
//! Counted, for 100,000 checks in one process: what the host remembers of a check (its state, its last result without the metrics, how often
//! it ran: `CheckMemory`), its name, and what the machine of alerts keeps of it after it failed and was well again. Windows of conditions and
//! the last report, which the next run is shown, are counted apart; what the configuration says of a check is not counted. Beside it stands
//! what `core` alone has: state, name, and the machine of alerts.
//!
//! How: a process of its own makes them one sort after the other, and reads after each what the kernel says is resident; so what the
//! allocator rounds up is counted too. Nothing is counted twice, and nothing is shared between two checks but the names of plugins.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use sickbay::live::{CheckMemory, Observed};
use sickbay_core::alerting::{Alerting, Fact, Findings};
use sickbay_core::{CheckState, Finding, Judgement, Past, Report, Timestamp, Windows, judge};
use sickbay_store::{ResultRecord, Trigger};
use tokio::process::Command;

use crate::core_checks::{LATENCY_SECONDS_MAX, POLICY, START, alerting_config, by_service, identity, name, report, rules};
use crate::figure::Figure;
use crate::process::own_resident_bytes;
use crate::settings::Settings;

pub(crate) const NAMES: [&str; 2] = ["state_bytes_per_check", "state_bytes_of_windows"];
/// Not for people: the bench starts itself with it.
pub(crate) const COMMAND: &str = "count-state";

const BYTES_MAX: f64 = 1024.0;
const EVERY: Duration = Duration::from_secs(60);
/// As many as an hour has, which is what a window keeps.
const SAMPLES: u32 = 60;

/// Resident bytes of each sort.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    states: u64,
    alerting: u64,
    memories: u64,
    pasts: u64,
}

pub(crate) async fn measure(settings: &Settings) -> anyhow::Result<Vec<Figure>> {
    let count: u32 = settings.either(100_000, 10_000);
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let mut command = Command::new(program);
    command.arg(COMMAND).arg(count.to_string()).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.context("this program cannot be started")?;
    ensure!(output.status.success(), "the count ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    let counted = Counted::parse(&String::from_utf8_lossy(&output.stdout)).context("the count is not four numbers")?;
    let per_check = |bytes: u64| bytes as f64 / f64::from(count);
    let conditions = format!("{count} checks that are well: state, last result without metrics, name, alerts; resident, without windows");
    let windows = format!("{count} checks: the last report of 3 metrics, and one window with {SAMPLES} samples");
    Ok(vec![
        Figure::new("state_bytes_per_check", per_check(counted.memories + counted.alerting), "bytes")
            .at_most(BYTES_MAX)
            .beside("core_state_bytes", per_check(counted.states + counted.alerting), "bytes")
            .with(conditions),
        Figure::new("state_bytes_of_windows", per_check(counted.pasts), "bytes").with(windows),
    ])
}

/// In a process of its own: prints the bytes of each sort.
pub(crate) fn count_here(count: Option<&str>) -> anyhow::Result<()> {
    let Some(count) = count.and_then(|count| count.parse::<usize>().ok()) else { bail!("`{COMMAND}` needs a number of checks") };
    let Counted { states, alerting, memories, pasts } = Counted::of(count)?;
    println!("{states} {alerting} {memories} {pasts}");
    Ok(())
}

impl Counted {
    fn of(count: usize) -> anyhow::Result<Counted> {
        let judgement = well()?;
        let mut before = own_resident_bytes()?;
        let mut grown = || {
            let now = own_resident_bytes()?;
            let grown = now.saturating_sub(before);
            before = now;
            anyhow::Ok(grown)
        };
        let kept_states = filled(count, |number| Ok((name(number), state(&judgement))))?;
        let states = grown()?;
        let kept_alerting = told(count)?;
        let alerting = grown()?;
        let kept_memories = filled(count, |number| Ok(memory(number, &judgement)))?;
        let memories = grown()?;
        let kept_pasts = filled(count, |_| past())?;
        let pasts = grown()?;
        black_box((&kept_states, &kept_alerting, &kept_memories, &kept_pasts));
        Ok(Counted { states, alerting, memories, pasts })
    }

    fn parse(line: &str) -> Option<Counted> {
        let numbers: Vec<u64> = line.split_whitespace().map_while(|number| number.parse().ok()).collect();
        let [states, alerting, memories, pasts] = numbers.as_slice() else { return None };
        Some(Counted { states: *states, alerting: *alerting, memories: *memories, pasts: *pasts })
    }
}

/// One of each check, in a list that is as long as it has to be.
fn filled<T>(count: usize, one: impl Fn(usize) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        all.push(one(number)?);
    }
    Ok(all)
}

/// What a good report means; the conditions are those of the configuration, so they are not kept.
fn well() -> anyhow::Result<Judgement> {
    judged(0.1)
}

fn judged(latency_seconds: f64) -> anyhow::Result<Judgement> {
    let past = Past { now: START, ..Past::default() };
    Ok(judge(Finding::Report(report(latency_seconds)), &rules()?, past).judgement)
}

fn state(judgement: &Judgement) -> CheckState {
    let (state, ..) = CheckState::not_yet_run().advance(POLICY, judgement, START);
    state
}

/// The machine of alerts, after each check failed and was well again before anybody was told.
fn told(count: usize) -> anyhow::Result<Alerting> {
    let mut alerting = Alerting::new(alerting_config(by_service()), 1, START);
    let failed = Arc::new(Findings::of(&judged(2.0 * LATENCY_SECONDS_MAX)?));
    let well = Arc::new(Findings::of(&well()?));
    for number in 0..count {
        let check = identity(number)?;
        for findings in [&failed, &well] {
            alerting.apply(Fact::Transition { check: Arc::clone(&check), findings: Arc::clone(findings) }, START);
        }
    }
    ensure!(!alerting.incidents().any(|incident| incident.is_open()), "a check that is well has an open incident");
    Ok(alerting)
}

/// The metrics of the last result are those of the last report, which is counted apart.
fn memory(number: usize, judgement: &Judgement) -> (Arc<str>, Arc<CheckMemory>) {
    let name = name(number);
    let (state, decision, transition) = CheckState::not_yet_run().advance(POLICY, judgement, START);
    let record = ResultRecord {
        check: Arc::clone(&name),
        scheduled_at: START,
        started_at: START,
        duration_us: 1_000,
        trigger: Trigger::Schedule,
        plugin: Arc::default(),
        plugin_version: Arc::default(),
        status: judgement.status,
        summary: judgement.summary.clone(),
        reason: judgement.reason.clone(),
        decision,
        failure: None,
        evidence: Vec::new(),
        metrics: Arc::default(),
        details: None,
        state,
        transition,
        plugin_state: None,
    };
    let mut observed = Observed::default();
    observed.note(Arc::new(record), None);
    (name, Arc::new(CheckMemory::new(observed, BTreeMap::new())))
}

/// The last report, and what its conditions keep of those before.
fn past() -> anyhow::Result<(Timestamp, Arc<Report>, Windows)> {
    let mut windows = Windows::of(&rules()?).context("no condition asks the past")?;
    let report = Arc::new(report(0.1));
    for sample in 0..SAMPLES {
        windows.note(START.plus(EVERY * sample), &report.metrics);
    }
    Ok((START, report, windows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_another_process_is_four_numbers() {
        assert_eq!(Counted::parse("1 2 3 4\n"), Some(Counted { states: 1, alerting: 2, memories: 3, pasts: 4 }));
        assert_eq!(Counted::parse("1 2 3"), None);
        assert_eq!(Counted::parse(""), None);
    }
}
