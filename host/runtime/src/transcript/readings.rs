//! The clocks and the random numbers that WASI gives to a guest: kept while a run is recorded, given again while it is replayed.
//!
//! A recorded run gets the host's own; each reading is noted. A replayed one gets the noted readings in their order. Where there are none (a
//! fixture), or no more, its clocks go on with its calls: they stand where the last call ended; its random numbers are always the same.
//!
//! Limits: [`CLOCK_READINGS_MAX`](super::CLOCK_READINGS_MAX) of each clock, [`RANDOM_BYTES_MAX`](super::RANDOM_BYTES_MAX). What comes behind
//! them is given and not noted.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand_core::{Rng, TryRng};
use serde::{Deserialize, Serialize};
use wasmtime_wasi::clocks::{MonotonicClock, WallClock};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use super::to_json::{hex, unhex};
use super::{CLOCK_READINGS_MAX, RANDOM_BYTES_MAX};

/// What the virtual monotonic clock says when a run begins.
const BEGIN_NS: u64 = 1_000_000_000;
const RESOLUTION_NS: u64 = 1_000;

/// What a guest was given, each in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Readings {
    /// Nanoseconds since 1970.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wall_ns: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub monotonic_ns: Vec<u64>,
    /// In hexadecimal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub random: String,
    /// Of `wasi:random/insecure-seed`, in hexadecimal.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub seed: String,
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What has been given so far; clones share it.
#[derive(Clone, Default)]
pub(super) struct Noted(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    wall_ns: Vec<u64>,
    monotonic_ns: Vec<u64>,
    random: Vec<u8>,
    seed: Option<u128>,
    /// A bound was reached.
    is_full: bool,
}

impl Notes {
    fn clock(&mut self, pick: impl FnOnce(&mut Notes) -> &mut Vec<u64>, now: u64) {
        let noted = pick(self);
        if noted.len() < CLOCK_READINGS_MAX {
            noted.push(now);
        } else {
            self.is_full = true;
        }
    }

    fn random(&mut self, bytes: &[u8]) {
        if self.random.len() + bytes.len() <= RANDOM_BYTES_MAX {
            self.random.extend_from_slice(bytes);
        } else {
            self.is_full = true;
        }
    }
}

/// The wall clock, as recorded runs are given it.
pub(super) fn wall_clock_ms() -> u64 {
    nanoseconds(WallClock.now()) / 1_000_000
}

impl Noted {
    /// The host's own clocks and random numbers, noted.
    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        let mut random = wasmtime_wasi::thread_rng();
        let seed = (u128::from(random.next_u64()) << 64) | u128::from(random.next_u64());
        locked(&self.0).seed = Some(seed);
        wasi.wall_clock(NotedWallClock { clock: WallClock, noted: self.clone() })
            .monotonic_clock(NotedMonotonicClock { clock: MonotonicClock::new(), noted: self.clone() })
            .secure_random(NotedRandom { random, noted: self.clone() })
            .insecure_random(NotedRandom { random: wasmtime_wasi::thread_rng(), noted: self.clone() })
            .insecure_random_seed(seed);
    }

    /// With why they do not hold all, where they do not.
    pub(super) fn readings(&self) -> (Readings, Option<&'static str>) {
        let notes = locked(&self.0);
        let readings = Readings {
            wall_ns: notes.wall_ns.clone(),
            monotonic_ns: notes.monotonic_ns.clone(),
            random: hex(&notes.random),
            seed: notes.seed.map(|seed| format!("{seed:032x}")).unwrap_or_default(),
        };
        (readings, notes.is_full.then_some("the run read the clock, or random numbers, more often than a transcript holds"))
    }
}

struct NotedWallClock {
    clock: WallClock,
    noted: Noted,
}

impl HostWallClock for NotedWallClock {
    fn resolution(&self) -> Duration {
        self.clock.resolution()
    }

    fn now(&self) -> Duration {
        let now = self.clock.now();
        locked(&self.noted.0).clock(|notes| &mut notes.wall_ns, nanoseconds(now));
        now
    }
}

struct NotedMonotonicClock {
    clock: MonotonicClock,
    noted: Noted,
}

impl HostMonotonicClock for NotedMonotonicClock {
    fn resolution(&self) -> u64 {
        self.clock.resolution()
    }

    fn now(&self) -> u64 {
        let now = self.clock.now();
        locked(&self.noted.0).clock(|notes| &mut notes.monotonic_ns, now);
        now
    }
}

struct NotedRandom {
    random: Box<dyn Rng + Send>,
    noted: Noted,
}

impl TryRng for NotedRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let number = self.random.next_u32();
        locked(&self.noted.0).random(&number.to_le_bytes());
        Ok(number)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let number = self.random.next_u64();
        locked(&self.noted.0).random(&number.to_le_bytes());
        Ok(number)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.random.fill_bytes(bytes);
        locked(&self.noted.0).random(bytes);
        Ok(())
    }
}

/// What is given again; clones share it.
#[derive(Clone)]
pub(super) struct Given(Arc<Mutex<Gifts>>);

struct Gifts {
    wall_ns: std::vec::IntoIter<u64>,
    monotonic_ns: std::vec::IntoIter<u64>,
    random: std::vec::IntoIter<u8>,
    seed: u128,
    began_at_ns: u64,
    /// How far the run is, by its calls.
    elapsed_us: u64,
    /// Random numbers that come behind the noted ones.
    made_up: u64,
}

impl Given {
    /// A text that is not hexadecimal is as good as none.
    pub(super) fn new(readings: Option<&Readings>, began_at_ms: u64) -> Given {
        let readings = readings.cloned().unwrap_or_default();
        Given(Arc::new(Mutex::new(Gifts {
            wall_ns: readings.wall_ns.into_iter(),
            monotonic_ns: readings.monotonic_ns.into_iter(),
            random: unhex(&readings.random).unwrap_or_default().into_iter(),
            seed: u128::from_str_radix(&readings.seed, 16).unwrap_or_default(),
            began_at_ns: began_at_ms.saturating_mul(1_000_000),
            elapsed_us: 0,
            made_up: 0,
        })))
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        let seed = locked(&self.0).seed;
        wasi.wall_clock(self.clone())
            .monotonic_clock(self.clone())
            .secure_random(self.clone())
            .insecure_random(self.clone())
            .insecure_random_seed(seed);
    }

    /// How far the run is, by its calls.
    pub(super) fn elapsed_us(&self) -> u64 {
        locked(&self.0).elapsed_us
    }

    /// A call was answered that began at `at_us`, where that is known, and took so long.
    pub(super) fn go_on(&self, at_us: u64, took_us: u64) {
        let mut gifts = locked(&self.0);
        gifts.elapsed_us = gifts.elapsed_us.max(at_us).saturating_add(took_us);
    }
}

impl Gifts {
    fn elapsed_ns(&self) -> u64 {
        self.elapsed_us.saturating_mul(1_000)
    }

    fn byte(&mut self) -> u8 {
        match self.random.next() {
            Some(byte) => byte,
            None => {
                // The steps of splitmix64: any sequence would do that is the same each time.
                self.made_up = self.made_up.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (self.made_up ^ (self.made_up >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (mixed >> 56) as u8
            }
        }
    }
}

impl HostWallClock for Given {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(RESOLUTION_NS)
    }

    fn now(&self) -> Duration {
        let mut gifts = locked(&self.0);
        let virtual_ns = gifts.began_at_ns.saturating_add(gifts.elapsed_ns());
        Duration::from_nanos(gifts.wall_ns.next().unwrap_or(virtual_ns))
    }
}

impl HostMonotonicClock for Given {
    fn resolution(&self) -> u64 {
        RESOLUTION_NS
    }

    fn now(&self) -> u64 {
        let mut gifts = locked(&self.0);
        let virtual_ns = BEGIN_NS.saturating_add(gifts.elapsed_ns());
        gifts.monotonic_ns.next().unwrap_or(virtual_ns)
    }
}

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        let mut gifts = locked(&self.0);
        bytes.fill_with(|| gifts.byte());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_once_is_given_again() {
        let noted = Noted::default();
        let wall = NotedWallClock { clock: WallClock, noted: noted.clone() };
        let monotonic = NotedMonotonicClock { clock: MonotonicClock::new(), noted: noted.clone() };
        let mut random = NotedRandom { random: wasmtime_wasi::thread_rng(), noted: noted.clone() };
        let times = (wall.now(), monotonic.now(), wall.now(), monotonic.now());
        let mut bytes = [0; 3];
        let numbers = (random.next_u32(), random.next_u64(), random.next_u32());
        random.fill_bytes(&mut bytes);

        let (readings, why_not_all) = noted.readings();
        assert_eq!((readings.wall_ns.len(), readings.monotonic_ns.len(), readings.random.len(), why_not_all), (2, 2, 2 * 19, None));
        let mut given = Given::new(Some(&readings), 0);
        let again = |given: &Given| (HostWallClock::now(given), HostMonotonicClock::now(given));
        let (first, second) = (again(&given), again(&given));
        assert_eq!((first.0, first.1, second.0, second.1), times);
        assert_eq!((given.next_u32(), given.next_u64(), given.next_u32()), numbers);
        let mut bytes_again = [0; 3];
        given.fill_bytes(&mut bytes_again);
        assert_eq!(bytes_again, bytes);
    }

    #[test]
    fn clocks_without_readings_go_on_with_the_calls() {
        let given = Given::new(None, 1_700_000_000_000);
        let times = || (HostWallClock::now(&given), HostMonotonicClock::now(&given));
        assert_eq!(times(), (Duration::from_millis(1_700_000_000_000), BEGIN_NS));
        assert_eq!(times(), times(), "nothing was called meanwhile");
        given.go_on(0, 250_000);
        assert_eq!(times(), (Duration::from_millis(1_700_000_000_250), BEGIN_NS + 250_000_000));
        given.go_on(1_000_000, 5);
        assert_eq!(given.elapsed_us(), 1_000_005);
    }

    #[test]
    fn random_numbers_without_readings_are_the_same_each_time_and_not_all_one() {
        let numbers = || {
            let mut given = Given::new(None, 0);
            [given.next_u64(), given.next_u64(), given.next_u64()]
        };
        let [one, two, three] = numbers();
        assert_eq!(numbers(), [one, two, three]);
        assert!(one != two && two != three && one != 0);
    }

    #[test]
    fn readings_are_bounded_and_say_so() {
        let noted = Noted::default();
        let wall = NotedWallClock { clock: WallClock, noted: noted.clone() };
        for _ in 0..=CLOCK_READINGS_MAX {
            wall.now();
        }
        let (readings, why_not_all) = noted.readings();
        assert!(readings.wall_ns.len() == CLOCK_READINGS_MAX && why_not_all.is_some());
    }
}
