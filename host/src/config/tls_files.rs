//! Certificates and keys that `[egress]`, a source or a URL names, judged with the configuration: what cannot be used later is an error now,
//! with its place.
//!
//! Invariant: no message shows anything that stands in a file, nor any part of a URL but the path of a file.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use sickbay_capabilities::pem::{self, PemFlaw};
use sickbay_capabilities::{FlawedFile, TlsFile};
use url::Url;

use super::diagnostic::{Problem, shown};
use super::place::Span;
use super::read::unreadable_file;
use super::settings::Scope;

/// The path of a `ca_file` that is `text`.
pub(super) fn ca_file(text: &str, dir: &Path) -> Result<PathBuf, Problem> {
    let path = dir.join(text);
    match pem::add_roots(&mut RootCertStore::empty(), &path) {
        Ok(()) => Ok(path),
        Err(flaw) => Err(unusable("ca_file", text, &flaw)),
    }
}

/// Notes each of `flawed` at the key that names it, which `named` knows.
pub(super) fn note(flawed: &[FlawedFile], named: impl Fn(TlsFile) -> (String, Span), scope: &mut Scope<'_>) {
    for FlawedFile { file, path, flaw } in flawed {
        let (key, span) = named(*file);
        let relative = path.strip_prefix(scope.dir).unwrap_or(path);
        scope.note(span, unusable(&key, &relative.to_string_lossy(), flaw));
    }
}

/// How a file is called that the URL under `key` names.
pub(super) fn in_url(file: TlsFile, key: &str) -> String {
    let parameter = match file {
        TlsFile::Ca => "sslrootcert",
        TlsFile::Certificate => "sslcert",
        TlsFile::Key => "sslkey",
    };
    // Between the backticks that a message puts round it.
    format!("{parameter}` in `{key}")
}

/// The first file of a store's URL that cannot be used. Relative ones are those of the folder that Sickbay is started in.
pub(super) fn store(key: &str, url: &str) -> Result<(), Problem> {
    let Ok(url) = Url::parse(url) else { return Ok(()) };
    if url.query_pairs().any(|(parameter, value)| parameter == "sslmode" && value == "disable") {
        return Ok(());
    }
    for (parameter, text) in url.query_pairs() {
        let path = Path::new(&*text);
        let (file, judged) = match &*parameter {
            "sslrootcert" => (TlsFile::Ca, pem::certificates(path).map(drop)),
            "sslcert" => (TlsFile::Certificate, pem::certificates(path).map(drop)),
            "sslkey" => (TlsFile::Key, pem::key(path).map(drop)),
            _ => continue,
        };
        judged.map_err(|flaw| unusable(&in_url(file, key), &text, &flaw))?;
    }
    Ok(())
}

fn unusable(key: &str, text: &str, flaw: &PemFlaw) -> Problem {
    let file = shown(text);
    let (what, reason, hint) = match flaw {
        PemFlaw::Unreadable(unreadable) => return unreadable_file(key, text, unreadable),
        PemFlaw::Broken => ("no PEM file", format!("\"{file}\" is not valid PEM"), "name a file in PEM"),
        PemFlaw::NoCertificate => (
            "a file without a certificate",
            format!("nothing in \"{file}\" begins with -----BEGIN CERTIFICATE-----"),
            "name a file in PEM that holds one",
        ),
        PemFlaw::NoKey => (
            "a file without a private key",
            format!("\"{file}\" holds no key that is not encrypted"),
            "name a key in PEM; remove a passphrase with `openssl pkey`",
        ),
        PemFlaw::NoRoot => (
            "a file with a certificate that cannot be trusted",
            format!("one in \"{file}\" is broken, or of a sort that is not known"),
            "name the certificate of the CA that signed the server's",
        ),
        PemFlaw::OtherKey => (
            "a key that is not the one of the certificate",
            format!("the certificate was made for another key than the one in \"{file}\", or keys of its sort are not known"),
            "name the key that it was made for; where both were renewed, wait until both files are there",
        ),
    };
    Problem::new(format!("`{key}` names {what}")).reason(reason).hint(hint)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn reason<T>(judged: Result<T, Problem>) -> String {
        judged.err().and_then(|problem| problem.reason).unwrap_or_default()
    }

    #[test]
    fn a_ca_file_is_one_that_can_be_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let judged = || ca_file("ca.pem", folder.path());
        assert_eq!(reason(judged()), "there is no \"ca.pem\"");
        fs::write(folder.path().join("ca.pem"), "hunter2").expect("written");
        assert_eq!(reason(judged()), "nothing in \"ca.pem\" begins with -----BEGIN CERTIFICATE-----");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["ca.internal".to_owned()]).expect("a name");
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).expect("a certificate").pem()).expect("written");
        assert_eq!(judged(), Ok(folder.path().join("ca.pem")));
        assert_eq!(reason(ca_file("/dev/zero", folder.path())), "\"/dev/zero\" is a pipe, a socket or a device");
    }

    #[test]
    fn the_files_of_a_stores_url_are_judged_and_its_password_is_not_told() {
        let judged = |parameters: &str| store("url", &format!("postgres://me:hunter2@db/x?{parameters}"));
        assert_eq!(judged("sslmode=require&application_name=me"), Ok(()));
        assert_eq!(judged("sslmode=disable&sslrootcert=/dev/zero"), Ok(()), "it is never read");
        for parameter in ["sslrootcert", "sslcert", "sslkey"] {
            let problem = judged(&format!("sslmode=require&{parameter}=/dev/zero")).expect_err(parameter);
            assert_eq!(problem.message, format!("`{parameter}` in `url` is no file that can be read"));
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        assert_eq!(store("url", "sqlite:sickbay.db"), Ok(()));
    }
}
