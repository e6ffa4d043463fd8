//! From an address to a stream: the lookup, the connection, TLS.

use std::cell::LazyCell;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::settings::{Address, RedisSettings};
use crate::services::{Services, ServicesError};
use crate::source::{self, Keys, SystemRoots};
use crate::tls::{self, Demand, Verifier};

const KEYS: Keys = Keys { ca: "`ca_file`", own: "`cert_file` and `key_file`", plain: "`redis://`" };

/// Who looks names up, and for whom.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) services: Arc<Services>,
    pub(super) plugin: Arc<str>,
    pub(super) check: Arc<str>,
}

/// A stream to a server, with or without TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}

/// Ends at `deadline` only as far as it divides its time among addresses: the caller bounds the whole.
pub(super) async fn dial(
    address: &Address,
    connector: Option<&TlsConnector>,
    names: &Names,
    deadline: Instant,
) -> Result<Box<dyn Wire>, Failure> {
    let (host, port) = match address {
        Address::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await.map_err(|error| source::unconnected(&error))?)),
        Address::Tcp { host, port } => (host, *port),
    };
    let stream = source::connect(&names.services.resolver, &names.plugin, host, port, deadline).await?;
    let Some(connector) = connector else { return Ok(Box::new(stream)) };
    Ok(Box::new(source::encrypt(connector, host, stream, &KEYS).await?))
}

/// TLS towards the source `name`: trusts the system's roots and the source's own CA.
pub(super) fn connector(name: &str, settings: &RedisSettings, system: &SystemRoots) -> Result<TlsConnector, ServicesError> {
    let place = format!("`[sources.redis.{name}]`");
    let mut roots = Arc::clone(LazyCell::force(system));
    if let Some(path) = &settings.ca_file {
        tls::add_roots(Arc::make_mut(&mut roots), &place, path)?;
    }
    source::connector(&place, Verifier::new(roots, Demand::IssuerAndName), settings.client_certificate.as_ref())
}
