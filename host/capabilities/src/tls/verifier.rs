//! What a server's certificate must be, and why it is refused.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::{cut, names, words};

/// Names of a certificate in a message, and where one of them is cut.
const NAMES_SHOWN_MAX: usize = 3;
const NAME_SHOWN_BYTES_MAX: usize = 64;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// What a server's certificate must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Any will do.
    Nothing,
    /// From a CA that is trusted.
    Issuer,
    /// And for the name of the server.
    IssuerAndName,
}

/// Judges certificates by the roots, the time and the name. Revocation is not looked up.
#[derive(Debug)]
pub(crate) struct Verifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    demand: Demand,
}

impl Verifier {
    pub(crate) fn new(roots: Arc<RootCertStore>, demand: Demand) -> Verifier {
        Verifier { roots, algorithms: ring::default_provider().signature_verification_algorithms, demand }
    }

    pub(super) fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Untrusted> {
        let verify = || -> Result<(), Error> {
            if self.demand == Demand::Nothing {
                return Ok(());
            }
            let parsed = ParsedCertificate::try_from(leaf)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, intermediates, now, self.algorithms.all)?;
            if self.demand == Demand::IssuerAndName { verify_server_name(&parsed, server_name) } else { Ok(()) }
        };
        verify().map_err(|error| match error {
            // What it is, not whose: a CA is refused as a server's certificate before its issuer is looked for.
            Error::InvalidCertificate(CertificateError::Other(_)) if self.is_root(leaf) => Untrusted::authority(),
            error => Untrusted::because(&error, leaf, server_name),
        })
    }
}

impl Verifier {
    fn is_root(&self, leaf: &CertificateDer<'_>) -> bool {
        let mut alone = RootCertStore::empty();
        alone.add(leaf.clone()).is_ok() && alone.roots.iter().all(|root| self.roots.roots.contains(root))
    }
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
        self.judge(leaf, intermediates, server_name, now)
            .map_err(|untrusted| Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(untrusted)))))?;
        Ok(ServerCertVerified::assertion())
    }

    // The server must hold the certificate's key in any case: otherwise the chain that is told is not the server's.
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

/// Why a certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Untrusted {
    /// `expired`, `not-yet-valid`, `self-signed`, `wrong-name`, `unknown-issuer`, `revoked` or `other`.
    pub(crate) word: &'static str,
    pub(super) message: String,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Untrusted {}

impl Untrusted {
    /// What a [`Verifier`] said, out of what the handshake ended with.
    pub(crate) fn of(error: &Error) -> Option<&Untrusted> {
        match error {
            Error::InvalidCertificate(CertificateError::Other(OtherError(untrusted))) => untrusted.downcast_ref(),
            _ => None,
        }
    }

    /// A CA that is trusted, and that stands where a server's certificate should.
    fn authority() -> Untrusted {
        let message = "the certificate is trusted, but is itself a CA (basicConstraints CA:TRUE); \
                       hint: make one for the server that this CA signs or that is no CA, or `accept_untrusted = true`";
        Untrusted { word: "other", message: message.to_owned() }
    }

    fn because(error: &Error, leaf: &CertificateDer<'_>, server_name: &ServerName<'_>) -> Untrusted {
        use CertificateError as Why;
        let days = |later: UnixTime, earlier: UnixTime| later.as_secs().saturating_sub(earlier.as_secs()) / SECONDS_PER_DAY;
        let Error::InvalidCertificate(why) = error else {
            return Untrusted { word: "other", message: format!("certificate not accepted: {}", words(&format!("{error:?}"))) };
        };
        let (word, message) = match why {
            Why::ExpiredContext { time, not_after } => ("expired", format!("certificate expired {} days ago", days(*time, *not_after))),
            Why::Expired => ("expired", "certificate expired".to_owned()),
            Why::NotValidYetContext { time, not_before } => {
                ("not-yet-valid", format!("certificate not valid yet, in {} days", days(*not_before, *time)))
            }
            Why::NotValidYet => ("not-yet-valid", "certificate not valid yet".to_owned()),
            Why::NotValidForNameContext { .. } | Why::NotValidForName => ("wrong-name", wrong_name(leaf, server_name)),
            Why::Revoked => ("revoked", "certificate is revoked".to_owned()),
            _ if is_self_issued(leaf) => ("self-signed", format!("certificate is self-signed; {HINT}")),
            Why::UnknownIssuer => ("unknown-issuer", format!("certificate is from an unknown issuer; {HINT}")),
            Why::InvalidPurposeContext { .. } | Why::InvalidPurpose => ("other", "certificate is not meant for servers".to_owned()),
            other => ("other", format!("certificate not accepted: {}", words(&format!("{other:?}")))),
        };
        Untrusted { word, message }
    }
}

fn wrong_name(leaf: &CertificateDer<'_>, server_name: &ServerName<'_>) -> String {
    let names = X509Certificate::from_der(leaf).map(|(_, leaf)| names(&leaf, usize::MAX)).unwrap_or_default();
    let shown: Vec<String> = names.iter().take(NAMES_SHOWN_MAX).map(|name| one_line(name)).collect();
    let (shown, wanted) = (shown.join(", "), server_name.to_str());
    match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        _ if names.is_empty() => format!("the certificate is for no name, so not for {wanted}"),
        0 => format!("the certificate is for {shown}, not for {wanted}"),
        more => format!("the certificate is for {shown} (and {more} more), not for {wanted}"),
    }
}

/// A server can write anything into its certificate.
fn one_line(name: &str) -> String {
    let shown = cut(name, NAME_SHOWN_BYTES_MAX);
    let end = if shown.len() < name.len() { "…" } else { "" };
    shown.chars().map(|letter| if letter.is_ascii_graphic() { letter } else { '?' }).chain(end.chars()).collect()
}

const HINT: &str = "hint: trust its CA with `[egress] ca_file`, or `accept_untrusted = true`";

fn is_self_issued(leaf: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(leaf).is_ok_and(|(_, leaf)| leaf.subject().as_raw() == leaf.issuer().as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_hostile_certificate_calls_itself_stays_one_short_line() {
        assert_eq!(one_line("*.api.example"), "*.api.example");
        assert_eq!(one_line("a\nb\u{1b}[31m\u{202e}x y"), "a?b?[31m?x?y");
        assert_eq!(one_line(&"a".repeat(100)), format!("{}…", "a".repeat(NAME_SHOWN_BYTES_MAX)));
    }
}
