//! A request over `wasi:http` and its answer, in types that are not the engine's.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

/// What a guest asks for. Nothing of it has been authorised.
pub struct Request {
    /// Its URI has a scheme and an authority.
    pub head: http::request::Parts,
    /// Comes when the guest has written all of it; at most [`BODY_BYTES_MAX`].
    pub body: Body,
    /// Of the whole exchange, where the guest set one.
    pub timeout: Option<Duration>,
}

/// A larger body is refused while it is written.
pub const BODY_BYTES_MAX: usize = 1 << 20;

pub type Body = Pin<Box<dyn Future<Output = Result<Bytes, Refusal>> + Send>>;

/// A request under way; dropping it ends it.
pub type Exchange = Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, Refusal>> + Send>>;

/// Why there is no answer, as far as `wasi:http` has words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No grant allows it.
    Denied,
    /// The name leads to no address that may be reached.
    Address,
    /// The request is none, a bound was passed, or a quota is used up: tells which.
    Invalid(String),
    RequestTooLarge,
    ResponseTooLarge(u64),
    Dns,
    Refused,
    Connect,
    Tls,
    Timeout,
    Protocol,
    Other(String),
}
