//! How long a guest computes: the processor time of the thread, counted while the run is polled.
//!
//! Waiting for a host call costs nothing, work of other runs on the same thread neither, and a busy machine does not make a guest look
//! slow. The epoch callback compares the sum with the limit, so a loop without calls is found as well.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

/// Shared between the run's future and the epoch callback; both run on the thread that polls, one after the other.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    limit_ns: u64,
    spent_ns: AtomicU64,
    poll_began_ns: AtomicU64,
    exceeded: AtomicBool,
}

impl CpuMeter {
    pub(crate) fn new(limit_ms: u32) -> Arc<CpuMeter> {
        Arc::new(CpuMeter {
            limit_ns: u64::from(limit_ms) * 1_000_000,
            spent_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
            exceeded: AtomicBool::new(false),
        })
    }

    /// Whether the guest may go on; asked from inside a poll.
    pub(crate) fn may_go_on(&self) -> bool {
        let spent = self.spent_ns.load(Relaxed) + thread_cpu_ns().saturating_sub(self.poll_began_ns.load(Relaxed));
        if spent > self.limit_ns {
            self.exceeded.store(true, Relaxed);
        }
        !self.exceeded.load(Relaxed)
    }

    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.load(Relaxed)
    }

    pub(crate) fn spent_us(&self) -> u64 {
        self.spent_ns.load(Relaxed) / 1000
    }
}

/// A future whose polls are charged to a meter.
pub(crate) struct Metered<F> {
    pub(crate) future: F,
    pub(crate) meter: Arc<CpuMeter>,
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = thread_cpu_ns();
        self.meter.poll_began_ns.store(began, Relaxed);
        let polled = Pin::new(&mut self.future).poll(context);
        self.meter.spent_ns.fetch_add(thread_cpu_ns().saturating_sub(began), Relaxed);
        polled
    }
}

fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    (now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64
}
