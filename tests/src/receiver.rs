//! A receiver of notifications over HTTP: it keeps every request, and answers as the test's script says.
//!
//! Each request takes the next [`Reply`] of the script; where there is none left, or none at all, it is taken with 200. A connection serves
//! one request, unless connections are held: then nothing is read from them. It listens as long as the test runs.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::wait::found;

/// What becomes of a request. In each case the receiver has it.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer without a body.
    Status(u16),
    /// 200.
    Json(Value),
    /// 200, as soon as the test says so.
    When(Arc<Notify>),
    /// 429, and when to come again.
    Busy { retry_after_seconds: u32 },
    /// No answer before the client goes away.
    Silence,
    /// The connection is reset, and the client cannot know what became of its request.
    Reset,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// With its query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// Empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// # Panics
    /// Where the body is something else.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in a request to {}: {}", self.path, self.text()))
    }
}

/// One receiver.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    script: VecDeque<Reply>,
    received: Vec<Received>,
    /// Connections that nothing is read from, while there are to be any.
    held: Option<Vec<TcpStream>>,
}

impl Receiver {
    /// On a free port of 127.0.0.1.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn start(script: impl IntoIterator<Item = Reply>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let receiver = Receiver { address: listener.local_addr().expect("an address"), log: Arc::default() };
        receiver.script(script);
        let log = Arc::clone(&receiver.log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(stream) = log.admit(stream) {
                    tokio::spawn(serve(stream, Arc::clone(&log)));
                }
            }
        });
        receiver
    }

    /// What becomes of the next requests, behind those that are scripted already.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.log.entries().script.extend(replies);
    }

    /// From now on connections are taken, and nothing is read from them.
    pub fn hold(&self) {
        self.log.entries().held.get_or_insert_default();
    }

    /// How many connections are held.
    pub fn held(&self) -> usize {
        self.log.entries().held.as_ref().map_or(0, Vec::len)
    }

    /// Closes those that are held, and reads from all that come.
    pub fn release(&self) {
        self.log.entries().held = None;
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `path` begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All requests so far, in the order in which they came.
    pub fn received(&self) -> Vec<Received> {
        self.log.entries().received.clone()
    }

    /// Waits until so many requests have come, and gives all of them.
    ///
    /// # Panics
    /// Where they do not come.
    pub async fn has(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} requests at the receiver");
        found(&what, async || Some(self.received()).filter(|received| received.len() >= count)).await
    }
}

impl Log {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection, where it is to be served.
    fn admit(&self, stream: TcpStream) -> Option<TcpStream> {
        match &mut self.entries().held {
            Some(held) => {
                held.push(stream);
                None
            }
            None => Some(stream),
        }
    }

    async fn take(&self, request: Request<Incoming>) -> io::Result<Response<Full<Bytes>>> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let received = Received { method: head.method.to_string(), path: head.uri.to_string(), headers: head.headers, body };
        match self.keep(received) {
            Reply::Status(status) => Ok(answer(status, None, String::new())),
            Reply::Json(value) => Ok(answer(200, Some(("content-type", "application/json".to_owned())), value.to_string())),
            Reply::When(told) => {
                told.notified().await;
                Ok(answer(200, None, String::new()))
            }
            Reply::Busy { retry_after_seconds } => Ok(answer(429, Some(("retry-after", retry_after_seconds.to_string())), String::new())),
            Reply::Silence => pending().await,
            Reply::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    fn keep(&self, received: Received) -> Reply {
        let mut entries = self.entries();
        entries.received.push(received);
        entries.script.pop_front().unwrap_or(Reply::Status(200))
    }
}

fn answer(status: u16, header: Option<(&str, String)>, body: String) -> Response<Full<Bytes>> {
    let mut answer = Response::builder().status(status);
    if let Some((name, value)) = header {
        answer = answer.header(name, value);
    }
    answer.body(Full::new(Bytes::from(body))).expect("a valid answer")
}

async fn serve(stream: TcpStream, log: Arc<Log>) {
    let service = service_fn(move |request| {
        let log = Arc::clone(&log);
        Box::pin(async move { log.take(request).await })
    });
    let mut connection = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
    if poll_fn(|context| connection.poll_without_shutdown(context)).await.is_err() {
        // A socket that is closed without lingering is reset. Where the client went first that changes nothing.
        let _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{Client, until};

    const POST: &[u8] = b"POST /a?b HTTP/1.1\r\nhost: x\r\nwebhook-id: k-1\r\ncontent-length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn requests_are_kept_and_answered_in_the_order_of_the_script() {
        let receiver = Receiver::start([Reply::Status(500), Reply::Busy { retry_after_seconds: 7 }]).await;
        let client = Client { address: receiver.address() };
        assert_eq!(client.send(client.request("GET", "/one")).await.status, 500);
        let busy = client.send(client.request("GET", "/two")).await;
        assert_eq!((busy.status, busy.header("retry-after")), (429, "7"));
        assert_eq!(client.send(client.request("GET", "/three")).await.status, 200);
        receiver.script([Reply::Json(serde_json::json!({ "id": 1 }))]);
        assert_eq!(client.send(client.request("GET", "/four")).await.json()["id"], 1);
        let paths: Vec<String> = receiver.has(4).await.into_iter().map(|received| received.path).collect();
        assert_eq!(paths, ["/one", "/two", "/three", "/four"]);
    }

    #[tokio::test]
    async fn what_is_held_is_not_read_and_an_answer_waits_until_it_is_told_to_go() {
        let told = Arc::new(Notify::new());
        let receiver = Receiver::start([Reply::When(Arc::clone(&told))]).await;
        receiver.hold();
        let mut stream = TcpStream::connect(receiver.address()).await.expect("it listens");
        stream.write_all(POST).await.expect("it is sent");
        until("it is held", async || receiver.held() == 1).await;
        assert!(receiver.received().is_empty());
        receiver.release();
        assert!(matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)), "it was closed");

        let mut stream = TcpStream::connect(receiver.address()).await.expect("it listens");
        stream.write_all(POST).await.expect("it is sent");
        receiver.has(1).await;
        assert_eq!(stream.try_read(&mut [0; 64]).expect_err("nothing to read yet").kind(), io::ErrorKind::WouldBlock);
        told.notify_one();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
    }

    #[tokio::test]
    async fn a_reset_and_a_silence_leave_the_request_with_the_receiver_and_the_client_without_an_answer() {
        let receiver = Receiver::start([Reply::Reset, Reply::Silence]).await;
        let mut stream = TcpStream::connect(receiver.address()).await.expect("it listens");
        stream.write_all(POST).await.expect("it is sent");
        let error = stream.read(&mut [0; 64]).await.expect_err("no answer");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        let mut stream = TcpStream::connect(receiver.address()).await.expect("it listens");
        stream.write_all(POST).await.expect("it is sent");
        let received = receiver.has(2).await;
        assert_eq!((received[1].method.as_str(), received[1].path.as_str(), received[1].header("webhook-id")), ("POST", "/a?b", "k-1"));
        assert_eq!(received[1].json(), serde_json::json!({}));
        let error = stream.try_read(&mut [0; 64]).expect_err("nothing to read yet");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
