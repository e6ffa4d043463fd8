//! May this path be used so? One place for all of `files`.
//!
//! Invariant: this file performs no I/O. It says which folder a path lies in by its text alone; that nothing of the path leads out of the
//! folder is `walk.rs`'s.

use std::fmt;
use std::path::PathBuf;

use super::grant::{Grant, Mode};
use crate::denial::{Capability, Denial, DenialReason};

const PATH_BYTES_MAX: usize = 4096;
/// Granted folders in a denial.
const FOLDERS_SHOWN_MAX: usize = 4;
/// Letters that are wrong, side by side, in a slip.
const SLIP_LETTERS_MAX: usize = 2;

/// An absolute path in one spelling: a `/` before each part, none at the end, no `.`, no `..`; empty for `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestPath(String);

impl GuestPath {
    pub(super) fn parse(text: &str) -> Result<GuestPath, String> {
        if text.len() > PATH_BYTES_MAX {
            return Err(format!("the path has {} bytes, at most {PATH_BYTES_MAX} are taken", text.len()));
        }
        if !text.starts_with('/') {
            return Err("the path does not begin with `/`".to_owned());
        }
        if text.contains(char::is_control) {
            return Err("the path has a control character".to_owned());
        }
        let mut path = String::with_capacity(text.len());
        for part in text.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                return Err("the path has `..`: write the path that it means".to_owned());
            }
            path.push('/');
            path.push_str(part);
        }
        Ok(GuestPath(path))
    }

    /// What follows `folder`, without a `/` in front; none where the path is not in it.
    fn below<'p>(&'p self, folder: &GuestPath) -> Option<&'p str> {
        let rest = self.0.strip_prefix(folder.0.as_str())?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    pub(super) fn name(&self) -> &str {
        match self.0.rsplit_once('/') {
            Some((_, name)) => name,
            None => "/",
        }
    }
}

impl fmt::Display for GuestPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Change,
}

/// Where a granted path lies.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As the guest named it, for messages: no message names a path of the host.
    pub(super) path: GuestPath,
    /// As the guest knows the granted folder.
    pub(super) known_as: GuestPath,
    /// The granted folder.
    pub(super) folder: PathBuf,
    /// Below the folder; empty for the folder itself.
    pub(super) below: String,
}

/// The innermost granted folder decides.
pub(super) fn authorise(grants: &[Grant], path: GuestPath, access: Access) -> Result<Place, Denial> {
    let within = grants.iter().filter_map(|grant| Some((grant, path.below(&grant.guest)?)));
    let Some((grant, below)) = within.min_by_key(|(_, below)| below.len()) else {
        return Err(not_granted(grants, &path, access));
    };
    if access == Access::Change && grant.mode == Mode::ReadOnly {
        let hint = format!("write `mode = \"rw\"` in the grant of `files` with `guest = {}`", quoted(&grant.guest.to_string()));
        return Err(denial(format!("`{path}` is granted for reading only"), hint));
    }
    let below = below.to_owned();
    Ok(Place { known_as: grant.guest.clone(), folder: grant.host.clone(), below, path })
}

/// What a run would be denied that reads `path`; none where it is in a granted folder, or is no path. Where links lead, only a run knows.
pub fn foretell(grants: &[Grant], path: &str) -> Option<Denial> {
    authorise(grants, GuestPath::parse(path).ok()?, Access::Read).err()
}

/// What was found on the way leads out of the folder.
pub(super) fn leads_out(place: &Place) -> Denial {
    denial(
        format!("`{}` leads out of the granted folder `{}`, or has an absolute link on its way", place.path, place.known_as),
        "grant the folder that it leads to, and name the file by the path there".to_owned(),
    )
}

/// What was found is Linux's view of processes.
pub(super) fn of_processes(place: &Place) -> Denial {
    Denial {
        capability: Capability::Files,
        reason: DenialReason::Unsupported,
        message: format!("`{}` is on a `proc`, of which nothing is lent: the credentials of Sickbay itself stand there", place.path),
        hint: "no grant of `files` opens it; the machine is granted by topic, for example: system = [\"load\"]".to_owned(),
    }
}

/// Where folders are granted, whoever wrote the path seldom wants one more.
fn not_granted(grants: &[Grant], path: &GuestPath, access: Access) -> Denial {
    if grants.is_empty() {
        return denial(format!("`{path}` is not granted"), line_for(path, access));
    }
    let shown: Vec<String> = grants.iter().take(FOLDERS_SHOWN_MAX).map(|grant| format!("`{}`", grant.guest)).collect();
    let more = if grants.len() > FOLDERS_SHOWN_MAX { format!(" and {} more", grants.len() - FOLDERS_SHOWN_MAX) } else { String::new() };
    let are = if grants.len() == 1 { "is" } else { "are" };
    let hint = match grants.iter().find(|grant| is_slip(path, &grant.guest)) {
        Some(meant) => format!("did you mean `{}`?", meant.guest),
        None => "name a path in a granted folder (`guest` of its grant, not `host`), or grant another folder".to_owned(),
    };
    denial(format!("`{path}` is not granted; granted {are} {}{more}", shown.join(", ")), hint)
}

/// Whether `path` leads into what only a slip tells from `folder`.
fn is_slip(path: &GuestPath, folder: &GuestPath) -> bool {
    let parts = folder.0.matches('/').count();
    let end = path.0.match_indices('/').nth(parts).map_or(path.0.len(), |(end, _)| end);
    let (written, meant): (Vec<char>, Vec<char>) = (path.0[..end].chars().collect(), folder.0.chars().collect());
    let in_front = written.iter().zip(&meant).take_while(|(one, other)| one == other).count();
    let behind = written[in_front..].iter().rev().zip(meant[in_front..].iter().rev()).take_while(|(one, other)| one == other).count();
    // The first `/` is no likeness.
    in_front + behind > 1 && written.len().max(meant.len()) - in_front - behind <= SLIP_LETTERS_MAX
}

fn denial(message: String, hint: String) -> Denial {
    Denial { capability: Capability::Files, reason: DenialReason::NotGranted, message, hint }
}

/// The line that grants the folder of `path`, as if guests knew it by the host's own path.
fn line_for(path: &GuestPath, access: Access) -> String {
    let folder = match path.0.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder,
        // Never the whole machine.
        _ if path.0.is_empty() => "/srv",
        _ => path.0.as_str(),
    };
    let folder = quoted(folder);
    let mode = if access == Access::Read { "ro" } else { "rw" };
    format!("files = [{{ host = {folder}, guest = {folder}, mode = \"{mode}\" }}]")
}

/// As TOML writes it: control characters are none in here.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn path(text: &str) -> GuestPath {
        GuestPath::parse(text).expect("a path")
    }

    fn grants(folders: &[(&str, &str, &str)]) -> Vec<Grant> {
        folders.iter().map(|(host, guest, mode)| Grant::new(Path::new(host), guest, mode).expect("a grant")).collect()
    }

    #[test]
    fn a_path_is_in_the_folder_whose_parts_it_begins_with() {
        let grants = grants(&[("/var/backups", "/backups", "ro")]);
        for (text, below) in [
            ("/backups", Some("")),
            ("/backups/", Some("")),
            ("//backups/./a", Some("a")),
            ("/backups/a/b c", Some("a/b c")),
            ("/backups2", None),
            ("/backup", None),
            ("/", None),
            ("/var/backups/a", None),
        ] {
            let found = authorise(&grants, path(text), Access::Read).ok().map(|place| place.below);
            assert_eq!(found.as_deref(), below, "{text}");
        }
    }

    #[test]
    fn the_innermost_folder_decides() {
        let grants = grants(&[("/a", "/data", "rw"), ("/b", "/data/kept", "ro"), ("/c", "/", "ro")]);
        let place = |text: &str| authorise(&grants, path(text), Access::Read).expect("granted").folder;
        assert_eq!(place("/data/x"), Path::new("/a"));
        assert_eq!(place("/data/kept/x"), Path::new("/b"));
        assert_eq!(place("/elsewhere"), Path::new("/c"));
        assert!(authorise(&grants, path("/data/x"), Access::Change).is_ok());
        let denial = authorise(&grants, path("/data/kept/x"), Access::Change).expect_err("read-only");
        assert!(denial.hint.contains("guest = \"/data/kept\""), "{denial:?}");
    }

    #[test]
    fn what_climbs_or_is_no_path_is_refused() {
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        for text in ["", "backups", "./backups", "/backups/..", "/backups/../etc/passwd", "/..", "/a\0b", "/a\nb", long.as_str()] {
            assert!(GuestPath::parse(text).is_err(), "{text:?}");
        }
        assert!(GuestPath::parse("/backups/..a/...").is_ok());
    }

    #[test]
    fn a_denial_names_what_is_granted_and_what_was_meant() {
        let backups = grants(&[("/var/backups", "/backups", "ro"), ("/srv", "/data/kept", "ro")]);
        let told = |text: &str| authorise(&backups, path(text), Access::Read).expect_err("not granted");
        for (text, meant) in [
            ("/backup", Some("/backups")),
            ("/backup/a/b", Some("/backups")),
            ("/bakcups/a", Some("/backups")),
            ("/data/ketp/x", Some("/data/kept")),
            ("/etc/passwd", None),
            ("/var/backups/a", None),
            ("/", None),
        ] {
            let denial = told(text);
            assert!(denial.message.ends_with("is not granted; granted are `/backups`, `/data/kept`"), "{denial:?}");
            let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
            assert_eq!(hint.as_deref().unwrap_or(&denial.hint), denial.hint, "{text}");
            assert_eq!(meant.is_none(), denial.hint.starts_with("name a path"), "{text}: {denial:?}");
        }
        let many: Vec<Grant> = (0..6).flat_map(|number| grants(&[("/srv", format!("/folder-{number}").as_str(), "ro")])).collect();
        let denial = authorise(&many, path("/x"), Access::Read).expect_err("not granted");
        assert!(denial.message.ends_with("`/folder-3` and 2 more"), "{denial:?}");
    }

    #[test]
    fn the_line_in_a_denial_grants_the_folder_of_the_path() {
        for (text, access, hint) in [
            ("/var/log/app/x.log", Access::Read, r#"files = [{ host = "/var/log/app", guest = "/var/log/app", mode = "ro" }]"#),
            ("/backups", Access::Change, r#"files = [{ host = "/backups", guest = "/backups", mode = "rw" }]"#),
            ("/a\"b/c", Access::Read, r#"files = [{ host = "/a\"b", guest = "/a\"b", mode = "ro" }]"#),
        ] {
            let denial = authorise(&[], path(text), access).expect_err("nothing is granted");
            assert_eq!((denial.capability, denial.hint.as_str()), (Capability::Files, hint));
        }
        let granted = grants(&[("/var/log/app", "/var/log/app", "ro")]);
        assert!(authorise(&granted, path("/var/log/app/x.log"), Access::Read).is_ok());
    }
}
