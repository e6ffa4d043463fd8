//! What a name leads to: the address layer below the grants.

use super::*;
use crate::dns::testing::{DnsServer, Reply, Setup};

/// A listener, and names that `/etc/hosts` gives its address.
async fn named(private: &[&str]) -> (TcpListener, u16, Arc<Services>, Setup) {
    let (listener, address) = listen().await;
    let setup = Setup::new(Some("127.0.0.1 db.internal\n169.254.169.254 metadata.internal\n"), Some(""));
    let private: Vec<ipnet::IpNet> = private.iter().map(|network| network.parse().expect("network")).collect();
    let services = Services::with(&private, RootCertStore::empty(), setup.resolver()).expect("services");
    (listener, address.port(), services, setup)
}

/// The line that would open it.
async fn hint_of(lent: &mut Lent, address: String) -> String {
    let outcome = connect(lent, to(address)).await;
    let Err(NetError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
    denial.hint
}

#[tokio::test]
async fn a_literal_address_a_network_and_localhost_name_themselves() {
    let (_listener, port, services, _setup) = named(&[]).await;
    for (grant, host) in [("tcp://127.0.0.1", "127.1"), ("tcp://127.0.0.0/8", "127.0.0.1"), ("tcp://localhost", "LocalHost")] {
        let mut lent = lent_with(&services, &[format!("{grant}:{port}")], &Limits::default());
        let connection = connected(&mut lent, to(format!("{host}:{port}"))).await;
        assert_eq!(opened(&mut lent, &connection).await.peer, format!("127.0.0.1:{port}"));
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_address_needs_it_listed() {
    let (_listener, port, services, _setup) = named(&[]).await;
    let mut lent = lent_with(&services, &[format!("tcp://db.internal:{port}")], &Limits::default());
    let hint = hint_of(&mut lent, format!("db.internal:{port}")).await;
    assert_eq!(hint, "[egress] private = [\"127.0.0.0/8\"]");
    assert_eq!(lent.finish().denials, [(Capability::Net, DenialReason::PrivateAddress)]);

    let (_listener, port, services, _setup) = named(&["127.0.0.0/8"]).await;
    let mut lent = lent_with(&services, &[format!("tcp://*.internal:{port}")], &Limits::default());
    let connection = connected(&mut lent, to(format!("DB.Internal.:{port}"))).await;
    let opened = opened(&mut lent, &connection).await;
    assert_eq!(opened.peer, format!("127.0.0.1:{port}"));
    assert!(opened.timings.dns_us.is_some(), "{:?}", opened.timings);
}

#[tokio::test]
async fn metadata_addresses_stay_denied_however_they_are_granted() {
    let (_listener, _, services, _setup) = named(&["0.0.0.0/0", "::/0"]).await;
    for address in ["169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:80", "0.0.0.0:80", "metadata.internal:80"] {
        let mut lent = lent_with(&services, &[format!("tcp://{address}")], &Limits::default());
        let hint = hint_of(&mut lent, address.to_owned()).await;
        assert!(!hint.contains("private ="), "{hint}");
        assert_eq!(lent.finish().denials, [(Capability::Net, DenialReason::ForbiddenAddress)], "{address}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_error_and_a_silent_server_a_timeout() {
    let server = DnsServer::start(|name, _| match name {
        "silent.test" => Reply::Nothing,
        _ => Reply::Code(hickory_proto::op::ResponseCode::NXDomain),
    })
    .await;
    let resolv_conf = format!("nameserver [127.0.0.1]:{}\noptions timeout:30 attempts:1\n", server.address.port());
    let setup = Setup::new(None, Some(&resolv_conf));
    let services = Services::with(&[], RootCertStore::empty(), setup.resolver()).expect("services");
    let mut lent = lent_with(&services, &["tcp://*.test:25"], &Limits::default());
    let outcome = connect(&mut lent, to("nowhere.test:25")).await;
    assert!(matches!(&outcome, Err(NetError::Dns(message)) if message.contains("`nowhere.test`")), "{outcome:?}");
    let outcome = connect(&mut lent, Target { timeout_ms: Some(300), ..to("silent.test:25") }).await;
    assert!(
        matches!(&outcome, Err(NetError::Timeout(message)) if message.contains("`silent.test`") && message.contains("(dns)")),
        "{outcome:?}"
    );
}
