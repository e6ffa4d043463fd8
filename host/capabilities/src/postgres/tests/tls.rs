//! TLS to the server: every `sslmode`, certificates that are in order and others, and servers that ask for more.

use std::fs;
use std::path::Path;

use rcgen::date_time_ymd;

use super::server::DATABASE;
use super::*;
use crate::source::ClientCertificate;
use crate::tls::testing::{Authority, leaf};

/// How a connection comes about.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Plain,
    Encrypted,
    /// Not at all, and this is told.
    Refused(&'static str),
}

use Entry::{Encrypted, Plain, Refused};

/// Whoever has the password, in TLS or not.
const ANY: &str = "host all all 127.0.0.1/32 scram-sha-256";
const ONLY_TLS: &str = "hostssl all all 127.0.0.1/32 scram-sha-256";
const ONLY_WITH_CERTIFICATE: &str = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca";

fn encrypt(server: &Postgres, certificate: &ClientCertificate, authority: &Authority, lines: &str) {
    let text = |path: &Path| fs::read_to_string(path).expect("a file of the test");
    server.encrypt(&text(&certificate.cert_file), &text(&certificate.key_file), &text(&authority.ca_file()), lines);
}

/// Enters the server with each of the parameters behind its URL.
async fn enter(server: &Postgres, cases: &[(&str, Entry)]) {
    for (parameters, expected) in cases {
        let mut lent = Setup::of(&format!("{}?{parameters}", server.url())).lent();
        let outcome = ask(&mut lent, query("select ssl from pg_stat_ssl where pid = pg_backend_pid()")).await;
        match (outcome, expected) {
            (Ok(set), Plain) => assert_eq!(shown_rows(&set), ["boolean false"], "{parameters}"),
            (Ok(set), Encrypted) => assert_eq!(shown_rows(&set), ["boolean true"], "{parameters}"),
            (Err(PostgresError::Connect(message) | PostgresError::Authentication(message)), Refused(part)) => {
                assert!(message.contains(part), "{parameters}: {message}");
                for name in ["127.0.0.1", "other.example", PASSWORD, USER, DATABASE] {
                    assert!(!message.contains(name), "{parameters}: {message}");
                }
            }
            (outcome, _) => panic!("{parameters}: {outcome:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_entered_where_sslmode_lets_it() {
    let without = "has no TLS, and the source's `sslmode` asks for it; hint: turn on its `ssl`, or write `sslmode=prefer`";
    let cases = [
        ("sslmode=disable", Plain),
        ("sslmode=allow", Plain),
        ("sslmode=prefer", Plain),
        ("sslmode=require", Refused(without)),
        ("sslmode=verify-ca", Refused(without)),
        ("sslmode=verify-full", Refused(without)),
        ("sslrootcert=system", Refused(without)),
    ];
    enter(Postgres::shared(), &cases).await;
}

#[tokio::test]
async fn a_certificate_is_held_against_its_issuer_its_name_and_its_time_as_sslmode_says() {
    let (server, authority, stranger) = (Postgres::start(), Authority::new(), Authority::new());
    let ca = format!("sslrootcert={}", authority.ca_file().display());
    let unknown_ca = format!("sslrootcert={}", stranger.ca_file().display());
    let with = |mode: &str, ca: &str| format!("sslmode={mode}&{ca}");
    let modes = ["verify-ca", "verify-full", "require"].map(|mode| with(mode, &ca));
    let [issuer, full, required] = modes.each_ref().map(String::as_str);
    let unknown_issuer = "is from an unknown issuer; hint: name its CA with `sslrootcert`";
    let any = [("sslmode=disable", Plain), ("sslmode=allow", Encrypted), ("sslmode=prefer", Encrypted), ("sslmode=require", Encrypted)];

    encrypt(&server, &authority.issue("127.0.0.1"), &authority, ANY);
    enter(&server, &any).await;
    enter(&server, &[(issuer, Encrypted), (full, Encrypted), (required, Encrypted)]).await;
    let unknown = "the server's certificate";
    enter(
        &server,
        &[
            ("sslmode=verify-ca", Refused(unknown_issuer)),
            ("sslmode=verify-full", Refused(unknown_issuer)),
            ("sslrootcert=system", Refused(unknown_issuer)),
            (with("verify-ca", &unknown_ca).as_str(), Refused(unknown)),
            (with("verify-full", &unknown_ca).as_str(), Refused(unknown)),
            // Who names a CA wants it to count.
            (with("require", &unknown_ca).as_str(), Refused(unknown)),
        ],
    )
    .await;

    encrypt(&server, &authority.issue("other.example"), &authority, ANY);
    enter(&server, &any).await;
    let another_name = "is for another name; hint: write a name that it is for as the host of the `url`";
    enter(&server, &[(issuer, Encrypted), (required, Encrypted), (full, Refused(another_name))]).await;

    let mut params = leaf("127.0.0.1");
    params.not_after = date_time_ymd(2001, 1, 1);
    encrypt(&server, &authority.sign("expired", &params), &authority, ANY);
    enter(&server, &any).await;
    let expired = "the server's certificate has expired; hint: renew it";
    enter(&server, &[(issuer, Refused(expired)), (required, Refused(expired)), (full, Refused(expired))]).await;
}

#[tokio::test]
async fn a_server_that_takes_only_tls_or_only_certificates_tells_what_is_missing() {
    let (server, authority) = (Postgres::start(), Authority::new());
    let certificate = authority.issue("127.0.0.1");
    encrypt(&server, &certificate, &authority, ONLY_TLS);
    let plain = "`pg_hba.conf` lets source `main` in (28000); hint: it may want TLS, and the source's `url` has `sslmode=disable`";
    enter(&server, &[("sslmode=disable", Refused(plain)), ("sslmode=prefer", Encrypted), ("sslmode=require", Encrypted)]).await;

    encrypt(&server, &certificate, &authority, ONLY_WITH_CERTIFICATE);
    let ClientCertificate { cert_file, key_file } = authority.issue("monitor");
    let own = format!("sslmode=require&sslcert={}&sslkey={}", cert_file.display(), key_file.display());
    enter(&server, &[("sslmode=require", Refused("hint: name `sslcert` and `sslkey` in its `url`")), (own.as_str(), Encrypted)]).await;

    // What refuses TLS is told: the server has no other line.
    enter(&server, &[("sslmode=prefer", Refused("hint: name `sslcert` and `sslkey` in its `url`"))]).await;

    // Nobody but this user may enter, and it is another one's line.
    encrypt(&server, &certificate, &authority, "host all nobody 127.0.0.1/32 scram-sha-256");
    enter(&server, &[("sslmode=require", Refused("hint: add one for this machine, the source's user and its database"))]).await;
}

#[tokio::test]
async fn a_server_that_lets_the_source_in_without_tls_alone_is_entered_so_where_sslmode_lets_it() {
    const ONLY_PLAIN: &str = "hostnossl all all 127.0.0.1/32 scram-sha-256";
    let (server, authority) = (Postgres::start(), Authority::new());
    let certificate = authority.issue("127.0.0.1");
    encrypt(&server, &certificate, &authority, ONLY_PLAIN);
    let none = "`pg_hba.conf` lets source `main` in (28000)";
    let cases = [("sslmode=disable", Plain), ("sslmode=allow", Plain), ("sslmode=prefer", Plain), ("sslmode=require", Refused(none))];
    enter(&server, &cases).await;

    // A password that TLS kept secret is not tried again in the open.
    encrypt(&server, &certificate, &authority, &format!("{ONLY_TLS}\nhostnossl all all 127.0.0.1/32 trust"));
    let wrong = Setup::of(&server.url_of(USER, "wrong-word", DATABASE));
    let refused = ask(&mut wrong.lent(), query("select 1")).await;
    let Err(PostgresError::Authentication(message)) = refused else { panic!("{refused:?}") };
    assert!(message.contains("refused the user or password"), "{message}");
    enter(&server, &[("sslmode=prefer", Encrypted)]).await;
}

#[test]
fn files_that_do_not_belong_together_or_are_not_there_are_told_with_their_source() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let refused = |parameters: &str| {
        let endpoint = Endpoint::parse(&format!("postgres://monitor@db.internal/orders?{parameters}")).expect("a URL");
        let sources = Sources::new(&BTreeMap::from([("main".to_owned(), PostgresSettings::new(endpoint))]));
        sources.err().expect("an error").to_string()
    };
    let mixed = refused(&format!("sslcert={}&sslkey={}", one.cert_file.display(), other.key_file.display()));
    assert!(
        mixed.contains("[sources.postgres.main]") && mixed.contains("hint: do the certificate and the key belong together?"),
        "{mixed}"
    );
    let missing = refused("sslmode=verify-full&sslrootcert=/nonexistent/ca.pem");
    assert!(missing.contains("[sources.postgres.main]") && missing.contains("/nonexistent/ca.pem"), "{missing}");
    let none = refused(&format!("sslmode=verify-full&sslrootcert={}", one.key_file.display()));
    assert!(none.contains("nothing in it begins with -----BEGIN CERTIFICATE-----"), "{none}");
}
