//! What stands round every route: bounds on bodies, time and requests at once, a net under panics, and the headers that keep browsers
//! careful.
//!
//! Invariant: a handler sees a body that is whole, bounded and in memory.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::audit::Trace;
use super::guard::WITHOUT_TOKEN;
use super::places::{Place, REQUESTS_MAX};
use super::problem::{Problem, ProblemKind};
use super::v2;

/// No request of this API needs more, but posted alerts.
pub(crate) const REQUEST_BODY_BYTES_MAX: usize = 64 * 1024;
/// Of a body that is too long, beyond what is too long: read and thrown away, so that the client has sent it and hears why it was refused.
const DISCARDED_BYTES_MAX: usize = 4 << 20;
/// From the request's head to the last byte of its body.
pub(crate) const REQUEST_BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// From the whole request to the answer, where the path sets no time of its own.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// Everything comes from this server, and nothing of it is a script or may stand in a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Headers of every answer. `Cache-Control` stays where a handler has set it.
pub(crate) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A panic ends its request with a problem, not its connection without one. The panic hook has logged it.
pub(crate) async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => Problem::new(ProblemKind::Internal, "the request was given up half-way")
            .hint("see the log of `sickbay serve`, and report it please")
            .into_response(),
    }
}

/// Reads the whole body before the handler runs. There is room for so many long ones, from when more than a short one has come until they are
/// answered: whoever only says that he will send one keeps nobody from it.
pub(crate) async fn bounded_body(State(long_bodies): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let bytes_max = v2::body_bytes_max(parts.uri.path());
    let mut room = None;
    let read = read_whole(body, bytes_max, &long_bodies, &mut room);
    match tokio::time::timeout(REQUEST_BODY_TIME_MAX, read).await {
        Ok(Read::Whole(bytes)) => {
            let bytes = Bytes::from(bytes);
            if let Some(trace) = parts.extensions.get::<Trace>() {
                trace.sent(&bytes);
            }
            next.run(Request::from_parts(parts, Body::from(bytes))).await
        }
        Ok(Read::TooLong) => Problem::new(ProblemKind::BodyTooLarge, format!("the body is longer than {bytes_max} bytes")).into_response(),
        Ok(Read::Broken) => Problem::new(ProblemKind::BodyInvalid, "the body ended before its end").into_response(),
        Err(_elapsed) => {
            let seconds = REQUEST_BODY_TIME_MAX.as_secs();
            Problem::new(ProblemKind::BodyTimeout, format!("the body was not whole after {seconds} s")).into_response()
        }
    }
}

enum Read {
    Whole(Vec<u8>),
    TooLong,
    Broken,
}

/// Keeps at most `bytes_max`, and reads on for a while where there is more, unless the head says that it would not be enough.
async fn read_whole<'places>(
    mut body: Body,
    bytes_max: usize,
    long_bodies: &'places Semaphore,
    room: &mut Option<SemaphorePermit<'places>>,
) -> Read {
    if body.size_hint().lower() > bytes_max.saturating_add(DISCARDED_BYTES_MAX) as u64 {
        return Read::TooLong;
    }
    let mut bytes = Vec::new();
    let mut count: usize = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return if count > bytes_max { Read::TooLong } else { Read::Broken };
        };
        let Ok(data) = frame.into_data() else { continue };
        count = count.saturating_add(data.len());
        if count > REQUEST_BODY_BYTES_MAX && bytes_max > REQUEST_BODY_BYTES_MAX && room.is_none() {
            *room = long_bodies.acquire().await.ok();
        }
        if count <= bytes_max {
            bytes.extend_from_slice(&data);
        } else if count > bytes_max.saturating_add(DISCARDED_BYTES_MAX) {
            return Read::TooLong;
        } else {
            bytes = Vec::new();
        }
    }
    if count > bytes_max { Read::TooLong } else { Read::Whole(bytes) }
}

/// Takes one of the places for requests until the answer was sent. Supervisors and load balancers are answered also where none is left.
pub(crate) async fn bounded_requests(request: Request, next: Next) -> Response {
    let place = request.extensions().get::<Arc<Place>>().filter(|_| !WITHOUT_TOKEN.contains(&request.uri().path())).cloned();
    let Some(place) = place else { return next.run(request).await };
    let Some(busy) = place.begin() else {
        return Problem::new(ProblemKind::RequestsExhausted, format!("{REQUESTS_MAX} requests are being answered"))
            .hint("see which program asks so often, or so much at once")
            .into_response();
    };
    next.run(request).await.map(|body| busy.until_taken(body))
}

/// For paths that answer from memory or the store.
pub(crate) async fn bounded_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIME_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let seconds = ANSWER_TIME_MAX.as_secs();
            Problem::new(ProblemKind::RequestTimeout, format!("no answer was ready after {seconds} s")).into_response()
        }
    }
}
