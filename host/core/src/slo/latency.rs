//! How long things took, counted in buckets that grow: percentiles of any number of results in bounded space.
//!
//! A bucket ends at 2^(1/16) times its begin, so a percentile is off by at most 4.5 % of itself, as long as no bucket is missing.
//!
//! Limits: [`BUCKETS_MAX`] different buckets a check and day: what falls into another one counts in the nearest; values below 61 us and above
//! a million count as these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

const BUCKETS_PER_DOUBLING: f64 = 16.0;
/// Eight doublings, 1 KiB.
const BUCKETS_MAX: usize = 128;
/// 2^-14.
const INDEX_MIN: i16 = -224;
/// 2^20.
const INDEX_MAX: i16 = 320;
/// Of the buckets that were kept once, each went over so many of those of now.
const PER_COARSE: i16 = 4;

/// What one check measured in one day: buckets by their index, in order, each with its count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Histogram(Vec<(i16, u32)>);

impl Histogram {
    pub(super) fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.count(index_of(value), 1);
        }
    }

    /// What was kept, within the bounds that are kept to now.
    pub(super) fn restored(kept: &Histogram) -> Histogram {
        let mut histogram = Histogram::default();
        for (index, count) in &kept.0 {
            histogram.count((*index).clamp(INDEX_MIN, INDEX_MAX), *count);
        }
        histogram
    }

    /// What was kept in coarse buckets, shared out evenly over those that each of them went over.
    pub(super) fn of_coarse(kept: &Histogram) -> Histogram {
        let mut histogram = Histogram::default();
        for (coarse, count) in &kept.0 {
            for part in 0..PER_COARSE {
                let index = coarse.saturating_mul(PER_COARSE).saturating_add(part).clamp(INDEX_MIN, INDEX_MAX);
                // It is 0 to 3.
                let rest = u32::from(part.unsigned_abs());
                let share = count.saturating_add(3 - rest) / 4;
                if share > 0 {
                    histogram.count(index, share);
                }
            }
        }
        histogram
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn count(&mut self, index: i16, count: u32) {
        let place = match self.0.binary_search_by_key(&index, |(index, _)| *index) {
            Ok(place) => place,
            Err(place) if self.0.len() < BUCKETS_MAX => {
                self.0.insert(place, (index, 0));
                place
            }
            Err(place) => self.nearest(place, index),
        };
        if let Some((_, counted)) = self.0.get_mut(place) {
            *counted = counted.saturating_add(count);
        }
    }

    /// Of the two buckets beside `place`, where `index` would stand.
    fn nearest(&self, place: usize, index: i16) -> usize {
        let distance = |place: usize| self.0.get(place).map_or(u16::MAX, |(other, _)| other.abs_diff(index));
        let before = place.saturating_sub(1);
        if distance(before) <= distance(place) { before } else { place }
    }
}

/// What several checks measured over several days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(BTreeMap<i16, u64>);

impl Latencies {
    pub(super) fn note(&mut self, histogram: &Histogram) {
        for (index, count) in &histogram.0 {
            *self.0.entry(*index).or_default() += u64::from(*count);
        }
    }

    pub(super) fn include(&mut self, other: &Latencies) {
        for (index, count) in &other.0 {
            *self.0.entry(*index).or_default() += count;
        }
    }

    pub fn len(&self) -> u64 {
        self.0.values().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that `share` of all (0 to 1) are not above; none where nothing was measured.
    pub fn percentile(&self, share: f64) -> Option<f64> {
        let rank = share * self.len() as f64;
        let mut before = 0.0;
        for (index, count) in &self.0 {
            let count = *count as f64;
            if before + count >= rank {
                let within = if count > 0.0 { (rank - before) / count } else { 0.0 };
                return Some(((f64::from(*index) + within) / BUCKETS_PER_DOUBLING).exp2());
            }
            before += count;
        }
        None
    }
}

fn index_of(value: f64) -> i16 {
    if value <= 0.0 {
        return INDEX_MIN;
    }
    // Clamped before, so it fits.
    (value.log2() * BUCKETS_PER_DOUBLING).floor().clamp(f64::from(INDEX_MIN), f64::from(INDEX_MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(values: impl IntoIterator<Item = f64>) -> Latencies {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        let mut latencies = Latencies::default();
        latencies.note(&histogram);
        latencies
    }

    #[test]
    fn a_percentile_is_off_by_less_than_a_twentieth() {
        let hundred = latencies((1..=100).map(|number| f64::from(number) / 100.0));
        for (share, wanted) in [(0.5, 0.5), (0.95, 0.95), (0.99, 0.99), (1.0, 1.0)] {
            let found = hundred.percentile(share).expect("there are values");
            assert!((found / wanted - 1.0).abs() < 0.045, "{share}: {found} for {wanted}");
        }
        assert_eq!(hundred.len(), 100);
    }

    #[test]
    fn of_nothing_there_is_no_percentile() {
        let none = latencies([f64::NAN, f64::INFINITY]);
        assert!(none.is_empty());
        assert_eq!(none.percentile(0.5), None);
    }

    #[test]
    fn the_buckets_are_bounded_whatever_is_measured() {
        let mut histogram = Histogram::default();
        for step in -1_000..1_000 {
            histogram.add((f64::from(step) / 16.0).exp2());
            histogram.add(-1.0);
        }
        assert_eq!(histogram.0.len(), BUCKETS_MAX);
        assert!(histogram.0.is_sorted_by(|(one, _), (other, _)| one < other), "{histogram:?}");
        assert_eq!(histogram.0.iter().map(|(_, count)| *count).sum::<u32>(), 4_000, "none is lost");
        assert_eq!(Histogram::restored(&histogram), histogram);
        let wild = Histogram((-1_000..1_000).map(|index| (index, 1)).collect());
        assert!(Histogram::restored(&wild).0.len() <= BUCKETS_MAX);
    }

    #[test]
    fn what_falls_beside_all_buckets_counts_in_the_nearest() {
        let mut histogram = Histogram((0..BUCKETS_MAX as i16).map(|index| (index * 2, 1)).collect());
        // 2^(-10/16) lies below all of them, 2^(301.5/16) above.
        histogram.add((-10.0_f64 / 16.0).exp2() * 1.01);
        histogram.add((301.5_f64 / 16.0).exp2());
        assert_eq!((histogram.0[0], histogram.0[BUCKETS_MAX - 1]), ((0, 2), (254, 2)));
    }

    #[test]
    fn what_was_kept_in_coarse_buckets_is_shared_out_and_none_is_lost() {
        let histogram = Histogram::of_coarse(&Histogram(vec![(-14, 6), (3, 1)]));
        assert_eq!(histogram.0, [(-56, 2), (-55, 2), (-54, 1), (-53, 1), (12, 1)]);
        let many = Histogram((0..32).map(|index| (index, 9)).collect());
        assert_eq!(Histogram::of_coarse(&many).0.iter().map(|(_, count)| *count).sum::<u32>(), 288);
    }
}
