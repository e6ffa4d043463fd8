//! The address layer: which addresses a granted name may lead to.
//!
//! A grant names hosts, and a name can resolve to anything, differently each time. So every resolved address is judged here, and what is
//! dialled is exactly what was judged.
//! - Public addresses are open to every granted name.
//! - Private ones (loopback, RFC 1918, carrier-grade NAT, unique local, benchmarking, documentation, reserved) are open where the grant
//!   names the address itself (a literal, a network, `localhost` for loopback) or where `[egress] private` lists it.
//! - Forbidden ones are never open: metadata services, link-local, unspecified, multicast, broadcast, and IPv6 spellings (mapped,
//!   compatible, NAT64, 6to4, Teredo) of an IPv4 address that is not public.
//!
//! Invariant: this file performs no I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::denial::{Capability, Denial, DenialReason};

/// The section `[egress]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressSettings {
    /// Networks that granted names may resolve to although they are not public.
    pub private: Vec<IpNet>,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// What the grant says of the address itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// Only a name that leads to it.
    ByName,
    /// The name `localhost`: loopback addresses.
    Loopback,
    /// The address, or a network with it.
    Literally,
}

/// Which addresses are open besides public ones and those that grants name.
#[derive(Clone, Debug, Default)]
pub struct EgressPolicy {
    private: Box<[IpNet]>,
}

impl EgressPolicy {
    pub fn new(private: &[IpNet]) -> EgressPolicy {
        EgressPolicy { private: private.into() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Public,
    Loopback,
    Private,
    Forbidden,
}

/// May a call whose grant names `address` as `named` says go there?
pub fn judge_address(address: IpAddr, named: Named, policy: &EgressPolicy) -> Result<(), DenialReason> {
    let class = classify(address);
    match (class, named) {
        (Class::Public, _) | (Class::Loopback, Named::Loopback | Named::Literally) | (Class::Private, Named::Literally) => Ok(()),
        (Class::Forbidden, _) => Err(DenialReason::ForbiddenAddress),
        (Class::Loopback | Class::Private, _) => {
            let listed = policy.private.iter().any(|network| network.contains(&address));
            if listed { Ok(()) } else { Err(DenialReason::PrivateAddress) }
        }
    }
}

/// Those of `addresses` that may be dialled, in their order; an error where none is left.
pub(crate) fn admit(
    capability: Capability,
    host: &str,
    mut addresses: Vec<SocketAddr>,
    named: Named,
    policy: &EgressPolicy,
) -> Result<Vec<SocketAddr>, Denial> {
    let mut private: Vec<IpNet> = Vec::new();
    addresses.retain(|address| match judge_address(address.ip(), named, policy) {
        Ok(()) => true,
        Err(reason) => {
            let network = network_of(address.ip());
            if reason == DenialReason::PrivateAddress && !private.contains(&network) {
                private.push(network);
            }
            false
        }
    });
    if !addresses.is_empty() {
        return Ok(addresses);
    }
    if private.is_empty() {
        return Err(forbidden(capability, host));
    }
    let networks = private.iter().map(|network| format!("\"{network}\"")).collect::<Vec<_>>().join(", ");
    Err(Denial {
        capability,
        reason: DenialReason::PrivateAddress,
        message: format!("`{host}` resolves only to addresses that are not public"),
        hint: format!("[egress] private = [{networks}]"),
    })
}

/// As [`admit`], for one address that needed no lookup.
pub(crate) fn admit_one(capability: Capability, address: SocketAddr, named: Named, policy: &EgressPolicy) -> Result<(), Denial> {
    match judge_address(address.ip(), named, policy) {
        Ok(()) => Ok(()),
        Err(_) => admit(capability, &address.ip().to_string(), vec![address], named, policy).map(|_| ()),
    }
}

/// For an address that stands in a URL itself: the denial where no grant could open it.
pub(crate) fn never(capability: Capability, address: IpAddr) -> Option<Denial> {
    (classify(address) == Class::Forbidden).then(|| forbidden(capability, &address.to_string()))
}

fn forbidden(capability: Capability, host: &str) -> Denial {
    Denial {
        capability,
        reason: DenialReason::ForbiddenAddress,
        message: format!(
            "`{host}` is or leads to an address that is never lent (metadata, link-local, unspecified, multicast, a disguise)"
        ),
        hint: "no line of the configuration opens it; name the service by its public or private address".to_owned(),
    }
}

type Range4 = (Ipv4Addr, u32);
type Range6 = (Ipv6Addr, u32);

const LOOPBACK_V4: Range4 = (Ipv4Addr::new(127, 0, 0, 0), 8);

const FORBIDDEN_V4: &[Range4] = &[
    (Ipv4Addr::UNSPECIFIED, 32),
    // Link-local, and in it the metadata services of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Metadata services that live elsewhere: of Alibaba Cloud, Azure and Oracle Cloud.
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(192, 0, 0, 192), 32),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::BROADCAST, 32),
];

const PRIVATE_V4: &[Range4] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

const FORBIDDEN_V6: &[Range6] = &[
    (Ipv6Addr::UNSPECIFIED, 128),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
    // Metadata services: of AWS, and its credentials for pods; of Google Cloud, Oracle Cloud, Scaleway, Akamai and Alibaba Cloud.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), 128),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    (Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128),
    (Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1), 128),
    (Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200), 128),
    // NAT64 of the local network: meant for IPv4 addresses that are not public, and it does not tell where in it they stand.
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
];

/// Everything outside of 2000::/3 is private too; these are listed so that a hint names a fitting network.
const PRIVATE_V6: &[Range6] = &[
    (Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 8),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 8),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

const GLOBAL_V6: Range6 = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

fn within_v4(address: Ipv4Addr, (network, bits): Range4) -> bool {
    (u32::from(address) ^ u32::from(network)) >> (32 - bits) == 0
}

fn within_v6(address: Ipv6Addr, (network, bits): Range6) -> bool {
    (u128::from(address) ^ u128::from(network)) >> (128 - bits) == 0
}

fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    if FORBIDDEN_V4.iter().any(|&range| within_v4(address, range)) {
        Class::Forbidden
    } else if within_v4(address, LOOPBACK_V4) {
        Class::Loopback
    } else if PRIVATE_V4.iter().any(|&range| within_v4(address, range)) {
        Class::Private
    } else {
        Class::Public
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    if address == Ipv6Addr::LOCALHOST {
        return Class::Loopback;
    }
    if FORBIDDEN_V6.iter().any(|&range| within_v6(address, range)) {
        return Class::Forbidden;
    }
    let [first, second] = embedded(address);
    if let Some(first) = first {
        let open = [Some(first), second].into_iter().flatten().all(|inner| classify_v4(inner) == Class::Public);
        return if open { Class::Public } else { Class::Forbidden };
    }
    if !within_v6(address, GLOBAL_V6) || PRIVATE_V6.iter().any(|&range| within_v6(address, range)) { Class::Private } else { Class::Public }
}

/// The IPv4 addresses that an IPv6 address carries, where its prefix says that it does.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let join = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        // Compatible, mapped, and translated (SIIT).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => [join(high, low), None],
        // NAT64.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => [join(high, low), None],
        // 6to4.
        [0x2002, high, low, ..] => [join(high, low), None],
        // Teredo: the server, and the client's address with every bit turned.
        [0x2001, 0, server_high, server_low, _, _, client_high, client_low] => {
            [join(server_high, server_low), join(!client_high, !client_low)]
        }
        _ => [None, None],
    }
}

/// The network that an operator would list to open `address`.
fn network_of(address: IpAddr) -> IpNet {
    let (network, bits) = match address {
        IpAddr::V4(v4) => PRIVATE_V4
            .iter()
            .chain([&LOOPBACK_V4])
            .find(|&&range| within_v4(v4, range))
            .map_or((address, 32), |&(network, bits)| (IpAddr::V4(network), bits)),
        IpAddr::V6(v6) => {
            PRIVATE_V6.iter().find(|&&range| within_v6(v6, range)).map_or((address, 128), |&(network, bits)| (IpAddr::V6(network), bits))
        }
    };
    u8::try_from(bits).ok().and_then(|bits| IpNet::new(network, bits).ok()).unwrap_or_else(|| IpNet::from(address))
}

#[cfg(test)]
mod tests;
