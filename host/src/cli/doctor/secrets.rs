//! Secrets of the configuration: whether they can be used, and whether files with one can be read by others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sickbay_capabilities::secrets::unusable;

use super::{Finding, Mark};
use crate::config::{Config, counted};

const SECRETS: &str = "secrets";
const FILE: &str = "secret file";
/// Of a file's mode: whoever is on this machine may read it.
const READ_BY_OTHERS: u32 = 0o004;

pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let secrets = &config.services.secrets;
    let mut findings: Vec<Finding> =
        unusable(secrets).iter().map(|unusable| Finding::of_message(SECRETS, Mark::Warn, &unusable.to_string())).collect();
    if findings.is_empty() && !secrets.is_empty() {
        findings.push(Finding::new(SECRETS, Mark::Ok, format!("{} can be used", counted(secrets.len(), "secret"))));
    }
    findings.extend(config.confidential.iter().filter_map(|file| open_to_others(file)));
    findings
}

/// A file that is not there is told elsewhere.
fn open_to_others(file: &Path) -> Option<Finding> {
    let mode = fs::metadata(file).ok()?.permissions().mode();
    let is_open = mode & READ_BY_OTHERS != 0;
    is_open.then(|| {
        let seen = format!("{} can be read by everybody on this machine", file.display());
        Finding::new(FILE, Mark::Warn, seen).with_fix(format!("chmod o= {}", file.display()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_read_is_a_warning_with_the_command() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("token");
        assert_eq!(open_to_others(&file), None);
        fs::write(&file, "").expect("file");
        let finding = |mode: u32| {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("mode");
            open_to_others(&file)
        };
        assert_eq!([0o600, 0o640, 0o400].map(finding), [None, None, None]);
        let warning = finding(0o644).expect("a warning");
        assert_eq!(warning.mark, Mark::Warn);
        assert!(warning.fix.is_some_and(|fix| fix.starts_with("chmod o= /")));
    }
}
