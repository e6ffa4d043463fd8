//! Push checks: nobody runs them, somebody tells of them, and silence is the failure.
//!
//! While the host was down nobody could be heard: silence is told [`GRACE`] after its start at the earliest, or `within` where that is shorter.
//!
//! Invariant: a silence that was told goes on, through restarts and looks, until something is heard.

use std::time::Duration;

use crate::text::one_line;
use crate::{Judgement, Reason, Status, Timestamp};

/// A push check is looked at [`LOOKS`] times within the time that it may be silent, but neither more often nor less often than this.
const LOOK_MIN: Duration = Duration::from_secs(1);
const LOOK_MAX: Duration = Duration::from_secs(60);
const LOOKS: u32 = 20;
const SUMMARY_BYTES_MAX: usize = 512;
/// For those who could not be heard and try again. Longer, and a host that is started often would tell of no silence.
const GRACE: Duration = Duration::from_secs(10 * 60);

/// The time between two looks at a check that may be silent for so long.
pub fn look_every(within: Duration) -> Duration {
    (within / LOOKS).clamp(LOOK_MIN, LOOK_MAX)
}

/// From when on it is silent: `last` is the newest result with the time it began, `begun` when the host began to listen.
pub fn heard_at(last: Option<(Timestamp, &Reason)>, within: Duration, begun: Timestamp) -> Timestamp {
    match last {
        Some((_, Reason::NotHeard { since, .. })) => *since,
        Some((at, _)) => at.max(begun.minus(within.saturating_sub(GRACE))),
        None => begun,
    }
}

/// What silence means: critical, from the moment on when it is longer than `within`.
pub fn silence(heard_at: Timestamp, within: Duration, now: Timestamp) -> Option<Judgement> {
    if now.since(heard_at) <= within {
        return None;
    }
    let reason = Reason::NotHeard { since: heard_at, within_ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) };
    let summary = one_line(&reason.to_string(), SUMMARY_BYTES_MAX);
    Some(Judgement { status: Status::Critical, summary, reason, failure: None, evidence: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    #[test]
    fn silence_is_critical_when_it_is_longer_than_allowed() {
        let heard = Timestamp(1_000_000);
        assert_eq!(silence(heard, WITHIN, heard.plus(WITHIN)), None);
        let judgement = silence(heard, WITHIN, heard.plus(WITHIN * 2)).expect("it is too long");
        assert_eq!(judgement.status, Status::Critical);
        assert_eq!(judgement.reason, Reason::NotHeard { since: heard, within_ms: 60_000 });
        assert_eq!(judgement.summary, "nothing was heard within 1m");
    }

    #[test]
    fn a_look_at_the_silence_does_not_end_it() {
        let heard = Timestamp(1_000);
        let told = Reason::NotHeard { since: heard, within_ms: 60_000 };
        assert_eq!(heard_at(Some((Timestamp(99_000), &told)), WITHIN, Timestamp(500_000)), heard, "through a restart too");
        assert_eq!(heard_at(Some((Timestamp(99_000), &Reason::Passed)), WITHIN, Timestamp(5_000)), Timestamp(99_000));
        assert_eq!(heard_at(None, WITHIN, Timestamp(500_000)), Timestamp(500_000));
    }

    #[test]
    fn the_time_in_which_the_host_was_down_is_no_silence() {
        let (heard, begun) = (Timestamp(1_000), Timestamp(900_000_000));
        let from = heard_at(Some((heard, &Reason::Passed)), WITHIN, begun);
        assert_eq!((from, silence(from, WITHIN, begun.plus(WITHIN))), (begun, None));
        assert!(silence(from, WITHIN, begun.plus(WITHIN * 2)).is_some());
        let day = Duration::from_secs(25 * 3600);
        let from = heard_at(Some((heard, &Reason::Passed)), day, begun);
        assert_eq!(silence(from, day, begun.plus(GRACE)), None);
        assert!(silence(from, day, begun.plus(GRACE * 2)).is_some(), "a start a day hides nothing");
    }

    #[test]
    fn looks_are_neither_too_rare_nor_too_many() {
        let looks: Vec<u64> = [1, 60, 100, 90_000].iter().map(|within| look_every(Duration::from_secs(*within)).as_secs()).collect();
        assert_eq!(looks, [1, 3, 5, 60]);
    }
}
