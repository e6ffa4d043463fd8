//! HTTP to what is dialled in place of the URL's host: a port, a UNIX socket. URL and place have a grant each, and a denial names the line.

use serde_json::{Value, json};
use sickbay_tests::Sickbay;
use sickbay_tests::ask::{asking, assert_begins, outcomes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

const URL: &str = "http://api.example/health";

/// Tells for whom the request was, and who answers.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, name: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request);
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let head = format!("HTTP/1.1 200 OK\r\nx-echo: {host}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", name.len());
    stream.write_all((head + name).as_bytes()).await?;
    stream.shutdown().await
}

/// Gives host and port.
async fn on_a_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that has gone is not this server's matter.
            let _ = answer(stream, "over a port").await;
        }
    });
    address
}

fn on_a_socket(path: &str) {
    let listener = UnixListener::bind(path).expect("a socket");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // As above.
            let _ = answer(stream, "over a socket").await;
        }
    });
}

#[tokio::test]
async fn what_is_dialled_in_place_of_the_host_has_a_grant_of_its_own() {
    let port = on_a_port().await;
    let mut sickbay = Sickbay::prepared("", &["ask"]);
    let folder = sickbay.folder().canonicalize().expect("a folder");
    let socket = format!("{}/service.sock", folder.display());
    on_a_socket(&socket);
    let http = format!("http = [\"GET {URL}\"]");
    let line = |net: &str| format!("net = [\"{net}\"]");
    let (tcp, unix) = (line(&format!("tcp://{port}")), line(&format!("unix://{socket}")));
    let call = |place: &str| -> Value { json!({ "http": { "url": URL, "header": "x", "connect_to": place } }) };
    let by_socket = format!("unix:{socket}");
    let metadata = "169.254.169.254:80";
    let rows = [
        ("port", format!("{http}, {tcp}"), call(&port), "ok 200: api.example | over a port".to_owned()),
        ("socket", format!("{http}, {unix}"), call(&by_socket), "ok 200: api.example | over a socket".to_owned()),
        ("port-denied", http.clone(), call(&port), format!("denied: TCP to {port} is not granted; {tcp}")),
        ("socket-denied", format!("{http}, {tcp}"), call(&by_socket), format!("denied: the UNIX socket `{socket}` is not granted; {unix}")),
        ("url-denied", tcp.clone(), call(&port), format!("denied: `GET` to api.example:80 is not granted; {http}")),
        (
            "metadata",
            format!("{http}, {}", line(&format!("tcp://{metadata}"))),
            call(metadata),
            "denied: `169.254.169.254` is or leads to an address that is never lent".to_owned(),
        ),
    ];
    let checks: String = rows.iter().map(|(name, grants, call, _)| asking(name, grants, std::slice::from_ref(call))).collect();
    sickbay.configure(&checks);
    sickbay.start().await;
    for (name, _, _, expected) in &rows {
        let outcomes = outcomes(&sickbay, name).await;
        assert_begins(name, &outcomes[0], expected);
    }
    let metrics = sickbay.metrics().await;
    let denied = |capability: &str, reason: &str| {
        metrics.sum("sickbay_egress_denied_total", &[("plugin", "ask"), ("capability", capability), ("reason", reason)])
    };
    assert_eq!((denied("net", "not_granted"), denied("http", "not_granted"), denied("net", "forbidden_address")), (2.0, 1.0, 1.0));
}
