//! The clocks and the random numbers that WASI gives to a guest: kept while a run is recorded, given again while it is replayed.
//!
//! A recorded run gets the host's own; each reading is noted. A replayed one gets the noted readings in their order. Where there are none (a
//! fixture), or no more, its clocks go on with its calls and its waits (`wait`): they stand where the last one ended; its random numbers are
//! always the same. Who reads them again and again waits too: behind [`STILL_READINGS_MAX`] readings each moves them on by [`BUSY_STEP_NS`].
//!
//! Limits: [`CLOCK_READINGS_MAX`](super::CLOCK_READINGS_MAX) of each clock, [`RANDOM_BYTES_MAX`](super::RANDOM_BYTES_MAX). What comes behind
//! them is given and not noted.

use std::collections::BTreeSet;
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
/// Readings between two calls or waits at which a virtual clock stands still. Go's runtime reads it dozens of times.
const STILL_READINGS_MAX: u32 = 1_000;
/// What each further one takes: a loop that waits for a minute ends in a moment.
const BUSY_STEP_NS: u64 = 1_000_000;

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

    /// What does not fit is cut, so that nothing smaller takes its place behind it.
    fn random(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(RANDOM_BYTES_MAX.saturating_sub(self.random.len()));
        self.random.extend_from_slice(&bytes[..fits]);
        self.is_full |= fits < bytes.len();
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
    /// Whether a run was noted: then it is known when something was given that was not.
    is_noted: bool,
    is_beyond_noted: bool,
    began_at_ns: u64,
    /// How far the run is, by its calls and waits.
    elapsed_ns: u64,
    /// When it would have been ended.
    deadline_ns: u64,
    /// It waited for longer.
    is_over: bool,
    /// Readings since the clocks last went on.
    still_readings: u32,
    /// What the monotonic clock said last: it never goes back.
    monotonic_last_ns: u64,
    /// What is waited for at the moment, and by whom.
    waiting: BTreeSet<(u64, u64)>,
    waits: u64,
    /// Random numbers that come behind the noted ones.
    made_up: u64,
}

impl Given {
    /// For a run that may take `time_max`. A text that is not hexadecimal is as good as none.
    pub(super) fn new(readings: Option<&Readings>, began_at_ms: u64, time_max: Duration) -> Given {
        let is_noted = readings.is_some();
        let readings = readings.cloned().unwrap_or_default();
        Given(Arc::new(Mutex::new(Gifts {
            wall_ns: readings.wall_ns.into_iter(),
            monotonic_ns: readings.monotonic_ns.into_iter(),
            random: unhex(&readings.random).unwrap_or_default().into_iter(),
            seed: u128::from_str_radix(&readings.seed, 16).unwrap_or_default(),
            is_noted,
            is_beyond_noted: false,
            began_at_ns: began_at_ms.saturating_mul(1_000_000),
            elapsed_ns: 0,
            deadline_ns: nanoseconds(time_max),
            is_over: false,
            still_readings: 0,
            monotonic_last_ns: 0,
            waiting: BTreeSet::new(),
            waits: 0,
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

    /// How far the run is, by its calls and waits.
    pub(super) fn elapsed_us(&self) -> u64 {
        locked(&self.0).elapsed_ns / 1_000
    }

    /// A call was answered that began at `at_us`, where that is known, and took so long.
    pub(super) fn go_on(&self, at_us: u64, took_us: u64) {
        let mut gifts = locked(&self.0);
        let ended_us = (gifts.elapsed_ns / 1_000).max(at_us).saturating_add(took_us);
        gifts.pass_to(ended_us.saturating_mul(1_000));
    }

    /// It waited for longer than it may take.
    pub(super) fn is_over(&self) -> bool {
        locked(&self.0).is_over
    }

    /// It was given something that the recorded run was not, or of which nothing was kept.
    pub(super) fn is_beyond_noted(&self) -> bool {
        locked(&self.0).is_beyond_noted
    }

    /// When a wait of so long ends that begins now.
    pub(super) fn after(&self, duration_ns: u64) -> u64 {
        locked(&self.0).elapsed_ns.saturating_add(duration_ns)
    }

    /// Somebody waits until then: which one it is, until it leaves.
    pub(super) fn enter(&self, until_ns: u64) -> u64 {
        let mut gifts = locked(&self.0);
        // Who only asks whether a wait is over reads the clock with it.
        gifts.read();
        gifts.waits += 1;
        let number = gifts.waits;
        gifts.waiting.insert((until_ns, number));
        number
    }

    pub(super) fn leave(&self, until_ns: u64, number: u64) {
        locked(&self.0).waiting.remove(&(until_ns, number));
    }

    pub(super) fn is_past(&self, until_ns: u64) -> bool {
        locked(&self.0).elapsed_ns >= until_ns
    }

    /// Whether that time has come. Where nobody waits for an earlier one, it comes now.
    pub(super) fn has_come(&self, until_ns: u64, number: u64) -> bool {
        let mut gifts = locked(&self.0);
        if gifts.waiting.first() == Some(&(until_ns, number)) {
            gifts.pass_to(until_ns);
            gifts.is_over |= until_ns > gifts.deadline_ns;
        }
        gifts.elapsed_ns >= until_ns
    }
}

impl Gifts {
    /// The clocks go on; never back.
    fn pass_to(&mut self, elapsed_ns: u64) {
        self.elapsed_ns = self.elapsed_ns.max(elapsed_ns);
        self.still_readings = 0;
    }

    /// A clock is read that is not noted.
    fn read(&mut self) {
        self.still_readings = self.still_readings.saturating_add(1);
        if self.still_readings > STILL_READINGS_MAX {
            self.elapsed_ns = self.elapsed_ns.saturating_add(BUSY_STEP_NS);
            self.is_over |= self.elapsed_ns > self.deadline_ns;
        }
    }

    /// The next of those that were noted, else what is so far by the run's calls and waits.
    fn clock(&mut self, noted: Option<u64>, begin_ns: u64) -> u64 {
        noted.unwrap_or_else(|| {
            self.is_beyond_noted |= self.is_noted;
            self.read();
            begin_ns.saturating_add(self.elapsed_ns)
        })
    }

    fn byte(&mut self) -> u8 {
        match self.random.next() {
            Some(byte) => byte,
            None => {
                self.is_beyond_noted |= self.is_noted;
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
        let (noted, begin_ns) = (gifts.wall_ns.next(), gifts.began_at_ns);
        Duration::from_nanos(gifts.clock(noted, begin_ns))
    }
}

impl HostMonotonicClock for Given {
    fn resolution(&self) -> u64 {
        RESOLUTION_NS
    }

    fn now(&self) -> u64 {
        let mut gifts = locked(&self.0);
        let noted = gifts.monotonic_ns.next();
        let now = gifts.clock(noted, BEGIN_NS).max(gifts.monotonic_last_ns);
        gifts.monotonic_last_ns = now;
        now
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

    const TIME_MAX: Duration = Duration::from_secs(10);

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
        let mut given = Given::new(Some(&readings), 0, TIME_MAX);
        let again = |given: &Given| (HostWallClock::now(given), HostMonotonicClock::now(given));
        let (first, second) = (again(&given), again(&given));
        assert_eq!((first.0, first.1, second.0, second.1), times);
        assert_eq!((given.next_u32(), given.next_u64(), given.next_u32()), numbers);
        let mut bytes_again = [0; 3];
        given.fill_bytes(&mut bytes_again);
        assert_eq!(bytes_again, bytes);
        assert!(!given.is_beyond_noted());
        let last = HostMonotonicClock::now(&given);
        assert!(last >= times.3 && given.is_beyond_noted(), "it goes on where nothing more was noted, and never back");
    }

    #[test]
    fn clocks_without_readings_go_on_with_the_calls() {
        let given = Given::new(None, 1_700_000_000_000, TIME_MAX);
        let times = || (HostWallClock::now(&given), HostMonotonicClock::now(&given));
        assert_eq!(times(), (Duration::from_millis(1_700_000_000_000), BEGIN_NS));
        assert_eq!(times(), times(), "nothing was called meanwhile");
        given.go_on(0, 250_000);
        assert_eq!(times(), (Duration::from_millis(1_700_000_000_250), BEGIN_NS + 250_000_000));
        given.go_on(1_000_000, 5);
        assert_eq!(given.elapsed_us(), 1_000_005);
        assert!(!given.is_beyond_noted(), "nothing was noted");
    }

    #[test]
    fn who_reads_a_clock_again_and_again_sees_it_go_on_the_same_each_time() {
        let turns = || {
            let given = Given::new(None, 0, TIME_MAX);
            let (began, mut turns) = (HostMonotonicClock::now(&given), 1_u32);
            // A minute.
            while HostMonotonicClock::now(&given) - began < 60_000_000_000 {
                turns += 1;
                assert!(turns < 1_000_000, "it stands still");
            }
            (turns, given.is_over())
        };
        let (first, is_over) = turns();
        assert!(first > STILL_READINGS_MAX && is_over, "{first}");
        assert_eq!(turns(), (first, is_over));
    }

    #[test]
    fn random_numbers_without_readings_are_the_same_each_time_and_not_all_one() {
        let numbers = || {
            let mut given = Given::new(None, 0, TIME_MAX);
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
        let noted = Noted::default();
        let mut random = NotedRandom { random: wasmtime_wasi::thread_rng(), noted: noted.clone() };
        random.fill_bytes(&mut vec![0_u8; RANDOM_BYTES_MAX - 1]);
        random.next_u64();
        let (readings, why_not_all) = noted.readings();
        assert!(readings.random.len() == 2 * RANDOM_BYTES_MAX && why_not_all.is_some());
    }
}
