//! The encodings of `encode`.
//!
//! Invariant: a secret can be computed back from what is made here, so it stays in the host and a guest gets a placeholder for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// With `+`, `/` and padding: what HTTP Basic and SMTP AUTH ask for.
    Base64,
    /// All but letters, digits and `-._~`, so that it is one component of a URL or a form.
    Percent,
}

impl Encoding {
    pub(super) fn of(word: &str) -> Option<Encoding> {
        match word {
            "base64" => Some(Encoding::Base64),
            "percent" => Some(Encoding::Percent),
            _ => None,
        }
    }

    pub(super) fn encode(self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        match self {
            Encoding::Base64 => Zeroizing::new(STANDARD.encode(bytes).into_bytes()),
            Encoding::Percent => {
                let mut encoded = Zeroizing::new(Vec::<u8>::with_capacity(percent_len(bytes)));
                percent(bytes, &mut encoded);
                encoded
            }
        }
    }
}

/// Adds `bytes` percent-encoded to `encoded`.
pub(super) fn percent(bytes: &[u8], encoded: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        if is_unreserved(*byte) {
            encoded.push(*byte);
        } else {
            encoded.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
        }
    }
}

pub(super) fn percent_len(bytes: &[u8]) -> usize {
    bytes.iter().map(|byte| if is_unreserved(*byte) { 1 } else { 3 }).sum()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_are_the_plain_ones() {
        for (bytes, base64, percent) in [
            (&b"user:pass"[..], "dXNlcjpwYXNz", "user%3Apass"),
            (b"a/b?c#d@e f+g%", "YS9iP2MjZEBlIGYrZyU=", "a%2Fb%3Fc%23d%40e%20f%2Bg%25"),
            (b"\xff\xfe\x00", "//4A", "%FF%FE%00"),
            (b"-._~", "LS5ffg==", "-._~"),
            (b"", "", ""),
        ] {
            assert_eq!(Encoding::Base64.encode(bytes).as_slice(), base64.as_bytes(), "{base64}");
            assert_eq!(Encoding::Percent.encode(bytes).as_slice(), percent.as_bytes(), "{percent}");
            assert_eq!(percent_len(bytes), percent.len(), "{percent}");
        }
    }

    #[test]
    fn other_words_are_no_encodings() {
        assert_eq!((Encoding::of("base64"), Encoding::of("percent")), (Some(Encoding::Base64), Some(Encoding::Percent)));
        for word in ["", "Base64", "base64url", "hex", "json"] {
            assert_eq!(Encoding::of(word), None, "{word}");
        }
    }
}
