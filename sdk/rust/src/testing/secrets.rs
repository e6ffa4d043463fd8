//! Secrets of the scripted host: when they changed, and signatures that only tell what was signed with what.

use super::HOST;
use crate::Denial;
use crate::secrets::{SecretError, SecretInfo};

pub(crate) fn inspect(secret: &str) -> Result<SecretInfo, SecretError> {
    let known = HOST.with(|host| host.borrow().secrets.get(secret).cloned());
    known.ok_or_else(|| {
        SecretError::Denied(Denial { reason: format!("no grant for {secret}"), hint: format!("secrets = [{{ name = \"{secret}\" }}]") })
    })
}

pub(crate) fn sign(secret: &str, algorithm: &str, prefix: &str, data: &[u8]) -> Result<Vec<Vec<u8>>, SecretError> {
    inspect(secret)?;
    let mut signature = format!("{algorithm}:{prefix}{secret}:").into_bytes();
    signature.extend_from_slice(data);
    Ok(vec![signature])
}

pub(crate) fn encode(text: &str, encoding: &str) -> Result<String, SecretError> {
    Ok(format!("{encoding}({text})"))
}
