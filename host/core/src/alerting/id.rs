//! Ids that tell when they were made: ULIDs, 26 characters that sort by time.
//!
//! Invariant: no id comes from a global. [`Chance`] is seeded from outside, so that a simulation makes the same ids again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::{ULID_LEN, Ulid};

use crate::Timestamp;

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 26 letters and digits, without I, L, O and U")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            pub(super) fn next(chance: &mut Chance, now: Timestamp) -> $name {
                $name(Ulid::from_parts(now.0, chance.random.u128(..)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut buffer = [0; ULID_LEN];
                formatter.pad(self.0.array_to_str(&mut buffer))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, formatter)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<$name, IdError> {
                Ulid::from_string(text).map($name).map_err(|_| IdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}

id! {
    /// One firing episode of one alert.
    IncidentId
}

id! {
    /// One notification on its way to one sink. It is the idempotency key too.
    DeliveryId
}

id! {
    SilenceId
}

/// Where ids and jitter come from.
#[derive(Clone, Debug)]
pub struct Chance {
    random: fastrand::Rng,
}

impl Chance {
    pub fn seeded(seed: u64) -> Chance {
        Chance { random: fastrand::Rng::with_seed(seed) }
    }

    /// At least half of `duration` and at most all of it, so that what failed together is not tried again together.
    pub(super) fn jittered(&mut self, duration: Duration) -> Duration {
        let most = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.random.u64(most / 2..=most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_their_text() {
        let mut chance = Chance::seeded(7);
        let ids: Vec<IncidentId> = (1..100).map(|second| IncidentId::next(&mut chance, Timestamp(second * 1000))).collect();
        assert!(ids.is_sorted());
        for id in ids {
            assert_eq!(id.to_string().len(), ULID_LEN);
            assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).expect("an id is a text");
            assert_eq!(json, format!("\"{id}\""));
            assert_eq!(serde_json::from_str::<IncidentId>(&json).expect("the same text"), id);
        }
        assert_eq!("no id".parse::<SilenceId>(), Err(IdError));
    }

    #[test]
    fn the_same_seed_makes_the_same_ids() {
        let made = |seed| DeliveryId::next(&mut Chance::seeded(seed), Timestamp(5));
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
    }

    #[test]
    fn jitter_takes_at_most_half_away() {
        let mut chance = Chance::seeded(1);
        for _ in 0..1000 {
            let jittered = chance.jittered(Duration::from_secs(10));
            assert!((Duration::from_secs(5)..=Duration::from_secs(10)).contains(&jittered), "{jittered:?}");
        }
        assert_eq!(chance.jittered(Duration::ZERO), Duration::ZERO);
    }
}
