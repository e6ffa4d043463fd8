//! `/api/v1/events`: every result, every line of an incident's timeline and every end of a delivery as it is committed, as server-sent events
//! in the one sequence of numbers.
//!
//! How: results come as they are committed, and of the rest only that it is there: it is read from the store. A reader
//! first subscribes to what is committed from now on, then reads from the store what it missed, then follows. Whatever
//! the live side could not hand over (the reader was slow, or numbers are missing) is read from the store again, so a reader gets each
//! number once, in order, or is told in a `gap` record that numbers are no longer there.
//!
//! Limits: [`STREAMS_MAX`] streams at once; a slow reader holds [`PAGE_LEN`] results and as many documents at most, besides its place
//! in the ring that all readers share; a reader that takes nothing at all is cut off by the connection (`server::WRITE_STALL_MAX`). A stream
//! ends when the token that opened it is taken away.
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
use sickbay_core::alerting::Delivery;
use sickbay_store::{Announced, Committed, Kind, Store, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{self, error::RecvError};
use utoipa::ToSchema;

use super::Api;
use super::model::{DeliveryEventItem, DeliveryItem, IncidentEventItem, ResultItem};
use super::parameters::{Parameters, SEQUENCE_NUMBER_MAX, whole_number};
use super::problem::{Problem, ProblemKind, chain, quoted};
use super::server::Stopping;
use super::tokens::{Admitted, revoked};
use crate::alerting::rows::{self, Line};
use crate::live::Told;

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
    /// It is stored and cannot be read; the log says more.
    Unreadable,
    /// The reader asks for what comes after a number that was not given yet: the store is another one. The stream begins at now.
    Reset,
}

/// Results, incidents and deliveries as they are committed.
///
/// All have their number, one sequence for everything, as their `id`. An event `result` has a result as its `data`. An event `incident` has a line
/// of an incident's timeline: `Opened`, `StatusChanged`, `Acknowledged`, `Notified`, `Resolved` and their like. An event `delivery` has a
/// notification that ended: delivered, refused, expired or abandoned. An event `gap` says which numbers are no longer there. Without `Last-Event-ID` and `after` the stream begins at now; the header counts more than the parameter.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(
        ("after" = Option<u64>, Query, description = "Begin behind this number; 0 is the beginning"),
        ("Last-Event-ID" = Option<u64>, Header, description = "Begin behind this number; browsers send it when they connect again"),
    ),
    responses(
        (status = 200, description = "Server-sent events `result`, `incident` (`IncidentEventItem`), `delivery` (`DeliveryEventItem`) and `gap` (`Gap`)", body = ResultItem, content_type = "text/event-stream"),
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
        Item::Announced(announced) => return announced_event(event, announced),
        Item::Gap(gap) => event.event("gap").json_data(gap),
    };
    written.ok()
}

fn announced_event(event: Event, Announced { seq, document }: &Announced) -> Option<Event> {
    let seq = *seq;
    let written = match document.kind {
        Kind::Event => {
            rows::parse::<Line>(document).map(|line| event.clone().event("incident").json_data(IncidentEventItem::of(seq, line)))
        }
        Kind::Delivery => rows::parse::<Delivery>(document).map(|delivery| {
            event.clone().event("delivery").json_data(DeliveryEventItem { seq, delivery: DeliveryItem::of(&delivery, None) })
        }),
        _ => None,
    };
    let gap = Gap { from: seq, to: seq, reason: GapReason::Unreadable };
    written.unwrap_or_else(|| event.event("gap").json_data(gap)).ok()
}

#[derive(Debug, PartialEq)]
enum Item {
    Result(Committed),
    Announced(Announced),
    Gap(Gap),
}

impl Item {
    /// The last number that it stands for.
    fn seq(&self) -> u64 {
        match self {
            Item::Result(committed) => committed.seq,
            Item::Announced(announced) => announced.seq,
            Item::Gap(gap) => gap.to,
        }
    }
}

/// What was read of both, in the order of its numbers, up to the number below which neither can have more.
fn merged(results: Vec<Committed>, announced: Vec<Announced>, highest: u64) -> VecDeque<Item> {
    let end = |len: usize, last: Option<u64>| last.filter(|_| len >= PAGE_LEN as usize).unwrap_or(highest);
    let end_of_results = end(results.len(), results.last().map(|committed| committed.seq));
    let end_of_announced = end(announced.len(), announced.last().map(|announced| announced.seq));
    let end = highest.min(end_of_results).min(end_of_announced);
    let items = results.into_iter().map(Item::Result).chain(announced.into_iter().map(Item::Announced));
    let mut items: Vec<Item> = items.filter(|item| item.seq() <= end).collect();
    items.sort_by_key(Item::seq);
    items.into()
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
    receiver: broadcast::Receiver<Told>,
    /// The last number that was given, or told to be missing.
    after: u64,
    source: Source,
    page: VecDeque<Item>,
    /// Told before anything else.
    first: Option<Gap>,
}

impl Follower {
    /// Stands behind `after`, or at now. `receiver` was made before.
    async fn begin(store: Arc<dyn Store>, receiver: broadcast::Receiver<Told>, after: Option<u64>) -> Result<Follower, StoreError> {
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
                    Ok(told) if told.seq() <= self.after => {}
                    Ok(Told::Result(committed)) if committed.seq == self.after + 1 => {
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
            let results = self.store.events(self.after, PAGE_LEN).await?;
            let announced = self.store.announced(self.after, PAGE_LEN).await?;
            self.page = merged(results, announced, highest);
            if self.page.is_empty() {
                return Ok((highest > self.after).then(|| self.gap(highest, reason)));
            }
        }
        let Some(item) = self.page.pop_front() else { return Ok(None) };
        if item.seq() > self.after + 1 {
            let gap = self.gap(item.seq() - 1, reason);
            self.page.push_front(item);
            return Ok(Some(gap));
        }
        self.after = item.seq();
        Ok(Some(item))
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
    use sickbay_core::alerting::{Fact, Outcome};
    use sickbay_core::{Reason, Status, Timestamp, Transition};
    use sickbay_store::{Document, Retention};

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
            assert!(sender.send(Told::Result(stored)).is_ok());
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
            assert!(sender.send(Told::Result(stored)).is_ok());
        }
        pruned(&host).await;
        assert_eq!(follower.next().await.unwrap(), Some(Item::Gap(Gap { from: 1, to: 9, reason: GapReason::Lagged })));
        let Some(Item::Result(newest)) = follower.next().await.unwrap() else { panic!("the newest is missing") };
        assert_eq!((newest.seq, newest.record.status), (10, Status::Ok));
    }

    /// Records of `api` that opens an incident with the second and ends it with the third.
    fn episode() -> Vec<sickbay_store::ResultRecord> {
        let (mut failed, mut recovered) = (record("api", 2), record("api", 3));
        (failed.status, failed.reason) = (Status::Critical, Reason::Reported { status: Status::Critical, failure: None });
        (failed.state.status, failed.state.hard_status) = (Status::Critical, Status::Critical);
        failed.transition = Some(Transition { from: Status::Ok, to: Status::Critical, at: failed.started_at });
        recovered.transition = Some(Transition { from: Status::Critical, to: Status::Ok, at: recovered.started_at });
        vec![record("api", 1), failed, recovered]
    }

    async fn told(events: &mut Events, count: usize) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        for _ in 0..count {
            let event = events.next().await;
            assert_eq!(event.data["seq"].as_u64(), event.id);
            let what = event.data["name"].as_str().map_or(event.name.clone(), |name| format!("{} {name}", event.name));
            told.push((event.id.unwrap_or_default(), what));
        }
        told
    }

    #[tokio::test]
    async fn incidents_are_told_in_the_same_sequence_live_and_again() {
        let host = Host::start(&two_checks()).await;
        let mut live = host.events(get("/api/v1/events")).await;
        // One commit each, so that results and lines take turns.
        for record in episode() {
            host.commit(vec![record]).await;
        }
        let first = told(&mut live, 6).await;
        let names: Vec<&str> = first.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(names[..5], ["result", "result", "incident Opened", "incident NobodyIsTold", "result"], "{first:?}");
        assert!(names[5].starts_with("incident Res"), "{first:?}");
        assert_eq!(first.iter().map(|(seq, _)| *seq).collect::<Vec<u64>>(), [1, 2, 3, 4, 5, 6]);
        let mut again = host.events(get("/api/v1/events?after=0")).await;
        assert_eq!(told(&mut again, 6).await, first);
        let mut third = host.events(get("/api/v1/events?after=2")).await;
        let opened = third.next().await;
        assert_eq!((opened.name.as_str(), opened.id), ("incident", Some(3)));
        assert_eq!((&opened.data["check"], &opened.data["alert"], &opened.data["severity"]), (&json!("api"), &json!("api"), &json!("P3")));
        assert_eq!((&opened.data["number"], &opened.data["text"]), (&json!(1), &json!("opened: critical")));
    }

    #[tokio::test]
    async fn the_end_of_a_delivery_is_told() {
        let sink = "[[sink]]\nname = \"oncall\"\nplugin = \"webhook\"\n[route]\ngroup_wait = \"0s\"\n";
        let host = Host::start(&format!("{sink}{}", two_checks())).await;
        let mut live = host.events(get("/api/v1/events")).await;
        let mut records = episode();
        records.truncate(2);
        host.commit(records).await;
        let alerts = &host.live.alerts;
        alerts.tell(Fact::Tick).await.unwrap();
        let delivery = alerts.read(|alerting| alerting.due_deliveries(crate::clock::now()).next()).expect("it is to be told");
        alerts.tell(Fact::Attempting { delivery }).await.unwrap();
        alerts.tell(Fact::DeliveryEnded { delivery, attempt: 1, outcome: Outcome::Refused { error: "no".to_owned() } }).await.unwrap();
        let ended = loop {
            let event = live.next().await;
            if event.name == "delivery" {
                break event;
            }
        };
        assert_eq!((&ended.data["id"], &ended.data["state"]), (&json!(delivery.to_string()), &json!("refused")));
        assert_eq!(ended.data["seq"].as_u64(), ended.id);
    }

    #[test]
    fn what_is_read_of_both_ends_where_either_may_have_more() {
        let result = |seq: u64| Committed { seq, record: Arc::new(record("api", seq)) };
        let line = |seq: u64| {
            let (id, parent, body) = (seq.to_string(), String::new(), "{}".to_owned());
            Announced { seq, document: Document { kind: Kind::Event, id, parent, at: Timestamp(seq), open: false, body } }
        };
        let seqs = |items: VecDeque<Item>| items.iter().map(Item::seq).collect::<Vec<u64>>();
        assert_eq!(seqs(merged(vec![result(1), result(4)], vec![line(2), line(3), line(9)], 8)), [1, 2, 3, 4]);
        let full: Vec<Committed> = (1..=u64::from(PAGE_LEN)).map(result).collect();
        let end = u64::from(PAGE_LEN);
        assert_eq!(seqs(merged(full, vec![line(end + 1), line(end + 2)], end + 9)).last(), Some(&end));
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
