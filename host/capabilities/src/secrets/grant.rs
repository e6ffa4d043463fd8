//! What a grant of `secrets` looks like.
//!
//! ```text
//! { name = "slack-token", to = ["https://hooks.slack.com/*", "POST https://api.example/login", "tls://mail.example:465"] }
//! ```
//! - `name` is that of a `[secrets.NAME]`. The grant lets a plugin have it signed with, encoded and inspected.
//! - `to` is where it may be sent, whatever else is granted: patterns as those of `http` (without a method: by any), and `tcp://`,
//!   `tls://` and `unix://` as those of `net`. `tcp://` covers what goes over that connection in plain or encrypted, `tls://` only what
//!   is encrypted for a peer whose certificate must be trusted. An empty `to` sends it nowhere.

use super::policy::Towards;
use super::template::is_name;
use crate::grants::GrantError;
use crate::net::{Asked, Security};
use crate::{http, net};

/// Patterns of one grant.
const TO_MAX: usize = 16;

const FORM: &str =
    "write `https://hooks.example/*`, `POST https://api.example/login`, `tls://mail.example:465` or `tcp://db.internal:5432`";

/// One entry of `grants.secrets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    name: Box<str>,
    to: Vec<To>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum To {
    Http(http::Grant),
    Net(net::Grant),
}

impl Grant {
    /// Lets it be computed with, and sent nowhere yet.
    pub fn new(name: &str) -> Result<Grant, GrantError> {
        if is_name(name) {
            return Ok(Grant { name: name.into(), to: Vec::new() });
        }
        let shown: String = name.escape_debug().take(64).collect();
        Err(error(format!("`{shown}` is no name of a secret"), "write the NAME of a `[secrets.NAME]`"))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds one text of `to`.
    pub fn allow(&mut self, text: &str) -> Result<(), GrantError> {
        if self.to.len() >= TO_MAX {
            return Err(error(format!("a secret with more than {TO_MAX} targets"), "one pattern with `*` can stand for many"));
        }
        self.to.push(parse_to(text)?);
        Ok(())
    }

    pub(super) fn is_of(&self, name: &str) -> bool {
        *self.name == *name
    }

    pub(super) fn covers(&self, towards: &Towards<'_>) -> bool {
        self.to.iter().any(|to| to.covers(towards))
    }
}

impl To {
    fn covers(&self, towards: &Towards<'_>) -> bool {
        match (self, *towards) {
            (To::Http(grant), Towards::Http { method, url }) => grant.covers_url(method, url),
            (To::Net(grant), Towards::Host { security, host, port }) => {
                let over = |security| grant.covers(&Asked::Host { security, host, port });
                // Whoever may have it in plain may have it encrypted.
                over(security) || over(Security::Plain)
            }
            (To::Net(grant), Towards::Socket(path)) => grant.covers(&Asked::Socket(path)),
            (To::Http(_), Towards::Host { .. } | Towards::Socket(_)) | (To::Net(_), Towards::Http { .. }) => false,
        }
    }
}

fn parse_to(text: &str) -> Result<To, GrantError> {
    match text.split_once("://").map(|(scheme, _)| scheme) {
        Some("tcp" | "tls" | "unix") => text.parse().map(To::Net),
        Some("dns") => {
            Err(error("a secret is not sent to DNS".to_owned(), FORM).because("every server on the way reads what is asked for"))
        }
        None => Err(error("the target has no scheme".to_owned(), FORM).because("it decides who sees the secret on its way")),
        Some(scheme) if scheme.contains([' ', '\t']) => text.parse().map(To::Http),
        Some(_) => {
            const ANY_METHOD: &str = "* ";
            let parsed = format!("{ANY_METHOD}{text}").parse().map(To::Http);
            parsed.map_err(|error: GrantError| GrantError { offset: error.offset.saturating_sub(ANY_METHOD.len()), ..error })
        }
    }
}

const WHY: &str = "a grant names one secret of the main file, and each place that it may go to";

fn error(message: String, hint: &str) -> GrantError {
    GrantError { message, reason: WHY, hint: hint.to_owned(), offset: 0 }
}

#[cfg(test)]
mod tests {
    use url::{Host, Url};

    use super::*;

    fn grant(to: &[&str]) -> Grant {
        let mut grant = Grant::new("slack-token").expect("a name");
        for text in to {
            grant.allow(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        grant
    }

    #[test]
    fn a_target_of_http_is_a_url_by_any_method_or_by_those_that_are_written() {
        for (to, method, url, covered) in [
            ("https://hooks.example/*", "POST", "https://hooks.example/services/x?y", true),
            ("https://hooks.example/*", "DELETE", "https://hooks.example/", true),
            ("https://hooks.example/*", "POST", "http://hooks.example/", false),
            ("https://hooks.example/*", "POST", "https://hooks.example:8443/", false),
            ("https://hooks.example/*", "POST", "https://evil.example/", false),
            ("https://hooks.example/*", "POST", "https://hooks.example@evil.example/", false),
            ("https://hooks.example", "GET", "https://hooks.example/x", false),
            ("POST,PUT https://hooks.example/*", "PUT", "https://hooks.example/", true),
            ("POST,PUT https://hooks.example/*", "GET", "https://hooks.example/", false),
            ("wss://hooks.example/*", "GET", "https://hooks.example/", true),
            ("tls://hooks.example:443", "GET", "https://hooks.example/", false),
        ] {
            let url = Url::parse(url).expect("URL");
            assert_eq!(grant(&[to]).covers(&Towards::Http { method, url: &url }), covered, "{to} on {method} {url}");
        }
    }

    #[test]
    fn a_target_of_net_says_whether_it_must_be_encrypted() {
        let host = Host::parse("mail.example").expect("a host");
        let over = |security| Towards::Host { security, host: &host, port: 465 };
        for (to, plain, encrypted) in [
            ("tls://mail.example:465", false, true),
            ("tcp://mail.example:465", true, true),
            ("tls://*.example:465", false, true),
            ("tls://mail.example:25", false, false),
            ("https://mail.example:465/*", false, false),
        ] {
            let grant = grant(&[to]);
            assert_eq!((grant.covers(&over(Security::Plain)), grant.covers(&over(Security::Tls))), (plain, encrypted), "{to}");
        }
        let socket = grant(&["unix:///run/s.sock"]);
        assert!(socket.covers(&Towards::Socket("/run/s.sock")) && !socket.covers(&Towards::Socket("/run/t.sock")));
        assert!(!grant(&[]).covers(&Towards::Socket("/run/s.sock")));
    }

    #[test]
    fn what_is_no_target_says_where() {
        for (text, offset, part) in [
            ("", 0, "no scheme"),
            ("hooks.example/*", 0, "no scheme"),
            ("*", 0, "no scheme"),
            ("dns://example.com", 0, "DNS"),
            ("ftp://hooks.example/", 0, "`ftp`"),
            ("https:///x", 8, "no host"),
            ("https://hooks*.example/", 13, "wildcard"),
            ("https://user:pw@hooks.example/", 15, "user or password"),
            ("https://hooks.example/a b", 23, "blank"),
            ("get https://hooks.example/", 0, "not in capitals"),
            ("POST https://hooks.example:0/", 27, "no port"),
            ("tls://mail.example", 18, "no port"),
        ] {
            let error = grant(&[]).allow(text).expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
            assert!(error.message.contains(part) && !error.hint.is_empty(), "{text}: {error}");
        }
        for name in ["", "A", "a b", "a\"", "-a", &"a".repeat(64)] {
            assert!(Grant::new(name).is_err(), "{name}");
        }
    }
}
