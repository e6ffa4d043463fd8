//! What becomes of a connection that was given up in the middle of a statement: its place stays taken until the server's side is gone too.
//!
//! How: the server is told to cancel, and that nobody will say anything more; what it still sends is thrown away until it closes. A
//! statement that takes no notice (a function can catch it, and begin anew) loses its backend: `pg_terminate_backend`, which a role may
//! call for its own, by number and time of its begin, so that nobody else's is meant. One that outlasts that too is left alone, and told
//! in the log. A server that does not even take the request answers nobody: then the place is free at once, for those who wait must hear
//! of the server and not of us.
//!
//! Limits: behind a pooler nothing of it is done, the backend is the pooler's. A backend that cannot be named (before a proxy that answers
//! for the server) is told to cancel, no more.
//!
//! Invariant: at most `connections_max` connections of a source are being ended, each for at most [`ENDING_MAX`], with one more connection
//! each.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::intake::Intake;
use super::session::Excess;
use super::source::{Place, Who};
use super::wire::{Parts, Wire};
use crate::services::Services;

/// That the server has to take the request, and then to follow it.
const GRACE: Duration = Duration::from_secs(1);
const ENDING_MAX: Duration = Duration::from_secs(5);
/// Of an answer that nobody wants. A server that sends more is cut off, and notices by that.
const DRAINED_BYTES_MAX: usize = 1 << 20;

/// Which backend a session has.
pub(super) const QUESTION: &str = "SELECT pid, (extract(epoch FROM backend_start) * 1000000)::bigint \
     FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())";

/// The server's side of a session, as far as it told of it.
#[derive(Clone, Copy, Default)]
pub(super) struct Backend {
    pub(super) key: Option<Key>,
    pub(super) identity: Option<Identity>,
}

/// With which a request to cancel is believed.
#[derive(Clone, Copy)]
pub(super) struct Key {
    process: u32,
    secret: u32,
}

impl Key {
    /// Out of the message in which a server tells it.
    pub(super) fn read(body: &[u8]) -> Option<Key> {
        let mut parts = Parts(body);
        Some(Key { process: parts.u32()?, secret: parts.u32()? })
    }
}

/// One backend and no other: numbers come again.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    process: i64,
    began_us: i64,
}

impl Identity {
    /// A row of [`QUESTION`].
    pub(super) fn read(row: &[u8]) -> Option<Identity> {
        let mut parts = Parts(row);
        parts.u16()?;
        let mut number = || -> Option<i64> { std::str::from_utf8(parts.value()??).ok()?.parse().ok() };
        Some(Identity { process: number()?, began_us: number()? })
    }

    fn terminate(self) -> String {
        let Identity { process, began_us } = self;
        format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_get_activity({process}) \
             WHERE (extract(epoch FROM backend_start) * 1000000)::bigint = {began_us}"
        )
    }
}

/// What a call that has a session keeps for its end.
pub(super) struct Hold {
    pub(super) place: Arc<Place>,
    pub(super) services: Arc<Services>,
    pub(super) plugin: Arc<str>,
    pub(super) check: Arc<str>,
}

/// Goes on by itself.
pub(super) fn begin(hold: Hold, wire: Wire, backend: Backend) {
    // Without a runtime the host ends, and its sockets with it.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(Box::pin(end(hold, wire, backend)));
    }
}

async fn end(hold: Hold, mut wire: Wire, backend: Backend) {
    let by = Instant::now() + ENDING_MAX;
    let Hold { place, services, plugin, check } = &hold;
    let who = Who { check, plugin, resolver: &services.resolver };
    // What cannot be said now is seen below: nobody closes.
    let _ = timeout(GRACE, wire.hang_up()).await;
    let asked = async {
        let is_heard = matches!(timeout(GRACE, cancel(place, who, backend.key, by)).await, Ok(Some(())));
        if is_heard {
            sleep(GRACE).await;
        }
        is_heard
    };
    let is_heard = tokio::select! {
        biased;
        () = wire.drain(DRAINED_BYTES_MAX) => return,
        is_heard = asked => is_heard,
    };
    if !is_heard {
        return;
    }
    let forced = async {
        terminate(place, who, backend.identity, by).await;
        sleep_until(by).await;
    };
    let is_gone = tokio::select! {
        biased;
        () = wire.drain(DRAINED_BYTES_MAX) => true,
        () = forced => false,
    };
    let (source, check, plugin) = (place.source_name(), &**check, &**plugin);
    if is_gone {
        tracing::warn!(source, check, plugin, "a statement took no notice of being cancelled; its session at the server was ended");
    } else {
        let seconds = ENDING_MAX.as_secs();
        tracing::warn!(
            source,
            check,
            plugin,
            "a statement may still run at the server: neither a cancel nor `pg_terminate_backend` ended it within {seconds} s"
        );
    }
}

/// None where nobody takes the request.
async fn cancel(place: &Place, who: Who<'_>, key: Option<Key>, by: Instant) -> Option<()> {
    let Some(Key { process, secret }) = key else { return Some(()) };
    let mut wire = Wire::new(place.stream(who, by).await.ok()?);
    let mut request = BytesMut::new();
    frontend::cancel_request(process.cast_signed(), secret.cast_signed(), &mut request);
    wire.send(&request).await;
    // It is not answered; whoever took it closes.
    wire.drain(0).await;
    Some(())
}

/// None where it could not be said.
async fn terminate(place: &Place, who: Who<'_>, identity: Option<Identity>, by: Instant) -> Option<()> {
    let sql = identity?.terminate();
    let mut session = place.dial(who, by).await.ok()?;
    session.put().query(&sql);
    session.send().await.ok()?;
    session.stage(Excess::Left, 1, &mut Intake::own()).await.ok()?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_named_by_its_number_and_the_time_of_its_begin() {
        let identity = Identity::read(b"\0\x02\0\0\0\x0242\0\0\0\x101700000000000001").expect("a row");
        let sql = identity.terminate();
        assert!(sql.contains("pg_stat_get_activity(42)") && sql.ends_with("::bigint = 1700000000000001"), "{sql}");
        for row in [&b""[..], b"\0\x02\0\0\0\x0242\xff\xff\xff\xff", b"\0\x02\0\0\0\x0242\0\0\0\x05where", b"\0\x01\0\0\0\x0242"] {
            assert!(Identity::read(row).is_none(), "{}", row.escape_ascii());
        }
        assert!(Key::read(b"\0\0\0\x2a\0\0\0\x07").is_some() && Key::read(b"\0\0\0\x2a").is_none());
    }
}
