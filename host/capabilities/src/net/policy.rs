//! The name layer: may this be reached at all? And for a path, whose links only the file system knows, once more when they are resolved.
//!
//! Invariant: this file performs no I/O; `client.rs` and `dns.rs` ask it before anything goes out.

use url::Host;

use super::grant::parse_port;
use super::host_pattern::{literal, read_host, without_dot};
use super::{Grant, Security, unix};
use crate::denial::{Capability, Denial, DenialReason};
use crate::egress::{self, Named};

/// What a guest asks for, as grants speak of it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked<'target> {
    Host { security: Security, host: &'target Host, port: u16 },
    Socket(&'target str),
    Records(&'target Host),
}

/// Is it granted, and how does the grant name it? Where no grant could help, the denial names none.
pub(super) fn authorise(grants: &[Grant], asked: &Asked<'_>) -> Result<Named, Denial> {
    if let Some(named) = grants.iter().find_map(|grant| grant.names(asked)) {
        return Ok(named);
    }
    let address = match asked {
        Asked::Host { host, .. } => literal(host),
        Asked::Socket(_) | Asked::Records(_) => None,
    };
    let never = address.and_then(|address| egress::never(Capability::Net, address));
    Err(never.unwrap_or_else(|| denial(message(grants, asked), hint(asked))))
}

/// What a run would be denied that asks for `target`, written as a grant is: `tcp://db.internal:5432`; none where it is granted, or cannot
/// be told. Whether TLS begins with the first byte may be decided by what a server says.
pub fn foretell(grants: &[Grant], target: &str) -> Option<Denial> {
    let (scheme, rest) = target.split_once("://")?;
    let (security, other) = match scheme {
        "tcp" => (Security::Plain, Security::Tls),
        "tls" => (Security::Tls, Security::Plain),
        "dns" => {
            let name = read_host(rest).filter(|name| matches!(name, Host::Domain(_)))?;
            return authorise(grants, &Asked::Records(&name)).err();
        }
        _ => return None,
    };
    let (name, port) = rest.rsplit_once(':')?;
    let (host, port) = (read_host(name)?, parse_port(port)?);
    if grants.iter().any(|grant| grant.covers(&Asked::Host { security: other, host: &host, port })) {
        return None;
    }
    authorise(grants, &Asked::Host { security, host: &host, port }).err()
}

/// Is what `path` leads to granted too? None stands for a path that is no text.
pub(super) fn authorise_real(grants: &[Grant], path: &str, real: Option<&str>) -> Result<(), Denial> {
    let speakable = real.filter(|real| unix::flaw(real).is_none() && !real.contains('*'));
    let Some(real) = speakable else {
        let message = format!("`{path}` leads to a path that no grant can name");
        return Err(denial(message, "no line opens it; name a path without links".to_owned()));
    };
    let asked = Asked::Socket(real);
    match authorise(grants, &asked) {
        Ok(_) => Ok(()),
        Err(_) => Err(denial(format!("`{path}` leads to `{real}`, which is not granted"), hint(&asked))),
    }
}

fn denial(message: String, hint: String) -> Denial {
    Denial { capability: Capability::Net, reason: DenialReason::NotGranted, message, hint }
}

fn message(grants: &[Grant], asked: &Asked<'_>) -> String {
    match *asked {
        Asked::Host { security, host, port } => {
            let (wanted, other, instead) = match security {
                Security::Plain => ("TCP", Security::Tls, "TLS from the first byte"),
                Security::Tls => ("TLS", Security::Plain, "TCP, with TLS by `start-tls`"),
            };
            let near = Asked::Host { security: other, host, port };
            if grants.iter().any(|grant| grant.covers(&near)) {
                format!("{wanted} to {host}:{port} is not granted, only {instead}")
            } else {
                format!("{wanted} to {host}:{port} is not granted")
            }
        }
        Asked::Socket(path) => format!("the UNIX socket `{path}` is not granted"),
        Asked::Records(name) => format!("asking DNS for {name} is not granted"),
    }
}

/// The line that grants exactly this.
fn hint(asked: &Asked<'_>) -> String {
    match *asked {
        Asked::Host { security, host: Host::Domain(name), port } => {
            format!("net = [\"{}://{}:{port}\"]", security.scheme(), without_dot(name))
        }
        Asked::Host { security, host, port } => format!("net = [\"{}://{host}:{port}\"]", security.scheme()),
        Asked::Socket(path) => format!("net = [\"unix://{path}\"]"),
        Asked::Records(name) => format!("net = [\"dns://{}\"]", without_dot(&name.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(texts: &[&str]) -> Vec<Grant> {
        texts.iter().map(|text| text.parse().expect("grant")).collect()
    }

    /// `asked` is written as a grant is.
    fn judge(granted: &[&str], asked: &str) -> Result<Named, Denial> {
        let (scheme, rest) = asked.split_once("://").expect("a scheme");
        let host = |text: &str| read_host(text).unwrap_or_else(|| panic!("{text} is a host"));
        let security = if scheme == "tls" { Security::Tls } else { Security::Plain };
        match scheme {
            "unix" => authorise(&grants(granted), &Asked::Socket(rest)),
            "dns" => authorise(&grants(granted), &Asked::Records(&host(rest))),
            _ => {
                let (name, port) = rest.rsplit_once(':').expect("a port");
                authorise(&grants(granted), &Asked::Host { security, host: &host(name), port: port.parse().expect("a port") })
            }
        }
    }

    #[test]
    fn a_target_is_allowed_where_one_grant_covers_it_whole() {
        for (grant, asked, allowed) in [
            ("tcp://db.internal:5432", "tcp://db.internal:5432", true),
            ("tcp://db.internal:5432", "tcp://DB.internal.:5432", true),
            ("tcp://db.internal:5432", "tcp://db.internal:5433", false),
            ("tcp://db.internal:5432", "tcp://db.internal.evil.example:5432", false),
            ("tcp://db.internal:5432", "tls://db.internal:5432", false),
            ("tls://db.internal:5432", "tcp://db.internal:5432", false),
            ("tls://db.internal:5432", "tls://db.internal:5432", true),
            ("tcp://*.internal:25", "tcp://a.b.internal:25", true),
            ("tcp://*.internal:25", "tcp://internal:25", false),
            ("tcp://*.internal:25", "tcp://notinternal:25", false),
            ("tcp://10.0.0.0/8:25", "tcp://10.1.2.3:25", true),
            ("tcp://10.0.0.0/8:25", "tcp://11.1.2.3:25", false),
            ("tcp://10.0.0.0/8:25", "tcp://db.internal:25", false),
            ("tcp://127.0.0.1:25", "tcp://127.1:25", true),
            ("tcp://127.0.0.1:25", "tcp://[::ffff:127.0.0.1]:25", false),
            ("tcp://127.0.0.1:25", "tcp://localhost:25", false),
            ("tcp://localhost:25", "tcp://127.0.0.1:25", false),
            ("tcp://[fd00::/8]:25", "tcp://[fd12::1]:25", true),
            ("tcp://db.internal:5432", "dns://db.internal", false),
            ("dns://example.com", "dns://Example.com.", true),
            ("dns://example.com", "dns://www.example.com", false),
            ("dns://*.example.com", "dns://www.example.com", true),
            ("dns://*.example.com", "dns://example.com", false),
            ("dns://example.com", "tcp://example.com:53", false),
            ("unix:///run/s.sock", "unix:///run/s.sock", true),
            ("unix:///run/s.sock", "unix:///run/s.sock2", false),
            ("unix:///run/*.sock", "unix:///run/a/b.sock", true),
            ("unix:///run/*.sock", "unix:///var/run/b.sock", false),
        ] {
            assert_eq!(judge(&[grant], asked).is_ok(), allowed, "{grant} on {asked}");
        }
    }

    #[test]
    fn the_grant_tells_how_it_names_the_host() {
        for (grant, asked, named) in [
            ("tcp://127.0.0.1:25", "tcp://127.0.0.1:25", Named::Literally),
            ("tcp://127.0.0.0/8:25", "tcp://127.0.0.1:25", Named::Literally),
            ("tcp://localhost:25", "tcp://localhost:25", Named::Loopback),
            ("tcp://*.localhost:25", "tcp://a.localhost:25", Named::ByName),
            ("tls://db.internal:25", "tls://db.internal:25", Named::ByName),
        ] {
            assert_eq!(judge(&[grant], asked), Ok(named), "{grant}");
        }
    }

    #[test]
    fn the_line_in_a_denial_grants_what_was_asked_for() {
        for asked in [
            "tcp://db.internal:5432",
            "tls://DB.internal.:5432",
            "tcp://10.0.0.1:25",
            "tls://[fd00::1]:443",
            "unix:///run/s.sock",
            "dns://_dmarc.Example.com",
            "dns://bücher.example.",
        ] {
            let denial = judge(&["tcp://other.example:1"], asked).expect_err("denied");
            assert_eq!((denial.capability, denial.reason), (Capability::Net, DenialReason::NotGranted));
            let grant = denial.hint.strip_prefix("net = [\"").and_then(|rest| rest.strip_suffix("\"]")).expect("a line of TOML");
            assert!(judge(&[grant], asked).is_ok(), "{grant} must allow {asked}");
        }
    }

    #[test]
    fn an_address_that_is_never_lent_gets_no_line_to_add() {
        for asked in ["tcp://169.254.169.254:80", "tls://[::ffff:10.0.0.1]:443", "tcp://0.0.0.0:80"] {
            let denial = judge(&["tcp://other.example:1"], asked).expect_err("denied");
            assert_eq!(denial.reason, DenialReason::ForbiddenAddress, "{asked}");
            assert!(!denial.hint.contains("net ="), "{}", denial.hint);
        }
    }

    #[test]
    fn a_denial_says_when_the_other_way_to_begin_is_granted() {
        let tcp = judge(&["tls://db.internal:5432"], "tcp://db.internal:5432").expect_err("denied");
        assert!(tcp.message.ends_with("only TLS from the first byte"), "{}", tcp.message);
        let tls = judge(&["tcp://db.internal:5432"], "tls://db.internal:5432").expect_err("denied");
        assert!(tls.message.ends_with("only TCP, with TLS by `start-tls`"), "{}", tls.message);
    }

    #[test]
    fn what_a_run_would_be_denied_is_told_as_the_run_is() {
        let granted = grants(&["tcp://db.internal:5432", "dns://example.com"]);
        for asked in ["tcp://db.internal:5433", "tls://other.example:443", "dns://www.example.com"] {
            let denial = judge(&["tcp://db.internal:5432", "dns://example.com"], asked).expect_err("denied");
            assert_eq!(foretell(&granted, asked), Some(denial), "{asked}");
        }
        // Granted, decided by what the server says, or nothing that can be asked for.
        for asked in ["tcp://DB.internal:5432", "tls://db.internal:5432", "dns://10.0.0.1", "tcp://HOST:PORT", "unix:///run/x", "db"] {
            assert_eq!(foretell(&granted, asked), None, "{asked}");
        }
    }

    #[test]
    fn what_a_path_leads_to_must_be_granted_too() {
        let granted = grants(&["unix:///run/mine/*"]);
        assert_eq!(authorise_real(&granted, "/run/mine/link", Some("/run/mine/s.sock")), Ok(()));
        let denial = authorise_real(&granted, "/run/mine/link", Some("/run/docker.sock")).expect_err("denied");
        assert_eq!(denial.hint, "net = [\"unix:///run/docker.sock\"]");
        assert!(denial.message.contains("`/run/mine/link` leads to `/run/docker.sock`"), "{}", denial.message);
        for real in [None, Some("/run/mine/\"], http = [\"* http://*/"), Some("/run/mine/*"), Some("pipe:[7]")] {
            let denial = authorise_real(&granted, "/run/mine/link", real).expect_err("denied");
            assert!(!denial.hint.contains("net ="), "{}", denial.hint);
        }
    }
}
