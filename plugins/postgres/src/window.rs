//! What was counted up to an earlier run, kept in `state`: the difference to what is counted now is what happened in between.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sickbay_sdk::prelude::*;

/// A shorter time gives no rate worth judging.
const SECONDS_MIN: f64 = 0.5;

/// Counters at one time. `of` tells what they are of: another source, or statistics that were reset, begin anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Mark<T> {
    of: String,
    at_ms: u64,
    pub(crate) counters: T,
}

/// What was kept last, where it is of the same thing.
pub(crate) fn earlier<T: DeserializeOwned>(key: &str, of: &str) -> Option<Mark<T>> {
    state::get_json::<Mark<T>>(key).filter(|mark| mark.of == of)
}

/// Keeps the counters for a later run.
pub(crate) fn keep<T: Serialize>(key: &str, of: &str, now_ms: u64, counters: T) -> Result<(), Error> {
    state::put_json(key, &Mark { of: of.to_owned(), at_ms: now_ms, counters })
}

impl<T> Mark<T> {
    /// Since then; none where it is too short to judge, or the clock was set back.
    pub(crate) fn seconds_until(&self, now_ms: u64) -> Option<f64> {
        let seconds = now_ms.checked_sub(self.at_ms)? as f64 / 1000.0;
        Some(seconds).filter(|seconds| *seconds >= SECONDS_MIN)
    }

    /// Too little time has passed since then to judge: it is to be kept for a later run.
    pub(crate) fn is_too_young(&self, now_ms: u64) -> bool {
        now_ms >= self.at_ms && self.seconds_until(now_ms).is_none()
    }
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::FakeHost;

    use super::*;

    #[test]
    fn a_window_is_of_one_thing_and_long_enough() {
        let mut host = FakeHost::default();
        host.serve(|| keep("key", "main", 1_000, 7_u32)).expect("it fits");
        let mark = host.serve(|| earlier::<u32>("key", "main")).expect("it was kept");
        assert_eq!(mark.counters, 7);
        assert_eq!([3_000, 1_400, 900].map(|now_ms| mark.seconds_until(now_ms)), [Some(2.0), None, None]);
        assert_eq!([3_000, 1_400, 900].map(|now_ms| mark.is_too_young(now_ms)), [false, true, false]);
        assert_eq!(host.serve(|| earlier::<u32>("key", "other")), None);
        assert_eq!(host.serve(|| earlier::<String>("key", "main")), None);
    }
}
