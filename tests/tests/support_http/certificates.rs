//! Certificates that a test makes for itself.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// A certificate and its key, as servers read them.
pub(crate) struct Pem {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Authority(CertifiedIssuer::self_signed(params, key()).expect("a root certificate"))
    }

    /// What to trust.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Pem {
        let key = key();
        let certificate = params.signed_by(&key, &*self.0).expect("a certificate");
        Pem { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A certificate for `name` that is good from 1975 to 4096.
pub(crate) fn leaf(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name = common_name("the leaf");
    params
}

/// Signed by nobody else.
pub(crate) fn self_signed(params: &CertificateParams) -> Pem {
    let key = key();
    let certificate = params.self_signed(&key).expect("a certificate");
    Pem { certificate: certificate.pem(), key: key.serialize_pem() }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
