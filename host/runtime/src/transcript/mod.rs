//! What a run was asked, what it asked the host and what it was told, in order: enough to run it again with nothing of the host behind it.
//!
//! Who is who: a [`Transcript`] is the file, written by a tape that records, or by hand as a fixture. A [`Tape`] stands between a guest and
//! what is lent to it (`crate::taped`): it keeps every call of the contract, or answers it. [`Plugin::replay`](crate::Plugin::replay) runs a
//! version of a plugin on one and tells what is different.
//!
//! How: `to_json` makes JSON of the contract's values, `from_json` values of JSON. `recorder` and `player` are the two sides of a tape,
//! `readings` the clocks and random numbers of both, `wait` how a guest waits on them. `stand_in` is what a replayed run is shown in the place of secrets, `outcome` what a
//! run came to as JSON, `difference` compares.
//!
//! Limits: [`BYTES_MAX`], [`CALLS_MAX`], [`CLOCK_READINGS_MAX`] and [`RANDOM_BYTES_MAX`]; a transcript that reached one says so ([`Transcript::cut`])
//! and holds what came before. What a guest does through `wasi:http`, in folders that WASI shows it, and what an instance had in memory
//! from the run before is not held: [`Beyond`] names it.
//!
//! Invariant: nothing of a call is kept that [`Lend::masked`](crate::Lend::masked) was not asked for; secrets are never part of a transcript.
//! Invariant: a run is the same whether it is recorded or not; what is not recorded costs one branch for each call.
//! Invariant: a replayed run reaches nothing: what its tape does not hold ends it.

mod difference;
mod from_json;
mod outcome;
mod player;
mod readings;
mod recorder;
mod stand_in;
mod tape;
mod to_json;
mod wait;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Limits;

pub use difference::{Difference, Likeness, differences};
pub use outcome::{Facts, of_finding};
pub use readings::Readings;
pub use tape::Tape;

pub(crate) use from_json::from_json;
pub(crate) use outcome::of_end;
pub(crate) use player::Played;
pub(crate) use stand_in::StandIns;
pub(crate) use tape::Next;
pub(crate) use to_json::to_json;
pub(crate) use wait::{Clock, ClockOfRun, VirtualTime};

/// The version of the format; a file of another one is refused.
pub const VERSION: u32 = 1;
/// Of all calls of one transcript, as JSON.
pub const BYTES_MAX: usize = 2 << 20;
/// Calls of one transcript, log lines too.
pub const CALLS_MAX: usize = 5_000;
/// Of each of the two clocks.
pub const CLOCK_READINGS_MAX: usize = 10_000;
pub const RANDOM_BYTES_MAX: usize = 64 << 10;

/// One run. Names are those of the contract, with `_` for `-`.
///
/// A recorded one has `outcome`: a replay must do the same. One that was written by hand (a fixture) has `expect`, of which as much must be
/// true as is written; all that it leaves out has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transcript {
    /// [`VERSION`]
    pub transcript: u32,
    /// What a fixture shows, for a person.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The id of a recorded run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// The plugin's name; in a fixture also the path of its file.
    pub plugin: String,
    /// Of the plugin's file: the version that ran.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    pub export: Export,
    /// The request of the export, as the contract has it. In `config` secrets are `{{secret:NAME}}`.
    pub request: Value,
    /// Of `act` and `follow`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub action: Value,
    /// Of `follow`: JSON, as text or as it is.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub token: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// The wall clock when the run began, in milliseconds since 1970.
    pub began_at_ms: u64,
    /// The small values before the run. Where they are written, calls of `state` are answered from them and need not be listed; where neither
    /// they nor such a call are, a fixture begins with none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<BTreeMap<String, String>>,
    pub calls: Vec<Call>,
    /// Absent in a fixture: its clocks go on with its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readings: Option<Readings>,
    /// What the run used that is not held here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Beyond>,
    /// Why the transcript ends before the run did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// What a recorded run came to.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub outcome: Value,
    /// What a run must come to, as far as it is written.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub expect: Value,
    /// What was made of it: status and reason.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub judged: String,
    /// Where the guest was when it crashed, innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<String>,
    /// What the guest printed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub output: String,
}

/// What is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Export {
    /// `check.run`
    #[default]
    Check,
    /// `recovery.plan`
    Plan,
    /// `recovery.act`
    Act,
    /// `recovery.follow`
    Follow,
    /// `sink.deliver`
    Deliver,
}

impl Export {
    /// The interface of the contract that has it.
    pub fn interface(self) -> &'static str {
        match self {
            Export::Check => "check",
            Export::Plan | Export::Act | Export::Follow => "recovery",
            Export::Deliver => "sink",
        }
    }
}

/// One call of the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Call {
    /// Interface and function: `http.send`.
    pub call: String,
    /// The arguments by name. Where a fixture leaves them out, they may be any.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub asked: Value,
    /// `{ ok = ... }` or `{ error = ... }` where the function may fail, else what it gives.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub answer: Value,
    /// The run ended in this call: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Since the run began.
    pub at_us: u64,
    pub took_us: u64,
}

impl Call {
    /// `http` of `http.send`.
    pub fn interface(&self) -> &str {
        self.call.split_once('.').map_or(self.call.as_str(), |(interface, _)| interface)
    }
}

/// What a run used that no transcript holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beyond {
    /// Requests over `wasi:http`.
    WasiHttp,
    /// Folders of the host that WASI showed it; whether it looked into them is not known.
    Folders,
    /// It began on an instance that had run before, with what that one had in memory.
    KeptInstance,
}

impl Beyond {
    /// The end of "it used ...".
    pub fn told(self) -> &'static str {
        match self {
            Beyond::WasiHttp => "wasi:http",
            Beyond::Folders => "folders of the host through WASI, perhaps",
            Beyond::KeptInstance => "an instance that had run before",
        }
    }
}

/// Why a file is no transcript.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TranscriptError {
    #[error(
        "it has version {found} of the format, and this Sickbay reads version {VERSION}; hint: replay it with the Sickbay that wrote it"
    )]
    Version { found: String },
    #[error("it is no transcript: {0}")]
    Shape(String),
}

impl Default for Transcript {
    fn default() -> Transcript {
        Transcript {
            transcript: VERSION,
            name: String::new(),
            run: String::new(),
            plugin: String::new(),
            sha256: String::new(),
            export: Export::Check,
            request: Value::Null,
            action: Value::Null,
            token: Value::Null,
            limits: None,
            began_at_ms: 0,
            state: None,
            calls: Vec::new(),
            readings: None,
            beyond: Vec::new(),
            cut: None,
            outcome: Value::Null,
            expect: Value::Null,
            judged: String::new(),
            backtrace: Vec::new(),
            output: String::new(),
        }
    }
}

impl Transcript {
    /// Reads what a file holds.
    pub fn from_value(value: Value) -> Result<Transcript, TranscriptError> {
        match value.get("transcript") {
            _ if !value.is_object() => Err(TranscriptError::Shape("it is a list or a single value".to_owned())),
            Some(found) if found.as_u64() != Some(VERSION.into()) => Err(TranscriptError::Version { found: found.to_string() }),
            Some(_) | None => serde_json::from_value(value).map_err(|error| TranscriptError::Shape(error.to_string())),
        }
    }

    /// Whether a run was recorded here; a fixture was written.
    pub fn is_recorded(&self) -> bool {
        !self.outcome.is_null()
    }

    /// How much of what is written a run must repeat.
    pub fn likeness(&self) -> Likeness {
        if self.is_recorded() { Likeness::Whole } else { Likeness::Part }
    }

    /// The check, recovery or sink that the run was of; empty where none is named.
    pub fn subject(&self) -> &str {
        let name = |key: &str| self.request.get(key).and_then(Value::as_str);
        name("check").or_else(|| name("recovery")).or_else(|| name("sink")).unwrap_or_default()
    }

    /// As a file. It ends with a line's end.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Nothing in it cannot be written: all keys are texts, and no number is infinite.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_transcript_is_read_as_it_was_written() {
        let transcript = Transcript {
            run: "x".to_owned(),
            plugin: "http".to_owned(),
            request: json!({ "check": "api", "config": { "url": "http://a/" } }),
            limits: Some(Limits::default()),
            calls: vec![Call { call: "state.get".to_owned(), asked: json!({ "key": "a" }), at_us: 5, ..Call::default() }],
            readings: Some(Readings { wall_ns: vec![1, 2], random: "00ff".to_owned(), ..Readings::default() }),
            beyond: vec![Beyond::WasiHttp, Beyond::KeptInstance],
            outcome: json!({ "status": "ok" }),
            ..Transcript::default()
        };
        let read = serde_json::from_slice(&transcript.to_bytes()).map(Transcript::from_value);
        assert_eq!(read.ok(), Some(Ok(transcript.clone())));
        assert!(transcript.is_recorded() && transcript.subject() == "api" && transcript.calls[0].interface() == "state");
    }

    #[test]
    fn a_fixture_needs_next_to_nothing() {
        let fixture = Transcript::from_value(json!({ "expect": { "status": "ok" } })).expect("a fixture");
        assert_eq!((fixture.transcript, fixture.export, fixture.is_recorded()), (VERSION, Export::Check, false));
        assert_eq!(fixture.likeness(), Likeness::Part);
    }

    #[test]
    fn another_version_and_other_files_are_refused_with_what_they_are() {
        let told = |value: Value| Transcript::from_value(value).expect_err("refused").to_string();
        assert!(
            told(json!({ "transcript": 2, "unheard_of": 1 }))
                .starts_with("it has version 2 of the format, and this Sickbay reads version 1")
        );
        assert!(told(json!({ "transcript": "x" })).contains("version \"x\""));
        assert!(told(json!({ "nmae": "x" })).contains("unknown field `nmae`"));
        assert!(told(json!({ "calls": [{ "cal": "http.send" }] })).contains("unknown field `cal`"));
        assert!(told(json!([1])).starts_with("it is no transcript: "));
    }
}
