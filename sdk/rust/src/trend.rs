//! What changed since an earlier run: numbers noted at one time, kept in `state` for the next.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, state};

/// A shorter time gives no rate worth judging.
const SECONDS_MIN: f64 = 0.5;

/// What was noted at one time. `of` tells what it is of: another source, or counters that were reset, begin anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark<T> {
    of: String,
    at_ms: u64,
    pub noted: T,
}

/// What was kept last under that key, where it is of the same thing.
pub fn earlier<T: DeserializeOwned>(key: &str, of: &str) -> Option<Mark<T>> {
    state::get_json::<Mark<T>>(key).filter(|mark| mark.of == of)
}

/// Keeps it for a later run.
pub fn keep<T: Serialize>(key: &str, of: &str, now_ms: u64, noted: T) -> Result<(), Error> {
    state::put_json(key, &Mark { of: of.to_owned(), at_ms: now_ms, noted })
}

/// The change per second since the last run's number, which this one replaces. None in the first run, too soon after the last, and after a
/// clock was set back.
pub fn per_second(key: &str, of: &str, value: f64, now_ms: u64) -> Result<Option<f64>, Error> {
    let earlier = earlier::<f64>(key, of);
    if earlier.as_ref().is_some_and(|mark| mark.is_too_young(now_ms)) {
        return Ok(None);
    }
    keep(key, of, now_ms, value)?;
    let seconds = earlier.as_ref().and_then(|mark| mark.seconds_until(now_ms));
    Ok(earlier.zip(seconds).map(|(mark, seconds)| (value - mark.noted) / seconds))
}

impl<T> Mark<T> {
    /// Since then; none where it is too short to judge, or the clock was set back.
    pub fn seconds_until(&self, now_ms: u64) -> Option<f64> {
        let seconds = now_ms.checked_sub(self.at_ms)? as f64 / 1000.0;
        Some(seconds).filter(|seconds| *seconds >= SECONDS_MIN)
    }

    /// Too little time has passed since then to judge: it is to be kept for a later run.
    pub fn is_too_young(&self, now_ms: u64) -> bool {
        now_ms >= self.at_ms && self.seconds_until(now_ms).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn a_mark_is_of_one_thing_and_old_enough() {
        let mut host = FakeHost::default();
        host.serve(|| keep("key", "main", 1_000, 7_u32)).expect("it fits");
        let mark = host.serve(|| earlier::<u32>("key", "main")).expect("it was kept");
        assert_eq!(mark.noted, 7);
        assert_eq!([3_000, 1_400, 900].map(|now_ms| mark.seconds_until(now_ms)), [Some(2.0), None, None]);
        assert_eq!([3_000, 1_400, 900].map(|now_ms| mark.is_too_young(now_ms)), [false, true, false]);
        assert_eq!(host.serve(|| earlier::<u32>("key", "other")), None);
        assert_eq!(host.serve(|| earlier::<String>("key", "main")), None);
    }

    #[test]
    fn a_rate_needs_two_numbers_of_the_same_thing() {
        let mut host = FakeHost::default();
        let mut read = |of: &str, value, now_ms| host.serve(|| per_second("depth", of, value, now_ms));
        assert_eq!(read("a", 10.0, 1_000), Ok(None));
        assert_eq!(read("a", 10.0, 1_100), Ok(None));
        assert_eq!(read("a", 30.0, 3_000), Ok(Some(10.0)));
        assert_eq!(read("a", 30.0, 2_000), Ok(None));
        assert_eq!(read("a", 50.0, 4_000), Ok(Some(10.0)));
        assert_eq!(read("b", 90.0, 9_000), Ok(None));
    }
}
