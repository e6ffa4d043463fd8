//! Whom a client verb trusts over TLS, and what it says where it does not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use sickbay_capabilities::pem;
use tokio_rustls::TlsConnector;

use crate::failure::Failure;

/// Trusts the system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured) and those of `ca_file`.
pub(super) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    // What cannot be used is left out: the handshake tells whether it was missed.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        add(&mut roots, file)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(format!("TLS cannot be set up: {error}")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), Failure> {
    pem::add_roots(roots, file).map_err(|flaw| {
        Failure::usage(format!("{} holds no certificate that can be trusted: {flaw}", file.display()))
            .with_hint("name a PEM file with `--ca-file` or SICKBAY_CA_FILE")
    })
}

/// Why a handshake failed, with what to do about it.
pub(super) fn explained(error: &io::Error) -> anyhow::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let text = match inner {
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "its certificate is signed by nobody that is trusted here; name who signed it with `--ca-file` or SICKBAY_CA_FILE".to_owned()
        }
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "its certificate has expired".to_owned()
        }
        Some(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })) => {
            "its certificate is for another name; write a name of the certificate in the address".to_owned()
        }
        Some(Error::InvalidMessage(_)) => "it does not speak TLS there; write http:// in the address".to_owned(),
        _ => format!("the TLS handshake failed: {error}"),
    };
    anyhow::anyhow!(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_or_a_device_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("a pipe");
        for file in [pipe.as_path(), Path::new("/dev/zero")] {
            let failure = connector(Some(file)).err().expect("it is no file");
            let told = failure.to_string();
            assert!(told.contains("is a pipe, a socket or a device") && told.contains(&*file.to_string_lossy()), "{told}");
        }
    }
}
