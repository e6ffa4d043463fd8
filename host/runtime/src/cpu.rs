//! How long a guest computes: the processor time of the thread, counted while the run is polled.
//!
//! Waiting for a host call costs nothing, work of other runs on the same thread neither, and a busy machine does not make a guest look
//! slow. The epoch callback compares the sum with the limit, so a loop without calls is found as well. A run that has computed for long
//! is polled only when it has a turn ([`crate::lane`]).
//!
//! The clock of a thread costs a system call, the wall clock does not. A poll of less than [`SHORT_NS_MAX`] is charged by the wall clock; a
//! longer one with what its thread has computed since that was last read, which is less than [`READING_NS_MAX`] before the poll began.
//!
//! Invariant: nobody is charged more than [`READING_NS_MAX`] for what others computed, in any poll, and nothing above its time on the wall.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use rustix::time::ClockId;

use crate::lane::{LIGHT_NS_MAX, Lane, Pause, Place};

/// A shorter poll is not worth a system call: where its thread was taken away meanwhile, it is charged for no more than this.
const SHORT_NS_MAX: u64 = 50_000;
/// How old the reading of a thread's clock may be when a poll begins.
const READING_NS_MAX: u64 = 1_000_000;

thread_local! {
    /// This thread's clock when it was last read, and the wall clock at that time.
    static READING: Cell<Reading> = const { Cell::new(Reading { cpu_ns: 0, wall_ns: 0 }) };
}

#[derive(Clone, Copy)]
struct Reading {
    cpu_ns: u64,
    wall_ns: u64,
}

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
        let spent = self.spent_ns.load(Relaxed) + spent_since(self.poll_began_ns.load(Relaxed));
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
        let began = begin();
        meter.poll_began_ns.store(began, Relaxed);
        let polled = Pin::new(future).poll(context);
        meter.spent_ns.fetch_add(spent_since(began), Relaxed);
        if polled.is_pending() {
            place.paused(meter.pause());
        }
        polled
    }
}

/// A poll begins on this thread: the time on the wall.
fn begin() -> u64 {
    let wall_ns = now_ns(ClockId::Monotonic);
    if wall_ns.saturating_sub(READING.get().wall_ns) >= READING_NS_MAX {
        READING.set(Reading { cpu_ns: now_ns(ClockId::ThreadCPUTime), wall_ns });
    }
    wall_ns
}

/// What this thread computed since a poll began on it, at that time on the wall.
fn spent_since(began_ns: u64) -> u64 {
    let wall_ns = now_ns(ClockId::Monotonic);
    let took_ns = wall_ns.saturating_sub(began_ns);
    if took_ns < SHORT_NS_MAX {
        return took_ns;
    }
    took_ns.min(now_ns(ClockId::ThreadCPUTime).saturating_sub(READING.get().cpu_ns))
}

fn now_ns(clock: ClockId) -> u64 {
    let now = rustix::time::clock_gettime(clock);
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

    /// Computes on this thread for about `for_ns`.
    fn compute(for_ns: u64) {
        let began = now_ns(ClockId::ThreadCPUTime);
        while now_ns(ClockId::ThreadCPUTime) < began + for_ns {}
    }

    #[test]
    fn a_long_poll_is_charged_for_what_it_computed_and_not_for_how_long_it_took() {
        let (lane, meter) = (Lane::new(Arc::new(Semaphore::new(1))), meter(0));
        let computed_ns = 20 * READING_NS_MAX;
        compute(READING_NS_MAX);
        let guest = poll_fn(|_| {
            std::thread::sleep(std::time::Duration::from_millis(200));
            compute(computed_ns);
            Poll::Ready(())
        });
        assert!(polled(&mut Metered::new(guest, &meter, &lane)).is_ready());
        let spent_ns = meter.spent_ns.load(Relaxed);
        assert!((computed_ns..2 * computed_ns).contains(&spent_ns), "{spent_ns} ns");
    }

    #[test]
    fn many_short_polls_are_charged_as_they_are() {
        let (lane, meter) = (Lane::new(Arc::new(Semaphore::new(1))), meter(0));
        for _ in 0..1_000 {
            let guest = poll_fn(|_| {
                compute(10_000);
                Poll::Ready(())
            });
            assert!(polled(&mut Metered::new(guest, &meter, &lane)).is_ready());
        }
        // No more than computed, but for polls whose thread was taken away.
        assert!(meter.spent_ns.load(Relaxed) >= 1_000 * 10_000);
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
