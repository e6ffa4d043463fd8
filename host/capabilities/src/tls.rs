//! TLS towards targets: whom to trust, and what the session was.
//!
//! Both client configurations are made once for the host. One refuses a certificate that is not trusted; the other goes on with it, and the
//! same judgement is made afterwards and told. Sessions are never resumed: a check tests the handshake and the certificate every time.

#[cfg(test)]
pub(crate) mod testing;
mod verifier;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::client::{ClientConnection, Resumption, WantsClientCert};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, ConfigBuilder, Error, PeerIncompatible, ProtocolVersion, RootCertStore};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsConnector;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

pub(crate) use self::verifier::{Demand, Untrusted, Verifier};
use crate::pem;
use crate::services::ServicesError;

/// Certificates told of one chain.
pub(crate) const CHAIN_MAX: usize = 8;
/// Names told of one certificate.
pub(crate) const DNS_NAMES_MAX: usize = 100;
/// A subject, issuer or name is cut here.
pub(crate) const NAME_BYTES_MAX: usize = 512;

/// What becomes of a certificate that is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It ends the handshake.
    Required,
    /// It is told in [`Session::untrusted`].
    Reported,
}

/// The system's roots and those of `ca_file`.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, ServicesError> {
    let mut roots = system_roots();
    if let Some(path) = ca_file {
        add_roots(&mut roots, "`[egress] ca_file`", path)?;
    }
    if roots.is_empty() {
        tracing::warn!(
            "no root certificate is known, so no certificate is trusted; hint: install ca-certificates or set `[egress] ca_file`"
        );
    }
    Ok(roots)
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
pub(crate) fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some of the system's root certificates cannot be read");
    }
    let (_, unusable) = roots.add_parsable_certificates(native.certs);
    if unusable > 0 {
        tracing::debug!(unusable, "some of the system's root certificates cannot be used");
    }
    roots
}

/// Those of a file that is named at `place` of the configuration.
pub(crate) fn add_roots(roots: &mut RootCertStore, place: &str, path: &Path) -> Result<(), ServicesError> {
    pem::add_roots(roots, path).map_err(|flaw| ServicesError::File { place: place.to_owned(), path: path.to_owned(), flaw })
}

/// A client of which it is left open whether it has a certificate of its own.
pub(crate) fn client(verifier: Arc<Verifier>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ServicesError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let builder = builder.map_err(|source| ServicesError::Setup { source })?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

/// Both ways to connect.
pub(crate) struct Tls {
    required: TlsConnector,
    reported: TlsConnector,
    verifier: Arc<Verifier>,
}

impl Tls {
    pub(crate) fn new(roots: RootCertStore) -> Result<Tls, ServicesError> {
        let roots = Arc::new(roots);
        let verifier = |demand| Arc::new(Verifier::new(Arc::clone(&roots), demand));
        let required = verifier(Demand::IssuerAndName);
        Ok(Tls { required: connector(Arc::clone(&required))?, reported: connector(verifier(Demand::Nothing))?, verifier: required })
    }

    pub(crate) fn connector(&self, trust: Trust) -> &TlsConnector {
        match trust {
            Trust::Required => &self.required,
            Trust::Reported => &self.reported,
        }
    }

    /// What is to be told of a session that stands.
    pub(crate) fn describe(&self, connection: &ClientConnection, server_name: &ServerName<'_>, trust: Trust) -> Session {
        let chain = connection.peer_certificates().unwrap_or_default();
        let untrusted = match (trust, chain) {
            (Trust::Required, _) => None,
            (Trust::Reported, [leaf, intermediates @ ..]) => self.verifier.judge(leaf, intermediates, server_name, UnixTime::now()).err(),
            (Trust::Reported, []) => Some(Untrusted { word: "other", message: "the server sent no certificate".to_owned() }),
        };
        Session {
            version: connection.protocol_version().map_or("", version_name),
            cipher: connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str())
                .map(|name| name.replacen("TLS13_", "TLS_", 1))
                .unwrap_or_default(),
            untrusted: untrusted.map(|untrusted| untrusted.word),
            chain: chain.iter().take(CHAIN_MAX).map(Certificate::of).collect(),
        }
    }
}

fn connector(verifier: Arc<Verifier>) -> Result<TlsConnector, ServicesError> {
    let mut config = client(verifier)?.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLS 1.3",
        ProtocolVersion::TLSv1_2 => "TLS 1.2",
        other => other.as_str().unwrap_or(""),
    }
}

/// The name that a certificate is held against. None where `host` cannot be in one.
pub(crate) fn server_name(host: &str, address: Option<IpAddr>) -> Option<ServerName<'static>> {
    match address {
        Some(address) => Some(ServerName::from(address)),
        None => ServerName::try_from(host.strip_suffix('.').unwrap_or(host).to_owned()).ok(),
    }
}

/// Why a handshake failed, for a person.
pub(crate) fn explain(error: &std::io::Error) -> String {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "the server closed during the TLS handshake".to_owned(),
            std::io::ErrorKind::ConnectionReset => "the server reset during the TLS handshake".to_owned(),
            kind => format!("the TLS handshake broke: {kind}"),
        };
    };
    if let Some(untrusted) = Untrusted::of(inner) {
        return untrusted.to_string();
    }
    match inner {
        Error::InvalidCertificate(why) => format!("the certificate is not accepted: {}", words(&format!("{why:?}"))),
        Error::InvalidMessage(_) => "the server does not speak TLS there".to_owned(),
        Error::AlertReceived(alert) => format!("the server refused the TLS handshake: {}", alert_words(*alert)),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server speaks neither TLS 1.2 nor TLS 1.3".to_owned()
        }
        Error::PeerIncompatible(why) => format!("the server's TLS does not fit: {}", words(&format!("{why:?}"))),
        Error::PeerMisbehaved(why) => format!("the server breaks the rules of TLS: {}", words(&format!("{why:?}"))),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the server breaks the rules of TLS: a message out of turn".to_owned()
        }
        Error::NoCertificatesPresented => "the server sent no certificate".to_owned(),
        other => format!("the TLS handshake failed: {}", words(&format!("{other:?}"))),
    }
}

/// What the server's last word means.
fn alert_words(alert: AlertDescription) -> String {
    let meaning = match alert {
        AlertDescription::HandshakeFailure => "it found nothing in common, or wants a client's certificate",
        AlertDescription::ProtocolVersion => "it wants another version of TLS",
        AlertDescription::UnrecognisedName => "it has no certificate for this name",
        AlertDescription::CertificateRequired => "it wants a client's certificate",
        AlertDescription::NoApplicationProtocol => "it does not speak HTTP/1.1",
        AlertDescription::InternalError => "it has an error of its own",
        _ => return alert.as_str().map_or_else(|| format!("alert {}", u8::from(alert)), words),
    };
    meaning.to_owned()
}

/// The name of a variant as words: `no cipher suites in common`. What it holds is left out.
fn words(variant: &str) -> String {
    let mut words = String::new();
    let mut within_capitals = true;
    for letter in variant.chars().take_while(char::is_ascii_alphanumeric) {
        if letter.is_ascii_uppercase() && !within_capitals {
            words.push(' ');
        }
        within_capitals = letter.is_ascii_uppercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// What TLS came to on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) version: &'static str,
    pub(crate) cipher: String,
    pub(crate) untrusted: Option<&'static str>,
    /// Leaf first, at most [`CHAIN_MAX`].
    pub(crate) chain: Vec<Certificate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) dns_names: Vec<String>,
    /// Milliseconds since 1970; 0 where it cannot be read or is before that.
    pub(crate) not_before_ms: u64,
    pub(crate) not_after_ms: u64,
    /// Of the DER form, 64 hexadecimal digits.
    pub(crate) sha256: String,
}

impl Certificate {
    fn of(der: &CertificateDer<'_>) -> Certificate {
        let sha256 = hexadecimal(&Sha256::digest(der));
        let Ok((_, parsed)) = X509Certificate::from_der(der) else {
            let (subject, issuer) = (String::new(), String::new());
            return Certificate { subject, issuer, dns_names: Vec::new(), not_before_ms: 0, not_after_ms: 0, sha256 };
        };
        let validity = parsed.validity();
        Certificate {
            subject: cut(&parsed.subject().to_string(), NAME_BYTES_MAX).to_owned(),
            issuer: cut(&parsed.issuer().to_string(), NAME_BYTES_MAX).to_owned(),
            dns_names: names(&parsed, DNS_NAMES_MAX),
            not_before_ms: milliseconds(validity.not_before.timestamp()),
            not_after_ms: milliseconds(validity.not_after.timestamp()),
            sha256,
        }
    }
}

/// The host names and addresses that a certificate is for, at most `names_max`.
fn names(certificate: &X509Certificate<'_>, names_max: usize) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(cut(name, NAME_BYTES_MAX).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    names.take(names_max).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| v6()).ok()
}

fn milliseconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1000)
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;
    use crate::pem::PemFlaw;
    use crate::small_file::Unreadable;

    #[test]
    fn names_of_certificates_are_cut_between_letters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "longe");
        assert_eq!(cut("日日", 5), "日");
        assert_eq!(cut("", 5), "");
    }

    #[test]
    fn why_a_handshake_failed_is_told_in_words() {
        let explained = |error: Error| explain(&std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        for (error, expected) in [
            (
                Error::AlertReceived(AlertDescription::UnrecognisedName),
                "the server refused the TLS handshake: it has no certificate for this name",
            ),
            (Error::AlertReceived(AlertDescription::UnknownCA), "the server refused the TLS handshake: unknown ca"),
            (Error::AlertReceived(AlertDescription::from(200)), "the server refused the TLS handshake: alert 200"),
            (
                Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                "the server's TLS does not fit: no cipher suites in common",
            ),
            (Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13), "the server speaks neither TLS 1.2 nor TLS 1.3"),
            (Error::InvalidCertificate(CertificateError::BadSignature), "the certificate is not accepted: bad signature"),
            (Error::General("secret\ntext".to_owned()), "the TLS handshake failed: general"),
            (Error::DecryptError, "the TLS handshake failed: decrypt error"),
        ] {
            assert_eq!(explained(error), expected);
        }
    }

    #[test]
    fn a_certificate_is_held_against_the_name_without_its_dot() {
        assert_eq!(server_name("api.example.", None), server_name("api.example", None));
        assert!(server_name("", Some(IpAddr::from([127, 0, 0, 1]))).is_some());
        assert!(server_name("a b", None).is_none());
    }

    #[test]
    fn a_file_without_certificates_is_an_error_that_names_it() {
        let path = std::env::temp_dir().join(format!("sickbay-empty-ca-{}.pem", std::process::id()));
        std::fs::write(&path, "no certificate here\n").expect("a file");
        let outcome = roots(Some(path.as_path()));
        std::fs::remove_file(&path).expect("removed");
        let flaw = |outcome: Result<RootCertStore, ServicesError>| match outcome {
            Err(ServicesError::File { path, flaw, .. }) => (path, flaw),
            other => panic!("{other:?}"),
        };
        assert!(matches!(flaw(outcome), (named, PemFlaw::NoCertificate) if named == path));
        let absent = flaw(roots(Some(Path::new("/nonexistent/ca.pem"))));
        assert!(matches!(absent, (_, PemFlaw::Unreadable(Unreadable::Missing))), "{absent:?}");
    }
}
