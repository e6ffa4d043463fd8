//! Hosts, as targets name them and as grants do: a name, `*.suffix` (any name below it, not the suffix itself), an address, or a network.
//!
//! Hosts of both are brought into one spelling (`127.1` is `127.0.0.1`), so that two spellings of one host are one host. A name is made of
//! letters, digits, `-` and `_`: so a guest cannot slip a `*` or a quote into the line that a denial prints.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::Host;

use super::grant::error;
use crate::egress::Named;
use crate::grants::GrantError;

const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

const FORM: &str = "write a name, `*.example.com`, an address, or a network: `10.0.0.0/8`, `[fd00::/8]`";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// Lower case, without a dot at the end.
    Name(Box<str>),
    /// With the dot before it: `.example.com`.
    Below(Box<str>),
    /// An address is a network of one.
    Network(IpNet),
}

/// None for what is no host. An IPv6 address stands in brackets.
pub(super) fn read_host(text: &str) -> Option<Host> {
    let host = Host::parse(text).ok()?;
    match &host {
        Host::Domain(name) if !is_name(without_dot(name)) => None,
        _ => Some(host),
    }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(fits);
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// A name with a dot at the end is the same name.
pub(super) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// The host, where it is an address.
pub(super) fn literal(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some(IpAddr::V4(*address)),
        Host::Ipv6(address) => Some(IpAddr::V6(*address)),
    }
}

impl HostPattern {
    /// `start` is where `text` begins in the grant.
    pub(super) fn parse(text: &str, start: usize) -> Result<HostPattern, GrantError> {
        if text.is_empty() {
            return Err(error(start, "the grant has no host", FORM));
        }
        if text.starts_with('[') {
            return parse_bracketed(text, start);
        }
        if text.contains(':') {
            return Err(error(start, format!("`{text}` is no host"), "write an IPv6 address in brackets: `[fd00::1]`"));
        }
        if text.contains('/') {
            return parse_network(text, start);
        }
        let (suffix, below) = match text.strip_prefix("*.") {
            Some(suffix) => (suffix, true),
            None => (text, false),
        };
        if let Some(at) = suffix.find('*') {
            let hint = "a wildcard stands first and for whole labels: `*.example.com`";
            return Err(error(start + text.len() - suffix.len() + at, "a wildcard in the middle of a host", hint));
        }
        match read_host(suffix) {
            Some(Host::Domain(name)) if below => Ok(HostPattern::Below(format!(".{}", without_dot(&name)).into())),
            Some(Host::Domain(name)) => Ok(HostPattern::Name(without_dot(&name).into())),
            Some(Host::Ipv4(address)) if !below => Ok(HostPattern::Network(IpNet::from(IpAddr::V4(address)))),
            Some(_) => Err(error(start, format!("`{text}` is a wildcard below an address"), "write a network: `10.0.0.0/8`")),
            None => Err(error(start, format!("`{text}` is no host"), FORM)),
        }
    }

    /// How the pattern names `host`, where it does.
    pub(super) fn matches(&self, host: &Host) -> Option<Named> {
        match (self, host) {
            (HostPattern::Network(network), _) => literal(host).filter(|address| network.contains(address)).map(|_| Named::Literally),
            (HostPattern::Name(name), Host::Domain(host)) if **name == *without_dot(host) => {
                Some(if **name == *"localhost" { Named::Loopback } else { Named::ByName })
            }
            (HostPattern::Below(suffix), Host::Domain(host)) => {
                let host = without_dot(host);
                (host.len() > suffix.len() && host.ends_with(&**suffix)).then_some(Named::ByName)
            }
            (HostPattern::Name(_) | HostPattern::Below(_), _) => None,
        }
    }
}

/// `[fd00::1]` or `[fd00::/8]`.
fn parse_bracketed(text: &str, start: usize) -> Result<HostPattern, GrantError> {
    let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return Err(error(start, "the `[` of the address is not closed", "write `[fd00::1]` or `[fd00::/8]`"));
    };
    if !inside.contains('/') {
        return match read_host(text) {
            Some(Host::Ipv6(address)) => Ok(HostPattern::Network(IpNet::from(IpAddr::V6(address)))),
            _ => Err(error(start + 1, format!("`{inside}` is no IPv6 address"), "write `[fd00::1]`")),
        };
    }
    let network =
        Ipv6Net::from_str(inside).map_err(|_| error(start + 1, format!("`{inside}` is no IPv6 network"), "write `[fd00::/8]`"))?;
    if network.trunc() != network {
        return Err(error(start + 1, format!("`{inside}` is an address within its network"), format!("write `[{}]`", network.trunc())));
    }
    Ok(HostPattern::Network(IpNet::V6(network)))
}

/// `10.0.0.0/8`
fn parse_network(text: &str, start: usize) -> Result<HostPattern, GrantError> {
    let network = Ipv4Net::from_str(text).map_err(|_| error(start, format!("`{text}` is no network"), "write `10.0.0.0/8`"))?;
    if network.trunc() != network {
        return Err(error(start, format!("`{text}` is an address within its network"), format!("write `{}`", network.trunc())));
    }
    Ok(HostPattern::Network(IpNet::V4(network)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_spelling() {
        for (one, other) in [
            ("db.internal", "DB.Internal"),
            ("127.0.0.1", "127.1"),
            ("127.0.0.1", "0x7f000001"),
            ("127.0.0.1", "%3127.0.0.1"),
            ("[::1]", "[0:0:0:0:0:0:0:1]"),
            ("xn--bcher-kva.example", "bücher.example"),
        ] {
            assert_eq!(read_host(one), read_host(other), "{other}");
            assert!(read_host(one).is_some(), "{one}");
        }
        assert_eq!(read_host("db.internal.").map(|host| host.to_string()).as_deref(), Some("db.internal."), "the dot says: search nowhere");
    }

    #[test]
    fn what_could_break_out_of_a_printed_line_is_no_host() {
        let long = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            ".",
            "a..b",
            "*",
            "*.example.com",
            "%2a.example.com",
            "a\"b",
            "a,b",
            "a b",
            "a\nb",
            "a/b",
            "::1",
            "[::1",
            "1.2.3.4.5",
            long.as_str(),
        ] {
            assert_eq!(read_host(text), None, "{text:?}");
        }
    }
}
