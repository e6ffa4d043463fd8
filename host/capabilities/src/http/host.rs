//! The contract's `http` on a run: counts, translates, and waits for the exchange.

use std::sync::Arc;

use ::http::HeaderMap;
use sickbay_runtime::HostResult;

use super::client::{self, Answer, Means, Passed};
use super::converse::version_name;
use super::request::{Outgoing, Terms, to_text};
use crate::contract::http::{Header, Host, HttpError, Options, Redirect, Request, Response};
use crate::contract::types;
use crate::denial::Capability;
use crate::dial::{Timings, UNEXPECTED};
use crate::failure::Failure;
use crate::lent::Lent;
use crate::own_task::OwnTask;
use crate::tls::{Certificate, Session};

/// Requests of one `send-many`.
const REQUESTS_MAX: usize = 16;

impl Host for Lent {
    async fn send(&mut self, request: Request, options: Options) -> HostResult<Result<Response, HttpError>> {
        let exchange = self.admit(request, &options).map(|admitted| self.begin(admitted));
        let answer = finish(exchange).await;
        Ok(self.tell(answer))
    }

    async fn send_many(&mut self, requests: Vec<Request>, options: Options) -> HostResult<Vec<Result<Response, HttpError>>> {
        if requests.len() > REQUESTS_MAX {
            let message = match self.meter.call(Capability::Http) {
                Ok(()) => format!("{} requests at once, at most {REQUESTS_MAX} are sent", requests.len()),
                Err(exceeded) => return Ok(requests.iter().map(|_| Err(HttpError::Quota(exceeded.to_string()))).collect()),
            };
            return Ok(requests.iter().map(|_| Err(HttpError::Invalid(message.clone()))).collect());
        }
        let admitted: Vec<_> = requests.into_iter().map(|request| self.admit(request, &options)).collect();
        // When all first requests are paid for, all are under way before the first is waited for.
        let exchanges: Vec<_> = admitted.into_iter().map(|admitted| admitted.map(|admitted| self.begin(admitted))).collect();
        let mut answers = Vec::with_capacity(exchanges.len());
        for exchange in exchanges {
            let answer = finish(exchange).await;
            answers.push(self.tell(answer));
        }
        Ok(answers)
    }
}

type Exchange = OwnTask<Result<Answer, Failure>>;

async fn finish(exchange: Result<Exchange, Failure>) -> Result<Answer, Failure> {
    exchange?.ended().await.unwrap_or_else(|| Err(Failure::Host(UNEXPECTED.to_owned())))
}

impl Lent {
    /// Holds a request against the bounds of the contract and counts it.
    fn admit(&mut self, request: Request, options: &Options) -> Result<(Outgoing, Terms), Failure> {
        self.meter.call(Capability::Http)?;
        let terms = Terms::new(options)?;
        let outgoing = Outgoing::new(request)?;
        self.meter.send(outgoing.bytes())?;
        Ok((outgoing, terms))
    }

    fn begin(&self, (outgoing, terms): (Outgoing, Terms)) -> Exchange {
        OwnTask::spawn(client::exchange(self.means(terms), outgoing))
    }

    pub(super) fn means(&self, terms: Terms) -> Means {
        Means {
            services: Arc::clone(&self.services),
            grants: Arc::clone(&self.grants),
            plugin: Arc::clone(&self.scope.plugin),
            terms,
            purse: self.meter.purse(),
            run_deadline: self.scope.deadline,
            secrets: self.secrets.clone(),
        }
    }

    fn tell(&mut self, answer: Result<Answer, Failure>) -> Result<Response, HttpError> {
        match answer {
            Ok(answer) => Ok(answer.into()),
            Err(failure) => Err(self.tell_failure(failure)),
        }
    }

    fn tell_failure(&mut self, failure: Failure) -> HttpError {
        match failure {
            Failure::Denied(denial) => HttpError::Denied(self.deny(denial)),
            Failure::Invalid(message) | Failure::Host(message) => HttpError::Invalid(message),
            Failure::Quota(exceeded) => HttpError::Quota(exceeded.to_string()),
            Failure::Dns(message) => HttpError::Dns(message),
            Failure::Refused(message) => HttpError::Refused(message),
            Failure::Connect(message) => HttpError::Connect(message),
            Failure::Tls(message) => HttpError::Tls(message),
            Failure::Timeout(message) => HttpError::Timeout(message),
            Failure::Protocol(message) => HttpError::Protocol(message),
            Failure::Other(message) => HttpError::Other(message),
        }
    }
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Response {
        Response {
            status: answer.status,
            version: version_name(answer.version).to_owned(),
            headers: to_headers(&answer.headers),
            body: answer.content.bytes,
            truncated: answer.content.truncated,
            url: answer.url.into(),
            redirects: answer.redirects.into_iter().map(Redirect::from).collect(),
            timings: to_timings(answer.timings, answer.total_us),
            peer: answer.peer.map(|peer| peer.to_string()),
            tls: answer.tls.map(types::TlsSession::from),
            extras: Vec::new(),
        }
    }
}

impl From<Passed> for Redirect {
    fn from(passed: Passed) -> Redirect {
        Redirect { status: passed.status, url: passed.url.into(), headers: to_headers(&passed.headers) }
    }
}

impl From<Session> for types::TlsSession {
    fn from(session: Session) -> types::TlsSession {
        types::TlsSession {
            version: session.version.to_owned(),
            cipher: session.cipher,
            untrusted: session.untrusted.map(str::to_owned),
            chain: session.chain.into_iter().map(types::Certificate::from).collect(),
        }
    }
}

impl From<Certificate> for types::Certificate {
    fn from(certificate: Certificate) -> types::Certificate {
        types::Certificate {
            subject: certificate.subject,
            issuer: certificate.issuer,
            dns_names: certificate.dns_names,
            not_before: certificate.not_before_ms,
            not_after: certificate.not_after_ms,
            sha256: certificate.sha256,
        }
    }
}

fn to_timings(timings: Timings, total_us: u32) -> types::Timings {
    let Timings { dns_us, connect_us, tls_us, first_byte_us } = timings;
    types::Timings { dns_us, connect_us, tls_us, first_byte_us, total_us }
}

fn to_headers(headers: &HeaderMap) -> Vec<Header> {
    headers.iter().map(|(name, value)| Header { name: name.as_str().to_owned(), value: to_text(value) }).collect()
}
