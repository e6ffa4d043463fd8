//! Requests over `wasi:http`, by the same door as those of the contract's `http`: the same bounds ([`Outgoing`]), the same policy and
//! addresses ([`client::exchange`]), the same limits of the run and the same deadline.
//!
//! How: the guest goes on while its request is under way. The answer is read whole before the guest sees it. `wasi:http` has no words for
//! the line that would allow a request: it is told with the guest's failure, and in the log. A guest that takes a denial for a failure of
//! the service, and reports it so, is not believed: its report becomes such a failure (`Lend::denied_aside`).
//!
//! Limits: no redirect is followed; a body of more than 1 MiB, either way, is an error, never a part of it.

use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, HeaderName, Response, header};
use bytes::Bytes;
use sickbay_runtime::outgoing::{Body, Exchange, Refusal, Request};
use tokio::time::{Instant, timeout_at};

use super::client::{self, Means};
use super::request::{ANSWER_BODY_BYTES_MAX, Outgoing, Terms, is_ours, to_text};
use crate::contract::http as contract;
use crate::denial::{Capability, Denial, DenialReason};
use crate::failure::Failure;
use crate::lent::Lent;
use crate::tls::Trust;

/// The length is the guest's to tell: WASI holds the body against it, and it is told anew.
pub(crate) fn forbids_header(name: &HeaderName) -> bool {
    (is_ours(name) && *name != header::CONTENT_LENGTH) || *name == header::UPGRADE
}

/// Counts the request; the rest happens when the exchange is waited for.
pub(crate) fn begin(lent: &mut Lent, request: Request) -> Exchange {
    let Request { head, body, timeout } = request;
    let admitted = admit(lent, head);
    let terms = Terms { timeout, redirects_max: 0, body_bytes_max: answer_bytes_max(), trust: Trust::Required, connect_to: None };
    let means = lent.means(terms);
    let denials = Arc::clone(&lent.denials_aside);
    Box::pin(async move {
        let answer = match admitted {
            Ok(outgoing) => finish(means, outgoing, body).await,
            Err(failure) => Err(failure),
        };
        answer.map_err(|failure| refusal(failure, &denials))
    })
}

fn admit(lent: &mut Lent, head: ::http::request::Parts) -> Result<Outgoing, Failure> {
    lent.meter.call(Capability::Http)?;
    let headers = head.headers.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH);
    let outgoing = Outgoing::new(contract::Request {
        method: head.method.as_str().to_owned(),
        url: head.uri.to_string(),
        headers: headers.map(|(name, value)| contract::Header { name: name.as_str().to_owned(), value: to_text(value) }).collect(),
        body: None,
    })?;
    lent.meter.send(outgoing.bytes())?;
    Ok(outgoing)
}

async fn finish(mut means: Means, mut outgoing: Outgoing, body: Body) -> Result<Response<Bytes>, Failure> {
    let began = Instant::now();
    let body = timeout_at(means.run_deadline, body).await;
    let body = body.map_err(|_| Failure::Timeout("the guest did not write the request's body in time".to_owned()))?;
    outgoing.body = body.map_err(|refusal| match refusal {
        Refusal::Invalid(message) => Failure::Invalid(message),
        Refusal::RequestTooLarge => Failure::Invalid("the body is larger than 1 MiB".to_owned()),
        other => Failure::Other(format!("{other:?}")),
    })?;
    means.purse.send(u64::try_from(outgoing.body.len()).unwrap_or(u64::MAX))?;
    means.terms.timeout = means.terms.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
    let answer = client::exchange(means, outgoing).await?;
    if answer.content.truncated {
        return Err(Failure::Protocol(TOO_LARGE.to_owned()));
    }
    let mut response = Response::new(Bytes::from(answer.content.bytes));
    *response.status_mut() = answer.status.try_into().map_err(|_| Failure::Protocol("the status is none".to_owned()))?;
    *response.headers_mut() = shown(answer.headers);
    Ok(response)
}

const TOO_LARGE: &str = "the answer's body is larger than 1 MiB";

/// Without what told of the connection and the framing, which are gone.
fn shown(mut headers: HeaderMap) -> HeaderMap {
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::TRAILER, header::UPGRADE] {
        headers.remove(name);
    }
    headers
}

fn answer_bytes_max() -> usize {
    usize::try_from(ANSWER_BODY_BYTES_MAX).unwrap_or(usize::MAX)
}

/// In the words of `wasi:http`. A denial is kept for the run.
fn refusal(failure: Failure, denials: &Mutex<Vec<Denial>>) -> Refusal {
    match failure {
        Failure::Denied(denial) => {
            let reason = denial.reason;
            denials.lock().unwrap_or_else(PoisonError::into_inner).push(denial);
            match reason {
                DenialReason::PrivateAddress | DenialReason::ForbiddenAddress => Refusal::Address,
                DenialReason::NotGranted | DenialReason::Redirect | DenialReason::Unsupported => Refusal::Denied,
            }
        }
        Failure::Quota(exceeded) => Refusal::Invalid(exceeded.to_string()),
        Failure::Invalid(message) | Failure::Host(message) => Refusal::Invalid(message),
        Failure::Dns(_) => Refusal::Dns,
        Failure::Refused(_) => Refusal::Refused,
        Failure::Connect(_) => Refusal::Connect,
        Failure::Tls(_) => Refusal::Tls,
        Failure::Timeout(_) => Refusal::Timeout,
        Failure::Protocol(message) if message == TOO_LARGE => Refusal::ResponseTooLarge(ANSWER_BODY_BYTES_MAX.into()),
        Failure::Protocol(_) => Refusal::Protocol,
        Failure::Other(message) => Refusal::Other(message),
    }
}
