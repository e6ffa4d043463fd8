//! Secrets in a dialogue: filled in on the way out, masked on the way in, however a guest receives.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::secrets::{Grant as SecretGrant, Origin, SecretSettings, Template, Vault};

const SECRET: &str = "correct horse/battery";

/// A run that may talk to `server` and send it the secret `key`, with the placeholder that it was given. The folder holds the secret.
async fn knowing(server: SocketAddr) -> (TempDir, Lent, String) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, SECRET).expect("written");
    let settings = SecretSettings { current: Origin::File(path), previous: None };
    let mut services = services();
    Arc::get_mut(&mut services).expect("nobody else has them").secrets = Vault::new(&BTreeMap::from([("key".to_owned(), settings)]));
    let template = Template::parse("{{secret:key}}").expect("well written").expect("a template");
    let opened = services.open_secrets(&template, Instant::now() + WAIT_MAX).await.expect("opened");
    let target = format!("tcp://{server}");
    let mut grant = SecretGrant::new("key").expect("a name");
    grant.allow(&target).expect("a grant");
    let mut lent = lent_with(&services, &[target], &Limits { host_calls: 1000, ..Limits::default() });
    lent.grants = Arc::new(Grants { secrets: vec![grant], ..(*lent.grants).clone() });
    (folder, lent.with_secrets(opened.placeholders), opened.config_text)
}

/// Says it, and waits for the end.
async fn saying(words: String) -> SocketAddr {
    let (address, _task) = serve(move |mut stream| async move {
        stream.write_all(words.as_bytes()).await.expect("written");
        see_it_closed(&mut stream).await;
    })
    .await;
    address
}

async fn text(lent: &mut Lent, connection: &Resource<Connection>, until: &str, bytes_max: u32) -> String {
    let answer = receive(lent, connection, until, bytes_max, None).await.expect("an answer");
    String::from_utf8(answer).expect("UTF-8")
}

#[tokio::test]
async fn a_secret_that_is_echoed_one_byte_at_a_time_and_received_like_that_is_not_told() {
    let (address, _task) = serve(|mut stream| async move {
        hear(&mut stream, &format!("AUTH {SECRET}\r\n")).await;
        stream.set_nodelay(true).expect("an option");
        for byte in format!("AUTH {SECRET} it was\r\n").into_bytes() {
            stream.write_all(&[byte]).await.expect("written");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        see_it_closed(&mut stream).await;
    })
    .await;
    let (_folder, mut lent, placeholder) = knowing(address).await;
    let connection = connected(&mut lent, to(address)).await;
    send(&mut lent, &connection, format!("AUTH {placeholder}\r\n").as_bytes()).await.expect("sent");
    let mut told = String::new();
    while !told.ends_with("\r\n") {
        told.push_str(&text(&mut lent, &connection, "", 1).await);
    }
    let (before, behind) = told.split_once(&placeholder).unwrap_or_else(|| panic!("no placeholder in {told}"));
    assert_eq!(behind, " it was\r\n");
    let given = before.strip_prefix("AUTH ").unwrap_or_else(|| panic!("{told}"));
    assert!(given.len() < 4 && SECRET.starts_with(given), "{told}");
}

#[tokio::test]
async fn an_answer_that_would_end_within_a_secret_ends_behind_it() {
    let address = saying(format!("220 {SECRET} ready\r\n250 ok\r\n")).await;
    let (_folder, mut lent, placeholder) = knowing(address).await;
    let connection = connected(&mut lent, to(address)).await;
    assert_eq!(text(&mut lent, &connection, "", 12).await, format!("220 {placeholder}"));
    assert_eq!(text(&mut lent, &connection, "\r\n", 100).await, " ready\r\n");
    assert_eq!(text(&mut lent, &connection, "", 8).await, "250 ok\r\n");
    let usage = lent.finish();
    assert_eq!(usage.bytes_in, 4 + 21 + 8 + 8, "as it came, not as it was told");
}

#[tokio::test]
async fn what_begins_like_a_secret_is_held_back_until_it_is_known() {
    let (address, _task) = serve(|mut stream| async move {
        stream.write_all(b"corre").await.expect("written");
        hear(&mut stream, "go on").await;
        stream.write_all(b"lation").await.expect("written");
        see_it_closed(&mut stream).await;
    })
    .await;
    let (_folder, mut lent, _) = knowing(address).await;
    let connection = connected(&mut lent, to(address)).await;
    let outcome = receive(&mut lent, &connection, "", 5, Some(200)).await;
    assert!(matches!(&outcome, Err(NetError::Timeout(message)) if message.contains("5 bytes so far")), "{outcome:?}");
    send(&mut lent, &connection, b"go on").await.expect("sent");
    assert_eq!(text(&mut lent, &connection, "", 5).await, "corre");
    assert_eq!(text(&mut lent, &connection, "", 6).await, "lation");
}

#[tokio::test]
async fn the_beginning_of_a_secret_that_the_peer_did_not_end_is_masked() {
    let (address, task) = serve(|mut stream| async move {
        stream.write_all(b"the key is correct ho").await.expect("written");
    })
    .await;
    let (_folder, mut lent, placeholder) = knowing(address).await;
    let connection = connected(&mut lent, to(address)).await;
    task.await.expect("closed");
    assert_eq!(text(&mut lent, &connection, "", 1000).await, format!("the key is {placeholder}"));
    assert_eq!(text(&mut lent, &connection, "", 1000).await, "");
}

#[tokio::test]
async fn an_answer_that_came_and_waits_for_a_thread_of_ours_is_no_timeout_of_the_peer() {
    let address = saying("x".repeat(100_000)).await;
    let (_folder, mut lent, _) = knowing(address).await;
    let connection = connected(&mut lent, to(address)).await;
    let _taken = lent.services.masking.all_taken().await;
    lent.scope.deadline = Instant::now() + Duration::from_secs(2);
    let outcome = receive(&mut lent, &connection, "", 100_000, None).await;
    assert!(matches!(&outcome, Err(NetError::Invalid(why)) if why.contains("a thread of Sickbay itself; hint:")), "{outcome:?}");
}
