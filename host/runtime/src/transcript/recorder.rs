//! The side of a tape that keeps what happens.

use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use wasmtime_wasi::WasiCtxBuilder;

use super::readings::{Noted, wall_clock_ms};
use super::to_json::{Mask, Untold, to_json};
use super::{BYTES_MAX, Beyond, CALLS_MAX, Call, Export, Facts, Transcript, of_finding};
use crate::HostResult;

/// How a call ends that never came back: the run was over before.
pub(super) const UNANSWERED: &str = "the run ended while it waited for this call";

/// What has been kept of a run so far.
pub(super) struct Recorder {
    began: Instant,
    began_at_ms: u64,
    request: Value,
    calls: Vec<Call>,
    /// Bytes that calls may still take.
    left: usize,
    cut: Option<String>,
    beyond: Vec<Beyond>,
    noted: Noted,
}

impl Recorder {
    pub(super) fn new() -> Recorder {
        Recorder {
            began: Instant::now(),
            began_at_ms: wall_clock_ms(),
            request: Value::Null,
            calls: Vec::new(),
            left: BYTES_MAX,
            cut: None,
            beyond: Vec::new(),
            noted: Noted::default(),
        }
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        self.noted.give(wasi);
    }

    pub(super) fn note(&mut self, beyond: Beyond) {
        if !self.beyond.contains(&beyond) {
            self.beyond.push(beyond);
        }
    }

    pub(super) fn request<R: Serialize>(&mut self, request: &R, mask: Mask<'_>) {
        match to_json(request, &mut self.left, mask) {
            Ok(request) => self.request = with_config_as_it_is(request),
            Err(untold) => self.cut_short(&untold),
        }
    }

    /// A call begins; gives which one it is, where it is kept.
    pub(super) fn ask<A: Serialize>(&mut self, call: &str, names: &[&str], arguments: &A, mask: Mask<'_>) -> Option<usize> {
        if self.cut.is_some() {
            return None;
        }
        if self.calls.len() >= CALLS_MAX {
            self.cut = Some(format!("the run made more than {CALLS_MAX} calls"));
            return None;
        }
        let asked = match to_json(arguments, &mut self.left, mask) {
            Ok(arguments) => by_name(names, arguments),
            Err(untold) => {
                self.cut_short(&untold);
                return None;
            }
        };
        let ended = Some(UNANSWERED.to_owned());
        self.calls.push(Call { call: call.to_owned(), asked, ended, at_us: self.elapsed_us(), ..Call::default() });
        Some(self.calls.len() - 1)
    }

    /// One that was asked was answered.
    pub(super) fn answered<T: Serialize>(&mut self, index: usize, answer: &HostResult<T>, mask: Mask<'_>) {
        let told = match answer {
            Ok(answer) => to_json(answer, &mut self.left, mask).map(|answer| (answer, None)),
            Err(error) => Ok((Value::Null, Some(error.to_string()))),
        };
        let elapsed_us = self.elapsed_us();
        match told {
            Ok((answer, ended)) => {
                if let Some(call) = self.calls.get_mut(index) {
                    (call.answer, call.ended) = (answer, ended);
                    call.took_us = elapsed_us.saturating_sub(call.at_us);
                }
            }
            Err(untold) => {
                // Calls follow each other: it is the last one.
                self.calls.truncate(index);
                self.cut_short(&untold);
            }
        }
    }

    pub(super) fn finish(self, facts: Facts<'_>) -> Transcript {
        let (readings, why_not_all) = self.noted.readings();
        let mut output = facts.output.to_owned();
        output.truncate(output.floor_char_boundary(self.left));
        Transcript {
            run: facts.run,
            plugin: facts.plugin.to_owned(),
            sha256: facts.sha256.to_owned(),
            export: Export::Check,
            request: self.request,
            limits: Some(facts.limits),
            began_at_ms: self.began_at_ms,
            calls: self.calls,
            readings: Some(readings),
            beyond: self.beyond,
            cut: self.cut.or(why_not_all.map(str::to_owned)),
            outcome: of_finding(facts.finding),
            backtrace: facts.backtrace,
            output,
            ..Transcript::default()
        }
    }

    fn cut_short(&mut self, untold: &Untold) {
        self.cut = Some(match untold {
            Untold::TooLarge => format!("the calls have more than {BYTES_MAX} bytes"),
            Untold::Other(message) => format!("call {} cannot be kept: {message}", self.calls.len() + 1),
        });
    }

    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// What was asked, by the names of the arguments; those that are absent are left out.
pub(super) fn by_name(names: &[&str], arguments: Value) -> Value {
    let Value::Array(arguments) = arguments else { return Value::Object(Map::new()) };
    let named = names.iter().map(|name| (*name).to_owned()).zip(arguments);
    Value::Object(named.filter(|(_, argument)| !argument.is_null()).collect())
}

/// `config` as the table that its text is, where nothing is lost by it.
fn with_config_as_it_is(mut request: Value) -> Value {
    if let Some(config) = request.get_mut("config")
        && let Some(text) = config.as_str()
        && let Ok(table @ Value::Object(_)) = serde_json::from_str::<Value>(text)
        && serde_json::to_string(&table).is_ok_and(|written| written == text)
    {
        *config = table;
    }
    request
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sickbay_core::{Finding, Report};

    use super::*;

    fn finished(recorder: Recorder) -> Transcript {
        let finding = Finding::Report(Report::default());
        let facts = Facts {
            run: "x".to_owned(),
            plugin: "p",
            sha256: "00",
            limits: crate::Limits::default(),
            finding: &finding,
            output: "said",
            backtrace: Vec::new(),
        };
        recorder.finish(facts)
    }

    fn nothing_hidden(_: &[u8]) -> Option<Vec<u8>> {
        None
    }

    #[test]
    fn calls_are_kept_in_order_with_what_came_of_them() {
        let mut recorder = Recorder::new();
        recorder.request(&("api",), &nothing_hidden);
        let first = recorder.ask("state.get", &["key"], &("a",), &nothing_hidden).expect("kept");
        recorder.answered(first, &Ok(Some(b"1".to_vec())), &nothing_hidden);
        let second = recorder.ask("system.read_cpu", &[], &(), &nothing_hidden).expect("kept");
        recorder.answered::<()>(second, &Err(crate::trap("out of calls")), &nothing_hidden);
        recorder.ask("net.connect", &["target", "more"], &("a:1", None::<u8>), &nothing_hidden).expect("kept");
        let transcript = finished(recorder);
        let calls: Vec<_> =
            transcript.calls.iter().map(|call| (call.call.as_str(), &call.asked, &call.answer, call.ended.as_deref())).collect();
        assert_eq!(
            calls,
            [
                ("state.get", &json!({ "key": "a" }), &json!("1"), None),
                ("system.read_cpu", &json!({}), &Value::Null, Some("out of calls")),
                ("net.connect", &json!({ "target": "a:1" }), &Value::Null, Some(UNANSWERED)),
            ]
        );
        assert_eq!((transcript.cut, transcript.output.as_str()), (None, "said"));
        assert!(transcript.readings.is_some() && transcript.began_at_ms > 0);
    }

    #[test]
    fn a_transcript_that_is_full_says_so_and_holds_what_came_before() {
        let mut recorder = Recorder::new();
        for size in [10, BYTES_MAX, 10] {
            if let Some(index) = recorder.ask("state.get", &["key"], &("a",), &nothing_hidden) {
                recorder.answered(index, &Ok("x".repeat(size)), &nothing_hidden);
            }
        }
        let transcript = finished(recorder);
        assert_eq!((transcript.calls.len(), transcript.cut.as_deref()), (1, Some("the calls have more than 2097152 bytes")));

        let mut recorder = Recorder::new();
        for _ in 0..CALLS_MAX + 5 {
            recorder.ask("state.get", &["key"], &("a",), &nothing_hidden);
        }
        let transcript = finished(recorder);
        assert_eq!((transcript.calls.len(), transcript.cut.as_deref()), (CALLS_MAX, Some("the run made more than 5000 calls")));
    }

    #[test]
    fn a_config_is_a_table_only_where_its_text_is_the_same() {
        let kept = |text: &str| with_config_as_it_is(json!({ "config": text }))["config"].clone();
        assert_eq!(kept("{\"a\":1}"), json!({ "a": 1 }));
        for text in ["{ \"a\": 1 }", "[1]", "", "{"] {
            assert_eq!(kept(text), json!(text));
        }
    }
}
