//! From a target to a connection: authorise, dial, TLS.
//!
//! Invariant: [`dial_place`] is the only way to a connection, also for `connect-to` of `http`, and it asks the policy first.
//! Invariant: connecting ends at its deadline in whatever phase it is; dropping it closes its socket.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use url::Host;

use super::dialogue::Dialogue;
use super::host_pattern::literal;
use super::target::{Place, Target};
use super::wire::{Wire, encrypt};
use super::{Security, deadline, policy, unix};
use crate::denial::Capability;
use crate::dial::{self, Destination, Phase, Progress, Timings, microseconds_since};
use crate::egress::Named;
use crate::failure::Failure;
use crate::grants::Grants;
use crate::services::Services;
use crate::tls::Session;

/// What is known of a connection since it stands.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// Address and port that answered, or the path of the socket.
    pub(super) peer: String,
    pub(super) timings: Timings,
    pub(super) total_us: u32,
    pub(super) tls: Option<Session>,
}

/// On whose behalf something goes out.
pub(crate) struct Caller {
    pub(crate) services: Arc<Services>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) plugin: Arc<str>,
    pub(crate) run_deadline: Instant,
}

pub(super) async fn open(caller: Caller, target: Target) -> Result<(Dialogue, Opened), Failure> {
    let began = Instant::now();
    let deadline = deadline(target.time, caller.run_deadline);
    let mut progress = Progress::new();
    let reached = timeout_at(deadline, reach(&caller, &target, deadline, &mut progress)).await;
    let Ok(reached) = reached else {
        return Err(target.place.timed_out(progress.phase, deadline.saturating_duration_since(began)));
    };
    let (wire, peer, tls) = reached?;
    let opened = Opened { peer, timings: progress.timings, total_us: microseconds_since(began), tls };
    Ok((Dialogue::new(wire, target), opened))
}

type Reached = (Wire, String, Option<Session>);

async fn reach(caller: &Caller, target: &Target, deadline: Instant, progress: &mut Progress) -> Result<Reached, Failure> {
    let (wire, peer) = dial_place(caller, &target.place, target.security, deadline, progress).await?;
    let peer = peer.map_or_else(|| target.place.to_string(), |peer| peer.to_string());
    // `Target` has a name wherever it has TLS.
    let (Security::Tls, Some(name)) = (target.security, &target.server_name) else { return Ok((wire, peer, None)) };
    let began = Instant::now();
    progress.phase = Phase::Tls;
    let (wire, session) = encrypt(&caller.services, wire, name, target.trust, &target.place).await?;
    progress.timings.tls_us = Some(microseconds_since(began));
    Ok((wire, peer, Some(session)))
}

/// Authorised, judged and connected to; nothing is said yet, also where it begins with TLS. The address is none for a UNIX socket.
pub(crate) async fn dial_place(
    caller: &Caller,
    place: &Place,
    security: Security,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<(Wire, Option<SocketAddr>), Failure> {
    let named = policy::authorise(&caller.grants.net, &place.asked(security))?;
    match place {
        Place::Host { host, port } => {
            let (wire, peer) = dial_host(caller, host, *port, named, deadline, progress).await?;
            Ok((wire, Some(peer)))
        }
        Place::Socket(path) => Ok((dial_socket(caller, path, progress).await?, None)),
    }
}

async fn dial_host(
    caller: &Caller,
    host: &Host,
    port: u16,
    named: Named,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<(Wire, SocketAddr), Failure> {
    let address = literal(host);
    let host = host.to_string();
    let destination = Destination { capability: Capability::Net, plugin: &caller.plugin, host: &host, address, port, named };
    let (stream, peer) = dial::dial(&caller.services, &destination, deadline, progress).await?;
    let wire: Wire = Box::new(stream);
    Ok((wire, peer))
}

async fn dial_socket(caller: &Caller, path: &str, progress: &mut Progress) -> Result<Wire, Failure> {
    let began = Instant::now();
    let found = unix::find(path, &mut progress.phase).await?;
    policy::authorise_real(&caller.grants.net, path, found.real.as_deref())?;
    let wire: Wire = Box::new(found.connect(path).await?);
    progress.timings.connect_us = Some(microseconds_since(began));
    Ok(wire)
}
