//! Connections and names below HTTP, as far as `grants = { net = [...] }` allows: `tcp://host:port`, `tls://host:port`,
//! `unix:///path`, `dns://name`.
//!
//! ```
//! # use sickbay_sdk::prelude::*;
//! # fn run() -> Result<Report, Error> {
//! let connection = net::tcp("mail.internal:25").open()?;
//! let banner = connection.receive_line()?;
//! # Ok(Report::ok(banner))
//! # }
//! ```

pub mod reply;

pub use crate::bindings::sickbay::plugin::net::{DnsAnswer, NetError, Opened, Target};

#[cfg(target_family = "wasm")]
use crate::bindings::sickbay::plugin::net as wire;
#[cfg(not(target_family = "wasm"))]
use crate::testing::net as wire;

use crate::TlsSession;

/// The longest line that [`Connection::receive_line`] reads.
pub const LINE_BYTES_MAX: u32 = 8 << 10;

/// The failure kinds that a call may end with, by the mapping of errors.
pub const CALL_FAILURES: [&str; 6] = ["dns", "refused", "connection", "tls", "timeout", "protocol"];

/// A connection that has not been opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Connect {
    pub target: Target,
}

/// To `host:port` or `unix:/path`.
pub fn tcp(address: impl Into<String>) -> Connect {
    connect(address.into(), false)
}

/// To `host:port`, encrypted from the first byte.
pub fn tls(address: impl Into<String>) -> Connect {
    connect(address.into(), true)
}

fn connect(address: String, tls: bool) -> Connect {
    Connect { target: Target { address, tls, server_name: None, accept_untrusted: false, timeout_ms: None, extras: Vec::new() } }
}

impl Connect {
    /// For SNI and the certificate, where it is not the host of the address; also for [`Connection::start_tls`].
    pub fn server_name(mut self, server_name: impl Into<String>) -> Connect {
        self.target.server_name = Some(server_name.into());
        self
    }

    /// Goes on with a certificate that is not trusted; `untrusted` of the session says why it is not.
    pub fn accept_untrusted(mut self) -> Connect {
        self.target.accept_untrusted = true;
        self
    }

    /// Bounds connecting, with TLS; the run's deadline bounds it too.
    pub fn timeout_ms(mut self, timeout_ms: u32) -> Connect {
        self.target.timeout_ms = Some(timeout_ms);
        self
    }

    /// Connects. At most 8 connections are open at once.
    pub fn open(&self) -> Result<Connection, NetError> {
        wire::connect(&self.target).map(Connection)
    }
}

/// A connection that stands; closed when dropped.
pub struct Connection(wire::Connection);

impl Connection {
    /// The peer, the phases and the session, as they were when it was opened.
    pub fn opened(&self) -> Opened {
        self.0.opened()
    }

    /// At most 1 MiB. Placeholders of secrets are filled in by the host.
    pub fn send(&self, bytes: &[u8]) -> Result<(), NetError> {
        self.0.send(bytes)
    }

    /// Up to and with `until`, at most `bytes_max` bytes.
    pub fn receive_until(&self, until: &[u8], bytes_max: u32) -> Result<Vec<u8>, NetError> {
        self.0.receive(until, bytes_max, None)
    }

    /// Exactly that many bytes; fewer when the peer closes.
    pub fn receive(&self, bytes: u32) -> Result<Vec<u8>, NetError> {
        self.0.receive(&[], bytes, None)
    }

    /// One line without its end, with U+FFFD for what is not UTF-8.
    pub fn receive_line(&self) -> Result<String, NetError> {
        let line = self.receive_until(b"\n", LINE_BYTES_MAX)?;
        Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
    }

    /// STARTTLS: from here on it is encrypted. Refused while unread bytes are held.
    pub fn start_tls(&self) -> Result<TlsSession, NetError> {
        self.0.start_tls()
    }
}

/// Records of a name; the kind is `A`, `AAAA`, `CNAME`, `MX`, `TXT`, `SRV`, `NS`, ...
pub fn dns(name: &str, kind: &str) -> Result<DnsAnswer, NetError> {
    wire::dns_resolve(name, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Dialogue, FakeHost};

    #[test]
    fn a_dialogue_is_played_in_order_and_what_was_said_is_kept() {
        let mut host = FakeHost::default().net(Ok(Dialogue::answering(&["220 ready\r\n"])));
        let line = host.serve(|| {
            let connection = tcp("mail.internal:25").timeout_ms(100).open()?;
            connection.send(b"EHLO x\r\n")?;
            connection.receive_line()
        });
        assert_eq!(line, Ok("220 ready".to_owned()));
        assert_eq!(host.said, [b"EHLO x\r\n".to_vec()]);
        assert_eq!((host.targets[0].address.as_str(), host.targets[0].timeout_ms), ("mail.internal:25", Some(100)));
    }
}
