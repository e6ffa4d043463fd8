//! What a guest may try with the folders that it was granted, in the whole program: no spelling, no link and no rename leads out, nothing
//! but files and folders is opened, and nothing is changed where only reading was granted.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use sickbay_tests::ask::{asking, assert_begins, everything_told, outcomes};
use sickbay_tests::{Sickbay, until};
use tempfile::TempDir;

const OUTSIDE: &str = "what-is-outside-0123456789";
const READS_OF_A_RUN: usize = 90;

/// `in` is granted as `/data` for reading, `rw` as `/rw` for changes; `out` is not granted.
struct Folders {
    dir: TempDir,
    /// Its name stays while it listens.
    _socket: UnixListener,
}

impl Folders {
    fn new() -> Folders {
        let dir = TempDir::new().expect("a folder");
        let at = |name: &str| dir.path().join(name);
        for folder in ["in/names", "in/sub", "rw", "out"] {
            fs::create_dir_all(at(folder)).expect("a folder");
        }
        for (file, text) in [("in/plain", "plain"), ("rw/plain", "plain"), ("out/secret", OUTSIDE)] {
            fs::write(at(file), text).expect("a file");
        }
        fs::write(at("in/names").join(OsStr::from_bytes(b"odd-\xff")), OUTSIDE).expect("a file");
        File::create(at("in/huge")).and_then(|file| file.set_len(10 << 30)).expect("a sparse file");
        mknodat(CWD, at("in/fifo"), FileType::Fifo, Mode::from_raw_mode(0o644), 0).expect("a FIFO");
        let absolute = |name: &str| at(name).display().to_string();
        for (link, to) in [
            ("in/relative", "../out/secret".to_owned()),
            ("in/absolute", absolute("out/secret")),
            ("in/absolute-inside", absolute("in/plain")),
            ("in/folder", "../out".to_owned()),
            ("in/magic", "/proc/self/root".to_owned()),
            ("in/sub/up", "../plain".to_owned()),
            ("in/twice", "sub/up".to_owned()),
            ("in/dangling", "nothing".to_owned()),
            ("in/circle", "circle".to_owned()),
            ("in/to-fifo", "fifo".to_owned()),
            ("rw/file", "../out/secret".to_owned()),
            ("rw/folder", "../out".to_owned()),
        ] {
            symlink(to, at(link)).expect("a link");
        }
        let socket = UnixListener::bind(at("in/socket")).expect("a socket");
        Folders { dir, _socket: socket }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn grants(&self) -> String {
        let host = |name: &str| self.at(name).display().to_string();
        format!(
            "files = [{{ host = \"{}\", guest = \"/data\" }}, {{ host = \"{}\", guest = \"/rw\", mode = \"rw\" }}, \
             {{ host = \"{}\", guest = \"/later\" }}, {{ host = \"/dev\", guest = \"/dev\" }}, {{ host = \"/\", guest = \"/whole\" }}]",
            host("in"),
            host("rw"),
            host("later")
        )
    }
}

fn call(what: &str, path: &str) -> Value {
    json!({ what: { "path": path } })
}

/// Reads of the folders `/data` and `/dev`, of the whole machine, and of what is in none of them.
const READS: [(&str, &str); 43] = [
    ("/data/plain", "ok: plain"),
    ("//data/./plain/", "ok: plain"),
    ("/data/sub/up", "ok: plain"),
    ("/data/twice", "ok: plain"),
    ("/data/../out/secret", "invalid: "),
    ("/data/..", "invalid: "),
    ("/../data/plain", "invalid: "),
    ("/data/sub/../plain", "invalid: "),
    ("data/plain", "invalid: "),
    ("", "invalid: "),
    ("/data/plain\0", "invalid: "),
    ("/data/\0/../../out/secret", "invalid: "),
    ("/data/pla\nin", "invalid: "),
    ("/data/%2e%2e/out/secret", "not-found: "),
    ("/data/..%2fout/secret", "not-found: "),
    ("/data/..\\out\\secret", "not-found: "),
    ("/data/.../out/secret", "not-found: "),
    ("/data/nothing", "not-found: "),
    ("/data/plain/x", "not-found: "),
    ("/data/dangling", "not-found: "),
    ("/data/names/odd-\u{fffd}", "not-found: "),
    ("/etc/hostname", "denied: "),
    ("/", "denied: "),
    ("/dataplain", "denied: "),
    ("/data2/plain", "denied: "),
    ("/DATA/plain", "denied: "),
    ("/data/relative", "denied: "),
    ("/data/absolute", "denied: "),
    ("/data/absolute-inside", "denied: "),
    ("/data/folder/secret", "denied: "),
    ("/data/magic/etc/hostname", "denied: "),
    ("/data/circle", "refused: "),
    ("/whole/proc/self/root/etc/hostname", "refused: "),
    ("/whole/proc/self/environ", "denied: "),
    ("/whole/proc/uptime", "denied: "),
    ("/whole/proc/mounts", "denied: "),
    ("/whole/proc", "denied: "),
    ("/data", "invalid: "),
    ("/data/fifo", "invalid: "),
    ("/data/to-fifo", "invalid: "),
    ("/data/socket", "invalid: "),
    ("/dev/zero", "invalid: "),
    ("/later/plain", "invalid: "),
];

fn others() -> Vec<(Value, &'static str)> {
    let mode = |path: &str, mode: u32| json!({ "set_mode": { "path": path, "mode": mode } });
    vec![
        (json!({ "read": { "path": "/data/huge", "offset": 9_u64 << 30, "bytes_max": 2 } }), "ok: \\x00\\x00"),
        (json!({ "read": { "path": "/data/huge", "bytes_max": (1 << 20) + 1 } }), "invalid: "),
        (call("list", "/data/names"), "ok: odd-\u{fffd}"),
        (call("list", "/data/folder"), "denied: "),
        (call("list", "/whole/proc/self"), "denied: "),
        (call("info", "/whole/proc/self/environ"), "denied: "),
        (call("list", "/data/plain"), "invalid: "),
        (call("list", "/data/fifo"), "invalid: "),
        (call("info", "/data/relative"), "ok: link relative"),
        (call("info", "/data/folder/secret"), "denied: "),
        (call("info", "/data/fifo"), "ok: fifo fifo"),
        (call("create", "/data/new"), "denied: "),
        (call("remove", "/data/plain"), "denied: "),
        (mode("/data/plain", 0o600), "denied: "),
        (call("create", "/rw/new"), "ok: "),
        (call("remove", "/rw/new"), "ok: "),
        (call("create", "/rw/folder/new"), "denied: "),
        (call("remove", "/rw/folder/secret"), "denied: "),
        (call("remove", "/rw/../in/plain"), "invalid: "),
        (call("remove", "/rw"), "invalid: "),
        (mode("/rw/file", 0o777), "denied: "),
        (mode("/rw/plain", 0o4755), "invalid: "),
        (mode("/rw/plain", 0o640), "ok: "),
        (call("remove", "/rw/file"), "ok: "),
    ]
}

#[tokio::test]
async fn no_path_leads_out_of_a_granted_folder_and_nothing_else_is_opened_or_changed() {
    let folders = Folders::new();
    let mut rows: Vec<(Value, &str)> = READS.iter().map(|(path, begins)| (call("read", path), *begins)).collect();
    rows.extend(others());
    let calls: Vec<Value> = rows.iter().map(|(call, _)| call.clone()).collect();
    let configuration = asking("files", &folders.grants(), &calls) + &asking("later", &folders.grants(), &[call("read", "/later/plain")]);
    let sickbay = Sickbay::started(&configuration, &["ask"]).await;
    let secret = folders.at("out/secret");
    let mode = || fs::metadata(&secret).expect("it is there").permissions().mode();
    let mode_before = mode();
    let found = outcomes(&sickbay, "files").await;
    assert_eq!(found.len(), rows.len(), "{found:?}");
    for ((call, begins), outcome) in rows.iter().zip(&found) {
        assert_begins(&call.to_string(), outcome, begins);
        assert!(!outcome.contains(&folders.dir.path().display().to_string()), "where it is on the host is told: {outcome}");
    }
    assert_eq!(fs::read_to_string(&secret).expect("it is there"), OUTSIDE);
    assert_eq!(mode(), mode_before);
    assert_eq!(fs::read_dir(folders.at("out")).expect("a folder").count(), 1);
    assert!(folders.at("in/plain").exists() && !folders.at("in/new").exists() && !folders.at("rw/file").exists());

    // A folder that is missing is told; it is found when it comes, and missed when it goes.
    for _ in 0..2 {
        assert_begins("missing", &outcomes(&sickbay, "later").await[0], "invalid: ");
        fs::create_dir(folders.at("later")).expect("a folder");
        fs::write(folders.at("later/plain"), "later").expect("a file");
        assert_eq!(outcomes(&sickbay, "later").await, ["ok: later"]);
        fs::remove_dir_all(folders.at("later")).expect("it is removed");
    }
    assert!(!everything_told(&sickbay).await.contains(OUTSIDE), "what is outside is told");
}

/// While it lives, `in/swap` is by turns a folder and a link to `out`.
struct Swapping {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Swapping {
    fn begin(folder: &Path) -> Swapping {
        let at = |name: &str| folder.join(name);
        fs::create_dir(at("swap")).expect("a folder");
        fs::write(at("swap/secret"), "inside").expect("a file");
        symlink("../out", at("link")).expect("a link");
        let (swap, aside, link) = (at("swap"), at("aside"), at("link"));
        let ends = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                for (from, to) in [(&swap, &aside), (&link, &swap), (&swap, &link), (&aside, &swap)] {
                    fs::rename(from, to).expect("it is renamed");
                }
            }
        });
        Swapping { ends, thread: Some(thread) }
    }
}

impl Drop for Swapping {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // That it failed would have been told by what was read.
            let _ = thread.join();
        }
    }
}

#[tokio::test]
async fn a_folder_that_becomes_a_link_while_it_is_read_leads_nowhere() {
    let folders = Folders::new();
    let calls = vec![call("read", "/data/swap/secret"); READS_OF_A_RUN];
    let sickbay = Sickbay::started(&asking("race", &folders.grants(), &calls), &["ask"]).await;
    let swapping = Swapping::begin(&folders.at("in"));
    let (mut inside, mut refused) = (false, false);
    until("it was read both ways", async || {
        for outcome in outcomes(&sickbay, "race").await {
            assert!(!outcome.contains(OUTSIDE), "{outcome}");
            inside |= outcome == "ok: inside";
            refused |= outcome.starts_with("denied: ");
        }
        inside && refused
    })
    .await;
    drop(swapping);
}
