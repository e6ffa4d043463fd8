//! Secrets out of files and the environment. What `now` is, is told: nothing here waits for a second to pass.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use tempfile::TempDir;
use tokio::time::Instant;

use super::{deadline, file};
use crate::secrets::{Origin, SecretSettings, Unusable, Vault, unusable};

fn vault(settings: SecretSettings) -> Vault {
    Vault::new(&BTreeMap::from([("key".to_owned(), settings)]))
}

async fn read(vault: &Vault, now: Instant) -> Result<Vec<u8>, Unusable> {
    let versions = vault.open("key", now, deadline()).await?;
    Ok(versions.expect("it exists").newest.value.bytes().to_vec())
}

async fn read_once(path: &Path) -> Result<Vec<u8>, Unusable> {
    read(&vault(file(path)), Instant::now()).await
}

fn second(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[tokio::test]
async fn a_line_break_at_the_end_of_a_file_is_cut_off_once() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    for (content, secret) in [
        (&b"swordfish"[..], &b"swordfish"[..]),
        (b"swordfish\n", b"swordfish"),
        (b"swordfish\r\n", b"swordfish"),
        (b"swordfish\n\n", b"swordfish\n"),
        (b" sword\nfish ", b" sword\nfish "),
        (b"sword\0\xff\xfe", b"sword\0\xff\xfe"),
    ] {
        fs::write(&path, content).expect("written");
        assert_eq!(read_once(&path).await.as_deref(), Ok(secret), "{}", content.escape_ascii());
    }
    for bytes in [8 << 10, 4] {
        fs::write(&path, [vec![b'a'; bytes], b"\r\n".to_vec()].concat()).expect("written");
        assert_eq!(read_once(&path).await.map(|secret| secret.len()), Ok(bytes));
    }
}

#[tokio::test]
async fn what_is_no_secret_is_refused_with_its_place_and_without_its_content() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    for (content, part) in [
        (&b""[..], "is empty"),
        (b"\n", "is empty"),
        (b"\r\n", "is empty"),
        (b"?!#\n", "less than 4 bytes"),
        (&[b'?'; (8 << 10) + 1], "more than 8192 bytes"),
        (&[b'?'; 1 << 16], "more than 8192 bytes"),
    ] {
        fs::write(&path, content).expect("written");
        let message = read_once(&path).await.expect_err(part).to_string();
        assert!(message.contains(part) && message.contains(&path.display().to_string()) && message.contains("`key`"), "{message}");
        assert!(!message.contains("?!#") && !message.contains("???"), "{message}");
    }
    let absent = read_once(&folder.path().join("absent")).await.expect_err("absent").to_string();
    assert!(absent.contains("is not there") && absent.contains("absent`"), "{absent}");
    let no_file = read_once(folder.path()).await.expect_err("a folder").to_string();
    assert!(no_file.contains("no regular file"), "{no_file}");
}

#[tokio::test]
async fn a_changed_file_is_read_again_a_second_later() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, "first").expect("written");
    let (vault, began) = (vault(file(&path)), Instant::now());
    assert_eq!(read(&vault, began).await.as_deref(), Ok(&b"first"[..]));
    fs::write(&path, "second").expect("written");
    assert_eq!(read(&vault, began + Duration::from_millis(999)).await.as_deref(), Ok(&b"first"[..]), "nobody looked yet");
    assert_eq!(read(&vault, began + second(1)).await.as_deref(), Ok(&b"second"[..]));

    // As a rotation does it: another file under the same name, here with the same size.
    fs::write(folder.path().join("new"), "threes").expect("written");
    fs::rename(folder.path().join("new"), &path).expect("renamed");
    assert_eq!(read(&vault, began + second(2)).await.as_deref(), Ok(&b"threes"[..]));
}

#[tokio::test]
async fn a_change_within_the_grain_of_the_clock_is_seen_one_look_later() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, "first").expect("written");
    let (vault, began) = (vault(file(&path)), Instant::now());
    assert_eq!(read(&vault, began).await.as_deref(), Ok(&b"first"[..]));
    // Perhaps in the same tick as the first: the same size, the same number, maybe the same times.
    fs::write(&path, "other").expect("written");
    assert_eq!(read(&vault, began + second(1)).await.as_deref(), Ok(&b"other"[..]));
}

#[tokio::test]
async fn the_old_value_is_not_used_when_its_file_is_gone() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, "swordfish").expect("written");
    let (vault, began) = (vault(file(&path)), Instant::now());
    for look in 0..3 {
        assert!(read(&vault, began + second(look)).await.is_ok());
    }
    fs::remove_file(&path).expect("removed");
    let gone = read(&vault, began + second(3)).await.expect_err("gone").to_string();
    assert!(gone.contains(&path.display().to_string()) && !gone.contains("swordfish"), "{gone}");
    fs::write(&path, "swordfish").expect("written");
    assert!(read(&vault, began + second(3)).await.is_err(), "within the second it stays gone");
    assert_eq!(read(&vault, began + second(4)).await.as_deref(), Ok(&b"swordfish"[..]));
}

#[tokio::test]
async fn an_unchanged_secret_is_the_same_in_memory() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("key");
    fs::write(&path, "swordfish").expect("written");
    let (vault, began) = (vault(file(&path)), Instant::now());
    let mut values = Vec::new();
    for look in 0..4 {
        let versions = vault.open("key", began + second(look), deadline()).await.expect("readable").expect("it exists");
        values.push(versions.newest.value);
    }
    assert!(values.windows(2).all(|pair| Arc::ptr_eq(&pair[0], &pair[1])), "its spellings are worked out once");
}

#[tokio::test]
async fn the_environment_is_read_as_it_is() {
    // Set wherever a test runs.
    let path = env::var_os("PATH").expect("a path");
    let settings = SecretSettings { current: Origin::Env("PATH".to_owned()), previous: Some(Origin::Env("SICKBAY_NOT_SET".to_owned())) };
    let versions = vault(settings).open("key", Instant::now(), deadline()).await.expect("readable").expect("it exists");
    assert_eq!(versions.newest.value.bytes(), path.as_bytes());
    assert!(versions.previous.is_none() && versions.newest.changed_at_ms.is_none());

    let absent = SecretSettings { current: Origin::Env("SICKBAY_NOT_SET".to_owned()), previous: None };
    let message = read(&vault(absent), Instant::now()).await.expect_err("not set").to_string();
    assert!(message.contains("`SICKBAY_NOT_SET` is not set"), "{message}");
}

#[tokio::test]
async fn a_previous_version_that_cannot_be_read_is_a_mistake() {
    let folder = TempDir::new().expect("a folder");
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    fs::write(&new, "swordfish").expect("written");
    fs::write(&old, "").expect("written");
    let settings = SecretSettings { current: Origin::File(new), previous: Some(Origin::File(old.clone())) };
    let unusable = read(&vault(settings), Instant::now()).await.expect_err("empty");
    assert_eq!(unusable.origin, Origin::File(old));
}

#[test]
fn a_configuration_is_told_which_secrets_cannot_be_used() {
    let folder = TempDir::new().expect("a folder");
    let (good, empty, absent) = (folder.path().join("good"), folder.path().join("empty"), folder.path().join("absent"));
    fs::write(&good, "swordfish").expect("written");
    fs::write(&empty, "").expect("written");
    let with_previous = |previous: &Path| SecretSettings { previous: Some(Origin::File(previous.to_owned())), ..file(&good) };
    let settings = BTreeMap::from([
        ("a".to_owned(), file(&good)),
        ("b".to_owned(), file(&empty)),
        ("c".to_owned(), file(&absent)),
        ("d".to_owned(), with_previous(&absent)),
        ("e".to_owned(), with_previous(&empty)),
    ]);
    let found: Vec<(String, Origin)> = unusable(&settings).into_iter().map(|unusable| (unusable.name, unusable.origin)).collect();
    let origin = |path: &Path| Origin::File(path.to_owned());
    assert_eq!(found, [("b".to_owned(), origin(&empty)), ("c".to_owned(), origin(&absent)), ("e".to_owned(), origin(&empty))]);
}
