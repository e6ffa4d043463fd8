//! Times of the day that a clock leaves out, where it is put forward.

use std::time::Duration;

use chrono::{DateTime, Offset};

use super::Zone;
use crate::Timestamp;

const DAY: Duration = Duration::from_secs(86_400);
const DAY_SECONDS: i64 = 86_400;

/// What the clock of a zone does not show on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the clock is put forward.
    pub at: Timestamp,
    /// The first minute of the day that is left out.
    pub begin_minute: u32,
    /// The first minute that is shown again; beyond the day's last where that is on the next day.
    pub end_minute: u32,
}

impl Zone {
    /// What its clock leaves out within `span` from `now` on.
    pub fn gaps(self, now: Timestamp, span: Duration) -> Vec<Gap> {
        let end = now.plus(span);
        let days = std::iter::successors(Some(now), |day| Some(day.plus(DAY))).take_while(|day| *day < end);
        days.filter_map(|day| self.gap_between(day, day.plus(DAY))).collect()
    }

    /// The one gap between two moments that are a day apart.
    fn gap_between(self, begin: Timestamp, end: Timestamp) -> Option<Gap> {
        let (before, after) = (self.offset_seconds(begin)?, self.offset_seconds(end)?);
        if after <= before {
            return None;
        }
        // The clock is put forward behind `low` and not behind `high`.
        let (mut low, mut high) = (begin.0, end.0);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset_seconds(Timestamp(middle))? > before { high = middle } else { low = middle }
        }
        let shown = (i64::try_from(high / 1000).ok()? + before).rem_euclid(DAY_SECONDS);
        let minute = |second: i64| u32::try_from(second / 60).ok();
        Some(Gap { at: Timestamp(high), begin_minute: minute(shown)?, end_minute: minute(shown + after - before)? })
    }

    /// How far its clock is ahead of UTC.
    fn offset_seconds(self, at: Timestamp) -> Option<i64> {
        let at = i64::try_from(at.0).ok().and_then(DateTime::from_timestamp_millis)?;
        Some(i64::from(at.with_timezone(&self.0).offset().fix().local_minus_utc()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2027-01-01T00:00:00Z
    const NEW_YEAR: Timestamp = Timestamp(1_798_761_600_000);
    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn gaps(zone: &str, from: Timestamp) -> Vec<(u32, u32)> {
        let zone = Zone::named(zone).expect("a zone of the database");
        zone.gaps(from, YEAR).into_iter().map(|gap| (gap.begin_minute, gap.end_minute)).collect()
    }

    #[test]
    fn a_clock_that_is_put_forward_leaves_out_an_hour_once_a_year() {
        assert_eq!(gaps("Europe/Berlin", NEW_YEAR), [(120, 180)]);
        assert_eq!(gaps("America/New_York", NEW_YEAR), [(120, 180)]);
        assert_eq!(gaps("Australia/Lord_Howe", NEW_YEAR), [(120, 150)]);
    }

    #[test]
    fn the_moment_is_the_first_behind_the_gap() {
        let gap = Zone::named("Europe/Berlin").map(|zone| zone.gaps(NEW_YEAR, YEAR)).unwrap_or_default();
        let at: Vec<Timestamp> = gap.into_iter().map(|gap| gap.at).collect();
        assert_eq!(at, [Timestamp::from_rfc3339("2027-03-28T01:00:00Z").expect("a time")]);
    }

    #[test]
    fn it_is_found_whatever_the_time_of_day_from_which_it_is_looked_for() {
        for hour in 0..24 {
            assert_eq!(gaps("Europe/Berlin", NEW_YEAR.plus(Duration::from_secs(hour * 3600 + 1))), [(120, 180)], "{hour}");
        }
    }

    #[test]
    fn a_clock_that_is_never_put_forward_leaves_out_nothing() {
        assert!(gaps("UTC", NEW_YEAR).is_empty() && gaps("Asia/Tokyo", NEW_YEAR).is_empty());
    }
}
