//! `/etc/resolv.conf`: whom to ask, and under which names.
//!
//! Read are `nameserver`, `search`, `domain`, and of `options` `ndots`, `timeout` and `attempts`, with the meaning that they have for the
//! system's own resolver. A server may have a port of its own: `nameserver [10.0.0.2]:5353`, as OpenBSD writes it.
//!
//! Invariant: this file performs no I/O.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::Name;

const DNS_PORT: u16 = 53;
/// Servers that are asked, one after the other.
const SERVERS_MAX: usize = 3;
/// Domains that complete a short name.
const SEARCH_DOMAINS_MAX: usize = 8;
const NDOTS_DEFAULT: usize = 1;
const NDOTS_MAX: usize = 15;
/// How long one server is waited for, where the file does not say it: short, so that a lost datagram is no failed lookup.
const ATTEMPT_SECONDS_DEFAULT: u64 = 2;
const ATTEMPT_SECONDS_MAX: u64 = 30;
/// How often each server is asked, where the file does not say it.
const ATTEMPTS_DEFAULT: u32 = 3;
const ATTEMPTS_MAX: u32 = 5;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Empty where the file names none that can be asked.
    pub(super) servers: Vec<SocketAddr>,
    pub(super) attempt_time: Duration,
    pub(super) attempts: u32,
    search: Vec<Name>,
    /// A name with fewer dots is completed first.
    ndots: usize,
}

impl Settings {
    /// What is not understood is left out. The domain of `machine`, this machine's own name, completes names where the file says nothing.
    pub(super) fn parse(text: &str, machine: &str) -> Settings {
        let mut settings = Settings {
            servers: Vec::new(),
            attempt_time: Duration::from_secs(ATTEMPT_SECONDS_DEFAULT),
            attempts: ATTEMPTS_DEFAULT,
            search: Vec::new(),
            ndots: NDOTS_DEFAULT,
        };
        let mut domains: Vec<&str> = machine.split_once('.').map(|(_, domain)| domain).into_iter().collect();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") if settings.servers.len() < SERVERS_MAX => settings.servers.extend(words.next().and_then(server)),
                // Of several lines the last one counts.
                Some("search") => domains = words.collect(),
                Some("domain") => domains = words.take(1).collect(),
                Some("options") => words.for_each(|option| settings.set(option)),
                _ => {}
            }
        }
        settings.search = domains.into_iter().take(SEARCH_DOMAINS_MAX).filter_map(|domain| Name::from_ascii(domain).ok()).collect();
        settings
    }

    fn set(&mut self, option: &str) {
        let Some((name, value)) = option.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.ndots = usize::try_from(value).unwrap_or(NDOTS_MAX).min(NDOTS_MAX),
            "timeout" => self.attempt_time = Duration::from_secs(u64::from(value).clamp(1, ATTEMPT_SECONDS_MAX)),
            "attempts" => self.attempts = value.clamp(1, ATTEMPTS_MAX),
            _ => {}
        }
    }

    /// The names to ask for, in their order. None where `host` cannot be a name in DNS.
    pub(super) fn candidates(&self, host: &str) -> Option<Vec<Name>> {
        let mut plain = Name::from_ascii(host).ok()?;
        if plain.is_fqdn() {
            return Some(vec![plain]);
        }
        plain.set_fqdn(true);
        let plain_first = host.bytes().filter(|byte| *byte == b'.').count() >= self.ndots;
        let mut candidates = Vec::with_capacity(self.search.len() + 1);
        // One that becomes too long is no candidate.
        let completed = self.search.iter().filter_map(|domain| plain.clone().append_domain(domain).ok());
        if plain_first {
            candidates.push(plain.clone());
            candidates.extend(completed);
        } else {
            candidates.extend(completed);
            candidates.push(plain);
        }
        Some(candidates)
    }
}

fn server(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, DNS_PORT));
    }
    let (address, port) = text.strip_prefix('[')?.split_once("]:")?;
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(text: &str, machine: &str, host: &str) -> Vec<String> {
        let candidates = Settings::parse(text, machine).candidates(host).expect("a name");
        candidates.iter().map(Name::to_ascii).collect()
    }

    #[test]
    fn the_first_three_servers_are_asked_on_their_ports() {
        let text = "\
# made by hand
nameserver 10.0.0.2
nameserver nobody
nameserver fe80::1%eth0
nameserver fd00::2 # the second
nameserver [127.0.0.1]:5353
nameserver 10.0.0.3
";
        let servers = Settings::parse(text, "").servers;
        assert_eq!(servers.iter().map(SocketAddr::to_string).collect::<Vec<_>>(), ["10.0.0.2:53", "[fd00::2]:53", "127.0.0.1:5353"]);
        assert!(Settings::parse("search corp.example\n; nameserver 10.0.0.2\n", "").servers.is_empty());
    }

    #[test]
    fn options_are_taken_within_their_bounds() {
        for (text, seconds, attempts, ndots) in [
            ("", 2, 3, 1),
            ("options ndots:5 timeout:1 attempts:2 rotate edns0", 1, 2, 5),
            ("options timeout:0 attempts:0 ndots:0", 1, 1, 0),
            ("options timeout:600 attempts:100 ndots:100", 30, 5, 15),
            ("options timeout: attempts:x ndots:-1 attempts", 2, 3, 1),
            ("options timeout:9\noptions attempts:4", 9, 4, 1),
        ] {
            let settings = Settings::parse(text, "");
            assert_eq!(
                (settings.attempt_time, settings.attempts, settings.ndots),
                (Duration::from_secs(seconds), attempts, ndots),
                "{text}"
            );
        }
    }

    #[test]
    fn a_short_name_is_completed_first_and_a_long_one_last() {
        let text = "search first.example second.example.\noptions ndots:2\n";
        assert_eq!(candidates(text, "", "db"), ["db.first.example.", "db.second.example.", "db."]);
        assert_eq!(candidates(text, "", "a.db"), ["a.db.first.example.", "a.db.second.example.", "a.db."]);
        assert_eq!(candidates(text, "", "x.a.db"), ["x.a.db.", "x.a.db.first.example.", "x.a.db.second.example."]);
        assert_eq!(candidates(text, "", "db."), ["db."], "a name that ends with a dot is complete");
    }

    #[test]
    fn the_last_line_with_domains_counts_and_without_one_the_machines_own() {
        for (text, machine, expected) in [
            ("", "host", &["db."][..]),
            ("", "host.corp.example", &["db.corp.example.", "db."][..]),
            ("search a.example\n", "host.corp.example", &["db.a.example.", "db."][..]),
            ("search\n", "host.corp.example", &["db."][..]),
            ("search a.example\ndomain b.example c.example\n", "host", &["db.b.example.", "db."][..]),
            ("domain b.example\nsearch a.example -- b.example\n", "host", &["db.a.example.", "db.b.example.", "db."][..]),
        ] {
            assert_eq!(candidates(text, machine, "db"), expected, "{text:?} on {machine}");
        }
    }

    #[test]
    fn what_is_no_name_has_no_candidates() {
        let settings = Settings::parse("search corp.example\n", "");
        for host in [format!("{}.example", "a".repeat(64)), "a..example".to_owned(), vec!["a"; 200].join(".")] {
            assert_eq!(settings.candidates(&host), None, "{host}");
        }
        let long = vec!["a"; 126].join(".");
        assert_eq!(settings.candidates(&long).map(|names| names.len()), Some(1), "it cannot be completed");
    }
}
