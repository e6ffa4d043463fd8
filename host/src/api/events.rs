//! `/api/v1/events`: every result as it is committed, as server-sent events with the numbers of the history.
//!
//! How: a reader first subscribes to what is committed from now on, then reads from the store what it missed, then follows. Whatever
//! the live side could not hand over (the reader was slow, or numbers are missing) is read from the store again, so a reader gets each
//! number once, in order, or is told in a `gap` record that numbers are no longer there.
//!
//! Limits: [`STREAMS_MAX`] streams at once; a slow reader holds [`PAGE_LEN`] records at most, besides its place in the ring that all
//! readers share; a reader that takes nothing at all is cut off by the connection (`server::WRITE_STALL_MAX`). A stream ends when the token that opened it
//! is taken away.
//!
//! Invariant: numbers rise by one from event to event; a `gap` stands for the numbers `from..=to`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};
use serde::Serialize;
use sickbay_store::{Committed, Store, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};
use utoipa::ToSchema;

use super::Api;
use super::model::ResultItem;
use super::parameters::{Parameters, SEQUENCE_NUMBER_MAX, whole_number};
use super::problem::{Problem, ProblemKind, chain, quoted};
use super::server::Stopping;
use super::tokens::{Admitted, revoked};

/// Event streams at once; each has a connection and reads the store when it is behind.
pub(crate) const STREAMS_MAX: usize = 64;
/// Records read from the store at once.
const PAGE_LEN: u32 = 256;
/// A comment this often, so that proxies and readers know that the connection lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What browsers wait before they connect again.
const RETRY: Duration = Duration::from_secs(2);

/// Numbers that are not in this stream and never will be: `data` of an event `gap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Gap {
    from: u64,
    to: u64,
    reason: GapReason,
}

/// Why numbers are missing. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GapReason {
    /// Retention had removed them before the stream began.
    Retention,
    /// The reader fell behind, and retention removed them before it came to them.
    Lagged,
    /// The reader asks for what comes after a number that was not given yet: the store is another one. The stream begins at now.
    Reset,
}

/// Results as they are committed.
///
/// An event `result` has the number of a result as its `id` and a result as its `data`. An event `gap` says which numbers are no longer
/// there. Without `Last-Event-ID` and `after` the stream begins at now; the header counts more than the parameter.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(
        ("after" = Option<u64>, Query, description = "Begin behind this number; 0 is the beginning"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Begin behind this number; browsers send it when they connect again"),
    ),
    responses(
        (status = 200, description = "Server-sent events `result` and `gap`", body = ResultItem, content_type = "text/event-stream"),
        (status = 400, description = "A parameter or header is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(api): State<Api>,
    stopping: Option<Extension<Stopping>>,
    admitted: Option<Extension<Admitted>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let after = match last_event_id(&headers)? {
        Some(number) => Some(number),
        None => Parameters::read(query.as_deref(), &["after"])?.number("after", 0..=SEQUENCE_NUMBER_MAX)?,
    };
    let permit = api.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(ProblemKind::StreamsExhausted, format!("{STREAMS_MAX} streams are open"))
            .hint("close one, or read /api/v1/checks now and then")
    })?;
    // Before anything is read, so that nothing falls between the store and what comes live.
    let receiver = api.live.events.sender.subscribe();
    let follower = Follower::begin(api.live.store.clone(), receiver, after).await.map_err(Problem::store)?;
    let Extension(Stopping(stopping)) = stopping.unwrap_or_default();
    let live = Arc::clone(&api.live);
    let ended = async move {
        tokio::select! {
            () = stopping.cancelled_owned() => {}
            () = revoked(admitted.map(|Extension(admitted)| admitted), live) => {}
        }
    };
    let events = stream(follower, permit).take_until(ended);
    // Tells nginx, where it stands in front, not to collect events before it passes them on.
    Ok(([("x-accel-buffering", "no")], Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    match whole_number(&text) {
        Some(number) => Ok(Some(number)),
        // A browser that has seen no event yet sends nothing, and some clients an empty text.
        None if text.is_empty() => Ok(None),
        None => Err(Problem::new(ProblemKind::HeaderInvalid, format!("`Last-Event-ID` is {}", quoted(&text)))
            .hint("send the `id` of the last event as it came")),
    }
}

fn stream(follower: Follower, permit: OwnedSemaphorePermit) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    let first = stream::once(future::ready(Ok(Event::default().retry(RETRY))));
    let events = stream::unfold((follower, permit), |(mut follower, permit)| async move {
        match follower.next().await {
            Ok(Some(item)) => {
                let event = event(&item, follower.after)?;
                Some((Ok(event), (follower, permit)))
            }
            Ok(None) => None,
            Err(error) => {
                // The reader connects again with the last number it has.
                tracing::error!(error = %chain(&error), "an event stream ended: the store did not answer");
                None
            }
        }
    });
    first.chain(events)
}

/// None where the record cannot be written as JSON, which its types rule out.
fn event(item: &Item, id: u64) -> Option<Event> {
    let event = Event::default().id(id.to_string());
    let written = match item {
        Item::Result(committed) => event.event("result").json_data(ResultItem::from(committed)),
        Item::Gap(gap) => event.event("gap").json_data(gap),
    };
    written.ok()
}

#[derive(Debug, PartialEq)]
enum Item {
    Result(Committed),
    Gap(Gap),
}

/// Where a follower takes the next record from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// The store, until it has nothing more. Numbers that are missing there are a gap with this reason.
    Store(GapReason),
    Live,
}

/// One reader's place in the sequence.
struct Follower {
    store: Arc<dyn Store>,
    receiver: broadcast::Receiver<Committed>,
    /// The last number that was given, or told to be missing.
    after: u64,
    source: Source,
    page: VecDeque<Committed>,
    /// Told before anything else.
    first: Option<Gap>,
}

impl Follower {
    /// Stands behind `after`, or at now. `receiver` was made before.
    async fn begin(store: Arc<dyn Store>, receiver: broadcast::Receiver<Committed>, after: Option<u64>) -> Result<Follower, StoreError> {
        let (_, highest) = store.bounds().await?;
        let (after, source, first) = match after {
            None => (highest, Source::Live, None),
            Some(after) if after <= highest => (after, Source::Store(GapReason::Retention), None),
            Some(ahead) => (highest, Source::Live, Some(Gap { from: highest + 1, to: ahead, reason: GapReason::Reset })),
        };
        Ok(Follower { store, receiver, after, source, page: VecDeque::new(), first })
    }

    /// The next event; None when the daemon stops.
    async fn next(&mut self) -> Result<Option<Item>, StoreError> {
        if let Some(gap) = self.first.take() {
            return Ok(Some(Item::Gap(gap)));
        }
        loop {
            match self.source {
                Source::Store(reason) => {
                    if let Some(item) = self.read_store(reason).await? {
                        return Ok(Some(item));
                    }
                    self.source = Source::Live;
                }
                Source::Live => match self.receiver.recv().await {
                    Ok(committed) if committed.seq <= self.after => {}
                    Ok(committed) if committed.seq == self.after + 1 => {
                        self.after = committed.seq;
                        return Ok(Some(Item::Result(committed)));
                    }
                    // It was sent after its commit, so the store has it and what is before it.
                    Ok(_) | Err(RecvError::Lagged(_)) => self.source = Source::Store(GapReason::Lagged),
                    Err(RecvError::Closed) => return Ok(None),
                },
            }
        }
    }

    /// The next record of the store, or the numbers that are missing before it; None when there is nothing behind `after`.
    async fn read_store(&mut self, reason: GapReason) -> Result<Option<Item>, StoreError> {
        if self.page.is_empty() {
            // Asked for first: what is committed between the two questions must not be told to be missing.
            let (_, highest) = self.store.bounds().await?;
            self.page = self.store.events(self.after, PAGE_LEN).await?.into();
            if self.page.is_empty() {
                return Ok((highest > self.after).then(|| self.gap(highest, reason)));
            }
        }
        let Some(committed) = self.page.pop_front() else { return Ok(None) };
        if committed.seq > self.after + 1 {
            let gap = self.gap(committed.seq - 1, reason);
            self.page.push_front(committed);
            return Ok(Some(gap));
        }
        self.after = committed.seq;
        Ok(Some(Item::Result(committed)))
    }

    fn gap(&mut self, to: u64, reason: GapReason) -> Item {
        let from = self.after + 1;
        self.after = to;
        Item::Gap(Gap { from, to, reason })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sickbay_core::{Status, Timestamp};
    use sickbay_store::Retention;

    use super::*;
    use crate::api::testing::{Events, Host, get, record, request, two_checks};

    async fn committed(host: &Host, numbers: std::ops::RangeInclusive<u64>) {
        host.commit(numbers.map(|number| record("api", number)).collect()).await;
    }

    /// Keeps the newest result of each check alone.
    async fn pruned(host: &Host) {
        let retention = Retention { ok: Duration::ZERO, other: Duration::ZERO, bytes_max: u64::MAX };
        host.live.store.prune(&retention, Timestamp(u64::from(u32::MAX) * 1000)).await.unwrap();
    }

    async fn numbers(events: &mut Events, count: usize) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            let event = events.next().await;
            assert_eq!(event.name, "result");
            assert_eq!(event.data["seq"].as_u64(), event.id);
            numbers.extend(event.id);
        }
        numbers
    }

    #[tokio::test]
    async fn a_replay_goes_over_into_live_without_gap_or_duplicate() {
        let host = Host::start(&two_checks()).await;
        committed(&host, 1..=600).await;
        let mut events = host.events(get("/api/v1/events?after=0")).await;
        assert_eq!(numbers(&mut events, 300).await, (1..=300).collect::<Vec<_>>());
        // These are in the store and in what the stream subscribed to.
        committed(&host, 601..=650).await;
        assert_eq!(numbers(&mut events, 350).await, (301..=650).collect::<Vec<_>>());
        committed(&host, 651..=652).await;
        assert_eq!(numbers(&mut events, 2).await, [651, 652]);
    }

    #[tokio::test]
    async fn without_a_number_the_stream_begins_at_now() {
        let host = Host::start(&two_checks()).await;
        committed(&host, 1..=3).await;
        let mut events = host.events(get("/api/v1/events")).await;
        committed(&host, 4..=4).await;
        let event = events.next().await;
        assert_eq!((event.id, event.data["check"].clone()), (Some(4), json!("api")));
    }

    #[tokio::test]
    async fn the_header_counts_more_than_the_parameter() {
        let host = Host::start(&two_checks()).await;
        committed(&host, 1..=3).await;
        let mut again = get("/api/v1/events?after=0");
        again.headers_mut().insert("last-event-id", "2".parse().unwrap());
        assert_eq!(numbers(&mut host.events(again).await, 1).await, [3]);
    }

    #[tokio::test]
    async fn numbers_that_retention_removed_are_told() {
        let host = Host::start(&two_checks()).await;
        committed(&host, 1..=5).await;
        host.commit(vec![record("disk", 6), record("disk", 7)]).await;
        pruned(&host).await;
        let mut events = host.events(get("/api/v1/events?after=1")).await;
        let gap = events.next().await;
        assert_eq!((gap.name.as_str(), gap.id), ("gap", Some(4)));
        assert_eq!(gap.data, json!({ "from": 2, "to": 4, "reason": "retention" }));
        assert_eq!(numbers(&mut events, 1).await, [5]);
        assert_eq!(events.next().await.data, json!({ "from": 6, "to": 6, "reason": "retention" }));
        assert_eq!(numbers(&mut events, 1).await, [7]);
    }

    #[tokio::test]
    async fn a_number_from_another_store_is_told_and_the_stream_begins_at_now() {
        let host = Host::start(&two_checks()).await;
        committed(&host, 1..=2).await;
        let mut events = host.events(get("/api/v1/events?after=900")).await;
        let gap = events.next().await;
        assert_eq!((gap.id, gap.data), (Some(2), json!({ "from": 3, "to": 900, "reason": "reset" })));
        committed(&host, 3..=3).await;
        assert_eq!(numbers(&mut events, 1).await, [3]);
    }

    #[tokio::test]
    async fn a_reader_that_lagged_gets_the_rest_from_the_store() {
        let host = Host::start(&two_checks()).await;
        // A ring of its own, smaller than what it will be sent.
        let (sender, receiver) = broadcast::channel(2);
        let mut follower = Follower::begin(host.live.store.clone(), receiver, None).await.unwrap();
        committed(&host, 1..=10).await;
        for stored in host.live.store.events(0, 10).await.unwrap() {
            sender.send(stored).unwrap();
        }
        for wanted in 1..=10 {
            let Some(Item::Result(committed)) = follower.next().await.unwrap() else { panic!("{wanted} is missing") };
            assert_eq!(committed.seq, wanted);
        }
        drop(sender);
        assert_eq!(follower.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_a_lagging_reader_lost_to_retention_is_told() {
        let host = Host::start(&two_checks()).await;
        let (sender, receiver) = broadcast::channel(2);
        let mut follower = Follower::begin(host.live.store.clone(), receiver, None).await.unwrap();
        committed(&host, 1..=10).await;
        for stored in host.live.store.events(0, 10).await.unwrap() {
            sender.send(stored).unwrap();
        }
        pruned(&host).await;
        assert_eq!(follower.next().await.unwrap(), Some(Item::Gap(Gap { from: 1, to: 9, reason: GapReason::Lagged })));
        let Some(Item::Result(newest)) = follower.next().await.unwrap() else { panic!("the newest is missing") };
        assert_eq!((newest.seq, newest.record.status), (10, Status::Ok));
    }

    #[tokio::test]
    async fn streams_are_counted_and_a_closed_one_makes_room() {
        let host = Host::start(&two_checks()).await;
        let mut open = Vec::new();
        for _ in 0..STREAMS_MAX {
            open.push(host.events(get("/api/v1/events")).await);
        }
        let answer = host.ask(get("/api/v1/events")).await;
        assert_eq!((answer.status, answer.json()["type"].clone()), (503, json!("urn:sickbay:problem:streams-exhausted")));
        open.pop();
        host.events(get("/api/v1/events")).await;
    }

    #[tokio::test]
    async fn a_number_that_is_none_is_refused() {
        let host = Host::start(&two_checks()).await;
        let mut wrong = request("GET", "/api/v1/events");
        wrong.headers_mut().insert("last-event-id", "-1".parse().unwrap());
        let answer = host.ask(wrong).await;
        assert_eq!((answer.status, answer.json()["type"].clone()), (400, Value::from("urn:sickbay:problem:header-invalid")));
    }
}
