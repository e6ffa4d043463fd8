//! Secrets of the scripted host: when they changed, and signatures that only tell what was signed with what, one by each version.

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
    let SecretInfo { versions, .. } = inspect(secret)?;
    let signature = |version: u32| {
        let before = if version > 1 { "previous " } else { "" };
        let mut signature = format!("{algorithm}:{before}{prefix}{secret}:").into_bytes();
        signature.extend_from_slice(data);
        signature
    };
    Ok((1..=versions).map(signature).collect())
}

pub(crate) fn encode(text: &str, encoding: &str) -> Result<String, SecretError> {
    Ok(format!("{encoding}({text})"))
}
