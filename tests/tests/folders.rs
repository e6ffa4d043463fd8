//! Granted folders for guests that use the standard library's files.

use std::fs;
use std::os::unix::fs::symlink;

use sickbay_tests::{Sickbay, check};
use tempfile::TempDir;

fn folder() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    for (name, text) in [("in/plain", "plain"), ("out/secret", "secret")] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    symlink("../out/secret", dir.path().join("in/link")).expect("a link");
    dir
}

async fn told_with(grants: &str) -> String {
    let sickbay = Sickbay::started(&check("files", "folders", "24h", grants), &["folders"]).await;
    let result = sickbay.run_now("files").await;
    assert_eq!(result["status"], "ok", "{result}");
    result["summary"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_guest_of_the_standard_library_reads_what_was_granted_and_nothing_else() {
    let dir = folder();
    let host = dir.path().join("in");
    let grant = |mode: &str| format!("grants = {{ files = [{{ host = \"{}\", guest = \"/data\", mode = \"{mode}\" }}] }}", host.display());
    assert_eq!(told_with(&grant("ro")).await, "inside: plain, escaped: 0, wrote: false");
    assert!(!host.join("new").exists());
    assert_eq!(told_with(&grant("rw")).await, "inside: plain, escaped: 0, wrote: true");
    assert!(host.join("new").exists());
}

#[tokio::test]
async fn without_a_grant_and_with_a_folder_that_is_not_there_or_that_holds_proc_a_guest_sees_no_file() {
    let missing = "grants = { files = [{ host = \"/no/such/folder\", guest = \"/data\", mode = \"rw\" }] }";
    // The credentials of the host stand in `/proc`, which is below it.
    let whole = "grants = { files = [{ host = \"/\", guest = \"/\", mode = \"ro\" }] }";
    for grants in ["", missing, whole] {
        let told = told_with(grants).await;
        assert!(told.ends_with("escaped: 0, wrote: false") && !told.contains("plain"), "{told}");
    }
}
