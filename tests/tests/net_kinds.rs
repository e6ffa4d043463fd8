//! Every kind of the plugin `net`, on real servers that go bad and come back: Redis behind a port, nginx with certificates, a mail server
//! and a DNS server.

use crate::support_http::certificates::{Authority, Pem, leaf};
use crate::support_http::nginx::Nginx;
use rcgen::date_time_ymd;
use sickbay_tests::dns::DnsServer;
use sickbay_tests::mail::MailServer;
use sickbay_tests::redis::RedisServer;
use sickbay_tests::{OK, Sickbay, Turn, Verdict, on_demand};
use tokio::net::TcpSocket;

/// `config` is the inside of an inline table.
fn check(name: &str, kind: &str, config: &str, grants: &[&str]) -> String {
    let grants: Vec<String> = grants.iter().map(|grant| format!("\"{grant}\"")).collect();
    let grants = grants.join(", ");
    on_demand(name, "net", kind, &format!("config = {{ {config} }}\ngrants = {{ net = [{grants}] }}"))
}

/// As the mail server takes it.
fn pair(pem: &Pem) -> Option<(&str, &str)> {
    Some((pem.certificate.as_str(), pem.key.as_str()))
}

#[tokio::test]
async fn a_port_is_judged_by_who_listens_there_and_by_what_is_said() {
    let mut server = RedisServer::start("");
    // It has a port, and nobody can connect to it.
    let quiet = TcpSocket::new_v4().expect("a socket");
    quiet.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let (open, closed) = (format!("127.0.0.1:{}", server.port()), quiet.local_addr().expect("its address").to_string());
    let (to_open, to_closed) = (format!("tcp://{open}"), format!("tcp://{closed}"));
    let said = format!("address = \"{open}\", send = \"PING\\r\\n\", expect = \"PONG\"");
    let checks = [
        check("said", "tcp", &said, &[&to_open]),
        check("listeners", "listeners", &format!("open = [\"{open}\"], closed = [\"{closed}\"]"), &[&to_open, &to_closed]),
        check("ungranted", "tcp", &said, &[]),
    ];
    let sickbay = Sickbay::started(&checks.concat(), &["net"]).await;

    let refuses = Verdict::critical("content", &["the answer lacks the expected text"]);
    let password = |turn: Turn| {
        server.say(if turn == Turn::Break { "CONFIG SET requirepass another" } else { "AUTH another\nCONFIG SET requirepass \"\"" });
    };
    sickbay.breaks_and_mends("said", refuses, password).await;

    let mut paused = None;
    let hangs = |turn| match turn {
        Turn::Break => paused = Some(server.pause()),
        Turn::Mend => drop(paused.take()),
    };
    sickbay.breaks_and_mends("said", Verdict::critical("timeout", &["no whole answer from 127.0.0.1:", " ms"]), hangs).await;

    sickbay.all_come_to(&["said", "listeners"], OK).await;
    server.stop();
    sickbay.comes_to("said", Verdict::critical("refused", &[&format!("{open} refused the connection")])).await;
    sickbay.comes_to("listeners", Verdict::critical("listener", &[&format!("{open} accepts no connection")])).await;
    server.restart();
    sickbay.all_come_to(&["said", "listeners"], OK).await;

    let mut quiet = Some(quiet);
    let mut listening = None;
    let opens = |turn| match turn {
        Turn::Break => listening = quiet.take().map(|quiet| quiet.listen(8).expect("it listens")),
        Turn::Mend => drop(listening.take()),
    };
    sickbay.breaks_and_mends("listeners", Verdict::critical("listener", &[&format!("{closed} accepts connections")]), opens).await;

    sickbay.comes_to("ungranted", Verdict::unknown(&[&format!("net = [\"{to_open}\"]")])).await;
}

#[tokio::test]
async fn a_certificate_that_goes_bad_is_told_from_the_first_byte_and_after_starttls() {
    const ALL: [&str; 3] = ["tls", "starttls", "smtp"];
    let (trusted, other) = (Authority::new("the authority"), Authority::new("another authority"));
    let until = |year| {
        let mut params = leaf("localhost");
        params.not_after = date_time_ymd(year, 1, 1);
        trusted.sign(&params)
    };
    let good = trusted.sign(&leaf("localhost"));
    let bad = [
        (until(2120), Verdict::critical("certificate", &["the certificate expires in"])),
        (until(2001), Verdict::critical("tls", &["certificate expired", "days ago"])),
        (trusted.sign(&leaf("other.example")), Verdict::critical("tls", &["the certificate is for other.example, not for localhost"])),
        (other.sign(&leaf("localhost")), Verdict::critical("tls", &["unknown issuer", "hint: trust its CA with `[egress] ca_file`"])),
    ];
    let mut nginx = Nginx::start(&[("leaf.pem", good.certificate.as_bytes()), ("leaf.key", good.key.as_bytes())], 1, |ports| {
        format!("server {{ listen 127.0.0.1:{} ssl; ssl_certificate leaf.pem; ssl_certificate_key leaf.key; }}\n", ports[0])
    });
    let mut mail = MailServer::start(pair(&good));
    // In days: 2120 is sooner, 4096 is not.
    let soon = "certificate_critical_days = 60000, certificate_warning_days = 70000";
    let (web, post) = (format!("localhost:{}", nginx.ports[0]), mail.address());
    let (to_web, to_post) = (format!("tls://{web}"), format!("tcp://{post}"));
    let checks = [
        "[egress]\nca_file = \"ca.pem\"\n\n".to_owned(),
        check("tls", "tls", &format!("address = \"{web}\", {soon}"), &[&to_web]),
        check("starttls", "tls", &format!("address = \"{post}\", starttls = \"smtp\", {soon}"), &[&to_post]),
        check("smtp", "smtp", &format!("address = \"{post}\", expect = \"SMTP\", {soon}"), &[&to_post]),
    ];
    let mut sickbay = Sickbay::prepared(&checks.concat(), &["net"]);
    sickbay.write("ca.pem", trusted.pem());
    sickbay.start().await;
    sickbay.all_come_to(&ALL, OK).await;

    let mut present = |pem: &Pem| {
        nginx.write("leaf.pem", &pem.certificate);
        nginx.write("leaf.key", &pem.key);
        nginx.start_again();
        mail.restart(pair(pem));
    };
    for (pem, verdict) in &bad {
        present(pem);
        sickbay.all_come_to(&ALL, *verdict).await;
        present(&good);
        sickbay.all_come_to(&ALL, OK).await;
    }

    mail.restart(None);
    sickbay.comes_to("smtp", Verdict::critical("tls", &["the server does not offer STARTTLS"])).await;
    sickbay.comes_to("starttls", Verdict::critical("protocol", &["STARTTLS was answered by "])).await;
    mail.restart(pair(&good));
    sickbay.all_come_to(&ALL, OK).await;

    let paused = [nginx.pause(), mail.server.pause()];
    sickbay.all_come_to(&ALL, Verdict::critical("timeout", &["localhost:", " within ", " ms"])).await;
    drop(paused);
    sickbay.all_come_to(&ALL, OK).await;

    nginx.stop();
    mail.server.stop();
    sickbay.all_come_to(&ALL, Verdict::critical("refused", &["localhost:", " refused the connection"])).await;
    nginx.start_again();
    mail.restart(pair(&good));
    sickbay.all_come_to(&ALL, OK).await;
}

#[tokio::test]
async fn a_name_is_judged_by_what_dns_says_of_it_now() {
    const RECORDS: &str = "host-record=web.test,10.1.2.3\nmx-host=web.test,mail.test,10";
    let mut dns = DnsServer::start(RECORDS);
    let checks = [
        check("address", "dns", "name = \"web.test\", expect = [\"10.1.2.3\"]", &["dns://web.test"]),
        check("mail", "dns", "name = \"web.test\", record = \"MX\", expect = [\"10 mail.test\"]", &["dns://web.test"]),
        check("ungranted", "dns", "name = \"web.test\"", &[]),
    ];
    let mut sickbay = Sickbay::prepared(&checks.concat(), &["net"]).with_mounts(&dns.mounts());
    sickbay.start().await;

    let rounds = [
        ("address", "host-record=web.test,10.9.9.9", Verdict::critical("content", &["web.test has no record 10.1.2.3"])),
        ("address", "mx-host=web.test,mail.test,10", Verdict::critical("dns", &["`web.test` has no A record"])),
        ("address", "", Verdict::critical("dns", &["`web.test` does not exist", "hint: is it spelt right?"])),
        ("mail", "mx-host=web.test,other.test,10", Verdict::critical("content", &["web.test has no record 10 mail.test"])),
    ];
    for (name, records, broken) in rounds {
        let turn = |turn: Turn| dns.restart(if turn == Turn::Break { records } else { RECORDS });
        sickbay.breaks_and_mends(name, broken, turn).await;
    }

    let silent = Verdict::critical("dns", &["no DNS server answered", "hint: are the servers in `/etc/resolv.conf` alive?"]);
    let mut paused = None;
    let hangs = |turn| match turn {
        Turn::Break => paused = Some(dns.server.pause()),
        Turn::Mend => drop(paused.take()),
    };
    sickbay.breaks_and_mends("address", silent, hangs).await;

    let gone = Verdict::critical("dns", &["no DNS server can be asked"]);
    let goes = |turn: Turn| if turn == Turn::Break { dns.server.stop() } else { dns.restart(RECORDS) };
    sickbay.breaks_and_mends("address", gone, goes).await;

    sickbay.comes_to("ungranted", Verdict::unknown(&["net = [\"dns://web.test\"]"])).await;
}
