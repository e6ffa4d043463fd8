//! What checks reach by capability, in the whole program against real servers: Redis, PostgreSQL as the store, TCP, and secrets.

use std::fs;
use std::sync::{Arc, Mutex};

use crate::support_http::certificates::{Authority, leaf};
use sickbay_tests::postgres::Postgres;
use sickbay_tests::redis::RedisServer;
use sickbay_tests::{Sickbay, check, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "s3cr3t-of-the-test-0123456789";

fn redis_check(kind: &str, more: &str, commands: &str) -> String {
    let more = format!(
        "kind = \"{kind}\"\nfailures = 1\nconfig = {{ source = \"cache\"{more} }}\n\
         grants = {{ redis = [{{ source = \"cache\", commands = [{commands}], keys = [\"celery*\"] }}] }}"
    );
    check(kind, "redis", "200ms", &more)
}

#[tokio::test]
async fn a_redis_that_goes_away_is_critical_and_ok_when_it_is_back() {
    let mut server = RedisServer::start("");
    let source = format!("[sources.redis.cache]\nurl = \"{}\"\n\n", server.url());
    let sickbay = Sickbay::started(&(source + &redis_check("memory", "", "\"INFO\"")), &["redis"]).await;
    until("it is ok", async || sickbay.check("memory").await["status"] == "ok").await;
    server.stop();
    until("it is critical", async || sickbay.check("memory").await["hard_status"] == "critical").await;
    server.restart();
    until("it is ok again", async || sickbay.check("memory").await["hard_status"] == "ok").await;
}

#[tokio::test]
async fn a_redis_in_tls_is_trusted_by_the_ca_that_its_source_names() {
    let authority = Authority::new("the authority");
    let pem = authority.sign(&leaf("127.0.0.1"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (ca, certificate, key) = (file("ca.pem", &authority.pem()), file("server.pem", &pem.certificate), file("server.key", &pem.key));
    let server = RedisServer::start(&format!(
        "port 0\ntls-port {{port}}\ntls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {ca}\ntls-auth-clients no"
    ));
    let with = |scheme: &str, more: &str| {
        let source = format!("[sources.redis.cache]\nurl = \"{scheme}://127.0.0.1:{}\"\n{more}\n\n", server.port());
        source + &redis_check("memory", "", "\"INFO\"")
    };
    let sickbay = Sickbay::started(&with("rediss", &format!("ca_file = \"{ca}\"")), &["redis"]).await;
    until("it is ok", async || sickbay.check("memory").await["status"] == "ok").await;
    for (scheme, fix) in [("rediss", "hint: name its CA with `ca_file`"), ("redis", "hint: it may want TLS (`rediss://`)")] {
        sickbay.configure(&with(scheme, ""));
        until(fix, async || {
            let run = sickbay.run_now("memory").await;
            run["status"] == "critical" && run["failure"] == "connection" && run.to_string().contains(fix)
        })
        .await;
    }
}

#[tokio::test]
async fn a_queue_is_counted_and_a_command_that_is_not_granted_is_unknown_with_the_line_to_add() {
    let server = RedisServer::start("");
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).await.expect("a connection");
    connection.write_all(b"RPUSH celery a b c\r\n").await.expect("it is sent");
    let mut reply = [0; 4];
    connection.read_exact(&mut reply).await.expect("a reply");
    assert_eq!(&reply, b":3\r\n");
    let source = format!("[sources.redis.cache]\nurl = \"{}\"\n\n", server.url());
    let checks = source + &redis_check("queue-depth", ", key = \"celery\"", "\"TYPE\", \"LLEN\"") + &redis_check("clients", "", "\"PING\"");
    let sickbay = Sickbay::started(&checks, &["redis"]).await;
    let depth = sickbay.run_now("queue-depth").await;
    assert_eq!(depth["status"], "ok", "{depth}");
    assert!(depth["metrics"].as_array().is_some_and(|metrics| metrics.iter().any(|metric| metric["value"] == 3.0)), "{depth}");
    let clients = sickbay.run_now("clients").await;
    assert_eq!((clients["status"].as_str(), clients["reason"].as_str()), (Some("unknown"), Some("PluginFailure")), "{clients}");
    assert!(clients.to_string().contains("INFO"), "{clients}");
}

#[tokio::test]
async fn results_are_kept_in_postgresql_across_a_restart() {
    let server = Postgres::start();
    let store = format!("[store]\nurl = \"{}\"\n\n", server.url());
    let mut sickbay = Sickbay::started(&(store + &check("noop", "noop", "200ms", "")), &["noop"]).await;
    until("it ran", async || sickbay.results("noop").await.len() >= 3).await;
    assert_eq!(sickbay.stop().await, 0);
    let stored: usize = server.sql("SELECT count(*) FROM sickbay.results").parse().expect("a number");
    assert!(stored >= 3);
    sickbay.start().await;
    until("it goes on", async || sickbay.results("noop").await.len() > stored).await;
    assert!(!sickbay.log().contains(&server.url()), "the URL has a password");
}

/// A server that keeps what it was sent and gives it back as its body.
async fn echo(seen: Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|bytes| bytes > 0) {}
            let text = String::from_utf8_lossy(&request).into_owned();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len());
            seen.lock().expect("no panic").push_str(&text);
            // A client that has gone is not this server's matter.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn a_secret_reaches_the_server_that_it_is_for_and_nothing_else() {
    let (seen, elsewhere) = (Arc::<Mutex<String>>::default(), Arc::<Mutex<String>>::default());
    let (url, other) = (echo(Arc::clone(&seen)).await, echo(Arc::clone(&elsewhere)).await);
    let with = |name: &str, target: &str| {
        let more = format!(
            "kind = \"http\"\nconfig = {{ url = \"{target}\", headers = {{ authorization = \"Bearer {{{{secret:api}}}}\" }}, body_contains = \"nowhere\" }}\n\
             grants = {{ http = [\"GET {target}\"], secrets = [{{ name = \"api\", to = [\"{url}*\"] }}] }}"
        );
        check(name, "http", "24h", &more)
    };
    let mut sickbay = Sickbay::prepared(
        &("[secrets.api]\nfile = \"api.token\"\n\n".to_owned() + &with("right", &url) + &with("wrong", &other)),
        &["http"],
    );
    sickbay.write("api.token", format!("{SECRET}\n"));
    sickbay.start().await;

    let right = sickbay.run_now("right").await;
    assert_eq!(right["status"], "critical", "the body is judged: {right}");
    assert!(seen.lock().expect("no panic").contains(&format!("Bearer {SECRET}")));

    let wrong = sickbay.run_now("wrong").await;
    assert_eq!(wrong["status"], "unknown", "{wrong}");
    assert!(wrong.to_string().contains("secrets = "), "the line to add: {wrong}");
    assert!(elsewhere.lock().expect("no panic").is_empty(), "nothing was sent");

    for text in [right.to_string(), wrong.to_string(), sickbay.log(), sickbay.get("/metrics").await.text()] {
        assert!(!text.contains(SECRET));
    }
    fs::remove_file(sickbay.path("api.token")).expect("it is removed");
    until("the secret is missed", async || {
        let run = sickbay.run_now("right").await;
        run["status"] == "unknown" && run.to_string().contains("api.token")
    })
    .await;
}

#[tokio::test]
async fn an_open_port_is_ok_and_a_closed_one_critical() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let more = format!("kind = \"tcp\"\nfailures = 1\nconfig = {{ address = \"{address}\" }}\ngrants = {{ net = [\"tcp://{address}\"] }}");
    let sickbay = Sickbay::started(&check("port", "net", "200ms", &more), &["net"]).await;
    until("it is ok", async || sickbay.check("port").await["status"] == "ok").await;
    drop(listener);
    until("it is critical", async || sickbay.check("port").await["hard_status"] == "critical").await;
}
