//! One run of a plugin on a transcript, with nothing of the host behind it.
//!
//! How: the request is that of the transcript; a tape answers every call, and gives the clocks and random numbers: time goes on by the calls
//! and by what the guest waits for, which takes none. What the run did is held
//! against the transcript: each call as it is made, and in the end what it came to.
//!
//! Limits: those of the recorded run, or the defaults; a guest may compute for [`CPU_MS_MIN`] at least, because another machine may be slower.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sickbay_core::{EndCause, Quota};
use wasmtime::Store;

use crate::bindings::exports::sickbay::plugin::{check, recovery, sink};
use crate::descriptor::Kind;
use crate::plugin::{Settled, bounded, fresh_store, settle};
use crate::transcript::{
    self, Beyond, Call, Difference, Export, Played, StandIns, Tape, Transcript, differences, from_json, of_finding, to_json,
};
use crate::{Lend, Limits, Plugin, RunContext, RunUsage};

/// What a replayed run may compute at least, unless it was this limit that ended the recorded one.
const CPU_MS_MIN: u32 = 5_000;
/// Where a fixture says nothing.
const TIMEOUT_MS: u32 = 10_000;

/// What a run on a transcript came to.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// As [`of_finding`] tells it for a check; for another export `{ ok = ... }` or `{ error = ... }`, or how it ended.
    pub outcome: Value,
    /// Every call that it made, log lines too.
    pub calls: Vec<Call>,
    /// Empty where it did as the transcript says.
    pub differences: Vec<Difference>,
    /// It went further than a transcript that was cut: what it came to is not known.
    pub is_beyond_cut: bool,
    /// Where the guest was when it crashed, innermost first.
    pub backtrace: Vec<String>,
    /// What it printed.
    pub output: String,
    pub usage: RunUsage,
}

impl Replayed {
    /// It did as the transcript says, to its end.
    pub fn is_as_written(&self) -> bool {
        self.differences.is_empty() && !self.is_beyond_cut
    }
}

/// Why a transcript cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("the run used {}, and a transcript holds nothing of that", .0.told())]
    Beyond(Beyond),
    #[error("its {what} does not fit the contract: {why}")]
    Unfit { what: &'static str, why: String },
    #[error("the plugin exports no `{0}`")]
    Export(&'static str),
    #[error("{0}")]
    Kind(String),
}

/// What an export is asked.
enum Asked {
    Check(Box<check::Request>),
    Plan(Box<recovery::Request>),
    Act(Box<recovery::Request>, recovery::Action),
    Follow(Box<recovery::Request>, recovery::Action, String),
    Deliver(Box<sink::Request>),
}

impl<L: Lend> Plugin<L> {
    /// Runs what `transcript` holds. `lend` makes what is lent, which must bring the tape that it is given; only log lines and small values
    /// that the transcript brings come to it.
    pub async fn replay(&self, transcript: &Arc<Transcript>, lend: impl FnOnce(Box<Tape>, &Limits) -> L) -> Result<Replayed, ReplayError> {
        if transcript.beyond.contains(&Beyond::WasiHttp) {
            return Err(ReplayError::Beyond(Beyond::WasiHttp));
        }
        let interface = transcript.export.interface();
        let prefix = format!("sickbay:plugin/{interface}@");
        if !self.exports.iter().any(|name| name.starts_with(&prefix)) {
            return Err(ReplayError::Export(interface));
        }
        let stand_ins = Arc::new(StandIns::of(transcript));
        let asked = self.asked(transcript, &stand_ins)?;
        let limits = limits(transcript);
        let lent = lend(Tape::playing(Arc::clone(transcript), Arc::clone(&stand_ins), milliseconds(asked.timeout_ms())), &limits);
        let ran = match &asked {
            Asked::Check(request) => self.replay_check(request, lent, &limits).await,
            other => self.replay_other(other, lent, &limits).await,
        };
        Ok(held_against(transcript, &stand_ins, asked.timeout_ms(), ran))
    }

    async fn replay_check(&self, request: &check::Request, lent: L, limits: &Limits) -> Ran {
        let (ran, _) = self.check_asked(None, request, lent, limits, milliseconds(request.timeout_ms)).await;
        Ran { outcome: of_finding(&ran.finding), usage: ran.usage, output: ran.output, backtrace: ran.backtrace, tape: ran.tape }
    }

    async fn replay_other(&self, asked: &Asked, lent: L, limits: &Limits) -> Ran {
        let began = Instant::now();
        let timeout = milliseconds(asked.timeout_ms());
        let (mut store, cpu) = fresh_store(&self.engine, lent, limits);
        let call = async {
            self.show_folders(&mut store).await;
            self.answer_of(&mut store, asked).await
        };
        let ended = bounded(call, &cpu, &self.lane, timeout).await;
        let Settled { ended, usage, output, backtrace } = settle(&store, &cpu, limits, timeout, began, ended);
        let outcome = match ended {
            Ok(answer) => answer,
            Err(cause) => transcript::of_end(&cause),
        };
        Ran { outcome, usage, output, backtrace, tape: store.data_mut().take_tape() }
    }

    /// Of any export but `check`.
    async fn answer_of(&self, store: &mut Store<RunContext<L>>, asked: &Asked) -> wasmtime::Result<Value> {
        let instance = self.pre.instantiate_async(&mut *store).await?;
        match asked {
            Asked::Check(_) => Err(crate::trap("checks are run by themselves")),
            Asked::Plan(request) => {
                let guest = self.exported.recovery(&mut *store, &instance)?;
                told(&guest.call_plan(&mut *store, request).await?)
            }
            Asked::Act(request, action) => {
                let guest = self.exported.recovery(&mut *store, &instance)?;
                told(&guest.call_act(&mut *store, request, action).await?)
            }
            Asked::Follow(request, action, token) => {
                let guest = self.exported.recovery(&mut *store, &instance)?;
                told(&guest.call_follow(&mut *store, request, action, token).await?)
            }
            Asked::Deliver(request) => {
                let guest = self.exported.sink(&mut *store, &instance)?;
                told(&guest.call_deliver(&mut *store, request).await?)
            }
        }
    }

    fn asked(&self, transcript: &Transcript, stand_ins: &StandIns) -> Result<Asked, ReplayError> {
        match transcript.export {
            Export::Check => {
                let mut request: check::Request = heard("request", &transcript.request, stand_ins)?;
                request.kind = kind(&self.descriptor.checks, request.kind)?;
                filled(&mut request.check, &mut request.config, &mut request.timeout_ms);
                request.attempt = request.attempt.max(1);
                Ok(Asked::Check(Box::new(request)))
            }
            Export::Plan | Export::Act | Export::Follow => {
                let mut request: recovery::Request = heard("request", &transcript.request, stand_ins)?;
                request.kind = kind(&self.descriptor.recoveries, request.kind)?;
                filled(&mut request.recovery, &mut request.config, &mut request.timeout_ms);
                let request = Box::new(request);
                let action = || heard("action", &transcript.action, stand_ins);
                Ok(match transcript.export {
                    Export::Act => Asked::Act(request, action()?),
                    Export::Follow => Asked::Follow(request, action()?, heard("token", &transcript.token, stand_ins)?),
                    Export::Check | Export::Plan | Export::Deliver => Asked::Plan(request),
                })
            }
            Export::Deliver => {
                let mut request: sink::Request = heard("request", &transcript.request, stand_ins)?;
                request.kind = kind(&self.descriptor.sinks, request.kind)?;
                filled(&mut request.sink, &mut request.config, &mut request.timeout_ms);
                request.notification.attempt = request.notification.attempt.max(1);
                Ok(Asked::Deliver(Box::new(request)))
            }
        }
    }
}

impl Asked {
    fn timeout_ms(&self) -> u32 {
        match self {
            Asked::Check(request) => request.timeout_ms,
            Asked::Plan(request) | Asked::Act(request, _) | Asked::Follow(request, _, _) => request.timeout_ms,
            Asked::Deliver(request) => request.timeout_ms,
        }
    }
}

/// A run that has ended, before it is held against its transcript.
struct Ran {
    outcome: Value,
    usage: RunUsage,
    output: String,
    backtrace: Vec<String>,
    tape: Option<Box<Tape>>,
}

fn held_against(transcript: &Transcript, stand_ins: &StandIns, timeout_ms: u32, ran: Ran) -> Replayed {
    let Ran { mut outcome, usage, mut output, backtrace, tape } = ran;
    stand_ins.mask_json(&mut outcome);
    stand_ins.mask_text(&mut output);
    let played = tape.and_then(|tape| tape.played()).unwrap_or_default();
    let Played { calls, differences: mut found, is_beyond_cut, is_at_end, is_over } = played;
    if is_over {
        outcome = transcript::of_end(&EndCause::Deadline { timeout_ms });
    }
    if is_at_end {
        outcome = transcript.outcome.clone();
    }
    // A run that was ended by its tape came to nothing of its own.
    if found.is_empty() && !is_beyond_cut {
        let expected = if transcript.is_recorded() { &transcript.outcome } else { &transcript.expect };
        if !expected.is_null() {
            found.extend(differences("the result", expected, &outcome, transcript.likeness()));
        }
    }
    Replayed { outcome, calls, differences: found, is_beyond_cut, backtrace, output, usage }
}

fn heard<T: DeserializeOwned>(what: &'static str, value: &Value, stand_ins: &StandIns) -> Result<T, ReplayError> {
    from_json(Some(value), &|text| stand_ins.fill(text)).map_err(|misfit| ReplayError::Unfit { what, why: misfit.to_string() })
}

fn told<T: Serialize>(answer: &T) -> wasmtime::Result<Value> {
    let mut left = transcript::BYTES_MAX;
    to_json(answer, &mut left, &|_| None).map_err(|untold| crate::trap(format!("its answer cannot be told: {untold}")))
}

/// What a fixture leaves out.
fn filled(name: &mut String, config: &mut String, timeout_ms: &mut u32) {
    if name.is_empty() {
        "test".clone_into(name);
    }
    if config.is_empty() {
        "{}".clone_into(config);
    }
    if *timeout_ms == 0 {
        *timeout_ms = TIMEOUT_MS;
    }
}

/// The kind that is written, or the only one that there is.
fn kind(kinds: &[Kind], written: String) -> Result<String, ReplayError> {
    let names = || kinds.iter().map(|kind| kind.name.as_str()).collect::<Vec<_>>().join(", ");
    match kinds {
        [only] if written.is_empty() => Ok(only.name.clone()),
        _ if written.is_empty() => {
            Err(ReplayError::Kind(format!("the plugin has several kinds; hint: `kind` of `request` is one of: {}", names())))
        }
        _ if kinds.iter().any(|kind| kind.name == written) => Ok(written),
        _ => Err(ReplayError::Kind(format!("the plugin has no kind `{written}`; hint: it has: {}", names()))),
    }
}

fn limits(transcript: &Transcript) -> Limits {
    let limits = transcript.limits.unwrap_or_default();
    let was_cpu = transcript.outcome.get("quota").and_then(Value::as_str) == Some(Quota::CpuMs.as_str());
    if was_cpu { limits } else { Limits { cpu_ms: limits.cpu_ms.max(CPU_MS_MIN), ..limits } }
}

fn milliseconds(timeout_ms: u32) -> Duration {
    Duration::from_millis(timeout_ms.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn transcript(value: Value) -> Transcript {
        Transcript::from_value(value).expect("a transcript")
    }

    fn ran(outcome: Value) -> Ran {
        Ran { outcome, usage: RunUsage::default(), output: String::new(), backtrace: Vec::new(), tape: None }
    }

    #[test]
    fn a_recorded_outcome_must_be_the_same_and_an_expected_one_true_in_part() {
        let told = |written: Value, outcome: Value| {
            held_against(&transcript(written), &StandIns::default(), 1_000, ran(outcome)).differences.len()
        };
        let outcome = json!({ "status": "ok", "summary": "well" });
        assert_eq!(told(json!({ "outcome": { "status": "ok" } }), outcome.clone()), 1, "the summary is new");
        assert_eq!(told(json!({ "expect": { "status": "ok" } }), outcome.clone()), 0);
        assert_eq!(told(json!({ "expect": { "status": "critical" } }), outcome.clone()), 1);
        assert_eq!(told(json!({}), outcome), 0, "nothing is expected");
    }

    #[test]
    fn a_slower_machine_does_not_end_a_run_but_its_own_limit_does() {
        let cpu_ms = |value: Value| limits(&transcript(value)).cpu_ms;
        assert_eq!(cpu_ms(json!({ "limits": { "cpu_ms": 200 } })), CPU_MS_MIN);
        assert_eq!(cpu_ms(json!({ "limits": { "cpu_ms": 60_000 } })), 60_000);
        assert_eq!(cpu_ms(json!({ "limits": { "cpu_ms": 200 }, "outcome": { "ended": "quota", "quota": "cpu_ms", "limit": 200 } })), 200);
        assert_eq!(cpu_ms(json!({})), CPU_MS_MIN);
    }

    #[test]
    fn a_kind_is_left_out_only_where_there_is_one() {
        let of = |name: &str| Kind {
            tells_acknowledgements: false,
            name: name.to_owned(),
            summary: String::new(),
            config_schema: "{}".to_owned(),
            example: "{}".to_owned(),
            needs: Vec::new(),
            metrics: Vec::new(),
            failures: Vec::new(),
        };
        let (one, two) = (vec![of("a")], vec![of("a"), of("b")]);
        let named = |kinds: &[Kind], written: &str| kind(kinds, written.to_owned()).map_err(|error| error.to_string());
        assert_eq!(named(&one, ""), Ok("a".to_owned()));
        assert_eq!(named(&two, "b"), Ok("b".to_owned()));
        assert!(named(&two, "").is_err_and(|error| error.ends_with("is one of: a, b")));
        assert!(named(&two, "c").is_err_and(|error| error.contains("no kind `c`; hint: it has: a, b")));
    }
}
