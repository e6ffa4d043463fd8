//! The capability against real folders, through the same door as a guest.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode};
use rustls::RootCertStore;
use sickbay_core::Quota;
use sickbay_runtime::{Lend, Limits};
use tempfile::TempDir;
use tokio::time::Instant;

use super::client::{NAMES_MAX, PLACES_MAX, READ_BYTES_MAX};
use super::grant::Grant;
use super::walk::Trouble;
use crate::contract::files::{FileError, FileInfo, Host};
use crate::denial::{Capability, DenialReason};
use crate::secrets::tests::drawn;
use crate::{Grants, Lent, RunScope, Services};

/// A folder that is granted as `/data`, and one beside it that is not.
struct Setup {
    dir: TempDir,
    services: Arc<Services>,
}

impl Setup {
    fn new() -> Setup {
        let dir = TempDir::new().expect("a folder");
        fs::create_dir(dir.path().join("in")).expect("a folder");
        fs::create_dir(dir.path().join("out")).expect("a folder");
        fs::write(dir.path().join("out/secret"), "secret").expect("a file");
        fs::write(dir.path().join("in/plain"), "plain").expect("a file");
        Setup { dir, services: Services::with_roots(&[], RootCertStore::empty()).expect("services") }
    }

    fn within(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("in").join(name)
    }

    fn lent(&self, mode: &str) -> Lent {
        self.lent_with(&self.dir.path().join("in"), mode, &Limits::default())
    }

    fn lent_with(&self, host: &Path, mode: &str, limits: &Limits) -> Lent {
        let files = vec![Grant::new(host, "/data", mode).expect("a grant")];
        let scope = RunScope {
            check: "backups".into(),
            plugin: "files".into(),
            run_id: 1,
            deadline: Instant::now() + Duration::from_secs(60),
            state: Arc::new(BTreeMap::new()),
        };
        Lent::new(&self.services, &Arc::new(Grants { files, ..Grants::default() }), limits, scope)
    }
}

async fn bytes(lent: &mut Lent, path: &str) -> Result<Vec<u8>, FileError> {
    Host::read_bytes(lent, path.to_owned(), 0, 100).await.expect("no trap")
}

async fn info(lent: &mut Lent, path: &str) -> Result<FileInfo, FileError> {
    Host::read_info(lent, path.to_owned()).await.expect("no trap")
}

async fn names(lent: &mut Lent, path: &str, after: Option<&str>) -> Result<Vec<String>, FileError> {
    let listed = Host::read_directory(lent, path.to_owned(), after.map(str::to_owned)).await.expect("no trap");
    listed.map(|infos| infos.into_iter().map(|info| info.name).collect())
}

#[tokio::test]
async fn a_file_is_read_from_an_offset_to_its_end() {
    let setup = Setup::new();
    let mut lent = setup.lent("ro");
    for (offset, bytes_max, read) in [(0, 100, "plain"), (2, 100, "ain"), (2, 1, "a"), (5, 100, ""), (u64::MAX, 100, ""), (0, 0, "")] {
        let found = Host::read_bytes(&mut lent, "/data/plain".to_owned(), offset, bytes_max).await.expect("no trap");
        assert_eq!(found.expect("bytes"), read.as_bytes(), "{offset} {bytes_max}");
    }
    let usage = lent.finish();
    assert_eq!((usage.host_calls, usage.bytes_in), (6, 9));
}

#[tokio::test]
async fn what_is_behind_a_name_is_told() {
    let setup = Setup::new();
    fs::set_permissions(setup.within("plain"), Permissions::from_mode(0o640)).expect("permissions");
    symlink("plain", setup.within("link")).expect("a link");
    let mut lent = setup.lent("ro");
    let plain = info(&mut lent, "/data/plain").await.expect("a file");
    assert_eq!((plain.name.as_str(), plain.kind.as_str(), plain.size_bytes, plain.mode), ("plain", "file", 5, 0o640));
    assert!(plain.writable && plain.modified_at > 1_600_000_000_000, "{plain:?}");
    let link = info(&mut lent, "/data/link").await.expect("a link");
    assert_eq!(link.kind, "link", "a link is not followed");
    assert_eq!(info(&mut lent, "/data").await.expect("the folder").kind, "directory");
    fs::rename(setup.within("plain"), setup.within("plain.1")).expect("rotated");
    fs::write(setup.within("plain"), "").expect("a new file");
    assert_ne!(info(&mut lent, "/data/plain").await.expect("a file").identity, plain.identity);
    assert_eq!(info(&mut lent, "/data/plain.1").await.expect("a file").identity, plain.identity);
}

#[tokio::test]
async fn no_spelling_and_no_link_leads_out() {
    let setup = Setup::new();
    let out = setup.dir.path().join("out");
    symlink("../out/secret", setup.within("relative")).expect("a link");
    symlink(out.join("secret"), setup.within("absolute")).expect("a link");
    symlink("../out", setup.within("folder")).expect("a link");
    symlink("/proc/self/root", setup.within("magic")).expect("a link");
    symlink(setup.within("plain"), setup.within("absolute-inside")).expect("a link");
    let mut lent = setup.lent("ro");
    for path in ["relative", "absolute", "folder/secret", "magic/etc/hostname", "absolute-inside"] {
        let refused = bytes(&mut lent, &format!("/data/{path}")).await.expect_err("it leads out");
        assert!(matches!(refused, FileError::Denied(_)), "{path}: {refused:?}");
    }
    assert!(matches!(names(&mut lent, "/data/folder", None).await, Err(FileError::Denied(_))));
    for path in ["/data/../out/secret", "/data/x/../../out/secret", "data/plain", ""] {
        assert!(matches!(bytes(&mut lent, path).await, Err(FileError::Invalid(_))), "{path}");
    }
    assert!(matches!(bytes(&mut lent, "/elsewhere/plain").await, Err(FileError::Denied(_))));
    let denials = lent.finish().denials;
    assert_eq!(denials, vec![(Capability::Files, DenialReason::NotGranted); 7]);
}

#[tokio::test]
async fn nothing_of_proc_is_reached_below_the_whole_machine() {
    let setup = Setup::new();
    let mut lent = setup.lent_with(Path::new("/"), "ro", &Limits::default());
    let own = format!("/data/proc/{}/environ", std::process::id());
    for path in ["/data/proc/self/environ", own.as_str(), "/data/proc/mounts", "/data/proc/uptime", "/data/proc"] {
        match bytes(&mut lent, path).await {
            Err(FileError::Denied(denial)) => assert!(denial.reason.contains("`proc`") && denial.hint.contains("system = "), "{denial:?}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    for path in ["/data/proc/self/root/etc/hostname", "/data/proc/self/cwd", "/data/proc/self/exe"] {
        assert!(bytes(&mut lent, path).await.is_err(), "{path}");
    }
    assert!(matches!(info(&mut lent, "/data/proc/self/environ").await, Err(FileError::Denied(_))));
    assert!(matches!(names(&mut lent, "/data/proc", None).await, Err(FileError::Denied(_))));
    assert!(names(&mut lent, "/data", None).await.expect("names").contains(&"proc".to_owned()));
    assert!(lent.folders().await.is_empty(), "WASI would not look where it goes");
    assert_eq!(lent.finish().denials[0], (Capability::Files, DenialReason::Unsupported));
}

#[tokio::test]
async fn links_inside_are_followed_and_those_to_nothing_are_not_found() {
    let setup = Setup::new();
    fs::create_dir(setup.within("sub")).expect("a folder");
    symlink("../plain", setup.within("sub/up")).expect("a link");
    symlink("sub", setup.within("to-sub")).expect("a link");
    symlink("gone", setup.within("dangling")).expect("a link");
    symlink("circle", setup.within("circle")).expect("a link");
    let mut lent = setup.lent("ro");
    assert_eq!(bytes(&mut lent, "/data/to-sub/up").await.expect("bytes"), b"plain");
    assert_eq!(names(&mut lent, "/data/to-sub", None).await.expect("names"), ["up"]);
    assert!(matches!(bytes(&mut lent, "/data/dangling").await, Err(FileError::NotFound(_))));
    assert!(matches!(bytes(&mut lent, "/data/plain/x").await, Err(FileError::NotFound(_))));
    assert!(matches!(bytes(&mut lent, "/data/circle").await, Err(FileError::Refused(_))));
}

#[tokio::test]
async fn what_is_no_file_is_not_opened() {
    let setup = Setup::new();
    let socket = std::os::unix::net::UnixListener::bind(setup.within("socket")).expect("a socket");
    fs::remove_file(setup.within("plain")).expect("removed");
    // Opening one without a writer would wait for ever.
    rustix::fs::mknodat(CWD, setup.within("plain"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).expect("a FIFO");
    let mut lent = setup.lent("ro");
    for (path, kind) in [("/data/plain", "fifo"), ("/data/socket", "socket"), ("/data", "directory")] {
        match bytes(&mut lent, path).await {
            Err(FileError::Invalid(why)) => assert!(why.contains(kind), "{why}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert_eq!(info(&mut lent, "/data/plain").await.expect("a FIFO").kind, "fifo");
    assert!(matches!(names(&mut lent, "/data/plain", None).await, Err(FileError::Invalid(_))));
    let mut devices = setup.lent_with(Path::new("/dev"), "ro", &Limits::default());
    assert!(matches!(bytes(&mut devices, "/data/zero").await, Err(FileError::Invalid(why)) if why.contains("character-device")));
    drop(socket);
}

#[tokio::test]
async fn a_huge_file_gives_what_was_asked_for() {
    let setup = Setup::new();
    let file = File::create(setup.within("huge")).expect("a file");
    file.set_len(10 << 30).expect("sparse");
    let mut lent = setup.lent("ro");
    let read = Host::read_bytes(&mut lent, "/data/huge".to_owned(), 9 << 30, READ_BYTES_MAX).await.expect("no trap").expect("bytes");
    assert_eq!(read.len(), 1 << 20);
    let more = Host::read_bytes(&mut lent, "/data/huge".to_owned(), 0, READ_BYTES_MAX + 1).await.expect("no trap");
    assert!(matches!(more, Err(FileError::Invalid(_))));
    assert_eq!(info(&mut lent, "/data/huge").await.expect("a file").size_bytes, 10 << 30);
}

#[tokio::test]
async fn a_secret_in_a_file_is_stars_however_the_file_is_read() {
    const TEXT: &str = "x swordfish c3dvcmRmaXNo swor";
    const STARRED: &str = "x ********* ************ ****";
    let setup = Setup::new();
    fs::write(setup.within("plain"), TEXT).expect("a file");
    let limits = Limits { host_calls: 1000, ..Limits::default() };
    let lent = || setup.lent_with(&setup.dir.path().join("in"), "ro", &limits);
    let mut lent_with_secret = lent().with_secrets(drawn(&[("key", b"swordfish")]));
    for size in [1, 2, 3, 7, TEXT.len(), 100] {
        let mut read = Vec::new();
        loop {
            let (offset, bytes_max) = (read.len() as u64, size as u32);
            let piece = Host::read_bytes(&mut lent_with_secret, "/data/plain".to_owned(), offset, bytes_max).await.expect("no trap");
            let piece = piece.expect("bytes");
            assert!(piece.len() <= size);
            if piece.is_empty() {
                break;
            }
            read.extend(piece);
        }
        assert_eq!(String::from_utf8_lossy(&read), STARRED, "by {size}");
    }
    let beyond = Host::read_bytes(&mut lent_with_secret, "/data/plain".to_owned(), u64::MAX, 100).await.expect("no trap");
    assert_eq!(beyond.expect("bytes"), b"");
    assert_eq!(bytes(&mut lent(), "/data/plain").await.expect("bytes"), TEXT.as_bytes(), "a run without the secret");
}

#[tokio::test]
async fn bytes_beyond_the_limit_are_not_given() {
    let setup = Setup::new();
    let limits = Limits { bytes_in: 7, host_calls: 3, ..Limits::default() };
    let mut lent = setup.lent_with(&setup.dir.path().join("in"), "ro", &limits);
    assert_eq!(bytes(&mut lent, "/data/plain").await.expect("bytes"), b"plain");
    assert!(matches!(bytes(&mut lent, "/data/plain").await, Err(FileError::Quota(_))));
    assert_eq!(lent.exceeded(), Some((Quota::BytesIn, 7)));
    assert!(matches!(info(&mut lent, "/data").await, Err(FileError::Quota(_))), "a name costs too");
    assert!(matches!(bytes(&mut lent, "/data/plain").await, Err(FileError::Quota(why)) if why.contains("host_calls")));
}

#[tokio::test]
async fn a_large_directory_comes_in_pages_by_name() {
    const ENTRIES: usize = 100_000;
    let setup = Setup::new();
    fs::create_dir(setup.within("large")).expect("a folder");
    let name = |index: usize| format!("{index:06}");
    for index in 0..ENTRIES {
        File::create(setup.within("large").join(name(index))).expect("a file");
    }
    let mut lent = setup.lent("ro");
    let first = names(&mut lent, "/data/large", None).await.expect("names");
    assert_eq!(first, (0..NAMES_MAX).map(name).collect::<Vec<_>>());
    let last = names(&mut lent, "/data/large", Some(&name(ENTRIES - 2))).await.expect("names");
    assert_eq!(last, [name(ENTRIES - 1)]);
    assert!(names(&mut lent, "/data/large", Some("x")).await.expect("names").is_empty());
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_with_the_fix_and_found_when_it_comes() {
    let setup = Setup::new();
    let later = setup.dir.path().join("later");
    let mut lent = setup.lent_with(&later, "ro", &Limits::default());
    match bytes(&mut lent, "/data/plain").await {
        Err(FileError::Invalid(why)) => {
            assert!(why.contains("`/data`") && why.contains("is not there") && why.contains("hint:"), "{why}");
            assert!(!why.contains("later"), "no path of the host is told: {why}");
        }
        other => panic!("{other:?}"),
    }
    assert!(lent.folders().await.is_empty());
    fs::rename(setup.dir.path().join("in"), &later).expect("renamed");
    assert_eq!(bytes(&mut lent, "/data/plain").await.expect("bytes"), b"plain");
    assert_eq!(lent.folders().await.len(), 1);
}

#[tokio::test]
async fn a_granted_folder_that_is_closed_to_the_host_or_is_none_is_a_mistake_of_the_configuration() {
    let setup = Setup::new();
    let mut no_folder = setup.lent_with(&setup.within("plain"), "ro", &Limits::default());
    let outcome = bytes(&mut no_folder, "/data/x").await;
    assert!(matches!(&outcome, Err(FileError::Invalid(why)) if why.contains("is no folder")), "{outcome:?}");
    let granted = setup.dir.path().join("in");
    fs::set_permissions(&granted, Permissions::from_mode(0o000)).expect("permissions");
    // Root enters it all the same.
    let closed = fs::read_dir(&granted).is_err();
    let mut lent = setup.lent("ro");
    let (read, listed) = (bytes(&mut lent, "/data/plain").await, names(&mut lent, "/data", None).await);
    fs::set_permissions(&granted, Permissions::from_mode(0o755)).expect("permissions");
    if closed {
        let tells = |why: &str| why.contains("may not be entered by the user that Sickbay runs as; hint: mend `host`");
        assert!(matches!(&read, Err(FileError::Invalid(why)) if tells(why)), "{read:?}");
        assert!(matches!(&listed, Err(FileError::Invalid(why)) if tells(why)), "{listed:?}");
    } else {
        assert_eq!((read.expect("bytes"), listed.expect("names")), (b"plain".to_vec(), vec!["plain".to_owned()]));
    }
}

#[tokio::test]
async fn a_directory_renamed_between_two_calls_is_looked_for_anew() {
    let setup = Setup::new();
    fs::create_dir(setup.within("a")).expect("a folder");
    fs::write(setup.within("a/x"), "x").expect("a file");
    let mut lent = setup.lent("ro");
    assert_eq!(bytes(&mut lent, "/data/a/x").await.expect("bytes"), b"x");
    fs::rename(setup.within("a"), setup.dir.path().join("out/a")).expect("moved out");
    assert!(matches!(bytes(&mut lent, "/data/a/x").await, Err(FileError::NotFound(_))));
    symlink("../out/a", setup.within("a")).expect("a link in its place");
    assert!(matches!(bytes(&mut lent, "/data/a/x").await, Err(FileError::Denied(_))));
}

#[tokio::test]
async fn a_file_that_is_closed_to_the_host_is_refused() {
    let setup = Setup::new();
    fs::set_permissions(setup.within("plain"), Permissions::from_mode(0o000)).expect("permissions");
    // Root reads it all the same.
    let closed = File::open(setup.within("plain")).is_err();
    let read = bytes(&mut setup.lent("ro"), "/data/plain").await;
    if closed {
        assert!(matches!(read, Err(FileError::Refused(_))), "{read:?}");
    } else {
        assert_eq!(read.expect("bytes"), b"plain");
    }
}

#[tokio::test]
async fn nothing_is_changed_in_a_folder_granted_for_reading() {
    let setup = Setup::new();
    let mut lent = setup.lent("ro");
    let created = Host::create_directory(&mut lent, "/data/new".to_owned()).await.expect("no trap");
    let removed = Host::remove(&mut lent, "/data/plain".to_owned()).await.expect("no trap");
    let set = Host::set_mode(&mut lent, "/data/plain".to_owned(), 0o600).await.expect("no trap");
    for refused in [created, removed, set] {
        assert!(matches!(refused, Err(FileError::Denied(denial)) if denial.hint.contains("mode = \"rw\"")));
    }
    assert!(setup.within("plain").exists() && !setup.within("new").exists());
}

#[tokio::test]
async fn a_folder_granted_for_changes_is_changed_inside_only() {
    let setup = Setup::new();
    symlink("../out/secret", setup.within("link")).expect("a link");
    symlink("../out", setup.within("folder")).expect("a link");
    let mut lent = setup.lent("rw");
    Host::create_directory(&mut lent, "/data/new".to_owned()).await.expect("no trap").expect("made");
    assert!(setup.within("new").is_dir());
    Host::set_mode(&mut lent, "/data/plain".to_owned(), 0o600).await.expect("no trap").expect("set");
    assert_eq!(fs::metadata(setup.within("plain")).expect("a file").permissions().mode() & 0o7777, 0o600);
    for mode in [0o4755, 0o1777, 0o10_000] {
        let refused = Host::set_mode(&mut lent, "/data/plain".to_owned(), mode).await.expect("no trap");
        assert!(matches!(refused, Err(FileError::Invalid(_))), "{mode:o}");
    }
    let out = Host::set_mode(&mut lent, "/data/link".to_owned(), 0o777).await.expect("no trap");
    assert!(matches!(out, Err(FileError::Denied(_))));
    for path in ["/data/new", "/data/plain", "/data/link"] {
        Host::remove(&mut lent, path.to_owned()).await.expect("no trap").expect("removed");
    }
    assert!(setup.dir.path().join("out/secret").exists(), "the link was removed, not what it led to");
    let through = Host::remove(&mut lent, "/data/folder/secret".to_owned()).await.expect("no trap");
    assert!(matches!(through, Err(FileError::Denied(_))));
    let itself = Host::remove(&mut lent, "/data".to_owned()).await.expect("no trap");
    assert!(matches!(itself, Err(FileError::Invalid(_))));
}

#[tokio::test]
async fn room_is_told_for_the_file_system_of_a_path() {
    let setup = Setup::new();
    let space = Host::read_space(&mut setup.lent("ro"), "/data/plain".to_owned()).await.expect("no trap").expect("space");
    assert!(space.total_bytes > 0.0 && space.available_bytes <= space.total_bytes, "{space:?}");
}

/// Takes all threads of a plugin, with work that ends when what is given is dropped.
async fn hang(setup: &Setup, plugin: &Arc<str>) -> Vec<std::sync::mpsc::SyncSender<()>> {
    let mut releases = Vec::new();
    for _ in 0..PLACES_MAX {
        let (release, hangs) = std::sync::mpsc::sync_channel::<()>(1);
        releases.push(release);
        let hung = setup.services.files.run(plugin, soon(), move |_| {
            // Until the test lets go.
            let _ = hangs.recv();
            Ok(())
        });
        assert!(matches!(hung.await, Err(Trouble::Other(why)) if why.contains("hang")), "the file system is to blame");
    }
    releases
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

#[tokio::test]
async fn reads_that_hang_hold_up_their_own_plugin_only() {
    let setup = Setup::new();
    let reader = &setup.services.files;
    let slow: Arc<str> = "slow".into();
    let releases = hang(&setup, &slow).await;
    assert_eq!(reader.places_of(&slow).available_permits(), 0, "the threads are still busy");
    assert_eq!(bytes(&mut setup.lent("ro"), "/data/plain").await.expect("another plugin reads"), b"plain");
    drop(releases);
    let far = Instant::now() + Duration::from_secs(60);
    reader.run(&slow, far, |_| Ok(())).await.expect("places are given back when the work is done");
}

#[tokio::test]
async fn who_waits_for_a_thread_that_others_hold_is_told_so_and_not_that_its_files_hang() {
    let setup = Setup::new();
    let mut waits = setup.lent("ro");
    let releases = hang(&setup, &waits.scope.plugin).await;
    waits.scope.deadline = soon();
    match bytes(&mut waits, "/data/plain").await {
        Err(FileError::Quota(why)) => assert!(why.contains("one of the 4 threads") && why.contains("hint:"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(waits.exceeded(), None, "the run used no quota of its own up");
    drop(releases);
    assert_eq!(bytes(&mut setup.lent("ro"), "/data/plain").await.expect("bytes"), b"plain");
}

#[tokio::test]
async fn a_reading_that_panics_is_no_trouble_of_the_files() {
    let setup = Setup::new();
    let far = Instant::now() + Duration::from_secs(60);
    let ended = setup.services.files.run::<(), _>(&"files".into(), far, |_| panic!("as it is meant to")).await;
    assert!(matches!(&ended, Err(Trouble::Invalid(why)) if why.contains("Sickbay")), "{ended:?}");
}
