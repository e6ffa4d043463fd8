//! Certificates that a test makes for itself, as files.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::source::ClientCertificate;

/// Signs certificates. Dropping it removes the files.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, "the authority");
        params.distinguished_name = name;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("written");
        Authority { issuer, folder }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate for `name` and its key.
    pub(crate) fn issue(&self, name: &str) -> ClientCertificate {
        self.sign(name, &leaf(name))
    }

    /// The files are called after `name`.
    pub(crate) fn sign(&self, name: &str, params: &CertificateParams) -> ClientCertificate {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &*self.issuer).expect("a certificate");
        let file = |kind: &str, text: &str| -> PathBuf {
            let path = self.folder.path().join(format!("{name}.{kind}.pem"));
            fs::write(&path, text).expect("written");
            path
        };
        ClientCertificate { cert_file: file("cert", &certificate.pem()), key_file: file("key", &key.serialize_pem()) }
    }
}

/// For `name`, good from 1975 to 4096.
pub(crate) fn leaf(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name")
}
