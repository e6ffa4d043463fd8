//! Soft and hard: when a result becomes the confirmed status of its check.
//!
//! `status` is what the last run said. `hard_status` is what enough consecutive runs agreed on, and all that alerts and dependencies look at.
//!
//! Invariant: an `unknown` never replaces a confirmed failure.
//! Invariant: `since` changes exactly when `hard_status` does, and then a [`Transition`] says so.

use serde::{Deserialize, Serialize};

use crate::flapping::Pair;
use crate::{FlapThresholds, Flapping, Holding, Judgement, StateKind, Status, Timestamp};

/// How many consecutive results confirm a change (both at least 1), and what is flapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub failures: u32,
    pub successes: u32,
    /// None: nobody asks whether the check flaps.
    pub flapping: Option<FlapThresholds>,
}

/// What the state machine did with a result, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name")]
pub enum Decision {
    /// The status is the confirmed one already.
    Unchanged,
    SoftFailure {
        count: u32,
        of: u32,
    },
    SoftSuccess {
        count: u32,
        of: u32,
    },
    SoftUnknown {
        count: u32,
        of: u32,
    },
    /// An `unknown` does not hide a confirmed failure.
    FailureKept,
    Hardened {
        from: Status,
        to: Status,
    },
}

/// All that the state machine remembers of a check; stored with every result, so that the last result is the state after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    /// The last result's.
    pub status: Status,
    /// The confirmed one: drives alerts, dependencies and `/healthz`.
    pub hard_status: Status,
    /// `soft` while the two differ.
    pub kind: StateKind,
    /// When `hard_status` became what it is. Zero: never.
    pub since: Timestamp,
    /// Consecutive warnings and criticals; `unknown` neither advances nor resets it. All three counters saturate.
    pub failures: u32,
    /// Consecutive oks; `unknown` neither advances nor resets it.
    pub successes: u32,
    /// Consecutive unknowns.
    pub unknowns: u32,
    /// The time of the last result that was ok, whatever came after it.
    pub last_success_at: Option<Timestamp>,
    #[serde(default)]
    pub flapping: Flapping,
    /// Conditions with a duration that hold, of those that the check has; see [`crate::judge`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holding: Vec<Holding>,
}

/// A change of the confirmed status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub from: Status,
    pub to: Status,
    pub at: Timestamp,
}

impl CheckState {
    /// Before the first run: `unknown`, confirmed, since never.
    pub fn not_yet_run() -> CheckState {
        CheckState::default()
    }

    /// The state after a result judged at `now`, what was decided, and the transition where the confirmed status changed.
    ///
    /// - To a failure: after `policy.failures` failures without an ok between them; between `warning` and `critical` at once.
    /// - From a failure to ok: after `policy.successes` oks without a failure between them.
    /// - From `unknown` (also before the first run) to ok: at once.
    /// - From ok to `unknown`: after `policy.failures` unknowns in a row. From a failure: never, it would hide the failure.
    pub fn advance(&self, policy: Policy, judgement: &Judgement, now: Timestamp) -> (CheckState, Decision, Option<Transition>) {
        let mut next = self.counted(judgement.status);
        if judgement.status == Status::Ok {
            next.last_success_at = Some(now);
        }
        next.flapping = self.flapping_after(policy.flapping, judgement.status, now);
        let decision = next.decide(policy);
        let mut transition = None;
        if let Decision::Hardened { from, to } = decision {
            next.hard_status = to;
            next.since = now;
            transition = Some(Transition { from, to, at: now });
        }
        next.kind = if next.status == next.hard_status { StateKind::Hard } else { StateKind::Soft };
        (next, decision, transition)
    }

    /// An `unknown` says nothing of the target, so the result before it is the neighbour of the one behind it.
    fn flapping_after(&self, thresholds: Option<FlapThresholds>, status: Status, now: Timestamp) -> Flapping {
        let Some(thresholds) = thresholds else { return Flapping::default() };
        // Of the two counters the one that is not zero tells the last judged result.
        let other_way = match status {
            Status::Unknown => return self.flapping,
            Status::Ok => self.failures,
            Status::Warning | Status::Critical => self.successes,
        };
        let pair = if other_way > 0 { Pair::Changed } else { Pair::Alike };
        self.flapping.with(pair, status, thresholds, now)
    }

    /// This state with the result's status and its counters, before anything is confirmed.
    fn counted(&self, status: Status) -> CheckState {
        let mut next = CheckState { status, ..self.clone() };
        match status {
            Status::Ok => {
                next.successes = self.successes.saturating_add(1);
                next.failures = 0;
                next.unknowns = 0;
            }
            Status::Warning | Status::Critical => {
                next.failures = self.failures.saturating_add(1);
                next.successes = 0;
                next.unknowns = 0;
            }
            Status::Unknown => next.unknowns = self.unknowns.saturating_add(1),
        }
        next
    }

    fn decide(&self, policy: Policy) -> Decision {
        let (from, to) = (self.hard_status, self.status);
        let hardened = Decision::Hardened { from, to };
        match to {
            _ if from == to => Decision::Unchanged,
            Status::Ok if from == Status::Unknown || self.successes >= policy.successes => hardened,
            Status::Ok => Decision::SoftSuccess { count: self.successes, of: policy.successes },
            Status::Warning | Status::Critical if from.is_failure() || self.failures >= policy.failures => hardened,
            Status::Warning | Status::Critical => Decision::SoftFailure { count: self.failures, of: policy.failures },
            Status::Unknown if from.is_failure() => Decision::FailureKept,
            Status::Unknown if self.unknowns >= policy.failures => hardened,
            Status::Unknown => Decision::SoftUnknown { count: self.unknowns, of: policy.failures },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Reason;

    const POLICY: Policy = Policy { failures: 3, successes: 2, flapping: None };

    fn judged(status: Status) -> Judgement {
        Judgement { status, summary: String::new(), reason: Reason::Passed, failure: None, evidence: Vec::new() }
    }

    fn status_of(letter: char) -> Status {
        match letter {
            'o' => Status::Ok,
            'w' => Status::Warning,
            'c' => Status::Critical,
            '?' => Status::Unknown,
            _ => panic!("no status is written `{letter}`"),
        }
    }

    fn letter_of(status: Status) -> char {
        match status {
            Status::Ok => 'o',
            Status::Warning => 'w',
            Status::Critical => 'c',
            Status::Unknown => '?',
        }
    }

    /// Every step of `results`, one second apart, from before the first run.
    fn steps(policy: Policy, results: &[Status]) -> Vec<(CheckState, Decision, Option<Transition>)> {
        let mut state = CheckState::not_yet_run();
        (1_u64..)
            .zip(results)
            .map(|(second, status)| {
                let step = state.advance(policy, &judged(*status), Timestamp(second * 1000));
                state = step.0.clone();
                step
            })
            .collect()
    }

    /// The confirmed status after each result, one letter each.
    fn hard(results: &str) -> String {
        let results: Vec<Status> = results.chars().map(status_of).collect();
        steps(POLICY, &results).iter().map(|(state, ..)| letter_of(state.hard_status)).collect()
    }

    fn last(results: &str) -> (CheckState, Decision, Option<Transition>) {
        let results: Vec<Status> = results.chars().map(status_of).collect();
        steps(POLICY, &results).pop().expect("at least one result")
    }

    #[test]
    fn before_the_first_run_a_check_is_unknown_since_never() {
        let state = CheckState::not_yet_run();
        assert_eq!((state.status, state.hard_status, state.kind), (Status::Unknown, Status::Unknown, StateKind::Hard));
        assert_eq!(state.since, Timestamp(0));
    }

    #[test]
    fn the_first_ok_is_confirmed_at_once() {
        assert_eq!(hard("oo"), "oo");
        assert_eq!(hard("??o"), "??o");
    }

    #[test]
    fn a_failure_is_confirmed_by_the_third_in_a_row() {
        assert_eq!(hard("occc"), "oooc");
        assert_eq!(hard("ccc"), "??c");
        assert_eq!(last("occ").1, Decision::SoftFailure { count: 2, of: 3 });
        assert_eq!(last("occc").1, Decision::Hardened { from: Status::Ok, to: Status::Critical });
    }

    #[test]
    fn a_warning_counts_towards_a_confirmed_critical() {
        assert_eq!(hard("owwc"), "oooc");
        assert_eq!(hard("occw"), "ooow");
    }

    #[test]
    fn between_warning_and_critical_a_confirmed_failure_changes_at_once() {
        assert_eq!(hard("owwwcw"), "ooowcw");
        let (state, _, transition) = last("owwwc");
        assert_eq!(transition, Some(Transition { from: Status::Warning, to: Status::Critical, at: Timestamp(5000) }));
        assert_eq!(state.since, Timestamp(5000));
    }

    #[test]
    fn a_recovery_is_confirmed_by_the_second_ok() {
        assert_eq!(hard("occcoo"), "ooocco");
        assert_eq!(last("occco").1, Decision::SoftSuccess { count: 1, of: 2 });
    }

    #[test]
    fn an_unknown_never_hides_a_confirmed_failure() {
        assert_eq!(hard("occc?????"), "ooocccccc");
        let (state, decision, transition) = last("occc?");
        assert_eq!((state.status, state.hard_status, state.kind), (Status::Unknown, Status::Critical, StateKind::Soft));
        assert_eq!((decision, transition), (Decision::FailureKept, None));
    }

    #[test]
    fn an_unknown_neither_advances_nor_resets_the_count_of_failures() {
        assert_eq!(hard("oc?c?c"), "oooooc");
        assert_eq!(last("oc?").1, Decision::SoftUnknown { count: 1, of: 3 });
    }

    #[test]
    fn three_unknowns_in_a_row_are_confirmed() {
        assert_eq!(hard("o???o"), "ooo?o");
        assert_eq!(hard("o??o??o"), "ooooooo");
    }

    #[test]
    fn the_last_ok_is_remembered_whatever_comes_after_it() {
        assert_eq!(last("cw?").0.last_success_at, None);
        assert_eq!(last("coo").0.last_success_at, Some(Timestamp(3000)));
        assert_eq!(last("coccc?w").0.last_success_at, Some(Timestamp(2000)));
    }

    #[test]
    fn the_counters_saturate() {
        let full = CheckState { failures: u32::MAX, successes: u32::MAX, unknowns: u32::MAX, ..CheckState::not_yet_run() };
        for status in Status::ALL {
            let (state, ..) = full.advance(POLICY, &judged(status), Timestamp(1));
            assert_eq!(state.failures.max(state.successes).max(state.unknowns), u32::MAX);
        }
    }

    #[test]
    fn going_to_and_fro_without_end_confirms_nothing() {
        for pattern in ["oc", "ow", "occ", "ocw?", "o?cc?", "o??"] {
            let results: Vec<Status> = pattern.chars().cycle().take(10_000).map(status_of).collect();
            for (state, _, transition) in steps(POLICY, &results).into_iter().skip(1) {
                assert_eq!((state.hard_status, transition), (Status::Ok, None), "{pattern}");
            }
        }
        // The other way round: single oks do not end a confirmed failure.
        let results: Vec<Status> = "ccc".chars().chain("oc".chars().cycle().take(10_000)).map(status_of).collect();
        for (state, ..) in steps(POLICY, &results).into_iter().skip(2) {
            assert_eq!(state.hard_status, Status::Critical);
        }
    }

    /// How many of the last results satisfy `wanted` without one between them that does not; `passed_over` counts as neither.
    fn trailing(results: &[Status], wanted: impl Fn(Status) -> bool, passed_over: Option<Status>) -> u32 {
        let run = results.iter().rev().filter(|status| Some(**status) != passed_over).take_while(|status| wanted(**status));
        u32::try_from(run.count()).expect("a short history")
    }

    fn statuses() -> impl Strategy<Value = Vec<Status>> {
        prop::collection::vec(prop::sample::select(Status::ALL.to_vec()), 1..200)
    }

    proptest! {
        #[test]
        fn only_a_transition_changes_the_confirmed_status_and_its_time(
            results in statuses(), failures in 1_u32..6, successes in 1_u32..6,
        ) {
            let mut before = CheckState::not_yet_run();
            for (state, decision, transition) in steps(Policy { failures, successes, flapping: None }, &results) {
                prop_assert_eq!(state.kind == StateKind::Soft, state.status != state.hard_status);
                match transition {
                    Some(Transition { from, to, at }) => {
                        prop_assert_ne!(from, to);
                        prop_assert_eq!((from, to, at), (before.hard_status, state.hard_status, state.since));
                        prop_assert_eq!(to, state.status);
                        prop_assert_eq!(decision, Decision::Hardened { from, to });
                    }
                    None => {
                        prop_assert_eq!((state.hard_status, state.since), (before.hard_status, before.since));
                        let hardened = matches!(decision, Decision::Hardened { .. });
                        prop_assert!(!hardened);
                    }
                }
                before = state;
            }
        }

        #[test]
        fn a_change_is_confirmed_exactly_when_the_history_confirms_it(
            results in statuses(), failures in 1_u32..6, successes in 1_u32..6,
        ) {
            let mut hard = Status::Unknown;
            for (index, (state, ..)) in steps(Policy { failures, successes, flapping: None }, &results).into_iter().enumerate() {
                let history = &results[..=index];
                let status = history[index];
                let confirmed = match status {
                    Status::Ok => {
                        hard == Status::Unknown || trailing(history, |status| status == Status::Ok, Some(Status::Unknown)) >= successes
                    }
                    Status::Warning | Status::Critical => {
                        hard.is_failure() || trailing(history, Status::is_failure, Some(Status::Unknown)) >= failures
                    }
                    Status::Unknown => !hard.is_failure() && trailing(history, |status| status == Status::Unknown, None) >= failures,
                };
                if confirmed {
                    hard = status;
                }
                prop_assert_eq!(state.hard_status, hard, "after {:?}", history);
            }
        }
    }
}
