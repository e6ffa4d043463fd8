//! TLS of the listener: the handshake, and a word for those who speak plain HTTP to it.
//!
//! Limits: [`HANDSHAKE_TIME_MAX`] for the handshake. The bounds on a connection hold below TLS and above it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::problem::{CONTENT_TYPE, Problem, ProblemKind};
use super::stall::StallGuard;

pub const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);
/// What TLS begins with; no method of HTTP does.
const HANDSHAKE_RECORD: u8 = 22;
/// Of a plain request, read before it is answered: what is unread at the end would cut the answer.
const PLAIN_BYTES_MAX: usize = 8 * 1024;

/// The session of one connection.
pub(crate) async fn accept(stream: StallGuard<TcpStream>, config: Arc<ServerConfig>) -> io::Result<TlsStream<StallGuard<TcpStream>>> {
    let deadline = tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake(stream, config));
    deadline.await.map_err(|_elapsed| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake in time"))?
}

async fn handshake(mut stream: StallGuard<TcpStream>, config: Arc<ServerConfig>) -> io::Result<TlsStream<StallGuard<TcpStream>>> {
    let mut first = [0];
    if stream.get_ref().peek(&mut first).await? == 1 && first != [HANDSHAKE_RECORD] {
        answer_plain(&mut stream).await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak TLS"));
    }
    TlsAcceptor::from(config).accept(stream).await
}

async fn answer_plain(stream: &mut StallGuard<TcpStream>) -> io::Result<()> {
    let mut request = vec![0; PLAIN_BYTES_MAX];
    if stream.read(&mut request).await? == 0 {
        return Ok(());
    }
    let problem = Problem::new(ProblemKind::TlsRequired, "the request is in the clear").hint("write https:// in the address");
    // A struct of strings and a number always serialises.
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head =
        format!("HTTP/1.1 400 Bad Request\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    stream.shutdown().await
}
