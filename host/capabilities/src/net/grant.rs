//! What a grant of `net` looks like, and what is wrong with one.
//!
//! ```text
//! tcp://host:port    a connection; TLS over it comes by `start-tls`
//! tls://host:port    a connection that is TLS from its first byte
//! unix:///path       a UNIX socket
//! dns://name         records of a name
//! ```
//! - The host is a name, `*.suffix` (any name below it, not the suffix itself), an address, or a network: `10.0.0.0/8`, `[fd00::/8]`.
//!   Addresses and networks match targets that are written as an address only. The port is always written.
//! - In a path `*` stands for any text, also with `/` in it. What is compared are both the path that a guest names and the one that it is
//!   when all links are resolved.
//! - `dns://` takes a name or `*.suffix`.

use std::str::FromStr;

use super::host_pattern::HostPattern;
use super::{Asked, unix};
use crate::egress::Named;
use crate::glob::{Glob, STARS_MAX};
use crate::grants::GrantError;

/// A grant's text in bytes.
const GRANT_BYTES_MAX: usize = 2048;

const FORM: &str = "write `tcp://db.internal:5432`, `tls://db.internal:5433`, `unix:///run/service.sock` or `dns://example.com`";

const WHY: &str = "a grant says exactly what may be connected to and how: a scheme, then a host and a port, a path, or a name";
const WHY_PORT: &str = "each port is another service, and a grant is for one of them";

/// One line of `grants.net`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Host {
        security: Security,
        host: HostPattern,
        port: u16,
    },
    /// Of the path.
    Socket(Glob),
    /// Never a network.
    Records(HostPattern),
}

/// How bytes go over a connection: of a target and a grant, from the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    Tls,
}

impl Security {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Security::Plain => "tcp",
            Security::Tls => "tls",
        }
    }
}

impl Grant {
    /// How the grant names what is asked for, where it covers it.
    pub(super) fn names(&self, asked: &Asked<'_>) -> Option<Named> {
        match (&self.0, asked) {
            (Pattern::Host { security, host, port }, Asked::Host { security: wanted, host: target, port: target_port })
                if security == wanted && port == target_port =>
            {
                host.matches(target)
            }
            (Pattern::Socket(glob), Asked::Socket(path)) => glob.matches(path).then_some(Named::Literally),
            (Pattern::Records(pattern), Asked::Records(name)) => pattern.matches(name),
            _ => None,
        }
    }

    pub(crate) fn covers(&self, asked: &Asked<'_>) -> bool {
        self.names(asked).is_some()
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Grant, GrantError> {
        if text.len() > GRANT_BYTES_MAX {
            return Err(error(GRANT_BYTES_MAX, format!("the grant is longer than {GRANT_BYTES_MAX} bytes"), FORM));
        }
        if let Some(at) = text.find(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(error(at, "the grant has a blank in it", "write one grant per text, and no blank"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(error(0, "the grant has no scheme", FORM));
        };
        let start = scheme.len() + "://".len();
        let pattern = match scheme {
            "tcp" => parse_host(Security::Plain, rest, start)?,
            "tls" => parse_host(Security::Tls, rest, start)?,
            "unix" => Pattern::Socket(parse_path(rest, start)?),
            "dns" => Pattern::Records(parse_name(rest, start)?),
            _ => return Err(error(0, format!("`{scheme}` is no scheme of this capability"), FORM)),
        };
        Ok(Grant(pattern))
    }
}

pub(super) fn error(offset: usize, message: impl Into<String>, hint: impl Into<String>) -> GrantError {
    GrantError { message: message.into(), reason: WHY, hint: hint.into(), offset }
}

/// `start` is where `text` begins in the grant.
fn parse_host(security: Security, text: &str, start: usize) -> Result<Pattern, GrantError> {
    if let Some(at) = text.find(['@', '?', '#']) {
        return Err(error(start + at, "a grant names a host and a port, nothing else", FORM));
    }
    let length =
        if text.starts_with('[') { text.find(']').map_or(text.len(), |end| end + 1) } else { text.rfind(':').unwrap_or(text.len()) };
    let host = HostPattern::parse(&text[..length], start)?;
    let Some(digits) = text[length..].strip_prefix(':') else {
        let hint = format!("write `{}://{}:PORT`", security.scheme(), &text[..length]);
        return Err(error(start + length, "the grant names no port", hint).because(WHY_PORT));
    };
    let no_port = || error(start + length + 1, format!("`{digits}` is no port"), "write a number from 1 to 65535").because(WHY_PORT);
    let port = parse_port(digits).ok_or_else(no_port)?;
    Ok(Pattern::Host { security, host, port })
}

/// 1 to 65535, in digits alone.
pub(super) fn parse_port(digits: &str) -> Option<u16> {
    let port = digits.parse::<u16>().ok()?;
    (port != 0 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(port)
}

fn parse_path(text: &str, start: usize) -> Result<Glob, GrantError> {
    if text.starts_with('@') {
        let hint = "name a socket in the file system: `unix:///run/service.sock`";
        return Err(error(start, "abstract UNIX sockets are never lent", hint).because("they have neither an owner nor a mode"));
    }
    if let Some((at, flaw)) = unix::flaw(text) {
        return Err(error(start + at, format!("the path {flaw}"), "write `unix:///run/service.sock`"));
    }
    Glob::new(text).ok_or_else(|| error(start, format!("the path has more than {STARS_MAX} `*`"), "one `*` at the end crosses every `/`"))
}

fn parse_name(text: &str, start: usize) -> Result<HostPattern, GrantError> {
    if let Some(at) = text.find([':', '/', '@', '?', '#', '[']) {
        return Err(error(start + at, "a grant of DNS is a name alone", "write `dns://example.com` or `dns://*.example.com`"));
    }
    match HostPattern::parse(text, start)? {
        HostPattern::Network(_) => Err(error(
            start,
            format!("`{text}` is an address, and DNS is asked for names"),
            "write `dns://4.3.2.1.in-addr.arpa` for 1.2.3.4",
        )),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        text.parse().unwrap_or_else(|error: GrantError| panic!("{text}: {error}"))
    }

    fn network(text: &str) -> HostPattern {
        HostPattern::Network(text.parse().expect("network"))
    }

    #[test]
    fn a_grant_says_what_may_be_reached_and_how() {
        let host = |security, host, port| Pattern::Host { security, host, port };
        for (text, pattern) in [
            ("tcp://db.internal:5432", host(Security::Plain, HostPattern::Name("db.internal".into()), 5432)),
            ("tls://DB.internal.:5433", host(Security::Tls, HostPattern::Name("db.internal".into()), 5433)),
            ("tcp://*.internal:25", host(Security::Plain, HostPattern::Below(".internal".into()), 25)),
            ("tcp://127.1:5432", host(Security::Plain, network("127.0.0.1/32"), 5432)),
            ("tcp://10.0.0.0/8:5432", host(Security::Plain, network("10.0.0.0/8"), 5432)),
            ("tls://[fd00::1]:443", host(Security::Tls, network("fd00::1/128"), 443)),
            ("tls://[fd00::/8]:443", host(Security::Tls, network("fd00::/8"), 443)),
            ("unix:///run/docker.sock", Pattern::Socket(Glob::new("/run/docker.sock").expect("no stars"))),
            ("unix:///run/*/s.sock", Pattern::Socket(Glob::new("/run/*/s.sock").expect("one star"))),
            ("dns://Example.com.", Pattern::Records(HostPattern::Name("example.com".into()))),
            ("dns://_dmarc.example.com", Pattern::Records(HostPattern::Name("_dmarc.example.com".into()))),
            ("dns://*.example.com", Pattern::Records(HostPattern::Below(".example.com".into()))),
        ] {
            assert_eq!(grant(text), Grant(pattern), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_where_and_how_to_write_it() {
        let stars = format!("unix:///run/{}", "*".repeat(STARS_MAX + 1));
        let long = format!("unix:///{}", "a".repeat(GRANT_BYTES_MAX));
        for (text, offset, message) in [
            ("", 0, "no scheme"),
            ("db.internal:5432", 0, "no scheme"),
            ("udp://db.internal:53", 0, "`udp`"),
            ("TCP://db.internal:53", 0, "`TCP`"),
            ("GET tcp://db.internal:53", 3, "blank"),
            ("tcp://db.internal:53 ", 20, "blank"),
            ("tcp://", 6, "no host"),
            ("tcp://:5432", 6, "no host"),
            ("tcp://db.internal", 17, "no port"),
            ("tcp://db.internal:", 18, "`` is no port"),
            ("tcp://db.internal:0", 18, "`0` is no port"),
            ("tcp://db.internal:65536", 18, "no port"),
            ("tcp://db.internal:+1", 18, "no port"),
            ("tcp://db.internal:*", 18, "no port"),
            ("tcp://db.internal:5432/", 18, "no port"),
            ("tcp://user@db.internal:5432", 10, "nothing else"),
            ("tcp://db.internal:5432?x", 22, "nothing else"),
            ("tcp://*:5432", 6, "wildcard"),
            ("tcp://db*.internal:5432", 8, "wildcard"),
            ("tcp://*.a.*.internal:5432", 10, "wildcard"),
            ("tcp://*.10.0.0.1:5432", 6, "below an address"),
            ("tcp://fd00::1:5432", 6, "no host"),
            ("tcp://10.0.0.1/8:5432", 6, "within its network"),
            ("tcp://10.0.0.0/33:5432", 6, "no network"),
            ("tcp://[fd00::1/8]:5432", 7, "within its network"),
            ("tcp://[fd00::/129]:5432", 7, "no IPv6 network"),
            ("tcp://[fd00::1:5432", 6, "not closed"),
            ("tcp://[db]:5432", 7, "no IPv6 address"),
            ("tcp://[fd00::1]5432", 15, "no port"),
            ("tcp://a\"b:5432", 6, "no host"),
            ("unix://run/s.sock", 7, "not absolute"),
            ("unix://", 7, "not absolute"),
            ("unix://@abstract", 7, "abstract"),
            ("unix:////run/s.sock", 8, "slash"),
            ("unix:///run/", 12, "slash"),
            ("unix:///", 8, "slash"),
            ("unix:///run/../s.sock", 12, "`..`"),
            ("unix:///./s.sock", 8, "`..`"),
            ("unix:///run/\"", 12, "quote"),
            (stars.as_str(), 7, "more than"),
            (long.as_str(), GRANT_BYTES_MAX, "longer than"),
            ("dns://", 6, "no host"),
            ("dns://example.com:53", 17, "a name alone"),
            ("dns://10.0.0.1", 6, "is an address"),
            ("dns://[fd00::1]", 6, "a name alone"),
            ("dns://*", 6, "wildcard"),
        ] {
            let error = text.parse::<Grant>().expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
            assert!(!error.hint.is_empty(), "{text}");
        }
    }
}
