//! The counts of one objective: five-minute buckets for burn rates, hourly ones for its window, daily ones for each of its checks.
//!
//! Days are kept in a ring, each with its buckets, so what is kept of a day is one document ([`StoredDay`]).
//!
//! Limits: [`DAYS_MAX`] days. A day has 288 bytes of hours and, in the last three days and the one before, 3.5 KB of five-minute buckets: 40 KB
//! in all for 90 days. Each check adds about 100 bytes a day, and at most 1 KiB for what it measured. Counts of a bucket end at 2^32 - 1.
//! Invariant: a sum is of whole buckets, from the one in which its window begins to the one of now: it reaches back by at most one bucket
//! more than its window, and never less.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::latency::{Histogram, Latencies};
use super::{BurnWindow, Outcome};
use crate::Timestamp;

const FIVE_MS: u64 = 300_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;
const FIVES_PER_DAY: usize = 288;
const HOURS_PER_DAY: usize = 24;
/// Those of the longest window, the one in which it begins, and two for a clock that was ahead.
pub const DAYS_MAX: usize = 93;

/// When a day begins; days are numbered from 1970.
pub fn begin_of(day: u64) -> Timestamp {
    Timestamp(day.saturating_mul(DAY_MS))
}

/// Results by how they count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub good: u64,
    pub bad: u64,
    /// Those that nobody could judge.
    pub uncovered: u64,
}

impl Counts {
    /// Those that could be judged.
    pub fn covered(&self) -> u64 {
        self.good + self.bad
    }

    /// The share that is bad of those that could be judged; none where there are none.
    pub fn bad_share(&self) -> Option<f64> {
        (self.covered() > 0).then(|| self.bad as f64 / self.covered() as f64)
    }

    /// The share that is good of those that could be judged; none where there are none.
    pub fn good_share(&self) -> Option<f64> {
        (self.covered() > 0).then(|| self.good as f64 / self.covered() as f64)
    }

    /// The share of all results that nobody could judge; 0 where there are none.
    pub fn uncovered_share(&self) -> f64 {
        let all = self.covered() + self.uncovered;
        if all == 0 { 0.0 } else { self.uncovered as f64 / all as f64 }
    }

    fn note(&mut self, bucket: &Bucket) {
        self.good += u64::from(bucket.good);
        self.bad += u64::from(bucket.bad);
        self.uncovered += u64::from(bucket.uncovered);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bucket {
    good: u32,
    bad: u32,
    uncovered: u32,
}

impl Bucket {
    fn note(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Good => &mut self.good,
            Outcome::Bad => &mut self.bad,
            Outcome::Uncovered => &mut self.uncovered,
        };
        *count = count.saturating_add(1);
    }

    fn is_empty(&self) -> bool {
        *self == Bucket::default()
    }

    fn stored(&self) -> (u32, u32, u32) {
        (self.good, self.bad, self.uncovered)
    }

    fn restored((good, bad, uncovered): (u32, u32, u32)) -> Bucket {
        Bucket { good, bad, uncovered }
    }
}

/// What is known of a check, or of several, over a window in whole days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub counts: Counts,
    pub latencies: Latencies,
}

impl Tally {
    /// Takes what is known of another check.
    pub fn include(&mut self, other: &Tally) {
        self.counts.good += other.counts.good;
        self.counts.bad += other.counts.bad;
        self.counts.uncovered += other.counts.uncovered;
        self.latencies.include(&other.latencies);
    }
}

#[derive(Clone, Debug, Default)]
struct Day {
    hours: [Bucket; HOURS_PER_DAY],
    /// None where no burn rate reaches back to this day.
    fives: Option<Box<[Bucket; FIVES_PER_DAY]>>,
    checks: BTreeMap<Arc<str>, OfCheck>,
}

/// What one check did in one day.
#[derive(Clone, Debug, Default)]
struct OfCheck {
    bucket: Bucket,
    histogram: Histogram,
}

impl Day {
    fn hours(&self) -> &[Bucket] {
        &self.hours
    }

    fn fives(&self) -> &[Bucket] {
        self.fives.as_ref().map_or(&[][..], |fives| &fives[..])
    }

    fn stored(&self) -> StoredDay {
        let filled = |buckets: &[Bucket]| {
            // There are 288 at most.
            let numbered = (0_u16..).zip(buckets).filter(|(_, bucket)| !bucket.is_empty());
            numbered.map(|(index, bucket)| (index, bucket.good, bucket.bad, bucket.uncovered)).collect()
        };
        let of_check = |(name, check): (&Arc<str>, &OfCheck)| {
            (
                name.to_string(),
                StoredCheck { counts: check.bucket.stored(), latency: Histogram::default(), latencies: check.histogram.clone() },
            )
        };
        StoredDay { hours: filled(self.hours()), fives: filled(self.fives()), checks: self.checks.iter().map(of_check).collect() }
    }

    /// What does not fit is left out.
    fn restored(stored: StoredDay) -> Day {
        let mut day = Day::default();
        fill(&mut day.hours, &stored.hours);
        if !stored.fives.is_empty() {
            fill(&mut day.fives.insert(no_fives())[..], &stored.fives);
        }
        let of_check = |(name, check): (String, StoredCheck)| {
            let is_coarse = check.latencies.is_empty();
            let histogram = if is_coarse { Histogram::of_coarse(&check.latency) } else { Histogram::restored(&check.latencies) };
            (Arc::<str>::from(name), OfCheck { bucket: Bucket::restored(check.counts), histogram })
        };
        day.checks = stored.checks.into_iter().map(of_check).collect();
        day
    }
}

fn no_fives() -> Box<[Bucket; FIVES_PER_DAY]> {
    Box::new([Bucket::default(); FIVES_PER_DAY])
}

fn fill(buckets: &mut [Bucket], stored: &[(u16, u32, u32, u32)]) {
    for (index, good, bad, uncovered) in stored {
        if let Some(bucket) = buckets.get_mut(usize::from(*index)) {
            *bucket = Bucket::restored((*good, *bad, *uncovered));
        }
    }
}

/// A day as it is kept: buckets in which something was counted, by their place in the day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDay {
    #[serde(default)]
    hours: Vec<(u16, u32, u32, u32)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fives: Vec<(u16, u32, u32, u32)>,
    #[serde(default)]
    checks: BTreeMap<String, StoredCheck>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct StoredCheck {
    counts: (u32, u32, u32),
    /// In buckets of a quarter of a doubling, as they were kept once; not written any more.
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    latency: Histogram,
    #[serde(default, skip_serializing_if = "Histogram::is_empty")]
    latencies: Histogram,
}

/// The counts of one objective.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// By the number of the day.
    days: BTreeMap<u64, Day>,
    /// Those that are not kept yet as they are now.
    changed: BTreeSet<u64>,
}

impl Book {
    /// Counts one result of `check`.
    pub fn note(&mut self, at: Timestamp, check: &Arc<str>, outcome: Outcome, measured: Option<f64>) {
        let number = at.0 / DAY_MS;
        let in_day = at.0 % DAY_MS;
        let day = self.days.entry(number).or_default();
        // Within the day, so it fits and is there.
        day.hours[(in_day / HOUR_MS) as usize].note(outcome);
        day.fives.get_or_insert_with(no_fives)[(in_day / FIVE_MS) as usize].note(outcome);
        let of_check = day.checks.entry(Arc::clone(check)).or_default();
        of_check.bucket.note(outcome);
        if let Some(measured) = measured.filter(|_| outcome != Outcome::Uncovered) {
            of_check.histogram.add(measured);
        }
        self.changed.insert(number);
        while self.days.len() > DAYS_MAX {
            self.days.pop_first();
        }
    }

    /// What was counted over the last `window`, in five-minute buckets; at most three days back.
    pub fn recent(&self, window: BurnWindow, now: Timestamp) -> Counts {
        let mut counts = Counts::default();
        self.each(window.duration(), now, FIVE_MS, Day::fives, |_, bucket| counts.note(bucket));
        counts
    }

    /// What was counted over the last `window`, in hourly buckets, and when the first hour with a result in it began.
    pub fn whole(&self, window: Duration, now: Timestamp) -> (Counts, Option<Timestamp>) {
        let (mut counts, mut since) = (Counts::default(), None);
        self.each(window, now, HOUR_MS, Day::hours, |hour, bucket| {
            if since.is_none() && !bucket.is_empty() {
                since = Some(Timestamp(hour.saturating_mul(HOUR_MS)));
            }
            counts.note(bucket);
        });
        (counts, since)
    }

    /// What was counted and measured of one check over the last `window`, in whole days (UTC).
    pub fn tally(&self, check: &str, window: Duration, now: Timestamp) -> Tally {
        let mut tally = Tally::default();
        let days = self.days.range(now.minus(window).0 / DAY_MS..=now.0 / DAY_MS);
        for of_check in days.filter_map(|(_, day)| day.checks.get(check)) {
            tally.counts.note(&of_check.bucket);
            tally.latencies.note(&of_check.histogram);
        }
        tally
    }

    /// Lets go of the days that no sum over `window` reaches, and of the five-minute buckets that no burn rate does.
    pub fn forget(&mut self, window: Duration, now: Timestamp) {
        let recent = BurnWindow::LONGEST.duration();
        let first = now.minus(window.max(recent)).0 / DAY_MS;
        self.days = self.days.split_off(&first);
        for (number, day) in self.days.range_mut(..now.minus(recent).0 / DAY_MS) {
            if day.fives.take().is_some() {
                self.changed.insert(*number);
            }
        }
    }

    /// The days that changed since this was last asked, as they are to be kept.
    pub fn take_changed(&mut self) -> Vec<(u64, StoredDay)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|number| Some((number, self.days.get(&number)?.stored()))).collect()
    }

    /// All days are to be kept anew.
    pub fn touch(&mut self) {
        self.changed.extend(self.days.keys());
    }

    /// Puts a day back that was kept.
    pub fn restore(&mut self, day: u64, stored: StoredDay) {
        self.days.insert(day, Day::restored(stored));
    }

    /// Every bucket of `bucket_ms` from the one in which the last `window` began to the one of now, with its number since 1970.
    fn each<'a>(
        &'a self,
        window: Duration,
        now: Timestamp,
        bucket_ms: u64,
        buckets: impl Fn(&'a Day) -> &'a [Bucket],
        mut told: impl FnMut(u64, &Bucket),
    ) {
        let per_day = DAY_MS / bucket_ms;
        let (first, last) = (now.minus(window).0 / bucket_ms, now.0 / bucket_ms);
        for (number, day) in self.days.range(first / per_day..=last / per_day) {
            for (index, bucket) in (number * per_day..).zip(buckets(day)) {
                if (first..=last).contains(&index) {
                    told(index, bucket);
                }
            }
        }
    }
}
