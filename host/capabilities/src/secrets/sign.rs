//! The algorithms of `sign`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::hmac::{self, Algorithm, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512, Key};
use zeroize::Zeroizing;

/// The words of the contract.
pub(super) const WORDS: &str = "`hmac-sha256`, `hmac-sha512`, `hmac-sha1`";

pub(super) fn algorithm(word: &str) -> Option<Algorithm> {
    match word {
        "hmac-sha256" => Some(HMAC_SHA256),
        "hmac-sha512" => Some(HMAC_SHA512),
        "hmac-sha1" => Some(HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

/// Before the base64 of a secret, as Standard Webhooks has it.
const ENCODED: &[u8] = b"whsec_";
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The key is `prefix` and then the secret. Without a prefix a secret of `whsec_` and base64 is the bytes that it stands for; any other is
/// taken as it is.
pub(super) fn sign(algorithm: Algorithm, prefix: &str, secret: &[u8], data: &[u8]) -> Vec<u8> {
    let decoded = if prefix.is_empty() { decoded(secret) } else { None };
    let secret = decoded.as_ref().map_or(secret, |bytes| bytes.as_slice());
    let mut key = Zeroizing::new(Vec::<u8>::with_capacity(prefix.len() + secret.len()));
    key.extend_from_slice(prefix.as_bytes());
    key.extend_from_slice(secret);
    hmac::sign(&Key::new(algorithm, &key), data).as_ref().to_vec()
}

fn decoded(secret: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let written = secret.strip_prefix(ENCODED).filter(|written| !written.is_empty())?;
    BASE64.decode(written).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn signed(word: &str, prefix: &str, secret: &[u8], data: &[u8]) -> String {
        hex(&sign(algorithm(word).unwrap_or_else(|| panic!("{word}")), prefix, secret, data))
    }

    #[test]
    fn signatures_are_those_of_the_published_test_vectors() {
        // RFC 4231, test cases 2 and 6; RFC 2202, test case 2.
        let data = b"what do ya want for nothing?";
        assert_eq!(signed("hmac-sha256", "", b"Jefe", data), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(
            signed("hmac-sha512", "", b"Jefe", data),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
        assert_eq!(signed("hmac-sha1", "", b"Jefe", data), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        let long = [0xaa; 131];
        assert_eq!(
            signed("hmac-sha256", "", &long, b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_secret_of_standard_webhooks_is_the_bytes_that_it_stands_for() {
        // The example of the specification, `v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=`.
        let data = b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
        let signature = "83484cf52b04f8e4cf2531adfed9882ad4b2665137b852442d594d20e2c9d4e1";
        assert_eq!(signed("hmac-sha256", "", b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", data), signature);
        for padding in ["", "="] {
            let secret = format!("whsec_SmVmZmU{padding}");
            assert_eq!(signed("hmac-sha256", "", secret.as_bytes(), data), signed("hmac-sha256", "", b"Jeffe", data));
        }
    }

    #[test]
    fn any_other_secret_is_taken_as_it_is() {
        for secret in ["whsec_", "whsec_not base64!", "WHSEC_SmVmZmU="] {
            let (before, rest) = secret.split_at(1);
            assert_eq!(signed("hmac-sha256", "", secret.as_bytes(), b"data"), signed("hmac-sha256", before, rest.as_bytes(), b"data"));
        }
        assert_eq!(signed("hmac-sha256", "x", b"whsec_SmVmZmU=", b"data"), signed("hmac-sha256", "", b"xwhsec_SmVmZmU=", b"data"));
    }

    #[test]
    fn the_prefix_stands_before_the_secret() {
        for word in ["hmac-sha256", "hmac-sha512", "hmac-sha1"] {
            assert_eq!(signed(word, "Je", b"fe", b"data"), signed(word, "", b"Jefe", b"data"));
            assert_ne!(signed(word, "fe", b"Je", b"data"), signed(word, "", b"Jefe", b"data"));
        }
    }

    #[test]
    fn other_words_are_no_algorithms() {
        for word in ["", "HMAC-SHA256", "sha256", "hmac-md5", "ed25519"] {
            assert!(algorithm(word).is_none(), "{word}");
        }
    }
}
