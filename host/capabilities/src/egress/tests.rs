use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn policy(networks: &[&str]) -> EgressPolicy {
    EgressPolicy::new(&networks.iter().map(|network| network.parse().expect("network")).collect::<Vec<IpNet>>())
}

fn sockets(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(ip(address), 80)).collect()
}

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2002:0808:0808::1",
    "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8",
];

const LOOPBACK: &[&str] = &["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1"];

const PRIVATE: &[&str] = &[
    "0.0.0.1",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.199",
    "100.127.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "240.0.0.0",
    "255.255.255.254",
    "fc00::1",
    "fd00::1",
    "fd12:3456:789a::1",
    "fd00:ec2::253",
    "fd00:c1::1",
    "fec0::1",
    "100::1",
    "2001:db8::1",
    "2001:2::1",
    "2001:20::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
];

const FORBIDDEN: &[&str] = &[
    // Unspecified, multicast, broadcast, link-local.
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "ff02::1",
    "169.254.0.1",
    "fe80::1",
    "febf::1",
    // Metadata services.
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "169.254.170.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "fd00:100::100:200",
    // Mapped, compatible, translated.
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "::10.1.2.3",
    "::2",
    "::ffff:0:192.168.0.1",
    // NAT64, 6to4, Teredo.
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "64:ff9b:1:808:8:800::",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::",
    // A public server, and 10.0.0.1 as the client.
    "2001:0:808:808:0:0:f5ff:fffe",
    // 10.0.0.1 as the server, and a public client.
    "2001:0:a00:1:0:0:f7f7:f7f7",
];

#[test]
fn public_addresses_are_open_to_every_granted_name() {
    for address in PUBLIC {
        for named in [Named::ByName, Named::Loopback, Named::Literally] {
            assert_eq!(judge_address(ip(address), named, &policy(&[])), Ok(()), "{address} {named:?}");
        }
    }
}

#[test]
fn private_addresses_are_denied_unless_the_grant_or_the_configuration_names_them() {
    for address in PRIVATE {
        let address = ip(address);
        assert_eq!(judge_address(address, Named::ByName, &policy(&[])), Err(DenialReason::PrivateAddress), "{address}");
        assert_eq!(judge_address(address, Named::Loopback, &policy(&[])), Err(DenialReason::PrivateAddress), "{address}");
        assert_eq!(judge_address(address, Named::Literally, &policy(&[])), Ok(()), "{address}");
        let hinted = EgressPolicy::new(&[network_of(address)]);
        assert_eq!(judge_address(address, Named::ByName, &hinted), Ok(()), "what the hint names must open {address}");
    }
}

#[test]
fn localhost_in_a_grant_names_loopback_addresses_only() {
    for address in LOOPBACK {
        let address = ip(address);
        assert_eq!(judge_address(address, Named::Loopback, &policy(&[])), Ok(()), "{address}");
        assert_eq!(judge_address(address, Named::Literally, &policy(&[])), Ok(()), "{address}");
        assert_eq!(judge_address(address, Named::ByName, &policy(&[])), Err(DenialReason::PrivateAddress), "{address}");
        let hinted = EgressPolicy::new(&[network_of(address)]);
        assert_eq!(judge_address(address, Named::ByName, &hinted), Ok(()), "{address}");
    }
}

#[test]
fn forbidden_addresses_stay_denied_however_they_are_granted() {
    let everything = policy(&["0.0.0.0/0", "::/0"]);
    for address in FORBIDDEN {
        for named in [Named::ByName, Named::Loopback, Named::Literally] {
            assert_eq!(judge_address(ip(address), named, &everything), Err(DenialReason::ForbiddenAddress), "{address} {named:?}");
        }
    }
}

#[test]
fn a_listed_network_opens_its_own_addresses_only() {
    let policy = policy(&["10.1.0.0/16", "fd12::/16"]);
    for (address, expected) in [
        ("10.1.2.3", Ok(())),
        ("10.2.0.1", Err(DenialReason::PrivateAddress)),
        ("192.168.0.1", Err(DenialReason::PrivateAddress)),
        ("fd12::1", Ok(())),
        ("fd13::1", Err(DenialReason::PrivateAddress)),
        ("127.0.0.1", Err(DenialReason::PrivateAddress)),
    ] {
        assert_eq!(judge_address(ip(address), Named::ByName, &policy), expected, "{address}");
    }
}

#[test]
fn denied_addresses_are_dropped_and_the_others_keep_their_order() {
    let addresses = sockets(&["10.0.0.1", "8.8.8.8", "169.254.169.254", "1.1.1.1"]);
    let admitted = admit(Capability::Http, "api.example", addresses, Named::ByName, &policy(&[]));
    assert_eq!(admitted, Ok(sockets(&["8.8.8.8", "1.1.1.1"])));
}

#[test]
fn a_name_that_leads_only_to_private_addresses_is_denied_with_the_line_that_opens_them() {
    for (addresses, hint) in [
        (&["10.0.0.1", "10.9.9.9"][..], r#"[egress] private = ["10.0.0.0/8"]"#),
        (&["172.20.0.1"][..], r#"[egress] private = ["172.16.0.0/12"]"#),
        (&["192.168.1.1", "fd00::1"][..], r#"[egress] private = ["192.168.0.0/16", "fd00::/8"]"#),
        (&["127.0.0.1"][..], r#"[egress] private = ["127.0.0.0/8"]"#),
        (&["::1"][..], r#"[egress] private = ["::1/128"]"#),
        (&["169.254.169.254", "10.0.0.1"][..], r#"[egress] private = ["10.0.0.0/8"]"#),
    ] {
        let denial = admit(Capability::Http, "db.internal", sockets(addresses), Named::ByName, &policy(&[])).expect_err("denied");
        assert_eq!((denial.reason, denial.hint.as_str()), (DenialReason::PrivateAddress, hint));
        assert!(denial.message.contains("`db.internal`"), "{}", denial.message);
    }
}

#[test]
fn a_name_that_leads_only_to_forbidden_addresses_gets_no_line_to_add() {
    let denial = admit(Capability::Http, "meta.example", sockets(&["169.254.169.254"]), Named::ByName, &policy(&[])).expect_err("denied");
    assert_eq!(denial.reason, DenialReason::ForbiddenAddress);
    assert!(!denial.hint.contains("private ="), "{}", denial.hint);
}

#[test]
fn an_address_that_no_line_opens_is_told_before_anybody_grants_it() {
    for address in FORBIDDEN {
        let denial = never(Capability::Http, ip(address)).unwrap_or_else(|| panic!("{address}"));
        assert_eq!(denial.reason, DenialReason::ForbiddenAddress, "{address}");
        assert!(denial.message.contains("never lent") && denial.hint.contains("no line of the configuration"), "{denial:?}");
    }
    for address in PUBLIC.iter().chain(LOOPBACK).chain(PRIVATE) {
        assert_eq!(never(Capability::Http, ip(address)), None, "{address}");
    }
}
