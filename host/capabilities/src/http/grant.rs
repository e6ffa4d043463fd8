//! What a grant of `http` looks like, and what is wrong with one.
//!
//! ```text
//! METHOD[,METHOD] scheme://host[:port][/path]
//! ```
//! - Methods in capitals, or `*` for any. Schemes `http` and `https`; `ws` and `wss` mean the same two.
//! - The host is a name, `*.suffix` (any name below it, not the suffix itself), an address, or a network: `10.0.0.0/8`,
//!   `[fd00::/8]`. Addresses and networks match requests to a literal address only.
//! - Without a port, the scheme's own; without a path, `/`.
//! - The path is matched together with the query as one text, in which `*` stands for any text: `/health*` also matches `/health?x=1`,
//!   `/health` does not.
//!
//! Hosts and paths are normalised as those of requests are (`127.1` is `127.0.0.1`, `/a/../b` is `/b`), so that two spellings of one
//! target are one target.

use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Position, Url};

use crate::glob::{Glob, STARS_MAX};
use crate::grants::GrantError;

/// A grant's text in bytes.
const GRANT_BYTES_MAX: usize = 2048;

const FORM: &str = "write `GET https://api.internal:8000/health*`";
const WHY: &str = "a grant says exactly what may be asked of whom: methods, a blank, and a URL with its scheme and host";
const WHY_METHOD: &str = "to read is not to change, so a grant says which methods it allows";
const WHY_CAPITALS: &str = "servers take methods as they are written, and those of HTTP are in capitals";
const WHY_SCHEME: &str = "it decides whether what is sent is encrypted, and other protocols are granted under `net`";
const WHY_WILDCARD: &str = "`*` stands for whole labels, so that no name of a stranger fits by chance";
const WHY_ADDRESS: &str = "an address is matched as an address, alone or as a network, and never as a part of a name";
const WHY_NETWORK: &str = "bits are set beyond the length, so it may be meant as a network or as one address";
const WHY_PORT: &str = "a port is a number from 1 to 65535, and a grant is for one of them";
const WHY_STARS: &str = "each one costs time at every request";

/// One line of `grants.http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(super) methods: Methods,
    pub(super) scheme: Scheme,
    pub(super) host: HostPattern,
    pub(super) port: u16,
    pub(super) path: Glob,
}

impl Grant {
    /// Whether all that `other` allows is allowed.
    pub fn covers(&self, other: &Grant) -> bool {
        let target = self.scheme == other.scheme && self.port == other.port && self.host.covers(&other.host);
        target && self.methods.cover(&other.methods) && self.path.covers(&other.path)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Methods {
    Any,
    Listed(Box<[Box<str>]>),
}

impl Methods {
    fn cover(&self, other: &Methods) -> bool {
        match other {
            Methods::Any => *self == Methods::Any,
            Methods::Listed(listed) => listed.iter().all(|method| self.contain(method)),
        }
    }

    pub(super) fn contain(&self, method: &str) -> bool {
        match self {
            Methods::Any => true,
            Methods::Listed(listed) => listed.iter().any(|one| **one == *method),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// None for a scheme that is not HTTP's.
    pub(super) fn of(word: &str) -> Option<Scheme> {
        match word {
            "http" | "ws" => Some(Scheme::Http),
            "https" | "wss" => Some(Scheme::Https),
            _ => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub(super) fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// Lower case, without a dot at the end.
    Name(Box<str>),
    /// With the dot before it: `.example.com`.
    Below(Box<str>),
    /// An address is a network of one.
    Network(IpNet),
}

impl HostPattern {
    fn covers(&self, other: &HostPattern) -> bool {
        match (self, other) {
            (HostPattern::Below(suffix), HostPattern::Name(name)) => name.len() > suffix.len() && name.ends_with(&**suffix),
            (HostPattern::Below(suffix), HostPattern::Below(other)) => other.ends_with(&**suffix),
            (HostPattern::Network(network), HostPattern::Network(other)) => network.contains(other),
            _ => self == other,
        }
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Grant, GrantError> {
        if text.len() > GRANT_BYTES_MAX {
            return Err(error(GRANT_BYTES_MAX, format!("the grant is longer than {GRANT_BYTES_MAX} bytes"), FORM));
        }
        let Some((methods, rest)) = text.split_once([' ', '\t']) else {
            let hint = if text.contains("://") { format!("write `GET {text}`") } else { FORM.to_owned() };
            return Err(error(0, "the grant names no method before the URL", hint).because(WHY_METHOD));
        };
        let methods = parse_methods(methods)?;
        let url = rest.trim_start_matches([' ', '\t']);
        parse_url(methods, url, text.len() - url.len())
    }
}

fn error(offset: usize, message: impl Into<String>, hint: impl Into<String>) -> GrantError {
    GrantError { message: message.into(), reason: WHY, hint: hint.into(), offset }
}

fn parse_methods(text: &str) -> Result<Methods, GrantError> {
    if text == "*" {
        return Ok(Methods::Any);
    }
    let mut offset = 0;
    let mut methods: Vec<Box<str>> = Vec::new();
    for method in text.split(',') {
        let capitals = method.to_ascii_uppercase();
        if method.is_empty() {
            return Err(error(offset, "a method is missing", "separate methods by one comma: `GET,HEAD`").because(WHY_METHOD));
        }
        if !capitals.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
            return Err(error(offset, format!("`{method}` is no method"), FORM));
        }
        if capitals != method {
            return Err(
                error(offset, format!("the method `{method}` is not in capitals"), format!("write `{capitals}`")).because(WHY_CAPITALS)
            );
        }
        if method == "CONNECT" {
            return Err(error(offset, "`CONNECT` would open a tunnel to anywhere", "name the target itself")
                .because("what goes through a tunnel is judged by no grant"));
        }
        methods.push(Box::from(method));
        offset += method.len() + 1;
    }
    Ok(Methods::Listed(methods.into()))
}

/// `start` is where `text` begins in the grant.
fn parse_url(methods: Methods, text: &str, start: usize) -> Result<Grant, GrantError> {
    let Some((word, rest)) = text.split_once("://") else {
        return Err(error(start, "the URL has no scheme", FORM).because(WHY_SCHEME));
    };
    let Some(scheme) = Scheme::of(word) else {
        return Err(error(start, format!("`{word}` is no scheme of this capability"), "write `http://` or `https://`").because(WHY_SCHEME));
    };
    let start = start + word.len() + "://".len();
    if let Some(at) = rest.find(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Err(error(start + at, "the URL ends with a blank", "write one grant per text, blanks in a path as `%20`"));
    }
    if let Some(at) = rest.find('#') {
        let why = "it would match no request";
        return Err(error(start + at, "a fragment (`#...`) is never sent", "leave it out").because(why));
    }
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    if let Some(at) = authority.find('@') {
        let why = "grants are shown in messages; what a request proves itself with is a header or a secret";
        return Err(error(start + at, "a grant names no user or password", "leave out everything before `@`, and the `@`").because(why));
    }
    let (host, length) = parse_host(rest, start)?;
    let (port, port_length) = parse_port(&rest[length..], start + length)?;
    let path = &rest[length + port_length..];
    Ok(Grant { methods, scheme, host, port: port.unwrap_or(scheme.port()), path: parse_path(path, start + length + port_length)? })
}

/// The host at the front of `rest`, and how many bytes it takes.
fn parse_host(rest: &str, start: usize) -> Result<(HostPattern, usize), GrantError> {
    if rest.starts_with('[') {
        return parse_bracketed(rest, start);
    }
    let length = rest.find([':', '/', '?']).unwrap_or(rest.len());
    let host = &rest[..length];
    if host.is_empty() {
        return Err(error(start, "the URL has no host", FORM));
    }
    if let Some((network, length)) = parse_network(rest, host, start)? {
        return Ok((HostPattern::Network(network), length));
    }
    let (suffix, below) = match host.strip_prefix("*.") {
        Some(suffix) => (suffix, true),
        None => (host, false),
    };
    if let Some(at) = suffix.find('*') {
        let hint = "a wildcard stands first and for whole labels: `*.example.com`";
        return Err(error(start + host.len() - suffix.len() + at, "a wildcard in the middle of a host", hint).because(WHY_WILDCARD));
    }
    match Host::parse(suffix) {
        Ok(Host::Domain(name)) if below => Ok((HostPattern::Below(format!(".{}", without_dot(&name)).into()), length)),
        Ok(Host::Domain(name)) => Ok((HostPattern::Name(without_dot(&name).into()), length)),
        Ok(Host::Ipv4(address)) if !below => Ok((HostPattern::Network(IpNet::from(std::net::IpAddr::V4(address))), length)),
        Ok(_) => {
            Err(error(start, format!("`{host}` is a wildcard below an address"), "write a network: `10.0.0.0/8`").because(WHY_ADDRESS))
        }
        Err(reason) => Err(error(start, format!("`{host}` is no host: {reason}"), FORM)),
    }
}

/// `[fd00::1]` or `[fd00::/8]`.
fn parse_bracketed(rest: &str, start: usize) -> Result<(HostPattern, usize), GrantError> {
    let Some(end) = rest.find(']') else {
        return Err(error(start, "the `[` of the address is not closed", "write `[fd00::1]` or `[fd00::/8]`"));
    };
    let inside = &rest[1..end];
    let network = if inside.contains('/') {
        let network =
            Ipv6Net::from_str(inside).map_err(|_| error(start + 1, format!("`{inside}` is no IPv6 network"), "write `[fd00::/8]`"))?;
        if network.trunc() != network {
            let hint = format!("write `[{}]` for the network", network.trunc());
            return Err(error(start + 1, format!("`{inside}` is an address within its network"), hint).because(WHY_NETWORK));
        }
        IpNet::V6(network)
    } else {
        let Ok(Host::Ipv6(address)) = Host::parse(&rest[..=end]) else {
            return Err(error(start + 1, format!("`{inside}` is no IPv6 address"), "write `[fd00::1]`"));
        };
        IpNet::from(std::net::IpAddr::V6(address))
    };
    Ok((HostPattern::Network(network), end + 1))
}

/// `10.0.0.0/8` at the front of `rest`, whose host is `host`: an address, a slash and at most two digits are a network, not a path.
fn parse_network(rest: &str, host: &str, start: usize) -> Result<Option<(IpNet, usize)>, GrantError> {
    let (Ok(address), Some(after)) = (host.parse::<Ipv4Addr>(), rest[host.len()..].strip_prefix('/')) else {
        return Ok(None);
    };
    let digits = &after[..after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len())];
    let ends = after[digits.len()..].is_empty() || after[digits.len()..].starts_with([':', '/', '?']);
    let Some(bits) = digits.parse::<u8>().ok().filter(|&bits| bits <= 32 && digits.len() <= 2 && ends) else {
        return Ok(None);
    };
    let Ok(network) = Ipv4Net::new(address, bits) else { return Ok(None) };
    if network.trunc() != network {
        let hint = format!("write `{}` for the network, `{address}/{bits}*` for a path", network.trunc());
        return Err(error(start, format!("`{address}/{bits}` is an address within its network"), hint).because(WHY_NETWORK));
    }
    Ok(Some((IpNet::V4(network), host.len() + 1 + digits.len())))
}

fn parse_port(rest: &str, start: usize) -> Result<(Option<u16>, usize), GrantError> {
    let Some(after) = rest.strip_prefix(':') else { return Ok((None, 0)) };
    let digits = &after[..after.find(['/', '?']).unwrap_or(after.len())];
    match digits.parse::<u16>() {
        Ok(port) if port != 0 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok((Some(port), 1 + digits.len())),
        _ => {
            let hint = "write a number from 1 to 65535, or leave out the `:`";
            Err(error(start + 1, format!("`{digits}` is no port"), hint).because(WHY_PORT))
        }
    }
}

fn parse_path(path: &str, start: usize) -> Result<Glob, GrantError> {
    if !path.is_empty() && !path.starts_with(['/', '?']) {
        return Err(error(start, format!("`{path}` after the host is no path"), FORM));
    }
    // The scheme and host do not matter here: only the path and query are taken back out.
    let url =
        Url::parse(&format!("http://host{path}")).map_err(|reason| error(start, format!("the path cannot be read: {reason}"), FORM))?;
    let too_many = || error(start, format!("the path has more than {STARS_MAX} `*`"), "one `*` at the end crosses every `/`");
    Glob::new(&url[Position::BeforePath..Position::AfterQuery]).ok_or_else(|| too_many().because(WHY_STARS))
}

/// A name with a dot at the end is the same name.
pub(super) fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        text.parse().unwrap_or_else(|error: GrantError| panic!("{text}: {error}"))
    }

    #[test]
    fn a_grant_says_methods_scheme_host_port_and_path() {
        let grant = grant("GET,HEAD https://api.internal:8000/health*");
        assert_eq!(grant.methods, Methods::Listed(vec![Box::<str>::from("GET"), Box::<str>::from("HEAD")].into()));
        assert_eq!(grant.scheme, Scheme::Https);
        assert_eq!(grant.host, HostPattern::Name("api.internal".into()));
        assert_eq!(grant.port, 8000);
        assert_eq!(grant.path, Glob::new("/health*").expect("one star"));
    }

    #[test]
    fn a_grant_covers_what_allows_no_more() {
        for (wide, narrow, covers) in [
            ("GET https://a.example/x", "GET https://a.example/x", true),
            ("GET,POST https://a.example/*", "POST https://a.example/x*", true),
            ("* https://*.example/*", "GET https://*.b.example/", true),
            ("GET http://10.0.0.0/8/*", "GET http://10.1.0.0/16/x", true),
            ("GET https://a.example/x", "POST https://a.example/x", false),
            ("GET https://a.example/*", "* https://a.example/x", false),
            ("GET https://a.example/x", "GET https://a.example/x*", false),
            ("GET https://a.example/x", "GET https://*.example/x", false),
            ("GET https://*.example/x", "GET https://example/x", false),
            ("GET https://a.example/x", "GET http://a.example/x", false),
            ("GET https://a.example/x", "GET https://a.example:8443/x", false),
            ("GET http://10.1.0.0/16/x", "GET http://10.0.0.0/8/x", false),
        ] {
            assert_eq!(grant(wide).covers(&grant(narrow)), covers, "{wide} and {narrow}");
        }
    }

    #[test]
    fn spellings_of_one_target_are_one_grant() {
        for (one, other) in [
            ("GET http://127.0.0.1/", "GET http://127.1/"),
            ("GET http://127.0.0.1/", "GET http://2130706433/"),
            ("GET http://127.0.0.1/", "GET http://0x7f000001/"),
            ("GET http://127.0.0.1/", "GET http://0177.0.0.1/"),
            ("GET http://127.0.0.1/", "GET http://127.0.0.1/32"),
            ("GET http://api.example/", "GET http://API.example"),
            ("GET http://api.example/", "GET http://api.example.:80/"),
            ("GET http://api.example/", "GET ws://api.example/"),
            ("GET https://api.example/", "GET   https://api.example:443"),
            ("GET https://api.example/", "GET wss://api.example"),
            ("GET http://[::1]/", "GET http://[0:0:0:0:0:0:0:1]:80/"),
            ("GET http://api.example/b", "GET http://api.example/a/../b"),
            ("GET http://api.example/b", "GET http://api.example/a/%2e%2E/b"),
            ("GET http://api.example/caf%C3%A9*", "GET http://api.example/café*"),
            ("GET http://api.example/?*", "GET http://api.example?*"),
            ("GET http://xn--bcher-kva.example/", "GET http://bücher.example/"),
        ] {
            assert_eq!(grant(one), grant(other), "{other}");
        }
    }

    #[test]
    fn networks_are_told_from_paths() {
        let network = |text: &str| HostPattern::Network(text.parse().expect("network"));
        for (text, host, port, path) in [
            ("GET http://10.0.0.0/8", network("10.0.0.0/8"), 80, "/"),
            ("GET http://10.0.0.0/8:8000/health", network("10.0.0.0/8"), 8000, "/health"),
            ("GET http://10.0.0.0/8/health*", network("10.0.0.0/8"), 80, "/health*"),
            ("GET http://0.0.0.0/0/*", network("0.0.0.0/0"), 80, "/*"),
            ("GET http://10.0.0.1/8*", network("10.0.0.1/32"), 80, "/8*"),
            ("GET http://10.0.0.1/808", network("10.0.0.1/32"), 80, "/808"),
            ("GET http://10.0.0.1/99", network("10.0.0.1/32"), 80, "/99"),
            ("GET http://10.0.0.1:80/8", network("10.0.0.1/32"), 80, "/8"),
            ("GET http://[fd00::/8]:8080/x", network("fd00::/8"), 8080, "/x"),
            ("GET http://[fd00::1]/64", network("fd00::1/128"), 80, "/64"),
        ] {
            let grant = grant(text);
            assert_eq!((grant.host, grant.port, grant.path), (host, port, Glob::new(path).expect("few stars")), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_where_and_how_to_write_it() {
        for (text, offset, message) in [
            ("", 0, "no method"),
            ("https://api.example/", 0, "no method"),
            ("GET", 0, "no method"),
            ("get http://api.example/", 0, "not in capitals"),
            ("GET,post http://api.example/", 4, "not in capitals"),
            ("GET, http://api.example/", 4, "method is missing"),
            ("G€T http://api.example/", 0, "no method"),
            ("CONNECT http://api.example/", 0, "tunnel"),
            ("GET api.example/health", 4, "no scheme"),
            ("GET ftp://api.example/", 4, "`ftp`"),
            ("GET http:///health", 11, "no host"),
            ("GET http://", 11, "no host"),
            ("GET http://*/health", 11, "wildcard"),
            ("GET http://api*.example/", 14, "wildcard"),
            ("GET http://*.api.*.example/", 17, "wildcard"),
            ("GET http://*.10.0.0.1/", 11, "below an address"),
            ("GET http://user:secret@api.example/", 22, "user or password"),
            ("GET http://api.example/#top", 23, "fragment"),
            ("GET http://api.example/a b", 24, "blank"),
            ("GET http://api.example:http/", 23, "no port"),
            ("GET http://api.example:0/", 23, "no port"),
            ("GET http://api.example:65536/", 23, "no port"),
            ("GET http://api.example:+80/", 23, "no port"),
            ("GET http://api.example:*/", 23, "no port"),
            ("GET http://10.0.0.1/8", 11, "within its network"),
            ("GET http://[fd00::1/8]/", 12, "within its network"),
            ("GET http://[fd00::/129]/", 12, "no IPv6 network"),
            ("GET http://[fd00::1/", 11, "not closed"),
            ("GET http://[api.example]/", 12, "no IPv6 address"),
            ("GET http://[fd00::1]x/", 20, "no path"),
            ("GET http://1.2.3.4.5/", 11, "no host"),
            ("GET http://api.example/*****************", 22, "more than"),
        ] {
            let error = text.parse::<Grant>().expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
            assert!(!error.hint.is_empty(), "{text}");
        }
    }
}
