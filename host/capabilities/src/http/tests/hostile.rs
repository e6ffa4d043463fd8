//! Servers that hang, drip, flood and lie.

use super::*;

fn within(timeout_ms: u32) -> Options {
    Options { timeout_ms: Some(timeout_ms), ..options() }
}

/// A server that begins an answer and then writes the same bytes again for as long as someone reads.
async fn repeating(begin: &'static str, bytes: Vec<u8>, pause: Duration) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let (listener, address) = listen().await;
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        read_request(&mut stream).await;
        let _ = stream.write_all(begin.as_bytes()).await;
        while stream.write_all(&bytes).await.is_ok() {
            if pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(pause).await;
            }
        }
    });
    (address, task)
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout_that_names_the_phase() {
    let (_listener, address) = listen().await;
    let outcome = send(&mut lent(&[address]), get(format!("http://{address}/")), within(300)).await;
    let Err(HttpError::Timeout(message)) = outcome else { panic!("{outcome:?}") };
    let expected = format!("no answer from {address} within 300 ms (first byte); hint: the connection stands; is the service overloaded?");
    assert_eq!(message, expected);
}

#[tokio::test]
async fn the_runs_own_deadline_ends_an_exchange_too() {
    let (_listener, address) = listen().await;
    let mut lent = lent(&[address]);
    lent.scope.deadline = Instant::now() + Duration::from_millis(300);
    let outcome = send(&mut lent, get(format!("http://{address}/")), within(60_000)).await;
    assert!(matches!(&outcome, Err(HttpError::Timeout(message)) if message.contains("(first byte)")), "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_drips_its_body_is_a_timeout_in_the_body() {
    let begin = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    let (address, _task) = repeating(begin, b"x".to_vec(), Duration::from_millis(5)).await;
    let outcome = send(&mut lent(&[address]), get(format!("http://{address}/")), within(300)).await;
    let expected = format!("the answer from {address} was not whole within 300 ms (body)");
    assert!(matches!(&outcome, Err(HttpError::Timeout(message)) if *message == expected), "{outcome:?}");
}

#[tokio::test]
async fn an_endless_body_is_cut_and_the_connection_closed() {
    for begin in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"] {
        let (address, task) = repeating(begin, vec![b'x'; 64 << 10], Duration::ZERO).await;
        let mut lent = lent(&[address]);
        let options = Options { body_bytes_max: Some(1000), ..options() };
        let response = send(&mut lent, get(format!("http://{address}/")), options).await.expect("an answer");
        assert_eq!((response.body.len(), response.truncated), (1000, true), "{begin}");
        task.await.expect("the server can write no more");
        assert!(lent.finish().bytes_in < 2000, "what was not given to the guest is not counted");
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_bound_is_whole() {
    let server = Server::answering(&["HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"; 2]).await;
    for (body_bytes_max, body, truncated) in [(4, &b"body"[..], false), (3, &b"bod"[..], true)] {
        let options = Options { body_bytes_max: Some(body_bytes_max), ..options() };
        let response = send(&mut lent(&[server.address]), get(server.url("/")), options).await.expect("an answer");
        assert_eq!((&response.body[..], response.truncated), (body, truncated));
    }
}

#[tokio::test]
async fn endless_headers_end_the_exchange() {
    for line in ["x: y\r\n".to_owned(), format!("x: {}\r\n", "y".repeat(4000)), "y".repeat(4000)] {
        let (address, task) = repeating("HTTP/1.1 200 OK\r\n", line.clone().into_bytes(), Duration::ZERO).await;
        let outcome = send(&mut lent(&[address]), get(format!("http://{address}/")), options()).await;
        assert!(matches!(&outcome, Err(HttpError::Protocol(_))), "{outcome:?}");
        task.await.expect("the server can write no more");
    }
}

#[tokio::test]
async fn informational_answers_without_end_end_the_exchange() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    for bytes in [early.repeat(100), early.to_owned()] {
        let (address, task) = repeating("", bytes.into_bytes(), Duration::ZERO).await;
        let outcome = send(&mut lent(&[address]), get(format!("http://{address}/")), options()).await;
        let Err(HttpError::Protocol(message)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(message, "the server sent 262144 bytes of informational answers and no answer");
        task.await.expect("the server can write no more");
    }
}

#[tokio::test]
async fn many_informational_answers_and_a_large_head_are_no_flood() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(1000);
    let answer = format!("{early}HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 500000\r\n\r\n{}", "y".repeat(50_000), "z".repeat(500_000));
    let server = Server::answering(&[&answer]).await;
    let options = Options { body_bytes_max: Some(1 << 20), ..options() };
    let response = send(&mut lent(&[server.address]), get(server.url("/")), options).await.expect("an answer");
    assert_eq!((response.status, response.body.len()), (200, 500_000));
}

#[tokio::test]
async fn a_body_is_not_read_beyond_what_the_run_may_receive() {
    let (address, task) = repeating("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 64 << 10], Duration::ZERO).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let limits = Limits { bytes_in: 100 << 10, ..Limits::default() };
    let mut lent = lent_with(&services, &[format!("* http://{address}/*")], &limits);
    let options = Options { body_bytes_max: Some(1 << 20), ..options() };
    let outcome = send(&mut lent, get(format!("http://{address}/")), options).await;
    let Err(HttpError::Quota(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("`bytes_in` = 102400"), "{message}");
    task.await.expect("the server can write no more");
    assert_eq!(lent.exceeded().map(|(quota, _)| quota), Some(Quota::BytesIn));
    // What was read at once when the limit was passed is counted.
    assert!(lent.finish().bytes_in < 512 << 10, "most of the megabyte that was asked for was not read");
}

#[tokio::test]
async fn requests_at_once_share_what_the_run_may_receive() {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n{}", "x".repeat(60_000));
    let server = Server::answering(&[&answer, &answer]).await;
    let services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    let limits = Limits { bytes_in: 100_000, ..Limits::default() };
    let mut lent = lent_with(&services, &[format!("* http://{}/*", server.address)], &limits);
    let requests = vec![get(server.url("/1")), get(server.url("/2"))];
    let answers = Host::send_many(&mut lent, requests, options()).await.expect("no trap");
    assert!(answers.iter().any(|answer| matches!(answer, Err(HttpError::Quota(_)))), "{answers:?}");
    assert_eq!(lent.exceeded().map(|(quota, _)| quota), Some(Quota::BytesIn));
}

#[tokio::test]
async fn a_compressed_body_stays_as_it_came() {
    // Unpacking it would fail or give other bytes.
    let body = "\u{1f}no gzip stream";
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let server = Server::answering(&[&answer]).await;
    let response = send(&mut lent(&[server.address]), get(server.url("/")), options()).await.expect("an answer");
    assert_eq!(response.body, body.as_bytes());
}

#[tokio::test]
async fn an_answer_that_is_not_http_or_ends_early_is_a_protocol_error() {
    for answer in [
        "",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
    ] {
        let server = Server::answering(&[answer]).await;
        let outcome = send(&mut lent(&[server.address]), get(server.url("/")), options()).await;
        assert!(matches!(outcome, Err(HttpError::Protocol(_))), "{answer:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn chunks_are_put_together() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n2;x=y\r\n!!\r\n0\r\nx-trailer: 1\r\n\r\n";
    let server = Server::answering(&[answer]).await;
    let response = send(&mut lent(&[server.address]), get(server.url("/")), options()).await.expect("an answer");
    assert_eq!((response.body.as_slice(), response.truncated), (&b"body!!"[..], false));
}

#[tokio::test]
async fn informational_answers_are_not_the_answer() {
    let answer = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
    let server = Server::answering(&[answer]).await;
    let response = send(&mut lent(&[server.address]), get(server.url("/")), options()).await.expect("an answer");
    assert_eq!(response.status, 204);
}
