//! When a check is due: at an interval, or by a cron expression (`cron.rs`).
//!
//! With an interval a check is due at every time that is congruent to its phase: `phase = FNV-1a-64(name) mod every`, in milliseconds.
//! The phase comes from the name alone, so checks spread over their interval instead of starting together, a restart
//! does not bunch them, and a change elsewhere in the configuration does not move them. A cron expression has no phase: it names its times.
//!
//! Invariant: the next due time depends on the schedule and on `now`, never on when a run began or ended, so a slow run delays no later one.

use std::sync::Arc;
use std::time::Duration;

use crate::{Cron, Timestamp};

/// Missed times of a cron expression are counted one by one, at most so many.
const CRON_MISSED_MAX: u64 = 10_000;

/// A cadence counted from the schedule, never from the last finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every(Interval),
    Cron(Arc<Cron>),
}

/// The same time between any two due times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// At least 1.
    every_ms: u64,
    /// Less than `every_ms`.
    phase_ms: u64,
}

impl Schedule {
    /// Every `every` (whole milliseconds; anything below 1 ms counts as 1 ms), at a phase that comes from a stable hash of the check's name.
    pub fn every(check: &str, every: Duration) -> Schedule {
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
        Schedule::Every(Interval { every_ms, phase_ms: fnv1a_64(check.as_bytes()) % every_ms })
    }

    /// The time between two due times, where it is always the same.
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Schedule::Every(interval) => Some(Duration::from_millis(interval.every_ms)),
            Schedule::Cron(_) => None,
        }
    }

    pub fn cron(&self) -> Option<&Cron> {
        match self {
            Schedule::Every(_) => None,
            Schedule::Cron(cron) => Some(cron),
        }
    }

    /// The first due time strictly after `now`; at the end of time itself, the last moment there is.
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        match self {
            Schedule::Every(interval) => interval.next_after(now),
            Schedule::Cron(cron) => cron.next_after(now),
        }
    }

    /// How many due times lie after `from`, up to `to` and with it; of a cron expression at most [`CRON_MISSED_MAX`].
    pub fn due_between(&self, from: Timestamp, to: Timestamp) -> u64 {
        match self {
            Schedule::Every(interval) => interval.due_until(to).saturating_sub(interval.due_until(from)),
            Schedule::Cron(cron) => {
                let (mut count, mut at) = (0, cron.next_after(from));
                while at <= to && count < CRON_MISSED_MAX {
                    count += 1;
                    at = cron.next_after(at);
                }
                count
            }
        }
    }
}

impl Interval {
    /// How far after a multiple of the interval the check is due; less than the interval.
    pub fn phase(&self) -> Duration {
        Duration::from_millis(self.phase_ms)
    }

    fn next_after(&self, now: Timestamp) -> Timestamp {
        let position_ms = now.0 % self.every_ms;
        let wait_ms = if position_ms < self.phase_ms { self.phase_ms - position_ms } else { self.every_ms - (position_ms - self.phase_ms) };
        Timestamp(now.0.saturating_add(wait_ms))
    }

    /// Due times since 1970.
    fn due_until(&self, to: Timestamp) -> u64 {
        to.0.checked_sub(self.phase_ms).map_or(0, |since_ms| since_ms / self.every_ms + 1)
    }
}

/// The stable hash of a name: FNV-1a with 64 bits, as in section 2 of the Internet-Draft "The FNV Non-Cryptographic Hash Algorithm" (draft-eastlake-fnv).
/// Chosen because it is the same on every machine and in every version; it need not resist an attacker.
pub fn fnv1a_64(bytes: &[u8]) -> u64 {
    fnv1a_64_on(FNV_OFFSET_BASIS, bytes)
}

/// The hash of no bytes.
pub(crate) const FNV_OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The hash of what `hash` was made of, followed by `bytes`.
pub(crate) fn fnv1a_64_on(hash: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval(check: &str, every: Duration) -> Interval {
        match Schedule::every(check, every) {
            Schedule::Every(interval) => interval,
            Schedule::Cron(_) => panic!("an interval is no cron expression"),
        }
    }

    #[test]
    fn the_hash_gives_the_published_values() {
        assert_eq!(fnv1a_64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a_64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_phase_is_the_same_in_every_version() {
        let every = Duration::from_secs(10);
        assert_eq!(interval("api", every).phase(), Duration::from_millis(7879));
        assert_eq!(interval("orders-db", every).phase(), Duration::from_millis(6661));
    }

    #[test]
    fn due_times_follow_each_other_without_drift() {
        let schedule = Schedule::every("api", Duration::from_secs(10));
        let mut due = schedule.next_after(Timestamp(0));
        assert_eq!(due, Timestamp(7879));
        for count in 1..1000 {
            // However late the run of one due time is looked at, the next is a whole number of intervals away.
            due = schedule.next_after(Timestamp(due.0 + count * 9));
            assert_eq!(due, Timestamp(7879 + count * 10_000));
        }
    }

    #[test]
    fn an_interval_below_a_millisecond_counts_as_one() {
        let schedule = Schedule::every("api", Duration::from_micros(3));
        assert_eq!(schedule.interval(), Some(Duration::from_millis(1)));
        assert_eq!(schedule.next_after(Timestamp(5)), Timestamp(6));
    }

    #[test]
    fn the_end_of_time_does_not_overflow() {
        let schedule = Schedule::every("api", Duration::MAX);
        assert_eq!(schedule.next_after(Timestamp(u64::MAX)), Timestamp(u64::MAX));
    }

    #[test]
    fn the_phases_of_ten_thousand_names_spread_evenly() {
        for every_ms in [1_000, 10_000, 60_000, 3_600_000] {
            let mut buckets = [0_u32; 100];
            for number in 0..10_000 {
                let interval = interval(&format!("check-{number}"), Duration::from_millis(every_ms));
                buckets[(interval.phase_ms * 100 / every_ms) as usize] += 1;
            }
            // Chi-square with 99 degrees of freedom: 99 is the mean, 149 the 99.9 % bound.
            let chi_square: f64 = buckets.iter().map(|count| (f64::from(*count) - 100.0).powi(2) / 100.0).sum();
            assert!(chi_square < 149.0, "every {every_ms} ms: chi-square {chi_square}");
        }
    }

    proptest! {
        #[test]
        fn the_next_due_time_is_the_least_congruent_one_after_now(
            name in "[a-z0-9][a-z0-9._-]{0,62}",
            every_ms in 1_u64..=7 * 86_400_000,
            now in 0_u64..=4_102_444_800_000,
        ) {
            let schedule = Schedule::every(&name, Duration::from_millis(every_ms));
            let next = schedule.next_after(Timestamp(now)).0;
            prop_assert!(next > now);
            prop_assert!(next - now <= every_ms);
            prop_assert_eq!(next % every_ms, fnv1a_64(name.as_bytes()) % every_ms);
        }

        #[test]
        fn due_times_are_counted_as_they_follow_each_other(
            name in "[a-z0-9]{1,8}",
            every_ms in 1_u64..=100_000,
            now in 0_u64..=4_102_444_800_000,
            steps in 0_u64..200,
        ) {
            let schedule = Schedule::every(&name, Duration::from_millis(every_ms));
            let last = (0..steps).fold(Timestamp(now), |at, _| schedule.next_after(at));
            prop_assert_eq!(schedule.due_between(Timestamp(now), last), steps);
        }

        /// What makes `retry_every` come back to the normal phase without a jump.
        #[test]
        fn a_cadence_that_divides_another_has_its_due_times_among_its_own(
            name in "[a-z0-9]{1,8}",
            retry_ms in 1_u64..=100_000,
            times in 1_u64..50,
            now in 0_u64..=4_102_444_800_000,
        ) {
            let normal = Schedule::every(&name, Duration::from_millis(retry_ms * times));
            let retry = Schedule::every(&name, Duration::from_millis(retry_ms));
            let due = normal.next_after(Timestamp(now));
            prop_assert_eq!(retry.next_after(Timestamp(due.0 - 1)), due);
        }
    }
}
