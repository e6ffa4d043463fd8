//! What a redirect turns a request into.
//!
//! Invariant: this file performs no I/O and allows nothing: the new request is authorised like the first.

use ::http::{HeaderName, Method, header};
use url::Url;

use super::request::URL_BYTES_MAX;
use crate::failure::Failure;

/// Where a redirect leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Without a fragment.
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) body: BodyRule,
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyRule {
    Keep,
    /// With the headers that describe it.
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Same,
    /// Credentials stay behind.
    Crossed,
}

/// None where the answer is no redirect that can be followed: another status, or no `Location`.
pub(super) fn follow(status: u16, method: &Method, url: &Url, location: Option<&[u8]>) -> Result<Option<Step>, Failure> {
    let turns_to_get = match status {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        307 | 308 => false,
        _ => return Ok(None),
    };
    let Some(location) = location else { return Ok(None) };
    let unusable = || Failure::Protocol(format!("status {status} with a `location` that is no URL"));
    if location.len() > URL_BYTES_MAX {
        return Err(unusable());
    }
    let location = std::str::from_utf8(location).map_err(|_| unusable())?;
    let mut target = url.join(location).map_err(|_| unusable())?;
    target.set_fragment(None);
    let same =
        target.scheme() == url.scheme() && target.host() == url.host() && target.port_or_known_default() == url.port_or_known_default();
    Ok(Some(Step {
        url: target,
        method: if turns_to_get { Method::GET } else { method.clone() },
        body: if turns_to_get { BodyRule::Drop } else { BodyRule::Keep },
        origin: if same { Origin::Same } else { Origin::Crossed },
    }))
}

/// Does a request with this header still have it after the step?
pub(super) fn keeps(step: &Step, name: &HeaderName) -> bool {
    let credential = *name == header::AUTHORIZATION || *name == header::COOKIE || *name == header::PROXY_AUTHORIZATION;
    let describes_body = name.as_str().starts_with("content-");
    let leaks = credential && step.origin == Origin::Crossed;
    let describes_nothing = describes_body && step.body == BodyRule::Drop;
    !leaks && !describes_nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("URL")
    }

    fn step(status: u16, method: Method, location: &str) -> Option<Step> {
        follow(status, &method, &url("https://api.example/a/b?x=1"), Some(location.as_bytes())).expect("usable")
    }

    #[test]
    fn a_redirect_changes_the_method_as_browsers_do() {
        for (status, method, expected, body) in [
            (301, Method::GET, Method::GET, BodyRule::Keep),
            (301, Method::POST, Method::GET, BodyRule::Drop),
            (302, Method::POST, Method::GET, BodyRule::Drop),
            (302, Method::PUT, Method::PUT, BodyRule::Keep),
            (302, Method::HEAD, Method::HEAD, BodyRule::Keep),
            (303, Method::POST, Method::GET, BodyRule::Drop),
            (303, Method::DELETE, Method::GET, BodyRule::Drop),
            (303, Method::HEAD, Method::HEAD, BodyRule::Keep),
            (307, Method::POST, Method::POST, BodyRule::Keep),
            (308, Method::PUT, Method::PUT, BodyRule::Keep),
        ] {
            let step = step(status, method.clone(), "/c").expect("a redirect");
            assert_eq!((step.method, step.body), (expected, body), "{status} {method}");
        }
    }

    #[test]
    fn what_is_no_redirect_is_the_answer() {
        for status in [200, 300, 304, 305, 306, 309, 400, 500] {
            assert_eq!(step(status, Method::GET, "/c"), None, "{status}");
        }
        assert!(matches!(follow(302, &Method::GET, &url("https://api.example/"), None), Ok(None)));
    }

    #[test]
    fn a_location_is_read_relative_to_the_request() {
        for (location, expected) in [
            ("/c", "https://api.example/c"),
            ("c", "https://api.example/a/c"),
            ("?y=2", "https://api.example/a/b?y=2"),
            ("//other.example/c", "https://other.example/c"),
            ("http://other.example/c#top", "http://other.example/c"),
            ("../../../c", "https://api.example/c"),
        ] {
            assert_eq!(step(302, Method::GET, location).map(|step| step.url), Some(url(expected)), "{location}");
        }
    }

    #[test]
    fn a_location_that_is_no_url_is_the_servers_fault() {
        let long = "a".repeat(URL_BYTES_MAX + 1);
        for location in [&b"http://["[..], &b"http://a b/"[..], &b"\xff\xfe"[..], long.as_bytes()] {
            let outcome = follow(302, &Method::GET, &url("https://api.example/"), Some(location));
            assert!(matches!(outcome, Err(Failure::Protocol(_))), "{location:?}");
        }
    }

    #[test]
    fn credentials_do_not_cross_to_another_origin() {
        for (location, kept) in [
            ("/c", true),
            ("https://api.example:443/c", true),
            ("https://api.example:8443/c", false),
            ("http://api.example/c", false),
            ("https://other.example/c", false),
            ("https://sub.api.example/c", false),
        ] {
            let step = step(302, Method::GET, location).expect("a redirect");
            for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
                assert_eq!(keeps(&step, &name), kept, "{name} to {location}");
            }
            assert!(keeps(&step, &header::ACCEPT), "{location}");
        }
    }

    #[test]
    fn a_body_that_is_dropped_takes_its_headers_along() {
        let dropped = step(303, Method::POST, "/c").expect("a redirect");
        let kept = step(307, Method::POST, "/c").expect("a redirect");
        for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
            assert!(!keeps(&dropped, &name) && keeps(&kept, &name), "{name}");
        }
    }
}
