//! Points in time as the contract counts them.

use std::time::Duration;

use chrono::DateTime;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Of a time in RFC 3339, with `Z` or an offset; none where it is not one, or lies before 1970.
    pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        u64::try_from(at.timestamp_millis()).ok().map(Timestamp)
    }

    /// Time from `earlier` to this; zero where `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    pub fn plus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis(duration)))
    }

    pub fn minus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_its_offset() {
        assert_eq!(Timestamp::from_rfc3339("1970-01-01T00:00:01.5Z"), Some(Timestamp(1_500)));
        assert_eq!(Timestamp::from_rfc3339("1970-01-01T02:00:00+02:00"), Some(Timestamp(0)));
        for wrong in ["1970-01-01T00:00:00", "1970-01-01", "1969-12-31T23:59:59Z", "tomorrow", ""] {
            assert_eq!(Timestamp::from_rfc3339(wrong), None, "{wrong}");
        }
    }
}
