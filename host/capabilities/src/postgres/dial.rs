//! From a source to a stream: the lookup, the connection, TLS.

use std::cell::LazyCell;
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::settings::{Address, Encryption, Endpoint};
use super::wire::{Socket, Stream};
use crate::dns::Resolver;
use crate::services::ServicesError;
use crate::source::{self, Keys, SystemRoots};
use crate::tls::{self, Demand, Verifier};

const KEYS: Keys = Keys { ca: "`sslrootcert`", own: "`sslcert` and `sslkey`", plain: "`sslmode=disable`" };

/// A stream over which the server can be greeted. Ends at `deadline` only as far as it divides its time among addresses: the caller
/// bounds the whole.
pub(super) async fn dial(
    endpoint: &Endpoint,
    connector: Option<&TlsConnector>,
    resolver: &Resolver,
    plugin: &Arc<str>,
    deadline: Instant,
) -> Result<Stream, Failure> {
    let (host, port) = match &endpoint.address {
        Address::Unix { folder, port } => {
            let connecting = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}")));
            let stream = connecting.await.map_err(|error| source::unconnected(&error))?;
            return Ok(Stream::Plain(Socket::Unix(stream)));
        }
        Address::Tcp { host, port } => (host, *port),
    };
    let mut stream = source::connect(resolver, plugin, host, port, deadline).await?;
    let Some(connector) = connector else { return Ok(Stream::Plain(Socket::Tcp(stream))) };
    match (offers_tls(&mut stream).await?, endpoint.encryption) {
        (true, _) => Ok(Stream::Encrypted(Box::new(source::encrypt(connector, host, Socket::Tcp(stream), &KEYS).await?))),
        (false, Encryption::Preferred) => Ok(Stream::Plain(Socket::Tcp(stream))),
        (false, _) => Err(Failure::Connect(
            "the server has no TLS, and the source's `sslmode` asks for it; hint: turn on its `ssl`, or write `sslmode=prefer`".to_owned(),
        )),
    }
}

async fn offers_tls(stream: &mut TcpStream) -> Result<bool, Failure> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let mut answer = [0_u8; 1];
    // One byte and no more: what an attacker sends along in plain text stays in the socket, where TLS refuses it.
    let asked = async {
        stream.write_all(&request).await?;
        stream.read_exact(&mut answer).await
    };
    asked.await.map_err(|error| source::unconnected(&error))?;
    Ok(answer == *b"S")
}

/// TLS towards the source `name`; none where it is never used.
pub(super) fn connector(name: &str, endpoint: &Endpoint, system: &SystemRoots) -> Result<Option<TlsConnector>, ServicesError> {
    if endpoint.encryption == Encryption::Never || matches!(endpoint.address, Address::Unix { .. }) {
        return Ok(None);
    }
    let place = format!("`[sources.postgres.{name}]`");
    let demand = match endpoint.encryption {
        Encryption::Never | Encryption::Preferred | Encryption::Required => Demand::Nothing,
        Encryption::Issuer => Demand::Issuer,
        Encryption::IssuerAndName => Demand::IssuerAndName,
    };
    let roots = match (demand, &endpoint.ca_file) {
        (Demand::Issuer | Demand::IssuerAndName, None) => Arc::clone(LazyCell::force(system)),
        (Demand::Issuer | Demand::IssuerAndName, Some(path)) => {
            let mut roots = RootCertStore::empty();
            tls::add_roots(&mut roots, &place, path)?;
            Arc::new(roots)
        }
        (Demand::Nothing, _) => Arc::new(RootCertStore::empty()),
    };
    source::connector(&place, Verifier::new(roots, demand), endpoint.client_certificate.as_ref()).map(Some)
}
