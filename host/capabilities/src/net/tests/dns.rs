//! Questions to a real DNS server on 127.0.0.1, over UDP and TCP.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, NS, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

use super::*;
use crate::contract::net::DnsAnswer;
use crate::dns::testing::Setup;

/// More than this is told over TCP only.
const DATAGRAM_BYTES_MAX: usize = 512;
const PORTS_TRIED_MAX: usize = 20;

fn name(text: &str) -> Name {
    Name::from_ascii(text).expect("a name")
}

/// What is known of `example.test`.
fn zone(query: &Query) -> Result<Vec<RData>, ResponseCode> {
    let asked = query.name.to_ascii().to_ascii_lowercase();
    let address = |last| RData::A(A(Ipv4Addr::new(10, 0, 0, last)));
    Ok(match (asked.as_str(), query.query_type) {
        ("example.test.", RecordType::A) => vec![address(2), address(1)],
        ("example.test.", RecordType::MX) => {
            vec![RData::MX(MX::new(20, name("backup.example.test."))), RData::MX(MX::new(10, name("mail.example.test.")))]
        }
        ("example.test.", RecordType::TXT) => {
            vec![RData::TXT(TXT::new(vec!["v=spf1 ".to_owned(), "-all".to_owned()])), RData::TXT(TXT::new(vec!["x".repeat(200)]))]
        }
        ("example.test.", RecordType::NS) => vec![RData::NS(NS(name("ns.example.test.")))],
        ("example.test.", RecordType::SOA) => {
            let (primary, contact) = (name("ns.example.test."), name("admin.example.test."));
            vec![RData::SOA(SOA::new(primary, contact, 7, 3600, 600, 86_400, 60))]
        }
        ("_sip._tcp.example.test.", RecordType::SRV) => vec![RData::SRV(SRV::new(1, 2, 5060, name("sip.example.test.")))],
        // The answer of an alias has the alias itself, too.
        ("www.example.test.", RecordType::A) => vec![RData::CNAME(CNAME(name("example.test."))), address(1)],
        ("www.example.test.", RecordType::CNAME) => vec![RData::CNAME(CNAME(name("example.test.")))],
        ("many.example.test.", RecordType::TXT) => (0..300).map(|number| RData::TXT(TXT::new(vec![number.to_string()]))).collect(),
        ("many.example.test." | "example.test." | "www.example.test.", _) => Vec::new(),
        ("broken.example.test.", _) => return Err(ResponseCode::ServFail),
        _ => return Err(ResponseCode::NXDomain),
    })
}

/// None where nothing is answered.
fn answer(question: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).expect("a question");
    let query = question.queries.first().expect("a question").clone();
    if query.name.to_ascii().starts_with("silent.") {
        return None;
    }
    let mut message = Message::response(question.metadata.id, OpCode::Query);
    message.add_query(query.clone());
    match zone(&query) {
        Ok(records) => {
            let with_ttl = |(number, data): (u32, RData)| Record::from_rdata(query.name.clone(), 300 - number, data);
            message.add_answers((0..).zip(records).map(with_ttl));
        }
        Err(code) => message.metadata.response_code = code,
    }
    let bytes = message.to_vec().expect("an answer");
    if bytes.len() <= bytes_max {
        return Some(bytes);
    }
    message.answers.clear();
    message.metadata.truncation = true;
    Some(message.to_vec().expect("an answer"))
}

/// Answers without end, over UDP and TCP on one port.
async fn dns_server() -> SocketAddr {
    let (udp, tcp) = sockets().await;
    let address = udp.local_addr().expect("an address");
    tokio::spawn(over_udp(udp));
    tokio::spawn(over_tcp(tcp));
    address
}

async fn over_udp(socket: UdpSocket) {
    let mut question = [0; 4096];
    loop {
        // A client that went away before its answer is told here.
        let Ok((length, client)) = socket.recv_from(&mut question).await else { continue };
        if let Some(bytes) = answer(&question[..length], DATAGRAM_BYTES_MAX) {
            let _ = socket.send_to(&bytes, client).await;
        }
    }
}

async fn over_tcp(listener: TcpListener) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let length = stream.read_u16().await.expect("a length");
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await.expect("a question");
        let bytes = answer(&question, usize::from(u16::MAX)).expect("an answer");
        stream.write_u16(u16::try_from(bytes.len()).expect("a length")).await.expect("written");
        stream.write_all(&bytes).await.expect("written");
    }
}

/// The same port may be taken for one of them.
async fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..PORTS_TRIED_MAX {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = udp.local_addr().expect("an address");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for UDP and TCP");
}

struct Asking {
    services: Arc<Services>,
    _setup: Setup,
}

impl Asking {
    /// Search domains and `/etc/hosts` are there to be ignored.
    async fn a_server() -> Asking {
        let server = dns_server().await;
        let resolv_conf = format!("nameserver [{}]:{}\nsearch test\noptions timeout:30 attempts:1 ndots:5\n", server.ip(), server.port());
        let setup = Setup::new(Some("10.66.66.66 example.test\n"), Some(&resolv_conf));
        let services = Services::with(&[], RootCertStore::empty(), setup.resolver()).expect("services");
        Asking { services, _setup: setup }
    }

    fn lent(&self, grants: &[&str]) -> Lent {
        lent_with(&self.services, grants, &Limits::default())
    }
}

async fn resolve(lent: &mut Lent, name: &str, kind: &str) -> Result<DnsAnswer, NetError> {
    Host::dns_resolve(lent, name.to_owned(), kind.to_owned()).await.expect("no trap")
}

#[tokio::test]
async fn records_are_told_as_text_in_the_order_in_which_they_came() {
    let asking = Asking::a_server().await;
    let mut lent = asking.lent(&["dns://example.test", "dns://*.example.test"]);
    let long = "x".repeat(200);
    for (name, kind, records) in [
        ("example.test", "A", &["10.0.0.2", "10.0.0.1"][..]),
        ("Example.TEST.", "MX", &["20 backup.example.test", "10 mail.example.test"][..]),
        ("example.test", "TXT", &["v=spf1 -all", long.as_str()][..]),
        ("example.test", "NS", &["ns.example.test"][..]),
        ("example.test", "SOA", &["ns.example.test admin.example.test 7 3600 600 86400 60"][..]),
        ("_sip._tcp.example.test", "SRV", &["1 2 5060 sip.example.test"][..]),
        ("www.example.test", "A", &["10.0.0.1"][..]),
        ("www.example.test", "CNAME", &["example.test"][..]),
    ] {
        let answer = resolve(&mut lent, name, kind).await.unwrap_or_else(|error| panic!("{name} {kind}: {error:?}"));
        assert_eq!(answer.records, records, "{name} {kind}");
        assert!(answer.ttl_seconds.is_some_and(|ttl| (298..=300).contains(&ttl)), "{answer:?}");
    }
    let usage = lent.finish();
    assert_eq!((usage.host_calls, usage.denials.len()), (8, 0));
    assert!(usage.bytes_out > 8 * 12 && usage.bytes_in > 200, "{usage:?}");
}

#[tokio::test]
async fn the_lowest_time_to_live_is_told() {
    let asking = Asking::a_server().await;
    let answer = resolve(&mut asking.lent(&["dns://example.test"]), "example.test", "A").await.expect("an answer");
    assert_eq!(answer.ttl_seconds, Some(299));
}

#[tokio::test]
async fn a_long_answer_comes_over_tcp_and_is_cut() {
    let asking = Asking::a_server().await;
    let answer = resolve(&mut asking.lent(&["dns://*.test"]), "many.example.test", "TXT").await.expect("an answer");
    assert_eq!((answer.records.len(), answer.records[255].as_str()), (256, "255"));
}

#[tokio::test]
async fn why_there_are_no_records_is_told_apart() {
    let asking = Asking::a_server().await;
    let mut lent = asking.lent(&["dns://*.test"]);
    for (name, kind, part) in [
        ("nowhere.test", "A", "`nowhere.test` does not exist"),
        ("example.test", "AAAA", "has no AAAA record"),
        ("broken.example.test", "A", "SERVFAIL"),
    ] {
        let outcome = resolve(&mut lent, name, kind).await;
        assert!(matches!(&outcome, Err(NetError::Dns(message)) if message.contains(part)), "{outcome:?}");
    }
    let outcome = resolve(&mut lent, "*.test", "A").await;
    assert!(matches!(outcome, Err(NetError::Invalid(_))), "{outcome:?}");
    let outcome = resolve(&mut lent, "example.test", "AXFR").await;
    assert!(matches!(&outcome, Err(NetError::Invalid(message)) if message.contains("MX")), "{outcome:?}");
}

#[tokio::test]
async fn a_name_is_completed_with_no_search_domain() {
    let asking = Asking::a_server().await;
    let outcome = resolve(&mut asking.lent(&["dns://example"]), "example", "A").await;
    assert!(matches!(outcome, Err(NetError::Dns(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_a_timeout_at_the_runs_deadline() {
    let asking = Asking::a_server().await;
    let mut lent = asking.lent(&["dns://silent.test"]);
    lent.scope.deadline = Instant::now() + Duration::from_millis(300);
    let outcome = resolve(&mut lent, "silent.test", "A").await;
    assert!(matches!(&outcome, Err(NetError::Timeout(message)) if message.contains("(dns)")), "{outcome:?}");
}

#[tokio::test]
async fn a_name_that_is_not_granted_is_not_asked_for() {
    let asking = Asking::a_server().await;
    for grants in [&[][..], &["dns://www.example.test"][..], &["dns://*.example.test"][..], &["tcp://example.test:53"][..]] {
        let mut lent = asking.lent(grants);
        let outcome = resolve(&mut lent, "example.test", "A").await;
        let Err(NetError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(denial.hint, "net = [\"dns://example.test\"]");
        assert_eq!(lent.finish().denials, [(Capability::Net, DenialReason::NotGranted)]);
    }
}
