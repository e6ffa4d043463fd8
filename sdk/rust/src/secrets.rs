//! Uses of a secret that never show it, as far as `grants = { secrets = [...] }` allows.

pub use crate::bindings::sickbay::plugin::secrets::{SecretError, SecretInfo};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::secrets as wire;
#[cfg(not(target_family = "wasm"))]
use crate::testing::secrets as wire;

/// Tells when a secret changed, never what it is.
pub fn inspect(secret: &str) -> Result<SecretInfo, SecretError> {
    wire::inspect(secret)
}

/// One signature per active version, newest first. `algorithm`: `hmac-sha256`, `hmac-sha512`, `hmac-sha1`. The key is `prefix` and then
/// the secret; without a prefix a secret of `whsec_` and base64 is the bytes that it stands for. At most 1 MiB of data.
pub fn sign(secret: &str, algorithm: &str, prefix: &str, data: &[u8]) -> Result<Vec<Vec<u8>>, SecretError> {
    wire::sign(secret, algorithm, prefix, data)
}

/// A new placeholder for `text` in `encoding` (`base64`, `percent`) with the placeholders in it filled.
pub fn encode(text: &str, encoding: &str) -> Result<String, SecretError> {
    wire::encode(text, encoding)
}
