//! The capability against real sockets on 127.0.0.1, through the same door as a guest.

mod elsewhere;
mod hostile;
mod names;
mod outgoing;
mod redirects;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use sickbay_core::Quota;
use sickbay_runtime::{Lend, Limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::contract::http::{Header, Host, HttpError, Options, Request, Response};
use crate::denial::{Capability, DenialReason};
use crate::dial::{Destination, Progress, dial};
use crate::egress::Named;
use crate::failure::Failure;
use crate::{Grants, Lent, RunScope, Services};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn lent_with(services: &Arc<Services>, grants: &[String], limits: &Limits) -> Lent {
    let http = grants.iter().map(|grant| grant.parse().expect("grant")).collect();
    let scope = RunScope {
        check: "api".into(),
        plugin: "http".into(),
        run_id: 1,
        deadline: Instant::now() + Duration::from_secs(30),
        state: Arc::new(BTreeMap::new()),
    };
    Lent::new(services, &Arc::new(Grants { http, ..Grants::default() }), limits, scope)
}

/// Everything on these servers is granted.
fn lent(servers: &[SocketAddr]) -> Lent {
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let grants: Vec<String> = servers.iter().map(|address| format!("* http://{address}/*")).collect();
    lent_with(&services, &grants, &Limits::default())
}

fn get(url: impl Into<String>) -> Request {
    Request { method: "GET".to_owned(), url: url.into(), headers: Vec::new(), body: None }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.to_owned() }
}

fn options() -> Options {
    Options {
        timeout_ms: None,
        redirects_max: 0,
        body_bytes_max: None,
        reuse: false,
        accept_untrusted: false,
        connect_to: None,
        extras: Vec::new(),
    }
}

async fn send(lent: &mut Lent, request: Request, options: Options) -> Result<Response, HttpError> {
    Host::send(lent, request, options).await.expect("no trap")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// A server that gives one answer to each connection in turn, and tells what it was sent.
struct Server {
    address: SocketAddr,
    requests: mpsc::Receiver<String>,
}

impl Server {
    async fn answering(answers: &[&str]) -> Server {
        let (listener, address) = listen().await;
        let (heard, requests) = mpsc::channel(answers.len().max(1));
        let answers: Vec<String> = answers.iter().map(|answer| answer.replace("SELF", &address.to_string())).collect();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = read_request(&mut stream).await;
                heard.send(request).await.expect("the test listens");
                // The client may have heard enough before all is written.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Server { address, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that came, whole.
    async fn heard(&mut self) -> String {
        self.requests.recv().await.expect("a request")
    }
}

/// The header block, and as much body as it announces.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
                return text;
            }
        }
        let mut bytes = [0; 4096];
        let count = stream.read(&mut bytes).await.expect("a request");
        assert!(count > 0, "the request ended early: {text}");
        text.push_str(std::str::from_utf8(&bytes[..count]).expect("UTF-8"));
    }
}

#[tokio::test]
async fn a_request_goes_out_as_it_was_given_and_the_answer_is_told() {
    let answer = "HTTP/1.1 418 Teapot\r\nX-One: a\r\nx-two: caf\u{e9}\r\nX-One: b\r\nContent-Length: 5\r\n\r\nhello";
    let mut server = Server::answering(&[answer]).await;
    let mut lent = lent(&[server.address]);
    let request = Request { headers: vec![header("X-Check", "yes")], ..get(server.url("/health?x=1#top")) };
    let response = send(&mut lent, request, options()).await.expect("an answer");

    let heard = server.heard().await;
    let address = server.address;
    assert!(heard.starts_with(&format!("GET /health?x=1 HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n")), "{heard}");
    assert!(heard.contains("x-check: yes\r\n") && heard.contains("user-agent: sickbay/") && heard.contains("accept: */*"), "{heard}");
    assert!(!heard.contains("accept-encoding") && !heard.contains("content-length"), "{heard}");

    assert_eq!((response.status, response.version.as_str(), response.body.as_slice()), (418, "HTTP/1.1", &b"hello"[..]));
    let values = |name: &str| -> Vec<String> {
        response.headers.iter().filter(|header| header.name == name).map(|header| header.value.clone()).collect()
    };
    assert_eq!(values("x-one"), ["a", "b"]);
    assert_eq!(values("x-two"), ["caf\u{c3}\u{a9}"], "bytes are told one by one, as ISO-8859-1");
    assert_eq!(response.url, server.url("/health?x=1"));
    assert_eq!(response.peer, Some(address.to_string()));
    assert!(!response.truncated && response.redirects.is_empty() && response.tls.is_none());
    let timings = response.timings;
    assert!(timings.dns_us.is_none() && timings.tls_us.is_none(), "an address is not looked up: {timings:?}");
    assert!(timings.connect_us.is_some() && timings.first_byte_us.is_some_and(|first| first <= timings.total_us), "{timings:?}");

    let usage = lent.finish();
    assert_eq!((usage.host_calls, usage.denials.len()), (1, 0));
    assert!(usage.bytes_out > 0 && usage.bytes_in > 5, "{usage:?}");
}

#[tokio::test]
async fn a_body_is_sent_with_its_length() {
    let mut server = Server::answering(&[OK, OK]).await;
    let mut lent = lent(&[server.address]);
    let post = |body: Option<Vec<u8>>| Request { method: "POST".to_owned(), body, ..get(server.url("/")) };
    let (full, empty) = (post(Some(b"{\"a\":1}".to_vec())), post(None));
    send(&mut lent, full, options()).await.expect("an answer");
    let heard = server.heard().await;
    assert!(heard.contains("content-length: 7\r\n") && heard.ends_with("\r\n\r\n{\"a\":1}"), "{heard}");
    send(&mut lent, empty, options()).await.expect("an answer");
    assert!(server.heard().await.contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let server = Server::answering(&["HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"]).await;
    let request = Request { method: "HEAD".to_owned(), ..get(server.url("/")) };
    let response = send(&mut lent(&[server.address]), request, options()).await.expect("an answer");
    assert_eq!((response.status, response.body.len(), response.truncated), (200, 0, false));
}

#[tokio::test]
async fn a_websocket_upgrade_is_an_answer() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n";
    let mut server = Server::answering(&[answer]).await;
    let url = server.url("/socket").replace("http://", "ws://");
    let request = Request { headers: vec![header("Upgrade", "websocket"), header("Sec-WebSocket-Version", "13")], ..get(url.clone()) };
    let response = send(&mut lent(&[server.address]), request, options()).await.expect("an answer");
    let heard = server.heard().await;
    assert!(heard.contains("connection: Upgrade\r\n") && heard.contains("upgrade: websocket\r\n"), "{heard}");
    assert_eq!((response.status, response.url), (101, url));
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let (listener, address) = listen().await;
    drop(listener);
    let outcome = send(&mut lent(&[address]), get(format!("http://{address}/")), options()).await;
    assert!(matches!(&outcome, Err(HttpError::Refused(message)) if message.contains(&address.to_string())), "{outcome:?}");
}

#[tokio::test]
async fn what_is_not_granted_is_denied_before_anything_is_dialled() {
    let (listener, address) = listen().await;
    let mut lent = lent(&[]);
    let outcome = send(&mut lent, get(format!("http://{address}/health")), options()).await;
    let Err(HttpError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(denial.hint, format!("http = [\"GET http://{address}/health\"]"));
    assert_eq!(lent.finish().denials, [(Capability::Http, DenialReason::NotGranted)]);
    // A connection that was dialled would be waiting here.
    let own = TcpStream::connect(address).await.expect("a connection");
    let (_, peer) = listener.accept().await.expect("a connection");
    assert_eq!(peer, own.local_addr().expect("an address"));
}

#[tokio::test]
async fn a_metadata_address_is_denied_although_it_is_granted() {
    let services = Services::with_roots(&["169.254.0.0/16".parse().expect("network")], RootCertStore::empty()).expect("services");
    for url in ["http://169.254.169.254/", "http://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/", "http://0.0.0.0/"] {
        let mut lent = lent_with(&services, &[format!("GET {url}")], &Limits::default());
        let outcome = send(&mut lent, get(url), options()).await;
        assert!(matches!(outcome, Err(HttpError::Denied(_))), "{url}: {outcome:?}");
        assert_eq!(lent.finish().denials, [(Capability::Http, DenialReason::ForbiddenAddress)], "{url}");
    }
}

#[tokio::test]
async fn localhost_in_a_grant_reaches_loopback() {
    let server = Server::answering(&[OK]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let url = format!("http://localhost:{}/", server.address.port());
    let mut lent = lent_with(&services, &[format!("GET {url}")], &Limits::default());
    let response = send(&mut lent, get(url), options()).await.expect("an answer");
    assert!(response.timings.dns_us.is_some());
    assert_eq!(response.peer, Some(server.address.to_string()));
}

#[tokio::test]
async fn a_name_that_leads_to_loopback_needs_it_listed() {
    let (_listener, address) = listen().await;
    let plugin: Arc<str> = "http".into();
    // As for any name that is not literally `localhost`.
    let destination = Destination {
        capability: Capability::Http,
        plugin: &plugin,
        host: "localhost",
        address: None,
        port: address.port(),
        named: Named::ByName,
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    let closed = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    match dial(&closed, &destination, deadline, &mut Progress::new()).await {
        Err(Failure::Denied(denial)) => {
            assert_eq!(denial.reason, DenialReason::PrivateAddress);
            assert!(denial.hint.contains("[egress] private = [") && denial.hint.contains("127.0.0.0/8"), "{}", denial.hint);
        }
        other => panic!("{other:?}"),
    }
    let open = Services::with_roots(&["127.0.0.0/8".parse().expect("network")], RootCertStore::empty()).expect("services");
    let (_, peer) = dial(&open, &destination, deadline, &mut Progress::new()).await.expect("a connection");
    assert_eq!(peer, address);
}

#[tokio::test]
async fn requests_at_once_are_under_way_together_and_answered_in_order() {
    let (listener, address) = listen().await;
    let (gone, refused) = listen().await;
    drop(gone);
    tokio::spawn(async move {
        // Nobody is answered before all three are there.
        let mut streams = Vec::new();
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let request = read_request(&mut stream).await;
            streams.push((stream, request));
        }
        for (mut stream, request) in streams.into_iter().rev() {
            let path = request.split(' ').nth(1).expect("a path");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
            stream.write_all(answer.as_bytes()).await.expect("written");
        }
    });
    let mut lent = lent(&[address, refused]);
    let urls = [format!("http://{address}/1"), format!("http://{refused}/2"), format!("http://{address}/3"), format!("http://{address}/4")];
    let answers = Host::send_many(&mut lent, urls.into_iter().map(get).collect(), options()).await.expect("no trap");
    let [Ok(first), Err(HttpError::Refused(_)), Ok(third), Ok(fourth)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!([&first.body[..], &third.body[..], &fourth.body[..]], [&b"/1"[..], b"/3", b"/4"]);
    assert_eq!(lent.finish().host_calls, 4);
}

#[tokio::test]
async fn too_many_requests_at_once_are_invalid() {
    let mut lent = lent(&[]);
    let requests = (0..17).map(|_| get("http://127.0.0.1:1/")).collect();
    let answers = Host::send_many(&mut lent, requests, options()).await.expect("no trap");
    assert_eq!(answers.len(), 17);
    assert!(answers.iter().all(|answer| matches!(answer, Err(HttpError::Invalid(_)))), "{answers:?}");
}

#[tokio::test]
async fn a_run_without_calls_or_bytes_left_is_told_its_quota() {
    let server = Server::answering(&[OK, OK]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let grants = [format!("* http://{}/*", server.address)];
    for (limits, quota) in [
        (Limits { host_calls: 0, ..Limits::default() }, Quota::HostCalls),
        (Limits { bytes_out: 10, ..Limits::default() }, Quota::BytesOut),
        (Limits { bytes_in: 10, ..Limits::default() }, Quota::BytesIn),
    ] {
        let mut lent = lent_with(&services, &grants, &limits);
        let outcome = send(&mut lent, get(server.url("/")), options()).await;
        let Err(HttpError::Quota(message)) = outcome else { panic!("{quota:?}: {outcome:?}") };
        assert!(message.contains(quota.as_str()), "{message}");
        assert_eq!(lent.exceeded().map(|(exceeded, _)| exceeded), Some(quota));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    let (listener, address) = listen().await;
    let mut lent = lent(&[address]);
    let mut call = Box::pin(send(&mut lent, get(format!("http://{address}/")), options()));
    let mut stream = tokio::select! {
        outcome = &mut call => panic!("nobody answered: {outcome:?}"),
        accepted = listener.accept() => accepted.expect("a connection").0,
    };
    drop(call);
    // Ends only when the other side is closed.
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}
