//! The side of a tape that answers: each call must be the next one of the transcript, and is given its answer.
//!
//! The first call that differs ends the run: whatever the host would have answered to it is not known. Log lines are written as always and
//! compared with nothing: what a plugin tells about itself may change.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sickbay_core::Quota;
use wasmtime_wasi::WasiCtxBuilder;

use super::difference::{Difference, Likeness, differences};
use super::from_json::from_json;
use super::readings::Given;
use super::recorder::{UNANSWERED, by_name};
use super::stand_in::StandIns;
use super::tape::Next;
use super::to_json::to_json;
use super::wait::OVER;
use super::{CALLS_MAX, Call, Transcript, VirtualTime};
use crate::{HostResult, trap};

/// Differences told at the end, of calls that were not made.
const MISSING_SHOWN_MAX: usize = 5;

pub(super) struct Player {
    transcript: Arc<Transcript>,
    stand_ins: Arc<StandIns>,
    /// Which call comes next.
    next: usize,
    made: Vec<Call>,
    differences: Vec<Difference>,
    /// The run asked for more than a transcript holds that was cut.
    is_beyond_cut: bool,
    /// It came to the call in which the recorded run was ended from outside.
    is_at_end: bool,
    given: Given,
}

/// What a run did on a tape.
#[derive(Default)]
pub(crate) struct Played {
    /// All calls that the run made, log lines too.
    pub(crate) calls: Vec<Call>,
    pub(crate) differences: Vec<Difference>,
    pub(crate) is_beyond_cut: bool,
    /// It came to the call in which the recorded run was ended from outside: whatever that run came to, this one does.
    pub(crate) is_at_end: bool,
    /// It waited for longer than it may take: the host would have ended it.
    pub(crate) is_over: bool,
}

impl Player {
    pub(super) fn new(transcript: Arc<Transcript>, stand_ins: Arc<StandIns>, time_max: Duration) -> Player {
        let given = Given::new(transcript.readings.as_ref(), transcript.began_at_ms, time_max);
        Player { transcript, stand_ins, next: 0, made: Vec::new(), differences: Vec::new(), is_beyond_cut: false, is_at_end: false, given }
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        self.given.give(wasi);
    }

    pub(super) fn virtual_time(&self) -> VirtualTime {
        VirtualTime::new(self.given.clone())
    }

    /// The quota that the recorded run ran into through calls: their answers tell of it, and nothing is counted here.
    pub(super) fn exceeded(&self) -> Option<(Quota, u64)> {
        let outcome = &self.transcript.outcome;
        let word = outcome.get("quota")?.as_str()?;
        let quota = Quota::ALL.into_iter().find(|quota| quota.as_str() == word)?;
        let by_calls = !matches!(quota, Quota::CpuMs | Quota::MemoryBytes | Quota::LogBytes);
        outcome.get("limit")?.as_u64().filter(|_| by_calls && self.differences.is_empty()).map(|limit| (quota, limit))
    }

    pub(super) fn ask<A: Serialize, T: DeserializeOwned>(&mut self, call: &str, names: &[&str], arguments: &A) -> HostResult<Next<T>> {
        if self.given.is_over() {
            return Err(trap(OVER));
        }
        if self.made.len() >= CALLS_MAX {
            self.is_beyond_cut = self.transcript.cut.is_some();
            return Err(trap(format!("the run made more than {CALLS_MAX} calls")));
        }
        let mut left = usize::MAX;
        let told = to_json(arguments, &mut left, &|text| self.stand_ins.mask(text)).map_err(trap)?;
        let asked = by_name(names, told);
        let index = self.made.len();
        self.made.push(Call { call: call.to_owned(), asked, at_us: self.given.elapsed_us(), ..Call::default() });
        if self.is_passed_on(call) {
            return Ok(Next::Lent(Some(index)));
        }
        self.answer(index).map(Next::Told)
    }

    /// Of a call that was passed on.
    pub(super) fn answered<T: Serialize>(&mut self, index: usize, answer: &HostResult<T>) {
        let mut left = usize::MAX;
        let told = match answer {
            Ok(answer) => to_json(answer, &mut left, &|text| self.stand_ins.mask(text)).ok(),
            Err(_) => None,
        };
        if let (Some(call), Some(told)) = (self.made.get_mut(index), told) {
            call.answer = told;
        }
    }

    pub(super) fn finish(mut self) -> Played {
        self.is_beyond_cut |= self.differences.is_empty() && self.cut_short().is_some();
        let is_whole = self.differences.is_empty() && !self.is_beyond_cut;
        if is_whole {
            self.tell_missing();
        }
        let Player { made, differences, is_beyond_cut, is_at_end, given, .. } = self;
        Played { calls: made, differences, is_beyond_cut, is_at_end, is_over: given.is_over() }
    }

    /// Log lines, and small values where the transcript brings its own, are answered by what is lent.
    fn is_passed_on(&self, call: &str) -> bool {
        let of = |interface: &str| call.split_once('.').is_some_and(|(before, _)| before == interface);
        of("log") || (of("state") && self.brings_state())
    }

    /// A fixture that is written by hand and says nothing of small values begins without any.
    fn brings_state(&self) -> bool {
        let lists = || self.transcript.calls.iter().any(|call| call.interface() == "state");
        self.transcript.state.is_some() || !(self.transcript.is_recorded() || lists())
    }

    fn answer<T: DeserializeOwned>(&mut self, index: usize) -> HostResult<T> {
        let transcript = Arc::clone(&self.transcript);
        while transcript.calls.get(self.next).is_some_and(|call| self.is_passed_on(&call.call)) {
            self.next += 1;
        }
        let Some(expected) = transcript.calls.get(self.next) else { return Err(self.beyond(index)) };
        let at = format!("call {}, {}", self.next + 1, expected.call);
        let made = &self.made[index];
        if made.call != expected.call {
            let difference = Difference::new(at, told_call(expected), told_call(made));
            return Err(self.part(vec![difference]));
        }
        if !(expected.asked.is_null() && transcript.likeness() == Likeness::Part) {
            let found = differences(&format!("{at}: asked"), &expected.asked, &made.asked, transcript.likeness());
            if !found.is_empty() {
                return Err(self.part(found));
            }
        }
        self.next += 1;
        self.given.go_on(expected.at_us, expected.took_us);
        let call = &mut self.made[index];
        (call.answer, call.ended, call.took_us) = (expected.answer.clone(), expected.ended.clone(), expected.took_us);
        if let Some(why) = &expected.ended {
            self.is_at_end = why == UNANSWERED;
            return Err(trap(why));
        }
        let heard = from_json(Some(&expected.answer), &|text| self.stand_ins.fill(text));
        heard.map_err(|misfit| {
            let difference = Difference::new(format!("{at}: answer"), "an answer as the contract has it", misfit.to_string());
            self.part(vec![difference])
        })
    }

    /// Why the transcript was cut, where the run read more of the clocks, or drew more random numbers, than it holds: what the run does from
    /// there on is no word about the plugin.
    fn cut_short(&self) -> Option<&str> {
        self.transcript.cut.as_deref().filter(|_| self.given.is_beyond_noted())
    }

    /// The run goes another way than its transcript: it ends here.
    fn part(&mut self, differences: Vec<Difference>) -> wasmtime::Error {
        if let Some(why) = self.cut_short() {
            let end = trap(format!("the transcript ends here: {why}"));
            self.is_beyond_cut = true;
            return end;
        }
        self.differences.extend(differences);
        trap("the run parts from its transcript here")
    }

    fn beyond(&mut self, index: usize) -> wasmtime::Error {
        if let Some(why) = &self.transcript.cut {
            self.is_beyond_cut = true;
            return trap(format!("the transcript ends here: {why}"));
        }
        let made = told_call(&self.made[index]);
        let at = format!("call {}", self.transcript.calls.len() + 1);
        self.part(vec![Difference::new(at, "no more calls", made)])
    }

    fn tell_missing(&mut self) {
        let transcript = Arc::clone(&self.transcript);
        let missing = transcript.calls.iter().enumerate().skip(self.next).filter(|(_, call)| !self.is_passed_on(&call.call));
        let told = missing.map(|(index, call)| {
            Difference::new(format!("call {}, {}", index + 1, call.call), told_call(call), "the run ended without it")
        });
        let told: Vec<Difference> = told.take(MISSING_SHOWN_MAX).collect();
        self.differences.extend(told);
    }
}

/// On one line.
fn told_call(call: &Call) -> String {
    match &call.asked {
        Value::Null => call.call.clone(),
        asked => format!("{} {}", call.call, super::difference::shown(asked)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wasmtime_wasi::HostWallClock;

    use super::*;

    fn player(transcript: Value) -> Player {
        let transcript = Transcript::from_value(transcript).expect("a transcript");
        let stand_ins = StandIns::of(&transcript);
        Player::new(Arc::new(transcript), Arc::new(stand_ins), Duration::from_secs(10))
    }

    /// `state.get` of `key`: what is told, or why not.
    fn get(player: &mut Player, key: &str) -> Result<Option<Vec<u8>>, String> {
        match player.ask("state.get", &["key"], &(key,)) {
            Ok(Next::Told(value)) => Ok(value),
            Ok(Next::Lent(_)) => Err("passed on".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn told(played: &Played) -> Vec<String> {
        played.differences.iter().map(|difference| format!("{}: {} | {}", difference.at, difference.expected, difference.got)).collect()
    }

    #[test]
    fn calls_are_answered_in_their_order_and_the_clocks_go_on() {
        let mut player = player(json!({
            "calls": [
                { "call": "log.write" },
                { "call": "state.get", "asked": { "key": "a" }, "answer": "1", "took_us": 500 },
                { "call": "state.get" },
            ],
        }));
        assert_eq!(get(&mut player, "a"), Ok(Some(b"1".to_vec())));
        assert_eq!(player.given.elapsed_us(), 500);
        assert_eq!(get(&mut player, "any"), Ok(None), "a fixture says nothing of what was asked");
        let played = player.finish();
        assert!(played.differences.is_empty() && !played.is_beyond_cut);
        assert_eq!(played.calls[0].answer, json!("1"));
    }

    #[test]
    fn the_first_call_that_differs_ends_the_run_and_is_told() {
        let recorded = json!({ "calls": [{ "call": "state.get", "asked": { "key": "a" } }, { "call": "state.remove" }], "outcome": {} });
        let mut other = player(recorded.clone());
        assert!(get(&mut other, "b").is_err_and(|error| error.contains("parts from its transcript")));
        assert_eq!(told(&other.finish()), ["call 1, state.get: asked.key: \"a\" | \"b\""]);

        let mut early = player(recorded.clone());
        assert!(get(&mut early, "a").is_ok());
        assert_eq!(told(&early.finish()), ["call 2, state.remove: state.remove | the run ended without it"]);

        let mut another = player(recorded);
        assert!(get(&mut another, "a").is_ok() && get(&mut another, "a").is_err());
        assert_eq!(told(&another.finish()), ["call 2, state.remove: state.remove | state.get {\"key\":\"a\"}"]);

        let mut more = player(json!({ "calls": [], "outcome": {} }));
        assert!(get(&mut more, "a").is_err());
        assert_eq!(told(&more.finish()), ["call 1: no more calls | state.get {\"key\":\"a\"}"]);
    }

    #[test]
    fn a_fixture_begins_without_small_values_where_it_says_nothing_of_them() {
        let passes_on = |written: Value| player(written).is_passed_on("state.get");
        assert!(passes_on(json!({ "calls": [{ "call": "http.send" }] })));
        assert!(passes_on(json!({ "state": {}, "calls": [], "outcome": {} })));
        assert!(!passes_on(json!({ "calls": [{ "call": "state.put" }] })));
        assert!(!passes_on(json!({ "calls": [], "outcome": {} })));
    }

    #[test]
    fn a_transcript_that_was_cut_ends_the_run_without_blaming_it() {
        let mut player = player(json!({ "calls": [], "cut": "the calls have more than 1 byte", "outcome": {} }));
        assert_eq!(get(&mut player, "a"), Err("the transcript ends here: the calls have more than 1 byte".to_owned()));
        let played = player.finish();
        assert!(played.is_beyond_cut && played.differences.is_empty());
    }

    #[test]
    fn a_transcript_whose_readings_ran_out_blames_nobody() {
        let recorded = json!({
            "calls": [{ "call": "state.get", "asked": { "key": "a" } }], "readings": { "wall_ns": [7] }, "cut": "the clock was read often",
            "outcome": {},
        });
        let mut other = player(recorded.clone());
        HostWallClock::now(&other.given);
        assert!(get(&mut other, "b").is_err_and(|error| error.contains("parts from its transcript")), "all was known so far");
        assert_eq!(told(&other.finish()).len(), 1);

        let mut beyond = player(recorded.clone());
        for _ in 0..2 {
            HostWallClock::now(&beyond.given);
        }
        assert!(get(&mut beyond, "b").is_err_and(|error| error == "the transcript ends here: the clock was read often"));
        let played = beyond.finish();
        assert!(played.is_beyond_cut && played.differences.is_empty());

        let mut early = player(recorded);
        for _ in 0..2 {
            HostWallClock::now(&early.given);
        }
        assert!(get(&mut early, "a").is_ok());
        assert!(early.finish().is_beyond_cut, "what it comes to is not known");
    }

    #[test]
    fn a_run_ends_in_the_call_in_which_the_recorded_one_was_ended() {
        let mut player = player(json!({ "calls": [{ "call": "state.get", "asked": { "key": "a" }, "ended": UNANSWERED }], "outcome": {} }));
        assert_eq!(get(&mut player, "a"), Err(UNANSWERED.to_owned()));
        let played = player.finish();
        assert!(played.is_at_end && played.differences.is_empty());
    }

    #[test]
    fn an_answer_that_is_none_is_told_with_its_place() {
        let mut player = player(json!({ "calls": [{ "call": "state.get", "answer": 5 }] }));
        assert!(get(&mut player, "a").is_err());
        let told = told(&player.finish());
        assert!(
            told[0].starts_with("call 1, state.get: answer: an answer as the contract has it | a list or a text is expected"),
            "{told:?}"
        );
    }

    #[test]
    fn log_lines_are_passed_on_and_small_values_where_they_are_brought() {
        let mut player = player(json!({ "state": { "a": "1" }, "calls": [] }));
        assert_eq!(get(&mut player, "a"), Err("passed on".to_owned()));
        let line = player.ask::<_, ()>("log.write", &["message"], &("hello",));
        assert!(matches!(line, Ok(Next::Lent(Some(1)))));
        player.answered(0, &Ok(Some(b"1".to_vec())));
        let played = player.finish();
        assert_eq!((played.calls.len(), &played.calls[0].answer, told(&played).len()), (2, &json!("1"), 0));
    }

    #[test]
    fn secrets_are_names_on_the_tape_and_stand_ins_for_the_guest() {
        let mut player = player(json!({
            "request": { "config": { "token": "{{secret:a}}" } },
            "calls": [{ "call": "state.get", "asked": { "key": "Bearer {{secret:a}}" }, "answer": "x{{secret:a}}" }],
        }));
        let stand_in = player.stand_ins.fill(b"{{secret:a}}").expect("a name");
        let key = format!("Bearer {}", String::from_utf8_lossy(&stand_in));
        assert_eq!(get(&mut player, &key), Ok(Some([b"x".to_vec(), stand_in].concat())));
        assert_eq!(player.finish().calls[0].asked, json!({ "key": "Bearer {{secret:a}}" }));
    }

    #[test]
    fn a_quota_of_calls_is_that_of_the_recorded_run() {
        let exceeded = |quota: &str| player(json!({ "outcome": { "ended": "quota", "quota": quota, "limit": 7 } })).exceeded();
        assert_eq!((exceeded("rows"), exceeded("cpu_ms"), exceeded("unheard")), (Some((Quota::Rows, 7)), None, None));
    }
}
