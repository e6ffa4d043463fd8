//! How a call towards the network can fail, in the arms that the contract's interfaces share.

use crate::denial::Denial;
use crate::meter::Exceeded;

/// Messages name the target by host and port at most, never by path, query, header or credential.
#[derive(Debug)]
pub(crate) enum Failure {
    Denied(Denial),
    /// The guest asked for something that cannot be done.
    Invalid(String),
    /// The host cannot do it, whatever the target is: told as `invalid`, so that it is never taken for the target's fault.
    Host(String),
    Quota(Exceeded),
    Dns(String),
    Refused(String),
    /// No connection came about: unreachable, reset before it stood.
    Connect(String),
    Tls(String),
    Timeout(String),
    /// There was a connection, and what came over it was wrong or ended early.
    Protocol(String),
    Other(String),
}

impl From<Denial> for Failure {
    fn from(denial: Denial) -> Failure {
        Failure::Denied(denial)
    }
}

impl From<Exceeded> for Failure {
    fn from(exceeded: Exceeded) -> Failure {
        Failure::Quota(exceeded)
    }
}
