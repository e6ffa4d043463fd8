//! From the name of a host to its addresses: `/etc/hosts`, then the DNS servers of `/etc/resolv.conf`, as the system would ask them.
//!
//! How: `files.rs` knows what both files say now, `hosts.rs` and `settings.rs` read them, `places.rs` bounds what is under way,
//! `search.rs` goes through names and servers, `ask.rs` puts one question to one server. The messages of DNS are `hickory-proto`'s.
//! The order is the one of both families in turns, IPv6 first: where one of them leads nowhere, the other is not far.
//!
//! Limits: nothing of an answer is kept, because a check must see what DNS says now. Other sources of the system (LDAP, mDNS and what else
//! `nsswitch.conf` can name) are not asked.
//!
//! Invariant: `localhost` is loopback, whatever anybody says of it.
//! Invariant: a lookup is a future and nothing else: dropping it closes its sockets and frees its place.

mod ask;
mod files;
mod hosts;
mod places;
mod records;
mod search;
mod settings;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;

use files::Files;
use places::Places;
use search::Miss;

use crate::failure::Failure;

/// Addresses of one name that are judged and tried.
const ADDRESSES_MAX: usize = 16;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where nearly everything on a machine's own loopback listens comes first.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Finds addresses for every run of the host.
#[derive(Debug)]
pub(crate) struct Resolver {
    files: Files,
    places: Places,
}

impl Resolver {
    /// As this machine is set up. Reads nothing yet.
    pub(crate) fn of_this_machine() -> Resolver {
        Resolver::reading(HOSTS.into(), RESOLV_CONF.into())
    }

    pub(crate) fn reading(hosts: PathBuf, resolv_conf: PathBuf) -> Resolver {
        Resolver { files: Files::new(hosts, resolv_conf), places: Places::default() }
    }

    /// At least one address and at most [`ADDRESSES_MAX`], in the order in which they are to be tried. Has no end of its own that a run
    /// would wait for: the caller bounds it.
    pub(crate) async fn addresses(&self, plugin: &Arc<str>, host: &str) -> Result<Vec<IpAddr>, Failure> {
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.eq_ignore_ascii_case("localhost") {
            return Ok(LOOPBACK.to_vec());
        }
        let known = self.files.known();
        if let Some(written) = known.hosts.addresses(name) {
            let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = written.iter().partition(|address| address.is_ipv6());
            return Ok(in_turns(&v6, &v4));
        }
        if is_below_localhost(name) {
            return Ok(LOOPBACK.to_vec());
        }
        let _place = self.places.take(plugin)?;
        let settings = known.settings.map_err(|why| self.unreadable(why))?;
        if settings.servers.is_empty() {
            return Err(self.without_server());
        }
        let names = settings.candidates(host).ok_or_else(|| Failure::Dns(format!("`{host}` cannot be a name in DNS")))?;
        // In a box, so that a call that looks nothing up does not carry the room for it.
        Box::pin(search::find(&settings, &names)).await.map_err(|miss| self.missed(host, miss))
    }

    fn unreadable(&self, why: io::ErrorKind) -> Failure {
        let path = self.files.resolv_conf.display();
        Failure::Host(format!("the host cannot look up names: `{path}` cannot be read: {why}; hint: write `nameserver ADDRESS` into it"))
    }

    fn without_server(&self) -> Failure {
        let path = self.files.resolv_conf.display();
        Failure::Host(format!("the host cannot look up names: `{path}` names no DNS server; hint: write `nameserver ADDRESS` into it"))
    }

    fn missed(&self, host: &str, miss: Miss) -> Failure {
        let path = self.files.resolv_conf.display();
        Failure::Dns(match miss {
            Miss::NoSuchName => format!("`{host}` does not exist: DNS knows no such name; hint: is it spelt right?"),
            Miss::NoAddress => format!("`{host}` has no address: DNS knows the name, but no A or AAAA record of it"),
            Miss::Declined(word) => {
                format!("`{host}` cannot be resolved: the DNS server answered {word}; hint: ask it by hand with `dig {host}`")
            }
            Miss::Silent => format!("`{host}` cannot be resolved: no DNS server answered; hint: are the servers in `{path}` alive?"),
            Miss::Unreachable(why) => {
                format!("`{host}` cannot be resolved: no DNS server can be asked: {why}; hint: are the servers in `{path}` alive?")
            }
        })
    }
}

/// Names below `localhost` are this machine's too (RFC 6761), unless `/etc/hosts` says otherwise.
fn is_below_localhost(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case("localhost"))
}

/// One of each in turns.
fn in_turns(first: &[IpAddr], second: &[IpAddr]) -> Vec<IpAddr> {
    let turns = first.len().max(second.len());
    let addresses = (0..turns).flat_map(|turn| [first.get(turn), second.get(turn)]);
    addresses.flatten().copied().take(ADDRESSES_MAX).collect()
}
