//! A plain client of the API: one connection for each request, so that no request waits for another.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than the server lets any of these requests take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// An answer that is longer was not meant.
const RAW_ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Enough for the connections of all tests at once.
const OPEN_FILES: u64 = 8192;

/// Asks one server.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub address: SocketAddr,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("an answer is UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in an answer with status {}: {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Client {
    /// A request as an honest client of this machine makes it.
    pub fn request(&self, method: &str, path: &str) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        request.body(Full::default()).expect("a valid request")
    }

    /// # Panics
    /// When no whole answer comes.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let what = format!("{} {}", request.method(), request.uri());
        match tokio::time::timeout(ANSWER_TIME_MAX, self.exchange(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => panic!("{what}: {error:#}"),
            Err(_elapsed) => panic!("{what}: no answer in {} s", ANSWER_TIME_MAX.as_secs()),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub async fn post(&self, path: &str) -> Answer {
        self.send(self.request("POST", path)).await
    }

    /// The same with a body.
    pub async fn post_body(&self, path: &str, body: &str) -> Answer {
        let (parts, _) = self.request("POST", path).into_parts();
        self.send(Request::from_parts(parts, Full::new(Bytes::copy_from_slice(body.as_bytes())))).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    /// None where nobody answers.
    pub async fn try_get(&self, path: &str) -> Option<Answer> {
        tokio::time::timeout(ANSWER_TIME_MAX, self.exchange(self.request("GET", path))).await.ok()?.ok()
    }

    /// The JSON of an answer that must be 200.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Runs a check now; gives what was recorded.
    pub async fn run_now(&self, check: &str) -> Value {
        let answer = self.post(&format!("/api/v1/checks/{check}/run")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// All items of a list, part by part of at most `limit`; `cursor` is the name of the parameter that takes `next`. `path` may have
    /// parameters.
    pub async fn list(&self, path: &str, cursor: &str, limit: u32) -> Vec<Value> {
        let mut items = Vec::new();
        let mut next = String::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        loop {
            let mut part = self.json(&format!("{path}{separator}limit={limit}{next}")).await;
            let Value::Array(more) = part["items"].take() else { panic!("{path} is not a list") };
            assert!(more.len() <= limit as usize, "{path} gave {} items, {limit} were asked for", more.len());
            items.extend(more);
            match part["next"].as_str() {
                Some(text) => next = format!("&{cursor}={text}"),
                None => return items,
            }
        }
    }

    /// Sends bytes as they are and reads until the server ends the connection.
    ///
    /// # Panics
    /// When the server does not end it in time.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the server takes connections");
        // It may answer and go before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let mut stream = stream.take(RAW_ANSWER_BYTES_MAX);
        // A connection that is reset has ended too, and what came before counts.
        let ended = tokio::time::timeout(ANSWER_TIME_MAX, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "the server did not end the connection in {} s", ANSWER_TIME_MAX.as_secs());
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Opens connections that say so much and nothing more, as long as the answer is held.
    ///
    /// # Panics
    /// When the server does not take them.
    pub async fn dawdle(&self, connections: usize, bytes: &[u8]) -> Vec<TcpStream> {
        raise_open_files();
        let mut dawdling = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut stream = TcpStream::connect(self.address).await.expect("the server takes connections");
            // It may be closed already.
            let _ = stream.write_all(bytes).await;
            dawdling.push(stream);
        }
        dawdling
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
        let stream = TcpStream::connect(self.address).await.context("connecting")?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("beginning")?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.context("sending")?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("reading the body")?.to_bytes();
        connection.abort();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// As far as this process may.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).expect("more open files, within what is allowed");
    }
}
