//! What tests of names share: a real DNS server on 127.0.0.1, and a folder with the two files that say whom to ask.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use super::Resolver;

/// UDP and TCP need the same port, which may be taken for one of them.
const PORTS_TRIED_MAX: usize = 20;

/// What a server does with one question.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Those of the type that was asked for.
    Addresses(&'static [&'static str]),
    /// That the name is another one of `alias.test.`, and the addresses of that.
    Alias(&'static [&'static str]),
    Code(ResponseCode),
    /// Nothing over UDP but that it does not fit; the addresses over TCP.
    TooLong(&'static [&'static str]),
    /// Another number, then another question, then the addresses.
    AfterForgeries(&'static [&'static str]),
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Udp,
    Tcp,
}

type Answers = Arc<dyn Fn(&str, RecordType) -> Reply + Send + Sync>;

/// Ends when it is dropped.
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl DnsServer {
    /// `answers` gets a name in lower case without the dot at its end.
    pub(crate) async fn start(answers: impl Fn(&str, RecordType) -> Reply + Send + Sync + 'static) -> DnsServer {
        let answers: Answers = Arc::new(answers);
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().expect("an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let tasks = [
            tokio::spawn(over_udp(udp, Arc::clone(&answers), Arc::clone(&asked))),
            tokio::spawn(over_tcp(tcp, answers, Arc::clone(&asked))),
        ];
        DnsServer { address, asked, tasks }
    }

    /// Questions that came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

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

async fn over_udp(socket: UdpSocket, answers: Answers, asked: Arc<AtomicUsize>) {
    let mut datagram = [0; 4096];
    loop {
        // A client that went away before its answer is told here.
        let Ok((length, client)) = socket.recv_from(&mut datagram).await else { continue };
        asked.fetch_add(1, Ordering::SeqCst);
        for answer in reply(&answers, &datagram[..length], Way::Udp) {
            let _ = socket.send_to(&answer, client).await;
        }
    }
}

async fn over_tcp(listener: TcpListener, answers: Answers, asked: Arc<AtomicUsize>) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        asked.fetch_add(1, Ordering::SeqCst);
        // The client may have gone away.
        let _ = talk(&mut stream, &answers).await;
    }
}

async fn talk(stream: &mut TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut question = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut question).await?;
    for answer in reply(answers, &question, Way::Tcp) {
        stream.write_u16(u16::try_from(answer.len()).expect("a short answer")).await?;
        stream.write_all(&answer).await?;
    }
    Ok(())
}

fn reply(answers: &Answers, question: &[u8], way: Way) -> Vec<Vec<u8>> {
    let question = Message::from_vec(question).expect("a question");
    let query = question.queries.first().expect("a question");
    let name = query.name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let with = |records: Vec<Record>| {
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.add_query(query.clone());
        answer.add_answers(records);
        answer
    };
    let addresses = |owner: &Name, addresses: &[&str]| -> Vec<Record> {
        let data = addresses.iter().map(|address| RData::from(address.parse::<IpAddr>().expect("an address")));
        let asked_for = data.filter(|data| data.record_type() == query.query_type);
        asked_for.map(|data| Record::from_rdata(owner.clone(), 60, data)).collect()
    };
    let messages = match answers(&name, query.query_type) {
        Reply::Addresses(of_name) => vec![with(addresses(&query.name, of_name))],
        Reply::Alias(of_alias) => {
            let alias = Name::from_ascii("alias.test.").expect("a name");
            let mut records = addresses(&alias, of_alias);
            records.push(Record::from_rdata(query.name.clone(), 60, RData::CNAME(CNAME(alias))));
            vec![with(records)]
        }
        Reply::Code(code) => {
            let mut answer = with(Vec::new());
            answer.metadata.response_code = code;
            vec![answer]
        }
        Reply::TooLong(_) if way == Way::Udp => {
            let mut answer = with(Vec::new());
            answer.metadata.truncation = true;
            vec![answer]
        }
        Reply::TooLong(of_name) => vec![with(addresses(&query.name, of_name))],
        Reply::AfterForgeries(of_name) => {
            let mut another_number = with(addresses(&query.name, &["10.66.66.66", "fd66::66"]));
            another_number.metadata.id = question.metadata.id.wrapping_add(1);
            let mut another_question = with(addresses(&query.name, &["10.66.66.66", "fd66::66"]));
            another_question.queries[0].name = Name::from_ascii("another.test.").expect("a name");
            vec![another_number, another_question, with(addresses(&query.name, of_name))]
        }
        Reply::Nothing => Vec::new(),
    };
    messages.iter().map(|message| message.to_vec().expect("an answer")).collect()
}

/// Removed in the end.
pub(crate) struct Setup {
    folder: TempDir,
}

impl Setup {
    /// A file that is not given is not there.
    pub(crate) fn new(hosts: Option<&str>, resolv_conf: Option<&str>) -> Setup {
        let setup = Setup { folder: tempfile::tempdir().expect("a temporary folder") };
        for (name, text) in [("hosts", hosts), ("resolv.conf", resolv_conf)] {
            if let Some(text) = text {
                setup.write(name, text);
            }
        }
        setup
    }

    /// Whom to ask is `servers`, one attempt of a second for each lookup that is silent.
    pub(crate) fn asking(servers: &[&DnsServer]) -> Setup {
        Setup::new(None, Some(&asking(servers, "options timeout:1 attempts:1\n")))
    }

    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::reading(self.path("hosts"), self.path("resolv.conf"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a file");
    }
}

/// A `resolv.conf` with these servers and `more` lines.
pub(crate) fn asking(servers: &[&DnsServer], more: &str) -> String {
    let lines: String = servers.iter().map(|server| format!("nameserver [{}]:{}\n", server.address.ip(), server.address.port())).collect();
    lines + more
}
