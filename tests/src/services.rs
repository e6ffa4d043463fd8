//! Servers that a check looks at. For certificates and whole web servers the tests start real ones; these only answer, or do not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers 200 and 503 by turns; gives its URL, with a `/` at the end. It serves as long as the test runs.
pub async fn alternating() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url_of(&listener);
    tokio::spawn(async move {
        for turn in 0_u64.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let status = if turn % 2 == 0 { "200 OK" } else { "503 Service Unavailable" };
            // A client that has gone is not this server's matter.
            let _ = answer(stream, status).await;
        }
    });
    url
}

/// A server that takes connections and never says a word; gives its URL, with a `/` at the end.
pub async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = url_of(&listener);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    url
}

fn url_of(listener: &TcpListener) -> String {
    format!("http://{}/", listener.local_addr().expect("an address"))
}

async fn answer(mut stream: TcpStream, status: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    stream.shutdown().await
}
