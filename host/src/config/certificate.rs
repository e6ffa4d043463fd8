//! `[server] tls`: the certificate of the listener and its key, read and held against each other.
//!
//! They are a part of the configuration: a pair that does not fit changes nothing, and a renewed one is taken by the next reload, for the
//! connections that come from then on.
//!
//! Limits: [`PEM_BYTES_MAX`] for a file, [`CERTIFICATES_MAX`] certificates.
//!
//! Invariant: no message and no `Debug` shows anything of a key.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{Error, ServerConfig};
use sickbay_capabilities::pem::PEM_BYTES_MAX;
use sickbay_core::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::diagnostic::{Problem, shown};
use super::read::named_file;
use super::settings::Scope;
use super::text::TlsText;
use crate::clock;

const CERTIFICATES_MAX: usize = 16;

/// How the listener speaks TLS; cheap to clone.
#[derive(Clone)]
pub struct ListenerTls(pub Arc<ServerConfig>);

impl fmt::Debug for ListenerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ListenerTls")
    }
}

/// None where something is wrong, which is noted.
pub(super) fn listener_tls(written: &TlsText, scope: &mut Scope<'_>) -> Option<ListenerTls> {
    let dir = scope.dir;
    let chain = scope.read(Some(&written.cert_file), None, |text| chain(text, dir).map(Some));
    let key = scope.read(Some(&written.key_file), None, |text| key(text, dir).map(Some));
    let (chain, key) = (chain?, key?);
    let now = clock::now();
    let warning = scope.read(Some(&written.cert_file), None, |text| validity(&chain, text, now).map(Some))?;
    if let Some(problem) = warning {
        scope.note(written.cert_file.span(), problem);
    }
    scope.read(Some(&written.key_file), None, |_| server_config(chain, key).map(|config| Some(ListenerTls(Arc::new(config)))))
}

fn chain(text: &str, dir: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let content = named_file("cert_file", text, dir, PEM_BYTES_MAX)?;
    let read = CertificateDer::pem_slice_iter(&content).take(CERTIFICATES_MAX + 1).collect::<Result<Vec<_>, pem::Error>>();
    let problem = |reason: String| {
        Problem::new("`cert_file` holds no certificate")
            .reason(reason)
            .hint("name a PEM file: the certificate of this server, then those between it and a root")
    };
    match read {
        Err(_) => Err(problem(format!("\"{}\" is not valid PEM", shown(text)))),
        Ok(chain) if chain.is_empty() => Err(problem(format!("nothing in \"{}\" begins with -----BEGIN CERTIFICATE-----", shown(text)))),
        Ok(chain) if chain.len() > CERTIFICATES_MAX => {
            Err(problem(format!("\"{}\" holds more than {CERTIFICATES_MAX} certificates, which is no chain", shown(text))))
        }
        Ok(chain) => Ok(chain),
    }
}

fn key(text: &str, dir: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let content = named_file("key_file", text, dir, PEM_BYTES_MAX)?;
    // What is wrong inside a key is nobody's to read.
    PrivateKeyDer::from_pem_slice(&content).map_err(|_| {
        Problem::new("`key_file` holds no private key")
            .reason(format!("\"{}\" is no PEM file with a key that is not encrypted", shown(text)))
            .hint("name the key that the certificate was made for, in PEM; remove a passphrase with `openssl pkey`")
    })
}

/// A warning where the certificate is not good now, and an error where it cannot be read.
fn validity(chain: &[CertificateDer<'_>], text: &str, now: Timestamp) -> Result<Option<Problem>, Problem> {
    let leaf = chain.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
    let Some((_, leaf)) = leaf else {
        return Err(Problem::new("`cert_file` holds a certificate that cannot be read")
            .reason(format!("the first one in \"{}\" is broken", shown(text)))
            .hint("make it again"));
    };
    let milliseconds = |seconds: i64| Timestamp(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    let (from, to) = (milliseconds(leaf.validity().not_before.timestamp()), milliseconds(leaf.validity().not_after.timestamp()));
    let warning = |message: &str, reason: String, hint: &str| Some(Problem::warning(message).reason(reason).hint(hint));
    Ok(if now.0 > to.0 {
        warning(
            "the certificate of the listener has expired",
            format!("it was good until {}, and nobody trusts it now", clock::rfc3339(to)),
            "renew it: the new file is taken without a restart",
        )
    } else if now.0 < from.0 {
        warning(
            "the certificate of the listener is not good yet",
            format!("it is good from {}, and nobody trusts it before", clock::rfc3339(from)),
            "see whether the clock of this machine is right",
        )
    } else {
        None
    })
}

fn server_config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, Problem> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let setup = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = setup.map_err(|error| match error {
        Error::InconsistentKeys(_) => Problem::new("`key_file` is not the key of the certificate")
            .reason("the certificate in `cert_file` was made for another key")
            .hint("name the key that it was made for; where both were renewed, wait until both files are there"),
        _ => Problem::new("`key_file` holds a key that cannot be used")
            .reason("it is neither RSA, nor ECDSA on P-256 or P-384, nor Ed25519")
            .hint("make a key such as: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    fn judged(certificate: &str, private_key: &str) -> Result<(), String> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("cert.pem"), certificate).expect("the folder is writable");
        std::fs::write(dir.path().join("key.pem"), private_key).expect("the folder is writable");
        let chain = chain("cert.pem", dir.path()).map_err(|problem| problem.message)?;
        let key = key("key.pem", dir.path()).map_err(|problem| problem.message)?;
        server_config(chain, key).map(|_| ()).map_err(|problem| problem.message)
    }

    #[test]
    fn a_pair_is_taken_and_another_ones_key_is_not() {
        let ((certificate, private_key), (_, other)) = (pair(), pair());
        assert_eq!(judged(&certificate, &private_key), Ok(()));
        assert_eq!(judged(&certificate, &other), Err("`key_file` is not the key of the certificate".to_owned()));
        assert_eq!(judged(&private_key, &certificate), Err("`cert_file` holds no certificate".to_owned()));
        assert_eq!(judged(&certificate, &certificate), Err("`key_file` holds no private key".to_owned()));
        assert_eq!(judged("", ""), Err("`cert_file` holds no certificate".to_owned()));
    }

    #[test]
    fn a_certificate_out_of_its_time_is_a_warning() {
        let (certificate, _) = pair();
        let chain = [CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate")];
        let message = |now: u64| {
            let judged = validity(&chain, "cert.pem", Timestamp(now * 1000)).expect("it can be read");
            judged.map(|problem| problem.message)
        };
        // Good from 1975 to 4096.
        assert_eq!(message(0).as_deref(), Some("the certificate of the listener is not good yet"));
        assert_eq!(message(1_700_000_000), None);
        assert_eq!(message(80_000_000_000).as_deref(), Some("the certificate of the listener has expired"));
    }
}
