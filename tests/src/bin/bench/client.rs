//! A client over one connection of HTTP/1.1.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// One connection; closed when dropped.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
    host: String,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            // Its error is the error of the request that is under way.
            let _ = connection.await;
        });
        Ok(Client { sender, connection, host: address.to_string() })
    }

    /// Status and whole body.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<(u16, Bytes)> {
        let request = Request::get(path).header("host", &self.host).body(Full::default())?;
        self.ask(request).await.with_context(|| format!("GET {path}"))
    }

    /// The same for JSON that is posted.
    pub(crate) async fn post(&mut self, path: &str, json: Bytes) -> anyhow::Result<(u16, Bytes)> {
        let request = Request::post(path).header("host", &self.host).header("content-type", "application/json").body(Full::new(json))?;
        self.ask(request).await.with_context(|| format!("POST {path}"))
    }

    async fn ask(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<(u16, Bytes)> {
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.context("the body of the answer")?;
        Ok((status, body.to_bytes()))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Status and whole body over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, Bytes)> {
    Client::connect(address).await?.get(path).await
}

/// The body of an answer that must be 200.
pub(crate) async fn get_ok(address: SocketAddr, path: &str) -> anyhow::Result<Bytes> {
    let (status, body) = get(address, path).await?;
    ensure!(status == 200, "GET {path} answered {status}: {}", String::from_utf8_lossy(&body[..body.len().min(300)]));
    Ok(body)
}
