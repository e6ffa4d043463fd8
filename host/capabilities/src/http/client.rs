//! One exchange from the guest's request to the answer: authorise, dial, TLS, converse, and again for every redirect.
//!
//! Invariant: [`hop`] is the only way to the network, and it asks the policy first; a redirect is paid for before it is followed. What is
//! dialled in place of the URL's host is asked for at `net` too.
//! Invariant: an exchange ends at its deadline in whatever phase it is; dropping it closes its socket.

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Request, Uri, Version, header, response::Parts};
use bytes::Bytes;
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;
use url::Url;

use super::converse::{self, Content};
use super::grant::Scheme;
use super::policy::{self, Target};
use super::redirect::{self, BodyRule, Origin, Step};
use super::request::{ConnectionHeader, Outgoing, Terms};
use crate::denial::Capability;
use crate::dial::{self, Destination, Phase, Progress, Timings, UNEXPECTED, microseconds_since};
use crate::failure::Failure;
use crate::grants::Grants;
use crate::net::{self, Caller, Place, Security};
use crate::purse::Purse;
use crate::secrets::{self, FilledRequest, Placeholders};
use crate::services::Services;
use crate::tls::{self, Session};

/// What came of a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    /// Of the answer: the last one where redirects were followed.
    pub(super) url: Url,
    pub(super) redirects: Vec<Passed>,
    pub(super) timings: Timings,
    pub(super) total_us: u32,
    /// None for a UNIX socket.
    pub(super) peer: Option<SocketAddr>,
    pub(super) tls: Option<Session>,
}

/// A redirect that was followed.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) status: u16,
    /// That answered with it.
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

/// What an exchange has of its run, and how it is to go.
pub(super) struct Means {
    pub(super) services: Arc<Services>,
    pub(super) grants: Arc<Grants>,
    pub(super) plugin: Arc<str>,
    pub(super) terms: Terms,
    /// The run's; the first request is paid for already.
    pub(super) purse: Arc<Purse>,
    pub(super) run_deadline: Instant,
    pub(super) secrets: Placeholders,
}

/// Runs the whole exchange, at most until the deadline of the run.
pub(super) async fn exchange(means: Means, outgoing: Outgoing) -> Result<Answer, Failure> {
    let started = Instant::now();
    let own = means.terms.timeout.and_then(|timeout| started.checked_add(timeout));
    let deadline = own.map_or(means.run_deadline, |own| own.min(means.run_deadline));
    let mut progress = Progress::new();
    let mut outgoing = outgoing;
    let outcome = {
        let travel = travel(&means, &mut outgoing, deadline, &mut progress);
        timeout_at(deadline, travel).await
    };
    match outcome {
        Ok(Ok(mut answer)) => {
            answer.total_us = microseconds_since(started);
            Ok(answer)
        }
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            let within = deadline.saturating_duration_since(started);
            if let Some(place) = elsewhere(&means, &outgoing) {
                return Err(place.timed_out(progress.phase, within));
            }
            let host = outgoing.url.host_str().unwrap_or_default();
            let port = outgoing.url.port_or_known_default().unwrap_or_default();
            Err(progress.phase.timed_out(host, port, within))
        }
    }
}

/// Hop after hop, until one is no redirect or the last that may be followed. `outgoing` is always the request under way.
async fn travel(means: &Means, outgoing: &mut Outgoing, deadline: Instant, progress: &mut Progress) -> Result<Answer, Failure> {
    let mut redirects: Vec<Passed> = Vec::new();
    loop {
        let redirects_left = usize::from(means.terms.redirects_max) - redirects.len();
        let reached = hop(means, outgoing, redirects_left, deadline, progress).await;
        let (peer, tls, mut head, end) = match reached {
            Err(Failure::Denied(denial)) if !redirects.is_empty() => return Err(denial.behind_redirect().into()),
            // The server wrote that URL, not the guest.
            Err(Failure::Invalid(why)) if !redirects.is_empty() => return Err(Failure::Protocol(format!("a redirect leads on: {why}"))),
            reached => reached?,
        };
        means.secrets.mask_headers(&mut head.headers);
        match end {
            End::Redirect(step) => {
                let url = turn(means, outgoing, step)?;
                redirects.push(Passed { status: head.status.as_u16(), url, headers: head.headers });
                progress.timings = Timings::default();
                means.purse.send(outgoing.bytes())?;
            }
            End::Content(content) => {
                let end = if content.truncated { secrets::End::Cut } else { secrets::End::Whole };
                let (body, bytes_max) = (content.bytes, means.terms.body_bytes_max);
                // The server has done its part.
                progress.phase = Phase::Own;
                let masking =
                    means.services.masking.run(&means.secrets, body.len(), move |secrets| secrets.mask_body(body, end, bytes_max));
                let masked = masking.await;
                let (bytes, end) = masked.ok_or_else(|| Failure::Host(UNEXPECTED.to_owned()))?;
                let content = Content { bytes, truncated: end == secrets::End::Cut };
                return Ok(Answer {
                    status: head.status.as_u16(),
                    version: head.version,
                    headers: head.headers,
                    content,
                    url: outgoing.url.clone(),
                    redirects,
                    timings: progress.timings,
                    total_us: 0,
                    peer,
                    tls,
                });
            }
        }
    }
}

/// How a hop ends.
enum End {
    Redirect(Step),
    Content(Content),
}

type Reached = (Option<SocketAddr>, Option<Session>, Parts, End);

/// What is dialled in place of the URL's host. Another origin is another server.
fn elsewhere<'means>(means: &'means Means, outgoing: &Outgoing) -> Option<&'means Place> {
    means.terms.connect_to.as_ref().filter(|_| outgoing.origin == Origin::Same)
}

/// One request to one server. Where redirects are left, the body of one is not read.
async fn hop(
    means: &Means,
    outgoing: &Outgoing,
    redirects_left: usize,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<Reached, Failure> {
    let target = Target::of(&outgoing.url)?;
    let named = policy::authorise(&means.grants.http, outgoing.method.as_str(), &target)?;
    let filled = match outgoing.origin {
        Origin::Same => {
            let Outgoing { method, url, headers, body, .. } = outgoing;
            means.secrets.fill_request(&means.grants.secrets, method.as_str(), url, headers, body)?
        }
        Origin::Crossed => None,
    };
    if let Some(filled) = &filled {
        means.purse.send(filled.bytes_added)?;
    }
    let request = to_request(outgoing, filled.as_ref(), &target)?;
    let host = outgoing.url.host_str().unwrap_or_default();
    let (address, port) = (target.address(), target.port);
    let destination = Destination { capability: Capability::Http, plugin: &means.plugin, host, address, port, named };
    let ready = Ready { means, outgoing, destination: &destination, request, has_secrets: filled.is_some(), redirects_left };
    if let Some(place) = elsewhere(means, outgoing) {
        // Nobody proves there to be the URL's host but by its certificate.
        if ready.has_secrets && target.scheme == Scheme::Http {
            let why =
                format!("no secret is sent in plain to {place} in place of {host}:{port}; hint: ask by https, or leave `connect-to` out");
            return Err(Failure::Invalid(why));
        }
        let security = match target.scheme {
            Scheme::Http => Security::Plain,
            Scheme::Https => Security::Tls,
        };
        let caller = caller(means);
        let (wire, peer) = Box::pin(net::dial_place(&caller, place, security, deadline, progress)).await?;
        return Box::pin(ready.over(wire, peer, target.scheme, progress)).await;
    }
    let (stream, peer) = dial::dial(&means.services, &destination, deadline, progress).await?;
    ready.over(stream, Some(peer), target.scheme, progress).await
}

fn caller(means: &Means) -> Caller {
    Caller {
        services: Arc::clone(&means.services),
        grants: Arc::clone(&means.grants),
        plugin: Arc::clone(&means.plugin),
        run_deadline: means.run_deadline,
    }
}

/// A request that may go out, before its connection.
struct Ready<'hop> {
    means: &'hop Means,
    outgoing: &'hop Outgoing,
    /// By the URL; a certificate is held against it, wherever it is dialled.
    destination: &'hop Destination<'hop>,
    request: Request<Full<Bytes>>,
    /// Some are filled in.
    has_secrets: bool,
    redirects_left: usize,
}

impl Ready<'_> {
    async fn over<S>(self, stream: S, peer: Option<SocketAddr>, scheme: Scheme, progress: &mut Progress) -> Result<Reached, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Ready { means, outgoing, destination, request, has_secrets, redirects_left } = self;
        match scheme {
            Scheme::Http => {
                let (head, end) = speak(stream, request, means, outgoing, redirects_left, progress).await?;
                Ok((peer, None, head, end))
            }
            Scheme::Https => {
                let (stream, session) = Box::pin(encrypt(stream, means, destination, progress)).await?;
                if has_secrets && session.untrusted.is_some() {
                    let Destination { host, port, .. } = destination;
                    return Err(Failure::Tls(format!("no secret is sent to {host}:{port}: its certificate is not trusted")));
                }
                // In a box: what TLS needs is large, and most requests would carry the room for it for nothing.
                let (head, end) = Box::pin(speak(stream, request, means, outgoing, redirects_left, progress)).await?;
                Ok((peer, Some(session), head, end))
            }
        }
    }
}

async fn encrypt<S>(
    stream: S,
    means: &Means,
    destination: &Destination<'_>,
    progress: &mut Progress,
) -> Result<(TlsStream<S>, Session), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Means { services, terms, .. } = means;
    let Destination { host, port, address, .. } = destination;
    let started = Instant::now();
    progress.phase = Phase::Tls;
    let name = tls::server_name(host, *address).ok_or_else(|| Failure::Tls(format!("`{host}` cannot be the name of a certificate")))?;
    let stream = services
        .tls
        .connector(terms.trust)
        .connect(name.clone(), stream)
        .await
        .map_err(|error| Failure::Tls(format!("{} ({host}:{port})", tls::explain(&error))))?;
    progress.timings.tls_us = Some(microseconds_since(started));
    let session = services.tls.describe(stream.get_ref().1, &name, terms.trust);
    Ok((stream, session))
}

async fn speak<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    means: &Means,
    outgoing: &Outgoing,
    redirects_left: usize,
    progress: &mut Progress,
) -> Result<(Parts, End), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let begun = converse::begin(stream, request, &means.purse, progress).await?;
    if redirects_left > 0 {
        let location = begun.head.headers.get(header::LOCATION).map(HeaderValue::as_bytes);
        let step = redirect::follow(begun.head.status.as_u16(), &outgoing.method, &outgoing.url, location)?;
        if let Some(step) = step {
            return Ok((begun.head, End::Redirect(step)));
        }
    }
    let (head, content) = converse::read_body(begun, means.terms.body_bytes_max, &means.purse, progress).await?;
    Ok((head, End::Content(content)))
}

/// Makes `outgoing` the request that follows a redirect; gives back the URL that was left.
fn turn(means: &Means, outgoing: &mut Outgoing, mut step: Step) -> Result<Url, Failure> {
    outgoing.headers.retain(|(name, _)| redirect::keeps(&step, name));
    if step.body == BodyRule::Drop {
        outgoing.body = Bytes::new();
    }
    if step.origin == Origin::Crossed {
        means.secrets.leave_origin(&mut outgoing.headers, &outgoing.body)?;
        outgoing.origin = Origin::Crossed;
    }
    // A server that repeats a secret in its answer does not tell it to the guest.
    means.secrets.mask_url(&mut step.url);
    outgoing.method = step.method;
    Ok(std::mem::replace(&mut outgoing.url, step.url))
}

/// The request as it goes out, with its secrets where it has any. Header values and the body are shared, not copied.
fn to_request(outgoing: &Outgoing, filled: Option<&FilledRequest>, target: &Target<'_>) -> Result<Request<Full<Bytes>>, Failure> {
    let unsendable = || Failure::Invalid("the URL cannot be sent in a request line".to_owned());
    let (path, given, body) = match filled {
        Some(filled) => (filled.target.as_str(), &filled.headers, &filled.body),
        None => (target.text, &outgoing.headers, &outgoing.body),
    };
    let mut headers = HeaderMap::with_capacity(given.len() + 3);
    headers.insert(header::HOST, host_value(target).ok_or_else(unsendable)?);
    let connection = match outgoing.connection {
        ConnectionHeader::Close => "close",
        ConnectionHeader::Upgrade => "Upgrade",
    };
    headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
    for (name, value) in given {
        headers.append(name.clone(), value.clone());
    }
    // An empty body is told only where a body would be expected.
    if body.is_empty() && matches!(outgoing.method.as_str(), "POST" | "PUT" | "PATCH") {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = outgoing.method.clone();
    *request.uri_mut() = Uri::try_from(path).map_err(|_| unsendable())?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The host as the URL has it, with the port where it is not the scheme's.
fn host_value(target: &Target<'_>) -> Option<HeaderValue> {
    let host = &target.host;
    let text = if target.port == target.scheme.port() { host.to_string() } else { format!("{host}:{}", target.port) };
    HeaderValue::try_from(text).ok()
}
