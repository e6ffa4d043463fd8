//! The host's own means, made once and shared by all runs.

use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use rustls::RootCertStore;

use crate::dns::Resolver;
use crate::egress::{EgressPolicy, EgressSettings};
use crate::postgres;
use crate::redis;
use crate::secrets;
use crate::files;
use crate::system::Machine;
use crate::tls::{self, Tls};

/// What every [`crate::Lent`] draws on. Dropping the last reference stops the CPU sampler.
pub struct Services {
    pub(crate) egress: EgressPolicy,
    pub(crate) tls: Tls,
    pub(crate) resolver: Resolver,
    pub(crate) machine: Machine,
    pub(crate) postgres: postgres::Sources,
    pub(crate) redis: redis::Sources,
    pub(crate) secrets: secrets::Vault,
    pub(crate) files: files::Reader,
}

/// The host's own means cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    #[error("cannot read the certificates in `{}`; hint: `[egress] ca_file` names a file in PEM", .path.display())]
    Read { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("no certificate in `{}`; hint: `[egress] ca_file` names a file in PEM with a `BEGIN CERTIFICATE`", .path.display())]
    Empty { path: PathBuf },
    #[error("a certificate in `{}` cannot be used as a root", .path.display())]
    Root { path: PathBuf, source: rustls::Error },
    #[error("TLS cannot be set up")]
    Setup { source: rustls::Error },
}

impl Services {
    /// Reads the root certificates, which takes some milliseconds. Needs no runtime.
    pub fn new(settings: &EgressSettings) -> Result<Arc<Services>, ServicesError> {
        Services::with_roots(&settings.private, tls::roots(settings.ca_file.as_deref())?)
    }

    pub(crate) fn with_roots(private: &[IpNet], roots: RootCertStore) -> Result<Arc<Services>, ServicesError> {
        Services::with(private, roots, Resolver::of_this_machine())
    }

    pub(crate) fn with(private: &[IpNet], roots: RootCertStore, resolver: Resolver) -> Result<Arc<Services>, ServicesError> {
        Ok(Arc::new(Services {
            egress: EgressPolicy::new(private),
            tls: Tls::new(roots)?,
            resolver,
            machine: Machine::new(),
            postgres: postgres::Sources::default(),
            redis: redis::Sources::default(),
            secrets: secrets::Vault::default(),
            files: files::Reader::default(),
        }))
    }
}
