//! Certificates and keys: files in PEM that the configuration names.
//!
//! Limits: [`PEM_BYTES_MAX`] for a file.
//!
//! Invariant: no message shows anything that stands in a file.

use std::path::Path;

use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::small_file::{self, Unreadable};

/// All roots of a system have about 250 KiB.
pub const PEM_BYTES_MAX: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemFlaw {
    #[error("{0}")]
    Unreadable(Unreadable),
    #[error("it is not valid PEM")]
    Broken,
    #[error("nothing in it begins with -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    #[error("it holds no key that is not encrypted")]
    NoKey,
    #[error("a certificate in it cannot be used as a root")]
    NoRoot,
    #[error("it is not the key of the certificate, or of a sort that is not known")]
    OtherKey,
}

/// All certificates of a file, at least one.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemFlaw> {
    let content = read(file)?;
    let certificates: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&content).collect();
    match certificates {
        Err(_) => Err(PemFlaw::Broken),
        Ok(certificates) if certificates.is_empty() => Err(PemFlaw::NoCertificate),
        Ok(certificates) => Ok(certificates),
    }
}

/// Adds those of a file to `roots`, at least one.
pub fn add_roots(roots: &mut RootCertStore, file: &Path) -> Result<(), PemFlaw> {
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|_| PemFlaw::NoRoot)?;
    }
    Ok(())
}

/// The first key of a file.
pub fn key(file: &Path) -> Result<PrivateKeyDer<'static>, PemFlaw> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|error| match error {
        Error::NoItemsFound => PemFlaw::NoKey,
        _ => PemFlaw::Broken,
    })
}

/// Whether the key is the certificate's.
pub fn belong_together(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), PemFlaw> {
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map(drop).map_err(|_| PemFlaw::OtherKey)
}

fn read(file: &Path) -> Result<Vec<u8>, PemFlaw> {
    small_file::read(file, PEM_BYTES_MAX).map_err(PemFlaw::Unreadable)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["db.internal".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    }

    #[test]
    fn a_file_is_told_by_what_it_lacks_and_never_by_what_it_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file.pem");
        let (certificate, private_key) = pair();
        let holding = |text: &str| fs::write(&file, text).expect("written");
        let told = |flaw: PemFlaw| {
            let told = flaw.to_string();
            assert!(!format!("{told} {flaw:?}").contains("hunter2"), "{flaw:?}");
            told
        };
        holding(&(certificate.clone() + &certificate));
        assert_eq!(certificates(&file).expect("two").len(), 2);
        add_roots(&mut RootCertStore::empty(), &file).expect("roots");
        assert_eq!(told(key(&file).expect_err("no key")), PemFlaw::NoKey.to_string());
        holding(&private_key);
        key(&file).expect("a key");
        assert_eq!(told(certificates(&file).expect_err("no certificate")), PemFlaw::NoCertificate.to_string());
        for broken in ["-----BEGIN CERTIFICATE-----\nhunter2\n", "-----BEGIN hunter2\n", "-----BEGIN PRIVATE KEY-----\nhunter2"] {
            holding(broken);
            told(certificates(&file).expect_err(broken));
            told(key(&file).expect_err(broken));
        }
        holding("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(told(add_roots(&mut RootCertStore::empty(), &file).expect_err("no root")), PemFlaw::NoRoot.to_string());
        fs::remove_file(&file).expect("removed");
        assert_eq!(told(key(&file).expect_err("no file")), "there is no such file");
    }

    #[test]
    fn the_key_of_another_certificate_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let ((certificate, own), (_, other)) = (pair(), pair());
        fs::write(&cert_file, certificate).expect("written");
        let judged = |private_key: &str| {
            fs::write(&key_file, private_key).expect("written");
            belong_together(certificates(&cert_file).expect("a certificate"), key(&key_file).expect("a key"))
        };
        assert!(judged(&own).is_ok());
        assert!(matches!(judged(&other), Err(PemFlaw::OtherKey)));
    }
}
