//! The contract's `secrets` on a run.

use std::sync::Arc;

use sickbay_runtime::HostResult;
use tokio::time::Instant;

use super::encode::Encoding;
use super::fill::{self, Manner};
use super::placeholder::{DrawError, Placeholders, names_of};
use super::policy::{self, Purpose};
use super::sign;
use super::source::Versions;
use super::value::Value;
use crate::contract::secrets::{Host, SecretError, SecretInfo};
use crate::denial::Capability;
use crate::failure::Failure;
use crate::lent::Lent;

/// Data of one signature.
const DATA_BYTES_MAX: usize = 1 << 20;
const PREFIX_BYTES_MAX: usize = 64;
/// A text to encode, also when its secrets are filled in.
const TEXT_BYTES_MAX: usize = 16 << 10;

impl Host for Lent {
    async fn inspect(&mut self, secret: String) -> HostResult<Result<SecretInfo, SecretError>> {
        let opened = self.inspect_secret(&secret).await;
        Ok(opened.map_err(|failure| self.tell_secret_failure(failure)))
    }

    async fn sign(
        &mut self,
        secret: String,
        algorithm: String,
        prefix: String,
        data: Vec<u8>,
    ) -> HostResult<Result<Vec<Vec<u8>>, SecretError>> {
        let signatures = self.sign_with(&secret, &algorithm, &prefix, &data).await;
        Ok(signatures.map_err(|failure| self.tell_secret_failure(failure)))
    }

    async fn encode(&mut self, text: String, encoding: String) -> HostResult<Result<String, SecretError>> {
        let placeholder = self.encode_text(&text, &encoding);
        Ok(placeholder.map_err(|failure| self.tell_secret_failure(failure)))
    }
}

impl Lent {
    /// With what was opened for the run's `config`.
    pub fn with_secrets(mut self, placeholders: Placeholders) -> Lent {
        self.secrets = placeholders;
        self
    }

    /// All placeholders of the run, those that it was given for encoded texts too: for whoever keeps what it came to.
    pub fn secrets(&self) -> &Placeholders {
        &self.secrets
    }

    async fn inspect_secret(&mut self, name: &str) -> Result<SecretInfo, Failure> {
        self.authorise_secret(name)?;
        let versions = self.open_secret(name).await?;
        let count = if versions.previous.is_some() { 2 } else { 1 };
        Ok(SecretInfo { changed_at: versions.newest.changed_at_ms, versions: count })
    }

    async fn sign_with(&mut self, name: &str, algorithm: &str, prefix: &str, data: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        self.authorise_secret(name)?;
        let algorithm = sign::algorithm(algorithm).ok_or_else(|| Failure::Invalid(format!("the algorithm is none of {}", sign::WORDS)))?;
        bound("the prefix", prefix.len(), PREFIX_BYTES_MAX)?;
        bound("the data", data.len(), DATA_BYTES_MAX)?;
        let versions = self.open_secret(name).await?;
        Ok(versions.iter().map(|version| sign::sign(algorithm, prefix, version.value.bytes(), data)).collect())
    }

    fn encode_text(&mut self, text: &str, encoding: &str) -> Result<String, Failure> {
        self.meter.call(Capability::Secrets)?;
        let encoding = Encoding::of(encoding).ok_or_else(|| Failure::Invalid("the encoding is none of `base64`, `percent`".to_owned()))?;
        bound("the text", text.len(), TEXT_BYTES_MAX)?;
        let found = self.secrets.find(text.as_bytes());
        fill::authorise(&self.grants.secrets, &found, &Purpose::Computing)?;
        let filled = fill::fill(text.as_bytes(), &found, Manner::AsItIs, TEXT_BYTES_MAX)
            .ok_or_else(|| Failure::Host(format!("with its secrets filled in the text has more than {TEXT_BYTES_MAX} bytes")))?;
        let names: Box<[Arc<str>]> = names_of(&found).into_iter().collect();
        let value = Arc::new(Value::new(encoding.encode(&filled)));
        self.secrets.draw(value, names).map(str::to_owned).map_err(|error| match error {
            DrawError::TooMany => Failure::Invalid(error.to_string()),
            DrawError::NoRandomness => Failure::Host(error.to_string()),
        })
    }

    /// Counts a use of a secret and asks the policy; whether there is such a secret is not looked at.
    fn authorise_secret(&mut self, name: &str) -> Result<(), Failure> {
        self.meter.call(Capability::Secrets)?;
        policy::authorise(&self.grants.secrets, name, &Purpose::Computing)?;
        Ok(())
    }

    async fn open_secret(&mut self, name: &str) -> Result<Versions, Failure> {
        let services = Arc::clone(&self.services);
        match services.secrets.open(name, Instant::now(), self.scope.deadline).await {
            Ok(Some(versions)) => Ok(versions),
            Ok(None) => Err(policy::not_granted(name, &Purpose::Computing).into()),
            Err(unusable) => Err(Failure::Host(unusable.to_string())),
        }
    }

    fn tell_secret_failure(&mut self, failure: Failure) -> SecretError {
        match failure {
            Failure::Denied(denial) => SecretError::Denied(self.deny(denial)),
            Failure::Invalid(message) | Failure::Host(message) => SecretError::Invalid(message),
            Failure::Quota(exceeded) => SecretError::Quota(exceeded.to_string()),
            // Nothing here goes over the network.
            Failure::Dns(message)
            | Failure::Refused(message)
            | Failure::Connect(message)
            | Failure::Tls(message)
            | Failure::Timeout(message)
            | Failure::Protocol(message)
            | Failure::Other(message) => SecretError::Other(message),
        }
    }
}

fn bound(what: &str, bytes: usize, bytes_max: usize) -> Result<(), Failure> {
    if bytes <= bytes_max { Ok(()) } else { Err(Failure::Invalid(format!("{what} has {bytes} bytes, at most {bytes_max} are taken"))) }
}
