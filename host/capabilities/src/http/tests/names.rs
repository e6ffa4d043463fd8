//! Names: found by a real DNS server, judged, and never the host's trouble taken for the target's.

use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::ResponseCode;
use ipnet::IpNet;

use super::*;
use crate::dns::testing::{DnsServer, Reply, Setup, asking};

fn lent_to(setup: &Setup, private: &[&str], grants: &[String]) -> Lent {
    let private: Vec<IpNet> = private.iter().map(|network| network.parse().expect("network")).collect();
    let services = Services::with(&private, RootCertStore::empty(), setup.resolver()).expect("services");
    lent_with(&services, grants, &Limits::default())
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to_each_time() {
    let questions = AtomicUsize::new(0);
    // A lookup is two questions.
    let dns = DnsServer::start(move |_, _| match questions.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Reply::Addresses(&["127.0.0.1"]),
        _ => Reply::Addresses(&["127.0.0.2"]),
    })
    .await;
    let server = Server::answering(&["HTTP/1.1 302 Found\r\nlocation: /after\r\ncontent-length: 0\r\n\r\n", OK]).await;
    let url = format!("http://rebind.test:{}", server.address.port());
    let setup = Setup::asking(&[&dns]);
    let mut lent = lent_to(&setup, &["127.0.0.1/32"], &[format!("GET {url}/*")]);
    let following = Options { redirects_max: 1, ..options() };
    let outcome = send(&mut lent, get(format!("{url}/first")), following).await;
    let Err(HttpError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
    assert!(denial.reason.contains("a redirect leads on: `rebind.test` resolves only to addresses that are not public"), "{denial:?}");
    assert_eq!(lent.finish().denials, [(Capability::Http, DenialReason::Redirect)]);
}

#[tokio::test]
async fn a_lookup_that_hangs_is_a_timeout_with_its_fix() {
    let dns = DnsServer::start(|_, _| Reply::Nothing).await;
    let setup = Setup::new(None, Some(&asking(&[&dns], "options timeout:30\n")));
    let mut lent = lent_to(&setup, &[], &["GET http://hangs.test/*".to_owned()]);
    let hurried = Options { timeout_ms: Some(300), ..options() };
    let outcome = send(&mut lent, get("http://hangs.test/"), hurried).await;
    let Err(HttpError::Timeout(message)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, "`hangs.test` was not resolved within 300 ms (dns); hint: do the servers in `/etc/resolv.conf` answer?");
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_targets_fault_and_a_missing_resolver_is_not() {
    let dns = DnsServer::start(|_, _| Reply::Code(ResponseCode::NXDomain)).await;
    let grants = ["GET http://nowhere.test/*".to_owned()];
    let setup = Setup::asking(&[&dns]);
    let mut lent = lent_to(&setup, &[], &grants);
    let outcome = send(&mut lent, get("http://nowhere.test/"), options()).await;
    assert!(matches!(&outcome, Err(HttpError::Dns(message)) if message.contains("does not exist")), "{outcome:?}");

    // Also behind a redirect.
    let server = Server::answering(&["HTTP/1.1 302 Found\r\nlocation: http://nowhere.test/\r\ncontent-length: 0\r\n\r\n"]).await;
    let [nowhere] = grants;
    let setup = Setup::new(None, None);
    let mut lent = lent_to(&setup, &[], &[format!("GET http://{}/*", server.address), nowhere]);
    let following = Options { redirects_max: 1, ..options() };
    let outcome = send(&mut lent, get(server.url("/")), following).await;
    assert!(matches!(&outcome, Err(HttpError::Invalid(message)) if message.contains("the host cannot look up names")), "{outcome:?}");
}
