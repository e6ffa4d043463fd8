//! Getting in: addresses, credentials, databases, TLS, and servers that will not serve.

use std::path::{Path, PathBuf};

use hickory_proto::op::ResponseCode;
use rcgen::date_time_ymd;

use super::*;
use crate::dns::testing::{DnsServer, Reply as DnsReply, Setup};
use crate::process::free_port;
use crate::redis::ClientCertificate;
use crate::tls::testing::{Authority, leaf};

async fn ping(url: &str) -> Result<Reply, RedisError> {
    run(&mut lent(&source(url), &["PING"], &[]), &["PING"]).await
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_without_its_name() {
    let port = free_port();
    for (url, part) in [
        (format!("redis://secret:secret@127.0.0.1:{port}"), "refused"),
        ("unix:///nonexistent/secret.sock".to_owned(), "no such UNIX socket"),
    ] {
        let outcome = ping(&url).await;
        let Err(RedisError::Connect(message)) = outcome else { panic!("{url}: {outcome:?}") };
        assert!(message.contains(part) && !message.contains("secret") && !message.contains(&port.to_string()), "{url}: {message}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_the_servers_fault_and_a_missing_resolver_is_not() {
    let server = RedisServer::start("");
    let dns = DnsServer::start(|name, _| match name {
        "cache.test" => DnsReply::Addresses(&["127.0.0.1"]),
        _ => DnsReply::Code(ResponseCode::NXDomain),
    })
    .await;
    let ping = async |host: &str, setup: &Setup| {
        let services = services(&source(&format!("redis://{host}:{}", server.port())), setup.resolver());
        run(&mut lent_by(&services, grant(&["PING"], &[]), &Limits::default()), &["PING"]).await
    };
    let setup = Setup::asking(&[&dns]);
    assert_eq!(told(&ping("cache.test", &setup).await.expect("a reply")), "+PONG");
    let outcome = ping("secret.test", &setup).await;
    let Err(RedisError::Connect(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("does not resolve") && !message.contains("secret"), "{message}");
    let outcome = ping("cache.test", &Setup::new(None, None)).await;
    assert!(matches!(outcome, Err(RedisError::Invalid(_))), "{outcome:?}");
}

#[tokio::test]
async fn credentials_are_refused_as_such() {
    let server =
        RedisServer::start("requirepass right\nuser monitor on >right ~celery* +info +command +llen\nuser narrow on >right ~* +info");
    let at = |entry: &str, more: &str| format!("redis://{entry}127.0.0.1:{}/{more}", server.port());
    for protocol in ["?protocol=2", "?protocol=3"] {
        for entry in ["", ":secret-wrong@", "secret-nobody:right@", "monitor:secret-wrong@"] {
            let outcome = ping(&at(entry, protocol)).await;
            let Err(RedisError::Authentication(message)) = outcome else { panic!("{entry}: {outcome:?}") };
            assert!(!message.contains("secret") && !message.contains("127.0.0.1"), "{message}");
        }
        for entry in [":right@", "default:right@"] {
            assert_eq!(told(&ping(&at(entry, protocol)).await.expect(entry)), "+PONG");
        }
        let mut monitor = lent(&source(&at("monitor:right@", protocol)), &["LLEN", "GET"], &["*"]);
        assert_eq!(reply(&mut monitor, &["LLEN", "celery"]).await, ":0");
        let refused = reply(&mut monitor, &["GET", "celery"]).await;
        assert!(refused.starts_with("-NOPERM ") && !refused.contains("monitor"), "{refused}");
    }
    let outcome = run(&mut lent(&source(&at("narrow:right@", "")), &["INFO"], &[]), &["INFO"]).await;
    assert!(matches!(&outcome, Err(RedisError::Invalid(message)) if message.contains("+command")), "{outcome:?}");
}

#[tokio::test]
async fn the_database_of_the_url_is_the_one() {
    let server = RedisServer::start("databases 4");
    let url = |database: &str| format!("{}/{database}", server.url());
    seed(&url("3"), &["SET", "a", "3"]);
    for protocol in ["", "?protocol=3"] {
        let three = format!("{}{protocol}", url("3"));
        assert_eq!(reply(&mut lent(&source(&three), &["GET"], &["a"]), &["GET", "a"]).await, "$3");
        assert_eq!(reply(&mut lent(&source(&url("")), &["GET"], &["a"]), &["GET", "a"]).await, "_");
        let outcome = ping(&format!("{}{protocol}", url("9"))).await;
        assert!(matches!(&outcome, Err(RedisError::Invalid(message)) if message.contains("database")), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_unix_socket_is_reached_by_its_path() {
    let server = RedisServer::start("unixsocket {folder}/redis.sock");
    // The socket is there when the server answers.
    seed(&server.url(), &["PING"]);
    let url = format!("unix://{}?db=1", server.folder().join("redis.sock").display());
    let mut lent = lent(&source(&url), &["SET"], &["a"]);
    assert_eq!(reply(&mut lent, &["SET", "a", "1"]).await, "+OK");
    assert_eq!(ask::<String>(&format!("{}/1", server.url()), &["GET", "a"]), "1");
}

#[tokio::test]
async fn a_server_without_connections_left_is_told() {
    let server = RedisServer::start("maxclients 1");
    let began = Instant::now();
    // The server may not have seen yet that the one who waited for it is gone.
    let held = loop {
        let opened = ::redis::Client::open(server.url()).and_then(|client| client.get_connection());
        if let Ok(mut connection) = opened
            && ::redis::cmd("PING").exec(&mut connection).is_ok()
        {
            break connection;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "no connection");
    };
    for protocol in ["", "/?protocol=3"] {
        let outcome = ping(&format!("{}{protocol}", server.url())).await;
        assert!(matches!(&outcome, Err(RedisError::Connect(message)) if message.contains("maxclients")), "{outcome:?}");
    }
    drop(held);
}

#[tokio::test]
async fn a_replica_that_may_not_write_answers_so() {
    let server = RedisServer::start("replicaof 127.0.0.1 1");
    let mut lent = lent(&source(&server.url()), &["SET"], &["a"]);
    let told = reply(&mut lent, &["SET", "a", "1"]).await;
    assert!(told.starts_with("-READONLY "), "{told}");
}

#[tokio::test]
async fn a_server_that_is_busy_with_a_script_answers_so() {
    let server = RedisServer::start("busy-reply-threshold 10");
    let url = server.url();
    let sources = source(&url);
    // As many calls as it takes.
    let limits = Limits { host_calls: 10_000, ..Limits::default() };
    let mut lent = lent_with(&sources, grant(&["GET"], &["a"]), &limits);
    assert_eq!(reply(&mut lent, &["GET", "a"]).await, "_");
    let script = std::thread::spawn({
        let url = url.clone();
        // Killed below, which is an error.
        move || ::redis::cmd("EVAL").arg("while true do end").arg("0").exec(&mut bare(&url))
    });
    let mut told = String::new();
    let began = Instant::now();
    while !told.starts_with("-BUSY ") {
        assert!(began.elapsed() < Duration::from_secs(30), "{told}");
        told = reply(&mut lent, &["GET", "a"]).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let outcome = run(&mut super::lent(&source(&url), &["GET"], &["a"]), &["GET", "a"]).await;
    assert!(
        matches!(&outcome, Err(RedisError::Other(message)) if message.contains("BUSY")),
        "without a table nothing is sent: {outcome:?}"
    );
    seed(&url, &["SCRIPT", "KILL"]);
    script.join().expect("a thread").expect_err("killed");
}

/// A server in TLS; `clients` is whether it asks them for a certificate: `yes` or `no`.
fn serve(authority: &Authority, certificate: &ClientCertificate, clients: &str) -> RedisServer {
    let ClientCertificate { cert_file, key_file } = certificate;
    RedisServer::start(&format!(
        "port 0\ntls-port {{port}}\ntls-cert-file {}\ntls-key-file {}\ntls-ca-cert-file {}\ntls-auth-clients {clients}",
        cert_file.display(),
        key_file.display(),
        authority.ca_file().display()
    ))
}

async fn ping_in_tls(port: u16, ca_file: Option<&Path>, client_certificate: Option<ClientCertificate>) -> Result<Reply, RedisError> {
    let settings =
        RedisSettings { ca_file: ca_file.map(Path::to_owned), client_certificate, ..settings(&format!("rediss://127.0.0.1:{port}")) };
    run(&mut lent(&sources(settings), &["PING"], &[]), &["PING"]).await
}

#[tokio::test]
async fn in_tls_a_server_is_trusted_by_its_ca_and_its_name() {
    let authority = Authority::new();
    let server = serve(&authority, &authority.issue("127.0.0.1"), "no");
    assert_eq!(told(&ping_in_tls(server.port(), Some(&authority.ca_file()), None).await.expect("a reply")), "+PONG");

    let (other, stranger) = (serve(&authority, &authority.issue("other.example"), "no"), Authority::new());
    for (port, ca_file, part) in [
        (server.port(), None, "unknown issuer"),
        (server.port(), Some(stranger.ca_file()), "certificate"),
        (other.port(), Some(authority.ca_file()), "another name"),
    ] {
        let outcome = ping_in_tls(port, ca_file.as_deref(), None).await;
        let Err(RedisError::Connect(message)) = outcome else { panic!("{part}: {outcome:?}") };
        assert!(message.contains(part) && !message.contains("other.example") && !message.contains("127.0.0.1"), "{message}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_that_names_the_source() {
    let settings = RedisSettings { ca_file: Some(PathBuf::from("/nonexistent/ca.pem")), ..settings("rediss://127.0.0.1") };
    let outcome = Sources::new(&BTreeMap::from([("cache".to_owned(), settings)]));
    let error = outcome.err().expect("no such file").to_string();
    assert!(error.contains("[sources.redis.cache]") && error.contains("/nonexistent/ca.pem"), "{error}");
}

#[tokio::test]
async fn a_server_that_asks_for_a_certificate_gets_the_sources() {
    let authority = Authority::new();
    let server = serve(&authority, &authority.issue("127.0.0.1"), "yes");
    let own = authority.issue("monitor");
    assert_eq!(told(&ping_in_tls(server.port(), Some(&authority.ca_file()), Some(own)).await.expect("a reply")), "+PONG");
    let outcome = ping_in_tls(server.port(), Some(&authority.ca_file()), None).await;
    assert!(matches!(outcome, Err(RedisError::Connect(_))), "{outcome:?}");
}

#[tokio::test]
async fn that_one_side_speaks_tls_and_the_other_does_not_is_told_with_the_fix() {
    let authority = Authority::new();
    let encrypted = serve(&authority, &authority.issue("127.0.0.1"), "no");
    let outcome = ping(&format!("redis://127.0.0.1:{}", encrypted.port())).await;
    assert!(
        matches!(&outcome, Err(RedisError::Connect(message)) if message.contains("hint: it may want TLS (`rediss://`)")),
        "{outcome:?}"
    );
    // It waits for the end of a command.
    let plain = RedisServer::start("");
    let mut lent = lent(&source(&format!("rediss://127.0.0.1:{}", plain.port())), &["PING"], &[]);
    let outcome = run_within(&mut lent, &["PING"], 500).await;
    let Err(RedisError::Timeout(message) | RedisError::Connect(message)) = outcome else { panic!("{outcome:?}") };
    assert!(message.contains("speak TLS there") && message.contains("`redis://` is without"), "{message}");
}

#[tokio::test]
async fn an_expired_certificate_is_told_as_such() {
    let authority = Authority::new();
    let mut params = leaf("127.0.0.1");
    params.not_after = date_time_ymd(2001, 1, 1);
    let server = serve(&authority, &authority.sign("expired", &params), "no");
    let outcome = ping_in_tls(server.port(), Some(&authority.ca_file()), None).await;
    assert!(matches!(&outcome, Err(RedisError::Connect(message)) if message.contains("has expired; hint: ")), "{outcome:?}");
}

#[tokio::test]
async fn no_error_names_a_credential() {
    let server = RedisServer::start("requirepass right");
    for entry in ["secret-user:secret-word@", ":secret-word@"] {
        let error = ping(&format!("redis://{entry}127.0.0.1:{}", server.port())).await.expect_err("refused");
        assert!(!message_of(&error).contains("secret"), "{error:?}");
    }
}
