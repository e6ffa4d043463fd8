//! TLS from the first byte and by `start-tls`: whom to trust, and what is told.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::*;
use crate::contract::types::TlsSession;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

fn leaf(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name = common_name("the leaf");
    params
}

fn trusting(authority: &Authority) -> Arc<Services> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a root");
    Services::with_roots(&[], roots).expect("services")
}

/// Refuses whoever names protocols of which it speaks none, as mail servers do.
fn acceptor(params: &CertificateParams, authority: &Authority) -> TlsAcceptor {
    let key = KeyPair::generate().expect("a key");
    let certificate: CertificateDer<'static> = params.signed_by(&key, &**authority).expect("a certificate").der().clone();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    config.alpn_protocols = vec![b"smtp".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Says hello in TLS and hears one line.
async fn greet<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(mut stream: TlsStream<S>) {
    // A client that trusts nobody is gone.
    if stream.write_all(b"hello\r\n").await.is_err() || stream.flush().await.is_err() {
        return;
    }
    let mut line = [0; 5];
    let _ = stream.read_exact(&mut line).await;
    let _ = stream.shutdown().await;
}

/// A server of one connection that is TLS from its first byte.
async fn serve_tls(params: &CertificateParams, authority: &Authority) -> SocketAddr {
    let acceptor = acceptor(params, authority);
    let (address, _task) = serve(move |stream| async move {
        if let Ok(stream) = acceptor.accept(stream).await {
            greet(stream).await;
        }
    })
    .await;
    address
}

/// A server of one connection that goes over to TLS when it is asked to.
async fn serve_start_tls(params: &CertificateParams, authority: &Authority, ready: &'static str) -> SocketAddr {
    let acceptor = acceptor(params, authority);
    let (address, _task) = serve(move |mut stream| async move {
        hear(&mut stream, "STARTTLS\r\n").await;
        stream.write_all(ready.as_bytes()).await.expect("written");
        if let Ok(stream) = acceptor.accept(stream).await {
            greet(stream).await;
        }
    })
    .await;
    address
}

fn tls(address: SocketAddr) -> Target {
    Target { tls: true, ..to(address) }
}

async fn start_tls(lent: &mut Lent, connection: &Resource<Connection>) -> Result<TlsSession, NetError> {
    HostConnection::start_tls(lent, lend(connection)).await.expect("no trap")
}

fn lent_tls(services: &Arc<Services>, server: SocketAddr) -> Lent {
    lent_with(services, &[format!("tls://{server}")], &Limits::default())
}

#[tokio::test]
async fn a_session_from_the_first_byte_is_told_with_its_certificate() {
    let authority = authority("the authority");
    let address = serve_tls(&leaf("127.0.0.1"), &authority).await;
    let mut lent = lent_tls(&trusting(&authority), address);
    let connection = connected(&mut lent, tls(address)).await;
    assert_eq!(line(&mut lent, &connection).await, "hello\r\n");
    send(&mut lent, &connection, b"bye\r\n").await.expect("sent");
    assert_eq!(receive(&mut lent, &connection, "", 100, None).await.expect("the end"), b"");
    let opened = opened(&mut lent, &connection).await;
    let session = opened.tls.expect("a session");
    assert!(session.version == "TLS 1.3" && session.untrusted.is_none() && session.cipher.starts_with("TLS_"), "{session:?}");
    assert_eq!(session.chain.iter().map(|certificate| certificate.subject.as_str()).collect::<Vec<_>>(), ["CN=the leaf"]);
    assert!(opened.timings.tls_us.is_some_and(|handshake| handshake <= opened.timings.total_us), "{:?}", opened.timings);
    let outcome = start_tls(&mut lent, &connection).await;
    assert!(matches!(&outcome, Err(NetError::Invalid(message)) if message.contains("encrypted already")), "{outcome:?}");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_or_reported() {
    let trusted = authority("the authority");
    let unknown = authority("another authority");
    let services = trusting(&trusted);
    let mut expired = leaf("127.0.0.1");
    expired.not_after = date_time_ymd(2001, 1, 1);
    for (params, issuer, part, word) in [
        (&expired, &trusted, "certificate expired", "expired"),
        (&leaf("other.example"), &trusted, "other.example", "wrong-name"),
        (&leaf("127.0.0.1"), &unknown, "unknown issuer", "unknown-issuer"),
    ] {
        let address = serve_tls(params, issuer).await;
        let outcome = connect(&mut lent_tls(&services, address), tls(address)).await;
        assert!(
            matches!(&outcome, Err(NetError::Tls(message)) if message.contains(part) && message.contains(&address.to_string())),
            "{word}: {outcome:?}"
        );

        let address = serve_tls(params, issuer).await;
        let mut lent = lent_tls(&services, address);
        let connection = connected(&mut lent, Target { accept_untrusted: true, ..tls(address) }).await;
        assert_eq!(line(&mut lent, &connection).await, "hello\r\n");
        let session = opened(&mut lent, &connection).await.tls.expect("a session");
        assert_eq!((session.untrusted.as_deref(), session.chain.len()), (Some(word), 1));
    }
}

#[tokio::test]
async fn a_server_name_stands_in_for_the_host() {
    let authority = authority("the authority");
    let services = trusting(&authority);
    let named = |name: &str, address| Target { server_name: Some(name.to_owned()), ..tls(address) };
    let address = serve_tls(&leaf("mail.example"), &authority).await;
    let mut lent = lent_tls(&services, address);
    let connection = connected(&mut lent, named("mail.example", address)).await;
    assert_eq!(line(&mut lent, &connection).await, "hello\r\n");

    let address = serve_tls(&leaf("mail.example"), &authority).await;
    let outcome = connect(&mut lent_tls(&services, address), named("other.example", address)).await;
    assert!(matches!(&outcome, Err(NetError::Tls(message)) if message.contains("mail.example")), "{outcome:?}");
}

#[tokio::test]
async fn start_tls_goes_on_encrypted_where_tcp_is_granted() {
    let authority = authority("the authority");
    let address = serve_start_tls(&leaf("127.0.0.1"), &authority, "220 go\r\n").await;
    let mut lent = lent_with(&trusting(&authority), &[format!("tcp://{address}")], &Limits::default());
    let connection = connected(&mut lent, to(address)).await;
    send(&mut lent, &connection, b"STARTTLS\r\n").await.expect("sent");
    assert_eq!(line(&mut lent, &connection).await, "220 go\r\n");
    let session = start_tls(&mut lent, &connection).await.expect("a session");
    assert!(session.untrusted.is_none() && session.chain.len() == 1, "{session:?}");
    assert_eq!(line(&mut lent, &connection).await, "hello\r\n");
    assert!(opened(&mut lent, &connection).await.tls.is_none(), "what was known when it was opened");
    let outcome = start_tls(&mut lent, &connection).await;
    assert!(matches!(outcome, Err(NetError::Invalid(_))), "{outcome:?}");
    assert_eq!(lent.finish().host_calls, 7);
}

#[tokio::test]
async fn start_tls_is_refused_while_unread_bytes_are_held() {
    let authority = authority("the authority");
    let address = serve_start_tls(&leaf("127.0.0.1"), &authority, "220 go\r\n250 put here by someone else\r\n").await;
    let mut lent = lent_with(&trusting(&authority), &[format!("tcp://{address}")], &Limits::default());
    let connection = connected(&mut lent, to(address)).await;
    send(&mut lent, &connection, b"STARTTLS\r\n").await.expect("sent");
    assert_eq!(line(&mut lent, &connection).await, "220 go\r\n");
    let outcome = start_tls(&mut lent, &connection).await;
    assert!(matches!(&outcome, Err(NetError::Invalid(message)) if message.contains("unread bytes")), "{outcome:?}");
    assert_eq!(line(&mut lent, &connection).await, "250 put here by someone else\r\n");
}

#[tokio::test]
async fn a_start_tls_that_fails_ends_the_connection() {
    let authority = authority("the authority");
    let address = serve_start_tls(&leaf("other.example"), &authority, "220 go\r\n").await;
    let mut lent = lent_with(&trusting(&authority), &[format!("tcp://{address}")], &Limits::default());
    let connection = connected(&mut lent, to(address)).await;
    send(&mut lent, &connection, b"STARTTLS\r\n").await.expect("sent");
    line(&mut lent, &connection).await;
    let outcome = start_tls(&mut lent, &connection).await;
    assert!(matches!(&outcome, Err(NetError::Tls(message)) if message.contains("other.example")), "{outcome:?}");
    let outcome = send(&mut lent, &connection, b"in plain").await;
    assert!(matches!(&outcome, Err(NetError::Invalid(message)) if message.contains("closed already")), "{outcome:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_a_tls_error() {
    for answer in ["220 mail.example ESMTP\r\n", "\u{16}\u{3}\u{1}\u{7f}\u{7f}garbage", ""] {
        let (address, _task) = serve(move |mut stream| async move {
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await;
        let target = Target { timeout_ms: Some(10_000), ..tls(address) };
        let outcome = connect(&mut lent_tls(&services(), address), target).await;
        assert!(matches!(outcome, Err(NetError::Tls(_))), "{answer:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_is_a_timeout_that_names_the_phase() {
    let (_listener, address) = listen().await;
    let target = Target { timeout_ms: Some(300), ..tls(address) };
    let outcome = connect(&mut lent_tls(&services(), address), target).await;
    let is_named = |message: &str| message.contains(&address.to_string()) && message.contains("within 300 ms (tls)");
    assert!(matches!(&outcome, Err(NetError::Timeout(message)) if is_named(message)), "{outcome:?}");

    let mut lent = lent(address);
    let connection = connected(&mut lent, Target { timeout_ms: Some(300), ..to(address) }).await;
    let outcome = start_tls(&mut lent, &connection).await;
    assert!(matches!(&outcome, Err(NetError::Timeout(message)) if is_named(message)), "{outcome:?}");
}

#[tokio::test]
async fn tls_goes_over_a_unix_socket_too() {
    let authority = authority("the authority");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().canonicalize().expect("a folder").join("s.sock");
    let path = path.to_str().expect("UTF-8");
    let listener = UnixListener::bind(path).expect("a socket");
    let acceptor = acceptor(&leaf("mail.example"), &authority);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        greet(acceptor.accept(stream).await.expect("a handshake")).await;
    });
    let mut lent = lent_with(&trusting(&authority), &[format!("unix://{path}")], &Limits::default());
    let target = Target { tls: true, server_name: Some("mail.example".to_owned()), ..to(format!("unix:{path}")) };
    let connection = connected(&mut lent, target).await;
    assert_eq!(line(&mut lent, &connection).await, "hello\r\n");
}
