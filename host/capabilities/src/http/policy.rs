//! The name layer: may this request be sent at all?
//!
//! Invariant: this file performs no I/O; `client.rs` asks it once for every request that goes out, redirected ones included.

use std::net::IpAddr;

use url::{Host, Position, Url};

use super::grant::{Grant, HostPattern, Scheme, without_dot};
use crate::denial::{Capability, Denial, DenialReason};
use crate::egress::{self, Named};
use crate::failure::Failure;

/// A path longer than this is cut in a hint, and a `*` put at the cut.
const HINT_PATH_BYTES_MAX: usize = 256;

/// The parts of a URL that grants speak of.
#[derive(Clone, Debug)]
pub(super) struct Target<'url> {
    pub(super) scheme: Scheme,
    pub(super) host: Host<&'url str>,
    pub(super) port: u16,
    /// Path and query.
    pub(super) text: &'url str,
}

impl<'url> Target<'url> {
    /// What cannot be granted is refused here: a scheme that is not HTTP's, a user in the URL, a path that climbs once it is decoded.
    pub(super) fn of(url: &'url Url) -> Result<Target<'url>, Failure> {
        let Some(scheme) = Scheme::of(url.scheme()) else {
            return Err(Failure::Invalid("the URL's scheme is not `http`, `https`, `ws` or `wss`".to_owned()));
        };
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Failure::Invalid("the URL has no host".to_owned()));
        };
        if port == 0 {
            return Err(Failure::Invalid("the URL's port is 0".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Failure::Invalid("the URL has a user or password; hint: send an `authorization` header".to_owned()));
        }
        if climbs(url.path()) {
            return Err(Failure::Invalid("the URL's path has an encoded `..`; hint: write the path that it means".to_owned()));
        }
        Ok(Target { scheme, host, port, text: &url[Position::BeforePath..Position::AfterQuery] })
    }

    /// The host, where it is an address.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

impl Grant {
    /// For others that name where something may go, as grants of secrets do.
    pub(crate) fn covers_url(&self, method: &str, url: &Url) -> bool {
        Target::of(url).is_ok_and(|target| authorise(std::slice::from_ref(self), method, &target).is_ok())
    }
}

/// What a run would be denied that sends `method` to `url`; none where it is granted, or is no request. A redirect leads elsewhere.
pub fn foretell(grants: &[Grant], method: &str, url: &str) -> Option<Denial> {
    let url = Url::parse(url).ok()?;
    authorise(grants, method, &Target::of(&url).ok()?).err()
}

/// How near the nearest grant comes, for the message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Near {
    Nothing,
    Host,
    Path,
}

/// Is `method` on `target` granted, and how does the grant name the host? Where no grant could help, the denial names none.
pub(super) fn authorise(grants: &[Grant], method: &str, target: &Target<'_>) -> Result<Named, Denial> {
    let mut near = Near::Nothing;
    for grant in grants {
        let Some(named) = host_matches(&grant.host, target) else { continue };
        if grant.scheme != target.scheme || grant.port != target.port {
            continue;
        }
        if !grant.path.matches(target.text) {
            near = near.max(Near::Host);
        } else if !grant.methods.contain(method) {
            near = near.max(Near::Path);
        } else {
            return Ok(named);
        }
    }
    let never = target.address().and_then(|address| egress::never(Capability::Http, address));
    Err(never.unwrap_or_else(|| denial(near, method, target)))
}

fn host_matches(pattern: &HostPattern, target: &Target<'_>) -> Option<Named> {
    match (pattern, &target.host) {
        (HostPattern::Network(network), _) => target.address().filter(|address| network.contains(address)).map(|_| Named::Literally),
        (HostPattern::Name(name), Host::Domain(host)) if **name == *without_dot(host) => {
            Some(if **name == *"localhost" { Named::Loopback } else { Named::ByName })
        }
        (HostPattern::Below(suffix), Host::Domain(host)) => {
            let host = without_dot(host);
            (host.len() > suffix.len() && host.ends_with(&**suffix)).then_some(Named::ByName)
        }
        (HostPattern::Name(_), _) | (HostPattern::Below(_), _) => None,
    }
}

fn denial(near: Near, method: &str, target: &Target<'_>) -> Denial {
    let Target { host, port, .. } = target;
    let message = match near {
        Near::Nothing => format!("`{method}` to {host}:{port} is not granted"),
        Near::Host => format!("`{method}` to {host}:{port} is not granted on this path"),
        Near::Path => format!("the method `{method}` is not granted on this path of {host}:{port}"),
    };
    Denial { capability: Capability::Http, reason: DenialReason::NotGranted, message, hint: hint(method, target) }
}

/// The line that grants exactly this request. A query can carry a credential: any query stands in for it.
fn hint(method: &str, target: &Target<'_>) -> String {
    let scheme = target.scheme.as_str();
    let host = &target.host;
    // `10.0.0.1/8` would be read as a network.
    let like_a_network = matches!(host, Host::Ipv4(_)) && target.text.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    let port = if target.port == target.scheme.port() && !like_a_network { String::new() } else { format!(":{}", target.port) };
    // A placeholder of a secret is another one in the next run.
    let text = crate::secrets::starred(target.text);
    let (path, query) = match text.split_once('?') {
        Some((path, _)) => (path, "?*"),
        None => (&*text, ""),
    };
    // A serialised path is ASCII.
    match path.get(..HINT_PATH_BYTES_MAX) {
        Some(start) if path.len() > HINT_PATH_BYTES_MAX => format!("http = [\"{method} {scheme}://{host}{port}{start}*\"]"),
        _ => format!("http = [\"{method} {scheme}://{host}{port}{path}{query}\"]"),
    }
}

/// A server that decodes `%2f`, takes `\` for `/` or drops `;parameters` would leave the granted path by such a segment.
/// Plain `..` segments are gone by now: parsing the URL resolved them.
fn climbs(path: &str) -> bool {
    if !path.contains(['%', ';']) {
        return false;
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digits = (byte == b'%').then(|| Some((hex(ahead.next()?)?, hex(ahead.next()?)?))).flatten();
        match digits {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                bytes = ahead;
            }
            None => decoded.push(byte),
        }
    }
    decoded.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b".." || segment.starts_with(b"..;"))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Vec<Grant> {
        texts.iter().map(|text| text.parse().expect("grant")).collect()
    }

    fn judge(grants_of: &[&str], method: &str, url: &str) -> Result<Named, Denial> {
        let url = Url::parse(url).expect("URL");
        let target = Target::of(&url).unwrap_or_else(|failure| panic!("{url}: {failure:?}"));
        authorise(&grants(grants_of), method, &target)
    }

    #[test]
    fn a_request_is_allowed_where_one_grant_matches_it_whole() {
        for (grant, method, url, allowed) in [
            ("GET https://api.example/health", "GET", "https://api.example/health", true),
            ("GET https://api.example/health", "GET", "wss://api.example/health", true),
            ("GET https://api.example/health", "GET", "https://api.example./health", true),
            ("GET https://api.example/health", "GET", "https://API.EXAMPLE:443/a/../health#top", true),
            ("GET https://api.example/health", "HEAD", "https://api.example/health", false),
            ("GET https://api.example/health", "GET", "http://api.example/health", false),
            ("GET https://api.example/health", "GET", "https://api.example:8443/health", false),
            ("GET https://api.example/health", "GET", "https://api.example/health?x=1", false),
            ("GET https://api.example/health", "GET", "https://api.example/health/", false),
            ("GET https://api.example/health", "GET", "https://api.example.evil.example/health", false),
            ("GET https://api.example/health", "GET", "https://evil.example/health", false),
            ("GET https://api.example/health*", "GET", "https://api.example/health?x=1", true),
            ("GET https://api.example/health?x=*", "GET", "https://api.example/health?x=1&y=2", true),
            ("GET https://api.example/health?x=*", "GET", "https://api.example/health", false),
            ("GET https://api.example", "GET", "https://api.example", true),
            ("GET https://api.example", "GET", "https://api.example/x", false),
            ("GET,HEAD https://api.example/*", "HEAD", "https://api.example/x", true),
            ("* https://api.example/*", "DELETE", "https://api.example/x", true),
            ("GET https://*.example/*", "GET", "https://a.b.example/", true),
            ("GET https://*.example/*", "GET", "https://example/", false),
            ("GET https://*.example/*", "GET", "https://notexample/", false),
            ("GET http://10.0.0.0/8/*", "GET", "http://10.1.2.3/x", true),
            ("GET http://10.0.0.0/8/*", "GET", "http://11.1.2.3/x", false),
            ("GET http://10.0.0.0/8/*", "GET", "http://db.internal/x", false),
            ("GET http://127.0.0.1/*", "GET", "http://0x7f000001/x", true),
            ("GET http://127.0.0.1/*", "GET", "http://127.1/x", true),
            ("GET http://127.0.0.1/*", "GET", "http://[::ffff:127.0.0.1]/x", false),
            ("GET http://127.0.0.1/*", "GET", "http://localhost/x", false),
            ("GET http://[fd00::/8]/*", "GET", "http://[fd12::1]/x", true),
            ("GET http://localhost/*", "GET", "http://127.0.0.1/x", false),
        ] {
            assert_eq!(judge(&[grant], method, url).is_ok(), allowed, "{grant} on {method} {url}");
        }
    }

    #[test]
    fn the_grant_tells_how_it_names_the_host() {
        for (grant, url, named) in [
            ("GET http://127.0.0.1/*", "http://127.0.0.1/", Named::Literally),
            ("GET http://127.0.0.0/8/*", "http://127.0.0.1/", Named::Literally),
            ("GET http://localhost/*", "http://localhost/", Named::Loopback),
            ("GET http://*.localhost/*", "http://a.localhost/", Named::ByName),
            ("GET http://api.example/*", "http://api.example/", Named::ByName),
        ] {
            assert_eq!(judge(&[grant], "GET", url), Ok(named), "{grant}");
        }
    }

    #[test]
    fn nothing_is_allowed_without_a_grant() {
        let denial = judge(&[], "GET", "https://api.internal:8000/health").expect_err("denied");
        assert_eq!(denial.hint, r#"http = ["GET https://api.internal:8000/health"]"#);
        assert_eq!(denial.reason, DenialReason::NotGranted);
    }

    #[test]
    fn the_line_in_a_denial_grants_the_request() {
        let long = format!("http://api.example/{}", "a".repeat(1000));
        for (method, url) in [
            ("GET", "https://api.internal:8000/health"),
            ("POST", "https://api.internal/"),
            ("GET", "http://10.0.0.1:443/x?token=secret"),
            ("GET", "http://10.0.0.1/8"),
            ("GET", "ws://[fd00::1]:8080/socket"),
            ("GET", "http://bücher.example/ü \"*"),
            ("GET", long.as_str()),
        ] {
            let denial = judge(&["GET https://other.example/*"], method, url).expect_err("denied");
            let grant = denial.hint.strip_prefix("http = [\"").and_then(|rest| rest.strip_suffix("\"]")).expect("a line of TOML");
            assert!(judge(&[grant], method, url).is_ok(), "{grant} must allow {method} {url}");
            assert!(!denial.hint.contains("secret") && !denial.message.contains("secret"), "{denial:?}");
        }
    }

    #[test]
    fn an_address_that_is_never_lent_gets_no_line_to_add() {
        for url in ["http://169.254.169.254/latest", "http://0.0.0.0/", "http://0/", "http://[::]/", "http://[::ffff:127.0.0.1]/"] {
            let denial = judge(&["GET https://api.example/*"], "GET", url).expect_err("denied");
            assert_eq!(denial.reason, DenialReason::ForbiddenAddress, "{url}");
            assert!(denial.message.contains("never lent") && !denial.hint.contains("http = "), "{denial:?}");
        }
    }

    #[test]
    fn a_denial_says_how_near_the_nearest_grant_comes() {
        let grants = ["GET https://api.example/health", "POST https://api.example/orders"];
        for (method, url, part) in [
            ("GET", "https://api.example/admin", "is not granted on this path"),
            ("GET", "https://api.example/orders", "the method `GET`"),
            ("GET", "https://api.example:8443/health", "`GET` to api.example:8443 is not granted"),
        ] {
            let denial = judge(&grants, method, url).expect_err("denied");
            assert!(denial.message.contains(part), "{}", denial.message);
        }
    }

    #[test]
    fn what_no_grant_can_name_is_refused() {
        for url in [
            "ftp://api.example/",
            "file:///etc/passwd",
            "data:text/plain,x",
            "http://user@api.example/",
            "http://:password@api.example/",
            "http://api.example:0/",
            "http://api.example/public/..%2fadmin",
            "http://api.example/public/%2e%2e%2Fadmin",
            "http://api.example/public/..%5cadmin",
            "http://api.example/public/..;/admin",
            "http://api.example/public/%2e.;x=1/admin",
        ] {
            let url = Url::parse(url).expect("URL");
            assert!(matches!(Target::of(&url), Err(Failure::Invalid(_))), "{url}");
        }
    }

    #[test]
    fn an_encoded_path_that_does_not_climb_is_left_alone() {
        for url in
            ["http://a.example/x%2fy", "http://a.example/..a;b", "http://a.example/100%", "http://a.example/%zz/%2", "http://a.example/%"]
        {
            let url = Url::parse(url).expect("URL");
            assert!(Target::of(&url).is_ok(), "{url}");
        }
    }
}
