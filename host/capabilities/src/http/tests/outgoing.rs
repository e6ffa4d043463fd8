//! `wasi:http` goes through the same door as the contract's `http`.

use bytes::Bytes;
use sickbay_runtime::outgoing::{Body, Refusal, Request as OutgoingRequest};

use super::*;

fn over_wasi(method: &str, url: &str, headers: &[(&str, &str)], body: Body) -> OutgoingRequest {
    let mut request = ::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).expect("a request").into_parts();
    OutgoingRequest { head, body, timeout: None }
}

fn body(bytes: &'static [u8]) -> Body {
    Box::pin(async move { Ok(Bytes::from_static(bytes)) })
}

async fn get_over_wasi(lent: &mut Lent, url: &str) -> Result<::http::Response<Bytes>, Refusal> {
    lent.send_over_wasi(over_wasi("GET", url, &[], body(b""))).await
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Answered,
    Denied,
    Invalid,
}

use Verdict::{Answered, Denied, Invalid};

/// Grant, method, URL; `PORT` is that of a server on 127.0.0.1.
const CASES: &[(&str, &str, &str, Verdict)] = &[
    ("GET http://127.0.0.1:PORT/health", "GET", "http://127.0.0.1:PORT/health", Answered),
    ("GET http://127.0.0.1:PORT/health", "GET", "http://127.1:PORT/a/../health", Answered),
    ("GET http://127.0.0.1:PORT/health", "HEAD", "http://127.0.0.1:PORT/health", Denied),
    ("GET http://127.0.0.1:PORT/health", "GET", "http://127.0.0.1:PORT/health?x=1", Denied),
    ("GET http://127.0.0.1:PORT/health", "GET", "http://127.0.0.1:PORT/health/", Denied),
    ("GET http://127.0.0.1:PORT/health", "GET", "https://127.0.0.1:PORT/health", Denied),
    ("GET http://127.0.0.1:PORT/health", "GET", "http://127.0.0.1:1/health", Denied),
    ("GET http://127.0.0.1:PORT/health", "GET", "http://localhost:PORT/health", Denied),
    ("GET http://127.0.0.1:PORT/health*", "GET", "http://127.0.0.1:PORT/health?x=1", Answered),
    ("GET http://localhost:PORT/*", "GET", "http://localhost:PORT/", Answered),
    ("GET http://localhost:PORT/*", "GET", "http://127.0.0.1:PORT/", Denied),
    ("* http://127.0.0.0/8:PORT/*", "DELETE", "http://127.0.0.1:PORT/x", Answered),
    ("* http://127.0.0.0/8:PORT/*", "GET", "http://[::ffff:127.0.0.1]:PORT/x", Denied),
    ("* http://*:PORT/*", "GET", "http://169.254.169.254:PORT/latest", Denied),
    ("* http://127.0.0.1:PORT/*", "GET", "http://user@127.0.0.1:PORT/", Invalid),
    ("* http://127.0.0.1:PORT/*", "GET", "http://127.0.0.1:PORT/public/..%2fadmin", Invalid),
    ("* http://127.0.0.1:PORT/*", "CONNECT", "http://127.0.0.1:PORT/", Invalid),
];

#[tokio::test]
async fn both_ways_out_ask_the_same_policy() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            read_request(&mut stream).await;
            let _ = stream.write_all(OK.as_bytes()).await;
        }
    });
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let with_port = |text: &str| text.replace("PORT", &address.port().to_string());
    for (grant, method, url, expected) in CASES {
        let (written, url) = (with_port(grant), with_port(url));
        // A pattern that is no grant grants nothing.
        let grants: Vec<String> = Some(written).filter(|text| text.parse::<crate::http::Grant>().is_ok()).into_iter().collect();
        let mut direct = lent_with(&services, &grants, &Limits::default());
        let request = Request { method: (*method).to_owned(), ..get(url.clone()) };
        let own = match send(&mut direct, request, options()).await {
            Ok(_) => Answered,
            Err(HttpError::Denied(_)) => Denied,
            Err(HttpError::Invalid(_)) => Invalid,
            Err(other) => panic!("{grant} on {method} {url}: {other:?}"),
        };
        let mut wasi = lent_with(&services, &grants, &Limits::default());
        let theirs = match wasi.send_over_wasi(over_wasi(method, &url, &[], body(b""))).await {
            Ok(_) => Answered,
            Err(Refusal::Denied | Refusal::Address) => Denied,
            Err(Refusal::Invalid(_)) => Invalid,
            Err(other) => panic!("{grant} on {method} {url}: {other:?}"),
        };
        assert_eq!((&own, &theirs), (expected, expected), "{grant} on {method} {url}");
        let (own, theirs) = (direct.finish(), wasi.finish());
        assert_eq!(own.denials, theirs.denials, "{grant} on {method} {url}");
        assert_eq!((own.host_calls, own.bytes_in), (theirs.host_calls, theirs.bytes_in), "{grant} on {method} {url}");
    }
}

#[tokio::test]
async fn a_body_goes_out_and_both_ways_are_counted() {
    let mut server = Server::answering(&[OK]).await;
    let mut lent = lent(&[server.address]);
    let headers = [("x-check", "yes"), ("content-length", "7")];
    let request = over_wasi("POST", &server.url("/in"), &headers, body(b"{\"a\":1}"));
    let response = lent.send_over_wasi(request).await.expect("an answer");
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, &b"ok"[..]));
    let heard = server.heard().await;
    assert!(heard.contains("x-check: yes\r\n") && heard.ends_with("\r\n\r\n{\"a\":1}"), "{heard}");
    assert_eq!(heard.matches("content-length").count(), 1, "{heard}");
    let usage = lent.finish();
    assert!(usage.host_calls == 1 && usage.bytes_out > 7 && usage.bytes_in > 2, "{usage:?}");
}

#[tokio::test]
async fn a_redirect_is_answered_and_not_followed() {
    let server = Server::answering(&["HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n"]).await;
    let response = get_over_wasi(&mut lent(&[server.address]), &server.url("/a")).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 302);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_an_error_and_no_part_of_it() {
    let large = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "a".repeat((1 << 20) + 1));
    let server = Server::answering(&[&large]).await;
    let refused = get_over_wasi(&mut lent(&[server.address]), &server.url("/")).await.expect_err("too large");
    assert_eq!(refused, Refusal::ResponseTooLarge(1 << 20));
}

#[tokio::test]
async fn exchanges_at_once_share_what_the_run_may_receive() {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n{}", "a".repeat(600));
    let server = Server::answering(&[&answer, &answer]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let grants = [format!("* http://{}/*", server.address)];
    let mut lent = lent_with(&services, &grants, &Limits { bytes_in: 1000, ..Limits::default() });
    let first = lent.send_over_wasi(over_wasi("GET", &server.url("/"), &[], body(b"")));
    let second = lent.send_over_wasi(over_wasi("GET", &server.url("/"), &[], body(b"")));
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_err() || second.is_err());
    assert_eq!(lent.exceeded(), Some((Quota::BytesIn, 1000)));
}

#[tokio::test]
async fn an_exchange_under_way_and_a_call_beside_it_share_it_too() {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 600\r\n\r\n{}", "a".repeat(600));
    let server = Server::answering(&[&answer, &answer]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let grants = [format!("* http://{}/*", server.address)];
    let mut lent = lent_with(&services, &grants, &Limits { bytes_in: 1000, ..Limits::default() });
    let over_wasi = lent.send_over_wasi(over_wasi("GET", &server.url("/"), &[], body(b"")));
    let (over_wasi, own) = tokio::join!(over_wasi, send(&mut lent, get(server.url("/")), options()));
    assert!(over_wasi.is_err() || own.is_err());
    assert_eq!(lent.exceeded(), Some((Quota::BytesIn, 1000)));
}

#[tokio::test]
async fn a_denial_is_told_with_the_line_to_add() {
    let mut lent = lent(&[]);
    assert_eq!(lent.denied_aside(), None);
    let refused = get_over_wasi(&mut lent, "http://127.0.0.1:1/health").await.expect_err("not granted");
    assert_eq!(refused, Refusal::Denied);
    let told = lent.denied_aside().expect("a denial");
    assert!(told.ends_with("hint: http = [\"GET http://127.0.0.1:1/health\"]"), "{told}");
    assert_eq!(lent.finish().denials, [(Capability::Http, DenialReason::NotGranted)]);
}

#[tokio::test]
async fn a_server_or_a_guest_that_never_ends_is_cut_off_at_the_deadline() {
    let (listener, address) = listen().await;
    let mut lent = lent(&[address]);
    lent.scope.deadline = Instant::now() + Duration::from_millis(50);
    let url = format!("http://{address}/");
    assert_eq!(get_over_wasi(&mut lent, &url).await.expect_err("no answer"), Refusal::Timeout);
    let never: Body = Box::pin(std::future::pending());
    let request = over_wasi("POST", &url, &[], never);
    assert_eq!(lent.send_over_wasi(request).await.expect_err("no body"), Refusal::Timeout);
    drop(listener);
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_not_sent() {
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let mut lent = lent_with(&services, &[], &Limits { host_calls: 0, ..Limits::default() });
    let refused = get_over_wasi(&mut lent, "http://127.0.0.1:1/").await.expect_err("no calls");
    assert!(matches!(&refused, Refusal::Invalid(why) if why.contains("host_calls")), "{refused:?}");
    assert_eq!(lent.exceeded(), Some((Quota::HostCalls, 0)));
}

#[test]
fn headers_of_the_connection_and_the_framing_are_forbidden() {
    for name in ["host", "connection", "transfer-encoding", "te", "trailer", "expect", "keep-alive", "proxy-connection", "upgrade"] {
        assert!(Lent::forbids_header(&name.parse().expect("a name")), "{name}");
    }
    for name in ["content-length", "content-type", "authorization", "x-check"] {
        assert!(!Lent::forbids_header(&name.parse().expect("a name")), "{name}");
    }
}
