//! What the operator's configuration allows one check.

use std::fmt;

use crate::{files, http, net, postgres, redis, secrets, system};

/// Everything that one check was granted; empty denies everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub http: Vec<http::Grant>,
    pub net: Vec<net::Grant>,
    pub postgres: Vec<postgres::Grant>,
    pub redis: Vec<redis::Grant>,
    pub secrets: Vec<secrets::Grant>,
    pub system: system::Grant,
    pub files: Vec<files::Grant>,
}

/// A grant that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantError {
    /// What is wrong with it.
    pub message: String,
    /// Why that is not allowed.
    pub reason: &'static str,
    /// How to write it.
    pub hint: String,
    /// Bytes from the start of the grant's text to what is wrong.
    pub offset: usize,
}

impl GrantError {
    /// With a reason of its own, in place of the one that all mistakes of its kind of grant share.
    pub(crate) fn because(self, reason: &'static str) -> GrantError {
        GrantError { reason, ..self }
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; hint: {}", self.message, self.hint)
    }
}

impl std::error::Error for GrantError {}
