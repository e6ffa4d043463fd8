//! How busy the CPU is: the mean over the last whole window, the same for every reader.
//!
//! A task samples from the first reading on and ends with the [`Sampler`]. Until its first window is whole, a reader measures a
//! short one of its own.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::client::{ReadError, off_thread, read_text};
use super::parse::{CpuTicks, cpu_ticks};

/// The window that the task samples.
const WINDOW: Duration = Duration::from_secs(5);
/// The window of a reader that comes before the first one is whole.
const FIRST_WINDOW: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CpuReading {
    /// 0 to 1. Waiting for a disk is not busy.
    pub(super) busy_ratio: f64,
    pub(super) iowait_ratio: f64,
    pub(super) cores: u32,
    pub(super) window_ms: u32,
}

impl CpuReading {
    fn between(earlier: CpuTicks, later: CpuTicks, window: Duration) -> CpuReading {
        let total = later.total.saturating_sub(earlier.total);
        // Both may run backwards for a tick where the kernel corrects itself.
        let idle = later.idle.saturating_sub(earlier.idle).min(total);
        let iowait = later.iowait.saturating_sub(earlier.iowait).min(total - idle);
        let ratio = |ticks: u64| if total == 0 { 0.0 } else { ticks as f64 / total as f64 };
        CpuReading {
            busy_ratio: ratio(total - idle - iowait),
            iowait_ratio: ratio(iowait),
            cores: later.cores,
            window_ms: u32::try_from(window.as_millis()).unwrap_or(u32::MAX),
        }
    }
}

#[derive(Default)]
pub(super) struct Sampler {
    last: Arc<Mutex<Option<CpuReading>>>,
    task: OnceLock<AbortHandle>,
}

impl Sampler {
    /// Waits for [`FIRST_WINDOW`] at most.
    pub(super) async fn read(&self) -> Result<CpuReading, ReadError> {
        self.task.get_or_init(|| tokio::spawn(sample(Arc::clone(&self.last))).abort_handle());
        if let Some(reading) = last_of(&self.last) {
            return Ok(reading);
        }
        let (earlier, started) = (ticks().await?, Instant::now());
        sleep(FIRST_WINDOW).await;
        let (later, window) = (ticks().await?, started.elapsed());
        Ok(last_of(&self.last).unwrap_or_else(|| CpuReading::between(earlier, later, window)))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

fn last_of(last: &Mutex<Option<CpuReading>>) -> Option<CpuReading> {
    *last.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends where the CPU cannot be read: every reader then finds out for itself.
async fn sample(last: Arc<Mutex<Option<CpuReading>>>) {
    let mut windows = interval(WINDOW);
    windows.set_missed_tick_behavior(MissedTickBehavior::Delay);
    windows.tick().await;
    let Ok(mut earlier) = ticks().await else { return };
    let mut started = Instant::now();
    loop {
        windows.tick().await;
        let Ok(later) = ticks().await else { return };
        let ended = Instant::now();
        let reading = CpuReading::between(earlier, later, ended - started);
        *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        (earlier, started) = (later, ended);
    }
}

async fn ticks() -> Result<CpuTicks, ReadError> {
    off_thread(|| read_text("/proc/stat", cpu_ticks)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(5000);

    fn ticks(total: u64, idle: u64, iowait: u64) -> CpuTicks {
        CpuTicks { total, idle, iowait, cores: 4 }
    }

    #[test]
    fn busy_is_what_is_neither_idle_nor_waiting() {
        let reading = CpuReading::between(ticks(1000, 500, 100), ticks(3000, 1500, 500), WINDOW);
        assert_eq!(reading, CpuReading { busy_ratio: 0.3, iowait_ratio: 0.2, cores: 4, window_ms: 5000 });
    }

    #[test]
    fn counters_that_stand_still_or_run_backwards_give_a_ratio() {
        for (earlier, later) in [
            (ticks(1000, 500, 100), ticks(1000, 500, 100)),
            (ticks(1000, 500, 100), ticks(900, 400, 50)),
            (ticks(1000, 500, 100), ticks(1010, 600, 200)),
            (ticks(1000, 500, 100), ticks(1010, 400, 200)),
        ] {
            let reading = CpuReading::between(earlier, later, WINDOW);
            assert!((0.0..=1.0).contains(&reading.busy_ratio) && (0.0..=1.0).contains(&reading.iowait_ratio), "{reading:?}");
        }
    }

    #[tokio::test]
    async fn the_first_reading_does_not_wait_for_a_whole_window() {
        let sampler = Sampler::default();
        match sampler.read().await {
            Ok(reading) => assert!(reading.cores > 0 && reading.window_ms < 5000, "{reading:?}"),
            Err(ReadError::Unsupported(_)) => {}
            Err(ReadError::Other(message)) => panic!("{message}"),
        }
    }
}
