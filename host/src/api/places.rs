//! Who has a connection to the listener, and whose is closed for whom.
//!
//! A connection waits until a whole request is there, its body too, and again after the answer; while a request is answered it is busy. Who
//! only opens connections, or dawdles over a handshake, a head or a body, is among those that wait, and where there are too many of them
//! the one that has waited longest is closed for the newest: a flood closes itself, and who asks at once is answered.
//!
//! Limits: [`WAITING_MAX`] that wait, [`REQUESTS_MAX`] that are busy, and of both together [`ADDRESS_CONNECTIONS_MAX`] of one address (of
//! IPv6, of its /64); loopback is exempt from the last. One line of the log a minute tells of it.
//!
//! Invariant: a connection is never closed for another while its request is answered.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::attempts::network;

pub(crate) const WAITING_MAX: usize = 512;
pub(crate) const REQUESTS_MAX: usize = 512;
pub(crate) const ADDRESS_CONNECTIONS_MAX: usize = 256;
const LOG_LINES_PER_MINUTE_MAX: NonZeroU32 = NonZeroU32::new(1).unwrap();

/// The places of one listener; cheap to clone.
#[derive(Clone)]
pub(crate) struct Places {
    crowd: Arc<Mutex<Crowd>>,
    lines: Arc<DefaultDirectRateLimiter>,
}

#[derive(Default)]
struct Crowd {
    /// How often one began to wait.
    turns: u64,
    /// By turn: the first has waited longest.
    waiting: BTreeMap<u64, Waiting>,
    busy: usize,
    /// Connections of an address, waiting and busy; not those of loopback.
    of_address: HashMap<IpAddr, usize>,
}

struct Waiting {
    address: Option<IpAddr>,
    closed: CancellationToken,
}

/// Of one connection, as long as it lasts.
pub(crate) struct Place {
    crowd: Arc<Mutex<Crowd>>,
    /// None for loopback.
    address: Option<IpAddr>,
    /// Since when it waits. Read and written while the crowd is locked.
    turn: AtomicU64,
    closed: CancellationToken,
}

/// The request of a connection is being answered, until this is dropped.
pub(crate) struct Busy(Arc<Place>);

impl Default for Places {
    fn default() -> Places {
        Places { crowd: Arc::default(), lines: Arc::new(RateLimiter::direct(Quota::per_minute(LOG_LINES_PER_MINUTE_MAX))) }
    }
}

impl Places {
    /// A place for a new connection. None where its address has too many, and answers are under way on all of them.
    pub(crate) fn enter(&self, peer: SocketAddr) -> Option<Arc<Place>> {
        let address = Some(peer.ip().to_canonical()).filter(|address| !address.is_loopback()).map(network);
        let mut crowd = lock(&self.crowd);
        let is_crowded =
            address.is_some_and(|address| crowd.of_address.get(&address).is_some_and(|count| *count >= ADDRESS_CONNECTIONS_MAX));
        if is_crowded {
            self.tell(peer, "its address has too many connections");
            crowd.close_oldest_of(address)?;
        }
        if crowd.waiting.len() >= WAITING_MAX {
            self.tell(peer, "too many connections wait without a request");
        }
        if let Some(address) = address {
            *crowd.of_address.entry(address).or_default() += 1;
        }
        let place = Place { crowd: Arc::clone(&self.crowd), address, turn: AtomicU64::new(0), closed: CancellationToken::new() };
        crowd.wait(&place);
        Some(Arc::new(place))
    }

    fn tell(&self, peer: SocketAddr, why: &str) {
        if self.lines.check().is_ok() {
            tracing::warn!(%peer, "connections are closed for newer ones: {why}");
        }
    }
}

impl Crowd {
    /// From here on `place` is the one that has waited shortest.
    fn wait(&mut self, place: &Place) {
        if self.waiting.len() >= WAITING_MAX
            && let Some((_, oldest)) = self.waiting.pop_first()
        {
            oldest.closed.cancel();
        }
        self.turns += 1;
        place.turn.store(self.turns, Ordering::Relaxed);
        self.waiting.insert(self.turns, Waiting { address: place.address, closed: place.closed.clone() });
    }

    /// None where none of this address waits.
    fn close_oldest_of(&mut self, address: Option<IpAddr>) -> Option<()> {
        let (turn, _) = self.waiting.iter().find(|(_, waiting)| waiting.address == address)?;
        let turn = *turn;
        self.waiting.remove(&turn)?.closed.cancel();
        Some(())
    }
}

impl Place {
    /// A whole request is there. None where too many are answered already, or where the connection is being closed.
    pub(crate) fn begin(self: &Arc<Place>) -> Option<Busy> {
        let mut crowd = lock(&self.crowd);
        if crowd.busy >= REQUESTS_MAX {
            return None;
        }
        crowd.waiting.remove(&self.turn.load(Ordering::Relaxed))?;
        crowd.busy += 1;
        Some(Busy(Arc::clone(self)))
    }

    /// Returns when the connection is to be closed for another.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut crowd = lock(&self.crowd);
        crowd.waiting.remove(&self.turn.load(Ordering::Relaxed));
        let Some(address) = self.address else { return };
        if let Some(count) = crowd.of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                crowd.of_address.remove(&address);
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut crowd = lock(&self.0.crowd);
        crowd.busy -= 1;
        crowd.wait(&self.0);
    }
}

impl Busy {
    /// `body` is part of the answer: the request is answered when it was taken.
    pub(crate) fn until_taken(self, body: Body) -> Body {
        Body::new(Answering { body, _busy: self })
    }
}

/// A body that is being sent.
struct Answering {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn lock(crowd: &Mutex<Crowd>) -> MutexGuard<'_, Crowd> {
    crowd.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> SocketAddr {
        format!("{address}:4711").parse().unwrap()
    }

    fn enter(places: &Places, address: &str) -> Arc<Place> {
        places.enter(from(address)).unwrap_or_else(|| panic!("there is no place for {address}"))
    }

    fn is_closed(place: &Place) -> bool {
        place.closed.is_cancelled()
    }

    /// Loopback, which has no bound of its own.
    fn crowd(places: &Places, count: usize) -> Vec<Arc<Place>> {
        (0..count).map(|_| enter(places, "127.0.0.1")).collect()
    }

    #[test]
    fn the_one_that_has_waited_longest_is_closed_for_the_newest() {
        let places = Places::default();
        let waiting = crowd(&places, WAITING_MAX);
        assert!(waiting.iter().all(|place| !is_closed(place)));
        let newest = crowd(&places, 2);
        let closed: Vec<bool> = waiting.iter().map(|place| is_closed(place)).collect();
        assert!(closed[0] && closed[1] && !closed[2..].contains(&true), "{closed:?}");
        assert!(newest.iter().all(|place| !is_closed(place)));
        assert!(waiting[0].begin().is_none(), "one that is being closed answers nothing more");
    }

    #[test]
    fn one_whose_request_is_answered_is_not_closed_and_waits_anew_afterwards() {
        let places = Places::default();
        let asking = enter(&places, "127.0.0.1");
        let second = enter(&places, "127.0.0.1");
        let busy = asking.begin().unwrap();
        let _flood = crowd(&places, WAITING_MAX);
        assert!(!is_closed(&asking) && is_closed(&second));
        drop(busy);
        let _more = crowd(&places, WAITING_MAX - 1);
        assert!(!is_closed(&asking), "it has waited shorter than all of the flood");
        let _one_more = enter(&places, "127.0.0.1");
        assert!(is_closed(&asking));
    }

    #[test]
    fn an_address_that_has_too_many_gives_up_its_own() {
        let places = Places::default();
        let other = enter(&places, "192.0.2.2");
        let first = enter(&places, "192.0.2.1");
        let _rest: Vec<Arc<Place>> = (1..ADDRESS_CONNECTIONS_MAX).map(|_| enter(&places, "192.0.2.1")).collect();
        assert!(!is_closed(&first));
        let _one_more = enter(&places, "192.0.2.1");
        assert!(is_closed(&first) && !is_closed(&other));
    }

    #[test]
    fn an_address_that_is_answered_on_all_of_its_connections_gets_no_more() {
        let places = Places::default();
        let all: Vec<Arc<Place>> = (0..ADDRESS_CONNECTIONS_MAX).map(|_| enter(&places, "[2001:db8::1]")).collect();
        let mut busy: Vec<Busy> = all.iter().map(|place| place.begin().unwrap()).collect();
        assert!(places.enter(from("[2001:db8::2]")).is_none(), "the same network");
        assert!(places.enter(from("[2001:db8:0:1::1]")).is_some());
        busy.pop();
        let _in_place_of_it = enter(&places, "[2001:db8::2]");
        assert_eq!(all.iter().filter(|place| is_closed(place)).count(), 1);
    }

    #[test]
    fn connections_that_end_leave_nothing_behind() {
        let places = Places::default();
        let mut all = crowd(&places, WAITING_MAX + 5);
        all.extend((0..ADDRESS_CONNECTIONS_MAX + 5).map(|_| enter(&places, "192.0.2.1")));
        let busy: Vec<Busy> = all.iter().filter_map(Place::begin).collect();
        assert_eq!(busy.len(), WAITING_MAX);
        drop((all, busy));
        let crowd = lock(&places.crowd);
        assert_eq!((crowd.waiting.len(), crowd.busy, crowd.of_address.len()), (0, 0, 0));
    }

    #[test]
    fn only_so_many_requests_are_answered_at_once() {
        let places = Places::default();
        let mut busy = Vec::new();
        for _ in 0..REQUESTS_MAX {
            busy.push(enter(&places, "127.0.0.1").begin().unwrap());
        }
        let one_more = enter(&places, "127.0.0.1");
        assert!(one_more.begin().is_none() && !is_closed(&one_more));
        busy.pop();
        assert!(one_more.begin().is_some());
    }

    #[tokio::test]
    async fn a_request_is_answered_when_its_answer_was_taken() {
        let places = Places::default();
        let place = enter(&places, "127.0.0.1");
        let body = place.begin().unwrap().until_taken(Body::from("answer"));
        assert_eq!(body.size_hint().exact(), Some(6), "its length is told");
        assert_eq!(lock(&places.crowd).busy, 1);
        assert_eq!(axum::body::to_bytes(body, 100).await.unwrap(), "answer");
        assert_eq!(lock(&places.crowd).busy, 0);
    }
}
