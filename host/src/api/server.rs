//! The listener: takes connections, with TLS or without, bounds them, and ends them in order.
//!
//! Limits: those of `places` for connections at once, [`HEADER_TIME_MAX`] for a request's head (which also ends idle connections),
//! [`HEADERS_MAX`] headers in [`HEAD_BYTES_MAX`], [`tls::HANDSHAKE_TIME_MAX`] for a handshake, [`WRITE_STALL_MAX`] without progress in
//! writing, and [`DRAIN_TIME_MAX`] for what is under way when the daemon stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::places::{Place, Places};
use super::stall::StallGuard;
use super::tls;

pub const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
pub const HEADERS_MAX: usize = 64;
pub const HEAD_BYTES_MAX: usize = 32 * 1024;
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
pub const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// After an error of `accept`, which comes from a lack of file descriptors or memory: without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// In the extensions of every request: cancelled when the server stops, so that endless answers end.
#[derive(Clone, Debug, Default)]
pub struct Stopping(pub CancellationToken);

/// In the extensions of every request: who is at the other end of its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// In the extensions of every request: what its connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scheme {
    #[default]
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// Asked for each connection: how it speaks TLS, or that it does not.
pub type Transport = Arc<dyn Fn() -> Option<Arc<ServerConfig>> + Send + Sync>;

/// Serves `router` until `shutdown` is there, then lets requests that are under way finish. Who is let in, the router decides.
pub async fn serve(listener: TcpListener, router: Router, transport: Transport, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let stopping = CancellationToken::new();
    let router = router.layer(Extension(Stopping(stopping.clone())));
    let mut connections = JoinSet::new();
    tokio::select! {
        () = shutdown => {}
        () = take_connections(&listener, &router, &transport, &stopping, &mut connections) => {}
    }
    stopping.cancel();
    // Nobody else is let in while the rest finishes.
    drop(listener);
    let drained = tokio::time::timeout(DRAIN_TIME_MAX, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = connections.len(), "connections were cut: they did not finish in {} s", DRAIN_TIME_MAX.as_secs());
        connections.shutdown().await;
    }
    Ok(())
}

/// Takes connections for ever.
async fn take_connections(
    listener: &TcpListener,
    router: &Router,
    transport: &Transport,
    stopping: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    let places = Places::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without a place it is closed as it came.
                if let Some(place) = places.enter(peer) {
                    connections.spawn(connection(stream, Peer(peer), place, router.clone(), transport(), stopping.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        // Ended ones would pile up in the set otherwise.
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, until it ends or is closed for another.
async fn connection(
    stream: TcpStream,
    peer: Peer,
    place: Arc<Place>,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    stopping: CancellationToken,
) {
    tokio::select! {
        () = speak(stream, peer, Arc::clone(&place), router, tls, stopping) => {}
        () = place.closed() => tracing::debug!(peer = %peer.0, "a connection was closed for a newer one"),
    }
}

async fn speak(
    stream: TcpStream,
    peer: Peer,
    place: Arc<Place>,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    stopping: CancellationToken,
) {
    // Answers are written whole; waiting for more to send would only delay them. A failure costs speed only.
    let _ = stream.set_nodelay(true);
    let stream = StallGuard::new(stream, WRITE_STALL_MAX);
    let Some(config) = tls else { return converse(stream, Scheme::Http, peer, place, router, stopping).await };
    let accepted = tokio::select! {
        accepted = tls::accept(stream, config) => accepted,
        () = stopping.cancelled() => return,
    };
    match accepted {
        Ok(stream) => converse(stream, Scheme::Https, peer, place, router, stopping).await,
        // The peer's doing: it went away, was too slow, spoke no TLS, or trusts somebody else.
        Err(error) => tracing::debug!(%error, "a connection ended in its handshake"),
    }
}

/// The requests of one connection.
async fn converse<S>(stream: S, scheme: Scheme, peer: Peer, place: Arc<Place>, router: Router, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(scheme);
        request.extensions_mut().insert(Arc::clone(&place));
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The peer's doing: it went away, was too slow, or spoke no HTTP.
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").await.unwrap()
    }

    fn plain() -> Transport {
        Arc::new(|| None)
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_when_the_server_stops() {
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        // Stops the server from inside a request, and answers after that.
        let router = Router::new().route(
            "/",
            get(move || async move {
                stop.cancel();
                tokio::task::yield_now().await;
                "answered"
            }),
        );
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(serve(listener, router, plain(), shutdown.cancelled_owned()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
        served.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_endless_answer_ends_when_the_server_stops() {
        let shutdown = CancellationToken::new();
        let reached = Arc::new(tokio::sync::Notify::new());
        let handler_reached = reached.clone();
        let router = Router::new().route(
            "/",
            get(move |Extension(Stopping(stopping)): Extension<Stopping>| async move {
                handler_reached.notify_one();
                stopping.cancelled().await;
                "ended"
            }),
        );
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(serve(listener, router, plain(), shutdown.clone().cancelled_owned()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        reached.notified().await;
        shutdown.cancel();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("ended"), "{answer}");
        served.await.unwrap().unwrap();
    }
}
