//! WASI's monotonic clock, as a guest waits on it: in a run that is lent something by the host's own time, in one on a transcript by none.
//!
//! How: where a tape plays, what a guest subscribes to is a [`Wait`] on its virtual clock. It comes when nothing else that the guest waits for
//! is ready and no other wait ends earlier; the clock is then moved on to it. So a sleep of an hour takes no time, and of two waits the shorter
//! one ends first. A run that waited for longer than it may take is over: its next call, or look at the clock, ends it.
//!
//! Invariant: no run on a transcript waits for the host's time.

use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock::{Duration, Host, Instant};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::readings::Given;
use crate::{HostResult, trap};

/// How a run ends that waited for longer than it may take.
pub(super) const OVER: &str = "the run waited for longer than it may take";

/// The clock of a run.
pub(crate) struct Clock<'run> {
    wasi: WasiClocksCtxView<'run>,
    /// Where a tape plays.
    virtual_time: Option<VirtualTime>,
}

/// The time of a run on a transcript; clones share it.
#[derive(Clone)]
pub(crate) struct VirtualTime(Given);

/// For the linker.
pub(crate) struct ClockOfRun;

impl HasData for ClockOfRun {
    type Data<'run> = Clock<'run>;
}

impl VirtualTime {
    pub(super) fn new(given: Given) -> VirtualTime {
        VirtualTime(given)
    }

    fn subscribe(&self, clocks: &mut WasiClocksCtxView<'_>, duration_ns: u64) -> HostResult<Resource<DynPollable>> {
        let wait = Wait { given: self.0.clone(), until_ns: self.0.after(duration_ns) };
        let wait = clocks.table.push(wait)?;
        subscribe(clocks.table, wait)
    }

    fn still_runs(&self) -> HostResult<()> {
        if self.0.is_over() { Err(trap(OVER)) } else { Ok(()) }
    }
}

impl<'run> Clock<'run> {
    pub(crate) fn new(wasi: WasiClocksCtxView<'run>, virtual_time: Option<VirtualTime>) -> Clock<'run> {
        Clock { wasi, virtual_time }
    }
}

impl Host for Clock<'_> {
    fn now(&mut self) -> HostResult<Instant> {
        if let Some(time) = &self.virtual_time {
            time.still_runs()?;
        }
        self.wasi.now()
    }

    fn resolution(&mut self) -> HostResult<Instant> {
        self.wasi.resolution()
    }

    fn subscribe_instant(&mut self, when: Instant) -> HostResult<Resource<DynPollable>> {
        let Some(time) = &self.virtual_time else { return self.wasi.subscribe_instant(when) };
        time.still_runs()?;
        // The engine's own reads the clock here too, and what it reads is noted.
        let now = self.wasi.now()?;
        time.subscribe(&mut self.wasi, when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: Duration) -> HostResult<Resource<DynPollable>> {
        let Some(time) = &self.virtual_time else { return self.wasi.subscribe_duration(duration) };
        time.still_runs()?;
        time.subscribe(&mut self.wasi, duration)
    }
}

/// A time on the virtual clock that a guest may wait for.
struct Wait {
    given: Given,
    until_ns: u64,
}

/// While it is waited for.
struct Waiting<'wait> {
    wait: &'wait Wait,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.wait.given.leave(self.wait.until_ns, self.number);
    }
}

#[async_trait]
impl Pollable for Wait {
    async fn ready(&mut self) {
        let wait = &*self;
        let waiting = Waiting { wait, number: wait.given.enter(wait.until_ns) };
        while !wait.given.is_past(wait.until_ns) {
            // Whatever else is ready comes before, and all that is waited for along with it has entered then.
            tokio::task::yield_now().await;
            if wait.given.has_come(wait.until_ns, waiting.number) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn given() -> Given {
        Given::new(None, 0, std::time::Duration::from_secs(10))
    }

    fn wait(given: &Given, seconds: u64) -> Wait {
        Wait { given: given.clone(), until_ns: given.after(seconds * SECOND_NS) }
    }

    #[tokio::test]
    async fn a_wait_takes_no_time_and_moves_the_clock_on() {
        let given = given();
        wait(&given, 7).ready().await;
        assert_eq!((given.elapsed_us(), given.is_over()), (7_000_000, false));
        wait(&given, 0).ready().await;
        assert_eq!(given.elapsed_us(), 7_000_000);
        wait(&given, 3600).ready().await;
        assert_eq!((given.elapsed_us(), given.is_over()), (3_607_000_000, true));
    }

    #[tokio::test]
    async fn of_two_waits_the_shorter_one_ends_first() {
        let given = given();
        let (mut long, mut short) = (wait(&given, 5), wait(&given, 2));
        tokio::select! {
            biased;
            () = long.ready() => panic!("the longer one ended first"),
            () = short.ready() => {}
        }
        assert_eq!(given.elapsed_us(), 2_000_000);
        // Nobody waits for the shorter one any more.
        long.ready().await;
        assert_eq!(given.elapsed_us(), 5_000_000);
    }

    #[tokio::test]
    async fn what_is_ready_comes_before_a_wait() {
        let given = given();
        let mut long = wait(&given, 5);
        tokio::select! {
            biased;
            () = long.ready() => panic!("something else was ready"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(given.elapsed_us(), 0);
    }
}
