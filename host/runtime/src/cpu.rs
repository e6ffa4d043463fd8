//! How long a guest computes: the processor time of the thread, counted while the run is polled.
//!
//! Waiting for a host call costs nothing, work of other runs on the same thread neither, and a busy machine does not make a guest look
//! slow. The epoch callback compares the sum with the limit, so a loop without calls is found as well. A run that has computed for long
//! is polled only when it has a turn ([`crate::lane`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use crate::lane::{LIGHT_NS_MAX, Lane, Pause, Place};

/// Shared between the run's future and the epoch callback; both run on the thread that polls, one after the other.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    limit_ns: u64,
    spent_ns: AtomicU64,
    poll_began_ns: AtomicU64,
    exceeded: AtomicBool,
    /// The poll that goes on ends for a tick of the epoch.
    ticked: AtomicBool,
}

impl CpuMeter {
    pub(crate) fn new(limit_ms: u32) -> Arc<CpuMeter> {
        Arc::new(CpuMeter {
            limit_ns: u64::from(limit_ms) * 1_000_000,
            spent_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
            exceeded: AtomicBool::new(false),
            ticked: AtomicBool::new(false),
        })
    }

    /// A tick of the epoch inside a poll: whether the guest may go on. Who may lets others go first.
    pub(crate) fn tick(&self) -> bool {
        let spent = self.spent_ns.load(Relaxed) + thread_cpu_ns().saturating_sub(self.poll_began_ns.load(Relaxed));
        if spent > self.limit_ns {
            self.exceeded.store(true, Relaxed);
        }
        self.ticked.store(true, Relaxed);
        !self.exceeded.load(Relaxed)
    }

    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.load(Relaxed)
    }

    pub(crate) fn spent_us(&self) -> u64 {
        self.spent_ns.load(Relaxed) / 1000
    }

    /// Why the poll that is over did not end the run.
    fn pause(&self) -> Pause {
        if self.ticked.swap(false, Relaxed) { Pause::Tick } else { Pause::HostCall }
    }
}

/// A future whose polls are charged to a meter, and which needs turns of a lane once it is no longer light.
pub(crate) struct Metered<'a, F> {
    future: F,
    meter: &'a CpuMeter,
    place: Place<'a>,
}

impl<'a, F: Future + Unpin> Metered<'a, F> {
    pub(crate) fn new(future: F, meter: &'a CpuMeter, lane: &'a Lane) -> Metered<'a, F> {
        Metered { future, meter, place: Place::new(lane) }
    }
}

impl<F: Future + Unpin> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Metered { future, meter, place } = self.get_mut();
        if meter.spent_ns.load(Relaxed) >= LIGHT_NS_MAX {
            ready!(place.poll_turn(context));
        }
        let began = thread_cpu_ns();
        meter.poll_began_ns.store(began, Relaxed);
        let polled = Pin::new(future).poll(context);
        meter.spent_ns.fetch_add(thread_cpu_ns().saturating_sub(began), Relaxed);
        if polled.is_pending() {
            place.paused(meter.pause());
        }
        polled
    }
}

fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{poll_fn, ready};
    use std::task::Waker;

    use tokio::sync::Semaphore;

    use super::*;

    /// A meter of a run that has computed for `spent_ns`.
    fn meter(spent_ns: u64) -> Arc<CpuMeter> {
        let meter = CpuMeter::new(600_000);
        meter.spent_ns.store(spent_ns, Relaxed);
        meter
    }

    fn polled<F: Future + Unpin>(run: &mut Metered<'_, F>) -> Poll<F::Output> {
        Pin::new(run).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn only_a_run_that_has_computed_for_long_needs_a_turn() {
        let no_turns = Lane::new(Arc::new(Semaphore::new(0)));
        let (light, heavy) = (meter(0), meter(LIGHT_NS_MAX));
        assert!(polled(&mut Metered::new(ready(()), &light, &no_turns)).is_ready());
        assert!(polled(&mut Metered::new(ready(()), &heavy, &no_turns)).is_pending());
    }

    #[test]
    fn a_turn_is_kept_over_a_tick_and_given_back_for_a_host_call() {
        let host = Arc::new(Semaphore::new(1));
        let lane = Lane::new(Arc::clone(&host));
        let (meter, computes) = (meter(LIGHT_NS_MAX), Cell::new(true));
        let guest = poll_fn(|_| {
            if computes.get() {
                meter.tick();
            }
            Poll::<()>::Pending
        });
        let mut run = Metered::new(guest, &meter, &lane);
        assert!(polled(&mut run).is_pending());
        assert_eq!(host.available_permits(), 0);
        computes.set(false);
        assert!(polled(&mut run).is_pending());
        assert_eq!(host.available_permits(), 1);
    }

    #[test]
    fn a_run_that_is_given_up_gives_its_turn_back() {
        let host = Arc::new(Semaphore::new(1));
        let lane = Lane::new(Arc::clone(&host));
        let (first, second) = (meter(LIGHT_NS_MAX), meter(LIGHT_NS_MAX));
        let mut given_up = Metered::new(
            poll_fn(|_| {
                first.tick();
                Poll::<()>::Pending
            }),
            &first,
            &lane,
        );
        let mut next = Metered::new(ready(()), &second, &lane);
        assert!(polled(&mut given_up).is_pending() && polled(&mut next).is_pending());
        drop(given_up);
        assert!(polled(&mut next).is_ready());
    }
}
