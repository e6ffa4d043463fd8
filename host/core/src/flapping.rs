//! Flapping: a check whose results go to and fro between ok and failing.
//!
//! How: of the last [`CHANGES_MAX`] pairs of neighbouring results each is a change or none. The newest pair weighs 1.2, the oldest 0.8, those
//! between them in even steps, so the weighted share of changes lies between 0 and 1. Flapping begins when the share reaches `start` and ends
//! when it falls below `stop`, which is lower: a check at the edge does not flap in and out of flapping. The formula is the one that Nagios
//! Core describes ("Detection and Handling of State Flapping") and Icinga 2 took over; the thresholds are ours.
//!
//! A change is one between ok and a failure; `unknown` results are passed over, since they say nothing of the target, and warning and critical
//! are one incident. Soft results count: what flaps too fast to be confirmed is what this is for.
//!
//! Results count, not time: it is for checks that run at a cadence. What somebody pushes comes when it likes, so that twenty pairs may be three
//! weeks; the configuration leaves flapping off there unless it is asked for.
//!
//! Invariant: flapping begins with a failure, so whoever is told of the begin is told a status that is none of ok.

use serde::{Deserialize, Serialize};

use crate::{Status, Timestamp};

/// Pairs of results that are looked at.
pub const CHANGES_MAX: u32 = 20;

/// Weights are whole numbers: in units of 1/95, from 76 (0.8) for the oldest to 114 (1.2) for the newest.
const WEIGHT_OLDEST: u32 = 76;
const WEIGHT_STEP: u32 = 2;
const WEIGHTS_SUM: u32 = CHANGES_MAX * WEIGHT_OLDEST + WEIGHT_STEP * (CHANGES_MAX * (CHANGES_MAX - 1) / 2);

/// When flapping begins and ends, in thousandths of the weighted share. `stop` is below `start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlapThresholds {
    pub start_permille: u32,
    pub stop_permille: u32,
}

impl Default for FlapThresholds {
    /// About ten changes among the last twenty pairs, and less than five.
    fn default() -> FlapThresholds {
        FlapThresholds { start_permille: 500, stop_permille: 250 }
    }
}

/// What is remembered of a check's changes; part of its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flapping {
    /// A bit for each pair of results, the newest lowest: set where the two differ.
    pub changes: u32,
    /// Set while the check flaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<FlapBegin>,
}

/// When a check began to flap, and with which result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlapBegin {
    pub at: Timestamp,
    /// A failure.
    pub status: Status,
}

/// What changed with a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlapChange {
    /// With the failure that made it flap.
    Began {
        status: Status,
    },
    Ended,
}

/// Whether a result is like the judged one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pair {
    Alike,
    Changed,
}

impl Flapping {
    pub fn is_flapping(&self) -> bool {
        self.began.is_some()
    }

    /// The weighted share of changes in thousandths.
    pub fn share_permille(&self) -> u32 {
        let weight = |age: u32| WEIGHT_OLDEST + WEIGHT_STEP * (CHANGES_MAX - 1 - age);
        let weights: u32 = (0..CHANGES_MAX).filter(|age| (self.changes >> age) & 1 == 1).map(weight).sum();
        weights * 1000 / WEIGHTS_SUM
    }

    /// What `after` changed against this.
    pub fn change_to(&self, after: &Flapping) -> Option<FlapChange> {
        match (self.began, after.began) {
            (None, Some(FlapBegin { status, .. })) => Some(FlapChange::Began { status }),
            (Some(_), None) => Some(FlapChange::Ended),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// With one more result, which is not `unknown`.
    pub(crate) fn with(&self, pair: Pair, status: Status, thresholds: FlapThresholds, now: Timestamp) -> Flapping {
        let mask = (1 << CHANGES_MAX) - 1;
        let mut next = Flapping { changes: ((self.changes << 1) | u32::from(pair == Pair::Changed)) & mask, began: self.began };
        let share = next.share_permille();
        if next.began.is_some() && share < thresholds.stop_permille {
            next.began = None;
        } else if next.began.is_none() && share >= thresholds.start_permille && status.is_failure() {
            next.began = Some(FlapBegin { at: now, status });
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CheckState, Judgement, Policy, Reason};

    const POLICY: Policy = Policy { failures: 3, successes: 2, flapping: Some(FlapThresholds { start_permille: 500, stop_permille: 250 }) };

    /// The states after each of the results `o`, `w`, `c` and `?`, one second apart.
    fn states(policy: Policy, results: &str) -> Vec<CheckState> {
        let mut state = CheckState::not_yet_run();
        let mut states = Vec::new();
        for (second, letter) in (1_u64..).zip(results.chars()) {
            let status = match letter {
                'o' => Status::Ok,
                'w' => Status::Warning,
                'c' => Status::Critical,
                _ => Status::Unknown,
            };
            let judgement = Judgement { status, summary: String::new(), reason: Reason::Passed, failure: None, evidence: Vec::new() };
            (state, ..) = state.advance(policy, &judgement, Timestamp(second * 1000));
            states.push(state.clone());
        }
        states
    }

    fn last(results: &str) -> Flapping {
        states(POLICY, results).pop().expect("a result").flapping
    }

    #[test]
    fn the_weights_are_those_of_nagios() {
        assert_eq!(WEIGHTS_SUM, 1900);
        let one = |age: u32| Flapping { changes: 1 << age, began: None }.share_permille();
        // 1.2 / 20 and 0.8 / 20
        assert_eq!((one(0), one(CHANGES_MAX - 1)), (60, 40));
        assert_eq!(Flapping { changes: u32::MAX, began: None }.share_permille(), 1000);
    }

    #[test]
    fn one_outage_is_no_flapping_and_an_endless_to_and_fro_is() {
        assert!(!last(&("o".repeat(30) + &"c".repeat(5) + &"o".repeat(5))).is_flapping());
        assert!(!last(&"oc".repeat(4)).is_flapping());
        assert!(last(&"oc".repeat(10)).is_flapping());
    }

    #[test]
    fn it_begins_with_a_failure_and_ends_when_it_is_calm() {
        let results = "oc".repeat(10) + &"o".repeat(30);
        let states = states(POLICY, &results);
        let changes: Vec<(usize, FlapChange)> = states
            .windows(2)
            .enumerate()
            .filter_map(|(index, pair)| Some((index + 1, pair[0].flapping.change_to(&pair[1].flapping)?)))
            .collect();
        let [(began, FlapChange::Began { status }), (ended, FlapChange::Ended)] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!(*status, Status::Critical);
        assert_eq!(results.as_bytes()[*began], b'c');
        assert_eq!(states[*ended].status, Status::Ok);
        assert!(*ended > 25, "it takes some calm: {ended}");
    }

    #[test]
    fn an_unknown_is_passed_over_and_a_worse_failure_is_no_change() {
        assert_eq!(last("o?o?o").changes, 0);
        assert_eq!(last("o?c").changes, 1);
        assert_eq!(last("cwcw").changes, 0);
    }

    #[test]
    fn who_does_not_want_it_has_none() {
        let policy = Policy { flapping: None, ..POLICY };
        assert!(states(policy, &"oc".repeat(50)).iter().all(|state| state.flapping == Flapping::default()));
    }

    #[test]
    fn between_the_thresholds_it_stays_as_it_was() {
        // A change in each third pair or so: a share between a quarter and a half.
        let calm = states(POLICY, &"oooccc".repeat(10));
        assert!(calm.iter().all(|state| !state.flapping.is_flapping()));
        let wild = states(POLICY, &("oc".repeat(10) + &"oooccc".repeat(10)));
        assert!(wild.iter().skip(20).all(|state| state.flapping.is_flapping()));
    }

    proptest! {
        #[test]
        fn it_begins_only_at_its_threshold_and_ends_only_below_the_other(results in "[owc?]{1,200}") {
            let mut before = Flapping::default();
            for state in states(POLICY, &results) {
                let after = state.flapping;
                match before.change_to(&after) {
                    Some(FlapChange::Began { status }) => prop_assert!(after.share_permille() >= 500 && status.is_failure()),
                    Some(FlapChange::Ended) => prop_assert!(after.share_permille() < 250),
                    None => {}
                }
                before = after;
            }
        }
    }
}
