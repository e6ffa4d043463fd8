//! From an address to a stream: the lookup, the connection, TLS.
//!
//! The addresses are the operator's own, so the egress policy is not asked. No message names them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::settings::{Address, RedisSettings};
use crate::dial::connect_to_any;
use crate::failure::Failure as NetworkFailure;
use crate::services::Services;
use crate::tls;

/// Who looks names up, and for which plugin.
#[derive(Clone)]
pub(super) struct Names {
    pub(super) services: Arc<Services>,
    pub(super) plugin: Arc<str>,
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
        Address::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await.map_err(|error| unconnected(&error))?)),
        Address::Tcp { host, port } => (host, *port),
    };
    let literal = host.parse::<IpAddr>().ok();
    let addresses = match literal {
        Some(address) => vec![address],
        None => names.services.resolver.addresses(&names.plugin, host).await.map_err(unresolved)?,
    };
    let addresses: Vec<SocketAddr> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let (stream, _) = connect_to_any(&addresses, deadline).await.map_err(|error| unconnected(&error))?;
    let Some(connector) = connector else { return Ok(Box::new(stream)) };
    let name = tls::server_name(host, literal)
        .ok_or_else(|| Failure::Invalid("the host of the source's `url` cannot be the name of a certificate".to_owned()))?;
    let stream = connector.connect(name, stream).await.map_err(|error| Failure::Connect(explain(&error)))?;
    Ok(Box::new(stream))
}

fn unresolved(failure: NetworkFailure) -> Failure {
    match failure {
        // The host's own trouble must not look like the server's.
        NetworkFailure::Host(message) | NetworkFailure::Invalid(message) => Failure::Invalid(message),
        _ => Failure::Connect("the name of the server does not resolve".to_owned()),
    }
}

fn unconnected(error: &io::Error) -> Failure {
    Failure::Connect(match error.kind() {
        io::ErrorKind::ConnectionRefused => "the server refused the connection".to_owned(),
        io::ErrorKind::NotFound => "there is no such UNIX socket".to_owned(),
        kind => format!("no connection to the server: {kind}"),
    })
}

/// Why a handshake failed. The names in a certificate are not told.
fn explain(error: &io::Error) -> String {
    use CertificateError as Why;
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed during the TLS handshake".to_owned(),
            kind => format!("the TLS handshake broke: {kind}"),
        };
    };
    match inner {
        rustls::Error::InvalidCertificate(why) => match why {
            Why::Expired | Why::ExpiredContext { .. } => "the server's certificate has expired".to_owned(),
            Why::NotValidYet | Why::NotValidYetContext { .. } => "the server's certificate is not valid yet".to_owned(),
            Why::NotValidForName | Why::NotValidForNameContext { .. } => "the server's certificate is for another name".to_owned(),
            Why::UnknownIssuer => "the server's certificate is from an unknown issuer; hint: name its CA with `ca_file`".to_owned(),
            Why::Revoked => "the server's certificate is revoked".to_owned(),
            _ => "the server's certificate is not accepted".to_owned(),
        },
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS there; hint: `redis://` is without".to_owned(),
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the TLS handshake ({alert:?}); hint: does it want a certificate?")
        }
        _ => "the TLS handshake failed".to_owned(),
    }
}

/// A source cannot be set up: a file of it cannot be used, or its parts do not fit.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("`[sources.redis.{name}]`: cannot read `{}`; hint: it must be a file in PEM", .path.display())]
    Read { name: String, path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("`[sources.redis.{name}]`: no certificate in `{}`; hint: it must be a file in PEM with a `BEGIN CERTIFICATE`", .path.display())]
    Empty { name: String, path: PathBuf },
    #[error("`[sources.redis.{name}]`: TLS cannot be set up; hint: do `cert_file` and `key_file` belong together?")]
    Setup { name: String, source: rustls::Error },
}

/// TLS towards the source `name`: trusts `roots` and the source's own CA.
pub(super) fn connector(name: &str, settings: &RedisSettings, mut roots: RootCertStore) -> Result<TlsConnector, SourceError> {
    let setup = |source| SourceError::Setup { name: name.to_owned(), source };
    if let Some(path) = &settings.ca_file {
        for certificate in certificates(name, path)? {
            roots.add(certificate).map_err(setup)?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .with_root_certificates(roots);
    let config = match &settings.client_certificate {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let read = |source| SourceError::Read { name: name.to_owned(), path: files.key_file.clone(), source };
            let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(read)?;
            builder.with_client_auth_cert(certificates(name, &files.cert_file)?, key).map_err(setup)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let read = |source| SourceError::Read { name: name.to_owned(), path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if certificates.is_empty() { Err(SourceError::Empty { name: name.to_owned(), path: path.to_owned() }) } else { Ok(certificates) }
}
