//! `/etc/hosts`: names that nobody needs to be asked for.
//!
//! Invariant: this file performs no I/O.

use std::collections::HashMap;
use std::net::IpAddr;

use super::ADDRESSES_MAX;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Hosts {
    by_name: HashMap<Box<str>, Vec<IpAddr>>,
}

impl Hosts {
    /// A line that is not understood is left out.
    pub(super) fn parse(text: &str) -> Hosts {
        let mut by_name: HashMap<Box<str>, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
            for name in words {
                let addresses = by_name.entry(folded(name)).or_default();
                if addresses.len() < ADDRESSES_MAX && !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Hosts { by_name }
    }

    /// At least one address, in the order of the file.
    pub(super) fn addresses(&self, name: &str) -> Option<&[IpAddr]> {
        self.by_name.get(&*folded(name)).map(Vec::as_slice)
    }
}

/// Names are the same whatever their case, with and without the dot of the root.
fn folded(name: &str) -> Box<str> {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A comment, and a line of nothing.

127.0.0.1\tlocalhost
10.0.0.7   db.internal DB  # the first
10.0.0.8 db
fd00::7 db
10.0.0.8 db
fe80::1%lo0 scoped
no-address name
10.0.0.9
";

    #[test]
    fn a_name_has_every_address_that_a_line_gives_it() {
        let hosts = Hosts::parse(TEXT);
        let addresses = |name: &str| -> Option<Vec<String>> {
            hosts.addresses(name).map(|addresses| addresses.iter().map(IpAddr::to_string).collect())
        };
        let expected = |addresses: &[&str]| Some(addresses.iter().map(|address| (*address).to_owned()).collect::<Vec<_>>());
        assert_eq!(addresses("db"), expected(&["10.0.0.7", "10.0.0.8", "fd00::7"]));
        assert_eq!(addresses("Db.Internal."), expected(&["10.0.0.7"]));
        assert_eq!(addresses("localhost"), expected(&["127.0.0.1"]));
        for name in ["internal", "the", "scoped", "name", ""] {
            assert_eq!(addresses(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_with_very_many_lines_keeps_the_first_addresses() {
        let text: String = (0..100).map(|last| format!("10.0.0.{last} many\n")).collect();
        let hosts = Hosts::parse(&text);
        assert_eq!(hosts.addresses("many").map(<[IpAddr]>::len), Some(ADDRESSES_MAX));
    }
}
