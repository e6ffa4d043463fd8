//! Who may go on computing: the lane of the runs that compute for long.
//!
//! A thread has many runs, and a guest that computes gives way only at a tick of the epoch. Were all that compute for long asked in rounds,
//! a light run beside them would wait a tick for each. So a run that has computed for [`LIGHT_NS_MAX`] is polled only with a [`Turn`]:
//! of its plugin, where there is one, so that runs of one plugin hold up each other; then of the host, which has one for each processor.
//! A turn goes back after [`TURN_TICKS`], at once when the guest waits for a host call, and when the run ends. Turns are given in the order
//! in which they were asked for. Waiting for one is time of the run's deadline, not of its computing.
//!
//! Invariant: a run that computes for less never sees the lane; a turn is held only by a run that computes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// What a run may compute before it needs a turn; less than a tick, so that a loop needs one after its first tick.
pub(crate) const LIGHT_NS_MAX: u64 = 5_000_000;
/// Ticks of the epoch that a turn lasts.
const TURN_TICKS: u32 = 3;

/// The turns of the whole host: as many as there are threads that run checks.
pub(crate) fn host_turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)))
}

/// Where the runs of one plugin's version wait.
#[derive(Debug)]
pub(crate) struct Lane {
    plugin: Semaphore,
    host: Arc<Semaphore>,
}

impl Lane {
    pub(crate) fn new(host: Arc<Semaphore>) -> Lane {
        Lane { plugin: Semaphore::new(1), host }
    }

    /// A lane where nobody else waits.
    pub(crate) fn alone() -> Lane {
        Lane::new(Arc::new(Semaphore::new(1)))
    }

    /// The plugin's turn first: of all runs of a plugin one alone waits for the host's.
    async fn turn(&self) -> Turn<'_> {
        Turn { _plugin: self.plugin.acquire().await, _host: self.host.acquire().await, ticks_left: TURN_TICKS }
    }
}

/// Given back when it is dropped. The semaphores are never closed: no permit is an error.
struct Turn<'a> {
    _plugin: Result<SemaphorePermit<'a>, AcquireError>,
    _host: Result<SemaphorePermit<'a>, AcquireError>,
    ticks_left: u32,
}

/// One run's place in a lane.
pub(crate) struct Place<'a> {
    lane: &'a Lane,
    state: State<'a>,
}

enum State<'a> {
    Outside,
    Waiting(Pin<Box<dyn Future<Output = Turn<'a>> + Send + 'a>>),
    Computing(Turn<'a>),
}

/// Why a poll of a run ended before the run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// The guest computes and was asked to let others go first.
    Tick,
    /// The guest waits for an answer of the host.
    HostCall,
}

impl<'a> Place<'a> {
    pub(crate) fn new(lane: &'a Lane) -> Place<'a> {
        Place { lane, state: State::Outside }
    }

    /// Ready when the run has a turn.
    pub(crate) fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.state {
                State::Outside => {
                    let lane = self.lane;
                    self.state = State::Waiting(Box::pin(lane.turn()));
                }
                State::Waiting(waiting) => {
                    let turn = ready!(waiting.as_mut().poll(context));
                    self.state = State::Computing(turn);
                }
                State::Computing(_) => return Poll::Ready(()),
            }
        }
    }

    /// The run was polled and goes on later.
    pub(crate) fn paused(&mut self, pause: Pause) {
        let State::Computing(turn) = &mut self.state else { return };
        match pause {
            Pause::Tick if turn.ticks_left > 1 => turn.ticks_left -= 1,
            Pause::Tick | Pause::HostCall => self.state = State::Outside,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn host(turns: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(turns))
    }

    fn has_turn(place: &mut Place<'_>) -> bool {
        place.poll_turn(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn runs_of_one_plugin_wait_for_each_other_and_not_for_those_of_another() {
        let host = host(2);
        let (one, another) = (Lane::new(Arc::clone(&host)), Lane::new(host));
        let (mut first, mut second, mut other) = (Place::new(&one), Place::new(&one), Place::new(&another));
        assert!(has_turn(&mut first));
        assert!(!has_turn(&mut second));
        assert!(has_turn(&mut other));
    }

    #[test]
    fn as_many_plugins_compute_at_once_as_the_host_has_turns() {
        let host = host(2);
        let lanes: Vec<Lane> = (0..3).map(|_| Lane::new(Arc::clone(&host))).collect();
        let mut places: Vec<Place<'_>> = lanes.iter().map(Place::new).collect();
        let computing: Vec<bool> = places.iter_mut().map(has_turn).collect();
        assert_eq!(computing, [true, true, false]);
    }

    #[test]
    fn a_turn_lasts_some_ticks_and_then_goes_to_who_waits() {
        let lane = Lane::alone();
        let (mut first, mut second) = (Place::new(&lane), Place::new(&lane));
        assert!(has_turn(&mut first));
        for _ in 0..TURN_TICKS {
            assert!(has_turn(&mut first) && !has_turn(&mut second));
            first.paused(Pause::Tick);
        }
        assert!(!has_turn(&mut first), "who gave a turn back waits behind the others");
        assert!(has_turn(&mut second));
        second.paused(Pause::HostCall);
        assert!(has_turn(&mut first));
    }

    #[test]
    fn a_host_call_gives_the_turn_back_at_once() {
        let lane = Lane::alone();
        let (mut first, mut second) = (Place::new(&lane), Place::new(&lane));
        assert!(has_turn(&mut first) && !has_turn(&mut second));
        first.paused(Pause::HostCall);
        assert!(has_turn(&mut second));
    }

    #[test]
    fn a_run_that_ends_leaves_its_turn_or_its_place_to_the_next() {
        let lane = Lane::alone();
        let (mut first, mut second, mut third) = (Place::new(&lane), Place::new(&lane), Place::new(&lane));
        assert!(has_turn(&mut first) && !has_turn(&mut second) && !has_turn(&mut third));
        drop(second);
        assert!(!has_turn(&mut third));
        drop(first);
        assert!(has_turn(&mut third));
    }
}
