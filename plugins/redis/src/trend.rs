//! How a number changed since the last run, kept in `state`.

use serde::Serialize;
use sickbay_sdk::prelude::*;

/// A shorter time between two readings gives no rate worth judging.
const INTERVAL_MS_MIN: u64 = 500;

/// One number at one time; `of` tells what it is of, so that another source or key begins anew.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Reading {
    of: String,
    at_ms: u64,
    value: f64,
}

/// The change per second since the last run's reading, which this one replaces. None in the first run, too soon after the last, and
/// after a clock was set back.
pub(crate) fn per_second(key: &str, of: &str, value: f64, now_ms: u64) -> Result<Option<f64>, Error> {
    let earlier = state::get_json::<Reading>(key).filter(|earlier| earlier.of == of);
    let elapsed_ms = earlier.as_ref().map(|earlier| now_ms.saturating_sub(earlier.at_ms));
    let is_behind = earlier.as_ref().is_some_and(|earlier| now_ms < earlier.at_ms);
    if !is_behind && elapsed_ms.is_some_and(|elapsed_ms| elapsed_ms < INTERVAL_MS_MIN) {
        return Ok(None);
    }
    state::put_json(key, &Reading { of: of.to_owned(), at_ms: now_ms, value })?;
    Ok(match (earlier, elapsed_ms) {
        (Some(earlier), Some(elapsed_ms)) if !is_behind => Some((value - earlier.value) * 1000.0 / elapsed_ms as f64),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use sickbay_sdk::testing::FakeHost;

    use super::*;

    #[test]
    fn a_rate_needs_two_readings_of_the_same_thing() {
        let mut host = FakeHost::default();
        let mut read = |of: &str, value, now_ms| host.serve(|| per_second("depth", of, value, now_ms));
        assert_eq!(read("a", 10.0, 1_000), Ok(None));
        assert_eq!(read("a", 10.0, 1_100), Ok(None));
        assert_eq!(read("a", 30.0, 3_000), Ok(Some(10.0)));
        assert_eq!(read("a", 30.0, 2_000), Ok(None));
        assert_eq!(read("b", 90.0, 9_000), Ok(None));
    }
}
