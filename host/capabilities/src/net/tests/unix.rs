//! UNIX sockets: exact paths, patterns, and links that lead elsewhere.

use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;
use tokio::net::UnixListener;

use super::*;

/// A folder with the two folders `lent` and `other`. Its own path has no links in it.
struct Folder {
    _folder: TempDir,
    path: String,
}

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().canonicalize().expect("a folder").to_str().expect("UTF-8").to_owned();
        for name in ["lent", "other"] {
            std::fs::create_dir(Path::new(&path).join(name)).expect("a folder");
        }
        Folder { _folder: folder, path }
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// A listener that greets everyone with its name.
    fn greet(&self, name: &'static str) {
        let listener = UnixListener::bind(self.path(name)).expect("a socket");
        tokio::spawn(greet_everyone(listener, name));
    }

    fn link(&self, from: &str, to: &str) {
        symlink(self.path(to), self.path(from)).expect("a link");
    }

    /// Grants are written below the folder.
    fn lent(&self, grants: &[&str]) -> Lent {
        let grants: Vec<String> = grants.iter().map(|grant| format!("unix://{}", self.path(grant))).collect();
        lent_with(&services(), &grants, &Limits::default())
    }

    /// Who is there.
    async fn greeted(&self, lent: &mut Lent, name: &str) -> Result<String, NetError> {
        let connection = connect(lent, to(format!("unix:{}", self.path(name)))).await?;
        let opened = opened(lent, &connection).await;
        assert_eq!((opened.peer, opened.timings.dns_us), (self.path(name), None));
        let greeting = receive(lent, &connection, "", 1000, None).await?;
        close(lent, connection).await;
        Ok(String::from_utf8(greeting).expect("UTF-8"))
    }

    /// The line that would open it.
    async fn hint_of(&self, grants: &[&str], name: &str) -> String {
        let mut lent = self.lent(grants);
        let outcome = self.greeted(&mut lent, name).await;
        let Err(NetError::Denied(denial)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(lent.finish().denials, [(Capability::Net, DenialReason::NotGranted)]);
        denial.hint
    }

    fn line(&self, name: &str) -> String {
        format!("net = [\"unix://{}\"]", self.path(name))
    }
}

async fn greet_everyone(listener: UnixListener, name: &str) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        // Whoever asked may be gone already.
        let _ = stream.write_all(name.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_socket_is_granted_by_its_path_or_by_a_pattern() {
    let folder = Folder::new();
    folder.greet("lent/a.sock");
    for grant in ["lent/a.sock", "lent/*", "*.sock", "*/a.sock"] {
        let greeting = folder.greeted(&mut folder.lent(&[grant]), "lent/a.sock").await;
        assert_eq!(greeting.expect(grant), "lent/a.sock");
    }
    for grants in [&["lent/b.sock"][..], &["lent/a"][..], &["other/*"][..], &[][..]] {
        assert_eq!(folder.hint_of(grants, "lent/a.sock").await, folder.line("lent/a.sock"));
    }
}

#[tokio::test]
async fn a_link_leads_only_to_what_is_granted_too() {
    let folder = Folder::new();
    folder.greet("lent/a.sock");
    folder.greet("other/b.sock");
    folder.link("lent/within", "lent/a.sock");
    folder.link("lent/out", "other/b.sock");
    folder.link("lent/folder", "other");
    folder.link("lent/chain", "lent/out");
    let mut lent = folder.lent(&["lent/*"]);
    assert_eq!(folder.greeted(&mut lent, "lent/within").await.expect("granted"), "lent/a.sock");
    for name in ["lent/out", "lent/folder/b.sock", "lent/chain"] {
        assert_eq!(folder.hint_of(&["lent/*"], name).await, folder.line("other/b.sock"), "{name}");
        let mut both = folder.lent(&["lent/*", "other/b.sock"]);
        assert_eq!(folder.greeted(&mut both, name).await.expect("granted"), "other/b.sock");
    }
    assert_eq!(folder.hint_of(&["other/b.sock"], "lent/out").await, folder.line("lent/out"), "what is asked for is judged first");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_was_judged_is_what_is_connected_to() {
    let folder = Folder::new();
    folder.greet("lent/a.sock");
    folder.greet("other/b.sock");
    folder.link("lent/link", "lent/a.sock");
    let path = folder.path("lent/link");
    let found = crate::net::unix::find(&path, &mut crate::dial::Phase::Connect).await.expect("a socket");
    assert_eq!(found.real, Some(folder.path("lent/a.sock")));
    std::fs::remove_file(&path).expect("removed");
    folder.link("lent/link", "other/b.sock");
    let mut stream = found.connect(&path).await.expect("a connection");
    let mut greeting = String::new();
    stream.read_to_string(&mut greeting).await.expect("a greeting");
    assert_eq!(greeting, "lent/a.sock");
}

#[tokio::test]
async fn nothing_is_told_of_paths_that_are_not_granted() {
    let folder = Folder::new();
    for name in ["other/none.sock", "other"] {
        assert_eq!(folder.hint_of(&["lent/*"], name).await, folder.line(name));
    }
}

#[tokio::test]
async fn what_is_no_listening_socket_is_refused_or_not_connected() {
    let folder = Folder::new();
    std::fs::write(folder.path("lent/file"), "no socket").expect("a file");
    drop(UnixListener::bind(folder.path("lent/dead.sock")).expect("a socket"));
    let mut lent = folder.lent(&["lent/*"]);
    for name in ["lent/file", "lent/dead.sock"] {
        let outcome = folder.greeted(&mut lent, name).await;
        assert!(matches!(outcome, Err(NetError::Refused(_) | NetError::Connect(_))), "{name}: {outcome:?}");
    }
    let outcome = folder.greeted(&mut lent, "lent/none.sock").await;
    assert!(matches!(&outcome, Err(NetError::Connect(message)) if message.contains("there is no")), "{outcome:?}");
}

#[tokio::test]
async fn abstract_sockets_are_denied() {
    let mut lent = lent_with(&services(), &["unix:///*"], &Limits::default());
    for address in ["unix:@sickbay", "unix:\0sickbay"] {
        let outcome = connect(&mut lent, to(address)).await;
        assert!(matches!(outcome, Err(NetError::Denied(_))), "{address:?}: {outcome:?}");
    }
    assert_eq!(lent.finish().denials, [(Capability::Net, DenialReason::ForbiddenAddress); 2]);
}
