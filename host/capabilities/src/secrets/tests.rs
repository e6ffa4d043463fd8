//! The capability through the door of a guest; below, its parts against each other.

mod exchange;
mod filling;
mod masking;
mod reading;
mod telling;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use sickbay_runtime::Limits;
use tempfile::TempDir;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::value::Value;
use super::{Grant, Origin, Placeholders, SecretSettings, Template, Vault};
use crate::contract::secrets::{Host, SecretError};
use crate::contract::types;
use crate::denial::{Capability, DenialReason};
use crate::{Grants, Lent, RunScope, Services};

const SECRET: &str = "correct horse/battery";

/// A placeholder for each secret, by its name and value.
pub(crate) fn drawn(secrets: &[(&str, &[u8])]) -> Placeholders {
    let mut placeholders = Placeholders::default();
    for (name, value) in secrets {
        draw(&mut placeholders, name, value);
    }
    placeholders
}

fn draw(placeholders: &mut Placeholders, name: &str, value: &[u8]) {
    let value = Arc::new(Value::new(Zeroizing::new(value.to_vec())));
    placeholders.draw(value, Box::new([Arc::<str>::from(name)])).expect("drawn");
}

pub(crate) fn placeholder(placeholders: &Placeholders, index: usize) -> String {
    placeholders.entries()[index].placeholder().to_owned()
}

fn grant(name: &str, to: &[&str]) -> Grant {
    let mut grant = Grant::new(name).expect("a name");
    for text in to {
        grant.allow(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    grant
}

fn file(path: &Path) -> SecretSettings {
    SecretSettings { current: Origin::File(path.to_owned()), previous: None }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn services(secrets: BTreeMap<String, SecretSettings>) -> Arc<Services> {
    let mut services = Services::with_roots(&[], RootCertStore::empty()).expect("services");
    Arc::get_mut(&mut services).expect("nobody else has them").secrets = Vault::new(&secrets);
    services
}

fn lent(services: &Arc<Services>, grants: Grants, limits: &Limits) -> Lent {
    let scope = RunScope { check: "api".into(), plugin: "http".into(), run_id: 1, deadline: deadline(), state: Arc::new(BTreeMap::new()) };
    Lent::new(services, &Arc::new(grants), limits, scope)
}

/// The secret `key` is in a file of the folder.
fn one_secret(value: &str) -> (TempDir, Arc<Services>) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, value).expect("written");
    let services = services(BTreeMap::from([("key".to_owned(), file(&path))]));
    (folder, services)
}

fn granted(grants: &[Grant]) -> Grants {
    Grants { secrets: grants.to_vec(), ..Grants::default() }
}

async fn sign(lent: &mut Lent, name: &str, data: &[u8]) -> Result<Vec<Vec<u8>>, SecretError> {
    Host::sign(lent, name.into(), "hmac-sha256".into(), String::new(), data.to_vec()).await.expect("no trap")
}

async fn sign_as(lent: &mut Lent, algorithm: &str, prefix: &str, data: Vec<u8>) -> Result<Vec<Vec<u8>>, SecretError> {
    Host::sign(lent, "key".into(), algorithm.into(), prefix.into(), data).await.expect("no trap")
}

async fn encode(lent: &mut Lent, text: String, encoding: &str) -> Result<String, SecretError> {
    Host::encode(lent, text, encoding.into()).await.expect("no trap")
}

fn denial<T: std::fmt::Debug>(outcome: Result<T, SecretError>) -> types::Denial {
    match outcome {
        Err(SecretError::Denied(denial)) => denial,
        other => panic!("expected a denial: {other:?}"),
    }
}

fn why_invalid<T: std::fmt::Debug>(outcome: Result<T, SecretError>) -> String {
    match outcome {
        Err(SecretError::Invalid(message)) => message,
        other => panic!("expected invalid: {other:?}"),
    }
}

#[tokio::test]
async fn a_guest_that_probes_learns_nothing_of_what_exists() {
    let (_folder, services) = one_secret(SECRET);
    let mut lent = lent(&services, Grants::default(), &Limits::default());
    for name in ["key", "not"] {
        let line = format!(r#"secrets = [{{ name = "{name}", to = [] }}]"#);
        let signed = denial(sign(&mut lent, name, b"data").await);
        let inspected = denial(Host::inspect(&mut lent, name.into()).await.expect("no trap"));
        for denial in [signed, inspected] {
            assert_eq!((denial.reason, denial.hint), (format!("the secret `{name}` is not granted"), line.clone()));
        }
    }
    let usage = lent.finish();
    assert_eq!(usage.denials, [(Capability::Secrets, DenialReason::NotGranted); 4]);
    assert_eq!(usage.host_calls, 4);
}

#[tokio::test]
async fn a_secret_that_is_granted_and_does_not_exist_is_denied() {
    let (_folder, services) = one_secret(SECRET);
    let mut lent = lent(&services, granted(&[grant("not", &[])]), &Limits::default());
    assert_eq!(denial(sign(&mut lent, "not", b"data").await).hint, r#"secrets = [{ name = "not", to = [] }]"#);
}

#[tokio::test]
async fn a_signature_is_given_by_every_version_newest_first() {
    let folder = TempDir::new().expect("a folder");
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    fs::write(&new, "Jefe\n").expect("written");
    let settings = SecretSettings { current: Origin::File(new), previous: Some(Origin::File(old.clone())) };
    let data = b"what do ya want for nothing?";
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    for versions in [1, 2] {
        let services = services(BTreeMap::from([("key".to_owned(), settings.clone())]));
        let mut lent = lent(&services, granted(&[grant("key", &[])]), &Limits::default());
        let signatures = sign(&mut lent, "key", data).await.expect("signed");
        let hex: String = signatures[0].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((signatures.len(), hex.as_str()), (versions, expected));
        let info = Host::inspect(&mut lent, "key".into()).await.expect("no trap").expect("told");
        assert_eq!(usize::try_from(info.versions), Ok(versions));
        assert!(info.changed_at.is_some_and(|changed_at| changed_at > 1_600_000_000_000), "{info:?}");
        fs::write(&old, "older").expect("written");
    }
}

#[tokio::test]
async fn bounds_and_words_of_the_contract_hold() {
    let (_folder, services) = one_secret(SECRET);
    let mut lent = lent(&services, granted(&[grant("key", &[])]), &Limits::default());
    assert!(sign_as(&mut lent, "hmac-sha512", "AWS4", vec![0; 1 << 20]).await.is_ok());
    assert!(why_invalid(sign_as(&mut lent, "hmac-md5", "", Vec::new()).await).contains("`hmac-sha256`"));
    why_invalid(sign_as(&mut lent, "hmac-sha256", "", vec![0; (1 << 20) + 1]).await);
    why_invalid(sign_as(&mut lent, "hmac-sha256", &"p".repeat(65), Vec::new()).await);
    assert!(why_invalid(encode(&mut lent, "text".to_owned(), "hex").await).contains("`base64`"));
    why_invalid(encode(&mut lent, "t".repeat((16 << 10) + 1), "base64").await);
}

#[tokio::test]
async fn a_run_without_calls_left_uses_no_secret() {
    let (_folder, services) = one_secret(SECRET);
    let limits = Limits { host_calls: 0, ..Limits::default() };
    let mut lent = lent(&services, granted(&[grant("key", &[])]), &limits);
    assert!(matches!(sign(&mut lent, "key", b"data").await, Err(SecretError::Quota(_))));
    assert!(matches!(Host::inspect(&mut lent, "key".into()).await, Ok(Err(SecretError::Quota(_)))));
    assert!(matches!(Host::encode(&mut lent, "text".into(), "base64".into()).await, Ok(Err(SecretError::Quota(_)))));
}

#[tokio::test]
async fn an_unusable_secret_is_told_with_its_file_and_without_its_value() {
    let (folder, services) = one_secret("x?y");
    let mut lent = lent(&services, granted(&[grant("key", &[])]), &Limits::default());
    let why = why_invalid(sign(&mut lent, "key", b"data").await);
    assert!(why.contains(&folder.path().join("key").display().to_string()) && why.contains("less than 4 bytes"), "{why}");
    assert!(!why.contains("x?y"), "{why}");
}

#[tokio::test]
async fn what_is_encoded_is_a_placeholder_of_its_own() {
    let placeholders = drawn(&[("password", b"pa:ss/w\xff"), ("other", b"other")]);
    let (password, other) = (placeholder(&placeholders, 0), placeholder(&placeholders, 1));
    let services = services(BTreeMap::new());
    let mut lent = lent(&services, granted(&[grant("password", &[])]), &Limits::default()).with_secrets(placeholders);
    for (text, encoding, value) in [
        (format!("user:{password}"), "base64", &b"dXNlcjpwYTpzcy93/w=="[..]),
        (format!("{password} {password}"), "percent", b"pa%3Ass%2Fw%FF%20pa%3Ass%2Fw%FF"),
        ("plain/text".to_owned(), "percent", b"plain%2Ftext"),
    ] {
        let encoded = encode(&mut lent, text, encoding).await.expect("encoded");
        let found = lent.secrets().find(encoded.as_bytes());
        assert_eq!(found.iter().map(|found| found.entry.value().bytes()).collect::<Vec<_>>(), [value], "{encoding}");
        assert_eq!(encoded.len(), password.len(), "nothing but a placeholder is given out");
        assert_ne!(encoded, password);
    }
    let again = encode(&mut lent, other, "base64").await;
    assert_eq!(denial(again).hint, r#"secrets = [{ name = "other", to = [] }]"#, "a secret that the check is not granted");
}

#[tokio::test]
async fn what_was_encoded_twice_is_still_of_its_secrets() {
    let placeholders = drawn(&[("user", b"alice"), ("password", b"swordfish")]);
    let text = format!("{}:{}", placeholder(&placeholders, 0), placeholder(&placeholders, 1));
    let services = services(BTreeMap::new());
    let grants = granted(&[grant("user", &[]), grant("password", &[])]);
    let mut lent = lent(&services, grants, &Limits::default()).with_secrets(placeholders);
    let once = encode(&mut lent, text, "base64").await.expect("encoded");
    let twice = encode(&mut lent, once, "percent").await.expect("encoded");
    let found = lent.secrets().find(twice.as_bytes());
    let names: Vec<&str> = found[0].entry.names().iter().map(|name| &**name).collect();
    assert_eq!((found[0].entry.value().bytes(), names), (&b"YWxpY2U6c3dvcmRmaXNo"[..], vec!["password", "user"]));
}

#[tokio::test]
async fn a_config_is_given_with_placeholders() {
    let (_folder, services) = one_secret(SECRET);
    let template = Template::parse(r#"{"a":"{{secret:key}}","b":"Bearer {{secret:key}}"}"#).expect("well written").expect("a template");
    let first = services.open_secrets(&template, deadline()).await.expect("opened");
    let second = services.open_secrets(&template, deadline()).await.expect("opened");
    let drawn = placeholder(&first.placeholders, 0);
    assert_eq!(first.config_text, format!(r#"{{"a":"{drawn}","b":"Bearer {drawn}"}}"#));
    assert_ne!(first.config_text, second.config_text, "each run has its own");
    assert!(!format!("{first:?}").contains(SECRET));

    let unknown = Template::parse("{{secret:not}}").expect("well written").expect("a template");
    assert!(services.open_secrets(&unknown, deadline()).await.expect_err("unknown").to_string().contains("[secrets.not]"));
}
