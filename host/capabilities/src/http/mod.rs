//! HTTP with what a health check wants to know: the time of each phase, the peer, the certificate, what was redirected.
//!
//! Grants: `METHOD[,METHOD] scheme://host[:port]/path` (see [`Grant`]). Every request, and every redirect that it follows, passes the name
//! layer ([`policy`]) and then the address layer ([`crate::egress`]) before anything is dialled. With `connect-to` the URL has to be granted all
//! the same, and what is dialled in its place passes both layers of [`crate::net`], as `tls://` where the URL is https and else as `tcp://`. It
//! holds up to a redirect to another origin. A secret goes there over TLS whose certificate is that of the URL's host, or not at all.
//!
//! How: `host.rs` takes the guest's request, `request.rs` holds it against the contract's bounds, `client.rs` goes from hop to hop,
//! `converse.rs` speaks HTTP/1.1 over one connection; `outgoing.rs` lets `wasi:http` in by the same door. An exchange runs in one task of its own, which ends with the run.
//!
//! Limits: every request makes a new connection (`reuse` is accepted and changes nothing yet), HTTP/1.1 only, bodies are never
//! decompressed and are cut at `body-bytes-max`, a header block is at most 64 KiB.

mod client;
mod converse;
mod grant;
mod host;
pub(crate) mod outgoing;
mod policy;
mod redirect;
mod request;
#[cfg(test)]
mod tests;

pub use grant::Grant;
pub use policy::foretell;
