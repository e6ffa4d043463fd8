//! Names against real DNS servers on 127.0.0.1.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use tokio::time::{sleep, timeout};

use super::places::LOOKUPS_PER_PLUGIN_MAX;
use super::testing::{DnsServer, Reply, Setup, asking};
use super::*;

/// What a test waits for comes within this time, or never.
const WAIT_MAX: Duration = Duration::from_secs(30);

async fn looked_up(resolver: &Resolver, host: &str) -> Result<Vec<String>, String> {
    match resolver.addresses(&"http".into(), host).await {
        Ok(addresses) => Ok(addresses.iter().map(IpAddr::to_string).collect()),
        Err(Failure::Dns(message)) => Err(message),
        Err(other) => panic!("{host}: {other:?}"),
    }
}

async fn why_not(resolver: &Resolver, host: &str) -> String {
    match resolver.addresses(&"http".into(), host).await {
        Err(Failure::Host(message)) => message,
        other => panic!("{host}: {other:?}"),
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(WAIT_MAX, wait).await.unwrap_or_else(|_| panic!("waited {} s for {what}", WAIT_MAX.as_secs()));
}

fn told(addresses: &[&str]) -> Result<Vec<String>, String> {
    Ok(addresses.iter().map(|address| (*address).to_owned()).collect())
}

#[tokio::test]
async fn a_name_has_the_addresses_of_both_families_in_turns() {
    let server = DnsServer::start(|name, _| match name {
        "both.test" => Reply::Addresses(&["10.0.0.1", "fd00::1", "10.0.0.2", "10.0.0.3", "fd00::2"]),
        "old.test" => Reply::Addresses(&["10.0.0.1"]),
        "new.test" => Reply::Addresses(&["fd00::1"]),
        "other.test" => Reply::Alias(&["10.0.0.7", "fd00::7"]),
        _ => Reply::Code(ResponseCode::NXDomain),
    })
    .await;
    let setup = Setup::asking(&[&server]);
    let resolver = setup.resolver();
    assert_eq!(looked_up(&resolver, "both.test").await, told(&["fd00::1", "10.0.0.1", "fd00::2", "10.0.0.2", "10.0.0.3"]));
    assert_eq!(looked_up(&resolver, "BOTH.test.").await, told(&["fd00::1", "10.0.0.1", "fd00::2", "10.0.0.2", "10.0.0.3"]));
    assert_eq!(looked_up(&resolver, "old.test").await, told(&["10.0.0.1"]));
    assert_eq!(looked_up(&resolver, "new.test").await, told(&["fd00::1"]));
    assert_eq!(looked_up(&resolver, "other.test").await, told(&["fd00::7", "10.0.0.7"]));
}

#[tokio::test]
async fn every_lookup_asks_again() {
    let server = DnsServer::start(|_, _| Reply::Addresses(&["10.0.0.1"])).await;
    let setup = Setup::asking(&[&server]);
    let resolver = setup.resolver();
    for lookups in 1..=3 {
        assert_eq!(looked_up(&resolver, "api.test").await, told(&["10.0.0.1"]));
        assert_eq!(server.asked(), 2 * lookups);
    }
}

#[tokio::test]
async fn why_there_is_no_address_is_told_apart() {
    let server = DnsServer::start(|name, _| match name {
        "bare.test" => Reply::Addresses(&[]),
        "failing.test" => Reply::Code(ResponseCode::ServFail),
        "refused.test" => Reply::Code(ResponseCode::Refused),
        "silent.test" => Reply::Nothing,
        _ => Reply::Code(ResponseCode::NXDomain),
    })
    .await;
    let setup = Setup::asking(&[&server]);
    let resolver = setup.resolver();
    let path = setup.path("resolv.conf").display().to_string();
    for (host, parts) in [
        ("nowhere.test", &["`nowhere.test` does not exist", "spelt right"][..]),
        ("bare.test", &["`bare.test` has no address", "no A or AAAA"][..]),
        ("failing.test", &["`failing.test` cannot be resolved", "answered SERVFAIL", "dig failing.test"][..]),
        ("refused.test", &["answered REFUSED"][..]),
        ("silent.test", &["no DNS server answered", path.as_str()][..]),
        ("a..test", &["`a..test` cannot be a name in DNS"][..]),
    ] {
        let message = looked_up(&resolver, host).await.expect_err(host);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_and_the_next_one_is_asked() {
    let gone = DnsServer::start(|_, _| Reply::Nothing).await;
    let setup = Setup::asking(&[&gone]);
    drop(gone);
    let resolver = setup.resolver();
    // Its sockets are closed when its tasks have been ended.
    until("a closed port", async || {
        looked_up(&resolver, "api.test").await.is_err_and(|message| message.contains("no DNS server can be asked: connection refused"))
    })
    .await;

    let failing = DnsServer::start(|_, _| Reply::Code(ResponseCode::ServFail)).await;
    let alive = DnsServer::start(|_, _| Reply::Addresses(&["10.0.0.1"])).await;
    let setup = Setup::asking(&[&failing, &alive]);
    assert_eq!(looked_up(&setup.resolver(), "api.test").await, told(&["10.0.0.1"]));
    assert_eq!(failing.asked(), 2);
}

#[tokio::test]
async fn a_lost_datagram_is_asked_for_again() {
    let questions = AtomicUsize::new(0);
    let server = DnsServer::start(move |_, _| match questions.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Reply::Nothing,
        _ => Reply::Addresses(&["10.0.0.1", "fd00::1"]),
    })
    .await;
    let setup = Setup::new(None, Some(&asking(&[&server], "options timeout:1 attempts:2\n")));
    assert_eq!(looked_up(&setup.resolver(), "api.test").await, told(&["fd00::1", "10.0.0.1"]));
}

#[tokio::test]
async fn one_family_that_is_never_told_does_not_hide_the_other() {
    let server = DnsServer::start(|_, records| match records {
        RecordType::AAAA => Reply::Nothing,
        _ => Reply::Addresses(&["10.0.0.1"]),
    })
    .await;
    let setup = Setup::asking(&[&server]);
    assert_eq!(looked_up(&setup.resolver(), "api.test").await, told(&["10.0.0.1"]));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_comes_over_tcp() {
    let server = DnsServer::start(|_, _| Reply::TooLong(&["10.0.0.1", "fd00::1"])).await;
    let setup = Setup::asking(&[&server]);
    assert_eq!(looked_up(&setup.resolver(), "api.test").await, told(&["fd00::1", "10.0.0.1"]));
    assert_eq!(server.asked(), 4, "each question came twice");
}

#[tokio::test]
async fn what_does_not_answer_the_question_is_not_taken() {
    let server = DnsServer::start(|_, _| Reply::AfterForgeries(&["10.0.0.1", "fd00::1"])).await;
    let setup = Setup::asking(&[&server]);
    assert_eq!(looked_up(&setup.resolver(), "api.test").await, told(&["fd00::1", "10.0.0.1"]));
}

#[tokio::test]
async fn of_very_many_addresses_the_first_are_given() {
    const MANY: &[&str] = &["10.0.0.1"; ADDRESSES_MAX + 1];
    let server = DnsServer::start(|_, _| Reply::Addresses(MANY)).await;
    let setup = Setup::asking(&[&server]);
    assert_eq!(looked_up(&setup.resolver(), "api.test").await.map(|addresses| addresses.len()), Ok(ADDRESSES_MAX));
}

#[tokio::test]
async fn a_short_name_is_completed_with_the_search_domains() {
    let server = DnsServer::start(|name, _| match name {
        "db.second.test" | "db.other.second.test" => Reply::Addresses(&["10.0.0.2"]),
        "bare.first.test" => Reply::Addresses(&[]),
        _ => Reply::Code(ResponseCode::NXDomain),
    })
    .await;
    let setup = Setup::new(None, Some(&asking(&[&server], "search first.test second.test\noptions timeout:1 attempts:1\n")));
    let resolver = setup.resolver();
    assert_eq!(looked_up(&resolver, "db").await, told(&["10.0.0.2"]));
    assert_eq!(looked_up(&resolver, "db.other").await, told(&["10.0.0.2"]), "after the name itself");
    assert!(looked_up(&resolver, "db.").await.is_err_and(|message| message.contains("does not exist")), "a name with its dot is complete");
    let message = looked_up(&resolver, "bare").await.expect_err("no address");
    assert!(message.contains("has no address"), "{message}");
}

#[tokio::test]
async fn localhost_and_what_is_in_the_hosts_file_are_not_asked_for() {
    let server = DnsServer::start(|_, _| Reply::Addresses(&["10.66.66.66"])).await;
    let hosts = "10.66.66.66 localhost\n10.0.0.7 db.internal\nfd00::7 db.internal\n10.0.0.8 app.localhost\n";
    let setup = Setup::new(Some(hosts), Some(&asking(&[&server], "")));
    let resolver = setup.resolver();
    for (host, addresses) in [
        ("localhost", &["127.0.0.1", "::1"][..]),
        ("LocalHost.", &["127.0.0.1", "::1"][..]),
        ("other.localhost", &["127.0.0.1", "::1"][..]),
        ("app.localhost", &["10.0.0.8"][..]),
        ("DB.internal.", &["fd00::7", "10.0.0.7"][..]),
    ] {
        assert_eq!(looked_up(&resolver, host).await, told(addresses), "{host}");
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_file_that_changes_is_read_again() {
    let first = DnsServer::start(|_, _| Reply::Addresses(&["10.0.0.1"])).await;
    let second = DnsServer::start(|_, _| Reply::Addresses(&["10.0.0.2"])).await;
    let setup = Setup::new(Some("10.0.0.7 db.internal\n"), Some(&asking(&[&first], "")));
    let resolver = setup.resolver();
    assert_eq!(looked_up(&resolver, "db.internal").await, told(&["10.0.0.7"]));
    assert_eq!(looked_up(&resolver, "api.test").await, told(&["10.0.0.1"]));
    setup.write("hosts", "10.0.0.88 db.internal\n");
    setup.write("resolv.conf", &asking(&[&second], "options attempts:2\n"));
    for (host, addresses) in [("db.internal", &["10.0.0.88"]), ("api.test", &["10.0.0.2"])] {
        until("the change", async || looked_up(&resolver, host).await == told(addresses)).await;
    }
}

#[tokio::test]
async fn without_a_server_names_cannot_be_looked_up_and_the_file_is_named() {
    for (resolv_conf, part) in
        [(None, "cannot be read"), (Some("search corp.example\n"), "names no DNS server"), (Some("\u{0}\n"), "names no")]
    {
        let setup = Setup::new(Some("10.0.0.7 db.internal\n"), resolv_conf);
        let resolver = setup.resolver();
        let message = why_not(&resolver, "api.test").await;
        let path = setup.path("resolv.conf").display().to_string();
        assert!(message.contains(part) && message.contains(&path) && message.contains("hint: "), "{message}");
        assert_eq!(looked_up(&resolver, "db.internal").await, told(&["10.0.0.7"]), "the other file is enough");
        assert!(looked_up(&resolver, "localhost").await.is_ok());

        let server = DnsServer::start(|_, _| Reply::Addresses(&["10.0.0.1"])).await;
        setup.write("resolv.conf", &asking(&[&server], ""));
        until("the file", async || resolver.addresses(&"http".into(), "api.test").await.is_ok()).await;
    }
}

#[tokio::test]
async fn names_that_hang_hold_up_their_own_plugin_only_and_leave_nothing_behind() {
    let server = DnsServer::start(|name, _| if name == "hangs.test" { Reply::Nothing } else { Reply::Addresses(&["10.0.0.1"]) }).await;
    let setup = Setup::new(None, Some(&asking(&[&server], "options timeout:30\n")));
    let resolver = Arc::new(setup.resolver());
    let hanging: Vec<_> = (0..LOOKUPS_PER_PLUGIN_MAX)
        .map(|_| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { resolver.addresses(&"http".into(), "hangs.test").await })
        })
        .collect();
    // One for A and one for AAAA.
    until("all of them to have asked", async || server.asked() == 2 * LOOKUPS_PER_PLUGIN_MAX).await;
    let message = why_not(&resolver, "api.test").await;
    assert!(message.contains("the plugin `http` has 128 name lookups under way"), "{message}");
    let other = resolver.addresses(&"other".into(), "api.test").await;
    assert!(other.is_ok(), "{other:?}");
    for lookup in hanging {
        lookup.abort();
        assert!(lookup.await.is_err_and(|ended| ended.is_cancelled()));
    }
    assert_eq!(looked_up(&resolver, "api.test").await, told(&["10.0.0.1"]));
}
