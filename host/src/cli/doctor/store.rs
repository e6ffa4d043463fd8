//! The store of the configuration: whether it can be entered and written, how its tables stand, and what its role may do.
//!
//! Invariant: nothing is made or changed; a Sickbay that uses it is not disturbed.

use std::path::Path;

use rustix::fs::{Access, access};
use sickbay_store::Look;

use super::{Finding, Mark};
use crate::cli::serve::runtime;
use crate::config::Config;

const STORE: &str = "store";

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Finding::new(STORE, Mark::Wrong, format!("cannot be looked at: {error}"))],
    };
    match runtime.block_on(sickbay_store::look(&config.store.url, &config.dir)) {
        Ok(look) => judged(&look, look.file.as_deref().and_then(unwritable)),
        Err(error) => vec![Finding::of_message(STORE, Mark::Wrong, &error.to_string())],
    }
}

/// `unwritable` is what of a file cannot be written.
fn judged(look: &Look, unwritable: Option<String>) -> Vec<Finding> {
    let database = &look.database;
    let mut findings = Vec::new();
    if let Some(what) = unwritable {
        findings.push(Finding::new(STORE, Mark::Wrong, what).with_fix("let the user that Sickbay runs as write the file and its folder"));
    }
    if !look.too_little.is_empty() {
        let seen = format!("{database}: its role may not do what Sickbay needs");
        findings.push(Finding::new(STORE, Mark::Wrong, seen).with_fix(format!("let an administrator run: {}", look.too_little.join("; "))));
    }
    if !look.too_much.is_empty() {
        let seen = format!("{database}: its role has {}, which Sickbay does not need", look.too_much.join(", "));
        let fix = "give it a role of its own: CREATE ROLE sickbay LOGIN PASSWORD '...', then CREATE SCHEMA sickbay AUTHORIZATION sickbay";
        findings.push(Finding::new(STORE, Mark::Warn, seen).with_fix(fix));
    }
    if findings.is_empty() {
        findings.push(Finding::new(STORE, Mark::Ok, format!("{database}: {}", tables(look))));
    }
    findings
}

fn tables(look: &Look) -> String {
    match look.version {
        None => "its tables are made by the first start".to_owned(),
        Some(version) if version < look.known => {
            format!("its tables are at migration {version}, and brought to {} by the next start", look.known)
        }
        Some(version) => format!("its tables are at migration {version}, as this program knows them"),
    }
}

/// SQLite writes the file, and others beside it.
fn unwritable(file: &Path) -> Option<String> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let is_refused = |path: &Path, wanted: Access| access(path, wanted).is_err();
    if file.exists() && is_refused(file, Access::READ_OK | Access::WRITE_OK) {
        return Some(format!("{} cannot be written by this user", file.display()));
    }
    is_refused(folder, Access::WRITE_OK | Access::EXEC_OK).then(|| format!("{} cannot be written by this user", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        let database = "the database".to_owned();
        Look { database, file: None, version: Some(1), known: 1, too_much: Vec::new(), too_little: Vec::new() }
    }

    fn told(look: &Look) -> Vec<(Mark, String)> {
        judged(look, None).into_iter().map(|finding| (finding.mark, finding.seen)).collect()
    }

    #[test]
    fn a_store_that_can_be_used_is_told_with_its_tables() {
        assert_eq!(told(&look()), [(Mark::Ok, "the database: its tables are at migration 1, as this program knows them".to_owned())]);
        let new = told(&Look { version: None, ..look() });
        assert!(new[0].1.ends_with("made by the first start"), "{new:?}");
        let behind = told(&Look { known: 2, ..look() });
        assert!(behind[0].1.ends_with("at migration 1, and brought to 2 by the next start"), "{behind:?}");
    }

    #[test]
    fn a_role_with_too_little_is_wrong_and_one_with_too_much_a_warning() {
        let mut role = Look { too_little: vec!["GRANT A".to_owned(), "GRANT B".to_owned()], ..look() };
        let findings = judged(&role, None);
        assert_eq!((findings.len(), findings[0].mark), (1, Mark::Wrong));
        assert_eq!(findings[0].fix.as_deref(), Some("let an administrator run: GRANT A; GRANT B"));
        role = Look { too_much: vec!["superuser"], ..look() };
        assert_eq!(told(&role), [(Mark::Warn, "the database: its role has superuser, which Sickbay does not need".to_owned())]);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_wrong() {
        assert!(unwritable(Path::new("/no/such/sickbay.db")).is_some_and(|what| what.starts_with("/no/such cannot be written")));
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(unwritable(&folder.path().join("sickbay.db")), None);
        let findings = judged(&look(), Some("no".to_owned()));
        assert_eq!((findings.len(), findings[0].mark), (1, Mark::Wrong));
    }
}
