//! What a guest asks to be connected to, held against the contract's bounds.

use std::fmt;
use std::time::Duration;

use rustls::pki_types::ServerName;
use url::Host;

use super::grant::parse_port;
use super::host_pattern::{literal, read_host};
use super::{Asked, Security, unix};
use crate::contract;
use crate::denial::{Capability, Denial, DenialReason};
use crate::dial::{Phase, late};
use crate::failure::Failure;
use crate::tls::{self, Trust};

const ADDRESS_BYTES_MAX: usize = 1 << 10;

const FORM: &str = "hint: write `db.internal:5432`, `10.0.0.7:5432`, `[fd00::7]:5432` or `unix:/run/service.sock`";

/// One connection to be.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) place: Place,
    pub(super) security: Security,
    /// The name that a certificate is held against. There whenever `security` is TLS.
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) trust: Trust,
    /// Of connecting, and of a handshake that comes later.
    pub(super) time: Option<Duration>,
}

/// Where something is that is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Host { host: Host, port: u16 },
    Socket(Box<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Host { host, port } => write!(formatter, "{host}:{port}"),
            Place::Socket(path) => formatter.write_str(path),
        }
    }
}

impl Target {
    pub(super) fn new(target: contract::net::Target) -> Result<Target, Failure> {
        let contract::net::Target { address, tls: from_first_byte, server_name, accept_untrusted, timeout_ms, extras: _ } = target;
        let place = Place::parse(&address)?;
        let security = if from_first_byte { Security::Tls } else { Security::Plain };
        let server_name = match server_name {
            Some(given) => Some(given_name(&given)?),
            None => place.name(),
        };
        if security == Security::Tls && server_name.is_none() {
            return Err(invalid(format!("TLS to {place} needs a `server-name`: it has none that a certificate could be for")));
        }
        Ok(Target {
            place,
            security,
            server_name,
            trust: if accept_untrusted { Trust::Reported } else { Trust::Required },
            time: timeout_ms.map(|timeout_ms| Duration::from_millis(timeout_ms.into())),
        })
    }
}

impl Place {
    /// What a grant must cover, where the connection begins so.
    pub(super) fn asked(&self, security: Security) -> Asked<'_> {
        match self {
            Place::Host { host, port } => Asked::Host { security, host, port: *port },
            Place::Socket(path) => Asked::Socket(path),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Place, Failure> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(invalid(format!("the address has {} bytes, at most {ADDRESS_BYTES_MAX} are read", text.len())));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return parse_socket(path);
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(invalid(format!("the address has no port; {FORM}")));
        };
        let port = parse_port(port).ok_or_else(|| invalid(format!("the address's port is no number from 1 to 65535; {FORM}")))?;
        let host = read_host(host).ok_or_else(|| invalid(format!("the address's host is none; {FORM}")))?;
        Ok(Place::Host { host, port })
    }

    /// What a deadline that ended an exchange in this phase is told as.
    pub(crate) fn timed_out(&self, phase: Phase, within: Duration) -> Failure {
        let ms = within.as_millis();
        match (self, phase) {
            (Place::Host { host, port }, _) => phase.timed_out(&host.to_string(), *port, within),
            (Place::Socket(path), Phase::Own) => late(&format!("`{path}`"), within),
            (Place::Socket(path), Phase::Tls) => Failure::Timeout(format!("no TLS handshake with `{path}` within {ms} ms (tls)")),
            (Place::Socket(path), Phase::FirstByte) => {
                Failure::Timeout(format!("no answer from `{path}` within {ms} ms (first byte); hint: is the service overloaded?"))
            }
            (Place::Socket(path), Phase::Body) => Failure::Timeout(format!("the answer from `{path}` was not whole within {ms} ms (body)")),
            (Place::Socket(path), Phase::Dns | Phase::Connect) => {
                Failure::Timeout(format!("no connection to `{path}` within {ms} ms (connect)"))
            }
        }
    }

    /// The name of its own that a certificate may be for.
    fn name(&self) -> Option<ServerName<'static>> {
        match self {
            Place::Host { host, .. } => tls::server_name(&host.to_string(), literal(host)),
            Place::Socket(_) => None,
        }
    }
}

fn parse_socket(path: &str) -> Result<Place, Failure> {
    if path.starts_with(['@', '\0']) {
        return Err(Failure::Denied(Denial {
            capability: Capability::Net,
            reason: DenialReason::ForbiddenAddress,
            message: "an abstract UNIX socket is never lent: it has neither an owner nor a mode".to_owned(),
            hint: "no grant opens it; name a socket in the file system: `unix:/run/service.sock`".to_owned(),
        }));
    }
    if path.len() > unix::PATH_BYTES_MAX {
        return Err(invalid(format!("the path has {} bytes, a UNIX socket has at most {}", path.len(), unix::PATH_BYTES_MAX)));
    }
    if let Some((_, flaw)) = unix::flaw(path) {
        return Err(invalid(format!("the path {flaw}; hint: write `unix:/run/service.sock`")));
    }
    // In a grant it would stand for more than this path.
    if path.contains('*') {
        return Err(invalid("the path has a `*` in it, which no grant can name".to_owned()));
    }
    Ok(Place::Socket(path.into()))
}

fn given_name(text: &str) -> Result<ServerName<'static>, Failure> {
    let name = tls::server_name(text, text.parse().ok());
    name.ok_or_else(|| invalid("the `server-name` cannot be the name of a certificate; hint: write a host name or an address".to_owned()))
}

fn invalid(message: String) -> Failure {
    Failure::Invalid(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(address: &str) -> contract::net::Target {
        contract::net::Target {
            address: address.to_owned(),
            tls: false,
            server_name: None,
            accept_untrusted: false,
            timeout_ms: None,
            extras: Vec::new(),
        }
    }

    #[test]
    fn an_address_is_brought_into_one_spelling() {
        for (address, place) in [
            ("DB.Internal:5432", "db.internal:5432"),
            ("127.1:80", "127.0.0.1:80"),
            ("[0:0::1]:80", "[::1]:80"),
            ("unix:/run/service.sock", "/run/service.sock"),
        ] {
            assert_eq!(Target::new(target(address)).expect(address).place.to_string(), place);
        }
    }

    #[test]
    fn what_is_no_address_is_invalid() {
        let long = format!("unix:/{}", "a".repeat(unix::PATH_BYTES_MAX));
        let longer = format!("{}:1", "a".repeat(ADDRESS_BYTES_MAX));
        for address in [
            "",
            "db.internal",
            "db.internal:",
            "db.internal:0",
            "db.internal:+1",
            "db.internal:65536",
            ":5432",
            "::1:5432",
            "[::1]",
            "tcp://db.internal:5432",
            "user@db.internal:5432",
            "*.internal:5432",
            "a\"b:5432",
            "unix:",
            "unix:run/s",
            "unix:///run/s",
            "unix:/run/../s",
            "unix:/run/*",
            "unix:/run/\"",
            long.as_str(),
            longer.as_str(),
        ] {
            let outcome = Target::new(target(address));
            assert!(matches!(outcome, Err(Failure::Invalid(_))), "{address}: {outcome:?}");
        }
    }

    #[test]
    fn abstract_sockets_are_denied() {
        for address in ["unix:@service", "unix:\0service"] {
            let outcome = Target::new(target(address));
            let Err(Failure::Denied(denial)) = outcome else { panic!("{address:?}: {outcome:?}") };
            assert_eq!((denial.capability, denial.reason), (Capability::Net, DenialReason::ForbiddenAddress));
        }
    }

    #[test]
    fn tls_needs_a_name_that_a_certificate_may_be_for() {
        let tls = |address: &str, server_name: Option<&str>| {
            let target = target(address);
            Target::new(contract::net::Target { tls: true, server_name: server_name.map(str::to_owned), ..target })
        };
        let name =
            |target: Result<Target, Failure>| target.ok().and_then(|target| target.server_name).map(|name| name.to_str().into_owned());
        assert_eq!(name(tls("db.internal.:5433", None)).as_deref(), Some("db.internal"));
        assert_eq!(name(tls("127.0.0.1:5433", None)).as_deref(), Some("127.0.0.1"));
        assert_eq!(name(tls("127.0.0.1:5433", Some("db.internal"))).as_deref(), Some("db.internal"));
        assert_eq!(name(tls("unix:/run/s", Some("10.0.0.7"))).as_deref(), Some("10.0.0.7"));
        for (address, server_name) in [("unix:/run/s", None), ("127.0.0.1:1", Some("")), ("127.0.0.1:1", Some("a b"))] {
            let outcome = tls(address, server_name);
            assert!(matches!(outcome, Err(Failure::Invalid(_))), "{address}: {outcome:?}");
        }
    }
}
