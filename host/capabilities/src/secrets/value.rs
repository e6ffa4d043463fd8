//! The bytes of a secret.
//!
//! Invariant: they are cleared when the last reference goes, and `Debug` does not show them.

use std::fmt;
use std::sync::OnceLock;

use zeroize::Zeroizing;

use super::spelling::{self, Spelling};

/// A shorter one could not be masked without masking half of every answer.
pub(super) const VALUE_BYTES_MIN: usize = 4;
pub(super) const VALUE_BYTES_MAX: usize = 8 << 10;

pub(super) struct Value {
    bytes: Zeroizing<Vec<u8>>,
    /// Made when the first answer is looked through.
    spellings: OnceLock<Box<[Spelling]>>,
}

impl Value {
    pub(super) fn new(bytes: Zeroizing<Vec<u8>>) -> Value {
        Value { bytes, spellings: OnceLock::new() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The ways in which it is looked for.
    pub(super) fn spellings(&self) -> &[Spelling] {
        self.spellings.get_or_init(|| spelling::all(&self.bytes))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Value(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let value = Value::new(Zeroizing::new(b"correct horse".to_vec()));
        assert!(!value.spellings().is_empty());
        assert_eq!(format!("{value:?}"), "Value(..)");
    }
}
