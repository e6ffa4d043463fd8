//! The host's own means, made once and shared by all runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(test)]
use ipnet::IpNet;
#[cfg(test)]
use rustls::RootCertStore;
use sickbay_core::Shapes;

use crate::dns::Resolver;
use crate::egress::{EgressPolicy, EgressSettings};
use crate::files;
use crate::pem::PemFlaw;
use crate::postgres;
use crate::redis;
use crate::secrets;
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
    pub(crate) masking: secrets::MaskThreads,
    pub(crate) shapes: Arc<Shapes>,
    pub(crate) files: files::Reader,
}

/// What the operator configured of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceSettings {
    pub egress: EgressSettings,
    pub postgres: BTreeMap<String, postgres::PostgresSettings>,
    pub redis: BTreeMap<String, redis::RedisSettings>,
    pub secrets: BTreeMap<String, secrets::SecretSettings>,
    /// What is masked in all that is told, whoever says it.
    pub shapes: Arc<Shapes>,
}

/// The host's own means cannot be had. `place` is where the configuration names a file: `[sources.redis.cache]`.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    #[error("{place}: `{}` cannot be used: {flaw}; hint: it must be a file in PEM", .path.display())]
    File { place: String, path: PathBuf, flaw: PemFlaw },
    #[error("{place}: its certificate cannot be used; hint: do the certificate and the key belong together?")]
    Own { place: String, source: rustls::Error },
    #[error("TLS cannot be set up")]
    Setup { source: rustls::Error },
}

/// A source that cannot be entered: why, and what to do. Neither names a host, a user or a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unentered {
    pub message: String,
    pub hint: String,
}

impl Unentered {
    /// `hint` is for a message that brings none of its own; `place` is where the source stands in the configuration.
    pub(crate) fn new(message: &str, hint: &str, place: &str) -> Unentered {
        let (message, hint) = message.split_once("; hint: ").unwrap_or((message, hint));
        Unentered { message: message.to_owned(), hint: format!("{hint} (`{place}`)") }
    }
}

impl Services {
    /// Reads certificates and keys, which takes some milliseconds and may wait for a disk. Needs no runtime.
    pub fn new(settings: &ServiceSettings) -> Result<Arc<Services>, ServicesError> {
        Services::made(settings, &postgres::Sources::default(), &redis::Sources::default(), secrets::MaskThreads::default())
    }

    /// These by other settings: a source whose settings and files are the same stays, with its connections. See [`Services::retire`]. It reads files as
    /// [`Services::new`] does.
    pub fn renewed(&self, settings: &ServiceSettings) -> Result<Arc<Services>, ServicesError> {
        Services::made(settings, &self.postgres, &self.redis, self.masking.clone())
    }

    /// `successor` took the place of these: connections that it does not share are closed, those in use when their call ends.
    pub fn retire(&self, successor: &Services) {
        self.postgres.retire_for(&successor.postgres);
        self.redis.retire_for(&successor.redis);
    }

    /// What is masked in all that is told.
    pub fn shapes(&self) -> &Arc<Shapes> {
        &self.shapes
    }

    fn made(
        settings: &ServiceSettings,
        postgres: &postgres::Sources,
        redis: &redis::Sources,
        masking: secrets::MaskThreads,
    ) -> Result<Arc<Services>, ServicesError> {
        let roots = tls::roots(settings.egress.ca_file.as_deref())?;
        Ok(Arc::new(Services {
            egress: EgressPolicy::new(&settings.egress.private),
            tls: Tls::new(roots)?,
            resolver: Resolver::of_this_machine(),
            machine: Machine::new(),
            postgres: postgres.renewed(&settings.postgres)?,
            redis: redis.renewed(&settings.redis)?,
            secrets: secrets::Vault::new(&settings.secrets),
            masking,
            shapes: Arc::clone(&settings.shapes),
            files: files::Reader::default(),
        }))
    }

    #[cfg(test)]
    pub(crate) fn with_roots(private: &[IpNet], roots: RootCertStore) -> Result<Arc<Services>, ServicesError> {
        Services::with(private, roots, Resolver::of_this_machine())
    }

    #[cfg(test)]
    pub(crate) fn with(private: &[IpNet], roots: RootCertStore, resolver: Resolver) -> Result<Arc<Services>, ServicesError> {
        Ok(Arc::new(Services {
            egress: EgressPolicy::new(private),
            tls: Tls::new(roots)?,
            resolver,
            machine: Machine::new(),
            postgres: postgres::Sources::default(),
            redis: redis::Sources::default(),
            secrets: secrets::Vault::default(),
            masking: secrets::MaskThreads::default(),
            shapes: Arc::default(),
            files: files::Reader::default(),
        }))
    }
}
