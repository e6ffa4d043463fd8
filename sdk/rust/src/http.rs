//! HTTP requests, as far as `grants = { http = [...] }` allows.
//!
//! The host sends them: it authorises the URL and every address that it resolves to, measures the phases, reports the
//! certificate, and ends the call before the run's own deadline, so that a hung service is seen as a timeout of the service.
//!
//! ```
//! # use sickbay_sdk::prelude::*;
//! # fn run() -> Result<Report, Error> {
//! let response = http::get("https://api.internal/health").header("accept", "application/json").send()?;
//! let queue: Vec<String> = response.json()?;
//! # Ok(Report::ok("").metric("queued", queue.len() as f64, ""))
//! # }
//! ```

use std::borrow::Cow;
use std::fmt;
use std::time::UNIX_EPOCH;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::bindings::sickbay::plugin::http::{Header, HttpError, Options, Redirect, Request, Response};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::http::{send, send_many as send_all};
#[cfg(not(target_family = "wasm"))]
use crate::testing::{http_send as send, http_send_many as send_all};

use crate::{Error, clock};

/// The redirects that a call follows unless told otherwise.
pub const REDIRECTS_MAX_DEFAULT: u8 = 5;

/// Calls of one [`send_many`].
pub const CALLS_MAX: usize = 16;

/// Statuses below 500 that ask to come again: with another credential, which whoever runs the host can mend meanwhile, or later.
const STATUSES_PASSING: [u16; 6] = [401, 403, 407, 408, 425, 429];

/// A request that has not been sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub request: Request,
    pub options: Options,
}

/// A GET.
pub fn get(url: impl Into<String>) -> Call {
    call("GET", url)
}

/// A POST.
pub fn post(url: impl Into<String>) -> Call {
    call("POST", url)
}

/// Any method. A new connection, at most [`REDIRECTS_MAX_DEFAULT`] redirects, at most 64 KiB of body, only trusted certificates.
pub fn call(method: impl Into<String>, url: impl Into<String>) -> Call {
    Call {
        request: Request { method: method.into(), url: url.into(), headers: Vec::new(), body: None },
        options: Options {
            timeout_ms: None,
            redirects_max: REDIRECTS_MAX_DEFAULT,
            body_bytes_max: None,
            reuse: false,
            accept_untrusted: false,
            connect_to: None,
            extras: Vec::new(),
        },
    }
}

impl Call {
    /// Adds a header: at most 64, 32 KiB in all.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Call {
        self.request.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// Sets the body, at most 1 MiB.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Call {
        self.request.body = Some(body.into());
        self
    }

    /// Sets the body to JSON, and `content-type` where it is not set yet.
    pub fn json(self, body: &Value) -> Call {
        let is_told = self.request.headers.iter().any(|header| header.name.eq_ignore_ascii_case("content-type"));
        let call = if is_told { self } else { self.header("content-type", "application/json") };
        call.body(body.to_string())
    }

    /// Bounds the whole exchange; the run's deadline bounds it too.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Call {
        self.options.timeout_ms = Some(timeout_ms);
        self
    }

    /// 0 answers the redirect itself; at most 10.
    pub fn redirects_max(mut self, redirects_max: u8) -> Call {
        self.options.redirects_max = redirects_max;
        self
    }

    /// How much of the body is read, at most 1 MiB; `truncated` tells that there was more.
    pub fn body_bytes_max(mut self, body_bytes_max: u32) -> Call {
        self.options.body_bytes_max = Some(body_bytes_max);
        self
    }

    /// Goes on with a certificate that is not trusted; `tls.untrusted` says why it is not.
    pub fn accept_untrusted(mut self) -> Call {
        self.options.accept_untrusted = true;
        self
    }

    /// Sends it and waits for the whole answer. Any status is an answer, also 500.
    pub fn send(&self) -> Result<Response, HttpError> {
        send(&self.request, &self.options)
    }
}

/// Sends at most [`CALLS_MAX`] calls, all at once; the answers come in the order of the calls. The options are those of the first.
pub fn send_many(calls: &[Call]) -> Vec<Result<Response, HttpError>> {
    let Some(first) = calls.first() else { return Vec::new() };
    let requests: Vec<Request> = calls.iter().map(|call| call.request.clone()).collect();
    send_all(&requests, &first.options)
}

impl Response {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// The response itself where its status is 2xx; otherwise the service's fault: for a check a critical report with the failure `content`.
    pub fn error_for_status(self) -> Result<Response, StatusError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let retry_after_ms = self.header("retry-after").and_then(|after| wait_ms(after.trim()));
        Err(StatusError { status: self.status, retry_after_ms })
    }

    /// The body as text, with U+FFFD for what is not UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The body as JSON. Anything else is the service's fault: a critical report with the failure `content`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let mut message = String::from("the body is not the JSON that was expected: ");
            message.push_str(&error.to_string());
            if self.truncated {
                message.push_str(" (only the first part of the body was read)");
            }
            Error::service("content", message)
        })
    }

    /// From the first name lookup to the last byte of the body.
    pub fn latency_seconds(&self) -> f64 {
        seconds(self.timings.total_us)
    }
}

/// A status that is not 2xx, by [`Response::error_for_status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusError {
    pub status: u16,
    /// How long the service asked to wait, in seconds or until a date.
    pub retry_after_ms: Option<u32>,
}

impl StatusError {
    /// Whether the same request would be refused again: 400 to 499, other than 401, 403, 407, 408, 425 and 429.
    pub fn is_for_good(&self) -> bool {
        (400..500).contains(&self.status) && !STATUSES_PASSING.contains(&self.status)
    }
}

impl fmt::Display for StatusError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "HTTP {}", self.status)
    }
}

impl std::error::Error for StatusError {}

/// `Retry-After`: seconds, or the date until which to wait.
fn wait_ms(retry_after: &str) -> Option<u32> {
    let ms = match retry_after.parse::<u64>() {
        Ok(seconds) => seconds.saturating_mul(1000),
        Err(_) => {
            let at = httpdate::parse_http_date(retry_after).ok()?.duration_since(UNIX_EPOCH).ok()?;
            u64::try_from(at.as_millis()).ok()?.saturating_sub(clock::now_ms())
        }
    };
    Some(u32::try_from(ms).unwrap_or(u32::MAX))
}

/// Microseconds, as the contract measures phases, in the base unit of metrics.
pub fn seconds(microseconds: u32) -> f64 {
    f64::from(microseconds) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, response};

    #[test]
    fn a_header_is_found_whatever_its_case() {
        let mut response = response(200, "");
        response.headers.push(Header { name: "Retry-After".into(), value: "5".into() });
        assert_eq!(response.header("retry-after"), Some("5"));
        assert_eq!(response.header("location"), None);
    }

    #[test]
    fn json_is_sent_as_what_it_is_unless_the_caller_says_otherwise() {
        let body = serde_json::json!({ "a": 1 });
        let call = post("http://localhost/").json(&body);
        assert_eq!((call.request.method.as_str(), call.request.body.as_deref()), ("POST", Some(&b"{\"a\":1}"[..])));
        assert_eq!(call.request.headers, [Header { name: "content-type".into(), value: "application/json".into() }]);
        let call = post("http://localhost/").header("Content-Type", "application/x-ticket+json").json(&body);
        assert_eq!(call.request.headers.len(), 1);
    }

    #[test]
    fn several_calls_are_answered_in_their_order() {
        let mut host = FakeHost::default().http(Ok(response(200, ""))).http(Err(HttpError::Timeout("slow".into())));
        let answers = host.serve(|| send_many(&[get("http://localhost/a").timeout_ms(5), get("http://localhost/b")]));
        assert_eq!(answers, [Ok(response(200, "")), Err(HttpError::Timeout("slow".into()))]);
        let sent: Vec<_> = host.sent.iter().map(|call| (call.request.url.as_str(), call.options.timeout_ms)).collect();
        assert_eq!(sent, [("http://localhost/a", Some(5)), ("http://localhost/b", Some(5))]);
        assert!(send_many(&[]).is_empty());
    }

    #[test]
    fn a_status_that_is_not_2xx_is_an_error_that_says_when_to_come_again() {
        assert!(response(204, "").error_for_status().is_ok());
        let mut busy = response(429, "");
        busy.headers.push(Header { name: "retry-after".into(), value: "30".into() });
        assert_eq!(busy.error_for_status(), Err(StatusError { status: 429, retry_after_ms: Some(30_000) }));
        let for_good = |status| StatusError { status, retry_after_ms: None }.is_for_good();
        assert_eq!([400, 404, 410, 422].map(for_good), [true; 4]);
        assert_eq!([302, 401, 403, 407, 408, 425, 429, 500, 503].map(for_good), [false; 9]);
    }

    #[test]
    fn a_service_may_name_the_date_until_which_to_wait() {
        // Of 2026-01-01T00:00:00Z.
        let mut host = FakeHost { now_ms: 1_767_225_600_000, ..FakeHost::default() };
        for (written, expected_ms) in [
            ("Thu, 01 Jan 2026 00:02:00 GMT", Some(120_000)),
            ("Thursday, 01-Jan-26 00:00:07 GMT", Some(7_000)),
            ("Wed, 31 Dec 2025 23:59:59 GMT", Some(0)),
            ("Fri, 01 Jan 2027 00:00:00 GMT", Some(u32::MAX)),
            (" 30 ", Some(30_000)),
            ("99999999999999999999", None),
            ("soon", None),
            ("", None),
        ] {
            let mut busy = response(503, "");
            busy.headers.push(Header { name: "Retry-After".into(), value: written.into() });
            let waits = host.serve(|| busy.error_for_status()).expect_err("503").retry_after_ms;
            assert_eq!(waits, expected_ms, "{written}");
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_the_services_fault() {
        let error = response(200, "<html>").json::<Vec<u8>>().expect_err("not JSON");
        assert!(matches!(error, Error::Service { failure: "content", .. }), "{error}");
    }
}
