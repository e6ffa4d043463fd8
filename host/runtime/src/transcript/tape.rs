//! What stands between a guest and what is lent to it: it keeps each call, or answers it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sickbay_core::Quota;
use wasmtime_wasi::WasiCtxBuilder;

use super::player::{Played, Player};
use super::recorder::Recorder;
use super::stand_in::StandIns;
use super::{Beyond, Facts, Transcript, VirtualTime};
use crate::{HostResult, Lend};

/// One run's tape. What is lent brings it ([`Lend::tape`]), and it comes back with the run's outcome.
pub struct Tape(Side);

enum Side {
    Records(Recorder),
    Plays(Player),
}

/// What becomes of a call.
pub(crate) enum Next<T> {
    /// It is answered from the tape.
    Told(T),
    /// What is lent answers it; with the call's number, where the answer is kept.
    Lent(Option<usize>),
}

impl Tape {
    /// One that keeps what happens.
    pub fn recording() -> Box<Tape> {
        Box::new(Tape(Side::Records(Recorder::new())))
    }

    /// One that answers as `transcript` says, to a run that may take `time_max`.
    pub(crate) fn playing(transcript: Arc<Transcript>, stand_ins: Arc<StandIns>, time_max: Duration) -> Box<Tape> {
        Box::new(Tape(Side::Plays(Player::new(transcript, stand_ins, time_max))))
    }

    /// What was kept; None where it played.
    pub fn finish(self, facts: Facts<'_>) -> Option<Transcript> {
        match self.0 {
            Side::Records(recorder) => Some(recorder.finish(facts)),
            Side::Plays(_) => None,
        }
    }

    /// What the run did; None where it was recorded.
    pub(crate) fn played(self) -> Option<Played> {
        match self.0 {
            Side::Records(_) => None,
            Side::Plays(player) => Some(player.finish()),
        }
    }

    pub(crate) fn plays(&self) -> bool {
        matches!(self.0, Side::Plays(_))
    }

    /// Clocks and random numbers of WASI.
    pub(crate) fn give(&self, wasi: &mut WasiCtxBuilder) {
        match &self.0 {
            Side::Records(recorder) => recorder.give(wasi),
            Side::Plays(player) => player.give(wasi),
        }
    }

    /// Where it plays.
    pub(crate) fn virtual_time(&self) -> Option<VirtualTime> {
        match &self.0 {
            Side::Records(_) => None,
            Side::Plays(player) => Some(player.virtual_time()),
        }
    }

    pub(crate) fn note(&mut self, beyond: Beyond) {
        if let Side::Records(recorder) = &mut self.0 {
            recorder.note(beyond);
        }
    }

    pub(crate) fn request<L: Lend, R: Serialize>(&mut self, lent: &L, request: &R) {
        if let Side::Records(recorder) = &mut self.0 {
            recorder.request(request, &|text| lent.masked(text));
        }
    }

    pub(crate) fn exceeded(&self) -> Option<(Quota, u64)> {
        match &self.0 {
            Side::Records(_) => None,
            Side::Plays(player) => player.exceeded(),
        }
    }

    /// A call begins: `call` is its interface and function, `arguments` a tuple of what `names` names.
    ///
    /// # Errors
    /// End the run: it parts from its transcript.
    pub(crate) fn ask<L: Lend, A: Serialize, T: DeserializeOwned>(
        &mut self,
        lent: &L,
        call: &str,
        names: &[&str],
        arguments: &A,
    ) -> HostResult<Next<T>> {
        match &mut self.0 {
            Side::Records(recorder) => Ok(Next::Lent(recorder.ask(call, names, arguments, &|text| lent.masked(text)))),
            Side::Plays(player) => player.ask(call, names, arguments),
        }
    }

    /// What is lent answered a call.
    pub(crate) fn answered<L: Lend, T: Serialize>(&mut self, lent: &L, index: Option<usize>, answer: &HostResult<T>) {
        let Some(index) = index else { return };
        match &mut self.0 {
            Side::Records(recorder) => recorder.answered(index, answer, &|text| lent.masked(text)),
            Side::Plays(player) => player.answered(index, answer),
        }
    }
}
