//! From a source to a stream: the lookup, the connection, TLS.
//!
//! The addresses are the operator's own, so the egress policy is not asked. No message names them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::failure::Failure;
use super::settings::{Address, Encryption, Endpoint};
use super::wire::{Socket, Stream};
use crate::dns::Resolver;
use crate::failure::Failure as NetworkFailure;
use crate::tls;

/// A source cannot be set up: a file that its URL names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("`[sources.postgres.{name}]`: cannot read `{}`; hint: it must be a file in PEM", .path.display())]
    Read { name: String, path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("`[sources.postgres.{name}]`: no certificate in `{}`; hint: it is a file in PEM with a `BEGIN CERTIFICATE`", .path.display())]
    Empty { name: String, path: PathBuf },
    #[error("`[sources.postgres.{name}]`: TLS cannot be set up; hint: do `sslcert` and `sslkey` belong together?")]
    Setup { name: String, source: Error },
    #[error("`[sources.postgres.{name}]`: the system's certificates cannot be read")]
    System { name: String, source: crate::ServicesError },
}

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
            let stream = UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await.map_err(|error| unconnected(&error))?;
            return Ok(Stream::Plain(Socket::Unix(stream)));
        }
        Address::Tcp { host, port } => (host, *port),
    };
    let literal = host.parse::<IpAddr>().ok();
    let addresses = match literal {
        Some(address) => vec![address],
        None => resolver.addresses(plugin, host).await.map_err(unresolved)?,
    };
    let socket = connect(&addresses, port, deadline).await.map_err(|error| unconnected(&error))?;
    let Some(connector) = connector else { return Ok(Stream::Plain(socket)) };
    encrypt(socket, connector, endpoint.encryption, tls::server_name(host, literal)).await
}

fn unresolved(failure: NetworkFailure) -> Failure {
    match failure {
        // The host's own trouble must not look like the server's.
        NetworkFailure::Host(message) | NetworkFailure::Invalid(message) => Failure::Invalid(message),
        _ => Failure::Connect("the name of the server does not resolve".to_owned()),
    }
}

/// Tries one after the other; each but the last gets its share of the time that is left.
async fn connect(addresses: &[IpAddr], port: u16, deadline: Instant) -> io::Result<Socket> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (index, &address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let attempt = TcpStream::connect(SocketAddr::new(address, port));
        let outcome = if left == 1 {
            attempt.await
        } else {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            timeout(share, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        match outcome.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return Ok(Socket::Tcp(stream)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn unconnected(error: &io::Error) -> Failure {
    Failure::Connect(match error.kind() {
        io::ErrorKind::ConnectionRefused => "the server refused the connection".to_owned(),
        io::ErrorKind::NotFound => "there is no such UNIX socket".to_owned(),
        kind => format!("no connection to the server: {kind}"),
    })
}

/// Asks the server for TLS, and goes on as `sslmode` says.
async fn encrypt(
    mut socket: Socket,
    connector: &TlsConnector,
    encryption: Encryption,
    name: Option<ServerName<'static>>,
) -> Result<Stream, Failure> {
    let mut request = BytesMut::new();
    frontend::ssl_request(&mut request);
    let mut answer = [0_u8; 1];
    // One byte and no more: what an attacker sends along in plain text stays in the socket, where TLS refuses it.
    let asked = async {
        socket.write_all(&request).await?;
        socket.read_exact(&mut answer).await
    };
    asked.await.map_err(|error| unconnected(&error))?;
    match (answer, encryption) {
        ([b'S'], _) => {}
        (_, Encryption::Preferred) => return Ok(Stream::Plain(socket)),
        _ => return Err(Failure::Connect("the server has no TLS, and the source's `sslmode` asks for it".to_owned())),
    }
    let name = name.ok_or_else(|| Failure::Invalid("the host of the source cannot be the name of a certificate".to_owned()))?;
    let stream = connector.connect(name, socket).await.map_err(|error| Failure::Connect(explain(&error)))?;
    Ok(Stream::Encrypted(Box::new(stream)))
}

/// Why a handshake failed. The names in a certificate are not told.
fn explain(error: &io::Error) -> String {
    use CertificateError as Why;
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed during the TLS handshake".to_owned(),
            kind => format!("the TLS handshake broke: {kind}"),
        };
    };
    match inner {
        Error::InvalidCertificate(why) => match why {
            Why::Expired | Why::ExpiredContext { .. } => "the server's certificate has expired".to_owned(),
            Why::NotValidYet | Why::NotValidYetContext { .. } => "the server's certificate is not valid yet".to_owned(),
            Why::NotValidForName | Why::NotValidForNameContext { .. } => "the server's certificate is for another name".to_owned(),
            Why::UnknownIssuer => "the server's certificate is from an unknown issuer; hint: name its CA with `sslrootcert`".to_owned(),
            Why::Revoked => "the server's certificate is revoked".to_owned(),
            _ => "the server's certificate is not accepted".to_owned(),
        },
        Error::InvalidMessage(_) => "the server does not speak TLS there".to_owned(),
        Error::AlertReceived(alert) => {
            format!("the server refused the TLS handshake ({alert:?}); hint: does it want a certificate (`sslcert`, `sslkey`)?")
        }
        _ => "the TLS handshake failed".to_owned(),
    }
}

/// TLS towards the source `name`; none where it is never used. `system` are the system's certificates, read once for all sources.
pub(super) fn connector(
    name: &str,
    endpoint: &Endpoint,
    system: &mut Option<Arc<RootCertStore>>,
) -> Result<Option<TlsConnector>, SourceError> {
    if endpoint.encryption == Encryption::Never || matches!(endpoint.address, Address::Unix { .. }) {
        return Ok(None);
    }
    let setup = |source| SourceError::Setup { name: name.to_owned(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match (endpoint.encryption, &endpoint.ca_file) {
        (Encryption::Never | Encryption::Preferred | Encryption::Required, _) => None,
        (Encryption::Issuer | Encryption::IssuerAndName, Some(path)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(name, path)? {
                roots.add(certificate).map_err(setup)?;
            }
            Some(Arc::new(roots))
        }
        (Encryption::Issuer | Encryption::IssuerAndName, None) => Some(system_roots(name, system)?),
    };
    let verifier = Verifier {
        roots,
        checks_name: endpoint.encryption == Encryption::IssuerAndName,
        algorithms: provider.signature_verification_algorithms,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &endpoint.client_certificate {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let read = |source| SourceError::Read { name: name.to_owned(), path: files.key_file.clone(), source };
            let key = PrivateKeyDer::from_pem_file(&files.key_file).map_err(read)?;
            builder.with_client_auth_cert(certificates(name, &files.cert_file)?, key).map_err(setup)?
        }
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

fn system_roots(name: &str, system: &mut Option<Arc<RootCertStore>>) -> Result<Arc<RootCertStore>, SourceError> {
    if let Some(roots) = system {
        return Ok(Arc::clone(roots));
    }
    let roots = tls::roots(None).map_err(|source| SourceError::System { name: name.to_owned(), source })?;
    Ok(Arc::clone(system.insert(Arc::new(roots))))
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let read = |source| SourceError::Read { name: name.to_owned(), path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(read)?.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if certificates.is_empty() { Err(SourceError::Empty { name: name.to_owned(), path: path.to_owned() }) } else { Ok(certificates) }
}

/// Judges a server's certificate as far as `sslmode` says. Revocation is not looked up.
#[derive(Debug)]
struct Verifier {
    /// Absent where any certificate will do.
    roots: Option<Arc<RootCertStore>>,
    checks_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let parsed = ParsedCertificate::try_from(leaf)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, self.algorithms.all)?;
            if self.checks_name {
                verify_server_name(&parsed, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    // The server must hold the certificate's key in either case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
