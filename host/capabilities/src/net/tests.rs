//! The capability against real sockets on 127.0.0.1, through the same door as a guest.

mod dns;
mod hostile;
mod names;
mod run;
mod secrets;
mod tls;
mod unix;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use sickbay_runtime::Limits;
use sickbay_runtime::resource::Resource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::contract::net::{Connection, Host, HostConnection, NetError, Opened, Target};
use crate::denial::{Capability, DenialReason};
use crate::{Grants, Lent, RunScope, Services};

/// What a test waits for comes within this time, or never.
const WAIT_MAX: Duration = Duration::from_secs(30);

fn services() -> Arc<Services> {
    Services::with_roots(&[], RootCertStore::empty()).expect("services")
}

fn lent_with<G: AsRef<str>>(services: &Arc<Services>, grants: &[G], limits: &Limits) -> Lent {
    let net = grants.iter().map(|grant| grant.as_ref().parse().expect("grant")).collect();
    let scope = RunScope {
        check: "mail".into(),
        plugin: "net".into(),
        run_id: 1,
        deadline: Instant::now() + WAIT_MAX,
        state: Arc::new(BTreeMap::new()),
    };
    Lent::new(services, &Arc::new(Grants { net, ..Grants::default() }), limits, scope)
}

/// Plain connections to this server are granted.
fn lent(server: SocketAddr) -> Lent {
    lent_with(&services(), &[format!("tcp://{server}")], &Limits::default())
}

fn to(address: impl ToString) -> Target {
    Target { address: address.to_string(), tls: false, server_name: None, accept_untrusted: false, timeout_ms: None, extras: Vec::new() }
}

async fn connect(lent: &mut Lent, target: Target) -> Result<Resource<Connection>, NetError> {
    Host::connect(lent, target).await.expect("no trap")
}

async fn connected(lent: &mut Lent, target: Target) -> Resource<Connection> {
    connect(lent, target).await.expect("a connection")
}

/// As the engine hands it to a call.
fn lend(connection: &Resource<Connection>) -> Resource<Connection> {
    Resource::new_borrow(connection.rep())
}

async fn opened(lent: &mut Lent, connection: &Resource<Connection>) -> Opened {
    HostConnection::opened(lent, lend(connection)).await.expect("no trap")
}

async fn send(lent: &mut Lent, connection: &Resource<Connection>, bytes: &[u8]) -> Result<(), NetError> {
    HostConnection::send(lent, lend(connection), bytes.to_vec()).await.expect("no trap")
}

async fn receive(
    lent: &mut Lent,
    connection: &Resource<Connection>,
    until: &str,
    bytes_max: u32,
    timeout_ms: Option<u32>,
) -> Result<Vec<u8>, NetError> {
    HostConnection::receive(lent, lend(connection), until.as_bytes().to_vec(), bytes_max, timeout_ms).await.expect("no trap")
}

/// One line, as text.
async fn line(lent: &mut Lent, connection: &Resource<Connection>) -> String {
    let line = receive(lent, connection, "\r\n", 1000, None).await.expect("a line");
    String::from_utf8(line).expect("UTF-8")
}

async fn close(lent: &mut Lent, connection: Resource<Connection>) {
    HostConnection::drop(lent, connection).await.expect("no trap");
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A server that holds one conversation, and then closes.
async fn serve<T, F>(talk: T) -> (SocketAddr, JoinHandle<()>)
where
    T: FnOnce(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        talk(stream).await;
    });
    (address, task)
}

/// Reads exactly `expected`.
async fn hear(stream: &mut TcpStream, expected: &str) {
    let mut heard = vec![0; expected.len()];
    stream.read_exact(&mut heard).await.expect("bytes");
    assert_eq!(String::from_utf8(heard).expect("UTF-8"), expected);
}

/// Ends when the other side is closed.
async fn see_it_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(WAIT_MAX, stream.read_to_end(&mut rest)).await.expect("the connection is closed");
}

#[tokio::test]
async fn a_dialogue_goes_back_and_forth() {
    let (address, task) = serve(|mut stream| async move {
        stream.write_all(b"220 ready\r\n").await.expect("written");
        hear(&mut stream, "EHLO sickbay\r\n").await;
        stream.write_all(b"250-first\r\n250 second\r\n").await.expect("written");
        hear(&mut stream, "QUIT\r\n").await;
        stream.write_all(b"221").await.expect("written");
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    assert_eq!(line(&mut lent, &connection).await, "220 ready\r\n");
    send(&mut lent, &connection, b"EHLO sickbay\r\n").await.expect("sent");
    assert_eq!(line(&mut lent, &connection).await, "250-first\r\n");
    assert_eq!(line(&mut lent, &connection).await, "250 second\r\n");
    send(&mut lent, &connection, b"QUIT\r\n").await.expect("sent");
    assert_eq!(receive(&mut lent, &connection, "", 100, None).await.expect("what was left"), b"221");
    assert_eq!(receive(&mut lent, &connection, "", 100, None).await.expect("nothing more"), b"");
    task.await.expect("the server heard what it expected");

    let opened = opened(&mut lent, &connection).await;
    assert_eq!((opened.peer, opened.tls.is_none()), (address.to_string(), true));
    let timings = opened.timings;
    assert!(timings.dns_us.is_none() && timings.tls_us.is_none() && timings.first_byte_us.is_none(), "{timings:?}");
    assert!(timings.connect_us.is_some_and(|connect| connect <= timings.total_us), "{timings:?}");

    let usage = lent.finish();
    assert_eq!((usage.host_calls, usage.bytes_out, usage.bytes_in), (9, 20, 11 + 11 + 12 + 3));
    assert!(usage.denials.is_empty());
}

#[tokio::test]
async fn receive_gives_what_was_asked_for_and_keeps_the_rest() {
    let (address, _task) = serve(|mut stream| async move {
        stream.write_all(b"0123456789\r\nrest").await.expect("written");
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    for (until, bytes_max, expected) in [("", 3, "012"), ("5", 100, "345"), ("\r\n", 2, "67"), ("\r\n", 4, "89\r\n"), ("", 4, "rest")] {
        let answer = receive(&mut lent, &connection, until, bytes_max, None).await.expect("bytes");
        assert_eq!(String::from_utf8(answer).expect("UTF-8"), expected);
    }
    assert_eq!(receive(&mut lent, &connection, "", 1, None).await.expect("nothing more"), b"");
}

#[tokio::test]
async fn a_peer_that_closes_before_the_answer_is_whole_is_told_and_its_words_are_kept() {
    let (address, _task) = serve(|mut stream| async move {
        stream.write_all(b"421 too many").await.expect("written");
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    let outcome = receive(&mut lent, &connection, "\r\n", 1000, None).await;
    assert!(matches!(&outcome, Err(NetError::Closed(message)) if message.contains("after 12 bytes")), "{outcome:?}");
    assert_eq!(receive(&mut lent, &connection, "", 1000, None).await.expect("what came"), b"421 too many");
}

#[tokio::test]
async fn a_receive_that_ran_out_of_time_has_lost_nothing() {
    let (address, _task) = serve(|mut stream| async move {
        stream.write_all(b"250 al").await.expect("written");
        hear(&mut stream, "go on").await;
        stream.write_all(b"most\r\n").await.expect("written");
        see_it_closed(&mut stream).await;
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    let outcome = receive(&mut lent, &connection, "\r\n", 1000, Some(200)).await;
    let Err(NetError::Timeout(message)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, format!("no whole answer from {address} within 200 ms (receive): 6 bytes so far"));
    send(&mut lent, &connection, b"go on").await.expect("sent");
    assert_eq!(line(&mut lent, &connection).await, "250 almost\r\n");
}

#[tokio::test]
async fn an_answer_of_the_largest_size_comes_whole() {
    const BYTES: usize = 1 << 20;
    let (address, _task) = serve(|mut stream| async move {
        let mut answer = vec![b'x'; BYTES - 2];
        answer.extend_from_slice(b"\r\n");
        stream.write_all(&answer).await.expect("written");
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    let answer = receive(&mut lent, &connection, "\r\n", 1 << 20, None).await.expect("an answer");
    assert_eq!((answer.len(), answer.ends_with(b"x\r\n")), (BYTES, true));
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let (listener, address) = listen().await;
    drop(listener);
    let outcome = connect(&mut lent(address), to(address)).await;
    assert!(matches!(&outcome, Err(NetError::Refused(message)) if message.contains(&address.to_string())), "{outcome:?}");
}

#[tokio::test]
async fn what_is_not_granted_is_denied_before_anything_is_dialled() {
    let (listener, address) = listen().await;
    for (grant, target, hint) in [
        ("tcp://127.0.0.1:1".to_owned(), to(address), format!("net = [\"tcp://{address}\"]")),
        (format!("tls://{address}"), to(address), format!("net = [\"tcp://{address}\"]")),
        (format!("tcp://{address}"), Target { tls: true, ..to(address) }, format!("net = [\"tls://{address}\"]")),
    ] {
        let mut lent = lent_with(&services(), &[grant], &Limits::default());
        let outcome = connect(&mut lent, target).await;
        let Err(NetError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(denial.hint, hint);
        assert_eq!(lent.finish().denials, [(Capability::Net, DenialReason::NotGranted)]);
    }
    // A connection that was dialled would be waiting here.
    let own = TcpStream::connect(address).await.expect("a connection");
    let (_, peer) = listener.accept().await.expect("a connection");
    assert_eq!(peer, own.local_addr().expect("an address"));
}

#[tokio::test]
async fn what_passes_a_bound_is_invalid_and_leaves_the_connection_alone() {
    let (address, _task) = serve(|mut stream| async move {
        stream.write_all(b"220 ready\r\n").await.expect("written");
        see_it_closed(&mut stream).await;
    })
    .await;
    let mut lent = lent(address);
    let connection = connected(&mut lent, to(address)).await;
    let outcome = send(&mut lent, &connection, &vec![0; (1 << 20) + 1]).await;
    assert!(matches!(outcome, Err(NetError::Invalid(_))), "{outcome:?}");
    for (until, bytes_max) in [("", 0), ("", (1 << 20) + 1), ("\r\n", 1)] {
        let outcome = receive(&mut lent, &connection, until, bytes_max, None).await;
        assert!(matches!(outcome, Err(NetError::Invalid(_))), "{outcome:?}");
    }
    for address in ["nowhere", "127.0.0.1:0", "unix:relative", "tcp://127.0.0.1:25"] {
        let outcome = connect(&mut lent, to(address)).await;
        assert!(matches!(outcome, Err(NetError::Invalid(_))), "{address}: {outcome:?}");
    }
    assert_eq!(line(&mut lent, &connection).await, "220 ready\r\n");
    assert_eq!(lent.finish().bytes_out, 0);
}
