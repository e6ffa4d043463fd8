//! `/api/v1/events`, read as a browser would.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::Client;
use crate::wait::PATIENCE;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: u64,
    /// `result` or `gap`.
    pub name: String,
    pub data: Value,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    body: Incoming,
    unread: Vec<u8>,
    connection: JoinHandle<()>,
}

impl EventStream {
    /// Opens a stream behind the event `after`, or at now.
    pub async fn open(client: Client, after: Option<u64>) -> EventStream {
        let stream = TcpStream::connect(client.address).await.expect("the server takes connections");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("the server speaks HTTP");
        let connection = tokio::spawn(async move {
            // It ends with an error when the server is killed: the body tells.
            let _ = connection.await;
        });
        let mut request = client.request("GET", "/api/v1/events");
        if let Some(after) = after {
            request.headers_mut().insert("last-event-id", after.into());
        }
        let response = sender.send_request(request).await.expect("the stream is answered");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        EventStream { body: response.into_body(), unread: Vec::new(), connection }
    }

    /// The next event; None when the stream has ended.
    ///
    /// # Panics
    /// When nothing comes in time.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.buffered() {
                return Some(event);
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await;
            match frame.unwrap_or_else(|_| panic!("no event in {} s", PATIENCE.as_secs())) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.unread.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next event that is here already; blocks without one (`retry`, comments) are passed over.
    fn buffered(&mut self) -> Option<Event> {
        loop {
            let end = self.unread.windows(2).position(|pair| pair == b"\n\n")?;
            let block: Vec<u8> = self.unread.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("events are UTF-8");
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            if let Some(data) = field("data") {
                return Some(Event {
                    id: field("id").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("an event without a number: {block}")),
                    name: field("event").unwrap_or_default().to_owned(),
                    data: serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in the event {block}")),
                });
            }
        }
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
