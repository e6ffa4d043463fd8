//! May this secret be used so?
//!
//! Invariant: this file performs no I/O and knows no secrets: what it says of one that does not exist is what it says of one that does.

use url::{Host, Url};

use super::grant::Grant;
use crate::denial::{Capability, Denial, DenialReason};
use crate::net::Security;

const NAME_CHARACTERS_SHOWN_MAX: usize = 63;
const HOST_CHARACTERS_SHOWN_MAX: usize = 255;

/// Where something goes that a secret is in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Towards<'target> {
    /// As the guest sees it: with placeholders.
    Http { method: &'target str, url: &'target Url },
    /// As the connection is now. One whose certificate need not be trusted is as good as plain.
    Host { security: Security, host: &'target Host, port: u16 },
    /// A UNIX socket.
    Socket(&'target str),
}

/// What a secret is used for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'target> {
    /// Inside the host: signing, encoding, telling its age.
    Computing,
    Sending(Towards<'target>),
}

pub(super) fn authorise(grants: &[Grant], name: &str, purpose: &Purpose<'_>) -> Result<(), Denial> {
    let mut granted = grants.iter().filter(|grant| grant.is_of(name));
    let allowed = match purpose {
        Purpose::Computing => granted.next().is_some(),
        Purpose::Sending(towards) => granted.any(|grant| grant.covers(towards)),
    };
    if allowed { Ok(()) } else { Err(not_granted(name, purpose)) }
}

/// What a run would be denied that uses the secret `name` at all. Where it would be sent, only a run knows.
pub fn foretell(grants: &[Grant], name: &str) -> Option<Denial> {
    authorise(grants, name, &Purpose::Computing).err()
}

/// Also what is said where a secret is granted and does not exist.
pub(super) fn not_granted(name: &str, purpose: &Purpose<'_>) -> Denial {
    let name = shown(name, "._-", NAME_CHARACTERS_SHOWN_MAX);
    let (message, to) = match purpose {
        Purpose::Computing => (format!("the secret `{name}` is not granted"), String::new()),
        Purpose::Sending(towards) => {
            (format!("the secret `{name}` is not granted to be sent to {}", place(towards)), format!("\"{}\"", pattern(towards)))
        }
    };
    let hint = format!("secrets = [{{ name = \"{name}\", to = [{to}] }}]");
    Denial { capability: Capability::Secrets, reason: DenialReason::NotGranted, message, hint }
}

/// Host and port at most.
fn place(towards: &Towards<'_>) -> String {
    match *towards {
        Towards::Http { url, .. } => format!("{}:{}", shown_host(url), url.port_or_known_default().unwrap_or_default()),
        Towards::Host { host, port, .. } => format!("{host}:{port}"),
        Towards::Socket(path) => format!("the UNIX socket `{path}`"),
    }
}

/// The narrowest pattern that a person would write.
fn pattern(towards: &Towards<'_>) -> String {
    match *towards {
        Towards::Http { url, .. } => {
            let scheme = match url.scheme() {
                "ws" => "http",
                "wss" => "https",
                scheme => scheme,
            };
            let host = shown_host(url);
            match url.port() {
                Some(port) => format!("{scheme}://{host}:{port}/*"),
                None => format!("{scheme}://{host}/*"),
            }
        }
        Towards::Host { security, host, port } => format!("{}://{host}:{port}", security.scheme()),
        Towards::Socket(path) => format!("unix://{path}"),
    }
}

/// Letters of an international one are encoded by now.
fn shown_host(url: &Url) -> String {
    shown(url.host_str().unwrap_or_default(), "._-:[]", HOST_CHARACTERS_SHOWN_MAX)
}

/// What a guest wrote, fit for a message and a line of TOML.
fn shown(text: &str, marks: &str, characters_max: usize) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || marks.contains(letter);
    text.chars().take(characters_max).map(|letter| if is_plain(letter) { letter } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the line that a denial prints.
    fn grant(line: &str) -> Grant {
        let inside = line.strip_prefix("secrets = [{ name = \"").and_then(|rest| rest.strip_suffix("] }]")).expect(line);
        let (name, to) = inside.split_once("\", to = [").expect(line);
        let mut grant = Grant::new(name).expect(line);
        if !to.is_empty() {
            grant.allow(to.trim_matches('"')).expect(line);
        }
        grant
    }

    #[test]
    fn the_line_in_a_denial_grants_the_use() {
        let urls = ["https://hooks.example/services/a?b", "http://10.0.0.1:8080/8", "wss://[fd00::1]/x", "https://bücher.example/"];
        let urls: Vec<Url> = urls.iter().map(|url| Url::parse(url).expect("URL")).collect();
        let host = Host::parse("mail.example").expect("a host");
        let mut purposes = vec![
            Purpose::Computing,
            Purpose::Sending(Towards::Host { security: Security::Tls, host: &host, port: 465 }),
            Purpose::Sending(Towards::Host { security: Security::Plain, host: &host, port: 25 }),
            Purpose::Sending(Towards::Socket("/run/s.sock")),
        ];
        purposes.extend(urls.iter().map(|url| Purpose::Sending(Towards::Http { method: "POST", url })));
        for purpose in &purposes {
            let denial = authorise(&[], "hook-key", purpose).expect_err("nothing is granted");
            assert_eq!((denial.capability, denial.reason), (Capability::Secrets, DenialReason::NotGranted));
            let granted = [grant(&denial.hint)];
            assert_eq!(authorise(&granted, "hook-key", purpose), Ok(()), "{}", denial.hint);
            assert!(authorise(&granted, "other", purpose).is_err(), "{}", denial.hint);
        }
    }

    #[test]
    fn to_compute_with_a_secret_is_not_to_send_it() {
        let granted = [Grant::new("hook-key").expect("a name")];
        let url = Url::parse("https://hooks.example/services/a?token=b").expect("URL");
        assert_eq!(authorise(&granted, "hook-key", &Purpose::Computing), Ok(()));
        let denial =
            authorise(&granted, "hook-key", &Purpose::Sending(Towards::Http { method: "POST", url: &url })).expect_err("granted nowhere");
        assert_eq!(denial.hint, r#"secrets = [{ name = "hook-key", to = ["https://hooks.example/*"] }]"#);
        assert_eq!(denial.message, "the secret `hook-key` is not granted to be sent to hooks.example:443");
    }

    #[test]
    fn several_grants_of_one_secret_add_up() {
        let mut second = Grant::new("hook-key").expect("a name");
        second.allow("https://hooks.example/*").expect("a target");
        let granted = [Grant::new("hook-key").expect("a name"), second];
        let url = Url::parse("https://hooks.example/").expect("URL");
        assert_eq!(authorise(&granted, "hook-key", &Purpose::Sending(Towards::Http { method: "GET", url: &url })), Ok(()));
    }

    #[test]
    fn a_hostile_name_cannot_break_the_line() {
        let denial = authorise(&[], "a\"]\nhttp = [\"*`", &Purpose::Computing).expect_err("nothing is granted");
        assert_eq!(denial.hint, r#"secrets = [{ name = "a???http???????", to = [] }]"#);
        assert!(!denial.message.contains('\n'), "{}", denial.message);
        let url = Url::parse("http://a\"b/").expect("URL");
        let sent = authorise(&[], "a", &Purpose::Sending(Towards::Http { method: "GET", url: &url })).expect_err("nothing is granted");
        assert_eq!(sent.hint, r#"secrets = [{ name = "a", to = ["http://a?b/*"] }]"#);
    }
}
