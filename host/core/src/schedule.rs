//! When a check is due.
//!
//! A check is due at every time that is congruent to its phase: `phase = FNV-1a-64(name) mod every`, in milliseconds.
//! The phase comes from the name alone, so checks spread over their interval instead of starting together, a restart
//! does not bunch them, and a change elsewhere in the configuration does not move them.
//!
//! Invariant: the next due time depends on the schedule and on `now`, never on when a run began or ended, so a slow run delays no later one.

use std::time::Duration;

use crate::Timestamp;

/// A cadence counted from the schedule, never from the last finish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// At least 1.
    every_ms: u64,
    /// Less than `every_ms`.
    phase_ms: u64,
}

impl Schedule {
    /// Every `every` (whole milliseconds; anything below 1 ms counts as 1 ms), at a phase that comes from a stable hash of the check's name.
    pub fn every(check: &str, every: Duration) -> Schedule {
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).max(1);
        Schedule { every_ms, phase_ms: fnv1a_64(check.as_bytes()) % every_ms }
    }

    /// The time between two due times.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(self.every_ms)
    }

    /// How far after a multiple of the interval the check is due; less than the interval.
    pub fn phase(&self) -> Duration {
        Duration::from_millis(self.phase_ms)
    }

    /// The first due time strictly after `now`; at the end of time itself, `now`.
    pub fn next_after(&self, now: Timestamp) -> Timestamp {
        let position_ms = now.0 % self.every_ms;
        let wait_ms = if position_ms < self.phase_ms { self.phase_ms - position_ms } else { self.every_ms - (position_ms - self.phase_ms) };
        Timestamp(now.0.saturating_add(wait_ms))
    }
}

/// The stable hash of a name: FNV-1a with 64 bits, as in section 2 of the Internet-Draft "The FNV Non-Cryptographic Hash Algorithm" (draft-eastlake-fnv).
/// Chosen because it is the same on every machine and in every version; it need not resist an attacker.
pub fn fnv1a_64(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hash_gives_the_published_values() {
        assert_eq!(fnv1a_64(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a_64(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a_64(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_phase_is_the_same_in_every_version() {
        let every = Duration::from_secs(10);
        assert_eq!(Schedule::every("api", every).phase(), Duration::from_millis(7879));
        assert_eq!(Schedule::every("orders-db", every).phase(), Duration::from_millis(6661));
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
        assert_eq!(schedule.interval(), Duration::from_millis(1));
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
                let schedule = Schedule::every(&format!("check-{number}"), Duration::from_millis(every_ms));
                buckets[(schedule.phase_ms * 100 / every_ms) as usize] += 1;
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
    }
}
