//! What sources of every kind have in common: that they are renewed with the configuration, how they are reached, and what is told where
//! they are not.
//!
//! The addresses are the operator's own, so the egress policy is not asked.
//!
//! Invariant: a source whose settings and files are the same stays, with its connections.
//! Invariant: no message shows a part of a URL, nor a name of a certificate.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::RootCertStore;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dial::connect_to_any;
use crate::dns::Resolver;
use crate::failure::Failure;
use crate::material::Material;
use crate::pem::{self, PemFlaw};
use crate::services::ServicesError;
use crate::tls::{self, Untrusted, Verifier};

/// A URL that cannot be used. No part of the URL is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    /// What is wrong with it.
    pub message: String,
    /// How to write it.
    pub hint: String,
}

impl UrlError {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> UrlError {
        UrlError { message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; hint: {}", self.message, self.hint)
    }
}

impl std::error::Error for UrlError {}

/// What is likelier wrong with `text` than what reading it stumbled on; `encoding` tells how a password is written.
pub(crate) fn likelier(text: &str, error: UrlError, schemes: &[&str], encoding: &str) -> UrlError {
    const SLIPS_MAX: usize = 2;
    let Some((scheme, rest)) = text.trim().split_once("://") else { return error };
    let slips = |known: &&&str| strsim::damerau_levenshtein(&scheme.to_ascii_lowercase(), known);
    match schemes.iter().min_by_key(slips).map(|meant| (*meant, slips(&meant))) {
        Some((_, 0)) => {}
        Some((meant, count)) if count <= SLIPS_MAX => return UrlError::new(error.message, format!("did you mean `{meant}://`?")),
        _ => return error,
    }
    let entry = rest.split('?').next().and_then(|rest| rest.rsplit_once('@'));
    match entry {
        Some((entry, _)) if entry.contains('/') => UrlError::new("the user or password in the URL has a `/`", encoding),
        _ => error,
    }
}

/// A certificate and its key, each a file in PEM, for a server that asks for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

/// What a file is for in a source's TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// Who is trusted.
    Ca,
    Certificate,
    Key,
}

/// A file of a source that cannot be used.
#[derive(Debug)]
pub struct FlawedFile {
    pub file: TlsFile,
    pub path: PathBuf,
    pub flaw: PemFlaw,
}

/// What is wrong with the files of a source's TLS.
pub(crate) fn flawed_files(ca_file: Option<&Path>, own: Option<&ClientCertificate>) -> Vec<FlawedFile> {
    let mut flawed = Vec::new();
    let mut note = |file: TlsFile, path: &Path, flaw: PemFlaw| flawed.push(FlawedFile { file, path: path.to_path_buf(), flaw });
    if let Some(path) = ca_file
        && let Err(flaw) = pem::add_roots(&mut RootCertStore::empty(), path)
    {
        note(TlsFile::Ca, path, flaw);
    }
    if let Some(ClientCertificate { cert_file, key_file }) = own {
        match (pem::certificates(cert_file), pem::key(key_file)) {
            (Ok(chain), Ok(key)) => {
                if let Err(flaw) = pem::belong_together(chain, key) {
                    note(TlsFile::Key, key_file, flaw);
                }
            }
            (chain, key) => {
                if let Err(flaw) = chain {
                    note(TlsFile::Certificate, cert_file, flaw);
                }
                if let Err(flaw) = key {
                    note(TlsFile::Key, key_file, flaw);
                }
            }
        }
    }
    flawed
}

/// A source of one kind.
pub(crate) trait SourceKind: Sized {
    type Settings: Clone + PartialEq;

    /// Connects to nothing yet. `material` is what its files hold.
    fn make(name: &str, settings: Self::Settings, material: Material, system: &SystemRoots) -> Result<Self, ServicesError>;

    fn settings(&self) -> &Self::Settings;

    fn material(&self) -> &Material;

    /// Certificates and keys.
    fn files(settings: &Self::Settings) -> Vec<&Path>;

    /// Other settings took its place: it keeps no connection any more.
    fn retire(&self);
}

/// All sources of one kind, by name.
pub(crate) struct Sources<S> {
    pub(crate) by_name: BTreeMap<String, Arc<S>>,
}

impl<S> Default for Sources<S> {
    fn default() -> Sources<S> {
        Sources { by_name: BTreeMap::new() }
    }
}

impl<S> Clone for Sources<S> {
    fn clone(&self) -> Sources<S> {
        Sources { by_name: self.by_name.clone() }
    }
}

impl<S: SourceKind> Sources<S> {
    /// Connects to nothing yet.
    #[cfg(test)]
    pub(crate) fn new(settings: &BTreeMap<String, S::Settings>) -> Result<Sources<S>, ServicesError> {
        Sources::<S>::default().renewed(settings)
    }

    /// These sources by other settings: one whose settings and files are the same stays, with its connections. It reads files.
    pub(crate) fn renewed(&self, settings: &BTreeMap<String, S::Settings>) -> Result<Sources<S>, ServicesError> {
        let system = system_roots();
        let mut by_name = BTreeMap::new();
        for (name, settings) in settings {
            // Before the files are read for TLS: a change meanwhile is one to come back for.
            let material = Material::of(S::files(settings));
            let source = match self.by_name.get(name) {
                Some(source) if source.settings() == settings && *source.material() == material => Arc::clone(source),
                _ => Arc::new(S::make(name, settings.clone(), material, &system)?),
            };
            by_name.insert(name.clone(), source);
        }
        Ok(Sources { by_name })
    }

    /// Those that `successor` does not have keep no connection any more.
    pub(crate) fn retire_for(&self, successor: &Sources<S>) {
        for (name, source) in &self.by_name {
            if successor.by_name.get(name).is_none_or(|other| !Arc::ptr_eq(source, other)) {
                source.retire();
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<S>> {
        self.by_name.get(name).cloned()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Unreached {
    /// The host is to blame or the configuration, which must not look like the server's fault.
    Host(String),
    Server(String),
}

/// What is written in a source of one kind, for hints.
pub(crate) struct Keys {
    /// That names a CA.
    pub(crate) ca: &'static str,
    /// That name a certificate and its key.
    pub(crate) own: &'static str,
    /// Without TLS.
    pub(crate) plain: &'static str,
}

/// Ends at `deadline` only as far as it divides its time among addresses: the caller bounds the whole.
pub(crate) async fn connect(
    resolver: &Resolver,
    plugin: &Arc<str>,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<TcpStream, Unreached> {
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => resolver.addresses(plugin, host).await.map_err(unresolved)?,
    };
    let addresses: Vec<SocketAddr> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    let (stream, _) = connect_to_any(&addresses, deadline).await.map_err(|error| unconnected(&error))?;
    Ok(stream)
}

fn unresolved(failure: Failure) -> Unreached {
    match failure {
        Failure::Host(message) | Failure::Invalid(message) => Unreached::Host(message),
        _ => Unreached::Server("the name of the server does not resolve; hint: is it the right host in the source's `url`?".to_owned()),
    }
}

pub(crate) fn unconnected(error: &io::Error) -> Unreached {
    Unreached::Server(match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "the server refused the connection; hint: does the server run, and does the source's `url` name its host and port?".to_owned()
        }
        io::ErrorKind::NotFound => {
            "there is no such UNIX socket; hint: does the server run, and does the source's `url` name its socket?".to_owned()
        }
        kind => format!(
            "no connection to the server: {kind}; hint: does the source's `url` name the right host, and no firewall stand between?"
        ),
    })
}

/// `message` with the name of the source in it, as an operator knows it.
pub(crate) fn named(source: &str, message: String) -> String {
    if message.contains(&format!("source `{source}`")) { message } else { format!("source `{source}`: {message}") }
}

/// TLS over a connection to `host`.
pub(crate) async fn encrypt<S>(connector: &TlsConnector, host: &str, stream: S, keys: &Keys) -> Result<TlsStream<S>, Unreached>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = tls::server_name(host, host.parse().ok())
        .ok_or_else(|| Unreached::Host("the host of the source's `url` cannot be the name of a certificate".to_owned()))?;
    connector.connect(name, stream).await.map_err(|error| Unreached::Server(explain(&error, keys)))
}

/// Why a handshake failed.
fn explain(error: &io::Error, keys: &Keys) -> String {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the server closed during the TLS handshake".to_owned(),
            kind => format!("the TLS handshake broke: {kind}"),
        };
    };
    if let Some(Untrusted { word, .. }) = Untrusted::of(inner) {
        return refused(word, keys);
    }
    match inner {
        rustls::Error::InvalidCertificate(_) => refused("other", keys),
        rustls::Error::InvalidMessage(_) => format!("the server does not speak TLS there; hint: {} is without", keys.plain),
        rustls::Error::AlertReceived(alert) => {
            format!("the server refused the TLS handshake ({alert:?}); hint: does it want a certificate ({})?", keys.own)
        }
        _ => "the TLS handshake failed".to_owned(),
    }
}

/// Why a certificate is refused, by the word of [`Untrusted`].
fn refused(word: &str, keys: &Keys) -> String {
    let (why, hint) = match word {
        "expired" => ("has expired", "renew it on the server".to_owned()),
        "not-yet-valid" => ("is not valid yet", "is the clock of this machine right?".to_owned()),
        "wrong-name" => ("is for another name", "write a name that it is for as the host of the `url`".to_owned()),
        "unknown-issuer" => ("is from an unknown issuer", format!("name its CA with {}", keys.ca)),
        "self-signed" => ("is self-signed", format!("name it with {}", keys.ca)),
        "revoked" => ("is revoked", "renew it on the server".to_owned()),
        _ => ("is not accepted", format!("is its CA the one of {}?", keys.ca)),
    };
    format!("the server's certificate {why}; hint: {hint}")
}

/// The system's certificates, read once for all sources that need them.
pub(crate) type SystemRoots = LazyCell<Arc<RootCertStore>>;

pub(crate) fn system_roots() -> SystemRoots {
    LazyCell::new(|| Arc::new(tls::system_roots()))
}

/// TLS towards the source that stands at `place` of the configuration.
pub(crate) fn connector(place: &str, verifier: Verifier, own: Option<&ClientCertificate>) -> Result<TlsConnector, ServicesError> {
    let client = tls::client(Arc::new(verifier))?;
    let config = match own {
        None => client.with_no_client_auth(),
        Some(files) => {
            let unusable = |path: &Path, flaw| ServicesError::File { place: place.to_owned(), path: path.to_path_buf(), flaw };
            let key = pem::key(&files.key_file).map_err(|flaw| unusable(&files.key_file, flaw))?;
            let chain = pem::certificates(&files.cert_file).map_err(|flaw| unusable(&files.cert_file, flaw))?;
            client.with_client_auth_cert(chain, key).map_err(|source| ServicesError::Own { place: place.to_owned(), source })?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// What is behind a lock is whole also after a panic elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::small_file::Unreadable;

    #[test]
    fn every_file_of_a_source_is_told_that_cannot_be_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).expect("a pipe");
        let own = ClientCertificate { cert_file: path("absent.pem"), key_file: "/dev/zero".into() };
        let flawed = flawed_files(Some(&path("pipe")), Some(&own));
        let [ca, cert, key] = flawed.as_slice() else { panic!("{flawed:?}") };
        assert_eq!([ca.file, cert.file, key.file], [TlsFile::Ca, TlsFile::Certificate, TlsFile::Key]);
        assert_eq!([&ca.path, &cert.path, &key.path], [&path("pipe"), &own.cert_file, &own.key_file]);
        assert!(matches!(ca.flaw, PemFlaw::Unreadable(Unreadable::NoFile)));
        assert!(matches!(cert.flaw, PemFlaw::Unreadable(Unreadable::Missing)));
        assert!(matches!(key.flaw, PemFlaw::Unreadable(Unreadable::NoFile)));
        assert!(flawed_files(None, None).is_empty());
    }
}
