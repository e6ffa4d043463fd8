//! From a granted host to a connection: resolve, judge every address, dial exactly those that may be dialled.
//!
//! Invariant: there is one lookup per connection; what it gave is judged and dialled, in its order, and never looked up again.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::denial::Capability;
use crate::egress::{self, Named};
use crate::failure::Failure;
use crate::services::Services;

/// What an exchange is waiting for; a timeout names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Dns,
    Connect,
    Tls,
    FirstByte,
    Body,
    /// A thread of Sickbay's own, whatever the target does.
    Own,
}

impl Phase {
    /// What a deadline that ended an exchange in this phase is told as.
    pub(crate) fn timed_out(self, host: &str, port: u16, within: Duration) -> Failure {
        let ms = within.as_millis();
        Failure::Timeout(match self {
            Phase::Own => return late(&format!("{host}:{port}"), within),
            Phase::Dns => format!("`{host}` was not resolved within {ms} ms (dns); hint: do the servers in `/etc/resolv.conf` answer?"),
            Phase::Connect => {
                format!("no connection to {host}:{port} within {ms} ms (connect); hint: is it up, or does a firewall drop packets?")
            }
            Phase::Tls => {
                format!("no TLS handshake with {host}:{port} within {ms} ms (tls); hint: the connection stands; does that port speak TLS?")
            }
            Phase::FirstByte => {
                format!("no answer from {host}:{port} within {ms} ms (first byte); hint: the connection stands; is the service overloaded?")
            }
            Phase::Body => format!("the answer from {host}:{port} was not whole within {ms} ms (body)"),
        })
    }
}

/// For a call towards `target` that ended while it waited for a thread of Sickbay's own.
pub(crate) fn late(target: &str, within: Duration) -> Failure {
    let ms = within.as_millis();
    Failure::Host(format!(
        "the {ms} ms of a call to {target} ended while it waited for a thread of Sickbay itself; \
         hint: raise `timeout`, or have fewer checks run at the same time"
    ))
}

/// The work of a call ended without an answer: told as the host's, and its log says why.
pub(crate) const UNEXPECTED: &str =
    "the work of a call ended unexpectedly; hint: the log of Sickbay tells why, and it is a defect of Sickbay";

/// Microseconds that each phase took, of the last connection where there were several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timings {
    pub(crate) dns_us: Option<u32>,
    pub(crate) connect_us: Option<u32>,
    pub(crate) tls_us: Option<u32>,
    /// From the first byte sent to the whole header block received.
    pub(crate) first_byte_us: Option<u32>,
}

/// How far an exchange has come: kept outside of it, so that it is known when a deadline ends it.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    pub(crate) timings: Timings,
}

impl Progress {
    pub(crate) fn new() -> Progress {
        Progress { phase: Phase::Dns, timings: Timings::default() }
    }
}

/// Microseconds since `earlier`, at most 71 minutes.
pub(crate) fn microseconds_since(earlier: Instant) -> u32 {
    u32::try_from(earlier.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Whom to dial, and what the grant says of the address.
pub(crate) struct Destination<'name> {
    pub(crate) capability: Capability,
    /// For whom.
    pub(crate) plugin: &'name Arc<str>,
    pub(crate) host: &'name str,
    /// The host, where it is an address.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) named: Named,
}

/// Ends at `deadline` only as far as it divides its time among addresses: the caller bounds the whole.
pub(crate) async fn dial(
    services: &Services,
    destination: &Destination<'_>,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let Destination { capability, plugin, host, address, port, named } = *destination;
    if let Some(address) = address {
        let address = SocketAddr::new(address, port);
        egress::admit_one(capability, address, named, &services.egress)?;
        return connect(destination, &[address], deadline, progress).await;
    }
    let started = Instant::now();
    progress.phase = Phase::Dns;
    let addresses = services.resolver.addresses(plugin, host).await?;
    progress.timings.dns_us = Some(microseconds_since(started));
    let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let addresses = egress::admit(capability, host, addresses, named, &services.egress)?;
    connect(destination, &addresses, deadline, progress).await
}

async fn connect(
    destination: &Destination<'_>,
    addresses: &[SocketAddr],
    deadline: Instant,
    progress: &mut Progress,
) -> Result<(TcpStream, SocketAddr), Failure> {
    let started = Instant::now();
    progress.phase = Phase::Connect;
    let connected = connect_to_any(addresses, deadline).await.map_err(|error| unconnected(destination, &error))?;
    progress.timings.connect_us = Some(microseconds_since(started));
    Ok(connected)
}

/// Tries one after the other; each but the last gets its share of the time that is left, so that one that swallows packets does not
/// use up all of it.
pub(crate) async fn connect_to_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (index, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let attempt = TcpStream::connect(address);
        let outcome = if left == 1 {
            attempt.await
        } else {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            timeout(share, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        match outcome.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok((stream, address)),
            // That one of them is refused tells more than that another cannot be reached from here.
            Err(error) if last.kind() != io::ErrorKind::ConnectionRefused => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

fn unconnected(destination: &Destination<'_>, error: &io::Error) -> Failure {
    let Destination { host, port, .. } = destination;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused(format!("{host}:{port} refused the connection")),
        kind => Failure::Connect(format!("no connection to {host}:{port}: {kind}")),
    }
}
