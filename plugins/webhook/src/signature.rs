//! Signatures of Standard Webhooks: HMAC-SHA256 over the id, the time and the body, one for each version of the secret that is in use.
//!
//! The host makes them, and takes a secret of `whsec_` and base64 as the bytes that it stands for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sickbay_sdk::secrets::{self, SecretError};

/// The header's value. `timestamp` is in seconds since 1970.
pub(crate) fn of(secret: &str, id: &str, timestamp: u64, body: &str) -> Result<String, SecretError> {
    let signed = format!("{id}.{timestamp}.{body}");
    let signatures = secrets::sign(secret, "hmac-sha256", "", signed.as_bytes())?;
    let versions: Vec<String> = signatures.iter().map(|signature| format!("v1,{}", STANDARD.encode(signature))).collect();
    Ok(versions.join(" "))
}

/// The bytes of each signature, which tell on a scripted host what was signed.
#[cfg(test)]
pub(crate) fn decoded(header: &str) -> Vec<String> {
    let decode = |version: &str| {
        let bytes = STANDARD.decode(version.strip_prefix("v1,").expect("version 1")).expect("base64");
        String::from_utf8(bytes).expect("text")
    };
    header.split(' ').map(decode).collect()
}
