//! TLS: whom to trust, and what is told of a session.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

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

fn leaf(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("names");
    params.distinguished_name = common_name("the leaf");
    params
}

fn trusting(authority: &Authority) -> Arc<Services> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("a root");
    Services::with_roots(&[], roots).expect("services")
}

fn lent_to(services: &Arc<Services>, address: SocketAddr) -> Lent {
    lent_with(services, &[format!("GET https://{address}/*")], &Limits::default())
}

/// A server that answers one connection in TLS.
async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> SocketAddr {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        // A client that trusts nothing ends the handshake.
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        read_request(&mut stream).await;
        let _ = stream.write_all(OK.as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    address
}

async fn serve_signed(params: &CertificateParams, authority: &Authority) -> SocketAddr {
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &**authority).expect("a certificate");
    serve(certificate.der().clone(), &key).await
}

#[tokio::test]
async fn a_trusted_session_is_told_with_its_certificate() {
    let authority = authority("the authority");
    let mut params = leaf(&["127.0.0.1", "api.example"]);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    let address = serve_signed(&params, &authority).await;
    let mut lent = lent_to(&trusting(&authority), address);
    let response = send(&mut lent, get(format!("https://{address}/")), options()).await.expect("an answer");
    assert_eq!(response.body, b"ok");
    assert!(response.timings.tls_us.is_some());
    let session = response.tls.expect("a session");
    assert_eq!((session.version.as_str(), session.untrusted), ("TLS 1.3", None));
    assert!(session.cipher.starts_with("TLS_AES_") || session.cipher.starts_with("TLS_CHACHA20_"), "{}", session.cipher);
    let [certificate] = &session.chain[..] else { panic!("{:?}", session.chain) };
    assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("CN=the leaf", "CN=the authority"));
    assert_eq!(certificate.dns_names, ["127.0.0.1", "api.example"]);
    assert_eq!((certificate.not_before, certificate.not_after), (1_577_836_800_000, 4_733_510_400_000));
    assert!(certificate.sha256.len() == 64 && certificate.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()));
}

/// What is wrong with a certificate, what it is refused with, and the word for it.
async fn is_refused_and_reported(
    services: &Arc<Services>,
    certificate: &CertificateDer<'static>,
    key: &KeyPair,
    message: &str,
    word: &str,
) {
    let address = serve(certificate.clone(), key).await;
    let outcome = send(&mut lent_to(services, address), get(format!("https://{address}/")), options()).await;
    assert!(matches!(&outcome, Err(HttpError::Tls(told)) if told.contains(message)), "{word}: {outcome:?}");

    let address = serve(certificate.clone(), key).await;
    let accepting = Options { accept_untrusted: true, ..options() };
    let response = send(&mut lent_to(services, address), get(format!("https://{address}/")), accepting).await.expect("an answer");
    let session = response.tls.expect("a session");
    assert_eq!(session.untrusted.as_deref(), Some(word));
    assert_eq!(session.chain.len(), 1, "the certificate is told, though it is not trusted");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_or_reported() {
    let trusted = authority("the authority");
    let unknown = authority("another authority");
    let services = trusting(&trusted);
    let key = KeyPair::generate().expect("a key");
    let mut expired = leaf(&["127.0.0.1"]);
    expired.not_after = date_time_ymd(2001, 1, 1);
    let mut early = leaf(&["127.0.0.1"]);
    early.not_before = date_time_ymd(4000, 1, 1);
    for (params, issuer, message, word) in [
        (&expired, &trusted, "certificate expired", "expired"),
        (&early, &trusted, "not valid yet", "not-yet-valid"),
        (&leaf(&["other.example"]), &trusted, "the certificate is for other.example, not for 127.0.0.1 (", "wrong-name"),
        (
            &leaf(&["10.0.0.1", "fd00::1", "*.a.example", "b.example", "c.example"]),
            &trusted,
            "the certificate is for 10.0.0.1, fd00::1, *.a.example (and 2 more), not for 127.0.0.1",
            "wrong-name",
        ),
        (&leaf(&["127.0.0.1"]), &unknown, "unknown issuer", "unknown-issuer"),
    ] {
        let certificate = params.signed_by(&key, &**issuer).expect("a certificate");
        is_refused_and_reported(&services, certificate.der(), &key, message, word).await;
    }
    let own = leaf(&["127.0.0.1"]).self_signed(&key).expect("a certificate");
    is_refused_and_reported(&services, own.der(), &key, "self-signed", "self-signed").await;
    let root = unknown.der();
    is_refused_and_reported(&services, root, unknown.key(), "self-signed", "self-signed").await;
    is_refused_and_reported(&services, trusted.der(), trusted.key(), "is trusted, but is itself a CA (basicConstraints CA:TRUE)", "other")
        .await;
}

#[tokio::test]
async fn a_trusted_certificate_is_not_reported_as_untrusted() {
    let authority = authority("the authority");
    let address = serve_signed(&leaf(&["127.0.0.1"]), &authority).await;
    let accepting = Options { accept_untrusted: true, ..options() };
    let mut lent = lent_to(&trusting(&authority), address);
    let response = send(&mut lent, get(format!("https://{address}/")), accepting).await.expect("an answer");
    assert_eq!(response.tls.expect("a session").untrusted, None);
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_error() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", ""] {
        let (listener, address) = listen().await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut hello = [0; 1024];
            let _ = stream.read(&mut hello).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let services = trusting(&authority("the authority"));
        let outcome = send(&mut lent_to(&services, address), get(format!("https://{address}/")), options()).await;
        assert!(matches!(outcome, Err(HttpError::Tls(_))), "{answer:?}: {outcome:?}");
    }
}
